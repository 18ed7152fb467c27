from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from brainmark.core import InvalidMeasurement, check_measurement, metrics
from brainmark.core.score import make_score
from brainmark.metrics.behavior.answers import decide
from brainmark.metrics.behavior.choices import (
    accuracy,
    accuracy_distance,
    accuracy_distance_ceiling,
    confusion_ceiling,
    confusion_similarity,
    error_consistency,
    error_consistency_ceiling,
    kappa,
    kappa_bounds,
)
from brainmark.metrics.statistics.resampling import draws

LABELS = np.array(["cat", "dog", "pear"])


def people(choices: np.ndarray, labels: np.ndarray, **coords: np.ndarray) -> xr.DataArray:
    """Choices (presentation, subject) as indices into LABELS; -1: no answer."""
    values = (choices[:, None, :] == np.arange(3)[None, :, None]).astype(float)
    return xr.DataArray(
        values,
        dims=("presentation", "choice", "subject"),
        coords={
            "stimulus_id": ("presentation", [f"s{i}" for i in range(len(choices))]),
            "choice": LABELS,
            "label": ("presentation", LABELS[labels]),
            **{name: ("presentation", values) for name, values in coords.items()},
        },
    )


def model(choices: np.ndarray) -> xr.DataArray:
    values = np.eye(3)[choices] * 0.6 + 0.1
    return xr.DataArray(values, dims=("presentation", "choice"), coords={"choice": LABELS})


@pytest.fixture
def trials() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, choices of 4 subjects, choices of a model; all find the same images hard."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 200)
    hard = generator.random(200)

    def observer(skill: float) -> np.ndarray:
        wrong = generator.random(200) > skill + 0.5 * (1 - hard)
        return np.where(wrong, (labels + 1 + (generator.random(200) < 0.2)) % 3, labels)

    return labels, np.stack([observer(s) for s in (0.3, 0.4, 0.5, 0.45)], axis=1), observer(0.4)


