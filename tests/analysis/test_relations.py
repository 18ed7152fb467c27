"""Relations between scores: known answers, the field's libraries, and families of models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainmark.analysis.relation_figure import describe, make_cells
from brainmark.analysis.relations import (
    Method,
    p_by_families,
    p_of,
    relate,
    relate_all,
)  # fmt: skip
from brainmark.core import InvalidMeasurement, UnknownName
from brainmark.metrics.statistics.inference import holm


def pairs(n: int, r: float, seed: int = 0) -> pd.DataFrame:
    """Models drawn with a true correlation of r."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal(n)
    y = r * x + math.sqrt(1 - r * r) * generator.standard_normal(n)
    return pd.DataFrame({"x": x, "y": y}, index=[f"m{i}" for i in range(n)])


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("n", [5, 12, 40])
def test_r_and_p_are_those_of_scipy(method: Method, n: int) -> None:
    table = pairs(n, 0.6)
    found = relate(table, "x", "y", method=method, resamples=0)
    wanted = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[method](table["x"], table["y"])
    assert found.r == pytest.approx(wanted.statistic)
    assert found.p == pytest.approx(wanted.pvalue)
    assert found.interval is None


@pytest.mark.parametrize(("n", "r"), [(15, 0.8), (30, 0.3), (60, -0.5)])
def test_the_interval_is_that_of_scipy(n: int, r: float) -> None:
    table = pairs(n, r, 1)
    found = relate(table, "x", "y", resamples=9999)

    def statistic(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return stats.pearsonr(x, y, axis=axis).statistic

    wanted = stats.bootstrap(
        (table["x"], table["y"]), statistic, paired=True, vectorized=True, method="BCa", rng=np.random.default_rng(3)
    ).confidence_interval
    assert found.interval == pytest.approx((wanted.low, wanted.high), abs=0.02)


@pytest.mark.slow
def test_intervals_hold_the_true_value_as_often_as_they_say() -> None:
    held = 0
    for seed in range(200):
        interval = relate(pairs(20, 0.5, seed), "x", "y", resamples=800, seed=seed).interval
        assert interval is not None
        held += interval[0] <= 0.5 <= interval[1]
    assert 0.88 <= held / 200 <= 0.99


def test_published_p_values_follow_from_r_and_15_models() -> None:
    """Aw et al. 2023 give r .809 with p .0003, and r .679 with p .005."""
    assert round(p_of(0.809, 15), 4) == 0.0003
    assert round(p_of(0.679, 15), 3) == 0.005
    assert p_of(1.0, 10) == 0
    assert p_of(0.0, 10) == pytest.approx(1)


def test_missing_cells_are_left_out_and_counted() -> None:
    table = pairs(10, 0.9)
    table.loc["m0", "x"], table.loc["m1", "y"], table.loc["m2", ["x", "y"]] = np.nan, np.nan, np.nan
    found = relate(table, "x", "y")
    assert found.models == tuple(f"m{i}" for i in range(3, 10))
    assert found.left_out == 3
    assert found.r == relate(table.iloc[3:], "x", "y").r


def families_of(table: pd.DataFrame, count: int) -> dict[str, str]:
    return {name: f"f{i % count}" for i, name in enumerate(table.index)}


def clustered(count: int, members: int, seed: int) -> tuple[pd.DataFrame, dict[str, str]]:
    """Unrelated families, whose members are nearly the same."""
    generator = np.random.default_rng(seed)
    values = np.repeat(generator.standard_normal((count, 2)), members, axis=0)
    values += 0.1 * generator.standard_normal(values.shape)
    names = [f"f{i // members}-{i % members}" for i in range(len(values))]
    return pd.DataFrame(values, names, ["x", "y"]), {name: name.partition("-")[0] for name in names}


def test_families_widen_the_interval_and_raise_p() -> None:
    table, families = clustered(6, 8, 0)
    alone, together = relate(table, "x", "y"), relate(table, "x", "y", families=families)
    assert together.r == alone.r
    assert alone.interval is not None
    assert together.interval is not None
    assert np.ptp(together.interval) > 1.5 * np.ptp(alone.interval)
    assert together.p > alone.p
    assert set(together.families) == set(families.values())


@pytest.mark.slow
def test_pseudo_replicates_do_not_make_relations() -> None:
    """Unrelated families of eight: called at 5 % by models far too often, by families about as often as said."""
    runs = 200
    p = np.array([
        [p_of(float(np.corrcoef(t["x"], t["y"])[0, 1]), len(t)), p_by_families(t.to_numpy(), list(f.values()))]
        for t, f in (clustered(8, 8, seed) for seed in range(runs))
    ])  # fmt: skip
    naive, aware = (p < 0.05).mean(axis=0)
    assert naive > 0.4
    assert aware < 0.12


def test_a_true_relation_between_families_is_found() -> None:
    generator = np.random.default_rng(0)
    centre = np.linspace(-2, 2, 10)
    x = np.repeat(centre, 3) + 0.1 * generator.standard_normal(30)
    y = np.repeat(centre, 3) + 0.3 * generator.standard_normal(30)
    groups = [f"f{i // 3}" for i in range(30)]
    assert p_by_families(np.stack([x, y], 1), groups) < 0.01


def test_families_of_one_are_models() -> None:
    """With each model a family of its own, p is near that of independent models, and the interval is the same."""
    table = pairs(12, 0.7, 2)
    each = relate(table, "x", "y", families={})
    alone = relate(table, "x", "y")
    assert each.interval == pytest.approx(alone.interval)
    assert each.p == pytest.approx(alone.p, abs=0.03)


def test_p_by_families_has_a_floor() -> None:
    x = np.repeat([0.0, 1.0, 2.0], 4) + np.tile([0.0, 0.01, 0.02, 0.03], 3)
    assert p_by_families(np.stack([x, x + 0.001 * np.arange(12) % 3], 1), list("aaaabbbbcccc")) >= 0.25


def test_draws_of_two_models_say_nothing() -> None:
    """Of five models, one draw in ten holds at most two: r is 1 or -1, and would be an end of the interval."""
    x = np.arange(5.0)
    interval = relate(
        pd.DataFrame({"x": x, "y": x + np.array([0, 0.8, -0.8, 0.8, 0])}, list("abcde")), "x", "y"
    ).interval
    assert interval is not None
    assert -0.999 < interval[0] < interval[1] < 1


def test_p_is_corrected_over_all_that_are_computed_together() -> None:
    table = pairs(20, 0.5)
    generator = np.random.default_rng(5)
    for i in range(5):
        table[f"z{i}"] = generator.standard_normal(20)
    wanted = [("x", "y"), *((f"z{i}", "y") for i in range(5))]
    fdr = relate_all(table, wanted, resamples=0)
    p = [one.p for one in fdr]
    assert [one.q for one in fdr] == pytest.approx(stats.false_discovery_control(p))
    strict = relate_all(table, wanted, correction="holm", resamples=0)
    assert [one.q for one in strict] == pytest.approx(holm(np.array(p)))
    assert all(a.q >= b.q for a, b in zip(strict, fdr, strict=True))


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, np.nan, 0.5])), [0.04, 0.09, 0.09, np.nan, 0.5])
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(np.array([1.5]))


