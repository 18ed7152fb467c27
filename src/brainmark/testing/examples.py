"""Small inputs with known structure: stimuli for models, and pairs of measurements for metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from brainmark.core.libraries import np, pd, xr
from brainmark.core.stimuli import Stimuli
from brainmark.core.vocabulary import COMPARISONS, MODALITIES, MetricExample, add_noise
from brainmark.data.generated import simulated_time

_SIZES = ((61, 47), (64, 64), (33, 80), (40, 40))  # height, width: odd, even, wide
_TEXTS = (
    "Rain.",
    "The old fisherman mended his net before the tide turned.",
    "Why do zebras, of all animals, have stripes?",
    "She counted 27 steps — then one more.",
)


def images(count: int = 3, seed: int = 0) -> Stimuli:
    """Return `count` smooth random colour images (uint8) of different sizes, held in memory."""
    generator = np.random.default_rng([seed, 7])
    media: list[np.ndarray] = []
    for index in range(count):
        height, width = _SIZES[index % len(_SIZES)]
        coarse = generator.integers(0, 256, size=(height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        media.append(coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].copy())
    return _stimuli("image", media)


def texts(count: int = 3) -> Stimuli:
    """Return `count` short texts of different lengths, with punctuation, digits and one sign outside ASCII."""
    return _stimuli("text", [_TEXTS[i % len(_TEXTS)] + " And so on." * (i // len(_TEXTS)) for i in range(count)])


def _stimuli(modality: Literal["image", "text"], media: Sequence[np.ndarray] | Sequence[str]) -> Stimuli:
    ids = [f"{modality}-{i}" for i in range(len(media))]
    table = pd.DataFrame({"text": media} if modality == "text" else {}, index=pd.Index(ids, name="stimulus_id"))
    return Stimuli(f"{len(media)} test {modality}s", modality, table, tuple(media))


def repeat(stimuli: Stimuli, positions: Sequence[int]) -> Stimuli:
    """Return the stimuli at `positions`, which may come more than once, under new identifiers."""
    chosen = stimuli.take(sorted(set(positions)))
    rows = chosen.table.iloc[[sorted(set(positions)).index(p) for p in positions]]
    ids = pd.Index([f"again-{i}" for i in range(len(positions))], name="stimulus_id")
    return Stimuli("repeated", stimuli.modality, rows.set_axis(ids, axis=0), tuple(stimuli.media[p] for p in positions))


def recording(stimuli: Stimuli, values: np.ndarray, region: str = "V1", name: str = "unit") -> xr.DataArray:
    """Return ``values`` (presentation, neuroid) as a valid recording of `region`."""
    count = values.shape[1]
    return xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", stimuli.ids),
            "neuroid_id": ("neuroid", np.char.add(f"{name}-", np.arange(count).astype(str))),
            "region": ("neuroid", np.full(count, region)),
        },
    )


def metric_example(
    compares: str,
    count: int = 96,
    seed: int = 0,
) -> MetricExample:
    """Return a prediction and a target of the kind a metric compares, without noise.

    recordings : 24 model units that span 6 latent signals; 12 neuroids, linear mixtures of the same signals.
    series : 24 units that span 4 signals, word by word; 6 time courses, the delayed sums of the same signals.
    timed judgements : one number a word, and 6 noisy time courses of its delayed sum.
    dissimilarities : the same units, and the dissimilarities (1 - Pearson) of their answers, twice as two subjects.
    choices : probabilities of 4 choices, and the same probabilities.
    shares : probabilities of "no" and "yes" along a scale of 8 levels, and the share of "yes".
    judgements : one number a stimulus, and the same numbers.
    distributions : 48 orientation-tuned units answering to gratings, and the circular variances of their tuning.
    surprisals : one number a region of a sentence, lower in condition "a" than in "b"; the same with its coordinates.
    words : a word a stimulus; its target names the words as the coordinate ``next_word``.
    triplets : the position (0, 1, 2) of the odd one of three, and the shares of people who chose each of them.
    trajectories : 8 units and 8 neuroids over 12 time bins, which follow the same four damped oscillations.
    solution times : 20 units over time that tell five objects, faint ones later; when each image is solved, in ms.

    Kinds that a package adds come with an example of their own, see `brainmark.core.add_comparison`.
    """
    make = COMPARISONS[compares]
    assert make is not None  # those of our own are filled in below
    return make(count, np.random.default_rng([seed, 11]))


def _number_stimuli(count: int) -> Stimuli:
    ids = pd.Index([f"stimulus-{i:03d}" for i in range(count)], name="stimulus_id")
    return Stimuli(f"{count} numbers", "text", pd.DataFrame({"text": [str(i) for i in range(count)]}, index=ids))


def _recordings(count: int, generator: np.random.Generator) -> MetricExample:
    stimuli = _number_stimuli(count)
    latent = generator.standard_normal((count, 6))
    units = latent @ generator.standard_normal((6, 24)) + 1.0
    neuroids = latent @ generator.standard_normal((6, 12)) + 3.0
    return MetricExample(recording(stimuli, units, name="unit"), recording(stimuli, neuroids, name="neuroid"))


def _solution_times(count: int, generator: np.random.Generator) -> MetricExample:
    stimuli, (media, labels) = (
        _number_stimuli(count),
        simulated_time.faint_objects(count, seed=int(generator.integers(100))),
    )
    time_bins = {
        f"time_bin_{e}": ("time_bin", [b[k] for b in simulated_time.BINS]) for k, e in enumerate(("start", "end"))
    }
    units = simulated_time.units_over_time(media)
    prediction = (
        recording(stimuli, units[:, :, 0]).expand_dims(time_bin=units.shape[2], axis=-1).assign_coords(time_bins)
    )
    target = xr.DataArray(
        simulated_time.solution_times(media),
        dims="presentation",
        coords={
            "stimulus_id": ("presentation", stimuli.ids),
            "label": ("presentation", labels),
            "threshold": ("presentation", np.full(count, 2.5)),
        },
    )
    return MetricExample(prediction.copy(data=units), target)


def _triplets(count: int, generator: np.random.Generator) -> MetricExample:
    odd = generator.integers(3, size=count)
    known = {"stimulus_id": ("presentation", _number_stimuli(count).ids)}
    target = xr.DataArray(0.1 + 0.7 * np.eye(3)[odd], dims=("presentation", "choice"), coords=known)
    return MetricExample(xr.DataArray(odd, dims="presentation", coords=known), target, disturb=_move_odd_ones)


def _move_odd_ones(odd: xr.DataArray, level: float, generator: np.random.Generator) -> xr.DataArray:
    return odd.copy(data=(odd.values + (generator.random(odd.shape) < level / (1 + level))) % 3)


def _trajectories(count: int, generator: np.random.Generator) -> MetricExample:
    stimuli, angles = _number_stimuli(count), np.array([0.3, 0.6, 0.9, 1.2])
    rates = 0.95 * np.exp(1j * angles)
    latent = generator.standard_normal((count, 4)) * rates ** np.arange(12)[:, None, None]  # (time, stimulus, signal)
    signals = np.concatenate([latent.real, latent.imag], axis=2).transpose(1, 2, 0)
    bins = {f"time_bin_{edge}": ("time_bin", 20.0 * (np.arange(12) + k)) for k, edge in enumerate(("start", "end"))}
    sides = [
        recording(stimuli, signals[:, :width, 0] * 0, name=name)
        .expand_dims(time_bin=12, axis=-1)
        .copy(data=np.einsum("psi,sn->pni", signals, generator.standard_normal((8, width))))
        .assign_coords(bins)
        for name, width in (("unit", 8), ("neuroid", 8))
    ]
    return MetricExample(sides[0], sides[1])


def _series(count: int, generator: np.random.Generator) -> MetricExample:
    stimuli, bins = _number_stimuli(2 * count), 2 * count
    onset = 1000.0 * np.arange(2 * count)
    latent = generator.standard_normal((2 * count, 4))
    course = _course(onset) @ latent
    names = [f"course-{k}" for k in range(6)]
    target = xr.DataArray(
        course @ generator.standard_normal((4, 6)),
        dims=("time_bin", "neuroid"),
        coords={
            "time_bin_start": ("time_bin", 1000.0 * np.arange(bins)),
            "time_bin_end": ("time_bin", 1000.0 * np.arange(1, bins + 1)),
            "neuroid_id": ("neuroid", names),
            "region": ("neuroid", ["V1"] * 6),
        },
    )
    units = recording(stimuli, latent @ generator.standard_normal((4, 24)))
    return MetricExample(units.assign_coords(onset=("presentation", onset)), target)


def _course(onset: np.ndarray) -> np.ndarray:
    """Return the response (time_bin, word) in bins of one second: a gamma function with its mode after 5 s."""
    seconds = np.arange(len(onset))[:, None] - onset / 1000
    return np.where(seconds >= 0, np.maximum(seconds, 0) ** 5 * np.exp(-np.maximum(seconds, 0)), 0.0)


def _judgements_over_time(count: int, generator: np.random.Generator) -> MetricExample:
    series = _series(count, generator)
    one = series.prediction.isel(neuroid=0, drop=True)
    course = _course(one.coords["onset"].values) @ one.values
    gains = generator.uniform(0.5, 2.0, 6)
    return MetricExample(one, series.target.copy(data=course[:, None] * gains + np.arange(6.0)))


def _surprisals(count: int, generator: np.random.Generator) -> MetricExample:
    expected = np.arange(count) % 2 == 0
    columns = {
        "item": np.arange(count) // 2,
        "condition": np.where(expected, "a", "b"),
        "region_number": np.ones(count, int),
        "characters": np.full(count, 5),
    }
    target = xr.DataArray(
        np.where(expected, 2.0, 6.0) + generator.random(count),
        dims="presentation",
        coords={"stimulus_id": ("presentation", _number_stimuli(count).ids)}
        | {name: ("presentation", values) for name, values in columns.items()},
    )
    return MetricExample(target, target, chosen=True, disturb=_add_positive_noise)


def _words(count: int, generator: np.random.Generator) -> MetricExample:
    words = np.array([f"word-{k}" for k in generator.permutation(count)])
    known = {"stimulus_id": ("presentation", _number_stimuli(count).ids)}
    target = xr.DataArray(np.ones(count), dims="presentation", coords={**known, "next_word": ("presentation", words)})
    return MetricExample(xr.DataArray(words, dims="presentation", coords=known), target, disturb=_replace_words)


def _replace_words(words: xr.DataArray, level: float, generator: np.random.Generator) -> xr.DataArray:
    wrong = generator.random(words.shape) < level / (1 + level)
    return words.copy(data=np.where(wrong, "something else", words.values))


def _add_positive_noise(prediction: xr.DataArray, level: float, generator: np.random.Generator) -> xr.DataArray:
    return abs(add_noise(prediction, level, generator))


def _add_noise_to_choices(choices: xr.DataArray, level: float, generator: np.random.Generator) -> xr.DataArray:
    noisy = _add_positive_noise(choices, level, generator)
    return (noisy / noisy.sum("choice")).transpose(*choices.dims)


def _dissimilarities(count: int, generator: np.random.Generator) -> MetricExample:
    prediction = _recordings(count // 2, generator).prediction
    ids = prediction.coords["stimulus_id"].values
    distance = 1.0 - np.corrcoef(prediction.values)
    target = xr.DataArray(
        np.stack([distance, distance]),
        dims=("subject", "presentation", "other"),
        coords={"subject": ["first", "second"], "stimulus_id": ("presentation", ids), "other_id": ("other", ids)},
    )
    return MetricExample(prediction, target)


def _choices(count: int, generator: np.random.Generator) -> MetricExample:
    labels = np.array(["ant", "bee", "cat", "dog"])
    shares = generator.dirichlet(np.full(4, 0.7), size=count)
    target = xr.DataArray(
        shares,
        dims=("presentation", "choice"),
        coords={
            "stimulus_id": ("presentation", _number_stimuli(count).ids),
            "label": ("presentation", labels[np.arange(count) % 4]),
            "texture": ("presentation", labels[(np.arange(count) + 1 + np.arange(count) // 4 % 3) % 4]),
            "choice": labels,
        },
    )
    return MetricExample(target, target, chosen=True, disturb=_add_noise_to_choices)


def _shares(count: int, generator: np.random.Generator) -> MetricExample:
    level = np.arange(count) % 8
    share = 1 / (1 + np.exp(3.5 - level + generator.normal(0, 0.5, count)))
    coords = {
        "stimulus_id": ("presentation", _number_stimuli(count).ids),
        "level": ("presentation", level.astype(float)),
    }
    target = xr.DataArray(share, dims="presentation", coords=coords)
    both = np.stack([1 - share, share], axis=1)
    return MetricExample(
        xr.DataArray(both, dims=("presentation", "choice"), coords={**coords, "choice": ["no", "yes"]}),
        target,
        chosen=True,
    )


def _judgements(count: int, generator: np.random.Generator) -> MetricExample:
    target = xr.DataArray(
        generator.gamma(2.0, size=count),
        dims="presentation",
        coords={"stimulus_id": ("presentation", _number_stimuli(count).ids)},
    )
    return MetricExample(target, target)


def _distributions(count: int, generator: np.random.Generator) -> MetricExample:
    orientation, frequency, phase = (
        grid.ravel() for grid in np.meshgrid(np.arange(0, 180, 15.0), [1.0, 2.0, 4.0], [0.0, 90.0, 180.0, 270.0])
    )
    units = 48
    preferred, width = generator.uniform(0, 180, units), generator.gamma(2.0, 1.0, units)
    tuned = np.exp(width * (np.cos(2 * np.deg2rad(orientation[:, None] - preferred)) - 1))
    answers = 20.0 * tuned * np.exp(-0.5 * np.log2(frequency[:, None] / 2.0) ** 2)
    prediction = recording(_number_stimuli(len(orientation)), answers).assign_coords(
        orientation=("presentation", orientation),
        spatial_frequency=("presentation", frequency),
        phase=("presentation", phase),
    )
    best = frequency == 2.0
    resultant = (answers[best] * np.exp(2j * np.deg2rad(orientation[best]))[:, None]).sum(0) / answers[best].sum(0)
    target = xr.DataArray(
        1.0 - np.abs(resultant),
        dims=("neuroid",),
        coords={
            "neuroid_id": ("neuroid", prediction.coords["neuroid_id"].values),
            "region": ("neuroid", prediction.coords["region"].values),
        },
        name="circular_variance",
    )
    return MetricExample(prediction, target, paired=False, disturb=_add_positive_noise)


COMPARISONS.update(
    {
        "recordings": _recordings,
        "series": _series,
        "timed judgements": _judgements_over_time,
        "surprisals": _surprisals,
        "words": _words,
        "dissimilarities": _dissimilarities,
        "choices": _choices,
        "shares": _shares,
        "judgements": _judgements,
        "distributions": _distributions,
        "solution times": _solution_times,
        "triplets": _triplets,
        "trajectories": _trajectories,
    }
)
MODALITIES.update(image=images, text=texts)
