"""Geirhos et al. 2021: what people take edges, silhouettes and pictures of conflicting shape and texture for.

Ten people saw each image for 200 ms at 3 degrees and chose among 16 kinds of objects. Of the 1280 pictures of
conflicting cues, those are registered whose shape is the first of its kind. Models choose among the 16 kinds by their
own classes; a model without such classes does not apply.

The authors let images fill a network's field of view, and so do the benchmarks under the plain names. Brain-Score shows
images at 3 degrees, as people saw them: in a field of 8 degrees a network then sees a small picture on grey, unlike
those that it was trained on. Those benchmarks have ``_3deg`` in their names, and count in no mean.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from brainmark.core import (
    Choose,
    DataError,
    Dataset,
    Experiment,
    Setting,
    Source,
    Stimuli,
    Study,
    register_benchmark,
)
from brainmark.core.libraries import np, pd, xr
from brainmark.core.stimuli import ImageFiles
from brainmark.data.fetch import GitFolder, read_list
from brainmark.data.tables import read_table

OBJECTS = (
    "airplane", "bear", "bicycle", "bird", "boat", "bottle", "car", "cat",
    "chair", "clock", "dog", "elephant", "keyboard", "knife", "oven", "truck",
)  # fmt: skip
CONDITIONS = {  # folder of the images, their number, what they are
    "edge": ("edges", 160, "line drawings made from photographs"),
    "silhouette": ("filled-silhouettes", 160, "filled silhouettes"),
    "cue-conflict": (
        "style-transfer-preprocessed-512", 134, "pictures with the shape of one object and the texture of another",
    ),
}  # fmt: skip
COMMIT = "ccd0c01d42c0a8a834e90ec141e7f24fa915dc23"
IMAGES = Source(  # shipped: sha256 and bytes of each image
    url=f"https://github.com/rgeirhos/texture-vs-shape/tree/{COMMIT}/stimuli",
    sha256="6665b530e12beec1931e5acd8bf142aeec7630eb398ca08c0bd6127fb97250a2",
    size=49353,
)
TRIALS = GitFolder(  # one file for each of ten people in each condition
    "bethgelab/model-vs-human@79ed7cd1d9ac3a114e71b6638f0a98bdd627316c/raw-data",
    read_list(Path(__file__).parent / "tables" / "geirhos2021.tsv"),
)
STUDY = Study(
    licence="CC-BY-4.0", cite="geirhos2021 geirhos2019", species="human", domain="vision", modality="image",
    setting=Setting(degrees=3.0, duration=200.0),
)  # fmt: skip


def _files_of(condition: str) -> list[str]:
    """Return the files of answers in a condition, one for each person."""
    return [name for name in TRIALS.files if name.startswith(f"{condition}/")]


def read_condition(condition: str) -> tuple[xr.DataArray, Stimuli]:
    """Read choices, presentation x choice x subject: 1 for what was chosen; all 0: no answer in time."""
    name, count = f"Geirhos2021.{condition}", CONDITIONS[condition][1]
    files = _images(condition)
    if len(files.files) != count:
        raise DataError(f"{name}: the table names {len(files.files)} images; expected {count}")
    paths = files.fetch_all()
    table = _labels(list(paths), condition == "cue-conflict")
    return choices(answers(condition), table), Stimuli(name, "image", table, ImageFiles(tuple(paths.values())))


def _images(condition: str) -> GitFolder:
    table = read_table("geirhos2019_images.csv", IMAGES)
    folder = CONDITIONS[condition][0]
    rows = table[table["path"].str.startswith(f"{folder}/")]
    files = zip(rows["path"].str.removeprefix(f"{folder}/"), rows["sha256"], rows["bytes"].astype(int), strict=True)
    files_of = {path: (sha, size) for path, sha, size in files}
    return GitFolder(f"rgeirhos/texture-vs-shape@{COMMIT}/stimuli/{folder}", files_of)


def _labels(paths: list[str], conflicting: bool) -> pd.DataFrame:
    """Return the table of the images: the object (its shape), and the object whose texture it has."""
    names = [path.rpartition("/")[2] for path in paths]
    columns = {"label": [path.partition("/")[0] for path in paths]}
    if conflicting:
        columns["texture"] = [name.removesuffix(".png").partition("-")[2].rstrip("0123456789") for name in names]
    return pd.DataFrame(columns, index=pd.Index(names, name="stimulus_id"))


def answers(condition: str) -> pd.DataFrame:
    """Return the trials of all people: subject, image, answer.

    Raises
    ------
    DataError : a file lacks a column, or has an answer that was no choice.
    """
    frames: list[pd.DataFrame] = []
    for name, path in TRIALS.fetch_all(_files_of(condition)).items():
        frame = pd.read_csv(path, keep_default_na=False)
        missing = [c for c in ("subj", "object_response", "imagename") if c not in frame.columns]
        if missing:
            raise DataError(f"{path}: has no column {missing[0]!r} among {list(frame.columns)}")
        odd = set(frame["object_response"]) - {*OBJECTS, "na"}
        if odd:
            raise DataError(f"{path}: object_response {sorted(odd)[0]!r} is none of the 16 objects, nor 'na' ({name})")
        image = frame["imagename"].str.rpartition("_")[2]
        frames.append(pd.DataFrame({"subject": frame["subj"], "image": image, "answer": frame["object_response"]}))
    return pd.concat(frames, ignore_index=True)


def choices(trials: pd.DataFrame, table: pd.DataFrame) -> xr.DataArray:
    """Return choices (presentation, choice, subject) of the images that index `table`, its columns; NaN: not shown."""
    subjects = sorted(set(trials["subject"]))
    values = np.full((len(table), len(OBJECTS), len(subjects)), np.nan, np.float32)
    rows = table.index.get_indexer(pd.Index(trials["image"]))
    shown = rows >= 0  # people saw images that are not registered
    columns = [subjects.index(subject) for subject in trials["subject"][shown]]
    values[rows[shown], :, columns] = trials["answer"].to_numpy(str)[shown, None] == np.array(OBJECTS)
    return xr.DataArray(
        values,
        dims=("presentation", "choice", "subject"),
        coords={
            "stimulus_id": ("presentation", table.index.to_numpy(str)),
            **{str(c): ("presentation", table[c].to_numpy(str)) for c in table.columns},
            "choice": ("choice", list(OBJECTS)),
            "subject": ("subject", subjects),
        },
    )


def _fill_field(data: Dataset) -> Experiment:
    """Ask for one of the 16 kinds, with images that fill the field of view."""
    return Experiment(data.shown, Choose(OBJECTS), replace(data.setting, degrees=None))


def _keep_degrees(data: Dataset) -> Experiment:
    """Ask for one of the 16 kinds, with images as wide as people saw them."""
    return Experiment(data.shown, Choose(OBJECTS), data.setting)


MEASURES = {  # the last part of a benchmark's name: metric, parent, what is measured
    "error_consistency": (
        "error_consistency", "behavior", "Whether errors are made on the same images as by people",
    ),
    "accuracy_distance": ("accuracy_distance", "behavior", "How near the accuracy is to people's"),
    "shape_bias": ("shape_bias", "behavior", "Whether shape or texture decides as often as it does for people"),
    "top1": ("accuracy", "engineering", "Share of images recognised"),
}  # fmt: skip

for _condition, (_, _count, _what) in CONDITIONS.items():
    STUDY.dataset(
        f"Geirhos2021.{_condition}", _condition,
        summary=f"Choices of ten people among 16 kinds of objects, {_count} {_what}.",
        sources=(*map(TRIALS.source, _files_of(_condition)), IMAGES),
    )(read_condition)  # fmt: skip
    for _name, (_metric, _parent, _summary) in MEASURES.items():
        if _name == "shape_bias" and _condition != "cue-conflict":
            continue
        _usual = f"Geirhos2021.{_condition}-{_name}"
        register_benchmark(
            _usual, f"Geirhos2021.{_condition}", _metric, ask=_fill_field, parent=_parent,
            summary=f"{_summary}, among 16 kinds of objects ({_condition}).",
        )  # fmt: skip
        register_benchmark(
            f"Geirhos2021.{_condition}_3deg-{_name}", f"Geirhos2021.{_condition}", _metric, ask=_keep_degrees,
            summary=f"{_summary}, among 16 kinds of objects 3 degrees wide ({_condition}).", parent=_parent,
            superseded_by=_usual,
        )  # fmt: skip
