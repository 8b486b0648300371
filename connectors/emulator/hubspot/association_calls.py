"""Associations over the API: one pair, a record's list, batches, and the account's own labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.association_types import (
    USER_DEFINED,
    Type,
    direction_between,
    label_of,
)
from connectors.emulator.hubspot.batch_calls import created_status, document, inputs_of
from connectors.emulator.hubspot.call import Call, as_list, as_object, is_whole, shaped
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.refusals import Refusal, bad_request, load, not_found, text
from connectors.emulator.hubspot.replies import no_content, reply
from connectors.emulator.world import End

LIST_LIMIT = 500
READ_LIMIT, WRITE_LIMIT = 1_000, 2_000
LABEL_CAP_STATUS = 437
FIRST_LABEL_NUMBER = 36
LABEL: dict[str, type] = {"label": str, "name": str, "inverseLabel": str, "associationTypeId": int}
Document = dict[str, Any]


def list_of_record(call: Call) -> Response:
    """``after`` is the id of the far record the next page begins with."""
    call.require(call.kind.scopes("read"))
    there, limit, after = there_of(call), call.number("limit", LIST_LIMIT, LIST_LIMIT), call.after() or 0
    direction_between(call.portal, call.kind, there)
    here = end_of(call, call.kind, call.params["id"])
    found = [one for one in call.records.associations.of(here, there) if int(one[0]) >= after]
    shown: Document = {"results": [_far(call, call.kind, there, *one) for one in found[:limit]]}
    if len(found) > limit:
        shown["paging"] = call.next_page(found[limit][0])
    return reply(shown)


def associate_default(call: Call) -> Response:
    """The unlabelled type, both directions in the answer; labels that are there stay."""
    here, there = _pair(call)
    set_labels(call, [(here, there, call.records.associations.held(here, there))])
    return reply(document(call, _both_ways(call, here, there), []))


def associate_labelled(call: Call) -> Response:
    """Replaces the labels of the pair, the unlabelled type stays."""
    specs = as_list(call.json)
    if not specs:
        raise bad_request(text("no_association_types"))
    here, there = _pair(call)
    labels = {label_of(call.portal, call.kind, there_of(call), spec) for spec in specs}
    set_labels(call, [(here, there, labels)])
    return reply(_labels_between(call, here, there, labels), 201)


def remove_pair(call: Call) -> Response:
    here, there = _pair(call)
    remove_labels(call, [(here, there, set())])
    return no_content()


def batch_read(call: Call) -> Response:
    """A record without associations is told among the errors; one with many has pages, each input its own ``after``."""
    call.require(call.kind.scopes("read"))
    there, found, errors = there_of(call), [], []
    direction_between(call.portal, call.kind, there)
    most = int(call.portal.setting("association_page"))
    for record_id, after in {str(one.get("id", "")): one.get("after") for one in inputs_of(call, READ_LIMIT)}.items():
        ends = call.records.associations.of((call.kind.name, record_id), there)
        if not ends:
            errors.append(nothing_found(call, there, record_id).as_item(None))
            continue
        shown = [one for one in ends if int(one[0]) >= place_of(after)]
        result = {"from": {"id": record_id}, "to": [_far(call, call.kind, there, *one) for one in shown[:most]]}
        if len(shown) > most:
            result["paging"] = call.page_of_associations(record_id, there.name, shown[most][0])
        found.append(result)
    return reply(document(call, found, errors), 207 if errors else 200)


def place_of(after: Any) -> int:
    """Raises Refusal 400."""
    given = str(after or "0")
    if not is_whole(given):
        raise bad_request(text("bad_after", value=given))
    return int(given)


def batch_create(call: Call) -> Response:
    """Each input replaces the labels of its pair; unknown records are told, the others written."""
    there, wanted, errors = there_of(call), [], []
    call.require(call.kind.scopes("write"))
    for one in inputs_of(call, WRITE_LIMIT):
        specs = as_list(one.get("types"))
        if not specs:
            raise bad_request(text("no_association_types"))
        labels = {label_of(call.portal, call.kind, there, spec) for spec in specs}
        try:
            here_end, there_end = ends_of_input(call, one)
        except Refusal as refusal:
            errors.append(refusal.as_item(None))
            continue
        wanted.append((here_end, there_end, labels))
    set_labels(call, wanted)
    found = [_labels_between(call, *one) for one in wanted]
    return reply(document(call, found, errors), 207 if errors else created_status(call))


def batch_associate_default(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    direction_between(call.portal, call.kind, there_of(call))
    held = call.records.associations.held
    pairs = [ends_of_input(call, one) for one in inputs_of(call, WRITE_LIMIT)]
    set_labels(call, [(here, there, held(here, there)) for here, there in pairs])
    found = [one for pair in pairs for one in _both_ways(call, *pair)]
    return reply(document(call, found, []))


def batch_archive(call: Call) -> Response:
    """v4 answers 204, the dated versions 200 with a batch."""
    call.require(call.kind.scopes("write"))
    there = there_of(call)
    pairs = [
        ((call.kind.name, id_of(one.get("from"))), (there.name, id_of(far)))
        for one in inputs_of(call, WRITE_LIMIT)
        for far in as_list(one.get("to"))
    ]
    remove_labels(call, [(here, far, set()) for here, far in pairs])
    return reply(document(call, [], [])) if call.is_dated else no_content()


def batch_archive_labels(call: Call) -> Response:
    """Without the unlabelled type nothing of a pair stays."""
    call.require(call.kind.scopes("write"))
    there = there_of(call)
    wanted = []
    for one in inputs_of(call, WRITE_LIMIT):
        labels = {label_of(call.portal, call.kind, there, spec) for spec in as_list(one.get("types"))}
        here_end, there_end = (call.kind.name, id_of(one.get("from"))), (there.name, id_of(one.get("to")))
        if labels:
            wanted.append((here_end, there_end, labels))
    remove_labels(call, wanted)
    return reply(document(call, [], [])) if call.is_dated else no_content()


def high_usage_report(call: Call) -> Response:
    """A report is sent by e-mail to the user, who must exist.

    Its time is text, as hubspot-api-client 12.0.0 reads it; the published schema has an object there.
    """
    call.require(call.portal.kind("contacts").scopes("read"))
    for owner in call.portal.owners.values():
        if str(owner["userId"]) == call.params["user_id"]:
            sent = {"userId": owner["userId"], "userEmail": owner["email"]}
            return reply({**sent, "enqueueTime": call.portal.stamp_now()})
    raise not_found()


# Labels of the account -----------------------------------------------------------------------------------------------


def list_labels(call: Call) -> Response:
    call.require(call.kind.schema_scopes("read"))
    types = direction_between(call.portal, call.kind, there_of(call)).types.values()
    return reply({"results": [one.as_json() for one in types]})


def create_label(call: Call) -> Response:
    """A label for both directions, or with ``inverseLabel`` one for each. Raises Refusal: 437, too many."""
    call.require(call.kind.schema_scopes("write"))
    there, told = there_of(call), shaped(call.body, LABEL)
    label, name = told.get("label"), told.get("name")
    direction = direction_between(call.portal, call.kind, there)
    if not label or not name:
        raise bad_request(text("property_needs", names="label, name"))
    own = [one for one in direction.types.values() if one.category == USER_DEFINED]
    most = load("limits")["association_labels"]
    if len(own) >= most:
        message = text("too_many_labels", limit=most)
        raise Refusal(LABEL_CAP_STATUS, message, "VALIDATION_ERROR")
    if any(one.name == label for one in own):
        raise bad_request(text("label_exists", name=label))
    first = FIRST_LABEL_NUMBER - 2 + 2 * call.portal.space.next_number("association label")
    labels = [label, told.get("inverseLabel") or label]
    line = {"from": call.kind.name, "to": there.name, "name": name, "types": [first, first + 1], "labels": labels}
    call.portal.space.settings["association_labels"].append(line)
    call.portal.schema_changed()
    pair = (call.kind, there), (there, call.kind)
    types = [_own_type(call, *ends, first + number) for number, ends in enumerate(pair)]
    return reply({"results": [one.as_json() for one in types]})


def change_label(call: Call) -> Response:
    call.require(call.kind.schema_scopes("write"))
    told = shaped(call.body, LABEL)
    line, place = _own_line(call, told.get("associationTypeId"))
    line["labels"][place] = told.get("label") or line["labels"][place]
    line["labels"][1 - place] = told.get("inverseLabel") or line["labels"][1 - place]
    call.portal.schema_changed()
    return no_content()


def archive_label(call: Call) -> Response:
    """The label goes from every pair that has it."""
    call.require(call.kind.schema_scopes("write"))
    number = call.params["type_id"]
    line, place = _own_line(call, int(number) if number.isdecimal() else None)
    here_label, there_label = f"user:{line['types'][place]}", f"user:{line['types'][1 - place]}"
    there = there_of(call)
    with call.portal.transaction(call.actor) as transaction:
        for here, side in list(call.portal.space.links.items()):
            for far, held in list(side.items()):
                if (here[0], far[0]) == (call.kind.name, there.name) and here_label in held:
                    transaction.link(here, far, held - {here_label})
                    transaction.link(far, here, call.records.associations.held(far, here) - {there_label})
    call.portal.space.settings["association_labels"].remove(line)
    call.portal.schema_changed()
    return no_content()


def _own_line(call: Call, number: Any) -> tuple[dict[str, Any], int]:
    """A label of the account between these two types, and which of its two numbers. Raises Refusal 404."""
    there = there_of(call)
    for line in call.portal.space.settings["association_labels"]:
        for place, ends in enumerate(((line["from"], line["to"]), (line["to"], line["from"]))):
            if ends == (call.kind.name, there.name) and line["types"][place] == number:
                return line, place
    raise not_found()


def _own_type(call: Call, here: Kind, there: Kind, number: int) -> Type:
    return direction_between(call.portal, here, there).types[f"user:{number}"]


# Shapes and effects --------------------------------------------------------------------------------------------------


def there_of(call: Call) -> Kind:
    return call.portal.kind(call.params["to_type"])


def _pair(call: Call) -> tuple[End, End]:
    """The two records of the path. Raises Refusal: 403, 404, or 400 for types that cannot be associated."""
    call.require(call.kind.scopes("write"))
    there = there_of(call)
    direction_between(call.portal, call.kind, there)
    return end_of(call, call.kind, call.params["id"]), end_of(call, there, call.params["to_id"])


def end_of(call: Call, kind: Kind, record_id: str) -> End:
    """Raises Refusal: 404, no such record."""
    row = call.portal.resolve(kind, record_id)
    if row is None or row.deleted:
        raise not_found()
    return kind.name, row.id


def ends_of_input(call: Call, one: Document) -> tuple[End, End]:
    return end_of(call, call.kind, id_of(one.get("from"))), end_of(call, there_of(call), id_of(one.get("to")))


def id_of(given: Any) -> str:
    return str(as_object(given).get("id", ""))


def set_labels(call: Call, wanted: Iterable[tuple[End, End, set[str]]]) -> None:
    pairs = list(wanted)
    with call.portal.transaction(call.actor) as transaction:
        for here, there, labels in pairs:
            call.records.associations.associate(transaction, here, there, labels)
    call.records.associations.bump((end for pair in pairs for end in pair[:2]), transaction)


def remove_labels(call: Call, wanted: Iterable[tuple[End, End, set[str]]]) -> None:
    """A lead whose last primary contact goes is archived with it."""
    pairs = list(wanted)
    with call.portal.transaction(call.actor) as transaction:
        for here, there, labels in pairs:
            call.records.associations.remove(transaction, here, there, labels)
        call.records.drop_leads_alone(transaction, (end for pair in pairs for end in pair[:2]))
    call.records.associations.bump((end for pair in pairs for end in pair[:2]), transaction)


def _far(call: Call, here: Kind, there: Kind, other_id: str, labels: set[str]) -> Document:
    """v4 writes the far id as a number, the dated versions as text."""
    types = direction_between(call.portal, here, there).types
    shown = [types[label].as_json() for label in types if label in labels]
    return {"toObjectId": other_id if call.is_dated else int(other_id), "associationTypes": shown}


def _both_ways(call: Call, here: End, there: End) -> list[Document]:
    there_kind = there_of(call)
    forward, backward = (
        direction_between(call.portal, call.kind, there_kind),
        direction_between(call.portal, there_kind, call.kind),
    )
    return [
        {
            "from": {"id": start[1]},
            "to": {"id": end[1]},
            "associationSpec": direction.types[direction.plain].as_spec(),
        }
        for start, end, direction in ((here, there, forward), (there, here, backward))
    ]


def _labels_between(call: Call, here: End, there: End, labels: set[str]) -> Document:
    types = direction_between(call.portal, call.kind, there_of(call)).types
    names = [types[label].name for label in types if label in labels]
    return {
        "fromObjectTypeId": call.kind.type_id,
        "fromObjectId": here[1] if call.is_dated else int(here[1]),
        "toObjectTypeId": there_of(call).type_id,
        "toObjectId": there[1] if call.is_dated else int(there[1]),
        "labels": [name for name in names if name is not None],
    }


def nothing_found(call: Call, there: Kind, record_id: str) -> Refusal:
    message = text("no_associations_found", there=there.singular, here=call.kind.singular, id=record_id)
    context = {
        "fromObjectId": [record_id],
        "fromObjectType": [call.kind.singular],
        "toObjectType": [there.singular],
    }
    sub_category = "crm.associations.NO_ASSOCIATIONS_FOUND"
    return Refusal(404, message, "OBJECT_NOT_FOUND", subCategory=sub_category, context=context)
