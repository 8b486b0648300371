"""The full copy of a record: every readable field, and every record that hangs on it, with the field it hangs by.

One query asks for the ids of up to twenty kinds of children. A kind that Salesforce will not list that way is asked for
alone; one that it will not list at all is named in the copy, which is not whole then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agent.connector import FullCopy, Tie
from agent.errors import AccessDenied, BadReply
from agent.records import Gone, MergedInto, Record, Ref, Unreadable
from connectors.salesforce.calls import Calls
from connectors.salesforce.failures import SYSTEM
from connectors.salesforce.ids import full_id
from connectors.salesforce.pages import FieldHidden, Row, pages
from connectors.salesforce.reading import Reading
from connectors.salesforce.schema import ChildRelation, Schemas
from connectors.salesforce.soql import equal_to, with_children

MOST_KINDS = 20
"""Kinds of children in one query."""


class Copying:
    def __init__(self, calls: Calls, schemas: Schemas, reading: Reading) -> None:
        self._calls = calls
        self._schemas = schemas
        self._reading = reading

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        """As the port says. Raises AccessDenied, Unavailable, BadReply, NotFound."""
        described = self._schemas.of(ref.object_type)
        [readout] = self._reading.read([ref], sorted(described.schema.fields))
        if not isinstance(readout, Record):
            return readout
        record_id = full_id(ref.id, described.prefix) or ref.id
        ties: list[Tie] = []
        unread: list[str] = []
        for start in range(0, len(described.children), MOST_KINDS):
            kinds = described.children[start : start + MOST_KINDS]
            for kind, ids in self._listed(ref.object_type, record_id, kinds):
                if ids is None:
                    unread.append(f"{kind.object_type}.{kind.field}")
                else:
                    ties += [Tie(Ref(SYSTEM, kind.object_type, child), kind.field) for child in ids]
        return FullCopy(readout, tuple(ties), tuple(unread))

    def _listed(
        self, object_type: str, record_id: str, kinds: Sequence[ChildRelation]
    ) -> Iterator[tuple[ChildRelation, list[str] | None]]:
        """Each kind with the ids of its records, None where they cannot be listed."""
        rows = self._rows(with_children(object_type, [kind.name for kind in kinds], record_id))
        row = rows[0] if rows is not None and len(rows) == 1 else {}
        for kind in kinds:
            ids = _ids_of(row[kind.name]) if kind.name in row else None
            yield kind, self._alone(kind, record_id) if ids is None else ids

    def _alone(self, kind: ChildRelation, record_id: str) -> list[str] | None:
        rows = self._rows(equal_to(kind.object_type, ["Id"], kind.field, record_id))
        return None if rows is None else [str(row.get("Id")) for row in rows]

    def _rows(self, soql: str) -> list[Row] | None:
        """Every row of a query; None when Salesforce refuses it."""
        try:
            return [row for page in pages(self._calls, soql, "copying a record") for row in page.rows]
        except (FieldHidden, AccessDenied, BadReply):
            return None


def _ids_of(children: Any) -> list[str] | None:
    """The ids of a child sub-query, which is null when there are none; None when it is not all of them."""
    if children is None:
        return []
    records = children.get("records") if isinstance(children, dict) else None
    if not isinstance(records, list) or children.get("done") is not True:
        return None
    return [str(record.get("Id")) for record in records if isinstance(record, dict)]
