"""One entity through all the steps: one change per record, a trace for everything, and doors that stay shut."""

from __future__ import annotations

from dataclasses import replace

import pytest
from deciding import (
    TITLE,
    contact,
    create_rule,
    header,
    hubspot,
    lead,
    lifecycle,
    line,
    only_change,
    only_step,
    policy_set,
    rule,
    steps,
    view,
    writes,
)
from shipped_systems import SYSTEMS

from agent.changes import Decision
from agent.connector import FieldSchema, ObjectSchema
from agent.decide import decide, prepare
from agent.decide.policy import CreateRule, FieldsPolicy, PolicySet
from agent.decide.view import Frozen, OwnerMap, View
from agent.records import FieldValue, Owner, Record

EMAIL = rule("email", salesforce="Email", hubspot="email")
COUNTRY = rule("country", "hubspot", salesforce={"Lead": "Country", "Contact": "MailingCountry"}, hubspot="country")
SCORE = rule("score", None, salesforce=None, hubspot="lead_score")
BASICS = policy_set(EMAIL, TITLE, COUNTRY, SCORE)

ANN = contact(Email="ann@acme.com", Title="CEO", MailingCountry="US")
ANN_IN_HUBSPOT = hubspot(email="ann@acme.com", jobtitle="CEO", country="US", lead_score="7")
SETTLED: dict[str, tuple[FieldValue, FieldValue]] = {
    "email": ("ann@acme.com", "ann@acme.com"),
    "job_title": ("CEO", "CEO"),
    "country": ("US", "US"),
}


def with_(record: Record, **fields: FieldValue) -> Record:
    return replace(record, fields={**record.fields, **fields})


class TestNothingToDo:
    def test_two_equal_sides_write_nothing_and_every_field_has_a_trace(self) -> None:
        decision = decide(view(ANN, ANN_IN_HUBSPOT, SETTLED), BASICS)
        assert (decision.changes, decision.reviews, dict(decision.adopt)) == ((), (), {})
        assert [(step.field, step.disposition) for step in decision.trace] == [
            ("email", "equal"),
            ("job_title", "equal"),
            ("country", "equal"),
            ("score", "nothing"),
        ]

    def test_equal_fields_become_the_base_once(self) -> None:
        first = decide(view(ANN, ANN_IN_HUBSPOT), BASICS)
        assert first.adopt == {name: {"salesforce": here, "hubspot": there} for name, (here, there) in SETTLED.items()}
        assert decide(view(ANN, ANN_IN_HUBSPOT, SETTLED), BASICS).adopt == {}

    def test_deciding_twice_says_the_same(self) -> None:
        seen = view(with_(ANN, Title="CTO"), ANN_IN_HUBSPOT, SETTLED)
        assert decide(seen, BASICS) == decide(seen, prepare(BASICS))


