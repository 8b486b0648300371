"""The whole error tree, grouped by what the caller should do.

    TruceError
    ├─ UsageError             the person can fix it                                    exit 2
    │   ├─ ConfigError        config file or secret
    │   ├─ PolicyError        one or more policy problems, each with its place
    │   └─ NotFound           unknown batch, record, policy …
    ├─ Refused                by design
    │   ├─ ApprovalNeeded     held, a cap, or nobody mapped to approve                 exit 4
    │   ├─ SafetyStop         emptied side, wrong account, lost memory                 exit 5
    │   └─ PlanStale          plan changed, expired or used                            exit 6
    ├─ LedgerMissing                                                                   exit 10
    ├─ LockHeld               another writer is running                                exit 11
    │   └─ Busy               a state file stayed locked too long: try again
    ├─ LedgerDamaged          chain or integrity check failed                          exit 12
    ├─ StorageFull            disk full or ledger unwritable: nothing was sent          exit 1
    ├─ ConnectorError
    │   ├─ AccessDenied       login, permission or scope                               exit 13
    │   │   └─ NotPermitted   logged in, but this object type or field is not for us
    │   ├─ Unavailable        vendor down or throttled: try later                      exit 14
    │   │   └─ HeldBack       held back by ourselves: our share of the day's calls is used up
    │   └─ BadReply           a reply that cannot be trusted (HTML, missing keys)      exit 14
    └─ Interrupted            stopped on request; resumable                            exit 130

Exit codes are those of docs/errors.md alone; an unknown code means failure. Messages follow one contract: what
happened, where, why, and the one next command.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

AGAIN = "run the same command again"
"""As a next step; the command line puts the command itself in its place."""


class TruceError(Exception):
    """Base of every error a person may see. ``next_step`` is one command or one setting, or empty."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next_step = next_step


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a policy or config file, with its place (1-based line and column)."""

    file: str
    line: int
    column: int
    message: str
    excerpt: str = ""
    advice: str = ""
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class UsageError(TruceError):
    """The person can fix it. ``problems`` are the lines to mend, sorted by place, where a file is wrong."""

    exit_code = 2

    def __init__(
        self, what: str, *, where: str = "", why: str = "", next_step: str = "", problems: Sequence[Problem] = ()
    ) -> None:
        super().__init__(what, where=where, why=why, next_step=next_step)
        self.problems = tuple(sorted(problems))


class ConfigError(UsageError):
    """A config file, setting or secret is missing or wrong."""


class NotFound(UsageError):
    """Something the person named does not exist."""


class PolicyError(UsageError):
    """Every problem found in the policy files, sorted by place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = len(problems)
        super().__init__(
            f"{count} problem{'s' if count != 1 else ''} in the policies",
            next_step="truce check",
            problems=problems,
        )


class Refused(TruceError):
    """Stopped by design; nothing was written."""

    exit_code = 4


class ApprovalNeeded(Refused):
    """A limit or a rule asks for a person first."""


class SafetyStop(Refused):
    """Writing now could destroy data: a side vanished, the account changed, our memory is gone."""

    exit_code = 5


class PlanStale(Refused):
    """The plan no longer describes what would happen, or was used already."""

    exit_code = 6


class LedgerMissing(TruceError):
    """There is no ledger where the config says."""

    exit_code = 10


class LockHeld(TruceError):
    """Another process is the writer."""

    exit_code = 11


class Busy(LockHeld):
    """Another process kept a state file locked for too long; nothing is lost, try again."""


class LedgerDamaged(TruceError):
    """The ledger does not verify."""

    exit_code = 12


class StorageFull(TruceError):
    """A commit failed for lack of space or a failing disk; nothing was sent for the rows it held."""


class ConnectorError(TruceError):
    """Talking to a vendor failed. ``system`` names which.

    ``mend`` is what puts it right, where the vendor's answer tells; ``truce doctor``, which most of these lead to,
    says it.
    """

    exit_code = 14

    def __init__(
        self, what: str, *, system: str = "", where: str = "", why: str = "", next_step: str = "", mend: str = ""
    ) -> None:
        super().__init__(what, where=where or system, why=why, next_step=next_step)
        self.system = system
        self.mend = mend


class AccessDenied(ConnectorError):
    """Login refused, permission or scope missing. Retrying does not help."""

    exit_code = 13


class NotPermitted(AccessDenied):
    """The login is good, and what was asked for is not for us: a permission or scope is missing.

    Only this says something about an object type; a refused login says nothing of what the vendor holds.
    """


class Unavailable(ConnectorError):
    """The vendor cannot answer now. ``retry_after`` is in seconds when the vendor said so."""

    def __init__(
        self, what: str, *, system: str = "", retry_after: float | None = None, why: str = "", mend: str = ""
    ) -> None:
        super().__init__(what, system=system, why=why, next_step="truce doctor", mend=mend)
        self.retry_after = retry_after


class HeldBack(Unavailable):
    """Truce itself did not send it: what is left of the day's calls is kept for something more urgent."""

    def __init__(self, what: str, *, system: str, retry_after: float | None = None, why: str = "") -> None:
        super().__init__(what, system=system, retry_after=retry_after, why=why)
        self.next_step = "truce status"


class BadReply(ConnectorError):
    """A reply that cannot be the answer (captive portal, truncation), or a refusal of what should be answered."""

    def __init__(self, what: str, *, system: str = "", where: str = "", why: str = "", mend: str = "") -> None:
        super().__init__(what, system=system, where=where, why=why, next_step="truce doctor", mend=mend)


class Interrupted(TruceError):
    """Stopped on request between two steps; running the same command again goes on."""

    exit_code = 130
