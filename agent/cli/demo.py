"""``truce demo``: the main job on two practice CRMs on this computer."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from agent.cli.display import number, print_json
from agent.cli.session import json_option


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
    from agent.demo import practice, setting, story
    from agent.demo.words import Teller
    from agent.wiring import read_config

    began = time.monotonic()
    tell = Teller(step=step, silent=as_json)
    tell.headline()
    practice.clear(folder)
    running = practice.start(folder, contacts=contacts, companies=companies, seed=seed)
    told = story.Story(running, read_config(setting.write_setting(running)), tell)
    plan = story.where_they_disagree(told)
    story.make_them_agree(told, plan)
    story.one_wrong_line(told)
    story.why_is_it_so(told)
    story.undo(told)
    seconds = round(time.monotonic() - began)
    if as_json:
        print_json({"folder": str(folder), "batch": told.bad_batch, "seconds": seconds, "acts": tell.acts})
        return
    tell.closing(_how_to_call(folder), told.bad_batch, str(folder))
    click.echo(f"  ({number(seconds)} seconds)")


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
