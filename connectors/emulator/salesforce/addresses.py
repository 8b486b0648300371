"""The addresses in an answer, for a caller that came to the emulator by its own address and not as to Salesforce.

Clients go on to the ``instance_url`` and the identity address that a login names. Who says, by ``X-Original-Host`` or
by the host of the request, that it asked a Salesforce host is told Salesforce hosts; who asked ``127.0.0.1`` that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

VENDOR = ".salesforce.com"
ADDRESS = re.compile(r"https://[\w.-]+\.salesforce\.com(?=/|$|<)")


def for_caller(document: Any, headers: Mapping[str, str]) -> Any:
    """The same JSON or text with this emulator's address in place of Salesforce's, where the caller needs it."""
    host = headers.get("x-original-host") or headers.get("host", "")
    if not host or host.partition(":")[0].endswith(VENDOR):
        return document
    return _readdressed(document, f"http://{host}")


def _readdressed(document: Any, here: str) -> Any:
    if isinstance(document, str):
        return ADDRESS.sub(here, document)
    if isinstance(document, dict):
        return {name: _readdressed(part, here) for name, part in document.items()}
    return document
