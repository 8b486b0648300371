"""A record that one side lacks: created only where a policy says so, with everything the vendor requires.

The create carries the link key, so that a lost reply never makes two records; its company comes first.
"""

from __future__ import annotations

from agent.changes import Cell, Change, TraceStep, Why
from agent.decide.conditions import LIFECYCLE, explain
from agent.decide.desk import Desk
from agent.decide.ladder import UNMAPPED
from agent.decide.made import NotMade, made_value
from agent.decide.match import TOGETHER
from agent.decide.owners import NoCounterpart
from agent.decide.policy import CreateRule, FieldRule, Header
from agent.decide.prepared import NEWEST, FieldPlan
from agent.decide.reconcile import FIRST_VALUE
from agent.decide.values import Unmapped
from agent.decide.view import FORGOTTEN
from agent.records import FieldValue, Record

CREATE = "create"
"""The field name under which a create is traced and frozen."""

COMPANY = "company"


def decide_creation(desk: Desk) -> None:
    """When one side has no record of this entity, should it?"""
    here, there = desk.records
    source = here if here is not None else there
    if source is None or (here is not None and there is not None):
        return
    system = next(name for name in desk.plan.systems if name != source.ref.system)
    entity_type = desk.prepared.policies.entity_types[desk.view.entity_type]
    rule = entity_type.creates.get(system)
    if rule is None:
        line = str(entity_type.place)
        sentence = f"{entity_type.policy} creates nothing in {desk.prepared.systems[system].name}"
        desk.say(TraceStep(CREATE, system, "nothing", sentence, entity_type.policy, line))
        return
    _Creation(desk, source, rule, entity_type.policy).decide()


