"""The daemon as a process: one writer, signals, kill -9, and what people see of it from another terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from daemon_stage import BROKEN, BROKEN_LINE, POLICY, Home, Running

from agent.lock import find_holder
from connectors.emulator.serve import Emulator

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/status.json").read_text(encoding="utf-8"))


@pytest.fixture
def home(tmp_path: Path, emulator: Emulator) -> Iterator[Home]:
    home = Home(tmp_path, emulator)
    yield home
    home.close()


@pytest.fixture
def live(home: Home) -> Home:
    """Three people with different titles, and a policy that may act."""
    home.go_live()
    home.people(3)
    return home


def titles(home: Home) -> list[str]:
    rows = home.admin.get("/snapshot?only=values")["hubspot"]["contacts"].values()
    return sorted(row["jobtitle"] for row in rows)


def wait_for_fault(home: Home) -> None:
    """Until the planned fault has met its request."""
    while not home.admin.get("/faults")[0]["fired"]:
        os.sched_yield()


def test_a_daemon_makes_both_crms_agree_and_stops_with_code_0_on_sigterm(live: Home) -> None:
    daemon = live.daemon()
    assert daemon.log[-1]["written"] == 3
    assert daemon.stop() == 0
    assert [line["event"] for line in daemon.log][-2:] == ["stopping", "stopped"]
    assert live.json("status")["state"] == "stopped"


def test_ctrl_c_stops_it_with_code_0_too(home: Home) -> None:
    daemon = home.daemon()
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0


def test_a_second_daemon_is_refused_and_told_who_the_first_is(home: Home) -> None:
    daemon = home.daemon()
    second = home.truce("run")
    assert second.code == 11
    assert f"pid {daemon.pid}" in second.err
    assert "truce run" in second.err
    assert daemon.stop() == 0


def test_a_daemon_killed_dead_leaves_a_lock_that_the_next_one_takes(live: Home) -> None:
    first = live.daemon()
    first.kill()
    assert live.json("status")["state"] == "ended unexpectedly"
    second = live.daemon()
    assert live.json("status")["daemon"]["pid"] == second.pid
    assert second.stop() == 0


def test_a_lock_file_naming_a_process_that_is_now_somebody_else_holds_nobody_up(home: Home) -> None:
    home.daemon().kill()
    lock = home.folder / "state/writer.lock"
    lock.write_text(json.dumps({"pid": os.getpid(), "command": "truce run"}), encoding="utf-8")
    assert find_holder(lock) is None
    assert home.truce("pause", "person-basics").code == 0
    assert home.daemon().stop() == 0


def test_sigterm_in_the_middle_of_a_batch_leaves_nothing_unknown(home: Home) -> None:
    home.go_live()
    home.people(150)
    home.emulator.world.clock.advance(1200)
    home.admin.fault(system="hubspot", method="POST", route="*batch/update", action="delay", delay_seconds=0.5)
    daemon = Running(home)
    daemon.wait_for("ready")
    wait_for_fault(home)
    assert daemon.stop() == 0
    status = home.json("status")
    assert status["open_entries"] == 0
    assert home.daemon().stop() == 0
    assert set(titles(home)) == {"CEO"}


def test_a_second_ctrl_c_does_not_wait_for_an_answer(live: Home) -> None:
    live.admin.fault(system="hubspot", method="POST", route="*search", action="delay", delay_seconds=50)
    daemon = Running(live)
    wait_for_fault(live)
    daemon.signal(signal.SIGINT)
    daemon.wait_for("stopping")
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 130
    assert daemon.log[-1]["event"] == "stopped at once"
    live.admin.delete("/faults")
    assert live.daemon().stop() == 0
    assert titles(live) == ["CEO"] * 3


def test_status_names_the_broken_line_and_the_way_back_while_the_old_set_goes_on(live: Home) -> None:
    daemon = live.daemon()
    live.write_policy(BROKEN)
    told = daemon.wait_for("policies not taken over; the last good set stays in force")
    assert told["problems"][0].startswith(f"person.yaml:{BROKEN_LINE}:")
    shown = live.truce("status").out
    assert f"person.yaml:{BROKEN_LINE}:" in shown
    assert "truce check" in shown
    live.write_policy(POLICY + "# a remark\n")
    daemon.wait_for("policies are sound again")
    assert "not taken over" not in live.truce("status").out
    assert daemon.stop() == 0


def test_sighup_reads_the_policies_at_once(live: Home) -> None:
    daemon = live.daemon()
    live.write_policy(POLICY.replace("Both CRMs agree", "Titles agree"))
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("asked to read the policies again")
    daemon.wait_for("policies changed")
    assert daemon.stop() == 0


def test_a_changed_config_is_named_and_needs_a_restart(home: Home) -> None:
    daemon = home.daemon()
    home.config.write_text(home.config.read_text() + "# changed\n", encoding="utf-8")
    assert "restart" in daemon.wait_for("the config file changed")["next"]
    assert "restart" in home.truce("status").out
    assert daemon.stop() == 0


def test_status_fits_its_schema_before_beside_and_after_a_daemon(live: Home) -> None:
    documents = [live.json("status")]
    daemon = live.daemon()
    live.write_policy(BROKEN)
    daemon.wait_for("policies not taken over; the last good set stays in force")
    documents.append(live.json("status"))
    daemon.stop()
    documents.append(live.json("status"))
    for document in documents:
        jsonschema.validate(document, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert [document["state"] for document in documents] == ["none", "waiting", "stopped"]


def test_status_shows_what_else_of_the_day_is_left_after_the_first_comparison(live: Home) -> None:
    assert live.json("status")["allowances"] == []
    daemon = live.daemon()
    daemon.stop()
    [told] = live.json("status")["allowances"]
    assert (told["system"], told["allowed"]["bulk batches"]) == ("salesforce", {"limit": 15_000, "used_by_all": 0})
    assert "0 of 15,000 bulk batches" in live.truce("status").out


def test_a_vendor_that_is_down_is_seen_in_status(live: Home) -> None:
    live.admin.fault(system="hubspot", action="status", status=503, times="always")
    daemon = Running(live)
    daemon.wait_for("cycle stopped", system="hubspot")
    document = live.json("status")
    assert document["state"] == "pausing"
    assert document["daemon"]["breaker"]["system"] == "hubspot"
    assert "Trouble" in live.truce("status").out
    live.admin.delete("/faults")
    daemon.wait_for("cycle")
    assert titles(live) == ["CEO"] * 3
    assert daemon.stop() == 0


def test_the_daemon_starts_with_the_last_good_set_when_the_files_are_broken(live: Home) -> None:
    live.write_policy(BROKEN)
    daemon = live.daemon()
    assert titles(live) == ["CEO"] * 3
    assert live.json("status")["policy_trouble"]["problems"][0]["line"] == BROKEN_LINE
    assert daemon.stop() == 0


def test_without_a_daemon_an_undo_works_under_broken_policies_and_a_plan_does_not(live: Home) -> None:
    assert live.truce("run", "--once").code == 0
    live.write_policy(BROKEN)
    assert live.truce("plan").code == 2
    (batch,) = live.json("batches")["batches"]
    assert live.truce("rollback", batch["batch"], "--apply").code == 0
    assert titles(live) == ["boss"] * 3


def test_the_log_is_one_json_object_a_line_without_secrets_and_people(live: Home) -> None:
    process = live.start("run", "--verbose")
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if json.loads(line)["event"] == "cycle":
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    text = "".join(lines)
    given = live.emulator.credentials
    for secret in (given["salesforce"]["client_secret"], given["salesforce"]["client_id"], given["hubspot"]["token"]):
        assert secret not in text
    for value in ("@example.com", "CEO", "boss"):
        assert value not in text
    assert all({"event", "level", "timestamp"} <= json.loads(line).keys() for line in lines)


def test_a_log_file_is_private_and_nothing_goes_to_stderr(home: Home) -> None:
    path = home.folder / "logs" / "truce.log"
    process = home.start("run", "--log-file", str(path))
    while not (path.exists() and '"cycle"' in path.read_text(encoding="utf-8")):
        os.sched_yield()
    assert path.stat().st_mode & 0o077 == 0
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")


def test_a_terminal_gets_readable_lines(home: Home) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*home.words, "run"], stderr=theirs, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True
    )
    os.close(theirs)
    text = ""
    while "cycle" not in text:
        text += os.read(ours, 4096).decode()
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    os.close(ours)
    assert "started" in text
    assert '{"' not in text


def test_run_once_is_one_cycle_with_its_own_exit_codes(live: Home) -> None:
    done = live.json("run", "--once")
    assert done["written"] == 3
    live.admin.fault(system="salesforce", action="status", status=503, times="always")
    assert live.truce("run", "--once").code == 14
