"""What people order about pairs; each order has the shape of ``agent.orders.orders``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent import apply, cycle
from agent.errors import UsageError
from agent.installation import Installation
from agent.pairing import decisions, pairing
from agent.records import Ref

Body = Mapping[str, Any]
Result = dict[str, Any]


def read_all(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    """Read both CRMs and pair what can be paired; write to neither."""
    results = cycle.pull_all(installation, progress=progress)
    entities, questions = cycle.identify_pending(installation, progress)
    return {"read": sum(result.seen for result in results), "touched": len(entities), "questions": len(questions)}


def accept(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    counts = pairing.accept(installation, body["entity_type"], actor)
    return {"entity_type": body["entity_type"], "accepted_by": actor, "lines": report_lines(counts)}


def join(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    one, other = _ref(body["one"]), _ref(body["other"])
    return {"joined": [str(one), str(other)], "entity": decisions.join(installation, one, other, actor)}


def split(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    ref = _ref(body["record"])
    return {"split": str(ref), "entity": decisions.split(installation, ref, actor)}


def never(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    one, other = _ref(body["one"]), _ref(body["other"])
    decisions.never(installation, one, other, actor)
    return {"never": [str(one), str(other)]}


def report_lines(counts: Mapping[pairing.Line, int]) -> list[dict[str, Any]]:
    """The report as ``pair --json`` prints it, in the order of the headings."""
    order = list(pairing.HEADINGS)
    lines = sorted(counts, key=lambda line: (line.entity_type, order.index(line.heading), line.detail))
    return [{**line._asdict(), "count": counts[line]} for line in lines]


def _ref(text: str) -> Ref:
    try:
        return Ref.parse(text)
    except ValueError as error:
        raise UsageError(
            str(error), why="write it as system:object/id, as reports print it", next_step="truce pair --csv pairs"
        ) from None


PAIRING_ORDERS = {"pair": read_all, "pair-accept": accept, "pair-join": join, "pair-split": split, "pair-never": never}
