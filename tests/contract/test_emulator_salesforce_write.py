"""The emulator's Salesforce, one row at a time: what a write needs, what becomes of its values, who may stop it."""

from __future__ import annotations

from typing import Any

import pytest
from practice_org import Org, bare, code, refusal
from simple_salesforce.exceptions import SalesforceMoreThanOneRecord
from simple_salesforce.format import format_external_id

from connectors.emulator.serve import Emulator

STALE = "Mon, 02 Nov 2026 08:59:59 GMT"
FRESH = "Mon, 02 Nov 2026 09:00:00 GMT"
NOBODY = "0035g00000zzzzzAAA"


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def test_create_change_read_and_delete_have_their_statuses(org: Org) -> None:
    """29"""
    made = org.call("POST", "sobjects/Contact/", json={"LastName": "Lovelace"})
    record_id = made.json()["id"]
    assert (made.status_code, made.json()) == (201, {"id": record_id, "success": True, "errors": []})
    assert made.headers["Location"] == f"/services/data/v65.0/sobjects/Contact/{record_id}"
    changed = org.call("PATCH", f"sobjects/Contact/{record_id}", json={"Title": "CTO"})
    assert (changed.status_code, changed.content) == (204, b"")
    assert org.read("Contact", record_id, "LastName", "Title") == {"LastName": "Lovelace", "Title": "CTO"}
    gone = org.call("DELETE", f"sobjects/Contact/{record_id}")
    assert (gone.status_code, gone.content) == (204, b"")


def test_a_whole_record_has_every_visible_field_and_its_address(org: Org) -> None:
    """29"""
    contact_id = org.make(MailingCity="London")
    found = org.sf.Contact.get(contact_id)
    described = [entry["name"] for entry in org.sf.Contact.describe()["fields"]]
    assert list(found) == ["attributes", *described]
    assert found["MailingAddress"]["city"] == "London"
    assert found["OtherAddress"] is None


def test_an_upsert_creates_then_updates(org: Org) -> None:
    """29, 30"""
    path = "sobjects/Contact/Truce_Key__c/" + format_external_id("Truce_Key__c", "p-1/1").split("/", 1)[1]
    first = org.call("PATCH", path, json={"LastName": "Lovelace"})
    record_id = first.json()["id"]
    expected = {"id": record_id, "success": True, "errors": []}
    assert (first.status_code, first.json()) == (201, {**expected, "created": True})
    assert first.headers["Location"] == f"/services/data/v65.0/sobjects/Contact/{record_id}"
    second = org.call("PATCH", path, json={"Title": "CTO"})
    assert (second.status_code, second.json()) == (200, {**expected, "created": False})
    assert org.read("Contact", record_id, "Truce_Key__c", "Title") == {"Truce_Key__c": "p-1/1", "Title": "CTO"}
    assert bare(org.call("GET", path).json())["Id"] == record_id
    assert org.call("DELETE", path).status_code == 204
    assert code(org.call, "GET", path) == (404, "NOT_FOUND")


def test_an_old_version_answers_an_updating_upsert_with_nothing(org: Org) -> None:
    """30"""
    path = "/services/data/v{}.0/sobjects/Contact/Truce_Key__c/p-1"
    answers = [org.raw("PATCH", path.format(version), json={"LastName": "Ada"}) for version in (65, 45, 46)]
    assert [answer.status_code for answer in answers] == [201, 204, 200]
    assert answers[1].content == b""


def test_a_row_leads_to_its_parents_and_children(org: Org) -> None:
    """15"""
    account = org.make("Account", Name="Engines")
    contact = org.make(AccountId=account)
    assert org.sf.restful(f"sobjects/Contact/{contact}/Account", params={"fields": "Name"})["Name"] == "Engines"
    children = org.sf.restful(f"sobjects/Account/{account}/Contacts", params={"fields": "LastName"})
    assert (children["totalSize"], children["records"][0]["LastName"]) == (1, "Lovelace")
    assert code(org.sf.restful, f"sobjects/Contact/{contact}/ReportsTo") == (404, "NOT_FOUND")
    assert code(org.sf.restful, f"sobjects/Contact/{contact}/Nonsense") == (404, "NOT_FOUND")


