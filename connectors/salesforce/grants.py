"""The ways to a token: what each sends to the token endpoint, and what must never be shown of it.

Client credentials and JWT bearer answer with an access token alone. A refresh token may come back as a new one (an app
with rotation), and the old one is dead from then on: it is put back where it is kept before anything else is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.connector import KeptSecret
from agent.errors import ConfigError

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_LIFE = timedelta(minutes=3)
"""Salesforce takes no assertion that ends later than five minutes from now."""

VendorClock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Demand:
    """One token request: its form, and name and password for the Authorization header where the flow wants them."""

    form: Mapping[str, str] = field(repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)


class Grant(Protocol):
    """One way to log in."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What an error text must not repeat."""
        ...

    def demand(self, now: VendorClock) -> Demand:
        """What to send. ``now`` asks the vendor's clock. Raises ConfigError: a secret cannot be read."""
        ...

    def granted(self, answer: Mapping[str, Any]) -> None:
        """Take note of what came with the token."""
        ...

    def is_renewed(self) -> bool:
        """Whether a refusal may only mean that somebody else used the secret and put a new one in its place."""
        ...


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The app's own id and secret; the session is that of its run-as user."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.client_id, self.client_secret

    def demand(self, now: VendorClock) -> Demand:
        return Demand({"grant_type": "client_credentials"}, (self.client_id, self.client_secret))

    def granted(self, answer: Mapping[str, Any]) -> None:
        """Nothing but the token comes."""

    def is_renewed(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """A statement signed with the app's private key: no secret of ours travels.

    ``audience`` is ``https://login.salesforce.com``, for a sandbox ``https://test.salesforce.com``.

    Raises:
        ConfigError: the key is no RSA key in PEM, or is locked with a password.
    """

    client_id: str = field(repr=False)
    username: str
    private_key: str = field(repr=False)
    audience: str

    def __post_init__(self) -> None:
        try:
            is_rsa = isinstance(load_pem_private_key(self.private_key.encode(), None), RSAPrivateKey)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            is_rsa = False
        if not is_rsa:
            raise ConfigError(
                "the Salesforce private key cannot be used",
                where="salesforce.private_key",
                why="it must be an RSA key in PEM form (-----BEGIN PRIVATE KEY-----) without a password",
                next_step="keep the key of its certificate: truce secrets set salesforce.private_key < server.key",
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.client_id, self.username, self.private_key

    def demand(self, now: VendorClock) -> Demand:
        """The end of the statement is counted on the vendor's clock: ours may be wrong by hours."""
        claims = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": self.audience,
            "exp": int((now() + ASSERTION_LIFE).timestamp()),
        }
        assertion = jwt.encode(claims, self.private_key, algorithm="RS256")
        return Demand({"grant_type": JWT_BEARER, "assertion": assertion})

    def granted(self, answer: Mapping[str, Any]) -> None:
        """Nothing but the token comes."""

    def is_renewed(self) -> bool:
        return False


@dataclass(slots=True)
class RefreshToken:
    """A person's consent, given once to the app. ``client_secret`` is empty for an app that has none."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    kept: KeptSecret
    _sent: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.client_id, self.client_secret, self._sent

    def demand(self, now: VendorClock) -> Demand:
        """Read anew each time: another process of ours may have been given a newer one."""
        self._sent = self.kept.read()
        form = {"grant_type": "refresh_token", "client_id": self.client_id, "refresh_token": self._sent}
        return Demand({**form, "client_secret": self.client_secret} if self.client_secret else form)

    def granted(self, answer: Mapping[str, Any]) -> None:
        fresh = answer.get("refresh_token")
        if isinstance(fresh, str) and fresh and fresh != self._sent:
            self.kept.keep(fresh)
            self._sent = fresh

    def is_renewed(self) -> bool:
        try:
            return self.kept.read() != self._sent
        except ConfigError:
            return False


def grant_of(
    domain: str, client_id: str, client_secret: str, username: str, private_key: str, refresh_token: KeptSecret | None
) -> Grant:
    """The way to log in that these belong to: a private key, else a refresh token, else client credentials."""
    if private_key:
        return JwtBearer(client_id, username, private_key, _audience(domain))
    if refresh_token is not None:
        return RefreshToken(client_id, client_secret, refresh_token)
    return ClientCredentials(client_id, client_secret)


def _audience(domain: str) -> str:
    """Sandboxes and scratch orgs log in at ``test``, everybody else at ``login``."""
    is_test = any(f".{kind}." in f".{domain}." for kind in ("sandbox", "scratch"))
    return f"https://{'test' if is_test else 'login'}.salesforce.com"
