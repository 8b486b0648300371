"""The layer rules that import contracts cannot say, checked on the syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENT = sorted((ROOT / "agent").rglob("*.py"))
CONNECTORS = sorted((ROOT / "connectors").rglob("*.py"))
PRODUCT = AGENT + CONNECTORS

CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("uuid", "uuid4"),
}
MAY_ASK_THE_CLOCK = {
    "agent/wiring/opening.py",
    "agent/daemon/daemon.py",
    "agent/cli/check.py",
    "agent/cli/policies.py",
    "agent/cli/test.py",
    "connectors/emulator/clock.py",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def calls_of(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            value = node.func.value
            if isinstance(value, ast.Name):
                yield value.id, node.func.attr
            elif isinstance(value, ast.Attribute):
                yield value.attr, node.func.attr


def test_only_store_imports_a_sqlite_module() -> None:
    importers = {
        name_of(path)
        for path in AGENT
        if {name.partition(".")[0] for name in imports_of(path)} & {"sqlite3", "pysqlite3", "apsw"}
    }
    assert importers == {"agent/store.py"}


def test_only_wiring_imports_connectors() -> None:
    importers = {
        name_of(path) for path in AGENT if any(name.partition(".")[0] == "connectors" for name in imports_of(path))
    }
    assert importers == {"agent/wiring/opening.py", "agent/wiring/practice.py", "agent/wiring/settings.py"}


def test_only_apply_calls_connector_write() -> None:
    writing = {("connector", "write"), ("connector", "start_bulk")}
    callers = {name_of(path) for path in AGENT for called in calls_of(path) if called in writing}
    assert callers == {"agent/apply.py"}


def test_clock_and_ids_are_passed_in() -> None:
    offenders = {
        f"{name_of(path)}: {owner}.{method}"
        for path in PRODUCT
        if name_of(path) not in MAY_ASK_THE_CLOCK
        for owner, method in calls_of(path)
        if (owner, method) in CLOCKS
    }
    assert offenders == set()


def test_no_step_imports_the_cycle() -> None:
    steps = ["pull", "mirror", "identify", "guard", "ledger", "apply", "confirm"]
    rooms = [path for path in AGENT if path.relative_to(ROOT / "agent").parts[0].removesuffix(".py") in steps]
    assert len(rooms) > len(steps), "a step is missing"
    assert [name_of(path) for path in rooms if "agent.cycle" in set(imports_of(path))] == []


SPEAKS_OF_VENDORS = {
    "agent/cli/emulator.py": "the practice CRMs are these two",
    "agent/cli/init.py": "asks for the two that one begins with",
    "agent/config/first_files.py": "writes the config and policies of these two",
    "agent/config/first_policies.py": "asks what the two disagree about",
    "agent/config/config.py": "the example of a setting per system",
    "agent/demo/practice.py": "the demo shows these two",
    "agent/demo/setting.py": "the demo shows these two",
    "agent/demo/story.py": "the demo shows these two",
    "agent/demo/words.py": "the demo shows these two",
}
"""The only files of the agent whose code names a vendor, and why."""


def test_the_agent_knows_no_vendor() -> None:
    speaking = {name_of(path) for path in AGENT if re.search("salesforce|hubspot", words_in_code(path), re.IGNORECASE)}
    assert speaking == set(SPEAKS_OF_VENDORS)
    data = [path for path in (ROOT / "agent").rglob("*.*") if path.suffix in {".json", ".txt", ".yaml"}]
    assert [path for path in data if re.search("salesforce|hubspot", path.read_text(encoding="utf-8"), re.I)] == []


def words_in_code(path: Path) -> str:
    """Every text and name in the code; docstrings may speak of a vendor as an example."""
    tree = tree_of(path)
    bodies = [node.body for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]
    spoken = {id(line.value) for body in bodies for line in body if isinstance(line, ast.Expr)}
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken:
            found.append(node.value)
        elif isinstance(node, ast.Name | ast.Attribute):
            found.append(node.id if isinstance(node, ast.Name) else node.attr)
    return "\n".join(found)


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_names_say_what_is_inside(path: Path) -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "base", "misc", "core", "manager"}
    assert path.stem not in vague
