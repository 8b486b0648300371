"""``truce conformance``: the claims that Truce relies on, tried at an account."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from agent.config.config import Config
from agent.connector import Connector
from agent.decide.suggest import did_you_mean
from agent.declaration import Names
from agent.errors import ConnectorError, NotFound, Refused, UsageError
from agent.private_files import make_private_directory
from agent.wiring.opening import locked, suite_for


def examine_account(
    config: Config,
    system: str,
    *,
    may_write: bool,
    is_patient: bool,
    yes_production: bool,
    said: Callable[[Mapping[str, str]], None],
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """The suite at the account of ``system``; the document of the command. ``said`` is called after every claim.

    Writing goes into no ledger, so it takes the writer lock: no cycle may meet records that are about to go again.

    Raises:
        UsageError: no such system, or one that the suite cannot work with.
        Refused: it would write to a production account.
        LockHeld, ConfigError, ConnectorError.
    """
    if system not in config.systems:
        advice = did_you_mean(system, list(config.systems))
        raise UsageError(f"there is no system {system!r} in the config", why=advice, next_step="truce doctor")
    connector, names, examine = suite_for(config, system)
    with ExitStack() as stack:
        stack.callback(connector.close)
        if names is None:
            raise UsageError(
                f"the connector for {system} does not say what the suite may work with",
                why="its declaration has no `names` (docs/add-a-connector.md)",
                next_step="truce doctor",
            )
        _require_sight(connector, names)
        if may_write:
            make_private_directory(config.state)
            stack.enter_context(locked(config, "conformance"))
            _refuse_production(connector, yes_production=yes_production)
        report = examine(
            names=names,
            may_write=may_write,
            is_patient=is_patient,
            mark=uuid4().hex[:6],
            sleep=sleep,
            said=lambda finding: said(asdict(finding)),
        )
    counts = Counter(finding.result for finding in report.findings)
    return {
        "system": system,
        "wrote": may_write,
        "same": counts["same"],
        "different": counts["different"],
        "untried": counts["untried"],
        "made": report.made,
        "left": [str(ref) for ref in report.left],
        "findings": [asdict(finding) for finding in report.findings],
    }


def _require_sight(connector: Connector, names: Names) -> None:
    """What is hidden from our user would look like an account that behaves otherwise. An account that does not describe
    itself is left to the claims."""
    with suppress(ConnectorError, NotFound):
        seen = connector.schema(names.object_type).fields
        hidden = [name for name in (names.email, names.first, names.last, names.title) if name not in seen]
        if hidden:
            raise UsageError(
                f"the suite works with fields that our user there does not see: {', '.join(dict.fromkeys(hidden))}",
                where=f"{connector.system} {names.object_type}",
                next_step=f"show them to it for the trial, then: truce conformance --system {connector.system}",
            )


def _refuse_production(connector: Connector, *, yes_production: bool) -> None:
    name = _is_production(connector)
    if name and not yes_production:
        raise Refused(
            f"{name} is a production account, and nothing was written",
            where=connector.system,
            why="workflows, mails and reports of the account would react to made-up records",
            next_step=f"truce conformance --system {connector.system}",
        )


def _is_production(connector: Connector) -> str:
    """The name of the account if it is a production account, else nothing."""
    identity = connector.identity()
    return (identity.name or identity.account_id) if identity.is_production else ""
