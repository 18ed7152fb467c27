"""Damages files of every format that is read, and tells what the reader makes of them.

Run it for a long time with ``python tests/cases/damaged_files.py all 400 1``: formats (or all), damaged files of each,
seed. The tests run it briefly.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pandas as pd
import pynwb
import scipy.io
import xarray as xr
from PIL import Image

from brainmark.brainscore.brainio import read_assembly, read_stimuli, write_assembly
from brainmark.core.errors import BrainmarkError, DataError
from brainmark.data.packaging import Problems, parse_description, read_description
from brainmark.data.packaging.folder import read_card
from brainmark.data.readers.archive import ZipImages
from brainmark.data.readers.arrays import array_of
from brainmark.data.readers.matlab import mat_of
from brainmark.data.readers.netcdf import encode_measurement, read_measurement
from brainmark.data.readers.textgrid import read_intervals

Read = Callable[[Path], object]


def damage(content: bytes, generator: np.random.Generator) -> bytes:
    """Return the content with one kind of damage: bits, bytes, holes, swapped blocks, a lost end, text in the place."""
    made = bytearray(content)
    size = len(made)
    kind = generator.integers(7)
    at = int(generator.integers(size))
    length = int(min(size - at, 1 + generator.geometric(0.02)))
    if kind == 0:
        for place in generator.integers(size, size=generator.integers(1, 4)):
            made[place] ^= 1 << int(generator.integers(8))
    elif kind == 1:
        made[at] = int(generator.integers(256))
    elif kind == 2:
        made[at : at + length] = bytes(length)
    elif kind == 3:
        made[at : at + length] = generator.integers(256, size=length, dtype=np.uint8).tobytes()
    elif kind == 4:
        other = int(generator.integers(size))
        made[at : at + length], made[other : other + length] = made[other : other + length], made[at : at + length]
    elif kind == 5:
        del made[at:]
    else:
        del made[at : at + length]
    return bytes(made)


# --- files of each format, and what reads them -----------------------------------------------------------------------


def make_npy(folder: Path) -> tuple[Path, Read]:
    np.save(folder / "a.npy", np.arange(6.0).reshape(2, 3))
    return folder / "a.npy", lambda path: array_of(path, (2, 3))


def _read_recording(source: dict[str, Any], folder: Path) -> Read:
    def read(path: Path) -> object:
        told = parse_description({"recording": source | {"file": str(path)}}, "lab.toml")
        problems = Problems("the data set")
        made = problems.attempt(told.recording[0].read, path, folder, problems)
        if made is None:
            assert problems.found, "refused without a word"
            raise DataError(next(iter(problems.found)))
        return made

    return read


ARRAYS = {"format": "arrays", "dims": ["presentation", "neuroid"], "coords": {"stimulus_id": "ids"}, "units": "z"}


def make_npz(folder: Path) -> tuple[Path, Read]:
    np.savez(folder / "a.npz", values=np.ones((2, 3)), ids=np.array(["a", "b"]))
    return folder / "a.npz", _read_recording(ARRAYS, folder)


def make_compressed_npz(folder: Path) -> tuple[Path, Read]:
    np.savez_compressed(folder / "a.npz", values=np.ones((2, 3)), ids=np.array([b"a", b"b"]))
    return folder / "a.npz", _read_recording(ARRAYS, folder)


def make_mat5(folder: Path) -> tuple[Path, Read]:
    cell = np.empty((2, 1), object)
    cell[:, 0] = ["a", "b"]
    scipy.io.savemat(folder / "a.mat", {"values": np.ones((2, 3)), "ids": cell, "data": {"x": 1.0, "y": "text"}})
    return folder / "a.mat", _read_recording(ARRAYS, folder)


def make_mat5_struct(folder: Path) -> tuple[Path, Read]:
    scipy.io.savemat(folder / "a.mat", {"data": {"x": 1.0, "y": "text"}}, do_compression=True)
    return folder / "a.mat", lambda path: mat_of(path, "data")


def make_mat73(folder: Path) -> tuple[Path, Read]:
    with h5py.File(folder / "a.mat", "w", userblock_size=512) as file:
        file.create_dataset("values", data=np.ones((3, 2))).attrs["MATLAB_class"] = np.bytes_("double")
        references = np.empty((1, 2), h5py.ref_dtype)
        for k, name in enumerate("ab"):
            text = file.create_dataset(f"#refs#/{name}", data=np.array([[ord(name)]], np.uint16))
            text.attrs["MATLAB_class"] = np.bytes_("char")
            references[0, k] = text.ref
        cells = file.create_dataset("ids", data=references, dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    with (folder / "a.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return folder / "a.mat", _read_recording(ARRAYS, folder)


def make_hdf5(folder: Path) -> tuple[Path, Read]:
    with h5py.File(folder / "a.h5", "w") as file:
        file["values"] = np.ones((2, 3))
        file["ids"] = ["a", "b"]
    return folder / "a.h5", _read_recording(ARRAYS, folder)


def make_nwb(folder: Path) -> tuple[Path, Read]:
    file = pynwb.NWBFile("s", "s", datetime(2026, 1, 1, tzinfo=UTC), session_id="1")
    file.subject = pynwb.file.Subject(subject_id="m", species="Macaca mulatta")
    device = file.create_device("probe")
    file.add_electrode(group=file.create_electrode_group("g", "d", "V4", device), location="V4")
    file.add_trial_column("stimulus_id", "image")
    for k in range(8):
        file.add_trial(start_time=k + 1.0, stop_time=k + 1.2, stimulus_id="ab"[k % 2])
    file.add_unit(spike_times=np.arange(0.05, 10, 0.13), electrodes=[0])
    with pynwb.NWBHDF5IO(str(folder / "a.nwb"), "w") as io:
        io.write(file)
    return folder / "a.nwb", _read_recording({"format": "nwb", "windows": [[50, 150]]}, folder)


def _make_bids(folder: Path, data: str, source: dict[str, Any]) -> tuple[Path, Read]:
    events = "onset\tduration\tstim_file\n" + "".join(f"{4 * k}\t1\t{'ab'[k % 2]}.png\n" for k in range(4))
    (folder / "sub-01_task-x_events.tsv").write_text(events)
    (folder / "participants.tsv").write_text("participant_id\tspecies\nsub-01\thuman\n")
    (folder / "dataset_description.json").write_text('{"Name": "x", "License": "CC0"}')
    (folder / "sub-01_task-x_bold.json").write_text('{"RepetitionTime": 2.0, "StartTime": 0.0}')
    (folder / "sub-01_task-x_timeseries.json").write_text('{"RepetitionTime": 2.0}')
    fixed = {"format": "bids", "events": "sub-{sub}_task-x_events.tsv", "units": "z"}
    read = _read_recording(fixed | source, folder)
    return folder / data, read


VOLUMES = {"regions": {"V1": "sub-{sub}_label-V1_mask.nii*"}}
SERIES = {"regions": {"V1": "V1*"}, "windows": [[2000, 6000]]}
NAMES = {"betas": "sub-01_task-x_betas.nii", "mask": "sub-01_label-V1_mask.nii"}


def _save_volumes(folder: Path, suffix: str = "") -> None:
    generator = np.random.default_rng(0)
    betas = generator.normal(size=(3, 3, 3, 4)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(betas, np.eye(4)), folder / (NAMES["betas"] + suffix))
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), folder / (NAMES["mask"] + suffix))


def make_nifti(folder: Path) -> tuple[Path, Read]:
    _save_volumes(folder)
    return _make_bids(folder, NAMES["betas"], VOLUMES)


def make_nifti_gz(folder: Path) -> tuple[Path, Read]:
    _save_volumes(folder, ".gz")
    return _make_bids(folder, NAMES["betas"] + ".gz", VOLUMES)


def _beside(made: tuple[Path, Read], name: str) -> tuple[Path, Read]:
    """Damage a file beside the data: the data themselves stay as they are."""
    data, read = made
    return data.parent / name, lambda _: read(data)


def make_mask(folder: Path) -> tuple[Path, Read]:
    return _beside(make_nifti(folder), NAMES["mask"])


def _save_series(folder: Path) -> tuple[Path, Read]:
    (folder / "sub-01_task-x_timeseries.tsv").write_text("V1_a\tV1_b\n" + "1.5\t2\n" * 12)
    return _make_bids(folder, "sub-01_task-x_timeseries.tsv", SERIES)


def make_series(folder: Path) -> tuple[Path, Read]:
    return _save_series(folder)


def make_events(folder: Path) -> tuple[Path, Read]:
    return _beside(_save_series(folder), "sub-01_task-x_events.tsv")


def make_sidecar(folder: Path) -> tuple[Path, Read]:
    return _beside(_save_series(folder), "sub-01_task-x_timeseries.json")


def make_participants(folder: Path) -> tuple[Path, Read]:
    return _beside(_save_series(folder), "participants.tsv")


def make_bids_description(folder: Path) -> tuple[Path, Read]:
    return _beside(_save_series(folder), "dataset_description.json")


def _save_gifti(path: Path, arrays: np.ndarray) -> None:
    held = [nibabel.gifti.GiftiDataArray(a.astype(np.float32)) for a in arrays]
    nibabel.save(nibabel.gifti.GiftiImage(darrays=held), path)


def make_gifti(folder: Path) -> tuple[Path, Read]:
    _save_gifti(folder / "sub-01_task-x_hemi-L_bold.func.gii", np.random.default_rng(0).normal(size=(12, 30)))
    _save_gifti(folder / "V1.shape.gii", np.ones((1, 30)))
    return _make_bids(folder, "sub-01_task-x_hemi-L_bold.func.gii", {**SERIES, "regions": {"V1": "V1.shape.gii"}})


def make_cifti(folder: Path) -> tuple[Path, Read]:
    axis = nibabel.cifti2.BrainModelAxis.from_mask(np.ones(30), name="CortexLeft")
    times = nibabel.cifti2.SeriesAxis(0, 2, 12)
    series = np.random.default_rng(0).normal(size=(12, 30)).astype(np.float32)
    nibabel.save(nibabel.cifti2.Cifti2Image(series, (times, axis)), folder / "sub-01_task-x_bold.dtseries.nii")
    labels = nibabel.cifti2.LabelAxis(["areas"], [{0: ("???", (0, 0, 0, 0)), 1: ("V1", (1, 0, 0, 1))}])
    numbers = np.ones((1, 30), np.float32)
    nibabel.save(nibabel.cifti2.Cifti2Image(numbers, (labels, axis)), folder / "a.dlabel.nii")
    return _make_bids(folder, "sub-01_task-x_bold.dtseries.nii", {**SERIES, "regions": {"V1": "a.dlabel.nii#V1"}})


def make_cifti_labels(folder: Path) -> tuple[Path, Read]:
    return _beside(make_cifti(folder), "a.dlabel.nii")


def make_packed_series(folder: Path) -> tuple[Path, Read]:
    (folder / "sub-01_task-x_timeseries.tsv.gz").write_bytes(gzip.compress(b"1.5\t2\n" * 12))
    made = _make_bids(folder, "sub-01_task-x_timeseries.tsv.gz", SERIES)
    (folder / "sub-01_task-x_timeseries.json").write_text('{"RepetitionTime": 2.0, "Columns": ["V1a", "V1b"]}')
    return made


def _assembly() -> xr.DataArray:
    return xr.DataArray(
        np.random.default_rng(0).normal(size=(4, 2)),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", list("abab")),
            "repetition": ("presentation", [0, 0, 1, 1]),
            "neuroid_id": ("neuroid", ["1", "2"]),
            "region": ("neuroid", ["V4", "IT"]),
        },
    )


def make_assembly(folder: Path) -> tuple[Path, Read]:
    write_assembly(_assembly(), folder / "a.nc")
    return folder / "a.nc", read_assembly


def make_old_assembly(folder: Path) -> tuple[Path, Read]:
    _assembly().drop_vars(["neuroid_id", "region"]).to_dataset(name="d").to_netcdf(folder / "a.nc", engine="scipy")
    return folder / "a.nc", read_assembly


def make_stimulus_table(folder: Path) -> tuple[Path, Read]:
    made, _ = make_stimulus_archive(folder)
    return folder / "a.csv", lambda path: read_stimuli(path, made, "Lab2026")


def make_stimulus_archive(folder: Path) -> tuple[Path, Read]:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ("1.png", "2.png"):
            Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / name)
            packed.write(folder / name, name)
    (folder / "a.csv").write_text("stimulus_id,filename,kind\na,1.png,x\nb,2.png,y\n")

    def read(path: Path) -> object:
        stimuli = read_stimuli(folder / "a.csv", path, "Lab2026")
        return [ZipImages(path)[k] for k in range(2)], stimuli

    return folder / "a.zip", read


def make_measurement(folder: Path) -> tuple[Path, Read]:
    measured = _assembly().isel(presentation=[0, 1]).drop_vars("repetition")
    (folder / "measurement.nc").write_bytes(encode_measurement(measured, "a"))
    return folder / "measurement.nc", read_measurement


CARD = """format = 1
identifier = "Lab2026"
summary = "s."
licence = "CC0"
cite = "@misc{a, title={t}, author={A}, year={2026}}"
domain = "vision"
species = ["macaque"]
regions = ["V4"]
modality = "image"
kind = "recording"
degrees = 8.0

