"""One call as the handlers see it, whether it came over the wire or inside a composite, and its answer."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from connectors.emulator.salesforce.checks import Terms
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.world import Actor, Transaction

NOTHING = object()
"""No body at all, as in 204 and 304; ``None`` would be the JSON null."""


@dataclass(slots=True)
class Answer:
    """``text`` is sent as it is, in place of a JSON document; its content type is among the headers."""

    status: int = 200
    document: Any = NOTHING
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None


@dataclass(slots=True)
class Call:
    """``path`` is relative to the versioned root; ``places`` are its named parts; header names are lower-case.

    ``entries`` are the caller's ledger entries from its request header, for the audit only. ``outer`` is the
    transaction of the composite this call is part of. ``area`` is "tooling" for that API: part of its addresses.
    """

    org: Org
    method: str
    version: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    user_id: str
    request_id: str | None = None
    entries: tuple[str, ...] = ()
    body: bytes = b""
    given: Any = NOTHING
    places: dict[str, str] = field(default_factory=dict)
    route: str = ""
    outer: Transaction | None = None
    area: str = ""

    def at(self, route: str, places: dict[str, str]) -> Call:
        return replace(self, route=route, places=places)

    @property
    def actor(self) -> Actor:
        entry = self.entries[0] if len(self.entries) == 1 else None
        return Actor(self.user_id, "api", self.org.user_name(self.user_id), self.request_id, entry)

    def document(self) -> Any:
        """The body as JSON.

        Raises:
            Refusal: no JSON, or of another content type.
        """
        if self.given is not NOTHING:
            return self.given
        kind = self.headers.get("content-type", "application/json")
        if not kind.startswith("application/json"):
            raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-type '{kind}' not supported")
        try:
            return orjson.loads(self.plain_body())
        except orjson.JSONDecodeError as error:
            place = f"[line:{error.lineno}, column:{error.colno}]"
            raise Refusal(400, "JSON_PARSER_ERROR", f"{error.msg} at {place}") from None

    def fields(self) -> dict[str, Any]:
        """The body as one JSON object. Raises Refusal."""
        found = self.document()
        if not isinstance(found, dict):
            raise Refusal(
                400, "JSON_PARSER_ERROR", "The HTTP entity body must be one JSON object at [line:1, column:1]"
            )
        return found

    def terms(self) -> Terms:
        """How this caller wants its rows saved. Assignment rules run unless the header says FALSE."""
        rule = directives(self.headers.get("sforce-duplicate-rule-header", ""))
        return Terms(
            user_id=self.user_id,
            assigns=self.headers.get("sforce-auto-assign", "TRUE").upper() != "FALSE",
            allows_duplicates=rule.get("allowsave", "").lower() == "true",
            shows_duplicates=rule.get("includerecorddetails", "").lower() == "true",
        )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction of its own, or part of the composite's."""
        if self.outer is None:
            with self.org.committed(self.actor) as transaction:
                yield transaction
            return
        with self.org.world.attempt(self.outer) as nested:
            yield nested
            if len(self.entries) == 1:
                nested.entry_ids.update(dict.fromkeys(nested.touched, self.entries[0]))

    def url(self, *steps: str) -> str:
        root = f"/services/data/{self.version}"
        return "/".join((root, self.area, *steps) if self.area else (root, *steps))

    def plain_body(self) -> bytes:
        if self.headers.get("content-encoding", "").lower() != "gzip":
            return self.body
        try:
            return gzip.decompress(self.body)
        except (OSError, EOFError, zlib.error):
            raise Refusal(400, "JSON_PARSER_ERROR", "Not in GZIP format at [line:1, column:1]") from None


def directives(header: str) -> dict[str, str]:
    """``allowSave=true; includeRecordDetails=true`` → {"allowsave": "true", …}."""
    pairs = (part.partition("=") for part in header.replace(",", ";").split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
