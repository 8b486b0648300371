"""Claims about who is there, what there is, and reading by id or by key."""

from __future__ import annotations

from datetime import timedelta

from agent.connector import Window
from agent.errors import AccessDenied, NotFound, Unavailable
from agent.records import Gone, MergedInto, Record, Ref, Unreadable
from connectors.conformance.desk import Claims, Desk, holds, raises, same

WHO = Claims("docs/add-a-connector.md#who-and-when")
WHAT = Claims("docs/add-a-connector.md#schema-and-owners")
READING = Claims("docs/add-a-connector.md#reading-by-id")
FINDING = Claims("docs/add-a-connector.md#finding-by-key")

HOSTILE = ("' OR Id != '", "x'; --", "..", ".", "../x", "%", "*", "\\", "a\nb", '"', "ü@example.com")
NO_IDS = ("../Account/1", "//evil.example/x", "1?a=b", "", "x y", "٣٣")


@WHO.claim()
def identity_is_a_stable_account(desk: Desk) -> None:
    first, second = desk.connector.identity(), desk.connector.identity()
    same("asking twice who this is", second, first)
    same("the system of the account", first.system, desk.connector.system)
    holds("the account has an id", first.account_id, "nothing")


@WHO.claim("counting")
def identity_is_one_cheap_call_of_a_practice_account(desk: Desk) -> None:
    holds("this is no production account", not desk.connector.identity().is_production)
    before = desk.hands.requests()
    desk.connector.identity()
    holds("asking who this is takes one request", desk.hands.requests() - before <= 1)


@WHO.claim()
def now_is_utc_and_never_runs_backwards(desk: Desk) -> None:
    before, after = desk.connector.now(), desk.connector.now()
    same("the zone of the clock", before.utcoffset(), timedelta())
    holds("the clock does not run backwards", before <= after, f"{before} and then {after}")


@WHO.claim("time")
def now_is_the_vendors_clock(desk: Desk) -> None:
    before = desk.connector.now()
    desk.hands.advance(3600)
    passed = desk.connector.now() - before
    holds("an hour passes", timedelta(seconds=3599) <= passed <= timedelta(seconds=3601), passed)


@WHO.claim("rights")
def close_may_be_called_twice(desk: Desk) -> None:
    desk.connector.close()
    desk.connector.close()


@WHO.claim("hands", "rights")
def without_a_connection_every_call_says_unavailable(desk: Desk) -> None:
    ref = desk.made(1)
    unplugged = desk.hands.unplugged()
    window = Window(None, desk.connector.now())
    calls = {
        "identity": unplugged.identity,
        "now": unplugged.now,
        "owners": unplugged.owners,
        "schema": lambda: unplugged.schema(ref.object_type),
        "read": lambda: unplugged.read([ref], []),
        "find": lambda: unplugged.find(ref.object_type, desk.names.email, "a@example.com", []),
        "changed": lambda: list(unplugged.changed(ref.object_type, [], window)),
        "write": lambda: unplugged.write([desk.update(ref, title="x")]),
    }
    for name, call in calls.items():
        raises(Unavailable, call, f"{name} without a connection")


@WHO.claim("hands", "rights", "counting")
def a_refused_login_is_access_denied_and_nothing_is_written(desk: Desk) -> None:
    ref = desk.made(1)
    desk.connector.identity()
    desk.hands.lock_out()
    raises(AccessDenied, desk.connector.identity, "identity after being locked out")
    with desk.nothing_changed():
        raises(AccessDenied, lambda: desk.connector.write([desk.update(ref, title="x")]), "a write when locked out")


@WHAT.claim()
def the_schema_lists_what_the_capabilities_name(desk: Desk) -> None:
    schema, capabilities = desk.connector.schema(desk.names.object_type), desk.connector.capabilities
    same("whose schema it is", (schema.system, schema.object_type), (desk.connector.system, desk.names.object_type))
    named = set(capabilities.name_fields.get(schema.object_type, ()))
    named |= {place.field for place in capabilities.parent_fields.get(schema.object_type, {}).values()}
    named |= {name for kind, name in capabilities.clears_before_moving_back if kind == schema.object_type}
    named |= {desk.names.email, desk.names.first, desk.names.last, desk.names.title}
    same("fields that the schema lacks", named - set(schema.fields), set())
    same("fields under another name", [name for name, field in schema.fields.items() if field.name != name], [])


