"""``/composite``: up to 25 calls in one, which may use each other's results and stand or fall together."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors.emulator.salesforce import describing, limits
from connectors.emulator.salesforce.calls import NOTHING, Answer, Call
from connectors.emulator.salesforce.refusals import Refusal, text
from connectors.emulator.salesforce.routes import dispatch

MOST_CALLS = 25
MOST_NODES, MOST_GRAPHS = 500, 75
MOST_QUERIES_AND_COLLECTIONS = 5
REFERENCE = re.compile(r"@\{([A-Za-z_][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}")

Sub = dict[str, Any]


class _Undo(Exception):
    """Leave nothing of the composite behind."""


class _Halted(Exception):
    """A reference to the result of a call that failed, or to nothing."""


def composite(call: Call) -> Answer:
    body = call.fields()
    subs = _checked(body.get("compositeRequest"), MOST_CALLS)
    return Answer(200, {"compositeResponse": _run(call, subs, all_or_none=bool(body.get("allOrNone", False)))})


def graphs(call: Call) -> Answer:
    """``/composite/graph``: composites of up to 500 calls, each of them all or none, none bound to another."""
    given = call.fields().get("graphs")
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise Refusal(400, "JSON_PARSER_ERROR", "graphs must be a list of graphs at [line:1, column:1]")
    ids = [str(graph.get("graphId") or "") for graph in given]
    if len(given) > MOST_GRAPHS or not all(ids) or len(set(ids)) < len(ids):
        raise Refusal(400, "INVALID_INPUT", f"At most {MOST_GRAPHS} graphs, each with a graphId of its own")
    checked = [_checked(graph.get("compositeRequest"), MOST_NODES) for graph in given]
    found = []
    for graph_id, subs in zip(ids, checked, strict=True):
        responses = _run(call, subs, all_or_none=True)
        successful = all(response["httpStatusCode"] < 400 for response in responses)
        answer = {"graphId": graph_id, "graphResponse": {"compositeResponse": responses}}
        found.append({**answer, "isSuccessful": successful})
    return Answer(200, {"graphs": found})


def _run(call: Call, subs: list[Sub], *, all_or_none: bool) -> list[dict[str, Any]]:
    responses: list[dict[str, Any]] = []
    with contextlib.suppress(_Undo), contextlib.ExitStack() as stack:
        outer = stack.enter_context(call.transaction()) if all_or_none else call.outer
        for number, sub in enumerate(subs):
            responses.append(_response(replace(call, outer=outer), sub, number, len(subs), responses))
            if all_or_none and responses[-1]["httpStatusCode"] >= 400:
                raise _Undo
    if all_or_none and responses[-1]["httpStatusCode"] >= 400:
        responses = _halted(subs, responses[-1])
    return responses


def _checked(subs: Any, most: int) -> list[Sub]:
    """Raises Refusal: no sub-requests, too many, or not complete."""
    if not isinstance(subs, list) or not subs or not all(isinstance(sub, dict) for sub in subs):
        raise Refusal(400, "JSON_PARSER_ERROR", "compositeRequest must be a list of sub-requests at [line:1, column:1]")
    if len(subs) > most:
        raise Refusal(400, "LIMIT_EXCEEDED", f"Maximum number of composite sub-requests is {most}")
    seen: set[str] = set()
    for sub in subs:
        missing = [name for name in ("method", "url", "referenceId") if not isinstance(sub.get(name), str)]
        if missing:
            raise Refusal(400, "MISSING_ARGUMENT", f"{missing[0]} is missing in a sub-request")
        if sub["referenceId"] in seen:
            raise Refusal(400, "INVALID_INPUT", f"referenceId {sub['referenceId']} is used twice")
        seen.add(sub["referenceId"])
    heavy = sum(bool(re.search(r"/(query(all)?|composite/sobjects)(/|\?|$)", sub["url"].lower())) for sub in subs)
    if heavy > MOST_QUERIES_AND_COLLECTIONS:
        message = f"At most {MOST_QUERIES_AND_COLLECTIONS} sub-requests may be queries or collections"
        raise Refusal(400, "LIMIT_EXCEEDED", message)
    return subs


def _response(call: Call, sub: Sub, number: int, total: int, before: list[dict[str, Any]]) -> dict[str, Any]:
    reference = sub["referenceId"]
    try:
        made = sub_call(call, sub, _resolved(sub["url"], before), _resolved(sub.get("body", NOTHING), before))
    except _Halted as halted:
        return _failed(reference, 400, "PROCESSING_HALTED", str(halted))
    entries = _entries(call, sub, number, total)
    answer = dispatch(replace(made, entries=entries))
    return {
        "body": None if answer.document is NOTHING else answer.document,
        "httpHeaders": answer.headers,
        "httpStatusCode": answer.status,
        "referenceId": reference,
    }


def sub_call(call: Call, sub: Sub, url: str, body: Any) -> Call:
    """A call of its own from a sub-request; only its own headers hold, unless the switch says otherwise [K]."""
    parts = urlsplit(url)
    match = re.fullmatch(r"/?(?:services/data/)?(v\d+\.0)(/.*)?", parts.path)
    if match is not None and not describing.serves(match.group(1)):
        match = None
    own = _own_headers(sub)
    if not call.org.setting("composite_conditions"):
        own = {name: value for name, value in own.items() if not name.startswith("if-")}
    inherited = call.headers if call.org.setting("composite_inherits_headers") else {}
    kept = {name: value for name, value in inherited.items() if name.startswith("sforce-")}
    return replace(
        call,
        method=sub["method"].upper(),
        version=match.group(1) if match else "",
        path=(match.group(2) or "") if match else unquote(parts.path),
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={**kept, **own},
        given={} if body is NOTHING else body,
        places={},
    )


def _own_headers(sub: Sub) -> dict[str, str]:
    given = sub.get("httpHeaders")
    return {str(name).lower(): str(value) for name, value in given.items()} if isinstance(given, dict) else {}


def _entries(call: Call, sub: Sub, number: int, total: int) -> tuple[str, ...]:
    """The caller's own ledger entries of this sub-request: from its own header, or the n-th of the outer one."""
    named = _own_headers(sub).get("x-truce-entry")
    if named is not None:
        return tuple(part.strip() for part in named.split(","))
    return (call.entries[number],) if len(call.entries) == total else call.entries


