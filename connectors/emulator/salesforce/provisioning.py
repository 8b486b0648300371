"""What a new practice org holds before anybody works in it: the organization, its people, one queue, its stages."""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce.ids import new_id
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.saving import new_row
from connectors.emulator.salesforce.schema import stages
from connectors.emulator.salesforce.switches import API_USER
from connectors.emulator.world import Actor, Transaction

SETUP = Actor("setup", "system", "Setup")
QUEUES = {"Lead": "Inbound", "Case": "Support"}
"""{object: the queue that the shipped assignment rule gives its records to}"""

PEOPLE = (
    (API_USER, "Integration", "User", True), ("anna", "Anna", "Berg", True), ("ben", "Ben", "Okafor", True),
    ("kim", "Kim", "Tran", True), ("lee", "Lee", "Moreno", True), ("sam", "Sam", "Rossi", True),
    ("dana", "Dana", "Novak", False), ("automated", "Automated", "Process", True),
)  # fmt: skip
"""(login, first name, last name, active). Automated Process owns what no person and no API call did."""

DEFAULT_PERSON = "anna"
USERNAMES = "practice.example.com"
PASSWORD, SECURITY_TOKEN, REFRESH_TOKEN = "practice-password", "practice-security-token", "practice-refresh-token"
"""For the older ways to log in as the API user. Made up: they open nothing but this emulator."""

ADMINISTRATOR, STANDARD, AUTOMATED = "System Administrator", "Standard User", "Automated Process"
"""Profiles of the API user, of people, of what no person does."""

ROLE = "Sales"
CONVERTED_STATUS = "Closed - Converted"


def provision(org: Org, credentials: dict[str, Any]) -> None:
    """``credentials`` has client_id, client_secret and domain."""
    settings = org.space.settings
    settings["clients"] = {credentials["client_id"]: credentials["client_secret"]}
    settings["domain"] = credentials["domain"]
    settings["tokens"] = {}
    settings["certificates"] = {}
    """{client id: PEM of the certificate or public key that checks the app's JWTs}"""
    settings["schema_changed_at"] = org.now.isoformat()
    settings["org_id"] = new_id("00D", 1)
    with org.committed(SETUP) as transaction:
        settings["users"] = {login: next_user_id(org) for login, *_ in PEOPLE}
        _add_profiles_and_role(org, transaction)
        for login, first, last, active in PEOPLE:
            add_user(org, transaction, login, first, last, active=active)
        api_user = settings["users"][API_USER]
        settings["passwords"] = {f"{API_USER}@{USERNAMES}": [api_user, PASSWORD, SECURITY_TOKEN]}
        settings["refresh_tokens"] = {REFRESH_TOKEN: api_user}
        settings["default_person"] = settings["users"][DEFAULT_PERSON]
        _add_organization(org, transaction)
        book = {"Name": "Standard Price Book", "IsActive": True, "IsStandard": True}
        new_row(org, transaction, org.kind("Pricebook2"), book)
        for object_name, queue in QUEUES.items():
            _add_queue(org, transaction, object_name, queue)
        _add_lead_statuses(org, transaction)
        _add_opportunity_stages(org, transaction)


def next_user_id(org: Org) -> str:
    return new_id("005", org.space.next_number("005"))


def add_user(
    org: Org, transaction: Transaction, login: str, first: str, last: str, *, active: bool, email: str | None = None
) -> None:
    """A user whose id is known already. The username looks like an address and is none: mail goes to ``email``."""
    values = {
        "Username": f"{login}@{USERNAMES}",
        "FirstName": first,
        "LastName": last,
        "Email": email or f"{login}@example.com",
        "Alias": login[:8],
        "IsActive": active,
        "TimeZoneSidKey": "GMT",
        "LanguageLocaleKey": "en_US",
        "UserType": "AutomatedProcess" if login == "automated" else "Standard",
        "ProfileId": _id_named(org, "Profile", _profile_of(login)),
        "UserRoleId": None if login in (API_USER, "automated") else _id_named(org, "UserRole", ROLE),
    }
    new_row(org, transaction, org.kind("User"), values, org.user_id(login))


def _profile_of(login: str) -> str:
    return {API_USER: ADMINISTRATOR, "automated": AUTOMATED}.get(login, STANDARD)


def _id_named(org: Org, object_name: str, name: str) -> str | None:
    """None in a world that was made before there were any."""
    rows = org.space.table(object_name).values()
    return next((row.id for row in rows if row.values["Name"] == name), None)


def _add_profiles_and_role(org: Org, transaction: Transaction) -> None:
    for name in (ADMINISTRATOR, STANDARD, AUTOMATED):
        kind = "AutomatedProcess" if name == AUTOMATED else "Standard"
        new_row(org, transaction, org.kind("Profile"), {"Name": name, "UserType": kind})
    role = {"Name": ROLE, "DeveloperName": ROLE, "OpportunityAccessForAccountOwner": "Edit", "PortalType": "None"}
    new_row(org, transaction, org.kind("UserRole"), role)


def _add_organization(org: Org, transaction: Transaction) -> None:
    values = {
        "Name": "Practice Company",
        "IsSandbox": False,
        "OrganizationType": "Developer Edition",
        "TimeZoneSidKey": "America/New_York",
        "DefaultLocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US",
        "InstanceName": "PRAC1",
    }
    new_row(org, transaction, org.kind("Organization"), values, org.space.settings["org_id"])


def _add_queue(org: Org, transaction: Transaction, object_name: str, name: str) -> None:
    queue = {"Name": name, "DeveloperName": name, "Type": "Queue"}
    queue_id = new_row(org, transaction, org.kind("Group"), queue).id
    org.space.settings.setdefault("assigned_to", {})[object_name] = queue_id
    new_row(org, transaction, org.kind("QueueSobject"), {"QueueId": queue_id, "SobjectType": object_name})
    for login in ("anna", "ben"):
        member = {"GroupId": queue_id, "UserOrGroupId": org.user_id(login)}
        new_row(org, transaction, org.kind("GroupMember"), member)


def _add_lead_statuses(org: Org, transaction: Transaction) -> None:
    for order, name in enumerate(org.kind("Lead").fields["Status"].choices, 1):
        values = {
            "ApiName": name,
            "MasterLabel": name,
            "SortOrder": order,
            "IsDefault": order == 1,
            "IsConverted": name == CONVERTED_STATUS,
        }
        new_row(org, transaction, org.kind("LeadStatus"), values)


def _add_opportunity_stages(org: Org, transaction: Transaction) -> None:
    for order, (name, stage) in enumerate(stages().items(), 1):
        values = {
            "ApiName": name,
            "MasterLabel": name,
            "IsActive": True,
            "SortOrder": order,
            "IsClosed": stage["closed"],
            "IsWon": stage["won"],
            "DefaultProbability": float(stage["probability"]),
            "ForecastCategory": stage["forecast"],
            "ForecastCategoryName": stage["forecast"],
        }
        new_row(org, transaction, org.kind("OpportunityStage"), values)
