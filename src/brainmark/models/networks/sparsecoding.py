"""Sparse coding: V1 cells as the few elements of a dictionary that together make up a patch of the image.

Olshausen & Field 1996 (Nature 381:607), with the penalty |a|. The dictionary that ships with the package was learnt by
``bench/sparse_dictionary.py`` from openly licensed photographs.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from brainmark.core.libraries import Image, np
from brainmark.models.networks.gabor import LUMINANCE
from brainmark.models.networks.seeds import draw_from

DICTIONARY = Path(__file__).parent / "sparsecoding.png"  # tiles in rows of 16, mid grey is 0
SIDE, ATOMS, ROW = 12, 192, 16
CUTOFF = 0.4  # cycles per pixel: 200 cycles in a picture of 512 pixels
PENALTY = 1.5  # lambda, for whiten images of variance 1
STRIDE = 4  # pixels between patches
STEPS = 80  # of the iteration: the objective is then within 1 % of its minimum
_BORDER = 32  # reflected pixels around an image that is whiten
_FAINTEST = 0.01  # standard deviation of whiten luminance (0-1) below which contrast is not raised to 1
_CHUNK = 4  # images coded together: bounds the memory of the codes


def whiten(luminance: Tensor) -> Tensor:
    """Return images (n, rows, columns) with flat spectra up to 0.4 cycles per pixel, and variance 1.

    The filter f exp(-(f / f0)^4) undoes the 1/f amplitude of natural images and is without phase (Olshausen & Field
    1997, Vision Research 37:3311, eq. 10 and 11).
    """
    framed = functional.pad(luminance[:, None], (_BORDER,) * 4, mode="reflect")[:, 0]
    rows, columns = (torch.fft.fftfreq(n, device=luminance.device) for n in framed.shape[1:])
    frequency = torch.hypot(rows[:, None], columns[None, :])
    passed = frequency * (-((frequency / CUTOFF) ** 4)).exp()
    flat = torch.fft.ifft2(torch.fft.fft2(framed) * passed).real[:, _BORDER:-_BORDER, _BORDER:-_BORDER]
    spread = flat.flatten(1).std(1).clamp(min=_FAINTEST * CUTOFF)
    return flat / spread[:, None, None]


@cache
def learnt_dictionary() -> np.ndarray:
    """Return the shipped dictionary (atoms, side, side), each of mean 0 and norm 1; read-only."""
    with Image.open(DICTIONARY) as image:
        tiles = np.asarray(image, float) - 128
    rows = len(tiles) // SIDE
    atoms = tiles.reshape(rows, SIDE, ROW, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)
    atoms -= atoms.mean((1, 2), keepdims=True)
    atoms /= np.linalg.norm(atoms, axis=(1, 2), keepdims=True)
    atoms.flags.writeable = False
    return atoms


def random_dictionary(seed: int) -> np.ndarray:
    """Return as many random patterns, each of mean 0 and norm 1."""
    with draw_from(seed):
        atoms = torch.randn(ATOMS, SIDE, SIDE, dtype=torch.float64).numpy()
    atoms = atoms - atoms.mean((1, 2), keepdims=True)
    return atoms / np.linalg.norm(atoms, axis=(1, 2), keepdims=True)


def sparse_codes(patches: Tensor, atoms: Tensor, penalty: float, steps: int = STEPS) -> Tensor:
    """Return the codes (n, atoms) that minimise |x - a D|^2 / 2 + penalty |a|_1 for patches x (n, pixels).

    By FISTA with restarts: Beck & Teboulle 2009 (SIAM J. Imaging Sci. 2:183), O'Donoghue & Candes 2015 (Found. Comput.
    Math. 15:715), eq. 12.

    Parameters
    ----------
    patches, atoms : (n, pixels), (atoms, pixels).
    """
    gram, target = atoms @ atoms.T, patches @ atoms.T
    rate = 1 / float(torch.linalg.matrix_norm(gram, 2))
    codes = ahead = torch.zeros_like(target)
    momentum = torch.ones((len(patches), 1), dtype=target.dtype, device=target.device)
    for _ in range(steps):
        after = functional.softshrink(torch.addmm(ahead + rate * target, ahead, gram, alpha=-rate), rate * penalty)
        moved = after - codes
        uphill = ((ahead - after) * moved).sum(1, keepdim=True) > 0
        momentum = torch.where(uphill, 1.0, momentum)
        further = (1 + (1 + 4 * momentum**2).sqrt()) / 2
        ahead = after + (momentum - 1) / further * moved
        codes, momentum = after, further
    return codes


class SparseCoding(nn.Module):
    """Sparse codes of overlapping patches.

    Input (stimuli, 3, rows, columns), 0-1. Layer ``v1``: maps (stimuli, 2 x atoms, rows / 4, columns / 4), first the
    positive parts of the codes, then the negative ones, as cells do not fire less than not at all.
    """

    def __init__(self, atoms: np.ndarray, penalty: float = PENALTY, steps: int = STEPS) -> None:
        super().__init__()
        self.side, self.penalty, self.steps = atoms.shape[1], penalty, steps
        self.register_buffer("atoms", torch.tensor(atoms.reshape(len(atoms), -1), dtype=torch.float32))
        self.register_buffer("luminance", torch.tensor(LUMINANCE), persistent=False)
        self.v1 = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Return the rectified codes."""
        return self.v1(torch.cat([self._codes(chunk) for chunk in images.split(_CHUNK)]))

    def _codes(self, images: Tensor) -> Tensor:
        grey = torch.einsum("c,nchw->nhw", self.get_buffer("luminance"), images.contiguous())
        margin = (self.side - STRIDE) // 2  # so that patches are centred on tiles of STRIDE pixels
        framed = functional.pad(whiten(grey)[:, None], (margin,) * 4, mode="reflect")
        patches = functional.unfold(framed, self.side, stride=STRIDE).transpose(1, 2)  # (n, places, pixels)
        patches = patches - patches.mean(2, keepdim=True)
        codes = sparse_codes(patches.flatten(0, 1), self.get_buffer("atoms"), self.penalty, self.steps)
        maps = codes.view(*patches.shape[:2], -1).transpose(1, 2)
        maps = maps.unflatten(2, tuple(n // STRIDE for n in images.shape[2:]))
        return torch.cat([maps.relu(), (-maps).relu()], 1)


def sparse_coding(weights: str = "published", seed: int = 0) -> SparseCoding:
    """Return the network with the dictionary that ships, or with random patterns in its place."""
    return SparseCoding(learnt_dictionary() if weights == "published" else random_dictionary(seed))
