"""Nothing a person can type into a policy file is more than a list of problems: mutated shipped policies."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipped_systems import SYSTEMS
from small_policies import EXAMPLES

from agent.connector import Choice, FieldSchema, ObjectSchema
from agent.decide import decide, parse, prepare
from agent.decide.policy import PolicySet
from agent.decide.view import View
from agent.errors import PolicyError
from agent.records import Record, Ref

POLICIES = Path(__file__).parents[2] / "policies"
TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SHIPPED = {path.name: path.read_text(encoding="utf-8") for path in sorted(POLICIES.glob("*.yaml"))}

WORDS = st.sampled_from(
    [
        "", " ", "~", "null", "true", "NO", "on", "007", "12:30", "1e999", "-1", "0.05", "9" * 40, ">= 60", "!= 1",
        "score: >= 60", "a: b", "Team #1", "*x", "&x", "!x", "@x", "%x", "`x`", "'", '"', "\\", "|", ">", "- ", "[]",
        "{}", "[a, [b]]", "{a: {b: c}}", "<<", "---", "...", "policy", "fields", "email same", "at least 99 of",
        "lifecycle is at least MQL", "score crossed 60", "any:", "not:", "is one of", "and", "or", "or blank",
        "more than 14 days ago", "within 3 working days", "salesforce unless blank", "phone XX", "Europe/../../etc",
        "2027-02-30", "9999-99-99", "\t", "\u202e", "\ufeff", "é", "𝔘", "x" * 300,
    ]
)  # fmt: skip
TEXT = st.text(max_size=12).filter(lambda text: "\r" not in text)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, str]:
    """The shipped files, one of them changed in one to four places."""
    name = draw(st.sampled_from(sorted(SHIPPED)))
    text = SHIPPED[name]
    for _ in range(draw(st.integers(1, 4))):
        text = draw(st.sampled_from(MUTATIONS))(draw, text)
    return {**SHIPPED, name: text}


def word_replaced(draw: st.DrawFn, text: str) -> str:
    words = list(re.finditer(r"[^\s{}\[\],:]+", text))
    if not words:
        return text
    chosen = words[draw(st.integers(0, len(words) - 1))]
    return text[: chosen.start()] + draw(WORDS | TEXT) + text[chosen.end() :]


def line_dropped(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    del lines[draw(st.integers(0, len(lines) - 1))]
    return "\n".join(lines)


def line_repeated(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    chosen = lines[draw(st.integers(0, len(lines) - 1))]
    lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(["", " ", "    "])) + chosen)
    return "\n".join(lines)


def sign_changed(draw: st.DrawFn, text: str) -> str:
    if not text:
        return text
    at = draw(st.integers(0, len(text) - 1))
    return text[:at] + draw(st.sampled_from(list("{}[],:-#'\"&*!|> \n\t"))) + text[at + draw(st.integers(0, 2)) :]


def cut_off(draw: st.DrawFn, text: str) -> str:
    return text[: draw(st.integers(0, len(text)))]


MUTATIONS = [word_replaced, line_dropped, line_repeated, sign_changed, cut_off]


def a_schema(system: str, object_type: str, *names: str) -> ObjectSchema:
    choice = (Choice("a", "A"), Choice("b", "A"))
    known = {
        name: FieldSchema(name, name, "choice" if number % 3 == 0 else "text", number % 2 == 0, choices=choice)
        for number, name in enumerate(names)
    }
    return ObjectSchema(system, object_type, object_type, known)


SCHEMAS = {
    ("salesforce", "Contact"): a_schema("salesforce", "Contact", "Email", "Title", "Phone", "Customer_Stage__c"),
    ("hubspot", "contacts"): a_schema("hubspot", "contacts", "lifecyclestage", "email", "jobtitle", "phone"),
    ("hubspot", "companies"): a_schema("hubspot", "companies", "industry", "name"),
}


@given(mutated())
@settings(max_examples=150)
def test_a_mutated_policy_is_problems_and_never_a_traceback(sources: dict[str, str]) -> None:
    for schemas in (None, SCHEMAS):
        problems = parse.check(sources, schemas, TODAY, SYSTEMS)
        for problem in problems:
            lines = re.split(r"\r\n|\r|\n", sources[problem.file])
            assert 1 <= problem.line <= len(lines) + 1
            assert problem.column >= 1
            assert problem.message
    if any(not problem.is_warning for problem in parse.check(sources, None, TODAY, SYSTEMS)):
        with pytest.raises(PolicyError):
            parse.load(sources, None, TODAY, SYSTEMS)
    else:
        assert_can_decide(parse.load(sources, None, TODAY, SYSTEMS))


@given(st.sampled_from(sorted(EXAMPLES)), st.lists(st.tuples(WORDS | TEXT, WORDS | TEXT), min_size=1, max_size=4))
@settings(max_examples=100)
def test_keys_and_values_of_any_kind_may_be_anything(kind: str, pairs: list[tuple[str, str]]) -> None:
    text = EXAMPLES[kind] + "".join(f"{key}: {value}\n" for key, value in pairs)
    parse.check({"one.yaml": text}, SCHEMAS, TODAY, SYSTEMS)


@pytest.mark.nightly
@given(mutated())
@settings(max_examples=20_000)
def test_a_mutated_policy_is_problems_through_the_night(sources: dict[str, str]) -> None:
    parse.check(sources, SCHEMAS, TODAY, SYSTEMS)


def assert_can_decide(policies: PolicySet) -> None:
    """A set that loads can be used: one full and one blank pair of every thing it defines."""
    prepared = prepare(policies)
    for entity_type in policies.entity_types.values():
        for value in ("x", "1", None):
            sides = {}
            for system, types in entity_type.records.items():
                names = policies.vendor_fields(system, types[0])
                sides[system] = Record(Ref(system, types[0], "1"), dict.fromkeys(names, value))
            decide(View(f"{entity_type.name}-1", entity_type.name, sides, NOW), prepared)
