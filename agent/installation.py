"""The parts of one running installation, handed to every step; made by ``agent.wiring`` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.approval.approvals import Approvals
from agent.bulk_jobs import BulkJobs
from agent.calls.calls import Calls
from agent.changes import Change, Mode
from agent.config.config import Config
from agent.connector import Connector
from agent.crosswalk import Crosswalk
from agent.decide import Prepared
from agent.decide.drift import Suspension
from agent.errors import AGAIN, Interrupted, UsageError
from agent.freeze.freeze import Freezes
from agent.ledger.ledger import Ledger
from agent.local_time import zone_of
from agent.mirror.mirror import Mirror
from agent.orders.commands import Commands
from agent.records import Owner, Record
from agent.reviews.reviews import Reviews
from agent.side_by_side import SideBySide
from agent.store import Clock
from agent.systems import Systems

Stop = Callable[[], bool]


def never() -> bool:
    """A ``Stop`` that never asks to stop."""
    return False


@dataclass(slots=True)
class Installation:
    """Everything a step may need. ``policies`` is replaced whole when a new set has been accepted.

    ``policy_problem`` says what is wrong with the files on disk while the last good set is in force instead.
    """

    config: Config
    connectors: Mapping[str, Connector]
    ledger: Ledger
    mirror: Mirror
    crosswalk: Crosswalk
    freezes: Freezes
    reviews: Reviews
    approvals: Approvals
    jobs: BulkJobs
    commands: Commands
    calls: Calls
    side_by_side: SideBySide
    clock: Clock
    policies: Prepared
    mode: Mode
    owners: Mapping[tuple[str, str], Owner] = field(default_factory=dict)
    stop: Stop = never
    doing: str = ""
    """What long work does just now, naming what its progress counts: ``pairing records``."""
    asks_vendors: bool = True
    """False for who only looks, or only writes down a person's word: schemas are not asked, no secret is read."""
    policy_problem: UsageError | None = None
    suspensions: tuple[Suspension, ...] = ()
    """Policy lines out of force because a CRM is no longer as they expect (``agent.schema.watch``)."""
    hidden: frozenset[tuple[str, str]] = frozenset()
    """(system, object type) that we may not read any more; not pulled."""
    schemas_seen_at: datetime | None = None
    heard: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """{system: (its clock, ours)} when it was last asked for the time."""

    @property
    def systems(self) -> Systems:
        """What the connectors say of their systems."""
        return self.policies.systems

    @property
    def zone(self) -> ZoneInfo:
        """The team's time zone: in it moments are read and shown."""
        return zone_of(self.policies.policies)

    def skew(self, system: str) -> timedelta:
        """How far a system's clock is ahead of ours; nothing if it was never asked."""
        if system not in self.heard:
            return timedelta()
        theirs, ours = self.heard[system]
        return theirs - ours

    def vendor_now(self, system: str) -> datetime | None:
        """About what a system's own clock shows; None if it was never asked, or ours was set back since."""
        if system not in self.heard:
            return None
        theirs, ours = self.heard[system]
        passed = self.clock() - ours
        return theirs + passed if passed >= timedelta() else None

    def give_way(self, doing: str) -> None:
        """To be called between two slices of long work that can begin again; says what it is ``doing``.

        Raises:
            Interrupted: asked to stop, or something more urgent waits.
        """
        self.doing = doing
        if self.stop():
            raise Interrupted(f"stopped while {doing}; nothing was written", next_step=AGAIN)

    def expiry(self) -> datetime:
        """When a batch held now stops waiting."""
        return self.clock() + timedelta(hours=self.config.run.approval_hours)

    def display_name(self, record: Record | None) -> str:
        """A record as people call it: its name fields, else its reference."""
        if record is None:
            return "?"
        names = self.connectors[record.ref.system].capabilities.name_fields.get(record.ref.object_type, ())
        spoken = " ".join(str(record.fields[name]) for name in names if record.fields.get(name))
        return spoken or str(record.ref)

    def name_of(self, change: Change) -> str:
        """Whom a change is about, by our last copy where the record is gone; ``new Lead Ann Lee`` before it is made."""
        if change.ref is not None:
            copy = self.mirror.last_copy(change.ref)
            return self.display_name(copy) if copy is not None else str(change.ref)
        written = {cell.vendor_field: cell.after for cell in change.cells}
        names = self.connectors[change.system].capabilities.name_fields.get(change.object_type, ())
        return " ".join(["new", change.object_type, *(str(written[name]) for name in names if written.get(name))])