def test_an_upsert_may_be_forbidden_to_create(org: Org) -> None:
    """30"""
    path = "sobjects/Contact/Truce_Key__c/p-1"
    body = {"LastName": "Lovelace"}
    assert code(org.call, "PATCH", path, json=body, params={"updateOnly": "true"}) == (404, "NOT_FOUND")
    assert org.query("SELECT Id FROM Contact") == []


def test_an_upsert_by_address_minds_no_case_and_stops_at_two(org: Org) -> None:
    """30"""
    contact_id = org.make(Email="ada@example.com")
    assert org.sf.Contact.upsert("Email/ADA@example.com", {"Title": "CTO"}) == 200
    assert org.value("Contact", contact_id, "Title") == "CTO"
    other_id = org.make(Email="ada@example.com")
    with pytest.raises(SalesforceMoreThanOneRecord) as caught:
        org.sf.Contact.upsert("Email/ada@example.com", {"Title": "CEO"})
    root = "/services/data/v65.0/sobjects/Contact/"
    records: Any = caught.value.content
    assert records == [root + contact_id, root + other_id]
    assert org.query("SELECT Id FROM Contact WHERE Title = 'CEO'") == []


def test_the_key_stands_in_the_path_only_and_must_be_one(org: Org) -> None:
    """30"""
    contact_id = org.make(Truce_Key__c="p-1")
    body = {"Truce_Key__c": "p-1", "LastName": "X"}
    assert code(org.call, "PATCH", "sobjects/Contact/Truce_Key__c/p-1", json=body) == (400, "INVALID_FIELD")
    assert code(org.change, "Contact", contact_id, Id=contact_id) == (400, "INVALID_FIELD")
    status, error = refusal(org.call, "PATCH", "sobjects/Contact/Phone/1", json={})
    assert (status, error["message"]) == (
        404,
        "Provided external ID field does not exist or is not accessible: Phone",
    )


def test_every_missing_required_field_is_in_one_message(org: Org) -> None:
    """31"""
    status, error = refusal(org.sf.Lead.create, {"FirstName": "Ada", "Company": " "})
    assert (status, error) == (
        400,
        {
            "message": "Required fields are missing: [LastName, Company]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["LastName", "Company"],
        },
    )
    lead_id = org.make("Lead")
    assert code(org.change, "Lead", lead_id, LastName="") == (400, "REQUIRED_FIELD_MISSING")


def test_a_text_too_long_is_refused_and_not_cut(org: Org) -> None:
    """32"""
    org.make(FirstName="x" * 40)
    _, error = refusal(org.make, FirstName="x" * 41)
    assert error == {
        "message": f"First Name: data value too large: {'x' * 41} (max length=40)",
        "errorCode": "STRING_TOO_LONG",
        "fields": ["FirstName"],
    }


@pytest.mark.parametrize("address", ["123", "a@b", "a b@example.com", "@example.com", "a@example.com, b@example.com"])
def test_an_address_that_is_none_is_refused(org: Org, address: str) -> None:
    """33"""
    _, error = refusal(org.make, Email=address)
    assert error == {
        "message": f"Email: invalid email address: {address}",
        "errorCode": "INVALID_EMAIL_ADDRESS",
        "fields": ["Email"],
    }


@pytest.mark.parametrize(
    ("field", "sent", "stored"),
    [
        ("Email", "Chloe.Myers@Example.COM", "chloe.myers@example.com"),
        ("Title", "  Chief \t\n", "Chief"),
        ("Title", "\u00a0Chief\u00a0", "\u00a0Chief\u00a0"),
        ("Title", "", None),
        ("Title", "   ", None),
        ("Title", None, None),
        ("Title", 5, "5"),
        ("Title", True, "true"),
        ("Phone", "+1 (555) 01-00 ", "+1 (555) 01-00"),
        ("Birthdate", "1815-12-10", "1815-12-10"),
        ("HasOptedOutOfEmail", "true", True),
        ("EmailBouncedDate", "2026-11-02T10:30:00.999+05:30", "2026-11-02T05:00:00.000+0000"),
    ],
)
def test_values_are_rewritten(org: Org, field: str, sent: Any, stored: Any) -> None:
    """33"""
    contact_id = org.make(**{field: sent})
    assert org.value("Contact", contact_id, field) == stored


