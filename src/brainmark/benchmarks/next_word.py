"""Prediction of running text that no model here was trained on: the test part of wikitext-2, and a tenth of Brown.

Probabilities are per character, so that models with different tokenizers compare; perplexity per word and bits per
character are among the details.
"""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, Control, benchmarks, datasets, metrics, untrained_twin
from brainmark.core.comparison import Comparison
from brainmark.core.experiment import Ask, Experiment, NextWord, Read
from brainmark.core.libraries import np, xr

TEXTS = {"Wikitext": "Wikitext2.test", "Brown": "Brown.held_out"}
MEASURES = {
    "probability": ("text_probability", "Geometric mean probability of a character"),
    "next_word": ("next_word_accuracy", "Share of next words that are the likeliest one"),
}


def _register(text: str, measure: str) -> None:
    name, dataset = f"{text}-{measure}", TEXTS[text]
    metric, summary = MEASURES[measure]
    source = datasets[dataset].card
    card = BenchmarkCard(
        summary=f"{summary} in {source.summary[:1].lower()}{source.summary[1:]}",
        licence=source.licence,
        cite=source.cite,
        domain="language",
        species=("none",),
        region="behavior",
        parent="engineering",
        datasets=(dataset,),
        metric=metric,
        tags=("engineering", "many stimuli"),
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Each word given those before it in its text; draws of texts for the interval."""
        study = datasets[dataset].load()
        options = {"context": "source"} if measure == "probability" else {}
        ask: Ask = Read("surprisal") if measure == "probability" else NextWord()
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, ask, study.setting),
            study.measurement,
            metric=metrics[metric].load(**options),
            controls=(Control(*FLOORS[measure]), untrained_twin()),
        )


def _uniform(benchmark: Benchmark, _: xr.DataArray) -> Comparison:
    """Every character is one of 26 letters and the space, all equally likely."""
    target = benchmark.mean_target
    return benchmark.metric(target.copy(data=np.log2(27) * target.coords["characters"].values), target)


def most_frequent_word(benchmark: Benchmark, _: xr.DataArray) -> Comparison:
    """The most frequent word of the text, always."""
    target = benchmark.mean_target
    words, counts = np.unique(target.coords["next_word"].values, return_counts=True)
    word = words[words != ""][counts[words != ""].argmax()]
    return benchmark.metric(target.copy(data=np.full(target.shape, word)), target)


FLOORS = {"probability": ("uniform characters", _uniform), "next_word": ("most frequent word", most_frequent_word)}

for _text in TEXTS:
    for _measure in MEASURES:
        _register(_text, _measure)
