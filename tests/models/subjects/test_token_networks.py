"""A text is read as the network reads it alone and in one pass, whatever is beside it and however long it is.

Some networks read what rows of a batch are filled up with in spite of the mask, some drop what came before when a text
passes in chunks, and some put out tokens before texts: each gave other numbers, without an error.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from brainmark.core import InvalidModel, ModelError
from brainmark.models.sources.torch_libraries import transformers
from brainmark.models.subjects import token_interface
from brainmark.models.subjects.recurrent_network import RecurrentNetwork
from brainmark.models.subjects.token_interface import TOP
from brainmark.models.subjects.token_layouts import LARGE, SMALL, find_layout
from brainmark.models.subjects.token_networks import TransformersNetwork

SIZES = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 99,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
SEES_PADDING = {
    "FNetForMaskedLM": {},
    "ConvBertForMaskedLM": {"embedding_size": 32},
    "MobileBertForMaskedLM": {"embedding_size": 32, "true_hidden_size": 32, "intra_bottleneck_size": 32},
}
KEEPS_TO_THE_MASK = {"BertForMaskedLM": {}, "RobertaForMaskedLM": {"pad_token_id": 1}}
CARRIES_STATE = {
    "RwkvForCausalLM": {"attention_hidden_size": 32},
    "JambaForCausalLM": {
        "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
        "mamba_d_state": 8, "mamba_dt_rank": 4, "num_experts": 2, "num_experts_per_tok": 1, "num_key_value_heads": 2,
    },
    "Lfm2ForCausalLM": {"full_attn_idxs": [1], "block_multiple_of": 8, "num_key_value_heads": 2},
    "MistralForCausalLM": {"sliding_window": 8, "num_key_value_heads": 2},
}  # fmt: skip


def make(name: str, **fields: Any) -> Any:
    """Return a small network with weights so large that what comes before matters."""
    library = transformers()
    model = getattr(library, name)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights without elements, as small sizes have them
        network = model(model.config_class(**{**SIZES, **fields})).eval()
    with torch.no_grad():
        for weights in network.parameters():
            if weights.ndim >= 2:
                weights.mul_(4)
    return network


def texts(*lengths: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    each = [torch.randint(5, 99, (length,), generator=generator) for length in lengths]
    return torch.nn.utils.rnn.pad_sequence(each, batch_first=True), each


def one_pass(network: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the logits (tokens, vocabulary) of one text, by the network itself."""
    with torch.no_grad():
        return network(input_ids=ids[None], use_cache=False).logits[0]


def logits_of(reader: TransformersNetwork, ids: torch.Tensor, lengths: list[int]) -> list[torch.Tensor]:
    with torch.inference_mode():
        chunks = [chunk.layers[TOP] for chunk in reader.run(ids, lengths, [TOP])]
        whole = torch.cat(chunks, 1)
        return [reader.logits(row[:length]) for row, length in zip(whole, lengths, strict=True)]


@pytest.mark.parametrize("name", [*SEES_PADDING, *KEEPS_TO_THE_MASK])
def test_a_text_beside_longer_ones_is_read_as_it_is_alone(name):
    """Four words beside a longer text had other representations (r = .55 with FNet)."""
    network = make(name, **{**SEES_PADDING, **KEEPS_TO_THE_MASK}[name])
    reader = TransformersNetwork(network)
    ids, each = texts(4, 30, 4, 9)
    for found, one in zip(logits_of(reader, ids, [len(one) for one in each]), each, strict=True):
        with torch.no_grad():
            wanted = network(input_ids=one[None]).logits[0]
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", list(KEEPS_TO_THE_MASK))
def test_texts_that_do_not_change_one_another_pass_together(name):
    """Reading each text alone would be right for any network, and many times slower."""
    network = make(name, **KEEPS_TO_THE_MASK[name])
    reader = TransformersNetwork(network)
    ids, each = texts(4, 30, 9)
    logits_of(reader, ids, [len(one) for one in each])
    passes: list[int] = []
    network.register_forward_pre_hook(lambda _, __, named: passes.append(len(named["input_ids"])), with_kwargs=True)
    logits_of(reader, ids, [len(one) for one in each])
    assert passes == [3]


@pytest.mark.parametrize("name", list(CARRIES_STATE))
def test_a_text_in_chunks_is_read_as_in_one_pass(name, monkeypatch):
    """What came before a chunk was dropped (985 words of RWKV were wrong, by up to 8.6 bits), or was an error."""
    monkeypatch.setattr(token_interface, "CHUNK", 16)
    network = make(name, **CARRIES_STATE[name])
    reader = TransformersNetwork(network)
    ids, (one,) = texts(60)
    (found,) = logits_of(reader, ids, [60])
    torch.testing.assert_close(found, one_pass(network, one), rtol=1e-3, atol=1e-3)
    layer = reader.blocks()[-1]
    hidden: list[torch.Tensor] = []
    with network.get_submodule(layer).register_forward_hook(lambda _, __, out: hidden.append(out)):
        one_pass(network, one)
    wanted = hidden[0] if isinstance(hidden[0], torch.Tensor) else hidden[0][0]
    given = torch.cat([chunk.layers[layer] for chunk in reader.run(ids, [60], [layer])], 1)
    torch.testing.assert_close(given, wanted, rtol=1e-3, atol=1e-3)


