"""What conditions about one entity type may speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.decide.conditions_tree import LIFECYCLE
from agent.decide.policy import Cleaner


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one name.

    ``type`` is None while no schema is known; ``meanings`` are the keys of ``values``.
    """

    type: str | None = None
    clean: Cleaner = field(default_factory=Cleaner)
    meanings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """The names, by left-hand name of ``fields``.

    ``stages``: the funnel, empty without a lifecycle policy. ``is_complete`` is False when a file could not
    be read: then an unknown name is no mistake.
    """

    entity_type: str
    fields: Mapping[str, Known] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    is_complete: bool = True

    def all_names(self) -> list[str]:
        return [*self.fields, *([LIFECYCLE, "stage"] if self.stages else [])]

    def known(self, name: str) -> Known:
        return Known("text") if name == LIFECYCLE else self.fields.get(name, Known())


class Mistake(Exception):
    """One line is wrong: what is said of it, and what to write instead."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class NotChecked(Exception):
    """The line cannot be judged, because another file could not be read."""
