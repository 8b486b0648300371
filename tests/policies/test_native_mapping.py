"""HubSpot's own integration said in our words: every line is one of ours or is named with the reason."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shipped_systems import SYSTEMS

from agent.decide import parse
from agent.decide.policy import FieldRule
from agent.policy_files import shipped
from agent.policy_files.native_mapping import Converted, Integration, Mapped, convert, integration_of, read_mapping
from agent.policy_files.neighbours import neighbours_of

TODAY = date(2026, 11, 24)
PAGE = Path(__file__).parents[2] / "docs" / "policies" / "native.md"
WHO = "anna@example.com"

SCREEN = """\
HubSpot property,Salesforce field,Sync rule
email,Email,Prefer Salesforce unless blank
jobtitle,Title,Always use Salesforce
phone,Phone,Two-way
fax,Fax,Don’t sync
country,"Lead: Country, Contact: MailingCountry",Prefer Salesforce unless blank
"""


def integration() -> Integration:
    found = integration_of(SYSTEMS)
    assert found is not None
    return found


def converted(text: str, file: str = "mapping.csv") -> Converted:
    mapping, wrong = read_mapping(file, text, integration())
    assert wrong == []
    return convert(mapping, WHO, TODAY, integration())


def rules(text: str) -> dict[str, FieldRule]:
    loaded = parse.load({"native.yaml": text}, None, TODAY, SYSTEMS)
    return {rule.name: rule for policy in loaded.fields for rule in policy.rules}


def reasons(found: Converted) -> dict[int, str]:
    return {remark.line: remark.why for remark in found.left_out}


def test_it_takes_the_place_of_the_shipped_policies() -> None:
    """Duplicates and stages go on without an edit: their names are there, read where the screen does not map them."""
    texts = shipped.texts()
    mapping, _ = read_mapping("mapping.csv", SCREEN, integration())
    company = Mapped(9, "name", "Name", "Two-way", "company")
    found = convert([*mapping, company], WHO, TODAY, integration(), neighbours_of(texts, TODAY, SYSTEMS))
    assert found.replaces == ("person-basics.yaml", "company-basics.yaml")
    staying = {name: text for name, text in texts.items() if name not in found.replaces}
    problems = parse.check({**staying, "native.yaml": found.text}, None, TODAY, SYSTEMS)
    assert [problem.message for problem in problems if not problem.is_warning] == []
    said = rules(found.text)
    assert said["job_title"].where["hubspot"] == {"contacts": "jobtitle"}
    assert (said["last_name"].wins, said["score"].wins) == (None, None)
    assert str(said["last_name"].clean) == "name"
    assert found.said == 7


def test_the_four_rules_mean_what_they_mean_there() -> None:
    found = rules(converted(SCREEN).text)
    said = {
        name: (rule.wins, rule.unless_blank, rule.may_clear, rule.undecided and rule.undecided.side)
        for name, rule in found.items()
    }
    assert said == {
        "email": ("salesforce", True, True, None),
        "jobtitle": ("salesforce", False, True, None),
        "phone": ("newest", False, True, "ask"),
        "fax": (None, False, False, None),
        "country": ("salesforce", True, True, None),
    }
    assert found["country"].where["salesforce"] == {"Lead": "Country", "Contact": "MailingCountry"}


def test_a_preset_is_the_same_line_as_its_own_words() -> None:
    preset, spelled = (
        rules(converted(SCREEN).text.replace("jobtitle, wins: always use salesforce", f"jobtitle, {words}"))["jobtitle"]
        for words in ("wins: always use salesforce", "wins: salesforce, may_clear: true")
    )
    assert (preset.rule, preset.aim) == (spelled.rule, spelled.aim)


def test_what_it_says_passes_check_and_nothing_is_lost() -> None:
    found = converted(SCREEN)
    assert parse.check({"native.yaml": found.text}, None, TODAY, SYSTEMS) == []
    assert (found.said, found.left_out) == (5, ())


def test_a_yaml_list_reads_alike() -> None:
    text = """\
