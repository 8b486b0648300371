"""The shipped policies as somebody's own: their names, their time zone, and who is right about what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import available_timezones

from agent.decide.suggest import nearest
from agent.errors import UsageError

EXAMPLE_PERSON = "anna@example.com"
"""Who answers for the shipped policies until somebody real does."""

EXAMPLE_ZONE = "America/New_York"
LEADS = ("salesforce", "hubspot")
"""Who may be right; the shipped policies say the first."""

LED_FILES: Mapping[str, str] = {"people": "person-basics", "companies": "company-basics", "deals": "deal-basics"}
"""What one is asked about -> the policy whose lines say who wins."""

_WINS = re.compile(r"\b(wins|else|otherwise): salesforce\b")
_GROUP = re.compile(r"^(  (?:revops|sales-leads): )\[.*\]$", re.MULTILINE)
_PEOPLE = re.compile(r"^people:\n(?:  .*\n)+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ours:
    """``approvers`` beside ``email``; ``leads``: {people, companies or deals: the CRM that is right}."""

    email: str
    time_zone: str = EXAMPLE_ZONE
    approvers: tuple[str, ...] = ()
    leads: Mapping[str, str] = field(default_factory=dict)

    def leads_of(self, file_name: str) -> str:
        """Who is right in the policy of this file."""
        about = next((about for about, policy in LED_FILES.items() if file_name == f"{policy}.yaml"), "")
        return self.leads.get(about, LEADS[0])

    def says_as_shipped(self, file_name: str) -> bool:
        """Whether the shipped examples of this policy still tell what its lines do."""
        has_days = file_name == f"{LED_FILES['deals']}.yaml"
        return self.leads_of(file_name) == LEADS[0] and (not has_days or self.time_zone == EXAMPLE_ZONE)


def as_ours(file_name: str, text: str, ours: Ours) -> str:
    """A shipped policy with the answers in it."""
    people = list(dict.fromkeys((ours.email, *ours.approvers)))
    text = text.replace(EXAMPLE_PERSON, ours.email).replace(EXAMPLE_ZONE, ours.time_zone)
    if file_name == "sales-team.yaml":
        text = _PEOPLE.sub("", _GROUP.sub(rf"\1[{', '.join(people)}]", text))
    if file_name == "daily-limits.yaml" and len(people) == 1:
        text = text.replace("people: 2", "people: 1")  # a second approval that nobody can give would hold for ever
    if ours.leads_of(file_name) != LEADS[0]:
        text = _WINS.sub(rf"\1: {ours.leads_of(file_name)}", text)
    return text


def known_zone(typed: str) -> str:
    """A time zone by its name.

    Raises:
        UsageError: there is none of that name.
    """
    name, zones = typed.strip(), available_timezones()
    if name in zones:
        return name
    near = nearest(name, zones)
    raise UsageError(
        f"there is no time zone {name!r}",
        why=f"did you mean {near}?" if near else "it looks like Europe/Berlin",
        next_step=f"truce init --time-zone {near or 'Europe/Berlin'}",
    )


def zone_of_this_computer(localtime: Path = Path("/etc/localtime")) -> str:
    """What this computer's clock shows, by its name; the shipped one where it shows UTC, as servers do."""
    _, found, name = str(localtime.resolve()).partition("/zoneinfo/")
    is_ours = found and "/" in name and not name.startswith("Etc/") and name in available_timezones()
    return name if is_ours else EXAMPLE_ZONE
