"""The published convention of Brain-Score: its metrics, file format, adapters, data sets and benchmarks.

This room is a plug-in: the project's own entry point ``brainscore`` names it, importing it registers everything, and
no other room imports it.
"""

from brainmark.brainscore import metrics, recordings, studies
from brainmark.core.subject import Subject, add_adapter


@add_adapter
def adapt(thing: object, identifier: str | None) -> Subject | None:
    """Return one of Brain-Score's subjects as ours; None for anything else."""
    if not any(callable(getattr(thing, name, None)) for name in ("look_at", "digest_text")):
        return None
    from brainmark.brainscore.subjects import from_brainscore  # listing needs no subjects

    return from_brainscore(thing, identifier)
