"""What HubSpot says when it refuses."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

AUTH = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at "
    "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)
SCOPES = (
    "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
    "https://developers.hubspot.com/scopes."
)


class Refusal(Exception):
    """One refused request or input."""

    def __init__(self, status: int, message: str, category: str | None, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.category = category
        self.extra = extra

    def body(self, number: int) -> dict[str, Any]:
        """``number`` makes the correlation id; deterministic for the same run."""
        document: dict[str, Any] = {"status": "error", "message": self.message, "correlationId": correlation(number)}
        document.update(self.extra)
        if self.category is not None:
            document["category"] = self.category
        return document

    def item(self, context: dict[str, Any]) -> dict[str, Any]:
        """The form inside a 207."""
        found = {"status": "error", "category": self.category or "VALIDATION_ERROR", "message": self.message}
        extra = {name: value for name, value in self.extra.items() if name != "context"}
        return {**found, **extra, "context": {**self.extra.get("context", {}), **context}}


def correlation(number: int) -> str:
    return str(uuid.UUID(int=number + (7 << 100)))


def not_found() -> Refusal:
    return Refusal(404, "resource not found", "OBJECT_NOT_FOUND")


def conflict(existing: str) -> Refusal:
    return Refusal(409, f"Contact already exists. Existing ID: {existing}", "CONFLICT")


def invalid_values(problems: list[tuple[str, str, str]]) -> Refusal:
    """``problems``: (property, code, message). The message embeds a JSON array, and ``errors`` repeats it."""
    embedded = [{"isValid": False, "message": text, "error": code, "name": name} for name, code, text in problems]
    errors = [{"message": text, "code": code, "context": {"propertyName": [name]}} for name, code, text in problems]
    text = f"Property values were not valid: {orjson.dumps(embedded).decode()}"
    return Refusal(400, text, "VALIDATION_ERROR", errors=errors)


def missing_scopes(scopes: list[str]) -> Refusal:
    error = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": scopes},
    }
    return Refusal(
        403, SCOPES, "MISSING_SCOPES", errors=[error], links={"scopes": "https://developers.hubspot.com/scopes"}
    )


def unauthenticated() -> Refusal:
    return Refusal(401, AUTH, "INVALID_AUTHENTICATION")


def invalid(message: str, **extra: Any) -> Refusal:
    return Refusal(400, message, "VALIDATION_ERROR", **extra)
