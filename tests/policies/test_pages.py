"""Every block on the pages about policies is executed: a page cannot promise what the parser does not do."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from shipped_systems import SYSTEMS

from agent.decide import parse, prepare
from agent.decide.example_reading import read_example_file
from agent.decide.examples import run
from agent.decide.kinds.wins import presets, winners
from agent.decide.normalise import CLEANERS
from agent.decide.yaml_source import load_plain

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs" / "policies").glob("*.md"), ROOT / "policies" / "README.md"])
TODAY = date(2026, 11, 24)
SHIPPED = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "policies").glob("*.yaml"))}
PREPARED = prepare(parse.load({f"{name}.yaml": text for name, text in SHIPPED.items()}, None, TODAY, SYSTEMS))
BESIDE = {
    "fields": (),
    "dedupe": ("person-basics", "company-basics"),
    "lifecycle": ("person-basics", "sales-team"),
    "limits": ("sales-team",),
    "people": (),
}
"""Kind of a policy on a page → the shipped policies it speaks of."""

LINES = """\
policy: person-basics
kind: fields
responsible: anna@example.com
purpose: The lines of a page
review_by: 2027-03-01
mode: ask
defines: person
records: {salesforce: [Contact, Lead], hubspot: contacts}
match: [stored id]
first_time: fill blanks
losing_edit: revert
fields:
"""


def blocks(kind: str) -> list[Any]:
    """The blocks fenced as ``yaml`` (whole policies), ``yaml lines``, ``yaml conditions`` … of all pages."""
    listed = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(r"^```yaml ?(\S*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            if found[1] == kind:
                line = text[: found.start()].count("\n") + 2
                listed.append(pytest.param(found[2], id=f"{page.parent.name}/{page.name}:{line}"))
    return listed


def problems(sources: dict[str, str]) -> list[str]:
    return [str(problem) for problem in parse.check(sources, None, TODAY, SYSTEMS)]


@pytest.mark.parametrize("text", blocks(""))
def test_every_policy_on_a_page_is_sound(text: str) -> None:
    document = load_plain("page.yaml", text)
    assert isinstance(document, dict)
    sources = {name: SHIPPED[name] for name in BESIDE[str(document["kind"])]}
    assert problems({**sources, "page": text}) == []


@pytest.mark.parametrize("text", blocks("head"))
def test_every_part_of_a_policy_is_sound_in_its_place(text: str) -> None:
    key = text.partition(":")[0]
    there = re.compile(rf"^{key}:.*\n(?:[ ].*\n)*", re.MULTILINE)
    policy = SHIPPED["person-basics"]
    shipped = there.sub(text, policy, count=1) if there.search(policy) else f"{policy}{text}"
    assert text in shipped
    assert problems({**SHIPPED, "person-basics": shipped}) == []


@pytest.mark.parametrize("text", blocks("lines"))
def test_every_line_on_a_page_is_sound(text: str) -> None:
    assert problems({"page": LINES + indent(text, "  "), "company-basics": SHIPPED["company-basics"]}) == []


@pytest.mark.parametrize("text", blocks("conditions"))
def test_every_condition_on_a_page_is_sound(text: str) -> None:
    policy = SHIPPED["person-basics"] + "unless:\n" + indent(text, "  ")
    assert problems({**SHIPPED, "person-basics": policy}) == []


@pytest.mark.parametrize("text", blocks("examples"))
def test_every_example_on_a_page_comes_true(text: str) -> None:
    examples, wrong = read_example_file("page", text, SYSTEMS)
    assert [str(problem) for problem in wrong] == []
    assert [str(failure) for example in examples for failure in run(example, PREPARED)] == []


def test_every_block_on_a_page_is_of_a_kind_that_is_executed() -> None:
    kinds = {
        found[1] for page in PAGES for found in re.finditer(r"^```yaml ?(\S*)$", page.read_text("utf-8"), re.MULTILINE)
    }
    assert kinds == {"", "head", "lines", "conditions", "examples"}


def test_every_kind_and_every_cleaner_has_its_words_on_a_page() -> None:
    told = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    untold = {
        word
        for word in (*parse.KINDS, *CLEANERS, *winners(SYSTEMS), *presets(SYSTEMS))
        if f"`{word}" not in told and f"{word}" != "text"
    }
    keys = {key.name for shape in parse.shapes(SYSTEMS).values() for key in shape.keys}
    untold |= {name for name in keys if f"`{name}" not in told}
    assert untold == set()
