"""The practice org: its switches, its metadata, its transactions, and which version of a row the API may see.

``space.visible_delay_seconds`` is the late commit: what people and automations write is stamped now and can be seen
by the API only then; before, the API sees the row as it was. A call over the API has committed when it answers.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from connectors.emulator.salesforce import delete_log
from connectors.emulator.salesforce.bulk.jobs import Jobs
from connectors.emulator.salesforce.bulk_one.jobs import Jobs as OldJobs
from connectors.emulator.salesforce.cursors import Cursors
from connectors.emulator.salesforce.fields import person_name
from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.refusals import (
    Refusal,
    is_deleted,
    locked,
    no_such_id,
    not_found,
    unknown_type,
    wrong_id,
)
from connectors.emulator.salesforce.schema import Catalogue, Field, ObjectType
from connectors.emulator.salesforce.stamps import grain
from connectors.emulator.salesforce.switches import SWITCHES
from connectors.emulator.world import Actor, Row, Space, Transaction, World

SYSTEM = "salesforce"
PARENTS = ("AccountId", "OpportunityId", "WhatId", "CampaignId")
"""Whoever writes a child holds these rows too."""

PERSONAL = ("CreatedById", "LastModifiedById", "OwnerId")
"""References nobody looks records up by; an index on them would only cost."""


class Org:
    """One world's Salesforce side."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.space: Space = world.spaces[SYSTEM]
        self.space.keeps_history = self.space.keeps_blanks = False
        self.cursors = Cursors()
        self.jobs = Jobs()
        self.old_jobs = OldJobs()
        self._catalogue = catalogue_for("[[], {}]")
        self._seen_version: int | None = None

    def remember(self, transaction: Transaction) -> None:
        """Whoever still reads what a query found sees the rows as they were."""
        self.cursors.remember(transaction)
        self.jobs.remember(transaction)
        self.old_jobs.remember(transaction)
        delete_log.remember(self.space, transaction)

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def setting(self, name: str) -> Any:
        return self.space.settings.get(name, SWITCHES[name])

    @property
    def catalogue(self) -> Catalogue:
        """The metadata of this moment."""
        settings = self.space.settings
        version = settings.get("schema_version", 0)
        if version != self._seen_version:
            changed = [settings.get("schema_changes", []), settings.get("permissions", {})]
            self._catalogue = catalogue_for(json.dumps(changed))
            self._seen_version = version
            self._add_indexes()
        return self._catalogue

    def kind(self, name: str) -> ObjectType:
        """Raises Refusal (INVALID_TYPE)."""
        found = self.find_kind(name)
        if found is None:
            raise unknown_type(name)
        return found

    def sobject(self, name: str) -> ObjectType:
        """An object named in a path. Raises Refusal (404 NOT_FOUND)."""
        found = self.find_kind(name)
        if found is None:
            raise not_found()
        return found

    def find_kind(self, name: str) -> ObjectType | None:
        """An object as a caller names it. One that is not here at all is noted: a real org may well have it."""
        catalogue = self.catalogue
        if name and not catalogue.knows(name):
            self.note_unknown("OBJECT", name)
        return catalogue.find(name)

    def note_unknown(self, what: str, text: str) -> None:
        """For ``GET /unknown`` of the admin side. ``what`` is an HTTP method, SOAP, SOQL or OBJECT."""
        self.world.unknown.append({"system": SYSTEM, "method": what, "path": text})

    def user_id(self, login: str) -> str:
        return str(self.space.settings["users"][login])

    def user_name(self, user_id: str) -> str:
        user = self.space.row("User", user_id)
        return (person_name(user.values) if user is not None else None) or ""

    def identity_address(self, user_id: str) -> str:
        return f"https://login.salesforce.com/id/{self.space.settings['org_id']}/{user_id}"

    def author(self, actor: Actor) -> str:
        """The user a row shows as its last editor: an actor who is no user here is the automated process."""
        return actor.id if self.space.row("User", actor.id) is not None else self.user_id("automated")

    # Rows ------------------------------------------------------------------------------------------------------------

    def rows(self, kind: ObjectType) -> Iterable[Row]:
        """Every row as committed, deleted ones included, in no promised order."""
        now = self.now
        table = self.space.table(kind.name)
        waiting = self.waiting
        if not waiting:
            return [row for row in table.values() if row.visible_at <= now]
        found = (row if row.visible_at <= now else waiting.get(row.id) for row in table.values())
        return [row for row in found if row is not None]

    def row(self, object_name: str, record_id: str) -> Row | None:
        """One row as committed."""
        row = self.space.row(object_name, record_id)
        if row is None or row.visible_at <= self.now:
            return row
        return self.waiting.get(record_id)

    def rows_with(self, kind: ObjectType, item: Field, value: Any) -> list[Row]:
        """Rows as committed whose field has this value, text in any case, deleted ones included; by index if any.

        No index knows the rows of before an outstanding late commit.
        """
        if not self.waiting and (kind.name, item.name) in self.space.indexes:
            rows = (self.row(kind.name, row_id) for row_id in self.space.lookup(kind.name, item.name, value))
            return [row for row in rows if row is not None]
        wanted = folded(value)
        return [row for row in self.rows(kind) if folded(row.values.get(item.name)) == wanted]

    def rows_stamped(self, kind: ObjectType, start: datetime | None, end: datetime | None) -> list[Row]:
        """All rows as committed whose stamp lies in this span, and some others."""
        ids = dict.fromkeys(self.space.stamped(kind.name, start, end))
        ids.update(dict.fromkeys(self.waiting))
        found = (self.row(kind.name, each) for each in ids)
        return [row for row in found if row is not None]

    def is_purged(self, row: Row) -> bool:
        """Deleted so long ago that it left the recycle bin."""
        return row.deleted_at is not None and self.now - row.deleted_at > timedelta(days=self.setting("bin_days"))

    @property
    def waiting(self) -> dict[str, Row | None]:
        """{id: the row before its outstanding late commit}; None where there was no row before."""
        found: dict[str, Row | None] = self.space.settings.setdefault("uncommitted", {})
        return found

    def find_row(self, kind: ObjectType, text: str) -> Row:
        """A live row for reading. Raises Refusal: no id of this object, never existed, deleted."""
        record_id = self.checked_id(kind, text)
        row = self.row(kind.name, record_id)
        if row is None or self.is_purged(row):
            raise not_found()
        if row.deleted:
            raise is_deleted()
        return row

    def row_to_write(self, kind: ObjectType, text: str, *, missing: Refusal | None = None) -> Row:
        """A live row that nobody holds. Raises Refusal; ``missing`` is what is said of an id that names nothing."""
        if missing is None and self.setting("vanished_row") != "NOT_FOUND" and full_id(text) is not None:
            missing = no_such_id()
        try:
            self.find_row(kind, text)
        except Refusal as refusal:
            raise (missing if missing is not None and refusal.code == "NOT_FOUND" else refusal) from None
        row = self.space.table(kind.name)[self.checked_id(kind, text)]
        self.check_lock(row)
        return row

    def checked_id(self, kind: ObjectType, text: str) -> str:
        """The 18-character id. Raises Refusal (MALFORMED_ID, or 404 when it is no id at all)."""
        record_id = full_id(text)
        if record_id is None:
            raise not_found(f"Provided external ID field does not exist or is not accessible: {text}")
        if record_id[:3] != kind.prefix:
            if self.catalogue.with_prefix(record_id) is None:
                raise not_found()
            raise wrong_id(f"{kind.label} ID", text, "Id")
        return record_id

    def check_lock(self, row: Row) -> None:
        """Raises Refusal: another transaction, or an approval process, holds the row."""
        if self.is_held(row.id) or any(self.is_held(row.values.get(name)) for name in PARENTS):
            raise locked(row.id)
        if row.visible_at > self.now and self.setting("open_transactions_lock"):
            raise locked(row.id)
        if row.id in self.setting("in_approval"):
            text = "This record is locked. If you need to edit it, contact your admin."
            raise Refusal(400, "ENTITY_IS_LOCKED", text, ())

    def is_held(self, record_id: str | None) -> bool:
        """By another transaction, or as the parent of rows that a collection call has just written."""
        if record_id is None:
            return False
        until = self._held_parents.get(record_id)
        return record_id in self.setting("locked_rows") or (until is not None and until > self.now.isoformat())

    def hold_parents(self, touched: Iterable[tuple[str, str]]) -> None:
        """After a collection call: it keeps the parents of its rows for as long as the switch says it takes."""
        seconds = float(self.setting("collection_seconds"))
        if not seconds:
            return
        until = (self.now + timedelta(seconds=seconds)).isoformat()
        for object_name, record_id in touched:
            row = self.space.row(object_name, record_id)
            parents = [row.values.get(name) for name in PARENTS] if row is not None else []
            self._held_parents.update({parent: until for parent in parents if parent})

    @property
    def _held_parents(self) -> dict[str, str]:
        found: dict[str, str] = self.space.settings.setdefault("held_parents", {})
        return found

    # Transactions ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def committed(self, actor: Actor) -> Iterator[Transaction]:
        """A call over the API: what it wrote can be seen as soon as it answers, whatever the late-commit switch."""
        delay, self.space.visible_delay_seconds = self.space.visible_delay_seconds, 0.0
        try:
            with self.world.transaction(SYSTEM, actor) as transaction:
                yield transaction
                self._settle(transaction)
        finally:
            self.space.visible_delay_seconds = delay

    @contextlib.contextmanager
    def committed_late(self, actor: Actor) -> Iterator[Transaction]:
        """What people and automations do: the API keeps seeing the rows of before until the commit."""
        with self.world.transaction(SYSTEM, actor) as transaction:
            yield transaction
            self._settle(transaction)
            self._remember_versions(transaction)

    def _settle(self, transaction: Transaction) -> None:
        """Stamps have a grain of one second."""
        for object_name, record_id in transaction.touched:
            row = self.space.row(object_name, record_id)
            if row is not None and (row.stamp.microsecond or row.created_at.microsecond or row.modified_at.microsecond):
                row.created_at, row.stamp = grain(row.created_at), grain(row.stamp)
                row.modified_at = grain(row.modified_at)

    def _remember_versions(self, transaction: Transaction) -> None:
        waiting, now = self.waiting, self.now
        for record_id in [each for each in waiting if not self._is_outstanding(each, now)]:
            del waiting[record_id]
        if self.space.visible_delay_seconds > 0:
            for record_id, before in transaction.originals():
                waiting.setdefault(record_id, before)

    def _is_outstanding(self, record_id: str, now: datetime) -> bool:
        kind = self.catalogue.with_prefix(record_id)
        row = self.space.row(kind.name, record_id) if kind is not None else None
        return row is not None and row.visible_at > now

    def _add_indexes(self) -> None:
        for kind in self._catalogue.objects.values():
            for item in kind.fields.values():
                is_key = item.computed is None and (item.id_lookup or item.unique)
                is_parent = item in kind.references and item.computed is None and item.name not in PERSONAL
                if (is_key or is_parent) and (kind.name, item.name) not in self.space.indexes:
                    if item.is_id:
                        self.space.add_index(kind.name, item.name)
                    else:
                        self.space.add_index(kind.name, item.name, folded)


def folded(value: Any) -> Any:
    """Without regard to case; a text in lower case already is kept, not copied."""
    if not isinstance(value, str):
        return value
    lower = value.lower()
    return value if lower == value else lower


@lru_cache(maxsize=16)
def catalogue_for(changed: str) -> Catalogue:
    """``changed``: JSON of [schema changes, permissions]. A catalogue never changes, so all orgs share them."""
    changes, permissions = json.loads(changed)
    return Catalogue(changes, permissions)
