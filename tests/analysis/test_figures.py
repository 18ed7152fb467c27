"""What the figures say, read back from their artists."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from brainmark.analysis.figures import (
    CEILING,
    CEILING_ROW,
    CONTROL,
    MODEL,
    MOST_POINTS,
    ceiling_band,
    density,
    intervals_cut,
    score_figure,
    two_lines,
    unit_figure,
    unit_name,
    unit_rows,
)  # fmt: skip
from brainmark.core.score import ControlScore, Score


def plain(subject: str, value: float, **changes) -> Score:
    score = Score("B", subject, value, value * 0.8, 0.8, (value - 0.1, value + 0.1), ceiling_bounds=(0.7, 0.9))
    return replace(score, **changes)


def units(raw, ceiling=None, dim: str = "neuroid") -> xr.Dataset:
    columns = {"raw": (dim, np.asarray(raw, float))}
    return xr.Dataset(columns | ({} if ceiling is None else {"ceiling": (dim, np.asarray(ceiling, float))}))


def lines(axes, color: str) -> list[tuple[list[float], list[float]]]:
    return [(list(x.get_xdata()), list(x.get_ydata())) for x in axes.lines if x.get_color() == color]


def names(axes) -> list[str]:
    return [t.get_text() for t in axes.texts]


def test_best_is_on_top_with_its_interval():
    axes = score_figure([plain("low", 0.2), plain("high", 0.6), plain("mid", 0.4)]).axes[0]
    assert names(axes) == ["high", "mid", "low"]
    assert axes.yaxis_inverted()
    *intervals, dots = lines(axes, MODEL)
    assert [np.round(x, 9).tolist() for x, _ in intervals] == [[0.5, 0.7], [0.3, 0.5], [0.1, 0.3]]
    assert [y for _, y in intervals] == [[0, 0], [1, 1], [2, 2]]
    assert dots == ([0.6, 0.4, 0.2], [0, 1, 2])


def test_controls_shared_by_all_are_lines_and_others_points():
    shared = ControlScore(0.1, 0.08)
    scores = [
        plain("a", 0.6, controls={"pixels": shared, "shuffled": ControlScore(0.02, 0.0)}),
        plain("b", 0.4, controls={"pixels": shared, "shuffled": ControlScore(-0.03, 0.0)}),
        plain("c", 0.3, controls={"pixels": shared}),
    ]
    axes = score_figure(scores).axes[0]
    (across, along), (points, rows) = lines(axes, CONTROL)
    assert (across, along) == ([0.1, 0.1], [0, 1])
    assert points[:2] == [0.02, -0.03]
    assert math.isnan(points[2])
    assert rows == [0, 1, 2]


def test_ceiling_is_a_line_at_one_with_its_bounds():
    axes, *_ = score_figure([plain("a", 0.5)]).axes
    assert lines(axes, CEILING) == [([1.0, 1.0], [0, 1])]
    assert ceiling_band([plain("a", 0.5)]) == pytest.approx((0.875, 1.125))
    assert axes.get_xlim()[0] < 0
    assert axes.get_xlim()[1] > 1.125


def test_upper_axis_is_raw_only_where_all_share_a_ceiling():
    both = score_figure([plain("a", 0.5), plain("b", 0.4)])
    raw = both.axes[0].child_axes[0]
    both.savefig(io.BytesIO())  # the upper axis takes its limits when drawn
    assert raw.get_xlabel() == "raw"
    assert np.asarray(raw.get_xlim()) == pytest.approx(np.asarray(both.axes[0].get_xlim()) * 0.8)
    assert not score_figure([plain("a", 0.5), plain("b", 0.4, ceiling=0.6)]).axes[0].child_axes
    bare = score_figure([plain("a", 0.5, ceiling=None, ceiling_bounds=None)]).axes[0]
    assert not bare.child_axes
    assert lines(bare, CEILING) == []


def test_a_wild_interval_does_not_flatten_the_rest():
    scores = [plain("a", 0.5), plain("b", 0.4, interval=(-900.0, 900.0))]
    low, high = score_figure(scores).axes[0].get_xlim()
    assert -1.5 < low < 0
    assert 1 < high < 2.5
    assert intervals_cut(scores)
    assert not intervals_cut(scores[:1])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_undefined_values_leave_a_row_without_a_dot(value):
    axes = score_figure([plain("bad", value, interval=None), plain("good", 0.2)]).axes[0]
    assert names(axes) == ["good", "bad"]
    (xs, _) = lines(axes, MODEL)[-1]
    assert xs[0] == 0.2
    assert math.isnan(xs[1])


def test_scores_of_one_benchmark_only():
    with pytest.raises(ValueError, match="one benchmark"):
        score_figure([plain("a", 0.5), plain("b", 0.5, benchmark="C")])
    with pytest.raises(ValueError, match="at least one"):
        unit_figure([])


def test_unit_rows_hold_defined_values_and_ceilings_first():
    scores = [
        plain("a", 0.1, units=units([0.3, math.nan, 0.1])),
        plain("b", 0.2, units=units([0.5, 0.4, 0.6], ceiling=[0.9, math.nan, 0.8])),
        plain("c", 0.3, units=units([0.5])),
        plain("d", 0.4),
    ]
    rows = unit_rows(scores)
    assert list(rows) == [CEILING_ROW, "b", "a"]
    assert rows[CEILING_ROW].tolist() == [0.8, 0.9]
    assert rows["a"].tolist() == [0.1, 0.3]
    assert unit_name(scores) == "neuroid"
    assert unit_name([plain("a", 0.1, units=units([1], dim="time_bin"))]) == "time bin"


def test_no_units_no_figure():
    assert unit_figure([plain("a", 0.1)]) is None
    assert unit_figure([plain("a", 0.1, units=units([0.5], ceiling=[0.7]))]) is None


def test_few_units_are_shown_one_by_one():
    axes = unit_figure([plain("a", 0.1, units=units([0.3, 0.1, 0.2]))]).axes[0]
    assert [list(x.get_xdata()) for x in axes.lines if x.get_marker() == "o"] == [[0.1, 0.2, 0.3]]
    assert len(axes.patches) == 0


@pytest.mark.parametrize(("count", "shown"), [(MOST_POINTS, True), (MOST_POINTS + 1, False)])
def test_points_are_left_to_the_density_where_they_are_many(count, shown):
    values = np.random.default_rng(0).normal(0.4, 0.1, count)
    axes = unit_figure([plain("a", 0.1, units=units(values))]).axes[0]
    points = [x for x in axes.lines if x.get_marker() == "."]
    assert bool(points) == shown
    if shown:
        assert sorted(points[0].get_xdata()) == sorted(values)
    bar = next(x for x in axes.lines if len(x.get_xdata()) == 2 and x.get_linewidth() == 3)
    assert list(bar.get_xdata()) == pytest.approx(np.percentile(values, [25, 75]))


def test_density_has_its_peaks_where_the_values_are():
    generator = np.random.default_rng(1)
    values = np.sort(np.concatenate([generator.normal(0, 0.1, 300), generator.normal(1, 0.1, 150)]))
    grid, height = density(values)
    assert grid[0] == values[0]
    assert grid[-1] == values[-1]
    assert height.max() == 1.0
    assert abs(grid[height.argmax()]) < 0.1
    right = grid > 0.5
    assert abs(grid[right][height[right].argmax()] - 1) < 0.1
    assert height[np.abs(grid - 0.5).argmin()] < 0.3


def test_density_agrees_with_scipy():
    from scipy.stats import gaussian_kde

    values = np.sort(np.random.default_rng(2).standard_t(3, 80))
    spread = min(np.std(values, ddof=1), np.subtract(*np.percentile(values, [75, 25])) / 1.349)
    grid, height = density(values)
    expected = gaussian_kde(values, 0.9 * spread * 80**-0.2 / np.std(values, ddof=1))(grid)
    np.testing.assert_allclose(height, expected / expected.max(), rtol=1e-9)


@pytest.mark.parametrize("values", [[0.5] * 20, [0.1, 0.2, 0.3]])
def test_no_density_without_spread_or_with_few_values(values):
    assert density(np.array(values)) is None


def test_density_survives_a_majority_of_equal_values():
    grid, height = density(np.sort(np.r_[np.zeros(30), np.linspace(0.1, 1, 10)]))
    assert np.isfinite(height).all()
    assert grid[height.argmax()] < 0.1


def test_long_names_break_after_a_separator_and_keep_both_ends():
    assert two_lines("short") == "short"
    assert two_lines("resnet50-imagenet-supervised-l2-eps3", 20) == "resnet50-imagenet-\nsupervised-l2-eps3"
    first, second = two_lines("a" * 100, 20).split("\n")
    assert (first, second) == ("a" * 20, "…" + "a" * 19)
    first, second = two_lines("family." + "x" * 60 + ".v2", 20).split("\n")
    assert first.startswith("family.")
    assert second.endswith("xx.v2")
    assert len(second) == 20
