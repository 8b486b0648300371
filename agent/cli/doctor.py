"""``truce doctor``: prove access, and say what can and cannot be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.display import one_line, print_json, say
from agent.cli.session import Session, json_option, session_of
from agent.errors import LedgerMissing, TruceError, UsageError
from agent.words import counted

if TYPE_CHECKING:
    from agent.changes import Mode
    from agent.config.config import Config
    from agent.connector import Connector
    from agent.doctor import Finding
    from agent.reports.prospects import Prospect

MARKS = {"ok": "ok     ", "warning": "look at", "error": "ERROR  "}
LOOK_AGAIN = "seen by the daemon within 15 minutes, or at once by: truce plan"
DECIDED = {"itself": "by itself", "a person": "once a person applies or approves it"}


@click.command("doctor")
@click.option("--permissions", is_flag=True, help="Only print what Truce's users must be granted for these policies.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="With --permissions: write files there.")
@json_option
@click.pass_context
def command(ctx: click.Context, permissions: bool, into: Path | None, as_json: bool) -> int:
    """Check secrets, access, clocks, calls, rights, fields, values, link keys and disk. Writes nothing to a CRM."""
    if permissions or into is not None:
        return _permissions(session_of(ctx), into, as_json=as_json)
    from agent.doctor import Examination
    from agent.wiring.opening import connect_to, metered, wall_clock
    from agent.wiring.settings import declarations, systems_of

    session = session_of(ctx)
    config = session.config
    findings = []
    standing = _standing(session)
    examination = Examination(
        config, systems_of(config), lambda system: connect_to(config, system), wall_clock, declarations(),
        calls=lambda links: metered(_about(config, links), links, wall_clock),
        mode=standing.ceiling, taken_over=standing.taken_over, accounts=standing.accounts,
    )  # fmt: skip
    for finding in [*examination.findings(), *_ledger(session), *_suspended(session)]:
        findings.append(finding)
        if not as_json:
            _show(finding)
    errors = [finding for finding in findings if finding.level == "error"]
    prospects = examination.prospects(standing.modes, standing.accepted)
    if as_json:
        document = {"ok": not errors, "findings": [_document(each) for each in findings], "may_write": standing.acting}
        print_json({**document, "can_write": [asdict(each) for each in prospects], "permissions": []})
    else:
        _show_prospects(prospects)
        say(_summary(len(errors), standing, prospects))
        next_step = "truce plan" if standing.is_paired else "truce pair"
        say(f"  next   {'mend the first ERROR above, then: truce doctor' if errors else next_step}")
    return errors[0].exit_code if errors else 0


def _about(config: Config, links: Mapping[str, Connector]) -> Config:
    """The config without what it says of the calls of systems that could not be connected."""
    absent = config.systems.keys() - links.keys()
    calls = {system: shared for system, shared in config.calls.items() if system not in absent}
    return config.model_copy(update={"calls": calls})


def _permissions(session: Session, into: Path | None, *, as_json: bool) -> int:
    """Print what to grant, or write it as files; asks nobody."""
    from agent.config.first_files import write_rights
    from agent.wiring.opening import rights_of

    found = rights_of(session.config)
    written = write_rights(into, found) if into is not None else {}
    if as_json:
        listed = [
            {
                "system": system,
                "named": list(rights.named),
                "file": str(written.get(system, "")),
                "text": rights.text,
                "next": list(rights.steps),
            }
            for system, rights in found.items()
        ]
        print_json({"ok": True, "findings": [], "may_write": [], "can_write": [], "permissions": listed})
        return 0
    for system, rights in found.items():
        say(f"{system}: {f'wrote {written[system]}' if system in written else rights.file_name}")
        if system not in written:
            click.echo(rights.text, nl=False)
        for step in rights.steps:
            say(f"  → {one_line(step)}", hanging=4)
    return 0


def _ledger(session: Session) -> Iterator[Finding]:
    """Whether what was done is remembered; before the first plan there is nothing to remember."""
    from agent.doctor import Finding, error_finding
    from agent.ledger.memory import memory_of
    from agent.safety import check_memory, not_the_one_known
    from agent.wiring.opening import LEDGER

    path = session.config.state / LEDGER
    try:
        with session.reading() as installation:
            check_memory(installation.ledger, path)
    except LedgerMissing:
        if memory_of(path).exists():
            yield error_finding("ledger", not_the_one_known(path, "lost"))
    except UsageError:
        return
    except TruceError as error:
        yield error_finding("ledger", error)
    else:
        yield Finding("ok", "ledger", "it is the one that was here before")


def _suspended(session: Session) -> Iterator[Finding]:
    """Lines out of force because a CRM changed, as the last look found."""
    from agent.doctor import Finding
    from agent.schema.watch import way_back

    with suppress(TruceError), session.reading() as installation:
        for each in installation.suspensions:
            line = f"{each.policy} {each.line}".strip()
            text = f"{line} ({each.place}): {each.sentence}"
            yield Finding("warning", "suspended", text, (way_back(each), LOOK_AGAIN))


def _show(finding: Finding) -> None:
    from agent.ways_out import PERMISSIONS

    say(f"{MARKS[finding.level]} {finding.subject}: {one_line(finding.text)}", hanging=8)
    for step in finding.steps if finding.level != "ok" else ():
        _, colon, last = step.rpartition(": ")
        commands = [PERMISSIONS, *([last] if colon and last.startswith("truce ") else ())]
        say(f"        → {one_line(step)}", hanging=10, whole=commands)


def _show_prospects(prospects: list[Prospect]) -> None:
    """One line per object type and who decides about what is written there."""
    if prospects:
        say("What can be written:")
    for each in prospects:
        by = f"not yet: {each.why}" if each.why else DECIDED[each.by]
        say(f"  {each.system} {each.object_type}: {each.what}, {by}", hanging=4)


def _summary(errors: int, standing: Standing, prospects: list[Prospect]) -> str:
    if errors:
        return f"{counted(errors, 'thing')} to mend before Truce can work."
    if standing.acting:
        return f"Everything needed is readable. Written without asking: what {', '.join(standing.acting)} says."
    if all(each.by == "nobody yet" for each in prospects):
        return "Everything needed is readable. Nothing can be written yet."
    return "Everything needed is readable. Nothing is written before a person has applied or approved it."


@dataclass(frozen=True, slots=True)
class Standing:
    """How far this installation has come. ``acting``: policies that write without asking. ``accepted``: entity types of
    which a person accepted who is the same; ``is_paired`` if of all. ``taken_over``: those moved here from another
    sync. ``ceiling`` is the most that Truce may do; ``accounts`` are those it belongs to, by system."""

    modes: Mapping[str, Mode]
    acting: list[str]
    accepted: frozenset[str]
    is_paired: bool
    ceiling: Mode
    taken_over: frozenset[str] = frozenset()
    accounts: Mapping[str, str] = field(default_factory=dict)


def _standing(session: Session) -> Standing:
    """Before the first plan there is no ledger: nobody has let a policy act or accepted a pairing."""
    from agent import cutover
    from agent.approval.ceiling import ceiling
    from agent.pairing import pairing
    from agent.plan.planner import effective_modes
    from agent.safety import known_accounts

    try:
        with session.reading() as installation:
            modes = effective_modes(installation, by_person=False)
            policies = installation.policies.policies
            writing = {policy.header.name for policy in policies.fields}
            writing |= {policy.header.name for policy in policies.lifecycle}
            accepted = frozenset(pairing.accepted(installation))
            most = ceiling(installation.ledger, session.config.run.mode).mode
            accounts = known_accounts(installation.ledger)
            taken_over = frozenset(cutover.taken_over(installation))
    except TruceError:
        return Standing({}, [], frozenset(), False, session.config.run.mode)
    acting = sorted(name for name in writing if modes[name] == "act")
    return Standing(modes, acting, accepted, set(policies.entity_types) <= accepted, most, taken_over, accounts)


def _document(finding: Finding) -> dict[str, object]:
    return {
        "level": finding.level,
        "subject": finding.subject,
        "text": finding.text,
        "next": list(finding.steps),
        "exit_code": finding.exit_code,
    }
