"""What a person meets who scores files and networks of any kind: the table of docs/howto/activations.md, end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from brainmark.core.errors import InvalidStimuli, ModelError, NotApplicable, UnknownName
from brainmark.core.experiment import Choose, Experiment, Record, Setting
from brainmark.core.stimuli import ImageFiles, Stimuli
from brainmark.models.subjects.vision import VisionSubject

GREY = np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten())


def subject(module: nn.Module | None = None, layer: str = "2") -> VisionSubject:
    return VisionSubject("mine", network() if module is None else module, {"IT": layer}, size=24)


def shown(paths: list[Path], ask: Record | Choose | None = None) -> Experiment:
    table = pd.DataFrame({"stimulus_id": [p.stem for p in paths]})
    return Experiment(Stimuli("files", "image", table, ImageFiles(tuple(paths))), ask or Record("IT"), Setting())


def saved(folder: Path, mode: str) -> Path:
    """The same grey picture in a mode of image files."""
    path = folder / f"{mode.replace(';', '-')}.{'tif' if mode == 'CMYK' else 'png'}"
    if mode == "I;16":
        image = Image.fromarray(GREY.astype(np.uint16) * 257)
    elif mode == "CMYK":
        image = Image.merge("CMYK", [Image.fromarray(255 - GREY)] * 3 + [Image.new("L", (24, 24), 0)])
    else:
        image = Image.fromarray(GREY).convert(mode)
    assert image.mode == mode
    image.save(path)
    return path


def test_one_picture_in_six_modes_is_one_picture(tmp_path: Path):
    paths = [saved(tmp_path, mode) for mode in ("RGB", "L", "LA", "RGBA", "CMYK", "I;16")]
    answer = subject().perform(shown(paths)).to_numpy()
    assert answer.std() > 0
    for row in answer[1:]:
        np.testing.assert_array_equal(row, answer[0])


@pytest.mark.parametrize("kept", [0, 40, 500], ids=["empty", "no more than the head", "cut short"])
def test_a_damaged_photograph_among_good_ones_is_named(tmp_path: Path, kept: int):
    paths: list[Path] = []
    for index in range(7):
        paths.append(tmp_path / f"photo{index}.jpg")
        Image.fromarray(np.roll(GREY, index)).convert("RGB").save(paths[-1])
    whole = paths[4].read_bytes()
    assert len(whole) > 500
    paths[4].write_bytes(whole[:kept])
    with pytest.raises(InvalidStimuli, match=r"'photo4'.*photo4\.jpg"):
        subject().perform(shown(paths))


def test_a_wrong_layer_is_answered_with_the_right_ones(tmp_path: Path):
    with pytest.raises(UnknownName, match=r"'Conv1' \(layers: '0', '1', '2', '3', 'output'\)"):
        subject(layer="Conv1").perform(shown([saved(tmp_path, "RGB")]))


def test_a_model_without_logits_chooses_no_words(tmp_path: Path):
    with pytest.raises(NotApplicable, match=r"mine has no head that names classes.*'cat', 'dog'"):
        subject().perform(shown([saved(tmp_path, "RGB")], Choose(("cat", "dog"))))


def test_activations_that_are_no_numbers_name_layer_and_stimulus(tmp_path: Path):
    class Logarithm(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x - 0.5).log()  # of dark pixels: NaN

    bright, dark = tmp_path / "bright.png", tmp_path / "dark.png"
    Image.fromarray(np.full((24, 24), 250, np.uint8)).save(bright)
    Image.fromarray(GREY).save(dark)
    with pytest.raises(ModelError, match=r"'0'.*stimulus 'dark' \(1\) are NaN or infinite"):
        subject(nn.Sequential(Logarithm(), nn.Flatten()), "0").perform(shown([bright, dark]))


def test_a_network_that_changes_while_it_is_asked_is_refused(tmp_path: Path):
    class Tires(nn.Module):
        """Answers less to every image that it has seen."""

        def __init__(self) -> None:
            super().__init__()
            self.seen = 0

        def forward(self, x: Tensor) -> Tensor:
            self.seen += 1
            return x * 0.9**self.seen

    with pytest.raises(ModelError, match=r"'0'.*gives another answer to the first stimulus when it is shown again"):
        subject(nn.Sequential(Tires(), nn.Flatten()), "0").perform(shown([saved(tmp_path, "RGB")]))
