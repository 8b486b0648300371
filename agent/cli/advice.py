"""One place that turns an error into advice: what happened, where, why, and the one next command."""

from __future__ import annotations

import json
import sys

import click

from agent.errors import PolicyError, TruceError

INTERRUPTED = 130
OUR_BUG = 1


def run_with_advice(command: click.Command) -> int:
    """Run the command line and return its exit code (docs/errors.md)."""
    as_json = "--json" in sys.argv
    try:
        result = command.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return 2
    except TruceError as error:
        tell(error, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return result if isinstance(result, int) else 0


def tell(error: TruceError, *, as_json: bool) -> None:
    """Advice goes to stderr; with ``--json`` the error is one JSON document on stdout instead."""
    if as_json:
        click.echo(json.dumps({"error": as_document(error)}, ensure_ascii=False))
        return
    for line in advice(error):
        click.echo(line, err=True)


def as_document(error: TruceError) -> dict[str, object]:
    """The error as schemas/error.json describes it."""
    document: dict[str, object] = {
        "kind": type(error).__name__,
        "what": error.what,
        "where": error.where,
        "why": error.why,
        "next": error.next_step,
        "exit_code": error.exit_code,
    }
    if isinstance(error, PolicyError):
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
    lines: list[str] = []
    if isinstance(error, PolicyError):
        from agent.cli.display import problem_lines

        for problem in error.problems:
            lines += problem_lines(problem)
    lines.append(f"{error.what[:1].upper()}{error.what[1:]}.")
    if error.where and error.where not in error.what:
        lines.append(f"  where  {error.where}")
    if error.why:
        lines.append(f"  why    {error.why}")
    if error.next_step:
        lines.append(f"  next   {error.next_step}")
    return lines
