"""Run the emulator: three small servers, Salesforce's, HubSpot's and the admin side, on one event loop."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

import uvicorn

from connectors.emulator.admin import admin_application
from connectors.emulator.practice import Options, Practice, Vendor
from connectors.emulator.wire import App, Protocol, Receive, Scope, Send
from connectors.emulator.world import World

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Door:
    """One listening port. What is behind it can be exchanged while it stays open."""

    def __init__(self, port: int) -> None:
        # asyncio disables Nagle only on a socket that says it is TCP; with it on, a call costs 40 ms.
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((LOOPBACK, port))
        except OSError:
            self.socket.close()
            raise
        self.url = f"http://{LOOPBACK}:{self.socket.getsockname()[1]}"
        self.app: App | None = None
        self.server = _Server(
            uvicorn.Config(
                self,
                http=Protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
                timeout_keep_alive=600,
                timeout_graceful_shutdown=1,
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is not None:
            await self.app(scope, receive, send)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class Emulator:
    """A running emulator. ``start`` returns when it answers; ``stop`` when nothing of it is left."""

    def __init__(self, options: Options, vendors: Mapping[str, Vendor] | None = None) -> None:
        self._vendors = vendors
        self.practice = Practice(options, vendors)
        ports = {"salesforce": options.salesforce_port, "hubspot": options.hubspot_port, "admin": options.admin_port}
        self._doors: dict[str, Door] = {}
        try:
            for name, port in ports.items():
                self._doors[name] = Door(port)
        except OSError:
            self._close_what_is_open()
            raise
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="emulator", daemon=True)
        self._ready: Future[None] = Future()
        self._open(self.practice)

    @classmethod
    def start(cls, options: Options | None = None, vendors: Mapping[str, Vendor] | None = None) -> Emulator:
        """Start on free or given ports.

        Raises:
            OSError: a port is taken.
        """
        emulator = cls(options or Options(), vendors)
        emulator._thread.start()
        emulator._ready.result(START_SECONDS)
        return emulator

    @property
    def world(self) -> World:
        return self.practice.world

    @property
    def credentials(self) -> dict[str, dict[str, str]]:
        return self.practice.credentials

    @property
    def salesforce_url(self) -> str:
        return self._doors["salesforce"].url

    @property
    def hubspot_url(self) -> str:
        return self._doors["hubspot"].url

    @property
    def admin_url(self) -> str:
        return self._doors["admin"].url

    def ready_line(self) -> str:
        """What a caller of the command line waits for."""
        urls: dict[str, Any] = {name: door.url for name, door in self._doors.items()}
        return json.dumps({**urls, "credentials": self.credentials})

    def renew(self, options: Options | None = None) -> None:
        """Replace the whole world behind the same ports, as a fresh start would."""
        practice = Practice(options or self.practice.options, self._vendors)
        old = self.practice
        old.hurry()
        self.call(lambda: self._open(practice))
        self.call(old.close)

    def call(self, action: Callable[[], T]) -> T:
        """Run something where the handlers run, so that no request sees it half done."""

        async def run() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(START_SECONDS)

    def stop(self) -> None:
        self.practice.hurry()
        for door in self._doors.values():
            door.server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self.practice.close()

    def _close_what_is_open(self) -> None:
        for door in self._doors.values():
            door.socket.close()
        self.practice.close()

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _open(self, practice: Practice) -> None:
        self.practice = practice
        for system, side in practice.sides.items():
            self._doors[system].app = side
        self._doors["admin"].app = admin_application(practice)

    def _run(self) -> None:
        try:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        servers = [asyncio.create_task(door.server.serve([door.socket])) for door in self._doors.values()]
        for door in self._doors.values():
            await door.server.listening.wait()
        self._ready.set_result(None)
        await asyncio.gather(*servers)


def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT. Prints one line of JSON when ready, nothing else.

    Raises:
        OSError: a port is taken.
        ValueError: an option is nonsense.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with Emulator.start(options) as emulator:
        sys.stdout.write(emulator.ready_line() + "\n")
        sys.stdout.flush()
        stopping.wait()
