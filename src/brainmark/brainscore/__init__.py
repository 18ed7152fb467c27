"""The published convention of Brain-Score: its metrics, file format, adapters, data sets and benchmarks.

This room is a plug-in: the project's own entry point ``brainscore`` names it, importing it registers everything, and
no other room imports it.
"""

from brainmark.brainscore import metrics, recordings, studies, subjects
from brainmark.core.subject import add_adapter

add_adapter(subjects.adapt)
