from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core.errors import InvalidMeasurement, UnknownName
from brainmark.metrics.statistics.resampling import draws
from brainmark.metrics.tuning.distributions import (
    PROPERTIES,
    distribution_ceiling,
    distribution_similarity,
    tuning_distribution,
    uniform_floor,
)


def cells(values: np.ndarray) -> xr.DataArray:
    count = len(values)
    coords = {"neuroid_id": ("neuroid", np.arange(count)), "region": ("neuroid", ["V1"] * count)}
    return xr.DataArray(np.asarray(values, float), dims=("neuroid",), coords=coords)


def histogram(counts: list[float], edges: np.ndarray) -> xr.DataArray:
    coords = {"bin_start": ("bin", edges[:-1]), "bin_end": ("bin", edges[1:])}
    return xr.DataArray(np.asarray(counts, float), dims=("bin",), coords=coords)


def gratings(preferred: np.ndarray, kappa: float = 2.0, gain: np.ndarray | float = 1.0) -> xr.DataArray:
    orientations = np.arange(0, 180, 15.0)
    grid = np.stack(np.meshgrid(orientations, [1.0, 2.0, 4.0], [0, 90, 180, 270], indexing="ij"), -1).reshape(-1, 3)
    tuned = np.exp(kappa * np.cos(2 * np.deg2rad(grid[:, :1] - preferred))) * np.exp(-(np.log2(grid[:, 1:2] / 2) ** 2))
    values = np.vstack([tuned * gain, np.zeros((1, len(preferred)))])
    grid = np.vstack([grid, grid[:1]])
    names = ("orientation", "spatial_frequency", "phase")
    coords = {name: ("presentation", grid[:, i]) for i, name in enumerate(names)}
    coords["blank"] = ("presentation", np.arange(len(grid)) == len(grid) - 1)
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)


def test_same_is_one_and_the_worst_is_zero() -> None:
    data = np.array([10.0, 20.0, 5.0, 1.0])
    assert distribution_similarity(data, data) == 1
    assert distribution_similarity(3 * data, data) == pytest.approx(1)
    worst = min(distribution_similarity(one, data) for one in np.eye(4))
    assert worst == pytest.approx(0)
    assert min(distribution_similarity(one, data, circular=True) for one in np.eye(4)) == pytest.approx(0)


def test_distance_is_the_two_sample_kolmogorov_smirnov_statistic() -> None:
    from scipy.stats import ks_2samp

    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 8, 50), generator.integers(0, 8, 70)
    p, q = (np.bincount(x, minlength=8) for x in (a, b))
    largest = max(ks_2samp(np.full(1, k), b).statistic for k in (0, 7))
    expected = 1 - ks_2samp(a, b).statistic / largest
    assert distribution_similarity(p, q) == pytest.approx(expected)


def test_circular_similarity_has_no_origin_and_the_linear_one_has() -> None:
    generator = np.random.default_rng(1)
    p, q = generator.random((2, 6))
    turned = [distribution_similarity(np.roll(p, k), np.roll(q, k), circular=True) for k in range(6)]
    np.testing.assert_allclose(turned, turned[0])
    straight = [float(distribution_similarity(np.roll(p, k), np.roll(q, k))) for k in range(6)]
    assert np.ptp(straight) > 0.01


def test_circular_distance_is_the_largest_difference_over_arcs() -> None:
    p, q = np.random.default_rng(2).dirichlet(np.ones(7), size=2)
    arcs = [abs(np.roll(p - q, -start)[:length].sum()) for start in range(7) for length in range(1, 7)]
    expected = 1 - max(arcs) / (1 - q.min())
    assert distribution_similarity(p, q, circular=True) == pytest.approx(expected)


