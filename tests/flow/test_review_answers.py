"""An answer does what it says: a lost record stays out, is made again, or gets another one; a converted one moves."""

from __future__ import annotations

import pytest
from flow_stage import Pair, Stage, person_policy

from agent.errors import UsageError
from agent.records import Ref
from agent.reviews.reviews import Review

FIELDS = """\
  email:     {salesforce: Email, hubspot: email, wins: hubspot, clean: email}
  last_name: {salesforce: LastName, hubspot: lastname, wins: hubspot}
  company:   {salesforce: {Lead: Company}, hubspot: company, wins: hubspot}
"""
CREATE = "{salesforce: {as: Contact}}"


def question(stage: Stage, kind: str) -> Review:
    (review,) = stage.installation.reviews.list(kind=kind)
    return review


def answered(stage: Stage, kind: str, answer: str) -> str:
    return str(stage.order("review", review=question(stage, kind).id, answer=answer)["done"])


def partner_of(stage: Stage, ref: Ref) -> Ref | None:
    crosswalk = stage.installation.crosswalk
    entity_id = crosswalk.entity_of(ref)
    links = crosswalk.members([entity_id])[entity_id] if entity_id else []
    return next(
        (
            link.ref
            for link in links
            if link.ref.system != ref.system and link.role == "active" and link.state == "linked"
        ),
        None,
    )


class TestLost:
    @pytest.fixture
    def lost(self, stage: Stage) -> Pair:
        """The Contact of a pair was deleted; Truce has asked."""
        stage.write_policies(person=person_policy(fields=FIELDS, create=CREATE))
        stage.go_live()
        pair = stage.pair({"LastName": "Lovelace"}, {"lastname": "Lovelace", "company": "Engines"})
        stage.cycle()
        stage.delete(pair.contact)
        stage.advance(700)
        stage.cycle()
        assert question(stage, "lost").refs == (pair.contact,)
        return pair

    def test_keep_creates_nothing_now_or_later(self, lost: Pair, stage: Stage) -> None:
        answered(stage, "lost", "keep")
        mark = stage.mark()
        stage.edit(lost.hub, lastname="King")
        stage.cycle()
        assert stage.written(mark) == []
        assert stage.installation.reviews.list(kind="lost") == []

    def test_create_again_makes_one_new_record_for_the_same_person(self, lost: Pair, stage: Stage) -> None:
        assert "decides again" in answered(stage, "lost", "create again")
        mark = stage.mark()
        stage.cycle()
        stage.advance(700)
        stage.cycle()
        made = [line for line in stage.written(mark) if line["op"] == "create"]
        assert [line["object"] for line in made] == ["Contact"]
        assert partner_of(stage, lost.hub) == Ref("salesforce", "Contact", made[0]["id"])
        assert stage.is_deleted(lost.contact)

    def test_create_again_waits_for_approval_where_the_policy_asks(self, lost: Pair, stage: Stage) -> None:
        stage.write_policies(person=person_policy(mode="ask", fields=FIELDS, create=CREATE))
        answered(stage, "lost", "create again")
        mark = stage.mark()
        (held,) = stage.cycle()["held"]
        assert stage.written(mark) == []
        assert stage.approve(held)["written"] == 1

    def test_create_again_is_refused_where_no_policy_creates(self, lost: Pair, stage: Stage) -> None:
        stage.write_policies(person=person_policy(fields=FIELDS))
        with pytest.raises(UsageError, match="no policy creates a person in salesforce"):
            answered(stage, "lost", "create again")
        assert question(stage, "lost").state == "open"

    def test_relink_pairs_what_is_left_with_the_record_named(self, lost: Pair, stage: Stage) -> None:
        other = Ref("salesforce", "Contact", stage.make_contact(LastName="Elsewhere", Email="ada@home.example"))
        stage.advance(60)
        stage.cycle()
        answered(stage, "lost", f"relink {other}")
        assert partner_of(stage, lost.hub) == other
        stage.cycle()
        stage.advance(700)
        stage.cycle()
        assert stage.value(other, "LastName") == "Lovelace"

    def test_an_answer_that_means_nothing_is_refused_and_the_question_stays(self, lost: Pair, stage: Stage) -> None:
        with pytest.raises(UsageError) as refused:
            answered(stage, "lost", "keep both")
        assert refused.value.why == "it can be keep, create again, relink RECORD, forget"
        assert question(stage, "lost").state == "open"

    def test_a_record_out_of_the_bin_takes_its_place_again(self, lost: Pair, stage: Stage) -> None:
        stage.write_policies(person=person_policy(mode="ask", fields=FIELDS, create=CREATE))
        answered(stage, "lost", "create again")
        stage.admin.post("/undelete", system="salesforce", object="Contact", id=lost.salesforce)
        stage.advance(700)
        stage.cycle()
        assert partner_of(stage, lost.hub) == lost.contact


class TestConverted:
    @pytest.fixture
    def converted(self, stage: Stage) -> tuple[Ref, Ref, Ref, Ref]:
        """(Lead, its HubSpot contact, the Contact it became, that one's HubSpot contact)."""
        stage.write_policies(person=person_policy(fields=FIELDS))
        stage.go_live()
        taken = stage.pair({"LastName": "Byron"}, {"lastname": "Byron"})
        lead = Ref("salesforce", "Lead", stage.make_lead(Email="ada@acme.example"))
        hub = Ref("hubspot", "contacts", stage.make_hub(email="ada@acme.example", lastname="Lovelace"))
        stage.advance(60)
        stage.cycle()
        stage.admin.post("/convert", system="salesforce", id=lead.id, contact_id=taken.salesforce)
        stage.advance(700)
        stage.cycle()
        assert question(stage, "converted").refs == (lead, taken.contact)
        return lead, hub, taken.contact, taken.hub

    def test_keep_leaves_both_as_they_are(self, converted: tuple[Ref, Ref, Ref, Ref], stage: Stage) -> None:
        _, hub, contact, taken = converted
        answered(stage, "converted", "keep")
        mark = stage.mark()
        stage.edit(hub, lastname="King")
        stage.cycle()
        assert (partner_of(stage, contact), partner_of(stage, hub)) == (taken, None)
        assert stage.written(mark) == []

    def test_take_over_pairs_the_contact_with_the_leads_counterpart(
        self, converted: tuple[Ref, Ref, Ref, Ref], stage: Stage
    ) -> None:
        _, hub, contact, taken = converted
        answered(stage, "converted", "take over")
        assert (partner_of(stage, hub), partner_of(stage, taken)) == (contact, None)
        for _ in range(2):
            stage.cycle()
            stage.advance(700)
        assert partner_of(stage, hub) == contact
        assert stage.value(contact, "LastName") == "Lovelace"


class TestMany:
    def test_one_answer_counts_for_exactly_the_questions_shown(self, stage: Stage) -> None:
        stage.write_policies(person=person_policy(fields=FIELDS, create=CREATE))
        stage.go_live()
        pairs = stage.pairs(2, {"LastName": "Lovelace"}, {"lastname": "Lovelace"})
        stage.cycle()
        for pair in pairs:
            stage.delete(pair.contact)
        stage.advance(700)
        stage.cycle()
        with pytest.raises(UsageError, match="open there: 2 questions, not 3"):
            stage.order("review-many", about="lost", line="", count=3, answer="keep")
        result = stage.order("review-many", about="lost", line="", count=2, answer="keep")
        assert result["answered"] == 2
        assert stage.installation.reviews.list() == []
