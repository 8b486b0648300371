"""Writing pairs: made, labelled and ended by associations. Making one again makes no second, so no key is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.connector import Write, WriteError, WriteOutcome
from agent.errors import ConnectorError
from connectors.hubspot.accounting import applied, blame, rejected, unknown
from connectors.hubspot.associating import Verb, pair_input
from connectors.hubspot.associations import Associations, Spec, refused
from connectors.hubspot.client import Reply
from connectors.hubspot.failures import ReplyLost, complaint, complaints_of, fate, waiting_seconds, write_error
from connectors.hubspot.ids import is_record_id
from connectors.hubspot.pairs import Labels, Pairs, ends_of, pair_id, plain, version_of
from connectors.hubspot.vendor import PairType

Ends = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Wish:
    """A write that may be sent: its pair, and the labels it shall have (None: none, it ends)."""

    write: Write
    ends: Ends
    specs: frozenset[Spec] | None


@dataclass(slots=True)
class PairWriter:
    pairs: Pairs

    def write(self, kind: PairType, writes: Sequence[Write]) -> list[WriteOutcome]:
        """One outcome per write, in order.

        Raises:
            AccessDenied, Unavailable, BadReply: only while nothing has been sent.
        """
        labels = self.pairs.labels(kind)
        outcomes: dict[str, WriteOutcome] = {}
        wishes: list[_Wish] = []
        for write in writes:
            wish = _wish(write, kind, labels)
            if isinstance(wish, WriteError):
                outcomes[write.entry_id] = rejected(write, wish)
            else:
                wishes.append(wish)
        before = self._held(kind, wishes)
        for wish in list(wishes):
            error = _moved(wish, before.get(wish.ends))
            if error is not None:
                outcomes[wish.write.entry_id] = rejected(wish.write, error)
                wishes.remove(wish)
        if wishes:
            outcomes |= {outcome.entry_id: outcome for outcome in self._sent(kind, wishes, labels)}
        return [outcomes[write.entry_id] for write in writes]

    def _sent(self, kind: PairType, wishes: Sequence[_Wish], labels: Labels) -> list[WriteOutcome]:
        try:
            reply = self._send(kind, wishes)
        except ReplyLost:
            return [unknown(wish.write) for wish in wishes]
        if not reply.is_success:
            return _refused(reply, kind, wishes)
        refusals = list(complaints_of(reply.status, reply.loose_json()))
        try:
            after = self._held(kind, wishes)
        except ConnectorError:
            return [unknown(wish.write) for wish in wishes]
        return [self._outcome(kind, wish, after.get(wish.ends), labels, refusals) for wish in wishes]

    def _send(self, kind: PairType, wishes: Sequence[_Wish]) -> Reply:
        verb: Verb = "archive" if wishes[0].specs is None else "create"
        inputs = [
            pair_input(*wish.ends, wish.specs)
            if wish.specs is not None
            else {"from": {"id": wish.ends[0]}, "to": [{"id": wish.ends[1]}]}
            for wish in wishes
        ]
        entry_ids = [wish.write.entry_id for wish in wishes]
        return self.pairs.client.write_associations(verb, kind.here, kind.there, inputs, entry_ids)

    def _outcome(
        self, kind: PairType, wish: _Wish, now: frozenset[Spec] | None, labels: Labels, refusals: Sequence[object]
    ) -> WriteOutcome:
        """The answer names no write; what is there now tells."""
        if wish.specs is None and now is None:
            return applied(wish.write, wish.write.record_id)
        if now is not None and wish.specs is not None and wish.specs <= now:
            observed = dict(zip(kind.ends, wish.ends, strict=True))
            observed |= {kind.label: labels.value(now) or ""}
            held = {name: observed[name] or None for name in wish.write.fields if name in observed}
            return applied(wish.write, pair_id(*wish.ends), version_of(now), held)
        if refusals:
            return rejected(wish.write, write_error(refusals[0]))  # type: ignore[arg-type]
        return rejected(wish.write, WriteError("other", "NOT_ASSOCIATED", "the pair is not what was asked for"))

    def _held(self, kind: PairType, wishes: Sequence[_Wish]) -> dict[Ends, frozenset[Spec]]:
        ids = [wish.ends[0] for wish in wishes]
        held = Associations(self.pairs.client).held(kind.here, kind.there, ids) if ids else {}
        return {(here, there): specs for here, others in held.items() for there, specs in others.items()}


def _wish(write: Write, kind: PairType, labels: Labels) -> _Wish | WriteError:
    """Ids come from fields anybody may edit: only digits travel."""
    if write.op == "create":
        values = {**write.fields, **write.parents}
        here, there = (str(values.get(name) or "") for name in kind.ends)
        ends = (here, there) if is_record_id(here) and is_record_id(there) else None
    else:
        ends = ends_of(write.record_id)
    if ends is None:
        return WriteError("validation", "INVALID_ID", f"a pair of {kind.name} needs two HubSpot record ids")
    if write.op == "delete":
        return _Wish(write, ends, None)
    specs = labels.specs(write.fields.get(kind.label))
    if specs is None:
        text = f"HubSpot has no label {write.fields[kind.label]!r} for {kind.name}"
        return WriteError("validation", "INVALID_OPTION", text, (kind.label,))
    if write.op != "create" and set(write.fields) - {kind.label}:
        return WriteError("permission", "READ_ONLY", "the ends of a pair are set once", kind.ends)
    return _Wish(write, ends, specs | {plain(kind)})


def _moved(wish: _Wish, now: frozenset[Spec] | None) -> WriteError | None:
    if wish.write.op == "create":
        return None
    if now is None:
        return WriteError("gone", "OBJECT_NOT_FOUND", "the two are not associated any more")
    if wish.write.expects_version not in (None, version_of(now)):
        return WriteError("moved", "CHANGED", "its labels changed since it was read")
    return None


def _refused(reply: Reply, kind: PairType, wishes: Sequence[_Wish]) -> list[WriteOutcome]:
    found, verdict = complaint(reply.status, reply.loose_json()), fate(reply.status)
    if verdict in ("denied", "away"):
        raise refused(reply, f"writing {kind.name}")
    if verdict == "unclear":
        return [unknown(wish.write) for wish in wishes]
    wait = waiting_seconds(found, reply.retry_after) if verdict == "throttled" else None
    return [rejected(wish.write, replace(blame(wish.write, found, len(wishes)), retry_after=wait)) for wish in wishes]
