"""A bank of Gabor filters with simple, complex and colour-opponent cells, computed exactly in the Fourier domain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from brainmark.core.libraries import np

LUMINANCE = (0.299, 0.587, 0.114)  # of sRGB values (ITU-R BT.601)
_OPPONENTS = (LUMINANCE, (1.0, -1.0, 0.0), (-0.5, -0.5, 1.0))  # luminance, red - green, blue - yellow
_CHUNK = 4  # images filtered together: bounds the memory of the spectra


@dataclass(frozen=True)
class GaborDesign:
    """Filters of the bank.

    Orientations are those of the bars, in degrees counter-clockwise from horizontal (0: horizontal bars) with the
    image's first row on top. Envelopes are round with a bandwidth of `octaves` at half height.
    """

    size: int = 224
    degrees: float = 8.0
    stride: int = 4
    margin: int = 32
    orientations: int = 8
    frequencies: tuple[float, ...] = (0.5, 0.81, 1.32, 2.14, 3.48, 5.66, 9.19)
    colour_frequencies: tuple[float, ...] = (0.5, 0.81, 1.32, 2.14, 3.48)
    octaves: float = 1.0

    @property
    def angles(self) -> np.ndarray:
        """Preferred orientations (orientations,) in degrees."""
        return np.arange(self.orientations) * 180.0 / self.orientations

    @property
    def extent(self) -> int:
        """Pixels of the field of view with its margins."""
        return self.size + 2 * self.margin

    @property
    def lattice(self) -> int:
        """Positions of cells across the padded field."""
        return self.extent // self.stride

    def __post_init__(self) -> None:
        if self.size % self.stride or self.margin % self.stride:
            raise ValueError(f"stride {self.stride} does not divide size {self.size} and margin {self.margin}")

    def spread(self, frequency: float) -> float:
        """Return the standard deviation of a filter's spectrum, in cycles per degree."""
        ratio = 2**self.octaves
        return frequency * (ratio - 1) / (ratio + 1) / math.sqrt(2 * math.log(2))


class GaborBank(nn.Module):
    """V1 as a bank of normalised Gabor filters.

    Input (stimuli, 3, size, size), 0-1. Layers, each with maps (stimuli, channels, rows, columns):

    ``simple``  half-rectified luminance responses at phases 0, 90, 180, 270 degrees; channel = (phase, frequency,
        orientation);
    ``complex`` their energy sqrt(even^2 + odd^2) (Adelson & Bergen 1985, eq. 1); channel = (frequency, orientation);
    ``colour``  energy of the two opponent channels and their rectified local averages;
    ``energy``  complex and colour cells, which do not see phase;
    ``v1`` all of them.

    Each response is divided by `semi` + the mean amplitude over orientations, neighbouring frequencies and
    positions (Heeger 1992, eq. 6, with amplitudes instead of squares). A full-contrast grating has amplitude 1.
    """

    def __init__(self, design: GaborDesign = GaborDesign(), semi: float = 0.1) -> None:
        super().__init__()
        self.design, self.semi = design, semi
        self.register_buffer("opponents", torch.tensor(_OPPONENTS), persistent=False)
        for index, frequency in enumerate(design.frequencies):
            self.register_buffer(f"filters{index}", _spectra(design, frequency), persistent=False)
        self.register_buffer("blur", _low_pass(design), persistent=False)
        self.simple, self.complex, self.colour = nn.Identity(), nn.Identity(), nn.Identity()
        self.energy, self.v1 = nn.Identity(), nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Return all cells."""
        parts = [self._cells(chunk) for chunk in images.split(_CHUNK)]
        simple, energy, colour = (torch.cat(p) for p in zip(*parts, strict=True))
        energy = self.energy(torch.cat([self.complex(energy), self.colour(colour)], 1))
        return self.v1(torch.cat([self.simple(simple), energy], 1))

    def _cells(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        design, margin = self.design, self.design.margin
        channels = torch.einsum("oc,nchw->nohw", self.opponents, images.contiguous())
        spectrum = torch.fft.fft2(nn.functional.pad(channels, (margin,) * 4, mode="reflect"))
        luminance = torch.stack(
            [self._filter(spectrum[:, 0], f"filters{i}") for i in range(len(design.frequencies))], 1
        )  # (n, frequency, orientation, rows, columns), complex: even + i odd
        amplitude = luminance.abs()
        scale = 1 / (self.semi + _local_mean(amplitude))
        energy = amplitude * scale.unsqueeze(2)
        normalised = luminance * scale.unsqueeze(2)
        even, odd = normalised.real, normalised.imag
        simple = torch.stack([even.relu(), odd.relu(), (-even).relu(), (-odd).relu()], 1)
        return simple.flatten(1, 3), energy.flatten(1, 2), self._colour(spectrum)

    def _colour(self, spectrum: Tensor) -> Tensor:
        used = range(len(self.design.colour_frequencies))
        cells: list[Tensor] = []
        for channel in (1, 2):
            filtered = [self._filter(spectrum[:, channel], f"filters{i}").abs() for i in used]
            amplitude = torch.stack(filtered, 1)
            cells.append((amplitude / (self.semi + _local_mean(amplitude)).unsqueeze(2)).flatten(1, 2))
            average = self._filter(spectrum[:, channel], "blur").real
            cells += [average.relu(), (-average).relu()]
        return torch.cat(cells, 1)

    def _filter(self, spectrum: Tensor, name: str) -> Tensor:
        """Return the responses (n, filters, rows, columns) at the lattice.

        Filters are given on the central `support` frequencies of the spectrum. Sampling every `stride` pixels folds
        the spectrum; folding before the inverse transform is the same and much cheaper.
        """
        filters = self.get_buffer(name)
        support, lattice = filters.shape[-1], self.design.lattice
        index = _central(support, self.design.extent, spectrum.device)
        part = spectrum[:, index[:, None], index] if support < self.design.extent else spectrum
        product = part.unsqueeze(1) * filters
        folds = support // lattice
        if folds > 1:
            product = product.unflatten(-1, (folds, lattice)).sum(-2).unflatten(-2, (folds, lattice)).sum(-3)
        responses = torch.fft.ifft2(product) / self.design.stride**2
        first = self.design.margin // self.design.stride
        last = first + self.design.size // self.design.stride
        return responses[..., first:last, first:last]


def _central(support: int, size: int, device: torch.device) -> Tensor:
    """Return the indices of the `support` lowest frequencies of an FFT of `size`, in FFT order."""
    half = torch.arange(support, device=device)
    return torch.where(half < support // 2, half, half + size - support)


def _frequencies(design: GaborDesign, support: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return horizontal and vertical frequency (down positive, cycles/degree) and the shift to the tiles' centres."""
    cycles = np.fft.fftfreq(support, 1 / support) / design.extent  # cycles per pixel
    shift = np.exp(2j * np.pi * cycles * (design.stride - 1) / 2)
    per_degree = cycles * design.size / design.degrees
    return per_degree[None, :], per_degree[:, None], shift[:, None] * shift[None, :]


