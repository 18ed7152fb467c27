"""Images of the brain: volumes (NIfTI, MGH), surfaces (GIFTI) and both at once (CIFTI), and masks that lie on them.

An image has places and, at each, one value a sample (a trial or a time). A mask or an atlas is brought to the places of
the data by where it lies in the brain, never by its position in the array: two grids of one shape may be mirror images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError
from brainmark.core.libraries import nibabel, np
from brainmark.data.readers.damage import explain_damage

_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_HEMISPHERES = {"CORTEXLEFT": "L", "CORTEXRIGHT": "R", "CORTEX_LEFT": "L", "CORTEX_RIGHT": "R"}


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxels. ``stated``: the file says where they lie (NIfTI may leave that open)."""

    shape: tuple[int, ...]
    affine: np.ndarray
    stated: bool = True

    def names(self, inside: np.ndarray) -> list[str]:
        """Return the names of the places that are inside."""
        return [f"{x}-{y}-{z}" for x, y, z in np.argwhere(inside).tolist()]

    def describe(self) -> str:
        """Return where these places are."""
        return f"{' x '.join(map(str, self.shape))} voxels with the affine {_write(self.affine)}"


@dataclass(frozen=True, eq=False)
class Surface:
    """Vertices of one hemisphere, "L" or "R" ("" if the file does not say)."""

    shape: tuple[int, ...]
    hemisphere: str

    def names(self, inside: np.ndarray) -> list[str]:
        """Return the names of the places that are inside."""
        return [f"{self.hemisphere}{'-' if self.hemisphere else ''}{k}" for k in np.flatnonzero(inside).tolist()]

    def describe(self) -> str:
        """Return where these places are."""
        return f"{self.shape[0]} vertices of a hemisphere"


@dataclass(frozen=True, eq=False)
class Grayordinates:
    """Vertices and voxels: the structure, and the vertex or (x, y, z) in it, of each place."""

    keys: tuple[tuple[Any, ...], ...]
    affine: np.ndarray | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the places."""
        return (len(self.keys),)

    def names(self, inside: np.ndarray) -> list[str]:
        """Return the names of the places that are inside."""
        return ["-".join(map(str, self.keys[k])) for k in np.flatnonzero(inside).tolist()]

    def describe(self) -> str:
        """Return where these places are; structure and vertex are in their names."""
        return "grayordinates" if self.affine is None else f"grayordinates with the affine {_write(self.affine)}"


@dataclass(frozen=True, eq=False)
class Parcels:
    """Parcels by name."""

    labels: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the places."""
        return (len(self.labels),)

    def names(self, inside: np.ndarray) -> list[str]:
        """Return the names of the places that are inside."""
        return [self.labels[k] for k in np.flatnonzero(inside).tolist()]

    def describe(self) -> str:
        """Return where these places are."""
        return "parcels"


Places = Grid | Surface | Grayordinates | Parcels


@dataclass(frozen=True, eq=False)
class BrainImage:
    """Values at places of the brain.

    Attributes
    ----------
    values : (*places.shape, sample).
    labels : names of the numbers in an atlas, where the file has them.
    step, start : time between samples and of the first in s, where the file states them.
    """

    values: np.ndarray
    places: Places
    labels: Mapping[int, str]
    step: float | None = None
    start: float = 0.0


def read_image(path: Path) -> BrainImage:
    """Read an image.

    Raises
    ------
    DataError : it cannot be read, or holds no values at places.
    """
    library: Any = nibabel
    with explain_damage(path, "cannot be read as an image of the brain"):
        image: Any = nibabel.load(path)
        if isinstance(image, library.GiftiImage):
            return _read_surface(image, library.nifti1.intent_codes.niistring, path)
        if isinstance(image, library.Cifti2Image):
            return _read_grayordinates(image, library.cifti2)
        return _read_volume(image)


def _read_volume(image: Any) -> BrainImage:
    values = np.asarray(image.get_fdata(dtype=np.float32))
    while values.ndim > 4 and 1 in values.shape[3:]:
        values = values.squeeze(3 + values.shape[3:].index(1))
    if values.ndim not in (3, 4):
        raise ValueError(f"it has the shape {values.shape}; expected (x, y, z) or (x, y, z, sample)")
    header, affine, step, stated = image.header, np.asarray(image.affine, float), None, True
    if isinstance(image, nibabel.Nifti1Pair):
        stated = bool(header["sform_code"] > 0 or header["qform_code"] > 0) and not np.allclose(affine, np.eye(4))
        unit = header.get_xyzt_units()[1]
        step = float(header["pixdim"][4]) * _SECONDS[unit] if unit in _SECONDS and values.ndim == 4 else None
    values = values if values.ndim == 4 else values[..., None]
    return BrainImage(values, Grid(values.shape[:3], affine, stated), {}, step or None)


