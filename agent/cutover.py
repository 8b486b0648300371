"""From another sync to Truce, one kind of record at a time: four steps, each recorded, each with a way back.

Truce cannot switch the other sync off; a person does, and says so. What it can do is look: it does not go on while a
sync named in the config still writes fields that our policies write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.errors import NotFound, Refused
from agent.installation import Installation
from agent.local_time import spoken
from agent.plan import planner
from agent.watch.other_sync import ROUND, OtherWrite, other_writes

EVENT = "cutover"
STEPS = ("native on", "both watched", "native off", "Truce acts")
NATIVE_ON, WATCHED, NATIVE_OFF, ACTS = STEPS

LOOKED_BACK = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one entity type stands. ``policies``: {name: what it may do now}; ``since`` is None before the first step.

    ``other`` is what the other sync wrote in the last day, or None where nobody asked.
    """

    entity_type: str
    step: str
    since: datetime | None
    by: str
    policies: dict[str, str]
    other: tuple[OtherWrite, ...] | None = None


def standing(installation: Installation, entity_type: str, *, look: bool = True) -> Standing:
    """Raises NotFound for an entity type that no policy defines; ConnectorError when a vendor cannot be asked."""
    known = installation.policies.policies.entity_types
    if entity_type not in known:
        raise NotFound(
            f"no policy is about {entity_type}", why=f"they are about {', '.join(sorted(known))}",
            next_step="truce cutover",
        )  # fmt: skip
    events = installation.ledger.events(kind=EVENT, subject=entity_type, limit=1)
    modes = planner.effective_modes(installation, by_person=False)
    other = tuple(other_writes(installation, entity_type, installation.clock() - LOOKED_BACK)) if look else None
    return Standing(
        entity_type,
        str(events[0].body["to"]) if events else NATIVE_ON,
        events[0].at if events else None,
        events[0].actor if events else "",
        {name: modes[name] for name in policies_about(installation, entity_type)},
        other,
    )


def taken_over(installation: Installation) -> list[str]:
    """Entity types that are at their last step: the other sync is off, and Truce acts."""
    known = installation.policies.policies.entity_types
    return [name for name in known if standing(installation, name, look=False).step == ACTS]


def advance(installation: Installation, entity_type: str, actor: str) -> str:
    """Take the next step; returns the new one.

    Raises:
        Refused: it is not time for it yet; says why and what to do.
    """
    now = standing(installation, entity_type, look=False)
    if now.step == ACTS:
        raise Refused(
            f"{entity_type}: Truce acts already", next_step=f"truce cutover {entity_type} --back takes a step back"
        )
    step = STEPS[STEPS.index(now.step) + 1]
    if step == WATCHED:
        _require_nobody_acts(now)
    if step == ACTS:
        _require_a_round_since(installation, now)
        require_no_other_sync(installation, entity_type, f"truce cutover {entity_type}", now.since)
    installation.ledger.record_event(EVENT, entity_type, actor, {"from": now.step, "to": step})
    return step


def go_back(installation: Installation, entity_type: str, actor: str) -> str:
    """Take a step back; returns the new one. From ``Truce acts``: its policies only propose again.

    Raises:
        Refused: there is no step before it.
    """
    now = standing(installation, entity_type, look=False)
    if now.step == NATIVE_ON:
        raise Refused(
            f"{entity_type}: nothing was done yet, so there is no way back to go",
            next_step=f"truce cutover {entity_type}",
        )
    if now.step == ACTS:
        for name in now.policies:
            if installation.approvals.active_meaning(name) is not None:
                installation.approvals.deactivate(name, actor)
    step = STEPS[STEPS.index(now.step) - 1]
    installation.ledger.record_event(EVENT, entity_type, actor, {"from": now.step, "to": step})
    return step


def require_no_other_sync(
    installation: Installation, entity_type: str, again: str, since: datetime | None = None
) -> None:
    """Before a policy about this entity type may act.

    Raises:
        Refused: a sync named in the config wrote one of its fields within its last round (or since a moment in it).
        ConnectorError: nobody could be asked, so nothing is known.
    """
    start = installation.clock() - ROUND
    writes = other_writes(installation, entity_type, max(start, since) if since is not None else start)
    if not writes:
        return
    latest = writes[0]
    fields = ", ".join(sorted({each.field for each in writes}))
    when = spoken(latest.at, installation.zone)
    raise Refused(
        f"another sync still writes {fields} of {entity_type}",
        where=f"{latest.ref} {latest.vendor_field}",
        why=f"{latest.author} wrote it on {when}; two syncs would write over each other",
        next_step=f"switch {entity_type} off there, wait {ROUND.seconds // 60} minutes, then: {again}",
    )


def policies_about(installation: Installation, entity_type: str) -> list[str]:
    """Names of the policies that write records of this type."""
    policies = installation.policies.policies
    names = {rule.policy for rule in policies.rules_for(entity_type)}
    names |= {policy.header.name for policy in policies.fields if policy.about == entity_type}
    return sorted(names | {policy.header.name for policy in policies.lifecycle if policy.about == entity_type})


def _require_nobody_acts(now: Standing) -> None:
    acting = sorted(name for name, mode in now.policies.items() if mode == "act")
    if acting:
        raise Refused(
            f"{', '.join(acting)} already writes {now.entity_type} beside the other sync",
            why="watching together means that only the other one writes",
            next_step=f"truce pause {acting[0]}",
        )


def _require_a_round_since(installation: Installation, now: Standing) -> None:
    """The other sync must have had the time to show that it is still on."""
    until = (now.since or installation.clock()) + ROUND
    if installation.clock() < until:
        since, end = (spoken(at, installation.zone) for at in (until - ROUND, until))
        raise Refused(
            f"{now.entity_type} was switched off only on {since}",
            why=f"the other sync may look every 15 minutes: until {end} its silence says nothing",
            next_step=f"later: truce cutover {now.entity_type}",
        )
