"""``truce check``: every problem in the policy files at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from agent.cli.display import print_json, problem_lines
from agent.cli.session import json_option, session_of
from agent.errors import Problem

HAS_ERRORS = 2


@click.command("check")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Do not ask the CRMs which fields exist.")
@json_option
@click.pass_context
def command(ctx: click.Context, folder: Path | None, offline: bool, as_json: bool) -> int:
    """Check the policy files in FOLDER (default: the one in the config). Nothing is changed."""
    problems = _problems(ctx, folder, offline)
    errors = [problem for problem in problems if not problem.is_warning]
    if as_json:
        print_json(
            {
                "errors": len(errors),
                "warnings": len(problems) - len(errors),
                "problems": [
                    {
                        "file": problem.file,
                        "line": problem.line,
                        "column": problem.column,
                        "message": problem.message,
                        "advice": problem.advice,
                        "warning": problem.is_warning,
                    }
                    for problem in problems
                ],
            }
        )
    else:
        for problem in problems:
            click.echo("\n".join(problem_lines(problem)))
        click.echo(_summary(len(errors), len(problems) - len(errors)))
    return HAS_ERRORS if errors else 0


def _problems(ctx: click.Context, folder: Path | None, offline: bool) -> list[Problem]:
    from agent.decide import parse
    from agent.policy_files import read_sources

    today = datetime.now(UTC).date()
    if folder is not None and offline:
        return parse.check(read_sources(folder), None, today)
    session = session_of(ctx)
    sources = read_sources(folder or session.config.policies)
    problems = parse.check(sources, None, today)
    if offline or any(not problem.is_warning for problem in problems):
        return problems
    from agent.wiring import connect, schemas_of

    connectors = connect(session.config)
    try:
        schemas = schemas_of(connectors, parse.load(sources, None, today))
        return parse.check(sources, schemas, today)
    finally:
        for connector in connectors.values():
            connector.close()


def _summary(errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return "No problems."
    parts = [f"{errors} error{'s' if errors != 1 else ''}"] if errors else []
    parts += [f"{warnings} warning{'s' if warnings != 1 else ''}"] if warnings else []
    return ", ".join(parts) + "."
