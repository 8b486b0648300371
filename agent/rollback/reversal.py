"""What an undo would do: every cell's fate, the changes to make, the cells to freeze. Writes to no CRM."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from agent import unsettled
from agent.changes import Cell, Change, Entry, Meaning, State, Why
from agent.confirm import same_value
from agent.connector import Connector, ObjectSchema
from agent.decide.links import association
from agent.errors import ConnectorError, NotFound
from agent.forgetting.forgotten import forgotten_among
from agent.freeze.freeze import Freeze
from agent.installation import Installation
from agent.ledger.erasure import Erasure
from agent.ledger.queries import EntryQuery
from agent.ledger.verify import ERASED
from agent.live import read_live
from agent.records import FieldValue, Gone, Readout, Record, Ref
from agent.rollback.fates import CellChain, Fate, Surroundings, Verdict, fate_of_missing, field_of, inactive_of, judge
from agent.rollback.freezing import Frozen, as_written, freezes, lifts, redone
from agent.rollback.only_one import OnlyOnes
from agent.rollback.selection import Selection, Written, select, unwritten
from agent.rollback.whole_records import bringing_back, height, made_again, removal
from agent.versions import people_of


@dataclass(frozen=True, slots=True)
class Reversal:
    """A rollback before it is written: every cell's fate, the changes to make, the cells to freeze and to lift.

    ``unwritten`` counts writes of these batches that were still to come and will not be made.
    """

    words: str
    batches: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    changes: tuple[Change, ...]
    freezes: tuple[Freeze, ...]
    lifts: tuple[Frozen, ...] = ()
    unwritten: int = 0

    @property
    def counts(self) -> Counter[Fate]:
        """Records (not cells) per fate; a record counts under its least happy cell."""
        by_record: dict[Ref, Fate] = {}
        for verdict in self.verdicts:
            known = by_record.get(verdict.ref)
            if known is None or _UNHAPPINESS[verdict.fate] > _UNHAPPINESS[known]:
                by_record[verdict.ref] = verdict.fate
        return Counter(by_record.values())


MADE = ("create", "undelete")
"""Operations after which a record of ours is there, and whose undo removes it."""

REMOVALS = ("delete", "undelete")
"""What undos and their undos did with a record as a whole: it is there again, so none of it stands in the way."""

_UNHAPPINESS = {fate: rank for rank, fate in enumerate(Fate)}


def plan_reversal(installation: Installation, selection: Selection) -> Reversal:
    """Settle what is open, read everything live and decide each cell's fate. Writes to no CRM.

    Raises:
        NotFound: an unknown batch, or nothing was written. ConnectorError: a vendor is down.
    """
    unsettled.settle_open(installation)
    waiting = unwritten(installation, selection)
    try:
        written = select(installation, selection)
    except NotFound:
        if not waiting:
            raise
        written = []
    desk = _Desk(installation, selection, written)
    for group in _by_record(written).values():
        desk.judge(group)
    desk.give_back()
    verdicts = _with_editors(installation, desk.verdicts)
    batches = _batches(selection, written)
    lifted = lifts(installation, selection, verdicts)
    again = redone(installation, selection)
    return Reversal(
        selection.words,
        batches or tuple(sorted({entry.batch_id for entry in waiting})),
        tuple(verdicts),
        tuple(desk.changes),
        freezes([*written, *as_written(waiting)], selection.words, again, lifted),
        lifted,
        len(waiting),
    )


def _batches(selection: Selection, written: Sequence[Written]) -> tuple[str, ...]:
    """The batches undone; earlier undos of the same cells are only passed through."""
    meant = {
        each.entry.batch_id
        for each in written
        if each.entry.batch_id in selection.batches or any(cell.why.policy != "rollback" for cell in each.cells)
    }
    return tuple(sorted(meant, key=lambda name: int(name[2:])))


def _by_record(written: Sequence[Written]) -> dict[tuple[Ref, str], list[Written]]:
    grouped: dict[tuple[Ref, str], list[Written]] = defaultdict(list)
    for each in written:
        grouped[each.ref, each.entry.change.entity_id].append(each)
    return grouped


class _Desk:
    """Everything read once, then one group of writes to one record after the other."""

    def __init__(self, installation: Installation, selection: Selection, written: Sequence[Written]) -> None:
        self.verdicts: list[Verdict] = []
        self.changes: list[Change] = []
        self._installation = installation
        self._overwrite = selection.overwrite
        self._batches = {each.entry.batch_id for each in written}
        self._live = _read_live(installation, written)
        self._schemas = _schemas(installation, written)
        self._inactive = _inactive_owners(installation, written)
        self._created = {each.ref for each in written if each.entry.change.op in MADE and each.is_whole}
        self._forgotten = Erasure(installation.ledger).entities()
        self._children = _children(installation, written, self._created)
        self._child_versions = _child_versions(installation, written)
        undone = {(each.ref, cell.vendor_field) for each in written for cell in each.cells}
        self._only_ones = OnlyOnes(installation, self._schemas, undone)
        self._removed: dict[Ref, Entry] = {}

    def judge(self, group: Sequence[Written]) -> None:
        """Writes of one record, newest first."""
        ref, readout = group[0].ref, self._live[group[0].ref]
        created = next((each.entry for each in group if each.entry.change.op in MADE and each.is_whole), None)
        if group[0].entry.change.op == "delete":
            self._undo_removal(group[0].entry, ref, readout)
        elif created is not None:
            self._undo_create(created, group, readout)
        else:
            found = self._cells(group, readout)
            self.verdicts += found
            self.changes += _restoring(self._installation, found, ref)

    def give_back(self) -> None:
        """What our writes took from records that they were not about."""
        for verdict, change in list(self._only_ones.given_back(self.verdicts, self._removed)):
            self.verdicts.append(verdict)
            self.changes += [change] if change is not None else []

    def _cells(self, group: Sequence[Written], readout: Readout) -> list[Verdict]:
        return [self._cell(chain, group[0].ref, readout) for chain in _chains(group)]

    def _cell(self, chain: CellChain, ref: Ref, readout: Readout) -> Verdict:
        entry, cell = chain.newest
        if chain.is_erased:
            return Verdict(entry, ref, cell, Fate.ERASED, name=str(ref), note=self._erased_by(entry))
        if not isinstance(readout, Record):
            fate, note = fate_of_missing(readout)
            return Verdict(entry, ref, cell, fate, name=_last_name(self._installation, ref), note=note)
        name = self._installation.display_name(readout)
        converted = _converted_into(self._installation, readout)
        if converted is not None:
            return Verdict(entry, ref, cell, Fate.CONFLICT_CONVERTED, name=name, note=f"into {converted}")
        live = readout.fields.get(cell.vendor_field)
        around = Surroundings(
            field_of(self._schemas, ref, cell.vendor_field),
            self._inactive if cell.meaning == "owner" else frozenset(),
            self._later_writer(chain, ref, live),
        )
        fate, note = judge(chain, readout, around)
        verdict = Verdict(entry, ref, cell, fate, live, chain.target, name, note)
        if fate is Fate.CONFLICT_EDITED and verdict.key in self._overwrite:
            return replace(verdict, fate=Fate.RESTORE, note="a later edit is overwritten, as asked")
        return verdict

    def _erased_by(self, entry: Entry) -> str:
        """Why its values are gone."""
        events = self._installation.ledger.events(kind=ERASED, subject=entry.change.entity_id, limit=1)
        by_age = "values are kept for a time only, and that was longer ago"
        return f"{events[0].actor} had it forgotten on {events[0].at:%Y-%m-%d}" if events else by_age

    def _later_writer(self, chain: CellChain, ref: Ref, live: FieldValue) -> str:
        """The later batch of ours that wrote the live value, or empty: then somebody else did."""
        entry, cell = chain.newest
        later = self._installation.ledger.entries(ref=ref, after_seq=entry.seq, newest_first=True)
        for other in later:
            if other.state is State.CONFIRMED and any(c.vendor_field == cell.vendor_field for c in other.change.cells):
                written = other.observed.get(cell.vendor_field)
                return other.batch_id if same_value(written, live) else ""
        return ""

    def _undo_create(self, created: Entry, group: Sequence[Written], readout: Readout) -> None:
        ref = group[0].ref
        if not isinstance(readout, Record):
            fate, note = fate_of_missing(readout)
            fate = Fate.ALREADY if fate is Fate.CONFLICT_DELETED else fate
            self.verdicts.append(Verdict(created, ref, None, fate, name=str(ref), note=note))
            return
        fate, note = self._fate_of_created(created, group, readout)
        name = self._installation.display_name(readout)
        self.verdicts.append(Verdict(created, ref, None, fate, name=name, note=note))
        if fate is Fate.RESTORE:
            parents = self._installation.connectors[ref.system].capabilities.parent_fields
            self.changes.append(removal(created, ref, height(ref.object_type, parents)))
            self._removed[ref] = created

    def _undo_removal(self, removed: Entry, ref: Ref, readout: Readout) -> None:
        fate, note = self._fate_of_removed(removed, ref, readout)
        [cell] = removed.change.cells
        name = _last_name(self._installation, ref)
        is_made_again = fate is Fate.RESTORE and bool(removed.change.decided_from)
        said_yes, why_not = self._only_ones.was_the_one(removed, ref) if is_made_again else ((), "")
        note = f"{note}; {why_not}" if why_not else note
        self.verdicts.append(Verdict(removed, ref, cell, fate, target=ref.id, name=name, note=note))
        if is_made_again:
            self.changes.append(made_again(removed, ref, said_yes))
        elif fate is Fate.RESTORE:
            self.changes.append(bringing_back(removed, ref, cell))

    def _fate_of_removed(self, removed: Entry, ref: Ref, readout: Readout) -> tuple[Fate, str]:
        """A record that an earlier undo removed comes back with its id, as long as the vendor's bin keeps it."""
        capabilities = self._installation.connectors[ref.system].capabilities
        if isinstance(readout, Record):
            return Fate.ALREADY, "it is there again"
        copy = self._installation.mirror.last_copy(ref)
        if removed.change.entity_id in self._forgotten or (copy and forgotten_among(self._installation, [copy])):
            return Fate.ERASED, "the person is forgotten: no undo brings them back"
        if not isinstance(readout, Gone):
            return fate_of_missing(readout)
        members = self._installation.crosswalk.members([removed.change.entity_id])
        links = members.get(removed.change.entity_id, ())
        others = [link.ref for link in links if link.role == "active" and link.state == "linked"]
        if (successor := next((other for other in others if other.system == ref.system), None)) is not None:
            return Fate.IRREVERSIBLE, f"{successor} has taken its place"
        if removed.change.decided_from:
            return Fate.RESTORE, "the two are joined again, as a new record where the CRM gives it another id"
        if not capabilities.undelete:
            return Fate.IRREVERSIBLE, "a record that was removed is not made anew; people can restore it in the bin"
        age = self._installation.clock() - (removed.settled_at or removed.recorded_at)
        if capabilities.bin_days is not None and age >= timedelta(days=capabilities.bin_days):
            return Fate.IRREVERSIBLE, f"the recycle bin keeps a record for {capabilities.bin_days} days"
        return Fate.RESTORE, "it comes back from the recycle bin"

    def _fate_of_created(self, created: Entry, group: Sequence[Written], readout: Record) -> tuple[Fate, str]:
        """Removed while untouched: nobody edited it, nothing of ours came later, nothing belongs to it."""
        if created.erased:
            return Fate.ERASED, f"{self._erased_by(created)}; nobody can tell whether it was edited since"
        converted = _converted_into(self._installation, readout)
        if converted is not None:
            return Fate.CONFLICT_CONVERTED, f"into {converted}"
        ours = self._installation.ledger.entries(ref=readout.ref, states=(State.CONFIRMED,))
        later = [
            entry.batch_id
            for entry in ours
            if entry.seq > created.seq and entry.change.op not in REMOVALS and entry.batch_id not in self._batches
        ]
        if later:
            return Fate.BLOCKED_DEPENDENT, later[-1]
        if self._children.get(readout.ref):
            return Fate.CONFLICT_EDITED, f"{self._children[readout.ref]} records belong to it"
        edited = [
            chain.newest[1].field
            for chain in _chains(group)
            if not same_value(readout.fields.get(chain.newest[1].vendor_field), chain.written)
        ]
        known = {entry.version for entry in ours} | self._child_versions[readout.ref]
        if edited or readout.version not in known:
            return Fate.CONFLICT_EDITED, ", ".join(sorted(edited)) or "changed since we created it"
        return Fate.RESTORE, "the record we created is removed"


