"""What a killed process left beside a file is removed by the next one that writes there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from brainmark.data import writing
from brainmark.data.writing import beside, write_folder, write_whole

KILLED = (
    "import os, signal, sys; from pathlib import Path; from brainmark.data.writing import whole_file\n"
    "with whole_file(Path(sys.argv[1])) as part:\n"
    "    part.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
)


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.bin")], check=False)
    assert [p.name.endswith(".part") for p in tmp_path.iterdir()] == [True]
    write_whole(tmp_path / "b.bin", b"whole")
    assert [p.name for p in tmp_path.iterdir()] == ["b.bin"]


def test_what_running_processes_and_other_machines_write_stays(tmp_path: Path) -> None:
    running = beside(tmp_path / "a.bin", "part")
    away = tmp_path / ".a.bin.elsewhere.999999999.1.part"
    users = tmp_path / ".notes.part"
    folder = tmp_path / f".set.{writing._HOST}.999999999.1.part"
    folder.mkdir()
    for kept in (running, away, users):
        kept.write_bytes(b"")
    write_folder(tmp_path / "set", {"a.txt": b"1"})
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {running.name, away.name, users.name, "set"}, f"written by process {os.getpid()}"


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"old"
