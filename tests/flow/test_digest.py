"""What ``today`` and ``week`` say is what happened: counted from the ledger and the mirror, never from a guess."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flow_stage import ANNA, HEADER, ONE_DAY, TEAM, Stage, limits_policy, person_policy

from agent.cli.digest_lines import lines, percent
from agent.cli.week_page import week_page
from agent.local_time import read_moment
from agent.plan import planner
from agent.reports import agreement
from agent.reports.digest import Digest, digest

UTC = ZoneInfo("UTC")
TITLES = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce}
"""


def told(stage: Stage, days: float = 1) -> Digest:
    return digest(stage.installation, stage.clock.now() - timedelta(days=days))


def recounted(stage: Stage) -> dict[str, tuple[int, int]]:
    """{field: (agree, differ)}, by deciding every record anew."""
    draft = planner.draft(stage.installation, list(stage.installation.crosswalk.entities()), by_person=True)
    found: dict[str, tuple[int, int]] = {}
    for (field, _, what), count in draft.dispositions.items():
        if field and field != "create":
            agree, differ = found.get(field, (0, 0))
            found[field] = (agree + count, differ) if what == "equal" else (agree, differ + count)
    return found


def kept(stage: Stage) -> dict[str, tuple[int, int]]:
    return {each.field: (each.agree, each.differ) for each in agreement.by_field(stage.installation)}


@pytest.fixture
def titles(stage: Stage) -> Stage:
    stage.write_policies(person=person_policy(fields=TITLES, first_time="fill blanks"))
    stage.go_live()
    return stage


class TestAgreement:
    def test_is_what_deciding_every_record_would_say(self, titles: Stage) -> None:
        titles.pair({"Title": "VP"}, {"jobtitle": "VP"})
        titles.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        titles.cycle()
        assert kept(titles) == recounted(titles) == {"email": (2, 0), "job_title": (1, 1)}

    def test_follows_our_own_writes_at_once(self, titles: Stage) -> None:
        pair = titles.pair({"Title": "VP"})
        plan = titles.plan()
        assert kept(titles)["job_title"] == (0, 1)
        titles.apply(plan)
        assert titles.value(pair.hub, "jobtitle") == "VP"
        assert kept(titles) == recounted(titles) == {"email": (1, 0), "job_title": (1, 0)}

    def test_follows_what_people_edit_and_delete(self, titles: Stage) -> None:
        stay, go = titles.pairs(2, {"Title": "VP"}, {"jobtitle": "VP"})
        titles.cycle()
        titles.write_policies(person=person_policy(fields=TITLES, losing_edit="report"))
        titles.go_live()
        titles.edit(stay.hub, jobtitle="Boss")
        titles.delete(go.contact)
        titles.advance(700)
        titles.cycle()
        assert kept(titles) == recounted(titles) == {"email": (1, 0), "job_title": (0, 1)}

    def test_of_each_day_stays_when_the_day_is_over(self, titles: Stage) -> None:
        pair = titles.pair({"Title": "VP"}, {"jobtitle": "VP"})
        titles.cycle()
        titles.advance(ONE_DAY)
        titles.write_policies(person=person_policy(fields=TITLES, losing_edit="report"))
        titles.go_live()
        titles.edit(pair.hub, jobtitle="Boss")
        titles.cycle()
        assert [day.agreement for day in told(titles, 2).days if day.agreement is not None] == [1.0, 0.5]

    def test_an_idle_cycle_writes_no_figure_again(self, titles: Stage) -> None:
        titles.pair({"Title": "VP"}, {"jobtitle": "VP"})
        titles.cycle()
        store = titles.installation.ledger.store
        assert store.read_tuples("SELECT field, agree FROM agreement_days") == [("email", 1), ("job_title", 1)]
        said: list[str] = []
        store._connection.set_trace_callback(said.append)
        titles.cycle()
        assert any("called" in statement for statement in said), "the trace hears what is written"
        assert [statement for statement in said if "INTO agreement_days" in statement] == []

    def test_nothing_compared_is_said_and_no_hundred_per_cent(self, stage: Stage) -> None:
        assert told(stage).agreement is None
        assert any("not compared yet" in line.text for line in lines(told(stage), UTC))

    @pytest.mark.parametrize(
        ("share", "shown"),
        [(1.0, "100.0 %"), (0.99999, "99.9 %"), (0.00001, "0.1 %"), (0.0, "0.0 %"), (0.994, "99.4 %")],
    )
    def test_a_share_is_rounded_without_claiming_all_or_nothing(self, share: float, shown: str) -> None:
        assert percent(share) == shown


