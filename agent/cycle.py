"""One cycle: the eight steps in order, nothing else.

pull.changed_records → mirror.absorb → identify.resolve → decide.decide → guard.judge
    → ledger.open_batch → apply.write → confirm.settle
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from agent import apply, confirm, guard, identify, overwritten, unsettled
from agent.approval import proposals
from agent.approval.proposals import title_of
from agent.calls.allowances import Allowances
from agent.calls.budget import Lane
from agent.changes import OPEN, Batch, Change, Decision, Entry, State
from agent.connector import Connector
from agent.consent import consent
from agent.decide.match import fields_of_keys, keys_of
from agent.decide.policy import EntityType
from agent.decide.view import Base
from agent.errors import HeldBack, NotFound, NotPermitted
from agent.forgetting import forgetting
from agent.freeze import fights
from agent.installation import Installation
from agent.ledger.ledger import Intent, Settlement
from agent.links import await_pairing, linked_first
from agent.mirror.mirror import Disposition
from agent.pairing import duplicates
from agent.places import entity_type_of, places_of
from agent.plan import planner
from agent.policy_files.rights import identity_fields
from agent.pull import Pull, Pulling, PullResult, changed_records, read_anew, reconciled_records
from agent.records import Record
from agent.reports import agreement
from agent.reviews import outdated as outdated_reviews
from agent.schema import watch as schema_watch
from agent.suspended import leave_suspended
from agent.views import SLICE
from agent.waiting_for_calls import affordable
from agent.watch import watching

DAEMON = "truce"
_LANES: Mapping[str, Lane] = {"cycle": "cycle", "rollback": "undo"}
"""What the calls of a batch are for; every other kind is a person's order that was left unfinished."""


@dataclass(slots=True)
class CycleReport:
    """What one cycle came to. ``written`` counts confirmed entries, ``reviews`` questions not asked before,
    ``waiting_for_calls`` writes for which none were left today."""

    pulled: int = 0
    changed: int = 0
    entities: int = 0
    recovery: unsettled.Recovery = field(default_factory=unsettled.Recovery)
    batch: Batch | None = None
    held: tuple[Batch, ...] = ()
    written: int = 0
    failed: int = 0
    unknown: int = 0
    waiting_for_calls: int = 0
    reviews: int = 0


def run(installation: Installation) -> CycleReport:
    """Pull, decide, write, settle once.

    Raises:
        ConnectorError: a vendor failed; everything committed so far stays, the rest is done next time.
        SafetyStop, StorageFull, Interrupted: see those.
    """
    installation.ledger.require_same_file()
    decide_again(installation, proposals.expire(installation), "nobody decided in time")
    decide_again(installation, installation.mirror.agreement.due(installation.clock()), "an edit was kept long enough")
    asked = installation.reviews.latest()
    report = CycleReport(recovery=recover(installation))
    seen = pull_all(installation)
    report.pulled = sum(result.seen for result in seen)
    report.changed = sum(result.changed for result in seen)
    if installation.mirror.pending(limit=1):
        read_owners(installation)
    touched, _ = identify_pending(installation)
    addresses = consent.opted_out_of_pending(installation)
    draft = planner.draft(installation, touched, addresses=addresses, learn=partial(learn, installation))
    remember(installation, draft)
    watching.follow(installation, draft)
    report.entities = draft.entities
    proposals.withdraw(installation, set(touched) - draft.busy, [change for change, _ in draft.held])
    report.held = tuple(proposals.hold(installation, draft.held))
    going, waiting = affordable(installation, draft.allowed)
    report.waiting_for_calls = len(waiting)
    again = _write(installation, fights.without_fights(installation, going), report)
    overwritten.look(installation)
    _look_for_gone(installation, again)
    again_soon = {entry.change.entity_id for entry in again} | _belonging_to_created(installation, report.batch)
    again_soon |= {change.entity_id for change in waiting}
    dispose(installation, again_soon | draft.waiting | draft.busy)
    _keep_opt_outs(installation, again)
    agreement.renew(installation, has_decided=bool(draft.decided))
    report.reviews = installation.reviews.latest() - asked
    return report


