"""The conformance suite over a database: with and without a link key, rows removed or kept as deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from database_stage import DatabaseStage

from connectors.conformance.desk import Claim, Desk
from connectors.conformance.suite import CLAIMS

APPLYING = [claim for claim in CLAIMS if "merges" not in claim.needs]
"""Rows of a table are never merged."""


@pytest.fixture(params=["with key", "without key", "with key, keeping deleted rows"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseStage]:
    found = DatabaseStage(
        tmp_path, has_key=request.param.startswith("with key"), keeps_deleted="deleted" in request.param
    )
    yield found
    found.connector.close()


@pytest.mark.parametrize("claim", APPLYING, ids=lambda claim: claim.name.replace(" ", "-"))
def test_claim(claim: Claim, stage: DatabaseStage) -> None:
    claim.run(Desk(stage))
