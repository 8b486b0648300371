"""Which path leads to which handler, in every API version. Segments in braces are named parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from starlette.responses import Response

from connectors.emulator.hubspot import (
    account_calls,
    association_calls,
    association_v3_calls,
    batch_calls,
    consent_calls,
    engagement_calls,
    export_calls,
    legacy_calls,
    limit_calls,
    list_calls,
    oauth_calls,
    object_schema_calls,
    pipeline_calls,
    property_calls,
    record_calls,
    search_calls,
)
from connectors.emulator.hubspot.call import Call

Handler = Callable[[Call], Response]
Methods = Mapping[str, Handler]
NUMBERED = "v3"
DATED = ("2026-03", "2026-09")
SINCE_V4 = ("v4", *DATED)
SHORT_SCHEMAS = {NUMBERED: ("/crm/v3/schemas",)}
"""The path that the guides and singer-io/tap-hubspot use for ``/crm-object-schemas/v3/schemas``."""
LIMITS: dict[str, Handler] = {
    "/records": limit_calls.records,
    "/custom-properties": limit_calls.custom_properties,
    "/calculated-properties": limit_calls.calculated_properties,
    "/pipelines": limit_calls.pipelines,
    "/custom-object-types": limit_calls.custom_object_types,
    "/associations/labels": limit_calls.association_labels,
    "/associations/records/from": limit_calls.object_types_near,
    "/associations/records/{object_type}/to": limit_calls.far_types_near,
    "/associations/records/{object_type}/{to_type}": limit_calls.records_near,
}


@dataclass(frozen=True, slots=True)
class Route:
    """``literals`` are the fixed segments, None where a named part stands. ``is_open``: no token is asked for."""

    template: str
    version: str
    literals: tuple[str | None, ...]
    names: tuple[str, ...]
    methods: Methods
    is_search: bool = False
    is_open: bool = False

    def matches(self, segments: list[str]) -> bool:
        return all(
            literal is None or literal == segment for literal, segment in zip(self.literals, segments, strict=True)
        )

    def params(self, segments: list[str]) -> dict[str, str]:
        named = [segment for literal, segment in zip(self.literals, segments, strict=True) if literal is None]
        return dict(zip(self.names, named, strict=True))


def split(raw_path: bytes) -> list[str]:
    """Decoded segments; a slash at the end makes no difference."""
    path = raw_path.decode("latin-1").partition("?")[0].strip("/")
    return [unquote(segment) for segment in path.split("/")]


def find(segments: list[str]) -> Route | None:
    return next((route for route in table().get(len(segments), ()) if route.matches(segments)), None)


@cache
def table() -> dict[int, list[Route]]:
    """{number of segments: routes}, more exact paths first."""
    found: dict[int, list[Route]] = defaultdict(list)
    records = (_object_routes, _association_routes, _association_v3_routes, _property_routes, _pipeline_routes)
    for routes in (*records, _legacy_routes, _account_routes, _report_routes, _consent_routes, _oauth_routes):
        for route in routes():
            found[len(route.literals)].append(route)
    return found


def _object_routes() -> Iterator[Route]:
    batch = {
        "read": batch_calls.batch_read,
        "create": batch_calls.batch_create,
        "update": batch_calls.batch_update,
        "upsert": batch_calls.batch_upsert,
        "archive": batch_calls.batch_archive,
    }
    for version in (NUMBERED, *DATED):
        base = _base("objects", version) + "/{object_type}"
        yield _route(version, base + "/search", {"POST": search_calls.search}, is_search=True)
        yield _route(version, base + "/merge", {"POST": record_calls.merge_records})
        yield _route(version, base + "/gdpr-delete", {"POST": record_calls.gdpr_delete})
        for word, handler in batch.items():
            yield _route(version, f"{base}/batch/{word}", {"POST": handler})
        yield _route(version, base, {"GET": record_calls.list_records, "POST": record_calls.create_record})
        single = {
            "GET": record_calls.read_record,
            "PATCH": record_calls.update_record,
            "DELETE": record_calls.archive_record,
        }
        yield _route(version, base + "/{id}", single)
    yield _route(NUMBERED, "/crm/v4/objects/{object_type}", {"GET": record_calls.list_records})
    yield _route(NUMBERED, "/crm/v4/objects/{object_type}/{id}", {"GET": record_calls.read_record})


def _association_routes() -> Iterator[Route]:
    batch = {
        "read": association_calls.batch_read,
        "create": association_calls.batch_create,
        "archive": association_calls.batch_archive,
        "associate/default": association_calls.batch_associate_default,
        "labels/archive": association_calls.batch_archive_labels,
    }
    for version in SINCE_V4:
        record = _base("objects", version) + "/{object_type}/{id}/associations"
        pair = {"PUT": association_calls.associate_labelled, "DELETE": association_calls.remove_pair}
        yield _route(version, record + "/{to_type}", {"GET": association_calls.list_of_record})
        yield _route(version, record + "/{to_type}/{to_id}", pair)
        yield _route(version, record + "/default/{to_type}/{to_id}", {"PUT": association_calls.associate_default})
        types = _base("associations", version) + "/{object_type}/{to_type}"
        for words, handler in batch.items():
            yield _route(version, f"{types}/batch/{words}", {"POST": handler})
        labels = {
            "GET": association_calls.list_labels,
            "POST": association_calls.create_label,
            "PUT": association_calls.change_label,
        }
        yield _route(version, types + "/labels", labels)
        yield _route(version, types + "/labels/{type_id}", {"DELETE": association_calls.archive_label})
        report = _base("associations", version) + "/usage/high-usage-report/{user_id}"
        yield _route(version, report, {"POST": association_calls.high_usage_report})


def _association_v3_routes() -> Iterator[Route]:
    pair = "/crm/v3/associations/{object_type}/{to_type}"
    yield _route(NUMBERED, pair + "/types", {"GET": association_v3_calls.list_types})
    yield _route(NUMBERED, pair + "/batch/read", {"POST": association_v3_calls.batch_read})
    yield _route(NUMBERED, pair + "/batch/create", {"POST": association_v3_calls.batch_create})
    yield _route(NUMBERED, pair + "/batch/archive", {"POST": association_v3_calls.batch_archive})
    record = "/crm/v3/objects/{object_type}/{id}/associations/{to_type}"
    single = {"PUT": association_v3_calls.associate, "DELETE": association_v3_calls.remove}
    yield _route(NUMBERED, record, {"GET": association_v3_calls.list_of_record})
    yield _route(NUMBERED, record + "/{to_id}/{type}", single)


def _property_routes() -> Iterator[Route]:
    for version in (NUMBERED, *DATED):
        base = _base("properties", version) + "/{object_type}"
        collection = {"GET": property_calls.list_properties, "POST": property_calls.create_property}
        groups = {"GET": property_calls.list_groups, "POST": property_calls.create_group}
        group = {
            "GET": property_calls.read_group,
            "PATCH": property_calls.change_group,
            "DELETE": property_calls.archive_group,
        }
        single = {
            "GET": property_calls.read_property,
            "PATCH": property_calls.change_property,
            "DELETE": property_calls.archive_property,
        }
        yield _route(version, base, collection)
        yield _route(version, base + "/groups", groups)
        yield _route(version, base + "/groups/{name}", group)
        yield _route(version, base + "/batch/read", {"POST": property_calls.batch_read})
        yield _route(version, base + "/batch/create", {"POST": property_calls.batch_create})
        yield _route(version, base + "/batch/archive", {"POST": property_calls.batch_archive})
        yield _route(version, base + "/{name}", single)


def _pipeline_routes() -> Iterator[Route]:
    for version in (NUMBERED, *DATED):
        base = _base("pipelines", version) + "/{object_type}"
        pipeline = {
            "GET": pipeline_calls.read_pipeline,
            "PUT": pipeline_calls.replace_pipeline,
            "PATCH": pipeline_calls.change_pipeline,
            "DELETE": pipeline_calls.archive_pipeline,
        }
        stage = {
            "GET": pipeline_calls.read_stage,
            "PUT": pipeline_calls.replace_stage,
            "PATCH": pipeline_calls.change_stage,
            "DELETE": pipeline_calls.archive_stage,
        }
        stages = {"GET": pipeline_calls.list_stages, "POST": pipeline_calls.create_stage}
        yield _route(version, base, {"GET": pipeline_calls.list_pipelines, "POST": pipeline_calls.create_pipeline})
        yield _route(version, base + "/{pipeline_id}", pipeline)
        yield _route(version, base + "/{pipeline_id}/audit", {"GET": pipeline_calls.pipeline_audit})
        yield _route(version, base + "/{pipeline_id}/stages/{stage_id}/audit", {"GET": pipeline_calls.stage_audit})
        yield _route(version, base + "/{pipeline_id}/stages", stages)
        yield _route(version, base + "/{pipeline_id}/stages/{stage_id}", stage)


def _legacy_routes() -> Iterator[Route]:
    """What singer-io/tap-hubspot reads of the versions before."""
    for version, path, handler in (
        ("v2", "/companies/v2/companies/paged", legacy_calls.list_companies),
        ("v2", "/companies/v2/companies/{id}", legacy_calls.read_company),
        ("v2", "/companies/v2/properties", legacy_calls.list_properties),
        ("v1", "/properties/v1/{object_type}/properties", legacy_calls.list_properties),
        ("v1", "/deals/v1/deal/paged", legacy_calls.list_deals),
        ("v1", "/deals/v1/pipelines", legacy_calls.list_deal_pipelines),
        ("v1", "/engagements/v1/engagements/modified/after", engagement_calls.modified_after),
        ("v1", "/email/public/v1/campaigns/by-id", list_calls.no_campaigns),
        ("v1", "/email/public/v1/campaigns/{id}", list_calls.no_such_campaign),
        ("v1", "/email/public/v1/events", list_calls.no_email_events),
        ("v1", "/email/public/v1/subscriptions/timeline", list_calls.no_timeline),
        ("v2", "/forms/v2/forms", list_calls.no_forms),
        ("v3", "/automation/v3/workflows", list_calls.no_workflows),
    ):
        yield _route(version, path, {"GET": handler})


def _account_routes() -> Iterator[Route]:
    for version in (NUMBERED, *DATED):
        yield _route(version, f"/account-info/{version}/details", {"GET": account_calls.details})
        usage = f"/account-info/{version}/api-usage/daily"
        yield _route(version, usage, {"GET": account_calls.daily_usage})
        yield _route(version, usage + "/private-apps", {"GET": account_calls.daily_usage})
        owners = _base("owners", version)
        yield _route(version, owners, {"GET": account_calls.list_owners})
        yield _route(version, owners + "/{id}", {"GET": account_calls.read_owner})
        collection = {"GET": object_schema_calls.list_schemas, "POST": object_schema_calls.create_schema}
        single = {
            "GET": object_schema_calls.read_schema,
            "PATCH": object_schema_calls.change_schema,
            "DELETE": object_schema_calls.archive_schema,
        }
        associations = {"POST": object_schema_calls.create_association}
        for schemas in (f"/crm-object-schemas/{version}/schemas", *SHORT_SCHEMAS.get(version, ())):
            yield _route(version, schemas, collection)
            yield _route(version, schemas + "/{object_type}", single)
            yield _route(version, schemas + "/batch/read", {"POST": object_schema_calls.batch_read})
            yield _route(version, schemas + "/{object_type}/associations", associations)
            one = {"DELETE": object_schema_calls.archive_association}
            yield _route(version, schemas + "/{object_type}/associations/{association_id}", one)


def _report_routes() -> Iterator[Route]:
    """Exports, how near the limits are, and what this account has none of."""
    for version in (NUMBERED, *DATED):
        exports = _base("exports", version) + "/export"
        yield _route(version, exports + "/async", {"POST": export_calls.start})
        yield _route(version, exports + "/async/tasks/{task_id}/status", {"GET": export_calls.status})
        yield _route(version, exports + "/{export_id}", {"GET": export_calls.describe})
        limits = _base("limits", version)
        for path, handler in LIMITS.items():
            yield _route(version, limits + path, {"GET": handler})
        lists = _base("lists", version)
        yield _route(version, lists, {"GET": list_calls.several_lists})
        yield _route(version, lists + "/search", {"POST": list_calls.search_lists})
        yield _route(version, lists + "/{list_id}", {"GET": list_calls.no_such_list})
        yield _route(version, lists + "/{list_id}/memberships", {"GET": list_calls.no_such_list})
        of_record = lists + "/records/{object_type}/{id}/memberships"
        yield _route(version, of_record, {"GET": list_calls.lists_of_record})
        rules = _base("property-validations", version) + "/{object_type}"
        yield _route(version, rules, {"GET": list_calls.no_rules})
        yield _route(version, rules + "/{name}", {"GET": list_calls.no_rules})
        yield _route(version, rules + "/{name}/rule-type/{rule}", {"GET": list_calls.no_such_rule})
    yield _route(NUMBERED, "/export-files/{export_id}/{ticket}", {"GET": export_calls.fetch}, is_open=True)


def _consent_routes() -> Iterator[Route]:
    yield _route("v3", "/communication-preferences/v3/definitions", {"GET": consent_calls.definitions})
    yield _route("v3", "/communication-preferences/v3/status/email/{email}", {"GET": consent_calls.v3_statuses})
    yield _route("v3", "/communication-preferences/v3/subscribe", {"POST": consent_calls.v3_subscribe})
    yield _route("v3", "/communication-preferences/v3/unsubscribe", {"POST": consent_calls.v3_unsubscribe})
    for version in SINCE_V4:
        base = f"/communication-preferences/{version}"
        out_of_all = {"GET": consent_calls.read_out_of_all, "POST": consent_calls.unsubscribe_from_all}
        single = {"GET": consent_calls.statuses, "POST": consent_calls.set_status}
        yield _route(version, base + "/definitions", {"GET": consent_calls.definitions})
        yield _route(version, base + "/statuses/batch/read", {"POST": consent_calls.batch_read})
        yield _route(version, base + "/statuses/batch/write", {"POST": consent_calls.batch_write})
        leave = {"POST": consent_calls.batch_unsubscribe_from_all}
        yield _route(version, base + "/statuses/batch/unsubscribe-all", leave)
        left = {"POST": consent_calls.batch_read_out_of_all}
        yield _route(version, base + "/statuses/batch/unsubscribe-all/read", left)
        yield _route(version, base + "/statuses/{email}", single)
        yield _route(version, base + "/statuses/{email}/unsubscribe-all", out_of_all)


def _oauth_routes() -> Iterator[Route]:
    """No token is asked for: these give one."""
    for version in ("v1", "v3", *DATED):
        yield _route(version, f"/oauth/{version}/token", {"POST": oauth_calls.token}, is_open=True)
    for version in ("v3", *DATED):
        base = f"/oauth/{version}/token"
        yield _route(version, base + "/introspect", {"POST": oauth_calls.introspect}, is_open=True)
        yield _route(version, base + "/revoke", {"POST": oauth_calls.revoke}, is_open=True)
    described = {"GET": oauth_calls.describe_access_token}
    yield _route("v1", "/oauth/v1/access-tokens/{token}", described, is_open=True)
    key = {"POST": oauth_calls.describe_service_key}
    yield _route("v2", "/oauth/v2/private-apps/get/access-token-info", key, is_open=True)


def _base(resource: str, version: str) -> str:
    """``/crm/v3/objects`` and ``/crm/objects/2026-03``: the date stands behind the resource."""
    return f"/crm/{version}/{resource}" if version.startswith("v") else f"/crm/{resource}/{version}"


def _route(version: str, path: str, methods: Methods, *, is_search: bool = False, is_open: bool = False) -> Route:
    segments = path.strip("/").split("/")
    literals = tuple(None if segment.startswith("{") else segment for segment in segments)
    names = tuple(segment.strip("{}") for segment in segments if segment.startswith("{"))
    return Route(path, version, literals, names, methods, is_search=is_search, is_open=is_open)
