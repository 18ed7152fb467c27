"""Adapters that make subjects of Brainmark usable in the Brain-Score packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from brainmark.brainscore.subjects.packages import brainscore, theirs
from brainmark.core.errors import NotApplicable
from brainmark.core.experiment import Choose, Experiment, NextWord, OddOneOut, Read, Record, Setting
from brainmark.core.libraries import np, pd, xr
from brainmark.core.stimuli import ImageFiles, Stimuli
from brainmark.core.subject import Subject
from brainmark.models.subjects.classes import imagenet_classes


def to_brainscore_vision(subject: Subject, degrees: float | None = None) -> Any:
    """Return a `BrainModel` of brainscore-vision that answers for one of our subjects.

    `degrees` is the field of view that their benchmarks fit stimuli to; default: the subject's own, or 8.

    Raises
    ------
    MissingDependency : brainscore-vision is not installed.
    """
    assemblies = theirs("assemblies")
    interface = brainscore("brainscore_vision.model_interface").BrainModel
    field = float(degrees if degrees is not None else getattr(subject, "degrees", 8.0))

    class Model(interface):
        """A Brainmark subject behind their interface, which keeps the last task as state."""

        identifier = subject.identifier

        def __init__(self) -> None:
            self._ask: Callable[[Any], Any] | None = None

        def visual_degrees(self) -> float:
            return int(field) if field.is_integer() else field

        def start_recording(self, recording_target: str, time_bins: Sequence[tuple[int, int]]) -> None:
            self._ask = lambda shown: self._recording(shown, Record(str(recording_target), _parse_bins(time_bins)))

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
            return subject.perform(Experiment(_to_our_stimuli(shown), ask, self._setting))

        def _recording(self, shown: Any, ask: Record) -> Any:
            answer = self._perform(shown, ask)
            answer = answer.mean("repetition", keep_attrs=True) if "repetition" in answer.dims else answer
            return assemblies.NeuroidAssembly(
                answer.values, coords={**_columns(shown), **_coordinates(answer)}, dims=answer.dims
            )

        def _labels(self, shown: Any, labels: Any) -> Any:
            if isinstance(labels, str) and labels == "imagenet":
                labels = [one.wnid for one in imagenet_classes()]
            labels = [str(label) for label in labels]
            best = self._perform(shown, Choose(tuple(labels))).transpose("presentation", "choice").values.argmax(1)
            words = [labels[i] for i in best]
            coords = {**_columns(shown), "label": ("presentation", words), "logit": ("presentation", best)}
            return assemblies.BehavioralAssembly([words], coords=coords, dims=["choice", "presentation"])

        def _probabilities(self, shown: Any, fitting: Any) -> Any:
            known = _to_our_stimuli(fitting, label=fitting["image_label"].astype(str).to_numpy())
            answer = self._perform(shown, Choose(fitting=known)).transpose("presentation", "choice")
            coords = {**_columns(shown), "choice": ("choice", list(answer.coords["choice"].values.astype(str)))}
            return assemblies.BehavioralAssembly(answer.values, coords=coords, dims=["presentation", "choice"])

        def _odd(self, shown: Any) -> Any:
            ids, files = _list_files(shown)
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
    assemblies = theirs("assemblies")
    interface = brainscore("brainscore_language.artificial_subject").ArtificialSubject

    class TheirInterface(interface):
        """A Brainmark subject behind their interface, which keeps the last task as state."""

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

    return TheirInterface()


def _parse_bins(given: Any) -> tuple[tuple[float, float], ...]:
    """Read time bins (ms) from nested lists and arrays: their benchmarks also pass a pair in an array in a list."""
    numbers = list(_flatten_numbers(given))
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _flatten_numbers(given: Any) -> Iterator[float]:
    given = given.tolist() if isinstance(given, np.ndarray) else given
    if isinstance(given, list | tuple):
        for one in cast("Sequence[Any]", given):
            yield from _flatten_numbers(one)
    else:
        yield float(given)


def _coordinates(answer: xr.DataArray) -> dict[str, tuple[Any, Any]]:
    """Return the coordinates of an answer, but those of the presentations: theirs come from the stimuli."""
    return {str(n): (c.dims, c.values) for n, c in answer.coords.items() if c.dims and c.dims != ("presentation",)}


def _columns(shown: Any) -> dict[str, tuple[str, Any]]:
    """Return the columns of their stimulus set as coordinates; of a list of files, the files."""
    ids, files = _list_files(shown)
    columns = {"stimulus_id": ("presentation", ids), "stimulus_path": ("presentation", [str(f) for f in files])}
    if isinstance(shown, pd.DataFrame):
        columns |= {str(c): ("presentation", shown[c].to_numpy()) for c in shown.columns}
    return columns


def _list_files(shown: Any) -> tuple[list[str], list[Path]]:
    if isinstance(shown, pd.DataFrame):
        ids = shown["stimulus_id"].tolist()
        return [str(i) for i in ids], [Path(cast(Any, shown).get_stimulus(i)) for i in ids]
    return [Path(p).name for p in shown], [Path(p) for p in shown]


def _to_our_stimuli(shown: Any, label: Any = None) -> Stimuli:
    ids, files = _list_files(shown)
    columns = {c: shown[c].to_numpy() for c in shown.columns} if isinstance(shown, pd.DataFrame) else {}
    table = pd.DataFrame(columns | {"stimulus_id": ids} | ({} if label is None else {"label": label}))
    name = getattr(shown, "identifier", None)
    return Stimuli(name if isinstance(name, str) else "stimuli", "image", table, ImageFiles(tuple(files)))
