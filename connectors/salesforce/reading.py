"""Reading: what changed, what is there now, who owns it.

``version`` is SystemModstamp, followed by ``/`` and LastModifiedDate where the two differ. The first moves for every
change, so it tells whether a record is known; the second is what If-Unmodified-Since is compared with.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any

from agent.connector import FieldSchema, Known, Page, Window, nothing_known
from agent.errors import BadReply, ConnectorError, NotFound
from agent.logs import mention
from agent.records import Gone, MergedInto, Pulled, Readout, Record, Ref, Tombstone, Unreadable
from connectors.salesforce.abilities import BULK_ABOVE, READ_CHUNK
from connectors.salesforce.bulk import NoJob, Sleep
from connectors.salesforce.calls import Calls, Reply, Request
from connectors.salesforce.failures import SYSTEM, Failure, as_error
from connectors.salesforce.ids import full_id
from connectors.salesforce.loading import Loading, Place, place_of
from connectors.salesforce.pages import FieldHidden, Row, RowPage, pages
from connectors.salesforce.schema import Description, Schemas
from connectors.salesforce.soql import ALWAYS, MOST_IDS, by_ids, changes, equal_to, everything
from connectors.salesforce.together import Question, Together

_FATE_FIELDS = ("IsDeleted", "MasterRecordId")
_UNSTORABLE = re.compile("[\x00-\x08\x0e-\x1f\ud800-\udfff]")


class Reading:
    def __init__(self, calls: Calls, schemas: Schemas, sleep: Sleep = time.sleep, bulk_above: int = BULK_ABOVE) -> None:
        self._calls = calls
        self._schemas = schemas
        self._loading = Loading(calls, sleep)
        self._bulk_above = bulk_above
        self._together = Together(calls, schemas)

    def changed(
        self, object_type: str, fields: Sequence[str], window: Window, known: Known = nothing_known
    ) -> Iterator[Page]:
        """As the port says; one ``Page`` per page of the vendor.

        Windows that are asked for before the first page of any of them is read share one call. Known records are left
        out of a window, but never of a full load: its size tells an emptied side.
        """
        if window.since is None:
            return self._everything(object_type, fields, window)
        question = self._together.plan(object_type, lambda: self._change_query(object_type, fields, window))
        return self._taken(object_type, window, known, self._change_pages(object_type, fields, window, question))

    def _everything(self, object_type: str, fields: Sequence[str], window: Window) -> Iterator[Page]:
        """A full load: as a job where the first page of the usual query shows that there is much to load."""
        begun = place_of(window.after)
        if begun is not None:
            try:
                yield from self._loaded(object_type, fields, window, begun)
            except NoJob as no_job:
                _say_no_job(object_type, no_job)
                window = replace(window, after=None)
            else:
                return
        pages = self._change_pages(object_type, fields, window, None)
        first = next(pages, None)
        if first is not None and first[1].total > self._bulk_above and window.after is None:
            try:
                yield from self._loaded(object_type, fields, window, None)
            except NoJob as no_job:
                _say_no_job(object_type, no_job)
            else:
                return
        if first is not None:
            yield from self._taken(object_type, window, nothing_known, chain([first], pages))

    def _loaded(self, object_type: str, fields: Sequence[str], window: Window, begun: Place | None) -> Iterator[Page]:
        """Pages of a query job, the empty ones of waiting first: each says how far it is. Raises NoJob."""
        place = begun or self._begun(object_type, fields, window)
        yield Page((), str(place))
        while not self._loading.is_ready(place):
            yield Page((), str(place))
        described = self._schemas.of(object_type)
        asked = described.visible(fields)
        for page, following in self._loading.pages(place, described):
            rows = (_Seen(object_type, described.prefix, row, page.at) for row in page.rows)
            yield Page(tuple(row.pulled(asked) for row in rows), str(following) if following else None)

    def _begun(self, object_type: str, fields: Sequence[str], window: Window) -> Place:
        for describe in (self._schemas.of, self._schemas.fetch):
            described = describe(object_type)
            try:
                names = _selected(described, described.visible(fields))
                return self._loading.begin(everything(object_type, names, window.until))
            except FieldHidden:
                continue
        raise NoJob("a field was hidden meanwhile")

    def _taken(
        self, object_type: str, window: Window, known: Known, pages: Iterable[tuple[list[str], RowPage]]
    ) -> Iterator[Page]:
        for asked, page in pages:
            prefix = self._schemas.of(object_type).prefix
            rows = [_Seen(object_type, prefix, row, page.at) for row in page.rows]
            skipped = known({row.record_id: row.version for row in rows if not row.is_deleted})
            items = (row.pulled(asked) for row in rows if row.is_deleted or row.record_id not in skipped)
            yield Page(tuple(items), rows[-1].record_id if rows and window.since is None else None)

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        """As the port says; one call per object type, and one more per 400 ids that it could not read."""
        if len(refs) > READ_CHUNK:
            raise ValueError(f"{len(refs)} records in one read; the chunk is {READ_CHUNK}")
        possible = [ref for ref in refs if ref.system == SYSTEM and full_id(ref.id, "") is not None]
        found: dict[Ref, Readout] = {}
        for object_type in dict.fromkeys(ref.object_type for ref in possible):
            same = [ref for ref in possible if ref.object_type == object_type]
            found.update(self._read_type(object_type, same, fields))
        return [found.get(ref) or Unreadable(ref, "not an id of a Salesforce record") for ref in refs]

    def read_many(self, refs: Sequence[Ref], fields: Sequence[str]) -> Iterator[Readout]:
        """However many they are: an undo, or a job that found thousands deleted, knows no chunks. Raises like
        ``read``."""
        for start in range(0, len(refs), READ_CHUNK):
            yield from self.read(refs[start : start + READ_CHUNK], fields)

    def read_or_nothing(self, refs: Sequence[Ref]) -> list[Readout]:
        """A second look that is worth no failure: without an answer there is nothing to correct.

        Returns answers about the first of ``refs``, as far as there were any.
        """
        found: list[Readout] = []
        with suppress(ConnectorError, NotFound):
            for readout in self.read_many(refs, ()):
                found.append(readout)
        return found

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        """Live records whose ``key`` equals ``value`` (text without regard to case, as SOQL compares).

        Raises:
            NotFound: our user cannot search by that field. AccessDenied, Unavailable, BadReply.
        """
        described = self._schemas.of(object_type)
        if key not in described.schema.fields or key not in described.filterable:
            raise NotFound(f"Salesforce cannot look up {object_type} by {key!r}", where="salesforce")
        literal = _literal(described.schema.fields[key], value)
        if literal is None:
            return []
        records: list[Record] = []
        for asked, page in self._visible_pages(
            object_type, fields, lambda names: equal_to(object_type, names, key, literal), with_deleted=False
        ):
            rows = (_Seen(object_type, described.prefix, row, page.at) for row in page.rows)
            records += [row.record(asked) for row in rows]
        return records

    def _change_pages(
        self, object_type: str, fields: Sequence[str], window: Window, question: Question | None
    ) -> Iterator[tuple[list[str], RowPage]]:
        return self._visible_pages(
            object_type,
            fields,
            lambda names: changes(object_type, names, window.since, window.until, full_id(window.after or "", "")),
            with_deleted=True,
            first=lambda soql: self._together.answer(question, soql) if question is not None else None,
        )

    def _change_query(self, object_type: str, fields: Sequence[str], window: Window) -> str:
        described = self._schemas.of(object_type)
        return changes(object_type, _selected(described, described.visible(fields)), window.since, window.until)

    def _visible_pages(
        self,
        object_type: str,
        fields: Sequence[str],
        soql: Callable[[Sequence[str]], str],
        *,
        with_deleted: bool,
        first: Callable[[str], Reply | None] = lambda soql: None,
    ) -> Iterator[tuple[list[str], RowPage]]:
        """Pages of a query over the visible ones of ``fields``; a field hidden just now is left out.

        ``first``: what a query was answered already.
        """
        doing = f"reading {object_type}"
        for describe in (self._schemas.of, self._schemas.fetch):
            described = describe(object_type)
            asked = described.visible(fields)
            query = soql(_selected(described, asked))
            try:
                for page in pages(self._calls, query, doing, with_deleted=with_deleted, first=first(query)):
                    yield asked, page
            except FieldHidden:
                continue
            return
        raise as_error(Failure("refused", "INVALID_FIELD", 400), doing)

    def _read_type(self, object_type: str, refs: Sequence[Ref], fields: Sequence[str]) -> dict[Ref, Readout]:
        described = self._schemas.of(object_type)
        whole = {ref: full_id(ref.id, described.prefix) for ref in refs}
        ids = list(dict.fromkeys(record_id for record_id in whole.values() if record_id is not None))
        reply = self._retrieve(object_type, ids, fields) if ids else None
        rows = _rows_by_id(reply, ids, object_type)
        missing = [record_id for record_id in ids if rows[record_id] is None]
        fates = self._fates(described, missing)
        asked = self._schemas.of(object_type).visible(fields)
        answers: dict[Ref, Readout] = {}
        for ref, record_id in whole.items():
            if record_id is None:
                answers[ref] = Unreadable(ref, f"not an id of a Salesforce {object_type}")
            elif (row := rows[record_id]) is not None and reply is not None:
                answers[ref] = _Seen(object_type, described.prefix, row, reply.at).record(asked, ref)
            else:
                answers[ref] = _fate(ref, described, fates.get(record_id))
        return answers

    def _retrieve(self, object_type: str, ids: Sequence[str], fields: Sequence[str]) -> Reply:
        """One collections retrieve; a field hidden just now is left out of a second one."""
        doing = f"reading {object_type}"
        described = self._schemas.of(object_type)
        answer = self._calls.send(_retrieval(object_type, ids, _selected(described, described.visible(fields))))
        if isinstance(answer, Failure) and answer.code == "INVALID_FIELD":
            described = self._schemas.fetch(object_type)
            answer = self._calls.send(_retrieval(object_type, ids, _selected(described, described.visible(fields))))
        if isinstance(answer, Failure):
            raise as_error(answer, doing)
        return answer

    def _fates(self, described: Description, ids: Sequence[str]) -> dict[str, Row]:
        """What queryAll knows of ids that cannot be read: deleted, merged, or there but not readable."""
        names = ["Id", "SystemModstamp", *described.visible(_FATE_FIELDS)]
        object_type = described.schema.object_type
        rows: dict[str, Row] = {}
        for start in range(0, len(ids), MOST_IDS):
            soql = by_ids(object_type, names, ids[start : start + MOST_IDS])
            try:
                for page in pages(self._calls, soql, f"reading {object_type}", with_deleted=True):
                    rows.update({str(row.get("Id")): row for row in page.rows})
            except FieldHidden:
                continue  # their fate cannot be told, so they count as unreadable
        return rows


class _Seen:
    """One row of an answer, checked: it has an id of its object and both stamps."""

    def __init__(self, object_type: str, prefix: str, row: Row, at: datetime | None) -> None:
        record_id = row.get("Id")
        whole = full_id(record_id, prefix) if isinstance(record_id, str) else None
        if whole is None:
            raise BadReply(f"Salesforce sent a {object_type} without a valid id", system=SYSTEM)
        self._ref = Ref(SYSTEM, object_type, whole)
        self._row = row
        self._at = at

    @property
    def record_id(self) -> str:
        return self._ref.id

    @property
    def version(self) -> str:
        return _version(self._row)

    @property
    def is_deleted(self) -> bool:
        return self._row.get("IsDeleted") is True

    def pulled(self, asked: Sequence[str]) -> Pulled:
        if self.is_deleted:
            survivor = _survivor(self._ref, self._row)
            stamp = _stamp(self._row, "SystemModstamp")
            return MergedInto(self._ref, survivor, stamp) if survivor else Tombstone(self._ref, stamp)
        return self.record(asked)

    def record(self, asked: Sequence[str], ref: Ref | None = None) -> Record:
        """The row as a record; a field that did not come is not in it."""
        row = self._row
        return Record(
            ref or self._ref,
            {name: row[name] for name in asked if name in row},
            _version(row),
            _stamp(row, "SystemModstamp"),
            self._at,
        )


def version_date(version: str) -> datetime | None:
    """The LastModifiedDate inside a version, or None when the text is no version of ours."""
    return _moment(version.rpartition("/")[2])


def _say_no_job(object_type: str, no_job: NoJob) -> None:
    mention("no query job: loaded by the usual query", system=SYSTEM, object=object_type, why=str(no_job))


def _version(row: Row) -> str:
    stamp, modified = row.get("SystemModstamp"), row.get("LastModifiedDate")
    if not isinstance(stamp, str) or not isinstance(modified, str):
        raise BadReply("Salesforce sent a record without its stamps", system=SYSTEM)
    return stamp if stamp == modified else f"{stamp}/{modified}"


def _stamp(row: Row, name: str) -> datetime:
    stamp = _moment(row.get(name))
    if stamp is None:
        raise BadReply(f"Salesforce sent a record without a readable {name}", system=SYSTEM)
    return stamp


def _moment(text: object) -> datetime | None:
    """A time with its zone, or None."""
    try:
        stamp = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return stamp if stamp is not None and stamp.tzinfo is not None else None


def _survivor(ref: Ref, row: Row) -> Ref | None:
    master = row.get("MasterRecordId")
    whole = full_id(master, ref.id[:3]) if isinstance(master, str) else None
    return Ref(ref.system, ref.object_type, whole) if whole else None


def _selected(described: Description, asked: Sequence[str]) -> list[str]:
    """What a query names: the fields, and those we always need."""
    return list(dict.fromkeys([*ALWAYS, *described.visible(_FATE_FIELDS), *asked]))


def _retrieval(object_type: str, ids: Sequence[str], fields: Sequence[str]) -> Request:
    return Request("POST", f"composite/sobjects/{object_type}", body={"ids": list(ids), "fields": list(fields)})


def _rows_by_id(reply: Reply | None, ids: Sequence[str], object_type: str) -> dict[str, Row | None]:
    """{id: row, or None where the vendor sent null}; the answer must be complete and in order."""
    if reply is None:
        return {}
    rows = reply.body
    if not isinstance(rows, list) or len(rows) != len(ids):
        raise BadReply(f"an incomplete answer from Salesforce while reading {object_type}", system=SYSTEM)
    found: dict[str, Row | None] = {}
    for record_id, row in zip(ids, rows, strict=True):
        is_right = isinstance(row, dict) and full_id(str(row.get("Id")), "") == record_id
        if row is not None and not is_right:
            raise BadReply(f"Salesforce answered about another {object_type} than asked", system=SYSTEM)
        found[record_id] = None if row is None or row.get("IsDeleted") is True else row
    return found


def _fate(ref: Ref, described: Description, row: Mapping[str, Any] | None) -> Readout:
    if row is None:
        return Gone(ref, for_good=True)  # purged from the bin, or no longer shared with our user: both look like this
    if row.get("IsDeleted") is True:
        whole = Ref(ref.system, ref.object_type, full_id(ref.id, described.prefix) or ref.id)
        survivor = _survivor(whole, dict(row))
        return MergedInto(ref, survivor, _stamp(dict(row), "SystemModstamp")) if survivor else Gone(ref)
    return Unreadable(ref, "Salesforce lists the record but does not show it to the integration user")


def _literal(schema: FieldSchema, value: str) -> str | float | bool | None:
    """The value in the field's own type, or None when no record can hold it."""
    if schema.type == "number":
        return _number(value)
    if schema.type == "boolean":
        return {"true": True, "false": False}.get(value.lower())
    if schema.type in ("id", "reference"):
        return full_id(value, "")
    too_long = schema.length is not None and len(value) > schema.length
    return None if not value.strip() or too_long or _UNSTORABLE.search(value) else value


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e18 else None
