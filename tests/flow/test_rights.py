"""Least privilege: what the policies need is what is granted, printed for an administrator and looked at by doctor."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from daemon_stage import run_truce
from flow_stage import STAGES, Stage, person_policy

from agent.calls.calls import Calls
from agent.connector import Connector
from agent.doctor import Examination, Finding
from agent.wiring.opening import metered, rights_of
from agent.wiring.settings import declarations

CONSENT = "  opted_out: {salesforce: HasOptedOutOfEmail, hubspot: hs_email_optout, wins: opt-out}\n"
FIELDS = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce unless blank}
  city:      {salesforce: {Lead: City, Contact: MailingCity}, hubspot: city, wins: salesforce}
  phone:     {salesforce: Phone, hubspot: phone, wins: hubspot}
"""
NEEDED = {
    "communication_preferences.read", "communication_preferences.write", "crm.objects.contacts.read",
    "crm.objects.contacts.write", "crm.objects.owners.read", "crm.schemas.contacts.read",
}  # fmt: skip
NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"


@pytest.fixture
def ready(stage: Stage) -> Stage:
    stage.write_policies(
        person=person_policy(fields=FIELDS + CONSENT, create="{hubspot: {from: [Contact]}}"), stages=STAGES
    )
    return stage


def granted_set(stage: Stage) -> tuple[dict[str, bool], dict[str, dict[str, str]]]:
    """({field: may it be edited}, {object: its permissions}) of the generated permission set."""
    tree = ElementTree.fromstring(rights_of(stage.config)["salesforce"].text)
    fields = {
        part.findtext(f"{NAMESPACE}field", ""): part.findtext(f"{NAMESPACE}editable") == "true"
        for part in tree.iter(f"{NAMESPACE}fieldPermissions")
    }
    objects = {
        part.findtext(f"{NAMESPACE}object", ""): {
            each.tag.removeprefix(NAMESPACE): each.text or "" for each in part if each.text
        }
        for part in tree.iter(f"{NAMESPACE}objectPermissions")
    }
    return fields, objects


def user_rights(stage: Stage) -> set[str]:
    """What the generated permission set grants beside objects and fields."""
    tree = ElementTree.fromstring(rights_of(stage.config)["salesforce"].text)
    return {part.findtext(f"{NAMESPACE}name", "") for part in tree.iter(f"{NAMESPACE}userPermissions")}


def findings(stage: Stage) -> list[Finding]:
    def gated(links: Mapping[str, Connector]) -> Calls:
        return metered(stage.config, links, stage.clock.now)

    examination = Examination(
        stage.config, stage.installation.systems, lambda system: stage._connectors()[system], stage.clock.now,
        declarations(), secret=lambda reference: "x", calls=gated,
    )  # fmt: skip
    return list(examination.findings())


def about(stage: Stage, subject: str) -> list[tuple[str, str]]:
    return [(each.level, each.text) for each in findings(stage) if each.subject == subject]


def grant_only(stage: Stage, scopes: set[str]) -> None:
    tokens = stage.emulator.world.spaces["hubspot"].settings["tokens"]
    for token in tokens.values():
        token["scopes"] = sorted({"oauth", *scopes})


def test_the_permission_set_names_what_the_policies_read_and_write(ready: Stage) -> None:
    fields, objects = granted_set(ready)
    assert fields["Contact.Phone"], "HubSpot wins"
    assert not fields["Contact.Email"], "Salesforce wins"
    assert fields["Contact.Title"], "HubSpot may fill it"
    assert not fields["Contact.MailingAddress"], "an address is granted as a whole"
    assert fields["Contact.HasOptedOutOfEmail"], "the stricter answer is written on both sides"
    assert not {name for name in fields if name.endswith(("LastName", "OwnerId", ".Id", "MailingCity"))}
    assert objects["Contact"]["allowEdit"] == "true"
    assert {objects["Contact"][name] for name in ("allowCreate", "allowDelete", "modifyAllRecords")} == {"false"}
    assert objects["Contact"]["viewAllRecords"] == "true", "a record that sharing hides would look deleted"
    assert user_rights(ready) == {"ApiEnabled"}


def test_whoever_creates_may_delete_what_an_undo_takes_back(stage: Stage) -> None:
    stage.write_policies(person=person_policy(fields=FIELDS, create="{salesforce: {as: Lead}}"))
    _, objects = granted_set(stage)
    assert (objects["Lead"]["allowCreate"], objects["Lead"]["allowDelete"]) == ("true", "true")
    assert objects["Contact"]["allowDelete"] == "false"


def test_the_list_of_scopes_is_what_the_policies_need(ready: Stage) -> None:
    assert set(rights_of(ready.config)["hubspot"].named) == NEEDED


def test_with_exactly_these_scopes_and_fields_everything_works(ready: Stage) -> None:
    pair = ready.pair({"Title": "CEO", "Phone": "1", "HasOptedOutOfEmail": True}, {"jobtitle": "boss", "phone": "2"})
    fields, objects = granted_set(ready)
    hide_the_rest(ready, fields, set(objects))
    ready.admin.post("/settings", system="salesforce", name="may_view_setup", value="ViewSetup" in user_rights(ready))
    grant_only(ready, NEEDED)
    ready.go_live()
    report = ready.cycle()
    assert (report["failed"], report["unknown"]) == (0, 0)
    assert ready.value(pair.hub, "jobtitle") == "CEO"
    assert ready.value(pair.contact, "Phone") == "2"
    assert ready.value(pair.hub, "hs_email_optout") in (True, "true")
    assert [text for level, text in about(ready, "hubspot rights") if level != "ok"] == []
    assert [each for each in findings(ready) if each.level == "error"] == []


