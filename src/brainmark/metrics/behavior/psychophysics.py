"""Psychometric and chronometric functions: thresholds, slopes and lapses; speed and accuracy of decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from brainmark.core.errors import warn
from brainmark.core.libraries import np, scipy
from brainmark.metrics._arrays.shapes import Float, Real

Shape = Literal["gaussian", "logistic", "weibull"]
STEPS = 500
"""Most steps of a fit."""


@dataclass(frozen=True)
class Psychometric:
    """A fitted psychometric function guess + (1 - guess - lapse) F((x - threshold) / spread).

    Attributes
    ----------
    threshold : stimulus level at which F is 1/2 (gaussian, logistic) or 1 - 1/e (weibull).
    spread : standard deviation (gaussian), scale (logistic); for weibull F = 1 - exp(-(x / threshold)^(1 / spread)).
    guess, lapse : lower asymptote, and distance of the upper one from 1.
    shape : of F.
    log_likelihood : of the data at the maximum, in nats, without the binomial coefficients.
    deviance : 2 (log-likelihood of the saturated model - log_likelihood); of the order of the number of levels less
        the number of parameters if the function fits.
    converged : whether the search ended at a maximum; it did not if it took all of its steps.
    """

    threshold: float
    spread: float
    guess: float
    lapse: float
    shape: Shape
    log_likelihood: float
    deviance: float
    converged: bool = True

    def __call__(self, level: Real[np.ndarray, " *grid"] | float) -> Float[np.ndarray, " *grid"]:
        """Return the probability of the counted answer at these levels."""
        return _probability(np.asarray(level, float), self.threshold, self.spread, self.guess, self.lapse, self.shape)

    @property
    def slope(self) -> float:
        """Derivative at the threshold, per unit of the stimulus level."""
        step = 1e-4 * max(abs(self.threshold), self.spread)
        up, down = self(self.threshold + step), self(self.threshold - step)
        return float((up - down) / (2 * step))


def fit_psychometric(
    levels: Real[np.ndarray, " level"],
    successes: Real[np.ndarray, " level"],
    trials: Real[np.ndarray, " level"],
    shape: Shape = "gaussian",
    guess: float | None = 0.0,
    lapse: float | None = None,
    most_lapses: float = 0.1,
) -> Psychometric:
    """Fit a psychometric function by maximum likelihood (Wichmann & Hill 2001, Percept. Psychophys.).

    Parameters
    ----------
    levels : (level,) stimulus strength; positive for weibull.
    successes, trials : (level,) counted answers and trials.
    shape : of the function.
    guess : lower asymptote: 0 for choices between two sides of a scale, 1/n for n alternatives; None: fitted,
        at most `most_lapses`.
    lapse : share of answers that ignore the stimulus at the upper end; None: fitted, at most `most_lapses`.
    most_lapses : limit of what is fitted.

    Warns
    -----
    UserWarning : the search took all of its `STEPS` without an end; the result says so, too.

    Raises
    ------
    ValueError : fewer than two levels, impossible counts, or successes that do not rise with the level.
    """
    x, k, n = (np.asarray(v, float) for v in (levels, successes, trials))
    _check_counts(x, k, n, shape)

    free = [("guess", guess is None), ("lapse", lapse is None)]
    bounds = [(0.0, most_lapses) for _, fitted in free if fitted]

    def unpack(p: np.ndarray) -> tuple[float, float, float, float]:
        rest = list(p[2:])
        g = rest.pop(0) if guess is None else guess
        return float(p[0]), float(np.exp(p[1])), g, rest.pop(0) if lapse is None else lapse

    def cost(p: np.ndarray) -> float:
        return -_log_likelihood(k, n, _probability(x, *unpack(p), shape))

    span = float(np.ptp(x))
    limits = [(x.min() - 2 * span, x.max() + 2 * span), (np.log(span) - 7, np.log(span) + 4), *bounds]
    if shape == "weibull":
        limits[:2] = [(x.min() / 10, x.max() * 10), (np.log(0.05), np.log(5.0))]
    starts = [
        np.array([t, s, *[0.02] * len(bounds)])
        for t in np.quantile(x, [0.2, 0.5, 0.8])
        for s in np.linspace(limits[1][0] + 2, limits[1][1] - 2, 3)
    ]
    starts = sorted(starts, key=cost)[:2]  # the likelihood has few valleys; the best grid points lie in the deepest
    bound = {"maxiter": STEPS, "maxfun": 20 * STEPS}
    found = [scipy.optimize.minimize(cost, s, method="L-BFGS-B", bounds=limits, options=bound) for s in starts]
    best = min(found, key=lambda r: float(r.fun))
    converged = int(best.status) != 1  # 1: a bound was reached
    if not converged:
        warn(f"the fit of a psychometric function did not converge in {STEPS} steps: its figures are provisional")
    threshold, spread, g, miss = unpack(best.x)
    if not k[np.argsort(x)][-1] / n[np.argsort(x)][-1] > k[np.argsort(x)][0] / n[np.argsort(x)][0]:
        raise ValueError("successes do not rise from the lowest to the highest level: no psychometric function")
    saturated = _log_likelihood(k, n, k / n)
    deviance = 2 * (saturated + float(best.fun))
    return Psychometric(threshold, spread, g, miss, shape, -float(best.fun), deviance, converged)


def _check_counts(x: np.ndarray, k: np.ndarray, n: np.ndarray, shape: str) -> None:
    if shape not in get_args(Shape):
        raise ValueError(f"unknown shape {shape!r}: use one of {', '.join(get_args(Shape))}")
    if not (x.ndim == 1 and x.shape == k.shape == n.shape):
        raise ValueError(
            f"levels, successes and trials have shapes {x.shape}, {k.shape} and {n.shape}: not one a level"
        )
    if len(np.unique(x)) < 2:
        raise ValueError("a psychometric function needs at least two levels")
    if (n <= 0).any() or (k < 0).any() or (k > n).any() or not np.isfinite(x).all():
        raise ValueError("every level needs trials, and successes between none and all of them")
    if shape == "weibull" and (x <= 0).any():
        raise ValueError("a weibull function needs positive levels")


def _probability(
    x: np.ndarray, threshold: float, spread: float, guess: float, lapse: float, shape: Shape
) -> np.ndarray:

    if shape == "weibull":
        with np.errstate(over="ignore"):
            rise = -np.expm1(-(np.clip(x / threshold, 0, None) ** (1 / spread)))
    else:
        z = (x - threshold) / spread
        rise = scipy.special.ndtr(z) if shape == "gaussian" else scipy.special.expit(z)
    return np.asarray(guess + (1 - guess - lapse) * rise)


def _log_likelihood(k: np.ndarray, n: np.ndarray, p: np.ndarray) -> float:

    p = np.clip(p, 1e-12, 1 - 1e-12)
    return float((scipy.special.xlogy(k, p) + scipy.special.xlogy(n - k, 1 - p)).sum())
