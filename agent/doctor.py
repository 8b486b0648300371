"""Prove access without writing anything: each finding says what was looked at, what was found and the next step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from agent.calls.allowances import asked
from agent.calls.calls import Calls, Standing
from agent.changes import Mode
from agent.config.config import Config
from agent.config.secrets import can_be_kept, read_secret
from agent.connector import Connector, ObjectSchema, Window
from agent.decide import parse
from agent.decide.policy import PolicySet
from agent.declaration import REPLACED_BY_USE, Declaration, Use
from agent.errors import AccessDenied, ConfigError, PolicyError, SafetyStop, TruceError
from agent.guard import lowest
from agent.policy_files.policy_files import read_sources
from agent.policy_files.rights import uses_of
from agent.private_files import require_private
from agent.reports.prospects import Prospect, Prospects, Sight
from agent.systems import Systems
from agent.ways_out import GRANT, PERMISSIONS, WaysOut

MOST_SKEW_SECONDS = 60.0
LEAST_FREE_BYTES = 256 * 1024 * 1024
RETIRING_DAYS = 180
"""So early is said that a vendor stops supporting what we use."""
MUCH_USED = 0.8
"""Part of an account's calls after which it is worth a look."""

Level = Literal["ok", "warning", "error"]
Schemas = dict[tuple[str, str], ObjectSchema]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``subject`` is a short name such as ``salesforce access``; ``steps`` lead out of it.

    ``exit_code`` is that of docs/errors.md for an error, 0 otherwise.
    """

    level: Level
    subject: str
    text: str
    steps: tuple[str, ...] = ()
    exit_code: int = 0


@dataclass(slots=True)
class Examination:
    """``systems`` are those of the config. ``connect`` makes the connector of one without a request; ``secret`` reads
    one reference."""

    config: Config
    systems: Systems
    connect: Callable[[str], Connector]
    clock: Callable[[], datetime]
    declared: Mapping[str, Declaration[Any]]
    secret: Callable[[str], str] = read_secret
    calls: Callable[[Mapping[str, Connector]], Calls | None] = lambda connectors: None
    """Puts a gate that counts and remembers nothing into the way of the connectors' calls."""
    mode: Mode = "ask"
    """The most that Truce may do at present."""
    accounts: Mapping[str, str] = field(default_factory=dict)
    """{system: the account that answered when this installation began}."""
    taken_over: Collection[str] = ()
    """Entity types that a person moved from another sync to Truce."""
    _reachable: dict[str, Connector] = field(default_factory=dict)
    _schemas: Schemas = field(default_factory=dict)
    _granted: dict[str, frozenset[str]] = field(default_factory=dict)
    _loaded: PolicySet | None = None

    def findings(self) -> Iterator[Finding]:
        """Look at everything that can be looked at; one failing part does not hide the others."""
        yield from _state_folder(self.config.state)
        secrets = list(self._secrets())
        yield from secrets
        unreadable = {each.subject.partition(".")[0] for each in secrets if each.level == "error"}
        connectors: dict[str, Connector] = {}
        for system in (each for each in self.config.systems if each not in unreadable):
            try:
                connectors[system] = self.connect(system)
            except ConfigError as error:
                yield error_finding(f"{system} keys", error)
        calls = self.calls(connectors) if connectors else None
        for meter in calls.meters.values() if calls is not None else ():
            meter.lane = "undo"  # a look at what is wrong is never held back
        try:
            for system, connector in connectors.items():
                found = list(_access(system, connector, self.clock, self._ways_out(system), self.accounts.get(system)))
                yield from found
                if all(each.level != "error" for each in found):
                    self._reachable[system] = connector
                    standing = calls.meters[system].standing() if calls is not None else None
                    yield from _quota(standing, self.declared[system].calls_step)
                    step = self.declared[system].allowances_step
                    yield from _allowances(connector, self.clock(), step, self._ways_out(system))
                yield from self._retiring(system)
            yield from self._policies(self.clock().date())
        finally:
            for connector in connectors.values():
                connector.close()

    def prospects(self, modes: Mapping[str, Mode], accepted: Collection[str]) -> list[Prospect]:
        """What can be written and what cannot yet, after all findings; nothing while the policies cannot be read.

        ``modes``: what each policy may do; of one that is not named, nobody has let it act.
        """
        if self._loaded is None:
            return []
        capabilities = {system: connector.capabilities for system, connector in self._reachable.items()}
        missing = {
            (system, use.object_type): sorted(set(rights.named) - self._granted[system])
            for system, uses in uses_of(self._loaded, capabilities).items()
            for use in uses.values()
            if system in self._granted and (rights := self.declared[system].rights([use])) is not None
        }
        said = {
            name: lowest([header.mode, self.config.run.mode, "ask"]) for name, header in self._loaded.headers.items()
        }
        sight = Sight(capabilities, self._schemas, missing)
        return list(Prospects(self._loaded, sight, {**said, **modes}, accepted).all())

    def _secrets(self) -> Iterator[Finding]:
        for setting, place in self.config.secrets().items():
            try:
                self.secret(place)
            except ConfigError as error:
                yield error_finding(f"{setting}", error)
            else:
                yield Finding("ok", setting, f"can be read from {place.partition(':')[0]}")
                if setting.rpartition(".")[2] in REPLACED_BY_USE and not can_be_kept(place):
                    yield Finding(
                        "warning",
                        setting,
                        "an app that replaces it with every use would lock us out at the next start: "
                        f"Truce cannot write to {place.partition(':')[0]}",
                        (f"in config.yaml: {setting}: keyring:NAME or file:PATH; then: truce secrets set {setting}",),
                    )

    def _policies(self, today: date) -> Iterator[Finding]:
        try:
            sources = read_sources(self.config.policies)
            policies = parse.load(sources, None, today, self.systems)
        except TruceError as error:
            yield error_finding("policies", error)
            return
        self._loaded, schemas = policies, self._schemas
        for entity_type in policies.entity_types.values():
            for system, types in entity_type.records.items():
                for object_type in types if system in self._reachable else ():
                    fields = policies.vendor_fields(system, object_type)
                    yield _object(self._reachable[system], object_type, fields, schemas, self._ways_out(system))
        wanted = {
            (system, object_type)
            for entity_type in policies.entity_types.values()
            for system, types in entity_type.records.items()
            for object_type in types
        }
        if wanted == set(schemas):
            yield from _fields(sources, schemas, today, self.systems)
        yield from self._rights(policies, schemas)
        yield from self._other_integrations(policies, schemas)
        yield from _link_keys(policies, self._reachable, schemas)

    def _ways_out(self, system: str) -> WaysOut:
        return WaysOut(
            system,
            self.declared[system].system.name,
            [setting for setting in self.config.secrets() if setting.startswith(f"{system}.")],
            self.declared[system].status_page,
            getattr(self.config.systems[system], "base_url", None) or "",
        )

    def _retiring(self, system: str) -> Iterator[Finding]:
        """What we use of a vendor and it will stop supporting."""
        today = self.clock().date()
        for each in self.declared[system].retiring(self.config.systems[system]):
            left = (each.last_day - today).days
            text = f"{each.what}: supported until {each.last_day:%d %b %Y}"
            level: Level = "warning" if left <= RETIRING_DAYS else "ok"
            told = f"{text}, {left} days from now" if left > 0 else f"{text}, which is over"
            yield Finding(level, f"{system} API", told if level == "warning" else text, (each.step,))

    def _rights(self, policies: PolicySet, schemas: Schemas) -> Iterator[Finding]:
        """What our logins may do there against what the policies need: less is an error, more is a risk for nothing."""
        uses = uses_of(policies, {system: connector.capabilities for system, connector in self._reachable.items()})
        for system, connector in self._reachable.items():
            if system not in uses:
                continue
            try:
                granted = connector.granted()
            except TruceError as error:
                steps = self._ways_out(system).of(error)
                yield Finding("warning", f"{system} rights", f"could not be asked for: {error.what}", steps)
                continue
            if granted is not None:
                self._granted[system] = granted
            rights = self.declared[system].rights(list(uses[system].values()))
            if granted is not None and rights is not None:
                yield from _named_rights(system, frozenset(rights.named), granted)
            elif granted is None:
                yield from _described_rights(system, uses[system], schemas)

    def _other_integrations(self, policies: PolicySet, schemas: Schemas) -> Iterator[Finding]:
        """Fields in which another integration (HubSpot's own connector) keeps the other side's ids. They stay when it
        is switched off, so what was decided about it counts: only watching, or taken over by Truce."""
        about = {
            (system, object_type): entity_type.name
            for entity_type in policies.entity_types.values()
            for system, types in entity_type.records.items()
            for object_type in types
        }
        for system, connector in self._reachable.items():
            found = [
                (object_type, name)
                for object_type, names in connector.capabilities.stored_ids.items()
                for name, other_type in names.items()
                if any(known == other_type and other != system for other, known in schemas)
                and (system, object_type) in schemas
                and name in schemas[system, object_type].fields
            ]
            if not found:
                continue
            text = f"its own connector keeps ids here ({', '.join('.'.join(each) for each in found)}); "
            left = sorted({about[system, object_type] for object_type, _ in found} - set(self.taken_over))
            if self.mode == "watch" or not left:
                done = "Truce only watches beside it" if left else "what it wrote is taken over by Truce"
                yield Finding("ok", f"{system} other sync", text + done)
                continue
            steps = (
                "while that connector still writes: truce mode watch",
                f"to take over from it, or once it is off: truce cutover {left[0]}",
            )
            yield Finding("warning", f"{system} other sync", f"{text}Truce pairs by them", steps)


