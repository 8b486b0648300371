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


FREE = frozenset(
    {
        "rollback",
        "preview-rollback",
        "pause",
        "freeze",
        "mode",
        "plan",
        "cycle",
        "pair",
        "align",
        "cutover",
        "cutover-back",
    }
)
"""Orders that undo, stop, or only look: nobody is locked out of them in an emergency. All others open the way for
writes or speak for the team, and want a person who is known."""


def check_may_order(people: Mapping[str, str], kind: str, actor: str, *, opens: bool = False) -> None:
    """``actor`` is an e-mail, or the login of somebody nobody listed; ``opens``: this one lets more be written than
    before, or overwrites what a person did.

    Raises:
        ApprovalNeeded: whoever orders this must be listed in the config.
    """
    if actor not in people.values() and (opens or kind not in FREE):
        needs_name(Person(actor, None), f"give the order {kind}")


def file_owner(uid: int, people: Mapping[str, str]) -> str:
    """Who owns a policy file: the best we know of its last editor."""
    login = _login_of(uid)
    return people.get(login, login)


def _login_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
