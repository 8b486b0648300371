"""An error as plain data and back: how what went wrong in the daemon reaches whoever waits at the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agent import errors
from agent.errors import Problem, TruceError


def to_document(error: Exception) -> dict[str, Any]:
    """What ``from_document`` needs to raise the same error elsewhere.

    What an error of ours says is left out when it is none of the tree: it may hold a record's values.
    """
    if not isinstance(error, TruceError):
        error = TruceError(
            "this is a mistake in Truce, not yours; nothing was sent that is not recorded",
            why=type(error).__name__,
            next_step="look into the daemon's log, and report what it says",
        )
    return {
        "kind": type(error).__name__,
        "what": error.what,
        "where": error.where,
        "why": error.why,
        "next": error.next_step,
        "exit_code": error.exit_code,
        "problems": [asdict(problem) for problem in getattr(error, "problems", ())],
    }


def from_document(document: Mapping[str, Any]) -> TruceError:
    """The error again, of its own kind, with its own exit code."""
    kind = getattr(errors, str(document["kind"]), TruceError)
    known: type[TruceError] = kind if isinstance(kind, type) and issubclass(kind, TruceError) else TruceError
    error = known.__new__(known)
    TruceError.__init__(
        error, document["what"], where=document["where"], why=document["why"], next_step=document["next"]
    )
    error.exit_code = int(document["exit_code"])
    vars(error)["problems"] = tuple(Problem(**problem) for problem in document["problems"])
    return error
