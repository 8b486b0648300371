"""One row of a call that writes many, each with its own result: collections, bulk jobs, SOAP."""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce.checks import Terms
from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.naming import rows_by_key
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal, no_such_id, wrong_id
from connectors.emulator.salesforce.removing import delete as delete_row
from connectors.emulator.salesforce.saving import create as create_row
from connectors.emulator.salesforce.saving import update as update_row
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.world import Row, Transaction

Sent = dict[str, Any]
Saved = tuple[str, bool]
"""(id, created)"""


def create(org: Org, transaction: Transaction, kind: ObjectType, sent: Sent, terms: Terms) -> Saved:
    """Raises Refusal, as all of these do; nothing of the row is changed then."""
    return create_row(org, transaction, kind, without(sent), terms).id, True


def update(org: Org, transaction: Transaction, kind: ObjectType, sent: Sent, terms: Terms, seen: set[str]) -> Saved:
    record_id = given_id(sent)
    if not record_id:
        raise Refusal(400, "MISSING_ARGUMENT", "Id not specified in an update call", ())
    if full_id(record_id) is None:
        raise wrong_id(f"{kind.label} ID", record_id, "Id")
    row = org.row_to_write(kind, record_id, missing=no_such_id())
    _refuse_repeat(seen, row.id, "id")
    update_row(org, transaction, kind, row, without(sent, "id"), terms)
    return row.id, False


def upsert(
    org: Org, transaction: Transaction, kind: ObjectType, sent: Sent, key: str, terms: Terms, seen: set[str]
) -> Saved:
    """``key`` is the name of a field records can be looked up by, or Id, without which a record is new."""
    value = next((value for name, value in sent.items() if name.lower() == key.lower()), None)
    if key == "Id" and not value:
        return create(org, transaction, kind, without(sent, key), terms)
    if value is None or value == "":
        raise Refusal(400, "MISSING_ARGUMENT", f"{key} not specified", ())
    _refuse_repeat(seen, str(value).lower(), "external id")
    rows = rows_by_key(org, kind, key, str(value))
    if len(rows) > 1:
        listed = ", ".join(row.id for row in rows)
        message = f"{key}: more than one record found for external id field: [{listed}]"
        raise Refusal(400, "DUPLICATE_EXTERNAL_ID", message, (key,))
    if not rows and key == "Id":
        raise no_such_id()
    if not rows:
        return create_row(org, transaction, kind, without(sent), terms).id, True
    row = org.row_to_write(kind, rows[0].id)
    update_row(org, transaction, kind, row, without(sent, key), terms)
    return row.id, False


def delete(org: Org, transaction: Transaction, given: str) -> Row:
    """A record of any object, by its id."""
    record_id = full_id(given)
    kind = org.catalogue.with_prefix(record_id) if record_id else None
    if record_id is None or kind is None:
        raise Refusal(400, "MALFORMED_ID", f"bad id {given}", ())
    row = org.row_to_write(kind, record_id, missing=no_such_id())
    delete_row(org, transaction, kind, row)
    return row


def without(sent: Sent, key: str = "") -> Sent:
    return {name: value for name, value in sent.items() if name != "attributes" and name.lower() != key.lower()}


def given_id(sent: Sent) -> str:
    return str(next((value for name, value in sent.items() if name.lower() == "id"), None) or "")


def _refuse_repeat(seen: set[str], key: str, word: str) -> None:
    """Inside one call a record can be written only once. Raises Refusal."""
    if key in seen:
        raise Refusal(400, "DUPLICATE_VALUE", f"Duplicate {word} specified: {key}", ())
    seen.add(key)
