"""Builders for what is stored: a clock that moves when told, predictable salts, ledgers, mirrors, changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.changes import Batch, Cell, Change, Entry, Meaning, State, Why
from agent.ledger.ledger import Intent, Ledger, Settlement
from agent.mirror.mirror import Mirror
from agent.records import FieldValue, Record, Ref

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@dataclass
class Watch:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


class Bytes:
    """Different bytes at every call, the same in every run."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, count: int) -> bytes:
        self._calls += 1
        return (self._calls.to_bytes(4, "big") * (count // 4 + 1))[:count]


def open_ledger(folder: Path, clock: Watch | None = None, new_id: str | None = "ledger-1") -> Ledger:
    """The ledger in this folder, made if it is not there."""
    return Ledger.open(folder / "ledger.db", clock=clock or Watch(), random_bytes=Bytes(), new_id=new_id)


def open_mirror(folder: Path, ledger_id: str = "ledger-1", ledger_seq: int = 0) -> Mirror:
    return Mirror.open(folder / "mirror.db", ledger_id=ledger_id, ledger_seq=ledger_seq)


def cell(
    name: str = "job_title", before: FieldValue = "VP", after: FieldValue = "CEO", meaning: Meaning = "different"
) -> Cell:
    why = Why("person-basics", "person-basics.yaml:17", f"rule-of-{name}", f"Salesforce wins {name}: {after}")
    return Cell(name, name.title().replace("_", ""), before, after, meaning, why)


def change(person: int = 1, *cells: Cell, **more: Any) -> Change:
    """An update of the Contact of ``person-<n>``."""
    listed = cells or (cell(),)
    given: dict[str, Any] = {
        "op": "update",
        "entity_id": f"person-{person}",
        "system": "salesforce",
        "object_type": "Contact",
        "record_id": f"003{person:012d}AAA",
        "cells": tuple(listed),
    }
    return Change(**{**given, **more})


def intents(count: int = 1, state: State = State.INTENDED, first: int = 1) -> list[Intent]:
    return [Intent(change(person), state) for person in range(first, first + count)]


def opened(ledger: Ledger, count: int = 1, state: State = State.INTENDED, **more: Any) -> Batch:
    """A batch of updates, all in one state."""
    given: dict[str, Any] = {"state": "held" if state is State.HELD else "open", **more}
    return ledger.open_batch("cycle", "Job title", "truce", intents(count, state), **given)


def confirmed(entry: Entry, **more: Any) -> Settlement:
    """The vendor holds what was sent."""
    observed = {each.vendor_field: each.after for each in entry.change.cells}
    return Settlement(entry.id, State.CONFIRMED, **{"observed": observed, "version": "v2", **more})


def settle_all(ledger: Ledger, batch_id: str) -> list[Entry]:
    """Confirm every entry of a batch and close it."""
    entries = ledger.entries(batch_id=batch_id)
    ledger.settle([confirmed(entry) for entry in entries])
    ledger.close_batch(batch_id)
    return ledger.entries(batch_id=batch_id)


def contact(person: int = 1, *, second: int = 0, version: str | None = None, **fields: FieldValue) -> Record:
    """A Salesforce Contact, stamped so many seconds after START; its version is that stamp."""
    stamp = START + timedelta(seconds=second)
    held: Mapping[str, FieldValue] = {"Email": f"p{person}@example.com", "Title": "VP", "Phone": None}
    ref = Ref("salesforce", "Contact", f"003{person:012d}AAA")
    return Record(ref, {**held, **fields}, version or stamp.isoformat(), stamp, stamp)
