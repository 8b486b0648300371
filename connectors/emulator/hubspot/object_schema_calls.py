"""Custom objects: their schemas, and what they can be associated with."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.call import Call, as_list, shaped
from connectors.emulator.hubspot.kinds import custom_kind
from connectors.emulator.hubspot.properties import custom_object_properties, new_definition
from connectors.emulator.hubspot.property_calls import DEFINITION, NAME, check_shape, options_of
from connectors.emulator.hubspot.refusals import bad_request, not_found, text
from connectors.emulator.hubspot.replies import no_content, reply

Described = dict[str, Any]
FIRST_TYPE_NUMBER = 3_465_404
CHANGEABLE = (
    "description", "labels", "primaryDisplayProperty", "secondaryDisplayProperties", "requiredProperties",
    "searchableProperties",
)  # fmt: skip
SCHEMA: dict[str, type] = {
    "name": str,
    "labels": dict,
    "description": str,
    "primaryDisplayProperty": str,
    "properties": list,
    "associatedObjects": list,
    **dict.fromkeys(CHANGEABLE[-3:], list),
}
OBJECT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
READ_SCOPES, WRITE_SCOPES = ["crm.schemas.custom.read"], ["crm.schemas.custom.write"]


def list_schemas(call: Call) -> Response:
    call.require(READ_SCOPES)
    return reply({"results": [_shown(call, described) for described in _custom(call).values()]})


def read_schema(call: Call) -> Response:
    call.require(READ_SCOPES)
    return reply(_shown(call, _wanted(call)))


def batch_read(call: Call) -> Response:
    """The named ones; names that nobody knows are left out."""
    call.require(READ_SCOPES)
    names = [name.lower() for name in call.texts_of("inputs")]
    kinds = [kind for kind in call.portal.kinds.values() if kind.is_custom]
    found = [kind.name for kind in kinds if {kind.name.lower(), kind.type_id, kind.long_name.lower()} & set(names)]
    return reply({"results": [_shown(call, _custom(call)[name]) for name in found]})


def create_schema(call: Call) -> Response:
    """The new object type with its properties, and its association types to the named objects."""
    call.require(WRITE_SCOPES)
    described = _described(call)
    others = [call.portal.kind(str(name)).name for name in as_list(call.body.get("associatedObjects"))]
    _custom(call)[described["name"]] = described
    kind = custom_kind(described)
    definitions = custom_object_properties(kind)
    for told in (shaped(one, DEFINITION) for one in call.body["properties"]):
        definition = {**told, "options": options_of(told.get("options"))}
        definitions[told["name"]] = new_definition(kind, definition, call.portal.stamp_now())
    call.portal.space.settings["properties"][described["name"]] = definitions
    call.portal.schema_changed()
    for other in others:
        _associate(call, described["name"], other)
    return reply(_shown(call, described), 201)


def change_schema(call: Call) -> Response:
    call.require(WRITE_SCOPES)
    described = _wanted(call)
    told = shaped(call.body, SCHEMA)
    described.update({name: told[name] for name in CHANGEABLE if name in told})
    described["updatedAt"] = call.portal.stamp_now()
    call.portal.schema_changed()
    return reply(described)


def archive_schema(call: Call) -> Response:
    """Raises Refusal: 400, there are records of it."""
    call.require(WRITE_SCOPES)
    described = _wanted(call)
    if any(not row.deleted for row in call.portal.space.table(described["name"]).values()):
        raise bad_request(text("object_in_use", name=described["name"]))
    settings = call.portal.space.settings
    lines = settings["custom_associations"]
    lines[:] = [line for line in lines if described["name"] not in (line["from"], line["to"])]
    del settings["custom_objects"][described["name"]]
    call.portal.schema_changed()
    return no_content()


def create_association(call: Call) -> Response:
    call.require(WRITE_SCOPES)
    described = _wanted(call)
    other = call.portal.kind(str(call.body.get("toObjectTypeId", "")))
    return reply(_associate(call, described["name"], other.name), 201)


def archive_association(call: Call) -> Response:
    """204, whether there was one; the pair of types cannot be associated any more."""
    call.require(WRITE_SCOPES)
    described, lines = _wanted(call), call.portal.space.settings["custom_associations"]
    identifier = call.params["association_id"]
    gone = [line for line in lines if described["name"] in (line["from"], line["to"])]
    for line in gone:
        if identifier in {*map(str, line["plain"]), _association(call, line)["name"]}:
            lines.remove(line)
    call.portal.schema_changed()
    return no_content()


def _custom(call: Call) -> dict[str, Described]:
    found: dict[str, Described] = call.portal.space.settings["custom_objects"]
    return found


def _wanted(call: Call) -> Described:
    """Raises Refusal: 404, no custom object of that name."""
    kind = call.kind
    if not kind.is_custom:
        raise not_found()
    return _custom(call)[kind.name]


def _described(call: Call) -> Described:
    """Raises Refusal 400."""
    body, at = shaped(call.body, SCHEMA), call.portal.stamp_now()
    missing = [key for key in ("name", "labels", "primaryDisplayProperty", "properties") if not body.get(key)]
    if missing:
        raise bad_request(text("property_needs", names=", ".join(missing)))
    name = body["name"]
    if OBJECT_NAME.fullmatch(name) is None or name.lower() in call.portal.kinds:
        raise bad_request(text("bad_object_name", name=name))
    known = {_property_name(one) for one in body["properties"]}
    listed = {key: [str(one) for one in body.get(key, ())] for key in CHANGEABLE[-3:]}
    for key in (body["primaryDisplayProperty"], *(one for names in listed.values() for one in names)):
        if key not in known:
            raise bad_request(text("unknown_property", name=key))
    number = FIRST_TYPE_NUMBER + call.portal.space.next_number("custom object")
    return {
        "id": str(number),
        "objectTypeId": f"2-{number}",
        "name": name,
        "fullyQualifiedName": f"p{call.portal.portal_id}_{name}",
        "labels": body["labels"],
        "description": body.get("description", ""),
        "primaryDisplayProperty": body["primaryDisplayProperty"],
        **listed,
        "allowsSensitiveProperties": False,
        "archived": False,
        "createdAt": at,
        "updatedAt": at,
    }


def _property_name(given: Any) -> str:
    """Raises Refusal: 400, it cannot be a property."""
    told = shaped(given, DEFINITION)
    missing = [key for key in ("name", "label", "type", "fieldType") if not told.get(key)]
    if missing:
        raise bad_request(text("property_needs", names=", ".join(missing)))
    if NAME.fullmatch(told["name"]) is None:
        raise bad_request(text("bad_property_name", name=told["name"]))
    check_shape({**told, "options": options_of(told.get("options"))})
    return str(told["name"])


def _shown(call: Call, described: Described) -> Described:
    settings, name = call.portal.space.settings, described["name"]
    lines = [line for line in settings["custom_associations"] if name in (line["from"], line["to"])]
    return {
        **described,
        "properties": list(settings["properties"][name].values()),
        "associations": [_association(call, line) for line in lines],
    }


def _associate(call: Call, name: str, other: str) -> Described:
    settings = call.portal.space.settings
    first = 2 * call.portal.space.next_number("custom association") - 1
    line = {"from": name, "to": other, "plain": [first, first + 1], "custom": True, "at": call.portal.stamp_now()}
    settings["custom_associations"].append(line)
    call.portal.schema_changed()
    return _association(call, line)


def _association(call: Call, line: dict[str, Any]) -> Described:
    kinds = call.portal.kinds
    return {
        "id": str(line["plain"][0]),
        "fromObjectTypeId": kinds[line["from"]].type_id,
        "toObjectTypeId": kinds[line["to"]].type_id,
        "name": f"{line['from']}_to_{line['to']}",
        "createdAt": line["at"],
        "updatedAt": line["at"],
    }
