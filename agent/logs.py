"""Structured logs: one line per event, secrets and record values kept out by construction.

Log calls name counts, ids and reasons, never values. On top of that every secret we read is masked wherever it turns
up, a library's message is cut down to its wording without the values, and an exception to its kind and the lines it
went through: what an exception says may quote a record.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
import unicodedata
from collections.abc import Callable, MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import structlog

MASK = "•••"
SHORTEST_SECRET = 6
FILE_BYTES = 10 * 1024 * 1024
OLD_FILES = 5

Event = MutableMapping[str, Any]


def _without_colours() -> ModuleType:
    """structlog, but not rich with it, which it would load to paint tracebacks: we log none, and a daemon would hold
    4 MB for it."""
    modules: dict[str, Any] = sys.modules
    if "rich" in modules:
        return importlib.import_module("structlog")
    modules["rich"] = None  # importing it fails from here on, as if it were not installed
    try:
        return importlib.import_module("structlog")
    finally:
        del modules["rich"]


if not TYPE_CHECKING:
    structlog = _without_colours()


class SecretMask:
    """Replaces every secret it has learned in event text and values."""

    def __init__(self) -> None:
        self._secrets: list[str] = []

    def learning(self, read: Callable[[str], str]) -> Callable[[str], str]:
        """``read``, but what it returns is masked from then on."""

        def learned(reference: str) -> str:
            secret = read(reference)
            self.register(secret)
            return secret

        return learned

    def register(self, secret: str) -> None:
        if len(secret) >= SHORTEST_SECRET and secret not in self._secrets:
            self._secrets.append(secret)

    def __call__(self, logger: Any, method: str, event: Event) -> Event:
        return {key: self.masked(value) for key, value in event.items()}

    def masked(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, MASK)
            return value
        if isinstance(value, list | tuple):
            return [self.masked(item) for item in value]
        if isinstance(value, dict):
            return {key: self.masked(item) for key, item in value.items()}
        return value


def start_logging(mask: SecretMask, *, verbose: bool = False, file: Path | None = None) -> None:
    """JSON lines on stderr (or in a file) when nobody watches, readable lines in a terminal."""
    to_terminal = file is None and sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ)
        if to_terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_what_it_says,
            mask,
            *([on_one_line] if to_terminal else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(_opened(file) if file else sys.stderr),
    )
    _take_in_libraries()


def mention(event: str, **facts: Any) -> None:
    """One line in the log, where one is kept: a command that a person watches says on its page what it did."""
    if structlog.is_configured():
        structlog.get_logger().warning(event, **facts)


def without_what_it_says(logger: Any, method: str, event: Event) -> Event:
    """An exception as its kind and the lines of code it went through."""
    if event.pop("exc_info", None):
        kind, error, trace = sys.exc_info()
        if kind is not None and error is not None:
            event["error"] = kind.__name__
            event["at"] = [f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in traceback.extract_tb(trace)]
    return event


def on_one_line(logger: Any, method: str, event: Event) -> Event:
    """For a terminal: nothing in an event may move the cursor or begin a line."""
    return {key: _plain(value) if isinstance(value, str) else value for key, value in event.items()}


def _plain(text: str) -> str:
    return "".join("·" if unicodedata.category(char) in ("Cc", "Cf") else char for char in text)


class _IntoOurs(logging.Handler):
    """A library's warning as one of our events: where it comes from, and its wording before values are filled in."""

    def emit(self, record: logging.LogRecord) -> None:
        says = str(record.msg) if record.args else ""
        place = f"{record.filename}:{record.lineno}"
        structlog.get_logger("truce").log(record.levelno, "library", library=record.name, at=place, says=says)


def _take_in_libraries() -> None:
    root = logging.getLogger()
    root.handlers = [_IntoOurs()]
    root.setLevel(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


class _Rotating:
    """A text stream that begins a new private file when the old one is full."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handler = RotatingFileHandler(
            path, maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8", errors="backslashreplace"
        )
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, text: str) -> int:
        if text.strip():
            self._handler.emit(logging.LogRecord("truce", logging.INFO, "", 0, text.rstrip("\n"), None, None))
        return len(text)

    def flush(self) -> None:
        self._handler.flush()


def _opened(path: Path) -> Any:
    os.umask(0o077)
    return _Rotating(path)
