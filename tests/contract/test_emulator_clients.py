"""What clients other than ours need of both vendors' sides: learnt from their sources or by running them.

docs/emulator.md tells which client in which version was run, and which was only read.
"""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest
import requests

from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator

Json = dict[str, Any]
VENDOR_HOST = {"X-Original-Host": "practice.my.salesforce.com"}


class Caller:
    """A client that was told the emulator's own addresses and nothing else."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.admin = Admin(emulator.admin_url)
        self.session = requests.Session()
        self.session.trust_env = False

    def token(self, **headers: str) -> Json:
        known = self.emulator.credentials["salesforce"]
        form = {"grant_type": "client_credentials", "client_id": known["client_id"]}
        address = f"{self.emulator.salesforce_url}/services/oauth2/token"
        asked = {**form, "client_secret": known["client_secret"]}
        found: Json = self.session.post(address, data=asked, headers=headers, timeout=10).json()
        return found

    def salesforce(self, path: str, method: str = "GET", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token()['access_token']}", **options.pop("headers", {})}
        address = path if path.startswith("http") else f"{self.emulator.salesforce_url}/services/data/v59.0{path}"
        return self.session.request(method, address, headers=headers, timeout=10, **options)

    def hubspot(self, path: str, method: str = "GET", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.emulator.credentials['hubspot']['token']}"}
        headers.update(options.pop("headers", {}))
        address = path if path.startswith("http") else self.emulator.hubspot_url + path
        return self.session.request(method, address, headers=headers, timeout=10, **options)

    def contacts(self, count: int) -> list[str]:
        sent = {"inputs": [{"properties": {"firstname": f"Ada {number}"}} for number in range(count)]}
        made = self.hubspot("/crm/v3/objects/contacts/batch/create", "POST", json=sent).json()["results"]
        return sorted((str(one["id"]) for one in made), key=int)


@pytest.fixture
def caller(emulator: Emulator) -> Caller:
    return Caller(emulator)


# Addresses -----------------------------------------------------------------------------------------------------------


def test_a_login_at_the_emulator_s_address_leads_on_to_it(caller: Caller) -> None:
    """jsforce, tap-salesforce and CumulusCI go on to ``instance_url`` and to the identity address."""
    here = caller.emulator.salesforce_url
    granted = caller.token()
    assert granted["instance_url"] == here
    assert granted["id"].startswith(f"{here}/id/00D")
    as_vendor = caller.token(**VENDOR_HOST)
    assert as_vendor["instance_url"] == "https://practice.my.salesforce.com"
    assert as_vendor["id"].startswith("https://login.salesforce.com/id/00D")


def test_the_list_of_resources_says_who_asks_and_the_token_may_stand_in_the_query(caller: Caller) -> None:
    """jsforce's ``identity()``: the address out of the list, with ``format`` and ``oauth_token`` in the query."""
    identity = caller.salesforce("/").json()["identity"]
    assert identity.startswith(caller.emulator.salesforce_url)
    token = caller.token()["access_token"]
    asked = {"format": "json", "oauth_token": token}
    told = caller.session.get(identity, params=asked, timeout=10).json()
    assert told["username"] == "integration@practice.example.com"
    assert told["urls"]["rest"].startswith(caller.emulator.salesforce_url)


def test_a_page_of_hubspot_leads_to_the_next_with_all_that_was_asked(caller: Caller) -> None:
    """dlt's source follows ``paging.next.link`` as it stands."""
    ids = caller.contacts(3)
    page = caller.hubspot("/crm/v3/objects/contacts", params={"limit": 2, "properties": "firstname,city"}).json()
    link = page["paging"]["next"]["link"]
    assert link.startswith(f"{caller.emulator.hubspot_url}/crm/v3/objects/contacts?")
    following = caller.hubspot(link).json()
    assert [one["id"] for one in following["results"]] == ids[2:]
    assert following["results"][0]["properties"]["firstname"] == "Ada 2"
    as_vendor = caller.hubspot("/crm/v3/objects/contacts?limit=2", headers={"Host": "api.hubapi.com"}).json()
    assert as_vendor["paging"]["next"]["link"].startswith("https://api.hubapi.com/crm/v3/objects/contacts?limit=2")


DLT_READS = (
    "User", "UserRole", "Opportunity", "OpportunityLineItem", "OpportunityContactRole", "Account", "Contact", "Lead",
    "Campaign", "CampaignMember", "Product2", "Pricebook2", "PricebookEntry", "Task", "Event",
)  # fmt: skip


@pytest.mark.parametrize("name", DLT_READS)
def test_the_objects_that_dlt_s_source_reads_are_there(caller: Caller, name: str) -> None:
    """It describes each, and asks for every field that is no compound."""
    fields = caller.salesforce(f"/sobjects/{name}/describe").json()["fields"]
    compounds = {each["compoundFieldName"] for each in fields} - {"Name"}
    asked = ", ".join(each["name"] for each in fields if each["name"] not in compounds)
    soql = f"SELECT {asked} FROM {name} ORDER BY SystemModstamp ASC"
    assert caller.salesforce("/query", params={"q": soql}).json()["done"] is True


# Spellings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/sobjects", "/sobjects/", "/sobjects/Contact/describe", "/sobjects/Contact/describe/"]
)
def test_describes_are_asked_with_and_without_a_slash(caller: Caller, path: str) -> None:
    """tap-salesforce and CumulusCI without, simple-salesforce with one for some."""
    assert caller.salesforce(path).status_code == 200


