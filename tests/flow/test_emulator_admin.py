"""The emulator's own door: people act, accounts change, the world is photographed, put back and survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.emulator.admin_client import Admin, AdminRefusedError
from connectors.emulator.clock import Clock
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator
from connectors.emulator.world import World

KIM = {"LastName": "Tran", "Email": "kim.tran@acme.example"}


@pytest.fixture
def contact(admin: Admin) -> str:
    return str(admin.post("/create", system="salesforce", object="Contact", values=KIM)["id"])


def hubspot(emulator: Emulator, method: str, path: str, **kwargs: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {emulator.credentials['hubspot']['token']}", **kwargs.pop("headers", {})}
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, emulator.hubspot_url + path, headers=headers, timeout=5, **kwargs)


def test_a_new_emulator_is_healthy_and_empty(admin: Admin) -> None:
    health = admin.get("/health")
    assert health["ok"] is True
    assert health["records"]["salesforce"]["Contact"] == 0
    assert health["records"]["hubspot"]["contacts"] == 0


def test_the_front_page_lists_every_path(admin: Admin) -> None:
    known = admin.get("/")["known"]
    assert {"POST /edit", "GET /audit", "DELETE /faults/{id}", "PUT /snapshot"} <= set(known)


def test_a_person_edits_as_themselves_and_the_audit_says_so(admin: Admin, contact: str, world: World) -> None:
    admin.post("/edit", system="salesforce", object="Contact", id=contact, values={"Title": "CEO"}, actor="ben")
    line = admin.audit()[-1]
    assert (line["cause"], line["op"], line["before"], line["after"]["Title"]) == (
        "person",
        "update",
        line["before"],
        "CEO",
    )
    assert line["before"]["Title"] is None
    ben = world.spaces["salesforce"].settings["users"]["ben"]
    assert line["actor"] == ben == world.spaces["salesforce"].table("Contact")[contact].values["LastModifiedById"]


def test_an_automation_may_act_too(admin: Admin, contact: str) -> None:
    robot = {"id": "flow-7", "cause": "automation"}
    admin.post("/edit", system="salesforce", object="Contact", id=contact, values={"Title": "CEO"}, actor=robot)
    assert (admin.audit()[-1]["cause"], admin.audit()[-1]["actor"]) == ("automation", "flow-7")


def test_audit_since_gives_only_what_is_newer(admin: Admin, contact: str) -> None:
    last = admin.audit()[-1]["seq"]
    assert admin.audit(since=last) == []
    admin.post("/delete", system="salesforce", object="Contact", id=contact)
    assert [line["op"] for line in admin.audit(since=last)] == ["delete"]
    assert [line["seq"] for line in admin.audit()] == list(range(1, last + 2))


def test_deleted_comes_back_as_it_was(admin: Admin, contact: str, world: World) -> None:
    before = dict(world.spaces["salesforce"].table("Contact")[contact].values)
    admin.post("/delete", system="salesforce", object="Contact", id=contact)
    assert world.spaces["salesforce"].table("Contact")[contact].deleted is True
    admin.post("/undelete", system="salesforce", object="Contact", id=contact)
    row = world.spaces["salesforce"].table("Contact")[contact]
    assert (row.deleted, dict(row.values)) == (False, before)


def test_people_merge_in_both_vendors(admin: Admin, contact: str, world: World, emulator: Emulator) -> None:
    loser = admin.post("/create", system="salesforce", object="Contact", values={"LastName": "Tran"})["id"]
    merged = admin.post("/merge", system="salesforce", object="Contact", survivor=contact, loser=loser)
    assert merged == {"id": contact}
    assert world.spaces["salesforce"].table("Contact")[loser].merged_into == contact

    ids = [
        admin.post("/create", system="hubspot", object="contacts", values={"email": f"{name}@acme.example"})["id"]
        for name in ("a", "b")
    ]
    survivor = admin.post("/merge", system="hubspot", object="contacts", survivor=ids[0], loser=ids[1])["id"]
    assert hubspot(emulator, "GET", f"/crm/v3/objects/contacts/{ids[1]}").json()["id"] == survivor


def test_a_lead_is_converted(admin: Admin, world: World) -> None:
    lead = admin.post("/create", system="salesforce", object="Lead", values={**KIM, "Company": "Acme"})["id"]
    made = admin.post("/convert", id=lead, actor="kim")
    assert world.spaces["salesforce"].table("Lead")[lead].values["ConvertedContactId"] == made["contactId"]


def test_hubspot_records_are_linked_and_the_audit_has_the_link(admin: Admin) -> None:
    person = admin.post("/create", system="hubspot", object="contacts", values={"email": "a@acme.example"})["id"]
    company = admin.post("/create", system="hubspot", object="companies", values={"name": "Acme"})["id"]
    admin.post("/link", system="hubspot", **{"from": ["contacts", person], "to": ["companies", company]})
    links = [line for line in admin.audit() if line["op"] == "link"]
    assert [line["id"] for line in links] == [person]


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("/edit", {"system": "sap"}, "none of salesforce, hubspot"),
        ("/edit", {"system": "salesforce", "object": "Contact", "id": "x"}, "'values' is missing"),
        ("/edit", {"system": "salesforce", "object": "Unicorn", "id": "x", "values": {}}, "Unicorn"),
        ("/delete", {"system": "hubspot", "object": "contacts", "id": "404"}, "404"),
        ("/create", {"system": "salesforce", "object": "Contact", "values": {}}, "LastName"),
        ("/convert", {"system": "hubspot", "id": "1"}, "no lead conversion"),
        ("/clock/advance", {"seconds": -1}, "number from 0"),
        ("/users", {"system": "salesforce", "deactivate": "nobody"}, "nobody"),
        ("/purge", {"system": "hubspot", "object": "contacts", "id": "9"}, "no contacts 9"),
        ("/create", {"system": "hubspot", "object": "contacts", "values": {}, "actor": {"cause": "magic"}}, "magic"),
    ],
)
def test_nonsense_is_refused_in_plain_words(admin: Admin, path: str, body: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdminRefusedError, match=complaint):
        admin.post(path, **body)


def test_a_body_that_is_no_json_object_is_refused(emulator: Emulator) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for body in ("[1]", "{oops"):
            assert session.post(f"{emulator.admin_url}/edit", data=body, timeout=5).status_code == 400


def test_revoked_tokens_are_refused(admin: Admin, emulator: Emulator) -> None:
    assert hubspot(emulator, "GET", "/crm/v3/objects/contacts").status_code == 200
    assert admin.post("/tokens/revoke", system="hubspot") == {"revoked": ["hubspot"]}
    assert hubspot(emulator, "GET", "/crm/v3/objects/contacts").status_code == 401


def test_an_administrator_adds_hides_and_deactivates(admin: Admin, world: World) -> None:
    added = admin.post(
        "/schema", system="salesforce", object="Lead", add={"name": "Region__c", "type": "string", "length": 20}
    )
    assert "Region__c" in added["fields"]
    hidden = admin.post("/permissions", system="salesforce", object="Lead", hide="Region__c")
    assert "Region__c" in hidden["hidden"]
    ben = world.spaces["salesforce"].settings["users"]["ben"]
    assert admin.post("/users", system="salesforce", deactivate=ben) == {"id": ben, "active": False}


def test_settings_switch_behaviour(admin: Admin, world: World, contact: str) -> None:
    admin.post("/settings", system="salesforce", name="visible_delay_seconds", value=4)
    admin.post("/edit", system="salesforce", object="Contact", id=contact, values={"Title": "CEO"})
    row = world.spaces["salesforce"].table("Contact")[contact]
    assert (row.visible_at - row.stamp).total_seconds() == 4
    admin.post("/settings", system="hubspot", name="shuffled_results", value=False)
    assert world.spaces["hubspot"].settings["shuffled_results"] is False


def test_the_virtual_clock_stands_still_until_advanced(admin: Admin, clock: Clock) -> None:
    before = clock.now()
    assert admin.get("/clock")["now"] == before.isoformat()
    admin.post("/clock/advance", seconds=90)
    assert (clock.now() - before).total_seconds() == 90


def test_many_records_are_touched_at_one_moment_and_nothing_changes(admin: Admin, contact: str, world: World) -> None:
    row = world.spaces["salesforce"].table("Contact")[contact]
    modified = row.modified_at
    admin.post("/clock/advance", seconds=60)
    assert admin.post("/touch", system="salesforce", object="Contact", ids=[contact]) == {"touched": 1}
    assert (row.modified_at, (row.stamp - modified).total_seconds()) == (modified, 60)
    assert (admin.audit()[-1]["cause"], admin.audit()[-1]["after"]) == ("system", {})


def test_purged_is_gone_for_good(admin: Admin, contact: str, world: World) -> None:
    admin.post("/purge", system="salesforce", object="Contact", id=contact)
    assert contact not in world.spaces["salesforce"].table("Contact")


def test_unknown_calls_are_listed(admin: Admin, emulator: Emulator) -> None:
    assert hubspot(emulator, "GET", "/crm/v9/nothing").status_code == 404
    (unknown,) = admin.get("/unknown")
    assert (unknown["system"], unknown["path"]) == ("hubspot", "/crm/v9/nothing")


def test_an_api_write_is_in_the_audit_with_its_request_and_ledger_entry(admin: Admin, emulator: Emulator) -> None:
    body = {"properties": {"email": "a@acme.example"}}
    made = hubspot(emulator, "POST", "/crm/v3/objects/contacts", json=body, headers={"X-Truce-Entry": "E-9"})
    assert made.status_code == 201
    line = next(line for line in admin.audit() if line["op"] == "create" and line["system"] == "hubspot")
    assert (line["cause"], line["entry_id"], line["id"]) == ("api", "E-9", made.json()["id"])
    assert line["request_id"] == admin.get("/journal")[-1]["request_id"]


def test_a_snapshot_put_back_undoes_everything_schema_included(admin: Admin, contact: str, emulator: Emulator) -> None:
    taken = admin.get("/snapshot")
    values = admin.get("/snapshot?only=values")
    admin.post("/delete", system="salesforce", object="Contact", id=contact)
    admin.post("/create", system="hubspot", object="contacts", values={"email": "new@acme.example"})
    admin.post("/schema", system="hubspot", object="contacts", remove="jobtitle")
    admin.post("/tokens/revoke")
    admin.post("/clock/advance", seconds=3600)
    assert admin.get("/snapshot") != taken
    admin.put("/snapshot", taken)
    assert json.dumps(admin.get("/snapshot")) == json.dumps(taken)
    assert admin.get("/snapshot?only=values") == values
    reply = hubspot(emulator, "GET", "/crm/v3/properties/contacts/jobtitle")
    assert reply.status_code == 200
    made = hubspot(emulator, "POST", "/crm/v3/objects/contacts", json={"properties": {"email": "new@acme.example"}})
    assert made.status_code == 201


def test_equal_acts_give_equal_snapshots(emulator: Emulator, admin: Admin) -> None:
    seen = []
    for _ in range(2):
        emulator.renew()
        admin.post("/create", system="salesforce", object="Contact", values=KIM)
        admin.post("/create", system="hubspot", object="contacts", values={"email": "a@acme.example"})
        seen.append(json.dumps(admin.get("/snapshot")))
    assert seen[0] == seen[1]


def test_a_foreign_snapshot_is_refused_and_changes_nothing(admin: Admin, contact: str) -> None:
    before = admin.get("/snapshot")
    with pytest.raises(AdminRefusedError, match="no snapshot"):
        admin.put("/snapshot", {"format": 2, "systems": {}})
    assert admin.get("/snapshot") == before


def test_a_renewed_emulator_knows_nothing_of_before(emulator: Emulator, admin: Admin, contact: str) -> None:
    admin.fault(action="status", times="always")
    emulator.renew()
    assert admin.get("/health")["records"]["salesforce"]["Contact"] == 0
    assert (admin.get("/faults"), admin.get("/journal")) == ([], [])


def test_both_vendors_are_filled_with_the_same_people(emulator: Emulator, admin: Admin) -> None:
    emulator.renew(Options(clock="virtual", contacts=100, companies=30, deals=20, seed=5))
    records = admin.get("/health")["records"]
    assert records["salesforce"]["Contact"] + records["salesforce"]["Lead"] >= 100
    assert (records["hubspot"]["contacts"] >= 100, records["hubspot"]["deals"]) == (True, 20)
    truth = admin.get("/truth")
    maria = next(line for line in truth["people"] if line["true"]["email"] == "maria.lopez@example.com")
    (there,) = [one["id"] for one in maria["records"] if one["system"] == "hubspot"]
    asked = "?properties=jobtitle,jobtitle_import_2019,associatedcompanyid&propertiesWithHistory=jobtitle"
    shown = hubspot(emulator, "GET", f"/crm/v3/objects/contacts/{there}{asked}").json()
    assert (shown["properties"]["jobtitle"], shown["properties"]["jobtitle_import_2019"]) == ("mgr", "Trainee")
    assert shown["propertiesWithHistory"]["jobtitle"][0]["timestamp"] == shown["updatedAt"]


class Served:
    """The command line as a child process."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "connectors.emulator", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.admin = Admin(self.ready["admin"])

    def end(self, number: int) -> tuple[int, str]:
        os.kill(self.process.pid, number)
        out, _ = self.process.communicate(timeout=20)
        return self.process.returncode, out


