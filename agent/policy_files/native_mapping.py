"""The field mapping of a vendor's own integration, as somebody types it off its screen → policies of ours.

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
from io import StringIO

from agent.decide import parse
from agent.decide.kinds.wins import TWO_WAY, folded, presets
from agent.decide.policy import FieldRule
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode, read_source
from agent.policy_files.neighbours import Neighbours
from agent.systems import NativeMapping, NativeObject, Systems

FILE = "native.yaml"
NEVER = "don't sync"
REVIEW_AFTER = timedelta(days=90)

_CONTACT = "contact"
_RULE = ("rule", "sync rule", "update rule", "field sync rule")
_OBJECT = ("object", "object type")


@dataclass(frozen=True, slots=True)
class Integration:
    """A vendor's own integration: ``home`` is the system it belongs to, ``systems`` both."""

    home: str
    native: NativeMapping
    systems: Systems

    @property
    def other(self) -> str:
        return self.native.other

    @property
    def rules(self) -> tuple[str, ...]:
        """Its four rules, by name."""
        return (f"prefer {self.other} unless blank", f"always use {self.other}", TWO_WAY, NEVER)

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """{what stands in a column: how the column may be called}."""
        here, there = ((key, f"{key} property", f"{key} field") for key in (self.home, self.other))
        return {"here": here, "there": there, "rule": _RULE, "object": _OBJECT}

    def kind(self, word: str) -> NativeObject | None:
        plain = word.casefold()
        found = (kind for name, kind in self.native.objects.items() if plain == name or plain in kind.names)
        return next(found, None)


def integration_of(systems: Systems) -> Integration | None:
    """The integration that one of these systems has with another of them."""
    for home in systems:
        native = systems[home].native
        if native is not None and native.other in systems:
            return Integration(home, native, systems.only((home, native.other)))
    return None


@dataclass(frozen=True, slots=True)
class Mapped:
    """One line of the mapping. ``here``: the field in the integration's own system; ``there``: one field of the other,
    or {object type: field}. ``line`` counts from 1."""

    line: int
    here: str
    there: str | Mapping[str, str]
    rule: str
    object: str = _CONTACT

    def __str__(self) -> str:
        there = self.there if isinstance(self.there, str) else ", ".join(self.there.values())
        return f"{self.here or '?'} ↔ {there or '?'} ({self.rule or 'no rule'})"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know about one line of the mapping: why it was left out, or what was said instead."""

    line: int
    mapping: str
    why: str


@dataclass(frozen=True, slots=True)
class Converted:
    """``text``: the policies, one after another; empty when nothing could be said. ``said`` counts their lines, those
    that are only read for others' sake apart; ``replaces`` are the files whose place the policies take."""

    text: str
    said: int
    left_out: tuple[Remark, ...]
    notes: tuple[Remark, ...]
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """One line of ours and what it came from."""

    name: str
    text: str
    origin: Mapped


@dataclass(slots=True)
class _Draft:
    """The lines about each thing while they are gathered."""

    integration: Integration
    neighbours: Neighbours
    lines: dict[str, list[_Said]] = field(default_factory=dict)
    left_out: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)

    def leave_out(self, mapped: Mapped, why: str) -> None:
        self.left_out.append(Remark(mapped.line, str(mapped), why))

    def note(self, mapped: Mapped, what: str) -> None:
        self.notes.append(Remark(mapped.line, str(mapped), what))


def convert(
    mapping: Sequence[Mapped],
    responsible: str,
    today: date,
    integration: Integration,
    neighbours: Neighbours | None = None,
) -> Converted:
    """The policies these mappings amount to; they pass ``truce check``, alone and in the place of their neighbours."""
    draft = _Draft(integration, neighbours or Neighbours())
    for mapped in mapping:
        _say(draft, mapped)
    for about in draft.lines:
        _add_key(draft, about)
    for about in draft.lines:
        _add_looked_at(draft, about)
    text = _checked(draft, responsible, today)
    return Converted(
        text,
        sum(said.origin.there != "" for lines in draft.lines.values() for said in lines),
        tuple(sorted(draft.left_out, key=lambda remark: remark.line)),
        tuple(sorted(draft.notes, key=lambda remark: remark.line)),
        tuple(draft.neighbours.files[about] for about in draft.lines if about in draft.neighbours.files),
    )


def read_mapping(file: str, text: str, integration: Integration) -> tuple[list[Mapped], list[Remark]]:
    """What a person typed, as CSV with a heading or as a YAML list, and the lines that cannot be read."""
    if file.lower().endswith((".yaml", ".yml")):
        return _from_yaml(file, text, integration)
    return _from_csv(text, integration)


def _from_csv(text: str, integration: Integration) -> tuple[list[Mapped], list[Remark]]:
    rows = csv.reader(StringIO(text.removeprefix("\ufeff")), delimiter=_delimiter(text))
    heading: dict[str, int] = {}
    found: list[Mapped] = []
    for row in rows:
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not heading:
            heading = _heading(cells, integration)
            if not {"here", "there", "rule"} <= heading.keys():
                columns = f"{integration.home},{integration.other},rule"
                return [], [
                    Remark(rows.line_num, ", ".join(cells), f"the first line must name the columns: `{columns}`")
                ]
            continue
        values = {name: cells[place] if place < len(cells) else "" for name, place in heading.items()}
        found.append(_mapped(rows.line_num, values))
    return found, []


