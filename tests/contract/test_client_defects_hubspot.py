"""Defects of hubspot-api-client 12.0.0, each shown in the library itself and absent from our connector.

V4 a page of HTML becomes an object full of None · V5 partial failure looks like success · V6 no timeout ·
V7 hidden retries · V8 exceptions that print headers and bodies.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import hubspot
import pytest
import urllib3
from scripted_server import HTML, Answer, ScriptedServer, scripted_server

from agent.connector import Window, Write, WriteOutcome
from agent.errors import AccessDenied, BadReply, ConnectorError, NotFound, Unavailable
from agent.records import Gone, MergedInto, Ref, Unreadable
from connectors.hubspot.client import Client
from connectors.hubspot.connector import HubSpot
from connectors.hubspot.failures import NothingSent, ReplyLost
from connectors.hubspot.login import ServiceKey

TOKEN = "pat-fake-0000-secret"
ADA = Ref("hubspot", "contacts", "501")
UPDATED = "2026-11-02T08:00:00.000Z"
WINDOW = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
PORTAL = Answer(HTML, content_type="text/html")
HALF = Answer({"results": [{"id": "501", "properties": {}, "updatedAt": UPDATED}]}, cut=20)
NOT_FOUND = Answer({"status": "error", "category": "OBJECT_NOT_FOUND", "message": "resource not found"}, 404)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def connector(server: ScriptedServer) -> Iterator[HubSpot]:
    found = HubSpot(token=TOKEN, base_url=server.url, link_keys={"contacts": "truce_key"})
    yield found
    found.close()


@pytest.fixture
def library(server: ScriptedServer) -> Any:
    return hubspot.HubSpot(access_token=TOKEN, host=server.url)


def row(record_id: str, trace_id: str | None = None, **properties: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"id": record_id, "properties": properties, "updatedAt": UPDATED}
    return found if trace_id is None else {**found, "objectWriteTraceId": trace_id}


def refusal(trace_id: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": 'Property values were not valid: [{"error":"INVALID_OPTION","name":"lifecyclestage"}]',
        "context": {"objectWriteTraceId": [trace_id]},
    }


def update(number: int, record_id: str) -> Write:
    return Write(f"E-{number}", "update", "contacts", record_id, {"firstname": "Ada"})


def create(number: int) -> Write:
    return Write(f"E-{number}", "create", "contacts", None, {"firstname": "Ada"}, ("truce_key", f"person-{number}"))


def statuses(outcomes: list[WriteOutcome]) -> list[tuple[str, str]]:
    return [(outcome.entry_id, outcome.status) for outcome in outcomes]


READS: dict[str, Callable[[HubSpot], object]] = {
    "identity": lambda connector: connector.identity(),
    "now": lambda connector: connector.now(),
    "schema": lambda connector: connector.schema("contacts"),
    "owners": lambda connector: connector.owners(),
    "read": lambda connector: connector.read([ADA], ["email"]),
    "find by key": lambda connector: connector.find("contacts", "email", "ada@example.com", ["email"]),
    "find by search": lambda connector: connector.find("contacts", "jobtitle", "CTO", ["email"]),
    "full load": lambda connector: list(connector.changed("contacts", ["email"], Window(None, WINDOW.until))),
    "changed": lambda connector: list(connector.changed("contacts", ["email"], WINDOW)),
}
WRITES: dict[str, Write] = {
    "update": update(1, "501"),
    "keyed create": create(1),
    "single create": Write("E-1", "create", "contacts", None, {"firstname": "Ada"}),
}


# V4 ---------------------------------------------------------------------------------------------------------


def test_v4_the_library_reads_a_page_of_html_as_a_record_of_nones(server: ScriptedServer, library: Any) -> None:
    server.script(PORTAL)
    found = library.crm.contacts.basic_api.get_by_id("501")
    assert (found.id, found.properties) == (None, None)


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("answer", [PORTAL, HALF, Answer([]), Answer({})], ids=["html", "half", "list", "empty"])
def test_v4_no_read_believes_a_reply_that_cannot_be_the_answer(
    server: ScriptedServer, connector: HubSpot, name: str, answer: Answer
) -> None:
    server.script(answer)
    with pytest.raises((BadReply, ReplyLost)):
        READS[name](connector)


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("answer", [PORTAL, HALF, Answer([]), Answer({})], ids=["html", "half", "list", "empty"])
def test_v4_a_write_with_an_unreadable_success_is_unknown(
    server: ScriptedServer, connector: HubSpot, name: str, answer: Answer
) -> None:
    server.script(answer)
    assert statuses(connector.write([WRITES[name]])) == [("E-1", "unknown")]
    assert len(server.asked) == 1


def test_v4_an_archive_is_done_only_by_a_204(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({"results": [row("501")]}), PORTAL)
    outcomes = connector.write([Write("E-1", "delete", "contacts", "501", {})])
    assert statuses(outcomes) == [("E-1", "unknown")]


def test_v4_another_record_than_asked_for_is_a_merge(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({"results": []}), Answer(row("777", email="ada@example.com")))
    assert connector.read([ADA], ["email"]) == [MergedInto(ADA, Ref("hubspot", "contacts", "777"))]


def test_v4_a_record_found_by_key_must_carry_that_key(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer(row("501", truce_key="person-2")))
    with pytest.raises(BadReply):
        connector.find("contacts", "truce_key", "person-1", ["truce_key"])


@pytest.mark.parametrize("answer", [Answer(HTML, 404, "text/html"), Answer(None, 404)], ids=["html", "nothing"])
def test_v4_a_404_that_hubspot_did_not_write_is_no_deletion(
    server: ScriptedServer, connector: HubSpot, answer: Answer
) -> None:
    server.script(Answer({"results": []}), answer)
    assert isinstance(connector.read([ADA], [])[0], Unreadable)


def test_v4_a_404_in_hubspots_own_words_is_gone(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({"results": []}), NOT_FOUND)
    assert connector.read([ADA], []) == [Gone(ADA, for_good=True)], "the bin was asked, and said the same"


def test_v4_json_under_another_name_is_somebody_elses(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({"portalId": 1, "accountType": "SANDBOX"}, content_type="text/html"))
    with pytest.raises(BadReply):
        connector.identity()


def test_v4_an_error_page_that_is_no_text_is_a_lost_reply(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer(b"\xff\xfe\x00", 502, "text/html"))
    assert statuses(connector.write([update(1, "501")])) == [("E-1", "unknown")]


@pytest.mark.parametrize(
    "body",
    [
        {"results": [], "total": 3},
        {"results": [row("9"), row("5")], "total": 2},
        {"results": [row("5"), row("5")], "total": 2},
        {"results": [row("5")]},
        {"results": "none", "total": 0},
    ],
    ids=["shows less than it counts", "out of order", "twice the same", "no total", "no list"],
)
def test_v4_a_search_that_could_hide_a_record_is_refused(
    server: ScriptedServer, connector: HubSpot, body: dict[str, Any]
) -> None:
    server.script(Answer(body))
    with pytest.raises(BadReply):
        list(connector.changed("contacts", ["email"], WINDOW))


def test_v4_a_list_that_does_not_move_on_is_refused(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({"results": [row("1")], "paging": {"next": {"after": "2"}}}))
    with pytest.raises(BadReply):
        list(connector.changed("contacts", ["email"], Window(None, WINDOW.until)))


# V5 ---------------------------------------------------------------------------------------------------------


def test_v5_the_library_returns_a_partial_failure_like_a_success(server: ScriptedServer, library: Any) -> None:
    body = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [], "startedAt": UPDATED}
    server.script(Answer({**body, "completedAt": UPDATED}, 207))
    found = library.crm.contacts.batch_api.update({"inputs": [{"id": "501", "properties": {}}]})
    assert found.status == "COMPLETE"


def test_v5_rows_are_matched_by_trace_id_in_whatever_order(server: ScriptedServer, connector: HubSpot) -> None:
    body = {
        "results": [row("503", "E-3", firstname="Ada"), row("501", "E-1", firstname="Ada")],
        "errors": [refusal("E-2")],
    }
    server.script(Answer(body, 207))
    outcomes = connector.write([update(1, "501"), update(2, "502"), update(3, "503")])
    assert statuses(outcomes) == [("E-1", "applied"), ("E-2", "rejected"), ("E-3", "applied")]
    assert [outcome.record_id for outcome in outcomes] == ["501", "502", "503"]
    error = outcomes[1].error
    assert error is not None
    assert (error.kind, error.code, error.fields) == ("validation", "INVALID_OPTION", ("lifecyclestage",))


def test_v5_creates_are_never_matched_by_position(server: ScriptedServer, connector: HubSpot) -> None:
    named = {"firstname": "Ada"}
    body = {
        "results": [row("12", "E-2", **named, truce_key="person-2"), row("11", "E-1", **named, truce_key="person-1")]
    }
    server.script(Answer(body, 201))
    outcomes = connector.write([create(1), create(2)])
    assert [(outcome.entry_id, outcome.record_id) for outcome in outcomes] == [("E-1", "11"), ("E-2", "12")]


def test_v5_a_created_row_without_its_trace_id_is_nobodys(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({"results": [row("11", firstname="Ada", truce_key="person-1")]}, 201))
    assert statuses(connector.write([create(1)])) == [("E-1", "unknown")]


def test_v5_a_merged_away_id_in_neither_list_is_moved(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({"results": [row("501", "E-1", firstname="Ada")]}, 207), Answer(row("900")))
    outcomes = connector.write([update(1, "501"), update(2, "502")])
    assert statuses(outcomes) == [("E-1", "applied"), ("E-2", "rejected")]
    assert outcomes[1].error is not None
    assert (outcomes[1].error.kind, outcomes[1].error.other_id) == ("moved", "900")


@pytest.mark.parametrize("answer", [Answer(row("502")), NOT_FOUND, PORTAL, Answer(hang_up=True)])
def test_v5_any_other_row_in_neither_list_is_unknown(
    server: ScriptedServer, connector: HubSpot, answer: Answer
) -> None:
    server.script(Answer({"results": [row("501", "E-1", firstname="Ada")]}, 207), answer)
    outcomes = connector.write([update(1, "501"), update(2, "502")])
    assert statuses(outcomes) == [("E-1", "applied"), ("E-2", "unknown")]


@pytest.mark.parametrize(
    "body",
    [
        {"results": [row("501", "E-1")], "errors": [refusal("E-1")]},
        {"results": [row("501", "E-1"), row("501", "E-1")]},
        {"results": [row("501", "E-77")]},
        {"results": [row("999", "E-1")]},
        {"results": [{"id": "501", "properties": {}, "objectWriteTraceId": "E-1"}]},
    ],
    ids=["done and refused", "done twice", "another call's trace", "another record", "no time of change"],
)
def test_v5_a_reply_that_contradicts_itself_settles_nothing(
    server: ScriptedServer, connector: HubSpot, body: dict[str, Any]
) -> None:
    server.script(Answer(body, 207))
    assert statuses(connector.write([update(1, "501"), update(2, "502")])) == [("E-1", "unknown"), ("E-2", "unknown")]


def test_v5_a_batch_refused_whole_blames_only_the_offender(server: ScriptedServer, connector: HubSpot) -> None:
    body = {"status": "error", "category": "CONFLICT", "message": "Contact already exists. Existing ID: 3401"}
    server.script(Answer(body, 409))
    outcomes = connector.write([update(1, "501"), update(2, "502")])
    assert statuses(outcomes) == [("E-1", "rejected"), ("E-2", "rejected")]
    assert [outcome.error.other_id for outcome in outcomes if outcome.error] == [None, None]


# V6 ---------------------------------------------------------------------------------------------------------


class Stopped(Exception):
    """Raised where the request would have left."""


@pytest.fixture
def leaving(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """(timeout, retries) of every request about to leave; none leaves."""
    found: list[tuple[Any, Any]] = []

    def stop(pool: urllib3.PoolManager, method: str, url: str, **options: Any) -> None:
        found.append((options.get("timeout"), pool.connection_pool_kw.get("retries")))
        raise Stopped

    monkeypatch.setattr(urllib3.PoolManager, "request", stop)
    return found


CALLS: dict[str, Callable[[Client], object]] = {
    "account": lambda client: client.account(),
    "properties": lambda client: client.properties("contacts"),
    "owners": lambda client: client.owners(after="2", archived=True),
    "page": lambda client: client.page("contacts", ["email"], after="2", archived=False),
    "record": lambda client: client.record("contacts", "501", ["email"]),
    "search": lambda client: client.search("contacts", {"limit": 1}),
    "batch_read": lambda client: client.batch_read("contacts", ["501"], ["email"]),
    "batch_write": lambda client: client.batch_write("update", "contacts", [{"id": "501"}], ["E-1"]),
    "create": lambda client: client.create("contacts", {"properties": {}}, "E-1"),
    "archive": lambda client: client.archive("contacts", "501", "E-1"),
    "associations": lambda client: client.associations("deals", "companies", [{"id": "501"}]),
    "association_labels": lambda client: client.association_labels("deals", "contacts"),
    "write_associations": lambda client: client.write_associations("create", "deals", "companies", [], ["E-1"]),
    "merge": lambda client: client.merge("contacts", "501", "502", "E-1"),
    "key_info": lambda client: client.key_info(),
    "opt_out": lambda client: client.opt_out("ada@example.com", "E-1"),
    "opt_out_status": lambda client: client.opt_out_status("ada@example.com"),
}


def test_v6_the_library_sends_without_a_timeout(library: Any, leaving: list[tuple[Any, Any]]) -> None:
    with pytest.raises(Stopped):
        library.crm.contacts.basic_api.get_by_id("501")
    assert leaving == [(None, None)]


def test_v6_every_call_of_the_client_is_listed_here() -> None:
    public = {name for name, member in vars(Client).items() if callable(member) and not name.startswith("_")}
    assert public - {"close"} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("version", ["v3", "2026-03", "2026-09"])
def test_v6_every_call_carries_both_timeouts_and_no_retries(
    leaving: list[tuple[Any, Any]], name: str, version: Any
) -> None:
    client = Client(ServiceKey(TOKEN), "https://api.example.com", version, (5.0, 60.0))
    with pytest.raises(Stopped):
        CALLS[name](client)
    ((timeout, retries),) = leaving
    assert (timeout.connect_timeout, timeout.read_timeout) == (5.0, 60.0)
    assert (retries.total, retries.redirect, retries.respect_retry_after_header) == (0, 0, False)


def test_v6_a_server_that_never_answers_leaves_a_write_unknown(server: ScriptedServer) -> None:
    connector = HubSpot(token=TOKEN, base_url=server.url, timeout=(1.0, 0.05))
    server.script(Answer(silent=True))
    assert statuses(connector.write([update(1, "501")])) == [("E-1", "unknown")]
    with pytest.raises(ReplyLost):
        connector.identity()
    connector.close()


# V7 ---------------------------------------------------------------------------------------------------------


def test_v7_the_library_archives_four_times_over_a_dropped_line(server: ScriptedServer, library: Any) -> None:
    server.script(Answer(hang_up=True))
    with pytest.raises(urllib3.exceptions.HTTPError):
        library.crm.contacts.basic_api.archive("501")
    assert len(server.asked) == 4


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "answer",
    [
        Answer(hang_up=True),
        Answer({}, 503, headers={"Retry-After": "1"}),
        Answer({}, 429, headers={"Retry-After": "1"}),
    ],
    ids=["dropped", "503", "429"],
)
def test_v7_one_attempt_is_one_request(server: ScriptedServer, name: str, answer: Answer) -> None:
    server.script(answer)
    client = Client(ServiceKey(TOKEN), server.url)
    try:
        assert CALLS[name](client).retry_after == 1.0
    except ReplyLost:
        assert answer.hang_up
    assert len(server.asked) == 1
    client.close()


def test_v7_a_redirect_is_not_followed(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer({}, 307, headers={"Location": f"{server.url}/elsewhere"}))
    assert statuses(connector.write([update(1, "501")])) == [("E-1", "unknown")]
    assert [asked.path for asked in server.asked] == ["/crm/v3/objects/contacts/batch/update"]


# V8 ---------------------------------------------------------------------------------------------------------

SECRETS = ("eve@example.com", TOKEN, "set-cookie-value")
TALKATIVE = {
    "status": "error",
    "category": "VALIDATION_ERROR",
    "message": "Property values were not valid: "
    '[{"message":"eve@example.com is wrong","error":"INVALID_EMAIL","name":"email"}]',
    "correlationId": "eve@example.com",
    "context": {"ids": ["eve@example.com"], "propertyName": ["eve@example.com"]},
}


def test_v8_the_librarys_exception_prints_the_body(server: ScriptedServer, library: Any) -> None:
    server.script(Answer(TALKATIVE, 400, headers={"Set-Cookie": "set-cookie-value"}))
    with pytest.raises(Exception, match="eve@example") as caught:
        library.crm.contacts.basic_api.get_by_id("501")
    assert "set-cookie-value" in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 414, 423, 429, 477, 500, 502])
@pytest.mark.parametrize("name", READS)
def test_v8_no_exception_of_ours_shows_values_headers_or_the_token(
    server: ScriptedServer, connector: HubSpot, name: str, status: int
) -> None:
    server.script(Answer(TALKATIVE, status, headers={"Set-Cookie": "set-cookie-value"}))
    try:
        said = str(READS[name](connector))
    except (ConnectorError, NotFound) as error:
        said = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert [secret for secret in SECRETS if secret in said] == []


@pytest.mark.parametrize("status", [400, 403, 404, 409, 414, 423, 429, 437])
def test_v8_a_rejected_write_is_explained_in_our_own_words(
    server: ScriptedServer, connector: HubSpot, status: int
) -> None:
    server.script(Answer(TALKATIVE, status, headers={"Set-Cookie": "set-cookie-value"}))
    (outcome,) = connector.write([update(1, "501")])
    assert outcome.status == "rejected"
    assert [secret for secret in SECRETS if secret in repr(outcome)] == []
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.fields) == ("INVALID_EMAIL", ("email",))


def test_v8_a_broken_line_does_not_show_the_address_asked_for(server: ScriptedServer, connector: HubSpot) -> None:
    server.script(Answer(hang_up=True))
    with pytest.raises(ReplyLost) as caught:
        connector.find("contacts", "email", "x" + "@".join(["eve", "example.com"]), ["email"])
    said = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "xeve" not in said


def test_v8_a_refused_connection_names_neither_host_nor_token() -> None:
    connector = HubSpot(token=TOKEN, base_url="http://127.0.0.1:9")
    with pytest.raises(NothingSent) as caught:
        connector.write([update(1, "501")])
    said = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert TOKEN not in said


def test_the_token_is_not_in_the_clients_own_description() -> None:
    assert TOKEN not in repr(Client(ServiceKey(TOKEN), "https://api.example.com"))


# What an error status means for a write -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 302, 408, 418, 499, 500, 502, 503, 504, 521, 522, 523, 524, 525, 526])
def test_a_status_that_says_nothing_of_the_record_leaves_it_unknown(
    server: ScriptedServer, connector: HubSpot, status: int
) -> None:
    server.script(Answer({}, status))
    assert statuses(connector.write([update(1, "501"), update(2, "502")])) == [("E-1", "unknown"), ("E-2", "unknown")]


@pytest.mark.parametrize("status", [423, 429])
def test_being_throttled_is_a_definite_no(server: ScriptedServer, connector: HubSpot, status: int) -> None:
    server.script(Answer({}, status))
    (outcome,) = connector.write([update(1, "501")])
    assert outcome.error is not None
    assert (outcome.status, outcome.error.kind) == ("rejected", "throttled")


def test_a_refused_key_or_a_migration_stops_before_anything_was_written(
    server: ScriptedServer, connector: HubSpot
) -> None:
    server.script(Answer({}, 401))
    with pytest.raises(AccessDenied):
        connector.write([update(1, "501")])
    server.script(Answer({}, 477, headers={"Retry-After": "7200"}))
    with pytest.raises(Unavailable) as caught:
        connector.write([update(1, "501")])
    assert caught.value.retry_after == 7200


def test_a_connection_lost_between_two_creates_rejects_only_the_unsent(
    server: ScriptedServer, connector: HubSpot, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = [Write(f"E-{number}", "create", "contacts", None, {"firstname": "Ada"}) for number in (1, 2)]
    server.script(Answer(row("11", firstname="Ada"), 201))
    create_one = Client.create

    def create_first_only(client: Client, object_type: str, body: Any, entry_id: str) -> Any:
        if entry_id != "E-1":
            raise NothingSent("no connection")
        return create_one(client, object_type, body, entry_id)

    monkeypatch.setattr(Client, "create", create_first_only)
    assert statuses(connector.write(writes)) == [("E-1", "applied"), ("E-2", "rejected")]


def test_once_something_was_written_a_later_failure_is_an_outcome(server: ScriptedServer, connector: HubSpot) -> None:
    writes = [Write(f"E-{number}", "create", "contacts", None, {"firstname": "Ada"}) for number in (1, 2, 3)]
    created = Answer(row("11", firstname="Ada"), 201)
    server.script(created, Answer({}, 401), Answer({}, 477))
    outcomes = connector.write(writes)
    assert statuses(outcomes) == [("E-1", "applied"), ("E-2", "rejected"), ("E-3", "rejected")]
