"""The lines of a policy against the vendors' schemas: do the fields exist, may they be written, do the words
exist.

Rules come back with what only the schema knows: the field type, and picklist words as internal names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from agent.connector import FieldSchema, ObjectSchema
from agent.decide.kinds.cleaning import TYPE_OF
from agent.decide.kinds.header import BOTH, Document
from agent.decide.policy import FieldRule, LifecyclePolicy, Stage, Winner
from agent.decide.reading import NO_WORDS, YES_WORDS, Reader
from agent.decide.suggest import in_words, nearest
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode

Schemas = Mapping[tuple[str, str], ObjectSchema]

CONSENT = "opt-out"
_MOST_SHOWN = 3
_ANY_LENGTH = 65_536
"""HubSpot's limit of every text field: one that reports it or more has no limit of its own worth a warning."""
_TEXTUAL = frozenset({"text", "choice", "choices"})
_TIMES = frozenset({"date", "datetime"})
_LINKS = frozenset({"reference", "id"})
_READABLE: Mapping[str, frozenset[str]] = {
    "number": frozenset({"number", "text"}),
    "date": frozenset({"date", "datetime", "text"}),
}
"""What a cleaner makes of a value → the field types it can be made of."""
_ZONE = "Say whose day counts: `clean: date in America/New_York`."

_IN_WORDS: Mapping[str, str] = {
    "text": "text",
    "number": "a number",
    "boolean": "yes or no",
    "date": "a date",
    "datetime": "a date and time",
    "choice": "a picklist",
    "choices": "a picklist of several values",
    "reference": "a link to another record",
    "id": "an id",
}


def written_systems(rule: FieldRule) -> tuple[str, ...]:
    """The systems a rule may write in any case: the side that does not win, both where both may be; consent none."""
    if rule.made_of:
        return tuple(rule.where)
    if len(rule.where) < BOTH:
        return ()
    systems = tuple(rule.where)
    written = {system for winner in rule.winners for system in _written(winner, systems)}
    return tuple(system for system in systems if system in written)


def _written(winner: Winner, systems: tuple[str, ...]) -> tuple[str, ...]:
    if winner.side == CONSENT:
        return ()
    if winner.side in systems and not winner.unless_blank:
        return tuple(system for system in systems if system != winner.side)
    return systems


def check_rule(document: Document, rule: FieldRule, schemas: Schemas) -> FieldRule:
    """The rule with its type and internal picklist words; everything that does not fit is noted."""
    return _RuleCheck(document, rule, schemas).checked()


