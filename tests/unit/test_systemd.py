"""Running under systemd: the unit, and telling it how we are."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from shipped_systems import SYSTEMS

from agent.config.config import Config
from agent.daemon.systemd import STOP_SECONDS, WATCHDOG_SECONDS, tell, unit_text
from agent.wiring.settings import first_config_kind

MOST_EXPOSED = 1.5


def config(folder: Path, token: str = "systemd:hubspot-token") -> Config:
    return first_config_kind().model_validate(
        {
            "home": folder,
            "salesforce": {"domain": "acme.my", "client_id": "systemd:sf-id", "client_secret": "systemd:sf-secret"},
            "hubspot": {"token": token},
        }
    )


def unit(folder: Path = Path("/srv/truce"), **more: Any) -> tuple[str, ConfigParser]:
    text = unit_text(config(folder, **more), SYSTEMS, folder / "config.yaml", Path("/opt/truce/bin/truce"), "truce")
    parsed = ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str
    parsed.read_string(text)
    return text, parsed


if shutil.which("systemd-analyze"):  # containers mostly have no systemd, and then nobody can say

    def test_systemd_itself_finds_the_unit_right_and_closed(tmp_path: Path) -> None:
        (tmp_path / "README.md").touch()
        text = unit_text(config(tmp_path), SYSTEMS, tmp_path / "config.yaml", Path(sys.executable), "daemon")
        (tmp_path / "truce.service").write_text(text, encoding="utf-8")

        def analyze(*words: str) -> str:
            done = subprocess.run(
                ["systemd-analyze", *words, str(tmp_path / "truce.service")],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout + done.stderr

        assert "truce.service" not in analyze("verify", "--man=no")
        found = re.search(r"Overall exposure level for truce.service: ([\d.]+)", analyze("security", "--offline=true"))
        assert found is not None
        assert float(found[1]) <= MOST_EXPOSED


def test_the_unit_runs_this_installation_and_stops_it_gracefully() -> None:
    _, parsed = unit()
    service = parsed["Service"]
    assert service["ExecStart"] == "/opt/truce/bin/truce -c /srv/truce/config.yaml run"
    assert service["ReadWritePaths"] == "/srv/truce/state"
    assert service["Type"] == "notify"
    assert int(service["TimeoutStopSec"]) == STOP_SECONDS > 60
    assert int(service["WatchdogSec"]) == WATCHDOG_SECONDS


def test_a_path_with_a_blank_or_a_percent_sign_stays_one_word() -> None:
    text, _ = unit(Path("/srv/our 100% crm"))
    assert 'ExecStart=/opt/truce/bin/truce -c "/srv/our 100%% crm/config.yaml" run\n' in text
    assert "WorkingDirectory=/srv/our 100%% crm\n" in text


@pytest.mark.parametrize(
    "line",
    [
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        "SystemCallFilter=@system-service",
        "MemoryDenyWriteExecute=yes",
        "CapabilityBoundingSet=",
        "UMask=0077",
        "LimitCORE=0",
        "Restart=on-failure",
    ],
)
def test_the_unit_is_hardened(line: str) -> None:
    assert line in unit()[0].splitlines()


def test_secrets_kept_by_systemd_are_loaded_and_others_are_not() -> None:
    text, _ = unit(token="env:HS_TOKEN")
    loaded = [line for line in text.splitlines() if line.startswith("LoadCredentialEncrypted=")]
    assert [line.partition("=")[2].partition(":")[0] for line in loaded] == ["sf-id", "sf-secret"]


def test_the_supervisor_is_told_through_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        tell("READY=1", {"NOTIFY_SOCKET": str(path)})
        assert listener.recv(100) == b"READY=1"


def test_nobody_is_told_where_nobody_listens() -> None:
    tell("READY=1", {})


def test_a_supervisor_that_does_not_read_holds_nothing_up(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        for _ in range(1000):
            tell("WATCHDOG=1", {"NOTIFY_SOCKET": str(address)})
        assert listener.recv(100) == b"WATCHDOG=1"
