"""Subjects of the Brain-Score packages take part here, and subjects of ours take part there.

Their interfaces (brainscore-vision 2.4 `BrainModel`, brainscore-language 2.3 `ArtificialSubject`) keep state between
calls and hand over labelled arrays of their own; ours is one pure call. Nothing of theirs is imported before a subject
of theirs is used: install this package into the environment that has theirs.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
import xarray as xr

from brainmark.core.cards import Domain
from brainmark.core.errors import MissingDependency, ModelError, NotApplicable
from brainmark.core.experiment import Choose, Experiment, NextWord, OddOneOut, Read, Record, Setting
from brainmark.core.stimuli import ImageFiles, Stimuli
from brainmark.core.subject import Subject

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
        return _Reading(name, model)
    raise TypeError(f"a {type(model).__name__} has neither look_at nor digest_text: it is no subject of Brain-Score")


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
                return _odd_ones(self.model.look_at(shown, number_of_trials=experiment.setting.trials), stimuli)
        raise NotApplicable(f"{self.identifier}: Brain-Score's models of vision cannot answer {type(ask).__name__}")

    def _record(self, ask: Record, shown: Any, experiment: Experiment) -> xr.DataArray:
        if ask.eccentricity is not None:
            raise NotApplicable(f"{self.identifier}: Brain-Score's models do not say where in the field units look")
        self.model.start_task("passive", None)
        bins = [(int(a), int(b)) for a, b in ask.time_bins] or [RESPONSE]
        self.model.start_recording(ask.region, time_bins=bins)
        answer = _ours(self.model.look_at(shown, number_of_trials=experiment.setting.trials), experiment.stimuli)
        if "time_bin" in answer.dims and not ask.time_bins:
            answer = answer.isel(time_bin=0, drop=True)
        elif "time_bin" not in answer.dims and ask.time_bins:  # they may leave it out when there is one
            start, end = np.asarray(ask.time_bins, float).T
            answer = answer.expand_dims("time_bin", axis=-1).assign_coords(
                time_bin_start=("time_bin", start), time_bin_end=("time_bin", end)
            )
        return _recorded(answer, ask.region)

    def _choose(self, ask: Choose, shown: Any, experiment: Experiment, folder: Path) -> xr.DataArray:
        trials = experiment.setting.trials
        if ask.fitting is None:
            self.model.start_task("label", list(ask.labels))
            chosen = _ours(self.model.look_at(shown, number_of_trials=trials), experiment.stimuli)
            words = np.asarray(chosen.values, str).reshape(-1)
            given = words[:, None] == np.asarray(ask.labels)[None, :]
            if not given.any(1).all():
                odd = words[~given.any(1)][0]
                raise ModelError(f"{self.identifier} chose {str(odd)!r}, which is not among {list(ask.labels)}")
            return _behaviour(given.astype(np.float32), experiment.stimuli, ask.labels)
        if "label" not in ask.fitting.table.columns:
            raise ModelError(f"fitting stimuli {ask.fitting.identifier!r} have no column 'label'")
        fitting = self._on_screen(ask.fitting, experiment.setting.degrees, folder / "fitting")
        fitting["image_label"] = ask.fitting.table["label"].astype(str).to_numpy()
        self.model.start_task("probabilities", fitting)
        answer = _ours(self.model.look_at(shown, number_of_trials=trials), experiment.stimuli)
        answer = answer.transpose("presentation", "choice")
        return _behaviour(answer.values, experiment.stimuli, answer.coords["choice"].values.astype(str))

    def _on_screen(self, stimuli: Stimuli, degrees: float | None, folder: Path) -> Any:
        """Write the stimuli as PNG files whose width is the model's field of view: grey is put around, or cut off."""
        own = float(self.model.visual_degrees())
        folder.mkdir()
        paths: list[Path] = []
        for index in range(len(stimuli)):
            paths.append(folder / f"{index:07d}.png")
            _save(_framed(stimuli.media[index], None if degrees is None else own / degrees), paths[-1])
        return _their_stimuli(stimuli, paths)


