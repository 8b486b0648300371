"""Secrets by reference: ``keyring:NAME``, ``env:NAME``, ``file:PATH``, ``systemd:NAME``. Never in config or ledger.

Keyring backends are an allow-list: a merely installed ``keyrings.alt`` would store secrets in a plain file, and the
``null`` backend accepts a write and forgets it (both seen on headless machines).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import ConfigError
from agent.private_files import make_private_directory, require_private, write_private_file

SERVICE = "crm-truce"
KEYRING_SECONDS = 5.0
ALLOWED_BACKENDS = ("SecretService", "libsecret", "kwallet", "macOS", "Windows")

T = TypeVar("T")


def read_secret(reference: str, environment: Mapping[str, str] = os.environ) -> str:
    """The value behind a reference, without surrounding white space.

    Raises:
        ConfigError: missing, empty, unsafe file, or no usable keyring. Never shows a value.
    """
    source, _, name = reference.partition(":")
    if source == "env":
        value = environment.get(name, "")
    elif source == "systemd":
        value = _from_file(_systemd_file(name, environment), reference)
    elif source == "keyring":
        value = _from_keyring(name)
    elif source == "file":
        require_present(Path(name), reference)
        require_private(Path(name))
        value = _from_file(Path(name), reference)
    else:
        raise ConfigError(f"this is no place of a secret: {source}", where=reference)
    if not value.strip():
        raise ConfigError("a secret is empty or missing", where=reference, next_step=how_to_set(reference))
    return value.strip()


def store_secret(reference: str, value: str) -> None:
    """Put a secret into the keyring or into a file only we may read; what was there is replaced.

    Raises:
        ConfigError: empty, no safe keyring here, or a place that only somebody else can fill.
    """
    source, _, name = reference.partition(":")
    if not value.strip():
        raise ConfigError("the secret is empty, so nothing was kept", where=reference, next_step=how_to_set(reference))
    if source == "keyring":
        ring = _safe_keyring()
        _in_time(lambda: ring.set_password(SERVICE, name, value.strip()))
    elif source == "file":
        path = Path(name)
        if not path.parent.exists():
            make_private_directory(path.parent)
        write_private_file(path, f"{value.strip()}\n".encode())
    else:
        raise ConfigError(f"Truce cannot put a secret into {source}", where=reference, next_step=how_to_set(reference))


def forget_secret(reference: str) -> None:
    """Remove a secret from the keyring, or its file.

    Raises:
        ConfigError: it is not there, or is kept where only somebody else can remove it.
    """
    source, _, name = reference.partition(":")
    missing = ConfigError("there is no such secret", where=reference, next_step="truce secrets list")
    if source == "keyring":
        ring = _safe_keyring()
        if _in_time(lambda: ring.get_password(SERVICE, name)) is None:
            raise missing
        _in_time(lambda: ring.delete_password(SERVICE, name))
    elif source == "file":
        try:
            Path(name).unlink()
        except FileNotFoundError:
            raise missing from None
    else:
        raise ConfigError(f"Truce cannot remove a secret from {source}", where=reference)


def can_be_kept(reference: str) -> bool:
    """Whether a secret that a vendor replaced can be put back into this place."""
    return reference.partition(":")[0] in ("keyring", "file")


@dataclass(slots=True)
class ReplacedSecret:
    """A secret that its vendor may replace (``agent.connector.KeptSecret``).

    Read anew each time, as another process of ours may have been given the newest. One that cannot be put back is
    good until we end, and the log says so.
    """

    reference: str
    read_from: Callable[[str], str] = field(default=read_secret, repr=False)
    store_in: Callable[[str, str], None] = field(default=store_secret, repr=False)
    _unkept: str = field(default="", repr=False)

    def read(self) -> str:
        """The present one. Raises ConfigError."""
        return self._unkept or self.read_from(self.reference)

    def keep(self, value: str) -> None:
        """Put the new one in the place of the old one."""
        self._unkept = value
        try:
            self.store_in(self.reference, value)
            if self.read_from(self.reference) == value:
                self._unkept = ""
        except (ConfigError, OSError) as error:
            why = error.what if isinstance(error, ConfigError) else type(error).__name__
            import structlog  # slow to load, and `truce check` never comes here

            structlog.get_logger("truce").error("a replaced secret could not be kept", place=self.reference, why=why)


def how_to_set(reference: str) -> str:
    """The one step that makes a missing secret readable."""
    source, _, name = reference.partition(":")
    if source == "env":
        return f"export {name}=…"
    if source == "systemd":
        return f"add LoadCredentialEncrypted={name} to the unit file"
    return f"truce secrets set {reference}"


def keyring_name() -> str:
    """The backend in use, for ``doctor``. Raises ConfigError when there is no safe one."""
    ring = _safe_keyring()
    return f"{type(ring).__module__}.{type(ring).__name__}"


def require_present(path: Path, reference: str) -> None:
    """Raises ConfigError when there is no such secret file."""
    if not path.exists() and not path.is_symlink():
        raise ConfigError("a secret is missing", where=reference, next_step=how_to_set(reference))


def _from_keyring(name: str) -> str:
    ring = _safe_keyring()
    return str(_in_time(lambda: ring.get_password(SERVICE, name)) or "")


def _systemd_file(name: str, environment: Mapping[str, str]) -> Path:
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigError(
            f"there are no systemd credentials for {name}",
            where=f"systemd:{name}",
            why="CREDENTIALS_DIRECTORY is not set: systemd did not start this",
            next_step=how_to_set(f"systemd:{name}"),
        )
    return Path(folder) / name


def _from_file(path: Path, reference: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            "a secret cannot be read", where=reference, why=why or "", next_step=f"ls -l {path}"
        ) from None


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
        next_step="write env:NAME or file:PATH in the config instead",
    )


def _in_time(call: Callable[[], T]) -> T:
    """A locked keyring may wait for a prompt for ever; five seconds is enough for one that answers.

    Raises:
        ConfigError: it does not answer in time, or refuses.
    """
    from keyring.errors import KeyringError

    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(call).result(timeout=KEYRING_SECONDS)
    except TookTooLong:
        raise ConfigError(
            "the keyring does not answer", why="it may be locked and wait for a prompt nobody sees"
        ) from None
    except KeyringError as error:
        raise ConfigError("the keyring refused", why=type(error).__name__, next_step="unlock the keyring") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
