"""The ``truce`` command: one file per command, imported only when it is the one asked for."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Mapping

import click

COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo", "See the main job on two practice CRMs on this computer."),
    "init": ("init", "Write a config file and policies to start from."),
    "doctor": ("doctor", "Check access, fields and clocks; say what can be written."),
    "pair": ("pair", "Who is the same in both CRMs, who is alone, who is unclear."),
    "align": ("align", "The first differences, decided in groups and written in slices."),
    "check": ("check", "Check the policy files: every problem at once, with its place."),
    "policies": ("policies", "Make policies from the mapping of a CRM's own integration."),
    "test": ("test", "Run the examples beside the policies: do they come true?"),
    "plan": ("plan", "Show what would be written, and why. Writes to no CRM."),
    "apply": ("apply", "Write a plan: 25, read back, 250, the rest."),
    "go-live": ("go_live", "Let a policy act by itself, after its plan was seen."),
    "run": ("run", "Run the daemon, or one cycle with --once."),
    "status": ("status", "Is it running, what is open, what waits, what is frozen?"),
    "today": ("today", "What changed, what people changed back, what waits for you."),
    "week": ("week", "The last week: changes, agreement by field, what people change back."),
    "watched": ("watched", "What watching policies would have done and prevented beside another sync."),
    "cutover": ("cutover", "Move from another sync to Truce, step by step, with a way back."),
    "batches": ("batches", "List what was written, newest first."),
    "show": ("show", "Show one batch with every change."),
    "why": ("why", "Why a field of a record has its value."),
    "timeline": ("timeline", "Both CRMs and Truce on one line of time, for one record."),
    "review": ("review", "Questions only a person can answer."),
    "retry": ("retry", "Writes a vendor refused: list them, have them tried again."),
    "approve": ("approve", "Approve a held batch: exactly the list shown."),
    "reject": ("reject", "Turn a held batch down."),
    "consent": ("consent", "Who differs in consent; ask for an opt-in, with evidence."),
    "rollback": ("rollback", "Preview the undo of a batch; --apply writes it."),
    "mode": ("mode", "How much Truce may do at most: watch, ask or act."),
    "pause": ("pause", "Stop a policy from writing."),
    "resume": ("resume", "Let a paused policy go on."),
    "freeze": ("freeze", "Keep Truce away from one field of one record."),
    "forget": ("forget", "Preview what is held of one person or company; --apply forgets it."),
    "ledger": ("ledger", "Prove the ledger is unaltered, back it up, put a backup back."),
    "secrets": ("secrets", "Put the keys of both CRMs where the config looks for them."),
    "conformance": ("conformance", "Does an account behave as the emulator does?"),
    "emulator": ("emulator", "Run the two practice CRMs."),
}
"""Command → (module in agent.cli, one line of help). A command is listed when it works, not before."""


class LazyGroup(click.Group):
    """Lists commands from the table above and imports one only to run it: ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"agent.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if close:
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    "config_path",
    default="config.yaml",
    show_default=True,
    envvar="TRUCE_CONFIG",
    help="The config file.",
)
@click.option("--traceback", is_flag=True, help="Show where a mistake of ours happened.")
@click.version_option(package_name="crm-truce", prog_name="truce")
@click.pass_context
def truce(ctx: click.Context, config_path: str, traceback: bool) -> None:
    """Keep Salesforce and HubSpot in agreement; explain, bound and undo every change."""
    ctx.obj = config_path  # ``traceback`` is read by agent.cli.advice, where errors end


def main() -> None:
    """Run the command line; every error a person can cause ends as advice, never as a traceback."""
    from agent.cli.advice import run_with_advice

    _leave(run_with_advice(truce, sys.argv[1:]))


def _leave(code: int) -> None:
    """After a second Ctrl-C calls may be under way. The interpreter would wait for them at its end; they are in the
    ledger as sent, and the next start settles what they came to."""
    from agent.cli.advice import INTERRUPTED
    from agent.side_by_side import calls_under_way

    if code == INTERRUPTED and calls_under_way():
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)
