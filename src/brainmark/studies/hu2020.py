"""Hu 2020 (SyntaxGym): 34 suites of sentences that come in regions, with predictions about their surprisals.

An item is one sentence frame in several conditions; what a reader with the grammar of English finds less expected is
said by formulas, see `brainmark.metrics.language.formulas`. Nobody was measured.

The two predictions of ``fgd_hierarchy`` exclude each other: what region 6 costs with a gap in subject position is to be
less in one condition, and to be equal. Its score cannot exceed a half.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from brainmark.core import DataError, DatasetCard, Setting, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import pd, xr
from brainmark.data.fetch import GitFolder, read_list

CITE = """
@inproceedings{Hu2020,
  title = {A Systematic Assessment of Syntactic Generalization in Neural Language Models},
  author = {Hu, Jennifer and Gauthier, Jon and Qian, Peng and Wilcox, Ethan and Levy, Roger},
  booktitle = {Proceedings of the 58th Annual Meeting of the Association for Computational Linguistics},
  pages = {1725--1744},
  year = {2020},
  doi = {10.18653/v1/2020.acl-main.158}
}
@inproceedings{Gauthier2020,
  title = {{SyntaxGym}: An Online Platform for Targeted Evaluation of Language Models},
  author = {Gauthier, Jon and Hu, Jennifer and Wilcox, Ethan and Qian, Peng and Levy, Roger},
  booktitle = {Proceedings of the 58th Annual Meeting of the Association for Computational Linguistics: System
               Demonstrations},
  pages = {70--76},
  year = {2020}
}
"""
LICENCE = "MIT"
FILES = GitFolder(
    owner="cpllab",
    repo="syntactic-generalization",
    commit="43f1f86b746254406dafc89bd17b9d4976607ef6",
    folder="test_suites/json",
    files=read_list(Path(__file__).parent / "tables" / "hu2020.tsv"),
)
SUITES = tuple(name.removesuffix(".json") for name in FILES.files)


def predictions(suite: str) -> tuple[str, ...]:
    """Return the formulas of a suite."""
    return tuple(p["formula"] for p in _content(suite)["predictions"])


def _register(suite: str) -> None:
    name = f"SyntaxGym.{suite}"
    card = DatasetCard(
        summary=f"Sentences by region, with predictions about their surprisals: suite {suite}.",
        licence=LICENCE,
        cite=CITE,
        domain="language",
        species=("none",),
        regions=(),
        modality="text",
        sources=(FILES.source(f"{suite}.json"),),
    )

    @datasets.add(name, card=card)
    def load() -> Dataset:
        """Regions: presentation; 1: a prediction is about it, 0: it is not."""
        table = _regions(suite)
        columns = {c: ("presentation", table[c].to_numpy()) for c in ("item", "condition", "region_number")}
        measurement = xr.DataArray(
            table["critical"].to_numpy(float),
            dims="presentation",
            coords={"stimulus_id": ("presentation", table.index.to_numpy(str)), **columns},
            attrs={"units": "1: a prediction is about this region"},
        )
        return Dataset(name, card, measurement, Stimuli(name, "text", table), Setting(context="sentence"))


def _regions(suite: str) -> pd.DataFrame:
    """One row for each region of each sentence, in order; regions may be empty."""
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
    _register(_suite)
