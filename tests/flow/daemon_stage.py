"""What the daemon's tests stand on: an installation on two CRMs in memory, and one on the emulator with real processes.

In memory the clock and the scheduler are in the test's hands: ``turn`` and ``glance`` are what the scheduler would
call. With real processes, tests wait for log lines and answers, never for a length of time.
"""

from __future__ import annotations

import getpass
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from agent.cli import truce
from agent.cli.advice import tell
from agent.config.config import Config
from agent.connector import FieldSchema, ObjectSchema
from agent.daemon.daemon import Daemon
from agent.errors import TruceError
from agent.installation import Installation
from agent.lock import DAEMON
from agent.policy_files.policy_files import FolderWatch
from agent.policy_files.source import PolicySource
from agent.records import Ref
from agent.wiring.opening import open_installation, reload_policies, take_last_good
from agent.wiring.settings import read_config
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator
from connectors.memory import Memory

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

POLICY = """\
policy: person-basics
kind: fields
responsible: anna@example.com
purpose: Both CRMs agree
review_by: 2027-03-01
mode: act
defines: person
records: {salesforce: Contact, hubspot: contacts}
match: [email]
first_time: winner
losing_edit: revert
fields:
  email: {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce}
"""
LIMITS = """\
policy: limits
kind: limits
responsible: anna@example.com
purpose: A mistake stays small
review_by: 2027-03-01
batch: {records: 200, percent: 100}
"""
BROKEN = POLICY.replace("  email: {", "  email: [{")
BROKEN_LINE = 13

PLAIN_CONFIG: dict[str, Any] = {
    "salesforce": {"domain": "acme.my", "client_id": "env:SF_ID", "client_secret": "env:SF_SECRET"},
    "hubspot": {"token": "env:HS_TOKEN"},
    "run": {"every_seconds": 60, "mode": "act"},
    "people": {"anna": "anna@example.com"},
}


@dataclass
class Watch:
    """A clock that moves when told; ``seconds`` is the monotonic one beside it."""

    now: datetime = START
    monotonic: float = 1000.0

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.monotonic

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)
        self.monotonic += timedelta(**span).total_seconds()


@dataclass
class HandScheduler:
    """Notes when each job would run next; the test runs it."""

    next_run: dict[str, datetime] = field(default_factory=dict)
    armed: int = 0

    def add_job(
        self, job: Any, trigger: str, args: list[Any], *, id: str, next_run_time: datetime, **more: Any
    ) -> None:
        self.next_run[id] = next_run_time
        self.armed += 1

    def modify_job(self, name: str, *, next_run_time: datetime) -> None:
        self.next_run[name] = next_run_time

    def start(self) -> None: ...
    def pause(self) -> None: ...
    def shutdown(self, wait: bool = True) -> None: ...


class Bench:
    """One daemon over two CRMs in memory, in a folder of its own."""

    def __init__(self, folder: Path, watch: Watch | None = None) -> None:
        self.watch = watch or Watch()
        self.folder = folder
        self.policies = folder / "policies"
        self.policies.mkdir(exist_ok=True)
        self.write_policy(POLICY)
        self.write_policy(LIMITS, "limits.yaml")
        (folder / "config.yaml").write_text(yaml.safe_dump(PLAIN_CONFIG), encoding="utf-8")
        self.config: Config = read_config(folder / "config.yaml")
        self.salesforce = self._crm("salesforce", "Contact", "Email", "Title")
        self.hubspot = self._crm("hubspot", "contacts", "email", "jobtitle")
        self.scheduler = HandScheduler()
        self.beats: list[str] = []

    def _crm(self, system: str, object_type: str, *names: str) -> Memory:
        fields = {name: FieldSchema(name, name, "text", True) for name in names}
        return Memory.of(system, [ObjectSchema(system, object_type, object_type, fields)], self.watch)

    def write_policy(self, text: str, name: str = "person.yaml") -> None:
        path = self.policies / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)

    def pairs(self, count: int, title: str = "CEO", other: str = "boss") -> list[tuple[Ref, Ref]]:
        """People who are in both CRMs with different job titles."""
        found = []
        for number in range(count):
            email = f"p{number}@example.com"
            here = self.salesforce.person_create("Contact", {"Email": email, "Title": title})
            there = self.hubspot.person_create("contacts", {"email": email, "jobtitle": other})
            found.append((here, there))
        self.watch.advance(minutes=1)
        return found

    def titles(self) -> set[Any]:
        return {row["jobtitle"] for row in self.hubspot.live("contacts").values()}

    @contextmanager
    def open(self, **more: Any) -> Iterator[Installation]:
        connectors = {"salesforce": self.salesforce, "hubspot": self.hubspot}
        with open_installation(self.config, connectors=connectors, clock=self.watch, command=DAEMON, **more) as found:
            yield found

    @contextmanager
    def daemon(self, **more: Any) -> Iterator[Daemon]:
        with self.open(with_policies=False) as installation:
            yield self.daemon_on(installation, **more)

    def daemon_on(self, installation: Installation, **more: Any) -> Daemon:
        source = PolicySource(FolderWatch(self.policies), reload_policies, take_last_good)
        given: dict[str, Any] = {"scheduler": self.scheduler, "heartbeat": self.beats.append, "pid": os.getpid()}
        daemon = Daemon(installation, source, seconds=self.watch.seconds, **{**given, **more})
        installation.stop = daemon._gives_way
        return daemon

    def allow_approving(self) -> None:
        """Map the login of this computer to a person."""
        named = {**PLAIN_CONFIG, "people": {getpass.getuser(): "anna@example.com"}}
        (self.folder / "config.yaml").write_text(yaml.safe_dump(named), encoding="utf-8")

    def live(self, installation: Installation) -> None:
        """As ``truce go-live`` does."""
        header = installation.policies.policies.headers["person-basics"]
        installation.approvals.activate(header.name, header.meaning, "anna@example.com")

    def next_cycle_in(self) -> float:
        """Seconds from now to the next cycle."""
        return (self.scheduler.next_run["cycle"] - self.watch.now).total_seconds()