def test_doctor_says_what_is_left_of_the_day_s_jobs(ready: Stage) -> None:
    [(level, text)] = about(ready, "salesforce allowances")
    assert (level, "0 of 15,000 bulk batches" in text) == ("ok", True)
    assert about(ready, "hubspot allowances") == []


def test_doctor_warns_when_most_of_the_day_s_jobs_are_used(ready: Stage) -> None:
    ready.admin.post("/settings", system="salesforce", name="daily_query_jobs", value=1)
    ready.emulator.world.spaces["salesforce"].settings["used DailyBulkV2QueryJobs"] = {
        str(int(ready.clock.now().timestamp() // 3600)): 1
    }
    [(level, text)] = about(ready, "salesforce allowances")
    assert (level, "1 of 1 bulk query jobs" in text) == ("warning", True)


def test_doctor_says_which_right_would_show_what_is_left(ready: Stage) -> None:
    ready.admin.post("/settings", system="salesforce", name="may_view_setup", value=False)
    [(level, text)] = about(ready, "salesforce allowances")
    assert (level, "View Setup and Configuration" in text) == ("ok", True)


def hide_the_rest(stage: Stage, fields: dict[str, bool], objects: set[str]) -> None:
    """Field-level security as the permission set leaves it; fields that everybody has stay."""
    from connectors.salesforce.rights import _FIELDS

    for object_type in objects:
        always = {*_FIELDS["always"]["*"], *_FIELDS["always"].get(object_type, ())}
        parts = _FIELDS["parts"].get(object_type, {})
        kind = stage.emulator.world.spaces["salesforce"]
        names = next(iter(kind.table(object_type).values())).values if kind.table(object_type) else {}
        for name in names:
            granted = f"{object_type}.{parts.get(name, name)}"
            if name not in always and granted not in fields:
                permit(stage, object_type, "hide", name)
            elif name not in always and not fields[granted]:
                permit(stage, object_type, "read_only", name)


def permit(stage: Stage, object_type: str, verb: str, name: str) -> None:
    stage.admin.post("/permissions", system="salesforce", object=object_type, **{verb: name})


@pytest.mark.parametrize("scope", sorted(NEEDED))
def test_each_scope_that_is_missing_is_an_error_that_names_it(ready: Stage, scope: str) -> None:
    ready.installation  # noqa: B018 - the policies are in force before the scope goes
    grant_only(ready, NEEDED - {scope})
    told = [each for each in findings(ready) if each.level == "error" and scope in each.text]
    assert told, [str(each) for each in findings(ready)]
    assert told[0].exit_code == 13


def test_a_scope_too_many_is_a_warning(ready: Stage) -> None:
    ready.installation  # noqa: B018
    grant_only(ready, {*NEEDED, "crm.export"})
    assert about(ready, "hubspot rights") == [("warning", "not needed: crm.export")]


def test_a_right_too_many_in_salesforce_is_a_warning_and_one_too_few_an_error(ready: Stage) -> None:
    [(level, text)] = about(ready, "salesforce rights")
    assert level == "warning"
    assert "delete Contact" in text
    permit(ready, "Contact", "read_only", "*")
    errors = [text for level, text in about(ready, "salesforce rights") if level == "error"]
    assert errors == ["may not change Contact"]


def test_doctor_tells_the_calls_of_the_day(ready: Stage) -> None:
    [(level, text)] = about(ready, "hubspot calls")
    assert level == "ok"
    assert text.endswith("of 625,000 used today by all tools; Truce's share is 312,500")
    hour = str(int(ready.clock.now().timestamp() // 3600))
    ready.emulator.world.spaces["salesforce"].settings["requests"] = {hour: 90_000}
    [(level, _)] = about(ready, "salesforce calls")
    assert level == "warning"


def test_doctor_tells_when_a_vendor_s_interface_ends(ready: Stage) -> None:
    [(level, text)] = about(ready, "hubspot API")
    assert "supported until 30 Mar 2027" in text
    assert level == ("warning" if "days from now" in text or "over" in text else "ok")


def test_permissions_are_printed_for_an_administrator_and_written_as_files(ready: Stage, tmp_path: Path) -> None:
    config = ready.folder / "config.yaml"
    document: dict[str, Any] = json.loads(ready.config.model_dump_json(exclude={"state", "policies"}))
    config.write_text(json.dumps(document), encoding="utf-8")
    config.chmod(0o600)
    shown = run_truce(config, "doctor", "--permissions")
    assert shown.code == 0
    assert "<field>Contact.Phone</field>" in shown.out
    assert "crm.objects.contacts.write" in shown.out
    assert "link key of contacts (1 of 3)" in shown.out
    written = run_truce(config, "doctor", "--into", str(tmp_path / "grants"), "--json")
    assert written.code == 0, written
    assert sorted(path.name for path in (tmp_path / "grants").iterdir()) == [
        "Truce.permissionset-meta.xml", "hubspot-scopes.txt",
    ]  # fmt: skip
    assert {each["system"] for each in written.document["permissions"]} == {"salesforce", "hubspot"}
