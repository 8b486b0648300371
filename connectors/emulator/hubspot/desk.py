"""What people and administrators do in the practice portal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from connectors.emulator.hubspot.association_types import direction_between
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.lifecycle import follow
from connectors.emulator.hubspot.merging import merge
from connectors.emulator.hubspot.portal import SYSTEM, Portal
from connectors.emulator.hubspot.properties import DEFAULT_WIDGET, Definition, listed, new_definition
from connectors.emulator.hubspot.provisioning import add_owner, provision
from connectors.emulator.hubspot.records import Records
from connectors.emulator.hubspot.refusals import Refusal
from connectors.emulator.hubspot.switches import DEFAULTS
from connectors.emulator.hubspot.times import wire
from connectors.emulator.sharing import SharedTexts
from connectors.emulator.world import Actor, Row, Transaction, World

SETUP = Actor("setup", "system", "Setup")
IMPORT = Actor("import", "system", "Import")
PERMISSIONS: dict[str, tuple[str, Any]] = {
    "hide": ("dataSensitivity", "sensitive"),
    "show": ("dataSensitivity", "non_sensitive"),
    "read_only": ("readOnlyValue", True),
    "writable": ("readOnlyValue", False),
}


class Desk:
    """See ``connectors.emulator.practice.Desk`` for the contract."""

    switches = frozenset(DEFAULTS)

    def __init__(self, world: World) -> None:
        self.world = world
        self.portal = Portal(world)
        self.records = Records(self.portal)
        self.space = world.spaces[SYSTEM]
        self._texts = SharedTexts()

    def provision(self, credentials: dict[str, Any]) -> None:
        provision(self.portal, credentials)

    def create(self, object_type: str, values: dict[str, Any], *, actor: Actor) -> str:
        kind = self._kind(object_type)
        with self._work(actor) as transaction:
            done = self.records.create(transaction, kind, values)
        follow(self.portal, [done])
        return done.row.id

    def edit(self, object_type: str, record_id: str, values: dict[str, Any], *, actor: Actor) -> None:
        kind, row = self._row(object_type, record_id)
        with self._work(actor) as transaction:
            done = self.records.update(transaction, kind, row, values)
        follow(self.portal, [done])

    def delete(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        _, row = self._row(object_type, record_id)
        with self._work(actor) as transaction:
            self.records.archive(transaction, row)

    def undelete(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        """Out of the recycle bin: the one thing that only people can do."""
        kind = self._kind(object_type)
        row = self.space.row(kind.name, str(record_id))
        if row is None or not row.deleted or row.merged_into is not None or self.portal.is_forgotten(row):
            raise ValueError(f"{object_type} {record_id} is not archived")
        with self._work(actor) as transaction:
            self.records.restore(transaction, kind, row)

    def purge(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        """For good, out of the recycle bin too: for privacy, as HubSpot's pages offer it for contacts."""
        row = self.space.row(self._kind(object_type).name, str(record_id))
        if row is None:
            raise KeyError(f"no {object_type} {record_id}")
        with self._work(actor) as transaction:
            self.records.purge(transaction, row)

    def merge(self, object_type: str, survivor_id: str, loser_id: str, *, actor: Actor) -> str:
        kind, survivor = self._row(object_type, survivor_id)
        _, loser = self._row(object_type, loser_id)
        if not kind.mergeable:
            raise ValueError(f"{kind.name} cannot be merged")
        with self._work(actor) as transaction:
            return merge(self.records, transaction, kind, survivor, loser).id

    def convert(self, lead_id: str, *, actor: Actor, **options: Any) -> dict[str, Any]:
        raise ValueError("HubSpot has no lead conversion")

    def schema(self, change: dict[str, Any]) -> dict[str, Any]:
        """{object, add: {name, type, …}} | {object, remove: name} | {object, alter: {name, …}}.

        Keys of a property are those of the wire; ``options`` may be values alone.
        """
        kind = self._kind(change["object"])
        known: dict[str, Definition] = self.space.settings["properties"][kind.name]
        if "add" in change:
            told = _told(change["add"])
            if told["type"] not in DEFAULT_WIDGET:
                raise ValueError(f"there is no property type {told['type']!r}")
            if told["name"] in known:
                raise ValueError(f"{kind.name} have a property {told['name']} already")
            known[told["name"]] = new_definition(kind, told, wire(self.portal.now()))
        elif "remove" in change:
            self._definition(kind, change["remove"])
            del known[change["remove"]]
        elif "alter" in change:
            told = _told(change["alter"])
            self._definition(kind, told["name"]).update(told)
        else:
            raise ValueError("say one of add, remove or alter")
        self.portal.schema_changed()
        return {"object": kind.name, "properties": sorted(known)}

    def permissions(self, change: dict[str, Any]) -> dict[str, Any]:
        """{token?, remove_scope | add_scope} | {object, hide | show | read_only | writable: name}."""
        if "object" not in change:
            return self._scopes(change)
        kind = self._kind(change["object"])
        verbs = [verb for verb in PERMISSIONS if verb in change]
        if len(verbs) != 1:
            raise ValueError(f"say one of {', '.join(PERMISSIONS)}")
        definition = self._definition(kind, change[verbs[0]])
        key, value = PERMISSIONS[verbs[0]]
        holder = definition if key in definition else definition["modificationMetadata"]
        holder[key] = value
        self.portal.schema_changed()
        return {"object": kind.name, "property": definition["name"], key: value}

    def users(self, change: dict[str, Any]) -> dict[str, Any]:
        """{add: {login, first, last}} | {deactivate: owner id} | {activate: owner id}."""
        if "add" in change:
            wanted = change["add"]
            return add_owner(self.portal, wanted["login"], wanted.get("first", ""), wanted.get("last", ""))
        verbs = [verb for verb in ("activate", "deactivate") if verb in change]
        if len(verbs) != 1:
            raise ValueError("say one of add, activate or deactivate")
        owner = self.portal.owners.get(str(change[verbs[0]]))
        if owner is None:
            raise KeyError(f"no owner {change[verbs[0]]}")
        active = verbs[0] == "activate"
        owner.update(archived=not active, userId=owner["userIdIncludingInactive"] if active else None)
        return owner

    def revoke_tokens(self) -> None:
        self.space.settings["tokens"].clear()

    def seed_many(self, object_type: str, rows: Sequence[dict[str, Any]], *, actor: Actor) -> list[str]:
        """Fast and without validation: values in stored form; ``_id``, ``_created_at``, ``_modified_at`` optional.

        They have been there for long, so that searches see them at once. What the system brings is an import,
        whoever did it: a person's own changes come later and are the person's.
        """
        kind = self._kind(object_type)
        actor = IMPORT if actor.cause == "system" else actor
        ids: list[str] = []
        with self._at_once(), self.portal.transaction(actor) as transaction:
            transaction.is_silent = True
            for given in rows:
                row_id = str(given.get("_id") or self.portal.new_id(kind))
                created_at = given.get("_created_at")
                born = created_at if isinstance(created_at, datetime) else transaction.at
                row = transaction.create(kind.name, row_id, self._seeded(kind, given, actor, wire(born)))
                row.created_at = born
                modified_at = given.get("_modified_at")
                if isinstance(modified_at, datetime):
                    row.stamp = row.modified_at = modified_at
                ids.append(row.id)
        return ids

    def link(self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None) -> None:
        """``label`` is a type id of HubSpot's, or ``user:36`` of the account's."""
        kind, row = self._row(from_type, from_id)
        other_kind, other = self._row(to_type, to_id)
        here, there = (kind.name, row.id), (other_kind.name, other.id)
        with self._at_once(), self._work(SETUP) as transaction:
            direction = direction_between(self.portal, kind, other_kind)
            if label is not None and str(label) not in direction.types:
                raise ValueError(f"there is no association type {label} from {kind.name} to {other_kind.name}")
            held = self.records.associations.held(here, there)
            self.records.associations.associate(
                transaction, here, there, {*held, *([str(label)] if label is not None else [])}
            )

    def _seeded(self, kind: Kind, given: dict[str, Any], actor: Actor, at: str) -> dict[str, Any]:
        once = self._texts.once
        values = {name: once(value) for name, value in given.items() if not name.startswith("_") and value is not None}
        followers = self.records.followers(kind, values, values, at)
        return {**self.records.origin(actor.id), **followers, **values}

    def _scopes(self, change: dict[str, Any]) -> dict[str, Any]:
        tokens = self.space.settings["tokens"]
        token = change.get("token") or next(iter(tokens), "")
        if token not in tokens:
            raise KeyError(f"there is no token {token!r}")
        scopes: list[str] = tokens[token]["scopes"]
        if change.get("remove_scope") in scopes:
            scopes.remove(change["remove_scope"])
        if "add_scope" in change and change["add_scope"] not in scopes:
            scopes.append(change["add_scope"])
        return {"scopes": list(scopes)}

    def _kind(self, name: str) -> Kind:
        try:
            return self.portal.kind(name)
        except Refusal as refusal:
            raise KeyError(refusal.message) from None

    def _definition(self, kind: Kind, name: str) -> Definition:
        found: Definition | None = self.space.settings["properties"][kind.name].get(name)
        if found is None:
            raise KeyError(f"{kind.name} have no property {name}")
        return found

    def _row(self, object_type: str, record_id: str) -> tuple[Kind, Row]:
        kind = self._kind(object_type)
        row = self.portal.resolve(kind, str(record_id))
        if row is None or row.deleted:
            raise KeyError(f"no {object_type} {record_id}")
        return kind, row

    @contextlib.contextmanager
    def _work(self, actor: Actor) -> Iterator[Transaction]:
        """A refusal is what a person would read on the page."""
        try:
            with self.portal.transaction(actor) as transaction:
                yield transaction
        except Refusal as refusal:
            raise ValueError(f"{refusal.category}: {refusal.message}") from refusal

    @contextlib.contextmanager
    def _at_once(self) -> Iterator[None]:
        """Without index lag."""
        delay, self.space.visible_delay_seconds = self.space.visible_delay_seconds, 0.0
        try:
            yield
        finally:
            self.space.visible_delay_seconds = delay


def _told(given: dict[str, Any]) -> dict[str, Any]:
    """Options that are values alone are their own labels."""
    options = given.get("options")
    if isinstance(options, list) and all(isinstance(one, str) for one in options):
        return {**given, "options": listed((one, one) for one in options)}
    return dict(given)
