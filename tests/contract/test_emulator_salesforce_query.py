"""The emulator's SOQL through the real client library: what comes back, in which form, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from practice_org import Org, bare, code, ids_of, refusal

from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def seeded(org: Org, count: int, object_type: str = "Contact", **values: Any) -> list[str]:
    rows = [{"LastName": f"Person {number:05}", **values} for number in range(count)]
    desk = org.emulator.practice.desks["salesforce"]
    return org.emulator.call(lambda: desk.seed_many(object_type, rows, actor=Actor("seed", "system")))


def names(records: list[dict[str, Any]]) -> list[str]:
    return [record["LastName"] for record in records]


def where(org: Org, condition: str, kind: str = "Contact") -> list[str]:
    return names(org.query(f"SELECT LastName FROM {kind} WHERE {condition} ORDER BY LastName"))


def test_a_first_page_says_how_many_there_are_and_where_the_rest_is(org: Org) -> None:
    """12"""
    seeded(org, 2_500)
    first = org.sf.query("SELECT Id FROM Contact ORDER BY Id")
    assert (first["totalSize"], first["done"], len(first["records"])) == (2_500, False, 2_000)
    assert first["nextRecordsUrl"].startswith("/services/data/v65.0/query/01g")
    second = org.sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert (second["totalSize"], second["done"], len(second["records"])) == (2_500, True, 500)
    assert "nextRecordsUrl" not in second
    assert len(set(ids_of(first["records"] + second["records"]))) == 2_500


@pytest.mark.parametrize(("asked", "given"), [(1, 200), (200, 200), (300, 300), (9_000, 2_000)])
def test_a_page_size_is_kept_between_200_and_2000(org: Org, asked: int, given: int) -> None:
    """12"""
    seeded(org, 2_100)
    headers = {"Sforce-Query-Options": f"batchSize={asked}"}
    assert len(org.sf.query("SELECT Id FROM Contact", headers=headers)["records"]) == given
    assert sum(1 for _ in org.sf.query_all_iter("SELECT Id FROM Contact", headers=headers)) == 2_100


def test_a_cursor_delivers_rows_that_changed_or_went_while_paging(org: Org) -> None:
    """13"""
    ids = seeded(org, 2_100)
    first = org.sf.query("SELECT Id, LastName FROM Contact ORDER BY Id")
    org.change("Contact", ids[2_050], LastName="Changed")
    org.sf.Contact.delete(ids[2_060])
    rest = org.sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)["records"]
    assert ids_of(rest) == ids[2_000:]
    assert rest[50]["LastName"] == "Person 02050"


def test_a_cursor_dies_after_two_days_and_belongs_to_its_user(org: Org) -> None:
    """13"""
    seeded(org, 2_100)
    following = org.sf.query("SELECT Id FROM Contact")["nextRecordsUrl"]
    org.switch("run_as", "anna")
    other = Org(org.emulator)
    wrong = (400, "INVALID_QUERY_LOCATOR")
    assert code(other.sf.query_more, following, identifier_is_url=True) == wrong
    assert len(org.sf.query_more(following, identifier_is_url=True)["records"]) == 100
    org.switch("run_as", "integration")
    org.advance(2 * 86_400)
    assert len(org.sf.query_more(following, identifier_is_url=True)["records"]) == 100
    org.advance(1)
    assert code(org.sf.query_more, following, identifier_is_url=True) == wrong
    assert code(org.sf.query_more, "01g000000000001AAA-2000") == wrong


def test_columns_come_as_selected_with_nulls_and_attributes_first(org: Org) -> None:
    """14"""
    contact_id = org.make(Email="ada@example.com")
    [found] = org.sf.query("SELECT Title, Id, Email, HasOptedOutOfEmail FROM Contact")["records"]
    assert list(found.items()) == [
        ("attributes", {"type": "Contact", "url": f"/services/data/v65.0/sobjects/Contact/{contact_id}"}),
        ("Title", None),
        ("Id", contact_id),
        ("Email", "ada@example.com"),
        ("HasOptedOutOfEmail", False),
    ]


def test_values_have_the_vendor_s_form(org: Org) -> None:
    """14"""
    account_id = org.make("Account", Name="Engines", NumberOfEmployees=7, AnnualRevenue=23, BillingCity="London")
    org.make("Opportunity", Name="Big", StageName="Prospecting", CloseDate="2026-12-01", AccountId=account_id)
    [account] = org.query("SELECT NumberOfEmployees, AnnualRevenue, BillingAddress, CreatedDate FROM Account")
    assert (account["NumberOfEmployees"], account["AnnualRevenue"]) == (7, 23.0)
    assert isinstance(account["AnnualRevenue"], float)
    assert account["CreatedDate"] == "2026-11-02T09:00:00.000+0000"
    assert account["BillingAddress"] == {
        "city": "London", "country": None, "geocodeAccuracy": None, "latitude": None, "longitude": None,
        "postalCode": None, "state": None, "street": None,
    }  # fmt: skip
    assert org.query("SELECT CloseDate FROM Opportunity") == [{"CloseDate": "2026-12-01"}]


def test_what_was_seeded_has_that_form_too(emulator: Emulator) -> None:
    """14: an amount is a decimal number whoever wrote it"""
    emulator.renew(Options(contacts=10, companies=5, deals=3, clock="virtual"))
    found = Org(emulator).query("SELECT Amount, Probability FROM Opportunity WHERE Amount != null")
    assert {type(value) for deal in found for value in deal.values()} == {float}


def test_parents_are_nested_and_a_missing_one_is_null(org: Org) -> None:
    """15"""
    account_id = org.make("Account", Name="Engines")
    org.make(LastName="With", AccountId=account_id)
    org.make(LastName="Without")
    soql = "SELECT LastName, Account.Name, Account.Owner.Name, Owner.Name FROM Contact ORDER BY LastName"
    with_account, without = org.sf.query(soql)["records"]
    assert without["Account"] is None
    assert list(with_account) == ["attributes", "LastName", "Account", "Owner"]
    url = f"/services/data/v65.0/sobjects/Account/{account_id}"
    assert with_account["Account"]["attributes"] == {"type": "Account", "url": url}
    assert with_account["Account"]["Name"] == "Engines"
    assert with_account["Account"]["Owner"]["Name"] == "Integration User"
    assert bare(with_account["Owner"]) == {"Name": "Integration User"}


def test_the_owner_of_a_lead_is_a_user_or_a_queue(org: Org) -> None:
    """15"""
    org.make("Lead", LastName="Mine")
    org.make("Lead", LastName="Queued", OwnerId=org.setting("assigned_to")["Lead"])
    found = org.query("SELECT Owner.Type, Owner.Name FROM Lead ORDER BY LastName")
    assert [bare(record["Owner"]) for record in found] == [
        {"Type": "User", "Name": "Integration User"},
        {"Type": "Queue", "Name": "Inbound"},
    ]
    assert len(org.query("SELECT Id FROM Lead WHERE Owner.Type = 'Queue'")) == 1


def test_children_are_a_nested_list_or_null(org: Org) -> None:
    """15"""
    account_id = org.make("Account", Name="Engines")
    org.make("Account", Name="Lonely")
    for last in ("B", "A", "C"):
        org.make(LastName=last, AccountId=account_id)
    soql = "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName LIMIT 2) FROM Account ORDER BY Name"
    engines, lonely = org.query(soql)
    assert (engines["Contacts"]["totalSize"], engines["Contacts"]["done"]) == (2, True)
    assert names(engines["Contacts"]["records"]) == ["A", "B"]
    assert lonely["Contacts"] is None


def test_many_children_come_in_pages_of_their_own(org: Org) -> None:
    """12, 15: the library's query_all follows only those of the rows"""
    account_id = org.make("Account", Name="Engines")
    seeded(org, 2_050, AccountId=account_id)
    [engines] = org.sf.query_all("SELECT Id, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account")["records"]
    contacts = engines["Contacts"]
    assert (contacts["totalSize"], contacts["done"], len(contacts["records"])) == (2_050, False, 2_000)
    rest = org.sf.query_more(contacts["nextRecordsUrl"], identifier_is_url=True)
    assert (rest["done"], len(rest["records"])) == (True, 50)
    assert rest["records"][-1]["LastName"] == "Person 02049"


