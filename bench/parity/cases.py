"""What is compared: recipes of synthetic recordings and behaviour. Runs with NumPy alone, in every environment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One metric on one set of data.

    Attributes
    ----------
    metric : name that both sides know.
    package : "vision" or "language".
    kind : recipe, one of `RECIPES`.
    n, p, q : presentations, model units, neuroids (their meaning for behaviour is in the recipes).
    dtype : of features and targets.
    stratified : splits hold equal shares of object names.
    splits : that the incumbent makes of the ten, where all of them take long.
    small : part of the default run.
    """

    metric: str
    package: str = "vision"
    kind: str = "recording"
    n: int = 200
    p: int = 300
    q: int = 40
    dtype: str = "float32"
    stratified: bool = False
    splits: int = 10
    small: bool = False
    twist: str = ""

    @property
    def refused(self) -> bool:
        """Whether ours must refuse the data, whatever the other side makes of them."""
        return self.twist in ("NaN", "repeated stimuli")

    @property
    def name(self) -> str:
        """Text that identifies the case."""
        shape = f"{self.n}x{self.p}-{self.q}"
        kind = "" if self.kind in ("recording", "split") else f" {self.kind}"
        strata = " stratified" if self.stratified else ""
        twist = f", {self.twist}" if self.twist else ""
        return f"{self.package} {self.metric}{kind} {shape} {self.dtype}{strata}{twist}"

    @property
    def tolerance(self) -> float:
        """Difference of scores that parity allows."""
        fitted = self.kind in ("recording", "split", "passages", "times", "subjects")
        return 1e-4 if fitted and self.metric not in CLOSED else 1e-6


TWISTS = {
    "integer objects": "object names are numbers, which sort otherwise than text",
    "uneven objects": "one object is shown ten times as often as others",
    "unsorted target": "neither side comes in the order of stimulus_id",
    "constant neuroid": "one neuroid never varies",
    "constant units": "a third of the model's units never vary",
    "low rank": "the features have rank 5",
    "large numbers": "features of 1e4 with a spread of 1",
    "NaN": "one value was not measured",
    "repeated stimuli": "the target shows one stimulus twice",
}
CLOSED = ("rdm", "rdm_cv", "cka", "cka_biased", "cka_cv", "rsa_ceiling", "pearsonr", "internal_consistency_temporal")
REGRESSION = ("pls", "ridge", "linear_predictivity", "neuron_to_neuron")
SHAPES = (  # n, p, q, stratified
    (60, 50, 1, False),
    (60, 300, 20, False),
    (200, 40, 10, True),
    (315, 1000, 102, False),
    (315, 25088, 102, False),
    (640, 500, 300, True),
    (1000, 2048, 50, True),
    (61, 20, 3, False),
    (97, 25000, 5, False),
    (2000, 30, 1, True),
    (250, 400, 5000, True),
    (3200, 1000, 168, True),
)
HUGE = (3200, 25088, 168, True)


