"""What a failure of HubSpot means, from statuses, bodies and broken connections."""

from __future__ import annotations

import ssl

import pytest
import urllib3.exceptions as transport

from agent.errors import AccessDenied, BadReply, NotPermitted, Unavailable
from connectors.hubspot.failures import (
    Complaint,
    Fate,
    NothingSent,
    ReplyLost,
    complaint,
    complaints_of,
    fate,
    read_error,
    transport_failure,
    write_error,
)

SCOPES = {
    "status": "error",
    "message": "This app hasn't been granted all required scopes to make this call.",
    "correlationId": "5a7f-1",
    "errors": [
        {
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": ["crm.objects.deals.read", "bad scope <script>"]},
        }
    ],
    "category": "MISSING_SCOPES",
}
UNKNOWN_PROPERTY = {
    "status": "error",
    "message": 'Property values were not valid: [{"isValid":false,"message":"Property \\"x\\" does not exist",'
    '"error":"PROPERTY_DOESNT_EXIST","name":"x"}]',
    "correlationId": "5a7f-2",
    "errors": [
        {"message": 'Property "x" does not exist', "code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": ["x"]}}
    ],
    "category": "VALIDATION_ERROR",
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, "done"),
        (207, "done"),
        (400, "refused"),
        (401, "denied"),
        (403, "refused"),
        (404, "refused"),
        (409, "refused"),
        (414, "refused"),
        (423, "throttled"),
        (429, "throttled"),
        (437, "refused"),
        (477, "away"),
        (500, "unclear"),
        (502, "unclear"),
        (504, "unclear"),
        (408, "unclear"),
        (302, "unclear"),
        (599, "unclear"),
    ],
)
def test_only_a_listed_status_is_a_definite_answer(status: int, expected: Fate) -> None:
    assert fate(status) == expected


@pytest.mark.parametrize(
    "error",
    [
        transport.NewConnectionError(None, "refused"),
        transport.ConnectTimeoutError("slow"),
        transport.MaxRetryError(None, "/", transport.NewConnectionError(None, "refused")),
        transport.SSLError(ssl.SSLCertVerificationError("self signed")),
        transport.LocationParseError("nowhere"),
    ],
    ids=["refused", "connect timeout", "wrapped", "bad certificate", "bad address"],
)
def test_without_a_connection_nothing_was_sent(error: Exception) -> None:
    assert isinstance(transport_failure(error), NothingSent)


@pytest.mark.parametrize(
    "error",
    [
        transport.ReadTimeoutError(None, "/", "slow"),
        transport.ProtocolError("Connection aborted."),
        transport.IncompleteRead(3, 5),
        transport.MaxRetryError(None, "/", transport.ProtocolError("reset")),
        transport.MaxRetryError(None, "/", None),
        transport.SSLError(ssl.SSLEOFError("cut off")),
        ConnectionResetError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"),
    ],
)
def test_whatever_else_breaks_may_have_been_sent(error: Exception) -> None:
    assert isinstance(transport_failure(error), ReplyLost)


def test_a_transport_failure_names_the_kind_and_no_address() -> None:
    error = transport.ReadTimeoutError(None, "/crm/v3/objects/contacts/ada@example.com", "x")
    found = transport_failure(error)
    assert (found.why, "ada" in repr(vars(found))) == ("no answer came in time", False)


def test_the_errors_list_is_read_before_the_text() -> None:
    found = complaint(400, UNKNOWN_PROPERTY)
    assert (found.code, found.fields) == ("PROPERTY_DOESNT_EXIST", ("x",))


def test_without_an_errors_list_the_embedded_array_is_read() -> None:
    body = {key: value for key, value in UNKNOWN_PROPERTY.items() if key != "errors"}
    found = complaint(400, body)
    assert (found.code, found.fields) == ("PROPERTY_DOESNT_EXIST", ("x",))


@pytest.mark.parametrize(
    "body", [None, "", [], "<html>", {"errors": "no list", "message": "[{broken"}, {"errors": [1]}]
)
def test_a_body_of_any_shape_leaves_the_status(body: object) -> None:
    assert complaint(502, body).code == "HTTP_502"


@pytest.mark.parametrize(
    ("message", "other_id"),
    [
        ("Contact already exists. Existing ID: 3401", "3401"),
        ("Cannot set PropertyValueCoordinates{value=x} on 12. 67890 already has that value.", "67890"),
    ],
)
def test_the_record_in_the_way_is_named(message: str, other_id: str) -> None:
    found = write_error(complaint(409, {"category": "CONFLICT", "message": message}))
    assert (found.kind, found.other_id) == ("duplicate", other_id)


def test_a_duplicate_reported_as_a_validation_error_is_still_a_duplicate() -> None:
    body = {"category": "VALIDATION_ERROR", "message": "12. 67890 already has that value."}
    assert write_error(complaint(400, body)).kind == "duplicate"


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (Complaint(400, "INVALID_OPTION", ("stage",)), "validation"),
        (Complaint(400, "READ_ONLY_VALUE", ("score",)), "permission"),
        (Complaint(403, "MISSING_SCOPES"), "permission"),
        (Complaint(207, "OBJECT_NOT_FOUND"), "gone"),
        (Complaint(404, "HTTP_404"), "other"),
        (Complaint(409, "SOMETHING_NEW"), "conflict"),
        (Complaint(400, "SOMETHING_NEW", ("x",)), "validation"),
        (Complaint(400, "SOMETHING_NEW"), "other"),
        (Complaint(423, "HTTP_423"), "throttled"),
        (Complaint(429, "RATE_LIMIT"), "throttled"),
    ],
)
def test_a_rejection_says_what_to_do_about_it(found: Complaint, kind: str) -> None:
    assert write_error(found).kind == kind


def test_a_batch_reply_gives_each_error_object() -> None:
    body = {"errors": [{"category": "A"}, "noise", {"category": "B"}]}
    assert [found.code for found in complaints_of(207, body)] == ["A", "B"]


def test_missing_scopes_are_named_and_strange_ones_are_not() -> None:
    error = read_error(complaint(403, SCOPES), "reading deals", None)
    assert isinstance(error, NotPermitted)
    assert error.why == "one of these scopes is needed: crm.objects.deals.read"


@pytest.mark.parametrize(
    ("status", "policy", "retry_after", "expected"),
    [
        (429, "TEN_SECONDLY_ROLLING", None, 10.0),
        (429, "SECONDLY", None, 1.0),
        (429, "SECONDLY", 7.0, 7.0),
        (429, "DAILY", None, None),
        (423, "", None, 2.0),
        (477, "", 3600.0, 3600.0),
        (503, "", None, None),
    ],
)
def test_how_long_to_wait(status: int, policy: str, retry_after: float | None, expected: float | None) -> None:
    error = read_error(Complaint(status, "X", policy=policy), "reading", retry_after)
    assert isinstance(error, Unavailable)
    assert error.retry_after == expected


def test_a_refused_key_is_not_a_missing_scope() -> None:
    error = read_error(Complaint(401, "INVALID_AUTHENTICATION"), "reading", None)
    assert isinstance(error, AccessDenied)
    assert not isinstance(error, NotPermitted)


def test_a_refused_read_is_a_bad_reply_that_names_code_and_field() -> None:
    error = read_error(complaint(400, UNKNOWN_PROPERTY), "searching contacts", None)
    assert isinstance(error, BadReply)
    assert error.why == "HTTP 400 PROPERTY_DOESNT_EXIST x HubSpot's reference 5a7f-2"
