"""SOAP calls that write: each item of a call has its own result; merge takes one transaction for each request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.emulator.salesforce import converting, one_row, removing
from connectors.emulator.salesforce.calls import Call
from connectors.emulator.salesforce.checks import Terms
from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.naming import key_field
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal, text
from connectors.emulator.salesforce.saving import update as update_row
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.salesforce.soap.envelope import Fault, Request
from connectors.emulator.salesforce.soap.xml_text import Element
from connectors.emulator.world import Row, Transaction

MOST_ITEMS, MOST_CONVERSIONS, MOST_MERGED = 200, 100, 2
NOT_FIELDS = ("type", "fieldsToNull", "Id")

Result = dict[str, Any]
Do = Callable[[Transaction, Element], Result]


class _NotAll(Exception):
    """An item failed where all or none were wanted."""


def create(call: Call, request: Request) -> list[Result]:
    terms = _terms(call, request)

    def do(transaction: Transaction, item: Element) -> Result:
        kind = call.org.kind(item.value("type") or "")
        return _saved(one_row.create(call.org, transaction, kind, _sent(item), terms))

    return _each(call, request, "sObjects", do)


def update(call: Call, request: Request) -> list[Result]:
    terms = _terms(call, request)
    seen: set[str] = set()

    def do(transaction: Transaction, item: Element) -> Result:
        kind = call.org.kind(item.value("type") or "")
        return _saved(one_row.update(call.org, transaction, kind, _sent(item, with_id=True), terms, seen))

    return _each(call, request, "sObjects", do)


def upsert(call: Call, request: Request) -> list[Result]:
    terms = _terms(call, request)
    seen: set[str] = set()
    key = request.body.value("externalIDFieldName") or "Id"

    def do(transaction: Transaction, item: Element) -> Result:
        kind = call.org.kind(item.value("type") or "")
        sent = _sent(item, with_id=True)
        saved = one_row.upsert(call.org, transaction, kind, sent, key_field(kind, key).name, terms, seen)
        return {"created": saved[1], **_saved(saved)}

    return [{"created": False, **result} for result in _each(call, request, "sObjects", do)]


def delete(call: Call, request: Request) -> list[Result]:
    def do(transaction: Transaction, item: Element) -> Result:
        return _done(one_row.delete(call.org, transaction, item.text).id)

    return _each(call, request, "ids", do)


def undelete(call: Call, request: Request) -> list[Result]:
    """Out of the recycle bin, with what went in along with it."""

    def do(transaction: Transaction, item: Element) -> Result:
        kind, row = _in_bin(call.org, item.text)
        if not kind.undeletable:
            raise Refusal(400, "UNDELETE_FAILED", f"{kind.label} cannot be undeleted", ())
        removing.undelete(call.org, transaction, kind, row)
        return _done(row.id)

    return _each(call, request, "ids", do)


def empty_recycle_bin(call: Call, request: Request) -> list[Result]:
    def do(transaction: Transaction, item: Element) -> Result:
        _, row = _in_bin(call.org, item.text)
        removing.empty_bin(call.org, transaction, row)
        return _done(row.id)

    return _each(call, request, "ids", do)


def _in_bin(org: Org, given: str) -> tuple[ObjectType, Row]:
    """Raises Refusal: no id, nothing there, not deleted, or gone from the bin."""
    record_id = full_id(given)
    kind = org.catalogue.with_prefix(record_id) if record_id else None
    if record_id is None or kind is None:
        raise Refusal(400, "MALFORMED_ID", f"bad id {given}", ())
    row = org.space.row(kind.name, record_id)
    if row is None or org.is_purged(row):
        raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
    if not row.deleted:
        raise Refusal(400, "UNDELETE_FAILED", "Entity is not in the recycle bin", ())
    return kind, row


def merge(call: Call, request: Request) -> list[Result]:
    """Each request stands and falls alone. Their element may have any name: jsforce's is not the WSDL's, and works."""
    items = _checked_number(request.body.children, MOST_ITEMS)
    terms = _terms(call, request)
    results: list[Result] = []
    for number, item in enumerate(items):
        try:
            with call.transaction() as transaction:
                results.append(_merge(call, transaction, item, terms))
                _name_entry(call, transaction, number, len(items))
        except Refusal as refusal:
            results.append(
                {
                    "errors": [_error(refusal)],
                    "id": None,
                    "mergedRecordIds": [],
                    "success": False,
                    "updatedRelatedIds": [],
                }
            )
    return results


def _merge(call: Call, transaction: Transaction, item: Element, terms: Terms) -> Result:
    """Raises Refusal."""
    master = item.first("masterRecord") or Element("masterRecord")
    kind = call.org.kind(master.value("type") or "")
    losing = [each.text for each in item.all("recordToMergeIds")]
    if not kind.mergeable:
        raise Refusal(400, "INVALID_TYPE_FOR_OPERATION", f"entity type {kind.name} does not support merge", ())
    if not 1 <= len(losing) <= MOST_MERGED:
        raise Refusal(400, "MERGE_FAILED", text("merge size"), ())
    survivor = call.org.row_to_write(kind, master.value("Id") or "")
    losers = [call.org.row_to_write(kind, each) for each in losing]
    if len({survivor.id, *(loser.id for loser in losers)}) <= len(losers):
        raise Refusal(400, "MERGE_FAILED", "A record cannot be merged with itself", ())
    if kind.name == "Lead" and any(row.values.get("IsConverted") for row in (survivor, *losers)):
        raise Refusal(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", ())
    sent = _sent(master)
    if sent:
        update_row(call.org, transaction, kind, survivor, sent, terms)
    moved: list[str] = []
    for loser in losers:
        moved += removing.merge(call.org, transaction, kind, survivor, loser)
    return {
        "id": survivor.id,
        "mergedRecordIds": [loser.id for loser in losers],
        "success": True,
        "updatedRelatedIds": list(dict.fromkeys(moved)),
    }


def convert_lead(call: Call, request: Request) -> list[Result]:
    def do(transaction: Transaction, item: Element) -> Result:
        lead = call.org.row_to_write(call.org.kind("Lead"), item.value("leadId") or "")
        if not item.value("convertedStatus"):
            raise Refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [convertedStatus]", ())
        wanted = _conversion(item)
        _check_contact(call.org, wanted)
        result = converting.convert(call.org, transaction, lead, wanted)
        return {name: value for name, value in result.items() if name != "errors"}

    results = _each(call, request, "leadConverts", do, most=MOST_CONVERSIONS)
    return [result if result["success"] else _not_converted(result) for result in results]


def _not_converted(failed: Result) -> Result:
    nothing = dict.fromkeys(("accountId", "contactId", "leadId", "opportunityId"))
    return dict(sorted({**nothing, "errors": failed["errors"], "success": False}.items()))


def _check_contact(org: Org, wanted: converting.Conversion) -> None:
    """An existing contact must come with its account. Raises Refusal [K for code and text]."""
    if wanted.contact_id is None:
        return
    if wanted.account_id is None:
        raise Refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [accountId]", ())
    contact = org.row_to_write(org.kind("Contact"), wanted.contact_id)
    if contact.values.get("AccountId") != wanted.account_id:
        message = "the contact is not one of the specified account"
        raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", message, ("contactId",))


def _conversion(item: Element) -> converting.Conversion:
    def record_id(name: str) -> str | None:
        given = item.value(name)
        return (full_id(given) or given) if given else None

    return converting.Conversion(
        converted_status=item.value("convertedStatus"),
        account_id=record_id("accountId"),
        contact_id=record_id("contactId"),
        opportunity_id=record_id("opportunityId"),
        do_not_create_opportunity=item.is_true("doNotCreateOpportunity"),
        opportunity_name=item.value("opportunityName"),
        overwrite_lead_source=item.is_true("overwriteLeadSource"),
        owner_id=record_id("ownerId"),
    )


def _items(request: Request, name: str, most: int = MOST_ITEMS) -> list[Element]:
    """Raises Fault: too many."""
    return _checked_number(list(request.body.all(name)), most)


def _checked_number(items: list[Element], most: int) -> list[Element]:
    """Raises Fault: too many."""
    if len(items) > most:
        raise Fault("EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {most} records into this call")
    return items


def _each(call: Call, request: Request, name: str, do: Do, *, most: int = MOST_ITEMS) -> list[Result]:
    """One transaction; an item that fails leaves nothing behind, and with AllOrNoneHeader none does."""
    items = _items(request, name, most)
    all_or_none = request.block("AllOrNoneHeader").is_true("allOrNone")
    results: list[Result] = []
    try:
        with call.transaction() as transaction:
            for number, item in enumerate(items):
                results.append(_one(call, transaction, item, do, number, len(items)))
            if all_or_none and not all(result["success"] for result in results):
                raise _NotAll
    except _NotAll:
        back = Refusal(400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", text("rolled back"), ())
        results = [result if not result["success"] else _failed(back) for result in results]
    return results


def _one(call: Call, transaction: Transaction, item: Element, do: Do, number: int, total: int) -> Result:
    try:
        with call.org.world.attempt(transaction) as attempt:
            result = do(attempt, item)
            _name_entry(call, attempt, number, total)
    except Refusal as refusal:
        return _failed(refusal)
    return result


def _name_entry(call: Call, transaction: Transaction, number: int, total: int) -> None:
    """The caller's own ledger entry of this item, for the audit."""
    if len(call.entries) == total:
        transaction.entry_ids.update(dict.fromkeys(transaction.touched, call.entries[number]))


