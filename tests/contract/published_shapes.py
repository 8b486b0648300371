"""HubSpot's published OpenAPI files as checks of what the practice portal answers. They stay outside the repository."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hubspot_tour import Exchange
from jsonschema import Draft202012Validator, FormatChecker

Document = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One method of one path of one published file."""

    file: str
    method: str
    template: str
    pattern: re.Pattern[str]
    responses: Document
    components: Document

    def matches(self, exchange: Exchange) -> bool:
        return self.method == exchange.method and self.pattern.fullmatch(exchange.path) is not None

    def differences(self, exchange: Exchange) -> Iterator[str]:
        """What the schema of this answer has against it."""
        status, published = str(exchange.status), sorted(set(self.responses) - {"default"})
        if status not in published and exchange.status < 300:
            if not published:
                return
            yield f"status {status}, published are {', '.join(published)}"
            return
        schema = self._schema(self.responses.get(status) or self.responses.get("default") or {})
        if schema is None:
            return
        if exchange.body is None:
            yield "the body is missing"
            return
        for error in self._validator(schema).iter_errors(exchange.body):
            if error.instance is None:
                continue  # nulls are hardly ever described: an unset value, an archived owner's user
            where = "/".join("*" if isinstance(part, int) else str(part) for part in error.absolute_path)
            yield f"{where or 'the body'}: {error.message[:160]}"

    def _schema(self, response: Document) -> Document | None:
        """None for an answer without a body."""
        if "$ref" in response:
            response = self.components["responses"][response["$ref"].rsplit("/", 1)[-1]]
        contents = [content for content in response.get("content", {}).values() if "schema" in content]
        return contents[0]["schema"] if contents else None

    def _validator(self, schema: Document) -> Draft202012Validator:
        whole = {"components": self.components, **strict({"allOf": [schema]})}
        return Draft202012Validator(whole, format_checker=FormatChecker())


def strict(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema, and nothing beside what it names. Examples and descriptions say nothing here."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: strict(part) for name, part in schema.items() if name not in {"example", "description"}}
    if isinstance(kept.get("properties"), dict) and kept["properties"]:
        kept["properties"] = {name: strict(part) for name, part in schema["properties"].items()}
        kept.setdefault("unevaluatedProperties", False)
    kept.pop("nullable", None)
    return kept


class Published:
    """All operations of a local copy of the collection, beta versions left out."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def operations(self) -> list[Operation]:
        return [operation for path in sorted(self.root.rglob("*.json")) for operation in operations_in(path)]

    def of(self, exchange: Exchange) -> list[Operation]:
        """The operations with the most exact path: several files may describe the same one."""
        found = [one for one in self.operations if one.matches(exchange)]
        fewest = min((one.template.count("{") for one in found), default=0)
        return [one for one in found if one.template.count("{") == fewest]

    def differences(self, exchange: Exchange) -> set[str]:
        """What every description of this operation has against this answer."""
        told = [set(one.differences(exchange)) for one in self.of(exchange)]
        return set.intersection(*told) if told else set()


def operations_in(path: Path) -> Iterator[Operation]:
    document = json.loads(path.read_text(encoding="utf-8"))
    if "beta" in str(path) or not isinstance(document, dict) or "openapi" not in document:
        return
    components = strict_components(document.get("components", {}))
    for template, methods in document["paths"].items():
        pattern = re.compile(re.sub(r"\\\{[^{}]+\\\}", "[^/]+", re.escape(template)) + "/?")
        for method in METHODS:
            if method in methods:
                name = "/".join(path.parts[-4:])
                yield Operation(name, method.upper(), template, pattern, methods[method]["responses"], components)


def strict_components(components: Document) -> Document:
    schemas = {name: strict(schema) for name, schema in components.get("schemas", {}).items()}
    return {"schemas": schemas, "responses": components.get("responses", {})}
