"""What a network that reads makes of texts: representations, bits and next words of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brainmark.core.errors import InvalidModel, NotApplicable
from brainmark.core.libraries import np
from brainmark.models.subjects import next_word
from brainmark.models.subjects.masked import Frame, both_sided_bits, part_representations, prefix_bits
from brainmark.models.subjects.reading import (
    Reading,
    bits_of_parts,
    last_tokens,
    mean_tokens,
    representations,
    token_bits,
)
from brainmark.models.subjects.text_readout import TextReadout
from brainmark.models.subjects.tokens import TokenReader, Tokens


@dataclass(frozen=True, eq=False)
class TextReader:
    """A network with its tokenizer; it knows no experiment.

    Attributes
    ----------
    identifier : of the model, for messages.
    reading : how tokens pass the network.
    tokens : how texts become tokens.
    begin : whether a token of the beginning stands before each text; None: see `LanguageSubject`.
    """

    identifier: str
    reading: Reading
    tokens: TokenReader
    begin: bool | None = None

    def frame(self, probable: bool) -> Frame:
        """Return what stands around a text, for probabilities or for recordings.

        Raises
        ------
        NotApplicable : probabilities are asked of a network that sees both sides, whose tokenizer has no mask.
        """
        own, after = self.tokens.frame
        first = getattr(self.tokens.tokenizer, "bos_token_id", None)
        before = own or (
            (int(first),) if first is not None and (self.begin or (self.begin is None and probable)) else ()
        )
        if self.reading.network.causal:
            return Frame(() if self.begin is False else before)
        mask = getattr(self.tokens.tokenizer, "mask_token_id", None)
        if probable and mask is None:
            raise NotApplicable(
                f"{self.identifier} sees both sides of a word, and its tokenizer has no mask to hide it"
            )
        return Frame(own, after, mask)

    def represent(self, texts: Sequence[Tokens], readout: TextReadout) -> tuple[np.ndarray, list[int]]:
        """Representations (parts of all texts, units), and the units of each layer; equal texts are read once.

        Raises
        ------
        InvalidModel : a pool that a causal network has not.
        """
        frame = self.frame(False)
        if not self.reading.network.causal:
            return part_representations(self.reading, texts, readout.layers, frame, readout.pool)
        if readout.pool not in ("last", "mean"):
            raise InvalidModel(f"{self.identifier}: pool is {readout.pool!r}; a causal network takes 'last' or 'mean'")
        known = {(t.ids.tobytes(), t.part.tobytes(), t.parts): t for t in texts}
        before = len(frame.before)
        weights = [
            last_tokens(t.ends, before) if readout.pool == "last" else mean_tokens(t.part, t.ends, before)
            for t in known.values()
        ]
        made, sizes = representations(self.reading, _after(frame, list(known.values())), readout.layers, weights)
        firsts = dict(zip(known, np.cumsum([0, *(t.parts for t in known.values())])[:-1].tolist(), strict=True))
        rows = [firsts[t.ids.tobytes(), t.part.tobytes(), t.parts] + np.arange(t.parts) for t in texts]
        return made[np.concatenate(rows)], sizes

    def bits(self, texts: Sequence[Tokens]) -> list[np.ndarray]:
        """Surprisal (parts,) of the parts of each text, given all before them. Raises what `check_head` raises."""
        self.check_head()
        frame = self.frame(True)
        if self.reading.network.causal:
            found = [bits[len(frame.before) :] for bits in token_bits(self.reading, _after(frame, texts))]
        else:
            found = prefix_bits(self.reading, texts, frame)
        return [bits_of_parts(b, t.part, t.parts) for b, t in zip(found, texts, strict=True)]

    def pseudo_bits(self, texts: Sequence[str]) -> np.ndarray:
        """Bits (texts,) of whole texts, each token given both sides (pseudo-log-likelihood)."""
        self.check_head()
        words = [self.tokens.words(text) for text in texts]
        return np.array([b.sum() for b in both_sided_bits(self.reading, words, self.frame(True))])

    def next_words(self, texts: Sequence[Tokens]) -> np.ndarray:
        """Most probable next word (parts of all texts,) after each part."""
        self.check_head(ahead=True)
        return next_word.next_words(self.reading, self.tokens.tokenizer, texts, self.frame(True).before)

    def check_head(self, ahead: bool = False) -> None:
        """Refuse a network that gives words no probabilities, or (`ahead`) none before they have begun."""
        if not self.reading.network.has_head:
            raise NotApplicable(
                f"{self.identifier} has no head that gives words probabilities; it records representations"
            )
        if ahead and not self.reading.network.causal:
            raise NotApplicable(f"{self.identifier} sees both sides of a word: it predicts none that has not begun")


def _after(frame: Frame, texts: Sequence[Tokens]) -> list[np.ndarray]:
    """Tokens of each text, after those of the beginning."""
    return [np.concatenate([np.array(frame.before, np.int64), t.ids]) for t in texts]


__all__ = ["TextReader"]
