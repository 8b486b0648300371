"""Planned faults reach a real client as the network would deliver them."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.emulator.admin_client import Admin, AdminRefusedError
from connectors.emulator.practice import Options, Practice, Vendor
from connectors.emulator.serve import Emulator
from connectors.emulator.wire import CONNECTION, ConnectionDropped
from connectors.emulator.world import Actor, World


class Bare:
    """A vendor of two routes, enough to see what the wire does around any application."""

    def __init__(self, system: str) -> None:
        self.system = system

    def application(self, world: World) -> Starlette:
        async def write(request: Request) -> Response:
            number = str(world.spaces[self.system].next_number("thing"))
            with world.transaction(self.system, Actor("api", "api")) as transaction:
                transaction.create("thing", number, await request.json())
            return JSONResponse({"id": number, "padding": "x" * 1000}, 201)

        async def read(request: Request) -> Response:
            if request.path_params["id"] == "broken":
                raise RuntimeError("a handler broke")
            row = world.spaces[self.system].row("thing", request.path_params["id"])
            return JSONResponse(row.values if row else {}, 200 if row else 404)

        async def wire(request: Request) -> Response:
            connection = request.scope["extensions"][CONNECTION]["transport"].get_extra_info("socket")
            return JSONResponse({"nodelay": connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0})

        routes = [Route("/things", write, methods=["POST"]), Route("/things/{id}", read), Route("/wire", wire)]
        return Starlette(routes=routes)


class NoDesk:
    def __init__(self, world: World) -> None:
        self.world = world

    def provision(self, credentials: dict[str, Any]) -> None:
        pass


no_desk: Any = NoDesk
BARE = {system: Vendor(Bare(system).application, no_desk) for system in ("salesforce", "hubspot")}


@pytest.fixture(scope="module")
def _bare_process() -> Iterator[Emulator]:
    with Emulator.start(Options(clock="virtual"), BARE) as emulator:
        yield emulator


@pytest.fixture
def bare(_bare_process: Emulator) -> Emulator:
    _bare_process.renew()
    return _bare_process


@pytest.fixture
def doors(bare: Emulator) -> Admin:
    return Admin(bare.admin_url)


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def post(client: requests.Session, emulator: Emulator, system: str = "salesforce") -> requests.Response:
    url = emulator.salesforce_url if system == "salesforce" else emulator.hubspot_url
    return client.post(f"{url}/things", json={"name": "a"}, timeout=5)


def things(emulator: Emulator, system: str = "salesforce") -> int:
    return len(emulator.world.spaces[system].table("thing"))


def test_drop_before_closes_the_socket_and_nothing_happened(
    bare: Emulator, doors: Admin, client: requests.Session
) -> None:
    doors.fault(action="drop_before", method="POST")
    with pytest.raises(requests.ConnectionError):
        post(client, bare)
    assert things(bare) == 0
    assert post(client, bare).status_code == 201


def test_drop_after_closes_the_socket_but_the_write_happened(
    bare: Emulator, doors: Admin, client: requests.Session
) -> None:
    doors.fault(action="drop_after", route="/things")
    with pytest.raises(requests.ConnectionError):
        post(client, bare)
    assert things(bare) == 1


def test_status_answers_with_the_vendors_own_body_and_runs_nothing(
    bare: Emulator, doors: Admin, client: requests.Session
) -> None:
    doors.fault(action="status", status=429, system="hubspot")
    reply = post(client, bare, "hubspot")
    assert (reply.status_code, reply.json()["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
    assert things(bare, "hubspot") == 0


def test_status_sends_what_was_posted(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    doors.fault(action="status", status=477, headers={"Retry-After": "5"}, body={"message": "moving"})
    reply = post(client, bare)
    assert (reply.status_code, reply.headers["Retry-After"], reply.json()) == (
        477,
        "5",
        {"message": "moving"},
    )


def test_status_applied_hides_a_write_that_happened(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    doors.fault(action="status", status=503, applied=True)
    assert post(client, bare).status_code == 503
    assert things(bare) == 1


def test_html_200_is_no_json(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    doors.fault(action="html_200")
    reply = post(client, bare)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    with pytest.raises(requests.JSONDecodeError):
        reply.json()
    assert things(bare) == 0


def test_truncate_breaks_off_after_the_write(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    doors.fault(action="truncate")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        post(client, bare)
    assert things(bare) == 1


def test_delay_lets_the_client_give_up_and_applies_later(
    bare: Emulator, doors: Admin, client: requests.Session
) -> None:
    doors.fault(action="delay", delay_seconds=3600)
    with pytest.raises(requests.ReadTimeout):
        client.post(f"{bare.salesforce_url}/things", json={}, timeout=0.05)
    assert things(bare) == 0
    doors.post("/clock/advance", seconds=3600)
    while doors.get("/counters")["total"] == 0:
        pass
    assert things(bare) == 1


def test_late_hangs_up_at_once_and_applies_when_the_time_has_come(
    bare: Emulator, doors: Admin, client: requests.Session
) -> None:
    doors.fault(action="late", delay_seconds=3600)
    with pytest.raises(requests.ConnectionError):
        post(client, bare)
    assert things(bare) == 0
    doors.post("/clock/advance", seconds=3600)
    while doors.get("/counters")["total"] == 0:
        pass
    assert things(bare) == 1


def test_the_journal_shows_what_a_call_said_but_no_secret(
    bare: Emulator, doors: Admin, client: requests.Session
) -> None:
    sub = {"compositeRequest": [{"httpHeaders": {"If-Unmodified-Since": "x"}}] * 2}
    said = {"Authorization": "Bearer practice", "If-Unmodified-Since": "x", "X-Own": "1"}
    client.post(f"{bare.salesforce_url}/things", json=sub, headers=said)
    (call,) = doors.get("/journal")
    assert (call["headers"]["x-own"], call["conditions"]) == ("1", 3)
    assert "practice" not in str(call)


def test_stopping_waits_for_no_planned_delay() -> None:
    emulator = Emulator.start(Options(clock="virtual"), BARE)
    doors = Admin(emulator.admin_url)
    doors.fault(action="delay", delay_seconds=3600)
    caller = threading.Thread(target=lambda: requests.get(f"{emulator.hubspot_url}/wire", timeout=60))
    caller.start()
    while doors.get("/faults")[0]["fired_count"] == 0:
        pass
    emulator.stop()
    caller.join(10)
    assert not caller.is_alive()


def test_nth_counts_matching_requests_since_posting(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    post(client, bare)
    doors.fault(id="third", action="status", status=500, nth=3, times=2, method="POST")
    assert [post(client, bare).status_code for _ in range(6)] == [201, 201, 500, 500, 201, 201]
    (fault,) = doors.get("/faults")
    assert (fault["id"], fault["seen"], fault["fired_count"]) == ("third", 6, 2)
    assert [fired["nth"] for fired in fault["fired"]] == [3, 4]


def test_always_lasts_until_removed(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    doors.fault(id="down", action="status", status=503, times="always")
    assert [post(client, bare).status_code for _ in range(3)] == [503, 503, 503]
    assert doors.delete("/faults/down") == {"removed": 1}
    assert post(client, bare).status_code == 201


@pytest.mark.parametrize(
    ("narrowing", "hit"),
    [
        ({"system": "salesforce"}, True),
        ({"system": "hubspot"}, False),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"route": "/thi"}, True),
        ({"route": "/other"}, False),
        ({"route": "/th*s"}, True),
        ({"route": "/*/read"}, False),
    ],
)
def test_a_fault_hits_only_what_it_names(
    bare: Emulator, doors: Admin, client: requests.Session, narrowing: dict[str, str], hit: bool
) -> None:
    doors.fault(action="status", status=500, **narrowing)
    assert (post(client, bare).status_code == 500) is hit


def test_faults_never_touch_the_admin_side(bare: Emulator, doors: Admin) -> None:
    doors.fault(action="status", status=500, times="always")
    assert doors.get("/health")["ok"] is True


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"action": "explode"}, "none of"),
        ({"action": "status", "colour": "red"}, "colour"),
        ({"action": "status", "nth": 0}, "nth"),
        ({"action": "status", "times": "often"}, "times"),
        ({"action": "status", "system": "sap"}, "neither"),
    ],
)
def test_a_nonsense_fault_is_refused_with_the_reason(
    bare: Emulator, doors: Admin, fault: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(AdminRefusedError, match=complaint):
        doors.fault(**fault)


def test_removing_a_fault_that_is_not_there_is_refused(bare: Emulator, doors: Admin) -> None:
    with pytest.raises(AdminRefusedError, match="no fault 'ghost'"):
        doors.delete("/faults/ghost")


def test_every_reply_carries_the_emulators_date(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    assert post(client, bare).headers["Date"] == "Mon, 02 Nov 2026 09:00:00 GMT"
    doors.post("/clock/advance", seconds=61)
    doors.fault(action="status", status=500)
    assert post(client, bare).headers["Date"] == "Mon, 02 Nov 2026 09:01:01 GMT"


def test_counters_know_system_route_and_status(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    doors.fault(action="drop_before", nth=2)
    post(client, bare)
    with pytest.raises(requests.ConnectionError):
        post(client, bare)
    client.get(f"{bare.hubspot_url}/things/7", timeout=5)
    assert doors.get("/counters") == {
        "total": 3,
        "systems": {
            "hubspot": {"calls": 1, "routes": {"GET /things/{id}": {"404": 1}}},
            "salesforce": {"calls": 2, "routes": {"POST /things": {"201": 1, "dropped": 1}}},
        },
    }


def test_journal_names_request_fault_and_ledger_entry(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    doors.fault(id="f", action="status", status=500)
    client.get(f"{bare.salesforce_url}/things/1?a=b", headers={"X-Truce-Entry": "E-1"}, timeout=5)
    (call,) = doors.get("/journal")
    assert (call["request_id"], call["query"], call["fault"], call["entry_id"], call["status"]) == (
        "salesforce-000001",
        "a=b",
        "f",
        "E-1",
        500,
    )


def test_a_broken_handler_is_a_500_and_shows_in_health(bare: Emulator, doors: Admin, client: requests.Session) -> None:
    assert client.get(f"{bare.salesforce_url}/things/broken", timeout=5).status_code == 500
    health = doors.get("/health")
    assert health["ok"] is False
    assert "a handler broke" in health["failures"][0]


def test_sockets_send_without_delay(bare: Emulator, client: requests.Session) -> None:
    """Nagle's algorithm with delayed acknowledgements would make each call cost 40 ms."""
    for url in (bare.salesforce_url, bare.hubspot_url):
        assert client.get(f"{url}/wire", timeout=5).json() == {"nodelay": True}


def test_a_taken_port_leaves_nothing_open(bare: Emulator) -> None:
    taken = int(bare.hubspot_url.rpartition(":")[2])
    with pytest.raises(OSError, match="Address already in use"):
        Emulator(Options(hubspot_port=taken), BARE)


def test_without_a_socket_a_drop_is_raised() -> None:
    """The wrapper also serves callers in the same process."""
    practice = Practice(Options(clock="virtual"), BARE)
    practice.faults.post({"action": "drop_before"})
    scope = {"type": "http", "method": "GET", "path": "/wire", "headers": [], "query_string": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        raise AssertionError("nothing may be sent")

    with pytest.raises(ConnectionDropped):
        asyncio.run(practice.sides["hubspot"](scope, receive, send))
    assert practice.journal.since(0)[0]["status"] is None
