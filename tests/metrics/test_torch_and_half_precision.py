"""What comes from a network as it is: tensors that carry gradients, in half precision, on their way to any function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from brainmark.brainscore import metrics as brainscore
from brainmark.core.errors import ResourceError
from brainmark.metrics._arrays import backend
from brainmark.metrics._arrays.backend import as_numpy
from brainmark.metrics.regression import banded, matching, pls, predictivity, ridge
from brainmark.metrics.similarity import alignment, crossnobis, geometry, rdm
from brainmark.metrics.similarity import rsa as similarity
from brainmark.metrics.statistics import ceilings, correlation, ranks
from brainmark.metrics.statistics.splits import Shuffled
from brainmark.metrics.time import dynamics
from brainmark.metrics.tuning import distributions
from brainmark.metrics.tuning import gratings as tuning

RNG = np.random.default_rng(5)
# Of float16 exactly, and such that its squares are beyond float16.
X, Y = (np.round(RNG.standard_normal((40, p)) * 40 + level).astype(float) for p, level in ((12, 300), (7, 0)))
TRIALS = np.round(RNG.standard_normal((4, 10, 7)) * 300)
FOLDS = Shuffled(5)(40)
OF_TWO: dict[str, Callable[..., Any]] = {
    "linear CKA": geometry.linear_cka,
    "RBF CKA": lambda x, y: alignment.cka(kernel="rbf", resamples=0)(x, y).values.values,
    "Procrustes": geometry.procrustes_similarity,
    "shape distance": lambda x, y: geometry.procrustes_similarity(x, y, 0.5),
    "RDM": lambda x, _: rdm.rdm_matrix(x),
    "cosine RDM": lambda x, _: rdm.rdm_matrix(x, "cosine"),
    "Euclidean RDM": lambda x, _: rdm.rdm_matrix(x, "euclidean"),
    "RDMs compared": lambda x, y: rdm.compare_rdms(rdm.upper(rdm.rdm_matrix(x)), rdm.upper(rdm.rdm_matrix(y))),
    "PLS": lambda x, y: pls.pls_predictions(x, y, FOLDS, 4)[0],
    "ridge": lambda x, y: ridge.ridge_predictions(x, y, FOLDS, [1.0, 10.0])[0],
    "least squares": lambda x, y: ridge.ols_predictions(x, y, FOLDS),
    "banded ridge": lambda x, y: banded.banded_ridge({"a": x, "b": x[:, :3]}, y, FOLDS).predictions,
    "matched units": lambda x, y: matching.match_units(x, y, FOLDS),
    "cross-correlation": matching.cross_correlation,
    "transport": lambda x, y: matching.transport(matching.cross_correlation(x, y)),
    "Pearson": lambda x, y: correlation.pearson(x[:, :7], y),
    "sparseness": lambda x, _: tuning.sparseness(x),
    "circular variance": lambda x, _: tuning.circular_variance(x, np.linspace(0, 175, 40)),
    "dynamics": lambda x, _: dynamics.fit_dynamics(x[None], rank=2),
    "distributions": lambda x, _: distributions.distribution_similarity(x[:, 0], x[:, 1]),
    "ranks": lambda x, _: ranks.midranks(x[:, 0]),
    "predictivity": lambda x, y: predictivity.ridge(resamples=0)(x, y).values.values,
    "unique variance": lambda x, y: (
        banded.UniqueVariance({"rest": x[:, :3]}, resamples=0, candidates=3)(x, y).values.values
    ),
    "RDM metric": lambda x, y: similarity.rdm(resamples=0)(x, y).values.values,
    "published PLS": lambda x, y: brainscore.pls(4)(x, y).values.values,
    "published RDM": lambda x, y: brainscore.rdm()(x, y).values.values,
}
OF_TRIALS: dict[str, Callable[..., Any]] = {
    "crossnobis": lambda r: crossnobis.crossnobis_rdm(r, crossnobis.noise_precision(r)),
    "split half": lambda r: ceilings.correlate_halves(r.swapaxes(0, 1).swapaxes(1, 2))[0],
}
KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "torch": torch.tensor,
    "torch with gradient": lambda v: torch.tensor(v, requires_grad=True),
    "torch float32": lambda v: torch.tensor(v, dtype=torch.float32),
    "torch float16": lambda v: torch.tensor(v, dtype=torch.float16),
    "float16": lambda v: v.astype(np.float16),
    "int16": lambda v: v.astype(np.int16),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*OF_TWO, *OF_TRIALS])
def test_any_precision_and_library_gives_the_same(name: str, kind: str) -> None:
    made = KINDS[kind]
    if name in OF_TWO:
        expected, found = OF_TWO[name](X, Y), OF_TWO[name](made(X), made(Y))
    else:
        expected, found = OF_TRIALS[name](TRIALS), OF_TRIALS[name](made(TRIALS))
    found, expected = (v if isinstance(v, float) else as_numpy(v) for v in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)


def test_brain_floats_become_float32() -> None:
    values = torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16, requires_grad=True)
    assert as_numpy(values).dtype == np.float32
    assert backend.plain(values).dtype == torch.float32
    assert not backend.plain(values).requires_grad
    made = torch.tensor(X, dtype=torch.bfloat16)
    assert geometry.linear_cka(made, made) == pytest.approx(1)


@pytest.mark.parametrize(
    "compute",
    [
        geometry.gaussian_kernel,
        rdm.rdm_matrix,
        lambda x: crossnobis.crossnobis_rdm(np.stack([x, x])),
        lambda x: matching.cross_correlation(x.T, x.T),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_begun(
    monkeypatch: pytest.MonkeyPatch, compute: Callable[[np.ndarray], object]
) -> None:
    compute(np.random.default_rng(0).standard_normal((50, 3)))
    monkeypatch.setattr(backend, "available_memory", lambda _: 2**20)
    with pytest.raises(ResourceError, match="free"):
        compute(np.random.default_rng(0).standard_normal((500, 3)))