def test_decimals_beyond_the_scale_are_kept_and_ids_lengthened(org: Org) -> None:
    """33"""
    account_id = org.make("Account", Name="Engines", AnnualRevenue=12.3456)
    assert org.value("Account", account_id, "AnnualRevenue") == 12.3456
    contact_id = org.make(AccountId=account_id[:15])
    assert org.value("Contact", contact_id, "AccountId") == account_id


def test_a_null_checkbox_is_refused_unless_switched(org: Org) -> None:
    """33"""
    contact_id = org.make(HasOptedOutOfEmail=True)
    error = (400, "INVALID_TYPE_ON_FIELD_IN_RECORD")
    assert code(org.change, "Contact", contact_id, HasOptedOutOfEmail=None) == error
    org.switch("null_checkbox", "false")
    org.change("Contact", contact_id, HasOptedOutOfEmail=None)
    assert org.value("Contact", contact_id, "HasOptedOutOfEmail") is False


def test_a_restricted_picklist_refuses_what_an_open_one_takes(org: Org) -> None:
    """34"""
    lead_id = org.make("Lead", Status="On Ice")
    assert org.value("Lead", lead_id, "Status") == "On Ice"
    _, error = refusal(org.make, Customer_Stage__c="Fan")
    assert error == {
        "message": "Customer Stage: bad value for restricted picklist field: Fan",
        "errorCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "fields": ["Customer_Stage__c"],
    }
    assert org.make(Customer_Stage__c="MQL")


def test_several_choices_come_back_in_the_order_of_the_list(org: Org) -> None:
    """34"""
    choices = {"name": "Interests__c", "type": "multipicklist", "choices": ["a", "b", "c"]}
    org.person("schema", object="Contact", add=choices)
    contact_id = org.make(Interests__c="c;a")
    assert org.value("Contact", contact_id, "Interests__c") == "a;c"
    assert org.query("SELECT Id FROM Contact WHERE Interests__c INCLUDES ('a;c')")
    assert org.query("SELECT Id FROM Contact WHERE Interests__c EXCLUDES ('c')") == []
    org.switch("multipicklist_order", "sent")
    assert org.value("Contact", org.make(Interests__c="c;a;c"), "Interests__c") == "c;a"


def test_read_only_fields_are_named_together_and_unknown_ones_singly(org: Org) -> None:
    """35"""
    _, error = refusal(org.make, Name="Ada", CreatedDate="2026-11-02T09:00:00Z", Title="CTO")
    assert error == {
        "message": "Unable to create/update fields: Name, CreatedDate. Please check the security settings of this "
        "field and verify that it is read/write for your profile or permission set.",
        "errorCode": "INVALID_FIELD_FOR_INSERT_UPDATE",
        "fields": ["Name", "CreatedDate"],
    }
    _, error = refusal(org.make, Foo="x")
    assert error == {"message": "No such column 'Foo' on sobject of type Contact", "errorCode": "INVALID_FIELD"}
    org.person("permissions", object="Contact", read_only="Title")
    assert code(org.make, Title="CTO") == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")


def test_a_new_record_cannot_bring_its_id(org: Org) -> None:
    """35"""
    _, error = refusal(org.make, Id=org.make())
    assert error["message"] == "cannot specify Id in an insert call"


def test_setup_objects_cannot_be_written(org: Org) -> None:
    """35"""
    assert code(org.sf.LeadStatus.create, {"MasterLabel": "x"})[1] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    user_id = org.setting("users")["anna"]
    assert code(org.change, "User", user_id, Title="x")[1] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    assert code(org.sf.User.delete, user_id)[1] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("Birthdate", "2017-01-01T00:00:00Z", "date from VALUE_STRING value 2017-01-01T00:00:00Z"),
        ("Birthdate", 5, "date from VALUE_NUMBER_INT value 5"),
        ("HasOptedOutOfEmail", "maybe", "boolean from VALUE_STRING value maybe"),
        ("EmailBouncedDate", "2026-11-02", "datetime from VALUE_STRING value 2026-11-02"),
        ("Title", {"a": 1}, "string from START_OBJECT value {"),
        ("Title", ["a"], "string from START_ARRAY value ["),
    ],
)
def test_json_of_the_wrong_type_is_a_parser_error_with_its_place(org: Org, field: str, value: Any, text: str) -> None:
    """36"""
    status, error = refusal(org.make, **{field: value})
    assert (status, error["errorCode"]) == (400, "JSON_PARSER_ERROR")
    assert error["message"].startswith(f"Cannot deserialize instance of {text} or request may be missing")
    behind_the_key = len('{"LastName": "Lovelace", ""') + len(field) + 1
    assert error["message"].endswith(f"at [line:1, column:{behind_the_key}]")