def _quota(standing: Standing | None, step: str) -> Iterator[Finding]:
    """How much of the account's calls is used, as its own replies say."""
    if standing is None or standing.limit is None or standing.used is None or standing.share is None:
        return
    subject = f"{standing.system} calls"
    text = f"{standing.used:,} of {standing.limit:,} used today by all tools; Truce's share is {standing.share:,}"
    is_much = standing.used > standing.limit * MUCH_USED
    yield Finding("warning" if is_much else "ok", subject, text, (step,))


def _allowances(connector: Connector, now: datetime, step: str, ways_out: WaysOut) -> Iterator[Finding]:
    """What else a day has of the account, asked now; used up it makes work slower and stops nothing."""
    subject = f"{connector.system} allowances"
    try:
        told = asked(connector, now)
    except TruceError as error:
        yield Finding("warning", subject, f"could not be asked for: {error.what}", ways_out.of(error))
        return
    if told is not None and told.refused:
        yield Finding("ok", subject, f"not told: {told.refused}")
    elif told is not None:
        much = [name for name, each in told.allowances.items() if each.used > each.limit * MUCH_USED]
        used = ", ".join(f"{each.used:,} of {each.limit:,} {name}" for name, each in told.allowances.items())
        yield Finding("warning" if much else "ok", subject, f"{used} used today by all tools", (step,))


