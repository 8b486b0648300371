"""Each step that ``truce doctor`` prints leads out: something is broken, the step is done, the finding is gone.

What a step leaves to an administrator is done on the practice CRMs' admin side, from nothing but what Truce printed.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from doctor_stage import Act, Case, Found, Mend, Office, as_its_owner
from terminal import terminal_at

from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.salesforce.provisioning import REFRESH_TOKEN, USERNAMES
from connectors.emulator.salesforce.switches import API_USER
from connectors.emulator.serve import Emulator
from connectors.hubspot.rights import retiring

CREATES = "create:\n  hubspot: {from: [Contact, Lead], when: [email is filled]}\nfirst_time:"
CREATES_LEADS = "create:\n  salesforce: {as: Lead, when: [email is filled]}\nfirst_time:"
A_DAY = 86_400
A_ROUND = 1_300
"""Seconds, a little longer than another sync's silence has to last."""


@pytest.fixture
def office(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An installation at two filled CRMs with a real clock, about which doctor finds no error."""
    emulator.renew(Options(contacts=10, companies=5, seed=3))
    monkeypatch.setattr("agent.doctor.os.access", as_its_owner)
    return Office(terminal_at(emulator, tmp_path), Admin(emulator.admin_url), emulator, monkeypatch)


def secret(name: str) -> str:
    return f"secrets/{name}"


def keep_again(setting: str, system: str, name: str) -> Mend:
    """Do as ``… truce secrets set SETTING`` says, with what the vendor's page shows."""

    def mend(office: Office, found: Found) -> None:
        assert f"truce secrets set {setting}" in found.steps[0]
        office.run(found.steps[0], typed=f"{office.emulator.credentials[system][name]}\n")

    return mend


def run_it(office: Office, found: Found) -> None:
    """A step that is a command of the shell."""
    subprocess.run(shlex.split(found.steps[0]), check=True)


def set_it(office: Office, found: Found) -> None:
    """A step that is a line of the config."""
    office.write_setting(found.steps[-1])


def granted(office: Office, found: Found) -> None:
    office.grant_what_is_printed(found.steps[0])


def corrected(office: Office, found: Found) -> None:
    """``Did you mean `x`?``"""
    wrong, right = re.findall(r"`([^`]+)`", found.text)[0], re.findall(r"`([^`]+)`", found.steps[0])[-1]
    name = found.text.partition(".yaml:")[0]
    office.edit(name, wrong, right)


def without(setting: str, system: str) -> Mend:
    """``remove SETTING`` or correct it."""

    def mend(office: Office, found: Found) -> None:
        assert f"in config.yaml under {system}: " in found.steps[0]
        assert setting in found.steps[0]
        office.set(system, **{setting: None})

    return mend


def other_policy(name: str, old: str, new: str) -> Mend:
    return lambda office, found: office.edit(name, old, new)


def recovered(office: Office, found: Found) -> None:
    """The vendor is back after a while."""
    office.admin.delete("/faults")


def fault(system: str, **more: Any) -> Act:
    return lambda office: office.admin.fault(id="broken", system=system, times="always", **more)


def refused_by_salesforce(code: str) -> Act:
    body = [{"message": "not now", "errorCode": code}]
    return fault("salesforce", route="/services/data/*", action="status", status=403, body=body)


def put(name: str, text: str) -> Act:
    return lambda office: office.path(name).write_text(text, encoding="utf-8")


SECRETS = {
    "missing": Case(
        lambda office: office.path(secret("hubspot-token")).unlink(),
        "hubspot.token", "a secret is missing", "truce secrets set file:", 2,
        lambda office, found: office.run(found.steps[0], f"{office.emulator.credentials['hubspot']['token']}\n"),
    ),
    "empty": Case(
        put(secret("hubspot-token"), ""),
        "hubspot.token", "a secret is empty", "truce secrets set file:", 2,
        lambda office, found: office.run(found.steps[0], f"{office.emulator.credentials['hubspot']['token']}\n"),
    ),
    "open to others": Case(
        lambda office: office.path(secret("hubspot-token")).chmod(0o644),
        "hubspot.token", "other users may read the file", "chmod 600 ", 2, run_it,
    ),
}  # fmt: skip
ACCESS = {
    "wrong HubSpot key": Case(
        put(secret("hubspot-token"), "not-a-token"),
        "hubspot access", "HubSpot refused the key", "Service keys", 13,
        keep_again("hubspot.token", "hubspot", "token"),
    ),
    "wrong Salesforce app": Case(
        put(secret("salesforce-client-id"), "not-an-app"),
        "salesforce access", "client identifier invalid", "consumer key", 13,
        keep_again("salesforce.client_id", "salesforce", "client_id"),
    ),
    "wrong Salesforce secret": Case(
        put(secret("salesforce-client-secret"), "not-a-secret"),
        "salesforce access", "invalid client credentials", "consumer secret", 13,
        keep_again("salesforce.client_secret", "salesforce", "client_secret"),
    ),
    "an app that runs as nobody": Case(
        lambda office: office.admin.post("/settings", system="salesforce", name="run_as", value="nobody"),
        "salesforce access", "no client credentials user enabled", "choose the user it runs as", 13,
        lambda office, found: office.admin.post("/settings", system="salesforce", name="run_as", value=API_USER),
    ),
    "HubSpot down": Case(
        fault("hubspot", action="status", status=503),
        "hubspot access", "HubSpot cannot answer now", "wait a few minutes, or see https://status.hubspot.com", 14,
        recovered,
    ),
    "Salesforce down": Case(
        fault("salesforce", action="drop_before"),
        "salesforce access", "Salesforce", "wait a few minutes, or see https://status.salesforce.com", 14, recovered,
    ),
    "nobody listens": Case(
        lambda office: office.set("hubspot", base_url="http://127.0.0.1:1"),
        "hubspot access", "nothing listens at that address now", "requests go to http://127.0.0.1:1, as base_url", 14,
        lambda office, found: office.set("hubspot", base_url=office.emulator.hubspot_url),
    ),
    "a page of somebody in between": Case(
        fault("hubspot", action="html_200"),
        "hubspot access", "HubSpot's reply cannot be trusted", "a proxy, or the login page of a network", 14, recovered,
    ),
    "a version that Salesforce never had": Case(
        lambda office: office.set("salesforce", api_version="99.0"),
        "salesforce access", "HTTP 404", "correct base_url and api_version", 14, without("api_version", "salesforce"),
    ),
    "a version that Salesforce has retired": Case(
        lambda office: office.set("salesforce", api_version="30.0"),
        "salesforce access", "HTTP 410", "remove api_version", 14, without("api_version", "salesforce"),
    ),
    "no calls left in Salesforce": Case(
        refused_by_salesforce("REQUEST_LIMIT_EXCEEDED"),
        "salesforce access", "REQUEST_LIMIT_EXCEEDED", "API Usage", 14, recovered,
    ),
    "the API of Salesforce switched off": Case(
        refused_by_salesforce("API_DISABLED_FOR_ORG"),
        "salesforce access", "API_DISABLED_FOR_ORG", "switch the API on", 13, recovered,
    ),
    "no calls left in HubSpot": Case(
        lambda office: office.admin.post("/settings", system="hubspot", name="daily_limit", value=0),
        "hubspot access", "HTTP 429 DAILY", "from midnight in the account's time zone", 14,
        lambda office, found: office.admin.post("/settings", system="hubspot", name="daily_limit", value=625_000),
    ),
    "scope to read owners": Case(
        lambda office: office.permit("hubspot", remove_scope="crm.objects.owners.read"),
        "hubspot access", "crm.objects.owners.read", "the whole list", 13, granted,
    ),
}  # fmt: skip
FOLDERS = {
    "read only": Case(
        lambda office: (office.path("state").mkdir(mode=0o500)),
        "state folder", "cannot be written", "chmod u+wx ", 1, run_it,
    ),
    "not to be entered": Case(
        lambda office: (office.path("state").mkdir(mode=0o600)),
        "state folder", "cannot be written", "chmod u+wx ", 1, run_it,
    ),
    "open to others": Case(
        lambda office: (office.path("state").mkdir(), office.path("state").chmod(0o755)),
        "state folder", "other users may read the directory", "chmod 700 ", 2, run_it,
    ),
    "no folder": Case(
        put("state", "a file"),
        "state folder", "is no folder", "move it away", 1,
        lambda office, found: office.path("state").rename(office.path("elsewhere")),
    ),
}  # fmt: skip
API = {
    "HubSpot's numbered versions": Case(
        lambda office: office.set_clock_to("2027-02-01"),
        "hubspot API", "supported until 30 Mar 2027, 57 days from now", "api_version: 2026-09", 0, set_it, "warning",
    ),
    "an old version of Salesforce": Case(
        lambda office: (office.set_clock_to("2027-02-01"), office.set("salesforce", api_version="40.0")),
        "salesforce API", "version 40.0 of Salesforce's API: supported until 31 May 2027", "remove api_version", 0,
        without("api_version", "salesforce"), "warning",
    ),
    "one that has ended": Case(
        lambda office: office.set_clock_to("2027-04-01"),
        "hubspot API", "supported until 30 Mar 2027, which is over", "api_version: 2026-09", 0, set_it, "warning",
    ),
}  # fmt: skip
SCHEMA = {
    "an object hidden in Salesforce": Case(
        lambda office: office.permit("salesforce", object="Contact", hide="*"),
        "salesforce Contact", "hides it from the integration user", "show it to Truce's user", 2, granted,
    ),
    "an object that HubSpot's scopes hide": Case(
        lambda office: office.permit("hubspot", remove_scope="crm.objects.contacts.read"),
        "hubspot contacts", "crm.objects.contacts.read", "the whole list: truce doctor --permissions", 13, granted,
    ),
    "a field hidden in Salesforce": Case(
        lambda office: office.permit("salesforce", object="Contact", hide="Title"),
        "policies", "Salesforce Contact has no field `Title`", "may also be hidden from Truce's user", 2, granted,
    ),
    "a field gone from HubSpot": Case(
        lambda office: office.schema("hubspot", object="contacts", remove="lead_score"),
        "policies", "HubSpot contacts has no field `lead_score`", "Look it up in the vendor's settings", 2,
        lambda office, found: office.schema(
            "hubspot", object="contacts", add={"name": "lead_score", "type": "number"}
        ),
    ),
    "a field's label": Case(
        lambda office: office.edit("person-basics", "hubspot: jobtitle", "hubspot: Job Title"),
        "policies", "HubSpot contacts has no field `Job Title`", "write the internal name `jobtitle`", 2, corrected,
    ),
    "a field mistyped": Case(
        lambda office: office.edit("person-basics", "hubspot: jobtitle", "hubspot: jobtitel"),
        "policies", "HubSpot contacts has no field `jobtitel`", "Did you mean `jobtitle`?", 2,
        other_policy("person-basics", "jobtitel", "jobtitle"),
    ),
    "a field that Salesforce lets nobody of us edit": Case(
        lambda office: office.permit("salesforce", object="Contact", read_only="Title"),
        "policies", "`Title` cannot be written in Salesforce Contact", "Let Truce's user edit it", 2, granted,
    ),
    "a field that HubSpot calculates": Case(
        lambda office: office.permit("hubspot", object="contacts", read_only="jobtitle"),
        "policies", "`jobtitle` cannot be written in HubSpot contacts", "write `wins: hubspot`", 2,
        other_policy("person-basics", "jobtitle, wins: salesforce unless blank", "jobtitle, wins: hubspot"),
    ),
    "a stage that Salesforce lets nobody of us edit": Case(
        lambda office: (
            office.edit("person-lifecycle", "wins: salesforce", "wins: hubspot"),
            office.permit("salesforce", object="Contact", read_only="Customer_Stage__c"),
        ),
        "policies", "`Customer_Stage__c` cannot be written", "Let Truce's user edit it", 2, granted,
    ),
    "a consent field hidden in Salesforce": Case(
        lambda office: office.permit("salesforce", object="Lead", hide="HasOptedOutOfEmail"),
        "policies", "the consent field `HasOptedOutOfEmail` is not visible", "the right to read it", 2, granted,
    ),
    "a consent field hidden in HubSpot": Case(
        lambda office: office.permit("hubspot", object="contacts", hide="hs_email_optout"),
        "policies", "the consent field `hs_email_optout` is not visible", "the right to read it", 2,
        lambda office, found: office.permit("hubspot", object="contacts", show="hs_email_optout"),
    ),
    "a word no picklist has": Case(
        lambda office: office.edit("person-lifecycle", "hubspot: opportunity,", "hubspot: oportunity,"),
        "policies", "`oportunity` is not a value of `lifecyclestage`", "Did you mean `Opportunity`?", 2, corrected,
    ),
    "a picklist value without a word": Case(
        lambda office: office.edit("person-basics", "  email: ", f"{RATING}  email: "),
        "policies", "`values` has no word for Cold of `Rating`", "Add it under `values`", 0,
        other_policy("person-basics", "warm: {", "cold: {salesforce: Cold, hubspot: UNQUALIFIED}, warm: {"), "warning",
    ),
    "a policy that cannot be read": Case(
        lambda office: office.edit("person-basics", "  email: ", "  email: [{ "),
        "policies", "1 problem in the policies; first: person-basics.yaml:", "truce check", 2,
        lambda office, found: (
            office.check_names(found.text.partition("first: ")[2]),
            office.edit("person-basics", "  email: [{ ", "  email: "),
        ),
    ),
    "no policies": Case(
        lambda office: office.path("policies").rename(office.path("elsewhere")),
        "policies", "there is no policies folder", "put the files there", 2,
        lambda office, found: office.path("elsewhere").rename(office.path("policies")),
    ),
}  # fmt: skip
RATING = (
    "  rating: {salesforce: {Lead: Rating}, hubspot: hs_lead_status, wins: salesforce, "
    "values: {hot: {salesforce: Hot, hubspot: OPEN}, warm: {salesforce: Warm, hubspot: NEW}}}\n"
)
RIGHTS = {
    "a scope too few": Case(
        lambda office: office.permit("hubspot", remove_scope="crm.objects.contacts.write"),
        "hubspot rights", "missing: crm.objects.contacts.write", "grant it to the key", 13, granted,
    ),
    "scopes too many": Case(
        lambda office: None,
        "hubspot rights", "not needed: automation", "take them from the key", 0, granted, "warning",
    ),
    "a scope that cannot be asked for": Case(
        fault("hubspot", route="/oauth/*", action="status", status=503),
        "hubspot rights", "could not be asked for", "wait a few minutes", 0, recovered, "warning",
    ),
    "an object that may not be changed": Case(
        lambda office: office.permit("salesforce", object="Contact", deny="edit"),
        "salesforce rights", "may not change Contact", "grant exactly what this prints", 2, granted,
    ),
    "an object that may not be created": Case(
        lambda office: (
            office.edit("person-basics", "first_time:", CREATES_LEADS),
            office.permit("salesforce", object="Lead", deny="create"),
        ),
        "salesforce rights", "may not create Lead", "grant exactly what this prints", 2, granted,
    ),
    "rights too many": Case(
        lambda office: None,
        "salesforce rights", "may, and need not: create Account, delete Account", "grant exactly what this prints", 0,
        granted, "warning",
    ),
}  # fmt: skip


def link_key(system: str, object_type: str, creates: str, breaks: Act, says: str, level: str = "error") -> Case:
    def broken(office: Office) -> None:
        office.edit("person-basics", "first_time:", creates)
        breaks(office)

    return Case(
        broken, f"{system} {object_type} link key", says, "", 0 if level == "warning" else 2, made_and_set, level
    )


UNIQUE: dict[str, dict[str, Any]] = {
    "hubspot": {"hasUniqueValue": True},
    "salesforce": {"length": 80, "unique": True, "externalId": True, "idLookup": True},
}


def made_and_set(office: Office, found: Found) -> None:
    """The field is made as the steps say, and then named in the config."""
    system, object_type, *_ = found.subject.split()
    for step in found.steps[:-1]:
        if match := re.search(r"(?:internal|API) name (\w+)", step):
            assert "tick" in found.steps[1]
            office.schema(system, object=object_type, add={"name": match[1], "type": "string", **UNIQUE[system]})
    set_it(office, found)


def no_key(system: str) -> Act:
    return lambda office: office.set(system, link_keys=None)


LINK_KEYS = {
    "HubSpot, not set though the property is ready": link_key(
        "hubspot", "contacts", CREATES, no_key("hubspot"), "none: creates are only proposed", "warning"
    ),
    "HubSpot, neither set nor made": link_key(
        "hubspot", "contacts", CREATES,
        lambda office: (
            office.set("hubspot", link_keys=None), office.schema("hubspot", object="contacts", remove="truce_key"),
        ),
        "none: creates are only proposed", "warning",
    ),
    "HubSpot, not there": link_key(
        "hubspot", "contacts", CREATES, lambda office: office.schema("hubspot", object="contacts", remove="truce_key"),
        "there is no field truce_key",
    ),
    "HubSpot, not unique": link_key(
        "hubspot", "contacts", CREATES,
        lambda office: office.schema(
            "hubspot", object="contacts", alter={"name": "truce_key", "hasUniqueValue": False}
        ),
        "truce_key is not unique",
    ),
    "Salesforce, not there": link_key(
        "salesforce", "Lead", CREATES_LEADS,
        lambda office: office.schema("salesforce", object="Lead", remove="Truce_Key__c"),
        "there is no field Truce_Key__c",
    ),
    "Salesforce, not unique": link_key(
        "salesforce", "Lead", CREATES_LEADS,
        lambda office: office.schema("salesforce", object="Lead", alter={"name": "Truce_Key__c", "unique": False}),
        "Truce_Key__c is not unique",
    ),
}  # fmt: skip
ALL = {
    f"{group}: {name}": case
    for group, cases in (
        ("secret", SECRETS), ("access", ACCESS), ("state", FOLDERS), ("end of support", API), ("schema", SCHEMA),
        ("rights", RIGHTS), ("link key", LINK_KEYS),
    )
    for name, case in cases.items()
}  # fmt: skip


@pytest.mark.parametrize("case", ALL.values(), ids=ALL.keys())
def test_the_step_leads_out(case: Case, office: Office) -> None:
    case.breaks(office)
    code, found = office.look(case.subject, case.says)
    assert found is not None
    assert (found.level, code) == (case.level, case.code)
    assert any(case.step in step for step in found.steps)
    case.mends(office, found)
    code, found = office.look(case.subject, case.says)
    assert (found, code) == (None, case.after)


def test_a_salesforce_key_that_may_not_be_filled_is_let_be(office: Office) -> None:
    office.edit("person-basics", "first_time:", CREATES_LEADS)
    office.permit("salesforce", object="Lead", read_only="Truce_Key__c")
    code, found = office.look("salesforce Lead link key", "Truce's user may not fill Truce_Key__c")
    assert found is not None
    assert code == 13
    office.grant_what_is_printed(found.steps[0])
    assert office.look("salesforce Lead link key", "") == (0, None)


@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_that_is_set_right_is_not_spoken_of(hours: int, office: Office) -> None:
    office.set_clock(hours * 3600)
    word = "ahead" if hours > 0 else "behind"
    for system in ("salesforce", "hubspot"):
        code, found = office.look(f"{system} clock", f"s {word}")
        assert found is not None
        assert (found.level, code) == ("warning", 0)
        assert "timedatectl set-ntp true" in found.steps[0]
    office.set_clock(0)
    assert office.look("salesforce clock", "") == (0, None)
    assert office.look("hubspot clock", "") == (0, None)


def test_a_disk_is_full_until_so_much_is_free_as_the_step_says(office: Office) -> None:
    free = 100 * 2**20
    usage = shutil.disk_usage(office.terminal.folder)
    office.monkeypatch.setattr("agent.doctor.shutil.disk_usage", lambda folder: usage._replace(free=free))
    code, found = office.look("disk", "only 100 MB free")
    assert found is not None
    assert (found.level, code) == ("error", 1)
    wanted = re.match(r"free (\d+) MB on the disk of ", found.steps[0])
    assert wanted is not None
    free += int(wanted[1]) * 2**20
    assert office.look("disk", "") == (0, None)


def test_calls_come_back_when_the_tool_that_uses_them_is_slowed_down(office: Office) -> None:
    settings = office.emulator.world.spaces["salesforce"].settings
    settings["requests"] = {str(int(time.time() // 3600)): 90_000}
    code, found = office.look("salesforce calls", "of 100,000 used today by all tools")
    assert found is not None
    assert (found.level, code) == ("warning", 0)
    assert "Setup > System Overview > API Usage" in found.steps[0]
    assert "24 hours after it was made" in found.steps[0]
    office.wait(A_DAY + 3600)
    assert office.look("salesforce calls", "") == (0, None)


def another_tool_calls(emulator: Emulator, times: int) -> None:
    address = urlsplit(emulator.hubspot_url)
    headers = {"Authorization": f"Bearer {emulator.credentials['hubspot']['token']}"}
    with closing(HTTPConnection(str(address.hostname), address.port)) as line:
        for _ in range(times):
            line.request("GET", "/crm/v3/owners/", headers=headers)
            line.getresponse().read()


def test_hubspot_counts_calls_anew_from_midnight(office: Office) -> None:
    office.admin.post("/settings", system="hubspot", name="daily_limit", value=100)
    another_tool_calls(office.emulator, 80)
    code, found = office.look("hubspot calls", "of 100 used today by all tools")
    assert found is not None
    assert (found.level, code) == ("warning", 0)
    assert "counted anew from midnight in the account's time zone" in found.steps[0]
    office.wait(A_DAY)
    assert office.look("hubspot calls", "") == (0, None)


def test_a_replaced_token_that_cannot_be_kept_is_put_where_it_can(office: Office) -> None:
    app = office.emulator.credentials["hubspot"]
    for name in ("client_id", "client_secret", "refresh_token"):
        office.monkeypatch.setenv(f"TRUCE_{name.upper()}", app[name])
    places = {name: f"env:TRUCE_{name.upper()}" for name in ("client_id", "client_secret", "refresh_token")}
    office.set("hubspot", token=None, login="refresh_token", **places)
    code, found = office.look("hubspot.refresh_token", "would lock us out at the next start")
    assert found is not None
    assert (found.level, code) == ("warning", 0)
    assert "in config.yaml: hubspot.refresh_token: keyring:NAME or file:PATH" in found.steps[0]
    office.set("hubspot", refresh_token="file:secrets/hubspot-refresh-token")
    office.run(found.steps[0], typed=f"{app['refresh_token']}\n")
    assert office.look("hubspot.refresh_token", "") == (0, None)


def a_key(office: Office) -> str:
    """Log in by a signed statement from now on; returns the private key, whose certificate the app holds."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    certify(office, public)
    place = "file:secrets/key"
    office.set(
        "salesforce", login="jwt", username=f"integration@{USERNAMES}", private_key=place, client_secret=None
    )  # fmt: skip
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()
    office.run("truce secrets set salesforce.private_key", typed=private)
    assert office.doctor()[0] == 0
    return private


def certify(office: Office, public: str | None) -> None:
    client_id = office.emulator.credentials["salesforce"]["client_id"]
    value = {client_id: public} if public is not None else {}
    office.admin.post("/settings", system="salesforce", name="certificates", value=value)


def test_a_key_that_cannot_sign_is_one_finding_among_others(office: Office) -> None:
    private = a_key(office)
    office.path(secret("key")).write_text("not-a-key", encoding="utf-8")
    code, found = office.look("salesforce keys", "the Salesforce private key cannot be used")
    assert found is not None
    assert (found.level, code) == ("error", 2)
    assert any(each.subject == "hubspot contacts" for each in office.doctor()[1]), "the rest is looked at all the same"
    office.run(found.steps[0].removesuffix(" < server.key"), typed=private)
    assert office.look("salesforce keys", "") == (0, None)


def test_an_app_that_lost_the_certificate_is_given_it_again(office: Office) -> None:
    a_key(office)
    settings = office.emulator.world.spaces["salesforce"].settings
    held = dict(settings["certificates"])
    certify(office, None)
    code, found = office.look("salesforce access", "invalid assertion")
    assert found is not None
    assert (found.level, code) == ("error", 13)
    assert "upload the certificate of the key that config.yaml names" in found.steps[0]
    office.admin.post("/settings", system="salesforce", name="certificates", value=held)
    assert office.look("salesforce access", "") == (0, None)


def test_an_app_that_administrators_did_not_approve_is_approved(office: Office) -> None:
    a_key(office)
    office.admin.post("/settings", system="salesforce", name="app_is_approved", value=False)
    code, found = office.look("salesforce access", "hasn't approved this consumer")
    assert found is not None
    assert (found.level, code) == ("error", 13)
    assert "let administrators approve users" in found.steps[0]
    office.admin.post("/settings", system="salesforce", name="app_is_approved", value=True)
    assert office.look("salesforce access", "") == (0, None)


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_a_refresh_token_that_ended_is_replaced_by_a_new_one(system: str, office: Office) -> None:
    app = {"refresh_token": REFRESH_TOKEN, **office.emulator.credentials[system]}
    places = {name: f"file:secrets/{system}-{name}" for name in ("client_id", "client_secret", "refresh_token")}
    office.set(system, token=None, login="refresh_token", **places)
    for name in places:
        office.run(f"truce secrets set {system}.{name}", typed=f"{app[name]}\n")
    assert office.doctor()[0] == 0
    office.path(secret(f"{system}-refresh_token")).write_text("ended", encoding="utf-8")
    code, found = office.look(f"{system} access", "refused the login: ")
    assert found is not None
    assert (found.level, code) == ("error", 13)
    assert found.steps[0].endswith(f"truce secrets set {system}.refresh_token")
    office.run(found.steps[0], typed=f"{app['refresh_token']}\n")
    assert office.look(f"{system} access", "") == (0, None)


@pytest.mark.parametrize("name", ["client_id", "client_secret"])
def test_a_mistyped_app_of_hubspot_is_typed_again(name: str, office: Office) -> None:
    app = office.emulator.credentials["hubspot"]
    places = {each: f"file:secrets/hubspot-{each}" for each in ("client_id", "client_secret", "refresh_token")}
    office.set("hubspot", token=None, login="refresh_token", **places)
    for each in places:
        office.run(f"truce secrets set hubspot.{each}", typed=f"{app[each]}\n")
    office.path(secret(f"hubspot-{name}")).write_text("mistyped", encoding="utf-8")
    code, found = office.look("hubspot access", "refused the login: ")
    assert found is not None
    assert (found.level, code) == ("error", 13)
    assert found.steps[0].endswith(f"truce secrets set hubspot.{name}")
    office.run(found.steps[0], typed=f"{app[name]}\n")
    assert office.look("hubspot access", "") == (0, None)


def test_beside_another_sync_watching_is_the_step(office: Office) -> None:
    code, found = office.look("hubspot other sync", "salesforcecontactid")
    assert found is not None
    assert (found.level, code) == ("warning", 0)
    office.terminal("plan")
    office.run(found.steps[0])
    assert office.look("hubspot other sync", "") == (0, None)


def test_what_was_taken_over_from_another_sync_is_not_warned_of(office: Office) -> None:
    office.terminal("plan")
    _, found = office.look("hubspot other sync", "")
    for name in ("company", "person"):
        assert found is not None
        assert found.steps[1].endswith(f"truce cutover {name}")
        office.run(found.steps[1])
        office.run(found.steps[1])
        office.wait(A_ROUND)
        office.run(found.steps[1])
        code, found = office.look("hubspot other sync", "")
    assert (code, found) == (0, None)


def test_a_line_that_was_suspended_goes_on_once_its_field_is_back(office: Office) -> None:
    assert office.terminal("plan").code == 0
    office.permit("salesforce", object="Contact", hide="Title")
    office.terminal("plan")
    code, found = office.look("suspended", "person-basics job_title")
    assert found is not None
    assert (found.level, code) == ("warning", 2)
    assert "show it to Truce's user again" in found.steps[0]
    office.permit("salesforce", object="Contact", show="Title")
    office.run(found.steps[1])
    assert office.look("suspended", "") == (0, None)


def test_a_line_goes_on_without_what_is_gone_once_a_person_says_so(office: Office) -> None:
    assert office.terminal("plan").code == 0
    office.schema("salesforce", object="Contact", alter={"name": "Title", "length": 10})
    office.terminal("plan")
    code, found = office.look("suspended", "person-basics")
    assert found is not None
    assert (found.level, code) == ("warning", 0)
    office.run(found.steps[0])
    assert office.look("suspended", "")[1] is None


def test_the_newest_version_of_an_interface_leads_to_a_newer_truce() -> None:
    [said] = retiring("2026-09")
    assert said.step == "install a newer Truce: this one knows no later version"


def test_the_keys_of_another_account_are_refused_until_the_right_ones_are_back(office: Office) -> None:
    assert office.terminal("plan").code == 0
    settings = office.emulator.world.spaces["hubspot"].settings
    known, settings["portal_id"] = settings["portal_id"], 4711
    code, found = office.look(
        "hubspot access", f"account 4711 answers, but this installation belongs to account {known}"
    )
    assert found is not None
    assert (found.level, code) == ("error", 5)
    assert f"log in to account {known}: hubspot.token" in found.steps[0]
    assert office.terminal("plan").code == 5, "as little as doctor, nothing else goes on with it"
    settings["portal_id"] = known
    office.run(
        found.steps[0].replace("NAME", "hubspot.token"), typed=f"{office.emulator.credentials['hubspot']['token']}\n"
    )
    assert office.look("hubspot access", "") == (0, None)


def test_a_damaged_ledger_is_restored_and_what_it_lost_is_accepted(office: Office) -> None:
    assert office.terminal("plan").code == 0
    [copy] = office.backup()
    office.path("state/ledger.db").write_bytes(b"no database at all" * 999)
    code, found = office.look("ledger", "is damaged")
    assert found is not None
    assert (found.level, code) == ("error", 12)
    office.run(found.steps[0].replace("FILE", str(copy)))
    code, found = office.look("ledger", "it is older: restored from an old backup")
    assert found is not None
    assert (found.level, code) == ("error", 5)
    office.run(f"{found.steps[0]} --yes")
    assert office.look("ledger", "") == (0, None)
    assert office.terminal("plan").code == 0


def test_a_ledger_that_is_gone_is_no_new_beginning(office: Office) -> None:
    assert office.look("ledger", "") == (0, None), "before the first plan there is none"
    assert office.terminal("plan").code == 0
    office.path("state/ledger.db").unlink()
    code, found = office.look("ledger", "it is lost")
    assert found is not None
    assert (found.level, code) == ("error", 5)
    office.run(f"{found.steps[0]} --yes")
    assert office.look("ledger", "") == (0, None)