def test_targets_keep_the_contract(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, _ = trials
    check_measurement(people(choices, labels))


def test_error_consistency_is_cohens_kappa_of_correctness(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, guess = trials
    comparison = error_consistency(resamples=6)(model(guess), people(choices, labels))
    expected = [cohen_kappa_score(guess == labels, choices[:, s] == labels) for s in range(4)]
    np.testing.assert_allclose(comparison.values.values, expected)
    assert comparison.replicates is not None
    for row, count in zip(comparison.replicates, draws(200, 6, 0), strict=True):
        drawn = np.repeat(np.arange(200), count)
        for s in range(4):
            same = cohen_kappa_score((guess == labels)[drawn], (choices[:, s] == labels)[drawn])
            assert row[s] == pytest.approx(same)
    assert comparison.details["accuracy"] == pytest.approx(np.mean(guess == labels))


def test_consistency_keeps_its_sign() -> None:
    labels = np.zeros(40, int)
    choices = np.repeat([0, 1], 20)[:, None]
    opposite = error_consistency(resamples=0)(model(1 - choices[:, 0]), people(choices, labels))
    assert opposite.aggregate() == pytest.approx(-1)
    assert opposite.details["lowest possible"] == pytest.approx(-1)


def test_conditions_are_not_pooled_when_told(trials: tuple[np.ndarray, ...]) -> None:
    """Independent errors in an easy and a hard condition look consistent when pooled."""
    generator = np.random.default_rng(1)
    labels = np.zeros(4000, int)
    easy = np.arange(4000) < 2000
    rate = np.where(easy, 0.05, 0.9)
    one, other = ((generator.random(4000) < rate).astype(int) for _ in range(2))
    target = people(other[:, None], labels, condition=np.where(easy, "easy", "hard"))
    assert error_consistency(resamples=0)(model(one), target).aggregate() > 0.5
    assert error_consistency(within="condition", resamples=0)(model(one), target).aggregate() == pytest.approx(
        0, abs=0.05
    )


def test_no_answer_is_an_error_and_not_asked_does_not_count() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    choices = np.array([[0, -1, 0, 1, 0, 1]]).T
    target = people(choices, labels)
    guess = np.array([0, 1, 0, 1, 0, 0])
    assert error_consistency(resamples=0)(model(guess), target).aggregate() == pytest.approx(
        cohen_kappa_score(guess == labels, [True, False, True, True, False, True])
    )
    target.values[5] = np.nan
    assert error_consistency(resamples=0)(model(guess), target).aggregate() == pytest.approx(1)


def test_a_subject_that_was_never_asked_has_no_share_in_the_details(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, guess = trials
    target = people(choices, labels)
    target.values[:, :, 3] = np.nan
    found = error_consistency(resamples=0)(model(guess), target)
    assert np.isnan(found.values.values).tolist() == [False, False, False, True]
    assert found.details["accuracy of subjects"] == pytest.approx(np.mean(choices[:, :3] == labels[:, None]))


def test_choices_that_tie_share_the_presentation() -> None:
    values = xr.DataArray(np.array([[2, 2, 1], [1, 1, 1], [0, 3, 2]]) / 5, dims=("presentation", "choice"))
    target = people(np.zeros((3, 1), int), np.array([0, 1, 1]))
    found = decide(values.assign_coords(choice=LABELS), target)
    np.testing.assert_allclose(found, [[1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3], [0, 1, 0]])
    assert error_consistency(resamples=0)(values.assign_coords(choice=LABELS), target).details[
        "accuracy"
    ] == pytest.approx((1 / 2 + 1 / 3 + 1) / 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=30))
def test_kappa_lies_between_its_bounds(answers: list[tuple[bool, bool]]) -> None:
    a, b = np.array(answers, float).T
    found = kappa(a[:, None], b[:, None], np.ones((1, len(a))))[0, 0]
    low, high = kappa_bounds(a.mean(), b.mean())
    if np.isnan(found):
        assert a.mean() in (0, 1)
        assert a.mean() == b.mean()
    else:
        assert low - 1e-9 <= found <= high + 1e-9
        assert -1 <= found <= 1


def test_bounds_are_reached() -> None:
    a, best = np.array([1, 1, 1, 0, 0.0]), np.array([1, 1, 0, 0, 0.0])
    worst = best[::-1]
    low, high = kappa_bounds(0.6, 0.4)
    assert kappa(a[:, None], best[:, None], np.ones((1, 5)))[0, 0] == pytest.approx(high)
    assert kappa(a[:, None], worst[:, None], np.ones((1, 5)))[0, 0] == pytest.approx(low)


def test_ceiling_is_the_mean_kappa_with_the_others(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, _ = trials
    right = choices == labels[:, None]
    expected = [np.mean([cohen_kappa_score(right[:, s], right[:, t]) for t in range(4) if t != s]) for s in range(4)]
    ceiling = error_consistency_ceiling(resamples=5)(people(choices, labels))
    np.testing.assert_allclose(ceiling.values.values, expected)
    assert ceiling.replicates is not None
    assert ceiling.replicates.shape == (5, 4)


def test_accuracy_distance_from_its_formula(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, guess = trials
    condition = np.arange(200) % 2
    found = accuracy_distance(within="condition", resamples=3)(
        model(guess), people(choices, labels, condition=condition)
    )
    for s in range(4):
        parts = []
        for which in (condition == 0, condition == 1):
            a, h = np.mean((guess == labels)[which]), np.mean((choices[:, s] == labels)[which])
            parts.append(1 - abs(a - h) / max(h, 1 - h))
        assert found.values.values[s] == pytest.approx(np.mean(parts))
    same = accuracy_distance(resamples=0)(model(choices[:, 0]), people(choices[:, :1], labels))
    assert same.aggregate() == 1
    ceiling = accuracy_distance_ceiling(resamples=3)(people(choices, labels))
    others, own = np.mean(choices[:, 1:] == labels[:, None]), np.mean(choices[:, 0] == labels)
    assert ceiling.values.values[0] == pytest.approx(1 - abs(others - own) / max(own, 1 - own))


def test_confusions_correlate_over_wrong_labels_only(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, guess = trials
    found = confusion_similarity(resamples=4)(model(guess), people(choices, labels))
    wrong = ~np.eye(3, dtype=bool)

    def table(chosen: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        return confusion_matrix(labels[drawn], chosen[drawn], normalize="true")[wrong]

    everything = np.arange(200)
    for s in range(4):
        expected = np.corrcoef(table(guess, everything), table(choices[:, s], everything))[0, 1]
        assert found.values.values[s] == pytest.approx(expected)
    assert found.replicates is not None
    drawn = np.repeat(everything, draws(200, 4, 0)[2])
    expected = np.corrcoef(table(guess, drawn), table(choices[:, 1], drawn))[0, 1]
    assert found.replicates[2, 1] == pytest.approx(expected)
    ceiling = confusion_ceiling(resamples=2)(people(choices, labels))
    others = np.mean([table(choices[:, s], everything) for s in (1, 2, 3)], axis=0)
    assert ceiling.values.values[0] == pytest.approx(np.corrcoef(others, table(choices[:, 0], everything))[0, 1])


def test_a_perfect_model_has_no_confusions_to_compare(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, _ = trials
    assert np.isnan(confusion_similarity(resamples=0)(model(labels), people(choices, labels)).aggregate())


def test_choices_are_matched_by_name(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, guess = trials
    turned = model(guess).isel(choice=[2, 0, 1])
    target = people(choices, labels)
    for metric in (error_consistency(resamples=0), confusion_similarity(resamples=0)):
        np.testing.assert_array_equal(metric(turned, target).values, metric(model(guess), target).values)


def test_scores_have_intervals(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, guess = trials
    target = people(choices, labels)
    score = make_score("b", "s", error_consistency()(model(guess), target), error_consistency_ceiling()(target), {})
    assert score.interval is not None
    assert score.interval[0] < score.value < score.interval[1]


def test_refusals(trials: tuple[np.ndarray, ...]) -> None:
    labels, choices, guess = trials
    target = people(choices, labels)
    with pytest.raises(InvalidMeasurement, match="no coordinate 'labels'"):
        error_consistency("labels")(model(guess), target)
    with pytest.raises(InvalidMeasurement, match="no probability for choice 'pear'"):
        error_consistency()(model(guess).isel(choice=[0, 1]), target)
    with pytest.raises(InvalidMeasurement, match="199 predicted presentations for 200"):
        error_consistency()(model(guess).isel(presentation=slice(1, None)), target)
    with pytest.raises(InvalidMeasurement, match="not among the choices"):
        error_consistency()(model(guess), target.assign_coords(label=("presentation", np.full(200, "cow"))))
    with pytest.raises(InvalidMeasurement, match="at least two"):
        error_consistency_ceiling()(target.isel(subject=[0]))
    with pytest.raises(InvalidMeasurement, match=r"\(presentation, choice\[, subject\]\)"):
        error_consistency()(model(guess), target.isel(choice=0))


NAMES = ["cat", "dog", "ship"]


def choices(values: list[list[float]], labels: list[str] | None = None, names: list[str] = NAMES) -> xr.DataArray:
    made = xr.DataArray(
        np.array(values, float),
        dims=("presentation", "choice"),
        coords={"stimulus_id": ("presentation", [str(i) for i in range(len(values))]), "choice": names},
    )
    return made if labels is None else made.assign_coords(label=("presentation", labels))


TRUE = ["cat", "dog", "ship", "cat"]
TARGET = choices(np.eye(3)[[0, 1, 2, 0]].tolist(), TRUE)
GUESS = [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2]]  # right, wrong, right, a tie of two


def test_ties_share_a_presentation() -> None:
    found = accuracy(resamples=0)(choices(GUESS), TARGET)
    assert found.aggregate() == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    assert found.replicates is None
    assert found.details["chance"] == pytest.approx(1 / 3)
    expected = np.log2([0.6, 0.4, 0.7, 0.4]).mean()
    assert found.details["log2 probability of the right label"] == pytest.approx(expected)


def test_the_order_of_the_models_choices_does_not_matter() -> None:
    turned = choices([row[::-1] for row in GUESS], names=NAMES[::-1])
    assert (
        accuracy(resamples=0)(turned, TARGET).aggregate() == accuracy(resamples=0)(choices(GUESS), TARGET).aggregate()
    )


def test_replicates_are_accuracies_of_drawn_presentations() -> None:
    found = accuracy(resamples=20, seed=3)(choices(GUESS), TARGET)
    solved = np.array([1, 0, 1, 0.5])
    expected = [np.repeat(solved, row).mean() for row in draws(4, 20, 3)]
    np.testing.assert_allclose(found.replicates[:, 0], expected)  # type: ignore[index]


def test_a_model_that_cannot_choose_is_at_chance() -> None:
    assert accuracy(resamples=0)(choices([[1, 1, 1]] * 4), TARGET).aggregate() == pytest.approx(1 / 3)


def test_labels_must_be_known_and_among_the_choices() -> None:
    with pytest.raises(InvalidMeasurement, match="no coordinate 'label'"):
        accuracy()(choices(GUESS), TARGET.drop_vars("label"))
    with pytest.raises(InvalidMeasurement, match="label 'bird' of presentation 1 is not among the choices"):
        accuracy()(choices(GUESS), choices(TARGET.values.tolist(), ["cat", "bird", "ship", "cat"]))


def test_it_is_registered() -> None:
    assert metrics["accuracy"].load(resamples=0)(choices(GUESS), TARGET).aggregate() == pytest.approx(0.625)


def test_groups_have_values_of_their_own() -> None:
    target = TARGET.assign_coords(kind=("presentation", ["a", "a", "b", "a"]))
    found = accuracy(by="kind", resamples=50)(choices(GUESS), target)
    assert found.values.coords["pattern"].values.tolist() == ["a", "b"]
    assert found.values.values == pytest.approx([(1 + 0 + 0.5) / 3, 1.0])
    assert found.aggregate() == pytest.approx(0.75)
    counts = draws(4, 50, 0)
    drawn = counts[:, [0, 1, 3]] @ [1, 0, 0.5] / counts[:, [0, 1, 3]].sum(1)
    assert found.replicates is not None
    np.testing.assert_allclose(found.replicates[:, 0], drawn)
    with pytest.raises(InvalidMeasurement, match="no coordinate 'shape'"):
        accuracy(by="shape")(choices(GUESS), target)
