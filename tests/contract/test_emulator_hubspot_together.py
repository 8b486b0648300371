"""The emulator's HubSpot where records meet: merges, lifecycles, associations, and what people do."""

from __future__ import annotations

from typing import Any

import pytest
from practice_portal import PLAIN_COMPANY, PRIMARY_COMPANY, Json, PracticePortal, code, problem, refusal, where

from connectors.emulator.admin_client import AdminRefusedError
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


# Merges --------------------------------------------------------------------------------------------------------------


def test_a_merge_makes_a_new_record_that_both_old_ids_lead_to(portal: PracticePortal) -> None:
    """44"""
    ada, bea = portal.make(email="ada@example.com"), portal.make(email="bea@example.com")
    survivor = portal.merge(ada, bea)
    assert survivor not in (ada, bea)
    assert [portal.read("contacts", one).id for one in (ada, bea, survivor)] == [survivor] * 3
    portal.change("contacts", bea, city="Turin")
    assert portal.value("contacts", survivor, "city") == "Turin"
    assert set(portal.value("contacts", survivor, "hs_merged_object_ids").split(";")) == {ada, bea}
    for archived in (False, True):
        listed = [one.id for one in portal.basic.get_page("contacts", archived=archived).results]
        assert listed == ([] if archived else [survivor])
    assert portal.found() == [survivor]


def test_the_primary_wins_and_the_other_fills_the_blanks(portal: PracticePortal) -> None:
    """44"""
    ada = portal.make(email="ada@example.com", city="Turin", jobtitle="CTO")
    bea = portal.make(email="bea@example.com", city="Bari", phone="1")
    survivor = portal.merge(ada, bea)
    assert portal.values("contacts", survivor, "email", "city", "jobtitle", "phone", "hs_additional_emails") == {
        "email": "ada@example.com",
        "city": "Turin",
        "jobtitle": "CTO",
        "phone": "1",
        "hs_additional_emails": "bea@example.com",
    }
    assert [one.value for one in portal.history("contacts", survivor, "city")] == ["Turin", "Bari"]


def test_a_merged_record_is_as_old_as_the_older_unless_switched_so(portal: PracticePortal) -> None:
    """44"""
    old = portal.make()
    portal.advance(3600)
    new = portal.make()
    survivor = portal.merge(new, old)
    assert portal.value("contacts", survivor, "createdate") == "2026-11-02T09:00:00.000Z"
    portal.switch("merge_keeps_oldest_date", False)
    again = portal.merge(survivor, portal.make())
    assert portal.value("contacts", again, "createdate") == "2026-11-02T10:00:00.000Z"


def test_merges_in_a_chain_lead_every_id_to_the_last(portal: PracticePortal) -> None:
    """44"""
    ada, bea, cleo = (portal.make(email=f"{name}@example.com") for name in ("ada", "bea", "cleo"))
    middle = portal.merge(ada, bea)
    last = portal.merge(bea, cleo)
    assert [portal.read("contacts", one).id for one in (ada, bea, middle, cleo)] == [last] * 4
    merged = portal.value("contacts", last, "hs_merged_object_ids").split(";")
    assert sorted(merged, key=int) == [ada, bea, cleo, middle]
    vids = portal.value("contacts", last, "hs_calculated_merged_vids").split(";")
    assert vids == [f"{one}:1793610000000" for one in (middle, cleo, ada, bea)]


def test_archiving_a_merged_id_archives_the_survivor_unless_switched_so(portal: PracticePortal) -> None:
    """44"""
    ada, survivor = merged_pair(portal)
    portal.switch("archive_follows_merge", False)
    portal.basic.archive("contacts", ada)
    assert portal.read("contacts", survivor).id == survivor
    portal.switch("archive_follows_merge", True)
    portal.basic.archive("contacts", ada)
    assert code(portal.read, "contacts", survivor) == (404, "OBJECT_NOT_FOUND")


def merged_pair(portal: PracticePortal) -> tuple[str, str]:
    ada = portal.make()
    return ada, portal.merge(ada, portal.make())


@pytest.mark.parametrize("object_type", ["contacts", "companies", "deals", "tickets"])
def test_four_object_types_merge(portal: PracticePortal, object_type: str) -> None:
    """44"""
    survivor = portal.merge(portal.make(object_type), portal.make(object_type), object_type)
    assert portal.read(object_type, survivor).id == survivor


