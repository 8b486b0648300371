"""What the policies that stay beside new ones call things: new ones may only take a place if they use those names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from agent.decide import parse
from agent.decide.policy import FieldRule
from agent.systems import Systems


@dataclass(frozen=True, slots=True)
class Neighbours:
    """By kind of thing: its ``lines`` in the policies that will be replaced, the names of those that policies which
    stay look at (``wanted``), and the ``files`` that define it now."""

    lines: Mapping[str, tuple[FieldRule, ...]] = field(default_factory=dict)
    wanted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, about: str, system: str, vendor_field: str) -> str | None:
        """What the line of this field is called there."""
        return next(
            (rule.name for rule in self.lines.get(about, ()) if vendor_field in rule.where.get(system, {}).values()),
            None,
        )

    def looked_at(self, about: str) -> tuple[FieldRule, ...]:
        """Lines with a value of their own that a policy which stays would miss."""
        return tuple(rule for rule in self.lines.get(about, ()) if rule.name in self.wanted[about] and _is_plain(rule))


def neighbours_of(texts: Mapping[str, str], today: date, systems: Systems) -> Neighbours:
    """Of these policy files, one of which defines each kind of thing."""
    policies = parse.load(texts, None, today, systems)
    files = {name: entity_type.place.file for name, entity_type in policies.entity_types.items()}
    return Neighbours(
        {about: policies.rules_for(about) for about in files},
        {about: _words_about(about, texts, file) for about, file in files.items()},
        files,
    )


def _words_about(about: str, texts: Mapping[str, str], own: str) -> frozenset[str]:
    """Every word of the other files about it: one too many costs a line that is only read."""
    others = [text for file, text in texts.items() if file != own and re.search(rf"^about: {about}\b", text, re.M)]
    return frozenset(re.findall(r"[a-z]\w*", " ".join(others)))


def _is_plain(rule: FieldRule) -> bool:
    return not (rule.is_owner or rule.links_to or rule.made_of or rule.clean.currency_line or rule.wins == "opt-out")
