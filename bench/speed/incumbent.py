"""Runs metric objects of brainscore-vision or brainscore-language, in their environment.

Called as ``python incumbent.py WORK data.npz``, WORK as `recipes.Work` writes it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

os.environ["BS_INSTALL_DEPENDENCIES"] = "no"
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
from brainscore_core.supported_data_standards.brainio.assemblies import NeuroidAssembly  # noqa: E402
from clock import report  # noqa: E402
from recipes import Work, given  # noqa: E402


def assembly(values: np.ndarray, order: np.ndarray, prefix: str, **along: Any) -> NeuroidAssembly:
    coords = {
        "stimulus_id": ("presentation", [f"stimulus{i:05d}" for i in order]),
        "row": ("presentation", order),
        "neuroid_id": ("neuroid", [f"{prefix}{i:06d}" for i in range(values.shape[1])]),
        "region": ("neuroid", ["IT"] * values.shape[1]),
    }
    return NeuroidAssembly(values, coords=coords | along, dims=["presentation", "neuroid"])


def vision(work: Work) -> Any:
    """Return the metric."""
    from brainscore_vision import load_metric

    folds = {"stratification_coord": "object_name" if work.stratified else None, "splits": work.splits}
    if work.metric in ("rdm", "cka", "cka_biased") or work.metric.endswith("_split"):
        return load_metric(work.metric)
    if work.metric != "ridgecv":
        return load_metric(work.metric, crossvalidation_kwargs=folds)
    from brainscore_vision.metrics.regression_correlation import metric as regressions  # made by one benchmark

    return regressions.CrossRegressedCorrelation(
        regressions.ridge_cv_regression(), regressions.pearsonr_correlation(), crossvalidation_kwargs=folds
    )


def comparison(work: Work, data: dict[str, np.ndarray]) -> Callable[[], Any]:
    rows, names = data["x_ids"], data["names"]
    x = assembly(data["x"], rows, "unit", object_name=("presentation", names[rows]))
    y = assembly(data["y"], np.arange(work.n), "neuroid", object_name=("presentation", names))
    if work.package == "language":
        from brainscore_language import load_metric

        metric = load_metric(work.metric)
        return lambda: metric(x, y)
    metric = vision(work)
    if not work.metric.endswith("_split"):
        return lambda: metric(x, y)
    first = int(0.8 * work.n)
    x_train, x_test = (x[{"presentation": part}] for part in (rows < first, rows >= first))
    return lambda: metric(x_train, x_test, y[:first], y[first:])


def consistency(work: Work, data: dict[str, np.ndarray]) -> Callable[[], Any]:
    from brainscore_vision import load_ceiling

    trials = data["trials"]
    count, n, q = trials.shape
    repetition = ("presentation", np.repeat(np.arange(count), n))
    flat = assembly(trials.reshape(count * n, q), np.tile(np.arange(n), count), "neuroid", repetition=repetition)
    ceiling = load_ceiling("internal_consistency")
    return lambda: ceiling(flat)


def main() -> None:
    work = given(sys.argv[1])
    with np.load(sys.argv[2]) as stored:
        data = {name: stored[name] for name in stored.files}
    call = (consistency if "trials" in data else comparison)(work, data)
    packages = (f"brainscore_{work.package}", "brainscore_core", "numpy", "scipy", "scikit-learn", "xarray")
    report(call, lambda score: [float(np.asarray(score).ravel()[0])], packages)


if __name__ == "__main__":
    main()