def recover(installation: Installation) -> unsettled.Recovery:
    """Settle what a crash left open; finish what a person ordered; drop what a cycle had only planned."""
    recovery = unsettled.settle_open(installation)
    for batch in reversed(installation.ledger.batches(states=OPEN)):
        if batch.kind == "cycle" and batch.hold_reason is None:
            _drop_planned(installation, batch)
        elif batch.kind != "rollback":
            leave_suspended(installation, batch.id)
        _write_while_there_are_calls(installation, batch)
    return recovery


def pull_all(
    installation: Installation, *, sweep: bool = False, progress: apply.Progress = apply.silent
) -> list[PullResult]:
    """Pull every object type that a policy names, Salesforce and HubSpot alike.

    ``progress`` is told how many records are here; nobody knows of how many (0).
    """
    results = []
    schema_watch.look_again(installation)

    def between() -> None:
        installation.give_way("reading records")
        progress(installation.mirror.population(), 0)

    for system, connector in installation.connectors.items():
        ours = installation.clock()
        installation.heard[system] = (connector.now(), ours)
    asked = [(connector, _asked(installation, connector, pulling)) for connector, pulling in pullings(installation)]
    for connector, pull in asked:
        pulling = pull.pulling
        installation.mirror.index_keys(connector.system, pulling.object_type, pulling.keys, pulling.keys_revision)
        try:
            results.append(pull.take(between))
        except (NotPermitted, NotFound) as refusal:
            _hide(installation, connector, pulling.object_type, refusal)
            continue
        if sweep:
            with installation.calls.lane("sweep"):
                results.append(reconciled_records(connector, installation.mirror, pulling, between))
    if sweep:
        with installation.calls.lane("sweep"):
            overwritten.look(installation, everything=True)
        _ask_for_allowances(installation)
    return results


def _asked(installation: Installation, connector: Connector, pulling: Pulling) -> Pull:
    until, _ = installation.heard[connector.system]
    together = installation.side_by_side.together(connector.system)
    return changed_records(connector, installation.mirror, pulling, until, together)


def _ask_for_allowances(installation: Installation) -> None:
    allowances = Allowances(installation.ledger.store, installation.clock)
    with installation.calls.lane("sweep"):
        for connector in installation.connectors.values():
            allowances.ask(connector)


def _hide(installation: Installation, connector: Connector, object_type: str, refusal: NotPermitted | NotFound) -> None:
    """One object type is refused to us: what is about it is suspended, everything else goes on.

    Raises:
        NotPermitted, NotFound: it is not about this object type alone. AccessDenied: the login is refused, too.
    """
    connector.identity()
    place = (connector.system, object_type)
    others = [each for each, _ in pullings(installation) if each is connector]
    if len(others) == 1:
        raise refusal
    schema_watch.look_again(installation, at_once=True)
    if place not in installation.hidden:
        schema_watch.hide(installation, place)


def _look_for_gone(installation: Installation, again: Sequence[Entry]) -> None:
    """Who was not there to be written is asked for at once: a change query may never show it (HubSpot's does not), and
    until the next sweep every cycle would try again."""
    gone = {entry.change.ref for entry in again if (entry.error or "").startswith(confirm.GONE)}
    for connector, pulling in pullings(installation) if gone else ():
        place = (connector.system, pulling.object_type)
        only = [ref for ref in gone if ref is not None and (ref.system, ref.object_type) == place]
        if only and not connector.capabilities.sees_deletions:
            read_anew(connector, installation.mirror, pulling, only, connector.now())


def read_owners(installation: Installation) -> None:
    """Who may own records: needed to compare owners, asked anew at every pull, and kept for those who only look."""
    owners = [owner for connector in installation.connectors.values() for owner in connector.owners()]
    installation.mirror.keep_owners(owners)
    installation.owners = {(owner.system, owner.id): owner for owner in owners}


