"""Exported programs (``torch.export.save``): networks without their Python code."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from brainmark.core.errors import DataError, InvalidModel, ModelError
from brainmark.core.registry import Entry
from brainmark.core.subject import Subject
from brainmark.data.fetch import file_digest
from brainmark.models.sources.found_networks import DEGREES, Preprocessing, Regions, as_vision_subject
from brainmark.models.sources.resolve import ModelEntry, card_for


def exported(name: str) -> ModelEntry:
    """Return the model of a file; ``network.toml`` beside ``network.pt2``, if there is one, describes it.

    Raises
    ------
    DataError : there is no such file.
    InvalidModel : see `brainmark.models.sources.toml_models`.
    """
    path = Path(name)
    if not path.is_file():
        raise DataError(f"{name}: there is no such file")
    beside = path.with_suffix(".toml")
    if beside.is_file():
        from brainmark.models.sources.toml_models import beside_program

        return beside_program(name, beside)

    return bare(name)


def bare(name: str) -> ModelEntry:
    """Return the model of a file alone; its layers are chosen by depth unless they are told."""
    path = Path(name)
    digest = file_digest(path)

    def make(size: int | None = None, regions: Regions | None = None) -> Subject:
        module, width = load_program(path)
        return as_vision_subject(name, module, Preprocessing(width or Preprocessing.size), None, size, regions)

    card = card_for(
        name,
        what=f"The exported program {path.name} (sha256 {digest[:12]})",
        where=path.name,
        licence="not stated",
        degrees=DEGREES,
    )
    return Entry("model", name, make, card, lambda: file_digest(path))


def load_program(path: Path) -> tuple[nn.Module, int | None]:
    """Return the network, with the layers that it had when it was exported, and the width of its input if it is fixed.

    Raises
    ------
    ModelError : the file is no exported program.
    InvalidModel : the program takes something else than one batch of images of any number.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own inner workings
        try:
            program: Any = torch.export.load(path)
            module: nn.Module = torch.export.unflatten(program)
        except Exception as error:  # damaged archives fail in many ways
            raise ModelError(f"{path}: is no exported program: {type(error).__name__}: {error}") from error
    inputs = program.graph_signature.user_inputs
    shapes = [tuple(n.meta["val"].shape) for n in program.graph.nodes if n.name in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise InvalidModel(f"{path}: takes inputs of shapes {shapes}; it has to take one batch of images")
    stimuli, _, _, width = shapes[0]
    if isinstance(stimuli, int):
        raise InvalidModel(
            f"{path}: was exported for batches of {stimuli}; export it for any number: torch.export.export(network, "
            "(images,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)) with at least two images"
        )
    return module, width if isinstance(width, int) else None


__all__ = ["bare", "exported", "load_program"]
