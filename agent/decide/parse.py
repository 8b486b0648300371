"""Policy texts → a checked ``PolicySet``, or every problem at once.

Reads no file: texts are handed in by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

from agent.connector import ObjectSchema
from agent.decide import cross_check, owner_check, schema_check
from agent.decide.conditions_names import Known, Names
from agent.decide.kinds import dedupe, fields, lifecycle, limits, people
from agent.decide.kinds.header import WITHOUT_MEANING, Document, policy_name, read_about
from agent.decide.meaning import Context, definition_of, digest, tree_of
from agent.decide.policy import (
    DedupePolicy,
    EntityType,
    FieldRule,
    FieldsPolicy,
    LifecyclePolicy,
    LimitsPolicy,
    PeoplePolicy,
    Place,
    PolicySet,
)
from agent.decide.reading import Reader, Shape, warn_of_cut_values
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import MapNode, Node, Source, TextNode, read_source
from agent.errors import PolicyError, Problem
from agent.records import Owner
from agent.systems import Systems

Schemas = Mapping[tuple[str, str], ObjectSchema]

KINDS = (fields.KIND, dedupe.KIND, lifecycle.KIND, limits.KIND, people.KIND)
MOST_TOTAL = 2 * 1024 * 1024
LATER_KINDS = ("routing", "automation", "zones")

_Policy = TypeVar("_Policy", FieldsPolicy, DedupePolicy, LifecyclePolicy, LimitsPolicy, PeoplePolicy)


def shapes(systems: Systems) -> Mapping[str, Shape]:
    """{kind: what one policy may hold} in an installation with these systems."""
    return {
        fields.KIND: fields.shape(systems),
        dedupe.KIND: dedupe.SHAPE,
        lifecycle.KIND: lifecycle.shape(systems),
        limits.KIND: limits.SHAPE,
        people.KIND: people.shape(systems),
    }


def load(sources: Mapping[str, str], schemas: Schemas | None, today: date, systems: Systems) -> PolicySet:
    """The set these texts make, about ``systems``. ``schemas`` by (system, object type); without them vendor names
    are not checked.

    Raises:
        PolicyError: with every error of every file; warnings do not stop.
    """
    draft = _Draft(sources, schemas, today, systems)
    policies = draft.read()
    errors = [problem for problem in draft.problems() if not problem.is_warning]
    if errors:
        raise PolicyError(errors)
    return policies


def check(
    sources: Mapping[str, str], schemas: Schemas | None, today: date, systems: Systems, owners: Sequence[Owner] = ()
) -> list[Problem]:
    """Every problem: errors by place, then warnings by place. ``owners`` of all systems, where they were asked."""
    draft = _Draft(sources, schemas, today, systems, owners)
    draft.read()
    return sorted(draft.problems(), key=lambda problem: (problem.is_warning, problem))


@dataclass(slots=True)
class _Entity:
    """What the policies say together of one entity type, gathered before conditions are read.

    ``definitions`` are made before a schema is asked, so that meanings do not depend on one. ``line_names``
    are all left-hand names, also of lines with a mistake.
    """

    name: str
    records: Mapping[str, tuple[str, ...]]
    defined_by: Document
    rules: list[FieldRule] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)
    line_names: list[str] = field(default_factory=list)
    stages: tuple[str, ...] = ()


class _Draft:
    """One set of texts while it is read:

    first what is defined, then all that speaks of it, then the whole.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        schemas: Schemas | None,
        today: date,
        systems: Systems,
        owners: Sequence[Owner] = (),
    ) -> None:
        self.sources = dict(sources)
        self.systems = systems
        self.shapes = shapes(systems)
        self.owners = owners
        self.schemas: Schemas = schemas or {}
        self.today = today
        self.files: list[Source] = [read_source(name, text) for name, text in sorted(sources.items())]
        self.readers = {source.file: Reader(source.file, source.lines) for source in self.files}
        self.is_complete = all(source.is_readable for source in self.files)
        self.documents = [
            document for source in self.files for node in source.documents if (document := self._document(source, node))
        ]
        self.by_place = {document.place: document for document in self.documents}
        self.entities: dict[str, _Entity] = {}
        self.rules: dict[Place, tuple[FieldRule, ...]] = {}

    def problems(self) -> list[Problem]:
        found = [problem for source in self.files for problem in source.problems]
        if sum(len(text) for text in self.sources.values()) > MOST_TOTAL:
            found.append(Problem(self.files[-1].file, 1, 1, "the policy files are larger than 2 MB together"))
        return found + [problem for reader in self.readers.values() for problem in reader.problems]

    def read(self) -> PolicySet:
        self._define_entities()
        self._read_lines()
        for document in self._of(lifecycle.KIND):
            entity = self.entities.get(_word(document, "about"))
            if entity is not None:
                entity.stages = lifecycle.stage_names(document)
        entity_types, field_policies = self._fields()
        policies = PolicySet(
            revision="",
            sources=self.sources,
            entity_types=entity_types,
            fields=tuple(field_policies),
            dedupe=tuple(self._dedupe()),
            lifecycle=tuple(self._lifecycle()),
            limits=next(iter(self._limits()), None),
            people=next(iter(self._people()), None),
            systems=self.systems,
        )
        self._check_together(policies)
        return replace(policies, revision=_revision(policies))

    def _document(self, source: Source, node: Node) -> Document | None:
        """One policy, its kind known and its keys sorted out; None when it cannot even be begun."""
        reader = self.readers[source.file]
        if not isinstance(node, MapNode):
            reader.error(node, "a policy is made of `name: value` lines", "It begins with `policy: …` and `kind: …`.")
            self.is_complete = False
            return None
        warn_of_cut_values(reader, node)
        name = policy_name(reader, node)
        given = node.find("kind")
        kind = reader.text(given, "kind") if given is not None else None
        if given is None:
            advice = f"Allowed: {', '.join(KINDS)}."
            reader.error(node.key("policy") or node, "`kind` is missing: what sort of policy is this?", advice)
        elif kind in LATER_KINDS:
            reader.error(given, f"kind '{kind}' is not available in this version", f"Available: {', '.join(KINDS)}.")
            return None
        elif kind is not None and kind not in KINDS:
            reader.error(given, f"`kind` cannot be `{kind}`", did_you_mean(kind, KINDS))
        if kind is None or kind not in KINDS:
            self.is_complete = False
            return None
        named = node.key("policy") or node
        return Document(reader, node, kind, reader.block(node, self.shapes[kind], named=named), name, self.systems)

    def _of(self, kind: str) -> list[Document]:
        return [document for document in self.documents if document.kind == kind]

    def _define_entities(self) -> None:
        for document in self._of(fields.KIND):
            if "defines" in document.block:
                self._define(document)
            elif "about" not in document.block:
                document.reader.error(
                    document.key("policy"),
                    "it is not said what this policy is about",
                    "Add `defines: person` to define something new, or `about: person` to add lines to it.",
                )

    def _define(self, document: Document) -> None:
        node = document.block["defines"]
        if "about" in document.block:
            document.reader.error(
                document.key("about"), "`defines` and `about` exclude each other", "Keep one of them."
            )
        text = document.reader.text(node, "defines")
        if text is None:
            return
        if fields.defined_name(document) is None:
            document.reader.error(
                node, f"`{text}` cannot be the name of a thing", "Use small letters and underscores, like `person`."
            )
            return
        earlier = self.entities.get(text)
        if earlier is not None:
            document.reader.error(
                node,
                f"`{text}` is defined twice, first at {earlier.defined_by.place}",
                f"Write `about: {text}` to add lines to it.",
            )
            return
        self.entities[text] = _Entity(text, fields.read_records(document), document)

    def _read_lines(self) -> None:
        """The lines of every ``fields`` policy, typed by the schemas."""
        for document in self._of(fields.KIND):
            entity = self._entity_of(document)
            about, records = (entity.name, entity.records) if entity is not None else ("", {})
            rules = fields.read_rules(document, about, records)
            if entity is not None:
                entity.definitions.update({rule.name: definition_of(rule) for rule in rules})
                entity.line_names += fields.line_names(document)
            if self.schemas:
                rules = tuple(schema_check.check_rule(document, rule, self.schemas) for rule in rules)
            self.rules[document.place] = rules
            if entity is not None:
                entity.rules += rules

    def _entity_of(self, document: Document) -> _Entity | None:
        """What a policy is about; a ``defines`` that lost against an earlier one means that one."""
        key = "defines" if "defines" in document.block else "about"
        if key == "about" and "about" in document.block:
            read_about(document, set(self.entities), is_complete=self.is_complete)
        return self.entities.get(_word(document, key))

    def _names(self, entity: _Entity | None) -> Names:
        if entity is None:
            return Names("this", is_complete=False)
        known = dict.fromkeys(entity.line_names, Known()) | {
            rule.name: Known(rule.type if self._is_typed(rule) else None, rule.clean, tuple(rule.values))
            for rule in entity.rules
        }
        return Names(entity.name, known, entity.stages, self.is_complete)

    def _is_typed(self, rule: FieldRule) -> bool:
        """Was any of its fields found in a schema?"""
        return any(
            (schema := self.schemas.get((system, object_type))) is not None and name in schema.fields
            for system, by_type in rule.where.items()
            for object_type, name in by_type.items()
        )

    def _context(self, entity: _Entity | None) -> Context:
        return Context(entity.definitions if entity is not None else {})

    def _fields(self) -> tuple[dict[str, EntityType], list[FieldsPolicy]]:
        entity_types: dict[str, EntityType] = {}
        found = []
        for document in self._of(fields.KIND):
            key = "defines" if "defines" in document.block else "about"
            entity = self.entities.get(_word(document, key))
            names, context = self._names(entity), self._context(entity)
            records = entity.records if entity is not None else {}
            about = entity.name if entity is not None else ""
            rules = self.rules[document.place]
            policy, defined = fields.read(document, about, rules, records, names, context, self.today)
            creates = [rule.rule for rule in defined.creates.values()] if defined is not None else []
            lines = [rule.rule for rule in rules]
            if self.schemas:
                for rule in (rule for rule in policy.rules if rule.cases):
                    schema_check.check_rule(document, rule, self.schemas)  # all that its cases may write
            borrowed = [context.of(case.when) for rule in policy.rules for case in rule.cases]
            borrowed += [context.of(policy.header.only_when)] if policy.header.only_when is not None else []
            found.append(_meant(policy, document, [lines, creates, context.of(policy.header.unless), *borrowed]))
            if defined is not None and entity is not None and entity.defined_by is document:
                entity_types[about] = defined
                self._check_creates(document, defined)
        return entity_types, found

    def _check_creates(self, document: Document, entity_type: EntityType) -> None:
        for system, rule in entity_type.creates.items():
            schema = self.schemas.get((system, rule.as_type))
            if schema is not None and not schema.can_create:
                document.reader.error(
                    document.key("create"),
                    f"Truce's user may not create {rule.as_type} in {system}",
                    "Give it that right (truce doctor --permissions), or remove the line.",
                )

    def _about(self, document: Document) -> _Entity | None:
        about = read_about(document, set(self.entities), is_complete=self.is_complete)
        return self.entities.get(about or "")

    def _dedupe(self) -> list[DedupePolicy]:
        found = []
        for document in self._of(dedupe.KIND):
            entity = self._about(document)
            names, context = self._names(entity), self._context(entity)
            policy = dedupe.read(document, names.entity_type, names, self.today)
            used = {part.field for line in policy.lines for part in line.parts} | {part.field for part in policy.never}
            borrowed = [[name, context.definitions.get(name, "")] for name in sorted(used)]
            found.append(_meant(policy, document, [borrowed, context.of(policy.header.unless)]))
        return found

    def _lifecycle(self) -> list[LifecyclePolicy]:
        found = []
        for document in self._of(lifecycle.KIND):
            entity = self._about(document)
            names, context = self._names(entity), self._context(entity)
            names = replace(names, stages=lifecycle.stage_names(document))
            records = entity.records if entity is not None else {}
            policy = lifecycle.read(document, names.entity_type, records, names, context, self.today)
            borrowed = [policy.where, [move.rule for move in policy.moves], context.of(policy.header.unless)]
            borrowed += [context.of(policy.header.only_when)] if policy.header.only_when is not None else []
            policy = _meant(policy, document, borrowed)
            found.append(schema_check.check_lifecycle(document, policy, self.schemas) if self.schemas else policy)
        return found

    def _limits(self) -> list[LimitsPolicy]:
        return [_meant(limits.read(document, self.today), document, []) for document in self._of(limits.KIND)]

    def _people(self) -> list[PeoplePolicy]:
        return [_meant(people.read(document, self.today), document, []) for document in self._of(people.KIND)]

    def _check_together(self, policies: PolicySet) -> None:
        cross_check.refuse_second_names(self.documents)
        for kind in (limits.KIND, people.KIND):
            cross_check.refuse_second_of_kind(self.documents, kind)
        after = {name: header.after for name, header in policies.headers.items()}
        cross_check.check_order(self.documents, after, is_complete=self.is_complete)
        cross_check.refuse_shared_records(self.by_place, policies.entity_types.values(), self.systems)
        cross_check.refuse_second_lifecycle(self.by_place, policies.lifecycle)
        with_stages = [policy.about for policy in policies.lifecycle]
        cross_check.refuse_second_lines(self.by_place, policies.fields, with_stages)
        cross_check.refuse_second_writers(self.by_place, policies.fields, policies.lifecycle, after, self.systems)
        if self.is_complete:
            cross_check.check_currencies(self.by_place, policies.fields)
            cross_check.check_made_of(self.by_place, policies.fields)
            cross_check.check_links(self.by_place, policies.fields, policies.entity_types)
        if self.owners:
            self._check_owners(policies)
        if self.is_complete:
            cross_check.check_groups(policies.limits, policies.people, policies.lifecycle, self.by_place)

    def _check_owners(self, policies: PolicySet) -> None:
        for policy in policies.fields:
            owner_check.check_otherwise(self.by_place[policy.header.place], policy, self.owners)
        if policies.people is not None:
            document = self.by_place[policies.people.header.place]
            owner_check.check_people(document, policies.people, self.owners)


def _word(document: Document, key: str) -> str:
    node = document.block.get(key)
    return node.text.strip() if isinstance(node, TextNode) else ""


def _meant(policy: _Policy, document: Document, borrowed: Sequence[object]) -> _Policy:
    """The policy with the hash of its meaning in the header."""
    meaning = digest(tree_of(document.node, WITHOUT_MEANING), borrowed)
    return replace(policy, header=replace(policy.header, meaning=meaning))


def _revision(policies: PolicySet) -> str:
    """Hash over all meanings and, so that a changed ceiling is a new revision too, over mode and expiry."""
    return digest(
        sorted(
            [name, header.meaning, header.mode, str(header.expires or "")] for name, header in policies.headers.items()
        )
    )