class _RuleCheck:
    """One field line against the schemas of every object type it names."""

    def __init__(self, document: Document, rule: FieldRule, schemas: Schemas) -> None:
        self.reader = document.reader
        self.systems = document.systems
        self.rule = rule
        self.schemas = schemas
        self.line = _line_of(document, rule)
        self.found: dict[str, dict[str, FieldSchema]] = {}

    def checked(self) -> FieldRule:
        for system, by_type in self.rule.where.items():
            for object_type, name in by_type.items():
                field = self._field(system, object_type, name)
                if field is not None:
                    self.found.setdefault(system, {})[object_type] = field
        for system in written_systems(self.rule):
            for object_type, field in self.found.get(system, {}).items():
                self._writable(system, object_type, field)
        self._makeable()
        self._cleanable()
        self._compatible()
        values = self._values()
        self._unnamed(values)
        return replace(
            self.rule, type=self._type(), values=values, instants=self._instants(), set_once=self._set_once()
        )

    def _field(self, system: str, object_type: str, name: str) -> FieldSchema | None:
        schema = self.schemas.get((system, object_type))
        if schema is None or name in schema.fields:
            return schema.fields[name] if schema is not None else None
        node = self._node(system, object_type)
        where = f"{self.systems[system].name} {object_type}"
        if self.rule.wins == CONSENT:
            self.reader.error(
                node,
                f"the consent field `{name}` is not visible in {where}, so nobody's wish could be respected",
                "Give Truce's user the right to read it (truce doctor --permissions), or correct the name.",
            )
            return None
        others = [other for other, named in self.rule.where[system].items() if named == name and other != object_type]
        differs = ""
        if others and isinstance(node, TextNode):
            differs = f"If {object_type} calls it differently, write `{{{others[0]}: {name}, {object_type}: …}}`."
        advice = _elsewhere(name, schema, self.schemas, differs) or _instead_of(name, schema, differs)
        self.reader.error(node, f"{where} has no field `{name}`", advice)
        return None

    def _writable(self, system: str, object_type: str, field: FieldSchema) -> None:
        schema = self.schemas[system, object_type]
        where = f"{self.systems[system].name} {object_type}"
        node = self._node(system, object_type)
        if not schema.can_update:
            self.reader.error(node, f"Truce's user may not change {where}", f"{_GIVE_IT}, or only read it.")
        elif not field.writable and not self._is_set_once(field):
            advice = f"If it is calculated there, write `wins: {system}`, or only read it."
            if self.rule.made_of:
                advice = "If it is calculated there, choose a field that is not."
            self.reader.error(
                node,
                f"`{field.name}` cannot be written in {where}",
                f"{_MAKE_EDITABLE} {advice}",
            )

    def _makeable(self) -> None:
        """Several values joined are text."""
        for system, by_type in self.found.items() if self.rule.made_of else ():
            for object_type, field in by_type.items():
                if field.type != "text":
                    where = f"`{field.name}` in {self.systems[system].name} {object_type}"
                    message = f"{where} is {_IN_WORDS[field.type]}, but several values joined are text"
                    self.reader.error(self._node(system, object_type), message, "Choose a text field.")

    def _is_set_once(self, field: FieldSchema) -> bool:
        """Which record this one belongs to may be a matter of its creation alone."""
        return self.rule.links_to is not None and field.creatable

    def _set_once(self) -> frozenset[str]:
        return frozenset(
            system
            for system, by_type in self.found.items()
            for field in by_type.values()
            if self._is_set_once(field) and not field.writable
        )

    def _cleanable(self) -> None:
        """Does ``clean`` fit the fields? A cleaner of numbers or dates reads them, or text that holds them."""
        clean = self.rule.clean
        fitting = _READABLE.get(TYPE_OF.get(clean.name, ""))
        for system, by_type in self.found.items() if fitting is not None else ():
            for object_type, field in by_type.items():
                node = self._node(system, object_type)
                there = f"`{field.name}` in {self.systems[system].name} {object_type}"
                if field.type not in (fitting or ()):
                    self.reader.error(
                        node,
                        f"{there} is {_IN_WORDS[field.type]}, which `clean: {clean}` does not fit",
                        "Remove `clean`.",
                    )
                elif field.type == "datetime" and clean.argument is None:
                    self.reader.error(
                        node, f"{there} is a date and time: which day that is depends on the place", _ZONE
                    )

    def _instants(self) -> frozenset[str]:
        return frozenset(
            system for system, by_type in self.found.items() for field in by_type.values() if field.type == "datetime"
        )

    def _compatible(self) -> None:
        if self.rule.is_owner or self.rule.links_to is not None or self.rule.wins == CONSENT:
            return
        for target in written_systems(self.rule):
            source = next((system for system in self.rule.where if system != target), "")
            for object_type, field in self.found.get(target, {}).items():
                for origin in self.found.get(source, {}).values():
                    self._pair(source, origin, target, object_type, field)

    def _pair(self, source: str, origin: FieldSchema, target: str, object_type: str, field: FieldSchema) -> None:
        node, there = self._node(target, object_type), f"`{field.name}` in {self.systems[target].name} {object_type}"
        here = f"`{origin.name}` in {self.systems[source].name}"
        if not self.rule.values and not _fits(self._read_as(origin), field.type):
            self.reader.error(
                node,
                f"{there} is {_IN_WORDS[field.type]}, but {here} is {_IN_WORDS[origin.type]}",
                "Use fields of the same type, or say with `values` which word means which.",
            )
        elif {origin.type, field.type} == _TIMES and self.rule.clean.name != "date":
            self.reader.error(
                node,
                f"{there} is {_IN_WORDS[field.type]}, but {here} is {_IN_WORDS[origin.type]}: "
                "which day a time is depends on the place",
                _ZONE,
            )
        elif field.type == origin.type == "text" and 0 < (field.length or 0) < (origin.length or 0) < _ANY_LENGTH:
            self.reader.warn(
                node,
                f"{there} holds {field.length} characters, but {here} holds {origin.length}",
                "Longer values will be refused there and reported.",
            )
        elif field.restricted and field.choices and not self.rule.values:
            self._unknown_words(node, there, here, origin, field)

    def _read_as(self, field: FieldSchema) -> str:
        """Text that ``clean`` reads as a number or a date counts as one."""
        return TYPE_OF.get(self.rule.clean.name, field.type) if field.type == "text" else field.type

    def _unknown_words(self, node: Node, there: str, here: str, origin: FieldSchema, field: FieldSchema) -> None:
        """Picklist values of one side that the other would refuse."""
        known = {choice.value for choice in field.choices if choice.active}
        missing = [choice.value for choice in origin.choices if choice.active and choice.value not in known]
        if not origin.choices and origin.type == "text":
            self.reader.warn(node, f"{there} accepts only its own values, but {here} is free text", _USE_VALUES)
        elif missing:
            self.reader.warn(node, f"{there} does not know {_shown(missing)} of {here}", _USE_VALUES)

    def _type(self) -> str:
        """One type for both sides: what ``clean`` makes of it, the one they share, else the plainer of the two."""
        if self.rule.clean.name in TYPE_OF:
            return TYPE_OF[self.rule.clean.name]
        types = {field.type for fields in self.found.values() for field in fields.values()}
        if len(types) == 1:
            return next(iter(types))
        if types == _TIMES:
            return "date"
        if types and types <= _TEXTUAL and "choices" in types:
            return "choices"
        return "text"

    def _values(self) -> dict[str, dict[str, str]]:
        """The value map with internal names; words may be given as labels."""
        resolved: dict[str, dict[str, str]] = {}
        for meaning, words in self.rule.values.items():
            resolved[meaning] = {}
            for system, word in words.items():
                node = _value_node(self.line, meaning, system)
                internal = word
                for object_type, field in self.found.get(system, {}).items():
                    where = f"`{field.name}` of {self.systems[system].name} {object_type}"
                    internal = internal_word(word, field, where, node, self.reader)
                resolved[meaning][system] = internal
        return resolved

    def _unnamed(self, values: Mapping[str, Mapping[str, str]]) -> None:
        """Picklist values of the side that is right which the value map has no word for; what only fills blanks may be
        coarser (HubSpot has 150 industries)."""
        sides = {winner.side for winner in self.rule.winners}
        leading = sides & self.rule.where.keys() if sides <= self.rule.where.keys() else self.rule.where.keys()
        for system in sorted(leading) if values else ():
            named = {words[system] for words in values.values() if system in words}
            for object_type, field in self.found.get(system, {}).items():
                left = [choice.value for choice in field.choices if choice.active and choice.value not in named]
                if left:
                    where = f"`{field.name}` of {self.systems[system].name} {object_type}"
                    message = f"`values` has no word for {_shown(left)} of {where}"
                    self.reader.warn(self._node(system, object_type), message, _NAME_IT)

    def _node(self, system: str, object_type: str) -> Node:
        """Where the vendor field is named."""
        named = self.line.find(system) if isinstance(self.line, MapNode) else None
        if isinstance(named, MapNode):
            return named.find(object_type) or named
        return named or self.line


