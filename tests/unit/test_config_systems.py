"""Which systems a config sets up: any two or more of the connectors there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from agent.config.config import Config, load_config
from agent.declaration import Declaration, Opening, SecretReference, Settings
from agent.errors import ConfigError
from agent.systems import System
from connectors.registry import Declared, declared

HUBSPOT = "hubspot: {token: 'keyring:hubspot-token'}\n"


class ShopSettings(Settings):
    """The shop."""

    folder: Path
    password: SecretReference | None = None


def no_connection(opening: Opening[ShopSettings]) -> object:
    raise AssertionError("nobody asked for one")


SHOP = Declaration(System("shop", "The shop"), ShopSettings, no_connection)  # type: ignore[arg-type]


@pytest.fixture
def known() -> Declared:
    brought = EntryPoint("broken", "no.such.module:CONNECTOR", "truce.connectors")
    return Declared({**{key: declared()[key] for key in ("hubspot", "salesforce")}, "shop": SHOP}, {"broken": brought})


@pytest.fixture
def said(tmp_path: Path, known: Declared) -> Callable[[str], Config]:
    path = tmp_path / "config.yaml"

    def read(text: str) -> Config:
        path.write_text(text, encoding="utf-8")
        return load_config(path, known)

    return read


def problems(error: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    return [f"{each.line}: {each.message} | {each.advice}" for each in error.value.problems]


def test_a_further_system_stands_under_its_own_key(said, tmp_path: Path) -> None:
    config = said(f"shop: {{folder: data, password: 'file:secret'}}\n{HUBSPOT}")
    assert list(config.systems) == ["hubspot", "shop"]
    assert config.secrets() == {
        "hubspot.token": "keyring:hubspot-token",
        "shop.password": f"file:{tmp_path.resolve()}/secret",
    }


def test_one_system_alone_is_nothing_to_work_between(said) -> None:
    with pytest.raises(ConfigError) as error:
        said(HUBSPOT)
    (problem,) = problems(error)
    assert problem.startswith("1: Truce works between two systems, and only hubspot is set up here | ")


def test_an_unknown_system_is_told_which_there_are(said) -> None:
    with pytest.raises(ConfigError) as error:
        said(f"{HUBSPOT}shpo: {{folder: data}}\n")
    assert problems(error)[0].startswith("2: shpo: this setting does not exist | Did you mean `shop`?")


def test_a_mistake_in_a_further_system_is_told_at_its_line(said) -> None:
    with pytest.raises(ConfigError) as error:
        said(f"{HUBSPOT}shop:\n  folder: data\n  pasword: x\n  password: secret\n")
    assert [problem.partition("? Allowed")[0] for problem in problems(error)] == [
        "4: shop.pasword: this setting does not exist | Did you mean `password`",
        "5: shop.password: this is no place of a secret | Write keyring:NAME, env:NAME, file:PATH or systemd:NAME.",
    ]


def test_a_broken_package_harms_only_those_who_name_it(said) -> None:
    assert said(f"{HUBSPOT}shop: {{folder: data}}\n")
    with pytest.raises(ConfigError) as error:
        said(f"{HUBSPOT}broken: {{}}\n")
    assert error.value.what == "the connector for `broken` cannot be used"
    assert "no.such.module" in error.value.where


def test_a_package_must_declare_the_system_it_is_named_for() -> None:
    liar = EntryPoint("liar", "agent.systems:System", "truce.connectors")
    with pytest.raises(ConfigError, match="liar"):
        Declared({}, {"liar": liar})["liar"]


def test_ours_win_over_one_of_the_same_name() -> None:
    other = EntryPoint("hubspot", "no.such.module:CONNECTOR", "truce.connectors")
    found = Declared({"hubspot": declared()["hubspot"]}, {"hubspot": other})
    assert (len(found), found["hubspot"].system.name) == (1, "HubSpot")


def test_every_shipped_connector_declares_itself_whole() -> None:
    for key, declaration in declared().shipped.items():
        system = declaration.system
        assert (system.key, bool(system.name), bool(system.link_key_steps)) == (key, True, True)
        assert declaration.settings.__doc__
        assert all(setting.description for setting in declaration.settings.model_fields.values() if not setting.exclude)
        assert replace(system).owner_word.startswith(key)
