"""A small client of the admin side, for tests and campaigns that play the people."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


class AdminRefusedError(Exception):
    """The admin side answered 4xx or 5xx; the text is its own."""


class Admin:
    """The emulator's admin side: ``admin.post("/edit", system=..., object=..., id=..., values=...)``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, **body: Any) -> Any:
        return self._call("POST", path, body)

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, body)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def fault(self, **fault: Any) -> Any:
        return self.post("/faults", **fault)

    def audit(self, since: int = 0) -> Any:
        return self.get(f"/audit?since={since}")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        address = urlsplit(self.url)
        data = None if body is None else json.dumps(body)
        connection = HTTPConnection(str(address.hostname), address.port, timeout=30)
        with closing(connection):
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status != 200:
            raise AdminRefusedError(text)
        return json.loads(text)
