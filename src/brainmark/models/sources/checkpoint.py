"""Networks that ``brainmark train`` made, as files: written by training, read as models (``checkpoint:PATH``).

A checkpoint of a vision network is a safetensors file, whose metadata say how it was made. That of a language model
is a folder as transformers saves and loads it, with ``training.json`` beside it; a run holds one folder for each of its
checkpoints, named by the step. Weights that multiply are kept in half precision, all others (norms, biases) in single.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError
from brainmark.core.libraries import nn, torch
from brainmark.data.fetch import file_digest
from brainmark.models.described.weights import load_safetensors
from brainmark.models.sources.source import TrainableSource, refuse_changed
from brainmark.models.sources.torch_libraries import transformers

SUFFIX = ".safetensors"
FORMAT, TEXT_FORMAT = "brainmark-checkpoint-1", "brainmark-text-1"
FACTS, CHECKPOINTS = "training.json", "checkpoints"
FILES = ("config.json", "model.safetensors", "tokenizer.json")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the CIFAR-10 training images, 0 to 1


@dataclass(frozen=True, kw_only=True)
class TrainingFacts:
    """How a network was trained.

    Attributes
    ----------
    recipe : fields of the recipe (of `brainmark.training.recipes` or `brainmark.training.text_recipes`).
    seed, threads : of the training.
    log : figures of the last epoch, or at the last step.
    """

    recipe: Mapping[str, Any]
    seed: int
    threads: int
    log: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Facts(TrainingFacts):
    """How a vision network was trained, for so many epochs."""

    epoch: int

    @property
    def network(self) -> str:
        """Name of the network in `brainmark.models.networks.cifar.NETWORKS`."""
        return str(self.recipe["network"])

    @property
    def names_objects(self) -> bool:
        """Whether its logits were trained to name objects."""
        return self.recipe.get("objective") == "labels"


@dataclass(frozen=True, kw_only=True)
class TextFacts(TrainingFacts):
    """How a language model was trained: steps done of all steps, and tokens that it was trained on."""

    step: int
    steps: int
    tokens: int

    def to_json(self) -> str:
        """Return the content of ``training.json``."""
        return json.dumps({"format": TEXT_FORMAT, **self.__dict__}, indent=1, sort_keys=True)


def to_bytes(network: nn.Module, facts: Facts | None = None) -> bytes:
    """Return the content of a file of weights; those of a language model come without facts."""
    # it loads torch
    from safetensors.torch import save

    tensors = {
        name: values.detach().to(torch.float16 if values.ndim > 1 else values.dtype).contiguous()
        for name, values in network.state_dict().items()
        if facts or name != "lm_head.weight"  # tokens are read and written by the same weights
    }
    # several entries would have no order
    return save(tensors, {FORMAT: json.dumps(facts.__dict__, sort_keys=True)} if facts else {"format": "pt"})


@dataclass(frozen=True)
class ImageCheckpoint(TrainableSource):
    """A vision network.

    Attributes
    ----------
    path : of the file.
    sha256 : what it has to be; "": anything.
    """

    path: Path
    sha256: str = ""

    @property
    def history(self) -> Facts:
        """How it was trained; reads the head of the file, and loads no torch. Raises DataError."""
        with _explain(self.path, f"is not a checkpoint of 'brainmark train' (format {FORMAT})"):
            with self.path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                head = file.read(length) if length < 10_000_000 else b""
            return Facts(**json.loads(json.loads(head)["__metadata__"][FORMAT]))

    def build_untrained(self) -> nn.Module:
        """Return the network as it is before training."""
        # it derives from classes of torch
        from brainmark.models.networks.cifar import NETWORKS

        name = self.history.network
        if name not in NETWORKS:
            raise DataError(f"{self.path}: network {name!r} is not known (networks: {', '.join(NETWORKS)})")
        return NETWORKS[name]()

    def load_trained(self) -> nn.Module:
        """Return the network with the weights of the file, in single precision. Raises DataError."""
        if self.sha256 and (not self.path.is_file() or file_digest(self.path) != self.sha256):
            raise refuse_changed("checkpoint", self.path)
        network = self.build_untrained()
        with _report(f"{self.path}: its weights do not fit {self.history.network!r}"):
            network.load_state_dict(load_safetensors(self.path))
        return network

    def table(self) -> dict[str, Any]:
        """Return the fields of its description that depend on the training."""
        facts = self.history
        summary = (
            f"{facts.recipe['name']}, seed {facts.seed}, after {facts.epoch} of {facts.recipe['epochs']} epochs; "
            f"file with sha256 {file_digest(self.path)}."
        )
        head = {} if facts.names_objects else {"head": False}
        return {"like": facts.network, "summary": summary, "family": facts.network, **head}


@dataclass(frozen=True)
class TextCheckpoint(TrainableSource):
    """A language model, with its tokenizer.

    Attributes
    ----------
    path : of the folder.
    sha256 : what it has to be; "": anything.
    """

    named = False
    path: Path
    sha256: str = ""

    @property
    def history(self) -> TextFacts:
        """How it was trained. Raises DataError."""
        path = self.path / FACTS
        with _explain(path, f"is not a description of a checkpoint (format {TEXT_FORMAT})"):
            plain = json.loads(path.read_text(encoding="utf-8"))
            if plain.pop("format") != TEXT_FORMAT:
                raise ValueError
            return TextFacts(**plain)

    def takes_text(self) -> bool:
        """Return True."""
        return True

    def build_untrained(self) -> nn.Module:
        """Return the network as it is before training. Raises DataError."""
        if self.sha256 and self.content() != self.sha256:
            raise refuse_changed("checkpoint", self.path)
        library = transformers()
        with _report(f"{self.path}: its configuration cannot be read"):
            config = library.GPT2Config.from_pretrained(self.path, local_files_only=True)
        return library.GPT2LMHeadModel(config).eval()

    def load_trained(self) -> nn.Module:
        """Return the network with the weights of the folder, in single precision. Raises DataError."""
        network = self.build_untrained()
        with _report(f"{self.path}: its network cannot be loaded"):
            weights = load_safetensors(self.path / "model.safetensors")
            network.load_state_dict({**weights, "lm_head.weight": weights["transformer.wte.weight"]})
        return network

    def tokenizer(self) -> Any:
        """Return its tokenizer. Raises DataError."""
        with _report(f"{self.path}: its tokenizer cannot be loaded"):
            return transformers().PreTrainedTokenizerFast.from_pretrained(self.path, local_files_only=True)

    @property
    def content(self) -> Callable[[], str]:
        """Returns the sha256 over configuration, weights and tokenizer, or raises DataError."""
        files = [self.path / name for name in FILES]
        return lambda: hashlib.sha256(b"".join(bytes.fromhex(file_digest(file)) for file in files)).hexdigest()

    def table(self) -> dict[str, Any]:
        """Return the fields of its description that depend on the training."""
        facts, recipe = self.history, self.history.recipe
        summary = (
            f"{recipe['name']} ({recipe['layers']} layers of {recipe['width']} units), seed {facts.seed}, after step "
            f"{facts.step} of {facts.steps}: {facts.tokens} tokens."
        )
        return {"like": "tiny-gpt", "summary": summary}


def checkpoint_at(path: Path, sha256: str = "") -> ImageCheckpoint | TextCheckpoint:
    """Return the checkpoint that a path means: itself, the last one of a run, or that of a step (``run@step``).

    Raises
    ------
    DataError : there is none; names the steps that there are.
    """
    step = re.fullmatch(r"(.+)@(\d+)", str(path)) if not path.exists() else None
    folder = Path(step[1]) if step else path
    if not ((folder / FACTS).is_file() or (folder / CHECKPOINTS).is_dir()):
        file = path / f"model{SUFFIX}" if path.is_dir() else path
        if file.is_file():
            return ImageCheckpoint(file, sha256)
        raise DataError(f"{file}: no such checkpoint; give a file ({SUFFIX}) or the folder of 'brainmark train --out'")
    if step is None and (folder / FACTS).is_file():
        return TextCheckpoint(folder, sha256)
    found = {int(p.name): p for p in sorted((folder / CHECKPOINTS).glob("[0-9]*")) if (p / FACTS).is_file()}
    if not found:
        raise DataError(f"{folder}: holds no checkpoint of a language model of 'brainmark train'")
    wanted = int(step[2]) if step else max(found)
    if wanted not in found:
        raise DataError(f"{folder}: has no checkpoint of step {wanted} (steps: {', '.join(map(str, found))})")
    return TextCheckpoint(found[wanted], sha256)


@contextmanager
def _explain(path: Path, fault: str) -> Generator[None]:
    """Turn errors of reading facts into a DataError: the file cannot be read, or holds something else."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path}: {fault}") from None


@contextmanager
def _report(what: str) -> Generator[None]:
    """Turn any error of reading damaged files into a DataError that says what failed."""
    try:
        yield
    except Exception as error:
        raise DataError(f"{what}: {' '.join(str(error).split())}") from error
