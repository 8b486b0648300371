"""One record's life: created, changed, archived, restored, purged. Every resource and the desk go through here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.emulator.bad_rows import is_bad_row
from connectors.emulator.hubspot.association_types import directions
from connectors.emulator.hubspot.associations import MIRROR, Associations
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.lifecycle import STAGE, entry_dates, without_backward_move
from connectors.emulator.hubspot.pipelines import computed_from_stage, first_pipeline
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.refusals import Problem, Refusal, bad_request, invalid_values, text
from connectors.emulator.hubspot.shapes import Done
from connectors.emulator.hubspot.stage_dates import dates_of_move
from connectors.emulator.hubspot.times import wire
from connectors.emulator.hubspot.values import NORMALISING_VERSION, Stored, Writing
from connectors.emulator.world import End, Row, Transaction


class Records:
    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.associations = Associations(portal)

    def create(
        self,
        transaction: Transaction,
        kind: Kind,
        sent: Mapping[str, Any],
        *,
        ends: Sequence[tuple[End, set[str]]] = (),
        version: str = "v3",
    ) -> Done:
        """``ends`` are the records to associate it with. Raises Refusal; nothing is changed then."""
        if is_bad_row():
            raise bad_request(text("refused_row"))
        writing = self._writing(transaction, kind, None, version)
        stored = writing.stored(sent)
        check_rules(self.portal, kind, stored, version, is_new=True)
        self._fill_in(kind, stored)
        check_required(self.portal, kind, stored)
        self.check_unique(kind, stored, None)
        company_id = stored.pop(MIRROR, None)
        stored = {name: value for name, value in stored.items() if value is not None}
        stored.update(self.followers(kind, stored, stored, wire(transaction.at)))
        stored.update(self.origin(transaction.actor.id))
        row = transaction.create(kind.name, self.portal.new_id(kind), stored)
        here: End = (kind.name, row.id)
        if company_id:
            self.associations.set_primary_company(transaction, row.id, company_id)
        for there, labels in ends:
            self.associations.associate(transaction, here, there, labels)
        if kind.name == "leads" and not self._has_primary_contact(here):
            raise bad_request(text("lead_needs_contact"))
        return Done(row, [*sent, *row.values], writing.warnings, is_new=True)

    def update(
        self, transaction: Transaction, kind: Kind, row: Row, sent: Mapping[str, Any], *, version: str = "v3"
    ) -> Done:
        """Raises Refusal; nothing is changed then."""
        if is_bad_row():
            raise bad_request(text("refused_row"))
        writing = self._writing(transaction, kind, row, version)
        stored = writing.stored(sent)
        check_rules(self.portal, kind, {**row.values, **stored}, version, is_new=False)
        if transaction.actor.cause != "person":
            stored = without_backward_move(self.portal, kind, row, stored)
        self.check_unique(kind, stored, row)
        if MIRROR in stored and stored[MIRROR] != row.values.get(MIRROR):
            self.associations.set_primary_company(transaction, row.id, stored[MIRROR])
        changed = {name: value for name, value in stored.items() if row.values.get(name) != value}
        stage = row.values.get(kind.stage or "")
        changed.update(self.followers(kind, changed, {**row.values, **stored}, wire(transaction.at), stage))
        changed.update(self._promoted_email(row, changed))
        if changed:
            transaction.update(row, changed)
        elif self.portal.setting("identical_write") != "ignored":
            transaction.update(row, {})
        if self.portal.setting("identical_write") == "recorded":
            again = {name: value for name, value in stored.items() if value is not None and name not in changed}
            row.remember([(name, value, transaction.at, transaction.actor.id) for name, value in again.items()], again)
        return Done(row, [*sent, *changed], writing.warnings)

    def archive(self, transaction: Transaction, row: Row) -> None:
        transaction.mark(row, op="delete", deleted=True)
        self.associations.mirror_again(transaction, row)

    def drop_leads_alone(self, transaction: Transaction, ends: Iterable[End]) -> None:
        """A lead without a primary contact is archived."""
        for end in dict.fromkeys(ends):
            row = self.portal.space.row(*end)
            if end[0] == "leads" and row is not None and not row.deleted and not self._has_primary_contact(end):
                self.archive(transaction, row)

    def restore(self, transaction: Transaction, kind: Kind, row: Row) -> None:
        """Only people can; the id stays. Raises Refusal: its unique values are taken by now."""
        unique = {name: row.values.get(name) for name in ("email", *self.portal.schema(kind).unique_names)}
        self.check_unique(kind, {name: value for name, value in unique.items() if value}, row)
        transaction.mark(row, op="undelete", deleted=False)
        self.associations.mirror_again(transaction, row)

    def purge(self, transaction: Transaction, row: Row) -> None:
        """Remove for good, with its associations."""
        self.associations.remove_all(transaction, (row.object_type, row.id))
        transaction.purge(row)

    def origin(self, actor_id: str) -> dict[str, Stored]:
        """The properties that say who created a record."""
        source = self.portal.source(actor_id)
        found: dict[str, Stored] = {
            "hs_object_source": source.type,
            "hs_object_source_id": source.id,
            "hs_object_source_label": source.type,
        }
        if source.user_id is not None:
            found["hs_object_source_user_id"] = str(source.user_id)
        return found

    def check_unique(self, kind: Kind, stored: Mapping[str, Stored], row: Row | None) -> None:
        """Raises Refusal: 409 for a contact's e-mail, and as the account's switch says for other unique values."""
        email = stored.get("email") if kind.name == "contacts" else None
        if email:
            other = self.portal.find_by(kind, "email", email) or self._in_the_bin(kind, email)
            if other is not None and other is not row:
                raise Refusal(409, text("contact_exists", id=other.id), "CONFLICT")
        for name in self.portal.schema(kind).unique_names:
            value = stored.get(name)
            other = self.portal.find_by(kind, name, value) if value else None
            if other is not None and other is not row:
                message = text("unique_taken", type=kind.upper, id=other.id)
                if self.portal.setting("unique_conflict") == 409:
                    raise Refusal(409, message, "CONFLICT")
                raise invalid_values([Problem(name, "CONFLICTING_UNIQUE_VALUE", message)])

    def _has_primary_contact(self, lead: End) -> bool:
        primary = directions(self.portal)["leads", "contacts"].primary
        return any(primary in labels for _, labels in self.associations.of(lead, self.portal.kinds["contacts"]))

    def _writing(self, transaction: Transaction, kind: Kind, row: Row | None, version: str) -> Writing:
        by_people = transaction.actor.cause != "api"
        return Writing(self.portal, self.portal.schema(kind, for_people=by_people), row, version, by_people)

    def _in_the_bin(self, kind: Kind, email: str) -> Row | None:
        if not self.portal.setting("archived_email_conflicts"):
            return None
        ids = sorted(self.portal.space.lookup(kind.name, "email", email), key=int)
        rows = [self.portal.space.table(kind.name)[row_id] for row_id in ids]
        in_bin = (row for row in rows if row.deleted and row.merged_into is None and not self.portal.is_forgotten(row))
        return next(in_bin, None)

    def _fill_in(self, kind: Kind, stored: dict[str, Stored]) -> None:
        if kind.pipeline is not None and not stored.get(kind.pipeline):
            stored[kind.pipeline] = first_pipeline(self.portal, kind)
        if kind.has_lifecycle and not stored.get(STAGE):
            stored[STAGE] = self.portal.setting("default_lifecyclestage")

    def followers(
        self,
        kind: Kind,
        changed: Mapping[str, Stored],
        values: Mapping[str, Stored],
        at: str,
        left_stage: str | None = None,
    ) -> dict[str, Stored]:
        """Properties that HubSpot computes from the ones that changed."""
        found = entry_dates(self.portal, kind, changed, at)
        if kind.stage is not None and kind.stage in changed:
            found.update(computed_from_stage(self.portal, kind, values.get(kind.stage)))
            known = self.portal.schema(kind).definitions
            found.update(dates_of_move(known, left_stage, changed[kind.stage], at))
        if kind.name == "deals" and "amount" in changed:
            found["amount_in_home_currency"] = changed["amount"]
        return found

    def _promoted_email(self, row: Row, changed: Mapping[str, Stored]) -> dict[str, Stored]:
        """A further e-mail that becomes the main one is no further one any more; the old main one stays."""
        further = [one for one in str(row.values.get("hs_additional_emails") or "").split(";") if one]
        if changed.get("email") not in further:
            return {}
        old = row.values.get("email")
        kept = [one for one in further if one != changed["email"]] + ([old] if old else [])
        return {"hs_additional_emails": ";".join(kept) or None}


def check_rules(portal: Portal, kind: Kind, values: Mapping[str, Stored], version: str, *, is_new: bool) -> None:
    """The account's own rules on required properties, enforced by the newest version only. Raises Refusal 400."""
    if version != NORMALISING_VERSION:
        return
    names = portal.setting("required_properties").get(kind.name, []) if is_new else []
    problems = [
        Problem(name, "MISSING_REQUIRED_PROPERTY", text("rule_missing", name=name))
        for name in names
        if not values.get(name)
    ]
    for rule in portal.setting("conditional_required").get(kind.name, []):
        when, needed = rule["when"], rule["needs"]
        if values.get(when) == rule["is"] and not values.get(needed):
            message = text("rule_conditional", name=needed, when=when)
            problems.append(Problem(needed, "MISSING_CONDITIONAL_REQUIRED_PROPERTY", message))
    if problems:
        refusal = invalid_values(problems)
        refusal.message = text("rule_outer")
        raise refusal


def check_required(portal: Portal, kind: Kind, stored: Mapping[str, Stored]) -> None:
    """Raises Refusal: 400, a type's own required property is missing."""
    missing = [name for name in kind.needs if not stored.get(name)]
    choices = kind.needs_one_of
    if kind.name == "contacts" and portal.setting("contact_needs_identity"):
        choices = ("email", "firstname", "lastname")
    if choices and not any(stored.get(name) for name in choices):
        missing += choices
    if missing:
        raise bad_request(text("required_missing", type=kind.upper), context={"properties": missing})
