"""A record that is deleted or merged under us: F39 and F40 of docs/faults.md, at each phase of a cycle and of an undo.

The emulator does it at that very moment, in either CRM. A record is *held* when one of ours is about to be written
because its counterpart was edited; what happens, happens to the held record or to that counterpart. ``make nightly``
takes every phase of every case; here it is some of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flow_stage import Pair, Stage, person_policy
from invariants import assert_at_rest, assert_invariants
from phases import PHASES, at, some_by_day

from agent import cycle
from agent.changes import OPEN, State
from agent.records import FieldValue, Ref

SYSTEMS = ("salesforce", "hubspot")
OTHER = {"salesforce": "hubspot", "hubspot": "salesforce"}
CREATES = person_policy(create="{hubspot: {from: [Contact]}, salesforce: {as: Contact, from: [contacts]}}")
ALLOWED = {
    ("salesforce", "Contact"): {
        "Email", "Title", "MailingCity", "Phone", "OwnerId", "Truce_Key__c", "LastName", "FirstName",
    },
    ("hubspot", "contacts"): {
        "email", "jobtitle", "city", "phone", "hubspot_owner_id", "truce_key", "lastname", "firstname",
    },
}  # fmt: skip

IN_AN_UNDO = ("between preview and undo", *list(PHASES)[3:8])
WRITTEN_FIRST = ("between write and read-back", "after the cycle")


@dataclass
class Scene:
    """``pair``: whose record in ``system`` is held; ``beside``: somebody else's, to whom nothing happens."""

    stage: Stage
    system: str
    pair: Pair
    beside: Pair

    @property
    def held(self) -> Ref:
        return self.of(self.system)

    @property
    def counterpart(self) -> Ref:
        return self.of(OTHER[self.system])

    def of(self, system: str) -> Ref:
        return self.pair.hub if system == "hubspot" else self.pair.contact

    def wanted(self) -> FieldValue:
        return "CFO" if self.system == "hubspot" else "2"

    def value(self, ref: Ref) -> FieldValue:
        """What a write of this scene changes."""
        names = {"salesforce": ("Title", "Phone"), "hubspot": ("jobtitle", "phone")}[ref.system]
        return self.stage.value(ref, names[0] if self.system == "hubspot" else names[1])

    def edit(self) -> None:
        """The counterparts of both, so that both records in ``system`` are to be written."""
        for pair in (self.pair, self.beside):
            if self.system == "hubspot":
                self.stage.edit(pair.contact, Title="CFO")
            else:
                self.stage.edit(pair.hub, phone="2")

    def spare(self) -> Callable[[str], Ref]:
        """Somebody else in a CRM, who is about to turn out to be the same person."""
        made = {
            "hubspot": lambda: self.stage.make_hub(email="spare@acme.example", jobtitle="Spare", phone="9"),
            "salesforce": lambda: self.stage.make_contact(Email="s@acme.example", Title="Spare", Phone="9"),
        }
        return lambda system: Ref(system, self.of(system).object_type, made[system]())

    def written(self, ref: Ref, since: int) -> list[dict[str, Any]]:
        """Updates that we made to this record."""
        return [line for line in self.stage.written(since) if line["id"] == ref.id and line["op"] == "update"]

    def live(self, system: str) -> list[Ref]:
        object_type = self.of(system).object_type
        return [Ref(system, object_type, each) for each in self.stage.ids(system, object_type)]

    def states(self) -> dict[Ref, str]:
        """{record: state of its link} of the pair's entity."""
        crosswalk = self.stage.installation.crosswalk
        entity = crosswalk.entity_of(self.counterpart) or crosswalk.entity_of(self.held)
        return {link.ref: link.state for link in crosswalk.members([str(entity)])[str(entity)]}

    def comes_to_rest(self) -> None:
        """Within three cycles after a night, in which deletions in HubSpot are found."""
        self.writes_no_more()
        assert_at_rest(self.stage.installation)

    def writes_no_more(self) -> None:
        """And every change of ours is accounted for."""
        cycles(self.stage, 1)
        cycle.pull_all(self.stage.installation, sweep=True)
        cycles(self.stage, 3)
        mark = self.stage.mark()
        cycles(self.stage, 2)
        assert self.stage.written(mark) == [], "it does not come to rest"
        assert_invariants(self.stage.admin.audit(), self.stage.installation.ledger, allowed=ALLOWED)