def _delimiter(text: str) -> str:
    """Spreadsheets of many countries write semicolons."""
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return max(",;\t", key=first.count)


def _heading(cells: Sequence[str], integration: Integration) -> dict[str, int]:
    plain = [" ".join(cell.casefold().split()) for cell in cells]
    return {name: plain.index(word) for name, words in integration.columns.items() for word in words if word in plain}


def _from_yaml(file: str, text: str, integration: Integration) -> tuple[list[Mapped], list[Remark]]:
    source = read_source(file, text)
    found: list[Mapped] = []
    wrong = [Remark(problem.line, problem.excerpt.strip(), problem.message) for problem in source.problems]
    columns = {word: name for name, words in integration.columns.items() for word in words}
    for item in (item for document in source.documents for item in _items(document)):
        if not isinstance(item, MapNode):
            example = f"{{{integration.home}: …, {integration.other}: …, rule: …}}"
            wrong.append(Remark(item.line, "", f"write `- {example}`"))
            continue
        unknown = [key.text for key, _ in item.pairs if key.text.strip().casefold() not in columns]
        if unknown:
            wrong.append(Remark(item.line, "", f"unknown `{unknown[0]}`. {did_you_mean(unknown[0], columns)}"))
            continue
        values = {columns[key.text.strip().casefold()]: value for key, value in item.pairs}
        mapped = _mapped(item.line, {key: value.text for key, value in values.items() if isinstance(value, TextNode)})
        there = values.get("there")
        if isinstance(there, MapNode):
            mapped = replace(mapped, there={key.text: _text(value) for key, value in there.pairs})
        found.append(mapped)
    return found, wrong


def _items(document: Node) -> Sequence[Node]:
    return document.items if isinstance(document, ListNode) else (document,)


def _text(node: Node) -> str:
    return node.text.strip() if isinstance(node, TextNode) else ""


def _mapped(line: int, values: Mapping[str, str]) -> Mapped:
    """``Lead: Country, Contact: MailingCountry`` in one cell names a field per object type."""
    there = values.get("there", "").strip()
    parts = [part.partition(":") for part in re.split(r"[,;|]", there)] if ":" in there else []
    return Mapped(
        line,
        values.get("here", "").strip(),
        {name.strip(): value.strip() for name, _, value in parts} if parts else there,
        values.get("rule", "").strip(),
        values.get("object", "").strip() or _CONTACT,
    )


def _say(draft: _Draft, mapped: Mapped) -> None:
    why = _why_not(draft, mapped)
    kind = draft.integration.kind(mapped.object)
    if why is not None or kind is None:
        draft.leave_out(mapped, why or "")
        return
    lines = draft.lines.setdefault(kind.about, [])
    known = draft.neighbours.name_of(kind.about, draft.integration.home, mapped.here)
    name = _name(known or mapped.here, {said.name for said in lines})
    lines.append(_Said(name, _line(draft, name, mapped, folded(mapped.rule)), mapped))


def _why_not(draft: _Draft, mapped: Mapped) -> str | None:
    """Why a line of the mapping has none here, as far as it can be told without the others' rules."""
    integration, native = draft.integration, draft.integration.native
    kind = integration.kind(mapped.object)
    if kind is None:
        return f"`{mapped.object}` is not synchronised here. {did_you_mean(mapped.object, native.objects)}"
    if not mapped.here or not mapped.there:
        return "it does not name a field on both sides"
    if folded(mapped.rule) not in presets(integration.systems):
        return f"`{mapped.rule}` is no rule of the integration. {did_you_mean(mapped.rule, integration.rules)}"
    if mapped.here in native.elsewhere:
        return native.elsewhere[mapped.here]
    for said in draft.lines.get(kind.about, ()):
        if said.origin.here == mapped.here:
            return f"`{mapped.here}` is mapped already in line {said.origin.line}; each field is mapped once"
    return None


