"""An installation, put together from its config: its connectors, its files, its policies.

Reads the clock of this computer and draws random ids; everything else is handed both.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from agent.approval.approvals import Approvals
from agent.approval.ceiling import ceiling
from agent.bulk_jobs import BulkJobs
from agent.calls.budget import Share
from agent.calls.calls import Calls, Meter
from agent.calls.counts import CallCounts
from agent.config.config import CallsConfig, Config
from agent.config.secrets import ReplacedSecret, read_secret
from agent.connector import Connector
from agent.crosswalk import Crosswalk
from agent.decide import prepare
from agent.decide.drift import Described
from agent.decide.parse import load
from agent.decide.policy import PolicySet
from agent.declaration import REPLACED_BY_USE, Names, Opening, Rights
from agent.errors import ConfigError, PolicyError, TruceError, UsageError
from agent.freeze.freeze import Freezes
from agent.installation import Installation
from agent.ledger.ledger import Ledger
from agent.local_time import zone_of
from agent.lock import WriterLock, require_local_disk
from agent.mirror.mirror import Mirror
from agent.orders.commands import Commands
from agent.people import file_owner
from agent.policy_files.policy_files import read_sources
from agent.policy_files.rights import rights_for
from agent.private_files import make_private_directory
from agent.reviews.reviews import Reviews
from agent.safety import accept_memory, check_accounts, check_ledger, check_mirror
from agent.schema import watch as schema_watch
from agent.schema.memory import SchemaMemory
from agent.side_by_side import SideBySide, calls_under_way
from agent.store import Clock
from agent.systems import Systems
from agent.wiring.settings import systems_of
from connectors.registry import declared

LEDGER = "ledger.db"
MIRROR = "mirror.db"
LOCK = "writer.lock"


def wall_clock() -> datetime:
    """The clock of this computer, UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


def connect(config: Config, secret: Callable[[str], str] = read_secret) -> dict[str, Connector]:
    """A connector per system, on the vendors' client libraries. Makes no request yet.

    Raises:
        ConfigError: a secret is missing.
    """
    return {system: connect_to(config, system, secret) for system in config.systems}


def connect_to(config: Config, system: str, secret: Callable[[str], str] = read_secret) -> Connector:
    """The same for one system."""
    opening = Opening(config.systems[system], _secrets(config, system, secret), config.home, wall_clock)
    return declared()[system].connect(opening)


def suite_for(config: Config, system: str) -> tuple[Connector, Names | None, Callable[..., Any]]:
    """The conformance suite at the account of a ``system`` of the config: its connector, the names it may work with,
    and ``connectors.conformance.account.examine`` with every claim there is; it takes the names."""
    from connectors.conformance.account import examine
    from connectors.conformance.suite import CLAIMS

    declaration, settings = declared()[system], config.systems[system]
    names = declaration.names(settings) if declaration.names is not None else None
    connector = connect_to(config, system)
    claims = (*CLAIMS, *declaration.questions())
    return connector, names, partial(examine, connector, claims=claims)


def _secrets(config: Config, system: str, secret: Callable[[str], str]) -> dict[str, Any]:
    """The secrets of a system by name; what a vendor replaces stays a place that is read and written."""
    places = {
        setting.removeprefix(f"{system}."): place
        for setting, place in config.secrets().items()
        if setting.startswith(f"{system}.")
    }
    return {
        name: ReplacedSecret(place, secret) if name in REPLACED_BY_USE else secret(place)
        for name, place in places.items()
    }


@contextmanager
def open_installation(
    config: Config,
    *,
    writer: bool = True,
    asks_vendors: bool = True,
    connectors: Mapping[str, Connector] | None = None,
    clock: Clock = wall_clock,
    editor: str | None = None,
    command: str = "",
    with_policies: bool = True,
    memory_accepted_by: str = "",
    secret: Callable[[str], str] = read_secret,
) -> Iterator[Installation]:
    """Open everything; close it again whatever happens.

    ``editor`` is who changed the policies last, when that is known better than by the owner of the files. ``command``
    is what others read about the holder of the lock. ``with_policies=False`` leaves them to the caller and so asks no
    vendor: ``reload_policies``, ``take_last_good``. ``memory_accepted_by`` is the person who says that an older or
    another ledger is to be gone on with.

    A reader needs no vendor and no lock; nor does a writer need a vendor who only writes down a person's word
    (``asks_vendors`` False). A writer holds the lock, has checked its own memory (``agent.safety``), and remembers the
    policies it runs with. Where the files hold mistakes and the ledger knows an earlier set, that one is in force and
    ``Installation.policy_problem`` says why.

    Raises:
        LockHeld, LedgerMissing, LedgerDamaged, SafetyStop, ConfigError, PolicyError, StorageFull.
    """
    with ExitStack() as stack:
        if writer:
            make_private_directory(config.state)
            stack.enter_context(locked(config, command))
        ledger, mirror = _open_state(config, stack, clock, writer=writer)
        if writer:
            check_ledger(ledger, config.state / LEDGER, is_accepted=bool(memory_accepted_by))
            ledger.begin_epoch(f"pid {os.getpid()}")
        links = _links(config, stack, connectors, secret if writer and asks_vendors else _no_secret)
        installation = _assembled(config, links, ledger, mirror, clock)
        stack.callback(installation.side_by_side.close)
        if writer:
            stack.callback(_settle_calls, installation.calls)
        installation.asks_vendors = writer and asks_vendors
        if writer:
            if memory_accepted_by:
                accept_memory(installation, memory_accepted_by)
            check_mirror(installation)
            ledger.remember()
        if with_policies:
            _take_what_is_sound(installation, editor)
        yield installation


