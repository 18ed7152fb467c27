"""Data of the cases: synthetic recordings and features. Runs with NumPy alone, in every environment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Work:
    """One metric on one set of data.

    Attributes
    ----------
    metric : name that both sides know.
    n, p, q : presentations, model units, neuroids; of trials `p` is the number of repetitions.
    stratified : splits hold equal shares of object names.
    splits : that the incumbent makes of the ten of a cross-validation.
    package : "vision" or "language".
    """

    metric: str
    n: int
    p: int
    q: int
    stratified: bool = False
    splits: int = 10
    package: str = "vision"

    def text(self) -> str:
        """Return the command-line argument that `given` reads."""
        return json.dumps(asdict(self))


def given(text: str) -> Work:
    """Return the work that a command line names."""
    return Work(**json.loads(text))


def recording(work: Work) -> dict[str, np.ndarray]:
    """Rectified mixtures of 40 latent signals as features, other mixtures with noise as neuroids; rows in no order."""
    rng = np.random.default_rng([work.n, work.p, work.q])
    latent = rng.standard_normal((work.n, 40)) / np.sqrt(np.arange(1, 41))
    x = latent @ rng.standard_normal((40, work.p)) + 0.3 * rng.standard_normal((work.n, work.p)) + 1.0
    y = latent @ rng.standard_normal((40, work.q)) + rng.standard_normal((work.n, work.q))
    order = rng.permutation(work.n)
    return {
        "x": np.maximum(x, 0).astype(np.float32)[order],
        "x_ids": order,
        "y": y.astype(np.float32),
        "names": np.array([f"object{i % 8}" for i in range(work.n)])[rng.permutation(work.n)],
    }


def trials(work: Work) -> dict[str, np.ndarray]:
    """`p` repetitions of every stimulus, (repetition, stimulus, neuroid)."""
    rng = np.random.default_rng([work.n, work.p, work.q])
    made = rng.standard_normal((work.p, work.n, work.q), np.float32) * rng.uniform(0.5, 4, work.q).astype(np.float32)
    made += rng.standard_normal((work.n, work.q), np.float32)
    return {"trials": made}