@WHAT.claim()
def a_link_key_is_unique_and_writable(desk: Desk) -> None:
    capabilities = desk.connector.capabilities
    same("unique keys where a link key is set up", capabilities.unique_keys, bool(capabilities.link_keys))
    same("a link key is set up", bool(capabilities.link_keys), desk.hands.has_key)
    for object_type, name in capabilities.link_keys.items():
        fields = desk.connector.schema(object_type).fields
        holds(f"{object_type} has the field {name}", name in fields)
        same(
            f"{name} is unique and can be given at a create",
            (fields[name].unique, fields[name].creatable),
            (True, True),
        )


@WHAT.claim()
def an_unknown_object_type_is_not_found(desk: Desk) -> None:
    for name in ("no_such_thing", "../contacts", ""):
        raises(NotFound, lambda name=name: desk.connector.schema(name), f"the schema of {name!r}")  # type: ignore[misc]


@WHAT.claim("hands", "rights", "lag")
def a_hidden_field_is_absent_everywhere_and_never_blank(desk: Desk) -> None:
    ref = desk.made(1, title="CTO")
    title = desk.names.title
    desk.hands.hide(title)
    holds("the schema hides it", title not in desk.connector.schema(desk.names.object_type).fields)
    holds("a read leaves it out", title not in desk.read(ref, "title", "email").fields)
    desk.settle_index()
    window = Window(None, desk.connector.now() + timedelta(seconds=1))
    for page in desk.connector.changed(desk.names.object_type, [desk.names.email, title], window):
        shown = [item.ref.id for item in page.items if isinstance(item, Record) and title in item.fields]
        same("pulled records that show it", shown, [])


@WHAT.claim()
def owners_have_ids_of_their_own_and_lower_case_addresses(desk: Desk) -> None:
    owners = desk.connector.owners()
    same("owners with one id", len({owner.id for owner in owners}), len(owners))
    same("owners of another system", [owner.id for owner in owners if owner.system != desk.connector.system], [])
    same(
        "addresses not in lower case",
        [each.id for each in owners if each.email and each.email != each.email.lower()],
        [],
    )


@WHAT.claim("rights")
def owners_who_left_are_listed_as_inactive(desk: Desk) -> None:
    same("kinds of owner", {owner.active for owner in desk.connector.owners()}, {True, False})


@READING.claim()
def read_answers_each_ref_in_order_even_twice(desk: Desk) -> None:
    refs = desk.hands.some(5)
    asked = [refs[3], refs[0], refs[3], refs[4]]
    same("the refs answered", [readout.ref for readout in desk.connector.read(asked, [desk.names.email])], asked)


@READING.claim()
def read_of_nothing_is_nothing(desk: Desk) -> None:
    same("reading nothing", desk.connector.read([], [desk.names.email]), [])


@READING.claim()
def only_what_was_asked_for_is_there_with_version_and_time(desk: Desk) -> None:
    (ref,) = desk.hands.some(1)
    record = desk.read(ref, "first", "title")
    same("the fields of the answer", set(record.fields), {desk.names.first, desk.names.title})
    holds("the record has a version", record.version, record.version)
    holds("it says when it was changed last", record.modified_at, record.modified_at)
    holds("it says when it was seen", record.seen_at, record.seen_at)


@READING.claim("hands")
def blank_reads_as_none(desk: Desk) -> None:
    ref = desk.made(1, first="Ada")
    same(
        "a filled and a blank field",
        dict(desk.read(ref, "first", "title").fields),
        {desk.names.first: "Ada", desk.names.title: None},
    )


@READING.claim("hands")
def read_tells_what_is_gone(desk: Desk) -> None:
    kept, deleted = desk.made(1), desk.made(2)
    desk.hands.person_delete(deleted.id)
    gone, there = desk.connector.read([deleted, kept], [desk.names.email])
    same("a deleted record", gone, Gone(deleted))
    holds("the other record is read", isinstance(there, Record), type(there).__name__)


