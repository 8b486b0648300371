"""kill -9 in the middle of recording: everything that was reported as recorded is there, and the rest is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from recording import open_ledger, open_mirror

from agent.changes import State
from agent.records import Ref

WRITER = """
import sys
from pathlib import Path
from recording import confirmed, contact, open_ledger, open_mirror, opened
folder = Path(sys.argv[1])
ledger, mirror = open_ledger(folder), open_mirror(folder)
person = 0
while True:
    batch = opened(ledger, 20)
    print("recorded", batch.id, flush=True)
    last = ledger.settle([confirmed(entry) for entry in ledger.entries(batch_id=batch.id)])
    print("settled", batch.id, flush=True)
    mirror.absorb_outcomes([], last, ledger.clock())
    page = [contact(person + n) for n in range(20)]
    mirror.absorb(page, mapped=["Title"], keys=lambda record: [], seen_at=ledger.clock())
    person += 20
    print("absorbed", person, flush=True)
    ledger.close_batch(batch.id)
"""


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 5, 9, 14, 20, 33])
def test_what_was_reported_as_recorded_is_there(tmp_path: Path, lines: int) -> None:
    said = run_and_kill(tmp_path, lines)
    ledger, mirror = open_ledger(tmp_path, new_id=None), open_mirror(tmp_path)
    ledger.store.check_pages()
    verification = ledger.verify()
    assert verification.ok, verification.message
    assert ledger.memory_check() == "ok"
    for what, name in said:
        if what == "recorded":
            assert len(ledger.entries(batch_id=name)) == 20
        elif what == "settled":
            assert {e.state for e in ledger.entries(batch_id=name)} == {State.CONFIRMED}
        else:
            assert mirror.record(Ref("salesforce", "Contact", f"003{int(name) - 1:012d}AAA")) is not None
    assert mirror.check_against(ledger.ledger_id, ledger.last_seq) == "ok"
    sizes = [sum(batch.counts.values()) for batch in ledger.batches()]
    assert set(sizes) == {20}, "no batch is half recorded"
    assert len(mirror.pending()) == mirror.count("salesforce", "Contact")


def run_and_kill(folder: Path, lines: int) -> list[tuple[str, str]]:
    """Let it write until it has said so many lines, kill it, and return all that it said."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2]}"},
    )  # fmt: skip
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(lines)]
    writer.kill()
    rest, _ = writer.communicate()
    whole = [line for line in [*said, *rest.splitlines(keepends=True)] if line.endswith("\n")]
    return [(line.split()[0], line.split()[1]) for line in whole]
