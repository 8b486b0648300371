"""``truce doctor``: prove access, and say what can and cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from agent.cli.display import one_line, print_json, say
from agent.cli.session import Session, json_option, session_of
from agent.errors import TruceError

if TYPE_CHECKING:
    from agent.doctor import Finding

MARKS = {"ok": "ok     ", "warning": "look at", "error": "ERROR  "}


@click.command("doctor")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Check secrets, access, clocks, fields, values, link keys and disk. Writes nothing anywhere."""
    from agent.doctor import Examination
    from agent.wiring import connect, systems_of, wall_clock

    session = session_of(ctx)
    findings = []
    for finding in Examination(session.config, systems_of(session.config), connect, wall_clock).findings():
        findings.append(finding)
        if not as_json:
            _show(finding)
    errors = [finding for finding in findings if finding.level == "error"]
    acting, has_written = _standing(session)
    if as_json:
        print_json({"ok": not errors, "findings": [_document(each) for each in findings], "may_write": acting})
    else:
        say(_summary(len(errors), acting, has_written))
        say(f"  next   {'mend the first ERROR above, then: truce doctor' if errors else 'truce plan'}")
    return errors[0].exit_code if errors else 0


def _show(finding: Finding) -> None:
    say(f"{MARKS[finding.level]} {finding.subject}: {one_line(finding.text)}", hanging=8)
    for step in finding.steps if finding.level != "ok" else ():
        say(f"        → {one_line(step)}", hanging=10)


def _summary(errors: int, acting: list[str], has_written: bool) -> str:
    if errors:
        return f"{errors} thing{'s' if errors != 1 else ''} to mend before Truce can work."
    if acting:
        return f"Everything needed is readable. Written without asking: what {', '.join(acting)} says."
    if has_written:
        return "Everything needed is readable. Nothing is written before a person has applied or approved it."
    return "Everything needed is readable. Nothing can be written yet."


def _standing(session: Session) -> tuple[list[str], bool]:
    """The policies that write without asking, and whether anything was written so far.

    Before the first plan there is no ledger: none, and nothing.
    """
    from agent.planner import effective_modes

    try:
        with session.reading() as installation:
            modes = effective_modes(installation, by_person=False)
            policies = installation.policies.policies
            writing = {policy.header.name for policy in policies.fields}
            writing |= {policy.header.name for policy in policies.lifecycle}
            has_written = any(batch.state == "done" for batch in installation.ledger.batches(limit=1000))
    except TruceError:
        return [], False
    return sorted(name for name in writing if modes[name] == "act"), has_written


def _document(finding: Finding) -> dict[str, object]:
    return {
        "level": finding.level,
        "subject": finding.subject,
        "text": finding.text,
        "next": list(finding.steps),
        "exit_code": finding.exit_code,
    }
