"""Where a running daemon takes orders from the command line: one at a time, rollbacks first, every one answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from agent import apply
from agent.error_documents import to_document
from agent.errors import (
    HeldBack,
    Interrupted,
    LedgerDamaged,
    LedgerMissing,
    LockHeld,
    StorageFull,
    TruceError,
    Unavailable,
)
from agent.installation import Installation, Stop
from agent.orders.commands import URGENT, Command
from agent.orders.orders import ASKING_NO_VENDOR, NEEDS_SOUND_POLICIES, carry_out

log = structlog.get_logger("truce")

REPORT_EVERY_SECONDS = 0.5

BEYOND_ONE_ORDER = (StorageFull, LedgerDamaged, LedgerMissing, LockHeld)
"""Errors that concern the whole daemon; the order that met them is answered first."""


@dataclass(slots=True)
class OrderDesk:
    """``read_policies`` takes over what is on disk now and raises what is wrong with it.

    ``seconds`` is a monotonic clock; ``heartbeat`` is called whenever something moved.
    """

    installation: Installation
    read_policies: Callable[[], None]
    seconds: Callable[[], float]
    heartbeat: Callable[[], None]
    _reported_at: float = field(default=0.0)

    def serve(self, stop: Stop) -> list[str]:
        """Carry out what waits, until nothing does or ``stop`` says so. Returns the kinds carried out.

        Raises what concerns more than the order that met it; that one is answered.
        """
        served: list[str] = []
        self.installation.commands.close_interrupted()
        while not stop():
            command = self.installation.commands.next()
            if command is None:
                break
            log.info("order", number=command.id, order=command.kind)
            self._carry_out(command, stop)
            served.append(command.kind)
            self.heartbeat()
        return served

    def serve_without_vendors(self, stop: Stop, error: TruceError) -> None:
        """Carry out what needs no vendor; answer the rest with the reason why it cannot be done yet."""
        while not stop() and (command := self.installation.commands.next()) is not None:
            log.info("order", number=command.id, order=command.kind)
            if command.kind in ASKING_NO_VENDOR:
                self._carry_out(command, stop)
            else:
                self._answer_failure(command, error)

    def _carry_out(self, command: Command, stop: Stop) -> None:
        """Run it and answer. An undo does not wait for it: the order gives way at its next chunk, and goes on after."""
        before = self.installation.stop
        self.installation.doing = ""
        self.installation.stop = lambda: stop() or self._is_overtaken(command)
        try:
            result = self._result_of(command)
        except Interrupted as error:
            if stop():
                self._answer_failure(command, error)
            else:
                log.info("order gives way to an undo", number=command.id, order=command.kind)
                self.installation.commands.put_back(command.id)
        except BEYOND_ONE_ORDER as error:
            self._answer_failure(command, error)
            raise
        except HeldBack as error:
            self._answer_failure(command, error)
        except Unavailable as error:
            self._answer_failure(command, error)
            raise
        except TruceError as error:
            self._answer_failure(command, error)
        except Exception as error:
            log.exception("order failed by our own mistake", number=command.id, order=command.kind)
            self.installation.commands.finish(command.id, {"error": to_document(error)})
        else:
            self.installation.commands.finish(command.id, result)
            log.info("order done", number=command.id, order=command.kind)
        finally:
            self.installation.stop = before

    def _is_overtaken(self, command: Command) -> bool:
        return command.kind != URGENT and self.installation.commands.has(URGENT)

    def _result_of(self, command: Command) -> dict[str, Any]:
        if command.kind in NEEDS_SOUND_POLICIES:
            self.read_policies()
        return carry_out(self.installation, command.kind, command.body, command.actor, self._reporting(command))

    def _answer_failure(self, command: Command, error: TruceError) -> None:
        log.warning("order failed", number=command.id, order=command.kind, what=error.what, why=error.why)
        self.installation.commands.finish(command.id, {"error": to_document(error)})

    def _reporting(self, command: Command) -> apply.Progress:
        """Progress for whoever waits, at most twice a second: each report is a commit."""

        def report(done: int, total: int) -> None:
            self.heartbeat()
            now = self.seconds()
            if done == total or now - self._reported_at >= REPORT_EVERY_SECONDS:
                self._reported_at = now
                self.installation.commands.report(
                    command.id, {"done": done, "total": total, "doing": self.installation.doing}
                )

        return report
