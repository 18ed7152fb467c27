"""Every network has an untrained twin, wherever it comes from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from brainmark import load_model
from brainmark.core.errors import InvalidModel
from brainmark.models.described.toml_files import in_file
from brainmark.models.networks.seeds import draw_weights

CODE = """
from pathlib import Path

import torch
from torch import nn

import brainmark
from brainmark.models.sources import torch_libraries

TINY = Path(brainmark.__file__).parent / "models/weights/tiny-gpt"


def make():
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), pool, nn.Linear(16, 5))


def trained():
    network = make()
    for parameter in network.parameters():
        parameter.data.fill_(0.5)
    network[1].running_mean.fill_(9.0)
    return network


held = trained()
subject = brainmark.VisionSubject("seen", trained(), {"IT": "3"}, degrees=4.0, size=32)


def language():
    library = torch_libraries.transformers()
    torch.manual_seed(5)
    config = library.GPT2Config(vocab_size=512, n_positions=32, n_embd=8, n_layer=1, n_head=2)
    return library.GPT2LMHeadModel(config), library.PreTrainedTokenizerFast.from_pretrained(TINY)


class Rule:
    identifier = "rule"

    def perform(self, experiment):
        raise NotImplementedError


rule = Rule()
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine_for_twins.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("mine_for_twins", None)


def values(name: str) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in load_model(name).module.parameters()])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["mine_for_twins:trained", "mine_for_twins:held", "mine_for_twins:subject"])
def test_a_network_of_a_function_has_twins(here: Path, name: str):
    """They were refused: "has no weights that were trained"."""
    first, again, other = (values(f"{name}:random{seed}") for seed in ("", "", "=3"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert values(name).eq(0.5).all()  # and the trained one keeps its weights
    twin = load_model(f"{name}:random=3")
    assert twin.identifier == f"{name}:random=3"
    assert twin.module[1].running_mean.eq(0).all()
    if "subject" in name:
        assert (twin.degrees, twin.regions) == (4.0, {"IT": "3"})


def test_a_language_network_of_a_function_has_twins(here: Path):
    trained, first, other = (values(f"mine_for_twins:language{t}") for t in ("", ":random", ":random=1"))
    assert torch.equal(first, values("mine_for_twins:language:random"))
    assert len({trained.sum().item(), first.sum().item(), other.sum().item()}) == 3
    assert first.std() < 0.5  # as the library draws it


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_table_with_weights_has_a_twin_without_them(here: Path):
    """`weights = ...` of a function's network was put into the twin, or there was none."""
    from mine_for_twins import make, trained  # pyright: ignore[reportMissingImports]

    torch.save(trained().state_dict(), here / "w.pth")
    table = '[{}]\nsource = "mine_for_twins:make"\nsize = 32\nregions.IT = "3"\n'
    (here / "models.toml").write_text(table.format("net") + 'weights = "w.pth"\n' + table.format("bare"))
    assert values("models.toml#net").eq(0.5).all()
    for name in ("net", "bare"):
        assert not values(f"models.toml#{name}:random").eq(0.5).any()
        assert not torch.equal(values(f"models.toml#{name}:random"), values(f"models.toml#{name}:random=1"))
    assert in_file(here / "models.toml", ["net", "net:random=2", "alexnet:random"]) == [
        f"{here}/models.toml#net", f"{here}/models.toml#net:random=2", "alexnet:random",
    ]  # fmt: skip
    assert isinstance(make(), nn.Module)


def test_what_is_no_torch_network_has_none(here: Path):
    with pytest.raises(InvalidModel, match=r"rule:random: a Rule is no torch network"):
        load_model("mine_for_twins:rule:random")


class Token(nn.Module):
    """Weights that no `reset_parameters` draws: a parameter of its own, and one behind a parametrisation."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.arange(100.0))
        self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(10, 10))
        self.attention = nn.MultiheadAttention(8, 2)


def test_nothing_that_was_learnt_stays_in_its_place():
    network = Token()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.arange(float(parameter.numel())).view_as(parameter))
    before = {name: p.clone() for name, p in network.named_parameters()}
    state = torch.random.get_rng_state()
    draw_weights(network, 0)
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, parameter in network.named_parameters():
        assert (parameter == before[name]).float().mean() <= 0.3, name
    assert network.token.sort().values.equal(before["token"])
