"""Language models that were trained here, as folders: written by training, read as models.

A checkpoint is a folder as transformers saves and loads it (configuration, weights, tokenizer), with a file more that
says how it was made. A run holds one folder for each of its checkpoints, named by the step.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainmark.core.errors import DataError
from brainmark.core.libraries import nn, torch
from brainmark.models.sources.published import load_safetensors
from brainmark.models.sources.source import NetworkSource
from brainmark.models.sources.torch_libraries import transformers

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

FACTS = "training.json"
FORMAT = "brainmark-text-1"
CHECKPOINTS = "checkpoints"
FILES = ("config.json", "model.safetensors", "tokenizer.json")


@dataclass(frozen=True)
class TextFacts:
    """What a checkpoint says about itself.

    Attributes
    ----------
    recipe : fields of the recipe (`brainmark.training.recipes.TextRecipe`).
    seed, threads : of the training.
    step, steps : steps done, and steps of the whole training.
    tokens : tokens that it was trained on.
    log : figures at this step.
    """

    recipe: Mapping[str, Any]
    seed: int
    threads: int
    step: int
    steps: int
    tokens: int
    log: Mapping[str, float]

    def to_json(self) -> str:
        """Return the content of the file."""
        return json.dumps({"format": FORMAT, **self.__dict__}, indent=1, sort_keys=True)


def is_text_run(path: Path) -> bool:
    """Whether a path, with or without ``@step``, is a run or a checkpoint of a language model."""
    folder = _parted(path)[0]
    return (folder / FACTS).is_file() or (folder / CHECKPOINTS).is_dir()


def locate_text(path: Path) -> Path:
    """Return the checkpoint that a path means: its folder, the last one of a run, or that of a step (``run@step``).

    Raises
    ------
    DataError : there is none; names the steps that there are.
    """
    folder, step = _parted(path)
    if step is None and (folder / FACTS).is_file():
        return folder
    found = {int(p.name): p for p in sorted((folder / CHECKPOINTS).glob("[0-9]*")) if (p / FACTS).is_file()}
    if not found:
        raise DataError(f"{folder}: holds no checkpoint of a language model of 'brainmark train'")
    wanted = max(found) if step is None else step
    if wanted not in found:
        raise DataError(f"{folder}: has no checkpoint of step {wanted} (steps: {', '.join(map(str, found))})")
    return found[wanted]


def _parted(path: Path) -> tuple[Path, int | None]:
    match = re.fullmatch(r"(.+)@(\d+)", str(path))
    return (Path(match[1]), int(match[2])) if match and not path.exists() else (path, None)


def read_text_facts(folder: Path) -> TextFacts:
    """Return what a checkpoint says about itself.

    Raises
    ------
    DataError : it cannot be read.
    """
    path = folder / FACTS
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if plain.pop("format") != FORMAT:
            raise ValueError
        return TextFacts(**plain)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path}: is no description of a checkpoint (format {FORMAT})") from None


def digest_of_folder(folder: Path) -> str:
    """sha256 over configuration, weights and tokenizer.

    Raises
    ------
    DataError : a file is missing.
    """
    whole = hashlib.sha256()
    for name in FILES:
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{folder / name}: cannot be read ({error.strerror or error})") from None
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()


def load_gpt(folder: Path) -> GPT2LMHeadModel:
    """Return the network of a checkpoint, in single precision.

    Raises
    ------
    DataError : the files are missing, damaged or of another network.
    """
    network = untrained_gpt(folder)
    try:
        weights = load_safetensors(folder / "model.safetensors")
        weights["lm_head.weight"] = weights["transformer.wte.weight"]  # what tokens are read and written by is shared
        network.load_state_dict(weights)  # copies into single precision
    except Exception as error:
        raise DataError(f"{folder}: its network cannot be loaded: {' '.join(str(error).split())}") from error
    return network


def weights_of(network: GPT2LMHeadModel) -> bytes:
    """Return the content of a file of weights: those that multiply in half precision, all others in single."""
    # it loads torch
    from safetensors.torch import save

    tensors = {
        name: values.detach().to(torch.float16 if values.ndim > 1 else torch.float32).contiguous()
        for name, values in network.state_dict().items()
        if name != "lm_head.weight"
    }
    return save(tensors, {"format": "pt"})


def untrained_gpt(folder: Path) -> GPT2LMHeadModel:
    """Return the network of a checkpoint with weights drawn from torch's generator.

    Raises
    ------
    DataError : its configuration cannot be read.
    """
    library = transformers()
    try:
        config = library.GPT2Config.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise DataError(f"{folder}: its configuration cannot be read: {' '.join(str(error).split())}") from error
    return library.GPT2LMHeadModel(config).eval()


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a checkpoint.

    Raises
    ------
    DataError : its file is missing or damaged.
    """
    try:
        return transformers().PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise DataError(f"{folder}: its tokenizer cannot be loaded: {' '.join(str(error).split())}") from error


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
        return untrained_gpt(self.path)

    def trained(self) -> nn.Module:
        """Return the network with the weights of the folder, or raise DataError."""
        self._verify()
        return load_gpt(self.path)

    def tokenizer(self) -> Any:
        """Return its tokenizer."""
        return load_tokenizer(self.path)

    @property
    def content(self) -> Callable[[], str | None]:
        """Returns the digest of the folder."""
        return lambda: digest_of_folder(self.path)

    def table(self) -> dict[str, Any]:
        """Return the fields of its description that depend on the training."""
        facts = read_text_facts(self.path)
        recipe = facts.recipe
        summary = (
            f"{recipe['name']} ({recipe['layers']} layers of {recipe['width']} units), seed {facts.seed}, after step "
            f"{facts.step} of {facts.steps}: {facts.tokens} tokens."
        )
        return {"like": "tiny-gpt", "summary": summary}

    def _verify(self) -> None:
        if self.sha256 and self.content() != self.sha256:
            raise DataError(f"shipped checkpoint {self.path}: has other bytes; reinstall brainmark")


__all__ = [
    "CHECKPOINTS", "FACTS", "FILES", "TextCheckpoint", "TextFacts", "digest_of_folder", "is_text_run", "load_gpt",
    "load_tokenizer", "locate_text", "read_text_facts", "untrained_gpt", "weights_of",
]  # fmt: skip
