"""Policy files on disk: read safely, never half a set, and remembered by revision and editor."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from agent.errors import PolicyError, Problem, UsageError

MOST_BYTES = 256 * 1024
MOST_TOTAL_BYTES = 2 * 1024 * 1024


NAMED_IN_CONFIG = "correct `policies:` in the config, or put the files there"


def read_sources(folder: Path) -> dict[str, str]:
    """{file name: text} of every ``*.yaml`` directly in the folder, in name order.

    Raises:
        UsageError: no folder, or no policy file in it.
        PolicyError: a file that is not a plain readable UTF-8 file inside the folder.
    """
    if not folder.is_dir():
        raise UsageError("there is no policies folder", where=str(folder), next_step=NAMED_IN_CONFIG)
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UsageError("the policies folder cannot be read", where=str(folder), next_step=f"ls -ld {folder}")
    root = folder.resolve()
    sources: dict[str, str] = {}
    problems: list[Problem] = []
    total = 0
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        problem = _refusal(path, root)
        if problem is not None:
            problems.append(Problem(path.name, 1, 1, problem))
            continue
        try:
            sources[path.name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            problems.append(Problem(path.name, 1, 1, "this file is not UTF-8 text"))
            continue
        except OSError as error:
            problems.append(Problem(path.name, 1, 1, f"this file cannot be read: {error.strerror}"))
            continue
        total += len(sources[path.name])
    if total > MOST_TOTAL_BYTES:
        problems.append(Problem("policies", 1, 1, "the policy files are larger than 2 MB together"))
    if problems:
        raise PolicyError(problems)
    if not sources:
        raise UsageError("there is no policy file", where=str(folder), next_step=NAMED_IN_CONFIG)
    return sources


class FolderWatch:
    """Tells when policy files were changed and nobody is writing them any more.

    An editor saves in steps, and a copy of several files takes a while: a change counts once two glances in a row see
    the same names, sizes and times.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: tuple[Any, ...] | None = None
        self._last: tuple[Any, ...] | None = None

    def remember(self) -> None:
        """What stands there now is about to be read."""
        self._read = self._last = self._look()

    def glance(self) -> bool:
        """Whether something stands there that was not read yet and has stood still since the last glance."""
        seen, before = self._look(), self._last
        self._last = seen
        return seen == before and seen != self._read

    def _look(self) -> tuple[Any, ...]:
        found: list[tuple[Any, ...]] = []
        for path in sorted([*self._folder.glob("*.yaml"), *self._folder.glob("*.yml")]):
            try:
                status = path.stat()
            except OSError as error:
                found.append((path.name, error.errno))
            else:
                found.append((path.name, status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)


def read_example_sources(folder: Path) -> dict[str, str]:
    """{file name: text} of every file of examples beside these policies.

    Raises:
        UsageError: there is none. PolicyError: as ``read_sources``.
    """
    examples = folder / "examples"
    if not any(examples.glob("*.y*ml")):
        raise UsageError(
            "there is no example yet",
            where=str(examples),
            why="an example is a case: the records given, and what is expected",
            next_step="write one; docs/policies/examples.md shows how",
        )
    return read_sources(examples)


def _refusal(path: Path, root: Path) -> str | None:
    """Why a policy file is not even opened, or None."""
    real = path.resolve()
    if root not in real.parents:
        return "this file points outside the policies folder"
    try:
        status = real.stat()
    except OSError as error:
        return f"this file cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "this is not an ordinary file"
    if status.st_mode & stat.S_IWOTH:
        return "everybody on this computer may write this file; make it private (chmod o-w)"
    if status.st_size > MOST_BYTES:
        return "this file is larger than 256 KB"
    return None
