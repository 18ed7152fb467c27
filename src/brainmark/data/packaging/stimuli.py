"""The stimuli of a lab: found on disk, decoded once, told apart by content.

An identifier that stands twice is one stimulus if its file (or text) is the same, and refused if it is not. Stimuli
with other identifiers and the same file are kept apart unless `merge_same_files` is said: whether a picture that was
shown in two roles is one stimulus, the lab knows.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from brainmark.core.errors import InvalidStimuli, suggest
from brainmark.core.libraries import Image, np, pd
from brainmark.core.stimuli import decode_image
from brainmark.data.fetch import file_digest
from brainmark.data.packaging.problems import Problems, some
from brainmark.data.packaging.spec import StimulusPart
from brainmark.data.readers.archive import UNREADABLE

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
_THREADS = 4


@dataclass(eq=False)
class Found:
    """Stimuli of a lab.

    Attributes
    ----------
    table : index ``stimulus_id``; metadata, and ``path`` (images) or ``text``.
    merged : identifiers that are another one's, where stimuli were merged.
    """

    table: pd.DataFrame
    merged: dict[str, str]

    def named(self, ids: Iterable[str]) -> np.ndarray:
        """Return identifiers as they stand in the table: merged ones as the one they are kept under."""
        return np.array([self.merged.get(one, one) for one in ids], dtype=str)


def find_stimuli(
    told: StimulusPart,
    base: Path,
    modality: Literal["image", "text"],
    problems: Problems,
    scratch: Path,
    wanted: Sequence[str] = (),
) -> Found | None:
    """Return the stimuli that a description leads to, or None where there are none; what is wrong goes to `problems`.

    Parameters
    ----------
    told, base : the description, and the folder that its paths start from.
    scratch : folder for what has to be unpacked.
    wanted : identifiers that were measured; without a table, they tell whether files are named with their suffix.
    """
    if told.archive is not None or told.images is not None:
        unpacked = _unpacked(told, base, scratch, problems)
        if unpacked is None:
            return None
        told = told.model_copy(update={"folder": str(unpacked.resolve())})
    if told.table is None and told.folder is None:
        what = 'folder = "images"' if modality == "image" else 'table = "sentences.csv" with a column "text"'
        problems.add(f"stimuli are missing: say stimuli.{what}")
        return None
    if told.table is not None:
        table = read_table(base / told.table, problems, (told.text,) if modality == "text" else ())
        table = None if table is None else _from_table(table, told, base, modality, problems)
    else:
        table = _from_folder(base / str(told.folder), wanted, problems)
    if table is None:
        return None
    if modality == "image" and not _files_are_there(table, problems):
        return None
    found = _distinct(table, modality, told.merge_same_files, problems)
    if found is not None and modality == "image":
        _check_images(found.table["path"].tolist(), told, problems)
    return found


def _unpacked(told: StimulusPart, base: Path, scratch: Path, problems: Problems) -> Path | None:
    """Put the files of a ZIP archive, or the images of an NWB file, into a folder."""
    folder = scratch / "stimuli"
    if told.archive is not None:
        try:
            with zipfile.ZipFile(base / told.archive) as packed:
                packed.extractall(folder)
        except UNREADABLE as error:
            problems.add(f"stimuli.archive: {base / told.archive}: {getattr(error, 'strerror', None) or error}")
            return None
        return folder
    from brainmark.data.packaging.nwb import nwb_images

    file, _, container = str(told.images).rpartition("#")
    if not file or not (base / file).is_file():
        problems.add(f'stimuli.images is {told.images!r}; say "FILE.nwb#CONTAINER", with a file that is there')
        return None
    images = nwb_images(base / file, container, problems)
    for name, pixels in images.items():
        target = folder / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(png_of(pixels))
    return folder if images else None


def png_of(image: np.ndarray) -> bytes:
    """Return an image as a PNG file, without loss."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def ordered(found: Found, measured: Sequence[str], problems: Problems) -> list[str] | None:
    """Return the stimuli that were measured, in the order of their table; unknown ones go to `problems`."""
    known, shown = set(found.table.index), dict.fromkeys(measured)
    unknown = [one for one in shown if one not in known and one]
    if unknown:
        hint = f"; they are called {some(list(known), 2)} there" if len(unknown) == len(shown) else ""
        problems.add(
            f"{len(unknown)} of {len(shown)} stimuli of the recordings are not among those described: "
            f"{some(unknown)}{hint}; add them, or name what is no stimulus in skip = [...]"
        )
        return None
    unseen = [one for one in found.table.index if one not in shown]
    if unseen:
        problems.note(f"{len(unseen)} stimuli were not measured and were left out: {some(unseen, 3)}")
    return [str(one) for one in found.table.index if one in shown]


