"""``python -m connectors.emulator``: the same as ``truce emulator serve``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from connectors.emulator.practice import Options
from connectors.emulator.serve import serve


def options_from(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser("python -m connectors.emulator", description=__doc__)
    for name in ("salesforce", "hubspot", "admin"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, help="keep both CRMs in this file")
    parser.add_argument("--truth", type=Path, help="write here who is really who in the practice data")
    parser.add_argument("--salesforce-schema", type=Path, help="JSON of custom objects and fields, for a new state")
    parser.add_argument("--seed", type=int, default=1)
    for name in ("contacts", "companies", "deals"):
        parser.add_argument(f"--{name}", type=int, default=0, help=f"at least so many {name} on each side")
    parser.add_argument("--clock", choices=("real", "virtual"), default="real")
    return Options(**vars(parser.parse_args(arguments)))


def main() -> int:
    try:
        serve(options_from(sys.argv[1:]))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The emulator did not start: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
