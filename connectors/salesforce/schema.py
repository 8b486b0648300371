"""What the integration user may see and write, from describe, asked again cheaply.

A field hidden by field-level security is simply missing from describe and unknown to queries; nothing here turns
that into a blank. Compound fields (addresses, locations) are left out: their parts are fields of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from importlib.resources import files
from threading import RLock
from typing import Any, cast

from agent.connector import Choice, FieldSchema, FieldType, ObjectSchema
from agent.errors import BadReply, NotFound
from connectors.salesforce.calls import Calls, Reply, Request
from connectors.salesforce.failures import SYSTEM, Failure, as_error
from connectors.salesforce.ids import is_api_name

FRESH_SECONDS = 600.0
"""How long a description is trusted without asking; a refused query or an unknown field asks at once."""

RIDES_AFTER_SECONDS = 300.0
"""A description older than this comes along where a composite call is made anyway, so that it costs none of its own."""

_NO_CHILD_ENDINGS = ("History", "Feed", "Share", "ChangeEvent")
_NO_CHILDREN = frozenset(
    json.loads(files(__package__).joinpath("no_children.json").read_text(encoding="utf-8"))["objects"]
)
_SETTLED = timedelta(seconds=2)
_TYPES = cast(
    dict[str, FieldType],
    json.loads(files(__package__).joinpath("field_types.json").read_text(encoding="utf-8")),
)


@dataclass(frozen=True, slots=True)
class ChildRelation:
    """``object_type`` has a ``field`` that points at the object described; ``name`` is that of the relationship."""

    object_type: str
    field: str
    name: str


@dataclass(frozen=True, slots=True)
class Description:
    """One object as described at ``fetched`` (monotonic seconds). ``prefix`` starts every id of it."""

    schema: ObjectSchema
    prefix: str
    filterable: frozenset[str]
    fetched: float
    condition: str | None
    """HTTP date for If-Modified-Since, or None while it would prove nothing."""
    children: tuple[ChildRelation, ...] = ()

    def visible(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that our user can read, each once, in order."""
        return [name for name in dict.fromkeys(names) if name in self.schema.fields]


class Schemas:
    """Descriptions by object type. ``clock`` is monotonic seconds."""

    def __init__(self, calls: Calls, clock: Callable[[], float]) -> None:
        self._calls = calls
        self._clock = clock
        self._known: dict[str, Description] = {}
        self._asking = RLock()

    def of(self, object_type: str) -> Description:
        """The description at hand, asked again when it is older than ``FRESH_SECONDS``. Raises like ``fetch``."""
        return self.seen_within(object_type, FRESH_SECONDS)

    def seen_within(self, object_type: str, seconds: float) -> Description:
        """The description at hand if it is no older than this, else as ``fetch``."""
        with self._asking:
            known = self._known.get(object_type)
            if known is not None and self._clock() - known.fetched < seconds:
                return known
            return self.fetch(object_type)

    def fetch(self, object_type: str) -> Description:
        """Ask the vendor now; a 304 keeps what is known.

        Raises:
            NotFound: no such object, or hidden from our user. AccessDenied, Unavailable, BadReply.
        """
        if not is_api_name(object_type):
            raise _unknown(object_type)
        known = self._known.get(object_type)
        answer = self._calls.send(Request("GET", path_of(object_type), headers=_only_news(known)))
        if isinstance(answer, Failure):
            if known is None or answer.status != 304:
                raise _refusal(object_type, answer)
            return self._still(known)
        return self._seen(object_type, answer)

    def riding(self, object_type: str) -> Mapping[str, str] | None:
        """The headers with which to ask for this description in a call that is made anyway; None: not yet."""
        known = self._known.get(object_type)
        if known is None or self._clock() - known.fetched < RIDES_AFTER_SECONDS:
            return None
        return _only_news(known)

    def arrived(self, object_type: str, status: int, reply: Reply) -> None:
        """What came of that; an answer of no use is left, and the next who needs it asks alone."""
        known = self._known.get(object_type)
        if status == 304 and known is not None:
            self._still(known)
        elif status == 200:
            with suppress(BadReply, NotFound):
                self._seen(object_type, reply)

    def _still(self, known: Description) -> Description:
        return self._keep(replace(known, fetched=self._clock()))

    def _seen(self, object_type: str, reply: Reply) -> Description:
        return self._keep(_described(object_type, reply, self._clock()))

    def _keep(self, described: Description) -> Description:
        self._known[described.schema.object_type] = described
        return described


