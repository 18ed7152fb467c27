"""Marques 2020: properties of V1 cells from six publications, and the stimuli of each, as Brain-Score has them.

One data set for each published property, ``Marques2020.<assembly>.<property>``: a value a cell, with the edges of its
histogram. Three sets of stimuli go with each: a blank screen, gratings of all orientations, and the study's own. The
22 benchmarks bear the published identifiers, and compare distributions over cells and over units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from brainmark.brainscore.brainio import read_assembly
from brainmark.brainscore.cards import benchmark_card, dataset_card
from brainmark.brainscore.files import row, stimulus_set
from brainmark.brainscore.metrics.conventions import RATIO
from brainmark.brainscore.metrics.tuning import ceiling
from brainmark.core import (
    Benchmark,
    InvalidMeasurement,
    InvalidStimuli,
    Media,
    Setting,
    Stimuli,
    benchmarks,
    control_model,
    datasets,
    metrics,
)
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Experiment, Record
from brainmark.core.libraries import np, pd, xr
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


def _measure_cells(assembly: str, name: str) -> tuple[xr.DataArray, Setting]:
    """Return one property of the cells, a value a cell, with the edges of its histogram."""
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
    return measurement, Setting(trials=int(cells.attrs.get("number_of_trials", 1)))


def _add(identifier: str) -> None:
    (assembly, name), benchmark = PROPERTIES[identifier], f"Marques2020_{identifier}"
    dataset, words = f"Marques2020.{assembly}.{name}", name.replace("_", " ")
    files = row("assembly", assembly).sources
    about = dataset_card(
        f"{words} of cells of macaque V1 ({assembly}), published by Brain-Score.",
        cite="marques2021", species=("macaque",), regions=("V1",), tags=("tuning",),
        sources=files + tuple(s for each in _sets_of(assembly).values() for s in row("stimuli", each).sources),
    )  # fmt: skip
    summary = f"How {words} is distributed over V1 cells and units"
    tags = ("tuning", "many stimuli")
    card = benchmark_card(summary, dataset, about, "brainscore-property-similarity", "V1", tags=tags)

    @datasets.add(dataset, card=about)
    def load() -> Dataset:
        """One value a cell; the stimuli of the experiment are those of `stimuli_of`."""
        measurement, setting = _measure_cells(assembly, name)
        return Dataset(dataset, about, measurement, None, setting)

    @benchmarks.add(benchmark, card=card)
    def score() -> Benchmark:
        """Similarity / that of the cells to draws of themselves; units by where they look, see `brainscore.tuning`."""
        study, stimuli = datasets[dataset].load(), stimuli_of(assembly)
        shown = {str(c): ("presentation", stimuli.table[c].to_numpy()) for c in stimuli.table}
        compare = metrics[card.metric].load(study=assembly, tuned=name)
        return Benchmark(
            benchmark,
            card,
            Experiment(
                stimuli,
                Record("V1", eccentricity=NEAR),
                replace(study.setting, degrees=float(stimuli.table["degrees"].iloc[0])),
            ),
            study.measurement,
            metric=lambda prediction, cells: compare(prediction.assign_coords(shown), cells),
            ceiling=ceiling,
            controls=(control_model("pixels"),),
            convention=RATIO,
        )


for _identifier in PROPERTIES:
    _add(_identifier)
