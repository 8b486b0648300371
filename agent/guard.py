"""Step 5: allow, hold or refuse. Runs in a preview too, so that nobody learns of a limit only when applying.

Pure: the counters, the population and the consent are handed in. A limit holds *all* changes of the policy that broke
it (half a mistake is still a mistake) and leaves the others alone. Consent by a person lifts ceilings of volume, never
ceilings of meaning (blanks, owners, creates, stages moved back, consent).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from sys import maxsize

from agent.changes import Change, Mode, Verdict
from agent.decide.policy import LimitsPolicy

MEANING_LIMITS: Mapping[str, str] = {
    "blank": "blanks",
    "owner": "owner_changes",
    "create": "creates",
    "stage_back": "stage_back",
    "consent": "opt_out",
    "opt_in": "opt_in",
    "delete": "removals",
}
"""Cell meaning → its name under ``day`` and ``batch`` of a limits policy."""

DEFAULT_BATCH_RECORDS = 200
DEFAULT_PERCENT = 5.0
SMALLEST_PERCENT_LIMIT = 20
"""A percentage of a small population may not hold ordinary work (facts: caps, "5 %, min 20")."""

DEFAULT_DAY: Mapping[str, int] = {
    "blanks": 10,
    "owner_changes": 50,
    "creates": 200,
    "stage_back": 0,
    "opt_out": 200,
    "removals": 10,
}

_MODE_RANK: Mapping[Mode, int] = {"watch": 0, "ask": 1, "act": 2}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What judging depends on beside the changes themselves.

    ``modes``: effective mode per policy. ``used_today``: limit name → number already used. ``population``: entities of
    the type at stake. ``by_person``: somebody has seen exactly this list and applies it, so ``ask`` is satisfied;
    ``confirmed``: that person also typed the count, which lifts the ceilings of volume. ``has_gone_live``: some policy
    was allowed to act here once, so opt-outs need no person any more. ``natural_ids``: (system, object type) whose
    creates need no link key, because making one again makes no second. ``paused``: policies that a person stopped.
    ``unanswered``: {(entity, system): the entry of a create there whose reply was lost and that no key can settle}.
    """

    modes: Mapping[str, Mode]
    used_today: Mapping[str, int] = field(default_factory=dict)
    population: int = 0
    by_person: bool = False
    confirmed: bool = False
    has_gone_live: bool = False
    natural_ids: frozenset[tuple[str, str]] = frozenset()
    paused: frozenset[str] = frozenset()
    unanswered: Mapping[tuple[str, str], str] = field(default_factory=dict)


def judge(changes: Sequence[Change], limits: LimitsPolicy | None, circumstances: Circumstances) -> list[Verdict]:
    """One verdict per change, in order."""
    verdicts = [_by_mode(change, circumstances) for change in changes]
    _hold_by_meaning(changes, verdicts, limits, circumstances)
    if not circumstances.confirmed:
        _hold_by_volume(changes, verdicts, limits, circumstances)
    _hold_whole_groups(changes, verdicts)
    return verdicts


def limit_uses(changes: Sequence[Change]) -> dict[str, int]:
    """How much of each durable counter these changes use: limit name → records."""
    uses: Counter[str] = Counter()
    for change in changes:
        uses["records"] += 1
        for name in _limits_touched(change):
            uses[name] += 1
    return dict(uses)


def lowest(modes: Sequence[Mode]) -> Mode:
    """The strictest of several ceilings."""
    return min(modes, key=lambda mode: _MODE_RANK[mode])


def _by_mode(change: Change, circumstances: Circumstances) -> Verdict:
    mode = lowest([circumstances.modes.get(name, "ask") for name in change.policies])
    policies = ", ".join(sorted(change.policies))
    paused = sorted(change.policies & circumstances.paused)
    if paused:
        return Verdict("refuse", "paused", f"{', '.join(paused)} is paused")
    if mode == "watch":
        return Verdict("refuse", "mode: watch", f"{policies} only watches")
    lost = circumstances.unanswered.get((change.entity_id, change.system))
    if change.op == "create" and lost is not None:
        sentence = f"{lost} may have made it in {change.system} already, its reply was lost: look there first"
        return Verdict("hold", "unanswered create", sentence)
    may_act = circumstances.by_person or (change.is_consent and circumstances.has_gone_live)
    if mode == "ask" and not may_act:
        return Verdict("hold", "mode: ask", f"{policies} asks before it writes")
    has_key = change.key is not None or (change.system, change.object_type) in circumstances.natural_ids
    if change.op == "create" and not has_key and not circumstances.by_person:
        sentence = f"{change.object_type} has no link key in {change.system}, so a person approves each create"
        return Verdict("hold", "link_keys", sentence)
    return Verdict("allow")


