"""The policies that come with Truce, copied by ``init`` and the demo, never edited in place.

They stand beside our own package, in the repository as in an installation. Asking for a package named ``policies``
instead would also find every folder of that name on the import path, a person's own among them.
"""

from __future__ import annotations

from pathlib import Path

import agent

POLICIES = Path(agent.__file__).resolve().parents[1] / "policies"
EXAMPLES = POLICIES / "examples"


def texts(folder: Path = POLICIES) -> dict[str, str]:
    """{file name: text}, in name order."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}
