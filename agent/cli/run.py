"""``truce run``: the daemon, or one cycle."""

from __future__ import annotations

import gc
import getpass
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.display import number, print_json
from agent.cli.session import Session, json_option, session_of
from agent.words import counted

if TYPE_CHECKING:
    from agent.logs import SecretMask

SOME_FAILED = 3
INTERRUPTED = 130


@click.command("run")
@click.option("--once", is_flag=True, help="One cycle, then stop.")
@click.option("--verbose", is_flag=True, help="Log more.")
@click.option(
    "--log-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Log into this file instead of stderr; begun anew at 10 MB, five old ones are kept.",
)
@click.option("--print-unit", is_flag=True, help="Print a systemd unit for this installation, and stop.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, once: bool, verbose: bool, log_file: Path | None, print_unit: bool, as_json: bool
) -> int:
    """Pull, decide, write and settle every minute until stopped (Ctrl-C or SIGTERM)."""
    session = session_of(ctx)
    if print_unit:
        from agent.daemon.systemd import unit_text
        from agent.wiring.settings import systems_of

        program = Path(sys.argv[0]).absolute()
        config, place = session.config, session.config_path.absolute()
        click.echo(unit_text(config, systems_of(config), place, program, getpass.getuser()), nl=False)
        return 0
    if once:
        return _one_cycle(session, as_json=as_json)
    from agent.logs import SecretMask, start_logging

    mask = SecretMask()
    start_logging(mask, verbose=verbose, file=log_file)
    _run_daemon(session, mask)
    return 0


def _one_cycle(session: Session, *, as_json: bool) -> int:
    result: dict[str, Any] = session.order("cycle", {}, "one cycle", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        click.echo(
            f"{number(result['pulled'])} pulled · {number(result['changed'])} changed · "
            f"{number(result['written'])} written · {len(result['held'])} held · "
            f"{number(result['reviews'])} new questions"
        )
        if result["waiting_for_calls"]:
            click.echo(f"{counted(result['waiting_for_calls'], 'write')} waiting for calls; until when: truce status")
    return SOME_FAILED if result["failed"] or result["unknown"] else 0


def _run_daemon(session: Session, mask: SecretMask) -> None:
    import time

    from agent.config.secrets import read_secret
    from agent.daemon import systemd
    from agent.daemon.daemon import Daemon
    from agent.daemon.signals import Signals
    from agent.lock import DAEMON
    from agent.policy_files.policy_files import FolderWatch
    from agent.policy_files.source import PolicySource
    from agent.wiring.opening import open_installation, reload_policies, take_last_good

    config = session.config
    text = session.config_path.read_bytes()
    opened = open_installation(config, command=DAEMON, with_policies=False, secret=mask.learning(read_secret))
    with Signals() as signals, opened as installation:
        gc.freeze()  # all that was loaded stays for good: a tenth of a cycle went into looking through it again
        Daemon(
            installation,
            PolicySource(FolderWatch(config.policies), reload_policies, take_last_good),
            seconds=time.monotonic,
            heartbeat=systemd.tell,
            config_changed=lambda: _differs(session.config_path, text),
            free_bytes=lambda: shutil.disk_usage(config.state).free,
            abandon=_abandon,
            pid=os.getpid(),
        ).run(signals)


def _differs(path: Path, text: bytes) -> bool:
    try:
        return path.read_bytes() != text
    except OSError:
        return True


def _abandon() -> None:
    """Leave at once: the worker's thread would keep the interpreter until its call is answered."""
    sys.stderr.flush()
    os._exit(INTERRUPTED)
