"""Networks that read tokens: one interface over transformers' models and recurrent ones, run piece by piece."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from brainmark.core.errors import InvalidModel, ModelError
from brainmark.core.libraries import np
from brainmark.models.activations.hooks import Call, EnoughSeen, check_ran, find_calls, one_tensor
from brainmark.models.activations.passes import evaluation_mode
from brainmark.models.sources.torch_libraries import transformers

CHUNK = 2048
"""Tokens that pass at a time; what came before is in the cache of keys and values, or in the state."""
UNLIMITED = 2048
"""Window of a network that names none."""
_SAME = 1e-4  # of the largest logit: what two orders of summation may differ by


@dataclass(frozen=True, eq=False)
class Chunk:
    """What some tokens of a batch led to.

    Attributes
    ----------
    start : position of the first of them.
    layers : layer -> (batch, tokens, units).
    top : (batch, tokens, units) what the head reads; None if it was not asked for.
    """

    start: int
    layers: Mapping[str, Tensor]
    top: Tensor | None


@runtime_checkable
class TokenNetwork(Protocol):
    """A network that reads tokens: all of a pass, or (causal) those before each."""

    @property
    def module(self) -> nn.Module:
        """Its layers, by dotted name."""
        ...

    @property
    def causal(self) -> bool:
        """Whether a token sees those before it only."""
        ...

    @property
    def window(self) -> int | None:
        """Most tokens in one pass; None: any number, since state is carried on."""
        ...

    @property
    def has_head(self) -> bool:
        """Whether it gives words probabilities."""
        ...

    def run(
        self, ids: Tensor, lengths: Sequence[int], layers: Sequence[str], top: bool, silenced: Silenced
    ) -> Iterator[Chunk]:
        """Read ids (batch, tokens), of which the first `lengths` of each row count."""
        ...

    def logits(self, top: Tensor) -> Tensor:
        """Logits (tokens, vocabulary), float32, of some rows of `top`."""
        ...

    def blocks(self) -> list[str]:
        """Names of the layers that follow one another, from first to last."""
        ...


Silenced = Mapping[str, Sequence[int]]
"""Layer -> units whose output is set to zero."""


class TransformersNetwork:
    """A model of transformers: causal, masked, or an encoder (of an encoder and decoder, the encoder).

    It reads in evaluation mode and without gradients; between passes it is as it was given, in training if it was.
    Whether it is causal is seen from what it does: a later token changes nothing before it. Whether its head can run
    on some rows alone is tried, too; where it does more than its last layer says, logits are those of whole passes.

    Parameters
    ----------
    model : `PreTrainedModel`.
    window : most tokens in one pass; None: as its configuration says.
    """

    def __init__(self, model: nn.Module, window: int | None = None) -> None:
        encoder_decoder = getattr(getattr(model, "config", None), "is_encoder_decoder", False)
        module: Any = cast(Any, model).get_encoder() if encoder_decoder else model
        self.module: nn.Module = module
        config: Any = getattr(model, "config", None)
        self._limit = _limit(self.module, config)
        self.window = min(window or UNLIMITED if self._limit is None else self._limit, window or 2**62)
        self._head: nn.Module | None = None if encoder_decoder else _head_of(module)
        self._whole = False  # logits are what the model puts out, not its head's answer to `top`
        with evaluation_mode(self.module):
            self.causal = self._sees_no_future()
            self._check_head()

    @property
    def has_head(self) -> bool:
        """Whether it names probabilities of words."""
        return self._head is not None

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.module.parameters()).device

    def blocks(self) -> list[str]:
        """Names of its blocks: the longest list of layers of one kind."""
        lists = [(n, m) for n, m in self.module.named_modules() if isinstance(m, nn.ModuleList) and len(m)]
        if not lists:
            raise InvalidModel(f"{type(self.module).__name__} has no list of blocks; name its layers in regions")
        name, longest = max(lists, key=lambda pair: len(pair[1]))
        return [f"{name}.{i}" for i in range(len(longest))]

    def logits(self, top: Tensor) -> Tensor:
        """Logits (tokens, vocabulary), float32."""
        if self._whole or self._head is None:
            return top.float()
        with evaluation_mode(self._head):
            return self._head(top).float()

    def run(
        self, ids: Tensor, lengths: Sequence[int], layers: Sequence[str], top: bool, silenced: Silenced
    ) -> Iterator[Chunk]:
        """Read ids (batch, tokens), whose rows are filled up at their ends; causal ones in chunks, with a cache."""
        calls, muted = find_calls(self.module, layers), find_calls(self.module, list(silenced))
        silence = {muted[name].layer: torch.as_tensor(list(units)) for name, units in silenced.items()}
        count = ids.shape[1]
        if not self.causal or count <= CHUNK or not getattr(self.module, "_supports_cache_class", True):
            mask = None
            if not self.causal:
                mask = (torch.arange(count)[None] < torch.tensor(list(lengths))[:, None]).long()
            yield self._pass(ids, calls, top, silence, 0, attention_mask=mask)
            return

        cache = transformers().DynamicCache()
        for start in range(0, count, CHUNK):
            part = ids[:, start : start + CHUNK]
            yield self._pass(part, calls, top, silence, start, past_key_values=cache, use_cache=True)

    def _pass(
        self,
        ids: Tensor,
        calls: Mapping[str, Call],
        top: bool,
        silence: Mapping[nn.Module, Tensor],
        start: int,
        **more: Any,
    ) -> Chunk:
        options = {"use_cache": False, **{n: v for n, v in more.items() if v is not None}}
        options = {n: v.to(self.device) if isinstance(v, Tensor) else v for n, v in options.items()}
        if not self._takes_cache:
            options.pop("use_cache", None)
        seen = _Seen(calls, self._counts(tuple(calls)) if calls else {}, None if self._whole else self._head, top)
        answer: Any = None
        with evaluation_mode(self.module), seen.watching(silence):
            try:
                answer = self.module(input_ids=ids.to(self.device), **options)
            except EnoughSeen:
                pass
            except (RuntimeError, IndexError, ValueError, TypeError) as error:
                raise ModelError(
                    f"{type(self.module).__name__} failed on {tuple(ids.shape)} tokens: {error}"
                ) from error
        above = answer.logits if top and self._whole else seen.top
        return Chunk(start, seen.outputs, above)

    @property
    def _some(self) -> Tensor:
        """Four tokens (1, 4) of its vocabulary, none of them special if it is large."""
        size = int(getattr(getattr(self.module, "config", None), "vocab_size", 0) or 5)
        return (size // 2 + torch.arange(4)[None]) % size

    @cached_property
    def _takes_cache(self) -> bool:
        import inspect

        taken = inspect.signature(self.module.forward).parameters
        return "use_cache" in taken or any(p.kind is p.VAR_KEYWORD for p in taken.values())

    def _counts(self, names: tuple[str, ...]) -> dict[nn.Module, int]:
        """How often layers run in a pass of two tokens."""
        known = self.__dict__.setdefault("_known_counts", {})
        if names not in known:
            calls = find_calls(self.module, names)
            counts: dict[nn.Module, int] = {}

            def count(layer: nn.Module, *_: Any) -> None:
                counts[layer] = counts.get(layer, 0) + 1

            handles = [layer.register_forward_hook(count) for layer in {c.layer for c in calls.values()}]
            try:
                with evaluation_mode(self.module):
                    self.module(input_ids=self._some[:, :2].to(self.device))
            finally:
                for handle in handles:
                    handle.remove()
            check_ran(self.module, calls, counts)
            known[names] = counts
        return known[names]

    def _sees_no_future(self) -> bool:
        """Whether another third token leaves what was made of the first two as it was."""
        first, second = (self._last(torch.cat([self._some[:, :2], self._some[:, 2 + i : 3 + i]], 1)) for i in (0, 1))
        changed = (first - second).abs()
        return bool(changed[:, :2].max() <= _SAME * max(float(changed[:, 2].max()), 1e-6))

    def _last(self, ids: Tensor) -> Tensor:
        answer: Any = self.module(input_ids=ids.to(self.device))
        found = next((getattr(answer, n) for n in ("logits", "last_hidden_state") if hasattr(answer, n)), None)
        if not isinstance(found, Tensor) or found.ndim != 3:
            raise InvalidModel(
                f"{type(self.module).__name__} puts out neither logits nor hidden states for each token; "
                "give a causal or masked language model, or an encoder"
            )
        return found

    def _check_head(self) -> None:
        """See whether the head on its input is what the model answers; and whether it answers by its head at all."""
        if self._head is None:
            return
        ids = self._some[:, :3]
        answer = self.module(input_ids=ids.to(self.device))
        if getattr(answer, "logits", None) is None:
            self._head = None
            return
        wanted = answer.logits.float()
        try:
            top = self._pass(ids, {}, True, {}, 0).top
            given = None if top is None else self.logits(top)
        except (RuntimeError, ModelError):
            given = None
        same = given is not None and given.shape == wanted.shape
        self._whole = not (same and bool((given - wanted).abs().max() <= _SAME * wanted.abs().max()))


class _Seen:
    """What hooks catch in one pass; ends it after the last of it."""

    def __init__(
        self, calls: Mapping[str, Call], counts: Mapping[nn.Module, int], head: nn.Module | None, wanted: bool
    ) -> None:
        self.calls, self.counts, self.head, self.wanted = calls, counts, head, wanted
        self.outputs: dict[str, Tensor] = {}
        self.top: Tensor | None = None
        self._runs: dict[nn.Module, int] = {}

    @contextlib.contextmanager
    def watching(self, silence: Mapping[nn.Module, Tensor]) -> Generator[None]:
        """Catch, within the context; units to be silenced are set to zero before they are seen."""
        handles = [layer.register_forward_hook(silencer(units)) for layer, units in silence.items()]
        handles += [layer.register_forward_hook(self._caught) for layer in {c.layer for c in self.calls.values()}]
        if self.wanted and self.head is not None:
            handles.append(self.head.register_forward_pre_hook(self._at_head))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _caught(self, layer: nn.Module, _: Any, output: Any) -> None:
        run = self._runs[layer] = self._runs.get(layer, 0) + 1
        for name, call in self.calls.items():
            if call.layer is layer and run - 1 == (self.counts[layer] - 1 if call.index is None else call.index):
                tensor = one_tensor(output, name, only=False)
                if tensor.ndim != 3:
                    raise ModelError(f"layer {name!r} puts out {tuple(tensor.shape)}, not (texts, tokens, units)")
                self.outputs[name] = tensor
        if not self.wanted and len(self.outputs) == len(self.calls):
            raise EnoughSeen

    def _at_head(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.top = inputs[0]
        raise EnoughSeen


def as_token_network(network: nn.Module | TokenNetwork, window: int | None = None) -> TokenNetwork:
    """Return a network behind the interface: of transformers, or a recurrent one (see `RecurrentNetwork`).

    Raises
    ------
    InvalidModel : it is neither.
    """
    if not isinstance(network, nn.Module):
        return network
    if hasattr(network, "config"):
        return TransformersNetwork(network, window)
    if isinstance(getattr(network, "head", None), nn.Module):
        from brainmark.models.subjects.recurrent_reading import RecurrentNetwork

        return RecurrentNetwork(network)
    raise InvalidModel(
        f"a {type(network).__name__} is no model of transformers, and has no `head` as a recurrent network has; "
        "put it behind the interface TokenNetwork"
    )


def silencer(units: Tensor) -> Callable[..., Any]:
    """Return a forward hook that sets units of an output to zero, at every token."""

    def silence(_: nn.Module, __: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple | list) else output
        muted = first.clone()
        muted[..., units.to(first.device)] = 0
        return muted if first is output else type(output)([muted, *output[1:]])

    return silence


def _head_of(model: Any) -> nn.Module | None:
    get = getattr(model, "get_output_embeddings", None)
    found = get() if callable(get) else None
    return found if isinstance(found, nn.Module) else None


def _limit(module: nn.Module, config: Any) -> int | None:
    """Most positions that a model of transformers has, or None."""
    given = [getattr(config, n, None) for n in ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")]
    found = next((int(v) for v in given if isinstance(v, int) and v > 0), None)
    tables = [m for n, m in module.named_modules() if n.endswith("position_embeddings") and isinstance(m, nn.Embedding)]
    if found and tables and tables[0].padding_idx is not None:  # RoBERTa counts from the position of padding
        found = min(found, tables[0].num_embeddings) - tables[0].padding_idx - 1
    return found


def padded(sequences: Sequence[np.ndarray]) -> tuple[Tensor, list[int]]:
    """Return ids (sequences, tokens), filled up with 0 at the ends, and the lengths."""
    lengths = [len(s) for s in sequences]
    ids = torch.zeros(len(sequences), max(lengths), dtype=torch.long)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence)] = torch.from_numpy(sequence)
    return ids, lengths


__all__ = [
    "CHUNK",
    "UNLIMITED",
    "Chunk",
    "Silenced",
    "TokenNetwork",
    "TransformersNetwork",
    "as_token_network",
    "padded",
    "silencer",
]
