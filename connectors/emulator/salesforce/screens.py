"""What a client asks to look like Salesforce: tabs, colours and icons, apps, quick actions."""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.layouts import layoutable
from connectors.emulator.salesforce.schema import ObjectType

TABBED = ("Account", "Campaign", "Case", "Contact", "Lead", "Opportunity", "Product2")
COLOURS = {
    "Account": "236FBD", "Campaign": "F49756", "Case": "F2CF5B", "Contact": "A094ED", "Event": "EB7092",
    "Lead": "F88962", "Opportunity": "FCB95B", "Product2": "B781D3", "Task": "4BC076", "User": "34BECD",
}  # fmt: skip
USUAL_COLOUR = "5A9CDD"
APPS = ("Sales", "Service", "Marketing")

Document = dict[str, Any]


def tabs(call: Call) -> Answer:
    return Answer(200, all_tabs(call))


def all_tabs(call: Call) -> list[Document]:
    kinds = [kind for kind in call.org.catalogue.listed() if kind.name in TABBED or kind.name.endswith("__c")]
    return [_tab(call, kind) for kind in sorted(kinds, key=lambda kind: kind.label_plural)]


def theme(call: Call) -> Answer:
    kinds = sorted(call.org.catalogue.listed(), key=lambda kind: kind.name)
    items = [
        {"colors": _colours(kind), "icons": _icons(call, kind), "name": kind.name} for kind in kinds if _has_face(kind)
    ]
    return Answer(200, {"themeItems": items})


def menus(call: Call) -> Answer:
    return Answer(200, {name: call.url("appMenu", name) for name in ("AppSwitcher", "Salesforce1")})


def apps(call: Call) -> Answer:
    """The apps one switches between."""
    items = [
        {
            "colors": None,
            "content": None,
            "icons": None,
            "label": name,
            "name": f"standard__{name}",
            "type": "Tabset",
            "url": f"{_site(call)}/home/home.jsp?tsid=02u{number:012}",
        }
        for number, name in enumerate(APPS, 1)
    ]
    return Answer(200, {"appMenuItems": items})


def mobile_menu(call: Call) -> Answer:
    """Of the mobile app: nothing was put into it."""
    return Answer(200, {"appMenuItems": []})


def actions(call: Call) -> Answer:
    """The administrator of this org defined none, for all of it or for an object."""
    if "object" in call.places:
        layoutable(call)
    return Answer(200, [])


def _has_face(kind: ObjectType) -> bool:
    return kind.is_layoutable or kind.name == "User"


def _tab(call: Call, kind: ObjectType) -> Document:
    custom = kind.name.endswith("__c")
    icons = _icons(call, kind)
    return {
        "colors": _colours(kind),
        "custom": custom,
        "iconUrl": icons[0]["url"],
        "icons": icons,
        "label": kind.label_plural,
        "miniIconUrl": icons[1]["url"],
        "name": kind.name if custom else f"standard-{kind.name}",
        "sobjectName": kind.name,
        "url": f"{_site(call)}/{kind.prefix}/o",
    }


def _colours(kind: ObjectType) -> list[Document]:
    colour = COLOURS.get(kind.name, USUAL_COLOUR)
    return [{"color": colour, "context": "primary", "theme": theme} for theme in ("theme4", "theme3")]


def _icons(call: Call, kind: ObjectType) -> list[Document]:
    stem = "custom/custom5_100" if kind.name.endswith("__c") else kind.label_plural.lower().replace(" ", "")
    return [
        {
            "contentType": "image/png",
            "height": size,
            "theme": "theme3",
            "url": f"{_site(call)}/img/icon/{stem}{size}.png",
            "width": size,
        }
        for size in (32, 16)
    ]


def _site(call: Call) -> str:
    return f"https://{call.org.space.settings['domain']}.salesforce.com"
