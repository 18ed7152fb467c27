"""Kar 2022: whether people with and without autism take a face for happy or for fearful.

28 morphs (four faces, seven levels between fear and happiness), each shown nine times to 15 controls and 18 people
with autism. Sixteen more morphs (levels of 35, 45, 55 and 65 per cent) were not judged: models learn the two words
from them. How large the faces were shown is not stated with the data.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from brainmark.core import DataError, DatasetCard, Setting, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, pd, xr
from brainmark.core.stimuli import ImageFiles
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.arrays import matlab_table

if TYPE_CHECKING:
    from pathlib import Path


CITE = """
@article{Kar2022,
  title = {A computational probe into the behavioral and neural markers of atypical facial emotion processing
           in autism},
  author = {Kar, Kohitij},
  journal = {Journal of Neuroscience},
  volume = {42},
  number = {25},
  pages = {5115--5126},
  year = {2022},
  doi = {10.1523/JNEUROSCI.2229-21.2022}
}
"""
LICENCE = "MIT"
FACES, LEVELS, TRIALS = ("SF1", "SF3", "SM2", "SM3"), (0, 30, 40, 50, 60, 70, 100), 9  # levels: per cent of happiness
UNJUDGED = (35, 45, 55, 65)
GROUPS = {"control": ("ASD_Ctrl", 15), "autism": ("ASD", 18)}  # their name in the file, people
FILES = GitFolder(
    owner="kohitij-kar",
    repo="2021_faceEmotion_ASD",
    commit="e4ab3204443ee09d7e7e007e0bb4b683b404baa1",
    folder="data",
    files={
        "behavioral_data.mat": ("7555350ebe699853a4eca52d8fdc22e78d2da46b0161fa9e445c1f24e02821f7", 3465488),
        "images/SF1-fe0-ha100.png": ("e9bbc4fdee97b85d98fac39dd189bf16b26b2044f751600dfab7543d40d39182", 28369),
        "images/SF1-fe100-ha0.png": ("730197462813151c7ff3a019954711d00631e641193ad9f6438cbda61d912158", 28044),
        "images/SF1-fe30-ha70.png": ("92874f79c76665456ff6e575f32df983650873507d3d60023d026d7b57580e72", 28634),
        "images/SF1-fe35-ha65.png": ("eee981f029b6f66e3cb10ce981492c002c27528f0b0a168f0cf2461ee29f38a0", 28622),
        "images/SF1-fe40-ha60.png": ("7aa5079d6299771e27d2d87fcc541b0feb375c2f6c58ba8c3f3da64fe2314c31", 28651),
        "images/SF1-fe45-ha55.png": ("dd9c285680c511308ded12de277c3fe2d6521b4794d22b25df07d450de5837f8", 28661),
        "images/SF1-fe50-ha50.png": ("19476395f6e18517d1d47e4dc478e664454edd6ed23e355c535617082259f048", 28640),
        "images/SF1-fe55-ha45.png": ("df88c7252f91d2d4e8a41cd29bd55d1908d2f5f1e0b1870ddec54772d4a71b39", 28665),
        "images/SF1-fe60-ha40.png": ("d43be99f412d52a411fc6c464d78b8642b9b7d27dadc547a3146ff7adfce41e5", 28568),
        "images/SF1-fe65-ha35.png": ("b12427385e49720c870d21e64c4f084f4cfa8acad9b43bd8d9d6d54b9380a037", 28561),
        "images/SF1-fe70-ha30.png": ("55d4acd822e22c03ce6ab0d7369519725dc28fd1afcb4405f8d55a985fd1766b", 28511),
        "images/SF3-fe0-ha100.png": ("c39ea8428a29683db18f1180907e0f2fc10c5997d195d6757e872b23164d903b", 28419),
        "images/SF3-fe100-ha0.png": ("e6bb76f2e4eee14c30a4059a6a6a708d80bd4a5bc0bf8b619e040cc730fb9515", 28590),
        "images/SF3-fe30-ha70.png": ("08b9f7993b3b12cd7f386ec85e3e057ace8754427ad20499036a959f1e163149", 28850),
        "images/SF3-fe35-ha65.png": ("20a6017848de0d0c483f6cf50705c730127ba3c0eee0fcf82665b93654b67d6f", 28895),
        "images/SF3-fe40-ha60.png": ("50201082ce9b26cdfde29d89e6da04d3ca5d1d6dfdb1cc9e7ebd125b8e0014ed", 28930),
        "images/SF3-fe45-ha55.png": ("6d11504eef384177a5bccc136edce2737988a3f0e337ece58a90fdaeb9668e80", 29077),
        "images/SF3-fe50-ha50.png": ("6f74d1fdb2e7e9ceabf49e04d9099a3ca83e167324c77aad1771875f90bbad5b", 29124),
        "images/SF3-fe55-ha45.png": ("44a8626ebbf4d157065578e0c9eedc4b814b5d831910b17a2a03ea73646f6b33", 29143),
        "images/SF3-fe60-ha40.png": ("ab1fa687c8ae8a6e150710967e667c7e72a5b770ac01950dda25a6c501f6a15a", 29136),
        "images/SF3-fe65-ha35.png": ("506b492be68a42cac0a3608478e236864d1ed4d764ceb9620b7d5700a8ae86bb", 29022),
        "images/SF3-fe70-ha30.png": ("14b14adc550d57926b7aab09400893f575e04e854a54320713fa1ecd6439a3bf", 28988),
        "images/SM2-fe0-ha100.png": ("f03f84b4805b227dc8e25dd964ae4ee0d54cdc9ee7ace2934c3c7c744984acbc", 29177),
        "images/SM2-fe100-ha0.png": ("2a206499ff2abe3fb086910e2492efe82f94f9936bce828efb3014dee027dd4a", 28602),
        "images/SM2-fe30-ha70.png": ("b109560b8971e99b1deb2116e21064c1c25a0c0a8827106ebb035b23d737d18d", 29223),
        "images/SM2-fe35-ha65.png": ("4d29add2672513805110b43d1aa11d4ab603f29a2ce12e6a24eafe5bf6eca8ae", 29197),
        "images/SM2-fe40-ha60.png": ("88792cd9f4040c53bc92f7980ad9563fce248d95d2c5b5eaee9d391cdafd988e", 29125),
        "images/SM2-fe45-ha55.png": ("cbde0c0f1ecfe2bb6bdb93d85169232f4baa348ba90e2039a12facd81bd8bff5", 29110),
        "images/SM2-fe50-ha50.png": ("e79e0394dc12d3707262711123ebba43abc9c9e74182320118f8d5472f742483", 29030),
        "images/SM2-fe55-ha45.png": ("3fff39ab7c4d1d1bbb92d8761c232ab5fc9914848a9f156970e0ffe65a3f527c", 28972),
        "images/SM2-fe60-ha40.png": ("aa7aaabe029a3bdf8da20b9880b15fbe3e0f162ac18212285937131e2b19ecd1", 28925),
        "images/SM2-fe65-ha35.png": ("d57db12ebc5698e7a2f238c44e04e3a8f147f88de3155cda6354628d3b152d46", 28877),
        "images/SM2-fe70-ha30.png": ("81e64d67901deb61b317c7dc6a6b28196ebd43c602080256160f8c4e05b6f7e0", 28856),
        "images/SM3-fe0-ha100.png": ("cd08dc1d2b432bc17c32816b267ceed8fd01e4f570569ef58cf668b373aead63", 28262),
        "images/SM3-fe100-ha0.png": ("6255e49c68122032d46f1e93d3fced59bc3a353ae723d9413ffcfd188032c7ce", 28014),
        "images/SM3-fe30-ha70.png": ("1f73de3a9cd51e25d94d70c695a49b1220cc76ea8ac9e43fd2231a31238a7f88", 28433),
        "images/SM3-fe35-ha65.png": ("2d828a72552b199cd287b0f64edde482d535df765f3df4f9a3816acaa95b80f9", 28486),
        "images/SM3-fe40-ha60.png": ("7073462ad168387e04c45380f7b0de08c98240f0c29dacf2d086d416382efda1", 28482),
        "images/SM3-fe45-ha55.png": ("0b72156d53941d431ef5ba2331bbc0e35e5b99fa5e8e262dcc2b641e527cf306", 28443),
        "images/SM3-fe50-ha50.png": ("263d34ede8547673ff7962a4b399732f99d2f87001cbbc487684c3aa4055becd", 28442),
        "images/SM3-fe55-ha45.png": ("7d0c9c7564bd7fe72602f6ae4f0f4f0baade5f56e69c7d17e36936eab8178e54", 28239),
        "images/SM3-fe60-ha40.png": ("1b8f3522448870cfd2def2c128b258b02015fd093268ec4f8f1611aaa44c741e", 28236),
        "images/SM3-fe65-ha35.png": ("0447d6a06d8c0db2588b8527971db76c5de311df4c9c1d52fa517f86a55a86a9", 28220),
        "images/SM3-fe70-ha30.png": ("57894fe01ec517cb8208d6f7bbf65056c841f91b7c5ecce6f664a74114367538", 28149),
    },
)


def _register(group: str) -> None:
    people = GROUPS[group][1]
    card = DatasetCard(
        summary=f"Happy or fearful? Choices of {people} people ({group}) for 28 morphed faces, nine times each.",
        licence=LICENCE,
        cite=CITE,
        domain="vision",
        species=("human",),
        regions=(),
        modality="image",
        sources=tuple(FILES.source(f) for f in ("behavioral_data.mat", *map(_file, *_morphs(LEVELS)))),
    )

    @datasets.add(f"Kar2022.{group}", card=card)
    def load() -> Dataset:
        """Choices: presentation x subject x repetition, 1: happy, 0: fearful, NaN: no answer."""
        name = f"Kar2022.{group}"
        return Dataset(name, card, _choices(group), faces(LEVELS, name), Setting())


def _morphs(levels: tuple[int, ...]) -> tuple[list[str], list[int]]:
    """Faces and levels of all morphs, in order."""
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

    return matlab_table(path, ("Subj_idx", "Stimulus", "Response", "FaceID", "Condition"))


def _by_cell(trials: pd.DataFrame) -> list[tuple[tuple[float, float, float], list[float]]]:
    """Responses of each subject to each morph, in the order of trials."""
    grouped = trials.groupby(["Subj_idx", "FaceID", "Stimulus"], sort=True)["Response"]
    return [(key, responses.tolist()) for key, responses in grouped]  # pyright: ignore[reportReturnType]


for _group in GROUPS:
    _register(_group)
