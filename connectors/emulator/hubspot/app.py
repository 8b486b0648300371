"""HubSpot's side as one ASGI application: bytes in, one ``Call``, one reply, bytes out."""

from __future__ import annotations

import gzip
import zlib
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.hubspot import routes
from connectors.emulator.hubspot.access import NOBODY, access_of
from connectors.emulator.hubspot.call import Call
from connectors.emulator.hubspot.limits import Limits
from connectors.emulator.hubspot.portal import SYSTEM, Portal, correlation_id
from connectors.emulator.hubspot.records import Records
from connectors.emulator.hubspot.refusals import Refusal, malformed, text
from connectors.emulator.hubspot.replies import page_not_there, reply, zipped
from connectors.emulator.wire import App, Receive, Scope, Send
from connectors.emulator.world import World


def application(world: World) -> App:
    """The app of one world. No framework routes it: a path may hold any character, line ends included."""
    side = Side(world)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = side.answer(request, await request.body())
        await zipped(answer, request.headers)(scope, receive, send)

    return app


class Side:
    """The portal behind its front door."""

    def __init__(self, world: World) -> None:
        self.portal = Portal(world)
        self.portal.make_room()
        self.records = Records(self.portal)
        self.limits = Limits(self.portal)

    def answer(self, request: Request, body: bytes) -> Response:
        state: dict[str, Any] = request.scope.setdefault("state", {})
        request_id = str(state.get("request_id", ""))
        segments = routes.split(request.scope.get("raw_path") or request.scope["path"].encode())
        found = routes.find(segments)
        state["route"] = found.template if found is not None else "unknown"
        try:
            body = plain_body(request, body)
            if found is None:
                return self._unknown(request)
            return self._handled(request, body, found, segments)
        except Refusal as refusal:
            return refused(refusal, request_id)

    def _handled(self, request: Request, body: bytes, route: routes.Route, segments: list[str]) -> Response:
        """Token, limits, then the handler; the headers that tell of the limits on whatever came out."""
        handler = route.methods.get(request.method)
        if handler is None:
            return self._unknown(request, 405)
        access, headers, request_id = NOBODY, dict[str, str](), str(request.scope["state"].get("request_id", ""))
        if not route.is_open:
            access = access_of(self.portal, request.headers.get("authorization", ""))
            headers = self.limits.count(access, is_search=route.is_search)
        named = request.headers.get("x-truce-entry", "")
        call = Call(
            portal=self.portal,
            records=self.records,
            version=route.version,
            host=request.headers.get("host", "api.hubapi.com"),
            path=request.scope["path"],
            params=route.params(segments),
            query=parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True),
            raw=body,
            request_id=request_id,
            access=access,
            entries=tuple(part.strip() for part in named.split(",") if part.strip()),
        )
        try:
            answer = handler(call)
        except Refusal as refusal:
            answer = refused(refusal, request_id)
        answer.headers.update(headers)
        return answer

    def _unknown(self, request: Request, status: int = 404) -> Response:
        """No such path, or no such method of a path that is there."""
        line = {"system": SYSTEM, "method": request.method, "path": request.scope["path"]}
        self.portal.world.unknown.append(line)
        return page_not_there(status)


def plain_body(request: Request, body: bytes) -> bytes:
    """Raises Refusal: 400, the body is not what its header says."""
    if request.headers.get("content-encoding", "").lower() != "gzip":
        return body
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        raise malformed(text("not_gzip")) from None


def refused(refusal: Refusal, request_id: str) -> Response:
    number = correlation_id(request_id)
    body = refusal.body(number)
    if refusal.status == 429:
        body["requestId"] = number
    answer = reply(body, refusal.status)
    answer.headers.update(refusal.headers)
    return answer
