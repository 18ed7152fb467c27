"""Where ready-made networks come from: the architecture of a library, and the weights published for it.

Importing this loads no library: the zoo describes its networks with it.
"""

from __future__ import annotations

import importlib
import socket
import threading
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

from brainmark.core.errors import DataError, ModelError
from brainmark.data.fetch import Checkpoint
from brainmark.models.sources import torch_libraries

if TYPE_CHECKING:
    from torch import Tensor, nn

UNTRAINED = "take the untrained network: NAME:random, or --random-weights"
_FOLDER = "give a folder of it: hf/./FOLDER"
_hub_lock = threading.RLock()


class Source(Protocol):
    """Makes one network, untrained or with the weights published for it."""

    def untrained(self) -> nn.Module:
        """Return the network as its library initialises it, drawn from torch's generator."""
        ...

    def trained(self) -> nn.Module:
        """Return the network with its published weights, or raise DataError that says where they would come from."""
        ...


@dataclass(frozen=True)
class Torchvision:
    """A network of torchvision by the names of its builder and of its weights."""

    architecture: str
    weights: str = "IMAGENET1K_V1"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def untrained(self) -> nn.Module:
        """Return it as torchvision initialises it."""
        return torch_libraries.torchvision().models.get_model(self.architecture, weights=None, **self.options)

    def trained(self) -> nn.Module:
        """Return it with torchvision's weights, whose hash torchvision checks."""
        models = torch_libraries.torchvision().models
        weights = models.get_model_weights(self.architecture)[self.weights]
        with _fetching(f"the weights of torchvision's {self.architecture}", weights.url):
            return models.get_model(self.architecture, weights=weights)


@dataclass(frozen=True)
class Timm:
    """A network of timm by architecture and tag, such as ``resnet18.a1_in1k``; without a tag, timm's usual weights."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def untrained(self) -> nn.Module:
        """Return it as timm initialises it."""
        return torch_libraries.timm().create_model(self.name, pretrained=False, **self.options)

    def trained(self) -> nn.Module:
        """Return it with timm's weights."""
        timm = torch_libraries.timm()
        config = timm.get_pretrained_cfg(self.name)
        if config is None or not (config.hf_hub_id or config.url):
            raise _not_published(f"timm's {self.name}")
        with _fetching(
            f"the weights of timm's {self.name}", f"https://huggingface.co/{config.hf_hub_id or config.url}"
        ):
            return timm.create_model(self.name, pretrained=True, **self.options)


@dataclass(frozen=True)
class Transformers:
    """A network of transformers by its class, its name on the hub, and the configuration to build it without the hub.

    The module's answer becomes one tensor, `answer` of the library's record (``logits``, ``pooler_output``, ...);
    with `skip`, without that many first columns (such as the class "background").
    `hub` None: no weights of this configuration are published for it. `he`: untrained convolutions are drawn with the
    variance of He et al. 2015 (2 / inputs), where the library's small one would let answers vanish with depth.
    """

    model: str
    hub: str | None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    answer: str = "logits"
    skip: int = 0
    he: bool = False

    def untrained(self) -> nn.Module:
        """Return it as transformers initialises it, or as He et al. do."""
        from torch import nn

        model = getattr(torch_libraries.transformers(), self.model)
        network: nn.Module = model(model.config_class(**self.config))
        for layer in network.modules() if self.he else ():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        return self._answering(network)

    def trained(self) -> nn.Module:
        """Return it with the weights of the hub."""
        if self.hub is None:
            raise _not_published(f"this {self.model}")
        model = getattr(torch_libraries.transformers(), self.model)
        with _fetching(f"the weights of the {self.model} {self.hub}", f"https://huggingface.co/{self.hub}"):
            return self._answering(model.from_pretrained(self.hub))

    def _answering(self, network: nn.Module) -> nn.Module:
        answer, skip = self.answer, self.skip

        def one_tensor(_: nn.Module, __: Any, record: Any) -> Tensor:
            tensor: Tensor = record[answer]
            return tensor[:, skip:] if skip else tensor

        network.register_forward_hook(one_tensor)
        return network


