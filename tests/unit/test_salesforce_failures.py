"""What a failure means, and that its text betrays nothing."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProtocolError, SSLError

from agent.errors import AccessDenied, BadReply, ConnectorError, NotPermitted, Unavailable
from connectors.salesforce.failures import (
    Failure,
    as_error,
    as_write_error,
    from_row,
    from_transport,
    from_vendor,
    redacted,
)
from connectors.salesforce.session import EgressRefused

POOL: Any = None


def refused(code: str, status: int = 400, text: str = "text") -> Failure:
    return from_vendor(status, [{"errorCode": code, "message": text}])


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (requests.ConnectionError(MaxRetryError(POOL, "/", NewConnectionError(POOL, "refused"))), "not sent"),
        (requests.ConnectionError(MaxRetryError(POOL, "/", ConnectTimeoutError())), "not sent"),
        (requests.exceptions.ConnectTimeout(), "not sent"),
        (
            requests.exceptions.SSLError(MaxRetryError(POOL, "/", SSLError(ssl.SSLCertVerificationError(1, "bad")))),
            "not sent",
        ),
        (requests.exceptions.SSLError(MaxRetryError(POOL, "/", SSLError(ssl.SSLError(1, "cut")))), "lost"),
        (requests.exceptions.ReadTimeout(), "lost"),
        (requests.ConnectionError(ProtocolError("Connection aborted.")), "lost"),
        (requests.exceptions.ChunkedEncodingError(), "lost"),
        (EgressRefused("no"), "not sent"),
    ],
)
def test_only_a_connection_that_never_was_means_not_sent(error: Any, fate: str) -> None:
    assert from_transport(error).fate == fate


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 412, 414, 420, 429, 431])
def test_a_4xx_is_a_definite_no(status: int) -> None:
    assert from_vendor(status, "<html>").fate == "refused"


@pytest.mark.parametrize("status", [302, 307, 408, 500, 502, 503, 504, 520])
def test_everything_else_may_have_happened(status: int) -> None:
    assert from_vendor(status, "<html>").fate == "lost"


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Failure("not sent", "NOT_CONNECTED"), Unavailable),
        (Failure("lost", "TIMED_OUT"), Unavailable),
        (from_vendor(503, "<html>"), Unavailable),
        (refused("REQUEST_LIMIT_EXCEEDED", 403), Unavailable),
        (refused("QUERY_TIMEOUT"), Unavailable),
        (refused("INVALID_QUERY_LOCATOR"), Unavailable),
        (from_vendor(429, ""), Unavailable),
        (refused("API_DISABLED_FOR_ORG", 403), AccessDenied),
        (from_vendor(403, "<html>"), AccessDenied),
        (refused("INSUFFICIENT_ACCESS", 403), NotPermitted),
        (refused("INVALID_TYPE"), NotPermitted),
        (refused("INVALID_SESSION_ID", 401), AccessDenied),
        (from_vendor(401, "Bad_OAuth_Token"), AccessDenied),
        (refused("MALFORMED_QUERY"), BadReply),
        (from_transport(EgressRefused("a request to https://evil.example is not allowed")), AccessDenied),
    ],
)
def test_reads_raise_by_what_the_caller_should_do(failure: Failure, error: type[ConnectorError]) -> None:
    assert type(as_error(failure, "reading Lead")) is error


def test_an_exception_holds_no_text_of_the_vendor() -> None:
    failure = refused("MALFORMED_QUERY", 400, "SELECT Id FROM Lead WHERE Email = 'ada@example.com'")
    error = as_error(failure, "reading Lead")
    assert "example" not in f"{error} {error.what} {error.why} {error.where} {error!r}"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ENTITY_IS_DELETED", "gone"),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "validation"),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", "permission"),
        ("UNABLE_TO_LOCK_ROW", "locked"),
        ("REQUEST_LIMIT_EXCEEDED", "throttled"),
        ("CANNOT_UPDATE_CONVERTED_LEAD", "moved"),
        ("DUPLICATE_VALUE", "duplicate"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_row_errors_are_sorted_by_what_to_do(code: str, kind: str) -> None:
    failure = from_row([{"statusCode": code, "message": "text", "fields": []}])
    assert as_write_error(failure, ()).kind == kind


def test_a_vanished_row_is_gone_but_a_bad_reference_is_not() -> None:
    assert refused("INVALID_CROSS_REFERENCE_KEY", 404, "invalid cross reference id").kind == "gone"
    bad = "Record Type ID: this ID value isn't valid for the user: 012000000000000AAA"
    assert refused("INVALID_CROSS_REFERENCE_KEY", 400, bad).kind == "validation"


def test_412_without_a_body_means_moved() -> None:
    assert as_write_error(from_vendor(412, ""), ()).kind == "moved"


@pytest.mark.parametrize("key", ["duplicateResut", "duplicateResult"])
def test_the_record_in_the_way_is_named_in_either_spelling(key: str) -> None:
    match = {"matchRecords": [{"record": {"Id": "003D000000IRFmaIAH"}}]}
    body = [{"errorCode": "DUPLICATES_DETECTED", "message": "Use one?", key: {"matchResults": [match]}}]
    assert from_vendor(400, body).other_id == "003D000000IRFmaIAH"


def test_duplicate_value_names_the_other_record() -> None:
    text = "duplicate value found: Ext__c duplicates value on record with id: 001D000000IRFma"
    assert refused("DUPLICATE_VALUE", 400, text).other_id == "001D000000IRFmaIAH"


@pytest.mark.parametrize(
    "body", [None, "", [], [None], {}, {"error": 1}, [{"errorCode": 5}], [{"errorCode": "a b", "fields": 7}]]
)
def test_strange_bodies_are_survived(body: Any) -> None:
    failure = from_vendor(400, body)
    assert failure.code == "HTTP_400"
    assert as_write_error(failure, ()).kind == "other"


def test_strange_row_errors_are_survived() -> None:
    assert from_row([None, 7]).fate == "refused"


def test_sent_values_and_addresses_are_blotted() -> None:
    text = "Email: invalid email address: Ada.L@Example, see bob@example.org; Ada.L@example"
    assert "xample" not in redacted(text, ["ada.l@example"])
    assert redacted("max length=80", [80, True, None, "x"]) == "max length=80"


def test_only_the_expired_session_asks_for_a_new_login() -> None:
    assert refused("INVALID_SESSION_ID", 401, "Session expired or invalid").is_expired_session
    assert not refused(
        "INVALID_SESSION_ID", 401, "This session is not valid for use with the REST API"
    ).is_expired_session
    assert not refused("INVALID_AUTH_HEADER", 401, "Session expired or invalid").is_expired_session
    assert not from_vendor(401, "Bad_OAuth_Token").is_expired_session
