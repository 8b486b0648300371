"""Batches of up to 100 records. What one bad input does to the others depends on trace ids.

Without them a batch is all or nothing; with one on every input it is answered 207 with what went well and what
did not. Ids that were merged away vanish from both lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.associations import ends_of
from connectors.emulator.hubspot.call import Call, as_object
from connectors.emulator.hubspot.lifecycle import follow
from connectors.emulator.hubspot.record_calls import Document, association_ends, require_unique
from connectors.emulator.hubspot.refusals import Refusal, bad_request, some_missing, text
from connectors.emulator.hubspot.replies import no_content, reply
from connectors.emulator.hubspot.shapes import Done, histories, record, written
from connectors.emulator.hubspot.values import NORMALISING_VERSION
from connectors.emulator.world import End, Row, Transaction

BATCH_LIMIT, BATCH_LIMIT_WITH_HISTORY = 100, 50
Input = dict[str, Any]
Handle = Callable[[Transaction, Input], Done | None]
"""Write one input; None when it vanishes without a word."""


def inputs_of(call: Call, limit: int = BATCH_LIMIT) -> list[Input]:
    """A body without ``inputs`` is an empty batch. Raises Refusal: 400, too many or unreadable."""
    inputs = [as_object(one) for one in call.list_of("inputs")]
    if len(inputs) > limit:
        raise bad_request(text("too_many_inputs", limit=limit, count=len(inputs)))
    return inputs


def batch_read(call: Call) -> Response:
    kind = call.kind
    call.require(kind.scopes("read"))
    with_history = call.texts_of("propertiesWithHistory")
    inputs = inputs_of(call, BATCH_LIMIT_WITH_HISTORY if with_history else BATCH_LIMIT)
    archived = call.flag("archived")
    id_property = call.body.get("idProperty")
    if id_property not in (None, "", "hs_object_id"):
        require_unique(call, kind, id_property)
    schema = call.portal.schema(kind)
    names = schema.selected(call.texts_of("properties"))
    results, missing = [], []
    for record_id in dict.fromkeys(str(one.get("id", "")) for one in inputs):
        row = _exact(call, record_id, id_property)
        if row is None or row.deleted != archived or row.merged_into is not None:
            missing.append(record_id)
            continue
        results.append(record(call.portal, schema, row, names))
        if with_history:
            results[-1]["propertiesWithHistory"] = histories(call.portal, schema, row, with_history)
    errors = [some_missing(kind.upper, missing).as_item(None)] if missing else []
    return reply(document(call, results, errors), 207 if errors else 200)


def batch_create(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    inputs, linked = inputs_of(call), list[End]()

    def create(transaction: Transaction, one: Input) -> Done:
        ends = association_ends(call, one.get("associations"))
        done = call.records.create(transaction, call.kind, properties_of(one), ends=ends, version=call.version)
        linked.extend(ends_of(done.row, (end for end, _ in ends)))
        return done

    return _written(call, inputs, create, linked, status=201 if inputs else 200)


def batch_update(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    inputs = inputs_of(call)
    for one in inputs:
        id_property = one.get("idProperty")
        if id_property:
            require_unique(call, call.kind, id_property, email_counts=False)
    refuse_repeats(str(one.get("id", "")) for one in inputs)

    def update(transaction: Transaction, one: Input) -> Done | None:
        row = _exact(call, str(one.get("id", "")), one.get("idProperty"))
        if row is not None and row.merged_into is not None:
            return None
        if row is None or row.deleted:
            raise some_missing(call.kind.upper, [str(one.get("id", ""))])
        return call.records.update(transaction, call.kind, row, properties_of(one), version=call.version)

    return _written(call, inputs, update, [])


def batch_upsert(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    inputs = inputs_of(call)
    for one in inputs:
        require_unique(call, call.kind, one.get("idProperty"))
    refuse_repeats(str(one.get("id", "")) for one in inputs)
    by_email = any(one.get("idProperty") == "email" for one in inputs)
    is_whole = by_email and bool(call.portal.setting("email_upsert_is_whole"))

    def upsert(transaction: Transaction, one: Input) -> Done:
        name, value = str(one["idProperty"]), str(one.get("id", ""))
        row = call.portal.find_by(call.kind, name, value)
        sent = properties_of(one)
        if row is not None:
            return call.records.update(transaction, call.kind, row, sent, version=call.version)
        return call.records.create(transaction, call.kind, {name: value, **sent}, version=call.version)

    return _written(call, inputs, upsert, [], shows_new=True, is_whole=is_whole)


def batch_archive(call: Call) -> Response:
    """204 whatever the state of the records; what is not there is left alone."""
    call.require(call.kind.scopes("write"))
    with call.portal.transaction(call.actor) as transaction:
        inputs = inputs_of(call)
        for one, entry_id in zip(inputs, entries_of(call, inputs), strict=True):
            row = call.portal.live(call.kind, str(one.get("id", "")))
            if row is not None:
                call.records.archive(transaction, row)
                _name_entry(transaction, row, entry_id)
    return no_content()


def refuse_repeats(ids: Iterable[str]) -> None:
    repeated = [record_id for record_id, count in Counter(ids).items() if count > 1]
    if repeated:
        message = text("duplicate_ids", ids=", ".join(repeated))
        raise bad_request(message, context={"ids": repeated})


def properties_of(one: Input) -> dict[str, Any]:
    return as_object(one.get("properties", {}))


def document(call: Call, results: list[Document], errors: list[Document]) -> Document:
    """A batch reply; the results never come in the order of the inputs."""
    if call.portal.setting("shuffled_results"):
        Random(call.request_id).shuffle(results)
    at = call.portal.stamp_now()
    found: Document = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
    if errors:
        found.update(numErrors=len(errors), errors=errors)
    return found


def created_status(call: Call) -> int:
    """Of a batch of associations or property definitions: 2026-09 publishes 200 where the versions before have 201."""
    return 200 if call.version == NORMALISING_VERSION else 201


def traces_of(inputs: Sequence[Input]) -> list[str] | None:
    """The trace ids when every input has its own; else the batch is all or nothing."""
    traces = [one.get("objectWriteTraceId") for one in inputs]
    named = [trace for trace in traces if isinstance(trace, str) and trace]
    return named if len(set(named)) == len(inputs) else None


def _exact(call: Call, record_id: str, id_property: Any) -> Row | None:
    """Batches do not follow merges."""
    if id_property in (None, "", "hs_object_id"):
        row = call.portal.space.row(call.kind.name, record_id)
        return None if row is None or call.portal.is_forgotten(row) else row
    return call.portal.find_by(call.kind, str(id_property), record_id)


def entries_of(call: Call, inputs: Sequence[Input]) -> list[str | None]:
    """The caller's own name for each input: its trace id, or its place in the request's header."""
    named = call.entries if len(call.entries) == len(inputs) else [None] * len(inputs)
    traces = [one.get("objectWriteTraceId") for one in inputs]
    return [trace if isinstance(trace, str) and trace else name for trace, name in zip(traces, named, strict=True)]


def _written(
    call: Call,
    inputs: Sequence[Input],
    handle: Handle,
    linked: list[End],
    *,
    status: int = 200,
    shows_new: bool = False,
    is_whole: bool = False,
) -> Response:
    is_partial = not is_whole and traces_of(inputs) is not None
    done: list[tuple[Input, Done]] = []
    errors: list[Document] = []
    with call.portal.transaction(call.actor) as transaction:
        for one, entry_id in zip(inputs, entries_of(call, inputs), strict=True):
            try:
                with _attempt(call, transaction, is_partial=is_partial) as own:
                    found = handle(own, one)
            except Refusal as refusal:
                if not is_partial:
                    raise
                errors.append(refusal.as_item(one["objectWriteTraceId"]))
                continue
            if found is not None:
                _name_entry(transaction, found.row, entry_id)
                done.append((one, found))
    call.records.associations.bump(linked, transaction)
    follow(call.portal, [found for _, found in done])
    results = [_result(call, one, found, shows_new=shows_new) for one, found in done]
    return reply(document(call, results, errors), 207 if errors else status)


@contextmanager
def _attempt(call: Call, transaction: Transaction, *, is_partial: bool) -> Iterator[Transaction]:
    """A partial batch undoes one input alone; a whole one is undone by its transaction."""
    if not is_partial:
        yield transaction
        return
    with call.portal.world.attempt(transaction) as nested:
        yield nested


def _name_entry(transaction: Transaction, row: Row, entry_id: str | None) -> None:
    if entry_id is not None:
        transaction.entry_ids[row.object_type, row.id] = entry_id


def _result(call: Call, one: Input, done: Done, *, shows_new: bool) -> Document:
    found = written(call.portal, call.portal.schema(call.kind), done)
    if isinstance(one.get("objectWriteTraceId"), str):
        found["objectWriteTraceId"] = one["objectWriteTraceId"]
    if shows_new:
        found["new"] = done.is_new
    return found
