"""What every command needs: the config, the person, and a way to have an order carried out.

An order is run here when no daemon is the writer; otherwise it is queued in the ledger and the daemon runs it between
two chunks, rollbacks first, while we wait and show progress.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent import errors
from agent.errors import LockHeld, TruceError
from agent.people import Person, current_person

if TYPE_CHECKING:  # nothing heavy is imported before a command really runs: its --help stays quick
    from agent.config import Config
    from agent.installation import Installation

WAIT_SECONDS = 900.0
LOOK_EVERY_SECONDS = 0.2


class Session:
    """One run of a command."""

    def __init__(self, config_path: str) -> None:
        from agent.config import load_config

        self.config_path = Path(config_path)
        self.config: Config = load_config(self.config_path)

    @property
    def person(self) -> Person:
        return current_person(self.config.people)

    @contextmanager
    def writing(self, *, asks_vendors: bool = True) -> Iterator[Installation]:
        """The installation as its only writer. Raises LockHeld when a daemon runs."""
        from agent.wiring import open_installation

        with open_installation(self.config, asks_vendors=asks_vendors) as installation:
            yield installation

    @contextmanager
    def reading(self) -> Iterator[Installation]:
        """The installation for looking only; works beside a running daemon and without any vendor."""
        from agent.wiring import open_installation

        with open_installation(self.config, writer=False) as installation:
            yield installation

    def order(self, kind: str, body: dict[str, Any], what: str = "", *, quiet: bool = False) -> dict[str, Any]:
        """Have an order carried out and return its result.

        Raises:
            TruceError: whatever the order raised, here or in the daemon.
        """
        from agent.cli.display import progress_bar
        from agent.orders import ASKING_NO_VENDOR, ORDERS

        actor = self.person.name
        with progress_bar(what or kind, quiet=quiet) as progress:
            try:
                with self.writing(asks_vendors=kind not in ASKING_NO_VENDOR) as installation:
                    return ORDERS[kind](installation, body, actor, progress)
            except LockHeld:
                return self._queue(kind, body, actor)

    def _queue(self, kind: str, body: dict[str, Any], actor: str) -> dict[str, Any]:
        from agent.wiring import open_queue

        with open_queue(self.config) as commands:
            number = commands.queue(kind, body, actor)
            waited = 0.0
            while waited < WAIT_SECONDS:
                outcome = commands.result(number)
                if outcome is not None:
                    return _unpack(outcome)
                time.sleep(LOOK_EVERY_SECONDS)
                waited += LOOK_EVERY_SECONDS
        raise LockHeld(
            f"the daemon has not answered {kind} for {WAIT_SECONDS / 60:.0f} minutes",
            why="it stays queued and will still be done",
            next_step="truce status",
        )


def _unpack(outcome: dict[str, Any]) -> dict[str, Any]:
    """The result of a queued order, or the error it ended with, raised again here."""
    failure = outcome.get("error")
    if failure is None:
        return outcome
    kind = getattr(errors, str(failure["kind"]), TruceError)
    error = TruceError(failure["what"], where=failure["where"], why=failure["why"], next_step=failure["next"])
    error.exit_code = kind.exit_code if isinstance(kind, type) and issubclass(kind, TruceError) else 1
    raise error


def session_of(ctx: click.Context) -> Session:
    """The session of the command being run."""
    return Session(ctx.obj)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
