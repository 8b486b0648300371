"""Lifecycle stages: forward only for the API, with the date of each entry; and what moves them by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.shapes import Done
from connectors.emulator.hubspot.times import wire
from connectors.emulator.world import Actor, End, Row, Transaction

STAGE = "lifecyclestage"
_ENTRY = re.compile(r"hs_lifecyclestage_.+_date|hs_date_entered_.+")
AUTOMATION = Actor("lifecycle-automation", "automation", "Lifecycle stage automation")


def stage_orders(portal: Portal, kind: Kind) -> dict[str, int]:
    options = portal.space.settings["properties"][kind.name][STAGE]["options"]
    return {option["value"]: int(option["displayOrder"]) for option in options}


def is_backward(portal: Portal, kind: Kind, before: str | None, wanted: str | None) -> bool:
    if not before or not wanted:
        return False
    orders = stage_orders(portal, kind)
    return orders.get(wanted, 0) < orders.get(before, 0)


def without_backward_move(portal: Portal, kind: Kind, row: Row, stored: dict[str, str | None]) -> dict[str, str | None]:
    """HubSpot answers 200 to a step back and keeps the old stage; clearing it first works."""
    if not kind.has_lifecycle or not is_backward(portal, kind, row.values.get(STAGE), stored.get(STAGE)):
        return stored
    return {name: value for name, value in stored.items() if name != STAGE}


def entry_dates(portal: Portal, kind: Kind, changed: Mapping[str, str | None], at: str) -> dict[str, str | None]:
    """The two date properties of the stage that is entered; custom stages have none unless one is defined.

    A cleared stage leaves the dates, or takes them away, as the account's switch says.
    """
    if not kind.has_lifecycle or STAGE not in changed:
        return {}
    known = portal.space.settings["properties"][kind.name]
    if not changed[STAGE]:
        names = [name for name in known if _ENTRY.fullmatch(name)]
        return {} if portal.setting("clearing_keeps_stage_dates") else dict.fromkeys(names)
    entered = (f"hs_lifecyclestage_{changed[STAGE]}_date", f"hs_date_entered_{changed[STAGE]}")
    return {name: at for name in entered if name in known}


def follow(portal: Portal, written: Iterable[Done]) -> None:
    """What the account's switches set off after a write."""
    moves: dict[End, str] = {}
    for done in written:
        if done.row.object_type == "deals" and "dealstage" in done.names:
            moves |= _after_deal(portal, done)
        elif done.row.object_type == "companies" and STAGE in done.names:
            moves |= _after_company(portal, done.row)
    if moves:
        with portal.transaction(AUTOMATION) as transaction:
            for (object_type, record_id), stage in moves.items():
                _move_up(portal, transaction, portal.kinds[object_type], record_id, stage)


def _after_deal(portal: Portal, done: Done) -> dict[End, str]:
    """Contacts and companies of a new or won deal."""
    stage = portal.setting("deal_created_stage") if done.is_new else None
    if done.row.values.get("hs_is_closed_won") == "true":
        stage = portal.setting("deal_won_stage") or stage
    ends = portal.space.links.get((done.row.object_type, done.row.id), {})
    return {end: stage for end in ends if stage and portal.kinds[end[0]].has_lifecycle}


def _after_company(portal: Portal, row: Row) -> dict[End, str]:
    stage = row.values.get(STAGE)
    ends = portal.space.links.get((row.object_type, row.id), {})
    if not stage or not portal.setting("company_stage_to_contacts"):
        return {}
    return {end: stage for end in ends if end[0] == "contacts"}


def _move_up(portal: Portal, transaction: Transaction, kind: Kind, record_id: str, stage: str) -> None:
    """Never back."""
    row = portal.live(kind, record_id)
    before = row.values.get(STAGE) if row is not None else stage
    if row is None or before == stage or is_backward(portal, kind, before, stage):
        return
    dates = entry_dates(portal, kind, {STAGE: stage}, wire(transaction.at))
    transaction.update(row, {STAGE: stage, **dates})
