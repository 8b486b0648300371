"""Salesforce record ids: 15 case-sensitive characters, or 18 with a checksum over the capitals.

No text becomes part of a URL unless it passed here. The client library joins ids into addresses with ``urljoin``,
so that an id of ``//host/x`` would carry our token to that host and ``../Account/…`` would reach another object.
"""

from __future__ import annotations

import re
from functools import lru_cache

from agent.connector import ParentField

_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Z]{3})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_CHECKSUM_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

ORGANIZATION_PREFIX = "00D"
USER_PREFIX = "005"
QUEUE_PREFIX = "00G"

PARENTS: dict[str, dict[str, ParentField]] = {
    "Contact": {"company": ParentField("AccountId", "Account")},
    "Opportunity": {"company": ParentField("AccountId", "Account")},
    "OpportunityContactRole": {
        "deal": ParentField("OpportunityId", "Opportunity"),
        "contact": ParentField("ContactId", "Contact"),
    },
}
"""{object type: {relation: where the parent's id stands}}."""

PARENT_PREFIXES = {"Account": "001", "Contact": "003", "Opportunity": "006"}


def full_id(text: str, prefix: str) -> str | None:
    """``text`` in its 18-character form, or None when it is no id of the object with this key prefix.

    ``prefix`` is the first three characters of every id of one object (``003`` for Contact); empty accepts any.
    """
    if _ID.fullmatch(text) is None or not text.startswith(prefix):
        return None
    whole = text[:15] + checksum(text[:15])
    return whole if text in (whole, text[:15]) else None


def checksum(first_15: str) -> str:
    """Three characters, one per block of five: bit n is set where character n of the block is a capital."""
    return "".join(_block_letter(first_15[start : start + 5]) for start in (0, 5, 10))


def is_api_name(text: str) -> bool:
    """Whether ``text`` can be the name of an object or a field, and nothing else."""
    return _NAME.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _block_letter(block: str) -> str:
    bits = sum(1 << place for place, letter in enumerate(block) if "A" <= letter <= "Z")
    return _CHECKSUM_ALPHABET[bits]
