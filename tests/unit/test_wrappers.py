"""Connectors around a connector keep the port's promises themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from agent.connector import (
    Connector,
    FieldSchema,
    IsKnown,
    ObjectSchema,
    Page,
    Window,
    Write,
    nothing_known,
)
from agent.errors import AccessDenied, BadReply, Unavailable
from agent.records import Record, Ref
from connectors.memory import Memory
from connectors.wrappers import Call, DryRun, Pace, ReadOnly, Recorded, Throttled

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
FIELDS = {name: FieldSchema(name, name, "text", writable=True) for name in ("name", "email")}
WINDOW = Window(None, NOW + timedelta(seconds=1))
ADA = Ref("memory", "people", "1001")
EDIT = Write("E-1", "update", "people", "1001", {"name": "Ada L."})


class Time:
    """Monotonic seconds; sleeping moves them."""

    def __init__(self) -> None:
        self.now = 500.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def memory() -> Memory:
    found = Memory.of("memory", [ObjectSchema("memory", "people", "People", FIELDS)], lambda: NOW)
    found.person_create("people", {"name": "Ada", "email": "ada@example.com"})
    return found


@pytest.fixture
def time() -> Time:
    return Time()


def throttled(memory: Connector, time: Time, **pace: float) -> Throttled:
    return Throttled(memory, clock=time, sleep=time.sleep, pace=Pace(**pace))


def plain(memory: Memory) -> Connector:
    return memory


def read_only(memory: Memory) -> Connector:
    return ReadOnly(memory)


def dry(memory: Memory) -> Connector:
    return DryRun(memory)


def paced(memory: Memory) -> Connector:
    return throttled(memory, Time())


def recorded(memory: Memory) -> Connector:
    return Recorded(memory, lambda call: None)


def stacked(memory: Memory) -> Connector:
    return Recorded(ReadOnly(throttled(DryRun(memory), Time())), lambda call: None)


@pytest.mark.parametrize("wrap", [plain, read_only, dry, paced, recorded, stacked])
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


def test_dry_run_refuses_and_keeps_what_it_would_have_sent(memory: Memory) -> None:
    connector = DryRun(memory)
    [outcome] = connector.write([EDIT])
    assert outcome.status == "rejected"
    assert outcome.error is not None
    assert outcome.error.code == "DRY_RUN"
    assert connector.would_write == [EDIT]
    assert memory.calls["write"] == 0


@pytest.mark.parametrize("wrap", [plain, paced, recorded])
def test_writing_passes_through_where_it_should(memory: Memory, wrap: Callable[[Memory], Connector]) -> None:
    [outcome] = wrap(memory).write([EDIT])
    assert outcome.status == "applied"
    assert memory.live("people")["1001"]["name"] == "Ada L."


def test_a_burst_is_free_and_then_calls_are_spaced(memory: Memory, time: Time) -> None:
    connector = throttled(memory, time, calls_per_second=4, burst=3)
    for _ in range(5):
        connector.now()
    assert time.slept == [0.25, 0.25]
    time.now += 10
    connector.now()
    assert len(time.slept) == 2


def test_the_bucket_never_holds_more_than_the_burst(memory: Memory, time: Time) -> None:
    connector = throttled(memory, time, calls_per_second=4, burst=2)
    time.now += 3600
    for _ in range(3):
        connector.now()
    assert len(time.slept) == 1


def test_a_failing_vendor_is_left_alone_longer_and_longer(memory: Memory, time: Time) -> None:
    connector = throttled(memory, time, first_pause=5, longest_pause=15)
    memory.go_down(times=4)
    pauses = []
    for _ in range(4):
        with pytest.raises(Unavailable):
            connector.now()
        with pytest.raises(Unavailable) as caught:
            connector.now()
        assert caught.value.retry_after is not None
        pauses.append(caught.value.retry_after)
        time.now += caught.value.retry_after
    assert pauses == [5, 10, 15, 15]
    assert memory.calls["now"] == 4
    connector.now()


def test_one_success_forgets_the_failures(memory: Memory, time: Time) -> None:
    connector = throttled(memory, time, first_pause=5)
    for _ in range(2):
        memory.go_down()
        with pytest.raises(Unavailable):
            connector.now()
        with pytest.raises(Unavailable) as caught:
            connector.now()
        assert caught.value.retry_after == 5
        time.now += 5
        connector.now()


def test_the_vendor_s_own_pause_is_kept(memory: Memory, time: Time) -> None:
    connector = throttled(memory, time)
    memory.go_down(error=Unavailable("busy", system="memory", retry_after=90.0))
    with pytest.raises(Unavailable):
        connector.write([EDIT])
    time.now += 89
    with pytest.raises(Unavailable):
        connector.read([ADA], ["name"])
    time.now += 1
    assert isinstance(connector.read([ADA], ["name"])[0], Record)


def test_a_call_refused_as_too_much_closes_the_door_too(memory: Memory, time: Time) -> None:
    connector = throttled(memory, time, first_pause=5)
    memory.reject("throttled", times=2)
    for pause in (5, 10):
        assert connector.write([EDIT])[0].status == "rejected"
        with pytest.raises(Unavailable) as caught:
            connector.write([EDIT])
        assert caught.value.retry_after == pause
        time.now += pause
    assert memory.calls["write"] == 2


def test_a_locked_row_does_not_close_the_door(memory: Memory, time: Time) -> None:
    connector = throttled(memory, time)
    memory.person_create("people", {"name": "Grace"})
    memory.reject("throttled")
    outcomes = connector.write([EDIT, Write("E-2", "update", "people", "1002", {"name": "Grace H."})])
    assert [outcome.status for outcome in outcomes] == ["rejected", "applied"]
    connector.now()


def test_another_failure_is_no_reason_to_wait(memory: Memory, time: Time) -> None:
    connector = throttled(memory, time)
    memory.go_down(error=BadReply("a page of a hotel", system="memory"))
    with pytest.raises(BadReply):
        connector.now()
    connector.now()


def test_every_page_is_a_call(memory: Memory, time: Time) -> None:
    for number in range(250):
        memory.person_create("people", {"name": str(number)})
    connector = throttled(memory, time, calls_per_second=1, burst=1)
    assert len(list(connector.changed("people", ["name"], WINDOW))) == 3
    assert len(time.slept) == 3


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
            self, object_type: str, fields: Sequence[str], window: Window, is_known: IsKnown = nothing_known
        ) -> Iterator[Page]:
            yield from self.inner.changed(object_type, fields, window, is_known)
            raise Unavailable("gone", system="memory")

    notes: list[Call] = []
    with pytest.raises(Unavailable):
        list(Recorded(Breaking(memory), notes.append).changed("people", ["name"], WINDOW))
    assert notes == [Call("changed", "people", 0, {"Record": 1, "Unavailable": 1})]
