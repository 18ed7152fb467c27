"""Registers the studies of this room: data sets that Brain-Score publishes, and benchmarks in its convention."""

from __future__ import annotations

from typing import Any

from brainmark.core import Study, register_benchmark
from brainmark.core.study import calling_module

PUBLISHED = Study(  # the files state no licence
    licence="not stated; see the publication", cite="schrimpf2018", species="human", domain="vision",
    modality="image", tags=("brainscore",),
)  # fmt: skip


def register_published(
    name: str, dataset: str, metric: str, summary: str, *, tags: tuple[str, ...] = (), **rest: Any
) -> None:
    """Register a benchmark of Brain-Score; `rest` as for `register_benchmark`, whose `convention` is always given."""
    register_benchmark(
        name, dataset, metric, summary=f"{summary}, as Brain-Score publishes it.", tree="brainscore",
        tags=("brainscore", *tags), module=calling_module(), **rest,
    )  # fmt: skip
