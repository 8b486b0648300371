"""Examples that stand beside the policies: records given on both sides, and what Truce is expected to do.

An example names only what matters: fields it does not mention are blank, sides it does not expect anything of
must stay as they are. docs/policies/examples.md has every word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.changes import Change, Decision
from agent.decide.conditions import LIFECYCLE
from agent.decide.creation import CREATE
from agent.decide.decide import decide
from agent.decide.example_reading import BLANK, NOTHING, BadExample, Example, Fields, listed, moment_of, value_of
from agent.decide.match import judge_pair
from agent.decide.normalise import as_text
from agent.decide.policy import EntityType, FieldRule, PolicySet
from agent.decide.prepared import Prepared, prepare
from agent.decide.suggest import did_you_mean
from agent.decide.view import Base, Frozen, Interval, Links, OwnerMap, View
from agent.records import FieldValue, Owner, Record, Ref
from agent.systems import Systems

COMING = "coming"
SIGHT = timedelta(minutes=1)
DEFAULT_NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met, in words."""

    example: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.example}: {self.sentence}"


def run(example: Example, policies: PolicySet | Prepared) -> list[Failure]:
    """Everything expected that did not come true, and everything written that was not expected.

    Raises:
        BadExample: the example names an object type, a field or a line that no policy knows.
    """
    prepared = policies if isinstance(policies, Prepared) else prepare(policies)
    entity_type = _entity_type(example, prepared.policies)
    _refuse_unknown(example, entity_type, prepared.policies)
    if "duplicate" in example.expected:
        return _run_duplicates(example, entity_type, prepared)
    now = moment_of(example.given.get("now"))
    decision = decide(_view(example, entity_type, prepared.policies, now or DEFAULT_NOW), prepared)
    sentences = [*_wrong_writes(example, decision, prepared.systems), *_wrong_words(example, decision)]
    return [Failure(example.name, sentence) for sentence in sentences]


def _entity_type(example: Example, policies: PolicySet) -> EntityType:
    for entity_type in policies.entity_types.values():
        if all(
            object_type in entity_type.records.get(system, ()) for system, (object_type, _) in example.sides.items()
        ):
            return entity_type
    types = listed({object_type for object_type, _ in example.sides.values()})
    raise BadExample(f"{example.name}: no policy is about {types}")


def _refuse_unknown(example: Example, entity_type: EntityType, policies: PolicySet) -> None:
    """A misspelled field would be a blank and a misspelled line would expect nothing: both look like success."""
    for system, (object_type, records) in example.sides.items():
        known = _known_fields(system, (object_type,), policies)
        for name in dict.fromkeys(name for record in records for name in record):
            _require(
                example, name, known, f"a field of {policies.systems[system].name} {object_type} that some line names"
            )
        for name in (example.given.get("hidden") or {}).get(system, ()):
            _require(
                example, name, known, f"a field of {policies.systems[system].name} {object_type} that some line names"
            )
    for system in policies.systems:
        wanted = example.expected.get(system, NOTHING)
        for name in {} if wanted == NOTHING else wanted:
            known = _known_fields(system, entity_type.records.get(system, ()), policies)
            _require(example, name, known, f"a field of {policies.systems[system].name} that some line names")
    lines = [*(rule.name for rule in policies.rules_for(entity_type.name)), LIFECYCLE, CREATE]
    for part in ("settled", "edited", "outcome", "asks", "says"):
        for name in {**example.given, **example.expected}.get(part) or ():
            _require(example, name, lines, f"a line about {entity_type.name}")
    for names in (example.given.get("undone") or {}).values():
        for name in names:
            _require(example, name, lines, f"a line about {entity_type.name}")