def test_counts_and_aggregates(org: Org) -> None:
    """16"""
    for number, industry in enumerate(["Energy", "Retail", "Energy", None]):
        org.make("Account", Name=f"A{number}", Industry=industry, NumberOfEmployees=number * 10)
    counted = org.sf.query("SELECT COUNT() FROM Account WHERE Industry != null")
    assert counted == {"totalSize": 3, "done": True, "records": []}
    result = org.sf.query("SELECT COUNT(Id), MAX(NumberOfEmployees) most, AVG(NumberOfEmployees) FROM Account")
    assert result["records"] == [{"attributes": {"type": "AggregateResult"}, "expr0": 4, "most": 30, "expr1": 15.0}]
    grouped = org.query(
        "SELECT Industry, COUNT(Id) n, SUM(NumberOfEmployees) total FROM Account WHERE Industry != null "
        "GROUP BY Industry HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC"
    )
    assert grouped == [{"Industry": "Energy", "n": 2, "total": 20}]
    assert len(org.query("SELECT Industry FROM Account GROUP BY Industry")) == 3


def test_groups_do_not_go_over_a_page(org: Org) -> None:
    """16"""
    seeded(org, 2_001)
    grouped = "SELECT LastName, COUNT(Id) FROM Contact GROUP BY LastName"
    assert code(org.query, grouped) == (400, "EXCEEDED_ID_LIMIT")
    assert len(org.query(f"{grouped} LIMIT 2000")) == 2_000


