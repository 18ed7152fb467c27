"""Alignment against abilities: simulated tables whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainmark.analysis.world_knowledge import (
    ALIGNMENT,
    OVERALL,
    additive_means,
    make_category_table,
    relate_categories,
)  # fmt: skip
from brainmark.core import InvalidMeasurement

NAMES = [f"m{i:02d}" for i in range(25)]
CATEGORIES = {
    **{f"knows{i}": "knowledge" for i in range(6)},
    **{f"speaks{i}": "multilingual" for i in range(4)},
}


def simulated(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Models whose alignment follows what they know, and not which languages they speak."""
    generator = np.random.default_rng(seed)
    knows, speaks = generator.standard_normal((2, 25))
    alignment = {f"b{i}": knows + 0.4 * generator.standard_normal(25) for i in range(3)}
    difficulty = generator.uniform(-3, 3, len(CATEGORIES))
    tasks = {
        name: (knows if kind == "knowledge" else speaks) + 0.4 * generator.standard_normal(25) + hard
        for (name, kind), hard in zip(CATEGORIES.items(), difficulty, strict=True)
    }
    return pd.DataFrame(alignment, NAMES), pd.DataFrame(tasks, NAMES)


def test_the_category_that_matters_is_found() -> None:
    alignment, tasks = simulated()
    overall, knowledge, languages = relate_categories(alignment, tasks, CATEGORIES, resamples=500)
    assert [r.x for r in (overall, knowledge, languages)] == [OVERALL, "knowledge", "multilingual"]
    assert knowledge.r > 0.85
    assert knowledge.q < 1e-6
    assert abs(languages.r) < 0.45
    assert languages.q > 0.02
    assert overall.q == overall.p
    assert knowledge.q == pytest.approx(2 * knowledge.p)
    assert all(r.y == ALIGNMENT for r in (overall, knowledge, languages))


def test_with_all_cells_category_scores_are_means() -> None:
    alignment, tasks = simulated()
    table, _ = make_category_table(alignment, tasks, CATEGORIES)
    pd.testing.assert_series_equal(table["knowledge"], tasks.filter(like="knows").mean(axis=1), check_names=False)
    pd.testing.assert_series_equal(table[ALIGNMENT], alignment.mean(axis=1), check_names=False)


def test_leaving_out_hard_tasks_makes_no_better_model() -> None:
    alignment, tasks = simulated()
    hard = tasks.filter(like="knows").mean().idxmin()
    holes = tasks.copy()
    holes.loc["m03", hard] = np.nan
    whole, filled = (make_category_table(alignment, t, CATEGORIES)[0]["knowledge"] for t in (tasks, holes))
    naive = holes.filter(like="knows").mean(axis=1)
    assert abs(filled["m03"] - whole["m03"]) < 0.25
    assert naive["m03"] - whole["m03"] > 0.25
    relation = relate_categories(alignment, holes, CATEGORIES, resamples=0)[1]
    assert len(relation.models) == 25


def test_additive_tables_are_filled_exactly() -> None:
    generator = np.random.default_rng(1)
    cells = generator.standard_normal((8, 1)) + generator.standard_normal((1, 5))
    table = pd.DataFrame(cells, [f"m{i}" for i in range(8)])
    holes = table.mask(generator.random((8, 5)) < 0.3)
    np.testing.assert_allclose(additive_means(holes), table.mean(axis=1), atol=1e-9)


def test_models_that_share_no_task_are_not_compared() -> None:
    table = pd.DataFrame(
        [[1, 2, np.nan, np.nan], [2, 3, np.nan, np.nan], [0, 1, np.nan, np.nan], [np.nan, np.nan, 9, 9], [np.nan] * 4],
        list("abcde"),
    )
    means = additive_means(table)
    assert means.notna().tolist() == [True, True, True, False, False]
    assert means["a"] == 1.5
    assert additive_means(table.iloc[4:]).isna().all()


def test_one_value_a_model_is_an_alignment_too() -> None:
    alignment, tasks = simulated()
    one = relate_categories(alignment.mean(axis=1), tasks, CATEGORIES, resamples=0)
    other = relate_categories(alignment, tasks, CATEGORIES, resamples=0)
    assert [r.r for r in one] == pytest.approx([r.r for r in other])


def test_families_and_corrections_reach_the_relations() -> None:
    alignment, tasks = simulated()
    families = {name: f"f{i // 5}" for i, name in enumerate(NAMES)}
    found = relate_categories(alignment, tasks, CATEGORIES, families=families, correction="holm", resamples=100)
    assert all(len(set(r.families)) == 5 for r in found)
    assert found[1].p >= 2 / 2**5


def test_what_cannot_be_a_category() -> None:
    alignment, tasks = simulated()
    with pytest.raises(InvalidMeasurement, match="none of 10 tasks"):
        relate_categories(alignment, tasks, {})
    with pytest.raises(InvalidMeasurement, match="cannot be called 'overall'"):
        relate_categories(alignment, tasks, {"knows0": "overall"})
