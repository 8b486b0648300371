"""What HubSpot takes as a property's value, and in which form it keeps it: text, or None where there is nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.emulator.hubspot.pipelines import known_stage, stage_choices
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.properties import Definition, Schema, is_read_only, may_be_set_by_people
from connectors.emulator.hubspot.refusals import Problem, invalid_values, malformed, text
from connectors.emulator.hubspot.times import read_day, read_moment, wire
from connectors.emulator.world import Row

LONGEST_TEXT = 65_536
NORMALISING_VERSION = "2026-09"
"""The version that mends sloppy dates and says so instead of refusing them."""

_EMAIL = re.compile(r"[^@\s,;<>()\[\]\\\"]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]+", re.ASCII)
_NUMBER = re.compile(r"-?(\d+(\.\d+)?|\.\d+)", re.ASCII)
_DOMAIN_DRESS = re.compile(r"^[a-z]+://|^www\.", re.ASCII)

Stored = str | None


@dataclass(slots=True)
class Writing:
    """One record's values on their way in. ``row`` is None for a create."""

    portal: Portal
    schema: Schema
    row: Row | None
    version: str = "v3"
    by_people: bool = False
    problems: list[Problem] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def stored(self, sent: Mapping[str, Any]) -> dict[str, Stored]:
        """{property: value to keep}.

        Raises:
            Refusal: 400 with every value that HubSpot does not take.
        """
        kept: dict[str, Stored] = {}
        for name, given in sent.items():
            definition = self.schema.definitions.get(name)
            if definition is None:
                self._unknown(name)
            elif not self._may_write(definition):
                self.problems.append(bad(name, "READ_ONLY_VALUE", "read_only"))
            elif given is not None or self.portal.setting("null_clears"):
                self._take(kept, definition, as_text(given))
        try:
            self._check_stage(kept)
        except Problem as problem:
            self.problems.append(problem)
        if self.problems:
            raise invalid_values(self.problems)
        return kept

    def _take(self, kept: dict[str, Stored], definition: Definition, given: str) -> None:
        name = definition["name"]
        if given == "":
            kept[name] = self.portal.setting("cleared_reads_as")
            return
        try:
            kept[name] = self._converted(definition, given)
        except Problem as problem:
            self.problems.append(problem)

    def _converted(self, definition: Definition, given: str) -> Stored:
        """The kept form. Raises Problem."""
        name, kind = definition["name"], self.schema.kind
        if (kind.name, name) == ("contacts", "email"):
            return self._email(given)
        if (kind.name, name) == ("companies", "domain"):
            return clean_domain(given, strips=self.portal.setting("domain_strips"))
        if (kind.name, name) == ("contacts", "associatedcompanyid"):
            return self._company(given)
        if definition.get("referencedObjectType") == "OWNER":
            return self._owner(name, given)
        if name in (kind.pipeline, kind.stage):
            return given
        return _BY_TYPE.get(definition["type"], Writing._string)(self, definition, given)

    def _string(self, definition: Definition, given: str) -> Stored:
        if len(given) > LONGEST_TEXT:
            raise bad(definition["name"], "VALUE_TOO_LONG", "too_long", limit=LONGEST_TEXT)
        return given

    def _number(self, definition: Definition, given: str) -> Stored:
        if _NUMBER.fullmatch(given) is None:
            raise bad(definition["name"], "INVALID_INTEGER", "bad_number", value=given)
        return given

    def _bool(self, definition: Definition, given: str) -> Stored:
        if given not in {"true", "false"}:
            raise bad(definition["name"], "INVALID_OPTION", "bad_bool", value=given)
        return given

    def _date(self, definition: Definition, given: str) -> Stored:
        name, found = definition["name"], read_day(given)
        if found is None:
            raise bad(name, "INVALID_DATE", "bad_date", value=given)
        day, is_midnight = found
        if not is_midnight:
            if self.version != NORMALISING_VERSION:
                raise bad(name, "INVALID_DATE", "bad_date", value=given)
            self._warn(name, given, day.isoformat())
        return day.isoformat()

    def _datetime(self, definition: Definition, given: str) -> Stored:
        at = read_moment(given)
        if at is None:
            raise bad(definition["name"], "INVALID_LONG", "bad_datetime", value=given)
        return wire(at)

    def _enumeration(self, definition: Definition, given: str) -> Stored:
        name = definition["name"]
        allowed = [option["value"] for option in definition["options"]]
        if definition["fieldType"] != "checkbox":
            if given not in allowed:
                raise bad_option(name, given, allowed)
            return given
        parts = given.split(";")
        before = str(self.row.values.get(name) or "") if self.row is not None else ""
        if parts[0] == "":
            parts = [*before.split(";"), *parts[1:]]
        parts = [part for part in dict.fromkeys(parts) if part]
        for part in parts:
            if part not in allowed:
                raise bad_option(name, part, allowed)
        return ";".join(parts)

    def _email(self, given: str) -> Stored:
        folded = given.lower()
        if _EMAIL.fullmatch(folded) is None:
            raise bad("email", "INVALID_EMAIL", "bad_email", value=given)
        return folded

    def _owner(self, name: str, given: str) -> Stored:
        owner = self.portal.owners.get(given)
        if owner is None or (owner["archived"] and self.portal.setting("owner_must_be_active")):
            active = [owner_id for owner_id, one in self.portal.owners.items() if not one["archived"]]
            raise bad_option(name, given, active)
        return given

    def _company(self, given: str) -> Stored:
        company = self.portal.space.row("companies", given)
        if company is None or company.deleted:
            raise bad("associatedcompanyid", "INVALID_INTEGER", "no_company", value=given)
        return given

    def _check_stage(self, kept: dict[str, Stored]) -> None:
        """A stage must belong to the pipeline that the record will be in."""
        kind = self.schema.kind
        if kind.stage is None or kind.pipeline is None:
            return
        pipeline = kept.get(kind.pipeline) or (self.row.values.get(kind.pipeline) if self.row is not None else None)
        if kind.pipeline in kept and pipeline is not None and not stage_choices(self.portal, kind, pipeline):
            known = [one["id"] for one in self.portal.space.settings["pipelines"][kind.name]]
            raise bad_option(kind.pipeline, pipeline, known)
        stage = kept.get(kind.stage)
        if stage is not None and not known_stage(self.portal, kind, pipeline, stage):
            choices = stage_choices(self.portal, kind, pipeline)
            options = f"pipelineId={pipeline or choices[0]} : [{', '.join(choices[1])}]" if choices else "[]"
            raise bad(kind.stage, "INVALID_OPTION", "bad_stage", value=stage, options=options)

    def _may_write(self, definition: Definition) -> bool:
        if not is_read_only(definition):
            return True
        return self.by_people and may_be_set_by_people(self.schema.kind, definition["name"])

    def _unknown(self, name: str) -> None:
        more = {
            "localizedErrorMessage": text("unknown_property", name=name),
            "portalId": self.portal.portal_id,
        }
        message = text("unknown_property", name=name)
        self.problems.append(Problem(name, "PROPERTY_DOESNT_EXIST", message, more))

    def _warn(self, name: str, raw: str, normalised: str) -> None:
        context = {"propertyName": [name], "rawValue": [raw], "normalizedValue": [normalised]}
        message = text("normalized", name=name)
        self.warnings.append({"category": "PROPERTY_VALUE_NORMALIZED", "message": message, "context": context})


_BY_TYPE: dict[str, Callable[[Writing, Definition, str], Stored]] = {
    "number": Writing._number,
    "bool": Writing._bool,
    "date": Writing._date,
    "datetime": Writing._datetime,
    "enumeration": Writing._enumeration,
}


def bad(name: str, code: str, message: str, **values: Any) -> Problem:
    return Problem(name, code, text(message, name=name, **values))


def bad_option(name: str, given: str, allowed: list[str]) -> Problem:
    return bad(name, "INVALID_OPTION", "bad_option", value=given, options=", ".join(allowed))


def as_text(given: Any) -> str:
    """HubSpot takes JSON numbers and booleans, too, and keeps text.

    Raises:
        Refusal: 400, a list or an object cannot be read as a value.
    """
    if isinstance(given, str):
        return given
    if given is None:
        return ""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int | float):
        return str(given)
    raise malformed("Cannot deserialize value of type `java.lang.String`")


def clean_domain(given: str, *, strips: bool) -> str:
    folded = given.strip().lower()
    if not strips:
        return folded
    while (shorter := _DOMAIN_DRESS.sub("", folded)) != folded:
        folded = shorter
    return folded.split("/")[0].split("?")[0].split(":")[0]
