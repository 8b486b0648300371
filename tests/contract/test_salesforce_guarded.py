"""Conditional writes by the call: nothing is overwritten that somebody changed, however many share a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from salesforce_office import Office, connect, edit, held, kinds, version
from scripted_salesforce import CONTACT, OTHER_CONTACT, Answer, Asked, ScriptedSalesforce, Ticks, scripted_salesforce
from scripted_salesforce import connect as connect_scripted

from agent.connector import Write
from agent.records import Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.clock import Clock
from connectors.emulator.serve import Emulator
from connectors.salesforce.connector import Salesforce


@pytest.fixture
def connector(emulator: Emulator, clock: Clock) -> Iterator[Salesforce]:
    found = connect(emulator, clock)
    yield found
    found.close()


@pytest.fixture
def office(admin: Admin) -> Office:
    return Office(admin)


@pytest.fixture
def many(connector: Salesforce, office: Office) -> list[tuple[Ref, str]]:
    """25 contacts, each with its version, a minute ago."""
    refs = [office.make(LastName=f"Person {number}") for number in range(25)]
    made = [(ref, version(connector, ref)) for ref in refs]
    office.admin.post("/clock/advance", seconds=60)
    return made


def composites(office: Office) -> int:
    return sum(line["path"].endswith("/composite") for line in office.requests())


def test_twenty_five_share_one_call_after_one_proof(
    connector: Salesforce, office: Office, many: list[tuple[Ref, str]]
) -> None:
    writes = [edit(number, ref, seen, Title="CTO") for number, (ref, seen) in enumerate(many)]
    before = len(office.requests())
    assert kinds(connector.write(writes)) == ["applied"] * 25
    assert len(office.requests()) - before == 2
    again = [edit(100 + number, ref, version(connector, ref), Title="CEO") for number, (ref, _) in enumerate(many)]
    before = len(office.requests())
    assert kinds(connector.write(again)) == ["applied"] * 25
    assert len(office.requests()) - before == 1


def test_a_record_that_moved_keeps_the_persons_value_and_the_others_are_written(
    connector: Salesforce, office: Office, many: list[tuple[Ref, str]]
) -> None:
    moved = [ref for ref, _ in many[3:6]]
    for ref in moved:
        office.edit(ref, Title="a person's")
    outcomes = connector.write([edit(number, ref, seen, Title="ours") for number, (ref, seen) in enumerate(many)])
    assert kinds(outcomes) == ["applied"] * 3 + ["moved"] * 3 + ["applied"] * 19
    titles = [held(connector, ref, "Title")["Title"] for ref, _ in many]
    assert titles == ["ours"] * 3 + ["a person's"] * 3 + ["ours"] * 19


def test_deleted_and_merged_records_are_told_apart(
    connector: Salesforce, office: Office, many: list[tuple[Ref, str]]
) -> None:
    deleted, loser, survivor = (ref for ref, _ in many[:3])
    office.delete(deleted)
    office.merge(survivor, loser)
    outcomes = connector.write([edit(number, ref, seen, Title="ours") for number, (ref, seen) in enumerate(many[:2])])
    assert kinds(outcomes) == ["gone", "moved"]
    assert outcomes[1].error is not None
    assert outcomes[1].error.other_id == survivor.id


def test_one_refused_value_does_not_stop_the_others(
    connector: Salesforce, office: Office, many: list[tuple[Ref, str]]
) -> None:
    (first, seen), (second, also_seen) = many[:2]
    outcomes = connector.write([edit(1, first, seen, Email="no address"), edit(2, second, also_seen, Title="CTO")])
    assert kinds(outcomes) == ["validation", "applied"]


def test_no_assignment_rule_takes_a_lead_that_is_written_in_a_shared_call(
    connector: Salesforce, office: Office
) -> None:
    leads = [office.make("Lead") for _ in range(2)]
    owners = [held(connector, lead, "OwnerId") for lead in leads]
    writes = [edit(number, lead, version(connector, lead), Title="CTO") for number, lead in enumerate(leads)]
    assert kinds(connector.write(writes)) == ["applied", "applied"]
    assert [held(connector, lead, "OwnerId") for lead in leads] == owners


def test_each_change_names_its_own_ledger_entry(
    connector: Salesforce, office: Office, many: list[tuple[Ref, str]]
) -> None:
    connector.write([edit(number, ref, seen, Title="CTO") for number, (ref, seen) in enumerate(many[:3])])
    assert [line["entry_id"] for line in office.our_changes()] == ["E-0", "E-1", "E-2"]


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "html_200", "truncate"])
def test_when_the_answer_is_lost_all_are_unknown(
    connector: Salesforce, office: Office, many: list[tuple[Ref, str]], action: str
) -> None:
    office.fault(action, "POST", "/composite", nth=2)  # the first is the proof
    outcomes = connector.write([edit(number, ref, seen, Title="CTO") for number, (ref, seen) in enumerate(many[:3])])
    assert kinds(outcomes) == ["unknown"] * 3


def test_one_record_twice_in_one_call_is_written_once(
    connector: Salesforce, office: Office, many: list[tuple[Ref, str]]
) -> None:
    """The second would meet what the first has just written, in the same second."""
    ref, seen = many[0]
    outcomes = connector.write([edit(1, ref, seen, Title="first"), edit(2, ref, seen, Title="second")])
    assert kinds(outcomes) == ["applied", "moved"]
    assert held(connector, ref, "Title") == {"Title": "first"}


def test_guarded_deletes_read_once_and_leave_what_moved(
    connector: Salesforce, office: Office, many: list[tuple[Ref, str]]
) -> None:
    office.edit(many[1][0], Title="a person's")
    writes = [
        Write(f"E-{n}", "delete", "Contact", ref.id, {}, expects_version=seen) for n, (ref, seen) in enumerate(many[:3])
    ]
    before = len(office.requests())
    assert kinds(connector.write(writes)) == ["applied", "moved", "applied"]
    assert len(office.requests()) - before == 2


# Without the proof ----------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ScriptedSalesforce]:
    with scripted_salesforce() as script:
        yield script


def sub(name: str, status: int, body: Any = None) -> dict[str, Any]:
    return {"referenceId": name, "httpStatusCode": status, "body": body, "httpHeaders": {}}


def composite(*subs: dict[str, Any]) -> Answer:
    return Answer(200, {"compositeResponse": list(subs)})


STAMP = "2026-11-24T09:00:00.000+0000"
PROOF = composite(sub("probe", 412, [{"errorCode": "PRECONDITION_FAILED", "message": "text"}]))
BOTH = [
    Write("E-1", "update", "Contact", CONTACT, {"LastName": "Hopper"}, expects_version=STAMP),
    Write("E-2", "update", "Contact", OTHER_CONTACT, {"LastName": "Hopper"}, expects_version=STAMP),
]


def written(server: ScriptedSalesforce, answer: Answer) -> list[str]:
    connector = connect_scripted(server, Ticks())
    server.script(PROOF, answer)
    outcomes = connector.write(BOTH)
    connector.close()
    return kinds(outcomes)


@pytest.mark.parametrize(
    "answer", [composite(sub("probe", 200, {"Id": CONTACT})), Answer(400, []), Answer(200, {}), composite()]
)
def test_where_the_condition_is_not_proved_each_is_a_call_of_its_own(
    server: ScriptedSalesforce, answer: Answer
) -> None:
    def by_path(asked: Asked) -> Answer:
        return answer if asked.path.endswith("/composite") else Answer(204)

    server.answer_by = by_path
    connector = connect_scripted(server, Ticks())
    assert kinds(connector.write(BOTH)) == ["applied", "applied"]
    patches = [asked for asked in server.asked if asked.method == "PATCH"]
    assert [asked.headers["If-Unmodified-Since"] for asked in patches] == ["Tue, 24 Nov 2026 09:00:00 GMT"] * 2
    connector.close()


def test_the_proof_changes_nothing_and_every_sub_request_carries_its_condition(server: ScriptedSalesforce) -> None:
    assert written(server, composite(sub("r0", 204), sub("r1", 204))) == ["applied", "applied"]
    proof, write = (asked.json["compositeRequest"] for asked in server.asked)
    assert [part["method"] for part in proof] == ["GET"]
    assert [part["httpHeaders"]["If-Unmodified-Since"] for part in write] == ["Tue, 24 Nov 2026 09:00:00 GMT"] * 2
    assert [part["httpHeaders"]["Sforce-Auto-Assign"] for part in write] == ["FALSE"] * 2


@pytest.mark.parametrize(
    ("subs", "expected"),
    [
        ([sub("r1", 204), sub("r0", 412, [{"errorCode": "X_Y", "message": ""}])], ["moved", "applied"]),
        ([sub("r1", 204)], ["unknown", "applied"]),
        ([sub("r0", 204), sub("r0", 204)], ["unknown", "unknown"]),
        ([sub("r0", 500, None), sub("r1", 204)], ["unknown", "applied"]),
        ([sub("r0", 401, [{"errorCode": "INVALID_SESSION_ID", "message": "x"}]), sub("r1", 204)], ["other", "applied"]),
        ([sub("r0", 200, {"Id": "x"}), sub("r1", 204)], ["unknown", "applied"]),
        ([], ["unknown", "unknown"]),
    ],
)
def test_sub_answers_are_matched_by_name_and_never_guessed(
    server: ScriptedSalesforce, subs: list[dict[str, Any]], expected: list[str]
) -> None:
    assert written(server, composite(*subs)) == expected


def test_a_version_that_is_none_of_ours_is_refused_unsent(server: ScriptedSalesforce) -> None:
    connector = connect_scripted(server, Ticks())
    server.script(PROOF, Answer(204))
    bad = Write("E-9", "update", "Contact", OTHER_CONTACT, {"LastName": "Hopper"}, expects_version="yesterday")
    assert kinds(connector.write([BOTH[0], bad])) == ["applied", "other"]
    connector.close()
