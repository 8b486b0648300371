"""In which order the entries of a batch are written, and which may share a call. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from agent.changes import Entry


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Parents first, clears before their sets, then by place so that chunks are full."""
    return sorted(
        entries,
        key=lambda entry: (
            entry.change.step,
            bool(entry.change.parents),
            entry.change.system,
            entry.change.object_type,
            entry.change.op,
            entry.change.key is None,
            entry.seq,
        ),
    )


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

    def place(entry: Entry) -> tuple[int, bool, str, str, str, bool]:
        change = entry.change
        return (
            change.step,
            bool(change.parents),
            change.system,
            change.object_type,
            change.op,
            change.key is None,
        )

    for _, group in groupby(entries, key=place):
        yield list(group)
