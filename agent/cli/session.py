"""What every command needs: the config, the person, and a way to have an order carried out.

An order is run here when no daemon is the writer; otherwise it is queued in the ledger and the daemon runs it between
two chunks, rollbacks first, while we wait and show progress.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from agent.errors import AGAIN, Interrupted, LockHeld
from agent.lock import DAEMON, find_holder
from agent.people import Person, current_person

if TYPE_CHECKING:  # nothing heavy is imported before a command really runs: its --help stays quick
    from agent.cli.display import Bar
    from agent.config.config import Config
    from agent.installation import Installation
    from agent.orders.commands import Commands

LOOK_EVERY_SECONDS = 0.1
PATIENCE_SECONDS = 10.0
"""How long to wait for another command to finish."""
ALONE_SECONDS = 3.0
"""How long nobody must hold the lock before the daemon that took the order counts as gone."""


class Session:
    """One run of a command."""

    def __init__(self, config_path: str) -> None:
        from agent.wiring.settings import read_config

        self.config_path = Path(config_path)
        self.config: Config = read_config(self.config_path)

    @property
    def person(self) -> Person:
        return current_person(self.config.people)

    @contextmanager
    def writing(self, *, asks_vendors: bool = True) -> Iterator[Installation]:
        """The installation as its only writer. Raises LockHeld when somebody else is."""
        from agent.wiring.opening import open_installation

        with open_installation(self.config, asks_vendors=asks_vendors, command=_this_command()) as installation:
            yield installation

    @contextmanager
    def reading(self) -> Iterator[Installation]:
        """The installation for looking only; works beside a running daemon and without any vendor."""
        from agent.wiring.opening import open_installation

        with open_installation(self.config, writer=False) as installation:
            yield installation

    def order(self, kind: str, body: dict[str, Any], what: str, *, quiet: bool = False) -> dict[str, Any]:
        """Have an order carried out and return its result.

        Raises:
            TruceError: whatever the order raised, here or in the daemon.
            Interrupted: Ctrl-C, or the daemon ended; says what became of the order.
        """
        from agent.cli.display import progress_bar
        from agent.orders.orders import ASKING_NO_VENDOR

        with progress_bar(what, quiet=quiet) as progress:
            tries = round(PATIENCE_SECONDS / LOOK_EVERY_SECONDS)
            while True:
                try:
                    with self.writing(asks_vendors=kind not in ASKING_NO_VENDOR) as installation:
                        return _carried_out(installation, kind, body, self.person.name, progress)
                except LockHeld:
                    holder = find_holder(self._lock)
                    if holder is not None and holder.get("command") == DAEMON:
                        return self._queue(kind, body, progress)
                    tries -= 1
                    if tries == 0:
                        raise
                    time.sleep(LOOK_EVERY_SECONDS)

    @property
    def _lock(self) -> Path:
        from agent.wiring.opening import LOCK

        return self.config.state / LOCK

    def _queue(self, kind: str, body: dict[str, Any], progress: Bar) -> dict[str, Any]:
        from agent.wiring.opening import open_queue

        with open_queue(self.config) as commands:
            number = commands.queue(kind, body, self.person.name)
            try:
                return self._answer(commands, number, kind, progress)
            except KeyboardInterrupt:
                raise Interrupted(
                    f"stopped waiting; the order ({kind}) stays with the daemon and will be carried out",
                    why="only the waiting was interrupted",
                    next_step="truce status",
                ) from None

    def _answer(self, commands: Commands, number: int, kind: str, progress: Bar) -> dict[str, Any]:
        """Wait for the daemon's answer; notice when there is no daemon any more."""
        from agent.error_documents import from_document

        alone = 0.0
        while True:
            result = commands.collect(number)
            if result is not None:
                if "error" in result:
                    raise from_document(result["error"])
                return result
            report = commands.progress(number)
            if report is not None:
                progress(report["done"], report["total"], report["doing"])
            alone = 0.0 if find_holder(self._lock) is not None else alone + LOOK_EVERY_SECONDS
            if alone >= ALONE_SECONDS:
                raise _abandoned(kind, withdrawn=commands.withdraw(number))
            time.sleep(LOOK_EVERY_SECONDS)


def _carried_out(
    installation: Installation, kind: str, body: dict[str, Any], actor: str, progress: Bar
) -> dict[str, Any]:
    """Run the order here. The first Ctrl-C lets it settle the calls under way, the second does not."""
    from agent.orders.orders import NEEDS_SOUND_POLICIES, carry_out

    if installation.policy_problem is not None and kind in NEEDS_SOUND_POLICIES:
        raise installation.policy_problem
    asked: list[int] = []
    installation.stop = lambda: bool(asked)

    def note(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        click.echo("stopping after the calls under way; once more stops at once", err=True)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return carry_out(installation, kind, body, actor, lambda done, total: progress(done, total, installation.doing))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _abandoned(kind: str, *, withdrawn: bool) -> Interrupted:
    if withdrawn:
        return Interrupted(
            f"the daemon ended before it began the order ({kind}); nothing of it was done and it was taken back",
            next_step=AGAIN,
        )
    return Interrupted(
        f"the daemon ended while it carried the order out ({kind})",
        why="what was written by then is recorded, and the next start settles what was under way",
        next_step="truce status",
    )


def _this_command() -> str:
    """``truce rollback``: what others read about whoever holds the lock."""
    context = click.get_current_context(silent=True)
    return context.command_path if context is not None else ""


def session_of(ctx: click.Context) -> Session:
    """The session of the command being run."""
    return Session(ctx.obj)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
