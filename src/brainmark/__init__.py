"""Scores computational models of natural intelligence against brains and behaviour.

    >>> import brainmark
    >>> brainmark.score("gabor", "Simulated.IT-ridge")  # doctest: +SKIP

Importing this package loads no array library; each name loads its module when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core.lazy import attach

if TYPE_CHECKING:
    from brainmark.core.benchmark import Benchmark, Control
    from brainmark.core.cards import BenchmarkCard, DatasetCard, MetricCard, ModelCard
    from brainmark.core.comparison import Comparison
    from brainmark.core.errors import BrainmarkError, NotApplicable
    from brainmark.core.experiment import Experiment, Record, Setting
    from brainmark.core.lookup import (
        list_benchmarks,
        list_datasets,
        list_metrics,
        list_models,
        load_benchmark,
        load_dataset,
        load_metric,
        load_model,
    )  # fmt: skip
    from brainmark.core.score import Failure, Score
    from brainmark.core.stimuli import Stimuli
    from brainmark.core.subject import Subject
    from brainmark.models.commitment import VisionSubject
    from brainmark.run.scoring import score, score_all

__version__ = "0.1.0"

_HOMES = {
    "core.benchmark": "Benchmark Control",
    "core.cards": "BenchmarkCard DatasetCard MetricCard ModelCard",
    "core.comparison": "Comparison",
    "core.errors": "BrainmarkError NotApplicable",
    "core.experiment": "Experiment Record Setting",
    "core.lookup": (
        "list_benchmarks list_datasets list_metrics list_models load_benchmark load_dataset load_metric load_model"
    ),
    "core.score": "Failure Score",
    "core.stimuli": "Stimuli",
    "core.subject": "Subject",
    "models.commitment": "VisionSubject",
    "run.scoring": "score score_all",
}
__getattr__, __dir__, __all__ = attach(__name__, _HOMES)
