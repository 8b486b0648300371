"""The one conformance suite: every sentence of the port as a claim that any connector must keep.

A ``Stage`` gives the suite one kind of record in one system, hands to play people with, and faults. The claims know
no vendor; where the port leaves a choice they ask ``capabilities``.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

import pytest

from agent.connector import Connector, Op, Page, Window, Write, WriteOutcome
from agent.errors import AccessDenied, BadReply, ConnectorError, NotFound, Unavailable
from agent.records import FieldValue, Gone, MergedInto, Pulled, Record, Ref, Tombstone, Unreadable

Values = Mapping[str, FieldValue]
Fault = Literal["drop_before", "drop_after", "unavailable", "throttled", "html"]


@dataclass(frozen=True, slots=True)
class Names:
    """Vendor names of the parts every system has: text the suite may set freely, a choice, a parent."""

    object_type: str
    email: str
    first: str
    last: str
    title: str
    key: str
    parent_type: str
    parent_name: str


class Stage(Protocol):
    """One system set up for one test."""

    connector: Connector
    names: Names
    has_key: bool
    secrets: Sequence[str]

    def person_create(self, object_type: str, values: Values) -> str: ...
    def person_edit(self, record_id: str, values: Values) -> None: ...
    def person_delete(self, record_id: str) -> None: ...
    def person_merge(self, survivor_id: str, loser_id: str) -> str: ...
    def hide(self, field: str) -> None: ...
    def advance(self, seconds: float) -> None: ...
    def fail(self, fault: Fault, op: Op | Literal["read"], *, nth: int = 1) -> None: ...
    def requests(self) -> int: ...
    def api_changes(self) -> list[tuple[str, str]]: ...
    def lock_out(self) -> None: ...
    def unplugged(self) -> Connector: ...


class Desk:
    """Short words for what every claim does with its stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.connector = stage.connector
        self.names = stage.names
        self._entries = 0

    def person(self, number: int, **more: FieldValue) -> dict[str, FieldValue]:
        """Values of the ``number``-th made-up person; ``more`` by the suite's own names."""
        names = self.names
        plain: dict[str, FieldValue] = {"email": f"p{number}@example.com", "last": f"Person {number}", **more}
        return {getattr(names, name): value for name, value in plain.items()}

    def made(self, number: int, **more: FieldValue) -> Ref:
        """A record that a person made."""
        record_id = self.stage.person_create(self.names.object_type, self.person(number, **more))
        return self.ref(record_id)

    def ref(self, record_id: str) -> Ref:
        return Ref(self.connector.system, self.names.object_type, record_id)

    def update(self, ref: Ref, *, version: str | None = None, **values: FieldValue) -> Write:
        fields = {getattr(self.names, name): value for name, value in values.items()}
        return Write(self.entry(), "update", ref.object_type, ref.id, fields, expects_version=version)

    def delete(self, ref: Ref, *, version: str | None = None) -> Write:
        return Write(self.entry(), "delete", ref.object_type, ref.id, {}, expects_version=version)

    def create(self, number: int, *, key: str | None = None, **more: FieldValue) -> Write:
        pair = (self.names.key, key) if key is not None and self.stage.has_key else None
        return Write(self.entry(), "create", self.names.object_type, None, self.person(number, **more), pair)

    def entry(self) -> str:
        self._entries += 1
        return f"E-{self._entries}"

    def read(self, ref: Ref, *fields: str) -> Record:
        (found,) = self.connector.read([ref], [getattr(self.names, name) for name in fields])
        assert isinstance(found, Record), found
        return found

    def value(self, ref: Ref, field: str) -> FieldValue:
        return self.read(ref, field).fields[getattr(self.names, field)]

    def one(self, write: Write) -> WriteOutcome:
        (outcome,) = self.connector.write([write])
        return outcome

    def pull(self, since_seconds_ago: float | None = 3600.0, **more: Any) -> list[Pulled]:
        return [item for page in self.pages(since_seconds_ago, **more) for item in page.items]

    def pages(self, since_seconds_ago: float | None = 3600.0, **more: Any) -> Iterator[Page]:
        until = self.connector.now() + timedelta(seconds=1)
        since = None if since_seconds_ago is None else until - timedelta(seconds=since_seconds_ago)
        window = Window(since, until)
        return self.connector.changed(self.names.object_type, [self.names.email], window, **more)

    def settle_index(self) -> None:
        """Let the index that ``changed`` and ``find`` may use catch up."""
        self.stage.advance(self.connector.capabilities.index_lag_seconds + 1)


