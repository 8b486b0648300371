"""Writing: the cheapest call that keeps the guarantee, and exactly one honest outcome per write.

Updates go 200 to a call, those with a precondition 25 to a call (``guarded``), very many as a job (``bulk``).
``observed`` stays empty: Salesforce trims, lower-cases and lets automations rewrite, and its answers show none of it,
so the engine reads back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.connector import Op, Write, WriteError, WriteOutcome
from agent.errors import ConnectorError
from agent.logs import mention
from agent.records import Ref
from connectors.salesforce.abilities import BULK_CHUNK, CONDITIONAL_CHUNK, WRITE_CHUNK
from connectors.salesforce.accounting import (
    Fit,
    collected,
    entry_header,
    failed,
    looked_at,
    rejected,
    row_outcome,
    unsent,
)
from connectors.salesforce.bulk import MOST_BYTES, Bulk, NoJob, Sleep, bytes_of, can_travel
from connectors.salesforce.calls import Calls, Request
from connectors.salesforce.failures import SYSTEM, Failure
from connectors.salesforce.guarded import Guarded
from connectors.salesforce.ids import full_id
from connectors.salesforce.merging import Merging
from connectors.salesforce.reading import Reading
from connectors.salesforce.schema import Description, Schemas
from connectors.salesforce.soap import Soap
from connectors.salesforce.values import Unfit, checked_body, checked_id, unknown_fields


class Writing:
    def __init__(
        self, calls: Calls, soap: Soap, schemas: Schemas, reading: Reading, link_keys: Mapping[str, str], sleep: Sleep
    ) -> None:
        self._calls = calls
        self._schemas = schemas
        self._reading = reading
        self._link_keys = link_keys
        self._guarded = Guarded(calls, reading)
        self._bulk = Bulk(calls, sleep)
        self._merging = Merging(soap, reading)

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

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        """As the port says; while Salesforce opens no job, the usual calls do the work. Raises like ``write``."""
        _check_contract(writes, BULK_CHUNK)
        fit, refused = self._sorted_out(writes)
        if not fit:
            return refused
        try:
            self._bulk.start(fit, _key_of(writes[0]), note)
        except NoJob as no_job:
            mention("no bulk job: written by the usual calls", system=SYSTEM, writes=len(fit), why=str(no_job))
            return refused + self._without_a_job([item.write for item in fit])
        return refused

    def _without_a_job(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Chunk after chunk. Once one was sent nothing raises: what could not leave any more may be sent later.

        Raises like ``write`` when not even the first could leave.
        """
        outcomes: list[WriteOutcome] = []
        for start in range(0, len(writes), WRITE_CHUNK):
            try:
                outcomes += self.write(writes[start : start + WRITE_CHUNK])
            except ConnectorError as error:
                if not outcomes:
                    raise
                later = WriteError("throttled", "NOT_SENT", error.what)
                return outcomes + [rejected(write, later) for write in writes[start:]]
        return outcomes

    def harvest(self, job_id: str, writes: Sequence[Write]) -> list[WriteOutcome] | None:
        """As the port says. Raises AccessDenied, Unavailable, BadReply, NotFound."""
        _check_contract(writes, BULK_CHUNK)
        fit, refused = self._sorted_out(writes)
        harvested = self._bulk.harvest(job_id, fit, _key_of(writes[0]))
        if harvested is None:
            return None
        outcomes = {outcome.entry_id: outcome for outcome in [*refused, *harvested]}
        return self._with_second_look(writes, [outcomes[write.entry_id] for write in writes])

    def _sorted_out(self, writes: Sequence[Write]) -> tuple[list[Fit], list[WriteOutcome]]:
        possible = [write for write in writes if write.op == "create" or full_id(write.record_id or "", "")]
        described = self._described(possible) if possible else None
        fit: list[Fit] = []
        unfit: list[WriteOutcome] = []
        for write in writes:
            try:
                prefix = described.prefix if described else ""
                record_id = "" if write.op == "create" else checked_id(write.record_id, write.object_type, prefix)
                body = checked_body(write, described, self._link_keys) if described else {}
                losers = tuple(checked_id(loser, write.object_type, prefix) for loser in write.losers)
                fit.append(Fit(write, record_id, body, losers))
            except Unfit as refusal:
                unfit.append(rejected(write, refusal.error))
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

    def _sent(self, fit: Sequence[Fit]) -> list[WriteOutcome]:
        if not fit:
            return []
        first = fit[0].write
        if first.op == "merge":
            return self._merging.merge(fit)
        if first.op == "undelete":
            return self._merging.undelete(fit)
        if first.op == "create" and first.key is None:
            return self._in_turn([[item] for item in fit], lambda group: [self._create(group[0])])
        if first.op == "create":
            return self._upsert(fit)
        if first.expects_version is not None and first.op == "delete":
            return self._in_turn(_without_repeats(fit), self._guarded.delete)
        if first.expects_version is not None:
            groups = [part for group in _without_repeats(fit) for part in self._guarded.groups(group)]
            return self._in_turn(groups, self._guarded.update)
        return self._in_turn(_without_repeats(fit), self._delete if first.op == "delete" else self._update)

    def _update(self, fit: Sequence[Fit]) -> list[WriteOutcome]:
        object_type = fit[0].write.object_type
        records = [{"attributes": {"type": object_type}, "id": item.record_id, **item.body} for item in fit]
        return self._together(fit, "PATCH", "composite/sobjects", records)

    def _upsert(self, fit: Sequence[Fit]) -> list[WriteOutcome]:
        object_type = fit[0].write.object_type
        records = [{"attributes": {"type": object_type}, **item.body} for item in fit]
        path = f"composite/sobjects/{object_type}/{self._link_keys[object_type]}"
        return self._together(fit, "PATCH", path, records)

    def _delete(self, fit: Sequence[Fit]) -> list[WriteOutcome]:
        params = {"ids": ",".join(item.record_id for item in fit), "allOrNone": "false"}
        request = Request("DELETE", "composite/sobjects", params=params, headers=entry_header(fit))
        return collected(fit, self._calls.send(request))

    def _together(
        self, fit: Sequence[Fit], method: Any, path: str, records: list[dict[str, Any]]
    ) -> list[WriteOutcome]:
        body = {"allOrNone": False, "records": records}
        return collected(fit, self._calls.send(Request(method, path, body=body, headers=entry_header(fit))))

    def _in_turn(
        self, groups: Sequence[Sequence[Fit]], send: Callable[[Sequence[Fit]], list[WriteOutcome]]
    ) -> list[WriteOutcome]:
        """One call per group. After the first was sent nothing raises any more: the rest was simply not sent.

        A lost reply stops the rest too: it may still land, after a later write to the same record.
        """
        outcomes: list[WriteOutcome] = []
        stopped = ""
        for group in groups:
            if stopped:
                outcomes += [unsent(item, stopped) for item in group]
                continue
            try:
                outcomes += send(group)
            except ConnectorError as error:
                if not outcomes:
                    raise
                stopped = error.what
                outcomes += [unsent(item, stopped) for item in group]
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
        readouts = self._reading.read_or_nothing(list(gone.values())) if gone else []
        seen = dict(zip(gone, readouts, strict=False))
        return [
            looked_at(outcome, seen.get(outcome.entry_id), is_new=write.op == "create")
            for write, outcome in zip(writes, outcomes, strict=True)
        ]

    def _create(self, item: Fit) -> WriteOutcome:
        write = item.write
        path = f"sobjects/{write.object_type}/"
        answer = self._calls.send(Request("POST", path, body=item.body, headers=entry_header([item])))
        if isinstance(answer, Failure):
            return failed(item, answer)
        result = answer.body if isinstance(answer.body, dict) else {}
        prefix = self._schemas.of(write.object_type).prefix
        return row_outcome(item, result, prefix)


