"""The emulator's own door: act as a person, change the account, plan faults, move the clock, read the truth.

No vendor has it and the agent never uses it. Everything is JSON; nonsense is answered with 400 and why.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_args

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.emulator.audit import Cause
from connectors.emulator.persistence import snapshot, values_only
from connectors.emulator.practice import Desk, Practice
from connectors.emulator.staff import USUAL_PERSON, user_id
from connectors.emulator.world import Actor, Row, Space

Body = dict[str, Any]
Handler = Callable[[Practice, Body], Any]


def reply(content: Any, status: int = 200) -> Response:
    text = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
    return Response(text, status, media_type="application/json")


def admin_application(practice: Practice) -> Starlette:
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/health", health),
        ("GET", "/audit", audit),
        ("GET", "/truth", lambda practice, _: practice.truth),
        ("GET", "/snapshot", take_snapshot),
        ("PUT", "/snapshot", put_snapshot),
        ("GET", "/counters", lambda practice, _: practice.journal.counters()),
        ("DELETE", "/counters", clear_counters),
        ("GET", "/journal", lambda practice, query: practice.journal.since(int(query.get("since", 0)))),
        ("GET", "/unknown", lambda practice, _: practice.world.unknown),
        ("POST", "/create", create),
        ("POST", "/edit", edit),
        ("POST", "/delete", delete),
        ("POST", "/undelete", undelete),
        ("POST", "/merge", merge),
        ("POST", "/convert", convert),
        ("POST", "/link", link),
        ("POST", "/touch", touch),
        ("POST", "/purge", purge),
        ("POST", "/schema", lambda practice, body: desk_of(practice, body).schema(rest_of(body))),
        ("POST", "/permissions", lambda practice, body: desk_of(practice, body).permissions(rest_of(body))),
        ("POST", "/users", lambda practice, body: desk_of(practice, body).users(rest_of(body))),
        ("POST", "/tokens/revoke", revoke_tokens),
        ("POST", "/settings", change_setting),
        ("GET", "/clock", lambda practice, _: {"now": practice.world.clock.now().isoformat()}),
        ("POST", "/clock/advance", advance_clock),
        ("GET", "/faults", lambda practice, _: practice.faults.as_json()),
        ("POST", "/faults", lambda practice, body: practice.faults.post(body).as_json()),
        ("DELETE", "/faults", lambda practice, _: {"removed": practice.faults.remove()}),
        ("DELETE", "/faults/{id}", lambda practice, query: {"removed": practice.faults.remove(query["id"])}),
    ]
    known = [f"{method} {path}" for method, path, _ in table]
    table.append(("GET", "/", lambda practice, _: {"known": known}))
    return Starlette(routes=[Route(path, endpoint(practice, do), methods=[method]) for method, path, do in table])


def endpoint(practice: Practice, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler of plain data as an HTTP one: POST and PUT give it their JSON body, the others the query."""

    async def answer(request: Request) -> Response:
        try:
            if request.method in {"POST", "PUT"}:
                body = await json_body(request)
            else:
                body = {**request.query_params, **request.path_params}
            answered = reply(handler(practice, body))
            if request.method != "GET":
                practice.keep()
            return answered
        except KeyError as error:
            return reply({"error": said(error)}, 400)
        except (ValueError, TypeError) as error:
            return reply({"error": str(error)}, 400)

    return answer


def said(error: KeyError) -> str:
    """A desk's own sentence, or a name that somebody looked up in vain."""
    text = str(error.args[0]) if error.args else ""
    return text if " " in text else f"{text!r} is missing or not known"


async def json_body(request: Request) -> Body:
    raw = await request.body()
    try:
        body = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


def wanted(body: Mapping[str, Any], name: str) -> Any:
    if name not in body:
        raise ValueError(f"{name!r} is missing; given: {', '.join(sorted(body)) or 'nothing'}")
    return body[name]


def space_of(practice: Practice, body: Body) -> Space:
    system = wanted(body, "system")
    if system not in practice.world.spaces:
        raise ValueError(f"system {system!r} is none of {', '.join(practice.world.spaces)}")
    return practice.world.spaces[system]


def desk_of(practice: Practice, body: Body) -> Desk:
    return practice.desks[space_of(practice, body).system]


def rest_of(body: Body) -> Body:
    return {name: value for name, value in body.items() if name != "system"}


def actor_of(practice: Practice, body: Body) -> Actor:
    """Who acts: ``actor`` is a login, a user id, or {id, cause, name}; without it, Anna."""
    given = body.get("actor")
    space = space_of(practice, body)
    if given is None:
        given = USUAL_PERSON
    if isinstance(given, str):
        return Actor(user_id(space, given) or given, "person", given)
    if not isinstance(given, dict):
        raise ValueError("actor is a user id, or an object with id, cause and name")
    cause = given.get("cause", "person")
    if cause not in get_args(Cause):
        raise ValueError(f"cause {cause!r} is none of {', '.join(get_args(Cause))}")
    who = str(given.get("id", USUAL_PERSON))
    return Actor(user_id(space, who) or who, cause, name=str(given.get("name", who)))


