"""What must never be in the repository: hosts of package indexes, machine paths, left-over work."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def lines_matching(pattern: str, *, only: str = "") -> list[str]:
    found = []
    for path in tracked():
        if path == Path(__file__) or (only and path.suffix != only):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(text.splitlines(), 1)
            if re.search(pattern, line)
        ]
    return found


def test_no_package_index_is_named() -> None:
    assert lines_matching(r"--(extra-)?index-url|https?://[^ ]+/simple(/|\b)") == []


def test_the_lock_names_no_url_and_hashes_everything() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    pinned = [line for line in lock.splitlines() if re.match(r"^[A-Za-z0-9]", line)]
    assert all("==" in line for line in pinned)
    assert len(pinned) <= lock.count("--hash=sha256:")


def test_no_path_of_a_machine_stands_anywhere() -> None:
    assert lines_matching(r"(^|[^A-Za-z0-9_.])/(work|farm|root|home/[a-z]+)/") == []


def test_nothing_is_left_open_or_skipped() -> None:
    left_open = r"#.*\b(TODO|FIXME|XXX)\b|raise NotImplementedError|pytest\.skip\(|@pytest\.mark\.(skip|xfail)"
    assert lines_matching(left_open, only=".py") == []


def test_escape_hatches_stay_few() -> None:
    ignores = lines_matching(r"# type: ignore|# noqa|# pragma: no cover", only=".py")
    assert len(ignores) <= 30, ignores
