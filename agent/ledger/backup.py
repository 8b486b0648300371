"""Copies of the ledger: made while the daemon runs, proved before they count, put back with nothing thrown away.

Only the ledger is kept: the mirror can be read again from the CRMs. A copy that is put back is older than what this
installation was, and ``agent.ledger.memory`` says so until a person accepts it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.errors import ConfigError, LedgerDamaged, NotFound
from agent.ledger.ledger import Ledger
from agent.private_files import make_private_directory
from agent.store import SIDE_FILES

Open = Callable[[Path], Ledger]
"""Opens a ledger for looking."""

_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"ledger-\d{8}T\d{6}Z\.db")


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was proved: ``rows`` ledger lines verify. ``removed`` are older copies that were not kept."""

    path: Path
    bytes: int
    rows: int
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """``rows`` ledger lines verify. ``aside`` is where the ledger went that was here, or None."""

    rows: int
    aside: Path | None


def back_up(ledger: Ledger, folder: Path, now: datetime, open_: Open, *, keep: int | None = None) -> Backup:
    """Copy the ledger into a private folder and prove the copy; then remove all but the ``keep`` newest.

    Raises:
        ConfigError: others may read the folder, or a copy of this very second is there.
        StorageFull: no room. LedgerDamaged: the copy does not verify, so the ledger does not either.
    """
    make_private_directory(folder)
    path = folder / f"ledger-{now.strftime(_STAMP)}.db"
    ledger.store.copy_to(path)
    rows = _proved(path, open_)
    removed = tuple(_older(folder, keep)) if keep is not None else ()
    for old in removed:
        old.unlink()
    return Backup(path, path.stat().st_size, rows, removed)


def restore(source: Path, target: Path, now: datetime, open_: Open) -> Restored:
    """Put a copy back as the ledger ``target``. The caller holds the writer lock and has the ledger closed.

    Raises:
        NotFound: no such copy. LedgerDamaged: it does not verify; nothing was touched.
    """
    if not source.is_file():
        raise NotFound("there is no such backup", where=str(source))
    rows = _proved(source, open_)
    aside = _set_aside(target, now)
    with closing(open_(source)) as copy:
        copy.store.copy_to(target)
    with closing(open_(target)) as ledger:
        ledger.distrust_memory()
    return Restored(rows, aside)


def _proved(path: Path, open_: Open) -> int:
    with closing(open_(path)) as copy:
        copy.store.check_pages()
        found = copy.verify()
    if not found.ok:
        raise LedgerDamaged("this copy of the ledger does not verify", where=str(path), why=found.message)
    return found.rows


def _older(folder: Path, keep: int) -> list[Path]:
    if keep < 1:
        raise ConfigError("at least one backup has to be kept", why=f"asked was to keep {keep}")
    ours = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file())
    return ours[:-keep]


def _set_aside(target: Path, now: datetime) -> Path | None:
    """What is here goes into a folder of its own, whole: it may be the only trace of the last writes."""
    files = [target, *(target.with_name(target.name + ending) for ending in SIDE_FILES)]
    present = [path for path in files if path.exists()]
    if not present:
        return None
    aside = target.parent / f"before-restore-{now.strftime(_STAMP)}"
    aside.mkdir(mode=0o700)
    for path in present:
        path.rename(aside / path.name)
    return aside
