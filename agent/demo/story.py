"""The five acts. Each one does real work through the real clients and prints what came of it."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.changes import HELD
from agent.cli.display import clean, number, progress_bar
from agent.config.config import Config
from agent.demo.practice import Practice
from agent.demo.setting import PEOPLE
from agent.demo.words import Teller
from agent.errors import ApprovalNeeded, TruceError
from agent.installation import Installation
from agent.orders import orders
from agent.records import Ref
from agent.reports import explain
from agent.wiring.opening import open_installation

POLICY_FILE = "person-basics.yaml"
FIELD = "job_title"
WRONG_LINE = "  job_title: {salesforce: Title, hubspot: jobtitle_import_2019, wins: hubspot}"
EDITED_BY_HAND = 37
DELETED_BY_HAND = 3
LEFT_ALONE = 0.75
"""At least this share of what was written wrongly is not touched by hand, in a small practice company too."""
CYCLES_AFTER = 3


@dataclass(slots=True)
class Story:
    """What one act leaves for the next."""

    practice: Practice
    config: Config
    tell: Teller
    bad_batch: str = ""
    written: int = 0
    edited: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    @contextmanager
    def open(self, editor: str | None = None) -> Iterator[Installation]:
        with open_installation(self.config, editor=editor) as installation:
            yield installation

    def order(
        self, installation: Installation, kind: str, body: dict[str, Any], actor: str, what: str
    ) -> dict[str, Any]:
        with progress_bar(what, quiet=self.tell.silent) as progress:
            return orders.carry_out(installation, kind, body, actor, progress)


def where_they_disagree(story: Story) -> dict[str, Any]:
    """Act 1: pull both, pair, decide; show the differences."""
    with story.open() as installation:
        plan = story.order(installation, "plan", {}, PEOPLE["anna"], "reading both CRMs")
        story.tell.sides(_sides(installation))
        story.tell.act(1, "WHERE THEY DISAGREE", "differ  Truce would")
        for line in _differences(plan):
            story.tell.difference(*line)
        example = next((line["example"] for line in plan["lines"] if line["field"] == FIELD), None)
        if example:
            story.tell.example(example)
    return plan


def make_them_agree(story: Story, plan: dict[str, Any]) -> None:
    """Act 2: apply the plan in slices, then one more cycle."""
    story.tell.act(2, "MAKE THEM AGREE", "25 → read back → 250 → rest")
    with story.open() as installation:
        body = {"plan": plan["plan"], "confirm": plan["changes"]}
        result = story.order(installation, "apply", body, PEOPLE["anna"], "writing")
        story.tell.line(f"{number(result['written'])} changes written, each recorded first and read back")
        waiting = installation.ledger.batches(states=HELD)
        for batch in waiting:
            story.tell.line(f"{batch.id} held: {batch.hold_reason}")
        cycle = story.order(installation, "cycle", {}, "truce", "next cycle")
        questions = len(installation.reviews.list())
        left = "nothing left to do" if not cycle["written"] else f"{number(cycle['written'])} more written"
        story.tell.line(f"next cycle: {left} · {number(questions)} questions wait for a person")


def one_wrong_line(story: Story) -> None:
    """Act 3: somebody edits one line; the guard stops it; somebody approves anyway; people mend by hand."""
    story.tell.act(3, "FRIDAY 17:02: ONE WRONG LINE")
    path = story.config.policies / POLICY_FILE
    before, after = replace_line(path, FIELD, WRONG_LINE)
    story.tell.line(f"- {before.strip()}")
    story.tell.line(f"+ {after.strip()}")
    with story.open(editor=PEOPLE["ben"]) as installation:
        plan = story.order(installation, "plan", {"policies": [path.stem]}, PEOPLE["ben"], "deciding")
        batch_id = _stopped(story, installation, plan)
        count = len(installation.ledger.entries(batch_id=batch_id))
        body = {"batch": batch_id, "count": count}
        result = story.order(installation, "approve", body, PEOPLE["tom"], "writing")
        story.bad_batch, story.written = batch_id, result["written"]
        story.tell.line(f"Someone approves anyway.  {batch_id}: {number(result['written'])} written.")
        _weekend(story, installation)
    story.tell.line(
        f"Over the weekend people fix {len(story.edited)} titles by hand; {len(story.deleted)} records are deleted."
    )


def why_is_it_so(story: Story) -> None:
    """Act 4: why one of them has its value."""
    with story.open() as installation:
        entry = next(
            entry
            for entry in installation.ledger.entries(batch_id=story.bad_batch)
            if entry.change.record_id not in story.edited and entry.change.record_id not in story.deleted
        )
        ref = entry.change.ref
        wanted = _email_of(installation, ref) if ref else ""
        story.tell.act(4, "MONDAY: WHY?", f"truce why {wanted} {FIELD}")
        found = explain.why(installation, wanted, FIELD)[0]
        write = next(write for write in found.writes if write.batch.id == story.bad_batch)
        story.tell.line(
            f"“{clean(write.before)}” → “{clean(write.after)}” ← {write.batch.id} ← {write.line}, "
            f"edited by {_first_name(write.editor)}, approved by {', '.join(map(_first_name, write.approved_by))}"
        )


def undo(story: Story) -> None:
    """Act 5: preview, killed in the middle, restarted, finished; the wrong line still in the file."""
    story.tell.act(5, "UNDO", f"truce rollback {story.bad_batch}")
    with story.open() as installation:
        preview = story.order(
            installation, "preview-rollback", {"batches": [story.bad_batch]}, PEOPLE["anna"], "reading"
        )
        story.tell.line(
            f"plan: restore {number(preview['restore'])} · keep {preview['keep']} (newer human edits, by name) · "
            f"skip {preview['skip']} deleted"
        )
        for item in [each for each in preview["left"] if each["fate"].startswith("keep")][:2]:
            story.tell.line(f"  keep {clean(item['name'])}: “{clean(item['live'])}”")
    mark = story.practice.last_seq()
    killed_at = _killed_in_the_middle(story, mark, preview["restore"])
    resumed = _run_rollback(story)
    written = _writes_per_record(story, mark)
    twice = sum(1 for count in written.values() if count > 1)
    missing = preview["restore"] - len(written)
    story.tell.line(
        f"killed at {killed_at} … restarted … other {len(written) - killed_at} restored, "
        f"{twice or 'none'} written twice"
        + (f", {missing} NOT restored" if missing else "")
        + ("" if resumed == 0 else f" (exit {resumed})")
    )
    mark = story.practice.last_seq()
    with story.open() as installation:
        for _ in range(CYCLES_AFTER):
            story.order(installation, "cycle", {}, "truce", "cycle")
        verification = installation.ledger.verify()
    later = [line for line in story.practice.changes_since(mark) if line["cause"] == "api"]
    unaltered = "ledger unaltered" if verification.ok else f"LEDGER ALTERED: {verification.message}"
    story.tell.line(f"wrong line still in the file, three more cycles: {len(later)} writes · {unaltered}")


def replace_line(path: Path, field_name: str, new: str) -> tuple[str, str]:
    """Swap the line of a field in a policy file; returns (old line, new line)."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        if line.strip().startswith(f"{field_name}:"):
            lines[index] = new
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            return line, new
    raise TruceError(f"no line {field_name} in the demo's policy", where=str(path), next_step="truce demo")


