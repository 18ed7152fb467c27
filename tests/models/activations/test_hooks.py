"""Calls by name, inputs of any kind, files, memory: what the extractor promises beyond plain images."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brainmark.core.errors import InvalidModel, InvalidStimuli, ModelError, UnknownName
from brainmark.core.stimuli import ImageFiles
from brainmark.models.activations.extract import Extractor
from brainmark.models.activations.reductions import MeanOver, SpatialMean, TakeAt


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3, 8, 8), np.float32)


class Steps(nn.Module):
    """Doubles its input three times with the same layer, in place after the copy."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.drop = Twice(), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        for _ in range(3):
            x = self.drop(self.twice(x))
        return x.flatten(1)


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(2)


# --- calls -----------------------------------------------------------------------------------------------------------


def test_each_call_has_a_name_and_the_plain_name_is_the_last():
    media = images(3)
    found = Extractor(Steps())(media, ["twice@0", "twice@1", "twice"])
    for name, factor in {"twice@0": 2, "twice@1": 4, "twice": 8}.items():
        np.testing.assert_array_equal(found[name], media * factor)


def test_a_pass_ends_with_the_last_wanted_call():
    class Counting(Steps):
        ran = 0

        def forward(self, x: Tensor) -> Tensor:
            x = self.twice(x.clone())
            try:  # a network that catches what it can
                x = self.twice(x)
            except Exception:  # noqa: BLE001
                x = x * 0
            type(self).ran += x.shape[0]
            return self.twice(x).flatten(1)

    network = Counting()
    Extractor(network)(images(4), ["twice@1"])
    assert network.ran == 1  # in the first pass of the probe


def test_a_call_that_is_not_made_says_how_many_are():
    with pytest.raises(UnknownName, match=r"'twice@3'; did you mean 'twice@.*it runs 3 times in a pass: twice@0 to tw"):
        Extractor(Steps())(images(1), ["twice@3"])


def test_all_is_every_distinct_output_under_its_outermost_name():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True))
            self.drop, self.twice = nn.Dropout(0.5), Twice()
            self.spare = nn.Linear(1, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.drop(self.body(x))
            return self.twice(self.twice(x)).sum((2, 3))

    network, media = Net().eval(), images(2)
    assert Extractor(network).layers(media) == ["body.0", "body", "twice@0", "twice@1", "output"]
    found = Extractor(network)(media, ["all"])
    assert list(found) == ["body.0", "body", "twice@0", "twice@1", "output"]
    np.testing.assert_array_equal(found["body"], found["body.0"].clip(0))
    np.testing.assert_array_equal(found["twice@1"], 4 * found["body"])
    means = Extractor(network)(media, {"all": SpatialMean(), "body": None})
    assert means["body"].shape == (2, 4, 6, 6) and means["twice@0"].shape == (2, 4)


def test_a_shared_layer_answers_to_both_names():
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = self.two = nn.Flatten()

        def forward(self, x: Tensor) -> Tensor:
            return self.two(x)

    found = Extractor(Shared())(images(2), ["one", "two"])
    np.testing.assert_array_equal(found["one"], found["two"])


def test_tensors_in_dataclasses_are_found():
    @dataclass
    class Answer:
        hidden: Tensor
        cache: None = None

    class Body(nn.Module):
        def forward(self, x: Tensor) -> Answer:
            return Answer(x.flatten(1))

    media = images(2)
    np.testing.assert_array_equal(Extractor(Body())(media, ["output"])["output"], media.reshape(2, -1))


# --- inputs ----------------------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """Embeds tokens; the order of running depends on their number."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.cell = nn.Embedding(50, 6), nn.GRUCell(6, 6)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        words = self.embed(tokens)
        state = words.new_zeros(len(words), 6)
        for k in range(words.shape[1]):
            state = self.cell(words[:, k], state)
        return state


def texts(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 50, random.integers(2, 7)) for _ in range(count)]


