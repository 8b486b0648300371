"""Salesforce's REST side as one ASGI application: routes, the gate every request passes, error bodies."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.emulator.salesforce import collections, describing, querying, records, tokens
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal, not_found
from connectors.emulator.salesforce.replies import reply
from connectors.emulator.world import World

Handler = Callable[[Request], Awaitable[Response]]
LONGEST_URI = 16_384
DATA = "/services/data/{version}"


def application(world: World) -> Starlette:
    """The app of one world."""
    app = Starlette(routes=_routes(), exception_handlers={404: _unknown, 405: _wrong_method})
    app.router.redirect_slashes = False
    app.state.org = Org(world)
    return app


def _routes() -> list[Route]:
    """Every path with and without a trailing slash."""
    table: list[tuple[str, Handler, list[str]]] = [
        ("/query", querying.query, ["GET"]),
        ("/queryAll", querying.query, ["GET"]),
        ("/queryall", querying.query, ["GET"]),
        ("/query/{locator}", querying.query, ["GET"]),
        ("/queryAll/{locator}", querying.query, ["GET"]),
        ("/limits", describing.limits, ["GET"]),
        ("/limits/recordCount", describing.record_count, ["GET"]),
        ("/sobjects", describing.all_objects, ["GET"]),
        ("/sobjects/{object}/describe", describing.one_object, ["GET"]),
        ("/sobjects/{object}/{what:updated_or_deleted}", records.replication, ["GET"]),
        ("/sobjects/{object}", records.collection, ["POST"]),
        ("/sobjects/{object}/{id}", records.single, ["GET", "PATCH", "DELETE"]),
        ("/sobjects/{object}/{field}/{value:path}", records.by_key, ["GET", "PATCH"]),
        ("/composite/sobjects", collections.write, ["POST", "PATCH", "DELETE"]),
        ("/composite/sobjects/{object}", collections.read, ["GET", "POST"]),
        ("/composite/sobjects/{object}/{field}", collections.write, ["PATCH"]),
    ]
    routes = [
        Route("/services/oauth2/token", _spoken(tokens.token), methods=["POST"]),
        Route("/services/data", _spoken(describing.versions)),
        Route("/services/data/", _spoken(describing.versions)),
    ]
    for path, handler, methods in table:
        for ending in ("", "/"):
            if "{what" in path:
                routes += [
                    Route(
                        DATA + path.replace("{what:updated_or_deleted}", word) + ending,
                        _gate(_with(handler, word)),
                        methods=methods,
                    )
                    for word in ("updated", "deleted")
                ]
            else:
                routes.append(Route(DATA + path + ending, _gate(handler), methods=methods))
    return routes


def _with(handler: Handler, word: str) -> Handler:
    async def handle(request: Request) -> Response:
        request.path_params["what"] = word
        return await handler(request)

    return handle


def _gate(handler: Handler) -> Handler:
    """Version, token, quota; then the handler; then the usage header."""

    async def handle(request: Request) -> Response:
        org: Org = request.app.state.org
        if len(str(request.url)) > LONGEST_URI:
            raise Refusal(414, "URI_TOO_LONG", "the request URI is too long")
        _check_version(request)
        tokens.check_token(org, request)
        most = int(org.setting("daily_requests"))
        used = int(org.space.settings.get("requests_used", 0))
        if used >= most:
            raise Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        org.space.settings["requests_used"] = used + 1
        answer = await handler(request)
        answer.headers["Sforce-Limit-Info"] = f"api-usage={used + 1}/{most}"
        return answer

    return _spoken(handle)


def _spoken(handler: Handler) -> Handler:
    """Refusals become Salesforce's error bodies."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return reply(request, refusal.body(), refusal.status)

    return handle


def _check_version(request: Request) -> None:
    match = re.fullmatch(r"v(\d+)\.0", request.path_params["version"])
    number = int(match.group(1)) if match else 0
    if 0 < number < 31:
        raise Refusal(410, "GONE", "this API version is no longer available")
    if number not in describing.VERSIONS:
        raise not_found()


async def _unknown(request: Request, error: Exception) -> Response:
    org: Org = request.app.state.org
    org.world.unknown.append({"system": "salesforce", "method": request.method, "path": request.url.path})
    return reply(request, not_found().body(), 404)


async def _wrong_method(request: Request, error: Exception) -> Response:
    message = f"HTTP Method '{request.method}' not allowed. Allowed are HEAD,GET,POST,PATCH,DELETE"
    return reply(request, Refusal(405, "METHOD_NOT_ALLOWED", message).body(), 405)
