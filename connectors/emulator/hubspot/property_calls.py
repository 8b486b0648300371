"""Property definitions: list, read, create, change, archive, in batches too; and the groups they stand in."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.batch_calls import created_status, document, inputs_of
from connectors.emulator.hubspot.call import Call, as_list, shaped
from connectors.emulator.hubspot.properties import DEFAULT_WIDGET, Definition, new_definition, usual_group
from connectors.emulator.hubspot.refusals import Refusal, bad_request, text
from connectors.emulator.hubspot.replies import no_content, reply

WIDGETS = {
    "string": {"text", "textarea", "html", "phonenumber", "file", "calculation_equation"},
    "number": {"number", "calculation_equation"},
    "date": {"date"},
    "datetime": {"date"},
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox", "calculation_equation"},
    "bool": {"booleancheckbox", "calculation_equation"},
    "phone_number": {"phonenumber"},
}
CHANGEABLE = (
    "label",
    "type",
    "fieldType",
    "groupName",
    "description",
    "options",
    "displayOrder",
    "hidden",
    "formField",
)
"""What a PATCH changes. Uniqueness and sensitivity are ignored with a 200."""
DEFINITION: dict[str, type] = {
    "name": str,
    "label": str,
    "type": str,
    "fieldType": str,
    "groupName": str,
    "description": str,
    "dataSensitivity": str,
    "options": list,
    "displayOrder": int,
    "hidden": bool,
    "formField": bool,
    "hasUniqueValue": bool,
    "externalOptions": bool,
}
OPTION: dict[str, type] = {"label": str, "value": str, "description": str, "displayOrder": int, "hidden": bool}
GROUP: dict[str, type] = {"name": str, "label": str, "displayOrder": int}
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}", re.ASCII)


def list_properties(call: Call) -> Response:
    """No pages. ``archived`` and ``dataSensitivity`` choose."""
    call.require(call.kind.schema_scopes("read"))
    archived, sensitivity = call.flag("archived"), call.one("dataSensitivity") or "non_sensitive"
    return reply(
        {
            "results": [
                definition
                for definition in definitions_of(call).values()
                if definition.get("archived", False) == archived and definition["dataSensitivity"] == sensitivity
            ]
        }
    )


def read_property(call: Call) -> Response:
    call.require(call.kind.schema_scopes("read"))
    return reply(wanted(call, call.params["name"], archived=call.flag("archived")))


def create_property(call: Call) -> Response:
    call.require(call.kind.schema_scopes("write"))
    return reply(created(call, call.body), 201)


def change_property(call: Call) -> Response:
    """``options`` replaces the whole list; left out, the list stays."""
    call.require(call.kind.schema_scopes("write"))
    definition = wanted(call, call.params["name"], archived=False)
    told = shaped(call.body, DEFINITION)
    changes = {name: told[name] for name in CHANGEABLE if name in told}
    if definition["modificationMetadata"]["readOnlyDefinition"] and set(changes) - {"options"}:
        raise bad_request(text("read_only_definition", name=definition["name"]))
    if "options" in changes:
        changes["options"] = options_of(changes["options"])
    check_shape({**definition, **changes})
    definition.update(changes, updatedAt=call.portal.stamp_now())
    call.portal.schema_changed()
    return reply(definition)


def archive_property(call: Call) -> Response:
    """Its values stay, and come back when a property of that name is created again."""
    call.require(call.kind.schema_scopes("write"))
    archive(call, wanted(call, call.params["name"], archived=False))
    return no_content()


def batch_read(call: Call) -> Response:
    call.require(call.kind.schema_scopes("read"))
    archived = call.body.get("archived") is True
    found, errors = [], []
    for name in names_of(call):
        try:
            found.append(wanted(call, name, archived=archived))
        except Refusal as refusal:
            errors.append(refusal.as_item(None))
    return reply(document(call, found, errors), 207 if errors else 200)


def batch_create(call: Call) -> Response:
    """One by one: what can be created is."""
    call.require(call.kind.schema_scopes("write"))
    found, errors = [], []
    for one in inputs_of(call):
        try:
            found.append(created(call, one))
        except Refusal as refusal:
            errors.append(refusal.as_item(None))
    return reply(document(call, found, errors), 207 if errors else created_status(call))


def batch_archive(call: Call) -> Response:
    """204 whatever the state of the properties."""
    call.require(call.kind.schema_scopes("write"))
    for name in names_of(call):
        definition = definitions_of(call).get(name)
        if definition is not None and not definition.get("archived"):
            archive(call, definition)
    return no_content()


def definitions_of(call: Call) -> dict[str, Definition]:
    found: dict[str, Definition] = call.portal.space.settings["properties"][call.kind.name]
    return found


def wanted(call: Call, name: str, *, archived: bool) -> Definition:
    """Raises Refusal: 404, no such property in this state."""
    definition = definitions_of(call).get(name)
    if definition is None or definition.get("archived", False) != archived:
        message = text("property_missing", name=name, type=call.kind.type_id)
        raise Refusal(404, message, "OBJECT_NOT_FOUND", subCategory="Properties.PROPERTY_NOT_FOUND")
    return definition


def created(call: Call, given: dict[str, Any]) -> Definition:
    """Raises Refusal: 400 or, for a name that is there, 409. An archived one of that name is restored."""
    told = shaped(given, DEFINITION)
    missing = [key for key in ("name", "label", "type", "fieldType", "groupName") if not told.get(key)]
    if missing:
        raise bad_request(text("property_needs", names=", ".join(missing)))
    name = told["name"]
    if NAME.fullmatch(name) is None:
        raise bad_request(text("bad_property_name", name=name))
    known = definitions_of(call)
    if name in known and not known[name].get("archived"):
        raise name_taken(text("property_exists", name=name), "Properties.PROPERTY_WITH_NAME_EXISTS")
    if told["groupName"] not in groups_of(call):
        raise bad_request(text("no_group", name=told["groupName"]))
    options = options_of(told.get("options"))
    check_shape({**told, "options": options})
    known[name] = new_definition(call.kind, {**told, "options": options}, call.portal.stamp_now())
    call.portal.schema_changed()
    return known[name]


def archive(call: Call, definition: Definition) -> None:
    """Raises Refusal: 400, HubSpot's own, or in use."""
    name = definition["name"]
    if not definition["modificationMetadata"]["archivable"]:
        raise bad_request(text("not_archivable", name=name))
    if name in call.portal.setting("properties_in_use").get(call.kind.name, []):
        sub_category = "PropertyValidationError.CANNOT_DELETE_PROPERTY_IN_USE"
        raise bad_request(text("property_in_use", name=name), subCategory=sub_category)
    definition.update(archived=True, archivedAt=call.portal.stamp_now())
    call.portal.schema_changed()


