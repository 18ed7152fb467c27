"""Tables of scores, model by benchmark, from outcomes or from CSV files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError, UnknownName
from brainmark.core.libraries import pd
from brainmark.core.registry import models
from brainmark.core.score import Outcome, Score
from brainmark.core.text import name_commands
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.text import read_text
from brainmark.data.readers.text_tables import DEFAULT, TableLayout, read_text_table
from brainmark.store.exchange import read_numbers

DETAIL = ":"
"""Between a benchmark and one of the details of its scores: ``Wikitext-probability:bits per character``."""
FAMILY, CATEGORY = "family", "category"


def make_table(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """Return values (models, benchmarks and details) of outcomes; NaN where there is none.

    The column of a benchmark holds the value of its scores, ``<benchmark>:<detail>`` one of their details.
    """
    rows: dict[str, dict[str, float]] = {}
    for outcome in outcomes:
        row = rows.setdefault(outcome.subject, {})
        if isinstance(outcome, Score):
            row[outcome.benchmark] = outcome.value
            row |= {f"{outcome.benchmark}{DETAIL}{name}": value for name, value in outcome.details.items()}
        else:
            row.setdefault(outcome.benchmark, math.nan)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def read_table(path: Path, layout: TableLayout = DEFAULT) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """Read a table of scores.

    A CSV file (or TSV) is wide, with a column ``model`` and one for each benchmark or task, or long, with columns
    ``model``, ``benchmark`` (or ``task``) and ``value`` (or ``score``). Both may have a column ``family``, the long one
    a column ``category``. Names are texts, whatever they look like. A JSON file is what ``brainmark score --json``
    printed.

    Parameters
    ----------
    layout : of a CSV file, see `brainmark.data.readers.text_tables.TableLayout`.

    Returns
    -------
    scores : model (index) x columns, NaN where there is none.
    families : model -> family, where it is stated.
    categories : column -> category, where it is stated.

    Raises
    ------
    DataError : the file cannot be read, or holds two values for a cell.
    """
    with explain_damage(path, "is not a table of scores"):
        if path.suffix.lower() == ".json":
            return _read_json(json.loads(read_text(path)), path)
    return _read_plain(read_text_table(path, layout), path, layout.decimal)


def _read_plain(plain: pd.DataFrame, path: Path, decimal: str) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    if "model" not in plain.columns:
        raise DataError(f"{path}: has no column 'model' among {', '.join(plain.columns)}")
    nameless = plain.index[plain["model"] == ""]
    if len(nameless):
        raise DataError(f"{path}: line {nameless[0]} names no model")
    plain = plain.assign(model=plain["model"].map(name_commands))
    families = _read_groups(plain, "model", FAMILY, path)
    column = next((name for name in ("benchmark", "task") if name in plain.columns), None)
    value = next((name for name in ("value", "score") if name in plain.columns), None)
    if column is None or value is None:
        wide = plain.drop(columns=FAMILY, errors="ignore")
        _refuse_twice(wide["model"].tolist(), path)
        numbers = {name_commands(str(c)): read_numbers(wide[c], path, decimal) for c in wide.columns if c != "model"}
        return pd.DataFrame(numbers, index=pd.Index(wide["model"].tolist(), name="model")), families, {}
    _refuse_twice(list(zip(plain["model"], plain[column], strict=True)), path)
    numbers = plain.assign(**{value: read_numbers(plain[value], path, decimal)})
    long = numbers.pivot(index="model", columns=column, values=value)
    order = list(dict.fromkeys(plain["model"])), list(dict.fromkeys(plain[column]))
    scores = long.loc[order[0], order[1]].rename(columns=name_commands).rename_axis(columns=None)
    return scores, families, _read_groups(plain, column, CATEGORY, path)


def _read_json(plain: Any, path: Path) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    scores = [one for one in plain if isinstance(one, dict) and "raw" in one] if isinstance(plain, list) else []
    if not scores:
        raise DataError(f"{path}: holds no score of 'brainmark score --json'")
    try:
        return make_table([Score.from_dict(one) for one in scores]), {}, {}
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _read_groups(plain: pd.DataFrame, of: str, what: str, path: Path) -> dict[str, str]:
    """Return what a column says of each thing; each must be said to be one."""
    if what not in plain.columns:
        return {}
    known = plain.loc[plain[what] != "", [of, what]].drop_duplicates()
    twice = known[known[of].duplicated()]
    if len(twice):
        raise DataError(f"{path}: {of} {twice.iloc[0][of]!r} is of more than one {what}")
    return dict(zip(known[of].astype(str), known[what].astype(str), strict=True))


def _refuse_twice(cells: Sequence[Any], path: Path) -> None:
    seen: set[Any] = set()
    for cell in cells:
        if cell in seen:
            raise DataError(f"{path}: has two values for {cell!r}")
        seen.add(cell)


def select_columns(table: pd.DataFrame, wanted: Sequence[str]) -> list[str]:
    """Return the columns that names and patterns choose, in order, each once. Raises UnknownName."""
    chosen: dict[str, None] = {}
    for name in wanted:
        if name in table.columns:
            chosen[name] = None
            continue
        hits = [column for column in table.columns if fnmatchcase(column, name) and DETAIL not in column]
        if not hits:
            raise UnknownName("column", name, table.columns, f" (columns: {', '.join(table.columns)})")
        chosen |= dict.fromkeys(hits)
    return list(chosen)


def families_of(table: pd.DataFrame, stated: Mapping[str, str]) -> dict[str, str]:
    """Return the family of each model: as stated, that of its card, or for checkpoints the run that they are of."""
    found: dict[str, str] = {}
    for name in map(str, table.index):
        if name in stated:
            found[name] = stated[name]
        elif name.startswith("checkpoint:"):
            found[name] = name.partition("@")[0]
        elif entry := models.get(name):
            found[name] = entry.card.family
    return found
