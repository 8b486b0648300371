"""The emulator's HubSpot, one record at a time: ids, values, stamps, histories, the recycle bin."""

from __future__ import annotations

from typing import Any

import pytest
from practice_portal import PracticePortal, code, problem, refusal

from connectors.emulator.admin_client import AdminRefusedError
from connectors.emulator.serve import Emulator

NOW = "2026-11-02T09:00:00.000Z"


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


@pytest.fixture
def newest(emulator: Emulator) -> PracticePortal:
    """The same portal, spoken to in 2026-09."""
    return PracticePortal(emulator, "2026-09")


def test_ids_are_numbers_as_text_and_rise_within_a_type(portal: PracticePortal) -> None:
    """13"""
    contacts = [portal.make() for _ in range(12)]
    assert [int(one) for one in contacts] == sorted(int(one) for one in contacts)
    assert len({len(one) for one in contacts}) == 2, "ids of two and of three digits: as text 100 comes before 99"
    assert portal.make("companies") not in contacts


def test_every_value_is_text_or_null(portal: PracticePortal) -> None:
    """14"""
    contact = portal.make(email="ada@example.com", lead_score=70, hs_buying_role="CHAMPION;LEGAL_AND_COMPLIANCE")
    company = portal.make("companies", annualrevenue=1_000_000.5, numberofemployees="17")
    assert portal.values("contacts", contact, "lead_score", "hs_buying_role") == {
        "lead_score": "70",
        "hs_buying_role": "CHAMPION;LEGAL_AND_COMPLIANCE",
    }
    assert portal.values("companies", company, "annualrevenue", "numberofemployees") == {
        "annualrevenue": "1000000.5",
        "numberofemployees": "17",
    }
    assert portal.read("contacts", contact, "lead_score").properties["hs_object_id"] == contact


@pytest.mark.parametrize(
    ("object_type", "names"),
    [
        ("contacts", {"firstname", "lastname", "email", "lastmodifieddate", "hs_object_id", "createdate"}),
        ("companies", {"name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"}),
        (
            "deals",
            {"dealname", "amount", "closedate", "pipeline", "dealstage"}
            | {"createdate", "hs_lastmodifieddate", "hs_object_id"},
        ),
        (
            "tickets",
            {"content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_category", "hs_ticket_priority", "subject"}
            | {"createdate", "hs_lastmodifieddate", "hs_object_id"},
        ),
        ("tasks", {"hs_createdate", "hs_lastmodifieddate", "hs_object_id"}),
        ("notes", {"hs_createdate", "hs_lastmodifieddate", "hs_object_id"}),
        ("calls", {"hs_createdate", "hs_lastmodifieddate", "hs_object_id"}),
        ("meetings", {"hs_createdate", "hs_lastmodifieddate", "hs_object_id"}),
        ("emails", {"hs_createdate", "hs_lastmodifieddate", "hs_object_id"}),
    ],
)
def test_a_read_without_names_shows_the_default_properties(
    portal: PracticePortal, object_type: str, names: set[str]
) -> None:
    """14"""
    assert set(portal.read(object_type, portal.make(object_type)).properties) == names


def test_an_unset_property_reads_null_and_an_unknown_one_is_left_out(portal: PracticePortal) -> None:
    """14"""
    found = portal.read("contacts", portal.make(email="ada@example.com"), "city", "dragons").properties
    assert found["city"] is None
    assert set(found) == {"city", "createdate", "lastmodifieddate", "hs_object_id"}


def test_contacts_keep_their_stamp_under_another_name(portal: PracticePortal) -> None:
    """15"""
    contact, company = portal.make(), portal.make("companies")
    portal.advance(60)
    for object_type, record_id, stamp in (
        ("contacts", contact, "lastmodifieddate"),
        ("companies", company, "hs_lastmodifieddate"),
    ):
        portal.change(object_type, record_id, city="Turin")
        found = portal.read(object_type, record_id)
        assert found.properties["createdate"] == NOW
        assert found.properties[stamp] == "2026-11-02T09:01:00.000Z"
        assert found.updated_at > found.created_at