def read_table(path: Path, problems: Problems, as_written: Sequence[str] = ()) -> pd.DataFrame | None:
    """Read a CSV or TSV table; empty fields are missing, and text like "NA" in a column of text stays text.

    Numbers with zeros before them, such as 007, are names, and stay text, as do the columns `as_written`.
    """
    read = partial(
        pd.read_csv, path, sep="\t" if path.suffix.lower() == ".tsv" else ",", encoding="utf-8-sig",
        keep_default_na=False, na_values=["", "n/a"],
    )  # fmt: skip
    try:
        table = read()
        whole = [k for k, name in enumerate(table.columns) if name in as_written or _whole_numbers(table[name])]
        written = read(usecols=whole, dtype=str) if whole else table.iloc[:, :0]
    except (OSError, ValueError, csv.Error) as error:
        problems.add(f"{path} cannot be read as a table: {getattr(error, 'strerror', None) or error}")
        return None
    if table.empty:
        problems.add(f"{path} has no rows")
        return None
    for place, name in zip(whole, written.columns, strict=True):
        if table.columns[place] in as_written or written[name].str.match(r"0\d").any():
            table = table.assign(**{str(table.columns[place]): written[name]})
    return table


def _whole_numbers(column: pd.Series) -> bool:
    """Whether a column was read as integers, or as floats since some are missing."""
    return column.dtype.kind in "iu" or (column.dtype.kind == "f" and bool((column.dropna() % 1 == 0).all()))


def header(path: Path) -> list[str]:
    """Return the names of the columns of a table; none where it cannot be read."""
    table = read_table(path, Problems(path.name))
    return [] if table is None else [str(column) for column in table.columns]


def column_of(table: pd.DataFrame, name: str, path: Any, problems: Problems, way: str = "") -> pd.Series | None:
    """Return a column; if it is not there, say which are, and which is near."""
    if name in table.columns:
        return table[name]
    near = suggest(name, map(str, table.columns))
    hint = f"; did you mean {near[0]!r}?" if near else f" among {', '.join(map(str, table.columns[:12]))}"
    problems.add(f"{path}: no column {name!r}{hint}{way}")
    return None


def as_names(values: Iterable[Any]) -> np.ndarray:
    """Return identifiers as text: whole numbers without a decimal point, nothing for what is missing."""
    return np.array([_name(v) for v in values], dtype=str)


def _name(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return value.decode() if isinstance(value, bytes) else str(value)


def _from_table(
    table: pd.DataFrame, told: StimulusPart, base: Path, modality: str, problems: Problems
) -> pd.DataFrame | None:
    path = base / str(told.table)
    ids = column_of(table, told.id, path, problems, "; say stimuli.id")
    name = told.file if modality == "image" else told.text
    content = column_of(table, name, path, problems, f"; say stimuli.{'file' if modality == 'image' else 'text'}")
    if ids is None or content is None:
        return None
    lacking = int(ids.isna().sum()), int(content.isna().sum())
    for count, what in zip(lacking, (told.id, name), strict=True):
        if count:
            problems.add(f"{path}: {count} rows have nothing in column {what!r}")
    if any(lacking):
        return None
    rest = table.drop(columns=[c for c in (told.id, name, "path", "stimulus_id") if c in table.columns])
    rest.index = pd.Index(as_names(ids), name="stimulus_id")
    if modality == "text":
        return rest.assign(text=content.astype(str).to_numpy())
    folder = base / told.folder if told.folder else path.parent
    suffix = ".png" if told.images is not None else ""  # images in NWB have names, and no files
    return rest.assign(path=[str(folder / f"{str(file).removesuffix(suffix)}{suffix}") for file in content])


def _from_folder(folder: Path, wanted: Sequence[str], problems: Problems) -> pd.DataFrame | None:
    if not folder.is_dir():
        problems.add(f"stimuli.folder: there is no folder {folder}")
        return None
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGES and not p.name.startswith("."))
    if not files:
        problems.add(f"stimuli.folder: {folder} holds no images ({', '.join(sorted(IMAGES))})")
        return None
    known = set(wanted)
    namings = [
        [p.relative_to(folder).with_suffix("").as_posix() for p in files],
        [p.relative_to(folder).as_posix() for p in files],
        [p.name for p in files],
        [p.stem for p in files],
    ]
    ids = max(namings, key=lambda names: len(known.intersection(names))) if known else namings[0]
    return pd.DataFrame({"path": [str(p) for p in files]}, index=pd.Index(ids, name="stimulus_id"))


