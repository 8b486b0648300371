"""Every next step that an error names can be taken: its command and options exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_words import unknown_commands

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(path for folder in ("agent", "connectors") for path in (ROOT / folder).rglob("*.py"))


def texts_of(node: ast.expr) -> Iterator[str]:
    """Every text an expression may come to; what is filled in becomes ``X``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from texts_of(node.body)
        yield from texts_of(node.orelse)


def next_steps(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg in ("next_step", "next"):
            yield from texts_of(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"  next   (.*)", node.value)


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_next_step_can_be_taken(path: Path) -> None:
    assert [step for step in next_steps(path) if unknown_commands(step)] == []


def test_steps_are_found_and_a_wrong_one_would_be_noticed() -> None:
    assert sum(len(list(next_steps(path))) for path in PRODUCT) > 60
    assert unknown_commands("truce plan --show P-1") == {"truce plan --show"}
    assert unknown_commands("truce secrets lst") == {"truce secrets lst"}
