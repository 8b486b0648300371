"""Connectors around a connector keep the port's promises themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from agent.connector import (
    Connector,
    FieldSchema,
    Known,
    ObjectSchema,
    Page,
    Window,
    Write,
    nothing_known,
)
from agent.declaration import Names
from agent.errors import AccessDenied, Unavailable
from agent.records import Ref
from agent.together import IN_TURN, Together
from connectors.conformance.account import examine
from connectors.conformance.desk import Claim, Desk
from connectors.memory import Memory
from connectors.wrappers import Call, DryRun, ReadOnly, Recorded

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
FIELDS = {name: FieldSchema(name, name, "text", writable=True) for name in ("name", "email")}
WINDOW = Window(None, NOW + timedelta(seconds=1))
ADA = Ref("memory", "people", "1001")
EDIT = Write("E-1", "update", "people", "1001", {"name": "Ada L."})


@pytest.fixture
def memory() -> Memory:
    found = Memory.of("memory", [ObjectSchema("memory", "people", "People", FIELDS)], lambda: NOW)
    found.person_create("people", {"name": "Ada", "email": "ada@example.com"})
    return found


def plain(memory: Memory) -> Connector:
    return memory


def read_only(memory: Memory) -> Connector:
    return ReadOnly(memory)


def dry(memory: Memory) -> Connector:
    return DryRun(memory)


def recorded(memory: Memory) -> Connector:
    return Recorded(memory, lambda call: None)


def stacked(memory: Memory) -> Connector:
    return Recorded(ReadOnly(DryRun(memory)), lambda call: None)


@pytest.mark.parametrize("wrap", [plain, read_only, dry, recorded, stacked])
def test_reading_passes_through_unchanged(memory: Memory, wrap: Callable[[Memory], Connector]) -> None:
    connector = wrap(memory)
    assert connector.system == "memory"
    assert connector.capabilities == memory.capabilities
    assert connector.identity() == memory.identity()
    assert connector.now() == NOW
    assert connector.schema("people") == memory.schema("people")
    assert connector.owners() == []
    assert list(connector.changed("people", ["name"], WINDOW)) == list(memory.changed("people", ["name"], WINDOW))
    assert connector.read([ADA], ["name"]) == memory.read([ADA], ["name"])
    assert connector.find("people", "email", "ada@example.com", ["name"]) == memory.read([ADA], ["name"])
    connector.close()
    connector.close()


def test_read_only_stops_every_write_before_it_leaves(memory: Memory) -> None:
    with pytest.raises(AccessDenied):
        ReadOnly(memory).write([EDIT])
    assert memory.calls["write"] == 0


@pytest.mark.parametrize("wrap", [read_only, stacked])
def test_a_job_of_many_writes_is_stopped_as_well(memory: Memory, wrap: Callable[[Memory], Connector]) -> None:
    noted: list[str] = []
    with pytest.raises(AccessDenied):
        wrap(memory).start_bulk([EDIT], noted.append)
    assert noted == []


def test_a_dry_run_starts_no_job(memory: Memory) -> None:
    noted: list[str] = []
    connector = DryRun(memory)
    [outcome] = connector.start_bulk([EDIT], noted.append)
    assert (outcome.status, connector.would_write, noted) == ("rejected", [EDIT], [])


@pytest.mark.parametrize("wrap", [read_only, dry, recorded, stacked])
def test_what_is_known_and_how_old_a_description_may_be_is_passed_on(
    memory: Memory, wrap: Callable[[Memory], Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def schema(self: Memory, object_type: str, seen_within: float = 0.0) -> ObjectSchema:
        asked.append(seen_within)
        return ObjectSchema("memory", object_type, "People", FIELDS)

    window = Window(NOW - timedelta(hours=1), NOW + timedelta(seconds=1))
    everybody = list(wrap(memory).changed("people", ["name"], window))
    news = list(wrap(memory).changed("people", ["name"], window, frozenset))
    assert (sum(len(page.items) for page in everybody), sum(len(page.items) for page in news)) == (1, 0)
    monkeypatch.setattr(Memory, "schema", schema)
    wrap(memory).schema("people", 600.0)
    assert asked == [600.0]


def test_a_claim_that_says_nothing_of_writing_writes_nothing_all_the_same(memory: Memory) -> None:
    """Without leave no write of the suite leaves, whatever a claim declares."""

    def sneaky(desk: Desk) -> None:
        desk.connector.write([EDIT])

    names = Names("people", "email", "name", "name", "name", "", "companies", "name")
    claim = Claim("sneaky", sneaky, frozenset(), "here")
    report = examine(memory, names=names, claims=[claim], may_write=False, is_patient=False, mark="x",
                     sleep=lambda seconds: None, said=lambda finding: None)  # fmt: skip
    assert [finding.result for finding in report.findings] == ["untried"]
    assert memory.calls["write"] == 0


def test_dry_run_refuses_and_keeps_what_it_would_have_sent(memory: Memory) -> None:
    connector = DryRun(memory)
    [outcome] = connector.write([EDIT])
    assert outcome.status == "rejected"
    assert outcome.error is not None
    assert outcome.error.code == "DRY_RUN"
    assert connector.would_write == [EDIT]
    assert memory.calls["write"] == 0


@pytest.mark.parametrize("wrap", [plain, recorded])
def test_writing_passes_through_where_it_should(memory: Memory, wrap: Callable[[Memory], Connector]) -> None:
    [outcome] = wrap(memory).write([EDIT])
    assert outcome.status == "applied"
    assert memory.live("people")["1001"]["name"] == "Ada L."


def test_notes_count_and_never_quote(memory: Memory) -> None:
    notes: list[Call] = []
    connector = Recorded(memory, notes.append)
    list(connector.changed("people", ["name"], WINDOW))
    connector.read([ADA, Ref("memory", "people", "9")], ["name"])
    connector.find("people", "email", "ada@example.com", ["name"])
    connector.write([EDIT])
    memory.go_down()
    with pytest.raises(Unavailable):
        connector.now()
    assert notes == [
        Call("changed", "people", 0, {"Record": 1}),
        Call("read", "people", 2, {"Record": 1, "Gone": 1}),
        Call("find", "people", 1, {"Record": 1}),
        Call("write", "people", 1, {"applied": 1}),
        Call("now", "", 0, {"Unavailable": 1}),
    ]
    assert "Ada" not in repr(notes)
    assert "example" not in repr(notes)


def test_a_pull_that_breaks_half_way_is_noted_with_what_came(memory: Memory) -> None:
    class Breaking(ReadOnly):
        def changed(
            self,
            object_type: str,
            fields: Sequence[str],
            window: Window,
            known: Known = nothing_known,
            together: Together = IN_TURN,
        ) -> Iterator[Page]:
            yield from self.inner.changed(object_type, fields, window, known, together)
            raise Unavailable("gone", system="memory")

    notes: list[Call] = []
    with pytest.raises(Unavailable):
        list(Recorded(Breaking(memory), notes.append).changed("people", ["name"], WINDOW))
    assert notes == [Call("changed", "people", 0, {"Record": 1, "Unavailable": 1})]