def test_some_records_do_not_merge(portal: PracticePortal) -> None:
    """44"""
    ada, task = portal.make(), portal.make("tasks")
    assert code(portal.merge, ada, ada) == (400, "VALIDATION_ERROR")
    assert code(portal.merge, ada, "404") == (404, "OBJECT_NOT_FOUND")
    both = {"primaryObjectId": task, "objectIdToMerge": task}
    assert portal.request("POST", "/crm/v3/objects/tasks/merge", both)[0] == 400


def test_more_than_250_past_merges_are_too_many(portal: PracticePortal) -> None:
    """45"""
    desk = portal.emulator.practice.desks["hubspot"]
    past = ";".join(str(number) for number in range(100_000, 100_250))
    rows = [{"hs_merged_object_ids": past}, {}]
    first, second = portal.emulator.call(lambda: desk.seed_many("contacts", rows, actor=Actor("seed", "system")))
    status, body = refusal(portal.merge, first, second)
    assert (status, body["message"]) == (414, "Cannot have more than 250 identities on a profile")
    assert [portal.read("contacts", one).id for one in (first, second)] == [first, second]


def test_associations_are_united_and_the_primary_company_stays_one(portal: PracticePortal) -> None:
    """46"""
    ada, bea = portal.make(email="ada@example.com"), portal.make(email="bea@example.com")
    acme, engines = portal.make("companies"), portal.make("companies")
    portal.associate(ada, acme)
    portal.associate(bea, engines)
    survivor = portal.merge(ada, bea)
    assert portal.company_labels(survivor) == {acme: [1, 279], engines: [279]}
    assert portal.value("contacts", survivor, "associatedcompanyid") == acme


def test_the_companies_of_the_other_fill_an_empty_place(portal: PracticePortal) -> None:
    """46"""
    ada, bea, acme = portal.make(), portal.make(), portal.make("companies")
    portal.associate(bea, acme)
    assert portal.company_labels(portal.merge(ada, bea)) == {acme: [1, 279]}


# Lifecycles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("object_type", ["contacts", "companies"])
def test_a_step_back_is_answered_200_and_not_made(portal: PracticePortal, object_type: str) -> None:
    """47"""
    record_id = portal.make(object_type, lifecyclestage="customer")
    portal.advance(60)
    answer = portal.change(object_type, record_id, lifecyclestage="lead", city="Turin")
    assert (answer.properties["lifecyclestage"], answer.properties["city"]) == ("customer", "Turin")
    portal.change(object_type, record_id, lifecyclestage="")
    portal.change(object_type, record_id, lifecyclestage="lead")
    assert portal.value(object_type, record_id, "lifecyclestage") == "lead"


def test_a_step_back_alone_still_touches_the_record(portal: PracticePortal) -> None:
    """47"""
    contact = portal.make(lifecyclestage="customer")
    portal.advance(60)
    portal.change("contacts", contact, lifecyclestage="lead")
    assert portal.value("contacts", contact, "lastmodifieddate") == "2026-11-02T09:01:00.000Z"


def test_a_step_back_in_a_batch_is_not_made_either(portal: PracticePortal) -> None:
    """47"""
    contact = portal.make(lifecyclestage="customer")
    inputs = [{"id": contact, "properties": {"lifecyclestage": "lead"}, "objectWriteTraceId": "E-1"}]
    (answer,) = portal.batch.update("contacts", {"inputs": inputs}).results
    assert answer.properties["lifecyclestage"] == "customer"


def test_people_may_step_back(portal: PracticePortal) -> None:
    """47, 60"""
    contact = portal.make(lifecyclestage="customer")
    portal.person_edits("contacts", contact, lifecyclestage="lead")
    assert portal.value("contacts", contact, "lifecyclestage") == "lead"


def test_each_stage_has_the_date_it_was_entered(portal: PracticePortal) -> None:
    """48"""
    contact = portal.make(lifecyclestage="lead")
    portal.advance(60)
    portal.change("contacts", contact, lifecyclestage="customer")
    for name in ("hs_lifecyclestage_{}_date", "hs_date_entered_{}"):
        names = [name.format(stage) for stage in ("lead", "customer", "other")]
        assert list(portal.values("contacts", contact, *names).values()) == [
            "2026-11-02T09:00:00.000Z",
            "2026-11-02T09:01:00.000Z",
            None,
        ]


