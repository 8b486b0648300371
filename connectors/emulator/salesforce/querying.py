"""``/query`` and ``/queryAll``: pages of a query, and locators for the pages after the first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.emulator.salesforce.calls import Answer, Call, directives
from connectors.emulator.salesforce.cursors import Cursor
from connectors.emulator.salesforce.ids import new_id
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import Catalogue, Field, ObjectType
from connectors.emulator.salesforce.soql import columns, plans
from connectors.emulator.salesforce.soql.aggregate import aggregated, count
from connectors.emulator.salesforce.soql.evaluate import rows_of
from connectors.emulator.salesforce.soql.lexer import NotBuilt, SoqlError
from connectors.emulator.salesforce.soql.literals import Moment
from connectors.emulator.salesforce.soql.parser import parse
from connectors.emulator.salesforce.soql.paths import Scope
from connectors.emulator.salesforce.soql.shape import Make, maker
from connectors.emulator.salesforce.tooling.catalogue import in_both
from connectors.emulator.world import Row

SMALLEST_PAGE, LARGEST_PAGE = 200, 2_000


class View:
    """What one caller's query may see: committed rows, deleted and archived ones only with queryAll."""

    def __init__(self, org: Org, user_id: str, *, with_deleted: bool) -> None:
        self.org = org
        self._with_deleted = with_deleted
        self.user_id = user_id
        self.catalogue: Catalogue = org.catalogue
        user = org.space.row("User", user_id)
        zone = (user.values.get("TimeZoneSidKey") if user is not None else None) or "GMT"
        self.moment = Moment(org.now, ZoneInfo(zone))

    def rows(self, kind: ObjectType) -> Iterable[Row]:
        found = self.org.rows(kind)
        if self._with_deleted:
            return [row for row in found if not row.deleted or not self.org.is_purged(row)]
        if "IsArchived" in kind.fields:
            return [row for row in found if not row.deleted and not row.values.get("IsArchived")]
        return [row for row in found if not row.deleted]

    def row(self, object_name: str, record_id: str) -> Row | None:
        found = self.org.row(object_name, record_id)
        return found if found is not None and self._sees(found) else None

    def by_key(self, kind: ObjectType, item: Field, value: Any) -> list[Row] | None:
        if item.type == "id":
            row = self.row(kind.name, value)
            return [] if row is None else [row]
        if (kind.name, item.name) not in self.org.space.indexes:
            return None
        return [row for row in self.org.rows_with(kind, item, value) if self._sees(row)]

    def by_stamp(self, kind: ObjectType, start: datetime | None, end: datetime | None) -> list[Row]:
        return [row for row in self.org.rows_stamped(kind, start, end) if self._sees(row)]

    def instead(self, call: Call, text: str) -> View | None:
        """Another view for a query this one cannot answer: that of the org's metadata. Raises SoqlError."""
        from connectors.emulator.salesforce.tooling.endpoint import Metadata  # it is a view itself

        return None if in_both(str(parse(text).source)) is None else Metadata(call)

    def check(self, scope: Scope) -> None:
        """Of a whole query; objects of the org can be asked for anyhow."""

    def _sees(self, row: Row) -> bool:
        if self._with_deleted:
            return not self.org.is_purged(row)
        return not row.deleted and not row.values.get("IsArchived")


def query(call: Call) -> Answer:
    if "explain" in call.query:
        return Answer(200, _explained(call, call.query["explain"]))
    return Answer(200, first_page(call, View(call.org, call.user_id, with_deleted=False)))


def query_all(call: Call) -> Answer:
    return Answer(200, first_page(call, View(call.org, call.user_id, with_deleted=True)))


def next_page(call: Call) -> Answer:
    """``GET /query/01g…-2000``: rows that changed since are still delivered, as they were."""
    life = timedelta(days=call.org.setting("cursor_days"))
    locator_id, cursor, start = call.org.cursors.resume(call.places["locator"], call.user_id, call.org.now, life)
    return Answer(200, _page(call, cursor, start, _page_size(call, cursor.size), locator_id))


def first_page(call: Call, view: View) -> dict[str, Any]:
    """Raises Refusal: what the view does not know, or no SOQL."""
    text = call.query.get("q", "")
    if not text.strip():
        raise Refusal(400, "MALFORMED_QUERY", "A query string has to be specified")
    try:
        try:
            return _result(call, text, view)
        except NotBuilt:
            instead = view.instead(call, text)
            if instead is None:
                raise
            return _result(call, text, instead)
    except SoqlError as error:
        raise refusal_of(call.org, text, error) from None


def _explained(call: Call, text: str) -> dict[str, Any]:
    """Raises Refusal."""
    try:
        return plans.explained(Scope.of(View(call.org, call.user_id, with_deleted=False), parse(text)))
    except SoqlError as error:
        raise refusal_of(call.org, text, error) from None


def refusal_of(org: Org, text: str, error: SoqlError) -> Refusal:
    """What the caller is told; what only this emulator does not know is noted for the admin side."""
    if isinstance(error, NotBuilt):
        org.note_unknown("SOQL", text)
    return Refusal(400, error.code, error.message)


def _result(call: Call, text: str, view: View) -> dict[str, Any]:
    scope = Scope.of(view, parse(text))
    view.check(scope)
    if call.query.get("columns", "").lower() == "true":
        return columns.described(scope)
    if scope.query.is_bare_count and not scope.query.group_by:
        return {"totalSize": count(scope), "done": True, "records": []}
    if scope.query.is_aggregate:
        found = aggregated(scope)
        return {"totalSize": len(found), "done": True, "records": found}
    size = _page_size(call, LARGEST_PAGE)

    def first_page(rows: list[Row], make: Make) -> dict[str, Any]:
        return _page(call, Cursor(rows, make, call.user_id, call.org.now, size), 0, size, None)

    return first_page(rows_of(scope), maker(scope, call.url("sobjects"), first_page))


def _page(call: Call, cursor: Cursor, start: int, size: int, locator_id: str | None) -> dict[str, Any]:
    end, total = start + size, len(cursor.rows)
    page: dict[str, Any] = {"totalSize": total, "done": end >= total}
    if end < total:
        if locator_id is None:
            locator_id = new_id("01g", call.org.space.next_number("01g"))
            call.org.cursors.keep(locator_id, cursor)
        page["nextRecordsUrl"] = call.url("query", f"{locator_id}-{end}")
    return {**page, "records": cursor.records(start, end)}


def _page_size(call: Call, usual: int) -> int:
    asked = directives(call.headers.get("sforce-query-options", "")).get("batchsize", "")
    return max(SMALLEST_PAGE, min(LARGEST_PAGE, int(asked))) if asked.isdecimal() else usual
