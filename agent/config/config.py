"""How this installation is wired: one YAML file, no secrets in it.

Every setting has its default and its description here; ``config.example.yaml`` is generated from them and a test
compares the two, so neither can go stale.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import MapNode, Node, plain_value, read_source
from agent.declaration import Declaration, Settings
from agent.errors import ConfigError, Problem

BOTH = 2
"""A thing is kept alike in two systems."""

Kinds = Mapping[str, type[Settings]]
"""{key of a system: the settings it takes}."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunConfig(_Strict):
    """How the daemon works."""

    every_seconds: int = Field(60, ge=5, le=86_400, description="Seconds between two cycles.")
    mode: Literal["watch", "ask", "act"] = Field(
        "ask",
        description="Ceiling over every policy: watch reports, ask proposes, act may write. "
        "`truce mode` changes it later; an edit of this line counts again from the next start.",
    )
    sweep_hours: int = Field(
        24,
        ge=1,
        le=168,
        description="Hours between two sweeps: every record's id and version compared, for what a change query missed.",
    )
    approval_hours: int = Field(24, ge=1, le=720, description="Hours a held batch waits before it expires.")
    keep_values_days: int | None = Field(
        180,
        ge=30,
        le=3650,
        description="Days that values are kept: those before and after a write, those the CRMs held before, copies of "
        "deleted records, words of questions. Older ones are erased, and such a write cannot be undone any more; what "
        "was written when, and why, stays. null keeps them for good.",
    )


class CallsConfig(_Strict):
    """How many of an account's daily calls Truce may use, and how many at once."""

    share: int = Field(50, ge=1, le=100, description="Percent of the account's daily calls.")
    keep_for_undo: int = Field(20, ge=0, le=90, description="Percent of that share that only an undo may use.")
    keep_for_new: int = Field(
        5, ge=0, le=90, description="Percent of it kept for looking for changes, creating records, and opt-outs."
    )
    keep_for_people: int = Field(10, ge=0, le=90, description="Percent of it kept for people's orders.")
    most_a_day: int | None = Field(None, ge=1, description="Never more calls a day than this.")
    parallel_calls: int | None = Field(
        None, ge=1, le=10, description="Calls under way at once where many are needed; 1: one after the other."
    )


