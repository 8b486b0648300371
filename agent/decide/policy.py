"""What a set of policy files says once it has been parsed and checked: plain data, no behaviour of a vendor.

``agent.decide.parse`` makes these from YAML; ``agent.decide.decide`` and the steps around it read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from agent.changes import Mode
from agent.decide.conditions import Condition
from agent.systems import Systems

KEY_FORMAT = "3"
"""Counted up when the same policies make other match keys than before (``agent.decide.match``)."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: ``file`` is the bare file name; line and column are 1-based."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Header:
    """The lines every policy begins with. ``meaning`` is the hash of all that can change a decision."""

    name: str
    kind: str
    responsible: str
    purpose: str
    review_by: date
    mode: Mode
    place: Place
    meaning: str
    expires: date | None = None
    unless: Condition | None = None
    only_when: Condition | None = None
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cleaner:
    """A named canonical form: ``email``, ``phone`` with region ``US`` …; ``name`` is ``text`` when none was asked.

    ``currency_line``: for money whose currency stands in another line of the policies, that line's name.
    """

    name: str = "text"
    argument: str | None = None
    currency_line: str | None = None

    def __str__(self) -> str:
        """As it is typed behind ``clean``."""
        if self.currency_line is not None:
            return f"{self.name} by {self.currency_line}"
        preposition = "in " if self.name == "date" else ""
        return f"{self.name} {preposition}{self.argument}" if self.argument else self.name


@dataclass(frozen=True, slots=True)
class Winner:
    """Who is right: a system's key, ``newest``, ``ask``, ``first value`` or ``opt-out``.

    ``unless_blank`` lets the other side fill blanks.
    """

    side: str
    unless_blank: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """Who wins where a condition holds. ``undecided`` holds where ``newest`` cannot be known."""

    when: Condition
    winner: Winner
    undecided: Winner | None
    place: Place


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One line under ``fields``: one thing that lives in one or both systems.

    ``where``: {system: {object_type: vendor field}}. ``wins`` and ``unless_blank`` are those of a ``Winner``; None:
    only read. ``cases`` go before them, the first that holds; ``undecided`` is who wins where ``newest`` cannot be
    known. ``values`` maps
    a canonical value to {system: vendor value}. ``rule`` is the hash of the line's meaning. ``first_time`` and
    ``losing_edit`` are the policy's. ``type`` is the field type found in the schema (text when unknown), or the one
    ``clean`` makes of it. ``instants``: systems whose field is a date with a time of day. ``aim`` is a short hash of
    what the line wants of both values: its fields, cleaning, words and winners, but not how an edit is treated.
    ``made_of``: the lines whose values, joined by ``between``, make its one field; ``wins`` then names the system
    without one.
    """

    name: str
    where: Mapping[str, Mapping[str, str]]
    wins: str | None
    unless_blank: bool
    clean: Cleaner
    place: Place
    rule: str
    policy: str
    first_time: str
    losing_edit: str
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    may_clear: bool = False
    protected: bool = False
    is_owner: bool = False
    owner_otherwise: str | None = None
    type: str = "text"
    undecided: Winner | None = None
    cases: tuple[Case, ...] = ()
    instants: frozenset[str] = frozenset()
    aim: str | None = None
    made_of: tuple[str, ...] = ()
    between: str = " "
    set_once: frozenset[str] = frozenset()
    """Systems that take this value with a new record and never afterwards."""
    links_to: str | None = None
    """The kind of thing whose record this line's value is, such as ``company``; None for a value of its own."""

    @property
    def winners(self) -> tuple[Winner, ...]:
        """Everybody who may win, in any case; empty for a line that is only read."""
        if self.wins is None:
            return ()
        known = [Winner(self.wins, self.unless_blank), *(case.winner for case in self.cases)]
        undecided = [self.undecided, *(case.undecided for case in self.cases)]
        return tuple(dict.fromkeys([*known, *(winner for winner in undecided if winner is not None)]))

    def with_winner(self, winner: Winner, undecided: Winner | None = None) -> FieldRule:
        """The same line where exactly this side wins."""
        return replace(self, wins=winner.side, unless_blank=winner.unless_blank, undecided=undecided, cases=())

    def in_currency(self, code: str | None) -> FieldRule:
        """The same line where its amounts are in this currency."""
        return replace(self, clean=Cleaner(self.clean.name, code))

    def vendor_field(self, system: str, object_type: str) -> str | None:
        return self.where.get(system, {}).get(object_type)


@dataclass(frozen=True, slots=True)
class CreateRule:
    """When and as what a record may be created in ``system``: from which object types of the other side."""

    system: str
    as_type: str
    from_types: tuple[str, ...]
    when: Condition | None
    place: Place
    rule: str


