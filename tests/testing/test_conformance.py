"""Everything that is registered here passes the conformance suite; what needs recordings is skipped without them."""

from __future__ import annotations

import pytest

from brainmark.core import datasets
from brainmark.testing import Case, cases


def _marks(case: Case) -> list[pytest.MarkDecorator]:
    names = {"dataset": (case.entry.name,), "benchmark": getattr(case.entry.card, "datasets", ())}.get(
        case.entry.kind, ()
    )
    real = any(source.url for name in names for source in datasets[name].card.sources)
    return [pytest.mark.realdata] if real else []


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case), marks=_marks(case)) for case in cases()])
def test_what_is_registered_keeps_the_rules(case: Case) -> None:
    case.run()
