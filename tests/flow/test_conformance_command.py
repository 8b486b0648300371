"""``truce conformance``: an account that behaves as the emulator does, and one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal, terminal_at

from agent.conformance import examine_account
from agent.errors import LockHeld, Refused
from agent.wiring.opening import locked
from agent.wiring.settings import read_config
from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

EVERYTHING = {"may_write": True, "is_patient": True, "yes_production": False}


@pytest.fixture
def terminal(emulator: Emulator, tmp_path: Path) -> Terminal:
    emulator.renew(Options(clock="virtual", contacts=20, companies=5, seed=3))
    return terminal_at(emulator, tmp_path)


def examined(terminal: Terminal, admin: Admin, system: str, **more: Any) -> dict[str, Any]:
    """With writing and waiting, on the emulator's clock."""

    def advance(seconds: float) -> None:
        admin.post("/clock/advance", seconds=seconds)

    config = read_config(terminal.config)
    return examine_account(config, system, **{**EVERYTHING, **more}, said=lambda finding: None, sleep=advance)


def different(report: dict[str, Any]) -> list[dict[str, str]]:
    return [finding for finding in report["findings"] if finding["result"] == "different"]


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_without_leave_nothing_is_written_and_all_that_is_read_agrees(
    terminal: Terminal, admin: Admin, system: str
) -> None:
    mark = len(admin.audit())
    said = terminal("conformance", "--system", system)
    assert said.code == 0, said
    assert "different: 0 · could not be tried: " in said.out
    assert "not tried: it makes and changes records; --write tries it" in said.out
    assert len(admin.audit()) == mark
    assert terminal.json("conformance", "--system", system)["same"] >= 14


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_with_leave_it_makes_records_of_its_own_and_deletes_them_again(
    terminal: Terminal, admin: Admin, system: str
) -> None:
    before = admin.get("/snapshot?only=values")[system]
    report = examined(terminal, admin, system)
    assert different(report) == []
    assert (report["made"] > 20, report["left"], report["same"] > 35) == (True, [], True)
    assert admin.get("/snapshot?only=values")[system] == before


def test_what_an_account_does_otherwise_is_told_with_the_switch_it_settles(terminal: Terminal, admin: Admin) -> None:
    admin.post("/settings", system="hubspot", name="domain_strips", value=False)
    (found,) = different(examined(terminal, admin, "hubspot"))
    assert found["claim"] == "a company domain loses scheme and path switch domain strips"
    assert found["line"] == "connectors/emulator/hubspot/switches.py"
    assert found["what"] == "the domain that is kept"
    assert (found["seen"].startswith("https://www."), found["expected"].endswith(".example")) == (True, True)


def test_a_sentence_of_the_port_that_does_not_hold_is_told_in_words(terminal: Terminal, admin: Admin) -> None:
    """Owners who share an id with themselves: an answer of a proxy that repeats it."""
    admin.fault(system="hubspot", method="GET", route="*/owners*", times="always", action="html_200")
    said = terminal("conformance", "--system", "hubspot")
    assert said.code == 2
    assert "different  owners have ids of their own and lower case addresses" in said.out
    assert "docs/add-a-connector.md#schema-and-owners" in said.out


def test_a_field_that_is_hidden_from_our_user_is_no_difference(terminal: Terminal, admin: Admin) -> None:
    admin.post("/permissions", system="salesforce", object="Contact", hide="Title")
    said = terminal("conformance", "--system", "salesforce")
    assert said.code == 2
    assert "fields that our user there does not see: Title" in said.err
    assert "different" not in said.text


def test_a_right_that_is_missing_is_no_difference_and_is_said_once(terminal: Terminal, admin: Admin) -> None:
    admin.post("/permissions", system="hubspot", remove_scope="crm.objects.contacts.write")
    report = examined(terminal, admin, "hubspot")
    assert different(report) == []
    reasons = {finding["seen"] for finding in report["findings"] if "scope" in finding["seen"]}
    assert reasons == {
        "our user there may not do it: the key lacks a scope for this",
        "a record for it could not be made: the key lacks a scope for this",
    }


@pytest.mark.parametrize("status", [401, 503])
def test_an_account_that_does_not_answer_is_no_difference(terminal: Terminal, admin: Admin, status: int) -> None:
    admin.fault(system="hubspot", method="GET", route="*/owners*", times="always", action="status", status=status)
    report = examined(terminal, admin, "hubspot", may_write=False)
    assert different(report) == []
    [owners] = [finding for finding in report["findings"] if finding["claim"].startswith("owners have ids")]
    assert owners["result"] == "untried"


def test_a_production_account_is_not_written_to(
    terminal: Terminal, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.conformance._is_production", lambda connector: "Acme")
    with pytest.raises(Refused, match="production account, and nothing was written"):
        examined(terminal, admin, "hubspot")
    assert examined(terminal, admin, "hubspot", yes_production=True)["left"] == []


def test_nobody_else_may_write_meanwhile(terminal: Terminal, admin: Admin) -> None:
    config = read_config(terminal.config)
    config.state.mkdir(mode=0o700)
    with locked(config, "run"), pytest.raises(LockHeld):
        examined(terminal, admin, "hubspot")


def test_a_system_that_is_not_set_up_is_told_which_there_are(terminal: Terminal) -> None:
    said = terminal("conformance", "--system", "hubspott")
    assert (said.code, "Did you mean `hubspot`?" in said.text) == (2, True)