def _name(vendor_field: str, taken: set[str]) -> str:
    """A left-hand name: the field's own, made of small letters, digits and underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", vendor_field.casefold()).strip("_")
    name = name if name[:1].isalpha() else f"field_{name}".rstrip("_")
    return next(each for each in _numbered(name) if each not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def _line(draft: _Draft, name: str, mapped: Mapped, rule: str) -> str:
    integration, native = draft.integration, draft.integration.native
    there = _quoted(mapped.there) if isinstance(mapped.there, str) else _braces(_all_quoted(mapped.there))
    says = f"wins: {rule}"
    if rule == NEVER:
        pass
    elif mapped.here == native.consent:
        says = "wins: opt-out"
        draft.note(mapped, "out anywhere is out everywhere here, whichever rule the screen shows")
    elif mapped.here == native.owner:
        says = f"wins: newest, else: {integration.other}, owner: true, otherwise: skip"
        draft.note(mapped, "the integration treats the owner as two-way whichever rule it shows, and so does this line")
    elif rule == TWO_WAY:
        draft.note(mapped, "where nobody can tell which side is newer, a person is asked instead of guessing")
    kind = integration.kind(mapped.object)
    clean = f", clean: {kind.key[3]}" if kind is not None and kind.key and mapped.here == kind.key[2] else ""
    return _braces({integration.other: there, integration.home: _quoted(mapped.here)}, says + clean)


def _braces(pairs: Mapping[str, str], *more: str) -> str:
    return "{" + ", ".join([*(f"{name}: {value}" for name, value in pairs.items()), *more]) + "}"


def _all_quoted(pairs: Mapping[str, str]) -> dict[str, str]:
    return {_quoted(name): _quoted(value) for name, value in pairs.items()}


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z]\w*", text, re.ASCII) else json.dumps(text, ensure_ascii=False)


def _add_key(draft: _Draft, about: str) -> None:
    """The integration finds a counterpart by this field whatever is mapped; without a line nobody would be found."""
    integration = draft.integration
    kind = _kind_about(integration, about)
    if kind.key is None or any(said.origin.here == kind.key[2] for said in draft.lines[about]):
        return
    name, there, here, clean = kind.key
    name = _name(name, {said.name for said in draft.lines[about]})
    says = f"wins: {integration.other} unless blank, clean: {clean}"
    added = Mapped(0, here, there, "added", about)
    line = _braces({integration.other: there, integration.home: here}, says)
    draft.lines[about].insert(0, _Said(name, line, added))
    draft.note(added, f"added: a {about} finds its counterpart by it")


def _add_looked_at(draft: _Draft, about: str) -> None:
    """What duplicates and stages are told by is read, though the integration does not keep it in agreement."""
    lines = draft.lines[about]
    taken = {said.name for said in lines} | {said.origin.here for said in lines}
    missing = [
        rule
        for rule in draft.neighbours.looked_at(about)
        if taken.isdisjoint({rule.name, *rule.where.get(draft.integration.home, {}).values()})
    ]
    if not missing:
        return
    added = Mapped(0, ", ".join(rule.name for rule in missing), "", "added", about)
    lines += [_Said(rule.name, _only_read(draft.integration, rule), added) for rule in missing]
    draft.notes.append(Remark(0, added.here, f"added, only read: the other policies about a {about} look at them"))


def _only_read(integration: Integration, rule: FieldRule) -> str:
    """The same fields and the same cleaning, written by nobody."""
    sides = {
        system: _side(rule.where[system]) for system in (integration.other, integration.home) if system in rule.where
    }
    says = [f"wins: {NEVER}"] if len(sides) > 1 else []
    return _braces(sides, *says, *([f"clean: {rule.clean}"] if rule.clean.name != "text" else []))


def _side(by_type: Mapping[str, str]) -> str:
    """One field for all object types, or the field of each."""
    fields = sorted(set(by_type.values()))
    return _quoted(fields[0]) if len(fields) == 1 else _braces(_all_quoted(by_type))


def _kind_about(integration: Integration, about: str) -> NativeObject:
    return next(kind for kind in integration.native.objects.values() if kind.about == about)


def _checked(draft: _Draft, responsible: str, today: date) -> str:
    """The text, without the lines that ``truce check`` refuses: it says why."""
    while True:
        text, origins = _written(draft, responsible, today)
        errors = [
            problem
            for problem in parse.check({FILE: text}, None, today, draft.integration.systems)
            if not problem.is_warning
        ]
        refused = [(origins[problem.line], problem.message) for problem in errors if problem.line in origins]
        if not refused:
            return text
        said, why = refused[-1]
        for lines in draft.lines.values():
            if said in lines:
                lines.remove(said)
        draft.leave_out(said.origin, why)
        draft.lines = {about: lines for about, lines in draft.lines.items() if lines}


def _written(draft: _Draft, responsible: str, today: date) -> tuple[str, dict[int, _Said]]:
    """(text, {line of the text: what stands there})."""
    lines: list[str] = []
    origins: dict[int, _Said] = {}
    for about, said in draft.lines.items():
        lines += [*(["---"] if lines else []), *_head(draft.integration, about, said, responsible, today)]
        for each in said:
            lines.append(f"  {each.name}: {each.text}")
            origins[len(lines)] = each
    return "\n".join([*lines, ""]) if lines else "", origins


def _head(integration: Integration, about: str, said: Sequence[_Said], responsible: str, today: date) -> list[str]:
    kind, own = _kind_about(integration, about), integration.native.name
    key = next((each.name for each in said if kind.key and each.origin.here == kind.key[2]), None)
    match = "[stored id]" if key is None else f"[stored id, {key}]"
    return [
        f"# As {own} kept a {about}. Nothing is created until you add `create`.",
        f"policy: {about}-native",
        "kind: fields",
        f"responsible: {responsible}",
        f"purpose: Fields agree as under {own}",
        f"review_by: {(today + REVIEW_AFTER).isoformat()}",
        "mode: watch",
        f"defines: {about}",
        f"records: {_braces(kind.records)}",
        f"match: {match}",
        "first_time: fill blanks",
        "losing_edit: revert",
        "fields:",
    ]
