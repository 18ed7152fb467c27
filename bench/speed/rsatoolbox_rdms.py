"""Runs rsatoolbox. Called as ``python rsatoolbox_rdms.py KIND METHOD data.npz``, the arguments of `our_rdms`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import rsatoolbox  # noqa: E402
from clock import report  # noqa: E402

NAMES = {"pearson": "corr", "squared_euclidean": "euclidean"}


def matrix(method: str, data: dict[str, np.ndarray]) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    dataset = rsatoolbox.data.Dataset(data["features"])
    return (
        lambda: rsatoolbox.rdm.calc_rdm(dataset, method=method),
        lambda found: found.dissimilarities[0][:: len(found.dissimilarities[0]) // 1000],
    )


def comparison(method: str, data: dict[str, np.ndarray]) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    one, other = (rsatoolbox.rdm.RDMs(data[name][None]) for name in ("one", "other"))
    return lambda: rsatoolbox.rdm.compare(one, other, method=method), np.ravel


def bootstrap(method: str, data: dict[str, np.ndarray]) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    model, subject = (rsatoolbox.rdm.RDMs(data[name][None]) for name in ("one", "other"))
    count = subject.n_cond
    subject = rsatoolbox.rdm.RDMs(data["other"][None], pattern_descriptors={"index": np.arange(count)})
    fixed = rsatoolbox.model.ModelFixed("model", model)
    evaluate = rsatoolbox.inference.eval_bootstrap_pattern
    return (
        lambda: evaluate(fixed, subject, method=method, N=1000, boot_noise_ceil=False),
        lambda found: [np.nanmean(found.evaluations)],
    )


def main() -> None:
    kind, name, file = sys.argv[1:]
    with np.load(file) as stored:
        data = {key: stored[key] for key in stored.files}
    make = {"matrix": matrix, "comparison": comparison, "bootstrap": bootstrap}[kind]
    call, values = make(NAMES.get(name, name), data)
    report(call, values, ("rsatoolbox", "numpy", "scipy"))


if __name__ == "__main__":
    main()
