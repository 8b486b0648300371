"""Which records may be the same: keys for pairing two systems, and duplicates inside one.

Equality is the index. Pairing keys and the equality parts of every duplicate line become (kind, value) rows that the
mirror keeps, so that one changed record meets its candidates by look-up; similarity is judged on those alone.
A value that stands for many (free mail, shared mailboxes, switchboards) says nothing and makes no key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

from agent.connector import Capabilities
from agent.decide.consent import ADDRESS, OPTED_OUT, is_opt_out
from agent.decide.normalise import as_text
from agent.decide.policy import (
    Agreement,
    DedupeLine,
    DedupePolicy,
    EntityType,
    Place,
    PolicySet,
)
from agent.decide.prepared import FieldReader, Prepared, prepared_of
from agent.decide.reference import words
from agent.decide.similarity import is_similar
from agent.decide.values import Reading
from agent.records import Record, Ref
from agent.systems import System, Systems

STORED_ID = "stored id"
LINK_KEY = "link key"
MOST_CANDIDATES = 50
"""A value shared by more records than this is a placeholder, not a person."""
LARGEST_CLUSTER = 20
MOST_KEYS_PER_LINE = 12

Key = tuple[str, str]
Lookup = Callable[[str, str], Iterable[Ref]]

_LISTS = {"domain": "free mail", "email": "shared mailboxes", "phone": "switchboards"}
"""Cleaner of a field → the list of its values that say nothing."""

TOGETHER = " + "
"""Between the lines of a key that is made of several: ``name + company``."""

LINKED = "links to "
"""Kind of key, followed by a kind of thing: the value is the id of the record that a line links to."""

_JOINED = " | "

_ALWAYS_KEYS = ("email", "domain")
"""Cleaners whose values are keys under their own name, whatever the field is called."""

_COUNTING = "1234567890"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a duplicate line says of two records. ``certainty`` is ``certain`` or ``likely``."""

    certainty: str
    sentence: str
    place: Place


def keys_of(
    record: Record,
    entity_type: EntityType,
    policies: PolicySet | Prepared,
    capabilities: Capabilities | None = None,
) -> Iterator[Key]:
    """Every key this record answers to: for pairing (kinds as under ``match``), then for duplicates.

    ``capabilities`` are those of the record's own system; without them the ids that the vendors' own
    integration leaves behind are used, and no link key.
    """
    prepared = prepared_of(policies)
    seen: set[Key] = set()
    for key in _all_keys(record, entity_type, prepared, capabilities):
        if key not in seen:
            seen.add(key)
            yield key


def fields_of_keys(entity_type: EntityType, policies: PolicySet | Prepared, system: str, object_type: str) -> set[str]:
    """The vendor fields of one object type that ``keys_of`` looks at, those that name ids and links apart."""
    prepared = prepared_of(policies)
    lines = [line for policy in prepared.policies.dedupe if policy.about == entity_type.name for line in policy.lines]
    readers = prepared.readers(entity_type.name, system, object_type)
    named = {name for kind in entity_type.match for name in kind.split(TOGETHER)}
    named |= {name for name, reader in readers.items() if reader.links_to is not None}
    named |= {part.field for line in lines for part in line.parts if part.how == "same"}
    consent = {field for place, field in prepared.opt_out_fields.items() if place == (system, object_type)}
    return consent | {
        reader.vendor_field for name, reader in readers.items() if name in named or reader.cleaner in _ALWAYS_KEYS
    }


def dedupe_keys(record: Record, policy: DedupePolicy, policies: PolicySet | Prepared) -> Iterator[Key]:
    """The equality parts of the policy's lines, as this record fills them."""
    readers = prepared_of(policies).compared(policy.about, record.ref.system, record.ref.object_type)
    forms: dict[str, str | None] = {}
    for line in policy.lines:
        for names in _indexed(line):
            values = [_form(record, readers.get(name), name, policy.ignore, forms) for name in names]
            if all(value is not None for value in values):
                yield _kind(names), _JOINED.join(str(value) for value in values)


