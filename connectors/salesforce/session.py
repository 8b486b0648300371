"""The one door to the network: where requests may go, how long they may take, what every one of them carries.

The client library sets no time limit, follows redirects and takes proxies, certificates and ``.netrc`` logins from
the environment. Here none of that happens. It never repeats a request: the engine alone decides about that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from agent.connector import Allowance, Gate, OpenGate
from agent.errors import ConfigError

Timeout = tuple[float, float]
"""Seconds to connect, seconds to wait for each part of the reply."""

MANDATORY_HEADERS = {
    "User-Agent": "crm-truce",
    "Sforce-Auto-Assign": "FALSE",  # otherwise an assignment rule may hand over every Lead or Account we touch
    "Sforce-Call-Options": "client=crm-truce",
    "X-PrettyPrint": "0",  # the library asks for indented replies, a third more bytes
}
"""On the session and not on the call: per-call headers do not survive everything, these do."""


_COUNTED = re.compile(r"/services/(data/v\d|Soap/|async/)")
"""Logins and the list of versions cost nothing of the daily allowance."""

_USAGE = re.compile(r"api-usage=(\d+)/(\d+)", re.ASCII)


class EgressRefused(Exception):
    """A request was about to leave for a host that is not ours. Nothing was sent. Names only the host."""


class Egress(HTTPAdapter):
    """Lets requests through to allowed https hosts only; leads them to the emulator when one is configured."""

    def __init__(self, timeout: Timeout, base: SplitResult | None) -> None:
        self._timeout = timeout
        self._base = base
        self._allowed: set[str] = set()
        self.gate: Gate = OpenGate()
        super().__init__(max_retries=Retry(0, read=False))

    def allow(self, host: str) -> None:
        """Add ``host`` or ``host:port`` to those that requests may go to."""
        self._allowed.add(host.lower())

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        parts = urlsplit(request.url or "")
        self._check(parts)
        if _COUNTED.match(parts.path):
            self.gate.enter()
        if self._base is not None:
            request.headers["X-Original-Host"] = parts.netloc
            request.url = urlunsplit((self._base.scheme, self._base.netloc, parts.path, parts.query, ""))
        response = super().send(
            request,
            stream=stream,
            timeout=self._timeout if timeout is None else timeout,
            verify=verify,
            cert=cert,
            proxies=None,  # a proxy would see the rewritten address and fail
        )
        allowance = usage_of(response.headers.get("Sforce-Limit-Info"))
        if allowance is not None:
            self.gate.told(allowance)
        return response

    def _check(self, parts: SplitResult) -> None:
        if parts.scheme != "https" or parts.username is not None or host_of(parts) not in self._allowed:
            raise EgressRefused(f"a request to {parts.scheme}://{parts.hostname} is not allowed")


class VendorSession(requests.Session):
    """A requests session that follows no redirect and takes nothing from the environment.

    Several threads may use it at once: what requests warns of are cookies, which this one never keeps, and settings
    changed meanwhile, which nobody does; its pools of connections are urllib3's, made for it.
    """

    def __init__(self, egress: Egress) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.update(MANDATORY_HEADERS)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.mount("https://", egress)
        self.mount("http://", egress)

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """As in requests, but a redirect is an answer: the vendor never sends one, a login portal does."""
        options["allow_redirects"] = False
        return super().request(*arguments, **options)


def usage_of(header: str | None) -> Allowance | None:
    """``api-usage=18/5000``, perhaps with what this app alone may use behind it, which is not looked at."""
    found = _USAGE.search(header or "")
    return Allowance(limit=int(found[2]), used=int(found[1])) if found else None


def host_of(parts: SplitResult) -> str:
    """``host`` or ``host:port``; the usual https port is left out."""
    host = (parts.hostname or "").lower()
    return host if parts.port in (None, 443) else f"{host}:{parts.port}"


def checked_base(base_url: str | None) -> SplitResult | None:
    """The emulator's address, taken apart.

    Raises:
        ConfigError: plain http to anything but this computer would show the token to the network.
    """
    if base_url is None:
        return None
    parts = urlsplit(base_url)
    if parts.scheme == "https" and parts.hostname:
        return parts
    if parts.scheme == "http" and _is_this_computer(parts.hostname or ""):
        return parts
    raise ConfigError(
        "the Salesforce base address must be https, or http on this computer",
        where="salesforce.base_url",
        why=f"{parts.scheme or 'no scheme'}://{parts.hostname or ''} would carry the token in clear text",
        next_step="leave salesforce.base_url out for a real account",
    )


def _is_this_computer(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