class TestWriting:
    def test_fields_of_one_record_travel_in_one_change(self) -> None:
        changed = with_(ANN, Title="CTO", Email="ann@new.example")
        change = only_change(decide(view(changed, ANN_IN_HUBSPOT, SETTLED), BASICS))
        assert (change.op, change.system, change.object_type, change.record_id) == (
            "update",
            "hubspot",
            "contacts",
            "101",
        )
        assert {cell.vendor_field: (cell.before, cell.after) for cell in change.cells} == {
            "email": ("ann@acme.com", "ann@new.example"),
            "jobtitle": ("CEO", "CTO"),
        }
        assert change.decided_from == {"email": "ann@acme.com", "jobtitle": "CEO"}

    def test_fields_of_several_policies_travel_in_one_change(self) -> None:
        phone = rule("phone", salesforce="Phone", hubspot="phone", policy="person-phones")
        more = FieldsPolicy(header("person-phones"), "person", (phone,))
        seen = view(with_(ANN, Title="CTO", Phone="1"), with_(ANN_IN_HUBSPOT, phone=None), SETTLED)
        change = only_change(decide(seen, policy_set(EMAIL, TITLE, fields=(more,))))
        assert change.policies == {"person-basics", "person-phones"}

    def test_each_side_gets_its_own_change(self) -> None:
        seen = view(with_(ANN, Title="CTO"), with_(ANN_IN_HUBSPOT, country="CA"), SETTLED)
        decision = decide(seen, BASICS)
        assert writes(decision) == {
            "hubspot": {"jobtitle": "CTO"},
            "salesforce": {"MailingCountry": "CA"},
        }

    def test_the_vendor_field_follows_the_object_type(self) -> None:
        person = lead(Email="ann@acme.com", Title="CEO", Country="US")
        seen = view(person, with_(ANN_IN_HUBSPOT, country="CA"), SETTLED)
        assert writes(decide(seen, BASICS)) == {"salesforce": {"Country": "CA"}}

    def test_a_cell_names_its_line_and_its_reason(self) -> None:
        change = only_change(decide(view(with_(ANN, Title="CTO"), ANN_IN_HUBSPOT, SETTLED), BASICS))
        why = change.cells[0].why
        assert (why.policy, why.line, why.rule) == ("person-basics", "person-basics.yaml:17", "rule-job_title")
        assert why.sentence == "Salesforce wins job_title and has “CTO”; HubSpot had “CEO”"

    def test_a_question_is_one_review_and_one_trace(self) -> None:
        policies = policy_set(rule("job_title", "ask", salesforce="Title", hubspot="jobtitle"))
        decision = decide(view(with_(ANN, Title="CTO"), ANN_IN_HUBSPOT, SETTLED), policies)
        (review,) = decision.reviews
        assert (review.kind, review.topic) == ("conflict", "conflict:job_title")
        assert steps(decision, "job_title") == [("ask", "")]
        assert decision.changes == ()


