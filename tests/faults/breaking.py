"""Where a process can die: at every commit of its two files and at every HTTP call. Counted, then made to happen.

``Power`` numbers these places in one run. When it is cut, the process is dead: either really (SIGKILL, in a process of
its own), or in this process, by an exception that nothing catches and after which no store and no vendor can be
reached any more, so that no ``finally`` does what a dead process could not. What SQLite has not committed is gone in
both; the one difference is that closing the files here moves the write-ahead log into them, which is why every commit
is killed for real as well.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import pytest
from urllib3.connectionpool import HTTPConnectionPool

from agent.changes import State
from agent.errors import StorageFull
from agent.ledger.ledger import Ledger
from agent.store import Store

Kind = Literal["ledger", "mirror", "http"]
Side = Literal["before", "after"]


class Killed(BaseException):
    """The process ended here. No ``except Exception`` sees it."""


@dataclass(frozen=True, slots=True)
class Place:
    """The ``nth`` commit of a file, or HTTP call, from 1; just before it or just after it."""

    kind: Kind
    nth: int
    side: Side

    def __str__(self) -> str:
        return f"{self.side}-{self.kind}-{self.nth}"


def really() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_this_process() -> None:
    raise Killed


@dataclass(slots=True)
class Power:
    """Counts every place; cuts at one of them."""

    cut_at: Place | None = None
    die: Callable[[], None] = in_this_process
    is_on: bool = True
    counts: dict[str, int] = field(default_factory=lambda: {"ledger": 0, "mirror": 0, "http": 0})
    writing_calls: list[int] = field(default_factory=list)
    """Numbers of the HTTP calls that carried ledger entries."""
    before_writing: Callable[[int, str, str], None] = lambda nth, method, url: None
    """Told of the ``nth`` such call, from 1, before it leaves."""
    _one_by_one: Lock = field(default_factory=Lock)

    def reach(self, kind: Kind) -> int:
        """A place of this kind is about to happen; its number."""
        self.need()
        with self._one_by_one:
            self.counts[kind] += 1
            return self.counts[kind]

    def write(self, number: int, method: str, url: str) -> None:
        """This HTTP call is about to carry ledger entries."""
        with self._one_by_one:
            self.writing_calls.append(number)
            nth = len(self.writing_calls)
        self.before_writing(nth, method, url)

    def pass_by(self, kind: Kind, nth: int, side: Side) -> None:
        if self.cut_at == Place(kind, nth, side):
            self.is_on = False
            self.die()

    def need(self) -> None:
        if not self.is_on:
            raise Killed


@contextmanager
def powered(power: Power, ledger: Path) -> Iterator[None]:
    """Everything our code does from here on needs this power; whatever it sends must be in this ledger by then."""
    begun, read, tuples, call = Store._begun, Store.read, Store.read_tuples, HTTPConnectionPool.urlopen

    @contextmanager
    def commit(self: Store) -> Iterator[None]:
        kind: Kind = "mirror" if self.path.name == "mirror.db" else "ledger"
        power.need()
        with begun(self):
            yield
            number = power.reach(kind)
            power.pass_by(kind, number, "before")
        power.pass_by(kind, number, "after")

    def powered_read(self: Store, *args: Any) -> Any:
        power.need()
        return read(self, *args)

    def powered_tuples(self: Store, *args: Any) -> Any:
        power.need()
        return tuples(self, *args)

    def send(self: HTTPConnectionPool, method: str, url: str, *args: Any, **options: Any) -> Any:
        number = power.reach("http")
        if assert_recorded(ledger, options.get("headers") or {}):
            power.write(number, method, url)
        power.pass_by("http", number, "before")
        reply = call(self, method, url, *args, **options)
        power.pass_by("http", number, "after")
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "_begun", commit)
        patch.setattr(Store, "read", powered_read)
        patch.setattr(Store, "read_tuples", powered_tuples)
        patch.setattr(HTTPConnectionPool, "urlopen", send)
        yield


def assert_recorded(ledger: Path, headers: Mapping[str, str]) -> bool:
    """Recorded first: what is about to leave is committed, as a second pair of eyes sees it, and counts as sent.

    Returns whether this request carries ledger entries.
    """
    names = headers.get("X-Truce-Entry")
    if not names:
        return False
    eyes = Ledger.open_read_only(ledger, clock=lambda: datetime.now(UTC))
    try:
        for name in names.split(","):
            entry = eyes.entry(name)
            assert entry.state is State.INTENDED, f"{name} is sent while it is {entry.state}"
            assert entry.attempts >= 1
    finally:
        eyes.close()
    return True


@contextmanager
def full_disk(kind: Kind, nth: int, *, lasts: bool) -> Iterator[None]:
    """No page can be added for the ``nth`` transaction of this file, or from it on.

    SQLite itself answers SQLITE_FULL; a transaction that fits into the pages there are goes through, as on a real disk,
    and so the commit is refused outright if it did.
    """
    begun = Store._begun
    seen = 0

    @contextmanager
    def cramped(self: Store) -> Iterator[None]:
        nonlocal seen
        is_this = (self.path.name == "mirror.db") == (kind == "mirror")
        seen += is_this
        if not is_this or seen < nth or (seen > nth and not lasts):
            with begun(self):
                yield
            return
        with begun(self):
            yield
            raise StorageFull(f"{self.path.name} cannot be written, so nothing more is sent", why="disk is full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "_begun", cramped)
        yield
