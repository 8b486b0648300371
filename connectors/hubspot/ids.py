"""Nothing reaches a URL before it passed here: HubSpot ids are digits, types and properties plain names.

Record ids can come from a text property anybody may edit, so they are untrusted input.
"""

from __future__ import annotations

import re

from agent.errors import NotFound

_RECORD_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_OBJECT_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}|[0-9]{1,3}-[0-9]{1,20}", re.ASCII)
_PROPERTY = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)


def is_record_id(text: object) -> bool:
    """One to twenty ASCII digits, nothing around them."""
    return isinstance(text, str) and _RECORD_ID.fullmatch(text) is not None


def checked_object_type(text: str) -> str:
    """Raises NotFound for anything that is no object type name or type id."""
    if _OBJECT_TYPE.fullmatch(text) is None:
        raise NotFound(f"{text!r} is not a HubSpot object type", next_step="truce check")
    return text


def checked_property(text: str) -> str:
    """Raises NotFound for anything that is no internal property name."""
    if _PROPERTY.fullmatch(text) is None:
        raise NotFound(f"{text!r} is not an internal HubSpot property name", next_step="truce check")
    return text


def is_safe_in_a_path(value: str) -> bool:
    """Percent-encoding does not help against ``.`` and ``..``: those are resolved as folders."""
    return bool(value.strip(". \t\r\n"))
