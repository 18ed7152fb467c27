"""From activations to behaviour: choices, matches, odd ones out, ratings. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from brainmark.core.libraries import np
from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.predictivity import RELATIVE_ALPHAS
from brainmark.metrics.regression.ridge import ridge_predictions
from brainmark.metrics.statistics.splits import Fold
from brainmark.models.readouts.logistic import softmax

Similarity = Literal["cosine", "dot"]

_BLOCK = 2**22  # numbers of features that are compared at a time
_FASTER = 50  # so much faster a product of matrices is than products of gathered rows


def label_probabilities(logits: np.ndarray, members: Sequence[np.ndarray]) -> np.ndarray:
    """Return probabilities of labels that stand for one or more classes: (stimuli, labels) float64, rows sum to 1.

    The probability of a label is the mean of the softmax probabilities of its classes (Geirhos et al. 2019, ICLR), so
    that labels with many classes have no advantage, scaled to sum to 1 over the labels offered.

    Parameters
    ----------
    logits : (stimuli, classes).
    members : for each label, positions of its classes.
    """
    logits = np.asarray(logits, float)
    means = np.stack([_log_mean_exp(logits[:, positions]) for positions in members], axis=1)
    return softmax(means)


def _log_mean_exp(x: np.ndarray) -> np.ndarray:
    top = x.max(axis=1)
    return top + np.log(np.exp(x - top[:, None]).mean(axis=1))


def similarities(features: np.ndarray, first: np.ndarray, second: np.ndarray, how: Similarity = "cosine") -> np.ndarray:
    """Return the cosine, or dot product, between rows `first` and rows `second` of features (stimuli, features).

    Rows without any activity are alike to none (cosine 0). Float64.
    """
    first, second = np.asarray(first), np.asarray(second)
    lengths = np.ones(len(features))
    if how == "cosine":
        lengths = np.sqrt(np.einsum("ij,ij->i", features, features, dtype=np.float64))
        lengths[lengths == 0] = np.inf
    stimuli, width = features.shape
    products = np.empty(first.shape)
    if _FASTER * first.size > stimuli**2:
        table = np.zeros((stimuli, stimuli))
        for start in range(0, width, max(1, _BLOCK // stimuli)):
            part = features[:, start : start + max(1, _BLOCK // stimuli)].astype(np.float64)
            table += part @ part.T
        products[...] = table[first, second]
    else:
        step = max(1, _BLOCK // width)
        flat, left, right = products.reshape(-1), first.reshape(-1), second.reshape(-1)
        for start in range(0, flat.size, step):
            part = slice(start, start + step)
            pair = (features[left[part]].astype(np.float64), features[right[part]].astype(np.float64))
            flat[part] = np.einsum("ij,ij->i", *pair)
    return products / (lengths[first] * lengths[second])


def match(features: np.ndarray, groups: np.ndarray, how: Similarity = "cosine") -> np.ndarray:
    """Choose the alternative most similar to the sample: probabilities (groups, alternatives), float64.

    `groups` (groups, 1 + alternatives) are rows of `features`, the sample first. Equals share the choice.
    """
    near = similarities(features, np.broadcast_to(groups[:, :1], groups[:, 1:].shape), groups[:, 1:], how)
    best = near >= near.max(axis=1, keepdims=True) - _rounding(near)
    return best / best.sum(axis=1, keepdims=True)


def odd_one_out(features: np.ndarray, triplets: np.ndarray, how: Similarity = "cosine") -> np.ndarray:
    """Return the position (0, 1, 2) of the one outside the most similar pair of each triplet (Hebart et al. 2020).

    `triplets` (triplets, 3) are rows of `features`. Of equals, the first position is answered.
    """
    pairs = [similarities(features, triplets[:, a], triplets[:, b], how) for a, b in ((1, 2), (0, 2), (0, 1))]
    near = np.stack(pairs, axis=1)
    return np.argmax(near >= near.max(axis=1, keepdims=True) - _rounding(near), axis=1)


def _rounding(values: np.ndarray) -> np.ndarray:
    """Return how far equal similarities may lie apart (rows, 1)."""
    return 1e-12 * np.abs(values).max(axis=1, keepdims=True)


def alike(features: np.ndarray, pairs: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rate how alike the two of each pair are: a cosine from -1 to 1 on a scale from `low` to `high`."""
    return low + (high - low) * (1 + similarities(features, pairs[:, 0], pairs[:, 1])) / 2


def ratings(fitting: np.ndarray, given: np.ndarray, features: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rate by ridge regression on rated stimuli, the penalty chosen by generalised cross-validation.

    Parameters
    ----------
    fitting, given : (stimuli, features) and their ratings (stimuli,).
    features : (others, features).
    low, high : ends of the scale; ratings beyond them are moved to them.

    Returns
    -------
    (others,) float64.
    """
    n = len(fitting)
    both = prepare(np.concatenate([fitting, features]))
    fold = Fold(np.arange(n), np.arange(n, n + len(features)))
    target = np.concatenate([np.asarray(given, float), np.zeros(len(features))])[:, None]
    penalties = np.asarray(RELATIVE_ALPHAS) * fitting.var(axis=0, dtype=np.float64).sum()
    predicted, _ = ridge_predictions(both, target, [fold], penalties)
    return np.clip(np.asarray(predicted)[:, 0], low, high)