def _read_surface(image: Any, intents: Mapping[int, str], path: Path) -> BrainImage:
    arrays = [np.asarray(array.data, np.float32) for array in image.darrays]
    kinds = {intents[array.intent] for array in image.darrays}
    if kinds & {"NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE"}:
        raise ValueError("it holds the shape of a surface, no values")
    if not arrays or len({a.shape[:1] for a in arrays}) > 1 or any(a.ndim not in (1, 2) for a in arrays):
        raise ValueError(f"its arrays have the shapes {[a.shape for a in arrays][:3]}; expected one value a vertex")
    values = np.concatenate([a if a.ndim == 2 else a[:, None] for a in arrays], axis=1)
    said = [image.meta, *(array.meta for array in image.darrays)]
    structure = next((m["AnatomicalStructurePrimary"] for m in said if m and "AnatomicalStructurePrimary" in m), "")
    by_name = {"lh": "L", "rh": "R"}.get(path.name[:2], "")
    labels = image.labeltable.get_labels_as_dict() if "NIFTI_INTENT_LABEL" in kinds else {}
    hemisphere = _HEMISPHERES.get(str(structure).upper(), by_name)
    return BrainImage(values, Surface(values.shape[:1], hemisphere), {int(k): str(v) for k, v in labels.items()})


def _read_grayordinates(image: Any, axes: Any) -> BrainImage:
    samples, places = (image.header.get_axis(k) for k in range(2))
    values = np.asarray(image.get_fdata(dtype=np.float32)).T
    labels: dict[int, str] = {}
    step, start = None, 0.0
    if isinstance(samples, axes.LabelAxis):
        if len(samples) > 1:
            raise ValueError(f"it holds {len(samples)} maps of labels; keep one")
        labels = {int(k): str(v[0]) for k, v in samples.label[0].items()}
    elif isinstance(samples, axes.SeriesAxis) and str(samples.unit).upper() == "SECOND":
        step, start = float(samples.step), float(samples.start)
    if isinstance(places, axes.ParcelsAxis):
        return BrainImage(values, Parcels(tuple(map(str, places.name))), labels, step, start)
    if not isinstance(places, axes.BrainModelAxis):
        raise ValueError("its columns are no places of the brain")
    keys = tuple(
        (_shorten(name), int(vertex)) if vertex >= 0 else (_shorten(name), *map(int, voxel))
        for name, vertex, voxel in zip(places.name, places.vertex, places.voxel, strict=True)
    )
    affine = None if places.affine is None else np.asarray(places.affine, float)
    return BrainImage(values, Grayordinates(keys, affine), labels, step, start)


def _shorten(structure: str) -> str:
    name = structure.removeprefix("CIFTI_STRUCTURE_")
    return _HEMISPHERES.get(name, name)


# --- masks -----------------------------------------------------------------------------------------------------------


def bring_to(mask: BrainImage, places: Places) -> tuple[np.ndarray, str]:
    """Return the value of a mask at each place of the data (0 where it has none), and what was done to it, if anything.

    Voxels on another grid get the value of the nearest voxel.

    Raises
    ------
    DataError : the mask does not lie on the data; says where each lies.
    """
    if mask.values.shape[-1] != 1:
        raise DataError(f"is no mask: it has {mask.values.shape[-1]} values at each place")
    values, own = mask.values[..., 0], mask.places
    if isinstance(own, Grid) and isinstance(places, Grid):
        return _resample(values, own, places)
    if isinstance(own, Surface) and isinstance(places, Surface):
        if own.shape != places.shape:
            raise DataError(f"has {own.shape[0]} vertices, the data {places.shape[0]}: they are on other surfaces")
        if own.hemisphere and places.hemisphere and own.hemisphere != places.hemisphere:
            raise DataError(f"is of hemisphere {own.hemisphere}, the data of {places.hemisphere}")
        return values, ""
    if isinstance(own, Grayordinates) and isinstance(places, Grayordinates):
        affines: list[Any] = [affine for affine in (own.affine, places.affine) if affine is not None]
        if len(affines) == 2 and not np.allclose(*affines, atol=1e-3):
            raise DataError(f"has voxels at {_write(own.affine)}, the data at {_write(places.affine)}")
        held = dict(zip(own.keys, values.tolist(), strict=True))
        return np.array([held.get(key, 0.0) for key in places.keys], np.float32), ""
    kinds = {Grid: "voxels", Surface: "vertices of a surface", Grayordinates: "grayordinates", Parcels: "parcels"}
    raise DataError(f"has {kinds[type(own)]}, the data {kinds[type(places)]}: give a mask of the same kind")


