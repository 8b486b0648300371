"""The emulator's clock: real, or virtual and moved only by hand. Always UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Real time plus an offset, or a virtual time that stands still between advances."""

    def __init__(self, virtual_start: datetime | None = None) -> None:
        self._virtual = virtual_start
        self._offset = timedelta()

    @property
    def is_virtual(self) -> bool:
        return self._virtual is not None

    def now(self) -> datetime:
        if self._virtual is not None:
            return self._virtual
        return datetime.fromtimestamp(time.time(), UTC) + self._offset

    def advance(self, seconds: float) -> datetime:
        step = timedelta(seconds=seconds)
        if self._virtual is not None:
            self._virtual += step
        else:
            self._offset += step
        return self.now()

    def state(self) -> dict[str, str | float | None]:
        return {
            "virtual": self._virtual.isoformat() if self._virtual else None,
            "offset_seconds": self._offset.total_seconds(),
        }

    def restore(self, state: dict[str, str | float | None]) -> None:
        virtual = state.get("virtual")
        self._virtual = datetime.fromisoformat(virtual) if isinstance(virtual, str) else None
        self._offset = timedelta(seconds=float(state.get("offset_seconds") or 0.0))