def _named_rights(system: str, needed: frozenset[str], granted: frozenset[str]) -> Iterator[Finding]:
    missing, more = sorted(needed - granted), sorted(granted - needed - {"oauth"})
    if missing:
        step = f"grant {'them' if len(missing) > 1 else 'it'} to the key; where, and the whole list: {PERMISSIONS}"
        yield Finding("error", f"{system} rights", f"missing: {', '.join(missing)}", (step,), AccessDenied.exit_code)
    if more:
        yield Finding(
            "warning", f"{system} rights", f"not needed: {', '.join(more)}",
            (f"take {'them' if len(more) > 1 else 'it'} from the key; where, and the whole list: {PERMISSIONS}",),
        )  # fmt: skip
    if not missing and not more:
        yield Finding("ok", f"{system} rights", "exactly what the policies need")


def _described_rights(system: str, uses: Mapping[str, Use], schemas: Schemas) -> Iterator[Finding]:
    """Object by object, from the descriptions; fields are looked at with the policies."""
    missing, more = [], []
    for object_type, use in uses.items():
        schema = schemas.get((system, object_type))
        if schema is None:
            continue
        changes = bool(use.writes) or use.creates
        pairs = ((use.creates, schema.can_create, "create"), (changes, schema.can_update, "change"))
        missing += [f"{verb} {object_type}" for needs, has, verb in pairs if needs and not has]
        more += [f"{verb} {object_type}" for needs, has, verb in pairs if has and not needs]
        more += [f"delete {object_type}"] if schema.can_delete and not use.creates else []
    step = f"grant exactly what this prints: {PERMISSIONS}"
    if missing:
        yield Finding("error", f"{system} rights", f"may not {', '.join(missing)}", (step,), AccessDenied.exit_code)
    if more:
        yield Finding("warning", f"{system} rights", f"may, and need not: {', '.join(more)}", (step,))
    if not missing and not more:
        yield Finding("ok", f"{system} rights", "exactly what the policies need, object by object")


