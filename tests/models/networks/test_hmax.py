from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d
from torch.utils._python_dispatch import TorchDispatchMode

from brainmark.core import Experiment, Record, Setting, Stimuli, check_answer, models
from brainmark.data.generated.gratings import Grating
from brainmark.models.networks.hmax import (
    HMAX,
    LATTICE,
    LOCAL_PATCHES,
    ORIENTATIONS,
    PATCHES,
    POOLS,
    SCALES,
    WAVES,
    _closeness,
    _pool,
    _window_sums,
    s1_filter,
)
from brainmark.models.subjects.vision import VisionSubject


@pytest.fixture(scope="module")
def net() -> HMAX:
    return HMAX(patches=20)


def picture(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.broadcast_to(image, (1, 3, *image.shape)).astype(np.float32))


def blobs(seed: int, across: int, down: int, size: float = 1.0) -> np.ndarray:
    """An object of bright and dark spots in mid grey, its centre moved from the image's by (across, down) pixels."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:224, :224] - 111.5
    image = np.full((224, 224), 0.5)
    for (cx, cy), radius, sign in zip(
        random.uniform(-25, 25, (12, 2)), random.uniform(4, 9, 12), random.choice([-1, 1], 12), strict=True
    ):
        square = max(abs(random.normal()), 0.3)
        inside = (np.abs(x - across - size * cx) * square < size * radius) & (
            np.abs(y - down - size * cy) < size * radius
        )
        image[inside] = 0.5 + 0.4 * sign
    return image


def c2(net: HMAX, *images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return net(torch.cat([picture(i) for i in images])).numpy()


def centred_cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_c2_of_a_shifted_object_is_the_same_although_its_pixels_are_not(net: HMAX):
    images = blobs(0, -40, -30), blobs(0, 40, 30), blobs(1, 40, 30)
    assert abs(np.corrcoef(images[0].ravel(), images[1].ravel())[0, 1]) < 0.05
    here, there, other = c2(net, *images)
    assert centred_cosine(here, there) > 0.95
    assert np.linalg.norm(here - there) < 0.5 * np.linalg.norm(here - other)


def test_c2_of_a_scaled_object_is_closer_than_another_object(net: HMAX):
    small, large, other = c2(net, blobs(0, 0, 0), blobs(0, 0, 0, size=1.2), blobs(1, 0, 0))
    assert np.linalg.norm(small - large) < 0.8 * np.linalg.norm(small - other)


def test_s1_does_not_see_contrast(net: HMAX):
    image = torch.rand((1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for full, third in zip(net._s1_bands(image), net._s1_bands(image / 3), strict=True):
            torch.testing.assert_close(full, third, atol=1e-4, rtol=1e-3)


def test_s1_is_the_normalised_correlation_with_its_filters(net: HMAX):
    image = torch.rand((1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        bands = net._s1_bands(image)
    grey = torch.einsum("c,chw->hw", torch.tensor([0.299, 0.587, 0.114]), image[0]).numpy()
    for band, row, column in ((0, 50, 60), (7, 100, 30)):
        for index in range(4):
            largest = 0.0
            for scale in (2 * band, 2 * band + 1):
                half = SCALES[scale] // 2
                window = grey[row - half : row + half + 1, column - half : column + half + 1].astype(float)
                gabor = s1_filter(SCALES[scale], WAVES[scale], ORIENTATIONS[index])
                largest = max(largest, abs((window * gabor).sum()) / np.linalg.norm(window))
            assert float(bands[band][0, index, row, column]) == pytest.approx(largest, abs=1e-5)


def test_filters_have_mean_zero_norm_one_and_no_corners():
    for size, wave in zip(SCALES, WAVES, strict=True):
        gabor = s1_filter(size, wave, 45.0)
        assert gabor.sum() == pytest.approx(0, abs=1e-9)
        assert np.linalg.norm(gabor) == pytest.approx(1)
        assert gabor[0, 0] == 0


def test_a_black_image_gives_no_response(net: HMAX):
    half = np.zeros((224, 224))
    half[:, 112:] = 1.0
    with torch.inference_mode():
        v1 = net._v1_c1(picture(half))[0]
    assert float(v1[..., :20].max()) < 1e-3


@pytest.mark.parametrize("band", [0, 3, 7])
@pytest.mark.parametrize("orientation", range(4))
def test_v1_prefers_its_orientation_and_wavelength(net: HMAX, band: int, orientation: int):
    wavelengths = [2 * s / w for s, w in zip(SCALES, WAVES, strict=True)]
    frequency = 28 / np.mean(wavelengths[2 * band : 2 * band + 2])
    grating = Grating(ORIENTATIONS[orientation], float(frequency), 90.0).render(8.0, 224)[..., 0] / 255
    with torch.inference_mode():
        middle = net._v1_c1(picture(grating))[0][0, :, 28, 28].reshape(8, 4).numpy()
    assert middle[band].argmax() == orientation
    assert abs(int(middle[:, orientation].argmax()) - band) <= 1


@pytest.mark.parametrize("window", POOLS)
@pytest.mark.parametrize("size", [96, 101])
def test_pooling_is_the_maximum_over_windows_on_the_lattice_and_half_a_window_apart(window: int, size: int):
    band = torch.rand((2, 4, size, size), generator=torch.Generator().manual_seed(window))
    v1, c1 = _pool(band, window)
    assert torch.equal(v1, max_pool2d(band, window, LATTICE, window // 2))
    assert torch.equal(c1, max_pool2d(band, window, window // 2))


def test_window_sums_keep_faint_windows_beside_bright_ones():
    maps = torch.rand((2, 60, 60), generator=torch.Generator().manual_seed(0))
    maps[:, 30:, 30:] *= 1e-6
    for side, found in zip((7, 9, 22), _window_sums(maps, (7, 9, 22)), strict=True):
        expected = maps.double().unfold(1, side, 1).unfold(2, side, 1).sum((-2, -1))
        torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)


class NoDouble(TorchDispatchMode):
    """Refuses numbers of double precision, as some devices do."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.dtype == torch.float64:
            raise TypeError("this device has no float64")
        return result


