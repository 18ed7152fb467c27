"""RDMs, their comparison and their bootstrap against slow obvious versions, SciPy and rsatoolbox."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata, spearmanr

from brainmark.metrics.similarity.rdm import compare_rdms, rdm_matrix, upper
from brainmark.metrics.similarity.rdm_resampling import resample_agreement, resample_rdms
from brainmark.metrics.statistics.ranks import midranks
from brainmark.metrics.statistics.resampling import draws

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import rsatoolbox

COMPARISONS = ["pearson", "spearman", "cosine", "rho-a", "tau-a"]


@pytest.fixture(params=[(3, 2), (7, 40), (40, 5000)], ids=str)
def features(request: pytest.FixtureRequest) -> np.ndarray:
    return np.random.default_rng(1).gamma(2.0, size=request.param) + 5


@pytest.mark.parametrize(
    ("distance", "scipy_name"),
    [("correlation", "correlation"), ("euclidean", "euclidean"), ("squared_euclidean", "sqeuclidean"), ("cosine",) * 2],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 2e-4)])
def test_matrix_is_scipys(features: np.ndarray, distance: str, scipy_name: str, dtype: type, tolerance: float) -> None:
    expected = squareform(pdist(features, scipy_name))
    found = rdm_matrix(features.astype(dtype), distance)  # type: ignore[arg-type]
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=tolerance * max(1.0, expected.max()))


def rsatoolbox_rdms(*vectors: np.ndarray) -> rsatoolbox.rdm.RDMs:
    return rsatoolbox.rdm.RDMs(np.stack(vectors))


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize("ties", [False, True])
def test_comparison_is_rsatoolboxs(compare: str, ties: bool) -> None:
    generator = np.random.default_rng(2)
    x, y = generator.gamma(2.0, size=(2, 66))
    y += x
    if ties:
        x, y = np.round(x, 0), np.round(y, 0)
    method = {"pearson": "corr"}.get(compare, compare)
    expected = rsatoolbox.rdm.compare(rsatoolbox_rdms(x), rsatoolbox_rdms(y), method=method)[0, 0]
    assert compare_rdms(x, y, compare) == pytest.approx(expected, abs=1e-12)  # type: ignore[arg-type]


def test_midranks_are_scipys() -> None:
    values = np.random.default_rng(0).integers(0, 50, 400).astype(float)
    np.testing.assert_array_equal(midranks(values), rankdata(values))


@pytest.mark.parametrize("compare", ["spearman", "rho-a"])
def test_large_vectors_are_compared_like_small_ones(compare: str) -> None:
    x = np.random.default_rng(0).normal(size=120_000)
    y = x + np.random.default_rng(1).normal(size=x.size)
    assert compare_rdms(x, y, compare) == pytest.approx(spearmanr(x, y)[0], abs=1e-12)  # type: ignore[arg-type]


def resampled_slowly(one: np.ndarray, other: np.ndarray, counts: np.ndarray, compare: str) -> np.ndarray:
    """Build each resampled RDM; leave out pairs of a condition with its own copies."""
    result = []
    for count in counts:
        drawn = np.repeat(np.arange(len(count)), count)
        a, b = (m[np.ix_(drawn, drawn)] for m in (one, other))
        i, j = np.triu_indices(len(drawn), 1)
        different = drawn[i] != drawn[j]
        result.append(compare_rdms(a[i, j][different], b[i, j][different], compare))  # type: ignore[arg-type]
    return np.array(result)


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize("kind", ["plain", "ties", "missing"])
def test_bootstrap_is_the_slow_one(compare: str, kind: str) -> None:
    generator = np.random.default_rng(3)
    rdms = np.stack([squareform(pdist(generator.normal(size=(12, 4)))) for _ in range(4)])
    rdms[1:] += rdms[0]
    if kind == "ties":
        rdms = np.round(rdms)
    if kind == "missing":
        for k, (i, j) in enumerate([(0, 1), (3, 7), (3, 7)]):
            rdms[k, i, j] = rdms[k, j, i] = np.nan
    counts = draws(12, 25, 0)
    found = resample_rdms(rdms[0], rdms[1:], counts, compare)  # type: ignore[arg-type]
    assert found.shape == (25, 3)
    for k in range(3):
        np.testing.assert_allclose(found[:, k], resampled_slowly(rdms[0], rdms[k + 1], counts, compare), atol=1e-10)


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize("missing", [False, True])
def test_agreement_is_the_mean_over_pairs(compare: str, missing: bool) -> None:
    generator = np.random.default_rng(4)
    rdms = np.stack([squareform(pdist(generator.normal(size=(9, 3)))) for _ in range(3)])
    rdms[0] = np.round(rdms[0])
    if missing:
        rdms[1, 2, 3] = rdms[1, 3, 2] = np.nan
    counts = draws(9, 10, 1)
    found = resample_agreement(rdms, counts, compare)  # type: ignore[arg-type]
    pairs = [resampled_slowly(rdms[s], rdms[t], counts, compare) for s, t in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(found, np.mean(pairs, axis=0), atol=1e-10)


def test_bootstrap_leaves_the_pairs_out_that_rsatoolbox_leaves_out() -> None:
    generator = np.random.default_rng(5)
    rdms = np.stack([squareform(pdist(generator.normal(size=(10, 4)))) for _ in range(2)])
    count = draws(10, 1, 7)[0]
    theirs = rsatoolbox.rdm.RDMs(upper(rdms), pattern_descriptors={"index": np.arange(10)})
    drawn = theirs.subsample_pattern("index", np.repeat(np.arange(10), count))
    expected = rsatoolbox.rdm.compare(drawn[0], drawn[1], method="spearman")[0, 0]
    found = resample_rdms(rdms[0], rdms[1:], count[None], "spearman")[0, 0]
    assert found == pytest.approx(expected, abs=1e-12)


def test_unresampled_spearman_is_scipys() -> None:
    generator = np.random.default_rng(6)
    rdms = np.stack([squareform(pdist(generator.normal(size=(15, 4)))) for _ in range(2)])
    found = resample_rdms(rdms[0], rdms[1:], np.ones((1, 15)), "spearman")[0, 0]
    assert found == pytest.approx(spearmanr(upper(rdms[0]), upper(rdms[1]))[0], abs=1e-12)


@pytest.mark.parametrize(("compare", "theirs"), [("whitened-cosine", "cosine_cov"), ("whitened-pearson", "corr_cov")])
def test_whitened_comparison_and_its_bootstrap_are_rsatoolboxs(compare: str, theirs: str) -> None:
    x, y = np.random.default_rng(7).random((2, 66))
    y += x
    rdms = rsatoolbox.rdm.RDMs(np.stack([x, y]), pattern_descriptors={"index": np.arange(12)})
    expected = rsatoolbox.rdm.compare(rdms[0], rdms[1], method=theirs)[0, 0]
    assert compare_rdms(x, y, compare) == pytest.approx(expected, abs=1e-10)  # type: ignore[arg-type]
    half = np.array([7, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])  # of one condition: its row of the system has no diagonal
    for count in (*draws(12, 4, 3), half, np.roll(half, 3)):
        drawn = rdms.subsample_pattern("index", np.repeat(np.arange(12), count))
        expected = rsatoolbox.rdm.compare(drawn[0], drawn[1], method=theirs)[0, 0]
        found = resample_rdms(squareform(x), squareform(y)[None], count[None], compare)  # type: ignore[arg-type]
        assert found[0, 0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("compare", ["whitened-cosine", "whitened-pearson"])
def test_whitened_comparison_with_missing_pairs_is_the_one_of_the_full_covariance(compare: str) -> None:
    generator = np.random.default_rng(8)
    rdms = [squareform(v) for v in generator.random((2, 21))]
    rdms[0][2, 4] = rdms[0][4, 2] = np.nan
    for count in draws(7, 5, 2):
        drawn = np.repeat(np.arange(7), count)
        i, j = np.triu_indices(len(drawn), 1)
        a, b = (m[drawn[i], drawn[j]] for m in rdms)
        kept = (drawn[i] != drawn[j]) & np.isfinite(a) & np.isfinite(b)
        contrast = np.eye(len(drawn))[i[kept]] - np.eye(len(drawn))[j[kept]]
        a, b = a[kept], b[kept]
        if compare == "whitened-pearson":
            a, b = a - a.mean(), b - b.mean()
        inverse = np.linalg.inv((contrast @ contrast.T) ** 2)
        expected = a @ inverse @ b / np.sqrt((a @ inverse @ a) * (b @ inverse @ b))
        found = resample_rdms(rdms[0], rdms[1][None], count[None], compare)[0, 0]  # type: ignore[arg-type]
        assert found == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kind", ["normal", "close", "ties", "tiny", "wide", "sorted"])
def test_order_and_ranks_of_many_values_are_scipys(kind: str) -> None:
    generator = np.random.default_rng(9)
    values = generator.normal(size=30_000)
    values = {
        "normal": values,
        "close": 1 + 1e-9 * values,  # equal in single precision
        "ties": np.round(values, 2) * generator.choice([-1, 1], 30_000),  # with both zeros
        "tiny": values * 1e-50,
        "wide": np.sign(values) * np.exp(100 * np.abs(values)),  # beyond single precision
        "sorted": np.sort(values)[::-1],
    }[kind]
    np.testing.assert_array_equal(midranks(values), rankdata(values))


@pytest.mark.parametrize("compare", ["pearson", "spearman", "whitened-pearson"])
def test_a_draw_that_leaves_no_variance_is_undefined(compare: str) -> None:
    one, other = np.random.default_rng(12).integers(1, 9, size=(2, 28)) / 3
    rdms = squareform(one), squareform(other)
    rdms[1][np.ix_([0, 2, 3], [0, 2, 3])] = 10 / 3
    np.fill_diagonal(rdms[1], 0)
    draws_of_three = np.array([[3, 0, 3, 2, 0, 0, 0, 0], [2, 0, 2, 4, 0, 0, 0, 0], [1, 0, 1, 6, 0, 0, 0, 0]])
    found = resample_rdms(rdms[0], rdms[1][None], draws_of_three, compare)
    assert np.isnan(found).all()
