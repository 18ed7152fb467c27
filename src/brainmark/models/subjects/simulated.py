"""The networks behind the simulated brains, as subjects that must reach the ceiling."""

from __future__ import annotations

from functools import partial

from brainmark.core import ModelCard, Subject, models
from brainmark.core.errors import NotApplicable
from brainmark.core.experiment import Experiment, Record
from brainmark.core.libraries import xr
from brainmark.data.generated.simulated import network_features
from brainmark.data.generated.simulated_time import BINS, units_over_time
from brainmark.models.subjects.units import as_recording


class SimulatedTruth:
    """The features that the simulated neurons read out."""

    identifier = "simulated-truth"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return presentation x 20 features for region IT."""
        ask = experiment.ask
        if experiment.stimuli.modality != "image" or not isinstance(ask, Record) or ask.region != "IT" or ask.time_bins:
            raise NotApplicable("simulated-truth only answers recordings of IT, without time bins, to images")
        return as_recording(network_features(experiment.stimuli.media), {}, experiment)


class SimulatedTruthOverTime:
    """The responses that the neurons simulated over time read out."""

    identifier = "simulated-truth-over-time"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Return presentation x 20 units [x time_bin] for region IT; without time bins, the mean from 70 to 250 ms."""
        ask, stimuli = experiment.ask, experiment.stimuli
        if stimuli.modality != "image" or not isinstance(ask, Record) or ask.region != "IT":
            raise NotApplicable(f"{self.identifier} only answers recordings of IT to images")
        units = units_over_time(stimuli.media, ask.time_bins or BINS)
        if not ask.time_bins:
            return as_recording(units.mean(axis=2), {}, experiment)
        return as_recording(units, {}, experiment, ("presentation", "neuroid", "time_bin"))


truth_card = partial(
    ModelCard, licence="MIT", cite="brainmark", domain="vision", family="simulated", regions=("IT",), degrees=8
)


@models.add(
    "simulated-truth",
    card=truth_card(
        summary="The known network that the simulated neurons read out; reaches the ceiling there, and only there.",
        tags=("simulated",),
    ),
)
def simulate_truth() -> Subject:
    """Return the network behind the dataset Simulated.IT."""
    return SimulatedTruth()


@models.add(
    "simulated-truth-over-time",
    card=truth_card(
        summary="The known responses over time that simulated neurons read out; nothing does better there.",
        tags=("simulated", "recurrent"),
    ),
)
def simulate_truth_over_time() -> Subject:
    """Return the network behind the dataset Simulated.IT-temporal."""
    return SimulatedTruthOverTime()
