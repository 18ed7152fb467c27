"""Recurrent networks over tokens behind the interface `TokenNetwork`: their state is carried over a whole text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from brainmark.core.devices import compute_on, in_use
from brainmark.core.errors import InvalidModel
from brainmark.core.libraries import nn, torch
from brainmark.models.activations.hooks import Watch, check_ran, find_calls
from brainmark.models.activations.passes import compute_in, evaluation_mode, put_in_place
from brainmark.models.subjects import token_interface
from brainmark.models.subjects.token_interface import TOP, Chunk


class RecurrentNetwork:
    """A module called with (ids, state) that returns (hidden, state), and whose `head` turns hidden into logits.

    Hidden is (texts, tokens, units); state is whatever the module takes back, None at the beginning. State is carried
    over a whole text, however long. Layers whose output is (texts, tokens, units), or a tuple that begins with it as
    that of `nn.LSTM`, can be read. Between passes the module is as it was given, in training if it was.
    """

    causal = True
    window = None
    has_head = True

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    @cached_property
    def _sees_future(self) -> bool:
        """Whether a token changes what was put out before it, as in a network that also reads backwards."""
        device = put_in_place(self.module)
        with evaluation_mode(self.module), compute_on(precision="float32"):
            first, second = (self.module(torch.tensor([[0, last]], device=device), None)[0] for last in (0, 1))
        return not torch.allclose(first[:, 0], second[:, 0], rtol=1e-4, atol=1e-6)

    def blocks(self) -> list[str]:
        """Return the names of its recurrent layers."""
        return [name for name, layer in self.module.named_modules() if isinstance(layer, nn.RNNBase | nn.RNNCellBase)]

    def logits(self, top: torch.Tensor) -> torch.Tensor:
        """Return the logits (tokens, vocabulary), float32."""
        head: Any = self.module.head
        with evaluation_mode(head), compute_in(in_use().precision, top.device.type):
            return head(top).float()

    def run(self, ids: torch.Tensor, lengths: Sequence[int], layers: Sequence[str]) -> Iterator[Chunk]:
        """Run ids (batch, tokens) in chunks, carrying the state on. Raises InvalidModel if it sees later tokens."""
        if self._sees_future:
            raise InvalidModel(
                f"{type(self.module).__name__} reads later words, too (bidirectional?), so that probabilities are of "
                "words that it has seen; give one that reads forwards"
            )
        found: dict[str, torch.Tensor] = {}
        calls = find_calls(self.module, [name for name in layers if name != TOP])
        watch = Watch(self.module, calls, found.__setitem__, first=True)
        device, state = put_in_place(self.module), None
        for start in range(0, ids.shape[1], token_interface.CHUNK):
            found.clear()
            watch.begin(None)
            with evaluation_mode(self.module), watch.attach(), compute_in(in_use().precision, device.type):
                hidden, state = self.module(ids[:, start : start + token_interface.CHUNK].to(device), state)
            check_ran(self.module, calls, watch.counts)
            yield Chunk(start, {**found, TOP: hidden} if TOP in layers else dict(found))
