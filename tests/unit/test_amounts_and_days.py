"""Numbers, money and days keep their meaning through both vendors; two currencies are never compared."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from deciding import contact, hubspot, only_step, policy_set, rule, view, writes
from hypothesis import example, given
from hypothesis import strategies as st
from policy_texts import field, person, schema
from shipped_systems import SYSTEMS

from agent.decide import decide, parse
from agent.decide.days import day_in, start_of
from agent.decide.normalise import canonical, same, tidy
from agent.decide.policy import Cleaner
from agent.decide.values import Codec
from agent.records import FieldValue

TODAY = date(2026, 11, 24)
FIRST_INEXACT = 2**53
"""From there on a double, which is what Salesforce answers with, leaves whole numbers out."""
NEW_YORK = "America/New_York"
NUMBER, USD, JPY = Cleaner("number"), Cleaner("money", "USD"), Cleaner("money", "JPY")
DAY, DAY_THERE = Cleaner("date"), Cleaner("date", NEW_YORK)
ZONES = st.sampled_from([NEW_YORK, "Europe/Berlin", "America/Sao_Paulo", "Pacific/Auckland", "Asia/Kolkata", "UTC"])

amounts = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**13), max_value=10**13).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.integers(-(10**18), 10**18).map(lambda number: f"{number:,}"),
    st.from_regex(r"(USD|[$€]|US\$)? ?-?[0-9]{1,4}([,' ][0-9]{3})?(\.[0-9]{0,4})? ?(USD|EUR)?", fullmatch=True),
)
instants = st.integers(-631_152_000, 5_680_281_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def through_salesforce(value: FieldValue) -> FieldValue:
    """A number field answers with a JSON double."""
    sent = json.loads(json.dumps(value))
    return float(sent) if isinstance(sent, int | float) else sent


@pytest.mark.parametrize("cleaner", [NUMBER, USD, JPY], ids=str)
class TestAmounts:
    @given(text=amounts)
    @example("9007199254740993.5")
    @example("-0.004")
    @example("1e-7")
    def test_an_amount_cleaned_twice_is_the_same(self, cleaner: Cleaner, text: str) -> None:
        assert canonical(canonical(text, cleaner), cleaner) == canonical(text, cleaner)
        assert tidy(tidy(text, cleaner), cleaner) == tidy(text, cleaner)
        assert same(tidy(text, cleaner), text, cleaner)

    @given(text=amounts)
    def test_what_is_written_still_means_the_same_when_the_vendor_answers(self, cleaner: Cleaner, text: str) -> None:
        codec = Codec(rule("amount", clean=cleaner, type="number"), SYSTEMS)
        read = codec.read("hubspot", text)
        if not read.is_mapped or read.is_blank or abs(float(read.text or 0)) >= FIRST_INEXACT:
            return
        salesforce = through_salesforce(codec.write("salesforce", read))
        assert codec.agree(codec.read("salesforce", salesforce), read)
        assert codec.agree(codec.read("hubspot", codec.write("hubspot", codec.read("salesforce", salesforce))), read)


@pytest.mark.parametrize(
    ("cleaner", "here", "there"),
    [
        (NUMBER, "1,250", 1250.0),
        (NUMBER, "1'250.50", "1250.5"),
        (NUMBER, "1 250", "1250"),
        (NUMBER, "+5", "5.000"),
        (NUMBER, "1.0E7", 10_000_000),
        (USD, "$1,250", 1250.004),
        (USD, "USD 99.995", "100"),
        (USD, "-$5", "-5.00 usd"),
        (JPY, "¥1,250", "1250.4"),
        (Cleaner("money", "KWD"), "1.2345", 1.235),
        (DAY, "2027-03-01", "1803859200000"),
        (DAY_THERE, "2027-03-01", "2027-03-02T04:59:59Z"),
        (DAY_THERE, "2027-03-01", "2027-03-01T23:30:00-05:00"),
        (DAY_THERE, "2027-03-01", "2027-03-01T05:00:00.000+0000"),
    ],
)
def test_writings_that_mean_the_same(cleaner: Cleaner, here: FieldValue, there: FieldValue) -> None:
    assert same(here, there, cleaner)


@pytest.mark.parametrize(
    ("cleaner", "here", "there"),
    [
        (NUMBER, "1.250,50", "1250.5"),
        (NUMBER, "12,50", "1250"),
        (USD, "€100", "100"),
        (USD, "100 EUR", "100"),
        (Cleaner("money"), "$100", "100"),
        (DAY, "2027-03-01", "2027-03-01T12:00:00Z"),
        (DAY_THERE, "2027-03-01", "2027-03-01T04:59:59Z"),
        (DAY_THERE, "2027-02-29", "2027-03-01"),
        (DAY_THERE, "20270301", "2027-03-01"),
    ],
)
def test_writings_that_differ(cleaner: Cleaner, here: FieldValue, there: FieldValue) -> None:
    assert not same(here, there, cleaner)


class TestDays:
    @given(moment=instants, zone=ZONES)
    def test_a_day_cleaned_twice_is_the_same(self, moment: datetime, zone: str) -> None:
        cleaner, text = Cleaner("date", zone), moment.isoformat()
        once = canonical(text, cleaner)
        assert once is not None
        assert canonical(once, cleaner) == once == tidy(text, cleaner) == tidy(once, cleaner)

    @given(moment=instants, zone=ZONES)
    def test_a_day_survives_a_field_that_holds_a_time(self, moment: datetime, zone: str) -> None:
        codec = Codec(
            rule("close_date", clean=Cleaner("date", zone), type="date", instants=frozenset({"hubspot"})), SYSTEMS
        )
        day = codec.read("salesforce", moment.date().isoformat())
        written = codec.write("hubspot", day)
        assert codec.agree(codec.read("hubspot", written), day)
        assert codec.write("salesforce", codec.read("hubspot", written)) == moment.date().isoformat()

    def test_an_evening_in_new_york_is_that_day_though_utc_is_one_further(self) -> None:
        assert day_in("2027-01-01T03:00:00Z", NEW_YORK) == date(2026, 12, 31)

    @pytest.mark.parametrize(
        ("moment", "day"),
        [
            ("2027-03-14T04:59:59Z", date(2027, 3, 13)),  # still winter time: UTC-5
            ("2027-03-14T05:00:00Z", date(2027, 3, 14)),
            ("2027-03-15T03:59:59Z", date(2027, 3, 14)),  # summer time since 2 in the morning: UTC-4
            ("2027-03-15T04:00:00Z", date(2027, 3, 15)),
            ("2027-11-07T04:00:00Z", date(2027, 11, 7)),
            ("2027-11-08T04:59:59Z", date(2027, 11, 7)),
        ],
    )
    def test_the_nights_when_the_clock_is_changed_have_23_and_25_hours(self, moment: str, day: date) -> None:
        assert day_in(moment, NEW_YORK) == day

    def test_a_day_that_has_no_midnight_begins_an_hour_later(self) -> None:
        begins = start_of(date(2018, 11, 4), "America/Sao_Paulo")
        assert begins == datetime(2018, 11, 4, 3, tzinfo=UTC)
        assert day_in(begins.isoformat(), "America/Sao_Paulo") == date(2018, 11, 4)
        assert day_in((begins - timedelta(seconds=1)).isoformat(), "America/Sao_Paulo") == date(2018, 11, 3)

    def test_a_time_of_day_is_not_made_up_where_the_day_agrees(self) -> None:
        close = rule("close_date", clean=DAY_THERE, type="date", instants=frozenset({"hubspot"}))
        decision = decide(
            view(contact(Field__c="2027-03-01"), hubspot(field="2027-03-01T22:15:00Z")), policy_set(close)
        )
        assert writes(decision) == {}
        assert only_step(decision, "close_date").disposition == "equal"

    def test_a_day_is_written_as_its_first_moment_there(self) -> None:
        close = rule("close_date", clean=DAY_THERE, type="date", instants=frozenset({"hubspot"}))
        decision = decide(view(contact(Field__c="2027-03-01"), hubspot(field=None)), policy_set(close))
        assert writes(decision) == {"hubspot": {"field": "2027-03-01T05:00:00Z"}}


class TestCurrencies:
    CODE = rule("code", salesforce="CurrencyIsoCode", hubspot="deal_currency_code")
    AMOUNT = rule("amount", salesforce="Amount", hubspot="amount", clean=Cleaner("money", None, "code"), type="number")

    def _decided(self, here: tuple[Any, Any], there: tuple[Any, Any], code: Any = CODE, base: Any = None) -> Any:
        return decide(
            view(
                contact(Amount=here[0], CurrencyIsoCode=here[1]),
                hubspot(amount=there[0], deal_currency_code=there[1]),
                base or {"amount": (100, "100"), "code": ("USD", "USD")},
            ),
            policy_set(self.AMOUNT, code),
        )

    def test_in_one_currency_amounts_are_compared_with_its_decimals(self) -> None:
        assert writes(self._decided((100.004, "USD"), ("100", "USD"))) == {}
        assert writes(self._decided((100.4, "JPY"), ("100", "JPY"), base={"code": ("JPY", "JPY")})) == {}
        assert writes(self._decided((120, "USD"), ("100", "USD"))) == {"hubspot": {"amount": "120"}}

    def test_the_same_number_in_two_currencies_is_not_the_same_amount(self) -> None:
        decision = self._decided(
            (100, "USD"),
            ("100", "EUR"),
            rule("code", "ask", salesforce="CurrencyIsoCode", hubspot="deal_currency_code"),
        )
        assert writes(decision) == {}
        step = only_step(decision, "amount")
        assert step.disposition == "skipped"
        assert "code is USD in Salesforce and EUR in HubSpot; amount waits" in step.sentence

    def test_an_amount_goes_along_with_its_currency(self) -> None:
        decision = self._decided((90, "EUR"), ("100", "USD"))
        assert writes(decision) == {"hubspot": {"deal_currency_code": "EUR", "amount": "90"}}
        assert "it goes along with its code" in only_step(decision, "amount").sentence

    def test_an_amount_never_goes_where_the_other_currency_stays(self) -> None:
        code = rule("code", "hubspot", salesforce="CurrencyIsoCode", hubspot="deal_currency_code")
        decision = self._decided((90, "EUR"), ("100", "USD"), code, {"code": ("USD", "USD"), "amount": (100, "100")})
        assert writes(decision) == {"salesforce": {"CurrencyIsoCode": "USD"}}

    def test_an_amount_whose_currency_is_blank_is_left_alone(self) -> None:
        decision = self._decided((100, "USD"), ("90", None), base={"code": ("USD", None), "amount": (90, "90")})
        assert writes(decision) == {}
        assert "nobody knows what amount is worth there" in only_step(decision, "amount").sentence


def test_what_is_no_number_is_asked_about_and_never_written() -> None:
    decision = decide(
        view(contact(Field__c=None), hubspot(field="about 500")),
        policy_set(rule("amount", "hubspot", clean=NUMBER, type="number")),
    )
    assert writes(decision) == {}
    (review,) = decision.reviews
    assert review.sentence == "HubSpot has “about 500”, which cannot be read as number"


def problems(clean: str, salesforce: str = "text", hubspot: str = "text", more: str = "") -> list[str]:
    fields = f"  amount: {{salesforce: A, hubspot: a, wins: salesforce{clean and ', clean: ' + clean}}}\n{more}"
    schemas = {
        **schema("salesforce", "Contact", field("A", salesforce)),
        **schema("salesforce", "Lead", field("A", salesforce)),
        **schema("hubspot", "contacts", field("a", hubspot)),
    }
    found = parse.check(
        {"p.yaml": person(fields=fields).replace("[stored id, email]", "[stored id]")}, schemas, TODAY, SYSTEMS
    )
    return [f"{problem.message} | {problem.advice}" for problem in found]


@pytest.mark.parametrize(
    ("clean", "types", "says"),
    [
        ("money", ("number", "number"), "`clean: money` does not say which currency | Write `clean: money USD`"),
        ("money USDD", ("number", "number"), "`USDD` is not a currency code | Did you mean `USD`?"),
        ("money by cod", ("number", "number"), "there is no line `cod` about person"),
        ("money by amount", ("number", "number"), "there is no line `amount` about person"),
        ("money by the code", ("number", "number"), "must name a line under `fields`"),
        ("date in Amerika/New_York", ("date", "date"), "`Amerika/New_York` is not a time zone"),
        ("date New_York", ("date", "date"), "is not understood | Write it like `clean: date in America/New_York`"),
        ("date", ("date", "datetime"), "is a date and time: which day that is depends on the place"),
        ("", ("date", "datetime"), "which day a time is depends on the place | Say whose day counts: `clean: date in"),
        ("number", ("date", "date"), "is a date, which `clean: number` does not fit"),
        ("number 2", ("number", "number"), "`clean: number` takes nothing behind it"),
        ("nubmer", ("number", "number"), "Did you mean `number`?"),
    ],
)
def test_check_says_what_is_missing(clean: str, types: tuple[str, str], says: str) -> None:
    assert any(says in problem for problem in problems(clean, *types)), problems(clean, *types)


@pytest.mark.parametrize(
    ("clean", "types"),
    [
        ("number", ("number", "text")),
        ("number", ("text", "number")),
        ("money EUR", ("number", "number")),
        ("date", ("date", "date")),
        ("date in America/New_York", ("date", "datetime")),
        ("date in America/New_York", ("datetime", "date")),
        ("date in America/New_York", ("text", "date")),
    ],
)
def test_check_has_nothing_against_what_is_said_in_full(clean: str, types: tuple[str, str]) -> None:
    assert problems(clean, *types) == []


def test_a_currency_of_one_system_alone_is_refused() -> None:
    found = problems("money by code", "number", "number", "  code: {salesforce: A}\n")
    assert any("`code` is in one system only" in problem for problem in found), found
