"""Every promise of docs/invariants.md and every fault of docs/faults.md is backed by tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/invariants.md").read_text(encoding="utf-8")
FAULTS = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
NUMBERS = [*range(10, 30), 33, 39, 40, 41]
"""The vendor's part of the failure model."""

NAMED = re.compile(r"\[`((?:tests/[\w/]+\.py)(?=::test_)|connectors/conformance/\w+\.py)::(\w+)`\]")


def names_in(path: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    }


def test_every_test_that_is_named_exists() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in NAMED.findall(PAGE + FAULTS)
        if not (ROOT / file).is_file() or name not in names_in(ROOT / file)
    ]
    assert missing == []


def test_each_of_the_ten_promises_says_must_and_names_a_test() -> None:
    sections = re.split(r"^## (?=\d+\. )", PAGE, flags=re.MULTILINE)[1:]
    assert [section.partition(".")[0] for section in sections] == [str(number) for number in range(1, 11)]
    for section in sections:
        assert "**must**" in section, section
        assert NAMED.search(section), section


def test_the_readme_leads_to_the_page() -> None:
    assert "(docs/invariants.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_fault_of_a_vendor_names_its_tests() -> None:
    rows = re.findall(r"^\| F(\d+) \|(.*)$", FAULTS, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == NUMBERS
    assert [number for number, text in rows if not NAMED.search(text)] == []
