"""Orders about people who are to be forgotten; each has the shape of ``agent.orders.orders``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent import apply
from agent.forgetting import forgetting
from agent.forgetting.forgetting import Subject
from agent.installation import Installation
from agent.places import entity_type_of

Body = Mapping[str, Any]
Result = dict[str, Any]


def forget(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    whom = forgetting.find(installation, body["record"])
    held = forgetting.forget(installation, whom.entity_id, actor)
    return {**forget_result(held), "forgotten": True, "by": actor}


def forget_result(held: Subject) -> Result:
    """What ``forget --json`` prints of a preview."""
    return {
        "entity": held.entity_id,
        "kind": entity_type_of(held.entity_id),
        "records": [{"record": str(ref), "still_there": ref in held.there} for ref in held.records],
        "entries": held.entries,
        "waiting": held.waiting,
        "questions": held.questions,
        "was_forgotten": held.was_forgotten,
        "forgotten": False,
        "by": None,
    }


FORGETTING_ORDERS = {"forget": forget}
