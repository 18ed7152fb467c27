"""Similarity, timed side by side with rsatoolbox and with plain formulas, on the same data and threads.

    python bench/similarity_speed.py [--quick] [--threads 2]

Each row states what was computed, the seconds of either side (best of the repetitions), their ratio, and how far the
numbers differ (relative to the largest, where that exceeds 1). ``--quick`` leaves out what takes rsatoolbox minutes.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from brainmark.metrics.alignment import resampled_cka
from brainmark.metrics.geometry import linear_cka
from brainmark.metrics.rdm import compare_rdms, rdm_matrix, upper
from brainmark.metrics.rdm_resampling import resampled_rdms
from brainmark.metrics.resampling import draws

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import rsatoolbox


@dataclass(frozen=True)
class Row:
    """One comparison."""

    work: str
    peer: str
    theirs: float
    ours: float
    difference: float
    goal: str

    def __str__(self) -> str:
        ratio = self.theirs / self.ours
        return (
            f"| {self.work} | {self.peer} {self.theirs:.4g} s | {self.ours:.4g} s | {ratio:.1f} | {self.goal} "
            f"| {self.difference:.1e} |"
        )


def timed(function: Callable[[], Any], repetitions: int) -> tuple[float, Any]:
    """Best seconds of several calls, and the last result."""
    best, result = np.inf, None
    for _ in range(repetitions):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


def row(work: str, peer: str, theirs: Callable[[], Any], ours: Callable[[], Any], goal: str, slow: bool = False) -> Row:
    """Time both sides; ours first, so that caches favour the peer."""
    own, value = timed(ours, 1 if slow else 3)
    other, expected = timed(theirs, 1 if slow else 2)
    value, expected = np.asarray(value, float), np.asarray(expected, float)
    difference = np.nanmax(np.abs(value - expected)) / max(1.0, np.nanmax(np.abs(expected)))
    return Row(work, peer, other, own, float(difference), goal)


def matrices(quick: bool) -> list[Row]:
    """RDMs of float32 features."""
    rows: list[Row] = []
    for count, goal in ((315, "20"), (1000, "30"), (5000, "40")):
        if quick and count == 5000:
            continue
        features = np.random.default_rng(0).gamma(1.0, size=(count, 25088)).astype(np.float32)
        data = rsatoolbox.data.Dataset(features)
        for distance, method in (("correlation", "correlation"), ("squared_euclidean", "euclidean")):
            scale = 25088 if method == "euclidean" else 1

            def theirs(data: Any = data, method: str = method, scale: int = scale) -> np.ndarray:
                return rsatoolbox.rdm.calc_rdm(data, method=method).dissimilarities[0] * scale

            def ours(features: np.ndarray = features, distance: Any = distance) -> np.ndarray:
                return upper(rdm_matrix(features, distance))

            expected = goal if distance == "correlation" else "1.5"
            rows.append(row(f"{distance} RDM {count} x 25088", "rsatoolbox", theirs, ours, expected, count == 5000))
    return rows


def comparisons() -> list[Row]:
    """Two RDMs of 3200 conditions."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=3200 * 3199 // 2)
    y = x + generator.normal(size=x.size)
    one, other = rsatoolbox.rdm.RDMs(x[None]), rsatoolbox.rdm.RDMs(y[None])

    def theirs(method: str) -> Callable[[], float]:
        return lambda: rsatoolbox.rdm.compare(one, other, method=method)[0, 0]

    rows = [row("Spearman of RDMs, 3200 conditions", "rsatoolbox", theirs("spearman"), lambda: compare_rdms(x, y), "8")]
    x, y = x[: 315 * 314 // 2], y[: 315 * 314 // 2]
    one, other = rsatoolbox.rdm.RDMs(x[None]), rsatoolbox.rdm.RDMs(y[None])
    ours = lambda: compare_rdms(x, y, "whitened-cosine")  # noqa: E731
    rows.append(row("whitened cosine of RDMs, 315 conditions", "rsatoolbox", theirs("cosine_cov"), ours, "-"))
    return rows


def bootstraps(quick: bool) -> list[Row]:
    """Bootstrap of conditions, 1 model x 1 subject; theirs is timed on fewer draws and scaled up."""
    rows: list[Row] = []
    cases = [(92, "pearson", "corr", "100", 1000), (92, "spearman", "spearman", "15", 1000)]
    cases += [(92, "whitened-cosine", "cosine_cov", "-", 50)]
    cases += [] if quick else [(315, "pearson", "corr", "100", 50), (315, "spearman", "spearman", "15", 20)]
    for count, compare, method, goal, measured in cases:
        generator = np.random.default_rng(2)
        x = generator.random(count * (count - 1) // 2)
        y = x + generator.random(x.size)
        rdms = rsatoolbox.rdm.RDMs(np.stack([x, y]), pattern_descriptors={"index": np.arange(count)})
        square = rdms.get_matrices()
        counts = draws(count, 1000, 0)

        same = min(measured, 20)
        expected: list[float] = []
        for c in counts[:same]:
            drawn = rdms.subsample_pattern("index", np.repeat(np.arange(count), c))
            expected.append(rsatoolbox.rdm.compare(drawn[0], drawn[1], method=method)[0, 0])
        model = rsatoolbox.model.ModelFixed("model", rdms[0])

        def theirs(data: Any = rdms[1], model: Any = model, method: str = method, n: int = measured) -> Any:
            return rsatoolbox.inference.eval_bootstrap_pattern(model, data, method=method, N=n, boot_noise_ceil=False)

        own, found = timed(
            lambda s=square, c=counts, how=compare: resampled_rdms(s[0], s[1:], c, how)[:, 0],  # type: ignore[misc]
            3,
        )
        other, _ = timed(theirs, 1)
        rows.append(
            Row(
                f"1000 bootstraps, {compare}, {count} conditions",
                "rsatoolbox" if measured == 1000 else f"rsatoolbox ({measured} draws, scaled)",
                other * 1000 / measured,
                own,
                float(np.abs(found[:same] - expected).max()),
                goal,
            )
        )
    return rows


def alignments() -> list[Row]:
    """Linear CKA 3200 x 1000 -> 168 against the formulas with kernel matrices."""
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=(3200, 1000)).astype(np.float32), generator.normal(size=(3200, 168)).astype(np.float32)

    def centred(k: np.ndarray) -> np.ndarray:
        h = np.eye(len(k)) - 1 / len(k)
        return h @ k @ h

    def biased() -> float:
        k, m = centred(x.astype(float) @ x.T), centred(y.astype(float) @ y.T)
        return float((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))

    def unbiased() -> float:
        def hsic(k: np.ndarray, m: np.ndarray) -> float:
            n = len(k)
            k, m = (v - np.diag(np.diag(v)) for v in (k, m))
            total = np.trace(k @ m) + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ m).sum()
            return float(total / (n * (n - 3)))

        k, m = x.astype(float) @ x.T, y.astype(float) @ y.T
        return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))

    rows = [
        row("unbiased CKA 3200 x 1000 -> 168", "kernel formulas", unbiased, lambda: linear_cka(x, y), "12"),
        row("biased CKA 3200 x 1000 -> 168", "kernel formulas", biased, lambda: linear_cka(x, y, False), "100"),
    ]
    x, y = x[:640], y[:640]
    k, m = (v.astype(float) @ v.T for v in (x - x.mean(axis=0), y - y.mean(axis=0)))
    counts = draws(640, 1000, 0)

    def one_by_one() -> np.ndarray:
        values = []
        for c in counts[:20]:
            drawn = np.repeat(np.arange(640), c)
            values.append(linear_cka(x[drawn], y[drawn], False))
        return np.array(values)

    own, found = timed(lambda: resampled_cka(k, m, counts, unbiased=False), 2)
    other, expected = timed(one_by_one, 1)
    difference = float(np.abs(found[:20] - expected).max())
    rows.append(
        Row("1000 bootstraps of CKA, 640 x 1000 -> 168", "one by one (scaled)", other * 50, own, difference, "-")
    )
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{platform.processor() or platform.machine()}, {options.threads} threads, NumPy {np.__version__}, ", end="")
    print(f"rsatoolbox {version('rsatoolbox')}\n")
    print("| work | peer | brainmark | ratio | goal | largest difference |\n|---|---|---|---|---|---|")
    with threadpool_limits(options.threads):
        for part in (comparisons, lambda: bootstraps(options.quick), alignments, lambda: matrices(options.quick)):
            for one in part():
                print(one, flush=True)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB (both sides)")


if __name__ == "__main__":
    main()
