"""What can be worked out once per policy set, so that deciding one entity only compares values.

``prepare`` is called when policies were loaded; ``prepared_of`` accepts either form and remembers the last few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from agent.changes import TraceStep
from agent.connector import ObjectSchema
from agent.decide.conditions import Condition
from agent.decide.ladder import Ladder
from agent.decide.policy import FieldRule, FieldsPolicy, Header, PolicySet, domain_of
from agent.decide.values import Codec, DomainCodec
from agent.systems import Systems

OPT_OUT = "opt-out"
NEWEST = "newest"
REMEMBERED_SETS = 8

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One rule for one pair of object types. ``fields`` are the vendor fields of both sides, in system order.

    ``cases``: (condition, the rule as it is where that holds); the first that holds goes before ``rule``.
    ``constant`` is the whole outcome where nothing has to be compared (only read, not on this object type);
    ``equal`` is the trace of the usual case.
    """

    rule: FieldRule
    codec: Codec
    systems: Pair
    fields: tuple[str | None, str | None]
    is_plain: bool
    equal: TraceStep
    constant: TraceStep | None
    cases: tuple[tuple[Condition, FieldRule], ...] = ()

    def step(self, disposition: str, sentence: str, system: str = "", until: datetime | None = None) -> TraceStep:
        return TraceStep(self.rule.name, system, disposition, sentence, self.rule.policy, str(self.rule.place), until)


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """The field plans of one ``fields`` policy, consent apart."""

    header: Header
    fields: tuple[FieldPlan, ...]


@dataclass(frozen=True, slots=True)
class PairPlan:
    """Everything decided about one entity whose sides have these object types (None: no record there).

    ``names`` is what people call both systems; ``converted`` the field of each that is true on a record that turned
    into another.
    """

    systems: Pair
    names: Pair
    converted: tuple[str | None, str | None]
    policies: tuple[PolicyPlan, ...]
    consents: tuple[FieldPlan, ...]
    ladders: tuple[Ladder, ...]
    by_name: Mapping[str, FieldPlan]


@dataclass(frozen=True, slots=True)
class FieldReader:
    """Where one policy field stands on one object type, and how it is read; ``cleaner`` is its name.

    ``links_to``: the kind of thing whose record the value is.
    """

    vendor_field: str
    codec: Codec
    cleaner: str
    links_to: str | None = None


