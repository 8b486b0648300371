"""Reference lists shipped with Truce: countries, states, free mail, shared mailboxes, and facts of the wire.

Read once per process from the files in ``data``; text lists have one item per line and ``#`` for comments.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Wire:
    """How one system carries values. ``text_only``: all are text (HubSpot); else JSON scalars (Salesforce).

    ``converted_flag`` names the field that is true on a record that turned into another. ``required`` are
    the fields a create needs per object type where no schema was given. ``stored_ids``: {object type: {field:
    object type of the other system}}, ids that the vendor's own integration leaves behind.
    """

    name: str
    text_only: bool = False
    converted_flag: str | None = None
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stored_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@lru_cache(maxsize=64)
def wire(system: str) -> Wire:
    """Facts of one system; a system nobody described carries JSON scalars."""
    found: Mapping[str, Any] | None = _read_json("vendors.json").get(system)
    if found is None:
        return Wire(system.replace("_", " ").title())
    return Wire(
        name=found["name"],
        text_only=found["text_only"],
        converted_flag=found["converted_flag"],
        required={object_type: tuple(names) for object_type, names in found["required"].items()},
        stored_ids=found["stored_ids"],
    )


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
