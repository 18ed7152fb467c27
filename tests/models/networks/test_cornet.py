from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from brainmark.core import DataError, models
from brainmark.models.networks import cornet as cornets
from brainmark.models.networks.cornet import AREAS, CORblockS, cornet
from brainmark.models.subjects.vision import VisionSubject

PARAMETERS = {"Z": 2_071_656, "R": 5_208_936, "RT": 5_208_936, "S": 53_416_616}
CALLS = {"Z": (1, 1, 1, 1), "R": (5, 5, 5, 5), "RT": (5, 5, 5, 5), "S": (1, 2, 4, 2)}
KINDS = list(PARAMETERS)


def picture(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def course(network: nn.Module, images: Tensor) -> dict[str, list[Tensor]]:
    """Output of each area at each of its steps."""
    found: dict[str, list[Tensor]] = defaultdict(list)

    def note(area: str) -> Any:
        return lambda _, __, output: found[area].append(output.clone())

    handles = [network.get_submodule(f"{a}.output").register_forward_hook(note(a)) for a in AREAS]
    with torch.inference_mode():
        network.eval()(images)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_as_many_as_published(kind: cornets.Kind):
    assert sum(p.numel() for p in cornet(kind).parameters()) == PARAMETERS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_maps_halve_from_area_to_area_and_each_area_runs_as_often_as_published(kind: cornets.Kind):
    states = course(cornet(kind), picture(0, 1, 3, 224, 224))
    shapes = [tuple(states[area][-1].shape[1:]) for area in AREAS]
    assert shapes == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
    assert tuple(len(states[area]) for area in AREAS) == CALLS[kind]


@pytest.mark.parametrize(("kind", "first"), [("RT", (0, 1, 2, 3)), ("R", (0, 1, 1, 1))])
def test_another_image_changes_each_area_from_the_step_on_at_which_it_arrives(kind: cornets.Kind, first: tuple[int]):
    network = cornet(kind)
    one, other = (course(network, picture(seed, 1, 3, 64, 64)) for seed in (0, 1))
    for area, arrival in zip(AREAS, first, strict=True):
        differs = [not torch.equal(a, b) for a, b in zip(one[area], other[area], strict=True)]
        assert differs == [step >= arrival for step in range(5)], area


def test_a_change_of_the_image_at_one_step_reaches_it_of_rt_three_steps_later():
    network, still = cornet("RT"), picture(0, 1, 3, 64, 64)[:, None].repeat(1, 5, 1, 1, 1)
    changed = still.clone()
    changed[:, 1] += 1.0
    one, other = course(network, still), course(network, changed)
    first = [next(t for t in range(5) if not torch.equal(one[a][t], other[a][t])) for a in AREAS]
    assert first == [1, 2, 3, 4]


def test_a_still_movie_is_the_image():
    network, image = cornet("RT").eval(), picture(0, 1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(image[:, None].repeat(1, 5, 1, 1, 1)), network(image))


def test_recurrence_changes_what_areas_answer_over_time():
    states = course(cornet("RT"), picture(0, 1, 3, 64, 64))["IT"]
    assert (states[3] - states[4]).abs().mean() > 0.05 * states[4].abs().mean()


def plain_block(block: CORblockS, below: Tensor) -> Tensor:
    """A bottleneck as in a feed-forward residual network, written out."""
    first = block.conv_input(below)
    hidden = block.get_submodule("norm1_0")(block.conv1(first)).relu()
    hidden = block.get_submodule("norm2_0")(block.conv2(hidden)).relu()
    return (block.get_submodule("norm3_0")(block.conv3(hidden)) + block.norm_skip(block.skip(first))).relu()


def test_a_block_of_s_that_runs_once_is_feed_forward():
    torch.manual_seed(0)
    block, below = CORblockS(8, 16, times=1).eval(), picture(1, 2, 8, 12, 12)
    with torch.inference_mode():
        torch.testing.assert_close(block(below), plain_block(block, below))


def test_runs_of_s_share_weights_but_not_normalisation():
    torch.manual_seed(0)
    block, below = CORblockS(8, 16, times=2).eval(), picture(1, 2, 8, 12, 12)
    gain = dict(block.named_parameters())["norm3_1.weight"]
    assert block.get_submodule("norm1_0") is not block.get_submodule("norm1_1")
    with torch.inference_mode():
        before = block(below)
        gain.fill_(0.5)
        once = plain_block(block, below)
        assert not torch.equal(before, block(below))
        gain.zero_()
        torch.testing.assert_close(block(below), once)  # the second run adds nothing to its skip connection


@pytest.mark.parametrize("kind", KINDS)
def test_weights_depend_on_the_seed_only(kind: cornets.Kind):
    state = torch.random.get_rng_state()
    one, same, other = (next(cornet(kind, s).parameters()) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(state, torch.random.get_rng_state())


def test_random_twins_have_names_of_their_own():
    assert models["CORnet-Z"].load(weights="random").identifier == "CORnet-Z:random"
    assert models["CORnet-Z"].load(weights="random", seed=3).identifier == "CORnet-Z:random=3"


def test_weights_that_cannot_be_had_are_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path))
    monkeypatch.setenv("BRAINMARK_MIRROR", "")
    monkeypatch.setattr("brainmark.data.fetch.files.download", no_network)
    with pytest.raises(DataError, match=r"(?s)cornet_s-1d3f7974.pth.*no network.*:random"):
        cast(VisionSubject, models["CORnet-S"].load()).module  # noqa: B018 - made when it is first asked for


def test_published_weights_are_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """From a file as parallel training on several devices leaves it."""
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path))
    monkeypatch.setattr("brainmark.models.described.weights._digits_in", lambda _: "")
    file = tmp_path / "s3.amazonaws.com" / "cornet-models" / "cornet_z-5c427c9c.pth"
    file.parent.mkdir(parents=True)
    trained = cornet("Z", seed=7).state_dict()
    torch.save({"epoch": 25, "state_dict": {f"module.{name}": tensor for name, tensor in trained.items()}}, file)
    loaded = cast(VisionSubject, models["CORnet-Z"].load()).module.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in trained.items())


def no_network(*_: object, **__: object) -> None:
    from brainmark.data.fetch.download import Unavailable

    raise Unavailable("no network")
