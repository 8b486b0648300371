"""The scopes that a key needs for what the policies do: object scopes for records, schema scopes for their properties.

No ``*.schemas.write``, no export, no privacy deletion: Truce makes no properties and takes nobody's data out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Literal

from agent.declaration import Retiring, Rights, Use

OWNERS = "crm.objects.owners.read"
CONSENT = ("communication_preferences.read", "communication_preferences.write")
ALWAYS_THERE = frozenset({"oauth"})
"""HubSpot adds it to every key by itself."""

_WITH_CONTACTS = frozenset({"tasks", "notes", "calls", "emails", "meetings"})
_STANDARD = frozenset({"contacts", "companies", "deals", "leads", "quotes"})

_NEWEST = "2026-09"
_LAST_DAYS = {
    "v3": ("HubSpot's numbered API versions (associations and consent are v4)", date(2027, 3, 30)),
    "2026-03": ("version 2026-03 of HubSpot's API", date(2027, 9, 30)),
    "2026-09": ("version 2026-09 of HubSpot's API", date(2028, 3, 31)),
}
"""HubSpot's changelog: v4 leaves support on 30 March 2027, v1 to v3 in September; a dated one after 18 months."""


def rights(uses: Sequence[Use]) -> Rights:
    """One list of scopes for the service key."""
    named = tuple(dict.fromkeys([OWNERS, *(scope for use in uses for scope in _scopes(use))]))
    steps = (
        "Settings > Integrations > Service keys > Create: tick exactly these scopes",
        "truce secrets set hubspot.token",
    )
    return Rights(tuple(sorted(named)), "hubspot-scopes.txt", "\n".join(sorted(named)) + "\n", steps)


def retiring(api_version: Literal["v3", "2026-03", "2026-09"]) -> Sequence[Retiring]:
    what, last_day = _LAST_DAYS[api_version]
    step = f"in config.yaml under hubspot: api_version: {_NEWEST}"
    if api_version == _NEWEST:
        step = "install a newer Truce: this one knows no later version"
    return [Retiring(what, last_day, step)]


def _scopes(use: Use) -> Iterator[str]:
    if use.object_type == "tickets":
        yield "tickets"
        return
    name = "contacts" if use.object_type in _WITH_CONTACTS else use.object_type
    name = name if name in _STANDARD else "custom"
    yield f"crm.objects.{name}.read"
    yield f"crm.schemas.{name}.read"
    if use.writes or use.creates:
        yield f"crm.objects.{name}.write"
    if use.opts_out:
        yield from CONSENT
