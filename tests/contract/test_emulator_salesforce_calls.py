"""The emulator's Salesforce at the door: tokens, versions, limits, describe, ids. Numbers are those of the vendor
behaviour list that the emulator implements."""

from __future__ import annotations

import gzip
import json
from email.utils import parsedate_to_datetime

import pytest
import requests
from practice_org import Org, code, refusal, session_to
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
)

from connectors.emulator.serve import Emulator

DESCRIBE_KEYS = {
    "aggregatable", "aiPredictionField", "autoNumber", "byteLength", "calculated", "calculatedFormula",
    "cascadeDelete", "caseSensitive", "compoundFieldName", "controllerName", "createable", "custom", "defaultValue",
    "defaultValueFormula", "defaultedOnCreate", "dependentPicklist", "deprecatedAndHidden", "digits",
    "displayLocationInDecimal", "encrypted", "externalId", "extraTypeInfo", "filterable", "filteredLookupInfo",
    "formulaTreatNullNumberAsZero", "groupable", "highScaleNumber", "htmlFormatted", "idLookup", "inlineHelpText",
    "label", "length", "mask", "maskType", "name", "nameField", "namePointing", "nillable", "permissionable",
    "picklistValues", "polymorphicForeignKey", "precision", "queryByDistance", "referenceTargetField", "referenceTo",
    "relationshipName", "relationshipOrder", "restrictedDelete", "restrictedPicklist", "scale", "searchPrefilterable",
    "soapType", "sortable", "type", "unique", "updateable", "writeRequiresMasterRead",
}  # fmt: skip
TOKEN_PATH = "/services/oauth2/token"


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def ask_for_token(emulator: Emulator, host: str = "practice.my", **form: str) -> requests.Response:
    body = {"grant_type": "client_credentials", **form}
    return session_to(emulator).post(f"https://{host}.salesforce.com{TOKEN_PATH}", data=body)


def test_client_credentials_are_taken_as_basic_and_as_form_fields(org: Org, emulator: Emulator) -> None:
    """1"""
    login = emulator.credentials["salesforce"]
    assert org.sf.session_id  # the library sends them as Basic
    answer = ask_for_token(emulator, client_id=login["client_id"], client_secret=login["client_secret"])
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "Bearer"


@pytest.mark.parametrize(
    ("form", "error", "text"),
    [
        ({"client_id": "nobody", "client_secret": "x"}, "invalid_client_id", "client identifier invalid"),
        ({"client_id": "practice-client-1", "client_secret": "x"}, "invalid_client", "invalid client credentials"),
        ({"grant_type": "device"}, "unsupported_grant_type", "grant type not supported"),
    ],
)
def test_a_wrong_login_is_an_error_object_and_no_list(
    emulator: Emulator, form: dict[str, str], error: str, text: str
) -> None:
    """1"""
    answer = ask_for_token(emulator, **form)
    assert answer.status_code == 400
    assert answer.json() == {"error": error, "error_description": text}


