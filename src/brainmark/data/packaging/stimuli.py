"""The stimuli of a lab: found on disk, decoded once, and identified by their content.

An identifier that stands twice is one stimulus if its file (or text) is the same, and refused if it is not. Stimuli
with other identifiers and the same file are kept apart unless `merge_same_files` is set: whether a picture that was
shown in two roles is one stimulus, the lab knows.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from brainmark.core.errors import InvalidStimuli, suggest
from brainmark.core.images import decode_image
from brainmark.core.libraries import Image, np, pd
from brainmark.data.fetch import file_digest
from brainmark.data.packaging.description import StimulusPart
from brainmark.data.packaging.names import as_names, compose, find_alike, find_paths
from brainmark.data.packaging.nwb import read_images
from brainmark.data.packaging.problems import Problems, Unusable, some
from brainmark.data.packaging.tables import NAMES, as_values, column_of, read_table
from brainmark.data.readers.archive import IMAGES, check_members
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.media import read_medium, suffixes_of

_THREADS = 4


@dataclass(eq=False)
class Found:
    """Stimuli of a lab.

    Attributes
    ----------
    table : index ``stimulus_id``; metadata, and ``path`` (images) or ``text``.
    merged : identifiers that are another one's, where stimuli were merged.
    listed : identifiers in the order of the table, or of the names of the files, as often as they stand there.
    context : column of the table; rows with the same value are one running text.
    """

    table: pd.DataFrame
    merged: dict[str, str]
    listed: tuple[str, ...] = ()
    context: str | None = None

    def rename(self, ids: Iterable[str]) -> np.ndarray:
        """Return identifiers as they stand in the table: merged ones as the one they are kept under."""
        return np.array([self.merged.get(one, one) for one in ids], dtype=str)

    def order(self, measured: Sequence[str], problems: Problems) -> list[str]:
        """Return the stimuli that were measured, in the order of the table. Raises Unusable where one is unknown.

        Words of a running text in which something was measured are returned, too: people read or heard them.
        """
        known, shown = set(self.table.index), dict.fromkeys(measured)
        unknown = [one for one in shown if one not in known and one]
        if unknown:
            alike = find_alike(unknown[0], self.table.index)
            hint = f"; they are called {some(list(self.table.index), 2)} there" if len(unknown) == len(shown) else ""
            hint = f"; {alike}: make them equal" if alike else hint
            problems.fail(
                f"{len(unknown)} of {len(shown)} stimuli of the recordings are not among those described: "
                f"{some(unknown)}{hint}; add them, or name what is no stimulus in skip = [...]"
            )
        measured_here = self.table.index.isin(list(shown))
        kept = measured_here
        if self.context is not None:
            texts = self.table[self.context]
            kept = texts.isin(texts[measured_here]).to_numpy()
            if (kept > measured_here).any():
                words = self.table.index[kept > measured_here].tolist()
                problems.note(f"{len(words)} words were not measured and are context only: {some(words, 3)}")
        unseen = self.table.index[~kept].tolist()
        if unseen:
            problems.note(f"{len(unseen)} stimuli were not measured and were left out: {some(unseen, 3)}")
        return [str(one) for one in self.table.index[kept]]


StimuliFinder = Callable[[Sequence[str]], Found]
"""Finds the stimuli for the identifiers that were measured, see `find_stimuli`."""


def find_stimuli(
    spec: StimulusPart,
    base: Path,
    modality: str,
    problems: Problems,
    scratch: Path,
    wanted: Sequence[str] = (),
) -> Found:
    """Return the stimuli that a description leads to.

    Parameters
    ----------
    spec, base : the description, and the folder that its paths start from.
    scratch : folder for what has to be unpacked.
    wanted : identifiers that were measured; without a table, they tell whether files are named with their suffix.

    Raises
    ------
    Unusable : there are none; what is wrong is among the problems.
    """
    places = [name for name in ("folder", "archive", "images") if getattr(spec, name) is not None]
    if len(places) > 1:
        problems.fail(f"stimuli.{' and stimuli.'.join(places)} both say where the files are; leave one out")
    if spec.archive is not None or spec.images is not None:
        unpacked = _unpack(spec, base, scratch / "stimuli", problems)
        spec = spec.model_copy(update={"folder": str(unpacked.resolve())})
    if spec.table is None and spec.folder is None:
        of_files = f'folder = "{"images" if modality == "image" else modality}"'
        what = 'table = "sentences.csv" with a column "text"' if modality == "text" else of_files
        problems.fail(f"stimuli are missing: say stimuli.{what}")
    if spec.table is not None:
        table = _list_from_table(spec, base, modality, problems)
    else:
        table = _list_from_folder(base / str(spec.folder), suffixes_of(modality), wanted, problems)
    if spec.context is not None:
        return _keep_running_text(table, spec.context, modality, problems)
    if modality == "text":
        return _tell_apart(table, table["text"], spec.merge_same_files, problems)
    _check_files(table, problems)
    content = pd.Series([file_digest(Path(p)) for p in table["path"]], index=table.index)
    found = _tell_apart(table, content, spec.merge_same_files, problems)
    if modality == "image":
        _check_images(found.table["path"].tolist(), spec, problems)
    else:
        for path in found.table["path"]:
            problems.attempt(read_medium, Path(path))
    return found


def _unpack(spec: StimulusPart, base: Path, folder: Path, problems: Problems) -> Path:
    """Put the files of a ZIP archive, or the images of an NWB file, into a folder."""
    if spec.archive is not None:
        path = base / spec.archive
        with explain_damage(f"stimuli.archive: {path}", "cannot be unpacked"), zipfile.ZipFile(path) as archive:
            check_members(archive, path)
            archive.extractall(folder)
        return folder
    file, _, container = str(spec.images).rpartition("#")
    if not file or not (base / file).is_file():
        problems.fail(f'stimuli.images is {spec.images!r}; say "FILE.nwb#CONTAINER", with a file that is there')
    for name, pixels in read_images(base / file, container, problems).items():
        target = folder / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(png_of(pixels))
    return folder


def png_of(image: np.ndarray) -> bytes:
    """Return an image as a PNG file, without loss."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def _list_from_table(spec: StimulusPart, base: Path, modality: str, problems: Problems) -> pd.DataFrame:
    path = base / str(spec.table)
    field = "text" if modality == "text" else "file"
    name = getattr(spec, field)
    table = read_table(path, problems, spec.layout)
    ids = problems.attempt(column_of, table, spec.id, path, problems, "; say stimuli.id")
    content = problems.attempt(column_of, table, name, path, problems, f"; say stimuli.{field}")
    if ids is None or content is None:
        raise Unusable
    lacking = {spec.id: ids.isna(), name: content.isna()}
    for what, empty in lacking.items():
        if empty.any():
            lines = f"line {empty.index[empty][0]}" + (f" and {int(empty.sum()) - 1} more" if empty.sum() > 1 else "")
            problems.add(f"{path}: nothing stands in column {what!r} on {lines}")
    if any(empty.any() for empty in lacking.values()):
        raise Unusable
    known = {
        compose(str(c)): _names_of(table[c]) if c in NAMES else as_values(table[c], spec.layout)
        for c in table.columns
        if c not in (ids.name, content.name, "path", "stimulus_id", "text")
    }
    rest = pd.DataFrame(known, index=pd.Index(as_names(ids), name="stimulus_id", dtype=object))
    if modality == "text":
        return rest.assign(text=content.astype(str).to_numpy())
    folder = base / spec.folder if spec.folder else path.parent
    suffix = ".png" if spec.images is not None else ""  # images in NWB have names, and no files
    files = [folder / f"{file.removesuffix(suffix)}{suffix}" for file in content]
    return rest.assign(path=[str(file) for file in find_paths(files)])


