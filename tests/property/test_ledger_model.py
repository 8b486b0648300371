"""Whatever is recorded in whatever order, the ledger says the same as a plain model of it, and its chain holds."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.changes import OPEN_STATES, TRANSITIONS, Cell, Change, State, Why
from agent.ledger.erasure import Erasure
from agent.ledger.ledger import Intent, Ledger, Settlement
from agent.records import Ref

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
BORN = [State.PLANNED, State.HELD, State.REFUSED, State.INTENDED]
VALUES: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=4))
PICK = st.integers(0, 10_000)


@dataclass
class Known:
    """What the model knows of one entry."""

    batch: str
    change: Change
    state: State
    attempts: int
    observed: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    is_erased: bool = False


def change_of(person: int, before: Any, after: Any) -> Change:
    why = Why("person-basics", "person-basics.yaml:17", "rule", f"Salesforce wins: {after}")
    cells = (Cell("title", "Title", before, after, "different", why), Cell("flag", "Flag", 1, True, "fill", why))
    return Change("update", f"person-{person}", "salesforce", "Contact", f"003{person}", cells)


class LedgerModel(RuleBasedStateMachine):
    """The rules are what apply, confirm, approve and rollback do to the ledger; a restart may come at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = START
        self.salts = 0
        self.known: dict[str, Known] = {}
        self.batches: dict[str, str] = {}
        self.ledger = self.open()

    def open(self) -> Ledger:
        path = Path(self.folder.name) / "ledger.db"
        return Ledger.open(path, clock=lambda: self.now, random_bytes=self.random_bytes, new_id="model")

    def random_bytes(self, count: int) -> bytes:
        self.salts += 1
        return (self.salts.to_bytes(4, "big") * count)[:count]

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    def any_entry(self, pick: int) -> str:
        return sorted(self.known)[pick % len(self.known)]

    def in_state(self, *states: State) -> list[str]:
        return [name for name, known in self.known.items() if known.state in states]

    @rule(
        people=st.lists(st.integers(1, 4), min_size=0, max_size=3, unique=True),
        state=st.sampled_from(BORN), before=VALUES, after=VALUES,
    )  # fmt: skip
    def open_batch(self, people: list[int], state: State, before: Any, after: Any) -> None:
        intents = [Intent(change_of(person, before, after), state, "note") for person in people]
        batch = self.ledger.open_batch("cycle", "t", "truce", intents, state="held" if state is State.HELD else "open")
        self.batches[batch.id] = batch.state
        for entry, intent in zip(self.ledger.entries(batch_id=batch.id), intents, strict=True):
            self.known[entry.id] = Known(batch.id, intent.change, state, int(state is State.INTENDED))

    @precondition(lambda self: self.in_state(State.PLANNED, State.HELD))
    @rule(pick=PICK)
    def intend(self, pick: int) -> None:
        waiting = self.in_state(State.PLANNED, State.HELD)
        names = waiting[pick % len(waiting) :]
        self.ledger.intend(names)
        for name in names:
            self.known[name].state = State.INTENDED
            self.known[name].attempts += 1
            self.known[name].observed, self.known[name].error = {}, None

    @precondition(lambda self: self.in_state(*OPEN_STATES))
    @rule(pick=PICK)
    def send_again(self, pick: int) -> None:
        sendable = self.in_state(*OPEN_STATES)
        name = sendable[pick % len(sendable)]
        self.ledger.attempt([name])
        self.known[name].attempts += 1
        self.known[name].observed, self.known[name].error = {}, None

    @precondition(lambda self: self.known)
    @rule(pick=PICK, state=st.sampled_from(list(State)), seen=VALUES, as_sent=st.booleans(), failed=st.booleans())
    def settle(self, pick: int, state: State, seen: Any, as_sent: bool, failed: bool) -> None:
        name = self.any_entry(pick)
        known = self.known[name]
        sent = {cell.vendor_field: cell.after for cell in known.change.cells}
        observed = sent if as_sent else {"Title": seen}
        settlement = Settlement(name, state, observed=observed, error="no" if failed else None)
        if state in TRANSITIONS[known.state] or state is known.state is State.UNKNOWN:
            self.ledger.settle([settlement])
            known.state, known.observed, known.error = state, observed, settlement.error
            return
        try:
            self.ledger.settle([settlement])
        except ValueError:
            return
        raise AssertionError(f"{known.state} became {state}")

    @precondition(lambda self: self.batches)
    @rule(pick=PICK, state=st.sampled_from(["open", "done", "rejected", "expired"]))
    def move_batch(self, pick: int, state: Any) -> None:
        batch = sorted(self.batches)[pick % len(self.batches)]
        sending = any(known.state is State.INTENDED for known in self.known.values() if known.batch == batch)
        allowed = {"held": {"open", "rejected", "expired"}, "open": {"done", "rejected", "expired"}}
        try:
            if state == "open":
                self.ledger.approve_batch(batch, ["anna"])
            else:
                self.ledger.close_batch(batch, state, actor="anna")
        except ValueError:
            assert state not in allowed.get(self.batches[batch], set()) or (state == "done" and sending)
        else:
            assert state in allowed[self.batches[batch]]
            self.batches[batch] = state

    @rule(person=st.integers(1, 4))
    def erase(self, person: int) -> None:
        Erasure(self.ledger).erase(f"person-{person}", [], "anna")
        for known in self.known.values():
            if known.change.entity_id == f"person-{person}":
                known.is_erased = True

    @rule(hours=st.integers(1, 48))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = self.open()

    @invariant()
    def the_chain_holds(self) -> None:
        verification = self.ledger.verify()
        assert verification.ok, verification.message
        assert self.ledger.memory_check() == "ok"

    @invariant()
    def every_entry_is_as_the_model_says(self) -> None:
        entries = {entry.id: entry for entry in self.ledger.entries()}
        assert entries.keys() == self.known.keys()
        for name, known in self.known.items():
            entry = entries[name]
            assert (entry.state, entry.attempts, entry.batch_id) == (known.state, known.attempts, known.batch)
            if not known.is_erased:
                assert entry.change == known.change
                assert (entry.observed, entry.error) == (known.observed, known.error)
            else:
                assert entry.erased
                kept = [(cell.field, cell.vendor_field, cell.why.line) for cell in known.change.cells]
                assert [(cell.field, cell.vendor_field, cell.why.line) for cell in entry.change.cells] == kept
                assert all(cell.before is cell.after is None for cell in entry.change.cells)

    @invariant()
    def every_question_is_answered_alike(self) -> None:
        for states in self.sets_of_states():
            found = [entry.id for entry in self.ledger.entries(states=states)]
            assert sorted(found) == sorted(self.in_state(*states))
        for person in range(1, 5):
            named = [name for name, known in self.known.items() if known.change.entity_id == f"person-{person}"]
            assert [e.id for e in self.ledger.entries(entity_id=f"person-{person}")] == named
            assert [e.id for e in self.ledger.entries(ref=Ref("salesforce", "Contact", f"003{person}"))] == named
        for batch in self.ledger.batches():
            counts = Counter(known.state.value for known in self.known.values() if known.batch == batch.id)
            assert (batch.state, dict(batch.counts)) == (self.batches[batch.id], dict(counts))

    def sets_of_states(self) -> Iterator[tuple[State, ...]]:
        yield from ((state,) for state in State)
        yield tuple(OPEN_STATES)
        yield tuple(State)


TestLedgerModel = LedgerModel.TestCase
TestLedgerModel.settings = settings(max_examples=25, stateful_step_count=20)
