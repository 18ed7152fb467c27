"""Prediction of running text that no model here was trained on: the test part of wikitext-2, and a tenth of Brown.

Six old books are a data set, too, on which small language models here are trained and n-grams are counted.

One presentation is a word, given those before it in its text. Probabilities are per character, so that models with
different tokenizers compare; perplexity per word and bits per character are among the details.
"""

from __future__ import annotations

from collections.abc import Mapping

from brainmark.core import (
    Benchmark,
    Comparison,
    Control,
    NextWord,
    Read,
    Setting,
    Stimuli,
    Study,
    datasets,
    register_benchmark,
    untrained_twin,
)
from brainmark.core.libraries import np, pd, xr
from brainmark.data.readers.corpora import (
    BOOKS,
    BOOKS_LICENCE,
    BROWN,
    BROWN_LICENCE,
    WIKITEXT,
    WIKITEXT_LICENCE,
    brown_files,
    each_book,
    wikitext,
)

STUDY = Study(
    licence=WIKITEXT_LICENCE, cite="merity2017", species="none", domain="language", modality="text",
    sources=(WIKITEXT.source("test.txt"),), setting=Setting(context="source"),
)  # fmt: skip


@STUDY.dataset(
    "Wikitext2.test", summary="Paragraphs of the test part of wikitext-2 (articles of Wikipedia), word by word."
)
def read_paragraphs() -> tuple[xr.DataArray, Stimuli]:
    """Read the words (presentation,); each paragraph is a text of its own, headings are left out."""
    return cut_into_words("Wikitext2.test", {f"{k:04d}": text for k, text in enumerate(wikitext("held out"))})


@STUDY.dataset("Wikitext2.lines", summary="Lines of the test part of wikitext-2 as published, cut at white space.")
def read_lines() -> tuple[xr.DataArray, Stimuli]:
    """Read the words (presentation,); each line is a text with headings and marks; its last word is not asked for."""
    raw = WIKITEXT.fetch("test.txt").read_text(encoding="utf-8").splitlines()
    texts = {f"{k:04d}": " ".join(line.split()) for k, line in enumerate(raw)}
    return cut_into_words("Wikitext2.lines", texts, ask_last=False)


@STUDY.dataset(
    "Brown.held_out", licence=BROWN_LICENCE, cite="francis1979", sources=BROWN.sources,
    summary="Running text of 50 files of the Brown corpus that no model here was trained on, word by word.",
)  # fmt: skip
def read_brown() -> tuple[xr.DataArray, Stimuli]:
    """Read the words (presentation,); one text for each file, paragraphs follow each other."""
    files = brown_files("held out").items()
    texts = {name: " ".join(" ".join(sentences) for sentences in paragraphs) for name, paragraphs in files}
    return cut_into_words("Brown.held_out", texts)


@STUDY.dataset(
    "ClassicBooks", licence=BOOKS_LICENCE, cite="classic-books-markdown", sources=BOOKS.sources,
    summary="Running text of six books whose copyright has ended, word by word; models here are trained on it.",
)  # fmt: skip
def read_books() -> tuple[xr.DataArray, Stimuli]:
    """Read the words (presentation,); one text for each book, paragraphs follow each other."""
    return cut_into_words("ClassicBooks", {title: " ".join(book) for title, book in each_book().items()})


def cut_into_words(name: str, texts: Mapping[str, str], ask_last: bool = True) -> tuple[xr.DataArray, Stimuli]:
    """Cut texts at white space, and return their words as presentations.

    The measurement is (presentation,), 1 where a word comes next. Coordinates: ``next_word`` (empty at the end of a
    text), ``source`` (the name of the text) and ``characters`` of the word with the space before it.

    Parameters
    ----------
    name : of the data set.
    texts : by name; empty ones are left out.
    ask_last : whether the last word of a text is one to be predicted.
    """
    words = {key: text.split() for key, text in texts.items() if text.strip()}
    shown = [word for each in words.values() for word in each]
    end = 0 if ask_last else 1
    following = [w for each in words.values() for w in (each[1 : len(each) - end] + [""] * (1 + end))[: len(each)]]
    source = np.repeat(list(words), [len(each) for each in words.values()])
    place = np.concatenate([np.arange(len(each)) for each in words.values()])
    ids = [f"{name}/{key}.{k}" for key, each in words.items() for k in range(len(each))]
    characters = np.array([len(word) for word in shown]) + (place > 0)
    table = pd.DataFrame({"text": shown, "source": source}, index=pd.Index(ids, name="stimulus_id"))
    measurement = xr.DataArray(
        np.array([word != "" for word in following], float),
        dims="presentation",
        coords={
            "stimulus_id": ("presentation", np.array(ids)),
            "next_word": ("presentation", np.array(following)),
            "source": ("presentation", source),
            "characters": ("presentation", characters),
        },
        attrs={"units": "1: a word comes next"},
    )
    return measurement, Stimuli(name, "text", table)


def _uniform(benchmark: Benchmark, _: xr.DataArray) -> Comparison:
    """Give each of 26 letters and the space the same probability."""
    target = benchmark.mean_target
    return benchmark.metric(target.copy(data=np.log2(27) * target.coords["characters"].values), target)


def most_frequent_word(benchmark: Benchmark, _: xr.DataArray) -> Comparison:
    """Always answer with the most frequent word of the text."""
    target = benchmark.mean_target
    words, counts = np.unique(target.coords["next_word"].values, return_counts=True)
    word = words[words != ""][counts[words != ""].argmax()]
    return benchmark.metric(target.copy(data=np.full(target.shape, word)), target)


for _name, _dataset in (("Wikitext", "Wikitext2.test"), ("Brown", "Brown.held_out")):
    _text = datasets[_dataset].card.summary
    for _measure, _metric, _ask, _options, _floor, _what in (
        (
            "probability", "text_probability", Read("surprisal"), {"context": "source"},
            Control("uniform characters", _uniform), "Geometric mean probability of a character",
        ),
        (
            "next_word", "next_word_accuracy", NextWord(), {},
            Control("most frequent word", most_frequent_word), "Share of next words that are the likeliest one",
        ),
    ):  # fmt: skip
        register_benchmark(
            f"{_name}-{_measure}", _dataset, _metric, ask=_ask, options=_options,
            summary=f"{_what} in {_text[:1].lower()}{_text[1:]}", controls=(_floor, untrained_twin()),
            parent="engineering", tags=("engineering", "many stimuli"),
        )  # fmt: skip