class TestClosedDoors:
    @pytest.mark.parametrize("flag", ["lost", "unclear"])
    def test_lost_and_unclear_entities_are_never_written(self, flag: str) -> None:
        decision = decide(view(with_(ANN, Title="CTO"), ANN_IN_HUBSPOT, SETTLED, flags=frozenset({flag})), BASICS)
        assert (decision.changes, dict(decision.adopt)) == ((), {})
        assert [step.disposition for step in decision.trace] == [flag]

    def test_a_converted_lead_is_never_written(self) -> None:
        person = lead(Email="ann@acme.com", Title="CEO", Country="US", IsConverted=True)
        decision = decide(view(person, with_(ANN_IN_HUBSPOT, country="CA"), SETTLED), BASICS)
        assert decision.changes == ()
        assert "converted" in decision.trace[0].sentence

    def test_an_absent_field_is_never_taken_for_a_blank(self) -> None:
        hidden = hubspot(email="ann@acme.com", country="US", lead_score="7")
        decision = decide(view(ANN, hidden, {}), BASICS)
        assert decision.changes == ()
        step = only_step(decision, "job_title")
        assert (step.disposition, step.system) == ("skipped", "hubspot")
        assert "not visible" in step.sentence

    def test_a_frozen_cell_is_not_written_whatever_its_rule_says_today(self) -> None:
        frozen = (Frozen("job_title", "hubspot", "an older rule", "undone with B-7"),)
        decision = decide(view(with_(ANN, Title="CTO"), ANN_IN_HUBSPOT, SETTLED, frozen=frozen), BASICS)
        assert decision.changes == ()
        step = only_step(decision, "job_title")
        assert (step.disposition, step.system) == ("frozen", "hubspot")
        assert "undone with B-7" in step.sentence

    def test_a_freeze_on_one_side_leaves_the_other_side_alone(self) -> None:
        frozen = (Frozen("job_title", "salesforce", "r", "undone"),)
        decision = decide(view(with_(ANN, Title="CTO"), ANN_IN_HUBSPOT, SETTLED, frozen=frozen), BASICS)
        assert writes(decision) == {"hubspot": {"jobtitle": "CTO"}}

    def test_a_record_outside_the_selection_is_left_alone_and_told_why(self) -> None:
        policies = policy_set(EMAIL, TITLE, COUNTRY, header={"only_when": line("country is CA")})
        decision = decide(view(with_(ANN, Title="CTO"), ANN_IN_HUBSPOT, SETTLED), policies)
        assert (writes(decision), decision.adopt) == ({}, {})
        step = only_step(decision, "job_title")
        assert step.disposition == "not selected"
        assert step.sentence == 'not in the selection of person-basics: `country is CA` is not met: country is "US"'

    def test_a_record_inside_the_selection_is_decided(self) -> None:
        policies = policy_set(EMAIL, TITLE, COUNTRY, header={"only_when": line("country is US")})
        assert writes(decide(view(with_(ANN, Title="CTO"), ANN_IN_HUBSPOT, SETTLED), policies)) == {
            "hubspot": {"jobtitle": "CTO"}
        }

    def test_a_blank_is_in_no_selection(self) -> None:
        policies = policy_set(EMAIL, TITLE, COUNTRY, header={"only_when": line("country is US")})
        away = with_(ANN, Title="CTO", MailingCountry=None)
        decision = decide(view(away, with_(ANN_IN_HUBSPOT, country=None), SETTLED), policies)
        assert steps(decision, "job_title") == [("not selected", "")]

    def test_another_policy_goes_on_where_one_does_not_apply(self) -> None:
        phone = rule("phone", salesforce="Phone", hubspot="phone", policy="person-phones")
        more = FieldsPolicy(header("person-phones"), "person", (phone,))
        policies = policy_set(EMAIL, TITLE, COUNTRY, header={"only_when": line("country is CA")}, fields=(more,))
        seen = view(with_(ANN, Title="CTO", Phone="1"), with_(ANN_IN_HUBSPOT, phone=None), SETTLED)
        assert writes(decide(seen, policies)) == {"hubspot": {"phone": "1"}}

    @pytest.mark.parametrize(("key", "is_created"), [("US", True), ("CA", False)])
    def test_only_what_is_selected_is_created(self, key: str, is_created: bool) -> None:
        policies = policy_set(
            EMAIL,
            COUNTRY,
            creates=[create_rule("hubspot", "contacts", ("Contact",))],
            header={"only_when": line(f"country is {key}")},
        )
        decision = decide(view(ANN, None, may_create=True), policies)
        assert bool(decision.changes) is is_created

    def test_an_exception_keeps_creates_away_too(self) -> None:
        policies = policy_set(
            EMAIL,
            COUNTRY,
            creates=[create_rule("hubspot", "contacts", ("Contact",))],
            header={"unless": line("country is US")},
        )
        assert decide(view(ANN, None, may_create=True), policies).changes == ()

    def test_a_policy_whose_unless_holds_is_skipped_visibly(self) -> None:
        policies = policy_set(EMAIL, TITLE, COUNTRY, header={"unless": line("country is US")})
        decision = decide(view(with_(ANN, Title="CTO"), ANN_IN_HUBSPOT, SETTLED), policies)
        assert decision.changes == ()
        assert steps(decision, "job_title") == [("skipped", "")]

    def test_a_field_this_object_type_lacks_is_left_out(self) -> None:
        employees = rule("employees", salesforce={"Lead": "NumberOfEmployees"}, hubspot="numemployees")
        decision = decide(view(ANN, with_(ANN_IN_HUBSPOT, numemployees="9"), {}), policy_set(employees))
        assert decision.changes == ()
        assert steps(decision, "employees") == [("nothing", "")]


class TestConsent:
    OPT_OUT = rule("opted_out", "opt-out", salesforce="HasOptedOutOfEmail", hubspot="hs_email_optout", type="boolean")

    @pytest.mark.parametrize(("salesforce", "hubspot_value"), [(True, "false"), (False, "true"), (True, None)])
    def test_opt_out_is_shown_and_never_written_as_a_field(self, salesforce: bool, hubspot_value: FieldValue) -> None:
        seen = view(contact(HasOptedOutOfEmail=salesforce), hubspot(hs_email_optout=hubspot_value))
        decision = decide(seen, policy_set(self.OPT_OUT))
        assert decision.changes == ()
        step = only_step(decision, "opted_out")
        assert (step.disposition, step.sentence) == (
            "quiet",
            "opted out on one side; the stricter answer goes to every record with this address",
        )

    def test_a_blank_box_means_not_opted_out(self) -> None:
        seen = view(contact(HasOptedOutOfEmail=False), hubspot(hs_email_optout=None))
        assert steps(decide(seen, policy_set(self.OPT_OUT)), "opted_out") == [("equal", "")]

    def test_consent_is_looked_at_before_everything_else(self) -> None:
        seen = view(contact(HasOptedOutOfEmail=False, Title="a"), hubspot(hs_email_optout=None, jobtitle="a"))
        decision = decide(seen, policy_set(TITLE, self.OPT_OUT))
        assert [step.field for step in decision.trace] == ["opted_out", "job_title"]


