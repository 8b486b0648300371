"""What ``truce init`` writes: a config from a few answers and the shipped policies, over nothing that is there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.config.config import Config, group_of
from agent.config.first_policies import EXAMPLE_ZONE, Ours, as_ours
from agent.config.text import config_text
from agent.declaration import LoginSettings, Rights
from agent.errors import ConfigError
from agent.policy_files import shipped
from agent.private_files import PRIVATE_FILE

SecretSource = Literal["keyring", "file", "env", "systemd"]

SECRETS: Mapping[str, str] = {
    "salesforce-client-id": "Consumer key of the Salesforce external client app",
    "salesforce-client-secret": "Consumer secret of the Salesforce external client app",
    "salesforce-private-key": "Private key whose certificate the Salesforce app holds",
    "salesforce-refresh-token": "Refresh token of the Salesforce app",
    "hubspot-token": "HubSpot service key",
    "hubspot-client-id": "Client id of the HubSpot app",
    "hubspot-client-secret": "Client secret of the HubSpot app",
    "hubspot-refresh-token": "Refresh token of the HubSpot app",
}
"""Name of a secret → what is asked for."""

BEGINNINGS: Mapping[str, tuple[str, ...]] = {
    "people": ("person", "company"),
    "deals": ("deal", "company"),
    "everything": ("person", "company", "deal", "contact"),
}
"""What one may begin with → whose policies are written; policies about neither are always written."""

_CRMS = ("salesforce", "hubspot")
_ABOUT_RECORDS = {kind for kinds in BEGINNINGS.values() for kind in kinds}
_PRACTICE = re.compile(r"\.(sandbox|develop|scratch|demo|trailblaze|patch)\.")
_OWN_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*(\.(sandbox|develop|scratch|demo|trailblaze|patch))?\.my")


@dataclass(frozen=True, slots=True)
class Answers:
    """``domain`` as ``salesforce_domain`` gives it; ``login`` is the person's on this computer.

    ``time_zone``, ``approvers`` and ``leads`` as in ``first_policies.Ours``. The logins of both CRMs are those of their
    connectors; ``username`` is Salesforce's, only for jwt.
    """

    email: str
    login: str
    domain: str
    has_native_connector: bool
    begins_with: str
    secrets: SecretSource
    salesforce_login: str = "client_credentials"
    hubspot_login: str = "key"
    username: str = ""
    time_zone: str = EXAMPLE_ZONE
    approvers: tuple[str, ...] = ()
    leads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """``kept`` names what was there before and was left as it is."""

    config: Path
    policies: tuple[Path, ...]
    kept: tuple[Path, ...]


def write_first_files(config: Path, answers: Answers, kind: type[Config]) -> Written:
    """Write the config file of this ``kind``, and the policies into the folder ``policies`` beside it.

    Raises:
        ConfigError: there is a config file already; nothing was written.
        OSError: the folder cannot be written.
    """
    if config.exists() or config.is_symlink():
        raise ConfigError(
            "there is a config file already, and nothing was written",
            where=str(config),
            why="init never overwrites",
            next_step="truce doctor",
        )
    config.parent.mkdir(parents=True, exist_ok=True)
    written, kept = _write_policies(config.parent / "policies", answers)
    _write_new(config, config_text(kind, settings(answers, kind)), mode=PRIVATE_FILE)
    return Written(config, written, kept)


def write_rights(folder: Path, rights: Mapping[str, Rights]) -> dict[str, Path]:
    """{system: the file written}; files of that name are replaced, for they are computed."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {system: folder / each.file_name for system, each in rights.items()}
    for system, path in written.items():
        path.write_text(rights[system].text, encoding="utf-8")
    return written


def settings(answers: Answers, kind: type[Config]) -> dict[str, object]:
    """The answers as settings; what they do not touch keeps its default."""
    salesforce: dict[str, object] = {"domain": answers.domain, **_login("salesforce", answers, kind)}
    hubspot = _login("hubspot", answers, kind)
    if answers.username:
        salesforce["username"] = answers.username
    if not answers.has_native_connector:
        hubspot["stored_ids"] = {}
    return {
        "salesforce": salesforce,
        "hubspot": hubspot,
        "run": {"mode": "watch" if answers.has_native_connector else "ask"},
        "people": {answers.login: answers.email},
    }


