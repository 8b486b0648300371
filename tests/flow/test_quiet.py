"""What must write nothing: our own echo, a bumped stamp, a vendor's rewriting; and a fight ends by itself."""

from __future__ import annotations

import random

import pytest
from flow_stage import FIELDS, ONE_DAY, Pair, Stage, person_policy

from agent.errors import NotFound


@pytest.fixture
def live(stage: Stage) -> Stage:
    stage.go_live()
    return stage


def quiet_cycles(stage: Stage, count: int = 3) -> None:
    mark = stage.mark()
    for _ in range(count):
        stage.cycle()
        stage.advance(130)
    assert stage.written(mark) == []


def test_our_own_echo_is_recognised_and_writes_nothing(live: Stage) -> None:
    live.pair({"Title": "CEO", "Phone": "1"}, {"jobtitle": "Boss", "phone": "2"})
    assert live.cycle()["written"] == 2
    quiet_cycles(live)


def test_the_echo_of_a_plan_is_no_news_either(live: Stage) -> None:
    live.pair({"Title": "CEO", "Phone": "1"}, {"jobtitle": "Boss", "phone": "2"})
    live.apply()
    quiet_cycles(live)


@pytest.mark.parametrize("side", ["salesforce", "hubspot"])
def test_a_bumped_timestamp_alone_writes_nothing(live: Stage, side: str) -> None:
    ada = live.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    live.agree()
    ref = ada.contact if side == "salesforce" else ada.hub
    live.admin.post("/touch", system=side, object=ref.object_type, ids=[ref.id])
    live.advance(200)
    report = live.cycle()
    assert (report["changed"], report["written"]) == (0, 0)


def test_an_edit_of_a_field_no_policy_names_writes_nothing(live: Stage) -> None:
    ada = live.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    live.agree()
    live.edit(ada.hub, website="https://acme.example")
    report = live.cycle()
    assert (report["changed"], report["written"]) == (0, 0)


def test_values_that_mean_the_same_are_not_rewritten(live: Stage) -> None:
    ada = live.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    live.agree()
    live.edit(ada.contact, Email="P1@Acme.example")
    quiet_cycles(live)


def test_what_a_vendor_stores_differently_is_seen_and_not_fought(live: Stage) -> None:
    """HubSpot keeps an e-mail in lower case; Salesforce cuts the spaces around a text."""
    ada = live.pair({"Title": "CEO"}, {"phone": " +49 228 1 "})
    live.cycle()
    assert live.value(ada.contact, "Phone") == "+49 228 1"
    (entry,) = [entry for entry in live.installation.ledger.entries() if entry.change.system == "salesforce"]
    assert entry.observed == {"Phone": "+49 228 1"}
    quiet_cycles(live)


PIECES = (
    " ",
    "  ",
    "\t",
    "\n",
    "\u00a0",
    "\u200b",
    "a",
    "B",
    "é",
    "e\u0301",
    "İ",
    "ß",
    "&amp;",
    "<b>",
    "0",
    "+1 (2)",
    ",",
    ";",
)
"""What vendors trim, fold or rewrite, and what only looks as if they did."""


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(3, 30))])
def test_whatever_a_vendor_makes_of_a_text_three_cycles_come_to_rest(live: Stage, seed: int) -> None:
    """Each side is edited with texts of any shape; what is stored differently is seen and not fought."""
    rng = random.Random(seed)

    def text() -> str:
        return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 8))) + rng.choice(["x", " ", ""])

    people = [live.pair({"Title": text()}, {"phone": text()[:30]}) for _ in range(6)]
    live.cycle()
    for ada in people:
        live.edit(ada.contact, Title=text(), MailingCity=text()[:30])
        live.edit(ada.hub, phone=text()[:30], city=text())
    for _ in range(3):
        live.advance(700)
        live.cycle()
    quiet_cycles(live)


def contested(stage: Stage) -> Pair:
    """Salesforce wins the title; a bot in HubSpot sets it to its own word every time it looks."""
    ada = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.agree()
    return ada


def fight(stage: Stage, ada: Pair, rounds: int) -> int:
    """Rounds of: the bot writes, a cycle runs. Returns how often Truce wrote."""
    mark = stage.mark()
    for _ in range(rounds):
        stage.edit(ada.hub, {"id": "bot", "cause": "automation"}, jobtitle="Bot")
        stage.advance(1_000)
        stage.cycle()
    return len(stage.written(mark))


def test_a_fight_ends_with_a_freeze_and_a_question(live: Stage) -> None:
    ada = contested(live)
    assert fight(live, ada, 8) == 3
    assert live.value(ada.hub, "jobtitle") == "Bot"
    (freeze,) = live.installation.freezes.standing()
    assert (freeze.kind, freeze.field, freeze.system) == ("fight", "job_title", "hubspot")
    (question,) = live.installation.reviews.list(kind="fight")
    assert "changed back 3 times" in question.sentence
    quiet_cycles(live)


