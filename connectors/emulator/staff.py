"""Who works at the practice company: the people both vendors know, found by their e-mail."""

from __future__ import annotations

from typing import Any

from connectors.emulator.world import Space, World

USUAL_PERSON = "anna"
"""Who acts when nobody is named."""


def user_id(space: Space, login: str) -> str | None:
    """What the audit and the vendor's own stamps call this person, e.g. a Salesforce user id."""
    if space.system == "salesforce":
        known: dict[str, str] = space.settings.get("users", {})
        return known.get(login)
    for owner in hubspot_owners(space):
        if owner["email"].partition("@")[0] == login:
            return str(owner["userIdIncludingInactive"])
    return None


def hubspot_owners(space: Space) -> list[dict[str, Any]]:
    """The portal's owners, however it files them: in a row or by id."""
    filed = space.settings.get("owners", [])
    return list(filed.values()) if isinstance(filed, dict) else list(filed)


def owners(world: World) -> list[dict[str, Any]]:
    """Who can own records in both systems, by e-mail; active ones first: {email, salesforce, hubspot, active}.

    Raises:
        ValueError: nobody active can own records in both.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in world.spaces["salesforce"].table("User").values():
        email = str(row.values.get("Email") or "").lower()
        found[email] = {"email": email, "salesforce": row.id, "active": bool(row.values.get("IsActive"))}
    for owner in hubspot_owners(world.spaces["hubspot"]):
        here = found.get(owner["email"].lower())
        if here is not None:
            here.update(hubspot=owner["id"], active=here["active"] and not owner["archived"])
    both = [owner for owner in found.values() if "hubspot" in owner]
    if not any(owner["active"] for owner in both):
        raise ValueError("no active user has the same e-mail in both systems, so nobody can own the practice records")
    return sorted(both, key=lambda owner: (not owner["active"], owner["email"]))
