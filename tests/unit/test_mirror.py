"""The mirror: what it takes over, what it ignores, what it remembers and what it asks to be decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from recording import START, cell, change, confirmed, contact, open_ledger, open_mirror

from agent.changes import Change, Entry, State
from agent.decide.view import Base
from agent.ledger.ledger import Intent, Ledger, Settlement
from agent.mirror.mirror import Disposition, Mirror, Observed
from agent.records import Cursor, MergedInto, Pulled, Record, Ref, Tombstone

MAPPED = ("Email", "Phone", "Title")
HERE = ("salesforce", "Contact")


def by_email(record: Record) -> Iterable[tuple[str, str]]:
    email = record.fields.get("Email")
    return [("email", str(email))] if email else []


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return open_mirror(tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


def absorb(mirror: Mirror, *items: Pulled, mapped: Sequence[str] = MAPPED, second: float = 0, **more: Any) -> list[Ref]:
    """One page, read so many seconds after START (records carry their own moment)."""
    return mirror.absorb(items, mapped=mapped, keys=by_email, seen_at=START + timedelta(seconds=second), **more)


def settled(ledger: Ledger, intended: Change, **more: Any) -> Entry:
    """An entry that was written and confirmed."""
    ledger.open_batch("cycle", "t", "truce", [Intent(intended, State.INTENDED)])
    entry = ledger.entries(newest_first=True, limit=1)[0]
    ledger.settle([confirmed(entry, **more)])
    return ledger.entry(entry.id)


def decided(mirror: Mirror) -> None:
    mirror.dispose([Disposition(item.ref, "decided") for item in mirror.pending()])


REF = contact().ref
GONE = Tombstone(REF, START + timedelta(seconds=60))


# --- taking pages over ---


def test_a_record_comes_back_as_it_was_pulled(mirror: Mirror) -> None:
    record = contact(1, Title="CEO", Phone=None)
    assert absorb(mirror, record) == [record.ref]
    assert mirror.record(record.ref) == record
    assert mirror.records([record.ref, contact(2).ref]) == {record.ref: record}
    assert list(mirror.scan(*HERE)) == [record]
    assert mirror.count(*HERE) == 1


def test_first_sight_of_a_record_is_pending(mirror: Mirror) -> None:
    absorb(mirror, contact(1), contact(2), second=5)
    assert [(item.ref, item.reason) for item in mirror.pending()] == [(contact(1).ref, "new"), (contact(2).ref, "new")]
    assert mirror.pending(limit=1)[0].since == START + timedelta(seconds=5)


def test_bumped_timestamp_alone_asks_for_nothing(mirror: Mirror) -> None:
    absorb(mirror, contact(1))
    decided(mirror)
    bumped = contact(1, second=30)
    assert absorb(mirror, bumped) == []
    assert mirror.pending() == []
    assert bumped.ref.id in mirror.known(*HERE)({bumped.ref.id: bumped.version or ""})
    assert mirror.record(bumped.ref) == bumped


def test_a_change_of_an_unmapped_field_asks_for_nothing_but_is_kept(mirror: Mirror) -> None:
    absorb(mirror, contact(1, Name="Kim"))
    decided(mirror)
    assert absorb(mirror, contact(1, second=30, Name="Robin")) == []
    assert mirror.pending() == []
    kept = mirror.record(REF)
    assert kept is not None
    assert kept.fields["Name"] == "Robin"


@pytest.mark.parametrize(
    ("before", "after"), [("VP", "CEO"), ("VP", None), (None, "VP"), (None, ""), ("1", 1), (1, True), (1, 1.0)]
)
def test_a_changed_mapped_value_is_pending(mirror: Mirror, before: Any, after: Any) -> None:
    absorb(mirror, contact(1, Title=before))
    decided(mirror)
    assert absorb(mirror, contact(1, second=30, Title=after)) == [REF]
    assert [item.reason for item in mirror.pending()] == ["changed"]


def test_absent_is_not_blank(mirror: Mirror) -> None:
    absorb(mirror, contact(1, Title=None))
    decided(mirror)
    hidden = contact(1, second=30)
    fields = {name: value for name, value in hidden.fields.items() if name != "Title"}
    assert absorb(mirror, replace(hidden, fields=fields)) == [REF]
    seen = mirror.record(REF)
    assert seen is not None
    assert "Title" not in seen.fields
    assert [o.visible for o in mirror.history(REF, "Title")] == [True, False]


def test_a_field_that_was_not_asked_for_keeps_its_value(mirror: Mirror) -> None:
    absorb(mirror, contact(1, Title="VP"))
    decided(mirror)
    partial = replace(contact(1, second=30), fields={"Email": "new@example.com"})
    assert absorb(mirror, partial, mapped=["Email"]) == [REF]
    seen = mirror.record(REF)
    assert seen is not None
    assert seen.fields == {"Email": "new@example.com", "Title": "VP", "Phone": None}


def test_a_record_twice_on_one_page_is_taken_once(mirror: Mirror) -> None:
    newer = contact(1, second=30, Title="CEO")
    changed = absorb(mirror, contact(1), newer, contact(1, second=30, Title="CEO"))
    assert set(changed) == {REF}
    assert mirror.record(REF) == newer
    assert len(mirror.pending()) == 1
    assert mirror.count(*HERE) == 1


def test_a_page_of_many_kinds_of_record_is_taken(mirror: Mirror) -> None:
    lead = replace(contact(1), ref=Ref("salesforce", "Lead", "00Q1"))
    person = replace(contact(2), ref=Ref("hubspot", "contacts", "51"))
    absorb(mirror, contact(1), lead, person)
    assert [mirror.count(r.system, r.object_type) for r in (REF, lead.ref, person.ref)] == [1, 1, 1]
    assert {item.ref for item in mirror.pending()} == {REF, lead.ref, person.ref}


def test_the_order_of_fields_means_nothing(mirror: Mirror) -> None:
    absorb(mirror, contact(1))
    decided(mirror)
    shuffled = replace(contact(1), fields=dict(reversed(contact(1).fields.items())))
    assert absorb(mirror, shuffled) == []
    assert mirror.pending() == []
    assert absorb(mirror, replace(contact(2), fields=shuffled.fields)) == [contact(2).ref]
    seen = mirror.record(contact(2).ref)
    assert seen is not None
    assert seen.fields == contact(1).fields


def test_records_with_one_field_or_none_are_kept_too(mirror: Mirror) -> None:
    bare, single = replace(contact(1), fields={}), replace(contact(2), fields={"Email": "a@b.example"})
    absorb(mirror, bare, single)
    assert mirror.records([bare.ref, single.ref]) == {bare.ref: bare, single.ref: single}


def test_fields_first_seen_in_a_page_that_failed_are_learnt_again(mirror: Mirror) -> None:
    def broken(record: Record) -> Iterable[tuple[str, str]]:
        raise KeyError("no such rule")

    for other in ("Country", "Fax"):
        with pytest.raises(KeyError):
            mirror.absorb([contact(1, **{other: "x"})], mapped=[other], keys=broken, seen_at=START)
    absorb(mirror, contact(1, Fax="1"), mapped=["Fax"])
    absorb(mirror, contact(2, Country="DE"), mapped=["Country"])
    assert mirror.records([REF, contact(2).ref]) == {REF: contact(1, Fax="1"), contact(2).ref: contact(2, Country="DE")}


def test_a_page_that_fails_half_way_leaves_nothing(mirror: Mirror) -> None:
    def broken(record: Record) -> Iterable[tuple[str, str]]:
        if record.ref.id == contact(2).ref.id:
            raise KeyError("no such rule")
        return []

    cursor = Cursor(*HERE, START)
    with pytest.raises(KeyError):
        mirror.absorb([contact(1), contact(2)], mapped=MAPPED, keys=broken, seen_at=START, cursor=cursor)
    assert (mirror.pending(), mirror.cursor(*HERE), mirror.count(*HERE)) == ([], None, 0)
    assert list(mirror.scan(*HERE)) == []
    absorb(mirror, contact(1))
    assert mirror.record(REF) is not None


# --- older copies ---


def test_an_older_read_does_not_replace_a_newer_one(mirror: Mirror) -> None:
    newer = contact(1, second=60, Title="CEO")
    absorb(mirror, newer)
    decided(mirror)
    late = replace(contact(1, second=30, Title="VP"), seen_at=START + timedelta(seconds=90))
    assert absorb(mirror, late) == []
    assert mirror.record(REF) == newer


def test_an_older_stamp_is_believed_once_no_index_can_lag_that_long(mirror: Mirror) -> None:
    """A restored or re-imported record may really carry an older stamp."""
    absorb(mirror, contact(1, second=60, Title="CEO"))
    restored = replace(contact(1, second=30, Title="VP"), seen_at=START + timedelta(minutes=30))
    assert absorb(mirror, restored) == [REF]
    assert mirror.record(REF) == restored


def test_a_system_that_never_lags_is_believed_whatever_its_stamp_says(mirror: Mirror) -> None:
    """An application may stamp to the second, or by a clock that is behind."""
    absorb(mirror, contact(1, second=60, Title="CEO"))
    behind = replace(contact(1, second=30, Title="VP"), seen_at=START + timedelta(seconds=90))
    assert absorb(mirror, behind, may_lag=False) == [REF]
    assert mirror.record(REF) == behind


def test_a_change_within_the_same_second_is_not_lost(mirror: Mirror) -> None:
    """Salesforce stamps to the second: an equal stamp with another value may be the later one."""
    absorb(mirror, contact(1, Title="VP"))
    assert absorb(mirror, contact(1, Title="CEO")) == [REF]


def test_without_stamps_the_later_read_counts(mirror: Mirror) -> None:
    def at(second: int, title: str) -> Record:
        seen = START + timedelta(seconds=second)
        return replace(contact(1, Title=title), modified_at=None, version=f"v{second}", seen_at=seen)

    absorb(mirror, at(60, "CEO"))
    assert absorb(mirror, at(30, "VP")) == []
    assert absorb(mirror, at(90, "CTO")) == [REF]


def test_a_lagging_index_does_not_undo_what_we_wrote(mirror: Mirror, ledger: Ledger) -> None:
    before = contact(1, Title="VP")
    absorb(mirror, before)
    decided(mirror)
    entry = settled(ledger, change(1, cell("title", "VP", "CEO")), version=contact(1, second=20).version)
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START + timedelta(seconds=21))
    lagging = replace(before, seen_at=START + timedelta(seconds=30))
    assert absorb(mirror, lagging) == []
    seen = mirror.record(REF)
    assert seen is not None
    assert seen.fields["Title"] == "CEO"
    assert mirror.pending() == []


def test_a_lagging_index_is_recognised_even_if_our_write_told_no_version(mirror: Mirror, ledger: Ledger) -> None:
    before = contact(1, Title="VP")
    absorb(mirror, before)
    decided(mirror)
    entry = settled(ledger, change(1, cell("title", "VP", "CEO")), version=None)
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START + timedelta(seconds=21))
    assert absorb(mirror, replace(before, seen_at=START + timedelta(seconds=30))) == []
    person = contact(1, second=25, Title="CTO")
    assert absorb(mirror, person) == [REF], "a person's edit after our write is no echo"


# --- our own writes ---


def test_our_own_write_asks_for_nothing(mirror: Mirror, ledger: Ledger) -> None:
    absorb(mirror, contact(1, Title="VP"))
    decided(mirror)
    echo = contact(1, second=20, Title="CEO")
    entry = settled(ledger, change(1, cell("title", "VP", "CEO")), version=echo.version)
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START + timedelta(seconds=20))
    assert mirror.ledger_seq == ledger.last_seq
    assert absorb(mirror, echo) == []
    assert mirror.pending() == []


def test_after_our_own_write_the_record_is_read_again_whole(mirror: Mirror, ledger: Ledger) -> None:
    """Between our read and our write a person may have changed another field: the new version holds that too."""
    absorb(mirror, contact(1, Title="VP", Phone="1"))
    decided(mirror)
    echo = contact(1, second=20, Title="CEO", Phone="2")
    entry = settled(ledger, change(1, cell("title", "VP", "CEO")), version=echo.version)
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START + timedelta(seconds=20))
    assert REF.id not in mirror.known(*HERE)({REF.id: echo.version or ""})
    assert absorb(mirror, echo) == [REF]
    assert REF.id in mirror.known(*HERE)({REF.id: echo.version or ""})


def test_a_record_we_created_is_known_at_once(mirror: Mirror, ledger: Ledger) -> None:
    absorb(mirror, contact(2))
    new = change(1, cell("email", None, "p1@example.com"), op="create", record_id=None)
    entry = settled(ledger, new, record_id=REF.id, observed={"Email": "p1@example.com"})
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START)
    assert mirror.count(*HERE) == 2
    assert mirror.by_key(*HERE, "email", "p1@example.com") == [REF]
    assert [item.ref for item in mirror.pending()] == [contact(2).ref]
    assert absorb(mirror, contact(1, second=1)) == [REF]
    assert mirror.count(*HERE) == 2


@pytest.mark.parametrize("version", ["v1", "2026-11-24T09:00:00+00:00"])
def test_a_vendors_clock_behind_ours_does_not_hide_its_changes(mirror: Mirror, ledger: Ledger, version: str) -> None:
    ours = START + timedelta(days=3)
    new = change(1, cell("email", None, "p1@example.com"), op="create", record_id=None)
    entry = settled(ledger, new, record_id=REF.id, version=version, observed={"Email": "p1@example.com"})
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, ours)
    assert absorb(mirror, contact(1, second=1)) == [REF]
    assert mirror.record(REF) == contact(1, second=1)
    again = settled(ledger, change(1, cell("title", "VP", "CEO")), version=version)
    mirror.absorb_outcomes([(again, {})], ledger.last_seq, ours)
    assert absorb(mirror, contact(1, second=60, Title="CTO")) == [REF]


def test_a_record_we_deleted_is_gone(mirror: Mirror, ledger: Ledger) -> None:
    absorb(mirror, contact(1))
    decided(mirror)
    entry = settled(ledger, change(1, cell("create", "x", None), op="delete"), observed={})
    for _ in range(2):
        mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START + timedelta(seconds=5))
    assert mirror.is_deleted(REF)
    assert (mirror.count(*HERE), mirror.by_key(*HERE, "email", "p1@example.com")) == (0, [])
    assert mirror.pending() == []


def test_what_was_not_confirmed_changes_nothing(mirror: Mirror, ledger: Ledger) -> None:
    absorb(mirror, contact(1, Title="VP"))
    ledger.open_batch("cycle", "t", "truce", [Intent(change(1, cell("title", "VP", "CEO")), State.INTENDED)])
    (entry,) = ledger.entries()
    seq = ledger.settle([Settlement(entry.id, State.FAILED, observed={"Title": "VP"}, error="kept")])
    mirror.absorb_outcomes([(ledger.entry(entry.id), {})], seq, START)
    assert mirror.record(REF) == contact(1, Title="VP")
    assert mirror.ledger_seq == seq


def test_outcomes_replayed_twice_are_the_same_as_once(mirror: Mirror, ledger: Ledger) -> None:
    absorb(mirror, contact(1, Title="VP"))
    entry = settled(ledger, change(1, cell("title", "VP", "CEO")))
    for _ in range(2):
        mirror.absorb_outcomes([(entry, {"title": Base({"salesforce": "CEO"}, entry.id)})], ledger.last_seq, START)
    assert [o.value for o in mirror.history(REF, "Title")] == ["VP", "CEO"]
    mirror.absorb_outcomes([], 1, START)
    assert mirror.ledger_seq == ledger.last_seq, "it never goes back"


def test_a_match_key_follows_our_own_write(mirror: Mirror, ledger: Ledger) -> None:
    absorb(mirror, contact(1))
    entry = settled(ledger, change(1, cell("email", "p1@example.com", "new@example.com")))
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START)
    assert mirror.by_key(*HERE, "email", "new@example.com") == [REF]
    assert mirror.by_key(*HERE, "email", "p1@example.com") == []


def test_a_match_key_written_before_the_first_pull_is_worked_out_by_it(tmp_path: Path, ledger: Ledger) -> None:
    absorb(open_mirror(tmp_path), contact(1))
    entry = settled(ledger, change(1, cell("email", "p1@example.com", "new@example.com")))
    restarted = open_mirror(tmp_path)
    restarted.absorb_outcomes([(entry, {})], ledger.last_seq, START)
    absorb(restarted, contact(1, second=5, Email="new@example.com"))
    assert restarted.by_key(*HERE, "email", "new@example.com") == [REF]
    assert restarted.by_key(*HERE, "email", "p1@example.com") == []


# --- deletions and merges ---


def test_a_deletion_is_pending_once_and_the_record_is_no_longer_alive(mirror: Mirror) -> None:
    absorb(mirror, contact(1), contact(2))
    decided(mirror)
    assert absorb(mirror, GONE) == [REF]
    assert [(item.ref, item.reason) for item in mirror.pending()] == [(REF, "deleted")]
    assert mirror.is_deleted(REF)
    assert not mirror.is_deleted(contact(2).ref)
    assert mirror.record(REF) is None
    assert mirror.last_copy(REF) is not None
    assert mirror.count(*HERE) == 1
    assert mirror.by_key(*HERE, "email", "p1@example.com") == []
    assert [record.ref for record in mirror.scan(*HERE)] == [contact(2).ref]
    decided(mirror)
    assert absorb(mirror, GONE) == []
    assert mirror.pending() == []


def test_a_deletion_of_a_record_never_seen_is_still_decided(mirror: Mirror) -> None:
    """After a lost mirror the pairing remembers records that the first pull only knows as deleted."""
    assert absorb(mirror, GONE) == [REF]
    assert [item.reason for item in mirror.pending()] == ["deleted"]
    assert (mirror.count(*HERE), mirror.is_deleted(REF), mirror.record(REF)) == (0, True, None)


def test_a_merge_names_its_survivor(mirror: Mirror) -> None:
    absorb(mirror, contact(1), contact(2))
    decided(mirror)
    assert absorb(mirror, MergedInto(REF, contact(2).ref, START + timedelta(seconds=9))) == [REF]
    assert mirror.merged_into(REF) == contact(2).ref
    assert (mirror.is_deleted(REF), mirror.merged_into(contact(2).ref)) == (True, None)
    assert [item.reason for item in mirror.pending()] == ["merged"]


def test_a_deletion_before_the_last_change_is_no_deletion(mirror: Mirror) -> None:
    absorb(mirror, contact(1, second=90))
    assert absorb(mirror, GONE) == []
    assert not mirror.is_deleted(REF)


def test_a_lagging_index_does_not_bring_a_deleted_record_back(mirror: Mirror) -> None:
    absorb(mirror, contact(1))
    absorb(mirror, GONE, second=60)
    assert absorb(mirror, replace(contact(1), seen_at=START + timedelta(seconds=70))) == []
    assert mirror.is_deleted(REF)


@pytest.mark.parametrize(
    "back",
    [contact(1, second=90), replace(contact(1), seen_at=START + timedelta(minutes=30))],
    ids=["changed since", "seen long after"],
)
def test_a_restored_record_is_alive_again_and_pending(mirror: Mirror, back: Record) -> None:
    absorb(mirror, contact(1))
    absorb(mirror, GONE, second=60)
    decided(mirror)
    assert absorb(mirror, back) == [REF]
    assert [item.reason for item in mirror.pending()] == ["restored"]
    assert mirror.record(REF) == back
    assert (mirror.count(*HERE), mirror.by_key(*HERE, "email", "p1@example.com")) == (1, [REF])


# --- cursors, versions, fields asked for ---


def test_rows_and_cursor_commit_together(mirror: Mirror, tmp_path: Path) -> None:
    absorb(mirror, contact(1))
    assert mirror.cursor(*HERE) is None
    cursor = Cursor(*HERE, START + timedelta(hours=1))
    absorb(mirror, contact(2), cursor=cursor)
    assert Mirror.open_read_only(tmp_path / "mirror.db").cursor(*HERE) == cursor
    assert mirror.cursor("hubspot", "contacts") is None


def test_the_cursor_moves_with_an_empty_last_page(mirror: Mirror) -> None:
    cursor = Cursor(*HERE, START)
    assert absorb(mirror, cursor=cursor) == []
    assert mirror.cursor(*HERE) == cursor


def test_only_the_very_version_is_known(mirror: Mirror) -> None:
    known = mirror.known(*HERE)
    assert not known({REF.id: "v1"})
    absorb(mirror, contact(1, version="v1"))
    known = mirror.known(*HERE)
    assert known({REF.id: "v1"}) == {REF.id}
    assert not known({REF.id: "v2"})
    assert not known({contact(2).ref.id: "v1"})
    assert REF.id not in mirror.known("salesforce", "Lead")({REF.id: "v1"})


def test_a_deleted_record_is_not_known(mirror: Mirror) -> None:
    absorb(mirror, contact(1, version="v1"))
    absorb(mirror, GONE)
    assert REF.id not in mirror.known(*HERE)({REF.id: "v1"})


def test_a_field_that_policies_name_anew_is_pulled_for_every_record(mirror: Mirror) -> None:
    cursor = Cursor(*HERE, START)
    absorb(mirror, contact(1, version="v1"), cursor=cursor)
    more = [*MAPPED, "Country"]
    assert mirror.cursor(*HERE, mapped=MAPPED) == cursor
    assert mirror.cursor(*HERE, mapped=["Email"]) == cursor
    assert mirror.cursor(*HERE, mapped=more) is None
    assert REF.id in mirror.known(*HERE, mapped=MAPPED)({REF.id: "v1"})
    assert REF.id not in mirror.known(*HERE, mapped=more)({REF.id: "v1"})
    decided(mirror)
    assert absorb(mirror, contact(1, version="v1", Country="DE"), mapped=more, cursor=cursor) == [REF]
    assert mirror.cursor(*HERE, mapped=more) == cursor
    assert REF.id in mirror.known(*HERE, mapped=more)({REF.id: "v1"})


# --- match keys ---


def test_records_are_found_by_their_present_key(mirror: Mirror) -> None:
    absorb(mirror, contact(1), contact(2, Email="p1@example.com"))
    assert mirror.by_key(*HERE, "email", "p1@example.com") == [REF, contact(2).ref]
    absorb(mirror, contact(2, second=30, Email="other@example.com"))
    assert mirror.by_key(*HERE, "email", "p1@example.com") == [REF]
    assert mirror.by_key(*HERE, "email", "other@example.com") == [contact(2).ref]
    assert mirror.by_key(*HERE, "phone", "p1@example.com") == []
    assert mirror.by_key("hubspot", "contacts", "email", "p1@example.com") == []


def test_shared_values_come_with_all_who_share_them(mirror: Mirror) -> None:
    twin = replace(contact(3, Email="p1@example.com"), ref=Ref("hubspot", "contacts", "51"))
    absorb(mirror, contact(1), contact(2), twin, contact(4, Email=None))
    assert list(mirror.key_groups("email", marked="email")) == [("p1@example.com", [REF, twin.ref])]
    assert list(mirror.key_groups("phone", marked="phone")) == []


def test_many_shared_values_come_in_order_and_complete(mirror: Mirror) -> None:
    for block in range(2):
        absorb(mirror, *[contact(n + 2000 * block, Email=f"{n:04d}@example.com") for n in range(1, 1201)])
    groups = list(mirror.key_groups("email", marked="email"))
    assert [value for value, _ in groups] == [f"{n:04d}@example.com" for n in range(1, 1201)]
    assert all(len(refs) == 2 for _, refs in groups)


def test_shared_values_may_have_to_stand_under_another_kind_too(mirror: Mirror) -> None:
    def keys(record: Record) -> Iterable[tuple[str, str]]:
        email = str(record.fields["Email"])
        return [("email", email), *([("opted out", email)] if record.fields["Title"] == "out" else [])]

    records = [contact(1), contact(2, Email="p1@example.com", Title="out"), *(contact(n, Email="x") for n in (3, 4))]
    mirror.absorb(records, mapped=MAPPED, keys=keys, seen_at=START)
    shared = [("p1@example.com", [REF, contact(2).ref])]
    assert list(mirror.key_groups("email", marked="opted out")) == shared
    assert list(mirror.pending_key_groups("email", marked="opted out")) == shared


def test_what_pending_records_share_is_found_with_everybody_who_shares_it(mirror: Mirror) -> None:
    twin = replace(contact(3, Email="p1@example.com"), ref=Ref("hubspot", "contacts", "51"))
    other = [contact(8, Email="o@example.com"), contact(9, Email="o@example.com")]
    absorb(mirror, contact(1), contact(2), twin, *other)
    decided(mirror)
    assert list(mirror.pending_key_groups("email", marked="email")) == []
    mirror.pend([twin.ref, contact(2).ref], "again", START)
    assert list(mirror.pending_key_groups("email", marked="email")) == [("p1@example.com", [REF, twin.ref])]
    assert list(mirror.pending_key_groups("phone", marked="phone")) == []


def test_a_value_shared_by_many_pending_records_comes_once(mirror: Mirror) -> None:
    for block in range(3):
        absorb(mirror, *[contact(n + 2000 * block, Email=f"{n:04d}@example.com") for n in range(1, 701)])
    groups = list(mirror.pending_key_groups("email", marked="email"))
    assert sorted(value for value, _ in groups) == [f"{n:04d}@example.com" for n in range(1, 701)]
    assert all(len(refs) == 3 for _, refs in groups)


def test_the_living_are_those_we_hold_and_that_are_not_gone(mirror: Mirror) -> None:
    absorb(mirror, contact(1), contact(2))
    absorb(mirror, Tombstone(REF))
    assert mirror.living([REF, contact(2).ref, contact(3).ref]) == {contact(2).ref}


def test_keys_are_worked_out_anew_when_the_policies_changed(mirror: Mirror) -> None:
    def by_title(record: Record) -> Iterable[tuple[str, str]]:
        return [("title", str(record.fields["Title"]))]

    absorb(mirror, contact(1), contact(2))
    assert mirror.index_keys(*HERE, by_title, "revision 2") == 2
    assert mirror.index_keys(*HERE, by_title, "revision 2") == 0
    assert len(mirror.by_key(*HERE, "title", "VP")) == 2
    assert mirror.by_key(*HERE, "email", "p1@example.com") == []
    assert mirror.index_keys("hubspot", "contacts", by_title, "revision 2") == 0


# --- pending and dispositions ---


def test_a_pending_change_waits_until_it_is_disposed(mirror: Mirror) -> None:
    absorb(mirror, contact(1))
    absorb(mirror, contact(1, second=30, Title="CEO"), second=30)
    (item,) = mirror.pending()
    assert (item.since, item.reason) == (START, "changed")
    mirror.dispose([Disposition(REF, "skipped", "Title: blank")], at=START + timedelta(hours=1))
    assert mirror.pending() == []
    assert mirror.disposition(REF) == (Disposition(REF, "skipped", "Title: blank"), START + timedelta(hours=1))
    assert mirror.disposition(contact(2).ref) is None


def test_disposing_of_a_record_never_seen_does_nothing(mirror: Mirror) -> None:
    mirror.dispose([Disposition(REF, "decided")])
    assert mirror.disposition(REF) is None


def test_records_can_be_asked_to_be_decided_again(mirror: Mirror) -> None:
    absorb(mirror, contact(1), contact(2), contact(3))
    absorb(mirror, GONE)
    decided(mirror)
    assert mirror.pend([contact(2).ref, contact(9).ref], "lifted", START) == 1
    assert [(item.ref, item.reason) for item in mirror.pending()] == [(contact(2).ref, "lifted")]
    assert mirror.pend_all(*HERE, "rule changed", START) == 1
    assert [item.ref for item in mirror.pending()] == [contact(2).ref, contact(3).ref]


# --- history ---


def test_history_tells_each_value_and_when_it_was_seen(mirror: Mirror, ledger: Ledger) -> None:
    absorb(mirror, contact(1, Title="VP"))
    absorb(mirror, contact(1, second=10, Title="VP"))
    absorb(mirror, contact(1, second=40, Title="CEO"))
    entry = settled(ledger, change(1, cell("title", "CEO", "CTO")), version=contact(1, second=50).version)
    mirror.absorb_outcomes([(entry, {})], ledger.last_seq, START + timedelta(seconds=51))

    def at(second: int) -> Any:
        return START + timedelta(seconds=second)

    assert mirror.history(REF, "Title") == [
        Observed("Title", "VP", at(0), at(10)),
        Observed("Title", "CEO", at(40), at(40), modified_at=at(40)),
        Observed("Title", "CTO", at(51), at(51), by=entry.id),
    ]


def test_a_field_that_never_changed_has_one_observation(mirror: Mirror) -> None:
    absorb(mirror, contact(1), contact(2))
    absorb(mirror, contact(1, second=10, Title="CEO"))
    history = mirror.history(REF)
    assert [(o.field, o.value) for o in history] == [
        ("Email", "p1@example.com"), ("Phone", None), ("Title", "VP"), ("Title", "CEO"),
    ]  # fmt: skip
    assert mirror.history(REF, "Nonsense") == []
    assert mirror.history(contact(9).ref) == []


# --- bases ---


def test_bases_are_kept_per_field(mirror: Mirror) -> None:
    title = Base({"salesforce": "VP", "hubspot": "vp"}, "E-7")
    phone = Base({"salesforce": None, "hubspot": 12})
    mirror.set_bases({"person-1": {"title": title}, "person-2": {"title": title}})
    mirror.set_bases({"person-1": {"phone": phone}})
    assert mirror.bases(["person-1", "person-9"]) == {"person-1": {"title": title, "phone": phone}}
    mirror.drop_bases(["person-1"])
    assert mirror.bases(["person-1", "person-2"]) == {"person-2": {"title": title}}


def test_outcomes_bring_their_bases(mirror: Mirror, ledger: Ledger) -> None:
    absorb(mirror, contact(1))
    entry = settled(ledger, change(1, cell("title", "VP", "CEO")))
    base = Base({"salesforce": "CEO", "hubspot": "CEO"}, entry.id)
    mirror.absorb_outcomes([(entry, {"title": base})], ledger.last_seq, START)
    assert mirror.bases(["person-1"]) == {"person-1": {"title": base}}


# --- which ledger it belongs to ---


def test_a_mirror_ahead_of_its_ledger_or_of_another_is_noticed(mirror: Mirror) -> None:
    mirror.absorb_outcomes([], 10, START)
    assert mirror.check_against("ledger-1", 10) == "ok"
    assert mirror.check_against("ledger-1", 9) == "ahead"
    assert mirror.check_against("ledger-2", 99) == "foreign"


def test_a_mirror_stays_with_its_first_ledger(mirror: Mirror, tmp_path: Path) -> None:
    mirror.absorb_outcomes([], 10, START)
    again = open_mirror(tmp_path, "ledger-2", 99)
    assert (again.ledger_id, again.ledger_seq) == ("ledger-1", 10)


def test_a_new_mirror_does_not_replay_what_was_before_it(tmp_path: Path) -> None:
    assert open_mirror(tmp_path, ledger_seq=41).ledger_seq == 41


def test_a_reset_forgets_everything(mirror: Mirror) -> None:
    absorb(mirror, contact(1), cursor=Cursor(*HERE, START))
    mirror.set_bases({"person-1": {"title": Base({})}})
    mirror.reset("ledger-2", 5)
    assert (mirror.ledger_id, mirror.ledger_seq) == ("ledger-2", 5)
    assert (mirror.pending(), mirror.count(*HERE), mirror.cursor(*HERE), mirror.bases(["person-1"])) == (
        [],
        0,
        None,
        {},
    )
    assert absorb(mirror, contact(1)) == [REF]


def test_a_reader_sees_what_was_committed(mirror: Mirror, tmp_path: Path) -> None:
    absorb(mirror, contact(1))
    reader = Mirror.open_read_only(tmp_path / "mirror.db")
    assert reader.record(REF) == contact(1)
    assert reader.pending() == mirror.pending()


def test_scanning_goes_on_while_records_change(mirror: Mirror) -> None:
    absorb(mirror, *[contact(n) for n in range(1, 2101)])
    seen = []
    for record in mirror.scan(*HERE):
        seen.append(record.ref)
        if len(seen) == 500:
            absorb(mirror, Tombstone(contact(2000).ref, START + timedelta(seconds=1)), contact(5, second=9, Title="x"))
    assert len(seen) == 2099
    assert seen == sorted(seen)