def test_devices_without_double_precision_give_the_same_responses(net: HMAX, monkeypatch: pytest.MonkeyPatch):
    maps = torch.rand((2, 60, 60), generator=torch.Generator().manual_seed(0))
    maps[:, 30:, 30:] *= 1e-6
    expected = _window_sums(maps, SCALES)
    with NoDouble(), pytest.raises(TypeError, match="no float64"):
        _window_sums(maps, SCALES)
    monkeypatch.setattr("brainmark.models.networks.hmax.has_double", lambda device: False)
    with NoDouble():
        found = _window_sums(maps, SCALES)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-6, atol=0)


@pytest.mark.parametrize("shift", [(-60, 0), (35, 50), (0, -55), (60, 60)])
def test_c2_tolerates_shifts_anywhere_in_the_field_of_view(net: HMAX, shift: tuple[int, int]):
    here, there = c2(net, blobs(2, 0, 0), blobs(2, *shift))
    assert np.corrcoef(here, there)[0, 1] > 0.95
    assert centred_cosine(here, there) > 0.95


def test_closeness_is_minus_the_squared_distance_of_windows():
    random = torch.Generator().manual_seed(0)
    maps, templates = torch.rand((2, 4, 9, 8), generator=random), torch.rand((3, 4, 4, 4), generator=random)
    found = _closeness(maps, templates)
    assert found.shape == (2, 3, 6, 5)
    for image, template, row, column in ((0, 0, 0, 0), (1, 2, 5, 4), (1, 1, 2, 3)):
        window = maps[image, :, row : row + 4, column : column + 4]
        expected = -float((window - templates[template]).square().sum())
        assert float(found[image, template, row, column]) == pytest.approx(expected, abs=1e-5)


def test_a_template_answers_one_to_its_own_image(net: HMAX):
    template = net.get_buffer("s2_4")[7]
    c1 = [torch.zeros((1, 4, 20, 20)) for _ in range(8)]
    c1[3][0, :, 5:9, 11:15] = template
    there, anywhere = net._match_templates(c1, 4)
    assert float(anywhere[0, 7]) == pytest.approx(1, abs=1e-5)
    row, column = np.unravel_index(int(there[0, 7].argmax()), (7, 7))
    assert (row, column) == (2, 4)  # of 7 places over 20 units, around unit (7, 13)


def test_templates_depend_on_the_seed_only():
    one, same, other = (HMAX(3, seed=s, size=96).get_buffer("s2_8") for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_other_image_sizes_are_refused(net: HMAX):
    with pytest.raises(ValueError, match=r"made for 224 x 224 pixels, not \(100, 224\)"):
        net(torch.zeros((1, 3, 100, 224)))


def test_the_subject_answers_for_every_region(net: HMAX):
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 30, 3), np.uint8)
    stimuli = Stimuli("two", "image", pd.DataFrame({"stimulus_id": ["a", "b"]}), list(images))
    subject = replace(cast(VisionSubject, models["hmax"].load()), network=net)
    sizes: dict[str, int] = {}
    for region in models["hmax"].card.regions:
        experiment = Experiment(stimuli, Record(region), Setting(degrees=8.0))
        sizes[region] = check_answer(subject.perform(experiment), experiment, "hmax").sizes["neuroid"]
    local = 20 * len(LOCAL_PATCHES) * 49
    assert sizes == {"V1": 32 * 14 * 14, "V2": local, "V4": local, "IT": 20 * len(PATCHES)}
    near = subject.perform(Experiment(stimuli, Record("V1", eccentricity=0.1), Setting(degrees=8.0)))
    assert near.sizes["neuroid"] == 32 and not near.x.values.any() and not near.y.values.any()
