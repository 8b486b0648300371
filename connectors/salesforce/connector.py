"""Salesforce as the port sees it: wires session, login, calls, reading and writing together."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

from agent.connector import (
    Allowance,
    Capabilities,
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
from agent.errors import AccessDenied, BadReply
from agent.records import Gone, MergedInto, Owner, Readout, Record, Ref, Unreadable
from agent.together import IN_TURN, Together
from agent.versions import Author, Landed, Version
from connectors.salesforce.abilities import BULK_ABOVE, abilities
from connectors.salesforce.allowances import daily_allowances
from connectors.salesforce.bulk import Sleep
from connectors.salesforce.calls import Calls, Request
from connectors.salesforce.copying import Copying
from connectors.salesforce.failures import SYSTEM, Failure, as_error
from connectors.salesforce.grants import grant_of
from connectors.salesforce.ids import ORGANIZATION_PREFIX, QUEUE_PREFIX, USER_PREFIX, full_id
from connectors.salesforce.login import Login, Place
from connectors.salesforce.pages import FieldHidden, Row, pages
from connectors.salesforce.reading import Reading
from connectors.salesforce.schema import Schemas
from connectors.salesforce.session import Egress, Timeout, VendorSession, checked_base
from connectors.salesforce.soap import Soap
from connectors.salesforce.writing import Writing, bulk_fit

_ORGANIZATION = "SELECT Id, Name, IsSandbox, OrganizationType, TimeZoneSidKey FROM Organization LIMIT 1"
_PRACTICE = "Developer Edition"
_SAVED_BY = "LastModifiedById"
_BESIDE_US = Author("a Salesforce flow or trigger that runs as Truce's own user", frozenset(), is_person=False)
"""What a flow does in answer to our write carries our user too (facts/salesforce.md, own echoes)."""
_USERS = "SELECT Id, Name, Email, Username, IsActive FROM User ORDER BY Id"
_QUEUES = "SELECT Id, Name FROM Group WHERE Type = 'Queue' ORDER BY Id"


class Salesforce:
    """One Salesforce organization. Makes no request until it is asked something.

    How it logs in follows from what it is given: a ``private_key`` (PEM) with a ``username``, a ``refresh_token``, or
    else the client credentials. ``domain`` is My Domain without its ending (``acme.my``); ``base_url`` leads every
    request to the emulator; ``link_keys`` is {object type: external id field}; ``timeout`` is seconds to (connect, wait
    for the reply); ``clock`` is monotonic seconds, for the login budget and the age of descriptions;
    more than ``bulk_above`` writes go as a job, and ``sleep`` waits seconds between two looks at one.

    Raises:
        ConfigError: a domain, version, key or address that cannot be used.
    """

    system = SYSTEM

    def __init__(
        self,
        *,
        domain: str,
        client_id: str,
        client_secret: str = "",
        username: str = "",
        private_key: str = "",
        refresh_token: KeptSecret | None = None,
        clock: Callable[[], float],
        base_url: str | None = None,
        api_version: str = "65.0",
        link_keys: Mapping[str, str] | None = None,
        timeout: Timeout = (5, 60),
        bulk_above: int = BULK_ABOVE,
        sleep: Sleep = time.sleep,
    ) -> None:
        base = checked_base(base_url)
        self._egress = egress = Egress(timeout, base)
        self._session = VendorSession(egress)
        grant = grant_of(domain.lower(), client_id, client_secret, username, private_key, refresh_token)
        self._login = Login(Place(domain.lower(), api_version), grant, self._session, egress, base, clock)
        self._calls = Calls(self._login)
        self._schemas = Schemas(self._calls, clock)
        self._reading = Reading(self._calls, self._schemas, sleep, bulk_above)
        self._copying = Copying(self._calls, self._schemas, self._reading)
        soap = Soap(self._login, api_version)
        self._writing = Writing(self._calls, soap, self._schemas, self._reading, dict(link_keys or {}), sleep)
        self._capabilities = abilities(link_keys or {}, settle_seconds=sum(timeout), bulk_above=bulk_above)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def allowances(self) -> Mapping[str, Allowance]:
        return daily_allowances(self._calls)

    def granted(self) -> frozenset[str] | None:
        """What may be seen and written stands in ``schema``; nothing here lists it."""
        return None

    def use_gate(self, gate: Gate) -> None:
        self._egress.gate = gate

    def identity(self) -> Identity:
        """The organization and our user; the login and the organization must name the same account."""
        token = self._login.token()
        rows = self._rows(_ORGANIZATION, "asking whose account this is")
        organization_id = full_id(str(rows[0].get("Id")), ORGANIZATION_PREFIX) if rows else None
        if organization_id != token.organization_id:
            raise BadReply("Salesforce does not say whose account this is", system=SYSTEM)
        zone = rows[0].get("TimeZoneSidKey")
        return Identity(
            system=SYSTEM,
            account_id=token.organization_id,
            name=str(rows[0].get("Name") or ""),
            is_production=rows[0].get("IsSandbox") is False and rows[0].get("OrganizationType") != _PRACTICE,
            user_id=token.user_id,
            time_zone=zone if isinstance(zone, str) else None,
        )

    def now(self) -> datetime:
        """The Date header of the version list, the one answer that costs nothing of the daily allowance."""
        reply = self._calls.ask(Request("GET", "/services/data/"), "telling the time")
        if reply.at is None:
            raise BadReply("Salesforce answered without a Date header", system=SYSTEM)
        return reply.at

    def schema(self, object_type: str, seen_within: float = 0.0) -> ObjectSchema:
        return self._schemas.seen_within(object_type, seen_within).schema

    def owners(self) -> list[Owner]:
        users = [
            Owner(
                system=SYSTEM,
                id=_valid_id(row, USER_PREFIX),
                email=str(row["Email"]).lower() if row.get("Email") else None,
                name=str(row.get("Name") or ""),
                active=row.get("IsActive") is True,
                login=str(row["Username"]) if row.get("Username") else None,
            )
            for row in self._rows(_USERS, "reading users")
        ]
        queues = [
            Owner(SYSTEM, _valid_id(row, QUEUE_PREFIX), None, str(row.get("Name") or ""), active=True, is_queue=True)
            for row in self._rows(_QUEUES, "reading queues")
        ]
        return users + queues

    def changed(
        self,
        object_type: str,
        fields: Sequence[str],
        window: Window,
        known: Known = nothing_known,
        together: Together = IN_TURN,
    ) -> Iterator[Page]:
        return self._reading.changed(object_type, fields, window, known)

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        return self._reading.read(refs, fields)

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        return self._reading.find(object_type, key, value, fields)

    def authors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], Author]:
        """Salesforce tells who last saved a record, not who changed which field, and not by which flow."""
        refs = sorted({ref for ref, _ in cells})
        if not refs:
            return {}
        ours = self._login.token().user_id
        users = {owner.id: _author(owner) for owner in self.owners()}
        users[ours] = _BESIDE_US
        by = {
            readout.ref: users.get(str(readout.fields.get(_SAVED_BY)))
            for readout in self._reading.read_many(refs, [_SAVED_BY])
            if isinstance(readout, Record)
        }
        return {(ref, name): author for ref, name in cells if (author := by.get(ref)) is not None}

    def stood_before(self, landed: Collection[Landed]) -> dict[Landed, Version]:
        """Salesforce keeps former values only of fields that an administrator chose to track."""
        return {}

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        return self._copying.full_copy(ref)

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        return self._writing.write(writes)

    def bulk_fit(self, writes: Sequence[Write]) -> frozenset[str]:
        return bulk_fit(writes)

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        return self._writing.start_bulk(writes, note)

    def harvest(self, job: str, writes: Sequence[Write]) -> list[WriteOutcome] | None:
        return self._writing.harvest(job, writes)

    def close(self) -> None:
        self._session.close()

    def _rows(self, soql: str, doing: str) -> list[Row]:
        try:
            return [row for page in pages(self._calls, soql, doing) for row in page.rows]
        except FieldHidden:
            error = as_error(Failure("refused", "INVALID_FIELD", 400), doing)
        raise error


def _valid_id(row: Row, prefix: str) -> str:
    whole = full_id(str(row.get("Id")), prefix)
    if whole is None:
        raise AccessDenied("Salesforce sent an owner without a valid id", system=SYSTEM)
    return whole


def _author(owner: Owner) -> Author:
    """A user; whether a person or an integration signs in as it, Salesforce does not say."""
    return Author(owner.name, frozenset(filter(None, (owner.id, owner.login, owner.email))))
