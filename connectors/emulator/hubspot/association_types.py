"""Association types: their ids for each direction, their labels, and which of them only one record can have.

A label is kept as text: ``279`` for a type that HubSpot defines, ``user:36`` for one of the account.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.refusals import bad_request, load, text

HUBSPOT_DEFINED, USER_DEFINED = "HUBSPOT_DEFINED", "USER_DEFINED"
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Type:
    """One association type seen from one end. ``opposite`` is the same association seen from the other."""

    label: str
    opposite: str
    name: str | None
    word: str | None = None
    """The internal name, which v3 goes by; the unlabelled and the primary type are named after the two objects."""

    @property
    def category(self) -> str:
        return USER_DEFINED if self.label.startswith("user:") else HUBSPOT_DEFINED

    @property
    def number(self) -> int:
        return int(self.label.removeprefix("user:"))

    def as_json(self) -> dict[str, Any]:
        return {"category": self.category, "typeId": self.number, "label": self.name}

    def as_spec(self) -> dict[str, Any]:
        return {"associationCategory": self.category, "associationTypeId": self.number}


@dataclass(slots=True)
class Direction:
    """From one object type to another. ``one_primary``: a record here has one primary record there at most."""

    plain: str
    primary: str | None = None
    one_primary: bool = False
    types: dict[str, Type] = field(default_factory=dict)

    def add(self, label: str, opposite: str, name: str | None, word: str | None = None) -> None:
        self.types[label] = Type(label, opposite, name, word)


def directions(portal: Portal) -> dict[Pair, Direction]:
    """{(from, to): direction}, both ways of every pair, the account's own labels included."""
    return portal.derived("directions", lambda: _directions(portal))


def direction_between(portal: Portal, here: Kind, there: Kind) -> Direction:
    """Raises Refusal: 400, these two types cannot be associated."""
    direction = directions(portal).get((here.name, there.name))
    if direction is None:
        raise bad_request(text("no_association", here=here.type_id, there=there.type_id))
    return direction


def label_of(portal: Portal, here: Kind, there: Kind, spec: Any) -> str:
    """A wire spec {associationCategory, associationTypeId} as a label. Raises Refusal 400."""
    label = _spelled(spec)
    if label not in direction_between(portal, here, there).types:
        number = spec.get("associationTypeId") if isinstance(spec, dict) else spec
        raise bad_request(text("bad_association", type_id=number, here=here.type_id, there=there.type_id))
    return label


def far_kind(portal: Portal, here: Kind, specs: Any) -> Kind:
    """The object type that the type ids of a create lead to. Raises Refusal 400."""
    first = specs[0] if isinstance(specs, list) and specs else {}
    label = _spelled(first)
    for (from_name, to_name), direction in directions(portal).items():
        if from_name == here.name and label in direction.types:
            return portal.kinds[to_name]
    number = first.get("associationTypeId") if isinstance(first, dict) else first
    raise bad_request(text("bad_association", type_id=number, here=here.type_id, there="any object type"))


def type_name(portal: Portal, here: Kind, there: Kind, label: str) -> str:
    """What v3 and the lists inside a record call it: ``contact_to_company`` is the primary type where there is one."""
    direction = direction_between(portal, here, there)
    base = f"{here.singular}_to_{there.singular}"
    if label == direction.plain:
        return base if direction.primary is None else f"{base}_unlabeled"
    return direction.types[label].word or base


def label_named(portal: Portal, here: Kind, there: Kind, name: str) -> str:
    """The type with this v3 name, or with this number. Raises Refusal 400."""
    types = direction_between(portal, here, there).types
    for label, one in types.items():
        if name in (type_name(portal, here, there, label), str(one.number)):
            return label
    raise bad_request(text("bad_association", type_id=name, here=here.type_id, there=there.type_id))


def _spelled(spec: Any) -> str:
    if not isinstance(spec, dict):
        return ""
    prefix = "" if spec.get("associationCategory") == HUBSPOT_DEFINED else "user:"
    return f"{prefix}{spec.get('associationTypeId')}"


def _directions(portal: Portal) -> dict[Pair, Direction]:
    found: dict[Pair, Direction] = {}
    for line in [*load("association_types"), *portal.space.settings["custom_associations"]]:
        _add_pair(found, line)
    for line in portal.space.settings["association_labels"]:
        here, there = line["from"], line["to"]
        first, second = (f"user:{number}" for number in line["types"])
        found[here, there].add(first, second, line["labels"][0], line["name"])
        found[there, here].add(second, first, line["labels"][1], line["name"])
    return found


def _add_pair(found: dict[Pair, Direction], line: dict[str, Any]) -> None:
    here, there, prefix = line["from"], line["to"], "user:" if line.get("custom") else ""
    plain, back = (f"{prefix}{number}" for number in line["plain"])
    primary = [str(number) for number in line.get("primary", ())]
    forward = found.setdefault((here, there), Direction(plain))
    backward = found.setdefault((there, here), Direction(back))
    if primary:
        forward.primary, backward.primary = primary
        forward.one_primary = line.get("one_primary_of") == "from"
        _add_both(forward, backward, primary, ("Primary", "Primary"))
    for named in line.get("named", ()):
        _add_both(forward, backward, [str(number) for number in named["types"]], named["labels"], named["words"])
    _add_both(forward, backward, [plain, back], (None, None))


def _add_both(
    forward: Direction,
    backward: Direction,
    labels: list[str],
    names: Iterable[str | None],
    words: Iterable[str | None] = (None, None),
) -> None:
    (first, second), (word, opposite_word) = names, words
    forward.add(labels[0], labels[1], first, word)
    backward.add(labels[1], labels[0], second, opposite_word)
