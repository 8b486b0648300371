"""Nouns of the deciding and writing side: what is intended, why, whether it may happen, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from agent.connector import Op
from agent.records import FieldValue, Ref

Mode = Literal["watch", "ask", "act"]
Meaning = Literal[
    "fill",  # target was blank
    "spelling",  # same meaning, other writing
    "different",  # one value replaces another
    "blank",  # a value is cleared
    "owner",  # the record changes hands
    "stage",  # lifecycle forward
    "stage_back",  # lifecycle backward
    "create",  # a new record
    "consent",  # opt-out
    "opt_in",  # with evidence, at the wish of a person
    "restore",  # a rollback puts a value back
    "delete",  # a rollback removes a record we created
]


@dataclass(frozen=True, slots=True)
class Why:
    """The reason of one cell. ``line`` is ``file.yaml:17``; ``rule`` is the hash of that line's meaning."""

    policy: str
    line: str
    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of one record: vendor field ``vendor_field`` goes from ``before`` to ``after``.

    ``field`` is the policy's left-hand name. ``before`` is None-able; for a create every ``before`` is None.
    """

    field: str
    vendor_field: str
    before: FieldValue
    after: FieldValue
    meaning: Meaning
    why: Why


@dataclass(frozen=True, slots=True)
class Change:
    """An intended write of one record; only fields that differ. Has no id of execution.

    ``group`` ties writes that belong together and keep their order (clear, then set); ``step`` is the order inside.
    ``key`` is (unique field, value) for a create and ("email", address) for an opt-out. ``decided_from`` are further
    before-values the decision read, as {vendor_field: value} of the target record; the plan binds to them.
    """

    op: Op
    entity_id: str
    system: str
    object_type: str
    record_id: str | None
    cells: tuple[Cell, ...]
    key: tuple[str, str] | None = None
    parents: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    step: int = 0
    decided_from: Mapping[str, FieldValue] = field(default_factory=dict)
    guarded: bool = False
    """Send as a conditional single write wherever the system can (every write of a rollback)."""

    @property
    def ref(self) -> Ref | None:
        return Ref(self.system, self.object_type, self.record_id) if self.record_id else None

    @property
    def is_consent(self) -> bool:
        return any(cell.meaning == "consent" for cell in self.cells)

    @property
    def is_opt_in(self) -> bool:
        return any(cell.meaning == "opt_in" for cell in self.cells)

    @property
    def is_halfway(self) -> bool:
        """It only clears what the next step of its group fills: nothing is settled with it."""
        return self.group is not None and self.step == 0 and all(cell.after is None for cell in self.cells)

    @property
    def policies(self) -> frozenset[str]:
        return frozenset(cell.why.policy for cell in self.cells)


class State(StrEnum):
    """States of an entry; see TRANSITIONS."""

    PLANNED = "planned"
    HELD = "held"
    REFUSED = "refused"
    DRIFTED = "drifted"
    INTENDED = "intended"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    UNKNOWN = "unknown"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.INTENDED, State.HELD, State.REFUSED, State.DRIFTED}),
    State.HELD: frozenset({State.INTENDED, State.REFUSED, State.DRIFTED}),
    State.INTENDED: frozenset({State.CONFIRMED, State.FAILED, State.UNKNOWN, State.DRIFTED, State.PLANNED}),
    State.UNKNOWN: frozenset({State.CONFIRMED, State.FAILED, State.DRIFTED, State.PLANNED}),
    State.REFUSED: frozenset(),
    State.DRIFTED: frozenset(),
    State.CONFIRMED: frozenset(),
    State.FAILED: frozenset(),
}
"""``intended`` counts as perhaps sent; it may become ``drifted`` only while it provably was not sent yet (a fresh
read before the call, or a vendor's 412). ``unknown`` leaves only by reading the vendor back. Both become ``planned``
again once it is certain that the request had no effect and may be sent later (throttled, never arrived)."""

OPEN_STATES = frozenset({State.INTENDED, State.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Entry:
    """One ledger line: one record write. ``id`` is ``E-<seq>``; ``observed`` is what the vendor held afterwards.

    ``erased``: its values are gone, by age or because somebody is to be forgotten; the cells are still named.
    """

    id: str
    seq: int
    batch_id: str
    change: Change
    state: State
    recorded_at: datetime
    attempts: int = 0
    observed: Mapping[str, FieldValue] = field(default_factory=dict)
    version: str | None = None
    record_id: str | None = None
    error: str | None = None
    settled_at: datetime | None = None
    erased: bool = False
    note: str = ""
    """What the guard said of it."""


BatchKind = Literal["cycle", "plan", "rollback", "consent"]
BatchState = Literal["held", "open", "done", "rejected", "expired"]
HELD: tuple[BatchState, ...] = ("held",)
OPEN: tuple[BatchState, ...] = ("open",)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one cycle, one applied plan or one rollback writes. ``id`` is ``B-<n>``.

    ``counts`` maps entry state → number; ``reverts`` names the batches a rollback undoes; ``hash`` binds an approval
    to exactly these entries. ``actor`` is the person or ``truce`` for the daemon.
    """

    id: str
    kind: BatchKind
    state: BatchState
    title: str
    actor: str
    opened_at: datetime
    hash: str
    counts: Mapping[str, int]
    closed_at: datetime | None = None
    reverts: tuple[str, ...] = ()
    plan_id: str | None = None
    approved_by: tuple[str, ...] = ()
    hold_reason: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of one change: allow, hold for a person, or refuse. ``limit`` names the setting."""

    decision: Literal["allow", "hold", "refuse"]
    limit: str = ""
    sentence: str = ""


class TraceStep(NamedTuple):
    """One thing decided about one field (or the record): written, equal, skipped … with a sentence for people.

    ``disposition`` is from the closed list in docs/concepts.md: write, equal, quiet, skipped, not selected, frozen,
    ask, refused, reported, kept, unclear, lost, nothing. ``system`` is the side that would be written, or empty.
    ``until``: when an edit that is kept will have been kept long enough.
    """

    field: str
    system: str
    disposition: str
    sentence: str
    policy: str = ""
    line: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Outcome of deciding one entity: what to write, what to ask, what merely to remember, and the trace.

    ``adopt`` are fields whose two live values should become the base without any write, as
    {field: {system: value}}. ``reviews`` are questions only a person can answer.
    """

    entity_id: str
    changes: tuple[Change, ...] = ()
    adopt: Mapping[str, Mapping[str, FieldValue]] = field(default_factory=dict)
    reviews: tuple[ReviewRequest, ...] = ()
    trace: tuple[TraceStep, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """A question for a person. ``topic`` is stable, so that one standing review exists per (entity, topic)."""

    kind: Literal[
        "conflict", "duplicate", "unclear", "lost", "stage_back", "missing", "converted", "unmapped", "fight",
        "first difference", "erased", "overwritten",
    ]  # fmt: skip
    entity_id: str
    topic: str
    sentence: str
    refs: tuple[Ref, ...] = ()
    line: str = ""
