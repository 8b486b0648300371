"""How this installation is wired: one YAML file, no secrets in it.

Every setting has its default and its description here; ``config.example.yaml`` is generated from them and a test
compares the two, so neither can go stale.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import MapNode, Node, plain_value, read_source
from agent.errors import ConfigError, Problem

SecretReference = Annotated[str, StringConstraints(pattern=r"^((keyring|env|systemd):\S+|file:\S.*)$")]
LoopbackOrHttps = Annotated[
    str, StringConstraints(pattern=r"^(https://[^\s]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/?)$")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


SECRETS = ("client_id", "client_secret", "private_key", "refresh_token", "token")
"""Settings of a connection that name the place of a secret."""

REPLACED_BY_USE = ("refresh_token",)
"""Secrets that a vendor may replace with a new one whenever they are used."""


class Connection(_Strict):
    """What every connection has: a kind of login with the settings that it cannot do without."""

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
        """{setting: reference} of what the login reads."""
        return {name: getattr(self, name) for name in self.needs[self.login] if name in SECRETS}


class SalesforceConfig(Connection):
    """The Salesforce connection."""

    needs: ClassVar[dict[str, tuple[str, ...]]] = {
        "client_credentials": ("client_id", "client_secret"),
        "jwt": ("client_id", "username", "private_key"),
        "refresh_token": ("client_id", "client_secret", "refresh_token"),
    }
    domain: str = Field(
        description="My Domain without the ending, such as acme.my for acme.my.salesforce.com.",
        examples=["acme.my"],
    )
    login: Literal["client_credentials", "jwt", "refresh_token"] = Field(
        "client_credentials",
        description="How Truce logs in: the app's id and secret, a private key (jwt) or a refresh token.",
    )
    client_id: SecretReference = Field(
        description="Consumer key of the external client app, as keyring:NAME, env:NAME, file:PATH or systemd:NAME.",
        examples=["keyring:salesforce-client-id"],
    )
    client_secret: SecretReference | None = Field(
        None,
        description="Consumer secret, written the same way. Not needed for jwt.",
        examples=["keyring:salesforce-client-secret"],
    )
    username: str | None = Field(
        None, description="Only for jwt: the integration user's login.", examples=["integration@acme.example"]
    )
    private_key: SecretReference | None = Field(
        None,
        description="Only for jwt: the key (PEM, no password) whose certificate the app holds.",
        examples=["file:secrets/salesforce-private-key"],
    )
    refresh_token: SecretReference | None = Field(
        None,
        description="Only for refresh_token. Where the app replaces it with every use, keep it in keyring: or file:.",
        examples=["keyring:salesforce-refresh-token"],
    )
    api_version: str = Field("65.0", description="Salesforce API version.", pattern=r"^\d{2}\.0$")
    base_url: LoopbackOrHttps | None = Field(
        None,
        description="Only for the emulator: where requests really go. Leave out for a real account.",
        examples=["http://127.0.0.1:8001"],
    )
    link_keys: dict[str, str] = Field(
        default_factory=dict,
        description="External id field per object, so that a create whose reply got lost is never repeated.",
        examples=[{"Contact": "Truce_Key__c", "Lead": "Truce_Key__c", "Account": "Truce_Key__c"}],
    )


class HubSpotConfig(Connection):
    """The HubSpot connection."""

    needs: ClassVar[dict[str, tuple[str, ...]]] = {
        "key": ("token",),
        "refresh_token": ("client_id", "client_secret", "refresh_token"),
    }
    login: Literal["key", "refresh_token"] = Field(
        "key", description="How Truce logs in: a service key, or an OAuth app's refresh token."
    )
    token: SecretReference | None = Field(
        None,
        description="Service key (or a private app's token), as keyring:NAME, env:NAME, file:PATH or systemd:NAME.",
        examples=["keyring:hubspot-token"],
    )
    client_id: SecretReference | None = Field(
        None,
        description="Only for refresh_token: the OAuth app's client id, written the same way.",
        examples=["keyring:hubspot-client-id"],
    )
    client_secret: SecretReference | None = Field(
        None, description="Only for refresh_token: the app's client secret.", examples=["keyring:hubspot-client-secret"]
    )
    refresh_token: SecretReference | None = Field(
        None,
        description="Only for refresh_token. Where the app replaces it with every use, keep it in keyring: or file:.",
        examples=["keyring:hubspot-refresh-token"],
    )
    api_version: Literal["v3", "2026-03", "2026-09"] = Field("v3", description="HubSpot API version.")
    base_url: LoopbackOrHttps | None = Field(
        None,
        description="Only for the emulator: where requests really go. Leave out for a real account.",
        examples=["http://127.0.0.1:8001"],
    )
    link_keys: dict[str, str] = Field(
        default_factory=dict,
        description="Unique property per object, so that a create whose reply got lost is never repeated.",
        examples=[{"contacts": "truce_key", "companies": "truce_key"}],
    )
    stored_ids: dict[str, dict[str, str]] = Field(
        default_factory=lambda: {
            "contacts": {"salesforcecontactid": "Contact", "salesforceleadid": "Lead"},
            "companies": {"salesforceaccountid": "Account"},
        },
        description="Properties holding a Salesforce id (HubSpot's native connector writes them), and of which object.",
    )


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
        description="Hours between two sweeps for deletions that a change query cannot show.",
    )
    approval_hours: int = Field(24, ge=1, le=720, description="Hours a held batch waits before it expires.")


class Config(_Strict):
    """The whole config file."""

    state: Path = Field(Path("state"), description="Folder of the ledger and the mirror, beside this file.")
    policies: Path = Field(Path("policies"), description="Folder of the policy files, beside this file.")
    salesforce: SalesforceConfig
    hubspot: HubSpotConfig
    run: RunConfig = Field(default_factory=lambda: RunConfig())
    people: dict[str, str] = Field(
        default_factory=dict,
        description="Login on this computer → e-mail. A login that is not listed cannot approve.",
        examples=[{"anna": "anna@example.com"}],
    )
    home: Path = Field(Path(), exclude=True, description="Folder the config file stands in.")

    @model_validator(mode="after")
    def _paths_beside_the_file(self) -> Config:
        for name in ("state", "policies"):
            object.__setattr__(self, name, self.home / getattr(self, name))
        return self

    def secrets(self) -> dict[str, str]:
        """{setting: reference}; a relative ``file:`` path is taken from the folder of the config file."""
        connections: dict[str, Connection] = {"salesforce": self.salesforce, "hubspot": self.hubspot}
        return {
            f"{system}.{name}": self._beside_the_file(reference)
            for system, connection in connections.items()
            for name, reference in connection.secrets().items()
        }

    def _beside_the_file(self, reference: str) -> str:
        source, _, name = reference.partition(":")
        return f"file:{self.home / name}" if source == "file" else reference


def load_config(path: Path) -> Config:
    """Read and check a config file.

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
    try:
        return Config.model_validate({**settings, "home": path.parent.resolve()})
    except ValidationError as error:
        found = [_located(path.name, document, problem) for problem in error.errors(include_url=False)]
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


