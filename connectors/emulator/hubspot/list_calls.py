"""What an account may have and this one has none of, which readers are told the vendor's way: lists, property rules,
campaigns, e-mail events, forms, workflows; of communication preferences there is what holds, and no timeline.

Making one is not there: it is answered as an unknown path and listed.
"""

from __future__ import annotations

from starlette.responses import Response

from connectors.emulator.hubspot.call import Call
from connectors.emulator.hubspot.refusals import not_found
from connectors.emulator.hubspot.replies import reply

LIST_SCOPES = ["crm.lists.read"]
CONTENT_SCOPES, FORM_SCOPES, WORKFLOW_SCOPES = ["content"], ["forms"], ["automation"]


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


def no_campaigns(call: Call) -> Response:
    call.require(CONTENT_SCOPES)
    return reply({"campaigns": [], "hasMore": False, "offset": ""})


def no_such_campaign(call: Call) -> Response:
    """Raises Refusal: 404."""
    call.require(CONTENT_SCOPES)
    raise not_found()


def no_email_events(call: Call) -> Response:
    call.require(CONTENT_SCOPES)
    return reply({"events": [], "hasMore": False, "offset": ""})


def no_timeline(call: Call) -> Response:
    call.require(CONTENT_SCOPES)
    return reply({"timeline": [], "hasMore": False, "offset": ""})


def no_forms(call: Call) -> Response:
    call.require(FORM_SCOPES)
    return reply([])


def no_workflows(call: Call) -> Response:
    call.require(WORKFLOW_SCOPES)
    return reply({"workflows": []})
