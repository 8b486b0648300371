"""Where the daemon has its policies from: the folder, and the last good set when the folder holds mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent.errors import UsageError
from agent.installation import Installation
from agent.policy_files.policy_files import FolderWatch

Take = Callable[[Installation], bool]


class PolicySource:
    """``take`` takes over what is on disk; ``take_last_good`` what the ledger remembers; both say whether they did.

    ``Installation.policy_problem`` is kept true to what is on disk.
    """

    def __init__(self, watch: FolderWatch, take: Take, take_last_good: Take) -> None:
        self._watch = watch
        self._take = take
        self._take_last_good = take_last_good

    def have_changed(self) -> bool:
        """Whether the folder holds something new that stands still."""
        return self._watch.glance()

    def take(self, installation: Installation) -> bool:
        """Take over the files as they are now. Returns whether they say something else than before.

        Raises:
            PolicyError, UsageError: they have mistakes; the set in force stays, the problem is remembered.
            ConnectorError: a vendor's schema could not be asked; nothing changed.
        """
        self._watch.remember()
        try:
            changed = self._take(installation)
        except UsageError as problem:
            installation.policy_problem = problem
            raise
        installation.policy_problem = None
        return changed

    @contextmanager
    def unchecked(self, installation: Installation) -> Iterator[None]:
        """The files as they read, for orders that only write down a person's word while no vendor answers."""
        before, installation.asks_vendors = installation.policies, False
        try:
            try:
                self._take(installation)
            except UsageError:
                self._take_last_good(installation)
            yield
        finally:
            installation.policies, installation.asks_vendors = before, True

    def take_first(self, installation: Installation) -> None:
        """At a start: the files, or the last good set when they have mistakes.

        Raises:
            PolicyError, UsageError: mistakes, and the ledger remembers no set that would do instead.
            ConnectorError: a vendor's schema could not be asked.
        """
        try:
            self.take(installation)
        except UsageError:
            if not self._take_last_good(installation):
                raise
