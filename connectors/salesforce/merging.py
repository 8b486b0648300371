"""Merge and undelete, which only SOAP has.

A merge sets the survivor's values, moves the losers' children to it and puts the losers into the recycle bin; their ids
never lead to the survivor, except through ``MasterRecordId``. What it moved stays moved when a loser is undeleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agent.connector import WriteOutcome
from agent.records import FieldValue, Record, Ref
from connectors.salesforce.accounting import Fit, entry_header, failed, rejected, unknown
from connectors.salesforce.failures import SYSTEM, Failure, as_write_error, from_row
from connectors.salesforce.ids import full_id
from connectors.salesforce.reading import Reading
from connectors.salesforce.soap import Soap
from connectors.salesforce.xml_text import Element, tag, text_tag


class Merging:
    def __init__(self, soap: Soap, reading: Reading) -> None:
        self._soap = soap
        self._reading = reading

    def merge(self, fit: Sequence[Fit]) -> list[WriteOutcome]:
        """One call; each merge is a transaction of its own. Results come in the order asked."""
        body = "".join(tag("request", _request(item)) for item in fit)
        results = self._soap.call("merge", body, entry_header(fit))
        return [_merged(item, result) for item, result in _paired(fit, results)]

    def undelete(self, fit: Sequence[Fit]) -> list[WriteOutcome]:
        """A record that is there already was undeleted: by an earlier attempt, or by somebody."""
        body = "".join(text_tag("ids", item.record_id) for item in fit)
        results = self._soap.call("undelete", body, entry_header(fit))
        outcomes = [_undeleted(item, result) for item, result in _paired(fit, results)]
        refused = [item for item, outcome in zip(fit, outcomes, strict=True) if outcome.status == "rejected"]
        alive = self._alive(refused)
        return [
            WriteOutcome(item.write.entry_id, "applied", item.write.record_id)
            if item.record_id in alive and outcome.status == "rejected"
            else outcome
            for item, outcome in zip(fit, outcomes, strict=True)
        ]

    def _alive(self, fit: Sequence[Fit]) -> set[str]:
        refs = [Ref(SYSTEM, item.write.object_type, item.record_id) for item in fit]
        readouts = self._reading.read_or_nothing(refs) if refs else []
        return {readout.ref.id for readout in readouts if isinstance(readout, Record)}


def _paired(fit: Sequence[Fit], results: list[Element] | Failure) -> Iterator[tuple[Fit, Element | Failure]]:
    """Each write with its result; where the count is wrong, position proves nothing."""
    if isinstance(results, Failure):
        yield from ((item, results) for item in fit)
    elif len(results) == len(fit):
        yield from zip(fit, results, strict=True)
    else:
        yield from ((item, Failure("lost", "RESULTS_MISSING")) for item in fit)


def _request(item: Fit) -> str:
    blank = [name for name, value in item.body.items() if value is None]
    filled = {name: _text(value) for name, value in item.body.items() if value is not None}
    inside = text_tag("s:type", item.write.object_type)
    inside += "".join(text_tag("s:fieldsToNull", name) for name in blank)
    inside += text_tag("s:Id", item.record_id)
    inside += "".join(text_tag(f"s:{name}", text) for name, text in filled.items())
    return tag("masterRecord", inside) + "".join(text_tag("recordToMergeIds", loser) for loser in item.losers)


def _text(value: FieldValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _merged(item: Fit, result: Element | Failure) -> WriteOutcome:
    outcome = _undeleted(item, result)
    if outcome.status != "applied" or isinstance(result, Failure):
        return outcome
    merged = {full_id(each.text, "") for each in result.all("mergedRecordIds")}
    if not set(item.losers) <= merged:
        return unknown(item)
    related = tuple(whole for each in result.all("updatedRelatedIds") if (whole := full_id(each.text, "")))
    return WriteOutcome(item.write.entry_id, "applied", item.write.record_id, related=related)


def _undeleted(item: Fit, result: Element | Failure) -> WriteOutcome:
    if isinstance(result, Failure):
        return failed(item, result)
    if result.value("success") == "true":
        is_right = full_id(result.value("id"), "") == item.record_id
        return WriteOutcome(item.write.entry_id, "applied", item.write.record_id) if is_right else unknown(item)
    if result.value("success") != "false":
        return unknown(item)
    problems: list[dict[str, Any]] = [
        {
            "statusCode": error.value("statusCode"),
            "message": error.value("message"),
            "fields": [each.text for each in error.all("fields")],
        }
        for error in result.all("errors")
    ]
    return rejected(item.write, as_write_error(from_row(problems), item.body.values()))