def cases() -> list[Case]:
    """Return every case."""
    found = [
        Case(metric, n=n, p=p, q=q, dtype=dtype, stratified=strata, small=(n, p) == (60, 300) and dtype == "float32")
        for metric in REGRESSION
        for n, p, q, strata in SHAPES
        for dtype in ("float32", "float64")
        if not (dtype == "float64" and n * p > 10**6)
    ]
    found += [
        Case("reverse_pls", n=n, p=p, q=q, stratified=strata, small=n == 60)
        for n, p, q, strata in ((60, 300, 40, False), (200, 12, 60, True), (315, 1000, 102, False))
    ]
    found += [
        Case(metric, n=HUGE[0], p=HUGE[1], q=HUGE[2], stratified=True, splits=splits)
        for metric, splits in (("pls", 2), ("ridge", 10))
    ]
    found += [
        Case(metric, kind="split", n=n, p=p, q=q, small=n == 150)
        for metric in ("ridgecv_split", "dual_ridgecv_split", "ridge_split", "dual_ridge_split", "pls_split")
        for n, p, q in ((150, 400, 60), (515, 2000, 500), (900, 200, 80))
    ]
    found += [Case("dual_ridgecv_split", kind="split", n=515, p=25088, q=5000)]
    found += [
        Case(metric, kind="split", n=n, p=p, q=q, small=n == 100 and metric == "linear_predictivity_split")
        for metric in ("linear_predictivity_split", "neuron_to_neuron_split", "reverse_pls_split")
        for n, p, q in ((100, 60, 50), (640, 1500, 120))
    ]
    found += [
        Case("ridgecv", n=n, p=p, q=q, stratified=strata, small=n == 80)
        for n, p, q, strata in ((80, 300, 20, False), (315, 1000, 102, True), (1000, 200, 60, False))
    ]
    found += [
        Case(metric, kind="times", n=n, p=p, q=q, dtype="float64", stratified=strata, small=n == 60)
        for metric in ("spantime_pls", "spantime_ridge")
        for n, p, q, strata in ((60, 80, 12, False), (240, 500, 60, True))
    ]
    found += [Case("internal_consistency_temporal", kind="times", n=60, p=6, q=12, dtype="float64", small=True)]
    found += [
        Case(metric, n=n, p=p, q=20, dtype=_precise(twist), stratified=True, small=metric == "pls", twist=twist)
        for twist in TWISTS
        for metric in ("pls", "ridge", "linear_predictivity", "neuron_to_neuron", "rdm", "cka")
        for n, p in ((120, 200),)
        if not (twist == "low rank" and metric in ("pls", "linear_predictivity"))  # rounding decides what they fit
        if not (twist == "large numbers" and metric == "cka")  # rounding makes the published one 0
    ]
    found += [
        Case(metric, n=n, p=p, q=q, small=n == 60)
        for metric in ("rdm", "cka", "cka_biased")
        for n, p, q in ((60, 20, 1), (1000, 25000, 5000), (2000, 50, 30))
        if metric != "rdm" or q > 1  # one neuroid has no pattern to correlate
    ]
    found += [
        Case(metric, n=n, p=p, q=q, dtype=dtype, stratified=n != 315, small=n == 200 and dtype == "float32")
        for metric in ("rdm", "rdm_cv", "cka", "cka_biased", "cka_cv")
        for n, p, q in ((200, 300, 40), (315, 25088, 102), (3200, 1000, 168))
        for dtype in ("float32", "float64")
        if not (dtype == "float64" and n * p > 10**6)
    ]
    found += [Case("rsa_ceiling", n=100, p=6, q=60, small=True)]
    found += [
        Case("internal_consistency", kind="repetitions", n=n, p=p, q=q, small=n == 60)
        for n, p, q in ((60, 7, 20), (315, 20, 102), (3200, 50, 168))
    ]
    found += [
        Case(metric, kind="choices", n=n, p=p, q=q, dtype="float64", small=n == 240)
        for metric in ("i1", "i1n", "i2", "i2n", "o1", "o2", "i1_ceiling", "i2n_ceiling", "o2_ceiling")
        for n, p, q in ((240, 8, 80), (360, 12, 30))
    ]
    found += [
        Case(metric, kind="answers", n=n, p=p, q=q, dtype="float64", small=n == 160)
        for n, p, q in ((160, 5, 4), (1280, 12, 8), (64, 2, 1))
        for metric in (
            "error_consistency",
            "error_consistency_ceiling",
            "accuracy_distance",
            "accuracy_distance_ceiling",
        )
    ]
    found += [Case("accuracy", kind="answers", n=160, p=5, q=4, dtype="float64", small=True)]
    found += [Case("value_delta", kind="values", n=1, p=1, q=1, dtype="float64", small=True)]
    found += [
        Case(metric, kind="thresholds", n=n, p=10, q=7, dtype="float64", small=n == 200)
        for metric in ("threshold", "threshold_elevation", "threshold_ceiling", "threshold_elevation_ceiling")
        for n in (200, 400)
    ]
    found += [
        Case(metric, "language", n=n, p=p, q=q, dtype=dtype, small=n == 120 and dtype == "float32")
        for metric in ("linear_pearsonr", "ridge_pearsonr")
        for n, p, q in ((120, 300, 200), (300, 100, 50), (384, 4096, 13000))
        for dtype in ("float32", "float64")
        if not (dtype == "float64" and n == 384)
    ]
    found += [
        Case(metric, "language", "passages", n=n, p=p, q=q, small=n == 120)
        for metric in ("linear_pearsonr", "ridge_pearsonr")
        for n, p, q in ((120, 300, 200), (384, 4096, 13000))
    ]
    found += [Case(m, "language", n=150, p=200, q=30, small=True) for m in ("rdm", "rdm_cv", "cka", "cka_cv")]
    found += [Case("pearsonr", "language", n=300, p=1, q=1, dtype="float64", small=True)]
    found += [
        Case(metric, "language", "subjects", n=n, p=p, q=4, dtype="float64", small=n == 60)
        for metric in ("extrapolation", "sampled_extrapolation")
        for n, p in ((60, 5), (100, 7))
    ]
    found += [
        Case(metric, kind="tuning", n=n, p=p, q=q, dtype="float64", small=n == 100)
        for metric in ("property_similarity", "property_ceiling")
        for n, p, q in ((100, 500, 9), (30, 12, 4), (1000, 8000, 30))
    ]
    found += [
        Case("linear_predictivity", n=n, p=p, q=5, dtype=dtype)  # as many units as training presentations, or nearly
        for n, p in ((60, 57), (90, 85), (400, 380), (128, 3000), (1000, 2048))
        for dtype in ("float32", "float64")
    ]
    return found


