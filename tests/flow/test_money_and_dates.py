"""Amounts and days through both practice CRMs: the vendors rewrite them, and nothing is fought over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_stage import PolicyStage, acting, shipped

from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator

LINES = """\
  revenue: {salesforce: AnnualRevenue, hubspot: annualrevenue, wins: salesforce unless blank, clean: money USD}
  renewal: {salesforce: Renewal__c, hubspot: renewal, wins: salesforce unless blank, clean: date in America/New_York}
  founded: {salesforce: Founded__c, hubspot: founded, wins: hubspot, clean: date}
"""


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[PolicyStage]:
    """The shipped policies with an amount and two dates more, live."""
    schema = Admin(emulator.admin_url)
    for name in ("Renewal__c", "Founded__c"):
        schema.post("/schema", system="salesforce", object="Account", add={"name": name, "type": "date"})
    for name, kind in (("renewal", "datetime"), ("founded", "date")):
        schema.post("/schema", system="hubspot", object="companies", add={"name": name, "type": kind})
    sources = acting(shipped())
    sources["company-basics.yaml"] = sources["company-basics.yaml"].replace("fields:\n", f"fields:\n{LINES}", 1)
    with PolicyStage(emulator, tmp_path, sources) as stage:
        stage.go_live()
        yield stage


def test_an_amount_and_its_days_arrive_in_each_vendors_own_form(stage: PolicyStage) -> None:
    stage.create(
        "salesforce", "Account", Name="Acme", Website="acme.com", AnnualRevenue=1250000.5, Renewal__c="2027-03-14"
    )
    company = stage.create("hubspot", "companies", name="Acme", domain="acme.com", founded="1999-12-31")
    stage.cycle()
    held = stage.values(company)
    assert (held["annualrevenue"], held["renewal"]) == ("1250000.5", "2027-03-14T05:00:00.000Z")
    (account,) = stage.refs("salesforce", "Account")
    assert stage.values(account)["Founded__c"] == "1999-12-31"
    assert stage.cycle().written == 0


def test_a_time_in_the_evening_is_the_day_it_was_there(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme", Website="acme.com")
    stage.create("hubspot", "companies", name="Acme", domain="acme.com", renewal="2027-11-08T03:30:00Z")
    stage.cycle()
    assert stage.values(account)["Renewal__c"] == "2027-11-07"
    assert stage.cycle().written == 0


def test_another_time_of_the_same_day_and_a_fraction_of_a_cent_write_nothing(stage: PolicyStage) -> None:
    stage.create(
        "salesforce", "Account", Name="Acme", Website="acme.com", AnnualRevenue=99.999, Renewal__c="2027-03-14"
    )
    company = stage.create("hubspot", "companies", name="Acme", domain="acme.com", annualrevenue="100")
    stage.cycle()
    stage.edit(company, renewal="2027-03-14T20:00:00Z", annualrevenue="100.00")
    assert stage.cycle().written == 0
    assert stage.values(company)["annualrevenue"] == "100.00"
