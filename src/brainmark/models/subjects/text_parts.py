"""The texts of an experiment in parts: what is said in each context, and where the answers belong. NumPy only."""

from __future__ import annotations

from brainmark.core.experiment import SPACE_BEFORE, Experiment
from brainmark.core.libraries import np
from brainmark.core.stimuli import Stimuli

RATED = ("plausibility", "acceptability", "grammaticality", "well-formedness", "predictability")
"""Questions that are answered by the probability of a text."""
HALF_BITS = 10.0
"""Bits for each word at which a rating is in the middle of its scale: what words cost that are known by frequency."""


def parts_of_contexts(experiment: Experiment) -> list[tuple[list[str], list[bool] | None]]:
    """Return the parts of each context, and whether a space stands before each, where the stimuli say it."""
    media, table = experiment.stimuli.media, experiment.stimuli.table
    spaces = table[SPACE_BEFORE].astype(bool).tolist() if SPACE_BEFORE in table.columns else None
    return [
        ([str(media[i]) for i in context], None if spaces is None else [spaces[i] for i in context])
        for context in experiment.contexts
    ]


def placed(experiment: Experiment, values: np.ndarray) -> np.ndarray:
    """Put values (parts of one context after another, ...) into the order of the presentations."""
    made = np.empty_like(values)
    made[np.concatenate([np.asarray(context) for context in experiment.contexts])] = values
    return made


def word_counts(stimuli: Stimuli) -> np.ndarray:
    """Words (stimuli,) of each text, parted by white space; at least one."""
    return np.array([max(1, len(str(stimuli.media[i]).split())) for i in range(len(stimuli))])


__all__ = ["HALF_BITS", "RATED", "parts_of_contexts", "placed", "word_counts"]
