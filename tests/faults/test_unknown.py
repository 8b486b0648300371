"""A lost reply: looked into, waited for, or shown to a person. Never guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import small_world
from breaking import Killed
from invariants import assert_invariants
from scenarios import AnUndo, ApprovedBatches, approve_all, several_cycles
from small_world import ALLOWED, opened
from sweep import Theatre
from test_memory import Site, synced

from agent import cycle
from agent.changes import Entry, State, Verdict
from agent.connector import Write, WriteOutcome
from agent.errors import ApprovalNeeded, ConnectorError
from agent.installation import Installation
from agent.plan import plan, planner
from connectors.hubspot.connector import HubSpot

__all__ = ["synced"]

UPDATE = {"system": "hubspot", "method": "POST", "route": "*/batch/update"}


def edit_title(site: Site, installation: Installation, title: str) -> str:
    """Ann's title in Salesforce; returns the id of her HubSpot contact, which will be written."""
    records = installation.mirror.scan("salesforce", "Contact")
    ann = next(record.ref.id for record in records if record.fields["Email"] == "ann@acme.example")
    site.colleagues.edit("salesforce", "Contact", ann, Title=title)
    site.time.wait(60)
    twins = installation.mirror.scan("hubspot", "contacts")
    return next(record.ref.id for record in twins if record.fields["email"] == "ann@acme.example")


def last_entry(installation: Installation) -> Entry:
    return installation.ledger.entries(newest_first=True, limit=1)[0]


def test_a_lost_reply_is_looked_into_at_once(synced: Site) -> None:
    with synced.opened() as installation:
        edit_title(synced, installation, "Chair")
        synced.theatre.admin.fault(action="drop_after", **UPDATE)
        report = cycle.run(installation)
        assert (report.written, report.unknown) == (1, 0)
        assert last_entry(installation).state is State.CONFIRMED


def test_a_late_request_is_waited_for(synced: Site) -> None:
    """Not there at the first look: it may still be on its way, so nothing is sent or decided for her meanwhile."""
    with synced.opened() as installation:
        edit_title(synced, installation, "Chair")
        synced.theatre.admin.fault(action="drop_before", **UPDATE)
        cycle.run(installation)
        lost = last_entry(installation)
        assert (lost.state, lost.attempts) == (State.UNKNOWN, 1)
        cycle.run(installation)
        assert last_entry(installation).id == lost.id
        assert installation.ledger.entry(lost.id).attempts == 1
        synced.time.wait(60)
        several_cycles(installation, synced.time)
        assert_invariants(synced.theatre.admin.audit(), installation.ledger, allowed=ALLOWED)
    assert "Chair" in [row["jobtitle"] for row in synced.theatre.values()["hubspot contacts"]]


def test_what_somebody_changed_meanwhile_stays_unknown_and_is_shown(synced: Site) -> None:
    """Neither the old value nor ours: nobody can know any more whether ours was there in between."""
    with synced.opened() as installation:
        twin = edit_title(synced, installation, "Chair")
        synced.theatre.admin.fault(action="drop_before", **UPDATE)
        cycle.run(installation)
        lost = last_entry(installation)
        synced.colleagues.edit("hubspot", "contacts", twin, jobtitle="By hand")
        synced.time.wait(60)
        several_cycles(installation, synced.time)
        found = installation.ledger.entry(lost.id)
        assert found.state is State.UNKNOWN
        assert "somebody changed it meanwhile" in str(found.error)
        assert installation.ledger.batch(lost.batch_id).state == "done"
        assert_invariants(synced.theatre.admin.audit(), installation.ledger, allowed=ALLOWED)


@dataclass(frozen=True)
class LostCreate:
    """``entry`` may have made its record, and nobody can look it up."""

    installation: Installation
    entry: Entry

    def states(self) -> Counter[State]:
        """Of every create of the same thing."""
        found = self.installation.ledger.entries(entity_id=self.entry.change.entity_id)
        return Counter(entry.state for entry in found if entry.change.op == "create")

    def verdicts(self) -> list[Verdict]:
        """What a new plan says of it."""
        judged = plan.make(self.installation).judged
        return [verdict for change, verdict in judged if change.entity_id == self.entry.change.entity_id]


class WithoutKeys(ApprovedBatches):
    """The same, in an installation of its own that has no link keys."""

    name = "approve-without-keys"


@pytest.fixture
def lost_create(theatre: Theatre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LostCreate]:
    """A company was to be made in HubSpot without a link key; the request was lost and four cycles have passed."""
    monkeypatch.setattr(small_world, "LINK_KEYS", {"salesforce": {}, "hubspot": {}})
    scenario = WithoutKeys()
    with theatre.set(scenario, tmp_path) as (_, folder, time), opened(theatre.site, folder, time) as installation:
        several_cycles(installation, time)
        theatre.admin.fault(action="drop_before", system="hubspot", method="POST", route="*/objects/companies")
        scenario.act(installation)
        several_cycles(installation, time, 4)
        (entry,) = installation.ledger.entries(states=(State.UNKNOWN,))
        yield LostCreate(installation, entry)


def test_a_lost_create_without_a_key_is_never_sent_again(lost_create: LostCreate) -> None:
    creates = [entry for entry in lost_create.installation.ledger.entries() if entry.change.op == "create"]
    lost = [entry for entry in creates if entry.attempts]
    assert [(entry.state, entry.attempts) for entry in lost] == [(State.UNKNOWN, 1)]
    assert "no link key" in str(lost[0].error)


