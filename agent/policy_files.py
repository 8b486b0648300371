"""Policy files on disk: read safely, never half a set, and remembered by revision and editor."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from agent.connector import ObjectSchema
from agent.decide.parse import load
from agent.decide.policy import PolicySet
from agent.errors import PolicyError, Problem, UsageError

MOST_BYTES = 256 * 1024
MOST_TOTAL_BYTES = 2 * 1024 * 1024


def read_sources(folder: Path) -> dict[str, str]:
    """{file name: text} of every ``*.yaml`` directly in the folder, in name order.

    Raises:
        UsageError: no folder, or no policy file in it.
        PolicyError: a file that is not a plain readable UTF-8 file inside the folder.
    """
    if not folder.is_dir():
        raise UsageError("there is no policies folder", where=str(folder), next_step="truce init")
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
        raise UsageError("there is no policy file", where=str(folder), next_step="truce init")
    return sources


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


def load_policies(folder: Path, schemas: Mapping[tuple[str, str], ObjectSchema] | None, today: date) -> PolicySet:
    """The whole set, or every problem at once (PolicyError)."""
    return load(read_sources(folder), schemas, today)


def _refusal(path: Path, root: Path) -> str | None:
    """Why a policy file is not even opened, or None."""
    real = path.resolve()
    if root not in real.parents:
        return "this file points outside the policies folder"
    status = real.stat()
    if not stat.S_ISREG(status.st_mode):
        return "this is not an ordinary file"
    if status.st_mode & stat.S_IWOTH:
        return "everybody on this computer may write this file; make it private (chmod o-w)"
    if status.st_size > MOST_BYTES:
        return "this file is larger than 256 KB"
    return None
