"""The practice CRMs: served, or filled from exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import UsageError


def serve_emulator(**options: Any) -> None:
    """Run both practice CRMs until stopped."""
    from connectors.emulator.practice import Options
    from connectors.emulator.serve import serve

    serve(Options(**options))


def load_emulator(state: Path, exports: Mapping[str, Sequence[tuple[str, Path]]]) -> list[dict[str, Any]]:
    """Make the state file of practice CRMs that hold these exports, {system: [(object, file)]}, and say what became of
    each file.

    Raises:
        UsageError: something in a file cannot be loaded; says in which line. Nothing was made then.
    """
    from connectors.emulator.loading.exports import ExportError
    from connectors.emulator.loading.load import load as load_exports

    try:
        return [each.document() for each in load_exports(state, exports)]
    except ExportError as error:
        raise UsageError(
            f"the line {error.what}" if error.line > 1 else f"the file {error.what}",
            where=f"{error.path}:{error.line}",
            why=error.advice,
            next_step="mend the file, then the same command again; nothing was loaded",
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot read {error.filename or 'a file'}",
            why=error.strerror or "it is there already",
            next_step="truce emulator load --help",
        ) from None
