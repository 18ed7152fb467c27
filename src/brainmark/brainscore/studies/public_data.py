"""The public collection of Brain-Score: recordings of macaque and human cortex and choices of people, with stimuli.

Names are those of its registrations. The files state no licence; see the publications. Measurements
that are no trials of stimuli (thresholds, properties of cells, triplets) are not registered here; their files are
read with `brainmark.brainscore.files.assembly`.
"""

from __future__ import annotations

from dataclasses import dataclass

from brainmark.brainscore.brainio import measurement_of
from brainmark.brainscore.files import Listed, assembly, listed, row, stimulus_set
from brainmark.core import DatasetCard, Setting, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import xr

LICENCE = "not stated; see the publication"
SCHRIMPF_2018 = """@article{Schrimpf2018,
  title = {{Brain-Score}: Which Artificial Neural Network for Object Recognition is most Brain-Like?},
  author = {Schrimpf, Martin and Kubilius, Jonas and Hong, Ha and Majaj, Najib J. and Rajalingham, Rishi and
            Issa, Elias B. and Kar, Kohitij and Bashivan, Pouya and Prescott-Roy, Jonathan and Geiger, Franziska and
            Schmidt, Kailyn and Yamins, Daniel L. K. and DiCarlo, James J.},
  journal = {bioRxiv},
  year = {2018},
  doi = {10.1101/407007}
}"""
MAJAJ_2015 = """@article{MajajHong2015,
  title = {Simple Learned Weighted Sums of Inferior Temporal Neuronal Firing Rates Accurately Predict Human Core
           Object Recognition Performance},
  author = {Majaj, Najib J. and Hong, Ha and Solomon, Ethan A. and DiCarlo, James J.},
  journal = {Journal of Neuroscience},
  volume = {35},
  number = {39},
  pages = {13402--13418},
  year = {2015},
  doi = {10.1523/JNEUROSCI.5181-14.2015}
}"""
FREEMAN_2013 = """@article{FreemanZiemba2013,
  title = {A functional and perceptual signature of the second visual area in primates},
  author = {Freeman, Jeremy and Ziemba, Corey M. and Heeger, David J. and Simoncelli, Eero P. and Movshon, J. Anthony},
  journal = {Nature Neuroscience},
  volume = {16},
  number = {7},
  pages = {974--981},
  year = {2013}
}"""
RAJALINGHAM_2018 = """@article{Rajalingham2018,
  title = {Large-Scale, High-Resolution Comparison of the Core Visual Object Recognition Behavior of Humans, Monkeys,
           and State-of-the-Art Deep Artificial Neural Networks},
  author = {Rajalingham, Rishi and Issa, Elias B. and Bashivan, Pouya and Kar, Kohitij and Schmidt, Kailyn and
            DiCarlo, James J.},
  journal = {Journal of Neuroscience},
  volume = {38},
  number = {33},
  pages = {7255--7269},
  year = {2018}
}"""
CADENA_2017 = """@article{Cadena2017,
  title = {Deep convolutional models improve predictions of macaque {V1} responses to natural images},
  author = {Cadena, Santiago A. and Denfield, George H. and Walker, Edgar Y. and Gatys, Leon A. and
            Tolias, Andreas S. and Bethge, Matthias and Ecker, Alexander S.},
  journal = {bioRxiv},
  year = {2017},
  doi = {10.1101/201764}
}"""
LI_2026 = """@article{Li2026,
  title = {Triple-N dataset: large-scale {fMRI}-guided dense recordings of nonhuman primate neural responses to natural
           scenes},
  author = {Li, Yipeng and Liu, Xieyi and Li, Wanru and Yang, Jia and Gong, Baoqi and Jin, Wei and Gong, Zhengxin and
            Wang, Kesheng and Luo, Jingqiu and Zhao, Zishuo and Bao, Pinglei},
  journal = {Nature Neuroscience},
  year = {2026},
  doi = {10.1038/s41593-026-02322-z}
}"""
BAKER_2022 = """@article{Baker2022,
  title = {Deep learning models fail to capture the configural nature of human shape perception},
  author = {Baker, Nicholas and Elder, James H.},
  journal = {iScience},
  volume = {25},
  pages = {104913},
  year = {2022},
  doi = {10.1016/j.isci.2022.104913}
}"""
COGGAN_2024 = """@unpublished{Coggan2024,
  title = {Modeling human visual recognition of occluded objects},
  author = {Coggan, David D. and Tong, Frank},
  year = {2024}
}"""
MANIQUET_2024 = """@article{Maniquet2024,
  title = {Recurrent issues with deep neural network models of visual recognition},
  author = {Maniquet, Tim and Op de Beeck, Hans and Costantino, Andrea Ivan},
  journal = {bioRxiv},
  year = {2024},
  doi = {10.1101/2024.04.02.587669}
}"""
FERGUSON_2024 = """@misc{Ferguson2024,
  title = {How Well is Visual Search Asymmetry predicted by a Binary-Choice, Rapid, Accuracy-based Visual-search,
           Oddball-detection ({BRAVO}) task?},
  author = {Ferguson, Michael E., Jr and Ngo, Jerry and Lee, Michael and DiCarlo, James and Schrimpf, Martin},
  year = {2024},
  doi = {10.17605/OSF.IO/5BA3N}
}"""


