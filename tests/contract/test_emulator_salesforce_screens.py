"""What the emulator's Salesforce tells of its pages, lists, tabs and apps, and over the Tooling API of its metadata."""

from __future__ import annotations

from typing import Any

import pytest
from practice_org import Org, bare, code, refusal

from connectors.emulator.serve import Emulator

MASTER = "012000000000000AAA"


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def components(layout: dict[str, Any], sections: str) -> list[str]:
    return [
        component["value"]
        for section in layout[sections]
        for row in section["layoutRows"]
        for item in row["layoutItems"]
        for component in item["layoutComponents"]
    ]


# Layouts --------------------------------------------------------------------------------------------------------------


def test_a_layout_shows_the_fields_its_user_may_see_and_the_related_lists(org: Org) -> None:
    """layouts: through the library's describe_layout"""
    found = org.sf.Contact.describe_layout("")
    [layout] = found["layouts"]
    assert {"LastName", "Title", "AccountId", "CreatedById"} <= {
        *components(layout, "detailLayoutSections"),
        "LastName",
    }
    editable = components(layout, "editLayoutSections")
    assert "Title" in editable
    assert "CreatedById" not in editable
    assert {each["name"] for each in layout["relatedLists"]} >= {"Tasks", "OpportunityContactRoles"}
    [mapping] = found["recordTypeMappings"]
    assert (mapping["recordTypeId"], mapping["layoutId"], mapping["master"]) == (MASTER, layout["id"], True)
    assert "LeadSource" in {each["picklistName"] for each in mapping["picklistsForRecordType"]}
    assert found["recordTypeSelectorRequired"] == [False]
    org.person("permissions", object="Contact", hide="Title")
    assert "Title" not in components(org.sf.Contact.describe_layout("")["layouts"][0], "detailLayoutSections")


def test_a_layout_can_be_asked_for_by_its_record_type(org: Org) -> None:
    """layouts: then it stands alone"""
    alone = org.sf.Contact.describe_layout(MASTER)
    assert alone == org.sf.Contact.describe_layout("")["layouts"][0]
    assert code(org.sf.Contact.describe_layout, "012000000000001AAA") == (404, "NOT_FOUND")
    assert code(org.sf.User.describe_layout, "") == (404, "NOT_FOUND")


def test_without_compact_layouts_and_approvals_the_answers_say_so(org: Org) -> None:
    """layouts"""
    found = org.sf.restful("sobjects/Account/describe/compactLayouts")
    assert found["defaultCompactLayoutId"] is None
    assert [each["compactLayoutName"] for each in found["recordTypeCompactLayoutMappings"]] == ["SYSTEM"]
    primary = org.sf.restful("sobjects/Account/describe/compactLayouts/primary")
    assert [each["label"] for each in primary["fieldItems"]] == ["Account Name"]
    assert org.raw("GET", "sobjects/Account/describe/approvalLayouts").json() == {"approvalLayouts": []}


def test_every_address_that_a_description_names_is_there(org: Org) -> None:
    """layouts, 62"""
    for entry in org.sf.describe()["sobjects"]:
        for url in entry["urls"].values():
            if "{ID}" not in url:
                assert org.raw("GET", url).status_code == 200, url
    [info] = org.sf.Lead.describe()["recordTypeInfos"]
    assert org.raw("GET", info["urls"]["layout"]).status_code == 200
    assert org.admin.get("/unknown") == []


# List views -----------------------------------------------------------------------------------------------------------


def views(org: Org, object_type: str = "Contact") -> dict[str, dict[str, Any]]:
    found = org.sf.restful(f"sobjects/{object_type}/listviews")
    assert (found["done"], found["size"], found["sobjectType"]) == (True, len(found["listviews"]), object_type)
    return {each["developerName"]: each for each in found["listviews"]}


