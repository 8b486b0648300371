"""Which connectors there are: the packages beside this file, and those that other distributions bring along.

A package takes part by having ``CONNECTOR`` (``agent.declaration.Declaration``) in its ``__init__``. Another
distribution names its own as an entry point of the group ``truce.connectors``; it is imported only when its name is
asked for, so that one that is broken does not stop those who do not use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from typing import Any

import connectors
from agent.declaration import Declaration
from agent.errors import ConfigError

GROUP = "truce.connectors"
FIRST = ("salesforce", "hubspot")
"""Those that stand first wherever systems are listed; the others follow by name."""

AnyDeclaration = Declaration[Any]


class Declared(Mapping[str, AnyDeclaration]):
    """Every connector by the key of its system. Ours win over one of the same name from elsewhere."""

    def __init__(self, ours: Mapping[str, AnyDeclaration], others: Mapping[str, EntryPoint]) -> None:
        self._ours = dict(sorted(ours.items(), key=lambda item: _rank(item[0])))
        self._others = {name: others[name] for name in sorted(others) if name not in ours}

    def __getitem__(self, key: str) -> AnyDeclaration:
        """Raises ConfigError for one that is there but cannot be imported."""
        return self._ours[key] if key in self._ours else _imported(self._others[key])

    def __iter__(self) -> Iterator[str]:
        yield from self._ours
        yield from self._others

    def __len__(self) -> int:
        return len(self._ours) + len(self._others)

    @property
    def shipped(self) -> Mapping[str, AnyDeclaration]:
        return self._ours


@lru_cache(maxsize=1)
def declared() -> Declared:
    """All there are on this computer."""
    return Declared(_ours(), {found.name: found for found in entry_points(group=GROUP)})


def _ours() -> dict[str, AnyDeclaration]:
    packages = [import_module(f"connectors.{found.name}") for found in iter_modules(connectors.__path__) if found.ispkg]
    found = [package.CONNECTOR for package in packages if hasattr(package, "CONNECTOR")]
    return {declaration.system.key: declaration for declaration in found}


def _imported(entry: EntryPoint) -> AnyDeclaration:
    try:
        declaration = entry.load()
    except Exception as error:  # whatever somebody else's package raises must not end in a traceback
        raise _unusable(entry, f"{type(error).__name__}: {error}") from error
    if not isinstance(declaration, Declaration) or declaration.system.key != entry.name:
        raise _unusable(entry, f"{entry.value} is no Declaration of a system `{entry.name}`")
    return declaration


def _unusable(entry: EntryPoint, why: str) -> ConfigError:
    return ConfigError(
        f"the connector for `{entry.name}` cannot be used",
        where=entry.value,
        why=why,
        next_step=f"mend or remove the package that brings {entry.value}",
    )


def _rank(key: str) -> tuple[int, str]:
    return (FIRST.index(key) if key in FIRST else len(FIRST), key)
