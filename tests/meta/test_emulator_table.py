"""The page about the emulator names tests that exist and that say which behaviour they are about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "emulator.md"
LABEL = re.compile(r"(?:^|, ?)(\w+)")
ROW = re.compile(r"\| (?P<label>\d+|[a-z]+) \| .+ \| (?P<tests>`test_.+`) \|")


def rows_of(vendor: str) -> list[tuple[str, list[str]]]:
    """(number or word, names of tests) of the table under a vendor's heading."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {vendor}\n")[2].partition("\n## ")[0]
    found = (ROW.fullmatch(line) for line in section.splitlines())
    return [(row["label"], re.findall(r"`(test_\w+)`", row["tests"])) for row in found if row is not None]


def behaviours(vendor: str) -> dict[str, set[str]]:
    """{name of a test: the numbers or words its docstring begins with, up to a colon}."""
    return {
        name: set(LABEL.findall(told.partition("\n")[0].partition(":")[0]))
        for path in sorted((ROOT / "tests" / "contract").glob(f"test_emulator_{vendor}_*.py"))
        for name, told in claims_in(path)
    }


def claims_in(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_docstring(node) or ""


def astray(vendor: str) -> list[str]:
    known = behaviours(vendor.lower())
    return [
        f"{label}: {name}" for label, names in rows_of(vendor) for name in names if label not in known.get(name, set())
    ]


def test_every_test_in_the_table_exists_and_is_about_its_behaviour() -> None:
    assert astray("HubSpot") == []
    assert astray("Salesforce") == []


def test_the_table_covers_every_number_of_hubspot() -> None:
    assert {label for label, _ in rows_of("HubSpot")} >= {str(number) for number in range(1, 61)}


def test_the_table_names_every_test_of_every_number_of_salesforce() -> None:
    told = {(label, name) for label, names in rows_of("Salesforce") for name in names}
    assert {label for label, _ in told} >= {str(number) for number in range(1, 66)}
    numbered = {(label, name) for name, labels in behaviours("salesforce").items() for label in labels}
    assert {pair for pair in numbered if pair[0].isdecimal()} - told == set()


LIBRARY = {
    "HubSpot": {
        "basic", "batch", "client", "request", "make", "change", "read", "value", "values", "history", "search",
        "found", "merge", "associate", "company_labels",
    },
    "Salesforce": {"sf", "call", "query", "query_deleted", "make", "change"},
}  # fmt: skip
"""What of the stages in ``practice_portal`` and ``practice_org`` goes through the vendor's own client."""


def by_library(path: Path, vendor: str) -> set[str]:
    """Functions of a file that call the client library, themselves or through a helper beside them."""
    functions = [one for one in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(one, ast.FunctionDef)]
    direct = {
        one.name
        for one in functions
        if {part.attr for part in ast.walk(one) if isinstance(part, ast.Attribute)} & LIBRARY[vendor]
    }
    led = {one.name for one in functions if {part.id for part in ast.walk(one) if isinstance(part, ast.Name)} & direct}
    return direct | led


@pytest.mark.parametrize("vendor", LIBRARY)
def test_every_number_has_a_test_through_the_client_library(vendor: str) -> None:
    paths = (ROOT / "tests" / "contract").glob(f"test_emulator_{vendor.lower()}_*.py")
    through = {name for path in paths for name in by_library(path, vendor)}
    told: dict[str, set[str]] = {}
    for label, names in rows_of(vendor):
        told.setdefault(label, set()).update(names)
    assert [label for label, names in told.items() if label.isdecimal() and not names & through] == []


def test_every_behaviour_of_hubspot_with_a_test_is_in_the_table() -> None:
    told = {label for labels in behaviours("hubspot").values() for label in labels}
    assert told - {label for label, _ in rows_of("HubSpot")} == set()
