"""People and administrators of the emulator's Salesforce, and requests nobody should send."""

from __future__ import annotations

import json
from functools import partial
from random import Random
from typing import Any

import pytest
from practice_org import Org, code, ids_of, refusal

from connectors.emulator.admin_client import AdminRefusedError
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


@pytest.mark.parametrize(
    ("verb", "body", "text"),
    [
        ("create", {"object": "Nothing", "values": {}}, "there is no object Nothing; there are Lead, Contact"),
        (
            "create",
            {"object": "Contact", "values": {}},
            "REQUIRED_FIELD_MISSING: Required fields are missing",
        ),
        ("create", {"object": "User", "values": {}}, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
        ("edit", {"object": "Contact", "id": "003x", "values": {}}, "no Contact 003x"),
        ("delete", {"object": "Contact", "id": "003x"}, "no Contact 003x"),
        ("undelete", {"object": "Contact", "id": "003x"}, "not in the recycle bin"),
        ("convert", {"id": "00Qx"}, "no Lead 00Qx"),
        ("schema", {"object": "Contact"}, "say one of add, remove or alter"),
        ("schema", {"object": "Contact", "add": {"name": "X__c"}}, "needs a name and a type"),
        ("schema", {"object": "Contact", "add": {"name": "X__c", "type": "blob"}}, "no field type 'blob'"),
        ("schema", {"object": "Contact", "add": {"name": "Title", "type": "string"}}, "has a field Title already"),
        ("schema", {"object": "Contact", "remove": "X__c"}, "no field X__c"),
        ("schema", {"object": "Contact", "alter": {"name": "X__c", "length": 3}}, "no field X__c"),
        ("schema", {"object": "Contact", "alter": {"name": "Title", "lenght": 3}}, "a field has no lenght"),
        ("permissions", {"object": "Contact", "hide": "X__c"}, "no field X__c"),
        ("permissions", {"object": "Contact"}, "say one of hide, show, read_only, writable"),
        ("permissions", {"object": "Contact", "deny": "merge"}, "'merge' is none of create, edit, delete"),
        ("users", {"add": {"login": "anna"}}, "there is a user anna already"),
        ("users", {"deactivate": "005x"}, "no user 005x"),
        ("users", {}, "say one of add, activate or deactivate"),
        ("link", {"from": ["Contact", "1"], "to": ["Account", "2"]}, "edit the field instead"),
    ],
)
def test_nonsense_at_the_desk_is_answered_with_what_is_wrong(
    org: Org, verb: str, body: dict[str, Any], text: str
) -> None:
    """65"""
    with pytest.raises(AdminRefusedError) as caught:
        org.person(verb, **body)
    assert text in str(caught.value)


def test_a_conversion_takes_no_unknown_option(org: Org) -> None:
    """60"""
    lead = org.make("Lead")
    with pytest.raises(AdminRefusedError, match="acount_id"):
        org.person("convert", id=lead, acount_id="x")


def test_a_background_job_knows_only_stored_fields(org: Org) -> None:
    """26"""
    contact = org.make()
    job = {"id": "job", "cause": "system"}
    with pytest.raises(AdminRefusedError, match="no stored field Nothing"):
        org.person("edit", object="Contact", id=contact, values={"Nothing": 1}, actor=job)
    org.person("edit", object="Contact", id=contact, values={"LastActivityDate": "2026-11-01"}, actor=job)
    assert org.value("Contact", contact, "LastActivityDate") == "2026-11-01"


def test_people_see_and_write_what_the_api_user_cannot(org: Org) -> None:
    """22"""
    org.person("permissions", object="Contact", read_only="Title")
    contact = org.person_makes("Contact", Title="CTO")
    org.person("permissions", object="Contact", hide="*")
    org.person_edits("Contact", contact, DoNotCall=True, Title="CEO")
    org.person("permissions", object="Contact", show="*")
    org.person("permissions", object="Contact", show="DoNotCall")
    assert org.read("Contact", contact, "Title", "DoNotCall") == {"Title": "CEO", "DoNotCall": True}


@pytest.mark.parametrize(
    ("denied", "told"),
    [
        ("create", (False, True, True)),
        ("edit", (True, False, False)),
        ("delete", (True, True, False)),
    ],
)
def test_what_the_api_user_may_do_with_an_object_is_told_and_kept_to(
    denied: str, told: tuple[bool, bool, bool], org: Org
) -> None:
    """22; Salesforce grants Delete only together with Edit"""
    contact = org.make()
    org.person("permissions", object="Contact", deny=denied)
    described = org.sf.Contact.describe()
    assert tuple(described[name] for name in ("createable", "updateable", "deletable")) == told
    field = next(each for each in described["fields"] if each["name"] == "Title")
    assert (field["createable"], field["updateable"]) == told[:2]
    calls = [
        org.make,
        partial(org.sf.Contact.update, contact, {"Title": "CEO"}),
        partial(org.sf.Contact.delete, contact),
    ]
    for call, is_allowed in zip(calls, told, strict=True):
        if is_allowed:
            call()
        else:
            assert code(call) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    org.person("permissions", object="Contact", allow=denied)
    assert org.make()


def test_converting_goes_into_what_is_named(org: Org) -> None:
    """60"""
    account = org.make("Account", Name="Kept", Phone="1")
    deal = org.make("Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-12-01")
    lead = org.make("Lead", Phone="2", Website="example.com")
    made = org.person("convert", id=lead, account_id=account, opportunity_id=deal)
    assert (made["accountId"], made["opportunityId"]) == (account, deal)
    assert org.read("Account", account, "Name", "Phone", "Website") == {
        "Name": "Kept",
        "Phone": "1",
        "Website": "example.com",
    }
    assert org.query("SELECT OpportunityId, IsPrimary FROM OpportunityContactRole") == [
        {"OpportunityId": deal, "IsPrimary": True}
    ]


def test_seeded_rows_are_complete_and_as_old_as_told(org: Org) -> None:
    """65"""
    desk, now = org.emulator.practice.desks["salesforce"], org.emulator.world.clock.now()
    rows = [{"Name": "D", "StageName": "Closed Won", "CloseDate": "2026-10-01", "Nothing": 1, "_modified_at": now}]
    [deal] = org.emulator.call(lambda: desk.seed_many("Opportunity", rows, actor=Actor("seed", "system")))
    assert org.read("Opportunity", deal, "Probability", "ForecastCategoryName", "Fiscal", "FiscalQuarter") == {
        "Probability": 100.0,
        "ForecastCategoryName": "Closed",
        "Fiscal": "2026 4",
        "FiscalQuarter": 4,
    }
    [row] = org.query("SELECT CreatedBy.Name, FiscalYear, Owner.Name FROM Opportunity")
    assert (row["CreatedBy"]["Name"], row["FiscalYear"]) == ("Automated Process", 2026)


def test_a_merge_leaves_deleted_children_with_the_loser(org: Org) -> None:
    """58"""
    survivor, loser = org.make(), org.make()
    task = org.make("Task", Subject="Call", WhoId=loser)
    org.sf.Task.delete(task)
    org.person("merge", object="Contact", survivor=survivor, loser=loser)
    assert org.query_deleted("SELECT WhoId FROM Task") == [{"WhoId": loser}]


def test_a_key_that_is_not_unique_neither_reads_nor_deletes_one(org: Org) -> None:
    """30"""
    ids = [org.make(Email="ada@example.com") for _ in range(2)]
    for method in ("GET", "DELETE"):
        assert len(org.raw(method, "sobjects/Contact/Email/ada@example.com").json()) == 2
        assert org.raw(method, "sobjects/Contact/Email/ada@example.com").status_code == 300
        assert org.raw(method, "sobjects/Contact/Email/bob@example.com").status_code == 404
    assert ids_of(org.query("SELECT Id FROM Contact")) == ids


def test_an_id_is_a_key_like_any_other_but_never_creates(org: Org) -> None:
    """30"""
    contact = org.make()
    assert org.call("PATCH", f"sobjects/Contact/Id/{contact}", json={"Title": "CTO"}).json()["created"] is False
    assert code(org.call, "PATCH", "sobjects/Contact/Id/0035g00000zzzzzAAA", json={}) == (404, "NOT_FOUND")
    records = [{"attributes": {"type": "Contact"}, "Id": "0035g00000zzzzzAAA"}]
    records.append({"attributes": {"type": "Lead"}, "Id": "00Q5g00000zzzzzEAA"})
    answer = org.call("PATCH", "composite/sobjects/Contact/Id", json={"records": records}).json()
    assert [row["errors"][0]["statusCode"] for row in answer] == ["INVALID_CROSS_REFERENCE_KEY", "INVALID_INPUT"]
    without = {"records": [{"attributes": {"type": "Contact"}, "LastName": "New"}]}
    [new] = org.call("PATCH", "composite/sobjects/Contact/Id", json=without).json()
    assert (new["created"], org.value("Contact", new["id"], "LastName")) == (True, "New")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"Account": {}}, "JSON_PARSER_ERROR"),
        ({"Account": "x"}, "INVALID_FIELD"),
        ({"Account": {"Nothing": "x"}}, "NOT_FOUND"),
        ({"AccountId": 5}, "JSON_PARSER_ERROR"),
        ({"Birthdate": "2026-02-30"}, "JSON_PARSER_ERROR"),
        ({"Birthdate": "0001-01-01"}, "NUMBER_OUTSIDE_VALID_RANGE"),
        ({"HasOptedOutOfEmail": 1}, "JSON_PARSER_ERROR"),
    ],
)
def test_odd_values_are_refused(org: Org, fields: dict[str, Any], error: str) -> None:
    """36, 46"""
    assert code(org.make, **fields)[1] == error


