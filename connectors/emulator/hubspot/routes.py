"""Which path leads to which handler, in every API version. Segments in braces are named parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from starlette.responses import Response

from connectors.emulator.hubspot import account_calls, batch_calls, property_calls, record_calls, search_calls
from connectors.emulator.hubspot.call import Call

Handler = Callable[[Call], Response]
Methods = Mapping[str, Handler]
NUMBERED = "v3"
DATED = ("2026-03", "2026-09")
SINCE_V4 = ("v4", *DATED)


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
    for route in (*_object_routes(), *_property_routes(), *_account_routes()):
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


def _property_routes() -> Iterator[Route]:
    for version in (NUMBERED, *DATED):
        base = _base("properties", version) + "/{object_type}"
        yield _route(version, base, {"GET": property_calls.list_properties, "POST": property_calls.create_property})
        single = {
            "GET": property_calls.read_property,
            "PATCH": property_calls.change_property,
            "DELETE": property_calls.archive_property,
        }
        yield _route(version, base + "/{name}", single)


def _account_routes() -> Iterator[Route]:
    for version in (NUMBERED, *DATED):
        yield _route(version, f"/account-info/{version}/details", {"GET": account_calls.details})
        base = _base("owners", version)
        yield _route(version, base, {"GET": account_calls.list_owners})
        yield _route(version, base + "/{id}", {"GET": account_calls.read_owner})


def _base(resource: str, version: str) -> str:
    """``/crm/v3/objects`` and ``/crm/objects/2026-03``: the date stands behind the resource."""
    return f"/crm/{version}/{resource}" if version.startswith("v") else f"/crm/{resource}/{version}"


def _route(version: str, path: str, methods: Methods, *, is_search: bool = False, is_open: bool = False) -> Route:
    segments = path.strip("/").split("/")
    literals = tuple(None if segment.startswith("{") else segment for segment in segments)
    names = tuple(segment.strip("{}") for segment in segments if segment.startswith("{"))
    return Route(path, version, literals, names, methods, is_search=is_search, is_open=is_open)
