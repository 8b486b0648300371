"""Associations as v3 has them: by the name of a type, one type at a time, and no labels of their own.

What v3 adds stands beside the labels that are there; taking the unlabelled type away takes all of them.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.association_calls import (
    LIST_LIMIT,
    READ_LIMIT,
    WRITE_LIMIT,
    end_of,
    ends_of_input,
    id_of,
    nothing_found,
    remove_labels,
    set_labels,
    there_of,
)
from connectors.emulator.hubspot.association_types import direction_between, label_named, type_name
from connectors.emulator.hubspot.batch_calls import document, inputs_of
from connectors.emulator.hubspot.call import Call
from connectors.emulator.hubspot.record_calls import shown
from connectors.emulator.hubspot.refusals import Refusal, bad_request, text
from connectors.emulator.hubspot.replies import no_content, reply
from connectors.emulator.world import End

Document = dict[str, Any]
Named = tuple[End, End, str]


def list_types(call: Call) -> Response:
    call.require(call.kind.schema_scopes("read"))
    there = there_of(call)
    types = direction_between(call.portal, call.kind, there).types
    named = [
        {"id": str(one.number), "name": type_name(call.portal, call.kind, there, label)} for label, one in types.items()
    ]
    return reply({"results": named})


def batch_read(call: Call) -> Response:
    """A record without associations is told among the errors."""
    call.require(call.kind.scopes("read"))
    there, found, errors = there_of(call), [], []
    direction_between(call.portal, call.kind, there)
    for record_id in dict.fromkeys(str(one.get("id", "")) for one in inputs_of(call, READ_LIMIT)):
        far = _far(call, record_id)
        if far:
            found.append({"from": {"id": record_id}, "to": far})
        else:
            errors.append(nothing_found(call, there, record_id).as_item(None))
    return reply(document(call, found, errors), 207 if errors else 200)


def batch_create(call: Call) -> Response:
    """Unknown records are told, the others written."""
    call.require(call.kind.scopes("write"))
    wanted, errors = list[Named](), []
    for one in inputs_of(call, WRITE_LIMIT):
        label = _label(call, one)
        try:
            ends = ends_of_input(call, one)
        except Refusal as refusal:
            errors.append(refusal.as_item(None))
            continue
        wanted.append((*ends, label))
    _add(call, wanted)
    found = [
        {"from": {"id": here[1]}, "to": {"id": there[1]}, "type": _name(call, label)} for here, there, label in wanted
    ]
    return reply(document(call, found, errors), 207 if errors else 201)


def batch_archive(call: Call) -> Response:
    """204 whatever was there."""
    call.require(call.kind.scopes("write"))
    inputs = inputs_of(call, WRITE_LIMIT)
    ends = [((call.kind.name, id_of(one.get("from"))), (there_of(call).name, id_of(one.get("to")))) for one in inputs]
    remove_labels(call, [(*pair, {_label(call, one)}) for pair, one in zip(ends, inputs, strict=True)])
    return no_content()


def list_of_record(call: Call) -> Response:
    """``after`` is the id of the far record the next page begins with."""
    call.require(call.kind.scopes("read"))
    limit, after = call.number("limit", LIST_LIMIT, LIST_LIMIT), call.after() or 0
    direction_between(call.portal, call.kind, there_of(call))
    here = end_of(call, call.kind, call.params["id"])
    found = [one for one in _far(call, here[1]) if int(one["id"]) >= after]
    page: Document = {"results": found[:limit]}
    if len(found) > limit:
        page["paging"] = call.next_page(found[limit]["id"])
    return reply(page)


def associate(call: Call) -> Response:
    """Answers with the near record."""
    call.require(call.kind.scopes("write"))
    here, there = end_of(call, call.kind, call.params["id"]), end_of(call, there_of(call), call.params["to_id"])
    _add(call, [(here, there, label_named(call.portal, call.kind, there_of(call), call.params["type"]))])
    return reply(shown(call, call.portal.space.table(here[0])[here[1]]))


def remove(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    here, there = end_of(call, call.kind, call.params["id"]), end_of(call, there_of(call), call.params["to_id"])
    remove_labels(call, [(here, there, {label_named(call.portal, call.kind, there_of(call), call.params["type"])})])
    return no_content()


def _add(call: Call, wanted: list[Named]) -> None:
    labels: dict[tuple[End, End], set[str]] = {}
    for here, there, label in wanted:
        labels.setdefault((here, there), {*call.records.associations.held(here, there)}).add(label)
    set_labels(call, [(*pair, of_pair) for pair, of_pair in labels.items()])


def _label(call: Call, one: Document) -> str:
    """Raises Refusal 400."""
    if not one.get("type"):
        raise bad_request(text("no_association_types"))
    return label_named(call.portal, call.kind, there_of(call), str(one["type"]))


def _name(call: Call, label: str) -> str:
    return type_name(call.portal, call.kind, there_of(call), label)


def _far(call: Call, record_id: str) -> list[Document]:
    ends = call.records.associations.of((call.kind.name, record_id), there_of(call))
    return [{"id": other_id, "type": _name(call, label)} for other_id, labels in ends for label in sorted(labels)]
