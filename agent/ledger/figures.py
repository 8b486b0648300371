"""Figures over time from the ledger: how much was written when, by which policy line, and how far both CRMs agreed.

Each figure is one pass over what was settled since a moment, grouped by SQLite: no entry is unpacked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import orjson

from agent.changes import State
from agent.store import Store, from_micros, to_micros

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger

BUCKET = timedelta(minutes=15) // timedelta(microseconds=1)
"""Every time zone is a whole number of quarters away from UTC, so a day is a whole number of these."""

DAYS_KEPT = 400


@dataclass(slots=True)
class Written:
    """Writes settled since a moment; what an undo wrote is counted in ``undone`` alone.

    ``states``: {confirmed, failed: number}. ``days``: {local day: confirmed}. ``lines``: {(policy, field): confirmed
    cells}.
    """

    states: Counter[str] = field(default_factory=Counter)
    days: Counter[date] = field(default_factory=Counter)
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)
    undone: int = 0


def written_since(ledger: Ledger, since: datetime, zone: ZoneInfo) -> Written:
    """One pass over the outcomes since then."""
    found = Written()
    rows = ledger.store.read_tuples(
        "SELECT t.at / ? * ?, t.state, b.kind, e.shape, COUNT(*) FROM transitions t"
        " JOIN entries e ON e.seq = t.entry JOIN batches b ON b.number = e.batch"
        " WHERE t.seq > ? AND t.at >= ? AND t.state IN (?, ?) GROUP BY 1, 2, 3, 4",
        (BUCKET, BUCKET, _seq_before(ledger.store, since), to_micros(since), State.CONFIRMED, State.FAILED),
    )
    shapes = _cells_of_shapes(ledger.store, {row[3] for row in rows})
    for at, state, kind, shape, count in rows:
        if kind == "rollback":
            found.undone += count if state == State.CONFIRMED else 0
            continue
        found.states[state] += count
        if state == State.CONFIRMED:
            found.days[from_micros(at).astimezone(zone).date()] += count
            for policy, name in shapes[shape]:
                found.lines[policy, name] += count
    return found


def has_agreement(ledger: Ledger, day: date) -> bool:
    """Whether anything was kept of this day."""
    sql = "SELECT 1 FROM agreement_days WHERE day = ? LIMIT 1"
    return bool(ledger.store.read_tuples(sql, (day.isoformat(),)))


def keep_agreement(ledger: Ledger, day: date, figures: Sequence[tuple[str, str, int, int]]) -> None:
    """The day's last word on (entity type, field, agree, differ). Nothing is written when it says the same."""
    known = set(
        ledger.store.read_tuples(
            "SELECT entity_type, field, agree, differ FROM agreement_days WHERE day = ?", (day.isoformat(),)
        )
    )
    if known == set(figures):
        return
    with ledger.store.write() as connection:
        connection.execute("DELETE FROM agreement_days WHERE day = ?", (day.isoformat(),))
        connection.executemany(
            "INSERT INTO agreement_days VALUES (?, ?, ?, ?, ?)", [(day.isoformat(), *each) for each in figures]
        )
        oldest = day - timedelta(days=DAYS_KEPT)
        connection.execute("DELETE FROM agreement_days WHERE day < ?", (oldest.isoformat(),))


def agreement_days(ledger: Ledger, since: date) -> list[tuple[date, float]]:
    """(day, share of fields that agreed at its end), oldest first; days without a cycle are missing."""
    rows = ledger.store.read_tuples(
        "SELECT day, SUM(agree), SUM(differ) FROM agreement_days WHERE day >= ? GROUP BY day ORDER BY day",
        (since.isoformat(),),
    )
    return [(date.fromisoformat(day), agree / (agree + differ)) for day, agree, differ in rows if agree + differ]


def _seq_before(store: Store, since: datetime) -> int:
    """Outcomes since then have larger numbers: a batch opened earlier was numbered earlier."""
    rows = store.read_tuples(
        "SELECT seq FROM batches WHERE opened_at < ? ORDER BY opened_at DESC LIMIT 1", (to_micros(since),)
    )
    return int(rows[0][0]) if rows else 0


def _cells_of_shapes(store: Store, numbers: set[int]) -> dict[int, list[tuple[str, str]]]:
    """{shape: (policy, field) of each cell}."""
    wanted = orjson.dumps(sorted(numbers)).decode()
    rows = store.read_tuples("SELECT seq, cells FROM shapes WHERE seq IN (SELECT value FROM json_each(?))", (wanted,))
    return {seq: [(cell[3], cell[0]) for cell in orjson.loads(cells)] for seq, cells in rows}
