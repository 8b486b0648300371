"""What the org itself puts into a row that is saved: stages, closings, numbers, the account behind an activity."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from connectors.emulator.salesforce import products
from connectors.emulator.salesforce.campaigns import member_values
from connectors.emulator.salesforce.fields import CLOSED_CASE, stage_of
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal, missing_fields
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.salesforce.stamps import read, wire
from connectors.emulator.world import Row, Transaction

Values = dict[str, Any]


def add_derived(org: Org, transaction: Transaction, kind: ObjectType, values: Values, row: Row | None) -> None:
    """``values`` are those about to be stored; ``row`` is what they change, None for a new one. Raises Refusal."""
    if row is None:
        for item in kind.numbered:
            values[item.name] = f"{org.space.next_number(f'{kind.name}.{item.name}'):0{item.auto_number}}"
    add = _OF_OBJECT.get(kind.name)
    if add is not None:
        add(org, transaction, values, row)


def _opportunity(org: Org, transaction: Transaction, values: Values, row: Row | None) -> None:
    """A new stage brings its probability and forecast category, unless the same call says otherwise."""
    if row is not None and row.values.get("HasOpportunityLineItem"):
        values.pop("Amount", None)  # ignored without a word: the amount is the sum of the lines
    if "StageName" not in values or (row is not None and row.values.get("StageName") == values["StageName"]):
        return
    stage = stage_of(values)
    values.setdefault("Probability", float(stage["probability"]))
    values.setdefault("ForecastCategoryName", stage["forecast"])
    if row is not None:
        values["LastStageChangeDate"] = wire(transaction.at)


def _task(org: Org, transaction: Transaction, values: Values, row: Row | None) -> None:
    before = row.values if row is not None else {}
    _add_account(org, values, before)
    if "Status" in values and (values["Status"] == "Completed") != (before.get("Status") == "Completed"):
        values["CompletedDateTime"] = wire(transaction.at) if values["Status"] == "Completed" else None


def _event(org: Org, transaction: Transaction, values: Values, row: Row | None) -> None:
    """Either start and end, or start and duration; the other follows. Raises Refusal: neither."""
    before = row.values if row is not None else {}
    _add_account(org, values, before)
    if row is not None and not {"StartDateTime", "ActivityDateTime", "EndDateTime", "DurationInMinutes"} & set(values):
        return
    start = _moment(values.get("StartDateTime") or values.get("ActivityDateTime") or before.get("StartDateTime"))
    minutes = values.get("DurationInMinutes")
    end = _moment(values.get("EndDateTime"))
    if minutes is None and end is None:
        minutes = before.get("DurationInMinutes")
    missing = [
        name for name, value in (("DurationInMinutes", minutes or end), ("ActivityDateTime", start)) if not value
    ]
    if start is None or missing:
        raise missing_fields(missing)
    if end is None:
        end = start + timedelta(minutes=int(minutes or 0))
    values.update(
        StartDateTime=wire(start),
        ActivityDateTime=wire(start),
        ActivityDate=start.date().isoformat(),
        EndDateTime=wire(end),
        EndDate=end.date().isoformat(),
        DurationInMinutes=int((end - start).total_seconds() // 60),
    )


def _moment(text: str | None) -> datetime | None:
    return read(text) if text else None


def _case(org: Org, transaction: Transaction, values: Values, row: Row | None) -> None:
    before = row.values if row is not None else {}
    if values.get("ContactId") and "AccountId" not in values and before.get("AccountId") is None:
        values["AccountId"] = account_behind(org, values["ContactId"])
    if "Status" in values and (values["Status"] in CLOSED_CASE) != (before.get("Status") in CLOSED_CASE):
        values["ClosedDate"] = wire(transaction.at) if values["Status"] in CLOSED_CASE else None


def _add_account(org: Org, values: Values, before: Values) -> None:
    """Raises Refusal: about a lead and another record at once [K for the text]."""
    if "WhoId" in values or "WhatId" in values:
        who, what = (values.get(name, before.get(name)) for name in ("WhoId", "WhatId"))
        if who is not None and what is not None and org.catalogue.objects["Lead"].prefix == who[:3]:
            message = "field integrity exception: WhoId, WhatId (an activity of a lead cannot be related to a record)"
            raise Refusal(400, "FIELD_INTEGRITY_EXCEPTION", message, ("WhoId", "WhatId"))
        values["AccountId"] = account_behind(org, what) or account_behind(org, who)


def account_behind(org: Org, record_id: str | None) -> str | None:
    kind = org.catalogue.with_prefix(record_id) if record_id else None
    if kind is None or record_id is None or kind.name == "Account":
        return record_id if kind is not None else None
    row = org.space.row(kind.name, record_id)
    found: str | None = row.values.get("AccountId") if row is not None else None
    return found


_OF_OBJECT: dict[str, Callable[[Org, Transaction, Values, Row | None], None]] = {
    "Opportunity": _opportunity,
    "Task": _task,
    "Event": _event,
    "Case": _case,
    "CampaignMember": member_values,
    "PricebookEntry": products.entry_values,
    "OpportunityLineItem": products.line_values,
}