@contextmanager
def nothing_changed(stage: Stage) -> Iterator[None]:
    before = stage.api_changes()
    yield
    assert stage.api_changes() == before


def live_ids(items: Sequence[Pulled]) -> list[str]:
    return [item.ref.id for item in items if isinstance(item, Record)]


def error_kind(outcome: WriteOutcome) -> str | None:
    assert outcome.status == "rejected", outcome
    return outcome.error.kind if outcome.error else None


class Conformance:
    """Subclass it and provide the fixture ``stage``."""

    @pytest.fixture
    def desk(self, stage: Stage) -> Desk:
        return Desk(stage)

    # Who and when ------------------------------------------------------------------------------------------------

    def test_identity_is_one_cheap_call_with_a_stable_account(self, desk: Desk) -> None:
        first = desk.connector.identity()
        before = desk.stage.requests()
        second = desk.connector.identity()
        assert desk.stage.requests() - before <= 1
        assert first == second
        assert first.system == desk.connector.system
        assert first.account_id
        assert not first.is_production

    def test_now_is_the_vendors_clock(self, desk: Desk) -> None:
        before = desk.connector.now()
        desk.stage.advance(3600)
        assert timedelta(seconds=3599) <= desk.connector.now() - before <= timedelta(seconds=3601)
        assert before.utcoffset() == timedelta()

    def test_close_may_be_called_twice(self, desk: Desk) -> None:
        desk.connector.close()
        desk.connector.close()

    def test_without_a_connection_every_call_says_unavailable(self, desk: Desk) -> None:
        ref = desk.made(1)
        unplugged = desk.stage.unplugged()
        window = Window(None, desk.connector.now())
        calls = [
            unplugged.identity,
            unplugged.now,
            unplugged.owners,
            lambda: unplugged.schema(ref.object_type),
            lambda: unplugged.read([ref], []),
            lambda: unplugged.find(ref.object_type, desk.names.email, "a@example.com", []),
            lambda: list(unplugged.changed(ref.object_type, [], window)),
            lambda: unplugged.write([desk.update(ref, title="x")]),
        ]
        for call in calls:
            with pytest.raises(Unavailable):
                call()

    def test_a_refused_login_is_access_denied_and_nothing_is_written(self, desk: Desk) -> None:
        ref = desk.made(1)
        desk.connector.identity()
        desk.stage.lock_out()
        with pytest.raises(AccessDenied):
            desk.connector.identity()
        with nothing_changed(desk.stage), pytest.raises(AccessDenied):
            desk.connector.write([desk.update(ref, title="x")])

    # Schema and owners -------------------------------------------------------------------------------------------

    def test_the_schema_lists_what_the_capabilities_name(self, desk: Desk) -> None:
        schema = desk.connector.schema(desk.names.object_type)
        capabilities = desk.connector.capabilities
        assert (schema.system, schema.object_type) == (desk.connector.system, desk.names.object_type)
        named = set(capabilities.name_fields.get(schema.object_type, ()))
        named |= {place.field for place in capabilities.parent_fields.get(schema.object_type, {}).values()}
        named |= {name for kind, name in capabilities.clears_before_moving_back if kind == schema.object_type}
        named |= {desk.names.email, desk.names.first, desk.names.last, desk.names.title}
        assert named <= set(schema.fields)
        assert all(field.name == name for name, field in schema.fields.items())

    def test_a_link_key_is_unique_and_writable(self, desk: Desk) -> None:
        capabilities = desk.connector.capabilities
        assert capabilities.unique_keys == bool(capabilities.link_keys) == desk.stage.has_key
        for object_type, name in capabilities.link_keys.items():
            field = desk.connector.schema(object_type).fields[name]
            assert (field.unique, field.creatable) == (True, True)

    def test_an_unknown_object_type_is_not_found(self, desk: Desk) -> None:
        for name in ("no_such_thing", "../contacts", ""):
            with pytest.raises(NotFound):
                desk.connector.schema(name)

    def test_a_hidden_field_is_absent_everywhere_and_never_blank(self, desk: Desk) -> None:
        ref = desk.made(1, title="CTO")
        desk.stage.hide(desk.names.title)
        assert desk.names.title not in desk.connector.schema(desk.names.object_type).fields
        assert desk.names.title not in desk.read(ref, "title", "email").fields
        desk.settle_index()
        fields = [desk.names.email, desk.names.title]
        window = Window(None, desk.connector.now() + timedelta(seconds=1))
        for page in desk.connector.changed(desk.names.object_type, fields, window):
            for item in page.items:
                assert not isinstance(item, Record) or desk.names.title not in item.fields

    def test_owners_have_ids_and_lower_case_addresses_and_some_are_inactive(self, desk: Desk) -> None:
        owners = desk.connector.owners()
        assert {owner.active for owner in owners} == {True, False}
        assert len({owner.id for owner in owners}) == len(owners)
        for owner in owners:
            assert owner.system == desk.connector.system
            assert owner.email is None or owner.email == owner.email.lower()

    # Reading by id -----------------------------------------------------------------------------------------------

    def test_read_answers_each_ref_in_order_even_twice(self, desk: Desk) -> None:
        refs = [desk.made(number) for number in range(5)]
        asked = [refs[3], refs[0], refs[3], refs[4]]
        assert [readout.ref for readout in desk.connector.read(asked, [desk.names.email])] == asked

    def test_read_of_nothing_is_nothing(self, desk: Desk) -> None:
        assert desk.connector.read([], [desk.names.email]) == []

    def test_read_tells_gone_from_merged(self, desk: Desk) -> None:
        kept, deleted, survivor, loser = (desk.made(number) for number in range(4))
        desk.stage.person_delete(deleted.id)
        into = desk.ref(desk.stage.person_merge(survivor.id, loser.id))
        readouts = desk.connector.read([deleted, loser, kept], [desk.names.email])
        assert readouts[0] == Gone(deleted)
        assert isinstance(readouts[1], MergedInto)
        assert (readouts[1].ref, readouts[1].survivor) == (loser, into)
        assert isinstance(readouts[2], Record)

    def test_an_invalid_id_is_unreadable_and_never_sent(self, desk: Desk) -> None:
        desk.connector.identity()
        bad = ["../Account/1", "//evil.example/x", "1?a=b", "", "x y", "٣٣"]
        before = desk.stage.requests()
        readouts = desk.connector.read([desk.ref(record_id) for record_id in bad], [desk.names.email])
        assert all(isinstance(readout, Unreadable) for readout in readouts)
        assert [readout.ref.id for readout in readouts] == bad
        assert desk.stage.requests() == before

    def test_a_record_of_another_system_is_unreadable(self, desk: Desk) -> None:
        ref = Ref("elsewhere", desk.names.object_type, desk.made(1).id)
        assert isinstance(desk.connector.read([ref], [])[0], Unreadable)

    def test_read_sees_a_write_at_once_whatever_the_index_does(self, desk: Desk) -> None:
        ref = desk.made(1)
        assert desk.one(desk.update(ref, title="CTO")).status == "applied"
        assert desk.value(ref, "title") == "CTO"

    def test_blank_reads_as_none_and_only_asked_fields_are_there(self, desk: Desk) -> None:
        ref = desk.made(1, first="Ada")
        record = desk.read(ref, "first", "title")
        assert dict(record.fields) == {desk.names.first: "Ada", desk.names.title: None}
        assert record.version
        assert record.modified_at is not None
        assert record.seen_at is not None

    def test_a_version_changes_with_every_change(self, desk: Desk) -> None:
        ref = desk.made(1)
        seen = [desk.read(ref).version]
        for title in ("CTO", "CEO"):
            desk.stage.advance(1)
            desk.stage.person_edit(ref.id, {desk.names.title: title})
            seen.append(desk.read(ref).version)
        assert len(set(seen)) == 3

    # Finding by key ----------------------------------------------------------------------------------------------

    def test_find_by_a_unique_field_sees_a_write_at_once(self, desk: Desk) -> None:
        if not desk.stage.has_key:
            assert desk.connector.capabilities.link_keys == {}
            return
        outcome = desk.one(desk.create(1, key="person-1-1"))
        (found,) = desk.connector.find(desk.names.object_type, desk.names.key, "person-1-1", [desk.names.email])
        assert found.ref.id == outcome.record_id
        assert found.fields == {desk.names.email: "p1@example.com"}

    def test_find_finds_only_the_living_with_that_value(self, desk: Desk) -> None:
        wanted, other, deleted = desk.made(1, title="CTO"), desk.made(2, title="CEO"), desk.made(3, title="CTO")
        desk.stage.person_delete(deleted.id)
        desk.settle_index()
        found = desk.connector.find(desk.names.object_type, desk.names.email, "P1@Example.com", [desk.names.title])
        assert [(record.ref, record.fields) for record in found] == [(wanted, {desk.names.title: "CTO"})]
        assert other not in [record.ref for record in found]
        assert desk.connector.find(desk.names.object_type, desk.names.email, "p3@example.com", []) == []

    def test_find_treats_hostile_text_as_a_value(self, desk: Desk) -> None:
        desk.made(1)
        for text in ("' OR Id != '", "x'; --", "..", ".", "../x", "%", "*", "\\", "a\nb", '"', "ü@example.com"):
            assert desk.connector.find(desk.names.object_type, desk.names.email, text, []) == []

    def test_find_by_a_field_that_is_no_name_is_not_found(self, desk: Desk) -> None:
        with pytest.raises(NotFound):
            desk.connector.find(desk.names.object_type, "Id = '1' OR Name", "x", [])

    # Changed records ---------------------------------------------------------------------------------------------

    def test_changed_brings_what_changed_in_the_window_and_nothing_else(self, desk: Desk) -> None:
        early, edited = desk.made(1), desk.made(2)
        desk.stage.advance(7200)
        late = desk.made(3)
        desk.stage.person_edit(edited.id, {desk.names.title: "CTO"})
        desk.settle_index()
        found = live_ids(desk.pull())
        assert set(found) >= {late.id, edited.id}
        assert early.id not in found

    def test_an_empty_window_brings_nothing(self, desk: Desk) -> None:
        desk.made(1)
        desk.stage.advance(7200)
        assert live_ids(desk.pull(60.0)) == []

    def test_the_window_includes_its_beginning_and_excludes_its_end(self, desk: Desk) -> None:
        ref = desk.made(1)
        stamp = desk.read(ref).modified_at
        assert stamp is not None
        desk.settle_index()
        instant = timedelta(milliseconds=1)
        hour = timedelta(hours=1)
        for window, expected in [
            (Window(stamp, stamp + hour), [ref.id]),
            (Window(stamp - hour, stamp + instant), [ref.id]),
            (Window(stamp - hour, stamp), []),
            (Window(stamp + instant, stamp + hour), []),
            (Window(stamp, stamp), []),
        ]:
            pages = list(desk.connector.changed(desk.names.object_type, [], window))
            assert [item.ref.id for page in pages for item in page.items] == expected, window

    def test_no_record_is_lost_among_many_with_one_stamp(self, desk: Desk) -> None:
        refs = [desk.made(number) for number in range(450)]
        desk.settle_index()
        assert sorted(set(live_ids(desk.pull()))) == sorted(ref.id for ref in refs)
        assert sorted(set(live_ids(desk.pull(None)))) == sorted(ref.id for ref in refs)

    def test_a_full_load_brings_everything_however_old(self, desk: Desk) -> None:
        old = desk.made(1)
        desk.stage.advance(400 * 86_400)
        new = desk.made(2)
        desk.settle_index()
        assert {old.id, new.id} <= set(live_ids(desk.pull(None)))

    def test_a_full_load_brings_even_what_is_known(self, desk: Desk) -> None:
        ref = desk.made(1)
        desk.settle_index()
        assert ref.id in live_ids(desk.pull(None, is_known=lambda record_id, version: True))

    def test_what_is_known_in_this_version_may_be_left_out_and_nothing_else(self, desk: Desk) -> None:
        known, moved = desk.made(1), desk.made(2)
        versions = {ref.id: desk.read(ref).version for ref in (known, moved)}
        desk.stage.advance(1)
        desk.stage.person_edit(moved.id, {desk.names.title: "CTO"})
        desk.settle_index()
        asked: set[tuple[str, str]] = set()

        def is_known(record_id: str, version: str) -> bool:
            asked.add((record_id, version))
            return versions[record_id] == version

        assert moved.id in live_ids(desk.pull(is_known=is_known))
        assert (moved.id, str(versions[moved.id])) not in asked

    def test_changed_values_are_those_a_read_gives(self, desk: Desk) -> None:
        ref = desk.made(1)
        desk.settle_index()
        (pulled,) = [item for item in desk.pull() if isinstance(item, Record)]
        read = desk.read(ref, "email")
        assert (pulled.fields, pulled.version, pulled.modified_at) == (read.fields, read.version, read.modified_at)

    def test_a_merge_is_told(self, desk: Desk) -> None:
        survivor, loser = desk.made(1), desk.made(2)
        desk.stage.advance(7200)
        into = desk.ref(desk.stage.person_merge(survivor.id, loser.id))
        desk.settle_index()
        found = desk.pull()
        told = {(item.ref.id, item.survivor) for item in found if isinstance(item, MergedInto)}
        assert (loser.id, into) in told
        assert loser.id not in live_ids(found)

    def test_a_deletion_is_told_or_the_capabilities_say_that_it_is_not(self, desk: Desk) -> None:
        kept, deleted = desk.made(1), desk.made(2)
        desk.stage.advance(7200)
        desk.stage.person_delete(deleted.id)
        desk.settle_index()
        found = desk.pull()
        tombstones = [item.ref for item in found if isinstance(item, Tombstone)]
        assert tombstones == ([deleted] if desk.connector.capabilities.sees_deletions else [])
        assert deleted.id not in live_ids(desk.pull(None))
        assert deleted in [item.ref for item in desk.pull(None) if isinstance(item, Tombstone)]
        assert desk.connector.read([deleted, kept], [])[0] == Gone(deleted)

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "unavailable", "throttled", "html"])
    @pytest.mark.parametrize("since", [3600.0, None], ids=["window", "full"])
    def test_a_pull_that_fails_anywhere_ends_in_an_exception(
        self, desk: Desk, fault: Fault, since: float | None
    ) -> None:
        for number in range(120):
            desk.made(number)
        desk.settle_index()
        before = desk.stage.requests()
        whole = len(live_ids(desk.pull(since)))
        assert whole == 120
        for nth in range(1, desk.stage.requests() - before):
            pages = desk.pages(since)
            desk.stage.fail(fault, "read", nth=nth)
            with pytest.raises((Unavailable, BadReply)):
                list(pages)

    # Writing -----------------------------------------------------------------------------------------------------

    def test_each_write_has_one_outcome_in_the_order_given(self, desk: Desk) -> None:
        refs = [desk.made(number) for number in range(30)]
        writes = [desk.update(ref, title=f"Title {number}") for number, ref in enumerate(refs)]
        writes.reverse()
        outcomes = desk.connector.write(writes)
        assert [outcome.entry_id for outcome in outcomes] == [write.entry_id for write in writes]
        assert [outcome.record_id for outcome in outcomes] == [write.record_id for write in writes]
        assert {outcome.status for outcome in outcomes} == {"applied"}
        assert [desk.value(ref, "title") for ref in refs] == [f"Title {number}" for number in range(30)]

    def test_one_bad_write_does_not_touch_the_others(self, desk: Desk) -> None:
        refs = [desk.made(number) for number in range(5)]
        writes = [desk.update(ref, title="CTO") for ref in refs]
        writes[2] = Write("E-bad", "update", desk.names.object_type, refs[2].id, {"no_such_field": "x"})
        outcomes = desk.connector.write(writes)
        assert [outcome.status for outcome in outcomes] == ["applied", "applied", "rejected", "applied", "applied"]
        assert error_kind(outcomes[2]) == "validation"
        assert outcomes[2].error is not None
        assert outcomes[2].error.fields == ("no_such_field",)
        assert [desk.value(ref, "title") for ref in refs] == ["CTO", "CTO", None, "CTO", "CTO"]

    def test_writing_is_one_request_for_a_whole_chunk(self, desk: Desk) -> None:
        refs = [desk.made(number) for number in range(100)]
        desk.connector.identity()
        before = desk.stage.requests()
        desk.connector.write([desk.update(ref, title="CTO") for ref in refs])
        assert desk.stage.requests() - before == 1

    def test_the_same_record_twice_in_one_call_is_written_in_order(self, desk: Desk) -> None:
        ref = desk.made(1)
        outcomes = desk.connector.write([desk.update(ref, title="CTO"), desk.update(ref, first="Ada")])
        assert [outcome.status for outcome in outcomes] == ["applied", "applied"]
        assert dict(desk.read(ref, "title", "first").fields) == {desk.names.title: "CTO", desk.names.first: "Ada"}

    def test_none_clears_a_field(self, desk: Desk) -> None:
        ref = desk.made(1, title="CTO")
        assert desk.one(desk.update(ref, title=None)).status == "applied"
        assert desk.value(ref, "title") is None

    def test_observed_is_what_the_vendor_holds_never_the_payload(self, desk: Desk) -> None:
        ref = desk.made(1)
        outcome = desk.one(desk.update(ref, email="ADA@Example.COM", title="CTO"))
        assert outcome.status == "applied"
        held = desk.read(ref, "email", "title").fields
        assert held[desk.names.email] == "ada@example.com"
        assert dict(outcome.observed) == (dict(held) if desk.connector.capabilities.echoes_writes else {})

    def test_an_echoed_version_is_the_one_a_read_gives(self, desk: Desk) -> None:
        ref = desk.made(1)
        desk.stage.advance(1)
        outcome = desk.one(desk.update(ref, title="CTO"))
        assert outcome.version in (None, desk.read(ref).version)
        assert (outcome.version is not None) == desk.connector.capabilities.echoes_writes

    def test_a_stage_that_may_not_move_back_keeps_its_value_until_cleared(self, desk: Desk) -> None:
        ref = desk.made(1)
        schema = desk.connector.schema(ref.object_type)
        for object_type, name in desk.connector.capabilities.clears_before_moving_back:
            if object_type != ref.object_type:
                continue
            early, late = (choice.value for choice in schema.fields[name].choices[:2])
            held = []
            for value in (late, early, None, early):
                outcome = desk.one(Write(desk.entry(), "update", ref.object_type, ref.id, {name: value}))
                assert outcome.status == "applied"
                (record,) = desk.connector.read([ref], [name])
                assert isinstance(record, Record)
                held.append(record.fields[name])
                assert outcome.observed.get(name) == (record.fields[name] if outcome.observed else None)
            assert held == [late, late, None, early]

    def test_a_moved_record_is_left_alone(self, desk: Desk) -> None:
        ref = desk.made(1)
        version = desk.read(ref).version
        desk.stage.advance(2)
        desk.stage.person_edit(ref.id, {desk.names.title: "CEO"})
        with nothing_changed(desk.stage):
            assert error_kind(desk.one(desk.update(ref, version=version, title="CTO"))) == "moved"
            assert error_kind(desk.one(desk.delete(ref, version=version))) == "moved"
        assert desk.one(desk.update(ref, version=desk.read(ref).version, title="CTO")).status == "applied"
        assert desk.value(ref, "title") == "CTO"

    def test_conditional_writes_go_through_while_nobody_interferes(self, desk: Desk) -> None:
        ref = desk.made(1)
        for title in ("a", "b", "c"):
            desk.stage.advance(2)
            assert desk.one(desk.update(ref, version=desk.read(ref).version, title=title)).status == "applied"
        assert desk.one(desk.delete(ref, version=desk.read(ref).version)).status == "applied"
        assert desk.connector.read([ref], []) == [Gone(ref)]

    def test_what_is_gone_stays_gone(self, desk: Desk) -> None:
        ref = desk.made(1)
        assert desk.one(desk.delete(ref)).status == "applied"
        with nothing_changed(desk.stage):
            assert error_kind(desk.one(desk.update(ref, title="CTO"))) == "gone"
            assert error_kind(desk.one(desk.delete(ref))) == "gone"

    def test_a_merged_record_is_moved_and_its_survivor_untouched(self, desk: Desk) -> None:
        survivor, loser = desk.made(1), desk.made(2)
        into = desk.stage.person_merge(survivor.id, loser.id)
        with nothing_changed(desk.stage):
            for write in (desk.update(loser, title="CTO"), desk.delete(loser)):
                outcome = desk.one(write)
                assert error_kind(outcome) == "moved"
                assert outcome.error is not None
                assert outcome.error.other_id == into

    def test_an_invalid_id_is_rejected_and_nothing_is_sent(self, desk: Desk) -> None:
        desk.connector.identity()
        before = desk.stage.requests()
        for record_id in ("../Account/1", "//evil.example/x", "", "x y"):
            assert error_kind(desk.one(desk.update(desk.ref(record_id), title="CTO"))) == "validation"
            assert error_kind(desk.one(desk.delete(desk.ref(record_id)))) == "validation"
        assert desk.stage.requests() == before

    def test_mixed_or_oversized_calls_are_a_bug_of_the_caller(self, desk: Desk) -> None:
        ref = desk.made(1)
        limit = desk.connector.capabilities.write_chunk
        many = [desk.update(ref, title=str(number)) for number in range(limit + 1)]
        for writes in (many, [desk.update(ref, title="x"), desk.delete(ref)], [many[0], many[0]]):
            with nothing_changed(desk.stage), pytest.raises(ValueError, match="write"):
                desk.connector.write(writes)

    # Creating ----------------------------------------------------------------------------------------------------

    def test_a_create_returns_its_id_and_carries_its_key(self, desk: Desk) -> None:
        keys = ["person-1-1", "person-2-1", "person-3-1"]
        if not desk.stage.has_key:
            keys = keys[:1]
        writes = [desk.create(number, key=key, title="CTO") for number, key in enumerate(keys)]
        for outcome, key in zip(desk.connector.write(writes), keys, strict=True):
            assert outcome.status == "applied"
            record = desk.read(desk.ref(str(outcome.record_id)), "title", *(["key"] if desk.stage.has_key else []))
            assert record.fields[desk.names.title] == "CTO"
            assert record.fields.get(desk.names.key) == (key if desk.stage.has_key else None)

    def test_a_create_repeated_with_its_key_is_answered_with_the_record_there_is(self, desk: Desk) -> None:
        if not desk.stage.has_key:
            assert not desk.connector.capabilities.unique_keys
            return
        first = desk.one(desk.create(1, key="person-1-1"))
        second = desk.one(desk.create(1, key="person-1-1"))
        assert (second.status, second.record_id) == ("applied", first.record_id)
        found = desk.connector.find(desk.names.object_type, desk.names.key, "person-1-1", [])
        assert [record.ref.id for record in found] == [first.record_id]

    def test_a_lost_create_is_found_again_by_its_key(self, desk: Desk) -> None:
        if not desk.stage.has_key:
            return
        desk.stage.fail("drop_after", "create")
        assert desk.one(desk.create(1, key="person-1-1")).status == "unknown"
        assert len(desk.connector.find(desk.names.object_type, desk.names.key, "person-1-1", [])) == 1

    def test_a_create_belongs_to_its_parent(self, desk: Desk) -> None:
        place = desk.connector.capabilities.parent_fields[desk.names.object_type]["company"]
        assert place.object_type == desk.names.parent_type
        parent_id = desk.stage.person_create(place.object_type, {desk.names.parent_name: "Analytical Engines"})
        plain = desk.create(1, key="person-1-1")
        write = Write(
            plain.entry_id, "create", plain.object_type, None, plain.fields, plain.key, parents={"company": parent_id}
        )
        outcome = desk.one(write)
        assert outcome.status == "applied", outcome
        (record,) = desk.connector.read([desk.ref(str(outcome.record_id))], [place.field])
        assert isinstance(record, Record)
        assert record.fields[place.field] == parent_id

    def test_a_parent_that_is_no_id_is_rejected_unsent(self, desk: Desk) -> None:
        plain = desk.create(1, key="person-1-1")
        parents = {"company": "../1"}
        write = Write(plain.entry_id, "create", plain.object_type, None, plain.fields, plain.key, parents=parents)
        with nothing_changed(desk.stage):
            assert error_kind(desk.one(write)) == "validation"

    # Faults ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("op", ["create", "update", "delete"])
    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "unavailable", "html"])
    def test_a_lost_reply_is_unknown_and_was_one_request(self, desk: Desk, op: Op, fault: Fault) -> None:
        ref = desk.made(1)
        write = {
            "create": desk.create(2, key="person-2-1"),
            "update": desk.update(ref, title="CTO"),
            "delete": desk.delete(ref),
        }[op]
        before = len(desk.stage.api_changes())
        desk.stage.fail(fault, op)
        outcome = desk.one(write)
        assert (outcome.entry_id, outcome.status) == (write.entry_id, "unknown")
        assert outcome.observed == {}
        assert len(desk.stage.api_changes()) - before == (1 if fault == "drop_after" else 0)

    @pytest.mark.parametrize("op", ["create", "update", "delete"])
    def test_being_throttled_is_a_definite_no(self, desk: Desk, op: Op) -> None:
        ref = desk.made(1)
        write = {
            "create": desk.create(2, key="person-2-1"),
            "update": desk.update(ref, title="CTO"),
            "delete": desk.delete(ref),
        }[op]
        desk.stage.fail("throttled", op)
        with nothing_changed(desk.stage):
            assert error_kind(desk.one(write)) == "throttled"

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "unavailable", "throttled", "html"])
    def test_a_failing_read_is_an_exception_after_one_request(self, desk: Desk, fault: Fault) -> None:
        ref = desk.made(1)
        desk.connector.identity()
        for call in (
            desk.connector.identity,
            desk.connector.now,
            lambda: desk.connector.read([ref], [desk.names.email]),
            lambda: desk.connector.schema(ref.object_type),
            desk.connector.owners,
        ):
            before = desk.stage.requests()
            desk.stage.fail(fault, "read")
            with pytest.raises((Unavailable, BadReply)):
                call()
            assert desk.stage.requests() - before <= 1

    def test_neither_exceptions_nor_rejections_show_secrets_or_values(self, desk: Desk) -> None:
        ref = desk.made(1)
        texts = []
        for fault in ("drop_before", "unavailable", "throttled", "html"):
            desk.stage.fail(fault, "read")
            with pytest.raises(ConnectorError) as caught:
                desk.connector.read([ref], [desk.names.email])
            texts.append("".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)))
        bad = Write("E-bad", "update", ref.object_type, ref.id, {"no_such_field": "private.value@example.com"})
        texts.append(repr(desk.one(bad)))
        texts.append(repr(desk.one(desk.create(1, key="person-1-1")).error))
        for secret in (*desk.stage.secrets, "private.value@example.com"):
            assert not any(secret in text for text in texts)
