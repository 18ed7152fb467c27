"""VOneBlock: V1 as a fixed Gabor bank whose parameters follow the distributions measured in macaques."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from brainmark.core.libraries import np

# Counts of cells in bins. Orientation and spatial frequency: De Valois et al. 1982 (Vision Research 22:531, 22:545);
# size along (nx, rows) and across (ny, columns) the modulation, in cycles: Ringach 2002 (J. Neurophysiol. 88:455).
ORIENTATION_EDGES = (-22.5, 22.5, 67.5, 112.5, 157.5)
ORIENTATION_COUNTS = (66, 49, 77, 54)
FREQUENCY_EDGES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
FREQUENCY_COUNTS = (4, 4, 8, 25, 32, 26, 28, 12)
CYCLES_EDGES = tuple(10.0 ** np.linspace(-1, 0.2, 6))
CYCLES_COUNTS = ((2, 0, 1, 0, 0), (8, 9, 4, 1, 0), (1, 2, 19, 17, 3), (0, 0, 1, 7, 4), (0, 0, 0, 0, 0))
FREQUENCY_SIZE_CORRELATION = 0.75

GAIN = 25.0  # of all responses
NOISE_SCALE, NOISE_LEVEL = 0.35, 0.07  # responses * scale + level are spike counts
_CHUNK = 8  # images filtered together: bounds the memory of the linear responses

Noise = Literal["none", "neuronal"]


@dataclass(frozen=True, eq=False)
class GaborParameters:
    """Parameters of the cells, each (cells,).

    Attributes
    ----------
    orientation : of the bars, degrees counter-clockwise from horizontal, first image row on top.
    frequency : cycles per degree.
    phase : degrees.
    nx, ny : standard deviations of the envelope along and across the modulation, in cycles.
    colour : input channel that the cell sees.
    """

    orientation: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray
    nx: np.ndarray
    ny: np.ndarray
    colour: np.ndarray

    def take(self, order: np.ndarray) -> GaborParameters:
        """Return these cells in another order, or some of them."""
        return GaborParameters(*(getattr(self, f.name)[order] for f in fields(self)))


def sample_parameters(cells: int, seed: int = 0, highest_frequency: float = 9.0) -> GaborParameters:
    """Draw cells from the published distributions (Dapello et al. 2020, NeurIPS, supplement).

    Frequency and nx are tied by a Gaussian copula with correlation 0.75; ny follows its counts given the bin of nx.
    Within a bin, orientation is uniform and the others are log-uniform. Bins above `highest_frequency` are left out.
    Ranks are those of a Latin hypercube (McKay, Beckman & Conover 1979, Technometrics 21:239): one cell in each of as
    many equal parts of a distribution, so that few hundred cells follow it as closely as many thousand drawn freely.
    """
    random = np.random.default_rng(seed)
    orientation = _quantile(_spread(random.random(cells), random), ORIENTATION_EDGES, ORIENTATION_COUNTS)
    phase = 360 * _spread(random.random(cells), random)
    below = [c for c, upper in zip(FREQUENCY_COUNTS, FREQUENCY_EDGES[1:], strict=True) if upper <= highest_frequency]
    if not below:
        raise ValueError(f"no cell prefers less than {highest_frequency} cycles/degree")
    correlation = [[1, FREQUENCY_SIZE_CORRELATION], [FREQUENCY_SIZE_CORRELATION, 1]]
    ranks = _normal_cdf(random.multivariate_normal([0, 0], correlation, cells))
    frequency = np.exp(_quantile(_spread(ranks[:, 0], random), np.log(FREQUENCY_EDGES[: len(below) + 1]), below))
    counts, edges = np.array(CYCLES_COUNTS), np.log(CYCLES_EDGES)
    nx = _quantile(_spread(ranks[:, 1], random), edges, counts.sum(1))
    bins = np.clip(np.searchsorted(edges, nx, side="right") - 1, 0, len(counts) - 1)
    ny, share = np.empty(cells), random.random(cells)
    for row in np.unique(bins):
        ny[bins == row] = _quantile(_spread(share[bins == row], random), edges, counts[row])
    colour = random.permutation(cells) % 3
    return GaborParameters(orientation % 180, frequency, phase, np.exp(nx), np.exp(ny), colour)


def _spread(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the ranks from 0 to 1 in the order of the values (n,): one at random in each of n equal parts."""
    return (np.argsort(np.argsort(values)) + random.random(len(values))) / max(len(values), 1)