def test_clearing_the_stage_keeps_the_dates_unless_switched_so(portal: PracticePortal) -> None:
    """48"""
    contact = portal.make(lifecyclestage="lead")
    portal.change("contacts", contact, lifecyclestage="")
    assert portal.value("contacts", contact, "hs_lifecyclestage_lead_date") == "2026-11-02T09:00:00.000Z"
    portal.switch("clearing_keeps_stage_dates", False)
    portal.change("contacts", contact, lifecyclestage="lead")
    portal.change("contacts", contact, lifecyclestage="")
    assert portal.value("contacts", contact, "hs_lifecyclestage_lead_date") is None


def test_new_contacts_and_companies_begin_as_leads_unless_switched_so(portal: PracticePortal) -> None:
    """49"""
    assert portal.value("contacts", portal.make(), "lifecyclestage") == "lead"
    portal.switch("default_lifecyclestage", None)
    assert portal.value("companies", portal.make("companies"), "lifecyclestage") is None


def deal_with(portal: PracticePortal, contact: str, company: str, **values: str) -> str:
    ties = [
        {"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]},
        {"to": {"id": company}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 341}]},
    ]
    return portal.make("deals", ties, **values)


def test_deals_move_people_and_companies_when_switched_on(portal: PracticePortal) -> None:
    """49"""
    contact, company = portal.make(), portal.make("companies")
    deal_with(portal, contact, company)
    assert portal.value("contacts", contact, "lifecyclestage") == "lead"
    portal.switch("deal_created_stage", "opportunity")
    portal.switch("deal_won_stage", "customer")
    deal = deal_with(portal, contact, company)
    assert portal.value("contacts", contact, "lifecyclestage") == "opportunity"
    (moved, *_) = portal.history("contacts", contact, "lifecyclestage")
    assert moved.source_type == "AUTOMATION_PLATFORM"
    portal.change("deals", deal, dealstage="closedwon")
    assert portal.value("companies", company, "lifecyclestage") == "customer"
    deal_with(portal, contact, company)
    assert portal.value("contacts", contact, "lifecyclestage") == "customer", "nothing moves back"


def test_a_deal_made_in_a_batch_or_by_a_person_moves_them_too(portal: PracticePortal) -> None:
    """49"""
    portal.switch("deal_created_stage", "opportunity")
    first, second = portal.make(), portal.make()
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}
    tie = [{"to": {"id": first}, "types": [spec]}]
    values = {"dealname": "D", "dealstage": "qualifiedtobuy"}
    portal.batch.create("deals", {"inputs": [{"properties": values, "associations": tie}]})
    assert portal.value("contacts", first, "lifecyclestage") == "opportunity"
    deal = portal.person_makes("deals", **values)
    portal.person("link", **{"from": ["deals", deal], "to": ["contacts", second]})
    portal.switch("deal_won_stage", "customer")
    portal.person_edits("deals", deal, dealstage="closedwon")
    assert portal.value("contacts", second, "lifecyclestage") == "customer"


def test_a_company_moves_its_contacts_when_switched_on(portal: PracticePortal) -> None:
    """49"""
    contact, company = portal.make(), portal.make("companies")
    portal.associate(contact, company)
    portal.switch("company_stage_to_contacts", True)
    portal.change("companies", company, lifecyclestage="customer")
    assert portal.value("contacts", contact, "lifecyclestage") == "customer"


def test_a_stage_of_the_account_has_a_number_and_a_place(portal: PracticePortal) -> None:
    """50"""
    api = portal.client.crm.pipelines.pipeline_stages_api
    stage = api.create("contacts", "contacts-lifecycle-pipeline", {"label": "Fan", "displayOrder": 9, "metadata": {}})
    assert stage.id.isdigit()
    contact = portal.make(lifecyclestage=stage.id)
    assert portal.change("contacts", contact, lifecyclestage="customer").properties["lifecyclestage"] == stage.id
    options = portal.client.crm.properties.core_api.get_by_name("contacts", "lifecyclestage").options
    assert [one.value for one in options][-1] == stage.id
    api.archive("contacts", "contacts-lifecycle-pipeline", stage.id)
    assert problem(portal.make, lifecyclestage=stage.id) == ("INVALID_OPTION", "lifecyclestage")


def test_a_deal_tells_whether_it_is_closed_and_won(portal: PracticePortal) -> None:
    """48"""
    deal = portal.make("deals", amount="1000")
    names = ("hs_is_closed", "hs_is_closed_won", "hs_deal_stage_probability", "amount_in_home_currency")
    assert list(portal.values("deals", deal, *names).values()) == ["false", "false", "0.4", "1000"]
    portal.change("deals", deal, dealstage="closedlost")
    assert list(portal.values("deals", deal, *names).values()) == ["true", "false", "0.0", "1000"]


