"""Associations between records: both directions at once, one primary company, and the property that mirrors it."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.emulator.hubspot.association_types import Direction, directions
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.world import Actor, End, Row, Transaction

MIRROR = "associatedcompanyid"
RECALCULATION = Actor("association-recalculation", "system", "Recalculation")


class Associations:
    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    def direction(self, here: End, there: End) -> Direction:
        return directions(self.portal)[here[0], there[0]]

    def held(self, here: End, there: End) -> set[str]:
        return self.portal.space.links.get(here, {}).get(there, set())

    def of(self, here: End, there: Kind) -> list[tuple[str, set[str]]]:
        """[(record id, labels)] in the order of ids; archived records are left out."""
        side = self.portal.space.links.get(here, {})
        table = self.portal.space.table(there.name)
        found = [(other[1], labels) for other, labels in side.items() if other[0] == there.name]
        found = [(other_id, labels) for other_id, labels in found if other_id in table and not table[other_id].deleted]
        return sorted(found, key=lambda pair: int(pair[0]))

    def associate(self, transaction: Transaction, here: End, there: End, labels: Iterable[str] = ()) -> None:
        """Set the labels of a pair; the unlabelled type is always among them."""
        direction = self.direction(here, there)
        wanted = {*labels, direction.plain}
        self._claim_primary(transaction, here, there, wanted)
        self._set(transaction, here, there, wanted)

    def remove(self, transaction: Transaction, here: End, there: End, labels: Iterable[str] = ()) -> None:
        """Remove some labels, or all; without the unlabelled type nothing stays."""
        held, gone = self.held(here, there), set(labels)
        if held:
            kept = held - gone if gone and self.direction(here, there).plain not in gone else set()
            self._set(transaction, here, there, kept)

    def remove_all(self, transaction: Transaction, here: End) -> None:
        for there in list(self.portal.space.links.get(here, {})):
            self.remove(transaction, here, there)

    def set_primary_company(self, transaction: Transaction, contact_id: str, company_id: str | None) -> None:
        """What writing the mirror property does."""
        here: End = ("contacts", contact_id)
        if company_id:
            there: End = ("companies", company_id)
            self.associate(transaction, here, there, {*self.held(here, there), "1"})
            return
        for other_id, labels in self.of(here, self.portal.kinds["companies"]):
            if "1" in labels:
                self.remove(transaction, here, ("companies", other_id))

    def mirror_again(self, transaction: Transaction, company: Row) -> None:
        """Contacts of a company that goes into the recycle bin or comes out of it lose or find their primary one."""
        if company.object_type != "companies":
            return
        for there in list(self.portal.space.links.get((company.object_type, company.id), {})):
            if there[0] == "contacts":
                self._mirror(transaction, there)

    def without_second_primary(self, here: End, there: End, labels: set[str]) -> set[str]:
        """Labels that may be added without taking the primary place from the one who has it."""
        direction = self.direction(here, there)
        side = self.portal.space.links.get(here, {})
        taken = any(direction.primary in held for end, held in side.items() if end[0] == there[0])
        return labels - {direction.primary} if direction.one_primary and taken else labels

    def bump(self, ends: Iterable[End], after: Transaction) -> None:
        """Counters of both ends are recalculated: the system touches them, at the same moment."""
        rows = [row for end in dict.fromkeys(ends) if (row := self.portal.space.row(*end)) is not None]
        rows = [row for row in rows if not row.deleted]
        if not rows or not self.portal.setting("associating_bumps"):
            return
        with self.portal.transaction(RECALCULATION) as transaction:
            transaction.at = after.at
            for row in rows:
                transaction.update(row, {}, system_only=True)

    def _set(self, transaction: Transaction, here: End, there: End, labels: set[str]) -> None:
        types = self.direction(here, there).types
        transaction.link(here, there, labels)
        transaction.link(there, here, {types[label].opposite for label in labels})
        if {here[0], there[0]} == {"contacts", "companies"}:
            self._mirror(transaction, here if here[0] == "contacts" else there)

    def _claim_primary(self, transaction: Transaction, here: End, there: End, wanted: set[str]) -> None:
        """At most one primary company of a contact, deal or ticket, whichever end the call came from."""
        direction = self.direction(here, there)
        if direction.primary is None:
            return
        one, other = (here, there) if direction.one_primary else (there, here)
        primary = self.direction(one, other).primary or ""
        side = self.portal.space.links.get(one, {})
        holders = [end for end, held in side.items() if end[0] == other[0] and primary in held]
        if direction.primary in wanted:
            for holder in holders:
                if holder != other:
                    self._set(transaction, one, holder, self.held(one, holder) - {primary})
        elif not any(end[0] == other[0] for end in side) and self._first_is_primary(other):
            wanted.add(direction.primary)

    def _first_is_primary(self, other: End) -> bool:
        return other[0] == "companies" and bool(self.portal.setting("first_company_is_primary"))

    def _mirror(self, transaction: Transaction, contact: End) -> None:
        row = self.portal.space.row(*contact)
        companies = self.of(contact, self.portal.kinds["companies"])
        primary = next((other for other, labels in companies if "1" in labels), None)
        if row is not None and row.values.get(MIRROR) != primary:
            transaction.update(row, {MIRROR: primary})


def ends_of(row: Row, others: Iterable[End]) -> list[End]:
    """A record and what it was associated with, for ``Associations.bump``; nothing when it was with nobody."""
    found = list(others)
    return [(row.object_type, row.id), *found] if found else []
