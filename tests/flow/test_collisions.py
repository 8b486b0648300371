"""People who cannot be told apart come and go at random (docs/faults.md, F41): who is unclear is never written."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from flow_stage import Stage
from invariants import assert_invariants

from agent.records import Ref
from connectors.emulator.admin_client import AdminRefusedError

ALLOWED = {
    ("salesforce", "Contact"): {"Email", "Title", "MailingCity", "Phone", "OwnerId"},
    ("hubspot", "contacts"): {"email", "jobtitle", "city", "phone", "hubspot_owner_id"},
}
ADDRESSES = [f"shared{number}@acme.example" for number in range(3)]
FIELD = {"salesforce": "Email", "hubspot": "email"}


class Crowd:
    """Few addresses and many who use them."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.rng = random.Random(seed)

    def step(self) -> None:
        """Somebody is made, takes another's address, gets another title, or goes."""
        address, title = self.rng.choice(ADDRESSES), self.rng.choice(["CEO", "CFO", "COO"])
        there = self.live()
        kind = self.rng.choice(["contact", "hub", "hub", "address", "title", "title", "gone"])
        try:
            if kind == "contact":
                self.stage.make_contact(Email=address, Title=title)
            elif kind == "hub":
                self.stage.make_hub(email=address, jobtitle=title)
            elif there and kind == "gone":
                self.stage.delete(self.rng.choice(there))
            elif there:
                ref = self.rng.choice(there)
                name = {"salesforce": "Title", "hubspot": "jobtitle"}[ref.system]
                change = {FIELD[ref.system]: address} if kind == "address" else {name: title}
                self.stage.edit(ref, **change)
        except AdminRefusedError:
            return  # HubSpot gives an address to one contact only

    def live(self) -> list[Ref]:
        contacts = [Ref("salesforce", "Contact", each) for each in self.stage.ids("salesforce", "Contact")]
        return contacts + [Ref("hubspot", "contacts", each) for each in self.stage.ids("hubspot", "contacts")]

    def unclear(self) -> set[str]:
        """Addresses of one contact in HubSpot that was never paired, and of several such in Salesforce."""
        alone = [ref for ref in self.live() if self.stage.installation.crosswalk.entity_of(ref) is None]
        count = Counter((ref.system, self.stage.value(ref, FIELD[ref.system])) for ref in alone)
        return {address for address in ADDRESSES if count["salesforce", address] > 1 and count["hubspot", address] == 1}

    def has_counterpart(self, ref: Ref) -> bool:
        crosswalk = self.stage.installation.crosswalk
        entity = crosswalk.entity_of(ref)
        members = crosswalk.members([entity])[entity] if entity else ()
        return len({link.ref.system for link in members if link.state == "linked"}) == 2


@pytest.mark.parametrize(
    ("seed", "steps"), [(1, 25), (2, 25), *(pytest.param(seed, 60, marks=pytest.mark.nightly) for seed in range(3, 40))]
)
def test_who_cannot_be_told_apart_is_never_written_and_asked_about(stage: Stage, seed: int, steps: int) -> None:
    crowd = Crowd(stage, seed)
    for address in ADDRESSES[:2] * 2:
        stage.make_contact(Email=address, Title="CEO")
    stage.make_hub(email=ADDRESSES[0])
    stage.go_live()
    asked = 0
    for number in range(steps):
        if number:
            crowd.step()
        mark = stage.mark()
        stage.advance(60)
        stage.cycle()
        for line in stage.written(mark):
            ref = Ref(line["system"], line["object"], line["id"])
            assert crowd.has_counterpart(ref), f"{ref} was written and is nobody's counterpart"
        for links in stage.installation.crosswalk.members(entities(stage)).values():
            of_system = Counter(link.ref.system for link in links if link.state == "linked" and link.role == "active")
            assert max(of_system.values(), default=0) <= 1, f"two at once: {links}"
        topics = " ".join(str(review.refs) for review in stage.installation.reviews.list(kind="unclear"))
        for address in crowd.unclear():
            asked += 1
            (hub,) = [ref for ref in crowd.live() if ref.system == "hubspot" and stage.value(ref, "email") == address]
            assert hub.id in topics, f"nobody is asked about {address}"
    assert asked, "nobody was ever unclear"
    assert_invariants(stage.admin.audit(), stage.installation.ledger, allowed=ALLOWED)


def entities(stage: Stage) -> list[str]:
    crosswalk = stage.installation.crosswalk
    refs = [Ref("salesforce", "Contact", each) for each in stage.ids("salesforce", "Contact")]
    return sorted(set(crosswalk.entities_of(refs).values()))
