"""What a connector package declares of itself, as ``CONNECTOR`` in its ``__init__``: words, settings, how to connect.

``connectors.registry`` finds the declarations; only ``agent.wiring`` asks it. docs/add-a-connector.md goes through all
of it step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from agent.connector import Connector
from agent.systems import System


class Secret:
    """Marks a setting that says where a secret is kept."""


SecretReference = Annotated[str, StringConstraints(pattern=r"^((keyring|env|systemd):\S+|file:\S.*)$"), Secret()]
"""``keyring:NAME``, ``env:NAME``, ``file:PATH`` or ``systemd:NAME``."""
LoopbackOrHttps = Annotated[
    str, StringConstraints(pattern=r"^(https://[^\s]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/?)$")
]


class Settings(BaseModel):
    """The settings of one system, under its key in config.yaml. The docstring and the descriptions of a subclass are
    what people read above each line of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def secret_settings(cls) -> list[str]:
        """The settings that say where a secret is kept."""
        return [name for name, setting in cls.model_fields.items() if _is_secret(setting)]

    def secrets(self) -> dict[str, str]:
        """{setting: where its secret is kept} of those that are read."""
        return {name: place for name in self.secret_settings() if (place := getattr(self, name)) is not None}


class LoginSettings(Settings):
    """Settings of a system with several kinds of login, each with the settings that it cannot do without."""

    needs: ClassVar[dict[str, tuple[str, ...]]]
    """{kind of login: its settings}; the first kind is the default."""
    login: str

    @model_validator(mode="after")
    def _login_is_complete(self) -> Self:
        missing = [name for name in self.needs[self.login] if not getattr(self, name)]
        if missing:
            said = {"login": self.login, "missing": " and ".join(missing)}
            raise PydanticCustomError("login_incomplete", "login: {login} needs {missing}", said)
        return self

    def secrets(self) -> dict[str, str]:
        """Those that this kind of login reads."""
        return {name: getattr(self, name) for name in self.needed_secrets(self.login)}

    @classmethod
    def needed_secrets(cls, login: str) -> list[str]:
        """The settings of the secrets that a kind of login reads."""
        secrets = cls.secret_settings()
        return [name for name in cls.needs[login] if name in secrets]


REPLACED_BY_USE = ("refresh_token",)
"""Secrets that a vendor may replace with a new one whenever they are used."""


def _is_secret(setting: FieldInfo) -> bool:
    """``SecretReference``, or that or nothing."""
    marks = [*setting.metadata, *(mark for part in get_args(setting.annotation) for mark in get_args(part))]
    return any(isinstance(mark, Secret) for mark in marks)


@dataclass(frozen=True, slots=True)
class Names:
    """The system's own names of what the conformance suite works with: an object type, text that it may set freely, a
    parent. ``key`` is the link key's field."""

    object_type: str
    email: str
    first: str
    last: str
    title: str
    key: str
    parent_type: str
    parent_name: str


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class Opening(Generic[S]):
    """All that is needed to connect.

    ``secrets``: {setting: the secret itself}; one of ``REPLACED_BY_USE`` is an ``agent.connector.KeptSecret``.
    ``home`` is the folder of the config file; ``clock`` is this computer's, UTC.
    """

    settings: S
    secrets: Mapping[str, Any]
    home: Path
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Use:
    """What the policies do with one object type, by field names. ``opts_out``: opt-outs are carried to its records."""

    object_type: str
    reads: frozenset[str]
    writes: frozenset[str]
    creates: bool
    opts_out: bool


@dataclass(frozen=True, slots=True)
class Rights:
    """What Truce's user there must be granted for these uses, and no more.

    ``named``: each right by the vendor's own name, where ``Connector.granted`` can tell which are; else empty.
    ``text`` is a file for the vendor's administrator under ``file_name``; ``steps`` say what to do with it.
    """

    named: tuple[str, ...]
    file_name: str
    text: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retiring:
    """Something we use that the vendor stops supporting after ``last_day``, and what to use instead."""

    what: str
    last_day: date
    step: str


def no_rights(uses: Sequence[Use]) -> Rights | None:
    """For a system whose rights nobody has written down."""
    return None


@dataclass(frozen=True, slots=True)
class Declaration(Generic[S]):
    """One connector package. ``connect`` makes no request; its client library is imported inside it.

    ``names`` are those that ``truce conformance`` works with, None where it cannot run (UsageError: the settings do not
    say); ``questions`` gives further claims of the suite about this vendor alone, each about something that nobody has
    shown yet. ``rights`` says what to grant for what policies do, ``retiring`` what of these settings has an end.
    ``calls_step`` is what a person does when the account's calls are nearly used up, ``allowances_step`` when something
    else is that it allows in a day;
    ``status_page`` is where the vendor says that it is down.
    """

    system: System
    settings: type[S]
    connect: Callable[[Opening[S]], Connector]
    names: Callable[[S], Names] | None = None
    questions: Callable[[], Sequence[Any]] = tuple
    rights: Callable[[Sequence[Use]], Rights | None] = no_rights
    retiring: Callable[[S], Sequence[Retiring]] = lambda settings: ()
    calls_step: str = "find the tool that uses up the calls and slow it down"
    allowances_step: str = "find the tool that uses them up and slow it down"
    status_page: str = ""
