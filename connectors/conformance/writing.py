"""Claims about writing: one outcome each, only what was asked, and nothing over somebody else's change."""

from __future__ import annotations

from agent.connector import Write
from agent.records import Gone, Record
from agent.versions import Landed
from connectors.conformance.desk import Claims, Desk, holds, raises, same

WRITING = Claims("docs/add-a-connector.md#writing")
CREATING = Claims("docs/add-a-connector.md#creating")


@WRITING.claim("hands", "writing")
def each_write_has_one_outcome_in_the_order_given(desk: Desk) -> None:
    refs = [desk.made(number) for number in range(30)]
    writes = [desk.update(ref, title=f"Title {number}") for number, ref in enumerate(refs)]
    writes.reverse()
    outcomes = desk.connector.write(writes)
    same("entries answered", [outcome.entry_id for outcome in outcomes], [write.entry_id for write in writes])
    same("records answered", [outcome.record_id for outcome in outcomes], [write.record_id for write in writes])
    same("what became of them", {outcome.status for outcome in outcomes}, {"applied"})
    same("the values now", [desk.value(ref, "title") for ref in refs], [f"Title {number}" for number in range(30)])


@WRITING.claim("hands", "writing")
def one_bad_write_does_not_touch_the_others(desk: Desk) -> None:
    refs = [desk.made(number) for number in range(5)]
    writes = [desk.update(ref, title="CTO") for ref in refs]
    writes[2] = Write("E-bad", "update", desk.names.object_type, refs[2].id, {"no_such_field": "x"})
    outcomes = desk.connector.write(writes)
    good = "applied"
    same("what became of them", [outcome.status for outcome in outcomes], [good, good, "rejected", good, good])
    error = outcomes[2].error
    told = (error.kind, error.fields) if error is not None else None
    same("why the bad one is refused", told, ("validation", ("no_such_field",)))
    same("the values now", [desk.value(ref, "title") for ref in refs], ["CTO", "CTO", None, "CTO", "CTO"])


@WRITING.claim("hands", "writing", "many", "counting")
def writing_is_one_request_for_a_whole_chunk(desk: Desk) -> None:
    refs = [desk.made(number) for number in range(100)]
    desk.connector.identity()
    before = desk.hands.requests()
    desk.connector.write([desk.update(ref, title="CTO") for ref in refs])
    same("requests for 100 writes", desk.hands.requests() - before, 1)


@WRITING.claim("hands", "writing")
def the_same_record_twice_in_one_call_is_written_in_order(desk: Desk) -> None:
    ref = desk.made(1)
    outcomes = desk.connector.write([desk.update(ref, title="CTO"), desk.update(ref, first="Ada")])
    same("what became of both", [outcome.status for outcome in outcomes], ["applied", "applied"])
    held = dict(desk.read(ref, "title", "first").fields)
    same("the values now", held, {desk.names.title: "CTO", desk.names.first: "Ada"})


@WRITING.claim("hands", "writing")
def none_clears_a_field(desk: Desk) -> None:
    ref = desk.made(1, title="CTO")
    desk.applied(desk.update(ref, title=None))
    same("the cleared field", desk.value(ref, "title"), None)


@WRITING.claim("hands", "writing")
def observed_is_what_the_vendor_holds_never_the_payload(desk: Desk) -> None:
    ref = desk.made(1)
    typed = f"X{desk.address(1)}".upper()
    outcome = desk.applied(desk.update(ref, email=typed, title="CTO"))
    held = dict(desk.read(ref, "email", "title").fields)
    same("an address in capitals, but for its case", str(held[desk.names.email]).lower(), typed.lower())
    expected = held if desk.connector.capabilities.echoes_writes else {}
    same("what the outcome says is held now", dict(outcome.observed), expected)


@WRITING.claim("hands", "writing")
def where_histories_are_kept_what_stood_before_each_of_two_writes_is_told(desk: Desk) -> None:
    ref = desk.made(1, title="CEO")
    landed = {}
    for title in ("CTO", "CFO"):
        desk.hands.advance(2)
        version = desk.applied(desk.update(ref, title=title)).version
        landed[title] = Landed(ref, desk.names.title, title, str(version))
    told = desk.connector.stood_before(landed.values())
    seen = {title: told[each].value if each in told else None for title, each in landed.items()}
    expected = {"CTO": "CEO", "CFO": "CTO"} if desk.connector.capabilities.history_chunk else {"CTO": None, "CFO": None}
    same("what stood before each", seen, expected)


