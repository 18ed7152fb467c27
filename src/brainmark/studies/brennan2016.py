"""Brennan 2016: fMRI of people who hear the first chapter of Alice in Wonderland, six regions of the language network.

27 people, 362 volumes of 2 s, averages over spheres of 6 mm. Time counts from the first volume that was kept: 20 s into
the recording, where the story begins. Of the 28 published people, s33 is left out: all values are zero.
"""

from __future__ import annotations

from pathlib import Path

from brainmark.core import DataError, DatasetCard, Setting, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, pd, xr
from brainmark.data.fetch import GitFolder, read_list
from brainmark.data.readers.textgrid import read_intervals

CITE = """
@article{Brennan2016,
  title = {Abstract linguistic structure correlates with temporal activity during naturalistic comprehension},
  author = {Brennan, Jonathan R. and Stabler, Edward P. and Van Wagenen, Sarah E. and Luh, Wen-Ming and Hale, John T.},
  journal = {Brain and Language},
  volume = {157--158},
  pages = {81--94},
  year = {2016},
  doi = {10.1016/j.bandl.2016.04.008}
}
"""
LICENCE = "CC-BY-4.0"
REGIONS = {
    "LATL": "left anterior temporal lobe",
    "RATL": "right anterior temporal lobe",
    "LPTL": "left posterior temporal lobe",
    "LIPL": "left inferior parietal lobe",
    "LPreM": "left premotor cortex",
    "LIFG": "left inferior frontal gyrus",
}
VOLUME, VOLUMES, DISCARDED = 2000.0, 362, 10  # ms; the first ten volumes (20 s of silence) are not published
PREDICTORS = (
    "rate", "log_frequency", "break", "top_down_depth", "top_down_distance", "bottom_up", "bottom_up_distance",
    "grammar_surprisal", "bigram_surprisal", "trigram_surprisal", "tag_bigram_surprisal", "tag_trigram_surprisal",
)  # fmt: skip
"""Columns of the authors' predictors, already delayed by a haemodynamic response."""
TEXTGRID = "alice_stim_shared/DownTheRabbitHoleFinal_exp120_pad_1.TextGrid"
PUBLISHED = "alice_data_shared/sept18-generic-predictors-under-hrf-with-logfrqhal.txt"
FILES = GitFolder(
    owner="daandouwe",
    repo="Thesis",
    commit="ec54039b6ac5ad7bf8c81b91768108e5be5c1ce0",
    folder="brain-data/syntax-in-rnng",
    files=read_list(Path(__file__).parent / "tables" / "brennan2016.tsv"),
)
SUBJECTS = tuple(sorted(name.split("/")[2].partition("-")[0] for name in FILES.files if "/6mm/" in name))
CARD = DatasetCard(
    summary="fMRI of 27 people hearing the first chapter of Alice in Wonderland: six language regions, 362 volumes.",
    licence=LICENCE,
    cite=CITE,
    domain="language",
    species=("human",),
    regions=tuple(REGIONS),
    modality="text",
    sources=FILES.sources,
)


@datasets.add("Brennan2016", card=CARD)
def load() -> Dataset:
    """BOLD: time_bin x neuroid (a region) x repetition (a person), in standard deviations of each time course.

    Along time_bin lie ``word_rate`` and ``sound_power``, as the authors delayed them, and their twelve predictors
    (``published_<name>``). Stimuli are the words, with ``onset`` and ``duration`` in ms.
    """
    bold = np.stack([_z(_columns(f"alice_data_shared/6mm/{s}-timecourses.txt", len(REGIONS))) for s in SUBJECTS], -1)
    start = VOLUME * np.arange(VOLUMES)
    measurement = xr.DataArray(
        bold,
        dims=("time_bin", "neuroid", "repetition"),
        coords={
            "time_bin_start": ("time_bin", start),
            "time_bin_end": ("time_bin", start + VOLUME),
            **{name: ("time_bin", values) for name, values in _delayed().items()},
            "neuroid_id": ("neuroid", [f"Brennan2016/{region}" for region in REGIONS]),
            "region": ("neuroid", list(REGIONS)),
            "subject": ("repetition", list(SUBJECTS)),
        },
        attrs={"units": "standard deviations"},
    )
    return Dataset("Brennan2016", CARD, measurement, words(), Setting(context="story"))


def words() -> Stimuli:
    """Return the words of the story with ``onset`` and ``duration`` (ms after the first volume that was kept)."""
    path = FILES.fetch(TEXTGRID)
    spoken = [i for i in read_intervals(path, "word") if i.text.strip() not in ("", "sp")]  # sp: a pause
    if len(spoken) != 2127:
        raise DataError(f"{path}: {len(spoken)} words; expected 2127")
    text = [i.text.strip() for i in spoken]
    table = pd.DataFrame(
        {
            "text": text,
            "story": "alice",
            "onset": [1000 * i.start - DISCARDED * VOLUME for i in spoken],
            "duration": [1000 * (i.end - i.start) for i in spoken],
            "space_before": [not word.startswith("'") for word in text],  # clitics are annotated apart
            "length": [len(word) for word in text],
            "position": range(len(text)),
        },
        index=pd.Index([f"Brennan2016/{i + 1:04d}" for i in range(len(text))], name="stimulus_id"),
    )
    return Stimuli("Brennan2016", "text", table)


def by_person(measurement: xr.DataArray, region: str) -> xr.DataArray:
    """Return one region with its people as neuroids: time_bin x neuroid, coordinate ``subject``."""
    one = measurement.sel(neuroid=measurement.coords["region"].values == region).isel(neuroid=0, drop=True)
    people = one.coords["subject"].values.astype(str)
    named = one.rename(repetition="neuroid").transpose("time_bin", "neuroid")
    return named.assign_coords(
        neuroid_id=("neuroid", [f"Brennan2016/{region}/{person}" for person in people]),
        region=("neuroid", [region] * len(people)),
    )


def _delayed() -> dict[str, np.ndarray]:
    """What the authors computed of the stimulus, volume by volume, averaged over people where it is said for each."""
    measured = {"word_rate": "rate", "sound_power": "sndpwr"}
    each = {
        name: np.mean([_z(_columns(f"alice_data_shared/{s}-{file}.txt", 1)) for s in SUBJECTS], axis=0)[:, 0]
        for name, file in measured.items()
    }
    published = _columns(PUBLISHED, len(PREDICTORS), VOLUMES + DISCARDED)[DISCARDED:]
    return each | {f"published_{name}": published[:, k] for k, name in enumerate(PREDICTORS)}


def _columns(file: str, columns: int, rows: int = VOLUMES) -> np.ndarray:

    path = FILES.fetch(file)
    try:
        values = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise DataError(f"{path}: cannot be read as columns of numbers: {error}") from error
    if values.shape != (rows, columns):
        raise DataError(f"{path}: holds {values.shape}; expected {rows} rows of {columns} numbers")
    return values


def _z(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / values.std(axis=0)