def _spectra(design: GaborDesign, frequency: float) -> Tensor:
    """Return analytic filters (orientation, support, support) of one frequency: one-sided, without response to DC."""
    spread = design.spread(frequency)
    highest = (frequency + 3 * spread) * design.degrees / design.size * design.extent  # in steps of the FFT
    doublings = max(0, math.ceil(math.log2(2 * highest / design.lattice)))
    support = min(design.lattice * 2**doublings, design.extent)
    across, down, shift = _frequencies(design, support)
    spectra: list[np.ndarray] = []
    for angle in np.radians(design.angles):
        # bars along the angle modulate along its normal: (sin, cos) in (right, down)
        along, orthogonal = across * np.sin(angle) + down * np.cos(angle), across * np.cos(angle) - down * np.sin(angle)
        centre = np.exp(-((along - frequency) ** 2 + orthogonal**2) / (2 * spread**2))
        mean = np.exp(-(frequency**2) / (2 * spread**2)) * np.exp(-(along**2 + orthogonal**2) / (2 * spread**2))
        spectra.append(4 * (centre - mean) * shift)  # x2: one side of the spectrum; x2: contrast 1 is amplitude 0.5
    return torch.from_numpy(np.stack(spectra).astype(np.complex64))


def _low_pass(design: GaborDesign) -> Tensor:
    """Return the Gaussian average (1, support, support) over half a cycle of the lowest frequency."""
    across, down, shift = _frequencies(design, design.lattice)
    spread = design.frequencies[0]
    return torch.from_numpy((np.exp(-(across**2 + down**2) / (2 * spread**2)) * shift).astype(np.complex64)[None])


def _local_mean(amplitude: Tensor) -> Tensor:
    """Return mean over orientations, frequencies one step away and 5 x 5 positions: (n, frequency, rows, columns)."""
    pooled = amplitude.mean(2)
    pooled = nn.functional.avg_pool2d(pooled, 5, 1, 2, count_include_pad=False)
    frequencies = pooled.flatten(2).transpose(1, 2)
    mean = nn.functional.avg_pool1d(frequencies, 3, 1, 1, count_include_pad=False)
    return mean.transpose(1, 2).unflatten(2, pooled.shape[2:])
