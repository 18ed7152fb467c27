"""Networks over tokens: one interface over transformers' models and recurrent ones, run piece by piece."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, cast, runtime_checkable

from brainmark.core.errors import InvalidModel, ModelError
from brainmark.core.libraries import nn, torch
from brainmark.models.activations.hooks import EnoughSeen, Watch, check_ran, find_calls
from brainmark.models.activations.passes import evaluation_mode
from brainmark.models.sources.torch_libraries import transformers

CHUNK = 2048
"""Tokens that pass at a time; what came before is in the cache of keys and values, or in the state."""
UNLIMITED = 2048
"""Window of a network that names none."""
TOP = ""
"""Stands among names of layers for what enters the head."""
_SAME = 1e-4  # of the largest logit: what two orders of summation may differ by


@dataclass(frozen=True, eq=False)
class Chunk:
    """The outputs for some tokens of a batch.

    Attributes
    ----------
    start : position of the first of them.
    layers : layer -> (batch, tokens, units).
    """

    start: int
    layers: Mapping[str, torch.Tensor]


@runtime_checkable
class TokenNetwork(Protocol):
    """A network over tokens: all of a pass, or (causal) those before each."""

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

    def run(self, ids: torch.Tensor, lengths: Sequence[int], layers: Sequence[str]) -> Iterator[Chunk]:
        """Run ids (batch, tokens), of which the first `lengths` of each row count, and yield layers, or `TOP`."""
        ...

    def logits(self, top: torch.Tensor) -> torch.Tensor:
        """Return the logits (tokens, vocabulary), float32, of some rows of `TOP`."""
        ...

    def blocks(self) -> list[str]:
        """Return the names of the layers that follow one another, from first to last."""
        ...


class TransformersNetwork:
    """A model of transformers: causal, masked, or an encoder (of an encoder and decoder, the encoder).

    It runs in evaluation mode and without gradients; between passes it is as it was given, in training if it was.
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
        limit = _limit(self.module, getattr(model, "config", None))
        self.window = min(window or UNLIMITED if limit is None else limit, window or 2**62)
        self._head: nn.Module | None = None if encoder_decoder else _head_of(module)
        self._whole = False  # logits are what the model puts out, not its head's answer to `TOP`
        self._runs: dict[tuple[str, ...], dict[nn.Module, int]] = {}
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
        """Return the names of its blocks: the longest list of layers of one kind."""
        lists = [(n, m) for n, m in self.module.named_modules() if isinstance(m, nn.ModuleList) and len(m)]
        if not lists:
            raise InvalidModel(f"{type(self.module).__name__} has no list of blocks; name its layers in regions")
        name, longest = max(lists, key=lambda pair: len(pair[1]))
        return [f"{name}.{i}" for i in range(len(longest))]

    def logits(self, top: torch.Tensor) -> torch.Tensor:
        """Return the logits (tokens, vocabulary), float32."""
        if self._whole or self._head is None:
            return top.float()
        with evaluation_mode(self._head):
            return self._head(top).float()

    def run(self, ids: torch.Tensor, lengths: Sequence[int], layers: Sequence[str]) -> Iterator[Chunk]:
        """Run ids (batch, tokens), whose rows are filled up at their ends; causal ones in chunks, with a cache."""
        names = [name for name in layers if name != TOP]
        found: dict[str, torch.Tensor] = {}
        watch = Watch(self.module, find_calls(self.module, names), found.__setitem__, first=True)
        runs = None if TOP in layers else self._count_runs(watch, tuple(names))
        for start, part, options in self._chunks(ids, lengths):
            found.clear()
            watch.begin(runs)
            answer: Any = None
            with evaluation_mode(self.module), watch.attach(), self._catch_top(found, TOP in layers):
                try:
                    answer = self.module(input_ids=part.to(self.device), **options)
                except EnoughSeen:
                    pass
                except (RuntimeError, IndexError, ValueError, TypeError) as error:
                    name = type(self.module).__name__
                    raise ModelError(f"{name} failed on {tuple(part.shape)} tokens: {error}") from error
            if TOP in layers and self._whole:
                found[TOP] = answer.logits
            for name in names:
                if found[name].ndim != 3:
                    raise ModelError(f"layer {name!r} returns {tuple(found[name].shape)}, not (texts, tokens, units)")
            yield Chunk(start, dict(found))

    def _chunks(self, ids: torch.Tensor, lengths: Sequence[int]) -> Iterator[tuple[int, torch.Tensor, dict[str, Any]]]:
        """Yield the first position, the tokens and the options of each pass."""
        count = ids.shape[1]
        usual = {"use_cache": False} if self._takes_cache else {}
        if not self.causal:
            mask = (torch.arange(count)[None] < torch.tensor(list(lengths))[:, None]).long()
            yield 0, ids, {**usual, "attention_mask": mask.to(self.device)}
        elif count <= CHUNK or not getattr(self.module, "_supports_cache_class", True):
            yield 0, ids, usual
        else:
            cache = {"past_key_values": transformers().DynamicCache(), **({"use_cache": True} if usual else {})}
            for start in range(0, count, CHUNK):
                yield start, ids[:, start : start + CHUNK], cache

    @contextlib.contextmanager
    def _catch_top(self, found: dict[str, torch.Tensor], wanted: bool) -> Generator[None]:
        """Catch what enters the head, and end the pass there, unless logits are those of whole passes."""

        def catch(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            found[TOP] = inputs[0]
            raise EnoughSeen

        if not wanted or self._whole or self._head is None:
            yield
            return
        handle = self._head.register_forward_pre_hook(catch)
        try:
            yield
        finally:
            handle.remove()

    @property
    def _some(self) -> torch.Tensor:
        """Four tokens (1, 4) of its vocabulary, none of them special if it is large."""
        size = int(getattr(getattr(self.module, "config", None), "vocab_size", 0) or 5)
        return (size // 2 + torch.arange(4)[None]) % size

    @cached_property
    def _takes_cache(self) -> bool:
        taken = inspect.signature(self.module.forward).parameters
        return "use_cache" in taken or any(p.kind is p.VAR_KEYWORD for p in taken.values())

    def _count_runs(self, watch: Watch, names: tuple[str, ...]) -> dict[nn.Module, int]:
        """Return how often layers run in a pass, as one of two tokens shows."""
        if names not in self._runs:
            watch.begin(None)
            with evaluation_mode(self.module), watch.attach():
                self.module(input_ids=self._some[:, :2].to(self.device))
            check_ran(self.module, watch.calls, watch.counts)
            self._runs[names] = watch.counts
        return self._runs[names]

    def _sees_no_future(self) -> bool:
        """Return whether another third token leaves what was made of the first two as it was."""
        first, second = (self._last(torch.cat([self._some[:, :2], self._some[:, 2 + i : 3 + i]], 1)) for i in (0, 1))
        changed = (first - second).abs()
        return bool(changed[:, :2].max() <= _SAME * max(float(changed[:, 2].max()), 1e-6))

    def _last(self, ids: torch.Tensor) -> torch.Tensor:
        answer: Any = self.module(input_ids=ids.to(self.device))
        found = next((getattr(answer, n) for n in ("logits", "last_hidden_state") if hasattr(answer, n)), None)
        if not isinstance(found, torch.Tensor) or found.ndim != 3:
            raise InvalidModel(
                f"{type(self.module).__name__} returns neither logits nor hidden states for each token; "
                "give a causal or masked language model, or an encoder"
            )
        return found

    def _check_head(self) -> None:
        """Check whether the head, applied to its input, gives the answer of the model."""
        if self._head is None:
            return
        ids = self._some[:, :3]
        answer = self.module(input_ids=ids.to(self.device))
        if getattr(answer, "logits", None) is None:
            self._head = None
            return
        wanted = answer.logits.float()
        try:
            top = next(self.run(ids, [3], [TOP])).layers.get(TOP)
            given = None if top is None else self.logits(top)
        except (RuntimeError, ModelError):
            given = None
        same = given is not None and given.shape == wanted.shape
        self._whole = not (same and bool((given - wanted).abs().max() <= _SAME * wanted.abs().max()))


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

    def blocks(self) -> list[str]:
        """Return the names of its recurrent layers."""
        return [name for name, layer in self.module.named_modules() if isinstance(layer, nn.RNNBase | nn.RNNCellBase)]

    def logits(self, top: torch.Tensor) -> torch.Tensor:
        """Return the logits (tokens, vocabulary), float32."""
        head: Any = self.module.head
        with evaluation_mode(head):
            return head(top).float()

    def run(self, ids: torch.Tensor, lengths: Sequence[int], layers: Sequence[str]) -> Iterator[Chunk]:
        """Run ids (batch, tokens) in chunks, carrying the state on."""
        found: dict[str, torch.Tensor] = {}
        calls = find_calls(self.module, [name for name in layers if name != TOP])
        watch = Watch(self.module, calls, found.__setitem__, first=True)
        device, state = next(self.module.parameters()).device, None
        for start in range(0, ids.shape[1], CHUNK):
            found.clear()
            watch.begin(None)
            with evaluation_mode(self.module), watch.attach():
                hidden, state = self.module(ids[:, start : start + CHUNK].to(device), state)
            check_ran(self.module, calls, watch.counts)
            yield Chunk(start, {**found, TOP: hidden} if TOP in layers else dict(found))


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
        return RecurrentNetwork(network)
    raise InvalidModel(
        f"a {type(network).__name__} is not a model of transformers, and has no `head` as a recurrent network has; "
        "put it behind the interface TokenNetwork"
    )


def _head_of(model: Any) -> nn.Module | None:
    get = getattr(model, "get_output_embeddings", None)
    found = get() if callable(get) else None
    return found if isinstance(found, nn.Module) else None


def _limit(module: nn.Module, config: Any) -> int | None:
    """Return the largest number of positions that a model of transformers has, or None."""
    given = [getattr(config, n, None) for n in ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")]
    found = next((int(v) for v in given if isinstance(v, int) and v > 0), None)
    tables = [m for n, m in module.named_modules() if n.endswith("position_embeddings") and isinstance(m, nn.Embedding)]
    if found and tables and tables[0].padding_idx is not None:  # RoBERTa counts from the position of padding
        found = min(found, tables[0].num_embeddings) - tables[0].padding_idx - 1
    return found