- {hubspot: jobtitle, salesforce: Title, rule: Prefer Salesforce unless blank}
- {hubspot: country, salesforce: {Lead: Country, Contact: MailingCountry}, rule: Two-Way}
- {object: company, hubspot: domain, salesforce: Website, rule: Always use Salesforce}
"""
    found = converted(text, "mapping.yaml")
    assert set(rules(found.text)) == {"email", "jobtitle", "country", "domain"}
    assert any("added: a person finds its counterpart by it" in note.why for note in found.notes)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("jobtitle,Title,Prefer HubSpot unless bank", "is no rule of the integration"),
        ("jobtitle,Title,Prefer Saleforce unless blank", "Did you mean `prefer salesforce unless blank`?"),
        ("jobtitle,,Two-way", "it does not name a field on both sides"),
        ("lifecyclestage,Status,Two-way", "a policy of kind lifecycle"),
        ("email,Other__c,Two-way", "`email` is mapped already in line 2; each field is mapped once"),
        ("work_email,Email,Two-way", "is written by two lines"),
    ],
)
def test_what_cannot_be_said_is_named_with_its_line(line: str, why: str) -> None:
    found = converted(f"hubspot,salesforce,rule\nemail,Email,Two-way\n{line}\n")
    assert why in reasons(found)[3]
    assert found.said == 1


def test_an_object_that_is_not_synchronised_is_named() -> None:
    found = converted("hubspot,salesforce,rule,object\nsubject,Subject,Two-way,ticket\n")
    assert "`ticket` is not synchronised here" in reasons(found)[2]
    assert found.text == ""


def test_consent_and_owner_keep_their_own_rule() -> None:
    found = converted(
        "hubspot;salesforce;rule\nhs_email_optout;HasOptedOutOfEmail;Always use Salesforce\n"
        "hubspot_owner_id;OwnerId;Always use Salesforce\n"
    )
    said = rules(found.text)
    assert said["hs_email_optout"].wins == "opt-out"
    assert (said["hubspot_owner_id"].wins, said["hubspot_owner_id"].is_owner) == ("newest", True)
    assert len(found.notes) == 3


def test_a_file_without_a_heading_is_refused_by_name() -> None:
    mapping, (wrong,) = read_mapping("mapping.csv", "jobtitle,Title,Two-way\n", integration())
    assert mapping == []
    assert "the first line must name the columns: `hubspot,salesforce,rule`" in wrong.why


def test_the_mapping_on_the_page_says_what_the_page_says() -> None:
    (block,) = re.findall(r"^```csv\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found = converted(block)
    assert (found.said, list(reasons(found))) == (4, [5])
    assert found.text.count("mode: watch") == found.text.count("policy: ") == 2


def test_a_preset_keeps_a_word_of_its_own() -> None:
    text = converted(SCREEN).text.replace("wins: two-way", "wins: two-way, else: hubspot, may_clear: false")
    phone = rules(text)["phone"]
    assert (phone.undecided and phone.undecided.side, phone.may_clear) == ("hubspot", False)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("prefer salesforce unless blnk", "Did you mean `prefer salesforce unless blank`?"),
        ("always use hubspott", "Did you mean `always use hubspot`?"),
        ("two way", "Did you mean `two-way`?"),
        ("always use salesforce, else: ask", "Remove it."),
    ],
)
def test_a_misspelt_preset_is_told_with_the_nearest(words: str, advice: str) -> None:
    text = converted(SCREEN).text.replace("wins: two-way", f"wins: {words}")
    (problem,) = parse.check({"native.yaml": text}, None, TODAY, SYSTEMS)
    assert advice in problem.advice


names = st.text(st.sampled_from("abcXYZ_019 :-{},'\"#é"), max_size=8)
mapped = st.builds(
    Mapped,
    line=st.integers(2, 9),
    here=names,
    there=names,
    rule=st.sampled_from(["Two-way", "Don't sync", "always use salesforce", "Prefer Salesforce unless blank", "x"]),
    object=st.sampled_from(["contact", "company", "deal", "task"]),
)


@given(st.lists(mapped, max_size=6))
def test_whatever_is_typed_the_answer_passes_check_or_is_named(mapping: list[Mapped]) -> None:
    found = convert(mapping, WHO, TODAY, integration())
    added = sum(note.line == 0 for note in found.notes)
    assert found.said + len(found.left_out) == len(mapping) + added
    if found.text:
        assert parse.check({"native.yaml": found.text}, None, TODAY, SYSTEMS) == []
