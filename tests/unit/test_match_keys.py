"""Match keys in the mirror: when they are worked out, and who shares one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pytest
from recording import START, contact, open_mirror
from shipped_systems import SYSTEMS

from agent.decide.match import fields_of_keys, keys_of
from agent.decide.parse import load
from agent.decide.prepared import prepare
from agent.mirror.comparing import Place
from agent.mirror.mirror import Mirror
from agent.policy_files import shipped
from agent.records import Record, Ref

CONTACTS = ("salesforce", "Contact")
HERE: Place = ("salesforce", ("Contact", "Lead"))


class Keys:
    """E-mail and phone; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, record: Record) -> Iterable[tuple[str, str]]:
        self.asked += 1
        return [(kind.lower(), str(record.fields[kind])) for kind in ("Email", "Phone") if record.fields.get(kind)]


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return open_mirror(tmp_path)


def absorb(mirror: Mirror, *records: Record, keys: Keys | None = None, second: int = 0) -> None:
    mirror.absorb(
        records,
        mapped=("Email", "Phone", "Title"),
        keys=keys or Keys(),
        key_fields=("Email", "Phone"),
        seen_at=START + timedelta(seconds=second),
    )


def test_keys_are_worked_out_again_only_when_a_field_they_are_made_of_changed(mirror: Mirror) -> None:
    keys = Keys()
    absorb(mirror, contact(1, Title="VP", Phone="1"), keys=keys)
    absorb(mirror, contact(1, second=5, Title="CEO", Phone="1"), keys=keys, second=5)
    assert keys.asked == 1
    absorb(mirror, contact(1, second=9, Title="CEO", Phone="2"), keys=keys, second=9)
    assert (mirror.by_key(*CONTACTS, "phone", "1"), mirror.by_key(*CONTACTS, "phone", "2")) == ([], [contact(1).ref])


def sharing(mirror: Mirror, *kinds: str, place: Place = HERE, most: int = 50) -> list[tuple[Ref, ...]]:
    """Who is to be compared with whom, among records of one system that were not compared yet."""
    return [group.refs for _, groups in mirror.comparing.groups(place, kinds, most) for group in groups]


def test_records_that_share_a_key_find_each_other(mirror: Mirror) -> None:
    absorb(mirror, contact(1, Phone="1"), contact(2, Phone="1"), contact(3, Phone="3"))
    first, second = (contact(number).ref for number in (1, 2))
    assert sharing(mirror, "phone") == [(first, second)]


@pytest.mark.parametrize("kinds", [("email",), ()])
def test_records_that_share_no_key_asked_for_are_not_compared(mirror: Mirror, kinds: tuple[str, ...]) -> None:
    absorb(mirror, contact(1, Phone="1"), contact(2, Phone="1"))
    assert sharing(mirror, *kinds) == []


def test_a_lead_and_a_contact_may_share_a_key_but_another_system_is_nobodys_duplicate(mirror: Mirror) -> None:
    lead = Record(Ref("salesforce", "Lead", "00Q000000000001AAA"), {"Phone": "1"}, "v1", START, START)
    person = Record(Ref("hubspot", "contacts", "1"), {"Phone": "1"}, "v1", START, START)
    absorb(mirror, contact(1, Phone="1"), lead, person)
    assert sharing(mirror, "phone", place=("hubspot", ("contacts",))) == []
    assert sharing(mirror, "phone") == [(contact(1).ref, lead.ref)]


@pytest.mark.parametrize(("most", "found"), [(4, 1), (3, 0)])
def test_a_value_that_too_many_share_says_nothing(mirror: Mirror, most: int, found: int) -> None:
    absorb(mirror, *[contact(number, Phone="1") for number in range(1, 5)])
    assert len(sharing(mirror, "phone", most=most)) == found


def test_a_record_whose_key_was_emptied_shares_nothing(mirror: Mirror) -> None:
    absorb(mirror, contact(1, Phone="1"), contact(2, Phone="1"))
    absorb(mirror, contact(2, second=5, Phone=None), second=5)
    assert sharing(mirror, "phone") == []


def test_who_was_compared_is_compared_again_only_with_whom_something_changed(mirror: Mirror) -> None:
    absorb(mirror, contact(1, Phone="1"), contact(2, Phone="1"), contact(3, Phone="3"), contact(4, Phone="3"))
    assert len(sharing(mirror, "phone")) == 2
    assert sharing(mirror, "phone") == []
    absorb(mirror, contact(2, second=5, Phone="3"), second=5)
    (group,) = [group for _, groups in mirror.comparing.groups(HERE, ["phone"], 50) for group in groups]
    assert set(group.refs) == {contact(number).ref for number in (2, 3, 4)}
    assert group.fresh == {contact(2).ref}


def test_keys_are_indexed_anew_once_for_a_new_revision(mirror: Mirror) -> None:
    absorb(mirror, contact(1, Phone="1"), contact(2, Phone="2"))
    assert mirror.index_keys(*CONTACTS, lambda record: [("phone", "same")], "r2") == 2
    assert mirror.by_key(*CONTACTS, "phone", "same") == [contact(1).ref, contact(2).ref]
    assert mirror.index_keys(*CONTACTS, lambda record: [], "r2") == 0


def test_an_object_type_never_pulled_needs_no_index_later(mirror: Mirror) -> None:
    assert mirror.index_keys(*CONTACTS, Keys(), "r1") == 0
    absorb(mirror, contact(1, Phone="1"))
    keys = Keys()
    assert mirror.index_keys(*CONTACTS, keys, "r1") == 0
    assert keys.asked == 0


@pytest.mark.parametrize(
    ("about", "ref"),
    [
        ("person", Ref("salesforce", "Contact", "003000000000001AAA")),
        ("person", Ref("hubspot", "contacts", "1")),
        ("company", Ref("salesforce", "Account", "001000000000001AAA")),
    ],
)
def test_a_field_that_is_not_named_changes_no_key(about: str, ref: Ref) -> None:
    policies = prepare(load(shipped.texts(), None, date(2026, 11, 24), SYSTEMS))
    entity_type = policies.policies.entity_types[about]
    named = fields_of_keys(entity_type, policies, ref.system, ref.object_type)
    everything = policies.policies.vendor_fields(ref.system, ref.object_type)
    assert named
    assert named < set(everything)

    def keys(**changed: str) -> set[tuple[str, str]]:
        plain = dict.fromkeys(everything, "www.acme.example")
        return set(keys_of(Record(ref, {**plain, **changed}), entity_type, policies))

    assert [name for name in everything if keys(**{name: "other.example"}) != keys() and name not in named] == []