class _Creation:
    """One possible create."""

    def __init__(self, desk: Desk, source: Record, rule: CreateRule, policy: str) -> None:
        self.desk = desk
        self.source = source
        self.rule = rule
        self.policy = policy
        self.here = desk.prepared.systems[source.ref.system].name
        self.there = desk.prepared.systems[rule.system].name

    def decide(self) -> None:
        refusal = self._refusal()
        if refusal is not None:
            self._say(*refusal)
            return
        values = self._values()
        stages = self._stages()
        missing = self._missing({*values, *(vendor_field for _, vendor_field, _ in stages)})
        if missing:
            needs = f"{_a(self.rule.as_type)} in {self.there} needs {' and '.join(missing)}"
            self._say("skipped", f"{needs}; {self.here} has no value for it")
            return
        if not values and not stages:
            self._say("skipped", f"{self.here} has no value for anything that a new record in {self.there} would hold")
            return
        frozen = self.desk.frozen(CREATE, self.rule.system)
        if frozen is not None:
            self._say("frozen", f"{frozen.reason}; otherwise it would be created")
            return
        self._create(values, stages)

    def _refusal(self) -> tuple[str, str] | None:
        """(disposition, sentence) why nothing is created, or None."""
        desk, source = self.desk, self.source
        if desk.is_gated:
            return "skipped", "suspected duplicate: nothing is created"
        if not desk.view.is_pairing_accepted:
            return "skipped", f"the pairing of {desk.view.entity_type} is not accepted yet: truce pair"
        if FORGOTTEN in desk.view.flags:
            return (
                "skipped",
                "somebody with this e-mail (or domain) was erased on their wish: nothing creates them again",
            )
        if not desk.view.may_create:
            return "skipped", "nothing is created for it: its pairing is not settled, or it was undone or lost"
        left_out = self._left_out(self.policy)
        if left_out is not None:
            return left_out
        suspended = desk.suspended(self.policy, f"{CREATE} {self.rule.system}")
        if suspended is not None:
            return "skipped", f"suspended: {suspended}"
        if source.ref.object_type not in self.rule.from_types:
            return "nothing", f"{source.ref.object_type} records are not created in {self.there}"
        if self.rule.when is not None:
            explained = explain(self.rule.when, desk.values, desk.view.now, desk.previous)
            if not explained.holds:
                return "nothing", f"not created in {self.there}: {explained.sentence}"
        if self.rule.system in desk.view.coming:
            return "skipped", f"it waits for its company to be created in {self.there}; companies come first"
        unpaired = self._unpaired_link()
        return ("skipped", unpaired) if unpaired is not None else None

    def _unpaired_link(self) -> str | None:
        """What it is told apart by and belongs to is not paired: whether it is there already, nobody can tell."""
        entity_type = self.desk.prepared.policies.entity_types[self.desk.view.entity_type]
        for name in dict.fromkeys(part for kind in entity_type.match for part in kind.split(TOGETHER)):
            plan = self.desk.plan.by_name.get(name)
            origin = plan.rule.vendor_field(self.source.ref.system, self.source.ref.object_type) if plan else None
            if plan is None or plan.rule.links_to is None or origin is None:
                continue
            translator = self.desk.translator(plan)
            reading = translator.read(self.source.ref.system, self.source.fields.get(origin))
            try:
                translator.write(self.rule.system, reading)
            except NoCounterpart as nobody:
                return f"{nobody}, so nobody can tell whether this is there already"
        return None

    def _values(self) -> dict[str, tuple[FieldRule, FieldValue]]:
        """{vendor field of the new record: (rule, value)}; blank and untranslatable values are left out."""
        found: dict[str, tuple[FieldRule, FieldValue]] = {}
        for plan in self.desk.plan.by_name.values():
            rule = self.desk.rule(plan)
            target = rule.vendor_field(self.rule.system, self.rule.as_type)
            made = self._made(plan) if rule.made_of and target is not None and self._travels(rule) else None
            if made is not None and target is not None:
                found[target] = (rule, made)
            origin = rule.vendor_field(self.source.ref.system, self.source.ref.object_type)
            if target is None or origin is None or origin not in self.source.fields or not self._travels(rule):
                continue
            value = self._translated(plan, self.source.fields[origin])
            if value is not None:
                found[target] = (rule, value)
        names = {rule.name for rule, _ in found.values()}
        return {target: filled for target, filled in found.items() if _has_currency(filled[0], names)}

    def _made(self, plan: FieldPlan) -> str | None:
        try:
            return made_value(self.desk, plan)
        except NotMade:
            return None

    def _travels(self, rule: FieldRule) -> bool:
        """May this rule write the new side, and does its policy write at all?"""
        if self.desk.suspended(rule.policy, rule.name) is not None:
            return False
        header = self._header(rule.policy) if rule.policy != self.policy else None
        if header is not None and (header.mode == "watch" or self.desk.left_out(header) is not None):
            return False
        return rule.wins in (self.source.ref.system, FIRST_VALUE, NEWEST) or (
            rule.wins == self.rule.system and rule.unless_blank
        )

    def _header(self, policy: str) -> Header | None:
        return self.desk.prepared.policies.headers.get(policy)

    def _left_out(self, policy: str) -> tuple[str, str] | None:
        header = self._header(policy)
        return self.desk.left_out(header) if header is not None else None

    def _translated(self, plan: FieldPlan, raw: FieldValue) -> FieldValue:
        translator = self.desk.translator(plan)
        reading = translator.read(self.source.ref.system, raw)
        if reading.is_blank or not reading.is_mapped:
            return None
        try:
            return translator.write(self.rule.system, reading)
        except (Unmapped, NoCounterpart):
            return None

    def _stages(self) -> list[tuple[str, str, FieldValue]]:
        """(name, vendor field, value) of the stage it starts at, so that the vendor puts in no other."""
        found: list[tuple[str, str, FieldValue]] = []
        for ladder in self.desk.plan.ladders:
            origin, target = ladder.place_on(self.source), ladder.place_of(self.rule.system, self.rule.as_type)
            header = ladder.policy.header
            if origin is None or target is None or header.mode == "watch" or self.desk.left_out(header) is not None:
                continue
            stage = ladder.stage_of(origin[0], self.source.fields.get(origin[1]))
            word = ladder.value_of(target[0], stage) if stage is not None and stage != UNMAPPED else None
            if word is not None:
                found.append((LIFECYCLE, target[1], word))
        return found

    def _missing(self, filled: set[str]) -> list[str]:
        required = self.desk.prepared.required(self.rule.system, self.rule.as_type)
        return [name for name in required if name not in filled]

    def _create(
        self, values: dict[str, tuple[FieldRule, FieldValue]], stages: list[tuple[str, str, FieldValue]]
    ) -> None:
        view, system = self.desk.view, self.rule.system
        origin = f"{self.here} {self.source.ref.object_type} {self.source.ref.id}"
        sentence = f"{self.there} has no record of {origin}; {self.policy} creates it there ({self.rule.as_type})"
        why = Why(self.policy, str(self.rule.place), self.rule.rule, sentence)
        named = [(rule.name, vendor_field, value) for vendor_field, (rule, value) in values.items()]
        cells = [Cell(name, field, None, value, "create", why) for name, field, value in [*named, *stages]]
        parents = {COMPANY: view.parents[system]} if system in view.parents else {}
        self.desk.write_apart(
            Change(
                "create",
                view.entity_id,
                system,
                self.rule.as_type,
                None,
                tuple(cells),
                key=view.link_key.get(system),
                parents=parents,
            )
        )
        self._say("write", sentence)

    def _say(self, disposition: str, sentence: str) -> None:
        self.desk.say(TraceStep(CREATE, self.rule.system, disposition, sentence, self.policy, str(self.rule.place)))


def _has_currency(rule: FieldRule, names: set[str]) -> bool:
    """An amount is not created without its currency: the new record would put in another."""
    return rule.clean.currency_line is None or rule.clean.currency_line in names


def _a(object_type: str) -> str:
    return f"an {object_type}" if object_type[0] in "AEIOU" else f"a {object_type}"
