"""Stages on both sides: who leads, what a move needs, and how a stage goes back."""

from __future__ import annotations

import pytest
from deciding import (
    contact,
    hubspot,
    lead,
    lifecycle,
    line,
    move,
    only_change,
    only_step,
    policy_set,
    rule,
    steps,
    view,
    writes,
)

from agent.changes import Decision
from agent.decide import decide
from agent.decide.policy import LifecyclePolicy
from agent.decide.view import Frozen
from agent.records import FieldValue

EMAIL = rule("email", salesforce="Email", hubspot="email")
COUNTRY = rule("country", salesforce={"Contact": "MailingCountry"}, hubspot="country")
SCORE = rule("score", None, salesforce=None, hubspot="lead_score")

FORWARD = lifecycle([move("MQL"), move("Opportunity"), move("Customer")])
HUBSPOT_WORDS = {
    "Lead": "lead",
    "MQL": "marketingqualifiedlead",
    "Opportunity": "opportunity",
    "Customer": "customer",
}


def decided(
    salesforce: str | None,
    hubspot_stage: str | None,
    settled: tuple[str | None, str | None] | None = None,
    *,
    policy: LifecyclePolicy = FORWARD,
    **more: FieldValue,
) -> Decision:
    """Both sides by stage name; HubSpot's stored word is looked up."""
    words = {**HUBSPOT_WORDS, None: None}
    here = contact(
        Customer_Stage__c=salesforce, Email=more.get("email", "a@acme.com"), MailingCountry=more.get("country")
    )
    there = hubspot(
        lifecyclestage=words.get(hubspot_stage, hubspot_stage),
        email=more.get("email", "a@acme.com"),
        country=more.get("country"),
        lead_score=more.get("score"),
    )
    bases = {} if settled is None else {"lifecycle": (settled[0], words[settled[1]])}
    seen = view(here, there, bases, clears_first=frozenset({("contacts", "lifecyclestage")}))
    return decide(seen, policy_set(EMAIL, COUNTRY, SCORE, stages=policy))


class TestWhoLeads:
    def test_the_one_side_that_moved_leads(self) -> None:
        assert writes(decided("MQL", "Lead", ("Lead", "Lead"))) == {
            "hubspot": {"lifecyclestage": "marketingqualifiedlead"}
        }
        assert writes(decided("Lead", "Customer", ("Lead", "Lead"))) == {
            "salesforce": {"Customer_Stage__c": "Customer"}
        }

    def test_when_both_moved_the_furthest_leads(self) -> None:
        assert writes(decided("MQL", "Customer", ("Lead", "Lead"))) == {"salesforce": {"Customer_Stage__c": "Customer"}}

    def test_without_a_base_the_furthest_leads(self) -> None:
        assert writes(decided("Customer", "Lead")) == {"hubspot": {"lifecyclestage": "customer"}}

    def test_a_side_that_wins_leads_when_nobody_else_decides(self) -> None:
        policy = lifecycle([move("MQL"), move("Customer")], wins="salesforce")
        decision = decided("MQL", "Customer", policy=policy)
        assert writes(decision) == {"hubspot": {"lifecyclestage": "marketingqualifiedlead"}}
        assert {change.group for change in decision.changes} == {"person-57:lifecycle:hubspot"}

    def test_a_blank_side_is_filled_forward(self) -> None:
        change = only_change(decided(None, "MQL"))
        assert (change.system, change.cells[0].after, change.cells[0].meaning) == ("salesforce", "MQL", "fill")

    def test_a_side_that_was_emptied_is_filled_again(self) -> None:
        assert writes(decided("MQL", None, ("MQL", "MQL"))) == {"hubspot": {"lifecyclestage": "marketingqualifiedlead"}}

    def test_nobody_moved_means_quiet_even_if_they_differ(self) -> None:
        decision = decided("Lead", "Customer", ("Lead", "Customer"))
        assert decision.changes == ()
        assert steps(decision, "lifecycle") == [("quiet", "")]

    def test_equal_stages_become_the_base_without_a_write(self) -> None:
        decision = decided("Customer", "evangelist")
        assert decision.changes == ()
        assert decision.adopt["lifecycle"] == {"salesforce": "Customer", "hubspot": "evangelist"}

    def test_another_word_for_the_same_stage_is_no_move(self) -> None:
        here, there = lead(Status="Working"), hubspot(lifecyclestage="lead")
        decision = decide(view(here, there, {"lifecycle": ("Open", "lead")}), policy_set(stages=FORWARD))
        assert decision.changes == ()
        assert decision.adopt["lifecycle"] == {"salesforce": "Working", "hubspot": "lead"}


