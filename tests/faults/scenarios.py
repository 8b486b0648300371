"""Four runs that write: a cycle, an applied plan, approved batches, an undo with people's edits in between.

Each has a part without faults (``prepare``), the part that is disturbed (``act``), and what a person does after a
restart (``again``): the same command, if it had not been done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from small_world import ANNA, Colleagues, Time

from agent import apply, cycle, failures
from agent.changes import HELD, OPEN, State
from agent.errors import TruceError
from agent.installation import Installation
from agent.orders.orders import ORDERS

Made = Mapping[str, str]

SETTLING_SECONDS = 60.0
"""Between two cycles: longer than a request may still be on its way, and than an index lags."""


class Scenario(Protocol):
    name: str
    mode: str
    """The installation's: ``act`` writes by itself, ``ask`` waits for a person."""

    def prepare(self, installation: Installation, colleagues: Colleagues, made: Made, time: Time) -> None: ...

    def act(self, installation: Installation) -> None: ...

    def again(self, installation: Installation) -> None: ...


def go_live(installation: Installation) -> None:
    for name, header in installation.policies.policies.headers.items():
        installation.approvals.activate(name, header.meaning, ANNA)


def order(installation: Installation, kind: str, **body: object) -> dict[str, Any]:
    return ORDERS[kind](installation, body, ANNA, apply.silent)


def several_cycles(installation: Installation, time: Time, count: int = 3) -> None:
    for _ in range(count):
        cycle.run(installation)
        time.wait(SETTLING_SECONDS)


def approve_all(installation: Installation) -> None:
    """Every batch that waits, oldest first."""
    for batch in reversed(installation.ledger.batches(states=HELD)):
        count = len(installation.ledger.entries(batch_id=batch.id, states=(State.HELD,)))
        order(installation, "approve", batch=batch.id, count=count, reason="checked with sales")


class ACycle:
    """Pull, pair, decide, write: creates, updates of both systems, a stage forward; a stage back is held."""

    name = "cycle"
    mode = "act"

    def prepare(self, installation: Installation, colleagues: Colleagues, made: Made, time: Time) -> None:
        go_live(installation)

    def act(self, installation: Installation) -> None:
        cycle.run(installation)

    def again(self, installation: Installation) -> None:
        """The daemon simply goes on."""


class AnAppliedPlan:
    """The same changes, seen by a person first and written in slices."""

    name = "plan"
    mode = "act"

    def prepare(self, installation: Installation, colleagues: Colleagues, made: Made, time: Time) -> None:
        go_live(installation)

    def act(self, installation: Installation) -> None:
        plan = order(installation, "plan")
        order(installation, "apply", plan=plan["plan"], confirm=plan["changes"])

    def again(self, installation: Installation) -> None:
        if not any(batch.kind == "plan" and batch.plan_id for batch in installation.ledger.batches()):
            self.act(installation)


class ApprovedBatches:
    """What a cycle proposed, approved by a person: creates, updates, and a stage back in two steps."""

    name = "approve"
    mode = "ask"

    def prepare(self, installation: Installation, colleagues: Colleagues, made: Made, time: Time) -> None:
        go_live(installation)
        several_cycles(installation, time)

    def act(self, installation: Installation) -> None:
        approve_all(installation)

    def again(self, installation: Installation) -> None:
        approve_all(installation)


class AnUndo:
    """Everything written is undone, after people edited one value, deleted one record and filled one field."""

    name = "rollback"
    mode = "act"

    def prepare(self, installation: Installation, colleagues: Colleagues, made: Made, time: Time) -> None:
        go_live(installation)
        several_cycles(installation, time)
        approve_all(installation)
        several_cycles(installation, time)
        colleagues.edit("hubspot", "contacts", made["ann'"], jobtitle="Chief Executive")
        colleagues.edit("salesforce", "Lead", made["eve"], Phone="+12125550199")
        colleagues.edit("salesforce", "Contact", made["bob"], Title="CTO (checked)")
        colleagues.delete("hubspot", "contacts", made["eve'"])
        time.wait(SETTLING_SECONDS)

    def act(self, installation: Installation) -> None:
        order(installation, "rollback", batches=undone(installation))

    def again(self, installation: Installation) -> None:
        for batch in installation.ledger.batches(states=OPEN):
            if batch.kind == "rollback":
                order(installation, "rollback", batches=list(batch.reverts))
                return
        if not any(batch.kind == "rollback" for batch in installation.ledger.batches()):
            self.act(installation)


def retry(installation: Installation) -> None:
    """Everything a vendor refused, once more; an undo that failed in part is ordered again."""
    if any(failures.standing(installation)):
        for batches in order(installation, "retry")["undos"]:
            order(installation, "rollback", batches=list(batches))


def undone(installation: Installation) -> Sequence[str]:
    return [batch.id for batch in installation.ledger.batches(states=["done"]) if batch.kind != "rollback"]


SCENARIOS: Sequence[Scenario] = (ACycle(), AnAppliedPlan(), ApprovedBatches(), AnUndo())


def tried(scenario: Scenario, installation: Installation) -> TruceError | None:
    """The disturbed part; the error a person would have seen, if any."""
    try:
        scenario.act(installation)
    except TruceError as error:
        return error
    return None
