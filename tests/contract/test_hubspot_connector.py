"""What the HubSpot connector asks, call by call, through the real client library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from scripted_server import Answer, ScriptedServer, scripted_server

from agent.connector import Connector, Window, Write
from agent.errors import AccessDenied, BadReply, NotFound, Unavailable
from agent.records import Gone, MergedInto, Owner, Record, Ref, Tombstone, Unreadable
from agent.together import InTurn
from connectors.hubspot.client import Client
from connectors.hubspot.connector import HubSpot
from connectors.hubspot.login import ServiceKey
from connectors.hubspot.pacing import SEARCH_SECONDS, Rolling

SINCE = datetime(2026, 11, 1, 9, tzinfo=UTC)
UNTIL = datetime(2026, 11, 2, 9, tzinfo=UTC)
WINDOW = Window(SINCE, UNTIL)
UPDATED = "2026-11-02T08:00:00.000Z"
VERSION = "1793606400000"
NOT_FOUND = Answer({"status": "error", "category": "OBJECT_NOT_FOUND", "message": "resource not found"}, 404)
FORBIDDEN = Answer({"status": "error", "category": "MISSING_SCOPES", "message": "no"}, 403)


PLENTY = {"X-HubSpot-RateLimit-Remaining": "15"}


class FakeTime:
    def __init__(self) -> None:
        self.now = 0.0

    def seconds(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def connector(server: ScriptedServer, time: FakeTime) -> Iterator[HubSpot]:
    found = HubSpot(
        token="pat-fake",
        base_url=server.url,
        link_keys={"contacts": "truce_key"},
        seconds=time.seconds,
        sleep=time.sleep,
    )
    yield found
    found.close()


def ref(record_id: str, object_type: str = "contacts") -> Ref:
    return Ref("hubspot", object_type, record_id)


def row(record_id: int | str, trace_id: str | None = None, **properties: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"id": str(record_id), "properties": properties, "updatedAt": UPDATED}
    return found if trace_id is None else {**found, "objectWriteTraceId": trace_id}


def hits(first: int, last: int, total: int | None = None) -> Answer:
    rows = [row(number) for number in range(first, last + 1)]
    return Answer({"results": rows, "total": len(rows) if total is None else total})


def found(*rows: dict[str, Any]) -> Answer:
    return Answer({"results": list(rows)})


def paths(server: ScriptedServer) -> list[str]:
    return [f"{asked.method} {asked.path}" for asked in server.asked]


def update(number: int, record_id: str, **fields: Any) -> Write:
    return Write(f"E-{number}", "update", "contacts", record_id, fields or {"firstname": "Ada"})


# The seam -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v3", ["/account-info/v3/details", "/crm/v3/properties/contacts", "/crm/v3/objects/contacts/batch/read"]),
        (
            "2026-09",
            [
                "/account-info/2026-09/details",
                "/crm/properties/2026-09/contacts",
                "/crm/objects/2026-09/contacts/batch/read",
            ],
        ),
    ],
)
def test_the_api_version_is_a_setting_over_cached_connections(
    server: ScriptedServer, version: Any, expected: list[str]
) -> None:
    connector = HubSpot(token="pat-fake", base_url=server.url, api_version=version)
    server.script(
        Answer({"portalId": 1, "accountType": "SANDBOX"}),
        Answer({"results": [{"name": "email", "type": "string", "fieldType": "text"}]}),
        found(row(1)),
    )
    connector.identity()
    connector.schema("contacts")
    for _ in range(5):
        connector.read([ref("1")], ["email"])
    assert [asked.path.partition("?")[0] for asked in server.asked][:3] == expected
    assert {asked.headers["Authorization"] for asked in server.asked} == {"Bearer pat-fake"}
    assert server.connections == 2  # one per package of the library, however many calls
    connector.close()


def test_a_request_to_another_host_is_stopped_before_it_leaves() -> None:
    client = Client(ServiceKey("pat-fake"), "https://api.example.com")
    library = client._library.crm.objects.basic_api.api_client
    with pytest.raises(BadReply, match="trusted"):
        library.call_api("/crm/v3/objects/contacts", "GET", _host="https://evil.example")
    assert client._library.crm.objects.basic_api is client._library.crm.objects.basic_api


def test_it_is_a_connector(connector: HubSpot) -> None:
    port: Connector = connector
    assert port.capabilities.link_keys == {"contacts": "truce_key"}
    assert not port.capabilities.conditional_write


def test_a_closed_connector_opens_again_when_asked(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({"portalId": 1, "accountType": "STANDARD"}))
    connector.identity()
    connector.close()
    assert connector.identity().is_production


@pytest.mark.parametrize("kind", ["STANDARD", "SOMETHING_NEW"])
def test_an_account_is_production_unless_hubspot_says_otherwise(
    server: ScriptedServer, connector: HubSpot, kind: str
) -> None:
    server.script(Answer({"portalId": 62515, "accountType": kind, "timeZone": "US/Eastern"}))
    identity = connector.identity()
    assert (identity.account_id, identity.is_production, identity.time_zone) == ("62515", True, "US/Eastern")


def test_owners_are_read_page_by_page_active_then_archived(server: ScriptedServer, connector: HubSpot) -> None:
    ada = {"id": "1", "email": "Ada@Example.com", "type": "PERSON", "firstName": "Ada", "lastName": "King"}
    queue = {"id": "2", "email": None, "type": "QUEUE", "firstName": "", "lastName": ""}
    old = {"id": "3", "email": "old@example.com", "type": "PERSON", "archived": True, "userId": None}
    server.script(
        Answer({"results": [ada], "paging": {"next": {"after": "2"}}}), Answer({"results": [queue]}), found(old)
    )
    assert connector.owners() == [
        Owner("hubspot", "1", "ada@example.com", "Ada King", active=True),
        Owner("hubspot", "2", None, "2", active=True, is_queue=True),
        Owner("hubspot", "3", "old@example.com", "old@example.com", active=False),
    ]
    assert "after=2" in server.asked[1].path
    assert "archived=True" in server.asked[2].path


@pytest.mark.parametrize("status", [400, 404])
def test_an_object_type_hubspot_does_not_know_is_not_found(
    server: ScriptedServer, connector: HubSpot, status: int
) -> None:
    server.script(Answer({"status": "error", "message": "Unable to infer object type from: dragons"}, status))
    with pytest.raises(NotFound):
        connector.schema("dragons")


# Changed records ----------------------------------------------------------------------------------------------


def test_a_search_goes_on_by_id_and_never_by_offset(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(hits(1, 200, total=230), hits(201, 230))
    known = list(connector.changed("contacts", ["email"], WINDOW, lambda versions: set(versions)))
    assert known == []
    first, second = (asked.body for asked in server.asked)
    assert first == {
        "filterGroups": [
            {
                "filters": [
                    {
                        "propertyName": "lastmodifieddate",
                        "operator": "BETWEEN",
                        "value": "1793523600000",
                        "highValue": "1793609999999",
                    },
                    {"propertyName": "hs_object_id", "operator": "GT", "value": "0"},
                ]
            }
        ],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": ["lastmodifieddate"],
        "limit": 200,
    }
    assert second["filterGroups"][0]["filters"][1]["value"] == "200"


def test_ids_are_compared_as_numbers(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(hits(9, 10))
    assert list(connector.changed("contacts", [], WINDOW, lambda versions: set(versions))) == []


def test_companies_are_searched_by_their_own_stamp(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(hits(1, 0))
    assert list(connector.changed("companies", ["name"], WINDOW)) == []
    assert server.asked[0].body["filterGroups"][0]["filters"][0]["propertyName"] == "hs_lastmodifieddate"


def test_the_truth_comes_in_batch_reads_of_a_hundred_for_what_is_not_known(
    server: ScriptedServer, connector: HubSpot
) -> None:
    server.script(
        hits(1, 150),
        found(*(row(number, email=f"p{number}@example.com") for number in range(140, 40, -1))),
        found(*(row(number, email=f"p{number}@example.com") for number in range(141, 151))),
    )
    known = {(str(number), VERSION) for number in range(1, 41)}

    def held(told: Mapping[str, str]) -> set[str]:
        return {record_id for record_id, version in told.items() if (record_id, version) in known}

    pages = list(connector.changed("contacts", ["email"], WINDOW, held))
    assert [len(page.items) for page in pages] == [100, 10]
    assert [item.ref.id for page in pages for item in page.items] == [str(number) for number in range(41, 151)]
    assert server.asked[1].body["properties"] == ["email", "hs_merged_object_ids"]
    assert [item["id"] for item in server.asked[1].body["inputs"]] == [str(number) for number in range(41, 141)]


def test_a_version_of_the_last_seconds_is_read_again(server: ScriptedServer, connector: HubSpot) -> None:
    stamps = {1: "2026-11-02T08:59:49.999Z", 2: "2026-11-02T08:59:50.000Z", 3: "2026-11-02T08:59:59.999Z"}
    rows = [{**row(number), "updatedAt": stamp} for number, stamp in stamps.items()]
    server.script(Answer({"results": rows, "total": 3}), found(*rows))
    (page,) = connector.changed("contacts", [], WINDOW, lambda versions: set(versions))
    assert [item.ref.id for item in page.items] == ["2", "3"]


def test_a_record_that_went_between_search_and_read_is_told(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(hits(1, 3), found(row(2)), NOT_FOUND, Answer(row(77)))
    (page,) = connector.changed("contacts", [], WINDOW)
    assert page.items[0] == Tombstone(ref("1"))
    assert page.items[2] == MergedInto(ref("3"), ref("77"))


def test_who_was_erased_between_search_and_read_is_told_as_erased(server: ScriptedServer, connector: HubSpot) -> None:
    """Neither at its id nor in the recycle bin."""
    server.script(hits(1, 2), found(row(2)), NOT_FOUND, NOT_FOUND)
    (page,) = connector.changed("contacts", [], WINDOW)
    assert page.items[0] == Tombstone(ref("1"), is_erased=True)
    assert "archived=True" in server.asked[3].path


def test_a_survivor_tells_of_its_merges(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(hits(9, 9), found(row(9, email="a@example.com", hs_merged_object_ids="5;7")))
    (page,) = connector.changed("contacts", ["email"], WINDOW)
    record, *merges = page.items
    assert isinstance(record, Record)
    assert record.fields == {"email": "a@example.com"}
    assert merges == [MergedInto(ref("5"), ref("9")), MergedInto(ref("7"), ref("9"))]


def test_a_pull_without_permission_ends_in_access_denied(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(FORBIDDEN)
    with pytest.raises(AccessDenied):
        list(connector.changed("contacts", [], WINDOW))


TOO_SOON = Answer({"policyName": "SECONDLY", "errorType": "RATE_LIMIT"}, 429)


def test_a_search_that_came_too_soon_is_asked_again_when_the_second_is_over(
    server: ScriptedServer, connector: HubSpot, time: FakeTime
) -> None:
    server.script(TOO_SOON, TOO_SOON, hits(1, 30, total=30))
    list(connector.changed("contacts", [], WINDOW, lambda versions: set(versions)))
    assert time.now == 2 * SEARCH_SECONDS


def test_a_search_that_another_limit_refuses_is_not_asked_again(server: ScriptedServer, connector: HubSpot) -> None:
    body = {"status": "error", "errorType": "RATE_LIMIT", "message": "text", "policyName": "TEN_SECONDLY_ROLLING"}
    server.script(Answer(body, 429))
    with pytest.raises(Unavailable) as caught:
        list(connector.changed("contacts", [], WINDOW))
    assert (caught.value.retry_after, len(server.asked)) == (10.0, 1)


def test_being_throttled_for_long_says_how_long_to_wait(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(hits(1, 200, total=230), TOO_SOON)
    with pytest.raises(Unavailable) as caught:
        list(connector.changed("contacts", [], WINDOW, lambda versions: set(versions)))
    assert caught.value.retry_after == 1.0


def test_little_left_of_the_rolling_limit_means_a_breath_before_each_call(
    server: ScriptedServer, connector: HubSpot, time: FakeTime
) -> None:
    account = {"portalId": 1, "accountType": "SANDBOX"}
    little = {"X-HubSpot-RateLimit-Remaining": "4"}
    headers = [little, {}, {**little, "X-Status": "503"}, PLENTY, PLENTY]
    server.script(
        *(
            Answer(
                account, 503 if "X-Status" in more else 200, headers=more, date=f"Mon, 02 Nov 2026 09:00:0{second} GMT"
            )
            for second, more in enumerate(headers)
        )
    )
    waited = []
    for _ in headers:
        with suppress(Unavailable):
            connector.identity()
        waited.append(time.now)
    assert waited == [0.0, 2.0, 4.0, 6.0, 6.0]


def test_no_breath_is_taken_twice_while_the_vendors_clock_stands_still(
    server: ScriptedServer, connector: HubSpot, time: FakeTime
) -> None:
    account = {"portalId": 1, "accountType": "SANDBOX"}
    little = {"X-HubSpot-RateLimit-Remaining": "0"}
    server.script(Answer(account, headers=little))
    for _ in range(20):
        connector.identity()
    assert time.now == 2.0
    server.script(Answer(account, headers=little, date="Mon, 02 Nov 2026 09:00:07 GMT"))
    connector.identity()
    connector.identity()
    assert time.now == 4.0


def test_a_reply_that_was_overtaken_by_a_later_one_does_not_count(time: FakeTime) -> None:
    pace = Rolling(time.seconds, time.sleep)
    with pace.turn() as early:
        with pace.turn() as late:
            pace.note(late, 0, UNTIL)
        pace.note(early, 100, UNTIL)
    with pace.turn():
        assert time.now > 0


def test_a_long_pull_paces_its_searches(server: ScriptedServer, connector: HubSpot, time: FakeTime) -> None:
    server.script(*(hits(200 * page + 1, 200 * page + 200, total=9_999) for page in range(12)), hits(9_001, 9_001))
    list(connector.changed("contacts", [], WINDOW, lambda versions: set(versions)))
    assert len(server.asked) == 13
    assert time.now == pytest.approx(2 * SEARCH_SECONDS)


class AllAtOnce(InTurn):
    """Allows eight calls at once and makes them in turn, so that the answers come as they were scripted."""

    at_once = 8


def test_a_page_from_the_upper_end_that_is_not_in_order_ends_the_pull(
    server: ScriptedServer, connector: HubSpot
) -> None:
    server.script(hits(1, 200, total=1_000), hits(201, 400, total=800), hits(801, 1_000, total=800))
    with pytest.raises(BadReply):
        list(connector.changed("contacts", [], WINDOW, lambda versions: set(versions), AllAtOnce()))
    assert server.asked[2].body["sorts"] == [{"propertyName": "hs_object_id", "direction": "DESCENDING"}]


def test_a_full_load_lists_and_then_reads_the_bin(server: ScriptedServer, connector: HubSpot) -> None:
    archived = {**row(3), "archived": True, "archivedAt": "2026-10-01T00:00:00.000Z"}
    server.script(
        Answer({"results": [row(1)], "paging": {"next": {"after": "2"}}}),
        found(row(2, hs_merged_object_ids="7")),
        found(archived),
    )
    items = [item for page in connector.changed("contacts", ["email"], Window(None, UNTIL)) for item in page.items]
    assert [item.ref.id for item in items] == ["1", "2", "7", "3"]
    assert items[2] == MergedInto(ref("7"), ref("2"))
    assert items[3] == Tombstone(ref("3"), datetime(2026, 10, 1, tzinfo=UTC))
    assert "after=2" in server.asked[1].path
    assert "archived=True" in server.asked[2].path


# Reading and finding -------------------------------------------------------------------------------------------


def test_missing_scopes_make_records_unreadable_not_gone(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(FORBIDDEN)
    assert [type(item) for item in connector.read([ref("1"), ref("2")], ["email"])] == [Unreadable, Unreadable]


def test_only_missing_records_cost_calls_of_their_own(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(found(row(3), row(1)), NOT_FOUND)
    readouts = connector.read([ref("1"), ref("2"), ref("3")], [])
    assert [type(readout) for readout in readouts] == [Record, Gone, Record]
    assert len(server.asked) == 3, "all at once, the missing one, and the recycle bin for it"


def test_vanished_tells_only_what_is_no_longer_there(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(found(row(1)), NOT_FOUND, Answer(row(9)))
    assert connector.vanished([ref("1"), ref("2"), ref("3")]) == [Tombstone(ref("2")), MergedInto(ref("3"), ref("9"))]


def test_a_key_is_looked_up_by_get_with_everything_encoded(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer(row(1, email="a+b/c?d@example.com")))
    connector.find("contacts", "email", "a+b/c?d@example.com", ["email"])
    (asked,) = server.asked
    assert asked.path.startswith("/crm/v3/objects/contacts/a%2Bb%2Fc%3Fd%40example.com?")
    assert "idProperty=email" in asked.path


def test_a_further_e_mail_of_a_contact_is_found(server: ScriptedServer, connector: HubSpot) -> None:
    ada = row(1, email="ada@example.com", hs_additional_emails="second@example.com;third@example.com")
    server.script(Answer(ada))
    assert [item.ref.id for item in connector.find("contacts", "email", "Third@example.com", [])] == ["1"]
    server.script(
        NOT_FOUND, Answer({"results": [row(1), row(2)], "total": 2}), found(ada, row(2, hs_additional_emails="x"))
    )
    assert [item.ref.id for item in connector.find("contacts", "email", "third@example.com", [])] == ["1"]


def test_a_field_that_is_not_unique_is_searched_and_checked_against_the_truth(
    server: ScriptedServer, connector: HubSpot
) -> None:
    server.script(hits(1, 2), found(row(1, jobtitle="CTO"), row(2, jobtitle="CEO"), row(3, jobtitle="CTO")))
    assert [item.ref.id for item in connector.find("contacts", "jobtitle", "cto", [])] == ["1"]


def test_a_property_the_schema_calls_unique_is_looked_up_directly(server: ScriptedServer, connector: HubSpot) -> None:
    item = {"name": "tax_id", "type": "string", "fieldType": "text", "hasUniqueValue": True}
    server.script(Answer({"results": [item]}), Answer(row(1, tax_id="7")))
    connector.schema("companies")
    assert [record.ref for record in connector.find("companies", "tax_id", "7", [])] == [ref("1", "companies")]
    assert server.asked[1].method == "GET"


# Writing ---------------------------------------------------------------------------------------------------------


def test_an_update_sends_text_blanks_as_empty_and_its_entry_as_trace(
    server: ScriptedServer, connector: HubSpot
) -> None:
    server.script(found(row(1, "E-1", firstname=None, age="17", member="true")))
    (outcome,) = connector.write([update(1, "1", firstname=None, age=17, member=True)])
    (asked,) = server.asked
    assert asked.body == {
        "inputs": [
            {"id": "1", "properties": {"firstname": "", "age": "17", "member": "true"}, "objectWriteTraceId": "E-1"}
        ]
    }
    assert asked.headers["X-Truce-Entry"] == "E-1"
    assert outcome.observed == {"firstname": None, "age": "17", "member": "true"}
    assert outcome.version == VERSION


def test_the_echo_wins_over_the_payload(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(found(row(1, "E-1", lifecyclestage="customer", createdate="x")))
    (outcome,) = connector.write([update(1, "1", lifecyclestage="lead")])
    assert (outcome.status, outcome.observed) == ("applied", {"lifecyclestage": "customer"})


def test_what_the_echo_leaves_out_is_read_back(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(found(row(1, "E-1", firstname="Ada")), found(row(1, firstname="old", city=None)))
    (outcome,) = connector.write([update(1, "1", firstname="Ada", city=None)])
    assert outcome.observed == {"firstname": "Ada", "city": None}
    assert server.asked[1].body["properties"] == ["city", "firstname"]


def test_a_failed_read_back_leaves_the_rest_unobserved(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(found(row(1, "E-1", firstname="Ada")), Answer({}, 503))
    (outcome,) = connector.write([update(1, "1", firstname="Ada", city="Turin")])
    assert (outcome.status, outcome.observed) == ("applied", {"firstname": "Ada"})


def test_one_record_twice_goes_in_two_calls(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(found(row(1, "E-1", a="x"), row(2, "E-2", a="x")), found(row(1, "E-3", b="y")))
    outcomes = connector.write([update(1, "1", a="x"), update(2, "2", a="x"), update(3, "1", b="y")])
    assert [outcome.status for outcome in outcomes] == ["applied"] * 3
    assert [len(asked.body["inputs"]) for asked in server.asked] == [2, 1]


def test_a_version_is_compared_right_before_and_only_the_unmoved_are_sent(
    server: ScriptedServer, connector: HubSpot
) -> None:
    server.script(found(row(1), row(2)), found(row(1, "E-1", firstname="Ada")))
    writes = [
        replace(update(1, "1"), expects_version=VERSION),
        replace(update(2, "2"), expects_version="1793606399999"),
    ]
    outcomes = connector.write(writes)
    assert [outcome.status for outcome in outcomes] == ["applied", "rejected"]
    assert outcomes[1].error is not None
    assert outcomes[1].error.kind == "moved"
    assert [item["id"] for item in server.asked[1].body["inputs"]] == ["1"]


def test_an_archive_looks_first_because_hubspot_would_follow_a_merge(
    server: ScriptedServer, connector: HubSpot
) -> None:
    server.script(found(), Answer(row(77)))
    (outcome,) = connector.write([Write("E-1", "delete", "contacts", "1", {})])
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.other_id) == ("moved", "77")
    assert not any(asked.method == "DELETE" for asked in server.asked)


def test_a_merge_looks_first_at_both_because_hubspot_would_follow_a_merge(
    server: ScriptedServer, connector: HubSpot
) -> None:
    write = Write("E-1", "merge", "contacts", "1", {}, losers=("2",))
    server.script(found(), Answer(row(9)))
    [outcome] = connector.write([write])
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.other_id) == ("moved", "9")
    server.script(found(row(1)), Answer(row(9)))
    [outcome] = connector.write([write])
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.other_id) == ("moved", "9")
    assert not any("merge" in path for path in paths(server))


def test_an_archive_is_one_delete(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(found(row(1)), Answer(None, 204))
    (outcome,) = connector.write([Write("E-1", "delete", "contacts", "1", {}, expects_version=VERSION)])
    assert (outcome.status, outcome.record_id) == ("applied", "1")
    assert paths(server)[1] == "DELETE /crm/v3/objects/contacts/1"
    assert server.asked[1].headers["X-Truce-Entry"] == "E-1"


def test_keyed_creates_share_a_batch_and_carry_key_and_parent(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({"results": [row(1, "E-1", firstname="Ada", truce_key="person-1-1")]}, 201))
    write = Write(
        "E-1",
        "create",
        "contacts",
        None,
        {"firstname": "Ada", "city": None},
        ("truce_key", "person-1-1"),
        parents={"company": "55"},
    )
    connector.write([write])
    assert paths(server)[0] == "POST /crm/v3/objects/contacts/batch/create"
    assert server.asked[0].body["inputs"] == [
        {
            "properties": {"firstname": "Ada", "truce_key": "person-1-1"},
            "associations": [
                {
                    "to": {"id": "55"},
                    "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}],
                }
            ],
            "objectWriteTraceId": "E-1",
        }
    ]


def test_a_create_whose_key_a_record_carries_landed_before_and_is_unknown_while_nobody_can_look(
    server: ScriptedServer, connector: HubSpot
) -> None:
    refusal = {
        "category": "VALIDATION_ERROR",
        "message": 'Property values were not valid: [{"error":"CONFLICTING_UNIQUE_VALUE","name":"truce_key"}]',
        "context": {"objectWriteTraceId": ["E-1"]},
    }
    write = Write("E-1", "create", "contacts", None, {"firstname": "Ada"}, ("truce_key", "person-1-1"))
    server.script(Answer({"results": [], "errors": [refusal]}, 207), Answer(row(7, truce_key="person-1-1")))
    (outcome,) = connector.write([write])
    assert (outcome.status, outcome.record_id, outcome.observed["truce_key"]) == ("applied", "7", "person-1-1")
    server.script(Answer({"results": [], "errors": [refusal]}, 207), Answer({}, 503))
    (outcome,) = connector.write([write])
    assert (outcome.status, outcome.error) == ("unknown", None)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (found({"status": "UNSUBSCRIBED"}), "applied"),
        (found(), "unknown"),
        (found({"status": "SUBSCRIBED"}), "unknown"),
        (Answer({}, 500), "unknown"),
    ],
)
def test_an_opt_out_is_believed_when_the_address_is_out(
    server: ScriptedServer, connector: HubSpot, told: Answer, status: str
) -> None:
    server.script(Answer({"results": []}), told)
    write = Write("E-1", "opt_out", "contacts", "1", {"hs_email_optout": True}, ("email", "ada@example.com"))
    [outcome] = connector.write([write])
    assert (outcome.status, [asked.method for asked in server.asked]) == (status, ["POST", "GET"])


def test_creates_without_a_key_go_one_by_one(server: ScriptedServer, connector: HubSpot) -> None:
    writes = [Write(f"E-{number}", "create", "contacts", None, {"firstname": "Ada"}) for number in (1, 2)]
    server.script(Answer(row(11, firstname="Ada"), 201), Answer(row(12, firstname="Ada"), 201))
    assert [outcome.record_id for outcome in connector.write(writes)] == ["11", "12"]
    assert paths(server) == ["POST /crm/v3/objects/contacts"] * 2


def test_an_unknown_relation_is_rejected_unsent(server: ScriptedServer, connector: HubSpot) -> None:
    write = Write("E-1", "create", "contacts", None, {"firstname": "Ada"}, parents={"dragon": "5"})
    (outcome,) = connector.write([write])
    assert (outcome.status, server.asked) == ("rejected", [])
