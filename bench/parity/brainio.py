"""A data set written by Brain-Score's package is read here value for value, and the other way round; scores agree.

Run it with an interpreter that has both packages (see README.md), and name one that has ours with current libraries
for the scores:

    parity/vision/bin/pip install -e . && parity/vision/bin/python bench/parity/brainio.py --ours .venv/bin/python

Everything is synthetic and lies in a temporary folder. Prints the versions and one line for each comparison; fails if
a value, a coordinate or the order of presentations differs, or a score by more than 1e-4.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

OBJECTS = ("bear", "car", "dog", "elephant")
TOLERANCE = 1e-4


def stimulus_table(count: int) -> pd.DataFrame:
    """Columns as the incumbent's sets have them; the order of identifiers is not that of the rows."""
    generator = np.random.default_rng(0)
    names = [f"img{number:04d}" for number in generator.permutation(count)]
    return pd.DataFrame(
        {
            "image_id": names,
            "object_name": [OBJECTS[k % len(OBJECTS)] for k in range(count)],
            "variation": generator.integers(0, 4, count) * 3,
            "s": generator.normal(size=count).round(4),
        }
    )


def images(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Small images, one for each row."""
    from PIL import Image

    generator = np.random.default_rng(1)
    paths = [folder / f"{name}.png" for name in table["image_id"]]
    for path in paths:
        Image.fromarray(generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)
    return paths


def trials(table: pd.DataFrame, features: np.ndarray, neuroids: int, repetitions: int, bins: int = 1) -> dict[str, Any]:
    """Noisy linear functions of the features, in a random order of trials; some trials are lacking."""
    generator = np.random.default_rng(2)
    clean = features @ generator.normal(size=(features.shape[1], neuroids)) / 4
    rows = np.array([(s, r) for r in range(repetitions) for s in range(len(table)) if r < 2 or (s + r) % 9])
    rows = rows[generator.permutation(len(rows))]
    gain = np.linspace(0.5, 1.5, bins)
    values = clean[rows[:, 0]][..., None] * gain + generator.normal(size=(len(rows), neuroids, bins))
    return {
        "data": values,
        "dims": ("presentation", "neuroid", "time_bin"),
        "coords": {
            "image_id": ("presentation", table["image_id"].to_numpy()[rows[:, 0]]),
            "repetition": ("presentation", rows[:, 1]),
            "object_name": ("presentation", table["object_name"].to_numpy()[rows[:, 0]]),
            "neuroid_id": ("neuroid", [f"n{k}" for k in range(neuroids)]),
            "region": ("neuroid", ["IT"] * (neuroids // 2) + ["V4"] * (neuroids - neuroids // 2)),
            "animal": ("neuroid", ["A"] * neuroids),
            "time_bin_start": ("time_bin", [70 + 100 * k for k in range(bins)]),
            "time_bin_end": ("time_bin", [170 + 100 * k for k in range(bins)]),
        },
    }


class Both:
    """The same synthetic data, written by the package of one side and read by that of the other."""

    def __init__(self, folder: Path) -> None:
        from brainscore_core.supported_data_standards.brainio import assemblies, packaging, stimuli

        self.folder, self.assemblies, self.packaging, self.stimuli = folder, assemblies, packaging, stimuli
        self.failed: list[str] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.made: dict[tuple[str, str], tuple[Path, Path, Path]] = {}

    def check(self, what: str, holds: bool, more: str = "") -> None:
        """Print a line; remember what failed."""
        print(f"{'ok  ' if holds else 'FAIL'} {what}{': ' if more else ''}{more}")
        self.failed += [] if holds else [what]

    def write_theirs(
        self, table: pd.DataFrame, parts: dict[str, Any], name: str, cls: Any = None
    ) -> tuple[Path, Path, Path]:
        """Package a recording and its stimuli with the incumbent's own functions."""
        (self.folder / name).mkdir()
        given = self.stimuli.StimulusSet(table.assign(stimulus_id=table["image_id"]))
        given.identifier = name
        paths = images(table, self.folder / name)
        given.stimulus_paths = dict(zip(table["image_id"], map(str, paths), strict=True))
        archive, sheet, recording = (self.folder / f"{name}.{suffix}" for suffix in ("zip", "csv", "nc"))
        _, names = self.packaging.create_stimulus_zip(given, str(archive))
        given["filename"] = names
        self.packaging.create_stimulus_csv(given.drop(columns="stimulus_id"), str(sheet))
        self.packaging.write_netcdf((cls or self.assemblies.NeuronRecordingAssembly)(**parts), recording)
        return recording, sheet, archive

    def stimuli_of_them(self, files: tuple[Path, Path, Path], name: str) -> Any:
        """Load a stimulus set with the incumbent's loader, as after a download."""
        from brainscore_core.supported_data_standards.brainio import fetch

        folder = fetch.unzip(str(files[2]))
        loader = self.stimuli.StimulusSetLoader(
            csv_path=files[1], stimuli_directory=folder, cls=self.stimuli.StimulusSet
        )
        stimuli = loader.load()
        stimuli.identifier = name
        return stimuli

    def read_theirs(self, recording: Path, sheet: Path, archive: Path, name: str, cls: Any = None) -> Any:
        """Load an assembly and its stimuli with the incumbent's loaders."""
        return self.assemblies.StimulusMergeAssemblyLoader(
            cls=cls or self.assemblies.NeuronRecordingAssembly,
            file_path=recording,
            stimulus_set_identifier=name,
            stimulus_set=self.stimuli_of_them((recording, sheet, archive), name),
        ).load()

    def into_mirror(self, registered: tuple[str, str], files: tuple[Path, Path, Path]) -> list[str]:
        """Put the files into our mirror, where published ones would lie; return their sha1."""
        from brainmark.brainscore import files as brainscore
        from brainmark.data.fetch import file_digest
        from brainmark.data.fetch.places import places

        sources = brainscore.row("assembly", registered[0]).sources + brainscore.row("stimuli", registered[1]).sources
        for source, file in zip(sources, files, strict=True):
            place = self.folder / "mirror" / places(source.url)[0]
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        return [file_digest(file, "sha1") for file in files]


def same(ours: xr.DataArray, theirs: Any) -> bool:
    """Values, and every coordinate that theirs has."""
    flat = xr.DataArray(theirs).reset_index(list(theirs.indexes))
    coords = all(np.array_equal(ours.coords[str(c)].values, v.values) for c, v in flat.coords.items())
    return np.array_equal(ours.transpose(*flat.dims).values, flat.values) and coords


def formats(both: Both) -> tuple[Path, Path, Path]:
    """Both directions, value for value."""
    from brainmark.brainscore import brainio

    table = stimulus_table(120)
    features = np.random.default_rng(3).normal(size=(len(table), 40))
    files = both.write_theirs(table, trials(table, features, 30, 8), "theirs")
    stimuli = brainio.read_stimuli(files[1], files[2], "theirs")
    ours = brainio.merge(brainio.read_assembly(files[0]), stimuli)
    loaded = both.read_theirs(*files, "theirs")
    both.check("their recording, read here: values and coordinates", same(ours, loaded), f"{ours.shape}")
    measurement = brainio.measurement_of(ours)
    averaged = averaged_by_them(loaded)
    order = np.array_equal(measurement.coords["stimulus_id"].values, averaged["stimulus_id"].values.astype(str))
    both.check("order of averaged presentations", order)
    mean = measurement.mean("repetition").transpose("presentation", "neuroid").values
    close = order and np.allclose(mean, averaged.squeeze("time_bin").transpose("presentation", "neuroid").values)
    both.check("averages of trials", close)

    back = both.folder / "ours.nc", both.folder / "ours.csv", both.folder / "ours.zip"
    brainio.write_assembly(brainio.assembly_of(measurement), back[0])
    brainio.write_stimuli(stimuli, back[1], back[2])
    again = both.read_theirs(*back, "ours")
    mine = brainio.read_assembly(back[0])
    both.check("our recording, read there: values and coordinates", same(mine, again), f"{mine.shape}")
    twice = brainio.measurement_of(brainio.merge(mine, brainio.read_stimuli(back[1], back[2], "ours")))
    both.check("there and back again", np.array_equal(twice.values, measurement.values, equal_nan=True))
    return files


def averaged_by_them(assembly: Any) -> Any:
    """Average repetitions with the incumbent's function."""
    from brainscore_vision.benchmark_helpers.neural_common import average_repetition

    return average_repetition(assembly.transpose("presentation", "neuroid", ...))


class Candidate:
    """A model of the incumbent that answers with given features or probabilities, one row a stimulus."""

    identifier = "fixed answers"

    def __init__(self, answers: pd.DataFrame, kind: str) -> None:
        self.answers, self.kind = answers, kind

    def visual_degrees(self) -> int:
        """Return 8: every image is shown as it is, or padded; the answers are fixed anyway."""
        return 8

    def start_recording(self, *_: Any, **__: Any) -> None:
        """Nothing to prepare."""

    def start_task(self, *_: Any, **__: Any) -> None:
        """Nothing to learn."""

    def look_at(self, stimuli: Any, number_of_trials: int = 1) -> Any:
        """Answers to the stimuli, in their order."""
        from brainscore_core.supported_data_standards.brainio.assemblies import BehavioralAssembly, NeuroidAssembly

        values = self.answers.loc[stimuli["stimulus_id"].to_list()]
        coords = {str(c): ("presentation", stimuli[c].to_numpy()) for c in stimuli.columns}
        if self.kind == "labels":
            labels = values.columns.to_numpy()[values.to_numpy().argmax(axis=1)]
            return BehavioralAssembly(labels, coords=coords, dims=["presentation"])
        if self.kind == "probabilities":  # the metric itself adds what is known of the stimuli
            known = {c: coords[c] for c in ("stimulus_id", "object_name")} | {
                "choice": ("choice", list(values.columns))
            }
            return BehavioralAssembly(values.to_numpy(), coords=known, dims=["presentation", "choice"])
        names = [str(c) for c in values.columns]
        coords |= {"neuroid_id": ("neuroid", names), "layer": ("neuroid", ["fc"] * len(names))}
        return NeuroidAssembly(values.to_numpy(), coords=coords, dims=["presentation", "neuroid"])


class Ours:
    """The same answers as a subject of ours."""

    identifier = "fixed-answers"

    def __init__(self, answers: pd.DataFrame) -> None:
        self.answers = answers

    def perform(self, experiment: Any) -> xr.DataArray:
        """Answers to the stimuli, in their order."""
        from brainmark.core import Choose

        values = self.answers.loc[experiment.stimuli.ids.tolist()]
        dim = "choice" if isinstance(experiment.ask, Choose) else "neuroid"
        coords: dict[str, Any] = {"stimulus_id": ("presentation", experiment.stimuli.ids)}
        if dim == "choice":
            coords["choice"] = ("choice", values.columns.to_numpy(str))
        else:
            coords["neuroid_id"] = ("neuroid", values.columns.to_numpy(str))
            coords["region"] = ("neuroid", [experiment.ask.region] * values.shape[1])
        return xr.DataArray(values.to_numpy(), dims=("presentation", dim), coords=coords)


def choices(table: pd.DataFrame, labels: tuple[str, ...], people: int) -> dict[str, Any]:
    """Choices of people in a random order: between two objects, or among all labels."""
    generator = np.random.default_rng(5)
    rows = np.array([(s, p) for p in range(people) for s in range(len(table))])
    rows = rows[generator.permutation(len(rows))]
    truth = table["truth"].to_numpy()[rows[:, 0]]
    other = np.array([generator.choice([label for label in labels if label != one]) for one in truth])
    hard = np.abs(table["s"].to_numpy()[rows[:, 0]])
    chosen = np.where(generator.random(len(rows)) < 0.45 * np.exp(-hard), other, truth)
    coords = {
        "stimulus_id": table["image_id"].to_numpy()[rows[:, 0]],
        "image_id": table["image_id"].to_numpy()[rows[:, 0]],
    }
    coords |= {"subject": [f"p{k:02d}" for k in rows[:, 1]], "truth": truth, "sample_obj": truth, "dist_obj": other}
    coords |= {"condition": table["condition"].to_numpy()[rows[:, 0]], "choice": chosen}
    return {"data": chosen, "dims": ("presentation",), "coords": {k: ("presentation", v) for k, v in coords.items()}}


def scores(both: Both) -> None:
    """The incumbent's own benchmark classes, and ours, on the same files."""
    table = stimulus_table(240)
    generator = np.random.default_rng(6)
    features = generator.normal(size=(len(table), 60))
    answers = pd.DataFrame(features + 0.5 * generator.normal(size=features.shape), index=table["image_id"].to_list())
    recorded = trials(table, features[:, :40], 40, 8)
    for region in ("V4", "IT"):
        files = ("MajajHong2015.public", "hvm-public")
        compare(both, f"MajajHong2015public.{region}-pls", files, table, recorded, answers, "features")
    textures = table.assign(texture_type=table["object_name"]).drop(columns="object_name")
    fine = trials(table, features[:, :40], 20, 6, bins=300)
    fine["data"] = fine["data"].astype(np.float32)
    fine["coords"] |= {f"time_bin_{e}": ("time_bin", np.arange(300) + k) for k, e in enumerate(("start", "end"))}
    fine["coords"]["region"] = ("neuroid", ["V1"] * 10 + ["V2"] * 10)
    fine["coords"].pop("animal")  # the incumbent's benchmark expects neuroids of identifier and region alone
    fine["coords"]["texture_type"] = fine["coords"].pop("object_name")
    for region in ("V1", "V2"):
        files = ("FreemanZiemba2013.public", "FreemanZiemba2013.aperture-public")
        compare(both, f"FreemanZiemba2013public.{region}-pls", files, textures, fine, answers, "features")
    objects = table.assign(truth=table["object_name"], image_label=table["object_name"], condition="all")
    guesses = pd.DataFrame(generator.dirichlet(np.ones(len(OBJECTS)), len(table)), table["image_id"], OBJECTS)
    guesses = guesses + 0.8 * np.equal.outer(objects["truth"].to_numpy(), np.array(OBJECTS))
    files = ("Rajalingham2018.public", "objectome.public")
    compare(both, "Rajalingham2018public-i2n", files, objects, choices(objects, OBJECTS, 24), guesses, "probabilities")
    from brainmark.studies.geirhos2021 import OBJECTS as SIXTEEN

    kinds = [SIXTEEN[k % 16] for k in range(len(table))]
    sketches = table.assign(truth=kinds, condition=["0" if k % 3 else "1" for k in range(len(table))])
    seen = choices(sketches, SIXTEEN, 5)
    guesses = pd.DataFrame(generator.dirichlet(np.ones(16), len(table)), table["image_id"], SIXTEEN)
    guesses = guesses + 0.3 * np.equal.outer(np.array(kinds), np.array(SIXTEEN))
    for measure in ("error_consistency", "top1"):
        files = ("Geirhos2021_sketch", "Geirhos2021_sketch")
        compare(both, f"Geirhos2021sketch-{measure}", files, sketches, seen, guesses, "labels")


def compare(
    both: Both,
    name: str,
    registered: tuple[str, str],
    table: pd.DataFrame,
    parts: dict[str, Any],
    answers: pd.DataFrame,
    kind: str,
) -> None:
    """Score the same answers with both; the registries of both point to the same local files."""
    import brainscore_vision
    from brainscore_core.supported_data_standards.brainio.assemblies import BehavioralAssembly, NeuronRecordingAssembly
    from brainscore_vision import data_registry, load_benchmark

    local = name.replace("-", "_").replace(".", "_")
    behaves = "neuroid" not in parts["dims"]
    cls = BehavioralAssembly if behaves else NeuronRecordingAssembly
    if registered not in both.made:
        both.made[registered] = both.write_theirs(table, parts, local, cls)
    files = both.made[registered]
    plugin = {"M": "majajhong2015", "F": "freemanziemba2013", "R": "rajalingham2018", "G": "geirhos2021"}[name[0]]
    importlib.import_module(f"brainscore_vision.data.{plugin}")
    brainscore_vision.stimulus_set_registry[registered[1]] = lambda: both.stimuli_of_them(files, registered[1])
    data_registry[registered[0]] = lambda: both.read_theirs(*files, registered[1], cls)
    try:
        theirs = load_benchmark(name)(Candidate(answers, kind))
    except (KeyError, TypeError, ValueError) as error:
        both.check(name, holds=False, more=f"the incumbent raises {type(error).__name__}: {error}"[:300])
        return

    answers.to_pickle(both.folder / f"{local}.pkl")
    job = {"registered": registered, "answers": f"{local}.pkl", "sha1": both.into_mirror(registered, files)}
    both.jobs[name] = job | {"theirs": float(theirs)}


def score_ours(folder: Path) -> dict[str, float]:
    """In an interpreter of ours: score the same answers on the same files, from the mirror."""
    from brainmark.brainscore import files as brainscore
    from brainmark.core import benchmarks
    from brainmark.core.score import make_score

    found: dict[str, float] = {}
    listed = brainscore.read_rows()
    for name, job in json.loads((folder / "jobs.json").read_text()).items():
        recording, stimuli = ("assembly", job["registered"][0]), ("stimuli", job["registered"][1])
        listed[recording] = listed[recording]._replace(sha1=job["sha1"][0])
        listed[stimuli] = listed[stimuli]._replace(sha1=job["sha1"][1], zip_sha1=job["sha1"][2])
        benchmark = benchmarks[name].load()
        answer = benchmark.answer(Ours(pd.read_pickle(folder / job["answers"])))
        raw = benchmark.metric(answer, benchmark.mean_target)
        found[name] = make_score(name, "fixed", raw, benchmark.ceiling_comparison, {}, 0, benchmark.convention).value
    return found


def compare_scores(both: Both, python: str) -> None:
    """Compare what both sides found."""
    (both.folder / "jobs.json").write_text(json.dumps(both.jobs))
    done = subprocess.run([python, __file__, "--folder", str(both.folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    ours = json.loads(done.stdout.splitlines()[-1])
    for name, job in both.jobs.items():
        delta = abs(ours[name] - job["theirs"])
        figures = f"theirs {job['theirs']:.6f}, ours {ours[name]:.6f}, difference {delta:.1e}"
        both.check(name, delta <= TOLERANCE, figures)


def main() -> int:
    """Compare formats; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default="python", help="interpreter with brainmark and current libraries")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        print(json.dumps(score_ours(given.folder)))
        return 0
    for name in ("brainmark", "brainscore-vision", "brainscore-core", "xarray", "pandas", "netCDF4", "h5netcdf"):
        print(f"{name} {importlib.metadata.version(name)}", end="; ")
    print()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BRAINIO_HOME"] = os.environ["BRAINSCORE_HOME"] = folder
        os.environ["RESULTCACHING_DISABLE"] = "1"
        os.environ["BRAINMARK_HOME"], os.environ["BRAINMARK_MIRROR"] = f"{folder}/home", f"{folder}/mirror"
        Path(folder, "mirror").mkdir()
        both = Both(Path(folder))
        formats(both)
        scores(both)
        compare_scores(both, given.ours)
    return 1 if both.failed else 0


if __name__ == "__main__":
    sys.exit(main())
