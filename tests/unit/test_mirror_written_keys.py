"""Match keys of a record that we wrote to: worked out again only where the write touched what they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from recording import START, cell, change, confirmed, contact, open_ledger, open_mirror

from agent.changes import Change, Entry, State
from agent.ledger.ledger import Intent, Ledger
from agent.mirror.mirror import Mirror
from agent.records import Pulled, Record, Ref, Tombstone

HERE = ("salesforce", "Contact")
REF = contact().ref


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return open_mirror(tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


class ByEmail:
    """Makes a key of the e-mail, and knows whom it was asked about."""

    def __init__(self) -> None:
        self.asked: list[Ref] = []

    def __call__(self, record: Record) -> Iterable[tuple[str, str]]:
        self.asked.append(record.ref)
        email = record.fields.get("Email")
        return [("email", str(email))] if email else []


def pull(mirror: Mirror, item: Pulled, keys: ByEmail) -> None:
    mirror.absorb([item], mapped=("Email", "Phone", "Title"), keys=keys, key_fields={"Email"}, seen_at=START)


def settled(ledger: Ledger, intended: Change) -> Entry:
    """An entry that was written and confirmed."""
    ledger.open_batch("cycle", "t", "truce", [Intent(intended, State.INTENDED)])
    entry = ledger.entries(newest_first=True, limit=1)[0]
    ledger.settle([confirmed(entry, **({"observed": {}} if intended.op == "undelete" else {}))])
    return ledger.entry(entry.id)


def test_a_write_that_touches_no_match_key_has_none_worked_out_again(mirror: Mirror, ledger: Ledger) -> None:
    keys = ByEmail()
    pull(mirror, contact(1, Title="VP"), keys)
    entry = settled(ledger, change(1, cell("title", "VP", "CEO")))
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START)
    pull(mirror, contact(1, second=5, Title="CEO"), keys)
    assert keys.asked == [REF], "at first sight"
    pull(mirror, contact(1, second=9, Title="CEO", Email="new@example.com"), keys)
    assert mirror.by_key(*HERE, "email", "new@example.com") == [REF]


def test_a_record_we_brought_back_has_its_match_keys_again(mirror: Mirror, ledger: Ledger) -> None:
    keys = ByEmail()
    pull(mirror, contact(1), keys)
    pull(mirror, Tombstone(REF, START + timedelta(seconds=60)), keys)
    assert mirror.by_key(*HERE, "email", "p1@example.com") == []
    entry = settled(ledger, change(1, cell("title", None, "VP"), op="undelete"))
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START + timedelta(seconds=70))
    assert mirror.by_key(*HERE, "email", "p1@example.com") == [REF]
