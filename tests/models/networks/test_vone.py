from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from brainmark.core import Experiment, Record, Setting, Stimuli, check_answer, models
from brainmark.data.generated.gratings import Grating
from brainmark.models.networks import vone
from brainmark.models.networks.vone import GaborParameters, VOneBlock, gabor_kernels, sample_parameters

MIDDLE = 8  # of 16 positions in the 64 middle pixels


@pytest.fixture(scope="module")
def drawn() -> GaborParameters:
    return sample_parameters(10_000, seed=1)


@pytest.fixture(scope="module")
def block() -> VOneBlock:
    return VOneBlock(64, 64, seed=3)


def distance_to_histogram(values: np.ndarray, edges: Sequence[float], counts: Sequence[int] | np.ndarray) -> float:
    """Kolmogorov-Smirnov distance to the distribution function of the histogram, at the edges of its bins."""
    expected = np.concatenate([[0], np.cumsum(counts)]) / np.sum(counts)
    return float(np.abs(np.searchsorted(np.sort(values), edges) / len(values) - expected).max())


@pytest.mark.parametrize(("cells", "seed"), [(512, 0), (512, 5), (10_000, 1)])
def test_sampled_parameters_follow_the_published_tables(cells: int, seed: int):
    drawn = sample_parameters(cells, seed)
    joint = np.array(vone.CYCLES_COUNTS)
    orientation = (drawn.orientation + 22.5) % 180 - 22.5
    assert distance_to_histogram(orientation, vone.ORIENTATION_EDGES, vone.ORIENTATION_COUNTS) < 0.05
    assert distance_to_histogram(drawn.frequency, vone.FREQUENCY_EDGES, vone.FREQUENCY_COUNTS) < 0.05
    assert distance_to_histogram(drawn.nx, vone.CYCLES_EDGES, joint.sum(1)) < 0.05
    assert distance_to_histogram(drawn.ny, vone.CYCLES_EDGES, joint.sum(0)) < 0.05
    assert np.bincount(drawn.colour) / cells == pytest.approx([1 / 3] * 3, abs=0.03)
    assert distance_to_histogram(drawn.phase, [0, 90, 180, 270, 360], [1, 1, 1, 1]) < 0.05


def test_sampled_parameters_depend_on_each_other_as_measured(drawn: GaborParameters):
    assert np.corrcoef(np.log(drawn.frequency), np.log(drawn.nx))[0, 1] > 0.5
    joint = np.array(vone.CYCLES_COUNTS, float)
    rows, columns = (np.searchsorted(vone.CYCLES_EDGES, v) - 1 for v in (drawn.nx, drawn.ny))
    found = np.histogram2d(rows, columns, bins=[np.arange(6) - 0.5] * 2)[0]
    assert np.abs(found / found.sum() - joint / joint.sum()).max() < 0.02
    assert not found[joint == 0].any()


def test_frequencies_have_the_published_median(drawn: GaborParameters):
    assert np.median(drawn.frequency) == pytest.approx(2.69, abs=0.1)
    assert (drawn.frequency >= 2).mean() == pytest.approx(0.705, abs=0.02)


def test_the_highest_frequency_cuts_the_table():
    assert sample_parameters(500, highest_frequency=4.0).frequency.max() <= 4.0
    with pytest.raises(ValueError, match="less than"):
        sample_parameters(1, highest_frequency=0.1)


def gratings(orientation: float, frequency: float, phases: Sequence[float]) -> Tensor:
    images = [Grating(orientation, frequency, p).render(8.0, 224)[80:144, 80:144] for p in phases]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def middle(block: VOneBlock, images: Tensor) -> np.ndarray:
    with torch.inference_mode():
        return block(images)[:, :, MIDDLE, MIDDLE].numpy()


def fitting_cells(block: VOneBlock) -> np.ndarray:
    """Cells that fit into the kernel and have enough cycles to be band-pass."""
    cells = cast(GaborParameters, block.cells)
    degrees = cells.nx / cells.frequency, cells.ny / cells.frequency
    return np.flatnonzero((degrees[0] * 28 < 5) & (degrees[1] * 28 < 5) & (cells.nx > 0.35))