def _quantile(rank: np.ndarray, edges: Sequence[float] | np.ndarray, counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the inverse of the piecewise linear distribution function of a histogram."""
    cumulative = np.concatenate([[0], np.cumsum(counts)]) / np.sum(counts)
    last = int(np.flatnonzero(counts)[-1]) + 1  # bins without cells give no flat stretch at the end ...
    first = int(np.flatnonzero(counts)[0])  # ... nor at the start
    return np.interp(rank, cumulative[first : last + 1], np.asarray(edges)[first : last + 1])


def _normal_cdf(values: np.ndarray) -> np.ndarray:
    return torch.special.ndtr(torch.from_numpy(values)).numpy()


def gabor_kernels(cells: GaborParameters, pixels_per_degree: float, size: int, shift: float = 0.0) -> np.ndarray:
    """Return (cells, size, size) Gabors of unit envelope area; `shift` in degrees is added to the phase."""
    axis = np.arange(size) - size // 2
    right, down = axis[None, None, :], axis[None, :, None]
    angle = np.radians(cells.orientation)[:, None, None]
    # bars along the angle modulate along its normal: (sin, cos) in (right, down)
    along, across = right * np.sin(angle) + down * np.cos(angle), right * np.cos(angle) - down * np.sin(angle)
    per_pixel = (cells.frequency / pixels_per_degree)[:, None, None]
    sx, sy = cells.nx[:, None, None] / per_pixel, cells.ny[:, None, None] / per_pixel
    envelope = np.exp(-0.5 * ((along / sx) ** 2 + (across / sy) ** 2)) / (2 * np.pi * sx * sy)
    return envelope * np.cos(2 * np.pi * per_pixel * along + np.radians(cells.phase + shift)[:, None, None])


class VOneBlock(nn.Module):
    """Simple and complex cells of V1.

    Input (stimuli, 3, size, size), normalised by mean 0.5 and standard deviation 0.5. Layers:

    ``simple``  half-rectified responses (stimuli, cells, size / 4, size / 4);
    ``complex`` sqrt((q0^2 + q1^2) / 2) of cells in quadrature;
    ``v1`` both, simple cells first, with noise if there is any.

    Each cell sees one colour channel through a kernel of 25 x 25 pixels, every 4 pixels. With ``noise="neuronal"``,
    spike counts (response * 0.35 + 0.07) have a variance equal to their mean.
    """

    def __init__(
        self,
        simple: int = 256,
        complex_: int = 256,
        *,
        seed: int = 0,
        pixels_per_degree: float = 28.0,
        kernel: int = 25,
        stride: int = 4,
        highest_frequency: float = 9.0,
        noise: Noise = "none",
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.noise = stride, kernel // 2, noise
        self.cells: GaborParameters | None = None
        self.kinds = np.repeat([0, 1], [simple, complex_])
        drawn = sample_parameters(simple + complex_, seed, highest_frequency)
        even, odd = (gabor_kernels(drawn, pixels_per_degree, kernel, shift) for shift in (0.0, 90.0))
        self.cells = drawn.take(self._take(even, odd, drawn.colour))
        self.simple, self.complex, self.v1 = nn.Identity(), nn.Identity(), nn.Identity()
        self._seeds: tuple[int, ...] = ()

    def take_kernels(self, even: np.ndarray, odd: np.ndarray) -> np.ndarray:
        """Replace the kernels, such as by published ones, and return the new order of the cells.

        Parameters
        ----------
        even, odd : (cells, 3, side, side), simple cells first; a cell sees the one colour whose kernel is not 0.
        """
        colour = np.abs(even).sum((2, 3)).argmax(1)
        rows = np.arange(len(even))
        self.cells = None  # what parameters they were drawn with is not known
        return self._take(even[rows, colour], odd[rows, colour], colour)

    def _take(self, even: np.ndarray, odd: np.ndarray, colour: np.ndarray) -> np.ndarray:
        """Keep kernels (cells, side, side) by the colour that they see; simple cells come first, and by colour."""
        order = np.lexsort((colour, self.kinds))
        self.counts: list[tuple[int, int]] = []  # simple and complex cells that see each channel
        for channel in range(3):
            simple, complex_ = (order[(self.kinds == k)[order] & (colour == channel)[order]] for k in (0, 1))
            kernels = GAIN * np.concatenate([even[simple], even[complex_], odd[complex_]])[:, None]
            self.register_buffer(f"kernels{channel}", torch.from_numpy(kernels.astype(np.float32)), persistent=False)
            self.counts.append((len(simple), len(complex_)))
        return order

    def reseed(self, seeds: Sequence[int]) -> None:
        """Set the seeds of the noise of the next stimuli; without them torch's own generator is used."""
        self._seeds = tuple(seeds)

    def forward(self, images: Tensor) -> Tensor:
        """Return the responses of all cells."""
        parts = [self._responses(chunk) for chunk in images.split(_CHUNK)]
        simple, energy = (torch.cat(p) for p in zip(*parts, strict=True))
        return self.v1(self._noisy(torch.cat([self.simple(simple), self.complex(energy)], 1)))

    def _responses(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the responses of simple and of complex cells: one convolution for each colour channel."""
        simple: list[Tensor] = []
        energy: list[Tensor] = []
        for channel, (first, second) in enumerate(self.counts):
            plane, kernels = images[:, channel : channel + 1].contiguous(), self.get_buffer(f"kernels{channel}")
            linear = functional.conv2d(plane, kernels, stride=self.stride, padding=self.padding)
            q, q0, q1 = linear.split([first, second, second], 1)
            simple.append(q.relu())
            energy.append(((q0.square() + q1.square()) / 2).sqrt())
        return torch.cat(simple, 1), torch.cat(energy, 1)

    def _noisy(self, responses: Tensor) -> Tensor:
        seeds, self._seeds = self._seeds, ()
        if self.noise == "none":
            return responses
        counts = responses * NOISE_SCALE + NOISE_LEVEL
        if seeds:
            normal = torch.stack([_standard_normal(responses.shape[1:], s) for s in seeds]).to(responses.device)
        else:
            normal = torch.randn_like(responses)
        counts = counts + normal * (counts.clamp(min=0) + 1e-4).sqrt()
        return ((counts - NOISE_LEVEL) / NOISE_SCALE).relu()


def _standard_normal(shape: Sequence[int], seed: int) -> Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))


def voneblock(seed: int = 0, noise: bool = False) -> VOneBlock:
    """Return a block with cells drawn from `seed`; with `noise`, its trials differ as those of neurons do."""
    return VOneBlock(seed=seed, noise="neuronal" if noise else "none")
