"""Stimuli pass a network once: for all regions, metrics, recordings and processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from brainmark.core import Benchmark, BenchmarkCard, Comparison, Experiment, Record, Stimuli
from brainmark.core.experiment import Choose, Setting
from brainmark.core.stimuli import ImageFiles
from brainmark.models.activations import kept
from brainmark.models.activations.kept import keep_activations
from brainmark.models.activations.shards import list_shards
from brainmark.models.subjects.vision import Head, Readout, VisionSubject
from brainmark.run.scoring import score

IMAGES = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), np.uint8)
PROBE = 20
"""Passes of a single stimulus that try a network out, at most."""


class Net(nn.Module):
    """Four layers; counts the stimuli that pass in batches, as someone would who wants to know."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.three, self.head = nn.Conv2d(6, 8, 3, padding=1), nn.Linear(8, 5)
        self.passed = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passed += len(x)
        return self.head(self.three(self.two(self.one(x).relu()).relu()).relu().mean((2, 3)))


def subject(network: nn.Module | None = None, **changes: Any) -> VisionSubject:
    regions = {"V1": "one", "V4": Readout("two", 4), "IT": "three"}
    fields: dict[str, Any] = {"regions": regions, "size": 16, "behavior": "output"}
    return VisionSubject("net", network or Net(), **{**fields, **changes})


def stimuli(rows: Sequence[int] = range(12), name: str = "pictures") -> Stimuli:
    table = pd.DataFrame({"stimulus_id": [f"{name} {row}" for row in rows]})
    return Stimuli(name, "image", table, [IMAGES[row] for row in rows])


def benchmark(region: str, metric: str = "mean", shown: Stimuli | None = None) -> Benchmark:
    shown = shown or stimuli()
    card = BenchmarkCard(
        summary="toy", licence="MIT", cite="@misc{a, title={b}}", domain="vision", species=("toy",), region=region,
        parent=region, datasets=("Simulated.IT",), metric=metric,
    )  # fmt: skip
    target = xr.DataArray(
        np.ones((len(shown), 2)),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", shown.ids),
            "neuroid_id": ("neuroid", [0, 1]),
            "region": ("neuroid", [region] * 2),
        },
    )

    def compare(prediction: xr.DataArray, _: xr.DataArray) -> Comparison:
        return Comparison(getattr(prediction, metric)("presentation"))

    return Benchmark(f"Toy.{region}-{metric}", card, Experiment(shown, Record(region)), target, compare)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(kept.LIMIT, raising=False)
    return tmp_path / "home"


def record(model: VisionSubject, region: str, shown: Stimuli | None = None, **setting: Any) -> np.ndarray:
    return model.perform(Experiment(shown or stimuli(), Record(region), Setting(**setting))).values


def count(network: Net, do: Callable[[], Any]) -> int:
    before = network.passed
    do()
    return network.passed - before


# --- each stimulus passes once ---------------------------------------------------------------------------------------


def test_regions_and_metrics_share_one_pass_of_each_stimulus():
    """Guards against one pass for each region, and for each metric on a region."""
    network = Net()
    model = subject(network)
    first = count(network, lambda: score(model, benchmark("V4")))
    assert 12 <= first <= 12 + PROBE
    for region, metric in [("V4", "std"), ("V4", "max"), ("V4", "min"), ("IT", "mean"), ("IT", "max"), ("V1", "mean")]:
        assert count(network, lambda r=region, m=metric: score(model, benchmark(r, m))) == 0


def test_recordings_with_overlapping_stimuli_pass_each_once():
    network, seen = Net(), []
    model = subject(network)
    network.one.register_forward_hook(lambda _, inputs, __: seen.extend(map(float, inputs[0].sum((1, 2, 3)))))
    for number, rows in enumerate([range(8), range(4, 12), [11, 2, 13, 2, 15, 7][:3]]):
        score(model, benchmark("V4", shown=stimuli(list(rows), f"set {number}")))
    before = len(seen)
    score(model, benchmark("IT", shown=stimuli([3, 9, 11, 13], "all known")))
    assert len(seen) == before
    passed = set(seen)
    assert {float(torch.from_numpy(IMAGES[row]).float().div(255).sum()) for row in range(12)} & passed


