"""May this installation write at all? Looked at once, when a writer starts, before anything else is done.

Writing with a ledger that forgot what was done, or into another account than the one paired, destroys data; nothing
that comes later could notice.
"""

from __future__ import annotations

from pathlib import Path

from agent.changes import Mode
from agent.errors import LedgerDamaged, SafetyStop, UsageError
from agent.installation import Installation
from agent.ledger.ledger import Ledger
from agent.ledger.memory import MemoryCheck

ACCOUNT = "account"
"""Kind of the event that notes which account of a system this installation belongs to."""


def check_ledger(ledger: Ledger, path: Path, *, is_accepted: bool = False) -> None:
    """Refuse a ledger that is broken, altered, replaced, or restored from an old backup.

    ``is_accepted``: a person goes on with one that is replaced or old; broken or altered is still refused.

    Raises:
        SafetyStop: it is not the one this folder knew. LedgerDamaged: its pages or its chain are broken.
    """
    ledger.store.check_pages()
    if not is_accepted:
        check_memory(ledger, path)
    verification = ledger.verify()
    if not verification.ok:
        raise LedgerDamaged(
            "the ledger was altered",
            where=str(path),
            why=verification.message,
            next_step="put the last backup back: truce ledger restore FILE",
        )


def check_memory(ledger: Ledger, path: Path) -> None:
    """Raises SafetyStop: it is not the one this folder knew."""
    memory = ledger.memory_check()
    if memory != "ok":
        raise not_the_one_known(path, memory)


def not_the_one_known(path: Path, memory: MemoryCheck) -> SafetyStop:
    return SafetyStop(
        "the ledger is not the one this installation knew, so nothing is written",
        where=str(path),
        why=f"the side file says it is {memory}: restored from an old backup, or replaced",
        next_step="put the newer one back; if it is lost: truce ledger accept",
    )


def accept_memory(installation: Installation, person: str) -> None:
    """Go on with a ledger that has lost its latest past: everything is read and paired anew, every policy only
    proposes until its plan was seen, and no number is used that the lost part may have used.

    Raises:
        UsageError: nothing is lost, so there is nothing to accept.
    """
    ledger = installation.ledger
    memory = ledger.memory_check()
    if memory == "ok":
        raise UsageError("the ledger remembers everything, so there is nothing to accept", next_step="truce status")
    with ledger.store.write():
        installation.approvals.deactivate_all(person)
        installation.crosswalk.skip_numbers()
        ledger.record_event("ledger accepted", memory, person, {})
    installation.mirror.reset(ledger.ledger_id, ledger.last_seq)
    ledger.remember(accept=True)


def check_accounts(installation: Installation) -> None:
    """Note the accounts at the first start; afterwards refuse any other.

    Raises:
        SafetyStop: the credentials lead to another account (sandbox and production swapped).
        ConnectorError: a vendor does not say which account this is.
    """
    for system, connector in sorted(installation.connectors.items()):
        identity = connector.identity()
        installation.calls.meters[system].lives_in(identity.time_zone)
        found = identity.account_id
        known = known_accounts(installation.ledger).get(system)
        if known is None:
            installation.ledger.record_event(ACCOUNT, f"{system} {found}", "truce", {})
        elif known != found:
            raise SafetyStop(
                f"another {installation.systems[system].name} account answers, so nothing is written",
                where=f"{system} {found}",
                why=f"this installation belongs to account {known}",
                next_step="truce doctor",
            )


def known_accounts(ledger: Ledger) -> dict[str, str]:
    """{system: the account that this installation belongs to} of those that answered once."""
    found: dict[str, str] = {}
    for event in ledger.events(kind=ACCOUNT):
        system, _, account_id = event.subject.partition(" ")
        found.setdefault(system, account_id)
    return found


def check_mirror(installation: Installation) -> None:
    """A mirror of another ledger, or ahead of this one, is forgotten; what it is rebuilt from only proposes."""
    ledger = installation.ledger
    if installation.mirror.check_against(ledger.ledger_id, ledger.last_seq) != "ok":
        installation.mirror.reset(ledger.ledger_id, ledger.last_seq)
        installation.mode = _lowered(installation.mode)


def _lowered(mode: Mode) -> Mode:
    """A rebuilt mirror only proposes until a person has seen a plan."""
    return "ask" if mode == "act" else mode
