"""The language data of Brain-Score: recordings of people who read and hear sentences, and reading times.

Files and sha1 are those of its registrations (brainscore-language 2.3.0); sizes and sha256 are not published, and the
files state no licence. Presentations stay in the order of the file: the published splits depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from brainmark.brainscore.brainio import read_assembly
from brainmark.brainscore.files import BUCKET
from brainmark.core import DatasetCard, InvalidMeasurement, Setting, Source, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, pd, xr
from brainmark.data.fetch import fetch

LICENCE = "not stated; see the publication"
REGION = "language_system"
PEREIRA_2018 = """@article{Pereira2018,
  title = {Toward a universal decoder of linguistic meaning from brain activation},
  author = {Pereira, Francisco and Lou, Bin and Pritchett, Brianna and Ritter, Samuel and Gershman, Samuel J. and
            Kanwisher, Nancy and Botvinick, Matthew and Fedorenko, Evelina},
  journal = {Nature Communications},
  volume = {9},
  pages = {963},
  year = {2018}
}"""
FEDORENKO_2016 = """@article{Fedorenko2016,
  title = {Neural correlate of the construction of sentence meaning},
  author = {Fedorenko, Evelina and Scott, Terri L. and Brunner, Peter and Coon, William G. and Pritchett, Brianna and
            Schalk, Gerwin and Kanwisher, Nancy},
  journal = {PNAS},
  volume = {113},
  number = {41},
  pages = {E6256--E6262},
  year = {2016}
}"""
BLANK_2014 = """@article{Blank2014,
  title = {A functional dissociation between language and multiple-demand systems revealed in patterns of {BOLD} signal
           fluctuations},
  author = {Blank, Idan and Kanwisher, Nancy and Fedorenko, Evelina},
  journal = {Journal of Neurophysiology},
  volume = {112},
  number = {5},
  pages = {1105--1118},
  year = {2014}
}"""
TUCKUTE_2024 = """@article{Tuckute2024,
  title = {Driving and suppressing the human language network using large language models},
  author = {Tuckute, Greta and Sathe, Aalok and Srikant, Shashank and Taliaferro, Maya and Wang, Mingye and
            Schrimpf, Martin and Kay, Kendrick and Fedorenko, Evelina},
  journal = {Nature Human Behaviour},
  volume = {8},
  pages = {544--561},
  year = {2024},
  doi = {10.1038/s41562-023-01783-7}
}"""


@dataclass(frozen=True)
class Published:
    """One published file of recordings (or reading times).

    Attributes
    ----------
    sha1 : of the file.
    what, cite : for the card.
    context : coordinate of the texts that are read in one go; None: every sentence alone, "": all as one text.
    text : coordinate with the words.
    """

    sha1: str
    what: str
    cite: str
    context: str | None
    text: str = "stimulus"


FILES = {
    "Pereira2018.language": Published(
        "f8434b4022f5b2c862f0ff2854d5b3f5f2a7fb96", "fMRI, sentences of passages", PEREIRA_2018, "passage_label"
    ),
    "Blank2014.fROI": Published("af1e868821b897cb1684e4c8dcd33977121ef552", "fMRI, stories", BLANK_2014, "story"),
    "Fedorenko2016.language": Published(
        "2966b6d78e972a72068aa6907377483f427e8d9a", "ECoG, sentences word by word", FEDORENKO_2016, "sentence_id"
    ),
    "Tuckute2024.language": Published(
        "5c8fc7f3e24cc1af5f5296459377b638b6492641", "fMRI, sentences, mean over people", TUCKUTE_2024, None
    ),
    "Futrell2018": Published(
        "381ccc8038fbdb31235b5f3e1d350f359b5e287f",
        "reading times of ten stories",
        "futrell2021 futrell2018",
        "",
        "word",
    ),
}


CEILINGS = {  # of Pereira 2018, computed once by its authors: sha1 and version
    "243sentences-ridge": ("ba4c077bf0a9e1c46a9582790221c48113e0c5cf", "r3xGy2REPZfE7h1oFSnsNg5Rml9R5Ulz"),
    "384sentences-ridge": ("167005f57c3f2826a9e6a24ba36d96640fcbf3df", "u1_f1sJvv9J8eVjWFfA4siHsFHH6rMc1"),
    "243sentences-linear": ("5e23de899883828f9c886aec304bc5aa0f58f66c", ""),
    "384sentences-linear": ("fc895adc52fd79cea3040961d65d8f736a9d3e29", ""),
}


def source_of(name: str, prefix: str = "assy", sha1: str = "", version: str = "") -> Source:
    """Return the address of a file in the bucket; by default the assembly `name`."""
    file = f"{prefix}_{name.replace('.', '_')}.nc"
    query = f"?versionId={version}" if version else ""
    return Source(url=f"{BUCKET}/brainscore-language/{file}{query}", sha1=sha1 or FILES[name].sha1)


def ceiling_of(part: str) -> Source:
    """Return the address of a ceiling of Pereira 2018, such as that of ``243sentences-ridge``."""
    return source_of(f"Pereira2018.{part}", "ceiling", *CEILINGS[part])


def assembly(name: str) -> xr.DataArray:
    """Return an assembly as it lies in the file, with flat coordinates."""
    return read_assembly(fetch(source_of(name)))


def study_of(name: str, whole: xr.DataArray) -> Dataset:
    """Make a study of an assembly of the data set `name`, or of some of its presentations and neuroids.

    Raises
    ------
    InvalidMeasurement : the assembly lacks its words, or names presentations twice.
    """
    about = FILES[name]
    recorded = _as_measurement(whole)
    columns = {str(k): v.values for k, v in recorded.coords.items() if v.dims == ("presentation",)}
    for needed in (about.text, *([about.context] if about.context else [])):
        if needed not in columns:
            raise InvalidMeasurement(f"{name}: the assembly has no coordinate {needed!r} along presentation")
    table = pd.DataFrame(columns).set_index("stimulus_id")
    table["text"] = table[about.text].astype(str)
    context = about.context
    if context == "":
        context, table["whole"] = "whole", 0
    stimuli = Stimuli(name, "text", table)
    return Dataset(name, datasets[name].card, recorded, stimuli, Setting(context=context))


def _as_measurement(whole: xr.DataArray) -> xr.DataArray:
    """Presentations x neuroids (or subjects), with text as text, names as names and one region for all neuroids."""
    flat = whole.reset_index(list(whole.indexes)) if whole.indexes else whole
    flat = flat.isel(time_bin=0, drop=True) if flat.sizes.get("time_bin") == 1 else flat
    flat = flat.drop_vars([d for d in flat.dims if d in flat.coords])
    texts = {k: v for k, v in flat.coords.items() if v.dtype.kind in "OUS"}
    flat = flat.assign_coords({str(k): (v.dims, v.values.astype(str)) for k, v in texts.items()})
    ids = flat.coords["stimulus_id"].values if "stimulus_id" in flat.coords else np.arange(flat.sizes["presentation"])
    flat = flat.assign_coords(stimulus_id=("presentation", ids.astype(str)))
    if "neuroid" not in flat.dims:
        return flat.transpose("presentation", ...)
    count = flat.sizes["neuroid"]
    names = (
        flat.coords["neuroid_id"].values.astype(str) if "neuroid_id" in flat.coords else np.arange(count).astype(str)
    )
    if len(set(names.tolist())) < count:  # people may share the names of their voxels
        names = np.array([f"{k}/{one}" for k, one in enumerate(names)])
    named = {"neuroid_id": ("neuroid", names), "region": ("neuroid", np.full(count, REGION))}
    return flat.assign_coords(named).transpose("presentation", "neuroid")


def _register(name: str) -> None:
    about = FILES[name]
    card = DatasetCard(
        summary=f"Published by Brain-Score: {about.what} ({name}).",
        licence=LICENCE,
        cite=about.cite,
        domain="language",
        species=("human",),
        regions=() if about.text == "word" else (REGION,),
        modality="text",
        sources=(source_of(name), *(map(ceiling_of, CEILINGS) if name.startswith("Pereira") else ())),
        tags=("brainscore",),
    )

    @datasets.add(name, card=card)
    def load() -> Dataset:
        """All presentations, in the order of the file."""
        return study_of(name, assembly(name))


for _name in FILES:
    _register(_name)
