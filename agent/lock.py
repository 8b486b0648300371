"""One writer: an advisory lock on a file beside the ledger, which the system lets go when its holder dies.

The ledger's epoch (``Ledger.begin_epoch``) is the second wall: should the lock file be deleted under a
running writer, the newer writer's epoch refuses everything the older one still wants to record.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from agent.errors import ConfigError, LockHeld
from agent.private_files import PRIVATE_FILE, require_private

TRIES = 10
BREATH_SECONDS = 0.01
"""Somebody who only looks whether the lock is held (``find_holder``) holds it for a moment himself."""

DAEMON = "truce run"
"""What the daemon says it is: only it takes orders from the queue."""


NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "ncpfs", "davfs", "fuse.sshfs", "fuse.glusterfs",
     "fuse.davfs2", "fuse.rclone", "fuse.s3fs"}
)  # fmt: skip


class WriterLock:
    """Held from ``take`` to ``release`` (or the end of the ``with``). Not inherited by programs we start."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def take(
        cls, path: Path, holder: Mapping[str, Any], zone: Callable[[], ZoneInfo | None] = lambda: None
    ) -> WriterLock:
        """``holder`` says who we are (pid, command, since …); others get to read it. ``zone`` is asked for the time
        zone to tell a person in since when somebody else has it; None is this computer's.

        Raises:
            LockHeld: another process has it; the message says which.
            ConfigError: others may write the lock file.
        """
        tries = 0
        while True:
            descriptor = _open(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                other = _read_holder(descriptor)
                os.close(descriptor)
                tries += 1
                if tries == TRIES:
                    raise _held(path, other, zone()) from None
                time.sleep(BREATH_SECONDS)
                continue
            if _is_file(descriptor, path):
                break
            os.close(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, orjson.dumps(dict(holder)), 0)
        return cls(path, descriptor)

    @property
    def is_held(self) -> bool:
        """False once released, or when the file was deleted or replaced under us."""
        return self._descriptor is not None and _is_file(self._descriptor, self.path)

    def release(self) -> None:
        """Safe to call twice. The file stays: deleting it would let two writers lock two different files."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> WriterLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def require_local_disk(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> None:
    """Refuse a folder on a network share: two computers could each believe to hold the lock, and SQLite's own locks
    are not to be trusted there either (sqlite.org, "How to corrupt"). Where the system does not tell, anything goes.

    Raises:
        ConfigError: it is on such a share.
    """
    try:
        lines = mounts.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    real = folder.resolve()
    best: tuple[int, str] = (0, "")
    for line in lines:
        words, _, more = line.partition(" - ")
        point = Path(words.split()[4].replace("\\040", " "))
        if real.is_relative_to(point):
            best = max(best, (len(point.parts), more.split()[0]))
    if best[1] in NETWORK_FILE_SYSTEMS:
        raise ConfigError(
            "the state folder is on a network share", where=str(folder),
            why=f"file locks cannot be trusted on {best[1]}, so two writers could meet",
            next_step="name a folder on a local disk under state in config.yaml",
        )  # fmt: skip


def find_holder(path: Path) -> dict[str, Any] | None:
    """Who holds the lock now, or None when nobody does.

    Only the lock tells; what stands in the file is the word of its last holder, whose process id may be another
    program's by now.
    """
    if not path.exists():
        return None
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        require_private(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_file(descriptor: int, path: Path) -> bool:
    ours = os.fstat(descriptor)
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


def _read_holder(descriptor: int) -> dict[str, Any]:
    with contextlib.suppress(orjson.JSONDecodeError):
        found = orjson.loads(os.pread(descriptor, 4096, 0))
        if isinstance(found, dict):
            return found
    return {}


def _held(path: Path, holder: Mapping[str, Any], zone: ZoneInfo | None) -> LockHeld:
    said = {name: _spoken(str(value), zone) if name == "since" else value for name, value in holder.items()}
    who = ", ".join(f"{name} {value}" for name, value in said.items()) or "it has not said who it is"
    return LockHeld("another Truce is the writer", where=str(path), why=who, next_step="truce status")


def _spoken(stamp: str, zone: ZoneInfo | None) -> str:
    """``Fri 27 Nov 2026 11:02 (Asia/Kathmandu)``; as it stands where it is no stamp of ours."""
    try:
        moment = datetime.fromisoformat(stamp).astimezone(zone)
    except ValueError:
        return stamp
    return f"{moment:%a %d %b %Y %H:%M} ({zone or moment.tzname()})"
