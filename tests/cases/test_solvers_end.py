"""Iterative solvers stop at what rounding allows, within a bound, and say when they have not got there.

Wrong outcome guarded against: the readout of choices went on for ever, because the wanted decrease of its objective was
below the rounding of that objective.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from brainmark.core import ModelError
from brainmark.metrics.regression.pls import dominant_eigenvectors, nipals_vectors
from brainmark.models.readouts import logistic


def choices(n: int = 200, p: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * np.geomspace(1, 1e-3, p)
    return x, np.argmax(x[:, :4] + 0.5 * rng.standard_normal((n, 4)), axis=1)


@pytest.mark.parametrize("strength", [1e-3, 1.0, 1e8])
def test_the_readout_ends_whatever_the_size_of_its_objective(strength: float, monkeypatch: pytest.MonkeyPatch) -> None:
    x, codes = choices()
    products: list[int] = []
    curvature = logistic._Problem.curvature  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(logistic._Problem, "curvature", lambda *a: products.append(1) or curvature(*a))  # pyright: ignore
    found = logistic.probabilities(x, codes, x, strength, standardise=False)
    assert len(products) < 3000
    if strength < 1e6:
        model = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(x, codes)
        np.testing.assert_allclose(found, model.predict_proba(x), atol=1e-5)
    log = -np.log(found[np.arange(len(x)), codes]).mean()
    fair = LogisticRegression(C=1e4, tol=1e-8, max_iter=10_000).fit(x, codes)
    least = -np.log(fair.predict_proba(x)[np.arange(len(x)), codes]).mean()
    assert strength < 1e6 or log <= least + 1e-6


def test_a_readout_that_does_not_get_there_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "_MOST_STEPS", 1)
    with pytest.raises(
        ModelError, match=r"not converged after 1 steps: the objective can still fall by .* of its value"
    ):
        logistic.probabilities(*choices(), choices()[0], 1.0)


def test_dominant_vectors_of_equal_eigenvalues_are_found_within_a_bound() -> None:
    equal = np.eye(80)[None].repeat(2, 0)
    assert np.isfinite(dominant_eigenvectors(equal)).all()
    assert np.isfinite(nipals_vectors(equal, np.ones(80))).all()
    assert np.isfinite(nipals_vectors(np.zeros((1, 80, 80)), np.ones(80))).all()
