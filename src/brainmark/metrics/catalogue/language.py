"""What is measured of readers and listeners, and of what language models know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from brainmark.brainscore.metrics.language import linear_pearsonr, pearsonr, ridge_pearsonr
from brainmark.core import Comparison, InvalidMeasurement, Metric, MetricCard, metrics
from brainmark.core.libraries import xr
from brainmark.metrics._arrays.inputs import check_filled, check_same_stimuli
from brainmark.metrics.language import formulas as module
from brainmark.metrics.language import reading
from brainmark.metrics.regression import predictivity
from brainmark.metrics.statistics.splits import Splitter
from brainmark.metrics.time import haemodynamics
from brainmark.metrics.time.haemodynamics import Response

FRISTON_1998 = """@article{friston1998,
  title = {Event-related {fMRI}: characterizing differential responses},
  author = {Friston, Karl J. and Fletcher, Paul and Josephs, Oliver and Holmes, Andrew and Rugg, Michael D. and
            Turner, Robert}, journal = {NeuroImage}, volume = {7}, number = {1}, pages = {30--40}, year = {1998}}"""
HUTH_2016 = """@article{huth2016,
  title = {Natural speech reveals the semantic maps that tile human cerebral cortex},
  author = {Huth, Alexander G. and de Heer, Wendy A. and Griffiths, Thomas L. and Theunissen, Fr{\\'e}d{\\'e}ric E. and
            Gallant, Jack L.}, journal = {Nature}, volume = {532}, pages = {453--458}, year = {2016}}"""
HEER_2017 = """@article{deheer2017,
  title = {The hierarchical cortical organization of human speech processing},
  author = {de Heer, Wendy A. and Huth, Alexander G. and Griffiths, Thomas L. and Gallant, Jack L. and
            Theunissen, Fr{\\'e}d{\\'e}ric E.}, journal = {Journal of Neuroscience}, volume = {37}, number = {27},
  pages = {6539--6557}, year = {2017}}"""
SMITH_2013 = """@article{smith2013,
  title = {The effect of word predictability on reading time is logarithmic},
  author = {Smith, Nathaniel J. and Levy, Roger}, journal = {Cognition}, volume = {128}, number = {3},
  pages = {302--319}, year = {2013}}"""
GOODKIND_2018 = """@inproceedings{goodkind2018,
  title = {Predictive power of word surprisal for reading times is a linear function of language model quality},
  author = {Goodkind, Adam and Bicknell, Klinton},
  booktitle = {Proceedings of the 8th Workshop on Cognitive Modeling and Computational Linguistics},
  pages = {10--18}, year = {2018}}"""
GAUTHIER_2020 = """@inproceedings{gauthier2020,
  title = {{SyntaxGym}: An Online Platform for Targeted Evaluation of Language Models},
  author = {Gauthier, Jon and Hu, Jennifer and Wilcox, Ethan and Qian, Peng and Levy, Roger},
  booktitle = {ACL: System Demonstrations}, pages = {70--76}, year = {2020}}"""
SCHRIMPF_2021 = """@article{schrimpf2021,
  title = {The neural architecture of language: Integrative modeling converges on predictive processing},
  author = {Schrimpf, Martin and Blank, Idan Asher and Tuckute, Greta and Kauf, Carina and Hosseini, Eghbal A. and
            Kanwisher, Nancy and Tenenbaum, Joshua B. and Fedorenko, Evelina}, journal = {PNAS}, volume = {118},
  number = {45}, year = {2021}, doi = {10.1073/pnas.2105646118}}"""
SHANNON_1951 = """@article{shannon1951,
  title = {Prediction and entropy of printed {English}}, author = {Shannon, Claude E.},
  journal = {Bell System Technical Journal}, volume = {30}, number = {1}, pages = {50--64}, year = {1951}}"""


@metrics.add(
    "bold_ridge",
    card=MetricCard(
        summary="Cross-validated r of each time course, predicted from words delayed as blood flow is, by ridge.",
        licence="MIT",
        cite=f"{FRISTON_1998}\n{HUTH_2016}",
        domain="language",
        compares="series",
        tags=("regression", "temporal"),
    ),
)
def bold_ridge(
    response: Response | None = None, splits: Splitter | None = None, resamples: int = 1000, seed: int = 0
) -> Metric:
    """Ridge over volumes; `splits` None: five blocks in time with a gap. See `brainmark.metrics.time.haemodynamics`."""
    from dataclasses import replace

    mapping = predictivity.ridge(splits=splits or haemodynamics.FIVE_BLOCKS, resamples=resamples, seed=seed)
    mapping = replace(mapping, block=haemodynamics.BLOCK)
    return haemodynamics.Haemodynamic(mapping, response or haemodynamics.CANONICAL)


@metrics.add(
    "bold_unique",
    card=MetricCard(
        summary="Held-out variance of time courses that delayed words explain beyond nuisance regressors.",
        licence="MIT",
        cite=f"{FRISTON_1998}\n{HEER_2017}",
        domain="language",
        compares="series",
        chance=None,
        tags=("regression", "temporal", "nuisance"),
    ),
)
def bold_unique(
    nuisance: Sequence[str] = (), splits: Splitter | None = None, resamples: int = 1000, seed: int = 0
) -> Metric:
    """Variance partitioning over volumes, see `brainmark.metrics.time.haemodynamics.UniqueInVolumes`."""
    folds = splits or haemodynamics.FIVE_BLOCKS
    return haemodynamics.UniqueInVolumes(tuple(nuisance), splits=folds, resamples=resamples, seed=seed)


@metrics.add(
    "bold_partial",
    card=MetricCard(
        summary="Correlates one delayed value a word (surprisal) with time courses, given nuisance regressors.",
        licence="MIT",
        cite=FRISTON_1998,
        domain="language",
        compares="timed judgements",
        tags=("temporal", "nuisance"),
    ),
)
def bold_partial(nuisance: Sequence[str] = (), resamples: int = 1000, seed: int = 0) -> Metric:
    """Partial correlation over volumes, see `brainmark.metrics.time.haemodynamics.PartialInVolumes`."""
    return haemodynamics.PartialInVolumes(tuple(nuisance), resamples=resamples, seed=seed)


@metrics.add(
    "reading_fit",
    card=MetricCard(
        summary="Relates one value a word (surprisal) to reading times or potentials, given what words cost anyway.",
        licence="MIT",
        cite=f"{SMITH_2013}\n{GOODKIND_2018}",
        domain="language",
        compares="judgements",
        tags=("behavior", "nuisance"),
    ),
)
def reading_fit(
    fit: Literal["correlation", "partial", "likelihood"] = "correlation",
    nuisance: Sequence[str] = (),
    spillover: int = 0,
    context: str | None = None,
    sign: Literal[1, -1] = 1,
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """Fit to readers, see `brainmark.metrics.language.reading.ReadingFit`."""
    return reading.ReadingFit(fit, tuple(nuisance), spillover, context, sign, resamples=resamples, seed=seed)


@metrics.add(
    "predictions_hold",
    card=MetricCard(
        summary="Share of items for which predictions about surprisals hold, formula by formula.",
        licence="MIT",
        cite=GAUTHIER_2020,
        domain="language",
        compares="surprisals",
        chance=None,
        tags=("engineering",),
    ),
)
def predictions_hold(
    formulas: Sequence[str] = ("(1;%a%) < (1;%b%)",), joint: bool = False, resamples: int = 1000, seed: int = 0
) -> Metric:
    """Predictions of a suite, see `brainmark.metrics.language.formulas.predictions_hold`."""
    return module.predictions_hold(formulas, joint=joint, resamples=resamples, seed=seed)


@metrics.add(
    "text_probability",
    card=MetricCard(
        summary="Geometric mean probability of a character of running text, from the surprisals of its words.",
        licence="MIT",
        cite=SHANNON_1951,
        domain="language",
        compares="surprisals",
        chance=None,
        tags=("engineering",),
    ),
)
def text_probability(
    characters: str = "characters", context: str | None = None, resamples: int = 1000, seed: int = 0
) -> Metric:
    """Probability of a text, see `brainmark.metrics.language.prediction.text_probability`."""
    from brainmark.metrics.language import prediction

    return prediction.text_probability(characters, context, resamples, seed)


@metrics.add(
    "next_word_accuracy",
    card=MetricCard(
        summary="Share of words that were named before they came.",
        licence="MIT",
        cite=SHANNON_1951,
        domain="language",
        compares="words",
        tags=("engineering",),
    ),
)
def next_word_accuracy(truth: str = "next_word", resamples: int = 1000, seed: int = 0) -> Metric:
    """Accuracy of the next word, see `brainmark.metrics.language.prediction.next_word_accuracy`."""
    from brainmark.metrics.language import prediction

    return prediction.next_word_accuracy(truth, resamples, seed)


@metrics.add(
    "brainscore-linear-pearsonr",
    card=MetricCard(
        summary="Predictivity by least squares exactly as brainscore-language publishes it.",
        licence="MIT",
        cite=SCHRIMPF_2021,
        domain="language",
        compares="recordings",
        tags=("regression", "brainscore"),
    ),
)
def brainscore_linear_pearsonr(group: str | None = None) -> Metric:
    """Return the published ``linear_pearsonr``, see `brainmark.brainscore.metrics.language`."""
    return _refusing_constants(linear_pearsonr(group))


@metrics.add(
    "brainscore-ridge-pearsonr",
    card=MetricCard(
        summary="Predictivity by ridge with one penalty for all voxels, as brainscore-language publishes it.",
        licence="MIT",
        cite=SCHRIMPF_2021,
        domain="language",
        compares="recordings",
        tags=("regression", "brainscore"),
    ),
)
def brainscore_ridge_pearsonr(group: str | None = None) -> Metric:
    """Return the published ``ridge_pearsonr``, see `brainmark.brainscore.metrics.language`."""
    return _refusing_constants(ridge_pearsonr(group))


def _refusing_constants(metric: Metric) -> Metric:
    """Refuse what is the same for all presentations: the published code gives it 0, up to rounding."""

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:

        check_filled(prediction, "prediction")
        if bool((prediction == prediction.isel(presentation=0, drop=True)).all()):
            raise InvalidMeasurement("the prediction is the same for all presentations")
        return metric(prediction, target)

    return compare


@metrics.add(
    "brainscore-pearsonr",
    card=MetricCard(
        summary="Magnitude of the correlation of two vectors, as brainscore-language publishes it.",
        licence="MIT",
        cite=SCHRIMPF_2021,
        domain="language",
        compares="judgements",
        chance=None,
        tags=("behavior", "brainscore"),
    ),
)
def brainscore_pearsonr() -> Metric:
    """Return the published ``pearsonr``, see `brainmark.brainscore.metrics.language`."""

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        check_filled(prediction, "prediction")
        check_same_stimuli(prediction, target)
        return pearsonr(prediction, target)

    return compare
