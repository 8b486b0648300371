"""SOAP's describe calls: REST's descriptions, with the parts and the order that the WSDL has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.emulator.salesforce import describing, layouts, screens
from connectors.emulator.salesforce.calls import Call
from connectors.emulator.salesforce.refusals import Refusal, unknown_type
from connectors.emulator.salesforce.soap.envelope import Fault, Request
from connectors.emulator.salesforce.soap.xml_text import Typed

MOST_OBJECTS = 100
REST_ONLY = (
    "associateEntityType", "associateParentEntity", "listviewable", "lookupLayoutable", "sobjectDescribeOption", "urls",
)  # fmt: skip
LAYOUTS_IN_REST_ONLY = ("details", "multirowEditLayoutSections", "offlineLinks", "urls")
PRESENT_WHEN_NIL = (
    "accessLevelRequiredForCreate", "defaultImplementation", "format", "implementedBy", "implementsInterfaces",
    "keyPrefix", "layoutSectionId", "menubar", "networkScopeFieldName", "resizeable", "scrollbars", "showsLocation",
    "showsStatus", "toolbar", "urlDetail", "urlEdit", "urlNew",
)  # fmt: skip

NEVER_TOLD = (
    "defaultImplementation", "implementedBy", "implementsInterfaces", "networkScopeFieldName", "urlDetail", "urlEdit",
    "urlNew",
)  # fmt: skip
"""What REST does not say of an object."""

Document = dict[str, Any]


def every_object(call: Call, request: Request) -> Document:
    found = describing.all_objects(_as_rest(call)).document
    return {**found, "sobjects": [_entry(each) for each in found["sobjects"]]}


def one_object(call: Call, request: Request) -> Document:
    return _described(call, request.body.value("sObjectType") or "")


def objects(call: Call, request: Request) -> list[Document]:
    """Raises Fault: too many; Refusal: one of them is unknown."""
    names = [each.text for each in request.body.all("sObjectType")]
    if len(names) > MOST_OBJECTS:
        raise Fault("EXCEEDED_ID_LIMIT", f"At most {MOST_OBJECTS} objects can be described in one call")
    return [_described(call, name) for name in names]


def layout(call: Call, request: Request) -> Document:
    """Raises Refusal: an object nobody knows, or one without pages [K for its code]."""
    name = request.body.value("sObjectType") or ""
    kind = call.org.find_kind(name)
    if kind is None:
        raise unknown_type(name)
    if not kind.is_layoutable:
        raise Refusal(400, "INVALID_TYPE_FOR_OPERATION", f"entity type {kind.name} does not support describeLayout")
    found = layouts.layouts(replace(_as_rest(call), places={"object": name})).document
    return _in_order({**found, "recordTypeSelectorRequired": found["recordTypeSelectorRequired"][0]})


def tabs(call: Call, request: Request) -> list[Document]:
    """The apps, of which the first is open; all of them have all tabs here."""
    site = f"https://{call.org.space.settings['domain']}.salesforce.com"
    return [
        {
            "description": "",
            "label": name,
            "logoUrl": f"{site}/img/logo214.svg",
            "selected": name == screens.APPS[0],
            "tabSetId": f"02u{number:012}",
            "tabs": _part(screens.all_tabs(_as_rest(call))),
        }
        for number, name in enumerate(screens.APPS, 1)
    ]


def _as_rest(call: Call) -> Call:
    return replace(call, version=f"v{call.version}", headers={})


def _described(call: Call, name: str) -> Document:
    """Raises Refusal (INVALID_TYPE)."""
    if call.org.find_kind(name) is None:
        raise unknown_type(name)
    found = describing.one_object(replace(_as_rest(call), places={"object": name})).document
    site, prefix = f"https://{call.org.space.settings['domain']}.salesforce.com", found["keyPrefix"]
    urls = {"urlDetail": f"{site}/{{ID}}", "urlEdit": f"{site}/{{ID}}/e", "urlNew": f"{site}/{prefix}/e"}
    nothing = dict.fromkeys(NEVER_TOLD)
    return _in_order({**nothing, **_entry(found), **(urls if prefix else {})})


def _entry(found: Document) -> Document:
    """``idEnabled`` is SOAP's alone."""
    kept = {name: value for name, value in found.items() if name not in REST_ONLY}
    return _in_order({**kept, "idEnabled": True})


def _in_order(document: Document) -> Document:
    """The WSDL's own, by name. What is null is left out, where it may be."""
    told = {
        name: _part(value) for name, value in sorted(document.items()) if value is not None or name in PRESENT_WHEN_NIL
    }
    if "soapType" in told and isinstance(told.get("defaultValue"), bool):
        told["defaultValue"] = Typed("xsd:boolean", str(told["defaultValue"]).lower())
    return told


def _part(value: Any) -> Any:
    if isinstance(value, list):
        return [_part(each) for each in value]
    if isinstance(value, dict):
        return _in_order({name: each for name, each in value.items() if name not in LAYOUTS_IN_REST_ONLY})
    return value
