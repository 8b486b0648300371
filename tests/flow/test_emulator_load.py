"""Exports of a real CRM become a practice company: ids kept, columns understood or named, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.emulator.loading.exports import ExportError, guess_of
from connectors.emulator.loading.load import LoadedFile, load
from connectors.emulator.practice import Options, Practice
from connectors.emulator.world import Actor, Row

ACCOUNTS = 'Id,Name,Industry,NumberOfEmployees\n0015g00000AbCdE,Acme,Technology,"1,200"\n'
CONTACTS = (
    "Contact ID,First Name,Last Name,Email,Account ID,Email Opt Out,Last Modified Date,Badge\n"
    "0035g00000AbCdE,Ada,Lovelace,ada@acme.example,0015g00000AbCdE,TRUE,2026-01-05T10:00:00.000Z,007\n"
    "0035g00000AbCdF,Bob,Smith,bob@beta.example,0015g00000AbCdZ,0,,042\n"
)
HUB_CONTACTS = (
    "Record ID;First Name;Email;Lifecycle Stage;Contact owner;Create Date;Associated Company IDs;Score 2025\n"
    "101;Ada;Ada@Acme.Example;Marketing Qualified Lead;Kim Tran;2025-11-02 09:30;501;12\n"
    "102;Bob;bob@beta.example;Odd Stage;Kim Tran;2025-11-02 09:30;501;\n"
)
HUB_COMPANIES = "Record ID,Company name,Associated Contact IDs\n501,Acme,101;102\n"


class Desk:
    """A folder with exports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "practice.db"

    def load(self, salesforce: Mapping[str, str], hubspot: Mapping[str, str]) -> dict[str, LoadedFile]:
        here = [(name, self._written("salesforce", name, text)) for name, text in salesforce.items()]
        there = [(name, self._written("hubspot", name, text)) for name, text in hubspot.items()]
        return {
            f"{each.system} {each.object_type}": each
            for each in load(self.state, {"salesforce": here, "hubspot": there})
        }

    def refused(self, salesforce: Mapping[str, str], hubspot: Mapping[str, str]) -> str:
        """Where and what, with nothing left behind."""
        with pytest.raises(ExportError) as error:
            self.load(salesforce, hubspot)
        assert [path.name for path in self.folder.iterdir() if path.suffix != ".csv"] == []
        return str(error.value).removeprefix(f"{self.folder}/")

    def row(self, system: str, object_type: str, record_id: str) -> Row:
        practice = Practice(Options(state=self.state))
        try:
            return practice.world.spaces[system].table(object_type)[record_id]
        finally:
            practice.close()

    def _written(self, system: str, name: str, text: str) -> Path:
        path = self.folder / f"{system}-{name}.csv"
        path.write_text(text, encoding="utf-8-sig")
        return path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def values(row: Row, *names: str) -> list[Any]:
    return [row.values.get(name) for name in names]


def test_ids_labels_types_and_lookups_arrive_as_salesforce_keeps_them(desk: Desk) -> None:
    loaded = desk.load({"Account": ACCOUNTS, "contact": CONTACTS}, {})
    ada = desk.row("salesforce", "Contact", "0035g00000AbCdEAAV")
    assert values(ada, "FirstName", "AccountId", "HasOptedOutOfEmail") == ["Ada", "0015g00000AbCdEAAV", True]
    assert ada.modified_at.isoformat() == "2026-01-05T10:00:00+00:00"
    assert desk.row("salesforce", "Account", "0015g00000AbCdEAAV").values["NumberOfEmployees"] == 1200
    assert loaded["salesforce Contact"].remarks == ("1 point to Account records that are in no file",)


def test_an_unknown_column_becomes_a_field_with_a_guessed_type_and_is_named(desk: Desk) -> None:
    loaded = desk.load({"Contact": CONTACTS}, {"contacts": HUB_CONTACTS})
    assert desk.row("salesforce", "Contact", "0035g00000AbCdEAAV").values["Badge__c"] == "007"
    assert desk.row("hubspot", "contacts", "101").values["score_2025"] == "12"
    added = [(each.name, each.guess) for file in loaded.values() for each in file.columns if each.guess]
    assert added == [("Badge__c", "text"), ("score_2025", "number")]


