"""A small lab: images, two monkeys, and what is said of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainmark.data.packaging import CannotPackage, Prepared, parse_description, prepare

CITE = "@misc{lovelace2026, title = {Rates}, author = {Lovelace, Ada}, year = {2026}}"
SAID: dict[str, Any] = {
    "identifier": "Lovelace2026",
    "summary": "Four units of two monkeys.",
    "licence": "CC0-1.0",
    "cite": CITE,
    "species": "macaque",
    "degrees": 8,
    "duration": 100,
    "stimuli": {"folder": "images"},
}
COUNT = 12


class Lab:
    """A folder with images ``im00.png`` ...; `said` describes all but the recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = dict(SAID)
        self.ids = [f"im{k:02d}" for k in range(COUNT)]
        for number, name in enumerate(self.ids):
            self.image(f"{name}.png", seed=number)

    def image(self, name: str, size: tuple[int, int] = (16, 16), seed: int = 0) -> Path:
        """Write an image of noise, size (width, height)."""
        path = self.folder / "images" / name
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    def table(self, name: str, rows: Any) -> Path:
        """Write a CSV table."""
        path = self.folder / name
        pd.DataFrame(rows).to_csv(path, index=False)
        return path

    def trials(self, name: str = "rates.csv", repetitions: int = 3, neuroids: int = 4, seed: int = 0) -> pd.DataFrame:
        """Write a wide table of trials, and return it."""
        noise = np.random.default_rng(seed).normal
        signal = noise(size=(COUNT, neuroids))
        rows = [
            {"stimulus_id": one, **{f"u{n}": signal[k, n] + 0.3 * noise() for n in range(neuroids)}}
            for k, one in enumerate(self.ids)
            for _ in range(repetitions)
        ]
        self.table(name, rows)
        return pd.DataFrame(rows)

    def describe(self, *recordings: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return the whole description; a change to None leaves a field out."""
        told = {**self.said, **changes, "recording": list(recordings)}
        return {k: v for k, v in told.items() if v is not None}

    def prepared(self, *recordings: dict[str, Any], **changes: Any) -> Prepared:
        """Read, check and put together."""
        told = parse_description(self.describe(*recordings, **changes), "lab.toml")
        return prepare(told, self.folder, self.folder / "scratch")

    def refused(self, *recordings: dict[str, Any], **changes: Any) -> tuple[str, ...]:
        """Return the problems for which it is refused."""
        with pytest.raises(CannotPackage) as refusal:
            self.prepared(*recordings, **changes)
        assert all(problem in str(refusal.value) for problem in refusal.value.problems)
        return refusal.value.problems


WIDE: dict[str, Any] = {
    "file": "rates.csv", "neuroids": "u*", "region": "V4", "subject": "Ada", "units": "spikes/s",
}  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab in a folder of its own."""
    return Lab(tmp_path)


@pytest.fixture
def wide() -> dict[str, Any]:
    """The description of a wide table."""
    return dict(WIDE)


@pytest.fixture
def inside(lab: Lab):
    """The lab's folder as the current one."""
    before = Path.cwd()
    os.chdir(lab.folder)
    yield lab
    os.chdir(before)
