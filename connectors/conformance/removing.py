"""Claims about what removes records: the way back from the bin, merges, and the full copy taken before."""

from __future__ import annotations

from agent.connector import FullCopy, Write
from agent.records import Gone, MergedInto, Record, Ref, Unreadable
from connectors.conformance.desk import Claims, Desk, Different, holds, raises, same

UNDELETING = Claims("docs/add-a-connector.md#undeleting")
MERGING = Claims("docs/add-a-connector.md#merging")
COPYING = Claims("docs/add-a-connector.md#copying")


def _back(desk: Desk, ref: Ref) -> Write:
    return Write(desk.entry(), "undelete", ref.object_type, ref.id, {})


def _merge(desk: Desk, survivor: Ref, *losers: Ref, **values: str) -> Write:
    fields = {getattr(desk.names, name): value for name, value in values.items()}
    ids = tuple(loser.id for loser in losers)
    return Write(desk.entry(), "merge", survivor.object_type, survivor.id, fields, losers=ids)


def _copy(desk: Desk, ref: Ref) -> FullCopy:
    copy = desk.connector.full_copy(ref)
    if not isinstance(copy, FullCopy):
        raise Different("the full copy of a record", "a copy", type(copy).__name__)
    return copy


@UNDELETING.claim("hands", "writing")
def what_was_deleted_comes_back_with_its_id_and_its_values(desk: Desk) -> None:
    ref = desk.made(1, title="CTO")
    desk.applied(desk.delete(ref))
    if not desk.connector.capabilities.undelete:
        with desk.nothing_changed():
            raises(ValueError, lambda: desk.connector.write([_back(desk, ref)]), "a way back that there is not")
        return
    same("the id it has then", desk.applied(_back(desk, ref)).record_id, ref.id)
    same("its value then", desk.value(ref, "title"), "CTO")


@UNDELETING.claim("hands", "writing")
def a_record_that_is_there_needs_no_way_back(desk: Desk) -> None:
    if not desk.connector.capabilities.undelete:
        return
    deleted, never = desk.made(1), desk.made(2)
    desk.hands.person_delete(deleted.id)
    for ref in (deleted, deleted, never):  # the second time as after a lost reply
        desk.applied(_back(desk, ref))


@UNDELETING.claim("hands", "writing")
def one_call_brings_back_many_and_tells_each(desk: Desk) -> None:
    if not desk.connector.capabilities.undelete:
        return
    refs = [desk.made(number) for number in range(5)]
    for ref in refs[1:]:
        desk.hands.person_delete(ref.id)
    writes = [_back(desk, ref) for ref in (desk.ref("../1"), *refs)]
    outcomes = desk.connector.write(writes)
    same("entries answered", [outcome.entry_id for outcome in outcomes], [write.entry_id for write in writes])
    same("what became of them", [outcome.status for outcome in outcomes], ["rejected"] + ["applied"] * 5)
    readouts = desk.connector.read(refs, [])
    same("what there is now", {type(readout) for readout in readouts}, {Record})


@MERGING.claim("hands", "writing")
def a_merge_leads_the_loser_to_the_survivor(desk: Desk) -> None:
    capabilities = desk.connector.capabilities
    same("a merge takes records", capabilities.merge_chunk > 0, capabilities.merge)
    can_merge = desk.connector.schema(desk.names.object_type).can_merge
    same("the schema allows what the capabilities allow", can_merge, capabilities.merge)
    survivor, loser = desk.made(1, title="CTO"), desk.made(2, title="CEO")
    if not capabilities.merge:
        return
    into = desk.ref(str(desk.applied(_merge(desk, survivor, loser)).record_id))
    [readout] = desk.connector.read([loser], [])
    same("where the loser leads", readout.survivor if isinstance(readout, MergedInto) else readout, into)
    same("the survivor's value", desk.value(into, "title"), "CTO")


@MERGING.claim("hands", "writing")
def a_merge_takes_as_many_as_the_capabilities_say_and_sets_values_if_they_do(desk: Desk) -> None:
    capabilities = desk.connector.capabilities
    if not capabilities.merge:
        return
    survivor, *losers = (desk.made(number) for number in range(1 + capabilities.merge_chunk))
    values = {"title": "CTO"} if capabilities.merge_sets_fields else {}
    desk.applied(_merge(desk, survivor, *losers, **values))
    same("what the losers are", {type(each) for each in desk.connector.read(losers, [])}, {MergedInto})
    if values:
        same("the value set by the merge", desk.value(survivor, "title"), "CTO")


