"""The suite at an account: what can be tried there without breaking anything, and what it came to.

Nobody but us acts at a real account, so our own writes play the people; calls that go wrong, rights taken away and
hours that pass cannot be arranged, and those claims say so. Without leave to write nothing is written. Everything that
was made is deleted again, and what could not be is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from agent.connector import Allowance, Connector, Op, Window, Write, WriteOutcome
from agent.declaration import Names
from agent.errors import AccessDenied, ConnectorError, Unavailable
from agent.records import Record, Ref
from connectors.conformance.desk import Claim, Desk, Different, Fault, Need, Values
from connectors.wrappers import Around

SHORT_WAIT = 5.0
LONG_WAIT = 300.0
"""Seconds that a claim may wait: by default, and for who is patient."""

MAY_BE_WRONG = (ValueError, KeyError, IndexError, TypeError)
"""What a claim may end in when an answer has not the form it must have."""


class CannotTry(Exception):
    """This claim cannot be tried at this account, for this reason."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one claim. For ``untried`` the reason stands in ``seen``."""

    claim: str
    result: Literal["same", "different", "untried"]
    line: str
    what: str = ""
    expected: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """``made`` counts the records made; ``left`` are those that could not be deleted again."""

    findings: Sequence[Finding]
    made: int
    left: Sequence[Ref]


@dataclass(slots=True)
class Counter:
    """A gate that only counts."""

    count: int = 0

    def enter(self) -> None:
        self.count += 1

    def told(self, allowance: Allowance) -> None: ...


class Watched(Around):
    """Keeps in mind what was made and changed; without leave to write, no write leaves. ``lacking``: what was refused
    for want of a right."""

    def __init__(self, inner: Connector, *, may_write: bool) -> None:
        super().__init__(inner)
        self._may_write = may_write
        self.made: list[Ref] = []
        self.changes: list[tuple[str, str]] = []
        self.lacking = ""

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        if not self._may_write:
            raise CannotTry(WRITES)
        outcomes = self.inner.write(writes)
        for write, outcome in zip(writes, outcomes, strict=True):
            if outcome.error is not None and outcome.error.kind == "permission":
                self.lacking = f"our user there may not do it: {_why(outcome)}"
            if outcome.status != "applied" or outcome.record_id is None:
                continue
            self.changes.append((write.op, outcome.record_id))
            ref = Ref(self.system, write.object_type, outcome.record_id)
            if write.op in ("create", "merge") and ref not in self.made:  # a merge may make a record of a new id
                self.made.append(ref)
        return outcomes

    def close(self) -> None:
        """Whoever opened it closes it."""


WRITES = "it makes and changes records; --write tries it"


@dataclass(slots=True)
class AccountHands:
    """Our own user plays everybody. ``mark`` makes addresses and keys of this run its own."""

    connector: Watched
    names: Names
    mark: str
    sleep: Callable[[float], None]
    longest_wait: float
    gate: Counter = field(default_factory=Counter)
    secrets: Sequence[str] = ()

    @property
    def has_key(self) -> bool:
        return self.names.object_type in self.connector.capabilities.link_keys

    def some(self, count: int) -> list[Ref]:
        """Records that are there already."""
        pages = self.connector.changed(self.names.object_type, [], Window(None, self.connector.now()))
        living = (item.ref for page in pages for item in page.items if isinstance(item, Record))
        found = list(islice(living, count))
        if len(found) < count:
            raise CannotTry(f"the account has fewer than {count} {self.names.object_type}")
        return found

    def person_create(self, object_type: str, values: Values) -> str:
        (outcome,) = self.connector.write([Write("E-hands", "create", object_type, None, values)])
        if outcome.record_id is None or outcome.status != "applied":
            raise CannotTry(f"a record for it could not be made: {_why(outcome)}")
        return outcome.record_id

    def person_edit(self, record_id: str, values: Values) -> None:
        self._write(Write("E-hands", "update", self.names.object_type, record_id, values))

    def person_delete(self, record_id: str) -> None:
        self._write(Write("E-hands", "delete", self.names.object_type, record_id, {}))

    def advance(self, seconds: float) -> None:
        if seconds > self.longest_wait:
            raise CannotTry(f"it would wait for {seconds:.0f} seconds")
        self.sleep(seconds)

    def requests(self) -> int:
        return self.gate.count

    def api_changes(self) -> list[tuple[str, str]]:
        return list(self.connector.changes)

    def person_merge(self, survivor_id: str, loser_id: str) -> str:
        raise CannotTry(_NOT_HERE["merges"])

    def hide(self, field: str) -> None:
        raise CannotTry(_NOT_HERE["rights"])

    def fail(self, fault: Fault, op: Op | Literal["read"], *, nth: int = 1) -> None:
        raise CannotTry(_NOT_HERE["faults"])

    def lock_out(self) -> None:
        raise CannotTry(_NOT_HERE["rights"])

    def unplugged(self) -> Connector:
        raise CannotTry(_NOT_HERE["rights"])

    def _write(self, write: Write) -> None:
        (outcome,) = self.connector.write([write])
        if outcome.status != "applied":
            raise CannotTry(f"a record for it could not be changed: {_why(outcome)}")


