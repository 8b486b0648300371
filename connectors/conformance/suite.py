"""Every claim, in the order of the port."""

from __future__ import annotations

from connectors.conformance.asking import FINDING, READING, WHAT, WHO
from connectors.conformance.desk import Claim
from connectors.conformance.losing import LOSING
from connectors.conformance.pulling import PULLING
from connectors.conformance.removing import COPYING, MERGING, UNDELETING
from connectors.conformance.writing import CREATING, WRITING

CLAIMS: tuple[Claim, ...] = (
    *WHO, *WHAT, *READING, *FINDING, *PULLING, *WRITING, *CREATING, *UNDELETING, *MERGING, *COPYING, *LOSING
)  # fmt: skip
