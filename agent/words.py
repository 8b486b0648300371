"""Numbers with their things, as people say them."""

from __future__ import annotations


def counted(value: int, thing: str) -> str:
    """``1 record``, ``2,000 records``."""
    return f"{value:,} {thing}{'' if value == 1 else 's'}"