def decide_again(installation: Installation, entity_ids: Sequence[str], reason: str) -> None:
    """A person opened the way for these entities: the next cycle looks at them."""
    members = installation.crosswalk.members(entity_ids)
    refs = [link.ref for links in members.values() for link in links if link.state == "linked"]
    installation.mirror.pend(refs, reason, installation.clock())


def pullings(installation: Installation) -> Iterable[tuple[Connector, Pulling]]:
    """What to pull of each system: the fields policies name, and those that tell who a record is."""
    policies = installation.policies.policies
    for entity_type in policies.entity_types.values():
        for system, object_types in entity_type.records.items():
            connector = installation.connectors[system]
            for object_type in object_types:
                if (system, object_type) in installation.hidden:
                    continue
                fields = set(policies.vendor_fields(system, object_type))
                fields.update(identity_fields(connector.capabilities, object_type))
                keys = partial(_keys, installation, entity_type)
                key_fields = fields_of_keys(entity_type, installation.policies, system, object_type)
                key_fields |= identity_fields(connector.capabilities, object_type)
                revision = policies.keys_revision(entity_type.name)
                yield connector, Pulling(object_type, tuple(sorted(fields)), keys, revision, frozenset(key_fields))


def identify_pending(
    installation: Installation, progress: apply.Progress = apply.silent
) -> tuple[list[str], set[duplicates.Question]]:
    """Forget who was erased, link all pending records, look for duplicates of them, and keep the questions: what is
    asked is not decided.

    Returns the entities touched and the questions that came up.
    """
    forgetting.forget_erased(installation)
    duplicates.expect_rules(installation)
    suspected = outdated_reviews.suspected(installation)
    outdated_reviews.reconsider(installation)
    entities, questions = _resolve(installation, progress)
    for entity_type in linked_first(installation.policies.policies):
        questions |= duplicates.ask(installation, entity_type, progress)
    outdated_reviews.close_settled(installation, entities, questions)
    outdated_reviews.close_unsuspected(installation, suspected, questions)
    return entities, questions


def _resolve(installation: Installation, progress: apply.Progress) -> tuple[list[str], set[duplicates.Question]]:
    """Link all pending records; what belongs to a record that was paired becomes pending on the way, and has its turn
    later. Returns the entities touched and the questions that came up."""
    entities: list[str] = []
    questions: set[duplicates.Question] = set()
    for entity_type in linked_first(installation.policies.policies):
        resolution = identify.resolve(installation, entity_type, progress)
        entities += sorted(resolution.entities)
        questions.update((review.entity_id, review.topic) for review in resolution.reviews)
    return entities, questions


def decide_all_again(installation: Installation, reason: str) -> int:
    """Have the next cycle decide every record: what a rule means has changed for all of them. Returns how many."""
    now = installation.clock()
    return sum(
        installation.mirror.pend_all(system, object_type, reason, now)
        for entity_type in installation.policies.policies.entity_types.values()
        for system, object_types in entity_type.records.items()
        for object_type in object_types
    )


def remember(installation: Installation, draft: planner.Draft) -> None:
    """One standing review per question, and none that is answered by what was decided."""
    installation.reviews.open_or_refresh(draft.reviews)
    outdated_reviews.close_decided(installation, draft.decided, draft.reviews)
    outdated_reviews.close_aligned(installation, draft.decided)


def learn(installation: Installation, decisions: Sequence[Decision]) -> None:
    """Fields that both sides agree on become bases without a write; how far both agree is kept."""
    aims = places_of(installation.policies.policies).aims
    installation.mirror.set_bases(
        {
            decision.entity_id: {
                name: Base(dict(values), None, aims.get((entity_type_of(decision.entity_id), name)))
                for name, values in decision.adopt.items()
            }
            for decision in decisions
            if decision.adopt
        }
    )
    agreement.learn(installation, decisions)


