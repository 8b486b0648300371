"""What a changed schema takes away from policies that were sound: the lines it touches are suspended, no others.

Pure. ``before`` is how both CRMs described themselves when the policies were last found sound, ``now`` how they do;
only what a policy names is compared. A line is also suspended when its condition asks a field that can no longer be
read as it was: nobody could say whether the condition holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agent.connector import FieldSchema, ObjectSchema
from agent.decide.conditions import LIFECYCLE, Condition, Leaf, Not
from agent.decide.policy import CreateRule, EntityType, FieldRule, FieldsPolicy, LifecyclePolicy, Place, PolicySet
from agent.decide.schema_check import CONSENT, written_systems
from agent.decide.suggest import in_words
from agent.systems import Systems

Described = Mapping[tuple[str, str], ObjectSchema]
"""(system, object type) → its description. One that is missing is hidden from us, or gone."""

What = Literal[
    "field gone", "type changed", "read only", "shorter", "value gone", "object gone", "no update", "no create",
    "depends",
]  # fmt: skip
"""What became of it; docs/errors.md says what to do about each."""

UNREADABLE: tuple[What, ...] = ("field gone", "type changed")

WHOLE = ""
"""The line of a suspension that concerns a whole policy."""


@dataclass(frozen=True, slots=True, order=True)
class Suspension:
    """One policy line out of force: ``line`` is its left-hand name, ``create SYSTEM``, or empty for the whole policy.

    ``system``, ``object_type`` and ``field`` are what changed there (an empty field: the object type as a whole);
    ``sentence`` says it in words.
    """

    policy: str
    line: str
    place: str
    what: What
    system: str
    object_type: str
    field: str
    sentence: str


def suspensions(
    policies: PolicySet, before: Described, now: Described, link_keys: Mapping[tuple[str, str], str]
) -> list[Suspension]:
    """Every line that must not write any more, sorted; ``link_keys`` by (system, object type)."""
    watch = _Watch(policies.systems, before, now)
    found = [each for policy in policies.fields for each in watch.of_fields(policy)]
    found += [each for policy in policies.lifecycle for each in watch.of_lifecycle(policy)]
    for entity_type in policies.entity_types.values():
        found += watch.of_entity_type(entity_type, policies, link_keys)
    found += _dependent(policies, found)
    return sorted(dict.fromkeys(found))


class _Watch:
    """Both descriptions side by side."""

    def __init__(self, systems: Systems, before: Described, now: Described) -> None:
        self.systems = systems
        self.before = before
        self.now = now

    def of_fields(self, policy: FieldsPolicy) -> Iterator[Suspension]:
        for rule in policy.rules:
            written = written_systems(rule)
            for system, by_type in rule.where.items():
                for object_type, name in by_type.items():
                    found = self._of_line(rule, system, object_type, name, is_written=system in written)
                    if found is not None:
                        yield self._suspension(policy, rule, system, object_type, name, found)

    def _suspension(
        self, policy: FieldsPolicy, rule: FieldRule, system: str, object_type: str, name: str, found: tuple[What, str]
    ) -> Suspension:
        """A consent that cannot be read suspends its policy: nobody's wish could be respected."""
        what, sentence = found
        is_whole = rule.wins == CONSENT and what in UNREADABLE
        line, place = (WHOLE, policy.header.place) if is_whole else (rule.name, rule.place)
        field = "" if what == "no update" else name
        return Suspension(policy.header.name, line, str(place), what, system, object_type, field, sentence)

    def _of_line(
        self, rule: FieldRule, system: str, object_type: str, name: str, *, is_written: bool
    ) -> tuple[What, str] | None:
        pair = self._pair(system, object_type, name)
        if pair is None:
            return None
        was, has, told = pair
        if has is None:
            return "field gone", f"{told} is gone, or hidden from Truce's user"
        if has.type != was.type:
            return "type changed", f"{told} was {was.type} and is {has.type} now"
        if not is_written:
            return None
        if self.before[system, object_type].can_update and not self.now[system, object_type].can_update:
            return "no update", f"Truce's user may no longer change {self._named(system, object_type)}"
        return self._of_target(rule, system, was, has, told)

    def _of_target(
        self, rule: FieldRule, system: str, was: FieldSchema, has: FieldSchema, told: str
    ) -> tuple[What, str] | None:
        if was.writable and not has.writable:
            return "read only", f"{told} can no longer be written"
        if has.length is not None and (was.length is None or has.length < was.length):
            return "shorter", f"{told} holds {has.length} characters now, and held {was.length or 'any number'}"
        gone = _active(was) - _active(has)
        lost = gone & (_written_words(rule, system) or self._words_of_others(rule, system, has))
        if lost:
            return "value gone", f"{told} no longer knows {in_words(sorted(lost))}, which this line writes"
        return None

    def _words_of_others(self, rule: FieldRule, system: str, has: FieldSchema) -> set[str]:
        """Without a value map, the words of the other side are written as they are, and a closed list refuses some."""
        if rule.values or not has.restricted:
            return set()
        others = [
            self.before[other, object_type].fields.get(name)
            for other, by_type in rule.where.items()
            for object_type, name in by_type.items()
            if other != system and (other, object_type) in self.before
        ]
        return {word for field in others if field is not None for word in _active(field)}

    def of_lifecycle(self, policy: LifecyclePolicy) -> Iterator[Suspension]:
        for key, by_system in policy.where.items():
            for system, by_type in by_system.items():
                for object_type, name in by_type.items():
                    pair = self._pair(system, object_type, name)
                    found = None if pair is None else self._of_stages(policy, key, system, *pair)
                    if found is not None:
                        what, sentence = found
                        header = policy.header
                        yield Suspension(
                            header.name, WHOLE, str(header.place), what, system, object_type, name, sentence
                        )

    def _of_stages(
        self, policy: LifecyclePolicy, key: str, system: str, was: FieldSchema, has: FieldSchema | None, told: str
    ) -> tuple[What, str] | None:
        if has is None:
            return "field gone", f"{told} is gone, or hidden from Truce's user"
        if was.writable and not has.writable and policy.wins != system:
            return "read only", f"{told} can no longer be written"
        stages = {value for stage in policy.stages for value in stage.values.get(key, ())}
        lost = stages & (_active(was) - _active(has))
        if lost:
            return "value gone", f"{told} no longer knows {in_words(sorted(lost))}, which is one of the stages"
        return None

    def of_entity_type(
        self, entity_type: EntityType, policies: PolicySet, link_keys: Mapping[tuple[str, str], str]
    ) -> Iterator[Suspension]:
        for system, object_types in entity_type.records.items():
            for object_type in object_types:
                if (system, object_type) in self.before and (system, object_type) not in self.now:
                    sentence = f"{self._named(system, object_type)} is gone, or hidden from Truce's user"
                    for policy in _about(entity_type.name, policies):
                        header = policy.header
                        yield Suspension(
                            header.name, WHOLE, str(header.place), "object gone", system, object_type, "", sentence
                        )
        for rule in entity_type.creates.values():
            yield from self._of_create(entity_type, rule, link_keys.get((rule.system, rule.as_type)))

    def _of_create(self, entity_type: EntityType, rule: CreateRule, key: str | None) -> Iterator[Suspension]:
        place = (rule.system, rule.as_type)
        was, has = self.before.get(place), self.now.get(place)
        if was is None or has is None:
            return
        head = entity_type.policy, f"create {rule.system}", str(rule.place)
        if was.can_create and not has.can_create:
            sentence = f"Truce's user may no longer create {self._named(*place)}"
            yield Suspension(*head, "no create", *place, "", sentence)
        if key is not None and key in was.fields and key not in has.fields:
            sentence = f"the link key {key} of {self._named(*place)} is gone, or hidden from Truce's user"
            yield Suspension(*head, "field gone", *place, key, sentence)

    def _pair(self, system: str, object_type: str, name: str) -> tuple[FieldSchema, FieldSchema | None, str] | None:
        """(the field as it was, as it is, its name for people); None where it was not known or all of it is gone."""
        was, now = self.before.get((system, object_type)), self.now.get((system, object_type))
        if was is None or now is None or name not in was.fields:
            return None
        return was.fields[name], now.fields.get(name), f"`{name}` of {self._named(system, object_type)}"

    def _named(self, system: str, object_type: str) -> str:
        return f"{self.systems[system].name} {object_type}"


