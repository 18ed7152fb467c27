"""Texts in parts and their tokens, with the exact assignment of tokens to parts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from brainmark.core.errors import ModelError
from brainmark.core.experiment import SPACE_BEFORE, Experiment
from brainmark.core.libraries import np
from brainmark.core.signs import SIGNS, replace_signs

Span = tuple[int, int]

_CLOSES = re.compile(
    r"""[.,!?;:…)\]}”]                              # punctuation that ends something
    |['’ʼ](?:s|re|ve|ll|d|m|t)(?![^\W_])            # clitics written apart: John 's, we 'll
    |n['’ʼ]t(?![^\W_])""",
    re.VERBOSE | re.IGNORECASE,
)
_OPENS = "([{“"
_UNSPACED = re.compile("[\u2e80-\u30ff\u31f0-\u9fff\uf900-\ufaff\uff01-\uff65\U00020000-\U0003ffff]")
"""Signs of Chinese and Japanese, between which no space is written."""


def join_parts(parts: Sequence[str], space_before: Sequence[bool] | None = None) -> tuple[str, list[Span]]:
    """Return the text that the parts make, and where in it each part stands.

    One space comes between two parts, unless one of them brings white space along at the seam, the later one begins
    with closing punctuation (``. , ! ? ; : … ) ] } ”``) or is a clitic (``'s``, ``n't``, ...), the text so far ends
    with an opening bracket or quote, or signs of Chinese or Japanese meet. Empty parts leave no trace.

    Parameters
    ----------
    parts : words, regions, sentences ... in order.
    space_before : whether a space stands before each part, where it is known (column ``space_before``); white space
        that the parts bring along stays. The first entry does not count.

    Returns
    -------
    text : with all that the parts hold, unchanged.
    spans : (start, end) of each part in the text; ``text[start:end]`` is the part.
    """
    pieces: list[str] = []
    spans: list[Span] = []
    last, length = "", 0  # the last character so far
    for index, part in enumerate(parts):
        if part and last and not (last.isspace() or part[0].isspace()):
            joined = last in _OPENS or _CLOSES.match(part) or (_UNSPACED.match(last) and _UNSPACED.match(part))
            wanted = space_before[index] if space_before is not None else not joined
            if wanted:
                pieces.append(" ")
                length += 1
        pieces.append(part)
        spans.append((length, length + len(part)))
        length += len(part)
        last = part[-1] if part else last
    return "".join(pieces), spans


@dataclass(frozen=True, eq=False)
class Tokens:
    """A text as a model takes it.

    Attributes
    ----------
    ids : (tokens,) int64, without what the tokenizer adds at the beginning and the end.
    part : (tokens,) the part that each token belongs to, ascending.
    parts : how many parts there are; a part may have no token.
    """

    ids: np.ndarray
    part: np.ndarray
    parts: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def ends(self) -> np.ndarray:
        """(parts,) number of tokens up to the end of each part."""
        return np.searchsorted(self.part, np.arange(self.parts), side="right")


def parts_of_tokens(text: str, spans: Sequence[Span], offsets: np.ndarray) -> np.ndarray:
    """Return the part (tokens,) that each token belongs to: the one in which it begins.

    White space at its beginning does not count. A part reaches from the end of the part before it to its own end, so
    that a token of white space between two parts belongs to the later one. What follows the last part belongs to it.

    Parameters
    ----------
    text, spans : as `join_parts` returns them.
    offsets : (tokens, 2) first character of each token and the one after its last.
    """
    starts = np.asarray(offsets, np.int64).reshape(-1, 2)[:, 0].copy()
    for token in np.flatnonzero([s < len(text) and text[s].isspace() for s in starts.tolist()]):
        start, end = (int(o) for o in offsets[token])
        ink = next((i for i in range(start, end) if not text[i].isspace()), None)
        starts[token] = start if ink is None else ink
    ends = np.array([end for _, end in spans], np.int64)
    part = np.searchsorted(ends, starts, side="right")
    # tokens of one character (bytes of a sign) share its offsets; what is empty by normalisation may lie anywhere
    return np.maximum.accumulate(np.minimum(part, len(spans) - 1))


class PartTokenizer:
    """A tokenizer of transformers (or any with the same call), which splits texts that come in parts.

    Parameters
    ----------
    tokenizer : `PreTrainedTokenizerBase`. With offsets ("fast") the place of each token is known; without, it is found
        by decoding, which must give back the text.
    as_shown : whether it is given each text sign by sign, as people saw it. Otherwise what looks the same is written
        alike (accents composed, spaces of all widths as spaces, soft hyphens left out), and signs of typography that no
        token stands for, so that they are unknown or cut into bytes, are written plainly: ``don’t`` as ``don't``.
    """

    def __init__(self, tokenizer: Any, as_shown: bool = False) -> None:
        self.tokenizer = tokenizer
        self.as_shown = as_shown
        self.fast = bool(getattr(tokenizer, "is_fast", False))

    def __call__(self, parts: Sequence[str], space_before: Sequence[bool] | None = None) -> Tokens:
        """Return the tokens of one text.

        Raises
        ------
        ModelError : the tokenizer has no offsets, and its tokens do not spell the text.
        """
        return self._of(*join_parts(parts, space_before))

    def words(self, text: str) -> Tokens:
        """Return the tokens of a text whose parts are its words, as white space parts them."""
        return self._of(text, [match.span() for match in re.finditer(r"\S+", text)] or [(0, len(text))])

    def _of(self, text: str, spans: Sequence[Span]) -> Tokens:
        ids, offsets = self.encode(text)
        return Tokens(ids, parts_of_tokens(text, spans, offsets), len(spans))

    @cached_property
    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the tokenizer itself puts before and after a text."""
        bare, framed = (self.tokenizer("a", add_special_tokens=s)["input_ids"] for s in (False, True))
        place = next((i for i in range(len(framed)) if framed[i : i + len(bare)] == bare), None)
        if place is None:
            raise ModelError(f"{type(self.tokenizer).__name__} splits 'a' in two ways, with special tokens and without")
        return tuple(framed[:place]), tuple(framed[place + len(bare) :])

    def encode(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids (tokens,) of a text, and the characters (tokens, 2) that each token stands for."""
        if self.as_shown or text.isascii():
            return self._encode(text)
        usual, places = replace_signs(text)
        ids, offsets = self._encode(usual)
        covered = _count_cover(len(usual), offsets, ids == getattr(self.tokenizer, "unk_token_id", None))
        strange = {places[m.start()][0] for m in SIGNS.finditer(usual) if covered[m.start()] != 1}
        if strange:
            usual, places = replace_signs(text, strange.__contains__)
            ids, offsets = self._encode(usual)
        return ids, _move_back(offsets, places)

    def _encode(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        if not text:
            return np.empty(0, np.int64), np.empty((0, 2), np.int64)
        options: dict[str, Any] = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
        if self.fast:
            coded = self.tokenizer(text, return_offsets_mapping=True, **options)
            return np.asarray(coded["input_ids"], np.int64), np.asarray(coded["offset_mapping"], np.int64).reshape(
                -1, 2
            )
        ids = np.asarray(self.tokenizer(text, **options)["input_ids"], np.int64)
        return ids, spell(ids.tolist(), text, self._decode, type(self.tokenizer).__name__)

    def _decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)


def _count_cover(length: int, offsets: np.ndarray, unknown: np.ndarray | bool) -> np.ndarray:
    """Return how many tokens (length,) stand for each character; 2 where one of them stands for what is unknown."""
    change = np.zeros(length + 1, np.int64)
    weight = np.broadcast_to(np.where(unknown, 2, 1), len(offsets))
    np.add.at(change, offsets[:, 0], weight)
    np.add.at(change, offsets[:, 1], -weight)
    return np.cumsum(change)[:length]


def _move_back(offsets: np.ndarray, places: Sequence[Span]) -> np.ndarray:
    """Return offsets in the text of which each character, or its replacement, has a place."""
    if not places:
        return offsets
    starts, ends = np.array(places, np.int64).T
    first = np.minimum(offsets[:, 0], len(places) - 1)
    last = np.maximum(offsets[:, 1] - 1, first)
    return np.stack([starts[first], ends[last]], axis=1)


def digest_of_tokenizer(tokenizer: Any) -> str:
    """Return the sha256 over all that decides into which tokens a text is cut, and which tokens are special."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = sorted(tokenizer.get_vocab().items()) if backend is None else backend.to_str()
    special = {n: getattr(tokenizer, f"{n}_token_id", None) for n in ("bos", "eos", "mask", "cls", "sep")}
    return hashlib.sha256(json.dumps([rules, special], sort_keys=True).encode()).hexdigest()


def spell(ids: Sequence[int], text: str, decode: Callable[[Sequence[int]], str], name: str) -> np.ndarray:
    """Return the characters (tokens, 2) that each token stands for, by decoding them one after another.

    Tokens that are pieces of one character (bytes) all stand for it. A single space that decoding adds or leaves out
    at the very beginning is allowed for.

    Raises
    ------
    ModelError : the tokens do not spell the text.
    """
    offsets = np.empty((len(ids), 2), np.int64)
    place = first = 0  # characters that are spelled; the first token that is not
    while first < len(ids):
        blank = False
        for last in range(first + 1, min(len(ids), first + _LONGEST) + 1):
            step = _matches(decode(ids[first:last]), text, place)
            blank = blank or (step == 0 and last == first + 1)
            if step:
                offsets[first:last] = place, place + step
                place, first = place + step, last
                break
        else:
            if blank:  # it spells nothing, neither by itself nor as the beginning of a character
                offsets[first] = place
                first += 1
                continue
            raise ModelError(
                f"{name} gives no offsets, and its tokens do not spell the text near character {place} "
                f"({text[place : place + 20]!r}); use the tokenizer that has offsets (use_fast=True)"
            )
    return offsets


_LONGEST = 8
"""Tokens that may be pieces of one character."""


def _matches(piece: str, text: str, place: int) -> int | None:
    """Return how many characters of the text at `place` a decoded piece stands for; None if it does not stand there."""
    if "\ufffd" not in piece or text.startswith(piece, place):
        for said in (piece, f" {piece}", piece[1:] if place == 0 and piece.startswith(" ") else piece):
            if text.startswith(said, place):
                return len(said)
    return None


# --- texts of an experiment ------------------------------------------------------------------------------------------


def parts_of_contexts(experiment: Experiment) -> list[tuple[list[str], list[bool] | None]]:
    """Return the parts of each context, and whether a space stands before each, where the stimuli say it."""
    media, table = experiment.stimuli.media, experiment.stimuli.table
    spaces = table[SPACE_BEFORE].astype(bool).tolist() if SPACE_BEFORE in table.columns else None
    return [
        ([str(media[i]) for i in context], None if spaces is None else [spaces[i] for i in context])
        for context in experiment.contexts
    ]


def restore_order(experiment: Experiment, values: np.ndarray) -> np.ndarray:
    """Put values (parts of one context after another, ...) into the order of the presentations."""
    made = np.empty_like(values)
    made[np.concatenate([np.asarray(context) for context in experiment.contexts])] = values
    return made


# --- words -----------------------------------------------------------------------------------------------------------

_SPACES = ("Ġ", "▁", " ")


def word_tokens(tokenizer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return which tokens (vocabulary,) begin a word or are punctuation, and which go on with a word.

    Tokenizers that do not mark white space (nor what goes on) begin a word with any token, and none goes on.
    """
    size = len(tokenizer)
    names = tokenizer.convert_ids_to_tokens(list(range(size)))
    special = set(tokenizer.all_special_ids)
    spaced = np.array([bool(n) and n.startswith(_SPACES) and len(n) > 1 for n in names])
    hashed = np.array([bool(n) and n.startswith("##") for n in names])
    usual = np.array([n is not None and i not in special for i, n in enumerate(names)])
    inked = np.array([any(c.isalnum() for c in n or "") for n in names])
    for token in np.flatnonzero(usual & ~inked & ~spaced).tolist():  # a byte that is no sign by itself is no word
        usual[token] = "\ufffd" not in tokenizer.decode([token])
    if hashed.any():
        return usual & ~hashed, usual & hashed
    if spaced.any():
        blank = np.array([not (n or "").strip("".join(_SPACES) + "ĊčĉĠ\n\t") for n in names])
        return usual & ~blank & (spaced | ~inked), usual & ~spaced & inked
    return usual, np.zeros(size, bool)
