from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brainmark.core.errors import InvalidModel, ModelError, ResourceError, UnknownName
from brainmark.models.activations import extract as features
from brainmark.models.activations import plan
from brainmark.models.activations.extract import AveragePool, Extractor


class Net(nn.Module):
    """Two convolutions, an in-place ReLU that is used twice, and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)
        self.relu, self.norm, self.drop = nn.ReLU(inplace=True), nn.BatchNorm2d(5), nn.Dropout(0.5)
        self.head = nn.Linear(5, 2)
        self.passes = 0
        self.heads = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += x.shape[0]
        x = self.relu(self.first(x))
        x = self.relu(self.norm(self.second(x)))
        x = self.drop(x.mean((2, 3)))
        self.heads += x.shape[0]
        return self.head(x)


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3, 8, 8), np.float32)


def by_hand(net: Net, media: np.ndarray) -> dict[str, np.ndarray]:
    with torch.no_grad():
        first = net.first(torch.from_numpy(media))
        second = net.norm.eval()(net.second(first.relu()))
        head = net.head(second.relu().mean((2, 3)))
    return {"first": first.numpy(), "norm": second.numpy(), "relu": second.relu().numpy(), "output": head.numpy()}


def test_layers_are_as_by_hand_although_relu_works_in_place_and_runs_twice():
    net, media = Net(), images(7)
    found = Extractor(net, batch=3)(media, ["first", "norm", "relu", "output"])
    for name, expected in by_hand(net, media).items():
        np.testing.assert_allclose(found[name], expected, atol=1e-6, err_msg=name)
        assert found[name].dtype == np.float32


def test_training_flags_and_hooks_are_as_before():
    net = Net()
    net.norm.eval()
    Extractor(net)(images(2), ["first"])
    assert net.training and net.drop.training and not net.norm.training
    assert not any(m._forward_hooks for m in net.modules())  # pyright: ignore[reportPrivateUsage]


def test_the_pass_stops_after_the_last_wanted_layer():
    net = Net()
    Extractor(net)(images(6), ["norm"])
    # two of the probe, one of them whole; one and a pair to compare orders of memory, whole; and 6 filled to 8
    assert net.passes == 2 + 3 + 8 and net.heads == 1 + 3


def test_repeated_stimuli_are_computed_once():
    net, media = Net(), images(4)[[0, 1, 0, 2, 3, 3, 0]]
    found = Extractor(net, batch=2)(media, ["output"])["output"]
    assert net.passes == 2 + 3 + 4
    assert (found[0] == found[2]).all() and (found[4] == found[5]).all()
    np.testing.assert_allclose(found, by_hand(net, media)["output"], atol=1e-6)


def test_same_bits_twice_and_close_for_any_batch():
    net, media = Net(), images(9)
    once, again = (Extractor(net, batch=4)(media, ["norm"])["norm"] for _ in range(2))
    assert (once == again).all()
    np.testing.assert_allclose(Extractor(net, batch=1)(media, ["norm"])["norm"], once, atol=1e-6)


def test_unknown_layer_offers_the_nearest():
    with pytest.raises(UnknownName, match=r"layer of Net 'secnd'; did you mean 'second'"):
        Extractor(Net())(images(1), ["secnd"])


def test_a_small_network_lists_its_layers_when_one_is_unknown():
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    with pytest.raises(UnknownName, match=r"of Sequential 'conv1' \(layers: '0', '1', 'output'\)"):
        Extractor(net)(images(1), ["conv1"])


def test_a_large_network_names_the_nearest_layers_when_one_is_unknown():
    net = nn.Sequential(*(nn.Identity() for _ in range(12)))
    net.add_module("pooling", nn.Flatten())
    with pytest.raises(UnknownName, match=r"'poolxyzuvw' \(14 layers, nearest 'pooling', .*all: \[name for name"):
        Extractor(net)(images(1), ["poolxyzuvw"])


def test_nan_names_layer_and_stimulus():
    media = images(5)
    media[3, 0, 0, 0] = np.nan
    with pytest.raises(ModelError, match=r"layer 'first': activations to stimulus 3"):
        Extractor(Net(), batch=2)(media, ["first", "output"])


def test_a_layer_that_does_not_run_is_named():
    net = Net()
    net.spare = nn.Linear(1, 1)
    with pytest.raises(ModelError, match=r"'spare' of Net does not run"):
        Extractor(net)(images(1), ["spare"])


def test_a_layer_without_a_tensor_is_named():
    class Odd(nn.Module):
        def forward(self, _: Tensor) -> str:
            return "seen"

    with pytest.raises(ModelError, match=r"'output': its output is a str, .*; name a layer that yields one"):
        Extractor(Odd())(images(1), ["output"])


def test_types_are_named_where_no_tensor_is_held():
    class Odd(nn.Module):
        def forward(self, _: Tensor) -> dict[str, object]:
            return {"a": "seen", "b": None}

    with pytest.raises(ModelError, match=r"its output is a dict of NoneType, str, not"):
        Extractor(Odd())(images(1), ["output"])


class Both(nn.Module):
    """Returns features and logits, in a container of choice."""

    def __init__(self, pack: Callable[[Tensor, Tensor], object]) -> None:
        super().__init__()
        self.body, self.pack = Net(), pack

    def forward(self, x: Tensor) -> object:
        return self.pack(x.flatten(2), self.body(x))


@pytest.mark.parametrize(
    ("pack", "listed"),
    [
        (
            lambda f, g: {"features": f, "logits": g},
            r"a dict of 2 tensors \(\['features'\] .*, \['logits'\] \(1, 2\)\)",
        ),
        (lambda f, g: (f, g), r"a tuple of 2 tensors \(\[0\] \(1, 3, 64\), \[1\] \(1, 2\)\)"),
        (lambda f, g: {"all": [f, {"top": g}]}, r"\['all'\]\[0\] .*, \['all'\]\[1\]\['top'\]"),
    ],
)
def test_of_several_outputs_none_is_guessed(pack: Callable[[Tensor, Tensor], object], listed: str):
    with pytest.raises(InvalidModel, match=rf"layer 'output': .*{listed}.*; name a layer instead, or wrap the module"):
        Extractor(Both(pack))(images(2), ["output"])
    named = Extractor(Both(pack))(images(2), ["body"])["body"]
    np.testing.assert_allclose(named, by_hand(Net(), images(2))["output"], atol=1e-6)


def test_the_first_tensor_of_a_layer_counts():
    class Chosen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = Both(lambda f, g: (g, f))

        def forward(self, x: Tensor) -> Tensor:
            return self.both(x)[1]

    found = Extractor(Chosen())(images(2), ["both"])["both"]
    np.testing.assert_allclose(found, by_hand(Net(), images(2))["output"], atol=1e-6)


def test_outputs_in_tuples_and_mappings_are_read():
    class Tuples(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, None]:
            return x.flatten(1), None

    class Mappings(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"logits": x.flatten(1)}

    media = images(2)
    for net in (Tuples(), Mappings()):
        np.testing.assert_array_equal(Extractor(net)(media, ["output"])["output"], media.reshape(2, -1))


def test_reduction_is_applied_as_layers_run():
    net, media = Net(), images(3)
    found = Extractor(net)(media, {"first": AveragePool(2, 4), "output": None})
    expected = by_hand(net, media)["first"].reshape(3, 4, 2, 4, 4, 2).mean((3, 5))
    np.testing.assert_allclose(found["first"], expected, atol=1e-6)
    assert found["output"].shape == (3, 2)


def test_too_much_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch):
    net = Net()
    monkeypatch.setattr(features, "available_memory", lambda: 100_000)
    monkeypatch.setattr(plan, "_BASE", 0)
    with pytest.raises(ResourceError, match=r"of 200 stimuli need .* \(first; 1 at a time\), but 80.0 kB .* reduce "):
        Extractor(net)(images(200), ["first"])
    assert net.passes == 2 + 3


def test_batches_shrink_to_the_memory(monkeypatch: pytest.MonkeyPatch):
    sizes: list[int] = []

    def collate(arrays: Sequence[np.ndarray]) -> Tensor:
        sizes.append(len(arrays))
        return torch.from_numpy(np.stack(arrays))

    monkeypatch.setattr(features, "available_memory", lambda: 80_000)
    monkeypatch.setattr(plan, "_BASE", 0)
    Extractor(Net(), collate=collate)(images(8), ["output"])
    assert max(sizes) < 8


def test_progress_reaches_the_number_of_stimuli():
    seen: list[tuple[int, int]] = []
    media = images(5)[[0, 1, 2, 0, 3, 4]]
    Extractor(Net(), batch=2)(media, ["output"], progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (6, 6) and seen == sorted(seen) and len(seen) == 3


def test_media_are_loaded_beside_the_network():
    threads: list[int] = []

    def prepare(medium: np.ndarray) -> np.ndarray:
        threads.append(threading.get_ident())
        return medium

    Extractor(Net(), prepare, batch=1)(images(4), ["output"])
    assert len(threads) == 5 and threads.count(threading.get_ident()) == 1  # the first, for the probe


def test_an_error_in_a_medium_is_passed_on():
    def prepare(medium: np.ndarray) -> np.ndarray:
        if medium[0, 0, 0] == 0:
            raise ValueError("broken picture")
        return medium

    media = images(4)
    media[2] = 0
    net = Net()
    with pytest.raises(ValueError, match="broken picture"):
        Extractor(net, prepare, batch=1)(media, ["output"])
    assert net.training


def test_media_that_say_nothing_are_read_by_one_thread_at_a_time():
    class Shy:
        def __init__(self) -> None:
            self.threads: set[int] = set()

        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> np.ndarray:
            self.threads.add(threading.get_ident())
            return images(6)[index]

    media = Shy()
    Extractor(Net())(media, ["output"])
    assert len(media.threads) == 2  # here for the probe, and one other


class Noisy(nn.Module):
    """Adds noise from torch's global generator."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) + torch.randn(x.shape[0], x[0].numel())


def test_seeded_draws_belong_to_the_stimulus_not_to_its_position():
    media, order = images(6), np.array([3, 0, 5, 1, 4, 2])
    straight = Extractor(Noisy())(media, ["output"], seed=1)["output"]
    permuted = Extractor(Noisy())(media[order], ["output"], seed=1)["output"]
    other = Extractor(Noisy())(media, ["output"], seed=2)["output"]
    np.testing.assert_array_equal(straight[order], permuted)
    assert (straight != other).mean() > 0.99
    assert len(np.unique((straight - media.reshape(6, -1))[:, 0])) == 6
