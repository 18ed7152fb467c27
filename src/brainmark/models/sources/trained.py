"""Trained weights as files: written by training, read as models.

A checkpoint is a safetensors file. Weights that multiply are kept in half precision, all others (norms, biases) in
single. Its metadata say which network it belongs to and how it was trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError
from brainmark.core.libraries import nn, torch
from brainmark.data.fetch import file_digest
from brainmark.models.sources.published import load_safetensors
from brainmark.models.sources.source import NetworkSource

SUFFIX = ".safetensors"
FORMAT = "brainmark-checkpoint-1"
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the CIFAR-10 training images, 0 to 1


@dataclass(frozen=True)
class Facts:
    """What a checkpoint says about itself.

    Attributes
    ----------
    recipe : fields of the recipe (`brainmark.training.recipes.ImageRecipe`).
    seed, threads : of the training.
    epoch : epochs that it was trained for.
    log : figures of the last epoch.
    """

    recipe: Mapping[str, Any]
    seed: int
    threads: int
    epoch: int
    log: Mapping[str, float]

    @property
    def network(self) -> str:
        """Name of the network in `brainmark.models.networks.cifar.NETWORKS`."""
        return str(self.recipe["network"])

    @property
    def names_objects(self) -> bool:
        """Whether its logits were trained to name objects."""
        return self.recipe.get("objective") == "labels"


def to_bytes(network: nn.Module, facts: Facts) -> bytes:
    """Return the content of a checkpoint file."""
    # it loads torch
    from safetensors.torch import save

    tensors = {
        name: values.detach().to(torch.float16 if values.ndim > 1 else values.dtype).contiguous()
        for name, values in network.state_dict().items()
    }
    return save(tensors, {FORMAT: json.dumps(facts.__dict__, sort_keys=True)})  # several entries would have no order


def read_facts(path: Path) -> Facts:
    """Return what a checkpoint says about itself; reads its head only, and loads no torch.

    Raises
    ------
    DataError : no such file, or no checkpoint of ours.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            head = file.read(length) if length < 10_000_000 else b""
        facts = Facts(**json.loads(json.loads(head)["__metadata__"][FORMAT]))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path}: is no checkpoint of 'brainmark train' (format {FORMAT})") from None
    return facts


def locate(path: Path) -> Path:
    """Return the checkpoint that a path means: a file, or the last one of the run in a folder.

    Raises
    ------
    DataError : there is none.
    """
    file = path / f"model{SUFFIX}" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{file}: no such checkpoint; give a file ({SUFFIX}) or the folder of 'brainmark train --out'")
    return file


def load_network(path: Path) -> nn.Module:
    """Return the trained network of a checkpoint, in single precision.

    Raises
    ------
    DataError : no checkpoint of ours, of a network that is not known, or with other weights than the network has.
    """
    return ImageCheckpoint(path).make({})


@dataclass(frozen=True)
class ImageCheckpoint(NetworkSource):
    """A network that sees.

    Attributes
    ----------
    path : of the file.
    sha256 : what it has to be; "": anything.
    """

    path: Path
    sha256: str = ""

    @property
    def facts_of_training(self) -> Facts:
        """What the file says about its training."""
        return read_facts(self.path)

    def untrained(self) -> nn.Module:
        """Return the network as it is before training."""
        # it derives from classes of torch
        from brainmark.models.networks.cifar import NETWORKS

        name = self.facts_of_training.network
        if name not in NETWORKS:
            raise DataError(f"{self.path}: network {name!r} is not known (networks: {', '.join(NETWORKS)})")
        return NETWORKS[name]()

    def trained(self) -> nn.Module:
        """Return the network with the weights of the file, or raise DataError."""
        if self.sha256 and (not self.path.is_file() or file_digest(self.path) != self.sha256):
            raise DataError(f"shipped checkpoint {self.path}: is missing or has other bytes; reinstall brainmark")
        network = self.untrained()
        try:
            network.load_state_dict(load_safetensors(self.path))  # copies into single precision
        except Exception as error:
            name, said = self.facts_of_training.network, " ".join(str(error).split())
            raise DataError(f"{self.path}: its weights do not fit {name!r}: {said}") from error
        return network

    def table(self) -> dict[str, Any]:
        """Return the fields of its description that depend on the training."""
        facts = self.facts_of_training
        summary = (
            f"{facts.recipe['name']}, seed {facts.seed}, after {facts.epoch} of {facts.recipe['epochs']} epochs; "
            f"file with sha256 {file_digest(self.path)}."
        )
        head = {} if facts.names_objects else {"head": False}
        return {"like": facts.network, "summary": summary, "family": facts.network, **head}