def _files_are_there(table: pd.DataFrame, problems: Problems) -> bool:
    """Add the files that are not on the disk, with the nearest name beside the first."""
    lost = [path for path in dict.fromkeys(table["path"]) if not Path(path).is_file()]
    if lost:
        first = Path(lost[0])
        beside = [p.name for p in first.parent.iterdir()] if first.parent.is_dir() else []
        near = suggest(first.name, beside)
        hint = f"; beside it lies {near[0]!r}" if near else "" if beside else f"; there is no folder {first.parent}"
        problems.add(f"{len(lost)} of {len(table)} files of stimuli are not there: {some(lost)}{hint}")
    return not lost


def _distinct(table: pd.DataFrame, modality: str, merge_same_files: bool, problems: Problems) -> Found | None:
    """Merge rows that are one stimulus; add identifiers that stand for several."""
    if modality == "image":
        content = pd.Series([file_digest(Path(p)) for p in table["path"]], index=table.index)
    else:
        content = table["text"]
    kinds = content.groupby(level=0).nunique()
    torn = kinds[kinds > 1].index.tolist()
    if torn:
        files = table.loc[[torn[0]], "path" if modality == "image" else "text"].tolist()
        problems.add(
            f"{len(torn)} stimulus_id stand for several different stimuli: {some(torn)}; "
            f"{torn[0]!r} is {some(files)}; give each its own, in the table and in the recordings"
        )
        return None
    first = ~table.index.duplicated()
    if not first.all():
        again = int((~first).sum())
        problems.note(f"{again} rows of the table of stimuli repeat a stimulus_id with the same file; merged")
    table, content = table[first], content[first]
    merged: dict[str, str] = {}
    alike = content.duplicated()
    if alike.any():
        kept = {str(c): str(i) for i, c in reversed(list(content.items()))}
        same = {str(i): kept[str(c)] for i, c in content[alike].items()}
        one, other = next(iter(same.items()))
        if merge_same_files:
            merged, table = same, table[~alike.to_numpy()]
            problems.note(f"{len(same)} stimuli are the same as another and were merged, e.g. {one!r} into {other!r}")
        else:
            problems.note(
                f"{len(same)} stimuli have the same content as another, e.g. {one!r} and {other!r}; they are kept "
                "apart (stimuli.merge_same_files = true makes them repetitions of one)"
            )
    return Found(table, merged)


def _check_images(paths: Sequence[str], told: StimulusPart, problems: Problems) -> None:
    """Decode every image; add damaged ones, and sizes that leave open how wide each was shown."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="brainmark-decode") as pool:
        results = list(pool.map(_size_of, paths))
    damaged = [r for r in results if isinstance(r, str)]
    if damaged:
        problems.add(f"{len(damaged)} of {len(paths)} images cannot be decoded: {some(damaged, 3)}")
    sizes = sorted({r for r in results if not isinstance(r, str)})
    if len(sizes) > 1 and told.pixels_per_degree is None and not told.same_width:
        listed = ", ".join(f"{w} x {h}" for w, h in sizes[:4]) + (", ..." if len(sizes) > 4 else "")
        problems.add(
            f"images have {len(sizes)} sizes in pixels ({listed}), and nothing says how wide each was shown: say "
            "stimuli.same_width = true (all as wide as `degrees`), or stimuli.pixels_per_degree = ... (one scale)"
        )


def _size_of(path: str) -> tuple[int, int] | str:
    try:
        height, width = decode_image(Path(path)).shape[:2]
    except InvalidStimuli as error:
        return f"{path}: {error}"
    return width, height


def on_one_canvas(images: Sequence[np.ndarray], pixels_per_degree: float) -> tuple[list[np.ndarray], float]:
    """Return images, each in the middle of a mid-grey screen that holds the largest, and its width in degrees."""
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    shown: list[np.ndarray] = []
    for image in images:
        screen = np.full((height, width, 3), 128, np.uint8)
        top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
        screen[top : top + image.shape[0], left : left + image.shape[1]] = image
        shown.append(screen)
    return shown, width / pixels_per_degree
