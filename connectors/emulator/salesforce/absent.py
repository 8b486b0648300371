"""What an org may have and this one has none of: approval processes, workflow rules, reports, dashboards, Apex REST."""

from __future__ import annotations

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.refusals import Refusal, not_found

APEX_REST = "/services/apexrest/"


def rules(call: Call) -> Answer:
    return Answer(200, {"rules": {}})


def approvals(call: Call) -> Answer:
    return Answer(200, {"approvals": {}})


def nothing(call: Call) -> Answer:
    return Answer(200, [])


def no_apex() -> Refusal:
    """In the words that a path of Apex REST gets which no class answers."""
    return not_found("Could not find a match for URL")
