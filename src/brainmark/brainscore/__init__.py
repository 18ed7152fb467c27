"""The published convention of Brain-Score: its metrics, file format, adapters, data sets and benchmarks.

This room is a plug-in: the project's own entry point ``brainscore`` names it, and no other room imports it. Its modules
are imported when metrics, data sets, benchmarks or formats of recordings are asked for.
"""

from brainmark.core.registry import add_room
from brainmark.core.subject import Subject, add_adapter

add_room("brainmark.brainscore.metrics", "metric")
add_room("brainmark.brainscore.studies", "dataset", "benchmark")
add_room("brainmark.brainscore.recordings", "format")


@add_adapter
def adapt(thing: object, identifier: str | None) -> Subject | None:
    """Return one of Brain-Score's subjects as ours; None for anything else."""
    if not any(callable(getattr(thing, name, None)) for name in ("look_at", "digest_text")):
        return None
    from brainmark.brainscore.subjects import from_brainscore  # listing needs no subjects

    return from_brainscore(thing, identifier)
