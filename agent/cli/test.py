"""``truce test``: do the examples beside the policies come true?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.display import one_line, print_json, problem_lines, say
from agent.cli.session import json_option, session_of
from agent.errors import Problem, UsageError

if TYPE_CHECKING:
    from agent.decide import Prepared
    from agent.decide.example_reading import Example
    from agent.systems import Systems

HAS_FAILURES = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """``failures``: what did not come true, in words; empty when the example holds."""

    example: Example
    failures: tuple[str, ...]


@click.command("test")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--only", metavar="WORDS", default="", help="Only examples whose sentence holds these words.")
@json_option
@click.pass_context
def command(ctx: click.Context, folder: Path | None, only: str, as_json: bool) -> int:
    """Run the examples in FOLDER/examples against the policies in FOLDER (default: the one in the config).

    An example says which records are given and what is expected. No CRM is asked and nothing is written.
    """
    from agent.decide import parse, prepare
    from agent.policy_files.policy_files import read_sources
    from agent.wiring.settings import systems_at

    policies = folder or session_of(ctx).config.policies
    systems = systems_at(Path(ctx.obj))
    prepared = prepare(parse.load(read_sources(policies), None, datetime.now(UTC).date(), systems))
    examples, problems = _read(policies, systems)
    chosen = [example for example in examples if only.casefold() in example.name.casefold()]
    if examples and not chosen:
        raise UsageError(f"no example holds the words “{only}”", where=str(policies), next_step="truce test")
    outcomes = [_outcome(example, prepared, problems) for example in chosen]
    failed = [outcome for outcome in outcomes if outcome.failures]
    if as_json:
        print_json(_document(outcomes, problems))
    else:
        _show(outcomes, failed, problems)
    return HAS_FAILURES if failed or problems else 0


def _read(policies: Path, systems: Systems) -> tuple[list[Example], list[Problem]]:
    from agent.decide.example_reading import read_example_file
    from agent.policy_files.policy_files import read_example_sources

    examples: list[Example] = []
    problems: list[Problem] = []
    for name, text in read_example_sources(policies).items():
        found, wrong = read_example_file(f"examples/{name}", text, systems)
        examples += found
        problems += wrong
    return examples, problems


def _outcome(example: Example, prepared: Prepared, problems: list[Problem]) -> Outcome:
    from agent.decide.example_reading import BadExample
    from agent.decide.examples import run

    try:
        return Outcome(example, tuple(failure.sentence for failure in run(example, prepared)))
    except BadExample as error:
        place = example.place
        if place is not None:
            problems.append(Problem(place.file, place.line, place.column, str(error), example.lines[0]))
        return Outcome(example, (str(error),))


def _show(outcomes: Sequence[Outcome], failed: Sequence[Outcome], problems: Sequence[Problem]) -> None:
    for problem in problems:
        click.echo("\n".join(problem_lines(problem)))
    for outcome in failed:
        say(f"{outcome.example.place}: this example does not come true", hanging=2)
        for line in outcome.example.lines:
            if line.strip():
                say(f"    {one_line(line)}", hanging=6)
        for failure in outcome.failures:
            say(f"  → {one_line(failure)}", hanging=4)
    came_true = len(outcomes) - len(failed)
    say(f"{came_true} of {len(outcomes)} examples come true.", hanging=2)


def _document(outcomes: Sequence[Outcome], problems: Sequence[Problem]) -> dict[str, object]:
    return {
        "examples": len(outcomes),
        "failed": sum(1 for outcome in outcomes if outcome.failures),
        "outcomes": [
            {
                "example": outcome.example.name,
                "place": str(outcome.example.place),
                "came_true": not outcome.failures,
                "failures": list(outcome.failures),
            }
            for outcome in outcomes
        ],
        "problems": [str(problem) for problem in problems],
    }
