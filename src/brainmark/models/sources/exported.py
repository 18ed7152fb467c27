"""Exported programs (``torch.export.save``): networks without their Python code, ``path/to/network.pt2``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError, InvalidModel, ModelError
from brainmark.core.libraries import nn, torch
from brainmark.data.fetch import file_digest
from brainmark.models.sources.plain_programs import load_without_code
from brainmark.models.sources.source import NetworkSource


@dataclass(frozen=True)
class Exported(NetworkSource):
    """A program in a file."""

    path: Path
    _seen: dict[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)

    def check(self) -> None:
        """Raise DataError if there is no such file."""
        if not self.path.is_file():
            raise DataError(f"{self.path}: there is no such file")

    def make(self, options: Mapping[str, Any]) -> nn.Module:
        """Return the network, with the layers that it had when it was exported. Raises what `load_program` raises."""
        del options
        network, width = load_program(self.path)
        self._seen.update({"size": width} if width else {})
        return network

    def preprocessing(self) -> dict[str, Any]:
        """Return the width of its input, if the program that was made has a fixed one."""
        return self._seen

    @property
    def options(self) -> Mapping[str, Any]:
        """None: the program holds its weights."""
        return {}

    @property
    def content(self) -> Callable[[], str | None]:
        """Returns the digest of the file."""
        return lambda: file_digest(self.path)

    def facts(self) -> dict[str, Any]:
        """Return what a card says of it."""
        what = f"The exported program {self.path.name} (sha256 {file_digest(self.path)[:12]})"
        return {"what": what, "where": self.path.name, "licence": "not stated"}


def load_program(path: Path) -> tuple[nn.Module, int | None]:
    """Return the network, with the layers that it had when it was exported, and the width of its input if it is fixed.

    Raises
    ------
    ModelError : the file is not an exported program.
    InvalidModel : the program takes something else than one batch of images of any number.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own inner workings
        try:
            program: Any = load_without_code(path)
            module: nn.Module = torch.export.unflatten(program)
        except ModelError as error:
            raise ModelError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
        except Exception as error:  # damaged archives fail in many ways
            raise ModelError(f"{path}: is not an exported program: {type(error).__name__}: {error}") from error
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
