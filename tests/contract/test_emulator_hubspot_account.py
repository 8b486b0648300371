"""The emulator's HubSpot account: properties, pipelines, custom objects, required values, communication preferences."""

from __future__ import annotations

from typing import Any

import pytest
from practice_portal import Json, PracticePortal, code, problem, refusal

from connectors.emulator.serve import Emulator

EMAIL = "ada@example.com"


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


def told(name: str = "shoe", **more: Any) -> Json:
    usual = {"label": "Shoe", "type": "string", "fieldType": "text", "groupName": "contactinformation"}
    return {"name": name, **usual, **more}


def options(*values: str) -> list[Json]:
    return [{"label": value.upper(), "value": value} for value in values]


# Properties ----------------------------------------------------------------------------------------------------------


def test_definitions_tell_type_choices_and_what_is_read_only(portal: PracticePortal) -> None:
    """57"""
    listed = {one.name: one for one in portal.client.crm.properties.core_api.get_all("contacts").results}
    stage, owner, optout = (listed[name] for name in ("lifecyclestage", "hubspot_owner_id", "hs_email_optout"))
    assert (stage.type, stage.field_type, stage.external_options) == ("enumeration", "radio", True)
    assert [one.value for one in stage.options][:2] == ["subscriber", "lead"]
    assert (owner.referenced_object_type, owner.options) == ("OWNER", [])
    assert optout.modification_metadata.read_only_value is True
    assert (listed["email"].has_unique_value, listed["truce_key"].has_unique_value) == (False, True)
    assert (listed["city"].hubspot_defined, listed["crm_source"].hubspot_defined) == (True, False)


