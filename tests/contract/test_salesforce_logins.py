"""Every way our Salesforce connector logs in, against the emulator, which grants strictly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from kept_secret import Drawer
from scripted_salesforce import Ticks

from agent.errors import AccessDenied, ConfigError
from agent.records import Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.salesforce.provisioning import REFRESH_TOKEN, USERNAMES
from connectors.emulator.serve import Emulator
from connectors.salesforce import grants
from connectors.salesforce.connector import Salesforce

USERNAME = f"integration@{USERNAMES}"
LOGIN_PATH = "/services/oauth2/token"
Connect = Callable[..., Salesforce]


@cache
def key_pair(which: int = 1) -> tuple[str, str]:
    """(private, public) in PEM, made for this run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


class Logins:
    """The practice org as its administrator sees it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.admin = Admin(emulator.admin_url)
        self.known = emulator.credentials["salesforce"]
        self.switch("certificates", {self.known["client_id"]: key_pair()[1]})
        self.connectors: list[Salesforce] = []
        self.ticks = Ticks()

    def switch(self, name: str, value: Any) -> None:
        self.admin.post("/settings", system="salesforce", name=name, value=value)

    def count(self) -> int:
        return sum(line["path"].endswith(LOGIN_PATH) for line in self.admin.get("/journal?since=0"))

    def by(self, kind: str, **changed: Any) -> Salesforce:
        known = dict(self.known)
        secret = known.pop("client_secret")
        ways: dict[str, dict[str, Any]] = {
            "client credentials": {"client_secret": secret},
            "jwt": {"username": USERNAME, "private_key": key_pair()[0]},
            "refresh token": {"client_secret": secret, "refresh_token": Drawer(REFRESH_TOKEN)},
        }
        given = {**known, "base_url": self.emulator.salesforce_url, "clock": self.ticks, **ways[kind], **changed}
        self.connectors.append(Salesforce(**given))
        return self.connectors[-1]

    def expire(self) -> None:
        self.admin.post("/tokens/revoke", system="salesforce")


@pytest.fixture
def org(emulator: Emulator) -> Iterator[Logins]:
    logins = Logins(emulator)
    yield logins
    for connector in logins.connectors:
        connector.close()


KINDS = ("client credentials", "jwt", "refresh token")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_login_reaches_the_same_account_and_user(org: Logins, kind: str) -> None:
    identity = org.by(kind).identity()
    assert identity.account_id == org.emulator.world.spaces["salesforce"].settings["org_id"]
    assert identity.user_id == org.emulator.world.spaces["salesforce"].settings["users"]["integration"]


@pytest.mark.parametrize("kind", KINDS)
def test_of_twenty_threads_with_one_expired_token_one_logs_in(org: Logins, kind: str) -> None:
    connector = org.by(kind)
    connector.owners()
    org.expire()
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: len(connector.read([Ref("salesforce", "Contact", "x")], [])), range(20)))
        found += [len(each) > 0 for each in pool.map(lambda _: connector.owners(), range(20))]
    assert found == [1] * 40
    assert org.count() == 2


def test_an_assertion_ends_on_salesforces_clock_however_wrong_ours_is(org: Logins) -> None:
    """The practice world lives in another month than this computer."""
    org.admin.post("/clock/advance", seconds=90 * 86_400)
    assert org.by("jwt").identity().name


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"private_key": key_pair(2)[0]}, "invalid assertion"),
        ({"client_id": "nobody"}, "client identifier invalid"),
        ({"username": "stranger@example.com"}, "user hasn't approved this consumer"),
        ({"domain": "practice--dev.sandbox.my"}, "audience is invalid"),
    ],
)
def test_a_refused_assertion_is_told_in_salesforces_words(org: Logins, changed: dict[str, Any], says: str) -> None:
    with pytest.raises(AccessDenied) as told:
        org.by("jwt", **changed).identity()
    assert told.value.why == f"{'invalid_client_id' if 'client' in says else 'invalid_grant'}: {says}"
    assert org.count() == 1


def test_an_expired_assertion_is_refused_and_not_tried_without_end(
    org: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "ASSERTION_LIFE", timedelta(seconds=-1))
    connector = org.by("jwt")
    with pytest.raises(AccessDenied) as told:
        connector.owners()
    assert told.value.why == "invalid_grant: assertion is expired"
    for _ in range(5):
        with pytest.raises(AccessDenied) as told:
            connector.owners()
    assert org.count() == 3
    assert "3 logins" in told.value.why
    org.ticks.now += 600
    monkeypatch.undo()
    assert connector.owners()


@pytest.mark.parametrize(
    "key",
    [
        "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----",
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode(),
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"locked"),
        )
        .decode(),
    ],
    ids=["nonsense", "another kind", "locked"],
)
def test_a_key_that_cannot_sign_is_a_mistake_in_the_config(org: Logins, key: str) -> None:
    with pytest.raises(ConfigError, match="private key") as told:
        org.by("jwt", private_key=key)
    assert key not in str(told.value)


def test_a_refresh_token_that_stays_is_not_written_anywhere(org: Logins) -> None:
    drawer = Drawer(REFRESH_TOKEN)
    connector = org.by("refresh token", refresh_token=drawer)
    connector.owners()
    org.expire()
    connector.owners()
    assert drawer.kept == []


def test_a_rotated_refresh_token_is_kept_and_used_next(org: Logins) -> None:
    org.switch("refresh_rotation", True)
    drawer = Drawer(REFRESH_TOKEN)
    connector = org.by("refresh token", refresh_token=drawer)
    connector.owners()
    [first] = drawer.kept
    org.expire()
    connector.owners()
    assert first != REFRESH_TOKEN
    assert len(drawer.kept) == 2
    assert org.count() == 2


def test_a_token_that_another_process_rotated_is_looked_up_once_more(org: Logins) -> None:
    """The command line and the daemon share one refresh token: who comes second finds the new one."""
    org.switch("refresh_rotation", True)
    drawer = Drawer(REFRESH_TOKEN)
    daemon, command = org.by("refresh token", refresh_token=drawer), org.by("refresh token", refresh_token=drawer)
    late = Late(drawer)
    slow = org.by("refresh token", refresh_token=late)
    daemon.owners()
    command.owners()
    assert slow.owners()
    assert late.reads >= 2
    assert org.count() == 4


class Late:
    """Read just before another process put the new token there."""

    def __init__(self, drawer: Drawer) -> None:
        self.drawer = drawer
        self.reads = 0

    def read(self) -> str:
        self.reads += 1
        return REFRESH_TOKEN if self.reads == 1 else self.drawer.read()

    def keep(self, value: str) -> None:
        self.drawer.keep(value)


def test_a_dead_refresh_token_is_told_and_never_shown(org: Logins) -> None:
    connector = org.by("refresh token", refresh_token=Drawer("fake-refresh-token"))
    with pytest.raises(AccessDenied) as told:
        connector.owners()
    assert told.value.why == "invalid_grant: expired access/refresh token"
    assert "fake-refresh-token" not in f"{told.value} {connector.__dict__}"
    assert org.count() == 1


def test_a_missing_secret_is_no_request(org: Logins) -> None:
    class Empty(Drawer):
        def read(self) -> str:
            raise ConfigError("a secret is empty or missing", next_step="truce secrets set")

    with pytest.raises(AccessDenied, match="lacks a secret") as told:
        org.by("refresh token", refresh_token=Empty("")).owners()
    assert told.value.next_step == "truce secrets set"
    assert org.count() == 0
