"""Links: a record belongs to one entity, an entity has one active record per system, a key is used once."""

from __future__ import annotations

from pathlib import Path

import pytest
from recording import START, Watch, open_ledger

from agent.crosswalk import Crosswalk, NewLink
from agent.records import Ref

CONTACT = Ref("salesforce", "Contact", "003A")
LEAD = Ref("salesforce", "Lead", "00QA")
PERSON = Ref("hubspot", "contacts", "51")


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def crosswalk(tmp_path: Path, clock: Watch) -> Crosswalk:
    return Crosswalk(open_ledger(tmp_path, clock))


def roles(crosswalk: Crosswalk, entity_id: str) -> dict[Ref, tuple[str, str]]:
    return {link.ref: (link.role, link.state) for link in crosswalk.members([entity_id]).get(entity_id, [])}


def test_both_sides_of_a_person_are_found_from_either(crosswalk: Crosswalk) -> None:
    entity_id = crosswalk.new_entity("person")
    crosswalk.link_many([
        NewLink(entity_id, "person", CONTACT, "active"),
        NewLink(entity_id, "person", PERSON, "active"),
    ])  # fmt: skip
    assert crosswalk.entity_of(CONTACT) == crosswalk.entity_of(PERSON) == entity_id
    links = crosswalk.members([entity_id, "person-999"])[entity_id]
    assert [(link.ref, link.role, link.state, link.since) for link in links] == [
        (CONTACT, "active", "linked", START),
        (PERSON, "active", "linked", START),
    ]
    assert crosswalk.entity_of(LEAD) is None


def test_in_company_is_who_is_linked_beside_another_and_not_lost(crosswalk: Crosswalk) -> None:
    one, other, third = (crosswalk.new_entity("person") for _ in range(3))
    alone = Ref("hubspot", "contacts", "52")
    crosswalk.link_many([
        NewLink(one, "person", CONTACT, "active"),
        NewLink(one, "person", LEAD, "duplicate"),
        NewLink(other, "person", PERSON, "active"),
        NewLink(third, "person", alone, "active", state="undone"),
    ])  # fmt: skip
    everybody = [CONTACT, LEAD, PERSON, alone, Ref("hubspot", "contacts", "never")]
    assert crosswalk.in_company(everybody) == {CONTACT: one, LEAD: one, alone: third}
    crosswalk.mark(LEAD, "lost")
    assert crosswalk.in_company(everybody) == {CONTACT: one, alone: third}
    assert crosswalk.entities_of(everybody) == {CONTACT: one, LEAD: one, PERSON: other, alone: third}


def test_ids_are_never_given_twice(tmp_path: Path, crosswalk: Crosswalk) -> None:
    first = [crosswalk.new_entity("person") for _ in range(150)]
    again = Crosswalk(open_ledger(tmp_path))
    later = [again.new_entity("person") for _ in range(5)]
    third = [crosswalk.new_entity("person") for _ in range(150)]
    everything = [*first, *later, *third]
    assert len(set(everything)) == len(everything)
    assert (first[0], crosswalk.new_entity("company")) == ("person-1", "company-1")


def test_new_ids_of_a_transaction_that_failed_are_not_given_to_two(crosswalk: Crosswalk) -> None:
    def link_then_fail() -> str:
        with crosswalk._store.write():
            entity_id = crosswalk.new_entity("person")
            crosswalk.link(entity_id, "person", CONTACT, "active")
            raise KeyError(entity_id)

    with pytest.raises(KeyError) as caught:
        link_then_fail()
    lost = caught.value.args[0]
    fresh = [crosswalk.new_entity("person") for _ in range(250)]
    assert len({*fresh}) == 250
    assert crosswalk.entity_of(CONTACT) is None
    assert lost not in list(crosswalk.entities())


def test_a_record_belongs_to_one_entity(crosswalk: Crosswalk) -> None:
    crosswalk.link("person-1", "person", CONTACT, "active")
    with pytest.raises(ValueError, match="belongs to person-1"):
        crosswalk.link("person-2", "person", CONTACT, "active")
    assert crosswalk.entity_of(CONTACT) == "person-1"
    assert list(crosswalk.entities()) == ["person-1"]


@pytest.mark.parametrize("state", ["lost", "undone", "unclear"])
def test_a_record_whose_link_ended_may_be_linked_elsewhere(crosswalk: Crosswalk, state: str) -> None:
    crosswalk.link("person-1", "person", CONTACT, "active")
    assert crosswalk.mark(CONTACT, state)
    crosswalk.link("person-2", "person", CONTACT, "active")
    assert crosswalk.entity_of(CONTACT) == "person-2"