def test_each_stage_of_a_pipeline_has_the_dates_of_entering_and_leaving_it(portal: PracticePortal) -> None:
    """48"""
    deal = portal.make("deals", dealstage="qualifiedtobuy")
    crm = portal.client.crm.pipelines
    stage = {"label": "Legal", "displayOrder": 9, "metadata": {"probability": "0.7"}}
    legal = crm.pipeline_stages_api.create("deals", "default", stage).id
    names = [f"hs_v2_date_{verb}_{one}" for one in ("qualifiedtobuy", legal) for verb in ("entered", "exited")]
    nine = "2026-11-02T09:{:02d}:00.000Z".format
    portal.advance(60)
    portal.change("deals", deal, dealstage=legal)
    assert list(portal.values("deals", deal, *names).values()) == [nine(0), nine(1), nine(1), None]
    portal.advance(60)
    portal.change("deals", deal, dealstage="qualifiedtobuy", amount="1")
    assert list(portal.values("deals", deal, *names).values()) == [nine(2), None, nine(1), nine(2)]
    portal.change("deals", deal, amount="2")
    assert portal.value("deals", deal, names[0]) == nine(2)
    assert problem(portal.change, "deals", deal, **{names[0]: nine(0)}) == ("READ_ONLY_VALUE", names[0])


# Associations --------------------------------------------------------------------------------------------------------


def test_the_default_association_is_set_both_ways_and_again_without_harm(portal: PracticePortal) -> None:
    """51"""
    contact, acme, engines = portal.make(), portal.make("companies"), portal.make("companies")
    portal.associate(contact, acme)
    for _ in range(2):
        answer = portal.associate(contact, engines)
        specs = {(one._from.id, one.association_spec.association_type_id) for one in answer.results}
        assert specs == {(contact, 279), (engines, 280)}
    assert portal.company_labels(contact) == {acme: [1, 279], engines: [279]}
    back = portal.client.crm.associations.v4.basic_api.get_page("companies", acme, "contacts").results
    assert [[one.type_id for one in each.association_types] for each in back] == [[2, 280]]


def test_ids_are_numbers_in_v4_and_text_in_the_dated_versions(portal: PracticePortal, emulator: Emulator) -> None:
    """51"""
    contact, company = portal.make(), portal.make("companies")
    portal.associate(contact, company)
    found = {}
    for version, path in (("v4", "/crm/v4/objects"), ("2026-03", "/crm/objects/2026-03")):
        _, body = portal.request("GET", f"{path}/contacts/{contact}/associations/companies")
        found[version] = body["results"][0]["toObjectId"]
    assert found == {"v4": int(company), "2026-03": company}


def label(portal: PracticePortal, name: str = "Board", inverse: str | None = None) -> tuple[Json, int]:
    """A label between contacts and companies: its spec, and its number seen from the company."""
    body = {"label": name, "name": name.lower(), **({"inverseLabel": inverse} if inverse else {})}
    made = portal.client.crm.associations.v4.schema.definitions_api.create("contacts", "companies", body).results
    return {"associationCategory": "USER_DEFINED", "associationTypeId": made[0].type_id}, made[1].type_id


def test_a_labelled_association_replaces_the_labels_of_a_pair(portal: PracticePortal) -> None:
    """51"""
    contact, company = portal.make(), portal.make("companies")
    board, inverse = label(portal, "Board member", "Board of")
    portal.associate(contact, company)
    answer = portal.associate(contact, company, board)
    assert answer.labels == ["Board member"]
    assert portal.company_labels(contact) == {company: [279, board["associationTypeId"]]}
    portal.associate(contact, company, PRIMARY_COMPANY, board)
    assert portal.company_labels(contact) == {company: [1, 279, board["associationTypeId"]]}
    back = portal.client.crm.associations.v4.basic_api.get_page("companies", company, "contacts").results
    assert [(one.type_id, one.label) for one in back[0].association_types if one.label] == [
        (2, "Primary"),
        (inverse, "Board of"),
    ]


def test_removing_the_unlabelled_type_removes_every_label(portal: PracticePortal) -> None:
    """51"""
    contact, company = portal.make(), portal.make("companies")
    board, _ = label(portal)
    api = portal.client.crm.associations.v4.batch_api
    pair = {"from": {"id": contact}, "to": {"id": company}}
    portal.associate(contact, company, PRIMARY_COMPANY, board)
    api.archive_labels("contacts", "companies", {"inputs": [{**pair, "types": [board]}]})
    assert portal.company_labels(contact) == {company: [1, 279]}
    api.archive_labels("contacts", "companies", {"inputs": [{**pair, "types": [PLAIN_COMPANY]}]})
    assert portal.company_labels(contact) == {}
    assert portal.value("contacts", contact, "associatedcompanyid") is None


