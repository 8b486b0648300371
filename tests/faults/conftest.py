"""One emulator of its own for everything in this folder: worlds are put into it and taken out again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sweep import Theatre
from victim import Victims

from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator


@pytest.fixture(scope="session")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with Emulator.start(Options(clock="virtual")) as emulator:
        yield Theatre(emulator, tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="session")
def victims(theatre: Theatre) -> Iterator[Victims]:
    waiting = Victims(theatre.site)
    yield waiting
    waiting.close()