class Config(_Strict):
    """The whole config file, without its systems: ``config_kind`` adds those."""

    state: Path = Field(Path("state"), description="Folder of the ledger and the mirror, beside this file.")
    policies: Path = Field(Path("policies"), description="Folder of the policy files, beside this file.")
    run: RunConfig = Field(default_factory=lambda: RunConfig())
    calls: dict[str, CallsConfig] = Field(
        default_factory=dict,
        description="Per system: percent of the account's daily calls that Truce may use, and percent of that share "
        "kept for undoing, for what is new, and for people's orders. Other tools use the same account. parallel_calls: "
        "how many calls may be under way at once where much is read or written (4 to Salesforce, 8 to HubSpot).",
        examples=[
            {
                "salesforce": {
                    "share": 50,
                    "keep_for_undo": 20,
                    "keep_for_new": 5,
                    "keep_for_people": 10,
                    "parallel_calls": 4,
                }
            }
        ],
    )
    other_syncs: list[str] = Field(
        default_factory=lambda: ["SALESFORCE"],
        description="Who else writes by machine: kinds of source or app ids of HubSpot (SALESFORCE is its own "
        "Salesforce integration), and the Salesforce user that another sync signs in with. "
        "`truce cutover` and `truce go-live` look for them.",
        examples=[["SALESFORCE", "hubspot-sync@example.com"]],
    )
    people: dict[str, str] = Field(
        default_factory=dict,
        description="Login on this computer → e-mail. A login that is not listed may only look, undo and stop.",
        examples=[{"anna": "anna@example.com"}],
    )
    home: Path = Field(Path(), exclude=True, description="Folder the config file stands in.")

    @model_validator(mode="after")
    def _paths_beside_the_file(self) -> Config:
        for name in ("state", "policies"):
            object.__setattr__(self, name, self.home / getattr(self, name))
        return self

    @model_validator(mode="after")
    def _between_two_systems(self) -> Config:
        named = list(self.systems)
        if len(named) < BOTH:
            only = f"only {named[0]} is" if named else "none is"
            text = f"Truce works between two systems, and {only} set up here"
            raise PydanticCustomError("too_few_systems", "{text}", {"text": text})
        return self

    @property
    def systems(self) -> dict[str, Settings]:
        """The settings of every system that the file names, in the order in which systems are listed everywhere."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, Settings)}

    def secrets(self) -> dict[str, str]:
        """{setting: reference}; a relative ``file:`` path is taken from the folder of the config file."""
        return {
            f"{system}.{setting}": self._beside_the_file(place)
            for system, settings in self.systems.items()
            for setting, place in settings.secrets().items()
        }

    def _beside_the_file(self, reference: str) -> str:
        source, _, name = reference.partition(":")
        return f"file:{self.home / name}" if source == "file" else reference


def config_kind(kinds: Kinds) -> type[Config]:
    """The whole config file where these systems may be set up."""
    systems: Any = {
        key: (kind | None, Field(None, description=(kind.__doc__ or "").strip())) for key, kind in kinds.items()
    }
    return create_model("Config", __base__=Config, **systems)


def load_config(path: Path, declared: Mapping[str, Declaration[Any]]) -> Config:
    """Read and check a config file; ``declared`` are the systems it may set up. Only those it names are looked up.

    Raises:
        ConfigError: missing, unreadable or wrong; every mistake with its line is in ``problems``.
    """
    text = _read(path)
    source = read_source(path.name, text)
    if source.problems:
        raise _mistakes(path, [replace(problem, excerpt="") for problem in source.problems])
    document = source.documents[0] if len(source.documents) == 1 else None
    if not isinstance(document, MapNode):
        raise ConfigError(
            "the config file holds no settings",
            where=str(path),
            why="it is one list of `name: value` lines, without `---` in between",
            next_step="move it away, then: truce init",
        )
    settings = {key.text: plain_value(node) for key, node in document.pairs}
    kind = config_kind({key: declared[key].settings for key in declared if key in settings})
    try:
        return kind.model_validate({**settings, "home": path.parent.resolve()})
    except ValidationError as error:
        found = [
            _located(path.name, document, problem, kind, list(declared)) for problem in error.errors(include_url=False)
        ]
        raise _mistakes(path, found) from None


def _read(path: Path) -> str:
    try:
        if path.stat().st_mode & stat.S_IWOTH:
            raise ConfigError(
                "everybody on this computer may write the config file",
                where=str(path),
                why="it says where the secrets are sent",
                next_step=f"chmod o-w {path}",
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError("there is no config file", where=str(path), next_step="truce init") from None
    except UnicodeDecodeError:
        raise ConfigError("the config file is not UTF-8 text", where=str(path), next_step=f"file {path}") from None
    except OSError as error:
        raise ConfigError(
            "the config file cannot be read", where=str(path), why=error.strerror or "", next_step=f"ls -l {path}"
        ) from None


def _mistakes(path: Path, problems: Sequence[Problem]) -> ConfigError:
    count = f"{len(problems)} mistakes" if len(problems) != 1 else "a mistake"
    return ConfigError(
        f"the config file has {count}", where=str(path), problems=problems, next_step="mend it, then: truce doctor"
    )


def _located(
    file: str, document: MapNode, problem: ErrorDetails, kind: type[Config], systems: Sequence[str]
) -> Problem:
    """A mistake at the line of the setting it is about, or of the nearest setting around it.

    The line itself is not quoted: somebody may have written a secret into it.
    """
    node: Node = document
    place: Node = document
    model: type[BaseModel] | None = kind
    allowed: list[str] = []
    for part in problem["loc"]:
        if not isinstance(node, MapNode):
            break
        allowed = [name for name, _ in settings_of(model)] if model is not None else []
        allowed += [system for system in systems if model is kind and system not in allowed]
        place = node.key(str(part)) or place
        node = node.find(str(part)) or node
        model = _model_of(model, str(part))
    name = ".".join(str(part) for part in problem["loc"] if part not in ("[key]",))
    message, advice = _in_plain_words(problem, allowed)
    text = f"{name}: {message}" if name else message
    return Problem(file, place.line, place.column, text, advice=advice)


def settings_of(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """(name, setting) of everything that may stand in a file; systems before how Truce runs."""
    found = [(name, setting) for name, setting in model.model_fields.items() if not setting.exclude]
    late = [pair for pair in found if pair[0] in _AFTER_SYSTEMS] if issubclass(model, Config) else []
    return [pair for pair in found if pair not in late] + late


_AFTER_SYSTEMS = ("run", "calls", "people")


def group_of(setting: FieldInfo) -> type[BaseModel] | None:
    """The settings below a setting, where it has some of its own and not some for each name."""
    if get_origin(setting.annotation) is dict:
        return None
    parts = (setting.annotation, *get_args(setting.annotation))
    return next((kind for kind in parts if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _model_of(model: type[BaseModel] | None, name: str) -> type[BaseModel] | None:
    setting = model.model_fields.get(name) if model is not None else None
    return group_of(setting) if setting is not None else None


def _in_plain_words(problem: ErrorDetails, allowed: Sequence[str]) -> tuple[str, str]:
    """What is wrong with a setting, and advice."""
    kind, text = problem["type"], problem["msg"]
    if kind == "extra_forbidden":
        return "this setting does not exist", did_you_mean(str(problem["loc"][-1]), allowed)
    if kind == "too_few_systems":
        return text, "config.example.yaml shows how each is set up"
    if kind == "missing":
        return "this setting is needed", "config.example.yaml explains every setting"
    if kind == "string_pattern_mismatch" and "keyring" in text:
        return "this is no place of a secret", "Write keyring:NAME, env:NAME, file:PATH or systemd:NAME."
    if kind == "string_pattern_mismatch" and "https" in text:
        return "this is no address", "https, or http on this computer only."
    if kind in ("model_type", "model_attributes_type"):
        return "settings of its own belong here", "Write them below it, each two spaces in."
    if kind == "literal_error":
        return f"write one of {problem['ctx']['expected']}", ""
    return text[:1].lower() + text[1:], ""
