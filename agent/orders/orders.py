"""What people order: each order is one function from the installation to a JSON-ready result.

The CLI runs an order itself when no daemon is there; otherwise it puts it into the queue in the ledger and the daemon
runs the very same function between two chunks. Every result has the shapes of docs/schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent import apply, cutover, cycle, failures
from agent.approval import approving
from agent.approval.ceiling import ceiling, is_raised, set_ceiling
from agent.calls.budget import Lane
from agent.changes import HELD
from agent.decide.policy import Header
from agent.errors import NotFound, UsageError
from agent.freeze.freeze import Freeze
from agent.installation import Installation
from agent.local_time import read_moment, spoken
from agent.orders.align import ALIGN_ORDERS
from agent.orders.consent import CONSENT_ORDERS
from agent.orders.cutover import CUTOVER_ORDERS
from agent.orders.forgetting import FORGETTING_ORDERS
from agent.orders.pairing import PAIRING_ORDERS
from agent.orders.results import Result, plan_result, reversal_result, written_result
from agent.orders.reviews import REVIEW_ORDERS
from agent.people import check_may_order
from agent.places import entity_type_of, places_of
from agent.plan import plan as plans
from agent.policy_files.named import header_named
from agent.reports.finding import find_records
from agent.rollback import rollback
from agent.rollback.reversal import Reversal, plan_reversal
from agent.rollback.selection import Selection
from agent.schema import watch as schema_watch

Body = Mapping[str, Any]
Order = Callable[[Installation, Body, str, apply.Progress], Result]

NOTHING_WRITTEN: Mapping[str, Any] = {
    "batch": None, "state": "done", "written": 0, "failed": 0, "drifted": 0, "unknown": 0, "problems": [],
}  # fmt: skip


def make_plan(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    for name in body.get("policies", ()):
        _known_policy(installation, name)
    plan = plans.make(installation, only=tuple(body.get("policies", ())), progress=progress)
    return plan_result(installation, plan)


def apply_plan(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    written = _write_plan(installation, body, actor, progress)
    waiting = reversed(installation.ledger.batches(states=HELD))
    return {**written, "held": [batch.id for batch in waiting]}


def _write_plan(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    plan_id = body["plan"]
    interrupted = plans.unfinished(installation, plan_id)
    if interrupted is not None:
        batch, tally = plans.resume(installation, interrupted, progress)
        return {"plan": plan_id, "resumed": True, **written_result(installation, batch.id, tally)}
    written = plans.apply_plan(
        installation,
        plans.load(installation, plan_id),
        actor,
        confirm_count=body.get("confirm"),
        lift_freezes=bool(body.get("lift_freezes")),
        progress=progress,
    )
    if written is None:
        return {"plan": plan_id, "resumed": False, **NOTHING_WRITTEN}
    batch, tally = written
    return {"plan": plan_id, "resumed": False, **written_result(installation, batch.id, tally)}


def run_cycle(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    report = cycle.run(installation)
    return {
        "pulled": report.pulled,
        "changed": report.changed,
        "entities": report.entities,
        "batch": report.batch.id if report.batch else None,
        "written": report.written,
        "failed": report.failed,
        "unknown": report.unknown,
        "waiting_for_calls": report.waiting_for_calls,
        "held": [batch.id for batch in report.held],
        "reviews": report.reviews,
    }


def preview_rollback(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    selection = _selection(installation, body)
    return _reversal_result(installation, selection, plan_reversal(installation, selection))


def roll_back(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    selection = _selection(installation, body)
    interrupted = rollback.unfinished(installation, selection)
    if interrupted is not None:
        batch, tally = rollback.resume(installation, interrupted, progress)
        return {"resumed": True, "batches": list(batch.reverts), **written_result(installation, batch.id, tally)}
    rollback.finish_others(installation, progress)
    reversal = plan_reversal(installation, selection)
    written = rollback.roll_back(installation, selection, reversal, actor, progress)
    result = {"resumed": False, **_reversal_result(installation, selection, reversal)}
    if written is None:
        return {**result, **NOTHING_WRITTEN, "pauses": None}
    batch, tally = written
    return {**result, **written_result(installation, batch.id, tally)}


def _reversal_result(installation: Installation, selection: Selection, reversal: Reversal) -> Result:
    return {**reversal_result(installation, reversal), "pauses": rollback.paused_by(installation, selection)}


def _selection(installation: Installation, body: Body) -> Selection:
    """What a person named, with the moment read in the installation's time zone, and all of it in words."""
    zone = installation.zone
    since = read_moment(body["since"], installation.clock(), zone) if body.get("since") else None
    batches = tuple(sorted(set(body.get("batches", ())), key=lambda name: (len(name), name)))
    words = [", ".join(batches)] if batches else []
    words += [str(body[name]) for name in ("policy", "record") if body.get(name)]
    words = words or ["everything"]
    words += [f"since {spoken(since, zone)}"] if since else []
    words += [f"{name} {body[name]}" for name in ("revision", "field") if body.get(name)]
    return Selection(
        batches, body.get("policy"), since, body.get("revision"), body.get("record"), body.get("field"),
        " ".join(words), frozenset(body.get("overwrite", ())),
    )  # fmt: skip