def test_a_number_that_is_none_or_too_large_is_refused(org: Org) -> None:
    """36"""
    assert code(org.make, "Account", Name="E", NumberOfEmployees=1.5) == (400, "JSON_PARSER_ERROR")
    assert code(org.make, "Account", Name="E", AnnualRevenue="many") == (400, "JSON_PARSER_ERROR")
    assert code(org.make, "Account", Name="E", AnnualRevenue=1e18) == (400, "NUMBER_OUTSIDE_VALID_RANGE")


def test_a_body_that_is_no_json_is_a_parser_error(org: Org) -> None:
    """36"""
    assert code(org.call, "POST", "sobjects/Contact", data="{nonsense") == (400, "JSON_PARSER_ERROR")
    assert code(org.call, "POST", "sobjects/Contact", json=["LastName"]) == (400, "JSON_PARSER_ERROR")


def test_a_unique_value_names_the_record_that_has_it(org: Org) -> None:
    """37"""
    first = org.make(Truce_Key__c="p-1")
    _, error = refusal(org.make, Truce_Key__c="P-1")
    assert error["errorCode"] == "DUPLICATE_VALUE"
    assert error["message"] == (f"duplicate value found: Truce_Key__c duplicates value on record with id: {first[:15]}")
    org.change("Contact", first, Truce_Key__c="p-1")
    org.sf.Contact.delete(first)
    assert org.make(Truce_Key__c="p-1")


def test_a_block_rule_stops_a_duplicate_and_shows_it_under_the_misspelt_key(org: Org) -> None:
    """38"""
    first = org.make(Email="ada@example.com")
    org.switch("duplicate_rule", "block")
    status, error = refusal(org.make, Email="Ada@example.com")
    assert (status, error["errorCode"], error["message"]) == (
        400,
        "DUPLICATES_DETECTED",
        "Use one of these records?",
    )
    result = error["duplicateResut"]
    assert (result["allowSave"], result["duplicateRuleEntityType"]) == (False, "Contact")
    assert result["matchResults"][0]["matchRecords"][0]["record"]["Id"] == first


def test_an_alert_rule_stops_the_api_too_until_the_header_allows_it(org: Org) -> None:
    """38"""
    org.make(Email="ada@example.com")
    org.switch("duplicate_rule", "alert")
    assert code(org.make, Email="ada@example.com") == (400, "DUPLICATES_DETECTED")
    body = {"LastName": "X", "Email": "ada@example.com"}
    allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=true"}
    assert org.call("POST", "sobjects/Contact", json=body, headers=allowed).status_code == 201
    org.switch("duplicate_rule", "block")
    assert code(org.call, "POST", "sobjects/Contact", json=body, headers=allowed) == (400, "DUPLICATES_DETECTED")
    org.switch("duplicate_rule", "alert")
    assert org.person_makes("Contact", Email="ada@example.com")


def test_a_lead_is_held_against_leads_and_contacts(org: Org) -> None:
    """38"""
    org.make(Email="ada@example.com")
    org.make("Lead", Email="ada@example.com")
    org.switch("duplicate_rule", "block")
    _, error = refusal(org.make, "Lead", Email="Ada@example.com")
    found = error["duplicateResut"]
    assert found["duplicateRule"] == "Standard_Lead_Duplicate_Rule"
    assert [each["entityType"] for each in found["matchResults"]] == ["Lead", "Contact"]


def test_without_the_header_the_assignment_rule_takes_a_lead_on_create_and_update(org: Org) -> None:
    """39"""
    queue_id, user_id = org.setting("assigned_to")["Lead"], org.setting("users")["integration"]
    lead_id = org.make("Lead")
    assert org.value("Lead", lead_id, "OwnerId") == user_id
    del org.session.headers["Sforce-Auto-Assign"]
    assert org.value("Lead", org.make("Lead", OwnerId=user_id), "OwnerId") == queue_id
    org.change("Lead", lead_id, Title="CTO")
    assert org.value("Lead", lead_id, "OwnerId") == queue_id
    org.switch("assignment_rule", False)
    assert org.value("Lead", org.make("Lead"), "OwnerId") == user_id


