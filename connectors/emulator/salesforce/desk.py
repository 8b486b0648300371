"""What people and administrators do in the practice org."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connectors.emulator.salesforce.ids import full_id, new_id
from connectors.emulator.salesforce.org import API_USER, DEFAULTS, Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import ObjectType, make_field, objects, shipped
from connectors.emulator.world import Actor, Row, World

INDEXED = ("Email", "Truce_Key__c", "Name", "OwnerId", "AccountId")
SETUP = Actor("005000000000000AAA", "system", "Setup")
PEOPLE = (
    (API_USER, "Integration", "User", True), ("anna", "Anna", "Berg", True), ("ben", "Ben", "Okafor", True),
    ("kim", "Kim", "Tran", True), ("lee", "Lee", "Moreno", True), ("sam", "Sam", "Rossi", True),
    ("dana", "Dana", "Novak", False),
)  # fmt: skip


def _key(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Desk:
    """See ``connectors.emulator.practice.Desk`` for the contract."""

    def __init__(self, world: World) -> None:
        self.org = Org(world)
        self.world = world
        self.space = world.spaces["salesforce"]
        if "objects" in self.space.settings:
            return

    def provision(self, credentials: dict[str, Any]) -> None:
        settings = self.space.settings
        settings.update({name: value for name, value in DEFAULTS.items() if name not in settings})
        settings["objects"] = shipped()
        settings["clients"] = {credentials["client_id"]: credentials["client_secret"]}
        settings["domain"] = credentials["domain"]
        settings["tokens"] = {}
        settings["schema_changed_at"] = self.world.clock.now().isoformat()
        self.index()
        with self.world.transaction("salesforce", SETUP) as transaction:
            settings["org_id"] = new_id("00D", 1)
            transaction.create(
                "Organization",
                settings["org_id"],
                {
                    "Name": "Practice Company",
                    "IsSandbox": False,
                    "OrganizationType": "Developer Edition",
                    "TimeZoneSidKey": "America/New_York",
                },
            )
            settings["users"] = {}
            for login, first, last, active in PEOPLE:
                settings["users"][login] = self._user(transaction, login, first, last, active)
            queue_id = new_id("00G", self.space.next_number("00G"))
            transaction.create(
                "Group", queue_id, {"Name": "Inbound", "DeveloperName": "Inbound", "Type": "Queue", "Email": None}
            )
            settings["queue_id"] = queue_id
            transaction.create("QueueSobject", new_id("03g", 1), {"QueueId": queue_id, "SobjectType": "Lead"})
            for order, status in enumerate(self.org.kind("Lead").fields["Status"].choices, 1):
                values = {
                    "ApiName": status,
                    "MasterLabel": status,
                    "IsConverted": status == "Closed - Converted",
                    "IsDefault": order == 1,
                    "SortOrder": order,
                }
                transaction.create("LeadStatus", new_id("01J", order), values)

    def index(self) -> None:
        for kind in objects(self.space).values():
            for name in INDEXED:
                if name in kind.fields and not kind.is_admin and not kind.fields[name].computed:
                    self.space.add_index(kind.name, name, _key)

    def create(self, object_type: str, values: dict[str, Any], *, actor: Actor) -> str:
        kind = self._kind(object_type)
        with self._said(), self.world.transaction("salesforce", actor) as transaction:
            return self.org.create(transaction, kind, values).id

    def edit(self, object_type: str, record_id: str, values: dict[str, Any], *, actor: Actor) -> None:
        kind, row = self._row(object_type, record_id)
        with self._said(), self.world.transaction("salesforce", actor) as transaction:
            self.org.update(transaction, kind, row, values)

    def delete(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        kind, row = self._row(object_type, record_id)
        with self.world.transaction("salesforce", actor) as transaction:
            self.org.delete(transaction, kind, row)

    def undelete(self, object_type: str, record_id: str, *, actor: Actor) -> None:
        kind = self._kind(object_type)
        row = self.space.row(kind.name, full_id(record_id) or record_id)
        if row is None or not row.deleted:
            raise ValueError(f"{object_type} {record_id} is not in the recycle bin")
        if not kind.undeletable:
            raise ValueError(f"a {object_type} cannot be undeleted")
        with self.world.transaction("salesforce", actor) as transaction:
            transaction.mark(row, op="undelete", deleted=False)

    def merge(self, object_type: str, survivor_id: str, loser_id: str, *, actor: Actor) -> str:
        """The survivor keeps its values; children of the loser go to it; the loser is deleted."""
        kind, survivor = self._row(object_type, survivor_id)
        _, loser = self._row(object_type, loser_id)
        if not kind.mergeable:
            raise ValueError(f"{object_type} cannot be merged")
        parents = {"Account": [("Contact", "AccountId"), ("Opportunity", "AccountId"), ("Task", "WhatId")]}
        with self.world.transaction("salesforce", actor) as transaction:
            for child_type, field in parents.get(kind.name, [("Task", "WhoId")]):
                for child in self.space.table(child_type).values():
                    if child.values.get(field) == loser.id and not child.deleted:
                        transaction.update(child, {field: survivor.id})
            transaction.update(survivor, {"LastModifiedById": actor.id}, op="merge")
            transaction.mark(loser, op="merge", deleted=True, merged_into=survivor.id)
        return survivor.id

    def convert(self, lead_id: str, *, actor: Actor, **options: Any) -> dict[str, Any]:
        """A Lead becomes a Contact (and an Account); it cannot be undone."""
        _, lead = self._row("Lead", lead_id)
        if lead.values.get("IsConverted"):
            raise ValueError(f"Lead {lead_id} is converted already")
        with self._said(), self.world.transaction("salesforce", actor) as transaction:
            account_id = options.get("account_id")
            if not account_id:
                account_id = self.org.create(transaction, self._kind("Account"), {"Name": lead.values["Company"]}).id
            contact_id = options.get("contact_id")
            if not contact_id:
                taken = {
                    name: lead.values.get(name)
                    for name in ("FirstName", "LastName", "Email", "Title", "Phone", "LeadSource")
                }
                taken |= {
                    "AccountId": account_id,
                    "MailingCountry": lead.values.get("Country"),
                    "MailingState": lead.values.get("State"),
                }
                contact_id = self.org.create(transaction, self._kind("Contact"), taken).id
            converted = {
                "IsConverted": True, "Status": "Closed - Converted", "ConvertedDate": transaction.at.date().isoformat(),
                "ConvertedAccountId": account_id, "ConvertedContactId": contact_id,
            }  # fmt: skip
            transaction.update(lead, converted, op="convert")
        return {"accountId": account_id, "contactId": contact_id, "leadId": lead.id, "success": True}

    def schema(self, change: dict[str, Any]) -> dict[str, Any]:
        """{object, add: {name, type, …}} | {object, remove: name} | {object, alter: {name, …}} (choices, length …)."""
        kind = self._kind(change["object"])
        if "add" in change:
            extra = dict(change["add"])
            name = extra.pop("name")
            kind.fields[name] = make_field(name, extra.pop("type"), extra)
        elif "remove" in change:
            kind.fields.pop(change["remove"])
        elif "alter" in change:
            extra = dict(change["alter"])
            item = kind.fields[extra.pop("name")]
            for name, value in extra.items():
                setattr(item, name, value)
        else:
            raise ValueError("say add, remove or alter")
        self._schema_changed(kind)
        return {"object": kind.name, "fields": sorted(kind.fields)}

    def permissions(self, change: dict[str, Any]) -> dict[str, Any]:
        """{object, hide: name} | {object, show: name} | {object, read_only: name} | {object, writable: name}."""
        kind = self._kind(change["object"])
        for word, attribute, value in (("hide", "hidden", True), ("show", "hidden", False)):
            if word in change:
                setattr(kind.fields[change[word]], attribute, value)
        for word, value in (("read_only", False), ("writable", True)):
            if word in change:
                kind.fields[change[word]].createable = kind.fields[change[word]].updateable = value
        self._schema_changed(kind)
        return {"object": kind.name, "hidden": [item.name for item in kind.fields.values() if item.hidden]}

    def users(self, change: dict[str, Any]) -> dict[str, Any]:
        """{add: {login, first, last}} | {deactivate: id} | {activate: id}."""
        with self.world.transaction("salesforce", SETUP) as transaction:
            if "add" in change:
                extra = change["add"]
                user_id = self._user(transaction, extra["login"], extra.get("first", ""), extra.get("last", ""), True)
                self.space.settings["users"][extra["login"]] = user_id
                return {"id": user_id}
            word = "deactivate" if "deactivate" in change else "activate"
            row = self.space.row("User", change[word])
            if row is None:
                raise KeyError(f"no user {change[word]}")
            transaction.update(row, {"IsActive": word == "activate"})
            return {"id": row.id, "active": word == "activate"}

    def revoke_tokens(self) -> None:
        self.space.settings["tokens"].clear()

    def seed_many(self, object_type: str, rows: Sequence[dict[str, Any]], *, actor: Actor) -> list[str]:
        """Fast and without validation: values in stored form."""
        kind = self._kind(object_type)
        blank = dict.fromkeys(name for name, item in kind.fields.items() if not item.system and not item.computed)
        ids: list[str] = []
        with self.world.transaction("salesforce", actor) as transaction:
            for given in rows:
                values = {**blank, **{name: value for name, value in given.items() if not name.startswith("_")}}
                values.setdefault("OwnerId", self.org.user_id(API_USER))
                row_id = given.get("_id") or new_id(kind.prefix, self.space.next_number(kind.prefix))
                row = transaction.create(
                    kind.name, row_id, {**values, "LastModifiedById": actor.id, "CreatedById": actor.id}
                )
                created, modified = given.get("_created_at"), given.get("_modified_at")
                if isinstance(created, datetime):
                    row.created_at = created
                if isinstance(modified, datetime):
                    row.stamp = row.modified_at = modified
                ids.append(row.id)
        return ids

    def link(self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None) -> None:
        raise ValueError("Salesforce links records by lookup fields; edit the field instead")

    def _user(self, transaction: Any, login: str, first: str, last: str, active: bool) -> str:
        user_id = new_id("005", self.space.next_number("005"))
        values = {
            "Username": f"{login}@practice.example.com", "FirstName": first, "LastName": last,
            "Name": f"{first} {last}".strip(), "Email": f"{login}@example.com", "IsActive": active,
        }  # fmt: skip
        transaction.create("User", user_id, values)
        return user_id

    def _kind(self, name: str) -> ObjectType:
        try:
            return self.org.kind(name)
        except Refusal as refusal:
            raise KeyError(refusal.message) from None

    def _row(self, object_type: str, record_id: str) -> tuple[ObjectType, Row]:
        kind = self._kind(object_type)
        row = self.space.row(kind.name, full_id(record_id) or record_id)
        if row is None or row.deleted:
            raise KeyError(f"no {object_type} {record_id}")
        return kind, row

    def _schema_changed(self, kind: ObjectType) -> None:
        kind.changed()
        self.space.settings["schema_changed_at"] = self.world.clock.now().isoformat()

    @staticmethod
    def _said() -> _AsValueError:
        return _AsValueError()


class _AsValueError:
    """A refusal a person would read on the page."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Refusal):
            raise ValueError(f"{error.code}: {error.message}") from error