def test_what_no_memory_carries_is_exact_or_refused(monkeypatch):
    """Of a text too long for one pass, tokens saw a part of what came before, and nothing said so."""
    monkeypatch.setattr(token_interface, "CHUNK", 16)
    network = make("MambaForCausalLM")
    reader = TransformersNetwork(network)
    ids, (one,) = texts(64)
    (found,) = logits_of(reader, ids, [64])
    torch.testing.assert_close(found, one_pass(network, one), rtol=1e-4, atol=1e-4)
    with pytest.raises(ModelError, match=r"a text has 65 tokens: it is exact for 64; give .*window=64"):
        logits_of(reader, texts(65)[0], [65])


def test_a_network_that_reads_backwards_gives_no_probabilities():
    """Every recurrent network was taken for one that reads forwards: words were known before they were predicted."""

    class Both(torch.nn.Module):
        def __init__(self, backwards: bool) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.embedding = torch.nn.Embedding(9, 8)
            self.layer = torch.nn.LSTM(8, 8, batch_first=True, bidirectional=backwards)
            self.head = torch.nn.Linear(16 if backwards else 8, 9)

        def forward(self, ids: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
            return self.layer(self.embedding(ids), state)

    ids = torch.tensor([[1, 2, 3]])
    assert next(RecurrentNetwork(Both(backwards=False)).run(ids, [3], [TOP])).layers[TOP].shape == (1, 3, 8)
    with pytest.raises(InvalidModel, match="Both reads later words, too"):
        next(RecurrentNetwork(Both(backwards=True)).run(ids, [3], [TOP]))


def test_a_network_without_a_limit_reads_all_that_came_before(monkeypatch):
    """A causal network whose configuration names no limit forgot what stood 2048 tokens before."""
    monkeypatch.setattr(token_interface, "CHUNK", 16)
    network = make("BloomForCausalLM", n_head=4, n_layer=2)
    reader = TransformersNetwork(network)
    assert reader.window is None
    ids, (one,) = texts(150)
    (found,) = logits_of(reader, ids, [150])
    torch.testing.assert_close(found, one_pass(network, one), rtol=1e-3, atol=1e-3)
    assert TransformersNetwork(network, window=32).window == 32


def test_layers_that_put_out_tokens_before_texts():
    """Layers of XLNet put out (tokens, texts, units): words got the rows of other words, or zeros (0 of 14 right)."""
    network = make("XLNetLMHeadModel", d_model=32, n_layer=2, n_head=4, d_inner=64)
    reader = TransformersNetwork(network)
    layer = reader.blocks()[-1]
    ids, each = texts(4, 7, 1)
    chunk = next(reader.run(ids, [4, 7, 1], [layer]))
    for row, one in enumerate(each):
        with torch.no_grad():
            hidden = network.transformer(input_ids=one[None], output_hidden_states=True).hidden_states[-1][0]
        torch.testing.assert_close(chunk.layers[layer][row, : len(one)], hidden, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "order",
    ["texts tokens units", "tokens texts units", "texts units tokens", "joined by text", "joined by token", "positions",
     "filled", "heads"],
)  # fmt: skip
def test_the_axes_of_a_layer_are_known(order):
    def output_for(texts: int, tokens: int) -> torch.Tensor:
        values = torch.arange(1.0, tokens + 1)[None, :, None] * torch.ones(texts, 1, 6)
        match order:
            case "tokens texts units":
                return values.transpose(0, 1)
            case "texts units tokens":
                return values.transpose(1, 2)
            case "joined by text":
                return values.flatten(0, 1)
            case "joined by token":
                return values.transpose(0, 1).flatten(0, 1)
            case "positions":
                return values[:1]
            case "filled":
                return torch.nn.functional.pad(values, (0, 0, 0, -tokens % 8))
            case "heads":
                return values.unflatten(2, (2, 3)).transpose(1, 2)
            case _:
                return values

    layout = find_layout("layer", [output_for(*SMALL), output_for(*LARGE)], output_for)
    found = layout.arrange(output_for(5, 9), 5, 9)
    assert found.shape == (5, 9, 6)
    assert (found[:, :, 0] == torch.arange(1.0, 10)).all()


@pytest.mark.parametrize("shape", ["pooled", "latents", "attention"])
def test_a_layer_without_an_axis_of_tokens_is_refused(shape):
    """Rows that stand for something else were taken for tokens."""

    def output_for(texts: int, tokens: int) -> torch.Tensor:
        sizes = {
            "pooled": (texts, 6),
            "latents": (texts, 16, 6),
            "attention": (texts, 2, tokens, tokens),
        }
        return torch.ones(sizes[shape])

    with pytest.raises(ModelError, match="no single axis counts the tokens"):
        find_layout("h.0", [output_for(*SMALL), output_for(*LARGE)], output_for)
