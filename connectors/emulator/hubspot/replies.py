"""HTTP replies in HubSpot's own form."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response

CONTENT_TYPE = "application/json;charset=utf-8"
SMALLEST_ZIPPED = 1024


def reply(document: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, {"Content-Type": CONTENT_TYPE})


def no_content() -> Response:
    return Response(status_code=204)


def page_not_there(status: int = 404) -> Response:
    """A path that no HubSpot API has is answered by the web server in front, in HTML."""
    body = f"<html><head><title>Error {status}</title></head><body><h2>HTTP ERROR {status}</h2></body></html>"
    return Response(body, status, {"Content-Type": "text/html;charset=utf-8"})


def zipped(answer: Response, headers: Headers) -> Response:
    """The same answer, compressed for a client that takes it."""
    if "gzip" not in headers.get("accept-encoding", "") or len(answer.body) < SMALLEST_ZIPPED:
        return answer
    kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return Response(gzip.compress(answer.body, 1), answer.status_code, {**kept, "Content-Encoding": "gzip"})