def secret_names(answers: Answers, kind: type[Config]) -> list[str]:
    """The secrets that the chosen logins need, by the names ``init`` gives them."""
    return [_secret_name(system, name) for system in _CRMS for name in _needed(system, answers, kind)]


def _login(system: str, answers: Answers, kind: type[Config]) -> dict[str, object]:
    """The kind of login where it is not the default, and where each of its secrets is kept."""
    chosen = _chosen(system, answers)
    places: dict[str, object] = {
        name: reference(_secret_name(system, name), answers.secrets) for name in _needed(system, answers, kind)
    }
    return places if chosen == next(iter(_logins(system, kind).needs)) else {"login": chosen, **places}


def _needed(system: str, answers: Answers, kind: type[Config]) -> list[str]:
    return _logins(system, kind).needed_secrets(_chosen(system, answers))


def _logins(system: str, kind: type[Config]) -> type[LoginSettings]:
    group = group_of(kind.model_fields[system])
    if group is None or not issubclass(group, LoginSettings):
        raise TypeError(f"{system} has no kinds of login")
    return group


def _chosen(system: str, answers: Answers) -> str:
    return answers.salesforce_login if system == "salesforce" else answers.hubspot_login


def _secret_name(system: str, setting: str) -> str:
    return f"{system}-{setting.replace('_', '-')}"


def reference(name: str, source: SecretSource) -> str:
    """How the config names a secret kept there."""
    if source == "env":
        return f"env:TRUCE_{name.upper().replace('-', '_')}"
    return f"file:secrets/{name}" if source == "file" else f"{source}:{name}"


def salesforce_domain(typed: str) -> str:
    """My Domain as the config wants it, from whatever people copy: an address, a host, a name.

    Raises:
        ConfigError: this names no domain of one's own.
    """
    host = re.sub(r"^https?://", "", typed.strip().lower()).partition("/")[0]
    host = host.removesuffix(".salesforce.com").removesuffix(".force.com").removesuffix(".lightning")
    if host and "." not in host:
        host = f"{host}.sandbox" if "--" in host else host
    host = host if host.endswith(".my") else f"{host}.my"
    if not _OWN_DOMAIN.fullmatch(host) or host in ("login.my", "test.my"):
        raise ConfigError(
            f"{typed.strip() or 'this'} is no Salesforce domain of your own",
            why="it looks like acme.my.salesforce.com, a sandbox like acme--dev.sandbox.my.salesforce.com",
            next_step="look under Setup, My Domain in Salesforce",
        )
    return host


def is_practice_domain(domain: str) -> bool:
    """Whether the domain itself says that it is no production organization."""
    return _PRACTICE.search(domain) is not None


def possible_beginnings() -> list[str]:
    """What one can begin with: that for which policies are shipped."""
    about = {_about(name) for name in shipped.texts()}
    return [name for name, (main, *_) in BEGINNINGS.items() if main in about]


def _write_policies(folder: Path, answers: Answers) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    if folder.exists() and any(folder.glob("*.y*ml")):
        return (), (folder,)
    written = _copy(shipped.POLICIES, folder, answers)
    _copy(shipped.EXAMPLES, folder / shipped.EXAMPLES.name, answers)
    return written, ()


def _copy(source: Path, target: Path, answers: Answers) -> tuple[Path, ...]:
    target.mkdir(parents=True, exist_ok=True)
    wanted = BEGINNINGS[answers.begins_with]
    ours = Ours(answers.email, answers.time_zone, answers.approvers, answers.leads)
    written = []
    for name, text in shipped.texts(source).items():
        if _about(name) in wanted or _about(name) not in _ABOUT_RECORDS:
            if source == shipped.EXAMPLES and not ours.says_as_shipped(name):
                continue
            _write_new(target / name, as_ours(name, text, ours), mode=0o666)
            written.append(target / name)
    return tuple(written)


def _about(file_name: str) -> str:
    return file_name.partition("-")[0]


def _write_new(path: Path, text: str, *, mode: int) -> None:
    """Raises FileExistsError rather than write over anything. The umask takes its part of ``mode``."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
