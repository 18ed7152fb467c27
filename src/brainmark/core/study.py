"""Registers the data sets of a study and the benchmarks on them, each with one call.

A data set is a function that reads files, with the fields of its card. A benchmark names a data set and a metric: its
card comes from the data set, its ceiling from the metric, and the metric on the card is the one that is computed.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, Literal, TypeAlias, TypeVar

from brainmark.core.benchmark import Benchmark, Control
from brainmark.core.cards import BenchmarkCard, DatasetCard, Domain, Modality, Source
from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.controls import control_model, shuffled
from brainmark.core.convention import DEFAULT, Convention
from brainmark.core.dataset import Dataset
from brainmark.core.errors import InvalidMeasurement, InvalidRegistration, suggest
from brainmark.core.experiment import Ask, Experiment, Record, Setting
from brainmark.core.libraries import xr
from brainmark.core.registry import Entry, benchmarks, datasets, metrics
from brainmark.core.time_bins import each_time_bin, each_time_bin_ceiling

Reader = TypeVar("Reader", bound=Callable[..., Any])
Asked: TypeAlias = "Ask | Callable[[Dataset], Ask | Experiment] | None"
Options: TypeAlias = "Mapping[str, Any] | Callable[[Dataset], Mapping[str, Any]]"
CeilingOf: TypeAlias = "Literal['metric'] | Callable[[Dataset], Ceiling | None] | None"
Arguments: TypeAlias = "Callable[[xr.DataArray, xr.DataArray], tuple[xr.DataArray, xr.DataArray]]"
"""answer, mean target -> what the metric gets in their place."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What the data sets of a study have in common: fields of their cards, and the setting.

    `cite` names entries of ``references.bib``, or is BibTeX; `setting` is what the animals or people saw.
    """

    licence: str
    cite: str
    species: str
    domain: Domain
    modality: Modality
    regions: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    setting: Setting = field(default_factory=Setting)
    tags: tuple[str, ...] = ()
    simulated: bool = False

    def dataset(
        self,
        name: str,
        *arguments: Any,
        summary: str,
        species: str | None = None,
        setting: Setting | None = None,
        **card: Any,
    ) -> Callable[[Reader], Reader]:
        """Register the decorated function as a data set.

        Parameters
        ----------
        name : ``<Study><Year>[.<part>]``.
        arguments : passed to the function; what it takes beyond them are options of the data set.
        summary, species, card : fields of the card; those of the study are the default.
        setting : where it is another than that of the study.

        The function returns the measurement and the stimuli in its order (None: only statistics of cells are known);
        and the setting, where it stands in the files.
        """
        fields: dict[str, Any] = {c: getattr(self, c) for c in DatasetCard.model_fields if hasattr(self, c)}
        fields |= {"species": (species or self.species,), "summary": summary, **card}
        about = DatasetCard(**fields)
        shown = setting or self.setting

        def register(read: Reader) -> Reader:
            @wraps(read)
            def load(**options: Any) -> Dataset:
                returned = read(*arguments, **options)
                if not isinstance(returned, tuple) or len(returned) not in (2, 3):
                    raise InvalidRegistration(
                        f"dataset {name!r}: {read.__module__}.{read.__qualname__} returns {_describe(returned)}; "
                        "return (measurement, stimuli), or (measurement, stimuli, setting)"
                    )
                measurement, stimuli, *stated = returned
                return Dataset(name, about, measurement, stimuli, *(stated or [shown]))

            rest = inspect.signature(partial(read, *arguments))  # the options of the data set
            load.__signature__ = rest  # pyright: ignore[reportAttributeAccessIssue]
            stated = {"setting": shown, **({"arguments": arguments} if arguments else {})}
            datasets.add(name, card=about, parameters=stated)(load)
            return read

        return register


def register_benchmark(
    name: str,
    dataset: str,
    metric: str,
    *,
    summary: str,
    ask: Asked = None,
    options: Options | None = None,
    target: Callable[[Dataset], xr.DataArray] | None = None,
    ceiling: CeilingOf = "metric",
    adapt: Callable[[Dataset], Arguments] | None = None,
    controls: Sequence[Control] | None = None,
    convention: Convention = DEFAULT,
    listed: bool = True,
    module: str | None = None,
    **card: Any,
) -> Entry[Benchmark, BenchmarkCard]:
    """Register a benchmark: a data set, a metric, and what differs from the usual.

    Parameters
    ----------
    name : ``<Study><Year>.<region or condition>-<metric>``.
    dataset, metric : registered names.
    summary, card : fields of the card; those of the data set's card are the default. `region` is its only region, or
        "behavior"; `parent` is the region, or "simulated".
    ask : what is asked, or a function of the data set that returns it, or the whole experiment. None: a recording from
        the region, in the time bins of the data.
    options : of the metric, or a function of the data set that returns them.
    target : function of the data set; None: its measurement (of the region, where there are several).
    ceiling : "metric": that of the metric, where the data allow one; or a function of the data set; None: none.
    adapt : function of the data set; what it returns takes the answer and the mean target, and returns what the metric
        of the card gets in their place, such as single trials.
    controls : None: shuffled answers, and pixels where images are shown and recordings asked for.
    convention : how the values of units become one score.
    listed : whether it is registered; otherwise it is only returned.
    module : name of the module whose benchmark it is; None: the caller. Functions that register for others give theirs.

    Raises
    ------
    UnknownName : no such data set or metric.
    InvalidRegistration : the name is taken, or a field of the card is missing, unknown or wrong.
    """
    source, _ = datasets[dataset].card, metrics[metric]
    region = card.get("region") or (source.regions[0] if len(source.regions) == 1 else "behavior")
    fields: dict[str, Any] = {c: getattr(source, c) for c in ("licence", "cite", "domain", "species", "simulated")}
    fields |= {"region": region, "parent": "simulated" if source.simulated else region, "datasets": (dataset,)}
    fields |= {**card, "summary": summary, "metric": metric}
    about = BenchmarkCard(**fields)

    def load() -> Benchmark:
        data: Dataset = datasets[dataset].load()
        measured = _in_region(data.measurement, about.region, name) if target is None else target(data)
        asked = ask(data) if callable(ask) else ask or record(about.region, measured)
        experiment = asked if isinstance(asked, Experiment) else Experiment(data.shown, asked, data.setting)
        known = dict((options(data) if callable(options) else options) or {})
        compare, top = metrics[about.metric].load(**known), None
        if ceiling is not None:
            top = metrics[about.metric].ceiling(measured, **known) if ceiling == "metric" else ceiling(data)
        if "time_bin" in measured.dims and metrics[about.metric].card.compares in ("recordings", "dissimilarities"):
            compare, top = each_time_bin(compare), None if top is None else each_time_bin_ceiling(top)
        if adapt is not None:
            compare = _with_arguments(compare, adapt(data))
        used = _usual_controls(experiment) if controls is None else tuple(controls)
        return Benchmark(name, about, experiment, measured, compare, top, used, convention=convention)

    load.__module__ = module or calling_module()
    load.__qualname__ = name
    stated = {
        "ask": ask, "options": options, "target": target, "ceiling": ceiling, "adapt": adapt, "controls": controls,
        "convention": convention,
    }  # fmt: skip
    if listed:
        benchmarks.add(name, card=about, parameters=stated)(load)
    return Entry("benchmark", name, load, about, parameters=stated)


def calling_module() -> str:
    """Return the name of the module from which the function that asks was called."""
    return sys._getframe(2).f_globals.get("__name__", "__main__")  # pyright: ignore[reportPrivateUsage]


def _with_arguments(metric: Metric, arguments: Arguments) -> Metric:
    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        return metric(*arguments(prediction, target))

    return compare


def _describe(returned: Any) -> str:
    return f"{len(returned)} values" if isinstance(returned, tuple) else f"a {type(returned).__name__} alone"


def _in_region(measurement: xr.DataArray, region: str, name: str) -> xr.DataArray:
    """Leave out the neuroids of other regions. Raises InvalidMeasurement: there are none of this one."""
    if "neuroid" not in measurement.dims:
        return measurement
    regions = measurement.coords["region"].values.astype(str)
    inside = regions == region
    if not inside.any():
        known = sorted(set(regions.tolist()))
        near = suggest(region, known, most=1)
        offer = f"; did you mean {near[0]!r}?" if near else ""
        raise InvalidMeasurement(
            f"{name}: no neuroid is in region {region!r}{offer} (the data have {', '.join(known)}; state 'region', or "
            "select neuroids with 'target')"
        )
    return measurement if inside.all() else measurement.isel(neuroid=inside)


def record(region: str, measured: xr.DataArray) -> Record:
    """Ask for a recording from a region, in the time bins in which it was measured."""
    if "time_bin" not in measured.dims:
        return Record(region)
    edges = [measured.coords[f"time_bin_{edge}"].values.astype(float).tolist() for edge in ("start", "end")]
    return Record(region, tuple(zip(*edges, strict=True)))


def _usual_controls(experiment: Experiment) -> tuple[Control, ...]:
    recorded_images = isinstance(experiment.ask, Record) and experiment.stimuli.modality == "image"
    return (*((control_model("pixels"),) if recorded_images else ()), shuffled())
