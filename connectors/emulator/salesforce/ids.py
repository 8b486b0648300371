"""Salesforce ids: a three-character prefix, a counter, and the checksum that makes 15 characters 18."""

from __future__ import annotations

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def checksum(fifteen: str) -> str:
    """One character per block of five: bit n is set when character n of the block is an upper-case letter."""
    found = ""
    for start in (0, 5, 10):
        bits = 0
        for n in range(5):
            if "A" <= fifteen[start + n] <= "Z":
                bits |= 1 << n
        found += _ALPHABET[bits]
    return found


def new_id(prefix: str, number: int) -> str:
    """The id of the ``number``-th record of its kind, 18 characters."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    fifteen = f"{prefix}5g00000{digits:0>5}"
    return fifteen + checksum(fifteen)


def beyond(record_id: str, number: int) -> str:
    """The 15-character id so many places further on."""
    place = 0
    for char in record_id[3:15]:
        place = place * 62 + _BASE62.index(char)
    place, digits = place + number, ""
    for _ in range(12):
        place, digit = divmod(place, 62)
        digits = _BASE62[digit] + digits
    return record_id[:3] + digits


def full_id(text: str) -> str | None:
    """The 18-character form of a 15- or 18-character id; None when it is none."""
    if len(text) not in (15, 18) or not text.isalnum() or not text.isascii():
        return None
    eighteen = text[:15] + checksum(text[:15])
    return eighteen if len(text) == 15 or text.upper() == eighteen.upper() else None
