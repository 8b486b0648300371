"""What nobody has shown HubSpot to do: the emulator's answers as claims, for who has an account to ask.

Each is a switch of connectors/emulator/hubspot/switches.py. An account that answers otherwise is told in the report;
then the switch's default is wrong.
"""

from __future__ import annotations

from agent.connector import Write
from agent.records import Record, Ref
from connectors.conformance.desk import Claims, Desk, holds, same

OPEN = Claims("connectors/emulator/hubspot/switches.py")


@OPEN.claim("hands", "writing")
def an_identical_value_moves_the_time_of_change_switch_identical_write(desk: Desk) -> None:
    ref = desk.made(1, title="CTO")
    before = desk.read(ref).modified_at
    desk.hands.advance(2)
    desk.applied(desk.update(ref, title="CTO"))
    after = desk.read(ref).modified_at
    holds("the time of change moves", before is not None and after is not None and after > before, "it stands still")


@OPEN.claim("writing")
def a_new_contact_gets_the_stage_lead_switch_default_lifecyclestage(desk: Desk) -> None:
    outcome = desk.applied(desk.create(1))
    (record,) = desk.connector.read([desk.ref(str(outcome.record_id))], ["lifecyclestage"])
    same("its lifecycle stage", isinstance(record, Record) and record.fields["lifecyclestage"], "lead")


@OPEN.claim("writing")
def a_contact_needs_no_address_and_no_name_switch_contact_needs_identity(desk: Desk) -> None:
    title = {desk.names.title: "CTO"}
    desk.applied(Write(desk.entry(), "create", desk.names.object_type, None, title))


@OPEN.claim("writing")
def a_company_domain_loses_scheme_and_path_switch_domain_strips(desk: Desk) -> None:
    domain = desk.address(1).partition("@")[0].lower() + ".example"
    fields = {"name": "Truce conformance", "domain": f"https://www.{domain}/about"}
    outcome = desk.applied(Write(desk.entry(), "create", "companies", None, fields))
    ref = Ref(desk.connector.system, "companies", str(outcome.record_id))
    (record,) = desk.connector.read([ref], ["domain"])
    same("the domain that is kept", isinstance(record, Record) and record.fields["domain"], domain)
