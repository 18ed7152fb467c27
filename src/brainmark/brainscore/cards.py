"""The cards of this room: data sets that Brain-Score publishes, and benchmarks on them in its convention."""

from __future__ import annotations

from typing import Any

from brainmark.core.cards import BenchmarkCard, DatasetCard

LICENCE = "not stated; see the publication"


def dataset_card(summary: str, *, tags: tuple[str, ...] = (), **rest: Any) -> DatasetCard:
    """Return the card of a data set of vision, unless `rest` says otherwise. The files state no licence."""
    usual = {"licence": LICENCE, "domain": "vision", "modality": "image", "tags": ("brainscore", *tags)}
    return DatasetCard(summary=summary, **(usual | rest))


def benchmark_card(
    summary: str, dataset: str, about: DatasetCard, metric: str, region: str, *, tags: tuple[str, ...] = (), **rest: Any
) -> BenchmarkCard:
    """Return the card of a benchmark on the data set `dataset`, whose card is `about`; `rest` replaces what it says."""
    usual = {"licence": about.licence, "cite": about.cite, "domain": about.domain, "species": about.species}
    return BenchmarkCard(
        summary=f"{summary}, as Brain-Score publishes it.", datasets=(dataset,), metric=metric, region=region,
        tree="brainscore", tags=("brainscore", *tags), **(usual | {"parent": region} | rest),
    )  # fmt: skip
