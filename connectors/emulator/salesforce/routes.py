"""Which path leads to which handler. Segments in braces are named parts; case does not matter outside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from connectors.emulator.salesforce import (
    absent,
    collections,
    describing,
    keys,
    layouts,
    limits,
    listviews,
    passwords,
    querying,
    replication,
    rows,
    screens,
    searching,
    tree,
)
from connectors.emulator.salesforce.bulk import ingest, query_jobs
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.refusals import Refusal, Unreadable, not_found
from connectors.emulator.salesforce.tooling import endpoint as tooling

Handler = Callable[[Call], Answer]
Paths = list[tuple[str, dict[str, Handler]]]


@dataclass(frozen=True, slots=True)
class Route:
    """``literals`` are the fixed segments in lower case, None where a named part stands."""

    template: str
    literals: tuple[str | None, ...]
    names: tuple[str, ...]
    methods: dict[str, Handler]

    def matches(self, segments: list[str]) -> bool:
        return len(segments) == len(self.literals) and all(
            literal is None or literal == segment.lower()
            for literal, segment in zip(self.literals, segments, strict=True)
        )

    def places(self, segments: list[str]) -> dict[str, str]:
        named = [segment for literal, segment in zip(self.literals, segments, strict=True) if literal is None]
        return dict(zip(self.names, named, strict=True))


GENERAL: Paths = [
    ("", {"GET": describing.resources}),
    ("/query", {"GET": querying.query}),
    ("/queryAll", {"GET": querying.query_all}),
    ("/query/{locator}", {"GET": querying.next_page}),
    ("/queryAll/{locator}", {"GET": querying.next_page}),
    ("/search", {"GET": searching.search}),
    ("/limits", {"GET": limits.limits}),
    ("/recent", {"GET": describing.recent}),
    ("/tabs", {"GET": screens.tabs}),
    ("/theme", {"GET": screens.theme}),
    ("/appMenu", {"GET": screens.menus}),
    ("/appMenu/AppSwitcher", {"GET": screens.apps}),
    ("/appMenu/Salesforce1", {"GET": screens.mobile_menu}),
    ("/quickActions", {"GET": screens.actions}),
    ("/process/rules", {"GET": absent.rules}),
    ("/process/approvals", {"GET": absent.approvals}),
    ("/analytics/reports", {"GET": absent.nothing}),
    ("/analytics/dashboards", {"GET": absent.nothing}),
    ("/limits/recordCount", {"GET": limits.record_count}),
]

RECORDS: Paths = [
    ("/sobjects", {"GET": describing.all_objects}),
    ("/sobjects/{object}", {"GET": describing.basic_information, "POST": rows.create}),
    ("/sobjects/{object}/describe", {"GET": describing.one_object}),
    ("/sobjects/{object}/updated", {"GET": replication.updated}),
    ("/sobjects/{object}/deleted", {"GET": replication.deleted}),
    ("/sobjects/{object}/listviews", {"GET": listviews.every}),
    ("/sobjects/{object}/listviews/{view}", {"GET": listviews.one}),
    ("/sobjects/{object}/listviews/{view}/describe", {"GET": listviews.described}),
    ("/sobjects/{object}/listviews/{view}/results", {"GET": listviews.results}),
    ("/sobjects/{object}/quickActions", {"GET": screens.actions}),
    ("/sobjects/{object}/describe/layouts", {"GET": layouts.layouts}),
    ("/sobjects/{object}/describe/layouts/{part}", {"GET": layouts.of_record_type}),
    ("/sobjects/{object}/describe/compactLayouts", {"GET": layouts.compact_layouts}),
    ("/sobjects/{object}/describe/compactLayouts/{part}", {"GET": layouts.one_compact_layout}),
    ("/sobjects/{object}/describe/approvalLayouts", {"GET": layouts.approval_layouts}),
    ("/sobjects/{object}/{id}", {"GET": rows.read, "PATCH": rows.change, "DELETE": rows.delete}),
    ("/sobjects/{object}/describe/{part}", {}),
    (
        "/sobjects/User/{id}/password",
        {"GET": passwords.told, "POST": passwords.change, "DELETE": passwords.reset},
    ),
    ("/sobjects/{object}/{field}/{value}", {"GET": keys.read, "PATCH": keys.upsert, "DELETE": keys.delete}),
]
"""One without methods is not there, and no record by its key either."""

JOBS: Paths = [
    ("/jobs/ingest", {"GET": ingest.listed, "POST": ingest.create}),
    ("/jobs/ingest/{id}", {"GET": ingest.details, "PATCH": ingest.change_state, "DELETE": ingest.remove}),
    ("/jobs/ingest/{id}/batches", {"PUT": ingest.upload}),
    ("/jobs/ingest/{id}/successfulResults", {"GET": ingest.successful}),
    ("/jobs/ingest/{id}/failedResults", {"GET": ingest.failed}),
    ("/jobs/ingest/{id}/unprocessedrecords", {"GET": ingest.unprocessed}),
    ("/jobs/query", {"GET": query_jobs.listed, "POST": query_jobs.create}),
    (
        "/jobs/query/{id}",
        {"GET": query_jobs.details, "PATCH": query_jobs.change_state, "DELETE": query_jobs.remove},
    ),
    ("/jobs/query/{id}/results", {"GET": query_jobs.results}),
    ("/jobs/query/{id}/resultPages", {"GET": query_jobs.result_pages}),
]

TOOLING: Paths = [
    ("/tooling", {"GET": tooling.resources}),
    ("/tooling/query", {"GET": tooling.query}),
    ("/tooling/query/{locator}", {"GET": tooling.next_page}),
    ("/tooling/sobjects", {"GET": tooling.all_objects}),
    ("/tooling/sobjects/{object}", {"GET": tooling.basic_information}),
    ("/tooling/sobjects/{object}/describe", {"GET": tooling.one_object}),
    ("/tooling/sobjects/{object}/{id}", {"GET": tooling.read}),
]


@cache
def table() -> tuple[Route, ...]:
    """More exact paths first."""
    from connectors.emulator.salesforce import composite  # it dispatches itself

    together: Paths = [
        ("/composite", {"POST": composite.composite}),
        ("/composite/batch", {"POST": composite.batch}),
        ("/composite/graph", {"POST": composite.graphs}),
        ("/composite/tree/{object}", {"POST": tree.create}),
        (
            "/composite/sobjects",
            {"POST": collections.create, "PATCH": collections.update, "DELETE": collections.delete},
        ),
        ("/composite/sobjects/{object}", {"GET": collections.read, "POST": collections.read}),
        ("/composite/sobjects/{object}/{field}", {"PATCH": collections.upsert}),
    ]
    return tuple(_route(path, methods) for path, methods in (*together, *GENERAL, *RECORDS, *JOBS, *TOOLING))


def _route(path: str, methods: dict[str, Handler]) -> Route:
    segments = path.split("/")[1:]
    literals = tuple(None if segment.startswith("{") else segment.lower() for segment in segments)
    names = tuple(segment.strip("{}") for segment in segments if segment.startswith("{"))
    return Route(path, literals, names, methods)


def find(segments: list[str]) -> Route | None:
    return next((route for route in table() if route.matches(segments)), None)


def dispatch(call: Call) -> Answer:
    """Answer a sub-request; refusals become its body."""
    try:
        return route_and_answer(call)
    except Refusal as refusal:
        return refused(refusal, call.body)


def route_and_answer(call: Call) -> Answer:
    """Raises Refusal: unknown path or wrong method (noted for the admin side), or whatever the handler refuses."""
    segments = split(call.path)
    route = find(segments)
    handler = None if route is None else route.methods.get(call.method)
    if handler is None:
        call.org.note_unknown(call.method, f"/services/data/{call.version}/{call.path.lstrip('/')}")
    if route is None or not route.methods:
        raise not_found()
    if handler is None:
        allowed = ",".join(sorted({"HEAD", *route.methods}))
        message = f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}"
        raise Refusal(405, "METHOD_NOT_ALLOWED", message)
    return handler(call.at(route.template, route.places(segments)))


def refused(refusal: Refusal, body: bytes) -> Answer:
    if isinstance(refusal, Unreadable):
        refusal.locate(body)
    return Answer(refusal.status, refusal.body())


def split(path: str) -> list[str]:
    """Decoded segments, without the leading and a trailing slash."""
    from urllib.parse import unquote

    return [unquote(segment) for segment in path.strip("/").split("/")] if path.strip("/") else []
