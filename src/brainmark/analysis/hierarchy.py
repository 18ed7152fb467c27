"""Means at the nodes of the tree of benchmarks, with a count of the benchmarks that have no value.

A study is the mean over its benchmarks, a region over its studies, and so on upwards: a study with many metrics
weighs no more than one with a single metric. What has no value is left out and counted by its reason; it is never 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brainmark.core.cards import BenchmarkCard
from brainmark.core.libraries import np
from brainmark.core.score import Interval, Outcome, Score, interval_of
from brainmark.core.tree import Node, study
from brainmark.core.wording import plural

NO_CEILING = "without a ceiling"
DRAWS = 10_000  # pairings of the draws of different data


@dataclass(frozen=True)
class NodeScore:
    """A model at a node.

    Attributes
    ----------
    value : mean over the children that have one; None: none has.
    interval : 95 %, see `node_scores`; None: some benchmark has no draws.
    control : the same mean of the best controls; None: some benchmark has no control.
    known, total : benchmarks with a value, and all below the node.
    missing : why the others have none, with how many.
    """

    node: Node
    subject: str
    value: float | None
    interval: Interval | None
    control: float | None
    known: int
    total: int
    missing: Mapping[str, int]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing but what no model can have: a ceiling."""
        return self.known > 0 and not set(self.missing) - {NO_CEILING}

    @property
    def beaten(self) -> bool:
        """Whether the value is no better than that of the best controls."""
        return self.value is not None and self.control is not None and self.value <= self.control

    def describe(self) -> str:
        """Return how much is known, e.g. "3 of 5 benchmarks, 2 not applicable"."""
        missing = "".join(f", {count} {reason}" for reason, count in self.missing.items())
        return f"{self.known} of {self.total} {plural('benchmark', self.total)}{missing}"

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary, ready for JSON."""
        return {
            "node": "/".join(self.node.path), "subject": self.subject, "value": self.value, "interval": self.interval,
            "control": self.control, "known": self.known, "total": self.total, "missing": dict(self.missing),
        }  # fmt: skip


def node_scores(
    roots: Sequence[Node], outcomes: Iterable[Outcome], cards: Mapping[str, BenchmarkCard]
) -> dict[tuple[tuple[str, ...], str], NodeScore]:
    """Return the score of every subject at every node, by (path, subject).

    Errors enter jointly: draw k of the mean is the mean of draw k of the scores, and the interval spans the draws of
    the mean as that of a score does. Benchmarks that share a study or a dataset were drawn together (the same stimuli
    and units under the same k, where they have them in common), so their errors go together as far as they do in the
    data; of different data, draws are paired at random. Animals and people whom no draw replaces stay as they are.
    """
    table: dict[str, dict[str, Outcome]] = {}
    for outcome in outcomes:
        table.setdefault(outcome.subject, {})[outcome.benchmark] = outcome
    sources = _group_by_source([name for root in roots for name in root.leaves()], cards)
    nodes = [node for root in roots for node in root.walk()]
    return {(n.path, subject): _average(n, subject, own, sources) for subject, own in table.items() for n in nodes}


def _average(node: Node, subject: str, own: Mapping[str, Outcome], sources: Mapping[str, str]) -> NodeScore:
    leaves = node.leaves()
    why = {name: why_missing(own.get(name), node.raw) for name in leaves}
    known = {name: o for name in leaves if not why[name] and isinstance(o := own.get(name), Score)}
    weights = _weigh(node, set(known))
    floor = [weights[name] * control[0] for name, score in known.items() if (control := best_control(score))]
    return NodeScore(
        node=node,
        subject=subject,
        value=math.fsum(w * known[name].value for name, w in weights.items()) if known else None,
        interval=_find_interval(weights, known, sources),
        control=math.fsum(floor) if known and len(floor) == len(known) else None,
        known=len(known),
        total=len(leaves),
        missing=dict(Counter(reason for reason in why.values() if reason).most_common()),
    )


def why_missing(outcome: Outcome | None, raw: bool) -> str:
    """Return why an outcome does not enter the mean, "" where it does; `raw` values enter if the node counts them."""
    if outcome is None:
        return "not run"
    if not isinstance(outcome, Score):
        mild = {"not_applicable": "not applicable", "no_data": "no data", "not_run": "not run"}
        return mild.get(outcome.kind, f"failed ({outcome.kind})")
    if not math.isfinite(outcome.value):
        return "undefined"
    return "" if raw or is_normalised(outcome) else NO_CEILING


def is_normalised(score: Score) -> bool:
    """Return whether the value is a fraction of a ceiling: a positive one."""
    return score.ceiling is not None and score.ceiling > 0 and math.isfinite(score.value)


def best_control(score: Score) -> tuple[float, str] | None:
    """Return the highest of its controls, of which it may be one itself, with its name; None: it has none."""
    others = [(c.value, name) for name, c in score.controls.items() if name != score.subject]
    return max((c for c in others if math.isfinite(c[0])), default=None)


def _weigh(node: Node, known: set[str]) -> dict[str, float]:
    """Return the weight of each benchmark in the mean of means; they add up to 1."""
    parts = [{name: 1.0} for name in node.benchmarks if name in known]
    parts += [below for child in node.children if (below := _weigh(child, known))]
    return {name: weight / len(parts) for part in parts for name, weight in part.items()}


def _find_interval(
    weights: Mapping[str, float], known: Mapping[str, Score], sources: Mapping[str, str]
) -> Interval | None:
    together: dict[str, list[np.ndarray]] = {}
    for name, weight in weights.items():
        draws = known[name].draws
        if draws is None:
            return None
        together.setdefault(sources[name], []).append(weight * (draws - known[name].value))
    if not weights:
        return None
    errors = [_add_draws(each) for each in together.values()]
    if len(errors) > 1:
        generator = np.random.default_rng(len(errors))
        errors = [e[generator.integers(len(e), size=DRAWS)] for e in errors]
    mean = math.fsum(w * known[name].value for name, w in weights.items())
    return interval_of(mean + _add_draws(errors), mean)


def _add_draws(errors: Sequence[np.ndarray]) -> np.ndarray:
    """Draw by draw, as far as all have draws; NaN where one has none."""
    count = min(map(len, errors))
    return np.sum([e[:count] for e in errors], axis=0)


def _datasets_of(name: str, cards: Mapping[str, BenchmarkCard]) -> tuple[str, ...]:
    return cards[name].datasets if name in cards else ()


def _group_by_source(leaves: Sequence[str], cards: Mapping[str, BenchmarkCard]) -> dict[str, str]:
    """Map each benchmark to a name that it shares with all that have a study or a dataset in common with it."""
    first: dict[str, str] = {}

    def root(name: str) -> str:
        while first.setdefault(name, name) != name:
            name = first[name]
        return name

    for leaf in leaves:
        for shared in (f"study {study(leaf)}", *(f"dataset {d}" for d in _datasets_of(leaf, cards))):
            first[root(shared)] = root(leaf)
    return {leaf: root(leaf) for leaf in leaves}
