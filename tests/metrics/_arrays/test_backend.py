"""Products that stay centred, and what does not fit into memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from brainmark.core import ResourceError
from brainmark.metrics._arrays import backend


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_centred_however_far_features_lie_from_zero(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Means of single precision leave a residue, which the products must lose as well: rows add up to nothing."""
    features = (np.random.default_rng(0).normal(size=(30, 400)) + 1000).astype(dtype)
    monkeypatch.setattr(backend, "_WIDE", 64)  # several blocks
    found = backend.gram(features)
    wide = features.astype(float) - features.astype(float).mean(axis=0)
    np.testing.assert_allclose(found, wide @ wide.T, atol=1e-3 if dtype == np.float32 else 1e-9)
    assert np.abs(found.sum(axis=0)).max() < 1e-9


def test_what_does_not_fit_is_refused_and_what_fits_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "available_memory", lambda x: 10**9)
    backend.check_memory(10**9, np.empty(1), "this")
    with pytest.raises(ResourceError, match=r"this needs about 1\.5 GB of memory and 1\.0 GB are free"):
        backend.check_memory(1_500_000_000, np.empty(1), "this")


@pytest.mark.parametrize("library", [np.asarray, torch.asarray])
def test_only_what_is_not_positive_definite_has_no_inverse(library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend.inverse_cholesky(library(np.diag([1.0, -1.0]))) is None
    np.testing.assert_allclose(backend.inverse_cholesky(library(np.diag([4.0, 1.0]))), np.diag([0.5, 1.0]))

    def out_of_memory(a, made):
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(backend, "_invert_factor", out_of_memory)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        backend.inverse_cholesky(library(np.eye(2)))