def test_lengths_are_batched_apart_and_the_order_is_kept():
    reader, media = Reader(), texts(41)
    sizes: list[tuple[int, ...]] = []
    reader.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape)))
    found = Extractor(reader)(media, {"cell": None, "embed": MeanOver((1,))})
    with torch.no_grad():
        for row, tokens in enumerate(media):
            one = torch.from_numpy(tokens)[None]
            np.testing.assert_allclose(found["cell"][row], reader(one)[0], atol=1e-6)
            np.testing.assert_allclose(found["embed"][row], reader.embed(one)[0].mean(0), atol=1e-6)
    assert max(n for n, _ in sizes) > 4


def test_lengths_that_are_not_reduced_are_refused():
    with pytest.raises(ModelError, match=r"layer 'embed': the shape of its output is \(\d, 6\) for stimulus 'b' \(1\)"):
        Extractor(Reader())([np.arange(3), np.arange(4)], ["embed"], ids=["a", "b"])


def test_arguments_by_name_and_by_position():
    reader, media = Reader(), texts(9)
    plain = Extractor(reader)(media, ["output"])["output"]
    named = Extractor(reader, lambda t: {"tokens": t, "mask": np.ones(len(t), bool)})(media, ["output"])["output"]
    placed = Extractor(reader, lambda t: (t, np.ones(len(t), bool)))(media, ["output"])["output"]
    assert (plain == named).all() and (plain == placed).all()


def test_kinematics_in_float64_meet_the_precision_of_the_network():
    media = np.random.default_rng(0).normal(size=(5, 20, 7))
    last = Extractor(nn.Sequential(nn.GRU(7, 3, batch_first=True)), batch=5)
    with pytest.raises(InvalidModel, match="2 tensors"):
        last(media, ["output"])
    states = last(media, {"0": TakeAt(-1)})["0"]
    assert states.shape == (5, 3) and states.dtype == np.float32


# --- what is refused -------------------------------------------------------------------------------------------------


def test_errors_name_the_stimulus(tmp_path: Path):
    media = images(6)
    media[4] = np.inf
    with pytest.raises(ModelError, match=r"'output': activations to stimulus 'car' \(4\) are NaN or infinite"):
        Extractor(nn.Flatten())(media, ["output"], ids=["a", "b", "c", "d", "car", "f"])
    paths = [tmp_path / "good.png", tmp_path / "bad.jpg"]
    from PIL import Image

    Image.new("RGB", (4, 4)).save(paths[0])
    paths[1].write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(InvalidStimuli, match=r"stimulus 'late' \(1\): image 1: cannot decode .*bad.jpg"):
        Extractor(nn.Flatten())(ImageFiles(tuple(paths)), ["output"], ids=["early", "late"])


def test_large_values_are_not_taken_for_infinite():
    media = np.full((2, 3, 8, 8), 3e38, np.float32)
    assert (Extractor(nn.Flatten())(media, ["output"])["output"] == np.float32(3e38)).all()


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda x: x.flatten(1).T, r"shape \(192, 1\) for 1 stimulus; the first dimension must be that of stimuli"),
        (lambda x: x[:, :0], r"its output is empty, of shape \(1, 0, 8, 8\)"),
    ],
)
def test_outputs_without_stimuli_or_values_are_refused(forward: Callable[[Tensor], Tensor], message: str):
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return forward(x)

    with pytest.raises(ModelError, match=message):
        Extractor(Odd())(images(3), ["output"])


class Remembers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return x.flatten(1) * self.seen


class AlwaysDrops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x.flatten(1), 0.5, training=True)


@pytest.mark.parametrize("network", [Remembers(), AlwaysDrops()])
def test_what_changes_from_pass_to_pass_is_refused(network: nn.Module):
    state = torch.get_rng_state()
    with pytest.raises(
        ModelError, match=r"'output' of \w+ gives another answer to the first stimulus when it is shown again"
    ):
        Extractor(network)(images(2), ["output"])
    assert (torch.get_rng_state() == state).all()


def test_random_numbers_with_a_seed_are_welcome():
    first, again = (Extractor(AlwaysDrops())(images(3), ["output"], seed=4)["output"] for _ in range(2))
    assert (first == again).all() and (first == 0).mean() > 0.3


def test_an_error_of_the_network_says_for_which_stimuli():
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.shape[0] > 1:
                raise RuntimeError("no")
            return x.flatten(1)

    with pytest.raises(RuntimeError, match="no") as caught:
        Extractor(Fails())(images(3), ["output"])
    assert "in the forward pass of stimulus 0 and 2 others" in caught.value.__notes__


