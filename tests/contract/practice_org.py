"""The real Salesforce client library against the running emulator, led there by a rewriting adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError
from simple_salesforce.format import format_soql

from connectors.emulator.admin_client import Admin, AdminRefusedError
from connectors.emulator.serve import Emulator

VERSION = "65.0"


class Rewriting(requests.adapters.HTTPAdapter):
    """The library speaks https only; this leads every request to the emulator and tells it the host meant."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        meant = urlsplit(str(request.url))
        request.headers["X-Original-Host"] = meant.netloc
        request.url = urlunsplit((self._there.scheme, self._there.netloc, meant.path, meant.query, ""))
        options["proxies"] = None
        return super().send(request, *args, **options)


def session_to(emulator: Emulator) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", Rewriting(emulator.salesforce_url))
    session.headers["Sforce-Auto-Assign"] = "FALSE"
    return session


class Org:
    """What a test does with the practice org: through the library, and as people at the admin side."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.admin = Admin(emulator.admin_url)
        self.session = session_to(emulator)
        login = emulator.credentials["salesforce"]
        self.sf: Any = Salesforce(
            consumer_key=login["client_id"],
            consumer_secret=login["client_secret"],
            domain=login["domain"],
            version=VERSION,
            session=self.session,
        )

    # Through the library ---------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """The library's own call; ``path`` is below the versioned root, or absolute. Raises SalesforceError."""
        url = f"https://{self.sf.sf_instance}{path}" if path.startswith("/services") else self.sf.base_url + path
        answer: requests.Response = self.sf._call_salesforce(method, url, **options)
        return answer

    def raw(self, method: str, path: str, **options: Any) -> requests.Response:
        """The same request without the library's exceptions; ``token`` in place of the good one."""
        token = options.pop("token", self.sf.session_id)
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        options["headers"] = {**headers, **options.get("headers", {})}
        path = path if path.startswith("/") else f"/services/data/v{VERSION}/{path}"
        return self.session.request(method, f"https://practice.my.salesforce.com{path}", **options)

    def query(self, soql: str, *values: Any, **named: Any) -> list[dict[str, Any]]:
        """Records without their attributes."""
        text = format_soql(soql, *values, **named) if values or named else soql
        return [bare(record) for record in self.sf.query_all(text)["records"]]

    def query_deleted(self, soql: str) -> list[dict[str, Any]]:
        return [bare(record) for record in self.sf.query_all(soql, include_deleted=True)["records"]]

    def make(self, object_type: str = "Contact", **values: Any) -> str:
        known = {"Contact": {"LastName": "Lovelace"}, "Lead": {"LastName": "Lovelace", "Company": "Engines"}}
        body = {**known.get(object_type, {}), **values}
        made = self.sf.restful(f"sobjects/{object_type}/", method="POST", json=body)
        return str(made["id"])

    def change(self, object_type: str, record_id: str, headers: dict[str, str] | None = None, **values: Any) -> None:
        self.call("PATCH", f"sobjects/{object_type}/{record_id}", json=values, headers=headers or {})

    def read(self, object_type: str, record_id: str, *fields: str) -> dict[str, Any]:
        """The asked fields, or all."""
        params = {"fields": ",".join(fields)} if fields else {}
        return bare(self.call("GET", f"sobjects/{object_type}/{record_id}", params=params).json())

    def value(self, object_type: str, record_id: str, field: str) -> Any:
        return self.read(object_type, record_id, field)[field]

    # As people -------------------------------------------------------------------------------------------------------

    def person(self, verb: str, **body: Any) -> Any:
        return self.admin.post(f"/{verb}", system="salesforce", **body)

    def person_cannot(self, verb: str, **body: Any) -> str:
        """Why the desk refused."""
        try:
            self.person(verb, **body)
        except AdminRefusedError as error:
            return str(error)
        raise AssertionError("the desk did it")

    def person_makes(self, object_type: str, **values: Any) -> str:
        known = {"Contact": {"LastName": "Lovelace"}, "Lead": {"LastName": "Lovelace", "Company": "Engines"}}
        body = {**known.get(object_type, {}), **values}
        return str(self.person("create", object=object_type, values=body)["id"])

    def person_edits(self, object_type: str, record_id: str, **values: Any) -> None:
        self.person("edit", object=object_type, id=record_id, values=values)

    def switch(self, name: str, value: Any) -> None:
        self.person("settings", name=name, value=value)

    def advance(self, seconds: float) -> None:
        self.admin.post("/clock/advance", seconds=seconds)

    def setting(self, name: str) -> Any:
        return self.emulator.world.spaces["salesforce"].settings[name]


def bare(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "attributes"}


def refusal(call: Any, *args: Any, **options: Any) -> tuple[int, dict[str, Any]]:
    """(HTTP status, first error) of a call the library raised about."""
    try:
        call(*args, **options)
    except SalesforceError as error:
        content: Any = error.content
        first = content[0] if isinstance(content, list) else content
        return error.status, first
    raise AssertionError("the call was not refused")


def code(call: Any, *args: Any, **options: Any) -> tuple[int, str]:
    status, error = refusal(call, *args, **options)
    return status, str(error["errorCode"])


def ids_of(records: Sequence[dict[str, Any]]) -> list[str]:
    return [record["Id"] for record in records]