def cycles(stage: Stage, count: int) -> None:
    for _ in range(count):
        stage.advance(700)
        stage.cycle()


def scene(stage: Stage, system: str, policy: str) -> Scene:
    stage.write_policies(person=policy)
    values = {"Title": "CEO", "Phone": "1", "LastName": "L"}
    pair, beside = stage.pairs(2, values, {"jobtitle": "CEO", "phone": "1", "lastname": "L"})
    stage.go_live()
    cycles(stage, 2)
    return Scene(stage, system, pair, beside)


# F39 ------------------------------------------------------------------------------------------------------------------


def deleted(stage: Stage, system: str, phase: str, who: str) -> None:
    """The held record, or its counterpart, is deleted in this phase: it stays gone, and everybody else is served."""
    found = scene(stage, system, CREATES)
    gone = found.held if who == "held" else found.counterpart
    count = {each: len(found.live(each)) for each in SYSTEMS}
    found.edit()
    stage.advance(60)
    with pytest.MonkeyPatch.context() as patch:
        has_happened = at(phase, system, patch, lambda: stage.delete(gone))
        stage.cycle()
    assert has_happened(), "that phase was never reached"
    after = last_seq_of_deletion(stage, gone)
    found.comes_to_rest()
    assert found.written(gone, after) == [], "written after it was gone"
    assert stage.is_deleted(gone)
    lives = {each: len(found.live(each)) for each in SYSTEMS}
    assert lives == {**count, gone.system: count[gone.system] - 1}, "created again, or more went"
    assert found.value(found.beside.hub if system == "hubspot" else found.beside.contact) == found.wanted()
    (question,) = stage.installation.reviews.list(kind="lost")
    assert question.refs == (gone,)
    assert found.states()[gone] == "lost"
    if phase in WRITTEN_FIRST:
        (line,) = found.written(found.held, 0)
        assert stage.installation.ledger.entry(line["entry_id"]).state is State.CONFIRMED, "it was made"


def last_seq_of_deletion(stage: Stage, gone: Ref) -> int:
    return max(int(line["seq"]) for line in stage.admin.audit() if line["id"] == gone.id and line["op"] == "delete")


# F40 ------------------------------------------------------------------------------------------------------------------


def merged(stage: Stage, system: str, phase: str, who: str, role: str) -> None:
    """The held record, or its counterpart, is merged in this phase, as the ``loser`` or the ``survivor``: the pair
    follows to whoever is left, and nothing that was decided for the one is written to the other."""
    found = scene(stage, system, person_policy())
    mine = found.held if who == "held" else found.counterpart
    spare = found.spare()(mine.system)
    cycles(stage, 1)
    found.edit()
    stage.advance(60)
    mark = stage.mark()
    with pytest.MonkeyPatch.context() as patch:
        winner, loser = (spare, mine) if role == "loser" else (mine, spare)
        has_happened = at(phase, system, patch, lambda: stage.merge(winner, loser))
        stage.cycle()
    assert has_happened(), "that phase was never reached"
    if role == "loser" and who == "held" and phase != "before the pull":
        assert found.written(spare, mark) == [], "what was decided for the one was written to the other"
    found.comes_to_rest()
    (left,) = [ref for ref, state in found.states().items() if ref.system == mine.system and state == "linked"]
    assert left == survivor_of(stage, mine.system, winner)
    assert found.value(left) == found.value(found.of(OTHER[mine.system])), "both sides agree in the end"
    assert found.value(found.beside.hub if system == "hubspot" else found.beside.contact) == found.wanted()
    assert stage.is_deleted(loser)


def survivor_of(stage: Stage, system: str, winner: Ref) -> Ref:
    """HubSpot makes a new record of the two."""
    row = stage.emulator.world.spaces[system].table(winner.object_type)[winner.id]
    return winner if row.merged_into is None else Ref(system, winner.object_type, row.merged_into)