@contextmanager
def open_ledger(config: Config) -> Iterator[Ledger]:
    """Only the ledger, for looking; beside a daemon and without policies."""
    ledger = look_at_ledger(config.state / LEDGER)
    try:
        yield ledger
    finally:
        ledger.close()


def look_at_ledger(path: Path) -> Ledger:
    """A ledger, wherever it stands; every write raises."""
    return Ledger.open_read_only(path, clock=wall_clock)


def locked(config: Config, command: str) -> WriterLock:
    """Only the writer lock, for work on the files themselves. Raises LockHeld; ConfigError on a network share."""
    require_local_disk(config.state)
    return WriterLock.take(
        config.state / LOCK, _holder(command), partial(_zone, config.policies, tuple(config.systems))
    )


@lru_cache(maxsize=1)
def _zone(folder: Path, keys: tuple[str, ...]) -> ZoneInfo | None:
    """The team's time zone, as far as the policy files tell; a command that waits for the lock asks again and again."""
    with suppress(TruceError, OSError):
        systems = Systems(declared()[key].system for key in keys)
        policies = load(read_sources(folder), None, datetime.now(UTC).date(), systems)
        return zone_of(policies) if policies.people is not None else None
    return None


def _assembled(
    config: Config, links: Mapping[str, Connector], ledger: Ledger, mirror: Mirror, clock: Clock
) -> Installation:
    """All parts, with no policy in force yet."""
    return Installation(
        config=config,
        connectors=links,
        ledger=ledger,
        mirror=mirror,
        crosswalk=Crosswalk(ledger),
        freezes=Freezes(ledger),
        reviews=Reviews(ledger),
        approvals=Approvals(ledger),
        jobs=BulkJobs(ledger),
        commands=Commands(ledger.store, clock),
        calls=metered(config, links, clock, CallCounts(ledger.store)),
        side_by_side=SideBySide({system: _at_once(config, link) for system, link in links.items()}),
        clock=clock,
        policies=prepare(PolicySet("", {}, systems=systems_of(config))),
        mode=ceiling(ledger, config.run.mode).mode,
        owners={(owner.system, owner.id): owner for owner in mirror.owners()},
        suspensions=tuple(SchemaMemory(ledger.store).suspended()),
    )


def metered(config: Config, links: Mapping[str, Connector], clock: Clock, counts: CallCounts | None = None) -> Calls:
    """Put a gate into the way of every connector's calls. Without ``counts`` nothing is remembered.

    Raises:
        ConfigError: a share is given to a system that is not connected.
    """
    if unknown := sorted(set(config.calls) - set(links)):
        raise ConfigError(
            f"calls are shared out to {unknown[0]}, which is not connected",
            where=f"config: calls.{unknown[0]}",
            why=f"connected are {', '.join(sorted(links))}",
        )
    meters = {}
    for system, connector in links.items():
        meters[system] = Meter(
            system, _share(config, system), clock, counts, day_rolls=connector.capabilities.day_rolls
        )
        connector.use_gate(meters[system])
    return Calls(meters)


def _settle_calls(calls: Calls) -> None:
    """At the end, whatever ended it: a count that cannot be written any more is only a little too high.

    Nor is it written while calls are under way: they count themselves, by the same connection.
    """
    if not calls_under_way():
        with suppress(TruceError):
            calls.settle()


def _at_once(config: Config, connector: Connector) -> int:
    """What the config says, unless the connector was not made for more than one call at a time."""
    usual = connector.capabilities.parallel_calls
    given = config.calls.get(connector.system, CallsConfig()).parallel_calls
    return given if given is not None and usual > 1 else usual


def _share(config: Config, system: str) -> Share:
    given = config.calls.get(system, CallsConfig())
    return Share(given.share, given.keep_for_undo, given.keep_for_new, given.keep_for_people, given.most_a_day)


@contextmanager
def open_queue(config: Config) -> Iterator[Commands]:
    """Only the queue in the ledger, beside a daemon that is the writer."""
    ledger = Ledger.open(config.state / LEDGER, clock=wall_clock, random_bytes=os.urandom)
    try:
        yield Commands(ledger.store, wall_clock)
    finally:
        ledger.close()


