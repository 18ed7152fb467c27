"""Running text as a study: one presentation a word, each with the word that comes next."""

from __future__ import annotations

from collections.abc import Mapping

from brainmark.core import DatasetCard, Setting, Stimuli
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, pd, xr


def in_words(name: str, card: DatasetCard, texts: Mapping[str, str], ask_last: bool = True) -> Dataset:
    """Cut texts at white space, and return their words as presentations.

    The measurement is (presentation,), 1 where a word comes next. Coordinates: ``next_word`` (empty at the end of a
    text), ``source`` (the name of the text) and ``characters`` of the word with the space before it.

    Parameters
    ----------
    name, card : of the data set.
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
    return Dataset(name, card, measurement, Stimuli(name, "text", table), Setting(context="source"))


__all__ = ["in_words"]
