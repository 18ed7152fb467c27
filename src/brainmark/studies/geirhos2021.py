"""Geirhos et al. 2021: what people take edges, silhouettes and pictures of conflicting shape and texture for.

Ten people saw each image for 200 ms at 3 degrees and chose among 16 kinds of objects. Of the 1280 pictures of
conflicting cues, those are registered whose shape is the first of its kind.
"""

from __future__ import annotations

from brainmark.core import DataError, DatasetCard, Setting, Source, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, pd, xr
from brainmark.core.stimuli import ImageFiles
from brainmark.data.fetch import GitFolder
from brainmark.data.tables import read_table

CITE = """
@inproceedings{Geirhos2021,
  title = {Partial success in closing the gap between human and machine vision},
  author = {Geirhos, Robert and Narayanappa, Kantharaju and Mitzkus, Benjamin and Thieringer, Tizian
            and Bethge, Matthias and Wichmann, Felix A. and Brendel, Wieland},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {34},
  pages = {23885--23899},
  year = {2021}
}
@inproceedings{Geirhos2019,
  title = {{ImageNet}-trained {CNNs} are biased towards texture; increasing shape bias improves accuracy
           and robustness},
  author = {Geirhos, Robert and Rubisch, Patricia and Michaelis, Claudio and Bethge, Matthias
            and Wichmann, Felix A. and Brendel, Wieland},
  booktitle = {International Conference on Learning Representations},
  year = {2019}
}
"""
LICENCE = "CC-BY-4.0"
OBJECTS = (
    "airplane", "bear", "bicycle", "bird", "boat", "bottle", "car", "cat",
    "chair", "clock", "dog", "elephant", "keyboard", "knife", "oven", "truck",
)  # fmt: skip
FOLDERS = {"edge": "edges", "silhouette": "filled-silhouettes", "cue-conflict": "style-transfer-preprocessed-512"}
COUNTS = {"edge": 160, "silhouette": 160, "cue-conflict": 134}
DEGREES, DURATION = 3.0, 200.0

_COMMIT = "ccd0c01d42c0a8a834e90ec141e7f24fa915dc23"
IMAGES = Source(  # shipped: sha256 and bytes of each image
    url=f"https://github.com/rgeirhos/texture-vs-shape/tree/{_COMMIT}/stimuli",
    sha256="6665b530e12beec1931e5acd8bf142aeec7630eb398ca08c0bd6127fb97250a2",
    size=49353,
)
TRIALS: dict[str, tuple[tuple[str, int], ...]] = {  # one file for each of ten people: sha256, bytes
    "edge": (
        ("e4b737c8fd3849a55fa9c037de9ba59d29a4cbc291e6ec06347c25758feac0f2", 13454),
        ("d4726cbc9ec15020cad3942fd55d6bbb946cb607164ca1661356d579158b00b0", 13467),
        ("6b2e8a93ceb81d676ebe13a8b8ea724794f08d7d0d536c6f8b0ca360abb2f524", 13426),
        ("76d67ec52994f6c41eb5ae443fb2b4234efb29d12245f23cbd235a4e9f9c52e7", 13399),
        ("e2ae02950ce27b66bbf78b95bf8140034e4d85d9a815bab29bdb8b9d4491b976", 13448),
        ("09070d0a650b99dd27de93db75a3b333e9a317318679aa65ae759219e1442332", 13453),
        ("7d3c41afd852beca3e6c5899bfb0ea309ec684deb5132cf7802a818587e8298f", 13388),
        ("f54aa000f906c3e377da838e8cb6a2e47f6370042baa15a282b12eef4b329755", 13464),
        ("5815bf679529a4d31d0c5af11d7f60aff15d55261aaa8bebf86f7d0e4fb1709e", 12860),
        ("d3d52d6ae95158f74da7f630096501c7417156b2fb474f9716bf51fcb5a5a0f8", 13452),
    ),
    "silhouette": (
        ("34e1a7352b9494d6030e75ee356df8b01e980c51effd8088171b33e599359901", 13526),
        ("a5075b5adf4452ebce0d198229f96028e965cb9f3539f0bc08045e5b6d93d2f9", 13319),
        ("94087eb34ac2f7f3ba04b753667c0a8be6d9e191a90728f47788f444593ef932", 13426),
        ("28befd9b2f3acbe2aeb1216c4eea039ec5fd177db472d0cb49dc370e96fce719", 13447),
        ("230304aa89ce61d7c888b74a73b4601ec94fc42e00b5dd56cd58b32f11da12a0", 13336),
        ("31480745aa878a6e53d75b61794d58a1501a79b6d2f6679d3449b8ec74a5bc6a", 13366),
        ("598fcce05f3ba19a943a5c99da068bc2492e287849ef5331f3e741b531a3ae64", 13417),
        ("da80bc431330e8af14287ea7b1d19caffeaae8283a41935d53da038efb642fd5", 13373),
        ("a35f3ba5fd78990068c5fb70c4ba03cd325128a3fea8826c47df43dfdbd40732", 13391),
        ("9fd39d41e6396ba0a5b6aaa2a6ac8c9ce351da03cf03e64cbfbb690e3e28196f", 13409),
    ),
    "cue-conflict": (
        ("8e100c7aad0e4ab891cb16a1fea9768edc882f9e47369549d45aa765b0897b1a", 116385),
        ("e9988e3eee0d4f9500fdf626d043e8382e96032a3f791b0d4886807a46e632ad", 116988),
        ("d3907fee2e612e6cd13c316a069f2e5fd41b0a55218b79be9537e1276c507d88", 117186),
        ("1d7b093f1174229a68e3bfac2f68877b2747bac001ad4aadbff5d5f89a44630e", 115974),
        ("f7e69864b7a981f6daaf51d9fc9945b185020e482956b38f477bf8eec9a5fa86", 117282),
        ("b63d7b4c52374a583f5e342aab46de5c445ef314501abc4b36736531c4d5f532", 117128),
        ("75959b12b8ccb9a265e20cb2beef05ac0dbf4052746742dd7e88818e69e2774c", 116855),
        ("b50f6956933c0a20eaf19e846c1fb5896068550da4597e8a7fc30aaf557ea02f", 116968),
        ("c94aba7fb9bf6887ec2fd0f554b145a6ed66c295b26a5c19594e1c0174253878", 117133),
        ("aa7b4f124bf605fd614b704d7556bb1a8088364b3113f9f918257b5cd3925f1b", 116728),
    ),
}


