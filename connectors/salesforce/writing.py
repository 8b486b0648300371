"""Writing: the cheapest call that keeps the guarantee, and exactly one honest outcome per write.

Updates go 200 to a call, one with a precondition goes alone. ``observed`` stays empty: Salesforce trims, lower-cases
and lets automations rewrite, and its answers show none of it, so the engine reads back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.connector import Op, Write, WriteError, WriteOutcome
from agent.errors import AccessDenied, ConnectorError, NotFound
from agent.records import FieldValue, Gone, MergedInto, Readout, Record, Ref
from connectors.salesforce.abilities import WRITE_CHUNK
from connectors.salesforce.calls import Calls, Reply, Request
from connectors.salesforce.failures import SYSTEM, Failure, as_error, as_write_error, from_row
from connectors.salesforce.ids import full_id
from connectors.salesforce.reading import Reading, version_date
from connectors.salesforce.schema import Description, Schemas, http_date
from connectors.salesforce.values import Unfit, checked_body, checked_id, unknown_fields

ENTRY_HEADER = "X-Truce-Entry"
"""Ledger entry ids of the records in a call, in order. Salesforce ignores it; the practice account's audit keeps it."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """A write that may be sent. ``record_id`` is the 18-character form, empty for a create."""

    write: Write
    record_id: str
    body: Mapping[str, FieldValue]


