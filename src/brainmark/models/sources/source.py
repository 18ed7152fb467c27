"""The interface of sources of networks: a library, the hub, a function, or a file."""

from __future__ import annotations

import hashlib
import importlib
import json
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from brainmark.core.errors import DataError, InvalidModel
from brainmark.core.libraries import nn, urllib_request
from brainmark.models.networks.seeds import draw_from

USUAL: Mapping[str, Any] = {"weights": "published", "seed": 0}
"""Options of a network that has trained weights, with their defaults."""
UNTRAINED = "take the untrained network: NAME:random, or --random-weights"
_hub_lock = threading.RLock()


class NetworkSource(ABC):
    """Makes one network.

    Attributes
    ----------
    options : what can be chosen when it is made, with the usual values.
    code : name of the module whose code makes the network.
    named : whether its name and the version of its library say which network it is; if not, `digest` does.
    content : returns a digest of its file, where the network need not be made for one.
    """

    named: bool = True

    @property
    def options(self) -> Mapping[str, Any]:
        """See the class."""
        return USUAL

    @property
    def content(self) -> Callable[[], str | None] | None:
        """See the class."""
        return None

    @property
    def code(self) -> str:
        """Name of the module whose code makes the network."""
        return type(self).__module__

    def check(self) -> None:  # noqa: B027 - most sources find out when they make the network
        """Raise UnknownName or MissingDependency if there is no such network."""

    @abstractmethod
    def make(self, options: Mapping[str, Any]) -> Any:
        """Return the network with these options."""

    def preprocessing(self) -> dict[str, Any]:
        """Return `size`, `mean`, `std` and `head` of a `VisionSubject`, as far as the source knows them."""
        return {}

    def takes_text(self) -> bool:
        """Return whether the network takes texts, with the tokenizer that `tokenizer` returns."""
        return False

    def tokenizer(self) -> Any:
        """Return the tokenizer of a language network; None for any other."""
        return None

    def digest(self, made: Any) -> str | None:
        """Return a digest of all that decides what a network answers; None if that cannot be known."""
        del made
        return None

    def facts(self) -> dict[str, Any]:
        """Return what a card says of the network: `what`, `where`, `licence`, and fields of `ModelCard`.

        {} where only descriptions name the source: they say all that stands on the card.
        """
        return {}


class TrainableSource(NetworkSource):
    """Makes one network, untrained or with the weights that are published for it."""

    @abstractmethod
    def build_untrained(self) -> nn.Module:
        """Return the network as its library initialises it, drawn from torch's generator."""

    def load_trained(self) -> nn.Module:
        """Return the network with its published weights, or raise DataError that says where they would come from."""
        raise missing_weights("this network")

    def make(self, options: Mapping[str, Any]) -> Any:
        """Return the network with these options; random weights depend on the seed alone."""
        weights = options.get("weights", "published")
        if weights not in ("published", "random"):
            raise InvalidModel(f"weights is {weights!r}; give 'published' or 'random'")
        with draw_from(options.get("seed", 0)):  # an architecture draws its weights also when they are then replaced
            network = self.build_untrained() if weights == "random" else self.load_trained()
        return network.eval()


@dataclass(frozen=True)
class LibraryNetwork(TrainableSource):
    """A network that a library builds by its name.

    Attributes
    ----------
    name : of the architecture and, after a dot, of its weights; without, the usual ones of the library.
    arguments : of the architecture.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def architecture(self) -> str:
        """Name of the architecture."""
        return self.name.partition(".")[0]

    @property
    def tag(self) -> str:
        """Name of the weights; "" for the usual ones."""
        return self.name.partition(".")[2]


class Maker:
    """Makes a network once for two purposes: to compute its digest, and to use it."""

    def __init__(self, source: NetworkSource) -> None:
        self._source = source
        self._waiting: list[Any] = []
        self._digest: list[str | None] = []

    def make(self, options: Mapping[str, Any]) -> Any:
        """Return a new network with these options, or the one that `content` made if it was not used yet."""
        if self._waiting and {**self._source.options, **options} == dict(self._source.options):
            return self._waiting.pop()
        return self._source.make(options)

    def content(self) -> str | None:
        """Return the digest of the network with its usual options, which is made if this was never asked."""
        if not self._digest:
            made = self._source.make(self._source.options)
            self._digest.append(self._source.digest(made))
            self._waiting.append(made)
        return self._digest[0]


def digest_over(*parts: Any) -> str:
    """Return the sha256 over what JSON can hold; anything else counts by its text."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def configuration(network: object) -> dict[str, Any]:
    """Return the configuration of a network of transformers, without its folder and version; {} for any other."""
    config: Any = getattr(network, "config", None)
    fields: dict[str, Any] = config.to_dict() if callable(getattr(config, "to_dict", None)) else {}
    return {k: v for k, v in fields.items() if k not in ("_name_or_path", "transformers_version")}


def refuse_changed(what: str, path: Path) -> DataError:
    """Return the error that a file is missing, or is not the one whose sha256 is known."""
    state = "has other bytes than its sha256 says" if path.exists() else "is missing"
    ours = path.resolve().is_relative_to(Path(__file__).resolve().parents[2])
    way_out = "reinstall brainmark" if ours else "give the file that is described, or state its own sha256"
    return DataError(f"{what} {path}: {state}; {way_out}")


def missing_weights(what: str) -> DataError:
    """Return the error that there are no weights for torch."""
    return DataError(f"no weights of {what} are published that torch can read; {UNTRAINED}")


@contextmanager
def fetching(what: str, where: str, way_out: str = UNTRAINED) -> Generator[None]:
    """Turn any failure on the way to published files into one error that names where they are."""
    try:
        with hub():
            yield
    except (OSError, RuntimeError, ImportError, ValueError) as error:
        first = (str(error).splitlines() or [""])[0].strip()
        if "trust_remote_code" in str(error):  # never given: see the page on trust
            raise DataError(
                f"{what} of {where} cannot be taken: the repository holds code of its own, which is never run; "
                "build the network yourself and score it as module:function"
            ) from error
        raise DataError(
            f"cannot get {what} from {where} ({type(error).__name__}: {first}); connect to the network, or {way_out}"
        ) from error


@contextmanager
def hub() -> Generator[None]:
    """Let the Hugging Face hub look into its cache alone without a network: it would try again for half a minute."""
    try:
        constants: Any = importlib.import_module("huggingface_hub.constants")
    except ImportError:
        yield
        return
    with _hub_lock:
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = before or not _can_reach(constants.ENDPOINT)
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before


def _can_reach(url: str) -> bool:
    """Return whether the host has an address; behind a proxy it is taken to have one."""
    parts = urlsplit(url)
    if parts.scheme in urllib_request.getproxies():
        return True
    try:
        socket.getaddrinfo(parts.hostname, parts.port or 443)
    except OSError:
        return False
    return True
