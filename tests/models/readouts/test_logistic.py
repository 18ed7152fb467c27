from __future__ import annotations

import numpy as np
import pytest

from brainmark.core.errors import ResourceError
from brainmark.models.readouts import logistic
from brainmark.models.readouts.logistic import probabilities, softmax

sklearn = pytest.importorskip("sklearn")


def stimuli(n: int, features: int, labels: int, others: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rectified, correlated activations with a signal, one feature constant; labels of the fitting stimuli."""
    generator = np.random.default_rng(n + features + labels)
    means, mixing = 0.3 * generator.normal(size=(labels, features)), generator.normal(size=(10, features))
    codes = np.concatenate([np.arange(labels), generator.integers(labels, size=n - labels)])
    truth = np.concatenate([codes, generator.integers(labels, size=others)])
    noise = generator.normal(size=(len(truth), 10)) @ mixing + generator.normal(size=(len(truth), features))
    x = np.maximum(means[truth] + noise + 2, 0).astype(np.float32)
    x[:, 0] = 7.3
    return x[:n], codes, x[n:]


@pytest.mark.parametrize(
    ("n", "features", "labels", "strength"),
    [
        (120, 30, 4, 1e-3),
        (120, 30, 2, 1e-3),  # with two labels scikit-learn has one vector of weights, and so half the penalty
        (90, 600, 5, 1e-3),
        (90, 600, 2, 1.0),
        (60, 60, 3, 10.0),
        (200, 5, 3, 1e3),
    ],
)
def test_equals_scikit_learn(n: int, features: int, labels: int, strength: float):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, codes, others = stimuli(n, features, labels)
    solver = LogisticRegression(C=strength, solver="newton-cg", tol=1e-11, max_iter=10_000)
    theirs = make_pipeline(StandardScaler(), solver).fit(known.astype(float), codes).predict_proba(others.astype(float))
    np.testing.assert_allclose(probabilities(known, codes, others, strength), theirs, atol=1e-8)


def test_rotated_and_blocked_problems_are_the_same(monkeypatch: pytest.MonkeyPatch):
    known, codes, others = stimuli(60, 300, 4)
    at_once = probabilities(known, codes, others)
    monkeypatch.setattr(logistic, "_BLOCK", 7)
    np.testing.assert_allclose(probabilities(known, codes, others), at_once, atol=1e-12)


def test_without_standardising_the_scale_of_a_feature_counts():
    known, codes, others = stimuli(60, 20, 3)
    known[:, 1], others[:, 1] = 1e3 * known[:, 1], 1e3 * others[:, 1]
    raw = probabilities(known, codes, others, standardise=False)
    assert np.abs(raw - probabilities(known, codes, others)).max() > 0.01


def test_labels_without_any_signal_get_their_frequencies():
    known = np.zeros((40, 5), np.float32)
    codes = np.repeat([0, 1, 2], [20, 12, 8])
    np.testing.assert_allclose(probabilities(known, codes, known[:2]), [[0.5, 0.3, 0.2]] * 2, atol=1e-9)


def test_too_large_a_problem_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch):
    from brainmark.metrics._arrays import backend

    monkeypatch.setattr(backend, "available_memory", lambda x: 1000)
    known, codes, others = stimuli(60, 20, 3)
    with pytest.raises(ResourceError, match="60 stimuli on 20 features"):
        probabilities(known, codes, others)


def test_softmax_of_large_logits():
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4, -1e4]])), [[0.5, 0.5, 0]])
