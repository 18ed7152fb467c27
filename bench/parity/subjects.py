"""Subjects of Brain-Score here, and ours there, with the real packages.

Run it with the interpreter of an environment that has brainscore-vision or brainscore-language and this package:

    pip install torch==2.13.0 && BS_INSTALL_DEPENDENCIES=no pip install brainscore-vision==2.4.2 && pip install -e .
    python bench/parity/subjects.py

One network stands on both sides: wrapped by their `ModelCommitment` (or `HuggingfaceSubject`), and by ours.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
os.environ.setdefault("RESULTCACHING_DISABLE", "1")
os.environ.setdefault("BS_INSTALL_DEPENDENCIES", "no")

from brainmark.brainscore.subjects import from_brainscore, to_brainscore_language, to_brainscore_vision  # noqa: E402
from brainmark.core import Choose, Experiment, OddOneOut, Record, Setting, Stimuli  # noqa: E402
from brainmark.core.stimuli import ImageFiles  # noqa: E402

LAYERS = {"V1": "features.2", "V2": "features.5", "V4": "features.9", "IT": "features.12"}
Rows = list[tuple[str, float, float]]  # what, largest difference allowed, found


def vision(folder: Path) -> Rows:
    import torch
    from brainmark.models.sources.libraries import torchvision
    from brainscore_vision.model_helpers.activations.pytorch import PytorchWrapper, load_preprocess_images
    from brainscore_vision.model_helpers.brain_transformation import ModelCommitment

    from brainmark.models.subjects.vision import IMAGENET_MEAN, IMAGENET_STD, Head, VisionSubject

    torch.manual_seed(0)
    net = torchvision().models.alexnet(weights=None).eval()
    wrapper = PytorchWrapper(
        identifier="alexnet-random",
        model=net,
        preprocessing=functools.partial(load_preprocess_images, image_size=224),
    )
    theirs = ModelCommitment(
        "alexnet-random", wrapper, [*LAYERS.values(), "classifier.5"], "classifier.5", region_layer_map=dict(LAYERS)
    )
    ours = VisionSubject(
        "alexnet-random", net, LAYERS, 8.0, 224, IMAGENET_MEAN, IMAGENET_STD,
        head=Head(), behavior="classifier.5", similarity="dot",
    )  # fmt: skip
    paths = pictures(folder, 60)
    table = pd.DataFrame({"stimulus_id": [p.stem for p in paths], "label": ["dog", "cat", "car"] * 20})
    stimuli = Stimuli("pictures", "image", table, ImageFiles(tuple(paths)))
    setting = Setting(degrees=8.0)  # 224 pixels wide, as the network: nothing is resampled on either side
    here = from_brainscore(theirs)
    rows: Rows = []
    for what, ask, allowed in (
        ("activations of IT", Record("IT"), 1e-5),
        ("probabilities learnt from examples", Choose(fitting=stimuli), 1e-3),  # theirs stops at a tolerance of 1e-4
    ):
        experiment = Experiment(stimuli, ask, setting)
        one, other = here.perform(experiment), ours.perform(experiment)
        if "choice" in one.dims:
            order = [other.coords["choice"].values.tolist().index(c) for c in one.coords["choice"].values]
            other = other.isel(choice=order)
        rows.append((f"theirs here, {what}", allowed, float(np.abs(one.values - other.values).max())))
    for what, ask in (("labels", Choose(("dog", "cat", "car", "bird"))), ("odd ones", OddOneOut())):
        experiment = Experiment(stimuli, ask, setting)
        one, other = (s.perform(experiment).values for s in (here, ours))
        same = (one.argmax(-1) == other.argmax(-1)) if one.ndim > 1 else one == other
        rows.append((f"theirs here, {what}: share that differs", 0.0, float(1 - same.mean())))
    rows.append(("ours there, score of their pls benchmark", 1e-4, benchmark_difference(theirs, ours, table, paths)))
    return rows


def benchmark_difference(theirs: Any, ours: Any, table: pd.DataFrame, paths: list[Path]) -> float:
    """Score their benchmark with their own model and with our subject; return the difference."""
    from brainscore_core import Score
    from brainscore_core.supported_data_standards.brainio.assemblies import NeuroidAssembly
    from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet
    from brainscore_vision import load_metric
    from brainscore_vision.benchmark_helpers.neural_common import NeuralBenchmark

    shown = StimulusSet(table.rename(columns={"label": "object_name"}))
    shown.stimulus_paths = {p.stem: p for p in paths}
    shown.identifier = "brainmark-pictures"
    theirs.start_task("passive")  # it was last asked for the odd one, and remembers
    theirs.start_recording("IT", [(70, 170)])
    features = theirs.look_at(shown).transpose("presentation", "neuroid").values
    rng = np.random.default_rng(0)
    readout = features @ rng.normal(size=(features.shape[1], 12)) / np.sqrt(features.shape[1])
    responses = readout / readout.std() + rng.normal(size=readout.shape)
    assembly = NeuroidAssembly(
        responses[:, :, None],
        coords={
            "stimulus_id": ("presentation", table["stimulus_id"].to_numpy()),
            "object_name": ("presentation", table["label"].to_numpy()),
            "neuroid_id": ("neuroid", np.arange(12)),
            "region": ("neuroid", ["IT"] * 12),
            "time_bin_start": ("time_bin", [70]),
            "time_bin_end": ("time_bin", [170]),
        },
        dims=["presentation", "neuroid", "time_bin"],
    )
    assembly.attrs["stimulus_set"] = shown
    target = assembly.squeeze("time_bin")
    target.attrs["stimulus_set"] = shown
    benchmark = NeuralBenchmark(
        "brainmark-test", target, load_metric("pls"), 8, 1, version=1, ceiling_func=lambda: Score(0.8), parent=None
    )
    return abs(float(benchmark(theirs).values) - float(benchmark(to_brainscore_vision(ours)).values))


def pictures(folder: Path, count: int) -> list[Path]:
    """Write pictures 224 pixels wide."""
    from PIL import Image

    from brainmark.data.generated.leaves import dead_leaves

    paths = [folder / f"picture{i:03d}.png" for i in range(count)]
    for picture, path in zip(dead_leaves(count, 224), paths, strict=True):
        Image.fromarray(picture).save(path)
    return paths


def language(folder: Path) -> Rows:
    import torch
    from brainscore_language.model_helpers.huggingface import HuggingfaceSubject
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = ["the", "cat", "sat", "on", "the", "mat", "and", "looked", "at", "the", "dog"]
    letters = ByteLevelBPETokenizer()
    letters.train_from_iterator([" ".join(words)] * 20, vocab_size=300, special_tokens=["<|endoftext|>"])
    letters.save(str(folder / "tokenizer.json"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), eos_token="<|endoftext|>", model_max_length=128,
        truncation_side="left", model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    torch.manual_seed(0)
    network = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=128))
    theirs = HuggingfaceSubject(
        model_id="tiny", region_layer_mapping={"language_system": "transformer.h.1"}, model=network.eval(),
        tokenizer=tokenizer,
    )  # fmt: skip
    table = pd.DataFrame({"stimulus_id": range(len(words)), "text": words, "text_id": 0})
    experiment = Experiment(Stimuli("words", "text", table), Record("language"), Setting(context="text_id"))
    subject = from_brainscore(theirs)
    here = subject.perform(experiment).values
    theirs.neural_recordings.clear()
    theirs.start_neural_recording("language_system", "fMRI")
    own = theirs.digest_text(words)["neural"].values
    back = to_brainscore_language(subject)
    back.start_neural_recording("language_system", "fMRI")
    there = back.digest_text(words)["neural"].values
    return [
        ("theirs here, representations", 0.0, float(np.abs(here - own).max())),
        ("and back there", 0.0, float(np.abs(there - own).max())),
    ]


def main() -> int:
    packages = ("brainmark", "brainscore-vision", "brainscore-language", "brainscore-core", "torch", "numpy", "xarray")
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    print(json.dumps({"python": sys.version.split()[0], **found}))
    sides = {"brainscore_vision": vision, "brainscore_language": language}
    rows: Rows = []
    with tempfile.TemporaryDirectory() as folder:
        for package, compare in sides.items():
            if importlib.util.find_spec(package):
                rows += compare(Path(folder))
    for what, allowed, difference in rows:
        print(f"{'ok ' if difference <= allowed else 'BAD'} {difference:10.3g} (at most {allowed:g})  {what}")
    return int(not rows or any(difference > allowed for _, allowed, difference in rows))


if __name__ == "__main__":
    sys.exit(main())