def _located(file: str, document: MapNode, problem: ErrorDetails) -> Problem:
    """A mistake at the line of the setting it is about, or of the nearest setting around it.

    The line itself is not quoted: somebody may have written a secret into it.
    """
    node: Node = document
    place: Node = document
    model: type[BaseModel] | None = Config
    allowed: list[str] = []
    for part in problem["loc"]:
        if not isinstance(node, MapNode):
            break
        allowed = [name for name, _ in settings_of(model)] if model is not None else []
        place = node.key(str(part)) or place
        node = node.find(str(part)) or node
        model = _model_of(model, str(part))
    name = ".".join(str(part) for part in problem["loc"] if part not in ("[key]",))
    message, advice = _in_plain_words(problem, allowed)
    return Problem(file, place.line, place.column, f"{name}: {message}", advice=advice)


def settings_of(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """(name, setting) of everything that may stand in a file."""
    return [(name, setting) for name, setting in model.model_fields.items() if not setting.exclude]


def _model_of(model: type[BaseModel] | None, name: str) -> type[BaseModel] | None:
    setting = model.model_fields.get(name) if model is not None else None
    kind = setting.annotation if setting is not None else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _in_plain_words(problem: ErrorDetails, allowed: Sequence[str]) -> tuple[str, str]:
    """What is wrong with a setting, and advice."""
    kind, text = problem["type"], problem["msg"]
    if kind == "extra_forbidden":
        return "this setting does not exist", did_you_mean(str(problem["loc"][-1]), allowed)
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