def _precise(twist: str) -> str:
    """In float32 some scores of the incumbent on such data are rounding error."""
    return "float64" if twist in ("large numbers", "low rank", "constant units") else "float32"


def recording(case: Case) -> dict[str, np.ndarray]:
    """Rectified mixtures of 40 latent signals as features, other mixtures with noise as neuroids; rows in no order."""
    rng = _rng(case)
    latent = rng.standard_normal((case.n, 40)) / np.sqrt(np.arange(1, 41))
    x = latent @ rng.standard_normal((40, case.p)) + 0.3 * rng.standard_normal((case.n, case.p)) + 1.0
    y = latent @ rng.standard_normal((40, case.q)) + rng.standard_normal((case.n, case.q))
    order = rng.permutation(case.n)
    number = (np.arange(case.n) % 8)[rng.permutation(case.n)]
    made = {
        "x": np.maximum(x, 0),
        "x_ids": order,
        "y_ids": np.arange(case.n),
        "y": y,
        "names": np.array([f"object{i}" for i in number]),
        "subjects": np.arange(case.q) % 5,
    }
    _twist(made, case.twist, number, rng)
    made["x"] = made["x"].astype(case.dtype)[order]
    made["y"] = made["y"].astype(case.dtype)[made["y_ids"]]
    return made


def _twist(made: dict[str, np.ndarray], twist: str, number: np.ndarray, rng: np.random.Generator) -> None:
    """Make a recording awkward in place; rows of features and targets are still in the same order."""
    x, y = made["x"], made["y"]
    match twist:
        case "integer objects":
            made["names"] = 3 + 4 * number
        case "uneven objects":
            made["names"] = np.where(rng.random(len(number)) < 0.55, "object0", made["names"])
        case "unsorted target":
            made["y_ids"] = rng.permutation(len(y))
        case "constant neuroid":
            y[:, 3] = 2.5
        case "constant units":
            x[:, ::3] = 1.5
        case "low rank":
            made["x"] = x[:, :5] @ rng.standard_normal((5, x.shape[1]))
        case "large numbers":
            made["x"] = 1e4 + x
        case "NaN":
            y[7, 2] = np.nan
        case "repeated stimuli":
            made["y_ids"][1] = made["y_ids"][0]
        case _:
            pass


def times(case: Case) -> dict[str, np.ndarray]:
    """Recordings in three time bins: features (n, p, 3), neuroids (n, q, 3), and `p` repetitions of these."""
    rng = _rng(case)
    latent = rng.standard_normal((case.n, 12, 3)).cumsum(axis=2)
    x = np.einsum("nlt,lp->npt", latent, rng.standard_normal((12, case.p))) + rng.standard_normal((case.n, case.p, 3))
    y = np.einsum("nlt,lq->nqt", latent, rng.standard_normal((12, case.q)))
    names = np.array([f"object{i % 6}" for i in range(case.n)])[rng.permutation(case.n)]
    repetitions = 6 if case.metric.startswith("internal") else 1
    trials = y + 2 * rng.standard_normal((repetitions, *y.shape))
    order = rng.permutation(case.n)
    return {"x": x[order], "x_ids": order, "y": trials.mean(axis=0), "trials": trials, "names": names}


def tuning(case: Case) -> dict[str, np.ndarray]:
    """A property of `p` model units and of `n` cells, some beyond the `q` bins."""
    rng = _rng(case)
    cells, units = rng.beta(2, 3, case.n) * 1.2 - 0.1, rng.beta(3, 2, case.p)
    return {"cells": cells, "units": units, "bins": np.linspace(0, 1, case.q + 1)}