class Writing:
    def __init__(self, calls: Calls, schemas: Schemas, reading: Reading, link_keys: Mapping[str, str]) -> None:
        self._calls = calls
        self._schemas = schemas
        self._reading = reading
        self._link_keys = link_keys

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """As the port says.

        A create with a link key is an upsert: if an earlier attempt of the same entry landed after all, the record
        with that key is the one answered, and there is no second. A create without one is a call of its own.

        Raises:
            AccessDenied, Unavailable, BadReply, NotFound: nothing was sent, or the vendor answered 401 to it.
            ValueError: the writes do not belong into one call.
        """
        _check_contract(writes)
        fit, unfit = self._sorted_out(writes)
        outcomes = {outcome.entry_id: outcome for outcome in [*unfit, *self._sent(fit)]}
        return self._with_second_look(writes, [outcomes[write.entry_id] for write in writes])

    def _sorted_out(self, writes: Sequence[Write]) -> tuple[list[_Fit], list[WriteOutcome]]:
        possible = [write for write in writes if write.op == "create" or full_id(write.record_id or "", "")]
        described = self._described(possible) if possible else None
        fit: list[_Fit] = []
        unfit: list[WriteOutcome] = []
        for write in writes:
            try:
                prefix = described.prefix if described else ""
                record_id = "" if write.op == "create" else checked_id(write, prefix)
                body = checked_body(write, described, self._link_keys) if described else {}
                fit.append(_Fit(write, record_id, body))
            except Unfit as refusal:
                unfit.append(_rejected(write, refusal.error))
        return fit, unfit

    def _described(self, writes: Sequence[Write]) -> Description:
        """The object's description, asked again when a write names a field that it lacks."""
        described = self._schemas.of(writes[0].object_type)
        if not any(unknown_fields(write, described) for write in writes):
            return described
        try:
            return self._schemas.fetch(writes[0].object_type)
        except ConnectorError:
            return described

    def _sent(self, fit: Sequence[_Fit]) -> list[WriteOutcome]:
        if not fit:
            return []
        first = fit[0].write
        if first.op == "create" and first.key is None:
            return self._in_turn([[item] for item in fit], lambda group: [self._create(group[0])])
        if first.op == "create":
            return self._upsert(fit)
        if first.expects_version is not None:
            return [self._update_if(fit[0]) if first.op == "update" else self._delete_if(fit[0])]
        return self._in_turn(_without_repeats(fit), self._update if first.op == "update" else self._delete)

    def _update(self, fit: Sequence[_Fit]) -> list[WriteOutcome]:
        object_type = fit[0].write.object_type
        records = [{"attributes": {"type": object_type}, "id": item.record_id, **item.body} for item in fit]
        return self._together(fit, "PATCH", "composite/sobjects", records)

    def _upsert(self, fit: Sequence[_Fit]) -> list[WriteOutcome]:
        object_type = fit[0].write.object_type
        records = [{"attributes": {"type": object_type}, **item.body} for item in fit]
        path = f"composite/sobjects/{object_type}/{self._link_keys[object_type]}"
        return self._together(fit, "PATCH", path, records)

    def _delete(self, fit: Sequence[_Fit]) -> list[WriteOutcome]:
        params = {"ids": ",".join(item.record_id for item in fit), "allOrNone": "false"}
        request = Request("DELETE", "composite/sobjects", params=params, headers=_entries(fit))
        return _collected(fit, self._calls.send(request))

    def _together(
        self, fit: Sequence[_Fit], method: Any, path: str, records: list[dict[str, Any]]
    ) -> list[WriteOutcome]:
        body = {"allOrNone": False, "records": records}
        return _collected(fit, self._calls.send(Request(method, path, body=body, headers=_entries(fit))))

    def _in_turn(
        self, groups: Sequence[Sequence[_Fit]], send: Callable[[Sequence[_Fit]], list[WriteOutcome]]
    ) -> list[WriteOutcome]:
        """One call per group. After the first was sent nothing raises any more: the rest was simply not sent.

        A lost reply stops the rest too: it may still land, after a later write to the same record.
        """
        outcomes: list[WriteOutcome] = []
        stopped = ""
        for group in groups:
            if stopped:
                outcomes += [_unsent(item, stopped) for item in group]
                continue
            try:
                outcomes += send(group)
            except ConnectorError as error:
                if not outcomes:
                    raise
                stopped = error.what
                outcomes += [_unsent(item, stopped) for item in group]
            if any(outcome.status == "unknown" for outcome in outcomes):
                stopped = "the reply to the write before it was lost"
        return outcomes

    def _with_second_look(self, writes: Sequence[Write], outcomes: list[WriteOutcome]) -> list[WriteOutcome]:
        """Salesforce says "deleted" of a merged record, and of one that only names a deleted one; a look tells."""
        gone = {
            write.entry_id: Ref(SYSTEM, write.object_type, write.record_id)
            for write, outcome in zip(writes, outcomes, strict=True)
            if write.record_id and outcome.error is not None and outcome.error.kind == "gone"
        }
        try:
            readouts = self._reading.read(list(gone.values()), ()) if gone else []
        except (ConnectorError, NotFound):
            return outcomes
        seen = dict(zip(gone, readouts, strict=True))
        return [
            _looked_at(outcome, seen.get(outcome.entry_id), is_new=write.op == "create")
            for write, outcome in zip(writes, outcomes, strict=True)
        ]

    def _create(self, item: _Fit) -> WriteOutcome:
        write = item.write
        path = f"sobjects/{write.object_type}/"
        answer = self._calls.send(Request("POST", path, body=item.body, headers=_entries([item])))
        if isinstance(answer, Failure):
            return _failed(item, answer)
        result = answer.body if isinstance(answer.body, dict) else {}
        prefix = self._schemas.of(write.object_type).prefix
        return _row_outcome(item, result, prefix)

    def _update_if(self, item: _Fit) -> WriteOutcome:
        """PATCH with If-Unmodified-Since, which Salesforce compares with LastModifiedDate in whole seconds.

        An edit in the very second of the one we read cannot be told from it.
        """
        moment = version_date(item.write.expects_version or "")
        if moment is None:
            return _rejected(item.write, WriteError("other", "BAD_VERSION", "the expected version is not one of ours"))
        headers = {"If-Unmodified-Since": http_date(moment), **_entries([item])}
        path = f"sobjects/{item.write.object_type}/{item.record_id}"
        return _alone(item, self._calls.send(Request("PATCH", path, body=item.body, headers=headers)))

    def _delete_if(self, item: _Fit) -> WriteOutcome:
        """Read, compare, delete: If-Unmodified-Since does not hold for DELETE. The window is one round trip."""
        write = item.write
        [readout] = self._reading.read([Ref(SYSTEM, write.object_type, item.record_id)], ())
        if isinstance(readout, Gone):
            return _rejected(write, WriteError("gone", "ENTITY_IS_DELETED", "the record is deleted already"))
        if isinstance(readout, MergedInto):
            return _rejected(write, _merged(readout))
        if not isinstance(readout, Record):
            return _rejected(write, WriteError("permission", "UNREADABLE", readout.reason))
        if readout.version != write.expects_version:
            return _rejected(write, WriteError("moved", "CHANGED", "the record changed since it was read"))
        path = f"sobjects/{write.object_type}/{item.record_id}"
        return _alone(item, self._calls.send(Request("DELETE", path, headers=_entries([item]))))


def _without_repeats(fit: Sequence[_Fit]) -> list[list[_Fit]]:
    """Groups in order, none with one record twice: inside one call Salesforce takes a record only once."""
    groups: list[list[_Fit]] = []
    seen: set[str] = set()
    for item in fit:
        if item.record_id in seen or not groups:
            groups.append([])
            seen.clear()
        groups[-1].append(item)
        seen.add(item.record_id)
    return groups