def path_of(object_type: str) -> str:
    """Where a description is, below the API's root."""
    return f"sobjects/{object_type}/describe"


def _only_news(known: Description | None) -> dict[str, str]:
    """The header that asks for a description only if it has changed."""
    return {"If-Modified-Since": known.condition} if known is not None and known.condition else {}


def _described(object_type: str, reply: Reply, fetched: float) -> Description:
    body = reply.body
    entries = body.get("fields") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise BadReply(f"the description of {object_type} has no field list", system=SYSTEM)
    if body.get("name") != object_type:
        raise _unknown(object_type, str(body.get("name")))  # Salesforce itself does not mind the case of names
    fields = [_field(entry) for entry in entries if entry.get("type") in _TYPES]
    schema = ObjectSchema(
        system=SYSTEM,
        object_type=object_type,
        label=str(body.get("label") or object_type),
        fields={item.name: item for item in fields},
        can_create=bool(body.get("createable")),
        can_update=bool(body.get("updateable")),
        can_delete=bool(body.get("deletable")),
        can_merge=bool(body.get("mergeable")),
        can_undelete=bool(body.get("undeletable")),
    )
    filterable = frozenset(entry["name"] for entry in entries if entry.get("filterable", True))
    children = tuple(_children(body.get("childRelationships")))
    return Description(schema, str(body.get("keyPrefix") or ""), filterable, fetched, _condition(reply), children)


def _children(entries: Any) -> Iterator[ChildRelation]:
    """Records that hang on one: not its history, shares and feed, nor Salesforce's own views of the same records."""
    for entry in entries if isinstance(entries, list) else ():
        name, kind, field = (entry.get(key) for key in ("relationshipName", "childSObject", "field"))
        names = [each for each in (name, kind, field) if isinstance(each, str) and is_api_name(each)]
        if len(names) == 3 and not entry.get("deprecatedAndHidden") and not _is_no_child(str(kind)):
            yield ChildRelation(str(kind), str(field), str(name))


def _is_no_child(object_type: str) -> bool:
    return object_type in _NO_CHILDREN or object_type.endswith(_NO_CHILD_ENDINGS)


def _field(entry: Mapping[str, Any]) -> FieldSchema:
    is_calculated = bool(entry.get("calculated"))
    creatable = bool(entry.get("createable")) and not is_calculated
    return FieldSchema(
        name=str(entry["name"]),
        label=str(entry.get("label") or entry["name"]),
        type=_TYPES[entry["type"]],
        writable=bool(entry.get("updateable")) and not is_calculated,
        creatable=creatable,
        # a checkbox is never blank, so it is never missing
        required=creatable
        and not entry.get("nillable")
        and not entry.get("defaultedOnCreate")
        and entry["type"] != "boolean",
        unique=bool(entry.get("unique")),
        length=entry.get("length") or None,
        choices=tuple(
            Choice(str(choice["value"]), str(choice.get("label") or choice["value"]))
            for choice in entry.get("picklistValues") or ()
            if choice.get("active")
        ),
        restricted=bool(entry.get("restrictedPicklist")),
    )


def _condition(reply: Reply) -> str | None:
    """When to ask "since". Stamps are whole seconds, so one of the very second we asked in may change once more."""
    if reply.at is None:
        return None
    try:
        changed_at = parsedate_to_datetime(reply.last_modified) if reply.last_modified else reply.at - _SETTLED
    except ValueError:
        return None
    if changed_at.tzinfo is None:
        changed_at = changed_at.replace(tzinfo=UTC)
    if reply.at - changed_at < _SETTLED:
        return None
    return http_date(changed_at)


def http_date(moment: datetime) -> str:
    """``Tue, 24 Nov 2026 10:00:00 GMT``; fractions of a second are dropped."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def _refusal(object_type: str, failure: Failure) -> Exception:
    is_unknown = failure.status == 404 or failure.code == "INVALID_TYPE"
    return _unknown(object_type) if is_unknown else as_error(failure, f"describing {object_type}")


def _unknown(object_type: str, meant: str = "") -> NotFound:
    return NotFound(
        f"Salesforce has no object {object_type!r}, or hides it from the integration user",
        where="salesforce",
        why=f"it answers to {meant!r}" if meant else "",
        next_step="truce doctor",
    )
