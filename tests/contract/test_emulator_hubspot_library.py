"""The front door of the emulator's HubSpot as the client library meets it: statuses, errors, limits, two apps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from practice_portal import PRIMARY_COMPANY, PracticePortal, refusal
from urllib3.exceptions import ReadTimeoutError

from connectors.emulator.serve import Emulator

VERSIONS = ["v3", "2026-03", "2026-09"]


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


def app_of(portal: PracticePortal) -> PracticePortal:
    """The same portal as an OAuth app uses it."""
    login = portal.emulator.credentials["hubspot"]
    form = {name: login[name] for name in ("client_id", "client_secret", "refresh_token")}
    granted = portal.client.oauth.tokens_api.create(grant_type="refresh_token", **form)
    return PracticePortal(portal.emulator, token=granted.access_token)


def raised(call: Any, *args: Any, **options: Any) -> Any:
    """The library's own exception."""
    try:
        call(*args, **options)
    except Exception as error:
        if isinstance(getattr(error, "status", None), int):
            return error
        raise
    raise AssertionError("the call was not refused")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_library_reaches_every_resource_of_a_version(emulator: Emulator, version: str) -> None:
    """1"""
    portal = PracticePortal(emulator, version)
    crm = portal.client.crm
    contact, company = portal.make(email="ada@example.com"), portal.make("companies")
    portal.associate(contact, company)
    assert portal.found() == [contact]
    assert portal.company_labels(contact) == {company: [1, 279]}
    assert crm.properties.core_api.get_by_name("contacts", "email").name == "email"
    assert crm.pipelines.pipelines_api.get_by_id("deals", "default").id == "default"
    assert crm.associations.v4.schema.definitions_api.get_all("contacts", "companies").results
    assert len(crm.owners.owners_api.get_page().results) == 5
    dated = {line["path"] for line in portal.admin.get("/journal")}
    assert all((version in path) or (version == "v3" and "/v4/" in path) for path in dated)


def test_the_librarys_flag_asks_for_the_bin(portal: PracticePortal) -> None:
    """3"""
    kept, gone = portal.make(), portal.make()
    portal.basic.archive("contacts", gone)
    shown = {
        archived: [one.id for one in portal.basic.get_page("contacts", archived=archived).results]
        for archived in (False, True)
    }
    assert shown == {False: [kept], True: [gone]}


def test_the_library_makes_a_model_of_every_success(portal: PracticePortal) -> None:
    """5"""
    basic, batch = portal.basic, portal.batch
    pairs = portal.client.crm.associations.v4.basic_api
    made, *_ = created = basic.create_with_http_info("contacts", {"properties": {"email": "ada@example.com"}})
    company, changes = portal.make("companies"), {"properties": {"city": "Turin"}}
    ends = ("contacts", made.id, "companies", company)
    answers = [
        created,
        basic.get_by_id_with_http_info("contacts", made.id),
        basic.update_with_http_info("contacts", made.id, changes),
        batch.create_with_http_info("contacts", {"inputs": [changes]}),
        batch.update_with_http_info("contacts", {"inputs": [{"id": made.id, **changes}]}),
        batch.read_with_http_info("contacts", {"properties": [], "inputs": [{"id": "404"}]}),
        pairs.create_default_with_http_info(*ends),
        pairs.create_with_http_info(*ends, [PRIMARY_COMPANY]),
    ]
    assert [status for _, status, _ in answers] == [201, 200, 200, 201, 200, 207, 200, 201]
    assert all(model is not None for model, _, _ in answers), "the library reads nothing under another status"
    gone = [
        basic.archive_with_http_info("contacts", made.id),
        batch.archive_with_http_info("contacts", {"inputs": [{"id": company}]}),
    ]
    assert [(model, status) for model, status, _ in gone] == [(None, 204)] * 2


def test_the_librarys_exception_has_content_type_and_correlation_id(portal: PracticePortal) -> None:
    """6"""
    error = raised(portal.read, "contacts", "404")
    assert error.headers["Content-Type"] == "application/json;charset=utf-8"
    assert len(json.loads(error.body)["correlationId"]) == 36
    *_, headers = portal.basic.get_page_with_http_info("contacts")
    assert headers["Content-Type"] == "application/json;charset=utf-8"


@pytest.mark.parametrize("body", ["{oops", "[1]"])
def test_json_that_is_none_or_no_object_is_refused_to_the_library(portal: PracticePortal, body: str) -> None:
    """7"""
    send = portal.basic.api_client.call_api
    plain = {"Content-Type": "text/plain"}
    told = refusal(send, "/crm/v3/objects/contacts", "POST", {}, [], plain, body=body, auth_settings=["oauth2"])
    assert (told[0], "category" in told[1]) == (400, False)
    assert told[1]["message"].startswith("Invalid input JSON on line 1, column ")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_page_of_the_front_server_is_the_body_of_the_librarys_exception(portal: PracticePortal, status: int) -> None:
    """8, 55"""
    contact = portal.make()
    portal.admin.fault(system="hubspot", method="PATCH", action="status", status=status)
    error = raised(portal.change, "contacts", contact, city="Turin")
    assert (error.status, error.headers["Content-Type"].partition(";")[0]) == (status, "text/html")
    assert "<html>" in error.body
    assert portal.value("contacts", contact, "city") is None


def test_an_empty_404_reaches_the_library(portal: PracticePortal) -> None:
    """8"""
    portal.admin.fault(system="hubspot", action="status", status=404)
    error = raised(portal.client.crm.pipelines.pipelines_api.get_all, "deals")
    assert (error.status, error.body) == (404, "")


