"""The seam to hubspot-api-client: every request of ours goes through ``Client``, and nothing else imports it.

What the library lacks is added through its undocumented ``api_factory`` hook (covered by a contract test):
one cached API object per package (it opens a connection per call otherwise), the API version in the path (it
speaks only v3 and v4), a timeout on every call (it has none), no retries (it re-sends GET and DELETE by
itself), no redirects, one host only. Bodies come back as bytes and are decoded here: its models turn an HTML
page into an object full of ``None`` and cost twenty times as much.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from importlib.metadata import version as version_of
from ipaddress import ip_address
from threading import RLock
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import hubspot
import orjson
import urllib3

from agent.connector import Allowance, Gate, OpenGate
from agent.errors import BadReply, ConfigError
from connectors.hubspot.failures import transport_failure
from connectors.hubspot.login import Login, ServiceKey
from connectors.hubspot.pacing import Rolling, Seconds, Sleep
from connectors.hubspot.vendor import SYSTEM

ApiVersion = Literal["v3", "2026-03", "2026-09"]
Timeout = tuple[float, float]
"""Seconds to connect, seconds between two bytes of the reply."""

ENTRY_HEADER = "X-Truce-Entry"
"""Names the ledger entries a writing request belongs to, comma separated: for traces and for the emulator."""

_LOGIN_PATH = "/oauth/v3/token"
_KEY_PATH = "/oauth/v2/private-apps/get/access-token-info"
_FORM = "application/x-www-form-urlencoded"
_LATER = "the token is put into each request when it leaves"
UNAUTHORIZED = 401
_WIDE_STATUS = "/communication-preferences/v4/statuses/{address}/unsubscribe-all"

_DATED_PATHS = (
    (
        re.compile(r"^/crm/v[34]/(objects|properties|pipelines|associations|owners)(?=/|$)"),
        r"/crm/\1/{version}",
    ),
    (re.compile(r"^/account-info/v3(?=/|$)"), r"/account-info/{version}"),
    (re.compile(r"^/oauth/v3(?=/|$)"), r"/oauth/{version}"),
    (re.compile(r"^/communication-preferences/v4(?=/|$)"), r"/communication-preferences/{version}"),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, whatever its status. ``at`` is the vendor's clock, from the Date header."""

    status: int
    body: bytes
    content_type: str
    at: datetime | None = None
    retry_after: float | None = None
    calls_left: int | None = None
    """What HubSpot says is left of the rolling ten seconds; it says nothing on a search."""
    day: Allowance | None = None
    """What it says of the day: nothing on a search, and nothing to an OAuth app."""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def loose_json(self) -> Any:
        """The body if it is JSON, else None: for error bodies, which may be HTML or empty."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    def json_object(self, *keys: str) -> dict[str, Any]:
        """The body of a success, which must be a JSON object with ``keys``.

        Raises:
            BadReply: a captive portal, a proxy page, a truncated body.
        """
        if "json" not in self.content_type.lower():
            raise bad_reply(f"the reply is {self.content_type or 'of no type'}, not JSON")
        body = self.loose_json()
        if not isinstance(body, dict):
            raise bad_reply("the reply is not a JSON object")
        missing = [key for key in keys if key not in body]
        if missing:
            raise bad_reply(f"the reply lacks {', '.join(missing)}")
        return cast("dict[str, Any]", body)


def bad_reply(why: str) -> BadReply:
    """A success status with a body that cannot be the answer."""
    return BadReply("HubSpot's reply cannot be trusted", system=SYSTEM, why=why)


@dataclass(slots=True)
class Client:
    """Sends one request per call and returns its ``Reply``, error statuses included.

    From any thread: the library's API objects hold nothing of a single call that anybody reads, and urllib3's pools
    are made for it.

    Raises from every call:
        NothingSent: no connection. ReplyLost: sent, and no whole reply came back. HeldBack: not sent, by our own gate.
    """

    login: Login
    base_url: str
    api_version: ApiVersion = "v3"
    timeout: Timeout = (5.0, 60.0)
    seconds: Seconds = time.monotonic
    sleep: Sleep = time.sleep
    gate: Gate = field(default_factory=OpenGate, repr=False)
    _rolling: Rolling = field(init=False, repr=False)
    _library: Any = field(init=False, repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    _apis: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _making: RLock = field(default_factory=RLock, repr=False)

    def __post_init__(self) -> None:
        self.base_url = self.base_url.rstrip("/")
        _require_safe_address(self.base_url)
        self._rolling = Rolling(self.seconds, self.sleep)
        self._library = hubspot.HubSpot(access_token=_LATER, api_factory=self._api)

    def account(self) -> Reply:
        return self._plain("GET", "/account-info/v3/details")

    def key_info(self) -> Reply | None:
        """What our service key may do; None for an OAuth app. The key goes in the body, as HubSpot wants it."""
        if not isinstance(self.login, ServiceKey):
            return None
        client = self._library.crm.objects.basic_api.api_client
        wanted = {"Accept": "application/json", "Content-Type": "application/json"}
        body = {"tokenKey": self.login.key}
        return self._send(partial(client.call_api, _KEY_PATH, "POST", {}, [], wanted, body=body))

    def properties(self, object_type: str) -> Reply:
        return self._send(partial(self._library.crm.properties.core_api.get_all, object_type))

    def owners(self, *, after: str | None, archived: bool) -> Reply:
        page = {"limit": 500, "archived": archived, **({"after": after} if after else {})}
        return self._send(partial(self._library.crm.owners.owners_api.get_page, **page))

    def page(self, object_type: str, names: Sequence[str], *, after: str | None, archived: bool) -> Reply:
        """Up to 100 records in the order of their ids; ``after`` is the id the next page starts with."""
        page = {"limit": 100, "archived": archived, **({"after": after} if after else {})}
        get_page = self._library.crm.objects.basic_api.get_page
        return self._send(partial(get_page, object_type, properties=list(names), **page))

    def record(
        self,
        object_type: str,
        record_id: str,
        names: Sequence[str],
        *,
        id_property: str | None = None,
        archived: bool = False,
    ) -> Reply:
        """One record by id, or by the value of a unique property; ``archived``: one in the recycle bin."""
        asked: dict[str, Any] = {"id_property": id_property} if id_property else {}
        if archived:
            asked["archived"] = True
        get_by_id = self._library.crm.objects.basic_api.get_by_id
        return self._send(partial(get_by_id, object_type, record_id, properties=list(names), **asked))

    def search(self, object_type: str, query: Mapping[str, Any]) -> Reply:
        return self._send(partial(self._library.crm.objects.search_api.do_search, object_type, dict(query)))

    def batch_read(
        self, object_type: str, record_ids: Sequence[str], names: Sequence[str], *, history: Sequence[str] = ()
    ) -> Reply:
        body = {
            "properties": list(names),
            "propertiesWithHistory": list(history),
            "inputs": [{"id": record_id} for record_id in record_ids],
        }
        return self._send(partial(self._library.crm.objects.batch_api.read, object_type, body))

    def associations(self, here: str, there: str, inputs: Sequence[Mapping[str, str]]) -> Reply:
        """What up to 1,000 records (``id``, ``after``) are associated with."""
        read = self._library.crm.associations.v4.batch_api.get_page
        return self._send(partial(read, here, there, {"inputs": [dict(item) for item in inputs]}))

    def association_labels(self, here: str, there: str) -> Reply:
        """Every label that a pair of these types may have."""
        return self._send(partial(self._library.crm.associations.v4.schema.definitions_api.get_all, here, there))

    def write_associations(
        self,
        verb: Literal["create", "archive", "archive_labels"],
        here: str,
        there: str,
        inputs: Sequence[Mapping[str, Any]],
        entry_ids: Sequence[str],
    ) -> Reply:
        """``create`` replaces the labels of a pair, ``archive`` ends it."""
        call = getattr(self._library.crm.associations.v4.batch_api, verb)
        body = {"inputs": [dict(item) for item in inputs]}
        return self._send(partial(call, here, there, body, _headers=_entry_header(entry_ids)))

    def batch_write(
        self,
        verb: Literal["create", "update"],
        object_type: str,
        inputs: Sequence[Mapping[str, Any]],
        entry_ids: Sequence[str],
    ) -> Reply:
        call = getattr(self._library.crm.objects.batch_api, verb)
        body = {"inputs": [dict(item) for item in inputs]}
        return self._send(partial(call, object_type, body, _headers=_entry_header(entry_ids)))

    def create(self, object_type: str, body: Mapping[str, Any], entry_id: str) -> Reply:
        call = self._library.crm.objects.basic_api.create
        return self._send(partial(call, object_type, dict(body), _headers=_entry_header([entry_id])))

    def archive(self, object_type: str, record_id: str, entry_id: str) -> Reply:
        call = self._library.crm.objects.basic_api.archive
        return self._send(partial(call, object_type, record_id, _headers=_entry_header([entry_id])))

    def merge(self, object_type: str, survivor_id: str, loser_id: str, entry_id: str) -> Reply:
        """Two records become a new one. Only contacts, companies, deals and tickets have this call."""
        call = getattr(self._library.crm, object_type).basic_api.merge
        body = {"primaryObjectId": survivor_id, "objectIdToMerge": loser_id}
        return self._send(partial(call, body, _headers=_entry_header([entry_id])))

    def opt_out(self, address: str, entry_id: str) -> Reply:
        """Take an address out of all marketing e-mail, for good."""
        return self._plain("POST", _WIDE_STATUS, address, _entry_header([entry_id]))

    def opt_out_status(self, address: str) -> Reply:
        """Whether an address is out of all marketing e-mail: ``results`` is empty when it is not."""
        return self._plain("GET", _WIDE_STATUS, address)

    def close(self) -> None:
        """Release sockets. Safe to call twice."""
        for client in self._clients.values():
            client.rest_client.pool_manager.clear()
        self._clients.clear()
        self._apis.clear()

    def _plain(self, method: str, path: str, address: str = "", headers: Mapping[str, str] | None = None) -> Reply:
        """A path the library has no method for. ``address`` fills the path and is quoted by the library."""
        client = self._library.crm.objects.basic_api.api_client
        places = {"address": address} if address else {}
        query = [("channel", "EMAIL")] if address else []
        wanted = {"Accept": "application/json", **(headers or {})}
        return self._send(partial(client.call_api, path, method, places, query, wanted, auth_settings=["oauth2"]))

    def _send(self, call: Callable[..., Any]) -> Reply:
        with self._rolling.turn() as turn:
            reply = self._answered(call)
            self._rolling.note(turn, reply.calls_left, reply.at)
        if reply.day is not None:
            self.gate.told(reply.day)
        return reply

    def _answered(self, call: Callable[..., Any]) -> Reply:
        try:
            response = call(_preload_content=False)
            return _reply(response.status, response.data, response.headers)
        except Exception as error:
            status = getattr(error, "status", None)
            if isinstance(status, int) and status > 0:
                # each sub-package of the library has its own ApiException, without a shared base class
                return _refusal(status, error)
            # the library decodes error bodies as UTF-8 and fails on any other page
            if isinstance(error, urllib3.exceptions.HTTPError | OSError | UnicodeDecodeError) or status == 0:
                raise transport_failure(error) from None
            raise

    def _api(self, package: Any, api_name: str, config: Mapping[str, Any]) -> Any:
        """The library's ``api_factory`` hook."""
        key = (package.__name__, api_name)
        with self._making:
            if key not in self._apis:
                if package.__name__ not in self._clients:
                    self._clients[package.__name__] = self._guarded_client(package, config)
                self._apis[key] = getattr(package, api_name)(api_client=self._clients[package.__name__])
            return self._apis[key]

    def _guarded_client(self, package: Any, config: Mapping[str, Any]) -> Any:
        settings = package.Configuration()
        settings.access_token = config["access_token"]
        settings.host = self.base_url
        settings.retries = urllib3.Retry(0, redirect=False, raise_on_status=False, respect_retry_after_header=False)
        client = package.ApiClient(configuration=settings)
        client.user_agent = f"crm-truce hubspot-api-client-python; {version_of('hubspot-api-client')}"
        client.call_api = partial(self._call, client.call_api)
        client.request = partial(self._request, client.request)
        return client

    def _call(self, send: Callable[..., Any], path: str, method: str, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("_request_timeout"):
            kwargs["_request_timeout"] = self.timeout
        return send(versioned(path, self.api_version), method, *args, **kwargs)

    def _request(self, send: Callable[..., Any], method: str, url: str, **kwargs: Any) -> Any:
        """One request, and once more with a new token after a 401: that one had no effect."""
        if _origin(url) != _origin(self.base_url):
            raise bad_reply("a request to another host was stopped")
        headers = kwargs.pop("headers")
        if "Authorization" not in headers:
            return send(method, url, headers=headers, **kwargs)
        token = self.login.token(self._ask_for_token)
        self.gate.enter()  # HubSpot does not count a 401, so once is enough for both
        try:
            return send(method, url, headers={**headers, "Authorization": f"Bearer {token}"}, **kwargs)
        except Exception as error:
            if getattr(error, "status", None) != UNAUTHORIZED:
                raise
            fresh = self.login.renewed(token, self._ask_for_token)
            if fresh is None:
                raise
        return send(method, url, headers={**headers, "Authorization": f"Bearer {fresh}"}, **kwargs)

    def _ask_for_token(self, form: Mapping[str, str]) -> Reply:
        """Everything in the body and nothing in the query, which logs along the way would keep.

        Takes no turn of its own: the call that waits for the token has one.
        """
        client = self._library.crm.objects.basic_api.api_client
        wanted = {"Accept": "application/json", "Content-Type": _FORM}
        ask = partial(client.call_api, _LOGIN_PATH, "POST", {}, [], wanted, post_params=list(form.items()))
        return self._answered(ask)


def versioned(path: str, version: ApiVersion) -> str:
    """The library's v3 or v4 path in the wanted API version."""
    if version == "v3" or path == _KEY_PATH:
        return path
    for pattern, replacement in _DATED_PATHS:
        if pattern.match(path):
            return pattern.sub(replacement.format(version=version), path)
    raise bad_reply(f"{path.partition('{')[0]} has no {version} address")


def _entry_header(entry_ids: Sequence[str]) -> dict[str, str]:
    return {ENTRY_HEADER: ",".join(entry_ids)}


def _require_safe_address(base_url: str) -> None:
    """Https anywhere, plain http only to this computer (the emulator)."""
    parts = urlsplit(base_url)
    if parts.scheme == "https" and parts.hostname and not parts.username:
        return
    if parts.scheme == "http" and parts.hostname and not parts.username and _is_loopback(parts.hostname):
        return
    raise ConfigError(
        "the HubSpot address must be https",
        where="hubspot.base_url",
        why="plain http would show the key to the network; it is allowed to this computer only",
        next_step="truce doctor",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _refusal(status: int, error: Exception) -> Reply:
    body = getattr(error, "body", None)
    raw = body.encode() if isinstance(body, str) else (body or b"")
    return _reply(status, raw, getattr(error, "headers", None) or {})


def _reply(status: int, body: bytes, headers: Mapping[str, str]) -> Reply:
    return Reply(
        status=status,
        body=body,
        content_type=headers.get("Content-Type") or "",
        at=_stamp(headers.get("Date")),
        retry_after=_seconds(headers.get("Retry-After")),
        calls_left=_whole(headers.get("X-HubSpot-RateLimit-Remaining")),
        day=_day(headers),
    )


def _day(headers: Mapping[str, str]) -> Allowance | None:
    limit = _whole(headers.get("X-HubSpot-RateLimit-Daily"))
    left = _whole(headers.get("X-HubSpot-RateLimit-Daily-Remaining"))
    return Allowance(limit, max(0, limit - left)) if limit is not None and left is not None else None


def _stamp(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None
