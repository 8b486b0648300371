"""Single records: list, read, create, change, archive, merge, gdpr-delete."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.association_types import far_kind, label_of, type_name
from connectors.emulator.hubspot.associations import ends_of
from connectors.emulator.hubspot.call import Call, as_list
from connectors.emulator.hubspot.kinds import Kind, foreign_names
from connectors.emulator.hubspot.lifecycle import follow
from connectors.emulator.hubspot.merging import merge
from connectors.emulator.hubspot.refusals import Refusal, bad_request, not_found, text
from connectors.emulator.hubspot.replies import no_content, reply
from connectors.emulator.hubspot.shapes import histories, record, written
from connectors.emulator.world import End, Row

Document = dict[str, Any]
LIST_LIMIT, LIST_LIMIT_WITH_HISTORY = 100, 50


def list_records(call: Call) -> Response:
    """In the order of ids; ``after`` is the id the next page begins with, so inserts do not shift a page."""
    call.require(call.kind.scopes("read"))
    with_history = bool(call.many("propertiesWithHistory"))
    limit = call.number("limit", 10, LIST_LIMIT_WITH_HISTORY if with_history else LIST_LIMIT)
    archived = call.flag("archived")
    ids = call.portal.sorted_ids(call.kind)
    table = call.portal.space.table(call.kind.name)
    found: list[Row] = []
    following: int | None = None
    for number in ids[bisect_left(ids, call.after() or 0) :]:
        row = table[str(number)]
        if row.deleted != archived or row.merged_into is not None or call.portal.is_forgotten(row):
            continue
        if len(found) == limit:
            following = number
            break
        found.append(row)
    document: Document = {"results": [shown(call, row) for row in found]}
    if following is not None:
        document["paging"] = call.next_page(str(following))
    return reply(document)


def read_record(call: Call) -> Response:
    """A merged-away id answers with the survivor, under the survivor's id."""
    call.require(call.kind.scopes("read"))
    return reply(shown(call, wanted_row(call, archived=call.flag("archived"))))


def create_record(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    sent, ends = call.object_of("properties"), association_ends(call, call.body.get("associations"))
    with call.portal.transaction(call.actor) as transaction:
        done = call.records.create(transaction, call.kind, sent, ends=ends, version=call.version)
    call.records.associations.bump(ends_of(done.row, (end for end, _ in ends)), transaction)
    follow(call.portal, [done])
    return reply(written(call.portal, call.portal.schema(call.kind), done), 201)


def update_record(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    sent, row = call.object_of("properties"), wanted_row(call, archived=False)
    with call.portal.transaction(call.actor) as transaction:
        done = call.records.update(transaction, call.kind, row, sent, version=call.version)
    follow(call.portal, [done])
    return reply(written(call.portal, call.portal.schema(call.kind), done))


def archive_record(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    row = call.portal.space.row(call.kind.name, call.params["id"])
    if row is not None and row.merged_into is not None and call.portal.setting("archive_follows_merge"):
        row = call.portal.resolve(call.kind, row.id)
    if row is None or call.portal.is_forgotten(row):
        raise not_found()
    if row.deleted:
        if call.portal.setting("archive_again") == 404:
            raise not_found()
        return no_content()
    with call.portal.transaction(call.actor) as transaction:
        call.records.archive(transaction, row)
    return no_content()


def merge_records(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    if not call.kind.mergeable:
        raise bad_request(text("not_mergeable", type=call.kind.upper))
    ids = [str(call.body.get(name, "")) for name in ("primaryObjectId", "objectIdToMerge")]
    primary, other = (call.portal.resolve(call.kind, record_id) for record_id in ids)
    if primary is None or other is None or primary.deleted or other.deleted:
        raise not_found()
    with call.portal.transaction(call.actor) as transaction:
        survivor = merge(call.records, transaction, call.kind, primary, other)
    schema = call.portal.schema(call.kind)
    return reply(record(call.portal, schema, survivor, schema.selected(schema.definitions)))


def gdpr_delete(call: Call) -> Response:
    call.require(call.kind.scopes("write"))
    value, id_property = str(call.body.get("objectId", "")), call.body.get("idProperty")
    if not value:
        raise bad_request(text("no_object_id"))
    row = row_by(call, call.kind, value, id_property)
    if row is None:
        if id_property is None:
            raise not_found()
        call.portal.space.settings["gdpr_blocklist"].append(value.lower())
        return no_content()
    with call.portal.transaction(call.actor) as transaction:
        call.records.purge(transaction, row)
    return no_content()


def wanted_row(call: Call, *, archived: bool) -> Row:
    """The record of the path. Raises Refusal: 404, not there or in the other state."""
    row = row_by(call, call.kind, call.params["id"], call.one("idProperty"))
    if row is None and call.one("idProperty") is None and not call.params["id"].isdecimal():
        raise Refusal(404, text("no_such_id"), "OBJECT_NOT_FOUND")
    if row is None or row.deleted != archived:
        raise not_found()
    return row


def row_by(call: Call, kind: Kind, value: str, id_property: str | None) -> Row | None:
    if id_property in (None, "", "hs_object_id"):
        return call.portal.resolve(kind, value)
    require_unique(call, kind, id_property)
    return call.portal.find_by(kind, str(id_property), value)


def require_unique(call: Call, kind: Kind, id_property: Any, *, email_counts: bool = True) -> None:
    """Raises Refusal: 400, records cannot be told apart by this property."""
    if email_counts and (kind.name, id_property) == ("contacts", "email"):
        return
    if id_property not in call.portal.schema(kind).unique_names:
        raise bad_request(text("not_unique", type_id=kind.type_id))


def shown(call: Call, row: Row) -> Document:
    """A record with what the query asks for."""
    schema = call.portal.schema(call.kind)
    document = record(call.portal, schema, row, schema.selected(call.many("properties")))
    if with_history := call.many("propertiesWithHistory"):
        document["propertiesWithHistory"] = histories(call.portal, schema, row, with_history)
    if others := call.many("associations"):
        document["associations"] = associations_of(call, row, others)
    return document


def associations_of(call: Call, row: Row, others: Sequence[str]) -> Document:
    """Lists inside a record: id and type only, each with the way to its next page."""
    found: Document = {}
    most = int(call.portal.setting("inline_associations"))
    for name in others:
        if name.lower() in foreign_names():
            continue
        other = call.portal.kind(name)
        ends = call.records.associations.of((call.kind.name, row.id), other)
        results = [
            {"id": other_id, "type": type_name(call.portal, call.kind, other, label)}
            for other_id, labels in ends[:most]
            for label in sorted(labels)
        ]
        if results:
            found[other.name] = {"results": results}
        if len(ends) > most:
            found[other.name]["paging"] = call.page_of_associations(row.id, other.name, ends[most][0])
    return found


def association_ends(call: Call, given: Any) -> list[tuple[End, set[str]]]:
    """``associations`` of a create. The far type follows from the type id. Raises Refusal 400."""
    ends: list[tuple[End, set[str]]] = []
    for one in as_list(given):
        if not isinstance(one, dict) or not isinstance(one.get("to"), dict) or not one.get("types"):
            raise bad_request(text("association_needs"))
        other, other_id = far_kind(call.portal, call.kind, one["types"]), str(one["to"].get("id", ""))
        there = call.portal.resolve(other, other_id)
        if there is None or there.deleted:
            raise bad_request(text("association_missing", type=other.upper, id=other_id))
        labels = {label_of(call.portal, call.kind, other, spec) for spec in one["types"]}
        ends.append(((other.name, there.id), labels))
    return ends
