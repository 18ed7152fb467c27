from __future__ import annotations

import numpy as np
import pytest

from brainmark.models.readouts import answers as readouts
from brainmark.models.readouts.answers import alike, label_probabilities, match, odd_one_out, ratings, similarities

GENERATOR = np.random.default_rng(0)


def test_the_probability_of_a_label_is_the_mean_over_its_classes():
    logits = GENERATOR.normal(size=(5, 7)) * 3
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    members = [np.array([0]), np.array([1, 2]), np.array([3, 4, 5])]
    expected = np.stack([p[:, m].mean(1) for m in members], 1)
    np.testing.assert_allclose(label_probabilities(logits, members), expected / expected.sum(1, keepdims=True))


def test_many_classes_are_no_advantage():
    members = [np.array([0]), np.arange(1, 100)]
    np.testing.assert_allclose(label_probabilities(np.zeros((1, 100)), members), [[0.5, 0.5]])


def test_labels_of_negligible_probability_still_compete():
    logits = np.array([[900.0, 0.0, 1.0]])
    np.testing.assert_allclose(
        label_probabilities(logits, [np.array([1]), np.array([2])])[0], [1 / (1 + np.e), np.e / (1 + np.e)]
    )


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("how", ["cosine", "dot"])
def test_similarities_by_either_way_of_computing(how: readouts.Similarity, few: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readouts, "_FASTER", 0 if few else 10**6)
    monkeypatch.setattr(readouts, "_BLOCK", 50)
    x = GENERATOR.normal(size=(9, 13)).astype(np.float32)
    first, second = GENERATOR.integers(9, size=(2, 6, 3))
    a, b = x[first].astype(float), x[second].astype(float)
    expected = (a * b).sum(-1)
    if how == "cosine":
        expected /= np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    np.testing.assert_allclose(similarities(x, first, second, how), expected, rtol=1e-12, atol=1e-14)


def test_no_activity_is_alike_to_none():
    x = np.array([[0.0, 0.0], [1.0, 1.0]])
    np.testing.assert_array_equal(similarities(x, np.array([0, 0, 1]), np.array([0, 1, 1])), [0, 0, pytest.approx(1)])


def test_the_nearest_alternative_is_chosen_and_equals_share():
    x = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [2.0, 0.0]])
    groups = np.array([[0, 1, 2], [0, 2, 1], [2, 0, 3]])
    np.testing.assert_array_equal(match(x, groups), [[1, 0], [0, 1], [0.5, 0.5]])


def test_length_matters_to_dot_products_only():
    x = np.array([[1.0, 0.0], [1.0, 0.1], [3.0, 3.0]])
    groups = np.array([[0, 1, 2]])
    assert match(x, groups, "cosine")[0].tolist() == [1, 0]
    assert match(x, groups, "dot")[0].tolist() == [0, 1]


@pytest.mark.parametrize("odd", [0, 1, 2])
def test_the_odd_one_is_found_at_each_position(odd: int):
    x = np.array([[1.0, 0.0, 0.1], [1.0, 0.1, 0.0], [0.0, 1.0, 1.0]])
    triplet = np.array([0, 1])
    triplet = np.insert(triplet, odd, 2)
    assert odd_one_out(x, triplet[None]).tolist() == [odd]


def test_odd_ones_against_every_pair_by_hand():
    x, triplets = GENERATOR.normal(size=(20, 6)), GENERATOR.integers(20, size=(50, 3))
    for triplet, answered in zip(triplets, odd_one_out(x, triplets, "dot"), strict=True):
        a, b, c = x[triplet]
        assert answered == int(np.argmax([b @ c, a @ c, a @ b]))


def test_alike_runs_over_the_scale():
    x = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_allclose(alike(x, np.array([[0, 1], [0, 2], [0, 3]]), 1, 7), [7, 4, 1])


@pytest.mark.parametrize("features", [8, 300])
def test_ratings_are_learnt_and_stay_on_the_scale(features: int):
    weights = GENERATOR.normal(size=features) / features**0.5
    known, others = GENERATOR.normal(size=(150, features)), GENERATOR.normal(size=(50, features))
    given, right = 4 + 2 * known @ weights, 4 + 2 * others @ weights
    rated = ratings(known.astype(np.float32), given, others.astype(np.float32), 3, 5)
    assert rated.min() >= 3
    assert rated.max() <= 5
    assert np.corrcoef(rated, right.clip(3, 5))[0, 1] > (0.95 if features == 8 else 0.4)


def test_ratings_equal_scikit_learn_with_its_penalty():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import Ridge

    from brainmark.metrics.regression.predictivity import RELATIVE_ALPHAS

    known, others = GENERATOR.normal(size=(40, 6)), GENERATOR.normal(size=(10, 6))
    given = known @ np.arange(6) + 0.5 * GENERATOR.normal(size=40)
    grid = np.asarray(RELATIVE_ALPHAS) * known.var(0).sum()
    rated = ratings(known, given, others, -1e9, 1e9)
    theirs = [Ridge(alpha=a).fit(known, given).predict(others) for a in grid]
    assert min(np.abs(rated - t).max() for t in theirs) < 1e-9