def _state_folder(state: Path) -> Iterator[Finding]:
    folder = next(each for each in (state, *state.parents) if each.exists() or each.is_symlink())
    elsewhere = "or name another folder in config.yaml: state"
    if not folder.is_dir():
        yield Finding("error", "state folder", f"{folder} is no folder", (f"move it away, {elsewhere}",), 1)
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("error", "state folder", f"{folder} cannot be written", (f"chmod u+wx {folder}", elsewhere), 1)
        return
    if folder == state:
        try:
            require_private(state, kind="directory")
        except ConfigError as error:
            yield error_finding("state folder", error)
            return
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        step = f"free {(LEAST_FREE_BYTES - free) // 2**20 + 1} MB on the disk of {folder}"
        text = f"only {free // 2**20} MB free for the ledger, and {LEAST_FREE_BYTES // 2**20} are wanted"
        yield Finding("error", "disk", text, (step, elsewhere), 1)
        return
    yield Finding("ok", "disk", f"{free // 2**20:,} MB free for the ledger")


def _access(
    system: str, connector: Connector, clock: Callable[[], datetime], ways_out: WaysOut, known: str | None
) -> Iterator[Finding]:
    """Who answers, whether it is the ``known`` account, and what time it is there."""
    try:
        identity = connector.identity()
        skew = (connector.now() - clock()).total_seconds()
        owners = connector.owners()
    except TruceError as error:
        yield error_finding(f"{system} access", error, ways_out)
        return
    if known not in (None, identity.account_id):
        text = f"account {identity.account_id} answers, but this installation belongs to account {known}"
        steps = (
            f"log in to account {known}: {', '.join(ways_out.secrets)}; set one: truce secrets set NAME",
            "for the other account begin anew: truce init in a folder of its own",
        )
        yield Finding("error", f"{system} access", text, steps, SafetyStop.exit_code)
        return
    kind = "production" if identity.is_production else "not production"
    yield Finding("ok", f"{system} access", f"{identity.name or identity.account_id} ({identity.account_id}), {kind}")
    if abs(skew) > MOST_SKEW_SECONDS:
        behind = "behind" if skew > 0 else "ahead"
        yield Finding(
            "warning", f"{system} clock", f"this computer is {abs(skew):,.0f} s {behind}",
            ("set the clock of this computer, best by the network (Linux: timedatectl set-ntp true)",),
        )  # fmt: skip
    active = sum(owner.active for owner in owners)
    yield Finding("ok", f"{system} owners", f"{active} active of {len(owners)}")


