"""Marques 2020: properties of V1 cells from six publications, and the stimuli of each, as Brain-Score has them.

One data set for each published property, ``Marques2020.<assembly>.<property>``: a value a cell, with the edges of its
histogram. Three sets of stimuli go with each: a blank screen, gratings of all orientations, and the study's own. The
22 benchmarks bear the published identifiers, and compare distributions over cells and over units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from brainmark.brainscore.brainio import read_assembly
from brainmark.brainscore.files import row, stimulus_set
from brainmark.brainscore.metrics.conventions import RATIO
from brainmark.brainscore.metrics.tuning import ceiling
from brainmark.brainscore.register import PUBLISHED, register_published
from brainmark.core import (
    Dataset,
    Experiment,
    InvalidMeasurement,
    InvalidStimuli,
    Media,
    Record,
    Setting,
    Stimuli,
    control_model,
)
from brainmark.core.libraries import np, pd, xr
from brainmark.core.study import Arguments
from brainmark.data.fetch import fetch_all

NEAR = 0.15  # degrees between the centre of a receptive field and the stimuli
BLANK, ORIENTATION = "Marques2020_blank", "Marques2020_orientation"
TEXTURES = "FreemanZiemba2013_V1_properties"
OWN = {  # assembly: its own stimuli
    "Cavanaugh2002a": "Marques2020_size",
    "DeValois1982a": ORIENTATION,
    "DeValois1982b": "Marques2020_spatial_frequency",
    TEXTURES: "FreemanZiemba2013_properties",
    "Ringach2002": ORIENTATION,
    "Schiller1976c": "Marques2020_spatial_frequency",
}
PROPERTIES = {  # published identifier: assembly, property in it
    "Cavanaugh2002-grating_summation_field": ("Cavanaugh2002a", "grating_summation_field"),
    "Cavanaugh2002-surround_diameter": ("Cavanaugh2002a", "surround_diameter"),
    "Cavanaugh2002-surround_suppression_index": ("Cavanaugh2002a", "surround_suppression_index"),
    "DeValois1982-pref_or": ("DeValois1982a", "preferred_orientation"),
    "DeValois1982-peak_sf": ("DeValois1982b", "peak_spatial_frequency"),
    "FreemanZiemba2013-texture_modulation_index": (TEXTURES, "texture_modulation_index"),
    "FreemanZiemba2013-abs_texture_modulation_index": (TEXTURES, "absolute_texture_modulation_index"),
    "FreemanZiemba2013-texture_selectivity": (TEXTURES, "texture_selectivity"),
    "FreemanZiemba2013-texture_sparseness": (TEXTURES, "texture_sparseness"),
    "FreemanZiemba2013-texture_variance_ratio": (TEXTURES, "variance_ratio"),
    "FreemanZiemba2013-max_texture": (TEXTURES, "max_texture"),
    "FreemanZiemba2013-max_noise": (TEXTURES, "max_noise"),
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
}


@dataclass(frozen=True)
class Chain:
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


def stimuli_of(assembly: str) -> Stimuli:
    """Return all stimuli of a study; the column ``part`` says which set each is of.

    Raises
    ------
    InvalidStimuli : the sets were not all shown at the same size.
    """
    sets = {part: stimulus_set(name) for part, name in _sets_of(assembly).items()}
    table = pd.concat([stimuli.table.assign(part=part) for part, stimuli in sets.items()])
    if "degrees" not in table or table["degrees"].nunique(dropna=False) != 1:
        raise InvalidStimuli(f"the stimuli of {assembly} do not state one size in the column 'degrees'")
    return Stimuli(f"Marques2020.{assembly}", "image", table, Chain(tuple(s.media for s in sets.values())))


def _sets_of(assembly: str) -> dict[str, str]:
    """Return the set of stimuli of each part of the experiment."""
    own = OWN[assembly]
    return {"blank": BLANK, "orientation": ORIENTATION, **({} if own == ORIENTATION else {"own": own})}


def read_property(assembly: str, name: str) -> tuple[xr.DataArray, None, Setting]:
    """Read one value for each cell, with the edges of its histogram; the stimuli are those of `stimuli_of`."""
    (path,) = fetch_all(row("assembly", assembly).sources)
    cells = read_assembly(path)
    known = cells.coords["neuronal_property"].values.astype(str) if "neuronal_property" in cells.coords else []
    if name not in known or f"{name}_bins" not in cells.attrs:
        raise InvalidMeasurement(f"{assembly}: no property {name!r} with the attribute '{name}_bins'")
    values = cells.transpose("neuroid", ...).values[:, list(known).index(name)].astype(float)
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
    return measurement, None, Setting(trials=int(cells.attrs.get("number_of_trials", 1)))


def _ask(data: Dataset, assembly: str) -> Experiment:
    stimuli = stimuli_of(assembly)
    setting = replace(data.setting, degrees=float(stimuli.table["degrees"].iloc[0]))
    return Experiment(stimuli, Record("V1", eccentricity=NEAR), setting)


def _name_stimuli(_: Dataset, assembly: str) -> Arguments:
    """Give the metric answers with all columns of the table of stimuli."""
    table = stimuli_of(assembly).table
    shown = {str(c): ("presentation", table[c].to_numpy()) for c in table}
    return lambda prediction, cells: (prediction.assign_coords(shown), cells)


for _identifier, (_assembly, _property) in PROPERTIES.items():
    _dataset, _words = f"Marques2020.{_assembly}.{_property}", _property.replace("_", " ")
    _stimuli = [source for each in _sets_of(_assembly).values() for source in row("stimuli", each).sources]
    PUBLISHED.dataset(
        _dataset, _assembly, _property, cite="marques2021", species="macaque", regions=("V1",),
        summary=f"{_words} of cells of macaque V1 ({_assembly}), published by Brain-Score.",
        sources=(*row("assembly", _assembly).sources, *_stimuli), tags=("brainscore", "tuning"),
    )(read_property)  # fmt: skip
    register_published(
        f"Marques2020_{_identifier}", _dataset, "brainscore-property-similarity",
        f"How {_words} is distributed over V1 cells and units", ask=partial(_ask, assembly=_assembly),
        options={"study": _assembly, "tuned": _property}, adapt=partial(_name_stimuli, assembly=_assembly),
        ceiling=lambda _: ceiling, controls=(control_model("pixels"),), convention=RATIO,
        tags=("tuning", "many stimuli"),
    )  # fmt: skip
