"""Four lazy dictionaries, name -> (factory, card): models, datasets, metrics, benchmarks.

Adding is one decorated function. Looking up imports the modules that register things of that kind, and calls nothing:
no registering module may import a heavy library at its top level, so listing stays fast.
Outside packages are found through entry points of the group ``brainmark``, whose value is a module to import.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Generic, Literal, TypeVar

from brainmark.core.benchmark import Benchmark
from brainmark.core.cards import BenchmarkCard, Card, Compared, DatasetCard, Domain, MetricCard, ModelCard
from brainmark.core.comparison import Ceiling, Metric
from brainmark.core.errors import BrainmarkError, InvalidRegistration, UnknownName, say_what_to_install, warn
from brainmark.core.libraries import xr
from brainmark.core.subject import Subject

T = TypeVar("T")
C = TypeVar("C", bound=Card)
F = TypeVar("F", bound=Callable[..., Any])

ENTRY_POINT_GROUP = "brainmark"
ROOMS: dict[str, list[str]] = {  # kind -> packages and modules in which things of that kind are registered
    "metric": ["brainmark.metrics"],
    "dataset": ["brainmark.studies"],
    "benchmark": ["brainmark.studies"],
    "model": [
        "brainmark.models.zoo",
        "brainmark.models.subjects.pixels",
        "brainmark.models.subjects.simulated",
        "brainmark.models.subjects.word_baselines",
        "brainmark.models.finder",
    ],
    "format": [f"brainmark.data.packaging.{name}" for name in ("arrays", "bids", "nwb", "trials")],
}


@dataclass(frozen=True)
class Entry(Generic[T, C]):
    """A registered name: the function that makes the object, and the card that describes it.

    `content` gives a digest of what it is made of beside code and card, such as a file, or None where that cannot be
    known; registered things are made of code alone. `parameters` are what it was registered with beside its card that
    changes its numbers, such as the setting of a data set, or the options that a benchmark gives its metric.
    """

    kind: str
    name: str
    factory: Callable[..., T]
    card: C
    content: Callable[[], str | None] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    @property
    def module(self) -> str:
        """Name of the module that registered it."""
        return self.factory.__module__

    @property
    def options(self) -> dict[str, Any]:
        """Keyword options of the factory with their defaults."""
        return {n: p.default for n, p in inspect.signature(self.factory).parameters.items()}

    def load(self, **options: Any) -> T:
        """Make the thing; unknown options are refused with the nearest known one, a missing library is named."""
        self._check_options(options, self.options)
        with say_what_to_install(f"{self.kind} {self.name!r}", getattr(self.card, "domain", "vision")):
            return self.factory(**options)

    def _check_options(self, options: Iterable[str], known: dict[str, Any]) -> None:
        for option in options:
            if option not in known:
                raise UnknownName(f"option of {self.kind} {self.name!r}", option, known, _listing(known))


@dataclass(frozen=True)
class MetricEntry(Entry[Metric, MetricCard]):
    """A metric with the ceiling that belongs to it.

    `make_ceiling` is the factory of the ceiling, or None. `ceiling_over` names the dimensions of a target of which one
    must have several entries for there to be a ceiling; empty: any target has one.
    """

    make_ceiling: Callable[..., Ceiling | None] | None = None
    ceiling_over: tuple[str, ...] = ("repetition", "subject")

    def ceiling(self, target: xr.DataArray | None = None, /, **options: Any) -> Ceiling | None:
        """Make the ceiling of the metric; None where it has none, or where `target` holds nothing to estimate it from.

        `options` are those of the metric; parameters that the ceiling shares with the metric receive them (or their
        defaults). Parameters of the ceiling alone may be given too.
        """
        if self.make_ceiling is None:
            return None
        shared = inspect.signature(self.make_ceiling).parameters
        self._check_options(options, self.options | {n: p.default for n, p in shared.items()})
        several = any(target.sizes.get(dim, 1) > 1 for dim in self.ceiling_over) if target is not None else True
        if self.ceiling_over and not several:
            return None
        chosen = self.options | options
        with say_what_to_install(f"ceiling of {self.kind} {self.name!r}"):
            return self.make_ceiling(**{name: chosen[name] for name in shared if name in chosen})


def _listing(options: dict[str, Any]) -> str:
    return f" (options: {', '.join(options)})" if options else " (it takes no options)"


def _is_same_registration(entry: Entry[Any, Any], factory: Callable[..., Any], card: Card) -> bool:
    """Return whether this is the same registration again: a notebook cell run twice, or a module loaded anew."""
    same = (entry.module, entry.factory.__qualname__) == (factory.__module__, factory.__qualname__)
    return same and (entry.module == "__main__" or entry.card == card)


class Registry(Generic[T, C]):
    """A lazy dictionary of registered objects of one kind."""

    def __init__(self, kind: str, card_type: type[C]) -> None:
        self.kind = kind
        self.card_type = card_type
        self._entries: dict[str, Entry[T, C]] = {}
        self._finders: list[Callable[[str], Entry[T, C] | None]] = []
        self._first: list[Callable[[str], Entry[T, C] | None]] = []

    def add_finder(
        self, finder: Callable[[str], Entry[T, C] | None], *, first: bool = False
    ) -> Callable[[str], Entry[T, C] | None]:
        """Ask `finder` for names that are not registered, e.g. ``timm/resnet18``; it returns None for what is not its.

        With `first` it is asked before all others, and for registered names too. What it finds can be looked up, but is
        not listed. It may raise what explains a name that is nearly right.
        """
        finders = self._first if first else self._finders
        if finder not in finders:
            finders.append(finder)
        return finder

    def add(self, name: str, *, card: C, **more: Any) -> Callable[[F], F]:
        """Register the decorated factory under `name`; `more` are further attributes of the registry's entries.

        The factory takes no argument without a default, and no ``*args`` or ``**kwargs``.
        """

        def register(factory: F) -> F:
            ours = factory.__module__.startswith("brainmark.")  # in the middle of an import of our own, maybe
            if _discovered and not ours:  # a plug-in, or a program that has looked around: our own names are taken
                _import_rooms(self.kind)
            self._check(name, factory, card)
            self._entries[name] = self._entry(name, factory, card, **more)
            return factory

        return register

    def _entry(self, name: str, factory: Callable[..., T], card: C, **more: Any) -> Entry[T, C]:
        return Entry(self.kind, name, factory, card, **more)

    def _check(self, name: str, factory: Callable[..., T], card: C) -> None:
        where = f"{self.kind} {name!r} ({factory.__module__}.{factory.__qualname__})"
        if not name.isprintable() or not name or any(c.isspace() or c in "\\'\"" for c in name):
            raise InvalidRegistration(
                f"{where}: a name must not contain white space, quotes or backslashes, nor signs that are not printed"
            )
        if not isinstance(card, self.card_type):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidRegistration(f"{where}: card is a {type(card).__name__}, not {self.card_type.__name__}")
        for parameter in inspect.signature(factory).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise InvalidRegistration(f"{where}: takes {parameter}; name every option instead")
            if parameter.default is parameter.empty:
                raise InvalidRegistration(f"{where}: option {parameter.name!r} has no default")
        taken = self._entries.get(name)
        if taken and not _is_same_registration(taken, factory, card):
            raise InvalidRegistration(
                f"{where}: the name is taken by {taken.module}.{taken.factory.__qualname__}; choose another"
            )

    def __getitem__(self, name: str) -> Entry[T, C]:
        if found := self.find(name):
            return found
        raise UnknownName(self.kind, name, self._entries, f" ('brainmark list {self.kind}s' shows all)")

    def find(self, name: str) -> Entry[T, C] | None:
        """Return what is registered or found under this name, or None; what is nearly right raises its explanation."""
        with say_what_to_install(f"{self.kind} {name!r}"):
            if found := next((found for finder in self._first if (found := finder(name))), None):
                return found
        if registered := self.find_registered(name):
            return registered
        with say_what_to_install(f"{self.kind} {name!r}"):
            return next((found for finder in self._finders if (found := finder(name))), None)

    def find_registered(self, name: str) -> Entry[T, C] | None:
        """Return what is registered under this name, or None; no finder is asked."""
        if name not in self._entries:  # studies that are imported need no more than our own metrics
            _import_rooms(self.kind)
        if name not in self._entries:
            discover(self.kind)
        return self._entries.get(name)

    def get(self, name: str) -> Entry[T, C] | None:
        """Return what is registered or found under this name, or None; what cannot be read counts as absent."""
        try:
            return self[name]
        except BrainmarkError:
            return None

    def __iter__(self) -> Iterator[str]:
        discover(self.kind)
        return iter(sorted(self._entries, key=str.lower))

    def __len__(self) -> int:
        discover(self.kind)
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        discover(self.kind)
        return name in self._entries

    def entries(self) -> list[Entry[T, C]]:
        """Return all entries, sorted by name."""
        return [self[name] for name in self]


class MetricRegistry(Registry[Metric, MetricCard]):
    """The registry of metrics, whose entries know their ceilings."""

    def _entry(self, name: str, factory: Callable[..., Metric], card: MetricCard, **more: Any) -> MetricEntry:
        return MetricEntry(self.kind, name, factory, card, **more)

    def __getitem__(self, name: str) -> MetricEntry:
        entry = super().__getitem__(name)
        assert isinstance(entry, MetricEntry)
        return entry


models: Registry[Subject, ModelCard] = Registry("model", ModelCard)
datasets: Registry[Any, DatasetCard] = Registry("dataset", DatasetCard)
metrics = MetricRegistry("metric", MetricCard)
benchmarks: Registry[Benchmark, BenchmarkCard] = Registry("benchmark", BenchmarkCard)


def metric(
    name: str,
    *,
    summary: str,
    cite: str,
    compares: Compared,
    licence: str = "MIT",
    ceiling: Callable[..., Ceiling | None] | None = None,
    ceiling_over: tuple[str, ...] = ("repetition", "subject"),
    chance: float | None = 0.0,
    domain: Domain | Literal["any"] = "any",
    on_device: bool = False,
    tags: tuple[str, ...] = (),
    version: int | None = None,
) -> Callable[[F], F]:
    """Register the decorated factory as a metric, with its card and its ceiling.

    Parameters
    ----------
    name, summary, cite, compares, licence, chance, domain, on_device, tags, version : see `MetricCard`.
    ceiling : factory of the ceiling, whose parameters that are options of the metric too receive the metric's options.
    ceiling_over : dimensions of a target of which one must have several entries for there to be a ceiling; empty: none.
    """
    stated = {} if version is None else {"version": version}
    card = MetricCard(
        summary=summary,
        cite=cite,
        compares=compares,
        licence=licence,
        chance=chance,
        domain=domain,
        on_device=on_device,
        tags=tags,
        **stated,
    )
    return metrics.add(name, card=card, make_ceiling=ceiling, ceiling_over=ceiling_over)


broken_plugins: dict[str, str] = {}  # entry point -> why it could not be loaded; `brainmark doctor` shows it
_lock = threading.RLock()
_imported: set[str] = set()  # rooms
_discovered = False


def add_room(name: str, *kinds: str) -> None:
    """Name a package or module of a plug-in that is imported when things of these kinds are first asked for."""
    for kind in kinds:
        ROOMS[kind].append(name)


def discover(kind: str | None = None) -> None:
    """Import, once, every module that registers things of this kind, or any: our rooms, then what others bring.

    A plug-in that fails to import becomes a warning and an item of `broken_plugins`; it never breaks the rest.
    """
    global _discovered
    with _lock:
        kinds = ROOMS if kind is None else (kind,)
        for one in kinds:
            _import_rooms(one)
        if not _discovered:
            _discovered = True  # now, because what is imported here may ask a registry
            try:
                _load_plugins(sorted(metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda p: p.name))
            except BaseException:
                _discovered = False
                raise
            for one in kinds:
                _import_rooms(one)


def _import_rooms(kind: str) -> None:
    """Import the rooms of a kind that were not imported yet. An error in one of our own is raised every time."""
    with _lock:
        for name in [room for room in ROOMS.get(kind, ()) if room not in _imported]:
            _imported.add(name)  # now, because what is imported here may ask a registry
            try:
                room = importlib.import_module(name)
                for module in pkgutil.walk_packages(getattr(room, "__path__", ()), f"{name}."):
                    importlib.import_module(module.name)
            except BaseException as error:
                if name.startswith("brainmark.") or not isinstance(error, Exception):
                    _imported.discard(name)
                    raise
                _leave_out(name, name, error)


def _load_plugins(points: list[metadata.EntryPoint]) -> None:
    """Load plug-ins; those that look up a name of another one are tried again once the others are loaded."""
    waiting, before = points, len(points) + 1
    while waiting:
        last = len(waiting) == before  # the last round loaded none of them
        before, late = len(waiting), []
        for point in waiting:
            error = _load_plugin(point)
            if isinstance(error, UnknownName) and not last:
                late.append(point)
            elif error is not None:
                _leave_out(point.name, point.value, error)
        waiting = late


def _load_plugin(point: metadata.EntryPoint) -> BaseException | None:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what it prints is no part of what a command prints
            point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code may raise anything
        return error
    return None


def _leave_out(name: str, value: str, error: BaseException) -> None:
    reason = str(error) if isinstance(error, BrainmarkError) else f"{type(error).__name__}: {error}"
    broken_plugins[f"{name} = {value}"] = reason
    warn(f"plug-in {name!r} ({value}) is left out: {reason} (see 'brainmark doctor')")
