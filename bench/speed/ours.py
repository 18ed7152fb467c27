"""Runs our metrics. Called as ``python ours.py WORK data.npz``, WORK as `recipes.Work` writes it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import xarray as xr
from clock import report
from recipes import Work, given

from brainmark.brainscore import metrics as bs
from brainmark.core import Comparison


def recording(values: np.ndarray, order: np.ndarray, prefix: str, **along: np.ndarray) -> xr.DataArray:
    coords = {
        "stimulus_id": ("presentation", np.array([f"stimulus{i:05d}" for i in order])),
        "neuroid_id": ("neuroid", np.array([f"{prefix}{i:06d}" for i in range(values.shape[1])])),
        **{name: ("presentation", labels) for name, labels in along.items()},
    }
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)


def comparison(work: Work, data: dict[str, np.ndarray]) -> Callable[[], Comparison]:
    rows, names = data["x_ids"], data["names"]
    x = recording(data["x"], rows, "unit")
    y = recording(data["y"], np.arange(work.n), "neuroid", object_name=names)
    stratify = "object_name" if work.stratified else None
    if work.metric.endswith("_split"):
        metric, first = getattr(bs, work.metric.removeprefix("dual_"))(), int(0.8 * work.n)
        train, test = x[rows < first], x[rows >= first]
        return lambda: metric(train, test, y[:first], y[first:])
    if work.metric == "pls, prepared":
        prepared = bs.prepare_units(x)
        return lambda: bs.pls(stratify=stratify)(prepared, y)
    made = {
        "cka_biased": lambda: bs.cka(unbiased=False),
        "linear_pearsonr": bs.linear_pearsonr,
        "ridge_pearsonr": bs.ridge_pearsonr,
        "rdm": bs.rdm,
        "cka": bs.cka,
    }
    named = getattr(bs, work.metric, None)
    metric = made[work.metric]() if work.metric in made else named(stratify=stratify)
    return lambda: metric(x, y)


def consistency(work: Work, data: dict[str, np.ndarray]) -> Callable[[], Comparison]:
    trials = data["trials"]
    count, n, q = trials.shape
    if work.metric == "split_half":
        from brainmark.metrics.statistics.ceilings import split_half

        target = xr.DataArray(trials, dims=("repetition", "presentation", "neuroid"))
        return lambda: split_half(halvings=10, resamples=0)(target)
    flat = recording(trials.reshape(count * n, q), np.tile(np.arange(n), count), "neuroid")
    flat = flat.assign_coords(repetition=("presentation", np.repeat(np.arange(count), n)))
    return lambda: bs.internal_consistency(flat)


def main() -> None:
    work = given(sys.argv[1])
    with np.load(sys.argv[2]) as stored:
        data = {name: stored[name] for name in stored.files}

    def values(found: Comparison) -> list[float]:
        if found.splits is None or work.splits >= len(found.splits):
            return [bs.aggregate(found).value]
        return [float(np.nanmedian(found.splits.values[: work.splits], axis=1).mean())]

    call = (consistency if "trials" in data else comparison)(work, data)
    report(call, values, ("brainmark", "numpy", "scipy", "xarray"))


if __name__ == "__main__":
    main()