def _trials(condition: str) -> GitFolder:
    return GitFolder(
        owner="bethgelab",
        repo="model-vs-human",
        commit="79ed7cd1d9ac3a114e71b6638f0a98bdd627316c",
        folder=f"raw-data/{condition}",
        files={
            f"{condition}_subject-{person:02d}_session_1.csv": file
            for person, file in enumerate(TRIALS[condition], start=1)
        },
    )


def _card(condition: str, what: str) -> DatasetCard:
    return DatasetCard(
        summary=f"Choices of ten people among 16 kinds of objects, {COUNTS[condition]} {what}.",
        licence=LICENCE,
        cite=CITE,
        domain="vision",
        species=("human",),
        regions=(),
        modality="image",
        sources=(*_trials(condition).sources, IMAGES),
    )


CARDS = {
    "edge": _card("edge", "line drawings made from photographs"),
    "silhouette": _card("silhouette", "filled silhouettes"),
    "cue-conflict": _card("cue-conflict", "pictures with the shape of one object and the texture of another"),
}


def _register(condition: str) -> None:
    @datasets.add(f"Geirhos2021.{condition}", card=CARDS[condition])
    def load() -> Dataset:
        """Choices: presentation x choice x subject, 1 for what was chosen; all 0: no answer in time."""
        return _study(condition)


def _study(condition: str) -> Dataset:

    name = f"Geirhos2021.{condition}"
    files = _images(condition)
    if len(files.files) != COUNTS[condition]:
        raise DataError(f"{name}: the table names {len(files.files)} images; expected {COUNTS[condition]}")
    paths = files.fetch_all()
    table = _labels(list(paths), condition == "cue-conflict")
    stimuli = Stimuli(name, "image", table, ImageFiles(tuple(paths.values())))
    trials = answers(condition)
    setting = Setting(degrees=DEGREES, duration=DURATION)
    return Dataset(name, CARDS[condition], choices(trials, table), stimuli, setting)


def _images(condition: str) -> GitFolder:

    table = read_table("geirhos2019_images.csv", IMAGES)
    folder = FOLDERS[condition]
    rows = table[table["path"].str.startswith(f"{folder}/")]
    files = zip(rows["path"].str.removeprefix(f"{folder}/"), rows["sha256"], rows["bytes"].astype(int), strict=True)
    return GitFolder(
        "rgeirhos", "texture-vs-shape", _COMMIT, f"stimuli/{folder}", {path: (sha, size) for path, sha, size in files}
    )


def _labels(paths: list[str], conflicting: bool) -> pd.DataFrame:
    """Table of the images: the object (its shape), and the object whose texture it has."""
    names = [path.rpartition("/")[2] for path in paths]
    columns = {"label": [path.partition("/")[0] for path in paths]}
    if conflicting:
        columns["texture"] = [name.removesuffix(".png").partition("-")[2].rstrip("0123456789") for name in names]
    return pd.DataFrame(columns, index=pd.Index(names, name="stimulus_id"))


def answers(condition: str) -> pd.DataFrame:
    """Trials of all people: subject, image, answer.

    Raises
    ------
    DataError : a file lacks a column, or has an answer that was no choice.
    """
    frames: list[pd.DataFrame] = []
    for name, path in _trials(condition).fetch_all().items():
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
    """Choices (presentation, choice, subject) of the images that index `table`, its columns; NaN: not shown."""
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


for _condition in FOLDERS:
    _register(_condition)
