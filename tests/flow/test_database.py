"""HubSpot and a database, through the command line: a policy file, plan, apply, an edit, a cycle, an undo, a kill."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from database_tables import make_file, tables
from terminal import Terminal

from agent.declaration import Names
from agent.wiring.opening import suite_for
from agent.wiring.settings import read_config
from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

POLICY = """\
policy: customers
kind: fields
responsible: anna@example.com
purpose: Who buys is known alike to the product and to marketing
review_by: 2099-01-01
mode: act
defines: customer
records: {hubspot: contacts, database: customers}
match: [email]
create:
  hubspot: {when: [email is filled]}
  database: {when: [email is filled]}
first_time: winner
losing_edit: revert
fields:
  email:      {hubspot: email, database: email, wins: database unless blank, clean: email}
  first_name: {hubspot: firstname, database: first_name, wins: database unless blank}
  last_name:  {hubspot: lastname, database: last_name, wins: database unless blank}
  job_title:  {hubspot: jobtitle, database: title, wins: hubspot unless blank}
"""
FIRMS = """\
policy: firms
kind: fields
responsible: anna@example.com
purpose: Companies are called alike
review_by: 2099-01-01
mode: ask
defines: company
records: {hubspot: companies, database: companies}
match: [name]
first_time: winner
losing_edit: revert
fields:
  name: {hubspot: name, database: name, wins: hubspot}
"""
KILLED = """\
import os, signal, sys
from sqlalchemy.engine.default import DefaultDialect
from agent.cli import main
commit, side = DefaultDialect.do_commit, sys.argv.pop(1)
def last(self, connection):
    if not connection.in_transaction or connection.total_changes == 0:
        return commit(self, connection)
    if side == "after":
        commit(self, connection)
    os.kill(os.getpid(), signal.SIGKILL)