def test_a_pair_is_removed_as_a_whole(portal: PracticePortal) -> None:
    """51"""
    contact, company = portal.make(), portal.make("companies")
    portal.associate(contact, company)
    api = portal.client.crm.associations.v4.basic_api
    for _ in range(2):
        api.archive("companies", company, "contacts", contact)
        assert portal.company_labels(contact) == {}


def test_associations_in_batches(portal: PracticePortal) -> None:
    """51"""
    contacts, company = [portal.make() for _ in range(3)], portal.make("companies")
    api = portal.client.crm.associations.v4.batch_api
    inputs = [{"from": {"id": one}, "to": {"id": company}, "types": [PLAIN_COMPANY]} for one in (*contacts[:2], "404")]
    made = api.create("contacts", "companies", {"inputs": inputs})
    assert (len(made.results), made.num_errors) == (2, 1)
    read = api.get_page("contacts", "companies", {"inputs": [{"id": one} for one in contacts]})
    assert {one._from.id for one in read.results} == set(contacts[:2])
    (error,) = read.errors
    assert (error.category, error.context["fromObjectId"]) == ("OBJECT_NOT_FOUND", [contacts[2]])
    pair = {"from": {"id": contacts[2]}, "to": {"id": company}}
    assert len(api.create_default("contacts", "companies", {"inputs": [pair]}).results) == 2
    gone = {"inputs": [{"from": {"id": one}, "to": [{"id": company}]} for one in contacts]}
    assert portal.raw("POST", "/crm/v4/associations/contacts/companies/batch/archive", json=gone).status_code == 204
    again = portal.raw("POST", "/crm/associations/2026-03/contacts/companies/batch/archive", json=gone)
    assert (again.status_code, again.json()["status"]) == (200, "COMPLETE")
    assert [portal.company_labels(one) for one in contacts] == [{}] * 3


def test_a_batch_read_of_associations_has_a_page_for_each_record(portal: PracticePortal) -> None:
    """51"""
    companies, contacts = [portal.make("companies") for _ in range(2)], [portal.make() for _ in range(5)]
    for contact in contacts:
        portal.associate(contact, companies[0])
    portal.associate(portal.make(), companies[1])
    portal.switch("association_page", 2)
    read = portal.client.crm.associations.v4.batch_api.get_page
    inputs: list[Json] = [{"id": one} for one in companies]
    found: list[str] = []
    while inputs:
        results = read("companies", "contacts", {"inputs": inputs}).results
        found += [str(far.to_object_id) for one in results if one._from.id == companies[0] for far in one.to]
        inputs = [{"id": one._from.id, "after": one.paging.next.after} for one in results if one.paging is not None]
    assert found == contacts
    (first,) = read("companies", "contacts", {"inputs": [{"id": companies[0]}]}).results
    path = first.paging.next.link.removeprefix(portal.emulator.hubspot_url)
    assert path == f"/crm/v4/objects/companies/{companies[0]}/associations/contacts?after={contacts[2]}"
    assert [str(one["toObjectId"]) for one in portal.raw("GET", path).json()["results"]] == contacts[2:]
    body = {"inputs": [{"id": companies[0], "after": "x"}]}
    assert code(read, "companies", "contacts", body) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(("verb", "most"), [("read", 1000), ("create", 2000)])
def test_batches_of_associations_have_limits(portal: PracticePortal, verb: str, most: int) -> None:
    """51"""
    body = {"inputs": [{"id": str(number)} for number in range(most + 1)]}
    assert portal.request("POST", f"/crm/v4/associations/contacts/companies/batch/{verb}", body)[0] == 400


@pytest.mark.parametrize(
    "specs", [[], [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}], [{}], ["x"]]
)
def test_a_type_of_another_pair_is_refused(portal: PracticePortal, specs: list[Any]) -> None:
    """51"""
    contact, company = portal.make(), portal.make("companies")
    path = f"/crm/v4/objects/contacts/{contact}/associations/companies/{company}"
    assert portal.raw("PUT", path, json=specs).status_code == 400
    assert portal.company_labels(contact) == {}


