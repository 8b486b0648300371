"""What people order about moving over from another sync; each order has the shape of ``agent.orders.orders``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from agent import apply, cutover, cycle
from agent.cutover import Standing
from agent.installation import Installation

Body = Mapping[str, Any]
Result = dict[str, Any]


def show(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    """Read what changed, and say where each kind of record stands."""
    cycle.pull_all(installation)
    return _document(installation)


def advance(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    cycle.pull_all(installation)
    step = cutover.advance(installation, body["object"], actor)
    return {"moved": {"object": body["object"], "to": step}, **_document(installation)}


def go_back(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    """Asks no vendor: the way back is open when one of them is down."""
    step = cutover.go_back(installation, body["object"], actor)
    return {"moved": {"object": body["object"], "to": step}, **_document(installation, look=False)}


def _document(installation: Installation, *, look: bool = True) -> Result:
    types = sorted(installation.policies.policies.entity_types)
    return {"objects": [_standing(cutover.standing(installation, name, look=look)) for name in types]}


def _standing(found: Standing) -> Result:
    writes = Counter((each.field, each.ref.system, each.author) for each in found.other or ())
    last = {(each.field, each.ref.system, each.author): each.at for each in reversed(found.other or ())}
    return {
        "object": found.entity_type,
        "step": found.step,
        "since": found.since.isoformat() if found.since else None,
        "by": found.by,
        "policies": [{"policy": name, "mode": mode} for name, mode in sorted(found.policies.items())],
        "looked": found.other is not None,
        "other_sync": [
            {"field": field, "system": system, "author": author, "count": count, "last_at": last[key].isoformat()}
            for key, count in writes.most_common()
            for field, system, author in [key]
        ],
    }


CUTOVER_ORDERS = {"cutover": show, "cutover-next": advance, "cutover-back": go_back}