DefaultDialect.do_commit = last
main()
"""
"""``truce`` in a process that dies with its first COMMIT to the database that changes something."""


class Town:
    """Both systems, and the keyboard between them."""

    def __init__(self, emulator: Emulator, admin: Admin, folder: Path) -> None:
        self.admin = admin
        self.terminal = Terminal(folder / "config.yaml")
        self.file = folder / "customers.db"
        make_file(self.file)
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(emulator.credentials["hubspot"]["token"], encoding="utf-8")
        hubspot = {"token": "file:token", "base_url": emulator.hubspot_url, "link_keys": {"contacts": "truce_key"}}
        database = {"file": "customers.db", "production": False, "tables": tables(has_key=True, keeps_deleted=True)}
        people = {"anna": "anna@example.com"}
        document = {"hubspot": hubspot, "database": database, "run": {"mode": "act"}, "people": people}
        self.terminal.config.write_text(yaml.safe_dump(document), encoding="utf-8")
        (folder / "policies").mkdir()
        (folder / "policies" / "customers.yaml").write_text(POLICY, encoding="utf-8")

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.file) as connection:
            connection.execute("UPDATE actor SET name = 'person'")
            rows = connection.execute(statement, values).fetchall()
            connection.execute("UPDATE actor SET name = 'api'")
        connection.close()
        return rows

    def customer(self, email: str, **more: str) -> None:
        names = ", ".join(["email", *more])
        holders = ", ".join("?" * (len(more) + 1))
        self.sql(
            f"INSERT INTO customers ({names}, updated_at) VALUES ({holders}, datetime('now'))", email, *more.values()
        )

    def contact(self, email: str, **more: str) -> None:
        self.admin.post("/create", system="hubspot", object="contacts", values={"email": email, **more})

    def contacts(self, name: str) -> dict[str, Any]:
        found = self.admin.get("/snapshot?only=values")["hubspot"]["contacts"].values()
        return {values["email"]: values.get(name) for values in found}

    def customers(self, name: str) -> dict[str, Any]:
        return dict(self.sql(f"SELECT email, {name} FROM customers WHERE deleted_at IS NULL"))


@pytest.fixture
def town(emulator: Emulator, admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    emulator.renew(Options(clock="real"))
    admin.post("/settings", system="hubspot", name="visible_delay_seconds", value=0.0)
    monkeypatch.setenv("SUDO_USER", "anna")
    town = Town(emulator, admin, tmp_path)
    town.customer("ada@shop.example", first_name="Ada", last_name="Lovelace")
    town.contact("ada@shop.example", firstname="Adda", lastname="Lovelace", jobtitle="Countess")
    town.customer("bob@shop.example", first_name="Bob", last_name="Boole")
    town.contact("eve@shop.example", firstname="Eve", lastname="Curie")
    return town


def test_doctor_reads_both_and_the_plan_says_what_would_be_written(town: Town) -> None:
    said = town.terminal("doctor")
    assert said.code == 0, said
    assert "database access: customers.db" in said.text
    assert "database customers link key: truce_key" in said.text
    assert "salesforce" not in said.text.lower()
    said = town.terminal("check", "--explain")
    assert "A customer is: HubSpot contacts · Database customers." in said.text
    said = town.terminal("plan")
    assert "customers.yaml:17: Database wins first_name and has “Ada”; HubSpot had “Adda”" in said.text
    assert town.terminal.json("plan")["changes"] == 2


def test_plan_apply_edit_cycle_and_undo(town: Town) -> None:
    terminal = town.terminal
    assert terminal("plan").code == 0
    assert terminal("pair", "accept", "customer").code == 0
    plan = terminal.json("plan")
    assert plan["changes"] == 4
    applied = terminal.json("apply", plan["plan"], "--confirm", "4")
    assert applied["written"] == 4
    everybody = {"ada@shop.example": "Ada", "bob@shop.example": "Bob", "eve@shop.example": "Eve"}
    assert (town.customers("first_name"), town.contacts("firstname")) == (everybody, everybody)
    assert town.customers("title")["ada@shop.example"] == "Countess"
    assert town.customers("truce_key")["eve@shop.example"].startswith("customer-")

    assert terminal("go-live", "customers", "--yes").code == 0
    town.sql("UPDATE customers SET first_name = 'Augusta', updated_at = datetime('now') WHERE first_name = 'Ada'")
    ran = terminal.json("run", "--once")
    assert ran["written"] == 1, (ran, terminal("why", "ada@shop.example").text)
    assert town.contacts("firstname")["ada@shop.example"] == "Augusta"
    quiet = terminal.json("run", "--once")
    assert quiet["written"] == 0, quiet

    assert "customers.yaml:17" in terminal("why", "ada@shop.example", "first_name").text
    assert terminal("rollback", applied["batch"], "--apply").code == 3  # the later edit is named, not overwritten
    assert set(town.contacts("firstname")) == {"ada@shop.example", "eve@shop.example"}
    assert town.customers("title") == {"ada@shop.example": None, "bob@shop.example": None}
    assert town.contacts("firstname")["ada@shop.example"] == "Augusta"  # a later edit stays
    assert terminal.json("run", "--once")["written"] == 0


def test_a_contact_with_nothing_to_carry_over_makes_no_empty_row(town: Town) -> None:
    policy = town.terminal.folder / "policies" / "customers.yaml"
    policy.write_text(POLICY.replace("database: {when: [email is filled]}", "database: {}"), encoding="utf-8")
    town.admin.post("/create", system="hubspot", object="contacts", values={"lifecyclestage": "lead"})
    town.terminal("plan")
    assert town.terminal("pair", "accept", "customer").code == 0
    plan = town.terminal.json("plan")
    assert plan["changes"] == 4
    assert town.terminal.json("apply", plan["plan"], "--confirm", "4")["written"] == 4
    assert set(town.customers("email")) == {"ada@shop.example", "bob@shop.example", "eve@shop.example"}


def test_the_suite_is_told_which_table_it_may_work_with_and_leaves_it_as_it_was(town: Town) -> None:
    said = town.terminal("conformance", "--system", "database")
    assert (said.code, "conformance: {table: customers, email: email, title: title}" in said.err) == (2, True)
    document = yaml.safe_load(town.terminal.config.read_text(encoding="utf-8"))
    document["database"]["conformance"] = {"table": "customers"}
    town.terminal.config.write_text(yaml.safe_dump(document), encoding="utf-8")
    before = town.sql("SELECT * FROM customers")
    report = town.terminal.json("conformance", "--system", "database")
    assert (report["different"], report["made"], report["same"] > 10) == (0, 0, True)
    connector, names, _ = suite_for(read_config(town.terminal.config), "database")
    connector.close()
    assert names == Names("customers", "email", "first_name", "last_name", "title", "truce_key", "companies", "name")
    assert town.sql("SELECT * FROM customers") == before


def test_doctor_says_of_a_database_that_is_only_read_what_cannot_be_written(town: Town) -> None:
    document = yaml.safe_load(town.terminal.config.read_text(encoding="utf-8"))
    url = town.terminal.folder / "url"
    url.touch(mode=0o600)
    url.write_text(f"sqlite:///file:{town.file}?mode=ro&uri=true", encoding="utf-8")
    del document["database"]["file"]
    document["database"]["url"] = "file:url"
    town.terminal.config.write_text(yaml.safe_dump(document), encoding="utf-8")
    said = town.terminal("doctor")
    assert said.code == 2
    assert "Truce's user may not create customers in database" in said.out
    assert "database rights: may not create customers, change customers" in said.out
    printed = town.terminal("doctor", "--permissions").out
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON customers TO truce;" in printed


def test_a_table_that_vanished_suspends_its_policy_until_it_is_back(town: Town) -> None:
    terminal = town.terminal
    (terminal.folder / "policies" / "firms.yaml").write_text(FIRMS, encoding="utf-8")
    assert terminal("plan").code == 0
    assert terminal("go-live", "customers", "--yes").code == 0
    assert terminal("run", "--once").code == 0
    town.sql("ALTER TABLE customers RENAME TO customers_moved")
    assert terminal("run", "--once").code == 0
    assert [each["because"] for each in terminal.json("status")["suspended"]] == [
        "Database customers is gone, or hidden from Truce's user"
    ]
    town.sql("ALTER TABLE customers_moved RENAME TO customers")
    town.sql("UPDATE customers SET first_name = 'Augusta', updated_at = datetime('now') WHERE first_name = 'Ada'")
    assert terminal("run", "--once").code == 0
    assert terminal.json("status")["suspended"] == []
    assert town.contacts("firstname")["ada@shop.example"] == "Augusta"


def test_a_row_edited_since_the_plan_is_left_alone(town: Town) -> None:
    plan = town.terminal.json("plan")["plan"]
    town.sql("UPDATE customers SET title = 'Programmer' WHERE email = 'ada@shop.example'")  # no time moves
    said = town.terminal("apply", plan)
    assert (said.code, "1 of 2 records changed since P-1 was made" in said.text) == (6, True)
    assert town.customers("title")["ada@shop.example"] == "Programmer"


@pytest.mark.parametrize("side", ["before", "after"])
def test_killed_at_a_commit_nothing_is_written_twice_and_all_is_in_the_ledger(town: Town, side: str) -> None:
    terminal = town.terminal
    terminal("plan")
    terminal("pair", "accept", "customer")
    plan = terminal.json("plan")["plan"]
    words = [sys.executable, "-c", KILLED, side, "-c", str(terminal.config), "apply", plan, "--confirm", "4"]
    died = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ))
    assert died.returncode == -9, died
    made = town.sql("SELECT op, id FROM audit WHERE actor = 'api'")
    assert bool(made) is (side == "after")

    terminal("go-live", "customers", "--yes")
    for _ in range(3):
        assert terminal("run", "--once").code == 0
    assert terminal.json("run", "--once")["written"] == 0
    assert town.customers("first_name") == town.contacts("firstname")
    assert [count for _, count in town.sql("SELECT email, count(*) FROM customers GROUP BY email")] == [1, 1, 1]
    assert terminal("ledger", "verify").code == 0
    batches = terminal.json("batches")["batches"]
    entries = [entry for batch in batches for entry in terminal.json("show", batch["batch"])["entries"]]
    written = [entry for entry in entries if entry["system"] == "database" and entry["state"] == "confirmed"]
    assert len(written) == len(town.sql("SELECT op FROM audit WHERE actor = 'api'"))
