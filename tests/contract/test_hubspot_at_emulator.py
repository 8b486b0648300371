"""HubSpot's habits that reach beyond the port, through the real client against the emulator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from agent.connector import Window, Write, WriteOutcome
from agent.errors import AccessDenied, Unavailable
from agent.records import Gone, MergedInto, Pulled, Record, Ref, Tombstone, Unreadable
from agent.side_by_side import SideBySide
from agent.together import IN_TURN, Together
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor
from connectors.hubspot.connector import HubSpot

SEEDER = Actor("import", "system", "Import")


@pytest.fixture
def connector(emulator: Emulator) -> Iterator[HubSpot]:
    clock = emulator.world.clock
    found = HubSpot(
        token=emulator.credentials["hubspot"]["token"],
        base_url=emulator.hubspot_url,
        link_keys={"contacts": "truce_key"},
        seconds=lambda: clock.now().timestamp(),
        sleep=clock.advance,
    )
    yield found
    found.close()


@pytest.fixture
def people(admin: Admin) -> People:
    return People(admin)


class People:
    """Colleagues at work in HubSpot."""

    def __init__(self, admin: Admin) -> None:
        self.admin = admin

    def create(self, object_type: str = "contacts", **values: str) -> Ref:
        answer = self.admin.post("/create", system="hubspot", object=object_type, values=values)
        return Ref("hubspot", object_type, str(answer["id"]))

    def merge(self, survivor: Ref, loser: Ref) -> Ref:
        answer = self.admin.post(
            "/merge", system="hubspot", object=survivor.object_type, survivor=survivor.id, loser=loser.id
        )
        return Ref("hubspot", survivor.object_type, str(answer["id"]))

    def do(self, action: str, ref: Ref, **more: object) -> None:
        self.admin.post(f"/{action}", system="hubspot", object=ref.object_type, id=ref.id, **more)


def seeded(emulator: Emulator, count: int) -> list[str]:
    """Many contacts of one moment, as an import makes them."""
    desk = emulator.practice.desks["hubspot"]
    rows = [{"email": f"p{number}@example.com"} for number in range(count)]
    return emulator.call(lambda: desk.seed_many("contacts", rows, actor=SEEDER))


def spread(emulator: Emulator, count: int) -> list[str]:
    """Many contacts, one a second."""
    found: list[str] = []
    for number in range(0, count, 20):
        rows = [{"email": f"q{number + more}@example.com"} for more in range(20)]
        desk = emulator.practice.desks["hubspot"]
        found += emulator.call(partial(desk.seed_many, "contacts", rows, actor=SEEDER))
        emulator.world.clock.advance(1)
    return found


def pulled(connector: HubSpot, object_type: str = "contacts", together: Together = IN_TURN) -> list[Pulled]:
    until = connector.now() + timedelta(seconds=1)
    window = Window(until - timedelta(hours=1), until)
    pages = connector.changed(object_type, ["email"], window, together=together)
    return [item for page in pages for item in page.items]


def routes(admin: Admin) -> Counter[str]:
    found: Counter[str] = Counter()
    for call in admin.get("/journal?since=0"):
        if call["system"] == "hubspot":
            found[call["path"].rpartition("/")[2]] += 1
    return found


def update(number: int, ref: Ref, **fields: str | None) -> Write:
    return Write(f"E-{number}", "update", ref.object_type, ref.id, fields)


def kind_of(outcome: WriteOutcome) -> tuple[str, str | None]:
    assert outcome.error is not None, outcome
    return outcome.error.kind, outcome.error.other_id


def test_more_than_ten_thousand_records_of_one_moment_all_arrive(
    emulator: Emulator, connector: HubSpot, admin: Admin
) -> None:
    ids = seeded(emulator, 10_250)
    found = [item.ref.id for item in pulled(connector) if isinstance(item, Record)]
    assert sorted(found, key=int) == sorted(ids, key=int)
    assert routes(admin)["search"] == 52


@pytest.mark.parametrize("moments", ["one moment", "many moments"])
def test_a_backlog_is_searched_from_both_ends_and_is_complete_in_as_many_calls(
    emulator: Emulator, connector: HubSpot, admin: Admin, moments: str
) -> None:
    ids = seeded(emulator, 5_000) if moments == "one moment" else spread(emulator, 5_000)
    side = SideBySide({"hubspot": 8})
    found = [item.ref.id for item in pulled(connector, together=side.together("hubspot")) if isinstance(item, Record)]
    side.close()
    assert sorted(found, key=int) == sorted(ids, key=int)
    assert (routes(admin)["search"], routes(admin)["read"]) == (25, 50)


def test_records_that_change_during_a_pull_come_then_or_with_the_next(
    emulator: Emulator, connector: HubSpot, people: People
) -> None:
    """So many that the two ends meet earlier than was counted."""
    ids = spread(emulator, 2_000)
    side = SideBySide({"hubspot": 8})
    window = Window(connector.now() - timedelta(hours=1), connector.now())
    pages = connector.changed("contacts", ["email"], window, together=side.together("hubspot"))
    found = [item.ref.id for item in next(pages).items]
    emulator.world.clock.advance(5)
    for record_id in ids[700:1_300]:
        people.do("edit", Ref("hubspot", "contacts", record_id), values={"jobtitle": "CTO"})
    found += [item.ref.id for page in pages for item in page.items]
    later = Window(window.until, connector.now() + timedelta(seconds=1))
    found += [item.ref.id for page in connector.changed("contacts", ["email"], later) for item in page.items]
    side.close()
    assert set(found) == set(ids)


def test_a_search_that_fails_at_one_end_ends_the_pull(emulator: Emulator, connector: HubSpot, admin: Admin) -> None:
    """Nothing may be concluded from what came."""
    spread(emulator, 4_000)
    admin.fault(system="hubspot", route="/crm/v3/objects/contacts/search", action="status", status=503, nth=4)
    side = SideBySide({"hubspot": 8})
    with pytest.raises(Unavailable):
        pulled(connector, together=side.together("hubspot"))
    side.close()


def test_a_thousand_changed_records_cost_five_searches_and_ten_reads_and_ten_writes(
    emulator: Emulator, connector: HubSpot, admin: Admin
) -> None:
    ids = seeded(emulator, 1000)
    side = SideBySide({"hubspot": 8})
    pulled(connector, together=side.together("hubspot"))
    side.close()
    assert (routes(admin)["search"], routes(admin)["read"]) == (5, 10)
    for start in range(0, 1000, 100):
        refs = [Ref("hubspot", "contacts", record_id) for record_id in ids[start : start + 100]]
        outcomes = connector.write([update(start + number, ref, city="Turin") for number, ref in enumerate(refs)])
        assert {outcome.observed["city"] for outcome in outcomes} == {"Turin"}
    assert (routes(admin)["update"], routes(admin)["read"]) == (10, 10)


def test_the_search_may_lag_but_the_truth_does_not(emulator: Emulator, connector: HubSpot, people: People) -> None:
    ref = people.create(email="ada@example.com")
    emulator.world.clock.advance(7200)
    emulator.world.spaces["hubspot"].visible_delay_seconds = 30.0
    people.do("edit", ref, values={"jobtitle": "CTO"})
    assert pulled(connector) == []
    assert connector.find("contacts", "jobtitle", "CTO", []) == []
    (record,) = connector.read([ref], ["jobtitle"])
    assert isinstance(record, Record)
    assert record.fields == {"jobtitle": "CTO"}
    emulator.world.clock.advance(31)
    assert [item.ref for item in pulled(connector)] == [ref]
    assert [item.ref for item in connector.find("contacts", "jobtitle", "CTO", [])] == [ref]


def test_a_chain_of_merges_leads_every_old_id_to_the_last(connector: HubSpot, people: People) -> None:
    ada, bea, cleo = (people.create(email=f"{name}@example.com") for name in ("ada", "bea", "cleo"))
    middle = people.merge(ada, bea)
    last = people.merge(middle, cleo)
    merges = {item.ref: item.survivor for item in pulled(connector) if isinstance(item, MergedInto)}
    assert merges == dict.fromkeys((ada, bea, cleo, middle), last)
    assert connector.vanished([ada, bea, cleo, middle, last]) == [
        MergedInto(old, last) for old in (ada, bea, cleo, middle)
    ]


def test_the_e_mail_of_a_merged_contact_still_finds_its_survivor(connector: HubSpot, people: People) -> None:
    ada, old = people.create(email="ada@example.com"), people.create(email="old@example.com")
    survivor = people.merge(ada, old)
    for email in ("ada@example.com", "OLD@example.com"):
        assert [record.ref for record in connector.find("contacts", "email", email, [])] == [survivor]


def test_a_batch_leaves_out_a_merged_contact_and_we_say_where_it_went(connector: HubSpot, people: People) -> None:
    ada, bea, cleo = (people.create(email=f"{name}@example.com") for name in ("ada", "bea", "cleo"))
    survivor = people.merge(ada, bea)
    outcomes = connector.write([update(number, ref, city="Turin") for number, ref in enumerate((cleo, ada, bea))])
    assert [outcome.status for outcome in outcomes] == ["applied", "rejected", "rejected"]
    assert [kind_of(outcome) for outcome in outcomes[1:]] == [("moved", survivor.id)] * 2


def test_archived_records_are_told_in_a_full_load_and_when_asked(connector: HubSpot, people: People) -> None:
    kept, gone = people.create(email="ada@example.com"), people.create(email="bea@example.com")
    people.do("delete", gone)
    window = Window(None, connector.now() + timedelta(seconds=1))
    items = [item for page in connector.changed("contacts", [], window) for item in page.items]
    assert [item.ref for item in items if isinstance(item, Tombstone)] == [gone]
    assert connector.vanished([kept, gone]) == [Tombstone(gone)]
    assert [item.ref for item in pulled(connector)] == [kept]


def test_a_restored_record_comes_back_under_its_id(connector: HubSpot, people: People) -> None:
    ref = people.create(email="ada@example.com")
    people.do("delete", ref)
    assert connector.read([ref], []) == [Gone(ref)]
    people.do("undelete", ref)
    assert isinstance(connector.read([ref], [])[0], Record)


def test_a_taken_e_mail_names_the_other_contact(connector: HubSpot, people: People) -> None:
    ada, bea = people.create(email="ada@example.com"), people.create(email="bea@example.com")
    (outcome,) = connector.write([update(1, bea, email="Ada@Example.com")])
    assert kind_of(outcome) == ("duplicate", ada.id)
    create = Write("E-2", "create", "contacts", None, {"email": "ada@example.com"}, ("truce_key", "person-1-1"))
    (outcome,) = connector.write([create])
    assert kind_of(outcome) == ("duplicate", ada.id)
    (outcome,) = connector.write([Write("E-3", "create", "contacts", None, {"email": "ada@example.com"})])
    assert kind_of(outcome) == ("duplicate", ada.id)


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"lifecyclestage": "wizard"}, "validation", "INVALID_OPTION"),
        ({"email": "no mail"}, "validation", "INVALID_EMAIL"),
        ({"lead_score": "many"}, "validation", "INVALID_INTEGER"),
        ({"hs_email_optout": "true"}, "permission", "READ_ONLY_VALUE"),
        ({"dragons": "3"}, "validation", "PROPERTY_DOESNT_EXIST"),
    ],
)
def test_a_refused_value_is_explained_without_showing_it(
    connector: HubSpot, people: People, fields: dict[str, str], kind: str, code: str
) -> None:
    ada, bea = people.create(email="ada@example.com"), people.create(email="bea@example.com")
    bad, good = connector.write([update(1, ada, **fields), update(2, bea, city="Turin")])
    assert good.status == "applied"
    assert bad.error is not None
    assert (bad.error.kind, bad.error.code, bad.error.fields) == (kind, code, tuple(fields))
    assert not any(value in bad.error.message for value in fields.values())


def test_a_lost_read_scope_makes_records_unreadable_and_pulls_fail(
    connector: HubSpot, people: People, admin: Admin
) -> None:
    ref = people.create(email="ada@example.com")
    admin.post("/permissions", system="hubspot", remove_scope="crm.objects.contacts.read")
    (readout,) = connector.read([ref], [])
    assert isinstance(readout, Unreadable)
    assert "crm.objects.contacts.read" in readout.reason
    with pytest.raises(AccessDenied) as caught:
        pulled(connector)
    assert "crm.objects.contacts.read" in caught.value.why


def test_a_lost_write_scope_rejects_each_write(connector: HubSpot, people: People, admin: Admin) -> None:
    refs = [people.create(email=f"p{number}@example.com") for number in range(2)]
    admin.post("/permissions", system="hubspot", remove_scope="crm.objects.contacts.write")
    outcomes = connector.write([update(number, ref, city="Turin") for number, ref in enumerate(refs)])
    assert [kind_of(outcome) for outcome in outcomes] == [("permission", None)] * 2


def test_every_write_is_signed_with_its_ledger_entry(connector: HubSpot, people: People, admin: Admin) -> None:
    ref = people.create(email="ada@example.com")
    connector.write([Write("E-1", "create", "contacts", None, {"lastname": "King"}, ("truce_key", "p"))])
    connector.write([Write("E-2", "create", "contacts", None, {"lastname": "King"})])
    connector.write([update(3, ref, city="Turin")])
    connector.write([Write("E-4", "delete", "contacts", ref.id, {})])
    lines = [line for line in admin.audit() if line["cause"] == "api"]
    assert [(line["op"], line["entry_id"]) for line in lines] == [
        ("create", "E-1"),
        ("create", "E-2"),
        ("update", "E-3"),
        ("delete", "E-4"),
    ]


def test_a_company_is_found_by_search_and_created_with_its_domain_cleaned(connector: HubSpot) -> None:
    fields = {"name": "Analytical Engines", "domain": "https://www.Engines.example/about"}
    (outcome,) = connector.write([Write("E-1", "create", "companies", None, fields)])
    assert outcome.observed == {"name": "Analytical Engines", "domain": "engines.example"}
    found = connector.find("companies", "domain", "ENGINES.example", ["name"])
    assert [record.fields for record in found] == [{"name": "Analytical Engines"}]


def test_what_is_erased_for_good_is_told_from_what_is_archived(connector: HubSpot, people: People) -> None:
    """A GDPR delete leaves nothing in the recycle bin; a company has none, so its bin may only have been emptied."""
    archived, erased = people.create(email="a@example.com"), people.create(email="e@example.com")
    company = people.create("companies", name="Acme")
    people.do("delete", archived)
    for ref in (erased, company):
        people.do("purge", ref)
    never = Ref("hubspot", "contacts", "99999")
    read = connector.read([archived, erased, company, never], [])
    assert read == [Gone(archived), Gone(erased, for_good=True), Gone(company), Gone(never, for_good=True)]
    assert connector.capabilities.tells_erasures_for == 90


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_bin_that_does_not_answer_proves_no_erasure(
    connector: HubSpot, people: People, admin: Admin, status: int
) -> None:
    erased = people.create(email="e@example.com")
    people.do("purge", erased)
    admin.fault(system="hubspot", method="GET", route=f"*/contacts/{erased.id}", nth=2, action="status", status=status)
    assert connector.read([erased], []) == [Gone(erased)]


def test_what_the_bin_has_forgotten_looks_like_an_erasure_only_after_ninety_days(
    emulator: Emulator, connector: HubSpot, people: People
) -> None:
    """So the agent believes in an erasure only of whom it has seen within that time."""
    ref = people.create(email="a@example.com")
    people.do("delete", ref)
    emulator.world.clock.advance(90 * 86_400 - 1)
    assert connector.read([ref], []) == [Gone(ref)]
    emulator.world.clock.advance(1)
    assert connector.read([ref], []) == [Gone(ref, for_good=True)]
    assert connector.capabilities.tells_erasures_for == 90


def test_the_authors_of_many_values_are_asked_fifty_records_at_a_time(
    emulator: Emulator, connector: HubSpot, admin: Admin
) -> None:
    refs = [Ref("hubspot", "contacts", record_id) for record_id in seeded(emulator, 60)]
    told = connector.authors([(ref, "email") for ref in refs])
    assert set(told) == {(ref, "email") for ref in refs}
    assert not any(author.is_person for author in told.values())
    assert routes(admin)["read"] == 2
