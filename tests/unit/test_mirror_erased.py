"""The mirror forgets: what was erased at its vendor, the past of what is still there; and repeats within a page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from recording import START, contact, open_mirror

from agent.decide.view import Base
from agent.mirror.mirror import Mirror
from agent.records import Pulled, Record, Tombstone

HERE = ("salesforce", "Contact")
REF = contact().ref


def by_email(record: Record) -> Iterable[tuple[str, str]]:
    email = record.fields.get("Email")
    return [("email", str(email))] if email else []


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return open_mirror(tmp_path)


def absorb(mirror: Mirror, *items: Pulled, second: float = 0, **more: Any) -> None:
    moment = START + timedelta(seconds=second)
    mirror.absorb(items, mapped=("Email", "Phone", "Title"), keys=by_email, seen_at=moment, **more)


def test_new_records_may_come_again_in_any_order_within_a_page(mirror: Mirror) -> None:
    absorb(mirror, *[contact(n) for n in (1, 2, 1, 2, 3, 1, 3, 2)])
    assert mirror.count(*HERE) == 3
    assert len(mirror.pending()) == 3


def test_an_erased_record_is_emptied_and_no_tombstone_makes_it_a_plain_deletion(mirror: Mirror) -> None:
    absorb(mirror, contact(1))
    absorb(mirror, contact(1, second=5, Title="CFO"))
    mirror.set_bases({"person-1": {"title": Base({"salesforce": "CFO"})}})
    absorb(mirror, Tombstone(REF, START + timedelta(seconds=9), is_erased=True), second=9)
    assert mirror.erased.waiting() == [REF]
    assert mirror.last_copy(REF) is not None, "its e-mail is still needed, to know it again"
    mirror.erased.forget("person-1", [REF])
    absorb(mirror, Tombstone(REF, START + timedelta(seconds=20)), second=20)
    assert (mirror.erased.waiting(), mirror.erased.has(REF), mirror.bases(["person-1"])) == ([], True, {})
    copy = mirror.last_copy(REF)
    assert copy is not None
    assert copy.fields == {}
    assert mirror.history(REF) == []
    assert mirror.by_key(*HERE, "email", "p1@example.com") == []


def test_what_is_there_keeps_its_copy_and_loses_its_past(mirror: Mirror) -> None:
    absorb(mirror, contact(1))
    absorb(mirror, contact(1, second=5, Title="CFO"))
    mirror.erased.forget("person-1", [REF])
    assert mirror.record(REF) is not None
    assert all(each.value != contact(1).fields.get("Title") for each in mirror.history(REF, "Title"))
