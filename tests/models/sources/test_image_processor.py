"""What an image processor of transformers does to pixels reaches the network, or the network is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from brainmark import Experiment, Record, Setting, Stimuli, VisionSubject, load_model
from brainmark.core.errors import InvalidModel
from brainmark.models.sources import torch_libraries
from brainmark.models.sources.image_processor import measure_processor

transformers = torch_libraries.transformers()
SIZE = 32
SQUARE = {"height": SIZE, "width": SIZE}


class Shown(nn.Module):
    """Hands on what it is shown."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def noise(count: int = 2, size: int = SIZE) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8))


def show_pictures(media: list[np.ndarray], **fields: Any) -> np.ndarray:
    subject = VisionSubject("shown", Shown(), {"V1": "output"}, **fields)
    stimuli = Stimuli("n", "image", pd.DataFrame({"stimulus_id": [f"{k}" for k in range(len(media))]}), media)
    answer = subject.perform(Experiment(stimuli, Record("V1"), Setting(degrees=None)))
    return answer.values.reshape(len(media), 3, fields["size"], fields["size"])


PROCESSORS = {
    "usual": ("ViTImageProcessor", {}),
    "without rescaling": ("ViTImageProcessor", {"do_rescale": False, "do_normalize": False}),
    "without rescaling, normalised": ("ViTImageProcessor", {"do_rescale": False, "image_mean": [103.9, 116.8, 123.7]}),
    "to -1 .. 1": ("ViTImageProcessor", {"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3}),
    "with an offset": ("EfficientNetImageProcessor", {"rescale_offset": True, "rescale_factor": 1 / 127.5}),
    "normalised twice": ("EfficientNetImageProcessor", {"include_top": True, "image_std": [0.5, 0.25, 0.2]}),
    "BGR": ("MobileViTImageProcessor", {"size": {"shortest_edge": SIZE}, "crop_size": SQUARE}),
    "a crop": ("BitImageProcessor", {"size": {"shortest_edge": 40}, "crop_size": SQUARE}),
    "a share that is cropped": ("ConvNextImageProcessor", {"size": {"shortest_edge": SIZE}, "crop_pct": 0.5}),
    "no resizing": ("ViTImageProcessor", {"do_resize": False}),
    "multiples": ("GLPNImageProcessor", {"size_divisor": 16, "size": None}),
    "a longest edge": ("BlipImageProcessor", {}),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_network_is_given_what_its_processor_makes(name: str):
    """The order of channels, `rescale_factor`, `do_rescale` and offsets were left out."""
    kind, fields = PROCESSORS[name]
    processor = getattr(transformers, kind)(**{"size": SQUARE, **fields})
    scale = measure_processor(processor, "mine", usual=SIZE)
    assert scale.size == SIZE
    colours = [np.full((SIZE, SIZE, 3), colour, np.uint8) for colour in ((0, 0, 0), (255, 10, 99), (3, 200, 77))]
    media = colours if "crop" in name else noise()
    found = show_pictures(media, size=scale.size, mean=scale.mean, std=scale.std, channels=scale.channels)
    right = np.asarray(processor([Image.fromarray(m) for m in media], return_tensors="pt")["pixel_values"])
    np.testing.assert_allclose(found, right, atol=1e-4 * max(1.0, np.abs(right).max()))


class Odd:
    """A processor that makes what it is told to of a picture (rows, columns, 3)."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __call__(self, images: Image.Image, return_tensors: str) -> dict[str, Tensor]:
        del return_tensors
        return {"pixel_values": torch.from_numpy(np.asarray(self.make(np.asarray(images, np.float32))))}


def first(x: np.ndarray) -> np.ndarray:
    return x.transpose(2, 0, 1)[None] / 255


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: first(x).mean(1, keepdims=True).repeat(3, 1), "mixes red, green and blue"),
        (lambda x: first(x) - first(x).mean(), "(mixes red, green and blue|alike whatever it shows)"),
        (lambda x: first(x) ** 2, "does not scale the colours of a picture alike"),
        (lambda x: first(x) * 0, "does not scale the colours of a picture alike"),
        (lambda x: first(x)[:, :, ::2], r"makes \(1, 3, 256, 512\) of one square picture"),
        (lambda x: first(x)[None], "of one square picture, not"),
        (lambda x: first(x)[:, ::-1] * [[[[1]], [[-1]], [[1]]]], "mixes red, green and blue"),
        (lambda x: x.undefined, "fails on a picture of one colour"),
    ],
)
def test_a_processor_that_does_more_than_scale_colours_is_refused(make: Any, message: str):
    with pytest.raises(InvalidModel, match=rf"mine: its image processor \(Odd\) .*{message}.*module:function"):
        measure_processor(Odd(make), "mine")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_folder_of_the_hub_takes_bgr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = transformers.MobileViTConfig(
        image_size=SIZE, hidden_sizes=[8, 8, 8], neck_hidden_sizes=[8] * 7, num_attention_heads=2, num_labels=3
    )
    torch.manual_seed(0)
    network = transformers.MobileViTModel(config).eval()
    processor = transformers.MobileViTImageProcessor(size={"shortest_edge": SIZE}, crop_size=SQUARE)
    network.save_pretrained(tmp_path / "n")
    processor.save_pretrained(tmp_path / "n")
    monkeypatch.chdir(tmp_path)
    model = load_model("hf/./n")
    assert (model.channels, model.size, model.mean, model.std) == ("bgr", SIZE, (0.0,) * 3, (1.0,) * 3)
    media = noise()
    stimuli = Stimuli("n", "image", pd.DataFrame({"stimulus_id": ["a", "b"]}), media)
    subject = VisionSubject("n", model.module, {"V1": "conv_stem"}, size=SIZE, channels=model.channels)
    found = subject.perform(Experiment(stimuli, Record("V1"), Setting(degrees=None))).values
    with torch.no_grad():
        seen = processor([Image.fromarray(m) for m in media], return_tensors="pt")["pixel_values"]
        right = network.conv_stem(seen).flatten(1).numpy()
    np.testing.assert_allclose(found, right, atol=1e-5)


def test_an_order_that_is_not_known_is_refused():
    with pytest.raises(InvalidModel, match=r"channels is 'grb'; give 'rgb' or 'bgr'"):
        VisionSubject("mine", Shown(), {"V1": "output"}, channels="grb")  # pyright: ignore[reportArgumentType]
