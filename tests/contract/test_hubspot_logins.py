"""A service key and an OAuth app's refresh token, against the emulator, for each API version."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from kept_secret import Drawer

from agent.connector import Write
from agent.errors import AccessDenied, Unavailable
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator
from connectors.hubspot.connector import HubSpot
from connectors.hubspot.login import AskForToken

VERSIONS = ("v3", "2026-03", "2026-09")


class Logins:
    """The practice portal as its administrator sees it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.admin = Admin(emulator.admin_url)
        self.known = emulator.credentials["hubspot"]
        self.connectors: list[HubSpot] = []
        self.seconds = 0.0

    def switch(self, name: str, value: Any) -> None:
        self.admin.post("/settings", system="hubspot", name=name, value=value)

    def count(self) -> int:
        lines = self.admin.get("/journal?since=0")
        return sum(line["system"] == "hubspot" and line["path"].endswith("/token") for line in lines)

    def app(self, drawer: Drawer | None = None, **changed: Any) -> HubSpot:
        given = {
            "client_id": self.known["client_id"],
            "client_secret": self.known["client_secret"],
            "refresh_token": drawer or Drawer(self.known["refresh_token"]),
            "base_url": self.emulator.hubspot_url,
            "seconds": lambda: self.seconds,
            "sleep": lambda _: None,
            **changed,
        }
        self.connectors.append(HubSpot(**given))
        return self.connectors[-1]

    def half_an_hour_later(self) -> None:
        self.admin.post("/clock/advance", seconds=1_801)


@pytest.fixture
def portal(emulator: Emulator) -> Iterator[Logins]:
    logins = Logins(emulator)
    yield logins
    for connector in logins.connectors:
        connector.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_app_logs_in_at_the_address_of_its_api_version(portal: Logins, version: str) -> None:
    connector = portal.app(api_version=version)
    assert connector.identity().account_id == str(portal.emulator.world.spaces["hubspot"].settings["portal_id"])
    paths = [line["path"] for line in portal.admin.get("/journal?since=0") if line["path"].endswith("/token")]
    assert paths == [f"/oauth/{version}/token"]


def test_an_expired_token_is_renewed_and_the_call_made_once_more(portal: Logins) -> None:
    connector = portal.app()
    connector.owners()
    portal.half_an_hour_later()
    connector.owners()
    assert portal.count() == 2


def test_a_write_answered_with_an_expired_token_happens_once(portal: Logins) -> None:
    connector = portal.app()
    connector.owners()
    portal.half_an_hour_later()
    [outcome] = connector.write([Write("E-1", "create", "contacts", None, {"email": "ada@example.com"})])
    assert outcome.status == "applied"
    assert [line["op"] for line in portal.admin.audit() if line["cause"] == "api"] == ["create"]


def test_of_twenty_threads_with_one_expired_token_one_logs_in(portal: Logins) -> None:
    connector = portal.app()
    connector.owners()
    portal.half_an_hour_later()
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: bool(connector.owners()), range(20)))
    assert found == [True] * 20
    assert portal.count() == 2


def test_twenty_calls_refused_together_share_one_login(portal: Logins) -> None:
    """All of them were sent with the old token and refused before the first of them asks for another."""
    connector = portal.app()
    connector.now()
    portal.half_an_hour_later()
    login, all_refused = connector._client.login, Barrier(20, timeout=30)

    class Late:
        def token(self, ask: AskForToken) -> str:
            return login.token(ask)

        def renewed(self, stale: str, ask: AskForToken) -> str | None:
            all_refused.wait()
            return login.renewed(stale, ask)

    connector._client.login = Late()
    with ThreadPoolExecutor(20) as pool:
        assert len(list(pool.map(lambda _: connector.now(), range(20)))) == 20
    assert portal.count() == 2


