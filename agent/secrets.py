"""Secrets by reference: ``keyring:NAME``, ``env:NAME``, ``file:PATH``, ``systemd:NAME``. Never in config or ledger.

Keyring backends are an allow-list: a merely installed ``keyrings.alt`` would store secrets in a plain file, and the
``null`` backend accepts a write and forgets it (both seen on headless machines).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from pathlib import Path
from typing import Any

from agent.errors import ConfigError

SERVICE = "crm-truce"
KEYRING_SECONDS = 5.0
ALLOWED_BACKENDS = ("SecretService", "libsecret", "kwallet", "macOS", "Windows")


def read_secret(reference: str, environment: Mapping[str, str] = os.environ) -> str:
    """The value behind a reference, without surrounding white space.

    Raises:
        ConfigError: missing, empty, unsafe file, or no usable keyring. Never shows a value.
    """
    source, _, name = reference.partition(":")
    readers = {"keyring": _from_keyring, "file": _from_file}
    if source == "env":
        value = environment.get(name, "")
    elif source == "systemd":
        folder = environment.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise ConfigError(
                f"there are no systemd credentials for {name}",
                where=reference,
                why="CREDENTIALS_DIRECTORY is not set",
            )
        value = _from_file(str(Path(folder) / name), check_mode=False)
    elif source in readers:
        value = readers[source](name)
    else:
        raise ConfigError(f"this is no place for a secret: {source}", where=reference)
    if not value.strip():
        raise ConfigError(
            f"the secret {name} is empty or missing", where=reference, next_step=f"truce secrets set {name}"
        )
    return value.strip()


def store_secret(name: str, value: str) -> None:
    """Put a secret into the keyring.

    Raises:
        ConfigError: no safe keyring here; says what to use instead.
    """
    ring = _safe_keyring()
    _in_time(lambda: ring.set_password(SERVICE, name, value))


def forget_secret(name: str) -> None:
    """Remove a secret from the keyring. Raises ConfigError when it is not there."""
    ring = _safe_keyring()
    if _in_time(lambda: ring.get_password(SERVICE, name)) is None:
        raise ConfigError(f"there is no secret {name} in the keyring", next_step="truce secrets list")
    _in_time(lambda: ring.delete_password(SERVICE, name))


def keyring_name() -> str:
    """The backend in use, for ``doctor``. Raises ConfigError when there is no safe one."""
    ring = _safe_keyring()
    return f"{type(ring).__module__}.{type(ring).__name__}"


def _from_keyring(name: str) -> str:
    ring = _safe_keyring()
    value = _in_time(lambda: ring.get_password(SERVICE, name))
    return str(value or "")


def _from_file(name: str, *, check_mode: bool = True) -> str:
    path = Path(name)
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise ConfigError("a secret file may not be a link", where=name)
        if check_mode and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                "others on this computer may read this secret file", where=name, next_step=f"chmod 600 {name}"
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError("the secret file cannot be read", where=name, why=error.strerror or "") from None


def _safe_keyring() -> Any:
    import keyring  # imported late: it costs a tenth of a second and servers rarely need it

    ring = keyring.get_keyring()
    place = f"{type(ring).__module__}.{type(ring).__name__}"
    chained = getattr(ring, "backends", None)
    candidates = list(chained) if chained else [ring]
    for candidate in candidates:
        module = type(candidate).__module__
        if module.startswith("keyring.backends.") and any(name in module for name in ALLOWED_BACKENDS):
            return candidate
    raise ConfigError(
        "there is no safe keyring on this computer",
        why=f"found {place}, which does not protect what it keeps",
        next_step="use env:NAME or file:PATH in the config instead",
    )


def _in_time(call: Any) -> Any:
    """A locked keyring may wait for a prompt for ever; five seconds is enough for one that answers."""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(call).result(timeout=KEYRING_SECONDS)
    except TookTooLong:
        raise ConfigError(
            "the keyring does not answer", why="it may be locked and wait for a prompt nobody sees"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