def test_a_null_parent_object_empties_the_field(org: Org) -> None:
    """46"""
    contact = org.make(AccountId=org.make("Account", Name="E"))
    org.change("Contact", contact, Account=None)
    assert org.value("Contact", contact, "AccountId") is None


@pytest.mark.parametrize(
    ("number", "error"),
    [(99_999_999, None), (100_000_000, "NUMBER_OUTSIDE_VALID_RANGE"), ([], "JSON_PARSER_ERROR")],
)
def test_whole_numbers_have_eight_digits(org: Org, number: Any, error: str | None) -> None:
    """36"""
    if error is None:
        assert org.make("Account", Name="E", NumberOfEmployees=number)
    else:
        assert code(org.make, "Account", Name="E", NumberOfEmployees=number)[1] == error


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("composite/sobjects/Contact", {"ids": 5, "fields": ["Id"]}),
        ("composite/sobjects/Contact", {"ids": ["x"] * 2_001, "fields": ["Id"]}),
        ("composite/sobjects/Contact", {"ids": [], "fields": ["Id"]}),
        ("composite/batch", {"batchRequests": []}),
        ("composite/batch", {"batchRequests": ["x"]}),
        ("composite", {"compositeRequest": {}}),
    ],
)
def test_malformed_bodies_are_400(org: Org, path: str, body: Any) -> None:
    """48, 49"""
    assert refusal(org.call, "POST", path, json=body)[0] == 400


