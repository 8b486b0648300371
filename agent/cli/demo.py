"""``truce demo``: the main job on two practice CRMs on this computer."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.display import number, print_json
from agent.cli.session import json_option

if TYPE_CHECKING:
    from agent.demo.practice import Practice
    from agent.demo.words import Teller


@click.group("demo", invoke_without_command=True)
@click.option("--step", is_flag=True, help="Wait for a key between the acts.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Where.")
@click.option("--contacts", type=click.IntRange(500, 100_000), default=5000, show_default=True, help="People a side.")
@click.option("--companies", type=click.IntRange(50, 20_000), default=1000, show_default=True, help="Companies a side.")
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same data.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, step: bool, folder: Path, contacts: int, companies: int, seed: int, as_json: bool
) -> None:
    """Two practice CRMs with realistic dirt: find the differences, agree, break, explain, undo."""
    if ctx.invoked_subcommand is not None:
        return
    from agent.demo import practice
    from agent.demo.words import Teller

    began = time.monotonic()
    tell = Teller(step=step, silent=as_json)
    with practice.alone(folder), practice.stopped_on_failure(folder, again=ctx.command_path):
        practice.clear(folder)
        tell.headline()
        running = practice.start(folder, contacts=contacts, companies=companies, seed=seed)
        bad_batch = _tell(running, tell)
    seconds = round(time.monotonic() - began)
    if as_json:
        print_json({"folder": str(folder), "batch": bad_batch, "seconds": seconds, "acts": tell.acts})
        return
    tell.closing(_how_to_call(folder), bad_batch, str(folder))
    click.echo(f"  ({number(seconds)} seconds)")


def _tell(running: Practice, tell: Teller) -> str:
    """The five acts; returns the batch of the wrong line."""
    from agent.demo import setting, story
    from agent.wiring.settings import read_config

    told = story.Story(running, read_config(setting.write_setting(running)), tell)
    plan = story.where_they_disagree(told)
    story.make_them_agree(told, plan)
    story.one_wrong_line(told)
    story.why_is_it_so(told)
    story.undo(told)
    return told.bad_batch


@command.command("stop")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Where.")
@json_option
def stop(folder: Path, as_json: bool) -> None:
    """End the practice CRMs. What they held stays in the folder until the next demo."""
    from agent.demo import practice

    stopped = practice.stop(folder)
    if as_json:
        print_json({"folder": str(folder), "stopped": stopped})
        return
    click.echo("The practice CRMs are stopped." if stopped else "No practice CRMs are running here.")


def _how_to_call(folder: Path) -> str:
    """``truce`` as this person can type it from inside the demo folder."""
    called = Path(sys.argv[0])
    on_path = any((Path(place) / "truce").exists() for place in os.environ.get("PATH", "").split(os.pathsep) if place)
    if on_path or called.name != "truce":
        return "truce"
    return os.path.relpath(called.resolve(), folder.resolve())
