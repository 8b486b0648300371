"""``truce init``: a few questions, then a config file and policies to start from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from agent.cli.choice import Choice
from agent.cli.display import print_json, say
from agent.cli.session import json_option
from agent.errors import ConfigError, TruceError, UsageError

_LEAD = Choice(["salesforce", "hubspot"])
_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


@click.command("init")
@click.option("--email", help="Yours: who answers for the policies and approves.")
@click.option("--salesforce-domain", metavar="DOMAIN", help="Such as acme.my.salesforce.com.")
@click.option("--sandbox/--production", default=None, help="Is this Salesforce a sandbox?")
@click.option("--native-connector/--no-native-connector", default=None, help="Does HubSpot's own connector run?")
@click.option("--first", "begins_with", metavar="people|deals|everything", help="What to keep in agreement first.")
@click.option("--people-lead", type=_LEAD, help="Who is right about people when both differ.  [default: salesforce]")
@click.option("--companies-lead", type=_LEAD, help="The same for companies.")
@click.option("--deals-lead", type=_LEAD, help="The same for deals.")
@click.option("--time-zone", metavar="NAME", help="In which your days end, such as Europe/Berlin.")
@click.option("--approvers", metavar="EMAILS", help="Who approves beside you, with commas between them.")
@click.option(
    "--salesforce-login",
    type=Choice(["client-credentials", "jwt", "refresh-token"]),
    default="client-credentials",
    show_default=True,
    help="How Truce logs in there.",
)
@click.option("--salesforce-username", metavar="LOGIN", help="Of the integration user; only for jwt.")
@click.option(
    "--hubspot-login",
    type=Choice(["key", "refresh-token"]),
    default="key",
    show_default=True,
    help="How Truce logs in there.",
)
@click.option("--secrets", type=Choice(["keyring", "file", "env", "systemd"]), help="Where secrets are kept.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **given: Any) -> None:
    """Write a config file and policies to start from. Asks what no option says; overwrites nothing.

    Nothing is written to a CRM, and no CRM is asked.
    """
    from agent.config.first_files import write_first_files
    from agent.wiring.settings import first_config_kind

    path = Path(ctx.obj)
    if path.exists():
        raise ConfigError(
            "there is a config file already, and nothing was written",
            where=str(path),
            why="init never overwrites",
            next_step="truce doctor",
        )
    answers = _interview(given, may_ask=_is_terminal() and not as_json)
    kind = first_config_kind()
    written = write_first_files(path, answers, kind)
    permissions = _write_permissions(path)
    steps = _next_steps(answers, kind)
    if as_json:
        print_json(
            {
                "config": str(written.config),
                "policies": [str(each) for each in written.policies],
                "kept": [str(each) for each in written.kept],
                "permissions": [str(each) for each in permissions],
                "mode": "watch" if answers.has_native_connector else "ask",
                "next": [step for step, _ in steps],
            }
        )
        return
    click.echo(f"Wrote {written.config}" + (f" and {len(written.policies)} policies" if written.policies else "") + ".")
    for each in permissions:
        click.echo(f"Wrote {each}: what Truce's user must be granted there.")
    if written.policies and not answers.approvers:
        say("You approve alone, owner changes too. With a second person: groups in policies/sales-team.yaml, and")
        say("`owner_changes: {people: 2, …}` in policies/daily-limits.yaml.")
    for kept in written.kept:
        click.echo(f"{kept} has policies already; they are left as they are.")
    if answers.has_native_connector:
        click.echo("Truce only watches (mode: watch) while HubSpot's own connector writes.")
    say("Nothing is written to a CRM before you have seen a plan and applied it. Next:")
    for step, why in steps:
        click.echo(f"  {step:<22}  {why}")


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _interview(given: dict[str, Any], *, may_ask: bool) -> Any:
    """The answers: what the options say, and for the rest what the person says."""
    from agent.config.first_files import Answers, is_practice_domain, possible_beginnings, salesforce_domain
    from agent.people import current_person

    if not may_ask:
        _require(given, "email", "salesforce_domain")
    email = given["email"] or _ask("Your e-mail (you approve)", _email)
    domain = (
        salesforce_domain(given["salesforce_domain"])
        if given["salesforce_domain"]
        else _ask("Salesforce domain, such as acme.my.salesforce.com", salesforce_domain)
    )
    sandbox = given["sandbox"]
    if sandbox is None and may_ask:
        sandbox = click.confirm("Is this Salesforce a sandbox or developer org?", default=is_practice_domain(domain))
    if sandbox and not is_practice_domain(domain):
        raise UsageError(
            f"the domain {domain}.salesforce.com is no sandbox",
            why="a sandbox has --NAME.sandbox in its domain, a developer org has .develop",
            next_step="truce init --production, or give the domain of the sandbox",
        )
    if given["salesforce_login"] == "jwt" and not given["salesforce_username"]:
        raise UsageError(
            "--salesforce-username is needed",
            why="a signed login says whose it is",
            next_step="truce init --salesforce-login jwt --salesforce-username integration@company.com",
        )
    native = given["native_connector"]
    if native is None:
        native = may_ask and click.confirm("Is HubSpot's own Salesforce connector switched on?", default=False)
    begins_with = _beginning(given["begins_with"], possible_beginnings(), may_ask=may_ask)
    return Answers(
        email=_email(email),
        login=current_person({}).login,
        domain=domain,
        has_native_connector=bool(native),
        begins_with=begins_with,
        leads=_leads(given, begins_with, may_ask=may_ask),
        time_zone=_zone(given["time_zone"], may_ask=may_ask),
        approvers=_approvers(given["approvers"], may_ask=may_ask),
        secrets=given["secrets"] or _where_secrets_go(may_ask=may_ask),
        salesforce_login=given["salesforce_login"].replace("-", "_"),
        hubspot_login=given["hubspot_login"].replace("-", "_"),
        username=given["salesforce_username"] or "",
    )


def _require(given: dict[str, Any], *names: str) -> None:
    missing = [f"--{name.replace('_', '-')}" for name in names if not given[name]]
    if missing:
        raise UsageError(
            f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} needed",
            why="there is nobody to ask: this is no terminal",
            next_step="truce init --email you@company --salesforce-domain acme.my.salesforce.com",
        )


def _ask(question: str, understood: Callable[[str], str], *, default: str | None = None) -> str:
    """Asks until the answer is understood."""
    while True:
        try:
            return understood(str(click.prompt(question, default=default)))
        except TruceError as error:
            say(f"{error.what}: {error.why}", hanging=2)


def _email(typed: str) -> str:
    text = typed.strip()
    name, _, host = text.partition("@")
    if not name or "." not in host or " " in text:
        raise UsageError(f"{text!r} is no e-mail address", why="it looks like anna@company.com")
    return text


def _beginning(chosen: str | None, possible: list[str], *, may_ask: bool) -> str:
    if chosen is None and may_ask and len(possible) > 1:
        return str(click.prompt("People or deals first?", type=Choice(possible), default=possible[0]))
    if chosen is not None and chosen not in possible:
        raise UsageError(f"there are no policies to begin with {chosen}", why=f"there are for {', '.join(possible)}")
    return chosen or possible[0]


def _leads(given: dict[str, Any], begins_with: str, *, may_ask: bool) -> dict[str, str]:
    """{what: who is right about it}; asked only about what policies are written for."""
    from agent.config.first_files import BEGINNINGS
    from agent.config.first_policies import LED_FILES

    found = {}
    for about, policy in LED_FILES.items():
        chosen = given[f"{about}_lead"]
        if policy.partition("-")[0] not in BEGINNINGS[begins_with]:
            continue
        if chosen is None and may_ask:
            question = f"When both CRMs differ about {about}, who is right?"
            chosen = str(click.prompt(question, type=_LEAD, default="salesforce"))
        if chosen is not None:
            found[about] = chosen
    return found


def _zone(typed: str | None, *, may_ask: bool) -> str:
    from agent.config.first_policies import known_zone, zone_of_this_computer

    if typed is not None:
        return known_zone(typed)
    usual = zone_of_this_computer()
    return _ask("Time zone in which your days end", known_zone, default=usual) if may_ask else usual


def _approvers(typed: str | None, *, may_ask: bool) -> tuple[str, ...]:
    if typed is None and may_ask:
        return tuple(_ask("Who approves beside you? (e-mails, or nobody)", _emails, default="nobody").split())
    return tuple(_emails(typed or "").split())


def _emails(typed: str) -> str:
    """Several addresses with commas or spaces between them; with one space between them again."""
    words = [] if typed.strip() == "nobody" else typed.replace(",", " ").split()
    return " ".join(_email(word) for word in words)


def _where_secrets_go(*, may_ask: bool) -> Any:
    from agent.config.secrets import keyring_name

    try:
        keyring_name()
        best = "keyring"
    except ConfigError:
        best = "file"
    if not may_ask:
        return best
    places = Choice(["keyring", "file", "env", "systemd"])
    return click.prompt("Where are the keys of both CRMs kept?", type=places, default=best)


def _write_permissions(config: Path) -> list[Path]:
    """What to grant for the policies that are there now; nothing while they hold mistakes."""
    from agent.config.first_files import write_rights
    from agent.wiring.opening import rights_of
    from agent.wiring.settings import read_config

    try:
        rights = rights_of(read_config(config))
    except TruceError:
        return []
    return list(write_rights(config.parent / "permissions", rights).values())


def _next_steps(answers: Any, kind: Any) -> list[tuple[str, str]]:
    from agent.config.first_files import SECRETS, reference, secret_names

    steps = [
        ("truce doctor", "can everything needed be read?"),
        ("truce pair", "who is the same in both?"),
    ]
    names = secret_names(answers, kind)
    if answers.secrets == "env":
        exports = [(reference(name, "env").removeprefix("env:"), SECRETS[name].lower()) for name in names]
        return [(f"export {variable}=…", text) for variable, text in exports] + steps
    if answers.secrets == "systemd":
        return [("LoadCredentialEncrypted=", "one line per secret in the unit file"), *steps]
    asked = [name for name in names if name != "salesforce-private-key"]
    keys = [("truce secrets set", f"the {_COUNTS.get(len(asked), str(len(asked)))} keys, asked for and not shown")]
    if len(asked) < len(names):
        place = reference("salesforce-private-key", answers.secrets)
        keys.append((f"truce secrets set {place} < server.key", "the private key"))
    return [*keys, *steps]