def test_a_doubled_slash_in_front_is_one(caller: Caller) -> None:
    """The command line of Salesforce keeps a slash at the end of the instance address: ``//services/data``."""
    assert caller.session.get(f"{caller.emulator.salesforce_url}//services/data", timeout=10).status_code == 200
    assert caller.salesforce(f"{caller.emulator.salesforce_url}//services/data/v59.0/limits").status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "OAuth"])
def test_a_token_goes_under_two_names(caller: Caller, scheme: str) -> None:
    """The command line of Salesforce and older jsforce say OAuth."""
    headers = {"Authorization": f"{scheme} {caller.token()['access_token']}"}
    assert caller.salesforce("/limits", headers=headers).status_code == 200


def test_versions_are_told_without_a_login_and_the_newest_comes_last(caller: Caller) -> None:
    """CumulusCI takes the last, the command line of Salesforce the highest."""
    told = caller.session.get(f"{caller.emulator.salesforce_url}/services/data", timeout=10).json()
    assert set(told[0]) == {"label", "url", "version"}
    assert [one["version"] for one in told] == sorted((one["version"] for one in told), key=float)


def test_usage_is_told_in_the_form_that_is_parsed(caller: Caller) -> None:
    """tap-salesforce: ``^api-usage=(\\d+)/(\\d+)$``."""
    used = caller.salesforce("/limits").headers["Sforce-Limit-Info"]
    assert used.startswith("api-usage=")
    assert all(part.isdigit() for part in used.removeprefix("api-usage=").split("/"))


def test_zipped_answers_are_sent_to_whoever_takes_them(caller: Caller) -> None:
    """node-fetch asks for gzip and deflate, requests for more; a plain client gets plain bytes."""
    asked = {"Accept-Encoding": "gzip,deflate,br"}
    assert caller.salesforce("/sobjects/Contact/describe", headers=asked).headers["Content-Encoding"] == "gzip"
    plain = caller.hubspot("/crm/v3/properties/contacts", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.json()["results"]


def test_zipped_bodies_are_read_by_both_sides(caller: Caller) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    sent = gzip.compress(json.dumps({"properties": {"email": "ada@example.com"}}).encode())
    assert caller.hubspot("/crm/v3/objects/contacts", "POST", data=sent, headers=headers).status_code == 201
    sent = gzip.compress(json.dumps({"LastName": "Byron"}).encode())
    assert caller.salesforce("/sobjects/Contact", "POST", data=sent, headers=headers).status_code == 201


def test_headers_are_spelled_as_the_vendors_spell_them(caller: Caller) -> None:
    """airbyte's reader of bulk results looks for ``content-type`` in a plain dictionary, and stumbles where it is."""
    account = caller.salesforce("/sobjects/Account", "POST", json={"Name": "Engines"}).json()["id"]
    job = caller.salesforce("/jobs/query", "POST", json={"operation": "query", "query": "SELECT Id FROM Account"})
    results = caller.salesforce(f"/jobs/query/{job.json()['id']}/results")
    found = {*results.raw.headers, *caller.salesforce(f"/sobjects/Account/{account}").raw.headers}
    assert {"Content-Type", "Sforce-Locator", "Sforce-NumberOfRecords", "Sforce-Limit-Info", "Date", "ETag"} <= found
    assert "Content-Type" in set(caller.hubspot("/crm/v3/owners/").raw.headers)


def test_one_connection_is_kept_for_many_calls(caller: Caller) -> None:
    """Every client but hubspot-api-client's chain keeps it; HTTP/1.1 without ``Connection: close``."""
    for answer in (caller.salesforce("/limits"), caller.hubspot("/crm/v3/owners/")):
        assert answer.raw.version == 11
        assert answer.headers.get("Connection", "keep-alive") != "close"


def test_products_line_items_and_quotes_are_objects_like_others(caller: Caller) -> None:
    """dlt's source reads them, with these properties of a quote, and asks for associations with them."""
    for object_type in ("products", "line_items", "quotes"):
        assert caller.hubspot(f"/crm/v3/objects/{object_type}").json() == {"results": []}
    asked = {"properties": "hs_status,hs_public_url_key,hs_title", "associations": "contacts,companies,deals"}
    assert caller.hubspot("/crm/v3/objects/quotes", params=asked).status_code == 200
    names = {one["name"] for one in caller.hubspot("/crm/v3/properties/quotes").json()["results"]}
    assert names >= {"hs_status", "hs_public_url_key", "hs_title"}
    everything = {"associations": "companies,deals,products,tickets,quotes"}
    assert caller.hubspot("/crm/v3/objects/contacts", params=everything).status_code == 200


# What is not there ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/analytics/reports/x", "/chatter/users/me", "/sobjects/Contact/describe/x"])
def test_what_is_not_there_is_no_record_and_is_listed(caller: Caller, path: str) -> None:
    """What jsforce asks for beside the records."""
    answer = caller.salesforce(path)
    told = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    assert (answer.status_code, answer.json()) == (404, told)
    (line,) = caller.admin.get("/unknown")
    assert re.fullmatch(rf"/services/data/v\d+\.0{path}", line["path"])


def test_an_unknown_path_of_hubspot_is_listed(caller: Caller) -> None:
    assert caller.hubspot("/marketing/v3/forms").status_code == 404
    assert caller.admin.get("/unknown") == [{"system": "hubspot", "method": "GET", "path": "/marketing/v3/forms"}]