def _sides(installation: Installation) -> dict[str, int]:
    people = installation.policies.policies.entity_types["person"]
    counts = {
        system: sum(installation.mirror.count(system, object_type) for object_type in types)
        for system, types in people.records.items()
    }
    paired = one_sided = 0
    entities = list(installation.crosswalk.entities("person"))
    for links in installation.crosswalk.members(entities).values():
        systems = {link.ref.system for link in links if link.role == "active" and link.state == "linked"}
        paired += len(systems) > 1
        one_sided += len(systems) == 1
    unclear = {ref for review in installation.reviews.list(kind="unclear") for ref in review.refs}
    return {**counts, "paired": paired, "one_sided": one_sided, "unclear": len(unclear)}


def _differences(plan: dict[str, Any]) -> list[tuple[str, int, str]]:
    """(field, how many differ, what Truce would do), most first."""
    asked: Counter[str] = Counter()
    for item in plan["left_alone"]:
        if item["disposition"] in ("ask", "refused"):
            asked[item["field"]] += item["count"]
    merged: dict[str, Counter[str]] = {}
    for line in plan["lines"]:
        said = merged.setdefault(line["field"], Counter())
        for meaning, count in line["meanings"].items():
            said[_would(meaning, line["system"])] += count
    for name, count in asked.items():
        merged.setdefault(name, Counter())["ask"] += count
    rows = [
        (
            name,
            sum(said.values()),
            " · ".join(f"{what} {number(count)}" for what, count in said.most_common()),
        )
        for name, said in merged.items()
    ]
    return sorted(rows, key=lambda row: -row[1])


