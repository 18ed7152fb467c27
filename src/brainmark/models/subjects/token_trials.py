"""Tries whether a token network keeps to masks and caches; where a trial fails, texts take the long way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from brainmark.core.errors import ModelError
from brainmark.core.libraries import nn, torch

SAME = 1e-4  # of the spread over tokens: what two orders of summation may differ by
Run: TypeAlias = "Callable[[torch.Tensor, Sequence[int]], torch.Tensor]"
"""Ids (texts, tokens), and how many of each row count -> (texts, tokens, units)."""
Company: TypeAlias = Literal["any", "equal", "none"]
"""Texts that pass together change nothing in one another: any, those of equal length, or none."""


def agree(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Return whether two passes (tokens, units) of one text differ by rounding only."""
    if found.shape != wanted.shape:
        return False
    rounding = 4 * torch.finfo(wanted.dtype).eps
    found, wanted = found.double(), wanted.double()
    spread = (wanted - wanted.mean(0)).norm(dim=-1).square().mean().sqrt()
    return bool((found - wanted).norm(dim=-1).max() <= max(SAME, rounding) * spread)


def try_company(run: Run, ids: torch.Tensor, short: int) -> Company:
    """Return which texts may pass together: in a batch, each must lead to what it leads to alone.

    Padding is tried with a text of `short` tokens beside one of all `ids` (1, tokens): networks that mix tokens by
    Fourier transforms or convolutions see what rows are filled up with, in spite of the mask.
    """
    second = ids.flip(1)
    whole = ids.shape[1]
    tried: tuple[tuple[Company, torch.Tensor], ...] = (("any", ids[:, :short]), ("equal", ids))
    for company, first in tried:
        batch = nn.utils.rnn.pad_sequence([first[0], second[0]], batch_first=True)
        try:
            found = run(batch, [first.shape[1], whole])
        except ModelError:
            continue
        alone = [run(one, [one.shape[1]])[0] for one in (first, second)]
        if all(agree(given[: len(one)], one) for given, one in zip(found, alone, strict=True)):
            return company
    return "none"


def group_rows(lengths: Sequence[int], company: Company) -> list[list[int]]:
    """Return the rows of a batch that may pass together, each in one group."""
    groups: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        groups.setdefault({"any": 0, "equal": length, "none": row}[company], []).append(row)
    return list(groups.values())


@dataclass(frozen=True, eq=False)
class Memory:
    """How what came before is handed on from one pass to the next.

    Attributes
    ----------
    option : under which the network takes it: keys and values, or a state.
    make : makes what is handed to each pass, which adds to it; None: it is taken from the answer of the pass before.
    """

    option: str
    make: Callable[[], Any] | None


def memories(options: Sequence[str], caches: Sequence[Callable[[], Any]]) -> Iterator[Memory]:
    """Yield the ways to try, the cheapest first: those that take from answers need passes that run to their end."""
    for make in caches:
        for option in ("past_key_values", "cache_params"):
            if option in options:
                yield Memory(option, make)
    for option in ("past_key_values", "cache_params", "state", "mems"):
        if option in options:
            yield Memory(option, None)


def try_memories(
    ways: Iterator[Memory], run: Callable[[torch.Tensor, Memory], torch.Tensor], ids: torch.Tensor, whole: torch.Tensor
) -> Memory | None:
    """Return the first way in which parts of a text lead to `whole` (tokens, units), as one pass does, or None."""
    for way in ways:
        try:
            if agree(run(ids, way), whole):
                return way
        except Exception:  # noqa: BLE001 - what a network says to a memory of another kind is its own affair
            continue
    return None
