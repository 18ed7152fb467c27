"""Ceilings where stimuli, pairs or trials are missing: what is true reaches them, over the units that the metric has.

Guards against ceilings that are too low where subjects saw other stimuli (the true RDM then scored up to 1.3), bounds
of NaN that end up in JSON, and ceilings over fewer neuroids than the metric compares.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from brainmark.core.measurement import average_trials
from brainmark.core.score import make_score
from brainmark.metrics.similarity.alignment import cka, cka_ceiling
from brainmark.metrics.similarity.rdm_subjects import nili_bounds
from brainmark.metrics.similarity.rsa import rdm, rdm_ceiling

COUNT, SUBJECTS = 24, 6
UPPER = np.triu_indices(COUNT, 1)


def square(vector: np.ndarray) -> np.ndarray:
    matrix = np.zeros((COUNT, COUNT))
    matrix[UPPER] = vector
    return matrix + matrix.T


def dissimilarity(values: np.ndarray, *dims: str) -> xr.DataArray:
    names = [f"c{i}" for i in range(COUNT)]
    coords = {"stimulus_id": ("presentation", names), "other_id": ("other", names)}
    return xr.DataArray(values, dims=(*dims, "presentation", "other"), coords=coords)


def lack(kind: str, subject: int, generator: np.random.Generator) -> np.ndarray:
    """Pairs (condition, condition) that a subject did not judge."""
    gone = np.zeros((COUNT, COUNT), bool)
    if kind == "pairs":
        gone = square(generator.random(len(UPPER[0])) < 0.4) > 0
    else:
        start = subject * COUNT // SUBJECTS
        some = {
            "six at random": generator.choice(COUNT, 6, replace=False),
            "ten neighbours": (start + np.arange(10)) % COUNT,
            "the first or the last": np.arange(14) if subject % 2 else np.arange(10, COUNT),
        }[kind]
        gone[some] = gone[:, some] = True
    np.fill_diagonal(gone, val=False)
    return gone


def people(kind: str, seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """The true RDM, and those of subjects who measure it with noise, a scale and an offset of their own."""
    generator = np.random.default_rng(seed)
    truth = generator.standard_normal(len(UPPER[0]))
    rdms = []
    for subject in range(SUBJECTS):
        noisy = truth + 1.5 * generator.standard_normal(len(truth))
        measured = square(generator.uniform(0.5, 2) * noisy + generator.normal())
        measured[lack(kind, subject, generator)] = np.nan
        rdms.append(measured)
    return dissimilarity(square(truth)), dissimilarity(np.stack(rdms), "subject")


@pytest.mark.parametrize(
    ("kind", "compare"),
    [
        ("six at random", "pearson"),
        ("six at random", "spearman"),
        ("ten neighbours", "pearson"),
        ("the first or the last", "pearson"),
        ("pairs", "pearson"),
    ],
)
def test_the_true_rdm_reaches_the_ceiling_of_subjects_who_saw_other_stimuli(kind: str, compare: str) -> None:
    found = []
    for seed in range(12):
        model, target = people(kind, seed)
        raw = rdm(compare=compare, resamples=0)(model, target)
        found.append((raw.aggregate(), rdm_ceiling(compare, resamples=0)(target).aggregate()))
    raw, top = np.mean(found, axis=0)
    assert raw / top == pytest.approx(1, abs=0.05)  # 1.15 to 1.3 if the mean of the others is taken as one of five


def test_no_subject_needs_to_share_stimuli_with_all_others() -> None:
    model, target = people("the first or the last", 1)
    top = rdm_ceiling("pearson", resamples=20)(target)
    assert np.isfinite(top.values.values).all()
    assert rdm("euclidean", "pearson", resamples=20)(model, target).values.size == SUBJECTS


def test_bounds_are_taken_over_what_each_subject_saw() -> None:
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal(60) + generator.standard_normal((4, 60))
    vectors[0, :20] = vectors[1, 20:40] = vectors[2, 40:] = np.nan
    below, above = [], []
    for s in range(4):
        mine = np.isfinite(vectors[s])
        others = np.nanmean(np.delete(vectors, s, axis=0), axis=0)
        below.append(np.corrcoef(vectors[s][mine], others[mine])[0, 1])
        above.append(np.corrcoef(vectors[s][mine], np.nanmean(vectors, axis=0)[mine])[0, 1])
    assert nili_bounds(vectors, "pearson") == pytest.approx((np.mean(below), np.mean(above)))


def test_bounds_that_are_undefined_are_none_in_json() -> None:
    model, target = people("six at random", 0)
    top = rdm_ceiling("pearson", resamples=0)(target)
    undefined = type(top)(top.values, center="mean", bounds=(np.nan, 0.5), details={"lower bound": np.nan})
    score = make_score("b", "truth", rdm(compare="pearson", resamples=0)(model, target), undefined, {})
    assert score.ceiling_bounds is None
    assert "NaN" not in json.dumps(score.to_dict(), allow_nan=False)


def recording(values: np.ndarray) -> xr.DataArray:
    stimuli, neuroids = values.shape[:2]
    coords = {
        "stimulus_id": ("presentation", [f"s{i}" for i in range(stimuli)]),
        "neuroid_id": ("neuroid", np.arange(neuroids)),
        "region": ("neuroid", ["IT"] * neuroids),
    }
    return xr.DataArray(values, dims=("presentation", "neuroid", "repetition")[: values.ndim], coords=coords)


def population(gaps: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noiseless responses (40, 30), and eight noisy trials of them with gaps."""
    generator = np.random.default_rng(seed)
    truth = generator.standard_normal((40, 10)) @ generator.standard_normal((10, 30)) / 3
    trials = truth[..., None] + generator.standard_normal((40, 30, 8))
    if gaps == "sessions":  # each with trials of its own
        trials[:, :15, 4:] = trials[:, 15:, :4] = np.nan
    elif gaps == "single":  # every third neuroid has a single trial
        trials[:, ::3, 1:] = np.nan
    else:
        trials[generator.random(trials.shape) < 0.2] = np.nan
    return truth, trials


@pytest.mark.parametrize("gaps", ["sessions", "single", "anywhere"])
@pytest.mark.parametrize(
    ("metric", "ceiling", "options"), [(rdm, rdm_ceiling, {"compare": "pearson"}), (cka, cka_ceiling, {})]
)
def test_metric_and_ceiling_compare_the_same_neuroids(metric, ceiling, options: dict[str, str], gaps: str) -> None:
    found = []
    for seed in range(4):
        truth, trials = population(gaps, seed)
        target = recording(trials)
        counted = np.isfinite(trials).sum(axis=2).min(axis=0) >= 2
        model = recording(truth[:, counted] if counted.any() else truth)
        raw = metric(resamples=0, **options)(model, average_trials(target))
        assert raw.aggregate() == metric(resamples=0, **options)(model, target).aggregate()
        found.append((raw.aggregate(), ceiling(halvings=4, resamples=0, **options)(target).aggregate()))
    raw, top = np.mean(found, axis=0)
    assert raw / top == pytest.approx(1, abs=0.05)


def test_it_is_said_how_many_neuroids_do_not_count() -> None:
    truth, trials = population("single", 0)
    notes = cka(resamples=0)(recording(truth), average_trials(recording(trials))).notes
    assert notes == ("target: 10 of 30 neuroids lack a second trial of a stimulus and are left out",)
