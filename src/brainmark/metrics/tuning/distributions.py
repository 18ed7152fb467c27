"""Compares the distribution of a tuning property in a model's units with that in recorded cells.

The similarity of two distributions over bins is ``1 - D / D_max`` (Marques et al. 2021, bioRxiv 2021.03.01.433495):
D is the Kolmogorov-Smirnov distance, the largest difference between the cumulative distributions, and D_max the
largest that any population could have with these data, whose cumulative shares at the inner edges run from F1 to Fn:
max(Fn, 1 - F1), reached by a population that lies in one outermost bin.
It is 1 for equal distributions and 0 for the worst population; it is never negative. On a circle, where a cumulative
distribution has no beginning, D is Kuiper's distance, the largest difference over all arcs, and D_max is 1 - the
smallest share of a bin. The score of a uniform population is far above 0: it is reported as ``chance``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.convention import student_stretch
from brainmark.core.errors import InvalidMeasurement, UnknownName
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.backend import as_numpy
from brainmark.metrics._arrays.inputs import check_filled, check_numbers
from brainmark.metrics._arrays.shapes import Array, Float, Real
from brainmark.metrics.statistics.resampling import draws
from brainmark.metrics.tuning.gratings import Harmonic, tuning_statistics


@dataclass(frozen=True)
class Property:
    """How a tuning property is binned.

    Attributes
    ----------
    edges : of the bins, ascending; values beyond them count in the outermost bins.
    period : of a circular property; None: it lies on a line.
    log : evenly spread means evenly over its logarithm.
    broad : a responsive unit for which the property is undefined is one of the broadest, and counts in the last bin;
        otherwise it is left out.
    """

    edges: tuple[float, ...]
    period: float | None = None
    log: bool = False
    broad: bool = False


def _linear(low: float, high: float, bins: int = 10) -> tuple[float, ...]:
    return (*(low + i * ((high - low) / bins) for i in range(bins)), high)


PROPERTIES: dict[str, Property] = {
    "preferred_orientation": Property((-22.5, 22.5, 67.5, 112.5, 157.5), period=180.0),
    "circular_variance": Property(_linear(0, 1)),
    "orthogonal_preferred": Property(_linear(0, 1)),
    "orthogonal_less_variance": Property(_linear(-1, 1, 20)),
    "orientation_selectivity": Property(_linear(0, 1)),
    "orientation_bandwidth": Property(_linear(0, 90), broad=True),
    "preferred_spatial_frequency": Property((0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0), log=True),
    "spatial_frequency_bandwidth": Property(_linear(0, 4), broad=True),
    "spatial_frequency_selectivity": Property(_linear(0, 100)),
    "modulation_ratio": Property(_linear(0, 2)),
    "sparseness": Property(_linear(0, 1)),
    "max_dc": Property(
        (
            5.0,
            7.230627747959626,
            10.456395525912734,
            15.121260726661095,
            21.867241478865573,
            31.622776601683793,
            45.73050519273266,
            66.1320519549569,
            95.63524997900373,
            138.30057843624795,
            200.0,
        ),
        log=True,
    ),  # 5 to 200, evenly on a logarithmic scale
}


def distribution_similarity(
    model: Real[Array, "*#stack bin"], data: Real[Array, "*#stack bin"], circular: bool = False
) -> Float[np.ndarray, " ..."]:
    """Return 1 - D / D_max of counts or shares over the same bins, see the top of the module.

    Parameters
    ----------
    model, data : (..., bin), not negative; they need not sum to one.
    circular : the bins close a circle.

    Returns
    -------
    (...); NaN where either is empty.
    """
    p, q = (_shares(as_numpy(x).astype(float)) for x in (model, data))
    if circular:
        gap = np.cumsum(p - q, axis=-1)
        distance = gap.max(axis=-1) - gap.min(axis=-1)  # the last entry is 0, so both ends are counted
        largest = 1 - q.min(axis=-1)
    else:
        below = np.cumsum(q, axis=-1)[..., :-1]
        distance = np.abs(np.cumsum(p, axis=-1)[..., :-1] - below).max(axis=-1)
        largest = np.maximum(below[..., -1], 1 - below[..., 0])
    return np.asarray(1 - distance / largest)


def _shares(counts: np.ndarray) -> np.ndarray:
    if counts.shape[-1] < 2 or (counts < 0).any():
        raise ValueError("a distribution needs at least two bins and no negative count")
    total = counts.sum(axis=-1, keepdims=True)
    return np.where(total > 0, counts / np.where(total > 0, total, 1), np.nan)


def distribution_ceiling(
    property: str = "circular_variance", edges: Sequence[float] | None = None, resamples: int = 1000, seed: int = 0
) -> Ceiling:
    """Return the ceiling of `tuning_distribution`: the data against bootstrap samples of themselves.

    The value is the mean over the samples: what a population with the true distribution reaches, on average, with as
    many cells as were recorded. Parameters as in `tuning_distribution`; the same seed gives the same draws of cells.
    """
    spec = _spec(property, edges)
    if resamples < 1:
        raise ValueError("the ceiling of a distribution needs at least 1 resample")

    def ceiling(target: xr.DataArray) -> Comparison:
        cells, spec_ = _cells(target, spec)
        data, drawn = _counts(cells[None], spec_)[0], _counts(cells, spec_, draws(len(cells), resamples, seed))
        scores = distribution_similarity(data, drawn, spec_.period is not None)
        return Comparison(_one(float(scores.mean()), property), replicates=scores[:, None], center="mean")

    return ceiling


@metric(
    "tuning_distribution",
    summary="Compares the distribution of a tuning property over units with that over recorded cells.",
    cite="marques2021", compares="distributions", ceiling=distribution_ceiling, ceiling_over=(), chance=None,
    domain="vision", tags=("tuning",),
)  # fmt: skip
def tuning_distribution(
    property: str = "circular_variance",
    edges: Sequence[float] | None = None,
    harmonic: Harmonic = "larger",
    rates: bool = True,
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """Compare the distribution of a tuning property over a model's units with that over recorded cells.

    The prediction is a recording of gratings (`brainmark.metrics.tuning.gratings.tuning_statistics`), of which the
    responsive units count, or the property itself (neuroid,). The target holds one value a cell (neuroid,) or counts
    of cells (bin,).

    Parameters
    ----------
    property : one of `PROPERTIES`.
    edges : of the bins into which cells are put; None: those of `PROPERTIES`. A histogram brings its own.
    harmonic, rates : see `tuning_statistics`.
    resamples : bootstrap draws of cells and of units, stretched to Student's t of the fewer of both; 0: none.
    seed : of the draws.

    Returns
    -------
    Comparison with one value, between 0 and 1; ``details`` has the score of a uniform population (``chance``) and the
    numbers of units. NaN if no unit is responsive.
    """
    spec = _spec(property, edges)

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        for name, array in (("prediction", prediction), ("target", target)):
            check_filled(array, name)
            check_numbers(array.values, name, missing=name == "target" or array.dims == ("neuroid",))
        cells, spec_ = _cells(target, spec)
        values, units = _property_of(prediction, property, harmonic, rates)
        left_out = int(np.isnan(values).sum())
        if spec_.broad:
            values, left_out = np.where(np.isnan(values), spec_.edges[-1], values), 0
        values = values[np.isfinite(values)]
        model, data = _counts(_bins(values, spec_)[None], spec_)[0], _counts(cells[None], spec_)[0]
        circular = spec_.period is not None
        replicates = None
        if resamples and len(values):
            resampled = np.random.default_rng([seed, 2]).multinomial(len(values), model / len(values), size=resamples)
            drawn = _counts(cells, spec_, draws(len(cells), resamples, seed))
            scores = distribution_similarity(resampled, drawn, circular)[:, None]
            middle = np.median(scores)  # draws of few spread less than populations of few do
            replicates = middle + student_stretch(min(len(values), len(cells))) * (scores - middle)
        notes = (f"{left_out} responsive units have no defined {property} and are left out",) if left_out else ()
        return Comparison(
            values=_one(float(distribution_similarity(model, data, circular)), property),
            replicates=replicates,
            center="mean",
            notes=notes if len(values) else (*notes, "no unit responds to the gratings"),
            details={
                "chance": float(distribution_similarity(_uniform(spec_), data, circular)),
                "units": float(units),
                "responsive units": float(len(values) + left_out),
            },
        )

    return metric


def uniform_floor(
    target: xr.DataArray,
    property: str = "circular_variance",
    edges: Sequence[float] | None = None,
    resamples: int = 0,
    seed: int = 0,
) -> float:
    """Score of a population spread evenly over the range of the property: the level below which nothing is learned.

    With `resamples` it is the mean over bootstrap samples of the cells.
    """
    cells, spec = _cells(target, _spec(property, edges))
    drawn = _counts(cells, spec, draws(len(cells), resamples, seed)) if resamples else _counts(cells[None], spec)
    return float(distribution_similarity(_uniform(spec), drawn, spec.period is not None).mean())


def _spec(property: str, edges: Sequence[float] | None) -> Property:
    if property not in PROPERTIES:
        raise UnknownName("tuning property", property, PROPERTIES)
    spec = PROPERTIES[property]
    return spec if edges is None else _with_edges(spec, np.asarray(edges, float))


def _with_edges(spec: Property, edges: np.ndarray) -> Property:
    if len(edges) < 3 or not (np.diff(edges) > 0).all():
        raise InvalidMeasurement(f"bins need at least three ascending edges, not {edges.tolist()}")
    if spec.log and not edges[0] > 0:
        raise InvalidMeasurement(f"bins over a logarithm have positive edges; the first is {edges[0]:g}")
    if spec.period is not None and not np.isclose(edges[-1] - edges[0], spec.period):
        raise InvalidMeasurement(f"the bins of a circular property span {spec.period:g}, not {edges[-1] - edges[0]:g}")
    return replace(spec, edges=tuple(edges.tolist()))


def _cells(target: xr.DataArray, spec: Property) -> tuple[np.ndarray, Property]:
    """Return the bin of every cell, and the bins."""
    if target.dims == ("neuroid",):
        values = target.values.astype(float)
        values = values[np.isfinite(values)]
        if not len(values):
            raise InvalidMeasurement("no cell has a value")
        return _bins(values, spec), spec
    if target.dims != ("bin",):
        raise InvalidMeasurement(f"a distribution has the dimension 'neuroid' or 'bin', not {tuple(target.dims)}")
    start, end = (np.asarray(target.coords[c].values, float) for c in ("bin_start", "bin_end"))
    if not np.allclose(start[1:], end[:-1]):
        raise InvalidMeasurement("the bins of the histogram do not touch: bin_end must be the next bin_start")
    counts = target.values.astype(float)
    if (counts < 0).any() or not np.allclose(counts, np.rint(counts)) or not counts.sum() > 0:
        raise InvalidMeasurement("a histogram holds counts of cells: whole numbers, not negative, not all zero")
    return np.repeat(np.arange(len(counts)), np.rint(counts).astype(int)), _with_edges(spec, np.append(start, end[-1]))


def _property_of(prediction: xr.DataArray, property: str, harmonic: Harmonic, rates: bool) -> tuple[np.ndarray, int]:
    """Return the values of the responsive units, and how many units there are."""
    if prediction.dims == ("neuroid",):
        return prediction.values.astype(float), prediction.size
    tuning = tuning_statistics(prediction, harmonic, rates)
    return tuning[property].values[tuning["responsive"].values], tuning.sizes["neuroid"]


def _bins(values: np.ndarray, spec: Property) -> np.ndarray:
    edges = np.asarray(spec.edges)
    if spec.period is not None:
        values = edges[0] + np.mod(values - edges[0], spec.period)
    return np.searchsorted(edges[1:-1], values, side="right")


def _counts(cells: np.ndarray, spec: Property, weights: np.ndarray | None = None) -> np.ndarray:
    """Count cells in bins, (draw, bin): of (draw, cell) indices, or of one set of cells that count `weights` times."""
    bins = len(spec.edges) - 1
    if weights is None:
        return np.stack([np.bincount(row, minlength=bins) for row in cells])
    return weights.astype(float) @ (cells[:, None] == np.arange(bins))


def _uniform(spec: Property) -> np.ndarray:
    edges = np.asarray(spec.edges)
    return np.diff(np.log(edges) if spec.log else edges)


def _one(value: float, property: str) -> xr.DataArray:
    return xr.DataArray([value], dims=("property",), coords={"property": [property]})
