"""Kriegeskorte et al. 2008: 92 objects seen by monkeys and humans; their similarity judged by humans (Mur et al. 2013).

Dissimilarity matrices of inferior temporal cortex (1 - Pearson correlation of response patterns) and of judgements.
How large and how long the images were shown is not stated with the data and differed between species;
`Setting.degrees` and `Setting.duration` are therefore None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core import DataError, DatasetCard, Setting, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, pd, scipy, xr
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.arrays import field_of, fields_of, mat_of

if TYPE_CHECKING:
    from pathlib import Path


CITE = """
@article{Kriegeskorte2008,
  title = {Matching categorical object representations in inferior temporal cortex of man and monkey},
  author = {Kriegeskorte, Nikolaus and Mur, Marieke and Ruff, Douglas A. and Kiani, Roozbeh and Bodurka, Jerzy
            and Esteky, Hossein and Tanaka, Keiji and Bandettini, Peter A.},
  journal = {Neuron},
  volume = {60}, number = {6}, pages = {1126--1141},
  year = {2008},
  doi = {10.1016/j.neuron.2008.10.043}
}
"""
CITE_JUDGEMENTS = """
@article{Mur2013,
  title = {Human object-similarity judgments reflect and transcend the primate-{IT} object representation},
  author = {Mur, Marieke and Meys, Mirjam and Bodurka, Jerzy and Goebel, Rainer and Bandettini, Peter A.
            and Kriegeskorte, Nikolaus},
  journal = {Frontiers in Psychology},
  volume = {4}, pages = {128},
  year = {2013},
  doi = {10.3389/fpsyg.2013.00128}
}
"""
SUPPLEMENT = "Kriegeskorte_Neuron2008_supplementalData.mat"
BRAINS = "92_brainRDMs.mat"
JUDGEMENTS = "92_behavRDMs.mat"
FILES = GitFolder(
    owner="rsagroup",
    repo="rsatoolbox",
    commit="f1f83cadb7243492a1aae7460466e0f0140b20ac",
    folder="demos/92imageData",
    files={
        SUPPLEMENT: ("06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504", 3603779),
        BRAINS: ("1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c", 224663),
        JUDGEMENTS: ("7a8e118c144c3840adeeeef6ea0706a0be2b3e80df719af15fbb56fc62562f5f", 982719),
    },
)
IMAGES, SUBJECTS, SESSIONS, JUDGES = 92, 4, 2, 16
CATEGORIES = ("human", "face", "animal", "natural")


def _card(summary: str, species: str, regions: tuple[str, ...], cite: str, *files: str) -> DatasetCard:
    return DatasetCard(
        summary=summary,
        licence="MIT (rsatoolbox); published with the paper",
        cite=cite,
        domain="vision",
        species=(species,),
        regions=regions,
        modality="image",
        sources=tuple(FILES.source(file) for file in files),
        tags=("rdm",),
    )


HUMAN_CARD = _card(
    "Human IT, fMRI of 4 subjects in 2 sessions: dissimilarities of 92 objects.",
    "human", ("IT",), CITE, BRAINS, SUPPLEMENT,
)  # fmt: skip
MONKEY_CARD = _card(
    "Macaque IT, 674 neurons of 2 monkeys: dissimilarities of 92 objects.", "macaque", ("IT",), CITE, SUPPLEMENT
)
JUDGEMENT_CARD = _card(
    "Similarity of 92 objects as arranged by 16 people.",
    "human", (), CITE_JUDGEMENTS + CITE, JUDGEMENTS, SUPPLEMENT,
)  # fmt: skip


@datasets.add("Kriegeskorte2008.humanIT", card=HUMAN_CARD)
def human_it() -> Dataset:
    """Human IT: subject x repetition (session) x presentation x other, 1 - r."""
    path = FILES.fetch(BRAINS)
    structs = _array_of(path, "RDMs", (SUBJECTS, SESSIONS))
    values = np.array([[_matrix(s, path) for s in row] for row in structs])
    names = [[_person(s, path) for s in row] for row in structs]
    mixed = [row for row in names if len(set(row)) > 1]
    if mixed:
        raise DataError(f"{path}: field 'name' mixes subjects {mixed[0]} in one row")
    people = {"subject": ("subject", [row[0] for row in names])}
    dims = ("subject", "repetition", "presentation", "other")
    return _study("Kriegeskorte2008.humanIT", HUMAN_CARD, values, dims, people)


@datasets.add("Kriegeskorte2008.monkeyIT", card=MONKEY_CARD)
def monkey_it() -> Dataset:
    """Macaque IT: presentation x other, 1 - r over 674 neurons."""
    path = FILES.fetch(SUPPLEMENT)
    pairs = IMAGES * (IMAGES - 1) // 2
    for struct in _array_of(path, "RDMs_mIT_hIT_fig1", (2,)):
        if str(field_of(struct, "name", path)).startswith("mIT"):
            values = scipy.spatial.distance.squareform(fields_of(struct, ("RDM",), path, (pairs,))["RDM"])
            dims = ("presentation", "other")
            return _study("Kriegeskorte2008.monkeyIT", MONKEY_CARD, values, dims, {})
    raise DataError(f"{path}: no field 'name' of 'RDMs_mIT_hIT_fig1' starts with 'mIT'")


@datasets.add("Kriegeskorte2008.judgements", card=JUDGEMENT_CARD)
def judgements() -> Dataset:
    """Judgements: subject x presentation x other, distances on the screen, each subject's own scale."""
    path = FILES.fetch(JUDGEMENTS)
    structs = _array_of(path, "rdms_behav_92", (JUDGES,))
    values = np.array([_matrix(s, path) for s in structs])
    people = {"subject": ("subject", [_person(s, path) for s in structs])}
    dims = ("subject", "presentation", "other")
    return _study("Kriegeskorte2008.judgements", JUDGEMENT_CARD, values, dims, people)


def _study(
    identifier: str,
    card: DatasetCard,
    values: np.ndarray,
    dims: tuple[str, ...],
    people: dict[str, tuple[str, list[str]]],
) -> Dataset:

    stimuli = _stimuli()
    ids = list(stimuli.ids)
    coords = {"stimulus_id": ("presentation", ids), "other_id": ("other", ids), **people}
    measurement: xr.DataArray = xr.DataArray(values, dims=dims, coords=coords, attrs={"units": "1"})
    return Dataset(identifier, card, measurement, stimuli, Setting())


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
