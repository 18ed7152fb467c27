"""Looking registered things up by name."""

from __future__ import annotations

from typing import Any

from brainmark.core.benchmark import Benchmark
from brainmark.core.cards import Card, Domain
from brainmark.core.comparison import Metric
from brainmark.core.errors import UnknownName
from brainmark.core.registry import Entry, Registry, benchmarks, datasets, metrics, models
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


def select(known: Registry[Any, Any], region: str | None = None, domain: str | None = None) -> list[Entry[Any, Any]]:
    """Return the entries of one region or domain; case does not count. Raises UnknownName for one that none has."""
    entries = known.entries()
    for what, wanted, of in (("region", region, _regions), ("domain", domain, _domain)):
        if wanted is None:
            continue
        values = {value.lower(): value for e in known.entries() for value in of(e.card)}
        if wanted.lower() not in values:
            listing = f" ({what}s of {known.kind}s: {', '.join(sorted(values.values())) or 'none'})"
            raise UnknownName(what, wanted, values.values(), listing)
        entries = [e for e in entries if values[wanted.lower()] in of(e.card)]
    return entries


def _regions(card: Card) -> tuple[str, ...]:
    region = getattr(card, "region", None)
    return (region,) if region else tuple(getattr(card, "regions", ()))


def _domain(card: Card) -> tuple[str, ...]:
    domain = getattr(card, "domain", None)
    return (domain,) if domain else ()


def list_models(*, domain: Domain | None = None, region: str | None = None) -> list[str]:
    """Return the names of the models, of one domain or committed to one region if given. Raises UnknownName."""
    return [e.name for e in select(models, region, domain)]


def list_benchmarks(*, domain: Domain | None = None, region: str | None = None) -> list[str]:
    """Return the names of the benchmarks, of one domain or region if given. Raises UnknownName."""
    return [e.name for e in select(benchmarks, region, domain)]


def list_datasets(*, domain: Domain | None = None, region: str | None = None) -> list[str]:
    """Return the names of the datasets, of one domain or region if given. Raises UnknownName."""
    return [e.name for e in select(datasets, region, domain)]


def list_metrics() -> list[str]:
    """Return the names of the metrics."""
    return list(metrics)
