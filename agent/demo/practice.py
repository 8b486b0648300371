"""The practice CRMs of the demo: a process of their own, with a folder that remembers it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.errors import Interrupted, TruceError, UsageError

MARKER = "practice.json"
STOP_SECONDS = 10.0
ELSEWHERE = "truce demo --folder practice"


@dataclass(frozen=True, slots=True)
class Practice:
    """Both CRMs running on this computer. ``pid`` is the emulator's."""

    folder: Path
    salesforce: str
    hubspot: str
    admin: str
    credentials: dict[str, dict[str, str]]
    pid: int

    def ask(self, path: str) -> Any:
        """GET on the admin side."""
        return self._call("GET", path, None)

    def tell(self, path: str, body: dict[str, Any]) -> Any:
        """POST on the admin side: something a person does in a CRM."""
        return self._call("POST", path, json.dumps(body))

    def _call(self, method: str, path: str, body: str | None) -> Any:
        address = urlsplit(self.admin)
        with closing(HTTPConnection(str(address.hostname), address.port, timeout=60)) as connection:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            content = reply.read()
        if reply.status != HTTPStatus.OK:
            raise TruceError("the practice CRMs refused", where=path, why=f"HTTP {reply.status}")
        return json.loads(content)

    def changes_since(self, seq: int) -> list[dict[str, Any]]:
        """The practice CRMs' own audit; Truce never reads it."""
        lines: list[dict[str, Any]] = self.ask(f"/audit?since={seq}")
        return lines

    def last_seq(self) -> int:
        return int(self.ask("/health")["last_seq"])


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else tells a demo in this folder meanwhile; the system lets the lock go when we die.

    Raises:
        UsageError: somebody does, or it is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", next_step=ELSEWHERE)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(f"another demo is being told in {folder} right now", next_step=ELSEWHERE) from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def stopped_on_failure(folder: Path, *, again: str) -> Iterator[None]:
    """A demo that does not come to its end takes the practice CRMs with it, also when its terminal is closed.

    Raises:
        Interrupted: in place of Ctrl-C; ``again`` is the command that begins anew.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        stop(folder)
        raise Interrupted("the demo was stopped, and the practice CRMs with it", next_step=again) from None
    except BaseException:
        stop(folder)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start(folder: Path, *, contacts: int, companies: int, seed: int) -> Practice:
    """Start both CRMs in the background, with a company's worth of records.

    Raises:
        UsageError: they did not come up; says where their log is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("{}", encoding="utf-8")
    log = folder / "practice.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603  (our own emulator)
            [
                sys.executable, "-m", "connectors.emulator",
                "--state", str(folder / "practice.db"), "--truth", str(folder / "truth.json"),
                "--seed", str(seed), "--contacts", str(contacts), "--companies", str(companies),
            ],
            stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    (folder / MARKER).write_text(json.dumps({"pid": process.pid}), encoding="utf-8")
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise UsageError("the practice CRMs did not start", where=str(log), next_step=f"look into {log}")
    ready = json.loads(line)
    practice = Practice(
        folder, ready["salesforce"], ready["hubspot"], ready["admin"], ready["credentials"], process.pid
    )
    (folder / MARKER).write_text(json.dumps({**ready, "pid": process.pid}), encoding="utf-8")
    return practice


def stop(folder: Path) -> bool:
    """End the practice CRMs of this folder, by their own pid. Returns whether they were running."""
    pid = _marked(folder / MARKER)
    if not pid or not _is_ours(pid):
        return False
    os.kill(pid, signal.SIGTERM)
    waited = 0.0
    while _is_ours(pid) and waited < STOP_SECONDS:
        _reap(pid)
        time.sleep(0.05)
        waited += 0.05
    return True


def _marked(marker: Path) -> int:
    """The emulator's pid, or 0 where nothing readable was noted."""
    try:
        return int(json.loads(marker.read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, LookupError, TypeError):
        return 0


def clear(folder: Path) -> None:
    """Remove an earlier demo.

    Raises:
        UsageError: the folder holds something that is not a demo of ours.
    """
    if not folder.exists():
        return
    if not (folder / MARKER).is_file() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not a demo folder",
            why="it has files in it that the demo did not make",
            next_step=ELSEWHERE,
        )
    stop(folder)
    for entry in folder.iterdir():  # not the folder itself: its lock is ours
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _is_ours(pid: int) -> bool:
    """Whether this pid is still our emulator (pids are used again)."""
    command = Path(f"/proc/{pid}/cmdline")
    if command.exists():
        return b"connectors.emulator" in command.read_bytes()
    if Path("/proc").exists():
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