def _active(field: FieldSchema) -> set[str]:
    return {choice.value for choice in field.choices if choice.active}


def _written_words(rule: FieldRule, system: str) -> set[str]:
    return {words[system] for words in rule.values.values() if system in words}


def _about(entity_type: str, policies: PolicySet) -> list[FieldsPolicy | LifecyclePolicy]:
    every: tuple[FieldsPolicy | LifecyclePolicy, ...] = (*policies.fields, *policies.lifecycle)
    return [policy for policy in every if policy.about == entity_type]


def _dependent(policies: PolicySet, found: list[Suspension]) -> Iterator[Suspension]:
    """Lines whose condition asks what can no longer be read."""
    by_line = {(each.policy, each.line): each for each in found if each.what in UNREADABLE}
    for entity_type in policies.entity_types.values():
        unreadable: dict[str, Suspension] = {}
        for policy in _about(entity_type.name, policies):
            whole = by_line.get((policy.header.name, WHOLE))
            if isinstance(policy, LifecyclePolicy):
                lines = {LIFECYCLE: whole}
            else:
                lines = {rule.name: by_line.get((policy.header.name, rule.name)) or whole for rule in policy.rules}
            unreadable |= {name: here for name, here in lines.items() if here is not None}
        if unreadable:
            yield from _asking(policies, entity_type, unreadable)


