"""One row of a bulk job, of either API, written as the job's operation says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from connectors.emulator.salesforce import one_row
from connectors.emulator.salesforce.bulk.csv_text import BadCsv
from connectors.emulator.salesforce.checks import Terms
from connectors.emulator.salesforce.one_row import Saved, Sent
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.world import Transaction

NOTHING_SAID = ""
SET_NULL = "#N/A"
TRUE, FALSE = ("yes", "y", "true", "on", "1"), ("no", "n", "false", "off", "0")


@dataclass(frozen=True, slots=True)
class Writing:
    """``key`` is the field an upsert goes by; ``seen`` are the records the job has written, none of them twice."""

    kind: ObjectType
    operation: str
    key: str | None
    terms: Terms
    seen: set[str] = field(default_factory=set)

    def save(self, org: Org, transaction: Transaction, sent: Sent) -> Saved:
        """Raises Refusal; nothing of the row is changed then."""
        match self.operation:
            case "insert":
                return one_row.create(org, transaction, self.kind, sent, self.terms)
            case "update":
                return one_row.update(org, transaction, self.kind, sent, self.terms, self.seen)
            case "upsert":
                return one_row.upsert(org, transaction, self.kind, sent, str(self.key), self.terms, self.seen)
            case "delete":
                return one_row.delete(org, transaction, one_row.given_id(sent)).id, False
        row = one_row.delete(org, transaction, one_row.given_id(sent))
        transaction.purge(row)
        return row.id, False


def terms_of(org: Org, user_id: str, assignment_rule: str | None) -> Terms:
    """How a job's rows are saved: assignment rules run when the job names one."""
    keeps_blanks = bool(org.setting("bulk_keeps_blanks"))
    return Terms(user_id, assigns=assignment_rule is not None, in_collection=True, keeps_blanks=keeps_blanks)


def check_columns(kind: ObjectType, operation: str, key: str | None, columns: Iterable[str]) -> None:
    """Raises BadCsv: a column that is no field, the key missing, more than ids for a delete."""
    lower = [name.lower() for name in columns]
    for name in columns:
        if _field(kind, name) is None:
            raise BadCsv(f"InvalidBatch : Field name not found : {name}")
    if operation in ("delete", "hardDelete") and lower != ["id"]:
        raise BadCsv(f"InvalidBatch : The '{operation}' batch must contain only ids")
    needed = {"update": "Id", "upsert": key}.get(operation)
    if needed is not None and needed.lower() not in lower:
        raise BadCsv(f"InvalidBatch : Field name not found : {needed}")


def _field(kind: ObjectType, column: str) -> Field | None:
    """``Email``, or ``Account.Truce_Key__c`` for a parent named by its key."""
    first, dot, _ = column.partition(".")
    if not dot:
        return kind.find(column)
    link = kind.relationships.get(first.lower())
    return None if link is None or link.hidden else link


def from_cells(kind: ObjectType, columns: Iterable[str], cells: Iterable[str]) -> Sent:
    """An empty cell leaves the field as it is, ``#N/A`` empties it."""
    sent: Sent = {}
    for name, cell in zip(columns, cells, strict=True):
        if cell == NOTHING_SAID:
            continue
        value: Any = None if cell == SET_NULL else cell
        first, dot, rest = name.partition(".")
        if dot:
            sent[first] = None if value is None else {rest: value}
            continue
        item = kind.find(name)
        if item is not None and item.type == "boolean" and isinstance(value, str):
            value = True if value.lower() in TRUE else False if value.lower() in FALSE else value
        sent[name] = value
    return sent


def failure(refusal: Refusal) -> str:
    """``CODE:message:Field Other --``, what became of a row that was refused."""
    told = refusal.of_text()
    named = " ".join((*(told.fields or ()), "--"))
    return f"{told.code}:{told.message}:{named}"
