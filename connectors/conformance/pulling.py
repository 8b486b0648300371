"""Claims about changed records: complete, or an exception."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from agent.connector import Window
from agent.errors import BadReply, Unavailable
from agent.records import Gone, MergedInto, Record, Tombstone
from connectors.conformance.desk import Claims, Desk, Fault, holds, live_ids, raises, same

PULLING = Claims("docs/add-a-connector.md#changed-records")
MANY = 450


@PULLING.claim("hands", "time", "lag")
def changed_brings_what_changed_in_the_window_and_nothing_else(desk: Desk) -> None:
    early, edited = desk.made(1), desk.made(2)
    desk.hands.advance(7200)
    late = desk.made(3)
    desk.hands.person_edit(edited.id, {desk.names.title: "CTO"})
    desk.settle_index()
    found = live_ids(desk.pull())
    same("changed records that are missing", {late.id, edited.id} - set(found), set())
    holds("what changed before is not among them", early.id not in found)


@PULLING.claim("hands", "time")
def an_empty_window_brings_nothing(desk: Desk) -> None:
    desk.made(1)
    desk.hands.advance(7200)
    same("a minute in which nothing happened", live_ids(desk.pull(60.0)), [])


@PULLING.claim("hands", "time", "lag")
def the_window_includes_its_beginning_and_excludes_its_end(desk: Desk) -> None:
    ref = desk.made(1)
    stamp = desk.read(ref).modified_at
    if stamp is None:
        return holds("a record says when it was changed", stamp)
    desk.settle_index()
    instant, hour = timedelta(milliseconds=1), timedelta(hours=1)
    for window, expected in [
        (Window(stamp, stamp + hour), [ref.id]),
        (Window(stamp - hour, stamp + instant), [ref.id]),
        (Window(stamp - hour, stamp), []),
        (Window(stamp + instant, stamp + hour), []),
        (Window(stamp, stamp), []),
    ]:
        pages = desk.connector.changed(desk.names.object_type, [], window)
        same(f"what {window} brings", [item.ref.id for page in pages for item in page.items], expected)
    return None


@PULLING.claim("hands", "many", "lag")
def no_record_is_lost_among_many_with_one_stamp(desk: Desk) -> None:
    wanted = sorted(desk.made(number).id for number in range(MANY))
    desk.settle_index()
    same("records of one hour", sorted(set(live_ids(desk.pull()))), wanted)
    same("records of a full load", sorted(set(live_ids(desk.pull(None)))), wanted)


@PULLING.claim("hands", "time", "lag")
def a_full_load_brings_everything_however_old(desk: Desk) -> None:
    old = desk.made(1)
    desk.hands.advance(400 * 86_400)
    new = desk.made(2)
    desk.settle_index()
    same("records that are missing", {old.id, new.id} - set(live_ids(desk.pull(None))), set())


@PULLING.claim("hands", "lag")
def a_full_load_brings_even_what_is_known(desk: Desk) -> None:
    ref = desk.made(1)
    desk.settle_index()
    holds("it is there", ref.id in live_ids(desk.pull(None, known=lambda versions: set(versions))))


@PULLING.claim("hands", "many", "lag")
def a_full_load_goes_on_where_it_was_interrupted(desk: Desk) -> None:
    refs = desk.hands.some(MANY)
    desk.settle_index()
    whole = list(desk.pages(None))
    for done in range(1, len(whole)):
        if whole[done - 1].reached is None:
            continue
        first = [item.ref for page in whole[:done] for item in page.items]
        rest = Window(None, desk.connector.now(), whole[done - 1].reached)
        second = desk.connector.changed(desk.names.object_type, [desk.names.email], rest)
        found = [item.ref for page in second for item in page.items]
        same("records that neither half brought", set(refs) - set(first) - set(found), set())
        same("records that both halves brought", set(first) & set(found), set())


@PULLING.claim("hands", "lag")
def what_is_known_in_this_version_may_be_left_out_and_nothing_else(desk: Desk) -> None:
    seen, moved = desk.made(1), desk.made(2)
    versions = {ref.id: desk.read(ref).version for ref in (seen, moved)}
    desk.hands.advance(1)
    desk.hands.person_edit(moved.id, {desk.names.title: "CTO"})
    desk.settle_index()
    asked: set[tuple[str, str]] = set()

    def known(told: Mapping[str, str]) -> set[str]:
        asked.update(told.items())
        return {record_id for record_id, version in told.items() if versions.get(record_id) == version}

    holds("the record that moved is there", moved.id in live_ids(desk.pull(known=known)))
    holds("nobody asks after its old version", (moved.id, str(versions[moved.id])) not in asked)


@PULLING.claim("hands", "lag")
def changed_values_are_those_a_read_gives(desk: Desk) -> None:
    ref = desk.made(1)
    desk.settle_index()
    (pulled,) = [item for item in desk.pull() if isinstance(item, Record) and item.ref == ref]
    read = desk.read(ref, "email")
    seen = (dict(pulled.fields), pulled.version, pulled.modified_at)
    same("fields, version and time of a pulled record", seen, (dict(read.fields), read.version, read.modified_at))


@PULLING.claim("hands", "merges", "time", "lag")
def a_merge_is_told(desk: Desk) -> None:
    survivor, loser = desk.made(1), desk.made(2)
    desk.hands.advance(7200)
    into = desk.ref(desk.hands.person_merge(survivor.id, loser.id))
    desk.settle_index()
    found = desk.pull()
    told = {(item.ref.id, item.survivor) for item in found if isinstance(item, MergedInto)}
    holds("the merge is among what changed", (loser.id, into) in told, told)
    holds("the loser is not among the living", loser.id not in live_ids(found))


@PULLING.claim("hands", "time", "lag")
def a_deletion_is_told_or_the_capabilities_say_that_it_is_not(desk: Desk) -> None:
    kept, deleted = desk.made(1), desk.made(2)
    desk.hands.advance(7200)
    desk.hands.person_delete(deleted.id)
    desk.settle_index()
    tombstones = [item.ref for item in desk.pull() if isinstance(item, Tombstone)]
    expected = [deleted] if desk.connector.capabilities.sees_deletions else []
    same("deletions told by a window", tombstones, expected)
    holds("a full load has it not among the living", deleted.id not in live_ids(desk.pull(None)))
    same("a read by id", desk.connector.read([deleted, kept], [])[0], Gone(deleted))


@PULLING.claim(
    "hands",
    "many",
    "faults",
    "lag",
    since=(3600.0, None),
    fault=("drop_before", "drop_after", "unavailable", "throttled", "html"),
)
def a_pull_that_fails_anywhere_ends_in_an_exception(desk: Desk, since: float | None, fault: Fault) -> None:
    for number in range(120):
        desk.made(number)
    desk.settle_index()
    before = desk.hands.requests()
    same("records without a fault", len(live_ids(desk.pull(since))), 120)
    for nth in range(1, desk.hands.requests() - before):
        pages = desk.pages(since)
        desk.hands.fail(fault, "read", nth=nth)
        raises((Unavailable, BadReply), lambda pages=pages: list(pages), f"request {nth} of a pull goes wrong")  # type: ignore[misc]