def test_order_limit_and_offset(org: Org) -> None:
    """16"""
    for last, title in [("A", "b"), ("B", None), ("C", "B"), ("D", "a")]:
        org.make(LastName=last, Title=title)

    def ordered(clause: str) -> list[str]:
        return names(org.query(f"SELECT LastName FROM Contact ORDER BY {clause}"))

    assert ordered("Title, LastName") == ["B", "D", "A", "C"]
    assert ordered("Title NULLS LAST, LastName DESC") == ["D", "C", "A", "B"]
    assert ordered("Title DESC NULLS LAST, LastName") == ["A", "C", "D", "B"]
    assert ordered("LastName LIMIT 2 OFFSET 1") == ["B", "C"]
    assert code(ordered, "LastName LIMIT 1 OFFSET 2001") == (400, "NUMBER_OUTSIDE_VALID_RANGE")
    assert code(ordered, "Description") == (400, "INVALID_FIELD")


@pytest.fixture
def people(org: Org) -> Org:
    org.make(LastName="Ada", Title="CTO", Department="R_D", Email="ada@example.com")
    org.make(LastName="Bob", Title="cto", Department="RxD")
    org.make(LastName="Cid", Title="Sales 100%", HasOptedOutOfEmail=True)
    org.make(LastName="Dan")
    return org


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Title = 'cTo'", "AB"),
        ("Title != 'CTO'", "CD"),
        ("Title <> null", "ABC"),
        ("Title = null", "D"),
        ("Title = ''", "D"),
        ("LastName > 'b'", "BCD"),
        ("LastName >= 'Bob' AND LastName < 'DAN'", "BC"),
        ("LastName <= 'Bob'", "AB"),
        ("Title LIKE 'SALES%'", "C"),
        ("Title LIKE '%100\\%'", "C"),
        ("Department LIKE 'r_d'", "AB"),
        ("Department LIKE 'R\\_D'", "A"),
        ("NOT Title LIKE '%t%'", "CD"),
        ("Title IN ('CTO', 'x')", "AB"),
        ("Title NOT IN ('CTO')", "CD"),
        ("Title IN (null, 'nobody')", "D"),
        ("HasOptedOutOfEmail = TRUE", "C"),
        ("HasOptedOutOfEmail = false AND (LastName = 'Ada' OR LastName = 'Dan')", "AD"),
        ("NOT (LastName = 'Ada' OR LastName = 'Bob')", "CD"),
        ("(NOT LastName = 'Ada') AND Title = 'CTO'", "B"),
        ("Email = 'ADA@example.com'", "A"),
        ("Account.Name = null", "ABCD"),
        ("Owner.Name LIKE 'integration%' AND Title = 'CTO'", "AB"),
        ("Name = 'ada'", "A"),
        ("CreatedDate = TODAY", "ABCD"),
        ("CreatedDate = LAST_N_DAYS:3 AND CreatedDate > YESTERDAY", "ABCD"),
        ("CreatedDate < TODAY", ""),
        ("CreatedDate >= 2026-11-02T14:30:00+05:30", "ABCD"),
        ("CreatedDate > 2026-11-02T09:00:00Z", ""),
    ],
)
def test_conditions(people: Org, condition: str, found: str) -> None:
    """17"""
    assert "".join(name[0] for name in where(people, condition)) == found


