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

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    WithJsonSchema,
)

from brainmark.core.cards import BibTeX, Domain, Line
from brainmark.core.errors import DataError, suggest
from brainmark.core.ranges import DEGREES, MILLISECONDS, Range, describe_range, is_within
from brainmark.core.registry import discover
from brainmark.core.vocabulary import Modality
from brainmark.data.packaging.names import find_paths
from brainmark.data.packaging.problems import CannotPackage, Problems
from brainmark.data.packaging.sessions import Session
from brainmark.data.readers import text
from brainmark.data.readers.text_tables import TableLayout

_EXACT = ConfigDict(extra="forbid", frozen=True, defer_build=True)
Kind = Literal["recording", "dissimilarity", "choices", "ratings", "reading_times"]
R = TypeVar("R", bound="type[Recordings]")
M = TypeVar("M", bound=BaseModel)

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


def _check_known(value: Any, within: Range) -> Any:
    if value == "unknown" or is_within(value, within):
        return value
    raise ValueError(f'give {describe_range(within)}, or "unknown"')


_KNOWN = WithJsonSchema({"type": "known"})
Degrees = Annotated[Any, AfterValidator(partial(_check_known, within=DEGREES)), _KNOWN]
Duration = Annotated[Any, AfterValidator(partial(_check_known, within=MILLISECONDS)), _KNOWN]
"""A number, or "unknown" where the lab does not know it: an absence that is meant."""


def _check_separator(separator: str) -> str:
    if separator and len(separator.removesuffix(" ") or " ") == 1 and separator[0] not in '"\r\n\0':
        return separator
    raise ValueError('give one character, such as ";" or "\\t"; a blank may follow it')


