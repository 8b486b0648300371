"""``truce why``: from the source change to the read-back, with the people and batches around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from agent.cli.display import clean, moment, print_json, say, say_zone
from agent.cli.session import json_option, session_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agent.mirror.mirror import Observed
    from agent.records import FieldValue
    from agent.reports.explain import Judged, Story, WrittenBy
    from agent.reports.spoken import Spoken


@click.command("why")
@click.argument("record", metavar="RECORD")
@click.argument("field", required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, record: str, field: str | None, as_json: bool) -> None:
    """Why FIELD of RECORD (reference, id, e-mail, domain or name) has its value; without FIELD, all fields."""
    from agent.reports import explain
    from agent.reports.spoken import Spoken

    with session_of(ctx).reading() as installation:
        stories = explain.why(installation, record, field)
        if as_json:
            print_json({"record": record, "fields": [_document(story) for story in stories]})
            return
        first = stories[0]
        say(f"{clean(first.name)}  {' · '.join(str(ref) for ref in first.refs)}")
        for story in stories:
            show(story, Spoken(installation), installation.zone, detailed=field is not None)
        if any(story.writes or story.freezes or (field and story.seen) for story in stories):
            say_zone(installation.zone)


def show(story: Story, spoken: Spoken, zone: ZoneInfo, *, detailed: bool) -> None:
    """One field's story; ``detailed``: every write, and all that was seen in the CRMs."""

    def said(system: str, value: FieldValue) -> str:
        return f"“{clean(spoken.value(system, story.field, value))}”"

    now = " · ".join(f"{system} {said(system, value)}" for system, value in sorted(story.now.items()))
    say(f"{story.field}: {now}", hanging=2)
    for written in story.writes if detailed else story.writes[:1]:
        _show_write(written, said, zone)
    if detailed:
        for ref, observed in story.seen:
            value = said(ref.system, observed.value) if observed.is_known else _why_unknown(observed)
            say(f"  seen     {moment(observed.first_seen, zone)}  {ref.system}  {value}", hanging=11)
    for step in story.decision:
        place = f" ({step.line})" if step.line else ""
        say(f"  today    {step.disposition}: {step.sentence}{place}", hanging=11)
    for judged in story.judged:
        say(f"  guard    {judged.system}: {_guard_says(judged)}", hanging=11)
    for freeze in story.freezes:
        say(f"  frozen   {freeze.system}, since {moment(freeze.made_at, zone)}: {freeze.reason}", hanging=11)
    for question in story.questions if detailed else ():
        say(f"  asked    {question.id}: {question.sentence}", hanging=11)


def _why_unknown(observed: Observed) -> str:
    return "value erased" if observed.erased else "not read by Truce"


def _guard_says(judged: Judged) -> str:
    words = {"allow": "written with the next cycle", "hold": "waits for a person", "refuse": "not written"}
    said = words[judged.verdict.decision]
    return f"{said}: {judged.verdict.sentence}" if judged.verdict.sentence else said


_DONE = {"rollback": "undone", "plan": "applied", "consent": "asked for"}


def _show_write(written: WrittenBy, said: Callable[[str, FieldValue], str], zone: ZoneInfo) -> None:
    batch, system = written.batch, written.entry.change.system
    people = f", edited by {written.editor}"
    if written.approved_by:
        people += f", approved by {', '.join(written.approved_by)}"
    elif batch.kind != "cycle":
        people += f", {_DONE[batch.kind]} by {batch.actor}"
    values = (
        f"{said(system, written.before)} → {said(system, written.after)}" if not written.entry.erased else "(erased)"
    )
    at = moment(written.entry.recorded_at, zone)
    say(
        f"  {at}  {values} ← {batch.id} ← {written.line or written.policy}{people}",
        hanging=11,
    )
    say(f"           {written.sentence}; {_outcome(written, said(system, written.observed))}", hanging=11)


def _outcome(written: WrittenBy, observed: str) -> str:
    """What became of it; ``observed`` is what was read back."""
    from agent.changes import State

    entry, batch = written.entry, written.batch
    if entry.erased:
        return entry.state.value
    if entry.state is State.CONFIRMED:
        return f"confirmed, read back {observed}"
    if entry.state is State.HELD:
        return f"waits in {batch.id}: {batch.hold_reason}"
    return f"not written, {entry.state.value}: {entry.error}" if entry.error else entry.state.value


def _document(story: Story) -> dict[str, Any]:
    return {
        "entity": story.entity_id,
        "name": story.name,
        "field": story.field,
        "records": [str(ref) for ref in story.refs],
        "now": story.now,
        "writes": [
            {
                "entry": written.entry.id,
                "batch": written.batch.id,
                "at": written.entry.recorded_at.isoformat(),
                "before": written.before,
                "after": written.after,
                "observed": written.observed,
                "state": written.entry.state.value,
                "because": written.sentence,
                "line": written.line,
                "policy": written.policy,
                "editor": written.editor,
                "approved_by": list(written.approved_by),
                "waits": written.batch.hold_reason if written.entry.state.value == "held" else None,
                "error": written.entry.error,
            }
            for written in story.writes
        ],
        "today": [
            {"disposition": step.disposition, "because": step.sentence, "line": step.line} for step in story.decision
        ],
        "guard": [
            {"system": each.system, "decision": each.verdict.decision, "because": each.verdict.sentence}
            for each in story.judged
        ],
        "frozen": [{"system": each.system, "kind": each.kind, "because": each.reason} for each in story.freezes],
        "questions": [{"review": each.id, "question": each.sentence} for each in story.questions],
    }
