"""The page about the emulator's Salesforce names tests that exist, for every behaviour; the switches are all told."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from connectors.emulator.salesforce import switches

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "emulator-salesforce.md").read_text(encoding="utf-8")
BEHAVIOURS = 65


def named_tests() -> dict[int, list[str]]:
    lines = re.findall(r"^\| (\d+) \| .+ \| (.*) \|$", PAGE, re.MULTILINE)
    return {int(number): re.findall(r"`(test_\w+)`", names) for number, names in lines}


def existing_tests() -> set[str]:
    files = (ROOT / "tests" / "contract").glob("test_emulator_salesforce_*.py")
    bodies = [node for path in files for node in ast.parse(path.read_text(encoding="utf-8")).body]
    return {node.name for node in bodies if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_behaviour_names_a_test_that_exists() -> None:
    named, existing = named_tests(), existing_tests()
    assert sorted(named) == list(range(1, BEHAVIOURS + 1))
    assert [number for number, names in named.items() if not names] == []
    assert {name for names in named.values() for name in names} - existing == set()


def test_every_switch_is_told() -> None:
    told = set(re.findall(r"^\| (\w+) \|", str(switches.__doc__), re.MULTILINE)) - {"name"}
    assert told == set(switches.SWITCHES)
