"""The port: all that the agent asks of a CRM. It never asks for a vendor's name, it asks ``capabilities``.

Rules for every implementation (proven by the claims of connectors.conformance):

- One attempt is one request. No hidden retries; timeouts always set; a lost reply is ``unknown``, never a guess.
- Ids are validated before they reach a client library; an invalid id is ``Unreadable`` or a rejected write.
- ``write`` returns exactly one outcome per write, in the order given, matched by id or trace id, never by position.
- ``observed`` is what the vendor echoed or what was read back, never the payload.
- The gate is asked before each request, and what it raises is passed on: nothing was sent.
- Exceptions are those of ``agent.errors`` with values and tokens redacted.
- Absent stays absent: a field the vendor did not return is not in ``fields``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from agent.records import FieldValue, Gone, MergedInto, Owner, Pulled, Readout, Record, Ref, Unreadable
from agent.together import IN_TURN, Together
from agent.versions import Author, Landed, Version

Op = Literal["create", "update", "delete", "opt_out", "associate", "undelete", "merge"]
"""``opt_out`` takes an address out of all marketing for good; it is no field write, and nothing here undoes it.
``associate`` changes which records one belongs to; a CRM may keep that beside the record and not in it. ``undelete``
and ``merge`` only where the capabilities say so."""
FieldType = Literal["text", "number", "boolean", "date", "datetime", "choice", "choices", "reference", "id"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which account we are talking to. ``account_id`` is pinned at pairing; a change stops all writing."""

    system: str
    account_id: str
    name: str
    is_production: bool
    user_id: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this system can do. Chunk sizes are records per call."""

    conditional_write: bool
    undelete: bool
    merge: bool
    unique_keys: bool
    write_chunk: int
    read_chunk: int
    conditional_chunk: int = 1
    parallel_calls: int = 1
    """Calls under way at once where the config says nothing; then several threads call ``read`` and ``write``.
    1: one at a time, whatever the config says."""
    bin_days: int | None = None
    """How long a deleted record can be brought back; None where ``undelete`` is False, or without end."""
    tells_erasures_for: int | None = None
    """A record that is gone for good (``Gone.for_good``) and was there within so many days was erased: an ordinary
    deletion would have left it in the bin. None: this system shows both alike."""
    merge_chunk: int = 0
    """How many records one merge can take into the survivor; 0: there is no merge."""
    merge_sets_fields: bool = False
    """Whether a merge also sets values of the survivor; else that is a write of its own."""
    bulk_above: int | None = None
    """More unconditional writes of one kind than this are cheaper as a job (``start_bulk``); None: no jobs."""
    bulk_chunk: int = 0
    """Most writes in one job."""
    index_lag_seconds: float = 0.0
    """How long a change may stay invisible to ``changed`` and ``find``; the pull overlap must exceed it."""
    clears_before_moving_back: frozenset[tuple[str, str]] = frozenset()
    """(object_type, field) pairs that ignore a backward move silently unless cleared first."""
    sees_deletions: bool = True
    """False when the change query cannot show deletions: then the agent re-reads linked records now and again."""
    history_chunk: int = 0
    """How many records one look at the former values of their fields takes (``stood_before``); 0: none are kept."""
    echoes_writes: bool = False
    """True when an applied outcome carries the stored values; otherwise the agent reads back."""
    day_rolls: bool = False
    """The daily allowance is that of the last 24 hours; otherwise it begins anew at midnight of the account."""
    settle_seconds: float = 60.0
    """How long a request whose reply was lost may still be applied; two equal reads this far apart settle it."""
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    """Object types whose records turn into another (Salesforce Lead → Contact)."""
    parent_fields: Mapping[str, Mapping[str, ParentField]] = field(default_factory=dict)
    """{object type: {relation: where the parent's id stands}}, e.g. a contact's ``company``."""
    only_one: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """{object type: {yes-or-no field: field of the parent}}: one record at most of a parent says yes there, and making
    another one say so takes it from the one before, unasked."""
    link_keys: Mapping[str, str] = field(default_factory=dict)
    """{object type: unique field} that a create of ours carries, so that a lost reply never makes two records."""
    stored_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """{object type: {field: object type of the other system}}: ids another integration left here; used for pairing."""
    opt_out_fields: Mapping[str, str] = field(default_factory=dict)
    """{object type: the consent field that only the operation ``opt_out`` moves}."""
    natural_ids: frozenset[str] = frozenset()
    """Object types whose records are what they hold (an association of two records): creating one again makes no
    second, so a create of theirs needs no link key."""
    name_fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Fields that make up a record's display name, per object type."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """``flag`` is true once converted; ``id_field`` then holds the id of the ``into`` record."""

    flag: str
    into: str
    id_field: str


@dataclass(frozen=True, slots=True)
class ParentField:
    field: str
    object_type: str


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One field as the vendor describes it to our user. A hidden field is simply not listed."""

    name: str
    label: str
    type: FieldType
    writable: bool
    creatable: bool = True
    required: bool = False
    unique: bool = False
    length: int | None = None
    choices: tuple[Choice, ...] = ()
    restricted: bool = False
    """A value outside ``choices`` is refused by the vendor."""


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    system: str
    object_type: str
    label: str
    fields: Mapping[str, FieldSchema]
    can_create: bool = True
    can_update: bool = True
    can_delete: bool = True
    can_merge: bool = False
    can_undelete: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """What to pull: changes stamped in [since, until) on the vendor's clock; ``since`` None = everything.

    ``after``: a full load goes on behind the page that said it had ``reached`` this place.
    """

    since: datetime | None
    until: datetime
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some pulled items. The cursor may only move when the iterator of pages ended normally.

    ``reached``: in a full load, the connector's own word for the place behind this page, for ``Window.after``.
    """

    items: tuple[Pulled, ...]
    reached: str | None = None


Known = Callable[[Mapping[str, str]], Collection[str]]
"""{record id: version} → those ids whose version the mirror already holds exactly, so the connector may skip them."""


def nothing_known(versions: Mapping[str, str]) -> Collection[str]:
    """``Known`` for a first pull."""
    return ()


@dataclass(frozen=True, slots=True)
class Write:
    """One intended change of one record, already recorded in the ledger under ``entry_id``.

    For ``create``: ``record_id`` is None and ``key`` = (unique field, value) when the object has a link key. A create
    whose key a record carries already is ``applied`` with that record: an earlier attempt landed after all.
    ``fields`` holds only vendor field names to set; None clears. ``expects_version`` demands a conditional write.
    For ``associate``: ``fields`` holds parent fields alone (``Capabilities.parent_fields``), whose values are ids of
    records in the same system; None ends it.
    For ``opt_out``: ``key`` is ("email", address), and ``fields`` holds the consent field that shows the outcome.
    For ``undelete``: ``record_id`` is that of a deleted record; it is ``applied`` too when the record is there already.
    For ``merge``: ``record_id`` survives, ``losers`` go into it, ``fields`` are set at it if the system can.
    ``parents`` maps a relation name (``company``) to the id of an already existing record in the same system.
    """

    entry_id: str
    op: Op
    object_type: str
    record_id: str | None
    fields: Mapping[str, FieldValue]
    key: tuple[str, str] | None = None
    expects_version: str | None = None
    parents: Mapping[str, str] = field(default_factory=dict)
    losers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteError:
    """Why a write was rejected. ``code`` is the vendor's own; ``kind`` says what to do about it.

    ``throttled``: the system asks for a pause. ``locked``: somebody else is saving this very record; it is tried again
    later, and nothing else waits for it.
    """

    kind: Literal["validation", "permission", "conflict", "gone", "moved", "duplicate", "throttled", "locked", "other"]
    code: str
    message: str
    fields: tuple[str, ...] = ()
    other_id: str | None = None
    """The record the vendor names as being in the way (duplicate) or as the survivor (moved)."""
    retry_after: float | None = None
    """Seconds that the vendor asks us to wait (throttled), where it says so."""


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What became of one write.

    ``applied``: the vendor confirmed; ``record_id`` set (after a merge: the survivor's, which may be a new one).
    ``rejected``: a definite no, nothing changed. ``unknown``: it may or may not have happened; only a consistent read
    may settle it. ``related``: ids of the records a merge moved to the survivor, as far as the vendor tells.
    """

    entry_id: str
    status: Literal["applied", "rejected", "unknown"]
    record_id: str | None = None
    version: str | None = None
    observed: Mapping[str, FieldValue] = field(default_factory=dict)
    error: WriteError | None = None
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tie:
    """A record that hangs on another one. ``by`` is the field of ``ref`` that points there, or the label of the
    association as the vendor names it (``HUBSPOT_DEFINED 279``)."""

    ref: Ref
    by: str


@dataclass(frozen=True, slots=True)
class FullCopy:
    """Everything of a record that our user can see, and everything that hangs on it: taken before a merge.

    ``unread`` names what could not be looked at; a copy with any is not whole.
    """

    record: Record
    ties: tuple[Tie, ...]
    unread: tuple[str, ...] = ()


class KeptSecret(Protocol):
    """A secret that its vendor may replace whenever it is used: an OAuth refresh token."""

    def read(self) -> str:
        """The present one. Raises ConfigError: it cannot be read."""
        ...

    def keep(self, value: str) -> None:
        """Put the new one where the old one was; never raises, what cannot be kept is good until we end."""
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the vendor told of the day: ``limit`` calls (or jobs, or what it counts) for the whole account, ``used`` of
    them gone, by whatever app."""

    limit: int
    used: int


class Gate(Protocol):
    """Asked before every request that counts, told after every reply: where calls are counted and held back."""

    def enter(self) -> None:
        """Raises HeldBack before anything leaves. StorageFull: the count cannot be kept."""
        ...

    def told(self, allowance: Allowance) -> None:
        """What the vendor says of its own count."""
        ...


class OpenGate:
    """Lets everything through and counts nothing."""

    def enter(self) -> None: ...
    def told(self, allowance: Allowance) -> None: ...


class Connector(Protocol):
    """One CRM installation."""

    @property
    def system(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def use_gate(self, gate: Gate) -> None:
        """From now on every request that the vendor counts asks this gate first."""
        ...

    def identity(self) -> Identity:
        """One cheap call. Raises AccessDenied, Unavailable, BadReply."""
        ...

    def now(self) -> datetime:
        """The vendor's clock (Date header of a fresh reply), UTC. Raises like ``identity``."""
        ...

    def schema(self, object_type: str, seen_within: float = 0.0) -> ObjectSchema:
        """What our user may see and write, asked now unless it was seen within so many seconds anyway.

        Raises NotFound for an unknown object type.
        """
        ...

    def owners(self) -> list[Owner]:
        """Every user and queue, inactive ones included."""
        ...

    def changed(
        self,
        object_type: str,
        fields: Sequence[str],
        window: Window,
        known: Known = nothing_known,
        together: Together = IN_TURN,
    ) -> Iterator[Page]:
        """Every record whose stamp lies in the window, deletions and merges included.

        Complete or an exception: ties, the second page and the 10,000 cap cannot lose a record. May repeat records.
        All object types are asked for before the first page of any is read, so that one call may answer several.
        """
        ...

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        """The present state by id (strongly consistent), one answer per ref, in order."""
        ...

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        """Records whose ``key`` field equals ``value``. Strongly consistent only if ``key`` is a unique field."""
        ...

    def authors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], Author]:
        """Who last wrote these (record, field), as far as the vendor tells; others are left out.

        Where a vendor only knows who last saved the record, it is that one. Never our own user.
        """
        ...

    def stood_before(self, landed: Collection[Landed]) -> dict[Landed, Version]:
        """What each field held right before a write of ours landed; left out where the vendor does not tell.

        At most ``history_chunk`` records; empty where there are no histories. Raises like ``read``.
        """
        ...

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        """Every readable field of a record, and every record that hangs on it. Raises like ``read``."""
        ...

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Send writes of one op and one object type, at most ``write_chunk`` (or ``conditional_chunk``) of them.

        Raises only before anything could have been sent (AccessDenied, Unavailable with nothing sent); afterwards
        every loss is an ``unknown`` outcome.
        """
        ...

    def bulk_fit(self, writes: Sequence[Write]) -> frozenset[str]:
        """Entry ids of those that one job can take; the others go through ``write``. Makes no request."""
        ...

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        """Hand writes of one op and one object type over as one job, at most ``bulk_chunk`` of those that fit.

        ``note`` is called with the job's id before anything can take effect. The outcomes are those of writes that
        were refused before; of all others ``harvest`` tells. Where there can be no job now the writes go the usual way:
        no id is noted, and there is an outcome of each. Raises like ``write``, and never once noted.
        """
        ...

    def harvest(self, job: str, writes: Sequence[Write]) -> list[WriteOutcome] | None:
        """What became of the writes of a job, after a crash too; None while it is at work: ask again.

        A job whose handing over was interrupted is called off. One that nobody knows any more leaves every write
        unknown. Raises AccessDenied, Unavailable, BadReply: nothing can be told now.
        """
        ...

    def allowances(self) -> Mapping[str, Allowance]:
        """What else the account may use up in a day, by the name people know it under (``bulk query jobs``), and how
        much of it is used; empty where only calls are counted. Raises like ``identity``; NotPermitted: our login may
        not know.
        """
        ...

    def granted(self) -> frozenset[str] | None:
        """The rights of our login by the vendor's own names; None where it cannot tell. Raises like ``identity``."""
        ...

    def close(self) -> None:
        """Release sockets. Safe to call twice."""
        ...