def reload_policies(installation: Installation, editor: str | None = None) -> bool:
    """Put the policies on disk in force if they changed and are sound. Returns whether they changed.

    Raises:
        PolicyError, UsageError: they have problems; those in force stay.
        ConnectorError: a vendor's schema could not be asked; those in force stay.
    """
    sources = read_sources(installation.config.policies)
    if sources == installation.policies.policies.sources:
        return False
    policies, seen = _checked(installation, sources)
    if seen is None:
        schema_watch.put_in_force_unseen(installation, policies)
        return True
    is_new = not _was_in_force(installation, sources)
    who = editor or _editor(installation.config.policies, installation.config)
    installation.ledger.save_revision(policies.revision, policies.sources, who)
    schema_watch.put_in_force(installation, policies, seen, is_new=is_new)
    return True


def take_last_good(installation: Installation) -> bool:
    """Put the set last in force, as the ledger remembers it, in force again. False when there is none or it no
    longer fits the vendors' schemas."""
    for revision in installation.ledger.revisions(1):
        try:
            policies, seen = _checked(installation, revision.sources)
        except PolicyError:
            return False
        if seen is None:
            schema_watch.put_in_force_unseen(installation, policies)
        else:
            schema_watch.put_in_force(installation, policies, seen, is_new=False)
        return True
    return False


def _open_state(config: Config, stack: ExitStack, clock: Clock, *, writer: bool) -> tuple[Ledger, Mirror]:
    path = config.state / LEDGER
    if writer:
        new_id = None if path.exists() else uuid4().hex
        ledger = Ledger.open(path, clock=clock, random_bytes=os.urandom, new_id=new_id)
        stack.callback(ledger.close)
        mirror = Mirror.open(config.state / MIRROR, ledger_id=ledger.ledger_id, ledger_seq=ledger.last_seq)
    else:
        ledger = Ledger.open_read_only(path, clock=clock)
        stack.callback(ledger.close)
        mirror = Mirror.open_read_only(config.state / MIRROR)
    stack.callback(mirror.close)
    return ledger, mirror


def _take_what_is_sound(installation: Installation, editor: str | None) -> None:
    try:
        reload_policies(installation, editor)
    except UsageError as problem:
        if not take_last_good(installation):
            raise
        installation.policy_problem = problem


def _checked(installation: Installation, sources: Mapping[str, str]) -> tuple[PolicySet, Described | None]:
    """(a set of texts as policies, the vendors' schemas they were checked against where those may be asked).

    Texts that were in force before are sound by what the vendors said then: what changed there since suspends lines
    and breaks nothing. This is the first thing a start asks the vendors, so it also makes sure that they are the
    accounts paired.
    """
    today: date = installation.clock().date()
    policies = load(sources, None, today, installation.systems)
    if not installation.asks_vendors:
        return policies, None
    check_accounts(installation)
    known = SchemaMemory(installation.ledger.store).accepted() if _was_in_force(installation, sources) else {}
    seen = schema_watch.described(installation.connectors, policies, known)
    try:
        return load(sources, seen, today, installation.systems), seen
    except PolicyError:
        if not known:
            raise
    return load(sources, known, today, installation.systems), seen


def _was_in_force(installation: Installation, sources: Mapping[str, str]) -> bool:
    return any(revision.sources == sources for revision in installation.ledger.revisions(1))


def _links(
    config: Config, stack: ExitStack, given: Mapping[str, Connector] | None, secret: Callable[[str], str]
) -> dict[str, Connector]:
    """The connectors given, or those of the config; closed with the stack."""
    links = dict(given or {}) or connect(config, secret)
    for connector in links.values():
        stack.callback(connector.close)
    return links


def _holder(command: str) -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "command": command or Path(sys.argv[0]).name,
        "since": wall_clock().isoformat("T", "seconds"),
    }


def _editor(folder: Path, config: Config) -> str:
    """Who owns the policy file changed last: the best this computer knows of its editor."""
    newest = max(folder.glob("*.y*ml"), key=lambda path: path.stat().st_mtime)
    return file_owner(newest.stat().st_uid, config.people)


def _no_secret(reference: str) -> str:
    """A reader never asks a vendor anything; it only borrows the connectors' capabilities (names, keys)."""
    return "a reader asks nobody"


def rights_of(config: Config) -> dict[str, Rights]:
    """{system: what to grant Truce's user there} for the policies as the files say now. Asks nobody.

    Raises:
        PolicyError, UsageError: they have mistakes.
    """
    systems = systems_of(config)
    policies = load(read_sources(config.policies), None, wall_clock().date(), systems)
    links = connect(config, _no_secret)
    try:
        return rights_for(policies, declared(), {system: each.capabilities for system, each in links.items()})
    finally:
        for connector in links.values():
            connector.close()
