"""The lines every policy begins with, and one document of a file while it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import cast

from agent.changes import Mode
from agent.decide.conditions import Condition
from agent.decide.conditions_names import Names
from agent.decide.conditions_read import parse_condition
from agent.decide.policy import Header, Place
from agent.decide.reading import Block, Key, Reader
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import MapNode, Node, TextNode
from agent.systems import Systems

MODES = ("watch", "ask", "act")
BOTH = 2
"""A thing lives in two systems."""

TEXT: Mapping[str, object] = {"type": "string", "minLength": 1}
SCALAR: Mapping[str, object] = {"type": ["string", "number", "boolean"]}
WORD_OR_LIST: Mapping[str, object] = {"anyOf": [SCALAR, {"type": "array", "items": SCALAR, "minItems": 1}]}
CONDITION: Mapping[str, object] = {"$ref": "#/$defs/condition"}
DAY: Mapping[str, object] = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
COUNT: Mapping[str, object] = {"type": "integer", "minimum": 0}

NAME_PATTERN = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
ENTITY_PATTERN = r"[a-z][a-z0-9_]*"

NAME = Key("policy", "its unique name, like `person-basics`", {"type": "string", "pattern": f"^{NAME_PATTERN}$"}, True)
KIND = Key("kind", "what sort of policy this is", TEXT, True)
ABOUT = Key("about", "what it speaks of, as some policy `defines` it, like `person`", TEXT, True)

_OTHERS = (
    Key("responsible", "the e-mail address of the person who answers for it", TEXT, True),
    Key("purpose", "one sentence that says what it is for", TEXT, True),
    Key("review_by", "the date by which somebody must look at it again, like `2027-03-01`", DAY, True),
    Key("unless", "conditions under which it does nothing to a record", CONDITION),
    Key("expires", "the date after which it stops", DAY),
    Key("agreed_with", "who agreed to it", WORD_OR_LIST),
    Key("prevents", "what it is meant to prevent", WORD_OR_LIST),
    Key("after", "policies that go first on the same field", WORD_OR_LIST),
)
ONLY_WHEN = Key(
    "only_when", "conditions a record must meet to be in its selection; it leaves all others alone", CONDITION
)
"""For kinds that write records; a record outside stays paired and is not written."""

WITHOUT_MEANING = frozenset(
    {"policy", "responsible", "purpose", "review_by", "expires", "agreed_with", "prevents", "mode"}
)
"""Header lines that change nothing in a decision. ``mode`` is a ceiling that the guard applies."""

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def header_keys(*, needs_mode: bool) -> tuple[Key, ...]:
    """The header lines of a kind; kinds that write nothing themselves may leave out ``mode``."""
    mode = Key("mode", "watch, ask or act: how far it may go by itself", {"enum": list(MODES)}, needs_mode)
    return (NAME, KIND, *_OTHERS, mode)


@dataclass(frozen=True, slots=True)
class Document:
    """One policy of a file while it is read.

    ``block``: the given keys that its kind knows. ``name`` may be empty. ``systems`` are those of the installation.
    """

    reader: Reader
    node: MapNode
    kind: str
    block: Block
    name: str
    systems: Systems = field(default_factory=Systems)

    @property
    def place(self) -> Place:
        key = self.node.key("policy")
        return self.reader.place(key if key is not None else self.node)

    def find(self, key: str) -> Node | None:
        return self.block.get(key)

    def key(self, key: str) -> Node:
        """Where a key stands; the policy itself if it is not there."""
        return self.node.key(key) or self.node.key("policy") or self.node

    def words(self, key: str) -> list[TextNode]:
        """The texts of an optional key that takes one or several."""
        node = self.block.get(key)
        return self.reader.words(node, key) if node is not None else []

    def text(self, key: str) -> str | None:
        node = self.block.get(key)
        return self.reader.text(node, key) if node is not None else None


def policy_name(reader: Reader, node: MapNode) -> str:
    """The name, or an empty text when it is missing or no name."""
    given = node.find("policy")
    text = reader.text(given, "policy") if given is not None else None
    if given is None or text is None:
        return ""
    if not re.fullmatch(NAME_PATTERN, text):
        better = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
        reader.error(
            given,
            f"`{text}` is not a policy name",
            f"Use small letters, digits and hyphens: `{better or 'person-basics'}`.",
        )
    return text


def read_header(document: Document, names: Names | None, today: date, meaning: str = "") -> Header:
    """The header; wrong lines are noted and stand in with a harmless value.

    ``names`` is None for kinds without records.
    """
    responsible = document.text("responsible")
    if responsible is not None and not _ADDRESS.fullmatch(responsible):
        document.reader.error(
            document.block["responsible"],
            f"`responsible` must be an e-mail address, not `{responsible}`",
            "For example `anna@example.com`.",
        )
    return Header(
        name=document.name,
        kind=document.kind,
        responsible=responsible or "",
        purpose=document.text("purpose") or "",
        review_by=_review_by(document, today),
        mode=_mode(document),
        place=document.place,
        meaning=meaning,
        expires=_expires(document, today),
        unless=_conditions(document, "unless", names),
        only_when=_conditions(document, "only_when", names),
        after=tuple(word.text.strip() for word in document.words("after")),
    )


def read_about(document: Document, entity_types: set[str], *, is_complete: bool) -> str | None:
    """The entity type a policy is about. ``is_complete`` is False when a file could not be read."""
    text = document.text("about")
    if text is None or text in entity_types or not is_complete:
        return text
    document.reader.error(
        document.block["about"],
        f"no policy defines `{text}`",
        did_you_mean(text, sorted(entity_types), label="Defined")
        or f"Add a policy of kind fields with `defines: {text}`.",
    )
    return None


def _mode(document: Document) -> Mode:
    node = document.block.get("mode")
    if node is None:
        return "ask"
    return cast(Mode, document.reader.choice(node, "mode", MODES) or "watch")


def _review_by(document: Document, today: date) -> date:
    node = document.block.get("review_by")
    found = document.reader.day(node, "review_by") if node is not None else None
    if node is None or found is None:
        return today
    if found < today:
        document.reader.warn(
            node,
            f"{document.name} should have been reviewed by {found.isoformat()}",
            "It asks before it writes until somebody reads it again and moves the date.",
        )
    return found


def _expires(document: Document, today: date) -> date | None:
    node = document.block.get("expires")
    found = document.reader.day(node, "expires") if node is not None else None
    if node is not None and found is not None and found < today:
        document.reader.warn(
            node,
            f"{document.name} expired on {found.isoformat()} and writes nothing",
            "Move the date or remove the policy.",
        )
    return found


def _conditions(document: Document, key: str, names: Names | None) -> Condition | None:
    node = document.block.get(key)
    if node is None:
        return None
    if names is None:
        document.reader.error(
            document.key(key),
            f"a policy of kind {document.kind} has no records to be left out",
            "Remove the line.",
        )
        return None
    return parse_condition(node, names, document.reader)