def _would(meaning: str, target: str) -> str:
    winner = "Salesforce wins" if target == "hubspot" else "HubSpot wins"
    words = {
        "fill": "fill blanks",
        "different": winner,
        "spelling": "spelling",
        "stage": "move forward",
        "stage_back": "HOLD backward",
        "owner": "owner",
        "create": "create",
        "blank": "clear",
        "consent": "opt out there too",
    }
    return words.get(meaning, meaning)


def _stopped(story: Story, installation: Installation, plan: dict[str, Any]) -> str:
    """The batch in which the wrong line's changes wait; opt-outs that came up meanwhile are written beside it."""
    waited = {batch.id for batch in installation.ledger.batches(states=HELD)}
    with contextlib.suppress(ApprovalNeeded):
        story.order(installation, "apply", {"plan": plan["plan"], "confirm": None}, PEOPLE["ben"], "writing")
    held = [batch for batch in installation.ledger.batches(states=HELD) if batch.id not in waited]
    titles = {batch.id: _titles_in(installation, batch.id) for batch in held}
    for batch in sorted(held, key=lambda batch: -titles[batch.id]):
        if titles[batch.id]:
            story.tell.line(f"Stopped: {batch.hold_reason}.")
            return batch.id
    raise TruceError("the guard did not stop the wrong line; this demo found a defect", next_step="truce batches")


def _titles_in(installation: Installation, batch_id: str) -> int:
    entries = installation.ledger.entries(batch_id=batch_id)
    return sum(cell.field == FIELD for entry in entries for cell in entry.change.cells)


def _weekend(story: Story, installation: Installation) -> None:
    """People mend some titles by hand and delete a few records, in Salesforce itself."""
    entries = installation.ledger.entries(batch_id=story.bad_batch)
    most = len(entries) - math.ceil(len(entries) * LEFT_ALONE)
    deleted = min(DELETED_BY_HAND, most // 2)
    edited = min(EDITED_BY_HAND, most - deleted)
    for index, entry in enumerate(entries[: edited + deleted]):
        where = {
            "system": entry.change.system,
            "object": entry.change.object_type,
            "id": entry.change.record_id,
        }
        record_id = str(entry.change.record_id)
        if index < edited:
            title = f"{entry.change.cells[0].before or 'Manager'} (checked)"
            story.practice.tell("/edit", {**where, "values": {entry.change.cells[0].vendor_field: title}})
            story.edited[record_id] = title
        else:
            story.practice.tell("/delete", where)
            story.deleted.append(record_id)


def _killed_in_the_middle(story: Story, mark: int, restoring: int) -> int:
    """Start the undo as a process of its own and kill it outright when about half is restored."""
    with _rollback_process(story) as process:
        while process.poll() is None:
            if len(_writes_per_record(story, mark)) >= restoring * 0.45:
                process.kill()
                break
            time.sleep(0.02)
    return len(_writes_per_record(story, mark))


def _run_rollback(story: Story) -> int:
    with _rollback_process(story) as process:
        return process.wait()


@contextmanager
def _rollback_process(story: Story) -> Iterator[subprocess.Popen[bytes]]:
    """It does not outlive us, whatever happens here."""
    config = str(story.practice.folder / "config.yaml")
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "agent", "-c", config, "rollback", story.bad_batch, "--apply", "--json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()


def _writes_per_record(story: Story, mark: int) -> Counter[str]:
    return Counter(line["id"] for line in story.practice.changes_since(mark) if line["cause"] == "api")


def _email_of(installation: Installation, ref: Ref) -> str:
    record = installation.mirror.record(ref)
    email = record.fields.get("Email") if record else None
    return str(email or ref)


def _first_name(email: str) -> str:
    return email.partition("@")[0]
