"""One place that turns whatever went wrong into advice: what happened, where, why, and the one next command.

A person never sees a traceback for a mistake of theirs, and one of ours is said to be ours.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from agent.errors import AGAIN, ConnectorError, TruceError, UsageError

DONE = 0
OUR_MISTAKE = 1
WRONG_USAGE = UsageError.exit_code
INTERRUPTED = 130

HANGING = len("  where  ")
_PACKAGES = ("agent", "connectors")


def run_with_advice(command: click.Command, args: Sequence[str]) -> int:
    """Run the command line and return its exit code (docs/errors.md)."""
    _survive_any_terminal()
    as_json = "--json" in args
    try:
        result = command.main(list(args), prog_name="truce", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _tell_and_leave(_with_command(interrupted(), args), as_json=as_json)
    except click.ClickException as error:
        return _wrong_usage(error, as_json=as_json)
    except TruceError as error:
        return _tell_and_leave(_with_command(error, args), as_json=as_json)
    except (BrokenPipeError, SystemExit):  # click turns a broken pipe into SystemExit(1), and nothing else
        return _reader_is_gone()
    except OSError as error:
        if "--traceback" in args:
            traceback.print_exc()
        return _tell_and_leave(unusable(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001  (the last net: whatever it is, people get advice)
        if "--traceback" in args:
            traceback.print_exc()
        return _tell_and_leave(our_mistake(error, args), as_json=as_json)
    return result if isinstance(result, int) else DONE


def tell(error: TruceError, *, as_json: bool) -> None:
    """Advice goes to stderr; with ``--json`` the error is one JSON document on stdout instead."""
    if as_json:
        click.echo(json.dumps({"error": as_document(error)}, ensure_ascii=False))
        return
    from agent.cli.display import say

    for line in advice(error):
        say(line, hanging=HANGING, err=True)


def as_document(error: TruceError) -> dict[str, object]:
    """The error as docs/schemas/error.json describes it."""
    document: dict[str, object] = {
        "kind": type(error).__name__,
        "what": error.what,
        "where": error.where,
        "why": error.why,
        "next": error.next_step,
        "exit_code": error.exit_code,
    }
    if isinstance(error, UsageError) and error.problems:
        document["problems"] = [
            {
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "message": problem.message,
                "advice": problem.advice,
            }
            for problem in error.problems
        ]
    return document


def advice(error: TruceError) -> list[str]:
    """The lines a person reads."""
    from agent.cli.display import one_line, problem_lines

    lines: list[str] = []
    if isinstance(error, UsageError) and error.problems:
        for problem in error.problems:
            lines += problem_lines(problem)
    what = _sentence(one_line(error.what), error.system if isinstance(error, ConnectorError) else "")
    lines.append(what if what.endswith("?") else f"{what}.")
    if error.where and error.where not in error.what:
        lines.append(f"  where  {one_line(error.where)}")
    if error.why:
        lines.append(f"  why    {one_line(error.why)}")
    if error.next_step:
        lines.append(f"  next   {one_line(error.next_step)}")
    return lines


def _sentence(text: str, system: str) -> str:
    """A capital letter in front, unless it begins with a name (``person-basics``, ``salesforce:Contact/003…``).

    ``system``: the name the config has for the one it is about, or empty.
    """
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() and first != system else text


def interrupted() -> TruceError:
    """Ctrl-C, or the end of the input at a question."""
    error = TruceError(
        "stopped",
        why="nothing is half done: whatever was sent is recorded, and the next start settles it",
        next_step=AGAIN,
    )
    error.exit_code = INTERRUPTED
    return error


def _with_command(error: TruceError, args: Sequence[str]) -> TruceError:
    """Where the way out is the same command, it stands there to be copied."""
    if error.next_step == AGAIN:
        error.next_step = f"truce {shlex.join(args)}"
    return error


def unusable(error: OSError) -> TruceError:
    """A file, folder or socket of this computer that cannot be used."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TruceError(
            "the disk is full",
            where=str(error.filename or ""),
            why="nothing is sent that is not recorded, so nothing more was sent",
            next_step="free space on that disk, then run the same command again",
        )
    return TruceError(
        f"this computer refused: {(error.strerror or type(error).__name__).lower()}",
        where=str(error.filename or ""),
        next_step="truce doctor",
    )


def our_mistake(error: Exception, args: Sequence[str]) -> TruceError:
    """A defect of Truce. Says which and where, without its text: that may hold a record's values."""
    return TruceError(
        "this is a mistake in Truce, not yours; nothing was sent that is not recorded",
        where=_place_of(error),
        why=type(error).__name__,
        next_step=f"truce --traceback {' '.join(word for word in args if word != '--traceback')}"
        "   and report what it prints",
    )


def _tell_and_leave(error: TruceError, *, as_json: bool) -> int:
    try:
        tell(error, as_json=as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        _reader_is_gone()
    return error.exit_code


def _wrong_usage(error: click.ClickException, *, as_json: bool) -> int:
    if as_json:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "truce"
        return _tell_and_leave(UsageError(error.format_message(), next_step=f"{command} --help"), as_json=True)
    error.show()
    return WRONG_USAGE


def _reader_is_gone() -> int:
    """Whoever read our output has closed it (``truce batches | head -1``): enough was read, nothing went wrong."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def _survive_any_terminal() -> None:
    """A terminal that cannot show a character shows a question mark instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _place_of(error: Exception) -> str:
    """The deepest line of ours: ``agent/reports/explain.py:57``."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        parts = Path(frame.filename).parts
        for package in _PACKAGES:
            if package in parts:
                place = f"{'/'.join(parts[parts.index(package) :])}:{frame.lineno}"
    return place
