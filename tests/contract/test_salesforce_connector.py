"""The Salesforce connector on its real client library, against the emulator: what the common suite cannot ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from fnmatch import fnmatch
from typing import Any

import pytest
from salesforce_office import LAST_CONTACT, Office, connect, edit, held, items, kinds, version, window

from agent.connector import Window, Write
from agent.errors import AccessDenied, BadReply, NotFound, Unavailable
from agent.records import Gone, MergedInto, Record, Ref, Tombstone, Unreadable
from connectors.emulator.admin_client import Admin
from connectors.emulator.clock import Clock
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor
from connectors.salesforce.connector import Salesforce


@pytest.fixture
def connector(emulator: Emulator, clock: Clock) -> Iterator[Salesforce]:
    found = connect(emulator, clock)
    yield found
    found.close()


@pytest.fixture
def office(admin: Admin) -> Office:
    return Office(admin)


def test_the_account_is_named_and_is_no_production(connector: Salesforce) -> None:
    identity = connector.identity()
    assert identity.account_id.startswith("00D")
    assert identity.user_id is not None
    assert identity.user_id.startswith("005")
    assert not identity.is_production
    assert identity.time_zone == "America/New_York"


def test_now_is_the_vendor_s_clock(connector: Salesforce, clock: Clock) -> None:
    assert connector.now() == clock.now().replace(microsecond=0)
    clock.advance(86_400)
    assert connector.now() == clock.now().replace(microsecond=0)


def test_owners_are_users_and_queues(connector: Salesforce) -> None:
    owners = connector.owners()
    assert any(owner.is_queue for owner in owners)
    assert all(owner.email for owner in owners if not owner.is_queue)


def test_lead_schema_says_what_a_create_needs(connector: Salesforce) -> None:
    schema = connector.schema("Lead")
    assert {name for name, field in schema.fields.items() if field.required} == {"LastName", "Company"}
    assert schema.fields["Status"].type == "choice"
    assert not schema.fields["Status"].restricted
    assert not schema.fields["SystemModstamp"].writable
    assert connector.schema("Lead") == schema


def test_a_second_description_costs_no_body(connector: Salesforce, office: Office, clock: Clock) -> None:
    clock.advance(60)
    connector.schema("Contact")
    connector.schema("Contact")
    described = [line["status"] for line in office.requests() if line["path"].endswith("/describe")]
    assert described == [200, 304]


def test_a_permission_taken_in_the_second_of_the_description_is_seen(
    connector: Salesforce, admin: Admin, clock: Clock
) -> None:
    clock.advance(60)
    admin.post("/permissions", system="salesforce", object="Contact", hide="Phone")
    connector.schema("Contact")
    admin.post("/permissions", system="salesforce", object="Contact", hide="Title")
    assert "Title" not in connector.schema("Contact").fields


def test_a_window_holds_stamps_from_since_up_to_before_until(
    connector: Salesforce, office: Office, clock: Clock
) -> None:
    refs = []
    start = clock.now()
    for _ in range(4):
        refs.append(office.make())
        clock.advance(10)
    span = Window(start + timedelta(seconds=10), start + timedelta(seconds=30))
    assert [item.ref for item in items(connector.changed("Contact", ["LastName"], span))] == refs[1:3]


def test_more_records_than_a_page_with_one_stamp_all_come(connector: Salesforce, emulator: Emulator) -> None:
    rows = [{"LastName": f"Person {number}"} for number in range(4321)]
    desk = emulator.practice.desks["salesforce"]
    made = emulator.call(lambda: desk.seed_many("Contact", rows, actor=Actor("seed", "system")))
    for hours, sizes in (
        (1, [2000, 2000, 321]),
        (None, [0, 1000, 1000, 1000, 1000, 321]),
    ):  # a full load of so many is a job
        pages = list(connector.changed("Contact", ["LastName"], window(connector, hours)))
        assert [len(page.items) for page in pages] == sizes
        assert sorted(item.ref.id for page in pages for item in page.items) == sorted(made)


def test_a_lost_page_is_an_exception_and_not_the_end(connector: Salesforce, office: Office, emulator: Emulator) -> None:
    rows = [{"LastName": f"Person {number}"} for number in range(2001)]
    desk = emulator.practice.desks["salesforce"]
    emulator.call(lambda: desk.seed_many("Contact", rows, actor=Actor("seed", "system")))
    for action in ("drop_before", "drop_after", "html_200", "truncate", "status"):
        office.fault(action, "GET", "/query/*")
        pages = connector.changed("Contact", ["LastName"], window(connector))
        assert len(next(pages).items) == 2000
        with pytest.raises((Unavailable, BadReply)):
            next(pages)


def test_deletions_and_merges_are_told_apart(connector: Salesforce, office: Office) -> None:
    kept, deleted, survivor, loser = (office.make() for _ in range(4))
    office.delete(deleted)
    office.merge(survivor, loser)
    found = {item.ref: item for item in items(connector.changed("Contact", ["LastName"], window(connector)))}
    assert isinstance(found[kept], Record)
    assert isinstance(found[deleted], Tombstone)
    assert found[loser] == MergedInto(loser, survivor, connector.now())
    read = connector.read([loser, deleted, survivor], ["LastName"])
    assert [type(readout) for readout in read] == [MergedInto, Gone, Record]


def test_a_purged_record_looks_like_one_that_is_not_shared_with_us(connector: Salesforce, office: Office) -> None:
    """So neither proves that somebody was erased: people have to say."""
    binned, purged = office.make(), office.make()
    office.delete(binned)
    office.admin.post("/purge", system="salesforce", object="Contact", id=purged.id)
    assert connector.read([binned, purged], []) == [Gone(binned), Gone(purged, for_good=True)]
    assert connector.capabilities.tells_erasures_for is None


def test_a_converted_lead_tells_where_it_went(connector: Salesforce, office: Office, admin: Admin) -> None:
    lead = office.make("Lead")
    answer = admin.post("/convert", system="salesforce", id=lead.id)
    conversion = connector.capabilities.conversions["Lead"]
    found = held(connector, lead, conversion.flag, conversion.id_field)
    assert found == {"IsConverted": True, "ConvertedContactId": answer["contactId"]}
    [outcome] = connector.write([edit(1, lead, Title="CTO")])
    assert kinds([outcome]) == ["moved"]


def test_known_versions_are_left_out_of_a_window_only(connector: Salesforce, office: Office, clock: Clock) -> None:
    known, moved = office.make(), office.make()
    versions = {ref.id: version(connector, ref) for ref in (known, moved)}
    clock.advance(5)
    office.edit(moved, Title="CTO")

    def known(told: Mapping[str, str]) -> set[str]:
        return {record_id for record_id, text in told.items() if versions[record_id] == text}

    found = items(connector.changed("Contact", ["Title"], window(connector), known))
    assert [item.ref for item in found] == [moved]
    assert len(items(connector.changed("Contact", ["Title"], window(connector, None), known))) == 2


def test_a_hidden_field_is_absent_from_every_answer(connector: Salesforce, office: Office, admin: Admin) -> None:
    ref = office.make(Title="CTO", Email="ada@example.com")
    assert held(connector, ref, "Title") == {"Title": "CTO"}
    admin.post("/permissions", system="salesforce", object="Contact", hide="Title")
    assert held(connector, ref, "Title", "Email") == {"Email": "ada@example.com"}
    [record] = items(connector.changed("Contact", ["Title", "Email"], window(connector)))
    assert record.fields == {"Email": "ada@example.com"}
    [found] = connector.find("Contact", "Email", "ada@example.com", ["Title"])
    assert found.fields == {}
    [outcome] = connector.write([edit(1, ref, Title="CEO")])
    assert kinds([outcome]) == ["validation"]


def test_read_takes_short_and_long_ids_and_keeps_the_caller_s(connector: Salesforce, office: Office) -> None:
    ref = office.make()
    short = Ref("salesforce", "Contact", ref.id[:15])
    assert [readout.ref for readout in connector.read([short, ref], ["LastName"])] == [short, ref]


def test_read_of_another_object_s_id_is_unreadable(connector: Salesforce, office: Office) -> None:
    account = office.make("Account", Name="Engines")
    wrong = Ref("salesforce", "Contact", account.id)
    assert isinstance(connector.read([wrong], ["LastName"])[0], Unreadable)
    assert kinds(connector.write([Write("E-1", "delete", "Contact", account.id, {})])) == ["validation"]


def test_two_thousand_records_are_one_read(connector: Salesforce, emulator: Emulator, office: Office) -> None:
    rows = [{"LastName": f"Person {number}"} for number in range(2000)]
    desk = emulator.practice.desks["salesforce"]
    made = emulator.call(lambda: desk.seed_many("Contact", rows, actor=Actor("seed", "system")))
    connector.schema("Contact")
    before = len(office.requests())
    found = connector.read([Ref("salesforce", "Contact", record_id) for record_id in made], ["LastName"])
    assert [record.fields["LastName"] for record in found if isinstance(record, Record)] == [
        row["LastName"] for row in rows
    ]
    assert len(office.requests()) - before == 1
    with pytest.raises(ValueError, match="chunk"):
        connector.read([Ref("salesforce", "Contact", LAST_CONTACT)] * 2001, [])


def test_find_compares_in_the_type_of_the_field(connector: Salesforce, office: Office) -> None:
    ref = office.make(Email="ada@example.com", Title='it\'s \\ "her"')
    assert [record.ref for record in connector.find("Contact", "Email", "ADA@example.com", [])] == [ref]
    assert [record.ref for record in connector.find("Contact", "Title", 'it\'s \\ "her"', [])] == [ref]
    assert [record.ref for record in connector.find("Contact", "Id", ref.id, [])] == [ref]
    assert [record.ref for record in connector.find("Contact", "HasOptedOutOfEmail", "false", [])] == [ref]
    for key, value in [("Email", ""), ("Email", " "), ("Email", "x" * 5000), ("Id", "x"), ("Email", "\ud800\x00")]:
        assert connector.find("Contact", key, value, []) == []
    for key in ("Description", "Nickname", "Owner.Name"):
        with pytest.raises(NotFound):
            connector.find("Contact", key, "x", [])


def test_writes_carry_their_entry_ids_into_the_audit(connector: Salesforce, office: Office) -> None:
    refs = [office.make() for _ in range(3)]
    outcomes = connector.write([edit(number, ref, Title=f"Title {number}") for number, ref in enumerate(refs)])
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert [(line["id"], line["entry_id"]) for line in office.our_changes()] == [
        (ref.id, f"E-{number}") for number, ref in enumerate(refs)
    ]


def test_no_assignment_rule_takes_a_record_we_touch(connector: Salesforce, office: Office) -> None:
    lead = office.make("Lead")
    owner = held(connector, lead, "OwnerId")
    assert kinds(connector.write([edit(1, lead, Title="CTO")])) == ["applied"]
    assert kinds(connector.write([edit(2, lead, version(connector, lead), Title="CEO")])) == ["applied"]
    assert held(connector, lead, "OwnerId") == owner
    [made] = connector.write([Write("E-3", "create", "Lead", None, {"LastName": "X", "Company": "Y"})])
    user = connector.identity().user_id
    assert held(connector, Ref("salesforce", "Lead", str(made.record_id)), "OwnerId") == {"OwnerId": user}


def test_a_renewed_login_keeps_precondition_and_assignment_header(
    connector: Salesforce, office: Office, admin: Admin, clock: Clock
) -> None:
    lead = office.make("Lead")
    seen = version(connector, lead)
    clock.advance(5)
    office.edit(lead, Title="by hand")
    owner = held(connector, lead, "OwnerId")
    admin.post("/tokens/revoke", system="salesforce")
    assert kinds(connector.write([edit(1, lead, seen, Title="by us")])) == ["moved"]
    admin.post("/tokens/revoke", system="salesforce")
    assert kinds(connector.write([edit(2, lead, Title="by us")])) == ["applied"]
    assert held(connector, lead, "OwnerId") == owner


def test_a_token_that_keeps_expiring_costs_three_logins(connector: Salesforce, office: Office, admin: Admin) -> None:
    connector.identity()
    for _ in range(10):
        admin.post("/tokens/revoke", system="salesforce")
        try:
            connector.now()
            connector.identity()
        except AccessDenied:
            continue
    logins = [line for line in office.requests() if line["path"].endswith("/token")]
    assert len(logins) == 3


def test_a_background_touch_does_not_trip_the_precondition(
    connector: Salesforce, office: Office, emulator: Emulator, clock: Clock
) -> None:
    ref = office.make()
    clock.advance(5)
    touch(emulator, ref)
    seen = version(connector, ref)
    assert "/" in seen
    assert kinds(connector.write([edit(1, ref, seen, Title="CTO")])) == ["applied"]


def touch(emulator: Emulator, ref: Ref) -> None:
    """A roll-up moves SystemModstamp and not LastModifiedDate."""

    def run() -> None:
        row = emulator.world.spaces["salesforce"].row(ref.object_type, ref.id)
        assert row is not None
        with emulator.world.transaction("salesforce", Actor("system", "system")) as transaction:
            transaction.update(row, {"Description": row.values.get("Description")}, system_only=True)

    emulator.call(run)


def test_a_delete_with_a_version_leaves_a_touched_record(connector: Salesforce, office: Office, clock: Clock) -> None:
    ref, merged, survivor = (office.make() for _ in range(3))
    seen, old = version(connector, ref), version(connector, merged)
    clock.advance(5)
    office.edit(ref, Title="by hand")
    office.merge(survivor, merged)
    assert kinds(connector.write([Write("E-1", "delete", "Contact", ref.id, {}, expects_version=seen)])) == ["moved"]
    [outcome] = connector.write([Write("E-2", "delete", "Contact", merged.id, {}, expects_version=old)])
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.other_id) == ("moved", survivor.id)
    now = version(connector, ref)
    assert kinds(connector.write([Write("E-3", "delete", "Contact", ref.id, {}, expects_version=now)])) == ["applied"]
    assert kinds(connector.write([Write("E-4", "delete", "Contact", ref.id, {}, expects_version=now)])) == ["gone"]
    assert connector.read([ref], []) == [Gone(ref)]


def test_creates_with_a_key_are_one_call_and_repeat_safely(connector: Salesforce, office: Office) -> None:
    def creates(first: int) -> list[Write]:
        return [
            Write(f"E-{first + n}", "create", "Contact", None, {"LastName": f"P {n}"}, key=("Truce_Key__c", f"p-{n}-1"))
            for n in range(200)
        ]

    connector.schema("Contact")
    before = len(office.requests())
    made = connector.write(creates(0))
    assert len(office.requests()) - before == 1
    assert {outcome.status for outcome in made} == {"applied"}
    again = connector.write(creates(1000))
    assert [outcome.record_id for outcome in again] == [outcome.record_id for outcome in made]
    assert len(connector.find("Contact", "Truce_Key__c", "p-7-1", [])) == 1


def test_after_a_lost_reply_nothing_later_goes_to_the_same_record(connector: Salesforce, office: Office) -> None:
    """It may still land, over what was sent behind it."""
    ref = office.make()
    connector.schema("Contact")
    office.fault("drop_after", "PATCH", "/composite/sobjects")
    first, second = connector.write([edit(1, ref, Title="CTO"), edit(2, ref, Title="CEO")])
    assert first.status == "unknown"
    assert second.error is not None
    assert (second.error.kind, second.error.code) == ("throttled", "NOT_SENT")
    assert held(connector, ref, "Title") == {"Title": "CTO"}


def test_a_lost_create_is_one_record_under_its_key(connector: Salesforce, office: Office) -> None:
    connector.schema("Contact")
    office.fault("drop_after", "PATCH", "/composite/sobjects/*")
    write = Write("E-1", "create", "Contact", None, {"LastName": "X"}, key=("Truce_Key__c", "p-1-1"))
    assert kinds(connector.write([write])) == ["unknown"]
    [found] = connector.find("Contact", "Truce_Key__c", "p-1-1", ["LastName"])
    [again] = connector.write([write])
    assert again.record_id == found.ref.id


def test_a_create_belongs_to_its_account(connector: Salesforce, office: Office) -> None:
    account = office.make("Account", Name="Engines")
    write = Write("E-1", "create", "Contact", None, {"LastName": "X"}, parents={"company": account.id})
    [outcome] = connector.write([write])
    ref = Ref("salesforce", "Contact", str(outcome.record_id))
    assert held(connector, ref, "AccountId") == {"AccountId": account.id}


def test_a_create_under_a_vanished_account_is_a_wrong_value_and_not_gone(connector: Salesforce, office: Office) -> None:
    account = office.make("Account", Name="Engines")
    office.delete(account)
    write = Write("E-1", "create", "Contact", None, {"LastName": "X"}, parents={"company": account.id})
    assert kinds(connector.write([write])) == ["validation"]


@pytest.mark.parametrize(
    ("fields", "kind", "named"),
    [
        ({"Email": "no address"}, "validation", ("Email",)),
        ({"Title": "x" * 200}, "validation", ("Title",)),
        ({"LastName": None}, "validation", ("LastName",)),
        ({"AccountId": "001000000000000AAA"}, "validation", ()),
        ({"Name": "Ada"}, "permission", ("Name",)),
        ({"Nickname": "Ada"}, "validation", ("Nickname",)),
    ],
)
def test_a_refused_row_names_its_field_and_leaves_the_others(
    connector: Salesforce, office: Office, fields: dict[str, Any], kind: str, named: tuple[str, ...]
) -> None:
    refs = [office.make() for _ in range(3)]
    writes = [edit(number, ref, Title="CTO") for number, ref in enumerate(refs)]
    writes[1] = edit(1, refs[1], **fields)
    outcomes = connector.write(writes)
    assert kinds(outcomes) == ["applied", kind, "applied"]
    assert outcomes[1].error is not None
    assert outcomes[1].error.fields == named


def test_the_vendor_s_rewriting_is_left_to_the_read_back(connector: Salesforce, office: Office) -> None:
    ref = office.make()
    [outcome] = connector.write([edit(1, ref, Email=" ADA@Example.com ", Title="  ", Phone=" 1 2 ")])
    assert (outcome.status, outcome.observed, outcome.version) == ("applied", {}, None)
    assert held(connector, ref, "Email", "Title", "Phone") == {
        "Email": "ada@example.com",
        "Title": None,
        "Phone": "1 2",
    }


def test_a_spent_allowance_stops_reads_and_refuses_writes(connector: Salesforce, office: Office, admin: Admin) -> None:
    ref = office.make()
    connector.schema("Contact")
    admin.post("/settings", system="salesforce", name="daily_requests", value=0)
    with pytest.raises(Unavailable) as caught:
        connector.read([ref], ["Title"])
    assert "REQUEST_LIMIT_EXCEEDED" in caught.value.why
    assert kinds(connector.write([edit(1, ref, Title="CTO")])) == ["throttled"]
    assert connector.now()


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "html_200", "truncate", "status"])
@pytest.mark.parametrize(
    ("method", "route", "write"),
    [
        ("PATCH", "/composite/sobjects", lambda ref, version: edit(1, ref, Title="CTO")),
        ("PATCH", "/sobjects/Contact/*", lambda ref, version: edit(1, ref, version, Title="CTO")),
        ("DELETE", "/composite/sobjects", lambda ref, v: Write("E-1", "delete", "Contact", ref.id, {}, None, v)),
        ("DELETE", "/composite/sobjects", lambda ref, v: Write("E-1", "delete", "Contact", ref.id, {})),
        ("POST", "/sobjects/Contact/", lambda ref, v: Write("E-1", "create", "Contact", None, {"LastName": "X"})),
    ],
)
def test_a_reply_that_got_lost_is_unknown_and_was_asked_for_once(
    connector: Salesforce,
    office: Office,
    action: str,
    method: str,
    route: str,
    write: Callable[[Ref, str], Write],
) -> None:
    ref = office.make()
    sent = write(ref, version(connector, ref))
    office.fault(action, method, route)
    if action == "truncate" and method in ("PATCH", "DELETE") and "composite" not in route:
        assert kinds(connector.write([sent])) in (["unknown"], ["applied"])  # 204 has no body to cut
    else:
        assert kinds(connector.write([sent])) == ["unknown"]
    asked = [line for line in office.requests() if line["method"] == method and fnmatch(line["path"], f"*{route}")]
    assert len(asked) == 1
    assert len(office.our_changes()) == (1 if action in ("drop_after", "truncate") else 0)


def test_nothing_of_ours_is_unknown_to_the_emulator(connector: Salesforce, office: Office, admin: Admin) -> None:
    ref = office.make()
    connector.identity()
    connector.owners()
    connector.write([edit(1, ref, Title="CTO")])
    connector.read([ref], ["Title"])
    assert admin.get("/unknown") == []


def test_the_authors_of_more_records_than_one_read_takes_are_all_told(
    connector: Salesforce, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An undo of thousands asks for all of them; one read takes 2,000."""
    monkeypatch.setattr("connectors.salesforce.reading.READ_CHUNK", 2)
    refs = [office.make("Contact" if number % 2 else "Lead") for number in range(5)]
    for ref in refs:
        office.edit(ref, FirstName="Ada")
    told = connector.authors([(ref, "FirstName") for ref in refs])
    assert set(told) == {(ref, "FirstName") for ref in refs}
    assert all(author.is_person for author in told.values())
