"""Batches of at most 100. Without trace ids one bad input rejects all; with them the good ones are written (207)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.hubspot import refusals
from connectors.emulator.hubspot.associations import associate
from connectors.emulator.hubspot.gate import body_of, check_scope, no_content, portal_of, reply
from connectors.emulator.hubspot.portal import Portal, wire
from connectors.emulator.hubspot.refusals import Refusal
from connectors.emulator.hubspot.rows import actor_of
from connectors.emulator.hubspot.schema import Kind
from connectors.emulator.hubspot.shapes import flag, shown
from connectors.emulator.world import Row, Transaction

MOST = 100
Apply = Callable[[Transaction, dict[str, Any]], "tuple[Row | None, bool]"]
"""One input → (record, or None for a merged-away id that HubSpot silently leaves out; was it created)."""


async def inputs_of(request: Request) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A body without ``inputs`` is a silent no-op in HubSpot: an empty list here. Raises Refusal 400."""
    document = await body_of(request)
    inputs = document.get("inputs") or []
    if len(inputs) > MOST:
        raise refusals.invalid(f"The maximum number of inputs supported in a batch request for this object is {MOST}")
    return document, inputs


async def read(request: Request) -> Response:
    portal = portal_of(request)
    kind = portal.kind(request.path_params["type"])
    check_scope(request, kind.name, writing=False)
    document, inputs = await inputs_of(request)
    names, history = document.get("properties") or [], document.get("propertiesWithHistory") or []
    if history and len(inputs) > 50:
        raise refusals.invalid("The maximum number of inputs with property history is 50")
    archived = flag(request, "archived")
    by = document.get("idProperty")
    rows: list[Row] = []
    missing: list[str] = []
    for item in inputs:
        row = _found(portal, kind, str(item["id"]), by, archived)
        if row is None:
            missing.append(str(item["id"]))
        elif row not in rows:
            rows.append(row)
    results = [shown(portal, kind, row, names, history=history) for row in _shuffled(portal, rows)]
    errors = [_unknown_ids(kind, missing)] if missing else []
    return reply(_answer(portal, results, errors), 207 if errors else 200)


def _found(portal: Portal, kind: Kind, text: str, by: str | None, archived: bool) -> Row | None:
    row = portal.by_property(kind, by, text) if by and by != "hs_object_id" else portal.space.row(kind.name, text)
    if row is None or row.merged_into is not None or row.deleted is not archived:
        return None
    return row


def _unknown_ids(kind: Kind, ids: list[str]) -> dict[str, Any]:
    what = kind.singular.upper()
    text = f"Could not get some {what} objects, they may be deleted or not exist. Check that ids are valid."
    return {"status": "error", "category": "OBJECT_NOT_FOUND", "message": text, "context": {"ids": ids}}


async def create(request: Request) -> Response:
    portal, kind, inputs = await _writing(request)

    def one(transaction: Transaction, item: dict[str, Any]) -> tuple[Row | None, bool]:
        row = portal.create(transaction, kind, item.get("properties") or {})
        for each in item.get("associations") or []:
            associate(portal, transaction, kind, row.id, each)
        return row, True

    return _written(request, portal, kind, inputs, one, 201)


async def update(request: Request) -> Response:
    portal, kind, inputs = await _writing(request)
    _check_ids(inputs)

    def one(transaction: Transaction, item: dict[str, Any]) -> tuple[Row | None, bool]:
        by = item.get("idProperty")
        if by:
            _check_id_property(kind, by, upserting=False)
            row = portal.live(kind, str(item["id"]), by)
        else:
            found = portal.space.row(kind.name, str(item["id"]))
            if found is not None and found.merged_into is not None:
                return None, False
            if found is None or found.deleted:
                raise Refusal(
                    404, _unknown_ids(kind, [])["message"], "OBJECT_NOT_FOUND", context={"ids": [str(item["id"])]}
                )
            row = found
        portal.update(transaction, kind, row, item.get("properties") or {})
        return row, False

    return _written(request, portal, kind, inputs, one, 200)


