"""Adapters that make subjects of the Brain-Score packages usable in Brainmark."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from brainmark.brainscore.subjects.packages import theirs
from brainmark.core.cards import Domain
from brainmark.core.errors import MissingDependency, ModelError, NotApplicable
from brainmark.core.experiment import Choose, Experiment, NextWord, OddOneOut, Read, Record
from brainmark.core.libraries import Image, np, pd, xr
from brainmark.core.stimuli import Stimuli
from brainmark.core.subject import Subject
from brainmark.models.subjects.observer import as_answer
from brainmark.models.subjects.tokens import parts_of_contexts, restore_order

RESPONSE = (70, 170)
"""Time bin (ms) that their models record when an experiment names none: that of their recordings of V4 and IT."""
LANGUAGE_TARGETS = {
    "language": "language_system",
    "language_system": "language_system",
    "language_system_left_hemisphere": "language_system_left_hemisphere",
    "language_system_right_hemisphere": "language_system_right_hemisphere",
}
"""Our regions -> their recording targets."""
_state = threading.RLock()  # their subjects remember what they were last asked: one experiment at a time


def from_brainscore(model: Any, identifier: str | None = None) -> Subject:
    """Return a subject that answers experiments by asking one of theirs.

    Parameters
    ----------
    model : a `BrainModel` (``look_at``) or an `ArtificialSubject` (``digest_text``).
    identifier : name; default: the model's own.

    Raises
    ------
    TypeError : the object has neither method.
    """
    own = model.identifier() if callable(getattr(model, "identifier", None)) else getattr(model, "identifier", None)
    name = identifier or str(own or type(model).__name__)
    if callable(getattr(model, "look_at", None)):
        return _Looking(name, model)
    if callable(getattr(model, "digest_text", None)):
        return _TheirLanguageSubject(name, model)
    raise TypeError(f"a {type(model).__name__} has neither look_at nor digest_text: it is not a subject of Brain-Score")


@dataclass(frozen=True, eq=False)
class _Looking:
    """A `BrainModel` of brainscore-vision as a subject."""

    identifier: str
    model: Any

    def perform(self, experiment: Experiment) -> xr.DataArray:
        ask, stimuli = experiment.ask, experiment.stimuli
        if stimuli.modality != "image":
            raise NotApplicable(f"{self.identifier} looks at images, not at stimuli of modality {stimuli.modality!r}")
        with _state, tempfile.TemporaryDirectory(prefix="brainmark-") as folder:
            shown = self._on_screen(stimuli, experiment.setting.degrees, Path(folder) / "shown")
            if isinstance(ask, Record):
                return self._record(ask, shown, experiment)
            if isinstance(ask, Choose):
                return self._choose(ask, shown, experiment, Path(folder))
            if isinstance(ask, OddOneOut):
                self.model.start_task("odd_one_out")
                return _find_odd_ones(self.model.look_at(shown, number_of_trials=experiment.setting.trials), stimuli)
        raise NotApplicable(f"{self.identifier}: Brain-Score's models of vision cannot answer {type(ask).__name__}")

    def _record(self, ask: Record, shown: Any, experiment: Experiment) -> xr.DataArray:
        if ask.eccentricity is not None:
            raise NotApplicable(f"{self.identifier}: Brain-Score's models do not state receptive fields of their units")
        self.model.start_task("passive", None)
        bins = [(int(a), int(b)) for a, b in ask.time_bins] or [RESPONSE]
        self.model.start_recording(ask.region, time_bins=bins)
        answer = _to_ours(self.model.look_at(shown, number_of_trials=experiment.setting.trials), experiment.stimuli)
        if "time_bin" in answer.dims and not ask.time_bins:
            answer = answer.isel(time_bin=0, drop=True)
        elif "time_bin" not in answer.dims and ask.time_bins:  # they may leave it out when there is one
            start, end = np.asarray(ask.time_bins, float).T
            answer = answer.expand_dims("time_bin", axis=-1).assign_coords(
                time_bin_start=("time_bin", start), time_bin_end=("time_bin", end)
            )
        return _as_recording(answer, ask.region)

    def _choose(self, ask: Choose, shown: Any, experiment: Experiment, folder: Path) -> xr.DataArray:
        trials = experiment.setting.trials
        if ask.fitting is None:
            self.model.start_task("label", list(ask.labels))
            chosen = _to_ours(self.model.look_at(shown, number_of_trials=trials), experiment.stimuli)
            words = np.asarray(chosen.values, str).reshape(-1)
            given = words[:, None] == np.asarray(ask.labels)[None, :]
            if not given.any(1).all():
                odd = words[~given.any(1)][0]
                raise ModelError(f"{self.identifier} chose {str(odd)!r}, which is not among {list(ask.labels)}")
            return as_answer(experiment, given.astype(np.float32), np.array(ask.labels))
        if "label" not in ask.fitting.table.columns:
            raise ModelError(f"fitting stimuli {ask.fitting.identifier!r} have no column 'label'")
        fitting = self._on_screen(ask.fitting, experiment.setting.degrees, folder / "fitting")
        fitting["image_label"] = ask.fitting.table["label"].astype(str).to_numpy()
        self.model.start_task("probabilities", fitting)
        answer = _to_ours(self.model.look_at(shown, number_of_trials=trials), experiment.stimuli)
        answer = answer.transpose("presentation", "choice")
        return as_answer(experiment, answer.values, answer.coords["choice"].values.astype(str))

    def _on_screen(self, stimuli: Stimuli, degrees: float | None, folder: Path) -> Any:
        """Write the stimuli as PNG files whose width is the model's field of view: grey is put around, or cut off."""
        own = float(self.model.visual_degrees())
        folder.mkdir()
        paths: list[Path] = []
        for index in range(len(stimuli)):
            paths.append(folder / f"{index:07d}.png")
            shown = _frame(stimuli.media[index], None if degrees is None else own / degrees)
            Image.fromarray(shown).save(paths[-1], compress_level=1)
        return _their_stimuli(stimuli, paths)


