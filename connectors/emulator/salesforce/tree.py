"""``/composite/tree``: parents and children created in one call, all or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.emulator.salesforce import one_row
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.checks import Terms
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal, UnknownColumn
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.world import Transaction

MOST_RECORDS, MOST_LEVELS, MOST_TYPES = 200, 5, 5


@dataclass(frozen=True, slots=True)
class Node:
    """One record to be made; ``parent`` and ``link`` say under whom, and by which field."""

    reference: str
    kind: ObjectType
    fields: dict[str, Any]
    parent: str | None
    link: str | None


class _Failed(Exception):
    """A record could not be made, so none is."""


def create(call: Call) -> Answer:
    """201 with the ids in the order of the levels; 400 with the failed records only."""
    nodes = _nodes(call, call.org.kind(call.places["object"]))
    terms = call.terms()
    made: dict[str, str] = {}
    errors: list[dict[str, Any]] = []
    try:
        with call.transaction() as transaction:
            for node in nodes:
                _make(call.org, transaction, node, terms, made, errors)
            if errors:
                raise _Failed
    except _Failed:
        return Answer(400, {"hasErrors": True, "results": errors})
    results = [{"referenceId": reference, "id": record_id} for reference, record_id in made.items()]
    return Answer(201, {"hasErrors": False, "results": results})


def _make(
    org: Org,
    transaction: Transaction,
    node: Node,
    terms: Terms,
    made: dict[str, str],
    errors: list[dict[str, Any]],
) -> None:
    """A child of a failed parent is not tried."""
    if node.parent is not None and node.parent not in made:
        return
    fields = {**node.fields, **({node.link: made[node.parent]} if node.link and node.parent else {})}
    try:
        with org.world.attempt(transaction) as attempt:
            made[node.reference] = one_row.create(org, attempt, node.kind, fields, terms)[0]
    except Refusal as refusal:
        errors.append({"referenceId": node.reference, "errors": [refusal.row()]})


def _nodes(call: Call, root: ObjectType) -> list[Node]:
    """Level after level. Raises Refusal: no tree, or one too large."""
    level: list[tuple[Any, ObjectType, str | None, str | None]] = [
        (record, root, None, None) for record in _records(call.fields())
    ]
    found: list[Node] = []
    depth = 0
    while level:
        depth += 1
        if depth > MOST_LEVELS:
            raise Refusal(400, "LIMIT_EXCEEDED", f"A tree has at most {MOST_LEVELS} levels")
        below: list[tuple[Any, ObjectType, str | None, str | None]] = []
        for record, kind, parent, link in level:
            node, children = _node(call.org, record, kind, parent, link)
            found.append(node)
            below += children
        level = below
    _check(found)
    return found


def _node(
    org: Org, record: Any, kind: ObjectType, parent: str | None, link: str | None
) -> tuple[Node, list[tuple[Any, ObjectType, str | None, str | None]]]:
    """A record, and the records under it."""
    attributes = record.get("attributes")
    reference = str(attributes.get("referenceId") or "") if isinstance(attributes, dict) else ""
    if not reference or str(attributes.get("type", "")).lower() != kind.name.lower():
        message = "Include a reference ID and the type for each record in the request."
        raise Refusal(400, "INVALID_INPUT", message)
    by_relationship = {
        child.relationship.lower(): child for child in org.catalogue.children_of(kind.name) if child.relationship
    }
    fields: dict[str, Any] = {}
    children: list[tuple[Any, ObjectType, str | None, str | None]] = []
    for name, value in record.items():
        if name == "attributes":
            continue
        if not isinstance(value, dict) or "records" not in value:
            fields[name] = value
            continue
        child = by_relationship.get(name.lower())
        if child is None:
            raise UnknownColumn(name, kind.name)
        children += [(each, org.kind(child.kind), reference, child.field) for each in _records(value)]
    return Node(reference, kind, fields, parent, link), children


def _records(body: dict[str, Any]) -> list[dict[str, Any]]:
    records = body.get("records")
    if not isinstance(records, list) or not records or not all(isinstance(each, dict) for each in records):
        raise Refusal(400, "JSON_PARSER_ERROR", "records must be a list of objects at [line:1, column:1]")
    return records


def _check(nodes: list[Node]) -> None:
    """Raises Refusal."""
    if len(nodes) > MOST_RECORDS:
        raise Refusal(400, "LIMIT_EXCEEDED", f"A tree has at most {MOST_RECORDS} records")
    if len({node.kind.name for node in nodes}) > MOST_TYPES:
        raise Refusal(400, "LIMIT_EXCEEDED", f"A tree has records of at most {MOST_TYPES} types")
    seen: set[str] = set()
    for node in nodes:
        if node.reference in seen:
            message = f"Duplicate ReferenceId provided in the request : {node.reference}"
            raise Refusal(400, "INVALID_INPUT", message)
        seen.add(node.reference)