def listed(org: Org, view: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    found = org.call("GET", view["resultsUrl"], params=params).json()
    assert (found["id"], found["size"]) == (view["id"], len(found["records"]))
    return [{cell["fieldNameOrPath"]: cell["value"] for cell in record["columns"]} for record in found["records"]]


def test_a_list_view_is_a_query_that_its_description_tells(org: Org) -> None:
    """lists"""
    ada = org.make(LastName="Ada", Title="CTO")
    other = org.make(LastName="Byron", OwnerId=org.setting("users")["anna"])
    found = views(org)
    assert [each["Id"] for each in listed(org, found["AllContacts"])] == [ada, other]
    assert [each["Id"] for each in listed(org, found["MyContacts"])] == [ada]
    assert [each["Id"] for each in listed(org, found["AllContacts"], limit=1)] == [ada]
    assert [each["Id"] for each in listed(org, found["AllContacts"], limit=1, offset=1)] == [other]
    first = listed(org, found["AllContacts"])[0]
    assert (first["Name"], first["CreatedDate"]) == ("Ada", "Mon Nov 02 09:00:00 GMT 2026")
    told = org.call("GET", found["MyContacts"]["describeUrl"]).json()
    assert (told["scope"], told["sobjectType"], told["id"]) == ("mine", "Contact", found["MyContacts"]["id"])
    assert [each["Id"] for each in org.query(told["query"])] == [ada]
    org.advance(8 * 86_400)
    assert listed(org, found["NewThisWeek"]) == []


def test_a_view_that_is_not_there_is_404(org: Org) -> None:
    """lists"""
    assert code(org.sf.restful, "sobjects/Contact/listviews/00B000000000000AAA") == (404, "NOT_FOUND")
    assert code(org.sf.restful, "sobjects/Contact/listviews/nonsense/results") == (404, "NOT_FOUND")
    assert code(org.sf.restful, "sobjects/Profile/listviews") == (404, "NOT_FOUND")
    assert org.sf.restful("sobjects/Contact/listviews/recent")["listviews"] == []
    one = views(org)["AllContacts"]
    assert org.call("GET", one["url"]).json() == one


# Tabs, theme, apps ----------------------------------------------------------------------------------------------------


def test_tabs_colours_and_apps_are_told(org: Org) -> None:
    """screens: custom objects have a tab too"""
    org.person("schema", objects={"Project__c": {"label": "Project"}})
    found = {each["name"]: each for each in org.raw("GET", "tabs").json()}
    assert found["standard-Account"]["sobjectName"] == "Account"
    assert (found["Project__c"]["custom"], found["Project__c"]["label"]) == (True, "Projects")
    assert {icon["width"] for icon in found["standard-Lead"]["icons"]} == {16, 32}
    items = {each["name"] for each in org.sf.restful("theme")["themeItems"]}
    assert {"Account", "Task", "User"} <= items
    menus = org.sf.restful("appMenu")
    assert [each["label"] for each in org.call("GET", menus["AppSwitcher"]).json()["appMenuItems"]] == [
        "Sales", "Service", "Marketing",
    ]  # fmt: skip
    assert org.call("GET", menus["Salesforce1"]).json() == {"appMenuItems": []}


def test_there_are_no_quick_actions(org: Org) -> None:
    """screens"""
    assert org.raw("GET", "quickActions").json() == org.raw("GET", "sobjects/Lead/quickActions").json() == []
    assert org.raw("GET", "sobjects/Profile/quickActions").status_code == 404


def test_processes_reports_and_apex_classes_that_are_not_there_are_none(org: Org) -> None:
    """screens: empty lists, and the vendor's own words for Apex REST"""
    assert org.sf.restful("process/rules") == {"rules": {}}
    assert org.sf.restful("process/approvals") == {"approvals": {}}
    assert org.raw("GET", "analytics/reports").json() == org.raw("GET", "analytics/dashboards").json() == []
    status, error = refusal(org.sf.apexecute, "Mine/1")
    assert (status, error) == (404, {"errorCode": "NOT_FOUND", "message": "Could not find a match for URL"})
    assert org.raw("GET", "/services/apexrest/Mine/1", token=None).status_code == 401
    assert {line["path"] for line in org.admin.get("/unknown")} == {"/services/apexrest/Mine/1"}


# Tooling --------------------------------------------------------------------------------------------------------------


def tooling(org: Org, soql: str) -> dict[str, Any]:
    answer: dict[str, Any] = org.sf.restful("tooling/query", params={"q": soql})
    return answer


def told(org: Org, soql: str) -> list[dict[str, Any]]:
    return [bare(record) for record in tooling(org, soql)["records"]]


def test_objects_and_fields_are_defined_over_the_tooling_api_as_described(org: Org) -> None:
    """tooling"""
    names = [each["QualifiedApiName"] for each in told(org, "SELECT QualifiedApiName FROM EntityDefinition")]
    assert sorted(names) == [each["name"] for each in org.sf.describe()["sobjects"]]
    soql = "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Contact'"
    described = {each["name"] for each in org.sf.Contact.describe()["fields"]}
    assert {each["QualifiedApiName"] for each in told(org, soql)} == described
    org.person("permissions", object="Contact", hide="Title")
    assert {each["QualifiedApiName"] for each in told(org, soql)} == described - {"Title"}


@pytest.mark.parametrize(
    ("field", "spoken"),
    [
        ("Contact.Title", "Text(128)"),
        ("Contact.Email", "Email"),
        ("Contact.AccountId", "Lookup(Account)"),
        ("Contact.Birthdate", "Date"),
        ("Contact.HasOptedOutOfEmail", "Checkbox"),
        ("Contact.LeadSource", "Picklist"),
        ("Contact.Description", "Long Text Area(32000)"),
        ("Contact.Id", "Lookup()"),
        ("Account.AnnualRevenue", "Currency(18, 0)"),
        ("Account.NumberOfEmployees", "Number(8, 0)"),
        ("Lead.OwnerId", "Lookup(Group,User)"),
    ],
)
def test_types_are_spoken_as_in_the_setup(org: Org, field: str, spoken: str) -> None:
    """tooling"""
    soql = f"SELECT DataType FROM FieldDefinition WHERE DurableId = '{field}'"
    assert told(org, soql) == [{"DataType": spoken}]


def test_definitions_lead_to_each_other_and_custom_ones_have_ids(org: Org) -> None:
    """tooling"""
    org.person("schema", objects={"Project__c": {"fields": {"Budget__c": {"type": "currency"}}}})
    [custom] = told(org, "SELECT Id, DeveloperName FROM CustomObject")
    assert custom["DeveloperName"] == "Project"
    soql = (
        "SELECT DurableId, (SELECT DurableId FROM Fields) FROM EntityDefinition WHERE QualifiedApiName = 'Project__c'"
    )
    [entity] = told(org, soql)
    assert entity["DurableId"] == custom["Id"][:15]
    fields = [each["DurableId"] for each in entity["Fields"]["records"]]
    assert f"{custom['Id'][:15]}.Name" in fields
    [budget] = told(org, "SELECT Id, EntityDefinition.QualifiedApiName FROM CustomField WHERE DeveloperName = 'Budget'")
    assert bare(budget["EntityDefinition"]) == {"QualifiedApiName": "Project__c"}
    assert f"{custom['Id'][:15]}.{budget['Id'][:15]}" in fields
    rule = {"object": "Contact", "field": "Title", "op": "blank", "message": "Say who"}
    org.switch("validation_rules", [rule])
    assert told(org, "SELECT ErrorMessage, EntityDefinitionId, Active FROM ValidationRule") == [
        {"ErrorMessage": "Say who", "EntityDefinitionId": "Contact", "Active": True}
    ]


@pytest.mark.parametrize("soql", ["SELECT Id FROM FieldDefinition", "SELECT Id FROM FieldDefinition WHERE Length > 5"])
def test_fields_are_asked_for_by_their_object(org: Org, soql: str) -> None:
    """tooling: in the vendor's words"""
    status, error = refusal(tooling, org, soql)
    assert (status, error) == (
        400,
        {
            "message": "FieldDefinition: a filter on a reified column is required [EntityDefinitionId,DurableId]",
            "errorCode": "MALFORMED_QUERY",
        },
    )


PACKAGES = (
    "SELECT Id, SubscriberPackageId, SubscriberPackage.NamespacePrefix, SubscriberPackage.Name, "
    "SubscriberPackageVersion.Id, SubscriberPackageVersion.Name, SubscriberPackageVersion.MajorVersion, "
    "SubscriberPackageVersion.MinorVersion, SubscriberPackageVersion.PatchVersion, "
    "SubscriberPackageVersion.BuildNumber, SubscriberPackageVersion.IsManaged, "
    "SubscriberPackageVersion.Package2ContainerOptions FROM InstalledSubscriberPackage ORDER BY SubscriberPackageId"
)


@pytest.mark.parametrize(
    "soql",
    [
        PACKAGES,
        "SELECT Id, Name FROM ApexClass WHERE NamespacePrefix = null AND Name LIKE '%_TEST%'",
        "SELECT Id, ApexClassId, Status, ExtendedStatus FROM ApexTestQueueItem WHERE ParentJobId = '707000000000001'",
        "SELECT PercentCovered FROM ApexOrgWideCoverage",
        "SELECT Id, ActiveVersion.VersionNumber, LatestVersion.VersionNumber, DeveloperName FROM FlowDefinition",
        "SELECT MemberName, MemberType, RevisionCounter FROM SourceMember WHERE IsNameObsolete = false",
    ],
)
def test_an_org_without_code_flows_and_packages_says_so(org: Org, soql: str) -> None:
    """tooling: as CumulusCI and the vendor's command line ask"""
    assert tooling(org, soql) == {
        "size": 0, "totalSize": 0, "done": True, "queryLocator": None, "entityTypeName": None, "records": [],
    }  # fmt: skip


def test_people_and_profiles_are_known_to_both_apis(org: Org) -> None:
    """tooling"""
    for soql in ("SELECT Username FROM User ORDER BY Username", "SELECT Name FROM Profile ORDER BY Name"):
        assert told(org, soql) == org.query(soql)


def test_metadata_can_be_asked_for_over_the_api_for_records_too(org: Org) -> None:
    """tooling: as the vendor's command line does"""
    soql = "SELECT QualifiedApiName FROM EntityDefinition WHERE KeyPrefix = '003'"
    [record] = org.sf.query(soql)["records"]
    assert record == {
        "attributes": {"type": "EntityDefinition", "url": "/services/data/v65.0/sobjects/EntityDefinition/Contact"},
        "QualifiedApiName": "Contact",
    }
    assert org.query("SELECT Id FROM ApexClass") == org.query("SELECT Id FROM PermissionSetAssignment") == []
    assert org.query("SELECT LicenseDefinitionKey, Status FROM UserLicense") == [
        {"LicenseDefinitionKey": "SFDC", "Status": "Active"}
    ]
    assert "IsOwnedByProfile" in {each["name"] for each in org.sf.PermissionSet.describe()["fields"]}
    assert told(org, "SELECT SobjectType, FullName FROM RecordType") == []
    assert code(org.query, "SELECT Id FROM FieldDefinition") == (400, "MALFORMED_QUERY")
    assert code(org.query, "SELECT Id FROM CustomField") == (400, "INVALID_TYPE")
    columns = org.call("GET", "tooling/query", params={"q": soql, "columns": "true"}).json()["columnMetadata"]
    assert [each["columnName"] for each in columns] == ["QualifiedApiName"]
    assert [line["path"] for line in org.admin.get("/unknown")] == ["SELECT Id FROM CustomField"]


def test_the_tooling_api_has_its_own_objects_addresses_and_records(org: Org) -> None:
    """tooling"""
    root = org.sf.restful("tooling")
    assert set(root) == {"query", "sobjects"}
    found = org.call("GET", root["sobjects"]).json()
    entries = {each["name"]: each for each in found["sobjects"]}
    assert {"ApexClass", "EntityDefinition", "User"} <= set(entries)
    assert "Contact" not in entries
    described = org.call("GET", entries["ApexClass"]["urls"]["describe"]).json()
    assert {"Name", "Body", "ApiVersion"} <= {each["name"] for each in described["fields"]}
    [record] = tooling(org, "SELECT Id FROM EntityDefinition WHERE QualifiedApiName = 'Lead'")["records"]
    assert org.call("GET", record["attributes"]["url"]).json()["Label"] == "Lead"
    assert code(org.sf.restful, "tooling/sobjects/ApexClass/01p000000000001") == (404, "NOT_FOUND")


def test_what_the_tooling_api_does_not_have_here_is_noted(org: Org) -> None:
    """tooling, 65: code is not run, nothing is made"""
    assert code(tooling, org, "SELECT Id FROM MenuItem") == (400, "INVALID_TYPE")
    assert code(org.sf.restful, "tooling/sobjects/MenuItem/describe") == (404, "NOT_FOUND")
    assert code(org.sf.toolingexecute, "executeAnonymous?anonymousBody=x") == (404, "NOT_FOUND")
    made = org.raw("POST", "tooling/sobjects/ApexClass", json={"Name": "X", "Body": "class X {}"})
    assert made.status_code == 405
    noted = [(line["method"], line["path"].rpartition("/v65.0/")[2]) for line in org.admin.get("/unknown")]
    assert noted == [
        ("SOQL", "SELECT Id FROM MenuItem"),
        ("OBJECT", "tooling/MenuItem"),
        ("GET", "tooling/executeAnonymous"),
        ("POST", "tooling/sobjects/ApexClass"),
    ]
