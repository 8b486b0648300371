"""The running emulator for every test, and a wall around the machine: no test reaches beyond loopback."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from connectors.emulator.admin_client import Admin
from connectors.emulator.clock import Clock
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator
from connectors.emulator.world import World

settings.register_profile("claims", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("claims")  # a busy machine is no counterexample

QUIET = Options(clock="virtual")


def is_here(host: object) -> bool:
    if host in {None, "", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Whatever a test does to logging, for instance by running ``truce run``, ends with it."""
    config, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**config)
    root.handlers, root.level = handlers, level


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Refuse every connection and every name that is not this machine."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(address: Any) -> None:
        if isinstance(address, tuple) and not is_here(address[0]):
            raise RuntimeError(f"a test tried to reach {address[0]}; tests stay on this machine")

    def checked_connect(self: socket.socket, address: Any) -> None:
        check(address)
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        check(address)
        return connect_ex(self, address)

    def checked_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        check((host,))
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", checked_connect)
        patch.setattr(socket.socket, "connect_ex", checked_connect_ex)
        patch.setattr(socket, "getaddrinfo", checked_getaddrinfo)
        yield


@pytest.fixture(scope="session")
def _emulator_process() -> Iterator[Emulator]:
    with Emulator.start(QUIET) as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator_process: Emulator) -> Iterator[Emulator]:
    """Both vendors, running, empty, on a virtual clock. A failure inside the emulator fails the test."""
    _emulator_process.renew(QUIET)
    yield _emulator_process
    assert _emulator_process.practice.failures == []


@pytest.fixture
def admin(emulator: Emulator) -> Admin:
    return Admin(emulator.admin_url)


@pytest.fixture
def world(emulator: Emulator) -> World:
    """The world behind the running emulator. Look at it while no request is under way."""
    return emulator.world


@pytest.fixture
def clock(world: World) -> Clock:
    """The emulator's clock; stands still until ``clock.advance(seconds)``."""
    return world.clock