# In an undo -----------------------------------------------------------------------------------------------------------


def undone(stage: Stage, system: str, phase: str, what: str) -> None:
    """The record that an undo would restore is deleted, or merged, after the preview: it is left alone, the other one
    is restored, and nobody else is written."""
    found = scene(stage, system, person_policy())
    spare = found.spare()(system)
    cycles(stage, 1)
    found.edit()
    stage.advance(60)
    batch = str(stage.cycle()["batch"])
    cycles(stage, 2)
    happens: dict[str, Callable[[], None]] = {
        "deleted": lambda: stage.delete(found.held),
        "loser": lambda: stage.merge(spare, found.held),
        "survivor": lambda: stage.merge(found.held, spare),
    }
    stage.preview(batch)
    mark = stage.mark()
    with pytest.MonkeyPatch.context() as patch:
        if phase == IN_AN_UNDO[0]:
            happens[what]()
        else:
            has_happened = at(phase, system, patch, happens[what])
        told = stage.rollback(batch)
    assert phase == IN_AN_UNDO[0] or has_happened(), "that phase was never reached"
    beside = found.beside.hub if system == "hubspot" else found.beside.contact
    assert found.value(beside) == ("CEO" if system == "hubspot" else "1"), "the other one was not restored"
    written = {line["id"] for line in stage.written(mark)}
    assert written <= {found.held.id, beside.id}, "somebody else was written"
    assert told["written"] == len(written)
    found.comes_to_rest()


# What is run ----------------------------------------------------------------------------------------------------------

DELETIONS = [(system, phase, who) for system in SYSTEMS for phase in PHASES for who in ("held", "counterpart")]
MERGES = [
    (system, phase, who, role)
    for system in SYSTEMS
    for phase in PHASES
    for who in ("held", "counterpart")
    for role in ("loser", "survivor")
]
UNDONE = [
    (system, phase, what) for system in SYSTEMS for phase in IN_AN_UNDO for what in ("deleted", "loser", "survivor")
]


@pytest.mark.parametrize(("system", "phase", "who"), some_by_day(DELETIONS, 7))
def test_what_is_deleted_in_this_phase_stays_gone_and_everybody_else_is_written(
    stage: Stage, system: str, phase: str, who: str
) -> None:
    deleted(stage, system, phase, who)


@pytest.mark.parametrize(("system", "phase", "who", "role"), some_by_day(MERGES, 13))
def test_the_pair_follows_who_is_merged_in_this_phase_and_nothing_decided_before_is_written_to_another(
    stage: Stage, system: str, phase: str, who: str, role: str
) -> None:
    merged(stage, system, phase, who, role)


@pytest.mark.parametrize(("system", "phase", "what"), some_by_day(UNDONE, 8))
def test_an_undo_leaves_alone_what_went_in_this_phase_and_restores_the_rest(
    stage: Stage, system: str, phase: str, what: str
) -> None:
    undone(stage, system, phase, what)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("action", [pytest.param("drop_before", marks=pytest.mark.nightly), "drop_after"])
@pytest.mark.parametrize("what", ["deleted", "merged"])
def test_whether_a_lost_write_was_made_before_its_record_went_is_not_guessed(
    stage: Stage, system: str, action: str, what: str
) -> None:
    found = scene(stage, system, person_policy())
    spare = found.spare()(system)
    cycles(stage, 1)
    found.edit()
    stage.advance(700)
    write = {"hubspot": ("POST", "*/batch/update"), "salesforce": ("PATCH", "*/composite/sobjects*")}[system]
    stage.admin.fault(action=action, system=system, method=write[0], route=write[1])
    with pytest.MonkeyPatch.context() as patch:
        goes = {"deleted": lambda: stage.delete(found.held), "merged": lambda: stage.merge(spare, found.held)}[what]
        at("between write and read-back", system, patch, goes)
        stage.cycle()
    found.writes_no_more()
    assert stage.installation.ledger.batches(states=OPEN) == []
    (entry,) = stage.installation.ledger.entries(states=(State.UNKNOWN,))
    assert entry.change.ref == found.held
    assert str(entry.error).startswith("cannot be known: the record")
