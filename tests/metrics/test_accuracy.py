"""Accuracy from its definition, with ties, replicates and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core import InvalidMeasurement, metrics
from brainmark.metrics.behavior.choices import accuracy
from brainmark.metrics.statistics.resampling import draws

NAMES = ["cat", "dog", "ship"]


def choices(values: list[list[float]], labels: list[str] | None = None, names: list[str] = NAMES) -> xr.DataArray:
    made = xr.DataArray(
        np.array(values, float),
        dims=("presentation", "choice"),
        coords={"stimulus_id": ("presentation", [str(i) for i in range(len(values))]), "choice": names},
    )
    return made if labels is None else made.assign_coords(label=("presentation", labels))


LABELS = ["cat", "dog", "ship", "cat"]
TARGET = choices(np.eye(3)[[0, 1, 2, 0]].tolist(), LABELS)
GUESS = [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2]]  # right, wrong, right, a tie of two


def test_ties_share_a_presentation() -> None:
    found = accuracy(resamples=0)(choices(GUESS), TARGET)
    assert found.aggregate() == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    assert found.replicates is None
    assert found.details["chance"] == pytest.approx(1 / 3)
    expected = np.log2([0.6, 0.4, 0.7, 0.4]).mean()
    assert found.details["log2 probability of the right label"] == pytest.approx(expected)


def test_the_order_of_the_models_choices_does_not_matter() -> None:
    turned = choices([row[::-1] for row in GUESS], names=NAMES[::-1])
    assert (
        accuracy(resamples=0)(turned, TARGET).aggregate() == accuracy(resamples=0)(choices(GUESS), TARGET).aggregate()
    )


def test_replicates_are_accuracies_of_drawn_presentations() -> None:
    found = accuracy(resamples=20, seed=3)(choices(GUESS), TARGET)
    solved = np.array([1, 0, 1, 0.5])
    expected = [np.repeat(solved, row).mean() for row in draws(4, 20, 3)]
    np.testing.assert_allclose(found.replicates[:, 0], expected)  # type: ignore[index]


def test_a_model_that_cannot_choose_is_at_chance() -> None:
    assert accuracy(resamples=0)(choices([[1, 1, 1]] * 4), TARGET).aggregate() == pytest.approx(1 / 3)


def test_labels_must_be_known_and_among_the_choices() -> None:
    with pytest.raises(InvalidMeasurement, match="no coordinate 'label'"):
        accuracy()(choices(GUESS), TARGET.drop_vars("label"))
    with pytest.raises(InvalidMeasurement, match="label 'bird' of presentation 1 is not among the choices"):
        accuracy()(choices(GUESS), choices(TARGET.values.tolist(), ["cat", "bird", "ship", "cat"]))


def test_it_is_registered() -> None:
    assert metrics["accuracy"].load(resamples=0)(choices(GUESS), TARGET).aggregate() == pytest.approx(0.625)


def test_groups_have_values_of_their_own() -> None:
    target = TARGET.assign_coords(kind=("presentation", ["a", "a", "b", "a"]))
    found = accuracy(by="kind", resamples=50)(choices(GUESS), target)
    assert found.values.coords["pattern"].values.tolist() == ["a", "b"]
    assert found.values.values == pytest.approx([(1 + 0 + 0.5) / 3, 1.0])
    assert found.aggregate() == pytest.approx(0.75)
    counts = draws(4, 50, 0)
    drawn = counts[:, [0, 1, 3]] @ [1, 0, 0.5] / counts[:, [0, 1, 3]].sum(1)
    assert found.replicates is not None
    np.testing.assert_allclose(found.replicates[:, 0], drawn)
    with pytest.raises(InvalidMeasurement, match="no coordinate 'shape'"):
        accuracy(by="shape")(choices(GUESS), target)
