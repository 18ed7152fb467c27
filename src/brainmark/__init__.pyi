from .core.benchmark import Benchmark, Control
from .core.cards import BenchmarkCard, DatasetCard, MetricCard, ModelCard
from .core.comparison import Comparison
from .core.devices import compute_on
from .core.errors import BrainmarkError, NotApplicable
from .core.experiment import Experiment, Record, Setting
from .core.lookup import (
    list_benchmarks,
    list_datasets,
    list_metrics,
    list_models,
    load_benchmark,
    load_dataset,
    load_metric,
    load_model,
)  # fmt: skip
from .core.score import Failure, Score
from .core.stimuli import Stimuli
from .core.subject import Subject
from .models.subjects.features import features
from .models.subjects.vision import VisionSubject
from .run.execution import score_all
from .run.scoring import score

__version__: str
__all__ = [
    "Benchmark",
    "BenchmarkCard",
    "BrainmarkError",
    "Comparison",
    "Control",
    "DatasetCard",
    "Experiment",
    "Failure",
    "MetricCard",
    "ModelCard",
    "NotApplicable",
    "Record",
    "Score",
    "Setting",
    "Stimuli",
    "Subject",
    "VisionSubject",
    "compute_on",
    "features",
    "list_benchmarks",
    "list_datasets",
    "list_metrics",
    "list_models",
    "load_benchmark",
    "load_dataset",
    "load_metric",
    "load_model",
    "score",
    "score_all",
]