def test_an_identical_value_moves_the_stamp_unless_switched_off(portal: PracticePortal) -> None:
    """15"""
    contact = portal.make(city="Turin")
    stamps = []
    for _ in range(2):
        portal.advance(60)
        portal.change("contacts", contact, city="Turin")
        stamps.append(portal.value("contacts", contact, "lastmodifieddate"))
        portal.switch("identical_write", "ignored")
    assert stamps == ["2026-11-02T09:01:00.000Z"] * 2
    assert len(portal.history("contacts", contact, "city")) == 1
    portal.switch("identical_write", "recorded")
    portal.person_edits("contacts", contact, city="Turin", jobtitle="CTO")
    assert [one.source_type for one in portal.history("contacts", contact, "city")] == ["CRM_UI", "INTEGRATION"]


def test_an_e_mail_is_kept_in_lower_case(portal: PracticePortal) -> None:
    """16"""
    assert portal.value("contacts", portal.make(email="Ada@Example.COM"), "email") == "ada@example.com"


def test_a_taken_e_mail_is_a_conflict_that_names_the_other(portal: PracticePortal) -> None:
    """16"""
    ada, bea = portal.make(email="ada@example.com"), portal.make(email="bea@example.com")
    for call in (
        lambda: portal.make(email="ADA@example.com"),
        lambda: portal.change("contacts", bea, email="ada@example.com"),
    ):
        status, body = refusal(call)
        assert (status, body["category"]) == (409, "CONFLICT")
        assert body["message"] == f"Contact already exists. Existing ID: {ada}"


def test_a_further_e_mail_of_a_merged_contact_collides_too(portal: PracticePortal) -> None:
    """16"""
    ada, old = portal.make(email="ada@example.com"), portal.make(email="old@example.com")
    survivor = portal.merge(ada, old)
    _, body = refusal(portal.make, email="old@example.com")
    assert body["message"] == f"Contact already exists. Existing ID: {survivor}"
    assert portal.read("contacts", "old@example.com", id_property="email").id == survivor


def test_the_e_mail_of_an_archived_contact_is_free_unless_switched_off(portal: PracticePortal) -> None:
    """16"""
    gone = portal.make(email="ada@example.com")
    portal.basic.archive("contacts", gone)
    again = portal.make(email="ada@example.com")
    portal.basic.archive("contacts", again)
    portal.switch("archived_email_conflicts", True)
    assert code(portal.make, email="ada@example.com") == (409, "CONFLICT")


def test_a_value_that_must_be_unique_is_refused_twice(portal: PracticePortal) -> None:
    """16"""
    portal.make(truce_key="person-1-1")
    assert problem(portal.make, truce_key="person-1-1") == ("CONFLICTING_UNIQUE_VALUE", "truce_key")
    portal.switch("unique_conflict", 409)
    assert code(portal.make, truce_key="PERSON-1-1") == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Engines.EXAMPLE", "engines.example"),
        ("https://www.engines.example/about?x=1", "engines.example"),
        ("http://engines.example:8080", "engines.example"),
        ("www.engines.example", "engines.example"),
    ],
)
def test_a_company_domain_is_cleaned_and_may_be_there_twice(portal: PracticePortal, sent: str, kept: str) -> None:
    """17"""
    assert [portal.value("companies", portal.make("companies", domain=sent), "domain") for _ in range(2)] == [kept] * 2


def test_a_company_domain_keeps_its_dress_when_switched_so(portal: PracticePortal) -> None:
    """17"""
    portal.switch("domain_strips", False)
    company = portal.make("companies", domain="WWW.Engines.example/about")
    assert portal.value("companies", company, "domain") == "www.engines.example/about"