def test_cells_prefer_the_orientation_and_frequency_of_their_parameters(block: VOneBlock):
    cells, chosen = cast(GaborParameters, block.cells), [i for i in fitting_cells(block) if i >= 64][:6]
    assert len(chosen) == 6
    for cell in chosen:
        around = 2.0 ** np.arange(-1.5, 1.51, 0.25)
        at_frequency = [gratings(cells.orientation[cell], cells.frequency[cell] * f, [0.0]) for f in around]
        best = around[middle(block, torch.cat(at_frequency))[:, cell].argmax()]
        assert abs(np.log2(best)) <= 0.25
        turns = np.arange(-90, 90, 15.0)
        at_angle = [gratings(cells.orientation[cell] + t, cells.frequency[cell], [0.0]) for t in turns]
        assert abs(turns[middle(block, torch.cat(at_angle))[:, cell].argmax()]) <= 15


def test_complex_cells_do_not_see_phase_and_simple_cells_do(block: VOneBlock):
    cells, phases = cast(GaborParameters, block.cells), np.arange(0, 360, 30)
    fitting = fitting_cells(block)
    chosen = [*fitting[fitting < 64][:4], *fitting[fitting >= 64][:4]]
    for cell in chosen:
        response = middle(block, gratings(cells.orientation[cell], cells.frequency[cell], phases))[:, cell]
        modulation = 2 * np.abs(np.fft.fft(response)[1]) / len(phases) / response.mean()
        assert modulation > 1 if cell < 64 else np.ptp(response) < 0.05 * response.mean()


def test_kernels_at_quarter_cycles_are_in_quadrature():
    cells = GaborParameters(*(np.array([v]) for v in (30.0, 4.0, 20.0, 0.4, 0.5, 0)))
    even, odd = (gabor_kernels(cells, 28.0, 25, s)[0] for s in (0.0, 90.0))
    assert abs((even * odd).sum()) < 0.02 * (even**2).sum()
    assert (even**2).sum() == pytest.approx((odd**2).sum(), rel=0.02)


def test_responses_are_those_of_plain_convolution(block: VOneBlock):
    image = torch.rand((1, 3, 224, 224), generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        response = block(image)[0]
    cells = cast(GaborParameters, block.cells)
    padded = np.pad(image[0].numpy().astype(float), ((0, 0), (12, 12), (12, 12)))
    for cell, row, column in ((0, 0, 0), (40, 28, 13), (70, 55, 55), (127, 5, 30)):
        window = padded[cells.colour[cell], 4 * row : 4 * row + 25, 4 * column : 4 * column + 25]
        one = cells.take(np.array([cell]))
        q0, q1 = (vone.GAIN * float((gabor_kernels(one, 28.0, 25, s)[0] * window).sum()) for s in (0.0, 90.0))
        expected = max(q0, 0.0) if cell < 64 else np.sqrt((q0**2 + q1**2) / 2)
        assert float(response[cell, row, column]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("mean", [10.0, 30.0, 100.0])
def test_variance_of_noisy_spike_counts_equals_their_mean(mean: float):
    block = VOneBlock(1, 1, noise="neuronal")
    block.reseed(range(50))
    response = torch.full((50, 2, 20, 20), (mean - vone.NOISE_LEVEL) / vone.NOISE_SCALE)
    counts = block._noisy(response) * vone.NOISE_SCALE + vone.NOISE_LEVEL
    assert float(counts.mean()) == pytest.approx(mean, rel=0.01)
    assert float(counts.var() / counts.mean()) == pytest.approx(1, rel=0.05)


def test_noise_belongs_to_the_seed():
    block, image = VOneBlock(8, 8, noise="neuronal"), torch.rand((2, 3, 64, 64))
    with torch.inference_mode():
        block.reseed([1, 2])
        first = block(image)
        block.reseed([2, 1])
        swapped = block(image.flip(0)).flip(0)
        free, again = block(image), block(image)
    assert torch.equal(first, swapped)
    assert not torch.equal(free, again)


def test_the_subject_answers_for_every_region_and_trial():
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 30, 3), np.uint8)
    stimuli = Stimuli("two", "image", pd.DataFrame({"stimulus_id": ["a", "b"]}), list(images))
    subject = models["voneblock"].load()
    for region in models["voneblock"].card.regions:
        experiment = Experiment(stimuli, Record(region), Setting(degrees=8.0))
        answer = check_answer(subject.perform(experiment), experiment, "voneblock")
        assert answer.sizes["neuroid"] <= 50_000
    near = Experiment(stimuli, Record("V1", eccentricity=0.1), Setting(degrees=8.0, trials=3))
    assert subject.perform(near).shape == (2, 512)
    noisy = models["voneblock"].load(noise=True)
    trials = noisy.perform(near)
    assert trials.sizes == {"presentation": 2, "neuroid": 512, "repetition": 3}
    assert trials.identical(noisy.perform(near))
    assert float(np.hypot(trials.x, trials.y).max()) < 0.03
