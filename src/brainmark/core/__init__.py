"""The terms that all rooms share. Importing this package loads no array library; modules load on first use."""

from __future__ import annotations

from brainmark.core.benchmark import Benchmark, Control
from brainmark.core.cards import BenchmarkCard, Card, DatasetCard, MetricCard, ModelCard, Source
from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.controls import control_model, shuffled, untrained_twin
from brainmark.core.convention import Convention
from brainmark.core.dataset import Dataset
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
from brainmark.core.registry import (
    Entry,
    MetricEntry,
    Registry,
    benchmarks,
    datasets,
    discover,
    metric,
    metrics,
    models,
)
from brainmark.core.score import ControlScore, Failure, Score, Stamp
from brainmark.core.stimuli import ImageFiles, Media, Stimuli
from brainmark.core.study import Study, register_benchmark
from brainmark.core.subject import Subject
from brainmark.core.vocabulary import MetricExample, add_comparison, add_domain, add_modality, add_regions

__all__ = [
    "Ask",
    "Benchmark",
    "BenchmarkCard",
    "BrainmarkError",
    "Card",
    "Ceiling",
    "Choose",
    "Comparison",
    "Control",
    "ControlScore",
    "Convention",
    "DataError",
    "Dataset",
    "DatasetCard",
    "Decide",
    "Entry",
    "Experiment",
    "Failure",
    "ImageFiles",
    "InvalidMeasurement",
    "InvalidModel",
    "InvalidRegistration",
    "InvalidStimuli",
    "Match",
    "Media",
    "MethodError",
    "Metric",
    "MetricCard",
    "MetricEntry",
    "MetricExample",
    "MissingData",
    "MissingDependency",
    "ModelCard",
    "ModelError",
    "Move",
    "NextWord",
    "NotApplicable",
    "OddOneOut",
    "Prefer",
    "Rate",
    "Read",
    "Record",
    "Registry",
    "ResourceError",
    "Score",
    "Setting",
    "Source",
    "Stamp",
    "Stimuli",
    "Study",
    "Subject",
    "UnknownName",
    "add_comparison",
    "add_domain",
    "add_modality",
    "add_regions",
    "benchmarks",
    "check_answer",
    "check_measurement",
    "control_model",
    "datasets",
    "discover",
    "metric",
    "metrics",
    "models",
    "register_benchmark",
    "shuffled",
    "untrained_twin",
]
