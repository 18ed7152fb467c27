"""The network behind the simulated brain, as a subject: the known answer of the whole chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core import ModelCard, Subject, models
from brainmark.data.studies.simulated import BRAINMARK

if TYPE_CHECKING:
    import xarray as xr

    from brainmark.core.experiment import Experiment


class SimulatedTruth:
    """The features that the simulated neurons read out."""

    identifier = "simulated-truth"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return presentation x 20 features for region IT."""
        import numpy as np
        import xarray as xr

        from brainmark.core.errors import NotApplicable
        from brainmark.core.experiment import Record
        from brainmark.data.simulated import network_features

        ask = experiment.ask
        if experiment.stimuli.modality != "image" or not isinstance(ask, Record) or ask.region != "IT" or ask.time_bins:
            raise NotApplicable("simulated-truth only answers recordings of IT, without time bins, to images")
        features = network_features(experiment.stimuli.media)
        return xr.DataArray(
            features,
            dims=("presentation", "neuroid"),
            coords={
                "stimulus_id": ("presentation", experiment.stimuli.ids),
                "neuroid_id": ("neuroid", np.arange(features.shape[1])),
                "region": ("neuroid", ["IT"] * features.shape[1]),
            },
        )


@models.add(
    "simulated-truth",
    card=ModelCard(
        summary="The known network that the simulated neurons read out; reaches the ceiling there, and only there.",
        licence="MIT",
        cite=BRAINMARK,
        domain="vision",
        family="simulated",
        regions=("IT",),
        degrees=8,
        tags=("simulated",),
    ),
)
def simulated_truth() -> Subject:
    """Return the network behind the dataset Simulated.IT."""
    return SimulatedTruth()
