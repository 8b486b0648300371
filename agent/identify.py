"""Step 3: which records are the same person or company.

Promise: ambiguity is refused, never guessed. Two candidates on one side make everyone involved *unclear*: nobody of
them is written until a person decides. One record per system is the active one; a record of an earlier object type in
``records`` (a Contact) beats one of a later (an open Lead) with the same key, and the Lead becomes a duplicate review.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.changes import ReviewRequest
from agent.connector import Conversion
from agent.crosswalk import Link, NewLink
from agent.decide.match import in_order, linked_elsewhere
from agent.decide.policy import EntityType
from agent.decide.view import Base
from agent.installation import Installation
from agent.links import await_pairing, counterpart
from agent.pairing.duplicates import pair_topic
from agent.records import Record, Ref

SLICE = 1000
"""Records read at a time."""


@dataclass(slots=True)
class Resolution:
    """Entities touched by the records at hand, and the questions that came up."""

    entities: set[str] = field(default_factory=set)
    reviews: list[ReviewRequest] = field(default_factory=list)
    unclear: set[Ref] = field(default_factory=set)
    belonging: set[Ref] = field(default_factory=set)
    """Records of other types that belong to what was paired just now."""


def resolve(installation: Installation, entity_type: EntityType, refs: Sequence[Ref]) -> Resolution:
    """Link these records to entities, some at a time, and say which entities are touched.

    What is asked about a link is on the disk before the link: whoever is linked is not asked about again.
    """
    desk = _Desk(installation, entity_type)
    desk.take(refs)
    desk.place()
    return desk.resolution


def _forget_blanks(installation: Installation, entity_type: EntityType, successors: Mapping[str, Ref]) -> None:
    """A record that took another one's place cleared nothing: where it is blank, nothing was ever settled with it."""
    records = installation.mirror.records(successors.values())
    rules = installation.policies.policies.rules_for(entity_type.name)
    forgotten: dict[str, dict[str, Base]] = {}
    for entity_id, bases in installation.mirror.bases(successors).items():
        ref = successors[entity_id]
        fields = records[ref].fields if ref in records else {}
        blank = {
            rule.name for rule in rules if fields.get(rule.vendor_field(ref.system, ref.object_type) or "") is None
        }
        forgotten[entity_id] = {
            name: base._replace(values={key: value for key, value in base.values.items() if key != ref.system})
            for name, base in bases.items()
            if name in blank
        }
    installation.mirror.set_bases(forgotten)


def _slices(refs: Sequence[Ref]) -> Iterator[Sequence[Ref]]:
    return (refs[start : start + SLICE] for start in range(0, len(refs), SLICE))


