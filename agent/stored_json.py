"""Values as they are stored: JSON, quick for everything ordinary and without loss for the rest.

A CRM can hold text that is no valid Unicode (half of a surrogate pair, cut off by a form) and whole numbers beyond 64
bits. One such record must not stop a cycle, so what the quick encoder refuses is written by Python's own; a leading
space, legal in JSON, says which of the two has to read it back.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def to_json(value: Any) -> bytes:
    """Keys in the order given.

    Raises:
        TypeError: not a value JSON can hold at all.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return b" " + json.dumps(value, separators=(",", ":")).encode()


def from_json(text: str) -> Any:
    """What ``to_json`` wrote, to the last digit."""
    return json.loads(text) if text.startswith(" ") else orjson.loads(text)


def is_storable(text: str) -> bool:
    """Whether SQLite can hold this text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """A text for people, with a question mark where it is no valid Unicode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