OWNER = rule("owner", salesforce="OwnerId", hubspot="hubspot_owner_id", is_owner=True)


class TestOwner:
    def seen(self, owner: str, base: tuple[FieldValue, FieldValue] | None, *, active: bool = True) -> View:
        owners = {
            ("salesforce", "005KIM"): Owner("salesforce", "005KIM", "kim@example.com", "Kim Lee", True),
            ("salesforce", "005SAM"): Owner("salesforce", "005SAM", "sam@example.com", "Sam Roy", True),
            ("hubspot", "71"): Owner("hubspot", "71", "kim@example.com", "Kim Lee", True),
            ("hubspot", "72"): Owner("hubspot", "72", "sam@example.com", "Sam Roy", active),
        }
        bases = {"owner": base} if base else {}
        return view(
            contact(OwnerId=owner), hubspot(hubspot_owner_id="71"), bases, owners=OwnerMap(owners, systems=SYSTEMS)
        )

    def test_two_ids_of_one_person_are_equal(self) -> None:
        decision = decide(self.seen("005KIM", None), policy_set(OWNER))
        assert steps(decision, "owner") == [("equal", "")]

    def test_an_owner_change_is_written_as_the_other_sides_id(self) -> None:
        decision = decide(self.seen("005SAM", ("005KIM", "71")), policy_set(OWNER))
        cell = only_change(decision).cells[0]
        assert (cell.after, cell.meaning) == ("72", "owner")
        assert "“Sam Roy”" in cell.why.sentence

    def test_an_inactive_owner_is_skipped_with_the_reason(self) -> None:
        decision = decide(self.seen("005SAM", ("005KIM", "71"), active=False), policy_set(OWNER))
        assert decision.changes == ()
        step = only_step(decision, "owner")
        assert step.disposition == "skipped"
        assert "inactive" in step.sentence

    def test_the_policys_otherwise_takes_over_from_somebody_unknown(self) -> None:
        policies = policy_set(replace(OWNER, owner_otherwise="sam@example.com"))
        decision = decide(self.seen("005NEW", ("005KIM", "71")), policies)
        assert writes(decision) == {"hubspot": {"hubspot_owner_id": "72"}}

    def test_an_otherwise_that_owns_it_already_is_left_alone(self) -> None:
        policies = policy_set(replace(OWNER, owner_otherwise="kim@example.com"))
        decision = decide(self.seen("005NEW", ("005KIM", "71")), policies)
        assert decision.changes == ()
        assert decision.adopt["owner"] == {"salesforce": "005NEW", "hubspot": "71"}


def creating(*creates: CreateRule, required: bool = True) -> PolicySet:
    names = (
        [
            rule("first_name", salesforce="FirstName", hubspot="firstname"),
            rule("last_name", salesforce="LastName", hubspot="lastname"),
        ]
        if required
        else []
    )
    return policy_set(EMAIL, TITLE, COUNTRY, SCORE, *names, creates=creates)


TO_HUBSPOT = create_rule("hubspot", "contacts", ("Contact", "Lead"))