class TestMovingForward:
    def test_a_move_that_is_not_listed_is_refused_visibly(self) -> None:
        decision = decided("Customer", "Lead", policy=lifecycle([move("MQL")]))
        assert decision.changes == ()
        step = next(step for step in decision.trace if step.system == "hubspot")
        assert step.disposition == "refused"
        assert "no move to Customer is listed" in step.sentence

    def test_a_move_waits_for_what_it_needs_and_names_it(self) -> None:
        policy = lifecycle([move("MQL", needs=("email", "country"))])
        decision = decided("MQL", "Lead", policy=policy, country=None)
        assert decision.changes == ()
        step = next(step for step in decision.trace if step.system == "hubspot")
        assert (step.disposition, step.line) == ("skipped", "person-lifecycle.yaml:14")
        assert "MQL needs country, which is blank" in step.sentence
        assert writes(decided("MQL", "Lead", policy=policy, country="US")) == {
            "hubspot": {"lifecyclestage": "marketingqualifiedlead"}
        }

    def test_because_is_not_asked_for_a_move_that_a_person_made(self) -> None:
        policy = lifecycle([move("MQL", line("score >= 60"))])
        assert writes(decided("MQL", "Lead", ("Lead", "Lead"), policy=policy, score="3")) == {
            "hubspot": {"lifecyclestage": "marketingqualifiedlead"}
        }

    def test_because_makes_both_sides_move(self) -> None:
        policy = lifecycle([move("MQL", line("score >= 60"))])
        decision = decided("Lead", "Lead", ("Lead", "Lead"), policy=policy, score="61")
        assert writes(decision) == {
            "salesforce": {"Customer_Stage__c": "MQL"},
            "hubspot": {"lifecyclestage": "marketingqualifiedlead"},
        }
        sentence = decision.changes[0].cells[0].why.sentence
        assert sentence == "score >= 60, so the stage is MQL; Salesforce was at Lead"

    def test_a_change_binds_to_the_values_its_move_was_decided_from(self) -> None:
        policy = lifecycle([move("MQL", line("score >= 60"), ("email",))])
        decision = decided("Lead", "Lead", ("Lead", "Lead"), policy=policy, score="61")
        by_system = {change.system: change for change in decision.changes}
        assert by_system["hubspot"].decided_from == {
            "lifecyclestage": "lead",
            "email": "a@acme.com",
            "lead_score": "61",
        }

    def test_because_that_does_not_hold_moves_nothing_and_says_why(self) -> None:
        policy = lifecycle([move("MQL", line("score >= 60"))])
        decision = decided("Lead", "Lead", ("Lead", "Lead"), policy=policy, score="59")
        assert decision.changes == ()
        assert any("score >= 60" in step.sentence for step in decision.trace)

    def test_because_never_moves_anybody_back(self) -> None:
        policy = lifecycle([move("MQL", line("score >= 60"))])
        decision = decided("Customer", "Customer", ("Customer", "Customer"), policy=policy, score="61")
        assert decision.changes == ()

    def test_our_own_move_waits_for_its_needs_on_a_blank_side_too(self) -> None:
        policy = lifecycle([move("MQL", line("score >= 60"), ("country",))])
        decision = decided(None, None, policy=policy, score="61", country=None)
        assert decision.changes == ()
        assert {step.disposition for step in decision.trace if step.field == "lifecycle"} == {"skipped"}

    def test_a_person_known_on_one_side_only_may_be_moved_too(self) -> None:
        policy = lifecycle([move("MQL", line("score >= 60"))])
        seen = view(None, hubspot(lifecyclestage="lead", lead_score="70"))
        assert writes(decide(seen, policy_set(SCORE, stages=policy))) == {
            "hubspot": {"lifecyclestage": "marketingqualifiedlead"}
        }

    def test_a_side_without_a_word_for_the_stage_is_left_alone(self) -> None:
        seen = view(lead(Status="Open"), hubspot(lifecyclestage="opportunity"))
        decision = decide(seen, policy_set(stages=FORWARD))
        assert decision.changes == ()
        assert ("skipped", "salesforce") in steps(decision, "lifecycle")


