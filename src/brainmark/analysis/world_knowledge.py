"""Relates similarity to brains to task scores by category, such as world knowledge (Aw et al. 2023).

A category's score of a model is its mean over the category's tasks. Where cells are missing, it is the model's part in
an additive model (model + task) of the cells that are known, so that a model is not better for having left out hard
tasks; with all cells known that is the mean, up to a constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainmark.analysis.relations import Correction, Method, Relation, relate_all
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, pd, scipy

OVERALL = "overall"
ALIGNMENT = "alignment"


def relate_categories(
    alignment: pd.DataFrame | pd.Series,
    tasks: pd.DataFrame,
    categories: Mapping[str, str],
    *,
    method: Method = "pearson",
    families: Mapping[str, str] | None = None,
    correction: Correction = "fdr",
    resamples: int = 10_000,
    seed: int = 0,
) -> list[Relation]:
    """Correlate brain alignment with the task scores of each category, and of all tasks, over models.

    Parameters
    ----------
    alignment : model (index) x benchmarks, which are averaged, or one value a model.
    tasks : model (index) x tasks.
    categories : task -> category; tasks without one count in the overall score alone.
    method, families, resamples, seed : see `relations.relate`.
    correction : of p over the categories; the overall score is a test of its own.

    Returns
    -------
    The relation of all tasks first, then one for each category in the order of its first task; x is the category.

    Raises
    ------
    InvalidMeasurement : too few models have both, or no task belongs to a category.
    """
    table, names = make_category_table(alignment, tasks, categories)
    options: dict[str, Any] = {"method": method, "families": families, "resamples": resamples, "seed": seed}
    overall = relate_all(table, [(OVERALL, ALIGNMENT)], **options)
    return overall + relate_all(table, [(n, ALIGNMENT) for n in names], correction=correction, **options)


def make_category_table(
    alignment: pd.DataFrame | pd.Series, tasks: pd.DataFrame, categories: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of models with their alignment and their score overall and by category, and the categories."""
    names = list(dict.fromkeys(categories[task] for task in tasks.columns if task in categories))
    if not names:
        raise InvalidMeasurement(f"none of {len(tasks.columns)} tasks belongs to a category")
    if wrong := [name for name in names if name in (OVERALL, ALIGNMENT)]:
        raise InvalidMeasurement(
            f"a category cannot be called {wrong[0]!r}: this name is reserved for all tasks together"
        )
    columns = {ALIGNMENT: alignment if isinstance(alignment, pd.Series) else additive_means(alignment)}
    columns[OVERALL] = additive_means(tasks)
    for name in names:
        columns[name] = additive_means(tasks[[task for task in tasks.columns if categories.get(task) == name]])
    return pd.DataFrame(columns), names


def additive_means(table: pd.DataFrame) -> pd.Series:
    """Return the mean of each row over columns, missing cells filled by an additive model of rows and columns.

    Rows without a cell are NaN. Rows that share no column, directly or by way of others, cannot be compared: of such
    parts the largest is kept, the other rows are NaN.
    """
    cells = table.astype(float).to_numpy()
    kept = _find_comparable(np.isfinite(cells))
    result = np.full(len(cells), np.nan)
    if kept.any():
        rows = cells[kept]
        columns = np.isfinite(rows).any(axis=0)
        result[kept] = _average_rows(rows[:, columns])
    return pd.Series(result, index=table.index)


def _average_rows(cells: np.ndarray) -> np.ndarray:
    """Average the rows of cells (rows, columns), after NaN are filled by least squares of row and column effects."""
    known = np.isfinite(cells)
    if known.all():
        return cells.mean(axis=1)
    at_row, at_column = np.nonzero(known)
    design = np.zeros((len(at_row), sum(cells.shape)))
    design[np.arange(len(at_row)), at_row] = 1
    design[np.arange(len(at_row)), cells.shape[0] + at_column] = 1
    effects = np.linalg.lstsq(design, cells[known], rcond=None)[0]
    return effects[: len(cells)] + effects[len(cells) :].mean()


def _find_comparable(known: np.ndarray) -> np.ndarray:
    """Return the rows (mask) of the largest part of a table in which all rows can be compared."""
    rows, columns = known.shape
    links = np.zeros((rows + columns, rows + columns), bool)
    links[:rows, rows:] = known
    part = scipy.sparse.csgraph.connected_components(scipy.sparse.csr_array(links), directed=False)[1][:rows]
    some = np.asarray(known.any(axis=1))
    if not some.any():
        return some
    return some & (part == np.bincount(part[some]).argmax())
