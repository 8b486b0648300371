"""``/tooling/…``: queries over metadata, its objects and their descriptions. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.emulator.salesforce import describing, querying
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.fields import reading, shown
from connectors.emulator.salesforce.refusals import Refusal, not_found
from connectors.emulator.salesforce.rows import asked_fields
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.salesforce.soql.paths import Scope
from connectors.emulator.salesforce.soql.tree import Comparison, Condition, Junction, Path
from connectors.emulator.salesforce.tooling.catalogue import SHARED, catalogue, filters
from connectors.emulator.salesforce.tooling.rows import MAKERS
from connectors.emulator.world import Row

AREA = "tooling"
RESOURCES = ("query", "sobjects")

Document = dict[str, Any]
Handler = Callable[[Call], Answer]


class Metadata(querying.View):
    """What a query over the Tooling API sees. Rows are made once for each query."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.org, call.user_id, with_deleted=False)
        self.catalogue = catalogue()
        self._made: dict[str, list[Row]] = {}

    def rows(self, kind: ObjectType) -> Iterable[Row]:
        if kind.name in SHARED:
            return super().rows(self.org.catalogue.objects[kind.name])
        if kind.name not in self._made:
            make = MAKERS.get(kind.name)
            self._made[kind.name] = [] if make is None else make(self.org)
        return self._made[kind.name]

    def row(self, object_name: str, record_id: str) -> Row | None:
        kind = self.catalogue.objects[object_name]
        return next((row for row in self.rows(kind) if row.id == record_id), None)

    def by_key(self, kind: ObjectType, item: Field, value: Any) -> list[Row] | None:
        return None

    def by_stamp(self, kind: ObjectType, start: datetime | None, end: datetime | None) -> list[Row]:
        return list(self.rows(kind))

    def instead(self, call: Call, text: str) -> querying.View | None:
        return None

    def check(self, scope: Scope) -> None:
        """Some objects must be asked for by what they belong to. Raises Refusal."""
        needed = filters(scope.kind.name)
        if needed and not any(_is_by(path, needed) for path in _filtered(scope.query.where)):
            message = f"{scope.kind.name}: a filter on a reified column is required [{','.join(needed)}]"
            raise Refusal(400, "MALFORMED_QUERY", message)


def _filtered(where: Condition | None) -> Iterator[Path]:
    """The paths of the conditions that must hold, all of them."""
    if isinstance(where, Junction) and where.word == "AND":
        for part in where.parts:
            yield from _filtered(part)
    elif isinstance(where, Comparison) and where.operator in ("=", "IN") and isinstance(where.subject, Path):
        yield where.subject


def _is_by(path: Path, names: list[str]) -> bool:
    """``EntityDefinitionId``, or a field of the object it leads to."""
    wanted = {name.lower() for name in names} | {name.removesuffix("Id").lower() for name in names}
    return any(part.lower() in wanted for part in path.parts)


def resources(call: Call) -> Answer:
    here = replace(call, area=AREA)
    return Answer(200, {name: here.url(name) for name in RESOURCES})


def query(call: Call) -> Answer:
    here = replace(call, area=AREA)
    return Answer(200, _as_told(querying.first_page(here, Metadata(here))))


def next_page(call: Call) -> Answer:
    return Answer(200, _as_told(querying.next_page(replace(call, area=AREA)).document))


def _as_told(page: Document) -> Document:
    """This API says more about a page than the other one; of columns it says the same."""
    if "records" not in page:
        return page
    records = page["records"]
    kind = records[0]["attributes"]["type"] if records else None
    sizes = {"size": len(records), "totalSize": page["totalSize"], "done": page["done"]}
    return {**sizes, "queryLocator": None, "entityTypeName": kind, **page}


def all_objects(call: Call) -> Answer:
    return Answer(200, describing.listed(replace(call, area=AREA), catalogue()))


def basic_information(call: Call) -> Answer:
    here = replace(call, area=AREA)
    return Answer(200, {"objectDescribe": describing.object_entry(_kind(call), here), "recentItems": []})


def one_object(call: Call) -> Answer:
    return Answer(200, describing.description(replace(call, area=AREA), _kind(call), catalogue()))


def read(call: Call) -> Answer:
    """Raises Refusal (404): no such object or record."""
    here, kind = replace(call, area=AREA), _kind(call)
    row = Metadata(here).row(kind.name, call.places["id"])
    if row is None:
        raise not_found()
    url = here.url("sobjects", kind.name, row.id)
    record: Document = {"attributes": {"type": kind.name, "url": url}}
    reading((item.name, shown(item)) for item in asked_fields(call, kind))(row, record)
    return Answer(200, record)


def _kind(call: Call) -> ObjectType:
    """Raises Refusal (404), and notes an object that a real org may well have."""
    name = call.places["object"]
    found = catalogue().find(name)
    if found is None:
        call.org.note_unknown("OBJECT", f"tooling/{name}")
        raise not_found()
    return found
