"""How this installation is wired: one YAML file, no secrets in it.

Every setting has its default and its description here; ``config.example.yaml`` is generated from them and a test
compares the two, so neither can go stale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from agent.decide.yaml_source import YamlProblem, load_plain
from agent.errors import ConfigError

SecretReference = Annotated[str, StringConstraints(pattern=r"^(keyring|env|file|systemd):[^\s]+$")]
LoopbackOrHttps = Annotated[
    str, StringConstraints(pattern=r"^(https://[^\s]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/?)$")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SalesforceConfig(_Strict):
    """The Salesforce connection."""

    domain: str = Field(
        description="My Domain without the ending, such as acme.my for acme.my.salesforce.com.",
        examples=["acme.my"],
    )
    client_id: SecretReference = Field(
        description="Consumer key of the external client app, as keyring:NAME, env:NAME, file:PATH or systemd:NAME.",
        examples=["keyring:salesforce-client-id"],
    )
    client_secret: SecretReference = Field(
        description="Consumer secret, written the same way.", examples=["keyring:salesforce-client-secret"]
    )
    api_version: str = Field("65.0", description="Salesforce API version.", pattern=r"^\d{2}\.0$")
    base_url: LoopbackOrHttps | None = Field(
        None, description="Only for the emulator: where requests really go. Leave out for a real account."
    )
    link_keys: dict[str, str] = Field(
        default_factory=dict,
        description="External id field per object, so that a create whose reply got lost is never repeated.",
        examples=[{"Contact": "Truce_Key__c", "Lead": "Truce_Key__c", "Account": "Truce_Key__c"}],
    )


class HubSpotConfig(_Strict):
    """The HubSpot connection."""

    token: SecretReference = Field(
        description="Service key, as keyring:NAME, env:NAME, file:PATH or systemd:NAME.",
        examples=["keyring:hubspot-token"],
    )
    api_version: Literal["v3", "2026-03", "2026-09"] = Field("v3", description="HubSpot API version.")
    base_url: LoopbackOrHttps | None = Field(
        None, description="Only for the emulator: where requests really go. Leave out for a real account."
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
        "ask", description="Ceiling over every policy: watch reports, ask proposes, act may write."
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
    def _folders_beside_the_file(self) -> Config:
        for name in ("state", "policies"):
            folder = getattr(self, name)
            if not folder.is_absolute():
                object.__setattr__(self, name, self.home / folder)
        return self


def load_config(path: Path) -> Config:
    """Read and check a config file.

    Raises:
        ConfigError: missing, unreadable or wrong; every problem with its place is in ``why``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError("there is no config file", where=str(path), next_step="truce init") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the config file cannot be read", where=str(path), why=str(error)) from error
    try:
        document = load_plain(path.name, text)
    except YamlProblem as error:
        raise ConfigError(
            "the config file is not valid YAML",
            where=f"{path}:{error.problem.line}",
            why=error.problem.message,
        ) from error
    if not isinstance(document, dict):
        raise ConfigError("the config file is empty", where=str(path), next_step="truce init")
    try:
        return Config.model_validate({**document, "home": path.parent.resolve()})
    except ValidationError as error:
        raise ConfigError(
            "the config file has mistakes",
            where=str(path),
            why=_in_plain_words(error),
            next_step="truce doctor",
        ) from None


def _in_plain_words(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in problem["loc"]) or "file"
        lines.append(f"{place}: {_message(problem['type'], problem['msg'])}")
    return "; ".join(lines)


def _message(kind: str, text: str) -> str:
    if kind == "extra_forbidden":
        return "this setting does not exist"
    if kind == "missing":
        return "this setting is needed"
    if kind == "string_pattern_mismatch" and "keyring" in text:
        return "write where the secret is kept: keyring:NAME, env:NAME, file:PATH or systemd:NAME"
    return text[:1].lower() + text[1:]
