"""Every metric on data that break something: an answer, NaN with a note, or a typed error; never a silent NaN or 0."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import metrics as brainscore
from brainmark.core import BrainmarkError, Comparison, ResourceError, metrics
from brainmark.metrics.regression.matching import MOST_PAIRS
from brainmark.metrics.similarity import alignment
from brainmark.metrics.similarity import rsa as similarity
from brainmark.metrics.statistics import ceilings
from brainmark.testing.examples import metric_example

Pair = tuple[xr.DataArray, xr.DataArray]
Compare = Callable[[xr.DataArray, xr.DataArray], Comparison]

PUBLISHED: dict[str, Compare] = {
    "pls": brainscore.pls(),
    "reverse_pls": brainscore.reverse_pls(),
    "ridge": brainscore.ridge(),
    "ridgecv": brainscore.ridgecv(alphas=(1.0, 100.0)),
    "linear_predictivity": brainscore.linear_predictivity(),
    "neuron_to_neuron": brainscore.neuron_to_neuron(),
    "rdm": brainscore.rdm(),
    "rdm_cv": brainscore.rdm_cv(),
    "cka": brainscore.cka(),
    "cka_biased": brainscore.cka(unbiased=False),
    "cka_cv": brainscore.cka_cv(),
    "linear_pearsonr": brainscore.linear_pearsonr(),
    "ridge_pearsonr": brainscore.ridge_pearsonr(),
}
CEILINGS = {
    "split_half": ceilings.split_half(resamples=20),
    "rdm_ceiling": similarity.rdm_ceiling(resamples=20),
    "cka_ceiling": alignment.cka_ceiling(resamples=20),
    "internal_consistency": brainscore.internal_consistency,
}


def with_values(array: xr.DataArray, change: Callable[[np.ndarray], object]) -> xr.DataArray:
    values = array.values.astype(float)
    change(values)
    return array.copy(data=values)


def put(where: object, value: float) -> Callable[[np.ndarray], object]:
    def change(values: np.ndarray) -> None:
        values[where if where is ... else where[: values.ndim]] = value  # type: ignore[index]

    return change


def both(change: Callable[[xr.DataArray], xr.DataArray]) -> Callable[[Pair], Pair]:
    return lambda pair: (change(pair[0]), change(pair[1]))


def model(change: Callable[[xr.DataArray], xr.DataArray]) -> Callable[[Pair], Pair]:
    return lambda pair: (change(pair[0]), pair[1])


def brain(change: Callable[[xr.DataArray], xr.DataArray]) -> Callable[[Pair], Pair]:
    return lambda pair: (pair[0], change(pair[1]))


def first(dim: str, count: int) -> Callable[[xr.DataArray], xr.DataArray]:
    def change(array: xr.DataArray) -> xr.DataArray:
        kept = {d: slice(count) for d in array.dims if d == dim or (d == "other" and dim == "presentation")}
        return array.isel(kept) if kept else array

    return change


def spoiled(where: object, value: float) -> Callable[[xr.DataArray], xr.DataArray]:
    return lambda array: with_values(array, put(where, value))


def low_rank(array: xr.DataArray) -> xr.DataArray:
    values = array.values.astype(float)
    return array.copy(data=values[:, :1] + 0.0 * values)


def renamed(array: xr.DataArray) -> xr.DataArray:
    return array.assign_coords(stimulus_id=("presentation", [f"other{i}" for i in range(len(array))]))


def twice(array: xr.DataArray) -> xr.DataArray:
    if "stimulus_id" not in array.coords:
        return array
    ids = array.coords["stimulus_id"].values.copy()
    ids[1] = ids[0]
    return array.assign_coords(stimulus_id=("presentation", ids))


def many(array: xr.DataArray) -> xr.DataArray:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((len(array), 20_000)).astype(np.float32)
    values[:, : array.shape[1]] += array.values
    return xr.DataArray(values, dims=array.dims, coords={"stimulus_id": array.coords["stimulus_id"]})


ANY: dict[str, Callable[[Pair], Pair]] = {
    "NaN in the model": model(spoiled((1, 0), np.nan)),
    "NaN in the brain": brain(spoiled((1, 0), np.nan)),
    "all NaN in the brain": brain(spoiled(..., np.nan)),
    "infinite model": model(spoiled((1, 0), np.inf)),
    "infinite brain": brain(spoiled((1, 0), np.inf)),
    "no presentation": both(first("presentation", 0)),
    "one presentation": both(first("presentation", 1)),
    "two presentations": both(first("presentation", 2)),
    "five presentations": both(first("presentation", 5)),
    "eleven presentations": both(first("presentation", 11)),
    "constant model": model(spoiled(..., 3.0)),
    "constant brain": brain(spoiled(..., 3.0)),
    "model of zeros": model(spoiled(..., 0.0)),
    "float16 model": model(lambda a: a.astype(np.float16)),
    "float32 model": model(lambda a: a.astype(np.float32)),
    "huge model": model(lambda a: a * 1e30),
    "tiny model": model(lambda a: a * 1e-30),
    "other stimuli": model(renamed),
    "a stimulus twice": both(twice),
    "other number of stimuli": model(first("presentation", 7)),
}
RECORDED: dict[str, Callable[[Pair], Pair]] = ANY | {
    "constant unit": model(spoiled((slice(None), 0), 3.0)),
    "constant neuroid": brain(spoiled((slice(None), 0), 3.0)),
    "neuroid without data": brain(spoiled((slice(None), 0), np.nan)),
    "one unit": model(first("neuroid", 1)),
    "one neuroid": brain(first("neuroid", 1)),
    "no unit": model(first("neuroid", 0)),
    "no neuroid": brain(first("neuroid", 0)),
    "equal units": model(low_rank),
    "20,000 units": model(many),
    "huge brain": brain(lambda a: a * 1e30),
    "tiny brain": brain(lambda a: a * 1e-30),
    "integer model": model(lambda a: (a * 10).round().astype(np.int32)),
    "integer brain": brain(lambda a: (a * 10).round().astype(np.int64)),
    "model of booleans": model(lambda a: a > 0),
    "two spikes": model(lambda a: with_values(a * 0, put(([0, 1], 0), 1.0))),
}


TEXT = ("no", "one", "two", "five", "eleven", "other", "a stimulus twice")  # what words can have, beginnings of names
FREE = {  # kinds whose metrics do not read what the fault is in
    ("series", "other number of stimuli"),  # a run has any number of words
    ("timed judgements", "other number of stimuli"),
    ("surprisals", "infinite brain"),  # their targets are coordinates
}
MUST_BE_REFUSED = {
    "infinite model",
    "infinite brain",
    "no presentation",
    "no unit",
    "no neuroid",
    "other number of stimuli",
}
TRIALS: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "nothing": lambda a: a,
    "one neuroid": first("neuroid", 1),
    "no neuroid": first("neuroid", 0),
    "one repetition": first("repetition", 1),
    "two repetitions": first("repetition", 2),
    "no repetition": first("repetition", 0),
    "one presentation": first("presentation", 1),
    "two presentations": first("presentation", 2),
    "no presentation": first("presentation", 0),
    "constant": spoiled(..., 3.0),
    "constant neuroid": spoiled((slice(None), 0), 3.0),
    "a missing value": spoiled((1, 0, 0), np.nan),
    "a stimulus without trials of a neuroid": spoiled((1, 0), np.nan),
    "NaN only": spoiled(..., np.nan),
    "infinite": spoiled((1, 0, 0), np.inf),
    "huge": lambda a: a * 1e30,
    "tiny": lambda a: a * 1e-30,
    "float32": lambda a: a.astype(np.float32),
    "integers": lambda a: (a * 10).round().astype(np.int32),
    "the same trial each time": lambda a: a * 0 + a.isel(repetition=0),
}


def verdict(compare: Callable[[], Comparison]) -> str:
    """Say what came out: "answer", "NaN, said", or "refused"; anything else is a fault."""
    try:
        found = compare()
    except BrainmarkError as error:
        assert len(str(error)) > 15, f"an error must say what and where: {error!r}"
        return "refused"
    values = np.asarray(found.values.values, float)
    assert values.size, "a comparison without units"
    assert not np.isinf(values).any(), f"infinite values: {values}"
    if np.isnan(values).any():
        assert found.notes, f"{np.isnan(values).sum()} of {values.size} values are NaN, and no note says why"
        return "NaN, said"
    return "answer"


def pair_of(name: str) -> Pair:
    entry = metrics[name]
    example = metric_example(entry.card.compares)
    return example.prediction, example.target


def quick(name: str) -> Compare:
    """A registered metric with few resamples, where it has any."""
    factory = metrics[name].factory
    return factory(resamples=20) if "resamples" in inspect.signature(factory).parameters else factory()


def cases() -> list[tuple[str, str]]:
    return [
        (name, fault)
        for name in metrics
        for fault in (RECORDED if metrics[name].card.compares in ("recordings", "dissimilarities") else ANY)
        if (name, fault) != ("soft_matching", "20,000 units")  # minutes: see the next test
        and (metrics[name].card.compares not in ("words", "object labels") or fault.startswith(TEXT))
        and (metrics[name].card.compares != "object trials" or "model" in fault or fault.startswith(TEXT))
    ]


def test_soft_matching_refuses_what_would_take_hours() -> None:
    _, target = pair_of("soft_matching")
    wide = xr.DataArray(
        np.zeros((len(target), MOST_PAIRS // target.sizes["neuroid"] + 1), np.float32),
        dims=("presentation", "neuroid"),
        coords={"stimulus_id": target.coords["stimulus_id"]},
    )
    with pytest.raises(ResourceError, match="give fewer units"):
        quick("soft_matching")(wide, target)


@pytest.mark.parametrize(("name", "fault"), cases())
def test_registered_metrics_answer_or_say_why_not(name: str, fault: str) -> None:
    given = pair_of(name)
    prediction, target = RECORDED[fault](given)
    found = verdict(lambda: quick(name)(prediction, target))
    same = prediction is given[0] and target is given[1]  # some have no such dimension
    if fault in MUST_BE_REFUSED and not same and (metrics[name].card.compares, fault) not in FREE:
        assert found == "refused"


@pytest.mark.parametrize("fault", RECORDED)
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_metrics_answer_or_say_why_not(name: str, fault: str) -> None:
    prediction, target = RECORDED[fault](pair_of("pls"))
    found = verdict(lambda: PUBLISHED[name](prediction, target))
    if fault in MUST_BE_REFUSED or "NaN in" in fault:
        assert found == "refused"


@pytest.mark.parametrize("fault", TRIALS)
@pytest.mark.parametrize("name", CEILINGS)
def test_ceilings_answer_or_say_why_not(name: str, fault: str) -> None:
    target = pair_of("pls")[1]
    rng = np.random.default_rng(1)
    trials = xr.concat([target + rng.standard_normal(target.shape) for _ in range(6)], "repetition")
    verdict(lambda: CEILINGS[name](TRIALS[fault](trials.transpose("presentation", "neuroid", "repetition"))))


VARY = ["constant model", "model of zeros", "constant brain"]


@pytest.mark.parametrize("name", ["pls", "ridge", "ols", "single_unit", "soft_matching", "rdm", "cka", "procrustes"])
@pytest.mark.parametrize("fault", VARY)
def test_what_never_varies_has_no_score_rather_than_0(name: str, fault: str) -> None:
    no_score(lambda: quick(name)(*RECORDED[fault](pair_of(name))))


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - {"cka", "cka_cv", "linear_pearsonr", "ridge_pearsonr"}))
@pytest.mark.parametrize("fault", VARY)
def test_published_metrics_have_none_either_but_for_those_that_are_known_to_give_0(name: str, fault: str) -> None:
    no_score(lambda: PUBLISHED[name](*RECORDED[fault](pair_of("pls"))))


def no_score(compare: Callable[[], Comparison]) -> None:
    try:
        values = compare().values.values
    except BrainmarkError:
        return
    assert np.isnan(values).all(), f"a score for what never varies: {values}"
