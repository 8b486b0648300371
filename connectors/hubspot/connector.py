"""HubSpot behind the port."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.connector import (
    Allowance,
    FullCopy,
    Gate,
    Identity,
    KeptSecret,
    Known,
    ObjectSchema,
    Page,
    Window,
    Write,
    WriteOutcome,
    nothing_known,
)
from agent.errors import NotFound
from agent.records import Gone, MergedInto, Owner, Readout, Record, Ref, Tombstone, Unreadable
from agent.together import IN_TURN, Together
from agent.versions import Author, Landed, Version
from connectors.hubspot.abilities import abilities
from connectors.hubspot.associations import refused
from connectors.hubspot.client import ApiVersion, Client, Reply, Timeout, bad_reply
from connectors.hubspot.copying import Copier
from connectors.hubspot.histories import authors_of, stood_before
from connectors.hubspot.ids import checked_object_type
from connectors.hubspot.login import login_of
from connectors.hubspot.pacing import Pace, Seconds, Sleep
from connectors.hubspot.pair_writing import PairWriter
from connectors.hubspot.pairs import Pairs, pair_type
from connectors.hubspot.pulling import Puller, next_page
from connectors.hubspot.reading import Reader, Search
from connectors.hubspot.schema import object_schema
from connectors.hubspot.vendor import SYSTEM, VENDOR, also_unique
from connectors.hubspot.writing import Writer


class HubSpot:
    """One portal, reached with one key (``token``), or as an OAuth app with a ``refresh_token``.

    ``link_keys`` maps an object type to a property with unique values that a create of ours carries;
    ``stored_ids`` maps it to {property: object type of the other system} where another integration keeps ids.
    ``app_id`` is how HubSpot names our key in histories. ``seconds`` and ``sleep`` pace the searches.

    Raises:
        ConfigError: the address is neither https nor on this computer.
    """

    system = SYSTEM

    def __init__(
        self,
        *,
        token: str = "",
        client_id: str = "",
        client_secret: str = "",
        refresh_token: KeptSecret | None = None,
        base_url: str = "https://api.hubapi.com",
        api_version: ApiVersion = "v3",
        link_keys: Mapping[str, str] | None = None,
        stored_ids: Mapping[str, Mapping[str, str]] | None = None,
        timeout: Timeout = (5.0, 60.0),
        app_id: str | None = None,
        seconds: Seconds = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._link_keys = dict(link_keys or {})
        self._users: dict[str, str] = {}
        self._app_id = app_id
        login = login_of(token, client_id, client_secret, refresh_token, seconds)
        self._client = Client(login, base_url, api_version, timeout, seconds, sleep)
        search = Search(self._client, Pace(seconds, sleep))
        self._reader = Reader(self._client, search)
        self._puller = Puller(self._client, search, self._reader)
        self._writer = Writer(self._client, self._reader)
        self._copier = Copier(self._client, self._reader)
        self._pairs = Pairs(self._client, self._reader, self._puller)
        self._pair_writer = PairWriter(self._pairs)
        self._unique = {(object_type, name) for object_type, name in self._link_keys.items()}
        self.capabilities = abilities(self._link_keys, stored_ids or {}, settle_seconds=sum(timeout))

    def allowances(self) -> Mapping[str, Allowance]:
        """Calls are all that HubSpot counts of what we use."""
        return {}

    def granted(self) -> frozenset[str] | None:
        """The scopes of a service key. An OAuth app's are those it asked for when it was installed."""
        reply = self._client.key_info()
        if reply is None:
            return None
        if not reply.is_success:
            raise refused(reply, "asking for the scopes")
        return frozenset(str(scope) for scope in reply.json_object("scopes")["scopes"])

    def use_gate(self, gate: Gate) -> None:
        self._client.gate = gate

    def identity(self) -> Identity:
        reply = self._account()
        account = reply.json_object("portalId", "accountType")
        portal_id = str(account["portalId"])
        return Identity(
            system=SYSTEM,
            account_id=portal_id,
            name=f"HubSpot portal {portal_id}",
            is_production=account["accountType"] not in VENDOR["practice_accounts"],
            user_id=self._app_id,
            time_zone=account.get("timeZone"),
        )

    def now(self) -> datetime:
        reply = self._account()
        reply.json_object("portalId")
        if reply.at is None:
            raise bad_reply("the reply has no date")
        return reply.at

    def schema(self, object_type: str, seen_within: float = 0.0) -> ObjectSchema:
        if (kind := pair_type(object_type)) is not None:
            return self._pairs.schema(kind)
        reply = self._client.properties(checked_object_type(object_type))
        if reply.status in (400, 404):
            raise NotFound(
                f"HubSpot has no object type {object_type}, or the key may not see it",
                next_step="truce doctor",
            )
        if not reply.is_success:
            raise refused(reply, f"reading the properties of {object_type}")
        results = reply.json_object("results")["results"]
        if not isinstance(results, list) or not results:
            raise bad_reply(f"{object_type} has no properties")
        schema = object_schema(object_type, results)
        self._unique |= {(object_type, field.name) for field in schema.fields.values() if field.unique}
        return schema

    def owners(self) -> list[Owner]:
        """Active ones first, then archived ones."""
        return [*self._owners(archived=False), *self._owners(archived=True)]

    def changed(
        self,
        object_type: str,
        fields: Sequence[str],
        window: Window,
        known: Known = nothing_known,
        together: Together = IN_TURN,
    ) -> Iterator[Page]:
        """See ``pulling``: deletions appear only in a full load (``since`` None) and through ``vanished``."""
        if (kind := pair_type(object_type)) is not None:
            return self._pairs.changed(kind, fields, window, known)
        return self._puller.changed(object_type, fields, window, known, together)

    def vanished(self, refs: Sequence[Ref]) -> list[Tombstone | MergedInto]:
        """Which of these records are archived or merged by now: what the change query cannot show."""
        gone: list[Tombstone | MergedInto] = []
        for readout in self._reader.read(refs, []):
            if isinstance(readout, Gone):
                gone.append(Tombstone(readout.ref))
            elif isinstance(readout, MergedInto):
                gone.append(readout)
        return gone

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        kind = pair_type(refs[0].object_type) if refs else None
        if kind is not None:
            return self._pairs.read(kind, refs, fields)
        return self._reader.read(refs, fields)

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        """By GET for a unique property or a contact's e-mail (further e-mails included), else by search.

        A further e-mail and any field that is not unique are found through the search index, which lags.
        """
        return self._reader.find(object_type, key, value, fields, is_unique=self._is_unique(object_type, key))

    def authors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], Author]:
        """Per property, from its history; the owners tell which user is who."""
        return authors_of(self._client, cells, self._known_users()) if cells else {}

    def stood_before(self, landed: Collection[Landed]) -> dict[Landed, Version]:
        """From the histories of the properties."""
        return stood_before(self._client, landed, self._known_users()) if landed else {}

    def _known_users(self) -> Mapping[str, str]:
        """{user id: name}, of the owners as they were last asked for."""
        if not self._users:
            self.owners()
        return self._users

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        return self._copier.full_copy(ref)

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """``expects_version`` is compared right before the write; ``writing`` names the window left."""
        kind = pair_type(writes[0].object_type) if writes else None
        if kind is not None:
            return self._pair_writer.write(kind, writes)
        return self._writer.write(writes) if writes else []

    def bulk_fit(self, writes: Sequence[Write]) -> frozenset[str]:
        return frozenset()

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        raise ValueError("HubSpot has no bulk jobs")

    def harvest(self, job: str, writes: Sequence[Write]) -> list[WriteOutcome] | None:
        raise ValueError("HubSpot has no bulk jobs")

    def close(self) -> None:
        self._client.close()

    def _account(self) -> Reply:
        reply = self._client.account()
        if not reply.is_success:
            raise refused(reply, "asking for the account")
        return reply

    def _is_unique(self, object_type: str, key: str) -> bool:
        return (object_type, key) in self._unique or also_unique(object_type, key) is not None

    def _owners(self, *, archived: bool) -> Iterator[Owner]:
        for item in self._owner_rows(archived=archived):
            owner = _owner(item, archived=archived)
            user_id = str(item.get("userId") or item.get("userIdIncludingInactive"))
            if not archived or user_id not in self._users:
                self._users[user_id] = owner.name
            yield owner

    def _owner_rows(self, *, archived: bool) -> Iterator[dict[str, Any]]:
        after: str | None = None
        while True:
            reply = self._client.owners(after=after, archived=archived)
            if not reply.is_success:
                raise refused(reply, "reading the owners")
            body = reply.json_object("results")
            yield from body["results"]
            following = next_page(body)
            if following is None:
                return
            if following == after:
                raise bad_reply("the list of owners does not move on")
            after = following


def _owner(item: Any, *, archived: bool) -> Owner:
    if not isinstance(item, dict) or not item.get("id"):
        raise bad_reply("an owner has no id")
    email = item.get("email")
    name = " ".join(part for part in (item.get("firstName"), item.get("lastName")) if part)
    return Owner(
        system=SYSTEM,
        id=str(item["id"]),
        email=str(email).lower() if email else None,
        name=name or str(email or item["id"]),
        active=not (archived or item.get("archived")),
        is_queue=item.get("type") == "QUEUE",
    )
