"""docs/add-a-connector.md is true: the package its blocks make keeps the port, and is kept in agreement with a CRM."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from agent.connector import Allowance, Connector, Op
from agent.declaration import Names
from agent.records import Ref
from connectors.conformance.desk import Claim, Fault, Values
from connectors.conformance.suite import CLAIMS
from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator
from connectors.registry import declared

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/add-a-connector.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
APPLYING = [claim for claim in CLAIMS if "merges" not in claim.needs]
EMPTY = {
    "people": {},
    "companies": {},
    "version": 0,
    "journal": [],
    "owners": {
        "1": {"email": "Ada@example.com", "name": "Ada", "active": True},
        "2": {"email": "bob@example.com", "name": "Bob", "active": False},
    },
}


def files_of_the_page() -> dict[str, str]:
    """{path: the blocks with this name, one after the other}."""
    found: dict[str, str] = {}
    for _, name, text in BLOCK.findall(PAGE):
        if name:
            found[name] = f"{found[name]}\n{text}" if name in found else text
    return found


FILES = files_of_the_page()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package as pip would have installed it, entry point included; the connector's module."""
    folder = tmp_path_factory.mktemp("site-packages")
    (folder / "book").mkdir()
    for name in ("book/__init__.py", "book/connector.py"):
        (folder / name).write_text(FILES[name], encoding="utf-8")
    described = folder / "book-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: book\nVersion: 1.0\n", encoding="utf-8")
    named = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", FILES["pyproject.toml"]).replace('"', "")
    (described / "entry_points.txt").write_text(named, encoding="utf-8")
    sys.path.insert(0, str(folder))
    declared.cache_clear()
    yield importlib.import_module("book.connector")
    sys.path.remove(str(folder))
    declared.cache_clear()
    for name in ("book", "book.connector"):
        sys.modules.pop(name, None)


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def enter(self) -> None:
        self.count += 1

    def told(self, allowance: Allowance) -> None: ...


class BookHands:
    """People write into the same file; the file system is what goes wrong."""

    names = Names("people", "email", "first", "last", "title", "truce_key", "companies", "name")
    secrets = ("p1@example.com",)

    def __init__(self, module: Any, file: Path, *, has_key: bool) -> None:
        self._module, self._file, self.has_key = module, file, has_key
        file.write_text(json.dumps(EMPTY), encoding="utf-8")
        self.clock = datetime(2026, 11, 2, 9, tzinfo=UTC)
        self.gate = Counter()
        self.connector = self._book(file)
        self.connector.use_gate(self.gate)

    def _book(self, file: Path) -> Any:
        return self._module.Book(file, key="truce_key" if self.has_key else None, clock=lambda: self.clock)

    def some(self, count: int) -> list[Ref]:
        return [Ref("book", "people", self.person_create("people", {"last": "Some"})) for _ in range(count)]

    def person_create(self, object_type: str, values: Values) -> str:
        with self._changed() as data:
            number = str(len(data[object_type]) + 1)
            data[object_type][number] = {"values": dict(values), **self._stamp(data)}
        return number

    def person_edit(self, record_id: str, values: Values) -> None:
        with self._changed() as data:
            row = data["people"][record_id]
            row["values"].update(values)
            row.update(self._stamp(data))

    def person_delete(self, record_id: str) -> None:
        with self._changed() as data:
            data["people"][record_id].update(self._stamp(data), deleted=True)

    def person_merge(self, survivor_id: str, loser_id: str) -> str:
        raise AssertionError("an address book knows no merges")

    def hide(self, field: str) -> None:
        with self._changed() as data:
            data["hidden"] = [field]

    def advance(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)

    def fail(self, fault: Fault, op: Op | Literal["read"], *, nth: int = 1) -> None:
        if op == "read":
            self._once("load", lambda load: _raise(ValueError() if fault == "html" else OSError()), nth)
        elif fault == "throttled":
            self._once("_locked", lambda locked: _raise(BlockingIOError()), nth)
        else:
            self._once("save", lambda save: self._lose(save, fault), nth)

    def _lose(self, save: Callable[[Any], None], fault: Fault) -> Callable[[Any], None]:
        def lost(data: Any) -> None:
            if fault == "drop_after":
                save(data)
            raise self._module.Lost

        return lost

    def _once(self, name: str, wrong: Callable[[Any], Any], nth: int) -> None:
        """The ``nth`` call of this method goes wrong, and no other."""
        left = [nth]

        def call(*given: Any) -> Any:
            left[0] -= 1
            if left[0] > 0:
                return right(*given)
            delattr(self.connector, name)
            return wrong(right)(*given)

        if name in vars(self.connector):
            delattr(self.connector, name)
        right = getattr(self.connector, name)
        setattr(self.connector, name, call)

    def requests(self) -> int:
        return self.gate.count

    def api_changes(self) -> list[tuple[str, str]]:
        return [(op, number) for op, number in json.loads(self._file.read_text(encoding="utf-8"))["journal"]]

    def lock_out(self) -> None:
        self.connector.load = _raise(PermissionError())

    def unplugged(self) -> Connector:
        found: Connector = self._book(self._file.parent / "nowhere" / "book.json")
        return found

    @contextmanager
    def _changed(self) -> Iterator[Any]:
        data = json.loads(self._file.read_text(encoding="utf-8"))
        yield data
        self._file.write_text(json.dumps(data), encoding="utf-8")

    def _stamp(self, data: Any) -> dict[str, Any]:
        data["version"] += 1
        return {"version": data["version"], "changed": self.clock.isoformat()}