def test_two_types_without_association_and_a_record_that_is_not_there(portal: PracticePortal) -> None:
    """51"""
    api, contact = portal.client.crm.associations.v4.basic_api, portal.make()
    assert code(api.get_page, "notes", portal.make("notes"), "leads") == (400, "VALIDATION_ERROR")
    assert code(api.create_default, "contacts", contact, "companies", "404") == (404, "OBJECT_NOT_FOUND")


def test_labels_are_listed_changed_and_taken_away(portal: PracticePortal) -> None:
    """51"""
    api = portal.client.crm.associations.v4.schema.definitions_api
    contact, company = portal.make(), portal.make("companies")
    board, _ = label(portal)
    portal.associate(contact, company, board)
    api.update("contacts", "companies", {"associationTypeId": board["associationTypeId"], "label": "Council"})
    listed = api.get_all("contacts", "companies").results
    assert [(one.category, one.type_id, one.label) for one in listed] == [
        ("HUBSPOT_DEFINED", 1, "Primary"),
        ("HUBSPOT_DEFINED", 279, None),
        ("USER_DEFINED", board["associationTypeId"], "Council"),
    ]
    api.remove("contacts", "companies", board["associationTypeId"])
    assert portal.company_labels(contact) == {company: [1, 279]}
    assert code(api.remove, "contacts", "companies", 999) == (404, "OBJECT_NOT_FOUND")


def test_the_51st_label_is_one_too_many(portal: PracticePortal) -> None:
    """51"""
    for number in range(50):
        label(portal, f"Label {number}")
    status, _ = refusal(label, portal, "One more")
    assert status == 437


def test_a_contact_has_one_primary_company(portal: PracticePortal) -> None:
    """52"""
    contact, acme, engines = portal.make(), portal.make("companies"), portal.make("companies")
    portal.associate(contact, acme)
    portal.associate(contact, engines, PRIMARY_COMPANY)
    assert portal.company_labels(contact) == {acme: [279], engines: [1, 279]}
    api = portal.client.crm.associations.v4.basic_api
    from_there = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 2}]
    api.create("companies", acme, "contacts", contact, from_there)
    assert portal.company_labels(contact) == {acme: [1, 279], engines: [279]}


def test_the_first_company_is_not_primary_when_switched_so(portal: PracticePortal) -> None:
    """52"""
    portal.switch("first_company_is_primary", False)
    contact, company = portal.make(), portal.make("companies")
    portal.associate(contact, company)
    assert portal.company_labels(contact) == {company: [279]}


def test_a_property_mirrors_the_primary_company_and_sets_it(portal: PracticePortal) -> None:
    """53"""
    contact, acme, engines = portal.make(), portal.make("companies"), portal.make("companies")
    portal.associate(contact, acme)
    assert portal.value("contacts", contact, "associatedcompanyid") == acme
    portal.change("contacts", contact, associatedcompanyid=engines)
    assert portal.company_labels(contact) == {acme: [279], engines: [1, 279]}
    portal.change("contacts", contact, associatedcompanyid="")
    assert portal.company_labels(contact) == {acme: [279]}
    assert problem(portal.change, "contacts", contact, associatedcompanyid="404") == (
        "INVALID_INTEGER",
        "associatedcompanyid",
    )
    new = portal.make(associatedcompanyid=acme)
    assert portal.company_labels(new) == {acme: [1, 279]}


def test_a_company_in_the_bin_is_nobodys_primary_one(portal: PracticePortal) -> None:
    """53"""
    contact, company = portal.make(), portal.make("companies")
    portal.associate(contact, company)
    portal.basic.archive("companies", company)
    assert portal.company_labels(contact) == {}
    assert portal.value("contacts", contact, "associatedcompanyid") is None
    portal.person("undelete", object="companies", id=company)
    assert portal.company_labels(contact) == {company: [1, 279]}
    assert portal.value("contacts", contact, "associatedcompanyid") == company
    portal.person("purge", object="companies", id=company)
    assert portal.value("contacts", contact, "associatedcompanyid") is None


def test_associating_moves_the_stamp_of_both_ends_unless_switched_so(portal: PracticePortal) -> None:
    """15, 51"""
    contact, company = portal.make(), portal.make("companies")
    portal.advance(60)
    portal.associate(contact, company)
    assert portal.value("companies", company, "hs_lastmodifieddate") == "2026-11-02T09:01:00.000Z"
    portal.switch("associating_bumps", False)
    portal.advance(60)
    portal.client.crm.associations.v4.basic_api.archive("contacts", contact, "companies", company)
    assert portal.value("companies", company, "hs_lastmodifieddate") == "2026-11-02T09:01:00.000Z"