def test_a_validation_rule_says_its_own_text_on_its_field(org: Org) -> None:
    """40"""
    rule = {"object": "Contact", "field": "Title", "op": "=", "value": "King", "message": "No kings here"}
    org.switch("validation_rules", [rule])
    _, error = refusal(org.make, Title="King")
    assert error == {
        "message": "No kings here",
        "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "fields": ["Title"],
    }
    contact_id = org.make(Title="Queen")
    org.switch("validation_rules", [{**rule, "op": "filled", "pinned": False}])
    assert refusal(org.change, "Contact", contact_id, Phone="1")[1]["fields"] == []
    org.switch("validation_rules", [{**rule, "op": "!=", "value": "Queen"}])
    org.change("Contact", contact_id, Phone="1")
    assert code(org.change, "Contact", contact_id, Title="Duke") == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")


def test_a_failing_flow_wraps_the_reason(org: Org) -> None:
    """40"""
    rule = {"object": "Contact", "field": "Title", "op": "blank", "message": "DUPLICATE_VALUE", "flow": "Sync"}
    org.switch("validation_rules", [rule])
    _, error = refusal(org.make)
    assert error["errorCode"] == "CANNOT_EXECUTE_FLOW_TRIGGER"
    assert error["message"] == (
        'We can\'t save this record because the "Sync" process failed. Give your Salesforce admin these details. '
        "DUPLICATE_VALUE"
    )


def test_an_automation_changes_other_fields_in_the_same_save(org: Org) -> None:
    """41"""
    rule = {"object": "Contact", "when_field": "Title", "set": {"Department": "Sales", "Title": "CTO!"}}
    org.switch("automations", [rule])
    contact_id = org.make()
    assert org.value("Contact", contact_id, "Department") is None
    org.change("Contact", contact_id, Title="CTO")
    assert org.read("Contact", contact_id, "Title", "Department") == {"Title": "CTO!", "Department": "Sales"}
    lines = [line for line in org.admin.audit() if line["id"] == contact_id]
    assert [line["after"].get("Title") for line in lines] == [None, "CTO!"]


@pytest.mark.parametrize("name", ["Contact", "Lead"])
def test_a_row_changed_since_is_412_and_stays(org: Org, name: str) -> None:
    """42"""
    record_id = org.make(name)
    assert refusal(org.change, name, record_id, {"If-Unmodified-Since": STALE}, Title="x")[0] == 412
    assert org.value(name, record_id, "Title") is None
    org.change(name, record_id, {"If-Unmodified-Since": FRESH}, Title="x")
    assert org.value(name, record_id, "Title") == "x"


def test_the_condition_holds_for_upserts_and_not_for_deletes(org: Org) -> None:
    """42"""
    record_id = org.make(Truce_Key__c="p-1")
    headers = {"If-Unmodified-Since": STALE}
    path = "sobjects/Contact/Truce_Key__c/p-1"
    assert refusal(org.call, "PATCH", path, json={"Title": "x"}, headers=headers)[0] == 412
    assert org.call("DELETE", f"sobjects/Contact/{record_id}", headers=headers).status_code == 204


def test_a_condition_that_is_no_date_is_400(org: Org) -> None:
    """42"""
    record_id = org.make()
    assert refusal(org.change, "Contact", record_id, {"If-Unmodified-Since": "yesterday"}, Title="x")[0] == 400


def test_a_background_touch_leaves_the_condition_true(org: Org) -> None:
    """26, 42"""
    record_id = org.make()
    org.advance(10)
    org.person("edit", object="Contact", id=record_id, values={}, actor={"id": "job", "cause": "system"})
    org.change("Contact", record_id, {"If-Unmodified-Since": FRESH}, Title="x")


def test_only_accounts_have_a_tag_to_match(org: Org) -> None:
    """42"""
    account_id, contact_id = org.make("Account", Name="Engines"), org.make()
    tag = org.call("GET", f"sobjects/Account/{account_id}").headers["ETag"]
    assert "ETag" not in org.call("GET", f"sobjects/Contact/{contact_id}").headers
    org.change("Account", account_id, {"If-Match": tag}, Phone="1")
    org.advance(1)
    org.change("Account", account_id, Phone="2")
    assert refusal(org.change, "Account", account_id, {"If-Match": tag}, Phone="3")[0] == 412
    org.change("Contact", contact_id, {"If-Match": tag}, Phone="3")


