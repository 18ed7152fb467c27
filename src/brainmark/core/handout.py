"""What a model is handed, and what is taken from it: copies, so that nothing it does to them reaches anybody else."""

from __future__ import annotations

import copy
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from brainmark.core.errors import InvalidMeasurement, ResourceError
from brainmark.core.experiment import Experiment
from brainmark.core.libraries import np, pd, xr
from brainmark.core.memory import available_memory
from brainmark.core.stimuli import ImageFiles, Media, Selected, Stimuli, digest_at
from brainmark.core.subject import Subject, is_ours
from brainmark.core.wording import bytes_text

_PLAIN = (str, bytes, int, float, complex, bool, type(None))
_LOOKED_AT, _BYTES = 1000, 1024  # media, and bytes of each, that a checksum covers


def hand_out(experiment: Experiment) -> Experiment:
    """Return an experiment that may be changed: its stimuli, and those in its question, are copied as they are used."""
    ask: Any = experiment.ask
    sets = {f.name: _copy_stimuli(v) for f in fields(ask) if isinstance(v := getattr(ask, f.name), Stimuli)}
    handed = Experiment(_copy_stimuli(experiment.stimuli), replace(ask, **sets) if sets else ask, experiment.setting)
    handed.__dict__.update({name: experiment.__dict__[name] for name in ("digest",) if name in experiment.__dict__})
    return handed


@dataclass(frozen=True)
class Copies:
    """Media of another sequence, of which every use gets a copy of its own."""

    media: Media

    @property
    def concurrent(self) -> bool:
        """Whether threads may read at once."""
        return bool(getattr(self.media, "concurrent", isinstance(self.media, tuple | list)))

    def __len__(self) -> int:
        return len(self.media)

    def __getitem__(self, index: int) -> Any:
        return copy_medium(self.media[index])

    def digest_at(self, index: int) -> bytes:
        """Return the hash of a stimulus, see `stimuli.digest_at`."""
        return digest_at(self.media, index)


def copy_medium(medium: Any) -> Any:
    """Return a copy of a stimulus, whatever its type; what cannot be changed is returned as it is."""
    torch: Any = sys.modules.get("torch")
    if isinstance(medium, _PLAIN):
        return medium
    if torch is not None and isinstance(medium, torch.Tensor):
        return medium.detach().clone()
    if type(medium) is np.ndarray and not medium.dtype.hasobject:
        return medium.copy()
    return copy.deepcopy(medium)


def _copy_stimuli(stimuli: Stimuli) -> Stimuli:
    table = stimuli.table.copy()
    for place in range(table.shape[1]):
        values = table.iloc[:, place]
        if pd.api.types.is_object_dtype(values) and not all(isinstance(value, _PLAIN) for value in values):
            copies: Any = pd.Series(list(map(copy_medium, values)), values.index, object)
            table.isetitem(place, copies)
    media = stimuli.media if _is_safe(stimuli.media) else Copies(stimuli.media)
    handed = replace(stimuli, table=table, media=media)
    handed.__dict__.update({name: stimuli.__dict__[name] for name in ("digest",) if name in stimuli.__dict__})
    return handed


def _is_safe(media: Media) -> bool:
    """Return whether nobody can change these media: files that are decoded anew, and texts."""
    media = media.media if isinstance(media, Selected) else media
    return isinstance(media, ImageFiles) or (type(media) is tuple and all(isinstance(m, _PLAIN) for m in media))


def take(subject: Subject, experiment: Experiment) -> Any:
    """Return what a subject answers to an experiment that is handed to it; answers of others' code are detached."""
    answer = subject.perform(hand_out(experiment))
    return answer if is_ours(subject) else detach(answer, experiment)


def detach(answer: Any, experiment: Experiment) -> Any:
    """Return an answer as plain arrays of its own, which its maker cannot change any more.

    What is no array, or has another number of presentations, is returned as it is; `check_answer` says so.

    Raises
    ------
    InvalidMeasurement : it holds objects that are neither texts nor numbers.
    ResourceError : it is larger than the memory that is free.
    """
    if not isinstance(answer, xr.DataArray) or answer.sizes.get("presentation") != len(experiment.answered_ids):
        return answer
    if any(isinstance(index, pd.MultiIndex) for index in answer.indexes.values()):
        return answer
    needed = 8 * answer.size
    if needed > 2**28 and needed > available_memory():
        raise ResourceError(
            f"an answer of {dict(answer.sizes)} numbers needs {bytes_text(needed)}; {bytes_text(available_memory())} "
            "are free"
        )
    coords = {str(name): (tuple(map(str, c.dims)), _own(c.values, str(name))) for name, c in answer.coords.items()}
    return xr.DataArray(_own(answer.values, "values"), dims=tuple(map(str, answer.dims)), coords=cast(Any, coords))


def _own(values: Any, name: str) -> np.ndarray:
    """Return a plain array that nobody else holds."""
    own = np.array(values, copy=True, subok=False)
    if own.dtype.hasobject:
        odd = next((v for v in own.ravel().tolist() if type(v) not in _PLAIN and not isinstance(v, np.generic)), None)
        if odd is not None:
            raise InvalidMeasurement(f"{name} of an answer hold a {type(odd).__name__}, which is no number and no text")
    return own


def checksum(experiment: Experiment, target: xr.DataArray) -> int:
    """Return a quick checksum over target and stimuli in memory: 1 kB of each medium, spread over all of it."""
    total = zlib.crc32(_sample(target.values))
    for media in _media_in_memory(experiment):
        for index in range(0, len(media), max(1, len(media) // _LOOKED_AT)):
            total = zlib.crc32(_sample(media[index]), total)
    return total


def _media_in_memory(experiment: Experiment) -> list[tuple[Any, ...] | list[Any]]:
    ask: Any = experiment.ask
    sets = [experiment.stimuli, *(v for f in fields(ask) if isinstance(v := getattr(ask, f.name), Stimuli))]
    media = [one.media.media if isinstance(one.media, Selected) else one.media for one in sets]
    return [each for each in media if isinstance(each, tuple | list)]


def _sample(medium: Any) -> bytes:
    """Return some bytes of an array, spread over all of it; nothing of media of other types."""
    if isinstance(medium, Mapping):
        return b"".join(_sample(part) for part in cast("Mapping[str, Any]", medium).values())
    if isinstance(medium, tuple | list):
        return b"".join(_sample(part) for part in cast("list[Any]", medium))
    if not isinstance(medium, np.ndarray) or medium.dtype.hasobject:
        return b""
    flat = medium.ravel(order="K")
    return flat[:: max(1, flat.nbytes // _BYTES // max(1, flat.itemsize))].tobytes()