def _resample(values: np.ndarray, own: Grid, places: Grid) -> tuple[np.ndarray, str]:
    mine, theirs = (f"{_write(grid.affine)}, shape {grid.shape}" for grid in (own, places))
    both = f"its affine is {mine}; that of the data {theirs}"
    if own.shape == places.shape and np.allclose(own.affine, places.affine, atol=1e-3):
        return values, ""
    if not own.stated or not places.stated:
        which = "the mask does" if not own.stated else "the data do"
        raise DataError(f"is on another grid, and {which} not state where it lies (no sform or qform); {both}")
    if not all(abs(np.linalg.det(grid.affine)) > 1e-9 for grid in (own, places)):
        raise DataError(f"has an affine, or lies on data with one, that is no position in space; {both}")
    to_mask = np.linalg.inv(own.affine) @ places.affine
    voxels = np.indices(places.shape).reshape(3, -1)
    wanted = np.floor(to_mask[:3, :3] @ voxels + to_mask[:3, 3:] + 0.5).astype(int)
    inside = ((wanted >= 0) & (wanted < np.array(own.shape)[:, None])).all(axis=0)
    made = np.zeros(voxels.shape[1], np.float32)
    made[inside] = values[tuple(wanted[:, inside])]
    if not np.nan_to_num(made).any():
        raise DataError(f"has no voxel where the data have some; {both}")
    return made.reshape(places.shape), "is on another grid and was brought to that of the data by nearest neighbour"


def _write(affine: Any) -> str:
    return str(np.round(np.asarray(affine)[:3], 3).tolist())


def choose_inside(values: np.ndarray, chosen: Sequence[str], labels: Mapping[int, str]) -> tuple[np.ndarray, str]:
    """Return which places are inside, and a remark: of a mask, or of an atlas those with the labels that are chosen.

    Parameters
    ----------
    values : of the mask at each place.
    chosen : labels by number or by name; none for a mask.
    labels : names of the numbers.

    Raises
    ------
    DataError : it is an atlas of which no label is chosen, has no such label, or is no mask at all.
    """
    values = np.nan_to_num(values)
    held = np.unique(values[values != 0])
    if chosen:
        return np.isin(values, _find_labels(held, chosen, labels)), ""
    if not held.size:
        raise DataError("holds no place: all of it is 0")
    if held.size == 1 and held[0] > 0.5:
        return values != 0, ""
    if held[0] > 0 and held[-1] <= 1:
        return values > 0.5, "holds probabilities; places above 0.5 are inside"
    if (held == np.round(held)).all():
        listed = [f"{int(one)} {labels[int(one)]!r}" if int(one) in labels else str(int(one)) for one in held[:6]]
        more = f" and {held.size - 6} more" if held.size > 6 else ""
        names = f"{', '.join(listed)}{more}"
        raise DataError(f"is an atlas of {held.size} labels, {names}; choose by number or name: FILE#{int(held[0])}")
    raise DataError(f"holds values from {held[0]:g} to {held[-1]:g}: no mask (0 and 1), probabilities or atlas")


def _find_labels(held: np.ndarray, chosen: Sequence[str], labels: Mapping[int, str]) -> list[float]:
    numbers = {name: number for number, name in labels.items()}
    found: list[float] = []
    for one in chosen:
        number = numbers.get(one, float(one) if one.replace(".", "", 1).isdigit() else None)
        if number is None or number not in held:
            known = [labels.get(int(n), f"{n:g}") for n in held[:12].tolist()]
            raise DataError(f"has no label {one!r} among {', '.join(known)}{' ...' if held.size > 12 else ''}")
        found.append(float(number))
    return found