def _raise(error: Exception) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        raise error

    return call


@pytest.fixture(params=["with key", "without key"])
def hands(request: pytest.FixtureRequest, installed: Any, tmp_path: Path) -> BookHands:
    return BookHands(installed, tmp_path / "book.json", has_key=request.param == "with key")


@pytest.mark.parametrize("claim", APPLYING, ids=lambda claim: claim.name.replace(" ", "-"))
def test_the_connector_of_the_page_keeps_every_sentence_of_the_port(claim: Claim, hands: BookHands) -> None:
    shown: dict[str, Any] = {}
    exec(next(text for kind, name, text in BLOCK.findall(PAGE) if kind == "python" and not name), shown)
    shown["test_claim"](claim, hands)


def test_every_claim_leads_to_a_heading_of_the_page() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", PAGE, re.M)
    }
    assert {claim.line.partition("#")[2] for claim in CLAIMS} <= anchors


def test_it_is_found_set_up_and_kept_in_agreement(
    installed: Any, emulator: Emulator, admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from agent.cli import truce
    from agent.cli.advice import run_with_advice

    emulator.renew(Options(clock="real"))
    admin.post("/settings", system="hubspot", name="visible_delay_seconds", value=0.0)
    monkeypatch.setenv("SUDO_USER", "anna")
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(emulator.credentials["hubspot"]["token"], encoding="utf-8")
    hubspot = {"token": "file:token", "base_url": emulator.hubspot_url}
    config = {"hubspot": hubspot, "people": {"anna": "anna@example.com"}, **yaml.safe_load(FILES["config.yaml"])}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/people.yaml").write_text(FILES["policies/people.yaml"], encoding="utf-8")
    hands = BookHands(installed, tmp_path / "book.json", has_key=True)
    hands.clock = datetime.now(UTC)
    hands.person_create("people", {"email": "ada@book.example", "title": "Countess"})
    for email in ("ada@book.example", "eve@book.example"):
        admin.post("/create", system="hubspot", object="contacts", values={"email": email})

    def run(*words: str) -> Any:
        with CliRunner().isolation() as (out, err, _):
            code = run_with_advice(truce, ["-c", str(tmp_path / "config.yaml"), *words])
            assert code == 0, (out.getvalue().decode(), err.getvalue().decode())
            return out.getvalue().decode()

    assert "book people link key: truce_key" in run("doctor")
    run("plan")
    run("pair", "accept", "person")
    assert json.loads(run("plan", "--json"))["changes"] == 2
    run("apply", "P-2", "--confirm", "2")
    book = json.loads((tmp_path / "book.json").read_text(encoding="utf-8"))
    assert [row["values"]["email"] for row in book["people"].values()] == ["ada@book.example", "eve@book.example"]
    contacts = admin.get("/snapshot?only=values")["hubspot"]["contacts"].values()
    assert {each["email"]: each.get("jobtitle") for each in contacts}["ada@book.example"] == "Countess"
    run("rollback", "B-1", "--apply")
    book = json.loads((tmp_path / "book.json").read_text(encoding="utf-8"))
    assert book["people"]["2"]["deleted"]
