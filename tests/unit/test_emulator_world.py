"""The practice world: transactions that vanish whole, an audit nobody skips, and a state file that brings it back."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.emulator.clock import Clock
from connectors.emulator.history import HISTORY_PER_FIELD, HISTORY_PER_ROW
from connectors.emulator.persistence import (
    StateFile,
    packed,
    restore,
    snapshot,
    unpacked,
    values_only,
)
from connectors.emulator.world import Actor, Space, Transaction, World

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
ANNA = Actor("anna", "person")
ROBOT = Actor("robot", "api", request_id="r-1", entry_id="E-1")


class Lost(Exception):
    """What a handler raises when its request comes to nothing."""


@pytest.fixture
def small() -> World:
    world = World(Clock(START))
    world.spaces["hubspot"].add_index("contacts", "email", str.lower)
    with world.transaction("hubspot", ANNA) as transaction:
        transaction.create("contacts", "1", {"email": "Ada@x.example", "name": "Ada"})
        transaction.create("contacts", "2", {"email": "bo@x.example", "name": "Bo"})
        transaction.link(("contacts", "1"), ("companies", "9"), {"1"})
    return world


def hubspot(world: World) -> Space:
    return world.spaces["hubspot"]


def test_one_transaction_gives_every_row_one_stamp_and_one_audit_line_each(small: World) -> None:
    small.clock.advance(5)
    with small.transaction("hubspot", ROBOT) as transaction:
        for row in hubspot(small).table("contacts").values():
            transaction.update(row, {"name": "X"})
    stamps = {row.stamp for row in hubspot(small).table("contacts").values()}
    assert stamps == {START + timedelta(seconds=5)}
    first, second = small.audit[-2:]
    assert (first.before, first.after) == ({"name": "Ada"}, {"name": "X"})
    assert (second.id, second.request_id, second.entry_id, second.cause) == ("2", "r-1", "E-1", "api")
    assert first.transaction == second.transaction


def test_audit_numbers_have_no_gap_and_a_link_is_one_line(small: World) -> None:
    with small.transaction("hubspot", ANNA) as transaction:
        transaction.link(("contacts", "2"), ("companies", "9"), {"1", "279"})
        transaction.link(("companies", "9"), ("contacts", "2"), {"2", "280"})
        transaction.link(("contacts", "1"), ("companies", "9"), set())
    assert [line.seq for line in small.audit] == [1, 2, 3, 4, 5]
    linked, unlinked = small.audit[-2:]
    assert (linked.op, linked.before, linked.after) == ("link", {"companies/9": []}, {"companies/9": ["1", "279"]})
    assert (unlinked.op, unlinked.id, unlinked.after) == ("unlink", "1", {"companies/9": []})


def test_a_link_set_to_what_it_was_leaves_no_line(small: World) -> None:
    before = len(small.audit)
    with small.transaction("hubspot", ANNA) as transaction:
        transaction.link(("contacts", "1"), ("companies", "9"), {"1"})
    assert len(small.audit) == before


def test_a_failed_transaction_leaves_no_trace(small: World) -> None:
    before, lines = snapshot(small), list(small.audit)
    row = hubspot(small).table("contacts")["1"]
    with contextlib.suppress(Lost), small.transaction("hubspot", ROBOT) as transaction:
        transaction.update(row, {"email": "new@x.example"})
        transaction.mark(row, op="delete", deleted=True)
        transaction.create("contacts", "3", {"email": "c@x.example"})
        transaction.purge(hubspot(small).table("contacts")["2"])
        transaction.link(("contacts", "1"), ("companies", "9"), set())
        transaction.link(("contacts", "1"), ("companies", "8"), {"1"})
        raise Lost
    before["transactions"] += 1
    assert snapshot(small) == before
    assert small.audit == lines
    assert hubspot(small).lookup("contacts", "email", "ADA@x.example") == {"1"}
    assert hubspot(small).lookup("contacts", "email", "new@x.example") == set()
    assert hubspot(small).table("contacts")["1"] is row


def test_a_failed_row_of_a_batch_vanishes_and_the_others_stay(small: World) -> None:
    table = hubspot(small).table("contacts")
    with small.transaction("hubspot", ROBOT) as transaction:
        transaction.update(table["1"], {"name": "kept"})
        with contextlib.suppress(Lost), small.attempt(transaction) as attempt:
            attempt.update(table["1"], {"name": "lost"})
            attempt.create("contacts", "4", {})
            raise Lost
        with small.attempt(transaction) as attempt:
            attempt.update(table["2"], {"name": "also kept"})
    assert {row_id: row.values["name"] for row_id, row in table.items()} == {"1": "kept", "2": "also kept"}
    assert [(line.id, line.after) for line in small.audit[-2:]] == [
        ("1", {"name": "kept"}),
        ("2", {"name": "also kept"}),
    ]


def test_the_audit_spans_a_row_touched_inside_and_outside_an_attempt(small: World) -> None:
    row = hubspot(small).table("contacts")["1"]
    with small.transaction("hubspot", ROBOT) as transaction:
        transaction.update(row, {"name": "one"})
        with small.attempt(transaction) as attempt:
            attempt.mark(row, op="delete", deleted=True)
            attempt.update(row, {"name": "two"})
    line = small.audit[-1]
    assert (line.op, line.before, line.after) == ("delete", {"name": "Ada"}, {"name": "two"})


def test_a_commit_hook_that_fails_undoes_the_transaction(small: World) -> None:
    before = values_only(small)

    def full(*_: object) -> None:
        raise OSError("disk full")

    small.on_commit.append(full)
    with pytest.raises(OSError, match="disk full"), small.transaction("hubspot", ROBOT) as transaction:
        transaction.create("contacts", "5", {})
    assert values_only(small) == before


def test_a_late_commit_is_stamped_now_and_seen_later(small: World) -> None:
    hubspot(small).visible_delay_seconds = 3.0
    with small.transaction("hubspot", ROBOT) as transaction:
        row = transaction.create("contacts", "6", {})
    assert row.visible_at - row.stamp == timedelta(seconds=3)
    assert small.audit[-1].visible_at == row.visible_at


def test_a_background_touch_moves_the_stamp_alone(small: World) -> None:
    row = hubspot(small).table("contacts")["1"]
    small.clock.advance(60)
    with small.transaction("hubspot", Actor("system", "system")) as transaction:
        transaction.update(row, {}, system_only=True)
    assert (row.stamp - START, row.modified_at) == (timedelta(seconds=60), START)


def test_history_is_newest_first_and_bounded(small: World) -> None:
    row = hubspot(small).table("contacts")["1"]
    for number in range(HISTORY_PER_ROW + 10):
        with small.transaction("hubspot", ROBOT) as transaction:
            transaction.update(row, {"name": str(number)})
    names = [value for name, value, _, _ in row.history if name == "name"]
    assert names[0] == str(HISTORY_PER_ROW + 9)
    assert HISTORY_PER_FIELD <= len(names) <= HISTORY_PER_ROW
    assert [value for name, value, _, _ in row.history if name == "email"] == ["Ada@x.example"]


def test_a_snapshot_put_back_is_the_same_world(small: World) -> None:
    with small.transaction("hubspot", ROBOT) as transaction:
        transaction.mark(hubspot(small).table("contacts")["2"], op="delete", deleted=True)
    hubspot(small).settings["tokens"] = {"t": {"scopes": {"a", "b"}}}
    taken = json.loads(json.dumps(snapshot(small)))
    other = World(Clock(START + timedelta(days=9)))
    other.spaces["hubspot"].add_index("contacts", "email", str.lower)
    restore(other, taken)
    assert json.dumps(snapshot(other)) == json.dumps(taken)
    assert other.spaces["hubspot"].lookup("contacts", "email", "BO@x.example") == {"2"}
    assert other.spaces["hubspot"].settings == {"tokens": {"t": {"scopes": {"a", "b"}}}}
    assert other.clock.now() == START


def test_a_foreign_snapshot_is_refused(small: World) -> None:
    with pytest.raises(ValueError, match="no snapshot"):
        restore(small, {"format": 0})


def test_the_state_file_brings_back_what_was_committed(small: World, tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.db")
    assert state.is_empty
    state.save_everything(small, credentials={"token": "x"})
    small.on_commit.append(lambda *parts: state.commit(small, *parts))
    small.clock.advance(7)
    with small.transaction("hubspot", ROBOT) as transaction:
        transaction.update(hubspot(small).table("contacts")["1"], {"name": "A"})
        transaction.purge(hubspot(small).table("contacts")["2"])
        transaction.create("contacts", "3", {"score": 1.5})
        transaction.link(("contacts", "1"), ("companies", "9"), set())
        transaction.link(("contacts", "1"), ("deals", "4"), {"3"})
    hubspot(small).next_number("contacts")
    hubspot(small).settings.update(schema={("a", 1): {"x"}}, gone=1)
    state.save_account(small)
    del hubspot(small).settings["gone"]
    state.save_account(small)

    reopened = StateFile(tmp_path / "state.db")
    other = World(Clock())
    reopened.load(other)
    assert snapshot(other) == snapshot(small)
    assert other.audit == small.audit
    assert reopened.fact("credentials") == {"token": "x"}
    reopened.close()
    state.close()


def test_a_transaction_that_failed_is_not_in_the_state_file(small: World, tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.db")
    state.save_everything(small)
    small.on_commit.append(lambda *parts: state.commit(small, *parts))
    with contextlib.suppress(Lost), small.transaction("hubspot", ROBOT) as transaction:
        transaction.create("contacts", "8", {})
        raise Lost
    other = World(Clock())
    state.load(other)
    assert values_only(other) == values_only(small)
    state.close()


kept = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.sets(st.text() | st.integers())
        | st.tuples(inner, inner)
    ),
)


@given(kept)
def test_packed_values_come_back_as_they_were(value: object) -> None:
    assert unpacked(json.loads(json.dumps(packed(value)))) == value


steps = st.lists(
    st.tuples(
        st.sampled_from(["create", "update", "delete", "undelete", "purge", "link", "unlink", "attempt"]),
        st.sampled_from("123"),
        st.sampled_from(["a@x.example", "B@x.example", None]),
    ),
    max_size=6,
)


def act(world: World, transaction: Transaction, op: str, row_id: str, email: str | None) -> None:
    """Whatever of it makes sense now."""
    row = hubspot(world).row("contacts", row_id)
    if op == "create" and row is None:
        transaction.create("contacts", row_id, {"email": email})
    elif op in {"link", "unlink"}:
        transaction.link(("contacts", row_id), ("companies", "9"), {"1"} if op == "link" else set())
    elif op == "attempt":
        with contextlib.suppress(Lost), world.attempt(transaction) as attempt:
            for inner in ("create", "update", "link", "purge"):
                act(world, attempt, inner, row_id, "lost@x.example")
            raise Lost
    elif row is not None and op == "update":
        transaction.update(row, {"email": email})
    elif row is not None and op in {"delete", "undelete"}:
        transaction.mark(row, op=op, deleted=op == "delete")
    elif row is not None and op == "purge":
        transaction.purge(row)


@given(st.lists(st.tuples(st.booleans(), steps), max_size=6))
def test_the_audit_alone_tells_what_every_record_and_link_became(story: list[tuple[bool, list[Any]]]) -> None:
    world = World(Clock(START))
    hubspot(world).add_index("contacts", "email", str.lower)
    for fails, acts in story:
        with contextlib.suppress(Lost), world.transaction("hubspot", ROBOT) as transaction:
            for op, row_id, email in acts:
                act(world, transaction, op, row_id, email)
            if fails:
                raise Lost
    told: dict[str, str | None] = {}
    linked: set[str] = set()
    for line in world.audit:
        if line.op in {"link", "unlink"}:
            linked = linked | {line.id} if line.op == "link" else linked - {line.id}
        elif line.op == "purge":
            del told[line.id]
        else:
            told[line.id] = line.after.get("email", told.get(line.id))
    rows = hubspot(world).table("contacts")
    assert told == {row_id: row.values["email"] for row_id, row in rows.items()}
    assert linked == {row_id for _, row_id in hubspot(world).links}
    for email in ("a@x.example", "B@x.example", "lost@x.example"):
        holders = {row_id for row_id, row in rows.items() if (row.values["email"] or "").lower() == email.lower()}
        assert hubspot(world).lookup("contacts", "email", email) == holders
    assert [line.seq for line in world.audit] == list(range(1, len(world.audit) + 1))


def test_an_id_is_never_given_twice(small: World) -> None:
    with pytest.raises(RuntimeError, match="there already"), small.transaction("hubspot", ROBOT) as transaction:
        transaction.create("contacts", "1", {})


def test_what_cannot_come_back_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot keep a object"):
        packed(object())
