"""Which systems there are, and what a config file may say of them: enough to read policies, and quick to load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.config.config import Config, config_kind, load_config
from agent.declaration import Declaration
from agent.systems import Systems
from connectors.registry import FIRST, declared


def read_config(path: Path) -> Config:
    """The config file at ``path``, for any of the connectors there are. Raises ConfigError."""
    return load_config(path, declared())


def known_systems() -> Systems:
    """The systems of the shipped connectors, for where no config says which are used."""
    return Systems(declaration.system for declaration in declared().shipped.values())


def first_config_kind() -> type[Config]:
    """A config file with the two systems that one begins with."""
    return config_kind({key: declared()[key].settings for key in FIRST})


def declarations() -> Mapping[str, Declaration[Any]]:
    """What every connector says of itself, by system."""
    return declared()


def systems_of(config: Config) -> Systems:
    """What the connectors of this installation say of their systems."""
    return Systems(declared()[key].system for key in config.systems)


def systems_at(path: Path) -> Systems:
    """Those of the config file at ``path``; without one, those of the shipped connectors. Raises ConfigError."""
    return systems_of(read_config(path)) if path.exists() else known_systems()