@dataclass(frozen=True, eq=False)
class _Reading:
    """An `ArtificialSubject` of brainscore-language as a subject."""

    domain: ClassVar[Domain] = "language"
    identifier: str
    model: Any

    def perform(self, experiment: Experiment) -> xr.DataArray:
        ask, stimuli = experiment.ask, experiment.stimuli
        if stimuli.modality != "text":
            raise NotApplicable(f"{self.identifier} reads text, not stimuli of modality {stimuli.modality!r}")
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
            told = [(c, self._digest(part, [str(stimuli.media[i]) for i in c])) for c in experiment.contexts]
        return self._joined(told, experiment)

    def _digest(self, part: str, text: list[str]) -> xr.DataArray:
        answer = self.model.digest_text(text).get(part)
        if answer is None:
            raise ModelError(f"{self.identifier}: digest_text gives no {part!r}")
        if answer.sizes["presentation"] != len(text):
            raise ModelError(
                f"{self.identifier}: {answer.sizes['presentation']} answers to {len(text)} parts of a text"
            )
        return _flat(answer)

    def _stop_recording(self) -> None:
        """Their wrapper of Hugging Face models adds each recording to the last one; begin anew."""
        targets = getattr(self.model, "neural_recordings", None)
        if isinstance(targets, list):
            targets.clear()

    def _joined(self, told: Sequence[tuple[list[int], xr.DataArray]], experiment: Experiment) -> xr.DataArray:
        order = np.argsort([i for context, _ in told for i in context])
        ids = experiment.stimuli.ids
        if not isinstance(experiment.ask, Record):
            values = np.concatenate([np.asarray(a.values).reshape(len(c), -1)[:, 0] for c, a in told])[order]
            if isinstance(experiment.ask, Read):
                values = values.astype(np.float64)
            return xr.DataArray(values, dims="presentation", coords={"stimulus_id": ("presentation", ids)})
        parts = [a.transpose("presentation", "neuroid") for _, a in told]
        values = np.concatenate([np.asarray(p.values, np.float32) for p in parts])[order]
        answer = xr.DataArray(
            values,
            dims=("presentation", "neuroid"),
            coords={
                "stimulus_id": ("presentation", ids),
                **{n: ("neuroid", c.values) for n, c in parts[0].coords.items() if c.dims == ("neuroid",)},
            },
        )
        return _recorded(answer, experiment.ask.region)


def to_brainscore_vision(subject: Subject, degrees: float | None = None) -> Any:
    """Return a `BrainModel` of brainscore-vision that answers for one of our subjects.

    `degrees` is the field of view that their benchmarks fit stimuli to; default: the subject's own, or 8.

    Raises
    ------
    MissingDependency : brainscore-vision is not installed.
    """
    assemblies = _theirs("assemblies")
    interface = _brainscore("brainscore_vision.model_interface").BrainModel
    field = float(degrees if degrees is not None else getattr(subject, "degrees", 8.0))

    class Model(interface):
        """One of our subjects; remembers what it was last asked, as their interface wants."""

        identifier = subject.identifier

        def __init__(self) -> None:
            self._ask: Callable[[Any], Any] | None = None

        def visual_degrees(self) -> float:
            return int(field) if field.is_integer() else field

        def start_recording(self, recording_target: str, time_bins: Sequence[tuple[int, int]]) -> None:
            self._ask = lambda shown: self._recording(shown, Record(str(recording_target), _bins(time_bins)))

        def start_task(self, task: str, fitting_stimuli: Any = None, **_: Any) -> None:
            if task == "passive":
                self._ask = None
            elif task == "label":
                self._ask = lambda shown: self._labels(shown, fitting_stimuli)
            elif task == "probabilities":
                self._ask = lambda shown: self._probabilities(shown, fitting_stimuli)
            elif task == "odd_one_out":
                self._ask = self._odd
            else:
                raise NotApplicable(f"unknown task {task!r} (passive, label, probabilities, odd_one_out)")

        def look_at(self, stimuli: Any, number_of_trials: int = 1, **_: Any) -> Any:
            self._setting = Setting(degrees=field, trials=int(number_of_trials))
            return None if self._ask is None else self._ask(stimuli)

        def _perform(self, shown: Any, ask: Any) -> xr.DataArray:
            return subject.perform(Experiment(_our_stimuli(shown), ask, self._setting))

        def _recording(self, shown: Any, ask: Record) -> Any:
            answer = self._perform(shown, ask)
            answer = answer.mean("repetition", keep_attrs=True) if "repetition" in answer.dims else answer
            return assemblies.NeuroidAssembly(
                answer.values, coords={**_columns(shown), **_coordinates(answer)}, dims=answer.dims
            )

        def _labels(self, shown: Any, labels: Any) -> Any:
            if isinstance(labels, str) and labels == "imagenet":
                from brainmark.models.classes import imagenet_classes

                labels = imagenet_classes()
            labels = [str(label) for label in labels]
            best = self._perform(shown, Choose(tuple(labels))).transpose("presentation", "choice").values.argmax(1)
            words = [labels[i] for i in best]
            coords = {**_columns(shown), "label": ("presentation", words), "logit": ("presentation", best)}
            return assemblies.BehavioralAssembly([words], coords=coords, dims=["choice", "presentation"])

        def _probabilities(self, shown: Any, fitting: Any) -> Any:
            known = _our_stimuli(fitting, label=fitting["image_label"].astype(str).to_numpy())
            answer = self._perform(shown, Choose(fitting=known)).transpose("presentation", "choice")
            coords = {**_columns(shown), "choice": ("choice", list(answer.coords["choice"].values.astype(str)))}
            return assemblies.BehavioralAssembly(answer.values, coords=coords, dims=["presentation", "choice"])

        def _odd(self, shown: Any) -> Any:
            ids, files = _named_files(shown)
            table = pd.DataFrame({"stimulus_id": [f"{i}:{name}" for i, name in enumerate(ids)]})
            stimuli = Stimuli("triplets", "image", table, ImageFiles(tuple(files)))
            odd = subject.perform(Experiment(stimuli, OddOneOut(), self._setting)).values.astype(int)
            triplets = np.array(ids).reshape(-1, 3)
            return assemblies.BehavioralAssembly(
                [list(triplets[np.arange(len(odd)), odd])],
                coords={"stimulus_id": ("presentation", ["|".join(three) for three in triplets])},
                dims=["choice", "presentation"],
            )

    return Model()