def test_metric_reads_gratings_and_counts_bins() -> None:
    preferred = np.array([0, 5, 175, 45, 90, 90, 135])
    target = histogram([3, 1, 2, 1], np.array(PROPERTIES["preferred_orientation"].edges))
    comparison = tuning_distribution("preferred_orientation", resamples=40)(gratings(preferred), target)
    assert comparison.values.dims == ("property",)
    assert comparison.aggregate() == pytest.approx(1)
    assert comparison.replicates is not None
    assert comparison.replicates.shape == (40, 1)
    assert comparison.details["responsive units"] == 7
    assert comparison.details["chance"] == pytest.approx(1 - (3 / 7 - 1 / 4 + 2 / 7 - 1 / 4) / (1 - 1 / 7), abs=0.2)
    turned = tuning_distribution("preferred_orientation", resamples=0)(gratings(preferred + 45), target)
    assert turned.aggregate() < 0.9


def test_unresponsive_units_do_not_count() -> None:
    gain = np.array([1, 1, 1, 1, 0.0, 0.001])
    comparison = tuning_distribution("preferred_orientation", resamples=0)(
        gratings(np.array([0, 0, 90, 90, 45, 45]), gain=gain),
        histogram([2, 0, 2, 0], np.array(PROPERTIES["preferred_orientation"].edges)),
    )
    assert comparison.details["units"] == 6
    assert comparison.details["responsive units"] == 4
    assert comparison.aggregate() == 1


def test_no_responsive_unit_is_undefined() -> None:
    silent = gratings(np.array([0.0, 45.0]), gain=0.0)
    comparison = tuning_distribution(resamples=10)(silent, cells(np.linspace(0, 1, 20)))
    assert np.isnan(comparison.aggregate())
    assert "no unit responds" in comparison.notes[-1]


def test_units_without_a_bandwidth_are_the_broadest() -> None:
    target = histogram([0] * 9 + [5], np.linspace(0, 90, 11))
    metric = tuning_distribution("orientation_bandwidth", resamples=0)
    assert metric(gratings(np.arange(0, 180, 30.0), kappa=0.02), target).aggregate() == 1
    assert metric(gratings(np.arange(0, 180, 30.0), kappa=3), target).aggregate() < 0.3


def test_a_property_can_take_the_place_of_the_recording() -> None:
    values = np.random.default_rng(0).random(50)
    comparison = tuning_distribution(resamples=0)(cells(np.append(values, np.nan)), cells(values))
    assert comparison.aggregate() == 1
    assert "1 responsive units have no defined circular_variance" in comparison.notes[0]


def test_values_beyond_the_edges_count_in_the_outermost_bins() -> None:
    target = histogram([1, 0, 1], np.array([1.0, 2, 3, 4]))
    metric = tuning_distribution("preferred_spatial_frequency", resamples=0)
    assert metric(cells(np.array([0.1, 99.0])), target).aggregate() == 1


def test_a_value_on_an_edge_belongs_to_the_bin_above() -> None:
    metric = tuning_distribution(edges=[0.0, 0.5, 1.0], resamples=0)
    assert metric(cells(np.array([0.5, 0.5])), cells(np.array([0.7]))).aggregate() == 1
    assert metric(cells(np.array([0.5, 0.5])), cells(np.array([0.2]))).aggregate() == 0


def test_draws_of_few_cells_are_stretched_to_students_t() -> None:
    """The spread of draws of 8 cells is 22 % short of an interval by Student's t, that of 800 hardly."""
    generator = np.random.default_rng(8)
    for count, least, most in ((8, 1.25, 1.32), (800, 1.0, 1.01)):
        model, data = cells(generator.random(900)), cells(generator.random(count))
        found = tuning_distribution(resamples=400)(model, data).replicates
        assert found is not None
        plain = tuning_distribution_without_stretch(model, data, 400)
        assert least < np.std(found) / np.std(plain) < most


def tuning_distribution_without_stretch(model: xr.DataArray, data: xr.DataArray, resamples: int) -> np.ndarray:
    """Similarity of draws of units with draws of cells, over the ten bins from 0 to 1."""
    edges = np.linspace(0, 1, 11)
    counts = np.histogram(model.values, edges)[0]
    generator = np.random.default_rng([0, 2])
    drawn = generator.multinomial(model.size, counts / model.size, size=resamples)
    place = np.clip(np.searchsorted(edges, data.values, side="right") - 1, 0, 9)
    cells_drawn = draws(data.size, resamples, 0) @ (place[:, None] == np.arange(10))
    return distribution_similarity(drawn, cells_drawn)


