"""Examples that stand beside the policies: records given on both sides, and what Truce is expected to do.

An example names only what matters: fields it does not mention are blank, sides it does not expect anything of
must stay as they are. ``policies/README.md`` shows the words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agent.changes import Change, Decision
from agent.decide.conditions import LIFECYCLE
from agent.decide.decide import decide
from agent.decide.kinds.header import SYSTEMS
from agent.decide.match import judge_pair
from agent.decide.normalise import as_text
from agent.decide.policy import EntityType, PolicySet
from agent.decide.prepared import Prepared, prepare
from agent.decide.reference import wire
from agent.decide.view import Base, Frozen, OwnerMap, View
from agent.records import FieldValue, Owner, Record, Ref

NOTHING = "nothing"
BLANK = "blank"
COMING = "coming"
DEFAULT_NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

_GIVEN = ("settled", "hidden", "undone", "flags", "owners", "companies", "may_create")
_EXPECTED = ("outcome", "create", "duplicate", "asks", "says", "waits_as")
_BY_NAME = {
    "settled": "field: what both sides held",
    "hidden": "system: [vendor field]",
    "undone": "system: [field]",
    "owners": "system: {owner id: e-mail}",
    "companies": "system: company id, or coming",
    "outcome": "field: disposition",
    "create": "system: object type",
    "says": "field: words",
}

Fields = Mapping[str, FieldValue]


class BadExample(ValueError):
    """The example itself is not understood; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example as written. ``sides``: {system: (object type, records)}; policies/README.md has the words."""

    name: str
    sides: Mapping[str, tuple[str, tuple[Fields, ...]]]
    given: Mapping[str, Any] = field(default_factory=dict)
    expected: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met, in words."""

    example: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.example}: {self.sentence}"


def read_examples(document: Any) -> list[Example]:
    """The examples of one file, already read from YAML.

    Raises:
        BadExample: an unknown word, or no records given.
    """
    if not isinstance(document, list):
        raise BadExample("a file of examples is a list; every item begins with “- example: …”")
    return [_read_example(item) for item in document]


def run(example: Example, policies: PolicySet | Prepared, now: datetime = DEFAULT_NOW) -> list[Failure]:
    """Everything expected that did not come true, and everything written that was not expected.

    Raises:
        BadExample: the example names an object type no policy is about.
    """
    prepared = policies if isinstance(policies, Prepared) else prepare(policies)
    entity_type = _entity_type(example, prepared.policies)
    if "duplicate" in example.expected:
        return _run_duplicates(example, entity_type, prepared)
    decision = decide(_view(example, entity_type, prepared.policies, now), prepared)
    sentences = [*_wrong_writes(example, decision), *_wrong_words(example, decision)]
    return [Failure(example.name, sentence) for sentence in sentences]


def _read_example(item: Any) -> Example:
    if not isinstance(item, dict) or not item.get("example"):
        raise BadExample("every example begins with “- example:” and a sentence")
    name, given, expected = str(item["example"]), item.get("given"), item.get("expected")
    if unknown := set(item) - {"example", "given", "expected"}:
        raise BadExample(f"{name}: unknown {_listed(unknown)}; known are example, given, expected")
    if not isinstance(given, dict) or not isinstance(expected, dict):
        raise BadExample(f"{name}: it needs “given” and “expected”")
    for part, known in ((given, _GIVEN), (expected, _EXPECTED)):
        if unknown := set(part) - {*known, *SYSTEMS}:
            raise BadExample(f"{name}: unknown {_listed(unknown)}; known are {_listed({*known, *SYSTEMS})}")
        for word in sorted(set(part) & set(_BY_NAME)):
            if not isinstance(part[word], dict):
                raise BadExample(f"{name}: write {word} as {{{_BY_NAME[word]}}}")
    sides = {system: _read_side(name, system, given[system]) for system in SYSTEMS if system in given}
    if not sides:
        raise BadExample(f"{name}: no record is given")
    return Example(name, sides, given, expected)


def _read_side(name: str, system: str, side: Any) -> tuple[str, tuple[Fields, ...]]:
    """``{Contact: {Title: CEO}}``, or a list of records to compare."""
    if not isinstance(side, dict) or len(side) != 1:
        raise BadExample(f"{name}: write {system} as {{object type: {{field: value}}}}")
    ((object_type, records),) = side.items()
    records = records if isinstance(records, list) else [records]
    if not all(isinstance(record, dict) for record in records):
        raise BadExample(f"{name}: {system} {object_type} needs fields with values")
    return object_type, tuple({key: _value(system, value) for key, value in record.items()} for record in records)


