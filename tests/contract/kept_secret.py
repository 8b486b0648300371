"""A secret in a drawer, for tests of logins whose secret is replaced by use."""

from __future__ import annotations


class Drawer:
    """``agent.connector.KeptSecret`` in memory; ``kept`` lists what was put into it."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.kept: list[str] = []

    def read(self) -> str:
        return self.value

    def keep(self, value: str) -> None:
        self.value = value
        self.kept.append(value)
