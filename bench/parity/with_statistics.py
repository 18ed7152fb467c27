"""Behaviour, tuning and statistics next to SciPy, scikit-learn, statsmodels, pingouin, psignifit and others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pingouin
import psignifit
import statsmodels.api as sm
import xarray as xr
from astropy.stats import circvar, kuiper_two
from comparisons import Both, versus
from nilearn.glm.first_level import spm_hrf
from scipy import special, stats
from sklearn import metrics
from sklearn.covariance import ledoit_wolf
from statsmodels.stats.multitest import multipletests

from brainmark.metrics.behavior.choices import confusions, kappa, kappa_bounds
from brainmark.metrics.behavior.psychophysics import fit_psychometric
from brainmark.metrics.behavior.soft_labels import entropy
from brainmark.metrics.language.reading import ReadingFit, partial_correlations
from brainmark.metrics.statistics.ceilings import spearman_brown
from brainmark.metrics.statistics.inference import false_discovery_rate, holm
from brainmark.metrics.statistics.ranks import midranks
from brainmark.metrics.statistics.splits import Fold, Grouped
from brainmark.metrics.time.haemodynamics import Canonical
from brainmark.metrics.time.temporal import discriminant_probabilities
from brainmark.metrics.tuning.distributions import distribution_similarity
from brainmark.metrics.tuning.gratings import circular_variance

Random = np.random.Generator


@versus("scipy", "rankdata", "ranks.midranks", [(n, kind) for n in (30, 5000) for kind in ("untied", "ties")])
def ranks(random: Random, n: int, kind: str) -> Both:
    values = random.normal(size=n)
    values = np.round(values, 1) if kind == "ties" else values
    found = midranks(values)
    return found - found.mean(), stats.rankdata(values) - (n + 1) / 2


for name, ours in (("fdr_bh", false_discovery_rate), ("fdr_by", false_discovery_rate), ("holm", holm)):
    dependent = {"dependent": True} if name == "fdr_by" else {}
    label = "inference.holm" if name == "holm" else "inference.false_discovery_rate"

    @versus("statsmodels", f"multipletests {name}", label, ((5,), (40,), (1000,)), 1e-12, "adjusted p")
    def adjusted(random: Random, n: int, name: str = name, ours: Any = ours, dependent: Any = dependent) -> Both:
        p = random.beta(0.5, 2, size=n)
        return ours(p, **dependent), multipletests(p, method=name)[1]


@versus(
    "pingouin", "partial_corr", "reading.partial_correlations", [(n, k) for n in (30, 400) for k in (1, 4)], 1e-10,
    "as measured, and under ten draws of groups of rows, which are repeated for pingouin",
)  # fmt: skip
def partial(random: Random, n: int, nuisances: int) -> Both:
    removed = [random.normal(size=n) for _ in range(nuisances)]
    x, y = (random.normal(size=n) + sum(removed) for _ in range(2))
    groups = np.arange(n) // 3
    size = int(groups.max()) + 1
    counts = np.vstack([np.ones(size), random.multinomial(size, np.full(size, 1 / size), size=10)])
    names = [f"z{k}" for k in range(nuisances)]
    table = pd.DataFrame(np.stack([x, y, *removed], axis=1), columns=["x", "y", *names])
    draws = [table.loc[np.repeat(np.arange(n), c[groups].astype(int))] for c in counts]
    theirs = [pingouin.partial_corr(drawn, "x", "y", names)["r"].item() for drawn in draws]
    return partial_correlations(removed, x, y, groups, counts), theirs


@versus(
    "statsmodels", "OLS", "reading.ReadingFit likelihood", ((60, 1, 5), (400, 3, 10)), 1e-9,
    "log-likelihood (SciPy's normal density, with the variance of the training words) of left-out words that the "
    "prediction adds to the nuisance, in bits a word",
)  # fmt: skip
def likelihood(random: Random, n: int, nuisances: int, folds: int) -> Both:
    names = [f"z{k}" for k in range(nuisances)]
    nuisance, x = random.normal(size=(n, nuisances)), random.normal(size=n)
    y = nuisance.sum(axis=1) + 0.5 * x + random.normal(size=n) + 300
    coords = {name: ("presentation", nuisance[:, k]) for k, name in enumerate(names)}
    coords["stimulus_id"] = ("presentation", np.arange(n))
    target = xr.DataArray(y, dims="presentation", coords=coords)
    metric = ReadingFit("likelihood", tuple(names), folds=folds, resamples=0)
    gain = np.empty(n)
    designs = [sm.add_constant(np.column_stack([nuisance, x])), sm.add_constant(nuisance)]
    for train, test in Grouped("text", folds, metric.seed)(n, {"text": np.arange(n)}):
        fits = [(sm.OLS(y[train], design[train]).fit(), design[test]) for design in designs]
        logs = [stats.norm.logpdf(y[test], f.predict(d), np.sqrt(f.ssr / len(train))) for f, d in fits]
        gain[test] = (logs[0] - logs[1]) / np.log(2)
    return metric(target.copy(data=x), target).values.values, [gain.mean()]


@versus(
    "pingouin", "cronbach_alpha", "ceilings.spearman_brown", ((12,), (200,)), 1e-10,
    "of two halves, standardised",
)  # fmt: skip
def whole_of_halves(random: Random, n: int) -> Both:
    halves = stats.zscore(random.normal(size=n)[:, None] + random.normal(size=(n, 2)))
    r = np.corrcoef(halves.T)[0, 1]
    return spearman_brown(np.array([r])), [pingouin.cronbach_alpha(pd.DataFrame(halves))[0]]


@versus(
    "scikit-learn", "cohen_kappa_score", "choices.kappa", ((40, 0.7, 0.6), (500, 0.9, 0.5), (1280, 0.8, 0.8)), 1e-10,
    "error consistency: kappa of being right; ten draws of presentations, weights there",
)  # fmt: skip
def consistency(random: Random, n: int, first: float, second: float) -> Both:
    shared = random.random(n)
    one, other = ((0.5 * shared + 0.5 * random.random(n) < level).astype(float) for level in (first, second))
    counts = np.vstack([np.ones(n), random.multinomial(n, np.full(n, 1 / n), size=10)])
    theirs = [metrics.cohen_kappa_score(one, other, sample_weight=c) for c in counts]
    return kappa(one[:, None], other[:, None], counts)[:, 0], theirs


@versus(
    "scikit-learn", "cohen_kappa_score, extremes", "choices.kappa_bounds", ((12,), (60,)), 1e-10,
    "the lowest and highest kappa over all tables with the same two numbers of right answers",
)  # fmt: skip
def extremes(random: Random, n: int) -> Both:
    a, b = (int(k) for k in random.integers(1, n, size=2))
    one = np.arange(n) < a
    found = [metrics.cohen_kappa_score(one, np.roll(np.arange(n) < b, shift)) for shift in range(n)]
    return [float(bound) for bound in kappa_bounds(a / n, b / n)], [min(found), max(found)]


@versus("scikit-learn", "confusion_matrix", "choices.confusions", ((60, 4), (1000, 16)), 1e-12, "shares of each label")
def confused(random: Random, n: int, labels: int) -> Both:
    truth, said = np.arange(n) % labels, random.integers(labels, size=n)
    chosen, table = np.eye(labels)[said], np.eye(labels)[truth]
    ours = confusions(chosen[..., None], table, np.ones((1, n)))[0, ..., 0]
    return ours, metrics.confusion_matrix(truth, said, normalize="true")


@versus(
    "scikit-learn", "ledoit_wolf", "temporal.discriminant_probabilities", ((80, 10, 3), (40, 60, 4)), 1e-9,
    "Gaussian classes of one covariance, SciPy's densities. `LinearDiscriminantAnalysis` shrinks each class by itself, "
    "after standardising; here the covariance within classes is shrunk once",
)  # fmt: skip
def discriminant(random: Random, n: int, p: int, classes: int) -> Both:
    truth = np.arange(n) % classes
    x = 0.5 * random.normal(size=(classes, p))[truth] + random.normal(size=(n, p)) @ random.normal(
        size=(p, p)
    ) / np.sqrt(p)
    fold = Fold(np.arange(n - 15), np.arange(n - 15, n))
    means = np.stack([x[fold.train][truth[fold.train] == k].mean(axis=0) for k in range(classes)])
    covariance = ledoit_wolf(x[fold.train] - means[truth[fold.train]], assume_centered=True)[0]
    logs = [stats.multivariate_normal(mean, covariance).logpdf(x[fold.test]) for mean in means]
    return discriminant_probabilities(x, truth, fold, classes), special.softmax(np.stack(logs, axis=1), axis=1)


@versus("scipy", "entropy", "soft_labels.entropy", ((5, 3), (200, 16)), 1e-12, "in bits")
def entropies(random: Random, n: int, labels: int) -> Both:
    shares = random.dirichlet(np.full(labels, 0.3), size=n)
    return entropy(shares), stats.entropy(shares, base=2, axis=1)


def samples(counts: np.ndarray, start: float = 0.0) -> np.ndarray:
    """One value for each unit of a histogram."""
    return start + np.repeat(np.arange(len(counts)), counts)


@versus(
    "scipy", "ks_2samp", "distributions.distribution_similarity", ((40, 60, 5), (300, 80, 12)), 1e-10,
    "1 - D / D_max, where D_max is the largest D of the data with all units in one bin",
)  # fmt: skip
def kolmogorov(random: Random, units: int, cells: int, bins: int) -> Both:
    model, data = (random.multinomial(k, random.dirichlet(np.ones(bins))) for k in (units, cells))
    found = stats.ks_2samp(samples(model), samples(data)).statistic
    most = max(stats.ks_2samp([k], samples(data)).statistic for k in range(bins))
    return distribution_similarity(model, data), 1 - found / most


@versus(
    "astropy", "kuiper_two", "distributions.distribution_similarity circular", ((40, 60, 5), (300, 80, 12)), 1e-10,
    "the same with Kuiper's V",
)  # fmt: skip
def kuiper(random: Random, units: int, cells: int, bins: int) -> Both:
    model, data = (random.multinomial(k, random.dirichlet(np.ones(bins))) for k in (units, cells))
    found = kuiper_two(samples(model).astype(float), samples(data).astype(float))[0]
    most = max(kuiper_two(np.array([float(k)]), samples(data).astype(float))[0] for k in range(bins))
    return distribution_similarity(model, data, circular=True), 1 - found / most


@versus(
    "astropy", "circvar", "gratings.circular_variance", ((8, 5), (36, 40)), 1e-12, "of doubled angles, rates as weights"
)
def circular(random: Random, orientations: int, neuroids: int) -> Both:
    angles = np.arange(orientations) * 180 / orientations
    rates = random.gamma(1.0, size=(orientations, neuroids))
    theirs = [circvar(np.deg2rad(2 * angles), weights=curve) for curve in rates.T]
    return circular_variance(rates, angles), theirs


@versus(
    "nilearn", "spm_hrf", "haemodynamics.Canonical", ((2.0, 50), (1.0, 16)), 1e-12,
    "a sum of 1 there, and one step later; ratio .167 instead of 1/6",
)  # fmt: skip
def response(random: Random, repetition: float, steps: int) -> Both:
    dt, count = repetition / steps, round(32 / repetition * steps)
    found = Canonical(ratio=0.167).at(np.linspace(0, 32, count) - dt)
    return found / found.sum(), spm_hrf(repetition, steps)


LINKS = {
    "gaussian": (sm.families.links.Probit(), "Probit"),
    "logistic": (sm.families.links.Logit(), "Logit"),
    "weibull": (sm.families.links.CLogLog(), "CLogLog"),
}
LEVELS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])


def answers(random: Random, trials: int, lapse: float) -> tuple[np.ndarray, np.ndarray]:
    """Counted answers and trials of an observer at `LEVELS`."""
    shown = np.full(len(LEVELS), trials)
    return random.binomial(shown, (1 - lapse) * stats.norm.cdf(LEVELS, 4.2, 1.5)), shown


for shape, (link, name) in LINKS.items():

    @versus(
        "statsmodels", f"GLM Binomial {name}", f"psychophysics.fit_psychometric {shape}", ((20,), (200,)), 1e-6,
        "threshold, spread and deviance, without guesses and lapses; "
        + ("levels are logarithms there" if shape == "weibull" else "weights of the levels and of 1 there"),
    )  # fmt: skip
    def psychometric(random: Random, trials: int, shape: Any = shape, link: Any = link) -> Both:
        right, shown = answers(random, trials, 0.0)
        found = fit_psychometric(LEVELS, right, shown, shape, guess=0.0, lapse=0.0)
        x = np.log(LEVELS) if shape == "weibull" else LEVELS
        model = sm.GLM(np.stack([right, shown - right], axis=1), sm.add_constant(x), sm.families.Binomial(link))
        fit = model.fit(tol=1e-14, maxiter=200)
        start, slope = fit.params
        place = np.exp(-start / slope) if shape == "weibull" else -start / slope
        return [found.threshold, found.spread, found.deviance], [place, 1 / slope, fit.deviance]


def flat(values: np.ndarray) -> np.ndarray:
    """A prior that knows nothing."""
    return np.ones_like(np.asarray(values, float))


def few(values: np.ndarray) -> np.ndarray:
    """At most a tenth of lapses, as ours."""
    return np.where((np.asarray(values) >= 0) & (np.asarray(values) <= 0.1), 1.0, 0.0)


for shape, name in (("gaussian", "norm"), ("logistic", "logistic")):

    @versus(
        "psignifit", f"psignifit {name}", f"psychophysics.fit_psychometric {shape}", ((40,), (200,)), 1e-4,
        "with lapses, at most .1: proportions at the levels. Flat priors and no overdispersion there; its simplex "
        "stops at a tolerance of 1e-4",
    )  # fmt: skip
    def lapsing(random: Random, trials: int, shape: Any = shape, name: str = name) -> Both:
        right, shown = answers(random, trials, 0.05)
        theirs = psignifit.psignifit(
            np.stack([LEVELS, right, shown], axis=1), sigmoid=name, experiment_type="yes/no", verbose=False,
            fixed_parameters={"eta": 1e-8, "gamma": 0.0},
            priors={"threshold": flat, "width": flat, "lambda": few},
        )  # fmt: skip
        found = fit_psychometric(LEVELS, right, shown, shape)
        return found(LEVELS), theirs.proportion_correct(LEVELS, with_eta=False)
