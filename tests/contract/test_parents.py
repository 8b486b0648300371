"""The operation ``associate`` on every connector: which record another one belongs to, whether the vendor keeps that in
a field (a contact's company) or beside the record (a deal's)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from salesforce_stage import SalesforceStage
from stages import set_up

from agent.connector import Window, Write, WriteOutcome
from agent.records import FieldValue, Record, Ref
from connectors.conformance.desk import Hands
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator

DEAL = {"dealname": "Renewal", "dealstage": "qualifiedtobuy"}
OPPORTUNITY = {"Name": "Renewal", "StageName": "Prospecting", "CloseDate": "2027-03-31"}
CASES = {
    "memory contacts": {"last": "Lovelace"},
    "salesforce Contact": {"LastName": "Lovelace"},
    "salesforce Opportunity": OPPORTUNITY,
    "hubspot contacts": {"lastname": "Lovelace"},
    "hubspot deals": DEAL,
    "hubspot-2026-03 deals": DEAL,
    "hubspot-2026-09 deals": DEAL,
}
"""System and the kind of record that belongs to a company → what such a record needs."""


@contextmanager
def nothing_changed(stage: Hands) -> Iterator[None]:
    """Our user changes nothing meanwhile."""
    before = stage.api_changes()
    yield
    assert stage.api_changes() == before


def error_kind(outcome: WriteOutcome) -> str | None:
    assert outcome.status == "rejected", outcome
    return outcome.error.kind if outcome.error else None


@dataclass
class Family:
    """Records of one kind and the companies they belong to."""

    stage: Hands
    kind: str
    needs: Mapping[str, FieldValue]
    entries: int = 0

    @property
    def field(self) -> str:
        return self.stage.connector.capabilities.parent_fields[self.kind]["company"].field

    def child(self) -> Ref:
        return Ref(self.stage.connector.system, self.kind, self.stage.person_create(self.kind, self.needs))

    def company(self, name: str = "Acme") -> str:
        return self.stage.person_create(self.stage.names.parent_type, {self.stage.names.parent_name: name})

    def associate(self, child: Ref, company: str | None, *, version: str | None = None) -> WriteOutcome:
        self.entries += 1
        write = Write(
            f"E-{self.entries}", "associate", self.kind, child.id, {self.field: company}, expects_version=version
        )
        (outcome,) = self.stage.connector.write([write])
        return outcome

    def company_of(self, child: Ref) -> FieldValue:
        (found,) = self.stage.connector.read([child], [self.field])
        assert isinstance(found, Record), found
        return found.fields[self.field]

    def pulled(self, child: Ref) -> FieldValue:
        """What a full load says."""
        connector = self.stage.connector
        window = Window(None, connector.now())
        items = [item for page in connector.changed(self.kind, [self.field], window) for item in page.items]
        (found,) = [item for item in items if isinstance(item, Record) and item.ref == child]
        return found.fields[self.field]


@pytest.fixture(params=CASES)
def family(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Family]:
    system, _, kind = request.param.partition(" ")
    if system == "salesforce":
        stage = SalesforceStage(emulator, has_key=True)
        yield Family(stage, kind, CASES[request.param])
        stage.connector.close()
        return
    with set_up(system, has_key=True, emulator=emulator) as found:
        yield Family(found, kind, CASES[request.param])


def test_a_record_comes_to_a_company_moves_to_another_and_leaves(family: Family) -> None:
    child, acme, globex = family.child(), family.company(), family.company("Globex")
    for company in (acme, globex, None):
        outcome = family.associate(child, company)
        assert (outcome.status, outcome.record_id) == ("applied", child.id)
        assert family.company_of(child) == company
        family.stage.advance(family.stage.connector.capabilities.index_lag_seconds + 1)
        assert family.pulled(child) == company
        if family.stage.connector.capabilities.echoes_writes:
            assert outcome.observed == {family.field: company}


def test_what_is_so_already_is_applied_and_stays(family: Family) -> None:
    child, acme = family.child(), family.company()
    family.associate(child, acme)
    assert family.associate(child, acme).status == "applied"
    assert family.company_of(child) == acme


def test_a_company_that_does_not_exist_is_rejected_and_nothing_moves(family: Family) -> None:
    child, acme = family.child(), family.company()
    family.associate(child, acme)
    unknown = {"hubspot": "999999", "salesforce": "0015g000009zzzzAAA"}.get(family.stage.connector.system, "7777")
    assert family.associate(child, unknown).status == "rejected"
    assert family.company_of(child) == acme


def test_a_company_that_is_no_id_is_rejected_unsent(family: Family) -> None:
    child = family.child()
    with nothing_changed(family.stage):
        assert error_kind(family.associate(child, "../1")) == "validation"


def test_a_lost_reply_is_unknown_and_a_read_tells(family: Family) -> None:
    child, acme = family.child(), family.company()
    family.stage.fail("drop_after", "associate")
    assert family.associate(child, acme).status == "unknown"
    assert family.company_of(child) == acme


def test_a_request_that_never_arrived_is_unknown_and_a_read_tells(family: Family) -> None:
    child, acme = family.child(), family.company()
    family.stage.fail("drop_before", "associate")
    assert family.associate(child, acme).status == "unknown"
    assert family.company_of(child) is None


def test_a_record_that_moved_since_it_was_read_is_left_alone(family: Family) -> None:
    child, acme, globex = family.child(), family.company(), family.company("Globex")
    (before,) = family.stage.connector.read([child], [family.field])
    assert isinstance(before, Record)
    family.stage.advance(60)
    family.associate(child, globex)
    assert error_kind(family.associate(child, acme, version=before.version)) in ("moved", "conflict")
    assert family.company_of(child) == globex


def test_a_record_that_is_gone_is_rejected(family: Family) -> None:
    child = Ref(family.stage.connector.system, family.kind, family.child().id)
    family.stage.advance(1)
    delete(family, child)
    assert family.associate(child, family.company()).status == "rejected"


def delete(family: Family, child: Ref) -> None:
    """Somebody deletes it."""
    write = Write("E-99", "delete", child.object_type, child.id, {})
    assert family.stage.connector.write([write])[0].status == "applied"


@pytest.fixture
def deals(emulator: Emulator) -> Iterator[Family]:
    with set_up("hubspot", has_key=True, emulator=emulator) as found:
        yield Family(found, "deals", DEAL)


def test_the_company_before_stays_associated_as_hubspot_leaves_it(deals: Family, emulator: Emulator) -> None:
    child, acme, globex = deals.child(), deals.company(), deals.company("Globex")
    deals.associate(child, acme)
    deals.associate(child, globex)
    assert labels(emulator, child) == {acme: {"341"}, globex: {"341", "5"}}


def test_labels_that_people_gave_a_pair_survive(deals: Family, emulator: Emulator) -> None:
    own = Admin(emulator.admin_url)
    child, acme, globex = deals.child(), deals.company(), deals.company("Globex")
    own.post("/link", system="hubspot", **{"from": ["deals", child.id], "to": ["companies", acme]})
    emulator.world.spaces["hubspot"].links[("deals", child.id)][("companies", acme)].add("user:36")
    emulator.world.spaces["hubspot"].settings["association_labels"].append(
        {"from": "deals", "to": "companies", "name": "partner", "types": [36, 37], "labels": ["Partner", "Partner"]}
    )
    emulator.practice.desks["hubspot"].portal.schema_changed()  # type: ignore[attr-defined]
    deals.associate(child, globex)
    deals.associate(child, acme)
    assert labels(emulator, child)[acme] == {"341", "5", "user:36"}
    deals.associate(child, None)
    assert labels(emulator, child)[acme] == {"341", "user:36"}


def test_an_update_never_touches_an_association(deals: Family) -> None:
    child, acme = deals.child(), deals.company()
    write = Write("E-1", "update", "deals", child.id, {deals.field: acme, "dealname": "Other"})
    with nothing_changed(deals.stage):
        (outcome,) = deals.stage.connector.write([write])
    assert error_kind(outcome) == "validation"


def test_a_failed_read_of_associations_is_no_blank(deals: Family) -> None:
    child, acme = deals.child(), deals.company()
    deals.associate(child, acme)
    deals.stage.fail("html", "read", nth=2)  # the batch read of the record comes first
    with pytest.raises(Exception, match="cannot be trusted"):
        deals.company_of(child)


def labels(emulator: Emulator, child: Ref) -> dict[str, set[str]]:
    pairs = emulator.world.spaces["hubspot"].links.get(("deals", child.id), {})
    return {other: set(held) for (_, other), held in pairs.items()}
