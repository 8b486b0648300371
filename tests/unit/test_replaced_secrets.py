"""A secret that its vendor replaces: put back where it was, or good until we end and told."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.config.secrets import ReplacedSecret, read_secret, store_secret

FAKE = "fake-refresh-token-1"
FRESH = "fake-refresh-token-2"


def test_a_file_holds_the_new_one_for_the_next_start(tmp_path: Path) -> None:
    place = f"file:{tmp_path / 'token'}"
    store_secret(place, FAKE)
    secret = ReplacedSecret(place)
    secret.keep(FRESH)
    assert secret.read() == read_secret(place) == FRESH


def test_what_another_process_kept_is_read(tmp_path: Path) -> None:
    place = f"file:{tmp_path / 'token'}"
    store_secret(place, FAKE)
    ours, theirs = ReplacedSecret(place), ReplacedSecret(place)
    theirs.keep(FRESH)
    assert ours.read() == FRESH


def test_what_cannot_be_kept_is_good_until_we_end_and_the_log_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_TOKEN", FAKE)
    secret = ReplacedSecret("env:FAKE_TOKEN")
    with capture_logs() as logs:
        secret.keep(FRESH)
    assert secret.read() == FRESH
    assert [(line["log_level"], line["place"]) for line in logs] == [("error", "env:FAKE_TOKEN")]
    assert FRESH not in str(logs)


def test_neither_is_ever_shown() -> None:
    secret = ReplacedSecret("env:FAKE_TOKEN", lambda _: FAKE, lambda place, value: None)
    secret.keep(FRESH)
    assert FAKE not in repr(secret)
    assert FRESH not in repr(secret)
