"""Login, descriptions and the accounting of answers, against a scripted Salesforce."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from scripted_salesforce import (
    CONTACT,
    EXPIRED,
    ORGANIZATION,
    OTHER_CONTACT,
    TOKEN,
    Answer,
    Asked,
    ScriptedSalesforce,
    Ticks,
    connect,
    page,
    problem,
    row,
    scripted_salesforce,
)

from agent.connector import Write
from agent.errors import AccessDenied, BadReply, ConfigError, NotFound, Unavailable
from agent.records import Ref
from connectors.salesforce.connector import Salesforce
from connectors.salesforce.schema import FRESH_SECONDS

THIRD_CONTACT = "003000000000003AAA"


@pytest.fixture
def server() -> Iterator[ScriptedSalesforce]:
    with scripted_salesforce() as script:
        yield script


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def connector(server: ScriptedSalesforce, ticks: Ticks) -> Iterator[Salesforce]:
    found = connect(server, ticks)
    yield found
    found.close()


def edit(number: int, record_id: str, **fields: Any) -> Write:
    return Write(f"E-{number}", "update", "Contact", record_id, fields or {"LastName": "Hopper"})


def done(record_id: str, **more: Any) -> dict[str, Any]:
    return {"id": record_id, "success": True, "errors": [], **more}


def failed(code: str = "STRING_TOO_LONG") -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": "text", "fields": []}]}


def statuses(connector: Salesforce, *writes: Write) -> list[str]:
    return [outcome.status for outcome in connector.write(writes)]


TWO = (edit(1, CONTACT), edit(2, OTHER_CONTACT))


def test_twenty_threads_with_one_expired_token_log_in_once(connector: Salesforce, server: ScriptedSalesforce) -> None:
    def answer(asked: Asked) -> Answer:
        return EXPIRED if asked.headers["Authorization"].endswith("-1") else Answer(200, [])

    server.answer_by = answer
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: connector.now(), range(20)))
    assert server.logins == 2


@pytest.mark.parametrize("domain", ["login", "test", "", "acme.my.salesforce.com", "evil.example/x", "acme my", "a@b"])
def test_only_my_domain_is_a_domain(server: ScriptedSalesforce, ticks: Ticks, domain: str) -> None:
    with pytest.raises(ConfigError):
        connect(server, ticks, domain=domain)


@pytest.mark.parametrize(
    "base",
    [
        "http://emulator.example:80",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "127.0.0.1:80",
        "http://127.0.0.1.evil.example",
    ],
)
def test_a_token_never_travels_in_clear_text(server: ScriptedSalesforce, ticks: Ticks, base: str) -> None:
    with pytest.raises(ConfigError):
        connect(server, ticks, base_url=base)


@pytest.mark.parametrize("base", ["https://emulator.example", "http://localhost:1", "http://[::1]:1", None])
def test_https_and_this_computer_are_fine(server: ScriptedSalesforce, ticks: Ticks, base: str | None) -> None:
    connect(server, ticks, base_url=base).close()


def test_a_login_that_names_a_foreign_instance_is_refused(connector: Salesforce, server: ScriptedSalesforce) -> None:
    for foreign in ("https://evil.example", "https://my.salesforce.com.evil.example", "http://acme.my.salesforce.com"):
        server.login_answer = Answer(200, {**server.token(), "instance_url": foreign})
        with pytest.raises(BadReply):
            connector.now()
    assert server.asked == []


def test_the_emulator_may_name_its_own_address(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.login_answer = Answer(200, {**server.token(), "instance_url": server.url})
    server.script(Answer(200, []))
    assert connector.now().isoformat() == "2026-11-24T10:00:00+00:00"


@pytest.mark.parametrize(
    "answer", [Answer(200, {}), Answer(200, []), Answer(200, b"<html>"), Answer(200, {"access_token": "fake"})]
)
def test_a_login_without_a_token_is_no_login(connector: Salesforce, server: ScriptedSalesforce, answer: Answer) -> None:
    server.login_answer = answer
    with pytest.raises(BadReply):
        connector.now()


def test_an_unreachable_login_is_tried_again_and_not_counted(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.login_answer = Answer(503, b"<html>")
    for _ in range(5):
        with pytest.raises(Unavailable):
            connector.now()
    server.login_answer = None
    server.script(Answer(200, []))
    connector.now()


def test_a_login_that_leads_to_another_account_stops(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(200, []), EXPIRED)
    connector.now()
    other = "https://login.salesforce.com/id/00D000000000002EAA/005000000000001AAA"
    server.login_answer = Answer(200, {**server.token(), "id": other})
    with pytest.raises(AccessDenied, match="another account"):
        connector.now()


def test_a_redirect_is_an_answer_and_is_not_followed(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(302, b"", {"Location": "https://acme.my.salesforce.com/services/data/"}))
    with pytest.raises(Unavailable):
        connector.read([Ref("salesforce", "Contact", CONTACT)], ["LastName"])
    assert len(server.asked) == 1


def test_no_login_of_the_environment_travels(
    connector: Salesforce, server: ScriptedSalesforce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login stranger password fake-password\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.script(Answer(200, []))
    connector.now()
    assert [asked.headers["Authorization"] for asked in server.asked] == [f"Bearer {TOKEN}-1"]


def test_identity_names_account_and_user(connector: Salesforce, server: ScriptedSalesforce) -> None:
    organization = {"Id": ORGANIZATION, "Name": "Acme", "IsSandbox": True, "TimeZoneSidKey": "Europe/Berlin"}
    server.script(page(organization))
    identity = connector.identity()
    assert (identity.account_id, identity.user_id) == (ORGANIZATION, "005000000000001AAA")
    assert (identity.name, identity.is_production, identity.time_zone) == ("Acme", False, "Europe/Berlin")


def test_identity_of_another_organization_than_the_login_is_refused(
    connector: Salesforce, server: ScriptedSalesforce
) -> None:
    server.script(page({"Id": "00D000000000002EAA", "Name": "Other", "IsSandbox": False}))
    with pytest.raises(BadReply):
        connector.identity()


def test_schema_leaves_out_compound_fields_and_marks_the_rest(
    connector: Salesforce, server: ScriptedSalesforce
) -> None:
    schema = connector.schema("Contact")
    assert "MailingAddress" not in schema.fields
    assert schema.fields["LastName"].required
    assert not schema.fields["HasOptedOutOfEmail"].required
    assert not schema.fields["Id"].writable
    assert schema.fields["Truce_Key__c"].unique
    assert schema.fields["Score__c"].type == "number"


def test_an_object_in_another_spelling_is_not_found(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.description = lambda name: ScriptedSalesforce.description(server, "Contact")
    with pytest.raises(NotFound) as caught:
        connector.schema("contact")
    assert "'Contact'" in caught.value.why


def test_a_description_is_asked_again_after_a_while_and_not_before(
    connector: Salesforce, server: ScriptedSalesforce, ticks: Ticks
) -> None:
    server.script(Answer(200, [done(CONTACT)]))
    describes = 0
    description = server.description

    def counted(name: str) -> dict[str, Any]:
        nonlocal describes
        describes += 1
        return description(name)

    server.description = counted
    for _ in range(3):
        connector.write([TWO[0]])
    assert describes == 1
    ticks.now += FRESH_SECONDS
    connector.write([TWO[0]])
    assert describes == 2


def test_rows_are_settled_each_by_its_own_result(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(200, [done(CONTACT), failed()]))
    assert statuses(connector, *TWO) == ["applied", "rejected"]


def test_a_missing_result_is_unknown_and_the_named_one_counts(
    connector: Salesforce, server: ScriptedSalesforce
) -> None:
    server.script(Answer(200, [done(OTHER_CONTACT)]))
    assert statuses(connector, *TWO) == ["unknown", "applied"]


def test_shuffled_results_are_matched_by_id(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(200, [{**failed(), "id": OTHER_CONTACT}, done(CONTACT)]))
    assert statuses(connector, *TWO) == ["applied", "rejected"]


def test_a_nameless_failure_among_shuffled_results_settles_nobody(
    connector: Salesforce, server: ScriptedSalesforce
) -> None:
    server.script(Answer(200, [failed(), done(CONTACT)]))
    assert statuses(connector, *TWO) == ["applied", "unknown"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        [None, None],
        [{}, {}],
        [done(CONTACT), done(CONTACT)][:1] * 2,
        [done(THIRD_CONTACT)] * 2,
        [{"id": CONTACT, "success": "true", "errors": []}] * 2,
        [{"success": True, "errors": []}] * 2,
        [{"success": False}] * 2,
        [done(CONTACT), done(OTHER_CONTACT), done(THIRD_CONTACT)][2:],
    ],
)
def test_results_that_do_not_add_up_are_never_applied(
    connector: Salesforce, server: ScriptedSalesforce, body: Any
) -> None:
    server.script(Answer(200, body))
    assert statuses(connector, edit(1, OTHER_CONTACT), edit(2, "003000000000004AAA")) == ["unknown"] * 2


def test_two_creates_that_come_back_as_one_record_are_unknown(
    connector: Salesforce, server: ScriptedSalesforce
) -> None:
    server.script(Answer(200, [done(CONTACT, created=True), done(CONTACT, created=False)]))
    writes = [
        Write(f"E-{number}", "create", "Contact", None, {"LastName": "X"}, key=("Truce_Key__c", f"person-{number}-1"))
        for number in (1, 2)
    ]
    assert statuses(connector, *writes) == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (problem(403, "REQUEST_LIMIT_EXCEEDED"), "rejected"),
        (problem(400, "JSON_PARSER_ERROR"), "rejected"),
        (Answer(503, b"<html>"), "unknown"),
        (Answer(408, b""), "unknown"),
        (Answer(hang_up=True), "unknown"),
        (Answer(200, [done(CONTACT)], cut=10), "unknown"),
    ],
)
def test_a_failed_call_is_one_verdict_for_every_record_of_it(
    connector: Salesforce, server: ScriptedSalesforce, answer: Answer, status: str
) -> None:
    server.script(answer)
    assert statuses(connector, *TWO) == [status] * 2


def test_a_spent_allowance_reads_as_throttled(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(problem(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
    [outcome] = connector.write([TWO[0]])
    assert outcome.error is not None
    assert outcome.error.kind == "throttled"


def test_a_refused_connection_raises_because_nothing_was_sent(ticks: Ticks) -> None:
    with scripted_salesforce() as server:
        connector = connect(server, ticks)
        connector.schema("Contact")
        connector._session.close()
    with pytest.raises(Unavailable):
        connector.write([TWO[0]])


def test_creates_without_a_key_go_one_by_one_and_the_unsent_rest_is_rejected(
    connector: Salesforce, server: ScriptedSalesforce
) -> None:
    server.script(Answer(201, done(CONTACT)), problem(401, "INVALID_AUTH_HEADER"))
    writes = [Write(f"E-{number}", "create", "Contact", None, {"LastName": "X"}) for number in (1, 2, 3)]
    outcomes = connector.write(writes)
    assert [outcome.status for outcome in outcomes] == ["applied", "rejected", "rejected"]
    assert outcomes[2].error is not None
    assert outcomes[2].error.code == "NOT_SENT"
    assert [asked.headers["X-Truce-Entry"] for asked in server.asked] == ["E-1", "E-2"]


def test_a_record_named_twice_takes_two_calls_in_order(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(200, [done(CONTACT), done(OTHER_CONTACT)]), Answer(200, [done(CONTACT)]))
    assert statuses(connector, *TWO, edit(3, CONTACT, Email="x@example.com")) == ["applied"] * 3
    assert [asked.headers["X-Truce-Entry"] for asked in server.asked] == ["E-1,E-2", "E-3"]


def test_a_lost_reply_holds_back_what_comes_after_it(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(hang_up=True), Answer(200, [done(CONTACT)]))
    assert statuses(connector, *TWO, edit(3, CONTACT, Email="x@example.com")) == ["unknown", "unknown", "rejected"]
    assert len(server.asked) == 1


def test_a_merged_record_is_moved_to_its_survivor(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(
        Answer(200, [failed("ENTITY_IS_DELETED"), failed("ENTITY_IS_DELETED")]),
        Answer(200, [None, None]),
        page(row(CONTACT, IsDeleted=True, MasterRecordId=THIRD_CONTACT), row(OTHER_CONTACT, IsDeleted=True)),
    )
    outcomes = connector.write(TWO)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    assert [(error.kind, error.other_id) for error in errors] == [("moved", THIRD_CONTACT), ("gone", None)]


def test_a_failing_look_for_the_survivor_leaves_the_verdict(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(200, [failed("ENTITY_IS_DELETED")]), Answer(hang_up=True))
    [outcome] = connector.write([TWO[0]])
    assert outcome.error is not None
    assert outcome.error.kind == "gone"


def test_entry_ids_travel_in_the_order_of_the_records(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(200, [done(CONTACT), done(OTHER_CONTACT)]))
    connector.write(TWO)
    [asked] = server.asked
    assert asked.headers["X-Truce-Entry"] == "E-1,E-2"
    assert [record["id"] for record in asked.json["records"]] == [CONTACT, OTHER_CONTACT]
    assert asked.json["allOrNone"] is False


def test_one_unfit_record_does_not_spoil_the_call(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(200, [done(OTHER_CONTACT)]))
    unfit = edit(1, CONTACT, Score__c="many")
    hidden = edit(3, THIRD_CONTACT, Secret__c="x")
    assert statuses(connector, unfit, TWO[1], hidden) == ["rejected", "applied", "rejected"]
    assert server.asked[0].headers["X-Truce-Entry"] == "E-2"


def test_an_upsert_goes_by_the_link_key_alone(connector: Salesforce, server: ScriptedSalesforce) -> None:
    write = Write("E-1", "create", "Contact", None, {"LastName": "X"}, key=("Email", "ada@example.com"))
    [outcome] = connector.write([write])
    assert outcome.error is not None
    assert outcome.error.code == "NOT_A_LINK_KEY"
    assert server.asked == []


@pytest.mark.parametrize(
    "writes",
    [
        [],
        [TWO[0], TWO[0]],
        [TWO[0], Write("E-9", "delete", "Contact", CONTACT, {})],
        [edit(number, CONTACT) for number in range(201)],
        [Write(f"E-{number}", "update", "Contact", CONTACT, {}, expects_version="x") for number in range(26)],
    ],
)
def test_a_call_that_breaks_the_contract_is_a_bug(connector: Salesforce, writes: list[Write]) -> None:
    with pytest.raises(ValueError, match=r"write|entry id|operations"):
        connector.write(writes)


def test_412_means_moved(connector: Salesforce, server: ScriptedSalesforce) -> None:
    server.script(Answer(412, b""))
    version = "2026-11-24T09:30:00.000+0000/2026-11-24T09:00:00.000+0000"
    [outcome] = connector.write(
        [Write("E-1", "update", "Contact", CONTACT, {"LastName": "X"}, expects_version=version)]
    )
    assert outcome.error is not None
    assert outcome.error.kind == "moved"
    assert server.asked[0].headers["If-Unmodified-Since"] == "Tue, 24 Nov 2026 09:00:00 GMT"


@pytest.mark.parametrize("version", ["", "x", "2026-11-24", "2026-11-24T09:00:00"])
def test_a_version_that_is_not_ours_is_never_an_unconditional_write(
    connector: Salesforce, server: ScriptedSalesforce, version: str
) -> None:
    write = Write("E-1", "update", "Contact", CONTACT, {"LastName": "X"}, expects_version=version)
    assert statuses(connector, write) == ["rejected"]
    assert server.asked == []
