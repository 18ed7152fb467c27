"""What a score depends on, as registrations declare it: no data are read and no network is made for it.

It is a dictionary from what it is to its present state, both in words, so that what changed can be told:

==========================================  ============================================================================
``model NAME: version``                     a number on the card, raised by hand when answers change; so for the others
``model NAME: OPTION``                      the options of its factory with their defaults
``model NAME: regions``, ``degrees``        of its card
``model NAME: content``                     digest of its description (source, layers, preprocessing) and weights
``model NAME: code``, ``release``           of foreign code alone, see `declare`
``recording: version``, ``precision``       `core.versions.RECORDING`; the precision of networks
``benchmark NAME: ...``                     version, region, data set, metric, and what it was registered with
``dataset NAME: ...``                       version, sha256 of files, setting, arguments
``metric NAME: ...``                        version, and each parameter, as the benchmark sets it or by default
``scoring: version``                        `core.versions.SCORING`
==========================================  ============================================================================

Texts for people (summary, licence, citation, tags) are no part of it. Neither are the code of this package and the
versions of libraries: these are in the stamp of a score, see `run.stamp`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from importlib import metadata
from typing import Any

from brainmark.core import registry
from brainmark.core.benchmark import Control
from brainmark.core.cards import BenchmarkCard, DatasetCard, MetricCard, ModelCard
from brainmark.core.errors import BrainmarkError, ModelError, tell
from brainmark.core.registry import Entry
from brainmark.core.source_code import digest_code, is_our_code
from brainmark.core.versions import RECORDING, SCORING

Declared = dict[str, str]
HOW = ("device",)
"""Options that say how a number is computed, and not which."""
COUNTED: Mapping[type, tuple[str, ...]] = {
    ModelCard: ("regions", "degrees"),
    DatasetCard: ("regions",),
    MetricCard: ("compares",),
    BenchmarkCard: ("region", "datasets", "metric"),
}
"""Fields of cards that numbers depend on, beside the version; all others are for people, or place a benchmark."""


def declare_model(entry: Entry[Any, ModelCard]) -> Declared | None:
    """Return what scores of a model depend on; None where it cannot be known, as of a notebook. Raises ModelError."""
    found = declare(entry)
    return None if found is None else {**found, "recording: version": str(RECORDING)}


def declare_benchmark(entry: Entry[Any, BenchmarkCard]) -> Declared | None:
    """Return what scores on a benchmark depend on: its own registration, and those of its data sets and its metric.

    So do those of the models that are its controls. None where a part cannot be known, as of a notebook.
    """
    parts: list[Entry[Any, Any]] = [
        entry,
        *(known for name in entry.card.datasets if (known := registry.datasets.find(name))),
    ]
    if entry.card.metric in registry.metrics:
        parts.append(registry.metrics[entry.card.metric])
    parts += [registry.models[name] for name in _list_controls(entry) if name in registry.models]
    found: Declared = {}
    for part in parts:
        declared = declare(part)
        if declared is None:
            return None
        found |= declared
    options = entry.parameters.get("options")
    for name, value in options.items() if isinstance(options, Mapping) else ():
        found[f"metric {entry.card.metric}: {name}"] = write_plainly(value)
    return {**found, "scoring: version": str(SCORING)}


def declare(entry: Entry[Any, Any]) -> Declared | None:
    """Return what the numbers of one registered thing depend on, by name; None where that cannot be known.

    For code of this package, the version on the card stands. Foreign code declares nothing that could be relied on, so
    it counts too, by what it does (see `core.source_code`), and by the release of its distribution, which stands for
    files that are no Python. Where its card states a version, that version takes the place of the release.

    Raises
    ------
    ModelError : what it is made of cannot be read.
    """
    card, facts = entry.card, {}
    facts["version"] = card.version
    facts |= {name: value for name in COUNTED[type(card)] if (value := getattr(card, name)) not in (None, ())}
    if isinstance(card, DatasetCard) and card.sources:
        facts["files"] = digest_plainly([source.digest for source in card.sources])
    facts |= {name: value for name, value in entry.options.items() if name not in HOW}
    facts |= {name: value for name, value in entry.parameters.items() if value is not None and name != "options"}
    if callable(entry.parameters.get("options")):
        facts["options"] = entry.parameters["options"]
    if entry.content:
        facts["content"] = _read_content(entry.content, entry.name)
    if not is_our_code(entry.module):
        facts["code"] = digest_code(entry.module)
        if "version" not in card.model_fields_set and (release := _find_release(entry.module)):
            facts["release"] = release
    if None in (facts.get("content", ""), facts.get("code", "")):
        return None
    return {f"{entry.kind} {entry.name}: {name}": write_plainly(value) for name, value in facts.items()}


def digest_entry(entry: Entry[Any, Any]) -> str | None:
    """Return the sha256 over what is declared of one registered thing. Raises ModelError."""
    return digest_declared(declare(entry))


def digest_declared(declared: Declared | None) -> str | None:
    """Return the sha256 over what was declared."""
    return None if declared is None else digest_plainly(declared)


def digest_plainly(plain: Any) -> str:
    """Return the sha256 over what JSON can hold."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def write_plainly(value: Any) -> str:
    """Return a value as a line of text: numbers, texts, and collections of them as JSON, a text alone as it is.

    Objects count by their type and fields, or by their digest where they have one; functions by their names alone: what
    they do is code.
    """
    return value if isinstance(value, str) else json.dumps(_to_plain(value), sort_keys=True, ensure_ascii=False)


def _to_plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return {str(k): _to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_to_plain(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted(map(write_plainly, value))
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, Control):
        return value.name
    if isinstance(digest := getattr(value, "digest", None), str):
        return digest
    if is_dataclass(value):
        return {"": type(value).__name__} | {f.name: _to_plain(getattr(value, f.name)) for f in fields(value)}
    if callable(getattr(value, "tolist", None)):  # numbers of NumPy
        return value.tolist()
    value = getattr(value, "func", value)  # of a partial
    return getattr(value, "__name__", type(value).__name__)


def _list_controls(entry: Entry[Any, BenchmarkCard]) -> list[str]:
    """Return the names of the controls that a benchmark is registered with; where it says none, pixels for images."""
    controls = entry.parameters.get("controls")
    if controls is not None:
        return [control.name for control in controls]
    shown = [known for name in entry.card.datasets if (known := registry.datasets.find(name))]
    return ["pixels"] if "controls" in entry.parameters and any(k.card.modality == "image" for k in shown) else []


def _read_content(content: Callable[[], str | None], name: str) -> str | None:
    """Return the digest of an object's content; any error of its own code becomes a `ModelError`."""
    try:
        return content()
    except (BrainmarkError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{name} cannot be read: {tell(error)}") from error


@functools.cache
def _find_release(module: str) -> str:
    """Return name and version of the distributions that a module comes with; "" where it is not installed."""
    found = metadata.packages_distributions().get(module.partition(".")[0], [])
    return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(set(found)))
