"""Networks over tokens behind the interface `TokenNetwork`: models of transformers, run piece by piece."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from brainmark.core.devices import compute_on, in_use, is_out_of_memory
from brainmark.core.errors import InvalidModel, ModelError, ResourceError
from brainmark.core.libraries import nn, torch
from brainmark.models.activations.hooks import OUTPUT, EnoughSeen, Watch, check_ran, find_calls
from brainmark.models.activations.passes import compute_in, evaluation_mode, put_in_place
from brainmark.models.sources.torch_libraries import transformers
from brainmark.models.subjects import token_interface
from brainmark.models.subjects.recurrent_network import RecurrentNetwork
from brainmark.models.subjects.token_interface import TOP, Chunk, TokenNetwork
from brainmark.models.subjects.token_layouts import LARGE, SMALL, Layout, find_layout
from brainmark.models.subjects.token_trials import Company, Memory, group_rows, memories, try_company, try_memories

RECALL = 4
"""Chunks that pass at once through a network to which nothing hands on what came before."""
UNLIMITED = 2048
"""Window of a network that sees both sides and names none."""
_SAME = 1e-4  # of the largest logit: what two orders of summation may differ by


class TransformersNetwork:
    """A model of transformers: causal, masked, or an encoder (of an encoder and decoder, the encoder).

    It runs in evaluation mode and without gradients; between passes it is as it was given, in training if it was.
    What it does is tried on a few tokens, not taken from its name: whether it is causal (a later token changes nothing
    before it), whether its head can run on some rows alone (else logits are those of whole passes), which axes of a
    layer count texts and tokens, which texts may pass together (`token_trials.Company`), and how what came before is
    handed on from one chunk to the next (`token_trials.Memory`). Where nothing hands it on, texts of up to `RECALL`
    chunks pass at once, and longer ones are refused.

    Parameters
    ----------
    model : `PreTrainedModel`.
    window : most tokens in one pass; None: as its configuration says. A causal one whose configuration says nothing
        takes texts of any length.
    """

    def __init__(self, model: nn.Module, window: int | None = None) -> None:
        encoder_decoder = getattr(getattr(model, "config", None), "is_encoder_decoder", False)
        module: Any = cast(Any, model).get_encoder() if encoder_decoder else model
        self.module: nn.Module = module
        self._head: nn.Module | None = None if encoder_decoder else _head_of(module)
        self._whole = False  # logits are what the model puts out, not its head's answer to `TOP`
        self._layouts: dict[str, Layout] = {}
        self._runs: dict[tuple[str, ...], dict[nn.Module, int] | None] = {}
        with evaluation_mode(self.module), compute_on(precision="float32"):
            self.causal = self._sees_no_future()
            self._check_head()
        limit = _limit(self.module, getattr(model, "config", None))
        if limit is None and not self.causal:
            limit = window or UNLIMITED
        self.window = window if limit is None else min(limit, window or limit)

    @property
    def has_head(self) -> bool:
        """Whether it names probabilities of words."""
        return self._head is not None

    @property
    def device(self) -> torch.device:
        """Where it runs: on the device in use, see `brainmark.core.devices`."""
        return put_in_place(self.module)

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
        with evaluation_mode(self._head), compute_in(in_use().precision, top.device.type):
            return self._head(top).float()

    def run(self, ids: torch.Tensor, lengths: Sequence[int], layers: Sequence[str]) -> Iterator[Chunk]:
        """Run ids (batch, tokens), whose rows are filled up at their ends; causal ones in chunks, with a memory."""
        memory = self._memory if self.causal and ids.shape[1] > token_interface.CHUNK else None
        groups = group_rows(lengths, self._company) if len(ids) > 1 else [[0]]
        if len(groups) == 1:
            yield from self._run(ids, lengths, layers, memory)
            return
        whole: dict[str, torch.Tensor] = {}
        for rows in groups:
            count = lengths[rows[0]]
            for chunk in self._run(ids[rows, :count], [count] * len(rows), layers, memory):
                for name, values in chunk.layers.items():
                    to = whole.setdefault(name, values.new_zeros(*ids.shape, values.shape[2]))
                    to[rows, chunk.start : chunk.start + values.shape[1]] = values
        yield Chunk(0, whole)

    def _run(
        self,
        ids: torch.Tensor,
        lengths: Sequence[int],
        layers: Sequence[str],
        memory: Memory | None = None,
        size: int | None = None,
    ) -> Iterator[Chunk]:
        """Run a batch as it stands, in chunks of `size` (usually `token_interface.CHUNK`) tokens."""
        names, top = tuple(name for name in layers if name != TOP), TOP in layers
        layouts = self._find_layouts(names) if names else {}
        found: dict[str, torch.Tensor] = {}
        watch = Watch(self.module, find_calls(self.module, names), found.__setitem__, first=True)
        to_end = memory is not None and memory.make is None
        runs = None if top or to_end else self._runs[names]
        kept: Any = memory.make() if memory and memory.make else None
        for start, stop in self._cut(ids.shape[1], size or token_interface.CHUNK, memory):
            found.clear()
            watch.begin(runs)
            part = ids[:, start:stop]
            with watch.attach(), self._catch_top(found, top, to_end):
                answer = self._pass(part, self._say(part, lengths, memory, kept))
            if memory and memory.make is None:
                kept = getattr(answer, memory.option)
            if top and self._whole:
                found[TOP] = answer.logits
            if top and TOP not in found:
                raise ModelError(f"the head of {type(self.module).__name__} does not run in its forward pass")
            made = {name: layouts[name].arrange(found[name], *part.shape) for name in names}
            yield Chunk(start, {**made, TOP: found[TOP]} if top else made)

    def _cut(self, count: int, size: int, memory: Memory | None) -> Iterator[tuple[int, int]]:
        """Yield the first token of each pass, and the one after its last."""
        if memory is not None:
            for start in range(0, count, size):
                yield start, min(start + size, count)
        elif not self.causal or count <= RECALL * size:
            yield 0, count
        else:
            name = type(self.module).__name__
            raise ModelError(
                f"{name} hands nothing on from one pass to the next, and a text has {count} tokens: it is exact for "
                f"{RECALL * size}; give TransformersNetwork(..., window={RECALL * size}) to let it see no more at once"
            )

    def _say(self, part: torch.Tensor, lengths: Sequence[int], memory: Memory | None, kept: Any) -> dict[str, Any]:
        """Return what the module is called with beside the tokens."""
        if memory is not None:
            return {"use_cache": True, **({} if kept is None else {memory.option: kept})}
        if self.causal:
            return self._usual
        mask = (torch.arange(part.shape[1])[None] < torch.tensor(list(lengths))[:, None]).long()
        return {**self._usual, "attention_mask": mask.to(self.device)}

    def _pass(self, ids: torch.Tensor, options: Mapping[str, Any]) -> Any:
        """Return the answer of the module to some tokens; None if enough was seen before it came."""
        device = self.device
        with evaluation_mode(self.module), compute_in(in_use().precision, device.type):
            try:
                return self.module(input_ids=ids.to(device), **options)
            except EnoughSeen:
                return None
            except (RuntimeError, IndexError, ValueError, TypeError) as error:
                name = type(self.module).__name__
                if is_out_of_memory(error):
                    raise ResourceError(f"{name}: memory ran out with {tuple(ids.shape)} tokens ({error})") from error
                raise ModelError(f"{name} failed on {tuple(ids.shape)} tokens: {error}") from error

    @contextlib.contextmanager
    def _catch_top(self, found: dict[str, torch.Tensor], wanted: bool, to_end: bool) -> Generator[None]:
        """Catch what enters the head. The pass ends there, or (`to_end`) the head goes on with one token."""

        def catch(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            found[TOP] = inputs[0]
            if not to_end:
                raise EnoughSeen
            return (inputs[0][..., -1:, :], *inputs[1:])

        if self._whole or self._head is None or not (wanted or to_end):
            yield
            return
        handle = self._head.register_forward_pre_hook(catch)
        try:
            yield
        finally:
            handle.remove()

    # --- what it does, as trials show ---------------------------------------------------------------------------------

    @property
    def _end(self) -> str:
        """What its answer depends on: what enters its head, or all that it puts out."""
        return TOP if self.has_head else OUTPUT

    @cached_property
    def _company(self) -> Company:
        """Which texts may pass together."""

        def run(ids: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
            return next(self._run(ids, lengths, [self._end])).layers[self._end]

        with compute_on(precision="float32"):
            return try_company(run, self._some(min(8, self.window or 8)), 3)

    @cached_property
    def _memory(self) -> Memory | None:
        """How what came before is handed on to the next pass; None: in no way that changes nothing."""
        config = getattr(self.module, "config", None)
        near = getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None) or 0
        near = near if near < token_interface.CHUNK // 3 else 0
        size = 8 + near  # beyond what a layer with a window of its own sees
        size = min(size, (self.window or 3 * size) // 3)
        ids = self._some(3 * size)

        def run(ids: torch.Tensor, memory: Memory | None) -> torch.Tensor:
            chunks = self._run(ids, [3 * size], [self._end], memory, size if memory else 3 * size)
            return torch.cat([chunk.layers[self._end] for chunk in chunks], 1)[0]

        cache = transformers().DynamicCache
        ways = memories(tuple(self._options), (cache, lambda: cache(config=config)))
        with compute_on(precision="float32"):
            return try_memories(ways, run, ids, run(ids, None))

    def _find_layouts(self, names: tuple[str, ...]) -> dict[str, Layout]:
        """Return where texts and tokens stand in what layers put out, and note how often each runs in a pass."""
        if names not in self._runs:

            def outputs_for(texts: int, tokens: int) -> tuple[dict[str, torch.Tensor], dict[nn.Module, int]]:
                found: dict[str, torch.Tensor] = {}
                watch = Watch(self.module, find_calls(self.module, names), found.__setitem__, first=True)
                with watch.attach():
                    self._pass(self._some(tokens).repeat(texts, 1), self._usual)
                check_ran(self.module, watch.calls, watch.counts)
                return found, watch.counts

            (small, counts), (large, more) = outputs_for(*SMALL), outputs_for(*LARGE)
            for name in names:
                self._layouts[name] = find_layout(
                    name, (small[name], large[name]), lambda *size, name=name: outputs_for(*size)[0][name]
                )
            self._runs[names] = counts if counts == more else None
        return self._layouts

    def _some(self, count: int) -> torch.Tensor:
        """Return different tokens (1, count) of its vocabulary, none of them special if it is large."""
        size = int(getattr(getattr(self.module, "config", None), "vocab_size", 0) or 5)
        return (size // 2 + torch.arange(count)[None]) % size

    @cached_property
    def _options(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.module.forward).parameters

    @cached_property
    def _usual(self) -> dict[str, Any]:
        """What each pass is called with, so that nothing is kept for a next one."""
        takes = "use_cache" in self._options or any(p.kind is p.VAR_KEYWORD for p in self._options.values())
        return {"use_cache": False} if takes else {}

    def _answer(self, ids: torch.Tensor) -> Any:
        return self._pass(ids, self._usual)

    def _sees_no_future(self) -> bool:
        """Return whether another third token leaves what was made of the first two as it was."""
        some = self._some(4)
        first, second = (self._last(torch.cat([some[:, :2], some[:, 2 + i : 3 + i]], 1)) for i in (0, 1))
        changed = (first - second).abs()
        return bool(changed[:, :2].max() <= _SAME * max(float(changed[:, 2].max()), 1e-6))

    def _last(self, ids: torch.Tensor) -> torch.Tensor:
        answer = self._answer(ids)
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
        ids = self._some(3)
        answer = self._answer(ids)
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
    named: list[Any] = [m for n, m in module.named_modules() if n.endswith("position_embeddings")]
    table = next((m for m in named if isinstance(getattr(m, "weight", None), torch.Tensor)), None)
    if found and table is not None and getattr(table, "padding_idx", None) is not None:
        found = min(found, len(table.weight)) - table.padding_idx - 1  # RoBERTa counts from the position of padding
    return found
