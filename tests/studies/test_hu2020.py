"""SyntaxGym as published."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from brainmark.core import benchmarks
from brainmark.core.dataset import Dataset
from brainmark.metrics.language.formulas import Formula, parse_formula
from brainmark.studies import hu2020

pytestmark = pytest.mark.realdata


@pytest.mark.parametrize("suite", hu2020.SUITES)
def test_every_suite_reads_and_is_obeyed_by_who_knows(study: Callable[[str], Dataset], suite: str) -> None:
    """Surprisals that are made to obey a prediction fulfil it; those of a reader without expectations do not."""
    found = study(f"SyntaxGym.{suite}")
    assert found.stimuli is not None
    formulas = [parse_formula(text) for text in hu2020.predictions(suite)]
    cells = {cell for formula in formulas for cell in formula.cells}
    table = found.stimuli.table
    named = set(zip(table["region_number"], table["condition"], strict=True))
    assert cells <= named
    assert int(table["critical"].sum()) == len(cells) * table["item"].nunique()

    benchmark = benchmarks[f"SyntaxGym.{suite}"].load()
    for k, formula in enumerate(formulas):
        costs = obedient(formula)
        bits = [costs.get((n, c), 1.0) for n, c in zip(table["region_number"], table["condition"], strict=True)]
        known = benchmark.metric(found.measurement.copy(data=np.array(bits)), benchmark.target)
        assert known.values.values[k] == 1.0
    flat = benchmark.metric(found.measurement.copy(data=np.ones(len(table))), benchmark.target)
    assert flat.aggregate() == (0.5 if suite == "fgd_hierarchy" else 0.0)  # its second prediction is an equality


def obedient(formula: Formula) -> dict[tuple[int, str], float]:
    """Search for surprisals of 1 to 5 bits that fulfil a prediction."""
    generator = np.random.default_rng(0)
    tried = {cell: generator.integers(1, 6, 100_000).astype(float) for cell in formula.cells}
    holds = formula(tried)
    assert holds.any(), f"nothing fulfils {formula.text}"
    return {cell: float(values[holds.argmax()]) for cell, values in tried.items()}