@MERGING.claim("hands", "writing", "merges")
def a_merge_with_a_record_that_is_gone_is_rejected(desk: Desk) -> None:
    if not desk.connector.capabilities.merge:
        return
    survivor, deleted, loser, other = (desk.made(number) for number in range(4))
    desk.hands.person_delete(deleted.id)
    desk.hands.person_merge(other.id, loser.id)
    with desk.nothing_changed():
        for gone in (deleted, loser):
            same("a merge of it", desk.one(_merge(desk, survivor, gone)).status, "rejected")
            outcome = desk.one(_merge(desk, gone, survivor))
            kind = outcome.error.kind if outcome.error is not None else outcome.status
            holds("a merge into it is refused as gone or moved", kind in ("gone", "moved"), kind)


@MERGING.claim("hands", "writing")
def a_merge_of_what_is_no_id_is_rejected_unsent(desk: Desk) -> None:
    if not desk.connector.capabilities.merge:
        return
    ref = desk.made(1)
    with desk.nothing_changed():
        for survivor, loser in ((ref, desk.ref("../1")), (desk.ref("../1"), ref)):
            desk.refused(_merge(desk, survivor, loser), "validation")


@MERGING.claim("hands", "writing", "faults")
def a_lost_merge_is_unknown_and_a_read_tells(desk: Desk) -> None:
    if not desk.connector.capabilities.merge:
        return
    survivor, loser = desk.made(1), desk.made(2)
    desk.hands.fail("drop_after", "merge")
    same("what became of it", desk.one(_merge(desk, survivor, loser)).status, "unknown")
    [readout] = desk.connector.read([loser], [])
    holds("a read shows the merge", isinstance(readout, MergedInto), readout)


@MERGING.claim("hands", "writing")
def what_was_merged_away_comes_back_where_there_is_a_way_back(desk: Desk) -> None:
    capabilities = desk.connector.capabilities
    if not (capabilities.merge and capabilities.undelete):
        return
    survivor, loser = desk.made(1, title="CTO"), desk.made(2, title="CEO")
    desk.applied(_merge(desk, survivor, loser))
    desk.applied(_back(desk, loser))
    same("the values of both", (desk.value(survivor, "title"), desk.value(loser, "title")), ("CTO", "CEO"))


@COPYING.claim("hands")
def a_full_copy_holds_every_readable_field(desk: Desk) -> None:
    ref = desk.made(1, title="CTO")
    copy = _copy(desk, ref)
    same("the record copied", copy.record.ref, ref)
    fields = set(desk.connector.schema(ref.object_type).fields)
    same("fields that the copy lacks or has too many", set(copy.record.fields) ^ fields, set())
    same("a value in the copy", copy.record.fields[desk.names.title], "CTO")
    same("what could not be read", copy.unread, ())


@COPYING.claim("hands", "writing")
def a_full_copy_names_what_hangs_on_the_record(desk: Desk) -> None:
    parent_id = desk.hands.person_create(desk.names.parent_type, {desk.names.parent_name: "Engines"})
    plain = desk.create(1)
    parents = {"company": parent_id}
    write = Write(plain.entry_id, "create", plain.object_type, None, plain.fields, plain.key, parents=parents)
    child = desk.ref(str(desk.applied(write).record_id))
    copy = _copy(desk, Ref(desk.connector.system, desk.names.parent_type, parent_id))
    holds("the child is in the copy", child in [tie.ref for tie in copy.ties], copy.ties)
    holds("every tie says by what it hangs there", all(tie.by for tie in copy.ties), copy.ties)


@COPYING.claim("hands", "merges")
def there_is_no_copy_of_what_is_not_there(desk: Desk) -> None:
    deleted, survivor, loser = (desk.made(number) for number in range(3))
    desk.hands.person_delete(deleted.id)
    desk.hands.person_merge(survivor.id, loser.id)
    for ref, kind in ((deleted, Gone), (loser, MergedInto), (desk.ref("../1"), Unreadable)):
        same("what there is instead of a copy", type(desk.connector.full_copy(ref)), kind)
