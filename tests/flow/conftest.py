"""The stage for flow tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flow_stage import Stage

from connectors.emulator.serve import Emulator


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[Stage]:
    found = Stage(emulator, tmp_path)
    yield found
    found.close()
