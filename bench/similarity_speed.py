"""Similarity, timed side by side with rsatoolbox and with the metric objects of brainscore-vision.

    python bench/similarity_speed.py --vision PYTHON --rsatoolbox PYTHON [--cases REGEX] [--results FILE]

The first need an environment with rsatoolbox 0.3.2, the others that of `bench/parity/README.md`. Labelled arrays in, a
score out, where the peer is brainscore-vision. Bootstraps rest on draws of their own on both sides; that they agree
draw by draw with resampled RDMs is tested in `tests/metrics`.
"""

from __future__ import annotations

import numpy as np
from speed.recipes import Work, recording
from speed.side_by_side import Case, main


def features(count: int) -> dict[str, np.ndarray]:
    """Skewed features (condition, feature) in single precision, as many as a late layer of AlexNet's relatives has."""
    return {"features": np.random.default_rng(0).standard_gamma(1.0, (count, 25088), np.float32)}


def rdms(count: int) -> dict[str, np.ndarray]:
    """Two related RDMs in vector form."""
    generator = np.random.default_rng(count)
    one = generator.random(count * (count - 1) // 2)
    return {"one": one, "other": one + generator.random(one.size)}


def matrix(distance: str, count: int, goal: float) -> Case:
    name = {"correlation": "correlation", "squared_euclidean": "squared Euclidean"}[distance]
    ours = ("our_rdms.py", "matrix", distance)
    theirs = ("rsatoolbox_rdms.py", "matrix", distance)
    return Case(f"{name} RDM, {count} x 25088", "rsatoolbox", "rsatoolbox", theirs, ours, lambda: features(count), goal)


def comparison(kind: str, compare: str, count: int, goal: float) -> Case:
    name = f"{compare} of two RDMs" if kind == "comparison" else f"1000 bootstraps of an RDM comparison, {compare}"
    sides = (("rsatoolbox_rdms.py", kind, compare), ("our_rdms.py", kind, compare))
    return Case(
        f"{name}, {count} conditions",
        "rsatoolbox",
        "rsatoolbox",
        *sides,
        lambda: rdms(count),
        goal,
        comparable=kind == "comparison",
    )


def published(metric: str, goal: float, p: int = 1000) -> Case:
    work = Work(metric, 3200, p, 168, stratified=True)
    return Case(
        f"{metric}, {work.n} x {work.p} → {work.q}",
        "brainscore-vision",
        "vision",
        ("incumbent.py", work.text()),
        ("ours.py", work.text()),
        lambda: recording(work),
        goal,
    )


CASES = [
    matrix("correlation", 1000, 30),
    matrix("correlation", 5000, 40),
    matrix("squared_euclidean", 1000, 1),
    matrix("squared_euclidean", 5000, 1.5),
    comparison("comparison", "spearman", 3200, 8),
    comparison("bootstrap", "pearson", 92, 100),
    comparison("bootstrap", "spearman", 92, 15),
    published("rdm", 8),
    published("rdm_cv", 9),
    published("cka", 12),
    published("cka_biased", 100),
    published("cka_cv", 30),
    published("rdm", 2, 25088),
    published("cka", 2, 25088),
]

if __name__ == "__main__":
    main(CASES, "Similarity", __doc__)
