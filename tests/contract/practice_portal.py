"""The real HubSpot client library against the running emulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import hubspot
import requests

from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator
from connectors.hubspot.client import versioned

Json = dict[str, Any]
PRIMARY_COMPANY = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}
PLAIN_COMPANY = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}


class PracticePortal:
    """What a test does with the practice portal: through the library, and as people at the admin side.

    ``version`` is the API version whose paths the library's typed calls are led to.
    """

    def __init__(self, emulator: Emulator, version: Any = "v3", token: str | None = None) -> None:
        self.emulator = emulator
        self.version = version
        self.token = token or emulator.credentials["hubspot"]["token"]
        self.admin = Admin(emulator.admin_url)
        self._clients: dict[str, Any] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        self.client: Any = hubspot.HubSpot(access_token=self.token, api_factory=self._api)

    def _api(self, package: Any, api_name: str, config: Json) -> Any:
        """The library's hook: one client per package, every path in the wanted version."""
        if package.__name__ not in self._clients:
            settings = package.Configuration()
            settings.access_token, settings.host = config["access_token"], self.emulator.hubspot_url
            client = package.ApiClient(configuration=settings)
            send = client.call_api
            client.call_api = lambda path, *args, **options: send(self._versioned(path), *args, **options)
            self._clients[package.__name__] = client
        return getattr(package, api_name)(api_client=self._clients[package.__name__])

    def _versioned(self, path: str) -> str:
        return path if self.version == "v3" else versioned(path, self.version)

    # Through the library ---------------------------------------------------------------------------------------------

    @property
    def basic(self) -> Any:
        return self.client.crm.objects.basic_api

    @property
    def batch(self) -> Any:
        return self.client.crm.objects.batch_api

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Json]:
        """The library's own call for paths it has no method for: (status, body)."""
        answer = hubspot.HubSpot(access_token=self.token, base_url=self.emulator.hubspot_url).api_request(
            {"method": method, "path": path, "body": body, "qs": query} if body is not None
            else {"method": method, "path": path, "qs": query}
        )  # fmt: skip
        return answer.status_code, json.loads(answer.text) if answer.text else {}

    def raw(self, method: str, path: str, **options: Any) -> requests.Response:
        """What no library would send; ``token`` in place of the good one."""
        token = options.pop("token", self.token)
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        options["headers"] = {**headers, **options.get("headers", {})}
        return self._session.request(method, self.emulator.hubspot_url + path, timeout=10, **options)

    def make(self, object_type: str = "contacts", associations: Iterable[Json] = (), **properties: Any) -> str:
        usual = {
            "companies": {"name": "Analytical Engines"},
            "deals": {"dealname": "Engine", "dealstage": "qualifiedtobuy"},
            "tickets": {"subject": "Broken", "hs_pipeline_stage": "1"},
            "leads": {"hs_lead_name": "Ada"},
        }
        activity = {"hs_timestamp": "2026-11-02T09:00:00Z"}
        is_activity = object_type in {"tasks", "notes", "calls", "meetings", "emails"}
        body = {**(activity if is_activity else usual.get(object_type, {})), **properties}
        made = self.basic.create(object_type, {"properties": body, "associations": list(associations)})
        return str(made.id)

    def change(self, object_type: str, record_id: str, **properties: Any) -> Any:
        return self.basic.update(object_type, record_id, {"properties": properties})

    def read(self, object_type: str, record_id: str, *names: str, **options: Any) -> Any:
        return self.basic.get_by_id(object_type, record_id, properties=list(names), **options)

    def value(self, object_type: str, record_id: str, name: str) -> Any:
        return self.read(object_type, record_id, name).properties[name]

    def values(self, object_type: str, record_id: str, *names: str) -> Json:
        found = self.read(object_type, record_id, *names).properties
        return {name: found[name] for name in names}

    def history(self, object_type: str, record_id: str, name: str) -> list[Any]:
        found = self.read(object_type, record_id, properties_with_history=[name])
        versions: list[Any] = found.properties_with_history[name]
        return versions

    def search(self, object_type: str = "contacts", *filters: Json, **more: Any) -> Any:
        body = {**({"filterGroups": [{"filters": list(filters)}]} if filters else {}), **more}
        return self.client.crm.objects.search_api.do_search(object_type, body)

    def found(self, *filters: Json, object_type: str = "contacts", **more: Any) -> list[str]:
        return [one.id for one in self.search(object_type, *filters, **{"limit": 200, **more}).results]

    def merge(self, primary: str, other: str, object_type: str = "contacts") -> str:
        api = getattr(self.client.crm, object_type).basic_api
        return str(api.merge({"primaryObjectId": primary, "objectIdToMerge": other}).id)

    def company_labels(self, contact_id: str) -> dict[str, list[int]]:
        """{company: association type ids} of a contact."""
        api = self.client.crm.associations.v4.basic_api
        found = api.get_page("contacts", contact_id, "companies").results
        return {str(one.to_object_id): [each.type_id for each in one.association_types] for one in found}

    def associate(self, contact_id: str, company_id: str, *specs: Json) -> Any:
        api = self.client.crm.associations.v4.basic_api
        if not specs:
            return api.create_default("contacts", contact_id, "companies", company_id)
        return api.create("contacts", contact_id, "companies", company_id, list(specs))

    # As people -------------------------------------------------------------------------------------------------------

    def person(self, verb: str, **body: Any) -> Any:
        return self.admin.post(f"/{verb}", system="hubspot", **body)

    def person_makes(self, object_type: str = "contacts", **values: Any) -> str:
        return str(self.person("create", object=object_type, values=values)["id"])

    def person_edits(self, object_type: str, record_id: str, **values: Any) -> None:
        self.person("edit", object=object_type, id=record_id, values=values)

    def switch(self, name: str, value: Any) -> None:
        self.person("settings", name=name, value=value)

    def advance(self, seconds: float) -> None:
        self.admin.post("/clock/advance", seconds=seconds)


def where(name: str, operator: str, value: Any = None, **more: Any) -> Json:
    """One search filter; a list is ``values``."""
    key = "values" if isinstance(value, list) else "value"
    return {"propertyName": name, "operator": operator, **({key: value} if value is not None else {}), **more}


def refusal(call: Callable[..., Any], *args: Any, **options: Any) -> tuple[int, Json]:
    """(HTTP status, body) of a call the library raised about."""
    try:
        call(*args, **options)
    except Exception as error:
        status, body = getattr(error, "status", None), getattr(error, "body", None)
        if not isinstance(status, int):
            raise
        return status, json.loads(body) if body else {}
    raise AssertionError("the call was not refused")


def code(call: Callable[..., Any], *args: Any, **options: Any) -> tuple[int, str]:
    """(HTTP status, category) of a refusal."""
    status, body = refusal(call, *args, **options)
    return status, str(body.get("category"))


def problem(call: Callable[..., Any], *args: Any, **options: Any) -> tuple[str, str]:
    """(code, property) of the one value that was refused; both forms of the body say the same."""
    status, body = refusal(call, *args, **options)
    assert (status, body["category"]) == (400, "VALIDATION_ERROR")
    (error,) = body["errors"]
    (told,) = json.loads(body["message"].partition(": ")[2])
    assert (told["error"], told["message"]) == (error["code"], error["message"])
    return error["code"], error["context"]["propertyName"][0]


DATED = ("2026-03", "2026-09")


def at(version: str, resource: str) -> str:
    """``/crm/v3/objects`` or ``/crm/objects/2026-09``."""
    return f"/crm/{version}/{resource}" if version.startswith("v") else f"/crm/{resource}/{version}"