def equality_kinds(policy: DedupePolicy) -> list[str]:
    """The kinds of key of which two records share one whenever a line calls them the same."""
    return list(dict.fromkeys(_kind(names) for line in policy.lines for names in _indexed(line)))


def candidates(record: Record, policy: DedupePolicy, policies: PolicySet | Prepared, lookup: Lookup) -> list[Ref]:
    """Records that share an equality part with this one, placeholders left out, sorted.

    ``lookup(kind, value)`` answers from the index, in this record's own system.
    """
    found: set[Ref] = set()
    for kind, value in dedupe_keys(record, policy, policies):
        sharing = set(lookup(kind, value))
        if len(sharing) <= MOST_CANDIDATES:
            found |= sharing
    found.discard(record.ref)
    return sorted(found)


def judge_pair(record: Record, other: Record, policy: DedupePolicy, policies: PolicySet | Prepared) -> Judgement | None:
    """Are two records of one system the same? Certain lines first; anything under ``never`` vetoes."""
    return Judge(policy, policies).judge(record, other)


class Judge:
    """Compares records of one system under one policy, and understands the values of each record once.

    It keeps what it read, so it is made for some records at a time.
    """

    def __init__(self, policy: DedupePolicy, policies: PolicySet | Prepared) -> None:
        self._policy = policy
        self._prepared = prepared_of(policies)
        self._lines = sorted(policy.lines, key=lambda line: line.certainty != "certain")
        self._fields = {part.field for line in policy.lines for part in line.parts} | {
            part.field for part in policy.never
        }
        self._known: dict[Ref, dict[str, Reading | None]] = {}

    def judge(self, record: Record, other: Record) -> Judgement | None:
        """As ``judge_pair``."""
        here, there = self._values(record), self._values(other)
        for line in self._lines:
            agreed = self._agreed(line, here, there)
            if agreed is not None:
                is_vetoed = any(self._holds(part, here, there) for part in self._policy.never)
                return None if is_vetoed else Judgement(line.certainty, _sentence(line, agreed), line.place)
        return None

    def _values(self, record: Record) -> dict[str, Reading | None]:
        known = self._known.get(record.ref)
        if known is None:
            readers = self._prepared.compared(self._policy.about, record.ref.system, record.ref.object_type)
            known = {name: _reading(record, readers.get(name), self._policy.ignore) for name in self._fields}
            self._known[record.ref] = known
        return known

    def _agreed(
        self, line: DedupeLine, here: Mapping[str, Reading | None], there: Mapping[str, Reading | None]
    ) -> list[Agreement] | None:
        """The parts that hold, if there are enough of them; most pairs fail early, so no further part is looked at."""
        may_fail = len(line.parts) - (line.at_least or len(line.parts))
        agreed: list[Agreement] = []
        for seen, part in enumerate(line.parts, start=1):
            if self._holds(part, here, there):
                agreed.append(part)
            elif seen - len(agreed) > may_fail:
                return None
        return agreed

    def _holds(self, part: Agreement, here: Mapping[str, Reading | None], there: Mapping[str, Reading | None]) -> bool:
        """A blank, an invisible or an ignored value agrees with nothing and differs from nothing."""
        one, other = here[part.field], there[part.field]
        if one is None or other is None:
            return False
        if part.how in ("same", "differs"):
            return one.forms.isdisjoint(other.forms) is (part.how == "differs")
        return is_similar(one.text or "", other.text or "", part.how, of_company=self._policy.about == "company")


def clusters(
    pairs: Iterable[tuple[Ref, Ref]], most: int = LARGEST_CLUSTER
) -> tuple[list[frozenset[Ref]], list[tuple[Ref, Ref]]]:
    """Records that belong together through others, and the pairs left out to keep clusters at ``most`` records.

    Pairs are taken in order; one that would join too many records is a sign of a shared value.
    """
    home: dict[Ref, set[Ref]] = {}
    left_out: list[tuple[Ref, Ref]] = []
    for here, there in pairs:
        ours, theirs = home.get(here, {here}), home.get(there, {there})
        if ours is theirs:
            continue
        joined = ours | theirs
        if len(joined) > most:
            left_out.append((here, there))
            continue
        for ref in joined:
            home[ref] = joined
    distinct = {id(cluster): frozenset(cluster) for cluster in home.values()}
    return sorted(distinct.values(), key=min), left_out


