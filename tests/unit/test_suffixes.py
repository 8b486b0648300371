"""Registered domains, asked of the public suffix list as we keep it and of tldextract itself."""

from __future__ import annotations

import pytest
import tldextract
from hypothesis import given
from hypothesis import strategies as st

from agent.decide.normalise import canonical
from agent.decide.policy import Cleaner
from agent.decide.suffixes import labels_of, suffix_start

THEIRS = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)
SUFFIXES = sorted(THEIRS.tlds)
LABELS = sorted({label for suffix in SUFFIXES for label in suffix.split(".")})


def ours(address: str) -> tuple[str, str, str]:
    labels = labels_of(address)
    start = suffix_start(labels)
    at = len(labels) if start is None else start
    return ".".join(labels[: max(at - 1, 0)]), labels[at - 1] if at else "", ".".join(labels[at:])


def theirs(address: str) -> tuple[str, str, str]:
    found = THEIRS(address)
    return found.subdomain, found.domain, found.suffix


def spelled(name: str) -> str:
    return ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in name.split(".")
    )


def test_every_suffix_of_the_list_is_known_in_both_spellings_and_under_a_name() -> None:
    plain = [suffix.replace("*", "any").replace("!", "") for suffix in SUFFIXES]
    asked = [
        f"{start}{name}" for each in plain for start in ("", "acme.", "www.acme.") for name in {each, spelled(each)}
    ]
    different = [address for address in asked if ours(address) != theirs(address)]
    assert len(asked) > 30_000
    assert different == []


@pytest.mark.parametrize(
    "address",
    [
        "", ".", "..", "com", ".com", "acme..com", "acme.com.", "*.ck", "www.ck", "!www.ck", "a.b.www.ck", ".ck",
        "https://Ann:secret@WWW.Acme.CO.UK:8080/x?y#z", "//acme.com", "acme。com", "acme．co｡uk", "xn--",
        "xn--.xn--p1ai", "localhost", "acme.example", "n/a", "someone@mail.acme.com",
    ],
)  # fmt: skip
def test_odd_addresses_are_read_as_tldextract_reads_them(address: str) -> None:
    assert ours(address) == theirs(address)


@given(st.lists(st.sampled_from(LABELS) | st.text("aé公X-*! ", max_size=3), max_size=6))
def test_any_mixture_of_known_labels_is_read_as_tldextract_reads_it(labels: list[str]) -> None:
    address = ".".join(labels)
    assert ours(address) == theirs(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "[::1]"])
def test_a_number_of_a_computer_is_no_domain(address: str) -> None:
    assert THEIRS(address).suffix == ""
    assert canonical(f"https://{address}/", Cleaner("domain")) == f"https://{address}/"
