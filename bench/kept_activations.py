"""What a whole model costs: ResNet-50 with 17 layers on V4 and IT by four metrics, beside its network alone.

Prints processor time: of the network alone, of one product of features with neurons, of all eight scores with nothing
kept, and of the same again, from kept activations. Run: python bench/kept_activations.py [images]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr

from brainmark.core import Benchmark, Experiment, Record, registry
from brainmark.core.registry import benchmarks, datasets, metrics, models
from brainmark.models.subjects.vision import Readout, VisionSubject
from brainmark.run.jobs import attempt
from brainmark.run.scoring import Answers, GivenBenchmark, GivenModel

METRICS = ("ridge", "pls", "rdm", "cka")
BLOCKS = [f"layer{stage}.{block}" for stage, count in enumerate((3, 4, 6, 3), 1) for block in range(count)]


def make_benchmarks(count: int) -> list[Benchmark]:
    """Return benchmarks of two regions and four metrics on the same pictures."""
    data, card = datasets["Simulated.IT"].load(), benchmarks["Simulated.IT-ridge"].card
    shown = data.shown.take(range(count))
    target = data.measurement.isel(presentation=slice(count))
    made: list[Benchmark] = []
    for region in ("V4", "IT"):
        measured = target.assign_coords(region=("neuroid", [region] * target.sizes["neuroid"]))
        experiment = Experiment(shown, Record(region), data.setting)
        for name in METRICS:
            about = card.model_copy(update={"metric": name, "region": region})
            top: Any = metrics[name].ceiling(measured)
            made.append(Benchmark(f"Bench.{region}-{name}", about, experiment, measured, metrics[name].load(), top))
    return made


def make_subject() -> VisionSubject:
    """Return ResNet-50 with random weights, which records from 16 blocks and its output."""
    whole = models["resnet-50_v1"].load(weights="random")
    readouts = {f"block {n}": Readout(n, 14) for n in BLOCKS} | {"output": Readout("fc")}
    return replace(whole, regions={**readouts, "V4": Readout("layer3.3", 14), "IT": Readout("layer4.2", 14)})


def run_network(subject: VisionSubject, count: int) -> None:
    """Pass pictures through the network alone, in batches of 16, as PyTorch is fastest."""
    images = torch.rand(16, 3, subject.size, subject.size).to(memory_format=torch.channels_last)
    subject.module.eval()
    with torch.inference_mode():
        for _ in range(0, count, 16):
            subject.module(images)


def seconds(do: Any) -> float:
    """Return the processor time that something takes."""
    begun = time.process_time()
    do()
    return time.process_time() - begun


def main() -> None:
    """Measure, and print ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 96
    registry.discover()
    with tempfile.TemporaryDirectory() as home:
        os.environ["BRAINMARK_HOME"] = home
        subject = make_subject()
        run_network(subject, 16)
        alone = seconds(lambda: run_network(subject, count))
        features = np.random.default_rng(0).random((count, 1024 * 14 * 14), np.float32)
        product = seconds(lambda: features @ features.T)
        tasks = [GivenBenchmark(made) for made in make_benchmarks(count)]
        ceilings = seconds(lambda: [task.load().prepare() for task in tasks])
        print(f"{count} images; network alone {alone:.1f} s, one product {product:.2f} s, ceilings {ceilings:.1f} s")
        for what in ("nothing kept", "all kept"):
            answers, spent = Answers(), dict[str, float]()
            model = GivenModel(subject)
            for task in tasks:
                spent[task.name] = seconds(lambda t=task, m=model, a=answers: check(attempt(m, t, a)))
            total = sum(spent.values())
            print(f"{what}: {total:.1f} s = {total / (alone + product):.2f} x (network alone + one product)")
            print("   " + ", ".join(f"{name.removeprefix('Bench.')} {time:.1f}" for name, time in spent.items()))


def check(outcome: Any) -> None:
    """Stop at what failed."""
    if not isinstance(getattr(outcome, "units", None), xr.Dataset):
        sys.exit(str(outcome))


if __name__ == "__main__":
    main()
