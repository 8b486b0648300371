"""Values as they are stored: JSON, quick for everything ordinary and without loss for the rest.

A CRM can hold text that is no valid Unicode (half of a surrogate pair, cut off by a form) and whole numbers beyond 64
bits. One such record must not stop a cycle, so what the quick encoder refuses is written by Python's own; a leading
space, legal in JSON, says which of the two has to read it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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


def to_json_by_items(members: Mapping[str, Any]) -> bytes:
    """An object of which a value may be an iterator: its items become text one by one, and are never all there at once.

    Raises:
        TypeError: not a value JSON can hold at all.
    """
    text, is_slow = bytearray(), False
    for position, (name, value) in enumerate(members.items()):
        text += (b"," if position else b"{") + to_json(name) + b":"
        is_slow |= _append_list(text, value) if isinstance(value, Iterator) else _append(text, value)
    return (b" " if is_slow else b"") + bytes(text or b"{") + b"}"


def _append_list(text: bytearray, items: Iterator[Any]) -> bool:
    """Whether any item has to be read back by Python's own decoder; so ``_append``."""
    is_slow = False
    text += b"["
    for position, item in enumerate(items):
        text += b"," if position else b""
        is_slow |= _append(text, item)
    text += b"]"
    return is_slow


def _append(text: bytearray, value: Any) -> bool:
    added = to_json(value)
    text += added
    return added.startswith(b" ")


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
