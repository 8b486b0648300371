"""One writer: the lock is exclusive, says who holds it, and dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import ConfigError, LockHeld
from agent.lock import TRIES, WriterLock, find_holder, require_local_disk

US = {"pid": 17, "command": "truce run"}

HOLD_UNTIL_KILLED = """
import sys
from pathlib import Path
from agent.lock import WriterLock
lock = WriterLock.take(Path(sys.argv[1]), {"pid": 4711})
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "writer.lock"


def test_a_second_writer_is_refused_and_told_who_the_first_is(path: Path) -> None:
    with WriterLock.take(path, US), pytest.raises(LockHeld) as caught:
        WriterLock.take(path, {"pid": 18})
    assert caught.value.why == "pid 17, command truce run"
    assert caught.value.exit_code == 11


def test_the_holder_is_named_while_the_lock_is_held(path: Path) -> None:
    assert find_holder(path) is None
    with WriterLock.take(path, US):
        assert find_holder(path) == US
    assert find_holder(path) is None


def test_looking_at_the_lock_does_not_take_it(path: Path) -> None:
    WriterLock.take(path, US).release()
    assert find_holder(path) is None
    WriterLock.take(path, US).release()


def test_a_released_lock_can_be_taken_again(path: Path) -> None:
    first = WriterLock.take(path, US)
    assert first.is_held
    first.release()
    first.release()
    assert not first.is_held
    with WriterLock.take(path, {"pid": 18}):
        assert find_holder(path) == {"pid": 18}


def test_a_killed_holder_leaves_no_lock(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_UNTIL_KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockHeld, match="another Truce"):
            WriterLock.take(path, US)
        assert find_holder(path) == {"pid": 4711}
    finally:
        holder.kill()
        holder.communicate()
    with WriterLock.take(path, US):
        assert find_holder(path) == US


def test_a_program_we_start_does_not_inherit_the_lock(path: Path) -> None:
    with WriterLock.take(path, US) as lock:
        assert lock._descriptor is not None
        assert fcntl.fcntl(lock._descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        assert not os.get_inheritable(lock._descriptor)


def test_a_lock_file_deleted_under_the_writer_is_noticed(path: Path) -> None:
    lock = WriterLock.take(path, US)
    path.unlink()
    assert not lock.is_held
    other = WriterLock.take(path, {"pid": 18})
    assert not lock.is_held
    assert other.is_held
    lock.release()
    assert find_holder(path) == {"pid": 18}


def test_the_lock_file_is_private(path: Path) -> None:
    with WriterLock.take(path, US):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lock_file_others_may_write_is_refused(path: Path) -> None:
    path.touch()
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="other users"):
        WriterLock.take(path, US)


def test_a_link_in_place_of_the_lock_file_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch(mode=0o600)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises((ConfigError, OSError)):
        WriterLock.take(path, US)
    assert (tmp_path / "elsewhere").read_bytes() == b""


def test_a_shorter_holder_leaves_nothing_of_a_longer_one(path: Path) -> None:
    WriterLock.take(path, {"pid": 1, "command": "x" * 500}).release()
    with WriterLock.take(path, {"pid": 2}):
        assert json.loads(path.read_text()) == {"pid": 2}


def test_somebody_who_only_looks_does_not_keep_a_writer_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WriterLock.take(path, US).release()
    looker = os.open(path, os.O_RDWR)
    fcntl.flock(looker, fcntl.LOCK_SH)
    waited: list[float] = []

    def look_away(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == TRIES // 2:
            os.close(looker)

    monkeypatch.setattr("agent.lock.time.sleep", look_away)
    with WriterLock.take(path, US):
        assert find_holder(path) == US
    assert len(waited) == TRIES // 2


def test_what_a_dead_holder_wrote_is_not_believed(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps({"pid": os.getpid(), "command": "truce run"}), encoding="utf-8")
    assert find_holder(path) is None
    with WriterLock.take(path, US):
        assert find_holder(path) == US


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:30 / {share} rw,relatime shared:2 - {kind} server:/export rw
"""


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_state_folder_on_a_network_share_is_refused(tmp_path: Path, kind: str) -> None:
    share = tmp_path / "share"
    (share / "state").mkdir(parents=True)
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(share=share, kind=kind), encoding="utf-8")
    with pytest.raises(ConfigError, match="network share"):
        require_local_disk(share / "state", mounts)
    require_local_disk(tmp_path, mounts)


def test_a_local_disk_below_a_share_is_fine_and_so_is_a_system_that_does_not_tell(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(share=tmp_path, kind="ext4"), encoding="utf-8")
    require_local_disk(tmp_path / "state", mounts)
    require_local_disk(tmp_path, tmp_path / "nothing")
