"""Kar 2022: pixels tell the morphs of a face by those of the same face, and far less by those of other faces."""

from __future__ import annotations

import numpy as np
import pytest

from brainmark.core import Choose, Experiment, Stimuli, datasets, metrics, models
from brainmark.core.measurement import with_stimulus_columns
from brainmark.data.fetch import where
from brainmark.metrics.behavior.judgements import judgement_ceiling
from brainmark.studies.kar2022 import FACES, UNJUDGED, faces

pytestmark = pytest.mark.realdata


def only(stimuli: Stimuli, chosen: np.ndarray, name: str) -> Stimuli:
    return stimuli.take(np.flatnonzero(chosen), name)


def test_pixels_owe_their_score_to_faces_that_they_know() -> None:
    lost = [found for found in map(where, datasets["Kar2022.control"].card.sources) if found.path is None]
    if lost:
        pytest.skip(f"neither a mirror (BRAINMARK_MIRROR) nor the cache has {lost[0].source.url}")
    study, fitting, pixels = datasets["Kar2022.control"].load(), faces(UNJUDGED), models["pixels"].load()
    assert study.stimuli is not None
    whole = Experiment(study.stimuli, Choose(fitting=fitting), study.setting)
    known = pixels.perform(whole)
    unknown = known.copy(deep=True)
    for face in FACES:
        asked, learnt = study.stimuli.table["face"].eq(face), fitting.table["face"].ne(face)
        parted = Choose(fitting=only(fitting, learnt.to_numpy(), f"without {face}"))
        alone = Experiment(only(study.stimuli, asked.to_numpy(), face), parted, study.setting)
        unknown.values[asked.to_numpy()] = pixels.perform(alone).values
    metric = metrics["share_correlation"].load(choice="happy")
    top = judgement_ceiling()(study.mean).aggregate()
    shared, held_out = (metric(with_stimulus_columns(a, whole), study.mean).aggregate() / top for a in (known, unknown))
    assert shared == pytest.approx(0.913, abs=0.02)
    assert held_out == pytest.approx(0.604, abs=0.03)