def test_spans_of_days_end_where_they_say(people: Org) -> None:
    """17"""
    people.advance(3 * 86_400)
    people.make(LastName="Eve")
    assert where(people, "CreatedDate = LAST_N_DAYS:3") == ["Ada", "Bob", "Cid", "Dan", "Eve"]
    assert where(people, "CreatedDate = LAST_N_DAYS:2") == where(people, "CreatedDate = TODAY") == ["Eve"]
    assert where(people, "CreatedDate < LAST_N_DAYS:2") == ["Ada", "Bob", "Cid", "Dan"]
    assert where(people, "CreatedDate = N_DAYS_AGO:3") == ["Ada", "Bob", "Cid", "Dan"]
    assert where(people, "CreatedDate > YESTERDAY") == ["Eve"]


def test_ids_are_compared_in_both_lengths_and_by_sub_select(org: Org) -> None:
    """17"""
    account_id = org.make("Account", Name="Engines")
    contact_id = org.make(AccountId=account_id)
    other_id = org.make(LastName="Other")
    assert ids_of(org.query(f"SELECT Id FROM Contact WHERE Id = '{contact_id[:15]}'")) == [contact_id]
    assert ids_of(org.query("SELECT Id FROM Contact WHERE Id IN {}", [contact_id, other_id])) == [contact_id, other_id]
    inner = "SELECT AccountId FROM Contact WHERE LastName = 'Lovelace'"
    assert ids_of(org.query(f"SELECT Id FROM Account WHERE Id IN ({inner})")) == [account_id]
    assert org.query(f"SELECT Id FROM Account WHERE Id NOT IN ({inner})") == []
    assert code(org.query, "SELECT Id FROM Contact WHERE Id = 'x'") == (400, "INVALID_QUERY_FILTER_OPERATOR")


def test_the_library_s_quoting_reaches_the_value_it_means(org: Org) -> None:
    """17"""
    text = 'it\'s "her" \\ 100% of_it\nnext'
    org.make(Title=text)
    assert org.query("SELECT Title FROM Contact WHERE Title = {}", text) == [{"Title": text}]
    assert org.query("SELECT Title FROM Contact WHERE Title LIKE '%{:like}%'", "100% of_") == [{"Title": text}]
    assert org.query("SELECT Title FROM Contact WHERE Title LIKE '%{:like}%'", "100_ of_") == []


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        ("CreatedDate > 2026-11-02T09:00:00", "MALFORMED_QUERY"),
        ("CreatedDate > '2026-11-02T09:00:00Z'", "INVALID_FIELD"),
        ("CreatedDate > 2026-11-02", "INVALID_FIELD"),
        ("HasOptedOutOfEmail = 'true'", "INVALID_FIELD"),
        ("Title = 5", "INVALID_FIELD"),
        ("Id LIKE '003%'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("HasOptedOutOfEmail > false", "INVALID_QUERY_FILTER_OPERATOR"),
        ("Title INCLUDES ('a')", "INVALID_QUERY_FILTER_OPERATOR"),
        ("Description = 'x'", "INVALID_FIELD"),
        ("Owner = 'x'", "INVALID_FIELD"),
        ("Nothing = 'x'", "INVALID_FIELD"),
        ("Nothing.Name = 'x'", "INVALID_FIELD"),
        ("Id IN ()", "MALFORMED_QUERY"),
        ("Title = 'a' AND Title = 'b' OR Title = 'c'", "MALFORMED_QUERY"),
        ("Title = 'open", "MALFORMED_QUERY"),
        ("Title", "MALFORMED_QUERY"),
        ("(Title = 'a'", "MALFORMED_QUERY"),
        ("CreatedDate = LAST_N_DAYS:99999999", "MALFORMED_QUERY"),
    ],
)
def test_wrong_conditions_are_refused(org: Org, condition: str, error: str) -> None:
    """18, 20, 21"""
    assert code(where, org, condition) == (400, error)


def test_a_quoted_time_is_complained_about_by_its_type(org: Org) -> None:
    """18"""
    _, error = refusal(where, org, "CreatedDate > '2026-11-02T09:00:00Z'")
    complaint = "field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes"
    assert error["message"].endswith(f"value of filter criterion for {complaint}")