def check_lifecycle(document: Document, policy: LifecyclePolicy, schemas: Schemas) -> LifecyclePolicy:
    """The policy with internal stage names; fields and words that do not exist are noted."""
    reader = document.reader
    fields: dict[str, list[tuple[str, FieldSchema]]] = {}
    for key, system, object_type, name in _stage_fields(policy):
        schema = schemas.get((system, object_type))
        if schema is None:
            continue
        where = f"{document.systems[system].name} {object_type}"
        field = schema.fields.get(name)
        node = _stage_field_node(document, key)
        if field is None:
            reader.error(node, f"{where} has no field `{name}`", _instead_of(name, schema))
        elif not field.writable and policy.wins != system:
            advice = f"{_MAKE_EDITABLE} Or write `wins: {system}`."
            reader.error(node, f"`{name}` cannot be written in {where}", advice)
        else:
            fields.setdefault(key, []).append((f"`{name}` of {where}", field))
    stages = [_checked_stage(document, stage, fields) for stage in policy.stages]
    return replace(policy, stages=tuple(stages))


def internal_word(word: str, field: FieldSchema, where: str, node: Node, reader: Reader) -> str:
    """A picklist word as its internal name; a label is understood, two possible meanings are a mistake."""
    if not field.choices:
        if field.type == "boolean" and word.casefold() not in YES_WORDS | NO_WORDS:
            reader.error(node, f"{where} is yes or no, not `{word}`", "Write `true` or `false`.")
        return word
    exact = {choice.value for choice in field.choices if word in (choice.value, choice.label)}
    loose = {
        choice.value
        for choice in field.choices
        if word.casefold() in (choice.value.casefold(), choice.label.casefold())
    }
    found = exact or loose
    if len(found) > 1:
        shown = " or ".join(f"`{value}`" for value in sorted(found))
        reader.error(node, f"`{word}` is the name of two values of {where}", f"Write the internal name: {shown}.")
        return word
    if found:
        (internal,) = found
        if not next(choice.active for choice in field.choices if choice.value == internal):
            reader.warn(node, f"`{word}` is no longer used in {where}", "Choose a value that is active there.")
        return internal
    names = [name for choice in field.choices for name in (choice.value, choice.label)]
    near = nearest(word, names)
    advice = f"Did you mean `{near}`?" if near else f"Its values: {in_words(c.value for c in field.choices)}."
    if field.restricted:
        reader.error(node, f"`{word}` is not a value of {where}", advice)
    else:
        reader.warn(node, f"`{word}` is not a value of {where} yet", f"{advice} Writing it would add it there.")
    return word


