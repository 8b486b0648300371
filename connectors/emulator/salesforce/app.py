"""Salesforce's side as one ASGI application: bytes in, one ``Call``, one ``Answer``, bytes out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.emulator.salesforce import absent, addresses, describing, granting, identity, limits, routes, sessions
from connectors.emulator.salesforce.bulk import running
from connectors.emulator.salesforce.bulk_one import endpoint as bulk_one
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal, not_found
from connectors.emulator.salesforce.replies import reply
from connectors.emulator.salesforce.soap import endpoint
from connectors.emulator.world import World

LONGEST_URI = 16_384
LONGEST_HEADERS = 16_384
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
VERSIONED = re.compile(r"/services/data/(v\d+(?:\.\d+)?)(/.*)?")


def application(world: World) -> Starlette:
    """The app of one world."""
    org = Org(world)
    org.space.on_finish = org.remember

    async def respond(request: Request) -> Response:
        return answer_to(org, request, await request.body())

    app = Starlette(routes=[Route("/{path:path}", respond, methods=METHODS)])
    app.router.redirect_slashes = False
    return app


def answer_to(org: Org, request: Request, body: bytes) -> Response:
    scope = request.scope
    raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    if len(raw_path) + len(scope["query_string"]) > LONGEST_URI:
        return reply(request.headers, _error(414, "URI_TOO_LONG", "URI too long"))
    if sum(len(name) + len(value) for name, value in scope["headers"]) > LONGEST_HEADERS:
        return reply(request.headers, _error(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", "Request header fields too large"))
    path = "/" + raw_path.partition("?")[0].strip("/")  # the vendor's own command line writes //services/data
    versioned = VERSIONED.fullmatch(path)
    if versioned is not None:
        return _versioned(org, request, body, *versioned.groups())
    answer = _without_token(org, request, path, body)
    state: dict[str, Any] = scope.setdefault("state", {})
    if answer is None or "route" not in state:
        state["route"] = path if answer is not None else "unknown"
    if answer is None:
        org.note_unknown(request.method, path)
        answer = routes.refused(_unknown(org, request, path), body)
    return reply(request.headers, readdressed(answer, request))


def _unknown(org: Org, request: Request, path: str) -> Refusal:
    """Apex REST asks for a session first, as everything under the versions does."""
    if not path.startswith(absent.APEX_REST):
        return not_found()
    try:
        sessions.user_of(org, request.headers)
    except Refusal as refusal:
        return refusal
    return absent.no_apex()


def _without_token(org: Org, request: Request, path: str, body: bytes) -> Answer | None:
    match path, request.method:
        case "/services/oauth2/token", "POST":
            return granting.token(org, request.headers, body)
        case "/services/oauth2/revoke", "POST":
            return granting.revoke(org, body)
        case "/services/oauth2/userinfo", "GET" | "POST":
            return identity.user_info(org, request.headers)
        case "/services/data", "GET":
            return Answer(200, describing.versions())
    named = identity.PATH.fullmatch(path)
    if named is not None and request.method == "GET":
        request.scope.setdefault("state", {})["route"] = "/id/{org}/{user}"
        return identity.identity(org, request.headers, request.query_params, *named.groups())
    over_async = bulk_one.PATH.fullmatch(path)
    if over_async is not None:
        request.scope.setdefault("state", {})["route"] = bulk_one.ROUTE
        places = over_async.groupdict()
        return bulk_one.answer_to(_call(org, request, body, places["version"], "", ""), places)
    return _over_soap(org, request, path, body)


def _over_soap(org: Org, request: Request, path: str, body: bytes) -> Answer | None:
    versioned = endpoint.PATH.fullmatch(path)
    if versioned is None or request.method != "POST":
        other = endpoint.ELSEWHERE.fullmatch(path) if request.method == "POST" else None
        return None if other is None else endpoint.refuse(_call(org, request, body, "", "", ""), other["api"])
    request.scope.setdefault("state", {})["route"] = "/services/Soap/u/{version}"
    return endpoint.answer_to(_call(org, request, body, versioned.group(1), "", ""))


def _versioned(org: Org, request: Request, body: bytes, version: str, rest: str | None) -> Response:
    """Version, token, allowance; then the handler; then the usage header on whatever came out."""
    request.scope.setdefault("state", {})["route"] = "/services/data/{version}"
    try:
        _check_version(version)
        user_id = sessions.user_of(org, request.headers)
    except Refusal as refusal:
        return reply(request.headers, routes.refused(refusal, body))
    call = _call(org, request, body, version, rest or "", user_id)
    route = routes.find(routes.split(call.path))
    request.scope["state"]["route"] = "unknown" if route is None else "/services/data/{version}" + route.template
    if limits.used(org) >= int(org.setting("daily_requests")):
        answer = _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    else:
        limits.count(org, 1)
        running.catch_up(org)
        answer = readdressed(routes.dispatch(call), request) if not call.path.strip("/") else routes.dispatch(call)
    answer.headers["Sforce-Limit-Info"] = limits.usage_header(org)
    return reply(request.headers, answer)


def _call(org: Org, request: Request, body: bytes, version: str, path: str, user_id: str) -> Call:
    named = request.headers.get("x-truce-entry", "")
    query = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    method = query.get("_HttpMethod", "POST").upper() if request.method == "POST" else request.method
    return Call(
        org=org,
        method="GET" if method == "HEAD" else method,
        version=version,
        path=path,
        query=query,
        headers=request.headers,
        user_id=user_id,
        request_id=request.scope.setdefault("state", {}).get("request_id"),
        entries=tuple(part.strip() for part in named.split(",") if part.strip()),
        body=body,
    )


def _check_version(version: str) -> None:
    """Raises Refusal: retired, or not there yet."""
    number = version.removeprefix("v")
    if float(number) < describing.VERSIONS.start:
        raise Refusal(410, "GONE", f"API version {number} is retired and no longer available")
    if not describing.serves(version):
        raise not_found()


def readdressed(answer: Answer, request: Request) -> Answer:
    document, told = (addresses.for_caller(part, request.headers) for part in (answer.document, answer.text))
    return replace(answer, document=document, text=told)


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, Refusal(status, code, message).body())