@dataclass(frozen=True, eq=False)
class _TheirLanguageSubject:
    """An `ArtificialSubject` of brainscore-language as a subject."""

    domain: ClassVar[Domain] = "language"
    identifier: str
    model: Any

    def perform(self, experiment: Experiment) -> xr.DataArray:
        ask, stimuli = experiment.ask, experiment.stimuli
        if stimuli.modality != "text":
            raise NotApplicable(f"{self.identifier} takes texts, not stimuli of modality {stimuli.modality!r}")
        with _state:
            if isinstance(ask, Record):
                part, target = "neural", LANGUAGE_TARGETS.get(ask.region)
                if target is None or ask.time_bins or ask.eccentricity is not None:
                    raise NotApplicable(
                        f"{self.identifier} records one value for each part of a text, in "
                        f"{', '.join(LANGUAGE_TARGETS)}; asked for {ask}"
                    )
                self._stop_recording()
                self.model.start_neural_recording(recording_target=target, recording_type="fMRI")
            elif isinstance(ask, NextWord) or (isinstance(ask, Read) and ask.measure == "reading_time"):
                part = "behavior"
                self.model.start_behavioral_task("next_word" if isinstance(ask, NextWord) else "reading_times")
            else:
                raise NotApplicable(f"{self.identifier}: Brain-Score's models of language cannot answer {ask}")
            answers = [self._digest(part, text) for text, _ in parts_of_contexts(experiment)]
        return self._join(answers, experiment)

    def _digest(self, part: str, text: list[str]) -> xr.DataArray:
        answer = self.model.digest_text(text).get(part)
        if answer is None:
            raise ModelError(f"{self.identifier}: digest_text gives no {part!r}")
        if answer.sizes["presentation"] != len(text):
            raise ModelError(
                f"{self.identifier}: {answer.sizes['presentation']} answers to {len(text)} parts of a text"
            )
        return _flatten(answer)

    def _stop_recording(self) -> None:
        """Begin anew: their wrapper of Hugging Face models adds each recording to the last one."""
        targets = getattr(self.model, "neural_recordings", None)
        if isinstance(targets, list):
            targets.clear()

    def _join(self, answers: Sequence[xr.DataArray], experiment: Experiment) -> xr.DataArray:
        if not isinstance(experiment.ask, Record):
            values = np.concatenate([np.asarray(a.values).reshape(a.sizes["presentation"], -1)[:, 0] for a in answers])
            if isinstance(experiment.ask, Read):
                values = values.astype(np.float64)
            return as_answer(experiment, restore_order(experiment, values))
        parts = [a.transpose("presentation", "neuroid") for a in answers]
        values = restore_order(experiment, np.concatenate([np.asarray(p.values, np.float32) for p in parts]))
        answer = xr.DataArray(
            values,
            dims=("presentation", "neuroid"),
            coords={
                "stimulus_id": ("presentation", experiment.stimuli.ids),
                **{n: ("neuroid", c.values) for n, c in parts[0].coords.items() if c.dims == ("neuroid",)},
            },
        )
        return _as_recording(answer, experiment.ask.region)


@cache
def _stimulus_set() -> type[pd.DataFrame]:
    """Return the class of their table of stimuli, or what it has beside columns, where their package is missing."""
    with contextlib.suppress(MissingDependency):
        return theirs("stimuli").StimulusSet

    class StimulusSet(pd.DataFrame):
        _metadata: ClassVar[list[str]] = ["identifier", "stimulus_paths"]

        @property
        def _constructor(self) -> type[pd.DataFrame]:
            return StimulusSet

        def get_stimulus(self, stimulus_id: str) -> str:
            return self.stimulus_paths[stimulus_id]

    return StimulusSet