def test_a_histogram_and_its_cells_score_alike() -> None:
    generator = np.random.default_rng(3)
    values, model = generator.beta(2, 1, 80), cells(generator.random(300))
    edges = np.linspace(0, 1, 11)
    counts = np.histogram(values, edges)[0]
    one = tuning_distribution(resamples=0)(model, cells(values))
    other = tuning_distribution(resamples=0)(model, histogram(counts.tolist(), edges))
    assert one.aggregate() == pytest.approx(other.aggregate())
    assert one.details["chance"] == pytest.approx(uniform_floor(cells(values)))


def test_the_true_distribution_reaches_the_ceiling() -> None:
    generator = np.random.default_rng(4)
    truth = cells(generator.beta(2, 1, 200_000))
    ratios = []
    for _ in range(40):
        data = cells(generator.beta(2, 1, 150))
        ratios.append(
            tuning_distribution(resamples=0)(truth, data).aggregate()
            / distribution_ceiling(resamples=200)(data).aggregate()
        )
    assert np.mean(ratios) == pytest.approx(1, abs=0.01)


def test_metric_and_ceiling_rest_on_the_same_draws_of_cells() -> None:
    data = cells(np.random.default_rng(5).random(100))
    ceiling = distribution_ceiling(resamples=300, seed=3)(data)
    many = cells(np.repeat(data.values, 20_000))  # so many units that drawing them adds nothing
    metric = tuning_distribution(resamples=300, seed=3)(many, data)
    assert ceiling.replicates is not None
    assert metric.replicates is not None
    np.testing.assert_allclose(metric.replicates, ceiling.replicates, atol=5e-3)


def test_uniform_floor_on_the_scale_of_the_property() -> None:
    assert uniform_floor(cells(np.linspace(0.001, 0.999, 1000))) == pytest.approx(1, abs=0.01)
    octaves = 2 ** np.linspace(np.log2(0.5001), np.log2(7.999), 4001)
    assert uniform_floor(cells(octaves), "preferred_spatial_frequency") == pytest.approx(1, abs=0.02)


def test_refusals() -> None:
    edges = np.linspace(0, 1, 5)
    with pytest.raises(UnknownName, match="did you mean 'circular_variance'"):
        tuning_distribution("circular_varianse")
    for counts in ([1, 2, 3, 0.5], [1, 1, 1, -1], [0, 0, 0, 0]):
        with pytest.raises(InvalidMeasurement, match="counts of cells"):
            distribution_ceiling()(histogram(counts, edges))
    gap = histogram([1, 2, 3, 4], edges).assign_coords(bin_start=("bin", np.array([0, 0.25, 0.6, 0.75])))
    with pytest.raises(InvalidMeasurement, match="do not touch"):
        distribution_ceiling()(gap)
    with pytest.raises(InvalidMeasurement, match="span 180"):
        distribution_ceiling("preferred_orientation")(histogram([1, 2, 3, 4], edges))
    with pytest.raises(InvalidMeasurement, match="'neuroid' or 'bin'"):
        distribution_ceiling()(gratings(np.zeros(2)))
    with pytest.raises(InvalidMeasurement, match="ascending"):
        tuning_distribution(edges=[0, 0, 1])
    with pytest.raises(InvalidMeasurement, match="positive edges; the first is 0"):
        distribution_ceiling("max_dc")(histogram([1, 2, 3, 4], edges))
    with pytest.raises(InvalidMeasurement, match="no cell"):
        distribution_ceiling()(cells(np.full(3, np.nan)))
    with pytest.raises(ValueError, match="at least 1"):
        distribution_ceiling(resamples=0)
    with pytest.raises(ValueError, match="two bins"):
        distribution_similarity(np.ones(1), np.ones(1))
