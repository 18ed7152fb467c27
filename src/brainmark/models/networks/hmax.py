"""HMAX: alternating template matching (S) and max pooling (C), after Serre, Oliva & Poggio 2007."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from brainmark.core.devices import has_double
from brainmark.core.libraries import np
from brainmark.data.generated.leaves import dead_leaves

SCALES = tuple(range(7, 38, 2))  # filter sizes of S1, pixels
WAVES = tuple(4 - 0.05 * i for i in range(16))  # size / wavelength = WAVES / 2
ORIENTATIONS = (0.0, 45.0, 90.0, 135.0)  # of the bars, degrees counter-clockwise from horizontal
POOLS = tuple(range(8, 23, 2))  # windows of C1 in pixels, one for each pair of scales
PATCHES = (2, 4, 6, 8, 10, 12, 14, 16)  # sides of the S2 templates, in C1 units
LOCAL_PATCHES = (2, 4, 8)  # of which local maxima are kept as well
LATTICE = 4  # pixels between units of the layer v1
_GAMMA, _SIGMA = 0.3, 0.8  # aspect ratio; envelope in wavelengths
PLACES = 7  # of local maxima across the field of view
_FAINTEST = 1e-2  # norm of a window below which nothing is seen: keeps rounding errors of dark areas small
_LEAVES = 8  # images that templates are cut from
_CHUNK = 4  # images computed together: bounds the memory of the S2 maps


def s1_filter(size: int, wave: float, orientation: float) -> np.ndarray:
    """Return a Gabor (size, size) in a disc, with mean 0 and norm 1; bars at `orientation`, first row on top."""
    wavelength = 2 * size / wave
    axis = np.arange(size) - size // 2
    right, up = axis[None, :], -axis[:, None]
    angle = math.radians(orientation)
    across, along = up * math.cos(angle) - right * math.sin(angle), right * math.cos(angle) + up * math.sin(angle)
    envelope = np.exp(-(across**2 + _GAMMA**2 * along**2) / (2 * (_SIGMA * wavelength) ** 2))
    disc = np.hypot(right, up) <= size / 2
    gabor = np.where(disc, envelope * np.cos(2 * np.pi * across / wavelength), 0.0)
    gabor = np.where(disc, gabor - gabor[disc].mean(), 0.0)
    return gabor / np.linalg.norm(gabor)


class HMAX(nn.Module):
    """S1, C1, S2 and C2 on grey images.

    Input (stimuli, 3, size, size), 0-1. Layers:

    ``v1``  C1 of the 8 bands on one lattice of 4 pixels, its middle at the image's centre: (stimuli, band x
        orientation, size / 4 + 1, size / 4 + 1);
    ``c2_local``  largest S2 response over bands in each of 7 x 7 places, for templates of 2, 4 and 8 units;
    ``c2``  largest S2 response over bands and positions: (stimuli, templates).

    S1: absolute normalised correlation with 64 Gabors. C1: maximum over two scales, then over windows of 8 to 22
    pixels, half a window apart. S2: exp(-|X - P|^2 / (2 (sigma a)^2)) with a = side of P / 4 (the normalisation of
    Mutch & Lowe 2008, IJCV 80:45, eq. 2, without which large templates never respond); sigma is 0.2, the spread of C1
    in natural images, where the published 1 leaves all responses between 0.9 and 1. Templates are crops of the C1
    maps of dead-leaves images at random bands, the way the universal set was made.
    """

    def __init__(self, patches: int = 100, seed: int = 0, size: int = 224, sigma: float = 0.2) -> None:
        super().__init__()
        self.size, self.sigma = size, sigma
        filters = [s1_filter(s, wave, o) for s, wave in zip(SCALES, WAVES, strict=True) for o in ORIENTATIONS]
        # two real filters make one complex one: their responses come back as its real and imaginary part
        pairs = np.stack(
            [_centre(a, size) + 1j * _centre(b, size) for a, b in zip(filters[::2], filters[1::2], strict=True)]
        )
        spectra = torch.from_numpy(np.fft.fft2(pairs).astype(np.complex64))
        self.register_buffer("s1", spectra.unflatten(0, (len(SCALES), 2)), persistent=False)
        for side, templates in self._universal_patches(patches, seed).items():
            self.register_buffer(f"s2_{side}", templates.contiguous(memory_format=torch.channels_last))
        self.v1, self.c2_local, self.c2 = nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Return C2."""
        stages = [self._v1_c1(chunk) for chunk in images.split(_CHUNK)]
        self.v1(torch.cat([v1 for v1, _ in stages]))
        c1 = [torch.cat(maps) for maps in zip(*(c1 for _, c1 in stages), strict=True)]
        local: list[Tensor] = []
        best: list[Tensor] = []
        for side in (*LOCAL_PATCHES, *(p for p in PATCHES if p not in LOCAL_PATCHES)):
            parts = [
                self._match_templates([m[i : i + _CHUNK] for m in c1], side) for i in range(0, len(images), _CHUNK)
            ]
            local += [torch.cat([places for places, _ in parts])] if side in LOCAL_PATCHES else []
            best.append(torch.cat([anywhere for _, anywhere in parts]))
            if side == LOCAL_PATCHES[-1]:
                self.c2_local(torch.cat(local, 1))
        return self.c2(torch.cat(best, 1))

    def _v1_c1(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        pooled = [_pool(b, window) for b, window in zip(self._s1_bands(images), POOLS, strict=True)]
        return torch.cat([v1 for v1, _ in pooled], 1), [c1 for _, c1 in pooled]

    def _s1_bands(self, images: Tensor) -> list[Tensor]:
        """Return the maximum of |S1| over the two scales of each band: 8 x (n, orientation, size, size)."""
        if images.shape[-2:] != (self.size, self.size):
            raise ValueError(f"HMAX was made for {self.size} x {self.size} pixels, not {tuple(images.shape[-2:])}")
        shares = torch.tensor([0.299, 0.587, 0.114], dtype=images.dtype, device=images.device)
        grey = torch.einsum("c,nchw->nhw", shares, images.contiguous())
        spectrum, powers = torch.fft.fft2(grey)[:, None], _window_sums(grey.square(), SCALES)
        bands: list[Tensor] = []
        for index, (size, power) in enumerate(zip(SCALES, powers, strict=True)):
            pairs = torch.view_as_real(torch.fft.ifft2(spectrum * self.get_buffer("s1")[index]))
            border = size // 2  # here the circular convolution wraps round, and HMAX gives no response
            if index % 2 == 0:
                bands.append(grey.new_zeros((len(grey), len(ORIENTATIONS), self.size, self.size)))
            inside = bands[-1].unflatten(1, (-1, 2))[..., border:-border, border:-border]
            response = pairs.movedim(-1, 2)[..., border:-border, border:-border].abs()
            response.mul_((power + _FAINTEST**2).rsqrt()[:, None, None])
            torch.maximum(inside, response, out=inside)
        return bands

    def _match_templates(self, c1: Sequence[Tensor], side: int) -> tuple[Tensor, Tensor]:
        """Return largest S2 responses to the templates of one side, in each place (n, template, 7, 7) and anywhere."""
        templates = self.get_buffer(f"s2_{side}")
        half = side // 2
        there: list[Tensor] = []
        anywhere: list[Tensor] = []
        for band in c1:
            if min(band.shape[2:]) < side:
                continue
            if side in LOCAL_PATCHES:  # windows beyond the border as well, so that places tile the field evenly
                closeness = _closeness(functional.pad(band, (half,) * 4), templates)
                there.append(functional.adaptive_max_pool2d(closeness, PLACES))
                closeness = closeness[..., half:-half, half:-half]
            else:
                closeness = _closeness(band, templates)
            anywhere.append(closeness.amax((2, 3)))
        best = torch.stack(anywhere).amax(0)
        return self._tune(torch.stack(there).amax(0) if there else best, side), self._tune(best, side)

    def _tune(self, closeness: Tensor, side: int) -> Tensor:
        return (closeness.clamp(max=0) / (2 * (self.sigma * side / 4) ** 2)).exp()

    @torch.no_grad()
    def _universal_patches(self, count: int, seed: int) -> dict[int, Tensor]:
        """Return the crops (count, orientation, side, side) of C1 of generated images."""
        random = np.random.default_rng(seed)
        leaves = torch.from_numpy(dead_leaves(_LEAVES, self.size, seed).astype(np.float32) / 255).permute(0, 3, 1, 2)
        c1 = [torch.cat(maps) for maps in zip(*(self._v1_c1(i)[1] for i in leaves.split(_CHUNK)), strict=True)]
        found: dict[int, Tensor] = {}
        for side in PATCHES:
            large_enough = [band for band in c1 if min(band.shape[2:]) >= side]
            crops: list[Tensor] = []
            for _ in range(count):
                band = large_enough[random.integers(len(large_enough))]
                image = int(random.integers(len(band)))
                row, column = (int(random.integers(n - side + 1)) for n in band.shape[2:])
                crops.append(band[image, :, row : row + side, column : column + side])
            found[side] = torch.stack(crops).contiguous()
        return found


def _pool(band: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Return maxima over square windows of a band without negative values: on the lattice of ``v1``, and for C1.

    Both take their rows from the same maxima down the columns.
    """
    half, size = window // 2, band.shape[2]
    down = _running_maximum(functional.pad(band, (half,) * 4), window, 2)
    v1 = _running_maximum(down[:, :, ::LATTICE], window, 3)[..., ::LATTICE]
    within = down[:, :, half : half + size - window + 1 : half, half:-half]  # windows that do not cross the border
    return v1, _running_maximum(within, window, 3)[..., ::half]


def _running_maximum(maps: Tensor, window: int, dim: int) -> Tensor:
    """Return the maximum over each `window` neighbours along `dim`, from windows that double: log2(window) steps."""
    width = 1
    while width < window:
        shift = min(width, window - width)
        left = maps.shape[dim] - shift
        maps = torch.maximum(maps.narrow(dim, 0, left), maps.narrow(dim, shift, left))
        width += shift
    return maps


def _centre(small: np.ndarray, size: int) -> np.ndarray:
    """Return an odd-sized filter in a plane (size, size) with its centre at the origin of a circular convolution."""
    plane = np.zeros((size, size))
    plane[: len(small), : len(small)] = small
    return np.roll(plane, -(len(small) // 2), (0, 1))


def _box_sum(maps: Tensor, side: int) -> Tensor:
    """Return the sum over square windows of (n, 1, rows, columns); rows first, then columns."""
    return functional.avg_pool2d(functional.avg_pool2d(maps, (side, 1), 1), (1, side), 1) * side**2


def _window_sums(maps: Tensor, sides: Sequence[int]) -> list[Tensor]:
    """Return the sums over square windows of (n, rows, columns), one for each side, from one summed-area table.

    The table has double precision: differences of its large entries would cost float32 the faint windows. A device
    without it adds up each window, which is as exact and slower.
    """
    if not has_double(str(maps.device)):
        return [_box_sum(maps[:, None], side)[:, 0] for side in sides]
    table = functional.pad(maps.double().cumsum(-1).cumsum(-2), (1, 0, 1, 0))
    sums: list[Tensor] = []
    for k in sides:
        right = table[..., k:] - table[..., :-k]
        sums.append((right[:, k:] - right[:, :-k]).clamp(min=0).to(maps.dtype))
    return sums


def _closeness(maps: Tensor, templates: Tensor) -> Tensor:
    """Return -|X - P|^2 of windows X of `maps` (n, orientation, rows, columns) and templates P: (n, template, ...)."""
    power = _box_sum(maps.square().sum(1, keepdim=True), templates.shape[-1])
    maps = maps.contiguous(memory_format=torch.channels_last)
    return functional.conv2d(maps, 2 * templates, -templates.square().sum((1, 2, 3))).sub_(power)
