"""What Salesforce says when it refuses: HTTP status, error code, message, fields."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """One refused request or row. ``extra`` goes into the single-record body only (duplicate results)."""

    def __init__(
        self, status: int, code: str, message: str, fields: tuple[str, ...] | None = None, **extra: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.extra = extra

    def body(self) -> list[dict[str, Any]]:
        """The REST form."""
        document: dict[str, Any] = {**self.extra, "message": self.message, "errorCode": self.code}
        if self.fields is not None:
            document["fields"] = list(self.fields)
        return [document]

    def row(self) -> dict[str, Any]:
        """The form inside collections: the key is ``statusCode`` there."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}


def not_found(message: str = "The requested resource does not exist") -> Refusal:
    return Refusal(404, "NOT_FOUND", message)


def deleted() -> Refusal:
    return Refusal(404, "ENTITY_IS_DELETED", "entity is deleted", ())


def unknown_type(name: str) -> Refusal:
    return Refusal(
        400,
        "INVALID_TYPE",
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append "
        "the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
    )
