"""sObject Collections: up to 200 rows written in one call, each with its own result; up to 2,000 read.

The call answers 200 even when every row failed. Inside it an error names its code ``statusCode``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import Any

from connectors.emulator.salesforce import one_row
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.checks import Terms
from connectors.emulator.salesforce.fields import reading, shown
from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.naming import key_field
from connectors.emulator.salesforce.one_row import Saved, Sent, given_id
from connectors.emulator.salesforce.refusals import Refusal, UnknownColumn, Unreadable, text
from connectors.emulator.salesforce.rows import attributes, named_field
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.world import Transaction

MOST_WRITTEN = 200
MOST_READ = 2_000
MOST_CHUNKS = 10

Save = Callable[[Transaction, Sent], Saved]


class _NotAll(Exception):
    """A row failed where all or none were wanted."""


def create(call: Call) -> Answer:
    records, all_or_none = _envelope(call)
    terms = _terms(call)

    def save(transaction: Transaction, sent: Sent) -> Saved:
        return one_row.create(call.org, transaction, _kind_of(call, sent), sent, terms)

    return _written(call, records, all_or_none, save)


def update(call: Call) -> Answer:
    records, all_or_none = _envelope(call)
    terms = _terms(call)
    seen: set[str] = set()

    def save(transaction: Transaction, sent: Sent) -> Saved:
        return one_row.update(call.org, transaction, _kind_of(call, sent), sent, terms, seen)

    return _written(call, records, all_or_none, save, echo_ids=True)


def upsert(call: Call) -> Answer:
    """``PATCH /composite/sobjects/Contact/Truce_Key__c``."""
    kind = call.org.sobject(call.places["object"])
    key = key_field(kind, call.places["field"]).name
    records, all_or_none = _envelope(call)
    terms = _terms(call)
    seen: set[str] = set()

    def save(transaction: Transaction, sent: Sent) -> Saved:
        if _kind_of(call, sent) is not kind:
            raise Refusal(400, "INVALID_INPUT", f"every record must be of type {kind.name}", ())
        return one_row.upsert(call.org, transaction, kind, sent, key, terms, seen)

    return _written(call, records, all_or_none, save, tells_created=True)


def delete(call: Call) -> Answer:
    """``DELETE /composite/sobjects?ids=a,b&allOrNone=true``."""
    ids = [part.strip() for part in call.query.get("ids", "").split(",") if part.strip()]
    _check_size(ids)
    all_or_none = call.query.get("allOrNone", "false").lower() == "true"

    def save(transaction: Transaction, sent: Sent) -> Saved:
        return one_row.delete(call.org, transaction, sent["id"]).id, False

    return _written(call, [{"id": each} for each in ids], all_or_none, save, echo_ids=True)


def read(call: Call) -> Answer:
    """Rows by id in the order asked, null for one that cannot be read."""
    kind = call.org.sobject(call.places["object"])
    ids, names = _asked(call)
    if len(ids) > MOST_READ:
        raise Refusal(400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot read more than {MOST_READ} records")
    if not ids or not names:
        raise Refusal(400, "MISSING_ARGUMENT", "ids and fields are needed")
    items = [named_field(kind, str(name)) for name in names]
    fill = reading((item.name, shown(item)) for item in items)
    found: list[dict[str, Any] | None] = []
    for given in ids:
        row = call.org.row(kind.name, str(given)) or call.org.row(kind.name, full_id(str(given)) or "")
        if row is None or row.deleted:
            found.append(None)
            continue
        record: dict[str, Any] = {"attributes": attributes(kind, row.id, call.version)}
        fill(row, record)
        found.append(record)
    return Answer(200, found)


def _asked(call: Call) -> tuple[list[Any], list[Any]]:
    if call.method == "POST":
        body = call.fields()
        given = body.get("ids") or [], body.get("fields") or []
        if not all(isinstance(part, list) for part in given):
            raise Refusal(400, "JSON_PARSER_ERROR", "ids and fields must be lists at [line:1, column:1]")
        return given
    ids, names = (call.query.get(name, "").split(",") for name in ("ids", "fields"))
    return [part.strip() for part in ids if part.strip()], [part.strip() for part in names if part.strip()]


def _envelope(call: Call) -> tuple[list[Sent], bool]:
    """(records, all or none). Raises Refusal: malformed, empty, too many, too many chunks."""
    body = call.fields()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise Refusal(400, "JSON_PARSER_ERROR", "records must be a list of objects at [line:1, column:1]")
    _check_size(records)
    types = [_type_of(record).lower() for record in records]
    if not all(types):
        raise Refusal(400, "INVALID_INPUT", "attributes.type is missing in a record")
    chunks = sum(1 for _ in groupby(types))
    if chunks > MOST_CHUNKS:
        message = f"Cannot have more than {MOST_CHUNKS} chunks in a single operation. There are {chunks} chunks."
        raise Refusal(400, "LIMIT_EXCEEDED", message)
    return records, bool(body.get("allOrNone", False))


def _check_size(records: list[Any]) -> None:
    if not records:
        raise Refusal(400, "INVALID_INPUT", "The request must contain at least one record")
    if len(records) > MOST_WRITTEN:
        message = f"record limit reached. cannot submit more than {MOST_WRITTEN} records in this call"
        raise Refusal(400, "EXCEEDED_ID_LIMIT", message)


def _written(
    call: Call,
    records: list[Sent],
    all_or_none: bool,
    save: Save,
    *,
    echo_ids: bool = False,
    tells_created: bool = False,
) -> Answer:
    """One transaction for all rows; a failed row leaves nothing behind, and with ``all_or_none`` no row does."""
    entries = call.entries if len(call.entries) == len(records) else ()
    results: list[dict[str, Any]] = []
    try:
        with call.transaction() as transaction:
            for number, record in enumerate(records):
                entry = entries[number] if entries else None
                results.append(_one(call, transaction, record, save, entry, echo_ids, tells_created))
            if all_or_none and not all(result["success"] for result in results):
                raise _NotAll
            call.org.hold_parents(transaction.touched)
    except _NotAll:
        results = [_rolled_back(result) for result in results]
    return Answer(200, results)


def _one(
    call: Call,
    transaction: Transaction,
    record: Sent,
    save: Save,
    entry: str | None,
    echo_ids: bool,
    tells_created: bool,
) -> dict[str, Any]:
    try:
        with call.org.world.attempt(transaction) as attempt:
            record_id, created = save(attempt, record)
            if entry:
                attempt.entry_ids.update(dict.fromkeys(attempt.touched, entry))
    except Refusal as refusal:
        if _fails_the_call(call, refusal):
            raise
        known = {"id": given_id(record)} if echo_ids and given_id(record) else {}
        return {**known, "success": False, "errors": [refusal.row()]}
    result: dict[str, Any] = {"id": record_id, "success": True, "errors": []}
    return {**result, "created": created} if tells_created else result


def _fails_the_call(call: Call, refusal: Refusal) -> bool:
    """A row that cannot be read as one of its object fails the whole call, as the switch says."""
    unreadable = isinstance(refusal, Unreadable | UnknownColumn)
    return unreadable and call.org.setting("collections_unreadable") == "request"


def _rolled_back(result: dict[str, Any]) -> dict[str, Any]:
    """The culprit keeps its error, the others were rolled back because of it."""
    if not result["success"]:
        return result
    error = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": text("rolled back"), "fields": []}
    return {"id": result["id"], "success": False, "errors": [error]}


def _kind_of(call: Call, sent: Sent) -> ObjectType:
    return call.org.kind(_type_of(sent))


def _type_of(sent: Sent) -> str:
    attributes = sent.get("attributes")
    return str(attributes.get("type") or "") if isinstance(attributes, dict) else ""


def _terms(call: Call) -> Terms:
    return replace(call.terms(), in_collection=True)
