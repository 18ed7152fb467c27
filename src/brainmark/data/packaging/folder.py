"""A packaged data set: one folder, written completely or not at all.

::

    Lovelace2026/
    ├── card.toml         what it is: licence, citation, species, degrees ...
    ├── measurement.nc    see `brainmark.core.measurement`
    ├── stimuli.csv       a row a stimulus, in the order of presentations
    ├── stimuli/          their files
    ├── fitting.csv       stimuli from which models learn what is asked, where there are any
    └── SHA256SUMS        of all of these; ``sha256sum -c SHA256SUMS`` checks them

Equal content gives equal bytes, so that the sha256 of ``SHA256SUMS`` identifies the data set.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from brainmark.core.cards import BibTeX, DatasetCard, Domain, Line, Source
from brainmark.core.dataset import Dataset
from brainmark.core.errors import DataError, InvalidStimuli
from brainmark.core.experiment import Setting
from brainmark.core.libraries import pd
from brainmark.core.stimuli import Stimuli
from brainmark.core.vocabulary import Modality
from brainmark.data.fetch import file_digest
from brainmark.data.packaging.tables import NAMES, as_values
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.media import MediaFiles
from brainmark.data.readers.netcdf import read_measurement
from brainmark.data.readers.text_tables import read_text_table

CARD, MEASUREMENT, STIMULI, FITTING, SUMS = "card.toml", "measurement.nc", "stimuli.csv", "fitting.csv", "SHA256SUMS"


class PackageCard(BaseModel):
    """``card.toml``.

    Attributes
    ----------
    context : column of the stimuli; those with the same value are one running text.
    kind : what was measured; choices are "counts" where they are not one of each person to each stimulus.
    sources : name and sha256 of the files that it was made of.
    notes : what was decided on the way.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    identifier: Line
    summary: Line
    licence: Line
    cite: BibTeX
    domain: Domain
    species: tuple[str, ...]
    regions: tuple[str, ...]
    modality: Modality
    kind: Literal["recording", "dissimilarity", "choices", "counts", "ratings", "reading_times"]
    degrees: float | None = None
    duration: float | None = None
    context: str | None = None
    question: str | None = None
    scale: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = {}

    def as_toml(self) -> bytes:
        """Return the file; fields without a value are left out."""
        lines = ["# A packaged data set of Brainmark: see SHA256SUMS for its files."]
        for name, value in self.model_dump(exclude_none=True, exclude={"sources"}).items():
            lines.append(f"{name} = {_toml(value)}")
        lines += ["", "[sources]", *(f"{_toml(name)} = {_toml(sha)}" for name, sha in sorted(self.sources.items()))]
        return ("\n".join(lines) + "\n").encode()


def _toml(value: Any) -> str:
    """Return a value as TOML: text, numbers and lists of them."""
    if isinstance(value, str):
        if "\n" in value and "'''" not in value and "\r" not in value:
            return f"'''\n{value}'''"
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return repr(value)


