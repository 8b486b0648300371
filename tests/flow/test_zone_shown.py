"""Every page speaks of one time zone, the team's, whatever the computer's own is, and says once which."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from terminal import Terminal, terminal_at

from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

KATHMANDU = ZoneInfo("Asia/Kathmandu")
"""Five and three quarter hours ahead of UTC: no computer is there by chance."""


@pytest.fixture
def company(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A plan was applied; this computer is far away from its team."""
    monkeypatch.setenv("TZ", "America/Anchorage")
    time.tzset()
    emulator.renew(Options(contacts=60, companies=20, seed=3))
    terminal = terminal_at(emulator, tmp_path)
    terminal.edit("policies/sales-team.yaml", "time_zone: America/New_York", "time_zone: Asia/Kathmandu")
    terminal("apply", terminal.json("plan")["plan"])
    terminal("mode", "ask")
    yield terminal
    monkeypatch.undo()
    time.tzset()


def test_pages_show_the_teams_time_and_name_the_zone_once(company: Terminal) -> None:
    batch = company.json("batches")["batches"][0]
    opened = datetime.fromisoformat(batch["opened_at"]).astimezone(KATHMANDU).strftime("%a %d %b %H:%M")
    record = company.json("show", batch["batch"])["entries"][0]["record"]
    for words in (["batches"], ["show", batch["batch"]], ["why", record], ["timeline", record]):
        said = company(*words)
        assert (said.code, opened in said.out) == (0, True), said
        assert said.out.count("Times are those of Asia/Kathmandu.") == 1, said
    for words in (["today"], ["week"], ["status"], ["mode"], ["batches", "--by", "hour"]):
        assert company(*words).out.count("Asia/Kathmandu") == 1, words


def test_the_undo_that_a_group_prints_means_the_same_moment(company: Terminal) -> None:
    group = company.json("batches", "--by", "policy")["groups"][0]
    since = group["undo"].partition('--since "')[2].rstrip('"')
    preview = company("rollback", "--policy", group["group"], "--since", since)
    assert preview.code in (0, 3), preview
    assert "+0545" in preview.out, preview
