"""Whatever people type into a CRM: no page of ours lets it steer a terminal, forge a line or run in a spreadsheet."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import pytest
from terminal import Terminal, terminal_at

from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

HOSTILE = (
    "\x1b[31mred\x1b[0m\x1b]0;owned\x07",
    "two\r\nB-9 lines",
    "\u202ebackwards\u202c",
    "\u2028separator\u2029",
    "\x9b31mC1",
    "nul\x00",
    "=HYPERLINK(1)",
)


@pytest.fixture
def company(emulator: Emulator, tmp_path: Path) -> Terminal:
    """Seven people whose names and titles are written to do harm, in both CRMs, and different."""
    emulator.renew(Options())
    admin = Admin(emulator.admin_url)
    for number, text in enumerate(HOSTILE):
        email = f"person{number}@example.com"
        for system, kind, values in (
            ("salesforce", "Contact", {"LastName": text, "Title": text, "Email": email, "LeadSource": "Web"}),
            ("hubspot", "contacts", {"lastname": "Plain", "jobtitle": f"was {text}" * 100, "email": email}),
        ):
            admin.post("/create", system=system, object=kind, values=values)
    return terminal_at(emulator, tmp_path)


def steering(text: str) -> set[str]:
    """Characters that do something other than being seen; the new line is ours."""
    return {char for char in text.replace("\n", "") if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")}


def test_no_page_passes_on_what_steers_a_terminal(company: Terminal) -> None:
    plan = company.json("plan")
    seen = [company("show", plan["plan"]), company("apply", plan["plan"], "--confirm", str(plan["changes"]))]
    company.edit("policies/person-basics.yaml", "wins: salesforce unless blank", "wins: hubspot")
    seen += [company("plan", "--policy", "person-basics"), company("run", "--once")]
    seen += [company("batches"), company("today"), company("review"), company("align", "--samples"), company("retry")]
    seen += [company("consent", "conflicts"), company("pair"), company("watched"), company("week")]
    for batch in company.json("batches")["batches"]:
        seen += [company("show", batch["batch"], "--all"), company("rollback", batch["batch"])]
    for number in range(len(HOSTILE)):
        email = f"person{number}@example.com"
        seen += [company("why", email), company("why", email, "job_title"), company("timeline", email)]
    assert any("·[31mred" in said.out for said in seen), "a hostile value was on a page at all"
    assert [(steering(said.text), said.text[:200]) for said in seen if steering(said.text)] == []
    assert [said.text for said in seen if "\nB-9 lines" in said.text] == []


def test_no_value_runs_in_a_spreadsheet_or_on_the_page_of_the_week(company: Terminal) -> None:
    company("plan")
    for words in (["pair", "--csv"], ["align", "--csv"]):
        company(*words, str(company.folder / words[0]))
        for path in (company.folder / words[0]).glob("*.csv"):
            text = path.read_text(encoding="utf-8-sig")
            assert "\0" not in text, path
            cells = [cell for row in csv.reader(text.splitlines(keepends=True)) for cell in row]
            assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == [], path
    page = company.folder / "week.html"
    assert company("week", "--html", str(page)).code == 0
    assert steering(page.read_text(encoding="utf-8")) == set()
