from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from brainmark.models.activations import shards
from brainmark.models.activations.shards import Group, evict, list_shards, read_shard

ABOUT = {"model": "toy", "layer": "fc", "shape": "[3]"}


def digests(*numbers: int) -> list[bytes]:
    return [hashlib.sha256(str(n).encode()).digest() for n in numbers]


def rows(*numbers: int, units: int = 3) -> np.ndarray:
    return np.array([np.random.default_rng(n).random(units) for n in numbers], np.float32)


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path / "network" / "layer")


def only_file(group: Group) -> Path:
    (path,) = group.folder.iterdir()
    return path


def test_rows_are_read_as_they_were_written_whatever_their_order(group: Group):
    assert group.read(digests(1)) is None
    group.write(ABOUT, digests(1, 2, 3), rows(1, 2, 3))
    group.write(ABOUT, digests(5), rows(5))
    about, found, have = group.read(digests(5, 4, 2)) or pytest.fail("nothing was kept")
    assert about == ABOUT
    assert have.tolist() == [True, False, True]
    assert found.dtype == np.float32
    assert (found[[0, 2]] == rows(5, 2)).all()


def test_files_are_those_of_safetensors(group: Group):
    group.write(ABOUT, digests(1, 2), rows(1, 2))
    held = load_file(only_file(group))
    assert (held["rows"] == rows(1, 2)).all()
    assert held["stimuli"].tobytes() == b"".join(digests(1, 2))


def test_a_flipped_bit_anywhere_is_never_served(group: Group):
    """Guards against numbers of a damaged file, or those of another stimulus, in a score."""
    group.write(ABOUT, digests(1, 2), rows(1, 2))
    path = only_file(group)
    whole = path.read_bytes()
    served = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = group.read(digests(1, 2))
        if found is not None:
            served += int(found[2].sum())
            assert found[0] == ABOUT
            assert (found[1][found[2]] == rows(1, 2)[found[2]]).all()
    assert served > 0  # a flip in one row leaves the other, which may be used


def test_a_damaged_file_is_told_once_and_removed(group: Group):
    group.write(ABOUT, digests(1), rows(1))
    path = only_file(group)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="its length is not what its header says"):
        assert group.read(digests(1)) is None
    assert not path.exists()
    group.write(ABOUT, digests(1), rows(1))
    path.write_bytes(path.read_bytes()[:-1])
    assert group.read(digests(1)) is None  # without a second warning, which would be an error here


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 64, (2**62).to_bytes(8, "little") + b"{}"])
def test_files_that_are_none_of_ours_are_not_there(group: Group, content: bytes):
    group.folder.mkdir(parents=True)
    (group.folder / "odd.safetensors").write_bytes(content)
    with pytest.warns(UserWarning, match="not used"):
        assert group.read(digests(1)) is None


def test_a_process_killed_while_it_writes_leaves_nothing_that_is_read(group: Group):
    """A killed process leaves a temporary file, which is no row for anybody, and goes with time."""
    code = f"""
import os, signal
import numpy as np
from brainmark.models.activations import shards
write = shards._write_all
def die(file, view):
    write(file, view[:5])
    os.kill(os.getpid(), signal.SIGKILL)
shards._write_all = die
from pathlib import Path
shards.Group(Path({str(group.folder)!r})).write({ABOUT!r}, {digests(1)!r}, np.ones((1, 3), np.float32))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    left = only_file(group)
    assert left.name.startswith(".")
    assert group.read(digests(1)) is None
    assert list_shards(group.folder.parents[1]) == []
    os.utime(left, (0, 0))
    evict(group.folder.parents[1], 10**6)
    assert not left.exists()


def test_two_that_write_the_same_rows_write_one_file(group: Group):
    code = f"""
import numpy as np
from pathlib import Path
from brainmark.models.activations.shards import Group
rows = np.array({rows(1, 2).tolist()!r}, np.float32)
for _ in range(40):
    Group(Path({str(group.folder)!r})).write({ABOUT!r}, {digests(1, 2)!r}, rows)
"""
    others = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    while any(other.poll() is None for other in others):
        found = group.read(digests(1, 2))
        assert found is None or (found[1] == rows(1, 2)).all()
        time.sleep(0.01)
    assert [other.returncode for other in others] == [0, 0]
    assert only_file(group).name == shards._name_of(digests(1, 2))


def test_what_was_used_longest_ago_is_removed_first(group: Group):
    root = group.folder.parents[1]
    for number in range(4):
        group.write(ABOUT, digests(number), rows(number))
    files = {n: group.folder / shards._name_of(digests(n)) for n in range(4)}
    size = files[0].stat().st_size
    for age, number in enumerate((2, 0, 3, 1)):
        os.utime(files[number], (1000 + age, 1000 + age))
    group.read(digests(2))  # which is used again
    assert evict(root, 2 * size) == 2 * size
    assert [n for n in files if files[n].exists()] == [1, 2]
    assert evict(root, 0) == 2 * size
    assert list(root.iterdir()) == []


def test_a_reader_survives_the_removal_of_what_it_reads(group: Group, monkeypatch: pytest.MonkeyPatch):
    group.write(ABOUT, digests(1, 2), rows(1, 2))
    read = shards.Shard.read_row

    def remove_first(self, *given):
        self.path.unlink(missing_ok=True)
        return read(self, *given)

    monkeypatch.setattr(shards.Shard, "read_row", remove_first)
    found = group.read(digests(1, 2))
    assert found is not None
    assert (found[1] == rows(1, 2)).all()
    monkeypatch.undo()
    shard = next(iter(group.shards()), None)
    assert shard is None


def test_a_file_that_goes_between_its_head_and_its_rows_is_not_there(group: Group, monkeypatch: pytest.MonkeyPatch):
    group.write(ABOUT, digests(1), rows(1))
    monkeypatch.setattr(shards, "read_shard", lambda path: (read_shard(path), path.unlink())[0])
    assert group.read(digests(1)) is None


def test_many_small_files_become_one(group: Group):
    for number in range(2 * shards._MANY):
        group.write(ABOUT, digests(number), rows(number))
    assert len(list(group.folder.iterdir())) < shards._MANY
    found = group.read(digests(*range(2 * shards._MANY)))
    assert found is not None
    assert found[2].all()
    assert (found[1] == rows(*range(2 * shards._MANY))).all()


def test_about_is_text(group: Group):
    group.write({**ABOUT, "layer": "Schicht é"}, digests(1), rows(1))
    assert read_shard(only_file(group)).about["layer"] == "Schicht é"
    head = only_file(group).read_bytes()
    assert json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])["rows"]["shape"] == [1, 3]
