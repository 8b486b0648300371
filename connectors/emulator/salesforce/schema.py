"""The practice org's metadata: compact JSON beside this file, plus what an administrator changed since.

The JSON names only what differs from the defaults of a field's type. ``Truce_Key__c`` and ``Customer_Stage__c`` are
custom fields of the practice org; ``HasOptedOutOfEmail`` is visible here although a fresh org hides it, the other
opt-outs are hidden as they are there. Changes are kept as data in ``space.settings`` and applied when read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "schema"
LONG_TEXT = 256
OPERATIONS = ("create", "edit", "delete")
"""Object permissions."""
"""A textarea longer than this can be neither filtered nor sorted."""

ORDER = (
    "Lead", "Contact", "Account", "Opportunity", "OpportunityContactRole", "Task", "Event", "Case",
    "Campaign", "CampaignMember", "CampaignMemberStatus", "User", "Group", "QueueSobject",
    "GroupMember", "LeadStatus", "OpportunityStage", "Organization", "Profile", "UserRole", "RecordType",
    "Product2", "Pricebook2", "PricebookEntry", "OpportunityLineItem",
)  # fmt: skip

FIRST_CUSTOM_PREFIX = 19
"""``a19`` is the prefix of the first custom object, ``a20`` of the next; ids kept in files depend on it."""


@dataclass(slots=True)
class Field:
    """One field of one object.

    ``computed`` names how a value that is not stored is read. ``hidden`` and ``read_only`` are what field-level
    security leaves the API user; an administrator in the desk is not bound by them.
    """

    name: str
    type: str
    label: str
    length: int = 0
    choices: list[str] = field(default_factory=list)
    restricted: bool = False
    required: bool = False
    unique: bool = False
    external_id: bool = False
    id_lookup: bool = False
    createable: bool = True
    updateable: bool = True
    default: Any = None
    computed: str | None = None
    parts: str | None = None
    compound: str | None = None
    to: list[str] = field(default_factory=list)
    relationship: str | None = None
    children: str | None = None
    cascade: bool = False
    restricts: bool = False
    auto_number: int = 0
    hidden: bool = False
    read_only: bool = False
    describe: dict[str, Any] = field(default_factory=dict)

    @property
    def is_filterable(self) -> bool:
        return bool(self.describe.get("filterable", not self.is_long_text))

    @property
    def is_sortable(self) -> bool:
        return bool(
            self.describe.get("sortable", not self.is_long_text and self.type not in ("address", "multipicklist"))
        )

    @property
    def is_groupable(self) -> bool:
        ungrouped = ("datetime", "double", "currency", "percent", "address", "multipicklist")
        return bool(self.describe.get("groupable", not self.is_long_text and self.type not in ungrouped))

    @property
    def is_long_text(self) -> bool:
        return self.type == "textarea" and self.length >= LONG_TEXT

    @property
    def is_number(self) -> bool:
        return self.type in ("int", "double", "currency", "percent")

    @property
    def is_stored_lookup(self) -> bool:
        """A reference that somebody sets, and that therefore can be emptied."""
        return self.type == "reference" and self.computed is None and (self.createable or self.updateable)

    @property
    def is_custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def is_id(self) -> bool:
        return self.type in ("id", "reference")


@dataclass
class ObjectType:
    """One sObject. Fields are found without regard to case, as the API finds them."""

    name: str
    label: str
    label_plural: str
    prefix: str | None
    mergeable: bool
    undeletable: bool
    is_setup: bool
    fields: dict[str, Field]
    is_virtual: bool = False
    hidden: bool = False
    read_only: bool = False
    denied: frozenset[str] = frozenset()
    """Of ``OPERATIONS``, what the API user may not do with records of it."""

    def __post_init__(self) -> None:
        self.visible = {name.lower(): item for name, item in self.fields.items() if not item.hidden}
        self.everything = {name.lower(): item for name, item in self.fields.items()}
        self.blank = {item.name: None for item in self.fields.values() if item.computed is None}
        self.required = [
            item for item in self.fields.values() if item.required and not item.describe.get("defaultedOnCreate")
        ]
        self.defaulted = [item for item in self.fields.values() if item.default is not None]
        self.numbered = [item for item in self.fields.values() if item.auto_number]
        self.name_field = next((each.name for each in self.fields.values() if each.describe.get("nameField")), "Id")
        self.unique = [item for item in self.fields.values() if item.unique]
        self.decimals = [item.name for item in self.fields.values() if item.is_number and item.type != "int"]
        self.references = [item for item in self.fields.values() if item.to]
        self.hierarchies = [
            item for item in self.references if item.to == [self.name] and item.is_stored_lookup and not item.is_custom
        ]
        """Fields that lead to a record of the same object: who follows them must not come back."""
        self.relationships = {item.relationship.lower(): item for item in self.fields.values() if item.relationship}

    def find(self, name: str) -> Field | None:
        """A field the API user can see."""
        return self.visible.get(name.lower())

    @property
    def is_layoutable(self) -> bool:
        """Whether its records have pages, lists and tabs."""
        return not self.is_setup

    def may(self, operation: str) -> bool:
        """Whether the API user may do this one of ``OPERATIONS``."""
        return not self.is_setup and not self.read_only and operation not in self.denied


@dataclass(frozen=True, slots=True)
class Child:
    """Records of ``kind`` point at a parent through ``field``.

    ``cascade``: they are deleted with it; ``restricted``: while they are there it cannot be deleted; ``is_cleared``:
    they lose it when it is deleted.
    """

    relationship: str | None
    kind: str
    field: str
    cascade: bool
    restricted: bool
    is_cleared: bool


class Catalogue:
    """All objects, as they are after the administrator's changes and permissions."""

    def __init__(
        self, changes: Sequence[Mapping[str, Any]] = (), permissions: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        definitions = shipped()
        for change in changes:
            if "create" in change:
                definitions[change["object"]] = custom_object(
                    change["object"], change["create"], _next_number(definitions)
                )
            else:
                _apply(definitions[change["object"]]["fields"], change)
        self._define(definitions, permissions or {})

    @classmethod
    def of(cls, definitions: Mapping[str, Any]) -> Catalogue:
        """One of other objects than the org's own."""
        made = cls.__new__(cls)
        made._define(definitions, {})
        return made

    def _define(self, definitions: Mapping[str, Any], permissions: Mapping[str, Mapping[str, str]]) -> None:
        self.objects = {name: _object_type(name, body, permissions.get(name, {})) for name, body in definitions.items()}
        self.names = self.objects.pop("Name")
        self._by_lower = {name.lower(): kind for name, kind in self.objects.items()}
        self._children: dict[str, list[Child]] = {}
        for kind in self.objects.values():
            for item in kind.references:
                for target in item.to:
                    is_cleared = item.is_stored_lookup and not item.required
                    child = Child(item.children, kind.name, item.name, item.cascade, item.restricts, is_cleared)
                    self._children.setdefault(target, []).append(child)

    def find(self, name: str) -> ObjectType | None:
        """An object the API user can see; case does not matter."""
        found = self.objects.get(name) or self._by_lower.get(name.lower())
        return None if found is None or found.hidden else found

    def knows(self, name: str) -> bool:
        """Whether there is such an object, be it one that the API user cannot see."""
        return name.lower() in self._by_lower

    def with_prefix(self, record_id: str) -> ObjectType | None:
        """Which object an id belongs to."""
        prefix = record_id[:3]
        return next((kind for kind in self.objects.values() if kind.prefix == prefix), None)

    def children_of(self, name: str) -> list[Child]:
        return self._children.get(name, [])

    def listed(self) -> list[ObjectType]:
        return [kind for kind in self.objects.values() if not kind.hidden]


def defaults() -> dict[str, Any]:
    """The default describe entries of fields, field types and objects."""
    loaded: dict[str, Any] = _json("describe_defaults")
    return loaded


def stages() -> dict[str, dict[str, Any]]:
    """{opportunity stage: closed, won, probability, forecast}."""
    loaded: dict[str, dict[str, Any]] = _json("stages")
    return loaded


def field_from(name: str, definition: Mapping[str, Any], permission: str | None = None) -> Field:
    """A field from its compact form.

    Raises:
        ValueError: a type Salesforce does not have.
    """
    kind = definition["type"]
    types = defaults()["types"]
    if kind not in types and kind not in ("string", "email", "phone", "url"):
        raise ValueError(f"there is no field type {kind!r}")
    fixed = bool(definition.get("readonly") or definition.get("computed"))
    return Field(
        name=name,
        type=kind,
        label=definition.get("label") or spoken(name),
        length=definition.get("length", types.get(kind, {}).get("length", 0)),
        choices=[str(choice) for choice in definition.get("choices", [])],
        restricted=definition.get("restricted", False),
        required=definition.get("required", False),
        unique=definition.get("unique", False),
        external_id=definition.get("externalId", False),
        id_lookup=definition.get("idLookup", definition.get("externalId", kind == "id")),
        createable=not fixed and definition.get("createable", True),
        updateable=not fixed and definition.get("updateable", True),
        default=definition.get("default"),
        computed=definition.get("computed"),
        parts=definition.get("parts"),
        compound=definition.get("compound"),
        to=list(definition.get("to", [])),
        relationship=definition.get("relationship") or _custom_relationship(name, kind),
        children=_children_name(name, definition.get("children")),
        cascade=definition.get("cascade", False),
        restricts=definition.get("restrictedDelete", False),
        auto_number=definition.get("autoNumber", 0),
        hidden=permission == "hidden" or (permission is None and definition.get("hidden", False)),
        read_only=permission == "read_only",
        describe=dict(definition.get("describe", {})),
    )


def _custom_relationship(name: str, kind: str) -> str | None:
    """``Account__c`` leads to its parent as ``Account__r``."""
    return f"{name.removesuffix('__c')}__r" if kind == "reference" and name.endswith("__c") else None


def _children_name(name: str, given: str | None) -> str | None:
    is_short = given is not None and name.endswith("__c") and not given.endswith("__r")
    return f"{given}__r" if is_short else given


def spoken(name: str) -> str:
    """``MailingPostalCode`` as a label: Mailing Postal Code."""
    bare = name.removesuffix("__c").replace("_", " ")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare)
    return re.sub(r" Id$", " ID", words)


