"""Scores: ratio of centres, joint resampling, controls, and the way through JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from brainmark.core import Comparison, ControlScore, Failure, InvalidMeasurement, ModelError, Score, Stamp
from brainmark.core.convention import student_stretch
from brainmark.core.score import make_score

NAN = np.nan


def comparison(*values: float, unit: str = "neuroid", **fields) -> Comparison:
    names = [f"n{i}" for i in range(len(values))]
    return Comparison(xr.DataArray(np.array(values, float), dims=unit, coords={f"{unit}_id": (unit, names)}), **fields)


def scored(raw: Comparison, ceiling: Comparison | None = None, seed: int = 0, **controls: Comparison) -> Score:
    return make_score("Toy.V4-r", "toy", raw, ceiling, controls, seed)


# ------------------------------------------------------------------------------------------------------- centres
def test_the_value_is_the_ratio_of_centres_not_the_centre_of_ratios():
    found = scored(comparison(0.1, 0.4, 0.5), comparison(0.1, 0.8, 0.9))
    assert (found.raw, found.ceiling) == (pytest.approx(0.4), pytest.approx(0.8))
    assert found.value == pytest.approx(0.5)


def test_metric_and_ceiling_have_their_own_centres():
    found = scored(comparison(0.0, 0.1, 0.8, center="mean"), comparison(0.2, 0.5, 0.9))
    assert (found.raw, found.ceiling, found.value) == (pytest.approx(0.3), pytest.approx(0.5), pytest.approx(0.6))


def test_units_without_value_or_ceiling_count_in_neither_centre_and_are_said():
    found = scored(comparison(0.2, 0.4, NAN, 0.9), comparison(0.4, 0.8, 0.9, NAN))
    assert (found.raw, found.ceiling) == (pytest.approx(0.3), pytest.approx(0.6))
    assert found.notes == ("left out: 2 of 4 (dimension 'neuroid'), without a value or a ceiling",)


def test_without_a_ceiling_the_value_is_raw_and_says_so():
    found = scored(comparison(0.2, 0.4))
    assert (found.value, found.raw, found.ceiling, found.ceiling_bounds) == (
        pytest.approx(0.3),
        pytest.approx(0.3),
        None,
        None,
    )
    assert found.notes == ("no ceiling: the value is not normalised",)
    assert "no ceiling" in repr(found)


def test_a_ceiling_over_other_units_normalises_all():
    found = scored(comparison(0.2, 0.4, 0.6), comparison(0.8, unit="subject"))
    assert (found.raw, found.ceiling, found.value) == (pytest.approx(0.4), pytest.approx(0.8), pytest.approx(0.5))
    assert list(found.units.data_vars) == ["raw"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (comparison(NAN, NAN), "constant predictions?"),
        (comparison(NAN, notes=("no cell responds",)), "no cell responds"),
    ],
)
def test_nothing_defined_is_an_error_not_a_number(raw, why):
    with pytest.raises(
        ModelError, match=f"toy on Toy.V4-r: the metric is undefined for all {raw.values.size} units: "
    ) as error:
        scored(raw)
    assert why in str(error.value)


@pytest.mark.parametrize("top", [0.0, -0.2])
def test_a_ceiling_that_is_not_above_zero_is_refused(top):
    with pytest.raises(
        InvalidMeasurement, match=rf"Toy.V4-r: the ceiling is {top:.3g}, so these data have no reliable"
    ):
        scored(comparison(0.2), comparison(top))


def test_no_unit_with_both_a_value_and_a_ceiling_is_an_error():
    with pytest.raises(InvalidMeasurement, match="1 units have a value, and none of them a ceiling"):
        scored(comparison(0.5, NAN), comparison(NAN, 0.5))


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 1)), min_size=1, max_size=8),
    st.sampled_from(["median", "mean"]),
    st.randoms(use_true_random=False),
)
def test_the_value_does_not_depend_on_the_order_of_units(pairs, how, random):
    def value(order):
        raw, top = zip(*order, strict=True)
        return scored(comparison(*raw, center=how), comparison(*top, center=how)).value

    moved = list(pairs)
    random.shuffle(moved)
    assert value(moved) == pytest.approx(value(pairs), rel=1e-12, abs=1e-12)


# ----------------------------------------------------------------------------------------------------- intervals
def replicated(level: float, spread: float, units: int, draws: int, seed: int, shift: float = 0.0) -> Comparison:
    generator = np.random.default_rng(seed)
    values = level + spread * generator.standard_normal(units)
    return comparison(*values, replicates=values + shift + spread * generator.standard_normal((draws, units)))


def widths(raw: Comparison, ceiling: Comparison, seed: int) -> dict[str, float]:
    """Widths of percentile intervals, with loops: stimuli and units drawn together, and each alone."""
    size, draws = raw.values.size, len(raw.replicates)
    chosen = np.random.default_rng([seed, 1]).integers(size, size=(draws, size))
    whole = np.arange(size)

    def ratios(rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
        found = [np.median(x[of]) / np.median(y[of]) for x, y, of in rows]
        return float(np.percentile(found, 97.5) - np.percentile(found, 2.5))

    replicates = list(zip(raw.replicates, ceiling.replicates, strict=True))
    return {
        "both": ratios([(x, y, of) for (x, y), of in zip(replicates, chosen, strict=True)]),
        "stimuli": ratios([(x, y, whole) for x, y in replicates]),
        "units": ratios([(raw.values.values, ceiling.values.values, of) for of in chosen]),
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_resamples_stimuli_and_units_of_metric_and_ceiling_together(seed):
    """Drawing both counts the error of single units three times, drawing units once: the truth where all is theirs."""
    raw, ceiling = replicated(0.4, 0.05, 15, 200, seed), replicated(0.8, 0.05, 15, 200, seed + 50)
    low, high = scored(raw, ceiling, seed=3).interval
    by_hand = widths(raw, ceiling, 3)
    assert by_hand["units"] * 0.9 < high - low < by_hand["both"]
    assert by_hand["both"] > 1.2 * max(by_hand["stimuli"], by_hand["units"]), "the case tells the three apart"


def test_shared_errors_cancel_in_the_ratio():
    """When metric and ceiling move together with the stimuli, the interval of their ratio is a point."""
    draws = np.random.default_rng(0).uniform(0.5, 1.0, (300, 1)) * np.ones((1, 5))
    found = scored(comparison(*[0.4] * 5, replicates=0.4 * draws), comparison(*[0.8] * 5, replicates=0.8 * draws))
    assert found.interval == pytest.approx((0.5, 0.5))
    assert found.raw_interval[1] - found.raw_interval[0] > 0.1


def test_the_interval_stands_around_the_value_even_if_resampling_shifts_the_statistic():
    ceiling = comparison(*[0.8] * 15)
    plain, shifted = (replicated(0.4, 0.05, 15, 400, 1, shift=s) for s in (0.0, 0.2))
    assert scored(shifted, ceiling).interval == pytest.approx(scored(plain, ceiling).interval)
    low, high = scored(shifted, ceiling).interval
    assert low < scored(shifted, ceiling).value < high


def test_a_ceiling_without_replicates_is_taken_as_known():
    raw = replicated(0.4, 0.05, 15, 200, 1)
    found = scored(raw, comparison(*[0.5] * 15))
    assert found.interval == pytest.approx([v / 0.5 for v in found.raw_interval])
    assert found.ceiling_bounds == pytest.approx((0.5, 0.5))


def test_more_units_make_the_interval_narrower():
    wide, narrow = (scored(replicated(0.4, 0.1, n, 400, 1)).interval for n in (5, 80))
    assert narrow[1] - narrow[0] < 0.6 * (wide[1] - wide[0])


def test_the_interval_is_seeded():
    raw = replicated(0.4, 0.05, 15, 100, 1)
    assert scored(raw, seed=1).interval == scored(raw, seed=1).interval
    assert scored(raw, seed=1).interval != scored(raw, seed=2).interval


def test_no_replicates_or_too_few_give_no_interval():
    assert scored(comparison(0.2, 0.4), comparison(0.5, 0.5)).interval is None
    assert scored(replicated(0.4, 0.05, 5, 19, 1)).interval is None
    assert scored(replicated(0.4, 0.05, 5, 20, 1)).interval is not None


def test_units_that_are_left_out_are_not_drawn():
    good = replicated(0.4, 0.05, 10, 200, 1)
    ceiling = comparison(*[0.8] * 10, NAN)
    with_bad = comparison(*good.values.values, 0.9, replicates=np.column_stack([good.replicates, np.full(200, 50.0)]))
    assert scored(with_bad, ceiling).raw_interval[1] < 0.6


def test_fewer_replicates_of_the_ceiling_shorten_both():
    found = scored(replicated(0.4, 0.05, 10, 200, 1), replicated(0.8, 0.05, 10, 100, 2))
    assert found.interval[0] < found.value < found.interval[1]


def test_draws_in_which_the_ceiling_vanishes_are_left_out():
    draws = np.full((100, 1), 0.8)
    draws[:5] = 0.0
    found = scored(comparison(0.4, replicates=np.full((100, 1), 0.4)), comparison(0.8, replicates=draws))
    assert found.interval == pytest.approx((0.5, 0.5))


def test_bounds_of_the_ceiling_are_its_own_or_those_of_its_draws():
    raw = replicated(0.4, 0.05, 10, 200, 1)
    assert scored(raw, comparison(*[0.8] * 10, bounds=(0.7, 0.9))).ceiling_bounds == (0.7, 0.9)
    low, high = scored(raw, replicated(0.8, 0.05, 10, 200, 2)).ceiling_bounds
    assert 0.6 < low < 0.8 < high < 1.0


# -------------------------------------------------------------------------------------------------------- draws
def test_the_interval_spans_the_draws():
    found = scored(replicated(0.4, 0.05, 15, 200, 1), replicated(0.8, 0.05, 15, 200, 2))
    assert np.median(found.draws) == pytest.approx(found.value)
    assert np.percentile(found.draws, [2.5, 97.5]) == pytest.approx(found.interval)
    assert scored(comparison(0.2, 0.4)).draws is None


def test_a_draw_without_signal_keeps_its_place():
    top = np.full((100, 1), 0.8)
    top[3] = 0.0
    raw = comparison(0.4, replicates=np.linspace(0.3, 0.5, 100)[:, None])
    found = scored(raw, comparison(0.8, replicates=top))
    assert np.flatnonzero(np.isnan(found.draws)).tolist() == [3]
    assert np.isfinite(found.interval).all()


def test_units_of_the_same_names_are_drawn_together_and_others_apart():
    values = np.linspace(0.1, 0.9, 12)
    still = np.tile(values, (300, 1))  # no stimulus matters: what moves is the choice of units

    def drawn(names: str) -> np.ndarray:
        array = xr.DataArray(
            values, dims="neuroid", coords={"neuroid_id": ("neuroid", [f"{names}{i}" for i in range(12)])}
        )
        return scored(Comparison(array, replicates=still)).draws

    np.testing.assert_array_equal(drawn("a"), drawn("a"))
    assert abs(np.corrcoef(drawn("a"), drawn("b"))[0, 1]) < 0.2


# ------------------------------------------------------------------------------------------------------ controls
def test_controls_are_on_the_scale_of_the_value_and_over_the_same_units():
    ceiling = comparison(0.8, 0.8, NAN)
    found = scored(
        comparison(0.4, 0.4, 0.4), ceiling, shuffled=comparison(0.08, 0.08, 0.9), floor=comparison(NAN, NAN, 0.2)
    )
    assert found.controls["shuffled"] == ControlScore(value=pytest.approx(0.1), raw=pytest.approx(0.08))
    assert "floor" not in found.controls  # defined for no unit that counts
    assert "controls without a value: floor" in found.notes
    assert scored(comparison(0.4), shuffled=comparison(0.1)).controls["shuffled"].value == pytest.approx(0.1)


# ------------------------------------------------------------------------------------------------ units and JSON
def test_units_keep_raw_ceiling_and_their_names():
    found = scored(comparison(0.2, NAN), comparison(0.4, 0.5))
    np.testing.assert_array_equal(found.units["raw"], [0.2, NAN])
    np.testing.assert_array_equal(found.units["ceiling"], [0.4, 0.5])
    assert found.units.coords["neuroid_id"].values.tolist() == ["n0", "n1"]


STAMP = Stamp(
    created="2026-01-01T00:00:00Z", brainmark="0.1.0", commit=None, code="c", python="3.11", packages={"numpy": "2"},
    hardware={"cpu": "x"}, experiment="e", target="t", model="m", seed=0, seconds=1.5, peak_memory=1024,
)  # fmt: skip


@pytest.mark.parametrize("stamp", [None, STAMP])
@pytest.mark.parametrize("ceiling", [None, replicated(0.8, 0.05, 5, 50, 2)], ids=["no ceiling", "ceiling"])
@pytest.mark.parametrize("draws", [0, 50])
def test_a_score_survives_json(stamp, ceiling, draws):
    raw = replicated(0.4, 0.05, 5, draws, 1) if draws else comparison(*[0.4] * 5, details={"alpha": 3.0}, notes=("n",))
    found = scored(raw, ceiling, shuffled=comparison(*[0.01] * 5))
    found = replace(found, stamp=stamp) if stamp else found
    text = json.dumps(found.to_dict(), allow_nan=False)
    back = Score.from_dict(json.loads(text), found.units)
    assert back.to_dict() == found.to_dict()
    assert (back.interval, back.controls, back.notes, back.stamp) == (
        found.interval,
        found.controls,
        found.notes,
        stamp,
    )
    assert back.units.identical(found.units)


def test_a_score_shows_what_matters():
    found = scored(replicated(0.4, 0.01, 50, 100, 1), comparison(*[0.8] * 50))
    shown = repr(found)
    assert shown.startswith("Score(toy on Toy.V4-r: 0.")
    assert shown.endswith("ceiling 0.800)")
    assert "[" in shown
    assert not math.isnan(found.value)


def test_a_failure_is_plain():
    failure = Failure("Toy.V4-r", "toy", "resource", "out of memory")
    assert json.loads(json.dumps(failure.to_dict())) == {
        "benchmark": "Toy.V4-r", "subject": "toy", "failure": "resource", "reason": "out of memory",
    }  # fmt: skip


@pytest.mark.parametrize(("units", "narrow"), [(4, True), (5, False)])
def test_intervals_over_few_units_are_said_to_be_too_narrow(units: int, narrow: bool):
    values = np.linspace(0.2, 0.6, units)
    draws = values + 0.01 * np.random.default_rng(0).normal(size=(100, units))
    found = scored(comparison(*values, replicates=draws))
    assert any(f"rests on {units} units" in note for note in found.notes) == narrow


def test_the_stretch_of_draws_ends_with_few_units():
    """Student's t over the normal, and the draws' own shortfall; no more than for five units."""
    stretches = [student_stretch(n) for n in (2, 4, 5, 6, 50)]
    assert stretches[0] == stretches[1] == stretches[2] > stretches[3] > stretches[4]
    assert stretches[2] == pytest.approx(math.sqrt(5 / 4) * 2.776445 / 1.959964, rel=1e-6)
