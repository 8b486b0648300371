"""Conditions as data: a small tree whose leaves are lines such as ``score >= 60``.

Truth has three values. A leaf on a blank or invisible value is neither true nor false, and ``not:`` leaves it
so; that is how a negative never matches a blank by accident. Only ``is blank``, ``is filled`` and ``or
blank`` look at blankness itself. A condition holds when it is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from agent.decide.durations import Span

if TYPE_CHECKING:
    from agent.decide.policy import Place

LeafValue: TypeAlias = str | float | date | Span | tuple[str, ...] | None

LIFECYCLE = "lifecycle"
"""The name under which a record's stage is given to evaluation; ``stage`` in a policy means the same."""

FLAGS = ("suspected duplicate", "lost", "unclear", "converted")
"""What is known of a record as a whole. Given to evaluation as a name with the value True or False."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One line. ``operator`` is from the closed list in ``conditions_read``; ``text`` is the line as written.

    ``value``: text (as typed), number, date, span, the list of ``is one of``, or None where the operator
    needs none. ``or_blank``: a blank matches too. ``order``: stage names in funnel order when ``field`` is
    the lifecycle. ``type``: the field's type when the schema told, else None.
    """

    field: str
    operator: str
    value: LeafValue
    place: Place
    text: str
    or_blank: bool = False
    order: tuple[str, ...] = ()
    type: str | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


Condition: TypeAlias = Leaf | AllOf | AnyOf | Not


def spoken(condition: Condition) -> str:
    """The lines of a condition in one sentence, as the editor wrote them."""
    if isinstance(condition, Leaf):
        return condition.text
    if isinstance(condition, Not):
        return f"not ({spoken(condition.part)})"
    parts = [f"({spoken(part)})" if isinstance(part, AllOf | AnyOf) else spoken(part) for part in condition.parts]
    return (" and " if isinstance(condition, AllOf) else " or ").join(parts)
