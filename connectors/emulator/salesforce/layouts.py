"""How a record's page is laid out: ``/sobjects/Contact/describe/layouts`` and its relatives.

The practice org has one page layout and no compact layout of its own for each object, no approval process, and the
master record type alone. A layout holds every field its user may see, in two columns, and the related lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.emulator.salesforce import describing
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.ids import full_id, new_id
from connectors.emulator.salesforce.refusals import not_found
from connectors.emulator.salesforce.schema import Child, Field, ObjectType

MASTER = "012000000000000AAA"
COLUMNS = 2
ROWS_OF_A_LIST = 5
SYSTEM_FIELDS = ("CreatedById", "LastModifiedById")
NEVER_SHOWN = ("Id", "IsDeleted", "MasterRecordId", "SystemModstamp", "CreatedDate", "LastModifiedDate")

Document = dict[str, Any]


def layouts(call: Call) -> Answer:
    kind = layoutable(call)
    mapping = _mapping(call, kind)
    return Answer(
        200,
        {
            "layouts": [_layout(call, kind)],
            "recordTypeMappings": [mapping],
            "recordTypeSelectorRequired": [False],
        },
    )


def of_record_type(call: Call) -> Answer:
    """One layout without a list around it. Raises Refusal (404): no such record type."""
    kind = layoutable(call)
    if full_id(call.places["part"]) != MASTER:
        raise not_found()
    return Answer(200, _layout(call, kind))


def compact_layouts(call: Call) -> Answer:
    """None was defined: the system's own shows the record's name, and its id is null."""
    kind = layoutable(call)
    path = call.url("sobjects", kind.name, "describe", "compactLayouts")
    return Answer(
        200,
        {
            "compactLayouts": [_system_layout(kind)],
            "defaultCompactLayoutId": None,
            "recordTypeCompactLayoutMappings": [
                {
                    "available": True,
                    "compactLayoutId": None,
                    "compactLayoutName": "SYSTEM",
                    "recordTypeId": MASTER,
                    "recordTypeName": "Master",
                    "urls": {"compactLayout": f"{path}/{MASTER}"},
                }
            ],
            "urls": {"primary": f"{path}/primary"},
        },
    )


def one_compact_layout(call: Call) -> Answer:
    """Raises Refusal (404): no such record type."""
    kind, wanted = layoutable(call), call.places["part"]
    if wanted.lower() != "primary" and full_id(wanted) != MASTER:
        raise not_found()
    return Answer(200, _system_layout(kind))


def approval_layouts(call: Call) -> Answer:
    layoutable(call)
    return Answer(200, {"approvalLayouts": []})


def layoutable(call: Call) -> ObjectType:
    """Raises Refusal (404): unknown, or an object without pages."""
    kind = call.org.sobject(call.places["object"])
    if not kind.is_layoutable:
        raise not_found()
    return kind


def layout_id(call: Call, kind: ObjectType) -> str:
    return new_id("00h", 1 + list(call.org.catalogue.objects).index(kind.name))


def _layout(call: Call, kind: ObjectType) -> Document:
    shown = [item for item in kind.visible.values() if item.name not in (*NEVER_SHOWN, *SYSTEM_FIELDS)]
    information = [item for item in shown if item.compound is None]
    system = [item for item in map(kind.find, SYSTEM_FIELDS) if item is not None]
    changed = [item for item in information if item.createable or item.updateable or item.parts or item.name == "Name"]
    parent = layout_id(call, kind)
    return {
        "buttonLayoutSection": {"detailButtons": [_button(name) for name in _buttons(kind)]},
        "detailLayoutSections": [
            _section(kind, f"{kind.label} Information", information, parent),
            _section(kind, "System Information", system, parent),
        ],
        "editLayoutSections": [_section(kind, f"{kind.label} Information", changed, parent)],
        "feedView": None,
        "highlightsPanelLayoutSection": None,
        "id": parent,
        "multirowEditLayoutSections": [],
        "offlineLinks": [],
        "quickActionList": {"quickActionListItems": []},
        "relatedContent": None,
        "relatedLists": [_related(call, child) for child in _named(call.org.catalogue.children_of(kind.name))],
        "saveOptions": [],
    }


def _section(kind: ObjectType, heading: str, items: Sequence[Field], parent: str) -> Document:
    rows = [items[start : start + COLUMNS] for start in range(0, len(items), COLUMNS)]
    return {
        "collapsed": False,
        "columns": COLUMNS,
        "heading": heading,
        "layoutRows": [_row(kind, number, row) for number, row in enumerate(rows)],
        "layoutSectionId": None,
        "parentLayoutId": parent[:15],
        "rows": len(rows),
        "tabOrder": "LeftToRight",
        "useCollapsibleSection": False,
        "useHeading": True,
    }


def _row(kind: ObjectType, number: int, items: Sequence[Field]) -> Document:
    places = [_item(kind, item, number * COLUMNS + place + 1) for place, item in enumerate(items)]
    blanks = [_blank() for _ in range(COLUMNS - len(items))]
    return {"layoutItems": [*places, *blanks], "numItems": COLUMNS}


def _item(kind: ObjectType, item: Field, place: int) -> Document:
    entry = describing.field_entry(item, kind)
    return {
        "editableForNew": entry["createable"],
        "editableForUpdate": entry["updateable"],
        "label": item.label,
        "layoutComponents": [
            {"details": entry, "displayLines": 1, "tabOrder": place, "type": "Field", "value": item.name}
        ],
        "placeholder": False,
        "required": item.required,
    }


def _blank() -> Document:
    return {
        "editableForNew": False,
        "editableForUpdate": False,
        "label": "",
        "layoutComponents": [],
        "placeholder": True,
        "required": False,
    }


def _system_layout(kind: ObjectType) -> Document:
    named = kind.find(kind.name_field)
    return {
        "actions": [],
        "fieldItems": [] if named is None else [_item(kind, named, 1)],
        "id": None,
        "imageItems": [],
        "label": "System Default",
        "name": "SYSTEM",
        "objectType": kind.name,
    }


def _buttons(kind: ObjectType) -> list[str]:
    allowed = [name for operation, name in (("edit", "Edit"), ("delete", "Delete")) if kind.may(operation)]
    return [*allowed, *(["Convert"] if kind.name == "Lead" else [])]


def _button(name: str) -> Document:
    unset = ("behavior", "content", "contentSource", "encoding", "height", "menubar", "resizeable", "scrollbars",
             "showsLocation", "showsStatus", "toolbar", "url", "width", "windowPosition")  # fmt: skip
    return {**dict.fromkeys(unset), "colors": None, "custom": False, "icons": None, "label": name, "name": name,
            "overridden": False}  # fmt: skip


def _named(children: Iterable[Child]) -> list[Child]:
    return [child for child in children if child.relationship is not None]


def _related(call: Call, child: Child) -> Document:
    kind = call.org.catalogue.objects[child.kind]
    named = kind.fields[kind.name_field]
    column = {
        "field": f"{kind.name}.{named.name}",
        "fieldApiName": named.name,
        "format": None,
        "label": named.label,
        "lookupId": f"{kind.name}.Id",
        "name": named.name,
        "sortable": named.is_sortable,
    }
    return {
        "accessLevelRequiredForCreate": None,
        "buttons": [],
        "columns": [column],
        "custom": kind.name.endswith("__c"),
        "field": child.field,
        "label": kind.label_plural,
        "limitRows": ROWS_OF_A_LIST,
        "name": child.relationship,
        "sobject": kind.name,
        "sort": [],
    }


def _mapping(call: Call, kind: ObjectType) -> Document:
    chosen = [
        {"picklistName": item.name, "picklistValues": describing.field_entry(item, kind)["picklistValues"]}
        for item in kind.visible.values()
        if item.choices
    ]
    return {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "layoutId": layout_id(call, kind),
        "master": True,
        "name": "Master",
        "picklistsForRecordType": chosen,
        "recordTypeId": MASTER,
        "urls": {"layout": call.url("sobjects", kind.name, "describe", "layouts", MASTER)},
    }