class TestCreating:
    NEW = contact(Email="ann@acme.com", Title=None, MailingCountry="US", FirstName="Ann", LastName="Lee")

    def decided(self, seen: View, *creates: CreateRule) -> Decision:
        return decide(seen, creating(*creates or (TO_HUBSPOT,)))

    def test_a_create_carries_filled_values_the_link_key_and_its_line(self) -> None:
        seen = view(self.NEW, None, may_create=True, link_key={"hubspot": ("truce_key", "person-57-1")})
        change = only_change(self.decided(seen))
        assert (change.op, change.object_type, change.record_id, change.key) == (
            "create",
            "contacts",
            None,
            ("truce_key", "person-57-1"),
        )
        assert {cell.vendor_field: cell.after for cell in change.cells} == {
            "email": "ann@acme.com",
            "firstname": "Ann",
            "lastname": "Lee",
        }
        assert {cell.meaning for cell in change.cells} == {"create"}
        assert {cell.why.rule for cell in change.cells} == {"rule-create"}

    def test_a_side_that_never_travels_does_not_travel_into_a_create(self) -> None:
        change = only_change(self.decided(view(self.NEW, None, may_create=True)))
        assert "country" not in {cell.vendor_field for cell in change.cells}

    def test_without_a_create_rule_nothing_is_created(self) -> None:
        decision = decide(view(self.NEW, None, may_create=True), BASICS)
        assert decision.changes == ()
        assert steps(decision, "create") == [("nothing", "hubspot")]

    def test_a_missing_required_field_is_named(self) -> None:
        decision = self.decided(view(with_(self.NEW, Email=None), None, may_create=True))
        assert decision.changes == ()
        step = only_step(decision, "create")
        assert (step.disposition, step.system) == ("skipped", "hubspot")
        assert "email" in step.sentence

    @pytest.mark.parametrize(
        "more",
        [
            {"may_create": False},
            {"may_create": True, "flags": frozenset({"suspected duplicate"})},
        ],
    )
    def test_unsettled_pairing_and_suspected_duplicates_create_nothing(self, more: dict[str, object]) -> None:
        decision = self.decided(view(self.NEW, None, **more))
        assert decision.changes == ()
        assert steps(decision, "create") == [("skipped", "hubspot")]

    def test_an_undone_create_stays_undone(self) -> None:
        frozen = (Frozen("create", "hubspot", "any", "undone with B-7"),)
        decision = self.decided(view(self.NEW, None, may_create=True, frozen=frozen))
        assert decision.changes == ()
        assert steps(decision, "create") == [("frozen", "hubspot")]

    def test_a_condition_that_does_not_hold_is_told_with_its_value(self) -> None:
        to_salesforce = create_rule("salesforce", "Lead", ("contacts",), line("score >= 60"))
        decision = self.decided(view(None, ANN_IN_HUBSPOT, may_create=True), to_salesforce)
        assert decision.changes == ()
        assert "score >= 60" in only_step(decision, "create").sentence

    def test_only_the_named_object_types_become_records(self) -> None:
        only_contacts = create_rule("hubspot", "contacts", ("Contact",))
        person = lead(Email="ann@acme.com", Title=None, Country="US", FirstName="A", LastName="L")
        assert self.decided(view(person, None, may_create=True), only_contacts).changes == ()

    def test_a_company_that_exists_over_there_is_named_as_parent(self) -> None:
        seen = view(self.NEW, None, may_create=True, parents={"salesforce": "001A", "hubspot": "900"})
        assert only_change(self.decided(seen)).parents == {"company": "900"}

    def test_people_wait_for_a_company_that_is_about_to_be_created(self) -> None:
        coming = frozenset({"hubspot"})
        decision = self.decided(view(self.NEW, None, may_create=True, parents={"salesforce": "001A"}, coming=coming))
        assert decision.changes == ()
        assert "companies come first" in only_step(decision, "create").sentence

    def test_people_do_not_wait_for_a_company_that_nobody_creates(self) -> None:
        decision = self.decided(view(self.NEW, None, may_create=True, parents={"salesforce": "001A"}))
        assert only_change(decision).parents == {}

    def test_a_new_record_starts_at_the_stage_of_its_source(self) -> None:
        policies = policy_set(EMAIL, creates=(TO_HUBSPOT,), stages=lifecycle())
        person = contact(Email="ann@acme.com", Customer_Stage__c="Customer")
        change = only_change(decide(view(person, None, may_create=True), policies))
        assert {cell.vendor_field: cell.after for cell in change.cells}["lifecyclestage"] == "customer"

    def test_schemas_tell_what_a_create_requires(self) -> None:
        fields = {"jobtitle": FieldSchema("jobtitle", "Job title", "text", True, required=True)}
        schemas = {("hubspot", "contacts"): ObjectSchema("hubspot", "contacts", "Contact", fields)}
        decision = decide(view(self.NEW, None, may_create=True), prepare(creating(TO_HUBSPOT), schemas))
        assert decision.changes == ()
        assert "jobtitle" in only_step(decision, "create").sentence
