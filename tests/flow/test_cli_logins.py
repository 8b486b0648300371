"""The other ways to log in, from ``init`` to a ``doctor`` that reads both CRMs: signed statements, refresh tokens."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from terminal import Terminal

from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.salesforce.provisioning import USERNAMES
from connectors.emulator.serve import Emulator

ME = ("--email", "me@company.example", "--salesforce-domain", "practice.my", "--secrets", "file")
JWT = ("--salesforce-login", "jwt", "--salesforce-username", f"integration@{USERNAMES}")
OAUTH = ("--hubspot-login", "refresh-token")


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture
def terminal(emulator: Emulator, admin: Admin, tmp_path: Path, keys: tuple[str, str]) -> Terminal:
    """After init and secrets set, at practice CRMs with a real clock that know the public key."""
    emulator.renew(Options(clock="real"))
    known = emulator.credentials
    certificates = {known["salesforce"]["client_id"]: keys[1]}
    admin.post("/settings", system="salesforce", name="certificates", value=certificates)
    terminal = Terminal(tmp_path / "config.yaml")
    said = terminal("init", *ME, *JWT, *OAUTH)
    assert said.code == 0
    assert "truce secrets set file:secrets/salesforce-private-key < server.key" in said.out
    app = (known["hubspot"][name] for name in ("client_id", "client_secret", "refresh_token"))
    typed = "\n".join((known["salesforce"]["client_id"], keys[0].strip(), *app))
    assert terminal("secrets", "set", typed=typed).code == 0
    for after, url in (("External", emulator.salesforce_url), ("Unique", emulator.hubspot_url)):
        old = f"  # base_url: http://127.0.0.1:8001\n  # {after}"
        terminal.edit("config.yaml", old, f"  base_url: {url}\n  # {after}")
    return terminal


def test_a_signed_login_and_an_app_read_both_crms(terminal: Terminal) -> None:
    said = terminal("doctor")
    assert "salesforce access" in said.out
    assert "hubspot access" in said.out
    assert said.code == 0


def test_a_refresh_token_that_was_replaced_stands_in_its_private_file(terminal: Terminal, admin: Admin) -> None:
    admin.post("/settings", system="hubspot", name="refresh_rotation", value=True)
    path = terminal.folder / "secrets" / "hubspot-refresh-token"
    before = path.read_text(encoding="utf-8")
    assert terminal("doctor").code == 0
    after = path.read_text(encoding="utf-8")
    assert after != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = terminal("doctor")
    assert said.code == 0
    assert after.strip() not in said.text


def test_doctor_warns_where_a_replaced_token_could_not_be_kept(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    monkeypatch.setenv("TRUCE_REFRESH", emulator.credentials["hubspot"]["refresh_token"])
    terminal.edit("config.yaml", "file:secrets/hubspot-refresh-token", "env:TRUCE_REFRESH")
    said = terminal("doctor")
    assert "hubspot.refresh_token" in said.out
    assert "would lock us out at the next start" in " ".join(said.out.split())


def test_a_key_that_cannot_sign_is_told_by_doctor(terminal: Terminal) -> None:
    (terminal.folder / "secrets" / "salesforce-private-key").write_text("not-a-key\n", encoding="utf-8")
    said = terminal("doctor")
    assert said.code == 2
    assert "private key cannot be used" in said.text
    assert "not-a-key" not in said.text


def test_a_login_without_its_secrets_is_a_mistake_with_its_line(terminal: Terminal) -> None:
    terminal.edit("config.yaml", f"  username: integration@{USERNAMES}\n", "")
    said = terminal("secrets", "list")
    assert said.code == 2
    assert "salesforce: login: jwt needs username" in said.err


def test_init_asks_for_the_user_a_signed_login_is_for(tmp_path: Path) -> None:
    said = Terminal(tmp_path / "config.yaml")("init", *ME, "--salesforce-login", "jwt")
    assert said.code == 2
    assert "--salesforce-username is needed" in said.err