class _Desk:
    """One pass of linking. Sees its own new links before they are committed.

    A first pull brings all records there are, so of each no more is kept than that it is there and where it was placed;
    keys are read when they are needed, and links are written down some at a time.
    """

    def __init__(self, installation: Installation, entity_type: EntityType) -> None:
        self._installation = installation
        self._mirror = installation.mirror
        self._crosswalk = installation.crosswalk
        self._type = entity_type
        self._policies = installation.policies.policies
        self._unlinked: set[Ref] = set()
        """Records at hand that were not linked by this pass, as far as it is written down."""
        self._gone: set[Ref] = set()
        self._converted_ones: dict[Ref, Record] = {}
        self._entities: dict[Ref, str] = {}
        self._holders: Mapping[str, Sequence[Ref]] = {}
        self._new: dict[Ref, NewLink] = {}
        self._active: dict[tuple[str, str], Ref] = {}
        self._marks: dict[Ref, str] = {}
        self._written_reviews = 0
        self._successors: dict[str, Ref] = {}
        """{entity: the record that took the place of another one of its system}."""
        self.resolution = Resolution()

    def place(self) -> None:
        """Every record known before, then the new ones: all by the first kind of key, all by the second, and so on."""
        new = [ref for ref in sorted(self._unlinked, key=self._rank) if self._is_new(ref)]
        self._write_down()
        for kind in self._type.match:
            for part in _slices(new):
                waiting = [ref for ref in part if not self._is_placed(ref)]
                for ref, values in self._values(waiting, kind).items():
                    if not self._is_placed(ref):
                        self._pair(ref, kind, values)
                self._write_down()
        for part in _slices(new):
            for ref in part:
                if not self._is_placed(ref):
                    self._alone(ref)
            self._write_down()

    def _write_down(self) -> None:
        """Commit what was found so far: questions first, then links."""
        reviews = self.resolution.reviews[self._written_reviews :]
        self._installation.reviews.open_or_refresh(reviews)
        self._written_reviews += len(reviews)
        _forget_blanks(self._installation, self._type, self._successors)
        self.resolution.belonging |= await_pairing(self._installation, self._paired, self._type.name)
        self._crosswalk.link_many(list(self._new.values()))
        for ref, state in self._marks.items():
            self._crosswalk.mark(ref, state)
        self._unlinked.difference_update(self._new)
        for memory in (self._new, self._active, self._marks, self._successors):
            memory.clear()

    def take(self, refs: Sequence[Ref]) -> None:
        """Most records are alive, no Leads, and long linked beside another: their entity is touched, nothing else."""
        for part in _slices(refs):
            paired = self._crosswalk.in_company(part)
            steady = self._mirror.living(ref for ref in paired if self._conversion(ref) is None)
            self.resolution.entities.update(paired[ref] for ref in steady)
            self._look_at([ref for ref in part if ref not in steady])

    def _look_at(self, refs: Sequence[Ref]) -> None:
        self._unlinked.update(refs)
        self._entities |= self._crosswalk.entities_of(refs)
        self._gone |= set(refs) - self._mirror.living(refs)
        convertible = self._mirror.records(ref for ref in refs if self._conversion(ref) is not None)
        self._converted_ones |= {ref: record for ref, record in convertible.items() if self._is_converted(record)}

    def _values(self, refs: Sequence[Ref], kind: str) -> dict[Ref, list[tuple[str, str]]]:
        """The values of this kind that these records have, here and in the other system; who has them is known then."""
        found: dict[Ref, list[tuple[str, str]]] = {}
        for ref, keys in self._mirror.keys(refs).items():
            values = in_order([value for its_kind, value in keys if its_kind == kind], ref, self._type)
            found[ref] = [(here, there) for here in values if (there := self._elsewhere(ref, kind, here)) is not None]
        self._holders = self._mirror.holders(
            kind, {value for pairs in found.values() for pair in pairs for value in pair}
        )
        return {ref: found[ref] for ref in refs if ref in found}

    def _rank(self, ref: Ref) -> tuple[bool, int, str, str]:
        """What has gone or was converted, then earlier object types: a Contact before the Lead beside it."""
        stays = ref not in self._gone and ref not in self._converted_ones
        return stays, self._type.rank(ref.system, ref.object_type), ref.system, ref.id

    @property
    def _paired(self) -> list[Ref]:
        """Records that stand beside one of the other system since they were last written down, and those beside."""
        fresh = [link for link in self._new.values() if self._has_counterpart(link.entity_id, link.ref)]
        return [
            active
            for entity_id in dict.fromkeys(link.entity_id for link in fresh)
            for system in self._type.records
            if (active := self._active_of(entity_id, system)) is not None
        ]

    def _is_new(self, ref: Ref) -> bool:
        """Follow what became of a record that is linked, gone or converted; anything else is new.

        What makes room comes first (``_rank``), so that a Contact finds the place of its converted Lead.
        """
        entity_id = self._entity_of(ref)
        if ref in self._gone:
            if self._mirror.is_deleted(ref):
                self._lost(ref, entity_id)
        elif ref in self._converted_ones:
            self._converted(self._converted_ones[ref], entity_id)
        elif entity_id is None:
            return True
        elif self._link_state(ref) in ("lost", "released") and self._active_of(entity_id, ref.system) is None:
            self._link(entity_id, ref, "active")  # out of the recycle bin
        elif self._stands_alone(entity_id, ref):
            return True  # what changed may tell who it is
        else:
            self.resolution.entities.add(entity_id)
        return False

    def _is_placed(self, ref: Ref) -> bool:
        if ref in self._new or ref not in self._unlinked or ref in self.resolution.unclear:
            return True
        entity_id = self._entity_of(ref)
        return entity_id is not None and self._has_counterpart(entity_id, ref)  # another one came to it

    def _pair(self, ref: Ref, kind: str, values: Sequence[tuple[str, str]]) -> None:
        for value, elsewhere in values:
            here = self._candidates(ref.system, value) or [ref]
            there = self._not_refused(ref, self._candidates(self._other(ref.system), elsewhere))
            if there:
                self._judge(ref, kind, here, there)
                return

    def _elsewhere(self, ref: Ref, kind: str, value: str) -> str | None:
        """The value that this key has in the other system, which has ids of its own."""
        readers = self._installation.policies.readers(self._type.name, ref.system, ref.object_type)
        return linked_elsewhere(
            kind, value, readers, lambda thing, here: counterpart(self._installation, thing, ref.system, here)
        )

    def _judge(self, ref: Ref, kind: str, here: list[Ref], there: list[Ref]) -> None:
        first_here, first_there = self._first_of(here), self._first_of(there)
        if len(first_here) > 1 or len(first_there) > 1:
            self._unclear(ref, kind, [*here, *there])
        elif ref not in first_here:
            self._beside(ref, first_here[0])
        else:
            self._join(ref, first_there[0], kind)

    def _join(self, ref: Ref, partner: Ref, kind: str) -> None:
        entity_id = self._entity_of(partner)
        if entity_id is None:
            entity_id = self._crosswalk.new_entity(self._type.name)
            self._link(entity_id, partner, "active")
        elif self._active_of(entity_id, partner.system) not in (None, partner):
            self._unclear(ref, kind, [partner, ref])
            return
        before = self._active_of(entity_id, ref.system)
        if before is None:
            self._link(entity_id, ref, "active")
        elif self._outranks(ref, before):
            self._succeed(entity_id, ref, before)
        else:
            self._unclear(ref, kind, [partner, ref])

    def _succeed(self, entity_id: str, ref: Ref, before: Ref) -> None:
        """A Contact appears beside a paired open Lead: it becomes the active record, the Lead is read only."""
        self._successors[entity_id] = ref
        self._link(entity_id, ref, "active")
        self._ask_about_duplicate(entity_id, before, ref)

    def _alone(self, ref: Ref) -> None:
        entity_id = self._entity_of(ref)
        if entity_id is None:
            self._link(self._crosswalk.new_entity(self._type.name), ref, "active")
        else:
            self.resolution.entities.add(entity_id)

    def _beside(self, ref: Ref, winner: Ref) -> None:
        """An open Lead beside a Contact with the same key: linked for reading, never written, up for review."""
        entity_id = self._entity_of(winner)
        if entity_id is None:
            entity_id = self._crosswalk.new_entity(self._type.name)
            self._link(entity_id, winner, "active")
        self._link(entity_id, ref, "duplicate")
        self._ask_about_duplicate(entity_id, ref, winner)

    def _ask_about_duplicate(self, entity_id: str, ref: Ref, winner: Ref) -> None:
        sentence = f"{ref} is the same {self._type.name} as {winner}, which is the active record"
        self._ask("duplicate", entity_id, pair_topic(ref, winner), sentence, sorted((winner, ref)))

    def _unclear(self, ref: Ref, kind: str, refs: list[Ref]) -> None:
        involved = sorted(set(refs))
        self.resolution.unclear.update(involved)
        names = ", ".join(str(other) for other in involved)
        topic = f"{kind}:{involved[0]}"
        self._ask("unclear", "", topic, f"more than one record answers to the same {kind}: {names}", involved)

    def _lost(self, ref: Ref, entity_id: str | None) -> None:
        survivor = self._mirror.merged_into(ref)
        if entity_id is None:
            return
        if self._link_state(ref) in ("undone", "released"):
            return  # the tombstone of a create that we took back ourselves, or of a record that a person let go
        self._marks[ref] = "lost"
        self._active.pop((entity_id, ref.system), None)
        self.resolution.entities.add(entity_id)
        if survivor is not None and self._entity_of(survivor) is None:
            self._successors[entity_id] = survivor
            self._link(entity_id, survivor, "active")
        elif (survivor is None or self._entity_of(survivor) != entity_id) and self._has_counterpart(entity_id, ref):
            if self._mirror.erased.has(ref):
                self._ask_about_counterpart(entity_id, ref)
                return
            what = f"merged into {survivor}" if survivor else "deleted"
            sentence = f"{ref} was {what}; its counterpart stays and nothing is created again"
            self._ask("lost", entity_id, str(ref), sentence, [ref])

    def _ask_about_counterpart(self, entity_id: str, ref: Ref) -> None:
        """What a person asked one CRM to erase, the other may have to erase too: that is for people to do."""
        others = [active for name in self._type.records if (active := self._active_of(entity_id, name)) is not None]
        sentence = (
            f"{ref} was erased for good, and Truce forgets its values; {' and '.join(map(str, others))} is still there:"
            " erase it there too, or say that it stays"
        )
        self._ask("erased", entity_id, str(ref), sentence, [ref])

    def _has_counterpart(self, entity_id: str, ref: Ref) -> bool:
        return any(
            self._active_of(entity_id, system) is not None for system in self._type.records if system != ref.system
        )

    def _converted(self, record: Record, entity_id: str | None) -> None:
        conversion = self._conversion(record.ref)
        contact = str(record.fields.get(conversion.id_field) or "") if conversion else ""
        if conversion is None or not contact:
            return
        into = Ref(record.ref.system, conversion.into, contact)
        if entity_id is None:
            return  # a Lead that was converted before we knew it: its Contact speaks for the person
        owner = self._entity_of(into)
        was_active = self._active_of(entity_id, record.ref.system) == record.ref
        self._marks[record.ref] = "duplicate"
        self.resolution.entities.add(entity_id)
        if owner is None or (owner != entity_id and was_active and self._stands_alone(owner, into)):
            self._active.pop((entity_id, record.ref.system), None)
            self._successors[entity_id] = into
            self._link(entity_id, into, "active")
        elif owner != entity_id:
            sentence = f"{record.ref} was converted into {into}, which is paired with somebody else already"
            self._ask("converted", entity_id, str(record.ref), sentence, [record.ref, into])

    def _stands_alone(self, entity_id: str, ref: Ref) -> bool:
        """Nothing else was ever linked to this entity."""
        return all((link.ref, link.state) == (ref, "linked") for link in self._links(entity_id))

    def _candidates(self, system: str, value: str) -> list[Ref]:
        """By object type, then in the order first seen."""
        found = self._holders.get(value, ())
        return [
            ref
            for object_type in self._type.records.get(system, ())
            for ref in found
            if (ref.system, ref.object_type) == (system, object_type) and not self._is_converted_ref(ref)
        ]

    def _not_refused(self, ref: Ref, others: list[Ref]) -> list[Ref]:
        """Without those of which a person said that they are never the same."""
        return [other for other in others if not self._installation.reviews.is_never_pair(ref, other)]

    def _first_of(self, refs: list[Ref]) -> list[Ref]:
        """The records of the highest-ranking object type present."""
        by_type: dict[str, list[Ref]] = defaultdict(list)
        for ref in refs:
            by_type[ref.object_type].append(ref)
        for object_type in self._type.records.get(refs[0].system, ()):
            if by_type[object_type]:
                return by_type[object_type]
        return refs

    def _outranks(self, ref: Ref, other: Ref) -> bool:
        """A Contact before a Lead."""
        return self._type.rank(ref.system, ref.object_type) < self._type.rank(other.system, other.object_type)

    def _other(self, system: str) -> str:
        return next(name for name in self._type.records if name != system)

    def _conversion(self, ref: Ref) -> Conversion | None:
        return self._installation.connectors[ref.system].capabilities.conversions.get(ref.object_type)

    def _is_converted(self, record: Record) -> bool:
        conversion = self._conversion(record.ref)
        return conversion is not None and record.fields.get(conversion.flag) is True

    def _is_converted_ref(self, ref: Ref) -> bool:
        if self._conversion(ref) is None:
            return False
        if ref in self._unlinked or ref in self._converted_ones:
            return ref in self._converted_ones
        record = self._mirror.record(ref)
        return record is not None and self._is_converted(record)

    def _entity_of(self, ref: Ref) -> str | None:
        return self._new[ref].entity_id if ref in self._new else self._written_entity_of(ref)

    def _written_entity_of(self, ref: Ref) -> str | None:
        return self._entities.get(ref) if ref in self._unlinked else self._crosswalk.entity_of(ref)

    def _link_state(self, ref: Ref) -> str | None:
        entity_id = self._entity_of(ref)
        links = self._links(entity_id) if entity_id else []
        return next((link.state for link in links if link.ref == ref), None)

    def _active_of(self, entity_id: str, system: str) -> Ref | None:
        if (entity_id, system) in self._active:
            return self._active[entity_id, system]
        for link in self._links(entity_id):
            alive = link.state == "linked" and self._marks.get(link.ref) is None
            if link.role == "active" and alive and link.ref.system == system:
                return link.ref
        return None

    def _links(self, entity_id: str) -> Sequence[Link]:
        members: Mapping[str, Sequence[Link]] = self._crosswalk.members([entity_id])
        return members.get(entity_id, ())

    def _link(self, entity_id: str, ref: Ref, role: str) -> None:
        """A record that stood alone so far gives up the entity it had."""
        before = self._written_entity_of(ref)
        leaves = before if before not in (None, entity_id) and self._stands_alone(str(before), ref) else None
        self._new[ref] = NewLink(entity_id, self._type.name, ref, role, leaves=leaves)
        if role == "active":
            self._active[entity_id, ref.system] = ref
        self.resolution.entities.add(entity_id)

    def _ask(self, kind: str, entity_id: str, topic: str, sentence: str, refs: list[Ref]) -> None:
        self.resolution.reviews.append(
            ReviewRequest(kind, entity_id, topic, sentence, tuple(refs))  # type: ignore[arg-type]
        )