def test_a_fight_over_one_field_leaves_the_others_alone(live: Stage) -> None:
    ada = contested(live)
    fight(live, ada, 6)
    live.edit(ada.contact, MailingCity="Bonn")
    live.edit(ada.hub, {"id": "bot", "cause": "automation"}, jobtitle="Bot 2")
    live.cycle()
    assert (live.value(ada.hub, "city"), live.value(ada.hub, "jobtitle")) == ("Bonn", "Bot 2")


def test_people_who_change_a_field_often_are_no_fight(live: Stage) -> None:
    ada = contested(live)
    for title in ("CFO", "COO", "CTO", "CEO", "CFO", "COO"):
        live.edit(ada.contact, Title=title)
        live.advance(1_000)
        assert live.cycle()["written"] == 1
    assert live.value(ada.hub, "jobtitle") == "COO"
    assert live.installation.freezes.standing() == []


def test_a_few_edits_over_days_are_no_fight(live: Stage) -> None:
    ada = contested(live)
    for _ in range(5):
        assert fight(live, ada, 1) == 1
        live.advance(86_400)
    assert live.installation.freezes.standing() == []


def test_a_losing_edit_may_be_left_and_reported(live: Stage) -> None:
    live.write_policies(person=person_policy(fields=FIELDS, losing_edit="report"))
    live.go_live()
    ada = contested(live)
    assert fight(live, ada, 3) == 0
    assert live.value(ada.hub, "jobtitle") == "Bot"


def test_a_paused_policy_watches_and_goes_on_when_resumed(live: Stage) -> None:
    ada = contested(live)
    live.order("pause", policy="person-basics", reason="strange values")
    live.edit(ada.contact, Title="CFO")
    assert live.cycle()["written"] == 0
    live.order("resume", policy="person-basics")
    assert live.cycle()["written"] == 1
    assert live.value(ada.hub, "jobtitle") == "CFO"


def test_a_lifted_freeze_is_decided_again_at_once(live: Stage) -> None:
    ada = contested(live)
    live.order("freeze", record="p1@acme.example", field="job_title")
    live.edit(ada.contact, Title="CFO")
    assert live.cycle()["written"] == 0
    assert live.order("freeze", record=str(ada.hub), field="job_title", lift=True)["lifted"] == 2
    assert live.cycle()["written"] == 1
    assert live.value(ada.hub, "jobtitle") == "CFO"


def test_going_live_writes_what_was_only_proposed(stage: Stage) -> None:
    ada = stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    (batch,) = stage.cycle()["held"]
    meaning = stage.installation.policies.policies.headers["person-basics"].meaning
    stage.order("go-live", policy="person-basics", meaning=meaning)
    assert stage.cycle()["written"] == 1
    assert stage.value(ada.hub, "jobtitle") == "CEO"
    assert stage.states(batch) == {"drifted": 1}


@pytest.mark.parametrize("wanted", ["nobody@acme.example", "salesforce:Contact/nonsense", "foo"])
def test_a_freeze_of_nobody_is_refused_in_words(stage: Stage, wanted: str) -> None:
    with pytest.raises(NotFound, match="no record answers"):
        stage.order("freeze", record=wanted, field="job_title")


def test_an_edit_that_is_kept_is_not_decided_again_before_its_time_is_over(live: Stage) -> None:
    """Nothing waits meanwhile: neither the processor nor a vendor is asked for what cannot have changed."""
    live.write_policies(person=person_policy(losing_edit="keep 3 days"))
    live.go_live()
    ada = live.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    live.agree()
    live.edit(ada.hub, jobtitle="Boss")
    live.cycle()
    for _ in range(2):
        assert live.installation.mirror.pending() == []
        live.advance(ONE_DAY)
        assert live.cycle()["written"] == 0
    assert live.value(ada.hub, "jobtitle") == "Boss"
    live.advance(ONE_DAY + 700)
    assert live.cycle()["written"] == 1
    assert live.value(ada.hub, "jobtitle") == "CEO"
    assert live.installation.mirror.agreement.due(live.clock.now()) == []


def test_a_question_that_stands_is_counted_once(live: Stage) -> None:
    live.write_policies(person=person_policy(first_time="ask"))
    live.go_live()
    ada = live.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    assert live.cycle()["reviews"] == 1
    live.edit(ada.contact, MailingCity="Bonn")
    assert live.cycle()["reviews"] == 0
    assert len(live.installation.reviews.list()) == 1