def edit(practice: Practice, body: Body) -> Body:
    desk, actor = desk_of(practice, body), actor_of(practice, body)
    record_id = wanted(body, "id")
    desk.edit(wanted(body, "object"), record_id, wanted(body, "values"), actor=actor)
    return {"id": record_id}


def create(practice: Practice, body: Body) -> Body:
    desk, actor = desk_of(practice, body), actor_of(practice, body)
    return {"id": desk.create(wanted(body, "object"), wanted(body, "values"), actor=actor)}


def delete(practice: Practice, body: Body) -> Body:
    desk, actor = desk_of(practice, body), actor_of(practice, body)
    record_id = wanted(body, "id")
    desk.delete(wanted(body, "object"), record_id, actor=actor)
    return {"id": record_id}


def undelete(practice: Practice, body: Body) -> Body:
    desk, actor = desk_of(practice, body), actor_of(practice, body)
    record_id = wanted(body, "id")
    desk.undelete(wanted(body, "object"), record_id, actor=actor)
    return {"id": record_id}


def merge(practice: Practice, body: Body) -> Body:
    desk, actor = desk_of(practice, body), actor_of(practice, body)
    survivor, loser = wanted(body, "survivor"), wanted(body, "loser")
    return {"id": desk.merge(wanted(body, "object"), survivor, loser, actor=actor)}


def convert(practice: Practice, body: Body) -> Body:
    body = {"system": "salesforce", **body}
    options = {name: value for name, value in body.items() if name not in {"system", "id", "actor"}}
    return desk_of(practice, body).convert(wanted(body, "id"), actor=actor_of(practice, body), **options)


def link(practice: Practice, body: Body) -> Body:
    (from_type, from_id), (to_type, to_id) = wanted(body, "from"), wanted(body, "to")
    desk_of(practice, body).link(from_type, from_id, to_type, to_id, body.get("label"))
    return {"linked": True}


def touch(practice: Practice, body: Body) -> Body:
    """The system moves the stamp of many records at one moment and changes nothing (a tie for any cursor)."""
    space, object_type = space_of(practice, body), wanted(body, "object")
    rows = [row_of(space, object_type, record_id) for record_id in wanted(body, "ids")]
    with practice.world.transaction(space.system, Actor("system", "system")) as transaction:
        for row in rows:
            transaction.update(row, {}, system_only=True)
    return {"touched": len(rows)}


def purge(practice: Practice, body: Body) -> Body:
    """Remove for good: an emptied bin, a deletion for privacy."""
    record_id = str(wanted(body, "id"))
    desk_of(practice, body).purge(wanted(body, "object"), record_id, actor=actor_of(practice, body))
    return {"purged": record_id}


def row_of(space: Space, object_type: str, record_id: str) -> Row:
    row = space.tables.get(object_type, {}).get(str(record_id))
    if row is None:
        raise KeyError(f"{space.system} has no {object_type} {record_id}")
    return row


def revoke_tokens(practice: Practice, body: Body) -> Body:
    systems = [space_of(practice, body).system] if "system" in body else list(practice.desks)
    for system in systems:
        practice.desks[system].revoke_tokens()
    return {"revoked": systems}


def change_setting(practice: Practice, body: Body) -> Body:
    """Turn one behaviour switch. ``visible_delay_seconds`` is how late change queries see a change.

    Raises:
        ValueError: this side has no such switch.
    """
    space, name, value = space_of(practice, body), wanted(body, "name"), wanted(body, "value")
    if name == "visible_delay_seconds":
        space.visible_delay_seconds = float(value)
    else:
        known = desk_of(practice, body).switches
        if name not in known:
            raise ValueError(f"{name!r} is no switch of {space.system}; there are {', '.join(sorted(known))}")
        space.settings[name] = value
    return {"system": space.system, "name": name, "value": value}


def advance_clock(practice: Practice, body: Body) -> Body:
    seconds = wanted(body, "seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise ValueError(f"seconds must be a number from 0, not {json.dumps(seconds)}")
    return {"now": practice.world.clock.advance(seconds).isoformat()}


def clear_counters(practice: Practice, body: Body) -> Body:
    practice.journal.clear_counters()
    return {"cleared": True}


def take_snapshot(practice: Practice, body: Body) -> Body:
    """All of the world; with ``?only=values`` just the values of live records."""
    if body.get("only") == "values":
        return values_only(practice.world)
    return snapshot(practice.world)


def put_snapshot(practice: Practice, body: Body) -> Body:
    practice.restore(body)
    return {"restored": True}


def health(practice: Practice, body: Body) -> Body:
    """``ok`` is false once a handler of the emulator itself has failed."""
    return {
        "ok": not practice.failures,
        "now": practice.world.clock.now().isoformat(),
        "failures": practice.failures,
        "records": {
            system: {
                object_type: sum(not row.deleted for row in table.values())
                for object_type, table in sorted(space.tables.items())
            }
            for system, space in practice.world.spaces.items()
        },
        "last_seq": practice.world.next_seq - 1,
    }


def audit(practice: Practice, body: Body) -> list[Body]:
    """Lines after ``since``, oldest first."""
    since = int(body.get("since", 0))
    lines = practice.world.audit
    first = lines[0].seq if lines else 1
    return [line.as_json() for line in lines[max(since + 1 - first, 0) :]]
