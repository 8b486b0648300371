"""Lines whose value is another record: which company a deal belongs to, whichever id each CRM has for it.

Two values agree when pairing believes that their records are one thing. A record that has no counterpart yet cannot
be written on the other side: the line waits, and is decided again when the counterpart is there.
"""

from __future__ import annotations

from agent.changes import Cell, Change
from agent.decide.normalise import as_text
from agent.decide.owners import NoCounterpart
from agent.decide.values import Reading, display
from agent.decide.view import Links
from agent.records import FieldValue, Ref


class LinkCodec:
    """Reads and writes ids as the things behind them; the counterpart of ``values.Codec``. ``kind`` is ``links_to``."""

    __slots__ = ("_kind", "_links")

    def __init__(self, links: Links, kind: str) -> None:
        self._links = links
        self._kind = kind

    def read(self, system: str, raw: FieldValue) -> Reading:
        record_id = as_text(raw)
        if record_id is None:
            return Reading(raw)
        entity_id = self._links.entities.get((self._kind, system, record_id))
        form = entity_id or f"{system}:{record_id}"
        return Reading(raw, form, record_id, frozenset((form,)), system=system)

    def agree(self, here: Reading, there: Reading) -> bool:
        return here.forms == there.forms

    def is_spelling(self, here: Reading, there: Reading) -> bool:
        return False

    def called(self, system: str) -> str:
        return self._links.systems[system].name

    def show(self, reading: Reading) -> str:
        """The name of the record, else its id."""
        name = self._links.names.get(str(reading.value)) if reading.text is not None else None
        return display(name or reading.raw)

    def write(self, system: str, reading: Reading) -> FieldValue:
        """The id of the same thing in this system; None clears.

        Raises:
            NoCounterpart: it is not paired, or has no record there.
        """
        if reading.text is None:
            return None
        if reading.system == system:
            return reading.raw
        record_id = self._links.records.get((str(reading.value), system))
        if record_id is None:
            raise NoCounterpart(f"the {self._kind} {self.show(reading)} is not in {self.called(system)}")
        return record_id


def association(entity_id: str, ref: Ref, cell: Cell) -> Change:
    """A change of its own, because a CRM may keep such a value beside the record and not in it."""
    return Change(
        "associate",
        entity_id,
        ref.system,
        ref.object_type,
        ref.id,
        (cell,),
        group=f"{entity_id}:{cell.field}:{ref.system}",
        decided_from={cell.vendor_field: cell.before},
    )
