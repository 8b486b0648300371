"""The emulator's HubSpot account: v3 associations, exports, limits, and what an account may have none of."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from practice_portal import DATED, Json, PracticePortal, at, code, refusal

from connectors.emulator.admin_client import AdminRefusedError
from connectors.emulator.serve import Emulator


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


# Associations of v3 --------------------------------------------------------------------------------------------------


def tie(here: str, there: str, name: str) -> Json:
    return {"from": {"id": here}, "to": {"id": there}, "type": name}


def test_v3_names_association_types_by_their_objects(portal: PracticePortal) -> None:
    """51"""
    found = portal.client.crm.associations.schema.types_api.get_all("contacts", "companies").results
    assert {(one.id, one.name) for one in found} == {
        ("1", "contact_to_company"),
        ("279", "contact_to_company_unlabeled"),
    }
    status, body = portal.request("GET", "/crm/v3/associations/deals/contacts/types")
    assert (status, body) == (200, {"results": [{"id": "3", "name": "deal_to_contact"}]})


def test_v3_associates_by_name_in_batches(portal: PracticePortal) -> None:
    """51"""
    api = portal.client.crm.associations.batch_api
    ada, deal, nobody = portal.make(), portal.make("deals"), portal.make()
    made = api.create("deals", "contacts", {"inputs": [tie(deal, ada, "deal_to_contact")]})
    assert [(one._from.id, one.to.id, one.type) for one in made.results] == [(deal, ada, "deal_to_contact")]
    read = api.read("contacts", "deals", {"inputs": [{"id": ada}, {"id": nobody}]})
    assert [(one._from.id, [(far.id, far.type) for far in one.to]) for one in read.results] == [
        (ada, [(deal, "contact_to_deal")])
    ]
    assert [one.sub_category for one in read.errors] == ["crm.associations.NO_ASSOCIATIONS_FOUND"]
    api.archive("deals", "contacts", {"inputs": [tie(deal, ada, "3")]})
    assert api.read("contacts", "deals", {"inputs": [{"id": ada}]}).results == []


def test_what_v3_adds_stands_beside_what_is_there(portal: PracticePortal) -> None:
    """51, 52"""
    ada, first, second = portal.make(), portal.make("companies"), portal.make("companies")
    portal.associate(ada, first)
    inputs = [tie(ada, second, "contact_to_company_unlabeled"), tie(ada, second, "contact_to_company")]
    portal.client.crm.associations.batch_api.create("contacts", "companies", {"inputs": inputs})
    assert portal.company_labels(ada) == {first: [279], second: [1, 279]}
    portal.client.crm.associations.batch_api.archive("contacts", "companies", {"inputs": [inputs[1]]})
    assert portal.company_labels(ada) == {first: [279], second: [279]}, "only the named type goes"


def test_v3_tells_unknown_records_and_refuses_unknown_types(portal: PracticePortal) -> None:
    """51"""
    ada, deal = portal.make(), portal.make("deals")
    inputs = [tie(deal, ada, "deal_to_contact"), tie(deal, "404", "deal_to_contact")]
    made = portal.client.crm.associations.batch_api.create("deals", "contacts", {"inputs": inputs})
    assert (len(made.results), made.num_errors) == (1, 1)
    for name in ("friends", ""):
        body = {"inputs": [tie(deal, ada, name)]}
        status, answer = portal.request("POST", "/crm/v3/associations/deals/contacts/batch/create", body)
        assert (status, answer["category"]) == (400, "VALIDATION_ERROR")


def test_v3_has_associations_of_one_record(portal: PracticePortal) -> None:
    """51"""
    ada, deal = portal.make(), portal.make("deals")
    pair = f"/crm/v3/objects/contacts/{ada}/associations/deals"
    status, body = portal.request("PUT", f"{pair}/{deal}/contact_to_deal")
    assert (status, body["id"]) == (200, ada)
    assert portal.request("GET", pair) == (200, {"results": [{"id": deal, "type": "contact_to_deal"}]})
    assert portal.raw("DELETE", f"{pair}/{deal}/4").status_code == 204
    assert portal.request("GET", pair) == (200, {"results": []})


def test_a_report_on_associations_goes_to_a_user_by_mail(portal: PracticePortal) -> None:
    """51"""
    api = portal.client.crm.associations.v4.report_api
    owner = portal.client.crm.owners.owners_api.get_page().results[0]
    assert api.request(owner.user_id).user_email == owner.email
    assert code(api.request, 1)[0] == 404


# Exports -------------------------------------------------------------------------------------------------------------


def view(**more: Any) -> Json:
    usual = {"exportType": "VIEW", "format": "CSV", "exportName": "All", "objectType": "CONTACT", "language": "EN"}
    return {**usual, "objectProperties": ["email", "lifecyclestage"], **more}


def lines_of(portal: PracticePortal, address: str) -> list[list[str]]:
    path = address.removeprefix(portal.emulator.hubspot_url)
    return list(csv.reader(io.StringIO(portal.raw("GET", path, token=None).text)))


@pytest.mark.parametrize("version", ["v3", *DATED])
def test_an_export_is_asked_for_waited_for_and_fetched(portal: PracticePortal, version: str) -> None:
    """exports"""
    ada, company = portal.make(email="ada@example.com"), portal.make("companies")
    portal.associate(ada, company)
    portal.switch("export_seconds", 60)
    base = at(version, "exports") + "/export"
    status, begun = portal.request("POST", base + "/async", view(associatedObjectType="COMPANY"))
    assert status == 202
    where = f"{base}/async/tasks/{begun['id']}/status"
    assert portal.request("GET", where)[1]["status"] == "PROCESSING"
    portal.advance(60)
    done = portal.request("GET", where)[1]
    assert done["status"] == "COMPLETE"
    assert lines_of(portal, done["result"]) == [
        ["Record ID", "Email", "Lifecycle Stage", "Associated Company IDs"],
        [ada, "ada@example.com", "Lead", company],
    ]
    told = portal.request("GET", f"{base}/{begun['id']}")[1]
    assert (told["exportState"], told["recordCount"], told["objectType"]) == ("DONE", 1, "CONTACT")


def test_the_library_asks_for_an_export_with_internal_values(portal: PracticePortal) -> None:
    """exports"""
    ada = portal.make(email="ada@example.com")
    portal.make(email="bea@example.com")
    wanted = {"filters": [{"propertyName": "email", "operator": "EQ", "value": "ada@example.com"}]}
    asked = view(exportInternalValuesOptions=["NAMES", "VALUES"], publicCrmSearchRequest=wanted)
    api = portal.client.crm.exports.public_exports_api
    done = api.get_status(api.start(asked).id)
    assert lines_of(portal, done.result)[0] == ["Record ID", "email", "lifecyclestage"]
    assert lines_of(portal, done.result)[1:] == [[ada, "ada@example.com", "lead"]]


def test_the_address_of_a_file_lives_for_five_minutes(portal: PracticePortal) -> None:
    """exports"""
    api = portal.client.crm.exports.public_exports_api
    number = api.start(view()).id
    old = api.get_status(number).result.removeprefix(portal.emulator.hubspot_url)
    portal.advance(300)
    assert portal.raw("GET", old, token=None).status_code == 403
    new = api.get_status(number).result.removeprefix(portal.emulator.hubspot_url)
    assert portal.raw("GET", new, token=None).status_code == 200


def test_exports_go_one_after_the_other_thirty_a_day(portal: PracticePortal) -> None:
    """exports"""
    portal.switch("export_seconds", 60)
    api = portal.client.crm.exports.public_exports_api
    numbers = [api.start(view()).id for _ in range(30)]
    assert [api.get_status(number).status for number in numbers[:2]] == ["PROCESSING", "PENDING"]
    assert refusal(api.start, view())[0] == 429
    portal.advance(86_401)
    api.start(view())


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"exportName": None}, 400),
        ({"objectType": "SHOE"}, 400),
        ({"format": "XLSX"}, 400),
        ({"exportType": "LIST", "listId": 4}, 404),
        ({"associatedObjectType": ["LEAD"]}, 202),
        ({"associatedObjectType": ["INVOICE"]}, 403),
    ],
)
def test_an_export_that_makes_no_sense_is_refused(portal: PracticePortal, change: Json, status: int) -> None:
    """exports"""
    assert portal.request("POST", "/crm/v3/exports/export/async", view(**change))[0] == status


# Limits and lists ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v3", *DATED])
def test_the_account_tells_how_near_its_limits_are(portal: PracticePortal, version: str) -> None:
    """limits"""
    portal.make()
    base = at(version, "limits")
    shipped = portal.request("GET", base + "/records")[1]["hubspotDefinedObjectTypes"]
    (contacts,) = [one for one in shipped if one["objectTypeId"] == "0-1"]
    assert (contacts["usage"], contacts["limit"], contacts["percentage"]) == (1, 15_000_000, 0.0)
    assert portal.request("GET", base + "/custom-object-types")[1] == {"limit": 10, "usage": 0, "percentage": 0.0}
    own = portal.request("GET", base + "/custom-properties")[1]["byObjectType"]
    assert {one["objectTypeId"]: one["usage"] for one in own}["0-1"] == 6
    pipelines = portal.request("GET", base + "/pipelines")[1]["hubspotDefinedObjectTypes"]
    assert {one["objectTypeId"]: one["usage"] for one in pipelines}["0-3"] == 1


def test_labels_and_full_records_are_counted(portal: PracticePortal) -> None:
    """limits"""
    portal.request("POST", "/crm/v4/associations/contacts/companies/labels", {"label": "Boss", "name": "boss"})
    labels = portal.request("GET", "/crm/v3/limits/associations/labels", fromObjectTypeId="0-1")[1]["results"]
    assert [(one["allLabels"], one["usage"], one["percentage"]) for one in labels] == [(["Boss"], 1, 2.0)]
    assert portal.request("GET", "/crm/v3/limits/associations/records/from")[1] == {"results": []}
    pair = portal.request("GET", "/crm/v3/limits/associations/records/0-1/0-2")[1]
    assert (pair["limit"], pair["totalRecordsAtLimit"]) == (50_000, 0)


def test_an_account_without_lists_and_rules_says_so(portal: PracticePortal) -> None:
    """lists"""
    ada = portal.make()
    empty = {"offset": 0, "hasMore": False, "lists": [], "total": 0}
    assert portal.request("POST", "/crm/v3/lists/search", {"count": 500}) == (200, empty)
    assert portal.request("GET", "/crm/v3/lists/7/memberships")[0] == 404
    assert portal.request("GET", f"/crm/v3/lists/records/0-1/{ada}/memberships")[1]["results"] == []
    assert portal.request("GET", "/crm/v3/property-validations/0-1") == (200, {"results": []})
    assert portal.raw("POST", "/crm/v3/lists", json={"name": "Mine"}).status_code == 405


def test_schemas_and_objects_answer_under_their_other_paths(portal: PracticePortal) -> None:
    """1: other spellings of a path, as clients in use send them"""
    labels = {"singular": "Shoe", "plural": "Shoes"}
    described = {"name": "shoe", "labels": labels, "requiredProperties": ["size"], "primaryDisplayProperty": "size"}
    size = {"name": "size", "label": "Size", "type": "string", "fieldType": "text"}
    status, made = portal.request("POST", "/crm/v3/schemas", {**described, "properties": [size]})
    assert (status, made["name"]) == (201, "shoe")
    assert portal.request("GET", "/crm/v3/objects/p_shoe") == (200, {"results": []})
    ticket = portal.make("tickets")
    assert portal.request("GET", "/crm/v4/objects/tickets")[1]["results"][0]["id"] == ticket


def test_a_switch_nobody_knows_is_refused_with_those_there_are(portal: PracticePortal) -> None:
    """60"""
    for system, known in (("hubspot", "shuffled_results"), ("salesforce", "duplicate_rule")):
        with pytest.raises(AdminRefusedError, match=rf"'shuffle' is no switch of {system}; there are .*{known}"):
            portal.admin.post("/settings", system=system, name="shuffle", value=False)
