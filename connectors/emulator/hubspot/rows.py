"""Records one at a time, and the list."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.hubspot import refusals
from connectors.emulator.hubspot.associations import associate, linked
from connectors.emulator.hubspot.gate import body_of, check_scope, no_content, portal_of, reply
from connectors.emulator.hubspot.portal import Portal, api_actor
from connectors.emulator.hubspot.schema import Kind
from connectors.emulator.hubspot.shapes import flag, names_asked, shown
from connectors.emulator.world import Actor, Row


def actor_of(request: Request) -> Actor:
    return api_actor(
        portal_of(request),
        request.state.token,
        request.headers.get("x-request-id"),
        request.headers.get("x-truce-entry"),
    )


async def collection(request: Request) -> Response:
    """GET lists by ascending id; POST creates."""
    portal = portal_of(request)
    kind = portal.kind(request.path_params["type"])
    check_scope(request, kind.name, writing=request.method == "POST")
    if request.method == "POST":
        return await _create(request, portal, kind)
    history = names_asked(request, "propertiesWithHistory")
    most = 50 if history else 100
    limit = int(request.query_params.get("limit", "10"))
    if not 1 <= limit <= most:
        raise refusals.invalid(f"Invalid input: limit must be between 1 and {most}")
    archived = flag(request, "archived")
    after = int(request.query_params.get("after") or 0)
    ids = sorted(
        int(row.id)
        for row in portal.space.table(kind.name).values()
        if _is_listed(row, archived) and int(row.id) >= after
    )
    page = ids[:limit]
    names = names_asked(request, "properties")
    to_types = names_asked(request, "associations")
    results = []
    for number in page:
        row = portal.space.table(kind.name)[str(number)]
        document = shown(portal, kind, row, names, history=history)
        results.append({**document, **_associations(portal, kind, row, to_types)})
    answer: dict[str, Any] = {"results": results}
    if len(ids) > limit:
        link = f"https://api.hubapi.com{request.url.path}?after={ids[limit]}"
        answer["paging"] = {"next": {"after": str(ids[limit]), "link": link}}
    return reply(answer)


def _is_listed(row: Row, archived: bool) -> bool:
    return row.deleted is archived and row.merged_into is None


async def _create(request: Request, portal: Portal, kind: Kind) -> Response:
    document = await body_of(request)
    with portal.world.transaction("hubspot", actor_of(request)) as transaction:
        row = portal.create(transaction, kind, document.get("properties") or {})
        for each in document.get("associations") or []:
            associate(portal, transaction, kind, row.id, each)
    return reply(shown(portal, kind, row, list(document.get("properties") or {})), 201)


async def single(request: Request) -> Response:
    """GET, PATCH and DELETE of one record; a merged-away id answers with the survivor."""
    portal = portal_of(request)
    kind = portal.kind(request.path_params["type"])
    check_scope(request, kind.name, writing=request.method != "GET")
    record_id, by = request.path_params["id"], request.query_params.get("idProperty")
    if request.method == "DELETE":
        row = portal.resolve(kind, record_id)
        if row is None:
            raise refusals.not_found()
        if not row.deleted:
            with portal.world.transaction("hubspot", actor_of(request)) as transaction:
                transaction.mark(row, op="delete", deleted=True)
        return no_content()
    if request.method == "GET":
        row = _readable(request, portal, kind, record_id, by)
        names, history = names_asked(request, "properties"), names_asked(request, "propertiesWithHistory")
        document = shown(portal, kind, row, names, history=history)
        return reply({**document, **_associations(portal, kind, row, names_asked(request, "associations"))})
    document = await body_of(request)
    sent = document.get("properties") or {}
    row = portal.live(kind, record_id, by)
    with portal.world.transaction("hubspot", actor_of(request)) as transaction:
        portal.update(transaction, kind, row, sent)
    return reply(shown(portal, kind, row, list(sent), with_defaults=False))


def _readable(request: Request, portal: Portal, kind: Kind, record_id: str, by: str | None) -> Row:
    if flag(request, "archived"):
        row = portal.space.row(kind.name, record_id)
        if row is not None and row.deleted:
            return row
        raise refusals.not_found()
    return portal.live(kind, record_id, by)


def _associations(portal: Portal, kind: Kind, row: Row, to_types: list[str]) -> dict[str, Any]:
    found = {}
    for text in to_types:
        there = portal.kind(text)
        results = [
            {"id": row_id, "type": f"{kind.singular}_to_{there.singular}"}
            for row_id, _ in linked(portal, kind, row.id, there)
        ]
        if results:
            found[there.name] = {"results": results}
    return {"associations": found} if found else {}


async def merge(request: Request) -> Response:
    """Two records become a new one (since 2025-01); both old ids answer with it on a single GET."""
    portal = portal_of(request)
    kind = portal.kind(request.path_params["type"])
    check_scope(request, kind.name, writing=True)
    document = await body_of(request)
    row = merged(
        portal, kind, str(document.get("primaryObjectId")), str(document.get("objectIdToMerge")), actor_of(request)
    )
    return reply(shown(portal, kind, row, []))


def merged(portal: Portal, kind: Kind, primary_id: str, other_id: str, actor: Actor) -> Row:
    """Values of the primary, blanks filled from the other; its e-mail becomes an additional one."""
    primary, other = portal.live(kind, primary_id), portal.live(kind, other_id)
    if primary is other:
        raise refusals.invalid("Cannot merge an object with itself")
    past = [
        each
        for row in (primary, other)
        for each in str(row.values.get("hs_merged_object_ids") or "").split(";")
        if each
    ]
    if len(past) >= 250:
        raise refusals.Refusal(414, "Cannot have more than 250 identities on a profile", None)
    values = {name: primary.values.get(name) or other.values.get(name) for name in {**other.values, **primary.values}}
    values["hs_merged_object_ids"] = ";".join([primary.id, other.id, *past])
    emails = {
        str(row.values.get(name))
        for row in (primary, other)
        for name in ("email", "hs_additional_emails")
        if row.values.get(name)
    }
    more = sorted(emails - {str(values.get("email"))})
    if more:
        values["hs_additional_emails"] = ";".join(more)
    with portal.world.transaction("hubspot", actor) as transaction:
        number = portal.space.next_number(kind.name)
        row = transaction.create(kind.name, str(100 + number), values)
        for old in (primary, other):
            transaction.mark(old, op="merge", deleted=False, merged_into=row.id)
    return row