@pytest.mark.parametrize(
    ("object_type", "values", "expected"),
    [
        ("contacts", {"dragons": "3"}, ("PROPERTY_DOESNT_EXIST", "dragons")),
        ("contacts", {"lifecyclestage": "Lead"}, ("INVALID_OPTION", "lifecyclestage")),
        ("contacts", {"hs_lead_status": "new"}, ("INVALID_OPTION", "hs_lead_status")),
        ("contacts", {"hs_buying_role": "CHAMPION;KING"}, ("INVALID_OPTION", "hs_buying_role")),
        ("contacts", {"hubspot_owner_id": "1"}, ("INVALID_OPTION", "hubspot_owner_id")),
        ("contacts", {"email": "ada"}, ("INVALID_EMAIL", "email")),
        ("contacts", {"email": "ada@example"}, ("INVALID_EMAIL", "email")),
        ("contacts", {"lead_score": "many"}, ("INVALID_INTEGER", "lead_score")),
        ("contacts", {"lead_score": "1e5"}, ("INVALID_INTEGER", "lead_score")),
        ("contacts", {"lead_score": "1,000"}, ("INVALID_INTEGER", "lead_score")),
        ("contacts", {"hs_email_optout": "true"}, ("READ_ONLY_VALUE", "hs_email_optout")),
        ("contacts", {"hs_object_id": "7"}, ("READ_ONLY_VALUE", "hs_object_id")),
        ("contacts", {"lastmodifieddate": NOW}, ("READ_ONLY_VALUE", "lastmodifieddate")),
        ("contacts", {"jobtitle": "x" * 65_537}, ("VALUE_TOO_LONG", "jobtitle")),
        ("deals", {"dealstage": "wizardry"}, ("INVALID_OPTION", "dealstage")),
        ("deals", {"pipeline": "other"}, ("INVALID_OPTION", "pipeline")),
        ("deals", {"closedate": "soon"}, ("INVALID_LONG", "closedate")),
        ("deals", {"closedate": "2026-11-02T09:00:00"}, ("INVALID_LONG", "closedate")),
        ("companies", {"numberofemployees": "ten"}, ("INVALID_INTEGER", "numberofemployees")),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_two_forms(
    portal: PracticePortal, object_type: str, values: dict[str, str], expected: tuple[str, str]
) -> None:
    """18"""
    record_id = portal.make(object_type)
    assert problem(portal.make, object_type, **values) == expected
    assert problem(portal.change, object_type, record_id, **values) == expected


def test_every_bad_value_of_a_record_is_named_at_once(portal: PracticePortal) -> None:
    """18"""
    _, body = refusal(portal.make, email="ada", dragons="3", lead_score="many")
    assert [error["code"] for error in body["errors"]] == ["INVALID_EMAIL", "PROPERTY_DOESNT_EXIST", "INVALID_INTEGER"]
    assert portal.found() == []


def test_a_refused_option_and_stage_list_the_choices(portal: PracticePortal) -> None:
    """18"""
    _, body = refusal(portal.make, lifecyclestage="wizard")
    allowed = "subscriber, lead, marketingqualifiedlead, salesqualifiedlead, opportunity, customer, evangelist, other"
    assert body["errors"][0]["message"] == f"wizard was not one of the allowed options: [{allowed}]"
    _, body = refusal(portal.make, "deals", dealstage="wizardry")
    assert body["errors"][0]["message"].startswith(
        "wizardry is not a valid pipeline stage ID. Valid options are: pipelineId=default : [appointmentscheduled, "
    )


def test_an_archived_owner_cannot_be_assigned_unless_switched_so(portal: PracticePortal) -> None:
    """18, 56"""
    (gone,) = portal.client.crm.owners.owners_api.get_page(archived=True).results
    assert problem(portal.make, hubspot_owner_id=gone.id) == ("INVALID_OPTION", "hubspot_owner_id")
    portal.switch("owner_must_be_active", False)
    assert portal.value("contacts", portal.make(hubspot_owner_id=gone.id), "hubspot_owner_id") == gone.id


def test_a_person_sets_what_the_api_only_reads(portal: PracticePortal) -> None:
    """18, 60"""
    contact = portal.make(email="ada@example.com")
    portal.person_edits("contacts", contact, hs_email_optout=True)
    assert portal.value("contacts", contact, "hs_email_optout") == "true"


@pytest.mark.parametrize(
    ("object_type", "missing"),
    [
        ("companies", ["name", "domain"]),
        ("deals", ["dealname", "dealstage"]),
        ("tickets", ["subject", "hs_pipeline_stage"]),
        ("tasks", ["hs_timestamp"]),
        ("notes", ["hs_timestamp"]),
        ("calls", ["hs_timestamp"]),
        ("meetings", ["hs_timestamp"]),
        ("emails", ["hs_timestamp"]),
        ("leads", ["hs_lead_name"]),
    ],
)
def test_what_a_type_needs_is_named(portal: PracticePortal, object_type: str, missing: list[str]) -> None:
    """18"""
    status, body = refusal(portal.basic.create, object_type, {"properties": {}})
    assert (status, body["context"]["properties"]) == (400, missing)


def test_a_contact_needs_nothing_unless_switched_so(portal: PracticePortal) -> None:
    """18"""
    portal.make()
    portal.switch("contact_needs_identity", True)
    assert code(portal.make, city="Turin") == (400, "VALIDATION_ERROR")
    portal.make(lastname="King")


def test_the_empty_text_clears_and_null_does_not(portal: PracticePortal) -> None:
    """19"""
    contact = portal.make(city="Turin", jobtitle="CTO")
    portal.change("contacts", contact, city="", jobtitle=None)
    assert portal.values("contacts", contact, "city", "jobtitle") == {"city": None, "jobtitle": "CTO"}
    portal.switch("null_clears", True)
    portal.change("contacts", contact, jobtitle=None)
    assert portal.value("contacts", contact, "jobtitle") is None
    portal.switch("cleared_reads_as", "")
    portal.change("contacts", contact, city="Bari")
    portal.change("contacts", contact, city="")
    assert portal.value("contacts", contact, "city") == ""


def test_a_leading_semicolon_adds_to_a_multiple_choice(portal: PracticePortal) -> None:
    """19"""
    contact = portal.make(hs_buying_role="CHAMPION")
    portal.change("contacts", contact, hs_buying_role=";BLOCKER;CHAMPION")
    assert portal.value("contacts", contact, "hs_buying_role") == "CHAMPION;BLOCKER"
    portal.change("contacts", contact, hs_buying_role="OTHER")
    assert portal.value("contacts", contact, "hs_buying_role") == "OTHER"


def with_dates(portal: PracticePortal) -> None:
    group = {"groupName": "contactinformation", "fieldType": "date"}
    api = portal.client.crm.properties.core_api
    api.create("contacts", {"name": "born", "label": "Born", "type": "date", **group})
    api.create("contacts", {"name": "seen", "label": "Seen", "type": "datetime", **group})


@pytest.mark.parametrize("sent", ["1990-05-01", "641520000000", 641520000000, "1990-05-01T00:00:00Z"])
def test_a_date_is_a_day_or_its_midnight_in_utc(portal: PracticePortal, sent: Any) -> None:
    """20"""
    with_dates(portal)
    assert portal.value("contacts", portal.make(born=sent), "born") == "1990-05-01"


@pytest.mark.parametrize("sent", ["1990-05-01T12:30:00Z", "641520000001", "1990-05-01T00:00:00+02:00"])
def test_another_hour_is_refused_until_2026_09_which_mends_it_and_warns(
    portal: PracticePortal, newest: PracticePortal, sent: str
) -> None:
    """20"""
    with_dates(portal)
    assert problem(portal.make, born=sent) == ("INVALID_DATE", "born")
    assert problem(PracticePortal(portal.emulator, "2026-03").make, born=sent) == ("INVALID_DATE", "born")
    status, made = newest.request("POST", "/crm/objects/2026-09/contacts", {"properties": {"born": sent}})
    kept = "1990-04-30" if "+02:00" in sent else "1990-05-01"
    assert (status, made["properties"]["born"]) == (201, kept)
    (warning,) = made["warnings"]
    assert (warning["category"], warning["message"]) == ("PROPERTY_VALUE_NORMALIZED", "born was normalized")
    assert warning["context"]["normalizedValue"] == [kept]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-11-02T09:30:00Z", "2026-11-02T09:30:00.000Z"),
        ("2026-11-02T09:30:00.123+05:30", "2026-11-02T04:00:00.123Z"),
        ("1793610000000", "2026-11-02T09:00:00.000Z"),
    ],
)
def test_a_moment_is_kept_in_utc_with_milliseconds(portal: PracticePortal, sent: str, kept: str) -> None:
    """20"""
    with_dates(portal)
    assert portal.value("contacts", portal.make(seen=sent), "seen") == kept


