"""Answers of a model to questions: to choose, match, rate or read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from brainmark.core.errors import InvalidModel, InvalidStimuli, NotApplicable
from brainmark.core.experiment import Choose, Experiment, Match, OddOneOut, Prefer, Rate, Read
from brainmark.core.libraries import np, xr
from brainmark.core.stimuli import ImageFiles, Media, Selected, Stimuli
from brainmark.models.readouts.answers import Similarity, alike, label_probabilities, match, odd_one_out, ratings
from brainmark.models.readouts.logistic import probabilities
from brainmark.models.subjects.classes import class_count, positions_of
from brainmark.models.subjects.readout import Head, Readout

RATED = ("plausibility", "acceptability", "grammaticality", "well-formedness", "predictability")
"""Questions that are answered by the probability of a text."""
HALF_BITS = 10.0
"""Bits for each word at which a rating is in the middle of its scale: what words cost that are known by frequency."""


@dataclass(frozen=True, eq=False)
class Observer:
    """The base of subjects that answer behavioural questions from activations.

    Attributes
    ----------
    identifier : of the subject.
    record : media and what is recorded -> float32 (stimuli, units).
    head : the logits; None: there are none.
    behavior : what is recorded for all questions that logits do not answer; None: nothing stands for it.
    similarity : how stimuli are compared.
    """

    identifier: str
    record: Callable[[Media, Readout], np.ndarray]
    head: Head | None = None
    behavior: Readout | None = None
    similarity: Similarity = "cosine"

    def answer(self, experiment: Experiment) -> xr.DataArray:
        """Return presentation [x choice]; of a group of stimuli, the presentation is the first.

        Raises
        ------
        NotApplicable : another question; labels that the head does not name; nothing to learn them from.
        InvalidStimuli : groups that are not whole, labels or ratings that are missing.
        InvalidModel : the head puts out another number of logits than it names classes.
        """
        ask, stimuli = experiment.ask, experiment.stimuli
        if len(stimuli) % ask.group:
            raise InvalidStimuli(
                f"stimuli {stimuli.identifier!r}: {len(stimuli)} make no whole groups of {ask.group}, "
                f"which {type(ask).__name__} asks about"
            )
        match ask:
            case Choose(labels=labels, fitting=None) if labels:
                return as_answer(experiment, self._choose_class(labels, stimuli.media), np.array(labels))
            case Choose(fitting=Stimuli() as fitting):
                return self._choose_by_examples(experiment, fitting, ask.labels)
            case Match():
                chosen = match(*self._groups(stimuli, ask.group), self.similarity)
                return as_answer(experiment, chosen, np.arange(ask.group - 1))
            case OddOneOut():
                return as_answer(experiment, odd_one_out(*self._groups(stimuli, 3), self.similarity))
            case Rate(group=2):
                return as_answer(experiment, alike(*self._groups(stimuli, 2), ask.low, ask.high))
            case Rate(fitting=Stimuli() as fitting):
                given = _column(fitting, "rating").astype(float)
                known, asked = self._both(fitting, stimuli)
                return as_answer(experiment, ratings(known, given, asked, ask.low, ask.high))
            case Rate():
                raise NotApplicable(f"{self.identifier} cannot answer {ask.question!r} without fitting stimuli")
            case Choose():
                raise NotApplicable(f"{self.identifier} needs labels or fitting stimuli to choose")
            case _:
                raise NotApplicable(f"{self.identifier} cannot answer {type(ask).__name__}")

    def _choose_class(self, labels: tuple[str, ...], media: Media) -> np.ndarray:
        if self.head is None:
            raise NotApplicable(
                f"{self.identifier} has no head that names classes, so it cannot choose among {_few(labels)}; "
                "let it learn them from fitting stimuli, or give it a Head"
            )
        positions = positions_of(labels, self.head.classes, self.identifier)
        logits = self.record(media, Readout(self.head.layer))
        if logits.shape[1] != class_count(self.head.classes):
            raise InvalidModel(
                f"{self.identifier}: its head {self.head.layer!r} puts out {logits.shape[1]} numbers for a stimulus, "
                f"but names {class_count(self.head.classes)} classes; name the layer of the logits, and its classes"
            )
        return label_probabilities(logits, positions)

    def _choose_by_examples(self, experiment: Experiment, fitting: Stimuli, labels: tuple[str, ...]) -> xr.DataArray:
        """Return probabilities by logistic regression; with labels given, in their order."""
        given = _column(fitting, "label").astype(str)
        known = np.array(labels) if labels else np.unique(given)
        codes = np.searchsorted(np.sort(known), given)
        odd = np.flatnonzero(np.sort(known)[np.minimum(codes, len(known) - 1)] != given)
        missing = sorted(set(known.tolist()) - set(given.tolist()))
        if len(odd) or missing or len(known) < 2:
            what = (
                f"label {str(given[odd[0]])!r} is not among those to choose from"
                if len(odd)
                else f"no example of {_few(missing)}" if missing else "at least two labels are needed"
            )  # fmt: skip
            raise InvalidStimuli(f"fitting stimuli {fitting.identifier!r}: {what}")
        learnt, asked = self._both(fitting, experiment.stimuli)
        chosen = probabilities(learnt, codes, asked)
        return as_answer(experiment, chosen[:, np.argsort(np.argsort(known))], known)

    def _both(self, fitting: Stimuli, stimuli: Stimuli) -> tuple[np.ndarray, np.ndarray]:
        if fitting.modality != stimuli.modality:
            raise NotApplicable(
                f"{self.identifier} cannot learn from {fitting.modality} what to say to {stimuli.modality}s"
            )
        return self._features(fitting.media), self._features(stimuli.media)

    def _groups(self, stimuli: Stimuli, group: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the features of different stimuli, and the groups (groups, group) as rows of them."""
        media, rows = distinct(stimuli.media)
        return self._features(media), rows.reshape(-1, group)

    def _features(self, media: Media) -> np.ndarray:
        if self.behavior is None:
            raise NotApplicable(
                f"{self.identifier} has no layer that behaviour is recorded from: none stands for the region that "
                "would be (IT, or the language system); give it `behavior`"
            )
        return self.record(media, self.behavior)


