"""What people and administrators do in the practice portal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connectors.emulator.hubspot.associations import connect
from connectors.emulator.hubspot.portal import DEFAULTS, Portal
from connectors.emulator.hubspot.refusals import Refusal
from connectors.emulator.hubspot.rows import merged
from connectors.emulator.hubspot.schema import Kind, kinds, make_property, shipped
from connectors.emulator.world import Actor, Row, World

SETUP = Actor("system", "system", "Setup")
PEOPLE = (
    ("anna", "Anna", "Berg"),
    ("ben", "Ben", "Okafor"),
    ("kim", "Kim", "Tran"),
    ("lee", "Lee", "Moreno"),
    ("sam", "Sam", "Rossi"),
)
GONE = (("dana", "Dana", "Novak"),)
SCOPES = [f"crm.objects.{name}.{word}" for name in ("contacts", "companies", "deals") for word in ("read", "write")]


def _key(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Desk:
    """See ``connectors.emulator.practice.Desk`` for the contract."""

    def __init__(self, world: World) -> None:
        self.portal = Portal(world)
        self.world = world
        self.space = world.spaces["hubspot"]

    def provision(self, credentials: dict[str, Any]) -> None:
        settings = self.space.settings
        settings.update({name: value for name, value in DEFAULTS.items() if name not in settings})
        settings["kinds"] = shipped()
        settings["portal_id"] = 4_800_001
        schemas = [f"crm.schemas.{name}.read" for name in ("contacts", "companies", "deals")]
        scopes = [*SCOPES, *schemas, "crm.objects.owners.read", "oauth"]
        settings["tokens"] = {credentials["token"]: {"scopes": scopes, "app_id": "810001"}}
        owners = [_owner(index, *person, archived=False) for index, person in enumerate(PEOPLE, 1)]
        owners += [_owner(index, *person, archived=True) for index, person in enumerate(GONE, len(PEOPLE) + 1)]
        settings["owners"] = {owner["id"]: owner for owner in owners}
        self.index()

    def index(self) -> None:
        for kind in kinds(self.space).values():
            for item in kind.properties.values():
                if item.unique or item.is_email:
                    self.space.add_index(kind.name, item.name, _key)

    def create(self, object_type: str, values: dict[str, Any], *, actor: Actor) -> str:
        kind = self._kind(object_type)
        with _AsValueError(), self.world.transaction("hubspot", actor) as transaction:
            return self.portal.create(transaction, kind, values).id

    def edit(self, object_type: str, record_id: str, values: dict[str, Any], *, actor: Actor) -> None:
        kind, row = self._row(object_type, record_id)
        with _AsValueError(), self.world.transaction("hubspot", actor) as transaction:
            writable = {name: value for name, value in values.items() if not kind.properties[name].readonly}
            self.portal.update(transaction, kind, row, writable)
            shown = {name: value for name, value in values.items() if name not in writable}
            if shown:  # opt-outs and the like: a person can do in HubSpot what its API cannot
                transaction.update(row, shown)

    def delete(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        _, row = self._row(object_type, record_id)
        with self.world.transaction("hubspot", actor) as transaction:
            transaction.mark(row, op="delete", deleted=True)

    def undelete(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        kind = self._kind(object_type)
        row = self.space.row(kind.name, record_id)
        if row is None or not row.deleted:
            raise ValueError(f"{object_type} {record_id} is not archived")
        with self.world.transaction("hubspot", actor) as transaction:
            transaction.mark(row, op="undelete", deleted=False)

    def merge(self, object_type: str, survivor_id: str, loser_id: str, *, actor: Actor) -> str:
        with _AsValueError():
            return merged(self.portal, self._kind(object_type), survivor_id, loser_id, actor).id

    def convert(self, lead_id: str, *, actor: Actor, **options: Any) -> dict[str, Any]:
        raise ValueError("HubSpot has no lead conversion")

    def gdpr_delete(self, record_id: str, *, actor: Actor) -> None:
        _, row = self._row("contacts", record_id)
        with self.world.transaction("hubspot", actor) as transaction:
            transaction.purge(row)

    def touch_many(self, object_type: str, ids: Sequence[str], *, actor: Actor = SETUP) -> None:
        """One moment for many records, as a bulk update by HubSpot itself does."""
        kind = self._kind(object_type)
        with self.world.transaction("hubspot", actor) as transaction:
            for record_id in ids:
                transaction.update(self.space.table(kind.name)[record_id], {}, system_only=True)

    def schema(self, change: dict[str, Any]) -> dict[str, Any]:
        """{object, add: {name, type, …}} | {object, remove: name} | {object, alter: {name, options}}."""
        kind = self._kind(change["object"])
        if "add" in change:
            extra = dict(change["add"])
            kind.properties[extra["name"]] = make_property(extra.pop("name"), extra.pop("type"), extra)
            self.index()
        elif "remove" in change:
            kind.properties.pop(change["remove"])
        elif "alter" in change:
            item = kind.properties[change["alter"]["name"]]
            item.options = [(value, value) for value in change["alter"].get("options", [])]
        else:
            raise ValueError("say add, remove or alter")
        return {"object": kind.name, "properties": sorted(kind.properties)}

    def permissions(self, change: dict[str, Any]) -> dict[str, Any]:
        """{token, remove_scope | add_scope} | {object, hide | show | read_only | writable: name}."""
        if "object" in change:
            kind = self._kind(change["object"])
            for word, attribute, value in (
                ("hide", "archived", True),
                ("show", "archived", False),
                ("read_only", "readonly", True),
                ("writable", "readonly", False),
            ):
                if word in change:
                    setattr(kind.properties[change[word]], attribute, value)
            return {"object": kind.name}
        tokens = self.space.settings["tokens"]
        token = change.get("token") or next(iter(tokens))
        scopes: list[str] = tokens[token]["scopes"]
        if "remove_scope" in change and change["remove_scope"] in scopes:
            scopes.remove(change["remove_scope"])
        if "add_scope" in change:
            scopes.append(change["add_scope"])
        return {"scopes": list(scopes)}

    def users(self, change: dict[str, Any]) -> dict[str, Any]:
        """{add: {login, first, last}} | {deactivate: id} | {activate: id}."""
        owners: dict[str, dict[str, Any]] = self.space.settings["owners"]
        if "add" in change:
            extra = change["add"]
            owner = _owner(
                len(owners) + 1, extra["login"], extra.get("first", ""), extra.get("last", ""), archived=False
            )
            owners[owner["id"]] = owner
            return owner
        word = "deactivate" if "deactivate" in change else "activate"
        if str(change[word]) not in owners:
            raise KeyError(f"no owner {change[word]}")
        owners[str(change[word])]["archived"] = word == "deactivate"
        return owners[str(change[word])]

    def revoke_tokens(self) -> None:
        self.space.settings["tokens"].clear()

    def seed_many(self, object_type: str, rows: Sequence[dict[str, Any]], *, actor: Actor) -> list[str]:
        """Fast and without validation: values in stored form."""
        kind = self._kind(object_type)
        ids: list[str] = []
        with self.world.transaction("hubspot", actor) as transaction:
            for given in rows:
                values = {
                    name: value for name, value in given.items() if not name.startswith("_") and value is not None
                }
                row_id = given.get("_id") or str(100 + self.space.next_number(kind.name))
                row = transaction.create(kind.name, str(row_id), values)
                created, modified = given.get("_created_at"), given.get("_modified_at")
                if isinstance(created, datetime):
                    row.created_at = created
                if isinstance(modified, datetime):
                    row.stamp = row.modified_at = modified
                ids.append(row.id)
        return ids

    def link(self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None) -> None:
        kind, row = self._row(from_type, from_id)
        there, other = self._row(to_type, to_id)
        with self.world.transaction("hubspot", SETUP) as transaction:
            connect(self.portal, transaction, (kind, row.id), (there, other.id), {int(label)} if label else set())

    def _kind(self, name: str) -> Kind:
        try:
            return self.portal.kind(name)
        except Refusal as refusal:
            raise KeyError(refusal.message) from None

    def _row(self, object_type: str, record_id: str) -> tuple[Kind, Row]:
        kind = self._kind(object_type)
        row = self.portal.resolve(kind, str(record_id))
        if row is None or row.deleted:
            raise KeyError(f"no {object_type} {record_id}")
        return kind, row


class _AsValueError:
    """A refusal a person would read on the page."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Refusal):
            raise ValueError(f"{error.category}: {error.message}") from error


def _owner(number: int, login: str, first: str, last: str, *, archived: bool) -> dict[str, Any]:
    moment = "2024-01-15T09:00:00.000Z"
    return {
        "id": str(70_000_000 + number), "email": f"{login}@example.com", "type": "PERSON", "firstName": first,
        "lastName": last, "userId": None if archived else 4_000_000 + number,
        "userIdIncludingInactive": 4_000_000 + number,
        "createdAt": moment, "updatedAt": moment, "archived": archived, "teams": [],
    }  # fmt: skip
