"""Consent through the real clients: out anywhere is out everywhere, by address, and nothing opts anybody in."""

from __future__ import annotations

import pytest
from flow_stage import FIELDS, Stage, limits_policy, person_policy

from agent.records import Ref

OPT_OUT = "  opted_out: {salesforce: HasOptedOutOfEmail, hubspot: hs_email_optout, wins: opt-out}\n"


@pytest.fixture
def consent(stage: Stage) -> Stage:
    stage.write_policies(person=person_policy(fields=FIELDS + OPT_OUT))
    return stage


def lead(record_id: str) -> Ref:
    return Ref("salesforce", "Lead", record_id)


def is_out(stage: Stage, ref: Ref) -> bool:
    field = "HasOptedOutOfEmail" if ref.system == "salesforce" else "hs_email_optout"
    return str(stage.value(ref, field)).lower() == "true"


def test_an_opt_out_in_hubspot_reaches_salesforce_within_one_cycle(consent: Stage) -> None:
    pair = consent.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    consent.go_live()
    consent.cycle()
    consent.edit(pair.hub, hs_email_optout="true")
    consent.cycle()
    assert is_out(consent, pair.contact)


def test_an_opt_out_in_salesforce_is_an_unsubscription_in_hubspot(consent: Stage) -> None:
    pair = consent.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    consent.go_live()
    consent.cycle()
    consent.edit(pair.contact, HasOptedOutOfEmail=True)
    consent.cycle()
    assert is_out(consent, pair.hub)
    assert [entry.change.op for entry in consent.installation.ledger.entries()][-1] == "opt_out"


def test_everybody_with_the_address_is_opted_out_paired_or_not(consent: Stage) -> None:
    """A second Lead and two records nobody could tell apart count as much as the pair."""
    pair = consent.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    address = str(consent.value(pair.hub, "email"))
    beside = consent.make_lead(LastName="Lead", Email=address.upper())
    unclear = [consent.make_contact(LastName="Two", Email="two@acme.example") for _ in range(2)]
    hub = consent.make_hub(email="two@acme.example")
    consent.advance(60)
    consent.go_live()
    consent.cycle()
    consent.edit(pair.hub, hs_email_optout="true")
    consent.edit(Ref("hubspot", "contacts", hub), hs_email_optout="true")
    consent.cycle()
    assert is_out(consent, pair.contact)
    assert is_out(consent, lead(beside))
    assert all(is_out(consent, Ref("salesforce", "Contact", one)) for one in unclear)


def test_a_converted_lead_is_heard_but_never_written(consent: Stage) -> None:
    """Salesforce refuses any write to it (CANNOT_UPDATE_CONVERTED_LEAD)."""
    first = consent.make_lead(LastName="Conv", Email="conv@acme.example")
    consent.admin.post("/convert", system="salesforce", id=first)
    hub = Ref("hubspot", "contacts", consent.make_hub(email="conv@acme.example"))
    consent.advance(60)
    consent.go_live()
    consent.cycle()
    consent.edit(hub, hs_email_optout="true")
    consent.cycle()
    (contact,) = consent.ids("salesforce", "Contact")
    assert is_out(consent, Ref("salesforce", "Contact", contact))
    refused = [entry for entry in consent.installation.ledger.entries() if entry.state.value == "failed"]
    assert refused == []


def test_a_later_import_does_not_opt_anybody_in(consent: Stage) -> None:
    pair = consent.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    consent.go_live()
    consent.cycle()
    consent.edit(pair.hub, hs_email_optout="true")
    consent.edit(pair.contact, actor="import", HasOptedOutOfEmail=False, Title="Chief")
    consent.cycle()
    assert is_out(consent, pair.contact)
    assert is_out(consent, pair.hub)
    assert consent.value(pair.hub, "jobtitle") == "Chief"


def test_an_undo_opts_nobody_in_and_restores_the_rest(consent: Stage) -> None:
    pair = consent.pair({"Title": "CEO"}, {"jobtitle": "Boss", "hs_email_optout": None})
    consent.edit(pair.hub, hs_email_optout="true")
    result = consent.apply()
    undone = consent.rollback(result["batch"])
    assert is_out(consent, pair.contact)
    assert consent.value(pair.hub, "jobtitle") == "Boss"
    assert "an undo opts nobody in" in str(undone)


def test_before_the_first_go_live_opt_outs_wait_and_in_watch_they_are_never_written(consent: Stage) -> None:
    pair = consent.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    consent.edit(pair.hub, hs_email_optout="true")
    consent.cycle()
    assert not is_out(consent, pair.contact)
    consent.write_policies(person=person_policy(mode="watch", fields=FIELDS + OPT_OUT))
    consent.go_live()
    consent.edit(pair.hub, jobtitle="CFO")
    consent.cycle()
    assert not is_out(consent, pair.contact)


def test_after_the_first_go_live_opt_outs_travel_though_the_policy_only_asks(consent: Stage) -> None:
    pair = consent.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    consent.write_policies(person=person_policy(mode="ask", fields=FIELDS + OPT_OUT))
    consent.go_live()
    consent.edit(pair.hub, hs_email_optout="true")
    consent.edit(pair.contact, Title="Chief")
    consent.cycle()
    assert is_out(consent, pair.contact)
    assert consent.value(pair.hub, "jobtitle") == "CEO"


def test_more_opt_outs_than_the_limit_wait_for_a_person(consent: Stage) -> None:
    consent.write_policies(limits=limits_policy(day="{opt_out: 1}"))
    pairs = consent.pairs(2, {"Title": "CEO"}, {"jobtitle": "CEO"})
    consent.go_live()
    consent.cycle()
    for pair in pairs:
        consent.edit(pair.hub, hs_email_optout="true")
    held = consent.cycle()["held"]
    assert len(held) == 1
    assert not any(is_out(consent, pair.contact) for pair in pairs)


def test_a_lost_reply_to_an_opt_out_is_settled_by_reading(consent: Stage) -> None:
    pair = consent.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    consent.go_live()
    consent.cycle()
    consent.edit(pair.contact, HasOptedOutOfEmail=True)
    consent.admin.fault(id="lost", system="hubspot", route="*/unsubscribe-all", method="POST", action="drop_after")
    consent.cycle()
    assert is_out(consent, pair.hub)
    for _ in range(3):
        consent.advance(120)
        consent.cycle()
    states = [entry.state.value for entry in consent.installation.ledger.entries() if entry.change.op == "opt_out"]
    assert states == ["confirmed"]


def test_an_opt_out_beside_another_write_to_the_same_record_arrives_in_the_same_cycle(consent: Stage) -> None:
    """Our own write a moment before moved the version that the condition names."""
    pair = consent.pair({"Title": "CEO", "Phone": "1"}, {"jobtitle": "CEO", "phone": "1"})
    consent.go_live()
    consent.cycle()
    consent.advance(3600)
    consent.edit(pair.hub, hs_email_optout="true")
    consent.edit(pair.hub, phone="+49301234")
    consent.advance(60)
    consent.cycle()
    assert consent.value(pair.contact, "Phone") == "+49301234"
    assert is_out(consent, pair.contact)
    assert {entry.state for entry in consent.installation.ledger.entries()} == {"confirmed"}