def test_companies_are_parents_of_companies(portal: PracticePortal) -> None:
    """51"""
    parent, child = portal.make("companies"), portal.make("companies")
    spec = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 13}]
    api = portal.client.crm.associations.v4.basic_api
    api.create("companies", parent, "companies", child, spec)
    (back,) = api.get_page("companies", child, "companies").results
    assert [one.type_id for one in back.association_types] == [14, 450]


def test_a_record_lists_what_it_is_associated_with(portal: PracticePortal) -> None:
    """51"""
    contact, company = portal.make(), portal.make("companies")
    portal.associate(contact, company)
    found = portal.read("contacts", contact, associations=["companies", "deals"]).associations
    assert {(one.id, one.type) for one in found["companies"].results} == {
        (company, "contact_to_company"),
        (company, "contact_to_company_unlabeled"),
    }
    assert "deals" not in found


@pytest.mark.parametrize("version", ["v3", "2026-03"])
def test_a_long_list_inside_a_record_goes_on_elsewhere(emulator: Emulator, version: str) -> None:
    """51"""
    portal = PracticePortal(emulator, version)
    company, contacts = portal.make("companies"), [portal.make() for _ in range(5)]
    for contact in contacts:
        portal.associate(contact, company)
    portal.switch("inline_associations", 2)
    listed = portal.read("companies", company, associations=["contacts"]).associations["contacts"]
    assert {one.id for one in listed.results} == set(contacts[:2])
    assert listed.paging.next.after == contacts[2]
    path = listed.paging.next.link.removeprefix(emulator.hubspot_url)
    rest = portal.raw("GET", path).json()["results"]
    assert {str(one.get("id") or one["toObjectId"]) for one in rest} == set(contacts[2:])


# People --------------------------------------------------------------------------------------------------------------


def test_what_was_seeded_is_an_import_and_what_anna_edits_is_hers(emulator: Emulator) -> None:
    """22, 60"""
    emulator.renew(Options(clock="virtual", contacts=5))
    portal = PracticePortal(emulator)
    contact = portal.found(where("email", "HAS_PROPERTY"))[0]
    portal.person("edit", object="contacts", id=contact, values={"firstname": "Zoe"}, actor="anna")
    versions = portal.history("contacts", contact, "firstname")
    assert [one.source_type for one in versions] == ["CRM_UI", "IMPORT"]
    assert versions[0].timestamp > versions[1].timestamp


def test_ten_thousand_records_can_share_one_moment(portal: PracticePortal) -> None:
    """60"""
    desk = portal.emulator.practice.desks["hubspot"]
    contacts = portal.emulator.call(lambda: desk.seed_many("contacts", [{}] * 10_001, actor=Actor("seed", "system")))
    portal.advance(60)
    assert portal.person("touch", object="contacts", ids=contacts) == {"touched": 10_001}
    stamp = where("lastmodifieddate", "EQ", "2026-11-02T09:01:00.000Z")
    assert portal.search("contacts", stamp, limit=1).total == 10_001


def test_a_touched_record_stays_in_the_index_as_it_was(portal: PracticePortal) -> None:
    """41, 60"""
    contact = portal.make()
    portal.switch("visible_delay_seconds", 5)
    portal.advance(60)
    portal.person("touch", object="contacts", ids=[contact])
    assert portal.found(where("lastmodifieddate", "EQ", "2026-11-02T09:00:00Z")) == [contact]


