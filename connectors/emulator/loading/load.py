"""All exports together: checked, then built into a state file that takes its name only when it is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from connectors.emulator.hubspot.desk import Desk as HubSpotDesk
from connectors.emulator.loading.exports import Column, ExportError, read_export
from connectors.emulator.loading.hubspot import HubSpotLoad
from connectors.emulator.loading.salesforce import SalesforceLoad
from connectors.emulator.practice import Options, Practice
from connectors.emulator.salesforce.desk import Desk as SalesforceDesk
from connectors.emulator.world import Actor

IMPORT = Actor("import", "system", "Import")


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """``columns`` say what became of each; ``remarks`` what to know of the rows."""

    system: str
    object_type: str
    path: Path
    records: int
    columns: tuple[Column, ...]
    remarks: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "system": self.system,
            "object": self.object_type,
            "file": str(self.path),
            "records": self.records,
            "added": [
                {"column": each.heading, "field": each.name, "type": each.guess}
                for each in self.columns
                if each.guess is not None
            ],
            "left_out": [{"column": each.heading, "why": each.why} for each in self.columns if not each.name],
            "remarks": list(self.remarks),
        }


Exports = Mapping[str, Sequence[tuple[str, Path]]]
"""{system: (object, file) of each export}."""


def load(state: Path, exports: Exports, seed: int = 1) -> list[LoadedFile]:
    """Make the state file of a practice world that holds these exports and nothing else.

    Raises:
        ExportError: something in a file cannot be loaded; there is no state file then.
        FileExistsError: there is one already. OSError: a file cannot be read or written.
    """
    if state.exists():
        raise FileExistsError(state)
    rough = state.with_name(f".{state.name}.loading")
    rough.unlink(missing_ok=True)
    rough.touch(mode=0o600)
    rough.unlink()
    practice = Practice(Options(state=rough, seed=seed))
    try:
        loaded = _load(practice, exports)
        practice.keep_everything()
    except BaseException:
        practice.close()
        _remove(rough)
        raise
    practice.close()
    rough.chmod(0o600)
    rough.rename(state)
    _remove(rough)
    return loaded


def _load(practice: Practice, exports: Exports) -> list[LoadedFile]:
    desks: dict[str, Any] = practice.desks
    read = {system: [read_export(*each) for each in exports.get(system, ())] for system in desks}
    org = [SalesforceLoad(cast("SalesforceDesk", desks["salesforce"]), export) for export in read["salesforce"]]
    portal = [HubSpotLoad(cast("HubSpotDesk", desks["hubspot"]), export) for export in read["hubspot"]]
    _once([(load.kind.name, load.export.path) for load in org])
    _once([(load.kind.name, load.export.path) for load in portal])
    for in_salesforce in org:
        in_salesforce.load(IMPORT)
    for in_hubspot in portal:
        in_hubspot.load(IMPORT)
    _link(desks["hubspot"], portal)
    return [
        *(_loaded("salesforce", each, _remarks(each, org)) for each in org),
        *(_loaded("hubspot", each, _link_remarks(each, portal)) for each in portal),
    ]


def _loaded(system: str, load: SalesforceLoad | HubSpotLoad, remarks: Sequence[str]) -> LoadedFile:
    return LoadedFile(system, load.kind.name, load.export.path, len(load.rows), tuple(load.columns), tuple(remarks))


def _link(desk: HubSpotDesk, loads: Sequence[HubSpotLoad]) -> None:
    """Associations between records that are both there; an export names each from both of its ends."""
    ids = {each.kind.name: each.ids for each in loads}
    for each in loads:
        for record_id, other_type, other_id in each.links():
            if other_id in ids.get(other_type, ()):
                desk.link(each.kind.name, record_id, other_type, other_id)


def _once(named: Sequence[tuple[str, Path]]) -> None:
    seen: dict[str, Path] = {}
    for name, path in named:
        if name in seen:
            raise ExportError(path, 1, f"is a second file of {name}, beside {seen[name]}", "put them into one")
        seen[name] = path


def _remarks(load: SalesforceLoad, loads: Sequence[SalesforceLoad]) -> list[str]:
    """Lookups to records that are in no file, counted by object."""
    ids = {each.kind.name: each.ids for each in loads}
    missing: dict[str, int] = {}
    for target, record_id in load.references():
        if record_id not in ids.get(target, ()):
            missing[target] = missing.get(target, 0) + 1
    return [f"{count} point to {target} records that are in no file" for target, count in sorted(missing.items())]


def _link_remarks(load: HubSpotLoad, loads: Sequence[HubSpotLoad]) -> list[str]:
    ids = {each.kind.name: each.ids for each in loads}
    missing: dict[str, int] = {}
    for _, target, record_id in load.links():
        if record_id not in ids.get(target, ()):
            missing[target] = missing.get(target, 0) + 1
    return [
        *(f"{count} associations to {target} that are in no file" for target, count in sorted(missing.items())),
        *(f"{count} cells of {heading} are no choice known here" for heading, count in load.unknown_choices.items()),
    ]


def _remove(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
