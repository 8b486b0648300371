"""``/search``: SOSL. All words of the term must stand in the searched fields; ``*`` and ``?`` stand for letters.

A real org's search index lags a little; this one does not, which a claim test should not lean on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.querying import View, refusal_of
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.salesforce.soql.evaluate import rows_of
from connectors.emulator.salesforce.soql.lexer import SoqlError
from connectors.emulator.salesforce.soql.parser import parse
from connectors.emulator.salesforce.soql.paths import Scope
from connectors.emulator.salesforce.soql.shape import maker
from connectors.emulator.world import Row

MOST_FOUND = 2_000
SHORTEST = 2
USUAL = ("Account", "Contact", "Lead", "Opportunity", "Case", "Campaign")
"""Where a search looks that does not say RETURNING."""

SOQL = "SELECT {fields} FROM {kind} {rest}"
SENTENCE = re.compile(
    r"\s*FIND\s*\{(?P<term>(?:[^{}\\]|\\.)*)\}"
    r"(?:\s*IN\s+(?P<group>ALL|NAME|EMAIL|PHONE|SIDEBAR)\s+FIELDS)?"
    r"(?:\s*RETURNING\s+(?P<returning>.*?))?"
    r"(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
RETURNED = re.compile(r"\s*(?P<kind>\w+)\s*(?:\((?P<inside>(?:[^()]|\([^()]*\))*)\))?\s*(?:,|$)")
CLAUSE = re.compile(r"\b(?:WHERE|ORDER\s+BY|LIMIT|OFFSET)\b", re.IGNORECASE)
GROUPS: dict[str, Callable[[Any], bool]] = {
    "NAME": lambda item: bool(item.describe.get("nameField")) or item.compound == "Name",
    "EMAIL": lambda item: item.type == "email",
    "PHONE": lambda item: item.type == "phone",
    "SIDEBAR": lambda item: bool(item.describe.get("nameField")) or item.compound == "Name" or item.type == "phone",
}
SEARCHED = ("string", "email", "phone", "url", "textarea", "combobox")


@dataclass(frozen=True, slots=True)
class Search:
    """``queries`` are SOQL, one for each object."""

    words: list[re.Pattern[str]]
    group: str
    queries: list[str]
    limit: int


def search(call: Call) -> Answer:
    text = call.query.get("q", "")
    try:
        wanted = _read(text)
        view = View(call.org, call.user_id, with_deleted=False)
        found = [record for soql in wanted.queries for record in _found(view, soql, wanted, call.url("sobjects"))]
    except SoqlError as error:
        raise Refusal(400, "MALFORMED_SEARCH", refusal_of(call.org, text, error).message) from None
    return Answer(200, {"searchRecords": found[: wanted.limit]})


def _read(text: str) -> Search:
    """Raises Refusal (MALFORMED_SEARCH)."""
    match = SENTENCE.fullmatch(text)
    if match is None:
        raise Refusal(400, "MALFORMED_SEARCH", f"No viable alternative in the search: {text}")
    term = match["term"].strip()
    if len(re.sub(r"[*?\\\"]", "", term)) < SHORTEST:
        message = f"search term must be longer than one character: {term}"
        raise Refusal(400, "MALFORMED_SEARCH", message)
    returning = match["returning"]
    queries = (
        list(_queries(returning)) if returning else [SOQL.format(fields="Id", kind=kind, rest="") for kind in USUAL]
    )
    limit = min(int(match["limit"] or MOST_FOUND), MOST_FOUND)
    return Search(_words(term), (match["group"] or "ALL").upper(), queries, limit)


def _queries(returning: str) -> Iterator[str]:
    """``Contact(Id, Name WHERE …)`` as SOQL. Raises Refusal."""
    place = 0
    while place < len(returning.rstrip()):
        match = RETURNED.match(returning, place)
        if match is None:
            raise Refusal(400, "MALFORMED_SEARCH", f"unexpected token in RETURNING: {returning[place:].strip()}")
        inside = (match["inside"] or "Id").strip()
        clause = CLAUSE.search(inside)
        fields, rest = (inside, "") if clause is None else (inside[: clause.start()], inside[clause.start() :])
        yield SOQL.format(fields=fields.strip() or "Id", kind=match["kind"], rest=rest)
        place = match.end()


def _words(term: str) -> list[re.Pattern[str]]:
    """Patterns of whole words. An escaped character stands for itself and parts words like a blank."""
    plain = re.sub(r"\\.", " ", term)
    return [re.compile(translate(word.lower())) for word in re.findall(r"[\w*?]+", plain)]


def _found(view: View, soql: str, wanted: Search, root: str) -> list[dict[str, Any]]:
    """Raises SoqlError."""
    scope = Scope.of(view, parse(soql))
    make = maker(scope, root)
    names = list(_searched(scope.kind, wanted.group))
    return [make(row) for row in rows_of(scope) if _holds(row, names, wanted.words)]


def _searched(kind: ObjectType, group: str) -> Iterator[str]:
    belongs = GROUPS.get(group, lambda item: True)
    searched = (item for item in kind.visible.values() if item.computed is None and item.type in SEARCHED)
    return (item.name for item in searched if belongs(item))


def _holds(row: Row, names: Iterable[str], words: list[re.Pattern[str]]) -> bool:
    text = " ".join(str(value) for name in names if (value := row.values.get(name)) is not None)
    tokens = set(re.findall(r"\w+", text.lower()))
    return all(any(word.fullmatch(token) for token in tokens) for word in words)
