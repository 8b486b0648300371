"""The walks in docs are walked: every console block is typed, line by line, and shows what the page says it shows."""

from __future__ import annotations

import fnmatch
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from terminal import Terminal

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True, slots=True)
class Typed:
    """One command of a page and the lines shown below it; ``…`` stands for anything."""

    words: str
    shown: str


def typed_in(page: str) -> list[Typed]:
    """What ``page`` tells a reader to type, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    commands = []
    for block in blocks:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            words, _, shown = part.partition("\n")
            commands.append(Typed(words, shown.strip("\n")))
    return commands


def yaml_line(page: str, name: str) -> str:
    """The line of a yaml block that begins with this field."""
    return next(line for line in page.splitlines() if line.strip().startswith(f"{name}:"))


def looks_like(said: str, shown: str) -> bool:
    pattern = "".join("*" if part == "…" else re.sub(r"([\[*?])", r"[\1]", part) for part in re.split("(…)", shown))
    return fnmatch.fnmatchcase(said.strip("\n"), pattern + "*" if shown.endswith("…") else pattern)


def walk(terminal: Terminal, commands: list[Typed]) -> None:
    for command in commands:
        said = terminal(*shlex.split(command.words)[1:])
        assert looks_like(said.text, command.shown), (
            f"{command.words} says\n{said.text}\nthe page says\n{command.shown}"
        )


@pytest.mark.timeout(300)
def test_the_quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "quickstart.md").read_text(encoding="utf-8")
    folder = tmp_path / "demo"
    nowhere = Terminal(tmp_path / "config.yaml")
    assert nowhere("demo", "--folder", str(folder), "--contacts", "500", "--companies", "100").code == 0
    monkeypatch.chdir(folder)
    terminal = Terminal(folder / "config.yaml")
    commands = typed_in(page)
    mended = next(index for index, command in enumerate(commands) if command.words == "truce check")
    walk(terminal, commands[:mended])
    policies = folder / "policies" / "person-basics.yaml"
    text = policies.read_text(encoding="utf-8")
    wrong = next(line for line in text.splitlines() if line.strip().startswith("job_title:"))
    policies.write_text(text.replace(wrong, yaml_line(page, "job_title")), encoding="utf-8")
    walk(terminal, commands[mended:])
