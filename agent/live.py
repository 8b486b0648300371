"""Records as they are at this moment, read by id in the vendors' real chunk sizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from agent.connector import Connector
from agent.installation import Installation
from agent.places import in_chunks
from agent.records import Readout, Ref
from agent.side_by_side import results


def read_live(installation: Installation, wanted: Mapping[Ref, Collection[str]]) -> dict[Ref, Readout]:
    """``wanted``: {record: vendor fields}; records of one kind are read with the fields of all of them.

    Raises:
        ConnectorError: a vendor cannot be read.
    """
    refs: dict[tuple[str, str], list[Ref]] = defaultdict(list)
    fields: dict[tuple[str, str], set[str]] = defaultdict(set)
    for ref in sorted(wanted):
        refs[ref.system, ref.object_type].append(ref)
        fields[ref.system, ref.object_type].update(wanted[ref])
    live: dict[Ref, Readout] = {}
    for place, ordered in refs.items():
        connector = installation.connectors[place[0]]
        live.update(zip(ordered, read_in_chunks(installation, connector, ordered, sorted(fields[place])), strict=True))
    return live


def read_in_chunks(
    installation: Installation, connector: Connector, refs: Sequence[Ref], fields: Sequence[str]
) -> list[Readout]:
    """One answer per record, in order; some calls are under way at once.

    Raises:
        ConnectorError: one of them failed.
    """
    readouts: list[Readout] = []
    chunks = in_chunks(refs, connector.capabilities.read_chunk)
    for wave in installation.side_by_side.waves(connector.system, "reading", chunks):
        calls = [partial(connector.read, chunk, fields) for chunk in wave]
        for answer in results(installation.side_by_side.ask(connector.system, "reading", calls)):
            readouts += answer
    return readouts
