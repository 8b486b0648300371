"""Values are kept for a time only (``run.keep_values_days``): long enough to explain and to undo."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from agent.forgetting.forgetting import BY_ITSELF
from agent.installation import Installation
from agent.ledger.erasure import Erasure
from agent.records import Ref

WORDED_ANEW = "its question has lost its words to age"


def let_go(installation: Installation) -> int:
    """Erase what is older than that from ledger and mirror. Returns of how many entries of the ledger.

    A question that is still open is asked again with the next cycle, in the words of what the CRMs show by then.
    """
    kept = installation.config.run.keep_values_days
    if kept is None:
        return 0
    until = installation.clock() - timedelta(days=kept)
    erasure = Erasure(installation.ledger)
    erased = erasure.expire(until, BY_ITSELF)
    entities, records = erasure.unword(until)
    members = installation.crosswalk.members(sorted(entities)).values()
    refs = {Ref.parse(record) for record in records} | {link.ref for links in members for link in links}
    installation.mirror.pend(installation.mirror.living(refs), WORDED_ANEW, installation.clock())
    _drop_bases(installation, installation.mirror.erased.let_go(until))
    return erased


def _drop_bases(installation: Installation, gone: Sequence[Ref]) -> None:
    """What the CRMs last agreed on about somebody of whom no CRM has a record any more."""
    entities = sorted(set(installation.crosswalk.entities_of(gone).values()))
    members = installation.crosswalk.members(entities)
    living = installation.mirror.living(link.ref for links in members.values() for link in links)
    installation.mirror.erased.drop_bases(
        entity_id for entity_id in entities if living.isdisjoint(link.ref for link in members.get(entity_id, ()))
    )


def kept_until(installation: Installation, written_at: datetime) -> datetime | None:
    """When the values of what was written then are erased; None: never."""
    kept = installation.config.run.keep_values_days
    return None if kept is None else written_at + timedelta(days=kept)
