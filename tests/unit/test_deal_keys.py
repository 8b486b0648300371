"""Keys that name other records: each CRM has its own id for one company."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from shipped_systems import SYSTEMS

from agent.decide import parse, prepare
from agent.decide.match import fields_of_keys, keys_of, linked_elsewhere
from agent.errors import PolicyError
from agent.records import Record, Ref

POLICIES = Path(__file__).parents[2] / "policies"
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in POLICIES.glob("*.yaml")}
PREPARED = prepare(parse.load(SOURCES, None, date(2026, 11, 24), SYSTEMS))
DEAL = PREPARED.policies.entity_types["deal"]
READERS = PREPARED.readers("deal", "salesforce", "Opportunity")


def keys(**fields: str | None) -> dict[str, str]:
    record = Record(Ref("salesforce", "Opportunity", "0061"), fields)
    return dict(keys_of(record, DEAL, PREPARED))


def test_name_and_company_are_one_key_with_the_id_as_it_is() -> None:
    found = keys(Name="ACME Renewal", AccountId="001aB")
    assert found["name + company"] == "acme renewal | 001aB"
    assert found["links to company"] == "001aB"


def test_without_a_name_or_a_company_there_is_no_such_key() -> None:
    assert "name + company" not in keys(Name="Renewal", AccountId=None)
    assert "name + company" not in keys(Name=None, AccountId="001aB")


def test_the_key_reads_as_the_other_system_would_write_it() -> None:
    value = "acme | renewal | 001aB"
    counterparts = {("company", "001aB"): "101"}
    found = linked_elsewhere("name + company", value, READERS, lambda kind, here: counterparts.get((kind, here)))
    assert found == "acme | renewal | 101"


def test_a_company_without_a_counterpart_leaves_nothing_to_compare() -> None:
    assert linked_elsewhere("name + company", "renewal | 001aB", READERS, lambda kind, here: None) is None


def test_the_mirror_makes_the_key_anew_when_the_company_changes() -> None:
    assert {"Name", "AccountId"} <= fields_of_keys(DEAL, PREPARED, "salesforce", "Opportunity")


def test_a_line_that_links_to_nothing_known_is_refused_with_advice() -> None:
    text = SOURCES["deal-basics.yaml"].replace("links_to: company", "links_to: compny")
    problems = parse.check({**SOURCES, "deal-basics.yaml": text}, None, date(2026, 11, 24), SYSTEMS)
    (problem,) = [each for each in problems if not each.is_warning]
    assert "no policy defines `compny`" in problem.message
    assert "company" in problem.advice


def test_a_linked_line_is_neither_cleaned_nor_mapped() -> None:
    text = SOURCES["deal-basics.yaml"].replace("links_to: company", "links_to: company, clean: name")
    with pytest.raises(PolicyError) as refused:
        parse.load({**SOURCES, "deal-basics.yaml": text}, None, date(2026, 11, 24), SYSTEMS)
    assert "exclude each other" in str(refused.value.problems[0])


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("deal-basics.yaml", "first_time:", "when_removed: remove too\nfirst_time:", "only what joins two things"),
        (
            "contact-roles.yaml",
            "  hubspot: {from: OpportunityContactRole}\n",
            "",
            "must also be created on both sides",
        ),
    ],
)
def test_only_what_joins_two_things_and_can_be_made_again_is_removed_with_its_counterpart(
    file: str, before: str, after: str, message: str
) -> None:
    roles = SOURCES["contact-roles.yaml"].replace("first_time:", "when_removed: remove too\nfirst_time:")
    sources = {**SOURCES, "contact-roles.yaml": roles}
    sources[file] = sources[file].replace(before, after)
    with pytest.raises(PolicyError) as refused:
        parse.load(sources, None, date(2026, 11, 24), SYSTEMS)
    assert message in str(refused.value.problems[0])
