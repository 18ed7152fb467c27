"""The description of a lab's data: a TOML file (or flags) that says where things are and what they mean.

Nothing that decides a number is guessed. What the files themselves state, such as the species in an NWB file, need not
be said again; all else that is missing is listed, at once.

A format is a class with the fields that describe its files, and a method that reads them. Other packages may add one::

    @add_format("myformat", ".mine")
    class MyRecordings(Recordings):
        onset: str = "onset"

        def read(self, path, base, problems):
            ...
            return Session(...)
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from brainmark.core.cards import BibTeX, Domain, Line
from brainmark.core.errors import DataError, suggest
from brainmark.core.registry import discover
from brainmark.data.packaging.problems import CannotPackage, Problems
from brainmark.data.packaging.sessions import Session
from brainmark.data.readers import text

_EXACT = ConfigDict(extra="forbid", frozen=True)
Kind = Literal["recording", "dissimilarity", "choices", "ratings"]
R = TypeVar("R", bound="type[Recordings]")
M = TypeVar("M", bound=BaseModel)

OURS = ("arrays", "bids", "nwb", "trials")
"""The modules of our own formats, which register themselves; loaded for the first description that is parsed."""
FORMATS: dict[str, type[Recordings]] = {}
"""The formats by name."""
_SUFFIXES: dict[str, str] = {}  # of files -> the format they usually have


def add_format(name: str, *suffixes: str) -> Callable[[R], R]:
    """Register a format of recordings: a class of `Recordings`, whose files usually have these suffixes."""

    def register(kind: R) -> R:
        FORMATS[name] = kind
        _SUFFIXES.update(dict.fromkeys(suffixes, name))
        return kind

    return register


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _check_window(window: tuple[float, float]) -> tuple[float, float]:
    if not window[1] > window[0]:
        raise ValueError(f"a window ends after it starts, not at {window[1]:g} after {window[0]:g}")
    return window


def _check_known(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "unknown" or (number and 0 < value < float("inf")):
        return value
    raise ValueError('give a positive number, or "unknown"')


Known = Annotated[Any, AfterValidator(_check_known)]
"""A positive number, or "unknown" where the lab does not know it: an absence that is meant."""


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Window = Annotated[tuple[float, float], AfterValidator(_check_window)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class StimulusPart(BaseModel):
    """What was shown or read.

    Attributes
    ----------
    table : CSV with a row a stimulus; without it, the files of `folder` are the stimuli and their names identify them.
    id, file, text : columns of the table: identifier, name of the file in `folder`, the text itself.
    folder : of the files.
    images : images inside an NWB file, ``FILE#CONTAINER``, in the place of `folder`.
    same_width : images of several sizes in pixels were all shown `degrees` wide.
    pixels_per_degree : images of several sizes were shown at one scale; `degrees` follows from it.
    merge_same_files : stimuli whose files have the same content are one stimulus, and its presentations repetitions.
    fitting : CSV like `table`, of stimuli with a ``label`` or ``rating`` from which models learn what is asked.
    archive : ZIP file that holds the files, in the place of `folder`.
    """

    model_config = _EXACT
    table: str | None = None
    folder: str | None = None
    id: str = "stimulus_id"
    file: str = "filename"
    text: str = "text"
    images: str | None = None
    same_width: bool = False
    pixels_per_degree: Positive | None = None
    merge_same_files: bool = False
    fitting: str | None = None
    archive: str | None = None


class Recordings(BaseModel, ABC):
    """Files of measurements in one format, and the fields that hold for all of them.

    Attributes
    ----------
    file : path, pattern or list of them, relative to the description.
    kind : what the numbers are.
    region, subject, session : of all neuroids of these files, where no column says it.
    units : of the values, e.g. "spikes/s".
    time_unit : "ms" or "s", of all times in the files.
    across_sessions : neuroids of one subject that have the same identifier in several files are the "same" neurons,
        whose trials are put together, or "different" ones.
    skip : values of the stimulus column that stand for no stimulus, such as "blank".
    """

    model_config = _EXACT
    format: str = ""
    file: Texts
    kind: Kind = "recording"
    region: Line | None = None
    subject: Line | None = None
    session: Line | None = None
    units: Line | None = None
    time_unit: Literal["ms", "s"] | None = None
    across_sessions: Literal["same", "different"] | None = None
    skip: Texts = ()

    @abstractmethod
    def read(self, path: Path, base: Path, problems: Problems) -> Session:
        """Return the trials of one file.

        Parameters
        ----------
        base : the folder that paths in the description start from.

        Raises
        ------
        Unusable, DataError : it cannot be read; what is missing or wrong is among the problems.
        MissingDependency : the library that reads the format is not installed.
        """

    def describes(self, path: Path) -> Iterable[str] | None:
        """Return which of "region", "subject" and "units" such a file tells; None if that shows when it is read."""
        return None

    def files(self, base: Path, problems: Problems) -> list[Path]:
        """Return the files; a name or pattern that leads to none is a problem."""
        for pattern in self.file:
            if not find_files([pattern], base):
                problems.add(f"recording: there is no file {base / pattern}")
        return find_files(self.file, base)


class Description(BaseModel):
    """A complete description. Fields that are None are read from the files.

    Attributes
    ----------
    identifier : ``<Author><Year>``, as registered data sets are called.
    cite, cite_file : BibTeX, or a file that holds it.
    degrees : width of a stimulus in degrees of visual angle; duration : of a presentation in ms.
    question, scale : of ratings: what was asked, and its lowest and highest answer.
    """

    model_config = _EXACT
    identifier: Annotated[str, Field(pattern=r"^[A-Za-z][\w.+-]*$")] | None = None
    summary: Line | None = None
    licence: Line | None = None
    cite: BibTeX | None = None
    cite_file: str | None = None
    domain: Domain = "vision"
    species: Texts = ()
    modality: Literal["image", "text"] = "image"
    degrees: Known = None
    duration: Known = None
    question: Line | None = None
    scale: Window | None = None
    stimuli: StimulusPart = StimulusPart()
    recording: tuple[Recordings, ...] = ()

    def files(self, base: Path) -> list[Path]:
        """Return the files of measurements and the tables of stimuli."""
        recordings = find_files([name for source in self.recording for name in source.file], base)
        return recordings + [base / table for table in (self.stimuli.table, self.stimuli.fitting) if table is not None]


def find_files(patterns: Iterable[str], base: Path) -> list[Path]:
    """Return the files that names and patterns lead to, sorted within each pattern, each once.

    Paths start from `base` unless they are absolute; what is no pattern leads to nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = base / pattern
        if path.exists():
            found[path] = None
            continue
        root = Path(path.anchor) if Path(pattern).is_absolute() else base
        try:
            found |= dict.fromkeys(sorted(p for p in root.glob(str(path.relative_to(root))) if p.is_file()))
        except ValueError:  # "**" is a whole folder
            continue
    return list(found)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file says, as it says it. Raises CannotPackage."""
    try:
        return text.read_toml(path)
    except DataError as error:
        raise CannotPackage(str(path), [str(error).removeprefix(f"{path}: ")]) from None


def read_description(path: Path) -> Description:
    """Return the description in a TOML file.

    Raises
    ------
    CannotPackage : it cannot be read, or fields are unknown or not as they have to be; lists all of them.
    """
    return parse_description(read_toml(path), str(path))


def parse_description(table: dict[str, Any], where: str) -> Description:
    """Return the description that a table stands for. Raises CannotPackage."""
    problems = Problems(where)
    given = table.get("recording", ())
    given = [given] if isinstance(given, dict) else given
    sources: list[Recordings] = []
    for number, source in enumerate(given if isinstance(given, list | tuple) else ()):
        kind = _find_format(source, f"recording.{number}", problems)
        if kind is not None:
            sources += _validate(kind, source, f"recording.{number}.", problems)
    described = {name: value for name, value in table.items() if name != "recording"}
    whole = _validate(Description, described, "", problems)
    problems.check()
    return whole[0].model_copy(update={"recording": tuple(sources)})


def _find_format(source: Any, place: str, problems: Problems) -> type[Recordings] | None:
    """Return the format that is named, or that files with such a suffix have."""
    if not isinstance(source, dict):
        problems.add(f"{place} is {source!r}: give a table with the field 'file'")
        return None
    for module in OURS:
        importlib.import_module(f"brainmark.data.packaging.{module}")
    first = next(iter(_as_list(source.get("file")) or ()), "")
    suffix = Path(str(first)).suffix.lower()
    if source["format"] not in FORMATS if source.get("format") else suffix not in _SUFFIXES:
        discover()  # plug-ins may add formats
    name = source.get("format") or _SUFFIXES.get(suffix, suffix.lstrip(".") or "table")
    if name not in FORMATS:
        problems.add(f"{place}: the format is {name!r}; use one of {', '.join(sorted(FORMATS))}")
    return FORMATS.get(name)


def _validate(kind: type[M], given: dict[str, Any], prefix: str, problems: Problems) -> list[M]:
    """Return a part of the description, or nothing where it has problems: field, value, way out."""
    try:
        return [kind.model_validate(given)]
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            problems.add(_explain(error, kind, prefix))
        return []


def _explain(error: Any, kind: type[BaseModel], prefix: str) -> str:
    place = [str(part) for part in error["loc"]]
    field = prefix + ".".join(place)
    if error["type"] == "extra_forbidden":
        known = list((StimulusPart if place[0] == "stimuli" else kind).model_fields)
        near = suggest(place[-1], known)
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else f" (fields: {', '.join(known)})"
        return f"unknown field {field!r}{meant}"
    if error["type"] == "missing":
        return f"{field} is missing"
    return f"{field} is {error['input']!r}: {error['msg'].removeprefix('Value error, ')}"
