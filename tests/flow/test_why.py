"""Why a field has its value, from the source change to the read-back; and why nothing happened."""

from __future__ import annotations

import pytest
from flow_stage import ANNA, BEN, FIELDS, STAGES, Stage, limits_policy, person_policy

from agent.cli.why import show
from agent.errors import NotFound
from agent.reports import explain
from agent.reports.explain import Story
from agent.reports.spoken import Spoken


def why(stage: Stage, field: str = "job_title", record: str = "p1@acme.example") -> Story:
    (story,) = explain.why(stage.installation, record, field)
    return story


def today(story: Story) -> list[tuple[str, str]]:
    """(disposition, sentence) of what deciding says now."""
    return [(step.disposition, step.sentence) for step in story.decision]


class TestWritten:
    def test_a_written_field_is_traced_to_the_line_the_batch_and_the_people(self, stage: Stage) -> None:
        ada = stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        done = stage.apply(actor=BEN)
        story = why(stage)
        (write,) = story.writes
        assert (write.before, write.after, write.observed) == ("Boss", "CEO", "CEO")
        assert (write.batch.id, write.batch.actor, write.entry.state) == (done["batch"], BEN, "confirmed")
        assert (write.policy, write.editor, write.line) == ("person-basics", ANNA, "person.yaml:15")
        assert write.sentence == "Salesforce wins job_title and has “CEO”; HubSpot had “Boss”"
        assert story.now == {"salesforce": "CEO", "hubspot": "CEO"}
        assert set(story.refs) == {ada.contact, ada.hub}

    def test_the_line_is_the_one_in_the_file(self, stage: Stage) -> None:
        stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        stage.apply()
        file, _, number = why(stage).writes[0].line.partition(":")
        text = (stage.folder / "policies" / file).read_text(encoding="utf-8").splitlines()
        assert text[int(number) - 1].strip().startswith("job_title:")

    def test_all_writes_are_told_newest_first_undo_included(self, stage: Stage) -> None:
        ada = stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        first = stage.apply()["batch"]
        stage.edit(ada.contact, Title="CFO")
        stage.advance(700)
        second = stage.apply()["batch"]
        stage.advance(700)
        undo = stage.rollback(second)["batch"]
        story = why(stage)
        assert [write.batch.id for write in story.writes] == [undo, second, first]
        assert story.writes[0].sentence == f"undo of {second} (person-basics)"
        (freeze,) = story.freezes
        assert (freeze.kind, freeze.reason) == ("rollback", f"undone with {second}")
        assert [disposition for disposition, _ in today(story)] == ["quiet"]
        stage.edit(ada.contact, Title="COO")
        stage.plan()
        ((disposition, sentence),) = today(why(stage))
        assert disposition == "frozen"
        assert sentence.startswith(f"undone with {second}; otherwise: Salesforce wins job_title")

    def test_the_values_seen_over_time_are_told(self, stage: Stage) -> None:
        ada = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
        stage.agree()
        stage.edit(ada.contact, Title="CFO")
        stage.plan()
        seen = [(ref.system, each.value) for ref, each in why(stage).seen]
        assert seen == [("salesforce", "CEO"), ("salesforce", "CFO"), ("hubspot", "CEO")]

    def test_who_approved_is_told(self, stage: Stage) -> None:
        stage.write_policies(person=person_policy(mode="ask"))
        stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        (batch,) = stage.cycle()["held"]
        stage.approve(batch, BEN)
        assert why(stage).writes[0].approved_by == (BEN,)


