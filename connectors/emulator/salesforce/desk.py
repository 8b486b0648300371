"""What people and administrators do in the practice org.

KeyError: something that is not there. ValueError: something the org refuses, or nonsense.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from connectors.emulator.salesforce import converting, provisioning, removing, saving
from connectors.emulator.salesforce.checks import Terms
from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import OPERATIONS, ObjectType, check_change, check_object
from connectors.emulator.salesforce.stamps import grain
from connectors.emulator.salesforce.switches import SWITCHES
from connectors.emulator.sharing import SharedTexts
from connectors.emulator.world import Actor, Row, Transaction, World

PERMISSIONS = {"hide": "hidden", "show": "", "read_only": "read_only", "writable": ""}
OBJECT_RIGHTS = {"deny": "denied", "allow": ""}


class Desk:
    """See ``connectors.emulator.practice.Desk`` for the contract."""

    switches = frozenset({*SWITCHES, "certificates", "clients"})

    def __init__(self, world: World) -> None:
        self.org = Org(world)
        self.world = world
        self.space = world.spaces["salesforce"]
        self._texts = SharedTexts()

    def provision(self, credentials: dict[str, Any]) -> None:
        provisioning.provision(self.org, credentials)

    def create(self, object_type: str, values: dict[str, Any], *, actor: Actor) -> str:
        kind = self._kind(object_type)
        with self._work(actor) as transaction:
            return saving.create(self.org, transaction, kind, values, self._terms(actor)).id

    def edit(self, object_type: str, record_id: str, values: dict[str, Any], *, actor: Actor) -> None:
        """An actor of cause ``system`` is a background job: it moves SystemModstamp, not LastModifiedDate."""
        kind, row = self._row(object_type, record_id)
        with self._work(actor) as transaction:
            if actor.cause == "system":
                self._touch(transaction, kind, row, values)
            else:
                saving.update(self.org, transaction, kind, row, values, self._terms(actor))

    def delete(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        kind, row = self._row(object_type, record_id)
        with self._work(actor) as transaction:
            removing.delete(self.org, transaction, kind, row, is_person=True)

    def undelete(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        """Out of the recycle bin, with the children that went in with it."""
        kind = self._kind(object_type)
        row = self.space.row(kind.name, full_id(record_id) or record_id)
        if row is None or not row.deleted or self.org.is_purged(row):
            raise ValueError(f"{kind.name} {record_id} is not in the recycle bin")
        if not kind.undeletable:
            raise ValueError(f"a {kind.label} cannot be undeleted")
        with self._work(actor) as transaction:
            removing.undelete(self.org, transaction, kind, row)

    def purge(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        """For good, out of the recycle bin too."""
        kind = self._kind(object_type)
        row = self.space.row(kind.name, full_id(record_id) or record_id)
        if row is None:
            raise KeyError(f"no {kind.name} {record_id}")
        with self._work(actor) as transaction:
            transaction.purge(row)

    def merge(self, object_type: str, survivor_id: str, loser_id: str, *, actor: Actor) -> str:
        """The survivor keeps its values; children of the loser go to it; the loser is deleted."""
        kind, survivor = self._row(object_type, survivor_id)
        _, loser = self._row(object_type, loser_id)
        if not kind.mergeable:
            raise ValueError(f"a {kind.label} cannot be merged")
        if survivor is loser:
            raise ValueError(f"{kind.name} {survivor_id} cannot be merged into itself")
        with self._work(actor) as transaction:
            removing.merge(self.org, transaction, kind, survivor, loser)
        return survivor.id

    def convert(self, lead_id: str, *, actor: Actor, **options: Any) -> dict[str, Any]:
        """Options as in ``converting.Conversion``. As in Salesforce, an opportunity is made unless told otherwise."""
        _, lead = self._row("Lead", lead_id)
        try:
            wanted = converting.Conversion(**options)
        except TypeError as error:
            raise ValueError(f"convert: {error}") from None
        with self._work(actor) as transaction:
            return converting.convert(self.org, transaction, lead, wanted)

    def schema(self, change: dict[str, Any]) -> dict[str, Any]:
        """{object, add: {name, type, …}} | {object, remove: name} | {object, alter: {name, choices, …}}
        | {objects: {name: {label, fields, …}}, fields: {object: {name: {type, …}}}}.

        Keys of a field are those of the JSON files under ``schema/objects``; the last form is that of a schema file.
        """
        if "object" not in change:
            return self._load_schema(change)
        kind = self._kind(change["object"])
        change = {**change, "object": kind.name}
        check_change(change, kind.fields)
        self.space.settings.setdefault("schema_changes", []).append(change)
        self._schema_changed()
        return {"object": kind.name, "fields": sorted(self._kind(kind.name).fields)}

    def _load_schema(self, file: dict[str, Any]) -> dict[str, Any]:
        """New objects first, then new fields. Raises ValueError; nothing is changed then."""
        if strange := sorted(set(file) - {"objects", "fields"}):
            raise ValueError(f"a schema has objects and fields, and no {', '.join(strange)}")
        changes: list[dict[str, Any]] = []
        for name, body in file.get("objects", {}).items():
            check_object(name, body, self.org.catalogue.objects)
            changes.append({"object": name, "create": body})
        for name, fields in file.get("fields", {}).items():
            kind = self._kind(name)
            for field_name, definition in fields.items():
                change = {"object": kind.name, "add": {"name": field_name, **definition}}
                check_change(change, kind.fields)
                changes.append(change)
        known = {*self.org.catalogue.objects, *file.get("objects", {})}
        for definition in (
            each for body in file.get("objects", {}).values() for each in body.get("fields", {}).values()
        ):
            if unknown := set(definition.get("to", ())) - known:
                raise ValueError(f"there is no object {', '.join(sorted(unknown))} to refer to")
        self.space.settings.setdefault("schema_changes", []).extend(changes)
        self._schema_changed()
        return {"objects": sorted(file.get("objects", {})), "fields": len(changes) - len(file.get("objects", {}))}

    def permissions(self, change: dict[str, Any]) -> dict[str, Any]:
        """{object, hide | show | read_only | writable: field name, or ``*`` for the whole object}, or
        {object, deny | allow: create, edit or delete}.

        Rights of the API user; people at the desk keep seeing and writing everything.
        """
        kind = self._kind(change["object"])
        for verb in OBJECT_RIGHTS.keys() & change.keys():
            return self._object_right(kind, verb, change[verb])
        verbs = [verb for verb in PERMISSIONS if verb in change]
        if len(verbs) != 1:
            raise ValueError(f"say one of {', '.join(PERMISSIONS)}")
        name = change[verbs[0]]
        if name != "*" and name not in kind.fields:
            raise KeyError(f"{kind.name} has no field {name}")
        all_permissions = self.space.settings.setdefault("permissions", {})
        all_permissions.setdefault(kind.name, {})[name] = PERMISSIONS[verbs[0]]
        self._schema_changed()
        hidden = [item.name for item in self._kind(kind.name).fields.values() if item.hidden]
        return {"object": kind.name, "hidden": hidden}

    def _object_right(self, kind: ObjectType, verb: str, operation: str) -> dict[str, Any]:
        if operation not in OPERATIONS:
            raise ValueError(f"{operation!r} is none of {', '.join(OPERATIONS)}")
        permissions = self.space.settings.setdefault("permissions", {}).setdefault(kind.name, {})
        permissions[f"may {operation}"] = OBJECT_RIGHTS[verb]
        self._schema_changed()
        return {"object": kind.name, "denied": sorted(self._kind(kind.name).denied)}

    def users(self, change: dict[str, Any]) -> dict[str, Any]:
        """{add: {login, first, last, email}} | {deactivate: id} | {activate: id}."""
        with self.org.committed(provisioning.SETUP) as transaction:
            if "add" in change:
                return self._add_user(transaction, change["add"])
            verbs = [verb for verb in ("activate", "deactivate") if verb in change]
            if len(verbs) != 1:
                raise ValueError("say one of add, activate or deactivate")
            user_id = change[verbs[0]]
            row = self.space.row("User", full_id(user_id) or user_id)
            if row is None:
                raise KeyError(f"no user {user_id}")
            transaction.update(row, {"IsActive": verbs[0] == "activate"})
            return {"id": row.id, "active": verbs[0] == "activate"}

    def revoke_tokens(self) -> None:
        self.space.settings["tokens"].clear()

    def seed_many(self, object_type: str, rows: Sequence[dict[str, Any]], *, actor: Actor) -> list[str]:
        """Fast and without validation: values in stored form; ``_id``, ``_created_at``, ``_modified_at`` optional."""
        kind = self._kind(object_type)
        ids: list[str] = []
        once = self._texts.once
        with self.org.committed(actor) as transaction:
            transaction.is_silent = True
            owner = self.org.author(actor)
            for given in rows:
                values = {name: once(value) for name, value in given.items() if name in kind.blank}
                if "OwnerId" in kind.fields and values.get("OwnerId") is None:
                    values["OwnerId"] = owner
                row = saving.seeded_row(self.org, transaction, kind, values, given.get("_id"))
                _backdate(row, given.get("_created_at"), given.get("_modified_at"))
                ids.append(row.id)
        return ids

    def link(self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None) -> None:
        raise ValueError("Salesforce links records by lookup fields; edit the field instead")

    def _touch(self, transaction: Transaction, kind: ObjectType, row: Row, values: dict[str, Any]) -> None:
        unknown = [name for name in values if name not in kind.blank]
        if unknown:
            raise KeyError(f"{kind.name} has no stored field {unknown[0]}")
        transaction.update(row, values, system_only=True)

    def _add_user(self, transaction: Transaction, wanted: dict[str, Any]) -> dict[str, Any]:
        login = wanted["login"]
        if login in self.space.settings["users"]:
            raise ValueError(f"there is a user {login} already")
        first, last = wanted.get("first", ""), wanted.get("last") or login
        self.space.settings["users"][login] = provisioning.next_user_id(self.org)
        provisioning.add_user(self.org, transaction, login, first, last, active=True, email=wanted.get("email"))
        return {"id": self.org.user_id(login)}

    def _terms(self, actor: Actor) -> Terms:
        return Terms(self.org.author(actor), is_person=True)

    def _kind(self, name: str) -> ObjectType:
        """A person sees objects that the API user does not."""
        found = next((kind for kind in self.org.catalogue.objects.values() if kind.name.lower() == name.lower()), None)
        if found is None:
            raise KeyError(f"there is no object {name}; there are {', '.join(self.org.catalogue.objects)}")
        return found

    def _row(self, object_type: str, record_id: str) -> tuple[ObjectType, Row]:
        kind = self._kind(object_type)
        row = self.space.row(kind.name, full_id(record_id) or record_id)
        if row is None or row.deleted:
            raise KeyError(f"no {kind.name} {record_id}")
        return kind, row

    @contextlib.contextmanager
    def _work(self, actor: Actor) -> Iterator[Transaction]:
        """A refusal is what a person would read on the page."""
        try:
            with self.org.committed_late(actor) as transaction:
                yield transaction
        except Refusal as refusal:
            raise ValueError(f"{refusal.code}: {refusal.message}") from refusal

    def _schema_changed(self) -> None:
        settings = self.space.settings
        settings["schema_version"] = settings.get("schema_version", 0) + 1
        settings["schema_changed_at"] = self.world.clock.now().isoformat()


def _backdate(row: Row, created_at: Any, modified_at: Any) -> None:
    if isinstance(created_at, datetime):
        row.created_at = grain(created_at)
    if isinstance(modified_at, datetime):
        row.stamp = row.modified_at = grain(modified_at)
