"""Where the part of a host begins that somebody registered: the public suffix list that tldextract brings along.

tldextract itself keeps the list as two trees of 17,000 objects, which cost every process 6 MB; as one dictionary it
costs 1 MB. Host and suffix are told apart exactly as tldextract does it (tests/unit/test_suffixes.py asks both).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

_FULL_STOPS = str.maketrans("\u3002\uff0e\uff61", "...")


class _Rules(NamedTuple):
    """``ends``: {``co.uk``: True, ``uk``: …}, False for what only longer suffixes go through.
    ``spelled``: {``xn--…``: the label it stands for}."""

    ends: Mapping[str, bool]
    spelled: Mapping[str, str]


def labels_of(address: str) -> list[str]:
    """The parts between the dots of an address's host, whatever stands around it."""
    from tldextract.remote import lenient_netloc  # loads slowly, and few need it

    return lenient_netloc(address).translate(_FULL_STOPS).split(".")


def suffix_start(labels: Sequence[str]) -> int | None:
    """The position of the first label of the public suffix; None where the list knows none."""
    rules = _rules()
    known, start = "", None
    for position in reversed(range(len(labels))):
        label = labels[position].lower()
        longer = _under(known, rules.spelled.get(label, label))
        if longer in rules.ends:
            known = longer
            start = position if rules.ends[longer] else start
        elif _under(known, "*") in rules.ends:
            return position + 1 if f"!{longer}" in rules.ends else position
        else:
            break
    return start


def _under(known: str, label: str) -> str:
    return f"{label}.{known}" if known else label


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    """The packaged list alone: no network, no cache directory."""
    from tldextract.cache import DiskCache
    from tldextract.suffix_list import get_suffix_lists

    public, private = get_suffix_lists(
        cache=DiskCache(None), urls=(), cache_fetch_timeout=None, fallback_to_snapshot=True
    )
    ends = dict.fromkeys((*public, *private), True)
    for suffix in tuple(ends):
        while suffix := suffix.partition(".")[2]:
            ends.setdefault(suffix, False)
    foreign = {label for suffix in ends if not suffix.isascii() for label in suffix.split(".") if not label.isascii()}
    return _Rules(ends, {f"xn--{label.encode('punycode').decode()}": label for label in foreign})
