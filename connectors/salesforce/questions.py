"""What nobody has shown Salesforce to do: the emulator's answers as claims, for who has an account to ask.

Each is a switch of connectors/emulator/salesforce/switches.py. An account that answers otherwise is told in the report;
then the switch's default is wrong.
"""

from __future__ import annotations

from agent.connector import Write
from connectors.conformance.desk import Claims, Desk

OPEN = Claims("connectors/emulator/salesforce/switches.py")


@OPEN.claim("hands", "writing")
def a_checkbox_refuses_null_switch_null_checkbox(desk: Desk) -> None:
    ref = desk.made(1)
    desk.refused(Write(desk.entry(), "update", ref.object_type, ref.id, {"HasOptedOutOfEmail": None}), "validation")
