"""Every network of the zoo, untrained, scores on recordings: 6 of the 92 objects of Kriegeskorte et al. 2008.

Processor time and memory of each are printed (``pytest -s``). The largest networks are left out unless
``BRAINMARK_TEST_LARGE`` is set: smaller ones of their families run here, and `test_zoo_architectures` looks at them
without making their weights.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from brainmark.core import Benchmark, Experiment, benchmarks, datasets, models
from brainmark.data.fetch import where
from brainmark.models.zoo import ZOO

NETS = [name for name, model in ZOO.items() if "imagenet" in model.spec.tags]
LARGE = {
    "resnext101_32x16d_wsl", "resnext101_32x32d_wsl", "resnext101_32x48d_wsl", "vit_large_patch16_224", "clip_vit-l-14",
    "dinov2_vitl14", "efficientnet-b4", "efficientnet-b5", "efficientnet-b6", "efficientnet-b7", "nasnet_large",
    "pnasnet_large", "convnext_base", "convnext_large", "resnet-101_v2", "resnet-152_v1", "resnet-152_v2", "vgg-16",
}  # fmt: skip
BENCHMARK = "Kriegeskorte2008.monkeyIT-rdm"
OBJECTS = np.arange(0, 92, 16)  # of all categories
HIGH_WATER = Path("/proc/self/status")


@cache
def six_objects() -> Benchmark:
    """The benchmark with some of its objects; skipped without its files."""
    lost = [f for d in benchmarks[BENCHMARK].card.datasets for f in map(where, datasets[d].card.sources) if not f.path]
    if lost:
        pytest.skip(f"neither a mirror (BRAINMARK_MIRROR) nor the cache has {lost[0].source.url}")
    whole = benchmarks[BENCHMARK].load()
    return dataclasses.replace(
        whole,
        experiment=Experiment(whole.experiment.stimuli.take(OBJECTS), whole.experiment.ask, whole.experiment.setting),
        target=whole.target.isel(presentation=OBJECTS, other=OBJECTS),
        ceiling=None,
        controls=(),
    )


def forget_peak() -> None:
    """Let the kernel count the largest memory of this process from now on."""
    if HIGH_WATER.exists():
        Path("/proc/self/clear_refs").write_text("5")


def peak_gigabytes() -> float:
    """Largest memory of this process since `forget_peak`; NaN where the kernel does not tell."""
    if not HIGH_WATER.exists():
        return float("nan")
    line = next(line for line in HIGH_WATER.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    gc.collect()


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("name", sorted(NETS))
def test_untrained_it_scores_on_recordings(name):
    if name in LARGE and not os.environ.get("BRAINMARK_TEST_LARGE"):
        pytest.skip("large: set BRAINMARK_TEST_LARGE")
    benchmark = six_objects()
    forget_peak()
    begun = time.process_time()
    subject = models[f"{name}:random"].load()
    score = benchmark(subject)
    seconds = time.process_time() - begun
    assert subject.identifier == score.subject == f"{name}:random"
    assert -1 <= score.value <= 1
    assert len(score.units) > 0
    print(f"{name:28} {score.value:6.3f} {seconds:6.1f} s {peak_gigabytes():5.2f} GB")  # noqa: T201 - said to whom asks