@dataclass(frozen=True)
class Hub:
    """A network of the Hugging Face hub or of a folder, of the kind that its configuration says.

    Of a model of images and text it is the image tower. Its answer is the logits of a classifier, otherwise the pooled
    or the last hidden state.
    """

    repository: str
    revision: str | None = None

    def untrained(self) -> nn.Module:
        """Return it as transformers initialises it; even that needs the configuration."""
        config = self._config()
        return self._answering(self._class(config).from_config(config))

    def trained(self) -> nn.Module:
        """Return it with its weights."""
        config = self._config()
        with _fetching(f"the weights of {self.repository}", f"https://huggingface.co/{self.repository}"):
            made = self._class(config).from_pretrained(self.repository, revision=self.revision)
        return self._answering(made)

    def preprocessing(self) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
        """Return width in pixels, mean and standard deviation of the channels, as its image processor has them."""
        transformers = torch_libraries.transformers()
        with _fetching(f"the preprocessing of {self.repository}", f"https://huggingface.co/{self.repository}", _FOLDER):
            found: Any = transformers.AutoImageProcessor.from_pretrained(self.repository, revision=self.revision)
        size: Any = (found.crop_size if getattr(found, "do_center_crop", False) else None) or found.size
        sides = [size.get(n) for n in ("height", "shortest_edge", "longest_edge") if size.get(n)]
        plain = not getattr(found, "do_normalize", True)
        mean, std = ((0.0,) * 3, (1.0,) * 3) if plain else (tuple(found.image_mean), tuple(found.image_std))
        return int(sides[0]), mean, std

    def _config(self) -> Any:
        transformers = torch_libraries.transformers()
        with _fetching(f"the configuration of {self.repository}", f"https://huggingface.co/{self.repository}", _FOLDER):
            return transformers.AutoConfig.from_pretrained(self.repository, revision=self.revision)

    def _class(self, config: Any) -> Any:
        transformers = torch_libraries.transformers()
        classifies = any(n.endswith("ForImageClassification") for n in config.architectures or ())
        return transformers.AutoModelForImageClassification if classifies else transformers.AutoModel

    def _answering(self, network: nn.Module) -> nn.Module:
        tower = getattr(network, "vision_model", network)

        def one_tensor(_: nn.Module, __: Any, record: Any) -> Any:
            for answer in ("logits", "pooler_output", "last_hidden_state"):
                if getattr(record, answer, None) is not None:
                    return getattr(record, answer)
            return record

        tower.register_forward_hook(one_tensor)
        return tower


@dataclass(frozen=True)
class HubText:
    """A network that reads, with its tokenizer, of the Hugging Face hub or of a folder.

    It is made with the head that its configuration names: causal, masked, or none.
    """

    repository: str
    revision: str | None = None

    def untrained(self) -> nn.Module:
        """Return it as transformers initialises it; even that needs the configuration."""
        config = self.config()
        return self._class(config).from_config(config)

    def trained(self) -> nn.Module:
        """Return it with its weights, in single precision."""
        import torch

        made = self._class(self.config())
        where = f"https://huggingface.co/{self.repository}"
        with _fetching(f"the weights of {self.repository}", where), _without_bars():
            return made.from_pretrained(self.repository, revision=self.revision, dtype=torch.float32)

    def tokenizer(self) -> Any:
        """Return its tokenizer."""
        transformers = torch_libraries.transformers()
        with _fetching(f"the tokenizer of {self.repository}", f"https://huggingface.co/{self.repository}", _FOLDER):
            return transformers.AutoTokenizer.from_pretrained(self.repository, revision=self.revision)

    def config(self) -> Any:
        """Return its configuration."""
        transformers = torch_libraries.transformers()
        with _fetching(f"the configuration of {self.repository}", f"https://huggingface.co/{self.repository}", _FOLDER):
            return transformers.AutoConfig.from_pretrained(self.repository, revision=self.revision)

    def reads(self) -> bool:
        """Whether it is a network that reads, by the kind that its configuration says; False where there is none."""
        try:
            config = self.config()
        except DataError:
            return False
        known: Any = importlib.import_module("transformers.models.auto.modeling_auto")
        tables = ("CAUSAL_LM", "MASKED_LM", "SEQ_TO_SEQ_CAUSAL_LM", "FOR_TEXT_ENCODING")
        names = [
            getattr(known, f"MODEL_{t}_MAPPING_NAMES", getattr(known, f"MODEL_FOR_{t}_MAPPING_NAMES", {}))
            for t in tables
        ]
        shown = any("Image" in n or "Vision" in n for n in config.architectures or ())
        return not shown and any(config.model_type in table for table in names)

    def described(self, file: str) -> Any:
        """Return what a JSON file beside the weights says, such as ``modules.json`` of a sentence encoder, or None."""
        import json
        from pathlib import Path

        torch_libraries.transformers()
        cached: Any = importlib.import_module("transformers.utils").cached_file
        with _fetching(file, f"https://huggingface.co/{self.repository}", _FOLDER):
            found = cached(self.repository, file, revision=self.revision, _raise_exceptions_for_missing_entries=False)
        return None if found is None else json.loads(Path(found).read_text("utf-8"))

    def _class(self, config: Any) -> Any:
        transformers = torch_libraries.transformers()
        named = tuple(config.architectures or ())
        if any(n.endswith(("ForCausalLM", "LMHeadModel")) for n in named):
            return transformers.AutoModelForCausalLM
        if any(n.endswith(("ForMaskedLM", "ForPreTraining")) for n in named):
            return transformers.AutoModelForMaskedLM
        return transformers.AutoModel