def test_a_body_that_is_not_what_its_encoding_says_is_400(org: Org) -> None:
    """8"""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert org.raw("POST", "sobjects/Contact", data=b"{}", headers=headers).status_code == 400


def test_the_root_of_a_version_lists_its_resources(org: Org) -> None:
    """6"""
    assert org.sf.restful("")["sobjects"] == "/services/data/v65.0/sobjects"


NAMES = (
    "Id", "LastName", "Company", "Email", "AccountId", "OwnerId", "Title", "Birthdate", "Account", "Owner", "Name",
    "StageName", "CloseDate", "Amount", "attributes", "Truce_Key__c", "WhoId", "records", "ids", "fields", "allOrNone",
    "compositeRequest", "batchRequests", "method", "url", "referenceId", "body", "httpHeaders", "HasOptedOutOfEmail",
)  # fmt: skip
JUNK: tuple[Any, ...] = (
    None, True, 0, 1.5, 10**30, "", "x", "'", "a@example.com", "2026-01-01", "2026-01-01T00:00:00Z", "@{a.id}", [], {},
)  # fmt: skip
OBJECTS = ("Contact", "Lead", "Account", "Opportunity", "Task", "OpportunityContactRole", "User", "Nothing")
WORDS = (
    "Id", "Name", "COUNT(Id)", "COUNT()", "=", "!=", "LIKE", "IN", "'x'", "5", "null", "TODAY", "Owner.Name",
    "Who.Type", "Account.Owner.Name", "Address", "(SELECT Id FROM Contacts)", "('a',null)", "SystemModstamp", ">",
    "AND", "OR", "NOT", "2026-01-01T00:00:00Z", "GROUP BY", "HAVING", "ORDER BY", "LIMIT 1",
)  # fmt: skip


