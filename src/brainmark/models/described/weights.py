"""Weights in a file, from the URL where their authors publish them or from this machine."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainmark.core.errors import ModelError
from brainmark.core.libraries import nn, torch
from brainmark.data.fetch import Checkpoint, file_digest
from brainmark.models.sources.source import refuse_changed


@dataclass(frozen=True)
class PublishedWeights:
    """A file of weights, and how its table fits a network.

    Attributes
    ----------
    url : where it is published; or
    file : where it lies.
    sha256 : first digits of its hash, as far as they are known; without, those that the file's name ends with
        (``NAME-DIGITS.pth``, as torch names its files).
    inside : keys that lead to the table of weights in the file.
    prefix : beginning of the names of its weights; others are left out.
    mend : ``module:function`` that turns names and tensors as published into those of the network.
    """

    url: str = ""
    file: Path | None = None
    sha256: str = ""
    inside: tuple[str, ...] = ()
    prefix: str = ""
    mend: str | None = None

    def path(self) -> Path:
        """Return the file. Raises DataError if it cannot be had, or has other bytes."""
        if self.file is None:
            return Checkpoint(self.url, self.sha256 or _digits_in(self.url)).path()
        if not self.file.is_file() or not file_digest(self.file).startswith(self.sha256):
            raise refuse_changed("weights", self.file)
        return self.file

    def put_into(self, network: nn.Module) -> None:
        """Replace the weights of a network by those of the file.

        Raises
        ------
        DataError : see `path`.
        ModelError : it cannot be read, or its weights are not those of the network.
        """
        path = self.path()
        try:
            table: Any = _load(path)
            for key in self.inside:
                table = table[key]
            weights = {n.removeprefix(self.prefix): t for n, t in table.items() if n.startswith(self.prefix)}
        except Exception as error:  # pickled code is refused; damaged archives fail in many ways
            raise ModelError(f"{path}: cannot be read as weights ({type(error).__name__}: {error})") from error
        if self.mend:
            module, _, function = self.mend.partition(":")
            weights = getattr(importlib.import_module(module), function)(weights)
        try:
            unused = network.load_state_dict(weights, strict=False)
        except RuntimeError as error:
            raise ModelError(f"{path}: cannot be put into the network: {error}") from error
        missing = [name for name in unused.missing_keys if not name.endswith("num_batches_tracked")]
        if missing:
            raise ModelError(f"{path}: cannot be put into the network: it lacks {', '.join(missing[:5])}, ...")
        if unused.unexpected_keys and not self.url:
            unknown = ", ".join(unused.unexpected_keys[:5])
            raise ModelError(
                f"{path}: cannot be put into the network: it holds {unknown}, ..., which the network lacks"
            )


def load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name."""
    # it loads torch
    from safetensors.torch import load

    return load(path.read_bytes())


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_safetensors(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _digits_in(url: str) -> str:
    """Return the digits of a hash at the end of the name of a file, as in ``resnet50-0676ba61.pth``."""
    digits = url.rpartition("/")[2].rpartition("-")[2].partition(".")[0]
    return digits if len(digits) >= 8 and set(digits) <= set("0123456789abcdef") else ""
