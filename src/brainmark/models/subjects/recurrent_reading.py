"""Recurrent networks that read: state is carried over a whole text, however long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from brainmark.core.errors import ModelError
from brainmark.models.activations.hooks import attach_hooks, find_calls, one_tensor
from brainmark.models.activations.passes import evaluation_mode
from brainmark.models.subjects.token_networks import CHUNK, Chunk, Silenced, silencer


class RecurrentNetwork:
    """A module called with (ids, state) that returns (hidden, state), and whose `head` turns hidden into logits.

    Hidden is (texts, tokens, units); state is whatever the module takes back, None at the beginning. Layers whose
    output is (texts, tokens, units), or a tuple that begins with it as that of `nn.LSTM`, can be read. Units that are
    silenced are silent for the layers above; the layer's own state keeps them. Between passes the module is as it was
    given, in training if it was.
    """

    causal = True
    window = None
    has_head = True

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def blocks(self) -> list[str]:
        """Names of its recurrent layers."""
        return [name for name, layer in self.module.named_modules() if isinstance(layer, nn.RNNBase | nn.RNNCellBase)]

    def logits(self, top: Tensor) -> Tensor:
        """Logits (tokens, vocabulary), float32."""
        head: Any = self.module.head
        with evaluation_mode(head):
            return head(top).float()

    def run(
        self, ids: Tensor, lengths: Sequence[int], layers: Sequence[str], top: bool, silenced: Silenced
    ) -> Iterator[Chunk]:
        """Read ids (batch, tokens) in chunks, carrying the state on."""
        calls, muted = find_calls(self.module, layers), find_calls(self.module, list(silenced))
        device, state = next(self.module.parameters()).device, None
        for start in range(0, ids.shape[1], CHUNK):
            seen: dict[str, Tensor] = {}

            def catch(name: str, seen: dict[str, Tensor] = seen) -> Any:
                def hook(_: nn.Module, __: Any, output: Any) -> None:
                    seen[name] = one_tensor(output, name, only=False)

                return hook

            hooks = [(muted[n].layer, silencer(torch.as_tensor(list(u)))) for n, u in silenced.items()]
            hooks += [(call.layer, catch(name)) for name, call in calls.items()]
            with evaluation_mode(self.module), attach_hooks(hooks):
                hidden, state = self.module(ids[:, start : start + CHUNK].to(device), state)
            for name in set(calls) - set(seen):
                raise ModelError(f"layer {name!r} of {type(self.module).__name__} does not run in its forward pass")
            yield Chunk(start, seen, hidden if top else None)


__all__ = ["RecurrentNetwork"]