def _check_contract(writes: Sequence[Write]) -> None:
    """A caller that breaks the port's contract is a bug of ours, not an outcome."""
    if not writes:
        raise ValueError("an empty write")
    kinds: set[tuple[Op, str, bool]] = {(write.op, write.object_type, write.key is None) for write in writes}
    if len(kinds) > 1:
        raise ValueError("writes of different operations, object types or with and without key in one call")
    if len({write.entry_id for write in writes}) < len(writes):
        raise ValueError("two writes under one entry id")
    limit = 1 if any(write.expects_version is not None for write in writes) else WRITE_CHUNK
    if len(writes) > limit:
        raise ValueError(f"{len(writes)} writes in one call; the chunk is {limit}")


def _entries(fit: Sequence[_Fit]) -> dict[str, str]:
    return {ENTRY_HEADER: ",".join(item.write.entry_id for item in fit)}


def _alone(item: _Fit, answer: Reply | Failure) -> WriteOutcome:
    """The answer to a PATCH or DELETE of one record: 204 without a body is the only success there is."""
    if isinstance(answer, Failure):
        return _failed(item, answer)
    if answer.status != 204:
        return _unknown(item)
    return WriteOutcome(item.write.entry_id, "applied", item.write.record_id)


def _collected(fit: Sequence[_Fit], answer: Reply | Failure) -> list[WriteOutcome]:
    """One outcome per record of a collections call, which answers 200 even when every record failed."""
    if isinstance(answer, Failure):
        return [_failed(item, answer) for item in fit]
    results = _matched(fit, answer.body)
    outcomes = [_row_outcome(item, result) for item, result in zip(fit, results, strict=True)]
    ids = [outcome.record_id for outcome in outcomes if outcome.status == "applied"]
    if len(set(ids)) < len(ids) and fit[0].write.op == "create":
        return [_unknown(item) for item in fit]  # two creates cannot be one record
    return outcomes


def _matched(fit: Sequence[_Fit], results: Any) -> list[Any]:
    """The result that belongs to each write; None where the vendor sent none.

    Results come in the order sent. If one is missing or stands under another record's id, position proves nothing
    and only results that name their record count.
    """
    rows = results if isinstance(results, list) else []
    if len(rows) == len(fit) and all(_may_belong(item, row) for item, row in zip(fit, rows, strict=True)):
        return rows
    by_id = {full_id(str(row.get("id")), ""): row for row in rows if isinstance(row, dict)}
    is_ambiguous = len({item.record_id for item in fit}) < len(fit) or len(by_id) < len(rows)
    return [None if is_ambiguous or not item.record_id else by_id.get(item.record_id) for item in fit]


def _may_belong(item: _Fit, row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    said = row.get("id")
    return said is None or not item.record_id or full_id(str(said), "") == item.record_id


def _row_outcome(item: _Fit, result: Any, prefix: str = "") -> WriteOutcome:
    """One ``{"id", "success", "errors"}``; a success that names no record, or a shape we do not know, is unknown."""
    if not isinstance(result, dict):
        return _unknown(item)
    record_id = full_id(str(result.get("id")), item.record_id[:3] or prefix)
    if result.get("success") is True and record_id is not None:
        return WriteOutcome(item.write.entry_id, "applied", item.write.record_id or record_id)
    if result.get("success") is False and isinstance(result.get("errors"), list):
        return _failed(item, from_row(result["errors"]))
    return _unknown(item)


def _failed(item: _Fit, failure: Failure) -> WriteOutcome:
    """What a failure means for one write.

    Raises:
        AccessDenied, Unavailable: the request never left, or was answered 401, so nothing happened at all.
    """
    if failure.fate == "lost":
        return _unknown(item)
    if failure.fate == "not sent":
        raise as_error(failure, f"writing {item.write.object_type}")
    if failure.status == 401:
        raise AccessDenied("Salesforce refuses our session", system=SYSTEM, why=failure.code, next_step="truce doctor")
    return _rejected(item.write, as_write_error(failure, item.body.values()))


def _looked_at(outcome: WriteOutcome, readout: Readout | None, *, is_new: bool) -> WriteOutcome:
    """The verdict "gone", corrected by what is there: merged away, or alive and only a record it names is gone."""
    error = outcome.error
    if error is None or error.kind != "gone":
        return outcome
    if isinstance(readout, MergedInto):
        return replace(outcome, error=_merged(readout))
    if isinstance(readout, Record) or is_new:
        return replace(outcome, error=replace(error, kind="validation"))
    return outcome


def _merged(readout: MergedInto) -> WriteError:
    return WriteError("moved", "MERGED", "the record was merged into another", other_id=readout.survivor.id)


def _unsent(item: _Fit, why: str) -> WriteOutcome:
    return _rejected(item.write, WriteError("throttled", "NOT_SENT", f"not sent: {why}"))


def _unknown(item: _Fit) -> WriteOutcome:
    return WriteOutcome(item.write.entry_id, "unknown", item.write.record_id)


def _rejected(write: Write, error: WriteError) -> WriteOutcome:
    return WriteOutcome(write.entry_id, "rejected", write.record_id, error=error)
