"""``POST /services/Soap/u/59.0``: one operation, for a session that the SOAP header names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.emulator.salesforce import describing, limits, sessions
from connectors.emulator.salesforce.bulk import running
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.soap import account, descriptions, reading, records
from connectors.emulator.salesforce.soap.envelope import Fault, Request, answer, read

PATH = re.compile(r"/services/Soap/u/(\d+\.\d)(?:/[0-9A-Za-z]+)?")
ELSEWHERE = re.compile(r"/services/Soap/(?P<api>\w+)(?:/.*)?")
METADATA = "http://soap.sforce.com/2006/04/metadata"
NO_METADATA = "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions"
CONTENT_TYPE = "text/xml;charset=UTF-8"
INVALID_SESSION = "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session key"

Operation = Callable[[Call, Request], Any]
OPERATIONS: dict[str, Operation] = {
    "logout": account.logout,
    "getServerTimestamp": account.server_timestamp,
    "getUserInfo": account.user_info,
    "query": reading.query,
    "queryAll": reading.query_all,
    "queryMore": reading.query_more,
    "retrieve": reading.retrieve,
    "search": reading.search,
    "getUpdated": reading.updated,
    "getDeleted": reading.deleted,
    "describeGlobal": descriptions.every_object,
    "describeSObject": descriptions.one_object,
    "describeSObjects": descriptions.objects,
    "describeLayout": descriptions.layout,
    "describeTabs": descriptions.tabs,
    "setPassword": account.set_password,
    "resetPassword": account.reset_password,
    "create": records.create,
    "update": records.update,
    "upsert": records.upsert,
    "delete": records.delete,
    "undelete": records.undelete,
    "emptyRecycleBin": records.empty_recycle_bin,
    "merge": records.merge,
    "convertLead": records.convert_lead,
}


def answer_to(call: Call) -> Answer:
    """``call`` has no user yet."""
    status, headers = 500, {"Content-Type": CONTENT_TYPE}
    try:
        status, text = 200, _answered(call, read(call.plain_body()))
    except Fault as fault:
        text = fault.text()
    except Refusal as refusal:
        text = Fault(refusal.code, refusal.message).text()
    return Answer(status, headers=headers, text=text)


def refuse(call: Call, api: str) -> Answer:
    """The other SOAP APIs: the user may not use the one for metadata, and of the rest there is no operation."""
    try:
        operation = read(call.plain_body()).operation
    except (Fault, Refusal):
        operation = "nothing"
    call.org.note_unknown("SOAP", f"{api}/{operation}")
    fault = Fault("UNKNOWN_EXCEPTION", f"No operation available for request {operation}")
    if api == "m":
        fault = Fault("INSUFFICIENT_ACCESS", NO_METADATA)
    return Answer(500, headers={"Content-Type": CONTENT_TYPE}, text=fault.plain(METADATA))


def _answered(call: Call, request: Request) -> str:
    """Raises Fault, Refusal."""
    if not describing.serves(f"v{call.version}"):
        raise Fault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL")
    if request.operation == "login":
        return answer("login", account.login(call, request), None)
    token = request.block("SessionHeader").value("sessionId") or ""
    user_id = None if sessions.is_jwt(token) else sessions.user_behind(call.org, token)
    if user_id is None:
        raise Fault("INVALID_SESSION_ID", INVALID_SESSION)
    call.user_id = user_id
    most = int(call.org.setting("daily_requests"))
    if limits.used(call.org) >= most:
        raise Fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    limits.count(call.org, 1)
    running.catch_up(call.org)
    operation = OPERATIONS.get(request.operation)
    if operation is None:
        call.org.note_unknown("SOAP", request.operation)
        raise Fault("UNKNOWN_EXCEPTION", f"No operation available for request {request.operation}")
    return answer(request.operation, operation(call, request), (limits.used(call.org), most))