def _require(example: Example, name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        raise BadExample(f"{example.name}: `{name}` is not {what}. {did_you_mean(name, known, label='Known')}")


def _known_fields(system: str, object_types: Sequence[str], policies: PolicySet) -> list[str]:
    found = [name for object_type in object_types for name in policies.vendor_fields(system, object_type)]
    flag = policies.systems[system].converted_flag
    return found + ([flag] if flag is not None else [])


def _view(example: Example, entity_type: EntityType, policies: PolicySet, now: datetime) -> View:
    given, systems = example.given, policies.systems.only(entity_type.records)
    bases = {name: _base(name, value, example, systems) for name, value in (given.get("settled") or {}).items()}
    frozen = [
        Frozen(name, system, "", "undone by somebody")
        for system, names in (given.get("undone") or {}).items()
        for name in names
    ]
    companies: Mapping[str, Any] = given.get("companies") or {}
    sides: dict[str, Record | None] = dict.fromkeys(entity_type.records)
    for system, (object_type, records) in example.sides.items():
        hidden = (given.get("hidden") or {}).get(system, ())
        sides[system] = _record(system, object_type, 1, records[0], policies, hidden)
    return View(
        entity_id=f"{entity_type.name}-1",
        entity_type=entity_type.name,
        sides=sides,
        now=now,
        bases=bases,
        frozen=tuple(frozen),
        owners=_owners(given.get("owners") or {}, systems),
        links=_links(given.get("links") or {}, policies.rules_for(entity_type.name), systems),
        flags=frozenset(given.get("flags") or ()),
        parents={system: str(company) for system, company in companies.items() if company != COMING},
        coming=frozenset(system for system, company in companies.items() if company == COMING),
        may_create=bool(given.get("may_create", True)),
        clears_first=frozenset(place for system in systems for place in systems[system].clears_first),
        set_between=_set_between(example, policies, entity_type),
    )


def _record(
    system: str, object_type: str, number: int, fields: Fields, policies: PolicySet, hidden: Sequence[str] = ()
) -> Record:
    """Mapped fields the example does not mention are blank; what it hides is absent."""
    mapped = dict.fromkeys(policies.vendor_fields(system, object_type))
    values = {name: value for name, value in {**mapped, **fields}.items() if name not in hidden}
    return Record(Ref(system, object_type, f"example{number}"), values)


def _base(name: str, value: Any, example: Example, systems: Systems) -> Base:
    """``job_title: mgr`` stands for both sides; ``{SYSTEM: mgr, SYSTEM: manager}`` for each its own."""
    if isinstance(value, dict):
        return Base({system: value_of(systems[system], held) for system, held in value.items()})
    if name == LIFECYCLE:
        each = ", ".join(f"{system}: …" for system in systems)
        raise BadExample(f"{example.name}: say for lifecycle what each side held: {{{each}}}")
    return Base({system: value_of(systems[system], value) for system in systems})


def _set_between(example: Example, policies: PolicySet, entity_type: EntityType) -> dict[tuple[str, str], Interval]:
    """``edited: {phone: {SYSTEM: 2026-11-24 09:00}}``: seen being set in the minute before that moment."""
    found: dict[tuple[str, str], Interval] = {}
    for rule in policies.rules_for(entity_type.name):
        for system, text in (example.given.get("edited") or {}).get(rule.name, {}).items():
            field = rule.vendor_field(system, example.sides[system][0]) if system in example.sides else None
            moment = moment_of(text)
            if field is not None and moment is not None:
                found[system, field] = Interval(moment - SIGHT, moment)
    return found


def _owners(by_system: Mapping[str, Mapping[Any, str]], systems: Systems) -> OwnerMap:
    """``{SYSTEM: {005A: kim@example.com}}``; an e-mail followed by “(inactive)” belongs to somebody who left."""
    owners = {}
    for system, people in by_system.items():
        for owner_id, written in people.items():
            email, _, note = str(written).partition(" ")
            owner = Owner(system, str(owner_id), email.lower(), email, active=note != "(inactive)")
            owners[system, str(owner_id)] = owner
    return OwnerMap(owners, systems=systems)


def _links(by_system: Mapping[str, Mapping[Any, str]], rules: Sequence[FieldRule], systems: Systems) -> Links:
    """``{salesforce: {001A: Acme}, hubspot: {101: Acme}}``: records of one name are one thing."""
    kinds = {rule.links_to for rule in rules if rule.links_to is not None}
    named = [(system, str(record_id), name) for system, ids in by_system.items() for record_id, name in ids.items()]
    return Links(
        {(kind, system, record_id): str(name) for kind in kinds for system, record_id, name in named},
        {(str(name), system): record_id for system, record_id, name in named},
        {str(name): str(name) for _, _, name in named},
        systems,
    )


def _run_duplicates(example: Example, entity_type: EntityType, prepared: Prepared) -> list[Failure]:
    ((system, (object_type, given)),) = example.sides.items()
    if len(given) != 2:
        raise BadExample(f"{example.name}: a duplicate needs two records of one system")
    here, there = (
        _record(system, object_type, number, fields, prepared.policies) for number, fields in enumerate(given, 1)
    )
    found = [
        judged
        for policy in prepared.policies.dedupe
        if policy.about == entity_type.name and (judged := judge_pair(here, there, policy, prepared)) is not None
    ]
    certainties = {judged.certainty for judged in found}
    actual = "certain" if "certain" in certainties else "likely" if certainties else "no"
    expected = example.expected["duplicate"]
    if actual == expected:
        return []
    because = found[0].sentence if found else "no line holds"
    return [Failure(example.name, f"expected duplicate: {expected}, but it is {actual} ({because})")]


def _wrong_writes(example: Example, decision: Decision, systems: Systems) -> Iterator[str]:
    creates = [change for change in decision.changes if change.op == "create"]
    for system in systems:
        actual = _written(decision, system)
        wanted = example.expected.get(system, NOTHING)
        expected = {} if wanted == NOTHING else {key: value_of(systems[system], value) for key, value in wanted.items()}
        for name in sorted({*actual, *expected}):
            if name not in actual:
                yield f"{system} {name} should become {_said(expected[name])}, but it is left{_why(decision, system)}"
            elif name not in expected:
                yield f"{system} {name} should stay, but becomes {_said(actual[name])}"
            elif as_text(actual[name]) != as_text(expected[name]):
                yield f"{system} {name} should become {_said(expected[name])}, but becomes {_said(actual[name])}"
    created = {change.system: change.object_type for change in creates}
    if created != (example.expected.get("create") or {}):
        yield f"expected to create {example.expected.get('create') or NOTHING}, but creates {created or NOTHING}"


def _wrong_words(example: Example, decision: Decision) -> Iterator[str]:
    steps = decision.trace
    for name, disposition in (example.expected.get("outcome") or {}).items():
        found = {step.disposition for step in steps if step.field == name}
        if disposition not in found:
            yield f"{name} should be “{disposition}”, but is {listed(found) or 'not decided'}"
    asked = {review.topic.partition(":")[2] for review in decision.reviews}
    if asked != (expected := set(example.expected.get("asks") or ())):
        yield f"a person should be asked about {listed(expected) or NOTHING}, but is about {listed(asked) or NOTHING}"
    for name, words in (example.expected.get("says") or {}).items():
        sentences = [step.sentence for step in steps if step.field == name]
        if not any(words in sentence for sentence in sentences):
            yield f"{name} should say “{words}”, but says {'; '.join(sentences) or NOTHING}"
    meanings: set[str] = {cell.meaning for change in decision.changes for cell in change.cells}
    waits_as = example.expected.get("waits_as")
    if waits_as is not None and waits_as not in meanings:
        yield f"it should wait as {waits_as}, but means {listed(meanings) or NOTHING}"


def _written(decision: Decision, system: str) -> dict[str, FieldValue]:
    """What the vendor ends up with: of a clear and a set, the set."""
    found: dict[str, FieldValue] = {}
    changes: list[Change] = sorted(decision.changes, key=lambda change: change.step)
    for change in changes:
        if change.system == system:
            found.update({cell.vendor_field: cell.after for cell in change.cells})
    return found


def _why(decision: Decision, system: str) -> str:
    reasons = [
        f"{step.field}: {step.sentence}"
        for step in decision.trace
        if step.system in (system, "") and step.disposition not in ("equal", "nothing", "write")
    ]
    return f" ({'; '.join(reasons)})" if reasons else ""


def _said(value: FieldValue) -> str:
    text = as_text(value)
    return BLANK if text is None else f"“{text}”"
