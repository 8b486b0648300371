"""The folder of a demo: config, secrets and policies, written from the shipped ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from agent.demo.practice import Practice
from agent.people import current_person
from agent.policy_files import shipped

PEOPLE = {"anna": "anna@example.com", "ben": "ben@example.com", "tom": "tom@example.com"}
LINK_FIELD = "Truce_Key__c"
LINK_PROPERTY = "truce_key"
LEFT_OUT = ("deal-", "contact-")
"""The demo is about people and companies."""


def write_setting(practice: Practice, copy: Callable[[Path], None] | None = None) -> Path:
    """Write ``config.yaml``, the secret files and ``policies/`` (by ``copy``); returns the config's path."""
    folder = practice.folder
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    references = {}
    for name, value in (
        ("salesforce-client-id", practice.credentials["salesforce"]["client_id"]),
        ("salesforce-client-secret", practice.credentials["salesforce"]["client_secret"]),
        ("hubspot-token", practice.credentials["hubspot"]["token"]),
    ):
        path = secrets / name
        path.touch(mode=0o600)
        path.write_text(value, encoding="utf-8")
        references[name] = f"file:{path.resolve()}"
    config = {
        "state": "state",
        "policies": "policies",
        "salesforce": {
            "domain": practice.credentials["salesforce"]["domain"],
            "client_id": references["salesforce-client-id"],
            "client_secret": references["salesforce-client-secret"],
            "base_url": practice.salesforce,
            "link_keys": dict.fromkeys(("Contact", "Lead", "Account"), LINK_FIELD),
        },
        "hubspot": {
            "token": references["hubspot-token"],
            "base_url": practice.hubspot,
            "link_keys": dict.fromkeys(("contacts", "companies"), LINK_PROPERTY),
        },
        "run": {"every_seconds": 60, "mode": "ask"},
        "people": {"ben": PEOPLE["ben"], "tom": PEOPLE["tom"], current_person({}).login: PEOPLE["anna"]},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    (copy or copy_policies)(folder / "policies")
    return path


def copy_policies(target: Path) -> None:
    """The shipped policies, with three lines set for a first meeting of two filled CRMs.

    ``first_time: winner`` lets the demo show differences being settled; without ``create`` one-sided records are left
    alone, as a first week should begin; and Salesforce says the stage, so that a HubSpot stage ahead of it would have
    to move back and is held.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name, text in shipped.texts().items():
        if name.startswith(LEFT_OUT):
            continue
        (target / name).write_text(_for_a_first_meeting(text), encoding="utf-8")
    shutil.copystat(target.parent, target)


def copy_for_rehearsal(target: Path) -> None:
    """The shipped policies as they are, to be adapted; those about deals only when asked for, as in the demo."""
    target.mkdir(parents=True, exist_ok=True)
    for name, text in shipped.texts().items():
        if not name.startswith(LEFT_OUT):
            (target / name).write_text(text, encoding="utf-8")
    shutil.copystat(target.parent, target)


def _for_a_first_meeting(text: str) -> str:
    lines: list[str] = []
    skipping = False
    for line in text.splitlines():
        if skipping and line.startswith((" ", "#")) and line.strip():
            continue
        skipping = line.startswith("create:")
        if skipping:
            continue
        if line.startswith("first_time:"):
            line = "first_time: winner                 # the demo settles differences at once"
        lines.append(line)
        if line.startswith("kind: lifecycle"):
            lines.append("wins: salesforce                   # at the first meeting Salesforce says the stage")
    return "\n".join(lines) + "\n"
