"""Names of headers as the vendors spell them on the wire.

They are the same in any case, and uvicorn writes them small; but some clients look for ``Content-Type`` in a plain
dictionary, and airbyte's stumbles over a ``content-type`` that a vendor never sends it.
"""

from __future__ import annotations

from asyncio import Transport
from functools import lru_cache
from typing import Any

STATUS = b"HTTP/1.1 "
END_OF_LINE, END_OF_HEAD = b"\r\n", b"\r\n\r\n"
WORDS = {
    b"etag": b"ETag",
    b"hubspot": b"HubSpot",
    b"numberofrecords": b"NumberOfRecords",
    b"ratelimit": b"RateLimit",
}


def spelling(transport: Transport) -> Any:
    """The transport, with the heads of replies spelled: to be used like it."""
    return _Spelling(transport)


class _Spelling:
    """A transport whose heads of replies are spelled; all else goes through as it is."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """A head is one piece that ends with an empty line."""
        is_head = data.startswith(STATUS) and data.endswith(END_OF_HEAD)
        self._transport.write(_head(data) if is_head else data)


def _head(data: bytes) -> bytes:
    status, *lines = data.split(END_OF_LINE)
    return END_OF_LINE.join((status, *map(_line, lines)))


def _line(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    return spelled(name) + colon + value


@lru_cache(maxsize=256)
def spelled(name: bytes) -> bytes:
    return b"-".join(WORDS.get(word) or word.capitalize() for word in name.split(b"-"))
