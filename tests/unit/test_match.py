"""Keys for pairing, and which records of one system may be the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import pytest
from deciding import header, policy_set, rule
from hypothesis import given
from hypothesis import strategies as st

from agent.connector import Capabilities
from agent.decide.match import (
    LARGEST_CLUSTER,
    MOST_CANDIDATES,
    candidates,
    clusters,
    dedupe_keys,
    fields_of_keys,
    judge_pair,
    keys_of,
)
from agent.decide.policy import (
    Agreement,
    Cleaner,
    DedupeLine,
    DedupePolicy,
    EntityType,
    Place,
    PolicySet,
)
from agent.decide.similarity import is_similar
from agent.records import FieldValue, Record, Ref

RULES = (
    rule("email", salesforce="Email", hubspot="email", clean=Cleaner("email")),
    rule("first_name", salesforce="FirstName", hubspot="firstname", clean=Cleaner("name")),
    rule("last_name", salesforce="LastName", hubspot="lastname", clean=Cleaner("name")),
    rule("phone", salesforce="Phone", hubspot="phone", clean=Cleaner("phone", "US")),
    rule("country", salesforce="MailingCountry", hubspot="country", clean=Cleaner("country")),
    rule("job_title", salesforce="Title", hubspot="jobtitle"),
)


def dedupe_line(certainty: str, *parts: str, at_least: int | None = None) -> DedupeLine:
    agreements = tuple(Agreement(*part.split(" ", 1)) for part in parts)
    return DedupeLine(agreements, at_least, certainty, Place("person-duplicates.yaml", 9))


def dedupe(*lines: DedupeLine, never: Iterable[str] = (), ignore: tuple[str, ...] = ()) -> DedupePolicy:
    vetoes = tuple(Agreement(*part.split(" ", 1)) for part in never)
    return DedupePolicy(header("person-duplicates", "dedupe"), "person", lines, vetoes, ignore)


def policies_with(policy: DedupePolicy) -> PolicySet:
    return policy_set(*RULES, dedupe=(policy,))


NOTHING = policy_set(*RULES)
PERSON = NOTHING.entity_types["person"]
USER = EntityType("user", {"app": ("users",), "shop": ("users",)}, ("stored id",), {}, "users", Place("users.yaml", 1))
SAME_EMAIL = dedupe_line("certain", "email same")
WEAK = dedupe_line("likely", "phone same", "last_name very similar")


def person(number: int = 1, **fields: FieldValue) -> Record:
    return Record(Ref("salesforce", "Contact", f"003{number}"), fields)


def in_hubspot(**fields: FieldValue) -> Record:
    return Record(Ref("hubspot", "contacts", "101"), fields)


def keys(record: Record, entity_type: EntityType = PERSON, policies: PolicySet = NOTHING) -> set[tuple[str, str]]:
    return set(keys_of(record, entity_type, policies))


class TestPairingKeys:
    def test_both_sides_answer_to_one_email(self) -> None:
        assert ("email", "ann@acme.com") in keys(person(Email="Ann@Acme.com "))
        assert ("email", "ann@acme.com") in keys(in_hubspot(email="ann@acme.com"))

    @pytest.mark.parametrize("salesforce_id", ["003000000000001AAA", "003000000000001"])
    def test_a_stored_salesforce_id_meets_the_record_it_names(self, salesforce_id: str) -> None:
        here = Record(Ref("salesforce", "Contact", "003000000000001AAA"), {})
        shared = keys(here) & keys(in_hubspot(salesforcecontactid=salesforce_id))
        assert shared == {("stored id", "salesforce:Contact/003000000000001")}

    def test_ids_differing_only_in_case_are_two_records(self) -> None:
        here = Record(Ref("salesforce", "Contact", "00300000000000aAAA"), {})
        assert not keys(here) & keys(in_hubspot(salesforcecontactid="00300000000000AAAA"))

    def test_two_systems_that_count_alike_do_not_meet_by_their_own_ids(self) -> None:
        policies = policy_set(entity_types={"user": USER})
        here, there = (Record(Ref(system, "users", "1"), {}) for system in USER.records)
        assert not {*keys_of(here, USER, policies)} & {*keys_of(there, USER, policies)}

    def test_a_contact_id_is_offered_before_a_lead_id(self) -> None:
        both = in_hubspot(salesforceleadid="00Q1", salesforcecontactid="0031")
        stored = [value for kind, value in keys_of(both, PERSON, NOTHING) if kind == "stored id"]
        assert stored == ["hubspot:contacts/101", "salesforce:Contact/0031", "salesforce:Lead/00Q1"]

    def test_what_a_connector_says_of_stored_ids_and_link_keys_counts(self) -> None:
        capabilities = Capabilities(
            False,
            False,
            False,
            True,
            False,
            100,
            100,
            stored_ids={"contacts": {"old_crm_id": "Contact"}},
            link_keys={"contacts": "truce_key"},
        )
        record = in_hubspot(old_crm_id="0031", truce_key="person-57-1", salesforcecontactid="0039")
        found = set(keys_of(record, PERSON, NOTHING, capabilities))
        assert {("stored id", "salesforce:Contact/0031"), ("link key", "person-57-1")} <= found
        assert ("stored id", "salesforce:Contact/0039") not in found

    def test_stored_ids_count_only_where_the_policy_matches_by_them(self) -> None:
        by_email = replace(PERSON, match=("email",))
        found = keys(in_hubspot(salesforcecontactid="0031", email="a@acme.com"), by_email)
        assert {kind for kind, _ in found} == {"email"}

    def test_free_mail_is_no_company_key(self) -> None:
        company = replace(PERSON, name="person", match=("domain",))
        policies = policy_set(rule("domain", salesforce="Website", hubspot="domain", clean=Cleaner("domain")))
        assert keys(person(Website="https://www.acme.com"), company, policies) == {("domain", "acme.com")}
        assert keys(person(Website="gmail.com"), company, policies) == set()

    @pytest.mark.parametrize("blank", [None, "", "  "])
    def test_a_blank_or_absent_value_is_no_key(self, blank: FieldValue) -> None:
        assert {kind for kind, _ in keys(person(Email=blank))} == {"stored id"}
        assert {kind for kind, _ in keys(person())} == {"stored id"}

    def test_an_address_is_marked_where_somebody_opted_out(self) -> None:
        consent = rule("opted_out", salesforce="HasOptedOutOfEmail", hubspot="hs_email_optout", wins="opt-out")
        policies = policy_set(*RULES, consent)
        marked = ("opted out", "ann@acme.com")
        assert marked in keys(person(Email="Ann@Acme.com", HasOptedOutOfEmail=True), policies=policies)
        assert marked in keys(in_hubspot(email="ann@acme.com", hs_email_optout=" TRUE"), policies=policies)
        for answer in (False, None, "false", ""):
            assert marked not in keys(person(Email="ann@acme.com", HasOptedOutOfEmail=answer), policies=policies)
        assert "HasOptedOutOfEmail" in fields_of_keys(PERSON, policies, "salesforce", "Contact")

    def test_duplicate_keys_are_kept_with_the_others(self) -> None:
        policies = policies_with(dedupe(SAME_EMAIL))
        assert ("same email", "a@acme.com") in keys(person(Email="a@acme.com"), PERSON, policies)


class TestIndex:
    def test_all_equality_parts_of_a_line_make_one_key(self) -> None:
        policy = dedupe(dedupe_line("likely", "phone same", "last_name same", "first_name similar"))
        record = person(Phone="(415) 555-0100", LastName="Lee", FirstName="Ann")
        assert list(dedupe_keys(record, policy, policies_with(policy))) == [
            ("same phone + last_name", "+14155550100 | lee")
        ]

    def test_a_line_without_equality_makes_no_key(self) -> None:
        policy = dedupe(dedupe_line("likely", "last_name very similar"))
        assert list(dedupe_keys(person(LastName="Lee"), policy, policies_with(policy))) == []

    def test_ignored_values_make_no_key(self) -> None:
        policy = dedupe(SAME_EMAIL, dedupe_line("certain", "phone same"), ignore=("shared mailboxes", "switchboards"))
        for fields in ({"Email": "info@acme.com"}, {"Phone": "000 000 0000"}, {"Phone": "123-456-7890"}):
            assert list(dedupe_keys(person(**fields), policy, policies_with(policy))) == []
        assert len(list(dedupe_keys(person(Email="ann@acme.com"), policy, policies_with(policy)))) == 1

    def test_a_value_shared_by_too_many_is_a_placeholder(self) -> None:
        policy = dedupe(SAME_EMAIL)
        crowd = [Ref("salesforce", "Contact", str(number)) for number in range(MOST_CANDIDATES + 1)]
        record = person(Email="ann@acme.com")
        assert candidates(record, policy, policies_with(policy), lambda kind, value: crowd) == []
        assert candidates(record, policy, policies_with(policy), lambda kind, value: crowd[:2]) == crowd[:2]


class TestJudging:
    @pytest.mark.parametrize(
        ("here", "there", "certainty"),
        [
            ({"Email": "a@acme.com"}, {"Email": "A@acme.com"}, "certain"),
            ({"Email": "a@acme.com"}, {"Email": "b@acme.com"}, None),
            (
                {"Phone": "415-555-0100", "LastName": "Lopez"},
                {"Phone": "(415) 555-0100", "LastName": "Lopes"},
                "likely",
            ),
            ({"Phone": "415-555-0100", "LastName": "Lopez"}, {"Phone": "(415) 555-0100", "LastName": "Kim"}, None),
            ({"Email": None}, {"Email": None}, None),
            ({}, {"Email": "a@acme.com"}, None),
        ],
    )
    def test_lines(self, here: dict[str, FieldValue], there: dict[str, FieldValue], certainty: str | None) -> None:
        policy = dedupe(SAME_EMAIL, WEAK)
        found = judge_pair(person(1, **here), person(2, **there), policy, policies_with(policy))
        assert (found.certainty if found else None) == certainty

    def test_certain_lines_speak_first(self) -> None:
        policy = dedupe(WEAK, SAME_EMAIL)
        same: dict[str, FieldValue] = {"Email": "a@acme.com", "Phone": "415-555-0100", "LastName": "Lee"}
        found = judge_pair(person(1, **same), person(2, **same), policy, policies_with(policy))
        assert found is not None
        assert (found.certainty, found.sentence) == ("certain", "certain: email is same")
        assert str(found.place) == "person-duplicates.yaml:9"

    def test_never_vetoes_and_a_blank_does_not(self) -> None:
        policy = dedupe(SAME_EMAIL, never=("country differs",))
        policies = policies_with(policy)
        german = person(1, Email="a@acme.com", MailingCountry="Deutschland")
        assert judge_pair(german, person(2, Email="a@acme.com", MailingCountry="AT"), policy, policies) is None
        assert judge_pair(german, person(2, Email="a@acme.com", MailingCountry="DE"), policy, policies)
        assert judge_pair(german, person(2, Email="a@acme.com", MailingCountry=None), policy, policies)

    def test_at_least_counts_the_parts_that_agree(self) -> None:
        line = dedupe_line("likely", "first_name same", "last_name same", "phone same", "job_title similar", at_least=3)
        policy = dedupe(line)
        policies = policies_with(policy)
        ann = person(1, FirstName="Ann", LastName="Lee", Phone="415-555-0100", Title="CEO")
        three = person(2, FirstName="Ann", LastName="Lee", Phone="4155550100", Title="Nurse")
        two = person(3, FirstName="Ann", LastName="Lee", Phone="415-555-0199", Title="Nurse")
        found = judge_pair(ann, three, policy, policies)
        assert found is not None
        assert found.sentence.startswith("likely: 3 of 4 agree")
        assert judge_pair(ann, two, policy, policies) is None

    def test_colleagues_share_the_domain_of_their_addresses(self) -> None:
        policy = dedupe(dedupe_line("likely", "email_domain same", "last_name same"), ignore=("free mail",))
        policies = policies_with(policy)
        ann = person(1, LastName="Lee", Email="ann@acme.com")
        assert ("same email_domain + last_name", "acme.com | lee") in keys(ann, policies=policies)
        assert judge_pair(ann, person(2, LastName="Lee", Email="a.lee@mail.acme.com"), policy, policies) is not None
        assert judge_pair(ann, person(3, LastName="Lee", Email="ann@globex.com"), policy, policies) is None
        assert judge_pair(ann, person(4, LastName="Lee", Email="no address"), policy, policies) is None
        one, other = person(5, LastName="Lee", Email="ann@gmail.com"), person(6, LastName="Lee", Email="al@gmail.com")
        assert judge_pair(one, other, policy, policies) is None

    def test_two_people_of_a_shared_mailbox_are_not_one(self) -> None:
        policy = dedupe(SAME_EMAIL, ignore=("shared mailboxes",))
        here, there = person(1, Email="sales@acme.com"), person(2, Email="sales@acme.com")
        assert judge_pair(here, there, policy, policies_with(policy)) is None

    def test_company_names_are_compared_without_their_legal_form(self) -> None:
        name = rule("name", salesforce="LastName", hubspot="lastname")
        line = dedupe_line("likely", "name very similar")
        policy = replace(dedupe(line), about="company")
        policies = policy_set(name, dedupe=(policy,))
        policies = replace(policies, fields=(replace(policies.fields[0], about="company"),))
        here, there = person(1, LastName="Acme GmbH"), person(2, LastName="ACME Inc.")
        assert judge_pair(here, there, policy, policies) is not None


fields = st.fixed_dictionaries(
    {},
    optional={
        "Email": st.sampled_from(["a@acme.com", "b@acme.com", "info@acme.com", None]),
        "FirstName": st.sampled_from(["Ann", "Bob", ""]),
        "LastName": st.sampled_from(["Lee", "Lopez", "Lopes"]),
        "Phone": st.sampled_from(["415-555-0100", "(415) 555-0100", "415-555-0199"]),
        "MailingCountry": st.sampled_from(["US", "USA", "DE", None]),
        "Title": st.sampled_from(["CEO", "Chief"]),
    },
)
parts = st.sampled_from(
    ["email same", "first_name same", "last_name same", "phone same", "country same", "job_title similar"]
)


@st.composite
def lines(draw: st.DrawFn) -> DedupeLine:
    chosen = draw(st.lists(parts, min_size=1, max_size=5, unique=True))
    at_least = draw(st.one_of(st.none(), st.integers(min_value=1, max_value=len(chosen))))
    return dedupe_line(draw(st.sampled_from(["certain", "likely"])), *chosen, at_least=at_least)


@given(here=fields, there=fields, line=lines(), ignored=st.booleans())
def test_the_index_finds_every_pair_that_a_line_with_enough_equality_calls_the_same(
    here: dict[str, FieldValue], there: dict[str, FieldValue], line: DedupeLine, ignored: bool
) -> None:
    policy = dedupe(line, ignore=("shared mailboxes",) if ignored else ())
    policies = policies_with(policy)
    first, second = person(1, **here), person(2, **there)
    index: dict[tuple[str, str], set[Ref]] = defaultdict(set)
    for record in (first, second):
        for key in keys_of(record, PERSON, policies):
            index[key].add(record.ref)
    others = sum(part.how != "same" for part in line.parts)
    has_equality = (line.at_least or len(line.parts)) > others
    judged = judge_pair(first, second, policy, policies)
    found = candidates(first, policy, policies, lambda kind, value: index[kind, value])
    if judged is not None and has_equality:
        assert found == [second.ref]
    assert judge_pair(second, first, policy, policies) == judged


class TestClusters:
    def ref(self, number: int) -> Ref:
        return Ref("salesforce", "Contact", f"{number:04d}")

    def test_records_belong_together_through_others(self) -> None:
        found, left_out = clusters([(self.ref(1), self.ref(2)), (self.ref(2), self.ref(3)), (self.ref(8), self.ref(9))])
        assert found == [
            frozenset({self.ref(1), self.ref(2), self.ref(3)}),
            frozenset({self.ref(8), self.ref(9)}),
        ]
        assert left_out == []

    def test_a_chain_is_cut_before_it_swallows_everybody(self) -> None:
        chain = [(self.ref(number), self.ref(number + 1)) for number in range(100)]
        found, left_out = clusters(chain)
        assert max(len(cluster) for cluster in found) <= LARGEST_CLUSTER
        assert len(left_out) > 0


@pytest.mark.parametrize(
    ("here", "there", "how"),
    [
        ("Maria Lopez", "Maria Lopes", "very similar"),
        ("Lopez, Maria", "Maria Lopez", "very similar"),
        ("Müller", "muller", "very similar"),
        ("Anna Meyer", "Anne Meier", "similar"),
        ("Blue Sky", "BlueSky", "very similar"),
        ("Maria J. Lopez", "Maria Lopez", "very similar"),
    ],
)
def test_names_that_are_alike(here: str, there: str, how: str) -> None:
    assert is_similar(here, there, how, of_company=False)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("Lee", "Lea"),
        ("Alpha Systems", "Alpha Solutions"),
        ("Peter Parker", "Paul Parker"),
        ("Ann Ann", "Ann Bob"),
        ("", ""),
        ("Ann", ""),
    ],
)
def test_names_that_are_not(here: str, there: str) -> None:
    assert not is_similar(here, there, "similar", of_company=True)