def test_a_create_without_a_key_whose_reply_was_lost_is_there_once(
    theatre: Theatre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made: nothing of ours makes a second, however long nobody looks after it."""
    monkeypatch.setattr(small_world, "LINK_KEYS", {"salesforce": {}, "hubspot": {}})
    scenario = WithoutKeys()
    with theatre.set(scenario, tmp_path) as (_, folder, time), opened(theatre.site, folder, time) as installation:
        several_cycles(installation, time)
        theatre.admin.fault(action="drop_after", system="hubspot", method="POST", route="*/objects/companies")
        scenario.act(installation)
        several_cycles(installation, time, 4)
        scenario.act(installation)
        several_cycles(installation, time, 4)
        (entry,) = [each for each in installation.ledger.entries(states=(State.UNKNOWN,)) if each.change.op == "create"]
        assert entry.attempts == 1
    domains = [row["domain"] for row in theatre.values()["hubspot companies"]]
    assert domains.count("beta.example") == 1


def test_who_may_have_been_created_already_is_held_in_a_plan_too(lost_create: LostCreate) -> None:
    (verdict,) = lost_create.verdicts()
    assert (verdict.decision, verdict.limit) == ("hold", "unanswered create")
    assert lost_create.entry.id in verdict.sentence


def test_only_an_approval_that_was_told_of_the_first_makes_a_second(lost_create: LostCreate) -> None:
    installation, made = lost_create.installation, plan.make(lost_create.installation)
    with pytest.raises(ApprovalNeeded):
        plan.apply_plan(installation, made, "anna@example.com", confirm_count=len(made.changes))
    assert lost_create.entry.id in str(installation.ledger.batches(limit=1)[0].hold_reason)
    assert lost_create.states() == {State.UNKNOWN: 1, State.HELD: 1}
    approve_all(installation)
    assert lost_create.states() == {State.UNKNOWN: 1, State.CONFIRMED: 1}


def test_a_lost_create_with_a_key_holds_nothing_back(theatre: Theatre, tmp_path: Path) -> None:
    """It is looked up by its key, now or as soon as the vendor answers."""
    scenario = ApprovedBatches()
    with theatre.set(scenario, tmp_path) as (_, folder, time), opened(theatre.site, folder, time) as installation:
        theatre.admin.fault(action="drop_after", system="hubspot", method="POST", route="*/companies/batch/create")
        theatre.admin.fault(action="drop_before", system="hubspot", method="GET", route="*/companies/*", times="always")
        with suppress(ConnectorError):
            scenario.act(installation)
        (lost,) = installation.ledger.entries(states=(State.UNKNOWN,))
        assert lost.change.op == "create"
        assert not planner.circumstances(installation).unanswered


def test_a_second_step_waits_for_its_first(theatre: Theatre, tmp_path: Path) -> None:
    """HubSpot ignores a stage set back unless it was cleared: the set is not sent while the clear is not settled."""
    scenario = ApprovedBatches()
    plain = theatre.undisturbed(scenario, tmp_path)
    with theatre.set(scenario, tmp_path) as (_, folder, time), opened(theatre.site, folder, time) as installation:
        steps = [entry for entry in installation.ledger.entries() if entry.change.group]
        theatre.admin.fault(action="drop_before", **UPDATE)
        scenario.act(installation)
        first, second = (installation.ledger.entry(entry.id) for entry in steps)
        if first.state is State.UNKNOWN:
            assert (second.state, second.attempts) == (State.HELD, 0)
        time.wait(60)
        several_cycles(installation, time)
        states = [installation.ledger.entry(entry.id).state for entry in steps]
        assert states == [State.CONFIRMED, State.CONFIRMED]
    assert plain.end["hubspot contacts"]


def test_a_write_that_never_gets_through_is_given_up_after_twelve_attempts(theatre: Theatre, tmp_path: Path) -> None:
    """One record that is locked for ever does not hold up the rest."""
    scenario = ApprovedBatches()
    with theatre.set(scenario, tmp_path) as (_, folder, time), opened(theatre.site, folder, time) as installation:
        theatre.admin.fault(action="status", status=423, times="always", **UPDATE)
        for _ in range(100):
            try:
                scenario.act(installation)
                cycle.run(installation)
            except ConnectorError:
                time.wait(60)
        failed = installation.ledger.entries(states=(State.FAILED,))
        assert failed
        assert {entry.attempts for entry in failed} == {12}
        assert installation.ledger.batches(states=["open"]) == []


def test_a_write_in_the_middle_of_which_we_end_each_time_is_given_up_after_five(
    theatre: Theatre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be what ends us: the others must not wait for it."""

    def end(self: HubSpot, writes: list[Write]) -> list[WriteOutcome]:
        raise Killed

    scenario = ApprovedBatches()
    with theatre.set(scenario, tmp_path) as (_, folder, time):
        with monkeypatch.context() as patch:
            patch.setattr(HubSpot, "write", end)
            ends = 0
            for _ in range(40):
                time.wait(60)
                with opened(theatre.site, folder, time) as installation, suppress(Killed, ConnectorError):
                    ends += 1
                    scenario.act(installation)
                    cycle.run(installation)
                    ends -= 1
        with opened(theatre.site, folder, time) as installation:
            tries = [entry.attempts for entry in installation.ledger.entries() if entry.change.system == "hubspot"]
            failed = installation.ledger.entries(states=(State.FAILED,))
        assert {entry.attempts for entry in failed} == {5} == {each for each in tries if each}
        assert ends < 40, "it never got past them"


def test_an_undo_of_a_cycle_whose_reply_was_lost_undoes_all_of_it(theatre: Theatre, tmp_path: Path) -> None:
    plain = theatre.undisturbed(AnUndo(), tmp_path)
    lost = theatre.play(AnUndo(), tmp_path, fault={"action": "drop_after", "times": 3, "nth": min(plain.writing_calls)})
    assert lost.end == plain.end
