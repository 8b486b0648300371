"""Pipelines and their stages. Contacts and companies have one whose stages are the lifecycle stages."""

from __future__ import annotations

from typing import Any

from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.properties import SHIPPED_AT
from connectors.emulator.hubspot.refusals import load

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
        {**dressed(option["displayOrder"], {"id": option["value"], "label": option["label"], "metadata": {}})}
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


def computed_from_stage(portal: Portal, kind: Kind, stage_id: str | None) -> dict[str, str | None]:
    """The deal properties that follow from its stage."""
    if kind.name != "deals" or stage_id is None:
        return {}
    facts = stage_facts(portal, kind, stage_id)
    probability = facts.get("probability")
    closed = probability is not None and float(probability) in {0.0, 1.0}
    won = probability is not None and float(probability) == 1.0
    return {
        "hs_is_closed": "true" if closed else "false",
        "hs_is_closed_won": "true" if won else "false",
        "hs_deal_stage_probability": probability,
    }
