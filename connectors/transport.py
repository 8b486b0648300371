"""Why a request brought no answer, in words for people: never the client's class names, never an address or a value."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from urllib3 import exceptions as transport

NO_CONNECTION = "no connection could be made"
STRANGER = "somebody else answered: a proxy, a captive portal, or another address than the vendor's"
BROKEN_OFF = "the connection broke off before the whole answer had come"

_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate is not one for this address; is the address right?"),
    (transport.NameResolutionError, "nothing of that name was found; is the address right, is there a network?"),
    (transport.LocationValueError, "the address is none; look at it in config.yaml"),
    (ConnectionRefusedError, "nothing listens at that address now"),
    (transport.NewConnectionError, NO_CONNECTION),
    (transport.ConnectTimeoutError, "nothing answered at that address in time"),
    (transport.ReadTimeoutError, "no answer came in time"),
    (transport.SSLError, "no encrypted connection could be made there; is the address right?"),
    (transport.ProxyError, "the proxy between here and there refused"),
)
"""The first that is found anywhere among an error and its causes."""


def in_plain_words(error: BaseException) -> str:
    """What happened to the request; anything unknown is a connection that broke off."""
    found = [*_with_causes(error)]
    return next((words for kind, words in _WORDS if any(isinstance(each, kind) for each in found)), BROKEN_OFF)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps (``reason``, arguments) and what it was raised from."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [getattr(each, "reason", None), each.__cause__, each.__context__, *each.args]
