"""Finds the classes of a network that a label stands for, by WordNet id, word or entry-level category."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from brainmark.core.errors import NotApplicable
from brainmark.core.libraries import np

IMAGENET = "imagenet"
_TABLE = Path(__file__).with_name("imagenet_classes.csv")
_LISTED = 20  # classes that an error lists


@dataclass(frozen=True)
class ImagenetClass:
    """One of the 1000 classes: WordNet id, its words, and the entry-level category it belongs to (or none)."""

    wnid: str
    words: tuple[str, ...]
    entry: str


@cache
def imagenet_classes() -> tuple[ImagenetClass, ...]:
    """Return the 1000 classes in the order of the logits, which is that of their WordNet ids."""
    with _TABLE.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return tuple(ImagenetClass(r["wnid"], tuple(r["words"].split("; ")), r["entry"]) for r in rows)


@cache
def entry_levels() -> Mapping[str, tuple[int, ...]]:
    """Return the 16 entry-level categories (Geirhos et al. 2019, ICLR) -> positions of their ImageNet classes."""
    members: dict[str, list[int]] = {}
    for position, one in enumerate(imagenet_classes()):
        if one.entry:
            members.setdefault(one.entry, []).append(position)
    return {entry: tuple(members[entry]) for entry in sorted(members)}


def class_count(classes: str | Sequence[str]) -> int:
    """Return how many logits a head with these classes has."""
    return len(imagenet_classes()) if classes == IMAGENET else len(classes)


def positions_of(labels: Sequence[str], classes: str | Sequence[str], owner: str) -> list[np.ndarray]:
    """Return, for each label, the positions of the logits that stand for it.

    The classes of ImageNet are meant by WordNet id, by any of their words, or by one of the 16 entry-level categories;
    other classes by their names. Case does not count.

    Raises
    ------
    NotApplicable : a label that the head does not name, or that several of its classes share; says which there are.
    """
    known = _imagenet_names() if classes == IMAGENET else _fold_case({name: (i,) for i, name in enumerate(classes)})
    found: list[np.ndarray] = []
    for label in labels:
        positions = known.get(label.casefold(), ())
        if not positions:
            raise NotApplicable(f"{owner} cannot choose {label!r}: {_offer(label, known, classes)}")
        if positions[0] < 0:
            several = [imagenet_classes()[p] for p in positions[1:]]
            named = " or ".join(f"{c.wnid} ({', '.join(c.words)})" for c in several)
            raise NotApplicable(f"{owner} cannot choose {label!r}, which several classes are called; say {named}")
        found.append(np.array(positions))
    return found


@cache
def _imagenet_names() -> Mapping[str, tuple[int, ...]]:
    """Map every name of a class to its positions; one that several classes share starts with -1."""
    names: dict[str, tuple[int, ...]] = {}
    for position, one in enumerate(imagenet_classes()):
        for name in dict.fromkeys((one.wnid, ", ".join(one.words), *one.words)):
            others = names.get(name.casefold(), ())
            names[name.casefold()] = (-1, *(p for p in others if p >= 0), position) if others else (position,)
    return names | _fold_case(entry_levels())


def _fold_case(positions: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name.casefold(): where for name, where in positions.items()}


def _offer(label: str, known: Mapping[str, tuple[int, ...]], classes: str | Sequence[str]) -> str:
    near = difflib.get_close_matches(label.casefold(), known, n=3)
    nearest = f"; the nearest are {', '.join(map(repr, near))}" if near else ""
    if classes == IMAGENET:
        entries = ", ".join(entry_levels())
        return f"its head names the 1000 classes of ImageNet, by WordNet id or word, and {entries}{nearest}"
    shown = ", ".join(classes[:_LISTED]) + (f" and {len(classes) - _LISTED} more" if len(classes) > _LISTED else "")
    return f"its head names {shown}{nearest}"
