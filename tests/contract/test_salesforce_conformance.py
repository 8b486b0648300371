"""The conformance suite over Salesforce, with and without a link key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance import Conformance
from salesforce_stage import SalesforceStage

from connectors.conformance.desk import Hands
from connectors.emulator.serve import Emulator


@pytest.fixture(params=["with key", "without key"])
def stage(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Hands]:
    found = SalesforceStage(emulator, has_key=request.param == "with key")
    yield found
    found.connector.close()


class TestSalesforceConformance(Conformance):
    """Every claim, against the emulator."""
