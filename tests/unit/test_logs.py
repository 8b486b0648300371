"""The log: one line per event, no secrets, nothing a library or an exception quotes, files that stay small."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from agent import logs
from agent.logs import MASK, SecretMask, on_one_line, start_logging

SECRET = "pat-not-a-real-token"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """What was logged, with a mask that has learned one secret."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    mask = SecretMask()
    mask.learning(lambda reference: SECRET)("env:TOKEN")
    start_logging(mask)
    return lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_secret_is_masked_wherever_it_turns_up(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger("truce").info("x", text=f"a {SECRET}", deep={"list": [SECRET]})
    (line,) = lines()
    assert (line["text"], line["deep"]) == (f"a {MASK}", {"list": [MASK]})


def test_an_exception_shows_its_kind_and_its_way_but_not_what_it_says(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    try:
        raise KeyError("maria.lopez@example.com")
    except KeyError:
        structlog.get_logger("truce").exception("our own mistake")
    (line,) = lines()
    assert line["error"] == "KeyError"
    assert line["at"][0].startswith("test_logs.py:")
    assert "maria" not in json.dumps(line)


def test_a_librarys_warning_is_one_of_our_lines_without_its_values(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    logging.getLogger("urllib3").warning("retrying %s", "/contacts?email=maria.lopez@example.com")
    logging.getLogger("hubspot").warning("maria.lopez@example.com failed")
    logging.getLogger("urllib3").info("not a warning")
    first, second = lines()
    assert (first["event"], first["library"], first["says"]) == ("library", "urllib3", "retrying %s")
    assert "maria" not in json.dumps(second)


def test_a_value_cannot_forge_a_line(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger("truce").info("x", text='a\n{"event": "forged"}\x1b[2J')
    assert len(lines()) == 1
    assert on_one_line(None, "", {"text": "a\nb\x1b[2J"}) == {"text": "a·b·[2J"}


def test_a_log_file_is_begun_anew_when_full_and_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 2000)
    monkeypatch.setattr(logs, "OLD_FILES", 2)
    start_logging(SecretMask(), file=tmp_path / "truce.log")
    for number in range(200):
        structlog.get_logger("truce").info("cycle", number=number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["truce.log", "truce.log.1", "truce.log.2"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    text = (tmp_path / "truce.log").read_text(encoding="utf-8")
    assert json.loads(text.splitlines()[-1])["number"] == 199
