"""The conformance suite over every connector, with and without a link key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance import Conformance
from stages import STAGES, set_up

from connectors.conformance.desk import Hands


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[Hands]:
    system, _, key = str(request.param).partition(" ")
    emulator = None if system == "memory" else request.getfixturevalue("emulator")
    with set_up(system, has_key=key == "with key", emulator=emulator) as found:
        yield found


class TestConformance(Conformance):
    """Every claim, for every stage."""