def _object(
    connector: Connector, object_type: str, fields: Iterable[str], schemas: Schemas, ways_out: WaysOut
) -> Finding:
    """Can its description and its records be read? If so its schema is added to ``schemas``.

    A description can be readable where records are not (HubSpot's scopes differ), so records of one second are asked
    for, with the fields that the policies name and the description knows.
    """
    subject = f"{connector.system} {object_type}"
    try:
        schema = connector.schema(object_type)
        now = connector.now()
        mapped = sorted(set(fields) & set(schema.fields))
        next(connector.changed(object_type, mapped, Window(now - timedelta(seconds=1), now)), None)
    except TruceError as error:
        return error_finding(subject, error, ways_out)
    schemas[connector.system, object_type] = schema
    readable = f"{len(schema.fields)} fields readable"
    denied = [verb for verb, allowed in (("create", schema.can_create), ("change", schema.can_update)) if not allowed]
    return Finding("ok", subject, readable + (f"; Truce's user may not {' or '.join(denied)} it" if denied else ""))


def _fields(sources: Mapping[str, str], schemas: Schemas, today: date, systems: Systems) -> Iterator[Finding]:
    """Every mapped field, its type and rights, and every value map against what the CRMs say of themselves."""
    problems = parse.check(sources, schemas, today, systems)
    for problem in problems:
        level: Level = "warning" if problem.is_warning else "error"
        advice = (problem.advice,) if problem.advice else ()
        yield Finding(level, "policies", str(problem), advice, 0 if problem.is_warning else PolicyError.exit_code)
    if not any(not problem.is_warning for problem in problems):
        yield Finding("ok", "policies", f"{len(sources)} files; every field they name was found")


def _link_keys(policies: PolicySet, connectors: Mapping[str, Connector], schemas: Schemas) -> Iterator[Finding]:
    """Without a unique field of ours, a create whose reply was lost could not be recognised."""
    for entity_type in policies.entity_types.values():
        for system, rule in entity_type.creates.items():
            if system not in connectors or rule.as_type in connectors[system].capabilities.natural_ids:
                continue
            subject = f"{system} {rule.as_type} link key"
            name = connectors[system].capabilities.link_keys.get(rule.as_type)
            schema = schemas.get((system, rule.as_type))
            set_up = policies.systems[system].link_key_setup(rule.as_type, _uniqueness(schema))
            if name is None:
                yield Finding("warning", subject, "none: creates are only proposed, one call each", set_up)
            elif schema is not None and name not in schema.fields:
                yield Finding("error", subject, f"there is no field {name}", set_up, ConfigError.exit_code)
            elif schema is not None and not schema.fields[name].unique:
                yield Finding("error", subject, f"{name} is not unique", set_up, ConfigError.exit_code)
            elif schema is not None and not schema.fields[name].creatable:
                yield Finding("error", subject, f"Truce's user may not fill {name}", (GRANT,), AccessDenied.exit_code)
            else:
                yield Finding("ok", subject, name)


def _uniqueness(schema: ObjectSchema | None) -> dict[str, bool]:
    return {name: field.unique for name, field in schema.fields.items()} if schema is not None else {}


def error_finding(subject: str, error: TruceError, ways_out: WaysOut | None = None) -> Finding:
    """The first problem stands for all of a file's; ``truce check`` lists them."""
    text = f"{error.what}: {error.why}" if error.why else error.what
    if isinstance(error, PolicyError):
        text = f"{error.what}; first: {error.problems[0]}"
    elif not error.why and error.where and not isinstance(error, AccessDenied):
        text = f"{error.what} ({error.where})"
    own = (error.next_step,) if error.next_step else ()
    return Finding("error", subject, text, ways_out.of(error) if ways_out is not None else own, error.exit_code)