def test_a_record_is_read_and_changed_by_a_unique_property(portal: PracticePortal) -> None:
    """21"""
    contact = portal.make(email="ada@example.com", truce_key="person-1-1")
    portal.basic.update("contacts", "Ada@Example.com", {"properties": {"city": "Turin"}}, id_property="email")
    portal.basic.update("contacts", "person-1-1", {"properties": {"jobtitle": "CTO"}}, id_property="truce_key")
    assert portal.values("contacts", contact, "city", "jobtitle") == {"city": "Turin", "jobtitle": "CTO"}
    missing = (portal.read, "contacts", "bea@example.com")
    assert code(*missing, id_property="email") == (404, "OBJECT_NOT_FOUND")
    assert code(portal.read, "contacts", "Turin", id_property="city") == (400, "VALIDATION_ERROR")


def test_a_write_answers_with_what_changed_and_not_the_whole_record(portal: PracticePortal) -> None:
    """21"""
    contact = portal.make(email="ada@example.com", city="Turin")
    changed = portal.change("contacts", contact, jobtitle="CTO")
    assert set(changed.properties) == {"jobtitle", "createdate", "lastmodifieddate", "hs_object_id"}


def test_history_is_newest_first_and_says_who(portal: PracticePortal) -> None:
    """22"""
    contact = portal.make(jobtitle="Trainee")
    portal.advance(60)
    portal.person_edits("contacts", contact, jobtitle="CTO")
    portal.advance(60)
    portal.person(
        "edit", object="contacts", id=contact, values={"jobtitle": ""}, actor={"id": "w", "cause": "automation"}
    )
    cleared, person, first = portal.history("contacts", contact, "jobtitle")
    assert (cleared.value, cleared.source_type) == ("", "AUTOMATION_PLATFORM")
    assert (person.value, person.source_type) == ("CTO", "CRM_UI")
    assert person.source_id == f"userId:{person.updated_by_user_id}"
    assert (first.value, first.source_type, first.source_id) == ("Trainee", "INTEGRATION", "8151242")
    assert cleared.timestamp > person.timestamp > first.timestamp


