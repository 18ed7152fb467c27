"""A mask lies on the data by its place in the brain, in every orientation; compared with the resampling of nibabel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainmark.core.errors import DataError
from brainmark.data.readers.brain_images import bring_to, choose_inside, read_image

nibabel = pytest.importorskip("nibabel")
processing = pytest.importorskip("nibabel.processing")

RAS = np.array([[2.0, 0, 0, -10], [0, 2, 0, -14], [0, 0, 2, -8], [0, 0, 0, 1]])
SHAPE = (8, 10, 6)


def save(path: Path, values: np.ndarray, affine: np.ndarray = RAS) -> Path:
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


def flip(axis: int, size: int) -> np.ndarray:
    """The affine of the same places, with one axis of the array in reverse."""
    change = np.eye(4)
    change[axis, axis], change[axis, 3] = -1, size - 1
    return RAS @ change


@pytest.fixture
def data(tmp_path: Path) -> Any:
    """Two volumes on the grid of the data."""
    values = np.random.default_rng(0).normal(size=(*SHAPE, 2)).astype(np.float32)
    return read_image(save(tmp_path / "data.nii", values))


@pytest.fixture
def mask() -> np.ndarray:
    """Places that are alike under no flip."""
    return (np.random.default_rng(1).uniform(size=SHAPE) < 0.1).astype(np.uint8)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mask_in_another_orientation_is_the_same_mask(tmp_path: Path, data: Any, mask: np.ndarray, axis: int) -> None:
    turned = read_image(save(tmp_path / "m.nii", np.flip(mask, axis).copy(), flip(axis, SHAPE[axis])))
    values, said = bring_to(turned, data.places)
    np.testing.assert_array_equal(values, mask)
    assert "nearest neighbour" in said


def test_axes_in_another_order(tmp_path: Path, data: Any, mask: np.ndarray) -> None:
    order = RAS @ np.eye(4)[:, [2, 0, 1, 3]]
    values, _ = bring_to(read_image(save(tmp_path / "m.nii", mask.transpose(2, 0, 1).copy(), order)), data.places)
    np.testing.assert_array_equal(values, mask)


@pytest.mark.parametrize("seed", range(4))
def test_other_grids_are_resampled_as_nibabel_does(tmp_path: Path, data: Any, seed: int) -> None:
    generator = np.random.default_rng(seed)
    affine = np.diag([*generator.uniform(0.9, 3.1, 3), 1])
    affine[:3, 3] = generator.uniform(-12, -6, 3)
    affine[0, 1] = 0.2  # a little oblique
    atlas = np.pad(generator.integers(0, 4, (9, 7, 10)), 1).astype(np.int16)  # nibabel cuts off half of a voxel
    path = save(tmp_path / "m.nii", atlas, affine)
    values, _ = bring_to(read_image(path), data.places)
    expected = processing.resample_from_to(nibabel.load(path), (SHAPE, RAS), order=0).get_fdata()
    np.testing.assert_array_equal(values, expected)


def test_a_mask_elsewhere_or_nowhere_is_refused(tmp_path: Path, data: Any, mask: np.ndarray) -> None:
    far = RAS.copy()
    far[0, 3] = 500
    with pytest.raises(DataError, match=r"no voxel where the data have some; its affine is .*500.*that of the data"):
        bring_to(read_image(save(tmp_path / "m.nii", mask, far)), data.places)
    image = nibabel.Nifti1Image(mask[:4], None)
    nibabel.save(image, tmp_path / "n.nii")
    with pytest.raises(DataError, match="not state where it lies"):
        bring_to(read_image(tmp_path / "n.nii"), data.places)


def test_an_atlas_is_no_mask() -> None:
    values = np.array([0.0, 1, 2, 2, 5])
    with pytest.raises(DataError, match=r"an atlas of 3 labels, 1 'V1', 2, 5; choose by number or name: FILE#1"):
        choose_inside(values, [], {1: "V1"})
    inside, _ = choose_inside(values, ["V1", "5"], {1: "V1"})
    assert inside.tolist() == [False, True, False, False, True]
    with pytest.raises(DataError, match="no label 'V2' among V1, 2, 5"):
        choose_inside(values, ["V2"], {1: "V1"})
    with pytest.raises(DataError, match="no label '3'"):
        choose_inside(values, ["3"], {})


@pytest.mark.parametrize(
    ("values", "inside"),
    [([0, 1, 1], [0, 1, 1]), ([0, 255], [0, 1]), ([0, 0.4, 0.6, 1], [0, 0, 1, 1]), ([np.nan, 1], [0, 1])],
)
def test_masks_and_probabilities(values: list[float], inside: list[int]) -> None:
    assert choose_inside(np.array(values), [], {})[0].tolist() == [bool(v) for v in inside]


@pytest.mark.parametrize("values", [[0, 0], [-1.5, 2.5, 0]])
def test_what_is_no_mask_at_all(values: list[float]) -> None:
    with pytest.raises(DataError, match=r"no place|no mask \(0 and 1\)"):
        choose_inside(np.array(values, float), [], {})


# --- surfaces --------------------------------------------------------------------------------------------------------


def gifti(path: Path, arrays: np.ndarray, structure: str, labels: dict[int, str] | None = None) -> Path:
    intent = "NIFTI_INTENT_LABEL" if labels else "NIFTI_INTENT_TIME_SERIES"
    kind = np.int32 if labels else np.float32
    held = [nibabel.gifti.GiftiDataArray(a.astype(kind), intent=intent) for a in np.atleast_2d(arrays)]
    table = nibabel.gifti.GiftiLabelTable()
    for key, name in (labels or {}).items():
        label = nibabel.gifti.GiftiLabel(key)
        label.label = name
        table.labels.append(label)
    meta = nibabel.gifti.GiftiMetaData({"AnatomicalStructurePrimary": structure})
    nibabel.save(nibabel.gifti.GiftiImage(darrays=held, labeltable=table, meta=meta), path)
    return path


def test_surfaces(tmp_path: Path) -> None:
    series = np.random.default_rng(0).normal(size=(4, 20)).astype(np.float32)
    data = read_image(gifti(tmp_path / "d.func.gii", series, "CortexLeft"))
    np.testing.assert_array_equal(data.values, series.T)
    atlas = read_image(gifti(tmp_path / "a.label.gii", np.arange(20) % 3, "CortexLeft", {0: "???", 1: "V1", 2: "V2"}))
    values, _ = bring_to(atlas, data.places)
    inside, _ = choose_inside(values, ["V2"], atlas.labels)
    assert data.places.names(inside)[:2] == ["L-2", "L-5"]
    other = read_image(gifti(tmp_path / "r.label.gii", np.arange(20) % 3, "CortexRight", {1: "V1"}))
    with pytest.raises(DataError, match="is of hemisphere R, the data of L"):
        bring_to(other, data.places)
    short = read_image(gifti(tmp_path / "s.label.gii", np.arange(10) % 2, "CortexLeft", {1: "V1"}))
    with pytest.raises(DataError, match="has 10 vertices, the data 20"):
        bring_to(short, data.places)


def test_grayordinates_are_matched_by_structure_and_vertex(tmp_path: Path) -> None:
    cifti2 = nibabel.cifti2
    left = cifti2.BrainModelAxis.from_mask(np.array([0, 1, 1, 0, 1]), name="CortexLeft")
    right = cifti2.BrainModelAxis.from_mask(np.array([1, 1, 0, 0, 1]), name="CortexRight")
    voxels = cifti2.BrainModelAxis.from_mask(np.ones((2, 1, 1)), name="other", affine=RAS)
    series = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    times = cifti2.SeriesAxis(0, 0.72, 3)
    nibabel.save(cifti2.Cifti2Image(series, (times, left + right + voxels)), tmp_path / "d.dtseries.nii")
    data = read_image(tmp_path / "d.dtseries.nii")
    assert data.step == pytest.approx(0.72)
    np.testing.assert_array_equal(data.values, series.T)
    labels = cifti2.LabelAxis(["areas"], [{0: ("???", (0, 0, 0, 0)), 1: ("V1", (1, 0, 0, 1)), 2: ("V2", (0, 1, 0, 1))}])
    numbers = np.array([[1, 2, 2, 0, 1, 2]])  # of the cortex alone, right before left
    nibabel.save(cifti2.Cifti2Image(numbers.astype(np.float32), (labels, right + left)), tmp_path / "a.dlabel.nii")
    atlas = read_image(tmp_path / "a.dlabel.nii")
    values, _ = bring_to(atlas, data.places)
    assert values.tolist() == [0, 1, 2, 1, 2, 2, 0, 0]
    inside, _ = choose_inside(values, ["V1"], atlas.labels)
    assert data.places.names(inside) == ["L-2", "R-0"]


def test_the_shape_of_a_surface_holds_no_values(tmp_path: Path) -> None:
    points = nibabel.gifti.GiftiDataArray(np.zeros((5, 3), np.float32), intent="NIFTI_INTENT_POINTSET")
    nibabel.save(nibabel.gifti.GiftiImage(darrays=[points]), tmp_path / "a.surf.gii")
    with pytest.raises(DataError, match="the shape of a surface"):
        read_image(tmp_path / "a.surf.gii")
