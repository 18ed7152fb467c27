"""The page about a benchmark: stimuli, ceiling and card."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image

from brainmark.analysis.benchmark_page import ceiling_figure, render_page, samples
from brainmark.core import Benchmark, BenchmarkCard, Comparison, Experiment, Record, Setting, Stimuli

CITE = "@article{a, title = {On <cells>}, year = {2000}}"


def benchmark(units: int = 40, modality: str = "image") -> Benchmark:
    ids = [f"s{i}" for i in range(30)]
    table = pd.DataFrame({"text": [f"word {i}" for i in range(30)]}, index=pd.Index(ids, name="stimulus_id"))
    generator = np.random.default_rng(0)
    media = tuple(generator.integers(0, 255, (200, 300, 3), dtype=np.uint8) for _ in ids)
    stimuli = Stimuli("set", modality, table, media if modality == "image" else ())  # pyright: ignore[reportArgumentType]
    target = xr.DataArray(
        generator.standard_normal((30, units)), dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", ids), "neuroid_id": ("neuroid", [f"n{i}" for i in range(units)]),
            "region": ("neuroid", ["V4"] * units),
        },
    )  # fmt: skip
    card = BenchmarkCard(
        summary="Cells & images.", licence="CC0", cite=CITE, parent="V4", domain="vision", species=("macaque",),
        region="V4", metric="pls", datasets=("A",), visibility="private", version=3,
    )  # fmt: skip
    top = Comparison(xr.DataArray(np.linspace(0.2, 0.9, units), dims="neuroid"))
    experiment = Experiment(stimuli, Record("V4"), Setting(degrees=8))
    return Benchmark("A2001.V4-pls", card, experiment, target, lambda p, _: top, ceiling=lambda _: top)


def test_the_page_shows_stimuli_ceiling_and_card_and_loads_nothing():
    page = render_page(benchmark(), {"chance": 0.0, "controls": ["pixels", "shuffled"]})
    assert page.count("data:image/png;base64,") == 12
    assert "<svg" in page
    assert "3, private" in page
    assert "pixels, shuffled" in page
    assert "Cells &amp; images." in page
    assert not re.findall(r"(?:src|href)=\"(?!data:|#|https://doi)[^\"]+", page)


def test_samples_are_spread_over_the_set_and_small():
    shown = samples(benchmark().experiment.stimuli, 4)
    assert [name for name, _, _ in shown] == ["s0", "s10", "s19", "s29"]
    url = shown[0][1] or ""
    assert max(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).size) == 160
    assert samples(benchmark(modality="text").experiment.stimuli, 2)[1] == ("s29", None, "word 29")


def test_one_unit_has_no_figure():
    assert ceiling_figure(benchmark(units=1)) is None
    assert "no spread to show" in render_page(benchmark(units=1), {})
