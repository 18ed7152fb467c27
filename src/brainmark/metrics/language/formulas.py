"""Predictions about surprisals in words that a machine can check: the formulas of SyntaxGym (Gauthier et al. 2020).

``(5;%match_sing%)`` is the surprisal of region 5 in the condition `match_sing` of an item, ``(*;%match_sing%)`` that of
all its regions together. They are added and compared, and comparisons are joined::

    formula    := conjunction ("|" conjunction)*
    conjunction := comparison ("&" comparison)*
    comparison := sum [("<" | ">" | "=" | "==" | "<=" | ">=" | "!=") sum]
    sum        := product (("+" | "-") product)*
    product    := factor (("*" | "/") factor)*
    factor     := "-" factor | number | region | "[" formula "]" | "(" formula ")"
    region     := "(" (digits | "*") ";" "%" name "%" ")"

Equal means alike within an absolute tolerance of 1e-3 and a relative one of 1e-5, as in SyntaxGym. Whether numbers
stand where numbers belong, and truths where truths belong, is checked when a formula is read.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import along_presentations, check_filled, check_numbers, check_same_stimuli
from brainmark.metrics._arrays.shapes import Bool, Float, Real, Shaped
from brainmark.metrics.statistics.resampling import resample

ABSOLUTE, RELATIVE = 1e-3, 1e-5
WHOLE = -1
"""Region number that stands for all regions of a condition; no region has it."""

Cell = tuple[int, str]
"""Region number and condition."""
Surprisals: TypeAlias = "Mapping[Cell, np.ndarray]"
"""Surprisal of each region in each condition, one value an item."""

_TOKEN = re.compile(
    r"\s*(?:(?P<region>\(\s*(?P<number>\d+|\*)\s*;\s*%(?P<condition>[^%]+)%\s*\))"
    r"|(?P<literal>\d+(?:\.\d*)?|\.\d+)|(?P<sign><=|>=|==|!=|[<>=&|+\-*/()\[\]]))"
)
_ARITHMETIC: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip


def _equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.isclose(a, b, rtol=RELATIVE, atol=ABSOLUTE)


_COMPARISON: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": lambda a, b: (a < b) | _equal(a, b),
    ">=": lambda a, b: (a > b) | _equal(a, b),
    "=": _equal,
    "==": _equal,
    "!=": lambda a, b: ~_equal(a, b) & ~np.isnan(a - b),
}
_TRUTH: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"&": operator.and_, "|": operator.or_}


@dataclass(frozen=True)
class Formula:
    """A prediction that was read; called with surprisals it says for which items it holds.

    Attributes
    ----------
    text : as it was written.
    cells : regions that it is about, in the order of their first mention.
    """

    text: str
    cells: tuple[Cell, ...]
    _value: Callable[[Surprisals], np.ndarray] = field(repr=False, compare=False)

    def __call__(self, surprisals: Surprisals) -> Bool[np.ndarray, " item"]:
        """Return for which items the prediction holds, (item,), bool.

        Raises
        ------
        InvalidMeasurement : a region was not read in its condition.
        """
        lost = [cell for cell in self.cells if cell not in surprisals]
        if lost:
            raise InvalidMeasurement(f"formula {self.text!r}: no region {lost[0][0]} in condition {lost[0][1]!r}")
        with np.errstate(divide="ignore", invalid="ignore"):  # x / 0 is beyond any number, 0 / 0 compares with none
            return np.asarray(self._value(surprisals), bool)


@cache
def read_formula(text: str) -> Formula:
    """Read a prediction.

    Raises
    ------
    InvalidMeasurement : it is no formula; says what was expected where.
    """
    reader = _Reader(text)
    value, truth = reader.formula()
    if reader.place < len(reader.tokens):
        raise reader.error("the end")
    if not truth:
        raise InvalidMeasurement(f"formula {text!r} has a number as its value; a prediction is true or false")
    return Formula(text, tuple(dict.fromkeys(reader.cells)), value)


_Part: TypeAlias = "tuple[Callable[[Surprisals], np.ndarray], bool]"
"""What a part of a formula is worth, and whether that is a truth."""


class _Reader:
    """Recursive descent: one method for each rule of the grammar above."""

    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0
        self.cells: list[Cell] = []
        self.tokens: list[re.Match[str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise InvalidMeasurement(f"formula {text!r}: cannot be read from position {position}")
            self.tokens.append(match)
            position = match.end()

    def error(self, expected: str) -> InvalidMeasurement:
        at = self.tokens[self.place] if self.place < len(self.tokens) else None
        found = f"{at.group().strip()!r} at position {at.end() - len(at.group().lstrip())}" if at else "the end"
        return InvalidMeasurement(f"formula {self.text!r}: expected {expected}, found {found}")

    def sign(self, choices: Mapping[str, object] | Sequence[str]) -> str:
        """Take the next token if it is one of these signs; empty: it is not."""
        found = self.tokens[self.place]["sign"] if self.place < len(self.tokens) else None
        if found is None or found not in choices:
            return ""
        self.place += 1
        return found

    def formula(self) -> _Part:
        return self._joined("|", self._conjunction)

    def _conjunction(self) -> _Part:
        return self._joined("&", self._comparison)

    def _joined(self, sign: str, rule: Callable[[], _Part]) -> _Part:
        left = rule()
        while self.sign(sign):
            left = self._both(left, rule(), _TRUTH[sign], sign, takes_truth=True), True
        return left

    def _comparison(self) -> _Part:
        left = self._sum()
        sign = self.sign(_COMPARISON)
        return (self._both(left, self._sum(), _COMPARISON[sign], sign), True) if sign else left

    def _sum(self) -> _Part:
        return self._chain("+-", self._product)

    def _product(self) -> _Part:
        return self._chain("*/", self._factor)

    def _chain(self, signs: str, rule: Callable[[], _Part]) -> _Part:
        left = rule()
        while sign := self.sign(signs):
            left = self._both(left, rule(), _ARITHMETIC[sign], sign), False
        return left

    def _factor(self) -> _Part:
        if self.sign("-"):
            value, truth = self._factor()
            if truth:
                raise self.error("a number after '-'")
            return (lambda surprisals: -value(surprisals)), False
        if opened := self.sign("[("):
            inside = self.formula()
            if not self.sign("]" if opened == "[" else ")"):
                raise self.error("']'" if opened == "[" else "')'")
            return inside
        token = self.tokens[self.place] if self.place < len(self.tokens) else None
        if token is None or not (token["region"] or token["literal"]):
            raise self.error("a region, a number or a bracket")
        self.place += 1
        if token["literal"]:
            number = np.asarray(float(token["literal"]))
            return (lambda _: number), False
        cell = (WHOLE if token["number"] == "*" else int(token["number"]), token["condition"])
        self.cells.append(cell)
        return (lambda surprisals: surprisals[cell]), False

    def _both(
        self,
        left: _Part,
        right: _Part,
        what: Callable[[np.ndarray, np.ndarray], np.ndarray],
        sign: str,
        takes_truth: bool = False,
    ) -> Callable[[Surprisals], np.ndarray]:
        for _, truth in (left, right):
            if truth != takes_truth:
                kind = "comparisons" if takes_truth else "numbers"
                raise InvalidMeasurement(f"formula {self.text!r}: {sign!r} joins {kind}")
        a, b = left[0], right[0]
        return lambda surprisals: what(a(surprisals), b(surprisals))


@metric(
    "predictions_hold",
    summary="Share of items for which predictions about surprisals hold, formula by formula.",
    cite="gauthier2020",
    compares="surprisals",
    chance=None,
    domain="language",
    tags=("engineering",),
)
def predictions_hold(
    formulas: Sequence[str] = ("(1;%a%) < (1;%b%)",),
    item: str = "item",
    condition: str = "condition",
    region: str = "region_number",
    joint: bool = False,
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """Return the metric that says for which share of the items each prediction holds.

    The prediction of a model is (presentation,), the surprisal of each region; the target names them by three
    coordinates along presentation.

    Parameters
    ----------
    formulas : see `read_formula`.
    item, condition, region : coordinates of the target.
    joint : one value: the share of items for which all predictions hold.
    resamples, seed : draws of items.

    Returns
    -------
    Comparison with one value a formula; centre: the mean.
    """
    read = [read_formula(text) for text in formulas]

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        if prediction.dims != ("presentation",):
            raise InvalidMeasurement(f"surprisals of regions have (presentation), not {tuple(prediction.dims)}")
        check_filled(prediction, "prediction")
        check_numbers(prediction.values, "prediction", missing=True)
        check_same_stimuli(prediction, target)
        surprisals, items = by_cell(
            prediction.values, *(along_presentations(target, c).astype(str) for c in (item, condition, region))
        )
        holds = np.stack([formula(surprisals) for formula in read], axis=1).astype(float)
        every = holds.min(axis=1, keepdims=True)
        counted, names = (every, ["all"]) if joint else (holds, [formula.text for formula in read])
        return resample(
            lambda counts: counts @ counted / items,
            items,
            resamples,
            seed,
            unit="prediction",
            coords={"prediction": names},
            details={"items": float(items), "share with all predictions": float(every.mean())},
        )

    return metric


def by_cell(
    values: Real[np.ndarray, " row"],
    items: Shaped[np.ndarray, " row"],
    conditions: Shaped[np.ndarray, " row"],
    regions: Shaped[np.ndarray, " row"],
) -> tuple[dict[Cell, Float[np.ndarray, " item"]], int]:
    """Sort surprisals by region and condition, one value an item, and count the items.

    Regions without a value (the first of a text, for models that need a context) are NaN: comparisons with them fail.

    Raises
    ------
    InvalidMeasurement : an item lacks a region that another has in the same condition, or has it twice.
    """
    names, item = np.unique(items, return_inverse=True)
    cells: dict[Cell, np.ndarray] = {}
    numbers = regions.astype(int)
    for name in np.unique(conditions):
        whole = np.zeros(len(names))
        for number in np.unique(numbers[conditions == name]):
            at = np.flatnonzero((conditions == name) & (numbers == number))
            if len(at) != len(names) or len(np.unique(item[at])) != len(names):
                raise InvalidMeasurement(f"region {number} of condition {str(name)!r} does not stand once in each item")
            column = np.empty(len(names))
            column[item[at]] = values[at]
            cells[int(number), str(name)] = column
            whole = whole + np.nan_to_num(column)
        cells[WHOLE, str(name)] = whole
    return cells, len(names)


__all__ = ["Cell", "Formula", "Surprisals", "by_cell", "predictions_hold", "read_formula"]
