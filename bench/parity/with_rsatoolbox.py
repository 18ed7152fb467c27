"""Dissimilarities next to rsatoolbox and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import rsatoolbox
from comparisons import Both, versus
from rsatoolbox.data import Dataset
from rsatoolbox.data.noise import prec_from_unbalanced
from rsatoolbox.inference import boot_noise_ceiling, bootstrap_sample_pattern
from rsatoolbox.rdm import RDMs, calc_rdm, calc_rdm_unbalanced, compare
from scipy.spatial import distance

from brainmark.metrics.similarity.crossnobis import crossnobis_rdm, ledoit_wolf, noise_precision
from brainmark.metrics.similarity.geometry import procrustes_similarity
from brainmark.metrics.similarity.rdm import compare_rdms, rdm_matrix, square, upper
from brainmark.metrics.similarity.rdm_resampling import resample_rdms
from brainmark.metrics.similarity.rdm_subjects import nili_bounds
from brainmark.metrics.similarity.rsa import rdm

Random = np.random.Generator

SHAPES = ((8, 5), (40, 300), (120, 1000))
COMPARISONS = {
    "corr": "pearson",
    "cosine": "cosine",
    "spearman": "spearman",
    "rho-a": "rho-a",
    "tau-a": "tau-a",
    "corr_cov": "whitened-pearson",
    "cosine_cov": "whitened-cosine",
}


def patterns(random: Random, conditions: int, neuroids: int) -> np.ndarray:
    """Patterns (condition, neuroid) with a mean in each neuroid."""
    return random.normal(size=(conditions, neuroids)) + 3 * random.normal(size=neuroids)


def rdms(random: Random, count: int, conditions: int, ties: str = "untied") -> np.ndarray:
    """Related RDMs (rdm, pair); `ties`: values of few levels, `gaps`: one pair in eight not measured."""
    truth = random.gamma(2.0, size=conditions * (conditions - 1) // 2)
    found = truth + random.gamma(2.0, size=(count, truth.size))
    if ties == "ties":
        return np.round(found)
    if ties == "gaps":
        found[:, random.random(truth.size) < 0.125] = np.nan
    return found


def as_theirs(vectors: np.ndarray, conditions: int) -> RDMs:
    return RDMs(vectors, pattern_descriptors={"index": np.arange(conditions)})


for theirs, ours, note in (
    ("correlation", "correlation", ""),
    (
        "euclidean",
        "squared_euclidean",
        "squared there and divided by the number of channels; ours are divided likewise",
    ),
):

    @versus("rsatoolbox", f"calc_rdm {theirs}", f"rdm.rdm_matrix {ours}", SHAPES, 1e-10, note)
    def one_rdm(random: Random, n: int, p: int, theirs: str = theirs, ours: Any = ours) -> Both:
        x = patterns(random, n, p)
        return upper(rdm_matrix(x, ours)) / (1 if ours == "correlation" else p), calc_rdm(
            Dataset(x), method=theirs
        ).dissimilarities[0]


DISTANCES = {"correlation": SHAPES, "cosine": SHAPES, "euclidean": (*SHAPES, (60, 40, 1e4)), "sqeuclidean": SHAPES}

for metric, shapes in DISTANCES.items():
    ours = "squared_euclidean" if metric == "sqeuclidean" else metric

    @versus("scipy", f"pdist {metric}", f"rdm.rdm_matrix {ours}", shapes)
    def pairs(random: Random, n: int, p: int, away: float = 0.0, metric: Any = metric, ours: Any = ours) -> Both:
        x = patterns(random, n, p) + away
        return upper(rdm_matrix(x, ours)), distance.pdist(x, metric)


def repeated(random: Random, runs: int, n: int, p: int, lacking: float = 0.0) -> tuple[np.ndarray, Dataset]:
    """Patterns (run, condition, neuroid) with correlated noise, some not measured; the same for rsatoolbox."""
    mixing = np.eye(p) + 0.3 * random.normal(size=(p, p)) / np.sqrt(p)
    repeats = random.normal(size=(n, p)) + 2 * random.normal(size=(runs, n, p)) @ mixing
    missing = random.random((runs, n)) < lacking
    missing[:2] = False
    repeats[missing] = np.nan
    run, condition = np.nonzero(~missing)
    described: dict[str, Any] = {"condition": condition, "run": run}
    return repeats, Dataset(repeats[run, condition], obs_descriptors=described)


BY_CHANNEL = "divided by the number of channels there; ours are divided likewise"


@versus("rsatoolbox", "calc_rdm crossnobis", "crossnobis.crossnobis_rdm", ((4, 8, 5), (6, 30, 60)), 1e-10, BY_CHANNEL)
def crossnobis(random: Random, runs: int, n: int, p: int) -> Both:
    repeats, dataset = repeated(random, runs, n, p)
    precision = np.linalg.inv(np.cov(random.normal(size=(2 * p, p)).T))
    options = {"descriptor": "condition", "cv_descriptor": "run", "noise": precision}
    found = calc_rdm(dataset, method="crossnobis", **options).dissimilarities[0]
    return upper(crossnobis_rdm(repeats, precision)) / p, found


@versus(
    "rsatoolbox",
    "calc_rdm_unbalanced crossnobis",
    "crossnobis.crossnobis_rdm",
    ((4, 8, 5, 0.3), (6, 30, 60, 0.2)),
    1e-10,
    "conditions lacking in some runs; " + BY_CHANNEL,
)
def crossnobis_unbalanced(random: Random, runs: int, n: int, p: int, lacking: float) -> Both:
    repeats, dataset = repeated(random, runs, n, p, lacking)
    precision = np.linalg.inv(np.cov(random.normal(size=(2 * p, p)).T))
    options: dict[str, Any] = {"descriptor": "condition", "cv_descriptor": "run", "noise": precision}
    found = calc_rdm_unbalanced(dataset, method="crossnobis", **options).dissimilarities[0]
    return upper(crossnobis_rdm(repeats, precision)) / p, found


@versus(
    "rsatoolbox",
    "prec_from_unbalanced shrinkage_eye",
    "crossnobis.noise_precision",
    ((4, 30, 20), (6, 12, 50)),
    1e-10,
    "as many repetitions of all conditions; with other numbers in each, ours weighs residuals by the degrees of "
    "freedom of their condition, theirs all alike",
)
def precision_of_noise(random: Random, runs: int, n: int, p: int) -> Both:
    repeats, dataset = repeated(random, runs, n, p)
    return noise_precision(repeats), prec_from_unbalanced(dataset, "condition", method="shrinkage_eye")


@versus("scikit-learn", "ledoit_wolf", "crossnobis.ledoit_wolf", ((60, 20), (30, 80)), 1e-10)
def shrunk(random: Random, n: int, p: int) -> Both:
    from sklearn.covariance import ledoit_wolf as reference

    x = random.normal(size=(n, p)) @ random.normal(size=(p, p))
    return ledoit_wolf(x), reference(x, assume_centered=True)[0]


def or_nan(one: RDMs, other: RDMs, method: str) -> float:
    """Their comparison; NaN for correlations of RDMs without variance, which are 0 there."""
    flat = any(np.nanmax(side.dissimilarities) == np.nanmin(side.dissimilarities) for side in (one, other))
    return np.nan if flat and method in ("corr", "corr_cov", "spearman") else compare(one, other, method=method)[0, 0]


for method, how in COMPARISONS.items():
    kinds = ("untied", "ties", "gaps")

    @versus("rsatoolbox", f"compare {method}", f"rdm.compare_rdms {how}", [(n, k) for n in (6, 24) for k in kinds])
    def compared(random: Random, n: int, kind: str, method: str = method, how: Any = how) -> Both:
        one, other = rdms(random, 2, n, kind)
        return compare_rdms(one, other, how), compare(RDMs(one[None]), RDMs(other[None]), method=method)[0, 0]

    @versus(
        "rsatoolbox",
        f"bootstrap_sample_pattern, {method}",
        f"rdm_resampling.resample_rdms {how}",
        [(n, k) for n in (8, 20) for k in kinds[:2]],
        1e-10,
        "50 draws of conditions, the same on both sides; pairs of a condition with its own copy are left out by both. "
        "A draw that leaves no variance is NaN here, 0 there; fewer than three pairs are NaN here",
    )
    def bootstrapped(random: Random, n: int, kind: str, method: str = method, how: Any = how) -> Both:
        vectors = rdms(random, 2, n, kind)
        one, other = (as_theirs(v[None], n) for v in vectors)
        np.random.seed(int(random.integers(2**31)))  # noqa: NPY002 - it draws with the global generator
        drawn = [bootstrap_sample_pattern(one) for _ in range(50)]
        counts = np.stack([np.bincount(which, minlength=n) for _, which in drawn])
        found = [or_nan(sample, other.subsample_pattern("index", which), method) for sample, which in drawn]
        return resample_rdms(square(vectors[0]), square(vectors[1])[None], counts, how)[:, 0], found


def standardised(vectors: np.ndarray, centred: bool) -> np.ndarray:
    vectors = vectors - vectors.mean(axis=1, keepdims=True) if centred else vectors
    return vectors / np.sqrt((vectors**2).mean(axis=1, keepdims=True))


for method, how in COMPARISONS.items():
    ranks = method in ("spearman", "rho-a", "tau-a")

    @versus(
        "rsatoolbox",
        f"boot_noise_ceiling {method}",
        f"rsa.nili_bounds {how}",
        ((4, 12), (12, 24)),
        1e-10,
        "subjects are averaged there after ranking, here with `pool='ranks'`"
        if ranks
        else "subjects are standardised there before they are averaged; `nili_bounds` takes them as they are, and is "
        "given standardised ones",
    )
    def bounds(
        random: Random, subjects: int, n: int, how: Any = how, method: str = method, ranks: bool = ranks
    ) -> Both:
        vectors = rdms(random, subjects, n)
        found = boot_noise_ceiling(RDMs(vectors), method=method)
        given = vectors if ranks else standardised(vectors, centred=method.startswith("corr"))
        return nili_bounds(given, how, "ranks" if ranks else "mean"), found


@versus(
    "rsatoolbox",
    "eval_fixed spearman",
    "similarity.rdm",
    ((30, 50, 6), (60, 20, 3)),
    1e-10,
    "from recorded patterns to one value for each subject",
)
def whole(random: Random, n: int, p: int, subjects: int) -> Both:
    import xarray as xr

    x, vectors = patterns(random, n, p), rdms(random, subjects, n)
    model = rsatoolbox.model.ModelFixed("model", calc_rdm(Dataset(x), method="correlation"))
    found = rsatoolbox.inference.eval_fixed(model, as_theirs(vectors, n), method="spearman").evaluations.ravel()
    names = np.array([f"stimulus {k}" for k in range(n)])
    target = xr.DataArray(
        np.stack([square(v) for v in vectors]),
        dims=("subject", "presentation", "other"),
        coords={"stimulus_id": ("presentation", names), "other_id": ("other", names)},
    )
    prediction = xr.DataArray(x, dims=("presentation", "neuroid"), coords={"stimulus_id": ("presentation", names)})
    return rdm(resamples=0)(prediction, target).values.values, found


@versus("rsatoolbox", "compare bures", "geometry.procrustes_similarity", ((20, 8), (30, 100)), 1e-7, "")
def bures(random: Random, n: int, p: int) -> Both:
    x = random.normal(size=(n, p))
    y = x @ random.normal(size=(p, p // 2)) + random.normal(size=(n, p // 2))
    one, other = (RDMs(distance.pdist(side, "sqeuclidean")[None]) for side in (x, y))
    return procrustes_similarity(x, y), compare(one, other, method="bures")[0, 0]


for name, how in (("pearsonr", "pearson"), ("spearmanr", "spearman")):

    @versus("scipy", name, f"rdm.compare_rdms {how}", ((12, "untied"), (30, "ties")))
    def correlated(random: Random, n: int, kind: str, name: str = name, how: Any = how) -> Both:
        from scipy import stats

        one, other = rdms(random, 2, n, kind)
        return compare_rdms(one, other, how), getattr(stats, name)(one, other).statistic
