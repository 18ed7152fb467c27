"""Texts of any length through a network that reads tokens: windows, batches, and what is made of each token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from brainmark.core.libraries import np
from brainmark.models.subjects.token_networks import Silenced, TokenNetwork, padded

BUDGET = 1024
"""Tokens in a batch: as many as the caches of a processor hold the activations of."""
ROWS = 256
"""Tokens whose logits are held at a time."""


@dataclass(frozen=True)
class Window:
    """A stretch of a sequence that passes the network at once.

    Attributes
    ----------
    sequence : which one.
    start, stop : its tokens.
    first : those from here on are new, and taken from this window.
    """

    sequence: int
    start: int
    first: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def windows(sequence: int, length: int, limit: int | None, overlap: int) -> list[Window]:
    """Cut a sequence into windows of at most `limit` tokens, each beginning ``limit - overlap`` after the one before.

    What a token leads to is taken from the first window that holds it, so that it sees all tokens before it, or at
    least `overlap` of them.
    """
    if limit is None or length <= limit:
        return [Window(sequence, 0, 0, length)]
    step = limit - overlap
    starts = range(0, length - overlap, step)
    return [Window(sequence, s, s + overlap if s else 0, min(s + limit, length)) for s in starts]


def batches(plan: Sequence[Window], budget: int) -> list[list[Window]]:
    """Put windows of similar length together, longest first, at most `budget` tokens with the filling."""
    made: list[list[Window]] = []
    for window in sorted(plan, key=len, reverse=True):
        if made and len(made[-1][0]) * (len(made[-1]) + 1) <= budget:
            made[-1].append(window)
        else:
            made.append([window])
    return made


@dataclass(frozen=True, eq=False)
class Piece:
    """What some consecutive tokens of one sequence led to.

    Attributes
    ----------
    sequence : which one.
    first : position of the first token in it.
    layers : layer -> (tokens, units).
    top : (tokens, units) what the head reads, or None.
    """

    sequence: int
    first: int
    layers: Mapping[str, Tensor]
    top: Tensor | None


@dataclass(frozen=True)
class Reading:
    """How sequences of tokens pass a network.

    Attributes
    ----------
    network : what reads.
    overlap : tokens that consecutive windows share; None: half a window.
    budget : tokens in a batch.
    silenced : layer -> units that are set to zero.
    """

    network: TokenNetwork
    overlap: int | None = None
    budget: int = BUDGET
    silenced: Silenced = field(default_factory=dict[str, Sequence[int]])

    def pieces(self, sequences: Sequence[np.ndarray], layers: Sequence[str], top: bool) -> Iterator[Piece]:
        """Yield, for every token of every sequence once, what it led to; sequences come in any order.

        Parameters
        ----------
        sequences : (tokens,) ids; empty ones yield nothing.
        layers : names.
        top : whether the input of the head is wanted.
        """
        limit = self.network.window
        overlap = (limit or 0) // 2 if self.overlap is None else self.overlap
        plan = [w for i, s in enumerate(sequences) if len(s) for w in windows(i, len(s), limit, overlap)]
        for batch in batches(plan, self.budget):
            ids, lengths = padded([sequences[w.sequence][w.start : w.stop] for w in batch])
            for chunk in self.network.run(ids, lengths, layers, top, self.silenced):
                yield from _of_chunk(batch, chunk.start, chunk.layers, chunk.top)


def _of_chunk(batch: Sequence[Window], start: int, layers: Mapping[str, Tensor], top: Tensor | None) -> Iterator[Piece]:
    """Cut a chunk of a batch into the new tokens of each window."""
    size = next(t.shape[1] for t in [*layers.values(), *([] if top is None else [top])])
    for row, window in enumerate(batch):
        first = max(window.first - window.start, start)
        stop = min(len(window), start + size)
        if first < stop:
            here = slice(first - start, stop - start)
            taken = {name: tensor[row, here] for name, tensor in layers.items()}
            yield Piece(window.sequence, window.start + first, taken, None if top is None else top[row, here])


def token_bits(reading: Reading, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Surprisal (tokens,) of each token in bits, given all before it; NaN for the first. Float64."""
    bits = [np.full(len(s), np.nan) for s in sequences]
    waiting: list[tuple[int, int, Tensor]] = []  # sequence, position of what is predicted, top
    rows = 0

    def settle() -> None:
        if not waiting:
            return
        tops = torch.cat([top for _, _, top in waiting])
        wanted = np.concatenate([sequences[s][p : p + len(top)] for s, p, top in waiting])
        found = surprisals(reading.network, tops, wanted)
        place = 0
        for s, p, top in waiting:
            bits[s][p : p + len(top)] = found[place : place + len(top)]
            place += len(top)
        waiting.clear()

    with torch.inference_mode():
        for piece in reading.pieces(sequences, (), True):
            assert piece.top is not None
            count = min(len(piece.top), len(sequences[piece.sequence]) - piece.first - 1)
            if count > 0:
                waiting.append((piece.sequence, piece.first + 1, piece.top[:count]))
                rows += count
            if rows >= ROWS:
                settle()
                rows = 0
        settle()
    return bits