@READING.claim("hands", "merges")
def read_tells_what_was_merged(desk: Desk) -> None:
    survivor, loser = desk.made(1), desk.made(2)
    into = desk.ref(desk.hands.person_merge(survivor.id, loser.id))
    (readout,) = desk.connector.read([loser], [desk.names.email])
    holds("a merged record says so", isinstance(readout, MergedInto), type(readout).__name__)
    same("into which", isinstance(readout, MergedInto) and (readout.ref, readout.survivor), (loser, into))


@READING.claim()
def an_invalid_id_is_unreadable(desk: Desk) -> None:
    readouts = desk.connector.read([desk.ref(record_id) for record_id in NO_IDS], [desk.names.email])
    same("what is said of them", {type(readout).__name__ for readout in readouts}, {Unreadable.__name__})
    same("the ids answered", [readout.ref.id for readout in readouts], list(NO_IDS))


@READING.claim("counting")
def an_invalid_id_is_never_sent(desk: Desk) -> None:
    desk.connector.identity()
    before = desk.hands.requests()
    desk.connector.read([desk.ref(record_id) for record_id in NO_IDS], [desk.names.email])
    same("requests made for them", desk.hands.requests() - before, 0)


@READING.claim()
def a_record_of_another_system_is_unreadable(desk: Desk) -> None:
    (own,) = desk.hands.some(1)
    (readout,) = desk.connector.read([Ref("elsewhere", own.object_type, own.id)], [])
    same("what is said of it", type(readout).__name__, Unreadable.__name__)


@READING.claim("hands", "writing")
def read_sees_a_write_at_once_whatever_the_index_does(desk: Desk) -> None:
    ref = desk.made(1)
    desk.applied(desk.update(ref, title="CTO"))
    same("the value just written", desk.value(ref, "title"), "CTO")


@READING.claim("hands")
def a_version_changes_with_every_change(desk: Desk) -> None:
    ref = desk.made(1)
    seen = [desk.read(ref).version]
    for title in ("CTO", "CEO"):
        desk.hands.advance(1)
        desk.hands.person_edit(ref.id, {desk.names.title: title})
        seen.append(desk.read(ref).version)
    same("different versions after two edits", len(set(seen)), 3)


@FINDING.claim("writing")
def find_by_a_unique_field_sees_a_write_at_once(desk: Desk) -> None:
    if not desk.hands.has_key:
        same("link keys", dict(desk.connector.capabilities.link_keys), {})
        return
    outcome = desk.applied(desk.create(1))
    found = desk.connector.find(desk.names.object_type, desk.names.key, desk.key(1), [desk.names.email])
    told = [(record.ref.id, dict(record.fields)) for record in found]
    same("what is found by its key", told, [(outcome.record_id, {desk.names.email: desk.address(1)})])


@FINDING.claim("hands", "lag")
def find_finds_only_the_living_with_that_value(desk: Desk) -> None:
    wanted, other, deleted = desk.made(1, title="CTO"), desk.made(2, title="CEO"), desk.made(3, title="CTO")
    desk.hands.person_delete(deleted.id)
    desk.settle_index()
    email, title = desk.names.email, desk.names.title
    found = desk.connector.find(desk.names.object_type, email, desk.address(1).title(), [title])
    same("what is found", [(record.ref, dict(record.fields)) for record in found], [(wanted, {title: "CTO"})])
    holds("the other is not among them", other not in [record.ref for record in found])
    same("the deleted one", desk.connector.find(desk.names.object_type, email, desk.address(3), []), [])


@FINDING.claim()
def find_treats_hostile_text_as_a_value(desk: Desk) -> None:
    for text in HOSTILE:
        same(f"what is found by {text!r}", desk.connector.find(desk.names.object_type, desk.names.email, text, []), [])


@FINDING.claim()
def find_by_a_field_that_is_no_name_is_not_found(desk: Desk) -> None:
    wrong = "Id = '1' OR Name"
    raises(NotFound, lambda: desk.connector.find(desk.names.object_type, wrong, "x", []), f"finding by {wrong!r}")
