"""A full load of much as one query job: the same records in the same form, and a place to go on from after a crash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from salesforce_office import Office, connect, window

from agent.connector import Page, Window
from agent.errors import BadReply, Unavailable
from agent.records import MergedInto, Record, Tombstone
from connectors.emulator.admin_client import Admin
from connectors.emulator.clock import Clock
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor
from connectors.salesforce import loading
from connectors.salesforce.connector import Salesforce

FIELDS = ["LastName", "Title", "HasOptedOutOfEmail", "Birthdate", "AccountId", "Description"]
JOBS = "/jobs/query"


@pytest.fixture
def office(admin: Admin) -> Office:
    return Office(admin)


@pytest.fixture
def connector(emulator: Emulator, clock: Clock) -> Iterator[Salesforce]:
    """More than three records are much."""
    found = connect(emulator, clock, bulk_above=3, sleep=clock.advance)
    yield found
    found.close()


@pytest.fixture
def small(emulator: Emulator, clock: Clock) -> Iterator[Salesforce]:
    found = connect(emulator, clock)
    yield found
    found.close()


@pytest.fixture
def people(office: Office) -> None:
    account = office.make("Account", Name="Engines")
    refs = [office.make(LastName=f"Person {number}") for number in range(8)]
    office.edit(refs[0], Title="CTO", HasOptedOutOfEmail=True, Birthdate="1990-01-02", AccountId=account.id)
    office.edit(refs[1], Description='two\nlines, "quoted"')
    office.delete(refs[2])
    office.merge(refs[3], refs[4])


def load(connector: Salesforce, after: str | None = None) -> list[Page]:
    asked = window(connector, None)
    return list(connector.changed("Contact", FIELDS, Window(None, asked.until, after)))


def content(pages: list[Page]) -> list[tuple[Any, ...]]:
    told: list[tuple[Any, ...]] = []
    for item in (item for page in pages for item in page.items):
        if isinstance(item, Record):
            told.append((item.ref.id, "alive", dict(item.fields), item.version, item.modified_at))
        elif isinstance(item, MergedInto):
            told.append((item.ref.id, "merged", item.survivor))
        else:
            assert isinstance(item, Tombstone)
            told.append((item.ref.id, "deleted"))
    return sorted(told, key=lambda each: str(each[0]))


def used(office: Office) -> list[str]:
    return [line["method"] for line in office.requests() if JOBS in line["path"]]


@pytest.mark.usefixtures("people")
def test_a_job_brings_exactly_what_the_usual_query_brings(
    connector: Salesforce, small: Salesforce, office: Office
) -> None:
    usual = content(load(small))
    assert used(office) == []
    assert content(load(connector)) == usual
    assert used(office) == ["POST", "GET", "GET"]


@pytest.mark.usefixtures("people")
def test_after_a_crash_the_next_page_is_read_and_nothing_twice(
    connector: Salesforce, emulator: Emulator, clock: Clock, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PAGE_ROWS", 3)
    whole = load(connector)
    assert [len(page.items) for page in whole] == [0, 3, 3, 2]
    jobs = used(office).count("POST")
    for done in range(1, len(whole)):
        other = connect(emulator, clock, bulk_above=3, sleep=clock.advance)
        rest = load(other, whole[done - 1].reached)
        other.close()
        assert content(whole[:done] + rest) == content(whole)
    assert used(office).count("POST") == jobs


@pytest.mark.usefixtures("people")
def test_a_page_becomes_records_in_parts_and_only_its_end_is_a_place_to_go_on_from(
    connector: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = content(load(connector))
    monkeypatch.setattr(loading, "PAGE_ROWS", 3)
    monkeypatch.setattr(loading, "PART_ROWS", 2)
    whole = load(connector)
    assert [len(page.items) for page in whole] == [0, 2, 1, 2, 1, 2]
    assert [page.reached is not None for page in whole] == [True, False, True, False, True, False]
    assert content(whole) == usual


@pytest.mark.usefixtures("people")
def test_while_the_job_runs_each_look_says_how_far_it_is(connector: Salesforce, office: Office) -> None:
    office.admin.post("/settings", system="salesforce", name="bulk_delay_seconds", value=20)
    pages = load(connector)
    assert sum(not page.items for page in pages) > 3
    assert {page.reached for page in pages if not page.items} == {pages[0].reached}


@pytest.mark.usefixtures("people")
def test_a_job_nobody_knows_any_more_is_loaded_from_the_beginning(connector: Salesforce, office: Office) -> None:
    whole = load(connector)
    office.admin.post("/clock/advance", seconds=8 * 86_400)
    assert len(content(load(connector, whole[0].reached))) == len(content(whole))


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("status", "code"), [(400, "FEATURENOTENABLED"), (403, "INSUFFICIENT_ACCESS")])
def test_without_the_right_to_jobs_the_usual_query_loads_everything(
    connector: Salesforce, small: Salesforce, office: Office, status: int, code: str
) -> None:
    body = f'[{{"errorCode": "{code}", "message": "text"}}]'
    office.admin.fault(system="salesforce", method="POST", route=f"*{JOBS}", action="status", status=status, body=body,
                       headers={"Content-Type": "application/json"}, times="always")  # fmt: skip
    assert content(load(connector)) == content(load(small))


def test_without_a_job_left_a_load_goes_on_behind_the_page_it_had_come_to(
    connector: Salesforce, office: Office, emulator: Emulator
) -> None:
    office.admin.post("/settings", system="salesforce", name="daily_query_jobs", value=0)
    rows = [{"LastName": f"Person {number}"} for number in range(4_100)]
    desk = emulator.practice.desks["salesforce"]
    emulator.call(lambda: desk.seed_many("Contact", rows, actor=Actor("seed", "system")))
    whole = load(connector)
    assert [len(page.items) for page in whole] == [2_000, 2_000, 100]
    rest = load(connector, whole[0].reached)
    assert [len(page.items) for page in rest] == [2_000, 100]
    assert content(rest) == content(whole[1:])


@pytest.mark.usefixtures("people")
def test_a_job_that_failed_is_no_load(connector: Salesforce, small: Salesforce, office: Office) -> None:
    office.admin.post("/settings", system="salesforce", name="bulk_delay_seconds", value=20)
    pages = connector.changed("Contact", FIELDS, window(connector, None))
    found = [next(pages)]
    job = str(found[0].reached).split()[1]
    from connectors.salesforce.calls import Request

    connector._calls.send(Request("PATCH", f"jobs/query/{job}", body={"state": "Aborted"}))
    assert content([*found, *pages]) == content(load(small))


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("action", ["drop_before", "drop_after", "html_200", "truncate"])
@pytest.mark.parametrize("route", [JOBS, f"{JOBS}/*", f"{JOBS}/*/results"])
def test_a_load_that_fails_anywhere_ends_in_an_exception(
    connector: Salesforce, office: Office, action: str, route: str
) -> None:
    office.fault(action, "POST" if route == JOBS else "GET", route)
    with pytest.raises((Unavailable, BadReply)):
        load(connector)


def test_a_field_hidden_meanwhile_is_left_out(connector: Salesforce, office: Office) -> None:
    for number in range(5):
        office.make(LastName=f"Person {number}", Title="CTO")
    connector.schema("Contact")
    office.admin.post("/permissions", system="salesforce", object="Contact", hide="Title")
    [*_, last] = load(connector)
    assert all("Title" not in item.fields for item in last.items if isinstance(item, Record))
