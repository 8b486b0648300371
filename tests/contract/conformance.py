"""The conformance suite as tests: every claim of ``connectors.conformance``, at a system set up for one test."""

from __future__ import annotations

import pytest

from connectors.conformance.desk import Claim, Desk, Hands
from connectors.conformance.suite import CLAIMS


class Conformance:
    """Subclass it and provide the fixture ``stage``."""

    @pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name.replace(" ", "-"))
    def test_claim(self, claim: Claim, stage: Hands) -> None:
        claim.run(Desk(stage))
