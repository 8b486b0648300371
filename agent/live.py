"""Records as they are at this moment, read by id in the vendors' real chunk sizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from agent.installation import Installation
from agent.records import Readout, Ref


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
        size = connector.capabilities.read_chunk
        for start in range(0, len(ordered), size):
            chunk = ordered[start : start + size]
            live.update(zip(chunk, connector.read(chunk, sorted(fields[place])), strict=True))
    return live
