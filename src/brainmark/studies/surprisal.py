"""Shared by studies of reading: surprisal against reading times and potentials, and controls from word properties.

Long, rare and late words take long and are surprising, too: `NUISANCE` holds these properties.
"""

from __future__ import annotations

import unicodedata
from functools import partial
from typing import Literal

from brainmark.core import Benchmark, Comparison, Control, Dataset, Read, register_benchmark, shuffled, untrained_twin
from brainmark.core.libraries import np, xr
from brainmark.core.study import calling_module
from brainmark.data.readers.corpora import log_frequency

FITS = {
    "correlation": "correlated with how unexpected each word is",
    "partial": "correlated with how unexpected each word is, given its length, frequency and position",
    "likelihood": "and how much better a model that knows how unexpected words are predicts them",
}
NUISANCE = ("length", "log_frequency", "position")


def register_surprisal(
    prefix: str,
    dataset: str,
    fit: str,
    what: str,
    *,
    context: str,
    sign: Literal[1, -1] = 1,
    spillover: int = 0,
    leave_out: str | None = None,
    errors: bool = False,
    parent: str = "behavior",
) -> None:
    """Register the benchmark ``<prefix>-<fit>``: surprisals of a model against what was measured of readers.

    Parameters
    ----------
    dataset : registered; its stimuli have columns ``length`` and ``position``.
    fit : one of `FITS`.
    what : the measure, for the card.
    context : coordinate of the texts.
    sign : -1 where the measure falls as words become less predictable.
    spillover : words whose cost goes on into the next ones.
    leave_out : column of the stimuli that is true for words that are left out where the nuisance is taken into account
        (the last of a sentence, where readers wrap up; Frank et al. 2015 leave them out).
    errors : whether the target has the error of each mean, from which the ceiling follows.
    parent : node of the tree.
    """
    options = {"fit": fit, "context": context, "sign": sign}
    costs = tuple(word_cost(column, sign) for column in NUISANCE)
    if fit != "correlation":
        options, costs = options | {"nuisance": NUISANCE, "spillover": spillover}, ()
    register_benchmark(
        f"{prefix}-{fit}", dataset, "reading_fit", ask=Read("surprisal"), options=options,
        summary=f"{what[:1].upper()}{what[1:]}, {FITS[fit]}.",
        target=partial(with_word_costs, leave_out=None if fit == "correlation" else leave_out),
        ceiling="metric" if errors else None, controls=(*costs, untrained_twin(), shuffled()),
        region=parent, parent=parent, datasets=(dataset, "Brown.held_out"), tags=("reading",), module=calling_module(),
    )  # fmt: skip


def with_word_costs(study: Dataset, leave_out: str | None = None) -> xr.DataArray:
    """Return the measurement of a data set with length, frequency and position of each word as coordinates.

    Lengths and positions that are no columns of the stimuli are counted: characters, and words in the text so far.
    Words for which the column `leave_out` of the stimuli is true are not measured (NaN).
    """
    table = study.shown.table
    words, context = table["text"].astype(str), study.setting.context
    length = table["length"] if "length" in table else [len(unicodedata.normalize("NFC", word)) for word in words]
    text = np.zeros(len(table)) if context is None else table[context].to_numpy()
    position = table["position"] if "position" in table else words.groupby(text).cumcount()
    columns = {
        "length": np.asarray(length, float),
        "log_frequency": log_frequency(words.tolist()),
        "position": np.asarray(position, float),
    }
    measured = study.measurement.assign_coords({name: ("presentation", values) for name, values in columns.items()})
    return measured if leave_out is None else measured.where(~table[leave_out].to_numpy(bool))


def word_cost(column: str, sign: int = 1) -> Control:
    """Return the control in which a property of the words stands in for the model; rare and late words cost more."""
    cost = -1 if column == "log_frequency" else 1

    def compare(benchmark: Benchmark, _: xr.DataArray) -> Comparison:
        target = benchmark.mean_target
        return benchmark.metric(target.copy(data=cost * target.coords[column].values), target)

    return Control({"log_frequency": "word frequency"}.get(column, f"word {column}"), compare)
