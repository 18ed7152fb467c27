from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import entropy as scipy_entropy

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.behavior.soft_labels import entropy, halve, soft_labels, soft_labels_ceiling
from brainmark.metrics.statistics.resampling import draws

LABELS = np.array(["cat", "dog", "car", "jet"])


@pytest.fixture
def world() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    right = generator.integers(0, 4, 300)
    shares = generator.dirichlet(np.full(4, 0.4), size=300)
    return 0.3 * shares + 0.7 * np.eye(4)[right], right


def counted(shares: np.ndarray, right: np.ndarray, number: int, seed: int = 0) -> xr.DataArray:
    counts = np.random.default_rng(seed).multinomial(number, shares)
    coords = {"choice": LABELS, "label": ("presentation", LABELS[right])}
    return xr.DataArray(counts, dims=("presentation", "choice"), coords=coords)


def model(shares: np.ndarray) -> xr.DataArray:
    return xr.DataArray(shares, dims=("presentation", "choice"), coords={"choice": LABELS})


@pytest.mark.parametrize("aspect", ["errors", "entropy", "choices"])
def test_correlation_and_replicates_from_the_definition(aspect: str, world: tuple[np.ndarray, np.ndarray]) -> None:
    shares, right = world
    target = counted(shares, right, 50)
    guess = np.random.default_rng(1).dirichlet(np.ones(4), size=300) + shares
    found = soft_labels(aspect, resamples=4)(model(guess), target)  # type: ignore[arg-type]
    normalised = [v / v.sum(axis=1, keepdims=True) for v in (guess, target.values)]

    def r(drawn: np.ndarray) -> float:
        if aspect == "entropy":
            return float(np.corrcoef(*(scipy_entropy(v[drawn], axis=1) for v in normalised))[0, 1])
        wrong = ~(np.eye(4)[right[drawn]] > 0) | (aspect == "choices")
        return float(np.corrcoef(*(v[drawn][wrong] for v in normalised))[0, 1])

    assert found.aggregate() == pytest.approx(r(np.arange(300)))
    assert found.replicates is not None
    for value, count in zip(found.replicates[:, 0], draws(300, 4, 0), strict=True):
        assert value == pytest.approx(r(np.repeat(np.arange(300), count)))


@pytest.mark.parametrize("aspect", ["errors", "entropy", "choices"])
@pytest.mark.parametrize("number", [20, 60])
def test_the_true_distribution_reaches_its_ceiling(
    aspect: str, number: int, world: tuple[np.ndarray, np.ndarray]
) -> None:
    shares, right = world
    ratios = []
    for seed in range(4):
        target = counted(shares, right, number, seed)
        raw = soft_labels(aspect, resamples=0)(model(shares), target).aggregate()  # type: ignore[arg-type]
        ratios.append(raw / soft_labels_ceiling(aspect, resamples=0)(target).aggregate())  # type: ignore[arg-type]
    # Entropy is not linear in the shares: halves of few choices are biased in other ways than the whole.
    assert np.mean(ratios) == pytest.approx(1, abs=0.06 if aspect == "entropy" else 0.03)


def test_details_bound_the_cross_entropy(world: tuple[np.ndarray, np.ndarray]) -> None:
    shares, right = world
    target = counted(shares, right, 50)
    people = target.values / 50
    best = soft_labels(resamples=0)(model(people), target).details
    assert best["cross-entropy (bits)"] == pytest.approx(best["entropy of people (bits)"])
    flat = soft_labels(resamples=0)(model(np.full((300, 4), 0.25)), target)
    assert flat.details["cross-entropy (bits)"] == pytest.approx(2)
    assert np.isnan(flat.aggregate())


def test_halves_are_drawn_without_replacement() -> None:
    counts = np.random.default_rng(0).multinomial(51, [0.7, 0.2, 0.1], size=2000)
    one, other = halve(counts, np.random.default_rng(1))
    np.testing.assert_array_equal(one + other, counts)
    assert (one >= 0).all()
    assert (other >= 0).all()
    np.testing.assert_array_equal(one.sum(axis=1), 25)
    np.testing.assert_allclose(one.mean(axis=0), counts.mean(axis=0) * 25 / 51, rtol=0.02)


def test_entropy_is_scipys() -> None:
    shares = np.array([[0.5, 0.5, 0], [1, 0, 0], [0.2, 0.3, 0.5]])
    np.testing.assert_allclose(entropy(shares), scipy_entropy(shares, base=2, axis=1))


def test_ceiling_replicates_share_the_draws(world: tuple[np.ndarray, np.ndarray]) -> None:
    """Draw k of the ceiling is the ceiling of the images that draw k of a metric takes."""
    target = counted(*world, 40)
    ceiling = soft_labels_ceiling("choices", halvings=1, resamples=4)(target)
    one, other = (
        half / half.sum(axis=1, keepdims=True) for half in halve(target.values, np.random.default_rng([0, 3]))
    )
    assert ceiling.replicates is not None
    for row, count in zip(ceiling.replicates, draws(300, 4, 0), strict=True):
        drawn = np.repeat(np.arange(300), count)
        r = np.corrcoef(one[drawn].ravel(), other[drawn].ravel())[0, 1]
        assert row[0] == pytest.approx(np.sqrt(2 * r / (1 + r)))


def test_refusals(world: tuple[np.ndarray, np.ndarray]) -> None:
    target = counted(*world, 10)
    with pytest.raises(ValueError, match="unknown aspect"):
        soft_labels("surprise")  # type: ignore[arg-type]
    with pytest.raises(InvalidMeasurement, match="whole counts"):
        soft_labels_ceiling()(target / 10)
    with pytest.raises(InvalidMeasurement, match="no coordinate 'right'"):
        soft_labels(truth="right")(model(world[0]), target)
    with pytest.raises(InvalidMeasurement, match="not among the choices"):
        soft_labels()(model(world[0]), target.assign_coords(label=("presentation", np.full(300, "cow"))))
    with pytest.raises(InvalidMeasurement, match="presentation 3 has no choice at all"):
        soft_labels()(model(np.where(np.arange(300)[:, None] == 3, 0, world[0])), target)


@pytest.mark.parametrize("asked", [3, 5, (2, 9)])
def test_odd_numbers_of_choices_are_corrected_for_what_their_halves_are(asked: int | tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.full(5, 0.7), 6000)
    counts = np.stack([rng.multinomial(n, p) for n, p in zip(np.resize(asked, len(shares)), shares, strict=True)])
    coords = {"choice": list("abcde")}
    model, target = (xr.DataArray(v * 1.0, dims=("presentation", "choice"), coords=coords) for v in (shares, counts))
    reached = soft_labels("choices", resamples=0)(model, target).aggregate()
    assert soft_labels_ceiling("choices", resamples=0)(target).aggregate() == pytest.approx(reached, rel=0.012)