def _all_keys(
    record: Record, entity_type: EntityType, prepared: Prepared, capabilities: Capabilities | None
) -> Iterator[Key]:
    yield from _identity_keys(record, entity_type, capabilities, prepared.systems)
    readers = prepared.readers(entity_type.name, record.ref.system, record.ref.object_type)
    opt_out_field = prepared.opt_out_fields.get((record.ref.system, record.ref.object_type), "")
    is_out = is_opt_out(record.fields.get(opt_out_field))
    yield from _link_keys(record, entity_type, readers)
    for name, reader in readers.items():
        if reader.links_to is None and (name in entity_type.match or reader.cleaner in _ALWAYS_KEYS):
            reading = _reading(record, reader, ("free mail",))
            if reading is not None:
                form = min(reading.forms)
                if name in entity_type.match:
                    yield name, form
                if reader.cleaner in _ALWAYS_KEYS:
                    yield reader.cleaner, form
                if reader.cleaner == ADDRESS and is_out:
                    yield OPTED_OUT, form
    for policy in prepared.policies.dedupe:
        if policy.about == entity_type.name:
            yield from dedupe_keys(record, policy, prepared)


def _link_keys(record: Record, entity_type: EntityType, readers: Mapping[str, FieldReader]) -> Iterator[Key]:
    """What the record belongs to, and keys made of several lines: none where any of them is blank.

    A record that such a key names stands in it by this system's own id; ``linked_elsewhere`` turns it into the other's.
    """
    ids = {
        name: as_text(record.fields.get(reader.vendor_field))
        for name, reader in readers.items()
        if reader.links_to is not None
    }
    for name, record_id in ids.items():
        if record_id is not None:
            yield f"{LINKED}{readers[name].links_to}", record_id
    forms: dict[str, str | None] = {}
    for kind in entity_type.match:
        plain, linked = _parts(kind, readers)
        values = [_form(record, readers.get(name), name, (), forms) for name in plain] + [ids[name] for name in linked]
        if (linked or len(plain) > 1) and all(value is not None for value in values):
            yield kind, _JOINED.join(str(value) for value in values)


def linked_elsewhere(
    kind: str, value: str, readers: Mapping[str, FieldReader], counterpart: Callable[[str, str], str | None]
) -> str | None:
    """The value that the same key has in the other system; None where a record it names has no counterpart there.

    ``counterpart(kind of thing, id here)`` is its id there.
    """
    plain, linked = _parts(kind, readers)
    if not linked:
        return value
    pieces = value.rsplit(_JOINED, len(linked)) if plain else ["", *value.split(_JOINED)]
    there = [counterpart(readers[name].links_to or "", here) for name, here in zip(linked, pieces[1:], strict=True)]
    known = [record_id for record_id in there if record_id is not None]
    return _JOINED.join([*pieces[: 1 if plain else 0], *known]) if len(known) == len(there) else None


def _parts(kind: str, readers: Mapping[str, FieldReader]) -> tuple[list[str], list[str]]:
    """The lines of a key: those of a value of its own, and those that link to another record."""
    names = kind.split(TOGETHER)
    linked = [name for name in names if name in readers and readers[name].links_to is not None]
    return [name for name in names if name not in linked], linked


