"""Query texts. Names come from describe only, values go through the library's quoting, ids were validated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from simple_salesforce.format import quote_soql_value

MOST_IDS = 400
"""Ids in one IN list: each costs 27 bytes of an address that may hold 16,384."""

STAMP_FIELDS = ("SystemModstamp", "LastModifiedDate")
ALWAYS = ("Id", *STAMP_FIELDS)


def changes(
    object_type: str, fields: Sequence[str], since: datetime | None, until: datetime, after: str | None = None
) -> str:
    """Everything stamped in [since, until), deleted rows included when asked of queryAll.

    SystemModstamp moves for every change, LastModifiedDate can be set back by an import. Many rows share a stamp,
    so the id completes the order; without ``since`` the id alone orders, which suits the vendor's index and lets an
    interrupted load go on behind the id it had come to (``after``). Stamps are
    whole seconds, so both bounds are rounded up: exactly the stamps inside the window remain inside.
    """
    before = f"SystemModstamp < {moment(until)}"
    if since is None:
        behind = f"Id > {quote_soql_value(after)} AND " if after else ""
        return _select(object_type, fields, f"{behind}{before} ORDER BY Id")
    window = f"SystemModstamp >= {moment(since)} AND {before}"
    return _select(object_type, fields, f"{window} ORDER BY SystemModstamp, Id")


def everything(object_type: str, fields: Sequence[str], until: datetime) -> str:
    """As ``changes`` without a beginning, for a job: in no order, so that Salesforce may cut it into parts."""
    return _select(object_type, fields, f"SystemModstamp < {moment(until)}")


def by_ids(object_type: str, fields: Sequence[str], ids: Sequence[str]) -> str:
    """At most ``MOST_IDS`` validated ids."""
    return _select(object_type, fields, f"Id IN {quote_soql_value(list(ids))}")


def with_children(object_type: str, relationships: Sequence[str], record_id: str) -> str:
    """One record with the ids of the records that hang on it by these relationships."""
    children = [" ".join(("(SELECT Id FROM", name)) + ")" for name in relationships]
    return _select(object_type, ["Id", *children], f"Id = {quote_soql_value(record_id)}")


def equal_to(object_type: str, fields: Sequence[str], key: str, value: str | float | bool) -> str:
    return _select(object_type, fields, f"{key} = {quote_soql_value(value)}")


def moment(stamp: datetime) -> str:
    """A datetime literal in whole seconds, rounded up; the vendor compares no finer."""
    if stamp.tzinfo is None:
        raise ValueError("a time without a zone cannot be asked for")
    whole = stamp.replace(microsecond=0) + timedelta(seconds=stamp.microsecond > 0)
    return whole.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _select(object_type: str, fields: Sequence[str], where: str) -> str:
    return " ".join(("SELECT", ",".join(fields), "FROM", object_type, "WHERE", where))