def test_a_new_active_record_takes_the_place_of_the_one_before(crosswalk: Crosswalk) -> None:
    """A Lead was converted: its Contact becomes the active record, the Lead stays linked for reading."""
    crosswalk.link("person-1", "person", LEAD, "active")
    crosswalk.link("person-1", "person", CONTACT, "active")
    assert roles(crosswalk, "person-1") == {LEAD: ("duplicate", "linked"), CONTACT: ("active", "linked")}


def test_two_active_records_at_once_are_a_mistake(crosswalk: Crosswalk) -> None:
    links = [NewLink("person-1", "person", ref, "active") for ref in (LEAD, CONTACT)]
    with pytest.raises(ValueError, match="two active"):
        crosswalk.link_many(links)
    assert roles(crosswalk, "person-1") == {}


def test_the_same_link_twice_is_one_link(crosswalk: Crosswalk) -> None:
    for _ in range(2):
        crosswalk.link("person-1", "person", CONTACT, "active")
    assert len(crosswalk.members(["person-1"])["person-1"]) == 1


def test_links_are_written_all_or_none(crosswalk: Crosswalk) -> None:
    crosswalk.link("person-1", "person", CONTACT, "active")
    with pytest.raises(ValueError, match="belongs to"):
        crosswalk.link_many([
            NewLink("person-2", "person", PERSON, "active"),
            NewLink("person-2", "person", CONTACT, "active"),
        ])  # fmt: skip
    assert crosswalk.entity_of(PERSON) is None


def test_a_lost_record_makes_room_for_another(crosswalk: Crosswalk, clock: Watch) -> None:
    crosswalk.link("person-1", "person", CONTACT, "active")
    clock.advance(hours=1)
    crosswalk.mark(CONTACT, "lost")
    other = Ref("salesforce", "Contact", "003B")
    crosswalk.link("person-1", "person", other, "active")
    assert roles(crosswalk, "person-1") == {CONTACT: ("active", "lost"), other: ("active", "linked")}
    assert crosswalk.members(["person-1"])["person-1"][0].since == clock.now


def test_marking_what_is_not_linked_says_so(crosswalk: Crosswalk) -> None:
    assert not crosswalk.mark(CONTACT, "lost")


def test_a_key_stays_the_same_until_its_create_is_undone(crosswalk: Crosswalk, tmp_path: Path) -> None:
    """Asking a vendor twice under one key cannot create twice; a key taken back is never used again."""
    crosswalk.link("person-1", "person", PERSON, "active")
    assert crosswalk.peek_key("person-1") == "person-1-1-ledger-1"
    assert crosswalk.next_key("person-1") == "person-1-1-ledger-1"
    assert crosswalk.next_key("person-1") == "person-1-1-ledger-1"
    crosswalk.link("person-1", "person", CONTACT, "active")
    crosswalk.mark(CONTACT, "lost")
    assert crosswalk.peek_key("person-1") == "person-1-1-ledger-1"
    for _ in range(2):
        crosswalk.mark(CONTACT, "undone")
    assert crosswalk.next_key("person-1") == "person-1-2-ledger-1"
    assert Crosswalk(open_ledger(tmp_path)).peek_key("person-1") == "person-1-2-ledger-1"


def test_two_ledgers_never_use_the_same_key(crosswalk: Crosswalk, tmp_path: Path) -> None:
    """A second installation counts from 1 too; Salesforce would write over the record that has the key."""
    (tmp_path / "other").mkdir(mode=0o700)
    other = Crosswalk(open_ledger(tmp_path / "other", new_id="another-ledger"))
    assert other.peek_key("person-1") != crosswalk.peek_key("person-1")


def test_a_key_may_be_asked_for_before_the_first_link(crosswalk: Crosswalk) -> None:
    assert crosswalk.next_key("company-7") == "company-7-1-ledger-1"
    crosswalk.link("company-7", "company", PERSON, "active")
    assert crosswalk.peek_key("company-7") == "company-7-1-ledger-1"


def test_entities_come_in_order_of_their_numbers(crosswalk: Crosswalk) -> None:
    for number in range(1, 1205):
        ref = Ref("hubspot", "contacts", str(number))
        crosswalk.link(f"person-{number}", "person", ref, "active")
    crosswalk.link("company-1", "company", CONTACT, "active")
    assert list(crosswalk.entities("person")) == [f"person-{number}" for number in range(1, 1205)]
    assert list(crosswalk.entities("company")) == ["company-1"]
    assert len(list(crosswalk.entities())) == 1205


def test_many_entities_are_asked_for_at_once(crosswalk: Crosswalk) -> None:
    links = [
        NewLink(f"person-{number}", "person", Ref("hubspot", "contacts", str(number)), "active")
        for number in range(1, 1205)
    ]
    crosswalk.link_many(links)
    assert len(crosswalk.members(link.entity_id for link in links)) == 1204
