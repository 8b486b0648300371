"""Pipelines and their stages over the API. What a write answers is what was sent; a read tells what is kept."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.call import Call, shaped
from connectors.emulator.hubspot.pipelines import Pipeline, dressed, kept_metadata, pipelines_of
from connectors.emulator.hubspot.refusals import bad_request, not_found, text
from connectors.emulator.hubspot.replies import no_content, reply
from connectors.emulator.hubspot.stage_dates import add_stage_dates

Stage = dict[str, Any]
PIPELINE: dict[str, type] = {"label": str, "displayOrder": int, "stages": list}
STAGE: dict[str, type] = {"label": str, "displayOrder": int, "metadata": dict, "stageId": str}
CHANGEABLE = ("label", "displayOrder", "metadata")


def list_pipelines(call: Call) -> Response:
    return reply({"results": _pipelines(call, "read")})


def read_pipeline(call: Call) -> Response:
    return reply(_pipeline(call, "read"))


def create_pipeline(call: Call) -> Response:
    pipelines = _pipelines(call, "write")
    _require_own(call)
    pipeline = _new_pipeline(call, _new_id(call))
    pipelines.append(pipeline)
    _add_stage_dates(call, pipeline)
    _note(call, "CREATE", pipeline)
    call.portal.schema_changed()
    return reply(_as_sent(pipeline, call.body), 201)


def replace_pipeline(call: Call) -> Response:
    """Label, order and all stages; a stage keeps its id when the body names it (``stageId``)."""
    pipelines, pipeline = _pipelines(call, "write"), _pipeline(call, "write")
    _require_own(call)
    created_at = pipeline["createdAt"]
    pipelines[pipelines.index(pipeline)] = changed = _new_pipeline(call, pipeline["id"])
    changed["createdAt"] = created_at
    _add_stage_dates(call, changed)
    _note(call, "UPDATE", changed)
    call.portal.schema_changed()
    return reply(_as_sent(changed, call.body))


def change_pipeline(call: Call) -> Response:
    pipeline = _pipeline(call, "write")
    _require_own(call)
    told = shaped(call.body, PIPELINE)
    changes: dict[str, Any] = {name: told[name] for name in CHANGEABLE[:2] if name in told}
    pipeline.update(changes, updatedAt=call.portal.stamp_now())
    _note(call, "UPDATE", pipeline)
    return reply(pipeline)


def archive_pipeline(call: Call) -> Response:
    pipelines, pipeline = _pipelines(call, "write"), _pipeline(call, "write")
    _require_own(call)
    if len(pipelines) == 1:
        raise bad_request(text("last_pipeline"))
    if _checks_use(call):
        _refuse_used(call, call.kind.pipeline, {pipeline["id"]})
    pipelines.remove(pipeline)
    _note(call, "DELETE", pipeline)
    call.portal.schema_changed()
    return no_content()


def list_stages(call: Call) -> Response:
    return reply({"results": _pipeline(call, "read")["stages"]})


def read_stage(call: Call) -> Response:
    return reply(_stage(call, _pipeline(call, "read")))


def create_stage(call: Call) -> Response:
    """A stage of the lifecycle pipeline is an option of the lifecycle property."""
    pipeline = _pipeline(call, "write")
    stage = _new_stage(call, call.body, len(pipeline["stages"]))
    if call.kind.has_lifecycle:
        option = {"label": stage["label"], "value": stage["id"], "displayOrder": stage["displayOrder"], "hidden": False}
        _lifecycle_options(call).append(option)
    else:
        pipeline["stages"].append(stage)
        _add_stage_dates(call, pipeline)
    _note(call, "CREATE", stage)
    call.portal.schema_changed()
    return reply(_as_sent(stage, call.body), 201)


def change_stage(call: Call) -> Response:
    """PATCH takes what it is given; a PUT needs label, order and metadata."""
    pipeline = _pipeline(call, "write")
    stage = _stage(call, pipeline)
    told = shaped(call.body, STAGE)
    changes = {name: told[name] for name in CHANGEABLE if name in told}
    if "metadata" in changes:
        changes["metadata"] = kept_metadata(call.kind, {**stage["metadata"], **changes["metadata"]})
    after = [{**one, **changes} if one["id"] == stage["id"] else one for one in pipeline["stages"]]
    _require_closed_stage(call, after)
    if call.kind.has_lifecycle:
        option = next(one for one in _lifecycle_options(call) if one["value"] == stage["id"])
        option.update({name: changes[name] for name in ("label", "displayOrder") if name in changes})
    stage.update(changes, updatedAt=call.portal.stamp_now())
    _note(call, "UPDATE", stage)
    call.portal.schema_changed()
    return reply(_as_sent(stage, call.body))


def replace_stage(call: Call) -> Response:
    missing = [name for name in CHANGEABLE if name not in call.body]
    if missing:
        raise bad_request(text("property_needs", names=", ".join(missing)))
    return change_stage(call)


def archive_stage(call: Call) -> Response:
    pipeline = _pipeline(call, "write")
    stage = _stage(call, pipeline)
    if _checks_use(call):
        _refuse_used(call, "lifecyclestage" if call.kind.has_lifecycle else call.kind.stage, {stage["id"]})
    rest = [one for one in pipeline["stages"] if one["id"] != stage["id"]]
    _require_closed_stage(call, rest)
    if call.kind.has_lifecycle:
        options = _lifecycle_options(call)
        options[:] = [option for option in options if option["value"] != stage["id"]]
    else:
        pipeline["stages"] = rest
    _note(call, "DELETE", stage)
    call.portal.schema_changed()
    return no_content()


def pipeline_audit(call: Call) -> Response:
    """What the API did to a pipeline, newest first; what came with the account has no line."""
    pipeline_id = call.params["pipeline_id"]
    return _audit(call, pipeline_id, is_there=any(one["id"] == pipeline_id for one in _pipelines(call, "read")))


def stage_audit(call: Call) -> Response:
    stage_id = call.params["stage_id"]
    stages = (stage for one in _pipelines(call, "read") for stage in one["stages"])
    return _audit(call, stage_id, is_there=any(stage["id"] == stage_id for stage in stages))


def _audit(call: Call, identifier: str, *, is_there: bool) -> Response:
    noted = call.portal.space.settings.get("pipeline_audits", {}).get(call.kind.name, [])
    lines = [line for line in reversed(noted) if line["identifier"] == identifier]
    if not lines and not is_there:
        raise not_found()
    return reply({"results": [{"portalId": call.portal.portal_id, **line} for line in lines]})


def _note(call: Call, action: str, changed: dict[str, Any]) -> None:
    kept = call.portal.space.settings.setdefault("pipeline_audits", {}).setdefault(call.kind.name, [])
    raw = {name: deepcopy(changed[name]) for name in CHANGEABLE if name in changed}
    kept.append({"identifier": changed["id"], "action": action, "timestamp": call.portal.stamp_now(), "rawObject": raw})


def _pipelines(call: Call, verb: str) -> list[Pipeline]:
    """Raises Refusal: 403, or 404 for a type without pipelines."""
    call.require(call.kind.schema_scopes(verb))
    found = pipelines_of(call.portal, call.kind)
    if found is None:
        raise not_found()
    return found


def _pipeline(call: Call, verb: str) -> Pipeline:
    for pipeline in _pipelines(call, verb):
        if pipeline["id"] == call.params["pipeline_id"]:
            return pipeline
    raise not_found()


def _stage(call: Call, pipeline: Pipeline) -> Stage:
    for stage in pipeline["stages"]:
        if stage["id"] == call.params["stage_id"]:
            found: Stage = stage
            return found
    raise not_found()


def _new_pipeline(call: Call, pipeline_id: str) -> Pipeline:
    told = shaped(call.body, PIPELINE)
    if not told.get("label") or not told.get("stages"):
        raise bad_request(text("property_needs", names="label, stages"))
    made = [_new_stage(call, one, order) for order, one in enumerate(told["stages"])]
    _require_closed_stage(call, made)
    pipeline = dressed(told.get("displayOrder", 0), {"id": pipeline_id, "label": told["label"]}, made)
    return {**pipeline, "createdAt": call.portal.stamp_now(), "updatedAt": call.portal.stamp_now()}


def _new_stage(call: Call, given: Any, order: int) -> Stage:
    told = shaped(given, STAGE)
    if not told.get("label"):
        raise bad_request(text("property_needs", names="label"))
    metadata = {} if call.kind.has_lifecycle else kept_metadata(call.kind, told.get("metadata", {}))
    facts = {"id": told.get("stageId") or _new_id(call), "label": told["label"], "metadata": metadata}
    stage = dressed(told.get("displayOrder", order), facts)
    return {**stage, "createdAt": call.portal.stamp_now(), "updatedAt": call.portal.stamp_now()}


def _as_sent(kept: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """HubSpot echoes metadata as it came; what it made of it shows in the next read."""
    shown = {**kept, **({"metadata": sent["metadata"]} if sent.get("metadata") else {})}
    if "stages" in kept:
        told = sent.get("stages") or [{} for _ in kept["stages"]]
        shown["stages"] = [_as_sent(stage, one) for stage, one in zip(kept["stages"], told, strict=True)]
    return shown


def _require_own(call: Call) -> None:
    """The lifecycle pipeline is HubSpot's; only its stages can be changed."""
    if call.kind.has_lifecycle:
        raise bad_request(text("lifecycle_pipeline"))


