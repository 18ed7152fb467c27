"""Benchmarks on pictures of conflicting cues: how wide a model sees them, and what its shape bias rests on.

Guards against networks that see all images at 3 degrees inside a field of 8 degrees under the plain names: a network
trained on ImageNet, which decides by texture, then seems to decide by shape.
"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rich.console import Console

from brainmark.cli.tables import make_leaderboard
from brainmark.core import benchmarks
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Setting
from brainmark.core.registry import datasets
from brainmark.core.score import Score
from brainmark.core.stimuli import Stimuli
from brainmark.core.tree import tree
from brainmark.metrics.behavior.shape_bias import shape_bias
from brainmark.models.subjects.screen import Screen
from brainmark.studies import geirhos2021

NAMES = [name for name in benchmarks if name.startswith("Geirhos2021.")]


def test_each_way_to_show_the_images_has_a_name_and_the_plain_one_counts() -> None:
    plain = [name for name in NAMES if "_3deg" not in name]
    small = {name.replace("_3deg", ""): name for name in NAMES if "_3deg" in name}
    assert sorted(small) == sorted(plain)
    assert len(plain) == 10
    assert {benchmarks[small[name]].card.superseded_by == name for name in plain} == {True}
    assert all(benchmarks[name].card.superseded_by is None for name in plain)
    counted = [leaf for root in tree({n: benchmarks[n].card for n in NAMES}) for leaf in root.leaves()]
    assert sorted(counted) == sorted(plain)


def test_images_fill_the_field_or_keep_their_degrees() -> None:
    table = pd.DataFrame({"label": ["cat", "dog"]}, index=pd.Index(["a.png", "b.png"], name="stimulus_id"))
    picture = np.zeros((224, 224, 3), np.uint8)
    card = datasets["Geirhos2021.edge"].card
    target = geirhos2021.choices(pd.DataFrame({"subject": ["s"], "image": ["a.png"], "answer": ["cat"]}), table)
    target = target.fillna(0.0)
    data = Dataset("d", card, target, Stimuli("d", "image", table, [picture, picture]), Setting(3.0, duration=200.0))
    full, kept = geirhos2021._fill_field(data), geirhos2021._keep_degrees(data)
    assert (full.setting.degrees, full.setting.duration) == (None, 200.0)
    assert kept.setting == data.setting
    screen = Screen(8.0, 224)
    assert (screen.show(picture, full.setting.degrees) == 0).all()
    assert (screen.show(picture, kept.setting.degrees) == 0).mean() == pytest.approx((3 / 8) ** 2, abs=0.01)


def conflicting(answers: list[str]) -> tuple[xr.DataArray, xr.DataArray]:
    count, kinds = len(answers), ["cat", "dog", "car"]
    coords = {
        "stimulus_id": ("presentation", [f"p{k}" for k in range(count)]),
        "label": ("presentation", ["cat"] * count),
        "texture": ("presentation", ["dog"] * count),
        "choice": ("choice", kinds),
    }
    people = np.repeat(np.eye(3)[[0] * count][:, :, None], 2, axis=2)
    target = xr.DataArray(people, dims=("presentation", "choice", "subject"), coords={**coords, "subject": ["a", "b"]})
    model = xr.DataArray(np.eye(3)[[kinds.index(a) for a in answers]], dims=("presentation", "choice"), coords=coords)
    return model, target


@pytest.mark.parametrize(
    ("answers", "note"),
    [
        (
            ["cat", "dog", "dog", "dog", "car"],
            "decided for one of both cues in 80% of the images, 25% of these for the",
        ),
        (["car"] * 4, "decided for one of both cues in 0% of the images"),
    ],
)
def test_the_share_of_decisions_stands_beside_the_score(answers: list[str], note: str) -> None:
    found = shape_bias(resamples=0)(*conflicting(answers))
    assert found.notes[-1].startswith(note)
    score = Score("Geirhos2021.cue-conflict-shape_bias", "net", 0.2, 0.2, 0.9, None, notes=found.notes)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(make_leaderboard([score], 120))
    assert note in console.export_text()
