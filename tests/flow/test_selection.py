"""A policy with a selection, from one practice CRM to the other: who leaves it is left alone, and nothing else."""

from __future__ import annotations

import pytest
from flow_stage import FIELDS, Stage, person_policy

from agent.orders.orders import make_plan

OPT_OUT = "  opted_out: {salesforce: HasOptedOutOfEmail, hubspot: hs_email_optout, wins: opt-out}\n"


@pytest.fixture
def selected(stage: Stage) -> Stage:
    """Only people in Bonn are written."""
    policy = person_policy(fields=FIELDS + OPT_OUT).replace(
        "defines: person", "only_when: [city is Bonn]\ndefines: person"
    )
    stage.write_policies(person=policy)
    return stage


def test_who_leaves_the_selection_stays_paired_and_keeps_every_value(selected: Stage) -> None:
    pair = selected.pair({"Title": "CEO", "MailingCity": "Bonn"}, {"jobtitle": "CEO", "city": "Bonn"})
    selected.go_live()
    selected.cycle()
    selected.edit(pair.contact, Title="Chair")
    selected.cycle()
    assert selected.value(pair.hub, "jobtitle") == "Chair"
    selected.edit(pair.contact, MailingCity="Ulm", Title="Founder")
    assert selected.cycle()["written"] == 0
    assert selected.value(pair.hub, "jobtitle") == "Chair"
    assert selected.installation.crosswalk.entity_of(pair.hub) == selected.installation.crosswalk.entity_of(
        pair.contact
    )


def test_who_comes_back_takes_up_where_it_left_off(selected: Stage) -> None:
    pair = selected.pair({"Title": "CEO", "MailingCity": "Bonn"}, {"jobtitle": "CEO", "city": "Bonn"})
    selected.go_live()
    selected.cycle()
    selected.edit(pair.contact, MailingCity="Ulm", Title="Founder")
    selected.cycle()
    selected.edit(pair.contact, MailingCity="Bonn")
    selected.cycle()
    assert selected.value(pair.hub, "jobtitle") == "Founder"
    assert selected.cycle()["written"] == 0


def test_an_opt_out_travels_outside_the_selection(selected: Stage) -> None:
    pair = selected.pair({"Title": "CEO", "MailingCity": "Ulm"}, {"jobtitle": "Boss", "city": "Ulm"})
    selected.go_live()
    selected.cycle()
    selected.edit(pair.hub, hs_email_optout="true")
    selected.cycle()
    assert selected.value(pair.contact, "HasOptedOutOfEmail") is True
    assert selected.value(pair.hub, "jobtitle") == "Boss"


def test_a_proposal_is_taken_back_when_its_record_leaves_the_selection(selected: Stage) -> None:
    pair = selected.pair({"Title": "CEO", "MailingCity": "Bonn"}, {"jobtitle": "CEO", "city": "Bonn"})
    selected.cycle()
    selected.edit(pair.contact, Title="Chair")
    assert len(selected.cycle()["held"]) == 1
    selected.edit(pair.contact, MailingCity="Ulm")
    selected.cycle()
    assert selected.installation.ledger.batches(states=("held",)) == []


def test_a_plan_counts_who_is_not_selected(selected: Stage) -> None:
    selected.pair({"Title": "CEO", "MailingCity": "Ulm"}, {"jobtitle": "Boss", "city": "Ulm"})
    plan = make_plan(selected.installation, {}, "anna@example.com", lambda *_: None)
    counted = {(line["field"], line["disposition"]): line["count"] for line in plan["left_alone"]}
    assert counted["job_title", "not selected"] == 1
    assert plan["changes"] == 0