def test_an_unknown_token_is_refused_to_the_library(emulator: Emulator) -> None:
    """9"""
    stranger = PracticePortal(emulator, token="pat-unknown")
    for call in (stranger.make, stranger.found, lambda: stranger.batch.read("contacts", {"inputs": []})):
        status, body = refusal(call)
        assert (status, body["category"]) == (401, "INVALID_AUTHENTICATION")


def test_two_apps_have_histories_of_their_own(portal: PracticePortal) -> None:
    """22"""
    contact = portal.make(jobtitle="Trainee")
    app_of(portal).change("contacts", contact, jobtitle="CTO")
    theirs, ours = portal.history("contacts", contact, "jobtitle")
    assert (theirs.source_type, ours.source_type) == ("INTEGRATION", "INTEGRATION")
    assert theirs.source_id != ours.source_id == "8151242"


@pytest.mark.parametrize("verb", ["read", "create", "update", "upsert"])
@pytest.mark.parametrize("body", [{"input": [{"id": "91", "properties": {"city": "Turin"}}]}, {"inputs": []}])
def test_the_library_hears_complete_of_a_batch_without_inputs(
    portal: PracticePortal, verb: str, body: dict[str, Any]
) -> None:
    """27"""
    contact = portal.make()
    done, status, _ = getattr(portal.batch, f"{verb}_with_http_info")("contacts", body)
    assert (status, portal.value("contacts", contact, "city")) == (200, None)
    assert done is None if verb == "create" else (done.status, done.results) == ("COMPLETE", [])


def test_the_searches_of_one_second_are_the_accounts(portal: PracticePortal) -> None:
    """43"""
    portal.switch("search_rate_limit", True)
    app = app_of(portal)
    search = portal.client.crm.objects.search_api.do_search_with_http_info
    told = [search("contacts", {}) for _ in range(5)]
    assert not [name for _, _, headers in told for name in headers if "ratelimit" in name.lower()]
    error = raised(app.search)
    assert (error.status, json.loads(error.body)["policyName"]) == (429, "SECONDLY")
    assert not [name for name in error.headers if "ratelimit" in name.lower()]
    assert app.read("contacts", app.make()).id
    portal.advance(1)
    assert app.search().total == 1


def test_the_rolling_limit_is_each_apps_own(portal: PracticePortal) -> None:
    """54"""
    app = app_of(portal)
    portal.switch("rolling_rate_limit", True)
    portal.switch("rolling_limit", 2)
    pages = portal.client.crm.owners.owners_api
    left = [pages.get_page_with_http_info()[2]["X-HubSpot-RateLimit-Remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    error = raised(pages.get_page)
    body = json.loads(error.body)
    assert (error.status, body["policyName"], body["errorType"]) == (429, "TEN_SECONDLY_ROLLING", "RATE_LIMIT")
    assert body["message"] == "You have reached your ten_secondly_rolling limit."
    assert (error.headers["X-HubSpot-RateLimit-Remaining"], error.headers.get("Retry-After")) == ("0", None)
    assert app.client.crm.owners.owners_api.get_page().results
    portal.advance(10)
    assert pages.get_page().results


def test_the_day_is_all_apps_together(portal: PracticePortal) -> None:
    """54"""
    app = app_of(portal)
    portal.switch("daily_limit", 2)
    pages = portal.client.crm.owners.owners_api
    assert pages.get_page_with_http_info()[2]["X-HubSpot-RateLimit-Daily-Remaining"] == "1"
    app.client.crm.owners.owners_api.get_page()
    body = json.loads(raised(pages.get_page).body)
    assert (body["policyName"], body["message"]) == ("DAILY", "You have reached your daily limit.")


@pytest.mark.parametrize(("status", "wait"), [(423, None), (477, "60"), (500, None)])
def test_a_locked_migrating_or_failing_account_refuses_the_librarys_write(
    portal: PracticePortal, status: int, wait: str | None
) -> None:
    """55"""
    contact = portal.make()
    portal.admin.fault(system="hubspot", method="PATCH", action="status", status=status)
    error = raised(portal.change, "contacts", contact, city="Turin")
    assert (error.status, error.headers.get("Retry-After")) == (status, wait)
    assert portal.value("contacts", contact, "city") is None


def test_a_slow_write_outlasts_the_librarys_patience_and_happens_later(portal: PracticePortal) -> None:
    """55"""
    contact = portal.make()
    portal.admin.fault(system="hubspot", method="PATCH", action="delay", delay_seconds=3600)
    with pytest.raises(ReadTimeoutError):
        portal.basic.update("contacts", contact, {"properties": {"city": "Turin"}}, _request_timeout=(5, 0.05))
    assert portal.value("contacts", contact, "city") is None
    calls = portal.admin.get("/counters")["total"]
    portal.advance(3600)
    while portal.admin.get("/counters")["total"] == calls:
        pass
    assert portal.value("contacts", contact, "city") == "Turin"


def test_an_administrator_erases_somebody_for_good(portal: PracticePortal) -> None:
    """60"""
    contact = portal.make(email="ada@example.com")
    portal.person("purge", object="contacts", id=contact)
    for archived in (False, True):
        assert raised(portal.read, "contacts", contact, archived=archived).status == 404
        assert portal.basic.get_page("contacts", archived=archived).results == []
    assert portal.found() == []
    assert portal.batch.read("contacts", {"properties": [], "inputs": [{"id": contact}]}).num_errors == 1
