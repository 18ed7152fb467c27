"""Networks of timm, torchvision and the Hugging Face hub, as models by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from brainmark.core.errors import DataError, UnknownName
from brainmark.core.registry import Entry
from brainmark.core.subject import Subject
from brainmark.data.fetch import file_digest
from brainmark.models.activations.hooks import digest_of_weights
from brainmark.models.networks.seeds import twin
from brainmark.models.sources import torch_libraries
from brainmark.models.sources.depth import guess_layers
from brainmark.models.sources.found_language import reading_model
from brainmark.models.sources.libraries import Hub, HubText, Source, Timm, Torchvision
from brainmark.models.sources.maker import Maker, configuration, digest_over
from brainmark.models.sources.resolve import Factory, ModelEntry, card_for
from brainmark.models.subjects.text_regions import LANGUAGE_REGIONS
from brainmark.models.subjects.vision import IMAGENET_MEAN, IMAGENET_STD, Head, Readout, VisionSubject
from brainmark.models.subjects.word_vectors import WordVectorSubject, read_vectors
from brainmark.models.zoo import POOL, USUAL, network

DEGREES = 8.0
Weights = Literal["published", "random"]
Regions = Mapping[str, str | Readout]


@dataclass(frozen=True)
class Preprocessing:
    """Width of the input in pixels; mean and standard deviation of its channels (0 to 1)."""

    size: int = 224
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD


def as_vision_subject(
    identifier: str,
    module: nn.Module,
    seen: Preprocessing,
    head: Head | None,
    size: int | None = None,
    regions: Regions | None = None,
) -> VisionSubject:
    """Return the subject; without `regions` its layers are chosen by depth, and a warning says so."""
    behavior = "output"
    size = size or seen.size
    if regions is None:
        guess = guess_layers(module, size)
        regions = {region: Readout(layer, POOL) for region, layer in guess.regions.items()}
        behavior = guess.last if head else "output"
        chosen = ", ".join(f"{region} {layer}" for region, layer in guess.regions.items())
        warnings.warn(
            f"{identifier}: layers chosen by their depth alone ({chosen}); to choose others, say regions in a "
            "models.toml",
            stacklevel=2,
        )
    return VisionSubject(
        identifier,
        module,
        regions,
        degrees=DEGREES,
        size=size,
        mean=seen.mean,
        std=seen.std,
        head=head,
        behavior=behavior,
    )


def found_factory(name: str, source: Source, describe: Callable[[], tuple[Preprocessing, Head | None]]) -> Factory:
    """Return the factory of a library's network, whose weights may be random and whose layers may be told."""

    def make(
        weights: Weights = "published", seed: int = 0, size: int | None = None, regions: Regions | None = None
    ) -> Subject:
        module = network(source, weights, seed)
        seen, head = describe()
        return as_vision_subject(twin(name, weights, seed), module, seen, head, size, regions)

    return make


def timm(name: str, wanted: str) -> ModelEntry:
    """Return a network of timm, e.g. ``resnet18.a1_in1k``."""
    library = torch_libraries.timm()
    architecture, _, tag = wanted.partition(".")
    if not library.is_model(architecture):
        raise UnknownName("model of timm", wanted, library.list_models())
    tags = library.list_pretrained(f"{architecture}.*")
    if tag and wanted not in tags:
        raise UnknownName("weights of timm", wanted, tags, f" ({architecture} has: {', '.join(tags) or 'none'})")
    config: Any = library.get_pretrained_cfg(wanted)

    def describe() -> tuple[Preprocessing, Head | None]:
        seen = Preprocessing(int(config.input_size[-1]), tuple(config.mean), tuple(config.std))
        return seen, Head() if config.num_classes == 1000 else None

    card = card_for(
        name,
        what=f"{wanted} of timm {library.__version__}",
        where=f"https://huggingface.co/{config.hf_hub_id or 'timm'}"
        if config
        else "https://github.com/huggingface/timm",
        licence=str(getattr(config, "license", None) or "not stated by timm"),
        degrees=DEGREES,
    )
    return Entry("model", name, found_factory(name, Timm(wanted), describe), card)


