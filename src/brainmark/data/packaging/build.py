"""Builds a packaged data set from a description: reads, checks, combines and writes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from brainmark.core.cards import BibTeX
from brainmark.core.errors import DataError, InvalidMeasurement
from brainmark.core.images import decode_image
from brainmark.core.libraries import pd, xr
from brainmark.core.measurement import CONTEXT_ONLY, check_measurement
from brainmark.data.fetch import file_digest
from brainmark.data.packaging.answers import read_answers, read_dissimilarities
from brainmark.data.packaging.description import Description, Recordings, refuse_unused
from brainmark.data.packaging.folder import (
    CARD,
    FITTING,
    MEASUREMENT,
    STIMULI,
    SUMS,
    PackageCard,
    list_sums,
    write_stimuli,
)
from brainmark.data.packaging.problems import CannotPackage, Problems, Unusable, group_by_file, some
from brainmark.data.packaging.sessions import Session, check_session, check_together, join_sessions, name_neuroids
from brainmark.data.packaging.stimuli import Found, StimuliFinder, find_stimuli, on_one_canvas, png_of
from brainmark.data.packaging.windows import place_in_order
from brainmark.data.readers.netcdf import encode_measurement
from brainmark.data.readers.text import read_text
from brainmark.data.writing import write_folder

WIDEST = 180  # degrees: a flat screen at no distance
FASTEST = 2000  # spikes/s: what a refractory period of half a millisecond allows
PER_SECOND = {**dict.fromkeys(("spikes/s", "sp/s", "Hz"), 1), "spikes/ms": 1000}
_NEEDED = {
    "identifier": 'identifier is missing: the author and the year, such as "Lovelace2026"',
    "summary": "summary is missing: one sentence on what was measured, on whom",
    "licence": 'licence is missing: under which others may use the data, such as "CC-BY-4.0"',
    "cite": "cite is missing: a BibTeX entry of the publication (or cite_file, a file that holds it)",
    "species": 'species is missing: ["macaque"], ["human"], ...',
}


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set that can be written.

    Attributes
    ----------
    card : what it says of itself.
    measurement : with its stimuli in the order of `files`.
    files : content, or the file to copy, by name in the package.
    notes : what was decided.
    """

    card: PackageCard
    measurement: xr.DataArray
    files: dict[str, bytes | Path]
    notes: tuple[str, ...]


