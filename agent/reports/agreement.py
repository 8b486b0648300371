"""How far both CRMs agree, by field.

Working it out anew means deciding every record, which takes minutes in a large company. So each entity's outcome is
kept when it is decided (``agent.mirror.agreement``) and only those that were written to since are decided again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from agent.changes import Decision, Outcomes
from agent.decide.decide import decide
from agent.installation import Installation
from agent.ledger.figures import has_agreement, keep_agreement
from agent.mirror.agreement import Compared, Names, as_names, names_in
from agent.views import SLICE, views

AGREE = frozenset({"equal"})
DIFFER = frozenset({"write", "ask", "refused", "frozen", "quiet", "reported", "kept"})
"""A field that was not compared (hidden from us, left out by an ``unless``) counts for neither."""

NO_FIELDS = frozenset({"", "create"})

KINDS_REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class FieldAgreement:
    """How many entities hold the same on both sides in one field, and how many do not."""

    entity_type: str
    field: str
    agree: int
    differ: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.agree / (self.agree + self.differ)


def learn(installation: Installation, decisions: Sequence[Decision]) -> None:
    """Keep what these decisions say."""
    installation.mirror.agreement.keep([compared(decision) for decision in decisions])


def renew(installation: Installation, *, has_decided: bool) -> None:
    """Count those again that were written to, and keep the day's figures. Writes to no CRM.

    Counting looks at every entity, so a cycle that decided nothing does it once a day.
    """
    has_moved = has_decided
    for decisions in _decided_again(installation):
        learn(installation, decisions)
        has_moved = True
    today = installation.clock().astimezone(installation.zone).date()
    if not has_moved and has_agreement(installation.ledger, today):
        return
    figures = [(each.entity_type, each.field, each.agree, each.differ) for each in by_field(installation)]
    keep_agreement(installation.ledger, today, figures)


def by_field(installation: Installation) -> list[FieldAgreement]:
    """The least agreeing field first. For a reader too: what is outdated is decided again in memory."""
    agree, differ = installation.mirror.agreement.counts()
    for decisions in _decided_again(installation):
        for each in map(compared, decisions):
            entity_type = each.entity_id.rpartition("-")[0]
            agree.update((entity_type, name) for name in names_in(each.agree))
            differ.update((entity_type, name) for name in names_in(each.differ))
    found = [FieldAgreement(*key, agree[key], differ[key]) for key in agree.keys() | differ.keys()]
    return sorted(found, key=lambda each: (each.share, each.entity_type, each.field))


def share(fields: Sequence[FieldAgreement]) -> float | None:
    """Over all fields, between 0 and 1; None when nothing was compared."""
    agree = sum(each.agree for each in fields)
    whole = agree + sum(each.differ for each in fields)
    return agree / whole if whole else None


def compared(decision: Decision) -> Compared:
    """What a decision says of each field."""
    agree, differ, kept = _fields(decision.outcomes)
    ends = [step.until for step in decision.trace if step.until is not None] if kept else ()
    return Compared(decision.entity_id, agree, differ, kept, min(ends, default=None))


@lru_cache(maxsize=KINDS_REMEMBERED)
def _fields(outcomes: Outcomes) -> tuple[Names, Names, Names]:
    """Those that agree, differ and are kept. A field with two outcomes (both sides would be written) differs."""
    agree = {field for field, _, disposition in outcomes if disposition in AGREE}
    differ = {field for field, _, disposition in outcomes if disposition in DIFFER} - NO_FIELDS
    kept = {field for field, _, disposition in outcomes if disposition == "kept"}
    return as_names(agree - differ - NO_FIELDS), as_names(differ), as_names(kept)


def _decided_again(installation: Installation) -> Iterator[list[Decision]]:
    outdated = installation.mirror.agreement.outdated()
    for start in range(0, len(outdated), SLICE):
        part = outdated[start : start + SLICE]
        found = {view.entity_id: decide(view, installation.policies) for view in views(installation, part)}
        yield [found.get(entity_id) or Decision(entity_id) for entity_id in part]
