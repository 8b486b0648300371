"""Writing: the cheapest call that still tells the fate of every record.

HubSpot has no conditional write. A write that expects a version, and every archive, is preceded by a read of
the same records; what moved is rejected unsent. The window left is one round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, Literal

from agent.connector import Write, WriteError, WriteOutcome
from agent.errors import BadReply, ConnectorError
from agent.records import FieldValue, MergedInto, Record, Ref
from connectors.hubspot.accounting import applied, blame, outcomes_of, rejected, unknown
from connectors.hubspot.associating import calls_for, place_of, wanted
from connectors.hubspot.associations import Associations
from connectors.hubspot.client import Client, Reply
from connectors.hubspot.failures import (
    Complaint,
    ReplyLost,
    complaint,
    complaints_of,
    fate,
    read_error,
    waiting_seconds,
    write_error,
)
from connectors.hubspot.fitness import invalid, malformed, merged_away, moved, require_one_kind
from connectors.hubspot.ids import checked_object_type
from connectors.hubspot.reading import Reader
from connectors.hubspot.records import checked_row, values_of, version_of
from connectors.hubspot.vendor import (
    HUBSPOT_DEFINED,
    SYSTEM,
    Association,
    association_fields,
    association_types,
)

Send = Callable[[], Reply]
Verb = Literal["create", "update"]


@dataclass(slots=True)
class Writer:
    """Sends writes of one operation and one object type."""

    client: Client
    reader: Reader

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """One outcome per write, in order.

        Raises:
            AccessDenied, Unavailable, BadReply: only while nothing has been sent.
        """
        require_one_kind(writes)
        object_type = checked_object_type(writes[0].object_type)
        sending = _Sending(self.client, self.reader, object_type)
        for write in writes:
            if (error := malformed(write)) is not None:
                sending.settle(rejected(write, error))
        sending.drop_moved(writes)
        if writes[0].op == "merge":
            sending.merge(writes)
        elif writes[0].op == "delete":
            sending.archive(writes)
        elif writes[0].op == "update":
            sending.update(writes)
        elif writes[0].op == "opt_out":
            sending.opt_out(writes)
        elif writes[0].op == "associate":
            sending.associate(writes)
        else:
            sending.create(writes)
        return [sending.outcomes[write.entry_id] for write in writes]


@dataclass(slots=True)
class _Sending:
    """One call of ``write`` on its way: what is settled, and whether anything has left yet."""

    client: Client
    reader: Reader
    object_type: str
    outcomes: dict[str, WriteOutcome] = field(default_factory=dict)
    has_sent: bool = False

    def settle(self, outcome: WriteOutcome) -> None:
        self.outcomes[outcome.entry_id] = outcome

    def open(self, writes: Sequence[Write]) -> list[Write]:
        return [write for write in writes if write.entry_id not in self.outcomes]

    def drop_moved(self, writes: Sequence[Write]) -> None:
        """Reject what is not the version expected. An archive and a merge always look: HubSpot would follow a merge."""
        always = ("delete", "merge")
        watched = [write for write in self.open(writes) if write.expects_version is not None or write.op in always]
        watched = [write for write in watched if write.op != "create"]
        if not watched:
            return
        refs = [Ref(SYSTEM, self.object_type, write.record_id or "") for write in watched]
        for write, readout in zip(watched, self.reader.read(refs, []), strict=True):
            if (error := moved(write, readout)) is not None:
                self.settle(rejected(write, error))

    def update(self, writes: Sequence[Write]) -> None:
        """HubSpot refuses a whole batch that names one record twice: the second goes into a further call."""
        while chunk := list({write.record_id: write for write in reversed(self.open(writes))}.values()):
            inputs = [
                {
                    "id": write.record_id,
                    "properties": _texts(write.fields),
                    "objectWriteTraceId": write.entry_id,
                }
                for write in chunk
            ]
            self._batch("update", chunk, inputs)

    def create(self, writes: Sequence[Write]) -> None:
        """With a key in one batch; without one each alone, so that a lost reply concerns one record only."""
        keyed = [write for write in self.open(writes) if write.key is not None]
        if keyed:
            inputs = [{**_creation(write), "objectWriteTraceId": write.entry_id} for write in keyed]
            self._batch("create", keyed, inputs)
        for write in self.open(writes):
            self._create_one(write)

    def archive(self, writes: Sequence[Write]) -> None:
        for write in self.open(writes):
            reply = self._sent([write], self._archiving(write))
            if reply is not None:
                # a success is exactly 204 without a body; anything else is some proxy's page
                self.settle(applied(write, write.record_id) if reply.status == 204 else unknown(write))

    def merge(self, writes: Sequence[Write]) -> None:
        """One call each. The loser is looked at too: an old id leads to a record that was merged before."""
        for write in self.open(writes):
            [loser] = write.losers
            try:
                readout = self.reader.look_up(Ref(SYSTEM, self.object_type, loser), [])
            except ConnectorError as error:
                self._not_now([write], error)
                continue
            if (error_of_loser := moved(replace(write, expects_version=None), readout)) is not None:
                self.settle(rejected(write, error_of_loser))
                continue
            self._merge_one(write, loser)

    def _merge_one(self, write: Write, loser: str) -> None:
        survivor = write.record_id or ""
        reply = self._sent([write], partial(self.client.merge, self.object_type, survivor, loser, write.entry_id))
        if reply is None:
            return
        try:
            row = checked_row(reply.json_object("id", "properties"))
            self.settle(applied(write, row["id"], version_of(self.object_type, row)))
        except BadReply:
            self.settle(unknown(write))

    def opt_out(self, writes: Sequence[Write]) -> None:
        """One address a call; the reply lists subscriptions, so the outcome is asked for: out of everything or not."""
        for write in self.open(writes):
            address = write.key[1] if write.key is not None else ""
            if self._sent([write], partial(self.client.opt_out, address, write.entry_id)) is not None:
                self.settle(self._as_asked(write, address))

    def _as_asked(self, write: Write, address: str) -> WriteOutcome:
        try:
            reply = self.client.opt_out_status(address)
            found = reply.json_object("results")["results"] if reply.is_success else []
        except ConnectorError:
            return unknown(write)
        is_out = any(isinstance(status, dict) and status.get("status") == "UNSUBSCRIBED" for status in found)
        observed = dict.fromkeys(write.fields, "true")
        return applied(write, write.record_id, None, observed) if is_out else unknown(write)

    def associate(self, writes: Sequence[Write]) -> None:
        """A parent that is a property is written as one; an association is read, changed and read back."""
        by_place = {write.entry_id: place for write in self.open(writes) if (place := place_of(write)) is not None}
        self.update([write for write in writes if write.entry_id not in by_place])
        for place in dict.fromkeys(by_place.values()):
            ours = [write for write in writes if by_place.get(write.entry_id) == place]
            while chunk := list({write.record_id: write for write in reversed(self.open(ours))}.values()):
                self._associate(chunk, place)

    def _associate(self, chunk: Sequence[Write], place: Association) -> None:
        ids = [write.record_id or "" for write in chunk]
        try:
            held = Associations(self.client).held(self.object_type, place.object_type, ids)
        except ConnectorError as error:
            self._not_now(chunk, error)
            return
        refusals: list[Complaint] = []
        for call in calls_for(chunk, place, held):
            reply = self._sent(call.writes, partial(call.send, self.client))
            refusals += complaints_of(reply.status, reply.loose_json()) if reply is not None else []
        self._settle_associated(self.open(chunk), place, refusals)

    def _settle_associated(self, chunk: Sequence[Write], place: Association, refusals: Sequence[Complaint]) -> None:
        """The answer names no write, so what is there now tells: the record wanted, or why not."""
        refs = [Ref(SYSTEM, self.object_type, write.record_id or "") for write in chunk]
        try:
            readouts = self.reader.read(refs, [place.field])
        except ConnectorError:
            readouts = []
        for write, readout in zip(chunk, readouts, strict=False):
            if not isinstance(readout, Record):
                self.settle(rejected(write, moved(write, readout) or invalid("UNREADABLE", "it cannot be read")))
            elif place.field not in readout.fields:
                self.settle(unknown(write))
            elif readout.fields[place.field] == wanted(write, place):
                self.settle(applied(write, write.record_id, readout.version, readout.fields))
            elif refusals:
                self.settle(rejected(write, write_error(refusals[0])))
            else:
                text = f"the {place.title} is not what was asked for"
                self.settle(rejected(write, WriteError("other", "NOT_ASSOCIATED", text)))
        for write in self.open(chunk):
            self.settle(unknown(write))

    def _archiving(self, write: Write) -> Send:
        return lambda: self.client.archive(self.object_type, write.record_id or "", write.entry_id)

    def _create_one(self, write: Write) -> None:
        reply = self._sent([write], lambda: self.client.create(self.object_type, _creation(write), write.entry_id))
        if reply is None:
            return
        try:
            row = checked_row(reply.json_object("id", "properties"))
            version_of(self.object_type, row)
        except BadReply:
            self.settle(unknown(write))
            return
        self._settle_rows({write.entry_id: row}, [write])

    def _batch(self, verb: Verb, chunk: Sequence[Write], inputs: Sequence[Mapping[str, Any]]) -> None:
        entry_ids = [write.entry_id for write in chunk]
        reply = self._sent(chunk, lambda: self.client.batch_write(verb, self.object_type, inputs, entry_ids))
        if reply is None:
            return
        try:
            rows, errors = outcomes_of(chunk, self.object_type, reply)
        except BadReply:
            rows, errors = {}, {}
            for write in chunk:
                self.settle(unknown(write))
        for write in chunk:
            if write.entry_id in errors:
                self.settle(self._refusal(write, errors[write.entry_id]))
        self._settle_rows(rows, chunk)
        for write in self.open(chunk):
            self.settle(self._unaccounted(write))

    def _settle_rows(self, rows: Mapping[str, Mapping[str, Any]], chunk: Sequence[Write]) -> None:
        """Observed is the echo; a written property the echo leaves out is read back."""
        echoed = {
            write.entry_id: values_of(rows[write.entry_id], _written(write))
            for write in chunk
            if write.entry_id in rows
        }
        silent = [
            write
            for write in chunk
            if write.entry_id in echoed and not echoed[write.entry_id].keys() >= set(_written(write))
        ]
        if silent:
            self._read_back(silent, rows, echoed)
        for write in chunk:
            if write.entry_id in rows:
                row = rows[write.entry_id]
                version = version_of(self.object_type, row)
                self.settle(applied(write, row["id"], version, echoed[write.entry_id]))

    def _read_back(
        self,
        silent: Sequence[Write],
        rows: Mapping[str, Mapping[str, Any]],
        echoed: dict[str, dict[str, FieldValue]],
    ) -> None:
        names = sorted({name for write in silent for name in _written(write)})
        ids = list(dict.fromkeys(rows[write.entry_id]["id"] for write in silent))
        try:
            found, _ = self.reader.rows(self.object_type, ids, names)
        except ConnectorError:
            return
        for write in silent:
            row = found.get(rows[write.entry_id]["id"])
            if row is not None:
                held = values_of(row, _written(write))
                echoed[write.entry_id] = {**held, **echoed[write.entry_id]}

    def _refusal(self, write: Write, error: WriteError) -> WriteOutcome:
        """A create refused as a duplicate: if a record carries its link key, an earlier attempt landed after all."""
        if error.kind != "duplicate" or write.key is None:
            return rejected(write, error)
        name, value = write.key
        try:
            found = self.reader.find(self.object_type, name, value, _written(write), is_unique=True)
        except ConnectorError:
            return unknown(write)
        if not found:
            return rejected(write, error)
        return applied(write, found[0].ref.id, found[0].version, found[0].fields)

    def _unaccounted(self, write: Write) -> WriteOutcome:
        """In neither list: HubSpot leaves out an id that was merged away; anything else stays open."""
        if write.record_id is None:
            return unknown(write)
        try:
            readout = self.reader.look_up(Ref(SYSTEM, self.object_type, write.record_id), [])
        except ConnectorError:
            return unknown(write)
        if isinstance(readout, MergedInto):
            return rejected(write, merged_away(readout))
        return unknown(write)

    def _sent(self, writes: Sequence[Write], send: Send) -> Reply | None:
        """Send once. A success is returned; the rest settles ``writes``, or raises if nothing had left."""
        try:
            reply = send()
        except ReplyLost:
            self.has_sent = True
            for write in writes:
                self.settle(unknown(write))
            return None
        except ConnectorError as error:
            self._not_now(writes, error)
            return None
        if reply.is_success:
            self.has_sent = True
            return reply
        self._refused(writes, reply)
        return None

    def _refused(self, writes: Sequence[Write], reply: Reply) -> None:
        found = complaint(reply.status, reply.loose_json())
        verdict = fate(reply.status)
        if verdict in ("denied", "away") and not self.has_sent:
            raise read_error(found, f"writing {self.object_type}", reply.retry_after)
        self.has_sent = True
        for write in writes:
            if verdict == "unclear":
                self.settle(unknown(write))
            else:
                error = blame(write, found, len(writes))
                wait = waiting_seconds(found, reply.retry_after) if verdict == "throttled" else None
                self.settle(rejected(write, replace(error, retry_after=wait)))

    def _not_now(self, writes: Sequence[Write], error: ConnectorError) -> None:
        """No connection or no token: an exception while nothing has left, else a definite no for these writes."""
        if not self.has_sent:
            raise error
        for write in writes:
            self.settle(rejected(write, WriteError("throttled", "NOT_SENT", error.what)))


def _written(write: Write) -> list[str]:
    names = list(write.fields)
    return [*names, write.key[0]] if write.key is not None and write.key[0] not in names else names


def _creation(write: Write) -> dict[str, Any]:
    fields = dict(write.fields)
    if write.key is not None:
        fields[write.key[0]] = write.key[1]
    parents = dict(write.parents)
    for relation, place in association_fields(write.object_type).items():
        if (parent := fields.pop(place.field, None)) not in (None, ""):
            parents[relation] = str(parent)
    return {
        "properties": {name: text for name, text in _texts(fields).items() if text},
        "associations": [
            {
                "to": {"id": parent_id},
                "types": [
                    {"associationCategory": HUBSPOT_DEFINED, "associationTypeId": number}
                    for number in association_types(write.object_type, relation) or ()
                ],
            }
            for relation, parent_id in parents.items()
        ],
    }


def _texts(fields: Mapping[str, FieldValue]) -> dict[str, str]:
    return {name: text_of(value) for name, value in fields.items()}


def text_of(value: FieldValue) -> str:
    """As HubSpot takes it: ``""`` clears (null may not), booleans in lower case, numbers without exponent."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f")
    return str(value)
