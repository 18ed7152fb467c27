"""Rows of numbers on disk, one for each stimulus, in files that are written once and never changed.

A folder holds groups of rows: one for each network, layer and reduction. A group is a folder of files in the format of
safetensors; each holds the digests of its stimuli, a checksum for each row, and the rows. A file is named by the digest
of its stimuli, and takes its place by renaming, so that any number of processes, on any number of machines, may read,
write and remove at once without locks: a file is there as a whole or not at all, whoever has it open reads on when it
is removed, and two that write the same rows write the same file. Each row that is read is checked.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from brainmark.core.errors import warn
from brainmark.core.libraries import np, torch
from brainmark.data.writing import whole_file

ENDING = ".safetensors"
DIGEST = 32
"""Bytes of the digest of a stimulus."""
_LONGEST_HEADER = 1 << 20
_MANY = 32  # whenever a group has so many files more, small ones are put together
_SMALL = 16  # rows of a file that is put together with others
_TOGETHER = 2**28  # bytes of rows that are put together at most
_RECENT = 60.0  # seconds for which a file is not marked as used again
_ABANDONED = 24 * 3600.0  # seconds after which an unfinished file is that of a process that was killed
_told: set[Path] = set()


@dataclass(frozen=True, eq=False)
class Shard:
    """One file of rows.

    Attributes
    ----------
    path : of the file.
    about : what the rows are, as text by name.
    shape : of a row.
    digests : (rows, 32) uint8, of the stimuli.
    checks : (rows,) uint32, the checksums.
    start : byte at which the rows begin.
    seed : checksum of the header, from which those of the rows go on.
    """

    path: Path
    about: Mapping[str, str]
    shape: tuple[int, ...]
    digests: np.ndarray
    checks: np.ndarray
    start: int
    seed: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return 4 * math.prod(self.shape)

    def find_damage(self) -> list[int]:
        """Return the rows whose checksum is another one."""
        row = np.empty((1, *self.shape), np.float32)
        with self.path.open("rb", buffering=0) as file:
            return [k for k in range(len(self.digests)) if not self.read_row(file, k, row[0])]

    def read_row(self, file: BinaryIO, place: int, row: np.ndarray) -> bool:
        """Read a row into an array, which is contiguous; return whether it is what was written."""
        file.seek(self.start + place * self.row_bytes)
        view = memoryview(row.reshape(-1)).cast("B")  # pyright: ignore[reportArgumentType]
        done = 0
        while done < len(view):
            count = file.readinto(view[done:])  # pyright: ignore[reportAttributeAccessIssue]
            if not count:
                return False
            done += count
        return _check_row(self.seed, self.digests[place], row) == int(self.checks[place])


def read_shard(path: Path) -> Shard:
    """Return what the head of a file says. Raises ValueError: it is damaged; OSError: it cannot be read."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(size, _LONGEST_HEADER):
            raise ValueError("its header has no length")
        header = file.read(length)
        try:
            told: Any = json.loads(header)
            shape = tuple(int(n) for n in told["rows"]["shape"])
            (first, _), (_, end) = told["stimuli"]["data_offsets"], told["rows"]["data_offsets"]
            about = {str(k): str(v) for k, v in told["__metadata__"].items()}
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"its header cannot be read ({type(error).__name__})") from None
        count, row = shape[0], 4 * math.prod(shape[1:])
        if first or min(shape) < 1 or end != count * (DIGEST + 4 + row) or size != 8 + length + end:
            raise ValueError("its length is not what its header says")
        digests = np.frombuffer(file.read(count * DIGEST), np.uint8).reshape(count, DIGEST)
        checks = np.frombuffer(file.read(count * 4), "<u4")
    return Shard(path, about, shape[1:], digests, checks, 8 + length + count * (DIGEST + 4), zlib.crc32(header))