class Running:
    """A ``truce run`` of its own process. Its log is read line by line; ``wait_for`` waits for one."""

    def __init__(self, home: Home, *options: str) -> None:
        self.process = home.start("run", *options)
        self.log: list[dict[str, Any]] = []

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for(self, event: str, **fields: Any) -> dict[str, Any]:
        """The next such line of the log. Fails when the daemon ends before it said so."""
        stream = self.process.stderr
        assert stream is not None
        for text in stream:
            line: dict[str, Any] = json.loads(text)
            self.log.append(line)
            if line["event"] == event and all(line.get(name) == value for name, value in fields.items()):
                return line
        raise AssertionError(f"the daemon ended without saying {event!r} {fields}: {self.log[-5:]}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once its log has ended."""
        stream = self.process.stderr
        assert stream is not None
        self.log += [json.loads(text) for text in stream]
        return self.process.wait()

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def run_truce(config: Path, *words: str) -> Answer:
    """Run a command in this process, as ``main`` does: quicker than a process of its own, and the same."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            given = truce.main(["-c", str(config), *words], prog_name="truce", standalone_mode=False)
            code = given if isinstance(given, int) else 0
        except TruceError as error:
            tell(error, as_json="--json" in words)
            code = error.exit_code
    return Answer(code, out.getvalue(), err.getvalue())


class Home:
    """An installation on the emulator, used through the command line as people do."""

    def __init__(self, folder: Path, emulator: Emulator, **run: Any) -> None:
        self.folder = folder
        self.emulator = emulator
        self.admin = Admin(emulator.admin_url)
        self._ends = ExitStack()
        folder.chmod(0o700)
        (folder / "policies").mkdir()
        self.write_policy(POLICY)
        self.write_policy(LIMITS, "limits.yaml")
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(self._config(run)), encoding="utf-8")

    def _config(self, run: Mapping[str, Any]) -> dict[str, Any]:
        given = self.emulator.credentials
        references = {}
        for name, value in (
            ("id", given["salesforce"]["client_id"]),
            ("secret", given["salesforce"]["client_secret"]),
            ("token", given["hubspot"]["token"]),
        ):
            path = self.folder / f"secret-{name}"
            path.touch(mode=0o600)
            path.write_text(value, encoding="utf-8")
            references[name] = f"file:{path}"
        return {
            "salesforce": {
                "domain": given["salesforce"]["domain"], "client_id": references["id"],
                "client_secret": references["secret"], "base_url": self.emulator.salesforce_url,
            },
            "hubspot": {"token": references["token"], "base_url": self.emulator.hubspot_url},
            "run": {"every_seconds": 3600, "mode": "act", **run},
            "people": {getpass.getuser(): "anna@example.com"},
        }  # fmt: skip

    def write_policy(self, text: str, name: str = "person.yaml") -> None:
        path = self.folder / "policies" / name
        fresh = path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(path)

    def people(self, count: int, title: str = "CEO", other: str = "boss") -> None:
        """People who are in both CRMs with different job titles."""
        for number in range(count):
            self._both(f"p{number}", title, other)
        self.emulator.world.clock.advance(60)

    def person(self, name: str, title: str, other: str) -> None:
        """One more of them."""
        self._both(name, title, other)
        self.emulator.world.clock.advance(60)

    def _both(self, name: str, title: str, other: str) -> None:
        email = f"{name}@example.com"
        here = {"LastName": name.title(), "Email": email, "Title": title}
        there = {"lastname": name.title(), "email": email, "jobtitle": other}
        self.admin.post("/create", system="salesforce", object="Contact", values=here)
        self.admin.post("/create", system="hubspot", object="contacts", values=there)

    @property
    def loaded(self) -> Config:
        return read_config(self.config)

    @property
    def words(self) -> list[str]:
        """``truce`` with this installation's config."""
        return [sys.executable, "-m", "agent", "-c", str(self.config)]

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*self.words, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._ends.callback(_end, process)
        return process

    def daemon(self, *options: str) -> Running:
        """A daemon that has worked through its first cycle."""
        running = Running(self, *options)
        running.wait_for("cycle")
        return running

    def truce(self, *words: str) -> Answer:
        return run_truce(self.config, *words)

    def json(self, *words: str) -> Any:
        """The document a command prints with ``--json``."""
        answer = self.truce(*words, "--json")
        return answer.document

    def go_live(self) -> None:
        assert self.truce("go-live", "person-basics", "--yes").code == 0

    def close(self) -> None:
        self._ends.close()


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()
