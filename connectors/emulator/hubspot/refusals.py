"""What HubSpot says when it refuses: status and the parts of its error body. The texts are in ``schema/texts.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parent / "schema"


@cache
def load(name: str) -> Any:
    """One of the data files beside the code; callers do not change it."""
    return json.loads((SCHEMA / f"{name}.json").read_text(encoding="utf-8"))


def text(key: str, /, **values: Any) -> str:
    return str(load("texts")[key]).format(**values)


class Refusal(Exception):
    """A refused request or one refused input of a batch. ``parts`` is the body without status and correlationId."""

    def __init__(self, status: int, message: str, category: str | None, **parts: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.category = category
        self.parts = parts
        self.headers: dict[str, str] = {}

    def body(self, correlation_id: str) -> dict[str, Any]:
        document: dict[str, Any] = {"status": "error", "message": self.message, "correlationId": correlation_id}
        document.update(self.parts)
        if self.category is not None:
            document["category"] = self.category
        return document

    def as_item(self, trace_id: str | None) -> dict[str, Any]:
        """The form inside a 207."""
        context = dict(self.parts.get("context", {}))
        if trace_id is not None:
            context["objectWriteTraceId"] = [trace_id]
        item = {
            "status": "error",
            "category": self.category or "VALIDATION_ERROR",
            "message": self.message,
            "context": context,
            "errors": self.parts.get("errors", []),
            "links": {},
        }
        if "subCategory" in self.parts:
            item["subCategory"] = self.parts["subCategory"]
        return item


@dataclass(eq=False)
class Problem(Exception):
    """One property value that HubSpot does not take."""

    name: str
    code: str
    message: str
    more: dict[str, Any] = field(default_factory=dict)


def invalid_values(problems: list[Problem]) -> Refusal:
    """The two forms at once: a JSON array inside the message, and ``errors``."""
    details = [
        {"isValid": False, "message": one.message, "error": one.code, "name": one.name, **one.more} for one in problems
    ]
    errors = [{"message": one.message, "code": one.code, "context": {"propertyName": [one.name]}} for one in problems]
    message = text("not_valid", details=json.dumps(details))
    return Refusal(400, message, "VALIDATION_ERROR", errors=errors)


def bad_request(message: str, **parts: Any) -> Refusal:
    return Refusal(400, message, "VALIDATION_ERROR", **parts)


def malformed(why: str, line: int = 1, column: int = 1) -> Refusal:
    """Unreadable JSON has no category."""
    return Refusal(400, text("malformed", line=line, column=column, why=why), None)


def not_found() -> Refusal:
    return Refusal(404, text("not_found"), "OBJECT_NOT_FOUND")


def some_missing(type_name: str, ids: list[str], status: int = 404) -> Refusal:
    return Refusal(status, text("some_missing", type=type_name), "OBJECT_NOT_FOUND", context={"ids": ids})


def missing_scopes(any_of: list[str]) -> Refusal:
    detail = {"message": text("no_scope_detail"), "context": {"requiredGranularScopes": any_of}}
    links = {"scopes": text("scopes_page")}
    return Refusal(403, text("no_scope"), "MISSING_SCOPES", errors=[detail], links=links)
