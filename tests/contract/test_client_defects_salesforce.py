"""Defects of simple-salesforce 1.12.10, each shown in the library itself and absent from our connector.

V1 ids become addresses · V2 a renewed login loses headers · V3 endless logins · V6 no time limit · V7 hidden
retries · V8 exceptions that print queries and values.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from scripted_salesforce import (
    CONTACT,
    EXPIRED,
    HTML,
    OTHER_CONTACT,
    PORTAL,
    SECRET,
    STAMP,
    Answer,
    ScriptedSalesforce,
    Ticks,
    connect,
    page,
    problem,
    query_of,
    row,
    scripted_salesforce,
)
from simple_salesforce import Salesforce as Library
from simple_salesforce.exceptions import SalesforceError

from agent.connector import Window, Write
from agent.errors import AccessDenied, BadReply, ConnectorError, Unavailable
from agent.records import Record, Ref, Unreadable
from connectors.salesforce.connector import Salesforce
from connectors.salesforce.session import EgressRefused

WINDOW = Window(datetime(2026, 11, 24, 8, tzinfo=UTC), datetime(2026, 11, 24, 10, tzinfo=UTC))
HOSTILE = ["//evil.example/x", "../Account/001D000000IRFmaIAH", "https://evil.example/x", "x?y", "x#y", "", "%2e%2e"]
PERSON = "ada@example.com"
LOST_EDIT = Write("E-1", "update", "Contact", CONTACT, {"LastName": "Hopper"})
GUARDED_EDIT = Write("E-2", "update", "Contact", CONTACT, {"LastName": "Hopper"}, expects_version=STAMP)


@pytest.fixture
def server() -> Iterator[ScriptedSalesforce]:
    with scripted_salesforce() as script:
        yield script


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def connector(server: ScriptedSalesforce, ticks: Ticks) -> Iterator[Salesforce]:
    found = connect(server, ticks)
    yield found
    found.close()


class Watching(HTTPAdapter):
    """Notes every address and its headers, and answers itself."""

    def __init__(self, *statuses: int) -> None:
        super().__init__()
        self.statuses = list(statuses)
        self.requests: list[requests.PreparedRequest] = []
        self.timeouts: list[Any] = []

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        self.requests.append(request)
        self.timeouts.append(options.get("timeout"))
        response = requests.Response()
        response.status_code = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        response.url = request.url or ""
        response.request = request
        body = EXPIRED.payload if response.status_code == 401 else b"{}"
        response._content = body
        return response


def library(adapter: HTTPAdapter) -> Library:
    """The library as it comes, with a login that costs no request."""
    session = requests.Session()
    session.mount("https://", adapter)
    client = Library(session_id="fake-token", instance_url="https://acme.my.salesforce.com", session=session)
    client._salesforce_login_partial = lambda: ("fake-token-2", "acme.my.salesforce.com")
    return client


def test_v1_the_library_carries_its_token_wherever_an_id_says() -> None:
    adapter = Watching(200)
    library(adapter).Contact.get("//evil.example/x")
    assert adapter.requests[0].url == "https://evil.example/x"
    assert adapter.requests[0].headers["Authorization"] == "Bearer fake-token"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_v1_a_hostile_id_is_unreadable_and_sends_nothing(
    connector: Salesforce, server: ScriptedSalesforce, hostile: str
) -> None:
    ref = Ref("salesforce", "Contact", hostile)
    assert connector.read([ref], ["Email"]) == [Unreadable(ref, "not an id of a Salesforce record")]
    assert server.asked == []


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("op", ["update", "delete"])
@pytest.mark.parametrize("version", [None, STAMP])
def test_v1_a_write_to_a_hostile_id_is_rejected_unsent(
    connector: Salesforce, server: ScriptedSalesforce, hostile: str, op: Any, version: str | None
) -> None:
    fields = {"LastName": "Hopper"} if op == "update" else {}
    [outcome] = connector.write([Write("E-1", op, "Contact", hostile, fields, expects_version=version)])
    assert outcome.status == "rejected"
    assert outcome.error is not None
    assert outcome.error.code == "INVALID_ID"
    assert server.asked == []


@pytest.mark.parametrize("hostile", ["//evil.example/x", "../Account", "Contact/../Account", "Contact WHERE"])
def test_v1_a_hostile_object_type_sends_nothing(
    connector: Salesforce, server: ScriptedSalesforce, hostile: str
) -> None:
    with pytest.raises(Exception, match="has no object"):
        connector.schema(hostile)
    assert server.asked == []


def test_v1_second_wall_our_session_refuses_foreign_hosts(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(page())
    list(connector.changed("Contact", ["Email"], WINDOW))
    before = len(server.asked)
    client = connector._login.client()
    for hostile in ("//evil.example/x", "http://acme.my.salesforce.com/x", "//user@acme.my.salesforce.com/x"):
        with pytest.raises(EgressRefused) as caught:
            client.Contact.get(hostile)
        assert "fake-token" not in str(caught.value)
    assert len(server.asked) == before


@pytest.mark.parametrize("following", ["//evil.example/q", "@evil.example/q", "/services/data/v65.0/query/../x", 7])
def test_v1_a_hostile_next_page_is_not_followed(
    connector: Salesforce, server: ScriptedSalesforce, following: Any
) -> None:
    server.script(page(row(), total=2, following=following))
    with pytest.raises(BadReply):
        list(connector.changed("Contact", ["Email"], WINDOW))
    assert len(server.asked) == 1


def test_v2_the_library_loses_the_precondition_when_it_renews_its_login() -> None:
    adapter = Watching(401, 200)
    stamp = {"If-Unmodified-Since": "Tue, 24 Nov 2026 09:00:00 GMT"}
    library(adapter).restful(f"sobjects/Contact/{CONTACT}", method="PATCH", headers=stamp, data="{}")
    assert "If-Unmodified-Since" in adapter.requests[0].headers
    assert "If-Unmodified-Since" not in adapter.requests[1].headers


def test_v2_our_second_attempt_is_the_first_with_another_token(
    connector: Salesforce, server: ScriptedSalesforce
) -> None:
    server.script(EXPIRED, Answer(204))
    [outcome] = connector.write([GUARDED_EDIT])
    assert outcome.status == "applied"
    first, second = server.asked
    kept = {name: value for name, value in first.headers.items() if name != "Authorization"}
    assert kept == {name: value for name, value in second.headers.items() if name != "Authorization"}
    assert first.headers["Authorization"] != second.headers["Authorization"]
    assert first.body == second.body
    assert kept["If-Unmodified-Since"] == "Tue, 24 Nov 2026 09:00:00 GMT"
    assert kept["Sforce-Auto-Assign"] == "FALSE"
    assert kept["X-Truce-Entry"] == "E-2"


def test_v2_every_request_carries_the_mandatory_headers(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(200, [{"id": CONTACT, "success": True, "errors": []}]))
    connector.write([LOST_EDIT])
    headers = server.asked[0].headers
    assert headers["Sforce-Auto-Assign"] == "FALSE"
    assert headers["Sforce-Call-Options"] == "client=crm-truce"
    assert headers["X-PrettyPrint"] == "0"
    assert headers["X-Original-Host"] == "acme.my.salesforce.com"


def test_v3_the_library_logs_in_without_end() -> None:
    adapter = Watching(401)
    client = library(adapter)
    logins = 0

    def log_in() -> tuple[str, str]:
        nonlocal logins
        logins += 1
        if logins > 50:
            raise InterruptedError
        return "fake-token", "acme.my.salesforce.com"

    client._salesforce_login_partial = log_in
    with pytest.raises(InterruptedError):
        client.Contact.get(CONTACT)


def test_v3_a_permanent_401_costs_three_logins_in_ten_minutes(
    connector: Salesforce, server: ScriptedSalesforce, ticks: Ticks
) -> None:
    server.script(EXPIRED)
    for _ in range(20):
        with pytest.raises(AccessDenied):
            list(connector.changed("Contact", ["Email"], WINDOW))
        ticks.now += 20
    assert server.logins == 3
    ticks.now += 600
    with pytest.raises(AccessDenied):
        list(connector.changed("Contact", ["Email"], WINDOW))
    assert server.logins == 4


@pytest.mark.parametrize(
    "answer",
    [
        problem(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
        problem(401, "INVALID_AUTH_HEADER", "Connected app is not attached to Agent"),
        Answer(401, b"Bad_OAuth_Token"),
    ],
)
def test_v3_another_401_is_no_reason_to_log_in(
    connector: Salesforce, server: ScriptedSalesforce, answer: Answer
) -> None:
    server.script(answer)
    with pytest.raises(AccessDenied):
        connector.write([LOST_EDIT])
    assert server.logins == 1
    assert len(server.asked) == 1


def test_v6_the_library_waits_for_ever() -> None:
    adapter = Watching(200)
    library(adapter).restful("limits")
    assert adapter.timeouts == [None]


def test_v6_silence_ends_at_our_time_limit(server: ScriptedSalesforce, ticks: Ticks) -> None:
    connector = connect(server, ticks, timeout=(1, 0.2))
    server.script(Answer(silent=True))
    assert [outcome.status for outcome in connector.write([LOST_EDIT])] == ["unknown"]
    with pytest.raises(Unavailable):
        connector.identity()
    connector.close()


def test_v6_no_call_path_lacks_a_time_limit(
    connector: Salesforce, server: ScriptedSalesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[Any] = []
    send = HTTPAdapter.send

    def watched(self: HTTPAdapter, request: Any, **options: Any) -> requests.Response:
        timeouts.append(options["timeout"])
        return send(self, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", watched)
    server.script(page())
    client = connector._login.client()
    client.query("SELECT Id FROM Contact")
    client.Contact.describe()
    client.session.get("https://acme.my.salesforce.com/x")
    assert len(timeouts) == 4  # the login too
    assert set(timeouts) == {(5, 5)}


@pytest.mark.parametrize("write", [LOST_EDIT, GUARDED_EDIT, Write("E-3", "create", "Contact", None, {"LastName": "X"})])
def test_v7_a_dropped_connection_is_one_request_and_unknown(
    connector: Salesforce, server: ScriptedSalesforce, write: Write
) -> None:
    server.script(Answer(hang_up=True))
    assert [outcome.status for outcome in connector.write([write])] == ["unknown"]
    assert len(server.asked) == 1


def test_v7_a_dropped_read_is_one_request(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(hang_up=True))
    with pytest.raises(Unavailable):
        list(connector.changed("Contact", ["Email"], WINDOW))
    assert len(server.asked) == 1


def test_v7_retry_after_is_not_slept_on(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(503, HTML, {"Retry-After": "3600"}))
    with pytest.raises(Unavailable):
        connector.now()
    assert len(server.asked) == 1


def test_v7_a_redirect_is_not_followed(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(302, HTML, {"Location": "https://acme.my.salesforce.com/elsewhere"}))
    assert [outcome.status for outcome in connector.write([LOST_EDIT])] == ["unknown"]
    assert len(server.asked) == 1


def test_v8_the_library_prints_the_query() -> None:
    class Refusing(Watching):
        def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
            response = super().send(request, *arguments, **options)
            response._content = b"[]"
            return response

    with pytest.raises(SalesforceError) as caught:
        library(Refusing(400)).query("SELECT Id FROM Contact WHERE Email = 'ada@example.com'")
    assert "ada%40example.com" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        problem(400, "MALFORMED_QUERY", "Email = 'ada@example.com' ^ ERROR fake-token-1"),
        problem(403, "REQUEST_LIMIT_EXCEEDED", "ada@example.com"),
        problem(404, "NOT_FOUND", "ada@example.com"),
        Answer(500, b"ada@example.com"),
        Answer(200, b"ada@example.com"),
        Answer(401, b"ada@example.com"),
        Answer(hang_up=True),
        EXPIRED,
    ],
)
def test_v8_our_exceptions_hold_no_query_no_value_no_token(
    connector: Salesforce, server: ScriptedSalesforce, answer: Answer
) -> None:
    server.script(answer)
    with pytest.raises(ConnectorError) as caught:
        connector.find("Contact", "Email", PERSON, ["LastName"])
    error = caught.value
    told = "".join(traceback.format_exception(error)) + f"{error.what} {error.where} {error.why} {error.next_step}"
    assert error.__context__ is None
    for betrayed in ("ada", "fake-token", SECRET, "SELECT", "services/data"):
        assert betrayed not in told


def test_v8_a_rejected_write_does_not_repeat_what_we_sent(connector: Salesforce, server: ScriptedSalesforce) -> None:
    text = "Email: invalid email address: ada.lovelace (also known as bob@example.org)"
    row_error = {"statusCode": "INVALID_EMAIL_ADDRESS", "message": text, "fields": ["Email"]}
    server.script(Answer(200, [{"success": False, "errors": [row_error]}]))
    [outcome] = connector.write([Write("E-1", "update", "Contact", CONTACT, {"Email": "Ada.Lovelace"})])
    assert outcome.error is not None
    assert outcome.error.message == "Email: invalid email address: … (also known as …)"
    assert outcome.error.fields == ("Email",)


def test_v8_a_refused_login_does_not_print_the_secret(server: ScriptedSalesforce, connector: Salesforce) -> None:
    server.login_answer = Answer(400, {"error": "invalid_client", "error_description": f"bad secret {SECRET}"})
    with pytest.raises(AccessDenied) as caught:
        connector.now()
    assert "invalid_client" in caught.value.why
    assert SECRET not in caught.value.why
    assert SECRET not in repr(vars(connector._login))


@pytest.mark.parametrize("write", [LOST_EDIT, GUARDED_EDIT])
@pytest.mark.parametrize("answer", [PORTAL, Answer(200, None), Answer(200, {"id": CONTACT}), Answer(500, HTML)])
def test_a_success_that_is_no_answer_is_unknown(
    connector: Salesforce, server: ScriptedSalesforce, write: Write, answer: Answer
) -> None:
    server.script(answer)
    assert [outcome.status for outcome in connector.write([write])] == ["unknown"]


@pytest.mark.parametrize(
    "answer",
    [
        PORTAL,
        Answer(200, {"records": []}),
        Answer(200, []),
        page(row(), total=2),
        page(row("003000000000001AAB")),
        page({"Id": CONTACT}),
        Answer(200, page(row()).payload, cut=40),
    ],
)
def test_an_answer_that_cannot_be_trusted_is_never_nothing_changed(
    connector: Salesforce, server: ScriptedSalesforce, answer: Answer
) -> None:
    server.script(answer)
    with pytest.raises((BadReply, Unavailable)):
        list(connector.changed("Contact", ["Email"], WINDOW))


@pytest.mark.parametrize("rows", [[], [row(OTHER_CONTACT)], [None, None], {"records": []}, ["x"]])
def test_a_read_back_about_somebody_else_is_refused(
    connector: Salesforce, server: ScriptedSalesforce, rows: Any
) -> None:
    server.script(Answer(200, rows))
    with pytest.raises(BadReply):
        connector.read([Ref("salesforce", "Contact", CONTACT)], ["Email"])


def test_a_field_hidden_meanwhile_is_absent_and_not_blank(connector: Salesforce, server: ScriptedSalesforce) -> None:
    def answer(asked: Any) -> Answer:
        if "Email" in query_of(asked):
            server.fields = [entry for entry in server.fields if entry["name"] != "Email"]
            return problem(400, "INVALID_FIELD", "No such column 'Email' on entity 'Contact'")
        return page(row(LastName="Hopper"))

    server.answer_by = answer
    [found] = list(connector.changed("Contact", ["LastName", "Email"], WINDOW))
    [item] = found.items
    assert isinstance(item, Record)
    assert item.fields == {"LastName": "Hopper"}