def test_a_rotated_refresh_token_is_kept_and_used_next(portal: Logins) -> None:
    portal.switch("refresh_rotation", True)
    drawer = Drawer(portal.known["refresh_token"])
    connector = portal.app(drawer)
    connector.owners()
    portal.half_an_hour_later()
    connector.owners()
    assert len(drawer.kept) == 2
    assert portal.known["refresh_token"] not in drawer.kept


def test_a_token_that_another_process_rotated_is_looked_up_once_more(portal: Logins) -> None:
    portal.switch("refresh_rotation", True)
    old, drawer = portal.known["refresh_token"], Drawer(portal.known["refresh_token"])

    class Late(Drawer):
        """Read just before another process put the new token there."""

        reads = 0

        def read(self) -> str:
            self.reads += 1
            return old if self.reads == 1 else drawer.read()

    portal.app(drawer).owners()
    assert portal.app(Late("")).owners()
    assert portal.count() == 3


def test_an_app_is_asked_for_no_scopes(portal: Logins) -> None:
    """That address takes keys alone; an app's scopes are those it asked for when somebody installed it."""
    assert portal.app().granted() is None
    assert portal.admin.get("/journal?since=0") == []


def test_a_login_that_leads_to_another_account_stops(portal: Logins) -> None:
    connector = portal.app()
    connector.owners()
    portal.half_an_hour_later()
    portal.emulator.world.spaces["hubspot"].settings["portal_id"] = 4711
    before = len(portal.admin.audit())
    for _ in range(2):
        with pytest.raises(AccessDenied, match="another account"):
            connector.write([Write("E-1", "create", "contacts", None, {"email": "ada@example.com"})])
    assert len(portal.admin.audit()) == before


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"refresh_token": Drawer("fake-refresh")}, "invalid_grant, BAD_REFRESH_TOKEN"),
        ({"client_secret": "fake-wrong"}, "invalid_client, BAD_CLIENT_SECRET"),
        ({"client_id": "fake-nobody"}, "invalid_client, BAD_CLIENT_ID"),
    ],
)
def test_a_refused_login_is_told_by_its_code_and_never_repeated_without_end(
    portal: Logins, changed: dict[str, Any], why: str
) -> None:
    connector = portal.app(**changed)
    with pytest.raises(AccessDenied) as told:
        connector.owners()
    assert told.value.why == why
    for _ in range(9):
        with pytest.raises(AccessDenied):
            connector.owners()
    assert portal.count() == 3


@pytest.mark.parametrize("fault", [{"action": "drop_after"}, {"action": "status", "status": 503}])
def test_a_login_whose_answer_is_lost_is_no_write_of_unknown_fate(portal: Logins, fault: dict[str, Any]) -> None:
    """The write never left: it may be sent again."""
    portal.admin.fault(system="hubspot", route="*/token", **fault)
    connector = portal.app()
    write = Write("E-1", "create", "contacts", None, {"email": "ada@example.com"})
    with pytest.raises(Unavailable):
        connector.write([write])
    [outcome] = connector.write([write])
    assert outcome.status == "applied"


def test_when_the_token_cannot_be_renewed_between_two_creates_the_second_was_not_sent(portal: Logins) -> None:
    connector = portal.app()
    connector.owners()
    portal.admin.fault(system="hubspot", method="POST", route="*/contacts", nth=2, action="status", status=401)
    portal.admin.fault(system="hubspot", route="*/token", action="status", status=503)
    first, second = connector.write(
        [Write(f"E-{number}", "create", "contacts", None, {"email": f"p{number}@example.com"}) for number in (1, 2)]
    )
    assert first.status == "applied"
    assert second.status == "rejected"
    assert second.error is not None
    assert second.error.code == "NOT_SENT"


def test_a_refused_service_key_is_not_tried_twice(portal: Logins) -> None:
    connector = portal.app(None, refresh_token=None, token="pat-fake")
    with pytest.raises(AccessDenied):
        connector.owners()
    assert len(portal.admin.get("/journal?since=0")) == 1