def to_brainscore_language(subject: Subject, region: str = "language") -> Any:
    """Return an `ArtificialSubject` of brainscore-language that answers for one of our subjects.

    `region` is what the subject calls the language system.

    Raises
    ------
    MissingDependency : brainscore-language is not installed.
    """
    assemblies = _theirs("assemblies")
    interface = _brainscore("brainscore_language.artificial_subject").ArtificialSubject

    class Reader(interface):
        """One of our subjects; remembers what it was last asked, as their interface wants."""

        def __init__(self) -> None:
            self._behavior: NextWord | Read | None = None
            self._neural: Record | None = None

        def identifier(self) -> str:
            return subject.identifier

        def start_behavioral_task(self, task: str) -> None:
            asks = {"next_word": NextWord(), "reading_times": Read("reading_time")}
            if task not in asks:
                raise NotApplicable(f"unknown task {task!r} ({', '.join(asks)})")
            self._behavior = asks[task]

        def start_neural_recording(self, recording_target: str, recording_type: str) -> None:
            self._neural = Record(region)

        def digest_text(self, text: str | list[str]) -> dict[str, Any]:
            parts = [text] if isinstance(text, str) else list(text)
            table = pd.DataFrame({"stimulus_id": range(len(parts)), "text": parts, "context": 0})
            stimuli = Stimuli("text", "text", table)
            coords = {"stimulus": ("presentation", parts), "stimulus_id": ("presentation", np.arange(len(parts)))}
            said: dict[str, Any] = {}
            for part, ask in (("behavior", self._behavior), ("neural", self._neural)):
                if ask is None:
                    continue
                answer = subject.perform(Experiment(stimuli, ask, Setting(context="context")))
                kind = assemblies.BehavioralAssembly if part == "behavior" else assemblies.NeuroidAssembly
                said[part] = kind(answer.values, coords={**coords, **_coordinates(answer)}, dims=answer.dims)
            return said

    return Reader()


def _bins(given: Any) -> tuple[tuple[float, float], ...]:
    """Time bins (ms) out of nested lists and arrays: their benchmarks also hand over a pair in an array in a list."""
    numbers = list(_numbers(given))
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _numbers(given: Any) -> Iterator[float]:
    given = given.tolist() if isinstance(given, np.ndarray) else given
    if isinstance(given, list | tuple):
        for one in cast("Sequence[Any]", given):
            yield from _numbers(one)
    else:
        yield float(given)


def _coordinates(answer: xr.DataArray) -> dict[str, tuple[Any, Any]]:
    """Coordinates of an answer, but those of the presentations: theirs come from the stimuli."""
    return {str(n): (c.dims, c.values) for n, c in answer.coords.items() if c.dims and c.dims != ("presentation",)}


def _columns(shown: Any) -> dict[str, tuple[str, Any]]:
    """Columns of their stimulus set as coordinates; of a list of files, the files."""
    ids, files = _named_files(shown)
    columns = {"stimulus_id": ("presentation", ids), "stimulus_path": ("presentation", [str(f) for f in files])}
    if isinstance(shown, pd.DataFrame):
        columns |= {str(c): ("presentation", shown[c].to_numpy()) for c in shown.columns}
    return columns