class TestChangedBack:
    def test_counts_a_persons_edit_even_after_the_policy_took_it_back(self, titles: Stage) -> None:
        pair = titles.pair({"Title": "VP"})
        titles.cycle()
        titles.advance(700)
        titles.edit(pair.hub, jobtitle="Boss")
        titles.advance(700)
        titles.cycle()
        assert titles.value(pair.hub, "jobtitle") == "VP"
        found = told(titles)
        assert [(each.field, each.system, each.count) for each in found.changed_back] == [("job_title", "hubspot", 1)]
        assert [(each.policy, each.written, each.changed_back) for each in found.trust] == [("person-basics", 2, 1)]

    def test_an_undo_of_ours_is_nobodys_edit(self, titles: Stage) -> None:
        titles.pair({"Title": "VP"})
        batch = titles.cycle()["batch"]
        titles.rollback(batch)
        titles.cycle()
        found = told(titles)
        assert (found.written, found.undone, found.changed_back) == (1, 1, ())

    def test_an_edit_of_what_we_never_wrote_is_no_objection(self, titles: Stage) -> None:
        pair = titles.pair({"Title": "VP"}, {"jobtitle": "VP"})
        titles.cycle()
        titles.edit(pair.contact, Title="CEO")
        titles.cycle()
        assert told(titles).changed_back == ()

    def test_only_since_the_moment_asked_for(self, titles: Stage) -> None:
        pair = titles.pair({"Title": "VP"})
        titles.cycle()
        titles.advance(700)
        titles.edit(pair.hub, jobtitle="Boss")
        titles.cycle()
        titles.advance(3 * ONE_DAY)
        assert (told(titles).written, told(titles).changed_back) == (0, ())
        assert told(titles, 4).changed_back[0].count == 1


class TestLines:
    def test_a_day_counts_what_was_approved_in_it_though_it_waited_since_before(self, titles: Stage) -> None:
        titles.write_policies(person=person_policy(mode="ask", fields=TITLES), limits=limits_policy())
        titles.pair({"Title": "VP"})
        (batch,) = titles.cycle()["held"]
        titles.advance(ONE_DAY / 2)
        assert told(titles).waiting[0].id == batch
        titles.approve(batch)
        assert told(titles, 0.1).written == 1

    def test_what_is_paused_frozen_or_overdue_has_a_name_and_a_command(self, titles: Stage) -> None:
        pair = titles.pair({"Title": "VP"}, {"jobtitle": "VP"})
        titles.cycle()
        titles.order("freeze", record=str(pair.hub), field="job_title", reason="asked by sales")
        titles.order("pause", policy="sales-team", reason="holidays")
        titles.write_policies(team=TEAM.replace("review_by: 2027-03-01", "review_by: 2026-01-31"))
        found = {line.name: line for line in lines(told(titles), UTC)}
        assert found["Stopped"].text == "sales-team is paused"
        assert found["Stopped"].next_step == "truce resume sales-team"
        assert "asked by sales" in found["Left to people"].text
        assert found["Left to people"].next_step.endswith("job_title --lift")
        assert "sales-team since 2026-01-31 (anna@example.com)" in found["Review overdue"].text
        assert ANNA in HEADER

    def test_an_edit_kept_for_days_is_an_exception_too(self, stage: Stage) -> None:
        stage.write_policies(person=person_policy(fields=TITLES, losing_edit="keep 14 days"))
        stage.go_live()
        pair = stage.pair({"Title": "VP"}, {"jobtitle": "VP"})
        stage.cycle()
        stage.edit(pair.hub, jobtitle="Boss")
        edited = stage.clock.now()
        stage.cycle()
        (kept_edit,) = told(stage).exceptions
        assert (kept_edit.kind, kept_edit.field) == ("kept edit", "job_title")
        assert kept_edit.since is not None
        assert abs(kept_edit.since - edited) < timedelta(minutes=1)

    def test_a_reader_says_the_same_as_the_writer(self, titles: Stage) -> None:
        titles.pair({"Title": "VP"})
        titles.apply()
        since = titles.clock.now() - timedelta(days=1)
        with titles.started_reading() as looking:
            assert lines(digest(looking, since), UTC) == lines(digest(titles.installation, since), UTC)


class TestPage:
    def test_a_name_cannot_become_markup_and_nothing_is_loaded_from_elsewhere(self, titles: Stage) -> None:
        pair = titles.pair({"Title": "VP", "LastName": "<script>alert(1)</script>"}, {"jobtitle": "VP"})
        titles.cycle()
        titles.order("freeze", record=str(pair.contact), field="job_title", reason='"><img src=x>')
        page = week_page(told(titles, 7), ZoneInfo("UTC"))
        assert "&lt;script&gt;" in page
        assert not re.search(r"<script|<img|<link|<iframe|@import|url\(|https?:|(?:src|href)=\"", page)
        assert page.count("<svg") == page.count("</svg>") >= 2

    def test_its_undo_begins_where_the_page_begins_and_not_hours_later(self, titles: Stage) -> None:
        titles.pair({"Title": "VP"})
        titles.cycle()
        found, zone = told(titles, 7), ZoneInfo("America/New_York")
        page = unescape(week_page(found, zone))
        begun = re.search(r'--since "([^"]+)"', page)
        assert begun is not None
        assert read_moment(begun[1], titles.clock.now(), zone) == found.since.replace(second=0, microsecond=0)
        assert f"{found.since.astimezone(zone):%a %d %b %H:%M}" in page

    def test_the_file_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        from agent.private_files import write_private_file

        write_private_file(tmp_path / "week.html", b"x")
        assert (tmp_path / "week.html").stat().st_mode & 0o777 == 0o600