def test_hubspots_labels_choices_and_associations_are_understood(desk: Desk) -> None:
    loaded = desk.load({}, {"contacts": HUB_CONTACTS, "companies": HUB_COMPANIES})
    ada = desk.row("hubspot", "contacts", "101")
    assert values(ada, "email", "lifecyclestage") == ["ada@acme.example", "marketingqualifiedlead"]
    assert ada.created_at.isoformat() == "2025-11-02T09:30:00+00:00"
    practice = Practice(Options(state=desk.state))
    links = practice.world.spaces["hubspot"].links
    practice.close()
    assert ("companies", "501") in links["contacts", "101"]
    assert set(links["companies", "501"]) == {("contacts", "101"), ("contacts", "102")}
    assert loaded["hubspot contacts"].remarks == ("1 cells of Lifecycle Stage are no choice known here",)
    left_out = {each.heading: each.why for each in loaded["hubspot contacts"].columns if not each.name}
    assert left_out == {"Contact owner": "owners are named, not by id"}


def test_records_made_later_get_ids_of_their_own(desk: Desk) -> None:
    desk.load({}, {"contacts": HUB_CONTACTS})
    practice = Practice(Options(state=desk.state))
    made = practice.desks["hubspot"].create("contacts", {"email": "new@acme.example"}, actor=Actor("anna", "person"))
    practice.close()
    assert int(made) > 102


@pytest.mark.parametrize(
    ("salesforce", "hubspot", "said"),
    [
        ({"Contact": "Name\nAda\n"}, {}, "salesforce-Contact.csv:1: has no column of ids"),
        (
            {"Contact": "Id,LastName\n0015g00000AbCdE,X\n"},
            {},
            "salesforce-Contact.csv:2: “0015g00000AbCdE” is no id of Contact",
        ),
        (
            {"Contact": CONTACTS + CONTACTS.splitlines()[1] + "\n"},
            {},
            "salesforce-Contact.csv:4: has the id 0035g00000AbCdEAAV of line 2 again",
        ),
        (
            {"Account": ACCOUNTS.replace('"1,200"', "many")},
            {},
            "salesforce-Account.csv:2: “many” in NumberOfEmployees is no int",
        ),
        (
            {"Account": ACCOUNTS + "0015g00000AbCdF,Beta\n"},
            {},
            "salesforce-Account.csv:3: has 2 cells, and there are 4 headings",
        ),
        ({"Thing__c": ACCOUNTS}, {}, "salesforce-Thing__c.csv:1: Salesforce has no object Thing__c here"),
        (
            {},
            {"contacts": "Record ID,Email\nabc,a@b.example\n"},
            "hubspot-contacts.csv:2: “abc” in Record ID is no id of HubSpot",
        ),
        (
            {},
            {"companies": "Record ID,Number of Employees\n501,lots\n"},
            "hubspot-companies.csv:2: “lots” in Number of Employees is no number",
        ),
        (
            {"Contact": CONTACTS},
            {"contacts": "Record ID,Email,Email\n1,a,b\n"},
            "hubspot-contacts.csv:1: names the column “Email” twice",
        ),
        (
            {"Contact": 'Id,Name\n0035g00000AbCdE,"open\n'},
            {},
            "salesforce-Contact.csv:2: is no CSV here: unexpected end of data",
        ),
    ],
)
def test_a_mistake_names_its_line_and_nothing_is_loaded(
    salesforce: dict[str, str], hubspot: dict[str, str], said: str, desk: Desk
) -> None:
    assert desk.refused(salesforce, hubspot) == said


def test_the_file_is_readable_by_its_owner_alone_and_never_replaced(desk: Desk) -> None:
    desk.load({"Account": ACCOUNTS}, {})
    assert desk.state.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        desk.load({"Account": ACCOUNTS}, {})


@pytest.mark.parametrize(
    ("cells", "guess"),
    [
        (["yes", "No"], "boolean"),
        (["1", "2.5", "-3"], "number"),
        (["007", "8"], "text"),
        (["+49 30"], "text"),
        (["2026-01-31"], "date"),
        (["2026-01-31 10:00"], "datetime"),
        (["31/01/2026"], "text"),
        (["x" * 300], "long text"),
        ([], "text"),
    ],
)
def test_a_type_is_only_guessed_where_every_cell_fits(cells: list[str], guess: str) -> None:
    assert guess_of(cells) == guess
