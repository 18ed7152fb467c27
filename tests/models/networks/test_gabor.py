from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from brainmark.core import Experiment, Record, Setting, Stimuli, check_answer, models
from brainmark.models.networks.gabor import GaborBank, GaborDesign

DESIGN = GaborDesign(size=112, frequencies=(0.5, 0.81, 1.32, 2.14, 3.48))  # half the resolution: four times as fast
CENTRE = DESIGN.size // DESIGN.stride // 2


def grating(orientation: float, frequency: float, phase: float = 0.0, contrast: float = 1.0) -> torch.Tensor:
    """Bars at `orientation` degrees counter-clockwise from horizontal, first row on top: (1, 3, size, size)."""
    x = (np.arange(DESIGN.size) + 0.5) / DESIGN.size * DESIGN.degrees - DESIGN.degrees / 2
    right, up = x[None, :], -x[:, None]
    angle = np.radians(orientation)
    across_bars = -right * np.sin(angle) + up * np.cos(angle)  # along the normal of the bars
    wave = 0.5 + 0.5 * contrast * np.cos(2 * np.pi * frequency * across_bars + np.radians(phase))
    return torch.from_numpy(np.broadcast_to(wave, (1, 3, *wave.shape)).astype(np.float32))


@pytest.fixture(scope="module")
def bank() -> GaborBank:
    return GaborBank(DESIGN)


def cells(bank: GaborBank, images: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simple (image, phase, frequency, orientation), complex (image, frequency, orientation), colour, at the centre."""
    with torch.inference_mode():
        v1 = bank(images)[:, :, CENTRE, CENTRE].numpy()
    frequencies, orientations = len(DESIGN.frequencies), DESIGN.orientations
    simple, energy, colour = np.split(v1, [4 * frequencies * orientations, 5 * frequencies * orientations], axis=1)
    return (
        simple.reshape(-1, 4, frequencies, orientations),
        energy.reshape(-1, frequencies, orientations),
        colour,
    )


@pytest.mark.parametrize("frequency", [0, 3, 4])
@pytest.mark.parametrize("orientation", [0, 1, 5])
def test_a_grating_excites_most_the_cell_of_its_orientation_and_frequency(
    bank: GaborBank, orientation: int, frequency: int
):
    wave = grating(float(DESIGN.angles[orientation]), DESIGN.frequencies[frequency])
    energy = cells(bank, wave)[1][0]
    assert np.unravel_index(energy.argmax(), energy.shape) == (frequency, orientation)


def test_orientation_tuning_peaks_at_the_own_orientation_and_falls_to_little_at_the_orthogonal_one(bank: GaborBank):
    angles = np.arange(0, 180, 15)
    waves = torch.cat([grating(a, 2.14) for a in angles])
    tuning = cells(bank, waves)[1][:, 3, 2]
    assert angles[tuning.argmax()] == 45.0
    assert tuning[angles == 135.0] < 0.02 * tuning.max()


def test_complex_cells_do_not_see_phase_and_simple_cells_do(bank: GaborBank):
    waves = torch.cat([grating(45.0, 2.14, phase) for phase in range(0, 360, 30)])
    simple, energy, _ = cells(bank, waves)
    assert np.ptp(energy[:, 3, 2]) < 0.05 * energy[:, 3, 2].mean()
    response = simple[:, 0, 3, 2]
    modulation = 2 * np.abs(np.fft.fft(response)[1]) / len(response) / response.mean()
    assert 1.4 < modulation < 1.7  # a half-wave rectified sine: pi / 2


def test_phases_of_simple_cells_are_a_quarter_cycle_apart(bank: GaborBank):
    waves = torch.cat([grating(0.0, 2.14, phase) for phase in range(0, 360, 30)])
    best = cells(bank, waves)[0][:, :, 3, 0].argmax(0) * 30
    assert sorted((best - best[0]) % 360) == [0, 90, 180, 270]


def test_a_luminance_offset_changes_nothing(bank: GaborBank):
    image = 0.3 + 0.4 * torch.rand((1, 3, DESIGN.size, DESIGN.size), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(bank(image), bank(image + 0.25), atol=2e-5, rtol=1e-4)


def test_responses_grow_with_contrast_and_saturate(bank: GaborBank):
    waves = torch.cat([grating(0.0, 2.14, contrast=c) for c in (0.0, 0.1, 0.2, 0.4, 0.8)])
    response = cells(bank, waves)[1][:, 3, 0]
    assert response[0] < 1e-5 and (np.diff(response) > 0).all()
    assert response[4] / response[3] < 0.9 * response[2] / response[1]


def test_grey_images_leave_colour_cells_silent_and_coloured_ones_do_not(bank: GaborBank):
    grey = grating(0.0, 1.32)
    red_green = grey.clone()
    red_green[:, 1] = 1 - red_green[:, 1]
    assert np.abs(cells(bank, grey)[2]).max() < 1e-5
    colour = cells(bank, red_green)[2][0]
    per_opponent = len(DESIGN.colour_frequencies) * DESIGN.orientations
    assert colour[:per_opponent].argmax() == 2 * DESIGN.orientations


def test_folding_the_spectrum_equals_sampling_the_filtered_image():
    design = GaborDesign(size=32, degrees=2.0, stride=4, margin=8, frequencies=(3.0,), colour_frequencies=(3.0,))
    bank = GaborBank(design)
    image = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    luminance = torch.einsum("c,nchw->nhw", bank.opponents[0], image)
    padded = torch.nn.functional.pad(luminance[:, None], (8,) * 4, mode="reflect")[:, 0]
    filters = bank.get_buffer("filters0")
    folded = bank._filter(torch.fft.fft2(padded), "filters0")
    support = filters.shape[-1]
    assert support == design.extent  # so that the whole spectrum can be inverted plainly
    plain = torch.fft.ifft2(torch.fft.fft2(padded)[:, None] * filters)[..., 8:40:4, 8:40:4]
    torch.testing.assert_close(folded, plain, atol=1e-5, rtol=1e-4)


def test_filters_are_centred_between_the_pixels_of_their_tile(bank: GaborBank):
    position, bands = 12, len(DESIGN.frequencies) * DESIGN.orientations
    image = torch.full((1, 3, DESIGN.size, DESIGN.size), 0.5)
    image[:, :, position * 4 + 1 : position * 4 + 3, position * 4 + 1 : position * 4 + 3] = 1.0  # its middle
    with torch.inference_mode():
        maps = bank(image)[0, 5 * bands - DESIGN.orientations]  # highest frequency, horizontal, complex
    assert np.unravel_index(int(maps.argmax()), maps.shape) == (position, position)
    torch.testing.assert_close(maps[position - 1], maps[position + 1], atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(maps[:, position - 1], maps[:, position + 1], atol=1e-5, rtol=1e-3)


def test_the_subject_answers_for_every_region_within_bounds():
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 30, 3), np.uint8)
    stimuli = Stimuli("two", "image", pd.DataFrame({"stimulus_id": ["a", "b"]}), list(images))
    subject = models["gabor"].load()
    for region in models["gabor"].card.regions:
        experiment = Experiment(stimuli, Record(region), Setting(degrees=4.0))
        answer = check_answer(subject.perform(experiment), experiment, "gabor")
        assert answer.sizes["neuroid"] <= 50_000
    near = subject.perform(Experiment(stimuli, Record("V1", eccentricity=0.3), Setting(degrees=4.0)))
    assert float(np.hypot(near.x, near.y).max()) <= 0.3
    assert near.sizes["neuroid"] % 364 == 0