def test_deleted_rows_and_archived_tasks_are_seen_by_query_all_only(org: Org) -> None:
    """19"""
    kept, gone = org.make(LastName="Kept"), org.make(LastName="Gone")
    org.sf.Contact.delete(gone)
    assert ids_of(org.query("SELECT Id FROM Contact")) == [kept]
    found = org.query_deleted("SELECT Id, IsDeleted, LastName FROM Contact ORDER BY Id")
    assert found == [
        {"Id": kept, "IsDeleted": False, "LastName": "Kept"},
        {"Id": gone, "IsDeleted": True, "LastName": "Gone"},
    ]
    by_id = f"SELECT Id FROM Contact WHERE Id = '{gone}'"
    assert (org.query(by_id), ids_of(org.query_deleted(by_id))) == ([], [gone])
    task_id = org.make("Task", Subject="Call")
    org.person("edit", object="Task", id=task_id, values={"IsArchived": True}, actor={"id": "job", "cause": "system"})
    assert org.query("SELECT Id FROM Task") == []
    assert org.query_deleted("SELECT Id, IsArchived FROM Task") == [{"Id": task_id, "IsArchived": True}]


def test_an_unknown_field_is_pointed_at(org: Org) -> None:
    """20"""
    status, error = refusal(org.query, "SELECT Id, Foo FROM Lead")
    assert (status, error["errorCode"]) == (400, "INVALID_FIELD")
    assert error["message"] == (
        "\nSELECT Id, Foo FROM Lead\n           ^\nERROR at Row:1:Column:12\nNo such column 'Foo' on entity 'Lead'. If "
        "you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please "
        "reference your WSDL or the describe call for the appropriate names."
    )


