"""Who is at the keyboard: the login of this computer, mapped to a person in the config.

A guard against accidents, not against the owner of the machine: whoever is root can be anybody.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass

from agent.errors import ApprovalNeeded


@dataclass(frozen=True, slots=True)
class Person:
    """``email`` is None for a login nobody listed in the config."""

    login: str
    email: str | None

    @property
    def name(self) -> str:
        return self.email or self.login


def current_person(people: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> Person:
    """The person behind this process. Under sudo it is the one who called sudo."""
    login = environment.get("SUDO_USER") or _login_of(os.getuid())
    return Person(login, people.get(login))


def needs_name(person: Person, to_do: str) -> str:
    """The e-mail of a person who may take responsibility.

    Raises:
        ApprovalNeeded: the login is not mapped to anybody.
    """
    if person.email is None:
        raise ApprovalNeeded(
            f"{person.login} cannot {to_do}",
            where="config.yaml: people",
            why="this login is not mapped to a person",
            next_step=f"add '{person.login}: you@company' under people in config.yaml",
        )
    return person.email


def file_owner(uid: int, people: Mapping[str, str]) -> str:
    """Who owns a policy file: the best we know of its last editor."""
    login = _login_of(uid)
    return people.get(login, login)


def _login_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