def _their_stimuli(stimuli: Stimuli, paths: Sequence[Path]) -> Any:
    """Return their table of stimuli without a name: under a name they keep activations from one call to the next."""
    table = stimuli.table.reset_index()
    shown: Any = _stimulus_set()(table)
    shown.stimulus_paths = dict(zip(table["stimulus_id"].tolist(), map(str, paths), strict=True))
    shown.identifier = None
    return shown


def _frame(image: np.ndarray, ratio: float | None) -> np.ndarray:
    """Put grey around an image, or cut it, so that its sides are `ratio` times as long; pixels stay as they are."""
    if ratio is None or ratio == 1:
        return image
    height, width = image.shape[:2]
    rows, columns = max(1, round(height * ratio)), max(1, round(width * ratio))
    canvas = np.full((rows, columns, 3), 128, np.uint8)
    top, left = round((rows - height) / 2), round((columns - width) / 2)
    inside = image[max(0, -top) : max(0, -top) + rows, max(0, -left) : max(0, -left) + columns]
    top, left = max(0, top), max(0, left)
    canvas[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return canvas


def _flatten(assembly: Any) -> xr.DataArray:
    """Return a plain array with flat coordinates from one of theirs, whose coordinates are levels of indexes."""
    coords: dict[str, tuple[Any, Any]] = {}
    for name, coord in assembly.coords.items():
        if coord.dims and isinstance(index := assembly.indexes.get(name), pd.MultiIndex):
            levels = {str(n): index.get_level_values(i).to_numpy() for i, n in enumerate(index.names)}
            coords |= {n: (coord.dims, values) for n, values in levels.items()}
        elif coord.dims:
            coords.setdefault(str(name), (coord.dims, np.asarray(coord.values)))
    return xr.DataArray(np.asarray(assembly.values), dims=assembly.dims, coords=coords)


def _to_ours(assembly: Any, stimuli: Stimuli) -> xr.DataArray:
    """Return their answer as a plain array with the presentations in our order.

    Raises
    ------
    ModelError : it does not say which stimulus is which, or leaves some out.
    """
    answer = _flatten(assembly)
    ids = answer.coords["stimulus_id"].values.astype(str) if "stimulus_id" in answer.coords else None
    if ids is None or answer.coords["stimulus_id"].dims != ("presentation",):
        raise ModelError("the answer has no coordinate 'stimulus_id' along its presentations")
    row_of = {name: row for row, name in enumerate(ids.tolist())}
    missing = [name for name in stimuli.ids.tolist() if name not in row_of]
    if missing or len(ids) != len(stimuli):
        what = f"; none of stimulus {missing[0]!r}" if missing else ""
        raise ModelError(f"{len(ids)} presentations answer {len(stimuli)} stimuli{what}")
    rows = [row_of[name] for name in stimuli.ids.tolist()]
    return answer.isel(presentation=rows).assign_coords(stimulus_id=("presentation", stimuli.ids))


def _as_recording(answer: xr.DataArray, region: str) -> xr.DataArray:
    """Give a recording what the contract asks for: order of dimensions, unique neuroids, the region."""
    dims = ["presentation", "neuroid", *(d for d in ("time_bin",) if d in answer.dims)]
    answer = answer.transpose(*dims).astype(np.float32, copy=False)
    count = answer.sizes["neuroid"]
    kept = {n: c for n, c in answer.coords.items() if c.dims != ("presentation",) or n == "stimulus_id"}
    answer = xr.DataArray(answer.values, dims=answer.dims, coords=kept)
    names = answer.coords["neuroid_id"].values.astype(str) if "neuroid_id" in answer.coords else None
    if names is None or len(set(names)) < count:
        names = np.arange(count).astype(str)
    return answer.assign_coords(neuroid_id=("neuroid", names), region=("neuroid", np.full(count, region)))


def _find_odd_ones(assembly: Any, stimuli: Stimuli) -> xr.DataArray:
    """Return the positions in their triplets; what they say are positions (their interface) or names (their models)."""
    said, triplets = np.asarray(assembly.values).reshape(-1), stimuli.ids.reshape(-1, 3)
    if said.dtype.kind not in "iuf":
        same = triplets == said.astype(str)[:, None]
        if not same.any(1).all():
            raise ModelError(f"odd one {str(said[~same.any(1)][0])!r} is not in its triplet")
        said = same.argmax(1)
    coords = {"stimulus_id": ("presentation", triplets[:, 0])}
    return xr.DataArray(said.astype(int), dims="presentation", coords=coords)