def test_the_command_prints_one_line_and_ends_cleanly(tmp_path: Path) -> None:
    served = Served("--state", str(tmp_path / "practice.db"), "--contacts", "20", "--companies", "5", "--seed", "9")
    assert set(served.ready) == {"salesforce", "hubspot", "admin", "credentials"}
    assert served.admin.get("/health")["records"]["hubspot"]["contacts"] >= 20
    assert served.end(signal.SIGTERM) == (0, "")
    truth = json.loads((tmp_path / "practice.truth.json").read_text())
    assert len(truth["people"]) > 20


def test_a_killed_emulator_comes_back_with_everything(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "practice.db"), "--clock", "virtual")
    served = Served(*state, "--contacts", "20", "--companies", "5")
    made = served.admin.post("/create", system="salesforce", object="Contact", values=KIM)["id"]
    served.admin.post("/clock/advance", seconds=100)
    before, audit = served.admin.get("/snapshot"), served.admin.audit()
    served.end(signal.SIGKILL)

    again = Served(*state)
    assert again.ready["credentials"] == served.ready["credentials"]
    assert again.admin.get("/snapshot") == before
    assert again.admin.audit() == audit
    assert len(again.admin.get("/truth")["people"]) > 20
    again.admin.post("/edit", system="salesforce", object="Contact", id=made, values={"Title": "CEO"})
    assert again.admin.audit()[-1]["seq"] == audit[-1]["seq"] + 1
    assert again.end(signal.SIGINT)[0] == 0


def test_a_taken_port_is_said_plainly(emulator: Emulator) -> None:
    port = emulator.admin_url.rpartition(":")[2]
    command = [sys.executable, "-m", "connectors.emulator", "--admin-port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The emulator did not start: ")
