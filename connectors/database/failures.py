"""What an error of the database means. Texts of the database are never passed on: they quote values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)

from agent.connector import WriteError
from agent.errors import AccessDenied, BadReply, ConnectorError, NotFound, NotPermitted, Unavailable

SYSTEM = "database"

_LITE = {  # beginnings of what SQLite says (sqlite3_errmsg, result codes of sqlite.org/rescode.html)
    "not authorized": "not permitted",
    "attempt to write a readonly": "read only",
    "database is locked": "busy",
    "database table is locked": "busy",
    "database or disk is full": "away",
    "unable to open database": "away",
    "disk i/o error": "away",
    "no such table": "missing",
    "no such column": "changed",
    "file is not a database": "bad",
    "database disk image is malformed": "bad",
}
_STATES = {  # beginnings of SQLSTATE (PostgreSQL, appendix A)
    "28": "denied",
    "42501": "not permitted",
    "25006": "read only",
    "3D000": "denied",
    "40": "busy",
    "55P03": "locked",
    "53": "away",
    "57": "away",
    "08": "away",
    "42P01": "missing",
    "42703": "changed",
}


_REFUSED_LOGIN = (
    "authentication failed",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "access denied for user",
    '" does not exist',
)
"""Parts of what a server says before anybody is let in; psycopg tells no SQLSTATE of that."""

_UNANSWERED = (OperationalError, InterfaceError, TimeoutError, DisconnectionError)
"""Errors of a driver or of the pool that say nothing more: the connection, most likely."""


MAY_NOT = ("not permitted", "read only")
"""The user is let in and may not do this."""

IN_USE = ("busy", "locked")
"""Somebody else is at it: one row is locked, or everything."""

NOT_PERMITTED = WriteError("permission", "NOT_PERMITTED", "the user of the database may not write this table")


class Redescribe(BadReply):
    """A column is gone since its table was described: nothing was changed, and asking anew may do."""


class Busy(Exception):
    """Somebody else holds what is to be written, or there are too many of us: nothing was changed."""


def kind_of(error: SQLAlchemyError) -> str:
    """``denied``, ``not permitted``, ``read only``, ``locked``, ``busy``, ``away``, ``missing``, ``changed`` or
    ``bad``."""
    original = getattr(error, "orig", None)
    state = str(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")
    for beginning, kind in _STATES.items():
        if state.startswith(beginning):
            return kind
    text = str(original or "").lower()
    for beginning, kind in _LITE.items():
        if text.startswith(beginning):
            return kind
    if not state and isinstance(error, _UNANSWERED) and any(part in text for part in _REFUSED_LOGIN):
        return "denied"
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return "away" if is_lost or isinstance(error, _UNANSWERED) else "bad"


@contextmanager
def as_ours(doing: str) -> Iterator[None]:
    """Errors of the database as those of the port. Raises Busy where nothing was changed and trying again helps."""
    try:
        yield
    except SQLAlchemyError as error:
        failure = _failure(kind_of(error), doing)
    else:
        return
    raise failure from None


def _failure(kind: str, doing: str) -> Exception:
    if kind in IN_USE:
        return Busy()
    if kind == "denied":
        return AccessDenied("the database refused the login", system=SYSTEM, where=doing, next_step="truce doctor")
    if kind in MAY_NOT:
        return NotPermitted(
            f"the database refused {doing}", system=SYSTEM, why="the user may not do it", next_step="truce doctor"
        )
    if kind == "missing":
        return NotFound(f"{doing}: there is no such table", next_step="truce doctor")
    if kind == "away":
        return Unavailable(f"the database did not answer {doing}", system=SYSTEM)
    if kind == "changed":
        why = "a column is gone since its table was last described"
        return Redescribe(f"the database could not answer {doing}", system=SYSTEM, why=why)
    return BadReply(f"the database could not answer {doing}", system=SYSTEM)


def unavailable(doing: str) -> ConnectorError:
    return Unavailable(f"the database was busy when {doing}", system=SYSTEM)


def refusal(error: DBAPIError) -> WriteError:
    """Why one row was refused, in words that quote no value."""
    if kind_of(error) in MAY_NOT:
        return NOT_PERMITTED
    if kind_of(error) == "locked":
        return WriteError("locked", "ROW_LOCKED", "somebody else is saving this row")
    if not isinstance(error, IntegrityError):
        return WriteError("validation", "REFUSED", "the database refused the value")
    original = error.orig
    state = str(getattr(original, "sqlstate", "") or "")
    text = str(original or "").lower()
    if state == "23505" or text.startswith("unique"):
        return WriteError("duplicate", "NOT_UNIQUE", "another row has this value in a unique column")
    if state == "23502" or text.startswith("not null"):
        return WriteError("validation", "REQUIRED", "a column that must be filled would be blank")
    if state == "23503" or text.startswith("foreign key"):
        return WriteError("validation", "NO_SUCH_ROW", "another table has no such row, or still needs this one")
    return WriteError("validation", "REFUSED", "a rule of the table does not allow it")