def _names_of(column: pd.Series) -> np.ndarray:
    """Return names as text, None where there is none."""
    names = as_names(column).astype(object)
    names[column.isna()] = None
    return names


def _list_from_folder(
    folder: Path, suffixes: Collection[str], wanted: Sequence[str], problems: Problems
) -> pd.DataFrame:
    if not folder.is_dir():
        problems.fail(f"stimuli.folder: there is no folder {folder}")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes and not p.name.startswith("."))
    if not files:
        what = "images" if suffixes is IMAGES else "stimuli"
        problems.fail(f"stimuli.folder: {folder} holds no {what} ({', '.join(sorted(suffixes))})")
    namings = [
        [p.relative_to(folder).with_suffix("").as_posix() for p in files],
        [p.relative_to(folder).as_posix() for p in files],
        [p.name for p in files],
        [p.stem for p in files],
    ]
    ids = max((as_names(names) for names in namings), key=lambda names: len(set(wanted).intersection(names)))
    return pd.DataFrame({"path": [str(p) for p in files]}, index=pd.Index(ids, name="stimulus_id", dtype=object))


def _check_files(table: pd.DataFrame, problems: Problems) -> None:
    """Refuse files that are not on the disk, with the nearest name beside the first."""
    lost = [path for path in dict.fromkeys(table["path"]) if not Path(path).is_file()]
    if lost:
        first = Path(lost[0])
        beside = [p.name for p in first.parent.iterdir()] if first.parent.is_dir() else []
        near = suggest(first.name, beside)
        slashed = Path(lost[0].replace("\\", "/"))
        if slashed != first and slashed.is_file():
            problems.fail(
                f"{len(lost)} of {len(table)} files of stimuli are not there: {some(lost)}; write / for \\ in paths"
            )
        hint = f"; beside it lies {near[0]!r}" if near else "" if beside else f"; there is no folder {first.parent}"
        problems.fail(f"{len(lost)} of {len(table)} files of stimuli are not there: {some(lost)}{hint}")


