"""Published recordings, packaged as a lab would from the files at hand, are what their registrations load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brainmark
from brainmark.core import datasets
from brainmark.data.packaging import load_package, package, parse_description
from brainmark.data.readers.archive import ZipImages
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.studies.cowley2023 import FILES as COWLEY

pytestmark = pytest.mark.realdata


@pytest.mark.slow
def test_v4_from_an_array_and_an_archive(tmp_path: Path) -> None:
    registered = brainmark.load_dataset("Cowley2023.210325")
    responses, images = COWLEY.fetch("responses_raw/responses_210325.npy"), COWLEY.fetch("images/images_210325.zip")
    table = {"stimulus_id": registered.stimuli.ids, "filename": ZipImages(images).members}
    pd.DataFrame(table).to_csv(tmp_path / "stimuli.csv", index=False)
    card = datasets["Cowley2023.210325"].card
    told = {
        "identifier": "Cowley2023.again", "summary": card.summary, "licence": card.licence, "cite": card.cite,
        "species": list(card.species), "degrees": "unknown", "duration": 100,
        "stimuli": {"table": "stimuli.csv", "archive": str(images)},
        "recording": {
            "file": str(responses), "values": str(responses), "dims": ["neuroid", "presentation", "repetition"],
            "coords": {"stimulus_id": "stimuli.csv#stimulus_id"}, "region": "V4", "subject": "PE", "units": "spikes",
        },
    }  # fmt: skip
    package(parse_description(told, "again"), tmp_path, tmp_path / "out")
    study = load_package(tmp_path / "out")
    assert study.measurement.sizes == registered.measurement.sizes
    both = [m.transpose("presentation", "neuroid", "repetition") for m in (study.measurement, registered.measurement)]
    trials, known = (np.sort(m.values) for m in both)
    np.testing.assert_array_equal(trials, known)  # trials that were not made stand last here
    assert study.stimuli is not None
    assert study.stimuli.digest == registered.stimuli.digest
    reliability = split_half(resamples=0)(study.measurement).details["reliability"]
    assert reliability == pytest.approx(0.764, abs=0.01)


def test_choices_from_tables_of_trials(tmp_path: Path) -> None:
    registered = brainmark.load_dataset("Geirhos2021.edge")
    target, stimuli = registered.measurement, registered.stimuli
    rows = [
        {"stimulus_id": one, "subject": who, "choice": _said(target.values[k, :, s], target.coords["choice"].values)}
        for k, one in enumerate(stimuli.ids.tolist())
        for s, who in enumerate(target.coords["subject"].values.tolist())
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "answers.csv", index=False)
    paths = [str(p) for p in stimuli.media.paths]
    table = {"stimulus_id": stimuli.ids, "filename": paths, "label": target.coords["label"].values}
    pd.DataFrame(table).to_csv(tmp_path / "stimuli.csv", index=False)
    card = registered.card
    told = {
        "identifier": "Geirhos2021.again", "summary": card.summary, "licence": card.licence, "cite": card.cite,
        "species": "human", "degrees": 3, "duration": 200, "stimuli": {"table": "stimuli.csv"},
        "recording": {"file": "answers.csv", "kind": "choices"},
    }  # fmt: skip
    package(parse_description(told, "again"), tmp_path, tmp_path / "out")
    study = load_package(tmp_path / "out")
    known = target.transpose("presentation", "choice", "subject").isel(choice=_places(target, study.measurement))
    np.testing.assert_array_equal(study.measurement.values, known.values)
    ceiling = brainmark.load_benchmark(str(tmp_path / "out")).ceiling_comparison
    assert ceiling is not None and ceiling.aggregate() == pytest.approx(0.318, abs=0.005)


def _said(row: np.ndarray, choices: np.ndarray) -> str | None:
    return str(choices[row.argmax()]) if row.max() == 1 else None


def _places(target: object, packaged: object) -> list[int]:
    """Where the choices of the packaged data set stand in the registered one."""
    known = target.coords["choice"].values.tolist()  # pyright: ignore[reportAttributeAccessIssue]
    return [known.index(c) for c in packaged.coords["choice"].values.tolist()]  # pyright: ignore[reportAttributeAccessIssue]
