"""When a record entered and left a stage of its pipeline: HubSpot makes two properties for every stage.

They are read-only. Entering a stage again moves the date of entry and takes the date of leaving away.
"""

from __future__ import annotations

from typing import Any

from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.properties import Definition, shipped

ENTERED, EXITED = "hs_v2_date_entered_", "hs_v2_date_exited_"


def add_stage_dates(definitions: dict[str, Definition], kind: Kind, pipeline: dict[str, Any]) -> None:
    """The properties of a pipeline's stages, where they are not there yet. Those of stages that go stay."""
    for stage in pipeline["stages"]:
        for prefix, verb in ((ENTERED, "entered"), (EXITED, "exited")):
            label = f'Date {verb} "{stage["label"]} ({pipeline["label"]})"'
            facts = {"label": label, "type": "datetime", "read_only": True, "calculated": True}
            name = f"{prefix}{stage['id']}".replace("-", "_")
            if name not in definitions:
                definitions[name] = shipped(kind, name, facts)


def dates_of_move(
    known: dict[str, Definition], before: str | None, after: str | None, at: str
) -> dict[str, str | None]:
    """What a move from one stage to another sets; ``at`` is the moment on the wire."""
    told: dict[str, str | None] = {f"{EXITED}{before}": at, f"{ENTERED}{after}": at, f"{EXITED}{after}": None}
    named = {name.replace("-", "_"): value for name, value in told.items()}
    return {name: value for name, value in named.items() if name in known}
