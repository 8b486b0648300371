"""In which order the entries of a batch are written, and which may share a call. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from agent.changes import Change, Entry

Place = tuple[int, bool, bool, str, str, str, bool]
"""Entries of one place are the same kind of write to the same kind of record."""


def goes_first(change: Change) -> bool:
    """A lead the other side does not know yet, and somebody who wants no more mail: there every minute counts. What an
    undo brings back goes with what it makes again, which may hang on it."""
    return change.op in ("create", "undelete") or change.is_consent


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Clears before their sets, what must not wait before what may, parents first; then by place, so that chunks are
    full."""
    return sorted(entries, key=lambda entry: (_place(entry), entry.seq))


def in_slices(entries: Sequence[Entry], sizes: Sequence[int]) -> Iterator[Sequence[Entry]]:
    start = 0
    for size in sizes:
        if entries[start : start + size]:
            yield entries[start : start + size]
        start += size
    if entries[start:]:
        yield entries[start:]


def in_groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Runs that may share a call: same step, system, object type and operation."""
    for _, group in groupby(entries, key=_place):
        yield list(group)


def _place(entry: Entry) -> Place:
    change = entry.change
    return (
        change.step,
        not goes_first(change),
        bool(change.parents),
        change.system,
        change.object_type,
        change.op,
        change.key is None,
    )
