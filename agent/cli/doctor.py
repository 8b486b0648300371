"""``truce doctor``: prove access, and say what can and cannot be written."""

from __future__ import annotations

import click

from agent import doctor
from agent.cli.display import print_json
from agent.cli.session import json_option, session_of

NO_ACCESS = 13


@click.command("doctor")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Check access, clocks, fields, link keys and disk. Writes nothing anywhere."""
    from agent.wiring import connect, wall_clock

    session = session_of(ctx)
    findings = list(doctor.examine(session.config, connect, wall_clock))
    errors = [finding for finding in findings if finding.level == "error"]
    if as_json:
        print_json(
            {
                "ok": not errors,
                "findings": [
                    {
                        "level": finding.level,
                        "subject": finding.subject,
                        "text": finding.text,
                        "next": finding.next_step,
                    }
                    for finding in findings
                ],
            }
        )
        return NO_ACCESS if errors else 0
    marks = {"ok": "ok     ", "warning": "look at", "error": "ERROR  "}
    for finding in findings:
        click.echo(f"{marks[finding.level]} {finding.subject}: {finding.text}")
        if finding.next_step and finding.level != "ok":
            click.echo(f"        next: {finding.next_step}")
    if errors:
        click.echo(f"{len(errors)} thing{'s' if len(errors) != 1 else ''} to mend before Truce can work.")
        return NO_ACCESS
    click.echo("Everything needed is readable. Nothing can be written yet without a plan that a person applies.")
    return 0