def _sent(item: Element, *, with_id: bool = False) -> one_row.Sent:
    """An sObject's fields. An empty element changes nothing; ``fieldsToNull`` names what is emptied."""
    sent: one_row.Sent = {
        child.name: child.text
        for child in item.children
        if child.name not in NOT_FIELDS and not child.is_nil and child.text
    }
    sent.update({each.text: None for each in item.all("fieldsToNull")})
    record_id = item.value("Id")
    return {"Id": record_id, **sent} if with_id and record_id else sent


def _terms(call: Call, request: Request) -> Terms:
    """Over SOAP assignment rules run only when asked for."""
    assignment = request.block("AssignmentRuleHeader")
    return Terms(
        user_id=call.user_id,
        assigns=assignment.is_true("useDefaultRule") or bool(assignment.value("assignmentRuleId")),
        allows_duplicates=request.block("DuplicateRuleHeader").is_true("allowSave"),
        in_collection=True,
    )


def _saved(saved: one_row.Saved) -> Result:
    return _done(saved[0])


def _done(record_id: str) -> Result:
    return {"id": record_id, "success": True}


def _failed(refusal: Refusal) -> Result:
    return {"errors": [_error(refusal)], "id": None, "success": False}


def _error(refusal: Refusal) -> Result:
    told = refusal.of_text()
    return {"fields": list(told.fields or ()), "message": told.message, "statusCode": told.code}
