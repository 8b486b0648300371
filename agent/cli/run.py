"""``truce run``: the daemon, or one cycle."""

from __future__ import annotations

import os
import socket

import click

from agent.cli.display import number, print_json
from agent.cli.session import json_option, session_of


@click.command("run")
@click.option("--once", is_flag=True, help="One cycle, then stop.")
@click.option("--verbose", is_flag=True, help="Log more.")
@json_option
@click.pass_context
def command(ctx: click.Context, once: bool, verbose: bool, as_json: bool) -> None:
    """Pull, decide, write and settle every minute until stopped (Ctrl-C or SIGTERM)."""
    session = session_of(ctx)
    if once:
        result = session.order("cycle", {}, "one cycle", quiet=as_json)
        if as_json:
            print_json(result)
        else:
            click.echo(
                f"{number(result['pulled'])} pulled · {number(result['changed'])} changed · "
                f"{number(result['written'])} written · {len(result['held'])} held · "
                f"{number(result['reviews'])} questions"
            )
        return
    from agent.daemon import Daemon
    from agent.logs import SecretMask, start_logging
    from agent.wiring import reload_policies

    start_logging(SecretMask(), verbose=verbose)
    with session.writing() as installation:
        Daemon(installation, reload_policies, _tell_supervisor).run()


def _tell_supervisor(state: str) -> None:
    """systemd's notify protocol: one datagram; nothing when nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
