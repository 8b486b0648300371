"""A new practice portal: its account, key, app, owners, properties and pipelines."""

from __future__ import annotations

from typing import Any

from connectors.emulator.hubspot.pipelines import shipped_pipelines
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.properties import SHIPPED_AT, shipped_properties
from connectors.emulator.hubspot.refusals import load
from connectors.emulator.hubspot.stage_dates import add_stage_dates
from connectors.emulator.hubspot.switches import INDEX_LAG_SECONDS

FIRST_OWNER, FIRST_USER = 70_000_001, 4_000_001


def provision(portal: Portal, credentials: dict[str, Any]) -> None:
    account, settings = load("account"), portal.space.settings
    settings["schema_version"] = 0
    settings["portal_id"] = account["portal_id"]
    settings["account"] = dict(account["details"])
    settings["calls_today"] = {"day": "", "count": 0}
    settings["actors"] = {}
    settings["tokens"] = {credentials["token"]: new_token(account["app_id"], account["scopes"], None)}
    app_id, client_id = account["oauth_app_id"], credentials["client_id"]
    settings["apps"] = {
        client_id: {"secret": credentials["client_secret"], "app_id": app_id, "scopes": account["scopes"]}
    }
    settings["refresh_tokens"] = {credentials["refresh_token"]: client_id}
    settings["owners"] = {}
    for person in account["owners"]:
        add_owner(portal, person["login"], person["firstName"], person["lastName"], archived="archived" in person)
    settings["custom_objects"] = {}
    settings["custom_associations"] = []
    settings["association_labels"] = []
    settings["properties"] = shipped_properties()
    settings["property_groups"] = {}
    settings["pipelines"] = shipped_pipelines()
    for kind_name, pipelines in settings["pipelines"].items():
        for pipeline in pipelines:
            add_stage_dates(settings["properties"][kind_name], portal.kinds[kind_name], pipeline)
    settings["gdpr_blocklist"] = []
    settings["consent"] = {}
    settings["left_all"] = {}
    if not portal.world.clock.is_virtual:
        portal.space.visible_delay_seconds = INDEX_LAG_SECONDS
    portal.schema_changed()


def new_token(app_id: str, scopes: list[str], expires_at: str | None) -> dict[str, Any]:
    """A service key never expires; an access token of an OAuth app does."""
    return {"app_id": app_id, "scopes": list(scopes), "expires_at": expires_at}


def add_owner(portal: Portal, login: str, first: str, last: str, *, archived: bool = False) -> dict[str, Any]:
    """Raises ValueError: somebody has that login."""
    owners, email = portal.owners, f"{login}@example.com"
    if any(owner["email"] == email for owner in owners.values()):
        raise ValueError(f"there is an owner {email} already")
    number = len(owners)
    owner: dict[str, Any] = {
        "id": str(FIRST_OWNER + number),
        "email": email,
        "type": "PERSON",
        "firstName": first,
        "lastName": last,
        "userId": None if archived else FIRST_USER + number,
        "userIdIncludingInactive": FIRST_USER + number,
        "createdAt": SHIPPED_AT,
        "updatedAt": SHIPPED_AT,
        "archived": archived,
        "teams": [],
    }
    owners[owner["id"]] = owner
    return owner
