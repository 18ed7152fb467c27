"""People's choices about images: every figure that is known about the published trials."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from brainmark.core.dataset import Dataset
from brainmark.metrics.behavior.choices import error_consistency_ceiling
from brainmark.metrics.behavior.shape_bias import shape_bias, shape_bias_ceiling
from brainmark.studies import geirhos2021

pytestmark = pytest.mark.realdata


def reliability(values: np.ndarray, halves: int = 200) -> float:
    """Spearman-Brown of the mean over people (presentation, person), over random halves."""
    generator = np.random.default_rng(0)
    people = values.shape[1]
    found: list[float] = []
    for _ in range(halves):
        order = generator.permutation(people)
        one, other = values[:, order[: people // 2]].mean(1), values[:, order[people // 2 :]].mean(1)
        r = float(np.corrcoef(one, other)[0, 1])
        found.append(2 * r / (1 + r))
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("condition", "accuracy", "kappa", "reliable"), [("edge", 0.871, 0.318, 0.826), ("silhouette", 0.753, 0.476, 0.906)]
)
def test_people_agree_as_published(
    study: Callable[[str], Dataset], condition: str, accuracy: float, kappa: float, reliable: float
):
    choices = study(f"Geirhos2021.{condition}").measurement
    assert choices.shape == (160, 16, 10)
    right = (choices.values * (choices.label.values[:, None] == choices.choice.values)[:, :, None]).sum(1)
    assert right.mean() == pytest.approx(accuracy, abs=5e-4)
    assert error_consistency_ceiling()(choices).aggregate() == pytest.approx(kappa, abs=5e-4)
    assert reliability(right) == pytest.approx(reliable, abs=5e-3)


def test_conflicting_cues_have_a_shape_and_a_texture(study: Callable[[str], Dataset]):
    found = study("Geirhos2021.cue-conflict")
    choices = found.measurement
    assert choices.shape == (134, 16, 10)
    assert set(choices.texture.values) <= set(geirhos2021.OBJECTS)
    shape, texture = (
        float((choices.values * (choices[cue].values[:, None] == choices.choice.values)[:, :, None]).sum(1).mean())
        for cue in ("label", "texture")
    )
    assert shape == pytest.approx(0.80, abs=0.01)  # of all 1280: .776
    assert shape / (shape + texture) > 0.9
    assert found.setting.degrees == 3.0


def test_people_agree_on_all_pictures_of_conflicting_cues(study: Callable[[str], Dataset]):
    """Of most of the 1280 only the answers are registered, not the pictures; names are those of shape and texture."""
    study("Geirhos2021.cue-conflict")  # or skip
    trials = geirhos2021.answers("cue-conflict")
    names = sorted(set(trials["image"]))
    assert len(names) == 1280
    label = [name.partition("-")[0].rstrip("0123456789") for name in names]
    choices = geirhos2021.choices(trials, pd.DataFrame({"label": label}, index=pd.Index(names, name="stimulus_id")))
    right = (choices.values * (choices.label.values[:, None] == choices.choice.values)[:, :, None]).sum(1)
    assert right.mean() == pytest.approx(0.776, abs=5e-4)
    assert error_consistency_ceiling(resamples=0)(choices).aggregate() == pytest.approx(0.331, abs=5e-4)
    assert reliability(right) == pytest.approx(0.838, abs=5e-3)


def test_people_decide_by_shape_and_an_observer_of_textures_does_not(study: Callable[[str], Dataset]):
    choices = study("Geirhos2021.cue-conflict").measurement
    ceiling = shape_bias_ceiling(resamples=0)(choices)
    assert ceiling.aggregate() > 0.95
    person = choices.isel(subject=0, drop=True).fillna(0.0)
    one = shape_bias(resamples=0)(person, choices.isel(subject=slice(1, None)))
    assert one.details["shape bias of subjects"] == pytest.approx(0.96, abs=0.01)
    assert one.aggregate() > 0.95
    textures = (choices.texture.values[:, None] == choices.choice.values).astype(float)
    other = shape_bias(resamples=0)(person.copy(data=textures), choices)
    assert other.details["shape bias"] == 0
    assert other.aggregate() < 0.05
