"""The tree of benchmarks: average_vision, neural_vision, V4, Cowley2023, and below it the benchmarks of that study.

Cards state one parent: a region, "behavior" or "engineering". The nodes above are defined here:

- ``average_<domain>`` holds ``neural_<domain>`` with its regions, and ``behavior_<domain>``;
- ``engineering_<domain>`` holds raw accuracies, outside the average;
- ``simulated_<domain>`` holds simulated brains, outside the average;
- benchmarks in another convention form a tree of their own, whose names begin with the card's ``tree`` (such as
  ``brainscore_``): numbers of two conventions have no common mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from brainmark.core.cards import BenchmarkCard
from brainmark.core.vocabulary import REGIONS

Visibility = Literal["public", "private"]

_BRANCHES = ("average", "neural", "behavior", "engineering", "simulated")


@dataclass(frozen=True)
class Node:
    """A place in the tree.

    Attributes
    ----------
    path : names from the root to here.
    children : nodes directly below.
    benchmarks : names of the benchmarks directly below; a study has these and no children.
    superseded : (name, successor) of benchmarks that would stand here, but count no more.
    """

    path: tuple[str, ...]
    children: tuple[Node, ...] = ()
    benchmarks: tuple[str, ...] = ()
    superseded: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The last name of the path."""
        return self.path[-1]

    @property
    def raw(self) -> bool:
        """Whether raw values are counted here: accuracies have no ceiling other than 1."""
        return "engineering" in self.path[0].split("_")

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def leaves(self) -> list[str]:
        """Return the names of all benchmarks below, in the order of the tree."""
        return [name for node in self.walk() for name in node.benchmarks]


def place(name: str, card: BenchmarkCard) -> tuple[str, ...]:
    """Return the path of the node under which a benchmark stands.

    >>> place("Cowley2023.V4-pls", card)
    ('average_vision', 'neural_vision', 'V4', 'Cowley2023')
    """
    domain, parent = card.domain, card.parent.removesuffix(f"_{card.domain}")
    if card.simulated or parent == "simulated":
        above = (f"simulated_{domain}",)
    elif parent == "engineering":
        above = (f"engineering_{domain}",)
    elif parent in ("behavior", "neural"):
        above = (f"average_{domain}", f"{parent}_{domain}")
    else:
        above = (f"average_{domain}", f"neural_{domain}", parent)
    prefix = f"{card.tree}_" if card.tree else ""
    return (*(prefix + each for each in above), study(name))


def study(name: str) -> str:
    """Return the study in a benchmark's name: author and year, or what stands before the first dot or hyphen.

    Of a benchmark on packaged data (``PATH:V4-ridge``) it is the path.

    >>> study("MajajHong2015public.IT-pls"), study("CIFAR10C.fog-top1")
    ('MajajHong2015', 'CIFAR10C')
    """
    if ":" in name:
        return name.rpartition(":")[0]
    dated = re.match(r"\D+(?:19|20)\d\d(?:[a-z](?![a-z]))?(?!\d)", name)
    if dated:
        return dated.group()
    return name.partition(".")[0] if "." in name else name.partition("-")[0]


def tree(cards: Mapping[str, BenchmarkCard], split: Visibility | None = None) -> tuple[Node, ...]:
    """Return the roots of the tree of these benchmarks; of the public or private ones alone, if asked."""
    placed: dict[tuple[str, ...], list[str]] = {}
    for name, card in cards.items():
        if split in (None, card.visibility):
            placed.setdefault(place(name, card), []).append(name)
    return _nodes((), placed, cards)


def _nodes(
    above: tuple[str, ...], placed: Mapping[tuple[str, ...], list[str]], cards: Mapping[str, BenchmarkCard]
) -> tuple[Node, ...]:
    depth = len(above)
    paths = {path[: depth + 1] for path in placed if path[:depth] == above and len(path) > depth}
    made: list[Node] = []
    for path in sorted(paths, key=_order):
        names = sorted(placed.get(path, ()), key=str.lower)
        successors = tuple((n, after) for n in names if (after := cards[n].superseded_by))
        gone = dict(successors)
        made.append(Node(path, _nodes(path, placed, cards), tuple(n for n in names if n not in gone), successors))
    return tuple(made)


def _order(path: tuple[str, ...]) -> tuple[str, int, int, str]:
    """Return the key to sort a node: trees without prefix first, then the average, regions, names."""
    prefix = re.split(rf"(?:^|(?<=_))(?:{'|'.join(_BRANCHES)})_", path[0])[0]
    name = path[-1].removeprefix(prefix)
    branch = name.partition("_")[0]
    return (
        prefix,
        _BRANCHES.index(branch) if branch in _BRANCHES and "_" in name else len(_BRANCHES),
        REGIONS.index(name) if name in REGIONS else len(REGIONS),
        name.lower(),
    )


def find(roots: Sequence[Node], name: str) -> list[Node]:
    """Return the nodes of this name, or whose path ends so ("V1/Ringach2002"); a study may stand in several places."""
    wanted = tuple(name.split("/"))
    return [node for root in roots for node in root.walk() if node.path[-len(wanted) :] == wanted]


def names(roots: Sequence[Node]) -> list[str]:
    """Return the names of all nodes, each once, in the order of the tree."""
    return list(dict.fromkeys(node.name for root in roots for node in root.walk()))
