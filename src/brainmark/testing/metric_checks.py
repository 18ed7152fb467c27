"""Checks of a registered metric, on pairs of measurements whose relation is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from brainmark.core.cards import MetricCard
from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import BrainmarkError
from brainmark.core.libraries import np, xr
from brainmark.core.registry import Entry
from brainmark.testing.card_checks import card_is_complete
from brainmark.testing.examples import MetricExample, metric_example
from brainmark.testing.outcome import CheckFailed, CheckSkipped, UnderTest, attempt, describe, fail_if

_NAMES = {"neuroid": "neuroid_id", "time_bin": "time_bin_start"}
"""Coordinates that name the units, where they are not called like the dimension."""


class MetricUnderTest(UnderTest[Metric, MetricCard]):
    """A metric, made once, with a pair of measurements of the kind on its card."""

    def __init__(self, entry: Entry[Metric, MetricCard], example: MetricExample | None = None) -> None:
        super().__init__(entry)
        self.example = example or metric_example(self.card.compares)

    @property
    def metric(self) -> Metric:
        """The metric; checks that need it are skipped if it cannot be made."""
        if isinstance(self.product, Exception):
            raise CheckSkipped(f"the metric cannot be made: {describe(self.product)}")
        return self.product

    @cached_property
    def noisy_prediction(self) -> xr.DataArray:
        """The right prediction with as much noise as signal."""
        return self.with_noise(1.0)

    def with_noise(self, level: float) -> xr.DataArray:
        """Return the right prediction, each unit with noise of `level` times its standard deviation."""
        return self.example.disturb(self.example.prediction, level, np.random.default_rng([17, int(level * 1000)]))

    @cached_property
    def first(self) -> Comparison | Exception:
        """What the metric says about the noisy prediction, or what went wrong."""
        self.metric  # noqa: B018 - skips the check if there is none
        return attempt(lambda: self.compare(self.noisy_prediction))

    def comparison(self) -> Comparison:
        """Return the comparison with the noisy prediction; skip the check if there is none."""
        if not isinstance(self.first, Comparison):
            raise CheckSkipped("no valid comparison to start from")
        return self.first

    def compare(self, prediction: xr.DataArray) -> Comparison:
        """Compare copies, so that a metric that changes its input spoils one check only."""
        return self.metric(prediction.copy(deep=True), self.example.target.copy(deep=True))

    def value(self, prediction: xr.DataArray) -> float:
        """Return the centre over units for `prediction`; skip the check if there was no first comparison."""
        self.comparison()
        return self.compare(prediction).aggregate()


def compares(metric: MetricUnderTest) -> None:
    """A prediction and a target give a Comparison with at least one finite value."""
    made = metric.product
    if isinstance(made, Exception):
        raise CheckFailed(f"the factory raises {describe(made)}")
    found = metric.first
    if isinstance(found, Exception):
        raise CheckFailed(f"comparing {metric.card.compares} raises {describe(found)}")
    # foreign code may return anything
    is_one = isinstance(found, Comparison)  # pyright: ignore[reportUnnecessaryIsInstance]
    fail_if(not is_one, f"the metric returns a {type(found).__name__}, not a Comparison")
    fail_if(not np.isfinite(found.values.values).any(), "no unit has a finite value for a prediction with some noise")


def perfect_prediction_scores_best(metric: MetricUnderTest) -> None:
    """The right prediction scores higher than the same with little or much noise."""
    if metric.example.chosen and metric.card.chance is None:
        raise CheckSkipped("the card states no chance level: any choices have a value, and the target's are not best")
    right = metric.value(metric.example.prediction)
    for level in (0.5, 2.0):
        noisy = metric.value(metric.with_noise(level))
        fail_if(
            not right >= noisy - 1e-9,
            f"the right prediction scores {right:.4f}, with noise of {level} standard deviations {noisy:.4f}",
        )
    fail_if(not right > noisy, f"the right prediction and one with twice as much noise as signal score {right:.4f}")


def wrong_pairing_scores_chance(metric: MetricUnderTest) -> None:
    """Predictions paired with the wrong presentations score at the chance level of the card."""
    if not metric.example.paired:
        raise CheckSkipped("the metric compares distributions, which have no pairs")
    if metric.card.chance is None:
        raise CheckSkipped("the card states no chance level")
    prediction = metric.example.prediction
    generator, values = np.random.default_rng(23), []
    for _ in range(5):
        order = generator.permutation(prediction.sizes["presentation"])
        values.append(metric.value(prediction.copy(data=_rows(prediction, order))))
    found = float(np.mean(values))
    right = metric.value(prediction)
    allowed = 0.15 * abs(right - metric.card.chance)
    fail_if(
        not abs(found - metric.card.chance) <= allowed,
        f"wrong pairings score {found:.3f} on average; the card says chance is {metric.card.chance:g} "
        f"(the right pairing scores {right:.3f})",
    )


def order_of_units_does_not_matter(metric: MetricUnderTest) -> None:
    """Units of the prediction in another order give the same values."""
    if "stochastic" in metric.card.tags:
        raise CheckSkipped("the card says that numbers are drawn for units, one after another")
    before, prediction = metric.comparison().values.values, metric.noisy_prediction
    dim = next((d for d in ("neuroid", "choice") if d in prediction.dims), None)
    if dim is None:
        raise CheckSkipped("the prediction has no units")
    after = metric.compare(prediction.isel({dim: slice(None, None, -1)})).values.values
    if before.shape != after.shape or not np.allclose(before, after, rtol=1e-4, atol=1e-6, equal_nan=True):
        raise CheckFailed(f"values change from {before[:3]} to {after[:3]} when {dim}s are reversed")


def values_name_their_units(metric: MetricUnderTest) -> None:
    """Several values carry the names of their units; neuroids are those of the target, in its order."""
    values, target = metric.comparison().values, metric.example.target
    unit = str(values.dims[0])
    name = _NAMES.get(unit, unit)
    if values.size == 1 and name not in values.coords:
        return  # one value over all: the dimension says what of
    fail_if(name not in values.coords, f"values along {unit!r} have no coordinate {name!r}")
    given = values.coords[name].values.astype(str).tolist()
    if metric.example.paired and unit in target.dims and name in target.coords:
        expected = target.coords[name].values.astype(str).tolist()
        fail_if(given != expected, f"values are for {name} {given[:3]}..., the target has {expected[:3]}...")


def same_numbers_twice(metric: MetricUnderTest) -> None:
    """The same input gives the same bits, also from a metric made anew."""
    first = metric.comparison()
    for where, other in (("again", metric), ("with a metric made anew", MetricUnderTest(metric.entry, metric.example))):
        second = other.compare(metric.noisy_prediction)
        for part in ("values", "splits", "replicates"):
            one, two = getattr(first, part), getattr(second, part)
            fail_if((one is None) != (two is None), f"{part}: there once, missing {where}")
            if one is not None and not np.array_equal(np.asarray(one), np.asarray(two), equal_nan=True):
                raise CheckFailed(f"{part} differ {where}; seed what is random")


def input_is_left_untouched(metric: MetricUnderTest) -> None:
    """Neither prediction nor target are changed."""
    metric.comparison()
    prediction, target = metric.noisy_prediction.copy(deep=True), metric.example.target.copy(deep=True)
    metric.metric(prediction, target)
    for name, after, before in (
        ("prediction", prediction, metric.noisy_prediction),
        ("target", target, metric.example.target),
    ):
        fail_if(not after.identical(before), f"the metric changed the {name}; let it work on a copy")


def missing_values_are_handled_or_refused(metric: MetricUnderTest) -> None:
    """A unit without values, or one missing value, leaves the other units as they are, or is refused clearly."""
    if "neuroid" not in metric.example.target.dims or metric.comparison().unit != "neuroid":
        raise CheckSkipped("values are not per neuroid")
    before = metric.comparison().values.values
    for rows, where in ((slice(None), "a neuroid of NaN"), (slice(0, 1), "one NaN")):
        time = "presentation" if "presentation" in metric.example.target.dims else "time_bin"
        target = metric.example.target.astype(float).transpose(time, ...).copy(deep=True)
        target[{time: rows, "neuroid": 1}] = np.nan
        try:
            after = metric.metric(metric.noisy_prediction, target).values.values
        except BrainmarkError:
            continue
        except Exception as error:
            raise CheckFailed(f"{where} in the target raises {describe(error)}; raise a BrainmarkError") from error
        fail_if(after.shape != before.shape, f"{where} in the target changes the number of values")
        whole = rows == slice(None)
        fail_if(whole and bool(np.isfinite(after[1])), f"{where} in the target gets the value {after[1]:.3f}, not NaN")
        others = np.arange(len(before)) != 1
        fail_if(
            not np.allclose(before[others], after[others], rtol=1e-3, atol=0.05, equal_nan=True),
            f"{where} in the target changes the values of other neuroids",
        )


def constant_prediction_gets_no_value(metric: MetricUnderTest) -> None:
    """A prediction that never changes is undefined (NaN), refused, or exactly at chance: no number in disguise."""
    if metric.example.chosen and metric.card.chance is None:
        raise CheckSkipped("the card states no chance level: any choices have a value, and the target's are not best")
    if not metric.example.paired:
        raise CheckSkipped("distributions are compared")
    metric.comparison()
    constant = metric.example.prediction.copy(data=np.full(metric.example.prediction.shape, 0.25))
    try:
        values = metric.compare(constant).values.values
    except BrainmarkError:
        return
    except Exception as error:
        raise CheckFailed(f"a constant prediction raises {describe(error)}; raise a BrainmarkError") from error
    if metric.example.chosen and metric.card.chance is not None:
        values = values[~np.isclose(values, metric.card.chance, atol=1e-6)]
    some = values[np.isfinite(values)]
    fail_if(len(some) > 0, f"a constant prediction scores {some[0] if len(some) else 0:.3g}; it is undefined (NaN)")


def replicates_surround_the_value(metric: MetricUnderTest) -> None:
    """Values under resampled stimuli are at least 20 draws that spread around the value of each unit."""
    found = metric.comparison()
    if found.replicates is None:
        raise CheckSkipped("the metric does not resample")
    count = len(found.replicates)
    fail_if(count < 20, f"{count} replicates are too few for an interval")
    values, draws = found.values.values, found.replicates
    known = np.isfinite(values)
    fail_if(not np.isfinite(draws[:, known]).any(axis=0).all(), "a unit with a value has no finite replicate")
    low, high = np.nanmin(draws[:, known], axis=0), np.nanmax(draws[:, known], axis=0)
    fail_if(bool((high <= low).any()), "the replicates of a unit are all the same: stimuli are not resampled")
    outside = (values[known] < low) | (values[known] > high)
    fail_if(outside.mean() > 0.2, f"{int(outside.sum())} of {known.sum()} values lie outside all their replicates")


def _rows(measurement: xr.DataArray, order: np.ndarray) -> np.ndarray:
    return measurement.isel(presentation=order).transpose(*measurement.dims).values


CHECKS: tuple[Callable[[Any], None], ...] = (
    card_is_complete,
    compares,
    perfect_prediction_scores_best,
    wrong_pairing_scores_chance,
    order_of_units_does_not_matter,
    values_name_their_units,
    same_numbers_twice,
    input_is_left_untouched,
    missing_values_are_handled_or_refused,
    constant_prediction_gets_no_value,
    replicates_surround_the_value,
)
