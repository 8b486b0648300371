"""Step 3: which records are the same person or company.

Promise: ambiguity is refused, never guessed. Two candidates on one side make everyone involved *unclear*: nobody of
them is written until a person decides. One record per system is the active one; a record of an earlier object type in
``records`` (a Contact) beats one of a later (an open Lead) with the same key, and the Lead becomes a duplicate review.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from agent.apply import Progress, silent
from agent.changes import ReviewRequest
from agent.connector import Conversion
from agent.crosswalk import Link, NewLink
from agent.decide.match import in_order, linked_elsewhere
from agent.decide.policy import EntityType
from agent.forgetting.forgotten import question_of_erased
from agent.installation import Installation
from agent.links import await_pairing, counterpart
from agent.pairing.duplicates import pair_topic
from agent.records import Record, Ref
from agent.successors import forget_blanks

SLICE = 1000  # records read at a time


@dataclass(slots=True)
class Resolution:
    """Entities touched by the records at hand, and the questions that came up."""

    entities: set[str] = field(default_factory=set)
    reviews: list[ReviewRequest] = field(default_factory=list)
    unclear: set[Ref] = field(default_factory=set)


def resolve(installation: Installation, entity_type: EntityType, progress: Progress = silent) -> Resolution:
    """Link all pending records of this type to entities, some at a time, and say which entities are touched.

    What is asked about a link is on the disk before the link: whoever is linked is not asked about again.
    """
    desk = _Desk(installation, entity_type, progress)
    desk.place(desk.take())
    return desk.resolution


Numbers: TypeAlias = "array[int]"
"""Numbers of records in the mirror: a hundred thousand of them are small, so many ``Ref`` are not."""


class _Desk:
    """One pass of linking. Sees its own new links before they are committed.

    A first pull brings all records there are, so no more of each is kept than its number; everything else is read for
    some records at a time, and links are written down as often.
    """

    def __init__(self, installation: Installation, entity_type: EntityType, progress: Progress) -> None:
        self._installation = installation
        self._progress = progress
        self._mirror = installation.mirror
        self._crosswalk = installation.crosswalk
        self._type = entity_type
        self._policies = installation.policies.policies
        self._gone: set[Ref] = set()
        self._converted_ones: dict[Ref, Record] = {}
        self._beside_ones: set[Ref] = set()
        self._entities: dict[Ref, str | None] = {}
        self._are_converted: dict[Ref, bool] = {}
        self._holders: Mapping[str, Sequence[Ref]] = {}
        self._new: dict[Ref, NewLink] = {}
        self._active: dict[tuple[str, str], Ref] = {}
        self._marks: dict[Ref, str] = {}
        self._written_reviews = 0
        self._successors: dict[str, Ref] = {}
        """{entity: the record that took the place of another one of its system}."""
        self.resolution = Resolution()

    def take(self) -> Numbers:
        """Follow every record known before. Returns the new ones, a Contact before the Lead beside it.

        What has gone or was converted comes first: it makes room, so that a Contact finds the place of its converted
        Lead.
        """
        others = array("q")
        for part, refs in self._parts(self._pending()):
            stays = self._staying(refs)
            others.extend(number for number, ref in zip(part, refs, strict=True) if ref in stays)
        for ref in sorted({*self._gone, *self._converted_ones}, key=self._rank):
            self._follow(ref)
        self._write_down()
        new = array("q")
        for part, refs in self._parts(others):
            self._look_at(refs)
            new.extend(number for number, ref in zip(part, refs, strict=True) if self._is_new(ref))
            self._write_down()
        return new

    def place(self, new: Numbers) -> None:
        """All of them by the first kind of key, then all by the second, and so on."""
        for kind in self._type.match:
            left = array("q")
            for part, refs in self._parts(new):
                waiting = self._waiting(refs)
                for ref, values in self._values(waiting, kind).items():
                    if not self._is_placed(ref):
                        self._pair(ref, kind, values)
                left.extend(number for number, ref in zip(part, refs, strict=True) if not self._is_placed(ref))
                self._write_down()
            new = left
        for _, refs in self._parts(new):
            for ref in self._waiting(refs):
                self._alone(ref)
            self._write_down()

    def _write_down(self) -> None:
        """Commit what was found so far: questions first, then links."""
        reviews = self.resolution.reviews[self._written_reviews :]
        self._installation.reviews.open_or_refresh(reviews)
        self._written_reviews += len(reviews)
        forget_blanks(self._installation, self._type, self._successors)
        await_pairing(self._installation, self._paired, self._type.name)
        self._crosswalk.link_many(list(self._new.values()))
        for ref, state in self._marks.items():
            self._crosswalk.mark(ref, state)
        for memory in (self._new, self._active, self._marks, self._successors, self._entities, self._are_converted):
            memory.clear()

    def _pending(self) -> Numbers:
        """A Contact before the Lead beside it."""
        places = [(system, name) for system, names in self._type.records.items() for name in names]
        found = array("q")
        for system, object_type in sorted(places, key=lambda place: (self._type.rank(*place), place)):
            found.extend(self._mirror.waiting.numbers(system, object_type))
        return found

    def _parts(self, numbers: Numbers) -> Iterator[tuple[Numbers, list[Ref]]]:
        for start in range(0, len(numbers), SLICE):
            self._installation.give_way("pairing records")
            self._progress(start, len(numbers))
            part = numbers[start : start + SLICE]
            yield part, self._mirror.waiting.refs_at(part)

    def _staying(self, refs: Sequence[Ref]) -> set[Ref]:
        """Those that are alive and may have to be placed. Most are no Leads, and long linked beside another: their
        entity is touched, nothing else."""
        paired = self._crosswalk.in_company(refs)
        steady = self._mirror.living(ref for ref in paired if self._conversion(ref) is None)
        self.resolution.entities.update(paired[ref] for ref in steady)
        rest = [ref for ref in refs if ref not in steady]
        living = self._mirror.living(rest)
        self._gone.update(ref for ref in rest if ref not in living)
        converted = {ref: record for ref, record in self._convertible(rest).items() if self._is_converted(record)}
        self._converted_ones |= converted
        return living - converted.keys()

    def _look_at(self, refs: Sequence[Ref]) -> None:
        known = self._crosswalk.entities_of(refs)
        self._entities.update((ref, known.get(ref)) for ref in refs)

    def _convertible(self, refs: Iterable[Ref]) -> dict[Ref, Record]:
        return self._mirror.records(ref for ref in refs if self._conversion(ref) is not None)

    def _waiting(self, refs: Sequence[Ref]) -> list[Ref]:
        """Those that were not placed so far."""
        placed = {*self._crosswalk.paired(refs), *self._beside_ones, *self.resolution.unclear}
        waiting = [ref for ref in refs if ref not in placed]
        self._look_at(waiting)
        return waiting

    def _values(self, refs: Sequence[Ref], kind: str) -> dict[Ref, list[tuple[str, str]]]:
        """The values of this kind that these records have, here and in the other system; who has them is known then."""
        found: dict[Ref, list[tuple[str, str]]] = {}
        for ref, keys in self._mirror.keys(refs).items():
            values = in_order([value for its_kind, value in keys if its_kind == kind], ref, self._type)
            found[ref] = [(here, there) for here in values if (there := self._elsewhere(ref, kind, here)) is not None]
        self._holders = self._mirror.holders(
            kind, {value for pairs in found.values() for pair in pairs for value in pair}
        )
        holders = {ref for refs in self._holders.values() for ref in refs}
        self._look_at([*holders])
        self._are_converted |= {ref: self._is_converted(record) for ref, record in self._convertible(holders).items()}
        return {ref: found[ref] for ref in refs if ref in found}

    def _rank(self, ref: Ref) -> tuple[int, Ref]:
        """Earlier object types first: a Contact before the Lead beside it."""
        return self._type.rank(ref.system, ref.object_type), ref

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

    def _follow(self, ref: Ref) -> None:
        """What has gone or was converted."""
        entity_id = self._entity_of(ref)
        if ref in self._gone and self._mirror.is_deleted(ref):
            self._lost(ref, entity_id)
        elif ref in self._converted_ones:
            self._converted(self._converted_ones[ref], entity_id)

    def _is_new(self, ref: Ref) -> bool:
        """Follow what became of a record that is linked; anything else is new."""
        entity_id = self._entity_of(ref)
        if entity_id is None:
            return True
        if self._link_state(ref) in ("lost", "released") and self._active_of(entity_id, ref.system) is None:
            self._link(entity_id, ref, "active")  # out of the recycle bin
        elif self._stands_alone(entity_id, ref):
            return True  # what changed may tell who it is
        else:
            self.resolution.entities.add(entity_id)
        return False

    def _is_placed(self, ref: Ref) -> bool:
        if ref in self._new or ref in self.resolution.unclear or ref in self._beside_ones:
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
            self._beside_ones.add(winner)
        self._link(entity_id, ref, "duplicate")
        self._beside_ones.add(ref)
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
        if entity_id is None or self._link_state(ref) in ("undone", "released"):
            return  # the tombstone of a create that we took back ourselves, or of a record that a person let go
        self._marks[ref] = "lost"
        self._active.pop((entity_id, ref.system), None)
        self.resolution.entities.add(entity_id)
        if survivor is not None and self._may_follow(survivor, entity_id):
            self._successors[entity_id] = survivor
            self._link(entity_id, survivor, "active")
        elif (survivor is None or self._entity_of(survivor) != entity_id) and self._has_counterpart(entity_id, ref):
            if self._mirror.erased.has(ref):
                others = [each for name in self._type.records if (each := self._active_of(entity_id, name)) is not None]
                if self._mirror.living(others):
                    self._ask("erased", entity_id, str(ref), question_of_erased(ref, others), [ref])
                return
            what = f"merged into {survivor}" if survivor else "deleted"
            sentence = f"{ref} was {what}; {self._becomes_of_counterpart}"
            self._ask("lost", entity_id, str(ref), sentence, [ref])

    def _may_follow(self, survivor: Ref, entity_id: str) -> bool:
        """Nobody else is paired with what the record was merged into, and nothing of ours stands in its place."""
        owner = self._entity_of(survivor)
        is_free = owner is None or (owner != entity_id and self._stands_alone(owner, survivor))
        return is_free and (owner is None or self._active_of(entity_id, survivor.system) is None)

    @property
    def _becomes_of_counterpart(self) -> str:
        if self._type.follows_removals:
            return f"{self._type.policy} takes its counterpart off too, unless what it joins is gone or merged"
        return "its counterpart stays and nothing is created again"

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
        if ref not in self._are_converted:
            found = self._convertible([ref])
            self._are_converted[ref] = ref in found and self._is_converted(found[ref])
        return self._are_converted[ref]

    def _entity_of(self, ref: Ref) -> str | None:
        return self._new[ref].entity_id if ref in self._new else self._written_entity_of(ref)

    def _written_entity_of(self, ref: Ref) -> str | None:
        if ref not in self._entities:
            self._look_at([ref])
        return self._entities[ref]

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
