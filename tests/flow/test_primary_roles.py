"""Who is the primary contact of a deal: Salesforce keeps one, so making another takes it from somebody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deal_stage import DealStage
from policy_stage import EDITOR, acting, shipped
from test_deal_companies import undo

from agent import apply
from agent.orders.orders import ORDERS
from agent.policy_files.rights import uses_of
from agent.records import Ref
from connectors.emulator.serve import Emulator

ROLES = "OpportunityContactRole"
READ = "  primary: {salesforce: IsPrimary}           # HubSpot has no primary contact of a deal\n"
BY_LABEL = """\
  primary:
    salesforce: IsPrimary
    hubspot: label
    wins: hubspot
    values:
      first: {salesforce: true, hubspot: Decides}
      other: {salesforce: false, hubspot: Uses it}
"""


class LabelStage(DealStage):
    """``first`` and ``other`` are the numbers of two labels."""

    first = other = 0


def staged(emulator: Emulator, folder: Path, sources: dict[str, str]) -> Iterator[LabelStage]:
    for name in ("first", "second"):
        (folder / name).mkdir()
    with DealStage(emulator, folder / "first") as before:
        labels = before.contact_label("Decides"), before.contact_label("Uses it")
    with LabelStage(emulator, folder / "second", sources) as stage:
        stage.first, stage.other = labels
        yield stage


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[LabelStage]:
    """A team whose label in HubSpot says who is the primary one."""
    sources = acting(shipped())
    assert READ in sources["contact-roles.yaml"]
    sources["contact-roles.yaml"] = sources["contact-roles.yaml"].replace(READ, BY_LABEL)
    yield from staged(emulator, tmp_path, sources)


def primary(stage: LabelStage, opportunity: Ref) -> list[str]:
    return [contact for contact, role in stage.roles(opportunity).items() if role.get("IsPrimary")]


def role_of(stage: LabelStage, contact: Ref) -> Ref:
    return next(ref for ref in stage.refs("salesforce", ROLES) if stage.values(ref)["ContactId"] == contact.id)


def two_roles(stage: LabelStage) -> tuple[dict[str, tuple[Ref, Ref]], Ref, Ref]:
    """Ann is the primary contact of a deal that Bea is on too, in both CRMs."""
    people = stage.people("Ann", "Bea")
    opportunity = stage.opportunity("Renewal")
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    for name, is_primary in (("Ann", True), ("Bea", False)):
        contact = people[name][0]
        stage.create("salesforce", ROLES, OpportunityId=opportunity.id, ContactId=contact.id, IsPrimary=is_primary)
    stage.cycle()
    stage.add_to_deal(deal, people["Bea"][1], stage.other)
    assert stage.cycle().written == 0
    assert set(stage.associated_with(deal, "contacts")) == {people["Ann"][1].id, people["Bea"][1].id}
    return people, opportunity, deal


def left(done: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["record"], each["fate"], each["note"]) for each in done["left"]]


def take_the_place(stage: LabelStage) -> tuple[dict[str, tuple[Ref, Ref]], Ref, str]:
    """Truce makes Bea the primary contact; Salesforce takes that from Ann, of whom HubSpot says nothing."""
    people, opportunity, deal = two_roles(stage)
    stage.add_to_deal(deal, people["Bea"][1], stage.first)
    batch = stage.cycle().batch
    assert batch is not None
    assert primary(stage, opportunity) == [people["Bea"][0].id]
    return people, opportunity, batch.id


@pytest.mark.parametrize("cycles", [0, 2])
def test_who_was_the_primary_contact_is_it_again_after_an_undo(stage: LabelStage, cycles: int) -> None:
    people, opportunity, batch = take_the_place(stage)
    for _ in range(cycles):
        stage.cycle()
    done = undo(stage, batch)
    assert left(done) == []
    assert primary(stage, opportunity) == [people["Ann"][0].id]
    for _ in range(2):
        assert stage.cycle().written == 0
    assert primary(stage, opportunity) == [people["Ann"][0].id]


def test_the_preview_names_whom_it_gives_the_place_back_to(stage: LabelStage) -> None:
    people, _, batch = take_the_place(stage)
    shown = ORDERS["preview-rollback"](stage.installation, {"batches": [batch]}, EDITOR, apply.silent)
    ann = str(role_of(stage, people["Ann"][0]))
    [line] = [each for each in shown["restored"] if each["record"] == ann]
    assert (line["fate"], line["note"]) == ("restore", "it was the one before ours took that away")


def test_an_undo_of_the_undo_gives_the_place_to_whom_truce_gave_it(stage: LabelStage) -> None:
    people, opportunity, batch = take_the_place(stage)
    undo(stage, batch)
    back = stage.installation.ledger.batches(limit=1)[0]
    done = undo(stage, back.id)
    assert left(done) == []
    assert primary(stage, opportunity) == [people["Bea"][0].id]


@pytest.mark.parametrize("cycles", [0, 2])
def test_who_was_the_primary_contact_and_is_gone_is_named(stage: LabelStage, cycles: int) -> None:
    people, opportunity, batch = take_the_place(stage)
    ann = role_of(stage, people["Ann"][0])
    stage.delete(ann)
    for _ in range(cycles):
        stage.cycle()
    done = undo(stage, batch)
    assert primary(stage, opportunity) == []
    assert left(done) == [
        (str(ann), "skip: deleted", "it was the one before ours took that away, and it is not there any more")
    ]


def test_somebody_made_primary_since_stays_so(stage: LabelStage) -> None:
    people, opportunity, batch = take_the_place(stage)
    cid = stage.create("salesforce", "Contact", LastName="Cid")
    stage.create("salesforce", ROLES, OpportunityId=opportunity.id, ContactId=cid.id, IsPrimary=True)
    undo(stage, batch)
    assert primary(stage, opportunity) == [cid.id]
    assert people["Bea"][0].id in stage.roles(opportunity)


def test_who_never_was_the_primary_contact_does_not_become_it(stage: LabelStage) -> None:
    people, opportunity, deal = two_roles(stage)
    stage.edit(role_of(stage, people["Ann"][0]), IsPrimary=False)
    stage.cycle()
    stage.add_to_deal(deal, people["Bea"][1], stage.first)
    batch = stage.cycle().batch
    assert batch is not None
    undo(stage, batch.id)
    assert primary(stage, opportunity) == []


def test_a_role_made_as_the_primary_one_gives_the_place_back_when_it_goes(stage: LabelStage) -> None:
    people, opportunity, deal = two_roles(stage)
    cid = stage.people("Cid")["Cid"]
    stage.cycle()
    stage.add_to_deal(deal, cid[1], stage.first)
    batch = stage.cycle().batch
    assert batch is not None
    assert primary(stage, opportunity) == [cid[0].id]
    done = undo(stage, batch.id)
    assert left(done) == []
    assert primary(stage, opportunity) == [people["Ann"][0].id]
    assert cid[0].id not in stage.roles(opportunity)


class TestRemovedTogether:
    """With ``when_removed: remove too``, and the primary contact only read."""

    @pytest.fixture
    def stage(self, emulator: Emulator, tmp_path: Path) -> Iterator[LabelStage]:
        sources = acting(shipped())
        roles = sources["contact-roles.yaml"]
        sources["contact-roles.yaml"] = roles.replace("first_time:", "when_removed: remove too\nfirst_time:")
        yield from staged(emulator, tmp_path, sources)

    def removed(self, stage: LabelStage) -> tuple[dict[str, tuple[Ref, Ref]], Ref, str]:
        people, opportunity, deal = two_roles(stage)
        stage.part_from(deal, people["Ann"][1])
        batch = stage.cycle(sweep=True).batch
        assert batch is not None
        assert set(stage.roles(opportunity)) == {people["Bea"][0].id}
        return people, opportunity, batch.id

    def test_the_primary_contact_comes_back_as_such(self, stage: LabelStage) -> None:
        people, opportunity, batch = self.removed(stage)
        assert left(undo(stage, batch)) == []
        assert primary(stage, opportunity) == [people["Ann"][0].id]

    def test_not_where_somebody_else_is_it_now_and_the_undo_says_so(self, stage: LabelStage) -> None:
        people, opportunity, batch = self.removed(stage)
        bea = role_of(stage, people["Bea"][0])
        stage.edit(bea, IsPrimary=True)
        shown = ORDERS["preview-rollback"](stage.installation, {"batches": [batch]}, EDITOR, apply.silent)
        assert f"not with IsPrimary, as before: {bea} has it now" in shown["restored"][0]["note"]
        undo(stage, batch)
        assert primary(stage, opportunity) == [people["Bea"][0].id]
        assert people["Ann"][0].id in stage.roles(opportunity)

    def test_not_where_the_field_is_not_ours_to_write_and_the_undo_says_so(self, stage: LabelStage) -> None:
        people, opportunity, batch = self.removed(stage)
        stage.admin.post("/permissions", system="salesforce", object=ROLES, read_only="IsPrimary")
        shown = ORDERS["preview-rollback"](stage.installation, {"batches": [batch]}, EDITOR, apply.silent)
        assert "it cannot be written by us" in shown["restored"][0]["note"]
        undo(stage, batch)
        assert primary(stage, opportunity) == []
        assert people["Ann"][0].id in stage.roles(opportunity)

    def test_the_permission_set_lets_it_be_written_where_an_undo_may_have_to(self, stage: LabelStage) -> None:
        capabilities = {name: each.capabilities for name, each in stage.installation.connectors.items()}
        assert "IsPrimary" in uses_of(stage.installation.policies.policies, capabilities)["salesforce"][ROLES].writes


def test_where_nobody_is_taken_off_the_primary_contact_is_only_read(emulator: Emulator, tmp_path: Path) -> None:
    with DealStage(emulator, tmp_path) as stage:
        capabilities = {name: each.capabilities for name, each in stage.installation.connectors.items()}
        use = uses_of(stage.installation.policies.policies, capabilities)["salesforce"][ROLES]
    assert ("IsPrimary" in use.reads, "IsPrimary" in use.writes) == (True, False)