def _check_encoding(encoding: str) -> str:
    try:
        "".encode(encoding)
    except (LookupError, UnicodeError):
        raise ValueError('there is no such encoding; "utf-8", "utf-16" and "latin-1" are usual ones') from None
    return encoding


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Window = Annotated[tuple[float, float], AfterValidator(_check_window)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A part of a description. It knows which of its fields were used: one that was not is refused, not ignored."""

    model_config = _EXACT
    _used: set[str] = PrivateAttr(default_factory=set[str])

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name in type(self).model_fields:
            self._used.add(name)
        return value

    def list_unused(self) -> list[str]:
        """Return the fields that were given, differ from their default, and were never asked for."""
        given = [name for name in type(self).model_fields if name in self.model_fields_set - self._used - {"format"}]
        return [name for name in given if self.__dict__[name] != type(self).model_fields[name].default]


def refuse_unused(part: Part, place: str, what: str, problems: Problems) -> None:
    """Add the fields of a part that nothing used, once it was read as a whole."""
    for name in part.list_unused():
        about = f"; {what} take {', '.join(sorted(part._used))}" if part._used else ""  # pyright: ignore[reportPrivateUsage]
        problems.add(f"{place}{name} is given, but has no meaning here; remove it{about}")


class TablePart(Part):
    """How the tables of a part are written, where they are not as pandas writes them."""

    separator: Annotated[str, AfterValidator(_check_separator)] | None = Field(
        None, description='sign between fields of a table, such as ";"; by default a tab in .tsv and .txt, else a comma'
    )
    decimal: Literal[".", ","] = Field(".", description="sign before the decimals of numbers in tables")
    encoding: Annotated[str, AfterValidator(_check_encoding)] | None = Field(
        None, description='encoding of tables, such as "latin-1"; by default UTF-8, or what a byte order mark says'
    )
    missing: Texts = Field(
        (), description='texts that mean "not measured" among numbers and answers of tables, such as ["NA", "-999"]'
    )
    comment: str | None = Field(None, min_length=1, description="lines of tables that begin with this are left out")
    quote: Literal['"', "'", ""] = Field('"', description='sign around fields of tables; "" where quotes are text')
    header_line: int = Field(1, ge=1, description="line of tables that names the columns; lines above are left out")

    @property
    def layout(self) -> TableLayout:
        """How tables are written; those fields count as used."""
        return TableLayout(*(getattr(self, field) for field in TablePart.model_fields))


class StimulusPart(TablePart):
    """``[stimuli]``: what was shown or read."""

    table: str | None = Field(
        None, description="table with a row a stimulus; without it, the files of `folder` are the stimuli"
    )
    folder: str | None = Field(None, description="folder of the files; without a table, their names are identifiers")
    id: str = Field("stimulus_id", description="column of `table`: the identifier")
    file: str = Field("filename", description="column of `table`: the name of the file in `folder`")
    text: str = Field("text", description="column of `table`: the text itself")
    context: str | None = Field(
        None,
        description="column of `table`: words with the same value are one running text, in the order of the table; "
        "models take each with all that came before it",
    )
    images: str | None = Field(None, description="images inside an NWB file, FILE#CONTAINER, in the place of `folder`")
    archive: str | None = Field(None, description="ZIP file that holds the files, in the place of `folder`")
    same_width: bool = Field(False, description="images of several sizes in pixels were all shown `degrees` wide")
    pixels_per_degree: Positive | None = Field(
        None, description="images of several sizes were shown at one scale; `degrees` follows from it"
    )
    merge_same_files: bool = Field(
        False, description="stimuli whose files have the same content are one, and its presentations repetitions"
    )
    fitting: str | None = Field(
        None, description="table like `table` of stimuli with a label or rating from which models learn what is asked"
    )


class Recordings(Part, ABC):
    """``[[recording]]``: files of measurements in one format, and the fields that hold for all of them."""

    format: str = Field("", description="format of the files; by default, the one that files with such an ending have")
    file: Texts = Field(description="path, pattern or list of them, relative to the description")
    kind: Kind = Field("recording", description="what the numbers are")
    region: Line | None = Field(None, description="region of all neuroids, where the files do not say it")
    subject: Line | None = Field(None, description="subject of all neuroids, where the files do not say it")
    session: Line | None = Field(None, description="name of the session, where the files do not say it")
    units: Line | None = Field(None, description='units of the values, such as "spikes/s"')
    time_unit: Literal["ms", "s"] | None = Field(None, description="unit of all times in the files")
    across_sessions: Literal["same", "different"] | None = Field(
        None, description="whether neuroids of one subject and one identifier in several files are the same neurons"
    )
    skip: Texts = Field((), description='values of the stimulus column that stand for no stimulus, such as "blank"')

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


class Description(Part):
    """A complete description: what is not said is read from the files, or missing."""

    identifier: Annotated[str, Field(pattern=r"^[A-Za-z][\w.+-]*$")] | None = Field(
        None, description='author and year, as registered data sets are called, such as "Lovelace2026"'
    )
    summary: Line | None = Field(None, description="one sentence on what was measured, in whom")
    licence: Line | None = Field(None, description='licence under which others may use the data, such as "CC-BY-4.0"')
    cite: BibTeX | None = Field(None, description="BibTeX entry of the publication")
    cite_file: str | None = Field(None, description="file that holds the BibTeX entry, in the place of `cite`")
    domain: Domain = Field("vision", description="what the data are about")
    species: Texts = Field((), description='species of the subjects, such as ["macaque"]')
    modality: Modality = Field(
        "image",
        description="what the stimuli are: image, text (a column), audio (.wav), kinematics, dots, video (.npy)",
    )
    degrees: Degrees = Field(None, description='width of an image in degrees of visual angle, or "unknown"')
    duration: Duration = Field(None, description='duration of a presentation in ms, or "unknown"')
    question: Line | None = Field(None, description="of ratings: what was asked")
    scale: Window | None = Field(None, description="of ratings: the lowest and the highest answer, such as [1, 7]")
    stimuli: StimulusPart = StimulusPart.model_validate({})
    recording: tuple[Recordings, ...] = ()

    def files(self, base: Path) -> list[Path]:
        """Return the files of measurements and the tables of stimuli."""
        recordings = find_files([name for source in self.recording for name in source.file], base)
        tables = [self.stimuli.__dict__[name] for name in ("table", "fitting")]  # to list them is not to use them
        return recordings + [base / table for table in tables if table is not None]


def find_files(patterns: Iterable[str], base: Path) -> list[Path]:
    """Return the files that names and patterns lead to, sorted within each pattern, each once.

    Paths start from `base` unless they are absolute; what is no pattern leads to nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = find_paths([base / pattern])[0]
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
    discover("format")
    first = next(iter(_as_list(source.get("file")) or ()), "")
    suffix = Path(str(first).lower().removesuffix(".gz")).suffix
    name = source.get("format") or _SUFFIXES.get(suffix, suffix.lstrip(".") or "table")
    if name not in FORMATS:
        problems.add(f"{place}: the format is {name!r}; use one of {', '.join(sorted(FORMATS))}{_way_of(name)}")
    return FORMATS.get(name)


def _way_of(name: str) -> str:
    """Return how data of a program become a file that can be read, where its format is known to be none."""
    if name in ("xlsx", "xls", "ods", "numbers"):
        return " (save each sheet as CSV in UTF-8, and see that names such as 001 are still there)"
    if name in ("parquet", "feather", "json", "jsonl", "rds", "rda", "rdata", "sav", "dta", "pkl", "pickle", "xml"):
        return " (write the table as CSV, or arrays as .npz)"
    return ""


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