@pytest.mark.parametrize(
    ("verb", "body", "text"),
    [
        ("create", {"object": "dragons", "values": {}}, "Unable to infer object type from: dragons"),
        ("create", {"object": "companies", "values": {}}, "Some required properties were not set"),
        ("create", {"object": "contacts", "values": {"email": "x"}}, "INVALID_EMAIL"),
        ("edit", {"object": "contacts", "id": "404", "values": {}}, "no contacts 404"),
        ("undelete", {"object": "contacts", "id": "404"}, "not archived"),
        ("merge", {"object": "tasks", "survivor": "71", "loser": "71"}, "no tasks 71"),
        ("schema", {"object": "contacts"}, "say one of add, remove or alter"),
        ("schema", {"object": "contacts", "add": {"name": "x", "type": "blob"}}, "no property type 'blob'"),
        ("schema", {"object": "contacts", "add": {"name": "city", "type": "string"}}, "have a property city already"),
        ("schema", {"object": "contacts", "remove": "x"}, "have no property x"),
        ("schema", {"object": "contacts", "alter": {"name": "x"}}, "have no property x"),
        ("permissions", {"object": "contacts"}, "say one of hide, show, read_only, writable"),
        ("permissions", {"object": "contacts", "hide": "x"}, "have no property x"),
        ("permissions", {"token": "x", "add_scope": "y"}, "no token 'x'"),
        ("users", {"add": {"login": "anna"}}, "there is an owner anna@example.com already"),
        ("users", {"deactivate": "1"}, "no owner 1"),
        ("users", {}, "say one of add, activate or deactivate"),
        ("link", {"from": ["contacts", "1"], "to": ["companies", "2"]}, "no contacts 1"),
        ("convert", {"id": "1"}, "no lead conversion"),
    ],
)
def test_nonsense_at_the_desk_is_answered_with_what_is_wrong(
    portal: PracticePortal, verb: str, body: dict[str, Any], text: str
) -> None:
    """60"""
    with pytest.raises(AdminRefusedError) as caught:
        portal.person(verb, **body)
    assert text in str(caught.value)


def test_an_administrator_hides_closes_and_opens_a_property(portal: PracticePortal) -> None:
    """60"""
    contact = portal.make(city="Turin")
    portal.person("permissions", object="contacts", hide="city")
    assert "city" not in portal.read("contacts", contact, "city").properties
    assert problem(portal.make, city="Bari") == ("PROPERTY_DOESNT_EXIST", "city")
    portal.person_edits("contacts", contact, city="Rome")
    portal.person("permissions", object="contacts", show="city")
    portal.person("permissions", object="contacts", read_only="city")
    assert problem(portal.make, city="Bari") == ("READ_ONLY_VALUE", "city")
    portal.person("permissions", object="contacts", writable="city")
    assert portal.value("contacts", contact, "city") == "Rome"
    portal.change("contacts", contact, city="Bari")


def test_an_administrator_adds_and_retires_owners_and_properties(portal: PracticePortal) -> None:
    """60"""
    owner = portal.person("users", add={"login": "zoe", "first": "Zoe", "last": "Ray"})
    portal.person("schema", object="contacts", add={"name": "shoe", "type": "enumeration", "options": ["41", "42"]})
    contact = portal.make(hubspot_owner_id=owner["id"], shoe="42")
    assert problem(portal.change, "contacts", contact, shoe="43") == ("INVALID_OPTION", "shoe")
    portal.person("schema", object="contacts", alter={"name": "shoe", "options": ["43"]})
    portal.change("contacts", contact, shoe="43")
    assert portal.person("users", deactivate=owner["id"])["userId"] is None
    assert problem(portal.make, hubspot_owner_id=owner["id"]) == ("INVALID_OPTION", "hubspot_owner_id")
    assert portal.person("users", activate=owner["id"])["archived"] is False


def test_a_person_links_with_a_label(portal: PracticePortal) -> None:
    """60"""
    contact, acme, engines = portal.make(), portal.make("companies"), portal.make("companies")
    portal.associate(contact, acme)
    portal.person("link", **{"from": ["contacts", contact], "to": ["companies", engines], "label": "1"})
    assert portal.company_labels(contact) == {acme: [279], engines: [1, 279]}
    with pytest.raises(AdminRefusedError, match="no association type 9"):
        portal.person("link", **{"from": ["contacts", contact], "to": ["companies", engines], "label": "9"})


def test_only_one_of_two_merged_records_can_be_brought_back_and_that_is_none(portal: PracticePortal) -> None:
    """44, 60"""
    ada, _ = merged_pair(portal)
    with pytest.raises(AdminRefusedError, match="not archived"):
        portal.person("undelete", object="contacts", id=ada)


def test_every_write_of_a_batch_is_signed_in_the_audit(portal: PracticePortal) -> None:
    """30"""
    inputs = [{"properties": {}, "objectWriteTraceId": f"E-{number}"} for number in range(2)]
    portal.batch.create("contacts", {"inputs": inputs}, _headers={"X-Truce-Entry": "E-0,E-1"})
    contacts = {"inputs": [{"id": one} for one in portal.found()]}
    portal.batch.archive("contacts", contacts, _headers={"X-Truce-Entry": "E-8,E-9"})
    lines = [line for line in portal.admin.audit() if line["cause"] == "api"]
    assert [(line["op"], line["entry_id"]) for line in lines] == [
        ("create", "E-0"),
        ("create", "E-1"),
        ("delete", "E-8"),
        ("delete", "E-9"),
    ]