# --- the same bits ---------------------------------------------------------------------------------------------------


def test_the_size_of_batches_and_the_company_change_no_bit():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 300), nn.Linear(300, 200))
    media = images(21)
    whole = Extractor(network)(media, ["output"])["output"]
    for batch in (4, 7, 8, 13, 16):
        assert (Extractor(network, batch=batch)(media, ["output"])["output"] == whole).all(), batch
    for count in (1, 2, 5):
        assert (Extractor(network)(media[:count], ["output"])["output"] == whole[:count]).all(), count


def test_lower_precision_is_near_and_leaves_the_network_alone():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 50))
    media = images(5)
    exact = Extractor(network)(media, ["1", "output"])
    near = Extractor(network, dtype=torch.bfloat16)(media, ["1", "output"])
    for name, was in exact.items():
        off = np.abs(near[name] - was).max() / np.abs(was).max()
        assert 0 < off < 0.05 and near[name].dtype == np.float32
    assert all(p.dtype == torch.float32 for p in network.parameters())
    with pytest.raises(InvalidModel, match=r"dtype = torch.float16; give torch.float32 or torch.bfloat16"):
        Extractor(network, dtype=torch.float16)


# --- memory ----------------------------------------------------------------------------------------------------------

PEAK = """
import sys
from collections.abc import Callable
import numpy as np, torch
from torch import nn
from brainmark.models.activations.extract import Extractor

class Faces:
    concurrent = True
    def __len__(self): return int(sys.argv[1])
    def __getitem__(self, row): return np.random.default_rng(row).random((3, 16, 16), np.float32)

def block(before, after):
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(True))
torch.manual_seed(0)
torch.set_num_threads(1)
widths = [3, *[12] * 10]
layers = [layer for pair in zip(widths, widths[1:]) for layer in (block(*pair), nn.AvgPool2d(1 + (pair[0] == 3)))]
network = nn.Sequential(*layers)
names = [str(2 * k) for k in range(10)]
from brainmark.models.activations.reductions import AveragePool, SpatialMean
reduced = {name: AveragePool(4, 4) if k % 2 else SpatialMean() for k, name in enumerate(names)}
extractor = Extractor(network)
probed = extractor.probe(Faces(), names)
plan = extractor.plan(Faces(), reduced, probed=probed)
def held(key): return next(int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith(key))
open("/proc/self/clear_refs", "w").write("5")
before = held("VmRSS")
found = extractor(Faces(), reduced, probed=probed)
print(plan.bytes, plan.peak, held("VmHWM") - before, held("VmHWM"), plan.results, sum(a.nbytes for a in found.values()))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the high-water mark of Linux")
def test_ten_layers_of_ten_thousand_images_stay_within_the_announced_memory():
    done = subprocess.run([sys.executable, "-c", PEAK, "10000"], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    announced, announced_peak, used, peak, promised, kept = map(int, done.stdout.split())
    assert promised == kept == 4 * 10_000 * (5 * 12 * 16 + 5 * 12)
    assert used <= announced and peak <= announced_peak
    assert used > kept  # what is compared is what was measured
    assert announced < kept + 250 * 2**20  # and no empty promise


def test_a_plan_says_what_will_be_needed():
    plan = Extractor(nn.Sequential(nn.Conv2d(3, 4, 3)))
    said = plan.plan(images(100), {"0": SpatialMean()})
    assert said.shapes == {"0": (4,)} and said.batch == 64 and said.results == 1600
    assert str(said).startswith("1 layer of 100 stimuli in batches of 64: at most ")
    assert str(said).endswith("MB of memory; 1.6 kB of it are activations")
    assert said.peak == said.resident + said.bytes


def test_media_of_unknown_content_are_each_computed():
    class Own:
        def __init__(self, value: float) -> None:
            self.value = value

        def __repr__(self) -> str:
            return "Own"

    def prepare(medium: Own) -> np.ndarray:
        return np.array([medium.value], np.float32)

    found = Extractor(nn.Identity(), prepare=prepare)([Own(value) for value in range(9)], ["output"])["output"]
    np.testing.assert_array_equal(found[:, 0], np.arange(9))
