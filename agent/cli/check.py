"""``truce check``: every problem in the policy files at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.display import print_json, problem_lines
from agent.cli.session import json_option, session_of

if TYPE_CHECKING:
    from agent.decide.parse import Schemas
    from agent.records import Owner
    from agent.systems import Systems

HAS_ERRORS = 2


@click.command("check")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Do not ask the CRMs which fields exist.")
@click.option("--explain", is_flag=True, help="Say in plain words what the policies were understood to mean.")
@click.option("--editor-schema", is_flag=True, help="Print the JSON Schema by which an editor completes and checks.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, folder: Path | None, offline: bool, explain: bool, editor_schema: bool, as_json: bool
) -> int:
    """Check the policy files in FOLDER (default: the one in the config). Nothing is changed."""
    from agent.decide import parse
    from agent.decide.json_schema import policy_json_schema
    from agent.decide.policy_words import in_words

    if editor_schema:
        print_json(policy_json_schema(_systems(ctx)))
        return 0
    systems = _systems(ctx)
    sources, schemas, owners = _read(ctx, folder, offline, systems)
    today = datetime.now(UTC).date()
    problems = parse.check(sources, schemas, today, systems, owners)
    errors = [problem for problem in problems if not problem.is_warning]
    understood = [] if errors or not explain else in_words(parse.load(sources, schemas, today, systems), schemas)
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
                **({"understood": understood} if explain else {}),
            }
        )
    else:
        for line in understood:
            click.echo(line)
        for problem in problems:
            click.echo("\n".join(problem_lines(problem)))
        click.echo(_summary(len(errors), len(problems) - len(errors)))
    return HAS_ERRORS if errors else 0


def _systems(ctx: click.Context) -> Systems:
    from agent.wiring.settings import systems_at

    return systems_at(Path(ctx.obj))


def _read(
    ctx: click.Context, folder: Path | None, offline: bool, systems: Systems
) -> tuple[dict[str, str], Schemas | None, Sequence[Owner]]:
    """The texts, and what the CRMs say of fields and owners: asked only when the texts are sound by themselves."""
    from agent.decide import parse
    from agent.policy_files.policy_files import read_sources

    if folder is not None and offline:
        return read_sources(folder), None, ()
    session = session_of(ctx)
    sources = read_sources(folder or session.config.policies)
    today = datetime.now(UTC).date()
    if offline or any(not problem.is_warning for problem in parse.check(sources, None, today, systems)):
        return sources, None, ()
    from agent.schema.watch import described
    from agent.wiring.opening import connect

    connectors = connect(session.config)
    try:
        schemas = described(connectors, parse.load(sources, None, today, systems))
        return sources, schemas, [owner for connector in connectors.values() for owner in connector.owners()]
    finally:
        for connector in connectors.values():
            connector.close()


def _summary(errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return "No problems."
    parts = [f"{errors} error{'s' if errors != 1 else ''}"] if errors else []
    parts += [f"{warnings} warning{'s' if warnings != 1 else ''}"] if warnings else []
    return ", ".join(parts) + "."
