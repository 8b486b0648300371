"""Whoever reads what ``truce doctor`` prints, and does it: at the keyboard, in both CRMs' settings, at the clock."""

from __future__ import annotations

import re
import shlex
import stat
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from terminal import Said, Terminal

from connectors.emulator.admin_client import Admin, AdminRefusedError
from connectors.emulator.serve import Emulator
from connectors.salesforce import rights

MARKS = {"ok": "ok", "look at": "warning", "ERROR": "error"}
LINE = re.compile(r"(ok|look at|ERROR) +([^:]+): (.+)")
NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"


@dataclass(frozen=True)
class Found:
    """A finding as it stands on the page."""

    level: str
    subject: str
    text: str
    steps: tuple[str, ...]


def findings(said: Said) -> list[Found]:
    found: list[Found] = []
    for line in said.out.splitlines():
        if match := LINE.fullmatch(line):
            found.append(Found(MARKS[match[1]], match[2], match[3], ()))
        elif line.startswith("        → "):
            last = found.pop()
            found.append(Found(last.level, last.subject, last.text, (*last.steps, line.removeprefix("        → "))))
    return found


@dataclass
class Office:
    """Whoever reads the page: at the keyboard, in both CRMs' settings, and at the clock on the wall."""

    terminal: Terminal
    admin: Admin
    emulator: Emulator
    monkeypatch: pytest.MonkeyPatch
    waited: float = 0.0

    def doctor(self) -> tuple[int, list[Found]]:
        said = self.terminal("doctor")
        found = findings(said)
        assert found, said
        stepless = [each for each in found if each.level != "ok" and not each.steps]
        assert stepless == [], "every finding names the next step"
        return said.code, found

    def look(self, subject: str, says: str) -> tuple[int, Found | None]:
        """(exit code, the finding that says so, which is one that wants something done)."""
        code, found = self.doctor()
        told = (each for each in found if each.level != "ok" and each.subject == subject and says in each.text)
        return code, next(told, None)

    def run(self, step: str, typed: str = "") -> Said:
        """The command that a step ends with."""
        words = shlex.split(step[step.index("truce ") :].partition("; ")[0])
        said = self.terminal(*words[1:], typed=typed)
        assert said.code == 0, said
        return said

    def write_setting(self, step: str) -> None:
        """``in config.yaml under hubspot: link_keys: {…}`` as somebody with an editor would do it."""
        match = re.search(r"in config.yaml under (\w+): (.+)", step)
        assert match is not None, step
        config = yaml.safe_load(self.terminal.config.read_text(encoding="utf-8"))
        for name, value in yaml.safe_load(match[2]).items():
            given = config[match[1]].get(name)
            config[match[1]][name] = {**given, **value} if isinstance(given, dict) else value
        self.terminal.config.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def set(self, system: str, **settings: Any) -> None:
        """Settings of one system; None removes one."""
        config = yaml.safe_load(self.terminal.config.read_text(encoding="utf-8"))
        config[system] = {name: value for name, value in {**config[system], **settings}.items() if value is not None}
        self.terminal.config.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        self.terminal.edit(f"policies/{name}.yaml", old, new)

    def permit(self, system: str, **change: Any) -> None:
        self.admin.post("/permissions", system=system, **change)

    def schema(self, system: str, **change: Any) -> None:
        self.admin.post("/schema", system=system, **change)

    def path(self, name: str) -> Path:
        return self.terminal.folder / name

    def grant_what_is_printed(self, step: str) -> None:
        """Both administrators do what the page that a step leads to tells them, and nothing else."""
        assert "truce doctor --permissions" in step
        printed = {each["system"]: each for each in self.terminal.json("doctor", "--permissions")["permissions"]}
        self._tick_scopes(set(printed["hubspot"]["named"]))
        self._deploy(ElementTree.fromstring(printed["salesforce"]["text"]))

    def _tick_scopes(self, wanted: set[str]) -> None:
        ticked = set(self.admin.post("/permissions", system="hubspot")["scopes"]) - {"oauth"}
        for scope in ticked - wanted:
            self.permit("hubspot", remove_scope=scope)
        for scope in wanted - ticked:
            self.permit("hubspot", add_scope=scope)

    def _deploy(self, permission_set: ElementTree.Element) -> None:
        for part in permission_set.iter(f"{NAMESPACE}objectPermissions"):
            given = {each.tag.removeprefix(NAMESPACE): each.text or "" for each in part}
            self.permit("salesforce", object=given["object"], show="*")
            for operation in ("create", "edit", "delete"):
                verb = "allow" if given[f"allow{operation.title()}"] == "true" else "deny"
                self.permit("salesforce", object=given["object"], **{verb: operation})
        for part in permission_set.iter(f"{NAMESPACE}fieldPermissions"):
            object_type, _, name = part.findtext(f"{NAMESPACE}field", "").partition(".")
            verb = "writable" if part.findtext(f"{NAMESPACE}editable") == "true" else "read_only"
            parts = rights._FIELDS["parts"].get(object_type, {})
            self.permit("salesforce", object=object_type, **{verb: name})
            for each in (each for each, whole in parts.items() if whole == name):
                with suppress(AdminRefusedError):  # an org without lists of states and countries has no codes of them
                    self.permit("salesforce", object=object_type, **{verb: each})

    def set_clock(self, seconds: float) -> None:
        """This computer's clock, so far ahead of the right time; all of Truce goes by it."""
        self.monkeypatch.setattr("agent.wiring.opening.time", SimpleNamespace(time=lambda: time.time() + seconds))

    def set_clock_to(self, day: str) -> None:
        self.set_clock((datetime.fromisoformat(f"{day}T00:00Z") - datetime.now(UTC)).total_seconds())

    def check_names(self, place: str) -> None:
        """``truce check`` shows what doctor only names the first of."""
        said = self.terminal("check", "--offline")
        assert place.partition(": ")[0] in said.text

    def backup(self) -> list[Path]:
        """The copies of the ledger, after one more."""
        folder = self.path("copies")
        assert self.terminal("ledger", "backup", str(folder)).code == 0
        return sorted(each for each in folder.iterdir() if each.suffix == ".db")

    def wait(self, seconds: float) -> None:
        """Time passes, here and there."""
        self.admin.post("/clock/advance", seconds=seconds)
        self.waited += seconds
        self.set_clock(self.waited)


def as_its_owner(path: str | Path, how: int) -> bool:
    """What the mode says, also where the tests run as root, whom no mode keeps out."""
    return stat.S_IMODE(Path(path).stat().st_mode) >> 6 & how == how


Act = Callable[[Office], object]
Mend = Callable[[Office, Found], object]


@dataclass(frozen=True)
class Case:
    """``breaks`` brings a finding about ``subject`` that ``says`` so, with ``code``; ``mends`` does what its ``step``
    says; ``after`` is the exit code then."""

    breaks: Act
    subject: str
    says: str
    step: str
    code: int
    mends: Mend
    level: str = "error"
    after: int = 0
