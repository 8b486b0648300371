"""``truce`` as a process of its own whose calls are small: a few people make several of them, side by side."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from agent import align, apply
from agent.cli import main
from connectors.hubspot.connector import HubSpot

AT_ONCE = 4


def small() -> None:
    apply.CANARY = (1, 1)
    align.SLICES = (1, 100)
    begin = HubSpot.__init__

    def begun(self: HubSpot, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        self.capabilities = replace(
            self.capabilities, write_chunk=1, read_chunk=8, conditional_chunk=1, parallel_calls=AT_ONCE
        )

    HubSpot.__init__ = begun  # type: ignore[method-assign]


if __name__ == "__main__":
    small()
    main()
