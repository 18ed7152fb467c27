"""The simulations of `bench/honesty.py`, few experiments each, with the tolerance that their number asks for."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "honesty.py"
QUICK = (
    "error consistency, 160 presentations, 5 subjects",
    "true model 2.83",
    "true model 5.66",
    "true RDM pearson 2.0",
    "true RDM tau-a 0.5",
    "CKA",
    "crossnobis",
)


@pytest.fixture(scope="module")
def honesty() -> ModuleType:
    spec = importlib.util.spec_from_file_location("honesty", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["honesty"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", QUICK)
def test_a_known_truth_is_found(honesty: ModuleType, name: str) -> None:
    row = dict(honesty.rows(60))[name]()
    assert row.good, row


def test_the_check_of_intervals_fails_for_intervals_that_are_too_narrow(honesty: ModuleType) -> None:
    from dataclasses import replace

    def narrow(seed: int):
        raw, _ = honesty.similar(30, seed)
        return replace(raw, replicates=raw.values.values + 0.3 * (raw.replicates - raw.values.values)), None

    assert not honesty.coverage("a third as wide as they should be", narrow, 40).good


def test_the_check_of_means_fails_for_a_bias(honesty: ModuleType) -> None:
    import numpy as np

    assert not honesty.about("biased", np.random.default_rng(0).normal(0.1, 0.1, 100), 0.0, 0.02).good