def _asking(policies: PolicySet, entity_type: EntityType, unreadable: Mapping[str, Suspension]) -> Iterator[Suspension]:
    for policy in _about(entity_type.name, policies):
        header = policy.header
        for condition in (header.unless, header.only_when):
            yield from _because(header.name, WHOLE, header.place, condition, unreadable)
        if isinstance(policy, LifecyclePolicy):
            for move in policy.moves:
                yield from _because(header.name, WHOLE, header.place, move.because, unreadable)
            continue
        for rule in policy.rules:
            for case in rule.cases:
                yield from _because(header.name, rule.name, rule.place, case.when, unreadable)
    for create in entity_type.creates.values():
        line = f"create {create.system}"
        yield from _because(entity_type.policy, line, create.place, create.when, unreadable)
        for name in entity_type.match:
            if name in unreadable:
                origin = unreadable[name]
                yield Suspension(
                    entity_type.policy, line, str(create.place), "depends",
                    origin.system, origin.object_type, origin.field,
                    f"who is new cannot be told without `{name}`: {origin.sentence}",
                )  # fmt: skip


def _because(
    policy: str, line: str, place: Place, condition: Condition | None, unreadable: Mapping[str, Suspension]
) -> Iterator[Suspension]:
    for name in _asked(condition):
        if name in unreadable:
            origin = unreadable[name]
            sentence = f"its condition asks `{name}`: {origin.sentence}"
            yield Suspension(
                policy, line, str(place), "depends", origin.system, origin.object_type, origin.field, sentence
            )


def _asked(condition: Condition | None) -> Iterator[str]:
    """The names a condition speaks of."""
    if condition is None:
        return
    if isinstance(condition, Leaf):
        yield condition.field
    elif isinstance(condition, Not):
        yield from _asked(condition.part)
    else:
        for part in condition.parts:
            yield from _asked(part)


def accepted(suspension: Suspension, before: Described, now: Described) -> Described:
    """``before`` as if the policies had been found sound after this change: a person knows of it and goes on."""
    place = (suspension.system, suspension.object_type)
    was, has = before.get(place), now.get(place)
    if was is None or has is None:
        return before
    fields = dict(was.fields)
    if suspension.field in has.fields:
        fields[suspension.field] = has.fields[suspension.field]
    known = replace(was, fields=fields, can_create=has.can_create, can_update=has.can_update)
    return {**before, place: known}


def mended(found: Sequence[Suspension], before: Sequence[Suspension]) -> set[tuple[str, str]]:
    """(system, object type) of which something could not be read before and can be now: its records must be read
    anew, for those read meanwhile lack it."""
    lost = {(each.system, each.object_type, each.field) for each in found if each.what in _UNREAD}
    were = {(each.system, each.object_type, each.field) for each in before if each.what in _UNREAD}
    return {(system, object_type) for system, object_type, _ in were - lost}


_UNREAD: tuple[What, ...] = (*UNREADABLE, "object gone")