@pytest.mark.parametrize("host", ["login", "test"])
def test_client_credentials_are_refused_on_login_hosts(emulator: Emulator, host: str) -> None:
    """1"""
    login = emulator.credentials["salesforce"]
    answer = ask_for_token(emulator, host, client_id=login["client_id"], client_secret=login["client_secret"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_an_app_without_a_run_as_user_gets_no_token(org: Org, emulator: Emulator) -> None:
    """1"""
    org.switch("run_as", None)
    with pytest.raises(SalesforceAuthenticationFailed, match="no client credentials user enabled"):
        Org(emulator)


def test_the_token_names_its_time_its_instance_and_its_user(emulator: Emulator) -> None:
    """2"""
    login = emulator.credentials["salesforce"]
    found = ask_for_token(emulator, client_id=login["client_id"], client_secret=login["client_secret"]).json()
    settings = emulator.world.spaces["salesforce"].settings
    assert found["issued_at"] == str(int(emulator.world.clock.now().timestamp() * 1000))
    assert found["instance_url"] == "https://practice.my.salesforce.com"
    user_id = settings["users"]["integration"]
    assert found["id"] == f"https://login.salesforce.com/id/{settings['org_id']}/{user_id}"


def test_an_unused_token_expires_and_a_used_one_lives_on(org: Org) -> None:
    """4"""
    for _ in range(4):
        org.advance(3700)
        assert org.raw("GET", "limits").status_code == 200
    org.advance(7201)
    answer = org.raw("GET", "limits")
    assert answer.status_code == 401
    assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_how_long_a_token_lives_is_a_switch(org: Org) -> None:
    """4"""
    org.switch("token_seconds", 60)
    plain = library(org, Org(org.emulator).sf.session_id)
    assert plain.query("SELECT Id FROM Organization")["totalSize"] == 1
    org.advance(61)
    with pytest.raises(SalesforceExpiredSession):
        plain.query("SELECT Id FROM Organization")


def test_the_library_logs_in_again_after_a_revocation(org: Org) -> None:
    """4"""
    before = org.sf.session_id
    org.person("tokens/revoke")
    assert org.query("SELECT Id FROM Organization")
    assert org.sf.session_id != before


def test_a_library_session_without_login_is_expired_after_a_revocation(org: Org, emulator: Emulator) -> None:
    """4"""
    plain = library(org, org.sf.session_id)
    assert plain.query("SELECT Id FROM Organization")["totalSize"] == 1
    org.person("tokens/revoke")
    with pytest.raises(SalesforceExpiredSession):
        plain.query("SELECT Id FROM Organization")


def test_a_token_can_be_given_back(org: Org) -> None:
    """4"""
    assert org.raw("POST", "/services/oauth2/revoke", data={"token": org.sf.session_id}).status_code == 200
    assert org.raw("GET", "limits").status_code == 401


@pytest.mark.parametrize("token", [None, "made-up"])
def test_without_a_good_token_the_answer_is_401(org: Org, token: str | None) -> None:
    """5"""
    answer = org.raw("GET", "sobjects", token=token)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


def test_a_good_token_under_another_scheme_is_none(org: Org) -> None:
    """5"""
    answer = org.raw("GET", "limits", token=None, headers={"Authorization": f"Basic {org.sf.session_id}"})
    assert answer.status_code == 401


def library(org: Org, session_id: str, version: str = "65.0") -> Salesforce:
    """The library with a session somebody gave it."""
    host = "practice.my.salesforce.com"
    return Salesforce(session_id=session_id, instance=host, version=version, session=org.session)


def test_the_library_takes_a_made_up_token_for_an_expired_one(org: Org) -> None:
    """5"""
    with pytest.raises(SalesforceExpiredSession) as told:
        library(org, "made-up").query("SELECT Id FROM Contact")
    assert told.value.status == 401


def test_a_lightning_host_has_no_api_session(org: Org) -> None:
    """5"""
    headers = {"Authorization": f"Bearer {org.sf.session_id}"}
    answer = org.session.get("https://practice.lightning.force.com/services/data/v65.0/limits", headers=headers)
    assert answer.status_code == 401


def test_versions_are_listed_to_everybody(org: Org) -> None:
    """6"""
    found = org.raw("GET", "/services/data", token=None).json()
    assert [each["version"] for each in found] == [f"{number}.0" for number in range(31, 68)]
    assert found[28] == {"label": "Winter '24", "url": "/services/data/v59.0", "version": "59.0"}
    assert org.raw("GET", "/services/data/", token=None).json() == found


def test_unknown_and_retired_versions_are_told_apart(org: Org) -> None:
    """6"""
    unknown = org.raw("GET", "/services/data/v99.0/limits")
    assert (unknown.status_code, unknown.json()[0]["errorCode"]) == (404, "NOT_FOUND")
    assert org.raw("GET", "/services/data/v30.0/limits").status_code == 410
    session_id = org.sf.session_id
    assert code(library(org, session_id, "99.0").limits) == (404, "NOT_FOUND")
    assert refusal(library(org, session_id, "30.0").limits)[0] == 410


@pytest.mark.parametrize(
    "path", ["limits", "limits/", "sobjects", "sobjects/", "sobjects/Lead", "sobjects/Lead/describe/"]
)
def test_a_trailing_slash_changes_nothing(org: Org, path: str) -> None:
    """7"""
    assert org.raw("GET", path).status_code == 200


def test_names_are_found_in_any_case_and_answered_in_describe_s(org: Org) -> None:
    """7"""
    contact_id = org.make(LastName="Lovelace")
    assert org.read("cONTACT", contact_id, "lastNAME") == {"LastName": "Lovelace"}
    [found] = org.sf.query("select ID, lastname from contact")["records"]
    assert found["attributes"]["type"] == "Contact"
    assert list(found) == ["attributes", "Id", "LastName"]
    org.change("contact", contact_id, TITLE="CTO")
    assert org.value("Contact", contact_id, "Title") == "CTO"


def test_a_pretty_answer_is_indented_json_of_the_vendor_s_type(org: Org) -> None:
    """8"""
    pretty = org.call("GET", "limits")  # the library always asks for it
    assert pretty.text.startswith("{\n  ")
    assert pretty.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert "\n" not in org.raw("GET", "limits").text


def test_answers_and_requests_may_be_gzipped(org: Org) -> None:
    """8"""
    assert org.raw("GET", "sobjects").headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in org.raw("GET", "sobjects", headers={"Accept-Encoding": "identity"}).headers
    body = gzip.compress(json.dumps({"LastName": "Lovelace"}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert org.raw("POST", "sobjects/Contact", data=body, headers=headers).status_code == 201


def test_another_content_type_is_refused(org: Org) -> None:
    """8"""
    answer = org.raw("POST", "sobjects/Contact", data="LastName=x", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_every_answer_tells_the_time_and_the_usage(org: Org) -> None:
    """9"""
    first = org.raw("GET", "limits")
    assert parsedate_to_datetime(first.headers["Date"]) == org.emulator.world.clock.now()
    second = org.raw("GET", "sobjects/Contact/003000000000001")
    assert (first.headers["Sforce-Limit-Info"], second.headers["Sforce-Limit-Info"]) == (
        "api-usage=1/100000",
        "api-usage=2/100000",
    )
    org.query("SELECT Id FROM Contact")
    assert org.sf.api_usage["api-usage"].used == 3


def test_usage_is_forgotten_after_a_day(org: Org) -> None:
    """9"""
    org.raw("GET", "limits")
    org.advance(3600 * 23)
    assert org.query("SELECT Id FROM Contact") == []
    assert org.sf.api_usage["api-usage"].used == 2
    org.advance(3600 * 2)
    org.query("SELECT Id FROM Contact")
    assert org.sf.api_usage["api-usage"].used == 2


def test_a_used_up_allowance_refuses_everything_but_the_version_list(org: Org) -> None:
    """10"""
    org.switch("daily_requests", 1)
    org.query("SELECT Id FROM Contact")
    status, error = refusal(org.query, "SELECT Id FROM Contact")
    assert (status, error) == (
        403,
        {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"},
    )
    assert org.raw("GET", "/services/data").status_code == 200


def test_limits_and_record_counts_have_the_vendor_s_shape(org: Org) -> None:
    """64"""
    org.make("Account", Name="Engines")
    found = org.sf.limits()
    assert found["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_998}
    assert {"DataStorageMB", "DailyBulkApiBatches", "SingleEmail"} <= set(found)
    counts = org.sf.restful("limits/recordCount", {"sObjects": "Account,Contact,Nonsense"})
    assert counts == {"sObjects": [{"count": 1, "name": "Account"}]}


def test_a_long_address_and_long_headers_are_refused(org: Org) -> None:
    """11"""
    assert org.raw("GET", "query", params={"q": "x" * 16_000}).status_code == 400
    assert org.raw("GET", "query", params={"q": "x" * 16_384}).status_code == 414
    assert org.raw("GET", "limits", headers={"X-Long": "x" * 16_384}).status_code == 431
    ids = [f"0035g{number:010}AAA" for number in range(700)]
    assert refusal(org.query, "SELECT Id FROM Contact WHERE Id IN {}", ids) == (
        414,
        {"message": "URI too long", "errorCode": "URI_TOO_LONG"},
    )


def test_an_unknown_path_is_404_and_noted(org: Org) -> None:
    """65"""
    assert code(org.sf.restful, "parameterizedSearch") == (404, "NOT_FOUND")
    assert code(org.sf.restful, "sobjects/Account/describe/namedLayouts") == (404, "NOT_FOUND")
    assert org.raw("GET", "/services/nothing").status_code == 404
    here = f"/services/data/v{org.sf.sf_version}"
    assert [line["path"] for line in org.admin.get("/unknown")] == [
        f"{here}/parameterizedSearch",
        f"{here}/sobjects/Account/describe/namedLayouts",
        "/services/nothing",
    ]


def test_an_object_that_is_not_here_is_refused_as_the_vendor_does_and_noted(org: Org) -> None:
    """20, 65: a real org has it, or may have it"""
    assert code(org.query, "SELECT Id FROM Quote") == (400, "INVALID_TYPE")
    assert code(org.query, "SELECT (SELECT Id FROM ActivityHistories) FROM Account") == (400, "INVALID_TYPE")
    assert code(org.sf.Quote.describe) == (404, "NOT_FOUND")
    job = {"object": "Quote", "operation": "insert"}
    assert code(org.sf.restful, "jobs/ingest", method="POST", json=job) == (400, "INVALIDENTITY")
    assert [(line["method"], line["path"]) for line in org.admin.get("/unknown")] == [
        ("SOQL", "SELECT Id FROM Quote"),
        ("SOQL", "SELECT (SELECT Id FROM ActivityHistories) FROM Account"),
        ("OBJECT", "Quote"),
        ("OBJECT", "Quote"),
    ]


def test_an_object_that_is_only_hidden_is_not_noted(org: Org) -> None:
    """22, 65"""
    org.person("permissions", object="Campaign", hide="*")
    assert code(org.query, "SELECT Id FROM Campaign") == (400, "INVALID_TYPE")
    assert code(org.sf.Campaign.describe) == (404, "NOT_FOUND")
    assert org.admin.get("/unknown") == []


def test_nothing_was_looked_at_lately(org: Org) -> None:
    """65"""
    assert org.raw("GET", "recent").json() == []


def test_a_post_may_stand_for_another_method(org: Org) -> None:
    """7: for clients that know no PATCH"""
    contact = org.make()
    answer = org.raw("POST", f"sobjects/Contact/{contact}?_HttpMethod=PATCH", json={"Title": "Lady"})
    assert answer.status_code == 204
    assert org.value("Contact", contact, "Title") == "Lady"


@pytest.mark.parametrize("status", [406, 420, 503])
def test_a_planned_status_without_json_reaches_the_library(org: Org, status: int) -> None:
    """10"""
    org.admin.fault(system="salesforce", action="status", status=status)
    with pytest.raises(SalesforceGeneralError) as told:
        org.query("SELECT Id FROM Lead")
    assert (told.value.status, str(told.value.content)[:15]) == (status, "<!DOCTYPE html>")
    assert org.query("SELECT Id FROM Lead") == []


def test_a_connection_may_drop_after_the_commit(org: Org) -> None:
    """10"""
    org.admin.fault(system="salesforce", method="POST", action="drop_after")
    with pytest.raises(requests.exceptions.ConnectionError):
        org.make()
    assert len(org.query("SELECT Id FROM Contact")) == 1


def test_a_slow_write_outlasts_the_library_s_patience_and_happens_later(org: Org) -> None:
    """10"""
    contact = org.make()
    org.admin.fault(system="salesforce", method="PATCH", action="delay", delay_seconds=3600)
    with pytest.raises(requests.exceptions.ReadTimeout):
        org.call("PATCH", f"sobjects/Contact/{contact}", json={"Title": "Lady"}, timeout=0.05)
    assert org.value("Contact", contact, "Title") is None
    calls = org.admin.get("/counters")["total"]
    org.advance(3600)
    while org.admin.get("/counters")["total"] == calls:
        pass
    assert org.value("Contact", contact, "Title") == "Lady"


def test_a_wrong_method_says_which_are_right(org: Org) -> None:
    """65"""
    status, error = refusal(org.sf.restful, "query", method="POST")
    assert (status, error["errorCode"]) == (405, "METHOD_NOT_ALLOWED")
    assert error["message"] == "HTTP Method 'POST' not allowed. Allowed are GET,HEAD"
    [line] = org.admin.get("/unknown")
    assert (line["method"], line["path"]) == ("POST", f"/services/data/v{org.sf.sf_version}/query")


def test_the_journal_names_routes_and_not_ids(org: Org) -> None:
    """65"""
    contact_id = org.make()
    org.read("Contact", contact_id)
    routes = org.admin.get("/counters")["systems"]["salesforce"]["routes"]
    assert routes["GET /services/data/{version}/sobjects/{object}/{id}"] == {"200": 1}
    assert routes["POST /services/oauth2/token"] == {"200": 1}


def test_the_global_list_holds_every_object_with_all_its_keys(org: Org) -> None:
    """62"""
    found = org.sf.describe()
    assert (found["encoding"], found["maxBatchSize"]) == ("UTF-8", 200)
    objects = {entry["name"]: entry for entry in found["sobjects"]}
    assert list(objects) == [
        "Account", "Campaign", "CampaignMember", "CampaignMemberStatus", "Case", "Contact", "Event", "Group",
        "GroupMember", "Lead", "LeadStatus", "Opportunity", "OpportunityContactRole", "OpportunityLineItem",
        "OpportunityStage", "Organization", "Pricebook2", "PricebookEntry", "Product2", "Profile", "QueueSobject",
        "RecordType", "Task", "User", "UserRole",
    ]  # fmt: skip
    assert {len(entry) for entry in objects.values()} == {28}
    flags = {
        name: (entry["keyPrefix"], entry["mergeable"], entry["undeletable"], entry["deletable"])
        for name, entry in objects.items()
    }
    assert flags["Lead"] == ("00Q", True, True, True)
    assert flags["Opportunity"] == ("006", False, True, True)
    assert flags["OpportunityContactRole"] == ("00K", False, False, True)
    assert flags["User"] == ("005", False, False, False)


@pytest.mark.parametrize(
    "name", ["Lead", "Contact", "Account", "Opportunity", "OpportunityContactRole", "Task", "User"]
)
def test_every_field_entry_is_complete_and_agrees_with_itself(org: Org, name: str) -> None:
    """62"""
    described = getattr(org.sf, name).describe()
    for entry in described["fields"]:
        assert set(entry) == DESCRIBE_KEYS, entry["name"]
        assert not (entry["calculated"] and entry["updateable"])
        if entry["type"] == "boolean":
            assert (entry["nillable"], entry["defaultedOnCreate"]) == (False, True)
        if entry["type"] in ("id", "reference"):
            assert (entry["length"], entry["soapType"]) == (18, "tns:ID")
        if entry["type"] == "reference" and entry["name"] != "MasterRecordId":
            assert entry["referenceTo"]
    assert described["recordTypeInfos"][0]["recordTypeId"] == "012000000000000AAA"


def test_describe_says_what_a_create_needs_and_what_is_a_key(org: Org) -> None:
    """62"""

    def required(name: str) -> list[str]:
        fields = getattr(org.sf, name).describe()["fields"]
        return [
            entry["name"]
            for entry in fields
            if entry["createable"] and not entry["nillable"] and not entry["defaultedOnCreate"]
        ]

    assert required("Lead") == ["LastName", "Company"]
    assert required("Contact") == ["LastName"]
    assert required("Opportunity") == ["Name", "StageName", "CloseDate"]
    fields = {entry["name"]: entry for entry in org.sf.Contact.describe()["fields"]}
    assert [name for name, entry in fields.items() if entry["idLookup"]] == ["Id", "Email", "Truce_Key__c"]
    assert (fields["Truce_Key__c"]["externalId"], fields["Truce_Key__c"]["unique"]) == (True, True)
    assert fields["Customer_Stage__c"]["restrictedPicklist"]
    assert fields["LastName"]["compoundFieldName"] == "Name"
    assert not fields["Description"]["filterable"]
    assert "HasOptedOutOfEmail" in fields
    assert "DoNotCall" not in fields


def test_an_unchanged_description_is_304_and_a_permission_changes_it(org: Org) -> None:
    """62"""
    since = org.call("GET", "sobjects/Contact/describe").headers["Last-Modified"]
    org.advance(10)
    headers = {"If-Modified-Since": since}
    with pytest.raises(SalesforceGeneralError) as caught:
        org.call("GET", "sobjects/Contact/describe", headers=headers)
    assert caught.value.status == 304
    for path in ("sobjects", "sobjects/Contact/describe"):
        unchanged = org.raw("GET", path, headers=headers)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    org.person("permissions", object="Contact", hide="Title")
    names = [entry["name"] for entry in org.call("GET", "sobjects/Contact/describe", headers=headers).json()["fields"]]
    assert "Title" not in names


def test_a_permission_shows_in_the_flags_of_a_description(org: Org) -> None:
    """62"""

    def flags(name: str) -> tuple[bool, bool]:
        [entry] = [each for each in org.sf.Contact.describe()["fields"] if each["name"] == name]
        return entry["createable"], entry["updateable"]

    assert flags("Title") == (True, True)
    org.person("permissions", object="Contact", read_only="Title")
    assert (flags("Title"), flags("Phone")) == ((False, False), (True, True))
    org.person("permissions", object="Contact", read_only="*")
    assert flags("Phone") == (False, False)


def test_children_are_described_with_their_fate(org: Org) -> None:
    """56"""
    found = {entry["relationshipName"]: entry for entry in org.sf.Account.describe()["childRelationships"]}
    assert (found["Contacts"]["childSObject"], found["Contacts"]["cascadeDelete"]) == ("Contact", True)
    assert found["ChildAccounts"]["cascadeDelete"] is False
    assert [found[name]["restrictedDelete"] for name in ("Cases", "Contacts")] == [True, False]


def test_an_administrator_adds_alters_and_removes_a_field(org: Org) -> None:
    """65"""
    contact_id = org.make()
    org.person("schema", object="Contact", add={"name": "Score__c", "type": "double"})
    org.change("Contact", contact_id, Score__c=7)
    assert org.query("SELECT Score__c FROM Contact WHERE Score__c > 6") == [{"Score__c": 7.0}]
    org.person("schema", object="Contact", alter={"name": "Title", "length": 3})
    assert code(org.change, "Contact", contact_id, Title="Chief") == (400, "STRING_TOO_LONG")
    org.person("schema", object="Contact", remove="Score__c")
    assert code(org.query, "SELECT Score__c FROM Contact") == (400, "INVALID_FIELD")


def test_an_object_taken_away_from_the_user_is_not_there(org: Org) -> None:
    """22"""
    org.person("permissions", object="Task", hide="*")
    assert code(org.query, "SELECT Id FROM Task") == (400, "INVALID_TYPE")
    assert code(org.sf.Task.describe) == (404, "NOT_FOUND")
    org.person("permissions", object="Contact", read_only="*")
    assert code(org.make)[0] == 403


def test_ids_have_their_prefix_a_right_checksum_and_a_short_form(org: Org) -> None:
    """63"""
    contact_id = org.make()
    assert contact_id == contact_id[:15] + checksum_of(contact_id)
    assert contact_id.startswith("003")
    assert org.value("Contact", contact_id[:15], "Id") == contact_id
    records = [{"attributes": {"type": "Contact"}, "LastName": "Byron"} for _ in range(40)]
    made = org.sf.restful("composite/sobjects", method="POST", json={"records": records})
    assert len({each["id"][15:] for each in made}) == 2, "some ids end in a capital"
    assert all(checksum_of(each["id"]) == each["id"][15:] for each in made)
    assert checksum_of("001D000000IqhSL") == "IAZ", "an id of the vendor's own documentation"


def checksum_of(record_id: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    blocks = [record_id[start : start + 5] for start in (0, 5, 10)]
    return "".join(alphabet[sum(2**n for n, char in enumerate(block) if char.isupper())] for block in blocks)


def test_the_same_steps_give_the_same_ids(org: Org, emulator: Emulator) -> None:
    """65"""
    first = [org.make(), org.make("Lead")]
    emulator.renew()
    again = Org(emulator)
    assert [again.make(), again.make("Lead")] == first