def read_card(path: Path) -> PackageCard:
    """Return what a packaged data set says of itself.

    Raises
    ------
    DataError : the card is missing or broken; names the field.
    """
    try:
        with explain_damage(path / CARD, "cannot be read"):
            fields = tomllib.loads((path / CARD).read_text("utf-8"))
        return PackageCard.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataError(f"{path / CARD}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def dataset_card(path: Path) -> DatasetCard:
    """Return the card as registered data sets have it; its sources are the files of the folder.

    Raises
    ------
    DataError : the card or a file is missing.
    """
    card = read_card(path)
    files = [path / name for name in (MEASUREMENT, STIMULI, SUMS) if (path / name).is_file()]
    sources = [Source(url=f.resolve().as_uri(), sha256=file_digest(f), size=f.stat().st_size) for f in files]
    shared = card.model_dump(include={"summary", "licence", "cite", "domain", "species", "regions", "modality"})
    return DatasetCard(**shared, sources=tuple(sources), tags=("packaged", card.kind))


def verify_package(path: Path) -> str:
    """Return the sha256 of the list of files, after every file was found to be as it says.

    Raises
    ------
    DataError : a file is missing, was changed, or is not in the list.
    """
    listed = _read_sums(path)
    lost = [name for name in listed if not (path / name).is_file()]
    changed = [name for name, sha in listed.items() if name not in set(lost) and file_digest(path / name) != sha]
    there = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")}
    added = sorted(there - set(listed) - {SUMS})
    wrong = [
        f"{names[0]} {what}{f' (and {len(names) - 1} more)' if len(names) > 1 else ''}"
        for what, names in (("is missing", lost), ("was changed", changed), (f"is not in {SUMS}", added))
        if names
    ]
    if wrong:
        raise DataError(f"{path}: {'; '.join(wrong)} since it was packaged; package the data again")
    return file_digest(path / SUMS)


def _read_sums(path: Path) -> dict[str, str]:
    """Return name and sha256 of each file that a package lists.

    Raises
    ------
    DataError : the list is damaged, or names a file outside the folder.
    """
    with explain_damage(path / SUMS, "cannot be read"):
        lines = (path / SUMS).read_text("utf-8").splitlines()
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if not match:
            raise DataError(f"{path / SUMS}, line {number}: is not a sha256 and a name: {line[:100]!r}")
        sha, name = match.groups()
        if not _is_inside(name):
            raise DataError(
                f"{path / SUMS}, line {number}: {name!r} is not a name inside the folder; package the data again"
            )
        if name in listed:
            raise DataError(f"{path / SUMS}, line {number}: {name!r} is listed twice")
        listed[name] = sha
    return listed


def _is_inside(name: str) -> bool:
    """Whether a name is a plain relative one, which cannot lead out of a folder on any system."""
    plain = PurePosixPath(name)
    return str(plain) == name and not plain.is_absolute() and ".." not in plain.parts and not set(name) & set("\\:\0")


def list_sums(files: Mapping[str, bytes | Path]) -> bytes:
    """Return the list of the sha256 of files, as ``sha256sum`` writes it."""
    lines = [
        f"{file_digest(content) if isinstance(content, Path) else hashlib.sha256(content).hexdigest()}  {name}"
        for name, content in sorted(files.items())
    ]
    return ("\n".join(lines) + "\n").encode()


def load_package(path: Path, name: str | None = None) -> Dataset:
    """Return a packaged data set as loaded data sets are, under its own name or another.

    Raises
    ------
    DataError : a file is missing or was changed.
    InvalidMeasurement : the measurement breaks its contract.
    """
    verify_package(path)
    card = read_card(path)
    identifier = name or card.identifier
    try:
        setting = Setting(degrees=card.degrees, duration=card.duration, context=card.context)
    except InvalidStimuli as error:
        raise DataError(f"{path / 'card.toml'}: {error}; package the data again") from None
    stimuli = read_stimuli(path, STIMULI, card.identifier, card.modality)
    return Dataset(
        identifier, dataset_card(path), read_measurement(path / MEASUREMENT, verified=True), stimuli, setting
    )


def read_stimuli(path: Path, table: str, identifier: str, modality: str) -> Stimuli:
    """Return the stimuli of a table in a package. Raises DataError."""
    written = read_text_table(path / table)
    texts = {"text", *NAMES}
    known = {c: written[c].to_numpy() if c in texts else as_values(written[c].replace("", None)) for c in written}
    rows = pd.DataFrame(known)
    for column in ("stimulus_id", "text" if modality == "text" else "filename"):
        if column not in rows.columns:
            raise DataError(f"{path / table}: has no column {column!r}; package the data again")
    rows = rows.set_index("stimulus_id")
    if modality != "text":
        names = rows.pop("filename")
        outside = names[~names.isin(list(_read_sums(path)))]
        if len(outside):
            raise DataError(
                f"{path / table}: filename of stimulus {outside.index[0]!r} is {outside.iloc[0]!r}, which {SUMS} "
                "does not list; package the data again"
            )
        rows = rows.assign(path=[str(path / PurePosixPath(name)) for name in names])
    media = MediaFiles(tuple(map(Path, rows["path"]))) if modality not in ("text", "image") else ()
    return Stimuli(identifier, modality, rows, media)


def write_stimuli(rows: pd.DataFrame) -> bytes:
    """Return a table of stimuli as CSV that `read_stimuli` reads as it is, whatever its texts hold."""
    broken = any(rows[c].map(lambda v: isinstance(v, str) and ("\r" in v or "\n" in v)).any() for c in rows)
    quoting = csv.QUOTE_ALL if broken else csv.QUOTE_MINIMAL
    return rows.to_csv(index=False, lineterminator="\n", quoting=quoting).encode()


def fitting_of(path: Path) -> Stimuli | None:
    """Return the stimuli from which models learn what is asked, if the package has any. Raises DataError."""
    if not (path / FITTING).is_file():
        return None
    card = read_card(path)
    return read_stimuli(path, FITTING, f"{card.identifier}.fitting", card.modality)
