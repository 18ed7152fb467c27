"""Looking registered things up by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brainmark.core.registry import benchmarks, datasets, metrics, models

if TYPE_CHECKING:
    from brainmark.core.benchmark import Benchmark
    from brainmark.core.cards import Domain
    from brainmark.core.comparison import Metric
    from brainmark.core.subject import Subject


def load_model(name: str, **options: Any) -> Subject:
    """Return the model registered as `name`; its factory's options may be given. Raises UnknownName."""
    return models[name].load(**options)


def load_benchmark(name: str, **options: Any) -> Benchmark:
    """Return the benchmark registered as `name`, with its data. Raises UnknownName, DataError."""
    return benchmarks[name].load(**options)


def load_dataset(name: str, **options: Any) -> Any:
    """Return the dataset registered as `name`. Raises UnknownName, DataError."""
    return datasets[name].load(**options)


def load_metric(name: str, **options: Any) -> Metric:
    """Return the metric registered as `name`; its factory's options may be given. Raises UnknownName."""
    return metrics[name].load(**options)


def list_models(*, domain: Domain | None = None, region: str | None = None) -> list[str]:
    """Return the names of the models, of one domain or committed to one region if given."""
    return [
        e.name for e in models.entries() if domain in (None, e.card.domain) and (not region or region in e.card.regions)
    ]


def list_benchmarks(*, domain: Domain | None = None, region: str | None = None) -> list[str]:
    """Return the names of the benchmarks, of one domain or region if given."""
    return [e.name for e in benchmarks.entries() if domain in (None, e.card.domain) and region in (None, e.card.region)]


def list_datasets(*, domain: Domain | None = None, region: str | None = None) -> list[str]:
    """Return the names of the datasets, of one domain or with recordings from one region if given."""
    return [
        e.name
        for e in datasets.entries()
        if domain in (None, e.card.domain) and (not region or region in e.card.regions)
    ]


def list_metrics() -> list[str]:
    """Return the names of the metrics."""
    return list(metrics)