[sources]
"a.csv" = "0"
"""


def make_card(folder: Path) -> tuple[Path, Read]:
    (folder / "card.toml").write_text(CARD)
    return folder / "card.toml", lambda path: read_card(path.parent)


def make_description(folder: Path) -> tuple[Path, Read]:
    text = '[stimuli]\nfolder = "images"\n[[recording]]\nfile = "rates.csv"\nunits = "z"\nneuroids = "u*"\n'
    (folder / "lab.toml").write_text(CARD.partition("regions")[0].replace("format = 1\n", "") + text)
    return folder / "lab.toml", read_description


def make_textgrid(folder: Path) -> tuple[Path, Read]:
    text = 'File type = "ooTextFile"\nObject class = "TextGrid"\nitem [1]:\nclass = "IntervalTier"\nname = "words"\n'
    text += 'intervals: size = 1\nxmin = 0\nxmax = 1.5\ntext = "the"\n'
    (folder / "a.TextGrid").write_text(text)
    return folder / "a.TextGrid", lambda path: read_intervals(path, "words")


def make_table(folder: Path) -> tuple[Path, Read]:
    pd.DataFrame({"stimulus_id": list("abab"), "u1": range(4), "u2": range(4)}).to_csv(folder / "a.csv", index=False)
    return folder / "a.csv", _read_recording({"format": "table", "neuroids": "u*", "units": "z"}, folder)


FORMATS: dict[str, Callable[[Path], tuple[Path, Read]]] = {
    name.removeprefix("make_"): made for name, made in list(globals().items()) if name.startswith("make_")
}


# --- what becomes of damaged files -----------------------------------------------------------------------------------


def try_damage(name: str, count: int, seed: int, keep: Path | None = None) -> Counter[str]:
    """Return how often a damaged file was read, refused in one line, or ended in another error."""
    generator = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path, read = FORMATS[name](Path(scratch))
        read(path)
        whole = path.read_bytes()
        for number in range(count):
            path.write_bytes(damage(whole, generator))
            sys.stderr.write(f"{name} {seed} {number}\n")  # the last line tells which file ended the process
            sys.stderr.flush()
            try:
                read(path)
            except BrainmarkError as error:
                outcomes["refused" if "\n" not in str(error) or "missing or wrong" in str(error) else "lines"] += 1
            except Exception as error:  # noqa: BLE001 - to be counted
                where = traceback.extract_tb(error.__traceback__)
                ours = [f for f in where if "brainmark" in f.filename][-1]
                outcomes[f"{type(error).__name__} {Path(ours.filename).name}:{ours.lineno} {str(error)[:60]}"] += 1
                if keep is not None:
                    (keep / f"{name}-{seed}-{number}").write_bytes(path.read_bytes())
            else:
                outcomes["read"] += 1
    return outcomes


if __name__ == "__main__":
    chosen = list(FORMATS) if sys.argv[1] == "all" else sys.argv[1].split(",")
    outcomes = {name: dict(try_damage(name, int(sys.argv[2]), int(sys.argv[3])).most_common()) for name in chosen}
    sys.stdout.write(json.dumps(outcomes) + "\n")