def _write_shard(path: Path, about: Mapping[str, str], digests: Sequence[bytes], rows: np.ndarray) -> None:
    """Write a file of rows (stimuli, ...), float32. Raises OSError."""
    count, total = len(digests), rows.nbytes
    marks = [0, count * DIGEST, count * (DIGEST + 4), count * (DIGEST + 4) + total]
    kinds = {"stimuli": ("U8", [count, DIGEST]), "checksums": ("U32", [count]), "rows": ("F32", list(rows.shape))}
    told: dict[str, Any] = {"__metadata__": dict(about)}
    for place, (name, (dtype, shape)) in enumerate(kinds.items()):
        told[name] = {"dtype": dtype, "shape": shape, "data_offsets": marks[place : place + 2]}
    header = json.dumps(told).encode()
    header += b" " * (-len(header) % 8)  # rows begin where arrays of any type may
    seed = zlib.crc32(header)
    checks = [_check_row(seed, digest, row) for digest, row in zip(digests, rows, strict=True)]
    with whole_file(path, flush=False) as part, part.open("wb", buffering=0) as file:
        file.write(len(header).to_bytes(8, "little") + header + b"".join(digests) + np.array(checks, "<u4").tobytes())
        _write_all(file, memoryview(np.ascontiguousarray(rows).reshape(-1)).cast("B"))  # pyright: ignore[reportArgumentType]


def _write_all(file: Any, view: memoryview) -> None:
    done = 0
    while done < len(view):
        done += file.write(view[done : done + 2**30])


