"""systemd: telling it how we are, and a unit file for this installation.

The unit is hardened as far as a program goes that talks HTTPS to two hosts and writes one folder; what a line is for
stands beside it in docs/operating.md.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from agent.config.config import Config
from agent.systems import Systems

WATCHDOG_SECONDS = 180
STOP_SECONDS = 90
"""A chunk takes one call a minute long at worst (60 s is the longest a vendor may take to answer), then it settles."""

NEVER_AGAIN = (2, 5, 10, 11, 12)
"""Exit codes that a restart does not mend: usage, safety, no ledger, another writer, a damaged ledger."""


def tell(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """One datagram of the notify protocol (sd_notify(3)); nothing when nobody listens.

    Nor when whoever listens does not read: a sign of life must never hold up what it is a sign of.
    """
    address = environment.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            line.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


def unit_text(config: Config, systems: Systems, config_path: Path, program: Path, user: str) -> str:
    """A unit for ``/etc/systemd/system/truce.service``."""
    credentials = "".join(
        f"LoadCredentialEncrypted={name}:/etc/credstore.encrypted/{name}\n" for name in _systemd_secrets(config)
    )
    return f"""\
[Unit]
Description=Truce: {" and ".join(systems[key].name for key in systems)} in agreement
Documentation=file:{config.home}/README.md
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=10min
StartLimitBurst=5

[Service]
Type=notify
ExecStart={_quoted(program)} -c {_quoted(config_path)} run
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory={_escaped(config.home)}
User={user}
UMask=0077
Restart=on-failure
RestartSec=10
RestartPreventExitStatus={" ".join(str(code) for code in NEVER_AGAIN)}
WatchdogSec={WATCHDOG_SECONDS}
TimeoutStopSec={STOP_SECONDS}
KillMode=mixed
{credentials}ReadWritePaths={_escaped(config.state)}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
RemoveIPC=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
CapabilityBoundingSet=
LimitCORE=0
MemoryMax=1G
TasksMax=64

[Install]
WantedBy=multi-user.target
"""


def _systemd_secrets(config: Config) -> list[str]:
    places = config.secrets().values()
    return sorted({text.partition(":")[2] for text in places if text.startswith("systemd:")})


def _quoted(path: Path) -> str:
    """As a word of ExecStart (systemd.syntax(7)): quotes for spaces, doubled per cent and dollar signs."""
    text = _escaped(path).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{text}"' if " " in text else text


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