def dispose(installation: Installation, unfinished: set[str]) -> None:
    """Every pending change ends with a disposition, except those that must be decided again soon."""
    for part in installation.mirror.waiting.parts(SLICE):
        entities = installation.crosswalk.entities_of(part)
        installation.mirror.dispose([
            Disposition(ref, "decided" if ref in entities else "unclear")
            for ref in part
            if entities.get(ref) not in unfinished
        ])  # fmt: skip


def _write(installation: Installation, changes: Sequence[Change], report: CycleReport) -> list[Entry]:
    """Open the cycle's batch and write it. Returns the entries that must be decided again."""
    if not changes:
        return []
    batch = installation.ledger.open_batch(
        "cycle",
        title_of(changes),
        DAEMON,
        [Intent(change, State.PLANNED) for change in with_keys(installation, changes)],
        counted=guard.limit_uses(changes),
    )
    tally = _write_while_there_are_calls(installation, batch)
    report.batch = installation.ledger.batch(batch.id)
    report.written, report.failed, report.unknown = tally.confirmed, tally.failed, tally.unknown
    left = installation.ledger.entries(batch_id=batch.id, states=(State.PLANNED, State.UNKNOWN, State.DRIFTED))
    return [entry for entry in left if not confirm.waits_for_a_lock(entry)]


def _write_while_there_are_calls(installation: Installation, batch: Batch) -> apply.Tally:
    """What finds no call left today stays in its batch; a cycle goes on while there are calls for what is new.

    Raises:
        HeldBack: there are none for that either.
    """
    try:
        with installation.calls.lane(_LANES.get(batch.kind, "people")):
            return apply.write(installation, batch.id)
    except HeldBack as held:
        installation.calls.require(held.system)
    tally = apply.Tally()
    tally.count(installation.ledger.entries(batch_id=batch.id))
    return tally


def _belonging_to_created(installation: Installation, batch: Batch | None) -> set[str]:
    """Entities that belong to a record which this very cycle created: what they lacked is there only now."""
    made = installation.ledger.entries(batch_id=batch.id, states=(State.CONFIRMED,)) if batch is not None else []
    entities: set[str] = set()
    for entry in made:
        if entry.change.op == "create" and entry.record_id:
            refs = confirm.stands_with(installation, entry)
            belonging = await_pairing(installation, refs, entity_type_of(entry.change.entity_id))
            entities.update(installation.crosswalk.entities_of(belonging).values())
    return entities


def _keep_opt_outs(installation: Installation, again: Sequence[Entry]) -> None:
    """An opt-out that did not settle is looked at again, whether its record is paired or not."""
    open_entries = [*again, *unsettled.may_still_land(installation)]
    refs = {entry.change.ref for entry in open_entries if entry.change.is_consent and entry.change.ref is not None}
    installation.mirror.pend(refs, "opt-out not settled", installation.clock())


def with_keys(installation: Installation, changes: Sequence[Change]) -> list[Change]:
    """Link keys are used up (stored) before the create that carries them."""
    for change in changes:
        if change.op == "create" and change.key is not None:
            installation.crosswalk.next_key(change.entity_id)
    return list(changes)


def _drop_planned(installation: Installation, batch: Batch) -> None:
    """A cycle's own writes are decided again; the second step of a pair stays, for the first may have been made. What
    waits for a lock stays too: it has its number of tries, and is read afresh before each. So does a create with a key
    that was sent before."""
    planned = installation.ledger.entries(batch_id=batch.id, states=(State.PLANNED,))
    confirm.record(
        installation,
        [
            Settlement(entry.id, State.DRIFTED, error="interrupted; decided again")
            for entry in planned
            if entry.change.step == 0 and not confirm.waits_for_a_lock(entry) and not unsettled.is_sent_again(entry)
        ],
    )


def _keys(installation: Installation, entity_type: EntityType, record: Record) -> Iterable[tuple[str, str]]:
    capabilities = installation.connectors[record.ref.system].capabilities
    return keys_of(record, entity_type, installation.policies, capabilities)
