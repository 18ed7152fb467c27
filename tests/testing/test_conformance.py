"""Everything that is registered here passes the conformance suite; what needs recordings is skipped without them.

Of the networks whose weights are gigabytes elsewhere, some untrained twins stand for all.
"""

from __future__ import annotations

import pytest

from brainmark.core import datasets
from brainmark.testing import Case, cases, check_model

HERE = ("cifar-resnet",)  # ships
LONG = ("Wikitext-accuracy", "Wikitext-next_word", "Wikitext-probability", "Brown-next_word", "BLiMP-accuracy")
TWINS = ("squeezenet1_1:random", "mobilenet_v2_0.35_96:random", "CORnet-Z:random")


def _elsewhere(case: Case) -> bool:
    """Whether it is a network whose published weights are to be downloaded, or asks 100,000 things that others ask too.

    `Brown-probability` and the parts of BLiMP stand for the long texts.
    """
    return case.entry.name in LONG or (
        case.entry.kind == "model" and case.entry.options.get("weights") == "published" and case.entry.name not in HERE
    )


def _marks(case: Case) -> list[pytest.MarkDecorator]:
    names = {"dataset": (case.entry.name,), "benchmark": getattr(case.entry.card, "datasets", ())}.get(
        case.entry.kind, ()
    )
    real = any(source.url for name in names for source in datasets[name].card.sources)
    return [pytest.mark.realdata] if real else []


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=str(case), marks=_marks(case)) for case in cases() if not _elsewhere(case)]
)
def test_what_is_registered_keeps_the_rules(case: Case) -> None:
    case.run()


@pytest.mark.parametrize("name", TWINS)
def test_ready_made_networks_keep_the_rules(name: str) -> None:
    assert not [r.check for r in check_model(name) if r.outcome == "skipped"]
