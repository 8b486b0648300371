"""Requests to the emulator's HubSpot that nobody should send: they are refused, and change no more than they say."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

import pytest
from practice_portal import PRIMARY_COMPANY, Json, PracticePortal

from connectors.emulator.serve import Emulator

JUNK: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", " ", ";", ";;", "x", "404", "92", "2026-11-02", "é\n", "x" * 70_000,
    [], [None], [[]], ["92"], {}, {"id": None}, {"": {}}, [{}], {"x": [{}]},
]  # fmt: skip
CALLS = 150


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


def samples(contact: str, company: str) -> list[tuple[str, str, Any]]:
    """(method, path, body) of calls that are fine as they are."""
    trace, one = {"objectWriteTraceId": "E-1"}, {"id": contact}
    values = {"email": "ada@example.com", "lead_score": "7", "hs_buying_role": ";OTHER", "lifecyclestage": "lead"}
    tie = {"to": {"id": company}, "types": [PRIMARY_COMPANY]}
    pair = {"from": {"id": contact}, "to": {"id": company}, "types": [PRIMARY_COMPANY]}
    condition = {"propertyName": "email", "operator": "EQ", "value": "x", "highValue": "y", "values": ["x"]}
    search = {"filterGroups": [{"filters": [condition]}], "sorts": [{"propertyName": "email"}], "query": "a"}
    told = {"name": "shoe", "label": "Shoe", "type": "string", "fieldType": "text", "groupName": "contactinformation"}
    option = {"label": "A", "value": "a", "displayOrder": 0}
    stage = {"label": "A", "displayOrder": 0, "metadata": {"probability": "0.5"}}
    rocket = {"name": "rocket", "labels": {"singular": "R"}, "primaryDisplayProperty": "shoe", "properties": [told]}
    objects, batch = "/crm/v3/objects/contacts", "/crm/v3/objects/contacts/batch"
    v4, consent = "/crm/v4", "/communication-preferences/v4/statuses"
    status = {"subscriptionId": 411001, "statusState": "SUBSCRIBED", "channel": "EMAIL", "subscriberIdString": "a@b.c"}
    return [
        ("POST", objects, {"properties": values, "associations": [tie]}),
        ("POST", "/crm/objects/2026-09/contacts", {"properties": values}),
        ("POST", "/crm/v3/objects/leads", {"properties": {"hs_lead_name": "L"}, "associations": [tie]}),
        ("PATCH", f"{objects}/{contact}", {"properties": {**values, "associatedcompanyid": company}}),
        ("POST", f"{batch}/read", {"properties": ["email"], "propertiesWithHistory": ["city"], "inputs": [one]}),
        ("POST", f"{batch}/read", {"properties": [], "idProperty": "email", "inputs": [{"id": "ada@example.com"}]}),
        ("POST", f"{batch}/create", {"inputs": [{**trace, "properties": values, "associations": [tie]}]}),
        ("POST", f"{batch}/update", {"inputs": [{**trace, "id": contact, "properties": values}]}),
        ("POST", f"{batch}/upsert", {"inputs": [{**trace, "id": "p", "idProperty": "truce_key", "properties": {}}]}),
        ("POST", f"{batch}/archive", {"inputs": [{"id": "404"}]}),
        ("POST", f"{objects}/merge", {"primaryObjectId": contact, "objectIdToMerge": "404"}),
        ("POST", f"{objects}/gdpr-delete", {"objectId": "x@example.com", "idProperty": "email"}),
        ("POST", f"{objects}/search", {**search, "limit": 10, "after": "0", "properties": ["email"]}),
        ("PUT", f"{v4}/objects/contacts/{contact}/associations/companies/{company}", [PRIMARY_COMPANY]),
        ("POST", f"{v4}/associations/contacts/companies/batch/read", {"inputs": [{"id": contact}]}),
        ("POST", f"{v4}/associations/contacts/companies/batch/create", {"inputs": [pair]}),
        ("POST", f"{v4}/associations/contacts/companies/batch/archive", {"inputs": [{**pair, "to": [one]}]}),
        ("POST", f"{v4}/associations/contacts/companies/batch/labels/archive", {"inputs": [pair]}),
        ("POST", f"{v4}/associations/contacts/companies/batch/associate/default", {"inputs": [pair]}),
        ("POST", f"{v4}/associations/contacts/companies/labels", {"label": "B", "name": "b", "inverseLabel": "C"}),
        ("PUT", f"{v4}/associations/contacts/companies/labels", {"associationTypeId": 36, "label": "D"}),
        ("POST", "/crm/v3/properties/contacts", {**told, "options": [option]}),
        ("PATCH", "/crm/v3/properties/contacts/crm_source", {**told, "options": [option]}),
        ("POST", "/crm/v3/properties/contacts/batch/create", {"inputs": [told]}),
        ("POST", "/crm/v3/properties/contacts/batch/read", {"archived": False, "inputs": [{"name": "city"}]}),
        ("POST", "/crm/v3/properties/contacts/groups", {"name": "g", "label": "G", "displayOrder": 1}),
        ("PATCH", "/crm/v3/properties/contacts/groups/contactinformation", {"label": "G", "displayOrder": 1}),
        ("POST", "/crm/v3/pipelines/deals", {"label": "P", "displayOrder": 1, "stages": [stage]}),
        ("PUT", "/crm/v3/pipelines/deals/default", {"label": "P", "displayOrder": 1, "stages": [stage]}),
        ("POST", "/crm/v3/pipelines/deals/default/stages", stage),
        ("PATCH", "/crm/v3/pipelines/contacts/contacts-lifecycle-pipeline/stages/other", stage),
        ("POST", "/crm/v3/pipelines/contacts/contacts-lifecycle-pipeline/stages", stage),
        ("POST", "/crm-object-schemas/v3/schemas", {**rocket, "associatedObjects": ["CONTACT"]}),
        ("POST", f"{consent}/a@b.co", status),
        ("POST", f"{consent}/batch/write", {"inputs": [status]}),
        ("POST", f"{consent}/batch/read?channel=EMAIL", {"inputs": ["a@b.co"]}),
        ("POST", "/communication-preferences/v3/subscribe", {"emailAddress": "a@b.co", "subscriptionId": "411001"}),
        ("POST", "/oauth/v2/private-apps/get/access-token-info", {"tokenKey": "x"}),
    ]  # fmt: skip


def spoiled(rng: Random, body: Any) -> Any:
    """The body with one part of it replaced by something else, taken away or said twice."""
    body = deepcopy(body)
    places = places_in(body)
    if not places or rng.random() < 0.05:
        return rng.choice(JUNK)
    holder, key = rng.choice(places)
    if isinstance(holder, list) and rng.random() < 0.2:
        holder.append(deepcopy(holder[key]))
    elif rng.random() < 0.1:
        del holder[key]
    else:
        holder[key] = deepcopy(rng.choice(JUNK))
    return body


def places_in(body: Any) -> list[tuple[Any, Any]]:
    keys = list(body) if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else []
    return [place for key in keys for place in ((body, key), *places_in(body[key]))]


@pytest.mark.parametrize("seed", range(6))
def test_odd_bodies_are_refused_and_break_nothing(portal: PracticePortal, seed: int) -> None:
    """7, 18"""
    rng = Random(seed)
    contact, company = portal.make(email="first@example.com"), portal.make("companies")
    calls = samples(contact, company)
    for _ in range(CALLS):
        method, path, body = rng.choice(calls)
        odd = spoiled(rng, spoiled(rng, body) if rng.random() < 0.3 else body)
        answer = portal.raw(method, path, json=odd)
        assert answer.status_code < 500, (method, path, odd)
        if answer.status_code >= 400:
            assert answer.json()["status"] in {"error", "BAD_ACCESS_TOKEN"}, (method, path, odd)
    assert_usable(portal, contact)


QUERIES = [
    ("limit", "10"), ("after", "91"), ("properties", "email,city"), ("propertiesWithHistory", "city"),
    ("archived", "True"), ("associations", "companies"), ("idProperty", "email"), ("email", "anna@example.com"),
    ("channel", "EMAIL"), ("dataSensitivity", "sensitive"), ("validateReferencesBeforeDelete", "true"),
]  # fmt: skip
ODD_VALUES = ["", "x", "-1", "0", "9" * 30, "²", "é", ";", "../..", "%00", "dragons"]
PLACES = [
    "/crm/v3/objects/{}", "/crm/v3/objects/contacts/{}", "/crm/v4/objects/contacts/{}/associations/companies",
    "/crm/v4/objects/contacts/91/associations/{}", "/crm/v4/objects/contacts/91/associations/companies/{}",
    "/crm/v4/objects/contacts/91/associations/default/companies/{}", "/crm/v4/associations/contacts/{}/labels",
    "/crm/v4/associations/contacts/companies/labels/{}", "/crm/v3/properties/{}", "/crm/v3/properties/contacts/{}",
    "/crm/v3/pipelines/{}", "/crm/v3/pipelines/deals/{}", "/crm/v3/pipelines/deals/default/stages/{}",
    "/crm/v3/owners/{}", "/crm-object-schemas/v3/schemas/{}", "/communication-preferences/v4/statuses/{}",
    "/communication-preferences/v3/status/email/{}", "/oauth/v1/access-tokens/{}", "/{}",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_odd_paths_and_parameters_are_refused_and_break_nothing(portal: PracticePortal, seed: int) -> None:
    """1, 24"""
    rng = Random(seed)
    contact = portal.make(email="first@example.com")
    for _ in range(CALLS):
        place = rng.choice(PLACES).format(rng.choice([*ODD_VALUES, contact, "contacts", "0-1"]))
        query = [
            (name, rng.choice([value, *ODD_VALUES])) for name, value in rng.sample(QUERIES, rng.randrange(4))
        ]  # fmt: skip
        method = rng.choice(["GET", "GET", "PUT", "PATCH", "DELETE"])
        if method == "DELETE" and contact in place:
            continue
        answer = portal.raw(method, place, params=query)
        assert answer.status_code < 500, (method, place, query)
    assert_usable(portal, contact)


def assert_usable(portal: PracticePortal, contact: str) -> None:
    """Whatever was sent, the account still answers in its own form."""
    assert portal.read("contacts", contact).id == contact
    listed: list[Json] = portal.raw("GET", "/crm/v3/properties/contacts").json()["results"]
    assert all(isinstance(one["options"], list) for one in listed)
    assert portal.raw("GET", "/crm/v3/pipelines/deals").status_code == 200
    portal.search(sorts=[{"propertyName": "hs_object_id", "direction": "DESCENDING"}])
    portal.admin.put("/snapshot", portal.admin.get("/snapshot"))
    assert portal.read("contacts", contact).id == contact