def test_a_second_process_passes_none():
    """Guards against names that depend on places in memory, on the order of sets, or on the process."""
    code = """
import sys
import numpy as np, pandas as pd, torch
from brainmark.core import Experiment, Record, Stimuli
from brainmark.models.activations.extract import Extractor
from brainmark.models.activations.kept import keep_activations
from brainmark.models.subjects.vision import VisionSubject
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3, stride=5))
images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
shown = Stimuli("s", "image", pd.DataFrame({"stimulus_id": list("abcd")}), list(images))
def record(region):
    with keep_activations():
        model = VisionSubject("net", network, {"V4": "0", "IT": "2"}, size=16)
        return model.perform(Experiment(shown, Record(region))).values
"""
    refuse = "def probe(*_): sys.exit('a stimulus passes')\nExtractor.probe = probe\n"
    held: dict[str, Any] = {}
    exec(code + "record('V4')", held)
    ask = [sys.executable, "-c", f"{code}{refuse}print(record('IT').tobytes().hex())"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == held["record"]("IT").tobytes().hex()


def test_behaviour_uses_what_recordings_left():
    network = Net()
    model = subject(network, head=Head("output", ("a", "b", "c", "d", "e")))
    with keep_activations():
        record(model, "V4")
        question = Experiment(stimuli(), Choose(("b", "d")))
        assert count(network, lambda: model.perform(question)) == 0
    assert (model.perform(question).values == subject(head=model.head).perform(question).values).all()


# --- the numbers are the same ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["V1", "V4", "IT"])
def test_numbers_are_those_of_a_network_without_kept_activations(region: str):
    """Guards against rows of other stimuli, of another order, or rounded otherwise."""
    plain = {rows: record(subject(), region, stimuli(rows)) for rows in [tuple(range(12)), (3, 15, 3 + 1), (9, 0)]}
    with keep_activations():
        for rows in [(9, 0), (3, 15, 4), tuple(range(12)), (9, 0), (3, 15, 4)]:
            assert (record(subject(), region, stimuli(rows)) == plain[rows]).all()


def test_a_score_is_equal_to_the_bit():
    task = benchmark("IT")
    without = score(subject(), task, cache=False)
    first, second = score(subject(), task), score(subject(), task)
    assert without.units == first.units == second.units
    assert without.value == first.value == second.value


def test_repeated_and_reordered_stimuli_get_their_own_rows():
    order = [5, 1, 5, 0, 1]
    shown = Stimuli("again", "image", pd.DataFrame({"stimulus_id": list("abcde")}), [IMAGES[row] for row in order])
    with keep_activations():
        found = record(subject(), "IT", shown)
        again = record(subject(), "IT", shown)
    assert (found == record(subject(), "IT", stimuli(range(12)))[order]).all()
    assert (found == again).all()


def test_files_and_arrays_of_the_same_picture_are_one_stimulus(tmp_path: Path):
    from PIL import Image

    for row in range(4):
        Image.fromarray(IMAGES[row]).save(tmp_path / f"{row}.png")
    files = ImageFiles(tuple(tmp_path / f"{row}.png" for row in range(4)))
    network = Net()
    with keep_activations():
        found = record(subject(network), "IT", stimuli(range(4)))
        table = pd.DataFrame({"stimulus_id": list("abcd")})
        assert count(network, lambda: record(subject(network), "IT", Stimuli("files", "image", table, files))) == 0
        Image.fromarray(IMAGES[9]).save(tmp_path / "2.png")
        changed = record(subject(network), "IT", Stimuli("files", "image", table, files))
    assert (changed[[0, 1, 3]] == found[[0, 1, 3]]).all()
    assert (changed[2] == record(subject(), "IT", stimuli([9, 10, 11, 12]))[0]).all()


# --- what is another network -----------------------------------------------------------------------------------------


class Gained(Net):
    """Answers in proportion to a number that is no weight."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * self.gain)


def _gelu(self: Net, x: Tensor) -> Tensor:
    return self.head(self.three(nn.functional.gelu(self.two(nn.functional.gelu(self.one(x))))).relu().mean((2, 3)))


def _lesion(network: Net) -> None:
    network.one.register_forward_hook(lambda _, __, output: output * torch.tensor([1.0, 0, 0, 0])[:, None, None])


def _change_in_place(network: Net) -> None:
    network.two.weight.data[3, 2, 1, 1] += 1  # which torch does not count as a change


def _replace_forward(network: Net) -> None:
    network.two.forward = lambda x: x.repeat(1, 2, 1, 1)[:, :6]  # pyright: ignore[reportAttributeAccessIssue]


def _prune(network: Net) -> None:
    nn.utils.parametrize.register_parametrization(network.two, "weight", _Halved())


class _Halved(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / 2


OTHERS: dict[str, Callable[[], VisionSubject]] = {
    "other weights": lambda: subject(Net(1)),
    "a number that is no weight": lambda: subject(Gained(0.5)),
    "other preprocessing": lambda: subject(mean=(0.5, 0.5, 0.5)),
    "another field of view": lambda: subject(degrees=4.0),
    "the order of colours": lambda: subject(channels="bgr"),
    "another pool": lambda: subject(regions={"V4": Readout("two", 2)}),
    "another layer": lambda: subject(regions={"V4": "three"}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_rows_of_one_network_are_not_those_of_another(what: str):
    """Guards against activations of a network that is alike in all but one thing."""
    make = OTHERS[what]
    plain = record(make(), "V4", degrees=8.0)
    with keep_activations():
        record(subject(Gained()), "V4", degrees=8.0)
        before = record(subject(), "V4", degrees=8.0)
        assert (record(make(), "V4", degrees=8.0) == plain).all()
    assert before.shape != plain.shape or (before != plain).any()


@pytest.mark.parametrize("change", [_lesion, _change_in_place, _replace_forward, _prune])
def test_a_network_that_was_changed_is_another(change: Callable[[Net], None]):
    """Guards against activations from before a lesion, whatever made it."""
    network, other = Net(), Net()
    change(other)
    plain = record(subject(other), "IT")
    with keep_activations():
        before = record(subject(network), "IT")
    change(network)
    with keep_activations():
        assert (record(subject(network), "IT") == plain).all()
    assert (before != plain).any()


def test_code_that_was_changed_is_another(monkeypatch: pytest.MonkeyPatch):
    with keep_activations():
        before = record(subject(), "IT")
        monkeypatch.setattr(Net, "forward", _gelu)
        after = record(subject(), "IT")
    assert (after == record(subject(), "IT")).all()
    assert (before != after).any()


def test_code_of_a_library_that_was_replaced_is_another(monkeypatch: pytest.MonkeyPatch):
    with keep_activations():
        before = record(subject(), "IT")
        monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: self._conv_forward(x, self.weight / 2, self.bias))
        after = record(subject(), "IT")
    assert (after == record(subject(), "IT")).all()
    assert (before != after).any()


def test_the_width_of_the_stimuli_counts():
    with keep_activations():
        wide, narrow = record(subject(), "IT", degrees=8.0), record(subject(), "IT", degrees=4.0)
    assert (wide != narrow).any()
    assert (narrow == record(subject(), "IT", degrees=4.0)).all()


class Noisy(nn.Module):
    """Draws random numbers from torch's generator."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + torch.randn(())


def test_draws_depend_on_the_seed_and_not_on_what_was_kept():
    def noisy() -> VisionSubject:
        return VisionSubject("noisy", Noisy(), {"IT": "output"}, size=16, stochastic=True)

    plain = [record(noisy(), "IT", seed=seed) for seed in (1, 2)]
    with keep_activations():
        for _ in range(2):
            found = [record(noisy(), "IT", seed=seed) for seed in (1, 2)]
            assert all((a == b).all() for a, b in zip(found, plain, strict=True))
    assert (plain[0] != plain[1]).any()


class Remembering(nn.Module):
    """Changes a little from pass to pass, by less than the check for networks that keep state sees."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.passed = nn.Conv2d(3, 4, 3), 0

    def forward(self, x: Tensor) -> Tensor:
        self.passed += 1
        return self.one(x) * (1 + self.passed * 1e-5)


def test_nothing_is_kept_of_a_network_that_keeps_state(home: Path):
    with keep_activations():
        record(VisionSubject("remembers", Remembering(), {"IT": "output"}, size=16), "IT")
    assert list_shards(home / "activations") == []


# --- failures --------------------------------------------------------------------------------------------------------


class Half(Net):
    """A network one of whose layers is broken."""

    def forward(self, x: Tensor) -> Tensor:
        maps = self.two(self.one(x).relu())
        return self.head(self.three(maps / 0).mean((2, 3)))


@pytest.mark.parametrize("broken", ["three", "nowhere"])
def test_a_commitment_that_fails_does_not_fail_others(broken: str, home: Path):
    """Guards against V4 failing for a fault of the layer that stands for IT."""
    model = subject(Half(), regions={"V4": "two", "IT": broken})
    plain = record(subject(), "V4", degrees=None)
    with keep_activations():
        found = record(model, "V4")
    assert found.shape[0] == plain.shape[0]
    assert len(list_shards(home / "activations")) == 1


def test_without_room_on_the_disk_scores_are_what_they_were(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept, "free_bytes", lambda folder: 0)
    with keep_activations(), pytest.warns(UserWarning, match="activations are not kept"):
        found = record(subject(), "IT")
    assert (found == record(subject(), "IT")).all()


def test_damaged_rows_are_computed_anew(home: Path):
    with keep_activations():
        plain = record(subject(), "IT")
    for path in list_shards(home / "activations"):
        content = bytearray(path.read_bytes())
        content[-3] ^= 4
        path.write_bytes(content)
    network = Net()
    with keep_activations(), pytest.warns(UserWarning, match="checksum"):
        found = record(subject(network), "IT")
    assert (found == plain).all()
    assert 0 < network.passed < 12 + PROBE
    with keep_activations():
        assert count(network, lambda: record(subject(network), "IT")) == 0


# --- the limit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["0", "0 GB"])
def test_nothing_is_kept_where_nothing_may_be(given: str, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(kept.LIMIT, given)
    score(subject(), benchmark("IT"))
    assert not (home / "activations").exists()


def test_the_limit_holds(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(kept.LIMIT, "400 kB")
    for seed in range(6):
        with keep_activations():
            record(subject(Net(seed)), "IT")
    total = sum(path.stat().st_size for path in list_shards(home / "activations"))
    assert 0 < total <= 400_000


def test_layers_nobody_asked_for_leave_room(home: Path, monkeypatch: pytest.MonkeyPatch):
    """Guards against large layers that drive out what is asked for; small ones are recorded in the same pass."""
    monkeypatch.setenv(kept.LIMIT, "300 kB")
    network = Net()
    model = subject(network, regions={"V1": "two", "V4": Readout("one", 2), "IT": Readout("three", 4)})
    with keep_activations():
        record(model, "V4")
        assert count(network, lambda: record(model, "IT")) == 0
        assert count(network, lambda: record(model, "V1")) >= 12


def test_a_limit_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(kept.LIMIT, "much")
    with pytest.raises(Exception, match="BRAINMARK_ACTIVATIONS is 'much'; give a number of bytes"):
        score(subject(), benchmark("IT"))


def test_scores_without_a_cache_neither_read_nor_keep(home: Path):
    network = Net()
    score(subject(network), benchmark("IT"), cache=False)
    assert not (home / "activations").exists()
    assert replace(subject(network)).perform(Experiment(stimuli(), Record("IT"))).shape[0] == 12
