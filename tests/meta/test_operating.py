"""docs/operating.md says what is so: every command it shows can be typed, every figure is the one in the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from agent import logs
from agent.calls.budget import Lane, Share
from agent.cli import truce
from agent.config.config import CallsConfig
from agent.daemon import systemd
from agent.daemon.breaker import FIRST_PAUSE, LONGEST_PAUSE
from agent.daemon.daemon import CLOCK_JUMP_SECONDS, LEAST_FREE_BYTES
from agent.orders.orders import ORDERS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
FLOWING = " ".join(TEXT.split())
SHOWN = [
    line
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("truce ")
]


def stops_at(lane: Lane) -> int:
    """Percent of our share after which this lane stops, with the shares the config has by default."""
    given = CallsConfig()
    share = Share(100, given.keep_for_undo, given.keep_for_new, given.keep_for_people)
    return 100 - share.kept_from(lane, 100)


def parsed(words: list[str]) -> click.Context:
    """The context of the command these words call; nothing is run. Raises click.UsageError."""
    command: click.Command = truce
    context = click.Context(truce, info_name="truce")
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        if not isinstance(command, click.Group):
            return command.make_context(name, list(words), parent=context)
        context = click.Context(command, info_name=name, parent=context)
    return context


def test_commands_are_shown_at_all() -> None:
    assert len(SHOWN) > 8


@pytest.mark.parametrize("line", SHOWN)
def test_every_command_shown_can_be_typed(line: str) -> None:
    parsed(shlex.split(line)[1:])


@pytest.mark.parametrize("name", re.findall(r"`truce ([a-z-]+)`", TEXT))
def test_every_command_named_in_the_text_exists(name: str) -> None:
    assert truce.get_command(click.Context(truce), name) is not None


def test_the_orders_listed_are_those_a_daemon_takes() -> None:
    (listed,) = re.findall(r"change something \((.*?)\)", FLOWING)
    named = set(re.findall(r"`([a-z-]+)`", listed))
    assert named <= set(ORDERS)
    kinds = {kind for kind in ORDERS if kind not in named and kind.partition("-")[0] not in named}
    assert kinds == {"cycle", "preview-rollback"}


@pytest.mark.parametrize(
    "figure",
    [
        *(f"| {stops_at(lane)} % of the share is used |" for lane in ("cycle", "people", "update", "sweep")),
        f"below {LEAST_FREE_BYTES // 1024**2} MB free",
        f"within {systemd.STOP_SECONDS} seconds at worst",
        f"after {systemd.WATCHDOG_SECONDS} seconds without one",
        f"after {FIRST_PAUSE.seconds} seconds, then {2 * FIRST_PAUSE.seconds}",
        f"up to {LONGEST_PAUSE.seconds // 60} minutes",
        f"begins anew at {logs.FILE_BYTES // 1024**2} MB",
        f"more than {['', 'one', 'two'][int(CLOCK_JUMP_SECONDS) // 60]} minutes",
    ],
)
def test_figures_are_those_of_the_code(figure: str) -> None:
    assert figure in FLOWING


def test_the_codes_that_end_it_are_those_a_restart_does_not_mend() -> None:
    (sentence,) = re.findall(r"ends by itself only (.*?)\. All codes", FLOWING)
    assert sorted(int(code) for code in re.findall(r"\((\d+)\)", sentence)) == sorted(systemd.NEVER_AGAIN)