def _named_files(shown: Any) -> tuple[list[str], list[Path]]:
    if isinstance(shown, pd.DataFrame):
        ids = shown["stimulus_id"].tolist()
        return [str(i) for i in ids], [Path(cast(Any, shown).get_stimulus(i)) for i in ids]
    return [Path(p).name for p in shown], [Path(p) for p in shown]


def _our_stimuli(shown: Any, label: Any = None) -> Stimuli:
    ids, files = _named_files(shown)
    columns = {c: shown[c].to_numpy() for c in shown.columns} if isinstance(shown, pd.DataFrame) else {}
    table = pd.DataFrame(columns | {"stimulus_id": ids} | ({} if label is None else {"label": label}))
    name = getattr(shown, "identifier", None)
    return Stimuli(name if isinstance(name, str) else "stimuli", "image", table, ImageFiles(tuple(files)))


class _StimulusSet(pd.DataFrame):
    """What their table of stimuli has beside columns."""

    _metadata: ClassVar[list[str]] = ["identifier", "stimulus_paths"]

    @property
    def _constructor(self) -> type[_StimulusSet]:
        return _StimulusSet

    def get_stimulus(self, stimulus_id: str) -> str:
        return self.stimulus_paths[stimulus_id]


def _their_stimuli(stimuli: Stimuli, paths: Sequence[Path]) -> Any:
    """Their table of stimuli, without a name: under a name they would keep activations from one call to the next."""
    table = stimuli.table.reset_index()
    kind: Any = _StimulusSet  # if the model keeps to their interface, and does without their package
    with contextlib.suppress(MissingDependency):
        kind = _theirs("stimuli").StimulusSet
    shown = kind(table)
    shown.stimulus_paths = dict(zip(table["stimulus_id"].tolist(), map(str, paths), strict=True))
    shown.identifier = None
    return shown


def _framed(image: np.ndarray, ratio: float | None) -> np.ndarray:
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


def _save(image: np.ndarray, path: Path) -> None:
    from PIL import Image

    Image.fromarray(image).save(path, compress_level=1)


def _flat(assembly: Any) -> xr.DataArray:
    """A plain array with flat coordinates out of one of theirs, whose coordinates are levels of indexes."""
    coords: dict[str, tuple[Any, Any]] = {}
    for name, coord in assembly.coords.items():
        if coord.dims and isinstance(index := assembly.indexes.get(name), pd.MultiIndex):
            levels = {str(n): index.get_level_values(i).to_numpy() for i, n in enumerate(index.names)}
            coords |= {n: (coord.dims, values) for n, values in levels.items()}
        elif coord.dims:
            coords.setdefault(str(name), (coord.dims, np.asarray(coord.values)))
    return xr.DataArray(np.asarray(assembly.values), dims=assembly.dims, coords=coords)


def _ours(assembly: Any, stimuli: Stimuli) -> xr.DataArray:
    """Their answer as a plain array with the presentations in our order.

    Raises
    ------
    ModelError : it does not say which stimulus is which, or leaves some out.
    """
    answer = _flat(assembly)
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


def _recorded(answer: xr.DataArray, region: str) -> xr.DataArray:
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


def _behaviour(values: np.ndarray, stimuli: Stimuli, choices: Sequence[str] | np.ndarray) -> xr.DataArray:
    coords = {"stimulus_id": ("presentation", stimuli.ids), "choice": ("choice", np.asarray(choices, str))}
    return xr.DataArray(values, dims=("presentation", "choice"), coords=coords)


def _odd_ones(assembly: Any, stimuli: Stimuli) -> xr.DataArray:
    """Positions in their triplets; what they say are positions (their interface) or names (their models)."""
    said, triplets = np.asarray(assembly.values).reshape(-1), stimuli.ids.reshape(-1, 3)
    if said.dtype.kind not in "iuf":
        same = triplets == said.astype(str)[:, None]
        if not same.any(1).all():
            raise ModelError(f"odd one {str(said[~same.any(1)][0])!r} is not in its triplet")
        said = same.argmax(1)
    coords = {"stimulus_id": ("presentation", triplets[:, 0])}
    return xr.DataArray(said.astype(int), dims="presentation", coords=coords)


def _theirs(module: str) -> Any:
    return _brainscore(f"brainscore_core.supported_data_standards.brainio.{module}")


def _brainscore(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0].replace("_", "-")
        raise MissingDependency(package, None, "a subject of Brain-Score") from error


__all__ = ["LANGUAGE_TARGETS", "RESPONSE", "from_brainscore", "to_brainscore_language", "to_brainscore_vision"]
