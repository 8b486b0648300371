"""What people order about first differences; each order has the shape of ``agent.orders.orders``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent import align, apply, cycle
from agent.changes import OPEN
from agent.decide.alignment import Difference, Group, choices
from agent.installation import Installation
from agent.orders.results import problems_of
from agent.reports.lists import Sheets

MOST_REASONS = 20
"""Reasons that are named of one group, the most frequent first."""

Body = Mapping[str, Any]
Result = dict[str, Any]


def show(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    """Read both CRMs and count the first differences. ``lists``: an absolute folder for one CSV per group."""
    cycle.pull_all(installation, progress=progress)
    cycle.read_owners(installation)
    cycle.identify_pending(installation, progress)
    if not body.get("lists"):
        return _document(installation, align.survey(installation, progress=progress))
    with Sheets(Path(body["lists"]), _headings(installation)) as sheets:
        found = align.survey(installation, lambda difference: _list(installation, sheets, difference), progress)
    return {**_document(installation, found), "lists": body["lists"]}


def decide(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    group = Group(body["policy"], body["field"], body["pattern"])
    align.decide(installation, group, body["decision"], actor)
    return {**group._asdict(), "decision": body["decision"], "by": actor}


def decide_as_suggested(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    """Every group nobody decided yet, as the policies suggest."""
    cycle.read_owners(installation)
    found = align.survey(installation, progress=progress)
    for group, counted in found.items():
        if counted.decision is None:
            decision = align.suggestion(counted, group)
            align.decide(installation, group, decision, actor)
            counted.decision, counted.decided_by = decision, actor
    return _document(installation, found)


def write(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    """An interrupted slice is settled and finished first: what it wrote is no difference any more."""
    unfinished = [batch.id for batch in installation.ledger.batches(states=OPEN)]
    cycle.recover(installation)
    cycle.read_owners(installation)
    written = align.write(installation, actor, progress)
    return {
        "resumed": unfinished,
        "batches": [batch.id for batch in written.batches],
        "held": [{"batch": batch.id, "reason": batch.hold_reason or ""} for batch in written.held],
        "written": written.tally.confirmed,
        "failed": written.tally.failed,
        "drifted": written.tally.drifted,
        "unknown": written.tally.unknown,
        "asked": written.asked,
        "left": written.left,
        "impossible": [{"reason": reason, "count": count} for reason, count in written.impossible.most_common()],
        "stopped": written.stopped,
        "problems": problems_of(installation, [*unfinished, *(batch.id for batch in written.batches)]),
    }


def _headings(installation: Installation) -> tuple[str, ...]:
    """Of a list; a side is called by its system where all policies are about the same two."""
    pairs = {tuple(entity_type.records) for entity_type in installation.policies.policies.entity_types.values()}
    here, there = next(iter(pairs)) if len(pairs) == 1 else ("first", "second")
    return ("entity", f"{here} record", f"{there} record", "name", "field", here, there)


def _list(installation: Installation, sheets: Sheets, difference: Difference) -> None:
    group = difference.group
    here, there = difference.sides
    row = (
        difference.entity_id,
        str(here.record.ref),
        str(there.record.ref),
        installation.display_name(here.record),
        group.field,
        str(here.value.raw or ""),
        str(there.value.raw or ""),
    )
    sheets.add(f"{group.policy}-{group.field}-{group.pattern}", row)


def _document(installation: Installation, found: Mapping[Group, align.Counted]) -> Result:
    return {
        "groups": [_group(installation, group, found[group]) for group in sorted(found)],
        "decided": sum(counted.count for counted in found.values() if counted.decision is not None),
        "differences": sum(counted.count for counted in found.values()),
    }


def _group(installation: Installation, group: Group, counted: align.Counted) -> Result:
    return {
        **group._asdict(),
        "count": counted.count,
        "suggested": align.suggestion(counted, group),
        "because": [{"reason": each, "count": count} for each, count in counted.obstacles.most_common(MOST_REASONS)],
        "choices": list(choices(counted.rule, group.pattern)),
        "decision": counted.decision,
        "decided_by": counted.decided_by,
        "line": str(counted.rule.place),
        "samples": [
            {
                "name": installation.display_name(sample.sides[0].record),
                "values": {side.record.ref.system: side.shown for side in sample.sides},
                "records": [str(side.record.ref) for side in sample.sides],
            }
            for sample in counted.samples
        ],
    }


ALIGN_ORDERS = {
    "align": show,
    "align-decide": decide,
    "align-suggested": decide_as_suggested,
    "align-apply": write,
}
