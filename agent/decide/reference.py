"""Reference lists shipped with Truce: countries, states, free mail, shared mailboxes.

Read once per process from the files in ``data``; text lists have one item per line and ``#`` for comments.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any


@lru_cache(maxsize=16)
def words(list_name: str) -> frozenset[str]:
    """The lower-case items of ``data/<list_name>.txt``; spaces in the name stand for underscores."""
    lines = _read_text(f"{list_name.replace(' ', '_')}.txt").splitlines()
    return frozenset(item.lower() for line in lines if (item := line.partition("#")[0].strip()))


@lru_cache(maxsize=1)
def countries() -> Mapping[str, tuple[str, ...]]:
    """{two-letter code: names}; the first name is the one written, the others are understood."""
    return {code: tuple(names) for code, names in _read_json("countries.json").items()}


@lru_cache(maxsize=1)
def states() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """{country code: {state code: names}}."""
    return {
        country: {code: tuple(names) for code, names in by_code.items()}
        for country, by_code in _read_json("states.json").items()
    }


@dataclass(frozen=True, slots=True)
class Currency:
    """``digits``: decimals of an amount (ISO 4217). ``signs``: other ways it is written, in capitals."""

    digits: int
    signs: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def currencies() -> Mapping[str, Currency]:
    """{ISO 4217 code: what is known of it}."""
    return {
        code: Currency(found["digits"], tuple(found.get("signs", ())))
        for code, found in _read_json("currencies.json").items()
    }


def _read_json(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(_read_text(name))
    return loaded


def _read_text(name: str) -> str:
    return files("agent.decide").joinpath("data", name).read_text(encoding="utf-8")