class AccountDesk(Desk):
    """Made-up people whose addresses nobody else has."""

    hands: AccountHands

    def __init__(self, hands: AccountHands) -> None:
        super().__init__(hands)
        self._mark = hands.mark

    def address(self, number: int) -> str:
        return f"truce-{self._mark}-{number}@example.com"

    def key(self, number: int) -> str:
        return f"conformance-{self._mark}-{number}"


_NOT_HERE: Mapping[Need, str] = {
    "faults": "no call can be made to go wrong at an account",
    "rights": "no login or right is taken away at an account",
    "merges": "nobody merges records here",
    "time": "hours or days would have to pass",
    "many": "it would make hundreds of records",
}


def examine(
    connector: Connector,
    *,
    names: Names,
    claims: Sequence[Claim],
    may_write: bool,
    is_patient: bool,
    mark: str,
    sleep: Callable[[float], None],
    said: Callable[[Finding], None],
) -> Report:
    """Try every claim that can be tried; ``said`` is called after each. ``mark`` is a short word of this run alone."""
    watched = Watched(connector, may_write=may_write)
    longest = LONG_WAIT if is_patient else SHORT_WAIT
    findings = []
    made: list[Ref] = []
    left: list[Ref] = []
    cannot = _cannot(connector, may_write=may_write, longest_wait=longest)
    for number, claim in enumerate(claims):
        hands = AccountHands(watched, names, f"{mark}{number}", sleep, longest)
        connector.use_gate(hands.gate)
        finding = _tried(claim, AccountDesk(hands), cannot)
        findings.append(finding)
        said(finding)
        made += watched.made
        left += _cleaned(connector, watched.made)
        watched.made.clear()
        watched.lacking = ""
    return Report(findings, len(made), left)


def _cannot(connector: Connector, *, may_write: bool, longest_wait: float) -> dict[Need, str]:
    found: dict[Need, str] = dict(_NOT_HERE)
    if not may_write:
        found |= {"hands": WRITES, "writing": WRITES}
    lag = connector.capabilities.index_lag_seconds
    if lag >= longest_wait:
        found["lag"] = f"its index may lag by {lag:.0f} seconds; --patient waits for it"
    return found


def _tried(claim: Claim, desk: AccountDesk, cannot: Mapping[Need, str]) -> Finding:
    in_the_way = next((cannot[need] for need in sorted(claim.needs & set(cannot), key=list(cannot).index)), None)
    if in_the_way is not None:
        return Finding(claim.sentence, "untried", claim.line, seen=in_the_way)
    try:
        claim.run(desk)
    except CannotTry as reason:
        return Finding(claim.sentence, "untried", claim.line, seen=str(reason))
    except Different as difference:
        if desk.hands.connector.lacking:  # a right that is missing says nothing of how the vendor behaves
            return Finding(claim.sentence, "untried", claim.line, seen=desk.hands.connector.lacking)
        return Finding(claim.sentence, "different", claim.line, difference.what, difference.expected, difference.seen)
    except (AccessDenied, Unavailable) as error:
        return Finding(claim.sentence, "untried", claim.line, seen=error.what)
    except ConnectorError as error:
        return Finding(claim.sentence, "different", claim.line, "the call", "an answer", error.what)
    except MAY_BE_WRONG as error:
        return Finding(
            claim.sentence, "different", claim.line, "the form of an answer", "as the port says", repr(error)
        )
    return Finding(claim.sentence, "same", claim.line)


def _cleaned(connector: Connector, made: Sequence[Ref]) -> list[Ref]:
    """Delete what a claim made, children before parents; returns what is still there."""
    left = []
    for ref in reversed(made):
        try:
            (outcome,) = connector.write([Write("E-clean", "delete", ref.object_type, ref.id, {})])
        except ConnectorError:
            left.append(ref)
            continue
        is_gone = outcome.error is not None and outcome.error.kind in ("gone", "moved")
        if outcome.status != "applied" and not is_gone:
            left.append(ref)
    return left


def _why(outcome: WriteOutcome) -> str:
    """Without the vendor's reference, which is another one every time."""
    return outcome.error.message.partition("; ")[0] if outcome.error is not None else outcome.status
