"""A person at a keyboard: types ``truce …`` and sees what comes back, within this process."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from agent.cli import truce
from agent.cli.advice import run_with_advice
from agent.demo.practice import Practice
from agent.demo.setting import write_setting
from connectors.emulator.serve import Emulator

MISTAKE_OF_OURS = "a mistake in Truce"
"""What a command says where no mistake of the user explains it."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said. ``document`` is its JSON."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Terminal:
    """``config`` is the file every command is given. Piped: there is nobody to ask.

    A mistake of ours fails the test, whatever it looks at, unless it ``expects_our_mistake``.
    """

    config: Path
    expects_our_mistake: bool = False

    def __call__(self, *words: str, typed: str = "") -> Said:
        with CliRunner().isolation(input=typed) as (out, err, _):
            code = run_with_advice(truce, ["--config", str(self.config), *words])
            sys.stdout.flush()
            sys.stderr.flush()
            said = Said(code, out.getvalue().decode(), err.getvalue().decode())
        assert self.expects_our_mistake or MISTAKE_OF_OURS not in said.err, f"truce {' '.join(words)}: {said.err}"
        return said

    def json(self, *words: str, typed: str = "") -> Any:
        """The JSON document of a command that is expected to end well."""
        said = self(*words, "--json", typed=typed)
        assert said.code == 0, said
        return said.document

    @property
    def folder(self) -> Path:
        return self.config.parent

    def edit(self, name: str, old: str, new: str) -> None:
        """Change one thing in a file of the folder, as somebody with an editor would."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


def terminal_at(emulator: Emulator, folder: Path) -> Terminal:
    """An installation in ``folder`` that talks to the running emulator, as the demo writes it."""
    practice = Practice(
        folder, emulator.salesforce_url, emulator.hubspot_url, emulator.admin_url, emulator.credentials, pid=0
    )
    return Terminal(write_setting(practice))
