"""Are the statistics honest? Simulated experiments with a known truth, again and again.

python bench/honesty.py [--experiments 200] [--only REGEX] [--markdown FILE]

Coverage is the share of 95 % intervals that hold the mean of the values over all experiments, each with fresh stimuli,
units and noise; what is wanted is .93 to .97. The other rows are means over experiments, with their standard errors.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from brainmark.core import Comparison
from brainmark.core.score import make_score
from brainmark.metrics.behavior import choices
from brainmark.metrics.regression import matching, predictivity
from brainmark.metrics.similarity import alignment, crossnobis
from brainmark.metrics.similarity import rsa as similarity
from brainmark.metrics.statistics import ceilings
from brainmark.metrics.tuning import distributions

Center = Literal["mean", "median"]


@dataclass(frozen=True)
class Row:
    """One line of the table: what was simulated, what came out, and whether that is what was wanted."""

    what: str
    found: str
    wanted: str
    good: bool


def recording(values: np.ndarray) -> xr.DataArray:
    dims = ("presentation", "neuroid", "repetition")[: values.ndim]
    return xr.DataArray(values, dims=dims, coords={"stimulus_id": ("presentation", np.arange(len(values)))})


def population(
    rng: np.random.Generator,
    n: int,
    q: int,
    trials: int,
    noise: float,
    units: int = 30,
    own: float = 0.5,
    fresh: bool = True,
) -> tuple[xr.DataArray, xr.DataArray]:
    """A model and trials of neuroids that read the same ten signals.

    `own` : what no model unit knows of a neuroid; `fresh` : other neuroids in each experiment, not only other stimuli.
    """
    reading = rng if fresh else np.random.default_rng(10)
    latent = rng.standard_normal((n, 10))
    x = latent @ np.random.default_rng(9).standard_normal((10, units)) / 3 + 0.5 * rng.standard_normal((n, units))
    signal = latent @ reading.standard_normal((10, q)) / 3 + own * rng.standard_normal((n, q))
    return recording(x), recording(signal[..., None] + noise * rng.standard_normal((n, q, trials)))


def predicted(n: int, q: int, center: Center, noise: float, seed: int) -> tuple[Comparison, Comparison]:
    """Neural predictivity and its split-half ceiling."""
    x, y = population(np.random.default_rng([seed, n, q]), n, q, 8, noise)
    raw = predictivity.ridge([1.0, 10.0], resamples=300, seed=seed)(x, y.mean("repetition"))
    top = ceilings.split_half(10, resamples=300, seed=seed)(y)
    return replace(raw, center=center), replace(top, center=center)


def similar(n: int, seed: int) -> tuple[Comparison, None]:
    """Similarity of the RDM of a model with that of one brain: the interval is over stimuli, the neuroids are given."""
    x, y = population(np.random.default_rng([seed, n, 3]), n, 40, 4, 1.0, fresh=False)
    return similarity.rdm("euclidean", "pearson", 300, seed)(x, y.mean("repetition")), None


def consistent(n: int, people: int, seed: int) -> tuple[Comparison, None]:
    """Error consistency of a model with people who find the same images hard."""
    rng = np.random.default_rng([seed, n, people, 4])
    hard = rng.standard_normal(n)

    def answers() -> np.ndarray:
        right = hard + 1.5 * rng.standard_normal(n) > -0.5
        return np.where(right[:, None], [1.0, 0.0], [0.0, 1.0])

    coords = {"label": ("presentation", ["right"] * n), "choice": ["right", "wrong"]}
    target = xr.DataArray(
        np.stack([answers() for _ in range(people)], axis=2), dims=("presentation", "choice", "subject"), coords=coords
    )
    model = xr.DataArray(answers(), dims=("presentation", "choice"), coords=coords)
    return choices.error_consistency(resamples=300, seed=seed)(model, target), None


def distributed(cells: int, units: int, seed: int) -> tuple[Comparison, None]:
    """Similarity of two distributions of circular variance."""
    rng = np.random.default_rng([seed, cells, units])
    one, other = (xr.DataArray(v, dims="neuroid") for v in (rng.beta(3, 2, units), rng.beta(2, 2, cells)))
    return distributions.tuning_distribution(resamples=300, seed=seed)(one, other), None


def coverage(what: str, simulate: Callable[[int], tuple[Comparison, Comparison | None]], experiments: int) -> Row:
    """Share of the intervals that hold the mean value."""
    scores = [make_score("benchmark", "subject", *simulate(k), {}, seed=k) for k in range(experiments)]
    truth = np.mean([s.value for s in scores])
    held = np.mean([s.interval is not None and s.interval[0] <= truth <= s.interval[1] for s in scores])
    error = np.sqrt(0.95 * 0.05 / experiments)
    good = bool(0.93 - 2 * error <= held <= 0.97 + 2 * error)
    return Row(f"95 % interval, {what}", f"{held:.3f} ± {error:.3f}", "0.93 to 0.97", good)


def about(what: str, values: np.ndarray, wanted: float, allowed: float) -> Row:
    """Mean of many experiments."""
    values = values[np.isfinite(values)]
    mean, error = values.mean(), values.std() / np.sqrt(len(values))
    good = bool(abs(mean - wanted) <= allowed + 2 * error)
    return Row(what, f"{mean:.3f} ± {error:.3f}", f"{wanted:g} ± {allowed:g}", good)


def true_model(noise: float, experiments: int) -> Row:
    """The signal itself as the model, divided by the ceiling: its units are matched, as a fitted map has errors."""
    values: list[float] = []
    for k in range(experiments):
        rng = np.random.default_rng([k, 5])
        signal = rng.standard_normal((300, 40))
        y = recording(signal[..., None] + noise * rng.standard_normal((300, 40, 8)))
        raw = matching.single_unit(resamples=0)(recording(signal), y.mean("repetition"))
        values.append(raw.aggregate() / ceilings.split_half(20, resamples=0)(y).aggregate())
    reliability = 1 / (1 + noise**2 / 8)
    return about(f"true model / ceiling, reliability {reliability:.2f}", np.array(values), 1.0, 0.02)


def true_rdm(compare: similarity.Compare, noise: float, experiments: int) -> Row:
    """The true RDM of eight subjects as the model, divided by the ceiling of RDMs."""
    values: list[float] = []
    for k in range(experiments):
        rng = np.random.default_rng([k, 6])
        pairs = rng.standard_normal(40 * 39 // 2)
        true, ids = np.zeros((40, 40)), np.arange(40)
        true[np.triu_indices(40, 1)] = pairs
        noises = np.triu(noise * rng.standard_normal((8, 40, 40)), 1)
        coords = {"stimulus_id": ("presentation", ids), "other_id": ("other", ids)}
        model = xr.DataArray(true + true.T, dims=("presentation", "other"), coords=coords)
        seen = true + noises
        target = xr.DataArray(seen + seen.swapaxes(1, 2), dims=("subject", "presentation", "other"), coords=coords)
        raw = similarity.rdm(compare=compare, resamples=0)(model, target)
        values.append(raw.aggregate() / similarity.rdm_ceiling(compare, resamples=0)(target).aggregate())
    return about(f"true RDM / ceiling, {compare}, noise {noise:g}", np.array(values), 1.0, 0.02)


def independent(experiments: int) -> Row:
    """Unbiased CKA of two populations that have nothing to do with each other, more neuroids than stimuli."""
    metric = alignment.cka(resamples=0)
    values = [
        metric(recording(rng.standard_normal((60, 500))), recording(rng.standard_normal((60, 300)))).aggregate()
        for rng in (np.random.default_rng([k, 7]) for k in range(experiments))
    ]
    return about("unbiased CKA of independent data", np.array(values), 0.0, 0.03)


def no_distance(experiments: int) -> Row:
    """Crossnobis distance of conditions that do not differ."""
    values = [
        float(np.mean(crossnobis.crossnobis_rdm(np.random.default_rng([k, 8]).standard_normal((4, 12, 30)))))
        for k in range(experiments)
    ]
    return about("crossnobis distance without a difference", np.array(values), 0.0, 0.0)


def rows(experiments: int) -> list[tuple[str, Callable[[], Row]]]:
    """Every simulation by name."""
    made: list[tuple[str, Callable[[], Row]]] = []
    for n, q in ((100, 30), (100, 100), (300, 30), (300, 100)):
        for center in ("mean", "median"):
            what = f"predictivity, {n} presentations, {q} neuroids, {center}"
            made.append((what, partial(coverage, what, partial(predicted, n, q, center, 2.0), experiments)))
    what = "predictivity, 200 presentations, 30 neuroids, median, reliability .3"
    made.append((what, partial(coverage, what, partial(predicted, 200, 30, "median", 4.3), experiments)))
    for n in (30, 80):
        what = f"similarity of RDMs, {n} conditions"
        made.append((what, partial(coverage, what, partial(similar, n), experiments)))
    for n, people in ((160, 5), (640, 12)):
        what = f"error consistency, {n} presentations, {people} subjects"
        made.append((what, partial(coverage, what, partial(consistent, n, people), experiments)))
    for cells, units in ((60, 100), (300, 1000)):
        what = f"distribution of a property, {cells} cells, {units} units"
        made.append((what, partial(coverage, what, partial(distributed, cells, units), experiments)))
    few = max(experiments // 5, 10)
    made += [(f"true model {noise}", partial(true_model, noise, few)) for noise in (1.0, 2.83, 5.66)]
    made += [
        (f"true RDM {compare} {noise}", partial(true_rdm, compare, noise, few))
        for compare in ("pearson", "spearman", "tau-a")
        for noise in (0.5, 2.0)
    ]
    made += [("CKA", partial(independent, few)), ("crossnobis", partial(no_distance, experiments))]
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--only", default="", help="regular expression that names contain")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    options = parser.parse_args()
    lines = ["| simulation | found | wanted |", "|---|---|---|"]
    for name, simulate in rows(options.experiments):
        if re.search(options.only, name):
            row = simulate()
            print(f"{row.what:85} {row.found:16} {row.wanted:14} {'' if row.good else 'NOT'}", flush=True)
            lines.append(f"| {row.what} | {row.found} | {row.wanted}{'' if row.good else ' (missed)'} |")
            if options.markdown:
                options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
