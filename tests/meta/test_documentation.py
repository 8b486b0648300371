"""What the documentation says of the command line is so: commands, help, settings, schemas, exit codes."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner
from command_words import COMMANDS, options_in, options_of, unknown_commands
from jsonschema import Draft202012Validator

from agent import errors
from agent.changes import BatchState, State
from agent.cli import advice, apply, plan
from agent.cli.reference import PAGES
from agent.config.config import Config
from agent.connector import Op
from agent.decide.yaml_source import plain_value, read_source
from agent.wiring.settings import read_config
from connectors.emulator.__main__ import options_from

ROOT = Path(__file__).parents[2]
LEAVES = {words: command for words, command in COMMANDS.items() if not isinstance(command, click.Group)}
CALLABLE = {
    words: command
    for words, command in COMMANDS.items()
    if not isinstance(command, click.Group) or (command.invoke_without_command and words != "truce")
}
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "policies/README.md"]
ALWAYS_JSON = {"truce emulator serve"}
OPTIONS_OF_OTHER_PROGRAMS = {"--quick", "--table", "--name", "--now"}
"""Of ``python -m benchmarks``, systemd-creds and systemctl."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def code_of(text: str) -> str:
    """What stands in code blocks and between backticks: what a reader may type."""
    blocks = re.findall(r"```.*?```", text, flags=re.DOTALL)
    inline = re.findall(r"`[^`\n]+`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return "\n".join([*blocks, *inline])


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_what_the_code_says(page: str) -> None:
    assert text_of(ROOT / page) == PAGES[page](), "write it anew with: make docs"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_that_is_named_exists(path: Path) -> None:
    assert {words for line in code_of(text_of(path)).splitlines() for words in unknown_commands(line)} == set()


def test_the_options_of_the_practice_crms_are_all_described() -> None:
    table = text_of(ROOT / "docs/emulator.md").partition("## Start")[2].partition("## The admin side")[0]
    described = {option for row in re.findall(r"^\|([^|]+)\|", table, flags=re.MULTILINE) for option in options_in(row)}
    assert described == {option for option in options_of("truce emulator serve") if option != "--help"}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_option_that_is_named_exists(path: Path) -> None:
    ours = {"--help"}.union(*map(options_of, COMMANDS))
    assert options_in(code_of(text_of(path))) - ours <= OPTIONS_OF_OTHER_PROGRAMS


def test_the_module_and_the_command_start_the_same_practice_crms() -> None:
    told = options_from(["--contacts", "5", "--truth", "truth.json"])
    assert {f"--{name.replace('_', '-')}" for name in asdict(told)} == set(options_of("truce emulator serve"))


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text_of(ROOT / "README.md"), flags=re.MULTILINE)) <= targets


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_between_pages_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text_of(path))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("words", CALLABLE)
def test_every_command_can_print_json_and_has_its_schema(words: str) -> None:
    options = {option for parameter in CALLABLE[words].params for option in parameter.opts}
    assert "--json" in options or words in ALWAYS_JSON
    name = "-".join(words.split()[1:])
    schema = json.loads(text_of(ROOT / "docs/schemas" / f"{name}.json"))
    assert schema["$id"] == f"truce/{name}/1"


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_and_option_says_what_it_is_for(words: str) -> None:
    command = COMMANDS[words]
    assert command.help
    silent = [
        parameter.name for parameter in command.params if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


def test_the_list_of_commands_fits_a_terminal() -> None:
    context = click.Context(COMMANDS["truce"], info_name="truce", terminal_width=80)
    assert max(len(line) for line in COMMANDS["truce"].get_help(context).splitlines()) <= 80


@pytest.mark.parametrize("path", sorted((ROOT / "docs/schemas").glob("*.json")), ids=lambda path: path.name)
def test_every_schema_is_a_schema(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(text_of(path)))


def test_the_page_of_exit_codes_lists_exactly_those_there_are() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TruceError)]
    there_are = {kind.exit_code for kind in kinds}
    there_are |= {advice.DONE, advice.WRONG_USAGE, advice.INTERRUPTED, apply.SOME_FAILED, plan.FOUND_CHANGES}
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text_of(ROOT / "docs/errors.md"), flags=re.MULTILINE)}
    assert listed == there_are == {0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 20, 130}


def test_the_example_config_is_a_config() -> None:
    config = read_config(ROOT / "config.example.yaml")
    assert isinstance(config, Config)
    assert set(config.secrets().values()) == {
        "keyring:salesforce-client-id",
        "keyring:salesforce-client-secret",
        "keyring:hubspot-token",
    }


def test_the_schema_of_a_batch_knows_every_kind_of_change_and_every_state() -> None:
    batch = json.loads(text_of(ROOT / "docs/schemas/show.json"))["properties"]
    entry = batch["entries"]["items"]["properties"]
    assert set(entry["op"]["enum"]) == set(get_args(Op))
    assert set(batch["state"]["enum"]) == set(get_args(BatchState))
    assert set(entry["state"].get("enum", [state.value for state in State])) == {state.value for state in State}


def policies_of(folder: Path) -> list[Any]:
    documents = [
        document
        for path in sorted(folder.glob("*.yaml"))
        for document in read_source(path.name, text_of(path)).documents
    ]
    return [plain_value(document) for document in documents]


def test_editors_accept_every_shipped_policy() -> None:
    editor = Draft202012Validator(json.loads(text_of(ROOT / "docs/schemas/policy.json")))
    shipped = policies_of(ROOT / "policies")
    assert len(shipped) >= 7
    assert [error.message for policy in shipped for error in editor.iter_errors(policy)] == []


def test_the_command_prints_the_schema_of_editors() -> None:
    said = CliRunner().invoke(COMMANDS["truce"], ["check", "--editor-schema"], standalone_mode=False)
    assert json.loads(said.output) == json.loads(text_of(ROOT / "docs/schemas/policy.json"))


def test_editors_notice_a_typo() -> None:
    editor = Draft202012Validator(json.loads(text_of(ROOT / "docs/schemas/policy.json")))
    (policy,) = [policy for policy in policies_of(ROOT / "policies") if policy["policy"] == "person-basics"]
    assert not editor.is_valid({**policy, "matsch": ["email"]})
    assert not editor.is_valid({**policy, "losing_edit": "forget"})
    assert not editor.is_valid({**policy, "kind": "feelds"})
