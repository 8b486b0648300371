"""How alike two names are: ``similar`` forgives typing mistakes, ``very similar`` about one per word.

Names are folded and compared word by word (Jaro-Winkler), in whatever order the words stand: a shared last name
must not make two first names alike. Initials may be missing. Words like GmbH and Inc. are left out of company
names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from agent.decide.normalise import REMEMBERED, folded
from agent.decide.reference import words

THRESHOLDS = {"similar": 0.84, "very similar": 0.90}
SHORTEST = 4
"""Shorter words must be the same: one letter in three is another word."""


def is_similar(here: str, there: str, how: str, *, of_company: bool) -> bool:
    """``how`` is a key of THRESHOLDS. Two blanks are not alike."""
    first, second = _words(here, of_company), _words(there, of_company)
    if not first or not second:
        return False
    if first == second or "".join(first) == "".join(second):
        return True
    first, second = _spelled_out(first), _spelled_out(second)
    if len(first) != len(second):
        return False
    return _pairs_up(first, second, THRESHOLDS[how])


def _pairs_up(first: tuple[str, ...], second: tuple[str, ...], limit: float) -> bool:
    """Does every word find a partner of its own? Exact partners first."""
    waiting = list((Counter(second) - Counter(first)).elements())
    for word in (Counter(first) - Counter(second)).elements():
        best = max(waiting, key=lambda other: _alike(word, other), default="")
        if not best or _alike(word, best) < limit:
            return False
        waiting.remove(best)
    return True


def _alike(here: str, there: str) -> float:
    if max(len(here), len(there)) < SHORTEST:
        return float(here == there)
    return _jaro_winkler()(here, there)


@lru_cache(maxsize=1)
def _jaro_winkler() -> Callable[[str, str], float]:
    """Loaded when two names first differ: it costs 4 MB, and few cycles come here."""
    from rapidfuzz.distance import JaroWinkler

    return JaroWinkler.similarity


def _spelled_out(name: tuple[str, ...]) -> tuple[str, ...]:
    """Without initials, unless there is nothing else."""
    return tuple(word for word in name if len(word) > 1) or name


@lru_cache(maxsize=REMEMBERED)
def _words(text: str, of_company: bool) -> tuple[str, ...]:
    found = tuple(folded(text).split())
    if not of_company:
        return found
    kept = tuple(word for word in found if word not in words("company suffixes"))
    return kept or found