_HIDDEN = "It may also be hidden from Truce's user; what it needs: truce doctor --permissions"
_GIVE_IT = "Give it that right (truce doctor --permissions)"
_MAKE_EDITABLE = "Let Truce's user edit it (truce doctor --permissions)."
_NAME_IT = "Add it under `values`; a record that has it is asked about until then."
_USE_VALUES = "Say with `values` which word means which; others will be refused there and reported."


def _shown(values: Sequence[str]) -> str:
    more = f" and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else ""
    return f"{in_words(values[:_MOST_SHOWN])}{more}"


def _fits(source: str, target: str) -> bool:
    """May a value of one type be written into a field of another without a value map?"""
    if source == target:
        return source not in _LINKS
    if target == "text":
        return source not in _LINKS
    return {source, target} <= _TEXTUAL or {source, target} == _TIMES


def _instead_of(name: str, schema: ObjectSchema, differs: str = "") -> str:
    by_label = [field.name for field in schema.fields.values() if field.label.casefold() == name.casefold()]
    if by_label:
        return _sentences(f"`{name}` is its label; write the internal name `{by_label[0]}`.", differs)
    near = nearest(name, [*schema.fields, *(field.label for field in schema.fields.values())])
    if near is None:
        return _sentences("Look it up in the vendor's settings.", differs, _HIDDEN)
    internal = near if near in schema.fields else next(f.name for f in schema.fields.values() if f.label == near)
    return _sentences(f"Did you mean `{internal}`?", differs, _HIDDEN)


def _elsewhere(name: str, schema: ObjectSchema, schemas: Schemas, differs: str) -> str:
    """Salesforce's Contact has no Industry: some fields belong to the company."""
    owners = [kind for (system, kind), other in schemas.items() if system == schema.system and name in other.fields]
    if not owners:
        return ""
    found = f"`{name}` is a field of {in_words(sorted(owners))}; name it in the policy about that, or per object type."
    return _sentences(found, differs, _HIDDEN)


def _sentences(*given: str) -> str:
    return " ".join(each for each in given if each)


def _line_of(document: Document, rule: FieldRule) -> Node:
    fields = document.find("fields")
    line = fields.find(rule.name) if isinstance(fields, MapNode) else None
    return line or document.node


def _value_node(line: Node, meaning: str, system: str) -> Node:
    values = line.find("values") if isinstance(line, MapNode) else None
    words = values.find(meaning) if isinstance(values, MapNode) else None
    word = words.find(system) if isinstance(words, MapNode) else None
    return word or words or line


def _stage_fields(policy: LifecyclePolicy) -> Iterator[tuple[str, str, str, str]]:
    """(key, system, object type, vendor field) of every place a stage stands in."""
    for key, by_system in policy.where.items():
        for system, by_type in by_system.items():
            for object_type, name in by_type.items():
                yield key, system, object_type, name


def _stage_field_node(document: Document, key: str) -> Node:
    fields = document.find("fields")
    named = fields.find(key) if isinstance(fields, MapNode) else None
    return named or document.key("stages")


def _checked_stage(document: Document, stage: Stage, fields: Mapping[str, list[tuple[str, FieldSchema]]]) -> Stage:
    stages = document.find("stages")
    block = stages.find(stage.name) if isinstance(stages, MapNode) else None
    values: dict[str, tuple[str, ...]] = {}
    for key, words in stage.values.items():
        node = block.find(key) if isinstance(block, MapNode) else None
        items = node.items if isinstance(node, ListNode) else (node,)
        resolved = []
        for word, item in zip(words, items, strict=False):
            internal = word
            for where, field in fields.get(key, ()):
                internal = internal_word(word, field, where, item or document.node, document.reader)
            resolved.append(internal)
        values[key] = tuple(resolved)
    return Stage(stage.name, values)
