"""A few words kept beside the ledger, so that a deleted, swapped or older restored ledger is noticed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

import orjson

from agent.ledger.chain import chain_at
from agent.private_files import require_private, write_private_file
from agent.store import Store

MemoryCheck = Literal["ok", "lost", "older"]


def memory_of(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".memory")


class Memory:
    """``<ledger>.memory``: which ledger was here, and its last number and hash when a batch last closed."""

    def __init__(self, ledger_path: Path, ledger_id: str) -> None:
        self.path = memory_of(ledger_path)
        self._ledger_id = ledger_id

    def check(self, store: Store) -> MemoryCheck:
        """``lost``: another ledger was here. ``older``: this one was further once (or went on differently).

        Raises:
            ConfigError: others may read the file.
        """
        remembered = self._load()
        if remembered is None:
            return "ok"
        ledger_id, seq, head = remembered
        if ledger_id != self._ledger_id:
            return "lost"
        there = chain_at(store, seq)
        return "ok" if there is not None and there.hex() == head else "older"

    def write(self, store: Store, *, accept: bool = False) -> None:
        """Remember how far the ledger is; what contradicts it stays until a person accepted that."""
        if not accept and self.check(store) != "ok":
            return
        seq, head = store.read_tuples("SELECT seq, hash FROM head")[0]
        write_private_file(self.path, orjson.dumps({"ledger_id": self._ledger_id, "last_seq": seq, "hash": head.hex()}))

    def distrust(self, store: Store) -> None:
        """Say ``older`` from now on: a copy was put back. What it lacks need not show in the chain; pairs do not."""
        seq, _ = store.read_tuples("SELECT seq, hash FROM head")[0]
        write_private_file(self.path, orjson.dumps({"ledger_id": self._ledger_id, "last_seq": seq + 1, "hash": ""}))

    def _load(self) -> tuple[str, int, str] | None:
        try:
            require_private(self.path)
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            found = orjson.loads(content)
            return str(found["ledger_id"]), int(found["last_seq"]), str(found["hash"])
        return "unreadable", 0, ""