def _resolved(value: Any, before: list[dict[str, Any]]) -> Any:
    """``@{r1.id}`` replaced by what the call r1 answered. Raises _Halted."""
    if isinstance(value, str):
        whole = REFERENCE.fullmatch(value)
        if whole is not None:
            return _referenced(whole, before)
        return REFERENCE.sub(lambda match: str(_referenced(match, before)), value)
    if isinstance(value, dict):
        return {name: _resolved(each, before) for name, each in value.items()}
    return [_resolved(each, before) for each in value] if isinstance(value, list) else value


def _referenced(match: re.Match[str], before: list[dict[str, Any]]) -> Any:
    name, path = match.group(1), match.group(2)
    found = next((response for response in before if response["referenceId"] == name), None)
    if found is None or found["httpStatusCode"] >= 400:
        raise _Halted(f"Invalid reference specified. No value for {name}{path} found in {name}")
    value = found["body"]
    for step in re.findall(r"[A-Za-z0-9_]+", path):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            raise _Halted(f"Invalid reference specified. No value for {name}{path} found in {name}") from None
    return value


def _halted(subs: list[Sub], culprit: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        culprit
        if sub["referenceId"] == culprit["referenceId"]
        else _failed(sub["referenceId"], 400, "PROCESSING_HALTED", text("halted"))
        for sub in subs
    ]


def _failed(reference: str, status: int, code: str, message: str) -> dict[str, Any]:
    body = [{"errorCode": code, "message": message}]
    return {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": reference}


def batch(call: Call) -> Answer:
    """``/composite/batch``: independent calls, each counted; after a failure the rest is halted on demand."""
    body = call.fields()
    subs = body.get("batchRequests")
    if not isinstance(subs, list) or not 0 < len(subs) <= MOST_CALLS or not all(isinstance(sub, dict) for sub in subs):
        raise Refusal(400, "LIMIT_EXCEEDED", f"between 1 and {MOST_CALLS} batch requests are needed")
    results: list[dict[str, Any]] = []
    has_errors = False
    for number, sub in enumerate(subs):
        if has_errors and body.get("haltOnError"):
            halted = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}]
            results.append({"statusCode": 412, "result": halted})
            continue
        made = sub_call(
            call,
            {**sub, "method": str(sub.get("method", "GET"))},
            str(sub.get("url", "")),
            sub.get("richInput", NOTHING),
        )
        kept = {name: value for name, value in call.headers.items() if name.startswith("sforce-")}
        answer = dispatch(replace(made, headers=kept, entries=_entries(call, {}, number, len(subs))))
        has_errors = has_errors or answer.status >= 400
        results.append({"statusCode": answer.status, "result": None if answer.document is NOTHING else answer.document})
    limits.count(call.org, len(subs) - 1)
    return Answer(200, {"hasErrors": has_errors, "results": results})
