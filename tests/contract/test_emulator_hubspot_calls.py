"""The emulator's HubSpot at its front door: paths, tokens, limits, account, and replies that go wrong."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from practice_portal import PracticePortal, at, code, refusal
from urllib3.exceptions import ProtocolError

from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

VERSIONS = ["v3", "2026-03", "2026-09"]
LIMITED = [
    "X-HubSpot-RateLimit-Daily", "X-HubSpot-RateLimit-Daily-Remaining", "X-HubSpot-RateLimit-Max",
    "X-HubSpot-RateLimit-Remaining", "X-HubSpot-RateLimit-Interval-Milliseconds", "X-HubSpot-RateLimit-Secondly",
    "X-HubSpot-RateLimit-Secondly-Remaining",
]  # fmt: skip


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ending", ["", "/"])
def test_every_version_answers_with_and_without_a_slash(portal: PracticePortal, version: str, ending: str) -> None:
    """1"""
    contact = portal.make(email="ada@example.com")
    for path in (
        f"{at(version, 'objects')}/contacts",
        f"{at(version, 'objects')}/contacts/{contact}",
        f"{at(version, 'properties')}/contacts",
        f"{at(version, 'pipelines')}/deals",
        at(version, "owners"),
        f"/account-info/{version}/details",
    ):
        assert portal.raw("GET", path + ending).status_code == 200, path
    associations = at("v4" if version == "v3" else version, "associations")
    assert portal.raw("GET", f"{associations}/contacts/companies/labels{ending}").status_code == 200


def test_the_library_asks_for_owners_with_a_slash(portal: PracticePortal) -> None:
    """1"""
    owners = portal.client.crm.owners.owners_api.get_page(email="anna@example.com").results
    assert [(owner.first_name, owner.archived) for owner in owners] == [("Anna", False)]
    assert portal.admin.get("/journal")[-1]["path"] == "/crm/v3/owners/"


def test_properties_are_named_one_by_one_or_joined(portal: PracticePortal) -> None:
    """2"""
    contact = portal.make(email="ada@example.com", city="Turin", jobtitle="CTO")
    apart = portal.values("contacts", contact, "city", "jobtitle")
    joined = portal.raw("GET", f"/crm/v3/objects/contacts/{contact}?properties=city%2Cjobtitle").json()["properties"]
    assert {name: joined[name] for name in apart} == apart == {"city": "Turin", "jobtitle": "CTO"}


@pytest.mark.parametrize("spelled", ["True", "true", "TRUE"])
def test_a_flag_is_true_in_any_case(portal: PracticePortal, spelled: str) -> None:
    """3"""
    contact = portal.make()
    portal.basic.archive("contacts", contact)
    found = portal.raw("GET", f"/crm/v3/objects/contacts/{contact}?archived={spelled}")
    assert (found.status_code, found.json()["archived"]) == (200, True)


@pytest.mark.parametrize("name", ["deals", "deal", "DEALS", "Deal", "0-3"])
def test_an_object_type_has_many_names(portal: PracticePortal, name: str) -> None:
    """4"""
    deal = portal.make("deals")
    assert portal.read(name, deal).id == deal


def test_an_unknown_object_type_is_a_bad_request_and_not_missing(portal: PracticePortal) -> None:
    """4"""
    status, body = refusal(portal.read, "dragons", "1")
    assert (status, body["message"]) == (400, "Unable to infer object type from: dragons")


def test_each_call_has_its_own_success_status(portal: PracticePortal) -> None:
    """5"""
    made = portal.raw("POST", "/crm/v3/objects/contacts", json={"properties": {"email": "a@example.com"}})
    contact, company = made.json()["id"], portal.make("companies")
    path, pair = f"/crm/v3/objects/contacts/{contact}", f"/crm/v4/objects/contacts/{contact}/associations"
    spec = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    statuses = [
        made.status_code,
        portal.raw("GET", path).status_code,
        portal.raw("PATCH", path, json={"properties": {}}).status_code,
        portal.raw("POST", "/crm/v3/objects/contacts/batch/create", json={"inputs": [{"properties": {}}]}).status_code,
        portal.raw("POST", "/crm/v3/objects/contacts/batch/read", json={"inputs": [{"id": "404"}]}).status_code,
        portal.raw("PUT", f"{pair}/default/companies/{company}").status_code,
        portal.raw("PUT", f"{pair}/companies/{company}", json=spec).status_code,
        portal.raw("DELETE", path).status_code,
    ]
    assert statuses == [201, 200, 200, 201, 207, 200, 201, 204]


def test_replies_are_json_and_every_error_has_a_correlation_id(portal: PracticePortal) -> None:
    """6"""
    fine, refused = portal.raw("GET", "/crm/v3/objects/contacts"), portal.raw("GET", "/crm/v3/objects/contacts/404")
    for answer in (fine, refused):
        assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    body = refused.json()
    assert (body["status"], body["category"], body["message"]) == ("error", "OBJECT_NOT_FOUND", "resource not found")
    assert len(body["correlationId"]) == 36


@pytest.mark.parametrize("body", ["{oops", "", "[1]", '"x"', "1"])
def test_what_is_no_json_object_is_refused_without_a_category(portal: PracticePortal, body: str) -> None:
    """7"""
    answer = portal.raw("POST", "/crm/v3/objects/contacts", data=body)
    assert (answer.status_code, "category" in answer.json()) == (400, False)
    assert answer.json()["message"].startswith("Invalid input JSON on line 1, column ")


@pytest.mark.parametrize(
    "body",
    [{"properties": []}, {"properties": {"city": {}}}, {"properties": {"city": ["x"]}}, {"associations": {}}],
)
def test_json_of_another_shape_is_refused_without_a_category(portal: PracticePortal, body: dict[str, Any]) -> None:
    """7"""
    answer = portal.raw("POST", "/crm/v3/objects/contacts", json=body)
    assert (answer.status_code, "category" in answer.json()) == (400, False)
    assert portal.found() == []


def test_pages_of_the_front_server_and_empty_bodies_can_be_planned(portal: PracticePortal) -> None:
    """8"""
    portal.admin.fault(system="hubspot", action="status", status=502)
    page = portal.raw("GET", "/crm/v3/pipelines/deals")
    portal.admin.fault(system="hubspot", action="status", status=404)
    empty = portal.raw("GET", "/crm/v3/pipelines/deals")
    assert (page.status_code, page.headers["Content-Type"].startswith("text/html")) == (502, True)
    assert (empty.status_code, empty.content) == (404, b"")


@pytest.mark.parametrize("token", [None, "pat-unknown", ""])
def test_without_a_known_token_nothing_is_answered(portal: PracticePortal, token: str | None) -> None:
    """9"""
    answer = portal.raw("GET", "/crm/v3/objects/contacts", token=token)
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")
    assert answer.json()["message"].startswith("Authentication credentials not found.")


def test_a_missing_scope_is_named(portal: PracticePortal) -> None:
    """10"""
    portal.person("permissions", remove_scope="crm.objects.deals.write")
    portal.read("deals", portal.person_makes("deals", dealname="D", dealstage="qualifiedtobuy"))
    status, body = refusal(portal.make, "deals")
    assert (status, body["category"]) == (403, "MISSING_SCOPES")
    assert body["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.deals.write"]}
    assert body["links"] == {"scopes": "https://developers.hubspot.com/scopes"}


def test_tasks_ride_on_the_scopes_of_contacts(portal: PracticePortal) -> None:
    """10"""
    portal.person("permissions", remove_scope="crm.objects.contacts.write")
    assert code(portal.make, "tasks") == (403, "MISSING_SCOPES")


def refreshed(portal: PracticePortal, **changed: str) -> Any:
    login = portal.emulator.credentials["hubspot"]
    form = {
        "grant_type": "refresh_token",
        "client_id": login["client_id"],
        "client_secret": login["client_secret"],
        "refresh_token": login["refresh_token"],
    }
    return portal.client.oauth.tokens_api.create(**{**form, **changed})


def test_an_access_token_lives_half_an_hour_and_is_refreshed(portal: PracticePortal, emulator: Emulator) -> None:
    """11"""
    granted = refreshed(portal)
    assert (granted.token_type, granted.expires_in) == ("bearer", 1800)
    app = PracticePortal(emulator, token=granted.access_token)
    contact = app.make(email="ada@example.com")
    portal.advance(1799)
    assert app.read("contacts", contact).id == contact
    portal.advance(1)
    assert code(app.read, "contacts", contact) == (401, "EXPIRED_AUTHENTICATION")
    again = refreshed(portal)
    assert again.access_token != granted.access_token
    assert PracticePortal(emulator, token=again.access_token).read("contacts", contact).id == contact


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"refresh_token": "stale"}, "BAD_REFRESH_TOKEN"),
        ({"client_id": "nobody"}, "BAD_CLIENT_ID"),
        ({"client_secret": "guessed"}, "BAD_CLIENT_SECRET"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
    ],
)
def test_a_refused_refresh_says_why(portal: PracticePortal, changed: dict[str, str], status: str) -> None:
    """11"""
    found, body = refusal(refreshed, portal, **changed)
    assert (found, body["status"]) == (400, status)
    assert body["error_description"] == body["message"]


def test_a_refused_refresh_token_is_an_invalid_grant(portal: PracticePortal) -> None:
    """11"""
    assert refusal(refreshed, portal, refresh_token="stale")[1]["error"] == "invalid_grant"


@pytest.mark.parametrize("version", ["v1", "v3", "2026-03", "2026-09"])
def test_every_token_endpoint_reads_the_body_and_never_the_query(portal: PracticePortal, version: str) -> None:
    """11"""
    login = portal.emulator.credentials["hubspot"]
    form = {"grant_type": "refresh_token", **{key: value for key, value in login.items() if key != "token"}}
    path = f"/oauth/{version}/token"
    assert portal.raw("POST", path, data=form, token=None).status_code == 200
    assert portal.raw("POST", path, params=form, token=None).status_code == 400


def test_tokens_are_looked_into_and_revoked(portal: PracticePortal) -> None:
    """11"""
    access = refreshed(portal).access_token
    told = portal.raw("POST", "/oauth/v3/token/introspect", data={"token": access}, token=None).json()
    assert (told["active"], told["expires_in"]) == (True, 1800)
    assert portal.client.oauth.access_tokens_api.get(access).hub_id == told["hub_id"]
    assert portal.raw("POST", "/oauth/v3/token/revoke", data={"token": access}, token=None).status_code == 204
    told = portal.raw("POST", "/oauth/v3/token/introspect", data={"token": access}, token=None).json()
    assert told == {"active": False}
    key = portal.raw("POST", "/oauth/v2/private-apps/get/access-token-info", json={"tokenKey": portal.token}).json()
    assert "crm.objects.contacts.read" in key["scopes"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_account_says_what_it_is(portal: PracticePortal, version: str) -> None:
    """12"""
    status, account = portal.request("GET", f"/account-info/{version}/details")
    assert (status, account["accountType"], account["timeZone"]) == (200, "DEVELOPER_TEST", "US/Eastern")
    assert (account["utcOffset"], account["utcOffsetMilliseconds"]) == ("-05:00", -18_000_000)


def test_a_service_key_uses_none_of_the_counted_allowance(portal: PracticePortal) -> None:
    """12"""
    _, usage = portal.request("GET", "/account-info/v3/api-usage/daily/private-apps")
    assert (usage["results"][0]["currentUsage"], usage["results"][0]["usageLimit"]) == (0, 625_000)


def test_ten_seconds_take_190_calls_and_the_headers_count_down(portal: PracticePortal) -> None:
    """54"""
    portal.switch("rolling_rate_limit", True)
    left = [int(portal.raw("GET", "/crm/v3/owners").headers["X-HubSpot-RateLimit-Remaining"]) for _ in range(190)]
    assert left == list(range(189, -1, -1))
    refused = portal.raw("GET", "/crm/v3/owners")
    body = refused.json()
    assert (refused.status_code, body["errorType"], body["policyName"]) == (429, "RATE_LIMIT", "TEN_SECONDLY_ROLLING")
    assert body["message"] == "You have reached your ten_secondly_rolling limit."
    assert "category" not in body
    assert "Retry-After" not in refused.headers
    portal.advance(10)
    assert portal.raw("GET", "/crm/v3/owners").status_code == 200


def test_an_oauth_app_has_110_calls_and_no_daily_headers(portal: PracticePortal) -> None:
    """54"""
    portal.switch("rolling_rate_limit", True)
    answer = portal.raw("GET", "/crm/v3/owners", token=refreshed(portal).access_token)
    assert answer.headers["X-HubSpot-RateLimit-Max"] == "110"
    assert "X-HubSpot-RateLimit-Daily" not in answer.headers


def test_the_day_ends_at_midnight_of_the_account(portal: PracticePortal) -> None:
    """54"""
    portal.switch("daily_limit", 3)
    left = [portal.raw("GET", "/crm/v3/owners").headers["X-HubSpot-RateLimit-Daily-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    body = portal.raw("GET", "/crm/v3/owners").json()
    assert (body["policyName"], body["message"]) == ("DAILY", "You have reached your daily limit.")
    portal.advance(19 * 3600)  # 04:00 UTC is 23:00 in New York
    assert portal.raw("GET", "/crm/v3/owners").status_code == 429
    portal.advance(3600)
    assert portal.raw("GET", "/crm/v3/owners").status_code == 200


def test_a_call_tells_of_all_limits_and_a_refused_token_of_none(portal: PracticePortal) -> None:
    """54"""
    assert [name for name in LIMITED if name in portal.raw("GET", "/crm/v3/owners").headers] == LIMITED
    assert "X-HubSpot-RateLimit-Daily" not in portal.raw("GET", "/crm/v3/owners", token=None).headers


@pytest.mark.parametrize(
    ("status", "header", "value"), [(423, "Content-Type", "application/json;charset=utf-8"), (477, "Retry-After", "60")]
)
def test_a_locked_or_migrating_account_can_be_planned(
    portal: PracticePortal, status: int, header: str, value: str
) -> None:
    """55"""
    portal.admin.fault(system="hubspot", action="status", status=status)
    answer = portal.raw("PATCH", "/crm/v3/objects/contacts/91", json={"properties": {}})
    assert (answer.status_code, answer.headers[header]) == (status, value)


def test_a_reply_can_be_lost_after_the_write(portal: PracticePortal) -> None:
    """55"""
    portal.admin.fault(system="hubspot", action="drop_after", method="POST")
    with pytest.raises(ProtocolError):
        portal.make(email="ada@example.com")
    assert portal.read("contacts", "ada@example.com", id_property="email").properties["email"] == "ada@example.com"


def test_an_archived_owner_has_no_user(portal: PracticePortal) -> None:
    """56"""
    (gone,) = portal.client.crm.owners.owners_api.get_page(archived=True).results
    assert (gone.email, gone.user_id, gone.archived) == ("dana@example.com", None, True)
    assert gone.user_id_including_inactive > 0
    by_user = portal.client.crm.owners.owners_api.get_by_id(
        gone.user_id_including_inactive, id_property="userId", archived=True
    )
    assert by_user.id == gone.id
    assert code(portal.client.crm.owners.owners_api.get_by_id, int(gone.id)) == (404, "OBJECT_NOT_FOUND")


def test_owners_come_in_pages(portal: PracticePortal) -> None:
    """56"""
    first = portal.client.crm.owners.owners_api.get_page(limit=2)
    rest = portal.client.crm.owners.owners_api.get_page(limit=10, after=first.paging.next.after)
    assert len(first.results) + len(rest.results) == 5
    assert rest.paging is None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/crm/v9/objects/contacts", 404),
        ("GET", "/marketing/v3/emails", 404),
        ("POST", "/webhooks/v3/1/subscriptions", 404),
        ("POST", "/crm/v3/objects/contacts/91/restore", 404),
    ],
)
def test_a_path_nobody_knows_is_a_page_and_is_listed(
    portal: PracticePortal, method: str, path: str, status: int
) -> None:
    """1, 25"""
    answer = portal.raw(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html;charset=utf-8")
    assert portal.admin.get("/unknown") == [{"system": "hubspot", "method": method, "path": path}]


def test_a_method_a_path_does_not_have_is_refused_and_listed(portal: PracticePortal) -> None:
    """1"""
    assert portal.raw("PUT", "/crm/v3/objects/contacts/91").status_code == 405
    (line,) = portal.admin.get("/unknown")
    assert (line["method"], line["path"]) == ("PUT", "/crm/v3/objects/contacts/91")


def test_zipped_bodies_are_read_and_zipped_replies_sent_when_asked(portal: PracticePortal) -> None:
    """6"""
    body = gzip.compress(json.dumps({"properties": {"email": "ada@example.com"}}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert portal.raw("POST", "/crm/v3/objects/contacts", data=body, headers=headers).status_code == 201
    assert portal.raw("POST", "/crm/v3/objects/contacts", data=b"plain", headers=headers).status_code == 400
    path = "/crm/v3/properties/contacts"
    assert portal.raw("GET", path, headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in portal.raw("GET", path, headers={"Accept-Encoding": "identity"}).headers


def test_a_seed_and_a_standing_clock_give_the_same_account_twice(emulator: Emulator) -> None:
    """59"""
    taken = []
    for _ in range(2):
        emulator.renew(Options(clock="virtual", contacts=20, companies=5, deals=3, seed=4))
        portal = PracticePortal(emulator)
        portal.make(email="new@example.com")
        portal.batch.create("contacts", {"inputs": [{"properties": {"city": "Turin"}} for _ in range(5)]})
        taken.append(portal.admin.get("/snapshot"))
    assert taken[0] == taken[1]


def test_a_snapshot_put_back_gives_the_same_answers(portal: PracticePortal) -> None:
    """59"""
    contact, company = portal.make(email="ada@example.com"), portal.make("companies")
    portal.associate(contact, company)
    portal.client.crm.properties.core_api.create(
        "contacts",
        {"name": "shoe", "label": "Shoe", "type": "string", "fieldType": "text", "groupName": "contactinformation"},
    )
    before, taken = portal.raw("GET", f"/crm/v3/objects/contacts/{contact}").json(), portal.admin.get("/snapshot")
    portal.merge(contact, portal.make(email="bea@example.com"))
    portal.admin.put("/snapshot", taken)
    assert portal.raw("GET", f"/crm/v3/objects/contacts/{contact}").json() == before
    assert portal.change("contacts", contact, shoe="42").properties["shoe"] == "42"
    assert portal.company_labels(contact) == {company: [1, 279]}
