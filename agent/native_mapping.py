"""The mapping of HubSpot's own Salesforce integration, as somebody types it off its screen → policies of ours.

Its four rules are words that ``wins`` knows (``kinds.wins.presets``). What has no line of its own here, or would break
a rule that ``truce check`` holds to, is left out by name, with the reason. Pure: texts in, texts out.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from io import StringIO
from typing import Any

from agent.decide import parse
from agent.decide.kinds.wins import folded, presets
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode, read_source
from agent.systems import Systems

FILE = "native.yaml"
NEVER, TWO_WAY = "don't sync", "two-way"
REVIEW_AFTER = timedelta(days=90)

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "hubspot": ("hubspot", "hubspot property", "property"),
    "salesforce": ("salesforce", "salesforce field", "field"),
    "rule": ("rule", "sync rule", "update rule", "field sync rule"),
    "object": ("object", "hubspot object"),
}
_NEEDED = ("hubspot", "salesforce", "rule")
_CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one object of the mapping is here.

    ``records``: {system: object types}. ``key``: (line, Salesforce field, HubSpot property, cleaner) by which
    counterparts are found, beside the stored id. ``names``: other words for it.
    """

    about: str
    records: Mapping[str, str]
    key: tuple[str, str, str, str] | None
    names: tuple[str, ...]


@lru_cache(maxsize=1)
def _facts() -> Mapping[str, Any]:
    """Names of the two vendors: native_mapping.json."""
    loaded: Mapping[str, Any] = json.loads(files("agent").joinpath("native_mapping.json").read_text("utf-8"))
    return loaded


@lru_cache(maxsize=1)
def _kinds() -> Mapping[str, _Kind]:
    return {
        name: _Kind(kind["about"], kind["records"], tuple(kind["key"]) if kind["key"] else None, tuple(kind["names"]))
        for name, kind in _facts()["objects"].items()
    }


