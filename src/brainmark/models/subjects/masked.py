"""Reading with networks that see both sides: what came before a part and the part, and nothing after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from brainmark.core.libraries import np
from brainmark.models.subjects.reading import Reading, Weights, representations, surprisals
from brainmark.models.subjects.text_readout import Pool
from brainmark.models.subjects.tokens import Tokens

_TOGETHER = 512  # parts whose passes are prepared at a time: each holds a window of tokens


@dataclass(frozen=True)
class Frame:
    """What stands around a text in each pass: tokens of the beginning and of the end, and the one that masks."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    mask: int | None = None

    def around(self, ids: np.ndarray) -> np.ndarray:
        """Return the framed sequence."""
        return np.concatenate([np.array(self.before, np.int64), ids, np.array(self.after, np.int64)])

    def room(self, window: int | None) -> int:
        """Tokens of a text that fit into a pass."""
        return 2**62 if window is None else window - len(self.before) - len(self.after)


def part_representations(
    reading: Reading, texts: Sequence[Tokens], layers: Sequence[str], frame: Frame, pool: Pool
) -> tuple[np.ndarray, list[int]]:
    """Representation of each part of each text (parts of all texts, units), float32; and the units of each layer.

    One pass for each part: the part with as much of the text before it as the window holds. The network sees nothing
    that comes after, as a reader would not; so the work grows with parts times window. Equal passes are made once.

    Parameters
    ----------
    pool : the last token of the part, the mean of its tokens, of all tokens of the pass with its frame, or its first.
    """
    rows: list[np.ndarray] = []
    sizes: list[int] = []
    jobs = _jobs(texts, frame, reading.network.window, pool)
    while group := list(islice(jobs, _TOGETHER)):
        keys = [(s.tobytes(), w.tobytes()) for s, w in group]
        place = {key: i for i, key in reversed(list(enumerate(keys)))}
        chosen = sorted(place.values())
        sequences = [group[i][0] for i in chosen]
        weights = [_one_row(group[i][1]) for i in chosen]
        made, sizes = representations(reading, sequences, layers, weights)
        rank = {i: r for r, i in enumerate(chosen)}
        rows.append(made[[rank[place[key]] for key in keys]])
    return np.concatenate(rows), sizes


def _jobs(
    texts: Sequence[Tokens], frame: Frame, window: int | None, pool: Pool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sequence, and the positions in it whose mean is wanted, for each part of each text."""
    room, before = frame.room(window), len(frame.before)
    for text in texts:
        ends = text.ends
        for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
            first = max(0, end - room)
            sequence = frame.around(text.ids[first:end])
            last = before + end - first - 1
            begin = min(before + max(start - first, 0), last)
            wanted = {"last": (last, last), "mean": (begin, last), "all": (0, len(sequence) - 1), "first": (0, 0)}
            yield sequence, np.arange(wanted[pool][0], wanted[pool][1] + 1)


def _one_row(tokens: np.ndarray) -> Weights:
    return Weights(tokens, np.zeros(len(tokens), np.int64), np.full(len(tokens), 1 / len(tokens), np.float32), 1)


def prefix_bits(reading: Reading, texts: Sequence[Tokens], frame: Frame) -> list[np.ndarray]:
    """Bits (tokens,) of each token given what came before it: it and the rest of its part are masked.

    One pass for each token, in which nothing stands after the part.
    """
    room = frame.room(reading.network.window)

    def window(token: int, end: int, length: int) -> tuple[int, int]:
        first = max(0, min(end, token + room) - room)
        return first, min(end, first + room)

    return _masked_bits(reading, texts, frame, window)


def both_sided_bits(reading: Reading, texts: Sequence[Tokens], frame: Frame) -> list[np.ndarray]:
    """Bits (tokens,) of each token given all others but the later ones of its part (word), which are masked with it.

    Their sum is the pseudo-log-likelihood of Salazar et al. 2020 (ACL), with words that are split into tokens scored
    from left to right (Kauf & Ivanova 2023, ACL), so that the rest of a word does not give its beginning away.
    """
    room = frame.room(reading.network.window)

    def window(token: int, end: int, length: int) -> tuple[int, int]:
        first = max(0, min(token - room // 2, length - room))
        return first, first + room

    return _masked_bits(reading, texts, frame, window)


def _masked_bits(
    reading: Reading, texts: Sequence[Tokens], frame: Frame, window: Callable[[int, int, int], tuple[int, int]]
) -> list[np.ndarray]:
    """Bits (tokens,) of each token, masked with the rest of its part; one pass for each token.

    `window`: (token, end of its part, tokens of the text) -> first token of the pass, and the one after its last.
    """
    found: list[np.ndarray] = []
    for text in texts:
        ends = text.ends[text.part]

        def jobs(text: Tokens = text, ends: np.ndarray = ends) -> Iterator[tuple[np.ndarray, int]]:
            for token, end in enumerate(ends.tolist()):
                first, stop = window(token, end, len(text))
                masked = text.ids[first:stop].copy()
                masked[token - first : end - first] = frame.mask
                yield frame.around(masked), token - first + len(frame.before)

        found.append(_bits(reading, jobs(), text.ids))
    return found


def _bits(reading: Reading, jobs: Iterator[tuple[np.ndarray, int]], ids: np.ndarray) -> np.ndarray:
    """Bits of the token that is wanted from each pass."""
    bits = np.empty(len(ids))
    done = 0
    while group := list(islice(jobs, _TOGETHER)):
        with torch.inference_mode():
            tops: dict[int, torch.Tensor] = {}
            for piece in reading.pieces([s for s, _ in group], (), True):
                assert piece.top is not None
                tops[piece.sequence] = piece.top[group[piece.sequence][1]].clone()
            rows = torch.stack([tops[i] for i in range(len(group))])
            bits[done : done + len(group)] = surprisals(reading.network, rows, ids[done : done + len(group)])
        done += len(group)
    return bits


__all__ = ["Frame", "both_sided_bits", "part_representations", "prefix_bits"]
