"""Files that only the person running Truce may read: made 0600 before anything is in them, else refused.

Everything here works by path. It never opens an existing database file: closing a second descriptor of a file
that SQLite has open in this process would drop SQLite's locks (sqlite.org, "How to corrupt").
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from agent.errors import ConfigError

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private_directory(path: Path) -> None:
    """Make the directory (0700) unless it is there; one that is there must be ours alone.

    Raises:
        ConfigError: it is a symlink, belongs to somebody else, or others may enter it.
    """
    path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    require_private(path, kind="directory")


def create_private_file(path: Path) -> bool:
    """Create an empty file (0600), never through a symlink. False when something of that name exists."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    except FileExistsError:
        return False
    os.close(descriptor)
    return True


def require_private(path: Path, *, kind: str = "file") -> None:
    """Refuse a file or directory that others could read, replace or redirect.

    Raises:
        ConfigError: it is a symlink, belongs to somebody else, or group or world may use it.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise ConfigError(
            f"the {kind} is a symbolic link", where=str(path), why="it could be pointed elsewhere",
            next_step="put the real file there, or name its real place in the config",
        )  # fmt: skip
    if found.st_uid != os.geteuid():
        raise ConfigError(
            f"the {kind} belongs to another user", where=str(path), why=f"owner is user id {found.st_uid}",
            next_step="run it as the user who owns it",
        )  # fmt: skip
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        mode = PRIVATE_DIRECTORY if kind == "directory" else PRIVATE_FILE
        raise ConfigError(
            f"other users may read the {kind}",
            where=str(path),
            why=f"its mode is {stat.S_IMODE(found.st_mode):04o}",
            next_step=f"chmod {mode:o} {path}",
        )


def write_private_file(path: Path, content: bytes) -> None:
    """Replace a small file: a reader, or a power cut, sees the old or the new content, nothing between."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, PRIVATE_FILE)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def room_in(folder: Path) -> str:
    """``; 0.2 MB are free there``, to be added to a reason: on a full disk SQLite may only say “disk I/O error”."""
    try:
        return f"; {shutil.disk_usage(folder).free / 1e6:,.1f} MB are free there"
    except OSError:
        return ""
