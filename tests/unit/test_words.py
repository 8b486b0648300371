"""One is one: no page says “1 changes”."""

from __future__ import annotations

import pytest

from agent.words import counted


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0 changes"), (1, "1 change"), (2, "2 changes"), (2000, "2,000 changes")]
)
def test_one_is_one(value: int, said: str) -> None:
    assert counted(value, "change") == said
