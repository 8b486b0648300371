"""The walks in docs are walked: every console block is typed, line by line, and shows what the page says it shows."""

from __future__ import annotations

import fnmatch
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from terminal import Terminal

from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

DOCS = Path(__file__).parents[2] / "docs"
HELD = 4
"""How a command ends that has to wait for something, and says for what."""


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


def walk(terminal: Terminal, commands: list[Typed], typed: str = "") -> None:
    for command in commands:
        said = terminal(*shlex.split(command.words)[1:], typed=typed)
        assert said.code in (0, HELD), f"{command.words} ends with {said.code}: {said.err}"
        assert looks_like(said.text, command.shown), (
            f"{command.words} says\n{said.text}\nthe page says\n{command.shown}"
        )


def with_practice_accounts(terminal: Terminal, emulator: Emulator, begin: Typed) -> str:
    """Begin as the page does, then send the requests to the practice CRMs. Returns the keys to type."""
    walk(terminal, [begin])
    config = terminal.config.read_text(encoding="utf-8")
    for line, url in (("  domain:", emulator.salesforce_url), ("  token:", emulator.hubspot_url)):
        config = config.replace(f"\n{line}", f"\n  base_url: {url}\n{line}", 1)
    terminal.config.write_text(config.replace("  # link_keys: {", "  link_keys: {"), encoding="utf-8")
    salesforce, hubspot = emulator.credentials["salesforce"], emulator.credentials["hubspot"]
    return f"{salesforce['client_id']}\n{salesforce['client_secret']}\n{hubspot['token']}\n"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", ["first-week.md", "from-the-native-connector.md"])
def test_a_page_about_real_accounts(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for table in re.findall(r"^```csv\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        (tmp_path / "mapping.csv").write_text(table, encoding="utf-8")
    with Emulator.start(Options(contacts=120, companies=30, seed=3)) as emulator:
        terminal = Terminal(Path("config.yaml"))
        begin, *commands = typed_in(text)
        keys = with_practice_accounts(terminal, emulator, begin)
        walk(terminal, commands, typed=keys)


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
