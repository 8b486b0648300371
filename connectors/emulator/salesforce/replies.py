"""Answers as HTTP in Salesforce's own form."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

import orjson
from starlette.responses import Response

from connectors.emulator.salesforce.calls import NOTHING, Answer

CONTENT_TYPE = "application/json;charset=UTF-8"
GZIP_FROM_BYTES = 1024


def reply(asked: Mapping[str, str], answer: Answer) -> Response:
    """JSON, indented when asked (simple-salesforce does), gzipped when the client can read that.

    ``asked`` are the request's headers, found without regard to case.
    """
    if answer.text is not None:
        body = answer.text.encode()
    elif answer.document is NOTHING:
        return Response(status_code=answer.status, headers=answer.headers)
    else:
        pretty = asked.get("x-prettyprint") in ("1", "true")
        body = orjson.dumps(answer.document, option=orjson.OPT_INDENT_2 if pretty else 0)
    headers = {"Content-Type": CONTENT_TYPE, **answer.headers}
    if "gzip" in asked.get("accept-encoding", ""):
        headers["Vary"] = "Accept-Encoding"
        if len(body) >= GZIP_FROM_BYTES:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
    return Response(body, answer.status, headers)
