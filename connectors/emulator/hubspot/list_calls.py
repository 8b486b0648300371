"""Lists and property rules that an account may have: this one has none, which readers are told the vendor's way.

Making one is not there: it is answered as an unknown path and listed.
"""

from __future__ import annotations

from starlette.responses import Response

from connectors.emulator.hubspot.call import Call
from connectors.emulator.hubspot.refusals import not_found
from connectors.emulator.hubspot.replies import reply

LIST_SCOPES = ["crm.lists.read"]


def several_lists(call: Call) -> Response:
    call.require(LIST_SCOPES)
    return reply({"lists": []})


def search_lists(call: Call) -> Response:
    call.require(LIST_SCOPES)
    return reply({"offset": 0, "hasMore": False, "lists": [], "total": 0})


def no_such_list(call: Call) -> Response:
    """Raises Refusal: 404."""
    call.require(LIST_SCOPES)
    raise not_found()


def lists_of_record(call: Call) -> Response:
    call.require(LIST_SCOPES)
    return reply({"results": [], "total": 0})


def no_rules(call: Call) -> Response:
    """Rules on the values of properties."""
    call.require(call.kind.schema_scopes("read"))
    return reply({"results": []})


def no_such_rule(call: Call) -> Response:
    """Raises Refusal: 404."""
    call.require(call.kind.schema_scopes("read"))
    raise not_found()
