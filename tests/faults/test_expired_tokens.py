"""A token that expires in the middle of a run: F20 of docs/faults.md, at one call after the other, in both CRMs.

Salesforce with client credentials, HubSpot as an OAuth app. The practice CRMs' journal shows every attempt with its
headers: the one that was answered 401 and the one that follows the login.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from scenarios import ACycle, AnUndo, Scenario
from sweep import Theatre
from test_sweep import ALL, calls, same_end

SCENARIOS: Sequence[Scenario] = (ACycle(), AnUndo())
LOGINS = ("/services/oauth2/token", "/oauth/v3/token")
Call = dict[str, Any]

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@pytest.fixture(scope="module")
def theatres(theatre: Theatre, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Theatre]:
    folder = tmp_path_factory.mktemp("expired")
    return {
        "several to a call": Theatre(theatre.emulator, folder / "several", as_app=True),
        "one to a call": Theatre(theatre.emulator, folder / "one", parallel_calls=1, as_app=True),
    }


def is_login(call: Call) -> bool:
    return call["path"] in LOGINS


def journal(theatre: Theatre) -> list[Call]:
    found: list[Call] = theatre.admin.get("/journal?since=0")
    return found


def undisturbed(theatre: Theatre, scenario: Scenario, folder: Path) -> list[Call]:
    """Calls of the run without faults, as they came, logins and those of three more cycles included."""
    theatre.play(scenario, folder)
    return journal(theatre)


def expired(theatre: Theatre, scenario: Scenario, folder: Path, numbers: Iterable[int]) -> list[str]:
    """Problems found when the token has expired at these calls."""
    plain = theatre.undisturbed(scenario, folder)
    usual = sum(map(is_login, undisturbed(theatre, scenario, folder)))
    problems = []
    for number in numbers:
        try:
            played = theatre.play(scenario, folder, fault={"action": "status", "status": 401, "nth": number})
            found = journal(theatre)
            [at] = [place for place, call in enumerate(found) if call["fault"] is not None]
            if is_login(found[at]):
                continue  # the login itself: F21
            assert played.error is None, f"the run did not go on: {played.error!r}"
            assert not (difference := same_end(played, plain)), difference
            assert sum(map(is_login, found)) == usual + 1
            went_on_with_one_login(found[at:])
            kept_every_condition(found)
        except AssertionError as problem:
            problems.append(f"call {number}: {problem}")
    return problems


def went_on_with_one_login(found: Sequence[Call]) -> None:
    """The attempt that was answered 401, one login, and the very same request again, with all its headers."""
    first, login, again = found[:3]
    assert is_login(login), "no login follows"
    assert login["system"] == first["system"]
    assert again["status"] != 401
    for name in ("system", "method", "path", "query", "headers", "entry_id", "conditions"):
        assert again[name] == first[name], f"{name}: {first[name]} became {again[name]}"


def kept_every_condition(found: Iterable[Call]) -> None:
    """Of every attempt to undo something in Salesforce: one condition for each entry it carries."""
    for call in found:
        if is_undoing(call):
            assert call["conditions"] == len(call["entry_id"].split(",")), f"an attempt without condition: {call}"


def is_undoing(call: Call) -> bool:
    """A conditional write: of one record, or of several in a composite call."""
    is_alone = call["method"] == "PATCH" and "/composite/" not in call["path"]
    return (
        call["system"] == "salesforce" and bool(call["entry_id"]) and (is_alone or call["path"].endswith("composite"))
    )


@pytest.mark.parametrize(
    ("scenario", "way"), [(ACycle(), "several to a call"), (AnUndo(), "several to a call"), (AnUndo(), "one to a call")]
)
def test_a_token_that_expires_costs_one_login_and_no_condition(
    theatres: dict[str, Theatre], scenario: Scenario, way: str, tmp_path: Path
) -> None:
    theatre = theatres[way]
    numbers = calls(theatre.undisturbed(scenario, tmp_path), 3)
    assert expired(theatre, scenario, tmp_path, numbers) == []


@pytest.mark.nightly
@each_scenario
@pytest.mark.parametrize("way", ["several to a call", "one to a call"])
def test_a_token_expires_at_every_call(
    theatres: dict[str, Theatre], scenario: Scenario, way: str, tmp_path: Path
) -> None:
    theatre = theatres[way]
    numbers = calls(theatre.undisturbed(scenario, tmp_path), ALL)
    assert expired(theatre, scenario, tmp_path, numbers) == []


def test_an_undo_is_conditional_alone_and_in_company(theatres: dict[str, Theatre], tmp_path: Path) -> None:
    """Else the claims above would say nothing of conditions."""
    found = {
        way: [call for call in undisturbed(theatre, AnUndo(), tmp_path) if is_undoing(call)]
        for way, theatre in theatres.items()
    }
    kept_every_condition([*found["several to a call"], *found["one to a call"]])
    assert max(call["conditions"] for call in found["several to a call"]) > 1
    assert {call["conditions"] for call in found["one to a call"]} == {1}
