"""Recurrent models answer for the times that they commit to."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from brainmark.core import Experiment, Record, Setting, Stimuli, check_answer, models
from brainmark.models.networks.cornet import AREAS
from brainmark.models.subjects.vision import VisionSubject


def stimuli(count: int = 2) -> Stimuli:
    images = np.random.default_rng(0).integers(0, 256, (count, 30, 30, 3), np.uint8)
    names = [f"image{i}" for i in range(count)]
    return Stimuli("noise", "image", pd.DataFrame({"stimulus_id": names}), list(images))


@pytest.fixture(scope="module")
def subjects() -> dict[str, VisionSubject]:
    """With a small field of view: the answers are as many, and many times as fast."""
    made = {k: cast(VisionSubject, models[f"CORnet-{k}"].load(weights="random")) for k in ("Z", "RT", "S")}
    return {k: replace(subject, size=64) for k, subject in made.items()}


@pytest.mark.parametrize("kind", ["Z", "RT", "S"])
def test_subjects_answer_for_every_region_over_time(subjects: dict[str, VisionSubject], kind: str):
    for region in AREAS:
        bins = ((50.0, 60.0), (110.0, 130.0), (280.0, 300.0))
        experiment = Experiment(stimuli(), Record(region, bins), Setting(degrees=8.0))
        answer = check_answer(subjects[kind].perform(experiment), experiment, kind)
        early, late = (answer.isel(time_bin=t).values for t in (0, -1))
        static = kind == "Z" or (kind, region) == ("S", "V1")
        assert np.array_equal(early, late) == static, region


def test_an_image_reaches_it_of_rt_60_ms_after_v1(subjects: dict[str, VisionSubject]):
    bins = tuple((float(t), float(t + 20)) for t in range(50, 150, 20))
    for region, arrival in zip(AREAS, (50, 70, 90, 110), strict=True):
        answer = subjects["RT"].perform(Experiment(stimuli(), Record(region, bins), Setting(degrees=8.0)))
        informed = [bool((a != b).any()) for a, b in answer.transpose("time_bin", "presentation", "neuroid").values]
        assert informed == [start >= arrival for start, _ in bins], region
