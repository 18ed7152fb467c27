from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from brainmark.metrics.behavior import psychophysics
from brainmark.metrics.behavior.psychophysics import fit_psychometric

LEVELS = np.linspace(-3, 5, 9)


@pytest.mark.parametrize("shape", ["gaussian", "logistic"])
@pytest.mark.parametrize(("guess", "lapse"), [(0.0, 0.0), (0.0, 0.05), (0.5, 0.04)])
def test_exact_shares_give_back_the_parameters(shape: str, guess: float, lapse: float) -> None:
    rise = norm.cdf((LEVELS - 1.2) / 0.8) if shape == "gaussian" else 1 / (1 + np.exp(-(LEVELS - 1.2) / 0.8))
    shares = guess + (1 - guess - lapse) * rise
    found = fit_psychometric(LEVELS, 1000 * shares, np.full(9, 1000), shape, guess=guess)  # type: ignore[arg-type]
    assert found.threshold == pytest.approx(1.2, abs=0.01)
    assert found.spread == pytest.approx(0.8, abs=0.01)
    assert found.lapse == pytest.approx(lapse, abs=0.003)
    assert found.deviance == pytest.approx(0, abs=0.01)
    np.testing.assert_allclose(found(LEVELS), shares, atol=0.002)


def test_weibull_gives_back_its_parameters() -> None:
    levels = np.geomspace(0.02, 0.6, 8)
    shares = 0.5 + 0.5 * (1 - np.exp(-((levels / 0.12) ** 1.6)))
    found = fit_psychometric(levels, 500 * shares, np.full(8, 500), "weibull", guess=0.5, lapse=0.0)
    assert found.threshold == pytest.approx(0.12, rel=0.01)
    assert 1 / found.spread == pytest.approx(1.6, rel=0.01)


def test_slope_is_the_derivative_at_the_threshold() -> None:
    shares = norm.cdf((LEVELS - 1) / 0.5)
    found = fit_psychometric(LEVELS, 1000 * shares, np.full(9, 1000), lapse=0.0)
    assert found.slope == pytest.approx(norm.pdf(0) / 0.5, rel=0.01)


def test_fit_of_noisy_trials_is_unbiased_and_its_deviance_honest() -> None:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(25):
        successes = generator.binomial(60, 0.02 + 0.95 * norm.cdf((LEVELS - 1) / 1.5))
        found.append(fit_psychometric(LEVELS, successes, np.full(9, 60), guess=0.02))
    assert np.mean([f.threshold for f in found]) == pytest.approx(1, abs=0.1)
    assert np.mean([f.deviance for f in found]) == pytest.approx(9 - 3, abs=2)


def test_no_fit_beats_the_one_that_was_found() -> None:
    generator = np.random.default_rng(1)
    successes = generator.binomial(40, norm.cdf((LEVELS - 1) / 1.5))
    found = fit_psychometric(LEVELS, successes, np.full(9, 40), lapse=0.0)
    for threshold in np.linspace(-1, 3, 41):
        for spread in np.geomspace(0.3, 6, 40):
            p = np.clip(norm.cdf((LEVELS - threshold) / spread), 1e-12, 1 - 1e-12)
            assert (successes * np.log(p) + (40 - successes) * np.log(1 - p)).sum() <= found.log_likelihood + 1e-6


def test_refusals() -> None:
    n = np.full(9, 10)
    with pytest.raises(ValueError, match="unknown shape"):
        fit_psychometric(LEVELS, n / 2, n, "probit")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="do not rise"):
        fit_psychometric(LEVELS, np.arange(9)[::-1], n)
    with pytest.raises(ValueError, match="two levels"):
        fit_psychometric(np.ones(9), n / 2, n)
    with pytest.raises(ValueError, match="between none and all"):
        fit_psychometric(LEVELS, n * 2, n)
    with pytest.raises(ValueError, match="positive levels"):
        fit_psychometric(LEVELS, n / 2, n, "weibull")
    with pytest.raises(ValueError, match="not one a level"):
        fit_psychometric(LEVELS, n[:3], n)


def test_a_fit_that_reaches_its_bound_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was given as if it had converged."""
    shares = norm.cdf((LEVELS - 1.2) / 0.8)
    assert fit_psychometric(LEVELS, 1000 * shares, np.full(9, 1000)).converged
    monkeypatch.setattr(psychophysics, "STEPS", 1)
    with pytest.warns(UserWarning, match="did not converge in 1 steps"):
        assert not fit_psychometric(LEVELS, 1000 * shares, np.full(9, 1000)).converged
