"""A network that reads texts and whose layers stand for regions. Loads torch when it first reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from brainmark.core.cards import Domain
from brainmark.core.errors import InvalidStimuli, ModelError, NotApplicable
from brainmark.core.experiment import Experiment, NextWord, Prefer, Rate, Read, Record
from brainmark.core.libraries import nn, np, xr
from brainmark.core.stimuli import Media
from brainmark.models.readouts.logistic import softmax
from brainmark.models.sources.arguments import check_count, check_name, refuse
from brainmark.models.subjects.localizer import localize
from brainmark.models.subjects.observer import Observer, answered
from brainmark.models.subjects.text_parts import HALF_BITS, RATED, parts_of_contexts, placed, word_counts
from brainmark.models.subjects.text_readout import Pool, TextReadout, as_text_readout, taken
from brainmark.models.subjects.text_regions import DEPTH, LANGUAGE_REGIONS
from brainmark.models.subjects.tokens import TokenReader, Tokens
from brainmark.models.subjects.units import recorded

if TYPE_CHECKING:
    from brainmark.models.subjects.text_reader import TextReader
    from brainmark.models.subjects.token_networks import TokenNetwork


@dataclass(frozen=True, eq=False)
class LanguageSubject:
    """A network that reads texts in parts, each after all that came before it in its context.

    Attributes
    ----------
    identifier : name.
    network : a model of transformers, a `TokenNetwork`, or a function that makes one when it is first needed.
    tokenizer : of transformers, or a function that makes it.
    regions : region -> layer or `TextReadout`.
    window : most tokens in one pass; None: as many as the network has positions.
    overlap : tokens that consecutive windows of longer texts share: so many each token sees at least; None: half.
    begin : whether a token of the beginning stands before each text. None: where the tokenizer itself puts one, and,
        if it has one, for all that is about probabilities, since without it the first token has none.
    link : (ms, ms for each bit), how long a part is read by its surprisal. Correlations do not depend on it.
    behavior : what choices, matches, odd ones out and ratings learnt from fitting stimuli are read from; None: what
        stands for the language system.
    silenced : layer -> units whose output is set to zero.
    budget : tokens in a batch.

    Raises
    ------
    InvalidModel : a field that describes no such network.
    """

    domain: ClassVar[Domain] = "language"
    identifier: str
    network: nn.Module | TokenNetwork | Callable[[], Any]
    tokenizer: Any
    regions: Mapping[str, str | TextReadout]
    window: int | None = None
    overlap: int | None = None
    begin: bool | None = None
    link: tuple[float, float] = (0.0, 1.0)
    behavior: str | TextReadout | None = None
    silenced: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    budget: int = 1024

    def __post_init__(self) -> None:
        check_name("LanguageSubject", "identifier", self.identifier, "give the model a name")
        owner = f"LanguageSubject {self.identifier!r}"
        if not isinstance(self.regions, Mapping) or not self.regions:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(owner, "regions", self.regions, "map each region to a layer, e.g. {'language_system': 'h.8'}")
        for region, readout in self.regions.items():
            check_name(owner, "a key of regions", region, "regions are named by text, e.g. 'language_system'")
            as_text_readout(readout)
        for name in ("window", "budget"):
            if getattr(self, name) is not None:
                check_count(owner, name, getattr(self, name), "give a number of tokens")
        if self.overlap is not None and not (isinstance(self.overlap, int) and self.overlap >= 0):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refuse(owner, "overlap", self.overlap, "give a number of tokens, less than the window")

    # --- what it is made of ------------------------------------------------------------------------------------------

    @cached_property
    def reader(self) -> TokenNetwork:
        """The network, made once."""
        from brainmark.models.subjects.token_networks import TokenNetwork, as_token_network

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
        return self.reader.module

    @cached_property
    def tokens(self) -> TokenReader:
        """The tokenizer."""
        made = self.tokenizer if callable(getattr(self.tokenizer, "decode", None)) else self.tokenizer()
        return TokenReader(made)

    @property
    def weights_digest(self) -> str:
        """sha256 over names and values of all parameters and buffers."""
        from brainmark.models.activations.hooks import digest_of_weights

        return digest_of_weights(self.module)

    @cached_property
    def text_reader(self) -> TextReader:
        """What it makes of texts that belong to no experiment."""
        from brainmark.models.subjects.reading import Reading
        from brainmark.models.subjects.text_reader import TextReader

        reading = Reading(self.reader, self.overlap, self.budget, self.silenced)
        return TextReader(self.identifier, reading, self.tokens, self.begin)

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
        self._takes(experiment)
        match ask:
            case Record():
                return self._record(experiment, ask)
            case Read():
                bits = self._bits(experiment)
                values = bits if ask.measure == "surprisal" else self.link[0] + self.link[1] * bits
                return answered(experiment, values)
            case NextWord():
                self.text_reader.check_head(ahead=True)
                words = self.text_reader.next_words(self._texts(experiment))
                return answered(experiment, placed(experiment, words))
            case Prefer():
                return self._prefer(experiment, ask)
            case Rate(fitting=None, group=1) if ask.question in RATED:
                return answered(experiment, self._rated(experiment, ask))
            case _:
                return self._behave(experiment)

    def record_from(self, experiment: Experiment, readouts: Sequence[str | TextReadout]) -> list[xr.DataArray]:
        """Return what it would answer if the region were read from each of these, in one pass where pools agree."""
        self._takes(experiment)
        readouts = [as_text_readout(r) for r in readouts]
        layers = list(dict.fromkeys(layer for r in readouts for layer in r.layers))
        pools: set[Pool] = {r.pool for r in readouts}
        answers = {pool: self._represented(experiment, TextReadout(tuple(layers), pool)) for pool in pools}
        return [_recording(experiment, *taken(answers[r.pool], layers, r)) for r in readouts]

    def layers(self, experiment: Experiment, names: Sequence[str] = ("all",)) -> dict[str, tuple[int, ...]]:
        """Return layers -> (units,) that they put out for a part. Raises UnknownName, InvalidStimuli.

        ``all`` stands for the blocks, in the order they follow one another.
        """
        self._takes(experiment)
        wanted = dict.fromkeys(n for name in names for n in (self.reader.blocks() if name == "all" else [name]))
        text = next((tokens for tokens in self._texts(experiment) if len(tokens)), None)
        if text is None:
            raise InvalidStimuli(
                f"{experiment.stimuli.identifier}: no text holds anything that {self.identifier} reads"
            )
        _, sizes = self.text_reader.represent([Tokens(text.ids[:1], np.zeros(1, int), 1)], TextReadout(tuple(wanted)))
        return {name: (size,) for name, size in zip(wanted, sizes, strict=True)}

    def pool_for(self, region: str, shape: tuple[int, ...], most: int) -> Pool:
        """Return the pool that it commits to the region: every unit is read, however many a layer has."""
        own = self.regions.get(region)
        return "last" if own is None else as_text_readout(own).pool

    def readout(self, layer: str, pool: int | str | None) -> TextReadout:
        """Return the commitment to a layer, with a pool. Raises InvalidModel."""
        return TextReadout((layer,), cast("Pool", pool))

    def with_regions(self, regions: Mapping[str, str | TextReadout]) -> LanguageSubject:
        """Return the same network with other commitments for these regions."""
        return replace(self, network=self.reader, regions={**self.regions, **regions})

    def represent(
        self, texts: Sequence[str], layers: Sequence[str], most: int | None = None
    ) -> tuple[np.ndarray, list[int]]:
        """Return representations (texts, units of all layers) of whole texts, and the units of each layer.

        `most`: tokens of each text that are read; None: all. Raises InvalidStimuli for a text without tokens.
        """
        tokens = [self.tokens([text]) for text in texts]
        for text, read in zip(texts, tokens, strict=True):
            if not len(read):
                raise InvalidStimuli(f"text {text!r} holds nothing that {self.identifier} reads")
        cut = [Tokens(t.ids[:most], t.part[:most], 1) for t in tokens]
        return self.text_reader.represent(cut, TextReadout(tuple(layers)))

    def localized(
        self, sentences: Sequence[str], non_words: Sequence[str], share: float = 0.01, identifier: str | None = None
    ) -> LanguageSubject:
        """Return the subject whose regions are all read from the units that prefer sentences; see `localizer`.

        `share` of the units of all blocks. Raises InvalidStimuli, InvalidModel.
        """
        units = localize(self, sentences, non_words).units(share)
        readout = TextReadout(tuple(units), units=units)
        name = identifier or f"{self.identifier}-localized"
        return replace(self, identifier=name, network=self.reader, regions=dict.fromkeys(self.regions, readout))

    def ablated(self, units: Mapping[str, Sequence[int]], identifier: str | None = None) -> LanguageSubject:
        """Return the subject with these units (layer -> numbers) silenced as well: a subject like any other."""
        silenced = {n: sorted({*self.silenced.get(n, ()), *units.get(n, ())}) for n in {**self.silenced, **units}}
        name = identifier or f"{self.identifier}-ablated"
        return replace(self, identifier=name, network=self.reader, silenced=silenced)

    def _record(self, experiment: Experiment, ask: Record) -> xr.DataArray:
        can = f"it records {', '.join(self.regions)} while it reads"
        if ask.region not in self.regions:
            raise NotApplicable(f"{self.identifier} commits no layer to region {ask.region!r}; {can}")
        if ask.eccentricity is not None:
            raise NotApplicable(f"{self.identifier}: its units have no receptive fields; {can}")
        readout = as_text_readout(self.regions[ask.region])
        return _recording(experiment, *taken(self._represented(experiment, readout), readout.layers, readout))

    def _represented(self, experiment: Experiment, readout: TextReadout) -> tuple[np.ndarray, list[int]]:
        """Values (presentations, units of all layers), and the units of each layer."""
        values, sizes = self.text_reader.represent(self._texts(experiment), readout)
        return placed(experiment, values), sizes

    def _bits(self, experiment: Experiment) -> np.ndarray:
        """Surprisal (presentations,) of each part, in bits."""
        return placed(experiment, np.concatenate(self.text_reader.bits(self._texts(experiment))))

    def _prefer(self, experiment: Experiment, ask: Prefer) -> xr.DataArray:
        """Probability of each alternative in proportion to the probability of its text."""
        self._alone(experiment)
        bits = self._text_bits(experiment).reshape(-1, ask.group)
        return answered(experiment, softmax(-bits * np.log(2)), np.arange(ask.group))

    def _text_bits(self, experiment: Experiment) -> np.ndarray:
        """Bits (presentations,) of texts that stand alone; of a masked network by pseudo-log-likelihood."""
        if self.reader.causal:
            return np.nan_to_num(self._bits(experiment), nan=0.0)  # one token and no beginning: nothing is predicted
        media = experiment.stimuli.media
        return self.text_reader.pseudo_bits([str(media[i]) for i in range(len(media))])

    def _rated(self, experiment: Experiment, ask: Rate) -> np.ndarray:
        """Ratings: the top of the scale for texts that are certain, its middle at `HALF_BITS` for each word."""
        alone = experiment.setting.context is None
        bits = self._text_bits(experiment) if alone else np.nan_to_num(self._bits(experiment), nan=0.0)
        return ask.low + (ask.high - ask.low) / (1 + bits / word_counts(experiment.stimuli) / HALF_BITS)

    def _behave(self, experiment: Experiment) -> xr.DataArray:
        self._alone(experiment)
        given = self.behavior or self.regions.get(LANGUAGE_REGIONS[0])
        readout = None if given is None else as_text_readout(given)

        def features(media: Media) -> np.ndarray:
            assert readout is not None
            texts = [self.tokens([str(media[i])]) for i in range(len(media))]
            return taken(self.text_reader.represent(texts, readout), readout.layers, readout)[0]

        def logits(media: Media) -> np.ndarray:
            raise NotApplicable(f"{self.identifier} names no classes")

        return Observer(self.identifier, None, logits, None if readout is None else features).answer(experiment)

    # --- texts -------------------------------------------------------------------------------------------------------

    def _takes(self, experiment: Experiment) -> None:
        if experiment.stimuli.modality != "text":
            raise NotApplicable(
                f"{self.identifier} reads texts, it cannot take stimuli of modality {experiment.stimuli.modality!r}"
            )

    def _texts(self, experiment: Experiment) -> list[Tokens]:
        """Tokens of each context."""
        made: list[Tokens] = []
        for context, (parts, spaces) in zip(experiment.contexts, parts_of_contexts(experiment), strict=True):
            tokens = self.tokens(parts, spaces)
            if not len(tokens.part) or tokens.part[0] > 0:
                self._can_be_empty(experiment, context)
            made.append(tokens)
        return made

    def _can_be_empty(self, experiment: Experiment, context: Sequence[int]) -> None:
        """Refuse to record from a part without tokens, if neither text nor a token of the beginning comes before it."""
        if (
            isinstance(experiment.ask, Record | NextWord)
            and not self.text_reader.frame(isinstance(experiment.ask, NextWord)).before
        ):
            name = str(experiment.stimuli.ids[context[0]])
            raise InvalidStimuli(
                f"stimulus {name!r} holds nothing that {self.identifier} reads, nothing comes before it, and its "
                "tokenizer puts no token at the beginning: nothing represents it; leave it out, or give begin=True"
            )

    def _alone(self, experiment: Experiment) -> None:
        if experiment.setting.context is not None:
            raise NotApplicable(
                f"{self.identifier} answers {type(experiment.ask).__name__} about texts that stand alone, "
                f"not in a context (column {experiment.setting.context!r})"
            )


def as_language_subject(
    identifier: str,
    network: nn.Module | TokenNetwork,
    tokenizer: Any,
    regions: Mapping[str, str | TextReadout] | None = None,
) -> LanguageSubject:
    """Return the subject; without `regions` all `LANGUAGE_REGIONS` are read from the block at `DEPTH`."""
    from brainmark.models.subjects.token_networks import as_token_network

    reader = as_token_network(network)
    if regions is None:
        regions = dict.fromkeys(LANGUAGE_REGIONS, block_at(reader.blocks()))
    return LanguageSubject(identifier, reader, tokenizer, regions)


def block_at(blocks: Sequence[str], depth: float = DEPTH) -> str:
    """Return the block that ends nearest to a depth, of blocks that follow one another."""
    return blocks[max(0, min(len(blocks), round(depth * len(blocks))) - 1)]


def _recording(experiment: Experiment, values: np.ndarray, layer: np.ndarray, unit: np.ndarray) -> xr.DataArray:
    return recorded(values, {"layer": layer, "unit": unit}, experiment)


__all__ = ["DEPTH", "LANGUAGE_REGIONS", "LanguageSubject", "as_language_subject", "block_at"]
