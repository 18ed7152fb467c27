"""Which tokens of texts pass a network together, and which of them stand for which part of a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from brainmark.core.libraries import np, torch
from brainmark.models.subjects.token_interface import TokenNetwork
from brainmark.models.subjects.tokens import Tokens

# --- windows of sequences --------------------------------------------------------------------------------------------


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
    starts = range(0, length - overlap, limit - overlap)
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
    """The activations of some consecutive tokens of one sequence.

    Attributes
    ----------
    sequence : which one.
    first, stop : positions in it of the first token, and after the last.
    layers : layer -> (tokens, units).
    """

    sequence: int
    first: int
    stop: int
    layers: Mapping[str, torch.Tensor]


# --- passes for parts ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """The special tokens of a pass: those of the beginning and of the end, and the mask token."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    mask: int | None = None

    def around(self, ids: np.ndarray) -> np.ndarray:
        """Return the framed sequence."""
        return np.concatenate([np.array(self.before, np.int64), ids, np.array(self.after, np.int64)])

    def room(self, window: int | None) -> int:
        """Return the tokens of a text that fit into a pass."""
        return 2**62 if window is None else window - len(self.before) - len(self.after)


@dataclass(frozen=True, eq=False)
class Pass:
    """A sequence of tokens, and which of them, weighted, make the rows that are wanted.

    Attributes
    ----------
    ids : (tokens,).
    token, row, weight : (entries,) tokens ascending; float32 weights.
    rows : how many rows there are.
    """

    ids: np.ndarray
    token: np.ndarray
    row: np.ndarray
    weight: np.ndarray
    rows: int

    @property
    def key(self) -> tuple[bytes, ...]:
        """Equal for passes that yield the same."""
        return self.ids.tobytes(), self.token.tobytes(), self.row.tobytes()


def causal_passes(texts: Sequence[Tokens], frame: Frame, mean: bool) -> Iterator[Pass]:
    """Return one pass for each text: a part is its last token or the mean of its tokens, or what came before it."""
    before = len(frame.before)
    for text in texts:
        ends, ids = text.ends + before, frame.around(text.ids)
        if not mean:
            yield Pass(ids, ends - 1, np.arange(text.parts), np.ones(text.parts, np.float32), text.parts)
            continue
        counts = np.bincount(text.part, minlength=text.parts)
        empty = np.flatnonzero(counts == 0)
        token = np.concatenate([np.arange(len(text.part)) + before, ends[empty] - 1])
        row = np.concatenate([text.part, empty])
        weight = np.concatenate([1 / counts[text.part], np.ones(len(empty))]).astype(np.float32)
        order = np.argsort(token, kind="stable")
        yield Pass(ids, token[order], row[order], weight[order], text.parts)


def part_passes(texts: Sequence[Tokens], frame: Frame, window: int | None, pool: str) -> Iterator[Pass]:
    """Return one pass for each part of a network that sees both sides, with as much text before it as fits.

    Nothing that comes after the part is seen, as a reader would not see it; so the work grows with parts times window.
    """
    room, before = frame.room(window), len(frame.before)
    for text in texts:
        ends = text.ends
        for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
            first = max(0, end - room)
            ids = frame.around(text.ids[first:end])
            last = before + end - first - 1
            begin = min(before + max(start - first, 0), last)
            low, high = {"mean": (begin, last), "all": (0, len(ids) - 1), "first": (0, 0)}.get(pool, (last, last))
            token = np.arange(low, high + 1)
            weight = np.full(len(token), 1 / len(token), np.float32)
            yield Pass(ids, token, np.zeros(len(token), np.int64), weight, 1)


@dataclass(frozen=True, eq=False)
class Question:
    """A sequence of tokens, and which tokens are to be predicted, in order.

    Attributes
    ----------
    ids : (tokens,).
    after : positions whose logits predict them.
    targets : the tokens that came.
    """

    ids: np.ndarray
    after: np.ndarray
    targets: np.ndarray


def ask_next_tokens(texts: Sequence[Tokens], frame: Frame) -> Iterator[Question]:
    """Ask for all tokens of each text, each after those before it; without any, the first is left out."""
    before = len(frame.before)
    for text in texts:
        after = np.arange(max(before - 1, 0), before + len(text) - 1)
        yield Question(frame.around(text.ids), after, text.ids[len(text) - len(after) :])


def mask_tokens(texts: Sequence[Tokens], frame: Frame, network: TokenNetwork, both_sides: bool) -> Iterator[Question]:
    """Ask for each token of each text, masked with the rest of its part.

    The pass holds as much as fits of what came before the end of the part, or of what stands on both sides.
    """
    room = frame.room(network.window)
    for text in texts:
        for token, end in enumerate(text.ends[text.part].tolist()):
            if both_sides:
                first = max(0, min(token - room // 2, len(text) - room))
                stop = first + room
            else:
                first = max(0, min(end, token + room) - room)
                stop = min(end, first + room)
            ids = text.ids[first:stop].copy()
            ids[token - first : end - first] = frame.mask
            after = np.array([token - first + len(frame.before)])
            yield Question(frame.around(ids), after, text.ids[token : token + 1])
