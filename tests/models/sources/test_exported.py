"""Exported programs as models."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from brainmark.core import Experiment, Record, models
from brainmark.core.errors import DataError, InvalidModel, ModelError
from brainmark.run.declared import digest_entry
from brainmark.testing.examples import images

pytestmark = pytest.mark.usefixtures("quiet")


def answer(subject, region="IT"):
    return subject.perform(Experiment(images(), Record(region))).values


def tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def export(path, stimuli=2, dynamic=True, size=32):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = ({0: torch.export.Dim.DYNAMIC},) if dynamic else None
        program = torch.export.export(tiny().eval(), (torch.zeros(stimuli, 3, size, size),), dynamic_shapes=shapes)
        torch.export.save(program, path)


def test_an_exported_program_is_a_model_with_its_layers(folder):
    export("net.pt2")
    subject = models["net.pt2"].load()
    assert subject.size == 32
    assert answer(subject).shape[0] == len(images())
    before = digest_entry(models["net.pt2"])
    torch.manual_seed(9)
    export("net.pt2")
    assert digest_entry(models["net.pt2"]) != before


def test_a_file_beside_an_exported_program_describes_it(folder):
    export("net.pt2")
    (folder / "net.toml").write_text('degrees = 5\nregions.V4 = { layer = "2", pool = 3 }\n'.replace("5", "5.0"))
    with pytest.warns(UserWarning, match="net.pt2: mean, std not stated, and taken to be usual for ImageNet"):
        subject = models["net.pt2"].load()
    assert (subject.degrees, list(subject.regions), subject.regions["V4"].pool) == (5.0, ["V4"], 3)


def test_programs_that_cannot_be_used_say_how_to_export_them(folder):
    export("fixed.pt2", dynamic=False)
    with pytest.raises(InvalidModel, match="was exported for batches of 2; export it for any number"):
        models["fixed.pt2"].load()
    (folder / "damaged.pt2").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"damaged.pt2: is not an exported program"):
        models["damaged.pt2"].load()
    with pytest.raises(DataError, match=r"lost.pt2: there is no such file"):
        models["lost.pt2"]
