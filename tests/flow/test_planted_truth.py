"""Pairing against the truth: the practice company says who is really who, the agent never sees it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from terminal import terminal_at

from agent.cli.session import Session
from agent.records import Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

CAN_BE_PAIRED = {"person": {"email", "stored id"}, "company": {"domain", "stored id"}}
"""What the seed calls a pair that has a key on both sides; everybody else has none, or shares it with others."""

RIGHT_AT_LEAST = 0.995

Pairs = set[frozenset[Ref]]


def pairs_by_truth(lines: list[dict[str, Any]], entity_type: str) -> tuple[Pairs, dict[Ref, str]]:
    """(main records that have a key in common, whose each record really is)."""
    wanted: Pairs = set()
    whose: dict[Ref, str] = {}
    for line in lines:
        refs = {Ref(each["system"], each["object"], each["id"]): each["role"] for each in line["records"]}
        whose.update(dict.fromkeys(refs, line[entity_type]))
        main = frozenset(ref for ref, role in refs.items() if role == "main")
        if line["pairing"] in CAN_BE_PAIRED[entity_type] and len(main) == 2:
            wanted.add(main)
    return wanted, whose


def pairs_found(session: Session, entity_type: str) -> Pairs:
    """The active records of every entity that has one in each CRM."""
    with session.reading() as installation:
        found: Pairs = set()
        entities = [name for name in installation.crosswalk.entities() if name.startswith(f"{entity_type}-")]
        for links in installation.crosswalk.members(entities).values():
            active = frozenset(link.ref for link in links if link.role == "active" and link.state == "linked")
            if len(active) == 2:
                found.add(active)
        return found


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((500, 100, 11), id="500 people"),
        pytest.param((5_000, 1_000, 1), id="5000 people", marks=pytest.mark.nightly),
        pytest.param((5_000, 1_000, 2), id="5000 others", marks=pytest.mark.nightly),
    ],
)
def paired(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, Any]]:
    contacts, companies, seed = request.param
    folder: Path = tmp_path_factory.mktemp("company")
    with Emulator.start(Options(contacts=contacts, companies=companies, seed=seed)) as emulator:
        terminal = terminal_at(emulator, folder)
        assert terminal("pair").code == 0
        yield Session(str(terminal.config)), Admin(emulator.admin_url).get("/truth")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("entity_type", "lines"), [("person", "people"), ("company", "companies")])
def test_nobody_is_paired_with_somebody_else_and_nearly_everybody_is_found(
    paired: tuple[Session, Any], entity_type: str, lines: str
) -> None:
    session, truth = paired
    wanted, whose = pairs_by_truth(truth[lines], entity_type)
    found = pairs_found(session, entity_type)
    assert [pair for pair in found if len({whose[ref] for ref in pair}) != 1] == []
    assert len(found & wanted) >= RIGHT_AT_LEAST * len(wanted), sorted(map(sorted, wanted - found))[:20]


@pytest.mark.timeout(600)
def test_whoever_is_unclear_is_in_no_pair(paired: tuple[Session, Any]) -> None:
    """Two with one address and nothing else to tell them apart; an id stored by another connector does."""
    session, truth = paired
    by_person: dict[str, set[Ref]] = defaultdict(set)
    for line in truth["people"]:
        if line["pairing"] == "unclear" and "pairing: stored id" not in line["dirt"]:
            by_person[line["person"]] |= {Ref(each["system"], each["object"], each["id"]) for each in line["records"]}
    assert by_person
    unclear = set().union(*by_person.values())
    assert [pair for pair in pairs_found(session, "person") if pair & unclear] == []
