"""What else of a day is nearly used up: the step that ``truce doctor`` prints leads out."""

from __future__ import annotations

import time

from doctor_stage import Office
from test_doctor_steps import A_DAY, office

__all__ = ["office"]


def test_jobs_come_back_when_the_tool_that_uses_them_is_slowed_down(office: Office) -> None:
    settings = office.emulator.world.spaces["salesforce"].settings
    settings["used DailyBulkV2QueryJobs"] = {str(int(time.time() // 3600)): 9_000}
    code, found = office.look("salesforce allowances", "9,000 of 10,000 bulk query jobs")
    assert found is not None
    assert (found.level, code) == ("warning", 0)
    assert "Setup > Bulk Data Load Jobs" in found.steps[0]
    assert "24 hours after it was used" in found.steps[0]
    office.wait(A_DAY + 3600)
    assert office.look("salesforce allowances", "") == (0, None)
