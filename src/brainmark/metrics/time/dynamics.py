"""Compares the dynamics of two systems, whatever the geometry of their state spaces.

Trajectories are embedded with their delays, a linear map of one step is fitted to them (dynamic mode decomposition),
and the maps are compared by their eigenvalues, which no invertible change of coordinates alters: their moduli are
decay per step, their angles rotation (Ostrow et al. 2023, NeurIPS; eigenvalue distance).
"""

from __future__ import annotations

from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.backend import as_float64, as_numpy
from brainmark.metrics._arrays.inputs import as_labelled, check_numbers, check_same_stimuli, take_complete
from brainmark.metrics._arrays.shapes import Array, Float, Real
from brainmark.metrics.regression.matching import transport
from brainmark.metrics.statistics.resampling import resample


def fit_dynamics(
    trajectories: Real[Array, "trial time neuroid"], delays: int = 1, rank: int | None = None, ridge: float = 0.0
) -> Float[np.ndarray, "rank rank"]:
    """Fit the linear map of one time step by ridge regression on delay-embedded trajectories.

    Parameters
    ----------
    trajectories : (trial, time, neuroid); the mean over trials and times is subtracted.
    delays : times that make up one state.
    rank : leading principal components of the states that are kept; None: all that vary.
    ridge : penalty on the map, in units of the states' mean squared singular value.

    Returns
    -------
    (rank, rank), the map from one state to the next in the basis of the components, scaled to unit variance.

    Raises
    ------
    ValueError : fewer than `delays` + 1 times, or states that do not vary.
    """
    states = _states(as_float64(as_numpy(trajectories)), delays)
    flat = states.reshape(-1, states.shape[2])
    basis = _basis(flat, rank)
    return _map(states @ basis, np.ones(len(states)), ridge)


def _states(trajectories: Real[np.ndarray, "trial time neuroid"], delays: int) -> Float[np.ndarray, "trial _ _"]:
    """Delay embedding (trial, time - delays + 1, delays x neuroid)."""
    if trajectories.ndim != 3:
        raise ValueError(f"trajectories have {trajectories.ndim} dimensions; expected (trial, time, neuroid)")
    trials, times, _ = trajectories.shape
    if delays < 1 or times < delays + 1:
        raise ValueError(f"{times} times cannot show one step of states of {delays} times")
    centred = trajectories - trajectories.mean(axis=(0, 1))
    windows = np.lib.stride_tricks.sliding_window_view(centred, delays, axis=1)
    return windows.reshape(trials, times - delays + 1, -1)


def _basis(flat: Float[np.ndarray, "row column"], rank: int | None) -> Float[np.ndarray, "column component"]:
    """Return the leading principal directions (column, component), scaled to unit variance."""
    _, values, directions = np.linalg.svd(flat, full_matrices=False)
    alive = int((values > 1e-10 * max(values.max(initial=0.0), 1e-300)).sum())
    if alive == 0:
        raise ValueError("the trajectories do not vary")
    kept = alive if rank is None else min(rank, alive)
    return directions[:kept].T / values[:kept] * np.sqrt(len(flat))


def _map(
    states: Float[np.ndarray, "trial time component"], weights: Real[np.ndarray, " trial"], ridge: float
) -> Float[np.ndarray, "component component"]:
    """Return the one-step map from trials that count `weights` times."""
    before, after = states[:, :-1], states[:, 1:]
    own = np.einsum("t,tsi,tsj->ij", weights, before, before, optimize=True)
    cross = np.einsum("t,tsi,tsj->ij", weights, after, before, optimize=True)
    size = len(own)
    own = own + (ridge * np.trace(own) / size + 1e-12 * np.trace(own)) * np.eye(size)
    return np.linalg.solve(own.T, cross.T).T


def _check_steps(target: xr.DataArray) -> None:
    """Refuse time bins that are not evenly spaced: one step of a map would be several."""
    start = target.coords.get("time_bin_start")
    steps = np.diff([] if start is None else start.values.astype(float))
    if len(steps) and not np.allclose(steps, steps[0], rtol=1e-3):
        raise InvalidMeasurement(
            f"time bins are {steps.min():g} to {steps.max():g} ms apart; dynamics need bins at equal distances, so "
            "give all bins of the recording, or some that follow one another"
        )


def eigenvalue_distance(one: Float[np.ndarray, "a a"], other: Float[np.ndarray, "b b"]) -> float:
    """Return the mean distance between the eigenvalues of two maps under the best matching (Wasserstein-1).

    Spectra of different sizes are matched as distributions, the eigenvalues of each with equal shares.
    """
    distance = np.abs(np.linalg.eigvals(one)[:, None] - np.linalg.eigvals(other))
    return float((transport(-distance) * distance).sum())


@metric(
    "dynamic_similarity",
    summary="Compares how two populations move, by the eigenvalues of linear maps of one time step.",
    cite="ostrow2023", compares="trajectories", chance=None, tags=("similarity", "temporal"),
)  # fmt: skip
def dynamic_similarity(
    delays: int = 1, rank: int = 10, ridge: float = 1e-3, resamples: int = 100, seed: int = 0
) -> Metric:
    """Compare how a model's and a brain's population move: 1 - eigenvalue distance / 2.

    Both are recordings (presentation, neuroid, time_bin) with the same bins; presentations are trials. Eigenvalues of
    stable systems lie in the unit circle, so the value lies between 0 and 1; unrelated systems score well above 0.

    Parameters
    ----------
    delays, ridge : see `fit_dynamics`.
    rank : principal components of both sides; fewer if one side has fewer.
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        check_numbers(as_labelled(prediction, "prediction").values, "prediction")  # a model answers everything
        both = (prediction, "prediction"), (target, "target")
        sides = [np.moveaxis(take_complete(side, name, "time_bin")[0], 0, 1).astype(float) for side, name in both]
        if sides[0].shape[:2] != sides[1].shape[:2]:
            raise InvalidMeasurement(
                f"{sides[0].shape[:2]} predicted presentations and time bins for {sides[1].shape[:2]} measured ones"
            )
        check_same_stimuli(prediction, target)
        _check_steps(target)
        try:
            states = [_states(side, delays) for side in sides]
            bases = [_basis(s.reshape(-1, s.shape[2]), rank) for s in states]
        except ValueError as error:
            raise InvalidMeasurement(str(error)) from error
        size = min(basis.shape[1] for basis in bases)
        states = [s @ basis[:, :size] for s, basis in zip(states, bases, strict=True)]

        def value(weights: np.ndarray) -> float:
            return 1 - eigenvalue_distance(*(_map(s, weights, ridge) for s in states)) / 2

        def statistic(counts: np.ndarray) -> np.ndarray:
            return np.array([value(count) for count in counts])

        return resample(statistic, len(states[0]), resamples, seed, "population", details={"components": float(size)})

    return metric
