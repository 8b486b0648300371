"""One request as the resources see it: whose it is, which version, and its parameters read HubSpot's way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import orjson

from connectors.emulator.hubspot.access import Access
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.records import Records
from connectors.emulator.hubspot.refusals import bad_request, malformed, missing_scopes, text
from connectors.emulator.world import Actor

API_HOST = "https://api.hubapi.com"
VENDOR = ".hubapi.com"
JAVA_TYPES: dict[type, str] = {
    str: "java.lang.String",
    int: "java.lang.Integer",
    bool: "java.lang.Boolean",
    list: "java.util.ArrayList",
    dict: "java.util.LinkedHashMap",
}
"""HubSpot's error texts speak of the types of its own language."""


@dataclass
class Call:
    """``version`` is ``v3``, ``v4`` or a date; ``host`` is where it was sent.

    ``entries`` are the caller's own names for what it writes.
    """

    portal: Portal
    records: Records
    version: str
    host: str
    path: str
    params: Mapping[str, str]
    query: list[tuple[str, str]]
    raw: bytes
    request_id: str
    access: Access
    entries: tuple[str, ...]

    @cached_property
    def kind(self) -> Kind:
        return self.portal.kind(self.params["object_type"])

    @cached_property
    def actor(self) -> Actor:
        entry_id = self.entries[0] if len(self.entries) == 1 else None
        return Actor(self.access.app_id, "api", "Integration", self.request_id, entry_id)

    @cached_property
    def body(self) -> dict[str, Any]:
        """Raises Refusal: 400 without a category for anything that is no JSON object."""
        found = self.json
        if not isinstance(found, dict):
            raise unreadable(JAVA_TYPES[dict])
        return found

    @cached_property
    def json(self) -> Any:
        """Raises Refusal: 400 without a category for a body that is no JSON."""
        try:
            return orjson.loads(self.raw)
        except orjson.JSONDecodeError as error:
            raise malformed(error.msg, error.lineno, error.colno) from None

    @property
    def is_dated(self) -> bool:
        return not self.version.startswith("v")

    def require(self, any_of: list[str]) -> None:
        """Raises Refusal: 403, the key has none of these scopes."""
        if not self.access.scopes.intersection(any_of):
            raise missing_scopes(any_of)

    def one(self, name: str) -> str | None:
        return next((value for key, value in self.query if key == name), None)

    def many(self, name: str) -> list[str]:
        """A repeated parameter, a comma-joined one, or both."""
        found = [part for key, value in self.query if key == name for part in value.split(",")]
        return [part for part in found if part]

    def flag(self, name: str) -> bool:
        """``true`` in any case: the client library writes ``True``."""
        return (self.one(name) or "").lower() == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """Raises Refusal: 400, no number or beyond the limit."""
        given = self.one(name)
        if given is None:
            return default
        if not is_whole(given) or not 0 < int(given) <= most:
            raise bad_request(text("bad_limit", name=name, value=given, most=most))
        return int(given)

    def whole(self, name: str) -> int:
        """A number in the query, 0 when it is not there. Raises Refusal 400."""
        given = self.one(name) or "0"
        if not is_whole(given):
            raise bad_request(text("bad_after", value=given))
        return int(given)

    def after(self) -> int | None:
        """Where the page begins. Raises Refusal 400."""
        given = self.one("after")
        if given is None:
            return None
        if not is_whole(given):
            raise bad_request(text("bad_after", value=given))
        return int(given)

    def next_page(self, after: str) -> dict[str, Any]:
        """``paging`` of a list that goes on. The link has all that was asked for, as dlt's source follows it.

        It leads to the host that was asked: a client that was told this emulator's address stays here.
        """
        asked = [(name, value) for name, value in self.query if name != "after"]
        return {"next": {"after": after, "link": f"{self._here}{self.path}?{urlencode([*asked, ('after', after)])}"}}

    @property
    def _here(self) -> str:
        return API_HOST if self.host.endswith(VENDOR) else f"http://{self.host}"

    def page_of_associations(self, record_id: str, other: str, after: str) -> dict[str, Any]:
        """``paging`` of a list inside a record: its own resource goes on with it."""
        base = f"/crm/objects/{self.version}" if self.is_dated else f"/crm/{self.version}/objects"
        path = f"{base}/{self.kind.name}/{record_id}/associations/{other}"
        return {"next": {"after": after, "link": f"{self._here}{path}?after={after}"}}

    def object_of(self, name: str) -> dict[str, Any]:
        """An object in the body; absent is empty. Raises Refusal 400."""
        return as_object(self.body.get(name, {}))

    def list_of(self, name: str) -> list[Any]:
        """A list in the body; absent is empty. Raises Refusal 400."""
        return as_list(self.body.get(name))

    def texts_of(self, name: str) -> list[str]:
        return [str(one) for one in self.list_of(name)]


def is_whole(given: str) -> bool:
    return given.isascii() and given.isdecimal() and len(given) <= 18


def as_object(given: Any) -> dict[str, Any]:
    """Raises Refusal: 400 without a category."""
    if not isinstance(given, dict):
        raise unreadable(JAVA_TYPES[dict])
    return given


def as_list(given: Any) -> list[Any]:
    """None is empty. Raises Refusal: 400 without a category."""
    if given is None:
        return []
    if not isinstance(given, list):
        raise unreadable(JAVA_TYPES[list])
    return given


def shaped(given: Any, types: Mapping[str, type]) -> dict[str, Any]:
    """An object whose known parts are of these types; null is the same as not there.

    Raises:
        Refusal: 400 without a category, a part is of another type.
    """
    told = as_object(given)
    for name, wanted in types.items():
        value = told.get(name)
        if value is not None and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
            raise unreadable(JAVA_TYPES[wanted])
    return {name: value for name, value in told.items() if value is not None or name not in types}


def unreadable(java_type: str) -> Exception:
    return malformed(text("wrong_json", type=java_type))
