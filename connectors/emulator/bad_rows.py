"""A planned fault inside a batch: the vendor takes the call and refuses one row of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar

BAD_ROWS: ContextVar[Iterator[bool] | None] = ContextVar("BAD_ROWS", default=None)
"""True once for every row that the call being answered is to refuse on purpose."""


def is_bad_row() -> bool:
    """Whether the row about to be written is one that a planned fault has refused."""
    bad_rows = BAD_ROWS.get()
    return bad_rows is not None and next(bad_rows, False)
