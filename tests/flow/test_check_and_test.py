"""``truce check`` against the CRMs' own schemas and owners, and ``truce test``, as a person at the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from policy_stage import shipped
from terminal import Terminal

from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
CONFIG = """\
salesforce:
  domain: {domain}
  client_id: file:{folder}/id
  client_secret: file:{folder}/secret
  base_url: {salesforce}
hubspot:
  token: file:{folder}/token
  base_url: {hubspot}
"""


class Desk:
    """A folder with a config, secrets and policies, and the command line in it."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.folder = folder
        self.admin = Admin(emulator.admin_url)
        credentials: Any = emulator.credentials
        secrets = {
            "id": credentials["salesforce"]["client_id"],
            "secret": credentials["salesforce"]["client_secret"],
            "token": credentials["hubspot"]["token"],
        }
        for name, value in secrets.items():
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(value, encoding="utf-8")
        where = {"salesforce": emulator.salesforce_url, "hubspot": emulator.hubspot_url, "folder": folder}
        config = CONFIG.format(domain=credentials["salesforce"]["domain"], **where)
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        (folder / "policies" / "examples").mkdir(parents=True)
        for name, text in shipped().items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.folder / "policies" / name).write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = shipped()[name]
        assert old in text
        self.write(name, text.replace(old, new, 1))

    def run(self, *words: str) -> tuple[int, str]:
        """(exit code, all that was printed)."""
        said = Terminal(self.folder / "config.yaml")(*words)
        assert "Traceback" not in said.text
        return said.code, said.text


@pytest.fixture
def desk(emulator: Emulator, tmp_path: Path) -> Desk:
    return Desk(emulator, tmp_path)


class TestCheck:
    def test_the_shipped_policies_name_only_what_both_crms_have(self, desk: Desk) -> None:
        assert desk.run("check") == (0, "No problems.\n")

    @pytest.mark.parametrize(
        ("file", "old", "new", "message", "advice"),
        [
            (
                "person-basics.yaml", "Title,", "Titel,",
                "person-basics.yaml:17:28: Salesforce Contact has no field `Titel`", "Did you mean `Title`?",
            ),
            (
                "person-basics.yaml", "salesforce: Title,", "salesforce: Industry,",
                "Salesforce Contact has no field `Industry`", "`Industry` is a field of Account, Lead",
            ),
            (
                "person-basics.yaml", "salesforce: Phone,", "salesforce: Business Phone,",
                "Salesforce Contact has no field `Business Phone`", "write the internal name `Phone`",
            ),
            (
                "person-lifecycle.yaml", "lead_status: Marketing Qualified", "lead_status: Marketing Qualifyed",
                "`Marketing Qualifyed` is not a value of `Status`", "Did you mean `Marketing Qualified`?",
            ),
            (
                "person-basics.yaml", "hs_email_optout, wins: opt-out", "hs_optout, wins: opt-out",
                "the consent field `hs_optout` is not visible", "so nobody's wish could be respected",
            ),
            (
                "sales-team.yaml", "kim@practice.example.com", "dana@practice.example.com",
                "`dana@practice.example.com` is inactive in Salesforce", "Name somebody active",
            ),
            (
                "sales-team.yaml", "salesforce_user: kim@practice.example.com", "salesforce_user: Inbound",
                "`Inbound` is no owner in Salesforce", "A Salesforce user name is not an e-mail",
            ),
            (
                "person-basics.yaml", "otherwise: skip", "otherwise: dana@example.com",
                "`dana@example.com` is inactive in HubSpot", "Name somebody active",
            ),
            (
                "person-basics.yaml", "  score:      ",
                "  made:       {salesforce: CreatedDate, hubspot: createdate, wins: hubspot}\n  score:      ",
                "`CreatedDate` cannot be written in Salesforce Contact", "wins: salesforce",
            ),
        ],
    )  # fmt: skip
    def test_what_the_crms_do_not_have_is_told_with_its_place_and_advice(
        self, desk: Desk, file: str, old: str, new: str, message: str, advice: str
    ) -> None:
        desk.replace(file, old, new)
        code, said = desk.run("check")
        assert message in said
        assert advice in said
        assert code == (0 if "warning" in said and "error" not in said.splitlines()[-1] else 2)

    def test_explain_shows_labels_beside_internal_names(self, desk: Desk) -> None:
        code, said = desk.run("check", "--explain")
        assert code == 0
        assert "Salesforce Phone (“Account Phone”) ↔ HubSpot phone" in " ".join(said.split())
        assert "New in HubSpot (companies): for each Account without a counterpart, when domain is filled." in said

    def test_explain_as_json_keeps_to_its_schema(self, desk: Desk) -> None:
        code, said = desk.run("check", "--explain", "--json")
        document = json.loads(said)
        Draft202012Validator(json.loads((SCHEMAS / "check.json").read_text(encoding="utf-8"))).validate(document)
        assert code == 0
        assert any("job_title: Salesforce Title" in line for line in document["understood"])

    def test_the_lines_shown_are_those_of_the_file(self, desk: Desk) -> None:
        desk.replace("person-basics.yaml", "wins: first value", "wins: first vale")
        _, said = desk.run("check")
        assert "      source:     {salesforce: LeadSource, hubspot: crm_source, wins: first vale" in said
        line, caret = (said.splitlines()[index] for index in (1, 2))
        assert line[caret.index("^") :].startswith("first vale")

    @pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 300_000, b"", b"\x00", b"- 1", b"---\n...\n---"])
    def test_any_file_whatever_is_a_problem_and_no_traceback(self, desk: Desk, content: bytes) -> None:
        (desk.folder / "policies" / "odd.yaml").write_bytes(content)
        code, said = desk.run("check", "--offline")
        assert code == 2 or said == "No problems.\n"

    def test_a_folder_and_a_link_that_look_like_policies_are_refused(self, desk: Desk) -> None:
        (desk.folder / "policies" / "folder.yaml").mkdir()
        (desk.folder / "policies" / "link.yaml").symlink_to("/etc/hostname")
        (desk.folder / "policies" / "nowhere.yaml").symlink_to(desk.folder / "policies" / "missing.yaml")
        code, said = desk.run("check", "--offline")
        assert code == 2
        for name in ("folder.yaml", "link.yaml", "nowhere.yaml"):
            assert name in said


