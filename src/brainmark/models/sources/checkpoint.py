"""Networks that ``brainmark train`` made, shipped or one's own: ``checkpoint:PATH``.

``PATH`` is the file of a checkpoint, or the folder of a run, which means its last one; of a language model,
``PATH@64`` is the checkpoint of step 64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError
from brainmark.core.libraries import nn
from brainmark.data.fetch import file_digest
from brainmark.models.sources import trained_text
from brainmark.models.sources.source import NetworkSource
from brainmark.models.sources.trained import Facts, load_network, locate, read_facts


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

        return NETWORKS[self.facts_of_training.network]()

    def trained(self) -> nn.Module:
        """Return the network with the weights of the file, or raise DataError."""
        if self.sha256 and (not self.path.is_file() or file_digest(self.path) != self.sha256):
            raise DataError(f"shipped checkpoint {self.path}: is missing or has other bytes; reinstall brainmark")
        return load_network(self.path)

    def table(self) -> dict[str, Any]:
        """Return the fields of its description that depend on the training."""
        facts = self.facts_of_training
        summary = (
            f"{facts.recipe['name']}, seed {facts.seed}, after {facts.epoch} of {facts.recipe['epochs']} epochs; "
            f"file with sha256 {file_digest(self.path)}."
        )
        head = {} if facts.names_objects else {"head": False}
        return {"like": facts.network, "summary": summary, "family": facts.network, **head}


@dataclass(frozen=True)
class TextCheckpoint(NetworkSource):
    """A network that reads, with its tokenizer.

    Attributes
    ----------
    path : of the folder.
    sha256 : what it has to be; "": anything.
    """

    named = False
    path: Path
    sha256: str = ""

    def reads(self) -> bool:
        """Return True."""
        return True

    def untrained(self) -> nn.Module:
        """Return the network as it is before training."""
        self._verify()
        return trained_text.untrained_gpt(self.path)

    def trained(self) -> nn.Module:
        """Return the network with the weights of the folder, or raise DataError."""
        self._verify()
        return trained_text.load_gpt(self.path)

    def tokenizer(self) -> Any:
        """Return its tokenizer."""
        return trained_text.load_tokenizer(self.path)

    @property
    def content(self) -> Callable[[], str | None]:
        """Returns the digest of the folder."""
        return lambda: trained_text.digest_of_folder(self.path)

    def table(self) -> dict[str, Any]:
        """Return the fields of its description that depend on the training."""
        facts = trained_text.read_text_facts(self.path)
        recipe = facts.recipe
        summary = (
            f"{recipe['name']} ({recipe['layers']} layers of {recipe['width']} units), seed {facts.seed}, after step "
            f"{facts.step} of {facts.steps}: {facts.tokens} tokens."
        )
        return {"like": "tiny-gpt", "summary": summary}

    def _verify(self) -> None:
        if self.sha256 and self.content() != self.sha256:
            raise DataError(f"shipped checkpoint {self.path}: has other bytes; reinstall brainmark")


def checkpoint_at(path: Path, sha256: str = "") -> ImageCheckpoint | TextCheckpoint:
    """Return the source of the network that `path` means. Raises DataError if there is no checkpoint."""
    if trained_text.is_text_run(path):
        return TextCheckpoint(trained_text.locate_text(path), sha256)
    return ImageCheckpoint(locate(path), sha256)


__all__ = ["ImageCheckpoint", "TextCheckpoint", "checkpoint_at"]
