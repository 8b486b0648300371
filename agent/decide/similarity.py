"""How alike two names are: ``similar`` forgives a typing mistake or two, ``very similar`` one.

Jaro-Winkler on folded words, in the order given and sorted, whichever is kinder. Words like GmbH and Inc. are left out
of company names first.
"""

from __future__ import annotations

from functools import lru_cache

from rapidfuzz.distance import JaroWinkler

from agent.decide.normalise import folded
from agent.decide.reference import words

THRESHOLDS = {"similar": 0.86, "very similar": 0.92}
SHORTEST = 4
"""Shorter names must be the same: one letter in three is another name."""


def is_similar(here: str, there: str, how: str, *, of_company: bool) -> bool:
    """``how`` is a key of THRESHOLDS. Two blanks are not alike."""
    first, second = _words(here, of_company), _words(there, of_company)
    if not first or not second:
        return False
    ordered, turned = " ".join(first), " ".join(second)
    if ordered == turned or sorted(first) == sorted(second):
        return True
    if min(len(ordered), len(turned)) < SHORTEST:
        return False
    limit = THRESHOLDS[how]
    return (
        JaroWinkler.similarity(ordered, turned, score_cutoff=limit) > 0
        or JaroWinkler.similarity(" ".join(sorted(first)), " ".join(sorted(second)), score_cutoff=limit) > 0
    )


@lru_cache(maxsize=200_000)
def _words(text: str, of_company: bool) -> tuple[str, ...]:
    found = tuple(folded(text).split())
    if not of_company:
        return found
    kept = tuple(word for word in found if word not in words("company suffixes"))
    return kept or found