def passages(case: Case) -> dict[str, np.ndarray]:
    """The same with sentences in 24 passages of unequal length."""
    made = recording(case)
    made["passage"] = np.sort(_rng(case).integers(24, size=case.n))
    return made


def repetitions(case: Case) -> dict[str, np.ndarray]:
    """`p` repetitions of every stimulus, (repetition, stimulus, neuroid)."""
    rng = _rng(case)
    signal = rng.standard_normal((case.n, case.q))
    noise = rng.standard_normal((case.p, case.n, case.q)) * rng.uniform(0.5, 4, case.q)
    return {"trials": (signal + noise).astype(case.dtype)}


def choices(case: Case) -> dict[str, np.ndarray]:
    """Two-way choices of people between `p` objects, `q` for each of `n` images, and probabilities of a model."""
    rng = _rng(case)
    truth = np.arange(case.n) % case.p
    evidence = rng.standard_normal((case.n, case.p)) + 2.0 * np.eye(case.p)[truth]
    image = np.repeat(np.arange(case.n), case.q)
    other = (truth[image] + 1 + rng.integers(case.p - 1, size=len(image))) % case.p
    right = rng.random(len(image)) < 1 / (1 + np.exp(evidence[image, other] - evidence[image, truth[image]]))
    model = np.exp(evidence + rng.standard_normal(evidence.shape))
    return {
        "probabilities": model / model.sum(axis=1, keepdims=True),
        "truth": truth,
        "image": image,
        "other": other,
        "chosen": np.where(right, truth[image], other),
    }


def answers(case: Case) -> dict[str, np.ndarray]:
    """Labels that `p` subjects and a model gave to `n` images in `q` conditions of growing difficulty."""
    rng = _rng(case)
    truth, condition = rng.integers(6, size=case.n), np.arange(case.n) % case.q
    easy = rng.standard_normal(case.n) - 0.5 * condition

    def label() -> np.ndarray:
        right = easy + rng.standard_normal(case.n) > -0.8
        return np.where(right, truth, (truth + 1 + rng.integers(5, size=case.n)) % 6)

    people = np.stack([label() for _ in range(case.p)])
    return {"truth": truth, "condition": condition, "people": people, "model": label()}


def values(case: Case) -> dict[str, np.ndarray]:
    """Two numbers."""
    return {"pair": _rng(case).uniform(0, 2, 2)}


def thresholds(case: Case) -> dict[str, np.ndarray]:
    """Probabilities of two choices over `p` levels of a stimulus, with a baseline, and thresholds of `q` people."""
    rng = _rng(case)
    made: dict[str, np.ndarray] = {
        "people": rng.uniform(20, 60, case.q),
        "people_baseline": rng.uniform(10, 30, case.q),
    }
    for which, middle in (("condition", 40.0), ("baseline", 20.0)):
        level = np.tile(np.linspace(2, 80, case.p), case.n // case.p)
        label = rng.integers(2, size=len(level))
        right = rng.random(len(level)) < 0.5 + 0.46 / (1 + np.exp(-(level - middle) / 8))
        picked = np.where(right, label, 1 - label)
        made |= {f"{which}_level": level, f"{which}_label": label, f"{which}_p": 0.1 + 0.8 * np.eye(2)[picked]}
    return made


def subjects(case: Case) -> dict[str, np.ndarray]:
    """`q` neuroids in each of `p` subjects who share a signal."""
    rng = _rng(case)
    latent = rng.standard_normal((case.n, 6))
    mixing = rng.standard_normal((6, case.p * case.q))
    y = latent @ mixing + 1.5 * rng.standard_normal((case.n, case.p * case.q))
    return {"y": y, "subject": np.repeat(np.arange(case.p), case.q)}


RECIPES = {
    "recording": recording,
    "split": recording,
    "passages": passages,
    "repetitions": repetitions,
    "choices": choices,
    "answers": answers,
    "values": values,
    "thresholds": thresholds,
    "subjects": subjects,
    "times": times,
    "tuning": tuning,
}


def make(case: Case) -> dict[str, np.ndarray]:
    """Generate the data of a case; the seed follows from its shape."""
    return RECIPES[case.kind](case)


def given(text: str) -> Case:
    """Return the case that a command line names: its number, or its attributes in JSON."""
    return cases()[int(text)] if text.isdigit() else Case(**json.loads(text))


def load(path: str | Path) -> dict[str, Any]:
    """Read the data of a case."""
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def _rng(case: Case) -> np.random.Generator:
    return np.random.default_rng([case.n, case.p, case.q])
