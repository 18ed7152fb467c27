from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd

from brainmark.core import Experiment, Record, Setting, Stimuli, check_answer, models
from brainmark.models.subjects.screen import Screen


def experiment(region: str = "IT", **question: float) -> Experiment:
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), np.uint8)
    table = pd.DataFrame({"stimulus_id": list("abc")})
    return Experiment(Stimuli("three", "image", table, list(images)), Record(region, **question), Setting(degrees=6.0))


def test_values_are_the_pixels_of_the_screen():
    asked = experiment()
    answer = check_answer(models["pixels"].load().perform(asked), asked, "pixels")
    seen = Screen(8, 32).show(asked.stimuli.media[2], 6.0) / 255
    np.testing.assert_allclose(answer.values[2], seen.transpose(2, 0, 1).ravel(), atol=1e-6)
    assert answer.dtype == np.float32


def test_eccentricity_selects_the_pixels_near_fixation():
    whole, near = (models["pixels"].load().perform(experiment(**q)) for q in ({}, {"eccentricity": 1.0}))
    inside = np.hypot(whole.x, whole.y) <= 1
    assert 0 < near.sizes["neuroid"] < whole.sizes["neuroid"]
    np.testing.assert_array_equal(near.values, whole.values[:, inside.values])


def test_pixels_and_the_list_of_models_need_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from brainmark.core import models; list(models); models['pixels'].load(); print(len(models))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2
