"""What people order about consent; each order has the shape of ``agent.orders.orders``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent import apply
from agent.consent import opt_in
from agent.consent.opt_in import Evidence
from agent.errors import UsageError
from agent.installation import Installation
from agent.local_time import read_moment

Body = Mapping[str, Any]
Result = dict[str, Any]

EVIDENCE = {"source": "--source", "at": "--at", "recorded_by": "--actor"}
"""What an opt-in rests on → how it is typed."""


def ask_opt_in(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    missing = [option for key, option in EVIDENCE.items() if not str(body.get(key, "")).strip()]
    if missing:
        raise UsageError(
            f"an opt-in needs evidence: {' and '.join(missing)}",
            why="where the person said yes, when, and who recorded it",
            next_step="truce consent opt-in --help",
        )
    at = read_moment(body["at"], installation.clock(), installation.zone)
    evidence = Evidence(body["source"].strip(), at, body["recorded_by"].strip())
    asked = opt_in.ask(installation, body["record"], evidence, actor)
    return {
        "batch": asked.batch.id,
        "address": asked.address,
        "records": sum(asked.batch.counts.values()),
        "steps": list(asked.steps),
        "expires_at": asked.batch.expires_at.isoformat() if asked.batch.expires_at else None,
        "by": actor,
    }


CONSENT_ORDERS = {"opt-in": ask_opt_in}
