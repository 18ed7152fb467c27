"""Speed and memory of extracting activations: image files in, labelled or plain arrays out, random weights.

Compared, each case in a process of its own (peak memory is that of the whole process):

- ours: `activations.extract.Extractor` with the preprocessing of a `VisionSubject`;
- hooks: a hand-written loop with hooks, same batch and layout;
- network: the network alone, cut off after the last layer, normalisation folded into its convolutions, on a batch that
  lies in memory, nothing kept: what no extraction of these layers in float32 can beat;
- incumbent: `PytorchWrapper` of brainscore_vision, in its own environment (``--peer PYTHON``);
- thingsvision: its `PyTorchExtractor`, in its own environment (``--thingsvision PYTHON``), which need not have what
  other kinds of networks take (TensorFlow, open_clip ...).

Run ``python bench/activations_speed.py --images 256 --peer PYTHON [--cases alexnet-7] [--markdown FILE]``. With
``--results FILE`` sides can be timed one after the other and more than once: the table is made of the fastest runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BLOCKS = [f"layer{i}.{j}" for i, n in enumerate((3, 4, 6, 3), 1) for j in range(n)]
# network, layers, images at most (many layers: as the incumbent's memory allows), goals against incumbent, thingsvision
CASES: dict[str, tuple[str, list[str], int, float, float]] = {
    "alexnet-7": (
        "alexnet",
        ["features.2", "features.5", "features.7", "features.9", "features.12", "classifier.2", "classifier.5"],
        1000,
        2.0,
        1.4,
    ),
    "resnet50-1": ("resnet50", ["layer3.0"], 1000, 5.0, 4.0),
    "resnet50-4": ("resnet50", ["layer3.5", "layer4.0", "layer4.2", "avgpool"], 256, 2.5, 1.7),
    "resnet50-17": ("resnet50", ["maxpool", *BLOCKS], 64, 10.0, 2.5),
}
SIZE, BATCH = 224, 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_images(folder: Path, count: int) -> list[Path]:
    """Write JPEG files of overlapping discs, 224 x 224."""
    import numpy as np
    from PIL import Image, ImageDraw

    paths: list[Path] = []
    for index in range(count):
        path = folder / f"image_{index:04d}.jpg"
        paths.append(path)
        if path.exists():
            continue
        random = np.random.default_rng(index)
        image = Image.new("RGB", (SIZE, SIZE), (128, 128, 128))
        draw = ImageDraw.Draw(image)
        for _ in range(80):
            x, y, r = [*random.integers(0, SIZE, 2).tolist(), int(60 * random.random() ** 3) + 3]
            draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(random.integers(0, 256, 3).tolist()))
        image.save(path, quality=92)
    return paths


def network(name: str) -> Any:
    """Make the network with random weights."""
    import torch

    try:
        from brainmark.models.sources.libraries import torchvision

        models = torchvision().models
    except ImportError:
        from torchvision import models  # the incumbent's environment
    torch.manual_seed(0)
    return getattr(models, name)(weights=None).eval()


def ours(name: str, layers: list[str], paths: list[Path], dtype: str = "float32") -> tuple[float, Any]:
    """Time the extractor, set up as a `VisionSubject` sets it up."""
    import dataclasses

    import torch

    from brainmark.core.stimuli import ImageFiles
    from brainmark.models.activations.extract import Extractor
    from brainmark.models.subjects.vision import IMAGENET_MEAN, IMAGENET_STD, VisionSubject

    module = network(name)
    subject = VisionSubject(name, module, {"IT": layers[-1]}, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    start = time.perf_counter()
    extractor: Extractor = dataclasses.replace(subject._extractor(None), dtype=getattr(torch, dtype))
    found = extractor(ImageFiles(tuple(paths)), layers)
    return time.perf_counter() - start, found[layers[-1]]


def hooks(name: str, layers: list[str], paths: list[Path]) -> tuple[float, Any]:
    """Time what one would write by hand: decode, batch, forward, collect."""
    import numpy as np
    import torch
    from PIL import Image

    module = network(name).to(memory_format=torch.channels_last)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    start = time.perf_counter()
    found: dict[str, list[Any]] = {layer: [] for layer in layers}
    for layer in layers:
        module.get_submodule(layer).register_forward_hook(
            lambda _, __, output, layer=layer: found[layer].append(output.numpy().copy())
        )
    with torch.inference_mode():
        for first in range(0, len(paths), BATCH):
            frames = np.stack([np.asarray(Image.open(p).convert("RGB")) for p in paths[first : first + BATCH]])
            images = torch.from_numpy(frames).permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
            module(images)
    whole = {layer: np.concatenate(parts) for layer, parts in found.items()}
    return time.perf_counter() - start, whole[layers[-1]]


def alone(name: str, layers: list[str], paths: list[Path]) -> tuple[float, Any]:
    """Time the passes of the network itself: no images are read, and nothing is kept but the last layer."""
    import numpy as np
    import torch
    from brainmark.models.sources.libraries import torchvision
    from PIL import Image
    from torch.fx.experimental.optimization import fuse

    from brainmark.core.memory import keep_heap

    cut = importlib.import_module(f"{torchvision().__name__}.models.feature_extraction").create_feature_extractor
    module = fuse(cut(network(name), [layers[-1]]), inplace=True, no_trace=True).to(memory_format=torch.channels_last)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    frames = np.stack([np.asarray(Image.open(p).convert("RGB")) for p in paths[:BATCH]])
    images = torch.from_numpy(frames).permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
    with torch.inference_mode(), keep_heap():
        found = module(images)[layers[-1]].numpy()
        start = time.perf_counter()
        for first in range(0, len(paths), BATCH):
            module(images[: len(paths) - first])
    return time.perf_counter() - start, found


def incumbent(name: str, layers: list[str], paths: list[Path]) -> tuple[float, Any]:
    """Time the wrapper of brainscore_vision as its models are set up."""
    import functools

    import numpy as np
    from brainscore_vision.model_helpers.activations.pytorch import PytorchWrapper, load_preprocess_images

    preprocessing = functools.partial(load_preprocess_images, image_size=SIZE)
    wrapper = PytorchWrapper(identifier=name, model=network(name), preprocessing=preprocessing)
    start = time.perf_counter()
    found = wrapper(stimuli=[str(p) for p in paths], layers=layers)
    seconds = time.perf_counter() - start
    return seconds, np.asarray(found.sel(neuroid=found["layer"] == layers[-1]) if len(layers) > 1 else found)


def thingsvision(name: str, layers: list[str], paths: list[Path]) -> tuple[float, Any]:
    """Time thingsvision as its guide shows: data set, loader, extractor."""
    from importlib.machinery import ModuleSpec
    from importlib.util import find_spec as spec
    from unittest.mock import MagicMock

    absent = [n for n in ("tensorflow", "transformers", "open_clip", "dreamsim") if not spec(n)]
    inner = [f"tensorflow.{n}" for n in ("keras", "keras.applications", "keras.layers") if "tensorflow" in absent]
    for name_of in absent + inner:
        sys.modules[name_of] = MagicMock(__spec__=ModuleSpec(name_of, None))
    from thingsvision import get_extractor_from_model
    from thingsvision.utils.data import DataLoader, ImageDataset
    from torchvision import transforms

    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    extractor = get_extractor_from_model(model=network(name), device="cpu", preprocess=steps, backend="pt")
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            (Path(folder) / path.name).symlink_to(path)
        start = time.perf_counter()
        images = ImageDataset(root=folder, out_path=folder, backend="pt", transforms=steps)
        loader = DataLoader(dataset=images, batch_size=BATCH, backend="pt")
        found = extractor.extract_features(batches=loader, module_names=layers, flatten_acts=False)
        return time.perf_counter() - start, found[layers[-1]]


def run_one(side: str, case: str, paths: list[Path]) -> dict[str, Any]:
    """Run a case on a side in this process."""
    import numpy as np
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    name, layers, most, *_ = CASES[case]
    paths = paths[:most]
    timed = {"ours": ours, "hooks": hooks, "network": alone, "incumbent": incumbent, "thingsvision": thingsvision}
    seconds, last = ours(name, layers, paths, "bfloat16") if side == "bf16" else timed[side](name, layers, paths)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
    values = np.asarray(last, np.float64).reshape(len(last), -1)[:16]
    digest = [float(np.linalg.norm(row)) for row in values]
    return {"seconds": seconds, "MB": peak, "images": len(paths), "norms": digest, "torch": torch.__version__}


def measured(side: str, case: str, images: int, folder: Path, python: str | None) -> dict[str, Any] | None:
    """Run a case in a process of its own."""
    if python is None:
        return None
    command = [python, __file__, "--one", side, "--cases", case, "--images", str(images), "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"RESULTCACHING_DISABLE": "1"})
    if done.returncode:
        print(done.stderr[-1500:], file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(rows: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the results as a Markdown table."""
    head = (
        "case | images | ours s (MB) | network alone s | hooks by hand s (MB) | share | incumbent s (MB) "
        "| ratio | goal | thingsvision s (MB) | ratio | goal | bf16 s | difference"
    )
    lines = [f"| {head} |", "|---" * (head.count("|") + 1) + "|"]
    for case, sides in rows.items():
        mine = sides["ours"]

        def cell(side: str, sides: dict[str, dict[str, Any]] = sides) -> str:
            if side not in sides:
                return "-"
            more = f", {sides[side]['runs']} runs" if sides[side]["runs"] > 1 else ""
            return f"{sides[side]['seconds']:.2f} ({sides[side]['MB']:.0f}{more})"

        def ratio(side: str, sides: dict[str, dict[str, Any]] = sides) -> str:
            return f"{sides[side]['seconds'] / sides['ours']['seconds']:.2f}" if side in sides else "-"

        others = [sides[side]["norms"] for side in ("hooks", "incumbent", "thingsvision") if side in sides]
        off = max((abs(a / b - 1) for other in others for a, b in zip(mine["norms"], other, strict=True)), default=0)
        half = f"{sides['bf16']['seconds']:.2f}" if "bf16" in sides else "-"
        bare = f"{sides['network']['seconds']:.2f}" if "network" in sides else "-"
        cells = [case, mine["images"], cell("ours"), bare, cell("hooks"), ratio("hooks")]
        for side, goal in zip(("incumbent", "thingsvision"), CASES[case][3:], strict=True):
            cells += [cell(side), ratio(side), goal]
        lines.append(f"| {' | '.join(map(str, cells))} | {half} | {off:.0e} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--sides", nargs="*", default=["hooks", "network", "ours", "bf16", "incumbent", "thingsvision"])
    parser.add_argument("--peer", help="Python of an environment with brainscore_vision")
    parser.add_argument("--thingsvision", help="Python of an environment with thingsvision")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "brainmark-bench-images")
    parser.add_argument("--results", type=Path, help="JSON of earlier results, to add to")
    parser.add_argument("--markdown", type=Path, help="where the table goes")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    paths = make_images(given.folder, given.images)
    if given.one:
        print(json.dumps(run_one(given.one, given.cases[0], paths)))
        return
    pythons = {"incumbent": given.peer, "thingsvision": given.thingsvision}
    rows = json.loads(given.results.read_text()) if given.results and given.results.exists() else {}
    for case in given.cases:
        for side in given.sides:
            if found := measured(side, case, given.images, given.folder, pythons.get(side, sys.executable)):
                before = rows.setdefault(case, {}).get(side)
                found["runs"] = 1
                if before and before["images"] == found["images"]:
                    found = min(found, before, key=lambda run: run["seconds"]) | {"runs": before["runs"] + 1}
                rows[case][side] = found
                print(case, side, f"{found['seconds']:.2f} s, {found['MB']:.0f} MB", flush=True)
                if given.results:
                    given.results.write_text(json.dumps(rows))
    rows = {case: sides for case, sides in rows.items() if "ours" in sides}
    text = table(rows)
    print(text)
    if given.markdown:
        versions = sorted({side["torch"] for sides in rows.values() for side in sides.values()})
        head = (
            "# Speed: activations\n\nImage files (JPEG, 224 x 224) to float32 arrays, random weights, two threads; in "
            "brackets the most memory that the whole process held, in MB. *Hooks by hand* is a loop as one would write "
            "it, with batches of 32, channels last. The incumbent is `PytorchWrapper` of brainscore_vision, and "
            "thingsvision is its 2.7.3, both as their guides set them up. "
            "*Difference* is the largest relative one of the norms of the last layer. Of several runs the fastest "
            "counts; how many there were is in brackets. *Network alone* is what no extraction can beat in float32: "
            "the network cut off after the last layer, its normalisation folded, on images that lie in memory, nothing "
            "kept. Where a goal is missed, that time over the peer's says why. Made by "
            f"`bench/activations_speed.py` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores "
            f"{platform.machine()}, Python {platform.python_version()}, torch {' and '.join(versions)}.\n\n"
        )
        given.markdown.write_text(head + text + "\n")


if __name__ == "__main__":
    main()
