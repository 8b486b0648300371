"""HubSpot's REST side as one ASGI application: the same handlers under v3, v4 and the dated paths."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.emulator.hubspot import account, associations, batch, rows, searching
from connectors.emulator.hubspot.gate import gated, portal_of, reply
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.refusals import Refusal, not_found
from connectors.emulator.world import World

Handler = Callable[[Request], Awaitable[Response]]
DATED = ("2026-03", "2026-09")


def application(world: World) -> Starlette:
    app = Starlette(routes=_routes(), exception_handlers={404: _unknown, 405: _wrong_method})
    app.router.redirect_slashes = False
    app.state.portal = Portal(world)
    return app


def _routes() -> list[Route]:
    routes: list[Route] = []

    def add(path: str, handler: Handler, methods: list[str], *, is_search: bool = False) -> None:
        for ending in ("", "/"):
            routes.append(Route(path + ending, gated(handler, is_search=is_search), methods=methods))

    for base in ("/crm/v3/objects", *(f"/crm/objects/{version}" for version in DATED)):
        add(base + "/{type}/search", searching.search, ["POST"], is_search=True)
        for word, handler in (
            ("read", batch.read),
            ("create", batch.create),
            ("update", batch.update),
            ("upsert", batch.upsert),
            ("archive", batch.archive),
        ):
            add(base + "/{type}/batch/" + word, handler, ["POST"])
        add(base + "/{type}/merge", rows.merge, ["POST"])
        add(base + "/{type}", rows.collection, ["GET", "POST"])
        add(base + "/{type}/{id}", rows.single, ["GET", "PATCH", "DELETE"])
    for base in ("/crm/v4/objects", *(f"/crm/objects/{version}" for version in DATED)):
        add(base + "/{type}/{id}/associations/default/{to}/{to_id}", associations.pair, ["PUT"])
        add(base + "/{type}/{id}/associations/{to}/{to_id}", associations.pair, ["PUT", "DELETE"])
        add(base + "/{type}/{id}/associations/{to}", associations.listing, ["GET"])
    for base in ("/crm/v3/properties", *(f"/crm/properties/{version}" for version in DATED)):
        add(base + "/{type}", account.properties, ["GET", "POST"])
        add(base + "/{type}/{name}", account.one_property, ["GET", "PATCH", "DELETE"])
    for base in ("/crm/v3/pipelines", *(f"/crm/pipelines/{version}" for version in DATED)):
        add(base + "/{type}", account.pipelines, ["GET"])
    for base in ("/crm/v3/owners", *(f"/crm/owners/{version}" for version in DATED)):
        add(base, account.owners, ["GET"])
        add(base + "/{id}", account.owner, ["GET"])
    for version in ("v3", *DATED):
        add(f"/account-info/{version}/details", account.details, ["GET"])
    return routes


async def _unknown(request: Request, error: Exception) -> Response:
    portal = portal_of(request)
    portal.world.unknown.append({"system": "hubspot", "method": request.method, "path": request.url.path})
    portal.answered += 1
    return reply(not_found().body(portal.answered), 404)


async def _wrong_method(request: Request, error: Exception) -> Response:
    return reply(Refusal(405, f"HTTP {request.method} is not supported", None).body(1), 405)