class TestNothingHappened:
    def test_it_agrees(self, stage: Stage) -> None:
        stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
        stage.plan()
        assert today(why(stage)) == [("equal", "both sides say the same")]

    def test_it_waits_for_a_person(self, stage: Stage) -> None:
        stage.write_policies(person=person_policy(mode="ask"))
        stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        (batch,) = stage.cycle()["held"]
        story = why(stage)
        (write,) = story.writes
        assert (write.entry.state, write.batch.id) == ("held", batch)
        assert write.batch.hold_reason == "person-basics asks before it writes"
        (judged,) = story.judged
        assert (judged.verdict.decision, judged.verdict.sentence) == ("hold", "person-basics asks before it writes")

    def test_a_limit_holds_it(self, stage: Stage) -> None:
        stage.write_policies(limits=limits_policy(batch="{records: 0}"))
        stage.go_live()
        stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        stage.cycle()
        assert why(stage).writes[0].batch.hold_reason == (
            "person-basics would change 1 records at once, the limit is 0"
        )

    def test_the_policy_only_watches_or_is_paused(self, stage: Stage) -> None:
        stage.go_live()
        stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        stage.plan()
        stage.order("pause", policy="person-basics")
        (judged,) = why(stage).judged
        assert (judged.verdict.decision, judged.verdict.sentence) == ("refuse", "person-basics is paused")

    def test_the_first_false_condition_is_named(self, stage: Stage) -> None:
        create = "{hubspot: {from: [Contact], when: [city is filled, job_title is CEO]}}"
        stage.write_policies(person=person_policy(create=create))
        stage.make_contact(Email="new@acme.example", Title="CFO", MailingCity="Bonn")
        stage.advance(60)
        stage.plan()
        ((disposition, sentence),) = today(why(stage, "create", "new@acme.example"))
        assert disposition == "nothing"
        assert sentence == 'not created in HubSpot: `job_title is CEO` is not met: job_title is "CFO"'

    def test_an_exception_of_the_policy_is_named(self, stage: Stage) -> None:
        text = person_policy().replace("defines:", "unless: [city is Bonn]\ndefines:")
        stage.write_policies(person=text)
        stage.pair({"Title": "CEO", "MailingCity": "Bonn"}, {"jobtitle": "Boss", "city": "Bonn"})
        stage.plan()
        assert today(why(stage)) == [("skipped", "person-basics does not apply: its “unless” holds")]

    def test_a_move_that_is_not_listed_is_named(self, stage: Stage) -> None:
        stage.write_policies(stages=STAGES.replace("  - {to: Customer}\n", ""))
        stage.pair({"Customer_Stage__c": "Customer"}, {"lifecyclestage": "lead"})
        stage.plan()
        dispositions = [disposition for disposition, _ in today(why(stage, "lifecycle"))]
        assert "refused" in dispositions

    def test_what_the_vendor_refused_is_told(self, stage: Stage) -> None:
        stage.pair({"Title": "CEO", "Phone": "1"}, {"jobtitle": "CEO", "phone": "9" * 60})
        stage.apply()
        (write,) = why(stage, "phone").writes
        assert write.entry.state == "failed"
        assert write.entry.error

    def test_a_blank_never_overwrites(self, stage: Stage) -> None:
        stage.pair({}, {"phone": ""})
        stage.pair({"Phone": "1"}, {})
        stage.plan()
        ((disposition, sentence),) = today(why(stage, "phone", "p2@acme.example"))
        assert (disposition, sentence) == (
            "skipped", "HubSpot wins phone and is blank; a blank never overwrites a value",
        )  # fmt: skip

    def test_an_owner_is_explained_without_asking_the_vendor_again(self, stage: Stage) -> None:
        ada = stage.pair({})
        stage.agree()
        stage.edit(ada.contact, OwnerId=stage.owner("salesforce", "ben"))
        stage.plan()
        stage.close()
        with stage.started_reading() as reader:
            (story,) = explain.why(reader, "p1@acme.example", "owner")
        assert [step.disposition for step in story.decision] == ["write"]

    def test_a_record_nobody_could_pair_is_answered_with_the_question(self, stage: Stage) -> None:
        stage.make_contact(Email="twin@acme.example")
        stage.make_contact(Email="twin@acme.example")
        stage.make_hub(email="twin@acme.example")
        stage.advance(60)
        stage.plan()
        with pytest.raises(NotFound) as refused:
            why(stage, record="twin@acme.example")
        assert "not paired" in refused.value.what
        assert "more than one record answers" in refused.value.why
        assert refused.value.next_step.startswith("truce review R-")

    def test_a_name_nobody_knows_is_refused_with_what_is_known(self, stage: Stage) -> None:
        stage.pair({})
        stage.plan()
        with pytest.raises(NotFound, match="no record answers"):
            why(stage, record="nobody@acme.example")
        with pytest.raises(NotFound, match="no policy names a field salary") as refused:
            why(stage, "salary")
        assert "job_title" in refused.value.why

    def test_a_question_that_stands_is_shown(self, stage: Stage) -> None:
        fields = FIELDS.replace("hubspot: jobtitle, wins: salesforce unless blank", "hubspot: jobtitle, wins: ask")
        stage.write_policies(person=person_policy(fields=fields))
        stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        stage.plan()
        story = why(stage)
        assert [disposition for disposition, _ in today(story)] == ["ask"]
        assert [question.kind for question in story.questions] == ["conflict"]


def test_before_a_policy_named_a_field_it_was_not_read_which_is_not_blank(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = stage.pair({"Department": "Sales"}, {"industry": "Ops"})
    stage.go_live()
    stage.cycle()
    more = "  department: {salesforce: {Lead: Industry, Contact: Department}, hubspot: industry, wins: salesforce}\n"
    stage.write_policies(person=person_policy(fields=FIELDS + more))
    stage.advance(60)
    stage.cycle()
    show(why(stage, "department", str(pair.hub)), Spoken(stage.installation), stage.installation.zone, detailed=True)
    said = capsys.readouterr().out
    assert "hubspot  not read by Truce" in said
    assert "hubspot  “Ops”" in said
    assert "(blank)" not in said
