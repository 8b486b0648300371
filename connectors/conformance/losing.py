"""Claims about calls that go wrong: never a guess, never a second attempt, never a secret in a message."""

from __future__ import annotations

import traceback

from agent.connector import Op, Write
from agent.errors import BadReply, ConnectorError, Unavailable
from connectors.conformance.desk import EVERY_FAULT, Claims, Desk, Fault, holds, raises, same

LOSING = Claims("docs/add-a-connector.md#calls-that-go-wrong")
OPS: tuple[Op, ...] = ("create", "update", "delete")
LOST: tuple[Fault, ...] = ("drop_before", "drop_after", "unavailable", "html")
PRIVATE = "private.value@example.com"


@LOSING.claim("hands", "writing", "faults", op=OPS, fault=LOST)
def a_lost_reply_is_unknown_and_was_one_request(desk: Desk, op: Op, fault: Fault) -> None:
    write = desk.write_of(op, desk.made(1))
    before = len(desk.hands.api_changes())
    desk.hands.fail(fault, op)
    outcome = desk.one(write)
    same("what is known of it", (outcome.entry_id, outcome.status), (write.entry_id, "unknown"))
    same("what the outcome says is held now", dict(outcome.observed), {})
    made = len(desk.hands.api_changes()) - before
    same("changes that were made", made, 1 if fault == "drop_after" else 0)


@LOSING.claim("hands", "writing", "faults", op=OPS)
def being_throttled_is_a_definite_no(desk: Desk, op: Op) -> None:
    write = desk.write_of(op, desk.made(1))
    desk.hands.fail("throttled", op)
    with desk.nothing_changed():
        desk.refused(write, "throttled")


@LOSING.claim("hands", "faults", fault=EVERY_FAULT)
def a_failing_read_is_an_exception_after_one_request(desk: Desk, fault: Fault) -> None:
    ref = desk.made(1)
    desk.connector.identity()
    calls = {
        "identity": desk.connector.identity,
        "now": desk.connector.now,
        "read": lambda: desk.connector.read([ref], [desk.names.email]),
        "schema": lambda: desk.connector.schema(ref.object_type),
        "owners": desk.connector.owners,
    }
    for name, call in calls.items():
        before = desk.hands.requests()
        desk.hands.fail(fault, "read")
        raises((Unavailable, BadReply), call, f"{name} goes wrong")
        holds(f"{name} makes one request", desk.hands.requests() - before <= 1)


@LOSING.claim("hands", "writing", "faults")
def neither_exceptions_nor_rejections_show_secrets_or_values(desk: Desk) -> None:
    ref = desk.made(1)
    texts = []
    for fault in EVERY_FAULT:
        desk.hands.fail(fault, "read")
        error = raises(ConnectorError, lambda: desk.connector.read([ref], [desk.names.email]), "a read goes wrong")
        texts.append("".join(traceback.format_exception(error)) + repr(vars(error)))
    bad = Write("E-bad", "update", ref.object_type, ref.id, {"no_such_field": PRIVATE})
    texts.append(repr(desk.one(bad)))
    texts.append(repr(desk.one(desk.create(1)).error))
    shown = [text for text in texts for secret in (*desk.hands.secrets, PRIVATE) if secret in text]
    same("messages that show a secret or a value", len(shown), 0)
