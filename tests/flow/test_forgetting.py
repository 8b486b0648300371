"""Somebody asks to be forgotten, in a CRM or by ``truce forget``: their values leave Truce and never come back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flow_stage import ANNA, ONE_DAY, Pair, Stage, person_policy

from agent import cycle
from agent.changes import ReviewRequest
from agent.errors import ApprovalNeeded, NotFound, PlanStale, UsageError
from agent.forgetting import ageing
from agent.ledger.backup import back_up
from agent.records import Ref
from agent.reports.digest import digest
from agent.reports.explain import why
from agent.reports.timeline import timeline
from agent.reviews.reviews import Review
from agent.wiring.opening import look_at_ledger

FIELDS = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  last_name: {salesforce: LastName, hubspot: lastname, wins: salesforce}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce}
"""
CREATE = "{hubspot: {from: [Contact]}}"
CANARY = "Xanthippe Quux, Keeper of Secrets"


@pytest.fixture
def live(stage: Stage) -> Stage:
    stage.write_policies(person=person_policy(fields=FIELDS, create=CREATE))
    stage.go_live()
    return stage


@pytest.fixture
def known(live: Stage) -> Pair:
    """One person in both CRMs, with a title that Truce wrote and that is history by now."""
    pair = live.pair({"LastName": "Lovelace", "Title": CANARY}, {"lastname": "Lovelace"})
    live.cycle()
    assert live.value(pair.hub, "jobtitle") == CANARY
    live.edit(pair.contact, Title="Countess")
    live.advance(700)
    live.cycle()
    assert live.value(pair.hub, "jobtitle") == "Countess"
    return pair


def night(stage: Stage) -> None:
    """The daily comparison, and the cycle after it."""
    stage.advance(ONE_DAY)
    cycle.pull_all(stage.installation, sweep=True)
    stage.cycle()


def asked(stage: Stage, kind: str) -> Review:
    (review,) = stage.installation.reviews.list(kind=kind)
    return review


def answer(stage: Stage, kind: str, words: str) -> str:
    return str(stage.order("review", review=asked(stage, kind).id, answer=words)["done"])


def files(stage: Stage) -> bytes:
    """Everything Truce keeps on the disk: both databases with their logs, and a backup made now."""
    stage.advance(1)  # a copy is named after its second
    copy = back_up(stage.installation.ledger, stage.folder / "copies", stage.clock.now(), look_at_ledger)
    kept = [path for path in Path(stage.config.state).iterdir() if path.is_file()]
    return b"".join(path.read_bytes() for path in [*kept, copy.path])


def entity(stage: Stage, ref: Ref) -> str:
    return str(stage.installation.crosswalk.entity_of(ref))


def hub_count(stage: Stage) -> int:
    return len(stage.ids("hubspot", "contacts"))


