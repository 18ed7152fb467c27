"""How well the words of a text are predicted: their probabilities, and whether the most probable word is correct.

Tokens differ between models, words and characters do not: surprisals are summed over the words of the text and divided
by its characters, so that models with any tokenizer can be compared.
"""

from __future__ import annotations

from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import along_presentations, check_filled, check_same_stimuli
from brainmark.metrics.statistics.averages import divide
from brainmark.metrics.statistics.resampling import resample

_PUNCTUATION = ".,;:!?\"'()[]{}…“”‘’"


@metric(
    "text_probability",
    summary="Geometric mean probability of a character of running text, from the surprisals of its words.",
    cite="shannon1951", compares="surprisals", chance=None, domain="language", tags=("engineering",),
)  # fmt: skip
def text_probability(
    characters: str = "characters", context: str | None = None, resamples: int = 1000, seed: int = 0
) -> Metric:
    """Return the metric of surprisals: geometric mean probability of a character, 2^-(bits per character).

    The prediction is (presentation,), the surprisal of each word in bits; words without one (the first of a text, for
    models that need a context) count neither with their bits nor with their characters.

    Parameters
    ----------
    characters : coordinate of the target along presentation, characters of each word with the space before it.
    context : coordinate of the target whose values name texts, which are drawn as a whole; None: words are drawn.
    resamples, seed : of the draws.

    Returns
    -------
    Comparison with one value; details: bits per character and per word, perplexity of a word, words that count.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        bits = _surprisals(prediction, target)
        sizes = np.asarray(along_presentations(target, characters), float)
        known = np.isfinite(bits)
        if not known.any() or not sizes[known].sum() > 0:
            raise InvalidMeasurement("no word has a surprisal and characters")
        text = np.arange(len(bits))
        if context is not None:
            text = np.unique(along_presentations(target, context), return_inverse=True)[1].reshape(-1)
        sums = [np.bincount(text[known], w[known], int(text.max()) + 1) for w in (bits, sizes)]
        per_character = sums[0].sum() / sums[1].sum()
        per_word = float(bits[known].mean())

        def statistic(counts: np.ndarray) -> np.ndarray:
            return 2.0 ** -divide(*np.hsplit(counts @ np.stack(sums, axis=1), 2))

        return resample(
            statistic,
            len(sums[0]),
            resamples,
            seed,
            details={
                "bits per character": float(per_character),
                "bits per word": per_word,
                "perplexity of a word": float(2.0 ** min(per_word, 1000.0)),
                "words": float(known.sum()),
            },
        )

    return metric


@metric(
    "next_word_accuracy", summary="Share of words that were named before they came.", cite="shannon1951",
    compares="words", domain="language", tags=("engineering",),
)  # fmt: skip
def next_word_accuracy(truth: str = "next_word", resamples: int = 1000, seed: int = 0) -> Metric:
    """Return the metric of predicted words: the share of presentations whose next word was named.

    Predictions are words (presentation,); white space around them does not count.

    Parameters
    ----------
    truth : coordinate of the target along presentation with the word that came next; empty: the text ended.
    resamples, seed : draws of presentations.

    Returns
    -------
    Comparison with one value; details: the share without punctuation and case.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        if prediction.dims != ("presentation",) or prediction.dtype.kind not in "OUST":
            raise InvalidMeasurement(f"next words are words (presentation), not {prediction.dtype} {prediction.dims}")
        check_filled(prediction, "prediction")
        check_same_stimuli(prediction, target)
        came = [str(word).strip() for word in along_presentations(target, truth)]
        said = [str(word).strip() for word in prediction.values]
        asked = np.array([word != "" for word in came])
        if not asked.any():
            raise InvalidMeasurement(f"coordinate {truth!r} of the target names no word")
        exact = np.array([[a == b] for a, b in zip(came, said, strict=True)], float)
        plain = [a == b for a, b in zip(map(_plain, came), map(_plain, said), strict=True)]

        def statistic(counts: np.ndarray) -> np.ndarray:
            return divide(counts[:, asked] @ exact[asked], counts[:, asked].sum(axis=1, keepdims=True))

        return resample(
            statistic,
            len(came),
            resamples,
            seed,
            details={"without punctuation and case": float(np.mean(np.array(plain)[asked]))},
        )

    return metric


def _plain(word: str) -> str:
    return word.strip(_PUNCTUATION).casefold()


def _surprisals(prediction: xr.DataArray, target: xr.DataArray) -> np.ndarray:
    if prediction.dims != ("presentation",):
        raise InvalidMeasurement(f"surprisals of words have (presentation), not {tuple(prediction.dims)}")
    check_filled(prediction, "prediction")
    check_same_stimuli(prediction, target)
    bits = np.asarray(prediction.values, float)
    if (bits < -1e-6).any() or np.isinf(bits).any():
        raise InvalidMeasurement(f"surprisals must be finite and not negative; the lowest is {np.nanmin(bits):.3g}")
    return bits