def surprisals(network: TokenNetwork, top: Tensor, wanted: np.ndarray) -> np.ndarray:
    """Bits (tokens,) of the tokens `wanted`, each predicted by a row of `top`; never more than `ROWS` logits rows."""
    found: list[Tensor] = []
    for start in range(0, len(top), ROWS):
        logits = network.logits(top[start : start + ROWS])
        targets = torch.from_numpy(wanted[start : start + ROWS]).to(logits.device)
        found.append(torch.nn.functional.cross_entropy(logits, targets, reduction="none").double().cpu())
    return torch.cat(found).numpy() / np.log(2)


def bits_of_parts(bits: np.ndarray, part: np.ndarray, parts: int) -> np.ndarray:
    """Sum (parts,) of the known bits of each part's tokens; 0 without tokens, NaN if no token's is known."""
    known = ~np.isnan(bits)
    sums = np.bincount(part[known], bits[known], minlength=parts).astype(float)  # of nothing it counts in integers
    unknown = np.bincount(part[~known], minlength=parts) > 0
    sums[unknown & (np.bincount(part[known], minlength=parts) == 0)] = np.nan
    return sums


def representations(
    reading: Reading, sequences: Sequence[np.ndarray], layers: Sequence[str], weights: Sequence[Weights]
) -> tuple[np.ndarray, list[int]]:
    """Weighted sums of what tokens led to (rows, units of all layers), float32; and the units of each layer.

    Parameters
    ----------
    sequences : (tokens,) ids.
    layers : put side by side.
    weights : for each sequence, which tokens make which row.
    """
    rows = sum(w.rows for w in weights)
    firsts = np.cumsum([0, *(w.rows for w in weights)])
    made: Tensor | None = None
    sizes: list[int] = []
    with torch.inference_mode():
        for piece in reading.pieces(sequences, layers, False):
            mine = weights[piece.sequence]
            count = len(next(iter(piece.layers.values())))
            a, b = np.searchsorted(mine.token, [piece.first, piece.first + count])
            if a == b:
                continue
            tokens = torch.from_numpy(mine.token[a:b] - piece.first)
            share = torch.from_numpy(mine.weight[a:b])[:, None]
            values = torch.cat([piece.layers[n][tokens].float().cpu() for n in layers], 1) * share
            if made is None:
                made = torch.zeros(rows, values.shape[1])
                sizes = [piece.layers[n].shape[1] for n in layers]
            made.index_add_(0, torch.from_numpy(mine.row[a:b] + firsts[piece.sequence]), values)
    assert made is not None, "no sequence has a token"
    return made.numpy(), sizes


@dataclass(frozen=True, eq=False)
class Weights:
    """Which tokens of a sequence make which row.

    Attributes
    ----------
    token, row, weight : (entries,) tokens ascending; float32 weights.
    rows : how many rows there are.
    """

    token: np.ndarray
    row: np.ndarray
    weight: np.ndarray
    rows: int


def last_tokens(ends: np.ndarray, before: int) -> Weights:
    """Return the last token up to the end of each part, `before` tokens coming first.

    A part without tokens is what came before it.
    """
    token = ends + before - 1
    count = len(ends)
    return Weights(token, np.arange(count), np.ones(count, np.float32), count)


def mean_tokens(part: np.ndarray, ends: np.ndarray, before: int) -> Weights:
    """Return the mean over the tokens of each part; of a part without tokens, the last one before it."""
    counts = np.bincount(part, minlength=len(ends))
    empty = np.flatnonzero(counts == 0)
    token = np.concatenate([np.arange(len(part)) + before, ends[empty] + before - 1])
    row = np.concatenate([part, empty])
    weight = np.concatenate([1 / counts[part], np.ones(len(empty))]).astype(np.float32)
    order = np.argsort(token, kind="stable")
    return Weights(token[order], row[order], weight[order], len(ends))


__all__ = [
    "BUDGET", "ROWS", "Piece", "Reading", "Weights", "Window", "batches", "bits_of_parts", "last_tokens",
    "mean_tokens", "representations", "surprisals", "token_bits", "windows",
]  # fmt: skip
