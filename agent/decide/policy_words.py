"""What a set of policies was understood to say, in plain words: for reading aloud before anything is written.

Vendor fields and picklist words appear by internal name and, where a schema knows another, by label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap

from agent.connector import ObjectSchema
from agent.decide.conditions import spoken
from agent.decide.policy import (
    CreateRule,
    DedupeLine,
    DedupePolicy,
    EntityType,
    FieldRule,
    FieldsPolicy,
    Header,
    LifecyclePolicy,
    LimitsPolicy,
    Move,
    PeoplePolicy,
    PolicySet,
    Winner,
)
from agent.systems import Systems

Schemas = Mapping[tuple[str, str], ObjectSchema]

WIDTH = 100
MODES = {
    "watch": "only watches and reports",
    "ask": "proposes, and a person approves",
    "act": "writes by itself, within the limits",
}
FIRST_TIMES = {
    "fill blanks": "where both sides differ at the first look, they are left alone; blanks are filled",
    "ask": "where both sides differ at the first look, a person is asked",
    "winner": "where both sides differ at the first look, the side that wins is written",
}
LOSING_EDITS = {
    "revert": "an edit on the side that does not win is taken back",
    "report": "an edit on the side that does not win is left and reported",
}
_ALONE = {
    "ask": "a person decides each difference",
    "first value": "the first value stays",
    "opt-out": "consent; shown, not written as a field",
}
MEANINGS = {
    "blanks": "values cleared",
    "owner_changes": "changes of owner",
    "creates": "new records",
    "stage_back": "stages moved back",
    "opt_out": "opt-outs",
    "removals": "removals",
    "records": "records changed",
    "merge": "merges",
    "opt_in": "opt-ins",
    "otherwise": "anything else that is held",
}


def in_words(policies: PolicySet, schemas: Schemas | None = None) -> list[str]:
    """Every policy, one after another, as lines of text."""
    names = _Names(schemas or {}, policies.systems)
    lines: list[str] = []
    for policy in policies.fields:
        defined = policies.entity_types.get(policy.about)
        lines += _section(policy.header, _fields(policy, defined, names))
    for dedupe in policies.dedupe:
        lines += _section(dedupe.header, _dedupe(dedupe))
    for lifecycle in policies.lifecycle:
        lines += _section(lifecycle.header, _lifecycle(lifecycle, names))
    if policies.limits is not None:
        lines += _section(policies.limits.header, _limits(policies.limits), is_deciding=False)
    if policies.people is not None:
        lines += _section(policies.people.header, _people(policies.people, names), is_deciding=False)
    return lines[:-1]


class _Names:
    """Vendor names with their labels."""

    def __init__(self, schemas: Schemas, systems: Systems) -> None:
        self._schemas = schemas
        self._systems = systems

    def system(self, key: str) -> str:
        return self._systems[key].name

    def place(self, system: str, by_type: Mapping[str, str]) -> str:
        """``Salesforce Country of Lead, MailingCountry of Contact``."""
        if len(set(by_type.values())) == 1:
            object_type, field = next(iter(by_type.items()))
            return f"{self.system(system)} {self.field(system, object_type, field)}"
        parts = [f"{self.field(system, kind, field)} of {kind}" for kind, field in by_type.items()]
        return f"{self.system(system)} {', '.join(parts)}"

    def field(self, system: str, object_type: str, name: str) -> str:
        schema = self._schemas.get((system, object_type))
        known = schema.fields.get(name) if schema is not None else None
        return _labelled(name, known.label) if known is not None else name

    def word(self, system: str, by_type: Mapping[str, str], value: str) -> str:
        """A picklist word, with the label people see."""
        for object_type, field in by_type.items():
            schema = self._schemas.get((system, object_type))
            known = schema.fields.get(field) if schema is not None else None
            for choice in known.choices if known is not None else ():
                if choice.value == value:
                    return _labelled(value, choice.label)
        return value


def _labelled(name: str, label: str) -> str:
    """The label only where it tells more than the name."""
    plain, shown = ("".join(filter(str.isalnum, text)).casefold() for text in (name, label))
    return name if plain == shown else f"{name} (“{label}”)"


def _section(header: Header, body: Iterator[str], *, is_deciding: bool = True) -> list[str]:
    title = f"{header.name}  ({header.place})"
    about = (
        f"{header.purpose.rstrip('.')}. {header.responsible} answers for it; to be read again by {header.review_by}."
    )
    lines = [title, *_indented(about)]
    if is_deciding:
        lines += _indented(f"It {MODES[header.mode]}.")
    if header.expires is not None:
        lines += _indented(f"It stops after {header.expires}.")
    if header.unless is not None:
        lines += _indented(f"It does nothing where {spoken(header.unless)}.")
    if header.only_when is not None:
        lines += _indented(f"Its selection: records where {spoken(header.only_when)}; all others it leaves alone.")
    if header.after:
        lines += _indented(f"It comes after {', '.join(header.after)}.")
    return [*lines, *(part for text in body for part in _indented(text)), ""]


def _indented(text: str) -> list[str]:
    """Two spaces in; what follows from a line stands four further in."""
    return wrap(text, WIDTH, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)


def _fields(policy: FieldsPolicy, defined: EntityType | None, names: _Names) -> Iterator[str]:
    if defined is not None and defined.policy == policy.header.name:
        types = " · ".join(
            f"{names.system(system)} {', else '.join(kinds)}" for system, kinds in defined.records.items()
        )
        yield f"A {defined.name} is: {types}. Counterparts are found by {', then by '.join(defined.match)}."
        for create in defined.creates.values():
            yield _create(create, names)
        if not defined.creates:
            yield "Nothing is created."
    if policy.rules:
        first = policy.rules[0]
        yield f"{FIRST_TIMES[first.first_time].capitalize()}; {_losing_edit(first.losing_edit)}."
    for rule in policy.rules:
        yield f"{rule.name}: {_rule(rule, names)}"
        for meaning, words in rule.values.items():
            said = [
                f"{names.system(side)} {names.word(side, rule.where.get(side, {}), w)}" for side, w in words.items()
            ]
            yield f"    {rule.name} {meaning}: {' = '.join(said)}"


def _losing_edit(said: str) -> str:
    kept = f"an edit on the side that does not win stays for {said.removeprefix('keep ')} and is then taken back"
    return LOSING_EDITS.get(said, kept)


def _create(create: CreateRule, names: _Names) -> str:
    when = f", when {spoken(create.when)}" if create.when is not None else ""
    origins = " or ".join(create.from_types)
    return f"New in {names.system(create.system)} ({create.as_type}): for each {origins} without a counterpart{when}."


def _rule(rule: FieldRule, names: _Names) -> str:
    if rule.made_of:
        place = names.place(*next(iter(rule.where.items())))
        return f"{place}: made of {', '.join(rule.made_of)}, joined by “{rule.between}”; it is never taken apart again."
    place = " ↔ ".join(names.place(system, by_type) for system, by_type in rule.where.items())
    more = []
    if rule.clean.name != "text":
        more.append(f"compared and written as {rule.clean}")
    if rule.may_clear:
        more.append("a deliberate clear travels")
    if rule.protected:
        more.append("a filled value is replaced only after a person said yes")
    if rule.is_owner:
        instead = rule.owner_otherwise or "nobody, the line is skipped"
        more.append(f"owners are mapped person by person, without a counterpart: {instead}")
    if rule.links_to is not None:
        more.append(f"its value is the same {rule.links_to} on both sides")
    return "; ".join([f"{place}: {_wins(rule, names)}", *more]) + "."


def _wins(rule: FieldRule, names: _Names) -> str:
    if rule.wins is None:
        return "only read"
    cases = [f"when {spoken(case.when)}: {_winner(case.winner, case.undecided, rule, names)}" for case in rule.cases]
    rest = _winner(Winner(rule.wins, rule.unless_blank), rule.undecided, rule, names)
    return "; ".join([*cases, f"otherwise: {rest}"]) if cases else rest


def _winner(winner: Winner, undecided: Winner | None, rule: FieldRule, names: _Names) -> str:
    if winner.side == "newest":
        fallback = (
            _winner(undecided, None, rule, names) if undecided is not None else "a person decides each difference"
        )
        return f"the newest value wins; where nobody can tell which is newer, {fallback}"
    if winner.side in _ALONE:
        return _ALONE[winner.side]
    other = next(names.system(system) for system in rule.where if system != winner.side)
    name = names.system(winner.side)
    rest = f"where it is blank, {other} fills it" if winner.unless_blank else f"{other} is never copied"
    return f"{name} wins; {rest}"


def _dedupe(policy: DedupePolicy) -> Iterator[str]:
    for line in policy.lines:
        yield f"Two records are {line.certainty} to be one {policy.about}: {_line(line)}."
    if policy.never:
        yield f"Never: {', '.join(f'{part.field} {part.how}' for part in policy.never)}."
    if policy.ignore:
        yield f"These values say nothing: {', '.join(policy.ignore)}."
    yield "A person is asked about each finding; until then no stage moves and nothing is created."


def _line(line: DedupeLine) -> str:
    parts = [f"{part.field} {part.how}" for part in line.parts]
    return " and ".join(parts) if line.at_least is None else f"at least {line.at_least} of {', '.join(parts)}"


def _lifecycle(policy: LifecyclePolicy, names: _Names) -> Iterator[str]:
    for key, by_system in policy.where.items():
        for system, by_type in by_system.items():
            yield f"{key} is {names.place(system, by_type)}."
    for stage in policy.stages:
        words = []
        for key, values in stage.values.items():
            system, by_type = next(iter(policy.where.get(key, {}).items()), ("", {}))
            first, *others = (names.word(system, by_type, value) for value in values)
            read = f", also read: {', '.join(others)}" if others else ""
            words.append(f"{key} {first}{read}")
        yield f"Stage {stage.name}: {' · '.join(words)}."
    leads = f"{names.system(policy.wins)} leads" if policy.wins else "the furthest stage leads"
    yield f"The side that moved leads; if both moved, {leads}. A move that is not listed is refused."
    for move in policy.moves:
        yield _move(move)
    if policy.back_approve is None:
        yield "Nobody moves back."
    else:
        yield f"A move back needs {policy.back_approve}; a reason is {policy.back_reason or 'optional'}."


def _move(move: Move) -> str:
    origin = f" from {' or '.join(move.from_stages)}" if move.from_stages else ""
    because = f", made by Truce when {spoken(move.because)}" if move.because is not None else ""
    needs = f", needs {' and '.join(move.needs)}" if move.needs else ""
    return f"Move to {move.to}{origin}{because}{needs}."


def _limits(policy: LimitsPolicy) -> Iterator[str]:
    percent = f" and {policy.batch_percent:g} % of all records" if policy.batch_percent is not None else ""
    yield f"One batch: at most {policy.batch_records} records{percent}, whichever is less."
    for name, count in policy.batch.items():
        yield f"One batch: at most {count} {MEANINGS[name]}."
    for name, count in policy.day.items():
        yield f"One day: at most {count} {MEANINGS[name]}."
    for name, (count, origins) in policy.approve.items():
        people = "1 person" if count == 1 else f"{count} people"
        yield f"To approve {MEANINGS[name]}: {people} of {' or '.join(origins)}."


def _people(policy: PeoplePolicy, names: _Names) -> Iterator[str]:
    yield f"Days and times are those of {policy.time_zone}."
    for group, members in policy.groups.items():
        yield f"Group {group}: {', '.join(members)}."
    for person, by_system in policy.owner_table.items():
        for system, reference in by_system.items():
            yield f"{reference} in {names.system(system)} is {person}."
