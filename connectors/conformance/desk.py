"""What a claim works with: a connector, hands that play everybody else, and words for what was expected and seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol, get_args

from agent.connector import Connector, Op, Page, Window, Write, WriteOutcome
from agent.declaration import Names
from agent.errors import ConnectorError
from agent.records import FieldValue, Pulled, Record, Ref

Values = Mapping[str, FieldValue]
Fault = Literal["drop_before", "drop_after", "unavailable", "throttled", "html"]
EVERY_FAULT: tuple[Fault, ...] = get_args(Fault)
Need = Literal["hands", "writing", "many", "time", "lag", "faults", "rights", "counting", "merges"]
"""What has to be arranged for a claim: records made and changed by people, our own writes, hundreds of records, hours
that pass, an index that catches up, calls that go wrong, rights taken away, requests counted, records merged."""


class Hands(Protocol):
    """One system set up for one claim, and everybody in it but us."""

    @property
    def connector(self) -> Connector: ...
    @property
    def names(self) -> Names: ...
    @property
    def has_key(self) -> bool: ...
    @property
    def secrets(self) -> Sequence[str]: ...

    def some(self, count: int) -> list[Ref]: ...
    def person_create(self, object_type: str, values: Values) -> str: ...
    def person_edit(self, record_id: str, values: Values) -> None: ...
    def person_delete(self, record_id: str) -> None: ...
    def person_merge(self, survivor_id: str, loser_id: str) -> str: ...
    def hide(self, field: str) -> None: ...
    def advance(self, seconds: float) -> None: ...
    def fail(self, fault: Fault, op: Op | Literal["read"], *, nth: int = 1) -> None: ...
    def requests(self) -> int: ...
    def api_changes(self) -> list[tuple[str, str]]: ...
    def lock_out(self) -> None: ...
    def unplugged(self) -> Connector: ...


class Different(AssertionError):
    """A claim that did not come true: what it was about, what was expected and what was seen."""

    def __init__(self, what: str, expected: object, seen: object) -> None:
        super().__init__(f"{what}: expected {expected}, seen {seen}")
        self.what, self.expected, self.seen = what, str(expected), str(seen)


def same(what: str, seen: object, expected: object) -> None:
    """Raises Different."""
    if seen != expected:
        raise Different(what, expected, seen)


def holds(what: str, is_so: object, seen: object = "it does not hold") -> None:
    """``what`` says what must be so. Raises Different."""
    if not is_so:
        raise Different(what, "that it holds", seen)


def raises(kinds: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object], what: str) -> Exception:
    """The error that ``call`` must end in. Raises Different when it does not."""
    names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
    try:
        answer = call()
    except kinds as error:
        return error
    except ConnectorError as error:
        raise Different(what, names, type(error).__name__) from error
    raise Different(what, names, f"the answer {answer!r}")


class Desk:
    """Short words for what every claim does with its hands."""

    def __init__(self, hands: Hands) -> None:
        self.hands = hands
        self.connector = hands.connector
        self.names = hands.names
        self._entries = 0

    def person(self, number: int, **more: FieldValue) -> dict[str, FieldValue]:
        """Values of the ``number``-th made-up person; ``more`` by the suite's own names."""
        names = self.names
        plain: dict[str, FieldValue] = {"email": self.address(number), "last": f"Person {number}", **more}
        return {getattr(names, name): value for name, value in plain.items()}

    def address(self, number: int) -> str:
        return f"p{number}@example.com"

    def key(self, number: int) -> str:
        return f"person-{number}-1"

    def made(self, number: int, **more: FieldValue) -> Ref:
        """A record that a person made."""
        return self.ref(self.hands.person_create(self.names.object_type, self.person(number, **more)))

    def ref(self, record_id: str) -> Ref:
        return Ref(self.connector.system, self.names.object_type, record_id)

    def update(self, ref: Ref, *, version: str | None = None, **values: FieldValue) -> Write:
        fields = {getattr(self.names, name): value for name, value in values.items()}
        return Write(self.entry(), "update", ref.object_type, ref.id, fields, expects_version=version)

    def delete(self, ref: Ref, *, version: str | None = None) -> Write:
        return Write(self.entry(), "delete", ref.object_type, ref.id, {}, expects_version=version)

    def create(self, number: int, *, with_key: bool = True, **more: FieldValue) -> Write:
        pair = (self.names.key, self.key(number)) if with_key and self.hands.has_key else None
        return Write(self.entry(), "create", self.names.object_type, None, self.person(number, **more), pair)

    def write_of(self, op: Op, ref: Ref) -> Write:
        """One plain write of this kind."""
        if op == "create":
            return self.create(2)
        return self.delete(ref) if op == "delete" else self.update(ref, title="CTO")

    def entry(self) -> str:
        self._entries += 1
        return f"E-{self._entries}"

    def read(self, ref: Ref, *fields: str) -> Record:
        (found,) = self.connector.read([ref], [getattr(self.names, name) for name in fields])
        if not isinstance(found, Record):
            raise Different("reading a record by id", "a record", type(found).__name__)
        return found

    def value(self, ref: Ref, field: str) -> FieldValue:
        return self.read(ref, field).fields[getattr(self.names, field)]

    def one(self, write: Write) -> WriteOutcome:
        (outcome,) = self.connector.write([write])
        return outcome

    def applied(self, write: Write) -> WriteOutcome:
        """The outcome of a write that nothing stands in the way of."""
        outcome = self.one(write)
        same(f"the outcome of one {write.op}", _in_words(outcome), "applied")
        return outcome

    def refused(self, write: Write, kind: str) -> WriteOutcome:
        """The outcome of a write that must be refused for this reason."""
        outcome = self.one(write)
        found = outcome.error.kind if outcome.error is not None else outcome.status
        same(f"why one {write.op} is refused", found, kind)
        return outcome

    def pull(self, since_seconds_ago: float | None = 3600.0, **more: Any) -> list[Pulled]:
        return [item for page in self.pages(since_seconds_ago, **more) for item in page.items]

    def pages(self, since_seconds_ago: float | None = 3600.0, **more: Any) -> Iterator[Page]:
        until = self.connector.now() + timedelta(seconds=1)
        since = None if since_seconds_ago is None else until - timedelta(seconds=since_seconds_ago)
        return self.connector.changed(self.names.object_type, [self.names.email], Window(since, until), **more)

    def settle_index(self) -> None:
        """Let the index that ``changed`` and ``find`` may use catch up."""
        self.hands.advance(self.connector.capabilities.index_lag_seconds + 1)

    @contextmanager
    def nothing_changed(self) -> Iterator[None]:
        before = self.hands.api_changes()
        yield
        same("changes that our user made", self.hands.api_changes(), before)