def _check_row(seed: int, digest: Any, row: np.ndarray) -> int:
    """Return the checksum over header, stimulus and numbers of a row: none of them can be damaged unseen."""
    return zlib.crc32(memoryview(row.reshape(-1)).cast("B"), zlib.crc32(bytes(digest), seed))  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Group:
    """Rows of one network, layer and reduction: a folder, which need not exist yet."""

    folder: Path

    def shards(self) -> Iterator[Shard]:
        """Yield the files that can be read; damaged ones are removed and told once."""
        for path in _list_files(self.folder):
            try:
                yield read_shard(path)
            except ValueError as error:
                drop_damaged(path, str(error))
            except OSError:  # removed meanwhile, or out of reach: not there
                continue

    def read(self, digests: Sequence[bytes]) -> tuple[Mapping[str, str], np.ndarray, np.ndarray] | None:
        """Return what the rows are, rows (stimuli, ...), and which of them are there (stimuli,); None: there are none.

        Rows that are not there are not set.
        """
        wanted = {digest: k for k, digest in enumerate(digests)}
        if len(wanted) < len(digests):
            raise ValueError("each stimulus is read once")
        found, have = None, np.zeros(len(digests), bool)
        about: Mapping[str, str] = {}
        for shard in self.shards():
            places = [(p, k) for p, d in enumerate(_split(shard.digests)) if (k := wanted.get(d)) is not None]
            places = [(p, k) for p, k in places if not have[k]]
            if not places or (found is not None and shard.shape != found.shape[1:]):
                continue
            if found is None:
                # not allocated by NumPy, which asks for huge pages: see `passes.Run`
                found = torch.empty((len(digests), *shard.shape), dtype=torch.float32).numpy()
                about = shard.about
            _read_places(shard, places, found, have)
        return None if found is None or not have.any() else (about, found, have)

    def write(self, about: Mapping[str, str], digests: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep rows (stimuli, ...), float32, of different stimuli. Raises OSError."""
        path = self.folder / _name_of(digests)
        try:
            _write_shard(path, about, digests, rows)
        except FileNotFoundError:  # the folder was empty, and was removed by another process
            _write_shard(path, about, digests, rows)
        files = _list_files(self.folder)
        if len(files) % _MANY == 0:
            self.join(files)

    def join(self, paths: Sequence[Path]) -> None:
        """Put small files together into one. Raises OSError."""
        small: list[Shard] = []
        for path in paths:
            with suppress(OSError, ValueError):
                shard = read_shard(path)
                if len(shard.digests) < _SMALL:
                    small.append(shard)
        small = [s for s in small if s.shape == small[0].shape and s.about == small[0].about]
        digests = list(dict.fromkeys(d for s in small for d in _split(s.digests)))
        if len(small) < 2 or len(digests) * small[0].row_bytes > _TOGETHER:
            return
        found = Group(self.folder).read(digests)
        if found is None or not found[2].all():
            return
        target = self.folder / _name_of(digests)
        _write_shard(target, small[0].about, digests, found[1])
        for shard in small:
            if shard.path != target:
                shard.path.unlink(missing_ok=True)


def _read_places(shard: Shard, places: Sequence[tuple[int, int]], found: np.ndarray, have: np.ndarray) -> None:
    """Read rows of a file into `found`, and note in `have` those that are what was written."""
    try:
        with shard.path.open("rb", buffering=0) as file:
            for place, row in places:
                have[row] = shard.read_row(cast(Any, file), place, found[row])
            state = os.fstat(file.fileno())
        if time.time() - state.st_mtime > _RECENT:
            os.utime(shard.path)
    except OSError:  # removed meanwhile
        return
    if not all(have[row] for _, row in places):
        _save_rest(shard)


def _save_rest(shard: Shard) -> None:
    """Remove a file with damaged rows, and write the others to a new one."""
    with suppress(OSError):
        bad = set(shard.find_damage())
        good = [k for k in range(len(shard.digests)) if k not in bad]
        rows = np.empty((len(good), *shard.shape), np.float32)
        with shard.path.open("rb", buffering=0) as file:
            fine = all(shard.read_row(cast(Any, file), place, rows[k]) for k, place in enumerate(good))
        if good and fine:
            digests = _split(shard.digests[good])
            _write_shard(shard.path.with_name(_name_of(digests)), shard.about, digests, rows)
    drop_damaged(shard.path, "a checksum is not what it was")


def _split(digests: np.ndarray) -> list[bytes]:
    whole = digests.tobytes()
    return [whole[k : k + DIGEST] for k in range(0, len(whole), DIGEST)]


def _name_of(digests: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(digests)).hexdigest()[:32] + ENDING


def _list_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ENDING and not path.name.startswith("."))
    except OSError:
        return []


def drop_damaged(path: Path, why: str, told: bool = False) -> None:
    """Remove a damaged file, and tell so once unless somebody tells it otherwise."""
    if path not in _told and not told:
        _told.add(path)
        warn(f"{path}: {why}; these activations are not used, and are computed anew when they are needed")
    with suppress(OSError):
        path.unlink()


# --- all groups ------------------------------------------------------------------------------------------------------


def list_shards(folder: Path) -> list[Path]:
    """Return the files of all groups."""
    return sorted(path for path in folder.glob(f"*/*/*{ENDING}") if not path.name.startswith("."))


def evict(folder: Path, most: int) -> int:
    """Remove the files that were used longest ago until at most `most` bytes are left; return the bytes removed.

    What processes that were killed left unfinished goes too.
    """
    states: list[tuple[float, int, Path]] = []
    for path in [*list_shards(folder), *folder.glob("*/*/.*.part")]:
        with suppress(OSError):
            state = path.stat()
            if not path.name.startswith("."):
                states.append((state.st_mtime, state.st_size, path))
            elif time.time() - state.st_mtime > _ABANDONED:
                path.unlink()
    total = sum(size for _, size, _ in states)
    removed = 0
    for _, size, path in sorted(states):
        if total - removed <= most:
            break
        with suppress(OSError):
            path.unlink()
            removed += size
            _remove_empty(path.parent)
    return removed


def _remove_empty(folder: Path) -> None:
    """Remove folders without files; one that another process writes to stays."""
    with suppress(OSError):
        folder.rmdir()
        folder.parent.rmdir()


def free_bytes(folder: Path) -> int:
    """Return the bytes that are free on the disk of a folder, which need not exist; 0 where that is not known."""
    there = next((p for p in (folder, *folder.parents) if p.is_dir()), None)
    try:
        return 0 if there is None else shutil.disk_usage(there).free
    except OSError:
        return 0
