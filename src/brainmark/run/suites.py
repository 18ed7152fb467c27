"""Frozen suites: benchmarks with the versions at which they were released, so that scores under one name compare.

The table is `suites.toml`. A released suite is never edited. Where a benchmark or its metric has got another version
since, the suite is refused as a whole: its number would be another one under the same name.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from brainmark.core import registry
from brainmark.core.errors import InvalidRegistration
from brainmark.core.tree import Node, tree
from brainmark.core.versions import RECORDING, SCORING

TABLE = Path(__file__).with_name("suites.toml")
AT = "@"
"""Stands between a node and the suite whose benchmarks are below it: ``average_vision@vision-public-1.0``."""


@dataclass(frozen=True)
class Suite:
    """Benchmarks under one name.

    Attributes
    ----------
    name : with major and minor version; scores in one minor version compare.
    released : day, ISO 8601.
    summary : one sentence.
    scoring, recording : see `brainmark.core.versions`.
    benchmarks, metrics, datasets : names with the versions that they had then.
    """

    name: str
    released: str
    summary: str
    scoring: int
    recording: int
    benchmarks: Mapping[str, int]
    metrics: Mapping[str, int]
    datasets: Mapping[str, int]

    @property
    def digest(self) -> str:
        """The sha256 over its members and their versions."""
        members = [sorted(each.items()) for each in (self.benchmarks, self.metrics, self.datasets)]
        plain = [self.name, self.scoring, self.recording, members]
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()

    def list_changes(self) -> list[str]:
        """Return in words what is not as it was when the suite was released."""
        pinned: list[tuple[str, int, int | None]] = [
            ("scoring", self.scoring, SCORING),
            ("recording", self.recording, RECORDING),
        ]
        for kind, members, known in (
            ("benchmark", self.benchmarks, registry.benchmarks),
            ("metric", self.metrics, registry.metrics),
            ("data set", self.datasets, registry.datasets),
        ):
            now = {name: known[name].card.version if name in known else None for name in members}
            pinned += [(f"{kind} {name}", version, now[name]) for name, version in members.items()]
        return [
            f"{what} {'is not registered any more' if now is None else f'has version {now} now'}, and had {version}"
            for what, version, now in pinned
            if now != version
        ]

    def check(self) -> None:
        """Raise InvalidRegistration: a member is not as it was; says which, and what to do."""
        changes = self.list_changes()
        if changes:
            newer = find_newer(self.name)
            way = f"score the suite {newer}" if newer else "install the version of brainmark that released it"
            more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
            raise InvalidRegistration(
                f"suite {self.name}: {changes[0]}{more}; scores of today would not compare with others under this "
                f"name: {way}, or name its benchmarks one by one"
            )

    def nodes(self) -> list[Node]:
        """Return the trees of its benchmarks; their roots say which suite they are of."""
        cards = {name: registry.benchmarks[name].card for name in self.benchmarks}
        for name, card in cards.items():  # what was superseded since counts in its suite as before
            cards[name] = card.model_copy(update={"superseded_by": None})
        return [_say_suite(root, self.name) for root in tree(cards)]


def _say_suite(node: Node, suite: str) -> Node:
    root, *below = node.path
    return replace(
        node, path=(f"{root}{AT}{suite}", *below), children=tuple(_say_suite(child, suite) for child in node.children)
    )


@cache
def list_suites(table: Path = TABLE) -> Mapping[str, Suite]:
    """Return all suites by name."""
    found = tomllib.loads(table.read_text("utf-8"))
    return {name: Suite(name=name, **fields) for name, fields in found.items()}


def find_newer(name: str) -> str | None:
    """Return the newest later version of a suite whose members are as they were."""
    family, _, version = name.rpartition("-")
    number = _number(version)
    later = [
        (_number(v), other)
        for other in list_suites()
        for f, _, v in [other.rpartition("-")]
        if f == family and _number(v) > number
    ]
    return next((other for _, other in sorted(later, reverse=True) if not list_suites()[other].list_changes()), None)


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
