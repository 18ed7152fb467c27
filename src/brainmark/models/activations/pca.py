"""Principal components of layers, exact, by the Gram matrix of the stimuli that they are fitted on."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from brainmark.core.errors import ModelError, ResourceError
from brainmark.core.libraries import np
from brainmark.core.memory import available_memory
from brainmark.core.stimuli import Media
from brainmark.core.wording import bytes_text
from brainmark.models.activations.extract import ALL, Extractor, Layers, Progress
from brainmark.models.activations.reductions import Reduction
from brainmark.models.activations.results import check_disk, file_of

_BLOCK = 32 * 2**20  # bytes of float64 that are centred at a time
_FLOOR = 1e-10  # of the largest variance: below it a direction is rounding


@dataclass(frozen=True, eq=False)
class PCA:
    """Fitted principal components, as a reduction.

    Attributes
    ----------
    mean : (units,) float32.
    components : (components, units) float32, orthonormal rows, the largest variance first; the largest weight of
        each is positive.
    variance : (components,) float64, of the stimuli that it was fitted on (divided by their number less one).
    total : variance of all units together.
    before : reduction that the components were fitted behind.
    """

    mean: np.ndarray
    components: np.ndarray
    variance: np.ndarray
    total: float
    before: Reduction | None = None

    @property
    def share(self) -> np.ndarray:
        """Share of the variance that each component explains."""
        return self.variance / self.total

    def __call__(self, values: Tensor) -> Tensor:
        """Return the scores (stimuli, components)."""
        flat = (values if self.before is None else self.before(values)).flatten(1).float()
        mean = torch.from_numpy(self.mean).to(flat.device)
        return (flat - mean) @ torch.from_numpy(self.components).to(flat.device).T


def fit_pca(
    extractor: Extractor,
    media: Media,
    layers: Layers,
    components: int = 1000,
    *,
    into: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, PCA]:
    """Fit principal components of layers on stimuli, in one pass: layer -> a reduction for other stimuli.

    There are at most as many components as stimuli less one, and none without variance. Exact, like a singular value
    decomposition of the centred activations: the eigenvectors of their Gram matrix (stimuli, stimuli), in float64.
    Means that pool a layer before are given as its reduction.

    Parameters
    ----------
    into : a folder; the activations lie there for the time being, and the components for good, mapped into memory:
        for layers that are larger than the memory.

    Raises
    ------
    ResourceError : activations or components do not fit; names the way out.
    ModelError : a layer answers all stimuli alike; whatever the extractor raises.
    """
    if components < 1 or len(media) < 2:
        raise ValueError(f"fit_pca: {components} components of {len(media)} stimuli; give one or more of two or more")
    with contextlib.ExitStack() as stack:
        aside = None
        if into is not None:
            into.mkdir(parents=True, exist_ok=True)
            aside = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=into, prefix="activations-")))
        found = extractor(media, layers, progress=progress, into=aside)
        before = dict(layers) if isinstance(layers, Mapping) else {}
        return {
            name: _fitted(name, found.pop(name), components, into, before.get(name, before.get(ALL)))
            for name in list(found)
        }


def _fitted(name: str, activations: np.ndarray, components: int, into: Path | None, before: Reduction | None) -> PCA:
    stimuli = len(activations)
    flat = activations.reshape(stimuli, -1)
    gram = np.zeros((stimuli, stimuli))
    mean = np.empty(flat.shape[1], np.float32)
    for _, part in _centred(flat, mean):
        gram += part @ part.T
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = min(components, stimuli - 1, int((values > _FLOOR * values[0]).sum()) if values[0] > 0 else 0)
    if not kept:
        raise ModelError(
            f"layer {name!r}: its activations to the {stimuli} stimuli are all alike; it has no components"
        )
    weights = vectors[:, :kept] / np.sqrt(values[:kept])
    rows = _room(name, (kept, flat.shape[1]), into)
    largest = np.zeros(kept)
    for block, part in _centred(flat, None):
        new = weights.T @ part
        rows[:, block] = new
        extreme = new[np.arange(kept), np.abs(new).argmax(1)]
        largest = np.where(np.abs(extreme) > np.abs(largest), extreme, largest)
    for row in np.flatnonzero(largest < 0):
        rows[row] *= -1
    return PCA(mean, rows, values[:kept] / (stimuli - 1), float(np.trace(gram)) / (stimuli - 1), before)


def _centred(flat: np.ndarray, mean: np.ndarray | None) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of units (stimuli, some units), float64, less their means, which are noted."""
    width = max(1, _BLOCK // (8 * len(flat)))
    for start in range(0, flat.shape[1], width):
        block = slice(start, min(start + width, flat.shape[1]))
        part = flat[:, block].astype(np.float64)
        centre = part.mean(0)
        if mean is not None:
            mean[block] = centre
        part -= centre
        yield block, part


def _room(name: str, shape: tuple[int, int], into: Path | None) -> np.ndarray:
    """An empty array (components, units), in memory or in a file."""
    needed = 4 * shape[0] * shape[1]
    if into is not None:
        check_disk(into, needed)
        return np.lib.format.open_memmap(file_of(into, name), "w+", np.float32, shape)
    if needed > (free := available_memory()):
        raise ResourceError(
            f"layer {name!r}: {shape[0]} components of {shape[1]} units need {bytes_text(needed)}, but "
            f"{bytes_text(free)} of memory are free; write them to files (into=FOLDER), ask for fewer components, "
            "or reduce the layer before (AveragePool)"
        )
    return np.empty(shape, np.float32)


__all__ = ["PCA", "fit_pca"]