def _require_closed_stage(call: Call, stages: list[Stage]) -> None:
    if call.kind.name == "tickets" and not any(one["metadata"].get("ticketState") == "CLOSED" for one in stages):
        raise bad_request(text("no_closed_stage"))


def _checks_use(call: Call) -> bool:
    """2026-09 refuses to delete what records use; the older versions only when asked to look."""
    asked = call.flag("validateReferencesBeforeDelete") or call.flag("validateDealStageUsagesBeforeDelete")
    return asked or call.version == "2026-09"


def _refuse_used(call: Call, name: str | None, ids: set[str]) -> None:
    rows = call.portal.space.table(call.kind.name).values()
    users = sorted(int(row.id) for row in rows if not row.deleted and row.values.get(name or "") in ids)
    if users:
        raise bad_request(text("stage_in_use", ids=", ".join(map(str, users[:10]))))


def _add_stage_dates(call: Call, pipeline: Pipeline) -> None:
    add_stage_dates(call.portal.space.settings["properties"][call.kind.name], call.kind, pipeline)


def _lifecycle_options(call: Call) -> list[dict[str, Any]]:
    options: list[dict[str, Any]] = call.portal.space.settings["properties"][call.kind.name]["lifecyclestage"][
        "options"
    ]
    return options


def _new_id(call: Call) -> str:
    return str(51_439_523 + call.portal.space.next_number("pipeline or stage"))
