"""XML in and out, no more than SOAP needs: local names, text, nil. Document types are refused, so nothing expands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape

NIL = "http://www.w3.org/2001/XMLSchema-instance nil"


class BadXml(ValueError):
    """Text that is no plain XML document."""


@dataclass(slots=True)
class Element:
    """``name`` is without its namespace."""

    name: str
    is_nil: bool = False
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        return next(self.all(name), None)

    def value(self, name: str) -> str | None:
        """The text of a child; None when it is not there, or nil."""
        found = self.first(name)
        return None if found is None or found.is_nil else found.text

    def is_true(self, name: str) -> bool:
        return (self.value(name) or "").strip().lower() in ("true", "1")


def parsed(data: bytes) -> Element:
    """The root. Raises BadXml."""
    parser = ParserCreate(namespace_separator=" ")
    root = Element("")
    stack = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        element = Element(name.rpartition(" ")[2], attributes.get(NIL) in ("true", "1"))
        stack[-1].children.append(element)
        stack.append(element)

    def end(name: str) -> None:
        stack.pop()

    def characters(text: str) -> None:
        stack[-1].text += text

    def doctype(*_: Any) -> None:
        raise BadXml("a document type is not allowed")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, doctype
    try:
        parser.Parse(data, True)
    except ExpatError as error:
        raise BadXml(str(error)) from None
    return root.children[0]


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands inside an element whose type the answer names: ``xsi:type``."""

    type: str
    inside: str


def written(name: str, value: Any) -> str:
    """``{"id": "x", "errors": [{…}]}`` as elements: a list repeats its element, None is nil."""
    if isinstance(value, list):
        return "".join(written(name, each) for each in value)
    if isinstance(value, Typed):
        return f'<{name} xsi:type="{value.type}">{value.inside}</{name}>'
    if value is None:
        return f'<{name} xsi:nil="true"/>'
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(written(key, each) for key, each in value.items())}</{name}>"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text)}</{name}>"
