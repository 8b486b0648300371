"""What docs/erasing.md promises about a person who is forgotten and whose records are still there, and about age."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flow_stage import ONE_DAY, Pair, Stage, person_policy
from test_forgetting import CANARY, CREATE, FIELDS, asked, entity, files, known, live, night

from agent.changes import ReviewRequest
from agent.errors import NotFound, UsageError
from agent.forgetting import ageing, forgetting
from agent.ledger.erasure import TOO_OLD
from agent.orders.forgetting import forget_result
from agent.reports.timeline import timeline

__all__ = ["known", "live"]

LATER = "Zenobia, Queen of a later day"


def in_files_of(stage: Stage, name: str, words: str) -> bool:
    return any(words.encode() in path.read_bytes() for path in Path(stage.config.state).glob(f"{name}.db*"))


class TestRecordsThatAreStillThere:
    def test_what_changes_there_later_becomes_no_history(self, live: Stage, known: Pair) -> None:
        live.order("forget", record=str(known.hub))
        live.edit(known.contact, Title=LATER)
        live.advance(700)
        live.cycle()
        assert in_files_of(live, "mirror", LATER), "our copy stays what the CRM shows"
        live.edit(known.contact, Title="Baroness")
        live.advance(700)
        live.cycle()
        assert LATER.encode() not in files(live)
        assert [each.value for each in live.installation.mirror.history(known.contact, "Title")] == ["Baroness"]

    def test_once_they_are_deleted_there_our_copy_goes_with_the_first_cycle(self, live: Stage, known: Pair) -> None:
        live.order("forget", record=str(known.hub))
        live.edit(known.contact, Title=LATER)
        live.delete(known.contact)
        live.delete(known.hub)
        night(live)
        assert LATER.encode() not in files(live)
        assert b"Countess" not in files(live)

    def test_no_question_is_asked_about_them_but_whether_they_stay(self, live: Stage, known: Pair) -> None:
        live.order("forget", record=str(known.hub))
        live.edit(known.contact, Title=LATER, LastName="Byron")
        night(live)
        kinds = {review.kind for review in live.installation.reviews.list()}
        assert kinds <= {"erased"}
        assert all(LATER not in review.sentence for review in live.installation.reviews.list())

    def test_erased_there_too_the_question_goes_by_itself(self, live: Stage, known: Pair) -> None:
        live.order("forget", record=str(known.hub))
        assert set(asked(live, "erased").refs) == {known.hub, known.contact}
        live.erase_for_good(known.hub)
        live.delete(known.contact)
        night(live)
        night(live)
        assert live.installation.reviews.list(kind="erased") == []

    def test_erased_on_both_sides_in_one_night_nothing_is_asked(self, live: Stage, known: Pair) -> None:
        live.erase_for_good(known.hub)
        live.delete(known.contact)
        night(live)
        assert live.installation.reviews.list(kind="erased") == []
        assert CANARY.encode() not in files(live)


class TestWhoIsMeant:
    def test_looking_forgets_nothing(self, live: Stage, known: Pair) -> None:
        shown = forget_result(forgetting.find(live.installation, str(known.hub)))
        assert (shown["entries"] > 0, shown["was_forgotten"]) == (True, False)
        assert CANARY.encode() in files(live)

    @pytest.mark.parametrize("by", ["reference", "id", "e-mail", "pair"])
    def test_a_person_is_named_in_four_ways(self, live: Stage, known: Pair, by: str) -> None:
        names = {
            "reference": str(known.contact),
            "id": known.contact.id,
            "e-mail": "p1@acme.example",
            "pair": entity(live, known.hub),
        }
        assert live.order("forget", record=names[by])["forgotten"]
        assert CANARY.encode() not in files(live)

    def test_one_that_is_gone_is_named_by_its_reference(self, live: Stage, known: Pair) -> None:
        live.delete(known.contact)
        live.delete(known.hub)
        night(live)
        with pytest.raises((NotFound, UsageError)):
            live.order("forget", record="p1@acme.example")
        live.order("forget", record=str(known.hub))
        assert CANARY.encode() not in files(live)


class TestByAge:
    @pytest.fixture
    def old(self, live: Stage, known: Pair) -> Pair:
        """A person about whom a question is open."""
        reviews = live.installation.reviews
        about = entity(live, known.hub)
        reviews.open_or_refresh([ReviewRequest("conflict", about, "conflict:job_title", CANARY, (known.contact,))])
        return known

    def later(self, stage: Stage, days: int) -> None:
        stage.advance(days * ONE_DAY)
        ageing.let_go(stage.installation)

    def test_replaced_values_leave_the_mirror_with_those_of_the_ledger(self, live: Stage, known: Pair) -> None:
        self.later(live, 179)
        assert in_files_of(live, "mirror", CANARY)
        self.later(live, 2)
        live.cycle()
        assert CANARY.encode() not in files(live)
        (before, after) = live.installation.mirror.history(known.contact, "Title")
        assert (before.value, before.erased, after.value, after.erased) == (None, True, "Countess", False)
        assert after.first_seen > before.first_seen, "when it changed is known still"

    def test_the_timeline_says_that_values_are_gone(self, live: Stage, known: Pair) -> None:
        self.later(live, 181)
        moments = timeline(live.installation, str(known.contact)).moments
        said = [each for each in moments if each.field == "job_title"]
        assert any(each.what == "changed, values erased" and not each.is_value for each in said)

    def test_what_the_crms_still_show_stays(self, live: Stage, known: Pair) -> None:
        self.later(live, 400)
        live.cycle()
        copy = live.installation.mirror.record(known.contact)
        assert copy is not None
        assert copy.fields["Title"] == "Countess"

    def test_our_copy_of_a_deleted_record_goes(self, live: Stage, known: Pair) -> None:
        live.delete(known.contact)
        live.delete(known.hub)
        night(live)
        assert in_files_of(live, "mirror", "Countess")
        self.later(live, 181)
        assert not in_files_of(live, "mirror", "Countess")
        assert live.installation.mirror.is_deleted(known.contact)
        assert CANARY.encode() not in files(live)

    def test_an_open_question_loses_its_words_and_stays_open(self, live: Stage, old: Pair) -> None:
        self.later(live, 181)
        question = asked(live, "conflict")
        assert (question.state, question.sentence) == ("open", TOO_OLD)
        assert CANARY.encode() not in files(live)

    def test_a_question_that_is_asked_again_has_todays_words(self, live: Stage) -> None:
        wins = "hubspot: jobtitle, wins: "
        live.write_policies(
            person=person_policy(fields=FIELDS.replace(f"{wins}salesforce", f"{wins}ask"), create=CREATE)
        )
        there = {"lastname": "Lovelace", "jobtitle": "Baroness"}
        pair = live.pair({"LastName": "Lovelace", "Title": "Countess"}, there)
        live.cycle()
        [question] = live.installation.reviews.list()
        words = question.sentence
        assert "Countess" in words
        self.later(live, 181)
        assert live.installation.reviews.find(question.id).sentence == TOO_OLD
        live.cycle()
        again = live.installation.reviews.find(question.id)
        assert (again.state, again.sentence) == ("open", words)
        assert again.refreshed_at > question.refreshed_at + timedelta(days=180)
        assert live.value(pair.hub, "jobtitle") == "Baroness"


OPT_OUT = "  opted_out: {salesforce: HasOptedOutOfEmail, hubspot: hs_email_optout, wins: opt-out}\n"


def test_an_opt_out_still_reaches_every_record_with_the_address(stage: Stage) -> None:
    stage.write_policies(person=person_policy(fields=FIELDS + OPT_OUT))
    stage.go_live()
    pair = stage.pair({"LastName": "Lovelace", "Title": "Countess"}, {"lastname": "Lovelace"})
    stage.cycle()
    stage.order("forget", record=str(pair.hub))
    stage.edit(pair.hub, hs_email_optout="true")
    stage.advance(700)
    stage.cycle()
    assert stage.value(pair.contact, "HasOptedOutOfEmail") is True