EXAMPLE = """\
- example: A new job title in Salesforce goes to HubSpot
  given:
    salesforce: {Contact: {Title: CEO}}
    hubspot: {contacts: {jobtitle: mgr}}
    settled: {job_title: mgr}
  expected:
    hubspot: {jobtitle: CEO}
"""


class TestTest:
    def test_examples_that_come_true_are_counted(self, desk: Desk) -> None:
        desk.write("examples/titles.yaml", EXAMPLE)
        assert desk.run("test") == (0, "1 of 1 examples come true.\n")

    def test_an_example_that_does_not_come_true_is_shown_with_what_happens_instead(self, desk: Desk) -> None:
        desk.write("examples/titles.yaml", EXAMPLE.replace("{jobtitle: CEO}", "{jobtitle: Boss}"))
        code, said = desk.run("test")
        assert code == 2
        assert "examples/titles.yaml:1: this example does not come true" in said
        assert "    hubspot: {jobtitle: Boss}" in said
        assert "→ hubspot jobtitle should become “Boss”, but becomes “CEO”" in said
        assert "0 of 1 examples come true." in said

    def test_a_changed_policy_fails_the_example_that_protects_it(self, desk: Desk) -> None:
        desk.write("examples/titles.yaml", EXAMPLE)
        desk.replace("person-basics.yaml", "jobtitle, wins: salesforce unless blank", "jobtitle, wins: hubspot")
        code, said = desk.run("test", "--json")
        document = json.loads(said)
        Draft202012Validator(json.loads((SCHEMAS / "test.json").read_text(encoding="utf-8"))).validate(document)
        assert (code, document["failed"]) == (2, 1)
        assert document["outcomes"][0]["place"] == "examples/titles.yaml:1"

    def test_an_example_with_a_misspelled_field_is_refused(self, desk: Desk) -> None:
        desk.write("examples/titles.yaml", EXAMPLE.replace("{Title: CEO}", "{Titel: CEO}"))
        code, said = desk.run("test")
        assert code == 2
        assert "`Titel` is not a field of Salesforce Contact" in said
        assert "Did you mean `Title`?" in said

    def test_without_examples_it_says_how_to_begin(self, desk: Desk) -> None:
        code, said = desk.run("test")
        assert code == 2
        assert "There is no example yet" in said

    def test_only_some_examples_can_be_run(self, desk: Desk) -> None:
        desk.write("examples/titles.yaml", EXAMPLE + EXAMPLE.replace("A new job title", "Another title"))
        assert desk.run("test", "--only", "another") == (0, "1 of 1 examples come true.\n")
        assert desk.run("test", "--only", "phone")[0] == 2
