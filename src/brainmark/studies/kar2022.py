"""Kar 2022: whether people with and without autism take a face for happy or for fearful, and whether a model does.

28 morphs (four faces, seven levels between fear and happiness), each shown nine times to 15 controls and 18 people
with autism. Sixteen more morphs (levels of 35, 45, 55 and 65 per cent) were not judged: models learn the two words
from them. How large the faces were shown is not stated with the data.

Morphs to learn from and to judge are of the same four faces: a model may interpolate between pictures of one face,
which is why pixels score high and stand beside every model as a control. With the face that is asked about held out,
pixels fall to two thirds.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from brainmark.core import Choose, DataError, Dataset, Stimuli, Study, control_model, register_benchmark, shuffled
from brainmark.core.libraries import np, pd, xr
from brainmark.core.stimuli import ImageFiles
from brainmark.data.fetch import GitFolder, read_list
from brainmark.data.readers.matlab import matlab_table

FACES, LEVELS, TRIALS = ("SF1", "SF3", "SM2", "SM3"), (0, 30, 40, 50, 60, 70, 100), 9  # levels: per cent of happiness
UNJUDGED = (35, 45, 55, 65)
GROUPS = {"control": ("ASD_Ctrl", 15), "autism": ("ASD", 18)}  # their name in the file, people
FILES = GitFolder(
    "kohitij-kar/2021_faceEmotion_ASD@e4ab3204443ee09d7e7e007e0bb4b683b404baa1/data",
    read_list(Path(__file__).parent / "tables" / "kar2022.tsv"),
)
STUDY = Study(licence="MIT", cite="kar2022", species="human", domain="vision", modality="image")


def read_choices(group: str) -> tuple[xr.DataArray, Stimuli]:
    """Read choices, presentation x subject x repetition: 1: happy, 0: fearful, NaN: no answer."""
    return _choices(group), faces(LEVELS, f"Kar2022.{group}")


def _morphs(levels: tuple[int, ...]) -> tuple[list[str], list[int]]:
    """Return the faces and levels of all morphs, in order."""
    return [face for face in FACES for _ in levels], [level for _ in FACES for level in levels]


def _file(face: str, level: int) -> str:
    return f"images/{face}-fe{100 - level}-ha{level}.png"


def faces(levels: tuple[int, ...], identifier: str = "Kar2022.faces") -> Stimuli:
    """Return the morphs of all faces at some levels; columns ``face``, ``level`` and ``label`` (the nearer end)."""
    names, strengths = _morphs(levels)
    files = [_file(face, level) for face, level in zip(names, strengths, strict=True)]
    paths = FILES.fetch_all(files)
    table = pd.DataFrame(
        {"face": names, "level": strengths, "label": ["happy" if level > 50 else "fearful" for level in strengths]},
        index=pd.Index([file.removeprefix("images/").removesuffix(".png") for file in files], name="stimulus_id"),
    )
    return Stimuli(identifier, "image", table, ImageFiles(tuple(paths[file] for file in files)))


def _choices(group: str) -> xr.DataArray:
    path = FILES.fetch("behavioral_data.mat")
    trials = _trials(path)
    condition, people = GROUPS[group]
    trials = trials[trials["Condition"] == condition]
    subjects = sorted(set(trials["Subj_idx"].astype(int)))
    if len(subjects) != people or len(trials) != people * len(FACES) * len(LEVELS) * TRIALS:
        raise DataError(f"{path}: {len(trials)} trials of {len(subjects)} people in {condition!r}; expected {people}")
    names, strengths = _morphs(LEVELS)
    values = np.full((len(names), people, TRIALS), np.nan)
    for (subject, face, step), responses in _by_cell(trials):
        # the steps of the file go from fear to happiness as LEVELS do; 1: fearful, 2: happy, 0: none
        said = {0: np.nan, 1: 0.0, 2: 1.0}
        row = (int(face) - 1) * len(LEVELS) + int(step) - 1
        values[row, subjects.index(int(subject))] = [said[int(r)] for r in responses]
    return xr.DataArray(
        values,
        dims=("presentation", "subject", "repetition"),
        coords={
            "stimulus_id": ("presentation", [f"{f}-fe{100 - v}-ha{v}" for f, v in zip(names, strengths, strict=True)]),
            "face": ("presentation", names),
            "level": ("presentation", strengths),
            "subject": ("subject", [f"{group}/{subject}" for subject in subjects]),
        },
        attrs={"units": "share of trials judged happy"},
    )


@cache
def _trials(path: Path) -> pd.DataFrame:
    return matlab_table(path, "behavior", ("Subj_idx", "Stimulus", "Response", "FaceID", "Condition"))


def _by_cell(trials: pd.DataFrame) -> list[tuple[tuple[float, float, float], list[float]]]:
    """Return the responses of each subject to each morph, in the order of trials."""
    grouped = trials.groupby(["Subj_idx", "FaceID", "Stimulus"], sort=True)["Response"]
    return [(key, responses.tolist()) for key, responses in grouped]  # pyright: ignore[reportReturnType]


def _ask(_: Dataset) -> Choose:
    return Choose(fitting=faces(UNJUDGED))


for _group, (_, _people) in GROUPS.items():
    STUDY.dataset(
        f"Kar2022.{_group}", _group,
        summary=f"Happy or fearful? Choices of {_people} people ({_group}) for 28 morphed faces, nine times each.",
        sources=tuple(FILES.source(f) for f in ("behavioral_data.mat", *map(_file, *_morphs(LEVELS)))),
    )(read_choices)  # fmt: skip
    for _name, _metric, _what in (
        ("image_level", "share_correlation", "Which of 28 morphed faces look how happy, face by face"),
        (
            "psychometric",
            "curve_similarity",
            "How judgements turn from fearful to happy along seven levels of morphing",
        ),
    ):
        register_benchmark(
            f"Kar2022.{_group}-{_name}", f"Kar2022.{_group}", _metric, ask=_ask, options={"choice": "happy"},
            summary=f"{_what} ({_people} people, {_group}); models learn from other morphs of the same faces.",
            target=lambda data: data.mean, controls=(control_model("pixels"), shuffled()),
        )  # fmt: skip
