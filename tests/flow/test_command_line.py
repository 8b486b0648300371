"""The command line over the whole job: plan, apply, show, why, undo; what it prints and how it exits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from flow_stage import SCHEMAS, Stage, limits_policy, person_policy
from jsonschema import validate

from agent.cli import truce
from agent.cli.advice import run_with_advice
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

Said = tuple[int, str]
Run = Callable[..., Said]


@pytest.fixture
def here(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage on the clock of this computer, with a config file; the person at the keyboard is Anna."""
    emulator.renew(Options(clock="real"))
    stage = Stage(emulator, tmp_path)
    write_config(stage)
    monkeypatch.setenv("SUDO_USER", "anna")
    return stage


@pytest.fixture
def run(here: Stage, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*words: str) -> Said:
        code = run_with_advice(truce, ["-c", str(here.folder / "config.yaml"), *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return command


def write_config(stage: Stage) -> None:
    credentials = stage.emulator.credentials
    config = stage.config
    secrets = {
        "client-id": credentials["salesforce"]["client_id"],
        "client-secret": credentials["salesforce"]["client_secret"],
        "token": credentials["hubspot"]["token"],
    }
    for name, value in secrets.items():
        path = stage.folder / name
        path.touch(mode=0o600)
        path.write_text(value, encoding="utf-8")
    document = {
        "salesforce": {
            "domain": "practice.my",
            "client_id": f"file:{stage.folder / 'client-id'}",
            "client_secret": f"file:{stage.folder / 'client-secret'}",
            "base_url": config.salesforce.base_url,
            "link_keys": config.salesforce.link_keys,
        },
        "hubspot": {
            "token": f"file:{stage.folder / 'token'}",
            "base_url": config.hubspot.base_url,
            "link_keys": config.hubspot.link_keys,
        },
        "run": {"mode": "act"},
        "people": dict(config.people),
    }
    (stage.folder / "config.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def as_json(said: Said, schema: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(said[1])
    validate(document, json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8")))
    return document


def test_from_the_plan_to_the_undo(here: Stage, run: Run) -> None:
    ada = here.pair({"Title": "CEO", "FirstName": "Ada"}, {"jobtitle": "Boss", "firstname": "Ada"})
    code, said = run("plan")
    assert (code, "P-1: 1 changes" in said, "next   truce apply P-1" in said) == (0, True, True)
    assert run("show", "P-1") == (0, said.replace("1 people looked at", "0"))
    code, said = run("apply", "P-1")
    assert (code, said.startswith("B-1: 1 written")) == (0, True)
    code, said = run("batches")
    assert (code, "B-1" in said, "anna" in said) == (0, True, True)
    code, said = run("show", "B-1")
    assert (code, "“Boss” → “CEO”" in said, "undo    truce rollback B-1" in said) == (0, True, True)
    code, said = run("why", "p1@acme.example", "job_title")
    assert (code, "“Boss” → “CEO” ← B-1 ← person.yaml:15" in said) == (0, True)
    mark = here.mark()
    code, said = run("rollback", "B-1")
    assert (code, "Undo of B-1: restore 1" in said, "next   truce rollback B-1 --apply" in said) == (0, True, True)
    since = "2 days ago"
    said = run("rollback", "--policy", "person-basics", "--record", str(ada.hub), "--since", since)[1]
    head = next(line for line in said.splitlines() if line.startswith("Undo of "))
    assert "since" in head, "every word of what is undone"
    assert "…" not in head
    assert here.written(mark) == []
    assert run("rollback", "B-1", "--apply")[0] == 0
    assert here.value(ada.hub, "jobtitle") == "Boss"
    assert "undone by B-2" in run("show", "B-1")[1]
    assert "Everything is back already" in run("rollback", "B-1", "--apply")[1]


def test_every_document_has_the_shape_that_is_promised(here: Stage, run: Run) -> None:
    here.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    as_json(run("plan", "--json"), "plan")
    as_json(run("apply", "P-1", "--json"), "apply")
    as_json(run("batches", "--json"), "batches")
    as_json(run("show", "B-1", "--json"), "show")
    as_json(run("show", "P-1", "--json"), "plan")
    as_json(run("why", "p1@acme.example", "--json"), "why")
    as_json(run("rollback", "B-1", "--json"), "rollback")
    as_json(run("rollback", "B-1", "--apply", "--json"), "rollback")
    as_json(run("rollback", "B-9", "--json"), "error")


def test_an_undo_that_keeps_an_edit_exits_3_and_says_whose(here: Stage, run: Run) -> None:
    ada = here.pair({"Title": "CEO", "FirstName": "Ada"}, {"jobtitle": "Boss", "firstname": "Ada"})
    run("plan")
    run("apply", "P-1")
    here.edit(ada.hub, "kim", jobtitle="Chief")
    code, said = run("rollback", "B-1", "--apply")
    assert code == 3
    assert f"now “Chief” by Kim Tran; to undo it too: --overwrite {ada.hub}:job_title" in said
    code, said = run("rollback", "B-1", "--overwrite", f"{ada.hub}:job_title", "--apply")
    assert (code, here.value(ada.hub, "jobtitle")) == (0, "Boss")


def test_a_group_is_previewed_in_words_with_the_command_that_writes_it(here: Stage, run: Run) -> None:
    here.pair({"Title": "CEO", "MailingCity": "Bonn"}, {"jobtitle": "Boss", "city": "Berlin"})
    run("plan")
    run("apply", "P-1")
    code, said = run("rollback", "--policy", "person-basics", "--since", "1 day ago", "--field", "city")
    assert code == 0
    assert "Undo of person-basics since " in said
    assert "from batches B-1" in said
    assert 'truce rollback --policy person-basics --since "1 day ago" --field city --apply' in said


def test_batches_are_listed_in_groups_and_each_says_how_to_undo_it(here: Stage, run: Run) -> None:
    here.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    run("plan")
    run("apply", "P-1")
    revision = as_json(run("plan", "--json"), "plan")["revision"]
    undos = {
        "plan": "truce rollback B-1",
        "policy": 'truce rollback --policy person-basics --since "',
        "revision": f"truce rollback --revision {revision[:8]}",
        "hour": "truce rollback B-1",
    }
    for by, undo in undos.items():
        (group,) = as_json(run("batches", "--by", by, "--json"), "batches")["groups"]
        assert (group["written"], group["batches"], group["undo"].startswith(undo)) == (1, ["B-1"], True)
    code, said = run("batches", "--by", "policy")
    assert (code, said.startswith("person-basics  1 change in B-1")) == (0, True)


def test_codes_tell_what_happened(here: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    here.write_policies(limits=limits_policy(batch="{records: 1}"))
    here.pairs(2, {"Title": "CEO"}, {"jobtitle": "Boss"})
    assert run("plan", "--detailed-exitcode")[0] == 20
    code, said = run("apply", "P-1")
    assert (code, "next   truce approve B-1 --count 2" in said) == (4, True)
    assert run("approve", "B-1", "--count", "3")[0] == 6
    monkeypatch.setenv("SUDO_USER", "stranger")
    code, said = run("approve", "B-1", "--count", "2")
    assert (code, "not mapped to a person" in said) == (4, True)
    assert run("reject", "B-1")[0] == 4
    monkeypatch.setenv("SUDO_USER", "anna")
    assert run("approve", "B-1", "--count", "2")[0] == 0
    assert run("apply", "P-1", "--confirm", "2")[0] == 6
    assert run("rollback")[0] == 2
    assert run("rollback", "B-9")[0] == 2
    assert run("rollback", "--since", "someday")[0] == 2
    assert run("freeze", "nobody", "job_title")[0] == 2
    assert run("pause", "no-such-policy")[0] == 2


def test_a_policy_is_paused_and_resumed(here: Stage, run: Run) -> None:
    here.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    assert run("pause", "person-basics")[0] == 0
    assert "watched 1" in run("plan")[1]
    assert run("resume", "person-basics")[0] == 0
    assert "P-2: 1 changes" in run("plan")[1]


def test_a_field_is_frozen_and_lifted(here: Stage, run: Run) -> None:
    ada = here.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    run("plan")
    assert run("freeze", "p1@acme.example", "job_title", "--reason", "hers")[0] == 0
    assert "nothing to write" in run("plan")[1]
    assert "frozen" in run("why", str(ada.hub), "job_title")[1]
    assert run("freeze", "p1@acme.example", "job_title", "--lift")[0] == 0
    assert "1 changes" in run("plan")[1]


def test_a_question_is_listed_and_answered(here: Stage, run: Run) -> None:
    fields = "  email: {salesforce: Email, hubspot: email, wins: salesforce, clean: email}\n"
    fields += "  job_title: {salesforce: Title, hubspot: jobtitle, wins: ask}\n"
    here.write_policies(person=person_policy(fields=fields))
    here.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    run("plan")
    code, said = run("review")
    assert (code, "R-1" in said, "job_title" in said) == (0, True, True)
    assert run("review", "R-1", "--answer", "keep both")[0] == 0
    assert "Nothing waits" in run("review")[1]
