"""Outcomes of every kind, made from the core's own objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from brainmark.core.cards import BenchmarkCard, Card, DatasetCard, ModelCard, Source
from brainmark.core.comparison import Comparison
from brainmark.core.score import Failure, Score, Stamp, make_score

CITE = (
    "@article{%s,\n  title = {On the {V4} of %s},\n  author = {Doe, J.},\n  year = {20%02d},\n  doi = {10.1000/%s}\n}"
)
PLACES = {
    "Real2023.V4-pls": ("V4", False),
    "Real2002.V1-orientation_selectivity": ("V1", False),
    "Real2008.IT-rdm": ("IT", False),
    "Known.V4-ridge": ("V4", True),
}


def comparison(generator: np.random.Generator, level: float, units: int, replicates: int, **options) -> Comparison:
    """Values around a level, with as many replicates as wanted (0: none)."""
    values = level + 0.08 * generator.standard_normal(units)
    drawn = values + 0.02 * generator.standard_normal((replicates, units)) if replicates else None
    names = [f"n{i}" for i in range(units)]
    array = xr.DataArray(values, dims="neuroid", coords={"neuroid_id": ("neuroid", names)})
    return Comparison(array, replicates=drawn, **options)


def stamp(number: int, packages: Mapping[str, str] | None = None) -> Stamp:
    return Stamp(
        created=f"2024-05-0{1 + number % 9}T10:00:00Z",
        brainmark="0.1.0",
        commit="0123456789abcdef0123456789abcdef01234567",
        code="c" * 64,
        python="3.12.1",
        packages=packages or {"numpy": "2.1.0", "xarray": "2025.1.0"},
        hardware={"processor": "8 cores", "memory": "16 GiB"},
        experiment="e" * 64,
        target="f" * 64,
        model=f"{number:064d}",
        seed=number,
        seconds=3.25 * number,
        peak_memory=700 * 2**20 * (1 + number),
        data="mirror",
    )


def score(
    model: str,
    benchmark: str,
    level: float,
    *,
    units: int = 60,
    replicates: int = 40,
    ceiling: bool = True,
    seed: int = 0,
) -> Score:
    """A score as a benchmark would make it: metric, ceiling and two controls put together by the core."""
    generator = np.random.default_rng([seed, len(model)])
    top = comparison(np.random.default_rng(9), 0.76, units, replicates) if ceiling else None
    controls = {
        "shuffled": comparison(generator, 0.0, units, 0),
        "pixels": comparison(np.random.default_rng(5), 0.18, units, 0),
    }
    raw = comparison(generator, level, units, replicates, details={"pairs": 4005.0, "splits": 10.0})
    return replace(make_score(benchmark, model, raw, top, controls), stamp=stamp(seed))


def benchmark_card(name: str, region: str, simulated: bool = False) -> BenchmarkCard:
    key = name.partition(".")[0]
    return BenchmarkCard(
        summary=f"Predicts {region} responses to 89 natural images.",
        licence="CC BY 4.0",
        cite=CITE % (key, key, 12, key),
        domain="vision",
        species=("simulated",) if simulated else ("macaque",),
        region=region,
        parent=region,
        datasets=(key,),
        metric="pls",
        simulated=simulated,
    )


def model_card(name: str) -> ModelCard:
    return ModelCard(
        summary=f"The model called {name}.",
        licence="MIT",
        cite=CITE % ("models", "models", 9, "models"),
        domain="vision",
        family="example",
        regions=("V1", "V4"),
        degrees=8,
    )


@pytest.fixture(scope="session")
def outcomes() -> list[Score | Failure]:
    """Four models on four benchmarks: full, without interval, without ceiling, simulated; failures of every kind."""
    made: list[Score | Failure] = []
    for i, (model, level) in enumerate({"pixels": 0.17, "gabor-bank": 0.35, "hmax": 0.42}.items()):
        made.append(score(model, "Real2023.V4-pls", level, seed=i))
        made.append(score(model, "Real2002.V1-orientation_selectivity", level, ceiling=False, units=5, seed=i))
        made.append(score(model, "Known.V4-ridge", level + 0.2, replicates=0, seed=i))
    made.append(score("hmax", "Real2008.IT-rdm", 0.3, units=4))
    made += [
        Failure("Real2008.IT-rdm", "pixels", "not_applicable", "pixels commits to no region named IT"),
        Failure("Real2008.IT-rdm", "gabor-bank", "model", "gabor-bank: ValueError: shapes (3,) and (4,) differ"),
        Failure(
            "Real2023.V4-pls", "voneblock", "environment", "voneblock needs torch; pip install 'brainmark[vision]'"
        ),
        Failure("Real2002.V1-orientation_selectivity", "voneblock", "resource", "voneblock: MemoryError"),
        Failure("Known.V4-ridge", "voneblock", "contract", "answer of voneblock: 88 presentations; expected 89"),
    ]
    return made


@pytest.fixture(scope="session")
def cards() -> dict[str, Card]:
    found: dict[str, Card] = {n: benchmark_card(n, region, simulated) for n, (region, simulated) in PLACES.items()}
    found |= {n: model_card(n) for n in ("pixels", "gabor-bank", "hmax")}
    source = Source(url="https://example.org/a.nc", sha256="a" * 64, size=1)
    found["Real2023"] = DatasetCard(
        summary="Recordings of V4.",
        licence="CC0 1.0",
        cite=CITE % ("Real2023", "Real2023", 12, "Real2023"),
        domain="vision",
        species=("macaque",),
        regions=("V4",),
        modality="image",
        sources=(source,),
    )
    return found


@pytest.fixture(scope="session")
def where_from() -> dict[str, str]:
    return {"Real2023": "mirror", "Real2002": "embedded", "Known": "simulated"}
