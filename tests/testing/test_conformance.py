"""Everything that is registered here passes the conformance suite; what needs recordings is skipped without them.

Of the networks whose weights are gigabytes elsewhere, some untrained twins stand for all.
"""

from __future__ import annotations

from typing import Any

import pytest

from brainmark.core import datasets
from brainmark.core.registry import Entry
from brainmark.testing import cases, check_benchmark, check_dataset, check_metric, check_model

HERE = ("cifar-resnet",)  # ships
LONG = ("Wikitext-accuracy", "Wikitext-next_word", "Wikitext-probability", "Brown-next_word", "BLiMP-accuracy")
ALIKE = {  # families whose members differ in data or size alone: who stands for all
    "SyntaxGym.": ("number_prep", "fgd_hierarchy", "nn-nv-rpl"),
    "syntaxgym-": ("number_prep", "fgd_hierarchy"),
    "Frank2015.": ("N400", "self_paced", "cloze", "N400-correlation", "N400-partial", "self_paced-likelihood"),
    "Brennan2016.": ("LATL-ridge", "LATL-unique", "RATL.people-ridge", "RATL-surprisal"),
    "BLiMP.": ("sample-accuracy", "ellipsis-accuracy"),
    "CIFAR10C.": ("gaussian_noise-top1", "frost-top1"),
    "Cowley2023.V4.201025-": ("ridge",),
    "ngram-": ("3",),
    "blt-": ("bt",),
}
TWINS = ("squeezenet1_1:random", "mobilenet_v2_0.35_96:random", "CORnet-Z:random")
CHECKS = {"model": check_model, "dataset": check_dataset, "metric": check_metric, "benchmark": check_benchmark}
REGISTERED = {(c.entry.kind, c.entry.name): c.entry for c in cases()}


def _elsewhere(entry: Entry[Any, Any]) -> bool:
    """Whether it is a network whose published weights are to be downloaded, or others stand for it.

    `Brown-probability` and the parts of BLiMP stand for the long texts, of which each has 100,000 presentations.
    """
    name = entry.name
    if name in LONG or any(name.startswith(f) and name.removeprefix(f) not in kept for f, kept in ALIKE.items()):
        return True
    return entry.kind == "model" and entry.options.get("weights") == "published" and name not in HERE


def _marks(entry: Entry[Any, Any]) -> list[pytest.MarkDecorator]:
    names = {"dataset": (entry.name,), "benchmark": getattr(entry.card, "datasets", ())}.get(entry.kind, ())
    real = any(source.url for name in names for source in datasets[name].card.sources)
    return [pytest.mark.realdata] if real else []


# One test for one thing, not for one rule: its checks share what it loads.
@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(entry, id=f"{kind}-{name}", marks=_marks(entry))
        for (kind, name), entry in REGISTERED.items()
        if not _elsewhere(entry)
    ],
)
def test_what_is_registered_keeps_the_rules(entry: Entry[Any, Any]) -> None:
    results = CHECKS[entry.kind](entry)
    absent = [r for r in results if r.outcome == "skipped" and r.check.startswith("The files")]
    if absent:
        pytest.skip(absent[0].message)


@pytest.mark.parametrize("name", TWINS)
def test_ready_made_networks_keep_the_rules(name: str) -> None:
    assert not [r.check for r in check_model(name) if r.outcome == "skipped"]