def _tell_apart(table: pd.DataFrame, content: pd.Series, merge_same_files: bool, problems: Problems) -> Found:
    """Merge rows that are one stimulus; refuse identifiers that stand for several. `content`: what tells them apart."""
    kinds = content.groupby(level=0).nunique()
    torn = kinds[kinds > 1].index.tolist()
    if torn:
        shown = table.loc[[torn[0]], "path" if "path" in table.columns else "text"].tolist()
        problems.fail(
            f"{len(torn)} stimulus_id stand for several different stimuli: {some(torn)}; "
            f"{torn[0]!r} is {some(shown)}; give each its own, in the table and in the recordings"
        )
    listed = tuple(map(str, table.index))
    first = ~table.index.duplicated()
    if not first.all():
        again = int((~first).sum())
        problems.note(f"{again} rows of the table of stimuli repeat a stimulus_id with the same file; merged")
    table, content = table[first], content[first]
    alike = content.duplicated()
    if not alike.any():
        return Found(table, {}, listed)
    kept = {str(c): str(i) for i, c in reversed(list(content.items()))}
    same = {str(i): kept[str(c)] for i, c in content[alike].items()}
    one, other = next(iter(same.items()))
    if merge_same_files:
        problems.note(f"{len(same)} stimuli are the same as another and were merged, e.g. {one!r} into {other!r}")
        return Found(table[~alike.to_numpy()], same, tuple(same.get(one, one) for one in listed))
    problems.note(
        f"{len(same)} stimuli have the same content as another, e.g. {one!r} and {other!r}; they are kept "
        "apart (stimuli.merge_same_files = true makes them repetitions of one)"
    )
    return Found(table, {}, listed)


def _keep_running_text(table: pd.DataFrame, context: str, modality: str, problems: Problems) -> Found:
    """Return words in the order of the table; a word that comes again is another stimulus, with its own context."""
    if modality != "text":
        problems.fail(f'stimuli.context is {context!r}, but modality is {modality!r}; say modality = "text"')
    texts = column_of(table, context, Path("stimuli.table"), problems, "; say stimuli.context")
    lacking = table.index[texts.isna() | (texts.astype(str).str.strip() == "")].tolist()
    if lacking:
        problems.fail(f"{len(lacking)} words are in no text: nothing stands in column {context!r} of {some(lacking)}")
    again = table.index[table.index.duplicated()].unique().tolist()
    if again:
        problems.fail(
            f"{len(again)} stimulus_id stand for several words: {some(again)}; give each word of a running text its "
            "own, also where a word comes again"
        )
    return Found(table, {}, tuple(map(str, table.index)), context)


def _check_images(paths: Sequence[str], spec: StimulusPart, problems: Problems) -> None:
    """Decode every image; add damaged ones, and sizes that leave open how wide each was shown."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="brainmark-decode") as pool:
        results = list(pool.map(_measure, paths))
    damaged = [r for r in results if isinstance(r, str)]
    if damaged:
        problems.add(f"{len(damaged)} of {len(paths)} images cannot be decoded: {some(damaged, 3)}")
    sizes = sorted({r for r in results if not isinstance(r, str)})
    if len(sizes) > 1 and spec.pixels_per_degree is None and not spec.same_width:
        listed = ", ".join(f"{w} x {h}" for w, h in sizes[:4]) + (", ..." if len(sizes) > 4 else "")
        problems.add(
            f"images have {len(sizes)} sizes in pixels ({listed}), and nothing says how wide each was shown: say "
            "stimuli.same_width = true (all as wide as `degrees`), or stimuli.pixels_per_degree = ... (one scale)"
        )


def _measure(path: str) -> tuple[int, int] | str:
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