def package(description: Description, base: Path, out: Path, *, replace: bool = False) -> Prepared:
    """Read what a description names, check it, and write it as one folder.

    Parameters
    ----------
    description : see `spec`.
    base : folder that its paths start from.
    out : the folder to write; complete or not there at all.
    replace : an existing package at `out` gives way.

    Raises
    ------
    CannotPackage : lists all that is missing or wrong.
    DataError : the folder cannot be written, or is there already.
    MissingDependency : the library that reads a format is not installed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        prepared = prepare(description, base, Path(scratch))
        _write(prepared, out, replace)
    return prepared


def _write(prepared: Prepared, out: Path, replace: bool) -> None:
    if out.exists() and not (replace and (out / CARD).is_file()):
        way = "replace it (--replace)" if (out / CARD).is_file() else "name a new folder: this one is no package"
        raise DataError(f"{out} is there already; {way}")
    try:
        write_folder(out, prepared.files, replace)
    except OSError as error:
        raise DataError(f"cannot write {error.filename or out}: {error.strerror or error}") from error


def prepare(description: Description, base: Path, scratch: Path) -> Prepared:
    """Return the data set that a description leads to, before it is written.

    Parameters
    ----------
    scratch : folder for what has to be unpacked, such as images inside a file; it is needed until all is written.

    Raises
    ------
    CannotPackage, MissingDependency
    """
    problems = Problems(description.identifier or "the data set")
    spec = _take_citation(description, base, problems)
    facts: dict[str, Any] = {}
    find = partial(find_stimuli, spec.stimuli, base, spec.modality, problems, scratch)
    kinds = {source.kind for source in spec.recording}
    made = None
    if len(kinds) > 1:
        problems.add(f"recording: kinds {some(sorted(kinds))} cannot be one data set; package them apart")
    elif "dissimilarity" in kinds:
        made = problems.attempt(read_dissimilarities, spec, base, find, problems)
    elif kinds & {"choices", "ratings", "reading_times"}:
        made = problems.attempt(read_answers, spec, base, find, problems)
    else:
        if not kinds:
            problems.add("recording is missing: [[recording]] with file = ..., the files that hold what was measured")
        made = problems.attempt(_read_recording, spec, base, find, problems, facts)
    _check_description(spec, facts, problems)
    problems.check()
    assert made is not None
    return _put_together(spec, base, scratch, made, facts, problems)


def _take_citation(spec: Description, base: Path, problems: Problems) -> Description:
    """Take the citation from its file, where one is named."""
    if spec.cite is not None or spec.cite_file is None:
        return spec
    try:
        cite = TypeAdapter(BibTeX).validate_python(read_text(base / spec.cite_file).strip())
    except (DataError, ValidationError) as error:
        wrong = isinstance(error, ValidationError)
        reason = f"{base / spec.cite_file}: {error.errors()[0]['msg']}" if wrong else str(error)
        problems.add(f"cite_file: {reason}")
        cite = "given"  # the problem is named, the citation is not missing besides
    return spec.model_copy(update={"cite": cite})


def _check_description(spec: Description, facts: dict[str, Any], problems: Problems) -> None:
    """Add what neither the description nor the files state."""
    for field, words in _NEEDED.items():
        if not getattr(spec, field) and not facts.get(field) and not problems.may_state(field):
            problems.add(words)
    if spec.modality != "image":
        return
    if spec.degrees is None and spec.stimuli.pixels_per_degree is None:
        problems.add('degrees is missing: how wide the images were shown, in degrees of visual angle (or "unknown")')
    elif spec.degrees is not None and spec.stimuli.pixels_per_degree is not None:
        problems.add("degrees and stimuli.pixels_per_degree both say how wide images were shown; leave one out")
    elif isinstance(spec.degrees, float | int) and spec.degrees > WIDEST:
        problems.add(f"degrees is {spec.degrees:g}, wider than any screen is seen; it looks like pixels")
    if spec.duration is None:
        problems.add('duration is missing: how long an image was shown, in ms (or "unknown")')
    elif spec.duration != "unknown" and spec.duration < 2:
        problems.add(f"duration is {spec.duration:g} ms, shorter than a screen can show; it looks like seconds")


def _read_recording(
    spec: Description, base: Path, find: StimuliFinder, problems: Problems, facts: dict[str, Any]
) -> tuple[xr.DataArray, Found]:
    """Return a recording and its stimuli; add to `facts` what the files state of species and licence."""
    sessions: list[Session] = []
    for source in spec.recording:
        for path in source.files(base, problems):
            session = problems.attempt_file(source.read, path, base, problems)
            if session is None:
                _say_missing(path, source, problems)
                continue
            _describe_all(session, source, problems)
            check_session(session, problems)
            sessions.append(session)
    species = dict.fromkeys(s.facts["species"] for s in sessions if "species" in s.facts)
    licences = {s.facts["licence"] for s in sessions if "licence" in s.facts}
    facts |= {"species": tuple(species)} if species else {}
    facts |= {"licence": licences.pop()} if len(licences) == 1 else {}
    check_together(sessions, problems)
    across = {source.across_sessions for source in spec.recording} - {None}
    if len(across) > 1:
        problems.add(f"across_sessions is {some(sorted(map(str, across)))}; say one of them for all recordings")
    named = [s for s in sessions if s.in_order is None]
    found = find(list(dict.fromkeys(str(one) for s in named for one in s.stimulus_ids)))
    for session in sessions:
        place_in_order(session, found, problems)
    if not sessions or any("subject" not in s.neuroids for s in sessions):
        raise Unusable
    names = name_neuroids(sessions, min(filter(None, across), default=None), problems)
    for session in sessions:
        session.stimulus_ids = found.rename(session.stimulus_ids)
    order = found.order([str(one) for s in sessions for one in s.stimulus_ids], problems)
    if problems.found:
        raise Unusable
    joined = _leave_empty_out(join_sessions(sessions, names, order), problems, found.context is not None)
    if found.context is not None:
        empty = joined.isnull().all([d for d in joined.dims if d != "presentation"])
        joined = joined.assign_coords({CONTEXT_ONLY: ("presentation", empty.values)})
    return joined, found


def _describe_all(session: Session, source: Recordings, problems: Problems) -> None:
    """Add the fields of the description to the neuroids, where the file does not state them."""
    neuroids = session.neuroids
    for column in ("region", "subject", "session"):
        said = getattr(source, column)
        if said is None:
            continue
        own = neuroids.get(column, pd.Series([None] * len(neuroids), dtype=object))
        stated = sorted(set(own.astype(str)))
        if own.notna().all() and stated != [said]:
            problems.add(f"{session.where}: {column} = {said!r} in the description, but the file says {stated[:3]}")
        neuroids[column] = own.where(own.notna(), said)


def _say_missing(path: Path, source: Recordings, problems: Problems) -> None:
    """Add what a file that cannot be read would lack besides, so that all is heard at once."""
    known = source.describes(path)
    if known is None:
        return
    if source.units is None:
        problems.add(f'{path}: the units of the values are missing; say units = "spikes/s" (or "z", "percent", ...)')
    for column, example in (("region", "V4"), ("subject", "monkey A")):
        if getattr(source, column) is None and column not in known:
            problems.add(f'{path}: neuroids have no {column}; say {column} = "{example}" for all, or one for each')


def _leave_empty_out(measurement: xr.DataArray, problems: Problems, running: bool = False) -> xr.DataArray:
    """Leave out neuroids and presentations without a single value, and say so; of a `running` text no presentation."""
    for dim, coordinate in (("neuroid", "neuroid_id"), ("presentation", "stimulus_id")):
        others = [d for d in measurement.dims if d != dim]
        empty = measurement.isnull().all(others).values
        if empty.any() and not empty.all() and not (running and dim == "presentation"):
            names = measurement.coords[coordinate].values[empty].tolist()
            problems.note(f"{len(names)} along {dim} have no value and were left out: {some(names, 3)}")
            measurement = measurement.isel({dim: ~empty})
    most = float(measurement.max()) * PER_SECOND.get(str(measurement.attrs.get("units")), 0)
    if most > FASTEST:
        problems.note(f"values reach {most:g} spikes/s, more than neurons fire; state the right units")
    return measurement


def _put_together(
    spec: Description,
    base: Path,
    scratch: Path,
    made: tuple[xr.DataArray, Found],
    facts: dict[str, Any],
    problems: Problems,
) -> Prepared:
    """Put files and card together, and check the measurement against its contract."""
    measurement, found = made
    table = found.table.loc[measurement.coords["stimulus_id"].values.astype(str)]
    measurement = with_metadata(measurement, table)
    try:
        check_measurement(measurement, str(spec.identifier))
    except InvalidMeasurement as error:
        raise CannotPackage(problems.what, [str(error)]) from error
    files: dict[str, bytes | Path] = {MEASUREMENT: encode_measurement(measurement, str(spec.identifier))}
    degrees = _put_stimuli(files, STIMULI, table, spec)
    wanted = {"choices": "label", "ratings": "rating"}.get(spec.recording[0].kind)
    if wanted is not None and spec.stimuli.fitting is not None:
        part = spec.stimuli.model_copy(update={"table": spec.stimuli.fitting, "fitting": None})
        learnt = problems.attempt(find_stimuli, part, base, spec.modality, problems, scratch)
        if learnt is not None and wanted not in learnt.table.columns:
            problems.add(f"{base / spec.stimuli.fitting}: no column {wanted!r}, from which models learn what is asked")
        if learnt is not None:
            _put_stimuli(files, FITTING, learnt.table, spec)
    problems.check()
    card = _make_card(spec, base, measurement, degrees, facts, problems)
    _check_all_used(spec, problems)
    problems.check()
    files[CARD] = card.as_toml()
    files[SUMS] = list_sums(files)
    return Prepared(card, measurement, files, tuple(group_by_file(problems.notes)))


def _check_all_used(spec: Description, problems: Problems) -> None:
    """Add the fields of the description that had no effect."""
    refuse_unused(spec, "", "descriptions", problems)
    refuse_unused(spec.stimuli, "stimuli.", "these stimuli", problems)
    for number, source in enumerate(spec.recording):
        refuse_unused(source, f"recording.{number}.", "such recordings", problems)


def with_metadata(measurement: xr.DataArray, table: pd.DataFrame) -> xr.DataArray:
    """Add what the table of stimuli knows of every one of them as coordinates along presentation."""
    columns: dict[str, Any] = {}
    for name in map(str, table.columns):
        values = table[name]
        taken = name in measurement.coords or name in measurement.dims or name in ("path", "text", "measurement")
        if taken or not name.isidentifier() or bool(values.isna().any()):
            continue
        plain = values.to_numpy() if values.dtype.kind in "fiub" else values.astype(str).to_numpy(dtype=str)
        columns[name] = ("presentation", plain)
    return measurement.assign_coords(columns)


def _put_stimuli(files: dict[str, bytes | Path], name: str, table: pd.DataFrame, spec: Description) -> float | None:
    """Add a table of stimuli and their files to those of the package; return how wide they are in degrees."""
    degrees = None if spec.degrees in (None, "unknown") else float(spec.degrees)
    rows = table.reset_index()
    if spec.modality != "text":
        folder = "stimuli" if name == STIMULI else "fitting"
        sources = [Path(p) for p in rows.pop("path")]
        scale = spec.stimuli.pixels_per_degree if spec.modality == "image" else None
        rows["filename"] = _name_files(rows["stimulus_id"].tolist(), sources, folder, ".png" if scale else None)
        contents: list[bytes | Path] = list(sources)
        if scale is not None:
            shown, degrees = on_one_canvas([decode_image(p) for p in sources], scale)
            contents = [png_of(image) for image in shown]
        files |= dict(zip(rows["filename"], contents, strict=True))
    files[name] = write_stimuli(rows)
    return degrees


def _name_files(ids: Sequence[str], sources: Sequence[Path], folder: str, suffix: str | None) -> list[str]:
    """Return names of files in the package: identifiers as far as file systems allow, unique whatever their case."""
    names: list[str] = []
    taken: set[str] = set()
    for number, (one, source) in enumerate(zip(ids, sources, strict=True)):
        ending = suffix or source.suffix.lower()
        stem = PurePosixPath(one).name if PurePosixPath(one).name.isprintable() else ""
        stem = stem.removesuffix(source.suffix)
        plain = "".join(c if c.isalnum() or c in "-_.+" else "_" for c in stem)[:100].lstrip(".") or "stimulus"
        name = plain if f"{plain}{ending}".lower() not in taken else f"{plain}_{number}"
        taken.add(f"{name}{ending}".lower())
        names.append(f"{folder}/{name}{ending}")
    return names


def _make_card(
    spec: Description, base: Path, measurement: xr.DataArray, degrees: float | None, facts: dict[str, Any],
    problems: Problems,
) -> PackageCard:  # fmt: skip
    kind = spec.recording[0].kind
    if "region" in measurement.coords:
        regions = tuple(dict.fromkeys(measurement.coords["region"].values.astype(str).tolist()))
    else:
        regions = tuple(dict.fromkeys(source.region for source in spec.recording if source.region))
    return PackageCard(
        identifier=str(spec.identifier),
        summary=str(spec.summary),
        licence=str(spec.licence or facts["licence"]),
        cite=str(spec.cite),
        domain=spec.domain,
        species=tuple(spec.species or facts["species"]),
        regions=regions,
        modality=spec.modality,
        kind="counts" if kind == "choices" and "subject" not in measurement.dims else kind,
        degrees=degrees,
        context=spec.stimuli.context,
        duration=None if spec.duration in (None, "unknown") else float(spec.duration),
        question=spec.question if kind == "ratings" else None,
        scale=spec.scale if kind == "ratings" else None,
        notes=tuple(_hide_places(note, spec, base) for note in group_by_file(problems.notes)),
        sources={_name_from(path, base): file_digest(path) for path in spec.files(base) if path.is_file()},
    )


def _name_from(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name


def _hide_places(note: str, spec: Description, base: Path) -> str:
    """Return a note that names files as the description does, not where they lie on this machine."""
    for path in spec.files(base):
        note = note.replace(str(path), _name_from(path, base))
    return note.replace(f"{base}/", "")
