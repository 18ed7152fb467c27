"""Which stimuli are the same is decided by what they hold; what is not known to be the same is different."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from torch import nn

from brainmark.core.stimuli import content_digest
from brainmark.models.activations.extract import Extractor

COUNT = 12


def number(index: int) -> np.ndarray:
    """A grey picture whose middle alone tells which it is."""
    pixels = np.full((40, 40, 3), 127, np.uint8)
    pixels[18:22, 18:22] = index
    return pixels


@dataclasses.dataclass
class Clip:
    pixels: np.ndarray
    name: str = "clip"


class Opaque:
    """An object of a type that nobody knows; all of them print alike."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __repr__(self) -> str:
        return "Opaque()"


def palette(index: int) -> Image.Image:
    image = Image.fromarray(np.zeros((4, 4), np.uint8)).convert("P")
    image.putpalette([index, index, index] + [0] * 765)
    return image


KINDS: dict[str, tuple[Callable[[int], Any], Callable[[Any], int]]] = {
    "arrays": (number, lambda m: m[20, 20, 0]),
    "pictures": (lambda k: Image.fromarray(number(k)), lambda m: m.getpixel((20, 20))[0]),
    "palettes": (palette, lambda m: m.getpalette()[0]),
    "pictures with a class": (lambda k: (Image.fromarray(number(k)), 0), lambda m: m[0].getpixel((20, 20))[0]),
    "dataclasses": (lambda k: Clip(number(k)), lambda m: m.pixels[20, 20, 0]),
    "arrays of objects": (lambda k: np.array([f"word{k}", None], object), lambda m: int(m[0][4:])),
    "xarray": (lambda k: xr.DataArray(number(k)), lambda m: int(m[20, 20, 0])),
    "tensors": (lambda k: torch.from_numpy(number(k)), lambda m: int(m[20, 20, 0])),
    "bfloat16": (lambda k: torch.from_numpy(number(k)).bfloat16(), lambda m: int(m[20, 20, 0])),
    "float8": (lambda k: torch.tensor([float(k)]).to(torch.float8_e4m3fn), lambda m: int(m.float()[0])),
    "sparse": (lambda k: torch.eye(3).mul(k + 1).to_sparse(), lambda m: int(m.to_dense()[0, 0]) - 1),
    "bytes": (lambda k: bytes([k]), lambda m: m[0]),
    "paths": (lambda k: Path(f"{k}.png"), lambda m: int(m.stem)),
    "generators": (lambda k: (k for _ in range(1)), next),
    "nested mappings": (lambda k: {"a": {"b": [1, number(k)]}, "c": None}, lambda m: m["a"]["b"][1][20, 20, 0]),
    "unknown objects": (Opaque, lambda m: m.index),
    "objects in a list": (lambda k: [Opaque(k)], lambda m: m[0].index),
    "structures": (lambda k: np.array([(k, 1.0)], [("a", "i4"), ("b", "f4")]), lambda m: m["a"][0]),
}


class Made:
    """Makes a stimulus when it is asked for, so that the next one may lie where the last one lay."""

    def __init__(self, make: Callable[[int], Any], indices: list[int]) -> None:
        self.make, self.indices = make, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, row: int) -> Any:
        return self.make(self.indices[row])


@pytest.mark.parametrize("kind", KINDS)
def test_each_stimulus_has_features_of_its_own(kind: str):
    """Stimuli were taken for others whose text is alike, or who lay at the same address."""
    make, tell = KINDS[kind]
    indices = [*range(COUNT), 3, 0]
    extractor = Extractor(nn.Identity(), prepare=lambda m: np.array([float(tell(m))], np.float32))
    found = extractor(Made(make, indices), ["output"])["output"][:, 0]
    assert found.tolist() == indices


DIFFERENT = [
    (np.zeros(4, np.float32), np.zeros(2, np.float64)),
    (np.zeros(4, np.int32), np.zeros(4, np.float32)),
    (np.zeros((2, 2), np.uint8), np.zeros((4, 1), np.uint8)),
    ({"a": 1}, {"a": True}),
    ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    (["ab", "c"], ["a", "bc"]),
    ((1, (2, 3)), (1, 2, 3)),
    (None, "None"),
    (1, "1"),
    (1, 1.0),
    (Clip(np.zeros(2)), Clip(np.zeros(2), "other")),
    (Image.new("L", (2, 2)), Image.new("P", (2, 2))),
    (Image.new("L", (2, 8)), Image.new("L", (4, 4))),
    (np.array([1, None], object), np.array([1, "None"], object)),
    (np.array([1.0, 2.0], np.float32), np.array([1.0, 2.0], ">f4").view("<f4")),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_contents_have_other_digests(one: Any, other: Any):
    assert content_digest(one) != content_digest(other)
    assert content_digest([one]) != content_digest([other])


def test_pictures_whose_palettes_differ_in_transparency_are_different():
    images: list[Image.Image] = []
    for alpha in (0, 255):
        image = Image.new("P", (2, 2))
        image.putpalette([9, 9, 9, alpha], "RGBA")
        images.append(image)
    assert content_digest(images[0]) != content_digest(images[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (np.arange(4, dtype=np.float32), torch.arange(4).float()),
        (Image.fromarray(number(1)), Image.fromarray(number(1).copy())),
        (Clip(number(1)), Clip(number(1).copy())),
    ],
)
def test_equal_contents_have_equal_digests(one: Any, other: Any):
    assert content_digest(one) == content_digest(other)
