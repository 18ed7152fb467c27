"""Kriegeskorte et al. 2008: 92 objects seen by monkeys and humans; their similarity judged by humans (Mur et al. 2013).

Dissimilarity matrices of inferior temporal cortex (1 - Pearson correlation of response patterns) and of judgements.
How large and how long the images were shown is not stated with the data and differed between species;
`Setting.degrees` and `Setting.duration` are therefore None.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from brainmark.core import DataError, Record, Stimuli, Study, register_benchmark
from brainmark.core.libraries import np, pd, scipy, xr
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.matlab import field_of, fields_of, mat_of

SUPPLEMENT = "Kriegeskorte_Neuron2008_supplementalData.mat"
BRAINS = "92_brainRDMs.mat"
JUDGEMENTS = "92_behavRDMs.mat"
FILES = GitFolder(
    "rsagroup/rsatoolbox@f1f83cadb7243492a1aae7460466e0f0140b20ac/demos/92imageData",
    {
        SUPPLEMENT: ("06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504", 3603779),
        BRAINS: ("1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c", 224663),
        JUDGEMENTS: ("7a8e118c144c3840adeeeef6ea0706a0be2b3e80df719af15fbb56fc62562f5f", 982719),
    },
)
IMAGES, SUBJECTS, SESSIONS, JUDGES = 92, 4, 2, 16
CATEGORIES = ("human", "face", "animal", "natural")
STUDY = Study(
    licence="MIT (rsatoolbox); published with the paper", cite="kriegeskorte2008", species="macaque",
    domain="vision", modality="image", tags=("rdm",),
)  # fmt: skip


@STUDY.dataset(
    "Kriegeskorte2008.humanIT", species="human", regions=("IT",),
    sources=[FILES.source(f) for f in (BRAINS, SUPPLEMENT)],
    summary="Human IT, fMRI of 4 subjects in 2 sessions: dissimilarities of 92 objects.",
)  # fmt: skip
def read_human_it() -> tuple[xr.DataArray, Stimuli]:
    """Read human IT: subject x repetition (session) x presentation x other, 1 - r."""
    path = FILES.fetch(BRAINS)
    structs = _array_of(path, "RDMs", (SUBJECTS, SESSIONS))
    values = np.array([[_matrix(s, path) for s in row] for row in structs])
    names = [[_person(s, path) for s in row] for row in structs]
    mixed = [row for row in names if len(set(row)) > 1]
    if mixed:
        raise DataError(f"{path}: field 'name' mixes subjects {mixed[0]} in one row")
    people = {"subject": ("subject", [row[0] for row in names])}
    dims = ("subject", "repetition", "presentation", "other")
    return _with_stimuli(values, dims, people)


@STUDY.dataset(
    "Kriegeskorte2008.monkeyIT", regions=("IT",), sources=[FILES.source(SUPPLEMENT)],
    summary="Macaque IT, 674 neurons of 2 monkeys: dissimilarities of 92 objects.",
)  # fmt: skip
def read_monkey_it() -> tuple[xr.DataArray, Stimuli]:
    """Read macaque IT: presentation x other, 1 - r over 674 neurons."""
    path = FILES.fetch(SUPPLEMENT)
    pairs = IMAGES * (IMAGES - 1) // 2
    for struct in _array_of(path, "RDMs_mIT_hIT_fig1", (2,)):
        if str(field_of(struct, "name", path)).startswith("mIT"):
            values = scipy.spatial.distance.squareform(fields_of(struct, ("RDM",), path, (pairs,))["RDM"])
            dims = ("presentation", "other")
            return _with_stimuli(values, dims, {})
    raise DataError(f"{path}: no field 'name' of 'RDMs_mIT_hIT_fig1' starts with 'mIT'")


@STUDY.dataset(
    "Kriegeskorte2008.judgements", species="human", cite="mur2013 kriegeskorte2008",
    sources=[FILES.source(f) for f in (JUDGEMENTS, SUPPLEMENT)],
    summary="Similarity of 92 objects as arranged by 16 people.",
)  # fmt: skip
def read_judgements() -> tuple[xr.DataArray, Stimuli]:
    """Read judgements: subject x presentation x other, distances on the screen in each subject's own scale."""
    path = FILES.fetch(JUDGEMENTS)
    structs = _array_of(path, "rdms_behav_92", (JUDGES,))
    values = np.array([_matrix(s, path) for s in structs])
    people = {"subject": ("subject", [_person(s, path) for s in structs])}
    dims = ("subject", "presentation", "other")
    return _with_stimuli(values, dims, people)


def _with_stimuli(
    values: np.ndarray, dims: tuple[str, ...], people: Mapping[str, tuple[str, list[str]]]
) -> tuple[xr.DataArray, Stimuli]:
    stimuli = _stimuli()
    coords = {"stimulus_id": ("presentation", stimuli.ids), "other_id": ("other", stimuli.ids), **people}
    return xr.DataArray(values, dims=dims, coords=coords, attrs={"units": "1"}), stimuli


def _stimuli() -> Stimuli:
    """Return the 92 images with their category and whether each is human, a face, an animal, natural."""
    path = FILES.fetch(SUPPLEMENT)
    structs = _array_of(path, "stimuli_92objs", (IMAGES,))
    images = tuple(np.asarray(field_of(s, "image", path)) for s in structs)
    for i, image in enumerate(images):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise DataError(f"{path}: field 'image' of stimulus {i} is {image.dtype} {image.shape}, not an RGB image")
    columns = {"category": [str(field_of(s, "category", path)) for s in structs]}
    columns |= {name: [bool(field_of(s, name, path)) for s in structs] for name in CATEGORIES}
    ids = pd.Index([f"Kriegeskorte2008/{i + 1:02d}" for i in range(IMAGES)], name="stimulus_id")
    return Stimuli("Kriegeskorte2008", "image", pd.DataFrame(columns, index=ids), images)


def _array_of(path: Path, variable: str, shape: tuple[int, ...]) -> np.ndarray:
    structs = np.asarray(mat_of(path, variable), dtype=object)
    if structs.shape != shape:
        raise DataError(f"{path}: {variable!r} has shape {structs.shape}; expected {shape}")
    return structs


def _matrix(struct: object, path: Path) -> np.ndarray:
    return fields_of(struct, ("RDM",), path, (IMAGES, IMAGES))["RDM"].astype(float)


def _person(struct: object, path: Path) -> str:
    """Return the subject in a name like 'hIT | BE | Session: 1' or 'simJudge | subject1'."""
    parts = [part.strip() for part in str(field_of(struct, "name", path)).split("|")]
    if len(parts) < 2:
        raise DataError(f"{path}: field 'name' is {parts[0]!r}; expected '... | subject ...'")
    return parts[1]


for _part, _whose in (
    ("monkeyIT", "macaque IT"),
    ("humanIT", "human IT"),
    ("judgements", "people who arrange them by similarity"),
):
    register_benchmark(
        f"Kriegeskorte2008.{_part}-rdm", f"Kriegeskorte2008.{_part}", "rdm", ask=Record("IT"),
        summary=f"Which of 92 objects are alike to {_whose} and to the IT of the model (RSA).",
    )  # fmt: skip
