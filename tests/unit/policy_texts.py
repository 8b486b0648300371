"""Policies for the tests of the language, as somebody would write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from agent.connector import Choice, FieldSchema, FieldType, ObjectSchema
from agent.decide.conditions import Condition
from agent.decide.conditions_names import Known, Names
from agent.decide.conditions_read import parse_condition
from agent.decide.policy import Cleaner
from agent.decide.reading import Reader
from agent.decide.yaml_source import read_source
from agent.errors import Problem

TODAY = date(2026, 11, 24)

HEADER = """\
responsible: anna@example.com
purpose: Both CRMs agree
review_by: 2027-03-01
mode: ask
"""

PERSON = f"""\
policy: person-basics
kind: fields
{HEADER}defines: person
records: {{salesforce: [Contact, Lead], hubspot: contacts}}
match: [stored id, email]
first_time: fill blanks
losing_edit: revert
fields:
  email: {{salesforce: Email, hubspot: email, wins: salesforce, clean: email}}
  job_title: {{salesforce: Title, hubspot: jobtitle, wins: salesforce unless blank}}
"""

NAMES = Names(
    "person",
    {
        "score": Known("number"),
        "country": Known("text", Cleaner("country")),
        "title": Known(),
        "tier": Known("choice", meanings=("gold", "silver")),
        "renewal": Known("date"),
        "opted_out": Known("boolean"),
    },
    ("Lead", "MQL", "Opportunity", "Customer"),
)


def person(*, fields: str = "", extra: str = "") -> str:
    """The person policy with other lines under ``fields`` (two spaces in) and further lines at the end."""
    if not fields:
        return PERSON + extra
    head = PERSON[: PERSON.index("fields:\n")]
    return f"{head}fields:\n{fields}{extra}"


def policy(kind: str, body: str, *, name: str = "") -> str:
    """A policy of a kind with the usual header."""
    return f"policy: {name or f'a-{kind}'}\nkind: {kind}\n{HEADER}{body}"


def together(*policies: str) -> str:
    return "---\n".join(policies)


def read_condition(text: str, names: Names = NAMES) -> tuple[Condition | None, list[Problem]]:
    """A condition in YAML → the tree and what was wrong with it."""
    source = read_source("person.yaml", text)
    assert source.problems == ()
    reader = Reader("person.yaml", source.lines)
    return parse_condition(source.documents[0], names, reader), reader.problems


def condition(text: str, names: Names = NAMES) -> Condition:
    """A condition that must be right."""
    found, problems = read_condition(text, names)
    assert problems == []
    assert found is not None
    return found


def field(
    name: str,
    type_: FieldType = "text",
    *,
    label: str = "",
    writable: bool = True,
    length: int | None = None,
    choices: Mapping[str, str] | None = None,
    restricted: bool = False,
) -> FieldSchema:
    """``choices``: {internal name: label}."""
    listed = tuple(Choice(value, shown) for value, shown in (choices or {}).items())
    return FieldSchema(name, label or name, type_, writable, length=length, choices=listed, restricted=restricted)


def schema(system: str, object_type: str, *fields: FieldSchema) -> dict[tuple[str, str], ObjectSchema]:
    return {
        (system, object_type): ObjectSchema(system, object_type, object_type, {known.name: known for known in fields})
    }
