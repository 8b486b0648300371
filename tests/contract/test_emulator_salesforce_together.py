"""The emulator's Salesforce, many rows or calls at once: collections, composite, batch."""

from __future__ import annotations

from typing import Any

import pytest
from practice_org import Org, bare, code, refusal

from connectors.emulator.serve import Emulator

PATH = "composite/sobjects"
ROLLED_BACK = {
    "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "message": "Record rolled back because not all records were valid and the request was using AllOrNone header",
    "fields": [],
}


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def record(object_type: str = "Contact", **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": object_type}, **values}


def together(
    org: Org,
    method: str,
    records: list[dict[str, Any]],
    *,
    path: str = PATH,
    all_or_none: bool = False,
    entries: str = "",
) -> list[dict[str, Any]]:
    headers = {"X-Truce-Entry": entries} if entries else {}
    body = {"allOrNone": all_or_none, "records": records}
    answer: list[dict[str, Any]] = org.call(method, path, json=body, headers=headers).json()
    return answer


def test_results_come_in_order_and_failures_use_another_key(org: Org) -> None:
    """48"""
    good, bad, account = together(
        org, "POST", [record(LastName="A"), record(LastName="B", Email="x"), record("Account", Name="E")]
    )
    assert good == {"id": good["id"], "success": True, "errors": []}
    assert bad == {
        "success": False,
        "errors": [
            {
                "statusCode": "INVALID_EMAIL_ADDRESS",
                "message": "Email: invalid email address: x",
                "fields": ["Email"],
            }
        ],
    }
    assert account["id"].startswith("001")
    assert [each["LastName"] for each in org.query("SELECT LastName FROM Contact")] == ["A"]


def test_updates_answer_200_even_when_every_row_failed(org: Org) -> None:
    """46, 48"""
    account_id, gone = org.make("Account", Name="E"), org.make()
    org.sf.Contact.delete(gone)
    records = [
        record(id=gone, Title="x"),
        record(id="0035g00000zzzzzAAA", Title="x"),
        record(id=account_id, Title="x"),
        record(id="nonsense", Title="x"),
        record(Title="x"),
    ]
    results = together(org, "PATCH", records)
    assert [result["errors"][0]["statusCode"] for result in results] == [
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "MALFORMED_ID",
        "MALFORMED_ID",
        "MISSING_ARGUMENT",
    ]
    assert results[0]["id"] == gone
    assert "id" not in results[4]


def test_updates_of_good_rows_stay_when_others_fail(org: Org) -> None:
    """48"""
    ids = [org.make() for _ in range(3)]
    titles = ["a", "x" * 129, "c"]
    results = together(org, "PATCH", [record(id=each, Title=title) for each, title in zip(ids, titles, strict=True)])
    assert [result["success"] for result in results] == [True, False, True]
    assert [org.value("Contact", each, "Title") for each in ids] == ["a", None, "c"]


def test_all_or_none_leaves_nothing_and_blames_the_culprit(org: Org) -> None:
    """48"""
    contact_id = org.make(Title="before")
    results = together(
        org, "PATCH", [record(id=contact_id, Title="after"), record("Lead", id="00Q5g00000zzzzzEAA")], all_or_none=True
    )
    assert results[0] == {"id": contact_id, "success": False, "errors": [ROLLED_BACK]}
    assert results[1]["errors"][0]["statusCode"] == "INVALID_CROSS_REFERENCE_KEY"
    assert org.value("Contact", contact_id, "Title") == "before"


def test_a_call_holds_200_records_in_10_chunks(org: Org) -> None:
    """48"""
    assert code(together, org, "POST", []) == (400, "INVALID_INPUT")
    assert len(together(org, "POST", [record(LastName="A")] * 200)) == 200
    status, error = refusal(together, org, "POST", [record(LastName="A")] * 201)
    assert (status, error["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    mixed = [record(LastName="A"), record("Account", Name="E")]
    assert len(together(org, "POST", mixed * 5)) == 10
    assert code(together, org, "POST", [*mixed * 5, mixed[0]]) == (400, "LIMIT_EXCEEDED")
    assert len(org.query("SELECT Id FROM Contact")) == 205


@pytest.mark.parametrize(
    "records", ["nonsense", [1], [{"LastName": "A"}], [{"attributes": "Contact", "LastName": "A"}]]
)
def test_a_malformed_envelope_is_400(org: Org, records: Any) -> None:
    """48"""
    assert refusal(together, org, "POST", records)[0] == 400


def test_an_unreadable_row_fails_the_call_unless_switched(org: Org) -> None:
    """48"""
    records = [record(LastName="A"), record(LastName="B", Birthdate="2017-01-01T00:00:00Z")]
    assert code(together, org, "POST", records) == (400, "JSON_PARSER_ERROR")
    assert code(together, org, "POST", [records[0], record(LastName="B", Foo="x")]) == (400, "INVALID_FIELD")
    assert org.query("SELECT Id FROM Contact") == []
    org.switch("collections_unreadable", "row")
    assert [result["success"] for result in together(org, "POST", records)] == [True, False]


def test_upserts_say_which_rows_are_new(org: Org) -> None:
    """30, 48"""
    first = org.make(Truce_Key__c="p-1")
    path = f"{PATH}/Contact/Truce_Key__c"
    records = [
        record(Truce_Key__c="P-1", Title="x"),
        record(Truce_Key__c="p-2", LastName="B"),
        record(LastName="C"),
        record(Truce_Key__c="p-2", LastName="D"),
    ]
    old, new, keyless, again = together(org, "PATCH", records, path=path)
    assert old == {"id": first, "success": True, "errors": [], "created": False}
    assert new["created"] is True
    assert keyless["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    assert again["errors"][0]["statusCode"] == "DUPLICATE_VALUE"
    assert org.value("Contact", new["id"], "Truce_Key__c") == "p-2"
    wrong = f"{PATH}/Contact/Phone"
    assert code(together, org, "PATCH", records, path=wrong) == (404, "NOT_FOUND")


def test_an_upsert_by_address_with_two_matches_names_them(org: Org) -> None:
    """30, 48"""
    ids = [org.make(Email="ada@example.com") for _ in range(2)]
    [result] = together(org, "PATCH", [record(Email="ada@example.com", Title="x")], path=f"{PATH}/Contact/Email")
    [error] = result["errors"]
    assert error["statusCode"] == "DUPLICATE_EXTERNAL_ID"
    assert error["message"].endswith(f"[{', '.join(ids)}]")


def test_a_record_twice_in_one_call_is_written_once(org: Org) -> None:
    """48"""
    contact_id = org.make()
    results = together(org, "PATCH", [record(id=contact_id, Title="a"), record(id=contact_id[:15], Title="b")])
    assert [result["success"] for result in results] == [True, False]
    assert org.value("Contact", contact_id, "Title") == "a"


def test_deletes_take_ids_of_several_objects(org: Org) -> None:
    """48"""
    contact_id, account_id = org.make(), org.make("Account", Name="E")
    params = {"ids": f"{contact_id},{account_id},nonsense,{contact_id}", "allOrNone": "false"}
    results = org.call("DELETE", PATH, params=params).json()
    assert [result["success"] for result in results] == [True, True, False, False]
    assert [result["errors"][0]["statusCode"] for result in results[2:]] == ["MALFORMED_ID", "ENTITY_IS_DELETED"]
    assert org.query("SELECT Id FROM Contact") == []


def test_deletes_of_all_or_none(org: Org) -> None:
    """48"""
    contact_id = org.make()
    results = org.call("DELETE", PATH, params={"ids": f"{contact_id},nonsense", "allOrNone": "true"}).json()
    assert results[0]["errors"] == [ROLLED_BACK]
    assert org.read("Contact", contact_id)


def test_many_rows_are_read_in_order_with_null_for_what_is_not_there(org: Org) -> None:
    """48"""
    kept, gone = org.make(Title="CTO"), org.make()
    org.sf.Contact.delete(gone)
    ids = [gone, kept[:15], "nonsense"]
    by_post = org.call("POST", f"{PATH}/Contact", json={"ids": ids, "fields": ["Id", "title"]}).json()
    by_get = org.call("GET", f"{PATH}/Contact", params={"ids": ",".join(ids), "fields": "Id,title"}).json()
    assert by_post == by_get
    assert [None if row is None else bare(row) for row in by_post] == [None, {"Id": kept, "Title": "CTO"}, None]
    assert by_post[1]["attributes"]["type"] == "Contact"
    assert code(org.call, "POST", f"{PATH}/Contact", json={"ids": ids, "fields": ["Foo"]}) == (400, "INVALID_FIELD")


def test_duplicate_details_stay_out_of_collections(org: Org) -> None:
    """38"""
    org.make(Email="ada@example.com")
    org.switch("duplicate_rule", "block")
    [result] = together(org, "POST", [record(LastName="A", Email="ada@example.com")])
    error = {"statusCode": "DUPLICATES_DETECTED", "message": "Use one of these records?", "fields": []}
    assert result["errors"] == [error]


def test_collections_run_the_assignment_rule_without_the_header(org: Org) -> None:
    """39"""
    del org.session.headers["Sforce-Auto-Assign"]
    [made] = together(org, "POST", [record("Lead", LastName="A", Company="E")])
    assert org.value("Lead", made["id"], "OwnerId") == org.setting("assigned_to")["Lead"]


def test_one_call_is_one_request_and_one_transaction(org: Org) -> None:
    """24, 48"""
    together(org, "POST", [record(LastName="A"), record(LastName="B")])
    lines = [line for line in org.admin.audit() if line["cause"] == "api"]
    assert len({line["transaction"] for line in lines}) == 1
    assert org.sf.api_usage["api-usage"].used == 1


def test_every_row_has_its_own_entry_in_the_audit(org: Org) -> None:
    """48"""
    ids = [org.make() for _ in range(3)]
    titles = ["a", "x" * 129, "c"]
    records = [record(id=each, Title=title) for each, title in zip(ids, titles, strict=True)]
    together(org, "PATCH", records, entries="E-1, E-2, E-3")
    found = [(line["id"], line["entry_id"]) for line in org.admin.audit() if line["op"] == "update"]
    assert found == [(ids[0], "E-1"), (ids[2], "E-3")]


# Composite -----------------------------------------------------------------------------------------------------------


def sub(method: str, path: str, reference: str, body: Any = None, **headers: str) -> dict[str, Any]:
    made = {"method": method, "url": f"/services/data/v65.0/{path}", "referenceId": reference}
    return {**made, **({"body": body} if body is not None else {}), **({"httpHeaders": headers} if headers else {})}


def composite(org: Org, *subs: dict[str, Any], all_or_none: bool = False, entries: str = "") -> list[dict[str, Any]]:
    headers = {"X-Truce-Entry": entries} if entries else {}
    body = {"allOrNone": all_or_none, "compositeRequest": list(subs)}
    answer: list[dict[str, Any]] = org.call("POST", "composite", json=body, headers=headers).json()["compositeResponse"]
    return answer


def test_a_composite_call_uses_what_came_before(org: Org) -> None:
    """49"""
    made, contact, found, changed = composite(
        org,
        sub("POST", "sobjects/Account", "acc", {"Name": "Engines"}),
        sub("POST", "sobjects/Contact", "con", {"LastName": "A", "AccountId": "@{acc.id}"}),
        sub("GET", "query/?q=SELECT+Id,Name+FROM+Account+WHERE+Id+=+'@{acc.id}'", "q"),
        sub("PATCH", "sobjects/Contact/@{con.id}", "upd", {"Title": "@{q.records[0].Name}"}),
    )
    assert (made["httpStatusCode"], made["referenceId"]) == (201, "acc")
    assert made["httpHeaders"]["Location"].endswith(made["body"]["id"])
    assert found["body"]["totalSize"] == 1
    assert (changed["httpStatusCode"], changed["body"]) == (204, None)
    assert org.read("Contact", contact["body"]["id"], "AccountId", "Title") == {
        "AccountId": made["body"]["id"],
        "Title": "Engines",
    }
    assert org.sf.api_usage["api-usage"].used == 2


def test_a_failed_call_stops_those_that_need_it_and_no_other(org: Org) -> None:
    """49"""
    failed, halted, other = composite(
        org,
        sub("POST", "sobjects/Account", "acc", {}),
        sub("POST", "sobjects/Contact", "con", {"LastName": "A", "AccountId": "@{acc.id}"}),
        sub("POST", "sobjects/Contact", "other", {"LastName": "B"}),
    )
    assert failed["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert (halted["httpStatusCode"], halted["body"][0]["errorCode"]) == (400, "PROCESSING_HALTED")
    assert other["httpStatusCode"] == 201


def test_all_or_none_undoes_the_composite(org: Org) -> None:
    """49"""
    contact_id = org.make(Title="before")
    first, culprit, last = composite(
        org,
        sub("PATCH", f"sobjects/Contact/{contact_id}", "r1", {"Title": "after"}),
        sub("PATCH", "sobjects/Contact/0035g00000zzzzzAAA", "r2", {"Title": "x"}),
        sub("POST", "sobjects/Contact", "r3", {"LastName": "B"}),
        all_or_none=True,
    )
    halted = {
        "errorCode": "PROCESSING_HALTED",
        "message": "The transaction was rolled back since another operation in the same transaction failed.",
    }
    assert (first["httpStatusCode"], first["body"]) == (400, [halted])
    assert culprit["body"][0]["errorCode"] == "NOT_FOUND"
    assert last["body"] == [halted]
    assert org.query("SELECT Title FROM Contact") == [{"Title": "before"}]
    assert [line["op"] for line in org.admin.audit() if line["cause"] == "api"] == ["create"]


def test_twenty_five_guarded_changes_go_in_one_call(org: Org) -> None:
    """42, 49"""
    ids = [org.make() for _ in range(25)]
    org.advance(5)
    org.person_edits("Contact", ids[7], Title="by hand")
    guard = {"If-Unmodified-Since": "Mon, 02 Nov 2026 09:00:00 GMT"}
    subs = [sub("PATCH", f"sobjects/Contact/{each}", f"r{n}", {"Title": "x"}, **guard) for n, each in enumerate(ids)]
    entries = ",".join(f"E-{number}" for number in range(25))
    answers = composite(org, *subs, entries=entries)
    assert [answer["httpStatusCode"] for answer in answers] == [412 if n == 7 else 204 for n in range(25)]
    lines = [line for line in org.admin.audit() if line["cause"] == "api" and line["op"] == "update"]
    assert [line["entry_id"] for line in lines] == [f"E-{n}" for n in range(25) if n != 7]
    assert code(composite, org, *subs, sub("GET", "limits", "r25")) == (400, "LIMIT_EXCEEDED")


def test_conditions_inside_a_composite_may_be_passed_over(org: Org) -> None:
    """42, 49 [K]: nobody has shown that they hold there"""
    contact_id = org.make()
    org.advance(5)
    org.person_edits("Contact", contact_id, Title="by hand")
    guard = {"If-Unmodified-Since": "Mon, 02 Nov 2026 09:00:00 GMT"}
    guarded = sub("PATCH", f"sobjects/Contact/{contact_id}", "r", {"Title": "x"}, **guard)
    org.switch("composite_conditions", False)
    assert [answer["httpStatusCode"] for answer in composite(org, guarded)] == [204]
    assert org.value("Contact", contact_id, "Title") == "x"


def test_five_queries_and_collections_are_the_most(org: Org) -> None:
    """49"""
    queries = [sub("GET", "query?q=SELECT+Id+FROM+Contact", f"q{number}") for number in range(5)]
    collection = sub("POST", PATH, "c", {"records": [record(LastName="A")]})
    assert [answer["httpStatusCode"] for answer in composite(org, *queries)] == [200] * 5
    assert code(composite, org, *queries, collection) == (400, "LIMIT_EXCEEDED")
    [answer] = composite(org, collection)
    assert answer["body"][0]["success"] is True


def test_a_sub_request_may_name_its_own_entry(org: Org) -> None:
    """49"""
    contact_id = org.make()
    guarded = sub("PATCH", f"sobjects/Contact/{contact_id}", "a", {"Title": "x"}, **{"X-Truce-Entry": "E-9"})
    composite(org, guarded, sub("POST", "sobjects/Contact", "b", {"LastName": "B"}), all_or_none=True)
    assert [line["entry_id"] for line in org.admin.audit() if line["cause"] == "api"][1:] == ["E-9", None]


def test_a_reference_to_nothing_halts_the_call(org: Org) -> None:
    """49"""
    made, halted = composite(
        org,
        sub("POST", "sobjects/Contact", "a", {"LastName": "A"}),
        sub("POST", "sobjects/Contact", "b", {"LastName": "@{a.nothing}"}),
    )
    assert made["httpStatusCode"] == 201
    assert halted["body"][0]["message"] == "Invalid reference specified. No value for a.nothing found in a"


def test_only_a_sub_request_s_own_headers_hold_unless_switched(org: Org) -> None:
    """39, 49"""
    queue_id = org.setting("assigned_to")["Lead"]
    body = {"LastName": "A", "Company": "E"}

    def owner(**headers: str) -> str:
        [answer] = composite(org, sub("POST", "sobjects/Lead", "r", body, **headers))
        return str(org.value("Lead", answer["body"]["id"], "OwnerId"))

    assert owner() == queue_id
    assert owner(**{"Sforce-Auto-Assign": "FALSE"}) != queue_id
    org.switch("composite_inherits_headers", True)
    assert owner() != queue_id


def test_a_description_inside_a_composite_may_be_304(org: Org) -> None:
    """49, 62"""
    since = "Mon, 02 Nov 2026 09:00:00 GMT"
    [answer] = composite(org, sub("GET", "sobjects/Lead/describe", "d", **{"If-Modified-Since": since}))
    assert (answer["httpStatusCode"], answer["body"]) == (304, None)
    assert answer["httpHeaders"]["Last-Modified"] == since


@pytest.mark.parametrize(
    "subs",
    [[], [{"url": "x"}], ["x"], [sub("GET", "limits", "a"), sub("GET", "limits", "a")]],
)
def test_a_malformed_composite_is_400(org: Org, subs: Any) -> None:
    """49"""
    assert refusal(composite, org, *subs)[0] == 400


def test_a_version_nobody_serves_is_404_inside_a_composite_too(org: Org) -> None:
    """6, 49"""
    new = {"method": "GET", "url": "/services/data/v99.0/limits", "referenceId": "r"}
    assert [answer["httpStatusCode"] for answer in composite(org, new, sub("GET", "limits", "s"))] == [404, 200]


def test_an_unknown_place_inside_a_composite_is_404_and_noted(org: Org) -> None:
    """49"""
    [answer] = composite(org, sub("GET", "nothing/here", "r"))
    assert answer["httpStatusCode"] == 404
    assert org.admin.get("/unknown")[0]["path"] == f"/services/data/v{org.sf.sf_version}/nothing/here"


def batch(org: Org, *requests: dict[str, Any], halt: bool = False) -> dict[str, Any]:
    body = {"haltOnError": halt, "batchRequests": list(requests)}
    answer: dict[str, Any] = org.call("POST", "composite/batch", json=body).json()
    return answer


def test_a_batch_is_independent_calls_that_all_count(org: Org) -> None:
    """49"""
    answer = batch(
        org,
        {"method": "GET", "url": "v65.0/sobjects/Lead/describe"},
        {"method": "PATCH", "url": "v65.0/sobjects/Lead/00Q5g00000zzzzzEAA", "richInput": {"Title": "x"}},
        {"method": "POST", "url": "v65.0/sobjects/Contact", "richInput": {"LastName": "A"}},
    )
    assert answer["hasErrors"] is True
    assert [result["statusCode"] for result in answer["results"]] == [200, 404, 201]
    assert answer["results"][0]["result"]["name"] == "Lead"
    assert org.sf.api_usage["api-usage"].used == 3


def test_a_batch_halts_after_an_error_on_demand(org: Org) -> None:
    """49"""
    create = {"method": "POST", "url": "v65.0/sobjects/Contact", "richInput": {"LastName": "A"}}
    answer = batch(org, create, {"method": "GET", "url": "v65.0/sobjects/Nothing"}, create, halt=True)
    assert [result["statusCode"] for result in answer["results"]] == [201, 404, 412]
    assert answer["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"
    assert len(org.query("SELECT Id FROM Contact")) == 1


def sub_create(reference: str, object_type: str, **body: Any) -> dict[str, Any]:
    url = f"/services/data/v65.0/sobjects/{object_type}"
    return {"method": "POST", "url": url, "referenceId": reference, "body": body}


def test_each_graph_stands_or_falls_whole_and_alone(org: Org) -> None:
    """49"""
    good = [sub_create("a", "Account", Name="Engines"), sub_create("c", "Contact", LastName="Ada", AccountId="@{a.id}")]
    bad = [sub_create("b", "Account", Name="Looms"), sub_create("d", "Contact", Email="none")]
    body = {"graphs": [{"graphId": "1", "compositeRequest": good}, {"graphId": "2", "compositeRequest": bad}]}
    first, second = org.sf.restful("composite/graph", method="POST", json=body)["graphs"]
    assert (first["graphId"], first["isSuccessful"], second["isSuccessful"]) == ("1", True, False)
    assert [each["httpStatusCode"] for each in first["graphResponse"]["compositeResponse"]] == [201, 201]
    halted, culprit = second["graphResponse"]["compositeResponse"]
    assert halted["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert culprit["body"][0]["errorCode"] == "INVALID_EMAIL_ADDRESS"
    assert org.query("SELECT Name FROM Account") == [{"Name": "Engines"}]
    assert org.query("SELECT Account.Name FROM Contact")[0]["Account"]["Name"] == "Engines"


def test_two_collections_at_once_do_not_both_get_the_children_of_one_account(org: Org) -> None:
    """47: the second comes before the first has ended"""
    account = org.make("Account", Name="Engines")
    one, two = org.make(AccountId=account), org.make(AccountId=account)
    org.switch("collection_seconds", 10)
    assert together(org, "PATCH", [record(id=one, Title="x")])[0]["success"]
    [held] = together(org, "PATCH", [record(id=two, Title="x")])
    assert held["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    [born] = together(org, "POST", [record(LastName="Byron", AccountId=account)])
    assert born["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    org.advance(11)
    assert together(org, "PATCH", [record(id=two, Title="x")])[0]["success"]


# Tree ----------------------------------------------------------------------------------------------------------------


def leaf(object_type: str, reference: str, **fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": object_type, "referenceId": reference}, **fields}


def grown(org: Org, records: Any, object_type: str = "Account") -> Any:
    return org.raw("POST", f"composite/tree/{object_type}", json={"records": records})


def test_a_tree_makes_parents_and_children_level_by_level(org: Org) -> None:
    """49"""
    children = {"records": [leaf("Contact", "r2", LastName="Ada"), leaf("Contact", "r3", LastName="Byron")]}
    answer = grown(org, [leaf("Account", "r1", Name="Engines", Contacts=children), leaf("Account", "r4", Name="Looms")])
    assert answer.status_code == 201
    assert answer.json()["hasErrors"] is False
    assert [each["referenceId"] for each in answer.json()["results"]] == ["r1", "r4", "r2", "r3"]
    contacts = org.query("SELECT LastName, Account.Name FROM Contact ORDER BY LastName")
    assert [each["Account"]["Name"] for each in contacts] == ["Engines", "Engines"]


def test_a_tree_with_one_bad_leaf_grows_nothing(org: Org) -> None:
    """49"""
    children = {"records": [leaf("Contact", "r2", LastName="Ada"), leaf("Contact", "r3", Email="none")]}
    answer = grown(org, [leaf("Account", "r1", Name="Engines", Contacts=children)])
    assert answer.status_code == 400
    [failed] = answer.json()["results"]
    assert (answer.json()["hasErrors"], failed["referenceId"]) == (True, "r3")
    assert failed["errors"][0]["statusCode"] == "INVALID_EMAIL_ADDRESS"
    assert org.query("SELECT Id FROM Account") == []


def test_a_tree_has_its_limits(org: Org) -> None:
    """49"""
    many = [leaf("Account", f"r{number}", Name="A") for number in range(201)]
    assert grown(org, many).json()[0]["errorCode"] == "LIMIT_EXCEEDED"
    assert grown(org, many[:1] * 2).json()[0]["message"] == "Duplicate ReferenceId provided in the request : r0"
    assert grown(org, [{"Name": "A"}]).json()[0]["errorCode"] == "INVALID_INPUT"
    deep = leaf("Account", "r6", Name="A")
    for number in range(5):
        deep = leaf("Account", f"r{number}", Name="A", ChildAccounts={"records": [deep]})
    assert grown(org, [deep]).json()[0]["errorCode"] == "LIMIT_EXCEEDED"
    assert grown(org, [], "Nothing").json()[0]["errorCode"] == "INVALID_TYPE"
    assert grown(org, []).json()[0]["errorCode"] == "JSON_PARSER_ERROR"