def test_a_property_is_made_used_changed_and_archived(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.properties.core_api
    api.create("contacts", told())
    contact = portal.make(shoe="42")
    assert api.update("contacts", "shoe", {"label": "Shoe size"}).label == "Shoe size"
    api.archive("contacts", "shoe")
    assert "shoe" not in portal.read("contacts", contact, "shoe").properties
    assert problem(portal.change, "contacts", contact, shoe="43") == ("PROPERTY_DOESNT_EXIST", "shoe")
    assert code(api.get_by_name, "contacts", "shoe") == (404, "OBJECT_NOT_FOUND")
    assert [one.name for one in api.get_all("contacts", archived=True).results] == ["shoe"]


def test_creating_an_archived_name_again_brings_its_values_back(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.properties.core_api
    api.create("contacts", told())
    contact = portal.make(shoe="42")
    api.archive("contacts", "shoe")
    api.create("contacts", told())
    assert portal.value("contacts", contact, "shoe") == "42"


def test_a_name_that_is_there_is_a_conflict(portal: PracticePortal) -> None:
    """57"""
    status, body = refusal(portal.client.crm.properties.core_api.create, "contacts", told("city"))
    assert (status, body["category"]) == (409, "OBJECT_ALREADY_EXISTS")
    assert body["subCategory"] == "Properties.PROPERTY_WITH_NAME_EXISTS"


def test_options_are_replaced_as_a_whole_and_stay_when_left_out(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.properties.core_api
    api.create("contacts", told(type="enumeration", fieldType="select", options=options("s", "m")))
    contact = portal.make(shoe="s")
    api.update("contacts", "shoe", {"label": "Size"})
    assert [one.value for one in api.get_by_name("contacts", "shoe").options] == ["s", "m"]
    api.update("contacts", "shoe", {"options": options("l")})
    assert problem(portal.change, "contacts", contact, shoe="m") == ("INVALID_OPTION", "shoe")
    assert portal.value("contacts", contact, "shoe") == "s", "a value without an option stays"


def test_uniqueness_and_sensitivity_cannot_be_changed_and_nobody_says_so(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.properties.core_api
    api.create("contacts", told())
    api.update("contacts", "shoe", {"hasUniqueValue": True, "dataSensitivity": "sensitive"})
    assert api.get_by_name("contacts", "shoe").has_unique_value is False


def test_a_property_can_be_born_unique(portal: PracticePortal) -> None:
    """57"""
    portal.client.crm.properties.core_api.create("deals", told(groupName="dealinformation", hasUniqueValue=True))
    deal = portal.make("deals", shoe="42")
    assert problem(portal.make, "deals", shoe="42") == ("CONFLICTING_UNIQUE_VALUE", "shoe")
    assert portal.read("deals", "42", id_property="shoe").id == deal


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Big Name"},
        {"name": ""},
        {"label": ""},
        {"type": "blob"},
        {"fieldType": "select"},
        {"type": "enumeration", "fieldType": "select"},
        {"type": "enumeration", "fieldType": "select", "options": [*options("a"), *options("a")]},
        {"type": "enumeration", "fieldType": "select", "options": [{"label": "A"}]},
        {"groupName": "nowhere"},
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(portal: PracticePortal, change: Json) -> None:
    """57"""
    assert code(portal.client.crm.properties.core_api.create, "contacts", told(**change)) == (400, "VALIDATION_ERROR")


def test_what_hubspot_defines_or_something_uses_is_not_archived(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.properties.core_api
    assert code(api.archive, "contacts", "city") == (400, "VALIDATION_ERROR")
    assert code(api.update, "contacts", "city", {"label": "Town"}) == (400, "VALIDATION_ERROR")
    portal.switch("properties_in_use", {"contacts": ["crm_source"]})
    status, body = refusal(api.archive, "contacts", "crm_source")
    assert (status, body["subCategory"]) == (400, "PropertyValidationError.CANNOT_DELETE_PROPERTY_IN_USE")


def test_properties_in_batches(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.properties.batch_api
    made = api.create("contacts", {"inputs": [told("shoe"), told("city"), told("hat")]})
    assert ({one.name for one in made.results}, made.num_errors) == ({"shoe", "hat"}, 1)
    read = api.read("contacts", {"archived": False, "inputs": [{"name": name} for name in ("shoe", "dragons")]})
    assert ([one.name for one in read.results], read.errors[0].category) == (["shoe"], "OBJECT_NOT_FOUND")
    api.archive("contacts", {"inputs": [{"name": name} for name in ("shoe", "hat", "dragons")]})
    read = api.read("contacts", {"archived": True, "inputs": [{"name": "shoe"}]})
    assert [one.name for one in read.results] == ["shoe"]


def test_groups_hold_properties(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.properties.groups_api
    assert [one.name for one in api.get_all("contacts").results] == ["contactinformation"]
    api.create("contacts", {"name": "clothes", "label": "Clothes", "displayOrder": 1})
    assert code(api.create, "contacts", {"name": "clothes", "label": "Clothes"}) == (409, "OBJECT_ALREADY_EXISTS")
    portal.client.crm.properties.core_api.create("contacts", told(groupName="clothes"))
    assert api.update("contacts", "clothes", {"label": "What people wear"}).label == "What people wear"
    assert code(api.archive, "contacts", "clothes") == (400, "VALIDATION_ERROR")
    portal.client.crm.properties.core_api.archive("contacts", "shoe")
    api.archive("contacts", "clothes")
    assert code(api.get_by_name, "contacts", "clothes") == (404, "OBJECT_NOT_FOUND")


def test_definitions_need_their_own_scopes(portal: PracticePortal) -> None:
    """10, 57"""
    portal.person("permissions", remove_scope="crm.schemas.contacts.write")
    assert code(portal.client.crm.properties.core_api.create, "contacts", told()) == (403, "MISSING_SCOPES")


# Pipelines -----------------------------------------------------------------------------------------------------------


def test_pipelines_come_with_their_stages(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.pipelines.pipelines_api
    (deals,) = api.get_all("deals").results
    assert (deals.id, [one.id for one in deals.stages][-2:]) == ("default", ["closedwon", "closedlost"])
    assert deals.stages[-2].metadata == {"isClosed": "true", "probability": "1.0"}
    (tickets,) = api.get_all("tickets").results
    assert (tickets.id, [one.metadata["ticketState"] for one in tickets.stages][-1]) == ("0", "CLOSED")
    for object_type in ("contacts", "companies"):
        assert len(api.get_all(object_type).results[0].stages) == 8
    assert code(api.get_all, "notes") == (404, "OBJECT_NOT_FOUND")


STAGES = [
    {"label": "Talking", "displayOrder": 0, "metadata": {"probability": "0.20"}},
    {"label": "Won", "displayOrder": 1, "metadata": {"probability": "1"}},
]


def test_a_pipeline_is_made_and_a_deal_moves_in_it(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.pipelines.pipelines_api
    made = api.create("deals", {"label": "Renewals", "displayOrder": 1, "stages": STAGES})
    assert made.stages[0].metadata == {"probability": "0.20"}, "a write answers what it was sent"
    kept = api.get_by_id("deals", made.id).stages
    assert [one.metadata for one in kept] == [
        {"probability": "0.2", "isClosed": "false"},
        {"probability": "1.0", "isClosed": "true"},
    ]
    deal = portal.make("deals", pipeline=made.id, dealstage=kept[1].id)
    assert portal.value("deals", deal, "hs_is_closed_won") == "true"
    assert problem(portal.change, "deals", deal, dealstage="qualifiedtobuy") == ("INVALID_OPTION", "dealstage")
    portal.change("deals", deal, pipeline="default", dealstage="qualifiedtobuy")


def test_stages_are_added_changed_and_archived(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.pipelines.pipeline_stages_api
    stage = api.create("deals", "default", {"label": "Legal", "displayOrder": 9, "metadata": {"probability": "0.7"}})
    assert api.update("deals", "default", stage.id, {"label": "Lawyers"}).label == "Lawyers"
    whole = {"label": "Law", "displayOrder": 8, "metadata": {"probability": "0.75"}}
    api.replace("deals", "default", stage.id, whole)
    assert api.get_by_id("deals", "default", stage.id).metadata["probability"] == "0.75"
    assert code(api.replace, "deals", "default", stage.id, {"label": "Law"}) == (400, "VALIDATION_ERROR")
    assert len(api.get_all("deals", "default").results) == 8
    api.archive("deals", "default", stage.id)
    assert code(api.get_by_id, "deals", "default", stage.id) == (404, "OBJECT_NOT_FOUND")


def test_a_pipeline_is_replaced_relabelled_and_archived(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.pipelines.pipelines_api
    made = api.create("deals", {"label": "Renewals", "displayOrder": 1, "stages": STAGES})
    stages = [{**STAGES[0], "stageId": made.stages[0].id}, {**STAGES[1], "label": "Signed"}]
    replaced = api.replace("deals", made.id, {"label": "Renewal", "displayOrder": 2, "stages": stages})
    assert (replaced.stages[0].id, replaced.stages[1].label) == (made.stages[0].id, "Signed")
    assert api.update("deals", made.id, {"label": "Again"}).label == "Again"
    api.archive("deals", made.id)
    assert [one.id for one in api.get_all("deals").results] == ["default"]
    assert code(api.archive, "deals", "default") == (400, "VALIDATION_ERROR")


def test_what_became_of_a_pipeline_and_a_stage_is_told(portal: PracticePortal) -> None:
    """57"""
    crm = portal.client.crm.pipelines
    stage = {"label": "Legal", "displayOrder": 9, "metadata": {"probability": "0.7"}}
    made = crm.pipelines_api.create("deals", {"label": "Renewals", "displayOrder": 1, "stages": STAGES})
    legal = crm.pipeline_stages_api.create("deals", made.id, stage)
    crm.pipeline_stages_api.update("deals", made.id, legal.id, {"label": "Lawyers"})
    crm.pipelines_api.archive("deals", made.id)
    told = crm.pipeline_audits_api.get_audit("deals", made.id).results
    assert [line.action for line in told] == ["DELETE", "CREATE"]
    lines = crm.pipeline_stage_audits_api.get_audit("deals", legal.id).results
    assert [(line.action, line.raw_object["label"]) for line in lines] == [("UPDATE", "Lawyers"), ("CREATE", "Legal")]
    assert crm.pipeline_audits_api.get_audit("deals", "default").results == []
    assert code(crm.pipeline_audits_api.get_audit, "deals", "404") == (404, "OBJECT_NOT_FOUND")


@pytest.mark.parametrize("metadata", [{}, {"probability": "1.5"}, {"probability": "high"}])
def test_a_deal_stage_needs_a_probability(portal: PracticePortal, metadata: Json) -> None:
    """57"""
    api = portal.client.crm.pipelines.pipeline_stages_api
    body = {"label": "X", "displayOrder": 1, "metadata": metadata}
    assert code(api.create, "deals", "default", body) == (400, "VALIDATION_ERROR")


def test_tickets_keep_a_closed_stage(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.pipelines.pipeline_stages_api
    assert code(api.archive, "tickets", "0", "4") == (400, "VALIDATION_ERROR")
    opened = (api.update, "tickets", "0", "4", {"metadata": {"ticketState": "OPEN"}})
    assert code(*opened) == (400, "VALIDATION_ERROR")
    assert code(api.update, "tickets", "0", "3", {"metadata": {"ticketState": "ODD"}}) == (400, "VALIDATION_ERROR")
    api.update("tickets", "0", "3", {"metadata": {"ticketState": "CLOSED"}})
    api.archive("tickets", "0", "4")


def test_the_lifecycle_pipeline_is_hubspots_own(portal: PracticePortal) -> None:
    """50, 57"""
    api = portal.client.crm.pipelines
    lifecycle = "contacts-lifecycle-pipeline"
    assert code(api.pipelines_api.archive, "contacts", lifecycle) == (400, "VALIDATION_ERROR")
    api.pipeline_stages_api.update("contacts", lifecycle, "other", {"label": "Another"})
    assert api.pipeline_stages_api.get_by_id("contacts", lifecycle, "other").label == "Another"


@pytest.mark.parametrize(("version", "status"), [("v3", 204), ("2026-03", 204), ("2026-09", 400)])
def test_a_stage_in_use_is_archived_until_2026_09(portal: PracticePortal, version: str, status: int) -> None:
    """57"""
    portal.make("deals")
    base = "/crm/v3/pipelines" if version == "v3" else f"/crm/pipelines/{version}"
    answer = portal.raw("DELETE", f"{base}/deals/default/stages/qualifiedtobuy")
    assert answer.status_code == status


def test_the_older_versions_look_when_asked_to(portal: PracticePortal) -> None:
    """57"""
    portal.make("deals")
    path = "/crm/v3/pipelines/deals/default/stages/qualifiedtobuy?validateDealStageUsagesBeforeDelete=true"
    assert portal.raw("DELETE", path).status_code == 400


# Rules of 2026-09 ----------------------------------------------------------------------------------------------------


def test_required_properties_hold_in_2026_09_only(portal: PracticePortal, emulator: Emulator) -> None:
    """58"""
    portal.switch("required_properties", {"contacts": ["jobtitle"]})
    portal.make()
    PracticePortal(emulator, "2026-03").make()
    newest = PracticePortal(emulator, "2026-09")
    status, body = refusal(newest.make)
    assert (status, body["message"]) == (400, "The property values provided are invalid")
    assert body["errors"] == [
        {
            "message": "A value for jobtitle must be provided",
            "code": "MISSING_REQUIRED_PROPERTY",
            "context": {"propertyName": ["jobtitle"]},
        }
    ]
    contact = newest.make(jobtitle="CTO")
    newest.change("contacts", contact, city="Turin")


def test_a_conditional_rule_holds_for_changes_too(portal: PracticePortal, emulator: Emulator) -> None:
    """58"""
    rule = {"when": "lifecyclestage", "is": "customer", "needs": "crm_source"}
    portal.switch("conditional_required", {"contacts": [rule]})
    contact = portal.make()
    newest = PracticePortal(emulator, "2026-09")
    _, body = refusal(newest.change, "contacts", contact, lifecyclestage="customer")
    assert body["errors"][0]["code"] == "MISSING_CONDITIONAL_REQUIRED_PROPERTY"
    assert body["errors"][0]["message"] == (
        "crm_source is required because of a conditional property rule based on [lifecyclestage]"
    )
    newest.change("contacts", contact, lifecyclestage="customer", crm_source="Web")
    inputs = [{"id": contact, "properties": {"crm_source": ""}, "objectWriteTraceId": "E-1"}]
    assert newest.batch.update("contacts", {"inputs": inputs}).num_errors == 1
    portal.change("contacts", contact, crm_source="")


# Custom objects ------------------------------------------------------------------------------------------------------


ROCKET = {
    "name": "rocket",
    "labels": {"singular": "Rocket", "plural": "Rockets"},
    "primaryDisplayProperty": "title",
    "requiredProperties": ["title"],
    "searchableProperties": ["title"],
    "properties": [
        {"name": "title", "label": "Title", "type": "string", "fieldType": "text"},
        {"name": "serial", "label": "Serial", "type": "string", "fieldType": "text", "hasUniqueValue": True},
    ],
    "associatedObjects": ["CONTACT"],
}


def test_a_custom_object_is_an_object_like_others(portal: PracticePortal) -> None:
    """4, 57"""
    schema = portal.client.crm.schemas.core_api.create(ROCKET)
    assert schema.object_type_id.startswith("2-")
    rocket = portal.make("rocket", title="Ariane", serial="A-1")
    for name in ("ROCKET", schema.object_type_id, schema.fully_qualified_name):
        assert portal.read(name, rocket, "title").properties["title"] == "Ariane"
    assert portal.found(query="ariane", object_type="rocket") == [rocket]
    done = portal.batch.upsert(
        "rocket", {"inputs": [{"id": "A-1", "idProperty": "serial", "properties": {"title": "Ariane 6"}}]}
    )
    assert (done.results[0].id, done.results[0].new) == (rocket, False)
    assert code(portal.make, "rocket") == (400, "VALIDATION_ERROR")


def test_a_custom_object_is_tied_to_people(portal: PracticePortal) -> None:
    """51, 57"""
    schema = portal.client.crm.schemas.core_api.create(ROCKET)
    (types,) = schema.associations
    assert (types.from_object_type_id, types.to_object_type_id) == (schema.object_type_id, "0-1")
    rocket, contact = portal.make("rocket", title="Ariane"), portal.make()
    api = portal.client.crm.associations.v4.basic_api
    api.create_default("rocket", rocket, "contacts", contact)
    (found,) = api.get_page("contacts", contact, "rocket").results
    assert (str(found.to_object_id), found.association_types[0].category) == (rocket, "USER_DEFINED")
    more = portal.client.crm.schemas.core_api.create_association(
        "rocket", {"fromObjectTypeId": schema.object_type_id, "toObjectTypeId": "0-2"}
    )
    assert more.to_object_type_id == "0-2"


def test_a_custom_object_is_changed_and_goes_when_it_is_empty(portal: PracticePortal) -> None:
    """57"""
    api = portal.client.crm.schemas.core_api
    api.create(ROCKET)
    assert api.update("rocket", {"requiredProperties": []}).required_properties == []
    rocket = portal.make("rocket")
    assert code(api.archive, "rocket") == (400, "VALIDATION_ERROR")
    portal.basic.archive("rocket", rocket)
    api.archive("rocket")
    assert code(portal.make, "rocket", title="X") == (400, "VALIDATION_ERROR")
    assert api.get_all().results == []
    assert code(api.get_by_id, "contacts") == (404, "OBJECT_NOT_FOUND")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "contacts"},
        {"name": "two words"},
        {"labels": None},
        {"properties": []},
        {"primaryDisplayProperty": "nothing"},
        {"properties": [{"name": "Big", "label": "B", "type": "string", "fieldType": "text"}]},
        {"associatedObjects": ["DRAGON"]},
    ],
)
def test_a_custom_object_that_makes_no_sense_is_refused(portal: PracticePortal, change: Json) -> None:
    """57"""
    body = {**ROCKET, **change}
    assert portal.request("POST", "/crm-object-schemas/v3/schemas", body)[0] == 400
    assert portal.client.crm.schemas.core_api.get_all().results == []


# Communication preferences -------------------------------------------------------------------------------------------


def states(portal: PracticePortal, email: str = EMAIL) -> list[str]:
    found = portal.client.communication_preferences.status_api.get_email_status(email).subscription_statuses
    return [one.status for one in found]


def test_people_are_subscribed_by_kind_of_e_mail(portal: PracticePortal) -> None:
    """consent"""
    api = portal.client.communication_preferences
    kinds = api.definition_api.get_page().subscription_definitions
    assert [one.name for one in kinds] == ["Newsletter", "Product updates", "One to One"]
    assert states(portal) == ["NOT_SUBSCRIBED"] * 3
    asked = {"emailAddress": EMAIL.upper(), "subscriptionId": kinds[0].id, "legalBasis": "CONSENT_WITH_NOTICE"}
    given = api.status_api.subscribe({**asked, "legalBasisExplanation": "Form"})
    assert (given.status, given.legal_basis) == ("SUBSCRIBED", "CONSENT_WITH_NOTICE")
    assert states(portal) == ["SUBSCRIBED", "NOT_SUBSCRIBED", "NOT_SUBSCRIBED"]
    assert code(api.status_api.subscribe, asked) == (400, "VALIDATION_ERROR")
    assert api.status_api.unsubscribe(asked).status == "NOT_SUBSCRIBED"
    assert code(api.status_api.unsubscribe, asked) == (400, "VALIDATION_ERROR")


def test_v3_does_not_subscribe_again_who_left_unless_switched_so(portal: PracticePortal) -> None:
    """consent"""
    api = portal.client.communication_preferences.status_api
    asked = {"emailAddress": EMAIL, "subscriptionId": "411001"}
    api.unsubscribe(asked)
    assert code(api.subscribe, asked) == (400, "VALIDATION_ERROR")
    portal.switch("v3_resubscribes", True)
    assert api.subscribe(asked).status == "SUBSCRIBED"


@pytest.mark.parametrize("version", ["v4", "2026-03", "2026-09"])
def test_leaving_all_e_mail_marks_the_contact(portal: PracticePortal, version: str) -> None:
    """consent"""
    contact = portal.make(email=EMAIL)
    base = f"/communication-preferences/{version}/statuses/{EMAIL}"
    assert portal.request("GET", f"{base}/unsubscribe-all", channel="EMAIL")[1]["results"] == []
    status, left = portal.request("POST", f"{base}/unsubscribe-all", {}, channel="EMAIL")
    assert (status, {one["status"] for one in left["results"]}) == (200, {"UNSUBSCRIBED"})
    assert portal.value("contacts", contact, "hs_email_optout") == "true"
    (wide,) = portal.request("GET", f"{base}/unsubscribe-all", channel="EMAIL")[1]["results"]
    assert (wide["status"], wide["wideStatusType"]) == ("UNSUBSCRIBED", "PORTAL_WIDE")
    assert states(portal) == ["NOT_SUBSCRIBED"] * 3
    (change, *_) = portal.history("contacts", contact, "hs_email_optout")
    assert change.source_type == "INTEGRATION"


def test_leaving_all_holds_for_an_address_without_a_contact(portal: PracticePortal) -> None:
    """consent"""
    base = "/communication-preferences/v4/statuses/nobody@example.com"
    portal.request("POST", f"{base}/unsubscribe-all", {}, channel="EMAIL")
    assert len(portal.request("GET", f"{base}/unsubscribe-all", channel="EMAIL")[1]["results"]) == 1


def test_a_person_who_leaves_at_the_desk_is_seen_by_the_api(portal: PracticePortal) -> None:
    """60, consent"""
    contact = portal.make(email=EMAIL)
    portal.person_edits("contacts", contact, hs_email_optout="true")
    base = f"/communication-preferences/v4/statuses/{EMAIL}"
    assert len(portal.request("GET", f"{base}/unsubscribe-all", channel="EMAIL")[1]["results"]) == 1


def test_v4_sets_one_kind_and_says_what_it_did(portal: PracticePortal) -> None:
    """consent"""
    contact = portal.make(email=EMAIL)
    base = f"/communication-preferences/v4/statuses/{EMAIL}"
    reasons = []
    for state in ("UNSUBSCRIBED", "UNSUBSCRIBED", "SUBSCRIBED"):
        body = {"subscriptionId": 411001, "statusState": state, "channel": "EMAIL"}
        _, answer = portal.request("POST", base, body)
        reasons.append(answer["results"][0]["setStatusSuccessReason"])
    assert reasons == ["REQUESTED_CHANGE_OCCURRED", "NO_STATUS_CHANGE", "RESUBSCRIBE_OCCURRED"]
    assert portal.value("contacts", contact, "hs_email_optout") is None


@pytest.mark.parametrize(
    "change", [{"statusState": "MAYBE"}, {"channel": "SMS"}, {"subscriptionId": 1}, {"subscriptionId": None}]
)
def test_a_preference_that_makes_no_sense_is_refused(portal: PracticePortal, change: Json) -> None:
    """consent"""
    body = {"subscriptionId": 411001, "statusState": "SUBSCRIBED", "channel": "EMAIL", **change}
    assert portal.request("POST", f"/communication-preferences/v4/statuses/{EMAIL}", body)[0] == 400
    assert portal.request("GET", f"/communication-preferences/v4/statuses/{EMAIL}")[0] == 400


def test_preferences_in_batches(portal: PracticePortal) -> None:
    """consent"""
    base, people = "/communication-preferences/2026-03/statuses/batch", [EMAIL, "bea@example.com"]
    status = {"subscriptionId": 411001, "statusState": "SUBSCRIBED", "channel": "EMAIL"}
    inputs = [{**status, "subscriberIdString": one} for one in (*people, "no address")]
    written = portal.request("POST", f"{base}/write", {"inputs": inputs})[1]
    assert (len(written["results"]), written["numErrors"]) == (2, 1)
    portal.request("POST", f"{base}/unsubscribe-all", {"inputs": people[:1]}, channel="EMAIL")
    read = portal.request("POST", f"{base}/read", {"inputs": people}, channel="EMAIL")[1]["results"]
    found = {one["subscriberIdString"]: [each["status"] for each in one["statuses"]] for one in read}
    assert found[EMAIL] == ["UNSUBSCRIBED"] * 3
    assert found["bea@example.com"] == ["SUBSCRIBED", "NOT_SPECIFIED", "NOT_SPECIFIED"]
    left = portal.request("POST", f"{base}/unsubscribe-all/read", {"inputs": people}, channel="EMAIL")[1]["results"]
    assert {one["subscriberIdString"]: len(one["wideStatuses"]) for one in left} == {EMAIL: 1, "bea@example.com": 0}
    many = {"inputs": [f"p{number}@example.com" for number in range(101)]}
    assert portal.request("POST", f"{base}/read", many, channel="EMAIL")[0] == 400


def test_preferences_need_their_scope(portal: PracticePortal) -> None:
    """10, consent"""
    portal.person("permissions", remove_scope="communication_preferences.write")
    path = f"/communication-preferences/v4/statuses/{EMAIL}/unsubscribe-all?channel=EMAIL"
    assert portal.raw("POST", path).status_code == 403
