"""HubSpot set up for the conformance suite: the real client library against the emulator."""

from __future__ import annotations

from typing import Any, ClassVar

from emulator_stage import EmulatorStage, Routes

from agent.declaration import Names
from connectors.emulator.serve import Emulator
from connectors.hubspot.connector import HubSpot


class HubSpotStage(EmulatorStage):
    system = "hubspot"
    names = Names(
        "contacts", "email", "firstname", "lastname", "jobtitle", "truce_key",
        parent_type="companies", parent_name="name",
    )  # fmt: skip
    routes: ClassVar[Routes] = {
        "read": [(None, "*")],
        "create": [("POST", "*/batch/create"), ("POST", "*/contacts")],
        "update": [("POST", "*/batch/update")],
        "associate": [("POST", "*/batch/create"), ("POST", "*/batch/update")],
        "delete": [("DELETE", "*")],
        "merge": [("POST", "*/merge")],
    }
    throttled = 429

    def __init__(self, emulator: Emulator, *, has_key: bool, api_version: str = "v3") -> None:
        super().__init__(emulator, has_key=has_key)
        self._api_version: Any = api_version
        self.secrets = [emulator.credentials["hubspot"]["token"], "p1@example.com"]
        self.connector = self.connected(emulator.hubspot_url)
        self.admin.post("/settings", system="hubspot", name="visible_delay_seconds", value=5.0)

    def connected(self, url: str) -> HubSpot:
        return HubSpot(
            token=self.emulator.credentials["hubspot"]["token"],
            base_url=url,
            api_version=self._api_version,
            link_keys={"contacts": "truce_key"} if self.has_key else {},
            timeout=(5, 10),
            seconds=lambda: self.emulator.world.clock.now().timestamp(),
            sleep=self.advance,
        )
