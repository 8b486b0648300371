"""Are both CRMs still as the policies expect? Looked at when policies are taken over and every few minutes after.

What changed suspends the policy lines it touches (``decide.drift``); everything else goes on, and a line goes on by
itself once the CRM is right again. A restart in between changes nothing: what the policies were found sound against is
remembered in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from agent.connector import Connector, ObjectSchema, Window
from agent.decide.drift import Described, Suspension, accepted, mended, suspensions
from agent.decide.policy import PolicySet
from agent.decide.prepared import prepare
from agent.errors import NotFound, NotPermitted
from agent.installation import Installation
from agent.schema.memory import SchemaMemory

EVERY = timedelta(minutes=15)
"""Between two looks. A refused pull is looked into at once."""

RECENT = timedelta(minutes=10)
"""A look takes what a connector was told so shortly before, where that came along with a call made anyway."""

Place = tuple[str, str]

WAYS_BACK: Mapping[str, str] = {
    "value gone": "put the value back, or correct the line, or go on without it: truce resume POLICY",
    "shorter": "make the field longer, or go on and have longer values refused: truce resume POLICY",
    "no create": "give Truce's user that right again: truce doctor --permissions",
    "no update": "give Truce's user that right again: truce doctor --permissions",
    "read only": "give Truce's user that right again: truce doctor --permissions",
}
PUT_BACK = (
    "put it back or show it to Truce's user again; it goes on by itself. If it is gone for good, correct the line"
)
"""The way back where nothing else is said."""

MAY_GO_ON = ("value gone", "shorter")
"""What a person may go on with although it is so."""


def described(
    connectors: Mapping[str, Connector],
    policies: PolicySet,
    known: Iterable[Place] = (),
    recent: timedelta = timedelta(),
) -> Described:
    """What each vendor says, or said as recently as that, of every object type the policies name.

    One of the ``known`` may be hidden from us by now, and is left out then.

    Raises:
        NotFound, NotPermitted: an object type that was never known is hidden, or a system shows none at all.
    """
    found: dict[Place, ObjectSchema] = {}
    refusals: dict[Place, NotFound | NotPermitted] = {}
    for system, object_type in places_of(policies):
        try:
            schema = connectors[system].schema(object_type, recent.total_seconds())
        except (NotFound, NotPermitted) as refusal:
            if (system, object_type) not in known:
                raise
            refusals[system, object_type] = refusal
        else:
            found[system, object_type] = schema
    for (system, _), reason in refusals.items():
        if all(system != shown for shown, _ in found):
            raise reason
    return found


def places_of(policies: PolicySet) -> list[Place]:
    """(system, object type) of every record the policies are about."""
    return [
        (system, object_type)
        for entity_type in policies.entity_types.values()
        for system, object_types in entity_type.records.items()
        for object_type in object_types
    ]


def put_in_force(installation: Installation, policies: PolicySet, seen: Described, *, is_new: bool) -> None:
    """Take these policies over, found sound by the vendors as ``seen``; ``is_new``: a person has written them since."""
    memory = SchemaMemory(installation.ledger.store)
    before = {} if is_new else memory.accepted()
    installation.schemas_seen_at = installation.clock()
    _compare(installation, policies, {**seen, **before}, seen)


def put_in_force_unseen(installation: Installation, policies: PolicySet) -> None:
    """The same where no vendor is asked: what was suspended stays so."""
    _enforce(installation, policies, SchemaMemory(installation.ledger.store).suspended())


def look_again(installation: Installation, *, at_once: bool = False) -> None:
    """Compare, when it is time or ``at_once``.

    Raises:
        ConnectorError: a vendor cannot be asked; what is in force stays.
    """
    now, looked = installation.clock(), installation.schemas_seen_at
    if not at_once and looked is not None and timedelta() <= now - looked < EVERY:
        return
    policies = installation.policies.policies
    before = SchemaMemory(installation.ledger.store).accepted()
    seen = described(installation.connectors, policies, before, timedelta() if at_once else RECENT)
    unreadable = {place for place in installation.hidden & set(seen) if not _is_readable(installation, place)}
    installation.schemas_seen_at = now
    _compare(installation, policies, before or seen, {place: seen[place] for place in seen if place not in unreadable})


def hide(installation: Installation, place: Place) -> None:
    """Records of this object type are refused to us, although it is described."""
    memory = SchemaMemory(installation.ledger.store)
    seen = {known: schema for known, schema in memory.seen().items() if known != place}
    _compare(installation, installation.policies.policies, memory.accepted(), seen)


def go_on(installation: Installation, policy: str) -> list[Suspension]:
    """A person knows what changed and has this policy go on with it. Returns what stays suspended all the same."""
    memory = SchemaMemory(installation.ledger.store)
    before, seen = memory.accepted(), memory.seen()
    for each in installation.suspensions:
        if each.policy == policy and each.what in MAY_GO_ON:
            before = accepted(each, before, seen)
    _compare(installation, installation.policies.policies, before, seen)
    return [each for each in installation.suspensions if each.policy == policy]


def way_back(suspension: Suspension) -> str:
    """How this line comes into force again."""
    return WAYS_BACK.get(suspension.what, PUT_BACK).replace("POLICY", suspension.policy)


def _compare(installation: Installation, policies: PolicySet, before: Described, seen: Described) -> None:
    before, seen = _narrowed(installation, policies, before), _narrowed(installation, policies, seen)
    keys = {
        (system, object_type): name
        for system, connector in installation.connectors.items()
        for object_type, name in connector.capabilities.link_keys.items()
    }
    found = suspensions(policies, before, seen, keys)
    touched = {(each.system, each.object_type) for each in found}
    kept = {place: before[place] if place in touched else seen.get(place, before[place]) for place in before}
    SchemaMemory(installation.ledger.store).keep(kept, seen, found)
    _tell(installation, found)
    again = mended(found, installation.suspensions)
    changed = list(installation.suspensions) != found
    _enforce(installation, policies, found)
    for system, object_type in again:
        installation.mirror.read_anew(system, object_type)
    if changed:
        for system, object_type in places_of(policies):
            installation.mirror.pend_all(system, object_type, "schema changed", installation.clock())


def _enforce(installation: Installation, policies: PolicySet, found: Sequence[Suspension]) -> None:
    by_line: dict[tuple[str, str], str] = {}
    for each in found:
        by_line.setdefault((each.policy, each.line), each.sentence)
    installation.policies = prepare(policies, suspended=by_line)
    installation.suspensions = tuple(found)
    installation.hidden = frozenset((each.system, each.object_type) for each in found if each.what == "object gone")


def _tell(installation: Installation, found: Sequence[Suspension]) -> None:
    """In the chain: once when a line goes out of force, and once when it comes back."""
    before, now = set(installation.suspensions), set(found)
    for kind, news in (("suspended", now - before), ("in force again", before - now)):
        for each in sorted(news):
            installation.ledger.record_event(
                kind, f"{each.policy} {each.line}".strip(), "truce", {"what": each.sentence}
            )


def _narrowed(installation: Installation, policies: PolicySet, every: Described) -> Described:
    """Only the fields that policies name, and the link keys: nothing else is compared, and nothing else is kept."""
    narrow: dict[Place, ObjectSchema] = {}
    for system, object_type in places_of(policies):
        schema = every.get((system, object_type))
        if schema is not None:
            key = installation.connectors[system].capabilities.link_keys.get(object_type)
            names = {*policies.vendor_fields(system, object_type), *([key] if key else [])}
            fields = {name: schema.fields[name] for name in sorted(names) if name in schema.fields}
            narrow[system, object_type] = replace(schema, fields=fields)
    return narrow


def _is_readable(installation: Installation, place: Place) -> bool:
    """Whether records that were refused can be read again: those of one second are asked for."""
    system, object_type = place
    connector = installation.connectors[system]
    now = connector.now()
    try:
        next(iter(connector.changed(object_type, [], Window(now - timedelta(seconds=1), now))), None)
    except NotPermitted:
        return False
    return True
