"""Products, what they cost in which price book, and the lines of a deal, whose sum is the deal's amount."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.world import Row, Transaction

Values = dict[str, Any]


def entry_values(org: Org, transaction: Transaction, values: Values, row: Row | None) -> None:
    """A price carries the name of its product.

    Raises:
        Refusal: the product has a price in this book already, or none in the standard one.
    """
    if row is not None:
        return
    product = org.space.row("Product2", values["Product2Id"])
    prices = {each.values["Pricebook2Id"] for each in _live(org, "PricebookEntry", "Product2Id", values["Product2Id"])}
    if values["Pricebook2Id"] in prices:
        raise Refusal(400, "DUPLICATE_VALUE", "This price definition already exists in this price book", ())
    if not _is_standard(org, values["Pricebook2Id"]) and not any(_is_standard(org, each) for each in prices):
        raise Refusal(400, "STANDARD_PRICE_NOT_DEFINED", "No standard price defined for this product", ())
    if product is not None:
        values.update(Name=product.values["Name"], ProductCode=product.values.get("ProductCode"))


def line_values(org: Org, transaction: Transaction, values: Values, row: Row | None) -> None:
    """Quantity by unit price is the total; the price is that of the book unless the call says another [K].

    Raises:
        Refusal: a price of another book than the deal's.
    """
    before = row.values if row is not None else {}
    if row is None:
        values.update(_of_entry(org, transaction, values))
    quantity = values.get("Quantity", before.get("Quantity")) or 0.0
    if values.get("UnitPrice") is None and values.get("TotalPrice") is not None and quantity:
        values["UnitPrice"] = values["TotalPrice"] / quantity
    price = values.get("UnitPrice")
    if price is None:
        price = before.get("UnitPrice", values.get("ListPrice")) or 0.0
    values.update(UnitPrice=price, TotalPrice=price * quantity)


def _of_entry(org: Org, transaction: Transaction, values: Values) -> Values:
    """What a new line takes from its price; a deal without a price book gets the one of its first line."""
    deal, entry = (
        org.space.table("Opportunity")[values["OpportunityId"]],
        org.space.table("PricebookEntry")[values["PricebookEntryId"]].values,
    )
    if deal.values.get("Pricebook2Id") is None:
        transaction.update(deal, {"Pricebook2Id": entry["Pricebook2Id"]})
    if deal.values["Pricebook2Id"] != entry["Pricebook2Id"]:
        why = "pricebook entry is in a different pricebook than the one assigned to the opportunity"
        message = f"field integrity exception: PricebookEntryId ({why})"
        raise Refusal(400, "FIELD_INTEGRITY_EXCEPTION", message, ("PricebookEntryId",))
    return {
        "Product2Id": entry["Product2Id"],
        "ProductCode": entry.get("ProductCode"),
        "Name": f"{deal.values['Name']} {entry.get('Name')}",
        "ListPrice": entry["UnitPrice"],
    }


def sum_up(org: Org, transaction: Transaction, deal_id: str) -> None:
    """The deal's amount and quantity are those of its lines. The last line leaves the amount behind [K]."""
    deal = org.space.row("Opportunity", deal_id)
    if deal is None or deal.deleted:
        return
    lines = [each.values for each in _live(org, "OpportunityLineItem", "OpportunityId", deal_id)]
    changes: Values = {"HasOpportunityLineItem": bool(lines), "LastModifiedById": org.author(transaction.actor)}
    if lines:
        changes["Amount"] = sum(line["TotalPrice"] for line in lines)
        changes["TotalOpportunityQuantity"] = sum(line["Quantity"] for line in lines)
    transaction.update(deal, changes)


def _is_standard(org: Org, pricebook_id: str) -> bool:
    book = org.space.row("Pricebook2", pricebook_id)
    return book is not None and bool(book.values.get("IsStandard"))


def _live(org: Org, kind: str, field: str, value: str) -> Iterator[Row]:
    for each in sorted(org.space.lookup(kind, field, value)):
        row = org.space.row(kind, each)
        if row is not None and not row.deleted:
            yield row