@pytest.mark.parametrize(
    ("soql", "error"),
    [
        ("SELECT Id FROM XYZZY", "INVALID_TYPE"),
        ("SELECT Id FROM Name", "INVALID_TYPE"),
        ("SELECT Id, (SELECT Id FROM Nobodies) FROM Account", "INVALID_TYPE"),
        ("SELECT Id FORM Contact", "MALFORMED_QUERY"),
        ("SELECT FROM Contact", "MALFORMED_QUERY"),
        ("SELECT * FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact LIMIT -1", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact ALL ROWS", "MALFORMED_QUERY"),
        ("SELECT Id, Id FROM Contact", "INVALID_FIELD"),
        ("SELECT Title t FROM Contact", "MALFORMED_QUERY"),
        ("SELECT IsDeleted FROM User", "INVALID_FIELD"),
        ("SELECT Id, COUNT(Name) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT CreatedDate FROM Contact GROUP BY CreatedDate", "INVALID_FIELD"),
        ("SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_wrong_queries_are_refused(org: Org, soql: str, error: str) -> None:
    """20"""
    assert code(org.query, soql) == (400, error)


def test_an_unknown_object_is_refused_in_the_vendor_s_words(org: Org) -> None:
    """20"""
    _, error = refusal(org.query, "SELECT Id FROM XYZZY")
    assert error["message"].endswith(
        "sObject type 'XYZZY' is not supported. If you are attempting to use a custom object, be sure to append the "
        "'__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
    )


def test_all_fields_can_be_asked_for_with_a_limit(org: Org) -> None:
    """20"""
    org.make(Customer_Stage__c="MQL")
    [found] = org.query("SELECT FIELDS(CUSTOM) FROM Contact LIMIT 200")
    assert found == {"Truce_Key__c": None, "Customer_Stage__c": "MQL"}
    [everything] = org.query("SELECT FIELDS(ALL) FROM Contact LIMIT 1")
    assert {"Id", "Name", "Customer_Stage__c", "SystemModstamp"} <= set(everything)


def test_what_the_emulator_has_not_built_is_refused_and_noted(org: Org) -> None:
    """20"""
    soql = "SELECT DISTANCE(MailingAddress, GEOLOCATION(37,122), 'mi') FROM Contact"
    assert code(org.query, soql) == (400, "MALFORMED_QUERY")
    old = "SELECT Id FROM Contact c, c.Account a WHERE a.Name = 'E'"
    assert code(org.query, old) == (400, "MALFORMED_QUERY")
    assert [line["path"] for line in org.admin.get("/unknown")] == [soql, old]


def test_a_hidden_field_is_a_missing_one_everywhere(org: Org) -> None:
    """22"""
    contact_id = org.make(Title="CTO")
    org.person("permissions", object="Contact", hide="Title")
    missing = (400, "INVALID_FIELD")
    assert code(org.query, "SELECT Title FROM Contact") == missing
    assert code(org.query, "SELECT Id FROM Contact WHERE Title = 'CTO'") == missing
    assert code(org.read, "Contact", contact_id, "Title") == missing
    assert "Title" not in org.read("Contact", contact_id)
    assert code(org.change, "Contact", contact_id, Title="CEO") == missing
    assert code(org.make, Title="CEO") == missing
    assert "Title" not in {entry["name"] for entry in org.sf.Contact.describe()["fields"]}
    for of_hidden, of_missing in (
        (refusal(org.query, "SELECT Title FROM Contact"), refusal(org.query, "SELECT Tytle FROM Contact")),
        (refusal(org.change, "Contact", contact_id, Title="C"), refusal(org.change, "Contact", contact_id, Tytle="C")),
    ):
        assert str(of_hidden) == str(of_missing).replace("Tytle", "Title")
    org.person_edits("Contact", contact_id, Title="by a person")
    org.person("permissions", object="Contact", show="Title")
    assert org.value("Contact", contact_id, "Title") == "by a person"


def test_times_are_compared_in_whole_seconds(org: Org) -> None:
    """23"""
    org.advance(0.7)
    contact_id = org.make()
    soql = "SELECT Id FROM Contact WHERE SystemModstamp = {}"
    assert ids_of(org.query(soql, datetime(2026, 11, 2, 9, 0, 0, tzinfo=UTC))) == [contact_id]
    assert org.query("SELECT Id FROM Contact WHERE SystemModstamp = 2026-11-02T09:00:00.700Z") != []
    assert org.query("SELECT Id FROM Contact WHERE SystemModstamp < 2026-11-02T09:00:00Z") == []


def plan_of(org: Org, condition: str) -> dict[str, Any]:
    soql = f"SELECT Id FROM Contact WHERE {condition}"
    answer = org.sf.restful("query", params={"explain": soql})
    assert answer["sourceQuery"] == soql
    [plan] = answer["plans"]
    return dict(plan)


def test_a_query_is_explained_without_its_rows(org: Org) -> None:
    """explain"""
    seeded(org, 10)
    org.make(Email="ada@example.com")
    by_key, by_scan = plan_of(org, "Email = 'ada@example.com'"), plan_of(org, "Title = 'CTO'")
    assert (by_key["leadingOperationType"], by_key["fields"], by_key["cardinality"]) == ("Index", ["Email"], 1)
    assert (by_scan["leadingOperationType"], by_scan["fields"]) == ("TableScan", [])
    assert by_key["sobjectCardinality"] == by_scan["sobjectCardinality"] == 11
    assert by_key["relativeCost"] < 1 < by_scan["relativeCost"]
    assert plan_of(org, "SystemModstamp >= TODAY")["fields"] == ["SystemModstamp"]
    assert code(plan_of, org, "Foo = 1") == (400, "INVALID_FIELD")


def columns_of(org: Org, soql: str) -> list[dict[str, Any]]:
    answer = org.call("GET", "query", params={"q": soql, "columns": "true"}).json()
    assert (answer["entityName"], "records" in answer) == (soql.rpartition("FROM ")[2].split()[0], False)
    found: list[dict[str, Any]] = answer["columnMetadata"]
    return found


def shape(columns: list[dict[str, Any]]) -> list[Any]:
    return [(each["columnName"], shape(each["joinColumns"])) if each["joinColumns"] else each["columnName"]
            for each in columns]  # fmt: skip


def test_a_query_describes_its_columns_as_the_vendors_command_line_reads_them(org: Org) -> None:
    columns = columns_of(org, "SELECT Id, LastName, Account.Name, Account.Owner.Name, Account.Phone FROM Contact")
    assert shape(columns) == ["Id", "LastName", ("Account", ["Name", ("Owner", ["Name"]), "Phone"])]
    assert [each["apexType"] for each in columns] == ["Id", "String", None]
    assert (columns[1]["textType"], columns[1]["updatable"], columns[2]["foreignKeyName"]) == (True, True, "AccountId")
    children = columns_of(org, "SELECT Name, (SELECT LastName FROM Contacts) FROM Account")
    assert shape(children) == ["Name", ("Contacts", ["LastName"])]
    assert [each["aggregate"] for each in children] == [False, True]
    sums = columns_of(org, "SELECT StageName, COUNT(Id), SUM(Amount) total FROM Opportunity GROUP BY StageName")
    assert [(each["columnName"], each["displayName"], each["aggregate"]) for each in sums] == [
        ("StageName", "StageName", False), ("expr0", "count(Id)", True), ("total", "sum(Amount)", True),
    ]  # fmt: skip
    assert code(org.call, "GET", "query", params={"q": "SELECT Nonsense FROM Contact", "columns": "true"}) == (
        400, "INVALID_FIELD",
    )  # fmt: skip
