"""Language networks as subjects: layers stand for regions."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, cast

from brainmark.core.cards import Domain
from brainmark.core.errors import InvalidStimuli, ModelError, NotApplicable, UnknownName
from brainmark.core.experiment import Experiment, NextWord, Prefer, Rate, Read, Record
from brainmark.core.libraries import nn, np, xr
from brainmark.core.stimuli import Media
from brainmark.models.activations.hooks import digest_of_weights
from brainmark.models.subjects.arguments import check_count, check_name, refuse
from brainmark.models.subjects.observer import RATED, Observer, answer_from_bits, as_answer
from brainmark.models.subjects.readout import (
    DEPTH,
    LANGUAGE_REGIONS,
    Pool,
    Readout,
    as_readout,
    check_readout,
    check_regions,
)
from brainmark.models.subjects.text_runner import BUDGET, TextRunner
from brainmark.models.subjects.token_interface import TokenNetwork
from brainmark.models.subjects.token_networks import as_token_network
from brainmark.models.subjects.tokens import PartTokenizer, Tokens, parts_of_contexts, restore_order
from brainmark.models.subjects.units import as_recording


@dataclass(frozen=True, eq=False)
class LanguageSubject:
    """A network that takes texts in parts, each after all that came before it in its context.

    Attributes
    ----------
    identifier : name.
    network : a model of transformers, a `TokenNetwork`, or a function that makes one when it is first needed.
    tokenizer : of transformers, or a function that makes it.
    regions : region -> layer or `Readout`.
    window : most tokens in one pass; None: as many as the network has positions.
    overlap : tokens that consecutive windows of longer texts share: so many each token sees at least; None: half.
    begin : whether a token of the beginning stands before each text. None: where the tokenizer itself puts one, and,
        if it has one, for all that is about probabilities, since without it the first token has none.
    link : (ms, ms for each bit), how long a part is read by its surprisal. Correlations do not depend on it.
    behavior : what choices, matches, odd ones out and ratings learnt from fitting stimuli are recorded from; None: what
        stands for the language system.
    budget : tokens in a batch.
    as_shown : whether the tokenizer is given texts sign by sign, as people saw them: see `tokens.PartTokenizer`.

    Raises
    ------
    InvalidModel : a field that describes no such network.
    """

    domain: ClassVar[Domain] = "language"
    identifier: str
    network: nn.Module | TokenNetwork | Callable[[], Any]
    tokenizer: Any
    regions: Mapping[str, str | Readout]
    window: int | None = None
    overlap: int | None = None
    begin: bool | None = None
    link: tuple[float, float] = (0.0, 1.0)
    behavior: str | Readout | None = None
    budget: int = BUDGET
    as_shown: bool = False

    def __post_init__(self) -> None:
        check_name("LanguageSubject", "identifier", self.identifier, "give the model a name")
        owner = f"LanguageSubject {self.identifier!r}"
        check_regions(owner, self.regions, takes_text=True)
        if self.behavior is not None:
            check_readout(owner, "behavior", self.behavior, takes_text=True)
        for name in ("window", "budget"):
            if getattr(self, name) is not None:
                check_count(owner, name, getattr(self, name), "give a number of tokens")
        if self.overlap is not None and not (isinstance(self.overlap, int) and self.overlap >= 0):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(owner, "overlap", self.overlap, "give a number of tokens, less than the window")

    # --- what it is made of ------------------------------------------------------------------------------------------

    @cached_property
    def token_network(self) -> TokenNetwork:
        """The network, made once."""
        given: Any = self.network
        given = given if isinstance(given, nn.Module | TokenNetwork) else given()
        if not isinstance(given, nn.Module | TokenNetwork):
            raise ModelError(f"{self.identifier}: its factory made a {type(given).__name__}, not a network")
        made = as_token_network(given, self.window)
        limit = made.window
        if self.overlap is not None and limit is not None and self.overlap >= limit:
            raise refuse(
                f"LanguageSubject {self.identifier!r}", "overlap", self.overlap, f"its window is {limit} tokens"
            )
        return made

    @property
    def module(self) -> nn.Module:
        """The layers, by name."""
        return self.token_network.module

    @cached_property
    def tokens(self) -> PartTokenizer:
        """The tokenizer."""
        made = self.tokenizer if callable(getattr(self.tokenizer, "decode", None)) else self.tokenizer()
        return PartTokenizer(made, self.as_shown)

    @property
    def weights_digest(self) -> str:
        """sha256 over names and values of all parameters and buffers."""
        return digest_of_weights(self.module)

    @cached_property
    def runner(self) -> TextRunner:
        """What it makes of texts that belong to no experiment."""
        return TextRunner(self.identifier, self.token_network, self.tokens, self.begin, self.overlap, self.budget)

    # --- answers -----------------------------------------------------------------------------------------------------

    def perform(self, experiment: Experiment) -> xr.DataArray:
        """Record: presentation x neuroid [x time_bin], float32. Prefer: x choice. Read, Rate: values; NextWord: words.

        A network without a course of time holds the same values in every time bin.

        Raises
        ------
        NotApplicable : a question, modality or region that it does not commit to; no head where one is needed.
        InvalidStimuli : an empty text, where the model has no token of the beginning to stand for it.
        ModelError : the network fails, or the tokenizer does not say which text its tokens stand for.
        """
        ask = experiment.ask
        self._check_modality(experiment)
        if isinstance(ask, Record):
            readout = as_readout(self.regions[self._check_record(ask)])
            found = self.runner.represent(self._texts(experiment), readout)
            return _recording(experiment, found, readout.layers, readout)
        if isinstance(ask, NextWord):
            self.runner.check_head(ahead=True)
            words = self.runner.next_words(self._texts(experiment))
            return as_answer(experiment, restore_order(experiment, words))
        rated = isinstance(ask, Rate) and ask.fitting is None and ask.group == 1 and ask.question in RATED
        if not (rated or isinstance(ask, Read | Prefer)):
            return self._behave(experiment)
        if isinstance(ask, Prefer):
            self._check_alone(experiment)
        if self.token_network.causal or isinstance(ask, Read) or experiment.setting.context is not None:
            bits = restore_order(experiment, np.concatenate(self.runner.bits(self._texts(experiment))))
        else:  # of a network that sees both sides, texts that stand alone
            media = experiment.stimuli.media
            whole = [self.tokens.words(str(media[i])) for i in range(len(media))]
            bits = np.array([b.sum() for b in self.runner.bits(whole, both_sides=True)])
        return answer_from_bits(experiment, bits, self.link)

    def record_from(self, experiment: Experiment, readouts: Sequence[str | Readout]) -> list[xr.DataArray]:
        """Return what it would answer if the region were recorded from each of these, in one pass where pools agree."""
        self._check_modality(experiment)
        chosen, texts = [as_readout(r) for r in readouts], self._texts(experiment)
        layers = tuple(dict.fromkeys(layer for r in chosen for layer in r.layers))
        pools = {r.pool or "last": Readout(layers, r.pool) for r in chosen}
        found = {pool: self.runner.represent(texts, readout) for pool, readout in pools.items()}
        return [_recording(experiment, found[r.pool or "last"], layers, r) for r in chosen]

    def layers(self, experiment: Experiment, names: Sequence[str] = ("all",)) -> dict[str, tuple[int, ...]]:
        """Return layers -> (units,) that they put out for a part. Raises UnknownName, InvalidStimuli.

        ``all`` and ``blocks`` stand for the blocks, in the order they follow one another, and ``h.1*`` for all layers
        that fit the pattern.
        """
        self._check_modality(experiment)
        wanted = dict.fromkeys(n for name in names for n in self._find_layers(name))
        text = next((tokens for tokens in self._texts(experiment) if len(tokens)), None)
        if text is None:
            raise InvalidStimuli(
                f"{experiment.stimuli.identifier}: no text holds anything that {self.identifier} has tokens for"
            )
        _, sizes = self.runner.represent([Tokens(text.ids[:1], np.zeros(1, int), 1)], Readout(tuple(wanted)))
        return {name: (size,) for name, size in zip(wanted, sizes, strict=True)}

    def _find_layers(self, name: str) -> Sequence[str]:
        if name in ("all", "blocks"):
            return self.token_network.blocks()
        if not set(name) & set("*?["):
            return [name]
        known = [n for n, _ in self.module.named_modules() if n]
        fitting = fnmatch.filter(known, name)
        if not fitting:
            raise UnknownName(f"layer of {self.identifier}", name, known, " (no layer fits)")
        return fitting

    def pool_for(self, region: str, shape: tuple[int, ...], most: int) -> Pool:
        """Return the pool that it commits to the region: every unit is recorded, however many a layer has."""
        own = self.regions.get(region)
        return cast("Pool | None", None if own is None else as_readout(own).pool) or "last"

    def with_regions(self, regions: Mapping[str, str | Readout]) -> LanguageSubject:
        """Return the same network with other commitments for these regions."""
        return replace(self, network=self.token_network, regions={**self.regions, **regions})

    def _behave(self, experiment: Experiment) -> xr.DataArray:
        self._check_alone(experiment)
        given = self.behavior or self.regions.get(LANGUAGE_REGIONS[0])

        def record(media: Media, readout: Readout) -> np.ndarray:
            texts = [self.tokens([str(media[i])]) for i in range(len(media))]
            return _take(self.runner.represent(texts, readout), readout.layers, readout)[0]

        return Observer(self.identifier, record, behavior=None if given is None else as_readout(given)).answer(
            experiment
        )

    def _check_record(self, ask: Record) -> str:
        """Return the region that is asked for."""
        can = f"it records {', '.join(self.regions)} while it goes through a text"
        if ask.region not in self.regions:
            raise NotApplicable(f"{self.identifier} has no layer for region {ask.region!r}; {can}")
        if ask.eccentricity is not None:
            raise NotApplicable(f"{self.identifier}: its units have no receptive fields; {can}")
        return ask.region

    # --- texts -------------------------------------------------------------------------------------------------------

    def _check_modality(self, experiment: Experiment) -> None:
        if experiment.stimuli.modality != "text":
            raise NotApplicable(
                f"{self.identifier} takes texts and cannot take stimuli of modality {experiment.stimuli.modality!r}"
            )

    def _texts(self, experiment: Experiment) -> list[Tokens]:
        """Return the tokens of each context."""
        made: list[Tokens] = []
        for context, (parts, spaces) in zip(experiment.contexts, parts_of_contexts(experiment), strict=True):
            tokens = self.tokens(parts, spaces)
            if not len(tokens.part) or tokens.part[0] > 0:
                self._check_empty(experiment, context)
            made.append(tokens)
        return made

    def _check_empty(self, experiment: Experiment, context: Sequence[int]) -> None:
        """Refuse to record from a part without tokens, if neither text nor a token of the beginning comes before it."""
        if (
            isinstance(experiment.ask, Record | NextWord)
            and not self.runner.frame(isinstance(experiment.ask, NextWord)).before
        ):
            name = str(experiment.stimuli.ids[context[0]])
            raise InvalidStimuli(
                f"stimulus {name!r} holds nothing that {self.identifier} has tokens for, nothing comes before it, "
                "and its tokenizer puts no token at the beginning: nothing represents it; leave it out, or give "
                "begin=True"
            )

    def _check_alone(self, experiment: Experiment) -> None:
        if experiment.setting.context is not None:
            raise NotApplicable(
                f"{self.identifier} answers {type(experiment.ask).__name__} about texts that stand alone, "
                f"not in a context (column {experiment.setting.context!r})"
            )


def as_language_subject(
    identifier: str,
    network: nn.Module | TokenNetwork,
    tokenizer: Any,
    regions: Mapping[str, str | Readout] | None = None,
) -> LanguageSubject:
    """Return the subject; without `regions` all `LANGUAGE_REGIONS` are recorded from the block at `DEPTH`."""
    token_network = as_token_network(network)
    if regions is None:
        regions = dict.fromkeys(LANGUAGE_REGIONS, block_at(token_network.blocks()))
    return LanguageSubject(identifier, token_network, tokenizer, regions)


def block_at(blocks: Sequence[str], depth: float = DEPTH) -> str:
    """Return the block that ends nearest to a depth, of blocks that follow one another."""
    return blocks[max(0, min(len(blocks), round(depth * len(blocks))) - 1)]


def _take(
    represented: tuple[np.ndarray, list[int]], layers: Sequence[str], readout: Readout
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the values, layers and numbers of a readout's units, out of those of several layers side by side."""
    values, sizes = represented
    first = dict(zip(layers, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    units = {
        name: np.arange(size) if readout.units is None else np.asarray(readout.units.get(name, ()), int)
        for name, size in zip(layers, sizes, strict=True)
        if name in readout.layers
    }
    columns = np.concatenate([first[name] + units[name] for name in readout.layers])
    names = np.repeat(np.array(readout.layers), [len(units[name]) for name in readout.layers])
    whole = len(columns) == values.shape[1] and bool((columns == np.arange(len(columns))).all())
    values = values if whole else values[:, columns]
    if readout.unit_length:
        values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.float32(1e-12))
    return values, names, np.concatenate([units[name] for name in readout.layers])


def _recording(
    experiment: Experiment, represented: tuple[np.ndarray, list[int]], layers: Sequence[str], readout: Readout
) -> xr.DataArray:
    values, names, units = _take(represented, layers, readout)
    return as_recording(restore_order(experiment, values), {"layer": names, "unit": units}, experiment)


__all__ = ["DEPTH", "LANGUAGE_REGIONS", "LanguageSubject", "as_language_subject", "block_at"]