def test_an_account_that_is_still_the_same_is_not_sent_again(org: Org) -> None:
    """42: If-None-Match"""
    account = org.make("Account", Name="Engines")
    tag = org.call("GET", f"sobjects/Account/{account}").headers["ETag"]
    assert org.raw("GET", f"sobjects/Account/{account}", headers={"If-None-Match": tag}).status_code == 304
    org.advance(1)
    org.change("Account", account, Phone="1")
    assert org.raw("GET", f"sobjects/Account/{account}", headers={"If-None-Match": tag}).status_code == 200


def test_owners_must_be_active_users_or_queues_of_the_object(org: Org) -> None:
    """43"""
    users, queue_id = org.setting("users"), org.setting("assigned_to")["Lead"]
    assert code(org.make, OwnerId=users["dana"]) == (400, "INACTIVE_OWNER_OR_USER")
    assert org.make("Lead", OwnerId=queue_id)
    assert code(org.make, OwnerId=queue_id) == (400, "MALFORMED_ID")
    assert code(org.make, "Task", Subject="Call", OwnerId=queue_id) == (400, "INVALID_CROSS_REFERENCE_KEY")
    assert code(org.make, OwnerId="0055g00000zzzzzAAA") == (400, "INVALID_CROSS_REFERENCE_KEY")


def test_a_record_keeps_an_owner_who_left(org: Org) -> None:
    """43"""
    users = org.setting("users")
    contact_id = org.make(OwnerId=users["kim"])
    org.person("users", deactivate=users["kim"])
    org.change("Contact", contact_id, Title="CTO", OwnerId=users["kim"])
    assert code(org.make, OwnerId=users["kim"]) == (400, "INACTIVE_OWNER_OR_USER")
    org.person("users", activate=users["kim"])
    new_id = org.person("users", add={"login": "zoe", "first": "Zoe", "last": "Hale"})["id"]
    assert org.query("SELECT Name, Email FROM User WHERE Id = {}", new_id) == [
        {"Name": "Zoe Hale", "Email": "zoe@example.com"}
    ]


STAGE_FIELDS = ("IsClosed", "IsWon", "Probability", "ForecastCategory", "ForecastCategoryName", "ExpectedRevenue")


def test_a_stage_brings_its_probability_forecast_and_closing(org: Org) -> None:
    """44"""
    deal = {"Name": "D", "CloseDate": "2026-12-01", "Amount": 200}
    deal_id = org.make("Opportunity", StageName="Value Proposition", **deal)
    assert tuple(org.read("Opportunity", deal_id, *STAGE_FIELDS).values()) == (
        False, False, 50.0, "Pipeline", "Pipeline", 100.0,
    )  # fmt: skip
    org.change("Opportunity", deal_id, StageName="Closed Won")
    assert tuple(org.read("Opportunity", deal_id, *STAGE_FIELDS).values()) == (
        True, True, 100.0, "Closed", "Closed", 200.0,
    )  # fmt: skip
    org.change("Opportunity", deal_id, StageName="Qualification", Probability=35, ForecastCategoryName="Best Case")
    assert tuple(org.read("Opportunity", deal_id, *STAGE_FIELDS).values()) == (
        False, False, 35.0, "BestCase", "Best Case", 70.0,
    )  # fmt: skip


def test_stages_and_lead_statuses_can_be_asked_for(org: Org) -> None:
    """44"""
    soql = "SELECT ApiName, DefaultProbability FROM OpportunityStage WHERE IsClosed = TRUE ORDER BY SortOrder"
    assert org.query(soql) == [
        {"ApiName": "Closed Won", "DefaultProbability": 100.0},
        {"ApiName": "Closed Lost", "DefaultProbability": 0.0},
    ]
    assert org.query("SELECT ApiName FROM LeadStatus WHERE IsConverted = TRUE") == [{"ApiName": "Closed - Converted"}]
    assert "Marketing Qualified" in [each["ApiName"] for each in org.query("SELECT ApiName FROM LeadStatus")]


def test_a_new_deal_with_a_contact_gets_its_role_and_the_contact_stays(org: Org) -> None:
    """44"""
    contact_id = org.make()
    deal = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01", "ContactId": contact_id}
    deal_id = org.make("Opportunity", **deal)
    assert org.query("SELECT ContactId, IsPrimary FROM OpportunityContactRole") == [
        {"ContactId": contact_id, "IsPrimary": True}
    ]
    assert code(org.change, "Opportunity", deal_id, ContactId=None) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")


