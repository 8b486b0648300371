"""The emulator's HubSpot in batches: what one bad input does to the others, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest
from practice_portal import PLAIN_COMPANY, PRIMARY_COMPANY, Json, PracticePortal, code, refusal

from connectors.emulator.serve import Emulator

WRITES = ["create", "update", "upsert"]


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


def an_input(verb: str, number: int, trace: bool, **properties: Any) -> Json:
    """One input of a batch; updates and upserts are by the link key."""
    by = {} if verb == "create" else {"id": f"p-{number}", "idProperty": "truce_key"}
    mark = {"objectWriteTraceId": f"E-{number}"} if trace else {}
    return {**by, **mark, "properties": properties}


def send(portal: PracticePortal, verb: str, inputs: list[Json], object_type: str = "contacts") -> Any:
    return getattr(portal.batch, verb)(object_type, {"inputs": inputs})


def keyed(portal: PracticePortal, count: int) -> list[str]:
    return [portal.make(truce_key=f"p-{number}") for number in range(count)]


@pytest.mark.parametrize("verb", ["read", "create", "update", "upsert", "archive"])
def test_a_batch_takes_a_hundred(portal: PracticePortal, verb: str) -> None:
    """26"""
    inputs = [{"id": str(number), "idProperty": "truce_key", "properties": {}} for number in range(101)]
    assert code(send, portal, verb, inputs) == (400, "VALIDATION_ERROR")
    assert portal.found() == []


def test_a_hundred_are_written_at_once(portal: PracticePortal) -> None:
    """26"""
    made = send(portal, "create", [an_input("create", number, trace=False, city="Turin") for number in range(100)])
    assert (made.status, len(made.results)) == ("COMPLETE", 100)
    assert len({one.id for one in made.results}) == 100


@pytest.mark.parametrize("verb", ["read", "create", "update", "upsert"])
def test_a_batch_without_inputs_does_nothing_and_says_complete(portal: PracticePortal, verb: str) -> None:
    """27"""
    path = f"/crm/v3/objects/contacts/batch/{verb}"
    for body in ({}, {"input": [{"id": "91"}]}, {"inputs": None}, {"inputs": []}):
        answer = portal.raw("POST", path, json=body)
        assert (answer.status_code, answer.json()["status"], answer.json()["results"]) == (200, "COMPLETE", [])


@pytest.mark.parametrize("verb", ["update", "upsert"])
@pytest.mark.parametrize("trace", [False, True])
def test_an_id_twice_refuses_the_whole_batch(portal: PracticePortal, verb: str, trace: bool) -> None:
    """28"""
    contacts = keyed(portal, 2)
    inputs = [
        {**an_input(verb, number, trace, city="Turin"), "objectWriteTraceId": f"T-{place}"}
        for place, number in enumerate((0, 1, 0))
    ]
    status, body = refusal(send, portal, verb, inputs)
    assert (status, body["category"], body["context"]) == (400, "VALIDATION_ERROR", {"ids": ["p-0"]})
    assert body["message"] == "Duplicate IDs found in batch input: [p-0]. IDs must be unique"
    assert [portal.value("contacts", one, "city") for one in contacts] == [None, None]


@pytest.mark.parametrize("verb", WRITES)
@pytest.mark.parametrize("traces", ["none", "some", "all the same"])
def test_without_a_trace_id_of_its_own_on_every_input_one_bad_value_stops_all(
    portal: PracticePortal, verb: str, traces: str
) -> None:
    """29"""
    before = keyed(portal, 3) if verb != "create" else []
    inputs = [
        an_input(verb, 0, traces != "none", city="Turin"),
        an_input(verb, 1, trace=False, email="no mail"),
        an_input(verb, 2, traces != "none", city="Turin"),
    ]
    if traces == "all the same":
        inputs = [{**one, "objectWriteTraceId": "E-1"} for one in inputs]
    status, body = refusal(send, portal, verb, inputs)
    assert (status, body["errors"][0]["code"]) == (400, "INVALID_EMAIL")
    assert "results" not in body
    assert portal.found() == before
    assert [portal.value("contacts", one, "city") for one in before] == [None] * len(before)


def test_a_conflict_without_trace_ids_names_the_first_offender_only(portal: PracticePortal) -> None:
    """29"""
    ada, bea = portal.make(email="ada@example.com"), portal.make(email="bea@example.com")
    inputs = [an_input("create", number, trace=False, email=f"{name}@example.com") for number, name in enumerate("xy")]
    inputs += [an_input("create", 3, trace=False, email=f"{name}@example.com") for name in ("bea", "ada")]
    status, body = refusal(send, portal, "create", inputs)
    assert (status, body["category"], body["message"]) == (
        409,
        "CONFLICT",
        f"Contact already exists. Existing ID: {bea}",
    )
    assert portal.found() == [ada, bea]


@pytest.mark.parametrize("verb", WRITES)
def test_with_trace_ids_the_good_are_written_and_the_bad_told(portal: PracticePortal, verb: str) -> None:
    """30"""
    if verb != "create":
        keyed(portal, 3)
    done = send(
        portal,
        verb,
        [
            an_input(verb, 0, trace=True, city="Turin"),
            an_input(verb, 1, trace=True, email="no mail"),
            an_input(verb, 2, trace=True, city="Turin"),
        ],
    )
    assert type(done).__name__.endswith("WithErrors"), "the library makes this of a 207"
    assert {one.object_write_trace_id for one in done.results} == {"E-0", "E-2"}
    (error,) = done.errors
    assert (done.num_errors, error.category, error.context["objectWriteTraceId"]) == (1, "VALIDATION_ERROR", ["E-1"])
    assert len(portal.found({"propertyName": "city", "operator": "EQ", "value": "Turin"})) == 2


def test_what_a_refused_input_began_is_undone_alone(portal: PracticePortal) -> None:
    """30"""
    contact, company = portal.make(email="ada@example.com"), portal.make("companies")
    tie = [{"to": {"id": company}, "types": [PRIMARY_COMPANY]}]
    lonely = {**an_input("create", 1, trace=True, email="ADA@example.com"), "associations": tie}
    fine = {**an_input("create", 2, trace=True, email="bea@example.com"), "associations": tie}
    done = send(portal, "create", [lonely, fine])
    assert [one.object_write_trace_id for one in done.results] == ["E-2"]
    assert portal.company_labels(contact) == {}
    api = portal.client.crm.associations.v4.basic_api
    (bea,) = (one.to_object_id for one in api.get_page("companies", company, "contacts").results)
    assert str(bea) == done.results[0].id


@pytest.mark.parametrize("verb", WRITES)
def test_two_inputs_cannot_take_one_e_mail(portal: PracticePortal, verb: str) -> None:
    """30"""
    if verb == "update":
        keyed(portal, 2)
    done = send(portal, verb, [an_input(verb, number, trace=True, email="a@example.com") for number in range(2)])
    assert [one.object_write_trace_id for one in done.results] == ["E-0"]
    assert done.errors[0].category == "CONFLICT"


@pytest.mark.parametrize("verb", ["read", *WRITES])
def test_results_do_not_come_in_the_order_of_the_inputs(portal: PracticePortal, verb: str) -> None:
    """31"""
    contacts = keyed(portal, 20) if verb != "create" else []
    inputs = [an_input(verb, number, trace=True, city="Turin") for number in range(20)]
    if verb == "read":
        inputs = [{"id": contact} for contact in contacts]
    done = send(portal, verb, inputs).results
    sent = contacts if verb == "read" else [one["objectWriteTraceId"] for one in inputs]
    came = [one.id if verb == "read" else one.object_write_trace_id for one in done]
    assert sorted(came) == sorted(sent)
    assert came != sent
    portal.switch("shuffled_results", False)
    again = send(portal, verb, inputs).results if verb != "create" else []
    assert [one.id if verb == "read" else one.object_write_trace_id for one in again] == (sent if again else [])


def test_a_merged_id_is_in_neither_list(portal: PracticePortal) -> None:
    """32"""
    ada, bea, cleo = (portal.make(email=f"{name}@example.com") for name in ("ada", "bea", "cleo"))
    survivor = portal.merge(ada, bea)
    inputs = [
        {"id": one, "objectWriteTraceId": f"E-{one}", "properties": {"city": "Turin"}} for one in (ada, bea, cleo)
    ]
    done = send(portal, "update", inputs)
    assert [one.id for one in done.results] == [cleo]
    assert not hasattr(done, "errors")
    assert portal.value("contacts", survivor, "city") is None


def test_a_batch_read_tells_what_is_not_there(portal: PracticePortal) -> None:
    """33"""
    ada, bea, cleo = (portal.make(email=f"{name}@example.com") for name in ("ada", "bea", "cleo"))
    portal.merge(ada, bea)
    portal.basic.archive("contacts", cleo)
    live = portal.make()
    done = portal.batch.read(
        "contacts", {"properties": [], "inputs": [{"id": one} for one in (ada, cleo, live, "404")]}
    )
    assert [one.id for one in done.results] == [live]
    (error,) = done.errors
    assert (done.num_errors, error.category) == (1, "OBJECT_NOT_FOUND")
    assert (
        error.message
        == "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
    )
    assert error.context == {"ids": [ada, cleo, "404"]}


def test_a_batch_read_shows_properties_histories_and_the_bin(portal: PracticePortal) -> None:
    """33"""
    contact = portal.make(email="ada@example.com", jobtitle="Trainee")
    portal.change("contacts", contact, jobtitle="CTO")
    body = {
        "properties": ["jobtitle"],
        "propertiesWithHistory": ["jobtitle"],
        "idProperty": "email",
        "inputs": [{"id": "ADA@example.com"}, {"id": "ada@example.com"}],
    }
    (found,) = {one.id: one for one in portal.batch.read("contacts", body).results}.values()
    assert [one.value for one in found.properties_with_history["jobtitle"]] == ["CTO", "Trainee"]
    portal.basic.archive("contacts", contact)
    gone = portal.batch.read("contacts", {"properties": [], "inputs": [{"id": contact}]}, archived=True)
    assert [one.archived for one in gone.results] == [True]


def test_a_batch_read_with_history_takes_fifty(portal: PracticePortal) -> None:
    """26, 33"""
    body = {"properties": [], "propertiesWithHistory": ["city"], "inputs": [{"id": str(one)} for one in range(51)]}
    assert code(portal.batch.read, "contacts", body) == (400, "VALIDATION_ERROR")


def test_a_missing_id_of_an_update_is_told_with_id_and_trace(portal: PracticePortal) -> None:
    """30, 33"""
    contact = portal.make()
    inputs = [
        {"id": one, "objectWriteTraceId": f"E-{one}", "properties": {"city": "Turin"}} for one in (contact, "404")
    ]
    done = send(portal, "update", inputs)
    assert [one.id for one in done.results] == [contact]
    assert done.errors[0].context == {"ids": ["404"], "objectWriteTraceId": ["E-404"]}
    bare = [{"id": one["id"], "properties": {"city": "Bari"}} for one in inputs]
    assert code(send, portal, "update", bare) == (404, "OBJECT_NOT_FOUND")
    assert portal.value("contacts", contact, "city") == "Turin"


def test_an_upsert_says_which_are_new(portal: PracticePortal) -> None:
    """34"""
    (there,) = keyed(portal, 1)
    done = send(portal, "upsert", [an_input("upsert", number, trace=True, city="Turin") for number in range(2)])
    assert {one.object_write_trace_id: one.new for one in done.results} == {"E-0": False, "E-1": True}
    assert {one.id: portal.value("contacts", one.id, "truce_key") for one in done.results}[there] == "p-0"
    assert portal.value("contacts", next(one.id for one in done.results if one.new), "truce_key") == "p-1"


def test_an_upsert_by_e_mail_is_whole_unless_switched_so(portal: PracticePortal) -> None:
    """34"""
    inputs = [
        {"id": "ada@example.com", "idProperty": "email", "objectWriteTraceId": "E-1", "properties": {"city": "Turin"}},
        {"id": "bea@example.com", "idProperty": "email", "objectWriteTraceId": "E-2", "properties": {"dragons": "3"}},
    ]
    assert code(send, portal, "upsert", inputs) == (400, "VALIDATION_ERROR")
    assert portal.found() == []
    portal.switch("email_upsert_is_whole", False)
    assert [one.object_write_trace_id for one in send(portal, "upsert", inputs).results] == ["E-1"]


@pytest.mark.parametrize(
    ("verb", "object_type", "id_property"),
    [
        ("update", "contacts", "email"),
        ("update", "contacts", "hs_object_id"),
        ("update", "contacts", "city"),
        ("upsert", "contacts", "hs_object_id"),
        ("upsert", "contacts", "city"),
        ("upsert", "contacts", None),
        ("upsert", "deals", "dealname"),
        ("read", "contacts", "city"),
    ],
)
def test_a_property_that_is_not_unique_is_no_key(
    portal: PracticePortal, verb: str, object_type: str, id_property: str | None
) -> None:
    """34"""
    body = {"inputs": [{"id": "x", "idProperty": id_property, "properties": {}}], "idProperty": id_property}
    status, answer = refusal(getattr(portal.batch, verb), object_type, body)
    type_id = {"contacts": "0-1", "deals": "0-3"}[object_type]
    assert (status, answer["message"]) == (400, f"Unable to perform update/upsert by non-unique {type_id} property")


def test_a_batch_create_ties_each_record_to_its_company(portal: PracticePortal) -> None:
    """29, 51"""
    company = portal.make("companies")
    tie = [{"to": {"id": company}, "types": [PLAIN_COMPANY]}]
    inputs = [{**an_input("create", number, trace=True), "associations": tie} for number in range(2)]
    made = send(portal, "create", inputs).results
    assert [portal.company_labels(one.id) for one in made] == [{company: [1, 279]}] * 2
    lost = [{"to": {"id": "404"}, "types": [PLAIN_COMPANY]}]
    inputs = [{**an_input("create", 1, trace=False), "associations": tie}, {"properties": {}, "associations": lost}]
    assert code(send, portal, "create", inputs) == (400, "VALIDATION_ERROR")
    assert len(portal.found()) == 2


def test_a_batch_archive_says_nothing_whatever_it_finds(portal: PracticePortal) -> None:
    """23, 26"""
    contacts = [portal.make() for _ in range(3)]
    portal.basic.archive("contacts", contacts[0])
    body = {"inputs": [{"id": one} for one in (*contacts[:2], "404")]}
    assert portal.raw("POST", "/crm/v3/objects/contacts/batch/archive", json=body).status_code == 204
    assert portal.found() == contacts[2:]


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
def test_the_dated_versions_write_batches_alike(emulator: Emulator, version: str) -> None:
    """1, 30"""
    portal = PracticePortal(emulator, version)
    done = send(portal, "upsert", [an_input("upsert", number, trace=True, city="Turin") for number in range(2)])
    assert {one.new for one in done.results} == {True}
    assert {line["path"] for line in portal.admin.get("/journal")} == {f"/crm/objects/{version}/contacts/batch/upsert"}
