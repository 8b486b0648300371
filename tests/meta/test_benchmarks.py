"""The page about performance names only goals and commands that a benchmark really measures."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.__main__ import SUBJECTS
from benchmarks.table import BEGIN, END

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.partition(BEGIN)[2].partition(END)[0].splitlines() if line.startswith("| G")]


def source_of(name: str) -> str:
    return (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")


def test_every_goal_of_the_table_is_measured_by_the_benchmark_it_names() -> None:
    assert ROWS
    for row in ROWS:
        goal = row.split(" | ")[0].removeprefix("| ")
        name = re.search(r"`python -m benchmarks (\w+)`", row)
        assert name is not None, row
        assert name[1] in SUBJECTS, row
        assert f'"{goal}"' in source_of(name[1]), row


def test_every_benchmark_stands_on_the_page() -> None:
    assert [name for name in SUBJECTS if f"`python -m benchmarks {name}`" not in PAGE] == []


def test_every_missed_goal_is_owned_up_to() -> None:
    missed = {row.split(" | ")[0].removeprefix("| ") for row in ROWS if "**missed**" in row}
    explained = set(re.findall(r"^\*\*(G\d+)", PAGE.partition("## What is missed")[2], re.MULTILINE))
    assert missed <= explained
