"""What a row remembers of its fields' earlier values."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

HISTORY_PER_FIELD = 45
HISTORY_PER_ROW = 1_000
"""A row's history is trimmed to ``HISTORY_PER_FIELD`` versions of each field once it is longer than this."""


def trimmed(history: list[tuple[str, Any, datetime, str]]) -> list[tuple[str, Any, datetime, str]]:
    if len(history) <= HISTORY_PER_ROW:
        return history
    kept: list[tuple[str, Any, datetime, str]] = []
    versions: Counter[str] = Counter()
    for line in history:
        versions[line[0]] += 1
        if versions[line[0]] <= HISTORY_PER_FIELD:
            kept.append(line)
    return kept
