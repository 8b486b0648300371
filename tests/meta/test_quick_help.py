"""Help is quick because it imports next to nothing, and a daemon is small because it leaves out what it never uses;
what is imported can be counted, time cannot."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("simple_salesforce", "hubspot", "pydantic", "rich", "keyring", "apscheduler", "structlog", "yaml", "pysqlite3")

ALL_HELP = f"""
import contextlib, io, sys
from agent.cli import COMMANDS, truce
from agent.cli.advice import run_with_advice
for words in ([], *([name] for name in COMMANDS)):
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_with_advice(truce, [*words, "--help"]) == 0
    print(*words, *sorted(set({HEAVY!r}) & set(sys.modules)))
"""


def test_the_help_of_no_command_imports_anything_heavy() -> None:
    said = subprocess.run([sys.executable, "-c", ALL_HELP], capture_output=True, text=True, check=True).stdout
    assert [line for line in said.splitlines() if any(name in line.split() for name in HEAVY)] == []


def test_logging_loads_nothing_that_only_paints_and_leaves_it_to_those_who_do() -> None:
    script = "import sys, agent.logs; print(sorted({'rich', 'pygments'} & set(sys.modules))); import rich.table"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"


def test_reading_the_suffixes_of_domains_makes_no_trees_of_them() -> None:
    script = (
        "import gc; from agent.decide.normalise import email_domain; print(email_domain('ann@mail.acme.co.uk'),"
        " sum(type(each).__name__ == 'Trie' for each in gc.get_objects()))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "acme.co.uk 0\n"