@WRITING.claim("hands", "writing")
def an_echoed_version_is_the_one_a_read_gives(desk: Desk) -> None:
    ref = desk.made(1)
    desk.hands.advance(1)
    outcome = desk.applied(desk.update(ref, title="CTO"))
    expected = desk.read(ref).version if desk.connector.capabilities.echoes_writes else None
    same("the version of the outcome", outcome.version, expected)


@WRITING.claim("hands", "writing")
def a_stage_that_may_not_move_back_keeps_its_value_until_cleared(desk: Desk) -> None:
    ref = desk.made(1)
    schema = desk.connector.schema(ref.object_type)
    for object_type, name in desk.connector.capabilities.clears_before_moving_back:
        if object_type != ref.object_type:
            continue
        early, late = (choice.value for choice in schema.fields[name].choices[:2])
        held = []
        for value in (late, early, None, early):
            outcome = desk.applied(Write(desk.entry(), "update", ref.object_type, ref.id, {name: value}))
            (record,) = desk.connector.read([ref], [name])
            kept = record.fields[name] if isinstance(record, Record) else None
            held.append(kept)
            same("the stage that the outcome tells", outcome.observed.get(name), kept if outcome.observed else None)
        same(f"{name} set late, early, blank, early", held, [late, late, None, early])


@WRITING.claim("hands", "writing", "counting")
def a_moved_record_is_left_alone(desk: Desk) -> None:
    ref = desk.made(1)
    version = desk.read(ref).version
    desk.hands.advance(2)
    desk.hands.person_edit(ref.id, {desk.names.title: "CEO"})
    with desk.nothing_changed():
        desk.refused(desk.update(ref, version=version, title="CTO"), "moved")
        desk.refused(desk.delete(ref, version=version), "moved")
    desk.applied(desk.update(ref, version=desk.read(ref).version, title="CTO"))
    same("the value now", desk.value(ref, "title"), "CTO")


@WRITING.claim("hands", "writing")
def conditional_writes_go_through_while_nobody_interferes(desk: Desk) -> None:
    ref = desk.made(1)
    for title in ("a", "b", "c"):
        desk.hands.advance(2)
        desk.applied(desk.update(ref, version=desk.read(ref).version, title=title))
    desk.applied(desk.delete(ref, version=desk.read(ref).version))
    same("a read after the delete", desk.connector.read([ref], []), [Gone(ref)])


@WRITING.claim("hands", "writing", "counting")
def what_is_gone_stays_gone(desk: Desk) -> None:
    ref = desk.made(1)
    desk.applied(desk.delete(ref))
    with desk.nothing_changed():
        desk.refused(desk.update(ref, title="CTO"), "gone")
        desk.refused(desk.delete(ref), "gone")


@WRITING.claim("hands", "writing", "merges", "counting")
def a_merged_record_is_moved_and_its_survivor_untouched(desk: Desk) -> None:
    survivor, loser = desk.made(1), desk.made(2)
    into = desk.hands.person_merge(survivor.id, loser.id)
    with desk.nothing_changed():
        for write in (desk.update(loser, title="CTO"), desk.delete(loser)):
            outcome = desk.refused(write, "moved")
            same("the survivor it names", outcome.error and outcome.error.other_id, into)


@WRITING.claim("writing")
def an_invalid_id_is_rejected(desk: Desk) -> None:
    for record_id in ("../Account/1", "//evil.example/x", "", "x y"):
        desk.refused(desk.update(desk.ref(record_id), title="CTO"), "validation")
        desk.refused(desk.delete(desk.ref(record_id)), "validation")


@WRITING.claim("writing", "counting")
def an_invalid_id_is_never_written_to(desk: Desk) -> None:
    desk.connector.identity()
    before = desk.hands.requests()
    an_invalid_id_is_rejected(desk)
    same("requests made", desk.hands.requests() - before, 0)