def test_a_record_says_who_created_it(portal: PracticePortal) -> None:
    """22"""
    ours, theirs = portal.make(), portal.person_makes()
    assert portal.values("contacts", ours, "hs_object_source", "hs_object_source_id") == {
        "hs_object_source": "INTEGRATION",
        "hs_object_source_id": "8151242",
    }
    assert portal.value("contacts", theirs, "hs_object_source") == "CRM_UI"


def test_an_archived_record_is_gone_until_asked_for(portal: PracticePortal) -> None:
    """23"""
    contact = portal.make(email="ada@example.com")
    portal.advance(60)
    portal.basic.archive("contacts", contact)
    assert code(portal.read, "contacts", contact) == (404, "OBJECT_NOT_FOUND")
    assert code(portal.change, "contacts", contact, city="Turin") == (404, "OBJECT_NOT_FOUND")
    found = portal.read("contacts", contact, archived=True)
    assert (found.archived, found.archived_at.isoformat()) == (True, "2026-11-02T09:01:00+00:00")
    live = portal.make()
    assert code(portal.read, "contacts", live, archived=True) == (404, "OBJECT_NOT_FOUND")


def test_archiving_twice_is_fine_unless_switched_so(portal: PracticePortal) -> None:
    """23"""
    contact = portal.make()
    path = f"/crm/v3/objects/contacts/{contact}"
    assert [portal.raw("DELETE", path).status_code for _ in range(2)] == [204, 204]
    portal.switch("archive_again", 404)
    assert portal.raw("DELETE", path).status_code == 404
    assert portal.raw("DELETE", "/crm/v3/objects/contacts/404").status_code == 404


def test_lists_go_by_id_in_pages_and_the_bin_has_its_own(portal: PracticePortal) -> None:
    """24"""
    contacts = [portal.make() for _ in range(7)]
    for contact in contacts[::2]:
        portal.basic.archive("contacts", contact)

    def listed(*, archived: bool) -> list[str]:
        found, after = [], None
        while True:
            more = {"after": after} if after else {}
            page = portal.basic.get_page("contacts", limit=2, archived=archived, **more)
            found += [one.id for one in page.results]
            if page.paging is None:
                return found
            after = page.paging.next.after

    assert listed(archived=False) == contacts[1::2]
    assert listed(archived=True) == contacts[::2]


def test_a_list_is_not_shifted_by_a_record_that_goes(portal: PracticePortal) -> None:
    """24"""
    contacts = [portal.make() for _ in range(4)]
    page = portal.basic.get_page("contacts", limit=2)
    portal.basic.archive("contacts", contacts[0])
    rest = portal.basic.get_page("contacts", limit=2, after=page.paging.next.after)
    assert [one.id for one in rest.results] == contacts[2:]


@pytest.mark.parametrize(
    "options",
    [{"limit": 101}, {"limit": 0}, {"limit": 51, "properties_with_history": ["city"]}, {"after": "x"}],
)
def test_a_list_has_limits(portal: PracticePortal, options: dict[str, Any]) -> None:
    """24"""
    assert code(portal.basic.get_page, "contacts", **options) == (400, "VALIDATION_ERROR")