@dataclass(frozen=True, slots=True)
class Mapped:
    """One line of the mapping. ``salesforce``: one field, or {object type: field}. ``line`` counts from 1."""

    line: int
    hubspot: str
    salesforce: str | Mapping[str, str]
    rule: str
    object: str = _CONTACT

    def __str__(self) -> str:
        there = self.salesforce if isinstance(self.salesforce, str) else ", ".join(self.salesforce.values())
        return f"{self.hubspot or '?'} ↔ {there or '?'} ({self.rule or 'no rule'})"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know about one line of the mapping: why it was left out, or what was said instead."""

    line: int
    mapping: str
    why: str


@dataclass(frozen=True, slots=True)
class Converted:
    """``text``: the policies, one after another; empty when nothing could be said. ``said`` counts their lines."""

    text: str
    said: int
    left_out: tuple[Remark, ...]
    notes: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """One line of ours and what it came from."""

    name: str
    text: str
    origin: Mapped


@dataclass(slots=True)
class _Draft:
    """The lines of each kind while they are gathered."""

    systems: Systems
    lines: dict[str, list[_Said]] = field(default_factory=dict)
    left_out: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)

    def leave_out(self, mapped: Mapped, why: str) -> None:
        self.left_out.append(Remark(mapped.line, str(mapped), why))

    def note(self, mapped: Mapped, what: str) -> None:
        self.notes.append(Remark(mapped.line, str(mapped), what))


def convert(mapping: Sequence[Mapped], responsible: str, today: date, systems: Systems) -> Converted:
    """The policies these mappings amount to; they pass ``truce check``. ``systems``: both CRMs, as declared."""
    draft = _Draft(systems)
    for mapped in mapping:
        _say(draft, mapped)
    for kind in draft.lines:
        _add_key(draft, kind)
    text = _checked(draft, responsible, today)
    return Converted(
        text,
        sum(len(lines) for lines in draft.lines.values()),
        tuple(sorted(draft.left_out, key=lambda remark: remark.line)),
        tuple(sorted(draft.notes, key=lambda remark: remark.line)),
    )


def read_mapping(file: str, text: str) -> tuple[list[Mapped], list[Remark]]:
    """What a person typed, as CSV with a heading or as a YAML list, and the lines that cannot be read."""
    if file.lower().endswith((".yaml", ".yml")):
        return _from_yaml(file, text)
    return _from_csv(text)


def _from_csv(text: str) -> tuple[list[Mapped], list[Remark]]:
    rows = csv.reader(StringIO(text.removeprefix("\ufeff")), delimiter=_delimiter(text))
    heading: dict[str, int] = {}
    found: list[Mapped] = []
    for row in rows:
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not heading:
            heading = _heading(cells)
            missing = [name for name in _NEEDED if name not in heading]
            if missing:
                why = f"the first line must name the columns; {' and '.join(missing)} is missing"
                return [], [Remark(rows.line_num, ", ".join(cells), f"{why}: `hubspot,salesforce,rule`")]
            continue
        values = {name: cells[place] if place < len(cells) else "" for name, place in heading.items()}
        found.append(_mapped(rows.line_num, values))
    return found, []


def _delimiter(text: str) -> str:
    """Spreadsheets of many countries write semicolons."""
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return max(",;\t", key=first.count)


def _heading(cells: Sequence[str]) -> dict[str, int]:
    plain = [" ".join(cell.casefold().split()) for cell in cells]
    return {name: plain.index(word) for name, words in _COLUMNS.items() for word in words if word in plain}


def _from_yaml(file: str, text: str) -> tuple[list[Mapped], list[Remark]]:
    source = read_source(file, text)
    found: list[Mapped] = []
    wrong = [Remark(problem.line, problem.excerpt.strip(), problem.message) for problem in source.problems]
    for item in (item for document in source.documents for item in _items(document)):
        if not isinstance(item, MapNode):
            wrong.append(Remark(item.line, "", "write `- {hubspot: jobtitle, salesforce: Title, rule: Two-way}`"))
            continue
        values = {key.text.strip().casefold(): value for key, value in item.pairs}
        unknown = [key for key in values if key not in _COLUMNS]
        if unknown:
            wrong.append(Remark(item.line, "", f"unknown `{unknown[0]}`. {did_you_mean(unknown[0], _COLUMNS)}"))
            continue
        plain = {key: value.text for key, value in values.items() if isinstance(value, TextNode)}
        mapped = _mapped(item.line, plain)
        there = values.get("salesforce")
        if isinstance(there, MapNode):
            mapped = replace(mapped, salesforce={key.text: _text(value) for key, value in there.pairs})
        found.append(mapped)
    return found, wrong


def _items(document: Node) -> Sequence[Node]:
    return document.items if isinstance(document, ListNode) else (document,)


def _text(node: Node) -> str:
    return node.text.strip() if isinstance(node, TextNode) else ""


def _mapped(line: int, values: Mapping[str, str]) -> Mapped:
    """``Lead: Country, Contact: MailingCountry`` in one cell names a field per object type."""
    there = values.get("salesforce", "").strip()
    parts = [part.partition(":") for part in re.split(r"[,;|]", there)] if ":" in there else []
    salesforce = {name.strip(): value.strip() for name, _, value in parts} if parts else there
    return Mapped(
        line,
        values.get("hubspot", "").strip(),
        salesforce,
        values.get("rule", "").strip(),
        values.get("object", "").strip() or _CONTACT,
    )


def _say(draft: _Draft, mapped: Mapped) -> None:
    kind = _kind(mapped.object)
    rule, rules = folded(mapped.rule), presets(draft.systems)
    lines = draft.lines.get(kind or "", [])
    if kind is None:
        draft.leave_out(mapped, f"`{mapped.object}` is not synchronised here. {did_you_mean(mapped.object, _kinds())}")
    elif not mapped.hubspot or not mapped.salesforce:
        draft.leave_out(mapped, "it does not name a field on both sides")
    elif rule not in rules:
        draft.leave_out(
            mapped, f"`{mapped.rule}` is no rule of the integration. {did_you_mean(mapped.rule, _facts()['rules'])}"
        )
    elif mapped.hubspot in _facts()["elsewhere"]:
        draft.leave_out(mapped, _facts()["elsewhere"][mapped.hubspot])
    elif any(said.origin.hubspot == mapped.hubspot for said in lines):
        first = next(said.origin.line for said in lines if said.origin.hubspot == mapped.hubspot)
        draft.leave_out(mapped, f"`{mapped.hubspot}` is mapped already in line {first}; each property is mapped once")
    else:
        name = _name(mapped.hubspot, {said.name for said in lines})
        draft.lines.setdefault(kind, []).append(_Said(name, _line(draft, name, mapped, rule), mapped))


def _kind(word: str) -> str | None:
    plain = word.casefold()
    return next((name for name, kind in _kinds().items() if plain == name or plain in kind.names), None)


def _name(hubspot: str, taken: set[str]) -> str:
    """A left-hand name: the property's own, made of small letters, digits and underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", hubspot.casefold()).strip("_")
    name = name if name[:1].isalpha() else f"field_{name}".rstrip("_")
    return next(each for each in _numbered(name) if each not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def _line(draft: _Draft, name: str, mapped: Mapped, rule: str) -> str:
    there = _quoted(mapped.salesforce) if isinstance(mapped.salesforce, str) else _braces(mapped.salesforce)
    says = f"wins: {rule}"
    if rule == NEVER:
        pass
    elif mapped.hubspot == _facts()["consent"]:
        says = "wins: opt-out"
        draft.note(mapped, "out anywhere is out everywhere here, whichever rule the screen shows")
    elif mapped.hubspot == _facts()["owner"]:
        says = "wins: newest, else: salesforce, owner: true, otherwise: skip"
        draft.note(mapped, "the integration treats the owner as two-way whichever rule it shows, and so does this line")
    elif rule == TWO_WAY:
        draft.note(mapped, "where nobody can tell which side is newer, a person is asked instead of guessing")
    clean = ", clean: email" if name == "email" and mapped.hubspot == "email" else ""
    return f"{name}: {{salesforce: {there}, hubspot: {_quoted(mapped.hubspot)}, {says}{clean}}}"


def _braces(by_type: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_quoted(name)}: {_quoted(value)}" for name, value in by_type.items()) + "}"


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z]\w*", text, re.ASCII) else json.dumps(text, ensure_ascii=False)


