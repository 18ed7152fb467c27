"""The formulas of SyntaxGym, which state predictions about surprisals (Gauthier et al. 2020).

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

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce
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
_PYTHON = {"=": "==", "&": "and", "|": "or"}
"""Signs that Python writes otherwise; the order in which signs bind is Python's."""


def _equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.isclose(a, b, rtol=RELATIVE, atol=ABSOLUTE)


_Operation: TypeAlias = "Callable[[np.ndarray, np.ndarray], np.ndarray]"
_ARITHMETIC: dict[type[ast.AST], _Operation] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISON: dict[type[ast.AST], _Operation] = {
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
    ast.LtE: lambda a, b: (a < b) | _equal(a, b),
    ast.GtE: lambda a, b: (a > b) | _equal(a, b),
    ast.Eq: _equal,
    ast.NotEq: lambda a, b: ~_equal(a, b) & ~np.isnan(a - b),
}
_TRUTH: dict[type[ast.AST], _Operation] = {ast.And: operator.and_, ast.Or: operator.or_}


@dataclass(frozen=True)
class Formula:
    """A parsed prediction; called with surprisals it returns for which items it holds.

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
def parse_formula(text: str) -> Formula:
    """Read a prediction.

    Raises
    ------
    InvalidMeasurement : it is no formula; says from where it cannot be read, or what does not belong together.
    """
    words: list[str] = []
    starts: list[int] = []  # where each word stands in the text
    cells: list[Cell] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        token = _TOKEN.match(text, position)
        if token is None:
            raise InvalidMeasurement(f"formula {text!r} cannot be read from position {position}")
        starts.append(token.end() - len(token.group().lstrip()))
        position = token.end()
        if token["region"]:
            words.append(f"r{len(cells)}")
            cells.append((WHOLE if token["number"] == "*" else int(token["number"]), token["condition"]))
        else:
            words.append(token["literal"] or _PYTHON.get(token["sign"], token["sign"]))
    try:
        tree = ast.parse("\n".join(["(", *words, ")"]), mode="eval")  # one word a line: lines say where errors are
    except SyntaxError as error:
        where = (error.lineno or 0) - 2
        position = starts[where] if 0 <= where < len(starts) else end
        raise InvalidMeasurement(f"formula {text!r} cannot be read from position {position}") from None
    value, truth = _Parser(text, cells).parse(tree.body)
    if not truth:
        raise InvalidMeasurement(f"formula {text!r} has a number as its value; a prediction is true or false")
    return Formula(text, tuple(dict.fromkeys(cells)), value)


_Part: TypeAlias = "tuple[Callable[[Surprisals], np.ndarray], bool]"
"""What a part of a formula is worth, and whether that is a truth."""


@dataclass(frozen=True)
class _Parser:
    text: str
    cells: list[Cell]

    def parse(self, node: ast.expr) -> _Part:
        """Return what a part of a formula is worth."""
        match node:
            case ast.Name(id=name):
                cell = self.cells[int(name[1:])]
                return (lambda surprisals: surprisals[cell]), False
            case ast.Constant(value=int() | float() as number):
                return (lambda _: np.asarray(float(number))), False
            case ast.List(elts=[inside]):
                return self.parse(inside)
            case ast.UnaryOp(op=ast.USub(), operand=inside):
                return self._join([ast.Constant(0.0), inside], ast.Sub(), _ARITHMETIC, takes_truth=False)
            case ast.BinOp(left=left, op=sign, right=right):
                return self._join([left, right], sign, _ARITHMETIC, takes_truth=False)
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                return self._join([left, right], sign, _COMPARISON, takes_truth=False)
            case ast.BoolOp(op=sign, values=parts):
                return self._join(parts, sign, _TRUTH, takes_truth=True)
            case _:
                raise InvalidMeasurement(
                    f"formula {self.text!r} contains something other than predictions, such as a < b < c"
                )

    def _join(
        self, nodes: Sequence[ast.expr], sign: ast.AST, known: Mapping[type[ast.AST], _Operation], takes_truth: bool
    ) -> _Part:
        parts = [self.parse(node) for node in nodes]
        if any(truth != takes_truth for _, truth in parts) or type(sign) not in known:
            kinds = "'&' and '|' join comparisons" if takes_truth else "other signs join numbers"
            raise InvalidMeasurement(f"formula {self.text!r}: {kinds}")
        operation = known[type(sign)]
        values = [value for value, _ in parts]
        return (lambda surprisals: reduce(operation, [v(surprisals) for v in values])), known is not _ARITHMETIC


@metric(
    "predictions_hold", summary="Share of items for which predictions about surprisals hold, formula by formula.",
    cite="gauthier2020", compares="surprisals", chance=None, domain="language", tags=("engineering",),
)  # fmt: skip
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
    formulas : see `parse_formula`.
    item, condition, region : coordinates of the target.
    joint : one value: the share of items for which all predictions hold.
    resamples, seed : draws of items.

    Returns
    -------
    Comparison with one value a formula; centre: the mean.
    """
    parsed = [parse_formula(text) for text in formulas]

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        if prediction.dims != ("presentation",):
            raise InvalidMeasurement(f"surprisals of regions have (presentation), not {tuple(prediction.dims)}")
        check_filled(prediction, "prediction")
        check_numbers(prediction.values, "prediction", missing=True)
        check_same_stimuli(prediction, target)
        surprisals, items = by_cell(
            prediction.values, *(along_presentations(target, c).astype(str) for c in (item, condition, region))
        )
        holds = np.stack([formula(surprisals) for formula in parsed], axis=1).astype(float)
        every = holds.min(axis=1, keepdims=True)
        counted, names = (every, ["all"]) if joint else (holds, [formula.text for formula in parsed])

        def statistic(counts: np.ndarray) -> np.ndarray:
            return counts @ counted / items

        return resample(
            statistic,
            items,
            resamples,
            seed,
            {"prediction": names},
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