@dataclass(frozen=True, slots=True)
class EntityType:
    """Defined by the one ``fields`` policy with ``defines``. ``records``: types per system, first beats later."""

    name: str
    records: Mapping[str, tuple[str, ...]]
    match: tuple[str, ...]
    creates: Mapping[str, CreateRule]
    policy: str
    place: Place
    follows_removals: bool = False
    """What somebody removes on one side is removed on the other; else it is a question."""

    def rank(self, system: str, object_type: str) -> int:
        """0 for the object type that beats all others of its system."""
        types = self.records.get(system, ())
        return types.index(object_type) if object_type in types else len(types)


@dataclass(frozen=True, slots=True)
class FieldsPolicy:
    header: Header
    about: str
    rules: tuple[FieldRule, ...]


def domain_of(name: str) -> str:
    """What duplicate lines call the domain of an address that stands in the line ``name``."""
    return f"{name}_domain"


@dataclass(frozen=True, slots=True)
class Agreement:
    """One part of a dedupe line: ``field`` by ``how`` (``same``, ``similar``, ``very similar``, ``differs``)."""

    field: str
    how: str


@dataclass(frozen=True, slots=True)
class DedupeLine:
    """All of ``parts`` must hold, or at least ``at_least`` of them when that is set."""

    parts: tuple[Agreement, ...]
    at_least: int | None
    certainty: str
    place: Place


@dataclass(frozen=True, slots=True)
class DedupePolicy:
    header: Header
    about: str
    lines: tuple[DedupeLine, ...]
    never: tuple[Agreement, ...]
    ignore: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage in funnel order. ``values``: {key: vendor values}, a key names a place such as
    ``lead_status``.

    The first value of a key is the one written; all are read.
    """

    name: str
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Move:
    to: str
    because: Condition | None
    needs: tuple[str, ...]
    place: Place
    rule: str
    from_stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LifecyclePolicy:
    """Stages in funnel order and the moves allowed. ``wins`` says which side's stage leads; None = the furthest one.

    ``where``: {key: (system, object_type → vendor field)} for every key of ``Stage.values``.
    """

    header: Header
    about: str
    stages: tuple[Stage, ...]
    moves: tuple[Move, ...]
    where: Mapping[str, Mapping[str, Mapping[str, str]]]
    wins: str | None
    back_approve: str | None
    back_reason: str | None


@dataclass(frozen=True, slots=True)
class LimitsPolicy:
    """Ceilings. Counts are records; ``percent`` is of the entities of that type. ``day``: meaning → number."""

    header: Header
    batch_records: int
    batch_percent: float | None
    day: Mapping[str, int]
    batch: Mapping[str, int]
    approve: Mapping[str, tuple[int, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class PeoplePolicy:
    header: Header
    groups: Mapping[str, tuple[str, ...]]
    time_zone: str
    owner_table: Mapping[str, Mapping[str, str]]
    """{person e-mail: {system: owner id or user name}}"""


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All policies of one directory, checked together. ``revision`` is the hash of every meaning.

    ``sources`` are the raw texts by file name (kept in the ledger, so that a line number stays readable later);
    ``systems`` those of the installation.
    """

    revision: str
    sources: Mapping[str, str]
    entity_types: Mapping[str, EntityType] = field(default_factory=dict)
    fields: tuple[FieldsPolicy, ...] = ()
    dedupe: tuple[DedupePolicy, ...] = ()
    lifecycle: tuple[LifecyclePolicy, ...] = ()
    limits: LimitsPolicy | None = None
    people: PeoplePolicy | None = None
    systems: Systems = field(default_factory=Systems)

    @property
    def headers(self) -> dict[str, Header]:
        headers = [policy.header for policy in self.fields]
        headers += [policy.header for policy in self.dedupe]
        headers += [policy.header for policy in self.lifecycle]
        headers += [self.limits.header] if self.limits is not None else []
        headers += [self.people.header] if self.people is not None else []
        return {header.name: header for header in headers}

    def rules_for(self, entity_type: str) -> tuple[FieldRule, ...]:
        return tuple(rule for policy in self.fields if policy.about == entity_type for rule in policy.rules)

    def keys_revision(self, entity_type: str) -> str:
        """Changes whenever the keys by which records of this type are paired or compared may change."""
        fields = [policy.header for policy in self.fields if policy.about == entity_type]
        dedupe = [policy.header for policy in self.dedupe if policy.about == entity_type]
        return " ".join((KEY_FORMAT, *sorted(header.meaning for header in (*fields, *dedupe))))

    def vendor_fields(self, system: str, object_type: str) -> tuple[str, ...]:
        """Every vendor field some policy reads or writes on this object type, sorted."""
        names = {
            name
            for policy in self.fields
            for rule in policy.rules
            if (name := rule.vendor_field(system, object_type)) is not None
        }
        for lifecycle in self.lifecycle:
            for sides in lifecycle.where.values():
                if (stage_field := sides.get(system, {}).get(object_type)) is not None:
                    names.add(stage_field)
        return tuple(sorted(names))
