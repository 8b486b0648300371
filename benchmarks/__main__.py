"""Measure Truce against its goals.

    python -m benchmarks [NAME ...] [--json FILE] [--table] [--quick] [--where FOLDER]

Without a name everything is measured. A missed goal is shown, not punished: the exit code is 0 unless something broke.
``docs/performance.md`` names the goals and holds the last figures.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path

from benchmarks.harness import Figure, Run, machine
from benchmarks.table import write_table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"

SUBJECTS = {
    "cycle": "a whole cycle: records per second of our own work",
    "conditions": "conditions per record, against a hand-written function and other engines",
    "ledger": "recording every write before it is made",
    "mirror": "keeping a copy of every record",
    "calls": "vendor calls per 1,000 changed records",
    "pace": "use of the rate HubSpot allows, and how soon a change is enforced",
    "memory": "memory of a cycle over few and many records",
    "first_week": "memory and time of pair, align, plan and the first run, over few and many people",
    "idle": "a daemon with nothing to do",
    "emulator": "the practice CRMs with a million records each",
    "startup": "how long until something answers",
}
"""Every benchmark by the name of its file."""


def main(arguments: list[str]) -> int:
    listed = "\n".join(f"  {name:14}{what}" for name, what in SUBJECTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"{__doc__}\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure (all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--table", action="store_true", help="write the figures into docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="small and once: does everything still run?")
    parser.add_argument("--where", type=Path, help="folder on the disk to measure (the system's for temporary files)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in SUBJECTS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")

    as_installed()
    taken_on = machine()
    print(" · ".join(taken_on.values()))
    found: dict[str, list[Figure]] = {}
    broken: list[str] = []
    for name in options.names or SUBJECTS:
        found[name], is_whole = measured(name, options.where, is_quick=options.quick)
        broken += [] if is_whole else [name]
    if options.json:
        figures = [{"benchmark": name, **figure.as_json()} for name, each in found.items() for figure in each]
        report = {**taken_on, "quick": options.quick, "broken": broken, "figures": figures}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.table and not options.quick:
        whole = {name: figures for name, figures in found.items() if name not in broken}
        write_table(PAGE, whole, f"{taken_on['day']}, {taken_on['machine']}")
    if broken:
        print(f"broken: {', '.join(broken)}")
    return 1 if broken else 0


def as_installed() -> None:
    """With byte code on the disk, as every installation has it after its first start: else compiling is measured."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for package in ("agent", "connectors"):
        compileall.compile_dir(ROOT / package, quiet=1)


def measured(name: str, where: Path | None, *, is_quick: bool) -> tuple[list[Figure], bool]:
    """The figures of one benchmark, and whether it came to its end."""
    print(f"\n{name}: {SUBJECTS[name]}", flush=True)
    with tempfile.TemporaryDirectory(prefix="truce-bench-", dir=where) as folder:
        run = Run(name, Path(folder), is_quick)
        try:
            import_module(f"benchmarks.{name}").measure(run)
        except Exception:
            traceback.print_exc()
            return run.figures, False
    return run.figures, True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
