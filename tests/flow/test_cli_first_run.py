"""The first hour: init, secrets, doctor, the ceiling. Nothing overwritten, nothing written, nothing secret shown."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from terminal import Terminal, terminal_at

from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

ME = ("--email", "me@company.example", "--salesforce-domain", "practice.my")
KEYS = "not-a-client-id\nnot-a-client-secret\nnot-a-token\n"


@pytest.fixture
def nothing(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "config.yaml")


@pytest.fixture
def company(emulator: Emulator, tmp_path: Path) -> Terminal:
    """An installation at two filled CRMs with a real clock."""
    emulator.renew(Options(contacts=60, companies=20, seed=3))
    return terminal_at(emulator, tmp_path)


def begun_at(emulator: Emulator, terminal: Terminal) -> Terminal:
    """``truce init`` and the right keys, pointed at the emulator."""
    assert terminal("init", *ME, "--secrets", "file").code == 0
    keys = emulator.credentials
    typed = "\n".join((keys["salesforce"]["client_id"], keys["salesforce"]["client_secret"], keys["hubspot"]["token"]))
    assert terminal("secrets", "set", typed=typed).code == 0
    terminal.edit(
        "config.yaml",
        "  # base_url: http://127.0.0.1:8001\n  # External",
        f"  base_url: {emulator.salesforce_url}\n  # External",
    )
    terminal.edit(
        "config.yaml",
        "  # base_url: http://127.0.0.1:8001\n  # Unique",
        f"  base_url: {emulator.hubspot_url}\n  # Unique",
    )
    return terminal


class TestInit:
    def test_writes_a_config_and_the_shipped_policies(self, nothing: Terminal) -> None:
        said = nothing("init", *ME)
        assert said.code == 0
        assert stat.S_IMODE(nothing.config.stat().st_mode) == 0o600
        policies = {
            path.name: path.read_text(encoding="utf-8") for path in (nothing.folder / "policies").glob("*.yaml")
        }
        assert {"person-basics.yaml", "company-basics.yaml", "daily-limits.yaml", "sales-team.yaml"} <= set(policies)
        assert all("anna@example.com" not in text for text in policies.values())
        assert "me@company.example" in policies["person-basics.yaml"]

    def test_deals_first_writes_the_policies_of_deals_and_companies(self, nothing: Terminal) -> None:
        assert nothing("init", *ME, "--first", "deals").code == 0
        written = {path.name for path in (nothing.folder / "policies").glob("*.yaml")}
        assert {name.partition("-")[0] for name in written} == {"deal", "company", "daily", "sales"}
        assert nothing("check", "--offline").code == 0
        assert nothing.json("test")["failed"] == 0

    def test_what_it_writes_is_sound(self, nothing: Terminal) -> None:
        nothing("init", *ME)
        assert nothing("check", "--offline").code == 0
        assert nothing.json("test")["failed"] == 0

    def test_says_what_comes_next(self, nothing: Terminal) -> None:
        said = nothing("init", *ME)
        assert [line.split("  ")[1] for line in said.out.splitlines() if line.startswith("  truce")] == [
            "truce secrets set",
            "truce doctor",
            "truce pair",
        ]

    def test_overwrites_no_config(self, nothing: Terminal) -> None:
        nothing.config.write_text("mine", encoding="utf-8")
        said = nothing("init", *ME)
        assert said.code == 2
        assert "nothing was written" in said.err
        assert nothing.config.read_text(encoding="utf-8") == "mine"
        assert not (nothing.folder / "policies").exists()

    def test_leaves_policies_that_are_there(self, nothing: Terminal) -> None:
        mine = nothing.folder / "policies" / "mine.yaml"
        mine.parent.mkdir()
        mine.write_text("policy: mine\n", encoding="utf-8")
        said = nothing("init", *ME)
        assert said.code == 0
        assert "left as they are" in said.out
        assert list(mine.parent.iterdir()) == [mine]

    def test_only_watches_beside_the_native_connector(self, nothing: Terminal) -> None:
        said = nothing("init", *ME, "--native-connector")
        assert "only watches" in said.out
        assert nothing.json("mode")["mode"] == "watch"

    def test_pairs_by_no_stored_ids_without_the_native_connector(self, nothing: Terminal) -> None:
        nothing("init", *ME, "--no-native-connector")
        assert "stored_ids: {}" in nothing.config.read_text(encoding="utf-8")

    def test_without_a_terminal_it_asks_nobody_and_names_what_is_needed(self, nothing: Terminal) -> None:
        said = nothing("init")
        assert said.code == 2
        assert "--email and --salesforce-domain are needed" in said.err
        assert not nothing.config.exists()

    def test_a_sandbox_that_is_none_is_refused(self, nothing: Terminal) -> None:
        said = nothing("init", "--email", "me@company.example", "--salesforce-domain", "acme", "--sandbox")
        assert said.code == 2
        assert "acme.my.salesforce.com is no sandbox" in said.err

    @pytest.mark.parametrize(
        ("typed", "domain"),
        [
            ("https://acme.my.salesforce.com/", "acme.my"),
            ("acme", "acme.my"),
            ("acme.lightning.force.com", "acme.my"),
            ("ACME--dev.sandbox.my.salesforce.com", "acme--dev.sandbox.my"),
            ("acme--dev", "acme--dev.sandbox.my"),
            ("acme-dev-ed.develop.my", "acme-dev-ed.develop.my"),
        ],
    )
    def test_takes_the_domain_as_people_copy_it(self, typed: str, domain: str, nothing: Terminal) -> None:
        nothing("init", "--email", "me@company.example", "--salesforce-domain", typed)
        assert f"domain: {domain}\n" in nothing.config.read_text(encoding="utf-8")

    @pytest.mark.parametrize("typed", ["login.salesforce.com", "not a domain", "test", "acme.example.com/"])
    def test_refuses_what_is_no_domain_of_ones_own(self, typed: str, nothing: Terminal) -> None:
        said = nothing("init", "--email", "me@company.example", "--salesforce-domain", typed)
        assert said.code == 2
        assert not nothing.config.exists()

    def test_begins_only_with_what_there_are_policies_for(self, nothing: Terminal) -> None:
        said = nothing("init", *ME, "--first", "invoices")
        assert said.code == 2
        assert "no policies to begin with invoices" in said.err

    def test_a_user_whom_the_computer_does_not_know_can_begin(
        self, nothing: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unknown(uid: int) -> None:
            raise KeyError(uid)

        monkeypatch.setattr("pwd.getpwuid", unknown)
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
            monkeypatch.delenv(name, raising=False)
        assert nothing("init", *ME).code == 0


class TestSecrets:
    def test_set_without_a_name_asks_for_every_missing_one(self, nothing: Terminal) -> None:
        nothing("init", *ME, "--secrets", "file")
        said = nothing("secrets", "set", typed=KEYS)
        assert said.code == 0
        assert nothing("secrets", "list").code == 0
        assert "Every secret of the config is there" in nothing("secrets", "set").out

    def test_files_are_private(self, nothing: Terminal) -> None:
        nothing("init", *ME, "--secrets", "file")
        nothing("secrets", "set", typed=KEYS)
        folder = nothing.folder / "secrets"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}

    def test_a_file_that_others_may_read_is_refused(self, nothing: Terminal) -> None:
        nothing("init", *ME, "--secrets", "file")
        nothing("secrets", "set", typed=KEYS)
        path = nothing.folder / "secrets" / "hubspot-token"
        path.chmod(0o640)
        said = nothing("secrets", "check", "file:secrets/hubspot-token")
        assert said.code == 2
        assert f"chmod 600 {path}" in said.err

    def test_no_value_is_ever_shown(self, emulator: Emulator, nothing: Terminal) -> None:
        nothing("init", *ME, "--secrets", "file")
        for line, url in (("  domain:", emulator.salesforce_url), ("  token:", emulator.hubspot_url)):
            nothing.edit("config.yaml", f"\n{line}", f"\n  base_url: {url}\n{line}")
        said = [nothing("secrets", "set", typed=KEYS), nothing("secrets", "list"), nothing("doctor"), nothing("plan")]
        said += [nothing("secrets", "check", "file:secrets/hubspot-token", "--json"), nothing("doctor", "--json")]
        assert not any("not-a-" in each.text for each in said)

    def test_a_secret_written_into_the_config_is_not_repeated(self, nothing: Terminal) -> None:
        nothing("init", *ME, "--secrets", "file")
        nothing.edit("config.yaml", "file:secrets/hubspot-token", "pat-na1-not-a-token")
        said = nothing("status")
        assert said.code == 2
        assert "hubspot.token: this is no place of a secret" in said.err
        assert "pat-na1" not in said.text

    def test_without_a_safe_keyring_it_says_what_to_use(
        self, nothing: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import keyring
        from keyring.backends.fail import Keyring

        monkeypatch.setattr(keyring, "get_keyring", Keyring)
        said = nothing("secrets", "set", "keyring:hubspot-token", typed=KEYS)
        assert said.code == 2
        assert "no safe keyring" in said.err
        assert "env:NAME or file:PATH" in said.err

    @pytest.mark.parametrize(("place", "next_step"), [("env", "export NAME"), ("systemd", "LoadCredentialEncrypted")])
    def test_what_truce_cannot_keep_it_says_how_to_keep(self, place: str, next_step: str, nothing: Terminal) -> None:
        said = nothing("secrets", "set", f"{place}:NAME", typed=KEYS)
        assert said.code == 2
        assert next_step in said.err


class TestDoctor:
    def test_ends_with_what_can_be_written(self, emulator: Emulator, nothing: Terminal, admin: Admin) -> None:
        emulator.renew(Options(contacts=60, companies=20, seed=3))
        terminal = begun_at(emulator, nothing)
        before = len(admin.audit())
        said = terminal("doctor")
        assert said.code == 0
        assert (
            "Everything needed is readable. Nothing is written before a person has applied or approved it.\n"
            in said.out
        )
        assert len(admin.audit()) == before

    def test_the_first_hour_to_the_letter(self, emulator: Emulator, nothing: Terminal) -> None:
        emulator.renew(Options(contacts=60, companies=20, seed=3))
        terminal = begun_at(emulator, nothing)
        plan = terminal.json("plan")
        assert plan["changes"] > 0
        assert terminal("apply", plan["plan"]).code in (0, 3)
        shown = terminal("show", plan["plan"]).out
        assert f"{plan['plan']} was applied by " in shown
        assert "truce apply" not in shown

    def test_prints_how_to_set_up_a_link_key(self, emulator: Emulator, nothing: Terminal) -> None:
        emulator.renew(Options(contacts=10, companies=5, seed=3))
        Admin(emulator.admin_url).post("/schema", system="hubspot", object="contacts", remove="truce_key")
        said = begun_at(emulator, nothing)("doctor")
        assert "hubspot contacts link key: none" in said.out
        assert "tick Require unique values" in said.out
        assert "link_keys: {contacts: truce_key}" in said.out

    def test_a_link_key_that_is_not_there_is_an_error(self, emulator: Emulator, nothing: Terminal) -> None:
        emulator.renew(Options(contacts=10, companies=5, seed=3))
        terminal = begun_at(emulator, nothing)
        terminal.edit(
            "config.yaml",
            "# link_keys: {contacts: truce_key, companies: truce_key}",
            "link_keys: {contacts: no_such_key}",
        )
        said = terminal("doctor")
        assert said.code == 2
        assert "there is no field no_such_key" in said.out

    def test_no_warning_for_the_shipped_policies_is_noise(self, company: Terminal) -> None:
        looked_at = [line for line in company("doctor").out.splitlines() if line.startswith("look at")]
        assert [line for line in looked_at if "policies" in line] == []

    def test_a_hidden_field_is_named_with_its_line(self, company: Terminal, admin: Admin) -> None:
        admin.post("/permissions", system="salesforce", object="Contact", hide="Title")
        said = company("doctor")
        assert said.code == 2
        assert "Salesforce Contact has no field `Title`" in said.out
        assert "person-basics.yaml:" in said.out

    def test_a_hidden_consent_field_is_an_error(self, company: Terminal, admin: Admin) -> None:
        admin.post("/permissions", system="salesforce", object="Lead", hide="HasOptedOutOfEmail")
        said = company("doctor")
        assert said.code == 2
        assert "the consent field `HasOptedOutOfEmail` is not visible in Salesforce Lead" in said.out

    def test_a_field_that_cannot_be_written_is_an_error(self, company: Terminal, admin: Admin) -> None:
        admin.post("/permissions", system="salesforce", object="Contact", read_only="Title")
        said = company("doctor")
        assert said.code == 2
        assert "`Title` cannot be written in Salesforce Contact" in said.out

    def test_a_word_that_a_picklist_does_not_know_is_an_error(self, company: Terminal) -> None:
        company.edit("policies/person-lifecycle.yaml", "hubspot: opportunity,", "hubspot: oportunity,")
        said = company("doctor")
        assert said.code == 2
        assert "`oportunity` is not a value of `lifecyclestage`" in said.out
        assert "did you mean `opportunity`?" in said.out.casefold()

    def test_a_missing_scope_is_named(self, company: Terminal, admin: Admin) -> None:
        admin.post("/permissions", system="hubspot", remove_scope="crm.schemas.contacts.read")
        admin.post("/permissions", system="hubspot", remove_scope="crm.objects.contacts.read")
        said = company("doctor")
        assert said.code == 13
        assert "ERROR   hubspot contacts" in said.out
        assert "contacts.read" in said.out

    def test_a_wrong_key_is_an_error_and_the_other_side_is_still_looked_at(self, company: Terminal) -> None:
        company("secrets", "set", "file:secrets/hubspot-token", typed="not-a-token\n")
        said = company("doctor")
        assert said.code == 13
        assert "ERROR   hubspot access: HubSpot refused the key" in said.out
        assert "ok      salesforce Contact" in said.out
        assert "not-a-token" not in said.text

    def test_a_vendor_that_is_down_is_an_error_of_its_own(self, company: Terminal, admin: Admin) -> None:
        admin.fault(id="down", system="hubspot", times="always", action="status", status=503)
        said = company("doctor")
        assert said.code == 14
        assert "ERROR   hubspot access" in said.out

    def test_a_clock_that_goes_wrong_is_looked_at(self, emulator: Emulator, tmp_path: Path, admin: Admin) -> None:
        emulator.renew(Options(contacts=10, companies=5, seed=3))
        admin.post("/clock/advance", seconds=7200)
        said = terminal_at(emulator, tmp_path)("doctor")
        assert "salesforce clock: this computer is 7," in said.out
        assert "s behind" in said.out

    def test_a_connector_beside_us_is_named(self, company: Terminal) -> None:
        said = company("doctor")
        assert "look at hubspot other sync" in said.out
        assert "truce mode watch" in said.out

    def test_a_picklist_value_that_a_value_map_does_not_name_is_looked_at(self, company: Terminal) -> None:
        line = "  rating: {salesforce: {Lead: Rating}, hubspot: hs_lead_status, wins: salesforce, values: VALUES}\n"
        words = "{hot: {salesforce: Hot, hubspot: OPEN}, warm: {salesforce: Warm, hubspot: NEW}}"
        path = company.folder / "policies" / "person-basics.yaml"
        path.write_text(
            path.read_text(encoding="utf-8").rstrip("\n") + "\n" + line.replace("VALUES", words), encoding="utf-8"
        )
        said = company("doctor")
        assert "`values` has no word for Cold of `Rating` of Salesforce Lead" in " ".join(said.out.split())

    def test_leads_to_the_pairing_until_it_is_accepted_and_then_to_the_plan(self, company: Terminal) -> None:
        assert "next   truce pair" in company("doctor").out
        assert company("pair").code == 0
        for kind in ("person", "company"):
            said = company("pair", "accept", kind)
            assert said.code == 0, said
        assert "next   truce plan" in company("doctor").out

    def test_says_object_by_object_what_cannot_be_written_yet_and_why(self, company: Terminal, admin: Admin) -> None:
        def about(object_type: str) -> set[tuple[str, str]]:
            return {
                (each["by"], each["why"])
                for each in company("doctor", "--json").document["can_write"]
                if each["object_type"] == object_type
            }

        assert about("Account") == {("a person", "")}
        admin.post("/permissions", system="salesforce", object="Account", read_only="*")
        assert about("Account") == {("nobody yet", "Truce's user may not change it")}
        admin.post("/permissions", system="salesforce", object="Account", hide="*")
        assert about("Account") == {("nobody yet", "it cannot be read")}
        company.edit("config.yaml", "mode: ask", "mode: watch")
        assert about("contacts") > {("nobody yet", "person-basics only watches")}

    def test_says_which_policies_write_without_asking(self, company: Terminal) -> None:
        company.edit("policies/person-basics.yaml", "mode: ask", "mode: act")
        company.json("plan")
        company.json("mode", "act")
        company.json("go-live", "person-basics", "--yes")
        assert company.json("doctor")["may_write"] == ["person-basics"]


class TestMode:
    def test_is_what_the_config_says_before_anybody_spoke(self, company: Terminal) -> None:
        assert company.json("mode") == {"mode": "ask", "set_by": None, "set_at": None}

    def test_survives_a_restart_with_who_set_it(self, company: Terminal) -> None:
        company("mode", "watch")
        found = company.json("mode")
        assert (found["mode"], found["set_by"]) == ("watch", "anna@example.com")
        assert company.json("status")["mode"] == "watch"

    def test_is_remembered_in_the_ledger_that_verifies(self, company: Terminal) -> None:
        company("mode", "act")
        company("mode", "watch")
        assert company.json("ledger", "verify")["ok"]

    def test_a_later_edit_of_the_config_counts(self, company: Terminal) -> None:
        company("mode", "act")
        company.edit("config.yaml", "mode: ask", "mode: watch")
        assert company.json("mode")["mode"] == "watch"

    def test_watch_lets_nobody_write(self, company: Terminal, admin: Admin) -> None:
        company("mode", "watch")
        before = len(admin.audit())
        plan = company.json("plan")
        assert plan["changes"] == 0
        assert plan["watched"] > 0
        assert len(admin.audit()) == before

    def test_raising_it_needs_a_name_and_lowering_does_not(self, company: Terminal) -> None:
        text = company.config.read_text(encoding="utf-8")
        company.config.write_text(text[: text.index("people:")], encoding="utf-8")
        assert company("mode", "act").code == 4
        assert company("mode", "watch").code == 0

    def test_works_while_both_vendors_are_down(self, company: Terminal, admin: Admin) -> None:
        company("plan")
        admin.fault(id="down", times="always", action="status", status=503)
        assert company("mode", "watch").code == 0
        assert company("pause", "person-basics").code == 0


def test_a_folder_named_policies_where_truce_is_started_is_not_taken_for_the_shipped_one(
    nothing: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "elsewhere" / "policies" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("policy: mine\n", encoding="utf-8")
    monkeypatch.syspath_prepend(mine.parents[1])
    nothing("init", *ME)
    assert not (nothing.folder / "policies" / "mine.yaml").exists()
