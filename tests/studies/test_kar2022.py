"""Kar 2022: judgements of faces, as published."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from brainmark.core.dataset import Dataset
from brainmark.studies import kar2022

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


@pytest.mark.parametrize(("group", "people", "reliable"), [("control", 15, 0.988), ("autism", 18, 0.990)])
def test_judgements_of_faces_are_reliable(study: Callable[[str], Dataset], group: str, people: int, reliable: float):
    found = study(f"Kar2022.{group}")
    choices = found.measurement
    assert choices.shape == (28, people, 9)
    assert found.stimuli is not None
    assert found.stimuli.media[0].shape == (246, 246, 3)
    by_person = choices.mean("repetition")
    assert reliability(by_person.values) == pytest.approx(reliable, abs=2e-3)
    curve = by_person.mean("subject").groupby("level").mean().values
    assert (np.diff(curve) > 0).all()
    assert curve[0] < 0.05
    assert curve[-1] > 0.95


def test_trials_without_an_answer_are_dropped(study: Callable[[str], Dataset]):
    missing = [int(np.isnan(study(f"Kar2022.{group}").measurement.values).sum()) for group in kar2022.GROUPS]
    assert missing == [54, 96]


def test_curves_of_people_with_autism_are_shallower(study: Callable[[str], Dataset]):
    slopes = []
    for group in kar2022.GROUPS:
        curve = study(f"Kar2022.{group}").measurement.mean(("repetition", "subject")).groupby("level").mean()
        slopes.append(float(curve.sel(level=60) - curve.sel(level=40)))
    assert slopes[0] > slopes[1]
