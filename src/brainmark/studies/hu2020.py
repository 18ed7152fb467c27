"""Hu 2020 (SyntaxGym): 34 suites of sentences that come in regions, with predictions about their surprisals.

An item is one sentence frame in several conditions; formulas state what a reader with the grammar of English finds
less expected, see `brainmark.metrics.language.formulas`. There are no measurements of people. Formulas are about sums
of surprisals over regions. A model without expectations fulfils some of them by chance: see the control, in which
surprisals are exchanged between regions.

The two predictions of ``fgd_hierarchy`` exclude each other: with a gap in subject position, the surprisal of region 6
is to be less in one condition than in another, and to be equal. The score of the suite cannot exceed a half.
"""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

from brainmark.core import (
    DataError,
    Dataset,
    Read,
    Setting,
    Stimuli,
    Study,
    register_benchmark,
    shuffled,
    untrained_twin,
)
from brainmark.core.libraries import pd, xr
from brainmark.data.fetch import GitFolder, read_list

FILES = GitFolder(
    "cpllab/syntactic-generalization@43f1f86b746254406dafc89bd17b9d4976607ef6/test_suites/json",
    read_list(Path(__file__).parent / "tables" / "hu2020.tsv"),
)
SUITES = tuple(name.removesuffix(".json") for name in FILES.files)
STUDY = Study(
    licence="MIT", cite="hu2020 gauthier2020", species="none", domain="language", modality="text",
    setting=Setting(context="sentence"),
)  # fmt: skip


def predictions(suite: str) -> tuple[str, ...]:
    """Return the formulas of a suite."""
    return tuple(p["formula"] for p in _content(suite)["predictions"])


def _options(_: Dataset, suite: str) -> dict[str, Any]:
    return {"formulas": predictions(suite)}


def read_suite(suite: str) -> tuple[xr.DataArray, Stimuli]:
    """Read which regions (presentation,) predictions are about: 1 if one is about it, else 0."""
    table = _regions(suite)
    columns = {c: ("presentation", table[c].to_numpy()) for c in ("item", "condition", "region_number")}
    measurement = xr.DataArray(
        table["critical"].to_numpy(float),
        dims="presentation",
        coords={"stimulus_id": ("presentation", table.index.to_numpy(str)), **columns},
        attrs={"units": "1: a prediction is about this region"},
    )
    return measurement, Stimuli(f"SyntaxGym.{suite}", "text", table)


def _regions(suite: str) -> pd.DataFrame:
    """Return one row for each region of each sentence, in order; regions may be empty."""
    content = _content(suite)
    about = "".join(p["formula"].replace(" ", "") for p in content["predictions"])
    rows: list[dict[str, Any]] = []
    for item in content["items"]:
        for condition in item["conditions"]:
            named = condition["condition_name"]
            rows += [
                {
                    "stimulus_id": f"{suite}/{item['item_number']}.{named}.{region['region_number']}",
                    "text": region["content"].strip(),
                    "item": int(item["item_number"]),
                    "condition": named,
                    "region_number": int(region["region_number"]),
                    "sentence": f"{item['item_number']}.{named}",
                    "critical": f"({region['region_number']};%{named}%)" in about,
                }
                for region in condition["regions"]
            ]
    return pd.DataFrame(rows).set_index("stimulus_id")


def _content(suite: str) -> dict[str, Any]:
    return _read(FILES.fetch(f"{suite}.json"))


@cache
def _read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not content.get("items") or not content.get("predictions"):
        raise DataError(f"{path}: no items or no predictions")
    if content["meta"]["metric"] != "sum":
        raise DataError(f"{path}: surprisals are combined by {content['meta']['metric']!r}, not by their sum")
    return content


for _suite in SUITES:
    STUDY.dataset(
        f"SyntaxGym.{_suite}", _suite, sources=(FILES.source(f"{_suite}.json"),),
        summary=f"Sentences by region, with predictions about their surprisals: suite {_suite}.",
    )(read_suite)  # fmt: skip
    register_benchmark(
        f"SyntaxGym.{_suite}", f"SyntaxGym.{_suite}", "predictions_hold", ask=Read("surprisal"),
        options=partial(_options, suite=_suite),
        summary=f"Share of items in which surprisals are as the grammar predicts (suite {_suite}).",
        controls=(untrained_twin(), shuffled()), parent="engineering", tags=("engineering", "grammar"),
    )  # fmt: skip
