"""Undo by policy and moment, revision, record and field: the same undo, entered another way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from flow_stage import FIELDS, ONE_DAY, Pair, Stage, person_policy

from agent.changes import Cell, Entry, State
from agent.errors import NotFound, UsageError
from connectors.emulator.clock import Clock

PHONES = person_policy(fields="  mobile: {salesforce: MobilePhone, hubspot: mobilephone, wins: salesforce}\n")


def phones_policy() -> str:
    """A second policy about the same people."""
    text = PHONES.replace("policy: person-basics", "policy: person-phones").replace("defines:", "about:")
    return "\n".join(line for line in text.splitlines() if not line.startswith(("records:", "match:"))) + "\n"


def start_at(stage: Stage, moment: datetime) -> None:
    """Move the practice clock forward to a moment."""
    clock: Clock = stage.clock
    stage.advance((moment - clock.now()).total_seconds())


def person(stage: Stage) -> Pair:
    return stage.pair(
        {"Title": "CEO", "MailingCity": "Bonn", "MobilePhone": "1"},
        {"jobtitle": "Boss", "city": "Berlin", "mobilephone": "2"},
    )


def held_values(stage: Stage, ada: Pair) -> tuple[object, ...]:
    return tuple(stage.value(ada.hub, name) for name in ("jobtitle", "city", "mobilephone"))


def test_what_one_policy_wrote_goes_back_and_the_other_stays(stage: Stage) -> None:
    stage.write_policies(phones=phones_policy())
    ada = person(stage)
    stage.apply()
    assert held_values(stage, ada) == ("CEO", "Bonn", "1")
    preview = stage.preview(policy="person-phones")
    assert (preview["undo"], preview["batches"], preview["restore"]) == ("person-phones", ["B-1"], 1)
    done = stage.rollback(policy="person-phones")
    assert done["written"] == 1
    assert held_values(stage, ada) == ("CEO", "Bonn", "2")
    assert {freeze.field for freeze in stage.installation.freezes.standing()} == {"mobile"}


def test_a_policy_undone_by_name_is_paused_first_and_does_no_more_of_it(stage: Stage) -> None:
    stage.go_live()
    ada, eve = person(stage), person(stage)
    stage.advance(700)
    stage.cycle()
    assert stage.preview(policy="person-basics")["pauses"] == "person-basics"
    assert not stage.installation.approvals.is_paused("person-basics"), "a preview pauses nothing"
    undo = stage.rollback(policy="person-basics")
    assert undo["pauses"] == "person-basics"
    stage.advance(700)
    zoe = person(stage)
    stage.advance(700)
    assert stage.cycle()["written"] == 0
    assert held_values(stage, zoe)[0] == "Boss"
    stage.order("resume", policy="person-basics")
    stage.advance(700)
    stage.cycle()
    assert held_values(stage, zoe)[0] == "CEO"
    assert {held_values(stage, each)[0] for each in (ada, eve)} == {"Boss"}, "frozen by the undo"


def test_the_pause_is_there_before_the_first_write(stage: Stage) -> None:
    stage.pairs(3, {"Phone": "1"}, {"phone": "2"})
    stage.apply()
    stage.advance(700)
    stage.interrupt("rollback", policy="person-basics")
    assert stage.installation.approvals.is_paused("person-basics")


def test_an_undo_of_single_records_pauses_no_policy(stage: Stage) -> None:
    person(stage)
    stage.apply()
    assert stage.rollback(policy="person-basics", record="p1@acme.example")["pauses"] is None
    assert not stage.installation.approvals.is_paused("person-basics")


def test_one_field_of_one_batch(stage: Stage) -> None:
    ada = person(stage)
    batch = stage.apply()["batch"]
    stage.rollback(batch, field="city")
    assert held_values(stage, ada)[:2] == ("CEO", "Berlin")


def test_one_record_of_a_batch_goes_back_and_the_others_stay(stage: Stage) -> None:
    ada, eve = person(stage), person(stage)
    batch = stage.apply()["batch"]
    assert stage.preview(batch, record=str(ada.hub))["restore"] == 1
    stage.rollback(batch, record=str(ada.hub), field="job_title")
    assert held_values(stage, ada)[:2] == ("Boss", "Bonn")
    assert held_values(stage, eve)[:2] == ("CEO", "Bonn")
    assert {freeze.field for freeze in stage.installation.freezes.standing()} == {"job_title"}


@pytest.mark.parametrize("how", ["a batch", "a policy"])
def test_an_undo_of_one_record_drops_nothing_that_is_still_to_be_written_to_others(stage: Stage, how: str) -> None:
    """The batch stopped in the middle: one record is written, the others wait."""
    pairs = stage.pairs(3, {"Phone": "1"}, {"phone": "2"})
    stage.interrupt("apply", plan=stage.plan()["plan"], confirm=3)
    (batch,) = stage.installation.ledger.batches(states=["open"])
    written = [pair for pair in pairs if stage.value(pair.contact, "Phone") == "2"]
    waiting = [pair for pair in pairs if pair not in written]
    assert waiting
    chosen = {"record": str(waiting[0].contact)}
    stage.rollback(
        *([batch.id] if how == "a batch" else []), **({} if how == "a batch" else {"policy": "person-basics"}), **chosen
    )
    left = stage.installation.ledger.entries(batch_id=batch.id, states=(State.PLANNED,))
    assert {entry.change.ref for entry in left} == {pair.contact for pair in waiting[1:]}


def test_one_record_by_its_e_mail_over_all_batches(stage: Stage) -> None:
    ada, eve = person(stage), person(stage)
    stage.apply()
    stage.edit(ada.contact, Title="CFO")
    stage.advance(700)
    stage.apply()
    stage.advance(700)
    done = stage.rollback(record="p1@acme.example")
    assert done["batches"] == ["B-1", "B-2"]
    assert held_values(stage, ada)[:2] == ("Boss", "Berlin")
    assert held_values(stage, eve)[:2] == ("CEO", "Bonn")


def test_a_record_in_one_system_by_its_reference(stage: Stage) -> None:
    ada = stage.pair({"Title": "CEO", "Phone": "1"}, {"jobtitle": "Boss", "phone": "2"})
    stage.apply()
    stage.rollback(record=str(ada.contact))
    assert (stage.value(ada.contact, "Phone"), stage.value(ada.hub, "jobtitle")) == ("1", "CEO")


def test_since_a_moment_in_the_installations_time_zone(stage: Stage) -> None:
    """The people policy says Europe/Berlin: 17:00 there is 16:00 UTC in November."""
    start_at(stage, datetime(2026, 11, 6, 15, 50, tzinfo=UTC))
    ada, eve = person(stage), person(stage)
    first = stage.plan()
    stage.apply(first)
    start_at(stage, datetime(2026, 11, 6, 16, 10, tzinfo=UTC))
    stage.edit(eve.contact, Title="CFO")
    stage.apply()
    start_at(stage, datetime(2026, 11, 9, 8, 0, tzinfo=UTC))
    preview = stage.preview(policy="person-basics", since="Fri 17:00")
    assert preview["undo"] == "person-basics since Fri 06 Nov 2026 17:00 CET"
    assert preview["batches"] == ["B-2"]
    stage.rollback(policy="person-basics", since="Fri 17:00")
    assert (held_values(stage, ada)[0], held_values(stage, eve)[0]) == ("CEO", "CEO")
    stage.rollback(policy="person-basics", since="Fri 16:00")
    assert (held_values(stage, ada)[0], held_values(stage, eve)[0]) == ("Boss", "Boss")


def test_what_waited_for_its_approval_counts_from_when_it_was_written(stage: Stage) -> None:
    stage.write_policies(person=person_policy(mode="ask"))
    ada = person(stage)
    (batch,) = stage.cycle()["held"]
    stage.advance(20 * 3_600)
    stage.approve(batch)
    assert stage.preview(since="1 hour ago")["batches"] == [batch]
    stage.rollback(since="1 hour ago")
    assert held_values(stage, ada)[0] == "Boss"


def test_what_was_decided_under_one_revision(stage: Stage) -> None:
    ada = person(stage)
    old = stage.installation.policies.policies.revision
    stage.apply()
    stage.advance(700)
    wrong = FIELDS.replace("hubspot: jobtitle, wins: salesforce unless blank", "hubspot: jobtitle, wins: hubspot")
    stage.write_policies(person=person_policy(fields=wrong))
    new = stage.installation.policies.policies.revision
    stage.edit(ada.hub, jobtitle="Chief")
    stage.advance(700)
    stage.apply()
    assert stage.value(ada.contact, "Title") == "Chief"
    stage.advance(700)
    assert stage.preview(revision=old[:8])["batches"] == ["B-1"]
    done = stage.rollback(revision=new[:8])
    assert done["batches"] == ["B-2"]
    assert stage.value(ada.contact, "Title") == "CEO"
    with pytest.raises(NotFound, match="revision beef"):
        stage.preview(revision="beef")


def test_a_revision_taken_up_again_is_in_force_again(stage: Stage) -> None:
    ada = person(stage)
    old = stage.installation.policies.policies.revision
    stage.plan()
    stage.advance(700)
    stage.write_policies(person=person_policy(losing_edit="report"))
    stage.advance(700)
    stage.write_policies(person=person_policy())
    assert stage.installation.policies.policies.revision == old
    stage.apply()
    assert stage.rollback(revision=old)["batches"] == ["B-1"]
    assert held_values(stage, ada)[0] == "Boss"


def test_an_undo_is_not_part_of_a_group_and_a_group_can_be_undone_again(stage: Stage) -> None:
    ada = person(stage)
    stage.apply()
    undo = stage.rollback(policy="person-basics")["batch"]
    again = stage.rollback(policy="person-basics")
    assert (again["batches"], again["already"], again["batch"]) == (["B-1"], 1, None)
    stage.advance(ONE_DAY)
    stage.rollback(undo)
    assert held_values(stage, ada)[:2] == ("CEO", "Bonn")


def test_an_interrupted_group_undo_goes_on_with_the_same_words(stage: Stage) -> None:
    people = stage.pairs(3, {"Phone": "1"}, {"phone": "2"})
    stage.apply()
    stage.advance(700)
    stage.interrupt("rollback", policy="person-basics", field="phone")
    done = stage.rollback(policy="person-basics", field="phone")
    assert (done["resumed"], done["written"]) == (True, 2)
    assert {stage.value(ada.contact, "Phone") for ada in people} == {"1"}


def test_a_create_undone_by_field_loses_the_value_and_stays(stage: Stage) -> None:
    stage.write_policies(person=person_policy(create="{hubspot: {from: [Contact]}}"))
    stage.make_contact(Email="new@acme.example", Title="CEO")
    stage.advance(60)
    stage.apply()
    (made,) = stage.ids("hubspot", "contacts")
    stage.advance(700)
    stage.rollback(policy="person-basics", field="job_title")
    assert stage.ids("hubspot", "contacts") == [made]
    row = stage.emulator.world.spaces["hubspot"].table("contacts")[made]
    assert (row.values.get("jobtitle") or None, row.values["email"]) == (None, "new@acme.example")


def test_a_selection_must_select(stage: Stage) -> None:
    with pytest.raises(UsageError, match="what shall be undone"):
        stage.preview()
    with pytest.raises(NotFound, match="person-basics since"):
        stage.preview(policy="person-basics", since="yesterday")
    with pytest.raises(UsageError, match="no day"):
        stage.preview(policy="person-basics", since="someday")


def test_whatever_is_given_together_must_all_hold(stage: Stage) -> None:
    """Every way to narrow an undo beside every other, against the recorded writes themselves."""
    stage.write_policies(phones=phones_policy())
    ada, eve = person(stage), person(stage)
    stage.apply()
    first = stage.installation.policies.policies.revision
    stage.advance(7_200)
    stage.write_policies(person=person_policy(fields=FIELDS.replace(", may_clear: true", "")))
    for pair in (ada, eve):
        stage.edit(pair.contact, Title="CFO", MailingCity="Paris", MobilePhone="3")
    stage.advance(700)
    stage.apply()
    batches = [batch.id for batch in reversed(stage.installation.ledger.batches())]
    moment = stage.clock.now() - timedelta(seconds=60)
    assert len(batches) == 2
    ways: list[tuple[str, object, Callable[[Entry, Cell], bool]]] = [
        ("batch", batches[0], lambda entry, cell: entry.batch_id == batches[0]),
        ("policy", "person-phones", lambda entry, cell: cell.why.policy == "person-phones"),
        ("since", moment.isoformat(), lambda entry, cell: (entry.settled_at or entry.recorded_at) >= moment),
        ("revision", first, lambda entry, cell: entry.batch_id == batches[0]),
        ("record", str(ada.hub), lambda entry, cell: entry.change.ref == ada.hub),
        ("field", "mobile", lambda entry, cell: cell.field == "mobile"),
    ]
    entries = stage.installation.ledger.entries()
    for count in range(1, len(ways) + 1):
        for some in combinations(ways, count):
            wanted = {
                f"{entry.change.ref}:{cell.field}"
                for entry in entries
                for cell in entry.change.cells
                if all(holds(entry, cell) for _, _, holds in some)
            }
            given = {name: value for name, value, _ in some}
            named = [str(given.pop("batch"))] if "batch" in given else []
            try:
                preview = stage.preview(*named, **given)
                found = {item["cell"] for group in ("restored", "left") for item in preview[group]}
            except NotFound:
                found = set()
            assert found == wanted, sorted(name for name, _, _ in some)
