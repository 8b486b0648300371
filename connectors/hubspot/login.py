"""The token of each request: a service key that stays, or an OAuth app's access token that lives half an hour.

An access token is renewed by one thread at a time, at most a few times within some minutes, and only when HubSpot
answered 401: that request had no effect, so sending it once more repeats nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.connector import KeptSecret
from agent.errors import AccessDenied, BadReply, ConfigError, ConnectorError
from connectors.hubspot.failures import NothingSent, oauth_refusal
from connectors.hubspot.pacing import Seconds
from connectors.hubspot.vendor import SYSTEM
from connectors.transport import STRANGER

MOST_LOGINS = 3
LOGIN_WINDOW_SECONDS = 600.0


class TokenReply(Protocol):
    """The answer to a token request."""

    @property
    def status(self) -> int: ...

    def loose_json(self) -> Any: ...


AskForToken = Callable[[Mapping[str, str]], TokenReply]
"""Sends a form to the token endpoint. Raises NothingSent, ReplyLost."""


class Login(Protocol):
    """Where the token comes from."""

    def token(self, ask: AskForToken) -> str:
        """The present token, fetched first if there is none. Raises AccessDenied, NothingSent."""
        ...

    def renewed(self, stale: str, ask: AskForToken) -> str | None:
        """A newer token than ``stale``, None if there can be none. Raises like ``token``."""
        ...


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A service key, or the token of a private app from before."""

    key: str = field(repr=False)

    def token(self, ask: AskForToken) -> str:
        return self.key

    def renewed(self, stale: str, ask: AskForToken) -> str | None:
        return None


@dataclass(slots=True)
class OAuthApp:
    """An app somebody installed. ``seconds`` is monotonic, for the budget of logins."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    refresh_token: KeptSecret
    seconds: Seconds
    _token: str = field(default="", repr=False)
    _portal: str = ""
    """The account of the first login, as HubSpot names it with every token."""
    _logins: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self, ask: AskForToken) -> str:
        with self._lock:
            return self._token or self._log_in(ask)

    def renewed(self, stale: str, ask: AskForToken) -> str | None:
        """Of many threads with one expired token only one logs in."""
        with self._lock:
            return self._token if self._token != stale else self._log_in(ask)

    def _log_in(self, ask: AskForToken) -> str:
        """One login; one more where another process used our refresh token first and left the new one."""
        self._token = ""
        sent = self._kept()
        try:
            self._token = self._exchanged(sent, ask)
        except AccessDenied:
            present = self._kept()
            if present == sent:
                raise
            self._token = self._exchanged(present, ask)
        return self._token

    def _exchanged(self, refresh_token: str, ask: AskForToken) -> str:
        """The access token for a refresh token; a new refresh token that came along is kept before anything else."""
        self._spend_login()
        app = {"client_id": self.client_id, "client_secret": self.client_secret}
        try:
            reply = ask({"grant_type": "refresh_token", **app, "refresh_token": refresh_token})
        except ConnectorError as error:
            self._logins.pop()
            raise _not_sent(error.why) from None
        answer = reply.loose_json()
        if reply.status != 200:
            refusal = oauth_refusal(reply.status, answer)
            if isinstance(refusal, NothingSent):
                self._logins.pop()
            raise refusal
        answer = answer if isinstance(answer, dict) else {}
        fresh, token = answer.get("refresh_token"), answer.get("access_token")
        if isinstance(fresh, str) and fresh and fresh != refresh_token:
            self.refresh_token.keep(fresh)
        if not (isinstance(token, str) and token):
            raise BadReply("the answer to the HubSpot login holds no token", system=SYSTEM, why=STRANGER)
        self._pin(str(answer.get("hub_id") or self._portal))
        return token

    def _pin(self, portal: str) -> None:
        """The refresh token is read anew each time, and whoever keeps it may have put there that of another account."""
        if self._portal and portal != self._portal:
            raise AccessDenied(
                "the HubSpot login leads to another account than before",
                system=SYSTEM,
                why=f"{portal} instead of {self._portal}",
                next_step="truce doctor",
            )
        self._portal = portal

    def _kept(self) -> str:
        """Read anew each time: another process of ours may have been given a newer one."""
        try:
            return self.refresh_token.read()
        except ConfigError as error:
            raise AccessDenied(
                "the HubSpot login lacks a secret", system=SYSTEM, why=error.what, next_step=error.next_step
            ) from None

    def _spend_login(self) -> None:
        now = self.seconds()
        while self._logins and now - self._logins[0] >= LOGIN_WINDOW_SECONDS:
            self._logins.popleft()
        if len(self._logins) >= MOST_LOGINS:
            raise AccessDenied(
                "HubSpot keeps refusing our access tokens",
                system=SYSTEM,
                why=f"{MOST_LOGINS} logins within {LOGIN_WINDOW_SECONDS / 60:.0f} minutes are the limit",
                next_step="truce doctor",
            )
        self._logins.append(now)


def _not_sent(why: str) -> NothingSent:
    """The request the token was for never left, whatever became of the login."""
    return NothingSent("HubSpot cannot be reached for the login", system=SYSTEM, why=why)


def login_of(
    token: str, client_id: str, client_secret: str, refresh_token: KeptSecret | None, seconds: Seconds
) -> Login:
    """The way in that these belong to: a refresh token, else a key."""
    if refresh_token is not None:
        return OAuthApp(client_id, client_secret, refresh_token, seconds)
    return ServiceKey(token)
