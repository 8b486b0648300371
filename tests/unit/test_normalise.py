"""Canonical forms are idempotent, survive the vendors' own rewriting, and mean what people mean."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.decide.normalise import CLEANERS, canonical, email_domain, folded, same, tidy
from agent.decide.policy import Cleaner

US_PHONE = Cleaner("phone", "US")
ALL_CLEANERS = [
    Cleaner("money", "USD"),
    Cleaner("date", "America/New_York"),
    *(Cleaner(name) for name in CLEANERS if name != "phone"),
    US_PHONE,
    Cleaner("phone", "DE"),
    Cleaner("phone"),
    Cleaner("state", "DE"),
]

emails = st.from_regex(r"[A-Za-z.+-]{1,12}@[A-Za-z-]{1,10}\.(com|co\.uk|DE|github\.io)", fullmatch=True)
phones = st.from_regex(r"[ ]?\+?[0-9(][0-9 ()./-]{3,18}( ?(x|ext\.?) ?[0-9]{1,4})?", fullmatch=True)
sites = st.from_regex(r"(https?://)?(www\.)?[A-Za-z0-9-]{1,12}\.(com|io|co\.uk)(:80)?(/[a-z]{0,4})?", fullmatch=True)
places = st.sampled_from(["USA", "U.S.", "Deutschland", "the Netherlands", "Calif.", "NY", "Québec", "Atlantis", "DE"])
companies = st.from_regex(r"[A-Za-zé&.' -]{1,14}[, ]{0,2}(Inc\.?|S\.A\.R\.L\.|GmbH|& Co\.? KG|LLC)?", fullmatch=True)
values = st.one_of(st.text(max_size=30), emails, phones, sites, places, companies)


def as_salesforce_stores(text: str, cleaner: Cleaner) -> str | None:
    """Trimmed of spaces, ``""`` is null, e-mail fields in lower case."""
    stored = text.strip(" \t\r\n") or None
    return stored.lower() if stored and cleaner.name == "email" else stored


def as_hubspot_stores(text: str, cleaner: Cleaner) -> str | None:
    """Text as it came; e-mail and company domain in lower case."""
    return text.lower() if cleaner.name in ("email", "domain") else text


@pytest.mark.parametrize("cleaner", ALL_CLEANERS, ids=str)
class TestForms:
    @settings(max_examples=400)
    @given(value=values)
    def test_canonical_form_of_a_canonical_form_is_itself(self, cleaner: Cleaner, value: str) -> None:
        once = canonical(value, cleaner)
        assert canonical(once, cleaner) == once

    @settings(max_examples=400)
    @given(value=values)
    def test_what_is_written_is_stable_and_means_the_same(self, cleaner: Cleaner, value: str) -> None:
        written = tidy(value, cleaner)
        assert tidy(written, cleaner) == written
        assert same(written, value, cleaner)

    @settings(max_examples=400)
    @given(value=values)
    def test_vendors_rewriting_does_not_change_the_meaning(self, cleaner: Cleaner, value: str) -> None:
        written = tidy(value, cleaner)
        if written is None:
            return
        for stored in (as_salesforce_stores(written, cleaner), as_hubspot_stores(written, cleaner)):
            assert same(stored, value, cleaner)
            assert same(tidy(stored, cleaner), written, cleaner)

    def test_blank_has_one_form(self, cleaner: Cleaner) -> None:
        assert [canonical(blank, cleaner) for blank in (None, "", "  ", "\u00a0")] == [None] * 4


@pytest.mark.parametrize(
    ("cleaner", "here", "there"),
    [
        (US_PHONE, "(415) 555-0100", "+1 415.555.0100"),
        (US_PHONE, "415-555-0100 ext. 5", "+14155550100 x5"),
        (US_PHONE, "(555) 010-1234", "555 010 1234"),
        (Cleaner("phone", "DE"), "030 901820", "+49 30 901820"),
        (US_PHONE, "0044 131 496 0218", "+441314960218"),
        (US_PHONE, "0033353010464", "+33 3 53 01 04 64"),
        (Cleaner("email"), "Chloe.Myers@Example.com ", "chloe.myers@example.com"),
        (Cleaner("email"), "\u200bann@acme.com", "ann@acme.com"),
        (Cleaner("domain"), "https://www.Acme.co.uk/about", "acme.co.uk"),
        (Cleaner("domain"), "info@mail.acme.com", "acme.com"),
        (Cleaner("country"), "U.S.A.", "United States of America"),
        (Cleaner("country"), "Deutschland", "DE"),
        (Cleaner("country"), "the Netherlands", "Holland"),
        (Cleaner("state"), "Calif.", "CA"),
        (Cleaner("state"), "Québec", "quebec"),
        (Cleaner("state", "DE"), "NRW", "Nordrhein-Westfalen"),
        (Cleaner("name"), "O’Brien", "o'brien"),
        (Cleaner(), "Sales  Manager", "Sales Manager "),
        (Cleaner(), 250.0, "250"),
        (Cleaner(), True, "true"),
    ],
)
def test_writings_that_mean_the_same(cleaner: Cleaner, here: str, there: str) -> None:
    assert same(here, there, cleaner)


@pytest.mark.parametrize(
    ("cleaner", "here", "there"),
    [
        (US_PHONE, "(415) 555-0100", "(415) 555-0101"),
        (US_PHONE, "(415) 555-0100 x5", "(415) 555-0100"),
        (Cleaner("email"), "ann@acme.com", "anne@acme.com"),
        (Cleaner("domain"), "acme.github.io", "other.github.io"),
        (Cleaner("country"), "Guinea", "Guinea-Bissau"),
        (Cleaner("country"), "Georgia", "Germany"),
        (Cleaner("state"), "WA", "WV"),
        (Cleaner("name"), "Jose", "Josef"),
        (Cleaner(), "sales manager", "Sales Manager"),
        (Cleaner(), None, "0"),
    ],
)
def test_writings_that_differ(cleaner: Cleaner, here: str, there: str) -> None:
    assert not same(here, there, cleaner)


@pytest.mark.parametrize(
    ("cleaner", "value", "written"),
    [
        (US_PHONE, "(415) 555-0100", "+14155550100"),
        (US_PHONE, "ask reception", "ask reception"),
        (US_PHONE, "555-0100", "555-0100"),
        (Cleaner("email"), " Ann@Acme.com", "ann@acme.com"),
        (Cleaner("country"), "USA", "United States"),
        (Cleaner("country"), "Atlantis", "Atlantis"),
        (Cleaner("state"), "tx", "Texas"),
        (Cleaner("domain"), "http://www.acme.com/", "acme.com"),
        (Cleaner("domain"), "n/a", "n/a"),
        (Cleaner("name"), " Maria  Lopez ", "Maria Lopez"),
        (Cleaner(), " Sales  Manager ", "Sales  Manager"),
        (Cleaner(), "", None),
    ],
)
def test_what_is_written(cleaner: Cleaner, value: str, written: str | None) -> None:
    assert tidy(value, cleaner) == written


def test_state_codes_without_a_country_do_not_reach_further_than_north_america() -> None:
    assert canonical("NSW", Cleaner("state")) == "nsw"
    assert canonical("NSW", Cleaner("state", "AU")) == "NSW"


def test_domain_of_an_address_is_the_registered_one() -> None:
    assert email_domain("ann@mail.acme.co.uk") == "acme.co.uk"
    assert email_domain("not an address") is None
    assert email_domain("@acme.com") is None


def test_folding_leaves_letters_and_digits() -> None:
    assert folded("  Müller & Söhne, GmbH ") == "muller sohne gmbh"


def test_reading_domains_touches_no_network_and_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert canonical("shop.never-seen-before.example.com", Cleaner("domain")) == "example.com"


def test_a_domain_with_an_ending_the_list_does_not_know_is_still_one_domain() -> None:
    for written in ("https://acme.example/en/home", "HTTP://WWW.ACME.EXAMPLE", "acme.example"):
        assert canonical(written, Cleaner("domain")) == "acme.example"


@pytest.mark.parametrize(
    ("here", "there", "is_same"),
    [
        ("Acme, Inc.", "ACME", True),
        ("Walnut Tools S.A.R.L.", "Walnut Tools SARL", True),
        ("Müller GmbH & Co. KG", "Muller", True),
        ("Co-op", "Coop", False),
        ("Limited", "Ltd", False),
        ("Acme", "Acme Labs", False),
    ],
)
def test_two_company_names_are_the_same_without_their_legal_form(here: str, there: str, is_same: bool) -> None:
    assert same(here, there, Cleaner("company")) is is_same


def test_a_company_name_is_written_with_its_legal_form() -> None:
    assert tidy(" Acme,  Inc. ", Cleaner("company")) == "Acme, Inc."


@pytest.mark.parametrize(
    ("here", "there", "is_same"),
    [
        ("http://www.Acme.com/", "acme.com", True),
        ("https://acme.com/About", "acme.com/About/", True),
        ("https://acme.com/About", "https://acme.com/about", False),
        ("https://acme.com?x=1", "https://acme.com?x=2", False),
        ("acme.com", "acme.de", False),
        ("ask Kim", "ASK  KIM", True),
    ],
)
def test_two_addresses_are_the_same_whatever_their_scheme(here: str, there: str, is_same: bool) -> None:
    assert same(here, there, Cleaner("url")) is is_same


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("Acme.com", "https://acme.com"),
        ("http://Acme.com/About", "http://acme.com/About"),
        ("see our website", "see our website"),
    ],
)
def test_an_address_is_written_whole(typed: str, written: str) -> None:
    assert tidy(typed, Cleaner("url")) == written
