"""Adapters between subjects of the Brain-Score packages and subjects of Brainmark, in both directions.

Their interfaces (brainscore-vision 2.4 `BrainModel`, brainscore-language 2.3 `ArtificialSubject`) keep state between
calls and hand over labelled arrays of their own; ours is one pure call. Nothing of theirs is imported before a subject
of theirs is used: install this package into the environment that has theirs.
"""

from brainmark.brainscore.subjects.ours import to_brainscore_language, to_brainscore_vision
from brainmark.brainscore.subjects.theirs import LANGUAGE_TARGETS, RESPONSE, from_brainscore

__all__ = ["LANGUAGE_TARGETS", "RESPONSE", "from_brainscore", "to_brainscore_language", "to_brainscore_vision"]
