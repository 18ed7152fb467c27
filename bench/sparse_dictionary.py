"""Learns the dictionary of the model ``sparse-coding``: ``python bench/sparse_dictionary.py [FILE]``.

Photographs: camera, chelsea, coffee, brick, grass and gravel of scikit-image (CC0), china and flower of scikit-learn
(CC-BY 2.0, danielbuechele and vultilion on Flickr).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images
from sklearn.decomposition import MiniBatchDictionaryLearning

from brainmark.models.networks.gabor import LUMINANCE
from brainmark.models.networks.sparsecoding import ATOMS, DICTIONARY, PENALTY, ROW, SIDE, whiten

PATCHES, PASSES, BATCH = 32_000, 4, 200
OPEN_PHOTOGRAPHS = ("camera", "chelsea", "coffee", "brick", "grass", "gravel")


def photographs() -> list[np.ndarray]:
    """Return the luminance (rows, columns), 0-1, of the photographs."""
    coloured = [getattr(data, name)() for name in OPEN_PHOTOGRAPHS] + load_sample_images().images
    return [image @ np.array(LUMINANCE) / 255 if image.ndim == 3 else image / 255 for image in coloured]


def patches_of(images: Sequence[np.ndarray], count: int, seed: int = 0, side: int = SIDE) -> np.ndarray:
    """Return patches (count, side * side) of the whitened images, each of mean 0, in random order."""
    random = np.random.default_rng(seed)
    patches: list[np.ndarray] = []
    for image in images:
        flat = whiten(torch.from_numpy(np.asarray(image, np.float32))[None])[0].numpy()
        windows = np.lib.stride_tricks.sliding_window_view(flat, (side, side))
        rows, columns = (random.integers(n, size=count // len(images)) for n in windows.shape[:2])
        patches.append(windows[rows, columns].reshape(-1, side * side))
    found = np.concatenate(patches).astype(float)
    found -= found.mean(1, keepdims=True)
    return found[random.permutation(len(found))]


def learn(
    patches: np.ndarray, atoms: int = ATOMS, penalty: float = PENALTY, passes: int = PASSES, seed: int = 0
) -> np.ndarray:
    """Return a dictionary (atoms, side, side) for patches (n, side * side), learnt online.

    Mairal et al. 2009 (ICML), as scikit-learn has it: min |x - a D|^2 / 2 + penalty |a|_1 over codes and atoms.
    """
    to_the_end: Any = {"tol": 0, "max_no_improvement": None}
    learner = MiniBatchDictionaryLearning(
        atoms, alpha=cast(Any, penalty), max_iter=passes, batch_size=BATCH, random_state=seed, **to_the_end
    )
    side = round(patches.shape[1] ** 0.5)
    return learner.fit(patches).components_.reshape(-1, side, side)


def save(atoms: np.ndarray, path: Path = DICTIONARY) -> None:
    """Write a dictionary as an image, one tile for each atom, with its largest value at full contrast."""
    scaled = atoms / np.abs(atoms).max((1, 2), keepdims=True) * 127 + 128
    tiles = np.rint(scaled).astype(np.uint8).reshape(-1, ROW, *atoms.shape[1:]).swapaxes(1, 2)
    Image.fromarray(tiles.reshape(-1, ROW * atoms.shape[2])).save(path, optimize=True)


if __name__ == "__main__":
    save(learn(patches_of(photographs(), PATCHES)), Path(sys.argv[1]) if len(sys.argv) > 1 else DICTIONARY)