class TestMovingBack:
    def test_hubspot_is_cleared_first_and_both_writes_form_a_group(self) -> None:
        decision = decided("Lead", "MQL", ("MQL", "MQL"))
        clear, then_set = decision.changes
        assert (clear.group, clear.step, then_set.step) == (then_set.group, 0, 1)
        assert [(cell.before, cell.after, cell.meaning) for cell in clear.cells] == [
            ("marketingqualifiedlead", None, "stage_back")
        ]
        assert [(cell.before, cell.after, cell.meaning) for cell in then_set.cells] == [(None, "lead", "stage")]

    def test_a_system_that_obeys_gets_one_write(self) -> None:
        decision = decided("MQL", "Lead", ("MQL", "MQL"))
        change = only_change(decision)
        assert [(cell.after, cell.meaning) for cell in change.cells] == [("Lead", "stage_back")]

    def test_other_fields_do_not_wait_for_the_approval(self) -> None:
        here = contact(Customer_Stage__c="Lead", Email="new@acme.com", MailingCountry="US")
        there = hubspot(lifecyclestage="customer", email="a@acme.com", country="US", lead_score=None)
        bases: dict[str, tuple[FieldValue, FieldValue]] = {
            "lifecycle": ("Customer", "customer"),
            "email": ("a@acme.com", "a@acme.com"),
        }
        decision = decide(view(here, there, bases), policy_set(EMAIL, COUNTRY, SCORE, stages=FORWARD))
        assert [{cell.field for cell in change.cells} for change in decision.changes] == [{"email"}, {"lifecycle"}]
        assert [change.guarded for change in decision.changes] == [False, True]

    def test_a_policy_without_a_way_back_refuses(self) -> None:
        decision = decided("Lead", "MQL", ("MQL", "MQL"), policy=lifecycle([move("MQL")], back=None))
        assert decision.changes == ()
        assert ("refused", "hubspot") in steps(decision, "lifecycle")


class TestWhatStopsIt:
    def test_a_stage_nobody_listed_is_a_question_and_nothing_is_written(self) -> None:
        decision = decided("MQL", "salesqualifiedlead")
        assert decision.changes == ()
        (review,) = decision.reviews
        assert (review.kind, review.topic) == ("unmapped", "unmapped:lifecycle")
        assert "salesqualifiedlead" in review.sentence

    def test_a_hidden_stage_is_never_taken_for_a_blank(self) -> None:
        seen = view(contact(), hubspot(lifecyclestage="lead"))
        decision = decide(seen, policy_set(stages=FORWARD))
        assert decision.changes == ()
        assert only_step(decision, "lifecycle").disposition == "skipped"

    def test_a_suspected_duplicate_does_not_move(self) -> None:
        seen = view(
            contact(Customer_Stage__c="MQL"),
            hubspot(lifecyclestage="lead"),
            flags=frozenset({"suspected duplicate"}),
        )
        decision = decide(seen, policy_set(stages=FORWARD))
        assert decision.changes == ()
        assert "suspected duplicate" in only_step(decision, "lifecycle").sentence

    @pytest.mark.parametrize(("salesforce", "hubspot_stage"), [("MQL", "Lead"), ("Lead", "MQL"), (None, "MQL")])
    def test_a_frozen_stage_is_not_written(self, salesforce: str | None, hubspot_stage: str) -> None:
        frozen = tuple(Frozen("lifecycle", system, "r", "undone") for system in ("salesforce", "hubspot"))
        seen = view(
            contact(Customer_Stage__c=salesforce),
            hubspot(lifecyclestage=HUBSPOT_WORDS[hubspot_stage]),
            frozen=frozen,
        )
        decision = decide(seen, policy_set(stages=FORWARD))
        assert decision.changes == ()
        assert "frozen" in {step.disposition for step in decision.trace}

    def test_no_stage_moves_outside_the_selection(self) -> None:
        policy = lifecycle([move("MQL")], only_when=line("country is US"))
        decision = decide(
            view(lead(Status="Qualified", Country="DE"), hubspot(lifecyclestage="lead", country="DE")),
            policy_set(rule("country", salesforce="Country", hubspot="country"), stages=policy),
        )
        assert decision.changes == ()
        assert only_step(decision, "lifecycle").disposition == "not selected"

    def test_an_unless_that_holds_skips_the_policy(self) -> None:
        policy = lifecycle([move("MQL")], unless=line("country is US"))
        decision = decided("MQL", "Lead", policy=policy, country="US")
        assert decision.changes == ()
        assert steps(decision, "lifecycle") == [("skipped", "")]


def test_conditions_see_the_furthest_stage() -> None:
    policy = policy_set(EMAIL, stages=FORWARD, header={"unless": line("lifecycle is Customer")})
    here, there = contact(Customer_Stage__c="Lead", Email="a"), hubspot(lifecyclestage="customer", email="b")
    assert steps(decide(view(here, there), policy), "email") == [("skipped", "")]
