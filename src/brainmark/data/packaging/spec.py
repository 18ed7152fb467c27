"""The description of a lab's data: a TOML file (or flags) that says where things are and what they mean.

Nothing that decides a number is guessed. What the files themselves state, such as the species in an NWB file, need not
be said again; all else that is missing is listed, at once.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from brainmark.core.cards import BibTeX, Domain, Line
from brainmark.core.errors import suggest
from brainmark.data.packaging.problems import CannotPackage

_EXACT = ConfigDict(extra="forbid", frozen=True)
FORMATS = {
    ".csv": "table", ".tsv": "table", ".npy": "arrays", ".npz": "arrays", ".mat": "arrays", ".nwb": "nwb",
    ".nc": "brainio",
}  # fmt: skip
Kind = Literal["recording", "dissimilarity", "choices", "ratings"]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _check_window(window: tuple[float, float]) -> tuple[float, float]:
    if not window[1] > window[0]:
        raise ValueError(f"a window ends after it starts, not at {window[1]:g} after {window[0]:g}")
    return window


def _known_or_not(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "unknown" or (number and 0 < value < float("inf")):
        return value
    raise ValueError('give a positive number, or "unknown"')


Known = Annotated[Any, AfterValidator(_known_or_not)]
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


class Common(BaseModel):
    """What every source of measurements may say.

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
    file: Texts
    kind: Kind = "recording"
    region: Line | None = None
    subject: Line | None = None
    session: Line | None = None
    units: Line | None = None
    time_unit: Literal["ms", "s"] | None = None
    across_sessions: Literal["same", "different"] | None = None
    skip: Texts = ()


class TableSource(Common):
    """CSV or TSV. Long: one row a value; wide: one row a trial, one column a neuroid (`neuroids`)."""

    format: Literal["table"] = "table"
    stimulus: str = "stimulus_id"
    value: str = "value"
    neuroid: str = "neuroid_id"
    neuroids: Texts = Field((), description="names or patterns of the columns that are neuroids")
    repetition: str | None = Field(None, description="column that orders the trials of a stimulus")
    start: str = "time_bin_start"
    end: str = "time_bin_end"
    choice: str = "choice"
    neuroid_table: str | None = Field(None, description="CSV with a row a neuroid: neuroid_id, region, subject, ...")


class ArraySource(Common):
    """NumPy and MATLAB files: arrays by name, ``FILE#NAME`` or a name in `file`."""

    format: Literal["arrays"] = "arrays"
    values: str = "values"
    dims: tuple[str, ...] = ()
    coords: dict[str, str] = Field(default_factory=dict[str, str])
    time_bins: tuple[Window, ...] = ()


class NwbSource(Common):
    """Neurodata Without Borders: spikes of the units, counted in windows after the onset of each presentation."""

    format: Literal["nwb"] = "nwb"
    presentations: str = Field("trials", description="name of the table of intervals")
    stimulus: str = "stimulus_id"
    onset: str = "start_time"
    windows: tuple[Window, ...] = Field((), description="ms after onset")
    where: dict[str, str | bool | int] = Field(default_factory=dict[str, str | bool | int])
    region_column: str | None = None


class BidsSource(Common):
    """Derivatives of a BIDS data set: betas (NIfTI or TSV, one a trial) or time series, with their events."""

    format: Literal["bids"] = "bids"
    events: str = Field("**/*_events.tsv", description="pattern of the files of events")
    stimulus: str = "stim_file"
    regions: dict[str, str] = Field(default_factory=dict[str, str], description="pattern of the mask of each region")
    windows: tuple[Window, ...] = Field((), description="ms after onset; of time series")
    where: dict[str, str | bool | int] = Field(default_factory=dict[str, str | bool | int])


class BrainioSource(Common):
    """An assembly of Brain-Score."""

    format: Literal["brainio"] = "brainio"


Source = Annotated[
    TableSource | ArraySource | NwbSource | BidsSource | BrainioSource, Field(discriminator="format")
]  # fmt: skip
SOURCES: dict[str, type[Common]] = {
    "table": TableSource, "arrays": ArraySource, "nwb": NwbSource, "bids": BidsSource, "brainio": BrainioSource,
}  # fmt: skip


def _with_format(source: Any) -> Any:
    if not isinstance(source, dict) or "format" in source or "file" not in source:
        return source
    first = _as_list(source["file"])
    suffix = Path(first[0]).suffix.lower() if isinstance(first, list | tuple) and first else ""
    return source | {"format": FORMATS.get(suffix, suffix.lstrip(".") or "table")}


class Description(BaseModel):
    """The whole description. What is None has to be found in the files.

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
    recording: Annotated[
        tuple[Annotated[Source, BeforeValidator(_with_format)], ...],
        BeforeValidator(lambda v: [v] if isinstance(v, dict) else v),
    ] = ()


def read_table_of(path: Path) -> dict[str, Any]:
    """Return what a TOML file says, as it says it. Raises CannotPackage."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CannotPackage(str(path), [error.strerror or str(error)]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CannotPackage(str(path), [f"no TOML: {error}"]) from None


def read_description(path: Path) -> Description:
    """Return the description in a TOML file.

    Raises
    ------
    CannotPackage : it cannot be read, or fields are unknown or not as they have to be; lists all of them.
    """
    return description_of(read_table_of(path), str(path))


def description_of(told: dict[str, Any], where: str) -> Description:
    """Return the description that a table stands for. Raises CannotPackage."""
    try:
        return TypeAdapter(Description).validate_python(told)
    except ValidationError as error:
        raise CannotPackage(where, [_in_words(e) for e in error.errors(include_url=False)]) from None


def _in_words(error: Any) -> str:
    """One problem of the description: field, value, way out."""
    place = [str(part) for part in error["loc"] if part not in SOURCES]
    field = ".".join(place)
    if error["type"] == "extra_forbidden":
        known = _fields_beside(error["loc"])
        near = suggest(place[-1], known)
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else f" (fields: {', '.join(known)})"
        return f"unknown field {field!r}{meant}"
    if error["type"] == "union_tag_invalid":
        return f"{field}: the format is {error['ctx']['tag']!r}; use one of {', '.join(SOURCES)}"
    if error["type"] == "missing":
        return f"{field} is missing"
    return f"{field} is {error['input']!r}: {error['msg'].removeprefix('Value error, ')}"


def _fields_beside(location: tuple[Any, ...]) -> list[str]:
    """Names of the fields that are known where an unknown one stands."""
    if location[0] == "stimuli":
        return list(StimulusPart.model_fields)
    if location[0] == "recording" and len(location) > 2:
        return list(SOURCES.get(str(location[2]), Common).model_fields)
    return list(Description.model_fields)


__all__ = [
    "FORMATS", "ArraySource", "BidsSource", "BrainioSource", "Common", "Description", "Kind", "NwbSource", "Source",
    "StimulusPart", "TableSource", "description_of", "read_description", "read_table_of",
]  # fmt: skip
