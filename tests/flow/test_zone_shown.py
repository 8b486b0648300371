"""Every page speaks of one time zone, the team's, whatever the computer's own is, and says once which."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from terminal import Terminal, terminal_at

from agent.lock import WriterLock
from agent.wiring import opening
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


def test_who_holds_the_lock_is_told_in_the_teams_time(company: Terminal) -> None:
    held = {"pid": 4711, "command": "truce run", "since": "2026-11-27T05:17:00+00:00"}
    with WriterLock.take(company.folder / "state" / "writer.lock", held):
        assert "since Fri 27 Nov 2026 11:02 (Asia/Kathmandu)" in company("run").err
        (company.folder / "policies" / "sales-team.yaml").unlink()
        opening._zone.cache_clear()
        assert "since Thu 26 Nov 2026 20:17 (AKST)" in company("run").err, "this computer's, where no zone is written"


def test_the_undo_that_a_group_prints_means_the_same_moment(company: Terminal) -> None:
    group = company.json("batches", "--by", "policy")["groups"][0]
    since = group["undo"].partition('--since "')[2].rstrip('"')
    preview = company("rollback", "--policy", group["group"], "--since", since)
    assert preview.code in (0, 3), preview
    assert "+0545" in preview.out, preview
