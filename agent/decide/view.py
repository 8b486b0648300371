"""All that a policy may see of one entity, and nothing else: deciding is a pure function of a View."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from agent.decide.values import Reading
from agent.records import FieldValue, Owner, Record, Ref
from agent.systems import Systems

ERASED, FORGOTTEN = "erased", "forgotten address"
"""Flags: the entity's own values were erased; it has the e-mail (or domain) of somebody who was."""


class Base(NamedTuple):
    """What each side held when this field was last settled: {system: value}, and the entry that settled it.

    ``aim``: what the line then wanted (``FieldRule.aim``); None where that is not known.
    """

    values: Mapping[str, FieldValue]
    entry: str | None = None
    aim: str | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """One frozen cell: Truce does not write it. ``rule`` is the hash of the rule line frozen; ``reason`` for people."""

    field: str
    system: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Interval:
    """When a value was set: after ``after`` (never seen before it: None) and not later than ``until``.

    Both on one clock, so that two systems can be compared.
    """

    after: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class OwnerMap:
    """Owners of both systems. ``table`` maps an owner reference of either to a person's e-mail.

    ``counterpart(owner_id, here, there)`` in ``agent.decide.owners`` answers by explicit table, then by e-mail.
    """

    owners: Mapping[tuple[str, str], Owner] = field(default_factory=dict)
    table: Mapping[str, str] = field(default_factory=dict)
    systems: Systems = field(default_factory=Systems)
    readings: dict[tuple[str, str], Reading] = field(default_factory=dict, compare=False, repr=False)
    """By (system, owner id), worked out once: a handful of people own everybody."""


@dataclass(frozen=True, slots=True)
class Links:
    """What the values of lines with ``links_to`` point at.

    ``entities``: {(kind, system, record id): entity}. ``records``: {(entity, system): its active record's id}.
    ``names``: {entity: what people call it}.
    """

    entities: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    records: Mapping[tuple[str, str], str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    systems: Systems = field(default_factory=Systems)


@dataclass(frozen=True, slots=True)
class View:
    """One entity as decide sees it.

    ``sides``: active record per system, None where that system has none. ``others``: linked but not active records
    (the open Lead beside a Contact). ``flags``: ``suspected duplicate``, ``lost``, ``unclear``, ``converted``, and
    those above.
    ``parents``: the linked company as {system: record id} (for creates: parents first); ``coming``: systems where
    that company is about to be created. ``link_key``: per system the (field, value) a create would carry, or absent.
    ``may_create`` is False until pairing is settled for this entity; ``is_pairing_accepted`` when a person has accepted
    the pairing of its whole type. ``clears_first``: (object type, vendor field) that ignore a backward move unless
    cleared by an own write. ``set_between``: per (system, vendor field) when the present value was set, for lines that
    ask for it.
    """

    entity_id: str
    entity_type: str
    sides: Mapping[str, Record | None]
    now: datetime
    others: tuple[Record, ...] = ()
    bases: Mapping[str, Base] = field(default_factory=dict)
    frozen: tuple[Frozen, ...] = ()
    owners: OwnerMap = field(default_factory=OwnerMap)
    links: Links = field(default_factory=Links)
    flags: frozenset[str] = frozenset()
    parents: Mapping[str, str] = field(default_factory=dict)
    coming: frozenset[str] = frozenset()
    link_key: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    may_create: bool = False
    is_pairing_accepted: bool = True
    duplicates: tuple[Ref, ...] = ()
    clears_first: frozenset[tuple[str, str]] = frozenset()
    set_between: Mapping[tuple[str, str], Interval] = field(default_factory=dict)
