"""What an order answers, as data: the shapes that ``--json`` prints (docs/schemas)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent import apply
from agent.changes import Change, State
from agent.changes import Verdict as Judgement
from agent.forgetting import ageing
from agent.installation import Installation
from agent.plan import plan as plans
from agent.reports.spoken import Spoken
from agent.rollback.fates import Fate, Verdict
from agent.rollback.reversal import Reversal

Result = dict[str, Any]

MOST_LISTED = 200
"""Records listed by name in a result; counts are always complete."""


def plan_result(installation: Installation, plan: plans.Plan) -> Result:
    """What ``plan --json`` prints."""
    draft = plan.draft
    lines = _plan_lines(installation, plan.judged)
    return {
        "plan": plan.id,
        "changes": len(plan.changes),
        "held": len(plan.held),
        "watched": len(plan.judged) - len(plan.changes),
        "held_reasons": sorted({verdict.sentence for _, verdict in plan.held}),
        "refused_reasons": sorted({verdict.sentence for _, verdict in plan.judged if verdict.decision == "refuse"}),
        "expires_at": (plan.made_at + plans.VALID_FOR).isoformat(),
        "revision": plan.binding["policies"],
        "lines": lines,
        "frozen": [list(cell) for cell in plan.lifts][:MOST_LISTED],
        "frozen_count": len(plan.lifts),
        "left_alone": _left_alone(draft.dispositions if draft else {}),
        "entities": draft.entities if draft else 0,
        "kinds": list(installation.policies.policies.entity_types),
        "reviews": len(draft.reviews) if draft else 0,
    }


def _plan_lines(installation: Installation, judged: tuple[tuple[Change, Judgement], ...]) -> list[dict[str, Any]]:
    """One line per field and target: how many of each meaning, the verdicts, one example with its policy line."""
    grouped: dict[tuple[str, str], dict[str, Any]] = {}
    spoken = Spoken(installation)
    for change, verdict in judged:
        for cell in change.cells:
            line = grouped.setdefault(
                (cell.field, change.system),
                {
                    "field": cell.field,
                    "system": change.system,
                    "records": 0,
                    "meanings": {},
                    "verdicts": {},
                    "example": None,
                },
            )
            line["records"] += 1
            line["meanings"][cell.meaning] = line["meanings"].get(cell.meaning, 0) + 1
            line["verdicts"][verdict.decision] = line["verdicts"].get(verdict.decision, 0) + 1
            if line["example"] is None or (cell.before and not line["example"]["before"]):
                line["example"] = {
                    "record": _what(change),
                    "name": installation.name_of(change),
                    "before": spoken.value(change.system, cell.field, cell.before),
                    "after": spoken.value(change.system, cell.field, cell.after),
                    "because": cell.why.sentence,
                    "line": cell.why.line,
                }
    return [grouped[key] for key in sorted(grouped)]


def _left_alone(dispositions: Mapping[tuple[str, str, str], int]) -> list[dict[str, Any]]:
    return [
        {"field": field, "system": system, "disposition": disposition, "count": count}
        for (field, system, disposition), count in sorted(dispositions.items())
        if disposition not in ("write", "equal", "nothing")
    ]


def _what(change: Change) -> str:
    return str(change.ref) if change.ref else f"new {change.object_type}"


def written_result(installation: Installation, batch_id: str, tally: apply.Tally) -> Result:
    return {
        "batch": batch_id,
        "state": installation.ledger.batch(batch_id).state,
        "written": tally.confirmed,
        "failed": tally.failed,
        "drifted": tally.drifted,
        "unknown": tally.unknown,
        "problems": problems_of(installation, [batch_id]),
    }


def problems_of(installation: Installation, batch_ids: Iterable[str]) -> list[Result]:
    """What was not written as it was meant, by name."""
    problems = [
        entry
        for batch_id in batch_ids
        for entry in installation.ledger.entries(batch_id=batch_id, states=(State.FAILED, State.DRIFTED, State.UNKNOWN))
    ]
    return [
        {
            "entry": entry.id,
            "record": _what(entry.change),
            "name": installation.name_of(entry.change),
            "state": entry.state.value,
            "error": entry.error,
        }
        for entry in problems[:MOST_LISTED]
    ]


def reversal_result(installation: Installation, reversal: Reversal) -> Result:
    """What ``rollback --json`` prints of a preview: counts of records, then cell by cell."""
    groups: Counter[str] = Counter()
    spoken = Spoken(installation)
    for fate, count in reversal.counts.items():
        groups[fate.group] += count
    left = [verdict for verdict in reversal.verdicts if verdict.fate not in (Fate.RESTORE, Fate.ALREADY)]
    restored = [verdict for verdict in reversal.verdicts if verdict.fate is Fate.RESTORE]
    return {
        "undo": reversal.words,
        "batches": list(reversal.batches),
        **{name: groups[name] for name in ("restore", "already", "keep", "skip", "blocked")},
        "fates": {fate.value: count for fate, count in sorted(reversal.counts.items())},
        "frozen_cells": len(reversal.freezes),
        "lifted_cells": len(reversal.lifts),
        "unwritten": reversal.unwritten,
        "values_until": _values_until(installation, restored),
        "restored": [_verdict_result(verdict, spoken) for verdict in restored[:MOST_LISTED]],
        "left": [_verdict_result(verdict, spoken) for verdict in left[:MOST_LISTED]],
    }


def _values_until(installation: Installation, restored: Sequence[Verdict]) -> str | None:
    """When the first of the old values to be put back is erased: the undo can wait no longer."""
    if not restored:
        return None
    oldest = min(restored, key=lambda verdict: verdict.entry.seq)
    closed_at = installation.ledger.batch(oldest.entry.batch_id).closed_at
    until = ageing.kept_until(installation, closed_at or installation.clock())
    return until.isoformat() if until is not None else None


def _verdict_result(verdict: Verdict, spoken: Spoken) -> Result:
    field = verdict.cell.field if verdict.cell else "create"
    return {
        "cell": verdict.key,
        "record": str(verdict.ref),
        "name": verdict.name,
        "field": field,
        "batch": verdict.entry.batch_id,
        "fate": verdict.fate.value,
        "live": spoken.value(verdict.ref.system, field, verdict.live),
        "would_be": spoken.value(verdict.ref.system, field, verdict.target),
        "note": verdict.note,
        "who": verdict.who,
    }
