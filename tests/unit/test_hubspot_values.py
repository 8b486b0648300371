"""HubSpot's ids, values, stamps and properties, without a server."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import BadReply, ConfigError, NotFound
from agent.records import FieldValue, MergedInto, Ref
from connectors.hubspot.client import Client, Reply, versioned
from connectors.hubspot.connector import HubSpot
from connectors.hubspot.ids import checked_object_type, checked_property, is_record_id, is_safe_in_a_path
from connectors.hubspot.login import ServiceKey
from connectors.hubspot.pacing import BREATH_SECONDS, KEPT_FREE, UNSURE_SECONDS, WINDOW_SECONDS, Pace, Rolling
from connectors.hubspot.pulling import next_page
from connectors.hubspot.records import (
    as_milliseconds,
    blank_as_none,
    merges_of,
    modified_at,
    moment,
    record_of,
    values_of,
    version_of,
)
from connectors.hubspot.schema import object_schema
from connectors.hubspot.writing import text_of

NINE = datetime(2026, 11, 2, 9, 0, 0, 281000, tzinfo=UTC)


# ids --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["1", "12877907025", "9" * 20])
def test_digits_are_a_record_id(text: str) -> None:
    assert is_record_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9" * 21,
        "12 ",
        "12\n",
        "-1",
        "1.0",
        "../12",
        "//evil.example/12",
        "12?archived=true",
        "a@b.c",
        "٣",
        "²",
        None,
        12,
    ],
)
def test_anything_else_is_not(text: object) -> None:
    assert not is_record_id(text)


@given(st.text())
def test_no_text_with_a_foreign_character_passes_as_an_id(text: str) -> None:
    assert is_record_id(text) == (0 < len(text) <= 20 and all(letter in "0123456789" for letter in text))


@pytest.mark.parametrize("text", ["contacts", "0-136", "2-4711", "P_custom"])
def test_object_type_names_and_ids_pass(text: str) -> None:
    assert checked_object_type(text) == text


@pytest.mark.parametrize("text", ["", ".", "..", "contacts/1", "contacts?x", "-1", "0-", "contacts\n"])
def test_an_object_type_cannot_reach_another_address(text: str) -> None:
    with pytest.raises(NotFound):
        checked_object_type(text)


@pytest.mark.parametrize("text", ["", "a b", "a/b", "e-mail", "x" * 256])
def test_a_property_is_an_internal_name(text: str) -> None:
    with pytest.raises(NotFound):
        checked_property(text)


@pytest.mark.parametrize("text", ["", ".", "..", " ..", " "])
def test_dots_alone_never_become_a_path(text: str) -> None:
    assert not is_safe_in_a_path(text)


# values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (17, "17"),
        (17.5, "17.5"),
        (1e21, "1000000000000000000000"),
        (1e-7, "0.0000001"),
        (100.0, "100"),
        ("  kept as is ", "  kept as is "),
    ],
)
def test_values_travel_as_hubspot_writes_them(value: FieldValue, text: str) -> None:
    assert text_of(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_as_text(value: float) -> None:
    text = text_of(value)
    assert "e" not in text.lower()
    assert float(text) == value


@pytest.mark.parametrize(
    ("value", "expected"), [("", None), (None, None), ("0", "0"), ("false", "false"), (" ", " "), (5, "5")]
)
def test_only_null_and_empty_are_blank(value: object, expected: FieldValue) -> None:
    assert blank_as_none(value) == expected


@pytest.mark.parametrize(
    "text",
    ["2026-11-02T09:00:00.281Z", "2026-11-02T09:00:00.281000+00:00", "2026-11-02T10:00:00.281+01:00", "1793610000281"],
)
def test_every_spelling_of_a_moment_is_one_version(text: str) -> None:
    assert moment(text) == NINE
    assert version_of("contacts", {"id": "1", "properties": {}, "updatedAt": text}) == "1793610000281"


@pytest.mark.parametrize("text", ["", None, "yesterday", "9" * 30, 5])
def test_what_is_no_moment_is_none(text: object) -> None:
    assert moment(text) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_milliseconds_round_down_and_keep_the_order(at: datetime) -> None:
    back = moment(as_milliseconds(at)) if at.year >= 1970 else None
    assert back is None or 0 <= (at - back).total_seconds() < 0.001


def test_a_record_without_updated_at_uses_its_own_stamp_property() -> None:
    contact = {"id": "1", "properties": {"lastmodifieddate": "2026-11-02T09:00:00.281Z"}}
    company = {"id": "1", "properties": {"hs_lastmodifieddate": "2026-11-02T09:00:00.281Z"}}
    assert modified_at("contacts", contact) == modified_at("companies", company) == NINE
    with pytest.raises(BadReply):
        modified_at("companies", contact)


def test_absent_stays_absent_and_blank_is_none() -> None:
    row = {"id": "1", "properties": {"email": None, "city": "", "firstname": "Ada"}, "updatedAt": "1793610000281"}
    assert values_of(row, ["email", "city", "firstname", "hidden"]) == {"email": None, "city": None, "firstname": "Ada"}
    assert record_of("contacts", row, ["hidden"], NINE).fields == {}


def test_a_survivor_names_the_ids_that_went_into_it() -> None:
    row = {"id": "9", "properties": {"hs_merged_object_ids": "7; 8;9;x"}}
    survivor = Ref("hubspot", "contacts", "9")
    assert list(merges_of("contacts", row)) == [
        MergedInto(Ref("hubspot", "contacts", "7"), survivor),
        MergedInto(Ref("hubspot", "contacts", "8"), survivor),
    ]


# paging, addresses, replies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ({}, None),
        ({"paging": None}, None),
        ({"paging": {"next": {"after": "7"}}}, "7"),
        ({"paging": {"next": {"after": 7}}}, "7"),
    ],
)
def test_paging_says_where_to_go_on(body: dict[str, Any], after: str | None) -> None:
    assert next_page(body) == after


def test_paging_that_says_nothing_is_not_the_end() -> None:
    with pytest.raises(BadReply):
        next_page({"paging": {"next": {}}})


@pytest.mark.parametrize(
    ("path", "dated"),
    [
        ("/crm/v3/objects/{objectType}/search", "/crm/objects/2026-03/{objectType}/search"),
        ("/crm/v3/owners/", "/crm/owners/2026-03/"),
        ("/crm/v3/properties/{objectType}", "/crm/properties/2026-03/{objectType}"),
        ("/crm/v4/objects/{a}/{b}/associations/{c}", "/crm/objects/2026-03/{a}/{b}/associations/{c}"),
        ("/account-info/v3/details", "/account-info/2026-03/details"),
    ],
)
def test_the_version_is_written_into_the_path(path: str, dated: str) -> None:
    assert versioned(path, "2026-03") == dated
    assert versioned(path, "v3") == path


def test_a_path_without_a_dated_twin_is_refused_rather_than_sent_to_v3() -> None:
    with pytest.raises(BadReply):
        versioned("/marketing/v3/emails", "2026-09")


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.hubapi.com",
        "http://127.0.0.1.evil.example",
        "ftp://127.0.0.1",
        "https://a@b.example",
        "api.hubapi.com",
        "",
    ],
)
def test_the_key_is_never_sent_in_the_clear(base_url: str) -> None:
    with pytest.raises(ConfigError):
        HubSpot(token="pat-fake", base_url=base_url)


@pytest.mark.parametrize(
    "base_url", ["https://api.hubapi.com/", "http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"]
)
def test_https_and_this_computer_are_fine(base_url: str) -> None:
    Client(ServiceKey("pat-fake"), base_url).close()


@pytest.mark.parametrize("link_keys", [{"contacts": "not a name"}, {"../contacts": "truce_key"}])
def test_a_link_key_that_is_no_property_is_a_config_error(link_keys: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        HubSpot(token="pat-fake", link_keys=link_keys)


@pytest.mark.parametrize("content_type", ["application/json;charset=utf-8", "application/vnd.x+JSON"])
def test_json_is_json_by_any_name(content_type: str) -> None:
    assert Reply(200, b'{"a": 1}', content_type).json_object("a") == {"a": 1}


# pacing ---------------------------------------------------------------------------------------------------------


class FakeTime:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def seconds(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_no_second_ever_holds_more_searches_than_allowed() -> None:
    time = FakeTime()
    pace = Pace(time.seconds, time.sleep, limit=4, period=1.0)
    begun = []
    for turn in range(40):
        pace.wait()
        begun.append(time.now)
        time.now += 0.01 * (turn % 7)
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in zip(begun, begun[4:], strict=False))


def test_the_first_searches_do_not_wait_and_neither_does_a_slow_caller() -> None:
    time = FakeTime()
    pace = Pace(time.seconds, time.sleep, limit=4, period=1.0)
    for _ in range(20):
        pace.wait()
        time.now += 0.25
    assert sum(time.slept) == pytest.approx(0.0)


def test_calls_under_way_count_as_gone() -> None:
    """The last reply told of three more than are kept free, and those three are out already."""
    time = FakeTime()
    rolling = Rolling(time.seconds, time.sleep, left=KEPT_FREE + 3)
    with ExitStack() as out:
        for _ in range(4):
            out.enter_context(rolling.turn())
        assert time.slept == []
        out.enter_context(rolling.turn())
        assert time.slept == [BREATH_SECONDS]
    with rolling.turn():
        assert time.slept == [BREATH_SECONDS]


def test_a_call_that_has_left_the_window_counts_as_free_again() -> None:
    """Nobody has to be asked: what HubSpot last told, and when our own calls began, is enough to know."""
    time = FakeTime()
    rolling = Rolling(time.seconds, time.sleep)
    at = datetime(2026, 9, 1, tzinfo=UTC)
    for left in (KEPT_FREE + 1, KEPT_FREE, KEPT_FREE - 1):
        with rolling.turn() as turn:
            time.now += 0.5
        rolling.note(turn, left, at + timedelta(seconds=time.now))
    time.now += 7.0
    began = 100.0
    with rolling.turn():
        assert time.now == pytest.approx(began + WINDOW_SECONDS + UNSURE_SECONDS), (
            "exactly until the first of the three is free again"
        )
    time.now += 1.0
    slept = len(time.slept)
    with rolling.turn(), rolling.turn():
        assert len(time.slept) == slept


def test_a_call_that_hubspot_no_longer_counted_is_not_free_again_a_second_time() -> None:
    time = FakeTime()
    rolling = Rolling(time.seconds, time.sleep)
    at = datetime(2026, 9, 1, tzinfo=UTC)
    with rolling.turn() as first:
        pass
    rolling.note(first, KEPT_FREE + 1, at)
    time.now += WINDOW_SECONDS
    with rolling.turn() as second:
        pass
    rolling.note(second, KEPT_FREE - 1, at + timedelta(seconds=10))
    time.now += 1.0
    with rolling.turn():
        assert len(time.slept) == 1, "the first was gone from HubSpot's count before it told"


def test_a_short_breath_within_one_second_of_hubspots_clock_does_not_mean_that_it_stands_still() -> None:
    """Else no further breath would be taken, and the calls after it would be refused."""
    time = FakeTime()
    rolling = Rolling(time.seconds, time.sleep)
    at = datetime(2026, 9, 1, tzinfo=UTC)
    with rolling.turn() as first:
        pass
    rolling.note(first, KEPT_FREE - 2, at)
    time.now += WINDOW_SECONDS - 0.5
    with rolling.turn() as second:
        assert time.slept == [pytest.approx(0.5 + UNSURE_SECONDS)]
    rolling.note(second, KEPT_FREE - 2, at)
    with rolling.turn():
        assert len(time.slept) == 2


def test_a_search_is_no_call_that_can_become_free_again() -> None:
    time = FakeTime()
    rolling = Rolling(time.seconds, time.sleep)
    with rolling.turn() as told:
        pass
    at = datetime(2026, 9, 1, tzinfo=UTC)
    rolling.note(told, KEPT_FREE - 2, at)
    with rolling.turn() as search:
        pass
    rolling.note(search, None, at + timedelta(seconds=2))
    time.now += 11.0
    with rolling.turn():
        assert len(time.slept) == 2, "one too few: the search has given nothing back"


# schema ---------------------------------------------------------------------------------------------------------


def property_of(name: str, kind: str = "string", widget: str = "text", **more: Any) -> dict[str, Any]:
    return {"name": name, "label": name.title(), "type": kind, "fieldType": widget, "options": [], **more}


OPTIONS = [{"value": "lead", "label": "Lead"}, {"value": "old", "label": "Old", "hidden": True}]


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (property_of("firstname"), "text"),
        (property_of("amount", "number", "number"), "number"),
        (property_of("closedate", "date", "date"), "date"),
        (property_of("createdate", "datetime", "date"), "datetime"),
        (property_of("stage", "enumeration", "radio", options=OPTIONS), "choice"),
        (property_of("topics", "enumeration", "checkbox", options=OPTIONS), "choices"),
        (property_of("member", "enumeration", "booleancheckbox"), "boolean"),
        (property_of("member", "bool", "booleancheckbox"), "boolean"),
        (property_of("hubspot_owner_id", "enumeration", "select", referencedObjectType="OWNER"), "reference"),
        (property_of("hs_object_id", "number", "number"), "id"),
        (property_of("place", "object_coordinates", "text"), "text"),
    ],
)
def test_a_propertys_type(item: dict[str, Any], kind: str) -> None:
    assert object_schema("contacts", [item]).fields[item["name"]].type == kind


def test_computed_and_read_only_properties_cannot_be_written() -> None:
    schema = object_schema(
        "contacts",
        [
            property_of("score", calculated=True),
            property_of("hs_email_optout", "bool", modificationMetadata={"readOnlyValue": True}),
            property_of("firstname", modificationMetadata={"readOnlyValue": False}),
            property_of("old", archived=True),
        ],
    )
    assert {name: field.writable for name, field in schema.fields.items()} == {
        "score": False,
        "hs_email_optout": False,
        "firstname": True,
    }


def test_e_mail_is_unique_for_contacts_though_its_property_denies_it() -> None:
    item = property_of("email", hasUniqueValue=False)
    assert object_schema("contacts", [item]).fields["email"].unique
    assert not object_schema("companies", [item]).fields["email"].unique
    assert object_schema("companies", [property_of("truce_key", hasUniqueValue=True)]).fields["truce_key"].unique


def test_options_are_choices_and_hidden_ones_are_inactive() -> None:
    field = object_schema("contacts", [property_of("stage", "enumeration", "select", options=OPTIONS)]).fields["stage"]
    assert [(choice.value, choice.active) for choice in field.choices] == [("lead", True), ("old", False)]
    assert field.restricted
