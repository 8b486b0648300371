"""Builders for deciding: a small policy set, records on both sides, and the View between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from shipped_systems import SYSTEMS

from agent.changes import Change, Decision, Mode, TraceStep
from agent.decide.conditions import Condition, Leaf
from agent.decide.policy import (
    Cleaner,
    CreateRule,
    EntityType,
    FieldRule,
    FieldsPolicy,
    Header,
    LifecyclePolicy,
    Move,
    Place,
    PolicySet,
    Stage,
)
from agent.decide.view import Base, View
from agent.records import FieldValue, Record, Ref

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PLACE = Place("person-basics.yaml", 17)
STAGES = ("Lead", "MQL", "Opportunity", "Customer")


def header(name: str = "person-basics", kind: str = "fields", **more: Any) -> Header:
    mode: Mode = more.pop("mode", "act")
    return Header(
        name, kind, "anna@example.com", "test", date(2027, 3, 1), mode, Place(f"{name}.yaml", 1), "m0", **more
    )


def rule(
    name: str,
    wins: str | None = "salesforce",
    *,
    salesforce: str | Mapping[str, str] | None = "Field__c",
    hubspot: str | Mapping[str, str] | None = "field",
    clean: Cleaner | None = None,
    **more: Any,
) -> FieldRule:
    """One line under ``fields``; a plain name stands for every object type of that side."""
    where: dict[str, Mapping[str, str]] = {}
    if salesforce is not None:
        plain = isinstance(salesforce, str)
        where["salesforce"] = {"Contact": salesforce, "Lead": salesforce} if plain else salesforce
    if hubspot is not None:
        where["hubspot"] = {"contacts": hubspot} if isinstance(hubspot, str) else hubspot
    return FieldRule(
        name=name,
        where=where,
        wins=wins,
        unless_blank=more.pop("unless_blank", False),
        clean=clean or Cleaner(),
        place=more.pop("place", PLACE),
        rule=more.pop("rule", f"rule-{name}"),
        policy=more.pop("policy", "person-basics"),
        first_time=more.pop("first_time", "fill blanks"),
        losing_edit=more.pop("losing_edit", "revert"),
        **more,
    )


TITLE = rule("job_title", salesforce="Title", hubspot="jobtitle", unless_blank=True)


def create_rule(system: str, as_type: str, from_types: tuple[str, ...], when: Condition | None = None) -> CreateRule:
    return CreateRule(system, as_type, from_types, when, Place("person-basics.yaml", 11), "rule-create")


def lifecycle(
    moves: Iterable[Move] = (), *, wins: str | None = None, back: str | None = "revops", **more: Any
) -> LifecyclePolicy:
    stages = (
        Stage("Lead", {"hubspot": ("lead",), "lead_status": ("Open", "Working"), "contact": ("Lead",)}),
        Stage("MQL", {"hubspot": ("marketingqualifiedlead",), "lead_status": ("Qualified",), "contact": ("MQL",)}),
        Stage("Opportunity", {"hubspot": ("opportunity",), "contact": ("Opportunity",)}),
        Stage("Customer", {"hubspot": ("customer", "evangelist"), "contact": ("Customer",)}),
    )
    where = {
        "hubspot": {"hubspot": {"contacts": "lifecyclestage"}},
        "lead_status": {"salesforce": {"Lead": "Status"}},
        "contact": {"salesforce": {"Contact": "Customer_Stage__c"}},
    }
    head = header("person-lifecycle", "lifecycle", **more)
    return LifecyclePolicy(head, "person", stages, tuple(moves), where, wins, back, "required" if back else None)


def move(to: str, because: Condition | None = None, needs: tuple[str, ...] = (), **more: Any) -> Move:
    return Move(to, because, needs, Place("person-lifecycle.yaml", 14), f"rule-{to}", **more)


def policy_set(
    *rules: FieldRule,
    creates: Iterable[CreateRule] = (),
    stages: LifecyclePolicy | None = None,
    revision: str = "r1",
    **more: Any,
) -> PolicySet:
    person = EntityType(
        "person",
        {"salesforce": ("Contact", "Lead"), "hubspot": ("contacts",)},
        ("stored id", "email"),
        {create.system: create for create in creates},
        "person-basics",
        Place("person-basics.yaml", 1),
    )
    types = {"person": person, **more.pop("entity_types", {})}
    fields = (FieldsPolicy(header(**more.pop("header", {})), "person", rules), *more.pop("fields", ()))
    return PolicySet(revision, {}, types, fields, lifecycle=(stages,) if stages else (), systems=SYSTEMS, **more)


def contact(**fields: FieldValue) -> Record:
    return Record(Ref("salesforce", "Contact", "003000000000001AAA"), fields)


def lead(**fields: FieldValue) -> Record:
    return Record(Ref("salesforce", "Lead", "00Q000000000001AAA"), fields)


def hubspot(**fields: FieldValue) -> Record:
    return Record(Ref("hubspot", "contacts", "101"), fields)


def view(
    salesforce: Record | None,
    hubspot: Record | None,
    bases: Mapping[str, tuple[FieldValue, FieldValue]] | None = None,
    **more: Any,
) -> View:
    """``bases``: {field: (salesforce value, hubspot value)}."""
    return View(
        "person-57",
        "person",
        {"salesforce": salesforce, "hubspot": hubspot},
        NOW,
        bases={
            name: Base({"salesforce": here, "hubspot": there}, "E-1") for name, (here, there) in (bases or {}).items()
        },
        **more,
    )


def line(text: str, *, order: tuple[str, ...] = ()) -> Leaf:
    """``score >= 60``: a condition of one line with a plain operator."""
    field, operator, value = text.split(" ", 2)
    number = value.replace(".", "").isdigit()
    return Leaf(field, operator, float(value) if number else value, PLACE, text, order=order)


def writes(decision: Decision) -> dict[str, dict[str, FieldValue]]:
    """{system: {vendor field: value}} over all changes; of a group the last step stands."""
    found: dict[str, dict[str, FieldValue]] = {}
    for change in decision.changes:
        found.setdefault(change.system, {}).update({cell.vendor_field: cell.after for cell in change.cells})
    return found


def only_change(decision: Decision) -> Change:
    (change,) = decision.changes
    return change


def steps(decision: Decision, field: str) -> list[tuple[str, str]]:
    """(disposition, system) of every trace step of a field."""
    return [(step.disposition, step.system) for step in decision.trace if step.field == field]


def only_step(decision: Decision, field: str) -> TraceStep:
    (step,) = (step for step in decision.trace if step.field == field)
    return step
