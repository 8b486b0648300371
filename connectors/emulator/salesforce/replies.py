"""HTTP replies in Salesforce's own form."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

CONTENT_TYPE = "application/json;charset=UTF-8"
GZIP_FROM_BYTES = 1024


def reply(request: Request, document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON, indented when asked (simple-salesforce does), gzipped when the client can read that."""
    pretty = request.headers.get("x-prettyprint") == "1"
    body = orjson.dumps(document, option=orjson.OPT_INDENT_2 if pretty else 0)
    found = {"Content-Type": CONTENT_TYPE, **(headers or {})}
    if len(body) >= GZIP_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 1)
        found["Content-Encoding"] = "gzip"
    return Response(body, status, found)


def no_content() -> Response:
    return Response(status_code=204)