def check_shape(told: dict[str, Any]) -> None:
    """Raises Refusal: 400, type and field type do not go together, or a choice has nothing to choose."""
    kind, widget = told["type"], told["fieldType"]
    if kind not in DEFAULT_WIDGET:
        raise bad_request(text("bad_property_type", type=kind))
    if widget not in WIDGETS[kind]:
        raise bad_request(text("bad_widget", widget=widget, type=kind))
    if kind == "enumeration" and not told.get("options") and not told.get("externalOptions"):
        raise bad_request(text("no_options"))


def options_of(given: Any) -> list[dict[str, Any]]:
    """Complete options. Raises Refusal: 400, a value twice or without a label."""
    options = []
    for order, one in enumerate(as_list(given)):
        told = shaped(one, OPTION)
        if not told.get("label") or "value" not in told:
            raise bad_request(text("bad_option_definition"))
        options.append({"displayOrder": order, "hidden": False, **told})
    values = [option["value"] for option in options]
    if len(set(values)) < len(values):
        raise bad_request(text("option_twice"))
    return options


def name_taken(message: str, sub_category: str) -> Refusal:
    return Refusal(409, message, "OBJECT_ALREADY_EXISTS", subCategory=sub_category)


def names_of(call: Call) -> list[str]:
    return list(dict.fromkeys(str(one.get("name", "")) for one in inputs_of(call)))


# Groups --------------------------------------------------------------------------------------------------------------


def list_groups(call: Call) -> Response:
    call.require(call.kind.schema_scopes("read"))
    return reply({"results": list(groups_of(call).values())})


def read_group(call: Call) -> Response:
    call.require(call.kind.schema_scopes("read"))
    return reply(_group(call))


def create_group(call: Call) -> Response:
    call.require(call.kind.schema_scopes("write"))
    told = shaped(call.body, GROUP)
    name = told.get("name")
    if not name or not told.get("label"):
        raise bad_request(text("property_needs", names="name, label"))
    groups = groups_of(call)
    if name in groups:
        raise name_taken(text("group_exists", name=name), "Properties.PROPERTY_GROUP_WITH_NAME_EXISTS")
    groups[name] = new_group(name, told["label"], told.get("displayOrder", -1))
    return reply(groups[name], 201)


def change_group(call: Call) -> Response:
    call.require(call.kind.schema_scopes("write"))
    group = _group(call)
    told = shaped(call.body, GROUP)
    group.update({key: told[key] for key in ("label", "displayOrder") if key in told})
    return reply(group)


def archive_group(call: Call) -> Response:
    """Raises Refusal: 400, properties stand in it."""
    call.require(call.kind.schema_scopes("write"))
    name = str(_group(call)["name"])
    live = (one for one in definitions_of(call).values() if not one.get("archived"))
    if any(definition["groupName"] == name for definition in live):
        raise bad_request(text("group_in_use", name=name))
    del groups_of(call)[name]
    return no_content()


def groups_of(call: Call) -> dict[str, dict[str, Any]]:
    """{name: group}; every type has one from the start."""
    all_groups: dict[str, dict[str, dict[str, Any]]] = call.portal.space.settings["property_groups"]
    usual = usual_group(call.kind)
    label = f"{call.kind.singular.capitalize()} information"
    return all_groups.setdefault(call.kind.name, {usual: new_group(usual, label, 0)})


def new_group(name: str, label: str, order: int) -> dict[str, Any]:
    return {"name": name, "label": label, "displayOrder": order, "archived": False}


def _group(call: Call) -> dict[str, Any]:
    """Raises Refusal 404."""
    group = groups_of(call).get(call.params["name"])
    if group is None:
        message = text("group_missing", name=call.params["name"])
        raise Refusal(404, message, "OBJECT_NOT_FOUND", subCategory="Properties.PROPERTY_GROUP_NOT_FOUND")
    return group