@pytest.mark.parametrize(
    ("table", "families", "error", "reason"),
    [
        (pairs(3, 0.5), None, InvalidMeasurement, "3 models have both"),
        (pairs(9, 0.5).assign(y=1.0), None, InvalidMeasurement, "y: all 9 models have the same value"),
        (pairs(9, 0.5).rename(columns={"y": "yy"}), None, UnknownName, "did you mean 'yy'|unknown column 'y'"),
        (pairs(8, 0.5), families_of(pairs(8, 0.5), 2), InvalidMeasurement, "8 models are of 2 families"),
    ],
)
def test_what_cannot_be_related(
    table: pd.DataFrame, families: dict[str, str] | None, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        relate(table, "x", "y", families=families)


def test_methods_and_corrections_that_are_not_known() -> None:
    method: Any = "kendall"
    with pytest.raises(UnknownName, match="pearson or spearman"):
        relate(pairs(9, 0.5), "x", "y", method=method)
    correction: Any = "bonferroni"
    with pytest.raises(UnknownName, match="fdr or holm"):
        relate_all(pairs(9, 0.5), [("x", "y")], correction=correction)


def test_a_relation_is_json_and_a_row() -> None:
    found = relate(pairs(9, 0.5), "x", "y", families=families_of(pairs(9, 0.5), 3))
    plain = found.to_dict()
    assert (plain["n"], plain["q"]) == (9, None)
    assert plain["points"][0]["model"] == "m0"
    assert make_cells(found)[-1] == "9 of 3 families"
    assert describe(found).startswith(f"r {found.r:.2f} [")