def torchvision(name: str, wanted: str) -> ModelEntry:
    """Return a network of torchvision, e.g. ``resnet50.IMAGENET1K_V2``."""
    library = torch_libraries.torchvision()
    architecture, _, tag = wanted.partition(".")
    known = library.models.list_models(module=library.models)
    if architecture not in known:
        raise UnknownName("model of torchvision", wanted, known)
    published: Any = library.models.get_model_weights(architecture)
    tags = [tag for tag in published.__members__ if tag != "DEFAULT"]
    if tag and tag not in tags:
        names = [f"{architecture}.{t}" for t in tags]
        raise UnknownName("weights of torchvision", wanted, names, f" ({architecture} has: {', '.join(tags)})")
    weights = published[tag] if tag else published.DEFAULT

    def describe() -> tuple[Preprocessing, Head | None]:
        shown = weights.transforms()
        seen = Preprocessing(int(shown.crop_size[0]), tuple(shown.mean), tuple(shown.std))
        return seen, Head() if len(weights.meta.get("categories", ())) == 1000 else None

    card = card_for(
        name,
        what=f"{architecture} of torchvision {library.__version__} with weights {weights.name}",
        where=weights.url,
        licence="BSD-3-Clause (code)",
        degrees=DEGREES,
    )
    return Entry("model", name, found_factory(name, Torchvision(architecture, weights.name), describe), card)


def hf(name: str, wanted: str) -> ModelEntry:
    """Return a network of the Hugging Face hub, e.g. ``facebook/dinov2-small``, or of a folder."""
    torch_libraries.transformers()
    repository, _, revision = wanted.partition("@")
    source = Hub(repository, revision or None)
    if HubText(repository, revision or None).reads():
        return reading_model(name, HubText(repository, revision or None))

    def content(made: nn.Module) -> str:  # what a name of the hub stands for can change there: all that counts is read
        return digest_over(digest_of_weights(made), configuration(made), source.preprocessing())

    maker = Maker(lambda drawn: network(source, **drawn), content, USUAL)

    def make(
        weights: Weights = "published", seed: int = 0, size: int | None = None, regions: Regions | None = None
    ) -> Subject:
        made, seen = maker.make({"weights": weights, "seed": seed}), Preprocessing(*source.preprocessing())
        return as_vision_subject(twin(name, weights, seed), made, seen, _words(made), size, regions)

    card = card_for(
        name,
        what=f"{repository} of the Hugging Face hub",
        where=f"https://huggingface.co/{repository}",
        licence="see its page on the hub",
        degrees=DEGREES,
    )
    return Entry("model", name, make, card, maker.content)


def vectors(name: str, wanted: str) -> ModelEntry:
    """Return a table of word vectors, a text file of GloVe or word2vec."""
    path = Path(wanted)
    if not path.is_file():
        raise DataError(f"{name}: there is no file {path}")

    def make() -> Subject:
        return WordVectorSubject(name, lambda: read_vectors(path))

    card = card_for(
        name,
        what=f"Word vectors of {path.name}",
        where=path.name,
        licence="not stated",
        degrees=None,
        domain="language",
        regions=LANGUAGE_REGIONS,
        summary=f"Word vectors of {path.name}: the mean over the words of a part.",
    )
    return Entry("model", name, make, card, lambda: file_digest(path))


def _words(module: nn.Module) -> Head | None:
    """Return the head of a classifier of transformers: its labels, in the order of the logits."""
    config: Any = getattr(module, "config", None)
    labels: Mapping[int, str] = getattr(config, "id2label", None) or {}
    classifies = type(module).__name__.endswith("ForImageClassification")
    words = tuple(labels[i] for i in sorted(labels))
    return Head(classes=words) if classifies and len(set(words)) == len(words) > 1 else None


__all__ = [
    "DEGREES",
    "Preprocessing",
    "Regions",
    "as_vision_subject",
    "found_factory",
    "hf",
    "timm",
    "torchvision",
    "vectors",
]