def live_ids(items: Sequence[Pulled]) -> list[str]:
    return [item.ref.id for item in items if isinstance(item, Record)]


def _in_words(outcome: WriteOutcome) -> str:
    return outcome.status if outcome.error is None else f"{outcome.status}: {outcome.error.code}"


@dataclass(frozen=True, slots=True)
class Claim:
    """``name`` is the sentence with underscores; ``line`` the part of the documentation that it proves.

    A claim with variants is one ``Claim`` each, with the variant behind the name.
    """

    name: str
    run: Callable[[Desk], None]
    needs: frozenset[Need]
    line: str

    @property
    def sentence(self) -> str:
        return self.name.replace("_", " ")


Body = Callable[..., None]


class Claims(list[Claim]):
    """The claims of one part of the port; ``line`` is where the documentation speaks of it."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line

    def claim(self, *needs: Need, **variants: Sequence[Any]) -> Callable[[Body], Body]:
        """Decorates a claim. ``variants``: {parameter: values}, every combination is a claim of its own."""

        def note(body: Body) -> Body:
            for words, chosen in _combinations(variants):
                self.append(Claim(body.__name__ + words, _bound(body, chosen), frozenset(needs), self.line))
            return body

        return note


def _bound(body: Body, chosen: Mapping[str, Any]) -> Callable[[Desk], None]:
    return lambda desk: body(desk, **chosen)


def _combinations(variants: Mapping[str, Sequence[Any]]) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = [("", {})]
    for name, values in variants.items():
        found = [
            (f"{words}, {str(value).replace('_', ' ')}", {**chosen, name: value})
            for words, chosen in found
            for value in values
        ]
    return [(f" ({words.removeprefix(', ')})" if words else "", chosen) for words, chosen in found]