class Prepared:
    """A policy set ready for deciding. ``policies`` is the set it was made from."""

    __slots__ = (
        "_codecs",
        "_compared",
        "_pairs",
        "_readers",
        "_required",
        "linking",
        "opt_out_fields",
        "policies",
        "suspended",
        "systems",
        "timed",
    )

    def __init__(
        self,
        policies: PolicySet,
        schemas: Mapping[tuple[str, str], ObjectSchema] | None = None,
        suspended: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self.policies = policies
        self.suspended: Mapping[tuple[str, str], str] = suspended or {}
        """(policy, line) → why it is out of force; an empty line is the whole policy (``decide.drift``)."""
        self.systems = policies.systems
        self._pairs: dict[tuple[str, str | None, str | None], PairPlan] = {}
        self._readers: dict[tuple[str, str, str], Mapping[str, FieldReader]] = {}
        self._compared: dict[tuple[str, str, str], Mapping[str, FieldReader]] = {}
        self.timed: Mapping[str, tuple[FieldRule, ...]] = {
            name: tuple(rule for rule in policies.rules_for(name) if _asks_for_times(rule))
            for name in policies.entity_types
        }
        """Per entity type, the lines that ask when values were set."""
        self.linking: Mapping[str, tuple[FieldRule, ...]] = {
            name: tuple(rule for rule in policies.rules_for(name) if rule.links_to is not None)
            for name in policies.entity_types
        }
        """Per entity type, the lines whose value is another record."""
        self.opt_out_fields: Mapping[tuple[str, str], str] = {
            (system, object_type): vendor_field
            for policy in policies.fields
            for rule in policy.rules
            if rule.wins == OPT_OUT
            for system, by_type in rule.where.items()
            for object_type, vendor_field in by_type.items()
        }
        """{(system, object type): the field that says whether somebody opted out}."""
        self._codecs = {id(rule): Codec(rule, policies.systems) for policy in policies.fields for rule in policy.rules}
        self._required = {
            place: tuple(name for name, field in schema.fields.items() if field.required and field.creatable)
            for place, schema in (schemas or {}).items()
        }

    def systems_of(self, entity_type: str) -> Pair:
        """Both systems of an entity type, in the order of ``records``."""
        here, there = self.policies.entity_types[entity_type].records
        return (here, there)

    def pair(self, entity_type: str, here: str | None, there: str | None) -> PairPlan:
        """The plan for these object types; worked out at the first call."""
        key = (entity_type, here, there)
        plan = self._pairs.get(key)
        if plan is None:
            plan = self._pairs[key] = self._pair_plan(entity_type, (here, there))
        return plan

    def required(self, system: str, object_type: str) -> tuple[str, ...]:
        """Vendor fields a create needs: from the schema where one was given, else what is known of the system."""
        known = self.systems[system].required.get(object_type, ())
        return self._required.get((system, object_type), known)

    def readers(self, entity_type: str, system: str, object_type: str) -> Mapping[str, FieldReader]:
        """How each policy field of this object type is read, by policy name."""
        key = (entity_type, system, object_type)
        found = self._readers.get(key)
        if found is None:
            found = self._readers[key] = {
                rule.name: FieldReader(vendor_field, self._codecs[id(rule)], rule.clean.name, rule.links_to)
                for rule in self.policies.rules_for(entity_type)
                if (vendor_field := rule.vendor_field(system, object_type)) is not None
            }
        return found

    def compared(self, entity_type: str, system: str, object_type: str) -> Mapping[str, FieldReader]:
        """As ``readers``, with what duplicate lines may compare besides: where an address belongs."""
        key = (entity_type, system, object_type)
        found = self._compared.get(key)
        if found is None:
            readers = self.readers(*key)
            found = self._compared[key] = {**self._domains(entity_type, readers), **readers}
        return found

    def _domains(self, entity_type: str, readers: Mapping[str, FieldReader]) -> dict[str, FieldReader]:
        rules = {rule.name: rule for rule in self.policies.rules_for(entity_type) if rule.clean.name == "email"}
        return {
            domain_of(name): FieldReader(readers[name].vendor_field, DomainCodec(rule, self.systems), "domain")
            for name, rule in rules.items()
            if name in readers
        }

    def _pair_plan(self, entity_type: str, types: tuple[str | None, str | None]) -> PairPlan:
        systems = self.systems_of(entity_type)
        policies = [policy for policy in self.policies.fields if policy.about == entity_type]
        plans = {
            policy.header.name: tuple(self._field_plan(rule, systems, types) for rule in policy.rules)
            for policy in policies
        }
        ladders = [Ladder(policy) for policy in self.policies.lifecycle if policy.about == entity_type]
        here, there = self.systems[systems[0]], self.systems[systems[1]]
        return PairPlan(
            systems,
            (here.name, there.name),
            (here.converted_flag, there.converted_flag),
            tuple(_without_consent(policy, plans[policy.header.name]) for policy in policies),
            tuple(plan for found in plans.values() for plan in found if plan.rule.wins == OPT_OUT),
            tuple(ladders),
            {plan.rule.name: plan for found in plans.values() for plan in found},
        )

    def _field_plan(self, rule: FieldRule, systems: Pair, types: tuple[str | None, str | None]) -> FieldPlan:
        fields = tuple(
            rule.vendor_field(system, object_type) if object_type else None
            for system, object_type in zip(systems, types, strict=True)
        )
        codec = self._codecs[id(rule)]

        def step(disposition: str, sentence: str) -> TraceStep:
            return TraceStep(rule.name, "", disposition, sentence, rule.policy, str(rule.place))

        reason = _nothing_to_compare(rule, self.systems, systems, types, fields)
        suspended = self.suspended.get((rule.policy, rule.name))
        return FieldPlan(
            rule,
            codec,
            systems,
            (fields[0], fields[1]),
            codec.is_plain and not rule.is_owner and rule.links_to is None and rule.clean.currency_line is None,
            step("equal", "both sides say the same"),
            step("skipped", f"suspended: {suspended}") if suspended else step("nothing", reason) if reason else None,
            tuple(
                (case.when, replace(rule.with_winner(case.winner, case.undecided), place=case.place))
                for case in rule.cases
            ),
        )


def prepare(
    policies: PolicySet,
    schemas: Mapping[tuple[str, str], ObjectSchema] | None = None,
    suspended: Mapping[tuple[str, str], str] | None = None,
) -> Prepared:
    """Work out what deciding needs. ``schemas`` by (system, object type) tell which fields a create requires;
    ``suspended`` by (policy, line) says why a line is out of force."""
    return Prepared(policies, schemas, suspended)


_remembered: list[Prepared] = []


def prepared_of(policies: PolicySet | Prepared) -> Prepared:
    """The prepared form; of a bare set, the one made before if it is among the last few."""
    if isinstance(policies, Prepared):
        return policies
    for prepared in _remembered:
        if prepared.policies is policies:
            return prepared
    prepared = Prepared(policies)
    _remembered.insert(0, prepared)
    del _remembered[REMEMBERED_SETS:]
    return prepared


def _without_consent(policy: FieldsPolicy, plans: tuple[FieldPlan, ...]) -> PolicyPlan:
    """Currencies go first: an amount that is written with its currency must know."""
    currencies = {plan.rule.clean.currency_line for plan in plans}
    fields = sorted(plans, key=lambda plan: plan.rule.name not in currencies)
    return PolicyPlan(policy.header, tuple(plan for plan in fields if plan.rule.wins != OPT_OUT))


def _asks_for_times(rule: FieldRule) -> bool:
    """The newest wins, or an edit of the other side is kept for a while."""
    return any(winner.side == NEWEST for winner in rule.winners) or rule.losing_edit.startswith("keep")


def _nothing_to_compare(
    rule: FieldRule,
    named: Systems,
    systems: Pair,
    types: tuple[str | None, str | None],
    fields: tuple[str | None, ...],
) -> str:
    """Why this rule never compares anything for these object types, or empty."""
    if rule.made_of:
        return _nowhere_to_write(rule, named, systems, types, fields)
    if len(rule.where) < len(systems):
        return f"only read, from {' and '.join(named[system].name for system in rule.where)}"
    for system, object_type, field in zip(systems, types, fields, strict=True):
        if object_type is None:
            return f"there is no record in {named[system].name}"
        if field is None:
            return f"{named[system].name} {object_type} does not hold it"
    return ""


def _nowhere_to_write(
    rule: FieldRule,
    named: Systems,
    systems: Pair,
    types: tuple[str | None, str | None],
    fields: tuple[str | None, ...],
) -> str:
    """As ``_nothing_to_compare``, for a line that is made of others."""
    for system, object_type, field in zip(systems, types, fields, strict=True):
        if system in rule.where and object_type is None:
            return f"there is no record in {named[system].name}"
        if system in rule.where and field is None:
            return f"{named[system].name} {object_type} does not hold it"
    return ""
