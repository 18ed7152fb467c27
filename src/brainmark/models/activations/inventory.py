"""Lists, checks and removes activations that are kept on disk."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from brainmark.models.activations.shards import Shard, drop_damaged, evict, list_shards, read_shard


@dataclass
class KeptLayer:
    """What is kept of one layer of one network.

    Attributes
    ----------
    model, network : name of the model that recorded it first, and what tells its network from others.
    layer, shape : its name, and the shape of its output for a stimulus.
    units : numbers that are kept for each stimulus.
    stimuli, bytes, files : how much there is; a stimulus may be there twice.
    used : when it was used last, in seconds since 1970.
    """

    model: str
    network: str
    layer: str
    shape: tuple[int, ...]
    units: int
    stimuli: int = 0
    bytes: int = 0
    files: int = 0
    used: float = 0.0
    paths: list[Path] = field(default_factory=list[Path], repr=False)

    def as_table(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {name: value for name, value in asdict(self).items() if name != "paths"}


def list_kept(folder: Path) -> list[KeptLayer]:
    """Return what is kept, by model and layer. Damaged files are left out."""
    found: dict[Path, KeptLayer] = {}
    for path in list_shards(folder):
        with suppress(OSError, ValueError):
            _add(found, read_shard(path))
    return sorted(found.values(), key=lambda one: (one.model, one.network, one.layer))


def _add(found: dict[Path, KeptLayer], shard: Shard) -> None:
    about, state, group = shard.about, shard.path.stat(), shard.path.parent
    if group not in found:
        shape = tuple(int(n) for n in json.loads(about.get("shape", "[]")))
        names = about.get("model", "unknown"), group.parent.name, about.get("layer", "unknown")
        found[group] = KeptLayer(*names, shape, shard.row_bytes // 4)
    one = found[group]
    one.stimuli += len(shard.digests)
    one.bytes += state.st_size
    one.files += 1
    one.used = max(one.used, state.st_mtime)
    one.paths.append(shard.path)


def verify(folder: Path) -> tuple[int, list[tuple[Path, str]]]:
    """Check every checksum; return the number of rows that are what was written, and damaged files with what is wrong.

    Damaged files are removed.
    """
    right, damaged = 0, list[tuple[Path, str]]()
    for path in list_shards(folder):
        try:
            shard = read_shard(path)
            wrong = len(shard.find_damage())
        except ValueError as error:
            damaged.append((path, str(error)))
            continue
        except FileNotFoundError:  # another process removed it
            continue
        right += len(shard.digests) - wrong
        if wrong:
            damaged.append((path, f"{wrong} of {len(shard.digests)} rows are not what was written"))
    for path, _ in damaged:
        drop_damaged(path, "", told=True)
    return right, damaged


def prune(folder: Path, most: int | None = None, model: str | None = None) -> int:
    """Remove what is kept of a model, and what was used longest ago beyond `most` bytes; return the bytes removed."""
    removed = 0
    for one in list_kept(folder) if model is not None else ():
        if one.model == model:
            for path in one.paths:
                with suppress(OSError):
                    size = path.stat().st_size
                    path.unlink()
                    removed += size
    return removed + (evict(folder, most) if most is not None else 0)