def _add_key(draft: _Draft, kind: str) -> None:
    """The integration finds a contact by its e-mail whatever is mapped; without the line nobody would be found."""
    key = _kinds()[kind].key
    if key is None or any(said.origin.hubspot == key[2] for said in draft.lines[kind]):
        return
    name, salesforce, hubspot, clean = key
    name = _name(name, {said.name for said in draft.lines[kind]})
    text = f"{name}: {{salesforce: {salesforce}, hubspot: {hubspot}, wins: salesforce unless blank, clean: {clean}}}"
    added = Mapped(0, hubspot, salesforce, "added", kind)
    draft.lines[kind].insert(0, _Said(name, text, added))
    draft.note(added, f"added: a {_kinds()[kind].about} finds its counterpart by it")


def _checked(draft: _Draft, responsible: str, today: date) -> str:
    """The text, without the lines that ``truce check`` refuses: it says why."""
    while True:
        text, origins = _written(draft, responsible, today)
        errors = [
            problem for problem in parse.check({FILE: text}, None, today, draft.systems) if not problem.is_warning
        ]
        refused = [(origins[problem.line], problem.message) for problem in errors if problem.line in origins]
        if not refused:
            return text
        said, why = refused[-1]
        for lines in draft.lines.values():
            if said in lines:
                lines.remove(said)
        draft.leave_out(said.origin, why)
        draft.lines = {kind: lines for kind, lines in draft.lines.items() if lines}


def _written(draft: _Draft, responsible: str, today: date) -> tuple[str, dict[int, _Said]]:
    """(text, {line of the text: what stands there})."""
    lines: list[str] = []
    origins: dict[int, _Said] = {}
    for name, said in draft.lines.items():
        lines += [*(["---"] if lines else []), *_head(_kinds()[name], said, responsible, today)]
        for each in said:
            lines.append(f"  {each.text}")
            origins[len(lines)] = each
    return "\n".join([*lines, ""]) if lines else "", origins


def _head(kind: _Kind, said: Sequence[_Said], responsible: str, today: date) -> list[str]:
    key = next((each.name for each in said if kind.key and each.origin.hubspot == kind.key[2]), None)
    match = "[stored id]" if key is None else f"[stored id, {key}]"
    return [
        f"# As HubSpot's own Salesforce integration kept a {kind.about}. Nothing is created until you add `create`.",
        f"policy: {kind.about}-native",
        "kind: fields",
        f"responsible: {responsible}",
        "purpose: Fields agree as under HubSpot's own integration",
        f"review_by: {(today + REVIEW_AFTER).isoformat()}",
        "mode: watch",
        f"defines: {kind.about}",
        f"records: {{{', '.join(f'{system}: {types}' for system, types in kind.records.items())}}}",
        f"match: {match}",
        "first_time: fill blanks",
        "losing_edit: revert",
        "fields:",
    ]