def _hold_by_meaning(
    changes: Sequence[Change],
    verdicts: list[Verdict],
    limits: LimitsPolicy | None,
    circumstances: Circumstances,
) -> None:
    day = {**DEFAULT_DAY, **(limits.day if limits else {})}
    batch = limits.batch if limits else {}
    asked: Counter[str] = Counter()
    for change, verdict in zip(changes, verdicts, strict=True):
        if verdict.decision == "allow":
            asked.update(_limits_touched(change))
    broken: dict[str, str] = {}
    for name, count in asked.items():
        used = circumstances.used_today.get(name, 0)
        if name in day and used + count > day[name]:
            broken[name] = f"{count} {_plain(name)} and {used} today already, the limit is {day[name]} a day"
        elif name in batch and count > batch[name]:
            broken[name] = f"{count} {_plain(name)} at once, the limit is {batch[name]}"
    for index, change in enumerate(changes):
        if verdicts[index].decision != "allow":
            continue
        for name in _limits_touched(change):
            if name in broken:
                verdicts[index] = Verdict("hold", name, broken[name])


def _hold_by_volume(
    changes: Sequence[Change],
    verdicts: list[Verdict],
    limits: LimitsPolicy | None,
    circumstances: Circumstances,
) -> None:
    """Hold the largest policies first until the rest fits under the ceilings of one batch and of the day.

    Opt-outs have a limit of their own; an oversized batch of anything else never holds them back.
    """
    ceiling, described = min(batch_ceiling(limits, circumstances.population), _left_today(limits, circumstances))
    allowed = [
        index for index, verdict in enumerate(verdicts) if verdict.decision == "allow" and not changes[index].is_consent
    ]
    while len(allowed) > ceiling:
        per_policy = Counter(name for index in allowed for name in changes[index].policies)
        largest, count = per_policy.most_common(1)[0]
        sentence = f"{largest} would change {count} records at once, the limit is {described}"
        for index in allowed:
            if largest in changes[index].policies:
                verdicts[index] = Verdict("hold", "batch", sentence)
        allowed = [index for index in allowed if verdicts[index].decision == "allow"]


def batch_ceiling(limits: LimitsPolicy | None, population: int) -> tuple[int, str]:
    """Most records one batch may change without a person, and how to say it."""
    records = limits.batch_records if limits else DEFAULT_BATCH_RECORDS
    percent = limits.batch_percent if limits else DEFAULT_PERCENT
    if percent is None or not population:
        return records, f"{records}"
    share = max(SMALLEST_PERCENT_LIMIT, floor(population * percent / 100))
    if share < records:
        return share, f"{share} ({percent:g} % of {population})"
    return records, f"{records}"


def _left_today(limits: LimitsPolicy | None, circumstances: Circumstances) -> tuple[int, str]:
    """What the day still has room for, if its policy names a ceiling for records."""
    most = limits.day.get("records") if limits else None
    if most is None:
        return maxsize, ""
    used = circumstances.used_today.get("records", 0)
    return max(most - used, 0), f"{most} a day and {used} were changed already"


def _hold_whole_groups(changes: Sequence[Change], verdicts: list[Verdict]) -> None:
    """Writes that belong together (clear, then set) share the strictest verdict of any of them."""
    strictest: dict[str, Verdict] = {}
    rank = {"allow": 0, "hold": 1, "refuse": 2}
    for change, verdict in zip(changes, verdicts, strict=True):
        if change.group is None:
            continue
        known = strictest.get(change.group)
        if known is None or rank[verdict.decision] > rank[known.decision]:
            strictest[change.group] = verdict
    for index, change in enumerate(changes):
        if change.group is not None:
            verdicts[index] = strictest[change.group]


def _limits_touched(change: Change) -> set[str]:
    if change.op == "create":
        return {"creates"}
    return {MEANING_LIMITS[cell.meaning] for cell in change.cells if cell.meaning in MEANING_LIMITS}


def _plain(limit_name: str) -> str:
    return limit_name.replace("_", " ")
