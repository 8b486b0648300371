"""The token: fetched once, renewed by one thread at a time, and seldom.

The client library is always built with a finished token. Built that way it never logs in again by itself, which
would lose per-call headers and, on a permanent 401, would log in without end.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson
import requests
from simple_salesforce.api import Salesforce as Client

from agent.errors import AccessDenied, BadReply, ConfigError, ConnectorError, Unavailable
from connectors.salesforce.failures import SYSTEM, from_transport, redacted
from connectors.salesforce.grants import Grant
from connectors.salesforce.ids import ORGANIZATION_PREFIX, USER_PREFIX, full_id
from connectors.salesforce.session import Egress, EgressRefused, VendorSession, host_of
from connectors.transport import STRANGER

MOST_LOGINS = 3
LOGIN_WINDOW_SECONDS = 600.0

_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)*")
_VERSION = re.compile(r"\d{2}\.0")
_OWN_DOMAIN = ".my.salesforce.com"
_APP = "in the external client app"
_WAYS_OUT = (
    ("invalid_client_id", "keep the consumer key that the app shows: truce secrets set salesforce.client_id"),
    ("invalid_client", "keep the consumer secret that the app shows: truce secrets set salesforce.client_secret"),
    ("no client credentials user", f"{_APP}: switch the client credentials flow on, and choose the user it runs as"),
    ("not supported on this domain", "in config.yaml under salesforce: correct domain; it is your My Domain"),
    ("hasn't approved this consumer", f"{_APP}: let administrators approve users, and name a permission set ours has"),
    ("expired access/refresh token", "log in anew and keep its token: truce secrets set salesforce.refresh_token"),
    ("assertion", f"{_APP}: upload the certificate of the key that config.yaml names under salesforce: private_key"),
)
"""What Salesforce's OAuth answers mean for a person, most telling first; codes and descriptions as client libraries and
users recorded them."""


@dataclass(frozen=True, slots=True)
class Token:
    """A session of the run-as user. The text of the token never shows."""

    value: str = field(repr=False)
    instance_url: str
    organization_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where to log in. ``domain`` is ``acme.my``."""

    domain: str
    api_version: str = "65.0"

    def check(self) -> None:
        """Raises ConfigError: the domain or the version cannot be used."""
        if self.domain in ("login", "test") or _DOMAIN.fullmatch(self.domain) is None:
            raise ConfigError(
                "the Salesforce domain must be My Domain",
                where="salesforce.domain",
                why="client credentials are refused on login and test hosts",
                next_step="write it as acme.my, for acme.my.salesforce.com",
            )
        if self.domain.endswith("salesforce.com") or _VERSION.fullmatch(self.api_version) is None:
            raise ConfigError(
                "the Salesforce domain or API version is written wrongly",
                where="salesforce.domain, salesforce.api_version",
                next_step="write them as acme.my (without .salesforce.com) and 65.0",
            )

    @property
    def root(self) -> str:
        """Where every address of this API version begins."""
        return f"/services/data/v{self.api_version}/"

    @property
    def token_host(self) -> str:
        return f"{self.domain}.salesforce.com"


