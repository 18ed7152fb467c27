"""Runs our dissimilarities. Called as ``python our_rdms.py KIND METHOD data.npz``.

KIND METHOD is ``matrix`` and a distance, ``comparison`` or ``bootstrap`` and how two RDMs are compared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from clock import report

from brainmark.metrics.similarity.rdm import compare_rdms, rdm_matrix, square, upper
from brainmark.metrics.similarity.rdm_resampling import resample_rdms
from brainmark.metrics.statistics.resampling import draws


def work(kind: str, method: Any, data: dict[str, np.ndarray]) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    if kind == "matrix":
        # rsatoolbox divides squared distances by the number of features
        scale = data["features"].shape[1] if method == "squared_euclidean" else 1
        return (
            lambda: upper(rdm_matrix(data["features"], method)),
            lambda found: found[:: len(found) // 1000] / scale,
        )
    if kind == "comparison":
        return lambda: compare_rdms(data["one"], data["other"], method), lambda found: [found]
    one, other = square(data["one"]), square(data["other"])[None]
    return (
        lambda: resample_rdms(one, other, draws(len(one), 1000), method),
        lambda found: [np.nanmean(found)],
    )


def main() -> None:
    kind, method, file = sys.argv[1:]
    with np.load(file) as stored:
        data = {key: stored[key] for key in stored.files}
    report(*work(kind, method, data), ("brainmark", "numpy", "scipy"))


if __name__ == "__main__":
    main()
