"""What stands between the socket and a vendor's side: the Date header, the journal, and faults for real.

A drop happens on the transport, so that a client library sees what it would see when the network breaks.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import format_datetime
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from connectors.emulator.bad_rows import BAD_ROWS
from connectors.emulator.faults import Fault, FaultPlan
from connectors.emulator.journal import Journal, conditions_of, headers_shown, route_template
from connectors.emulator.spelling import spelling
from connectors.emulator.world import CURRENT_REQUEST, ENTRY_HEADER, World

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOG = logging.getLogger(__name__)
CONNECTION = "emulator.connection"
RELEASE_CHECK_SECONDS = 0.01


class ConnectionDropped(ConnectionError):
    """Raised to an in-process caller, where there is no socket to close."""


class Protocol(HttpToolsProtocol):
    """uvicorn's own protocol, which also hands the connection to the application, and spells headers as vendors do."""

    def connection_made(self, transport: Any) -> None:
        self._socket = transport
        super().connection_made(spelling(transport))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: {"transport": self._socket}}


class VendorSide:
    """ASGI wrapper around one vendor's application."""

    def __init__(self, system: str, app: App, world: World, journal: Journal, faults: FaultPlan) -> None:
        self.system = system
        self.app = app
        self.world = world
        self.journal = journal
        self.faults = faults
        self.failures: list[str] = []
        """Tracebacks of errors inside the vendor's application: bugs of the emulator, never of its caller."""
        self.closing = False
        self.after_change: Callable[[], None] = lambda: None
        """Called after each call that may have changed the account; for the state file."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request_id = self.journal.next_request_id(self.system)
        entry_id = header_of(scope, ENTRY_HEADER)
        scope.setdefault("state", {}).update(request_id=request_id, entry_id=entry_id)
        fault = self.faults.firing(self.system, scope["method"], scope["path"], request_id)
        reply = Reply(send, self.world)
        outer = CURRENT_REQUEST.set(request_id)
        headers = headers_shown(dict(scope))
        body = b""
        try:
            body = await whole_body(receive)
            receive = replaying(body, receive)
            if fault is None:
                await self._run(scope, receive, reply)
            else:
                await self._misbehave(fault, scope, receive, reply)
        finally:
            CURRENT_REQUEST.reset(outer)
            if scope["method"] != "GET":
                self.after_change()
            self.journal.record(
                time=self.world.clock.now().isoformat(),
                system=self.system,
                method=scope["method"],
                path=scope["path"],
                query=scope.get("query_string", b"").decode("latin-1"),
                route=route_template(dict(scope)),
                status=reply.status,
                fault=fault.id if fault else None,
                request_id=request_id,
                entry_id=entry_id,
                headers=headers,
                conditions=conditions_of(headers, body),
            )

    async def _run(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        try:
            await self.app(scope, receive, reply)
        except Exception:
            LOG.exception("the emulator failed while it answered %s %s", scope["method"], scope["path"])
            self.failures.append(traceback.format_exc())
            if reply.status is None:
                await reply.whole(500, {"content-type": "text/plain"}, b"The emulator itself failed; see /health.")

    async def _misbehave(self, fault: Fault, scope: Scope, receive: Receive, reply: Reply) -> None:
        if fault.action == "delay":
            await self._wait(fault.delay_seconds)
            await self._run(scope, receive, reply)
        elif fault.action == "drop_before":
            await drop(scope)
        elif fault.action == "late":
            await drop(scope)
            await self._wait(fault.delay_seconds)
            await self._run(scope, receive, Reply(discard, self.world))
        elif fault.action == "drop_after":
            await self._run(scope, receive, Reply(discard, self.world))
            await drop(scope)
        elif fault.action == "truncate":
            await self._truncate(scope, receive, reply)
        elif fault.action == "bad_row":
            await self._refuse_one_row(scope, receive, reply)
        else:
            if fault.applied:
                await self._run(scope, receive, Reply(discard, self.world))
            await reply.whole(*fault.reply(self.system))

    async def _refuse_one_row(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        """The call succeeds but for its first row: a partial result where the vendor knows one, else a refusal."""
        outer = BAD_ROWS.set(iter([True]))
        try:
            await self._run(scope, receive, reply)
        finally:
            BAD_ROWS.reset(outer)

    async def _truncate(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        """Promise the whole body in the header, send half of it, hang up."""
        collected = Collected()
        await self._run(scope, receive, Reply(collected, self.world))
        headers = [pair for pair in collected.headers if pair[0].lower() not in {b"content-length", b"date"}]
        headers.append((b"content-length", str(max(len(collected.body), 2)).encode()))
        await reply({"type": "http.response.start", "status": collected.status, "headers": headers})
        half = collected.body[: len(collected.body) // 2]
        await reply({"type": "http.response.body", "body": half, "more_body": True})
        await hang_up(scope)

    async def _wait(self, seconds: float) -> None:
        """Until so many real seconds have passed, or the emulator's clock was advanced by as many."""
        loop = asyncio.get_running_loop()
        due, due_at = loop.time() + seconds, self.world.clock.now().timestamp() + seconds
        while loop.time() < due and self.world.clock.now().timestamp() < due_at and not self.closing:
            await asyncio.sleep(min(RELEASE_CHECK_SECONDS, max(due - loop.time(), 0.0)))


async def whole_body(receive: Receive) -> bytes:
    """Taken in first: what a vendor has received it carries out, even when the caller hangs up."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def replaying(body: bytes, receive: Receive) -> Receive:
    kept: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return kept.pop() if kept else await receive()

    return replay


class Reply:
    """The way back to the client: adds the Date header and remembers the status."""

    def __init__(self, send: Send, world: World) -> None:
        self._send = send
        self._world = world
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            date = format_datetime(self._world.clock.now(), usegmt=True).encode()
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"date"]
            message = {**message, "headers": [*kept, (b"date", date)]}
        await self._send(message)

    async def whole(self, status: int, headers: dict[str, str], body: bytes) -> None:
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        pairs.append((b"content-length", str(len(body)).encode()))
        await self({"type": "http.response.start", "status": status, "headers": pairs})
        await self({"type": "http.response.body", "body": body})


class Collected:
    """A reply kept back from the client."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
        else:
            self.body += message.get("body", b"")


async def discard(message: Message) -> None:
    """Where the reply of a dropped request goes."""


async def drop(scope: Scope) -> None:
    """Close the connection at once, without a byte.

    Raises:
        ConnectionDropped: there is no socket, the caller is in this process.
    """
    transport = transport_of(scope)
    if transport is None:
        raise ConnectionDropped("the emulator dropped this call on purpose")
    transport.abort()
    await settled()


async def hang_up(scope: Scope) -> None:
    """Close the connection after what was already written.

    Raises:
        ConnectionDropped: there is no socket, the caller is in this process.
    """
    transport = transport_of(scope)
    if transport is None:
        raise ConnectionDropped("the emulator cut this reply short on purpose")
    transport.close()
    await settled()


async def settled() -> None:
    """Let the event loop tell the protocol, so that the server does not complain of a missing reply."""
    for _ in range(3):
        await asyncio.sleep(0)


def transport_of(scope: Scope) -> asyncio.Transport | None:
    transport = scope.get("extensions", {}).get(CONNECTION, {}).get("transport")
    return transport if isinstance(transport, asyncio.Transport) else None


def header_of(scope: Scope, name: str) -> str | None:
    wanted = name.encode()
    for key, value in scope.get("headers", ()):
        if key.lower() == wanted:
            return str(value.decode("latin-1"))
    return None