async def upsert(request: Request) -> Response:
    portal, kind, inputs = await _writing(request)
    _check_ids(inputs)

    def one(transaction: Transaction, item: dict[str, Any]) -> tuple[Row | None, bool]:
        by = item.get("idProperty") or ""
        _check_id_property(kind, by, upserting=True)
        row = portal.by_property(kind, by, str(item["id"]))
        sent = item.get("properties") or {}
        if row is not None:
            portal.update(transaction, kind, row, sent)
            return row, False
        return portal.create(transaction, kind, {by: str(item["id"]), **sent}), True

    return _written(request, portal, kind, inputs, one, 200)


async def archive(request: Request) -> Response:
    portal, kind, inputs = await _writing(request)
    with portal.world.transaction("hubspot", actor_of(request)) as transaction:
        for item in inputs:
            row = portal.resolve(kind, str(item["id"]))
            if row is not None and not row.deleted:
                transaction.mark(row, op="delete", deleted=True)
    return no_content()


async def _writing(request: Request) -> tuple[Portal, Kind, list[dict[str, Any]]]:
    portal = portal_of(request)
    kind = portal.kind(request.path_params["type"])
    check_scope(request, kind.name, writing=True)
    _, inputs = await inputs_of(request)
    return portal, kind, inputs


def _check_ids(inputs: list[dict[str, Any]]) -> None:
    counts = Counter(str(item.get("id")) for item in inputs)
    twice = [identity for identity, count in counts.items() if count > 1]
    if twice:
        text = f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique"
        raise refusals.invalid(text, context={"ids": twice})


def _check_id_property(kind: Kind, name: str, *, upserting: bool) -> None:
    item = kind.find(name)
    is_unique = item is not None and (item.unique or (upserting and item.is_email))
    if not is_unique or name == "hs_object_id":
        raise refusals.invalid(f"Unable to perform update/upsert by non-unique {kind.id} property")


def _written(
    request: Request, portal: Portal, kind: Kind, inputs: list[dict[str, Any]], one: Apply, success: int
) -> Response:
    traces = [item.get("objectWriteTraceId") for item in inputs]
    partial = bool(inputs) and all(traces) and len(set(traces)) == len(traces)
    results: list[tuple[Row, dict[str, Any]]] = []
    errors: list[dict[str, Any]] = []
    with portal.world.transaction("hubspot", actor_of(request)) as transaction:
        for item in inputs:
            trace = item.get("objectWriteTraceId")
            try:
                with portal.world.attempt(transaction) as attempt:
                    row, created = one(attempt, item)
                    if trace:
                        for key in attempt.touched:
                            attempt.entry_ids[key] = str(trace)
            except Refusal as refusal:
                if not partial:
                    raise
                errors.append(refusal.item({"objectWriteTraceId": [trace]}))
                continue
            if row is None:
                continue
            document = shown(portal, kind, row, list(item.get("properties") or {}), with_defaults=False)
            extra: dict[str, Any] = {"new": created} if "idProperty" in item else {}
            results.append((row, {**document, **extra, **({"objectWriteTraceId": trace} if trace else {})}))
    documents = [document for _, document in _shuffled(portal, results)]
    return reply(_answer(portal, documents, errors), 207 if errors else success)


def _shuffled(portal: Portal, items: list[Any]) -> list[Any]:
    """Results do not come in the order of the inputs; the same run shuffles the same way."""
    mixed = list(items)
    portal.answered += 1
    random.Random(portal.answered).shuffle(mixed)
    return mixed


def _answer(portal: Portal, results: list[dict[str, Any]], errors: list[dict[str, Any]]) -> dict[str, Any]:
    now = wire(portal.now())
    answer: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if errors:
        answer |= {"numErrors": len(errors), "errors": errors}
    return answer
