"""What ``truce init`` asks changes the files it writes, and they are sound whatever is answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminal import Terminal

from agent.cli import init

ME = ("--email", "me@company.example", "--salesforce-domain", "practice.my")


@pytest.fixture
def nothing(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "config.yaml")


def test_the_answers_are_in_the_policies(nothing: Terminal) -> None:
    answers = ("--first", "everything", "--people-lead", "hubspot", "--time-zone", "Europe/Berlin")
    assert nothing("init", *ME, *answers, "--approvers", "ben@company.example, tom@company.example").code == 0
    policies = {
        path.name: path.read_text(encoding="utf-8")
        for path in (nothing.folder / "policies").iterdir()
        if path.is_file()
    }
    assert (
        "job_title:  {salesforce: Title, hubspot: jobtitle, wins: hubspot unless blank}"
        in policies["person-basics.yaml"]
    )
    assert "wins: salesforce unless blank" in policies["company-basics.yaml"]
    assert "clean: date in Europe/Berlin" in policies["deal-basics.yaml"]
    assert "time_zone: Europe/Berlin" in policies["sales-team.yaml"]
    assert "revops: [me@company.example, ben@company.example, tom@company.example]" in policies["sales-team.yaml"]
    assert not any("example.com" in text for text in policies.values())


@pytest.mark.parametrize("lead", ["salesforce", "hubspot"])
def test_whatever_is_answered_the_examples_beside_it_come_true(nothing: Terminal, lead: str) -> None:
    leads = [word for about in ("people", "companies", "deals") for word in (f"--{about}-lead", lead)]
    assert nothing("init", *ME, "--first", "everything", *leads, "--time-zone", "Asia/Tokyo").code == 0
    said = nothing("test")
    assert said.code == 0, said
    assert "examples come true" in said.out


def test_a_time_zone_that_does_not_exist_is_refused_with_the_nearest(nothing: Terminal) -> None:
    said = nothing("init", *ME, "--time-zone", "Europe/Berln")
    assert (said.code, nothing.config.exists()) == (2, False)
    assert "did you mean Europe/Berlin?" in said.err


def test_who_approves_alone_is_told_so(nothing: Terminal) -> None:
    assert "You approve alone, owner changes too" in nothing("init", *ME).out


def test_a_terminal_is_asked_only_what_changes_the_files(nothing: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "_is_terminal", lambda: True)
    typed = ["me@company.example", "acme.my", "n", "n", "deals", "", "hubspot", "Europe/Berln", "Europe/Berlin"]
    said = nothing("init", typed="\n".join([*typed, "ben@company.example", "file", ""]))
    assert said.code == 0, said
    assert "people, who is right" not in said.out
    text = (nothing.folder / "policies" / "deal-basics.yaml").read_text(encoding="utf-8")
    assert "date in Europe/Berlin" in text
    assert "wins: hubspot unless blank" in text
