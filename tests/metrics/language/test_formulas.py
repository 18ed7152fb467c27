"""Formulas about surprisals: read by their grammar, worth what arithmetic says, refused with the place."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from brainmark.core import InvalidMeasurement
from brainmark.metrics.language.formulas import WHOLE, parse_formula, predictions_hold

A, B = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 1.0])
KNOWN = {(1, "a"): A, (2, "a"): 10 * A, (1, "b-c_2"): B, (WHOLE, "a"): 11 * A}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("(1;%a%) < (1;%b-c_2%)", A < B),
        ("(1;%a%)<(1;%b-c_2%)", A < B),
        ("[ (1;%a%) + (2;%a%) ] > [3 * (1;%b-c_2%) + 5]", 11 * A > 3 * B + 5),
        ("(2;%a%) - (1;%a%) - (1;%a%) > 15.5", 8 * A > 15.5),  # from left to right
        ("(1;%a%) + 2 * (1;%b-c_2%) = 6", A + 2 * B == 6),  # products first
        ("(2;%a%) / (1;%a%) / 2 = 5", np.array([True, True, True])),
        ("-(1;%a%) < -(1;%b-c_2%)", -A < -B),
        ("(1;%a%) = 2.0005", np.array([False, True, False])),
        ("1000 * (1;%a%) = 2008", np.array([False, False, False])),  # alike to 1e-5 of the second, not to 1e-2
        ("1000 * (1;%a%) = 2000.015", np.array([False, True, False])),
        ("(1;%a%) != 2 & (1;%a%) <= 2", np.array([True, False, False])),
        ("(1;%a%) >= 2 & (1;%b-c_2%) < 2 | (1;%a%) < 1.5", np.array([True, False, True])),  # "and" before "or"
        ("[(1;%a%) < 2 | (1;%a%) > 2] & (1;%b-c_2%) > 1", np.array([True, False, False])),
        ("(*;%a%) = 22", np.array([False, True, False])),
        ("((1;%a%) < 2)", A < 2),
    ],
)
def test_formulas_say_what_arithmetic_says(text: str, holds: np.ndarray) -> None:
    np.testing.assert_array_equal(parse_formula(text)(KNOWN), holds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "contains something other than predictions"),
        ("(1;%a%)", "has a number as its value"),
        ("(1;%a%) <", "cannot be read from position 9"),
        ("[(1;%a%) < 2", "cannot be read from position"),
        ("[(1;%a%) < 2)", "cannot be read from position 12"),
        ("(1;%a%) < (2;%a%) < (1;%a%)", "other than predictions, such as a < b < c"),
        ("(1;%a%) (2;%a%) < 1", "other than predictions|cannot be read"),
        ("+(1;%a%) < 1", "other than predictions"),
        ("(1;%a%) & (2;%a%)", "join comparisons"),
        ("[(1;%a%) < 2] + 1 > 0", "join numbers"),
        ("[(1;%a%) < 2] = [(2;%a%) < 2]", "join numbers"),
        ("__import__('os')", "cannot be read from position 0"),
        ("(1;%a%) < x", "cannot be read from position 9"),
        ("(1;a) < 2", r"cannot be read from position 2"),
        ("-[(1;%a%) < 2]", "join numbers"),
    ],
)
def test_what_is_no_formula_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidMeasurement, match=message):
        parse_formula(text)


def test_a_region_that_was_not_read_is_named() -> None:
    with pytest.raises(InvalidMeasurement, match="no region 7 in condition 'a'"):
        parse_formula("(7;%a%) < 1")(KNOWN)


def test_regions_are_listed_once() -> None:
    assert parse_formula("(1;%a%) < (2;%b%) & (1;%a%) > (*;%c%)").cells == ((1, "a"), (2, "b"), (WHOLE, "c"))


def test_quotients_with_nothing_below_are_beyond_any_number_or_none() -> None:
    known = {(1, "a"): np.array([1.0, -1.0, 0.0]), (2, "a"): np.zeros(3)}
    assert parse_formula("(1;%a%) / (2;%a%) > 9")(known).tolist() == [True, False, False]
    assert parse_formula("(1;%a%) / (2;%a%) != 9")(known).tolist() == [True, True, False]


def test_regions_may_be_counted_from_zero() -> None:
    prediction, target = suite({"a": [1.0, 2.0], "b": [3.0, 0.5]}, items=2)
    target = target.assign_coords(region_number=target["region_number"] - 1)
    formulas = ["(0;%a%) = 1", "(0;%b%) = 3", "(*;%a%) = 3", "(*;%b%) = 3.5"]
    assert predictions_hold(formulas)(prediction, target).values.values.tolist() == [1.0] * 4


@st.composite
def sums(draw: st.DrawFn, depth: int = 3) -> tuple[str, np.ndarray]:
    """A random sum with brackets, and its value by NumPy."""
    if depth == 0 or draw(st.booleans()):
        number, condition = draw(st.sampled_from([(1, "a"), (2, "a"), (1, "b-c_2")]))
        return f"({number};%{condition}%)", KNOWN[number, condition]
    (one, x), (two, y) = draw(sums(depth - 1)), draw(sums(depth - 1))
    sign, value = draw(st.sampled_from([("+", x + y), ("-", x - y), ("*", x * y)]))
    return f"[{one} {sign} {two}]", value


@given(sums(), sums())
def test_nested_sums_have_their_value(left: tuple[str, np.ndarray], right: tuple[str, np.ndarray]) -> None:
    holds = parse_formula(f"{left[0]} > {right[0]}")(KNOWN)
    np.testing.assert_array_equal(holds, left[1] > right[1])


def suite(conditions: dict[str, list[float]], items: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Surprisals of regions, the same in each item, and a target that names them, in mixed order."""
    rows = [
        (i, c, k + 1, value) for i in range(items) for c, each in conditions.items() for k, value in enumerate(each)
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    columns = [np.array(column)[order] for column in zip(*rows, strict=True)]
    names = ("item", "condition", "region_number")
    coords = {n: ("presentation", c) for n, c in zip(names, columns[:3], strict=True)}
    ids = {"stimulus_id": ("presentation", [f"r{k}" for k in range(len(rows))])}
    target = xr.DataArray(np.ones(len(rows)), dims="presentation", coords={**ids, **coords})
    return xr.DataArray(columns[3], dims="presentation", coords=ids), target


def test_each_prediction_has_its_share_of_items() -> None:
    prediction, target = suite({"good": [1.0, 2.0], "bad": [1.0, 5.0]}, items=4)
    at = (target["item"] == 3) & (target["condition"] == "bad") & (target["region_number"] == 2)
    prediction = prediction.where(~at, 0.5)
    found = predictions_hold(["(2;%good%) < (2;%bad%)", "(1;%good%) = (1;%bad%)", "(1;%bad%) > 3"])(prediction, target)
    assert found.values.values.tolist() == [0.75, 1.0, 0.0]
    assert found.details == {"items": 4.0, "share with all predictions": 0.0}
    assert found.aggregate() == pytest.approx(1.75 / 3)
    assert found.replicates is not None
    assert found.replicates[:, 0].std() == pytest.approx(np.sqrt(0.75 * 0.25 / 4), rel=0.1)


def test_a_comparison_with_an_unknown_surprisal_fails() -> None:
    prediction, target = suite({"good": [1.0], "bad": [np.nan]}, items=2)
    signs = ("<", ">", "=", "!=", "<=", ">=")
    found = predictions_hold([f"(1;%good%) {sign} (1;%bad%)" for sign in signs])(prediction, target)
    assert found.values.values.tolist() == [0.0] * 6


def test_an_item_that_lacks_a_region_is_refused() -> None:
    prediction, target = suite({"good": [1.0, 2.0], "bad": [1.0, 5.0]}, items=2)
    short = slice(0, prediction.size - 1)
    with pytest.raises(InvalidMeasurement, match="does not stand once in each item"):
        predictions_hold(["(2;%good%) < (2;%bad%)"])(prediction[short], target[short])
