"""How often the choice is right: the measure of engineering benchmarks."""

from __future__ import annotations

from brainmark.core.comparison import Comparison, Metric
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import along_presentations
from brainmark.metrics.behavior.patterns import aligned_choices, labelled_choices
from brainmark.metrics.statistics.resampling import draws


@metric(
    "accuracy",
    summary="Share of stimuli on which the model's first choice is the right label (top-1).",
    cite="deng2009",
    compares="choices",
    chance=None,
    tags=("behavior", "engineering"),
)
def accuracy(
    truth: str = "label", by: str | None = None, people: str | None = None, resamples: int = 1000, seed: int = 0
) -> Metric:
    """Share of presentations on which the model's first choice is the right label (top-1).

    Parameters
    ----------
    truth : coordinate of the target along presentation with the right label, one of its choices.
    by : coordinate of the target along presentation; each of its labels has a value of its own, and the centre is their
        mean. None: one value over all presentations.
    people : coordinate of the target along presentation with the share of people who are right, one share for each
        label of `by`; None: not known.
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value (or one a label); choices that tie share the presentation evenly. ``details`` has chance
    (one over the number of choices) and the mean log2 probability of the right label; of people, their mean share and
    its correlation with the values.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        values = aligned_choices(prediction, target)
        right = labelled_choices(target, truth)
        best = values == values.max(axis=1, keepdims=True)
        solved = (best * right).sum(axis=1) / best.sum(axis=1)
        groups = {"top-1": np.arange(len(solved))} if by is None else _positions(target, by)
        counts = draws(len(solved), resamples, seed) if resamples else None
        total = values.sum(axis=1)
        shares = (values * right).sum(axis=1) / np.where(total > 0, total, 1)
        found = np.array([solved[at].mean() for at in groups.values()])
        known = {} if people is None else _compare_with_people(found, target, people, groups)
        return Comparison(
            xr.DataArray(found, dims=("pattern",), coords={"pattern": list(groups)}),
            replicates=None if counts is None else np.stack([_drawn(solved, counts, at) for at in groups.values()], 1),
            center="mean",
            details={
                "chance": 1 / values.shape[1],
                "log2 probability of the right label": float(np.log2(np.clip(shares, 1e-12, None)).mean()),
                **known,
            },
        )

    return metric


def _positions(target: xr.DataArray, by: str) -> dict[str, np.ndarray]:
    """Presentations with each label of a coordinate."""
    names = along_presentations(target, by).astype(str)
    return {str(name): np.flatnonzero(names == name) for name in np.unique(names)}


def _compare_with_people(
    found: np.ndarray, target: xr.DataArray, people: str, groups: dict[str, np.ndarray]
) -> dict[str, float]:
    """What people reach, and how alike they and the model find the labels hard."""
    share = along_presentations(target, people).astype(float)
    reached = np.array([share[at][0] for at in groups.values()])
    details = {"people": float(reached.mean())}
    if len(reached) > 2 and np.ptp(found) > 0:
        details["r with people over paradigms"] = float(np.corrcoef(found, reached)[0, 1])
    return details


def _drawn(solved: np.ndarray, counts: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Accuracy on some presentations under draws of all; NaN where a draw has none of them."""
    drawn = counts[:, at].astype(float)
    number = drawn.sum(axis=1)
    return np.where(number > 0, drawn @ solved[at] / np.maximum(number, 1), np.nan)