class Login:
    """Hands out the library's client with a valid token. ``clock`` is monotonic seconds, for the login budget."""

    def __init__(
        self,
        place: Place,
        grant: Grant,
        session: VendorSession,
        egress: Egress,
        base: SplitResult | None,
        clock: Callable[[], float],
    ) -> None:
        place.check()
        self.root = place.root
        self._place = place
        self._grant = grant
        self._session = session
        self._egress = egress
        self._base = base
        self._clock = clock
        self._lock = threading.Lock()
        self._logins: deque[float] = deque()
        self._client: Client | None = None
        self._token: Token | None = None
        egress.allow(place.token_host)

    def client(self) -> Client:
        """The present client; logs in first if there is none.

        Raises:
            AccessDenied: login refused, too many logins, or another account. Unavailable, BadReply.
        """
        with self._lock:
            return self._client or self._log_in()

    def renew(self, stale: Client) -> Client:
        """A client with a newer token than ``stale``. Of many threads with one expired token only one logs in."""
        with self._lock:
            if self._client is not None and self._client is not stale:
                return self._client
            return self._log_in()

    def token(self) -> Token:
        """The present token, for whose account and user it is. Raises like ``client``."""
        with self._lock:
            if self._token is None:
                self._log_in()
            return _present(self._token)

    def _log_in(self) -> Client:
        token = self._checked(self._fetch_token())
        client = Client(
            session_id=token.value,
            instance_url=token.instance_url,
            version=self._place.api_version,
            session=self._session,
        )
        client.headers.pop("X-PrettyPrint", None)  # the session's own header holds then
        self._token, self._client = token, client
        return client

    def _spend_login(self) -> None:
        now = self._clock()
        while self._logins and now - self._logins[0] >= LOGIN_WINDOW_SECONDS:
            self._logins.popleft()
        if len(self._logins) >= MOST_LOGINS:
            raise AccessDenied(
                "Salesforce keeps refusing our session",
                system=SYSTEM,
                why=f"{MOST_LOGINS} logins within {LOGIN_WINDOW_SECONDS / 60:.0f} minutes are the limit, "
                "so that the integration user is not locked",
                next_step="truce doctor",
            )
        self._logins.append(now)

    def _fetch_token(self) -> Token:
        """One login; one more where another process used our refresh token first and left the new one."""
        for _ in range(2):
            self._spend_login()
            response = self._asked()
            answer = _json_object(response.content)
            if response.status_code == 200:
                self._grant.granted(answer)
                return _read_token(answer)
            refusal = self._refusal(response.status_code, answer)
            if not (isinstance(refusal, AccessDenied) and self._grant.is_renewed()):
                break
        raise refusal

    def _asked(self) -> requests.Response:
        """One request to the token endpoint. A login that never arrived is not counted."""
        try:
            demand = self._grant.demand(self._vendor_now)
            return self._session.post(
                f"https://{self._place.token_host}/services/oauth2/token", data=dict(demand.form), auth=demand.basic
            )
        except ConfigError as error:
            self._logins.pop()
            raise AccessDenied(
                "the Salesforce login lacks a secret", system=SYSTEM, why=error.what, next_step=error.next_step
            ) from None
        except (requests.RequestException, EgressRefused) as error:
            failure = from_transport(error)
        self._logins.pop()
        raise Unavailable("Salesforce cannot be reached for the login", system=SYSTEM, why=failure.why)

    def _vendor_now(self) -> datetime:
        """The Date header of the version list, which needs no session and costs nothing of the allowance."""
        response = self._session.get(f"https://{self._place.token_host}/services/data/")
        try:
            stamp = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError):
            self._logins.pop()
            raise Unavailable("Salesforce did not tell the time for the login", system=SYSTEM) from None
        return stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)

    def _refusal(self, status: int, answer: Mapping[str, Any]) -> ConnectorError:
        if status >= 500 or "error" not in answer:
            self._logins.pop()
            return Unavailable("Salesforce did not answer the login", system=SYSTEM, why=f"HTTP {status}")
        said = f"{answer['error']}: {answer.get('error_description') or 'no reason given'}"
        return AccessDenied(
            "Salesforce refused the login",
            system=SYSTEM,
            why=redacted(said, self._grant.secrets),
            next_step="truce doctor",
            mend=next((step for sign, step in _WAYS_OUT if sign in said), ""),
        )

    def _checked(self, token: Token) -> Token:
        """The token, once its host may be talked to and its account is still the first one."""
        if self._token is not None and self._token.organization_id != token.organization_id:
            raise AccessDenied(
                "the Salesforce login leads to another account than before",
                system=SYSTEM,
                why=f"{token.organization_id} instead of {self._token.organization_id}",
                next_step="truce doctor",
            )
        parts = urlsplit(token.instance_url)
        host = host_of(parts)
        is_emulator = self._base is not None and host == host_of(self._base)
        is_vendor = parts.scheme == "https" and (host == self._place.token_host or host.endswith(_OWN_DOMAIN))
        if not (is_emulator or is_vendor):
            raise BadReply("the Salesforce login names a foreign instance", system=SYSTEM, why=str(parts.hostname))
        self._egress.allow(host)
        return token


def _read_token(answer: Mapping[str, Any]) -> Token:
    value, instance_url, identity = (answer.get(name) for name in ("access_token", "instance_url", "id"))
    owner = _owner(identity)
    if not (isinstance(value, str) and value and isinstance(instance_url, str) and owner):
        raise BadReply("the answer to the Salesforce login holds no token", system=SYSTEM, why=STRANGER)
    return Token(value, instance_url, *owner)


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _owner(identity: Any) -> tuple[str, str] | None:
    """Organization and user id from ``https://login.salesforce.com/id/{organization}/{user}``."""
    steps = urlsplit(identity).path.strip("/").split("/") if isinstance(identity, str) else []
    if len(steps) < 2:
        return None
    organization_id = full_id(steps[-2], ORGANIZATION_PREFIX)
    user_id = full_id(steps[-1], USER_PREFIX)
    return (organization_id, user_id) if organization_id and user_id else None


def _present(token: Token | None) -> Token:
    if token is None:
        raise AccessDenied("there is no Salesforce session", system=SYSTEM)
    return token
