"""A daemon under the benchmark's supervision: it says when it is ready, and is always ended."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

READY_SECONDS = 60.0
STOP_SECONDS = 30.0


class Supervised:
    """Runs a command that speaks systemd's notify protocol."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._address = folder / "notify"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(str(self._address))
        self._listener.settimeout(READY_SECONDS)
        self._log = (folder / "daemon.log").open("ab")
        started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "NOTIFY_SOCKET": str(self._address)},
        )
        try:
            while b"READY=1" not in self._listener.recv(4096):
                pass
        except TimeoutError:
            self._end()
            raise RuntimeError(f"{' '.join(command)} did not become ready; see {self._log.name}") from None
        self.seconds_until_ready = time.perf_counter() - started

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_seconds(self) -> float:
        """Seconds of work of the daemon so far, the system's on its behalf included (``/proc`` of Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Supervised:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.close()
        self._address.unlink()
        self._log.close()