@dataclass(frozen=True)
class Family:
    """What the data sets of a family have in common: `regions` are empty where people chose."""

    what: str
    cite: str
    species: str = "human"
    regions: tuple[str, ...] = ()
    degrees: float | None = None


FAMILIES = {
    "majajhong2015": Family(
        "V4 and IT of two macaques, objects on natural backgrounds", MAJAJ_2015, "macaque", ("V4", "IT"), 8.0
    ),
    "freemanziemba2013": Family(
        "V1 and V2 of macaques, natural textures and noise of the same spectrum",
        FREEMAN_2013,
        "macaque",
        ("V1", "V2"),
        4.0,
    ),
    "cadena2017": Family("V1 of macaques, natural images and textures", CADENA_2017, "macaque", ("V1",), 2.0),
    "li2026": Family("visual cortex of macaques, natural scenes", LI_2026, "macaque", ("V1", "V2", "V4", "IT"), 11.0),
    "coggan2024_fMRI": Family("occluded objects, human fMRI", COGGAN_2024, "human", ("V1", "V2", "V4", "IT"), 9.0),
    "rajalingham2018": Family("which of two of 24 objects people take an image for", RAJALINGHAM_2018, degrees=8.0),
    "geirhos2021": Family("which of 16 kinds of objects people see", "geirhos2021 geirhos2019", degrees=3.0),
    "baker2022": Family("people recognising silhouettes whose configuration is destroyed", BAKER_2022, degrees=8.8),
    "bmd2024": Family("people recognising textured and dotted objects", SCHRIMPF_2018, degrees=8.0),
    "coggan2024_behavior": Family("people recognising occluded objects", COGGAN_2024, degrees=10.0),
    "ferguson2024": Family("people finding the odd one among distractors", FERGUSON_2024, degrees=8.0),
    "lonnqvist2024": Family("people recognising fragmented contours", SCHRIMPF_2018, degrees=17.70753),
    "maniquet2024": Family("people recognising manipulated objects", MANIQUET_2024, degrees=8.0),
    "scialom2024": Family("people recognising segments and phosphenes of objects", SCHRIMPF_2018, degrees=8.0),
}


def setting_of(family: str) -> Setting:
    """Return the size at which the images of a family were shown."""
    return Setting(degrees=FAMILIES[family].degrees)


def study_of(name: str, trials: xr.DataArray) -> Dataset:
    """Make a study of trials of the data set `name` (all of them, or some)."""
    found = row("assembly", name)
    measurement = measurement_of(trials)
    stimuli = stimulus_set(found.stimuli)
    shown = stimuli.table.index.get_indexer(measurement.coords["stimulus_id"].values)
    return Dataset(name, datasets[name].card, measurement, stimuli.take(shown, found.stimuli), setting_of(found.family))


def shown_in(study: Dataset) -> Stimuli:
    """Return the stimuli of a study of this collection; all have some."""
    assert study.stimuli is not None
    return study.stimuli


def _register(found: Listed, family: Family) -> None:
    kind = "Recordings" if family.regions else "Choices"
    card = DatasetCard(
        summary=f"{kind} published by Brain-Score: {family.what} ({found.name}).",
        licence=LICENCE,
        cite=family.cite,
        domain="vision",
        species=(family.species,),
        regions=family.regions,
        modality="image",
        sources=found.sources + row("stimuli", found.stimuli).sources,
        tags=("brainscore",),
    )

    @datasets.add(found.name, card=card)
    def load() -> Dataset:
        """Trials of each stimulus, in the order in which Brain-Score averages them; see `data.brainio`."""
        return study_of(found.name, assembly(found.name))


for _found in listed().values():
    if _found.kind == "assembly" and _found.family in FAMILIES:
        _register(_found, FAMILIES[_found.family])
