"""``truce conformance``: does a real account behave as the emulator does?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from agent.cli.display import one_line, print_json, say
from agent.cli.session import json_option, session_of

DIFFERENT = 2


@click.command("conformance")
@click.option("--system", metavar="NAME", required=True, help="Which system of the config.")
@click.option("--write", is_flag=True, help="Also make, change and delete records of its own; lists what is left.")
@click.option("--patient", is_flag=True, help="Wait for a search index that lags, some minutes for each claim.")
@click.option("--yes-production", is_flag=True, help="Write although it is a production account.")
@json_option
@click.pass_context
def command(ctx: click.Context, system: str, write: bool, patient: bool, yes_production: bool, as_json: bool) -> int:
    """Try the claims that Truce relies on at an account, and say where it differs from the emulator.

    Reads only, unless --write. Meant for a developer account or a sandbox.
    """
    from agent.conformance import examine_account

    report = examine_account(
        session_of(ctx).config,
        system,
        may_write=write,
        is_patient=patient,
        yes_production=yes_production,
        said=(lambda finding: None) if as_json else _show,
    )
    if as_json:
        print_json(report)
    else:
        _sum_up(report)
    return DIFFERENT if report["different"] else 0


def _show(finding: Mapping[str, str]) -> None:
    """Differences as they are found."""
    if finding["result"] != "different":
        return
    say(f"different  {finding['claim']}", hanging=11)
    for name, word in (("about", "what"), ("expected", "expected"), ("seen", "seen"), ("see", "line")):
        say(f"    {name:<10}{one_line(finding[word])}", hanging=14)


def _sum_up(report: Mapping[str, Any]) -> None:
    same, different, untried = report["same"], report["different"], report["untried"]
    say(f"as the emulator: {same} · different: {different} · could not be tried: {untried}", hanging=2)
    reasons = Counter(each["seen"] for each in report["findings"] if each["result"] == "untried")
    for reason, count in reasons.most_common():
        say(f"  {count:>3} not tried: {one_line(reason)}", hanging=6)
    if report["made"]:
        left = len(report["left"])
        fate = f"{left} of them could not be deleted again:" if left else "all of them are deleted again."
        say(f"{report['made']} records were made; {fate}", hanging=2)
    for ref in report["left"]:
        say(f"  left      {ref}", hanging=4)