def test_only_people_bring_a_record_back_and_it_keeps_its_id(portal: PracticePortal) -> None:
    """25"""
    contact = portal.make(email="ada@example.com")
    portal.basic.archive("contacts", contact)
    portal.person("undelete", object="contacts", id=contact)
    assert portal.read("contacts", contact).id == contact
    assert portal.found() == [contact]


def test_the_bin_forgets_after_ninety_days(portal: PracticePortal) -> None:
    """23, 24, 25"""
    contact, merged = portal.make(email="ada@example.com"), portal.make()
    survivor = portal.merge(merged, portal.make())
    portal.basic.archive("contacts", contact)
    portal.switch("archived_email_conflicts", True)
    portal.advance(90 * 86_400 - 1)
    assert portal.read("contacts", contact, archived=True).id == contact
    assert code(portal.make, email="ada@example.com") == (409, "CONFLICT")
    portal.advance(1)
    assert code(portal.read, "contacts", contact, archived=True) == (404, "OBJECT_NOT_FOUND")
    assert portal.basic.get_page("contacts", archived=True).results == []
    gone = portal.batch.read("contacts", {"properties": [], "inputs": [{"id": contact}]}, archived=True)
    assert gone.errors[0].context == {"ids": [contact]}
    assert code(portal.basic.archive, "contacts", contact) == (404, "OBJECT_NOT_FOUND")
    with pytest.raises(AdminRefusedError, match="not archived"):
        portal.person("undelete", object="contacts", id=contact)
    portal.make(email="ada@example.com")
    assert portal.read("contacts", merged).id == survivor, "a merge is for good"


def test_privacy_deletion_leaves_nothing(portal: PracticePortal) -> None:
    """25, 60"""
    contact, company = portal.make(email="ada@example.com"), portal.make("companies")
    portal.associate(contact, company)
    api = portal.client.crm.contacts.basic_api
    api.purge({"objectId": "ADA@example.com", "idProperty": "email"})
    for archived in (False, True):
        assert code(portal.read, "contacts", contact, archived=archived) == (404, "OBJECT_NOT_FOUND")
    associations = portal.client.crm.associations.v4.basic_api
    assert associations.get_page("companies", company, "contacts").results == []
    assert code(api.purge, {"objectId": contact}) == (404, "OBJECT_NOT_FOUND")
    api.purge({"objectId": "unknown@example.com", "idProperty": "email"})
    portal.make(email="ada@example.com")


def test_activities_are_made_read_and_tied_to_people(portal: PracticePortal) -> None:
    """activities"""
    contact = portal.make(email="ada@example.com")
    kinds = {"tasks": 204, "notes": 202, "calls": 194, "meetings": 200, "emails": 198}
    for object_type, number in kinds.items():
        tie = {
            "to": {"id": contact},
            "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}],
        }
        activity = portal.make(object_type, [tie], hs_timestamp="2026-11-03T10:00:00Z")
        found = portal.read(object_type, activity, "hs_timestamp", associations=["contacts"])
        assert found.properties["hs_timestamp"] == "2026-11-03T10:00:00.000Z"
        assert [one.id for one in found.associations["contacts"].results] == [contact]


def test_a_task_has_its_own_choices(portal: PracticePortal) -> None:
    """18, activities"""
    task = portal.make("tasks", hs_task_subject="Call Ada", hs_task_status="NOT_STARTED", hs_task_priority="HIGH")
    portal.change("tasks", task, hs_task_status="COMPLETED")
    assert portal.value("tasks", task, "hs_task_status") == "COMPLETED"
    assert problem(portal.change, "tasks", task, hs_task_status="DONE") == ("INVALID_OPTION", "hs_task_status")


def test_a_lead_needs_its_primary_contact_and_goes_with_it(portal: PracticePortal) -> None:
    """leads"""
    contact = portal.make(email="ada@example.com")
    assert code(portal.make, "leads") == (400, "VALIDATION_ERROR")
    primary = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 578}]
    lead = portal.make("leads", [{"to": {"id": contact}, "types": primary}], hs_lead_label="WARM")
    assert portal.value("leads", lead, "hs_lead_label") == "WARM"
    portal.client.crm.associations.v4.basic_api.archive("leads", lead, "contacts", contact)
    assert code(portal.read, "leads", lead) == (404, "OBJECT_NOT_FOUND")
