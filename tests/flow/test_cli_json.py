"""What every command prints with ``--json`` is what docs/schemas says. One story, told once, uses them all."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from terminal import Terminal, terminal_at

from agent.policy_files import shipped
from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

pytestmark = pytest.mark.timeout(900)
"""The story is told once, before the first test: on a busy machine longer than one test may take."""

ROOT = Path(__file__).parents[2]
SCHEMAS = {path.stem: path for path in sorted((ROOT / "docs" / "schemas").glob("*.json"))}
OF_FILES = {"policy"}
"""Schemas that describe a file, not the output of a command."""

Documents = dict[str, list[Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    """{schema: documents of real commands}."""
    documents: Documents = {}
    with Emulator.start(Options(contacts=120, companies=30, seed=3)) as emulator:
        terminal = terminal_at(emulator, tmp_path_factory.mktemp("company"))
        _begin(Terminal(tmp_path_factory.mktemp("new") / "config.yaml"), documents)
        _examine(terminal, documents)
        _meet(terminal, documents, Admin(emulator.admin_url))
        _look_and_write(terminal, documents)
        _people_decide(terminal, documents)
        _opt_in(terminal, documents, emulator)
        _undo(terminal, documents)
        _lose_and_put_back(terminal, documents)
        _go_wrong(terminal, documents)
    _practice(tmp_path_factory.mktemp("practice"), documents)
    return documents


def note(documents: Documents, name: str, document: Any) -> Any:
    documents.setdefault(name, []).append(document)
    return document


def _begin(terminal: Terminal, documents: Documents) -> None:
    words = ("--email", "me@company.example", "--salesforce-domain", "acme.my", "--secrets", "file")
    note(documents, "init", terminal.json("init", *words))
    note(documents, "secrets-set", terminal.json("secrets", "set", typed="not-a-secret\n" * 3))
    note(documents, "secrets-list", terminal.json("secrets", "list"))
    note(documents, "secrets-check", terminal.json("secrets", "check", "file:secrets/hubspot-token"))
    note(documents, "secrets-forget", terminal.json("secrets", "forget", "file:secrets/hubspot-token"))
    note(documents, "mode", terminal.json("mode"))
    note(documents, "test", terminal.json("test"))
    mapping = terminal.config.parent / "mapping.csv"
    mapping.write_text("hubspot,salesforce,rule\njobtitle,Title,Two-way\nlifecyclestage,Status,Two-way\n", "utf-8")
    made = terminal.json("policies", "from-native", str(mapping), "--responsible", "me@company.example")
    note(documents, "policies-from-native", made)


def _meet(terminal: Terminal, documents: Documents, admin: Admin) -> None:
    lists = str(terminal.config.parent / "lists")
    note(documents, "pair", terminal.json("pair", "--csv", lists))
    note(documents, "pair-accept", terminal.json("pair", "accept", "person"))
    alone = _alone(Path(lists), "hubspot:contacts"), _alone(Path(lists), "salesforce:Contact")
    note(documents, "pair-join", terminal.json("pair", "join", *alone))
    note(documents, "pair-split", terminal.json("pair", "split", alone[0]))
    note(documents, "pair-never", terminal.json("pair", "never", *alone))
    note(documents, "pair", terminal.json("pair", "--no-read"))
    groups = note(documents, "align", terminal.json("align", "--csv", lists))["groups"]
    first = groups[0]
    words = (first["policy"], first["field"], first["pattern"].replace(" ", "-"), "leave")
    note(documents, "align-decide", terminal.json("align", "decide", *words))
    note(documents, "align-suggested", terminal.json("align", "suggested"))
    admin.fault(action="bad_row", system="hubspot", route="*/batch/update")
    said = terminal("align", "apply", "--json")
    written = note(documents, "align-apply", said.document)
    assert (said.code, len(written["problems"])) == (3, written["failed"]), "what was refused is named"
    refused = note(documents, "retry", terminal.json("retry"))["failed"]
    assert refused
    note(documents, "retry", terminal.json("retry", refused[0]["batch"]))
    note(documents, "align", terminal.json("align"))


def _alone(lists: Path, place: str) -> str:
    """Somebody whom the report lists as known in one CRM only."""
    with (lists / "person-one-side.csv").open(encoding="utf-8-sig", newline="") as file:
        return next(row["record"] for row in csv.DictReader(file) if row["record"].startswith(place))


def _examine(terminal: Terminal, documents: Documents) -> None:
    note(documents, "conformance", terminal.json("conformance", "--system", "salesforce"))


def _look_and_write(terminal: Terminal, documents: Documents) -> None:
    note(documents, "doctor", terminal.json("doctor"))
    note(documents, "check", terminal.json("check"))
    note(documents, "check", terminal.json("check", "--explain"))
    examples = terminal.folder / "policies" / "examples"
    examples.mkdir()
    (examples / "company-duplicates.yaml").write_text(
        shipped.texts(shipped.EXAMPLES)["company-duplicates.yaml"], encoding="utf-8"
    )
    note(documents, "test", terminal.json("test"))
    plan = note(documents, "plan", terminal.json("plan"))
    note(documents, "apply", terminal.json("apply", plan["plan"]))
    note(documents, "batches", terminal.json("batches"))
    note(documents, "run", terminal.json("run", "--once"))
    for command in ("status", "today", "week", "review"):
        note(documents, command, terminal.json(command))
    note(documents, "ledger-verify", terminal.json("ledger", "verify"))


def _people_decide(terminal: Terminal, documents: Documents) -> None:
    held = [batch for batch in terminal.json("batches", "--waiting")["batches"] if "restored" not in batch["title"]]
    small, large = sorted(held, key=lambda batch: sum(batch["counts"].values()))[:2]
    note(documents, "reject", terminal.json("reject", small["batch"], "--reason", "not now"))
    count = str(sum(large["counts"].values()))
    note(documents, "approve", terminal.json("approve", large["batch"], "--count", count, "--reason", "seen"))
    question = terminal.json("review")["reviews"][0]
    note(documents, "review", terminal.json("review", question["review"], "--answer", "keep both"))
    group = next(each for each in terminal.json("review")["groups"] if each["kind"] == "duplicate")
    words = ("--kind", "duplicate", "--line", group["line"], "--count", str(group["count"]), "--answer", "never")
    note(documents, "review", terminal.json("review", *words))
    note(documents, "pause", terminal.json("pause", "person-basics", "--reason", "holidays"))
    note(documents, "resume", terminal.json("resume", "person-basics"))
    _watch(terminal, documents)
    note(documents, "mode", terminal.json("mode", "act"))
    note(documents, "go-live", terminal.json("go-live", "person-basics", "--yes"))


def _opt_in(terminal: Terminal, documents: Documents, emulator: Emulator) -> None:
    """Somebody who is opted out said yes again."""
    contacts = emulator.world.spaces["salesforce"].tables["Contact"].values()
    address = next(row.values["Email"] for row in contacts if row.values.get("HasOptedOutOfEmail"))
    evidence = ("--source", "form 12", "--at", "0 minutes ago", "--actor", "kim")
    note(documents, "consent-conflicts", terminal.json("consent", "conflicts"))
    asked = note(documents, "consent-opt-in", terminal.json("consent", "opt-in", address, *evidence))
    note(documents, "show", terminal.json("show", asked["batch"]))
    note(documents, "batches", terminal.json("batches", "--waiting"))


def _watch(terminal: Terminal, documents: Documents) -> None:
    """Everything only watches for a cycle, in which it would have written."""
    note(documents, "mode", terminal.json("mode", "watch"))
    note(documents, "run", terminal.json("run", "--once"))
    note(documents, "watched", terminal.json("watched"))
    note(documents, "watched", terminal.json("watched", "person-basics", "--since", "1 hour ago"))
    note(documents, "cutover", terminal.json("cutover"))
    note(documents, "cutover", terminal.json("cutover", "person"))
    note(documents, "cutover", terminal.json("cutover", "person", "--back"))


def _undo(terminal: Terminal, documents: Documents) -> None:
    batch = next(batch for batch in terminal.json("batches")["batches"] if batch["state"] == "done")["batch"]
    shown = note(documents, "show", terminal.json("show", batch))
    record = shown["entries"][0]["record"]
    field = shown["entries"][0]["cells"][0]["field"]
    note(documents, "timeline", terminal.json("timeline", record))
    note(documents, "why", terminal.json("why", record))
    note(documents, "why", terminal.json("why", record, field))
    note(documents, "rollback", terminal.json("rollback", batch))
    note(documents, "rollback", terminal("rollback", batch, "--apply", "--json").document)
    note(documents, "status", terminal.json("status"))
    note(documents, "today", terminal.json("today", "--hours", "1"))
    note(documents, "freeze", terminal.json("freeze", record, field))
    note(documents, "week", terminal.json("week", "--html", str(terminal.folder / "week.html")))
    note(documents, "freeze", terminal.json("freeze", record, field, "--lift"))
    note(documents, "forget", terminal.json("forget", record))
    note(documents, "forget", terminal.json("forget", record, "--apply"))


def _lose_and_put_back(terminal: Terminal, documents: Documents) -> None:
    folder = terminal.folder / "copies"
    copy = note(documents, "ledger-backup", terminal.json("ledger", "backup", str(folder), "--keep", "3"))
    note(documents, "ledger-restore", terminal.json("ledger", "restore", copy["file"]))
    note(documents, "ledger-accept", terminal.json("ledger", "accept", "--yes"))


def _go_wrong(terminal: Terminal, documents: Documents) -> None:
    note(documents, "error", terminal("show", "B-999", "--json").document)
    note(documents, "error", terminal("batches", "--limit", "0", "--json").document)
    terminal.edit("policies/person-basics.yaml", "wins: salesforce", "wins: salesfroce")
    note(documents, "error", terminal("plan", "--json").document)
    note(documents, "check", terminal("check", "--json").document)


def _practice(folder: Path, documents: Documents) -> None:
    terminal = Terminal(folder / "config.yaml")
    demo = ("--folder", str(folder / "demo"))
    note(documents, "demo", terminal.json("demo", *demo, "--contacts", "500", "--companies", "100"))
    note(documents, "demo-stop", terminal.json("demo", "stop", *demo))
    _rehearse(folder, terminal, documents)
    command = [sys.executable, "-m", "agent", "emulator", "serve", "--contacts", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as emulator:
        assert emulator.stdout is not None
        note(documents, "emulator-serve", json.loads(emulator.stdout.readline()))
        emulator.send_signal(signal.SIGTERM)


def _rehearse(folder: Path, terminal: Terminal, documents: Documents) -> None:
    export, rehearsal = folder / "contacts.csv", str(folder / "rehearsal")
    export.write_text("Record ID,Email,Shoe size\n101,ada@acme.example,38\n", encoding="utf-8")
    words = ("emulator", "load", "--folder", rehearsal, "--hubspot", f"contacts={export}")
    note(documents, "emulator-load", terminal.json(*words))
    terminal.json("demo", "stop", "--folder", rehearsal)


@pytest.mark.parametrize("name", sorted(set(SCHEMAS) - OF_FILES))
def test_what_a_command_prints_is_what_its_schema_says(name: str, told: Documents) -> None:
    schema = json.loads(SCHEMAS[name].read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert told[name]
    for document in told[name]:
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)


def test_the_demo_tells_all_five_acts(told: Documents) -> None:
    acts = told["demo"][0]["acts"]
    assert [act["act"] for act in acts] == [1, 2, 3, 4, 5]
    assert all(act["lines"] for act in acts)
    assert "three more cycles: 0 writes · ledger unaltered" in acts[-1]["lines"][-1]