@dataclass(frozen=True)
class Built:
    """A network that no library has, by the function that builds it."""

    build: Callable[[], nn.Module]

    def untrained(self) -> nn.Module:
        """Return it as it is built."""
        return self.build()

    def trained(self) -> nn.Module:
        """Raise DataError: weights come with `Published`."""
        raise _not_published("this network")


@dataclass(frozen=True)
class Published:
    """The architecture of another source with weights that its authors published as a file.

    Attributes
    ----------
    base : the architecture.
    url : the file; None: none is published that torch can read.
    sha256 : first digits of its hash, as far as they are published.
    inside : keys that lead to the table of weights in the file.
    prefix : what the names of its weights begin with; others are left out.
    headless : the file has no classifier; the one of the architecture becomes the identity.
    mend : names and tensors as published -> as the architecture has them.
    """

    base: Source
    url: str | None
    sha256: str = ""
    inside: tuple[str, ...] = ()
    prefix: str = ""
    headless: str | None = None
    mend: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None

    def untrained(self) -> nn.Module:
        """Return the architecture, with the identity in place of a classifier that is not published."""
        network = self.base.untrained()
        if self.headless:
            from torch import nn

            network.set_submodule(self.headless, nn.Identity())
        return network

    def trained(self) -> nn.Module:
        """Return it with the published weights."""
        import torch

        if self.url is None:
            raise _not_published("this network")
        path = Checkpoint(self.url, self.sha256).path()
        try:
            table: Any = torch.load(path, map_location="cpu", weights_only=True)
            for key in self.inside:
                table = table[key]
        except Exception as error:  # pickled code is refused; archives that are damaged fail in many ways
            raise ModelError(f"{path}: cannot be read as weights ({type(error).__name__}: {error})") from error
        return self._with(cast("Mapping[str, Any]", table))

    def _with(self, table: Mapping[str, Any]) -> nn.Module:
        network, prefix = self.untrained(), self.prefix
        weights = {n.removeprefix(prefix): t for n, t in table.items() if n.startswith(prefix)}
        weights = self.mend(weights) if self.mend else weights
        try:
            unused = network.load_state_dict(weights, strict=False)
        except RuntimeError as error:
            raise ModelError(f"the weights of {self.url} do not fit: {error}") from error
        missing = [name for name in unused.missing_keys if not name.endswith("num_batches_tracked")]
        if missing:
            raise ModelError(f"{self.url} lacks weights of the network: {', '.join(missing[:5])}, ...")
        return network


def _not_published(what: str) -> DataError:
    return DataError(f"no weights of {what} are published that torch can read; {UNTRAINED}")


@contextmanager
def _fetching(what: str, where: str, way_out: str = UNTRAINED) -> Generator[None]:
    """Turn what goes wrong on the way to published files into one error that names where they are."""
    try:
        with hub():
            yield
    except (OSError, RuntimeError, ImportError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise DataError(
            f"cannot get {what} from {where} ({type(error).__name__}: {first}); connect to the network, or {way_out}"
        ) from error


@contextmanager
def _without_bars() -> Generator[None]:
    """Keep transformers from drawing bars over what the program prints."""
    logging: Any = importlib.import_module("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def hub() -> Generator[None]:
    """Without a network, let the Hugging Face hub look into its cache alone: it would try again for half a minute."""
    try:
        constants: Any = importlib.import_module("huggingface_hub.constants")
    except ImportError:
        yield
        return
    with _hub_lock:
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = before or not _can_be_reached(constants.ENDPOINT)
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before


def _can_be_reached(url: str) -> bool:
    """Whether the host has an address; through a proxy that is not for us to know."""
    parts = urlsplit(url)
    if parts.scheme in urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(parts.hostname, parts.port or 443)
    except OSError:
        return False
    return True


__all__ = ["Built", "Hub", "HubText", "Published", "Source", "Timm", "Torchvision", "Transformers", "hub"]