class TestErasedInHubSpot:
    def test_its_values_leave_the_ledger_the_mirror_and_a_fresh_backup(self, live: Stage, known: Pair) -> None:
        assert CANARY.encode() in files(live)
        live.erase_for_good(known.hub)
        night(live)
        assert CANARY.encode() not in files(live)
        assert live.installation.mirror.erased.has(known.hub)
        checked = live.installation.ledger.verify()
        assert checked.ok, checked.message
        entries = live.installation.ledger.entries(entity_id=entity(live, known.hub))
        assert entries
        assert all(entry.erased for entry in entries)
        assert {cell.field for entry in entries for cell in entry.change.cells} == {"job_title"}, (
            "what was written stays"
        )

    def test_the_counterpart_becomes_a_question_for_a_person(self, live: Stage, known: Pair) -> None:
        live.erase_for_good(known.hub)
        night(live)
        question = asked(live, "erased")
        assert question.refs == (known.hub,)
        assert str(known.contact) in question.sentence
        assert live.installation.reviews.list(kind="lost") == []
        assert not live.is_deleted(known.contact), "Truce erases nobody in a CRM"
        assert "Xanthippe" not in question.sentence

    def test_today_and_the_timeline_say_so(self, live: Stage, known: Pair) -> None:
        live.erase_for_good(known.hub)
        since = live.clock.now()
        night(live)
        found = digest(live.installation, since)
        assert (found.forgotten, found.questions) == (1, {"erased": 1})
        said = [moment.what for moment in timeline(live.installation, str(known.contact)).moments]
        assert any(what.startswith("forgotten: its values were erased") for what in said)
        assert any("values erased" in what for what in said)
        (story,) = why(live.installation, str(known.contact), "job_title")
        assert "erased on the person's wish" in story.decision[0].sentence
        assert story.writes[0].entry.erased

    def test_nothing_creates_the_person_again(self, live: Stage, known: Pair) -> None:
        address = live.value(known.contact, "Email")
        live.erase_for_good(known.hub)
        night(live)
        live.edit(known.contact, Title="Baroness")
        live.make_contact(Email=str(address).upper(), LastName="Lovelace")
        live.make_contact(Email="new@acme.example", LastName="Byron")
        mark = live.mark()
        for _ in range(3):
            live.advance(700)
            live.cycle()
        assert {line["after"]["email"] for line in live.written(mark) if line["op"] == "create"} == {"new@acme.example"}
        assert hub_count(live) == 1
        live.delete(known.contact)
        live.advance(700)
        live.cycle()
        again = live.make_contact(Email=str(address), LastName="Lovelace")
        live.advance(700)
        live.cycle()
        assert hub_count(live) == 1
        (story,) = why(live.installation, f"salesforce:Contact/{again}", "create")
        assert "erased on their wish" in story.decision[-1].sentence

    def test_nothing_is_written_to_the_counterpart_or_to_a_new_record(self, live: Stage, known: Pair) -> None:
        address = str(live.value(known.contact, "Email"))
        live.erase_for_good(known.hub)
        night(live)
        back = Ref("hubspot", "contacts", live.make_hub(email=address, lastname="Somebody"))
        mark = live.mark()
        for _ in range(2):
            live.advance(700)
            live.cycle()
        assert live.written(mark) == []
        assert live.value(back, "lastname") == "Somebody"

    def test_very_many_at_once_are_asked_about_and_nothing_is_forgotten(
        self, live: Stage, known: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("agent.forgetting.forgetting.MOST_BY_ITSELF", 1)
        other = live.pair({"LastName": "Byron", "Title": "Lord"}, {"lastname": "Byron"})
        live.advance(700)
        live.cycle()
        for pair in (known, other):
            live.erase_for_good(pair.hub)
        since = live.clock.now()
        night(live)
        assert CANARY.encode() in files(live)
        assert {review.refs for review in live.installation.reviews.list(kind="lost")} == {(known.hub,), (other.hub,)}
        (stopped,) = digest(live.installation, since).stopped
        assert stopped.what == "2 records look erased in hubspot at once: each is asked about"
        question = next(each for each in live.installation.reviews.list(kind="lost") if each.refs == (known.hub,))
        live.order("review", review=question.id, answer="forget")
        assert CANARY.encode() not in files(live)

    def test_once_the_counterpart_is_gone_too_its_copy_goes_and_the_question_closes(
        self, live: Stage, known: Pair
    ) -> None:
        address = str(live.value(known.contact, "Email")).encode()
        live.erase_for_good(known.hub)
        night(live)
        assert address in files(live), "the CRM still holds it"
        live.delete(known.contact)
        live.advance(700)
        live.cycle()
        assert address not in files(live)
        assert live.installation.reviews.list() == []
        assert live.installation.ledger.verify().ok
        assert timeline(live.installation, str(known.hub)).moments, "that there was somebody stays"

    def test_a_write_that_meets_nobody_notices_it_before_the_night(self, live: Stage, known: Pair) -> None:
        live.erase_for_good(known.hub)
        live.edit(known.contact, Title="Baroness")
        for _ in range(2):
            live.advance(700)
            live.cycle()
        assert asked(live, "erased").refs == (known.hub,)
        assert live.installation.ledger.verify().ok

    def test_an_archived_contact_was_only_deleted(self, live: Stage, known: Pair) -> None:
        live.delete(known.hub)
        night(live)
        assert asked(live, "lost").refs == (known.hub,)
        assert not live.installation.mirror.erased.has(known.hub)
        assert CANARY.encode() in files(live)

    def test_what_the_bin_would_have_forgotten_by_now_proves_nothing(self, live: Stage, known: Pair) -> None:
        live.erase_for_good(known.hub)
        live.advance(91 * ONE_DAY)
        night(live)
        assert asked(live, "lost").refs == (known.hub,)

    def test_a_daily_comparison_is_when_it_was_last_there(self, live: Stage, known: Pair) -> None:
        live.advance(91 * ONE_DAY)
        night(live)
        live.erase_for_good(known.hub)
        night(live)
        assert asked(live, "erased").refs == (known.hub,)

    def test_somebody_known_in_hubspot_alone_is_forgotten_without_a_question(self, live: Stage) -> None:
        alone = Ref("hubspot", "contacts", live.make_hub(email="alone@acme.example", lastname=CANARY))
        live.cycle()
        live.erase_for_good(alone)
        night(live)
        assert CANARY.encode() not in files(live)
        assert live.installation.reviews.list() == []
        live.make_contact(Email="alone@acme.example", LastName="Lovelace")
        live.advance(700)
        live.cycle()
        assert hub_count(live) == 0

    def test_killed_before_the_ledger_forgot_it_forgets_at_the_next_cycle(
        self, live: Stage, known: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live.erase_for_good(known.hub)
        live.advance(ONE_DAY)
        cycle.pull_all(live.installation, sweep=True)
        live.close()
        live.cycle()
        assert CANARY.encode() not in files(live)
        assert asked(live, "erased").refs == (known.hub,)


class TestAnswers:
    @pytest.fixture
    def erased(self, live: Stage, known: Pair) -> Pair:
        live.erase_for_good(known.hub)
        night(live)
        return known

    def test_keep_leaves_the_counterpart_alone_for_good(self, live: Stage, erased: Pair) -> None:
        assert "stays as it is" in answer(live, "erased", "keep")
        live.edit(erased.contact, Title="Baroness")
        mark = live.mark()
        night(live)
        assert live.written(mark) == []
        assert live.installation.reviews.list() == []

    def test_allow_again_lets_the_policies_go_on(self, live: Stage, erased: Pair) -> None:
        assert "decide again" in answer(live, "erased", "allow again")
        live.cycle()
        assert hub_count(live) == 1
        assert CANARY.encode() not in files(live), "what was forgotten stays so"
        assert live.installation.ledger.verify().ok

    def test_what_its_counterpart_answers_nobody_else_may(self, live: Stage, erased: Pair) -> None:
        with pytest.raises(UsageError, match="has no answer"):
            answer(live, "erased", "create again")


class TestUndo:
    def test_an_erased_value_says_why_it_cannot_come_back(self, live: Stage, known: Pair) -> None:
        batches = [batch.id for batch in live.installation.ledger.batches()]
        live.erase_for_good(known.hub)
        night(live)
        preview = live.preview(*batches)
        assert preview["fates"] == {"expired: its values were erased": 1}
        assert {item["field"] for item in preview["left"]} == {"job_title"}
        assert "truce had it forgotten on" in preview["left"][0]["note"]
        mark = live.mark()
        done = live.rollback(*batches)
        assert (done["restore"], done["blocked"], live.written(mark)) == (0, 1, [])

    def test_no_undo_brings_a_forgotten_person_back_from_the_bin(self, live: Stage) -> None:
        fields = FIELDS.replace("lastname, wins: salesforce", "lastname, wins: hubspot")
        live.write_policies(person=person_policy(fields=fields, create="{salesforce: {as: Contact, from: [contacts]}}"))
        live.make_hub(email="made@acme.example", lastname="Byron")
        live.advance(200)
        made = str(live.apply()["batch"])
        live.advance(700)
        undone = str(live.rollback(made)["batch"])
        [contact] = [entry.record_id for entry in live.installation.ledger.entries(batch_id=made)]
        live.order("forget", record=f"salesforce:Contact/{contact}")
        preview = live.preview(undone)
        assert list(preview["fates"]) == ["expired: its values were erased"]
        assert "no undo brings them back" in preview["left"][0]["note"]
        live.rollback(undone)
        assert live.ids("salesforce", "Contact") == []


def in_ledger(stage: Stage) -> bool:
    return any(CANARY.encode() in path.read_bytes() for path in Path(stage.config.state).glob("ledger.db*"))


class TestByAge:
    """``run.keep_values_days``: values leave the ledger some time after the write, whoever they are about."""

    def days_later(self, stage: Stage, days: int) -> int:
        stage.advance(days * ONE_DAY)
        return ageing.let_go(stage.installation)

    def test_values_are_kept_as_long_as_the_config_says_and_no_longer(self, live: Stage, known: Pair) -> None:
        assert self.days_later(live, 179) == 0
        assert in_ledger(live)
        assert self.days_later(live, 2) == 2
        live.cycle()
        assert not in_ledger(live)
        verification = live.installation.ledger.verify()
        assert (verification.ok, verification.erased > 0) == (True, True)
        assert self.days_later(live, 1) == 0, "nothing is erased twice"

    def test_what_was_written_when_and_why_stays(self, live: Stage, known: Pair) -> None:
        self.days_later(live, 181)
        entries = live.installation.ledger.entries(ref=known.hub)
        assert [(cell.field, cell.before, cell.after) for entry in entries for cell in entry.change.cells] == [
            ("job_title", None, None),
            ("job_title", None, None),
        ]
        assert all(cell.why.line for entry in entries for cell in entry.change.cells)

    def test_a_preview_says_until_when_and_afterwards_why_not(self, live: Stage, known: Pair) -> None:
        batch = live.installation.ledger.batches()[0]
        assert batch.closed_at is not None
        preview = live.preview(batch.id)
        assert preview["values_until"] == (batch.closed_at + timedelta(days=180)).isoformat()
        self.days_later(live, 181)
        preview = live.preview(batch.id)
        assert (preview["fates"], preview["values_until"]) == ({"expired: its values were erased": 1}, None)
        assert "values are kept for a time only" in preview["left"][0]["note"]
        mark = live.mark()
        live.rollback(batch.id)
        assert live.written(mark) == []

    def test_an_old_plan_and_an_old_question_hold_no_values_either(self, live: Stage) -> None:
        live.pair({"LastName": CANARY}, {"lastname": "Lovelace"})
        live.plan()
        reviews = live.installation.reviews
        reviews.open_or_refresh([ReviewRequest("conflict", "person-1", "conflict:job_title", CANARY, ())])
        reviews.close("person-1", "conflict:job_title")
        store = live.installation.ledger.store
        for table in ("plans", "reviews"):
            assert any(CANARY in str(row) for row in store.read_tuples(f"SELECT * FROM {table}")), table
        self.days_later(live, 200)
        assert not in_ledger(live)

    def test_null_keeps_them_for_good(self, live: Stage, known: Pair) -> None:
        run = live.config.run.model_copy(update={"keep_values_days": None})
        live.installation.config = live.config.model_copy(update={"run": run})
        assert self.days_later(live, 4000) == 0
        batch = live.installation.ledger.batches()[0]
        assert live.preview(batch.id)["values_until"] is None


class TestErasedInSalesforce:
    """Gone from the bin, or not shared with us any more: both look alike, so a person has to say."""

    def test_it_is_no_erasure_until_a_person_says_so(self, live: Stage, known: Pair) -> None:
        live.erase_for_good(known.contact)
        night(live)
        assert asked(live, "lost").refs == (known.contact,)
        assert CANARY.encode() in files(live)
        assert "forgotten" in answer(live, "lost", "forget")
        assert CANARY.encode() not in files(live)
        mark = live.mark()
        night(live)
        assert live.written(mark) == []
        assert live.installation.ledger.verify().ok


class TestTheOrder:
    def test_it_forgets_one_person_and_no_other(self, live: Stage, known: Pair) -> None:
        other = live.pair({"LastName": "Byron", "Title": "Poet"}, {"lastname": "Byron"})
        live.cycle()
        live.edit(other.contact, Title="Lord")
        live.advance(700)
        live.cycle()
        done = live.order("forget", record=str(live.value(known.contact, "Email")))
        assert (done["forgotten"], done["by"], done["kind"], done["entries"]) == (True, ANNA, "person", 2)
        assert [each["still_there"] for each in done["records"]] == [True, True]
        kept = files(live)
        assert CANARY.encode() not in kept
        assert b"Poet" in kept
        assert live.installation.ledger.verify().ok

    def test_from_then_on_nothing_is_written_to_them(self, live: Stage, known: Pair) -> None:
        live.order("forget", record=str(known.hub))
        live.edit(known.contact, Title="Baroness")
        mark = live.mark()
        night(live)
        assert live.written(mark) == []

    def test_who_is_taken_up_again_is_written_again(self, live: Stage, known: Pair) -> None:
        live.order("forget", record=str(known.hub))
        assert asked(live, "erased").refs == (known.contact, known.hub)
        answer(live, "erased", "allow again")
        live.edit(known.contact, Title="Baroness")
        live.advance(700)
        live.cycle()
        assert live.value(known.hub, "jobtitle") == "Baroness"
        assert live.installation.reviews.list() == []
        assert CANARY.encode() not in files(live)

    def test_what_waits_is_not_written_any_more(self, live: Stage) -> None:
        live.write_policies(person=person_policy(fields=FIELDS, mode="ask"))
        pair = live.pair({"LastName": "Lovelace", "Title": CANARY}, {"lastname": "Lovelace"})
        (held,) = live.cycle()["held"]
        plan = live.plan()
        done = live.order("forget", record=str(pair.hub))
        assert done["waiting"] == 1
        assert live.installation.ledger.batch(held).state == "expired"
        with pytest.raises(PlanStale):
            live.apply(plan)
        assert live.value(pair.hub, "jobtitle") is None
        live.delete(pair.hub)
        live.delete(pair.contact)
        night(live)
        assert CANARY.encode() not in files(live)

    def test_what_people_said_of_somebody_goes_too_and_the_chain_holds(self, live: Stage, known: Pair) -> None:
        live.order("freeze", record=str(known.hub), field="job_title", reason="she told me that she left")
        live.order("forget", record=str(known.hub))
        assert b"she told me" not in files(live)
        assert live.installation.ledger.verify().ok
        assert "frozen" in [event.kind for event in live.installation.ledger.events(subject=entity(live, known.hub))]

    def test_twice_is_as_good_as_once(self, live: Stage, known: Pair) -> None:
        live.order("forget", record=str(known.hub))
        again = live.order("forget", record=entity(live, known.hub))
        assert (again["was_forgotten"], again["entries"]) == (True, 0)
        assert live.installation.ledger.verify().ok

    def test_a_write_that_is_not_settled_yet_is_settled_first(self, live: Stage, known: Pair) -> None:
        live.edit(known.contact, Title="Baroness")
        live.admin.fault(system="hubspot", method="POST", route="*/batch/update", action="drop_before")
        live.advance(700)
        assert live.cycle()["unknown"] == 1
        with pytest.raises(UsageError, match="not settled yet"):
            live.order("forget", record=str(known.hub))
        live.advance(700)
        live.cycle()
        assert live.order("forget", record=str(known.hub))["forgotten"]

    def test_it_wants_a_person_who_is_known(self, live: Stage, known: Pair) -> None:
        with pytest.raises(ApprovalNeeded):
            live.order("forget", actor="nobody", record=str(known.hub))

    def test_nobody_answers_to_it(self, live: Stage) -> None:
        with pytest.raises(NotFound):
            live.order("forget", record="nobody@acme.example")
