"""The nouns. Importing this package loads no array library; each name loads its module when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core.lazy import attach

if TYPE_CHECKING:
    from brainmark.core.benchmark import Benchmark, Control, control_model, shuffled, untrained_twin
    from brainmark.core.cards import BenchmarkCard, Card, DatasetCard, MetricCard, ModelCard, Source
    from brainmark.core.comparison import Ceiling, Comparison, Metric
    from brainmark.core.errors import (
        BrainmarkError,
        DataError,
        InvalidMeasurement,
        InvalidModel,
        InvalidRegistration,
        InvalidStimuli,
        MethodError,
        MissingData,
        MissingDependency,
        ModelError,
        NotApplicable,
        ResourceError,
        UnknownName,
    )  # fmt: skip
    from brainmark.core.experiment import (
        Ask,
        Choose,
        Decide,
        Experiment,
        Match,
        Move,
        NextWord,
        OddOneOut,
        Prefer,
        Rate,
        Read,
        Record,
        Setting,
    )  # fmt: skip
    from brainmark.core.measurement import check_answer, check_measurement
    from brainmark.core.registry import Entry, Registry, benchmarks, datasets, discover, metrics, models
    from brainmark.core.score import ControlScore, Failure, Score, Stamp
    from brainmark.core.stimuli import ImageFiles, Media, Stimuli
    from brainmark.core.subject import Subject

_HOMES = {
    "benchmark": "Benchmark Control control_model shuffled untrained_twin",
    "cards": "BenchmarkCard Card DatasetCard MetricCard ModelCard Source",
    "comparison": "Ceiling Comparison Metric",
    "errors": (
        "BrainmarkError DataError InvalidMeasurement InvalidModel InvalidRegistration InvalidStimuli MissingData "
        "MissingDependency MethodError ModelError NotApplicable ResourceError UnknownName"
    ),
    "experiment": "Ask Choose Decide Experiment Match Move NextWord OddOneOut Prefer Rate Read Record Setting",
    "measurement": "check_answer check_measurement",
    "registry": "Entry Registry benchmarks datasets discover metrics models",
    "score": "ControlScore Failure Score Stamp",
    "stimuli": "ImageFiles Media Stimuli",
    "subject": "Subject",
}
__getattr__, __dir__, __all__ = attach(__name__, _HOMES)
