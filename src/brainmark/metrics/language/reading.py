"""How well surprisal (or another value per word) explains reading times or potentials beyond properties of words.

Prediction and target are (presentation,), words in the order in which they were read. What a word costs by its length,
frequency and position, and what the words before it cost, are coordinates of the target: the nuisance. Words that
were not measured, or have no surprisal, or no nuisance (the first of a text, with spillover) do not count.

Draws for the interval are of whole groups (sentences, stories), since neighbouring words resemble each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from brainmark.core.comparison import Ceiling, Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import along_presentations, check_pair, check_same_stimuli
from brainmark.metrics._arrays.shapes import Float, Integer, Real, Shaped
from brainmark.metrics.statistics.averages import divide
from brainmark.metrics.statistics.resampling import resample
from brainmark.metrics.statistics.splits import Grouped

Fit = Literal["correlation", "partial", "likelihood"]
FEW_TEXTS = 20
"""Below this number of texts, percentiles of their draws say little."""
_SINGULAR = 1e-9  # smallest share of a standardised column that must be its own


def reliability_ceiling(
    error_variance: str = "error_variance",
    nuisance: Sequence[str] = (),
    spillover: int = 0,
    context: str | None = None,
    fit: Fit = "correlation",
    resamples: int = 1000,
    seed: int = 0,
) -> Ceiling | None:
    """Return the r that the true means would reach with the measured means, from the errors of these means.

    The reliability is 1 - mean error variance / variance of the means (after the nuisance was taken from them); its
    square root is the ceiling. For means over people whose single values are not published.

    Parameters
    ----------
    error_variance : coordinate of the target along presentation, the squared standard error of each mean.
    nuisance, spillover, context, fit, resamples, seed : as in the `ReadingFit` whose ceiling this is; a likelihood has
        none.
    """
    if fit == "likelihood":
        return None

    def ceiling(target: xr.DataArray) -> Comparison:
        y, error = np.asarray(target.values, float), _column(target, error_variance)
        texts, drawn = _texts(target, context)
        columns = [_column(target, name) for name in nuisance]
        removed = [*columns, *(shift(c, texts, k) for c in columns for k in range(1, spillover + 1))]
        known = np.isfinite(np.stack([y, error, *removed])).all(axis=0)
        y, error, drawn, count = y[known], error[known], drawn[known], int(drawn.max()) + 1
        if removed:
            design = _design([c[known] for c in removed])
            y = y - design @ np.linalg.lstsq(design, y, rcond=1e-10)[0]
        centred = y - y.mean()

        def reliability(counts: np.ndarray) -> np.ndarray:
            weights = counts[:, drawn]
            size = np.maximum(weights.sum(axis=1), 1)
            variance = weights @ centred**2 / size - (weights @ centred / size) ** 2
            return 1 - divide(weights @ error / size, variance)

        def statistic(counts: np.ndarray) -> np.ndarray:
            return np.sqrt(np.where((r := reliability(counts)) > 0, r, np.nan))

        return resample(
            statistic, count, resamples, seed, details={"reliability": float(reliability(np.ones((1, count)))[0])}
        )

    return ceiling


@metric(
    "reading_fit",
    summary="Relates one value a word (surprisal) to reading times or potentials, given what words cost anyway.",
    cite="smith2013 goodkind2018", compares="judgements", ceiling=reliability_ceiling, ceiling_over=(),
    domain="language", tags=("behavior", "nuisance"),
)  # fmt: skip
@dataclass(frozen=True)
class ReadingFit:
    """Metric: how a word-by-word prediction relates to what was measured of readers.

    Attributes
    ----------
    fit : "correlation", Pearson's r; "partial", r after the nuisance was taken from both sides (Frank et al. 2015;
        linear, within the same words); "likelihood", by how much the log-likelihood of left-out words rises per word
        (in bits) when a linear model with the nuisance also knows the prediction (Goodkind & Bicknell 2018).
    nuisance : coordinates of the target along presentation.
    spillover : also the nuisance (and, for the likelihood, the prediction) of so many words before.
    context : coordinate of the target whose values name texts, which are drawn as a whole and whose borders spillover
        does not pass. None: one text, whose words are drawn one by one.
    sign : 1, or -1 where the measure falls as words become less predictable (N400); the value is sign x r.
    folds : of contexts, for the likelihood.
    resamples, seed : of the draws, for the replicates.
    """

    fit: Fit = "correlation"
    nuisance: Sequence[str] = ()
    spillover: int = 0
    context: str | None = None
    sign: Literal[1, -1] = 1
    folds: int = 10
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.fit not in get_args(Fit):
            raise ValueError(f"unknown fit {self.fit!r}: use one of {', '.join(get_args(Fit))}")
        if self.spillover < 0:
            raise ValueError(f"spillover is a number of words, not {self.spillover}")

    def __call__(self, prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        """Compare one value a word with one measurement a word.

        Raises
        ------
        InvalidMeasurement : other dimensions or words, an unknown coordinate, nothing left to compare.
        """
        x, y = _pair(prediction, target)
        texts, drawn = _texts(target, self.context)
        columns = [_column(target, name) for name in self.nuisance]
        before = [shift(c, texts, k) for c in (x, *columns) for k in range(1, self.spillover + 1)]
        known = np.isfinite(np.stack([x, y, *columns, *before])).all(axis=0)
        if known.sum() < len(columns) + len(before) + 3:
            raise InvalidMeasurement(
                f"{int(known.sum())} words have prediction, measurement and all nuisance, which are too few"
            )
        count = int(drawn.max()) + 1
        x, y, drawn = x[known], y[known], drawn[known]
        columns, before = [c[known] for c in columns], [c[known] for c in before]
        few = f"the interval rests on {count} texts: it is uncertain"
        notes = (few,) if self.resamples and count < FEW_TEXTS else ()
        details = {"words": float(len(x))} | _single("r", [], x, y)
        if columns or before:
            details |= _single("partial r", [*columns, *before], x, y)
        if self.fit == "likelihood":
            gain = self._gain(x, y, columns, before, drawn)
            sums, sizes = (np.bincount(drawn, w, count)[:, None] for w in (gain, np.ones(len(gain))))

            def statistic(counts: np.ndarray) -> np.ndarray:
                return counts @ sums / np.maximum(counts @ sizes, 1)
        else:
            removed = [*columns, *before] if self.fit == "partial" else []

            def statistic(counts: np.ndarray) -> np.ndarray:
                return self.sign * partial_correlations(removed, x, y, drawn, counts)[:, None]

        return resample(statistic, count, self.resamples, self.seed, notes=notes, details=details)

    def _gain(
        self, x: np.ndarray, y: np.ndarray, columns: list[np.ndarray], before: list[np.ndarray], texts: np.ndarray
    ) -> np.ndarray:
        """Return the gain in log2-likelihood of each word, predicted from other texts."""
        if not _standard(x).any():
            return np.full(len(x), np.nan)
        own, others = before[: self.spillover], before[self.spillover :]
        without = _design([*columns, *others])
        folds = Grouped("text", min(self.folds, len(np.unique(texts))), self.seed)(len(y), {"text": texts})
        gain = np.empty(len(y))
        for fold in folds:
            fits = [_likelihood(d, y, fold.train, fold.test) for d in (_design([*columns, *others, x, *own]), without)]
            gain[fold.test] = fits[0] - fits[1]
        return gain


def shift(
    values: Float[np.ndarray, " word"], texts: Shaped[np.ndarray, " word"], by: int
) -> Float[np.ndarray, " word"]:
    """Return the value of the word `by` places before each word of the same text; NaN where there is none."""
    moved = np.full(len(values), np.nan)
    if by < len(values):
        same = texts[by:] == texts[: len(texts) - by]
        moved[by:] = np.where(same, values[: len(values) - by], np.nan)
    return moved


def partial_correlations(
    removed: Sequence[Real[np.ndarray, " row"]],
    x: Real[np.ndarray, " row"],
    y: Real[np.ndarray, " row"],
    groups: Integer[np.ndarray, " row"],
    counts: Real[np.ndarray, "draw group"],
) -> Float[np.ndarray, " draw"]:
    """Correlate x and y without what is linear in `removed` (none: Pearson's r), under weights of groups.

    Sums of products are taken once for each group; each draw then inverts a small matrix.

    Parameters
    ----------
    removed : columns (n,).
    x, y : (n,)
    groups : (n,) group of each row, from 0.
    counts : (draws, groups) how often each group counts.

    Returns
    -------
    (draws,); NaN where x or y is constant given the rest.
    """
    rows = np.stack([*(_standard(c) for c in removed), _standard(x), _standard(y)], axis=1)
    rows = np.column_stack([np.ones(len(rows)), rows])
    number, width = counts.shape[1], rows.shape[1]
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(number))
    products = np.zeros((number, width, width))
    for g, (start, end) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        part = rows[order[start:end]]
        products[g] = part.T @ part
    whole = (counts @ products.reshape(number, -1)).reshape(-1, width, width)
    size = np.maximum(whole[:, :1, :1], 1.0)
    return _partial(whole / size)


def _partial(products: np.ndarray) -> np.ndarray:
    """Return partial correlations (draw,) of the last two columns given the others, from mean products (draw, k, k)."""
    left, right = products[:, :-2, :-2], products[:, :-2, -2:]
    explained = np.swapaxes(right, 1, 2) @ np.linalg.pinv(left, rcond=1e-10, hermitian=True) @ right
    rest = products[:, -2:, -2:] - explained
    own, scale = (np.diagonal(m, axis1=1, axis2=2) for m in (rest, products[:, -2:, -2:]))
    flat = (own <= _SINGULAR * np.maximum(scale, 1e-300)).any(axis=1)
    r = rest[:, 0, 1] / np.sqrt(np.where(flat, 1.0, own[:, 0] * own[:, 1]))
    return np.where(flat, np.nan, np.clip(r, -1.0, 1.0))


def _single(name: str, removed: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the partial correlation over all words, by its name; nothing where it is undefined."""
    r = partial_correlations(removed, x, y, np.zeros(len(x), int), np.ones((1, 1)))[0]
    return {name: float(r)} if np.isfinite(r) else {}


def _standard(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean()
    spread = np.sqrt(np.mean(centred**2))
    return centred / spread if spread > 1e-12 * max(float(np.abs(values).max()), 1e-300) else np.zeros(len(values))


def _design(columns: Sequence[Real[np.ndarray, " row"]]) -> Float[np.ndarray, "row _"]:
    return np.column_stack([np.ones(len(columns[0])), *map(_standard, columns)]) if columns else np.empty((0, 0))


def _likelihood(design: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return log2-likelihood of the test words under a linear model with Gaussian errors, fitted to training words."""
    design = design if design.size else np.ones((len(y), 1))
    weights = np.linalg.lstsq(design[train], y[train], rcond=1e-10)[0]
    variance = max(float(np.mean((y[train] - design[train] @ weights) ** 2)), 1e-300)
    missed = y[test] - design[test] @ weights
    return -0.5 * (np.log2(2 * np.pi * variance) + missed**2 / variance / np.log(2))


def _pair(prediction: xr.DataArray, target: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    for name, side in (("prediction", prediction), ("target", target)):
        if side.dims != ("presentation",):
            raise InvalidMeasurement(f"{name} has dimensions {tuple(side.dims)}; one value a word is (presentation,)")
    check_pair(prediction.dropna("presentation"), target)
    check_same_stimuli(prediction, target)
    return np.asarray(prediction.values, float), np.asarray(target.values, float)


def _column(target: xr.DataArray, name: str) -> Float[np.ndarray, " presentation"]:
    return along_presentations(target, name).astype(float)


def _texts(target: xr.DataArray, context: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the text of each word, and of the group with which it is drawn."""
    count = target.sizes["presentation"]
    if context is None:
        return np.zeros(count, int), np.arange(count)
    texts = np.unique(along_presentations(target, context), return_inverse=True)[1].reshape(-1)
    return texts, texts