def test_a_deal_has_one_primary_contact_role(org: Org) -> None:
    """44 [K]"""
    deal = org.make("Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-12-01", ContactId=org.make())
    org.make("OpportunityContactRole", OpportunityId=deal, ContactId=org.make(), IsPrimary=True)
    roles = org.query("SELECT IsPrimary FROM OpportunityContactRole ORDER BY Id")
    assert [each["IsPrimary"] for each in roles] == [False, True]
    org.switch("one_primary_role", False)
    org.make("OpportunityContactRole", OpportunityId=deal, ContactId=org.make(), IsPrimary=True)
    roles = org.query("SELECT IsPrimary FROM OpportunityContactRole ORDER BY Id")
    assert [each["IsPrimary"] for each in roles] == [False, True, True]


def test_a_task_follows_its_person_and_knows_when_it_is_done(org: Org) -> None:
    """44"""
    account_id = org.make("Account", Name="Engines")
    task_id = org.make("Task", Subject="Call", WhoId=org.make(AccountId=account_id))
    assert org.read("Task", task_id, "AccountId", "Status", "Priority", "IsClosed") == {
        "AccountId": account_id,
        "Status": "Not Started",
        "Priority": "Normal",
        "IsClosed": False,
    }
    org.change("Task", task_id, Status="Completed")
    assert org.read("Task", task_id, "IsClosed", "CompletedDateTime") == {
        "IsClosed": True,
        "CompletedDateTime": "2026-11-02T09:00:00.000+0000",
    }


def test_a_converted_lead_cannot_be_written(org: Org) -> None:
    """45"""
    lead_id = org.make("Lead")
    org.person("convert", id=lead_id)
    assert code(org.change, "Lead", lead_id, Title="x") == (400, "CANNOT_UPDATE_CONVERTED_LEAD")


