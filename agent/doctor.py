"""Prove access without writing anything: each finding says what was looked at, what was found and the next step."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from agent.config import Config
from agent.connector import Connector, ObjectSchema
from agent.decide import parse
from agent.decide.policy import PolicySet
from agent.errors import PolicyError, TruceError
from agent.policy_files import read_sources

MOST_SKEW_SECONDS = 60.0
LEAST_FREE_BYTES = 256 * 1024 * 1024

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``subject`` is a short name such as ``salesforce access``."""

    level: Level
    subject: str
    text: str
    next_step: str = ""


def examine(
    config: Config,
    connect: Callable[[Config], Mapping[str, Connector]],
    clock: Callable[[], datetime],
) -> Iterator[Finding]:
    """Look at everything that can be looked at; one failing part does not hide the others."""
    yield _disk(config.state)
    try:
        connectors = connect(config)
    except TruceError as error:
        yield Finding("error", "secrets", f"{error.what} ({error.where})", error.next_step)
        return
    reachable: dict[str, Connector] = {}
    for system, connector in connectors.items():
        findings = list(_access(system, connector, clock))
        yield from findings
        if all(finding.level != "error" for finding in findings):
            reachable[system] = connector
    yield from _policies(config, reachable, clock().date())
    for connector in connectors.values():
        connector.close()


def _disk(state: Path) -> Finding:
    folder = state if state.exists() else state.parent
    free = shutil.disk_usage(folder).free if folder.exists() else 0
    if free < LEAST_FREE_BYTES:
        return Finding("error", "disk", f"only {free // 2**20} MB free for the ledger", "free some space")
    return Finding("ok", "disk", f"{free // 2**20:,} MB free for the ledger")


def _access(system: str, connector: Connector, clock: Callable[[], datetime]) -> Iterator[Finding]:
    try:
        identity = connector.identity()
        skew = (connector.now() - clock()).total_seconds()
        owners = connector.owners()
    except TruceError as error:
        yield Finding("error", f"{system} access", f"{error.what}: {error.why}".rstrip(": "), error.next_step)
        return
    kind = "production" if identity.is_production else "not production"
    yield Finding("ok", f"{system} access", f"{identity.name or identity.account_id} ({identity.account_id}), {kind}")
    if abs(skew) > MOST_SKEW_SECONDS:
        yield Finding(
            "warning", f"{system} clock", f"this computer is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead'}",
            "set the clock of this computer",
        )  # fmt: skip
    active = sum(owner.active for owner in owners)
    yield Finding("ok", f"{system} owners", f"{active} active of {len(owners)}")


def _policies(config: Config, connectors: Mapping[str, Connector], today: date) -> Iterator[Finding]:
    try:
        sources = read_sources(config.policies)
        policies = parse.load(sources, None, today)
    except PolicyError as error:
        yield Finding("error", "policies", f"{error.what}; first: {error.problems[0]}", "truce check")
        return
    except TruceError as error:
        yield Finding("error", "policies", f"{error.what} ({error.where})", error.next_step)
        return
    schemas: dict[tuple[str, str], ObjectSchema] = {}
    for finding, place, schema in _schemas(policies, connectors):
        yield finding
        if schema is not None:
            schemas[place] = schema
    if set(connectors) == {"salesforce", "hubspot"}:
        yield from _fields(sources, schemas, today)
    yield from _link_keys(policies, connectors, schemas)


def _schemas(
    policies: PolicySet, connectors: Mapping[str, Connector]
) -> Iterator[tuple[Finding, tuple[str, str], ObjectSchema | None]]:
    for entity_type in policies.entity_types.values():
        for system, types in entity_type.records.items():
            for object_type in types if system in connectors else ():
                subject = f"{system} {object_type}"
                try:
                    schema = connectors[system].schema(object_type)
                except TruceError as error:
                    yield Finding("error", subject, error.what, error.next_step), (system, object_type), None
                    continue
                text = f"{len(schema.fields)} fields readable"
                if not schema.can_update:
                    text += ", not writable"
                yield Finding("ok", subject, text), (system, object_type), schema


def _fields(
    sources: Mapping[str, str], schemas: Mapping[tuple[str, str], ObjectSchema], today: date
) -> Iterator[Finding]:
    problems = parse.check(sources, schemas, today)
    for problem in problems:
        yield Finding("warning" if problem.is_warning else "error", "policies", str(problem), problem.advice)
    if not problems:
        yield Finding("ok", "policies", f"{len(sources)} files, every field found")


def _link_keys(
    policies: PolicySet,
    connectors: Mapping[str, Connector],
    schemas: Mapping[tuple[str, str], ObjectSchema],
) -> Iterator[Finding]:
    for entity_type in policies.entity_types.values():
        for system, rule in entity_type.creates.items():
            if system not in connectors:
                continue
            subject = f"{system} {rule.as_type} link key"
            name = connectors[system].capabilities.link_keys.get(rule.as_type)
            schema = schemas.get((system, rule.as_type))
            if name is None:
                yield Finding(
                    "warning", subject, "none configured: creates are only proposed, one call each",
                    f"add a unique text field and name it under {system}.link_keys",
                )  # fmt: skip
            elif schema is not None and (name not in schema.fields or not schema.fields[name].unique):
                yield Finding("error", subject, f"{name} is not a unique field there", "make it unique in the CRM")
            else:
                yield Finding("ok", subject, name)
