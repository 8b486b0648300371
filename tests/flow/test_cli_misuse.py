"""Whatever a person does wrong, or a computer: advice with one next step and the right exit code, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from terminal import Said, Terminal, terminal_at

from agent.lock import WriterLock
from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

TRUCE = (sys.executable, "-m", "agent")


@pytest.fixture
def company(emulator: Emulator, tmp_path: Path) -> Terminal:
    emulator.renew(Options(contacts=60, companies=20, seed=3))
    return terminal_at(emulator, tmp_path)


@pytest.fixture
def written(company: Terminal) -> Terminal:
    """The same, with a plan made and applied."""
    company("apply", company.json("plan")["plan"])
    return company


def is_advice(said: Said, code: int) -> bool:
    return said.code == code and "  next   " in said.err and "Traceback" not in said.text


def started(terminal: Terminal, *words: str, **environment: str) -> subprocess.Popen[bytes]:
    """A ``truce`` of its own, as a shell starts it."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.Popen(
        [*TRUCE, "-c", str(terminal.config), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=kept | environment,
    )


def ended(process: subprocess.Popen[bytes]) -> Said:
    out, err = process.communicate(timeout=60)
    return Said(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


class TestNames:
    @pytest.mark.parametrize(
        "words",
        [
            ("show", "B-99"),
            ("show", "99"),
            ("apply", "P-99"),
            ("apply", "B-1"),
            ("approve", "B-99", "--count", "1"),
            ("reject", "B-99"),
            ("rollback", "B-99"),
            ("review", "R-99"),
            ("review", "R-99", "--answer", "yes"),
            ("review", "--answer", "yes"),
            ("review", "R-1", "--answer", " "),
            ("plan", "--policy", "no-such-policy"),
            ("pause", "no-such-policy"),
            ("resume", "no-such-policy"),
            ("go-live", "no-such-policy", "--yes"),
            ("freeze", "nonsense", "job_title"),
            ("freeze", "salesforce:Contact/0035g000000000AAAA", "job_title"),
            ("why", "nobody@nowhere.example"),
            ("why", "salesforce:Contact/"),
            ("why", ""),
            ("check", "no-such-folder", "--offline"),
        ],
        ids=" ".join,
    )
    def test_what_does_not_exist_is_named_with_what_to_do(self, words: tuple[str, ...], written: Terminal) -> None:
        assert is_advice(written(*words), 2)

    @pytest.mark.parametrize(
        ("words", "meant"),
        [
            (("go-live", "person-basic", "--yes"), "`person-basics`"),
            (("go-live", "person-basic"), "`person-basics`"),
            (("plan", "--policy", "person-basic"), "`person-basics`"),
            (("pause", "person-basic"), "`person-basics`"),
            (("rollback", "--policy", "person-basic"), "`person-basics`"),
            (("batches", "--by", "polcy"), "'policy'"),
            (("mode", "actt"), "'act'"),
            (("review", "--kind", "duplicat"), "'duplicate'"),
        ],
        ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
    )
    def test_a_mistyped_name_is_answered_with_the_one_that_was_meant(
        self, words: tuple[str, ...], meant: str, written: Terminal
    ) -> None:
        said = written(*words)
        assert (said.code, said.out) == (2, "")
        assert f"Did you mean {meant}?" in said.err

    def test_a_typo_in_a_command_is_understood(self, company: Terminal) -> None:
        said = company("batchs")
        assert said.code == 2
        assert "Did you mean 'batches'?" in said.err

    def test_a_name_cannot_forge_a_line(self, written: Terminal) -> None:
        said = written("why", "x\n  next   truce rollback B-1 --apply\x1b[2J")
        assert said.code == 2
        assert "\x1b" not in said.err
        assert "\n  next   truce rollback" not in said.err

    def test_what_only_waits_is_in_no_group_of_what_was_written(self, written: Terminal) -> None:
        assert is_advice(written("batches", "--waiting", "--by", "policy"), 2)

    def test_an_undo_alone_is_no_group_and_is_not_nothing(self, written: Terminal) -> None:
        newest = written.json("batches", "--limit", "1")["batches"][0]
        said = written("batches", "--by", "hour", "--limit", "1")
        assert ("newest batch wrote nothing" in said.out) == (newest["kind"] == "rollback" or newest["state"] == "held")
        assert "Nothing was written yet" not in said.out

    def test_the_wrong_count_approves_nothing(self, written: Terminal, admin: Admin) -> None:
        before = len(admin.audit())
        held = written.json("batches", "--waiting")["batches"][0]
        said = written("approve", held["batch"], "--count", str(sum(held["counts"].values()) + 1))
        assert is_advice(said, 6)
        assert len(admin.audit()) == before


class TestFiles:
    def test_no_config(self, tmp_path: Path) -> None:
        said = Terminal(tmp_path / "config.yaml")("status")
        assert is_advice(said, 2)
        assert "truce init" in said.err

    def test_a_folder_instead_of_a_config(self, tmp_path: Path) -> None:
        assert is_advice(Terminal(tmp_path)("status"), 2)

    def test_a_config_that_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
        assert is_advice(Terminal(tmp_path / "config.yaml")("status"), 2)

    @pytest.mark.parametrize(
        "text", ["", "[]", "- x", "a: b\n---\nc: d\n", "state: [1, 2", "x: !!python/name:os.system\n"]
    )
    def test_a_config_that_is_none(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
        assert is_advice(Terminal(tmp_path / "config.yaml")("status"), 2)

    def test_a_typo_in_the_config_is_found_at_its_line(self, company: Terminal) -> None:
        company.edit("config.yaml", "every_seconds", "every_second")
        said = company("status")
        assert is_advice(said, 2)
        line = company.config.read_text(encoding="utf-8").splitlines().index("  every_second: 60") + 1
        assert f"config.yaml:{line}:3: run.every_second: this setting does not exist" in said.err
        assert "Did you mean `every_seconds`?" in said.err

    def test_every_mistake_in_the_config_is_told_at_once(self, company: Terminal) -> None:
        company.edit("config.yaml", "every_seconds", "every_second")
        company.edit("config.yaml", "mode: ask", "mode: go")
        company.edit("config.yaml", "domain:", "domian:")
        assert "The config file has 4 mistakes." in company("status").err

    def test_settings_that_are_no_list(self, company: Terminal) -> None:
        company.config.write_text("salesforce: 3\nhubspot: {token: 'env:X'}\n", encoding="utf-8")
        assert "salesforce: settings of its own belong here" in company("status").err

    def test_a_config_everybody_may_write_is_refused(self, company: Terminal) -> None:
        company.config.chmod(0o666)
        said = company("status")
        assert is_advice(said, 2)
        assert "chmod o-w" in said.err

    def test_a_config_others_may_read_holds_nothing_secret(self, company: Terminal) -> None:
        company.config.chmod(0o644)
        assert company("doctor").code == 0

    def test_a_state_folder_others_may_enter_is_refused(self, written: Terminal) -> None:
        (written.folder / "state").chmod(0o755)
        said = written("plan")
        assert is_advice(said, 2)
        assert "chmod 700" in said.err

    def test_a_file_where_the_state_folder_belongs(self, company: Terminal) -> None:
        (company.folder / "state").write_text("", encoding="utf-8")
        assert is_advice(company("plan"), 1)

    def test_no_policies_folder(self, company: Terminal) -> None:
        company.edit("config.yaml", "policies: policies", "policies: politics")
        assert is_advice(company("plan"), 2)

    def test_a_policies_folder_that_cannot_be_read(self, company: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("agent.policy_files.policy_files.os.access", lambda *_: False)
        said = company("check", "--offline")
        assert is_advice(said, 2)
        assert "The policies folder cannot be read." in said.err

    def test_a_typo_in_a_policy_is_found_at_its_line(self, company: Terminal) -> None:
        company.edit("policies/person-basics.yaml", "wins: salesforce", "wns: salesforce")
        said = company("plan")
        assert is_advice(said, 2)
        assert "unknown key `wns`" in said.err
        assert "Did you mean `wins`?" in said.err

    def test_a_broken_policy_keeps_nobody_from_looking_and_undoing(self, written: Terminal) -> None:
        batch = next(each for each in written.json("batches")["batches"] if each["state"] == "done")["batch"]
        written.edit("policies/person-basics.yaml", "wins: salesforce", "wns: salesforce")
        looking = (("status",), ("today",), ("batches",), ("show", batch), ("review",), ("ledger", "verify"))
        for words in (*looking, ("rollback", batch), ("pause", "company-basics"), ("mode", "watch")):
            assert (words, written(*words).code) == (words, 0)

    def test_a_policy_that_is_no_text(self, company: Terminal) -> None:
        (company.folder / "policies" / "noise.yaml").write_bytes(b"\xff\x00\xfe")
        assert is_advice(company("plan"), 2)


class TestVendors:
    def test_a_wrong_key(self, company: Terminal) -> None:
        company("secrets", "set", "file:secrets/hubspot-token", typed="not-a-token\n")
        said = company("plan")
        assert is_advice(said, 13)
        assert "not-a-token" not in said.text

    def test_a_missing_secret(self, company: Terminal) -> None:
        company("secrets", "forget", "file:secrets/hubspot-token")
        said = company("plan")
        assert is_advice(said, 2)
        assert "truce secrets set" in said.err

    @pytest.mark.parametrize("system", ["salesforce", "hubspot"])
    def test_a_vendor_that_is_down(self, system: str, company: Terminal, admin: Admin) -> None:
        admin.fault(id="down", system=system, times="always", action="status", status=503)
        assert is_advice(company("plan"), 14)

    def test_nobody_listens(self, company: Terminal) -> None:
        text = company.config.read_text(encoding="utf-8")
        port = text.split("127.0.0.1:")[1].split("\n")[0].split("/")[0]
        company.config.write_text(text.replace(port, "9"), encoding="utf-8")
        assert is_advice(company("plan"), 14)

    def test_a_portal_page_instead_of_an_answer(self, company: Terminal, admin: Admin) -> None:
        admin.fault(id="portal", system="hubspot", times="always", action="html_200")
        assert is_advice(company("plan"), 14)


class TestExitCodes:
    """One real case of each code of docs/errors.md that the others above do not show."""

    def test_3_when_something_moved_meanwhile(self, company: Terminal, admin: Admin) -> None:
        plan = company.json("plan")
        example = next(line["example"] for line in plan["lines"] if line["field"] == "job_title")
        system, _, rest = example["record"].partition(":")
        object_type, _, record_id = rest.partition("/")
        admin.post("/delete", system=system, object=object_type, id=record_id)
        said = company("apply", plan["plan"], "--confirm", str(plan["changes"]))
        assert said.code == 3
        assert "left alone, changed meanwhile" in said.out

    def test_4_when_the_login_is_nobody(self, written: Terminal) -> None:
        text = written.config.read_text(encoding="utf-8")
        written.config.write_text(text[: text.index("people:")], encoding="utf-8")
        assert is_advice(written("go-live", "person-basics", "--yes"), 4)

    def test_5_when_the_memory_is_an_older_one(self, written: Terminal) -> None:
        databases = [path for path in (written.folder / "state").iterdir() if ".db" in path.name]
        old = {path: path.read_bytes() for path in databases if not path.name.endswith(".memory")}
        written("reject", _held(written))
        for path, content in old.items():
            path.write_bytes(content)
        assert is_advice(written("plan"), 5)

    def test_6_when_the_policies_were_edited_after_the_plan(self, company: Terminal) -> None:
        plan = company.json("plan")["plan"]
        company.edit("policies/person-basics.yaml", "clean: phone US", "clean: phone DE")
        said = company("apply", plan)
        assert is_advice(said, 6)
        assert f"{plan} was made for other policies, so nothing was written" in said.err
        assert "a new plan shows what they want now" in said.err

    def test_6_when_a_plan_is_used_twice(self, company: Terminal) -> None:
        plan = company.json("plan")["plan"]
        company("apply", plan)
        assert is_advice(company("apply", plan), 6)

    def test_10_when_there_is_no_ledger(self, company: Terminal) -> None:
        said = company("status")
        assert is_advice(said, 10)
        assert "There is no ledger yet." in said.err

    def test_11_when_a_second_daemon_starts(self, company: Terminal) -> None:
        company("plan")
        with WriterLock.take(company.folder / "state" / "writer.lock", {"pid": 4711, "command": "truce run"}):
            said = company("run")
        assert is_advice(said, 11)
        assert "4711" in said.err

    def test_12_when_the_ledger_was_altered(self, written: Terminal) -> None:
        with sqlite3.connect(written.folder / "state" / "ledger.db") as connection:
            (name,) = connection.execute(
                "SELECT name FROM sqlite_master WHERE name = 'entries_never_change'"
            ).fetchone()
            connection.execute(f"DROP TRIGGER {name}")
            connection.execute("UPDATE entries SET entity = 'person-1' WHERE seq = (SELECT min(seq) FROM entries)")
        connection.close()
        assert is_advice(written("ledger", "verify"), 12)

    def test_12_when_the_ledger_is_no_database(self, written: Terminal) -> None:
        (written.folder / "state" / "ledger.db").write_bytes(b"not a database" * 100)
        assert is_advice(written("status"), 12)

    def test_20_when_a_plan_found_something(self, company: Terminal) -> None:
        assert company("plan", "--detailed-exitcode").code == 20

    def test_130_when_it_was_interrupted(self, company: Terminal, admin: Admin) -> None:
        admin.fault(id="slow", system="salesforce", times="always", action="delay", delay_seconds=20)
        with started(company, "plan") as process:
            while not admin.get("/faults")[0]["fired"]:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            said = ended(process)
        assert is_advice(said, 130)
        admin.delete("/faults")


class TestQuestions:
    def test_nothing_is_confirmed_by_nobody(self, company: Terminal) -> None:
        company("plan")
        said = company("go-live", "person-basics", typed="")
        assert is_advice(said, 2)
        assert "there is nobody to ask" in said.err.casefold()

    def test_json_is_one_document_even_for_wrong_usage(self, company: Terminal) -> None:
        said = company("batches", "--limit", "many", "--json")
        assert said.code == 2
        assert said.err == ""
        assert json.loads(said.out)["error"]["exit_code"] == 2


class TestTerminals:
    """Each ``truce`` here is a process of its own: what matters is what the shell around it gets."""

    def test_a_reader_that_stops_reading_is_no_error(self, written: Terminal) -> None:
        process = started(written, "show", _held(written), "--all")
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        said = process.communicate(timeout=60)[1]
        assert (process.returncode, said) == (0, b"")

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
    def test_a_terminal_that_cannot_show_everything(self, encoding: str, written: Terminal) -> None:
        said = ended(started(written, "today", PYTHONIOENCODING=encoding))
        assert (said.code, said.err) == (0, "")
        assert "Both CRMs" in said.out

    def test_a_computer_without_a_home(self, written: Terminal) -> None:
        process = started(written, "status", HOME="")
        assert ended(process).code == 0

    def test_no_colour_in_a_pipe(self, written: Terminal) -> None:
        for words in (("batches",), ("today",), ("plan",)):
            assert "\x1b" not in ended(started(written, *words)).text

    def test_a_narrow_terminal_gets_blocks_instead_of_a_table(self, written: Terminal) -> None:
        said = ended(started(written, "batches", COLUMNS="40"))
        assert said.code == 0
        assert said.out.startswith("batch B-")


class TestOurMistakes:
    @pytest.fixture
    def broken(self, written: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
        def fail(*_: Any) -> None:
            raise ValueError("Maria Lopez, +1 555 0100")

        monkeypatch.setattr("agent.reports.digest.digest", fail)
        return Terminal(written.config, expects_our_mistake=True)

    def test_are_said_to_be_ours_without_a_record_in_it(self, broken: Terminal) -> None:
        said = broken("today")
        assert is_advice(said, 1)
        assert "a mistake in Truce" in said.err
        assert "ValueError" in said.err
        assert "agent/cli/today.py" in said.err
        assert "Maria" not in said.err

    def test_show_where_they_happened_when_asked(self, broken: Terminal) -> None:
        said = broken("--traceback", "today")
        assert said.code == 1
        assert "Traceback" in said.err


def _held(terminal: Terminal) -> str:
    """The largest batch that waits."""
    waiting = terminal.json("batches", "--waiting")["batches"]
    return str(max(waiting, key=lambda batch: sum(batch["counts"].values()))["batch"])