def bulk_fit(writes: Sequence[Write]) -> frozenset[str]:
    """Entry ids of the writes one job can take: each record once, no text that a CSV cannot say, and not too much."""
    found: dict[str, str] = {}
    size = 0
    for write in writes:
        whose = write.key[1] if write.key is not None else write.record_id
        if whose and whose.lower() not in found and can_travel(write):
            size += bytes_of(write)
            if size > MOST_BYTES:
                break
            found[whose.lower()] = write.entry_id
    return frozenset(found.values())


def _key_of(write: Write) -> str:
    return write.key[0] if write.key is not None else ""


def _without_repeats(fit: Sequence[Fit]) -> list[list[Fit]]:
    """Groups in order, none with one record twice: inside one call Salesforce takes a record only once."""
    groups: list[list[Fit]] = []
    seen: set[str] = set()
    for item in fit:
        if item.record_id in seen or not groups:
            groups.append([])
            seen.clear()
        groups[-1].append(item)
        seen.add(item.record_id)
    return groups


def _check_contract(writes: Sequence[Write], most: int = 0) -> None:
    """A caller that breaks the port's contract is a bug of ours, not an outcome."""
    if not writes:
        raise ValueError("an empty write")
    kinds: set[tuple[Op, str, bool]] = {(write.op, write.object_type, write.key is None) for write in writes}
    guards = {write.expects_version is None for write in writes}
    if len(kinds) > 1 or len(guards) > 1:
        raise ValueError("writes of different operations, object types, with and without key or condition in one call")
    if len({write.entry_id for write in writes}) < len(writes):
        raise ValueError("two writes under one entry id")
    limit = most or (WRITE_CHUNK if guards == {True} else CONDITIONAL_CHUNK)
    if len(writes) > limit:
        raise ValueError(f"{len(writes)} writes in one call; the chunk is {limit}")
