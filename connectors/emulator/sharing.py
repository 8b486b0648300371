"""Texts that many records share are kept once: of a million job titles there are few different ones."""

from __future__ import annotations

from typing import Any

MOST = 100_000


class SharedTexts:
    """Of the first ``MOST`` different ones."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def once(self, value: Any) -> Any:
        """The same value; a text as the object that was seen first."""
        if not isinstance(value, str):
            return value
        return self._known.setdefault(value, value) if len(self._known) < MOST else self._known.get(value, value)
