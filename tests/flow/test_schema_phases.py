"""A CRM's fields change in the middle of a cycle: F22, F24 and F25 of docs/faults.md, in each of its phases.

Whatever the moment: nothing is blanked, the other lines go on, the vendor is asked for the impossible once at most,
and everything is as wanted once the field is back. ``make nightly`` takes every phase of every change.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flow_stage import Stage, person_policy
from invariants import assert_at_rest
from phases import PHASES, at, some_by_day

from agent import failures
from agent.changes import State
from agent.errors import ConnectorError
from agent.schema.watch import EVERY

FIELDS = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce}
  phone:     {salesforce: Phone, hubspot: phone, wins: hubspot}
  city:      {salesforce: {Lead: City, Contact: MailingCity}, hubspot: city, wins: salesforce}
  rating:
    salesforce: {Contact: LeadSource}
    hubspot: heard_of
    wins: salesforce
    values:
      web: {salesforce: Web, hubspot: web}
      partner: {salesforce: Partner, hubspot: partner}
"""
OPTIONS = [{"value": value, "label": value.title()} for value in ("web", "partner")]
HEARD_OF = {
    "name": "heard_of", "label": "Source", "type": "enumeration", "fieldType": "select",
    "groupName": "contactinformation", "options": OPTIONS,
}  # fmt: skip


def schema(system: str, object_type: str, **change: Any) -> Callable[[Stage], None]:
    return lambda stage: stage.admin.post("/schema", system=system, object=object_type, **change)


def permit(system: str, object_type: str, **change: Any) -> Callable[[Stage], None]:
    return lambda stage: stage.admin.post("/permissions", system=system, object=object_type, **change)


Step = Callable[[Stage], None]
CHANGES: dict[str, tuple[Step, Step]] = {
    "a read field is hidden": (
        permit("salesforce", "Contact", hide="Title"),
        permit("salesforce", "Contact", show="Title"),
    ),
    "a written field is hidden": (
        permit("salesforce", "Contact", hide="Phone"),
        permit("salesforce", "Contact", show="Phone"),
    ),
    "a field is removed": (
        schema("hubspot", "contacts", remove="heard_of"),
        schema("hubspot", "contacts", add=HEARD_OF),
    ),
    "a field gets another type": (
        schema("hubspot", "contacts", alter={"name": "jobtitle", "type": "number"}),
        schema("hubspot", "contacts", alter={"name": "jobtitle", "type": "string"}),
    ),
    "a field gets shorter": (
        schema("salesforce", "Contact", alter={"name": "Phone", "length": 5}),
        schema("salesforce", "Contact", alter={"name": "Phone", "length": 40}),
    ),
    "a value is removed": (
        schema("hubspot", "contacts", alter={"name": "heard_of", "options": OPTIONS[:1]}),
        schema("hubspot", "contacts", alter={"name": "heard_of", "options": OPTIONS}),
    ),
}
"""{what: (how it comes about, how it is put right)}"""
SYSTEM = {
    "a read field is hidden": "hubspot",
    "a written field is hidden": "salesforce",
    "a field gets shorter": "salesforce",
}
"""Where a phase is watched: where the line in question is written; usually HubSpot."""
CASES = [(what, phase) for what in CHANGES for phase in PHASES]


@pytest.mark.parametrize(("what", "phase"), some_by_day(CASES, 5))
def test_fields_that_change_in_this_phase_stop_their_line_alone_and_blank_nothing(
    stage: Stage, what: str, phase: str
) -> None:
    schema("hubspot", "contacts", add=HEARD_OF)(stage)
    stage.write_policies(person=person_policy(fields=FIELDS))
    held = {"Title": "CEO", "Phone": "1", "MailingCity": "Rome", "LeadSource": "Web"}
    pair = stage.pair(held, {"jobtitle": "CEO", "phone": "1", "city": "Rome", "heard_of": "web"})
    stage.go_live()
    looks(stage, 2)
    stage.edit(pair.contact, Title="CFO", MailingCity="Turin", LeadSource="Partner")
    stage.edit(pair.hub, phone="555 12345678")
    stage.advance(60)
    change, back = CHANGES[what]
    with pytest.MonkeyPatch.context() as patch, suppress(ConnectorError):
        has_happened = at(phase, SYSTEM.get(what, "hubspot"), patch, lambda: change(stage))
        stage.cycle()
    assert has_happened(), "that phase was never reached"
    looks(stage, 3)
    assert stage.value(pair.hub, "city") == "Turin", "another line waited"
    assert all(entry.attempts <= 1 for entry in stage.installation.ledger.entries(states=(State.FAILED,)))
    assert len(list(failures.standing(stage.installation))) <= 1, "the vendor was asked more than once"
    back(stage)
    looks(stage, 1)
    if any(failures.standing(stage.installation)):
        stage.order("retry")
    looks(stage, 3)
    there = [stage.value(pair.hub, name) for name in ("jobtitle", "city", "heard_of")]
    assert there == ["CFO", "Turin", "partner"] or (what == "a field is removed" and there[:2] == ["CFO", "Turin"])
    assert stage.value(pair.contact, "Phone") == "555 12345678"
    assert [line for line in stage.written() if {None, ""} & set((line["after"] or {}).values())] == [], "blanked"
    assert_at_rest(stage.installation)


def looks(stage: Stage, count: int) -> None:
    """Cycles that look at the schemas again."""
    for _ in range(count):
        stage.advance(EVERY.total_seconds())
        with suppress(ConnectorError):
            stage.cycle()