def _chains(group: Sequence[Written]) -> list[CellChain]:
    """The cells of one record, each through everything undone, newest first."""
    chains: dict[str, CellChain] = defaultdict(CellChain)
    for each in group:
        for cell in each.cells:
            chains[cell.vendor_field].entries.append((each.entry, cell))
    return list(chains.values())


def _with_editors(installation: Installation, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Name who edited what is kept, where the vendor tells; a name is never worth failing for."""
    kept = [verdict for verdict in verdicts if verdict.fate is Fate.CONFLICT_EDITED and verdict.cell is not None]
    people: dict[tuple[Ref, str], str] = {}
    for system in sorted({verdict.ref.system for verdict in kept}):
        cells = [(each.ref, each.cell.vendor_field) for each in kept if each.cell and each.ref.system == system]
        try:
            people.update(people_of(installation.connectors[system].authors(cells)))
        except ConnectorError:
            continue
    return [
        replace(verdict, who=people.get((verdict.ref, verdict.cell.vendor_field), "")) if verdict.cell else verdict
        for verdict in verdicts
    ]


def _read_live(installation: Installation, written: Sequence[Written]) -> dict[Ref, Readout]:
    """Every record concerned, with its name and with what tells of a conversion."""
    wanted: dict[Ref, set[str]] = defaultdict(set)
    for each in written:
        capabilities = installation.connectors[each.ref.system].capabilities
        fields = wanted[each.ref]
        fields.update(cell.vendor_field for cell in each.cells if each.entry.change.op != "delete")
        fields.update(capabilities.name_fields.get(each.ref.object_type, ()))
        if (conversion := capabilities.conversions.get(each.ref.object_type)) is not None:
            fields.update((conversion.flag, conversion.id_field))
    return read_live(installation, wanted)


def _schemas(installation: Installation, written: Sequence[Written]) -> dict[tuple[str, str], ObjectSchema]:
    places = sorted({(each.ref.system, each.ref.object_type) for each in written})
    return {place: installation.connectors[place[0]].schema(place[1]) for place in places}


def _inactive_owners(installation: Installation, written: Sequence[Written]) -> frozenset[str]:
    systems = {each.ref.system for each in written if any(cell.meaning == "owner" for cell in each.cells)}
    return inactive_of([owner for system in sorted(systems) for owner in installation.connectors[system].owners()])


def _children(installation: Installation, written: Sequence[Written], created: set[Ref]) -> Counter[Ref]:
    """How many records that stay belong to one we created: as last seen, and what we created there since."""
    found: Counter[Ref] = Counter()
    for system, object_type in sorted({(ref.system, ref.object_type) for ref in created}):
        parents = installation.connectors[system].capabilities.parent_fields
        for child_type, relations in parents.items():
            names = [place.field for place in relations.values() if place.object_type == object_type]
            for record in installation.mirror.scan(system, child_type) if names else ():
                above = {Ref(system, object_type, str(record.fields.get(name))) for name in names}
                if record.ref not in created:
                    found.update(above & created)
    first = min((each.entry.seq for each in written), default=0)
    for entry in installation.ledger.each_entry(EntryQuery(states=(State.CONFIRMED,), after_seq=first)):
        change = entry.change
        if change.op == "create" and Ref(change.system, change.object_type, entry.record_id or "") not in created:
            found.update(ref for ref in created if ref.system == change.system and ref.id in change.parents.values())
    return found


def _child_versions(installation: Installation, written: Sequence[Written]) -> dict[Ref, set[str | None]]:
    """By parent, the versions of records we created under it and now take back: a vendor that counts a new child as a
    change of its parent (HubSpot) stamps both at the same moment."""
    found: dict[Ref, set[str | None]] = defaultdict(set)
    for each in written:
        change = each.entry.change
        parents = installation.connectors[change.system].capabilities.parent_fields.get(change.object_type, {})
        for relation, parent_id in change.parents.items():
            found[Ref(change.system, parents[relation].object_type, parent_id)].add(each.entry.version)
    return found


def _converted_into(installation: Installation, record: Record) -> str | None:
    """What a converted record became; a converted Lead takes no writes any more."""
    conversion = installation.connectors[record.ref.system].capabilities.conversions.get(record.ref.object_type)
    if conversion is None or record.fields.get(conversion.flag) is not True:
        return None
    return f"{record.ref.system}:{conversion.into}/{record.fields.get(conversion.id_field)}"


def _last_name(installation: Installation, ref: Ref) -> str:
    return installation.display_name(installation.mirror.last_copy(ref)) if ref.id else ""


def _restoring(installation: Installation, verdicts: Sequence[Verdict], ref: Ref) -> list[Change]:
    cells = tuple(
        _restoring_cell(verdict, verdict.cell) for verdict in verdicts if verdict.fate is Fate.RESTORE and verdict.cell
    )
    entity_id = verdicts[0].entry.change.entity_id
    connector = installation.connectors[ref.system]
    links = [cell for cell in cells if _is_link(connector, ref, cell)]
    apart = [replace(association(entity_id, ref, cell), guarded=True) for cell in links]
    cells = tuple(cell for cell in cells if cell not in links)
    if not cells:
        return apart
    change = Change("update", entity_id, ref.system, ref.object_type, ref.id, cells, guarded=True)
    stubborn = tuple(cell for cell in cells if _must_clear_first(connector, ref, cell))
    if not stubborn:
        return [*apart, change]
    group = f"{entity_id}:{ref}"
    cleared = tuple(replace(cell, after=None) for cell in stubborn)
    refilled = tuple(replace(cell, before=None) if cell in stubborn else cell for cell in cells)
    return [*apart, replace(change, cells=cleared, group=group), replace(change, cells=refilled, group=group, step=1)]


def _restoring_cell(verdict: Verdict, cell: Cell) -> Cell:
    sentence = f"undo of {verdict.entry.batch_id} ({cell.why.policy})"
    why = Why("rollback", cell.why.line, cell.why.rule, sentence)
    meaning: Meaning = "consent" if cell.meaning == "opt_in" else "restore"  # so that no undo of it opts anybody in
    return Cell(cell.field, cell.vendor_field, verdict.live, verdict.target, meaning, why)


def _is_link(connector: Connector, ref: Ref, cell: Cell) -> bool:
    """Which record this one belongs to is an operation of its own."""
    parents = connector.capabilities.parent_fields.get(ref.object_type, {})
    return any(place.field == cell.vendor_field for place in parents.values())


def _must_clear_first(connector: Connector, ref: Ref, cell: Cell) -> bool:
    """HubSpot ignores a lifecycle stage moved back unless it was cleared by a request of its own."""
    place = (ref.object_type, cell.vendor_field)
    return place in connector.capabilities.clears_before_moving_back and cell.after not in (None, "")
