"""XML as the SOAP API speaks it: local names and text, nothing that could expand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape


class BadXml(ValueError):
    """Text that is no plain XML document."""


@dataclass(slots=True)
class Element:
    """``name`` is without its namespace."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        return (child for child in self.children if child.name == name)

    def first(self, *path: str) -> Element | None:
        """The element that this path of names leads to."""
        found: Element | None = self
        for name in path:
            found = next(found.all(name), None) if found is not None else None
        return found

    def value(self, name: str) -> str:
        """The text of a child, empty when there is none."""
        found = self.first(name)
        return found.text if found is not None else ""


def parsed(data: bytes) -> Element:
    """The root. Raises BadXml: broken, or with a document type, from which entities could grow."""
    parser = ParserCreate(namespace_separator=" ")
    root = Element("")
    open_elements = [root]

    def start(name: str, attributes: Mapping[str, str]) -> None:
        element = Element(name.rpartition(" ")[2])
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(name: str) -> None:
        open_elements.pop()

    def characters(text: str) -> None:
        open_elements[-1].text += text

    def doctype(*_: Any) -> None:
        raise BadXml("a document type is not allowed")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, doctype
    try:
        parser.Parse(data, True)
    except ExpatError as error:
        raise BadXml(str(error)) from None
    return root.children[0]


def tag(name: str, content: str) -> str:
    """``content`` is XML already."""
    return f"<{name}>{content}</{name}>"


def text_tag(name: str, text: str) -> str:
    """``text`` is quoted."""
    return tag(name, escape(text))
