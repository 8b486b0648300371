"""What the emulator's HubSpot answers under v1 and v2, as singer-io/tap-hubspot 4.5.0 reads it."""

from __future__ import annotations

from typing import Any

import pytest
from practice_portal import PracticePortal, code

from connectors.emulator.serve import Emulator

NOW = 1_793_610_000_000
"""The moment the practice clock stands at, in milliseconds."""


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


def get(portal: PracticePortal, path: str, **query: Any) -> Any:
    answer = portal.raw("GET", path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_companies_come_in_pages_by_their_ids(portal: PracticePortal) -> None:
    """legacy"""
    companies = [portal.make("companies") for _ in range(5)]
    portal.basic.archive("companies", companies[2])
    found, offset = [], 0
    while True:
        page = get(portal, "/companies/v2/companies/paged", limit=2, offset=offset, properties="name")
        found += [str(one["companyId"]) for one in page["companies"]]
        offset = page["offset"]
        if not page["has-more"]:
            break
    assert found == [*companies[:2], *companies[3:]]
    assert portal.raw("GET", "/companies/v2/companies/paged?limit=251").status_code == 400


def test_a_value_of_v2_stands_with_its_moment_and_its_source(portal: PracticePortal) -> None:
    """legacy"""
    company = portal.make("companies", name="Engines", city="Turin")
    portal.advance(60)
    portal.person_edits("companies", company, city="Bari")
    listed = get(portal, "/companies/v2/companies/paged", properties=["city", "hs_lastmodifieddate", "phone"])
    (shown,) = listed["companies"]
    assert set(shown["properties"]) == {"city", "hs_lastmodifieddate"}, "no value, not there"
    city, stamp = shown["properties"]["city"], shown["properties"]["hs_lastmodifieddate"]
    assert (city["value"], city["timestamp"], city["source"]) == ("Bari", NOW + 60_000, "CRM_UI")
    assert (stamp["value"], stamp["timestamp"]) == (str(NOW + 60_000), NOW + 60_000)
    whole = get(portal, f"/companies/v2/companies/{company}")["properties"]
    assert [one["value"] for one in whole["city"]["versions"]] == ["Bari", "Turin"]
    assert whole["city"]["versions"][1]["source"] == "INTEGRATION"
    assert {"name", "createdate", "hs_object_id"} <= set(whole)
    portal.basic.archive("companies", company)
    assert portal.raw("GET", f"/companies/v2/companies/{company}").status_code == 404


def test_deals_of_v1_show_what_was_asked_for(portal: PracticePortal) -> None:
    """legacy"""
    contact = portal.make()
    tie = {"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]}
    deal = portal.make("deals", [tie], amount="1000")
    (bare,) = get(portal, "/deals/v1/deal/paged")["deals"]
    assert (bare["properties"], bare["associations"]["associatedVids"]) == ({}, [])
    page = get(portal, "/deals/v1/deal/paged", includeAssociations="True", includeAllProperties="True")
    (told,) = page["deals"]
    assert (str(told["dealId"]), told["isDeleted"], page["hasMore"]) == (deal, False, False)
    assert told["associations"]["associatedVids"] == [int(contact)]
    assert told["properties"]["amount"]["value"] == "1000"
    portal.change("deals", deal, amount="2000")
    lengths = {
        mode: len(
            get(portal, "/deals/v1/deal/paged", includeAllProperties="true", allPropertiesFetchMode=mode)["deals"][0][
                "properties"
            ]["amount"]["versions"]
        )
        for mode in ("latest_version", "all_versions")
    }
    assert lengths == {"latest_version": 1, "all_versions": 2}


def test_definitions_and_pipelines_of_v1_are_lists(portal: PracticePortal) -> None:
    """legacy"""
    companies = {one["name"]: one for one in get(portal, "/companies/v2/properties")}
    assert companies["name"]["type"] == "string"
    assert companies["hs_lastmodifieddate"]["readOnlyValue"] is True
    deals = {one["name"] for one in get(portal, "/properties/v1/deals/properties")}
    assert {"dealname", "dealstage"} <= deals
    (pipeline,) = get(portal, "/deals/v1/pipelines")
    won = next(one for one in pipeline["stages"] if one["stageId"] == "closedwon")
    assert (pipeline["pipelineId"], won["probability"], won["closedWon"]) == ("default", 1.0, True)


def test_engagements_of_all_kinds_come_by_the_moment_of_change(portal: PracticePortal) -> None:
    """activities, legacy"""
    contact, kinds = portal.make(), {"tasks": 204, "notes": 202, "calls": 194, "meetings": 200, "emails": 198}
    made: list[str] = []
    for object_type, number in kinds.items():
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}
        made.append(portal.make(object_type, [{"to": {"id": contact}, "types": [spec]}]))
        portal.advance(60)
    portal.change("tasks", made[0], hs_task_subject="Call Ada")
    found: list[dict[str, Any]] = []
    after, path = str(NOW - 1), "/engagements/v1/engagements/modified/after"
    while True:
        page = get(portal, path, after=after, limit=2)
        found += page["results"]
        after = page["after"]
        if not page["hasMore"]:
            break
    assert [one["engagement"]["type"] for one in found] == ["NOTE", "CALL", "MEETING", "EMAIL", "TASK"]
    assert [str(one["engagement"]["id"]) for one in found] == [*made[1:], made[0]]
    assert all(one["associations"]["contactIds"] == [int(contact)] for one in found)
    assert found[-1]["metadata"]["subject"] == "Call Ada"
    assert get(portal, path, after=after)["results"] == []
    assert get(portal, path, after=str(NOW + 5 * 60_000))["results"] == [], "a moment is over as a whole"


def test_an_e_mail_is_empty_without_its_own_scope(portal: PracticePortal) -> None:
    """10, legacy"""
    portal.make("emails", hs_email_subject="Hello", hs_email_status="SENT")
    path = "/engagements/v1/engagements/modified/after"
    assert get(portal, path)["results"][0]["metadata"] == {"subject": "Hello", "status": "SENT"}
    portal.person("permissions", remove_scope="sales-email-read")
    assert get(portal, path)["results"][0]["metadata"] == {}


def test_an_account_without_campaigns_forms_and_workflows_says_so(portal: PracticePortal) -> None:
    """legacy"""
    assert get(portal, "/email/public/v1/campaigns/by-id")["campaigns"] == []
    assert get(portal, "/email/public/v1/events") == {"events": [], "hasMore": False, "offset": ""}
    assert get(portal, "/email/public/v1/subscriptions/timeline")["timeline"] == []
    assert get(portal, "/forms/v2/forms") == []
    assert get(portal, "/automation/v3/workflows") == {"workflows": []}
    portal.person("permissions", remove_scope="forms")
    assert portal.raw("GET", "/forms/v2/forms").status_code == 403


def test_activities_take_what_the_guides_send(portal: PracticePortal) -> None:
    """activities"""
    sent: dict[str, dict[str, str]] = {
        "calls": {
            "hs_call_title": "Discovery", "hs_call_status": "COMPLETED", "hs_call_duration": "3800",
            "hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7", "hs_call_direction": "OUTBOUND",
            "hs_call_from_number": "(857) 829 5489", "hs_call_to_number": "(509) 999 9999",
        },
        "meetings": {
            "hs_meeting_title": "Kick-off", "hs_meeting_outcome": "SCHEDULED", "hs_meeting_location": "Remote",
            "hs_internal_meeting_notes": "n", "hs_meeting_external_url": "https://meet.example.com",
            "hs_meeting_start_time": "2026-11-02T10:00:00.000Z", "hs_meeting_end_time": "2026-11-02T11:00:00.000Z",
        },
        "emails": {"hs_email_status": "SENT", "hs_email_subject": "S", "hs_email_direction": "EMAIL"},
    }  # fmt: skip
    for object_type, values in sent.items():
        assert portal.values(object_type, portal.make(object_type, **values), *values) == values


@pytest.mark.parametrize("name", ["users", "INVOICE", "0-123"])
def test_a_type_no_key_here_may_see_lacks_its_scope_and_is_no_unknown_one(portal: PracticePortal, name: str) -> None:
    """4, 10"""
    assert code(portal.basic.get_page, name) == (403, "MISSING_SCOPES")


def test_associations_with_a_type_no_key_may_see_are_left_out(portal: PracticePortal) -> None:
    """51: tap-hubspot asks every custom object for its conversations."""
    contact, company = portal.make(), portal.make("companies")
    portal.associate(contact, company)
    found = portal.read("contacts", contact, associations=["conversations", "companies"]).associations
    assert set(found) == {"companies"}
