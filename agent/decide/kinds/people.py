"""Kind ``people``: who belongs to which group, and who is who in both CRMs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from agent.decide.days import is_zone
from agent.decide.kinds.header import TEXT, WORD_OR_LIST, Document, header_keys, read_header
from agent.decide.policy import PeoplePolicy
from agent.decide.reading import Key, Reader, Shape
from agent.decide.yaml_source import Node
from agent.systems import Systems

KIND = "people"
DEFAULT_TIME_ZONE = "UTC"

_ROUTING = "It belongs to routing, which comes later. Remove the line."
_REFERENCE: Mapping[str, object] = {"type": ["string", "integer"], "minLength": 1}


def person_shape(systems: Systems) -> Shape:
    """What may be said of one person: who they are in each system."""
    return Shape(
        "a person",
        tuple(Key(systems[key].owner_word, systems[key].owner_help, _REFERENCE) for key in systems),
        later=dict.fromkeys(("weight", "capacity", "away", "time_zone", "hours"), _ROUTING),
    )


def shape(systems: Systems) -> Shape:
    """A policy of this kind in an installation with these systems."""
    return Shape(
        "a policy of kind people",
        (
            *header_keys(needs_mode=False),
            Key(
                "groups",
                "people by group: `revops: [anna@example.com]`",
                {"type": "object", "additionalProperties": WORD_OR_LIST},
            ),
            Key("time_zone", "the time zone of dates and days, like `Europe/Berlin`", TEXT),
            Key(
                "people",
                f"who is who: `{_person_example(systems)}`",
                {"type": "object", "additionalProperties": person_shape(systems).schema()},
            ),
        ),
        later=dict.fromkeys(("pools", "hours"), _ROUTING),
    )


def _person_example(systems: Systems) -> str:
    word = next((systems[key].owner_word for key in systems), "…")
    return f"kim@example.com: {{{word}: kim@example.com.prod}}"


_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def read(document: Document, today: date) -> PeoplePolicy:
    """The policy; addresses are lower-cased."""
    return PeoplePolicy(
        header=read_header(document, None, today),
        groups=_groups(document),
        time_zone=_time_zone(document),
        owner_table=_owner_table(document),
    )


def _groups(document: Document) -> dict[str, tuple[str, ...]]:
    node, reader = document.find("groups"), document.reader
    found = {}
    for name, members in reader.pairs(node, "groups", "revops: [anna@example.com]") if node is not None else ():
        words = reader.words(members, name.text)
        found[name.text.strip()] = tuple(
            dict.fromkeys(word.text.strip().lower() for word in words if _is_address(word, word.text, reader))
        )
    return found


def _time_zone(document: Document) -> str:
    text = document.text("time_zone")
    if text is None:
        return DEFAULT_TIME_ZONE
    if is_zone(text):
        return text
    document.reader.error(
        document.block["time_zone"],
        f"`{text}` is not a time zone",
        "For example `Europe/Berlin` or `America/New_York`.",
    )
    return DEFAULT_TIME_ZONE


def _owner_table(document: Document) -> dict[str, dict[str, str]]:
    node, reader = document.find("people"), document.reader
    found: dict[str, dict[str, str]] = {}
    taken: dict[tuple[str, str], str] = {}
    known, words = person_shape(document.systems), {document.systems[key].owner_word: key for key in document.systems}
    for person, value in reader.pairs(node, "people", _person_example(document.systems)) if node is not None else ():
        block = reader.block(value, known, named=person)
        if not _is_address(person, person.text, reader):
            continue
        by_system = {}
        for key, name_node in block.items():
            text = reader.text(name_node, key)
            if text is None:
                continue
            first = taken.setdefault((key, text.casefold()), person.text)
            if first != person.text:
                reader.error(name_node, f"`{text}` cannot be both {first} and {person.text}", "Keep one of the two.")
                continue
            by_system[words[key]] = text
        found[person.text.strip().lower()] = by_system
    return found


def _is_address(node: Node, text: str, reader: Reader) -> bool:
    if _ADDRESS.fullmatch(text.strip()):
        return True
    reader.error(node, f"`{text}` is not an e-mail address", "People are known by address: `anna@example.com`.")
    return False