def _identity_keys(
    record: Record, entity_type: EntityType, capabilities: Capabilities | None, systems: Systems
) -> Iterator[Key]:
    ref = record.ref
    if STORED_ID in entity_type.match:
        yield STORED_ID, _own_key(systems[ref.system], ref.object_type, ref.id)
        stored = capabilities.stored_ids if capabilities is not None else systems[ref.system].stored_ids
        by_field = stored.get(ref.object_type, {})
        other = next((system for system in entity_type.records if system != ref.system), "")
        ranks = list(entity_type.records.get(other, ()))
        for field, other_type in sorted(
            by_field.items(), key=lambda item: ranks.index(item[1]) if item[1] in ranks else len(ranks)
        ):
            other_id = as_text(record.fields.get(field))
            if other_id is not None and other_type in ranks:
                yield STORED_ID, _own_key(systems[other], other_type, other_id)
    link_field = capabilities.link_keys.get(ref.object_type) if capabilities is not None else None
    if link_field is not None and (link := as_text(record.fields.get(link_field))) is not None:
        yield LINK_KEY, link


def in_order(values: Sequence[str], ref: Ref, entity_type: EntityType) -> list[str]:
    """Several values of one kind as ``keys_of`` gives them: the record's own id, then by rank of what is named."""
    ranks = [f"{system}:{name}" for system, types in entity_type.records.items() for name in types]

    def rank(value: str) -> tuple[bool, int]:
        place = value.partition("/")[0]
        return not place.startswith(f"{ref.system}:"), ranks.index(place) if place in ranks else len(ranks)

    return sorted(values, key=rank) if len(values) > 1 else list(values)


def _own_key(system: System, object_type: str, record_id: str) -> str:
    """Two systems may call an object type alike and count alike: a record is known by its system too."""
    return f"{system.key}:{object_type}/{system.id_of(record_id)}"


@lru_cache(maxsize=1024)
def _indexed(line: DedupeLine) -> tuple[tuple[str, ...], ...]:
    """The combinations of equality parts of which every matching pair shares at least one.

    If all parts must hold: all equality parts at once. If ``n`` of them: at least ``n`` less the other parts are
    equalities, so every combination of that many; fewer at once where there would be too many combinations.
    """
    equal = tuple(part.field for part in line.parts if part.how == "same")
    if not equal:
        return ()
    if line.at_least is None:
        return (equal,)
    size = line.at_least - (len(line.parts) - len(equal))
    if size < 1:
        return ()
    while size > 1 and comb(len(equal), size) > MOST_KEYS_PER_LINE:
        size -= 1
    return tuple(combinations(equal, size))


def _kind(names: Sequence[str]) -> str:
    return f"same {' + '.join(names)}"


def _form(
    record: Record, reader: FieldReader | None, name: str, ignore: Sequence[str], known: dict[str, str | None]
) -> str | None:
    if name not in known:
        reading = _reading(record, reader, ignore)
        known[name] = min(reading.forms) if reading is not None else None
    return known[name]


def _reading(record: Record, reader: FieldReader | None, ignore: Sequence[str]) -> Reading | None:
    """A value that says something, or None: absent, blank, unmapped, or on a list of values to ignore."""
    if reader is None or reader.vendor_field not in record.fields:
        return None
    reading = reader.codec.read(record.ref.system, record.fields[reader.vendor_field])
    if reading.is_blank or not reading.is_mapped:
        return None
    list_name = _LISTS.get(reader.cleaner)
    if list_name in ignore and _says_nothing(min(reading.forms), list_name or ""):
        return None
    return reading


def _says_nothing(form: str, list_name: str) -> bool:
    if list_name == "shared mailboxes":
        return form.partition("@")[0].partition("+")[0] in words(list_name)
    if list_name == "switchboards":
        return form in words(list_name) or _is_made_up(form)
    return form in words(list_name)


def _is_made_up(number: str) -> bool:
    """One digit over and over, or plain counting: typed to satisfy a required field."""
    digits = "".join(letter for letter in number if letter.isdigit())
    tail = digits[-9:]
    return len(set(tail)) == 1 or tail in _COUNTING or digits.endswith(_COUNTING)


def _sentence(line: DedupeLine, agreed: Sequence[Agreement]) -> str:
    said = " and ".join(f"{part.field} is {part.how}" for part in agreed)
    if line.at_least is None:
        return f"{line.certainty}: {said}"
    return f"{line.certainty}: {len(agreed)} of {len(line.parts)} agree ({said})"
