"""A Salesforce that logs anybody in, describes a Contact, and otherwise answers exactly what a test scripted.

For answers no emulator should give: a permanent 401, a hotel's login page, somebody else's row, silence.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_plus

from connectors.salesforce.connector import Salesforce

DATE = "Tue, 24 Nov 2026 10:00:00 GMT"
STAMP = "2026-11-24T09:00:00.000+0000"
ORGANIZATION = "00D000000000001EAA"
CONTACT = "003000000000001AAA"
OTHER_CONTACT = "003000000000002AAA"
SECRET = "fake-secret-for-tests"
TOKEN = "fake-token"
HTML = b"<!DOCTYPE html><html><body>Please accept the terms of this network</body></html>"


@dataclass(frozen=True)
class Answer:
    """One scripted reply. ``cut`` promises the whole body and sends that many bytes; ``hang_up`` sends nothing;
    ``silent`` keeps the line open and says nothing."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    hang_up: bool = False
    silent: bool = False

    @property
    def payload(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


EXPIRED = Answer(401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
PORTAL = Answer(200, HTML, {"Content-Type": "text/html"})


def problem(status: int, code: str, message: str = "text") -> Answer:
    return Answer(status, [{"errorCode": code, "message": message, "fields": []}])


def page(*rows: dict[str, Any], total: int | None = None, following: str | None = None) -> Answer:
    body: dict[str, Any] = {"totalSize": len(rows) if total is None else total, "done": following is None}
    if following is not None:
        body["nextRecordsUrl"] = following
    return Answer(200, {**body, "records": list(rows)})


def row(record_id: str = CONTACT, **values: Any) -> dict[str, Any]:
    stamps = {"SystemModstamp": STAMP, "LastModifiedDate": STAMP, "IsDeleted": False, "MasterRecordId": None}
    return {"attributes": {"type": "Contact"}, "Id": record_id, **stamps, **values}


def field_entry(name: str, kind: str = "string", **changes: Any) -> dict[str, Any]:
    entry = {"name": name, "label": name, "type": kind, "length": 80 if kind == "string" else 0, "filterable": True}
    flags = {"createable": True, "updateable": True, "nillable": True, "calculated": False, "unique": False}
    return {**entry, **flags, "defaultedOnCreate": False, "picklistValues": [], **changes}


READ_ONLY = {"createable": False, "updateable": False}
CONTACT_FIELDS = [
    field_entry("Id", "id", **READ_ONLY),
    field_entry("SystemModstamp", "datetime", **READ_ONLY),
    field_entry("LastModifiedDate", "datetime", **READ_ONLY),
    field_entry("IsDeleted", "boolean", **READ_ONLY),
    field_entry("MasterRecordId", "reference", **READ_ONLY),
    field_entry("LastName", nillable=False),
    field_entry("Email", "email"),
    field_entry("AccountId", "reference"),
    field_entry("Truce_Key__c", unique=True, externalId=True),
    field_entry("Score__c", "double"),
    field_entry("HasOptedOutOfEmail", "boolean", nillable=False, defaultedOnCreate=True),
    field_entry("MailingAddress", "address", **READ_ONLY),
]


@dataclass
class ScriptedSalesforce:
    """Answers in order, the last one for ever. Logins and describes are not scripted and not in ``asked``."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    logins: int = 0
    login_answer: Answer | None = None
    fields: list[dict[str, Any]] = field(default_factory=lambda: list(CONTACT_FIELDS))
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    answer_by: Callable[[Asked], Answer] | None = None
    describe_answer: Answer | None = None

    def script(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def answer_to(self, asked: Asked) -> Answer:
        with self.lock:
            if asked.path.endswith("/services/oauth2/token"):
                self.logins += 1
                return self.login_answer or Answer(200, self.token())
            if asked.path.endswith("/describe"):
                return self.describe_answer or Answer(200, self.description(asked.path.split("/")[-2]))
            self.asked.append(asked)
            if self.answer_by is not None:
                return self.answer_by(asked)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def token(self) -> dict[str, Any]:
        return {
            "access_token": f"{TOKEN}-{self.logins}",
            "instance_url": "https://acme.my.salesforce.com",
            "id": f"https://login.salesforce.com/id/{ORGANIZATION}/005000000000001AAA",
            "token_type": "Bearer",
            "issued_at": "1795000000000",
        }

    def description(self, name: str) -> dict[str, Any]:
        flags = {"createable": True, "updateable": True, "deletable": True}
        return {"name": name, "label": name, "keyPrefix": "003", "fields": self.fields, **flags}


def query_of(asked: Asked) -> str:
    return unquote_plus(asked.path.partition("?q=")[2])


def _handler(script: ScriptedSalesforce) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = script.answer_to(Asked(self.command, self.path, dict(self.headers.items()), body))
            if answer.silent:
                script.over.wait()
            if answer.hang_up or answer.silent:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response_only(answer.status)
            headers = {"Date": DATE, "Content-Type": "application/json;charset=UTF-8", **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.payload)))
            self.end_headers()
            self.wfile.write(answer.payload if answer.cut is None else answer.payload[: answer.cut])
            self.close_connection = self.close_connection or answer.cut is not None

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read ``asked``, not a log."""

    return Handler


@contextmanager
def scripted_salesforce() -> Iterator[ScriptedSalesforce]:
    script = ScriptedSalesforce()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


class Ticks:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def connect(script: ScriptedSalesforce, clock: Callable[[], float], **changes: Any) -> Salesforce:
    settings: dict[str, Any] = {
        "domain": "acme.my",
        "client_id": "fake-client",
        "client_secret": SECRET,
        "base_url": script.url,
        "link_keys": {"Contact": "Truce_Key__c"},
        "timeout": (5, 5),
        "clock": clock,
    }
    return Salesforce(**{**settings, **changes})