def approve(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    if _is_half_written(installation, body["batch"]):
        tally = apply.write(installation, body["batch"], progress=progress)
        by = installation.ledger.batch(body["batch"]).approved_by
        return {"approved_by": list(by), "still_needed": 0, **written_result(installation, body["batch"], tally)}
    given = approving.approve(installation, body["batch"], actor, body["count"], body.get("reason", ""))
    if given.still_needed:
        return {"batch": body["batch"], "approved_by": list(given.by), "still_needed": given.still_needed}
    tally = approving.write(installation, body["batch"], progress)
    return {
        "approved_by": list(given.by),
        "still_needed": 0,
        **written_result(installation, body["batch"], tally),
    }


def _is_half_written(installation: Installation, batch_id: str) -> bool:
    """Approved by everybody asked for, and interrupted while it was written."""
    batch = installation.ledger.batch(batch_id)
    return batch.state == "open" and batch.hold_reason is not None


def reject(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    count = approving.reject(installation, body["batch"], actor, body.get("reason", ""))
    return {"batch": body["batch"], "rejected": count, "by": actor}


def pause(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    _known_policy(installation, body["policy"])
    installation.approvals.pause(body["policy"], actor, body.get("reason", ""))
    return {"policy": body["policy"], "paused": True, "by": actor}


def resume(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    _known_policy(installation, body["policy"])
    installation.approvals.resume(body["policy"], actor)
    still = schema_watch.go_on(installation, body["policy"])
    cycle.decide_all_again(installation, "resumed")
    return {
        "policy": body["policy"],
        "paused": False,
        "by": actor,
        "suspended": [
            {"line": each.line, "because": each.sentence, "next": schema_watch.way_back(each)} for each in still
        ],
    }


def set_mode(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    configured = installation.config.run.mode
    set_ceiling(installation.ledger, body["mode"], configured, actor)
    now = ceiling(installation.ledger, configured)
    installation.mode = now.mode
    return {"mode": now.mode, "set_by": now.set_by, "set_at": now.set_at.isoformat() if now.set_at else None}


def go_live(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    header = _known_policy(installation, body["policy"])
    if body.get("meaning") != header.meaning:
        raise UsageError(
            f"{header.name} changed since its plan was shown",
            where=str(header.place),
            next_step="truce go-live " + header.name,
        )
    for entity_type in installation.policies.policies.entity_types:
        if header.name in cutover.policies_about(installation, entity_type):
            cutover.require_no_other_sync(installation, entity_type, f"truce go-live {header.name}")
    installation.approvals.activate(header.name, header.meaning, actor)
    cycle.decide_all_again(installation, f"{header.name} went live")
    return {"policy": header.name, "live": True, "by": actor, "mode": header.mode}


def freeze(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    records = find_records(installation, body["record"])
    entity_id = next((found for each in records if (found := installation.crosswalk.entity_of(each.ref))), None)
    if entity_id is None:
        raise NotFound(f"{body['record']} is not paired", next_step="truce plan")
    places = places_of(installation.policies.policies).by_field
    systems = sorted(places.get((entity_type_of(entity_id), body["field"]), {}))
    if not systems:
        raise NotFound(
            f"no policy names a field {body['field']}", where=body["record"], next_step=f"truce why {body['record']}"
        )
    head = {"record": body["record"], "field": body["field"]}
    if body.get("lift"):
        lifted = installation.freezes.lift_cells([(entity_id, body["field"], system) for system in systems], actor)
        cycle.decide_again(installation, [entity_id], "lifted")
        return {**head, "lifted": lifted}
    reason = body.get("reason", "") or f"asked by {actor}"
    installation.freezes.add(
        [Freeze(entity_id, body["field"], system, "", "person", reason) for system in systems], actor
    )
    return {**head, "frozen": systems, "reason": reason}


def retry(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    failed = list(failures.standing(installation, body.get("batch")))
    undos = failures.undone_by(installation, failed)
    again = [entry for entry in failed if entry.batch_id not in undos]
    if not failed:
        where = body.get("batch") or ""
        raise NotFound("no write that failed still stands", where=where, next_step="truce status")
    records = failures.try_again(installation, again, actor) if again else 0
    return {"entries": len(again), "records": records, "undos": sorted(undos.values()), "by": actor}


ORDERS: Mapping[str, Order] = {
    "rollback": roll_back,
    "preview-rollback": preview_rollback,
    "pause": pause,
    "resume": resume,
    "mode": set_mode,
    "approve": approve,
    "reject": reject,
    "plan": make_plan,
    "apply": apply_plan,
    "cycle": run_cycle,
    "go-live": go_live,
    "freeze": freeze,
    "retry": retry,
    **PAIRING_ORDERS,
    **ALIGN_ORDERS,
    **CUTOVER_ORDERS,
    **CONSENT_ORDERS,
    **REVIEW_ORDERS,
    **FORGETTING_ORDERS,
}
"""In order of urgency: a daemon takes a rollback before anything else."""

NEEDS_SOUND_POLICIES = frozenset({"plan", "apply", "go-live"})
"""Orders about what the policy files say now; all others go on under the last good set when the files are broken."""
ASKING_NO_VENDOR = frozenset(
    {"pause", "resume", "mode", "reject", "freeze", "review", "review-many", "retry", "cutover-back", "forget"}
)
"""Orders that only write down a person's word: they work while a vendor is down, and need no secret."""


def _opens(installation: Installation, kind: str, body: Body) -> bool:
    """Whether an order that anybody may give goes further than undoing and stopping this time."""
    if kind == "mode":
        return is_raised(installation.mode, body["mode"])
    return bool(body.get("lift") if kind == "freeze" else body.get("overwrite"))


LANES: Mapping[str, Lane] = {"rollback": "undo", "preview-rollback": "undo", "cycle": "cycle"}
"""What an order's calls are for; every other one is a person's."""


def carry_out(installation: Installation, kind: str, body: Body, actor: str, progress: apply.Progress) -> Result:
    """Run one order; its calls are counted as what they are for.

    Raises:
        ApprovalNeeded: it wants a person who is listed in the config.
    """
    check_may_order(installation.config.people, kind, actor, opens=_opens(installation, kind, body))
    with installation.calls.lane(LANES.get(kind, "people")):
        try:
            return ORDERS[kind](installation, body, actor, progress)
        finally:
            installation.calls.settle()


def _known_policy(installation: Installation, name: str) -> Header:
    return header_named(name, installation.policies.policies.headers)