@WRITING.claim("hands", "writing", "counting")
def mixed_or_oversized_calls_are_a_bug_of_the_caller(desk: Desk) -> None:
    ref = desk.made(1)
    limit = desk.connector.capabilities.write_chunk
    many = [desk.update(ref, title=str(number)) for number in range(limit + 1)]
    for writes in (many, [desk.update(ref, title="x"), desk.delete(ref)], [many[0], many[0]]):
        with desk.nothing_changed():
            raises(ValueError, lambda writes=writes: desk.connector.write(writes), "too many or mixed writes")  # type: ignore[misc]


@CREATING.claim("writing")
def a_create_returns_its_id_and_carries_its_key(desk: Desk) -> None:
    numbers = range(3) if desk.hands.has_key else range(1)
    outcomes = desk.connector.write([desk.create(number, title="CTO") for number in numbers])
    for number, outcome in zip(numbers, outcomes, strict=True):
        same("what became of it", outcome.status, "applied")
        record = desk.read(desk.ref(str(outcome.record_id)), "title", *(["key"] if desk.hands.has_key else []))
        same("a value of the new record", record.fields[desk.names.title], "CTO")
        same("its key", record.fields.get(desk.names.key), desk.key(number) if desk.hands.has_key else None)


@CREATING.claim("writing")
def a_create_repeated_with_its_key_is_answered_with_the_record_there_is(desk: Desk) -> None:
    if not desk.hands.has_key:
        same("unique keys without a link key", desk.connector.capabilities.unique_keys, False)
        return
    first, second = desk.applied(desk.create(1)), desk.applied(desk.create(1))
    same("the record of the second create", second.record_id, first.record_id)
    found = desk.connector.find(desk.names.object_type, desk.names.key, desk.key(1), [])
    same("records with this key", [record.ref.id for record in found], [first.record_id])


@CREATING.claim("writing", "faults")
def a_lost_create_is_found_again_by_its_key(desk: Desk) -> None:
    if not desk.hands.has_key:
        return
    desk.hands.fail("drop_after", "create")
    same("what is known of it", desk.one(desk.create(1)).status, "unknown")
    found = desk.connector.find(desk.names.object_type, desk.names.key, desk.key(1), [])
    same("records with its key", len(found), 1)


@CREATING.claim("hands", "writing")
def a_create_belongs_to_its_parent(desk: Desk) -> None:
    place = desk.connector.capabilities.parent_fields[desk.names.object_type]["company"]
    same("what a parent is", place.object_type, desk.names.parent_type)
    parent_id = desk.hands.person_create(place.object_type, {desk.names.parent_name: "Analytical Engines"})
    outcome = desk.applied(_with_parent(desk.create(1), parent_id))
    (record,) = desk.connector.read([desk.ref(str(outcome.record_id))], [place.field])
    same("the parent of the new record", isinstance(record, Record) and record.fields[place.field], parent_id)


@WRITING.claim("hands", "writing")
def a_record_comes_to_a_parent_moves_to_another_and_leaves(desk: Desk) -> None:
    field = desk.connector.capabilities.parent_fields[desk.names.object_type]["company"].field
    ref, companies = desk.made(1), [_company(desk, name) for name in ("Engines", "Looms")]
    for company in (*companies, None):
        desk.applied(Write(desk.entry(), "associate", ref.object_type, ref.id, {field: company}))
        (record,) = desk.connector.read([ref], [field])
        same("the parent afterwards", isinstance(record, Record) and record.fields[field], company)


@WRITING.claim("hands", "writing", "counting")
def a_parent_that_is_no_id_is_never_associated(desk: Desk) -> None:
    field = desk.connector.capabilities.parent_fields[desk.names.object_type]["company"].field
    ref = desk.made(1)
    with desk.nothing_changed():
        desk.refused(Write(desk.entry(), "associate", ref.object_type, ref.id, {field: "../1"}), "validation")


def _company(desk: Desk, name: str) -> str:
    return desk.hands.person_create(desk.names.parent_type, {desk.names.parent_name: name})


@CREATING.claim("writing", "counting")
def a_parent_that_is_no_id_is_rejected_unsent(desk: Desk) -> None:
    with desk.nothing_changed():
        outcome = desk.refused(_with_parent(desk.create(1), "../1"), "validation")
    holds("it says why", outcome.error)


def _with_parent(plain: Write, parent_id: str) -> Write:
    return Write(
        plain.entry_id, "create", plain.object_type, None, plain.fields, plain.key, parents={"company": parent_id}
    )
