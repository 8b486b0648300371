"""What a connector says of its system in words and data: how it is called, how it carries values, where stages stand.

Pure data. Deciding has it handed in with the policies and so knows no vendor's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StageField:
    """A field that holds a stage, known without a line in a policy; ``object_type`` None: on every object type."""

    object_type: str | None
    field: str


@dataclass(frozen=True, slots=True)
class NativeObject:
    """What one object of an own integration is here. ``records``: {system: object types, as a policy writes them}.

    ``key``: (line, field in the other system, field here, cleaner) by which counterparts are found beside the stored
    id. ``names``: other words for it.
    """

    about: str
    records: Mapping[str, str]
    key: tuple[str, str, str, str] | None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NativeMapping:
    """A vendor's own integration with another system, as far as its field mapping can be taken over.

    ``other`` is that system's key. ``consent`` and ``owner`` are fields here with rules of their own; ``elsewhere``:
    {field here: why it has no line under ``fields``}.
    """

    name: str
    other: str
    objects: Mapping[str, NativeObject]
    consent: str = ""
    owner: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class System:
    """One system. ``key`` is its word in config.yaml and in policies, ``name`` how people write it.

    ``text_only``: all values are text; else JSON scalars. ``converted_flag`` names the field that is true on a record
    that turned into another. ``required`` are the fields a create needs per object type where no schema was given.
    ``stored_ids``: {object type: {field: object type of the other system}}, ids that the vendor's own integration
    leaves behind. ``clears_first``: (object type, field) that do not move back unless cleared first.

    ``stage_fields``: {key under ``stages`` of a lifecycle: its field}. ``owner_key`` is its word under ``people``, and
    ``owner_help`` says what stands there; ``owner_note`` is advice where that is often mistaken. ``link_key_steps``
    lead to a unique field of ours, ``{object}`` being the object type and ``{field}`` the first of ``link_key_fields``
    that is still free. ``native``: the vendor's own integration.
    ``opt_in_step``: what a person does there to take back an opt-out that no program may.
    ``sample_types`` and ``sample_email`` stand in for its own names where a message shows how a line is written.
    ``short_id``: ids also come with something behind; the first so many characters are the id.
    """

    key: str
    name: str
    text_only: bool = False
    converted_flag: str | None = None
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stored_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    clears_first: frozenset[tuple[str, str]] = frozenset()
    stage_fields: Mapping[str, StageField] = field(default_factory=dict)
    owner_key: str = ""
    owner_help: str = "the owner's id or e-mail there"
    owner_note: str = ""
    link_key_steps: tuple[str, ...] = ()
    link_key_fields: tuple[str, ...] = ("truce_key",)
    native: NativeMapping | None = None
    opt_in_step: str = ""
    sample_types: str = "OBJECT"
    sample_email: str = "email"
    short_id: int | None = None

    def id_of(self, text: str) -> str:
        """The id without what may stand behind it, so that both forms are equal."""
        return text[: self.short_id]

    def link_key_setup(self, object_type: str, known: Mapping[str, bool] | None = None) -> tuple[str, ...]:
        """The steps to a link key of this object type; only the last one where the field stands ready.

        ``known``: {field that is there: whether its values are unique}.
        """
        known = known or {}
        name = next((name for name in self.link_key_fields if known.get(name, True)), self.link_key_fields[-1])
        steps = tuple(step.format(object=object_type, field=name) for step in self.link_key_steps)
        return steps[-1:] if name in known else steps

    @property
    def owner_word(self) -> str:
        return self.owner_key or f"{self.key}_owner"


class Systems:
    """The systems of one installation, in the order of its config. Iterates over their keys."""

    __slots__ = ("_by_key",)

    def __init__(self, systems: Iterable[System] = ()) -> None:
        self._by_key = {system.key: system for system in systems}

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def __getitem__(self, key: str) -> System:
        """A system that nobody declared is called by its key and carries JSON scalars."""
        return self._by_key.get(key) or System(key, key.replace("_", " ").title())

    def only(self, keys: Iterable[str]) -> Systems:
        """Those of ``keys``, in the order of the config."""
        wanted = set(keys)
        return Systems(system for key, system in self._by_key.items() if key in wanted)

    def other(self, key: str) -> str:
        """The key of another system than ``key``, for a message."""
        return next((other for other in self if other != key), "the other system")
