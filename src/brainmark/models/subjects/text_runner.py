"""Texts of any length through a network over tokens: representations, surprisal and next words of their parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from brainmark.core.devices import free_memory, note
from brainmark.core.errors import InvalidModel, NotApplicable, ResourceError
from brainmark.core.libraries import nn, np, torch
from brainmark.models.subjects.readout import Readout
from brainmark.models.subjects.text_passes import (
    Frame,
    Piece,
    Window,
    ask_next_tokens,
    batches,
    causal_passes,
    mask_tokens,
    part_passes,
    windows,
)
from brainmark.models.subjects.token_interface import TOP, TokenNetwork
from brainmark.models.subjects.tokens import PartTokenizer, Tokens, word_tokens

BUDGET = 1024
"""Tokens in a batch: as many as the caches of a processor hold the activations of."""
ROWS = 256
"""Tokens whose logits are held at a time."""
_TOGETHER = 512  # parts whose passes are prepared at a time, where each needs one: each holds a window of tokens
_LONGEST = 8  # tokens of a word at most
_BEFORE = 64  # tokens from which the rest of a word is predicted, whose first token all of the context has chosen


class _Heads:
    """Turns what enters the head into logits after wanted tokens of each sequence, `ROWS` tokens at a time.

    Rows count the wanted tokens of all sequences, one sequence after another.
    """

    def __init__(self, network: TokenNetwork, wanted: Sequence[np.ndarray]) -> None:
        self.network, self.wanted = network, wanted
        self.firsts = np.cumsum([0, *map(len, wanted)])
        self.rows: list[np.ndarray] = []
        self.tops: list[torch.Tensor] = []

    def add(self, piece: Piece) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Take what is wanted of a piece, and yield rows and their logits (rows, vocabulary) once there are many."""
        at = self.wanted[piece.sequence]
        a, b = np.searchsorted(at, [piece.first, piece.stop]).tolist()
        if a < b:
            self.rows.append(self.firsts[piece.sequence] + np.arange(a, b))
            self.tops.append(piece.layers[TOP][torch.from_numpy(at[a:b] - piece.first)])
        if sum(map(len, self.rows)) >= ROWS:
            yield from self.settle()

    def settle(self) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Yield the rows and logits that are left."""
        if self.rows:
            rows, top = np.concatenate(self.rows), torch.cat(self.tops)
            self.rows, self.tops = [], []
            for start in range(0, len(top), ROWS):
                yield rows[start : start + ROWS], self.network.logits(top[start : start + ROWS])


@dataclass(frozen=True, eq=False)
class TextRunner:
    """A network with its tokenizer, independent of experiments.

    Attributes
    ----------
    identifier : of the model, for messages.
    network : what runs.
    tokens : how texts become tokens.
    begin : whether a token of the beginning stands before each text; None: see `language.LanguageSubject`.
    overlap : tokens that consecutive windows share; None: half a window.
    budget : tokens in a batch.
    """

    identifier: str
    network: TokenNetwork
    tokens: PartTokenizer
    begin: bool | None = None
    overlap: int | None = None
    budget: int = BUDGET

    def frame(self, probable: bool) -> Frame:
        """Return what stands around a text, for probabilities or for recordings.

        Raises
        ------
        NotApplicable : probabilities are asked of a network that sees both sides, whose tokenizer has no mask.
        """
        own, after = self.tokens.frame
        first = getattr(self.tokens.tokenizer, "bos_token_id", None)
        begin = probable if self.begin is None else self.begin
        before = own or ((int(first),) if first is not None and begin else ())
        if self.network.causal:
            return Frame(() if self.begin is False else before)
        mask = getattr(self.tokens.tokenizer, "mask_token_id", None)
        if probable and mask is None:
            raise NotApplicable(
                f"{self.identifier} sees both sides of a word, and its tokenizer has no mask to hide it"
            )
        return Frame(own, after, mask)

    def represent(self, texts: Sequence[Tokens], readout: Readout) -> tuple[np.ndarray, list[int]]:
        """Return the representations (parts of all texts, units of its layers), float32, and the units of each layer.

        Equal texts, and equal passes of a network that sees both sides, pass it once.

        Raises
        ------
        InvalidModel : a pool that a causal network has not.
        """
        network, frame, pool = self.network, self.frame(False), str(readout.pool or "last")
        if network.causal and pool not in ("last", "mean"):
            raise InvalidModel(f"{self.identifier}: pool is {pool!r}; a causal network takes 'last' or 'mean'")
        passes = (
            causal_passes(texts, frame, pool == "mean")
            if network.causal
            else part_passes(texts, frame, network.window, pool)
        )
        rows: list[np.ndarray] = []
        sizes: list[int] = []
        while group := list(islice(passes, None if network.causal else _TOGETHER)):
            distinct = {one.key: one for one in group}
            chosen = list(distinct.values())
            firsts = np.cumsum([0, *(one.rows for one in chosen)])
            made: torch.Tensor | None = None
            with torch.inference_mode():
                for piece in self.pieces([one.ids for one in chosen], readout.layers):
                    mine = chosen[piece.sequence]
                    a, b = np.searchsorted(mine.token, [piece.first, piece.stop])
                    if a == b:
                        continue
                    tokens = torch.from_numpy(mine.token[a:b] - piece.first)
                    share = torch.from_numpy(mine.weight[a:b])[:, None]
                    values = torch.cat([piece.layers[n][tokens].float().cpu() for n in readout.layers], 1) * share
                    if made is None:
                        made = torch.zeros(int(firsts[-1]), values.shape[1])
                        sizes = [piece.layers[n].shape[1] for n in readout.layers]
                    made.index_add_(0, torch.from_numpy(mine.row[a:b] + firsts[piece.sequence]), values)
            assert made is not None, "no sequence has a token"
            place = dict(zip(distinct, firsts[:-1].tolist(), strict=True))
            rows.append(made.numpy()[np.concatenate([place[one.key] + np.arange(one.rows) for one in group])])
        return np.concatenate(rows), sizes

    def bits(self, texts: Sequence[Tokens], *, both_sides: bool = False) -> list[np.ndarray]:
        """Return the surprisal (parts,) of the parts of each text, in bits. Float64. Raises what `check_head` raises.

        It is the sum over the tokens of a part, each given all before it. A token that stands at the very beginning of
        a pass has no probability: a part of that token alone is NaN, one without tokens 0. A network that sees both
        sides is shown each token masked, with the rest of its part.

        Parameters
        ----------
        both_sides : show a masked token what comes after its part, too: the pseudo-log-likelihood of Salazar et al.
            2020 (ACL), with words that are split into tokens scored from left to right (Kauf & Ivanova 2023, ACL), so
            that the rest of a word does not give its beginning away.
        """
        self.check_head()
        causal, frame = self.network.causal, self.frame(True)
        questions = ask_next_tokens(texts, frame) if causal else mask_tokens(texts, frame, self.network, both_sides)
        found: list[np.ndarray] = []
        while group := list(islice(questions, None if causal else _TOGETHER)):
            targets = np.concatenate([one.targets for one in group])
            bits = np.empty(len(targets))
            heads = _Heads(self.network, [one.after for one in group])
            with torch.inference_mode():
                for piece in self.pieces([one.ids for one in group], [TOP]):
                    for rows, logits in heads.add(piece):
                        bits[rows] = _surprisal(logits, targets[rows])
                for rows, logits in heads.settle():
                    bits[rows] = _surprisal(logits, targets[rows])
            found.append(bits)
        begun = not causal or bool(frame.before)
        counts = [len(text) if begun else max(0, len(text) - 1) for text in texts]
        of_texts = np.split(np.concatenate(found), np.cumsum(counts)[:-1])
        return [_bits_of_parts(bits, text) for bits, text in zip(of_texts, texts, strict=True)]

    def next_words(self, texts: Sequence[Tokens]) -> np.ndarray:
        """Return the most probable next word after each part: (parts of all texts,) str, without white space around it.

        The first token is the most probable one that begins a word or is punctuation, given all before it; most
        probable tokens that go on with the word follow, given the last 64 tokens, until one begins another. So the
        work grows with the length of a text, not with its square.
        """
        self.check_head(ahead=True)
        frame, tokenizer = self.frame(True), self.tokens.tokenizer
        begins, goes_on = word_tokens(tokenizer)
        whole = [frame.around(text.ids) for text in texts]
        ends = [text.ends + len(frame.before) for text in texts]
        made = [[token] for token in self._best(whole, ends, begins).tolist()]
        last = [ids[max(0, e - _BEFORE) : e] for ids, at in zip(whole, ends, strict=True) for e in at.tolist()]
        going = list(range(len(made)))
        # networks may have more tokens than their tokenizers, to fill a matrix up
        anything = np.ones(len(begins), bool)
        for _ in range(_LONGEST - 1):
            if not going or not goes_on.any():
                break
            longer = [np.concatenate([last[i], made[i]]) for i in going]
            following = self._best(longer, [np.array([len(one)]) for one in longer], anything).tolist()
            kept = [(i, token) for i, token in zip(going, following, strict=True) if goes_on[token]]
            going = [i for i, _ in kept]
            for i, token in kept:
                made[i].append(token)
        return np.array([tokenizer.decode(one, clean_up_tokenization_spaces=False).strip() for one in made])

    def check_head(self, ahead: bool = False) -> None:
        """Refuse a network that gives words no probabilities, or (`ahead`) none before they have begun."""
        if not self.network.has_head:
            raise NotApplicable(
                f"{self.identifier} has no head that gives words probabilities; it can only be recorded"
            )
        if ahead and not self.network.causal:
            raise NotApplicable(f"{self.identifier} sees both sides of a word: it cannot predict the next word")

    # --- sequences of tokens -----------------------------------------------------------------------------------------

    def pieces(self, sequences: Sequence[np.ndarray], layers: Sequence[str]) -> Iterator[Piece]:
        """Yield, for every token of every sequence once, what it led to; sequences come in any order.

        Parameters
        ----------
        sequences : (tokens,) ids; empty ones yield nothing.
        layers : names, or `token_interface.TOP`.
        """
        limit = self.network.window
        overlap = (limit or 0) // 2 if self.overlap is None else self.overlap
        plan = [w for i, s in enumerate(sequences) if len(s) for w in windows(i, len(s), limit, overlap)]
        todo = deque(batches(plan, self.budget))
        while todo:
            batch, begun = todo.popleft(), False
            try:
                for piece in self._pass(batch, sequences, layers):
                    begun = True
                    yield piece
                continue
            except ResourceError:
                if begun or len(batch) == 1:
                    raise
            free_memory()
            note(f"memory ran out: {self.identifier} read {len(batch)} texts in two batches, not one")
            todo.extendleft((batch[len(batch) // 2 :], batch[: len(batch) // 2]))

    def _pass(self, batch: Sequence[Window], sequences: Sequence[np.ndarray], layers: Sequence[str]) -> Iterator[Piece]:
        """Run the windows of a batch together, and yield what their new tokens led to."""
        stretches = [torch.from_numpy(sequences[w.sequence][w.start : w.stop]) for w in batch]
        ids = nn.utils.rnn.pad_sequence(stretches, batch_first=True)
        for chunk in self.network.run(ids, [len(w) for w in batch], layers):
            size = next(iter(chunk.layers.values())).shape[1]
            for row, window in enumerate(batch):  # the new tokens of each window
                first = max(window.first - window.start, chunk.start)
                stop = min(len(window), chunk.start + size)
                if first < stop:
                    here = slice(first - chunk.start, stop - chunk.start)
                    found = {name: tensor[row, here] for name, tensor in chunk.layers.items()}
                    yield Piece(window.sequence, window.start + first, window.start + stop, found)

    def _best(self, sequences: Sequence[np.ndarray], ends: Sequence[np.ndarray], allowed: np.ndarray) -> np.ndarray:
        """Return the most probable of the tokens `allowed` (vocabulary,) after each sequence up to each of its ends."""
        best = np.zeros(sum(map(len, ends)), np.int64)
        heads = _Heads(self.network, [end - 1 for end in ends])
        with torch.inference_mode():
            for piece in self.pieces(sequences, [TOP]):
                for rows, logits in heads.add(piece):
                    best[rows] = _most_probable(logits, allowed)
            for rows, logits in heads.settle():
                best[rows] = _most_probable(logits, allowed)
        return best


def _surprisal(logits: torch.Tensor, targets: np.ndarray) -> np.ndarray:
    """Return the bits (tokens,) of the tokens that came, by their logits (tokens, vocabulary)."""
    answers = torch.from_numpy(targets).to(logits.device)
    return nn.functional.cross_entropy(logits, answers, reduction="none").double().cpu().numpy() / np.log(2)


def _most_probable(logits: torch.Tensor, allowed: np.ndarray) -> np.ndarray:
    shut = torch.ones(logits.shape[1], dtype=torch.bool)
    shut[: len(allowed)] = torch.from_numpy(~allowed)[: logits.shape[1]]
    return logits.masked_fill(shut.to(logits.device), -torch.inf).argmax(1).cpu().numpy()


def _bits_of_parts(bits: np.ndarray, text: Tokens) -> np.ndarray:
    """Return the sum (parts,) of the bits of each part's tokens, of which the first may be unknown."""
    unknown = len(text) - len(bits)
    sums = np.bincount(text.part[unknown:], bits, minlength=text.parts).astype(float)  # of nothing it counts integers
    for part in text.part[:unknown].tolist():
        if part not in text.part[unknown:]:
            sums[part] = np.nan
    return sums