def _value(system: str, value: Any) -> FieldValue:
    if value is None or value == BLANK:
        return None
    if wire(system).text_only or not isinstance(value, str | int | float | bool):
        return as_text(value if isinstance(value, str | int | float | bool) else str(value))
    return value


def _entity_type(example: Example, policies: PolicySet) -> EntityType:
    for entity_type in policies.entity_types.values():
        if all(
            object_type in entity_type.records.get(system, ()) for system, (object_type, _) in example.sides.items()
        ):
            return entity_type
    types = _listed({object_type for object_type, _ in example.sides.values()})
    raise BadExample(f"{example.name}: no policy is about {types}")


def _view(example: Example, entity_type: EntityType, policies: PolicySet, now: datetime) -> View:
    given = example.given
    bases = {name: _base(name, value, example) for name, value in (given.get("settled") or {}).items()}
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
        owners=_owners(given.get("owners") or {}),
        flags=frozenset(given.get("flags") or ()),
        parents={system: str(company) for system, company in companies.items() if company != COMING},
        coming=frozenset(system for system, company in companies.items() if company == COMING),
        may_create=bool(given.get("may_create", True)),
        clears_first=frozenset({("contacts", "lifecyclestage"), ("companies", "lifecyclestage")}),
    )


def _record(
    system: str, object_type: str, number: int, fields: Fields, policies: PolicySet, hidden: Sequence[str] = ()
) -> Record:
    """Mapped fields the example does not mention are blank; what it hides is absent."""
    mapped = dict.fromkeys(policies.vendor_fields(system, object_type))
    values = {name: value for name, value in {**mapped, **fields}.items() if name not in hidden}
    return Record(Ref(system, object_type, f"example{number}"), values)


def _base(name: str, value: Any, example: Example) -> Base:
    """``job_title: mgr`` stands for both sides; ``{salesforce: mgr, hubspot: manager}`` for each its own."""
    if isinstance(value, dict):
        return Base({system: _value(system, held) for system, held in value.items()})
    if name == LIFECYCLE:
        raise BadExample(f"{example.name}: say for lifecycle what each side held: {{salesforce: …, hubspot: …}}")
    return Base({system: _value(system, value) for system in SYSTEMS})


def _owners(by_system: Mapping[str, Mapping[Any, str]]) -> OwnerMap:
    """``{salesforce: {005A: kim@example.com}}``; an e-mail followed by “(inactive)” belongs to somebody who left."""
    owners = {}
    for system, people in by_system.items():
        for owner_id, written in people.items():
            email, _, note = str(written).partition(" ")
            owner = Owner(system, str(owner_id), email.lower(), email, active=note != "(inactive)")
            owners[system, str(owner_id)] = owner
    return OwnerMap(owners)


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


def _wrong_writes(example: Example, decision: Decision) -> Iterator[str]:
    creates = [change for change in decision.changes if change.op == "create"]
    for system in SYSTEMS:
        actual = _written(decision, system)
        wanted = example.expected.get(system, NOTHING)
        expected = {} if wanted == NOTHING else {key: _value(system, value) for key, value in wanted.items()}
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
            yield f"{name} should be “{disposition}”, but is {_listed(found) or 'not decided'}"
    asked = {review.topic.partition(":")[2] for review in decision.reviews}
    if asked != (expected := set(example.expected.get("asks") or ())):
        yield f"a person should be asked about {_listed(expected) or NOTHING}, but is about {_listed(asked) or NOTHING}"
    for name, words in (example.expected.get("says") or {}).items():
        sentences = [step.sentence for step in steps if step.field == name]
        if not any(words in sentence for sentence in sentences):
            yield f"{name} should say “{words}”, but says {'; '.join(sentences) or NOTHING}"
    meanings: set[str] = {cell.meaning for change in decision.changes for cell in change.cells}
    waits_as = example.expected.get("waits_as")
    if waits_as is not None and waits_as not in meanings:
        yield f"it should wait as {waits_as}, but means {_listed(meanings) or NOTHING}"


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


def _listed(words: set[str]) -> str:
    return ", ".join(sorted(words))
