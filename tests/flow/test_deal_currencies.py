"""An amount is worth something only in its currency: never compared across two, never converted, carried together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deal_stage import CLOSES_AT, DealStage
from policy_stage import acting, shipped

from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator

ONE = """\
  currency:   {hubspot: deal_currency_code}"""
SEVERAL = """\
  currency:   {salesforce: CurrencyIsoCode, hubspot: deal_currency_code, wins: salesforce unless blank}
  amount:     {salesforce: Amount, hubspot: amount, wins: salesforce unless blank, clean: money by currency}
  unused:     {hubspot: description}"""


def with_currencies(emulator: Emulator) -> None:
    """Both accounts sell in dollars and in euros."""
    admin = Admin(emulator.admin_url)
    field = {"name": "CurrencyIsoCode", "type": "picklist", "choices": ["USD", "EUR"]}
    admin.post("/schema", system="salesforce", object="Opportunity", add=field)
    in_hubspot = {"name": "deal_currency_code", "options": ["USD", "EUR"]}
    admin.post("/schema", system="hubspot", object="deals", alter=in_hubspot)


def several() -> dict[str, str]:
    """The shipped policies for accounts with several currencies, as docs/policies/deals.md says."""
    sources = acting(shipped())
    text = sources["deal-basics.yaml"]
    before, _, rest = text.partition(ONE)
    _, _, after = rest.partition("\n  owner:")
    sources["deal-basics.yaml"] = f"{before}{SEVERAL}\n  owner:{after}"
    return sources


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[DealStage]:
    with_currencies(emulator)
    with DealStage(emulator, tmp_path, several()) as stage:
        yield stage


def test_an_amount_is_created_with_its_currency(stage: DealStage) -> None:
    stage.opportunity("Acme renewal", Amount=100, CurrencyIsoCode="EUR")
    stage.cycle()
    deal = stage.values(stage.only("hubspot", "deals"))
    assert (deal["amount"], deal["deal_currency_code"]) == ("100", "EUR")


def test_a_currency_and_its_amount_travel_together_in_one_write(stage: DealStage) -> None:
    opportunity = stage.opportunity("Acme renewal", Amount=100, CurrencyIsoCode="USD")
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    stage.edit(opportunity, Amount=90, CurrencyIsoCode="EUR")
    report = stage.cycle()
    assert (stage.values(deal)["amount"], stage.values(deal)["deal_currency_code"]) == ("90", "EUR")
    assert report.written == 1


def test_an_amount_in_another_currency_is_a_difference_even_with_the_same_figure(stage: DealStage) -> None:
    opportunity = stage.opportunity("Acme renewal", Amount=100, CurrencyIsoCode="EUR")
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    stage.edit(deal, deal_currency_code="USD")
    stage.cycle()
    assert (stage.values(deal)["amount"], stage.values(deal)["deal_currency_code"]) == ("100", "EUR")
    assert (stage.values(opportunity)["Amount"], stage.values(opportunity)["CurrencyIsoCode"]) == (100, "EUR")


def test_with_one_currency_in_salesforce_another_one_in_hubspot_is_asked_about(
    emulator: Emulator, tmp_path: Path
) -> None:
    with_currencies(emulator)
    with DealStage(emulator, tmp_path) as stage:
        opportunity = stage.opportunity("Acme renewal", Amount=100)
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        stage.edit(deal, amount="80", deal_currency_code="EUR")
        stage.cycle()
        assert (stage.values(deal)["amount"], stage.values(opportunity)["Amount"]) == ("80", 100)
        (question,) = stage.reviews("conflict")
        assert "amount" in question.sentence


def test_a_deal_in_another_currency_becomes_an_opportunity_without_an_amount(
    emulator: Emulator, tmp_path: Path
) -> None:
    with_currencies(emulator)
    with DealStage(emulator, tmp_path) as stage:
        stage.deal("Acme renewal", closedate=CLOSES_AT, amount="80", deal_currency_code="EUR")
        stage.cycle()
        assert stage.values(stage.only("salesforce", "Opportunity")).get("Amount") is None
