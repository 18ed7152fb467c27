"""Banded ridge: several feature spaces in one mapping, each with a penalty of its own, and what each contributes.

Dividing the features of a space by the root of its penalty turns banded ridge into ridge on the sum of kernels
(Nunez-Elizalde, Huth & Gallant 2019; Dupre la Tour et al. 2022). Shares of the spaces are searched at random on the
simplex, the common penalty on a grid, both by leave-one-out error inside the training rows, per target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from array_api_compat import device

from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.metrics._arrays.backend import as_float64, as_numpy, like, namespace
from brainmark.metrics._arrays.inputs import Recording, recordings, unit_coordinates
from brainmark.metrics._arrays.scale import rescale, times_power
from brainmark.metrics._arrays.shapes import Array, Float, Real
from brainmark.metrics.regression.features import Features, prepare
from brainmark.metrics.regression.predictivity import RELATIVE_ALPHAS, TEN_FOLDS, labels_of, note_edges, pair
from brainmark.metrics.regression.spectrum import Spectrum, loo_errors
from brainmark.metrics.statistics.resampling import draws
from brainmark.metrics.statistics.splits import Fold, Splitter


@dataclass(frozen=True, eq=False)
class BandedFit:
    """Out-of-fold predictions of all spaces together and of each band of the joint fit.

    Attributes
    ----------
    predictions : (m, q), rows in the order of the folds' test rows.
    bands : by space (m, q); they and the training means add up to `predictions`.
    shares : (folds, spaces, q), chosen weights of the kernels, which add up to 1 over spaces.
    alphas : (folds, q), chosen penalties on the weighted sum of kernels, each of unit mean diagonal.
    """

    predictions: Float[Array, "row neuroid"]
    bands: dict[str, Float[Array, "row neuroid"]]
    shares: Float[Array, "fold space neuroid"]
    alphas: Float[Array, "fold neuroid"]


def simplex(spaces: int, candidates: int, seed: int = 0) -> Float[np.ndarray, "candidate space"]:
    """Return shares (candidates, spaces): equal ones, each space alone, then Dirichlet draws, dense and sparse."""
    generator = np.random.default_rng(seed)
    fixed = [np.full(spaces, 1 / spaces), *np.eye(spaces)]
    drawn = [generator.dirichlet(np.full(spaces, (1.0, 0.1)[k % 2])) for k in range(max(0, candidates - len(fixed)))]
    return np.stack([*fixed, *drawn]) if spaces > 1 else np.ones((1, 1))


def banded_ridge(
    spaces: Mapping[str, Real[Array, "presentation _"] | Features],
    y: Real[Array, "presentation neuroid"],
    folds: Sequence[Fold],
    shares: Real[np.ndarray, "candidate space"] | None = None,
    alphas: Sequence[float] = RELATIVE_ALPHAS,
    candidates: int = 20,
    seed: int = 0,
) -> BandedFit:
    """Predict each fold's test rows from several feature spaces.

    Parameters
    ----------
    spaces : by name (n, p) each, or prepared in dual form. Kernels are scaled to a mean diagonal of 1.
    y : (n, q) without NaN.
    folds : training and test rows.
    shares : (candidates, spaces) to search; None draws `candidates` of them with `seed` (`simplex`).
    alphas : penalties to search, on the scaled kernels.

    Raises
    ------
    InvalidMeasurement : no space, spaces with other presentations.
    """
    if not spaces:
        raise InvalidMeasurement("banded ridge needs at least one feature space")
    kernels = [_kernel(name, x, len(y)) for name, x in spaces.items()]
    grid = simplex(len(kernels), candidates, seed) if shares is None else np.asarray(shares, float)
    y, power = rescale(as_float64(y))
    xp = namespace(y)
    fits = [_fold(kernels, y, fold, grid, np.sort(np.asarray(alphas, float))[::-1]) for fold in folds]
    bands = {name: times_power(xp.concat([f[0][s] for f in fits], axis=0), power) for s, name in enumerate(spaces)}
    means = times_power(xp.concat([f[1] for f in fits], axis=0), power)
    return BandedFit(sum(bands.values()) + means, bands, xp.stack([f[2] for f in fits]), xp.stack([f[3] for f in fits]))


def _kernel(
    name: str, x: Real[Array, "presentation _"] | Features, n: int
) -> Float[Array, "presentation presentation"]:
    features = prepare(x, dual=True)
    if features.n != n or features.kernel is None:
        raise InvalidMeasurement(f"feature space {name!r} has {features.n} presentations, the target has {n}")
    xp = namespace(features.kernel)
    scale = float(xp.mean(xp.linalg.diagonal(features.kernel)))
    if not scale > 0:
        raise InvalidMeasurement(f"feature space {name!r} is the same for all presentations")
    return features.kernel / scale


def _fold(
    kernels: list[Float[Array, "presentation presentation"]],
    y: Float[Array, "presentation neuroid"],
    fold: Fold,
    grid: Float[np.ndarray, "candidate space"],
    alphas: Float[np.ndarray, " alpha"],
) -> tuple[
    list[Float[Array, "test neuroid"]],
    Float[Array, "test neuroid"],
    Float[Array, "space neuroid"],
    Float[Array, " neuroid"],
]:
    """Return the predictions by band and mean (test, q), shares (spaces, q) and penalties (q,) of one fold."""
    xp = namespace(y)
    train, test = like(fold.train, y), like(fold.test, y)
    mean = xp.mean(y[train], axis=0)
    centred = y[train] - mean
    q = y.shape[1]
    best = xp.full((q,), float("inf"), dtype=xp.float64, device=device(y))
    weights = xp.zeros((len(fold.train), q), dtype=xp.float64, device=device(y))
    shares = xp.zeros((len(kernels), q), dtype=xp.float64, device=device(y))
    penalties = xp.zeros(q, dtype=xp.float64, device=device(y))
    for share in grid:
        joint = sum(float(w) * k for w, k in zip(share, kernels, strict=True) if w > 0)
        spectrum = Spectrum(Features(joint, None, len(y), len(y)), train, centred)
        errors = loo_errors(spectrum, alphas)
        at = xp.argmin(errors, axis=0)
        error, alpha = xp.min(errors, axis=0), like(alphas, y)[at]
        better = error < best
        if not bool(xp.any(better)):
            continue
        dual = spectrum.vectors @ (spectrum.z / (spectrum.values[:, None] + alpha))
        best = xp.where(better, error, best)
        weights, penalties = xp.where(better, dual, weights), xp.where(better, alpha, penalties)
        shares = xp.where(better, like(np.asarray(share, float)[:, None], y), shares)
    weights = weights - xp.mean(weights, axis=0)
    bands: list[Array] = []
    for s, kernel in enumerate(kernels):
        rows = kernel[test][:, train] - xp.mean(kernel[train][:, train], axis=0)
        bands.append((rows @ weights) * shares[s])
    return bands, xp.zeros_like(bands[0]) + mean, shares, penalties


def explained_variance(
    predictions: Float[Array, "row neuroid"],
    y: Float[Array, "row neuroid"],
    sizes: Sequence[int],
    counts: Real[np.ndarray, "draw row"] | None = None,
) -> Float[Array, "... neuroid"]:
    """Return the share of the variance of held-out rows that predictions explain, 1 - SSE / SST, which may be negative.

    Errors and deviations are taken from the mean of each test fold, and added up over folds.

    Parameters
    ----------
    predictions, y : (m, q), rows in the order of the folds.
    sizes : rows of each fold.
    counts : (resamples, m); None: every row once.

    Returns
    -------
    (q,), or (resamples, q) under resampled rows; NaN where the target is constant.
    """
    xp = namespace(y)
    weights = np.ones((1, len(y))) if counts is None else np.asarray(counts, float)
    error = total = xp.zeros((len(weights), y.shape[1]), dtype=xp.float64, device=device(y))
    start = 0
    for size in sizes:
        w = like(weights[:, start : start + size], y)
        share = 1 / xp.where(xp.sum(w, axis=1) > 0, xp.sum(w, axis=1), 1.0)[:, None]
        truth, guess = y[start : start + size], predictions[start : start + size]
        truth, guess = truth - xp.mean(truth, axis=0), guess - xp.mean(guess, axis=0)
        total = total + w @ (truth * truth) - (w @ truth) ** 2 * share
        missed = truth - guess
        error = error + w @ (missed * missed) - (w @ missed) ** 2 * share
        start += size
    flat = total <= 1e-24 * xp.max(total) if bool(xp.max(total) > 0) else total <= 0
    r2 = 1 - error / xp.where(flat, 1.0, total)
    r2 = xp.where(flat, float("nan"), r2)
    return r2[0] if counts is None else r2


@dataclass(frozen=True, eq=False)
class UniqueVariance:
    """Metric: variance that a model explains beyond nuisance spaces (variance partitioning).

    The value of a neuroid is the held-out explained variance of banded ridge on model and nuisances together, less
    that on the nuisances alone (Borcard et al. 1992; de Heer et al. 2017). Details hold the medians of the parts:
    "model" and "nuisance" alone, "joint", "unique" and "shared" = model + nuisance - joint.

    Attributes
    ----------
    nuisance : by name (n, p) arrays, rows in the order of the presentations (`nuisances` makes them).
    splits, resamples, seed : as in `predictivity.Predictivity`.
    candidates : shares of the spaces to search.
    block : neighbouring presentations that are drawn together.
    """

    nuisance: Mapping[str, Real[Array, "presentation _"]]
    splits: Splitter = TEN_FOLDS
    resamples: int = 1000
    seed: int = 0
    candidates: int = 20
    block: int = 1

    def __call__(self, prediction: Recording, target: Recording) -> Comparison:
        """Compare recordings (presentation, neuroid); the target must be measured throughout."""
        prediction, target = recordings(prediction, target)
        x, y = pair(prediction, target)
        if not np.isfinite(y).all():
            raise InvalidMeasurement("target holds values that were not measured; partition their presentations apart")
        folds = self.splits(len(y), labels_of(prediction, target))
        test = np.concatenate([f.test for f in folds])
        sizes, truth = [len(f.test) for f in folds], y[test]
        counts = draws(len(y), self.resamples, self.seed, self.block)[:, test]
        spaces = {"model": prepare(x, dual=True)} | {
            k: prepare(as_numpy(v), dual=True) for k, v in self.nuisance.items()
        }
        parts = {
            "joint": spaces,
            "nuisance": {k: spaces[k] for k in self.nuisance},
            "model": {"model": spaces["model"]},
        }
        fits = {k: banded_ridge(v, y, folds, candidates=self.candidates, seed=self.seed) for k, v in parts.items()}
        r2 = {k: explained_variance(f.predictions, truth, sizes) for k, f in fits.items()}
        r2["unique"] = r2["joint"] - r2["nuisance"]
        r2["shared"] = r2["model"] + r2["nuisance"] - r2["joint"]
        replicates = None
        if self.resamples:
            joint, rest = (explained_variance(fits[k].predictions, truth, sizes, counts) for k in ("joint", "nuisance"))
            replicates = joint - rest
        return Comparison(
            values=xr.DataArray(r2["unique"], dims="neuroid", coords=unit_coordinates(target)),
            replicates=replicates,
            notes=note_edges(as_numpy(fits["joint"].alphas), np.asarray(RELATIVE_ALPHAS)),
            details={k: float(np.nanmedian(v)) for k, v in r2.items() if np.isfinite(v).any()},
        )
