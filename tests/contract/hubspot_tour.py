"""A tour of the practice portal: every path it knows, with each success status it has and the usual refusals.

What comes back is kept, to be compared with the shapes that HubSpot publishes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from practice_portal import PLAIN_COMPANY, PRIMARY_COMPANY, Json, PracticePortal, at

PRIMARY_CONTACT = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 578}
EMAIL = "ada@example.com"


@dataclass(frozen=True)
class Exchange:
    method: str
    path: str
    status: int
    body: Any
    """The JSON, or None where the body is empty or none."""


class Tour:
    """Through one API version; associations of v3 are those of v4, too."""

    def __init__(self, portal: PracticePortal, version: str) -> None:
        self.portal = portal
        self.version = version
        self.exchanges: list[Exchange] = []

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        options: Json = {"params": query}
        if isinstance(body, str):
            options["data"], options["headers"] = body, {"Content-Type": "application/x-www-form-urlencoded"}
        elif body is not None:
            options["json"] = body
        answer = self.portal.raw(method, path, **options)
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        told = json.loads(answer.text) if answer.text and is_json else None
        self.exchanges.append(Exchange(method, path, answer.status_code, told))
        return told

    def whole(self) -> list[Exchange]:
        for stop in (
            self.records, self.leads, self.associations, self.associations_v3, self.properties, self.groups,
            self.pipelines, self.account, self.schemas, self.exports, self.limits, self.lists, self.consent,
            self.consent_v3, self.oauth, self.legacy,
        ):  # fmt: skip
            stop()
        return self.exchanges

    def make(self, object_type: str, associations: Any = (), **properties: Any) -> str:
        sent = {"properties": {**NEEDED.get(object_type, {}), **properties}, "associations": list(associations)}
        return str(self.ask("POST", at(self.version, "objects") + f"/{object_type}", sent)["id"])

    # Records ---------------------------------------------------------------------------------------------------------

    def records(self) -> None:
        for object_type in NEEDED:
            self._records_of(object_type)
        contacts = at(self.version, "objects") + "/contacts"
        self.ask("POST", contacts, {"properties": {"email": EMAIL}})
        self.ask("POST", contacts, {"properties": {"email": EMAIL}})
        self.ask("POST", contacts, {"properties": {"shoe": "42"}})
        self.ask("POST", contacts + "/gdpr-delete", {"objectId": EMAIL, "idProperty": "email"})
        self.ask("GET", "/crm/v4/objects/tickets")
        self.ask("GET", f"/crm/v4/objects/tickets/{self.make('tickets')}")

    def _records_of(self, object_type: str) -> None:
        base, needed = at(self.version, "objects") + f"/{object_type}", NEEDED[object_type]
        first, second = self.make(object_type), self.make(object_type)
        far = "companies" if object_type != "companies" else "contacts"
        if object_type == "contacts":
            self.make(object_type, [{"to": {"id": self.make("companies")}, "types": [PLAIN_COMPANY]}])
        self.ask("GET", base, limit=1, associations=far)
        self.ask("GET", base, archived="true")
        history = {"propertiesWithHistory": "hs_object_source", "associations": far}
        self.ask("GET", f"{base}/{first}", **history)
        self.ask("GET", f"{base}/404")
        self.ask("PATCH", f"{base}/{first}", {"properties": needed})
        self.ask("PATCH", f"{base}/404", {"properties": needed})
        both = [{"id": first}, {"id": second}]
        self.ask("POST", base + "/batch/read", {"inputs": both, "propertiesWithHistory": ["hs_object_source"]})
        self.ask("POST", base + "/batch/read", {"inputs": [{"id": "404"}]})
        made = [{"properties": needed, "objectWriteTraceId": str(number)} for number in range(2)]
        self.ask("POST", base + "/batch/create", {"inputs": made})
        bad = {"properties": {"shoe": "42"}, "objectWriteTraceId": "bad"}
        self.ask("POST", base + "/batch/create", {"inputs": [*made, bad]})
        self.ask("POST", base + "/batch/update", {"inputs": [{**one, "properties": needed} for one in both]})
        self.ask("POST", base + "/batch/update", {"inputs": [{**one, "properties": {"shoe": "42"}} for one in both]})
        keyed = {"id": "truce-1", "idProperty": "truce_key", "properties": needed}
        self.ask("POST", base + "/batch/upsert", {"inputs": [keyed]})
        self.ask("POST", base + "/search", {"limit": 1})
        self.ask("POST", base + "/search", {"limit": 1_000})
        self.ask("POST", base + "/batch/archive", {"inputs": [{"id": self.make(object_type)}]})
        self.ask("POST", base + "/merge", {"primaryObjectId": first, "objectIdToMerge": second})
        self.ask("DELETE", f"{base}/{self.make(object_type)}")
        self.ask("GET", base, archived="true", limit=1)

    def leads(self) -> None:
        tie = [{"to": {"id": self.make("contacts")}, "types": [PRIMARY_CONTACT]}]
        lead = self.make("leads", tie, hs_lead_name="Ada")
        self.ask("GET", at(self.version, "objects") + f"/leads/{lead}", associations="contacts")

    # Associations ----------------------------------------------------------------------------------------------------

    def associations(self) -> None:
        version = "v4" if self.version == "v3" else self.version
        contact, company, alone = self.make("contacts"), self.make("companies"), self.make("contacts")
        record = at(version, "objects") + f"/contacts/{contact}/associations"
        self.ask("PUT", f"{record}/default/companies/{company}")
        self.ask("PUT", f"{record}/companies/{company}", [PRIMARY_COMPANY])
        self.ask("GET", f"{record}/companies")
        self.ask("PUT", f"{record}/default/companies/{self.make('companies')}")
        self.ask("GET", f"{record}/companies", limit=1)
        types = at(version, "associations") + "/contacts/companies"
        pair = {"from": {"id": contact}, "to": {"id": company}}
        self.ask("POST", f"{types}/batch/read", {"inputs": [{"id": contact}]})
        self.ask("POST", f"{types}/batch/read", {"inputs": [{"id": contact}, {"id": alone}]})
        self.ask("POST", f"{types}/batch/create", {"inputs": [{**pair, "types": [PLAIN_COMPANY]}]})
        missing = {**pair, "to": {"id": "404"}, "types": [PLAIN_COMPANY]}
        self.ask("POST", f"{types}/batch/create", {"inputs": [missing]})
        self.ask("POST", f"{types}/batch/associate/default", {"inputs": [pair]})
        self.ask("POST", f"{types}/batch/labels/archive", {"inputs": [{**pair, "types": [PRIMARY_COMPANY]}]})
        self.ask("POST", f"{types}/batch/archive", {"inputs": [{"from": {"id": contact}, "to": [{"id": company}]}]})
        self.ask("DELETE", f"{record}/companies/{company}")
        label = self.ask("POST", f"{types}/labels", {"label": "Boss", "name": "boss"})["results"][0]["typeId"]
        self.ask("GET", f"{types}/labels")
        self.ask("GET", at(self.version, "limits") + "/associations/labels")
        self.ask("PUT", f"{types}/labels", {"associationTypeId": label, "label": "Chief"})
        self.ask("DELETE", f"{types}/labels/{label}")
        user = self.ask("GET", at(self.version, "owners"))["results"][0]["userId"]
        self.ask("POST", at(version, "associations") + f"/usage/high-usage-report/{user}")

    def associations_v3(self) -> None:
        if self.version != "v3":
            return
        contact, company, alone = self.make("contacts"), self.make("companies"), self.make("contacts")
        types, name = "/crm/v3/associations/contacts/companies", "contact_to_company"
        tie = {"from": {"id": contact}, "to": {"id": company}, "type": name}
        self.ask("GET", f"{types}/types")
        self.ask("POST", f"{types}/batch/create", {"inputs": [tie]})
        self.ask("POST", f"{types}/batch/create", {"inputs": [{**tie, "to": {"id": "404"}}]})
        self.ask("POST", f"{types}/batch/read", {"inputs": [{"id": contact}]})
        self.ask("POST", f"{types}/batch/read", {"inputs": [{"id": contact}, {"id": alone}]})
        self.ask("POST", f"{types}/batch/archive", {"inputs": [tie]})
        record = f"/crm/v3/objects/contacts/{contact}/associations/companies"
        self.ask("PUT", f"{record}/{company}/{name}")
        self.ask("GET", record)
        self.ask("DELETE", f"{record}/{company}/{name}")

    # Definitions -----------------------------------------------------------------------------------------------------

    def properties(self) -> None:
        base = at(self.version, "properties") + "/contacts"
        usual = {"label": "Shoe", "type": "string", "fieldType": "text", "groupName": "contactinformation"}
        self.ask("GET", base)
        self.ask("POST", base, {"name": "shoe", **usual})
        self.ask("POST", base, {"name": "shoe", **usual})
        self.ask("GET", f"{base}/shoe")
        self.ask("GET", f"{base}/nothing")
        self.ask("PATCH", f"{base}/shoe", {"label": "Size"})
        self.ask("POST", f"{base}/batch/read", {"archived": False, "inputs": [{"name": "shoe"}]})
        self.ask("POST", f"{base}/batch/read", {"archived": False, "inputs": [{"name": "nothing"}]})
        self.ask("POST", f"{base}/batch/create", {"inputs": [{"name": "hat", **usual}]})
        self.ask("POST", f"{base}/batch/archive", {"inputs": [{"name": "hat"}]})
        self.ask("DELETE", f"{base}/shoe")
        self.ask("GET", base, archived="true")

    def groups(self) -> None:
        base = at(self.version, "properties") + "/contacts/groups"
        self.ask("GET", base)
        self.ask("POST", base, {"name": "clothes", "label": "Clothes"})
        self.ask("GET", f"{base}/clothes")
        self.ask("PATCH", f"{base}/clothes", {"label": "Shoes"})
        self.ask("DELETE", f"{base}/clothes")

    def pipelines(self) -> None:
        base = at(self.version, "pipelines") + "/deals"
        stage = {"label": "Begun", "displayOrder": 0, "metadata": {"probability": "0.5"}}
        whole = {"label": "Renewals", "displayOrder": 1, "stages": [stage]}
        self.ask("GET", base)
        made = self.ask("POST", base, whole)["id"]
        self.ask("GET", f"{base}/{made}")
        self.ask("GET", f"{base}/nothing")
        self.ask("PATCH", f"{base}/{made}", {"label": "Renewal"})
        stages = f"{base}/{made}/stages"
        self.ask("GET", stages)
        added = self.ask("POST", stages, {**stage, "label": "Done"})["id"]
        self.ask("GET", f"{stages}/{added}")
        self.ask("PATCH", f"{stages}/{added}", {"label": "Over", "metadata": {"probability": "1.0"}})
        self.ask("PUT", f"{stages}/{added}", stage)
        self.ask("GET", f"{stages}/{added}/audit")
        self.ask("GET", f"{base}/{made}/audit")
        self.ask("GET", f"{base}/nothing/audit")
        self.ask("DELETE", f"{stages}/{added}")
        self.ask("PUT", f"{base}/{made}", whole)
        self.ask("DELETE", f"{base}/{made}")

    def schemas(self) -> None:
        name = f"shoe_{self.version[:4].strip('-')}{self.version[-2:]}"
        size = {"name": "size", "label": "Size", "type": "string", "fieldType": "text"}
        labels = {"singular": "Shoe", "plural": "Shoes"}
        told = {"name": name, "labels": labels, "requiredProperties": ["size"], "primaryDisplayProperty": "size"}
        for base in (f"/crm-object-schemas/{self.version}/schemas", "/crm/v3/schemas"):
            self.ask("POST", base, {**told, "properties": [size], "associatedObjects": ["CONTACT"]})
            self.ask("GET", base)
            self.ask("GET", f"{base}/{name}")
            self.ask("GET", f"{base}/nothing")
            self.ask("PATCH", f"{base}/{name}", {"description": "Worn"})
            self.ask("POST", f"{base}/batch/read", {"inputs": [name], "includePropertyDefinitions": True})
            tie = {"fromObjectTypeId": name, "toObjectTypeId": "0-2", "name": "shoe_to_company"}
            number = self.ask("POST", f"{base}/{name}/associations", tie)["id"]
            self.ask("DELETE", f"{base}/{name}/associations/{number}")
            self.ask("DELETE", f"{base}/{name}")

    # The account -----------------------------------------------------------------------------------------------------

    def account(self) -> None:
        self.ask("GET", f"/account-info/{self.version}/details")
        self.ask("GET", f"/account-info/{self.version}/api-usage/daily")
        self.ask("GET", f"/account-info/{self.version}/api-usage/daily/private-apps")
        owners = at(self.version, "owners")
        first = self.ask("GET", owners, limit=1)["results"][0]["id"]
        self.ask("GET", owners, archived="true")
        self.ask("GET", f"{owners}/{first}")
        self.ask("GET", f"{owners}/404")

    def exports(self) -> None:
        base = at(self.version, "exports") + "/export"
        asked = {"exportType": "VIEW", "format": "CSV", "exportName": "All", "objectType": "CONTACT", "language": "EN"}
        number = self.ask("POST", f"{base}/async", {**asked, "objectProperties": ["email"]})["id"]
        self.ask("POST", f"{base}/async", asked)
        done = self.ask("GET", f"{base}/async/tasks/{number}/status")
        self.ask("GET", f"{base}/{number}")
        self.ask("GET", f"{base}/404")
        self.ask("GET", done["result"].removeprefix(self.portal.emulator.hubspot_url))

    def limits(self) -> None:
        base = at(self.version, "limits")
        for path in (
            "records", "custom-properties", "calculated-properties", "pipelines", "custom-object-types",
            "associations/labels", "associations/records/from", "associations/records/0-1/to",
            "associations/records/0-1/0-2",
        ):  # fmt: skip
            self.ask("GET", f"{base}/{path}")

    def lists(self) -> None:
        base = at(self.version, "lists")
        self.ask("GET", base)
        self.ask("POST", f"{base}/search", {"query": ""})
        self.ask("GET", f"{base}/7")
        self.ask("GET", f"{base}/7/memberships")
        self.ask("GET", f"{base}/records/0-1/{self.make('contacts')}/memberships")
        rules = at(self.version, "property-validations") + "/0-1"
        self.ask("GET", rules)
        self.ask("GET", f"{rules}/email")
        self.ask("GET", f"{rules}/email/rule-type/FORMAT")

    # Consent and tokens ----------------------------------------------------------------------------------------------

    def consent(self) -> None:
        base = f"/communication-preferences/{'v4' if self.version == 'v3' else self.version}"
        newsletter = self.ask("GET", f"{base}/definitions")["results"][0]["id"]
        wanted = {"subscriptionId": int(newsletter), "statusState": "SUBSCRIBED", "channel": "EMAIL"}
        self.ask("POST", f"{base}/statuses/{EMAIL}", wanted)
        self.ask("POST", f"{base}/statuses/{EMAIL}", {**wanted, "channel": "SMOKE"})
        self.ask("GET", f"{base}/statuses/{EMAIL}", channel="EMAIL")
        self.ask("POST", f"{base}/statuses/batch/read", {"inputs": [EMAIL]}, channel="EMAIL")
        self.ask("POST", f"{base}/statuses/batch/write", {"inputs": [{**wanted, "subscriberIdString": EMAIL}]})
        self.ask("POST", f"{base}/statuses/{EMAIL}/unsubscribe-all", channel="EMAIL")
        self.ask("GET", f"{base}/statuses/{EMAIL}/unsubscribe-all", channel="EMAIL")
        self.ask("POST", f"{base}/statuses/batch/unsubscribe-all/read", {"inputs": [EMAIL]}, channel="EMAIL")
        self.ask("POST", f"{base}/statuses/batch/unsubscribe-all", {"inputs": [EMAIL]}, channel="EMAIL", verbose="true")

    def consent_v3(self) -> None:
        if self.version != "v3":
            return
        base, somebody = "/communication-preferences/v3", "bea@example.com"
        newsletter = self.ask("GET", f"{base}/definitions")["subscriptionDefinitions"][0]["id"]
        wanted = {"emailAddress": somebody, "subscriptionId": newsletter}
        self.ask("POST", f"{base}/subscribe", wanted)
        self.ask("GET", f"{base}/status/email/{somebody}")
        self.ask("POST", f"{base}/unsubscribe", wanted)

    def oauth(self) -> None:
        known = self.portal.emulator.credentials["hubspot"]
        app = f"client_id={known['client_id']}&client_secret={known['client_secret']}"
        asked = f"grant_type=refresh_token&{app}&refresh_token={known['refresh_token']}"
        base = f"/oauth/{self.version}/token"
        self.ask("POST", base, f"grant_type=refresh_token&{app}&refresh_token=nothing")
        token = self.ask("POST", base, asked)["access_token"]
        self.ask("POST", f"{base}/introspect", f"{app}&token_type_hint=access_token&token={token}")
        if self.version == "v3":
            self.ask("POST", "/oauth/v1/token", asked)
            self.ask("GET", f"/oauth/v1/access-tokens/{token}")
            self.ask("POST", "/oauth/v2/private-apps/get/access-token-info", {"tokenKey": self.portal.token})
        self.ask("POST", f"{base}/revoke", f"{app}&token={token}")

    def legacy(self) -> None:
        """v1 and v2, which belong to no version: once is enough."""
        if self.version != "v3":
            return
        company = self.make("companies")
        for object_type in ("deals", "tasks", "notes", "calls", "meetings", "emails"):
            self.make(object_type)
        for path in (
            "/companies/v2/companies/paged", f"/companies/v2/companies/{company}", "/companies/v2/companies/404",
            "/companies/v2/properties", "/properties/v1/deals/properties", "/properties/v1/dragons/properties",
            "/deals/v1/deal/paged", "/deals/v1/deal/paged?offset=x", "/deals/v1/pipelines",
            "/engagements/v1/engagements/modified/after", "/engagements/v1/engagements/modified/after?after=x",
            "/email/public/v1/campaigns/by-id", "/email/public/v1/campaigns/7", "/email/public/v1/events",
            "/email/public/v1/subscriptions/timeline", "/forms/v2/forms", "/automation/v3/workflows",
        ):  # fmt: skip
            self.ask("GET", path)


NEEDED: Mapping[str, Json] = {
    "contacts": {"firstname": "Ada"},
    "companies": {"name": "Analytical Engines"},
    "deals": {"dealname": "Engine", "dealstage": "qualifiedtobuy"},
    "tickets": {"subject": "Broken", "hs_pipeline_stage": "1"},
    "tasks": {"hs_timestamp": "2026-11-02T09:00:00Z"},
    "notes": {"hs_timestamp": "2026-11-02T09:00:00Z"},
    "meetings": {"hs_timestamp": "2026-11-02T09:00:00Z"},
    "calls": {"hs_timestamp": "2026-11-02T09:00:00Z"},
    "emails": {"hs_timestamp": "2026-11-02T09:00:00Z"},
    "products": {"name": "Engine"},
    "line_items": {"name": "Engine", "quantity": "1"},
    "quotes": {"hs_title": "Engine", "hs_expiration_date": "2026-12-01"},
}
"""What a create of each type needs."""

VERSIONS = ("v3", "2026-03", "2026-09")


def exchanges(portal: PracticePortal) -> Iterator[Exchange]:
    for version in VERSIONS:
        yield from Tour(portal, version).whole()