def test_deleted_missing_and_foreign_rows_are_told_apart(org: Org) -> None:
    """46"""
    gone, account_id = org.make(), org.make("Account", Name="Engines")
    org.sf.Contact.delete(gone)
    for call in (org.sf.Contact.get, org.sf.Contact.delete, lambda each: org.change("Contact", each, Title="x")):
        assert refusal(call, gone) == (
            404,
            {"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []},
        )
        assert code(call, NOBODY) == (404, "NOT_FOUND")
        assert code(call, account_id) == (400, "MALFORMED_ID")
        assert code(call, "nonsense") == (404, "NOT_FOUND")


def test_the_code_for_a_vanished_row_is_a_switch(org: Org) -> None:
    """46 [K]"""
    org.switch("vanished_row", "INVALID_CROSS_REFERENCE_KEY")
    vanished = (404, "INVALID_CROSS_REFERENCE_KEY")
    assert code(org.change, "Contact", NOBODY, Title="x") == vanished
    assert code(org.sf.Contact.delete, NOBODY) == vanished
    assert code(org.change, "Contact", "nonsense", Title="x") == (404, "NOT_FOUND")
    assert code(org.sf.Contact.get, NOBODY) == (404, "NOT_FOUND")


def test_references_must_lead_to_a_live_record_of_the_right_object(org: Org) -> None:
    """46"""
    account_id, contact_id = org.make("Account", Name="Engines"), org.make()
    _, error = refusal(org.make, AccountId=contact_id)
    assert (error["errorCode"], error["message"]) == (
        "MALFORMED_ID",
        f"Account ID: id value of incorrect type: {contact_id}",
    )
    assert code(org.make, AccountId="nonsense") == (400, "MALFORMED_ID")
    assert code(org.make, AccountId="0015g00000zzzzzAAA") == (400, "INVALID_CROSS_REFERENCE_KEY")
    org.sf.Account.delete(account_id)
    assert code(org.make, AccountId=account_id)[1] == "ENTITY_IS_DELETED"


def test_nobody_comes_to_be_above_itself(org: Org) -> None:
    """46"""
    top, middle = org.make("Account", Name="A"), org.make("Account", Name="B")
    bottom = org.make("Account", Name="C", ParentId=middle)
    org.change("Account", middle, ParentId=top)
    circular = (400, "CIRCULAR_DEPENDENCY")
    for above in (top, middle, bottom):
        assert code(org.change, "Account", top, ParentId=above) == circular
    boss, worker = org.make(), org.make()
    org.change("Contact", worker, ReportsToId=boss)
    assert code(org.change, "Contact", boss, ReportsToId=worker) == circular
    assert org.value("Account", top, "ParentId") is None


def test_an_activity_of_a_lead_is_related_to_nothing_else(org: Org) -> None:
    """46"""
    account, lead = org.make("Account", Name="E"), org.make("Lead")
    refused = (400, "FIELD_INTEGRITY_EXCEPTION")
    assert code(org.make, "Task", Subject="Call", WhoId=lead, WhatId=account) == refused
    task = org.make("Task", Subject="Call", WhoId=lead)
    assert code(org.change, "Task", task, WhatId=account) == refused
    org.change("Task", task, WhoId=org.make(), WhatId=account)


def test_a_parent_may_be_named_by_its_external_id(org: Org) -> None:
    """46"""
    account_id = org.make("Account", Name="Engines", Truce_Key__c="a-1")
    contact_id = org.make(Account={"Truce_Key__c": "a-1"})
    assert org.value("Contact", contact_id, "AccountId") == account_id
    _, error = refusal(org.make, Account={"Truce_Key__c": "a-2"})
    assert error["message"] == "Foreign key external ID: a-2 not found for field Truce_Key__c in entity Account"


def test_a_held_row_and_its_children_cannot_be_locked(org: Org) -> None:
    """47"""
    account_id = org.make("Account", Name="Engines")
    contact_id = org.make(AccountId=account_id)
    org.switch("locked_rows", [account_id])
    for name, record_id in (("Account", account_id), ("Contact", contact_id)):
        _, error = refusal(org.change, name, record_id, Phone="1")
        assert error["errorCode"] == "UNABLE_TO_LOCK_ROW"
        assert error["message"] == f"unable to obtain exclusive access to this record or 1 records: {record_id}"
    assert code(org.make, AccountId=account_id) == (400, "UNABLE_TO_LOCK_ROW")
    org.switch("locked_rows", [])
    org.switch("in_approval", [contact_id])
    assert code(org.change, "Contact", contact_id, Phone="1") == (400, "ENTITY_IS_LOCKED")


def test_a_planned_fault_answers_in_the_vendor_s_words(org: Org) -> None:
    """10, 47"""
    contact_id = org.make()
    org.admin.fault(system="salesforce", action="status", status=400, method="PATCH", route="*/Contact/*")
    assert code(org.change, "Contact", contact_id, Title="x") == (400, "UNABLE_TO_LOCK_ROW")
    org.change("Contact", contact_id, Title="x")


def test_a_refused_write_leaves_no_trace(org: Org) -> None:
    """29"""
    contact_id = org.make(Email="ada@example.com")
    before = org.admin.get("/snapshot?only=values")
    for fields in ({"Email": "none"}, {"Title": "ok", "OwnerId": "005"}, {"Foo": 1}):
        refusal(org.change, "Contact", contact_id, **fields)
    refusal(org.make, Truce_Key__c="x" * 81)
    assert org.admin.get("/snapshot?only=values") == before
    assert [line["op"] for line in org.admin.audit() if line["cause"] == "api"] == ["create"]


def test_the_audit_names_the_caller_s_entry_and_the_true_values(org: Org) -> None:
    """29"""
    contact_id = org.make(Title="CTO")
    org.change("Contact", contact_id, {"X-Truce-Entry": "E-7"}, Title=" CEO ", Email="A@example.com")
    line = org.admin.audit()[-1]
    assert (line["cause"], line["op"], line["id"], line["entry_id"]) == ("api", "update", contact_id, "E-7")
    assert line["actor"] == org.setting("users")["integration"]
    assert line["before"] == {"Title": "CTO", "Email": None}
    assert line["after"] == {"Title": "CEO", "Email": "a@example.com"}
    assert line["request_id"].startswith("salesforce-")


def test_a_person_s_edit_names_the_person(org: Org) -> None:
    """29"""
    contact_id = org.make()
    org.person_edits("Contact", contact_id, Title="x")
    users = org.setting("users")
    assert org.read("Contact", contact_id, "CreatedById", "LastModifiedById") == {
        "CreatedById": users["integration"],
        "LastModifiedById": users["anna"],
    }
