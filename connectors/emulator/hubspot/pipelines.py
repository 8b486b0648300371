"""Pipelines and their stages. Contacts and companies have one whose stages are the lifecycle stages."""

from __future__ import annotations

from typing import Any

from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.properties import SHIPPED_AT
from connectors.emulator.hubspot.refusals import bad_request, load, text

Pipeline = dict[str, Any]


def shipped_pipelines() -> dict[str, list[Pipeline]]:
    return {
        name: [
            dressed(order, pipeline, [dressed(number, stage) for number, stage in enumerate(pipeline["stages"])])
            for order, pipeline in enumerate(found)
        ]
        for name, found in load("pipelines").items()
    }


def dressed(order: int, facts: dict[str, Any], stages: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A pipeline or a stage in the form of the wire."""
    document = {
        "id": facts["id"],
        "label": facts["label"],
        "displayOrder": order,
        "createdAt": SHIPPED_AT,
        "updatedAt": SHIPPED_AT,
        "archived": False,
    }
    if stages is not None:
        return {**document, "stages": stages}
    return {**document, "metadata": facts["metadata"], "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT"}


def pipelines_of(portal: Portal, kind: Kind) -> list[Pipeline] | None:
    """None for a type that has no pipelines."""
    if kind.has_lifecycle:
        return [lifecycle_pipeline(portal, kind)]
    found: list[Pipeline] | None = portal.space.settings["pipelines"].get(kind.name)
    return found


def lifecycle_pipeline(portal: Portal, kind: Kind) -> Pipeline:
    options = portal.space.settings["properties"][kind.name]["lifecyclestage"]["options"]
    facts = {"id": f"{kind.name}-lifecycle-pipeline", "label": "Lifecycle Stage Pipeline"}
    stages = [
        dressed(option["displayOrder"], {"id": option["value"], "label": option["label"], "metadata": {}})
        for option in sorted(options, key=lambda option: int(option["displayOrder"]))
    ]
    return dressed(0, facts, stages)


def first_pipeline(portal: Portal, kind: Kind) -> str | None:
    found = pipelines_of(portal, kind) if kind.pipeline is not None else None
    return str(found[0]["id"]) if found else None


def stage_choices(portal: Portal, kind: Kind, pipeline_id: str | None) -> tuple[str, list[str]] | None:
    """(pipeline, its stages); the first pipeline when none is named; None for an unknown one."""
    for pipeline in pipelines_of(portal, kind) or []:
        if pipeline_id in (None, pipeline["id"]):
            return str(pipeline["id"]), [stage["id"] for stage in pipeline["stages"]]
    return None


def known_stage(portal: Portal, kind: Kind, pipeline_id: str | None, stage_id: str) -> bool:
    choices = stage_choices(portal, kind, pipeline_id)
    return choices is not None and stage_id in choices[1]


def stage_facts(portal: Portal, kind: Kind, stage_id: str | None) -> dict[str, Any]:
    for pipeline in pipelines_of(portal, kind) or []:
        for stage in pipeline["stages"]:
            if stage["id"] == stage_id:
                return dict(stage["metadata"])
    return {}


def kept_metadata(kind: Kind, told: dict[str, Any]) -> dict[str, str]:
    """A stage's metadata as kept: texts, and ``isClosed`` from what it says. Raises Refusal 400."""
    metadata = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in told.items()}
    if kind.name == "deals":
        probability = as_probability(metadata.get("probability"))
        return {**metadata, "isClosed": is_closed(probability), "probability": str(probability)}
    if kind.name == "tickets":
        state = metadata.get("ticketState", "OPEN")
        if state not in {"OPEN", "CLOSED"}:
            raise bad_request(text("bad_ticket_state", value=state))
        return {**metadata, "isClosed": "true" if state == "CLOSED" else "false", "ticketState": state}
    return metadata


def as_probability(given: str | None) -> float:
    """Raises Refusal: 400, a deal stage needs a number from 0 to 1."""
    try:
        probability = float(given or "")
    except ValueError:
        probability = -1.0
    if not 0.0 <= probability <= 1.0:
        raise bad_request(text("bad_probability", value=given))
    return probability


def is_closed(probability: float) -> str:
    return "true" if probability in {0.0, 1.0} else "false"


def computed_from_stage(portal: Portal, kind: Kind, stage_id: str | None) -> dict[str, str | None]:
    """The deal properties that follow from its stage."""
    facts = stage_facts(portal, kind, stage_id) if kind.name == "deals" else {}
    if "probability" not in facts:
        return {}
    return {
        "hs_is_closed": facts["isClosed"],
        "hs_is_closed_won": "true" if float(facts["probability"]) == 1.0 else "false",
        "hs_deal_stage_probability": facts["probability"],
    }
