"""Marques 2020: properties of V1 cells from six publications, and the stimuli of each, as Brain-Score has them.

One dataset for each published property, ``Marques2020.<assembly>.<property>``: a value a cell, with the edges of its
histogram. Three sets of stimuli go with each: a blank screen, gratings of all orientations, and the study's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brainmark.brainscore.brainio import read_assembly
from brainmark.brainscore.files import row, stimulus_set
from brainmark.core import DatasetCard, InvalidMeasurement, InvalidStimuli, Media, Setting, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, pd, xr
from brainmark.data.fetch import fetch_all

CITE = """@article{Marques2021,
  title = {Multi-scale hierarchical neural network models that bridge from single neurons in the primate primary visual
           cortex to object recognition behavior},
  author = {Marques, Tiago and Schrimpf, Martin and DiCarlo, James J.},
  journal = {bioRxiv}, year = {2021}, doi = {10.1101/2021.03.01.433495}
}"""
LICENCE = "not stated; see the publication"
BLANK, ORIENTATION = "Marques2020_blank", "Marques2020_orientation"
OWN = {  # assembly -> its own stimuli
    "Cavanaugh2002a": "Marques2020_size",
    "DeValois1982a": ORIENTATION,
    "DeValois1982b": "Marques2020_spatial_frequency",
    "FreemanZiemba2013_V1_properties": "FreemanZiemba2013_properties",
    "Ringach2002": ORIENTATION,
    "Schiller1976c": "Marques2020_spatial_frequency",
}
PROPERTIES = {  # published identifier -> assembly, property in it
    "Cavanaugh2002-grating_summation_field": ("Cavanaugh2002a", "grating_summation_field"),
    "Cavanaugh2002-surround_diameter": ("Cavanaugh2002a", "surround_diameter"),
    "Cavanaugh2002-surround_suppression_index": ("Cavanaugh2002a", "surround_suppression_index"),
    "DeValois1982-pref_or": ("DeValois1982a", "preferred_orientation"),
    "DeValois1982-peak_sf": ("DeValois1982b", "peak_spatial_frequency"),
    "FreemanZiemba2013-texture_modulation_index": ("FreemanZiemba2013_V1_properties", "texture_modulation_index"),
    "FreemanZiemba2013-abs_texture_modulation_index": (
        "FreemanZiemba2013_V1_properties", "absolute_texture_modulation_index",
    ),
    "FreemanZiemba2013-texture_selectivity": ("FreemanZiemba2013_V1_properties", "texture_selectivity"),
    "FreemanZiemba2013-texture_sparseness": ("FreemanZiemba2013_V1_properties", "texture_sparseness"),
    "FreemanZiemba2013-texture_variance_ratio": ("FreemanZiemba2013_V1_properties", "variance_ratio"),
    "FreemanZiemba2013-max_texture": ("FreemanZiemba2013_V1_properties", "max_texture"),
    "FreemanZiemba2013-max_noise": ("FreemanZiemba2013_V1_properties", "max_noise"),
    "Ringach2002-circular_variance": ("Ringach2002", "circular_variance"),
    "Ringach2002-or_bandwidth": ("Ringach2002", "bandwidth"),
    "Ringach2002-orth_pref_ratio": ("Ringach2002", "orthogonal_preferred_ratio"),
    "Ringach2002-or_selective": ("Ringach2002", "orientation_selective"),
    "Ringach2002-cv_bandwidth_ratio": ("Ringach2002", "circular_variance_bandwidth_ratio"),
    "Ringach2002-opr_cv_diff": ("Ringach2002", "orthogonal_preferred_ratio_circular_variance_difference"),
    "Ringach2002-modulation_ratio": ("Ringach2002", "modulation_ratio"),
    "Ringach2002-max_dc": ("Ringach2002", "max_dc"),
    "Schiller1976-sf_selective": ("Schiller1976c", "spatial_frequency_selective"),
    "Schiller1976-sf_bandwidth": ("Schiller1976c", "spatial_frequency_bandwidth"),
}  # fmt: skip


def dataset_of(identifier: str) -> str:
    """Return the dataset of a published identifier."""
    return "Marques2020." + ".".join(PROPERTIES[identifier])


def _sets(assembly: str) -> dict[str, str]:
    """Part of the experiment -> set of stimuli."""
    own = OWN[assembly]
    return {"blank": BLANK, "orientation": ORIENTATION, **({} if own == ORIENTATION else {"own": own})}


def _register(identifier: str) -> None:
    assembly, name = PROPERTIES[identifier]
    card = DatasetCard(
        summary=f"{name.replace('_', ' ')} of cells of macaque V1 ({assembly}), published by Brain-Score.",
        licence=LICENCE,
        cite=CITE,
        domain="vision",
        species=("macaque",),
        regions=("V1",),
        modality="image",
        sources=row("assembly", assembly).sources
        + tuple(source for each in _sets(assembly).values() for source in row("stimuli", each).sources),
        tags=("brainscore", "tuning"),
    )

    @datasets.add(dataset_of(identifier), card=card)
    def load() -> Dataset:
        """One value a cell; the stimuli of the experiment are those of `shown`."""
        (path,) = fetch_all(row("assembly", assembly).sources)
        cells = read_assembly(path)
        listed = cells.coords["neuronal_property"].values.astype(str) if "neuronal_property" in cells.coords else []
        if name not in listed or f"{name}_bins" not in cells.attrs:
            raise InvalidMeasurement(f"{assembly}: no property {name!r} with the attribute '{name}_bins'")
        values = cells.transpose("neuroid", ...).values[:, list(listed).index(name)].astype(float)
        measurement = xr.DataArray(
            values,
            dims="neuroid",
            coords={
                "neuroid_id": ("neuroid", [f"{assembly}/{i + 1:03d}" for i in range(len(values))]),
                "region": ("neuroid", ["V1"] * len(values)),
            },
            name=name,
            attrs={"bins": np.asarray(cells.attrs[f"{name}_bins"], float)},
        )
        trials = int(cells.attrs.get("number_of_trials", 1))
        return Dataset(dataset_of(identifier), card, measurement, None, Setting(trials=trials))


for _identifier in PROPERTIES:
    _register(_identifier)


@dataclass(frozen=True)
class Chained:
    """Media one after the other."""

    parts: tuple[Media, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, index: int) -> Any:
        for part in self.parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)


def shown(assembly: str) -> Stimuli:
    """Return all stimuli of a study; the column ``part`` says which set each is of.

    Raises
    ------
    InvalidStimuli : the sets were not all shown at the same size.
    """
    sets = {part: stimulus_set(name) for part, name in _sets(assembly).items()}
    tables = [stimuli.table.assign(part=part) for part, stimuli in sets.items()]
    table = pd.concat(tables)
    if "degrees" not in table or table["degrees"].nunique(dropna=False) != 1:
        raise InvalidStimuli(f"the stimuli of {assembly} do not state one size in the column 'degrees'")
    return Stimuli(f"Marques2020.{assembly}", "image", table, Chained(tuple(s.media for s in sets.values())))
