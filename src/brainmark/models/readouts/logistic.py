"""Multinomial logistic regression with an L2 penalty, exact when features outnumber stimuli. NumPy and SciPy only."""

from __future__ import annotations

from dataclasses import dataclass

from brainmark.core.errors import ModelError
from brainmark.core.libraries import np, scipy
from brainmark.metrics._arrays.backend import check_memory

_BLOCK = 2048  # features that are standardised at a time
_DECREMENT = 1e-15  # squared Newton decrement at the end, of the objective, which can still fall by half of that
_LEAST_ACCURACY = 1e-2  # of a step: more is lost on a curvature that the step leaves behind
_MOST_STEPS, _MOST_PRODUCTS = 100, 300  # of Newton's method, and products with the curvature in a step


def probabilities(
    fitting: np.ndarray, codes: np.ndarray, features: np.ndarray, strength: float = 1e-3, standardise: bool = True
) -> np.ndarray:
    """Fit labels to features, and return the probability of each label for other features.

    Minimises strength * (sum of -log p of the right labels) + |W|^2 / 2 with an intercept that is not penalised: what
    scikit-learn's `LogisticRegression(C=strength)` minimises (with two labels, |w_1 - w_0|^2 / 2), after its
    `StandardScaler`. The penalty does not see rotations: where features outnumber the fitting stimuli, they are
    rotated to as many axes as there are stimuli.

    Parameters
    ----------
    fitting : (stimuli, features).
    codes : (stimuli,) labels 0 ... labels - 1, each at least once.
    features : (others, features).
    strength : weight of the data against the penalty; 1e-3 as in published readouts of object recognition.
    standardise : give each feature mean 0 and variance 1 over the fitting stimuli.

    Returns
    -------
    (others, labels) float64, rows sum to 1.

    Raises
    ------
    ResourceError : the smaller of stimuli and features is too large for a square matrix of it.
    ModelError : the fit does not converge.
    """
    labels = int(codes.max()) + 1
    axes, others, variance = _rotate(fitting, features, standardise)
    penalty = 2.0 if labels == 2 else 1.0
    problem = _Problem(axes, np.eye(labels)[codes], strength, penalty, variance)
    weights, intercept = problem.solve()
    return softmax(others @ weights + intercept)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _rotate(fitting: np.ndarray, features: np.ndarray, standardise: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotate stimuli (n, r) and others (m, r) onto at most n axes; return the sums of squares of the former, too."""
    n, p = fitting.shape
    side = min(n, p)
    check_memory(
        8 * side * (4 * side + 2 * len(features)), fitting, f"a logistic regression of {n} stimuli on {p} features"
    )
    mean, scale = _moments(fitting) if standardise else (fitting.mean(0, np.float64), np.ones(p))
    if p <= n:
        known, others = ((x - mean) / scale for x in (fitting, features))
        return known, others, np.einsum("ij,ij->j", known, known)
    gram, cross = np.zeros((n, n)), np.zeros((len(features), n))
    for start in range(0, p, _BLOCK):
        part = slice(start, start + _BLOCK)
        known = (fitting[:, part] - mean[part]) / scale[part]
        gram += known @ known.T
        cross += ((features[:, part] - mean[part]) / scale[part]) @ known.T
    lower, order, rank, _ = scipy.linalg.lapack.dpstrf(
        gram, tol=n * np.finfo(float).eps * gram.diagonal().max(), lower=1
    )
    order, lower = order - 1, np.tril(lower)[:, :rank]  # gram[order][:, order] = lower lower'
    axes = np.empty((n, rank))
    axes[order] = lower
    others = scipy.linalg.solve_triangular(lower[:rank], cross[:, order[:rank]].T, lower=True).T
    return axes, others, np.einsum("ij,ij->j", axes, axes)


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and standard deviation of each feature; 1 where it varies by rounding error only."""
    mean, variance = x.mean(0, np.float64), x.var(0, np.float64)
    eps = np.finfo(x.dtype if x.dtype.kind == "f" else float).eps
    constant = variance <= len(x) * eps * variance + (len(x) * mean * eps) ** 2
    return mean, np.sqrt(np.where(constant, 1.0, variance))


@dataclass(frozen=True, eq=False)
class _Problem:
    """Newton's method, its steps by conjugate gradients that are preconditioned by the diagonal of the curvature.

    axes (n, r), of which variance (r,) holds the sums of squares; truth (n, labels), one 1 in a row.
    """

    axes: np.ndarray
    truth: np.ndarray
    strength: float
    penalty: float
    variance: np.ndarray

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (r, labels) and intercept (labels,)."""
        r, labels = self.axes.shape[1], self.truth.shape[1]
        weights, decrement = np.zeros((r + 1, labels)), float("inf")  # the intercept is the last row
        value, p = self.value(weights)
        for _ in range(_MOST_STEPS):
            slope = self.gradient(weights, p)
            diagonal = self.diagonal(p)
            decrement = float((slope**2 / diagonal).sum())
            if decrement <= max(_DECREMENT * value, self.rounding(weights, p, diagonal)):
                return weights[:-1], weights[-1]
            step = self.newton_step(slope, p, diagonal, min(0.1, max(_LEAST_ACCURACY, decrement**0.5)))
            falls, size = float((step * slope).sum()), 1.0
            while True:
                moved, p_moved = self.value(weights + size * step)
                if moved <= value + 1e-4 * size * falls + 1e-14 * abs(value):
                    break
                size /= 2
                if size < 1e-10:
                    raise ModelError(
                        "the logistic regression of choices cannot decrease its loss; check that activations are finite"
                    )
            weights, value, p = weights + size * step, moved, p_moved
        raise ModelError(
            f"the logistic regression of choices has not converged after {_MOST_STEPS} steps: the objective can still "
            f"fall by {decrement / 2 / max(value, 1e-300):.0e} of its value; check the scale of the activations"
        )

    def rounding(self, weights: np.ndarray, p: np.ndarray, diagonal: np.ndarray) -> float:
        """Return the decrement that is left when the gradient is nothing but its rounding."""
        lengths = np.sqrt(np.append(self.variance, len(p)))[:, None]
        terms = self.strength * lengths * np.sqrt(((p - self.truth) ** 2).sum(axis=0))
        terms[:-1] += self.penalty * np.abs(weights[:-1])
        return float(((np.finfo(float).eps * terms) ** 2 / diagonal).sum())

    def logits(self, weights: np.ndarray) -> np.ndarray:
        return self.axes @ weights[:-1] + weights[-1]

    def value(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the objective, and the probabilities (n, labels)."""
        logits = self.logits(weights)
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        total = powers.sum(axis=1, keepdims=True)
        loss = float(np.log(total).sum() - (logits * self.truth).sum())
        return self.strength * loss + self.penalty / 2 * float((weights[:-1] ** 2).sum()), powers / total

    def gradient(self, weights: np.ndarray, p: np.ndarray) -> np.ndarray:
        return self._back(p - self.truth, weights)

    def curvature(self, direction: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Return the product of the Hessian and a direction."""
        moved = p * self.logits(direction)
        return self._back(moved - p * moved.sum(axis=1, keepdims=True), direction)

    def _back(self, errors: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return gradient (r + 1, labels) from errors of the probabilities (n, labels) and the pull of the penalty."""
        pulled = np.empty_like(weights)
        pulled[:-1] = self.strength * (self.axes.T @ errors) + self.penalty * weights[:-1]
        pulled[-1] = self.strength * errors.sum(axis=0)
        return pulled

    def diagonal(self, p: np.ndarray) -> np.ndarray:
        """Return the diagonal of the Hessian (r + 1, labels), with one variance of choices for all stimuli."""
        spread = np.maximum((p * (1 - p)).mean(axis=0), 1e-12)
        squares = np.append(self.variance, len(p))[:, None]
        return self.strength * squares * spread + np.append(np.full(len(self.variance), self.penalty), 0.0)[:, None]

    def newton_step(self, slope: np.ndarray, p: np.ndarray, diagonal: np.ndarray, accuracy: float) -> np.ndarray:
        """Solve Hessian step = -slope to a relative `accuracy` of the preconditioned residual, or as far as that goes.

        A step that is cut short still leads down.
        """
        step, residual = np.zeros_like(slope), -slope
        ahead = residual / diagonal
        direction, energy = ahead, float((residual * ahead).sum())
        goal = accuracy**2 * energy
        for _ in range(min(10 * len(slope), _MOST_PRODUCTS)):
            product = self.curvature(direction, p)
            size = energy / float((direction * product).sum())
            step = step + size * direction
            residual = residual - size * product
            ahead = residual / diagonal
            before, energy = energy, float((residual * ahead).sum())
            if energy <= goal:
                break
            direction = ahead + energy / before * direction
        return step