CHANGEABLE = frozenset(
    ("type", "label", "length", "choices", "restricted", "required", "unique", "externalId", "idLookup", "createable",
     "updateable", "readonly", "default", "to", "relationship", "children", "cascade", "restrictedDelete",
     "autoNumber", "describe")
)  # fmt: skip


def check_change(change: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    """Raises ValueError: not one of add, remove, alter, or nonsense in it; KeyError: a field that is not there."""
    verbs = [verb for verb in ("add", "remove", "alter") if verb in change]
    if len(verbs) != 1:
        raise ValueError("say one of add, remove or alter")
    if verbs == ["remove"]:
        if change["remove"] not in fields:
            raise KeyError(f"{change['object']} has no field {change['remove']}")
        return
    body = dict(change[verbs[0]])
    name = str(body.pop("name", ""))
    if strange := sorted(set(body) - CHANGEABLE):
        raise ValueError(f"a field has no {', '.join(strange)}; there are {', '.join(sorted(CHANGEABLE))}")
    if verbs == ["add"]:
        if not name or "type" not in body:
            raise ValueError("a new field needs a name and a type")
        if name in fields:
            raise ValueError(f"{change['object']} has a field {name} already")
        field_from(name, body)
        return
    if name not in fields:
        raise KeyError(f"{change['object']} has no field {name}")
    field_from(name, {"type": fields[name].type, **body})


OBJECT_KEYS = frozenset(("label", "labelPlural", "prefix", "fields", "undeletable", "mergeable"))


def check_object(name: str, body: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raises ValueError: a new object with a wrong name, unknown keys or a field that cannot be."""
    if not re.fullmatch(r"[A-Za-z]\w*__c", name):
        raise ValueError(f"a custom object's name ends with __c, unlike {name!r}")
    if name in known:
        raise ValueError(f"there is an object {name} already")
    if strange := sorted(set(body) - OBJECT_KEYS):
        raise ValueError(f"an object has no {', '.join(strange)}; there are {', '.join(sorted(OBJECT_KEYS))}")
    for field_name, definition in body.get("fields", {}).items():
        check_change({"object": name, "add": {"name": field_name, **definition}}, {})


def custom_object(name: str, body: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A new object's definition, complete: name, owner (unless it has a master), prefix."""
    label = body.get("label") or spoken(name)
    fields = dict(body.get("fields", {}))
    own: dict[str, Any] = {"Name": {"type": "string", "length": 80, "label": f"{label} Name", "idLookup": True,
                                    "describe": {"nameField": True}}}  # fmt: skip
    if not any(each.get("cascade") for each in fields.values()):
        own["OwnerId"] = {"type": "reference", "label": "Owner ID", "to": ["Group", "User"], "relationship": "Owner",
                          "required": True, "describe": {"defaultedOnCreate": True}}  # fmt: skip
    return {
        "label": label,
        "labelPlural": body.get("labelPlural") or f"{label}s",
        "prefix": body.get("prefix") or f"a{number:02}",
        "undeletable": body.get("undeletable", True),
        "mergeable": body.get("mergeable", False),
        "fields": {**own, **fields},
    }


def _next_number(definitions: Mapping[str, Any]) -> int:
    return FIRST_CUSTOM_PREFIX + sum(name.endswith("__c") for name in definitions)


def _apply(fields: dict[str, Any], change: Mapping[str, Any]) -> None:
    if "add" in change:
        fields[change["add"]["name"]] = dict(change["add"])
    elif "remove" in change:
        fields.pop(change["remove"], None)
    else:
        fields[change["alter"]["name"]].update(change["alter"])


def _object_type(name: str, body: Mapping[str, Any], permissions: Mapping[str, str]) -> ObjectType:
    system: dict[str, Any] = _json("system_fields")
    kept = body.get("systemFields", list(system))
    definitions = {**{each: system[each] for each in kept}, **body["fields"]}
    ordered = {each: definitions[each] for each in _ordered(definitions)}
    return ObjectType(
        name=name,
        label=body["label"],
        label_plural=body["labelPlural"],
        prefix=body["prefix"],
        mergeable=body.get("mergeable", False),
        undeletable=body.get("undeletable", False),
        is_setup=body.get("setup", False),
        fields={each: field_from(each, definition, permissions.get(each)) for each, definition in ordered.items()},
        is_virtual=body.get("virtual", False),
        hidden=permissions.get("*") == "hidden",
        read_only=permissions.get("*") == "read_only",
        denied=_denied(permissions),
    )


def _denied(permissions: Mapping[str, str]) -> frozenset[str]:
    """Salesforce grants Delete only together with Edit."""
    found = {each for each in OPERATIONS if permissions.get(f"may {each}") == "denied"}
    return frozenset(found | {"delete"} if "edit" in found else found)


def _ordered(definitions: Mapping[str, Any]) -> list[str]:
    """Id and IsDeleted first, audit fields after the standard ones, custom fields last: as describe lists them."""
    first = ["Id", "IsDeleted", "MasterRecordId"]
    stamps = ["CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"]
    custom = [name for name in definitions if name.endswith("__c")]
    apart = {*first, *stamps, *custom}
    middle = [name for name in definitions if name not in apart]
    return [name for name in (*first, *middle, *stamps, *custom) if name in definitions]


def shipped() -> dict[str, Any]:
    """The definitions of the objects every org begins with, the caller's own to change."""
    return {name: json.loads(text) for name, text in _shipped().items()}


def tooling_definitions() -> dict[str, Any]:
    loaded: dict[str, Any] = _json("tooling")
    return loaded


@cache
def _shipped() -> dict[str, str]:
    return {name: (FOLDER / "objects" / f"{name}.json").read_text(encoding="utf-8") for name in (*ORDER, "Name")}


@cache
def _json(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