def answer_from_bits(experiment: Experiment, bits: np.ndarray, link: tuple[float, float] = (0.0, 1.0)) -> xr.DataArray:
    """Answer Read, Prefer, or a rating among `RATED`, by the surprisal (presentations,) of texts in bits.

    A reading time is ``link[0] + link[1] * bits``. Alternatives are preferred in proportion to the probabilities of
    their texts. A text that is certain is rated at the top of the scale, one of `HALF_BITS` a word in the middle.
    A text of which nothing can be predicted (NaN) costs nothing where texts are compared.
    """
    ask = experiment.ask
    if isinstance(ask, Read):
        return as_answer(experiment, bits if ask.measure == "surprisal" else link[0] + link[1] * bits)
    bits = np.nan_to_num(bits, nan=0.0)
    if isinstance(ask, Prefer):
        bits = bits.reshape(-1, ask.group)
        odds = np.exp2(bits.min(axis=1, keepdims=True) - bits)  # equally probable alternatives tie exactly
        return as_answer(experiment, odds / odds.sum(axis=1, keepdims=True), np.arange(ask.group))
    assert isinstance(ask, Rate)
    media = experiment.stimuli.media
    words = np.array([max(1, len(str(media[i]).split())) for i in range(len(media))])
    return as_answer(experiment, ask.low + (ask.high - ask.low) / (1 + bits / words / HALF_BITS))


def distinct(media: Media) -> tuple[Media, np.ndarray]:
    """Return each file or object of `media` once, and for each position in `media` which of them it is.

    Equal content in different files stays apart. Nothing is loaded.
    """
    if isinstance(media, Selected):
        names: Sequence[object] = media.positions
    elif isinstance(media, ImageFiles):
        names = media.paths
    elif isinstance(media, list | tuple):
        names = [id(m) for m in media]
    else:
        return media, np.arange(len(media))
    place: dict[object, int] = {}
    rows = np.array([place.setdefault(name, len(place)) for name in names])
    first = np.unique(rows, return_index=True)[1]
    return Selected(media, tuple(first.tolist())), rows


def as_answer(experiment: Experiment, values: np.ndarray, choices: np.ndarray | None = None) -> xr.DataArray:
    """Return values (groups of presentations [, choices]) as the answer to an experiment."""
    coords: dict[str, tuple[str, np.ndarray]] = {"stimulus_id": ("presentation", experiment.answered_ids)}
    if choices is None:
        return xr.DataArray(values, dims="presentation", coords=coords)
    return xr.DataArray(values, dims=("presentation", "choice"), coords=coords | {"choice": ("choice", choices)})


def _column(fitting: Stimuli, name: str) -> np.ndarray:
    if name not in fitting.table.columns:
        raise InvalidStimuli(
            f"fitting stimuli {fitting.identifier!r}: no column {name!r} among {list(fitting.table.columns)}"
        )
    column = fitting.table[name]
    if column.isna().any():
        raise InvalidStimuli(f"fitting stimuli {fitting.identifier!r}: column {name!r} has {column.isna().sum()} gaps")
    return column.to_numpy()


def _few(labels: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(repr, labels[:5])) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
