"""Signals as something to wait for."""

from __future__ import annotations

import os
import signal

from agent.daemon.signals import Signals


def test_signals_come_out_in_order_and_do_nothing_by_themselves() -> None:
    with Signals() as signals:
        assert signals.wait(0) is None
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert [signals.wait(10) for _ in range(3)] == [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]
        assert signals.wait(0) is None


def test_handlers_are_as_before_afterwards() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    with Signals():
        pass
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_flood_of_signals_cannot_block_or_overflow() -> None:
    with Signals([signal.SIGHUP]) as signals:
        for _ in range(100_000):
            signal.raise_signal(signal.SIGHUP)
        assert signals.wait(0) == signal.SIGHUP
