"""HubSpot's associations as records: made, labelled and ended, told apart by both ids, and never guessed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hubspot_stage import HubSpotStage
from test_parents import error_kind, nothing_changed

from agent.connector import Window, Write, WriteOutcome
from agent.records import Gone, Record, Ref, Unreadable
from connectors.emulator.serve import Emulator

KIND = "deal_contacts"


class Desk:
    def __init__(self, emulator: Emulator, version: str) -> None:
        self.stage = HubSpotStage(emulator, has_key=True, api_version=version)
        self.connector = self.stage.connector
        self.deal = self.stage.person_create("deals", {"dealname": "Renewal", "dealstage": "qualifiedtobuy"})
        self.ann = self.stage.person_create("contacts", {"email": "ann@example.com"})
        self._entries = 0

    def one(self, op: str, fields: dict[str, str | None], record_id: str | None = None, **more: str) -> WriteOutcome:
        self._entries += 1
        write = Write(f"E-{self._entries}", op, KIND, record_id, fields, **more)  # type: ignore[arg-type]
        (outcome,) = self.connector.write([write])
        return outcome

    def made(self) -> str:
        outcome = self.one("create", {"deal": self.deal, "contact": self.ann})
        assert outcome.status == "applied"
        return str(outcome.record_id)

    def readout(self, record_id: str) -> object:
        (found,) = self.connector.read([Ref("hubspot", KIND, record_id)], ["deal", "contact", "label"])
        return found

    def pulled(self) -> list[Record]:
        window = Window(None, self.connector.now())
        pages = self.connector.changed(KIND, ["deal", "contact", "label"], window)
        return [item for page in pages for item in page.items if isinstance(item, Record)]


@pytest.fixture(params=["v3", "2026-03", "2026-09"])
def desk(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Desk]:
    found = Desk(emulator, request.param)
    yield found
    found.connector.close()


def test_the_pairs_of_a_deal_are_read_page_by_page(desk: Desk) -> None:
    people = [desk.ann, *(desk.stage.person_create("contacts", {"email": f"p{one}@example.com"}) for one in range(4))]
    for person in people:
        assert desk.one("create", {"deal": desk.deal, "contact": person}).status == "applied"
    desk.stage.admin.post("/settings", system="hubspot", name="association_page", value=2)
    assert [each.fields["contact"] for each in desk.pulled()] == people


def test_a_pair_is_made_read_and_ended(desk: Desk) -> None:
    record_id = desk.made()
    assert record_id == f"{desk.deal}-{desk.ann}"
    record = desk.readout(record_id)
    assert isinstance(record, Record)
    assert record.fields == {"deal": desk.deal, "contact": desk.ann, "label": None}
    assert [each.ref.id for each in desk.pulled()] == [record_id]
    assert desk.one("delete", {}, record_id).status == "applied"
    assert isinstance(desk.readout(record_id), Gone)
    assert desk.pulled() == []


def test_making_one_again_makes_no_second(desk: Desk) -> None:
    assert desk.made() == desk.made()
    assert len(desk.pulled()) == 1


def test_a_lost_reply_is_unknown(desk: Desk) -> None:
    desk.stage.fail("drop_after", "associate")
    assert desk.one("create", {"deal": desk.deal, "contact": desk.ann}).status == "unknown"
    assert isinstance(desk.readout(f"{desk.deal}-{desk.ann}"), Record)


def test_a_limit_says_how_long_to_wait(desk: Desk) -> None:
    body = '{"status": "error", "errorType": "RATE_LIMIT", "message": "text", "policyName": "TEN_SECONDLY_ROLLING"}'
    desk.stage.admin.fault(system="hubspot", method="POST", route="*/deals/contacts/batch/create", action="status",
                           status=429, body=body, headers={"Content-Type": "application/json"})  # fmt: skip
    outcome = desk.one("create", {"deal": desk.deal, "contact": desk.ann})
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.retry_after) == ("throttled", 10.0)


def test_a_contact_that_does_not_exist_is_rejected(desk: Desk) -> None:
    assert desk.one("create", {"deal": desk.deal, "contact": "999999"}).status == "rejected"
    assert desk.pulled() == []


@pytest.mark.parametrize("bad", ["../1", "", "12a"])
def test_an_end_that_is_no_id_is_rejected_unsent(desk: Desk, bad: str) -> None:
    with nothing_changed(desk.stage):
        assert error_kind(desk.one("create", {"deal": desk.deal, "contact": bad})) == "validation"
        assert error_kind(desk.one("delete", {}, bad)) == "validation"


def test_a_label_that_the_account_lacks_is_rejected_unsent(desk: Desk) -> None:
    record_id = desk.made()
    with nothing_changed(desk.stage):
        assert error_kind(desk.one("update", {"label": "Decides"}, record_id)) == "validation"


def test_the_ends_of_a_pair_are_set_once(desk: Desk) -> None:
    record_id = desk.made()
    with nothing_changed(desk.stage):
        assert error_kind(desk.one("update", {"contact": "77"}, record_id)) == "permission"
    schema = desk.connector.schema(KIND)
    assert (schema.fields["deal"].writable, schema.fields["deal"].creatable, schema.fields["deal"].required) == (
        False,
        True,
        True,
    )


def test_a_pair_that_somebody_ended_is_gone_and_takes_no_writes(desk: Desk) -> None:
    record_id = desk.made()
    desk.one("delete", {}, record_id)
    assert error_kind(desk.one("update", {"label": None}, record_id)) == "gone"
    assert error_kind(desk.one("delete", {}, record_id)) == "gone"


def test_a_pair_whose_labels_changed_since_is_left_alone(desk: Desk) -> None:
    record_id = desk.made()
    assert error_kind(desk.one("delete", {}, record_id, expects_version="U99")) == "moved"
    assert isinstance(desk.readout(record_id), Record)


def test_what_is_no_pair_is_unreadable(desk: Desk) -> None:
    assert isinstance(desk.readout("12"), Unreadable)


def test_only_pairs_of_touched_records_are_pulled_and_known_ones_are_left_out(desk: Desk) -> None:
    record_id = desk.made()
    desk.stage.advance(3600)
    now = desk.connector.now()
    assert list(desk.connector.changed(KIND, ["deal"], Window(now, now.replace(year=now.year + 1)))) == []
    (record,) = desk.pulled()
    window = Window(now.replace(year=now.year - 1), now)
    versions = {record_id: str(record.version)}
    known = desk.connector.changed(KIND, ["deal"], window, lambda asked: set(asked) if asked == versions else ())
    assert [item for page in known for item in page.items] == []


def test_where_nothing_was_touched_no_labels_are_asked(desk: Desk) -> None:
    desk.made()
    desk.stage.advance(3600)
    now = desk.connector.now()
    desk.stage.admin.delete("/counters")
    assert list(desk.connector.changed(KIND, ["deal", "label"], Window(now, now.replace(year=now.year + 1)))) == []
    routes = desk.stage.admin.get("/counters")["systems"]["hubspot"]["routes"]
    assert [route.rpartition("/")[2] for route in routes] == ["search"]
