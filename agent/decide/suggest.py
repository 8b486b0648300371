"""What somebody probably meant: the nearest allowed word, and lists of words in a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_NEAR = 0.7
_LONGEST_LIST = 12


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word most like ``word``, or None. Case, plural, hyphens and spaces do not count."""
    by_plain = {_plain(candidate): candidate for candidate in allowed}
    plain = _plain(word)
    for twin in (plain, f"{plain}s", plain.removesuffix("s")):
        if twin in by_plain:
            return by_plain[twin]
    close = get_close_matches(plain, by_plain, n=1, cutoff=_NEAR)
    return by_plain[close[0]] if close else None


def did_you_mean(word: str, allowed: Iterable[str], *, label: str = "Allowed") -> str:
    """Advice: the nearest word when there is one, and what is allowed."""
    options = list(allowed)
    near = nearest(word, options)
    listed = f"{label}: {in_words(options)}." if options else ""
    return " ".join(part for part in (f"Did you mean `{near}`?" if near else "", listed) if part)


def in_words(items: Iterable[str]) -> str:
    """``a, b, c``; a long list is cut and says by how many."""
    listed = list(items)
    if len(listed) <= _LONGEST_LIST:
        return ", ".join(listed)
    return f"{', '.join(listed[:_LONGEST_LIST])} and {len(listed) - _LONGEST_LIST} more"


def _plain(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