class Caller:
    """Sends requests that no client would, the same ones for the same seed."""

    def __init__(self, org: Org, seed: int) -> None:
        self.org = org
        self.rng = Random(seed)
        self.ids = [org.make(), org.make("Lead"), org.make("Account", Name="E")]

    def value(self, depth: int = 0) -> Any:
        choice = self.rng.random()
        if choice < 0.2:
            return self.rng.choice(self.ids)
        if depth < 3 and choice < 0.4:
            return {self.rng.choice(NAMES): self.value(depth + 1) for _ in range(self.rng.randrange(4))}
        if depth < 3 and choice < 0.5:
            return [self.value(depth + 1) for _ in range(self.rng.randrange(3))]
        return self.rng.choice(JUNK)

    def record(self) -> dict[str, Any]:
        kind = self.rng.choice(OBJECTS)
        return {"attributes": {"type": kind}, "LastName": "A", "Company": "E", self.rng.choice(NAMES): self.value()}

    def body(self) -> Any:
        sub = {"method": "POST", "url": f"/services/data/v65.0/sobjects/{self.rng.choice(OBJECTS)}", "referenceId": "a"}
        return self.rng.choice(
            [
                self.value(),
                self.record(),
                {"allOrNone": self.value(), "records": [self.record(), self.record()]},
                {"allOrNone": self.value(), "compositeRequest": [{**sub, "body": self.record()}, self.value()]},
                {"batchRequests": [{**sub, "richInput": self.value(), self.rng.choice(NAMES): self.value()}]},
                {"ids": self.value(), "fields": self.value()},
            ]
        )

    def path(self) -> str:
        kind = self.rng.choice(OBJECTS)
        tail = self.rng.choice(
            ["", "/" + self.rng.choice(self.ids), "/Email/a@example.com", "/Truce_Key__c", "/describe"]
        )
        root = self.rng.choice(["sobjects", "composite/sobjects", "composite", "composite/batch", "sobjects/updated"])
        return f"{root}/{kind}{tail}" if "sobjects" in root else root

    def soql(self) -> str:
        words = " ".join(self.rng.choice(WORDS) for _ in range(self.rng.randrange(1, 8)))
        return f"SELECT {self.rng.choice(WORDS)} FROM {self.rng.choice(OBJECTS)} WHERE {words}"

    def send(self) -> int:
        if self.rng.random() < 0.3:
            return self.org.raw("GET", self.rng.choice(["query", "queryAll"]), params={"q": self.soql()}).status_code
        method = self.rng.choice(["GET", "POST", "PATCH", "DELETE"])
        headers = {"Content-Type": "application/json"}
        return self.org.raw(method, self.path(), data=json.dumps(self.body()), headers=headers).status_code


@pytest.mark.parametrize("seed", range(3))
def test_no_request_breaks_the_emulator(org: Org, seed: int) -> None:
    """65: whatever comes is answered or refused, and a refusal leaves the rows valid."""
    caller = Caller(org, seed)
    statuses = {caller.send() for _ in range(300)}
    assert statuses <= {200, 201, 204, 300, 304, 400, 403, 404, 405, 412}
    assert {200, 400, 404} <= statuses
    assert org.admin.get("/health")["failures"] == []
